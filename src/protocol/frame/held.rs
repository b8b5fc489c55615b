//! A header that arrives in several inputs.
//!
//! Owns: [`HeldHeader`]. Called by the decoder where a frame begins. Runs on:
//! any. Must never hold more than one header. Tests: `tests/protocol_decoder.rs`
//! feeds everything byte by byte.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::{FrameHeader, MAX_HEADER_SIZE, Rules, header::completed_part};
use crate::protocol::Violation;

/// The first bytes of a header whose last ones are missing.
#[derive(Debug)]
pub(crate) struct HeldHeader {
    bytes: [u8; MAX_HEADER_SIZE],
    len: u8,
}

impl HeldHeader {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; MAX_HEADER_SIZE],
            len: 0,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads a header that begins in `input` or began in an earlier one, and
    /// returns it with what follows it; without it, its bytes are held.
    pub(crate) fn read<'a>(
        &mut self,
        input: &'a mut [u8],
        rules: Rules,
    ) -> Result<(Option<FrameHeader>, &'a mut [u8]), Violation> {
        let held = usize::from(self.len);
        let (parsed, consumed) = if held == 0 {
            match FrameHeader::parse(input, rules)? {
                Some((header, size)) => (Some(header), size),
                None => (None, self.hold(input)),
            }
        } else {
            let added = self.hold(input);
            let bytes = self.bytes.get(..held + added).unwrap_or_default();
            match FrameHeader::parse(bytes, rules)? {
                Some((header, size)) => (Some(header), size - held),
                None => (None, added),
            }
        };
        if parsed.is_some() {
            self.len = 0;
        }
        Ok((parsed, input.get_mut(consumed..).unwrap_or_default()))
    }

    /// Bytes held of the first part of the header that is incomplete.
    pub(crate) fn held_of_part(&self) -> u64 {
        let held = usize::from(self.len);
        let [_, second, ..] = self.bytes;
        (held - completed_part(second, held)) as u64
    }

    /// Which part of a header is missing, as [`Progress::step`](crate::protocol::Progress) counts.
    pub(crate) fn step(&self) -> u32 {
        let held = usize::from(self.len);
        let [_, second, ..] = self.bytes;
        match (held, completed_part(second, held), second & 0x7f) {
            (0 | 1, _, _) => 0,
            (_, 2, 126) => 1,
            (_, 2, 127) => 2,
            _ => 3,
        }
    }

    /// The first two bytes if they are there, and the payload length if it is complete.
    pub(crate) fn known(&self) -> Option<(u8, Option<u64>)> {
        let [first, second, length @ ..] = self.bytes;
        let [a, b, c, d, e, f, g, h, ..] = length;
        match self.step() {
            0 => None,
            1 | 2 => Some((first, None)),
            _ => Some((
                first,
                Some(match second & 0x7f {
                    126 => u16::from_be_bytes([a, b]).into(),
                    127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
                    short => short.into(),
                }),
            )),
        }
    }

    /// Keeps as many bytes as a header can still have; returns their number.
    fn hold(&mut self, input: &[u8]) -> usize {
        let room = self
            .bytes
            .get_mut(usize::from(self.len)..)
            .unwrap_or_default();
        let added = room.len().min(input.len());
        for (room, byte) in room.iter_mut().zip(input) {
            *room = *byte;
        }
        self.len += added as u8;
        added
    }
}
