//! A message that is not complete in one input: its block, its text check, the
//! frame that is arriving.
//!
//! Owns: [`PartialMessage`]. Called by the decoder only. Runs on: any. Must
//! never size memory by an announced length; the only use of one is as a cap.
//! Tests: `tests/protocol_decoder.rs`, `tests/protocol_properties.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use std::mem::{self, MaybeUninit};

use super::frame::FrameHeader;
use super::mask::{apply_mask, copy_masked};
use super::{EventSink, INLINE_LIMIT, Payload, Utf8Validator, Violation};

/// A message whose frames are being collected in one growing block.
#[derive(Debug)]
pub(super) struct PartialMessage {
    block: Vec<u8>,
    /// Lengths of the non-empty frames so far, while they are tracked.
    lengths: Vec<u32>,
    /// Where in the block the bytes begin that `lengths` does not cover.
    unlisted_from: usize,
    /// Payload bytes that the frames so far have announced.
    announced: u64,
    frame_len: u64,
    /// Payload bytes that the current frame still lacks; 0 between frames.
    missing: u64,
    frames: u32,
    key: [u8; 4],
    utf8: Utf8Validator,
    fin: bool,
    binary: bool,
    validate: bool,
}

impl PartialMessage {
    /// An empty message; `validate` is whether text is to be checked.
    pub(super) fn new(binary: bool, validate: bool) -> Self {
        Self {
            block: Vec::new(),
            lengths: Vec::new(),
            unlisted_from: 0,
            announced: 0,
            frame_len: 0,
            missing: 0,
            frames: 0,
            key: [0; 4],
            utf8: Utf8Validator::new(),
            fin: false,
            binary,
            validate: validate && !binary,
        }
    }

    /// Begins the message's next frame.
    pub(super) fn begin_frame(&mut self, header: &FrameHeader) {
        self.frame_len = header.payload_len;
        self.missing = header.payload_len;
        self.key = header.key;
        self.fin = header.fin;
        self.frames = self.frames.saturating_add(1);
        self.announced = self.announced.saturating_add(header.payload_len);
    }

    /// Payload bytes that the current frame still lacks.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// Payload bytes of the current, incomplete frame that are held.
    pub(super) fn held_of_frame(&self) -> u64 {
        if self.missing == 0 {
            0
        } else {
            self.frame_len - self.missing
        }
    }

    /// Whether the frame that was begun last ends the message.
    pub(super) fn is_last_frame(&self) -> bool {
        self.fin
    }

    /// Sum of the payload lengths of all frames begun.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// Number of frames begun.
    pub(super) fn frames(&self) -> u32 {
        self.frames
    }

    /// Adds masked payload bytes of the current frame, no more than it lacks.
    pub(super) fn append(
        &mut self,
        bytes: &[u8],
        sink: &mut impl EventSink,
    ) -> Result<(), Violation> {
        if self.block.capacity() - self.block.len() < bytes.len() {
            let wanted = self.next_capacity(bytes.len());
            self.grow(wanted, sink);
        }
        let start = self.block.len();
        let phase = self.phase();
        copy_masked(&mut self.block, bytes, self.key, phase);
        self.take_note(start)
    }

    /// Spare room of the block, at most what the frame lacks, or `None` when
    /// that is too little to be worth a read of its own.
    pub(super) fn direct_tail(
        &mut self,
        sink: &mut impl EventSink,
    ) -> Option<&mut [MaybeUninit<u8>]> {
        if self.missing < DIRECT_MIN as u64 {
            return None;
        }
        if self.block.capacity() - self.block.len() < DIRECT_MIN {
            let wanted = self.next_capacity(0);
            if wanted - self.block.len() < DIRECT_MIN {
                return None;
            }
            self.grow(wanted, sink);
        }
        let missing = usize::try_from(self.missing).unwrap_or(usize::MAX);
        let spare = self.block.spare_capacity_mut();
        let usable = spare.len().min(missing);
        spare.get_mut(..usable)
    }

