//! What the JavaScript threads and the task of a backbone share.
//!
//! Owns: [`Shared`]: its locks, its counters, who is told what. Runs on: any.
//! INVARIANT: a lock is held for as long as it takes to queue. Those of a hub may be held when one of
//! these is taken, `listeners` when one of a `News` is, `wants` and `recoveries` when `outgoing` is: never
//! the reverse.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, Weak};

use tokio::sync::Notify;

use super::config::{Config, Failure, Reason};
use super::history::{Place, Recovery, Replay};
use super::incoming::{Incoming, Verdict};
use super::news::{Event, News};
use super::outgoing::Outgoing;
use super::wants::Wants;
use crate::driver::{Carried, Mark, Message};
use crate::sync::{Mutex, MutexGuard};

/// Whether the engine is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was never there.
    Connecting,
    /// It is.
    Connected,
    /// It was, or could not be reached.
    Lost,
    /// Nothing is carried any more.
    Closed,
}

/// What a backbone counts from its beginning.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) state: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) dropped_bytes: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) foreign: AtomicU64,
    /// How long the last answer of the engine took, in microseconds.
    pub(super) lag: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, value: u64) {
        counter.fetch_add(value, Ordering::Relaxed);
    }
}

/// Somebody waits until all that was asked for before is at the engine.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) news: Weak<News>,
    pub(super) id: u32,
    pub(super) wants: u64,
    pub(super) outgoing: u64,
}

/// What several threads use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) counters: Counters,
    pub(super) incoming: Incoming,
    hub: Carried,
    origin: u64,
    wants: Mutex<Wants>,
    outgoing: Mutex<Outgoing>,
    listeners: Mutex<Vec<Arc<News>>>,
    flushes: Mutex<Vec<Flush>>,
    recoveries: Mutex<Vec<Recovery>>,
    /// Calls the task.
    pub(super) called: Notify,
    /// A message came with its place in a history.
    pub(super) arrived: Notify,
    stopping: AtomicBool,
    /// Topics on which somebody else's bytes came, since the engine was connected.
    foreign: Mutex<std::collections::HashSet<String>>,
    /// The address in use.
    pub(super) at: AtomicU64,
}

impl Shared {
    pub(super) fn new(config: Config, hub: Carried, origin: u64) -> Self {
        let marks_all = config.history.is_some();
        let outgoing = Outgoing::new(config.queue, config.overflow, origin, marks_all);
        Self {
            config,
            counters: Counters::default(),
            incoming: Incoming::default(),
            hub,
            origin: outgoing.origin(),
            wants: Mutex::default(),
            outgoing: Mutex::new(outgoing),
            listeners: Mutex::default(),
            flushes: Mutex::default(),
            recoveries: Mutex::default(),
            called: Notify::new(),
            arrived: Notify::new(),
            stopping: AtomicBool::new(false),
            foreign: Mutex::default(),
            at: AtomicU64::new(0),
        }
    }

    /// A message of a topic came from the engine, with its place in the history if there is one.
    pub(super) fn receive(&self, topic: &str, place: Option<Place>, bytes: &[u8]) {
        let waits = self.config.history.is_some()
            && self.incoming.keep(topic, place, bytes, self.config.queue);
        if !waits {
            self.receive_now(topic, place, bytes);
        }
    }

    /// The same, whatever else has to wait.
    pub(super) fn receive_now(&self, topic: &str, place: Option<Place>, bytes: &[u8]) {
        self.hand_on(topic, place, bytes);
        // Behind the delivery: whoever is told of the place gets everything before it.
        if let Some(place) = place {
            self.incoming.reach(topic, place);
            self.arrived.notify_waiters();
        }
    }

    fn hand_on(&self, topic: &str, place: Option<Place>, bytes: &[u8]) {
        match self.incoming.judge(topic, bytes, self.origin) {
            Verdict::Deliver {
                header,
                payload,
                missed,
            } => {
                Counters::add(&self.counters.received, 1);
                Counters::add(&self.counters.received_bytes, payload.len() as u64);
                if missed > 0 {
                    self.gap(topic, false);
                }
                self.hub.deliver(
                    topic,
                    &Message {
                        opcode: header.opcode,
                        compress: header.compress,
                        payload,
                        mark: Some(Mark {
                            origin: header.origin,
                            sequence: header.sequence,
                            offset: place.map_or(0, |place| place.offset),
                        }),
                    },
                );
            }
            Verdict::Missed(_) => self.gap(topic, false),
            Verdict::Drop => {}
            Verdict::Foreign => {
                Counters::add(&self.counters.foreign, 1);
                // Told once: whoever sends them may send many.
                if lock(&self.foreign).insert(topic.to_owned()) {
                    let text = format!("bytes that are no message of ours came on {topic:?}");
                    self.fail(&Failure::new(Reason::Foreign, text));
                }
            }
        }
    }

