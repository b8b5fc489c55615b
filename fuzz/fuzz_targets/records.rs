//! See `ferrows_fuzz::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrows_fuzz::records(data));
