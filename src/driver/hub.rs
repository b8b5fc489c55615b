//! Topics that several JavaScript threads share.
//!
//! Owns: [`Membership`], one environment's part in a hub; the hubs of the process, which
//! live as long as somebody takes part. A publish is handed to the reactors that own the
//! subscribers, to recordings, and to what carries it to other processes ([`Carrier`]).
//! Runs on: js; worker ([`Carried`]). Locks are held for as long as it takes to queue.
//! INVARIANT: a reactor's number for a topic is used only under the lock of the topic's
//! routes, and given to another topic only after its route is gone.
//! Tests: `__test__/process/hub.test.js`; the place in the order: `bridge/models/lane.rs`.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use super::helm::Helm;
use super::recording::{Note, Recording};
use super::seat::Seat;
use crate::bridge::{BackpressureOptions, Block, SlotId};
use crate::reactor::Foreign;
use crate::sync::{Mutex, MutexGuard};

/// The hubs of the process.
static HUBS: std::sync::Mutex<BTreeMap<String, Weak<Hub>>> = std::sync::Mutex::new(BTreeMap::new());

/// Takes what is published to the topics of a hub to other processes. Never calls the hub back.
pub trait Carrier: Any + Send + Sync + std::fmt::Debug {
    /// A topic has its first subscriber, or lost its last one.
    fn want(&self, topic: &str, wanted: bool);
    /// Somebody here published. What others will know the message by, if it is carried.
    fn publish(&self, topic: &str, message: &Message<'_>) -> Option<Mark>;
}

#[derive(Debug, Default)]
struct Hub {
    topics: Mutex<HashMap<String, Arc<Mutex<Subscribers>>>>,
    /// Locked after the topics.
    carrier: Mutex<Option<Weak<dyn Carrier>>>,
}

impl Hub {
    fn carrier(&self) -> Option<Arc<dyn Carrier>> {
        lock(&self.carrier).as_ref().and_then(Weak::upgrade)
    }

    fn want(&self, name: &str, wanted: bool) {
        if let Some(carrier) = self.carrier() {
            carrier.want(name, wanted);
        }
    }

    fn topic(&self, name: &str) -> Option<Arc<Mutex<Subscribers>>> {
        lock(&self.topics).get(name).map(Arc::clone)
    }

    /// Somebody subscribes.
    fn with_topic<R>(&self, name: &str, action: impl FnOnce(&mut Subscribers) -> R) -> R {
        let mut topics = lock(&self.topics);
        if !topics.contains_key(name) {
            self.want(name, true);
        }
        let subscribers = topics.entry(name.to_owned()).or_default();
        action(&mut lock(subscribers))
    }

    /// Somebody leaves. How many are left.
    fn without(&self, name: &str, action: impl FnOnce(&mut Subscribers)) -> u32 {
        let mut topics = lock(&self.topics);
        let Some(known) = topics.get(name).map(Arc::clone) else {
            return 0;
        };
        let mut subscribers = lock(&known);
        action(&mut subscribers);
        if subscribers.is_empty() {
            topics.remove(name);
            self.want(name, false);
        }
        subscribers.count()
    }

    /// Hands a message of the engine's to everybody. How many subscribers there are.
    fn deliver(&self, name: &str, message: &Message<'_>) -> u32 {
        let Some(subscribers) = self.topic(name) else {
            return 0;
        };
        lock(&subscribers).hand_out(message, None, &[])
    }
}

/// A hub as its carrier sees it.
#[derive(Clone, Debug, Default)]
pub struct Carried(Weak<Hub>);

impl Carried {
    /// Hands a message to all subscribers of this process. How many they are.
    pub fn deliver(&self, name: &str, message: &Message<'_>) -> u32 {
        let hub = self.0.upgrade();
        hub.map_or(0, |hub| hub.deliver(name, message))
    }
}

/// Where the subscribers of a topic are.
#[derive(Debug, Default)]
struct Subscribers {
    routes: Vec<Route>,
    recordings: Vec<Recording>,
}

impl Subscribers {
    fn count(&self) -> u32 {
        let routed: u32 = self.routes.iter().map(|route| route.count).sum();
        routed + self.recordings.len() as u32
    }

    fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.recordings.is_empty()
    }

    /// One more connection of a reactor.
    fn add(&mut self, helm: &Arc<Helm>, seat: &Arc<Seat>, topic: LocalTopic) {
        let known = self
            .routes
            .iter_mut()
            .find(|route| Arc::ptr_eq(&route.seat, seat));
        match known {
            Some(route) => route.count += 1,
            None => self.routes.push(Route {
                helm: Arc::clone(helm),
                seat: Arc::clone(seat),
                topic,
                count: 1,
            }),
        }
    }

