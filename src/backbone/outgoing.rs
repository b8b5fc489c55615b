//! What waits for the engine.
//!
//! Owns: [`Outgoing`]: a queue that is bounded in bytes, the numbers of messages, and
//! where these have holes: whoever misses a message that was dropped here is to learn
//! of it, by the next one or by a mark. Runs on: any, behind one lock.
//! INVARIANT: a message keeps its number, however often it is tried. Tests: here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::config::Overflow;
use super::frame::{HEADER, Header};

/// Topics that are numbered in one go; then another origin begins.
const MOST_TOPICS: usize = 65_536;
/// How often a message is tried that the engine went away with.
const MOST_ATTEMPTS: u8 = 3;
/// What an entry takes beside its bytes.
const ENTRY: usize = 64;
/// Frames lie in blocks of so many bytes, one behind the other: as many small pieces of memory, which
/// stay while those around them are freed, would make JavaScript's own memory slow.
const BLOCK: usize = 64 * 1024;
/// Larger ones have memory of their own.
const LARGEST_IN_BLOCK: usize = BLOCK / 8;
/// Low bits of an origin: which of a process's it is.
const TURN_BITS: u32 = 16;

/// A message with its header.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) topic: Arc<str>,
    pub(super) frame: Bytes,
    /// Its number.
    pub(super) sequence: u64,
    attempts: u8,
    /// It is a mark, and nobody's loss.
    mark: bool,
}

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Messages.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Outgoing {
    waiting: VecDeque<Waiting>,
    /// What is left of the block that is being filled.
    block: BytesMut,
    bytes: usize,
    most: usize,
    overflow: Overflow,
    origin: u64,
    /// The last number of each topic.
    numbers: HashMap<Arc<str>, u64>,
    /// Topics of which a message was dropped that nobody was told of, and the last such message.
    holes: HashMap<Arc<str>, u64>,
    /// Holes are marked even where the next message shows them: in a history, it may be the first that
    /// somebody gets.
    marks_all: bool,
    dropped: Dropped,
    /// Messages that came, and those that are done with.
    came: u64,
    done: u64,
}

/// Whether two origins are one process.
pub(super) fn same_process(one: u64, other: u64) -> bool {
    one >> TURN_BITS == other >> TURN_BITS
}

impl Outgoing {
    /// An empty queue. The low bits of `origin` are not looked at.
    pub(super) fn new(most: usize, overflow: Overflow, origin: u64, marks_all: bool) -> Self {
        Self {
            waiting: VecDeque::new(),
            block: BytesMut::new(),
            bytes: 0,
            most,
            overflow,
            origin: origin >> TURN_BITS << TURN_BITS,
            numbers: HashMap::new(),
            holes: HashMap::new(),
            marks_all,
            dropped: Dropped::default(),
            came: 0,
            done: 0,
        }
    }

    /// A message is published. Its origin and its number.
    pub(super) fn push(
        &mut self,
        topic: &str,
        opcode: u8,
        compress: bool,
        payload: &[u8],
    ) -> (u64, u64) {
        self.came += 1;
        let (topic, sequence) = self.number(topic);
        let size = cost(&topic, HEADER + payload.len());
        if self.bytes + size > self.most && !self.make_room(size) {
            self.lose(&topic, sequence, payload.len());
            return (self.origin, sequence);
        }
        if self.marks_all
            && self.overflow == Overflow::DropNewest
            && let Some(last) = self.holes.remove(&topic)
        {
            let mark = self.mark_of(&topic, last);
            self.put(mark);
        }
        let header = Header {
            opcode,
            compress,
            hole: false,
            origin: self.origin,
            sequence,
        };
        let frame = self.frame(&header, payload);
        self.put(Waiting {
            frame,
            topic,
            sequence,
            attempts: 0,
            mark: false,
        });
        (self.origin, sequence)
    }

