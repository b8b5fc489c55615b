//! What one connection may cost the others: turns and bytes are counted, not time.

use super::{Side, deflate, settle};
use crate::bridge::SlotId;
use crate::bridge::layout::{command, event, flag, settings};
use crate::reactor::Limits;
use crate::reactor::memory::{MemorySocket, pair};
use crate::reactor::network::Socket;
use crate::reactor::zlib_budget::SLICE;

const BOMB: usize = 24 << 20;

/// A server's side of a connection and the raw other end.
fn peer(side: &mut Side, packed: u32) -> (SlotId, MemorySocket) {
    let (one, other) = pair(1 << 20);
    (side.adopt(one, 0, packed), other)
}

/// A compressed message of zeros, as a client sends it.
fn bomb() -> Vec<u8> {
    bomb_of(BOMB)
}

fn bomb_of(length: usize) -> Vec<u8> {
    let mut client = Side::new();
    client.limits = Limits::WORKER;
    let (one, other) = pair(16 << 20);
    let id = client.adopt(one, settings::CLIENT, deflate(false));
    let flags = flag::FIN | flag::MASK | flag::COMPRESS;
    client.frame(id, flags, 2, &vec![0; length]);
    while !client.reactor.is_flushed() {
        client.turn();
    }
    let bytes = other.receive_all();
    assert!(bytes.len() < length / 500);
    bytes
}

#[test]
fn a_bomb_makes_nobody_wait_longer_than_a_slice() {
    let bytes = bomb();
    for limits in [Limits::INLINE, Limits::WORKER] {
        let mut side = Side::new();
        side.limits = limits;
        let (_, bomber) = peer(&mut side, deflate(false));
        let (healthy, other) = peer(&mut side, 0);
        bomber.send(&bytes).unwrap();
        let mut turns = 0;
        'bomb: loop {
            other.send(b"\x82\x81\0\0\0\0a").unwrap();
            let turn = side.turn();
            turns += 1;
            let mut heard = false;
            for event in side.drain() {
                if event.payload.len() == BOMB {
                    assert!(event.payload.iter().all(|byte| *byte == 0));
                    break 'bomb;
                }
                assert_eq!(
                    (event.id(), event.payload.as_slice()),
                    (healthy, b"a".as_slice())
                );
                heard = true;
            }
            assert!(heard, "the other connection is read in every turn");
            assert!(turn.compressing && turn.backlog, "somebody is to go on");
        }
        // A slice, and what is left of the turn's time.
        assert!(turns >= BOMB / (2 * SLICE), "{turns} turns");
    }
}

#[test]
fn a_large_message_to_compress_makes_nobody_wait() {
    let mut side = Side::new();
    let (sender, wire) = peer(&mut side, deflate(true));
    let (healthy, other) = peer(&mut side, 0);
    let payload: Vec<u8> = (0..8 << 20).map(|at: u32| (at / 1000) as u8).collect();
    side.frame(sender, flag::FIN | flag::COMPRESS, 2, &payload);
    // What is sent behind it waits for it, what others send does not.
    side.frame(sender, flag::FIN, 2, b"behind");
    let mut turns = 0;
    let mut compressed = Vec::new();
    while !side.reactor.is_flushed() {
        side.frame(healthy, flag::FIN, 2, b"b");
        assert_eq!(other.receive_all(), b"\x82\x01b");
        compressed.extend(wire.receive_all());
        side.turn();
        turns += 1;
    }
    compressed.extend(wire.receive_all());
    assert!(turns >= payload.len() / SLICE);
    assert!(compressed.ends_with(b"\x82\x06behind"));
    let (mut near, mut far) = (Side::new(), Side::new());
    let (one, two) = pair(16 << 20);
    one.send(&compressed).unwrap();
    far.adopt(two, settings::CLIENT, deflate(true));
    let (_, heard) = settle(&mut near, &mut far);
    assert!(heard[0].payload == payload);
    assert_eq!(heard[1].payload, b"behind");
    drop(one);
}

#[test]
fn few_large_messages_are_inflated_at_once() {
    let bytes = bomb();
    let mut side = Side::new();
    side.limits = Limits::WORKER;
    let bombers: Vec<_> = (0..6)
        .map(|_| {
            let (_, other) = peer(&mut side, deflate(false));
            other.send(&bytes).unwrap();
            other
        })
        .collect();
    let mut most = 0;
    let mut turns = 0;
    // JavaScript takes nothing meanwhile.
    while turns < 3000 {
        side.turn();
        turns += 1;
        let held: usize = side
            .reactor
            .entries
            .iter()
            .map(|(_, entry)| match entry {
                crate::reactor::Entry::Open(connection) => connection.held_bytes(),
                _ => 0,
            })
            .sum();
        most = most.max(held + side.environment.budget.waiting());
    }
    // One of them whole, beginnings of the others, and what one turn adds.
    assert!(most < BOMB + bombers.len() * (3 << 20), "{most} bytes held");
    let mut complete = 0;
    for _ in 0..20_000 {
        complete += side
            .drain()
            .iter()
            .filter(|event| event.payload.len() == BOMB)
            .count();
        if complete == bombers.len() {
            return;
        }
        side.turn();
    }
    panic!("only {complete} came");
}

