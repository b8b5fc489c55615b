//! Heartbeats in virtual time: who is silent is pinged once, and given up when nothing comes.

use std::time::Duration;

use super::Side;
use crate::bridge::SlotId;
use crate::bridge::layout::{command, event, flag, settings};
use crate::reactor::memory::{MemorySocket, pair};
use crate::reactor::network::Socket;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(1);
const PING: &[u8] = &[0x89, 0];
/// A masked pong without payload.
const PONG: &[u8] = &[0x8a, 0x80, 1, 2, 3, 4];
/// A masked message of one byte.
const MESSAGE: &[u8] = &[0x82, 0x81, 0, 0, 0, 0, 7];

fn beating(capacity: usize, flags: u32) -> (Side, SlotId, MemorySocket) {
    beating_as(capacity, flags, INTERVAL, TIMEOUT)
}

fn beating_as(
    capacity: usize,
    flags: u32,
    interval: Duration,
    timeout: Duration,
) -> (Side, SlotId, MemorySocket) {
    let mut side = Side::new();
    let (one, other) = pair(capacity);
    let mut words = [0; settings::WORDS];
    words[settings::FLAGS] = flags;
    words[settings::HEARTBEAT_INTERVAL] = interval.as_millis() as u32;
    words[settings::HEARTBEAT_TIMEOUT] = timeout.as_millis() as u32;
    let id = side.adopt_with(one, words);
    side.turn();
    (side, id, other)
}

fn tags(side: &mut Side) -> Vec<u8> {
    side.drain().iter().map(|event| event.head.tag).collect()
}

fn pass(side: &mut Side, time: Duration) {
    side.wait(time);
    side.turn();
}

#[test]
fn a_silent_peer_is_pinged_once_and_then_given_up() {
    let (mut side, _, other) = beating(1000, 0);
    assert_eq!(side.reactor.next_deadline(), Some(side.now + INTERVAL));
    pass(&mut side, INTERVAL - MOMENT);
    assert_eq!(other.receive_all(), b"");
    pass(&mut side, MOMENT);
    assert_eq!(other.receive_all(), PING);
    for _ in 0..10 {
        pass(&mut side, MOMENT);
    }
    pass(&mut side, TIMEOUT - 11 * MOMENT);
    assert_eq!((other.receive_all().len(), other.is_ended()), (0, false));
    pass(&mut side, MOMENT);
    assert!(other.is_ended());
    assert_eq!(tags(&mut side), [event::GONE]);
    // What is left is the memory of the ping, which is given back.
    for _ in 0..5 {
        pass(&mut side, INTERVAL);
    }
    assert_eq!(side.reactor.next_deadline(), None);
}

#[test]
fn an_answer_or_anything_else_begins_a_new_interval() {
    let (mut side, _, other) = beating(1000, 0);
    for answer in [PONG, MESSAGE, &MESSAGE[..1], &MESSAGE[1..]] {
        pass(&mut side, INTERVAL);
        assert_eq!(other.receive_all(), PING);
        pass(&mut side, TIMEOUT - MOMENT);
        other.send(answer).unwrap();
        pass(&mut side, MOMENT);
        assert_eq!(other.receive_all(), b"");
        // From the answer on, not from the ping.
        pass(&mut side, INTERVAL - MOMENT);
        assert_eq!(other.receive_all(), b"");
        other.send(PONG).unwrap();
        pass(&mut side, MOMENT);
        assert_eq!(other.receive_all(), b"");
    }
    assert!(!other.is_ended());
}

#[test]
fn a_time_to_answer_that_is_longer_than_the_interval_delays_no_ping() {
    let (mut side, _, other) = beating_as(1000, 0, TIMEOUT, 5 * TIMEOUT);
    for _ in 0..5 {
        pass(&mut side, TIMEOUT);
        assert_eq!(other.receive_all(), PING);
        other.send(PONG).unwrap();
        side.turn();
    }
    for _ in 0..5 {
        assert!(!other.is_ended());
        pass(&mut side, TIMEOUT);
    }
    assert_eq!(
        (other.receive_all(), other.is_ended()),
        (PING.to_vec(), false)
    );
    pass(&mut side, TIMEOUT);
    assert!(other.is_ended());
}

