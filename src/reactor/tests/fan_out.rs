//! Topics: what is published reaches every member once, in the order of commands,
//! framed and compressed once for all.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{Dice, Event, Side, deflate, settle};
use crate::bridge::layout::{self, Head, command, compression, event, flag, settings};
use crate::bridge::{Block, SlotId};
use crate::reactor::Foreign;
use crate::reactor::memory::{MemorySocket, pair};

const TEXT: u16 = 1;
const BINARY: u16 = 2;
const CLOSE: u16 = 8;
const PING: u16 = 9;

fn subscribe(side: &mut Side, id: SlotId, topic: u32) {
    side.order(command::SUBSCRIBE, id, topic);
}

fn publish(side: &mut Side, topic: u32, flags: u8, opcode: u16, payload: &[u8]) {
    let topic = SlotId {
        slot: topic,
        generation: 0,
    };
    side.command(command::PUBLISH, flags, opcode, topic, payload);
}

/// Runs commands together, as a slab brings them.
fn run(side: &mut Side, commands: &[(u8, SlotId, u32, u16, &[u8])]) {
    let mut bytes = Vec::new();
    for (tag, id, argument, aux, payload) in commands {
        let head = Head {
            tag: *tag,
            flags: flag::FIN,
            aux: *aux,
            slot: id.slot,
            generation: id.generation,
            argument: *argument,
        };
        bytes.extend(head.to_words().iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    side.reactor.begin_turn(side.now, side.limits);
    side.reactor.run(&bytes, &mut VecDeque::new());
    side.reactor.finish_turn();
}

/// A member with the peer at its other end.
struct Member {
    id: SlotId,
    peer: SlotId,
    topics: BTreeSet<u32>,
    expected: VecDeque<(u8, Vec<u8>)>,
    /// Of a message that is not complete.
    fragments: Option<Vec<u8>>,
    /// What was published meanwhile.
    behind: Vec<Vec<u8>>,
    closed: bool,
}

impl Member {
    fn expect(&mut self, message: Vec<u8>) {
        if self.closed {
        } else if self.fragments.is_some() {
            self.behind.push(message);
        } else {
            self.expected.push_back((event::MESSAGE, message));
        }
    }
}

fn check(members: &mut [Member], events: &[Event]) {
    for event in events {
        if matches!(event.head.tag, event::FRAGMENTS | event::EOF | event::GONE) {
            continue;
        }
        let index = members.iter().position(|member| member.peer == event.id());
        let (tag, payload) = members[index.unwrap()]
            .expected
            .pop_front()
            .expect("nothing more was sent");
        assert_eq!((event.head.tag, event.payload.len()), (tag, payload.len()));
        assert!(event.payload == payload, "other bytes");
    }
}

fn some_bytes(dice: &mut Dice) -> Vec<u8> {
    let length = match dice.below(12) {
        0 => 0,
        1..=7 => dice.below(200),
        8..=10 => dice.below(9000),
        _ => dice.below(90_000),
    };
    let byte = b'a' + dice.below(26) as u8;
    (0..length).map(|at| byte ^ (at / 37) as u8 & 7).collect()
}

/// Every member joins, leaves, is sent to and published to in any order, and in the end closed.
fn crowd(seed: u64, kinds: &[u32]) {
    let mut dice = Dice(seed);
    let (mut near, mut far) = (Side::new(), Side::new());
    // Little time, so that compressing goes over several turns.
    near.limits.zlib_microseconds = 30;
    let mut members: Vec<Member> = (0..9)
        .map(|index| {
            let packed = kinds[index % kinds.len()];
            let (one, other) = pair(1 + dice.below(100_000));
            Member {
                id: near.adopt(one, 0, packed),
                peer: far.adopt(other, settings::CLIENT, packed),
                topics: BTreeSet::new(),
                expected: VecDeque::new(),
                fragments: None,
                behind: Vec::new(),
                closed: false,
            }
        })
        .collect();
    for _ in 0..600 {
        let who = dice.below(members.len());
        let topic = dice.below(5) as u32;
        let member = &mut members[who];
        match dice.below(20) {
            0..=4 => {
                subscribe(&mut near, member.id, topic);
                member.topics.insert(topic);
            }
            5 | 6 => {
                near.order(command::UNSUBSCRIBE, member.id, topic);
                member.topics.remove(&topic);
            }
            7 if dice.below(4) == 0 => {
                near.order(command::LEAVE, member.id, 0);
                member.topics.clear();
            }
            8..=12 => {
                let bytes = some_bytes(&mut dice);
                let compress = if dice.below(2) == 0 {
                    flag::COMPRESS
                } else {
                    0
                };
                let mut excepted = BTreeSet::new();
                for _ in 0..dice.below(4) {
                    let other = dice.below(members.len());
                    near.order(command::EXCEPT, members[other].id, 0);
                    excepted.insert(other);
                }
                publish(&mut near, topic, compress, BINARY, &bytes);
                for (index, member) in members.iter_mut().enumerate() {
                    if member.topics.contains(&topic) && !excepted.contains(&index) {
                        member.expect(bytes.clone());
                    }
                }
            }
            13..=16 if !member.closed => {
                let bytes = some_bytes(&mut dice);
                let first = member.fragments.is_none();
                let fin = dice.below(3) > 0;
                let opcode = if first { TEXT } else { 0 };
                let flags = if fin { flag::FIN } else { 0 } | flag::COMPRESS;
                near.frame(member.id, flags, opcode, &bytes);
                let mut message = member.fragments.take().unwrap_or_default();
                message.extend_from_slice(&bytes);
                if fin {
                    member.expected.push_back((event::MESSAGE, message));
                    let behind = std::mem::take(&mut member.behind);
                    let behind = behind.into_iter().map(|bytes| (event::MESSAGE, bytes));
                    member.expected.extend(behind);
                } else {
                    member.fragments = Some(message);
                }
            }
            17 if !member.closed => {
                near.frame(member.id, flag::FIN, PING, b"ping");
                member.expected.push_back((event::PING, b"ping".to_vec()));
            }
            18 if dice.below(12) == 0 && !member.closed => {
                near.order(command::LEAVE, member.id, 0);
                near.frame(member.id, flag::FIN, CLOSE, &1000u16.to_be_bytes());
                near.order(command::END, member.id, 0);
                member.topics.clear();
                member.closed = true;
                member.expected.push_back((event::CLOSE, Vec::new()));
            }
            _ => {
                near.turn();
                far.turn();
            }
        }
        check(&mut members, &far.drain());
        near.drain();
    }
    let (_, heard) = settle(&mut near, &mut far);
    check(&mut members, &heard);
    for member in &members {
        assert!(member.expected.is_empty(), "something is missing");
    }
}

const PLAIN: u32 = 0;

const fn window(bits: u32) -> u32 {
    let packed = deflate(false);
    packed & !(compression::FIELD << compression::DEFLATE_BITS) | bits << compression::DEFLATE_BITS
}

#[test]
fn members_get_everything_once_and_in_order() {
    for seed in 0..30 {
        println!("seed {seed}");
        crowd(seed, &[PLAIN]);
    }
}

#[test]
fn however_they_compress() {
    let kinds = [deflate(false), deflate(true), PLAIN, window(10)];
    for seed in 0..20 {
        println!("seed {seed}");
        crowd(seed, &kinds);
    }
}

/// What arrived at the other end of a socket.
fn received(peer: &MemorySocket) -> Vec<u8> {
    peer.receive_all()
}

#[test]
fn membership_is_taken_when_the_message_is_published() {
    let mut side = Side::new();
    let (one, other) = pair(1000);
    let id = side.adopt(one, 0, 0);
    let topic = SlotId {
        slot: 4,
        generation: 0,
    };
    run(
        &mut side,
        &[
            (command::PUBLISH, topic, 1, TEXT, b"0"),
            (command::SUBSCRIBE, id, 4, 0, b""),
            (command::PUBLISH, topic, 1, TEXT, b"1"),
            (command::FRAME, id, 1, TEXT, b"2"),
            (command::PUBLISH, topic, 1, TEXT, b"3"),
            (command::UNSUBSCRIBE, id, 4, 0, b""),
            (command::PUBLISH, topic, 1, TEXT, b"4"),
            (command::SUBSCRIBE, id, 4, 0, b""),
            (command::EXCEPT, id, 0, 0, b""),
            (command::PUBLISH, topic, 1, TEXT, b"5"),
            (command::PUBLISH, topic, 1, TEXT, b"6"),
        ],
    );
    assert_eq!(received(&other), b"\x81\x011\x81\x012\x81\x013\x81\x016");
    // Nobody counts what is published but the reactor: of what JavaScript sent, one frame is
    // written.
    assert_eq!(side.written(id), 3);
}

#[test]
fn whoever_ends_is_no_member_any_more_and_neither_is_who_gets_the_number() {
    let mut side = Side::new();
    let (one, other) = pair(1000);
    let id = side.adopt(one, 0, 0);
    subscribe(&mut side, id, 0);
    side.order(command::DESTROY, id, 0);
    side.order(command::RELEASE, id, 0);
    drop(other);
    let (one, other) = pair(1000);
    let next = side.adopt(one, 0, 0);
    assert_eq!(next.slot, id.slot);
    publish(&mut side, 0, 0, TEXT, b"x");
    assert_eq!(received(&other), b"");
    // Late commands for the first one are nobody's.
    subscribe(&mut side, id, 0);
    publish(&mut side, 0, 0, TEXT, b"x");
    assert_eq!(received(&other), b"");
}

#[test]
fn a_client_is_no_member() {
    let mut side = Side::new();
    let (one, other) = pair(1000);
    let id = side.adopt(one, settings::CLIENT, 0);
    subscribe(&mut side, id, 0);
    publish(&mut side, 0, 0, TEXT, b"x");
    assert_eq!(
        received(&other),
        b"",
        "an unmasked frame would be a violation"
    );
}

#[test]
fn a_guarded_connection_is_passed_over() {
    let mut side = Side::new();
    let (one, other) = pair(1000);
    let id = side.adopt(one, 0, 0);
    subscribe(&mut side, id, 0);
    side.order(command::GUARD, id, 1);
    publish(&mut side, 0, 0, TEXT, b"1");
    side.order(command::GUARD, id, 0);
    publish(&mut side, 0, 0, TEXT, b"2");
    assert_eq!(received(&other), b"\x81\x012");
    // What JavaScript passes on waits for the end of a message, and it counts it.
    side.order(command::GUARD, id, 1);
    side.frame(id, 0, TEXT, b"a");
    side.frame(id, flag::FIN | flag::WHOLE, TEXT, b"3");
    side.frame(id, flag::FIN, 0, b"b");
    assert_eq!(received(&other), b"\x01\x01a\x80\x01b\x81\x013");
    assert_eq!(side.written(id), 9);
}

/// The frames of one publish to many connections, and how often its payload is held.
#[test]
fn a_message_is_held_once_for_all() {
    let mut side = Side::new();
    let mut peers = Vec::new();
    for _ in 0..100 {
        let (one, other) = pair(100);
        let id = side.adopt(one, 0, 0);
        subscribe(&mut side, id, 7);
        peers.push(other);
    }
    let payload = vec![9; 50_000];
    publish(&mut side, 7, 0, BINARY, &payload);
    assert!(side.environment.pool.kept() < 70_000);
    let mut got = vec![Vec::new(); peers.len()];
    while got.iter().any(|bytes| bytes.len() < payload.len() + 4) {
        for (peer, bytes) in peers.iter().zip(&mut got) {
            bytes.extend(peer.receive_all());
        }
        side.turn();
    }
    // One block for the command, one for the frame that all shared: no more came back.
    assert_eq!(side.environment.pool.kept(), 2 * 65_536);
    for bytes in got {
        assert!(bytes[..4] == [0x82, 126, 0xc3, 0x50] && bytes[4..] == payload);
    }
}

/// What compressing may cost in a turn is for one message, however many get it.
#[test]
fn a_message_is_compressed_once_for_all_that_compress_alike() {
    let mut side = Side::new();
    side.limits.zlib_microseconds = 1000;
    let mut peers = HashMap::new();
    for index in 0..300 {
        let (one, other) = pair(100_000);
        let id = side.adopt(
            one,
            0,
            if index % 2 == 0 {
                deflate(false)
            } else {
                window(10)
            },
        );
        subscribe(&mut side, id, 0);
        peers.insert(index, other);
    }
    let payload: Vec<u8> = (0..6000).map(|at| b'a' + (at / 37 % 26) as u8).collect();
    let head = Head {
        tag: command::PUBLISH,
        flags: flag::COMPRESS,
        aux: TEXT,
        slot: 0,
        generation: 0,
        argument: payload.len() as u32,
    };
    side.reactor.begin_turn(side.now, side.limits);
    side.reactor.run_with(head, &payload);
    let turn = side.reactor.finish_turn();
    // 300 times would take 30 000 microseconds.
    assert!(!turn.compressing && !side.reactor.resources.zlib_budget.is_spent());
    let frames: BTreeSet<Vec<u8>> = peers.values().map(MemorySocket::receive_all).collect();
    assert!(frames.len() <= 2);
    for frame in frames {
        assert!(frame.len() < 1000 && frame[0] == 0xc1);
    }
}

/// Where a message takes more than a turn to compress, its receivers share the work.
#[test]
fn what_takes_longer_to_compress_is_shared_too() {
    let mut side = Side::new();
    side.limits.zlib_microseconds = 100;
    let mut dice = Dice(5);
    let mut peers = Vec::new();
    for _ in 0..100 {
        let (one, other) = pair(1 << 20);
        let id = side.adopt(one, 0, deflate(false));
        subscribe(&mut side, id, 0);
        peers.push((id, other));
    }
    let payload: Vec<u8> = (0..60_000).map(|_| dice.below(16) as u8).collect();
    publish(&mut side, 0, flag::COMPRESS, BINARY, &payload);
    // What comes behind it waits for it.
    publish(&mut side, 0, 0, TEXT, b"behind");
    side.frame(peers[3].0, flag::FIN, PING, b"");
    let mut turns = 0;
    while side.turn().compressing {
        turns += 1;
        // 60 000 bytes are 10 turns' work; for each of 100 connections they would be 1000.
        assert!(turns < 30, "more than one compresses it");
    }
    side.turn();
    let first = peers[0].1.receive_all();
    assert!(first.len() > 20_000 && first.ends_with(b"\x81\x06behind"));
    for (index, (_, peer)) in peers.iter().enumerate().skip(1) {
        let bytes = peer.receive_all();
        let bytes = if index == 3 {
            bytes.strip_suffix(b"\x89\x00").unwrap()
        } else {
            &bytes
        };
        assert!(bytes == first, "other bytes");
    }
}

fn publish_elsewhere(side: &mut Side, topic: u32, payload: &[u8]) {
    side.reactor.begin_turn(side.now, side.limits);
    side.reactor.publish_from_elsewhere(&Foreign {
        rule: None,
        topic,
        opcode: TEXT as u8,
        compress: true,
        payload: Block::copy_of(payload, &side.environment.pool),
    });
    side.reactor.finish_turn();
}

/// What another thread published waits while JavaScript decides about the order, and comes before
/// the end.
#[test]
fn messages_from_elsewhere_wait_for_a_guarded_connection() {
    for ends in [false, true] {
        let mut side = Side::new();
        let (one, other) = pair(1000);
        let id = side.adopt(one, 0, 0);
        subscribe(&mut side, id, 0);
        publish_elsewhere(&mut side, 0, b"1");
        side.order(command::GUARD, id, 1);
        publish_elsewhere(&mut side, 0, b"3");
        publish(&mut side, 0, 0, TEXT, b"not through here");
        side.frame(id, flag::FIN, TEXT, b"2");
        assert_eq!(received(&other), b"\x81\x011\x81\x012");
        if ends {
            side.frame(id, flag::FIN, CLOSE, b"");
            assert_eq!(received(&other), b"\x81\x013\x88\x00");
        } else {
            side.order(command::GUARD, id, 0);
            publish_elsewhere(&mut side, 0, b"4");
            assert_eq!(received(&other), b"\x81\x013\x81\x014");
        }
    }
}

/// Sockets that JavaScript has are told of in one event, and not of what it publishes itself.
#[test]
fn messages_from_elsewhere_for_sockets_of_javascript() {
    let mut side = Side::new();
    let enlisted: Vec<SlotId> = (0..3).map(|_| side.reactor.reserve()).collect();
    for id in &enlisted {
        side.order(command::ENLIST, *id, 0);
    }
    let (one, other) = pair(1000);
    let moving = side.adopt(one, 0, 0);
    for id in [enlisted[0], enlisted[2], moving] {
        subscribe(&mut side, id, 5);
    }
    side.order(command::UNSUBSCRIBE, enlisted[2], 5);
    publish(&mut side, 5, 0, TEXT, b"a");
    publish_elsewhere(&mut side, 5, b"b");
    assert_eq!(received(&other), b"\x81\x01a\x81\x01b");
    // One that leaves the reactor goes on to be a member.
    side.reactor.begin_turn(side.now, side.limits);
    side.reactor.extract(moving, 0).unwrap();
    side.reactor.finish_turn();
    let large = vec![7; 10_000];
    publish_elsewhere(&mut side, 5, &large);
    assert!(side.reactor.extract(moving, 0).is_none());
    for id in [enlisted[0], moving] {
        side.order(command::RELEASE, id, 0);
    }
    publish_elsewhere(&mut side, 5, b"nobody");
    let events = side.drain();
    let tags: Vec<u8> = events.iter().map(|event| event.head.tag).collect();
    assert_eq!(tags, [event::PUBLISHED, event::EXTRACTED, event::PUBLISHED]);
    let ids = |ids: &[SlotId], message: &[u8]| {
        let words = ids.iter().flat_map(|id| [id.slot, id.generation]);
        let words = [5, ids.len() as u32].into_iter().chain(words);
        let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        bytes.extend_from_slice(message);
        bytes
    };
    assert_eq!(events[0].payload, ids(&enlisted[..1], b"b"));
    assert_eq!(events[0].head.aux, TEXT | layout::PUBLISHED_COMPRESS);
    assert!(events[2].payload == ids(&[enlisted[0], moving], &large));
    side.order(command::RELEASE, enlisted[1], 0);
    side.order(command::RELEASE, enlisted[2], 0);
    assert!(side.reactor.is_empty());
}

/// Prepared once, sent to many: compressed once, acknowledged and counted as any frame.
#[test]
fn a_prepared_message_is_sent_as_any_other() {
    let mut side = Side::new();
    let mut peers = Vec::new();
    for packed in [PLAIN, deflate(false), deflate(false), deflate(true)] {
        let (one, other) = pair(100_000);
        peers.push((side.adopt(one, 0, packed), other));
    }
    let place = SlotId {
        slot: 3,
        generation: 0,
    };
    let payload = [b'a'; 3000];
    side.command(command::PREPARE, flag::COMPRESS, TEXT, place, &payload);
    for _ in 0..2 {
        for (id, _) in &peers {
            side.frame(*id, flag::FIN, BINARY, b"before");
            side.run(command::POST, flag::ACK, 0, *id, 3, &[]);
        }
    }
    let acknowledged = side
        .drain()
        .into_iter()
        .filter(|event| (event.head.tag, event.head.argument) == (event::WRITTEN, 1));
    assert_eq!(acknowledged.count(), 8);
    let got: Vec<Vec<u8>> = peers.iter().map(|(_, peer)| peer.receive_all()).collect();
    assert_eq!(got[0].len(), 2 * (8 + 3004));
    assert!(got[1] == got[2] && got[1].len() < 100);
    for (id, _) in &peers {
        assert_eq!(side.written(*id), 2 * (8 + 3004));
    }
    side.order(command::FORGET, place, 0);
    side.run(command::POST, 0, 0, peers[0].0, 3, &[]);
    side.run(command::POST, 0, 0, peers[0].0, 99, &[]);
    assert_eq!(peers[0].1.receive_all(), b"");
}

/// A turn that publishes much to many writes before it ends.
#[test]
fn a_burst_does_not_pile_up() {
    let mut side = Side::new();
    let (one, other) = pair(64 << 20);
    let id = side.adopt(one, 0, 0);
    subscribe(&mut side, id, 0);
    let payload = [b'x'; 100];
    let topic = SlotId {
        slot: 0,
        generation: 0,
    };
    let all = vec![(command::PUBLISH, topic, 100, TEXT, &payload[..]); 2000];
    let mut bytes = Vec::new();
    for _ in &all {
        let head = Head::from_words([
            layout::word0(command::PUBLISH, 0, TEXT),
            topic.slot,
            topic.generation,
            100,
        ]);
        bytes.extend(head.to_words().iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend_from_slice(&payload);
    }
    side.reactor.begin_turn(side.now, side.limits);
    side.reactor.run(&bytes, &mut VecDeque::new());
    // Before the turn ends.
    let written = other.receive_all().len();
    assert!(written > 2000 * 102 - (128 << 10), "{written} bytes");
    side.reactor.finish_turn();
    assert_eq!(written + other.receive_all().len(), 2000 * 102);
}

/// Fragments in progress, a message that waits for their end: both go along.
#[test]
fn what_waits_goes_along_with_the_connection() {
    let mut side = Side::new();
    let (one, other) = pair(1000);
    let id = side.adopt(one, 0, 0);
    subscribe(&mut side, id, 0);
    side.frame(id, 0, TEXT, b"half");
    publish(&mut side, 0, flag::COMPRESS, BINARY, b"whole");
    assert_eq!(received(&other), b"\x01\x04half");
    side.reactor.begin_turn(side.now, side.limits);
    let extract = side.reactor.extract(id, 0).unwrap();
    side.reactor.finish_turn();
    let [waiting] = &extract.waiting[..] else {
        panic!("{:?}", extract.waiting);
    };
    assert_eq!((waiting.opcode, &waiting.payload[..]), (2, &b"whole"[..]));
    assert!(waiting.compress && extract.within_message);
    // It is no member any more.
    publish(&mut side, 0, 0, TEXT, b"x");
    assert_eq!(received(&other), b"");
}
