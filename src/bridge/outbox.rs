//! The outbox of a lane: commands that somebody else than the JavaScript thread
//! will run.
//!
//! Owns: the queue, and the rule that its reader is told once. Filled through a
//! lane and by other reactors, emptied by whoever holds the reactor. Runs on: any.

use std::collections::VecDeque;
use std::sync::PoisonError;

use super::block::Block;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// Command buffers kept for reuse by one outbox.
const SPARE_BUFFERS: usize = 8;

/// Records that were submitted together.
#[derive(Debug)]
pub struct Commands {
    /// The records, as `layout` describes them.
    pub bytes: Vec<u8>,
    /// Blocks attached since the previous submission, in order.
    pub blocks: VecDeque<Block>,
}

/// An entry of the queue.
#[derive(Debug)]
pub enum Command<C> {
    /// Records.
    Records(Commands),
    /// A rare command with operating system objects in it.
    Control(C),
}

/// The queue towards one reactor.
#[derive(Debug)]
pub struct Outbox<C> {
    queue: Mutex<VecDeque<Command<C>>>,
    spare: Mutex<Vec<Vec<u8>>>,
    pending: AtomicBool,
}

impl<C> Default for Outbox<C> {
    fn default() -> Self {
        Self {
            queue: Mutex::default(),
            spare: Mutex::default(),
            pending: AtomicBool::new(false),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C> Outbox<C> {
    /// Appends an entry. `true` if nothing was pending: the reader has to be told.
    pub fn push(&self, command: Command<C>) -> bool {
        lock(&self.queue).push_back(command);
        !self.pending.swap(true, Ordering::SeqCst)
    }

    /// An empty buffer for records.
    #[must_use]
    pub fn buffer(&self) -> Vec<u8> {
        lock(&self.spare).pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub fn recycle(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut spare = lock(&self.spare);
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }

    /// Whether [`Outbox::take`] would find something.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    /// Moves all entries to `into`, which is empty.
    pub fn take(&self, into: &mut VecDeque<Command<C>>) {
        // First: what is pushed after this line is told again.
        self.pending.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *lock(&self.queue), into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_is_told_once() {
        let outbox = Outbox::<u32>::default();
        assert!(outbox.push(Command::Control(1)));
        assert!(!outbox.push(Command::Control(2)));
        let mut taken = VecDeque::new();
        outbox.take(&mut taken);
        assert_eq!(taken.len(), 2);
        assert!(!outbox.has_pending());
        assert!(outbox.push(Command::Control(3)));
    }
}
