//! The sending direction of a compressed connection, and how long ago either
//! direction was used.
//!
//! Owns: [`Streams`]. The reactor asks connections that hold streams once a second
//! and gives the memory of silent ones back. Runs on: whoever turns the reactor.

use std::time::Duration;

use super::inbound::{self, Inbound};
use super::outgoing::FrameStart;
use super::resources::Resources;
use crate::protocol::{DeflateOptions, Deflater};

/// A connection that was silent for one to two of these keeps its history only.
/// Going on costs one pass over that history, up to 32 KiB.
pub(crate) const PARK_INTERVAL: Duration = Duration::from_secs(1);

/// So many streams at once are worth telling the system's allocator to return their pages: by
/// itself glibc keeps what a thread's arena once held (measured: 349 KiB of RSS for each of
/// 1000 connections, all parked).
pub(crate) const MANY: usize = 32;

#[derive(Debug)]
pub(crate) struct Streams {
    /// There if permessage-deflate was negotiated.
    deflater: Option<Box<Deflater>>,
    /// Listed for parking.
    warm: bool,
    /// Used since the reactor looked last.
    used: bool,
}

impl Streams {
    pub(crate) fn new(options: Option<DeflateOptions>) -> Self {
        Self {
            deflater: options.map(|options| Box::new(Deflater::new(options))),
            warm: false,
            used: false,
        }
    }

    /// Whether a frame is to be compressed; the first one of a message decides for all of it.
    pub(crate) fn decides(&mut self, frame: FrameStart, length: usize) -> bool {
        match &mut self.deflater {
            Some(deflater) if !frame.is_control() => {
                deflater.decides(frame.begins_message(), frame.compress, length)
            }
            _ => false,
        }
    }

    /// How messages are compressed if no other connection would do it differently: without history.
    pub(crate) fn without_history(&self) -> Option<DeflateOptions> {
        let options = self.deflater.as_ref()?.options();
        (!options.context_takeover).then_some(options)
    }

    /// Appends the compressed form of a part of a frame's payload to `out`.
    pub(crate) fn deflate(
        &mut self,
        part: &[u8],
        last: bool,
        fin: bool,
        out: &mut Vec<u8>,
        resources: &mut Resources,
    ) {
        if let Some(deflater) = &mut self.deflater {
            deflater.deflate_part(part, last, fin, out, &mut resources.zlib);
            resources.zlib_budget.deflated(part.len());
        }
    }

    /// Notes that the connection was active. `true` if it is to be listed for parking.
    pub(crate) fn note_use(&mut self, inbound: &Inbound) -> bool {
        let deflater = self.deflater.as_ref();
        let sends = deflater.is_some_and(|deflater| deflater.holds_stream());
        if !sends && !inbound.holds_stream() {
            return false;
        }
        self.used = true;
        !std::mem::replace(&mut self.warm, true)
    }

    /// Gives back what was not used since the last call. `false` while there is something to look
    /// at again.
    pub(crate) fn park(&mut self, inbound: &mut Inbound, resources: &mut Resources) -> bool {
        if std::mem::take(&mut self.used) || !inbound::park(inbound, resources) {
            return false;
        }
        let parked = match &mut self.deflater {
            Some(deflater) => deflater.park(&mut resources.zlib),
            None => true,
        };
        self.warm = !parked;
        parked
    }

    /// Gives everything back but whether the message in progress is compressed, and what later ones
    /// may refer to.
    pub(crate) fn into_window(mut self, resources: &mut Resources) -> (bool, Vec<u8>) {
        let Some(deflater) = &self.deflater else {
            return (false, Vec::new());
        };
        let kept = (deflater.is_compressing(), deflater.window().to_vec());
        self.finish(resources);
        kept
    }

    /// Gives everything back: the connection is over.
    pub(crate) fn finish(&mut self, resources: &mut Resources) {
        if let Some(mut deflater) = self.deflater.take() {
            deflater.finish(&mut resources.zlib);
        }
    }
}
