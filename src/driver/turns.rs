//! How long turns of a reactor took.
//!
//! Owns: [`Turns`], kept under the lock of a seat. Runs on: whoever turns the reactor; js.

use std::time::Duration;

use super::policy::Driver;

/// Upper bounds of the classes of [`Turns`], in nanoseconds; the last class has none.
pub const TURN_BOUNDS: [u64; 5] = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Turns by how long they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// How many took at most as long as each of [`TURN_BOUNDS`] and longer than the one before, and
    /// how many longer than all.
    pub classes: [u64; TURN_BOUNDS.len() + 1],
    /// Nanoseconds of all of them.
    pub total: u64,
    /// Nanoseconds of the longest one.
    pub longest: u64,
}

impl Turns {
    pub(super) fn note(&mut self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let class = TURN_BOUNDS.iter().filter(|bound| nanoseconds > **bound);
        if let Some(class) = self.classes.get_mut(class.count()) {
            *class += 1;
        }
        self.total = self.total.saturating_add(nanoseconds);
        self.longest = self.longest.max(nanoseconds);
    }
}

/// What has become of a reactor so far.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    /// Who drives.
    pub driver: Driver,
    /// How often that has changed.
    pub hand_overs: u64,
    /// Turns on the JavaScript thread, whoever drives.
    pub inline: Turns,
    /// Turns on other threads.
    pub worker: Turns,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_sorted_by_how_long_they_took() {
        let mut turns = Turns::default();
        for nanoseconds in [0, 10_000, 10_001, 1_000_000, 5_000_000_000] {
            turns.note(Duration::from_nanos(nanoseconds));
        }
        assert_eq!(turns.classes, [2, 1, 1, 0, 0, 1]);
        assert_eq!(turns.total, 5_001_020_001);
        assert_eq!(turns.longest, 5_000_000_000);
    }
}
