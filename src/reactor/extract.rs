//! Taking a connection out of a reactor: it goes on as a socket of Node's.
//!
//! Owns: [`Extract`], what such a connection consists of. Called through the seat
//! by the JavaScript thread, whoever drives. Runs on: js, with the lock.
//! INVARIANT: what was read is either an event before EXTRACTED, or in the decoder,
//! or in `held` and `ahead`; what was queued is written, or in `unsent`.
//! Tests: `src/reactor/tests/extraction.rs`, `__test__/differential/socket*.test.js`.

use super::network::Network;
use super::slots::Counts;
use super::{Entry, Reactor, Side};
use crate::bridge::SlotId;
use crate::bridge::layout::event;
use crate::protocol::Decoder;

/// A connection, or an undecided upgrade request, without its reactor.
#[derive(Debug)]
pub struct Extract<S> {
    /// The socket. Nobody watches it.
    pub socket: S,
    /// Where the peer's frames are. None for an upgrade request.
    pub decoder: Option<Decoder>,
    /// What was read behind a frame that the decoder is in the middle of inflating, or behind the
    /// upgrade request.
    pub held: Vec<u8>,
    /// What comes behind `held`, as it was asked for.
    pub ahead: Vec<u8>,
    /// Bytes to write.
    pub unsent: Vec<u8>,
    /// Where in them acknowledgements are due that were asked for.
    pub acks: Vec<u64>,
    /// Whether a message of ours is in progress, in fragments.
    pub within_message: bool,
    /// Messages that wait for the end of the one in progress, in order.
    pub waiting: Vec<Waiting>,
    /// How far our side is.
    pub side: Side,
    /// Whether a message is in progress that we compress.
    pub compressing: bool,
    /// What our compressed messages may refer to.
    pub window: Vec<u8>,
    /// What the socket has carried.
    pub counts: Counts,
}

/// A message that was published to a connection.
#[derive(Debug)]
pub struct Waiting {
    /// Text or binary.
    pub opcode: u8,
    /// Compress it if that was negotiated.
    pub compress: bool,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl<N: Network> Reactor<N> {
    /// Takes a connection or an undecided upgrade request out, with all that commands have done to
    /// it; of what its socket holds, at most `ahead` bytes are read. `None` if it is gone.
    pub fn extract(&mut self, id: SlotId, ahead: usize) -> Option<Extract<N::Socket>> {
        let token = self.slots.token(id)?;
        // The kernel may have room; acknowledgements that are due become events.
        self.on_connection(token, |connection, resources| connection.flush(resources));
        self.slots.token(id)?;
        let entry = self.entries.get_mut(token)?;
        // As a socket of JavaScript's it goes on to be a member of its topics, until its slot is
        // released.
        let mut extract = match std::mem::replace(entry, Entry::Outside(id)) {
            Entry::Open(connection) => {
                for timer in connection.timers().into_iter().flatten() {
                    self.timers.cancel(timer);
                }
                connection.into_extract(ahead, &mut self.resources)
            }
            Entry::Pending(pending) => Extract {
                socket: pending.socket,
                decoder: None,
                held: pending.rest,
                ahead: Vec::new(),
                unsent: Vec::new(),
                acks: Vec::new(),
                within_message: false,
                waiting: Vec::new(),
                side: Side::Open,
                compressing: false,
                window: Vec::new(),
                counts: pending.counts,
            },
            // Nothing else has a slot.
            other => {
                *entry = other;
                return None;
            }
        };
        if self.inflating == Some(token) {
            self.inflating = None;
        }
        self.network.deregister(&mut extract.socket);
        self.slots.set_gone(id, extract.counts);
        if self.topics.has_places(token) {
            self.slots.set_token(id, Some(token));
        } else {
            self.entries.remove(token);
        }
        self.resources.staging.push(id, event::EXTRACTED, 0, 0);
        Some(extract)
    }

    /// What a connection has carried so far, or had when it went.
    #[must_use]
    pub fn counts(&self, id: SlotId) -> Option<Counts> {
        match self
            .slots
            .token(id)
            .and_then(|token| self.entries.get(token))
        {
            Some(Entry::Open(connection)) => Some(connection.counts()),
            Some(Entry::Pending(pending)) => Some(pending.counts),
            _ => self.slots.last(id),
        }
    }
}
