//! What the fuzz targets do with their bytes.
//!
//! Each function panics when something that must hold for all inputs does not.
//! `cargo fuzz` calls them through `fuzz_targets/`; `tests/smoke.rs` calls them
//! with the corpus and with noise.

mod deflate;
mod frames;
mod headers;
#[path = "../../tests/protocol_support/mod.rs"]
#[allow(unreachable_pub)]
mod protocol_support;
mod records;

pub use deflate::inflate;
pub use frames::{assemble_messages, decode_frames};
pub use headers::{header_grammars, http_head};
pub use records::records;

/// All targets by name.
pub const TARGETS: [(&str, fn(&[u8])); 6] = [
    ("assemble_messages", assemble_messages),
    ("decode_frames", decode_frames),
    ("header_grammars", header_grammars),
    ("http_head", http_head),
    ("inflate", inflate),
    ("records", records),
];
