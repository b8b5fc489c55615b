//! See `ferrows_fuzz::inflate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrows_fuzz::inflate(data));
