//! The backbone: what is published in one process reaches the subscribers of others,
//! carried by an engine that is there anyway.
//!
//! ```text
//!  publish() ─► hub ─► Backbone::publish ─► outgoing ─► carry: Engine ─► Redis, NATS
//!                                                                          │
//!  reactors ◄─ hub ◄──────── incoming ◄── Shared::receive ◄── Engine ◄─────┘
//! ```
//!
//! A [`Backbone`] is the carrier of one hub. Its task runs on a worker ([`carry`]) and speaks with
//! one engine at a time through the trait [`engine::Engine`]. What comes goes straight into the hub;
//! JavaScript only hears of what happens to the connection ([`News`]).

mod carry;
mod catch_up;
mod config;
mod engine;
mod frame;
mod history;
mod incoming;
#[cfg(all(test, models))]
mod models;
mod nats;
mod nats_history;
mod news;
mod outgoing;
mod redis;
mod redis_channels;
mod redis_history;
mod redis_line;
mod redis_pushes;
mod shared;
mod tls;
mod wants;

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub use config::{Address, Config, Credentials, History, Kind, Overflow, Reason, Tls, Told};
pub use history::{Place, Replay};
pub use news::{Event, News, code_of};
pub use outgoing::Dropped;
pub use shared::State;

use crate::driver::{Carried, Carrier, Mark, Membership, Message, Pool};
use history::Recovery;
use shared::Shared;

/// Carries the topics of a hub.
#[derive(Debug)]
pub struct Backbone {
    shared: Arc<Shared>,
}

/// What a backbone has done, and what it has to do.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "named by what they count")]
pub struct Counts {
    pub state: State,
    pub connects: u64,
    pub topics: usize,
    pub sent: u64,
    pub sent_bytes: u64,
    pub received: u64,
    pub received_bytes: u64,
    pub dropped: u64,
    pub dropped_bytes: u64,
    pub gaps: u64,
    pub foreign: u64,
    pub waiting: usize,
    pub waiting_bytes: usize,
    /// How long the engine took for its last answer, in microseconds.
    pub lag: u64,
}

/// Why a backbone cannot be.
#[derive(Debug)]
pub enum Refused {
    /// The hub has another one.
    Another,
    /// The system has no thread or no randomness left.
    System(io::Error),
}

impl Backbone {
    /// Carries the topics of a hub from here on, on a worker of `pool`, until every environment that
    /// asked for it has let go of it. The environment is told through `news` of what happens.
    ///
    /// # Errors
    /// When the hub is carried otherwise, or the system has nothing left.
    pub fn attach(
        membership: &mut Membership,
        pool: &Pool,
        config: Config,
        news: &Arc<News>,
    ) -> Result<Arc<Self>, Refused> {
        let wanted = config.clone();
        let mut started = None;
        let carrier = membership.carry(|hub| {
            let backbone = Arc::new(Self::new(config, hub).map_err(Refused::System)?);
            started = Some(Arc::clone(&backbone));
            Ok::<Arc<dyn Carrier>, Refused>(backbone)
        })?;
        let any: Arc<dyn Any + Send + Sync> = carrier;
        let known = any.downcast::<Self>();
        let Some(backbone) = known.ok().filter(|known| known.shared.config == wanted) else {
            membership.stop_carrying();
            return Err(Refused::Another);
        };
        // Before the first thing can happen.
        backbone.shared.listen(news);
        if started.is_some() {
            let shared = Arc::clone(&backbone.shared);
            match wanted.kind {
                Kind::Nats => pool.spawn(0, carry::carry::<nats::Nats>(shared)),
                Kind::Redis => pool.spawn(0, carry::carry::<redis::Redis>(shared)),
            }
        }
        Ok(backbone)
    }

    fn new(config: Config, hub: Carried) -> io::Result<Self> {
        let origin = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self {
            shared: Arc::new(Shared::new(config, hub, origin)),
        })
    }

    /// Nothing is told to an environment any more.
    pub fn unlisten(&self, news: &Arc<News>) {
        self.shared.unlisten(news);
    }

    /// Tells `news` of this number when all that was subscribed and published so far is at the
    /// engine.
    pub fn flush(&self, news: &Arc<News>, id: u32) {
        self.shared.flush(news, id);
    }

    /// Tells `news` of what a topic's subscriber missed since a place, by this number. Somebody has to
    /// be subscribed to it here. What is no place is none that is known.
    pub fn recover(&self, news: &Arc<News>, id: u32, topic: &str, since: &str) {
        let nowhere = Place {
            epoch: 0,
            offset: 0,
        };
        self.shared.recover(Recovery {
            news: Arc::downgrade(news),
            id,
            topic: topic.into(),
            since: since.parse().unwrap_or(nowhere),
            published: self.shared.outgoing().end(),
        });
    }

    /// Up to where a topic's history was delivered in this process, if it has one and is wanted.
    #[must_use]
    pub fn place(&self, topic: &str) -> Option<Place> {
        self.shared.incoming.place(topic)
    }

    /// Waits until all that was published so far is at the engine. Whether it is.
    #[must_use]
    pub fn flush_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let end = self.shared.outgoing().end();
        loop {
            if self.shared.outgoing().has_passed(end) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(FLUSH_PAUSE);
        }
    }

    /// What it counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = &self.shared.counters;
        let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (waiting, waiting_bytes) = self.shared.outgoing().held();
        Counts {
            state: match get(&counters.state) {
                1 => State::Connected,
                2 => State::Lost,
                3 => State::Closed,
                _ => State::Connecting,
            },
            connects: get(&counters.connects),
            topics: self.shared.wants().count(),
            sent: get(&counters.sent),
            sent_bytes: get(&counters.sent_bytes),
            received: get(&counters.received),
            received_bytes: get(&counters.received_bytes),
            dropped: get(&counters.dropped),
            dropped_bytes: get(&counters.dropped_bytes),
            gaps: get(&counters.gaps),
            foreign: get(&counters.foreign),
            waiting,
            waiting_bytes,
            lag: get(&counters.lag),
        }
    }
}

impl Carrier for Backbone {
    fn want(&self, topic: &str, wanted: bool) {
        if topic.len() > LONGEST_TOPIC {
            return;
        }
        self.shared.wants().set(topic, wanted);
        self.shared.called.notify_one();
    }

    fn publish(&self, topic: &str, message: &Message<'_>) -> Option<Mark> {
        let Message {
            opcode,
            compress,
            payload,
            ..
        } = *message;
        if topic.len() > LONGEST_TOPIC {
            return None;
        }
        let mut outgoing = self.shared.outgoing();
        let (origin, sequence) = outgoing.push(topic, opcode, compress, payload);
        drop(outgoing);
        // Once connected, the task looks at the queue itself, behind the lock that was just held.
        if self.shared.is_connected() {
            self.shared.called.notify_one();
        }
        Some(Mark {
            origin,
            sequence,
            offset: 0,
        })
    }
}

impl Drop for Backbone {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// Longer names stay in this process; servers with a backbone allow none.
const LONGEST_TOPIC: usize = 1024;
/// Between two looks of a flush.
const FLUSH_PAUSE: Duration = Duration::from_millis(1);
