//! Topics that several JavaScript threads share.
//!
//! Owns: [`Membership`], one environment's part in a hub of some name; the hubs of
//! the process, which live as long as somebody takes part. A publish is handed to the
//! reactors that own the subscribers; no other thread's JavaScript is entered.
//! Runs on: js (all of it), with locks that are held for as long as it takes to queue.
//! INVARIANT: a reactor's number for a topic is used only under the lock of the topic's
//! routes, and given to another topic only after its route is gone.
//! Tests: `__test__/process/hub.test.js`; the place in the order: `bridge/models/lane.rs`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use super::helm::Helm;
use super::seat::Seat;
use crate::bridge::Block;
use crate::reactor::Foreign;
use crate::sync::{Mutex, MutexGuard};

/// The hubs of the process.
static HUBS: std::sync::Mutex<BTreeMap<String, Weak<Hub>>> = std::sync::Mutex::new(BTreeMap::new());

#[derive(Debug, Default)]
struct Hub {
    topics: Mutex<HashMap<String, Arc<Routes>>>,
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
}

impl Membership {
    /// Takes part in the hub of this name.
    pub(super) fn new(name: &str, helm: &Arc<Helm>) -> Self {
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
        }
    }

    /// One more connection of the reactor in this lane is subscribed: its SUBSCRIBE is written. How
    /// many are subscribed now, in all threads.
    pub fn join(&mut self, name: &str, lane: usize, topic: u32) -> u32 {
        let Some(seat) = self.helm.seats().get(lane) else {
            return 0;
        };
        let mut topics = lock(&self.hub.topics);
        let routes = topics.entry(name.to_owned()).or_default();
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
        }
        total(&routes)
    }

    /// Hands a message to the reactors of other environments. How many subscribers they have.
    pub fn publish(&self, name: &str, message: &Message<'_>) -> u32 {
        let Some(routes) = lock(&self.hub.topics).get(name).map(Arc::clone) else {
            return 0;
        };
        let mut block: Option<Block> = None;
        let mut count = 0;
        // While this is held, nobody else gets the number of a topic in a reactor.
        let routes = lock(&routes);
        for route in routes
            .iter()
            .filter(|route| !Arc::ptr_eq(&route.helm, &self.helm))
        {
            let payload = block.get_or_insert_with(|| {
                let pool = self.helm.seats().first();
                let pool = pool.unwrap_or(&route.seat).lane().environment();
                Block::copy_of(message.payload, &pool.pool)
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
        lock(&self.hub.topics).retain(|_, routes| {
            let mut routes = lock(routes);
            routes.retain(|route| !Arc::ptr_eq(&route.helm, &self.helm));
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
