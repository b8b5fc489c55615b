//! Which messages are under way and since when. A connection's answers come in order.

use std::collections::VecDeque;
use std::time::Instant;

pub(crate) struct Flights(Vec<VecDeque<Instant>>);

impl Flights {
    pub(crate) fn new(connections: usize) -> Self {
        Self(vec![VecDeque::new(); connections])
    }

    pub(crate) fn depart(&mut self, connection: usize, count: usize, at: Instant) {
        self.0[connection].extend(std::iter::repeat_n(at, count));
    }

    /// Since when the oldest `count` messages of a connection were under way. An answer that
    /// nothing asked for counts for nothing.
    pub(crate) fn land(
        &mut self,
        connection: usize,
        count: usize,
    ) -> impl Iterator<Item = Instant> {
        let queue = &mut self.0[connection];
        queue.drain(..count.min(queue.len()))
    }

    /// Takes all that have not landed.
    pub(crate) fn missing(&mut self) -> impl Iterator<Item = Instant> {
        self.0.iter_mut().flat_map(|queue| queue.drain(..))
    }

    pub(crate) fn are_over(&self) -> bool {
        self.0.iter().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_message_of_a_connection_lands_first() {
        let start = Instant::now();
        let later = start + Duration::from_millis(1);
        let mut flights = Flights::new(2);
        flights.depart(0, 2, start);
        flights.depart(0, 1, later);
        flights.depart(1, 1, later);
        assert_eq!(flights.land(0, 1).collect::<Vec<_>>(), [start]);
        assert_eq!(flights.land(1, 5).collect::<Vec<_>>(), [later]);
        assert!(!flights.are_over());
        assert_eq!(flights.missing().collect::<Vec<_>>(), [start, later]);
        assert!(flights.are_over());
    }
}
