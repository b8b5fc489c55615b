//! See `ferrows_fuzz::http_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrows_fuzz::http_head(data));
