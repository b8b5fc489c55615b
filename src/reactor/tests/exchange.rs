//! Two reactors joined: everything that one sends the other reports, in order.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Dice, Event, Side, deflate, settle};
use crate::bridge::SlotId;
use crate::bridge::layout::{command, event, flag, settings};
use crate::reactor::memory::pair;

const TEXT: u16 = 1;
const BINARY: u16 = 2;
const PING: u16 = 9;
const PONG: u16 = 10;

/// One direction between two sides.
struct Direction {
    id: SlotId,
    mask: u8,
    /// What the other side has to report.
    expected: VecDeque<(u8, Vec<u8>)>,
    fragments: Vec<u8>,
    opcode: u16,
    compress: u8,
    queued: u64,
    asked: u32,
    acknowledged: u32,
}

impl Direction {
    fn new(id: SlotId, mask: u8) -> Self {
        Self {
            id,
            mask,
            expected: VecDeque::new(),
            fragments: Vec::new(),
            opcode: 0,
            compress: 0,
            queued: 0,
            asked: 0,
            acknowledged: 0,
        }
    }

    /// Sends something.
    fn send(&mut self, side: &mut Side, dice: &mut Dice, compresses: bool) {
        let length = match dice.below(10) {
            0 => 0,
            1..=5 => dice.below(200),
            6..=8 => dice.below(9000),
            _ => dice.below(90_000),
        };
        let byte = b'a' + dice.below(26) as u8;
        let payload: Vec<u8> = (0..length).map(|at| byte ^ (at / 37) as u8 & 7).collect();
        let ack = if dice.below(3) == 0 { flag::ACK } else { 0 };
        self.asked += u32::from(ack != 0);
        if dice.below(6) == 0 {
            let control = &payload[..length.min(125)];
            let opcode = if dice.below(2) == 0 { PING } else { PONG };
            let tag = if opcode == PING {
                event::PING
            } else {
                event::PONG
            };
            self.expected.push_back((tag, control.to_vec()));
            self.count(control.len());
            side.frame(self.id, flag::FIN | self.mask | ack, opcode, control);
            return;
        }
        let first = self.opcode == 0;
        if first {
            self.opcode = if dice.below(2) == 0 { TEXT } else { BINARY };
            self.compress = if compresses && dice.below(3) > 0 {
                flag::COMPRESS
            } else {
                0
            };
        }
        let fin = if dice.below(3) > 0 { flag::FIN } else { 0 };
        let opcode = if first { self.opcode } else { 0 };
        let compress = if first { self.compress } else { 0 };
        self.fragments.extend_from_slice(&payload);
        self.count(length);
        side.frame(self.id, fin | self.mask | ack | compress, opcode, &payload);
        if fin != 0 {
            let message = std::mem::take(&mut self.fragments);
            self.expected.push_back((event::MESSAGE, message));
            self.opcode = 0;
        }
    }

    fn count(&mut self, length: usize) {
        let header = match length {
            0..126 => 2,
            126..65_536 => 4,
            _ => 10,
        };
        self.queued += (length + header + if self.mask == 0 { 0 } else { 4 }) as u64;
    }

    /// Compares what the other side reports.
    fn check(&mut self, events: &[Event]) {
        for event in events {
            match event.head.tag {
                event::FRAGMENTS | event::WRITTEN => {}
                tag => {
                    let expected = self.expected.pop_front().expect("nothing more was sent");
                    assert_eq!((tag, event.payload.len()), (expected.0, expected.1.len()));
                    assert!(event.payload == expected.1, "other bytes");
                }
            }
        }
    }

    fn note_acknowledged(&mut self, events: &[Event]) {
        for event in events {
            if event.head.tag == event::WRITTEN {
                self.acknowledged += event.head.argument;
            }
        }
    }
}

fn exchange(seed: u64, packed: u32) {
    let mut dice = Dice(seed);
    let (mut near, mut far) = (Side::new(), Side::new());
    let capacity = [300, 5000, 70_000][dice.below(3)];
    let (one, other) = pair(capacity);
    let client = near.adopt(one, settings::CLIENT, packed);
    let server = far.adopt(other, 0, packed);
    let mut there = Direction::new(client, flag::MASK);
    let mut back = Direction::new(server, 0);
    for _ in 0..300 {
        match dice.below(12) {
            0..=3 => there.send(&mut near, &mut dice, packed != 0),
            4..=7 => back.send(&mut far, &mut dice, packed != 0),
            8 => near.order(command::PAUSE, client, 0),
            9 => near.order(command::RESUME, client, 0),
            _ => {
                near.turn();
                far.turn();
            }
        }
        let (heard_near, heard_far) = (near.drain(), far.drain());
        there.check(&heard_far);
        back.check(&heard_near);
        there.note_acknowledged(&heard_near);
        back.note_acknowledged(&heard_far);
    }
    near.order(command::RESUME, client, 0);
    let (heard_near, heard_far) = settle(&mut near, &mut far);
    there.check(&heard_far);
    back.check(&heard_near);
    there.note_acknowledged(&heard_near);
    back.note_acknowledged(&heard_far);
    for (direction, side) in [(&there, &near), (&back, &far)] {
        assert!(direction.expected.is_empty(), "something is missing");
        assert_eq!(direction.acknowledged, direction.asked);
        assert_eq!(side.written(direction.id), direction.queued);
        assert!(side.reactor.is_flushed());
        assert_eq!(side.environment.budget.waiting(), 0);
    }
}

#[test]
fn messages_arrive_whole_and_in_order_through_pipes_of_any_size() {
    for seed in 0..30 {
        println!("seed {seed}");
        exchange(seed, 0);
    }
}