    /// Takes the next messages: as many, and about so many bytes; one if it was tried before, which
    /// shows whose fault it is if it fails again.
    pub(super) fn take(&mut self, messages: usize, bytes: usize) -> Vec<Waiting> {
        if self.waiting.is_empty() || (self.marks_all && self.overflow == Overflow::DropOldest) {
            self.mark();
        }
        let mut batch = Vec::new();
        let mut taken = 0;
        while let Some(next) = self.waiting.front() {
            let alone = next.attempts > 0;
            if !batch.is_empty() && (alone || batch.len() == messages || taken >= bytes) {
                break;
            }
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            let size = cost(&next.topic, next.frame.len());
            self.bytes -= size;
            taken += size;
            batch.push(next);
            if alone {
                break;
            }
        }
        batch
    }

    /// The engine has them, but for those at places that `is_refused` knows.
    pub(super) fn confirm(&mut self, batch: &[Waiting], is_refused: impl Fn(usize) -> bool) {
        for (at, each) in batch.iter().enumerate().filter(|(_, each)| !each.mark) {
            if is_refused(at) {
                self.refuse(each);
            } else {
                self.done += 1;
            }
        }
    }

    /// The engine went away and may have them or not: they come first, with their numbers, by which
    /// a receiver knows what it has. What it went away with several times is given up; how many.
    pub(super) fn put_back(&mut self, batch: Vec<Waiting>) -> usize {
        let mut given_up = 0;
        for mut each in batch.into_iter().rev() {
            each.attempts += 1;
            if each.attempts >= MOST_ATTEMPTS {
                self.refuse(&each);
                given_up += 1;
                continue;
            }
            self.bytes += cost(&each.topic, each.frame.len());
            self.waiting.push_front(each);
        }
        // They had their place in the queue before what came meanwhile.
        while self.bytes > self.most && self.waiting.len() > 1 {
            let at = match self.overflow {
                Overflow::DropOldest => self.waiting.pop_front(),
                Overflow::DropNewest => self.waiting.pop_back(),
            };
            if let Some(dropped) = at {
                self.forget(&dropped);
            }
        }
        given_up
    }

    /// The engine does not take a message.
    fn refuse(&mut self, message: &Waiting) {
        if message.mark {
            return;
        }
        self.lose(&message.topic, message.sequence, payload_of(message));
    }

    /// What was dropped since this was asked for last.
    pub(super) fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.dropped)
    }

    /// Messages and bytes that wait.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.waiting.len(), self.bytes)
    }

    /// Where the queue ends; see [`has_passed`](Self::has_passed).
    pub(super) fn end(&self) -> u64 {
        self.came
    }

    /// Whether all that came before an end is done with.
    pub(super) fn has_passed(&self, end: u64) -> bool {
        self.done >= end
    }

    /// Whether there is something for the engine.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.holes.is_empty()
    }

    pub(super) fn origin(&self) -> u64 {
        self.origin
    }

    fn number(&mut self, topic: &str) -> (Arc<str>, u64) {
        if let Some((name, number)) = self.numbers.get_key_value(topic) {
            let (name, number) = (Arc::clone(name), number + 1);
            if let Some(last) = self.numbers.get_mut(topic) {
                *last = number;
            }
            return (name, number);
        }
        if self.numbers.len() == MOST_TOPICS {
            self.numbers.clear();
            self.holes.clear();
            let turns = self.origin.wrapping_add(1) & ((1 << TURN_BITS) - 1);
            self.origin = self.origin >> TURN_BITS << TURN_BITS | turns;
        }
        let name: Arc<str> = topic.into();
        self.numbers.insert(Arc::clone(&name), 1);
        (name, 1)
    }

    fn frame(&mut self, header: &Header, payload: &[u8]) -> Bytes {
        let size = HEADER + payload.len();
        if size > LARGEST_IN_BLOCK {
            let mut own = BytesMut::with_capacity(size);
            header.write(&mut own, payload);
            return own.freeze();
        }
        if self.block.capacity() < size {
            self.block = BytesMut::with_capacity(BLOCK);
        }
        header.write(&mut self.block, payload);
        self.block.split().freeze()
    }

    fn put(&mut self, message: Waiting) {
        self.bytes += cost(&message.topic, message.frame.len());
        self.waiting.push_back(message);
    }

    fn make_room(&mut self, size: usize) -> bool {
        if self.overflow == Overflow::DropNewest || size > self.most {
            return false;
        }
        while self.bytes + size > self.most {
            let Some(oldest) = self.waiting.pop_front() else {
                return false;
            };
            self.bytes -= cost(&oldest.topic, oldest.frame.len());
            if !oldest.mark {
                self.lose(&oldest.topic, oldest.sequence, payload_of(&oldest));
            }
        }
        true
    }

    fn forget(&mut self, dropped: &Waiting) {
        self.bytes -= cost(&dropped.topic, dropped.frame.len());
        self.refuse(dropped);
    }

    fn lose(&mut self, topic: &Arc<str>, sequence: u64, bytes: usize) {
        self.done += 1;
        self.dropped.messages += 1;
        self.dropped.bytes += bytes as u64;
        let last = self.holes.entry(Arc::clone(topic)).or_default();
        *last = sequence.max(*last);
    }

    /// Tells of holes: no message may follow that shows them. What waits comes behind them.
    fn mark(&mut self) {
        for (topic, last) in std::mem::take(&mut self.holes) {
            if self.numbers.contains_key(&topic) {
                let mark = self.mark_of(&topic, last);
                self.bytes += cost(&mark.topic, mark.frame.len());
                self.waiting.push_front(mark);
            }
        }
    }

    fn mark_of(&mut self, topic: &Arc<str>, sequence: u64) -> Waiting {
        let header = Header {
            opcode: 1,
            compress: false,
            hole: true,
            origin: self.origin,
            sequence,
        };
        Waiting {
            topic: Arc::clone(topic),
            frame: self.frame(&header, b""),
            sequence,
            attempts: 0,
            mark: true,
        }
    }
}