    /// Adds bytes that were read into the block itself and counted in its
    /// length from `start` on.
    pub(super) fn adopt(&mut self, start: usize) -> Result<(), Violation> {
        let phase = self.phase();
        apply_mask(
            self.block.get_mut(start..).unwrap_or_default(),
            self.key,
            phase,
        );
        self.take_note(start)
    }

    /// The block, for the driver's bytes to be claimed in.
    pub(super) fn block_mut(&mut self) -> &mut Vec<u8> {
        &mut self.block
    }

    /// Ends the current frame.
    pub(super) fn end_frame(&mut self, track_fragments: bool) {
        if track_fragments && self.binary {
            push_length(&mut self.lengths, self.block.len() - self.unlisted_from);
            self.unlisted_from = self.block.len();
        }
    }

    /// Delivers the message, or finds that its text ends inside a character.
    pub(super) fn finish(
        mut self,
        track_fragments: bool,
        sink: &mut impl EventSink,
    ) -> Result<(), Violation> {
        if self.validate && !self.utf8.is_complete() {
            self.release(sink);
            return Err(Violation::InvalidUtf8);
        }
        let lengths = if track_fragments {
            mem::take(&mut self.lengths)
        } else {
            Vec::new()
        };
        if self.block.len() <= INLINE_LIMIT {
            sink.message(self.binary, Payload::Borrowed(&self.block), &lengths);
            self.release(sink);
        } else {
            sink.message(self.binary, Payload::Owned(self.block), &lengths);
        }
        Ok(())
    }

    /// Gives the memory back without delivering anything.
    pub(super) fn release(self, sink: &mut impl EventSink) {
        if self.block.capacity() > 0 {
            sink.recycle(self.block);
        }
    }

    /// Accounts for and checks the unmasked bytes from `start` on.
    fn take_note(&mut self, start: usize) -> Result<(), Violation> {
        let fresh = self.block.get(start..).unwrap_or_default();
        self.missing -= fresh.len() as u64;
        if self.validate && !self.utf8.feed(fresh) {
            return Err(Violation::InvalidUtf8);
        }
        Ok(())
    }

    /// Offset in the frame's payload of the next byte, modulo the mask.
    fn phase(&self) -> usize {
        ((self.frame_len - self.missing) & 3) as usize
    }

    /// The block's next size when `incoming` bytes are at hand. INVARIANT: at
    /// most a fixed multiple of bytes that have arrived, and at least a
    /// fixed multiple of what was held, so that copying stays linear.
    fn next_capacity(&self, incoming: usize) -> usize {
        let held = self.block.len().saturating_add(incoming);
        let total = usize::try_from(self.missing).map_or(usize::MAX, |missing| {
            self.block.len().saturating_add(missing)
        });
        if self.fin {
            held.saturating_mul(4).max(SMALLEST_BLOCK).min(total)
        } else {
            held.saturating_mul(2).max(SMALLEST_BLOCK)
        }
    }

    fn grow(&mut self, capacity: usize, sink: &mut impl EventSink) {
        let mut block = sink.allocate(capacity);
        block.clear();
        block.reserve(capacity);
        block.extend_from_slice(&self.block);
        let old = mem::replace(&mut self.block, block);
        if old.capacity() > 0 {
            sink.recycle(old);
        }
    }
}

/// Adds the length of a non-empty frame, in parts when 32 bits do not hold it.
fn push_length(lengths: &mut Vec<u32>, mut len: usize) {
    while len > 0 {
        let part = u32::try_from(len).unwrap_or(u32::MAX);
        lengths.push(part);
        len -= part as usize;
    }
}

/// Room below which reading into the block does not pay.
const DIRECT_MIN: usize = 16 * 1024;
/// The first block of a message whose end is not in sight.
const SMALLEST_BLOCK: usize = 512;
