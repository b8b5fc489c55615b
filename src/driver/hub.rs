//! Topics that several JavaScript threads share.
//!
//! Owns: [`Membership`], one environment's part in a hub; the hubs of the process, which
//! live as long as somebody takes part. A publish is handed to the reactors that own the
//! subscribers, and to what carries it to other processes ([`Carrier`]).
//! Runs on: js; worker ([`Carried`]). Locks are held for as long as it takes to queue.
//! INVARIANT: a reactor's number for a topic is used only under the lock of the topic's
//! routes, and given to another topic only after its route is gone.
//! Tests: `__test__/process/hub.test.js`; the place in the order: `bridge/models/lane.rs`.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use super::helm::Helm;
use super::seat::Seat;
use crate::bridge::Block;
use crate::reactor::Foreign;
use crate::sync::{Mutex, MutexGuard};

/// The hubs of the process.
static HUBS: std::sync::Mutex<BTreeMap<String, Weak<Hub>>> = std::sync::Mutex::new(BTreeMap::new());

/// Takes what is published to the topics of a hub to other processes. Never calls the hub back.
pub trait Carrier: Any + Send + Sync + std::fmt::Debug {
    /// A topic has its first subscriber, or lost its last one.
    fn want(&self, topic: &str, wanted: bool);
    /// Somebody here published.
    fn publish(&self, topic: &str, message: &Message<'_>);
}

#[derive(Debug, Default)]
struct Hub {
    topics: Mutex<HashMap<String, Arc<Routes>>>,
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

    /// Hands a message to reactors, those of an environment excepted. How many subscribers they have.
    fn hand_out(&self, name: &str, message: &Message<'_>, except: Option<&Arc<Helm>>) -> u32 {
        let Some(routes) = lock(&self.topics).get(name).map(Arc::clone) else {
            return 0;
        };
        let mut block: Option<Block> = None;
        let mut count = 0;
        // While this is held, nobody else gets the number of a topic in a reactor.
        let routes = lock(&routes);
        let others = routes
            .iter()
            .filter(|route| except.is_none_or(|helm| !Arc::ptr_eq(&route.helm, helm)));
        for route in others {
            let payload = block.get_or_insert_with(|| {
                Block::copy_of(message.payload, &route.seat.lane().environment().pool)
            });
            route.seat.publish(Foreign {
                topic: route.topic,
                opcode: message.opcode,
                compress: message.compress,
                payload: payload.clone(),
            });
            route.helm.rouse();
            count += route.count;
        }
        count
    }
}

/// A hub as its carrier sees it.
#[derive(Clone, Debug)]
pub struct Carried(Weak<Hub>);

impl Carried {
    /// Hands a message to all subscribers of this process. How many they are.
    pub fn deliver(&self, name: &str, message: &Message<'_>) -> u32 {
        let hub = self.0.upgrade();
        hub.map_or(0, |hub| hub.hand_out(name, message, None))
    }
}

/// Where the subscribers of a topic are.
type Routes = Mutex<Vec<Route>>;

/// Subscribers of one reactor.
#[derive(Debug)]
struct Route {
    helm: Arc<Helm>,
    seat: Arc<Seat>,
    /// The number of the topic in this reactor.
    topic: u32,
    count: u32,
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
}

/// What one environment has to do with a hub.
#[derive(Debug)]
pub struct Membership {
    hub: Arc<Hub>,
    helm: Arc<Helm>,
    carrier: Option<Arc<dyn Carrier>>,
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
    pub fn join(&mut self, name: &str, lane: usize, topic: u32) -> u32 {
        let Some(seat) = self.helm.seats().get(lane) else {
            return 0;
        };
        let mut topics = lock(&self.hub.topics);
        if !topics.contains_key(name) {
            topics.insert(name.to_owned(), Arc::default());
            self.hub.want(name, true);
        }
        let Some(routes) = topics.get(name) else {
            return 0;
        };
        let mut routes = lock(routes);
        let known = routes
            .iter_mut()
            .find(|route| Arc::ptr_eq(&route.seat, seat));
        match known {
            Some(route) => route.count += 1,
            None => routes.push(Route {
                helm: Arc::clone(&self.helm),
                seat: Arc::clone(seat),
                topic,
                count: 1,
            }),
        }
        total(&routes)
    }

    /// One of them is not any more; its UNSUBSCRIBE is to be written next. How many are left.
    pub fn leave(&mut self, name: &str, lane: usize) -> u32 {
        let Some(seat) = self.helm.seats().get(lane) else {
            return 0;
        };
        let mut topics = lock(&self.hub.topics);
        let Some(routes) = topics.get(name).map(Arc::clone) else {
            return 0;
        };
        let mut routes = lock(&routes);
        let known = routes
            .iter()
            .position(|route| Arc::ptr_eq(&route.seat, seat));
        if let Some(index) = known {
            routes[index].count -= 1;
            if routes[index].count == 0 {
                routes.swap_remove(index);
            }
        }
        if routes.is_empty() {
            topics.remove(name);
            self.hub.want(name, false);
        }
        total(&routes)
    }

    /// Hands a message to the reactors of other environments, and, unless it is to stay in this
    /// process, to the carrier. How many subscribers those reactors have.
    pub fn publish(&self, name: &str, message: &Message<'_>, stays: bool) -> u32 {
        if !stays && let Some(carrier) = self.hub.carrier() {
            carrier.publish(name, message);
        }
        self.hub.hand_out(name, message, Some(&self.helm))
    }

    /// How many are subscribed to a topic, in all threads.
    #[must_use]
    pub fn count(&self, name: &str) -> u32 {
        let routes = lock(&self.hub.topics).get(name).map(Arc::clone);
        routes.map_or(0, |routes| total(&lock(&routes)))
    }

    /// The topics that somebody is subscribed to, in all threads.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        lock(&self.hub.topics).keys().cloned().collect()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        lock(&self.hub.topics).retain(|name, routes| {
            let mut routes = lock(routes);
            routes.retain(|route| !Arc::ptr_eq(&route.helm, &self.helm));
            if routes.is_empty() {
                self.hub.want(name, false);
            }
            !routes.is_empty()
        });
    }
}

fn total(routes: &[Route]) -> u32 {
    routes.iter().map(|route| route.count).sum()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
