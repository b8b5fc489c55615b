//! The sending direction of a compressed connection.
//!
//! Owns: [`Deflater`]. Used by the worker's connections. Runs on: worker.
//! Tests: `tests/protocol_deflate.rs`.

use std::fmt;

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::claim::claim_written;
use super::history::History;
use super::{DeflateOptions, TRAILER, ZlibPool};
/// Compresses the frames of one connection.
pub struct Deflater {
    options: DeflateOptions,
    /// There in the middle of a message and, unless parked, where the context is taken over.
    stream: Option<Deflate>,
    history: History,
    /// Whether the message in progress is compressed.
    compressing: bool,
    /// In the middle of a payload the stream holds bytes back that nothing else knows.
    within_payload: bool,
}

impl Deflater {
    /// The state of a connection that has sent nothing.
    #[must_use]
    pub fn new(options: DeflateOptions) -> Self {
        Self {
            options,
            stream: None,
            history: History::new(options.window_bits),
            compressing: false,
            within_payload: false,
        }
    }

    /// What was agreed on.
    #[must_use]
    pub fn options(&self) -> DeflateOptions {
        self.options
    }

    /// Whether the next data frame is to be compressed. A message's first frame decides for all
    /// of it; `wanted` and `length` are about that one.
    pub fn decides(&mut self, first: bool, wanted: bool, length: usize) -> bool {
        if first {
            let long = self.options.context_takeover || length >= self.options.threshold as usize;
            self.compressing = wanted && long;
        }
        self.compressing
    }

    /// Appends the compressed form of a frame's payload to `out`.
    ///
    /// # Panics
    /// Never because of the payload: zlib fails only if its state is broken.
    pub fn deflate(&mut self, payload: &[u8], fin: bool, out: &mut Vec<u8>, pool: &mut ZlibPool) {
        self.deflate_part(payload, true, fin, out, pool);
    }

    /// As [`deflate`](Self::deflate) for a payload that comes in parts, of which only the first
    /// may be empty, and only if it is the last one, too. `fin` counts with the last one.
    pub fn deflate_part(
        &mut self,
        part: &[u8],
        last: bool,
        fin: bool,
        out: &mut Vec<u8>,
        pool: &mut ZlibPool,
    ) {
        let (payload, start) = (part, out.len());
        self.within_payload = !last;
        if payload.is_empty() {
            // The stream is between two blocks: an empty stored block, as a flush would write.
            out.push(0);
            out.extend_from_slice(&TRAILER);
        } else {
            let stream = self.stream.get_or_insert_with(|| {
                let mut stream = pool.take_deflate(self.options.config());
                if !self.history.window().is_empty() {
                    stream
                        .set_dictionary(self.history.window())
                        .expect("a fresh stream takes a dictionary");
                }
                stream
            });
            let flush = if last {
                DeflateFlush::SyncFlush
            } else {
                DeflateFlush::NoFlush
            };
            compress(stream, payload, flush, out);
            if self.options.context_takeover {
                self.history.remember(payload);
            }
        }
        if last && fin {
            debug_assert!(out.ends_with(&TRAILER));
            out.truncate((out.len() - TRAILER.len()).max(start));
            if !self.options.context_takeover {
                self.give_stream(pool);
            }
        }
    }

    /// Whether the message in progress is compressed.
    #[must_use]
    pub fn is_compressing(&self) -> bool {
        self.compressing
    }

    /// What later messages may refer to.
    #[must_use]
    pub fn window(&self) -> &[u8] {
        self.history.window()
    }

    /// Whether a compressed stream takes memory now.
    #[must_use]
    pub fn holds_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Gives memory back while nothing is sent. `false` in the middle of a payload, and of a message
    /// that cannot be continued without it.
    pub fn park(&mut self, pool: &mut ZlibPool) -> bool {
        if self.within_payload || self.stream.is_some() && !self.options.context_takeover {
            return false;
        }
        self.give_stream(pool);
        self.history.shrink();
        true
    }

    /// Gives everything back: the connection is over.
    pub fn finish(&mut self, pool: &mut ZlibPool) {
        self.give_stream(pool);
        self.history.clear();
    }

    fn give_stream(&mut self, pool: &mut ZlibPool) {
        if let Some(stream) = self.stream.take() {
            pool.give_deflate(self.options.config(), stream);
        }
    }
}

fn compress(stream: &mut Deflate, payload: &[u8], flush: DeflateFlush, out: &mut Vec<u8>) {
    let mut rest = payload;
    out.reserve(payload.len() / 2 + SMALLEST_ROOM);
    loop {
        let (taken, made) = (stream.total_in(), stream.total_out());
        let spare = out.spare_capacity_mut();
        let room = spare.len();
        let status = stream
            .compress_uninit(rest, spare, flush)
            .expect("the stream is in order");
        let taken = (stream.total_in() - taken) as usize;
        let made = (stream.total_out() - made) as usize;
        claim_written(out, made);
        rest = rest.get(taken..).unwrap_or_default();
        // Room that is left shows that the flush is complete.
        if rest.is_empty() && (made < room || status == Status::BufError) {
            return;
        }
        out.reserve(out.len().max(SMALLEST_ROOM));
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Deflater({:?})", self.options)
    }
}

/// A flush marker and some more, so that it is never cut.
const SMALLEST_ROOM: usize = 128;
