//! What a peer may send in a second, in virtual time: push-back loses nothing, and closing tells once.

use std::time::Duration;

use super::{Side, deflate};
use crate::bridge::SlotId;
use crate::bridge::layout::{command, event, flag, settings};
use crate::reactor::memory::{MemorySocket, pair};
use crate::reactor::network::Socket;

const SECOND: Duration = Duration::from_secs(1);

fn limited(messages: u32, bytes: u32, flags: u32, packed: u32) -> (Side, SlotId, MemorySocket) {
    let mut side = Side::new();
    let (one, other) = pair(1 << 20);
    let mut words = [0; settings::WORDS];
    words[settings::FLAGS] = flags;
    words[settings::COMPRESSION] = packed;
    words[settings::INBOUND_MESSAGES] = messages;
    words[settings::INBOUND_BYTES] = bytes;
    let id = side.adopt_with(one, words);
    side.turn();
    (side, id, other)
}

/// A masked binary message that begins with a number.
fn message(number: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0x82];
    if length < 126 {
        bytes.push(0x80 | length as u8);
    } else {
        bytes.push(0x80 | 127);
        bytes.extend_from_slice(&(length as u64).to_be_bytes());
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.push(number);
    bytes.resize(bytes.len() + length - 1, 0);
    bytes
}

fn numbers(side: &mut Side) -> Vec<u8> {
    for _ in 0..40 {
        side.turn();
    }
    let events = side.drain();
    assert!(events.iter().all(|event| event.head.tag == event::MESSAGE));
    events.iter().map(|event| event.payload[0]).collect()
}

#[test]
fn what_exceeds_a_second_comes_later_and_in_order() {
    let (mut side, _, other) = limited(10, 0, 0, 0);
    for number in 0..25 {
        other.send(&message(number, 3)).unwrap();
    }
    let mut got = numbers(&mut side);
    assert_eq!(got, (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&mut side), b"");
    for _ in 0..15 {
        side.wait(SECOND / 10);
        let more = numbers(&mut side);
        assert_eq!(more.len(), 1);
        got.extend(more);
    }
    assert_eq!(got, (0..25).collect::<Vec<_>>());
    // Silence fills the bucket, and no more than that.
    side.wait(SECOND * 60);
    for number in 0..25 {
        other.send(&message(number, 3)).unwrap();
    }
    assert_eq!(numbers(&mut side).len(), 10);
}

#[test]
fn pings_count_as_messages() {
    let (mut side, _, other) = limited(5, 0, 0, 0);
    for _ in 0..9 {
        other.send(&[0x89, 0x80, 0, 0, 0, 0]).unwrap();
    }
    side.turn();
    side.turn();
    assert_eq!(side.drain().len(), 5);
}

#[test]
fn bytes_are_left_to_the_kernel() {
    let (mut side, id, other) = limited(0, 100_000, 0, 0);
    for number in 0..50 {
        other.send(&message(number, 10_000)).unwrap();
    }
    let mut got = numbers(&mut side);
    assert_eq!(got.len(), 9);
    let mut seconds = 0;
    while got.len() < 50 {
        side.wait(SECOND);
        got.extend(numbers(&mut side));
        seconds += 1;
        let read = side.reactor.counts(id).unwrap().received;
        assert!(read <= 100_000 * (seconds + 1), "{read} in {seconds} s");
    }
    assert_eq!(got, (0..50).collect::<Vec<_>>());
    assert_eq!(seconds, 5);
}

#[test]
fn a_message_that_is_larger_than_the_limit_comes_in_the_end() {
    let (mut side, _, other) = limited(0, 1000, 0, 0);
    other.send(&message(7, 20_000)).unwrap();
    let mut got = Vec::new();
    for _ in 0..30 {
        got.extend(numbers(&mut side));
        side.wait(SECOND);
    }
    assert_eq!(got, [7]);
}

#[test]
fn what_is_held_back_survives_a_pause_an_end_and_giving_back() {
    let (mut side, id, other) = limited(2, 0, 0, 0);
    for number in 0..6 {
        other.send(&message(number, 3)).unwrap();
    }
    other.shutdown_write();
    assert_eq!(numbers(&mut side), [0, 1]);
    side.order(command::PAUSE, id, 0);
    side.wait(SECOND);
    assert_eq!(numbers(&mut side), b"");
    side.order(command::RESUME, id, 0);
    assert_eq!(numbers(&mut side), [2, 3]);
    let extract = side.reactor.extract(id, 0).unwrap();
    assert_eq!(extract.held, [message(4, 3), message(5, 3)].concat());
    assert_eq!(side.reactor.next_deadline(), None);
}

#[test]
fn an_end_is_told_behind_what_was_held_back() {
    let (mut side, _, other) = limited(1, 0, 0, 0);
    other
        .send(&[message(0, 3), message(1, 3)].concat())
        .unwrap();
    drop(other);
    assert_eq!(numbers(&mut side), [0]);
    side.wait(SECOND);
    side.turn();
    side.turn();
    let tags: Vec<u8> = side.drain().iter().map(|event| event.head.tag).collect();
    assert_eq!(tags, [event::MESSAGE]);
    side.wait(SECOND);
    side.turn();
    let tags: Vec<u8> = side.drain().iter().map(|event| event.head.tag).collect();
    assert_eq!(tags, [event::EOF]);
}

#[test]
fn a_peer_that_exceeds_is_left_and_told_of_once() {
    for (messages, bytes, which) in [(3, 0, 1), (0, 36, 2)] {
        let (mut side, _, other) = limited(messages, bytes, settings::INBOUND_CLOSES, 0);
        for number in 0..3 {
            other.send(&message(number, 5)).unwrap();
            side.turn();
        }
        assert_eq!(numbers(&mut side), [0, 1, 2]);
        for _ in 0..3 {
            other.send(&message(9, 5)).unwrap();
            side.turn();
        }
        let [told] = side.drain().try_into().unwrap();
        assert_eq!((told.head.tag, told.head.aux), (event::LIMITED, which));
        side.wait(SECOND * 5);
        other.send(&message(9, 5)).unwrap();
        side.turn();
        assert_eq!(side.drain(), []);
    }
}

#[test]
fn who_stays_within_the_limit_is_never_left() {
    let (mut side, _, other) = limited(10, 110, settings::INBOUND_CLOSES, 0);
    for number in 0..100 {
        other.send(&message(number, 5)).unwrap();
        assert_eq!(numbers(&mut side), [number]);
        side.wait(SECOND / 10);
    }
}

#[test]
fn compressed_messages_count_when_they_are_inflated() {
    let (mut far, id, socket) = {
        let (mut far, near) = (Side::new(), pair(1 << 20));
        let id = far.adopt(near.0, settings::CLIENT, deflate(true));
        far.turn();
        (far, id, near.1)
    };
    let mut side = Side::new();
    let mut words = [0; settings::WORDS];
    words[settings::COMPRESSION] = deflate(true);
    words[settings::INBOUND_MESSAGES] = 1;
    side.adopt_with(socket, words);
    let flags = flag::FIN | flag::MASK | flag::COMPRESS;
    for number in 0..3 {
        far.frame(id, flags, 2, &vec![number; 600_000]);
    }
    let mut got = Vec::new();
    for _ in 0..4 {
        for _ in 0..2000 {
            far.turn();
            side.turn();
            got.extend(side.drain().iter().map(|event| event.payload[0]));
        }
        got.push(99);
        side.wait(SECOND);
    }
    assert_eq!(got, [0, 99, 1, 99, 2, 99, 99]);
}
