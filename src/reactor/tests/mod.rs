//! Reactors in memory and in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod backlog;
mod endings;
mod exchange;
mod extraction;
mod fairness;
mod fan_out;
mod heartbeat;
mod inbound_limit;
mod listening;
mod tally;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::memory::{MemoryNetwork, MemorySocket};
use super::{Limits, Reactor, Turn};
use crate::bridge::Settings;
use crate::bridge::layout::{self, Head, command, compression, event, flag, settings};
use crate::bridge::{Block, Environment, Lane, SlotId, WrittenTable};

/// A drained record with its payload.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    head: Head,
    payload: Vec<u8>,
}

impl Event {
    fn id(&self) -> SlotId {
        SlotId {
            slot: self.head.slot,
            generation: self.head.generation,
        }
    }
}

/// A reactor with the JavaScript side of its lane.
struct Side {
    reactor: Reactor<MemoryNetwork>,
    environment: Arc<Environment>,
    lane: Arc<Lane>,
    table: Arc<WrittenTable>,
    now: Instant,
    limits: Limits,
}

impl Side {
    fn new() -> Self {
        let environment = Arc::<Environment>::default();
        let lane = Lane::new(&environment);
        let table = Arc::<WrittenTable>::default();
        let now = Instant::now();
        Self {
            reactor: Reactor::new(MemoryNetwork::default(), &lane, &table, now),
            environment,
            lane,
            table,
            now,
            limits: Limits::INLINE,
        }
    }

    /// Puts a socket to work. `packed` is the compression word of the settings.
    fn adopt(&mut self, socket: MemorySocket, flags: u32, packed: u32) -> SlotId {
        let mut words = [0; settings::WORDS];
        words[settings::FLAGS] = flags;
        words[settings::COMPRESSION] = packed;
        self.adopt_with(socket, words)
    }

    /// The same with all that settings say.
    fn adopt_with(&mut self, socket: MemorySocket, words: [u32; settings::WORDS]) -> SlotId {
        // The time of what was done last.
        self.reactor.begin_turn(self.now, self.limits);
        let id = self.reactor.reserve();
        let settings = Settings::from_words(words);
        self.reactor
            .adopt(id, socket, settings, &[], &mut [])
            .unwrap();
        id
    }

    fn turn(&mut self) -> Turn {
        self.reactor.begin_turn(self.now, self.limits);
        self.reactor.turn().unwrap();
        self.reactor.finish_turn()
    }

    /// Lets time pass.
    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Runs one command and finishes the turn.
    fn command(&mut self, tag: u8, flags: u8, aux: u16, id: SlotId, payload: &[u8]) {
        self.run(tag, flags, aux, id, payload.len() as u32, payload);
    }

    /// A command whose argument is not a length.
    fn order(&mut self, tag: u8, id: SlotId, argument: u32) {
        self.run(tag, 0, 0, id, argument, &[]);
    }

    fn run(&mut self, tag: u8, flags: u8, aux: u16, id: SlotId, argument: u32, payload: &[u8]) {
        let mut head = Head {
            tag,
            flags,
            aux,
            slot: id.slot,
            generation: id.generation,
            argument,
        };
        let mut blocks = VecDeque::new();
        let mut inline = payload;
        if payload.len() > layout::OUTBOX_INLINE_LIMIT {
            head.flags |= flag::BLOCK;
            blocks.push_back(Block::copy_of(payload, &self.environment.pool));
            inline = &[];
        }
        let words = head.to_words();
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend_from_slice(inline);
        bytes.resize(layout::next_record(0, inline.len()), 0);
        self.reactor.begin_turn(self.now, self.limits);
        self.reactor.run(&bytes, &mut blocks);
        self.reactor.finish_turn();
    }

    fn frame(&mut self, id: SlotId, flags: u8, opcode: u16, payload: &[u8]) {
        self.command(command::FRAME, flags, opcode, id, payload);
    }

    /// A binary message from where it is, as JavaScript sends large ones.
    fn send_large(&mut self, id: SlotId, payload: &[u8]) {
        let head = Head {
            tag: command::FRAME,
            flags: flag::FIN,
            aux: 2,
            slot: id.slot,
            generation: id.generation,
            argument: payload.len() as u32,
        };
        self.reactor.begin_turn(self.now, self.limits);
        self.reactor.run_with(head, payload);
        self.reactor.finish_turn();
    }

    /// What JavaScript would hear of, with what it costs taken off the budget.
    fn drain(&mut self) -> Vec<Event> {
        if self.lane.inbox().is_empty() {
            return Vec::new();
        }
        let mut heads = vec![0; layout::LANDING_RECORDS * layout::RECORD_WORDS];
        let mut bytes = vec![0; layout::LANDING_BYTES];
        let mut events = Vec::new();
        loop {
            let drained = self.lane.inbox().drain(&mut heads, &mut bytes);
            let (mut at, mut cost) = (0, drained.cost);
            for words in heads.chunks_exact(4).take(drained.records) {
                let head = Head::from_words([words[0], words[1], words[2], words[3]]);
                let length = head.argument as usize;
                let payload = if head.has(flag::BLOCK) {
                    let block = self.lane.inbox().take_block().unwrap();
                    cost += block.len();
                    block.as_slice().to_vec()
                } else if (event::MESSAGE..=event::CLOSE).contains(&head.tag)
                    || head.tag == event::DROPPED
                    || head.tag == event::PUBLISHED
                {
                    at += length;
                    bytes[at - length..at].to_vec()
                } else {
                    Vec::new()
                };
                events.push(Event { head, payload });
            }
            if self.environment.budget.credit(cost) {
                self.reactor.read_again();
            }
            if !drained.more {
                return events;
            }
        }
    }

    /// What JavaScript reads of the table.
    fn written(&self, id: SlotId) -> u64 {
        let chunk = self.table.chunk(id.slot as usize / layout::TABLE_CHUNK);
        let counter = &chunk[id.slot as usize % layout::TABLE_CHUNK];
        f64::from_bits(counter.load(std::sync::atomic::Ordering::Relaxed)) as u64
    }
}

/// Turns two reactors until neither has anything to do, and gives what each reports.
fn settle(near: &mut Side, far: &mut Side) -> (Vec<Event>, Vec<Event>) {
    let (mut heard_near, mut heard_far) = (Vec::new(), Vec::new());
    let (mut quiet, mut count) = (0, 0);
    while quiet < 3 {
        count += 1;
        assert!(count < 300_000, "they come to no end");
        let turns = [near.turn(), far.turn()];
        let (more_near, more_far) = (near.drain(), far.drain());
        let idle = more_near.is_empty()
            && more_far.is_empty()
            && near.reactor.is_flushed()
            && far.reactor.is_flushed();
        quiet = if idle && turns.iter().all(|turn| !turn.backlog) {
            quiet + 1
        } else {
            0
        };
        heard_near.extend(more_near);
        heard_far.extend(more_far);
    }
    (heard_near, heard_far)
}

/// A deterministic generator of numbers (splitmix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

/// permessage-deflate with 15 bits of window both ways.
const fn deflate(takeover: bool) -> u32 {
    let both = if takeover {
        compression::INFLATE_TAKEOVER | compression::DEFLATE_TAKEOVER
    } else {
        0
    };
    compression::ON
        | both
        | 15 << compression::INFLATE_BITS
        | 15 << compression::DEFLATE_BITS
        | 7 << compression::LEVEL
        | 8 << compression::MEM_LEVEL
}
