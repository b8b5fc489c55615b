//! From the decoder to the inbox: events become records.
//!
//! Owns: [`Staging`], the batch that is being filled; [`RecordSink`], one
//! connection's way into it. Runs on: whoever turns the reactor.
//! INVARIANT: what is staged counts in the budget from the first byte on.

use std::sync::Arc;

use super::tally::Tally;
use super::zlib_budget::ZlibBudget;
use crate::bridge::layout::{Head, INLINE_LIMIT, event, flag};
use crate::bridge::{Batch, Block, BlockPool, Lane, SlotId};
use crate::protocol::{EventSink, Inflate, Payload, Violation, ZlibPool};

/// A batch is handed over early at this many records or inline bytes.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: usize = 192 * 1024;

/// Events of a reactor on their way to its lane.
#[derive(Debug)]
pub(crate) struct Staging {
    lane: Arc<Lane>,
    batch: Batch,
    records: usize,
    delivered: bool,
    /// Nobody listens any more.
    detached: bool,
    /// Rings as soon as there is something, for a JavaScript thread that is not here.
    pub(crate) rings: bool,
}

impl Staging {
    pub(crate) fn new(lane: Arc<Lane>) -> Self {
        Self {
            lane,
            batch: Batch::default(),
            records: 0,
            delivered: false,
            detached: false,
            rings: false,
        }
    }

    /// Where the memory of messages comes from.
    pub(crate) fn pool(&self) -> &Arc<BlockPool> {
        &self.lane.environment().pool
    }

    /// Whether so much waits for JavaScript that reading has to stop.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.lane
            .environment()
            .budget
            .is_exhausted(self.batch.cost())
    }

    /// Whether so much is being copied by JavaScript that further large messages have to wait.
    pub(crate) fn is_crowded(&self) -> bool {
        self.lane.environment().budget.is_crowded()
    }

    /// Hands over what is staged. Whether anything was handed over since the last call.
    pub(crate) fn deliver(&mut self) -> bool {
        self.hand_over();
        std::mem::take(&mut self.delivered)
    }

    /// Gives back a part of the memory that a burst left behind. Whether some is left.
    pub(crate) fn decay(&mut self) -> bool {
        let batches = self.lane.inbox().decay();
        self.pool().decay() || batches
    }

    /// Drops what is staged, and everything to come.
    pub(crate) fn detach(&mut self) {
        self.detached = true;
        self.batch = Batch::default();
    }

    /// Stages a record without a payload.
    pub(crate) fn push(&mut self, id: SlotId, tag: u8, aux: u16, argument: u32) {
        let head = Head {
            argument,
            ..head(id, tag, 0, aux)
        };
        self.stage(|batch| batch.push(head));
    }

    /// Stages a record with a small payload.
    pub(crate) fn push_inline(&mut self, id: SlotId, tag: u8, flags: u8, aux: u16, payload: &[u8]) {
        self.stage(|batch| batch.push_inline(head(id, tag, flags, aux), payload));
    }

    /// Stages a record with a large payload.
    pub(crate) fn push_block(&mut self, id: SlotId, tag: u8, flags: u8, aux: u16, bytes: Vec<u8>) {
        let block = Block::new(bytes, self.pool());
        let head = Head {
            argument: block.len() as u32,
            ..head(id, tag, flags, aux)
        };
        self.stage(|batch| batch.push_block(head, block));
    }

    /// Records that were staged since the beginning; wraps.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    fn stage(&mut self, push: impl FnOnce(&mut Batch)) {
        if self.detached {
            return;
        }
        push(&mut self.batch);
        self.records = self.records.wrapping_add(1);
        if self.batch.records() >= BATCH_RECORDS || self.batch.inline_bytes() >= BATCH_BYTES {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        if self.batch.records() == 0 {
            return;
        }
        self.lane.deliver(&mut self.batch);
        self.delivered = true;
        if self.rings {
            self.lane.environment().doorbell.ring();
        }
    }
}

