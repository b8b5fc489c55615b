//! The receiving half of a connection: from the socket through the decoder to
//! the staged batch.
//!
//! Owns: [`Inbound`]: whether there is something to read, whether it may be read,
//! what is held while a message is being inflated. Called by the connection.
//! Runs on: whoever turns the reactor. INVARIANT: idle, it owns no buffer.

use std::io;
use std::mem::MaybeUninit;

use super::connection::Gone;
use super::network::{Ready, Socket};
use super::resources::{Again, Resources};
use super::staging::{RecordSink, Staging};
use crate::bridge::SlotId;
use crate::bridge::layout::RECORD_COST;
use crate::protocol::{Config, Decoder, EventSink};

/// Reads of one connection before others get their turn.
const READS_PER_TURN: usize = 8;
/// Bytes of an incomplete message above which its connection takes turns with others of the kind.
const MUCH: usize = 128 << 10;

/// Bytes that one read returns of a connection whose messages are so small that they cost more
/// than their bytes: a pause comes in time, and others wait for few of its events.
const DENSE_READ: usize = 16 << 10;

/// Bytes that one raw read returns.
const RAW_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Inbound {
    id: SlotId,
    token: usize,
    decoder: Decoder,
    /// What was read behind a frame that is still being inflated.
    held: Vec<u8>,
    /// There may be something to read.
    readable: bool,
    /// The system told that the end will be read.
    end_told: bool,
    /// The end was read.
    ended: bool,
    paused: bool,
    /// The events of the last read cost more than its bytes, or nothing was read yet.
    dense: bool,
    /// Listed for the next turn, for the budget, or for inflating.
    listed: bool,
    /// Bytes that were read.
    pub(crate) received: u64,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Bytes,
    Nothing,
    End,
}

impl Inbound {
    pub(crate) fn new(id: SlotId, token: usize, config: Config) -> Self {
        Self {
            id,
            token,
            decoder: Decoder::new(config),
            held: Vec::new(),
            readable: false,
            end_told: false,
            ended: false,
            paused: false,
            dense: true,
            listed: false,
            received: 0,
        }
    }

    /// What the reactor knows this connection by.
    pub(crate) fn token(&self) -> usize {
        self.token
    }

    /// Whether the peer finished its side.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether something of the peer's waits to be read.
    pub(crate) fn has_unread(&self) -> bool {
        self.readable && !self.ended
    }

    pub(crate) fn note(&mut self, news: Ready) {
        self.readable |= news.readable || news.read_closed || news.error;
        self.end_told |= news.read_closed || news.error;
    }

    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// Reads again; what is there already is read in the next turn.
    pub(crate) fn resume(&mut self, resources: &mut Resources) {
        self.paused = false;
        if self.readable {
            self.list_again(resources);
        }
    }

    /// The reactor took this connection off a list.
    pub(crate) fn unlist(&mut self) {
        self.listed = false;
    }

    /// Takes bytes that were read elsewhere before.
    pub(crate) fn take_initial(&mut self, initial: &mut [u8], resources: &mut Resources) {
        self.decode(initial, resources);
    }

    /// Reads what there is, within limits. `true` when the end was reached just now.
    pub(crate) fn read(
        &mut self,
        socket: &impl Socket,
        resources: &mut Resources,
    ) -> Result<bool, Gone> {
        for reads in 0.. {
            if self.paused || self.ended || !self.readable || self.decoder.is_suspended() {
                break;
            }
            if self.waits(&resources.staging) {
                if !std::mem::replace(&mut self.listed, true) {
                    resources.stalled.push(self.token);
                }
                break;
            }
            let had_turn = reads == READS_PER_TURN || (self.dense && reads > 0);
            if had_turn || resources.read_allowance == 0 {
                self.list_again(resources);
                break;
            }
            match self.read_once(socket, resources) {
                Ok(Outcome::Bytes) => {}
                Ok(Outcome::Nothing) => self.readable = false,
                Ok(Outcome::End) => {
                    self.ended = true;
                    return Ok(true);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.readable = false,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(Gone::from(error)),
                },
            }
        }
        Ok(false)
    }

    /// Whether JavaScript has to take something first.
    pub(crate) fn waits(&self, staging: &Staging) -> bool {
        staging.is_exhausted() || (self.holds_much() && staging.is_crowded())
    }

    /// Whether so much is held of a message that few of the kind may go on at once.
    pub(crate) fn holds_much(&self) -> bool {
        self.decoder.held_bytes() > MUCH
    }

    /// Goes on inflating. `false` while the message is not complete.
    pub(crate) fn inflate_on(&mut self, resources: &mut Resources) -> bool {
        let decoder = &mut self.decoder;
        decoder.resume(&mut sink(self.id, resources));
        if !self.held.is_empty() && !self.decoder.is_suspended() {
            let mut held = std::mem::take(&mut self.held);
            self.decode(&mut held, resources);
        }
        !self.decoder.is_suspended()
    }

