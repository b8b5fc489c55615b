//! The fast path: a whole, unfragmented, small message at the start of an input.
//!
//! Owns: [`SmallMessage`]. Called by the decoder between messages. Runs on: any.
//! Must never accept what [`FrameHeader::parse`](super::FrameHeader::parse) would
//! refuse; in doubt it finds nothing. Tests: `tests/protocol_decoder.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use crate::protocol::{INLINE_LIMIT, Role};

/// Where a message of at most [`INLINE_LIMIT`] bytes lies in an input.
#[derive(Debug)]
pub(crate) struct SmallMessage {
    pub(crate) binary: bool,
    pub(crate) key: [u8; 4],
    pub(crate) header_len: usize,
    /// Where the payload, and so the frame, ends.
    pub(crate) end: usize,
}

impl SmallMessage {
    /// Finds one that is complete and announces no more than `room` bytes.
    #[inline]
    pub(crate) fn find(input: &[u8], role: Role, room: u64) -> Option<Self> {
        let (&[first, second], rest) = input.split_first_chunk()?;
        if first != TEXT_FRAME && first != BINARY_FRAME {
            return None;
        }
        let (len, header_len) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
            127 => return None,
            len => (usize::from(len), 2),
        };
        let masked = second & 0x80 != 0;
        if masked != (role == Role::Server) || len > INLINE_LIMIT || len as u64 > room {
            return None;
        }
        let (key, header_len) = if masked {
            (*input.get(header_len..)?.first_chunk()?, header_len + 4)
        } else {
            ([0; 4], header_len)
        };
        let end = header_len + len;
        (input.len() >= end).then_some(Self {
            binary: first == BINARY_FRAME,
            key,
            header_len,
            end,
        })
    }
}

/// First byte of an unfragmented text message.
const TEXT_FRAME: u8 = 0x81;
/// First byte of an unfragmented binary message.
const BINARY_FRAME: u8 = 0x82;