const fn head(id: SlotId, tag: u8, flags: u8, aux: u16) -> Head {
    Head {
        tag,
        flags,
        aux,
        slot: id.slot,
        generation: id.generation,
        argument: 0,
    }
}

/// Turns one connection's events into records.
pub(crate) struct RecordSink<'a> {
    pub(crate) id: SlotId,
    pub(crate) tally: &'a mut Tally,
    pub(crate) staging: &'a mut Staging,
    pub(crate) zlib: &'a mut ZlibPool,
    pub(crate) zlib_budget: &'a mut ZlibBudget,
    /// Messages, pings and pongs that were delivered.
    pub(crate) count: usize,
    /// How many may be.
    pub(crate) allowance: usize,
    /// Whether one more breaks the connection off, and whether it came.
    pub(crate) closes: bool,
    pub(crate) exceeded: bool,
}

impl RecordSink<'_> {
    /// Whether one more is delivered.
    fn admits(&mut self) -> bool {
        if self.closes && self.count >= self.allowance {
            self.exceeded = true;
            return false;
        }
        self.count += 1;
        true
    }
}

impl EventSink for RecordSink<'_> {
    fn message(&mut self, binary: bool, payload: Payload<'_>, fragments: &[u32]) {
        if !self.admits() {
            if let Payload::Owned(block) = payload {
                self.recycle(block);
            }
            return;
        }
        // A message in one frame needs no list.
        if fragments.len() > 1 {
            let bytes: Vec<u8> = fragments.iter().flat_map(|len| len.to_le_bytes()).collect();
            if bytes.len() <= INLINE_LIMIT {
                self.staging
                    .push_inline(self.id, event::FRAGMENTS, 0, 0, &bytes);
            } else {
                self.staging
                    .push_block(self.id, event::FRAGMENTS, 0, 0, bytes);
            }
        }
        let flags = if binary { flag::BINARY } else { 0 };
        match payload {
            Payload::Borrowed(bytes) => {
                self.tally.received(bytes.len());
                self.staging
                    .push_inline(self.id, event::MESSAGE, flags, 0, bytes);
            }
            Payload::Owned(bytes) => {
                self.tally.received(bytes.len());
                self.staging
                    .push_block(self.id, event::MESSAGE, flags, 0, bytes);
            }
        }
    }

    fn ping(&mut self, data: &[u8]) {
        if self.admits() {
            self.tally.pinged();
            self.staging.push_inline(self.id, event::PING, 0, 0, data);
        }
    }

    fn pong(&mut self, data: &[u8]) {
        if self.admits() {
            self.tally.ponged();
            self.staging.push_inline(self.id, event::PONG, 0, 0, data);
        }
    }

    fn close(&mut self, code: u16, reason: &[u8]) {
        self.staging
            .push_inline(self.id, event::CLOSE, 0, code, reason);
    }

    fn violation(&mut self, violation: Violation) {
        let id = u16::from(violation.id());
        self.staging
            .push(self.id, event::VIOLATION, id, violation.argument());
    }

    fn allocate(&mut self, capacity: usize) -> Vec<u8> {
        self.staging.pool().take(capacity)
    }

    fn goes_on(&self) -> bool {
        !self.exceeded && (self.closes || self.count < self.allowance)
    }

    fn inflate_room(&mut self) -> usize {
        self.zlib_budget.inflate_room()
    }

    fn inflated(&mut self, taken: usize, made: usize) {
        self.zlib_budget.inflated(taken, made);
    }

    fn take_inflate(&mut self, window_bits: u8) -> Inflate {
        self.zlib.take_inflate(window_bits)
    }

    fn give_inflate(&mut self, window_bits: u8, inflate: Inflate) {
        self.zlib.give_inflate(window_bits, inflate);
    }

    fn recycle(&mut self, block: Vec<u8>) {
        self.staging.pool().give(block);
    }
}