    /// Whether a message is being inflated.
    pub(crate) fn is_inflating(&self) -> bool {
        self.decoder.is_suspended()
    }

    /// Bytes that are held of the current message.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.decoder.held_bytes()
    }

    /// Whether a compressed stream takes memory.
    pub(crate) fn holds_stream(&self) -> bool {
        self.decoder.holds_stream()
    }

    pub(crate) fn set_max_payload(&mut self, limit: u64) {
        self.decoder.set_max_payload(limit);
    }

    /// Reads at most so many bytes as they are.
    pub(crate) fn read_raw(&mut self, socket: &impl Socket, limit: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut room = vec![MaybeUninit::uninit(); limit.min(RAW_BYTES)];
        while bytes.len() < limit
            && let Ok(read @ 1..) = socket.receive(&mut room)
        {
            bytes.extend_from_slice(received::bytes(&mut room, read));
        }
        self.received += bytes.len() as u64;
        bytes
    }

    /// The decoder, and what was read behind a frame that it is in the middle of inflating.
    pub(crate) fn into_decoder(self) -> (Decoder, Vec<u8>) {
        (self.decoder, self.held)
    }

    /// Gives all memory back.
    pub(crate) fn finish(&mut self, resources: &mut Resources) {
        self.decoder.finish(&mut sink(self.id, resources));
    }

    fn list_again(&mut self, resources: &mut Resources) {
        if !std::mem::replace(&mut self.listed, true) {
            resources.again.push_back((self.token, Again::Read));
        }
    }

    fn read_once(
        &mut self,
        socket: &impl Socket,
        resources: &mut Resources,
    ) -> io::Result<Outcome> {
        let staged = resources.staging.records();
        let mut events = sink(self.id, resources);
        let (read, room) = if let Some(spare) = self.decoder.direct_buffer(&mut events) {
            let (read, room) = (socket.receive(spare)?, spare.len());
            received::directly(&mut self.decoder, read, &mut events);
            (read, room)
        } else {
            let mut buffer = std::mem::take(&mut resources.read_buffer);
            let room = if self.dense { DENSE_READ } else { buffer.len() };
            let read = socket.receive(buffer.get_mut(..room).unwrap_or_default());
            if let Ok(read @ 1..) = read {
                self.decode(received::bytes(&mut buffer, read), resources);
            }
            resources.read_buffer = buffer;
            (read?, room)
        };
        if read == 0 {
            return Ok(Outcome::End);
        }
        self.received += read as u64;
        let records = resources.staging.records().wrapping_sub(staged);
        let cost = records * RECORD_COST;
        self.dense = cost > read;
        resources.read_allowance = resources.read_allowance.saturating_sub(cost.max(read));
        // A short read emptied the socket: there will be news when there is more.
        if read < room && !self.end_told {
            Ok(Outcome::Nothing)
        } else {
            Ok(Outcome::Bytes)
        }
    }

    fn decode(&mut self, input: &mut [u8], resources: &mut Resources) {
        let left = self
            .decoder
            .handle_input(input, &mut sink(self.id, resources));
        if left > 0 {
            let from = input.len() - left;
            self.held
                .extend_from_slice(input.get(from..).unwrap_or_default());
        }
    }
}

fn sink(id: SlotId, resources: &mut Resources) -> RecordSink<'_> {
    RecordSink {
        id,
        staging: &mut resources.staging,
        zlib: &mut resources.zlib,
        zlib_budget: &mut resources.zlib_budget,
    }
}

/// Gives the memory of a silent connection's compressed stream back. `false` in the middle of a
/// message.
pub(crate) fn park(inbound: &mut Inbound, resources: &mut Resources) -> bool {
    let id = inbound.id;
    inbound.decoder.park(&mut sink(id, resources))
}

/// The bytes that a read left in a buffer.
pub(crate) fn received_bytes(buffer: &mut [MaybeUninit<u8>], read: usize) -> &mut [u8] {
    received::bytes(buffer, read)
}

mod received {
    //! The two places where the compiler cannot see that the system wrote into a buffer.
    #![allow(unsafe_code)]

    use super::{Decoder, EventSink};
    use std::mem::MaybeUninit;

    /// Decodes bytes that a read left in [`Decoder::direct_buffer`].
    pub(super) fn directly(decoder: &mut Decoder, read: usize, sink: &mut impl EventSink) {
        // SAFETY: `receive` promises that so many bytes at the beginning are initialised, and the
        // buffer was asked for immediately before.
        unsafe { decoder.handle_direct(read, sink) };
    }

    /// The bytes that a read left in a buffer.
    pub(super) fn bytes(buffer: &mut [MaybeUninit<u8>], read: usize) -> &mut [u8] {
        let filled = buffer.get_mut(..read).unwrap_or_default();
        let filled: *mut [MaybeUninit<u8>] = filled;
        // SAFETY: as above; the layout is the same.
        unsafe { &mut *(filled as *mut [u8]) }
    }
}
