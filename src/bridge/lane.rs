//! A lane: what one environment and one worker share.
//!
//! Owns: [`Environment`] (what all lanes of a JavaScript thread share) and
//! [`Lane`] (inbox, command slab, status words). Called by `napi` on the
//! JavaScript side and by `transport` on the worker side. Runs on: any.
//! INVARIANT: commands reach the worker in the order in which JavaScript wrote
//! them, also when the worker takes them out of the slab by itself.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::block::{Block, BlockPool};
use super::budget::Budget;
use super::doorbell::Doorbell;
use super::inbox::{Batch, Inbox};
use super::layout;
use super::outbox::{Command, Commands, Outbox};
use super::slab::SharedSlab;

/// One instance of the JavaScript facade: a thread, or a module registry in it.
#[derive(Debug, Default)]
pub struct Environment {
    /// Bytes that wait for this JavaScript thread.
    pub budget: Budget,
    /// How to call it.
    pub doorbell: Doorbell,
    /// Memory for its large messages.
    pub pool: Arc<BlockPool>,
}

/// The two directions between one environment and one worker.
#[derive(Debug)]
pub struct Lane {
    environment: Arc<Environment>,
    inbox: Inbox,
    slab: SharedSlab,
    writer: Mutex<Writer>,
}

/// The part of the command slab that was taken already, and attached blocks.
#[derive(Debug, Default)]
struct Writer {
    taken: usize,
    blocks: VecDeque<Block>,
}

impl Lane {
    /// A lane of `environment`.
    #[must_use]
    pub fn new(environment: &Arc<Environment>) -> Arc<Self> {
        Arc::new(Self {
            environment: Arc::clone(environment),
            inbox: Inbox::default(),
            slab: SharedSlab::new(),
            writer: Mutex::default(),
        })
    }

    /// The environment of this lane.
    #[must_use]
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// The inbox of this lane.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The memory that JavaScript sees: status words, then the command slab.
    #[must_use]
    pub fn slab(&self) -> &SharedSlab {
        &self.slab
    }

    /// Worker side: hands a batch over and rings.
    pub fn deliver(&self, batch: &mut Batch) {
        self.environment.budget.charge(batch.cost());
        self.inbox.deliver(batch);
        self.environment.doorbell.ring();
    }

    /// Worker side: says whether it is parked, for JavaScript to read without a call.
    pub fn set_parked(&self, parked: bool) {
        self.slab
            .status(layout::STATUS_PARKED)
            .store(u32::from(parked), Ordering::SeqCst);
    }

    /// JavaScript side: adds the payload of the next record that is flagged as a block.
    pub fn attach(&self, block: Block) {
        self.lock_writer().blocks.push_back(block);
    }

    /// JavaScript side: passes on all records written so far. The slab is empty afterwards.
    pub fn submit<C>(self: &Arc<Self>, outbox: &Outbox<C>) {
        let mut writer = self.lock_writer();
        self.pass_on(&mut writer, outbox);
        writer.taken = 0;
        self.slab
            .status(layout::STATUS_COMMITTED)
            .store(0, Ordering::Release);
    }

    /// Worker side: takes what JavaScript has written but not yet submitted, because it may
    /// be busy in a handler. `false` if there was nothing.
    pub fn steal<C>(self: &Arc<Self>, outbox: &Outbox<C>) -> bool {
        let mut writer = self.lock_writer();
        self.pass_on(&mut writer, outbox)
    }

    /// Worker side: whether JavaScript may be in a handler that could block with records
    /// unsubmitted, so that looking again in a moment is worth a timer.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.slab.status(layout::STATUS_BUSY).load(Ordering::SeqCst) != 0
            || self.environment.doorbell.is_rung()
            || self.has_unsubmitted()
    }

    /// Whether records wait in the slab that nobody took.
    #[must_use]
    pub fn has_unsubmitted(&self) -> bool {
        self.slab
            .status(layout::STATUS_COMMITTED)
            .load(Ordering::SeqCst)
            != 0
            && self.slab.committed() > self.lock_writer().taken
    }

    /// The push happens under the writer's lock: it fixes the order of the pieces.
    fn pass_on<C>(self: &Arc<Self>, writer: &mut Writer, outbox: &Outbox<C>) -> bool {
        let committed = self.slab.committed();
        if committed <= writer.taken && writer.blocks.is_empty() {
            return false;
        }
        let mut bytes = outbox.buffer();
        self.slab.copy_out(writer.taken, committed, &mut bytes);
        writer.taken = committed;
        let blocks = std::mem::take(&mut writer.blocks);
        outbox.push(Command::Records(Commands {
            lane: Arc::clone(self),
            bytes,
            blocks,
        }));
        true
    }

    fn lock_writer(&self) -> std::sync::MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(outbox: &Outbox<()>) -> Vec<u8> {
        let mut queue = VecDeque::new();
        outbox.take(&mut queue);
        queue
            .into_iter()
            .flat_map(|command| match command {
                Command::Records(commands) => commands.bytes,
                Command::Control(()) => Vec::new(),
            })
            .collect()
    }

    #[test]
    fn stealing_and_submitting_keep_the_order_and_repeat_nothing() {
        let lane = Lane::new(&Arc::default());
        let outbox = Outbox::<()>::default();
        lane.slab().write_for_test(0, &[1; 32]);
        assert!(lane.has_unsubmitted());
        assert!(lane.steal(&outbox));
        assert!(!lane.steal(&outbox), "nothing new");
        assert!(!lane.has_unsubmitted());
        lane.slab().write_for_test(32, &[2; 16]);
        assert!(lane.steal(&outbox));
        lane.slab().write_for_test(48, &[3; 16]);
        lane.submit(&outbox);
        lane.slab().write_for_test(0, &[4; 16]);
        lane.submit(&outbox);
        let expected = [vec![1; 32], vec![2; 16], vec![3; 16], vec![4; 16]].concat();
        assert_eq!(bytes_of(&outbox), expected);
    }
}
