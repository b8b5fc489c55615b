//! A message that is not complete in one input, or compressed: its block, its
//! text check, the frame that is arriving.
//!
//! Owns: [`PartialMessage`]. Called by the decoder only. Runs on: any. Must
//! never size memory by an announced length; the only use of one is as a cap.
//! Tests: `tests/protocol_decoder.rs`, `tests/protocol_properties.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use std::mem::{self, MaybeUninit};

use super::frame::FrameHeader;
use super::mask::{apply_mask, copy_masked};
use super::{EventSink, INLINE_LIMIT, Inflater, Payload, Utf8Validator, Violation};

/// A message whose frames are being collected in one growing block.
#[derive(Debug)]
pub(super) struct PartialMessage {
    block: Vec<u8>,
    /// What there is of the current frame of a compressed message, as it came.
    deflated: Option<Vec<u8>>,
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
    pub(super) fn new(binary: bool, compressed: bool, validate: bool) -> Self {
        Self {
            block: Vec::new(),
            deflated: compressed.then(Vec::new),
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

    /// What the frame that was begun last has announced.
    pub(super) fn frame_len(&self) -> u64 {
        self.frame_len
    }

    /// Whether it is a binary message.
    pub(super) fn is_binary(&self) -> bool {
        self.binary
    }

    /// Bytes of the message that are held in their final form.
    pub(super) fn held(&self) -> usize {
        self.block.len()
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
        let (key, phase) = (self.key, self.phase());
        let wanted = self.next_capacity(bytes.len());
        let block = self.block_mut();
        if block.capacity() - block.len() < bytes.len() {
            grow(block, wanted, sink);
        }
        let start = block.len();
        copy_masked(block, bytes, key, phase);
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
        let missing = usize::try_from(self.missing).unwrap_or(usize::MAX);
        let wanted = self.next_capacity(0);
        let block = self.block_mut();
        if block.capacity() - block.len() < DIRECT_MIN {
            if wanted - block.len() < DIRECT_MIN {
                return None;
            }
            grow(block, wanted, sink);
        }
        let spare = block.spare_capacity_mut();
        let usable = spare.len().min(missing);
        spare.get_mut(..usable)
    }

    /// Adds bytes that were read into the block itself and counted in its
    /// length from `start` on.
    pub(super) fn adopt(&mut self, start: usize) -> Result<(), Violation> {
        let (key, phase) = (self.key, self.phase());
        let fresh = self.block_mut().get_mut(start..).unwrap_or_default();
        apply_mask(fresh, key, phase);
        self.take_note(start)
    }

    /// Where payload bytes are collected, for the driver's bytes to be claimed in.
    pub(super) fn block_mut(&mut self) -> &mut Vec<u8> {
        self.deflated.as_mut().unwrap_or(&mut self.block)
    }

    /// Whether the message is compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.deflated.is_some()
    }

    /// Adds what the current, compressed frame contains, as long as the message holds no more than
    /// `limit` bytes. `false` if it goes on with the next call.
    pub(super) fn inflate_frame(
        &mut self,
        inflater: &mut Inflater,
        limit: u64,
        sink: &mut impl EventSink,
    ) -> Result<bool, Violation> {
        let start = self.block.len();
        let frame = self.deflated.get_or_insert_default();
        let complete = inflater.inflate(frame, self.fin, limit, &mut self.block, sink)?;
        if complete {
            frame.clear();
        }
        self.check_text(start)?;
        Ok(complete)
    }

    /// Hands the current, compressed frame out as it is.
    pub(super) fn pass_frame_on(&mut self, sink: &mut impl EventSink) {
        let frame = self.deflated.replace(Vec::new()).unwrap_or_default();
        if frame.len() <= INLINE_LIMIT {
            sink.deflated_frame(self.binary, self.fin, Payload::Borrowed(&frame));
            if frame.capacity() > 0 {
                sink.recycle(frame);
            }
        } else {
            sink.deflated_frame(self.binary, self.fin, Payload::Owned(frame));
        }
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
        } else {
            let block = mem::take(&mut self.block);
            sink.message(self.binary, Payload::Owned(block), &lengths);
        }
        self.release(sink);
        Ok(())
    }

    /// Gives the memory back without delivering anything.
    pub(super) fn release(self, sink: &mut impl EventSink) {
        for block in [Some(self.block), self.deflated].into_iter().flatten() {
            if block.capacity() > 0 {
                sink.recycle(block);
            }
        }
    }

    /// Accounts for and checks the unmasked bytes that were collected from `start` on.
    fn take_note(&mut self, start: usize) -> Result<(), Violation> {
        self.missing -= (self.block_mut().len() - start) as u64;
        if self.is_compressed() {
            return Ok(());
        }
        self.check_text(start)
    }

    fn check_text(&mut self, start: usize) -> Result<(), Violation> {
        let fresh = self.block.get(start..).unwrap_or_default();
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
        let block = self.deflated.as_ref().unwrap_or(&self.block);
        let held = block.len().saturating_add(incoming);
        let total = usize::try_from(self.missing)
            .map_or(usize::MAX, |missing| block.len().saturating_add(missing));
        if self.fin || self.is_compressed() {
            held.saturating_mul(4).max(SMALLEST_BLOCK).min(total)
        } else {
            held.saturating_mul(2).max(SMALLEST_BLOCK)
        }
    }
}

/// Moves what a block holds to a larger one.
pub(super) fn grow(block: &mut Vec<u8>, capacity: usize, sink: &mut impl EventSink) {
    if block.capacity() > LARGEST_COPIED {
        block.reserve_exact(capacity - block.len());
        return;
    }
    let mut larger = sink.allocate(capacity);
    larger.clear();
    larger.reserve(capacity);
    larger.extend_from_slice(block);
    let old = mem::replace(block, larger);
    if old.capacity() > 0 {
        sink.recycle(old);
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
/// The system's allocator moves larger blocks without holding them twice.
const LARGEST_COPIED: usize = 2 << 20;
/// The first block of a message whose end is not in sight.
const SMALLEST_BLOCK: usize = 512;