    /// Hands a message to reactors, those of an environment excepted, and to recordings, but for
    /// those of this environment that `skip` names. How many subscribers other environments have.
    ///
    /// While the lock of this is held, nobody else gets the number of the topic in a reactor.
    fn hand_out(&mut self, message: &Message<'_>, except: Option<&Arc<Helm>>, skip: &[u32]) -> u32 {
        let mut block: Option<Block> = None;
        let mut count = 0;
        for recording in &mut self.recordings {
            let is_own = except.is_some_and(|helm| recording.is_of(helm));
            if !is_own {
                count += 1;
            } else if skip.contains(&recording.id()) {
                continue;
            }
            recording.note(message);
        }
        let others = self
            .routes
            .iter()
            .filter(|route| except.is_none_or(|helm| !Arc::ptr_eq(&route.helm, helm)));
        for route in others {
            let payload = block.get_or_insert_with(|| {
                Block::copy_of(message.payload, &route.seat.lane().environment().pool)
            });
            route.seat.publish(Foreign {
                topic: route.topic.number,
                rule: route.topic.rule,
                opcode: message.opcode,
                compress: message.compress,
                payload: payload.clone(),
            });
            route.helm.rouse();
            count += route.count;
        }
        count
    }

    fn recording(&self, helm: &Arc<Helm>, id: u32) -> Option<usize> {
        self.recordings
            .iter()
            .position(|recording| recording.is_of(helm) && recording.id() == id)
    }
}

/// Subscribers of one reactor.
#[derive(Debug)]
struct Route {
    helm: Arc<Helm>,
    seat: Arc<Seat>,
    topic: LocalTopic,
    count: u32,
}

/// What an environment calls a topic, and how much of it may wait for a peer of its.
#[derive(Clone, Copy, Debug)]
pub struct LocalTopic {
    /// The number of the topic in its reactors.
    pub number: u32,
    /// If that is limited.
    pub rule: Option<BackpressureOptions>,
}

/// A message for a topic.
#[derive(Debug)]
pub struct Message<'a> {
    /// Text or binary.
    pub opcode: u8,
    /// Compress it where that was negotiated.
    pub compress: bool,
    /// Its bytes.
    pub payload: &'a [u8],
    /// What processes know it by, if it is carried.
    pub mark: Option<Mark>,
}

/// What processes know a message of a topic by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Who published it.
    pub origin: u64,
    /// Which of its messages to this topic it is.
    pub sequence: u64,
    /// Where it is in the topic's history, 0 if that is not known.
    pub offset: u64,
}

/// Whether somebody whose messages were taken down gets them from a reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// There are notes that it was not sent.
    NotYet,
    /// It does, and missed nothing.
    WithAll,
    /// It does; there was not enough room for the notes.
    WithoutSome,
    /// Nobody knows of it.
    Gone,
}

/// What one environment has to do with a hub.
#[derive(Debug)]
pub struct Membership {
    hub: Arc<Hub>,
    helm: Arc<Helm>,
    carrier: Option<Arc<dyn Carrier>>,
    next_recording: u32,
}

impl Membership {
    /// Takes part in the hub of this name, or in one that nobody else knows.
    pub(super) fn new(name: Option<&str>, helm: &Arc<Helm>) -> Self {
        let Some(name) = name else {
            return Self::of(Arc::default(), helm);
        };
        let mut hubs = HUBS
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        hubs.retain(|_, hub| hub.strong_count() > 0);
        let known = hubs.get(name).and_then(Weak::upgrade);
        let hub = known.unwrap_or_else(|| {
            let hub = Arc::<Hub>::default();
            hubs.insert(name.to_owned(), Arc::downgrade(&hub));
            hub
        });
        Self::of(hub, helm)
    }

    fn of(hub: Arc<Hub>, helm: &Arc<Helm>) -> Self {
        Self {
            hub,
            helm: Arc::clone(helm),
            carrier: None,
            next_recording: 0,
        }
    }

