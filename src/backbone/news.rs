//! What environments are to be told.
//!
//! Owns: [`News`], one an environment: events in order until JavaScript takes them.
//! Runs on: any. INVARIANT: bounded, however long JavaScript is busy: a topic waits
//! once, errors are so many. Tests: here.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use super::config::{Reason, Told};
use super::history::Replay;
use super::outgoing::Dropped;
use crate::bridge::Ring;
use crate::sync::{Mutex, MutexGuard};

/// Errors that may wait.
const MOST_ERRORS: usize = 64;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The engine is there, and knows what this process wants.
    Connected {
        /// Where.
        address: String,
        /// What it says that it is.
        version: String,
    },
    /// It is not there any more, or was not in the first place.
    Lost(Told),
    /// Messages of a topic are missing.
    Gap {
        /// Which.
        topic: Arc<str>,
        /// The engine was away, or else messages did not come.
        outage: bool,
    },
    /// Messages were dropped that others should have got.
    Dropped(Dropped),
    /// Something failed without stopping the rest.
    Error(Told),
    /// All that came before this was asked for is at the engine.
    Flushed(u32),
    /// What a subscriber missed, who was given this number.
    Replayed(u32, Arc<Replay>),
}

#[derive(Default)]
struct Inner {
    events: Vec<Event>,
    gaps: HashSet<Arc<str>>,
    errors: usize,
    bell: Option<Box<dyn Ring>>,
}

/// What one environment is to be told.
#[derive(Default)]
pub struct News {
    inner: Mutex<Inner>,
}

impl News {
    /// Where to ring.
    pub fn new(bell: Box<dyn Ring>) -> Arc<Self> {
        let inner = Inner {
            bell: Some(bell),
            ..Inner::default()
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
        })
    }

    /// JavaScript side: all that happened, in order.
    pub fn take(&self) -> Vec<Event> {
        let mut inner = self.lock();
        inner.gaps.clear();
        inner.errors = 0;
        std::mem::take(&mut inner.events)
    }

    /// JavaScript side: nothing is told any more.
    pub fn close(&self) {
        let bell = self.lock().bell.take();
        drop(bell);
    }

    pub(super) fn push(&self, event: Event) {
        let mut inner = self.lock();
        match &event {
            Event::Gap { topic, .. } if !inner.gaps.insert(Arc::clone(topic)) => return,
            Event::Error(_) | Event::Lost(_) if inner.errors >= MOST_ERRORS => return,
            Event::Error(_) | Event::Lost(_) => inner.errors += 1,
            Event::Dropped(more) => {
                if let Some(Event::Dropped(dropped)) = inner.events.last_mut() {
                    dropped.messages += more.messages;
                    dropped.bytes += more.bytes;
                    return;
                }
            }
            _ => {}
        }
        inner.events.push(event);
        if inner.events.len() == 1
            && let Some(bell) = &inner.bell
        {
            bell.ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("News").finish_non_exhaustive()
    }
}

/// The error's kind as a number that both sides know.
#[must_use]
pub fn code_of(reason: Reason) -> u32 {
    match reason {
        Reason::Connection => 0,
        Reason::Timeout => 1,
        Reason::Credentials => 2,
        Reason::Tls => 3,
        Reason::Engine => 4,
        Reason::Refused => 5,
        Reason::TooLarge => 6,
        Reason::Foreign => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Counter(Arc<AtomicUsize>);
    impl Ring for Counter {
        fn ring(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn dropped(messages: u64) -> Event {
        Event::Dropped(Dropped { messages, bytes: 1 })
    }

    #[test]
    fn events_come_in_order_and_ring_once() {
        let rings = Arc::new(AtomicUsize::new(0));
        let news = News::new(Box::new(Counter(Arc::clone(&rings))));
        let gap = |outage| Event::Gap {
            topic: "a".into(),
            outage,
        };
        for event in [
            gap(true),
            dropped(1),
            dropped(2),
            gap(false),
            Event::Flushed(1),
        ] {
            news.push(event);
        }
        let both = Event::Dropped(Dropped {
            messages: 3,
            bytes: 2,
        });
        assert_eq!(news.take(), [gap(true), both, Event::Flushed(1)]);
        assert_eq!(rings.load(Ordering::Relaxed), 1);
        news.push(gap(false));
        assert_eq!(news.take(), [gap(false)]);
        assert_eq!(rings.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn errors_do_not_pile_up() {
        let news = News::new(Box::new(Counter(Arc::default())));
        let told = Told {
            reason: Reason::Foreign,
            errno: 0,
            text: String::new(),
            address: String::new(),
        };
        for _ in 0..MOST_ERRORS * 2 {
            news.push(Event::Error(told.clone()));
        }
        assert_eq!(news.take().len(), MOST_ERRORS);
    }
}
