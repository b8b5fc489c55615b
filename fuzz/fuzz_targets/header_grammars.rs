//! See `ferrows_fuzz::header_grammars`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrows_fuzz::header_grammars(data));
