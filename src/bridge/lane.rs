//! A lane: what one environment and one reactor share.
//!
//! Owns: [`Environment`] (what all lanes of a JavaScript thread share) and
//! [`Lane`] (inbox, command slab, status words). Called by `napi` on the
//! JavaScript side and by whoever holds the reactor. Runs on: any.
//! INVARIANT: commands run in the order in which JavaScript wrote them, whoever
//! takes them. Tests: here, `models/`.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use super::block::{Block, BlockPool};
use super::budget::Budget;
use super::doorbell::Doorbell;
use super::inbox::{Batch, Inbox};
use super::layout;
use super::outbox::{Command, Commands, Outbox};
use super::slab::SharedSlab;
use crate::sync::atomic::Ordering;
use crate::sync::{Mutex, MutexGuard};

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

/// The two directions between one environment and one reactor.
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

/// A piece of what a lane has to say, in order.
#[derive(Debug)]
pub enum Piece<'a, C> {
    /// Records, and the blocks that were attached with them.
    Records(&'a [u8], &'a mut VecDeque<Block>),
    /// A rare command with operating system objects in it.
    Control(C),
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

    /// Reactor side: hands a batch over. Whoever waits for it is told by other means.
    pub fn deliver(&self, batch: &mut Batch) {
        self.environment.budget.charge(batch.cost());
        self.inbox.deliver(batch);
    }

    /// JavaScript side: adds the payload of the next record that is flagged as a block.
    pub fn attach(&self, block: Block) {
        self.lock_writer().blocks.push_back(block);
    }

    /// JavaScript side: moves all records written so far to the outbox, for somebody else to run.
    /// The slab is empty afterwards. `true` if whoever holds the reactor has to be woken.
    pub fn submit<C>(&self, outbox: &Outbox<C>) -> bool {
        let mut writer = self.lock_writer();
        let committed = self.slab.committed();
        let mut wake = false;
        if committed > writer.taken || !writer.blocks.is_empty() {
            let mut bytes = outbox.buffer();
            let written = writer.taken..committed;
            self.slab
                .look(written, |records| bytes.extend_from_slice(records));
            let blocks = std::mem::take(&mut writer.blocks);
            // Pushed under the writer's lock: that fixes the order of the pieces.
            wake = outbox.push(Command::Records(Commands { bytes, blocks }));
        }
        self.restart(&mut writer);
        wake
    }

    /// Any thread: has something run behind all that JavaScript has written so far, and before what
    /// it writes from now on. `true` if whoever holds the reactor has to be woken.
    pub fn push_behind<C>(&self, outbox: &Outbox<C>, control: C) -> bool {
        let mut writer = self.lock_writer();
        let committed = self.slab.committed();
        let mut wake = false;
        if committed > writer.taken {
            let mut bytes = outbox.buffer();
            self.slab.look(writer.taken..committed, |records| {
                bytes.extend_from_slice(records);
            });
            // Some may belong to a record that is not written yet: reactors take them in order.
            let blocks = std::mem::take(&mut writer.blocks);
            wake = outbox.push(Command::Records(Commands { bytes, blocks }));
            writer.taken = committed;
        }
        outbox.push(Command::Control(control)) || wake
    }

    /// Runs everything that was commanded so far, in order: the outbox, then the slab. `restart`
    /// is for the JavaScript thread, which begins its slab anew afterwards.
    ///
    /// While `run` is at it, JavaScript may go on writing records; submitting waits.
    pub fn take<C>(&self, outbox: &Outbox<C>, restart: bool, mut run: impl FnMut(Piece<'_, C>)) {
        let mut writer = self.lock_writer();
        let mut queue = VecDeque::new();
        outbox.take(&mut queue);
        for command in queue {
            match command {
                Command::Records(mut commands) => {
                    run(Piece::Records(&commands.bytes, &mut commands.blocks));
                    outbox.recycle(commands.bytes);
                }
                Command::Control(control) => run(Piece::Control(control)),
            }
        }
        let committed = self.slab.committed();
        if committed > writer.taken {
            let Writer { taken, blocks } = &mut *writer;
            self.slab.look(*taken..committed, |records| {
                run(Piece::Records(records, blocks));
            });
            *taken = committed;
        }
        if restart {
            self.restart(&mut writer);
        }
    }

    /// Whether records wait in the slab that nobody took.
    #[must_use]
    pub fn has_unsubmitted(&self) -> bool {
        self.slab.committed() > self.lock_writer().taken
    }

    fn restart(&self, writer: &mut Writer) {
        writer.taken = 0;
        self.slab
            .status(layout::STATUS_COMMITTED)
            .store(0, Ordering::Release);
    }

    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lane: &Lane, outbox: &Outbox<u8>, restart: bool) -> Vec<u8> {
        let mut all = Vec::new();
        lane.take(outbox, restart, |piece| match piece {
            Piece::Records(bytes, _) => all.extend_from_slice(bytes),
            Piece::Control(number) => all.push(number),
        });
        all
    }

    #[test]
    fn whoever_takes_records_takes_them_in_order_and_once() {
        let lane = Lane::new(&Arc::default());
        let outbox = Outbox::default();
        lane.slab().write_for_test(0, &[1; 32]);
        assert!(lane.has_unsubmitted());
        assert_eq!(run(&lane, &outbox, false), [1; 32]);
        assert_eq!(run(&lane, &outbox, false), b"", "nothing new");
        assert!(!lane.has_unsubmitted());
        lane.slab().write_for_test(32, &[2; 16]);
        assert!(lane.submit(&outbox), "somebody has to be told");
        lane.slab().write_for_test(0, &[3; 16]);
        assert!(!lane.submit(&outbox), "who was told already");
        lane.slab().write_for_test(0, &[4; 16]);
        assert!(!outbox.push(Command::Control(9)));
        let expected = [vec![2; 16], vec![3; 16], vec![9], vec![4; 16]].concat();
        assert_eq!(run(&lane, &outbox, true), expected);
        assert!(!lane.has_unsubmitted());
        lane.slab().write_for_test(0, &[5; 16]);
        assert_eq!(run(&lane, &outbox, true), [5; 16]);
    }

    #[test]
    fn what_others_push_comes_behind_what_was_written_and_before_the_rest() {
        let lane = Lane::new(&Arc::default());
        let outbox = Outbox::default();
        lane.slab().write_for_test(0, &[1; 16]);
        assert!(lane.push_behind(&outbox, 2));
        assert!(!lane.push_behind(&outbox, 3));
        lane.slab().write_for_test(16, &[4; 16]);
        assert!(!lane.push_behind(&outbox, 5));
        lane.slab().write_for_test(32, &[6; 16]);
        assert!(!lane.submit(&outbox));
        lane.slab().write_for_test(0, &[7; 16]);
        let one = |byte: u8| vec![byte; 16];
        let expected = [one(1), vec![2, 3], one(4), vec![5], one(6), one(7)].concat();
        assert_eq!(run(&lane, &outbox, true), expected);
        assert!(lane.push_behind(&outbox, 8), "nothing was written");
        assert_eq!(run(&lane, &outbox, true), [8]);
    }

    #[test]
    fn blocks_come_with_the_records_that_they_belong_to() {
        let lane = Lane::new(&Arc::default());
        let outbox = Outbox::<u8>::default();
        let pool = Arc::clone(&lane.environment().pool);
        lane.attach(Block::copy_of(b"first", &pool));
        lane.slab().write_for_test(0, &[1; 16]);
        lane.submit(&outbox);
        lane.attach(Block::copy_of(b"second", &pool));
        lane.slab().write_for_test(0, &[2; 16]);
        let mut blocks = VecDeque::new();
        lane.take(&outbox, true, |piece| {
            if let Piece::Records(_, attached) = piece {
                blocks.append(attached);
            }
        });
        let texts: Vec<_> = blocks.iter().map(Block::as_slice).collect();
        assert_eq!(texts, [b"first".as_slice(), b"second"]);
    }
}
