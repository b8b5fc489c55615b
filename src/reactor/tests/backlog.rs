//! Peers that read slowly: what is dropped adds up with what arrives, and memory stays within the limit.

use std::collections::HashSet;

use super::{Dice, Event, Side, deflate};
use crate::bridge::layout::{
    BACKPRESSURE_CLOSES, BACKPRESSURE_ON, command, event, flag, policy, settings,
};
use crate::bridge::{BackpressureOptions, Block, SlotId};
use crate::reactor::Foreign;
use crate::reactor::memory::{MemorySocket, pair};

const TEXT: u16 = 1;
const BINARY: u16 = 2;
const PING: u16 = 9;

fn limited(capacity: usize, limit: u32, policy: u32, packed: u32) -> (Side, SlotId, MemorySocket) {
    let mut side = Side::new();
    let (one, other) = pair(capacity);
    let mut words = [0; settings::WORDS];
    words[settings::FLAGS] = policy << settings::POLICY_SHIFT;
    words[settings::COMPRESSION] = packed;
    words[settings::MAX_BACKPRESSURE] = limit;
    let id = side.adopt_with(one, words);
    side.turn();
    (side, id, other)
}

/// What DROPPED events say: messages, bytes, acknowledgements.
fn dropped(events: &[Event]) -> (u32, u64, Vec<u32>) {
    let mut sum = (0, 0, Vec::new());
    for event in events
        .iter()
        .filter(|event| event.head.tag == event::DROPPED)
    {
        let word = |at: usize| u32::from_le_bytes(event.payload[at..at + 4].try_into().unwrap());
        sum.0 += word(0);
        sum.1 += u64::from(word(4)) | u64::from(word(8)) << 32;
        sum.2.extend((12..event.payload.len()).step_by(4).map(word));
    }
    sum
}

fn pressures(events: &[Event]) -> Vec<u16> {
    let pressure = events
        .iter()
        .filter(|event| event.head.tag == event::BACKPRESSURE);
    pressure.map(|event| event.head.aux).collect()
}

/// First payload bytes of the short unmasked frames that arrive.
fn firsts(side: &mut Side, other: &MemorySocket) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..400 {
        bytes.extend(other.receive_all());
        side.turn();
    }
    let mut firsts = Vec::new();
    let mut rest = &bytes[..];
    while let [_, length, payload @ ..] = rest {
        firsts.push(payload[0]);
        rest = &payload[usize::from(*length)..];
    }
    firsts
}

/// Messages of 100 bytes on the wire: numbers from `from` on.
fn send(side: &mut Side, id: SlotId, numbers: std::ops::Range<u8>) {
    for number in numbers {
        side.frame(id, flag::FIN, BINARY, &[number; 98]);
    }
}

#[test]
fn the_newest_is_dropped() {
    let (mut side, id, other) = limited(200, 1000, policy::DROP_NEWEST, 0);
    send(&mut side, id, 0..20);
    // Two are with the kernel, ten wait.
    let events = side.drain();
    assert_eq!(dropped(&events), (8, 8 * 98, vec![]));
    assert_eq!(pressures(&events), [1]);
    assert_eq!(side.written(id), 200 + 800);
    assert_eq!(firsts(&mut side, &other), (0..12).collect::<Vec<_>>());
    assert_eq!(pressures(&side.drain()), [0]);
    assert_eq!(side.written(id), 2000);
}

#[test]
fn the_oldest_is_dropped_but_for_what_is_on_its_way() {
    let (mut side, id, other) = limited(150, 1000, policy::DROP_OLDEST, 0);
    send(&mut side, id, 0..30);
    assert_eq!(dropped(&side.drain()).0, 30 - 11);
    // The first is with the kernel, the second half there, and some may be encoded.
    let got = firsts(&mut side, &other);
    assert_eq!(got.len(), 11);
    assert_eq!(got[..2], [0, 1]);
    assert_eq!(got[11 - 7..], (23..30).collect::<Vec<_>>());
}

#[test]
fn only_the_latest_is_kept_of_messages_without_a_topic() {
    let (mut side, id, other) = limited(100, 1000, policy::LATEST, 0);
    send(&mut side, id, 0..100);
    let got = firsts(&mut side, &other);
    assert_eq!(got.last(), Some(&99));
    let (messages, bytes, _) = dropped(&side.drain());
    assert_eq!(messages as usize + got.len(), 100);
    assert_eq!(bytes, u64::from(messages) * 98);
}

