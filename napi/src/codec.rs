//! The protocol core as a class, for sockets that stay with Node.
//!
//! Owns: one decoder and the events of the last chunk. Called synchronously by
//! `lib/receiver.js`. Runs on: js. Tests: `__test__/stream`.

use std::collections::VecDeque;

use ferrows_core::bridge::Settings;
use ferrows_core::bridge::layout::{RECORD_WORDS, event, flag, word0};
use ferrows_core::protocol::{Decoder, EventSink, Payload, Progress, Violation};
use napi::bindgen_prelude::{BufferSlice, Uint8ArraySlice, Uint32ArraySlice};
use napi::{Env, Error, Result};
use napi_derive::napi;

use crate::buffers;

/// Decodes the bytes of one connection.
#[napi]
pub struct Codec {
    decoder: Decoder,
    events: Events,
    /// What came behind a frame that is being inflated.
    held: Vec<u8>,
}

/// Bytes that one call inflates: so long JavaScript waits.
const INFLATED_PER_CALL: usize = 256 * 1024;

#[napi]
impl Codec {
    /// A decoder with the settings words that an adoption carries, too.
    #[napi(constructor)]
    pub fn new(settings: &[u32]) -> Result<Self> {
        let words = settings
            .try_into()
            .map_err(|_| Error::from_reason("settings have a fixed number of words"))?;
        Ok(Self {
            decoder: Decoder::new(Settings::from_words(words).decoder),
            events: Events::default(),
            held: Vec::new(),
        })
    }

    /// The decoder of a connection that had another owner, and bytes that it has not taken.
    pub(crate) fn adopted(decoder: Decoder, held: Vec<u8>) -> Self {
        Self {
            decoder,
            events: Events::default(),
            held,
        }
    }

    /// Decodes a chunk, which is unmasked in place, and copies the first events into `heads`:
    /// word 0 as in a record, then the offset in the chunk and the length of the payload, then
    /// the argument. A payload that does not lie in the chunk is flagged as a block. Returns the
    /// number of events; bit 31 tells that [`Codec::next`] has more, bit 30 that after these
    /// events [`Codec::resume`] goes on inflating, bit 29 that the decoder is within a message.
    #[napi]
    pub fn decode(
        &mut self,
        mut chunk: Uint8ArraySlice<'_>,
        mut heads: Uint32ArraySlice<'_>,
    ) -> u32 {
        let heads = buffers::writable_words(&mut heads);
        let chunk = buffers::writable_bytes(&mut chunk);
        self.events.begin(chunk);
        // What another owner has left comes first.
        let left = if self.held.is_empty() {
            self.decoder.handle_input(chunk, &mut self.events)
        } else {
            chunk.len()
        };
        let rest = chunk.get(chunk.len() - left..).unwrap_or_default();
        self.held.extend_from_slice(rest);
        self.events.copy_out(heads) | self.state()
    }

    /// Goes on inflating, and with what came behind. As [`Codec::decode`], without a chunk.
    #[napi]
    pub fn resume(&mut self, mut heads: Uint32ArraySlice<'_>) -> u32 {
        let heads = buffers::writable_words(&mut heads);
        self.events.begin(&[]);
        self.decoder.resume(&mut self.events);
        let mut held = std::mem::take(&mut self.held);
        let left = self.decoder.handle_input(&mut held, &mut self.events);
        held.drain(..held.len() - left);
        self.held = held;
        self.events.copy_out(heads) | self.state()
    }

    /// Copies further events of the last chunk, as [`Codec::decode`] does.
    #[napi]
    pub fn next(&mut self, mut heads: Uint32ArraySlice<'_>) -> u32 {
        let heads = buffers::writable_words(&mut heads);
        self.events.copy_out(heads) | self.state()
    }

    /// The payload of the next event that is flagged as a block.
    #[napi]
    pub fn take_block<'env>(&mut self, env: &'env Env) -> Result<BufferSlice<'env>> {
        let block = self.events.blocks.pop_front();
        let block = block.ok_or_else(|| Error::from_reason("no event waits for a block"))?;
        buffers::copied(env, &block)
    }

    /// Reports the lengths of the frames of binary messages, or stops to.
    #[napi]
    pub fn track_fragments(&mut self, on: bool) {
        self.decoder.set_track_fragments(on);
    }

    /// How large messages may be from now on; 0 is no limit.
    #[napi]
    pub fn limit_payload(&mut self, limit: u32) {
        self.decoder.set_max_payload(limit.into());
    }

    /// How far the decoder is: the fields of a [`Progress`], in order.
    #[napi]
    pub fn progress(&self) -> Vec<f64> {
        let Progress {
            step,
            opcode,
            compressed,
            fin,
            frame_len,
            announced,
            complete,
            frames,
            held,
        } = self.decoder.progress();
        vec![
            step.into(),
            opcode.into(),
            u32::from(compressed).into(),
            u32::from(fin).into(),
            frame_len as f64,
            announced as f64,
            complete as f64,
            frames.into(),
            held as f64,
        ]
    }

    fn state(&self) -> u32 {
        let is_suspended = self.decoder.is_suspended() || !self.held.is_empty();
        let is_midway = self.decoder.is_mid_message() || !self.held.is_empty();
        u32::from(is_suspended) << 30 | u32::from(is_midway) << 29
    }
}