    /// Messages of a topic are missing.
    pub(super) fn gap(&self, topic: &str, outage: bool) {
        Counters::add(&self.counters.gaps, 1);
        self.tell(&Event::Gap {
            topic: topic.into(),
            outage,
        });
    }

    /// Something failed without stopping the rest.
    pub(super) fn fail(&self, failure: &Failure) {
        let at = self.at.load(Ordering::Relaxed) as usize;
        self.tell(&Event::Error(self.config.tell(at, failure)));
    }

    /// Tells all environments.
    pub(super) fn tell(&self, event: &Event) {
        for news in lock(&self.listeners).iter() {
            news.push(event.clone());
        }
    }

    pub(super) fn listen(&self, news: &Arc<News>) {
        lock(&self.listeners).push(Arc::clone(news));
    }

    pub(super) fn unlisten(&self, news: &Arc<News>) {
        lock(&self.listeners).retain(|known| !Arc::ptr_eq(known, news));
    }

    /// The topics that are wanted.
    pub(super) fn wants(&self) -> MutexGuard<'_, Wants> {
        lock(&self.wants)
    }

    /// What waits.
    pub(super) fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        lock(&self.outgoing)
    }

    /// Counts and tells what was dropped.
    pub(super) fn report_dropped(&self) {
        let dropped = self.outgoing().take_dropped();
        if dropped.messages == 0 {
            return;
        }
        Counters::add(&self.counters.dropped, dropped.messages);
        Counters::add(&self.counters.dropped_bytes, dropped.bytes);
        self.tell(&Event::Dropped(dropped));
    }

    /// Foreign bytes are told of again.
    pub(super) fn forget_foreign(&self) {
        lock(&self.foreign).clear();
    }

    pub(super) fn flush(&self, news: &Arc<News>, id: u32) {
        let wants = self.wants().end();
        let outgoing = self.outgoing().end();
        lock(&self.flushes).push(Flush {
            news: Arc::downgrade(news),
            id,
            wants,
            outgoing,
        });
        self.called.notify_one();
    }

    /// Tells those who wait for what is done.
    pub(super) fn finish_flushes(&self) {
        let mut flushes = std::mem::take(&mut *lock(&self.flushes));
        if flushes.is_empty() {
            return;
        }
        flushes.retain(|flush| {
            let done =
                self.wants().has_passed(flush.wants) && self.outgoing().has_passed(flush.outgoing);
            if done && let Some(news) = flush.news.upgrade() {
                news.push(Event::Flushed(flush.id));
            }
            !done
        });
        lock(&self.flushes).append(&mut flushes);
    }

    /// A subscriber wants to know what it missed.
    pub(super) fn recover(&self, recovery: Recovery) {
        lock(&self.recoveries).push(recovery);
        self.called.notify_one();
    }

    pub(super) fn has_recoveries(&self) -> bool {
        !lock(&self.recoveries).is_empty()
    }

    /// Those that can be answered: all that was published here before is at the engine.
    pub(super) fn take_recoveries(&self) -> Vec<Recovery> {
        let mut recoveries = lock(&self.recoveries);
        if recoveries.is_empty() {
            return Vec::new();
        }
        let all = std::mem::take(&mut *recoveries);
        let outgoing = self.outgoing();
        let (ready, others) = all
            .into_iter()
            .partition(|recovery| outgoing.has_passed(recovery.published));
        *recoveries = others;
        ready
    }

    /// The engine is not there: nobody knows what those who ask have missed.
    pub(super) fn fail_recoveries(&self) {
        let all = std::mem::take(&mut *lock(&self.recoveries));
        for recovery in all {
            recovery.answer(Replay::default());
        }
    }

    pub(super) fn set_state(&self, state: State) {
        self.counters.state.store(state as u64, Ordering::Relaxed);
    }

    pub(super) fn is_connected(&self) -> bool {
        self.counters.state.load(Ordering::Relaxed) == State::Connected as u64
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.called.notify_one();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