#[test]
fn one_that_closes_takes_nothing_more() {
    let (mut side, id, other) = limited(100, 300, policy::CLOSE, 0);
    send(&mut side, id, 0..10);
    side.frame(id, flag::FIN, 8, &[3, 245]);
    send(&mut side, id, 10..12);
    let events = side.drain();
    assert_eq!(pressures(&events), [BACKPRESSURE_ON | BACKPRESSURE_CLOSES]);
    assert_eq!(dropped(&events).0, 8);
    assert_eq!(firsts(&mut side, &other), [0, 1, 2, 3, 3]);
}

/// Publishes messages of 100 bytes on the wire, of which so many bytes may wait.
fn publish(side: &mut Side, topic: u32, rule: (u32, u32), numbers: std::ops::Range<u8>) {
    for number in numbers {
        side.reactor.begin_turn(side.now, side.limits);
        side.reactor.publish_from_elsewhere(&Foreign {
            topic,
            opcode: BINARY as u8,
            compress: false,
            rule: BackpressureOptions::from_numbers(rule.0, rule.1),
            payload: Block::copy_of(&[number; 98], &side.environment.pool),
        });
        side.reactor.finish_turn();
    }
}

#[test]
fn a_topic_has_a_rule_of_its_own() {
    for (code, expected) in [
        (policy::BUFFER, (10..20).collect::<Vec<_>>()),
        (policy::DROP_NEWEST, vec![10, 11, 12]),
        (policy::DROP_OLDEST, vec![17, 18, 19]),
        (policy::LATEST, vec![19]),
    ] {
        // The server's own limit is never reached.
        let (mut side, id, other) = limited(100, 100_000, policy::BUFFER, 0);
        for topic in [1, 2] {
            side.order(command::SUBSCRIBE, id, topic);
        }
        // The first is with the kernel.
        send(&mut side, id, 0..3);
        publish(&mut side, 1, (300, code), 10..20);
        publish(&mut side, 2, (0, 0), 30..35);
        send(&mut side, id, 3..5);
        let events = side.drain();
        let arrived = [vec![0, 1, 2], expected, (30..35).collect(), vec![3, 4]].concat();
        assert_eq!(dropped(&events).0 as usize, 20 - arrived.len());
        assert!(pressures(&events).is_empty());
        assert_eq!(firsts(&mut side, &other), arrived, "policy {code}");
    }
}

#[test]
fn a_topic_may_close() {
    let (mut side, id, other) = limited(100, 100_000, policy::BUFFER, 0);
    side.order(command::SUBSCRIBE, id, 1);
    send(&mut side, id, 0..2);
    publish(&mut side, 1, (200, policy::CLOSE), 10..15);
    send(&mut side, id, 2..4);
    let events = side.drain();
    assert_eq!(pressures(&events), [BACKPRESSURE_ON | BACKPRESSURE_CLOSES]);
    assert_eq!(dropped(&events).0, 5);
    assert_eq!(firsts(&mut side, &other), [0, 1, 10, 11]);
}

#[test]
fn one_that_buffers_tells_of_it_only() {
    let (mut side, id, other) = limited(100, 300, policy::BUFFER, 0);
    send(&mut side, id, 0..20);
    let events = side.drain();
    assert_eq!((pressures(&events), dropped(&events).0), (vec![1], 0));
    assert_eq!(firsts(&mut side, &other), (0..20).collect::<Vec<_>>());
    assert_eq!(pressures(&side.drain()), [0]);
}

#[test]
fn control_frames_are_exempt() {
    let (mut side, id, other) = limited(100, 300, policy::DROP_NEWEST, 0);
    send(&mut side, id, 0..10);
    for number in 200..210 {
        side.frame(id, flag::FIN, PING, &[number; 98]);
    }
    let expected = [0, 1, 2, 3].into_iter().chain(200..210);
    assert_eq!(firsts(&mut side, &other), expected.collect::<Vec<_>>());
}