#[test]
fn what_was_read_is_inflated_only_while_javascript_keeps_up() {
    const MANY: usize = 100;
    let bytes = bomb_of(1 << 20).repeat(MANY);
    let mut side = Side::new();
    side.limits = Limits::WORKER;
    let (_, other) = peer(&mut side, deflate(false));
    other.send(&bytes).unwrap();
    // Nobody drains: the driver sleeps in the end.
    let mut turns = 0;
    while side.turn().backlog {
        turns += 1;
        assert!(turns < 10_000, "turns for nothing");
    }
    let waiting = side.environment.budget.waiting();
    assert!((16 << 20..18 << 20).contains(&waiting), "{waiting} wait");
    let mut complete = 0;
    while complete < MANY {
        let turn = side.turn();
        let events = side.drain();
        assert!(turn.backlog || !events.is_empty(), "only {complete} came");
        complete += events.len();
    }
    assert_eq!(side.environment.budget.waiting(), 0);
}

#[test]
fn an_exhausted_budget_stops_reading_and_loses_nothing() {
    const LENGTH: usize = 60_000;
    let mut side = Side::new();
    let (id, other) = peer(&mut side, 0);
    let mut frame = vec![0x82, 0xfe];
    frame.extend((LENGTH as u16).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(vec![5; LENGTH]);
    let mut sent = 0;
    let mut pending: &[u8] = &[];
    let mut blocked = 0;
    // Nobody drains: the peer is stopped at some point.
    while blocked < 5 {
        if pending.is_empty() {
            pending = &frame;
            sent += 1;
        }
        match other.send(pending) {
            Ok(count) => {
                pending = &pending[count..];
                blocked = 0;
            }
            Err(_) => blocked += 1,
        }
        side.turn();
    }
    let waiting = side.environment.budget.waiting();
    assert!((16 << 20..20 << 20).contains(&waiting), "{waiting} wait");
    let mut got = 0;
    while got < sent {
        for event in side.drain() {
            assert_eq!((event.head.tag, event.id()), (event::MESSAGE, id));
            assert_eq!(event.payload.len(), LENGTH);
            got += 1;
        }
        if !pending.is_empty()
            && let Ok(count) = other.send(pending)
        {
            pending = &pending[count..];
        }
        side.turn();
    }
    assert_eq!(side.environment.budget.waiting(), 0);
}

#[test]
fn those_that_send_without_end_are_read_in_portions() {
    let mut side = Side::new();
    let floods: Vec<_> = (0..6).map(|_| peer(&mut side, 0).1).collect();
    let (modest, other) = peer(&mut side, 0);
    let frame = [&[0x82, 0xfe, 0x03, 0xe8, 0, 0, 0, 0][..], &[9; 1000]].concat();
    let mut waits = 0;
    for _ in 0..60 {
        for flood in &floods {
            for _ in 0..1000 {
                if flood.room() >= frame.len() {
                    flood.send(&frame).unwrap();
                }
            }
        }
        if waits == 0 {
            other.send(b"\x82\x81\0\0\0\0a").unwrap();
        }
        side.turn();
        waits += 1;
        let mut bytes = 0;
        for event in side.drain() {
            assert_eq!(event.head.tag, event::MESSAGE);
            if event.id() == modest {
                waits = 0;
            } else {
                bytes += event.payload.len();
            }
        }
        assert!(bytes <= 2 << 20, "{bytes} bytes in a turn");
        assert!(waits <= floods.len() + 1, "it waits for {waits} turns");
    }
}

#[test]
fn a_flood_of_tiny_messages_brings_few_events_a_turn() {
    const MANY: usize = 100_000;
    let mut side = Side::new();
    let (flooded, flood) = peer(&mut side, 0);
    let (_, other) = peer(&mut side, 0);
    flood.send(&b"\x82\x81\0\0\0\0a".repeat(MANY)).unwrap();
    let (mut came, mut sent, mut heard) = (0, 0, 0);
    while came < MANY {
        other.send(b"\x82\x81\0\0\0\0b").unwrap();
        sent += 1;
        side.turn();
        let events = side.drain();
        assert!(events.len() <= 4096, "{} events in a turn", events.len());
        let from_flood = events.iter().filter(|one| one.id() == flooded).count();
        came += from_flood;
        heard += events.len() - from_flood;
        assert!(heard + 1 >= sent, "{heard} of {sent} heard");
    }
    // A pause comes before much was read.
    flood.send(&b"\x82\x81\0\0\0\0a".repeat(MANY)).unwrap();
    side.turn();
    assert!(side.drain().len() <= 4096);
    side.order(command::PAUSE, flooded, 0);
    side.turn();
    assert!(side.drain().is_empty(), "nothing after a pause");
}
