//! From the decoder to the inbox: events become records.
//!
//! Owns: [`LaneState`], the worker's end of a lane, with the batch that is
//! being staged. Runs on: worker.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::connection::Connection;
use crate::bridge::layout::{Head, event, flag};
use crate::bridge::{Batch, Block, Lane, SlotId};
use crate::protocol::{EventSink, INLINE_LIMIT, Inflate, Payload, Violation, ZlibPool};

/// A batch is delivered early at this many records or inline bytes.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: usize = 192 * 1024;

/// The worker's end of a lane.
#[derive(Debug)]
pub(crate) struct LaneState {
    pub(crate) lane: Arc<Lane>,
    staging: RefCell<Batch>,
    /// Connections that wait for the budget.
    pub(crate) stalled: RefCell<Vec<Rc<Connection>>>,
    /// Blocks that commands still to come will claim.
    pub(crate) blocks: RefCell<VecDeque<Block>>,
    /// The environment went away.
    pub(crate) detached: Cell<bool>,
}

impl LaneState {
    pub(crate) fn new(lane: Arc<Lane>) -> Rc<Self> {
        Rc::new(Self {
            lane,
            staging: RefCell::default(),
            stalled: RefCell::default(),
            blocks: RefCell::default(),
            detached: Cell::new(false),
        })
    }

    /// Hands over what is staged.
    pub(crate) fn deliver(&self) {
        let mut batch = self.staging.borrow_mut();
        if batch.records() > 0 {
            self.lane.deliver(&mut batch);
        }
    }

    /// Stages a record without a payload.
    pub(crate) fn push(&self, id: SlotId, tag: u8, aux: u16, argument: u32) {
        self.stage(|batch| {
            batch.push(Head {
                argument,
                ..head(id, tag, 0, aux)
            })
        });
    }

    /// Stages a record with a small payload.
    pub(crate) fn push_inline(&self, id: SlotId, tag: u8, flags: u8, aux: u16, payload: &[u8]) {
        self.stage(|batch| batch.push_inline(head(id, tag, flags, aux), payload));
    }

    /// Stages a record with a large payload.
    pub(crate) fn push_block(&self, id: SlotId, tag: u8, flags: u8, aux: u16, bytes: Vec<u8>) {
        let block = Block::new(bytes, &self.lane.environment().pool);
        let argument = block.len() as u32;
        self.stage(|batch| {
            batch.push_block(
                Head {
                    argument,
                    ..head(id, tag, flags, aux)
                },
                block,
            );
        });
    }

    fn stage(&self, push: impl FnOnce(&mut Batch)) {
        if self.detached.get() {
            return;
        }
        let mut batch = self.staging.borrow_mut();
        push(&mut batch);
        if batch.records() >= BATCH_RECORDS || batch.inline_bytes() >= BATCH_BYTES {
            self.lane.deliver(&mut batch);
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
    pub(crate) lane: &'a LaneState,
    pub(crate) zlib: &'a RefCell<ZlibPool>,
}

impl EventSink for RecordSink<'_> {
    fn message(&mut self, binary: bool, payload: Payload<'_>, fragments: &[u32]) {
        // A message in one frame needs no list.
        if fragments.len() > 1 {
            let bytes: Vec<u8> = fragments.iter().flat_map(|len| len.to_le_bytes()).collect();
            if bytes.len() <= INLINE_LIMIT {
                self.lane
                    .push_inline(self.id, event::FRAGMENTS, 0, 0, &bytes);
            } else {
                self.lane.push_block(self.id, event::FRAGMENTS, 0, 0, bytes);
            }
        }
        let flags = if binary { flag::BINARY } else { 0 };
        match payload {
            Payload::Borrowed(bytes) => {
                self.lane
                    .push_inline(self.id, event::MESSAGE, flags, 0, bytes);
            }
            Payload::Owned(bytes) => self
                .lane
                .push_block(self.id, event::MESSAGE, flags, 0, bytes),
        }
    }

    fn ping(&mut self, data: &[u8]) {
        self.lane.push_inline(self.id, event::PING, 0, 0, data);
    }

    fn pong(&mut self, data: &[u8]) {
        self.lane.push_inline(self.id, event::PONG, 0, 0, data);
    }

    fn close(&mut self, code: u16, reason: &[u8]) {
        self.lane
            .push_inline(self.id, event::CLOSE, 0, code, reason);
    }

    fn violation(&mut self, violation: Violation) {
        let id = u16::from(violation.id());
        self.lane
            .push(self.id, event::VIOLATION, id, violation.argument());
    }

    fn allocate(&mut self, capacity: usize) -> Vec<u8> {
        self.lane.lane.environment().pool.take(capacity)
    }

    fn take_inflate(&mut self, window_bits: u8) -> Inflate {
        self.zlib.borrow_mut().take_inflate(window_bits)
    }

    fn give_inflate(&mut self, window_bits: u8, inflate: Inflate) {
        self.zlib.borrow_mut().give_inflate(window_bits, inflate);
    }

    fn recycle(&mut self, block: Vec<u8>) {
        self.lane.lane.environment().pool.give(block);
    }
}