#[test]
fn who_talks_is_never_asked() {
    let (mut side, _, other) = beating(1000, 0);
    for _ in 0..20 {
        pass(&mut side, INTERVAL / 2);
        other.send(MESSAGE).unwrap();
        side.turn();
    }
    assert_eq!(other.receive_all(), b"");
    assert_eq!(tags(&mut side), [event::MESSAGE; 20]);
}

#[test]
fn while_we_do_not_read_the_peer_need_not_answer() {
    let (mut side, id, other) = beating(1000, 0);
    side.order(command::PAUSE, id, 0);
    other.send(MESSAGE).unwrap();
    side.turn();
    for _ in 0..10 {
        pass(&mut side, INTERVAL + TIMEOUT);
    }
    assert!(!other.is_ended());
    side.order(command::RESUME, id, 0);
    side.turn();
    assert_eq!(tags(&mut side), [event::MESSAGE]);
    // With nothing unread a paused connection is as any other.
    side.order(command::PAUSE, id, 0);
    for _ in 0..4 {
        pass(&mut side, INTERVAL);
    }
    assert!(other.is_ended());
}

#[test]
fn a_peer_that_reads_what_it_is_sent_is_there() {
    let (mut side, id, other) = beating(100, 0);
    side.frame(id, flag::FIN, 2, &[1; 4000]);
    for _ in 0..20 {
        pass(&mut side, INTERVAL);
        assert!(!other.is_ended());
        other.receive_all();
        side.turn();
    }
}

#[test]
fn a_ping_goes_between_fragments_and_is_masked_by_a_client() {
    let (mut side, id, other) = beating(1000, settings::CLIENT);
    side.frame(id, flag::MASK, 2, b"part");
    other.receive_all();
    pass(&mut side, INTERVAL);
    let ping = other.receive_all();
    assert_eq!((ping.len(), &ping[..2]), (6, &[0x89, 0x80][..]));
}

#[test]
fn no_ping_follows_a_close_frame_or_the_end() {
    for end in [false, true] {
        let (mut side, id, other) = beating(1000, 0);
        if end {
            side.order(command::END, id, 0);
        } else {
            side.frame(id, flag::FIN, 8, &[3, 232]);
        }
        other.receive_all();
        for _ in 0..10 {
            pass(&mut side, INTERVAL);
        }
        assert_eq!(other.receive_all(), b"");
        assert_eq!(side.drain(), []);
    }
}

#[test]
fn a_connection_that_goes_takes_its_deadline_along() {
    let (mut side, id, other) = beating(1000, 0);
    let (again, _other) = pair(1000);
    drop(other);
    side.order(command::DESTROY, id, 0);
    assert_eq!(side.reactor.next_deadline(), None);
    // The next one has the same number.
    side.adopt(again, 0, 0);
    side.order(command::DESTROY, id, 0);
    pass(&mut side, INTERVAL * 2);
    assert_eq!(tags(&mut side), [event::GONE]);
    let (mut side, id, _other) = beating(1000, 0);
    assert!(side.reactor.extract(id, 0).is_some());
    assert_eq!(side.reactor.next_deadline(), None);
}

#[test]
fn what_javascript_did_not_send_does_not_count_as_sent_by_it() {
    let (mut side, id, other) = beating(1000, 0);
    side.frame(id, flag::FIN, 2, &[1; 100]);
    assert_eq!(side.written(id), 102);
    pass(&mut side, INTERVAL);
    assert_eq!(other.receive_all().len(), 104);
    assert_eq!(side.written(id), 102);
    let counts = side.reactor.counts(id).unwrap();
    assert_eq!(counts.sent, 104);
    // While it waits it is one of the bytes that wait.
    other.send(PONG).unwrap();
    side.turn();
    side.frame(id, flag::FIN, 2, &[1; 2000]);
    let waiting = 102 + 2004 - side.written(id);
    pass(&mut side, INTERVAL);
    assert_eq!(102 + 2004 - side.written(id), waiting + 2);
    while !other.receive_all().is_empty() {
        side.turn();
    }
    assert_eq!(side.written(id), 102 + 2004);
}
