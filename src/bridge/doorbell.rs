//! The doorbell: how a worker asks a JavaScript thread to drain its inboxes.
//!
//! Owns: the rule that a bell is rung at most once until JavaScript answers.
//! Workers call `ring`, `napi/` provides the [`Ring`] and calls `answer`.
//! Runs on: any.

use std::sync::PoisonError;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Something that makes the JavaScript thread call its drain function soon.
pub trait Ring: Send {
    /// Schedules one drain. Must not block.
    fn ring(&self);
}

/// One bell per environment, present exactly while a server listens or a
/// connection is open.
#[derive(Default)]
pub struct Doorbell {
    rung: AtomicBool,
    bell: Mutex<Option<Box<dyn Ring>>>,
}

impl Doorbell {
    /// Puts a bell up, or takes it down with `None`.
    pub fn install(&self, bell: Option<Box<dyn Ring>>) {
        let previous = {
            let mut slot = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *slot, bell)
        };
        drop(previous);
        // Whatever arrived while no bell was up is announced by the new one.
        if self.rung.swap(false, Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Rings unless JavaScript has yet to answer the last ring.
    pub fn ring(&self) {
        if self.rung.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some(bell) = &*self.bell.lock().unwrap_or_else(PoisonError::into_inner) {
            bell.ring();
        }
    }

    /// Whether JavaScript has yet to answer.
    #[must_use]
    pub fn is_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }

    /// JavaScript is about to look: from here on news rings again.
    pub fn answer(&self) {
        // Not a store: what was done before a ring that nobody heard, because this answer was
        // pending, has to be seen from here on.
        self.rung.swap(false, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doorbell")
            .field("rung", &self.rung)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    struct Counter(Arc<AtomicUsize>);
    impl Ring for Counter {
        fn ring(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn rings_once_until_answered() {
        let count = Arc::new(AtomicUsize::new(0));
        let bell = Doorbell::default();
        bell.install(Some(Box::new(Counter(Arc::clone(&count)))));
        bell.ring();
        bell.ring();
        assert_eq!(count.load(Ordering::SeqCst), 1);
        bell.answer();
        bell.ring();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_ring_without_a_bell_is_not_lost() {
        let count = Arc::new(AtomicUsize::new(0));
        let bell = Doorbell::default();
        bell.ring();
        bell.install(Some(Box::new(Counter(Arc::clone(&count)))));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
