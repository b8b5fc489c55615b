//! The receiving half of a connection: from the socket through the decoder to
//! the staged batch.
//!
//! Owns: [`Inbound`]: whether there is something to read, whether it may be read,
//! what is held while a message is being inflated. Called by the connection.
//! Runs on: whoever turns the reactor. INVARIANT: idle, it owns no buffer.

use std::io;
use std::mem::MaybeUninit;
use std::time::Instant;

use super::connection::Gone;
use super::inbound_limit::{Exceeded, InboundLimit};
use super::network::{Ready, Socket};
use super::resources::{Again, Resources};
use super::staging::{RecordSink, Staging};
use super::timers::TimerKey;
use crate::bridge::layout::{RECORD_COST, event};
use crate::bridge::{Settings, SlotId};
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
    /// Whose messages they count as.
    account: u32,
    decoder: Decoder,
    /// What was read behind a frame that is still being inflated, or behind the last message that a
    /// limit allows.
    held: Vec<u8>,
    limit: Option<Box<InboundLimit>>,
    /// The limit is reached; a deadline ends that.
    throttled: bool,
    /// There may be something to read.
    readable: bool,
    /// The system told that the end will be read.
    end_told: bool,
    /// The end was read.
    ended: bool,
    paused: bool,
    /// The socket has failed: what has come is read, paused or not, and then the failure.
    failed: bool,
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
    pub(crate) fn new(
        id: SlotId,
        token: usize,
        config: Config,
        settings: &Settings,
        now: Instant,
    ) -> Self {
        Self {
            id,
            token,
            account: settings.account,
            decoder: Decoder::new(config),
            held: Vec::new(),
            limit: settings
                .inbound_limit
                .map(|options| Box::new(InboundLimit::new(options, now))),
            throttled: false,
            readable: false,
            end_told: false,
            ended: false,
            paused: false,
            failed: false,
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
        self.failed |= news.error;
    }

    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// Reads again; what is there already is read in the next turn.
    pub(crate) fn resume(&mut self, resources: &mut Resources) {
        self.paused = false;
        if self.readable || !self.held.is_empty() {
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
            let paused = self.paused && !self.failed;
            if paused || self.throttled || self.decoder.is_suspended() {
                break;
            }
            if self.held.is_empty() && (self.ended || !self.readable) {
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
            if !self.held.is_empty() {
                let mut held = std::mem::take(&mut self.held);
                self.decode(&mut held, resources);
                continue;
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

    /// Goes on inflating. `false` while the message is not complete. What is held comes with the next
    /// read.
    pub(crate) fn inflate_on(&mut self, resources: &mut Resources) -> bool {
        self.feed(resources, |decoder, events| decoder.resume(events));
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
        self.decoder
            .finish(&mut sink(self.id, self.account, resources));
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
        let now = resources.now;
        let mut events = sink(self.id, self.account, resources);
        let (read, room) = if let Some(spare) = self.decoder.direct_buffer(&mut events) {
            let room = match &self.limit {
                Some(limit) => limit.room(now, spare.len(), true),
                None => spare.len(),
            };
            let spare = spare.get_mut(..room).unwrap_or_default();
            let read = socket.receive(spare)?;
            if !self.takes(read, resources) {
                return Ok(Outcome::Bytes);
            }
            self.feed(resources, |decoder, events| {
                received::directly(decoder, read, events);
            });
            (read, room)
        } else {
            let mut buffer = std::mem::take(&mut resources.read_buffer);
            let room = if self.dense { DENSE_READ } else { buffer.len() };
            let room = match &self.limit {
                Some(limit) => limit.room(now, room, false),
                None => room,
            };
            let read = socket.receive(buffer.get_mut(..room).unwrap_or_default());
            if let Ok(read @ 1..) = read
                && self.takes(read, resources)
            {
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

    /// Counts bytes that were read. `false` if they break the connection off.
    fn takes(&mut self, read: usize, resources: &mut Resources) -> bool {
        let Some(limit) = &mut self.limit else {
            return true;
        };
        if limit.take_bytes(read, resources.now) {
            self.break_off(Exceeded::Bytes, resources);
            return false;
        }
        if let Some(until) = limit.stops_until(resources.now) {
            self.throttle(until, resources);
        }
        true
    }

    fn throttle(&mut self, until: Instant, resources: &mut Resources) {
        if !std::mem::replace(&mut self.throttled, true) {
            resources.throttled.push((self.token, until));
        }
    }

    /// Nothing that the peer sends counts any more.
    fn break_off(&mut self, exceeded: Exceeded, resources: &mut Resources) {
        self.decoder
            .finish(&mut sink(self.id, self.account, resources));
        self.held = Vec::new();
        self.limit = None;
        let which = match exceeded {
            Exceeded::Messages => 1,
            Exceeded::Bytes => 2,
        };
        resources.staging.push(self.id, event::LIMITED, which, 0);
    }

    /// The deadline at which reading goes on.
    pub(crate) fn refills_at(&self) -> Option<TimerKey> {
        self.limit.as_ref()?.timer
    }

    /// Where it is kept, if there has to be one.
    pub(crate) fn refill_timer(&mut self) -> Option<&mut Option<TimerKey>> {
        let limit = self.limit.as_mut()?;
        (self.throttled && limit.timer.is_none()).then_some(&mut limit.timer)
    }

    /// It has come.
    pub(crate) fn refill(&mut self) {
        self.throttled = false;
        if let Some(limit) = &mut self.limit {
            limit.timer = None;
        }
    }

    /// Lets the decoder report, within the limit.
    fn feed<T>(
        &mut self,
        resources: &mut Resources,
        act: impl FnOnce(&mut Decoder, &mut RecordSink<'_>) -> T,
    ) -> T {
        let now = resources.now;
        let mut events = sink(self.id, self.account, resources);
        if let Some(limit) = &self.limit {
            events.allowance = limit.allowance(now);
            events.closes = limit.closes;
        }
        let result = act(&mut self.decoder, &mut events);
        let (count, exceeded) = (events.count, events.exceeded);
        if let Some(limit) = &mut self.limit {
            limit.take_messages(count, now);
            if exceeded {
                self.break_off(Exceeded::Messages, resources);
            } else if let Some(until) = limit.stops_until(now) {
                self.throttle(until, resources);
            }
        }
        result
    }

    fn decode(&mut self, input: &mut [u8], resources: &mut Resources) {
        let left = self.feed(resources, |decoder, events| {
            decoder.handle_input(input, events)
        });
        if left > 0 && !self.decoder.is_finished() {
            let from = input.len() - left;
            self.held
                .extend_from_slice(input.get(from..).unwrap_or_default());
        }
    }
}

fn sink(id: SlotId, account: u32, resources: &mut Resources) -> RecordSink<'_> {
    RecordSink {
        id,
        tally: resources.tallies.of(account),
        staging: &mut resources.staging,
        zlib: &mut resources.zlib,
        zlib_budget: &mut resources.zlib_budget,
        count: 0,
        allowance: usize::MAX,
        closes: false,
        exceeded: false,
    }
}

/// Gives the memory of a silent connection's compressed stream back. `false` in the middle of a
/// message.
pub(crate) fn park(inbound: &mut Inbound, resources: &mut Resources) -> bool {
    let (id, account) = (inbound.id, inbound.account);
    inbound.decoder.park(&mut sink(id, account, resources))
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
