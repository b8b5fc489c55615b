//! Port mode: what becomes of connections before they are WebSockets.

use std::io;
use std::time::Duration;

use super::{Event, Side};
use crate::bridge::layout::{command, event, settings};
use crate::reactor::memory::{Backlog, CONNECTION_RESET, MemorySocket, pair};
use crate::reactor::network::Socket;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const TOO_MANY_FILES: i32 = 24;

fn listener() -> (Side, Backlog) {
    let mut side = Side::new();
    let backlog = Backlog::default();
    side.reactor
        .listen(backlog.clone(), 3, Box::new(Some))
        .unwrap();
    side.turn();
    (side, backlog)
}

fn visitor(side: &mut Side, backlog: &Backlog) -> MemorySocket {
    let (one, other) = pair(100_000);
    backlog.push(Ok(one));
    side.turn();
    other
}

/// A connection that asks for an upgrade.
fn asking(side: &mut Side, backlog: &Backlog) -> (MemorySocket, Event) {
    let other = visitor(side, backlog);
    other.send(REQUEST).unwrap();
    side.turn();
    let [request] = side.drain().try_into().unwrap();
    assert_eq!((request.head.tag, request.head.aux), (event::UPGRADE, 3));
    (other, request)
}

fn accept(side: &mut Side, request: &Event) {
    let mut payload = vec![0; settings::WORDS * 4];
    payload.extend_from_slice(b"101");
    side.command(command::ACCEPT, 0, 0, request.id(), &payload);
}

#[test]
fn a_silent_visitor_is_answered_and_dropped_when_its_time_is_over() {
    let (mut side, backlog) = listener();
    let other = visitor(&mut side, &backlog);
    other.send(b"GET / HT").unwrap();
    side.turn();
    let deadline = side.reactor.next_deadline().unwrap();
    assert_eq!(deadline - side.now, Duration::from_secs(60));
    side.wait(Duration::from_secs(59));
    side.turn();
    assert!(!other.is_ended());
    side.wait(Duration::from_secs(1));
    side.turn();
    assert!(other.receive_all().starts_with(b"HTTP/1.1 408 "));
    assert!(other.is_ended());
    assert_eq!(side.drain(), []);
}

#[test]
fn plain_requests_are_answered_on_one_connection_which_then_times_out() {
    let (mut side, backlog) = listener();
    let other = visitor(&mut side, &backlog);
    for _ in 0..3 {
        other.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        side.turn();
        assert!(other.receive_all().starts_with(b"HTTP/1.1 426 "));
    }
    side.wait(Duration::from_secs(5));
    side.turn();
    assert!(other.is_ended());
    assert_eq!(side.reactor.next_deadline(), None, "its timers are gone");
}

#[test]
fn an_upgrade_goes_to_javascript_and_its_rest_to_the_connection() {
    let (mut side, backlog) = listener();
    let (other, request) = asking(&mut side, &backlog);
    // Before the decision nothing of it is read.
    other.send(b"\x81\x80\0\0\0\0").unwrap();
    side.turn();
    assert_eq!(side.drain(), []);
    accept(&mut side, &request);
    side.turn();
    assert_eq!(other.receive_all(), b"101");
    let [message] = side.drain().try_into().unwrap();
    assert_eq!(
        (message.head.tag, message.id()),
        (event::MESSAGE, request.id())
    );
}

#[test]
fn options_and_pauses_before_the_decision_leave_it_an_upgrade() {
    let (mut side, backlog) = listener();
    let (other, request) = asking(&mut side, &backlog);
    let id = request.id();
    side.order(command::NO_DELAY, id, 0);
    side.run(command::KEEP_ALIVE, 0, 1, id, 0, &[]);
    side.order(command::PAUSE, id, 0);
    side.order(command::WATCH, id, 0);
    accept(&mut side, &request);
    other.send(b"\x81\x80\0\0\0\0").unwrap();
    side.turn();
    assert_eq!(other.receive_all(), b"101");
    assert_eq!(side.drain(), [], "it is paused");
    side.order(command::RESUME, id, 0);
    side.turn();
    assert_eq!(side.drain().len(), 1);
}

#[test]
fn an_undecided_request_whose_peer_resets_is_gone() {
    for watched in [false, true] {
        let (mut side, backlog) = listener();
        let (other, request) = asking(&mut side, &backlog);
        if watched {
            side.order(command::WATCH, request.id(), 0);
        }
        other.reset();
        side.turn();
        let [gone] = side.drain().try_into().unwrap();
        assert_eq!(gone.head.tag, event::GONE);
        assert_eq!(gone.head.argument, CONNECTION_RESET as u32);
    }
}

#[test]
fn an_undecided_request_whose_peer_leaves_is_gone_if_somebody_asked() {
    let (mut side, backlog) = listener();
    let (other, request) = asking(&mut side, &backlog);
    side.order(command::WATCH, request.id(), 0);
    drop(other);
    side.turn();
    let [gone] = side.drain().try_into().unwrap();
    assert_eq!((gone.head.tag, gone.head.argument), (event::GONE, 0));
}

#[test]
fn without_descriptors_accepting_pauses_and_goes_on() {
    let (mut side, backlog) = listener();
    let (one, other) = pair(1000);
    backlog.push(Err(io::Error::from_raw_os_error(TOO_MANY_FILES)));
    backlog.push(Ok(one));
    side.turn();
    other.send(REQUEST).unwrap();
    side.turn();
    assert_eq!(side.drain(), [], "it is not accepted yet");
    let pause = side.reactor.next_deadline().unwrap() - side.now;
    assert!(pause > Duration::ZERO);
    side.wait(pause);
    side.turn();
    side.turn();
    assert_eq!(side.drain().len(), 1);
}

#[test]
fn one_connection_that_fails_to_be_accepted_costs_nothing() {
    let (mut side, backlog) = listener();
    let (one, other) = pair(1000);
    backlog.push(Err(io::ErrorKind::ConnectionAborted.into()));
    backlog.push(Ok(one));
    other.send(REQUEST).unwrap();
    side.turn();
    assert_eq!(side.drain().len(), 1);
}

#[test]
fn a_listener_that_closes_drops_visitors_and_keeps_requests() {
    let (mut side, backlog) = listener();
    let other = visitor(&mut side, &backlog);
    let (asker, request) = asking(&mut side, &backlog);
    side.reactor.unlisten(3);
    assert!(other.is_ended());
    accept(&mut side, &request);
    assert_eq!(asker.receive_all(), b"101");
}
