//! The state of one worker, reached by the tasks of its thread.
//!
//! Owns: the slots, the lanes, shared scratch memory. Runs on: worker.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::connection::Connection;
use super::events::LaneState;
use super::listener::{ListenerGate, Pending};
use super::pool::Worker;
use super::records::Flushed;
use super::write_queue::Spares;
use crate::bridge::layout::TABLE_CHUNK;
use crate::bridge::{Chunk, Lane, SlotId, publish};
use crate::protocol::{MaskSource, ZlibPool};

/// Bytes that one read may return. Whole messages up to this size cost one copy.
const READ_BYTES: usize = 128 * 1024;

/// Who uses a slot.
#[derive(Debug, Default)]
pub(crate) enum Slot {
    /// Nobody, or a connection that is gone.
    #[default]
    Empty,
    /// An upgrade request that JavaScript looks at.
    Pending(Box<Pending>),
    /// A connection.
    Open(Rc<Connection>),
}

pub(crate) struct Core {
    pub(crate) worker: Arc<Worker>,
    /// All workers of the pool, this one included, for spreading connections.
    pub(crate) peers: Vec<Arc<Worker>>,
    pub(crate) lanes: RefCell<Vec<Rc<LaneState>>>,
    pub(crate) slots: RefCell<Vec<Slot>>,
    pub(crate) listeners: RefCell<HashMap<(usize, u16), Arc<ListenerGate>>>,
    pub(crate) read_buffer: RefCell<Box<[u8]>>,
    pub(crate) masks: RefCell<MaskSource>,
    pub(crate) spares: RefCell<Spares>,
    /// Compressed streams that no connection uses.
    pub(crate) zlib: RefCell<ZlibPool>,
    /// Scratch memory for a payload that is being compressed.
    pub(crate) deflated: RefCell<Vec<u8>>,
    /// Connections that hold compressed streams, and whether a task looks after them.
    pub(crate) warm: RefCell<Vec<Rc<Connection>>>,
    pub(crate) parking: Cell<bool>,
    /// Connections that commands gave something to write.
    pub(crate) dirty: RefCell<Vec<Rc<Connection>>>,
    /// Connections with something unwritten.
    pub(crate) unwritten: Cell<usize>,
    pub(crate) flush_waiters: RefCell<Vec<Arc<Flushed>>>,
    pub(crate) next_peer: Cell<usize>,
    chunks: RefCell<Vec<Arc<Chunk>>>,
    /// The command task should look at unsubmitted records in a moment.
    pub(crate) watch: Cell<bool>,
    pub(crate) watching: Cell<bool>,
}

impl Core {
    pub(crate) fn new(worker: Arc<Worker>, peers: Vec<Arc<Worker>>) -> Rc<Self> {
        Rc::new(Self {
            worker,
            peers,
            lanes: RefCell::default(),
            slots: RefCell::default(),
            listeners: RefCell::default(),
            read_buffer: RefCell::new(vec![0; READ_BYTES].into_boxed_slice()),
            masks: RefCell::default(),
            spares: RefCell::default(),
            zlib: RefCell::default(),
            deflated: RefCell::default(),
            warm: RefCell::default(),
            parking: Cell::new(false),
            dirty: RefCell::default(),
            unwritten: Cell::new(0),
            flush_waiters: RefCell::default(),
            next_peer: Cell::new(0),
            chunks: RefCell::default(),
            watch: Cell::new(false),
            watching: Cell::new(false),
        })
    }

    /// This worker's end of a lane.
    pub(crate) fn lane(&self, lane: &Arc<Lane>) -> Option<Rc<LaneState>> {
        self.lanes
            .borrow()
            .iter()
            .find(|state| Arc::ptr_eq(&state.lane, lane))
            .cloned()
    }

    /// Puts something into a slot.
    pub(crate) fn occupy(&self, id: SlotId, occupant: Slot) {
        let mut slots = self.slots.borrow_mut();
        let index = id.slot as usize;
        if slots.len() <= index {
            slots.resize_with(index + 1, Slot::default);
        }
        if let Some(slot) = slots.get_mut(index) {
            *slot = occupant;
        }
    }

    /// The connection in a slot, if it is of that generation.
    pub(crate) fn connection(&self, id: SlotId) -> Option<Rc<Connection>> {
        match self.slots.borrow().get(id.slot as usize) {
            Some(Slot::Open(connection)) if connection.id == id => Some(Rc::clone(connection)),
            _ => None,
        }
    }

    /// Takes an upgrade request out of its slot.
    pub(crate) fn take_pending(&self, id: SlotId) -> Option<Box<Pending>> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(id.slot as usize)?;
        if !matches!(slot, Slot::Pending(pending) if pending.id == id) {
            return None;
        }
        match std::mem::take(slot) {
            Slot::Pending(pending) => {
                if let Some(watch) = &pending.watch {
                    watch.abort();
                }
                Some(pending)
            }
            _ => None,
        }
    }

    /// Empties the slot of a connection that is gone.
    pub(crate) fn vacate(&self, id: SlotId) {
        let mut slots = self.slots.borrow_mut();
        if let Some(slot) = slots.get_mut(id.slot as usize)
            && matches!(slot, Slot::Open(connection) if connection.id == id)
        {
            *slot = Slot::Empty;
        }
    }

    /// Tells JavaScript how much a connection has written.
    pub(crate) fn publish_written(&self, id: SlotId, bytes: i64) {
        let index = id.slot as usize / TABLE_CHUNK;
        let mut chunks = self.chunks.borrow_mut();
        while chunks.len() <= index {
            let next = chunks.len();
            chunks.push(self.worker.table.chunk(next));
        }
        if let Some(counter) = chunks
            .get(index)
            .and_then(|chunk| chunk.get(id.slot as usize % TABLE_CHUNK))
        {
            publish(counter, bytes);
        }
    }

    /// Runs before the thread sleeps: everything staged goes out, and nothing may wait.
    pub(crate) fn before_park(&self) {
        for lane in self.lanes.borrow().iter() {
            lane.deliver();
        }
        if self.unwritten.get() == 0 && !self.flush_waiters.borrow().is_empty() {
            for waiter in self.flush_waiters.borrow_mut().drain(..) {
                waiter.signal();
            }
        }
        if !self.worker.outbox.park() {
            self.worker.outbox.wake();
            return;
        }
        let lanes = self.lanes.borrow();
        let mut unsubmitted = false;
        for state in lanes.iter() {
            state.lane.set_parked(true);
            unsubmitted |= state.lane.is_busy();
        }
        if unsubmitted && !self.watching.get() {
            self.watch.set(true);
            self.worker.outbox.wake();
        }
    }

    /// Runs when the thread wakes.
    pub(crate) fn after_unpark(&self) {
        self.worker.outbox.unpark();
        for state in self.lanes.borrow().iter() {
            state.lane.set_parked(false);
        }
    }
}
