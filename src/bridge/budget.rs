//! The inbound budget: how many bytes may wait for a JavaScript thread.
//!
//! Owns: one counter per environment. The reactors charge it, draining credits
//! it. Above the limit they stop reading, so TCP pushes back on the
//! peers; below half of it they read again.
//! Runs on: any.

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes that may wait for JavaScript in one environment.
const LIMIT: usize = 16 << 20;

/// Counts payload bytes plus a cost per record that JavaScript has not taken.
#[derive(Debug)]
pub struct Budget {
    waiting: AtomicUsize,
    /// Of large messages that JavaScript is copying.
    arriving: AtomicUsize,
    stalled: AtomicBool,
    limit: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self::with_limit(LIMIT)
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            arriving: AtomicUsize::new(0),
            stalled: AtomicBool::new(false),
            limit,
        }
    }

    /// Adds bytes that now wait.
    pub fn charge(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether a reactor that holds `staged` bytes more must stop reading. The next
    /// [`Budget::credit`] that brings the count below half of the limit will say that readers may
    /// go on.
    #[must_use]
    pub fn is_exhausted(&self, staged: usize) -> bool {
        if self.waiting.load(Ordering::Relaxed) + staged < self.limit {
            return false;
        }
        self.stalled.store(true, Ordering::SeqCst);
        // Draining may have finished between the two steps and missed the mark.
        self.waiting.load(Ordering::SeqCst) + staged >= self.limit
    }

    /// Takes bytes off; `true` if stalled readers must be woken.
    #[must_use]
    pub fn credit(&self, bytes: usize) -> bool {
        let waiting = self.waiting.fetch_sub(bytes, Ordering::SeqCst) - bytes;
        waiting < self.limit / 2 && self.stalled.swap(false, Ordering::SeqCst)
    }

    /// JavaScript begins to copy a large message: it does not count as waiting any more, so that
    /// others are read meanwhile. `true` if stalled readers must be woken.
    #[must_use]
    pub fn begin_arrival(&self, bytes: usize) -> bool {
        self.arriving.fetch_add(bytes, Ordering::SeqCst);
        self.credit(bytes)
    }

    /// The message is there. `true` if stalled readers must be woken.
    #[must_use]
    pub fn end_arrival(&self, bytes: usize) -> bool {
        let arriving = self.arriving.fetch_sub(bytes, Ordering::SeqCst) - bytes;
        arriving < self.limit && self.stalled.swap(false, Ordering::SeqCst)
    }

    /// Whether so much is arriving that further large messages have to wait. The next
    /// [`Budget::end_arrival`] that makes room will say that they may go on.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        if self.arriving.load(Ordering::Relaxed) < self.limit {
            return false;
        }
        self.stalled.store(true, Ordering::SeqCst);
        // As in `is_exhausted`.
        self.arriving.load(Ordering::SeqCst) >= self.limit
    }

    /// Bytes that may wait.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_stop_above_the_limit_and_resume_below_half() {
        let budget = Budget::with_limit(100);
        budget.charge(99);
        assert!(!budget.is_exhausted(0));
        budget.charge(1);
        assert!(budget.is_exhausted(0));
        assert!(!budget.credit(50), "at half nobody is woken yet");
        assert!(budget.credit(1), "below half the readers are woken");
        assert!(!budget.credit(1), "and only once");
        assert_eq!(budget.waiting(), 48);
    }

    #[test]
    fn what_arrives_keeps_large_messages_back_and_nobody_else() {
        let budget = Budget::with_limit(100);
        budget.charge(150);
        assert!(budget.is_exhausted(0));
        assert!(budget.begin_arrival(150), "others are read");
        assert!(!budget.is_exhausted(0));
        assert!(budget.is_crowded());
        assert!(
            !budget.credit(0) || budget.is_crowded(),
            "woken for nothing, it waits again"
        );
        assert!(budget.end_arrival(150));
        assert!(!budget.is_crowded());
    }
}
