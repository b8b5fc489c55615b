//! See `ferrows_fuzz::assemble_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferrows_fuzz::assemble_messages(data));