#[test]
fn a_message_that_never_fits_is_dropped_alone() {
    for policy in [policy::DROP_NEWEST, policy::DROP_OLDEST, policy::LATEST] {
        let (mut side, id, other) = limited(100, 500, policy, 0);
        send(&mut side, id, 0..4);
        side.frame(id, flag::FIN, BINARY, &[9; 9000]);
        side.frame(id, flag::FIN, BINARY, &[9; 490]);
        assert_eq!(dropped(&side.drain()), (2, 9490, vec![]));
        assert_eq!(firsts(&mut side, &other), [0, 1, 2, 3]);
        // With nothing waiting either.
        side.frame(id, flag::FIN, BINARY, &[9; 9000]);
        assert_eq!(dropped(&side.drain()), (1, 9000, vec![]));
    }
}

#[test]
fn fragments_are_dropped_together() {
    let (mut side, id, other) = limited(100, 500, policy::DROP_NEWEST, 0);
    send(&mut side, id, 0..4);
    side.frame(id, 0, BINARY, &[7; 98]);
    side.frame(id, flag::FIN, PING, &[8; 10]);
    side.frame(id, 0, 0, &[7; 98]);
    side.frame(id, 0, 0, &[7; 98]);
    side.frame(id, flag::FIN, 0, &[7; 98]);
    assert_eq!(dropped(&side.drain()), (1, 4 * 98, vec![]));
    send(&mut side, id, 4..5);
    assert_eq!(firsts(&mut side, &other), [0, 1, 2, 3, 8, 4]);
}

#[test]
fn a_message_that_has_begun_to_leave_does_so_as_a_whole() {
    for policy in [
        policy::DROP_NEWEST,
        policy::DROP_OLDEST,
        policy::LATEST,
        policy::CLOSE,
    ] {
        let (mut side, id, other) = limited(150, 500, policy, 0);
        side.frame(id, 0, BINARY, &[1; 98]);
        for _ in 0..10 {
            side.frame(id, 0, 0, &[1; 98]);
        }
        side.frame(id, flag::FIN, 0, &[1; 98]);
        send(&mut side, id, 2..3);
        assert_eq!(firsts(&mut side, &other), [1; 12]);
        assert_eq!(dropped(&side.drain()), (1, 98, vec![]));
    }
}

#[test]
fn giving_back_takes_what_waits_along_and_tells_of_what_was_dropped() {
    let (mut side, id, other) = limited(100, 500, policy::DROP_OLDEST, 0);
    send(&mut side, id, 0..20);
    let extract = side.reactor.extract(id, 0).unwrap();
    side.reactor.finish_turn();
    assert_eq!(other.receive_all().len(), 100);
    let kept = extract.unsent.len() / 100;
    let (messages, ..) = dropped(&side.drain());
    assert_eq!(1 + kept + messages as usize, 20);
    assert_eq!(extract.counts.sent, 100 + extract.unsent.len() as u64);
}

#[test]
fn an_end_waits_for_what_waits() {
    let (mut side, id, other) = limited(100, 500, policy::DROP_NEWEST, 0);
    send(&mut side, id, 0..20);
    side.order(command::END, id, 0);
    send(&mut side, id, 20..21);
    assert_eq!(firsts(&mut side, &other).len(), 6);
    assert!(other.is_ended());
}

