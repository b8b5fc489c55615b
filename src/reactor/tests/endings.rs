//! How connections end: exactly one GONE, with the right error number, and nothing
//! after it.

use super::{Side, settle};
use crate::bridge::SlotId;
use crate::bridge::layout::{command, event, flag, settings};
use crate::reactor::Socket;
use crate::reactor::memory::{CONNECTION_RESET, MemorySocket, pair};

/// A connection whose other end is the test's.
fn connection() -> (Side, SlotId, MemorySocket) {
    let mut side = Side::new();
    let (one, other) = pair(1000);
    let id = side.adopt(one, 0, 0);
    side.turn();
    (side, id, other)
}

/// Tags and arguments of what a side reports in its next turns.
fn heard(side: &mut Side) -> Vec<(u8, u32)> {
    for _ in 0..5 {
        side.turn();
    }
    let events = side.drain();
    events
        .iter()
        .map(|event| (event.head.tag, event.head.argument))
        .collect()
}

#[test]
fn a_peer_that_leaves_is_reported_and_our_end_follows() {
    let (mut side, id, other) = connection();
    drop(other);
    assert_eq!(heard(&mut side), [(event::EOF, 0)]);
    side.order(command::END, id, 0);
    assert_eq!(heard(&mut side), [(event::GONE, 0)]);
    side.order(command::DESTROY, id, 0);
    side.order(command::RELEASE, id, 0);
    assert_eq!(heard(&mut side), []);
    assert!(side.reactor.is_empty());
}

#[test]
fn an_end_waits_for_what_was_sent_before_it() {
    let (mut side, id, other) = connection();
    side.frame(id, flag::FIN, 2, &[1; 5000]);
    side.order(command::END, id, 0);
    let mut got = 0;
    while !other.is_ended() {
        got += other.receive_all().len();
        side.turn();
    }
    got += other.receive_all().len();
    assert_eq!(got, 5004);
    assert_eq!(heard(&mut side), [], "the peer has not ended");
    drop(other);
    assert_eq!(heard(&mut side), [(event::GONE, 0)]);
}

#[test]
fn an_end_with_close_does_not_wait_for_the_peer() {
    let (mut side, id, other) = connection();
    side.order(command::END, id, 1);
    assert_eq!(heard(&mut side), [(event::GONE, 0)]);
    assert!(other.is_ended());
}

#[test]
fn a_reset_is_noticed_while_reading_pauses_behind_what_was_sent_before_it() {
    for queued in [0, 5000] {
        let (mut side, id, other) = connection();
        side.order(command::PAUSE, id, 0);
        side.frame(id, flag::FIN, 2, &vec![1; queued]);
        for _ in 0..20 {
            assert!(other.send(&[0x81, 0x80, 1, 2, 3, 4]).is_ok());
        }
        assert!(
            heard(&mut side)
                .iter()
                .all(|(tag, _)| *tag == event::WRITTEN)
        );
        other.reset();
        let mut events = heard(&mut side);
        events.retain(|(tag, _)| *tag != event::WRITTEN);
        let gone = events.pop();
        assert_eq!(gone, Some((event::GONE, CONNECTION_RESET as u32)));
        assert_eq!(events, [(event::MESSAGE, 0); 20]);
    }
}

#[test]
fn a_reset_carries_its_error_number_whatever_is_under_way() {
    for queued in [0, 5000] {
        for ends in [false, true] {
            let (mut side, id, other) = connection();
            side.frame(id, flag::FIN | flag::ACK, 2, &vec![1; queued]);
            if ends {
                side.order(command::END, id, 0);
            }
            let mut events = heard(&mut side);
            other.reset();
            events.extend(heard(&mut side));
            events.retain(|(tag, _)| *tag != event::WRITTEN);
            assert_eq!(events, [(event::GONE, CONNECTION_RESET as u32)]);
            assert_eq!(heard(&mut side), []);
            assert!(side.reactor.is_flushed());
        }
    }
}

