//! permessage-deflate (RFC 7692): the payload of marked messages is a raw
//! DEFLATE stream.
//!
//! Owns: the two directions of a connection ([`Inflater`], [`Deflater`]), their
//! settings and the pool of idle zlib streams. The negotiation is JavaScript's
//! (`lib/permessage-deflate.js`). Runs on: any, one thread at a time.
//! Tests: `tests/protocol_deflate.rs`.
//!
//! ```text
//!             between messages                    while idle for a while
//! no takeover   stream in the pool                  the same
//! takeover      stream stays with its connection    parked: its history stays, the stream
//!                                                   goes to the pool
//! ```
//!
//! Both streams of a connection take some 350 KiB; a history at most the window,
//! and no more than what the connection has carried so far.

mod claim;
mod deflater;
mod history;
mod inflater;
mod pool;

pub use deflater::Deflater;
pub use inflater::Inflater;
pub use pool::ZlibPool;

use zlib_rs::{DeflateConfig, Method, Strategy};

/// What a decoder does with messages that are marked as compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// permessage-deflate was not negotiated: the mark is a violation.
    Off,
    /// They are inflated.
    Inflate(InflateOptions),
    /// Their frames are handed out as they are
    /// ([`EventSink::deflated_frame`](super::EventSink::deflated_frame)).
    PassOn,
}

/// The receiving direction, as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateOptions {
    /// Base two logarithm of the peer's window, 8 to 15.
    pub window_bits: u8,
    /// Whether the peer refers to earlier messages.
    pub context_takeover: bool,
}

/// The sending direction, as negotiated and as the user wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateOptions {
    /// Base two logarithm of our window, 8 to 15.
    pub window_bits: u8,
    /// Whether we may refer to earlier messages.
    pub context_takeover: bool,
    /// zlib's level, -1 (its default) to 9.
    pub level: i8,
    /// zlib's memLevel, 1 to 9.
    pub mem_level: u8,
    /// zlib's strategy, 0 to 4.
    pub strategy: u8,
    /// Bytes below which a message is not compressed.
    /// COMPAT(ws 8.23): only where the context is not taken over.
    pub threshold: u32,
}

impl DeflateOptions {
    /// zlib's form of the options. What is out of range becomes the nearest value in it.
    fn config(&self) -> DeflateConfig {
        // zlib cannot deflate with a window of 256 bytes; with 512 it looks back 250 bytes at
        // most, which such a window still holds.
        let window_bits = i32::from(self.window_bits.clamp(9, 15));
        DeflateConfig {
            level: i32::from(self.level.clamp(-1, 9)),
            method: Method::Deflated,
            window_bits: -window_bits,
            mem_level: i32::from(self.mem_level.clamp(1, 9)),
            strategy: Strategy::try_from(i32::from(self.strategy)).unwrap_or_default(),
        }
    }
}

/// What a flush appends, and what the wire leaves out at the end of a message
/// (RFC 7692, section 7.2.1).
const TRAILER: [u8; 4] = [0, 0, 0xff, 0xff];
