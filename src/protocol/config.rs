//! What a connection's decoder is told once: its role and its limits.
//!
//! Owns: [`Config`], [`Role`], [`INLINE_LIMIT`]. Called by whoever opens a
//! connection. Runs on: any. Must never hold anything per message.

use super::Compression;

/// Largest payload, in bytes, that a message delivered in place may have; what
/// is larger is copied into a block of its own.
pub const INLINE_LIMIT: usize = 4096;

/// Which end of the connection a decoder serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads what a client sent: every frame must be masked.
    Server,
    /// Reads what a server sent: no frame may be masked.
    Client,
}

/// Settings of a [`Decoder`](super::Decoder). A limit of 0 is off.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Which end this is.
    pub role: Role,
    /// Most payload bytes that the data frames of one message may announce.
    pub max_payload: u64,
    /// Most data frames, empty ones included, in one message.
    pub max_fragments: u32,
    /// Most inputs that may be held because a frame in them is incomplete.
    pub max_buffered_chunks: u32,
    /// Whether text messages and close reasons go unchecked.
    pub skip_utf8_validation: bool,
    /// Whether binary messages come with the lengths of their frames.
    pub track_fragments: bool,
    /// What happens to compressed messages. `max_payload` limits their inflated size, too.
    pub compression: Compression,
}

impl Config {
    /// No limits, all checks, no frame lengths, no compression.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            max_payload: 0,
            max_fragments: 0,
            max_buffered_chunks: 0,
            skip_utf8_validation: false,
            track_fragments: false,
            compression: Compression::Off,
        }
    }
}