#[test]
fn compressed_messages_do_so_too() {
    for seed in 0..20 {
        println!("seed {seed}");
        exchange(seed, deflate(seed % 2 == 0));
    }
}

#[test]
fn a_payload_for_many_slow_peers_is_held_once() {
    let mut near = Side::new();
    let payload = vec![7; 3 << 20];
    let mut peers = Vec::new();
    for _ in 0..25 {
        let (one, other) = pair(1000);
        peers.push((near.adopt(one, 0, 0), other));
    }
    // Each time from other memory, as JavaScript's strings are.
    let mut copy = payload.clone();
    for (id, _) in &peers {
        near.send_large(*id, &copy);
        copy = payload.clone();
    }
    // What JavaScript does with it afterwards changes nothing.
    copy.fill(0);
    let kept = near.reactor.resources.last_kept.as_ref().unwrap();
    let holders = kept.block.holders();
    assert!(holders > 25, "{holders} share it");
    let mut got = vec![Vec::new(); peers.len()];
    while got.iter().any(|bytes| bytes.len() < payload.len() + 10) {
        for ((_, peer), bytes) in peers.iter().zip(&mut got) {
            bytes.extend(peer.receive_all());
        }
        near.turn();
    }
    for bytes in got {
        assert!(bytes[10..] == payload);
    }
}

/// What is shared is what is left: payloads that differ before that share it, others do not, and each
/// peer gets its own.
#[test]
fn what_is_left_of_like_payloads_is_held_once() {
    const LENGTH: usize = 100_000;
    let cases = [
        // How much room there is, which byte differs, and whether the block is the last one's.
        (1000, None, false),
        (1000, Some(10), true),
        (5000, Some(4000), true),
        (600, None, true),
        (20, None, false),
        (1000, Some(LENGTH - 1), false),
        (1000, Some(LENGTH - 1), true),
        (1000, Some(2000), false),
    ];
    let mut near = Side::new();
    let mut peers = Vec::new();
    let mut last = None;
    for (room, differs, shared) in cases {
        let (one, other) = pair(room);
        let id = near.adopt(one, 0, 0);
        let mut payload = vec![7; LENGTH];
        if let Some(at) = differs {
            payload[at] = 8;
        }
        near.send_large(id, &payload);
        let kept = near.reactor.resources.last_kept.as_ref().unwrap();
        let address = kept.block.as_slice().as_ptr();
        assert_eq!(last == Some(address), shared, "{room} {differs:?}");
        last = Some(address);
        peers.push((other, payload, Vec::new()));
    }
    while peers
        .iter()
        .any(|(_, payload, got)| got.len() < payload.len() + 10)
    {
        for (peer, _, got) in &mut peers {
            got.extend(peer.receive_all());
        }
        near.turn();
    }
    for (_, payload, got) in peers {
        assert!(got[10..] == payload);
    }
}

#[test]
fn what_cannot_be_compressed_survives_slices_of_any_size() {
    // Microseconds for either side: little time makes small slices.
    for (deflating, inflating) in [(100, 100), (1000, 3), (3, 1000), (4, 4)] {
        let mut dice = Dice(7);
        let (mut near, mut far) = (Side::new(), Side::new());
        near.limits.zlib_microseconds = deflating;
        far.limits.zlib_microseconds = inflating;
        let (one, other) = pair(200_000);
        let client = near.adopt(one, settings::CLIENT, deflate(true));
        far.adopt(other, 0, deflate(true));
        for round in 0..3 {
            let payload: Vec<u8> = (0..400_000).map(|_| dice.below(256) as u8).collect();
            let flags = flag::FIN | flag::MASK | flag::COMPRESS;
            near.frame(client, flags, BINARY, &payload);
            let (_, heard) = settle(&mut near, &mut far);
            let got = &heard[0].payload;
            let same = got.iter().zip(&payload).take_while(|(a, b)| a == b).count();
            assert_eq!(
                (same, got.len()),
                (payload.len(), payload.len()),
                "{deflating} {inflating} {round}"
            );
        }
    }
}

#[test]
fn silent_connections_give_their_streams_back_and_busy_ones_do_not() {
    let mut dice = Dice(9);
    let mut side = Side::new();
    for round in 0..4 {
        // Each time the numbers of connections that are gone are used again.
        let (one, other) = pair(200_000);
        let client = side.adopt(one, settings::CLIENT, deflate(true));
        let server = side.adopt(other, 0, deflate(true));
        let payload: Vec<u8> = (0..500_000).map(|_| dice.below(256) as u8).collect();
        let flags = flag::FIN | flag::MASK | flag::COMPRESS;
        side.frame(client, flags, BINARY, &payload);
        let mut answered = false;
        for turns in 0.. {
            side.turn();
            if turns % 5 == 0 {
                side.wait(Duration::from_secs(1));
            }
            let Some(event) = side.drain().pop() else {
                continue;
            };
            assert!(event.payload == payload, "other bytes in round {round}");
            if answered {
                break;
            }
            answered = true;
            assert_eq!(event.id(), server);
            side.frame(server, flag::FIN | flag::COMPRESS, BINARY, &payload);
        }
        assert!(!side.reactor.warm.is_empty());
        for _ in 0..3 {
            side.wait(Duration::from_secs(1));
            side.turn();
        }
        assert_eq!(side.reactor.warm.len(), 0, "both are silent");
        // What comes then refers to the history.
        side.frame(client, flags, BINARY, &payload[..20_000]);
        let event = (0..100).find_map(|_| {
            side.turn();
            side.drain().pop()
        });
        assert!(event.unwrap().payload == payload[..20_000]);
        for id in [client, server] {
            side.order(command::DESTROY, id, 0);
            side.drain();
            side.order(command::RELEASE, id, 0);
        }
    }
}