#[test]
fn destroying_is_immediate_and_final() {
    let (mut side, id, other) = connection();
    side.frame(id, flag::FIN, 2, &[1; 5000]);
    side.order(command::DESTROY, id, 0);
    side.frame(id, flag::FIN, 2, &[1; 50]);
    side.order(command::DESTROY, id, 0);
    assert_eq!(heard(&mut side), [(event::GONE, 0)]);
    assert!(other.is_ended());
}

#[test]
fn a_slot_is_given_away_again_after_its_release_and_only_once() {
    let (mut side, first, other) = connection();
    drop(other);
    side.order(command::DESTROY, first, 0);
    heard(&mut side);
    let (one, _kept) = pair(10);
    let second = side.adopt(one, 0, 0);
    assert_ne!(second.slot, first.slot, "JavaScript has not released it");
    side.order(command::RELEASE, first, 0);
    side.order(command::RELEASE, first, 0);
    let (one, far) = pair(1000);
    let third = side.adopt(one, 0, 0);
    assert_eq!(third.slot, first.slot);
    assert_ne!(third.generation, first.generation);
    side.frame(third, flag::FIN, 1, b"mine");
    let written = side.written(third);
    for tag in [
        command::RELEASE,
        command::DESTROY,
        command::END,
        command::PAUSE,
    ] {
        side.order(tag, first, 0);
    }
    side.frame(first, flag::FIN, 1, b"stale");
    assert_eq!(side.written(third), written, "nobody's counter is touched");
    assert_eq!(far.receive_all(), b"\x81\x04mine");
    assert_eq!(heard(&mut side), []);
    let (one, _far) = pair(10);
    assert_ne!(
        side.adopt(one, 0, 0).slot,
        third.slot,
        "it was released once"
    );
}

#[test]
fn a_violation_is_the_last_that_is_read() {
    let mut near = Side::new();
    let mut far = Side::new();
    let (one, other) = pair(1000);
    // Both believe to be clients: each masks, which the other must refuse.
    let id = near.adopt(one, settings::CLIENT, 0);
    far.adopt(other, settings::CLIENT, 0);
    near.frame(id, flag::FIN | flag::MASK, 1, b"one");
    near.frame(id, flag::FIN | flag::MASK, 1, b"two");
    let (_, heard) = settle(&mut near, &mut far);
    let tags: Vec<u8> = heard.iter().map(|event| event.head.tag).collect();
    assert_eq!(tags, [event::VIOLATION]);
}

#[test]
fn giving_up_reports_every_connection() {
    let (mut side, id, other) = connection();
    let (one, _far) = pair(10);
    let second = side.adopt(one, 0, 0);
    side.reactor.give_up();
    side.reactor.finish_turn();
    let mut gone: Vec<_> = side.drain();
    gone.sort_by_key(|event| event.head.slot);
    let mut ids = vec![id, second];
    ids.sort_by_key(|id| id.slot);
    assert!(gone.iter().all(|event| event.head.tag == event::GONE));
    assert_eq!(gone.iter().map(super::Event::id).collect::<Vec<_>>(), ids);
    assert!(other.is_ended());
    assert!(side.reactor.is_empty() && side.reactor.is_flushed());
}

#[test]
fn a_panic_ends_its_connection_with_1011_and_no_other() {
    let (mut side, id, other) = connection();
    let (one, healthy) = pair(1000);
    let healthy_id = side.adopt(one, 0, 0);
    side.turn();
    let message = [0x82, 0x81, 0, 0, 0, 0, 7];
    for peer in [&healthy, &other] {
        peer.send(&message).unwrap();
    }
    other.make_reading_panic();
    for _ in 0..5 {
        side.turn();
    }
    let events = side.drain();
    let heard: Vec<_> = events
        .iter()
        .map(|event| (event.head.tag, event.head.slot))
        .collect();
    assert_eq!(heard.len(), 2);
    assert!(heard.contains(&(event::GONE, id.slot)));
    assert!(heard.contains(&(event::MESSAGE, healthy_id.slot)));
    assert_eq!(other.receive_all(), [0x88, 2, 0x03, 0xf3]);
    side.frame(healthy_id, flag::FIN, 2, b"x");
    side.turn();
    assert_eq!(healthy.receive_all(), [0x82, 1, b'x']);
}
