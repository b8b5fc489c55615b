//! Model: the inbound budget, between reactors that charge it and JavaScript that
//! credits it.
//!
//! Claims: a reader that stopped for the budget is called again once JavaScript has
//! taken enough, whatever the other readers do meanwhile, large messages that it
//! copies bit by bit included; nobody reads above the limit by more than what one
//! read brings.

use std::sync::Arc;

use loom::thread;

use crate::bridge::Budget;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Notify, block_on, check};

const LIMIT: usize = 2;
const EACH: usize = 2;

struct Shared {
    budget: Budget,
    /// Messages that wait for JavaScript.
    waiting: AtomicUsize,
    bell: Notify,
    /// A reactor's: `Seat::read_again`.
    again: Vec<Notify>,
    /// Whether the messages are large: JavaScript takes them in two steps.
    large: bool,
}

impl Shared {
    /// A reactor that reads `EACH` messages, and stops whenever it has to.
    fn read(&self, reader: usize) {
        let mut left = EACH;
        while left > 0 {
            if self.budget.is_exhausted(0) || (self.large && self.budget.is_crowded()) {
                block_on(self.again[reader].notified());
                continue;
            }
            self.budget.charge(1);
            assert!(self.budget.waiting() < LIMIT + self.again.len());
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.bell.notify_one();
            left -= 1;
        }
    }

    fn wake_if(&self, stalled: bool) {
        if stalled {
            self.again.iter().for_each(Notify::notify_one);
        }
    }

    /// JavaScript: takes messages as they come, until it has all.
    fn take(&self) {
        let mut left = self.again.len() * EACH;
        while left > 0 {
            let came = self.waiting.swap(0, Ordering::SeqCst);
            if came == 0 {
                block_on(self.bell.notified());
                continue;
            }
            left -= came;
            if self.large {
                self.wake_if(self.budget.begin_arrival(came));
                self.wake_if(self.budget.end_arrival(came));
            } else {
                self.wake_if(self.budget.credit(came));
            }
        }
    }
}

fn readers(count: usize, large: bool, preemptions: Option<usize>) {
    check(preemptions, move || {
        let shared = Arc::new(Shared {
            budget: Budget::with_limit(LIMIT),
            waiting: AtomicUsize::new(0),
            bell: Notify::new(),
            again: (0..count).map(|_| Notify::new()).collect(),
            large,
        });
        let readers: Vec<_> = (0..count)
            .map(|reader| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.read(reader))
            })
            .collect();
        shared.take();
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(shared.budget.waiting(), 0);
    });
}

#[test]
fn a_reader_that_stopped_is_called_again() {
    readers(1, false, None);
}

#[test]
fn readers_that_stopped_are_called_again() {
    readers(2, false, Some(2));
}

#[test]
fn a_reader_of_large_messages_is_called_again() {
    readers(1, true, None);
}

#[test]
fn readers_of_large_messages_are_called_again() {
    readers(2, true, Some(2));
}
