//! Model: the inbox and the doorbell, between two reactors and JavaScript.
//!
//! Claims: JavaScript that sleeps until the bell rings drains every event of each
//! reactor, in order; a ring while the bell is exchanged or not up is heard by the
//! next one.

use std::sync::Arc;

use loom::thread;

use crate::bridge::layout::{Head, event};
use crate::bridge::{Batch, Environment, Inbox, Lane, Ring};
use crate::sync::{Notify, block_on, check};

/// A threadsafe function: each call makes JavaScript look once more.
struct Bell(Arc<Notify>);

impl Ring for Bell {
    fn ring(&self) {
        self.0.notify_one();
    }
}

fn event(slot: u32) -> Head {
    Head::from_words([u32::from(event::EOF), slot, 1, 0])
}

fn deliver(lane: &Lane, slot: u32) {
    let mut batch = Batch::default();
    batch.push(event(slot));
    lane.deliver(&mut batch);
    lane.environment().doorbell.ring();
}

fn drain(inbox: &Inbox, into: &mut Vec<u32>) {
    let mut heads = [0; 16];
    let drained = inbox.drain(&mut heads, &mut []);
    into.extend(heads.chunks(4).take(drained.records).map(|head| head[1]));
    assert!(!drained.more);
}

#[test]
fn javascript_that_sleeps_until_the_bell_rings_misses_nothing() {
    check(Some(3), || {
        let environment = Arc::<Environment>::default();
        let called = Arc::<Notify>::default();
        let bell = Bell(Arc::clone(&called));
        environment.doorbell.install(Some(Box::new(bell)));
        let lanes = [Lane::new(&environment), Lane::new(&environment)];
        let reactors: Vec<_> = lanes
            .iter()
            .map(|lane| {
                let lane = Arc::clone(lane);
                thread::spawn(move || {
                    deliver(&lane, 1);
                    deliver(&lane, 2);
                })
            })
            .collect();
        let mut got = [Vec::new(), Vec::new()];
        while got.iter().any(|slots| slots.len() < 2) {
            block_on(called.notified());
            environment.doorbell.answer();
            for (lane, slots) in lanes.iter().zip(&mut got) {
                drain(lane.inbox(), slots);
            }
        }
        assert_eq!(got, [[1, 2], [1, 2]]);
        for reactor in reactors {
            reactor.join().unwrap();
        }
    });
}

/// The bell is exchanged when the process is referenced or not, and taken down with the last
/// connection.
#[test]
fn a_ring_while_the_bell_is_exchanged_is_heard() {
    check(None, || {
        let environment = Arc::<Environment>::default();
        let lane = Lane::new(&environment);
        let deaf = Arc::<Notify>::default();
        environment
            .doorbell
            .install(Some(Box::new(Bell(Arc::clone(&deaf)))));
        let theirs = Arc::clone(&lane);
        let reactor = thread::spawn(move || deliver(&theirs, 1));
        environment.doorbell.install(None);
        let called = Arc::<Notify>::default();
        let bell = Bell(Arc::clone(&called));
        environment.doorbell.install(Some(Box::new(bell)));
        let mut got = Vec::new();
        while got.is_empty() {
            // What the first bell said was said before it was taken down, and is said again.
            block_on(called.notified());
            environment.doorbell.answer();
            drain(lane.inbox(), &mut got);
        }
        assert_eq!(got, [1]);
        reactor.join().unwrap();
    });
}
