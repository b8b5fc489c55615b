//! What the connections of each server have done, in numbers.
//!
//! Owns: [`Tally`], one for each server that JavaScript has given a number. Connections that
//! are no server's count in number 0. Plain integers: whoever turns the reactor holds its lock.
//! Runs on: whoever turns the reactor. Tests: `src/reactor/tests/tally.rs`,
//! `__test__/operations/metrics.test.js`.

use crate::bridge::Policy;
use crate::bridge::layout::tally;

/// What the connections of a server have done so far. Bytes are those of payloads, uncompressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    numbers: [u64; tally::NUMBERS],
}

impl Tally {
    /// The numbers, in the order of [`tally`].
    #[must_use]
    pub fn numbers(&self) -> &[u64; tally::NUMBERS] {
        &self.numbers
    }

    /// A message was received.
    pub(crate) fn received(&mut self, bytes: usize) {
        self.add(tally::RECEIVED, 1);
        self.add(tally::RECEIVED_BYTES, bytes as u64);
    }

    /// A ping was received.
    pub(crate) fn pinged(&mut self) {
        self.add(tally::PINGS_RECEIVED, 1);
    }

    /// A pong was received.
    pub(crate) fn ponged(&mut self) {
        self.add(tally::PONGS_RECEIVED, 1);
    }

    /// A frame of a message goes to the encoder, perhaps the last one.
    pub(crate) fn sent(&mut self, bytes: usize, last: bool) {
        self.add(tally::SENT, u64::from(last));
        self.add(tally::SENT_BYTES, bytes as u64);
    }

    /// A message that was published does.
    pub(crate) fn delivered(&mut self) {
        self.add(tally::DELIVERED, 1);
    }

    /// A ping goes to the encoder.
    pub(crate) fn pings(&mut self) {
        self.add(tally::PINGS_SENT, 1);
    }

    /// A pong goes to the encoder.
    pub(crate) fn pongs(&mut self) {
        self.add(tally::PONGS_SENT, 1);
    }

    /// Messages were dropped by a policy, or a frame of one that is counted already.
    pub(crate) fn dropped(&mut self, policy: Policy, messages: u64, bytes: u64) {
        let at = 2 * policy as usize;
        self.add(tally::DROPPED + at, messages);
        self.add(tally::DROPPED + at + 1, bytes);
    }

    fn add(&mut self, at: usize, count: u64) {
        if let Some(number) = self.numbers.get_mut(at) {
            *number += count;
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    none: Tally,
    all: Vec<Tally>,
}

impl Tallies {
    /// That of a server. [`make`](Self::make) was called for it.
    pub(crate) fn of(&mut self, account: u32) -> &mut Tally {
        let index = (account as usize).wrapping_sub(1);
        self.all.get_mut(index).unwrap_or(&mut self.none)
    }

    /// Makes that of a server, if there is none.
    pub(crate) fn make(&mut self, account: u32) {
        if self.all.len() < account as usize {
            self.all.resize_with(account as usize, Tally::default);
        }
    }

    /// What it has come to; with `ends` it begins anew.
    pub(crate) fn read(&mut self, account: u32, ends: bool) -> Tally {
        let tally = self.of(account);
        if ends { std::mem::take(tally) } else { *tally }
    }
}