    /// What carries the topics from here on, until each environment that asked for it let go of it:
    /// what `make` makes, unless somebody was first.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn carry<E>(
        &mut self,
        make: impl FnOnce(Carried) -> Result<Arc<dyn Carrier>, E>,
    ) -> Result<Arc<dyn Carrier>, E> {
        let topics = lock(&self.hub.topics);
        let mut slot = lock(&self.hub.carrier);
        let known = slot.as_ref().and_then(Weak::upgrade);
        let carrier = match known {
            Some(carrier) => carrier,
            None => {
                let carrier = make(Carried(Arc::downgrade(&self.hub)))?;
                for name in topics.keys() {
                    carrier.want(name, true);
                }
                *slot = Some(Arc::downgrade(&carrier));
                carrier
            }
        };
        self.carrier = Some(Arc::clone(&carrier));
        Ok(carrier)
    }

    /// This environment needs it no more.
    pub fn stop_carrying(&mut self) {
        self.carrier = None;
    }

    /// What this environment asked for.
    #[must_use]
    pub fn carrier(&self) -> Option<&Arc<dyn Carrier>> {
        self.carrier.as_ref()
    }

    /// One more connection of the reactor in this lane is subscribed: its SUBSCRIBE is written. How
    /// many are subscribed now, in all threads.
    pub fn join(&mut self, name: &str, lane: usize, topic: LocalTopic) -> u32 {
        let Some(seat) = self.helm.seats().get(lane) else {
            return 0;
        };
        self.hub.with_topic(name, |subscribers| {
            subscribers.add(&self.helm, seat, topic);
            subscribers.count()
        })
    }

    /// One of them is not any more; its UNSUBSCRIBE is to be written next. How many are left.
    pub fn leave(&mut self, name: &str, lane: usize) -> u32 {
        let Some(seat) = self.helm.seats().get(lane) else {
            return 0;
        };
        self.hub.without(name, |subscribers| {
            let routes = &mut subscribers.routes;
            let known = routes
                .iter()
                .position(|route| Arc::ptr_eq(&route.seat, seat));
            if let Some(index) = known {
                routes[index].count -= 1;
                if routes[index].count == 0 {
                    routes.swap_remove(index);
                }
            }
        })
    }

    /// Somebody subscribes who is to be told of earlier messages first: until then, what is published
    /// is taken down, up to so many bytes. The recording's number here, and how many are subscribed.
    pub fn record(&mut self, name: &str, most: usize) -> (u32, u32) {
        let id = self.next_recording;
        self.next_recording = id.wrapping_add(1);
        let recording = Recording::new(id, &self.helm, most);
        let count = self.hub.with_topic(name, |subscribers| {
            subscribers.recordings.push(recording);
            subscribers.count()
        });
        (id, count)
    }

    /// What was taken down since this was asked for last.
    pub fn take_notes(&mut self, name: &str, id: u32) -> Vec<Note> {
        let Some(subscribers) = self.hub.topic(name) else {
            return Vec::new();
        };
        let mut subscribers = lock(&subscribers);
        let at = subscribers.recording(&self.helm, id);
        at.map_or_else(Vec::new, |at| subscribers.recordings[at].take())
    }

    /// The connection gets what follows from its reactor, from behind what it was sent so far, unless
    /// there are notes that it was not sent: these are to be taken first.
    pub fn join_recorded(
        &mut self,
        name: &str,
        id: u32,
        lane: usize,
        slot: SlotId,
        topic: LocalTopic,
    ) -> Joined {
        let (Some(seat), Some(subscribers)) = (self.helm.seats().get(lane), self.hub.topic(name))
        else {
            return Joined::Gone;
        };
        let mut subscribers = lock(&subscribers);
        let Some(at) = subscribers.recording(&self.helm, id) else {
            return Joined::Gone;
        };
        if !subscribers.recordings[at].is_empty() {
            return Joined::NotYet;
        }
        let recording = subscribers.recordings.swap_remove(at);
        seat.subscribe(slot, topic.number);
        subscribers.add(&self.helm, seat, topic);
        if recording.has_overflowed() {
            Joined::WithoutSome
        } else {
            Joined::WithAll
        }
    }

    /// The recording ends. How many are left.
    pub fn stop_recording(&mut self, name: &str, id: u32) -> u32 {
        self.hub.without(name, |subscribers| {
            if let Some(at) = subscribers.recording(&self.helm, id) {
                subscribers.recordings.swap_remove(at);
            }
        })
    }

    /// Hands a message to the reactors of other environments, to recordings, but for those here that
    /// `skip` names, and, unless it is to stay in this process, to the carrier. How many subscribers
    /// other environments have.
    pub fn publish(&self, name: &str, message: Message<'_>, stays: bool, skip: &[u32]) -> u32 {
        let carry = || {
            let carrier = if stays { None } else { self.hub.carrier() };
            carrier.and_then(|carrier| carrier.publish(name, &message))
        };
        let topics = lock(&self.hub.topics);
        let Some(subscribers) = topics.get(name).map(Arc::clone) else {
            carry();
            return 0;
        };
        // Whoever begins or ends a recording does so before both or after both: what it is told of
        // by the engine it is not told of here as well, and the reverse.
        let mut subscribers = lock(&subscribers);
        drop(topics);
        let message = Message {
            mark: carry(),
            ..message
        };
        subscribers.hand_out(&message, Some(&self.helm), skip)
    }

    /// How many are subscribed to a topic, in all threads.
    #[must_use]
    pub fn count(&self, name: &str) -> u32 {
        let subscribers = self.hub.topic(name);
        subscribers.map_or(0, |subscribers| lock(&subscribers).count())
    }

    /// The topics that somebody is subscribed to, in all threads.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        lock(&self.hub.topics).keys().cloned().collect()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        lock(&self.hub.topics).retain(|name, subscribers| {
            let mut subscribers = lock(subscribers);
            let Subscribers { routes, recordings } = &mut *subscribers;
            routes.retain(|route| !Arc::ptr_eq(&route.helm, &self.helm));
            recordings.retain(|recording| !recording.is_of(&self.helm));
            if subscribers.is_empty() {
                self.hub.want(name, false);
            }
            !subscribers.is_empty()
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