/// Masks or unmasks `data` in place with the key's four bytes (RFC 6455, section 5.3).
#[napi]
pub fn mask(mut data: Uint8ArraySlice<'_>, key: &[u8]) -> Result<()> {
    let key = key
        .try_into()
        .map_err(|_| Error::from_reason("a masking key has four bytes"))?;
    ferrows_core::protocol::apply_mask(buffers::writable_bytes(&mut data), key, 0);
    Ok(())
}

/// Collects what a decoder finds in one chunk.
#[derive(Default)]
struct Events {
    heads: Vec<u32>,
    copied: usize,
    blocks: VecDeque<Vec<u8>>,
    /// Address and length of the chunk.
    chunk: (usize, usize),
    /// Bytes that may still be inflated in this call.
    room: usize,
}

impl Events {
    fn begin(&mut self, chunk: &[u8]) {
        self.heads.clear();
        self.copied = 0;
        self.chunk = (chunk.as_ptr() as usize, chunk.len());
        self.room = INFLATED_PER_CALL;
    }

    fn copy_out(&mut self, into: &mut [u32]) -> u32 {
        let left = self.heads.get(self.copied..).unwrap_or_default();
        let words = left.len().min(into.len() / RECORD_WORDS * RECORD_WORDS);
        for (target, word) in into.iter_mut().zip(left.iter().take(words)) {
            *target = *word;
        }
        self.copied += words;
        let more = self.copied < self.heads.len();
        (words / RECORD_WORDS) as u32 | u32::from(more) << 31
    }

    fn push(&mut self, tag: u8, flags: u8, aux: u16, payload: &[u8]) {
        let (start, length) = self.chunk;
        let offset = (payload.as_ptr() as usize).wrapping_sub(start);
        if payload.is_empty() || (offset < length && payload.len() <= length - offset) {
            self.push_head(tag, flags, aux, [offset as u32, payload.len() as u32, 0]);
        } else {
            self.push_block(tag, flags, aux, payload.to_vec());
        }
    }

    fn push_block(&mut self, tag: u8, flags: u8, aux: u16, block: Vec<u8>) {
        self.push_head(tag, flags | flag::BLOCK, aux, [0, block.len() as u32, 0]);
        self.blocks.push_back(block);
    }

    fn push_head(&mut self, tag: u8, flags: u8, aux: u16, rest: [u32; 3]) {
        self.heads.push(word0(tag, flags, aux));
        self.heads.extend(rest);
    }
}

impl EventSink for Events {
    fn message(&mut self, binary: bool, payload: Payload<'_>, fragments: &[u32]) {
        if !fragments.is_empty() {
            let bytes = fragments.iter().flat_map(|len| len.to_le_bytes()).collect();
            self.push_block(event::FRAGMENTS, 0, 0, bytes);
        }
        let flags = if binary { flag::BINARY } else { 0 };
        match payload {
            Payload::Borrowed(bytes) => self.push(event::MESSAGE, flags, 0, bytes),
            Payload::Owned(block) => self.push_block(event::MESSAGE, flags, 0, block),
        }
    }

    fn ping(&mut self, data: &[u8]) {
        self.push(event::PING, 0, 0, data);
    }

    fn pong(&mut self, data: &[u8]) {
        self.push(event::PONG, 0, 0, data);
    }

    fn close(&mut self, code: u16, reason: &[u8]) {
        self.push(event::CLOSE, 0, code, reason);
    }

    fn violation(&mut self, violation: Violation) {
        let (id, argument) = (u16::from(violation.id()), violation.argument());
        self.push_head(event::VIOLATION, 0, id, [0, 0, argument]);
    }

    fn deflated_frame(&mut self, binary: bool, fin: bool, payload: Payload<'_>) {
        let flags = if binary { flag::BINARY } else { 0 } | if fin { flag::FIN } else { 0 };
        match payload {
            Payload::Borrowed(bytes) => self.push(event::DEFLATED, flags, 0, bytes),
            Payload::Owned(block) => self.push_block(event::DEFLATED, flags, 0, block),
        }
    }

    fn inflate_room(&mut self) -> usize {
        self.room
    }

    fn inflated(&mut self, taken: usize, made: usize) {
        self.room = self.room.saturating_sub(taken.max(made).max(1));
    }

    fn allocate(&mut self, capacity: usize) -> Vec<u8> {
        Vec::with_capacity(capacity)
    }

    fn recycle(&mut self, _: Vec<u8>) {}
}
