//! Whether a worker waits for an answer before it sleeps.
//!
//! Owns: the choice and its memory. After few records the answer of their
//! handlers is often there sooner than this thread could fall asleep and be
//! woken; where answers do not come that fast, asking stops. Runs on: worker.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// Deliveries of more records are followed by sleep: their handlers take longer.
const MOST_RECORDS: usize = 4;
/// How long one wait may take.
const LIMIT: Duration = Duration::from_micros(50);
/// Opportunities that are let pass after many disappointments in a row.
const LONGEST_PAUSE: u32 = 1024;

#[derive(Debug)]
pub(crate) struct Linger {
    /// A second core runs the handlers meanwhile.
    possible: bool,
    /// Opportunities to let pass after the next disappointment.
    pause: Cell<u32>,
    skip: Cell<u32>,
}

impl Linger {
    pub(crate) fn new() -> Self {
        Self {
            possible: thread::available_parallelism().is_ok_and(|count| count.get() > 1),
            pause: Cell::new(1),
            skip: Cell::new(0),
        }
    }

    /// Waits for `answered` after `records` were delivered, if that is promising.
    pub(crate) fn wait(&self, records: usize, answered: impl Fn() -> bool) {
        if !self.possible || records == 0 || records > MOST_RECORDS {
            return;
        }
        if self.skip.get() > 0 {
            self.skip.set(self.skip.get() - 1);
            return;
        }
        let begin = Instant::now();
        while begin.elapsed() < LIMIT {
            if answered() {
                self.pause.set(1);
                return;
            }
            thread::yield_now();
        }
        self.skip.set(self.pause.get());
        self.pause.set((self.pause.get() * 2).min(LONGEST_PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(linger: &Linger, records: usize, answer: bool) -> bool {
        let asked = Cell::new(false);
        linger.wait(records, || {
            asked.set(true);
            answer
        });
        asked.get()
    }

    #[test]
    fn disappointments_make_it_rarer_and_an_answer_forgives() {
        let linger = Linger {
            possible: true,
            ..Linger::new()
        };
        assert!(!asked(&linger, 0, true));
        assert!(!asked(&linger, MOST_RECORDS + 1, true));
        let mut waits = 0;
        for _ in 0..10_000 {
            waits += u32::from(asked(&linger, 1, false));
        }
        assert!(waits < 25, "waited {waits} times in vain");
        while !asked(&linger, 1, true) {}
        assert!(asked(&linger, 1, true));
    }
}
