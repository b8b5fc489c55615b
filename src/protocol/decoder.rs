//! The receiving half of a connection: bytes in, events out.
//!
//! Owns: [`Decoder`]. Called by the worker's driver, or synchronously by the
//! stream transport. Runs on: any, one thread at a time. Must never panic on
//! peer input, wait, or hold memory between messages.
//! Tests: `tests/protocol_decoder.rs`, `protocol_properties.rs`, `protocol_peers.rs`,
//! `protocol_deflate.rs`.
#![allow(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use std::mem::{self, MaybeUninit};

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::close::parse_close_payload;
use super::frame::{FrameHeader, HeldHeader, Rules, SmallMessage};
use super::mask::apply_mask;
use super::message::PartialMessage;
use super::{
    Compression, Config, EventSink, INLINE_LIMIT, Inflater, Payload, Violation, spare, utf8,
};

/// Receive state of one connection.
///
/// ```text
///            first byte                 last header byte
///  ┌─ idle ────────────► header held ──────────────────► payload held ─┐
///  │   ▲ │                                                             │
///  │   │ └── a whole small message in one input: no state at all       │
///  │   └────────────── message complete ◄── frame complete ◄───────────┘
///  └─► close frame, violation ─► finished (swallows everything)
/// ```
///
/// A message whose first frame is marked as compressed takes the way of partial messages, whole
/// or not; each of its frames is inflated when it is complete.
#[derive(Debug)]
pub struct Decoder {
    config: Config,
    /// What is there of the current message or control frame, if anything.
    partial: Option<Box<Partial>>,
    /// The peer's compressed stream, from its first frame on; without context takeover only in
    /// the middle of a message.
    inflater: Option<Box<Inflater>>,
    /// Inputs that hold bytes of an incomplete part of a frame, as ws counts.
    held_chunks: u32,
    header: HeldHeader,
    finished: bool,
    /// In the middle of inflating a frame.
    suspended: bool,
}

/// How far a decoder is in a message and in a frame, in ws's numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it waits for: 0 a header, 1 or 2 its length, 3 its mask, 4 a payload.
    pub step: u32,
    /// Opcode of the incomplete message, 0 without one.
    pub opcode: u32,
    /// Whether that message is compressed.
    pub compressed: bool,
    /// Whether the frame of it that was begun last ends it.
    pub fin: bool,
    /// What that frame has announced.
    pub frame_len: u64,
    /// What all frames of the message have announced.
    pub announced: u64,
    /// The same of those that are complete.
    pub complete: u64,
    /// How many of them are complete.
    pub frames: u32,
    /// Bytes that are held of an incomplete part of a frame.
    pub held: u64,
}

/// INVARIANT: at least one of the two is there.
#[derive(Debug, Default)]
struct Partial {
    message: Option<PartialMessage>,
    control: Option<Box<PartialControl>>,
}

#[derive(Debug)]
struct PartialControl {
    kind: Control,
    key: [u8; 4],
    len: usize,
    payload: Vec<u8>,
}

