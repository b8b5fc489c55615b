//! The outbox of a worker: commands of all environments on their way to it.
//!
//! Owns: one queue per worker and the wake-up rule. Filled by JavaScript
//! threads through a lane, emptied by the worker. Runs on: any.
//! INVARIANT: a push that finds the worker parked wakes it; a worker that is
//! about to park with something pending does not park.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use futures::task::AtomicWaker;

use super::block::Block;
use super::lane::Lane;

/// Command buffers kept for reuse by one outbox.
const SPARE_BUFFERS: usize = 8;

/// Records that one lane submitted together.
#[derive(Debug)]
pub struct Commands {
    /// Where they come from.
    pub lane: Arc<Lane>,
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

/// The queue towards one worker.
#[derive(Debug)]
pub struct Outbox<C> {
    queue: Mutex<VecDeque<Command<C>>>,
    spare: Mutex<Vec<Vec<u8>>>,
    pending: AtomicBool,
    parked: AtomicBool,
    waker: AtomicWaker,
}

impl<C> Default for Outbox<C> {
    fn default() -> Self {
        Self {
            queue: Mutex::default(),
            spare: Mutex::default(),
            pending: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C> Outbox<C> {
    /// Appends an entry and wakes the worker if it is parked.
    pub fn push(&self, command: Command<C>) {
        lock(&self.queue).push_back(command);
        self.pending.store(true, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Makes the worker run its command loop once.
    pub fn wake(&self) {
        self.parked.store(false, Ordering::SeqCst);
        self.waker.wake();
    }

    /// An empty buffer for records.
    #[must_use]
    pub fn buffer(&self) -> Vec<u8> {
        lock(&self.spare).pop().unwrap_or_default()
    }

    /// Worker side: gives a buffer back.
    pub fn recycle(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut spare = lock(&self.spare);
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }

    /// Worker side: what to wake, once.
    pub fn set_waker(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Worker side: whether [`Outbox::take`] would find something.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    /// Worker side: moves all entries to `into`, which is empty.
    pub fn take(&self, into: &mut VecDeque<Command<C>>) {
        self.pending.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *lock(&self.queue), into);
    }

    /// Worker side: declares itself parked, unless something is pending.
    #[must_use]
    pub fn park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        if self.has_pending() {
            self.parked.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// Worker side: declares itself awake.
    pub fn unpark(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn only_a_parked_worker_is_woken_and_none_parks_over_work() {
        let outbox = Outbox::<u32>::default();
        let wakes = Arc::new(Count::default());
        outbox.set_waker(&Waker::from(Arc::clone(&wakes)));
        outbox.push(Command::Control(1));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
        assert!(!outbox.park(), "there is work");
        let mut taken = VecDeque::new();
        outbox.take(&mut taken);
        assert_eq!(taken.len(), 1);
        assert!(outbox.park());
        outbox.push(Command::Control(2));
        outbox.push(Command::Control(3));
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "one wake-up serves both");
    }
}
