//! The compressed streams of connections, and their memory.
//!
//! Owns: [`Streams`], a connection's part; the task that gives the memory of
//! silent connections back and runs while there are any. Runs on: worker.
#![allow(unsafe_code)]

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::connection::Connection;
use super::core::Core;
use super::outgoing::FrameStart;
use crate::protocol::{Decoder, DeflateOptions, Deflater, EventSink};

/// A connection that was silent for one to two of these keeps its history only.
/// Going on costs one pass over that history, up to 32 KiB.
const INTERVAL: Duration = Duration::from_secs(1);

/// So many streams at once are worth telling the system's allocator to return their pages: by
/// itself glibc keeps what a thread's arena once held (measured: 349 KiB of RSS for each of
/// 1000 connections, all parked).
const MANY: usize = 32;

/// The sending direction of a connection, and how long ago either direction was used.
#[derive(Debug)]
pub(crate) struct Streams {
    /// There if permessage-deflate was negotiated.
    deflater: Option<Box<Deflater>>,
    /// Listed in [`Core::warm`].
    warm: bool,
    /// Used since the task looked last.
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

    /// Appends a frame's payload to `out`, compressed. `false` if it is to go out as it is.
    pub(crate) fn deflate(
        &mut self,
        core: &Core,
        frame: FrameStart,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(deflater) = self.deflater.as_mut().filter(|_| !frame.is_control()) else {
            return false;
        };
        let decided = deflater.decides(frame.begins_message(), frame.compress, payload.len());
        if decided {
            deflater.deflate(payload, frame.fin, out, &mut core.zlib.borrow_mut());
        }
        decided
    }

    /// Notes that the connection was active. `true` if it is to be watched from now on.
    pub(crate) fn note_use(&mut self, decoder: &Decoder) -> bool {
        let deflater = self.deflater.as_ref();
        if !decoder.holds_stream() && !deflater.is_some_and(|deflater| deflater.holds_stream()) {
            return false;
        }
        self.used = true;
        !std::mem::replace(&mut self.warm, true)
    }

    /// Gives back what was not used since the last call. `false` while there is something to look
    /// at again.
    pub(crate) fn park(
        &mut self,
        decoder: &mut Decoder,
        core: &Core,
        sink: &mut impl EventSink,
    ) -> bool {
        if std::mem::take(&mut self.used) || !decoder.park(sink) {
            return false;
        }
        let parked = match &mut self.deflater {
            Some(deflater) => deflater.park(&mut core.zlib.borrow_mut()),
            None => true,
        };
        self.warm = !parked;
        parked
    }

    /// Gives everything back: the connection is over.
    pub(crate) fn finish(&mut self, core: &Core) {
        if let Some(mut deflater) = self.deflater.take() {
            deflater.finish(&mut core.zlib.borrow_mut());
        }
    }
}

/// Looks after a connection from now on.
pub(crate) fn watch(core: &Rc<Core>, connection: Rc<Connection>) {
    let mut warm = core.warm.borrow_mut();
    warm.push(connection);
    if warm.len() == 1 && !core.parking.replace(true) {
        tokio::task::spawn_local(park_silent_ones(Rc::clone(core)));
    }
}

async fn park_silent_ones(core: Rc<Core>) {
    while !core.warm.borrow().is_empty() {
        sleep(INTERVAL).await;
        let before = core.warm.borrow().len();
        core.warm
            .borrow_mut()
            .retain(|connection| !connection.park(&core));
        if before - core.warm.borrow().len() >= MANY {
            return_pages();
        }
    }
    core.parking.set(false);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn return_pages() {
    // SAFETY: the function takes the allocator's own locks and touches free memory only.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn return_pages() {}