/// Whatever is sent either arrives, in order and whole, or is told of as dropped.
fn adds_up(seed: u64) {
    let mut dice = Dice(seed);
    let policies = [
        policy::DROP_NEWEST,
        policy::DROP_OLDEST,
        policy::LATEST,
        policy::BUFFER,
    ];
    let policy = policies[dice.below(4)];
    let packed = [0, deflate(false), deflate(true)][dice.below(3)];
    let limit = [400, 3000, 60_000][dice.below(3)] as u32;
    let capacity = [100, 1000, 40_000][dice.below(3)];
    let (mut near, id, socket) = limited(capacity, limit, policy, packed);
    let mut far = Side::new();
    let far_id = far.adopt(socket, settings::CLIENT, packed);

    let mut got = Vec::new();
    let mut told = Vec::new();
    let (mut sent, mut asked, mut acknowledged) = (Vec::new(), 0u32, 0u32);
    let (mut queued, mut largest) = (0, 0);
    let mut current: Option<Vec<u8>> = None;
    let mut number = 0u32;
    let mut reads = true;
    for _ in 0..400 {
        for _ in 0..dice.below(8) {
            if dice.below(12) == 0 {
                near.frame(id, flag::FIN, PING, &[1; 5]);
                queued += 7;
                continue;
            }
            let most = [60, 60, 900, 9000, 20_000][dice.below(5)];
            let length = dice.below(most);
            let fin = dice.below(4) > 0;
            let begins = current.is_none();
            let message = current.get_or_insert_with(Vec::new);
            let mut payload = if begins {
                number += 1;
                number.to_le_bytes().to_vec()
            } else {
                Vec::new()
            };
            let old = message.len();
            payload.extend((0..length).map(|at| (number as usize * 31 + (old + at) / 50) as u8));
            message.extend_from_slice(&payload);
            let mut flags = if fin { flag::FIN } else { 0 };
            if dice.below(3) == 0 {
                flags |= flag::ACK;
                asked += 1;
            }
            if begins && packed != 0 && dice.below(3) > 0 {
                flags |= flag::COMPRESS;
            }
            let opcode = if begins { BINARY } else { 0 };
            largest = largest.max(payload.len() as u64);
            queued += payload.len() as u64
                + match payload.len() {
                    0..126 => 2,
                    126..65536 => 4,
                    _ => 10,
                };
            near.frame(id, flags, opcode, &payload);
            if fin {
                sent.extend(current.take());
            }
        }
        if dice.below(10) == 0 {
            reads = !reads;
            let order = if reads {
                command::RESUME
            } else {
                command::PAUSE
            };
            far.order(order, far_id, 0);
        }
        near.turn();
        far.turn();
        told.extend(near.drain());
        got.extend(far.drain());
    }
    if let Some(message) = current.take() {
        near.frame(id, flag::FIN, 0, &[]);
        queued += 2;
        sent.push(message);
    }
    far.order(command::RESUME, far_id, 0);
    for _ in 0..100_000 {
        near.turn();
        far.turn();
        told.extend(near.drain());
        got.extend(far.drain());
        if near.written(id) == queued {
            break;
        }
    }
    for _ in 0..300 {
        far.turn();
        got.extend(far.drain());
    }

    assert!(got.iter().all(|event| {
        [event::MESSAGE, event::PING, event::FRAGMENTS].contains(&event.head.tag)
    }));
    let arrived = got.iter().filter(|event| event.head.tag == event::MESSAGE);
    let arrived: Vec<_> = arrived.map(|event| event.payload.clone()).collect();
    // In order, and each as it was sent.
    let mut rest = sent.iter();
    for message in &arrived {
        assert!(rest.any(|sent| sent == message), "seed {seed}");
    }
    let (messages, bytes, acks) = dropped(&told);
    assert_eq!(arrived.len() + messages as usize, sent.len(), "seed {seed}");
    let total = |list: &[Vec<u8>]| list.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(total(&arrived) + bytes, total(&sent), "seed {seed}");
    for event in told.iter().filter(|event| event.head.tag == event::WRITTEN) {
        acknowledged += event.head.argument;
    }
    assert_eq!(acknowledged as usize + acks.len(), asked as usize);
    assert_eq!(acks.iter().collect::<HashSet<_>>().len(), acks.len());
    assert!(acks.iter().all(|number| *number < asked));
    assert_eq!(near.written(id), queued, "seed {seed}");
    if policy == policy::BUFFER {
        assert_eq!(messages, 0);
    }
    assert!(near.reactor.is_flushed());
}

#[test]
fn everything_adds_up_whatever_happens() {
    for seed in 0..40 {
        adds_up(seed);
    }
}

#[test]
fn memory_stays_within_the_limit_however_much_is_sent() {
    for policy in [policy::DROP_NEWEST, policy::DROP_OLDEST, policy::LATEST] {
        let (mut side, id, _other) = limited(1000, 50_000, policy, 0);
        let mut sent = 0;
        for number in 0..2000u32 {
            let length = 20 + number as usize % 700;
            side.frame(id, flag::FIN, TEXT, &vec![b'a'; length]);
            sent += length as u64 + if length < 126 { 2 } else { 4 };
            let waiting = sent - side.written(id);
            assert!(waiting <= 50_000, "{waiting}");
            side.drain();
        }
    }
}
