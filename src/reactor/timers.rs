//! Deadlines of a reactor's entries.
//!
//! Owns: [`Timers`]. Time is an argument: the driver says what time it is and
//! asks when it has to come back. Runs on: whoever turns the reactor.

use std::collections::BTreeMap;
use std::time::Instant;

/// What was asked for, for taking it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey(Instant, u64);

/// Deadlines in order.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    queue: BTreeMap<TimerKey, T>,
    count: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            queue: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Timers<T> {
    /// Asks for `what` at `deadline`.
    pub(crate) fn add(&mut self, deadline: Instant, what: T) -> TimerKey {
        self.count += 1;
        let key = TimerKey(deadline, self.count);
        self.queue.insert(key, what);
        key
    }

    /// Takes a request back. One that was served already is ignored.
    pub(crate) fn cancel(&mut self, key: TimerKey) {
        self.queue.remove(&key);
    }

    /// What is due, one call after the other.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<T> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next one is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|(key, _)| key.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn deadlines_come_in_order_and_only_when_due() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.add(at(2), "two");
        let one = timers.add(at(1), "one");
        timers.add(at(2), "two again");
        timers.cancel(one);
        timers.cancel(one);
        assert_eq!(timers.next_deadline(), Some(at(2)));
        assert_eq!(timers.expire(at(1)), None);
        assert_eq!(timers.expire(at(2)), Some("two"));
        assert_eq!(timers.expire(at(2)), Some("two again"));
        assert_eq!((timers.expire(at(9)), timers.next_deadline()), (None, None));
    }
}
