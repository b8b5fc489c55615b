//! The receiving direction of a compressed connection.
//!
//! Owns: [`Inflater`]. Used by the decoder, frame by frame. Runs on: any. Must
//! never make more than the limit plus one byte out of what a peer sent.
//! Tests: `tests/protocol_deflate.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::claim::claim_written;
use super::history::History;
use super::{InflateOptions, TRAILER};
use crate::protocol::message::grow;
use crate::protocol::violation::InflateFault;
use crate::protocol::{EventSink, Violation};

/// Decompresses the frames of one connection.
pub struct Inflater {
    options: InflateOptions,
    /// There in the middle of a message and, unless parked, where the context is taken over.
    stream: Option<Inflate>,
    history: History,
    /// There while a frame is inflated in steps.
    step: Option<Step>,
}

/// How far the current frame is.
#[derive(Clone, Copy)]
struct Step {
    /// Length of the message before this frame.
    start: usize,
    /// Bytes taken of the frame's payload and, behind it, of the trailer.
    taken: usize,
}

/// Why decompressing stopped.
enum Stop {
    /// The stream ended with a final block.
    StreamEnd,
    /// All input is used and all of its output there.
    InputEnd,
    /// Others get their turn.
    NoRoom,
}

impl Inflater {
    /// The state of a connection that has received nothing.
    #[must_use]
    pub fn new(options: InflateOptions) -> Self {
        Self {
            options,
            stream: None,
            history: History::new(options.window_bits),
            step: None,
        }
    }

    /// Whether the peer refers to earlier messages.
    #[must_use]
    pub fn takes_context_over(&self) -> bool {
        self.options.context_takeover
    }

    /// Appends what a frame's payload contains to `out`, which may hold `limit` bytes. `false`
    /// if the sink's room did not suffice: the same call goes on then.
    ///
    /// # Errors
    /// [`Violation::MessageTooBig`] and [`Violation::InvalidDeflate`].
    pub fn inflate(
        &mut self,
        payload: &[u8],
        fin: bool,
        limit: u64,
        out: &mut Vec<u8>,
        sink: &mut impl EventSink,
    ) -> Result<bool, Violation> {
        let mut step = self.step.take().unwrap_or(Step {
            start: out.len(),
            taken: 0,
        });
        let mut stream = self.take_stream(sink);
        let trailer: &[u8] = if fin { &TRAILER } else { &[] };
        let mut stop = Stop::InputEnd;
        let mut passed = 0;
        for part in [payload, trailer] {
            let from = step.taken - passed;
            passed += part.len();
            if part.is_empty() || from > part.len() {
                continue;
            }
            let rest = part.get(from..).unwrap_or_default();
            stop = decompress(&mut stream, rest, &mut step.taken, limit, out, sink)?;
            if !matches!(stop, Stop::InputEnd) {
                break;
            }
            step.taken = passed;
        }
        let ended = match stop {
            Stop::NoRoom => {
                self.step = Some(step);
                self.stream = Some(stream);
                return Ok(false);
            }
            Stop::StreamEnd => true,
            Stop::InputEnd => false,
        };
        if ended {
            // COMPAT(ws 8.23): after a final block the next frame begins a new stream, and what
            // follows the block in its own frame is dropped.
            self.history.clear();
        } else if self.options.context_takeover {
            self.history
                .remember(out.get(step.start..).unwrap_or_default());
        }
        if ended || (fin && !self.options.context_takeover) {
            sink.give_inflate(self.options.window_bits, stream);
        } else {
            self.stream = Some(stream);
        }
        Ok(true)
    }

    /// Gives memory back while nothing is received. Only between messages, where the stream of a
    /// peer that keeps to RFC 7692 is between two blocks.
    pub fn park(&mut self, sink: &mut impl EventSink) {
        self.give_stream(sink);
        self.history.shrink();
    }

    /// Gives everything back: the connection is over.
    pub fn finish(mut self, sink: &mut impl EventSink) {
        self.give_stream(sink);
    }

    fn take_stream(&mut self, sink: &mut impl EventSink) -> Inflate {
        self.stream.take().unwrap_or_else(|| {
            let mut stream = sink.take_inflate(self.options.window_bits);
            if !self.history.window().is_empty() {
                stream
                    .set_dictionary(self.history.window())
                    .expect("a raw stream takes any dictionary");
            }
            stream
        })
    }

    fn give_stream(&mut self, sink: &mut impl EventSink) {
        if let Some(stream) = self.stream.take() {
            sink.give_inflate(self.options.window_bits, stream);
        }
    }
}

/// Decompresses `input`, counting in `position` what was taken of it.
fn decompress(
    stream: &mut Inflate,
    input: &[u8],
    position: &mut usize,
    limit: u64,
    out: &mut Vec<u8>,
    sink: &mut impl EventSink,
) -> Result<Stop, Violation> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rest = input;
    loop {
        let allowed = sink.inflate_room();
        if allowed == 0 {
            return Ok(Stop::NoRoom);
        }
        if out.len() == out.capacity() {
            let wanted = (out.len() * 2).max(rest.len().saturating_mul(4));
            grow(
                out,
                wanted.clamp(SMALLEST_BLOCK, most.saturating_add(1).max(SMALLEST_BLOCK)),
                sink,
            );
        }
        let (taken, made) = (stream.total_in(), stream.total_out());
        // One byte more than allowed shows that there is more.
        let room = most.saturating_add(1).saturating_sub(out.len());
        let spare = out.spare_capacity_mut();
        let room = room.min(spare.len()).min(allowed);
        let spare = spare.get_mut(..room).unwrap_or_default();
        let given = rest.get(..allowed).unwrap_or(rest);
        let status = stream.decompress_uninit(given, spare, InflateFlush::SyncFlush);
        let taken = (stream.total_in() - taken) as usize;
        let made = (stream.total_out() - made) as usize;
        claim_written(out, made);
        sink.inflated(taken, made);
        *position += taken;
        rest = rest.get(taken..).unwrap_or_default();
        match status {
            Err(_) => {
                let fault = InflateFault::from_text(stream.error_message().unwrap_or_default());
                return Err(Violation::InvalidDeflate(fault));
            }
            Ok(_) if out.len() > most => return Err(Violation::MessageTooBig),
            Ok(Status::StreamEnd) => return Ok(Stop::StreamEnd),
            // Room that is left shows that zlib holds nothing back.
            Ok(_) if made < room && (rest.is_empty() || taken + made == 0) => {
                return Ok(Stop::InputEnd);
            }
            Ok(_) => {}
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Inflater({:?})", self.options)
    }
}

/// The first block of what is inflated.
const SMALLEST_BLOCK: usize = 512;