impl Decoder {
    /// The state of a connection that has received nothing.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            partial: None,
            inflater: None,
            held_chunks: 0,
            header: HeldHeader::new(),
            finished: false,
            suspended: false,
        }
    }

    /// Takes the next bytes of the connection and reports what they complete.
    /// `input` serves as scratch space: its content is undefined afterwards, except for the
    /// bytes at its end that were not taken because the decoder [is suspended](Self::is_suspended),
    /// or because the sink wants [no more](EventSink::goes_on). Returns how many these are: they are
    /// to be passed again after [`resume`](Self::resume), or when the sink goes on.
    pub fn handle_input(&mut self, input: &mut [u8], sink: &mut impl EventSink) -> usize {
        if self.finished || input.is_empty() {
            return 0;
        }
        if self.suspended {
            return input.len();
        }
        if self.chunk_limit_reached() {
            self.fail(Violation::TooManyChunks, sink);
            return 0;
        }
        let input_len = input.len();
        let mut rest = input;
        while !rest.is_empty() && !self.finished && !self.suspended && sink.goes_on() {
            rest = match self.handle_next(rest, sink) {
                Ok(rest) => rest,
                Err(violation) => {
                    self.fail(violation, sink);
                    return 0;
                }
            };
        }
        let left = if self.finished { 0 } else { rest.len() };
        self.count_chunk(input_len - left);
        left
    }

    /// Whether inflating stopped for want of room ([`EventSink::inflate_room`]). Nothing is taken
    /// until [`resume`](Self::resume) has finished the frame.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Goes on inflating the frame at which the decoder suspended itself.
    pub fn resume(&mut self, sink: &mut impl EventSink) {
        if !std::mem::take(&mut self.suspended) || self.finished {
            return;
        }
        if let Err(violation) = self.end_data_frame_if_complete(sink) {
            self.fail(violation, sink);
        }
    }

    /// While the payload of a large frame is incomplete: the spare room of the
    /// message's own block, into which the driver may read from the socket
    /// before calling [`handle_direct`](Self::handle_direct).
    ///
    /// It is at least 16 KiB long, never longer than what the frame lacks, and
    /// grows with the bytes that have arrived. `None` when reading into the
    /// driver's own buffer and [`handle_input`](Self::handle_input) is as good.
    pub fn direct_buffer(&mut self, sink: &mut impl EventSink) -> Option<&mut [MaybeUninit<u8>]> {
        match self.partial.as_deref_mut() {
            Some(Partial {
                message: Some(message),
                control: None,
            }) if !self.finished && !self.suspended => message.direct_tail(sink),
            _ => None,
        }
    }

    /// Takes the next `count` bytes of the connection, which are the first ones
    /// of the latest [`direct_buffer`](Self::direct_buffer).
    ///
    /// The function is unsafe because the alternative, zeroing the room before
    /// each read, writes every large message twice; the proof is one line next
    /// to the read that filled the buffer.
    ///
    /// # Safety
    /// Since the latest call of `direct_buffer` no other method was called, and
    /// the first `count` bytes of the slice it returned have been initialised.
    ///
    /// # Panics
    /// When `count` is larger than that slice.
    pub unsafe fn handle_direct(&mut self, count: usize, sink: &mut impl EventSink) {
        if self.finished || count == 0 {
            return;
        }
        if self.chunk_limit_reached() {
            return self.fail(Violation::TooManyChunks, sink);
        }
        let Some(message) = self
            .partial
            .as_deref_mut()
            .and_then(|partial| partial.message.as_mut())
        else {
            return;
        };
        assert!(
            count as u64 <= message.missing(),
            "more bytes than the frame lacks"
        );
        let block = message.block_mut();
        let start = block.len();
        // SAFETY: the slice that `direct_buffer` returned is the beginning of the
        // block's spare capacity, and the caller initialised `count` bytes of it.
        unsafe { spare::claim(block, count) };
        match message
            .adopt(start)
            .and_then(|()| self.end_data_frame_if_complete(sink))
        {
            Ok(()) => self.count_chunk(count),
            Err(violation) => self.fail(violation, sink),
        }
    }

    /// Switches the reporting of frame lengths of binary messages. When it
    /// begins inside a message, what that message holds counts as one frame.
    pub fn set_track_fragments(&mut self, on: bool) {
        self.config.track_fragments = on;
    }

    /// Sets how many payload bytes the next frames of a message may announce; 0 is no limit.
    pub fn set_max_payload(&mut self, limit: u64) {
        self.config.max_payload = limit;
    }

    /// Whether a close frame or a violation has ended the stream of events.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether bytes of an incomplete frame or message are held.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.partial.is_some() || !self.header.is_empty()
    }

    /// How far the current message and frame are.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let partial = self.partial.as_deref();
        let in_control = partial.is_some_and(|partial| partial.control.is_some());
        let mut progress = Progress {
            step: if in_control { 4 } else { self.header.step() },
            held: self.held_of_part(),
            ..Progress::default()
        };
        if let Some(message) = partial.and_then(|partial| partial.message.as_ref()) {
            let missing = message.missing() > 0;
            if missing && !in_control {
                progress.step = 4;
            }
            progress.opcode = if message.is_binary() { 2 } else { 1 };
            progress.compressed = message.is_compressed();
            progress.fin = message.is_last_frame();
            progress.frame_len = message.frame_len();
            progress.announced = message.announced();
            progress.complete = message.announced() - if missing { message.frame_len() } else { 0 };
            progress.frames = message.frames() - u32::from(missing);
        }
        if let Some((first, length)) = self.header.known()
            && first & 0x08 == 0
        {
            progress.fin = first & 0x80 != 0;
            if progress.opcode == 0 {
                progress.opcode = u32::from(first & 0x0f);
                progress.compressed = first & 0x40 != 0;
            }
            progress.frame_len = length.unwrap_or(0);
            progress.announced = progress.announced.saturating_add(progress.frame_len);
        }
        progress
    }

    /// Bytes that are held of the current message.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let message = self
            .partial
            .as_deref()
            .and_then(|partial| partial.message.as_ref());
        message.map_or(0, PartialMessage::held)
    }

    /// Whether a compressed stream takes memory between messages.
    #[must_use]
    pub fn holds_stream(&self) -> bool {
        self.inflater.is_some()
    }

    /// Gives the memory of a compressed stream back that has not been used for a while. `false`
    /// in the middle of a message, where it is needed.
    pub fn park(&mut self, sink: &mut impl EventSink) -> bool {
        if self.is_mid_message() {
            return false;
        }
        if let Some(inflater) = &mut self.inflater {
            inflater.park(sink);
        }
        true
    }

    /// Ends the stream of events from this side and gives message memory back:
    /// for a connection that goes away in the middle of a message.
    pub fn finish(&mut self, sink: &mut impl EventSink) {
        self.finished = true;
        self.header = HeldHeader::new();
        if let Some(inflater) = self.inflater.take() {
            inflater.finish(sink);
        }
        if let Some(message) = self.partial.take().and_then(|partial| partial.message) {
            message.release(sink);
        }
    }

    /// Handles the next piece of `input` and returns what follows it.
    #[inline]
    fn handle_next<'a>(
        &mut self,
        input: &'a mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<&'a mut [u8], Violation> {
        match self.partial.as_deref() {
            None if self.header.is_empty() => {
                if let Some(small) = SmallMessage::find(input, self.config.role, self.room()) {
                    return self.deliver_small(small, input, sink);
                }
            }
            Some(Partial {
                control: Some(_), ..
            }) => return self.continue_control(input, sink),
            Some(Partial {
                message: Some(message),
                ..
            }) if message.missing() > 0 => {
                return self.continue_data(input, sink);
            }
            _ => {}
        }
        let rules = self.rules();
        match self.header.read(input, rules)? {
            (Some(header), rest) => self.begin_frame(&header, rest, sink),
            (None, rest) => Ok(rest),
        }
    }

    #[inline]
    fn deliver_small<'a>(
        &mut self,
        small: SmallMessage,
        input: &'a mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<&'a mut [u8], Violation> {
        let (frame, rest) = input.split_at_mut_checked(small.end).unwrap_or_default();
        let payload = frame.get_mut(small.header_len..).unwrap_or_default();
        self.deliver_in_place(small.binary, small.key, payload, sink)?;
        Ok(rest)
    }

    /// Unmasks, checks and delivers a whole message of at most [`INLINE_LIMIT`]
    /// bytes.
    #[inline]
    fn deliver_in_place(
        &self,
        binary: bool,
        key: [u8; 4],
        payload: &mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<(), Violation> {
        apply_mask(payload, key, 0);
        if !binary && !self.config.skip_utf8_validation && !utf8::is_valid(payload) {
            return Err(Violation::InvalidUtf8);
        }
        let length = [payload.len() as u32];
        let tracked = binary && self.config.track_fragments && !payload.is_empty();
        let lengths = if tracked { &length[..] } else { &[] };
        sink.message(binary, Payload::Borrowed(payload), lengths);
        Ok(())
    }

    fn begin_frame<'a>(
        &mut self,
        header: &FrameHeader,
        input: &'a mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<&'a mut [u8], Violation> {
        let whole = usize::try_from(header.payload_len)
            .ok()
            .filter(|len| *len <= input.len());
        match (header.opcode, whole) {
            (OpCode::Control(kind), Some(len)) => {
                let (payload, rest) = input.split_at_mut_checked(len).unwrap_or_default();
                apply_mask(payload, header.key, 0);
                self.deliver_control(kind, payload, sink)?;
                Ok(rest)
            }
            (OpCode::Control(kind), None) => {
                let len = header.payload_len as usize; // at most 125, checked with the header
                let control = PartialControl {
                    kind,
                    key: header.key,
                    len,
                    payload: Vec::new(),
                };
                self.partial.get_or_insert_default().control = Some(Box::new(control));
                self.continue_control(input, sink)
            }
            (OpCode::Data(kind), Some(len))
                if header.fin && !header.rsv1 && self.partial.is_none() && len <= INLINE_LIMIT =>
            {
                let (payload, rest) = input.split_at_mut_checked(len).unwrap_or_default();
                self.deliver_in_place(kind == Data::Binary, header.key, payload, sink)?;
                Ok(rest)
            }
            (OpCode::Data(kind), _) => {
                let validate = !self.config.skip_utf8_validation;
                let partial = self.partial.get_or_insert_default();
                partial
                    .message
                    .get_or_insert_with(|| {
                        PartialMessage::new(kind == Data::Binary, header.rsv1, validate)
                    })
                    .begin_frame(header);
                self.continue_data(input, sink)
            }
        }
    }

    fn continue_data<'a>(
        &mut self,
        input: &'a mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<&'a mut [u8], Violation> {
        let Some(message) = self
            .partial
            .as_deref_mut()
            .and_then(|partial| partial.message.as_mut())
        else {
            return Ok(input);
        };
        let missing = usize::try_from(message.missing()).unwrap_or(usize::MAX);
        let (bytes, rest) = input.split_at_mut(missing.min(input.len()));
        message.append(bytes, sink)?;
        self.end_data_frame_if_complete(sink)?;
        Ok(rest)
    }

    fn end_data_frame_if_complete(&mut self, sink: &mut impl EventSink) -> Result<(), Violation> {
        let track = self.config.track_fragments;
        let Some(partial) = self.partial.as_deref_mut() else {
            return Ok(());
        };
        let Some(message) = &mut partial.message else {
            return Ok(());
        };
        if message.missing() > 0 {
            return Ok(());
        }
        if message.is_compressed() {
            let limit = limit_of(self.config.max_payload);
            match self.config.compression {
                Compression::Inflate(options) => {
                    let inflater = self
                        .inflater
                        .get_or_insert_with(|| Box::new(Inflater::new(options)));
                    if !message.inflate_frame(inflater, limit, sink)? {
                        self.suspended = true;
                        return Ok(());
                    }
                    if message.is_last_frame() && !options.context_takeover {
                        self.inflater = None;
                    }
                }
                Compression::PassOn => {
                    message.pass_frame_on(sink);
                    if message.is_last_frame() {
                        self.partial = None;
                    }
                    return Ok(());
                }
                Compression::Off => {} // the header was refused
            }
        }
        message.end_frame(track);
        if message.is_last_frame()
            && let Some(message) = self.partial.take().and_then(|partial| partial.message)
        {
            message.finish(track, sink)?;
        }
        Ok(())
    }

    fn continue_control<'a>(
        &mut self,
        input: &'a mut [u8],
        sink: &mut impl EventSink,
    ) -> Result<&'a mut [u8], Violation> {
        let Some(partial) = self.partial.as_deref_mut() else {
            return Ok(input);
        };
        let Some(control) = &mut partial.control else {
            return Ok(input);
        };
        let missing = control.len - control.payload.len();
        let (bytes, rest) = input.split_at_mut(missing.min(input.len()));
        control.payload.extend_from_slice(bytes);
        if control.payload.len() == control.len
            && let Some(mut control) = partial.control.take()
        {
            if partial.message.is_none() {
                self.partial = None;
            }
            apply_mask(&mut control.payload, control.key, 0);
            self.deliver_control(control.kind, &control.payload, sink)?;
        }
        Ok(rest)
    }

    fn deliver_control(
        &mut self,
        kind: Control,
        payload: &[u8],
        sink: &mut impl EventSink,
    ) -> Result<(), Violation> {
        match kind {
            Control::Ping => sink.ping(payload),
            Control::Pong => sink.pong(payload),
            Control::Close => {
                let skip = self.config.skip_utf8_validation;
                let (code, reason) = parse_close_payload(payload, skip)?;
                self.finish(sink);
                sink.close(code, reason);
            }
            Control::Reserved(number) => return Err(Violation::InvalidOpcode(number)),
        }
        Ok(())
    }

    #[cold]
    fn fail(&mut self, violation: Violation, sink: &mut impl EventSink) {
        self.finish(sink);
        sink.violation(violation);
    }

    fn rules(&self) -> Rules {
        let max_payload = self.room();
        let Config {
            role,
            max_fragments,
            ..
        } = self.config;
        let message = self
            .partial
            .as_deref()
            .and_then(|partial| partial.message.as_ref());
        Rules {
            role,
            compression: self.config.compression != Compression::Off,
            in_message: message.is_some(),
            room: max_payload
                - message
                    .map_or(0, PartialMessage::announced)
                    .min(max_payload),
            another_frame: max_fragments == 0
                || message.map_or(0, PartialMessage::frames) < max_fragments,
        }
    }

    /// Payload bytes that one message may announce.
    fn room(&self) -> u64 {
        limit_of(self.config.max_payload)
    }

    fn chunk_limit_reached(&self) -> bool {
        self.config.max_buffered_chunks > 0 && self.held_chunks >= self.config.max_buffered_chunks
    }

    /// Counts the input that was just handled, the way ws counts the chunks in
    /// its queue: those with bytes of a part that is incomplete, where the parts
    /// of a frame are two bytes, the length, the mask and the payload.
    fn count_chunk(&mut self, input_len: usize) {
        let held = self.held_of_part();
        self.held_chunks = if held == 0 {
            0
        } else if held > input_len as u64 {
            self.held_chunks.saturating_add(1)
        } else {
            1
        };
    }

    fn held_of_part(&self) -> u64 {
        match self.partial.as_deref() {
            Some(Partial {
                control: Some(control),
                ..
            }) => control.payload.len() as u64,
            Some(Partial {
                message: Some(message),
                ..
            }) if message.missing() > 0 => message.held_of_frame(),
            _ => self.header.held_of_part(),
        }
    }
}

/// A limit of 0 is none.
fn limit_of(setting: u64) -> u64 {
    if setting == 0 { u64::MAX } else { setting }
}

// An idle connection is this and nothing on the heap.
const _: () = assert!(mem::size_of::<Decoder>() <= 96);