fn cost(topic: &Arc<str>, frame: usize) -> usize {
    topic.len() + frame + ENTRY
}

fn payload_of(message: &Waiting) -> usize {
    message.frame.len() - HEADER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(overflow: Overflow) -> Outgoing {
        // Room for three messages of one byte to a topic of one byte.
        Outgoing::new(3 * (1 + 21 + ENTRY), overflow, u64::MAX, false)
    }

    fn sent(batch: &[Waiting]) -> Vec<(String, bool, u64, String)> {
        let read = batch.iter().map(|each| {
            let (header, payload) = Header::read(&each.frame).expect("a frame of ours");
            let payload = String::from_utf8(payload.to_vec()).expect("text");
            (
                each.topic.to_string(),
                header.hole,
                header.sequence,
                payload,
            )
        });
        read.collect()
    }

    fn entry(topic: &str, sequence: u64, payload: &str) -> (String, bool, u64, String) {
        (topic.into(), payload.is_empty(), sequence, payload.into())
    }

    #[test]
    fn messages_are_numbered_by_topic() {
        let mut queue = queue(Overflow::DropNewest);
        for (topic, payload) in [("a", "1"), ("b", "2"), ("a", "3")] {
            queue.push(topic, 1, false, payload.as_bytes());
        }
        let batch = queue.take(9, 9000);
        assert_eq!(
            sent(&batch),
            [entry("a", 1, "1"), entry("b", 1, "2"), entry("a", 2, "3")]
        );
        assert!(!queue.has_passed(queue.end()));
        queue.confirm(&batch, |_| false);
        assert!(queue.has_passed(queue.end()) && !queue.has_work());
        assert_eq!(queue.held(), (0, 0));
    }

    #[test]
    fn the_newest_is_dropped_and_the_hole_is_marked() {
        let mut queue = queue(Overflow::DropNewest);
        for payload in ["1", "2", "3", "4"] {
            queue.push("a", 1, false, payload.as_bytes());
        }
        queue.push("b", 1, false, b"5");
        let expected = Dropped {
            messages: 2,
            bytes: 2,
        };
        assert_eq!(queue.take_dropped(), expected);
        assert_eq!(queue.take(9, 9000).len(), 3);
        let mut marks = sent(&queue.take(9, 9000));
        marks.sort();
        assert_eq!(marks, [entry("a", 4, ""), entry("b", 1, "")]);
        assert!(queue.take(9, 9000).is_empty());
    }

    #[test]
    fn the_oldest_are_dropped_and_what_comes_shows_the_hole() {
        let mut queue = queue(Overflow::DropOldest);
        for payload in ["1", "2", "3", "4"] {
            queue.push("a", 1, false, payload.as_bytes());
        }
        assert_eq!(queue.take_dropped().messages, 1);
        let batch = queue.take(9, 9000);
        assert_eq!(
            sent(&batch),
            [entry("a", 2, "2"), entry("a", 3, "3"), entry("a", 4, "4")]
        );
        queue.confirm(&batch, |_| false);
        assert!(queue.has_passed(4));
        // Larger than the queue: nothing is dropped in vain.
        queue.push("a", 1, false, b"5");
        queue.push("a", 1, false, &[b'x'; 400]);
        assert_eq!(queue.held().0, 1);
    }

    #[test]
    fn what_the_engine_went_away_with_is_tried_alone_and_then_given_up() {
        let mut queue = queue(Overflow::DropNewest);
        queue.push("a", 1, false, b"1");
        queue.push("a", 1, false, b"2");
        let batch = queue.take(9, 9000);
        assert_eq!(queue.put_back(batch), 0);
        queue.push("a", 1, false, b"3");
        for (payload, given_up) in [("1", 0), ("1", 1), ("2", 0), ("2", 1)] {
            let batch = queue.take(9, 9000);
            assert_eq!(sent(&batch)[0].3, payload);
            assert_eq!(batch.len(), 1);
            assert_eq!(queue.put_back(batch), given_up);
        }
        assert_eq!(sent(&queue.take(9, 9000)), [entry("a", 3, "3")]);
        assert_eq!(queue.take_dropped().messages, 2);
    }

    #[test]
    fn what_comes_back_does_not_exceed_the_queue() {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
            let mut queue = queue(overflow);
            for payload in ["1", "2", "3"] {
                queue.push("a", 1, false, payload.as_bytes());
            }
            let batch = queue.take(9, 9000);
            queue.push("a", 1, false, b"4");
            queue.put_back(batch);
            assert_eq!(queue.held().0, 3);
            let first = sent(&queue.take(1, 1))[0].3.clone();
            let expected = if overflow == Overflow::DropNewest {
                "1"
            } else {
                "2"
            };
            assert_eq!(first, expected);
        }
    }

    #[test]
    fn in_a_history_each_hole_is_marked_where_it_is() {
        for (overflow, expected) in [
            (
                Overflow::DropOldest,
                vec![entry("a", 1, ""), entry("a", 2, "2"), entry("a", 3, "3")],
            ),
            (
                Overflow::DropNewest,
                vec![entry("a", 1, "1"), entry("a", 2, "2"), entry("a", 3, "3")],
            ),
        ] {
            let mut queue = Outgoing::new(3 * (1 + 21 + ENTRY), overflow, u64::MAX, true);
            for payload in ["1", "2", "3", "4"] {
                queue.push("a", 1, false, payload.as_bytes());
            }
            assert_eq!(sent(&queue.take(3, 9000)), expected);
            queue.push("a", 1, false, b"5");
            let then = match overflow {
                Overflow::DropOldest => vec![entry("a", 4, "4"), entry("a", 5, "5")],
                Overflow::DropNewest => vec![entry("a", 4, ""), entry("a", 5, "5")],
            };
            assert_eq!(sent(&queue.take(9, 9000)), then);
        }
    }

    #[test]
    fn too_many_topics_begin_another_origin_of_the_same_process() {
        let mut queue = Outgoing::new(usize::MAX, Overflow::DropNewest, 7 << TURN_BITS, false);
        queue.push("first", 1, false, b"");
        let before = queue.origin();
        for index in 0..MOST_TOPICS {
            queue.push(&index.to_string(), 1, false, b"");
        }
        assert_ne!(queue.origin(), before);
        assert!(same_process(queue.origin(), before) && !same_process(before, 0));
        assert_eq!(queue.numbers.len(), 1);
    }
}
