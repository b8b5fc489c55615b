//! What compression may cost in one turn.
//!
//! Owns: [`ZlibBudget`]. The driver sets it: little on a JavaScript thread, more
//! on a worker; what exceeds it goes on in later turns, a slice each.
//! Runs on: whoever turns the reactor.

/// Most bytes, in or out, that one step handles: so long others wait at most.
pub(crate) const SLICE: usize = 256 * 1024;

/// Bytes that zlib handles in a microsecond, rounded down from what was measured with zlib-rs on
/// text: deflating what goes in, inflating what comes out.
const DEFLATED_PER_MICROSECOND: usize = 60;
const INFLATED_PER_MICROSECOND: usize = 300;
/// What beginning costs whatever the length.
const START_MICROSECONDS: usize = 2;

/// Microseconds that are left for compression.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ZlibBudget {
    left: usize,
}

impl ZlibBudget {
    /// Sets what there is for a turn.
    pub(crate) fn refill(&mut self, microseconds: usize) {
        self.left = microseconds;
    }

    /// Whether nothing is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Bytes that may be inflated in one step.
    pub(crate) fn inflate_room(&self) -> usize {
        (self.left * INFLATED_PER_MICROSECOND).min(SLICE)
    }

    /// Bytes that may be deflated in one step.
    pub(crate) fn deflate_room(&self) -> usize {
        (self.left * DEFLATED_PER_MICROSECOND).min(SLICE)
    }

    /// Accounts for a step of inflating.
    pub(crate) fn inflated(&mut self, taken: usize, made: usize) {
        self.spend(taken.max(made) / INFLATED_PER_MICROSECOND);
    }

    /// Accounts for a step of deflating.
    pub(crate) fn deflated(&mut self, taken: usize) {
        self.spend(taken / DEFLATED_PER_MICROSECOND);
    }

    fn spend(&mut self, microseconds: usize) {
        self.left = self.left.saturating_sub(microseconds + START_MICROSECONDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_shrinks_with_what_was_done_and_never_exceeds_a_slice() {
        let mut budget = ZlibBudget::default();
        assert!(budget.is_spent());
        assert_eq!((budget.inflate_room(), budget.deflate_room()), (0, 0));
        budget.refill(1_000_000);
        assert_eq!(
            (budget.inflate_room(), budget.deflate_room()),
            (SLICE, SLICE)
        );
        budget.refill(100);
        assert_eq!(budget.inflate_room(), 30_000);
        budget.inflated(10, 15_000);
        assert_eq!(budget.inflate_room(), 48 * INFLATED_PER_MICROSECOND);
        budget.deflated(3_000_000);
        assert!(budget.is_spent());
    }
}
