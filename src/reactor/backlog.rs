//! What waits for a peer that reads slowly, and what becomes of more of it.
//!
//! Owns: [`Backlog`], of connections whose server limits it: frames in the order of
//! their commands, not encoded and not compressed, so that some can be dropped. Kept by
//! the sending half. Runs on: whoever turns the reactor. Tests: `src/reactor/tests/backlog.rs`.
//!
//! ```text
//!  command ──► admit ──room──► direct ─────────────► encoder ──► write queue ──► socket
//!                │ ▲              │ the kernel is full                ▲
//!                │ └─ make room   └──► backlog ──it has room again────┘
//!                └──no room──► dropped
//! ```
//!
//! INVARIANT: what the write queue and the backlog hold stays within the limit, but for control
//! frames and for messages of which something is encoded already: those are never dropped.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;

use super::broadcast::Broadcast;
use super::outgoing::FrameStart;
use super::tally::Tally;
use crate::bridge::{BackpressureOptions, Block, Policy};

/// Encoded bytes that may wait for the kernel before what follows waits here.
const MOST_ENCODED: u64 = 16 * 1024;

/// Something that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) what: What,
    pub(crate) ack: bool,
    /// Which message it is of, 0 for what is not part of one.
    message: u64,
    /// The number of its acknowledgement.
    number: u32,
    bytes: u64,
    /// The topic, if that has a rule of its own.
    ruled: Option<u32>,
}

#[derive(Debug)]
pub(crate) enum What {
    Frame(FrameStart, Block),
    /// One that others send, too.
    Message(Arc<Broadcast>),
    Raw(Block),
    End(bool),
}

/// What was dropped since it was told.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    pub(crate) messages: u32,
    /// Bytes of their payloads.
    pub(crate) bytes: u64,
    /// Numbers of acknowledgements that never come.
    pub(crate) acks: Vec<u32>,
}

/// Whether a frame goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It does.
    Accepted,
    /// It was dropped.
    Dropped,
}

/// The message whose frames are coming.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Current {
    #[default]
    None,
    Accepted,
    Dropped,
}

#[derive(Debug)]
pub(crate) struct Backlog {
    options: BackpressureOptions,
    waiting: VecDeque<Waiting>,
    bytes: u64,
    /// Those of them that belong to messages of which nothing is encoded.
    droppable: u64,
    /// Those of these that belong to the current message.
    own: u64,
    current: Current,
    /// The number of the current message, or the last one, and of the last of which something is encoded.
    message: u64,
    encoded: u64,
    /// How many acknowledgements were asked for.
    asked: u32,
    /// Bytes that wait, by the topics that have rules of their own.
    ruled: HashMap<u32, u64>,
    /// A message did not fit, and not enough was written since.
    pub(crate) pressed: bool,
    /// Nothing is taken any more.
    closed: bool,
    dropped: Dropped,
    /// Of this, what is not counted yet: messages, bytes of their payloads, by policy.
    uncounted: [(u64, u64); 5],
    /// By which something is dropped just now.
    dropping: Policy,
    /// What dropped frames would have taken on the wire, of which nobody was told yet.
    forgone: i64,
}

impl Backlog {
    pub(crate) fn new(options: BackpressureOptions) -> Self {
        Self {
            options,
            waiting: VecDeque::new(),
            bytes: 0,
            droppable: 0,
            own: 0,
            current: Current::None,
            message: 0,
            encoded: 0,
            asked: 0,
            ruled: HashMap::new(),
            pressed: false,
            closed: false,
            dropped: Dropped::default(),
            uncounted: [(0, 0); 5],
            dropping: options.policy,
            forgone: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait here, as they would be on the wire uncompressed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Encoded bytes that may wait for the kernel.
    pub(crate) fn most_encoded(&self) -> u64 {
        MOST_ENCODED.min(self.options.limit / 4)
    }

    /// Whether so much more exceeds the limit, with so much encoded.
    pub(crate) fn exceeds(&self, encoded: u64, more: u64) -> bool {
        encoded + self.bytes + more > self.options.limit
    }

    /// Whether so little waits that the pressure is over.
    pub(crate) fn is_relieved(&self, encoded: u64) -> bool {
        self.pressed && encoded + self.bytes <= self.options.limit / 2
    }

    /// An acknowledgement is asked for.
    pub(crate) fn count_ack(&mut self, ack: bool) {
        self.asked = self.asked.wrapping_add(u32::from(ack));
    }

    /// Whether the connection is to be closed because of what did not fit.
    pub(crate) fn closes(&self) -> bool {
        self.closed
    }

    /// Decides about a frame of a message, whose topic may have a rule of its own. `encoded` bytes wait
    /// already that are encoded. What it drops for it, or of it, is noted.
    pub(crate) fn admit(
        &mut self,
        frame: FrameStart,
        rule: Option<BackpressureOptions>,
        payload: usize,
        ack: bool,
        encoded: u64,
    ) -> Admission {
        if frame.begins_message() {
            self.message += 1;
            self.own = 0;
            self.current = Current::None;
        }
        let length = frame.wire_length(payload);
        let mut admission = Admission::Accepted;
        if self.closed || self.current == Current::Dropped {
            admission = Admission::Dropped;
        } else if let Some(rule) = rule {
            admission = self.make_room_of(frame.topic, rule, length as u64);
        }
        if admission == Admission::Dropped {
            // By whatever dropped it.
        } else if self.exceeds(encoded, length as u64) {
            self.pressed = true;
            self.dropping = self.options.policy;
            admission = self.make_room(frame.topic, encoded, length as u64);
        }
        if admission == Admission::Dropped {
            if self.current != Current::Dropped {
                self.note_dropped(1, 0);
                self.drop_own();
            }
            self.forget_frame(payload, length, ack);
        }
        self.current = match admission {
            _ if frame.fin => Current::None,
            Admission::Accepted => Current::Accepted,
            Admission::Dropped => Current::Dropped,
        };
        admission
    }

    fn make_room(&mut self, topic: u32, encoded: u64, length: u64) -> Admission {
        // Nothing of it can be dropped any more.
        let started = self.current == Current::Accepted && self.encoded == self.message;
        let policy = self.options.policy;
        if policy == Policy::Buffer || started {
            return Admission::Accepted;
        }
        if policy == Policy::Close {
            self.closed = true;
        }
        let others = self.droppable - self.own;
        let needed = (encoded + self.bytes + length).saturating_sub(self.options.limit);
        if !matches!(policy, Policy::DropOldest | Policy::Latest) || others < needed {
            return Admission::Dropped;
        }
        let mut left = needed;
        if policy == Policy::Latest {
            left = left.saturating_sub(self.drop_topic(topic, u64::MAX));
        }
        self.drop_oldest(left);
        Admission::Accepted
    }

    /// Makes room for a message among those of its topic.
    fn make_room_of(&mut self, topic: u32, rule: BackpressureOptions, length: u64) -> Admission {
        let held = self.ruled.get(&topic).copied().unwrap_or(0);
        let needed = (held + length).saturating_sub(rule.limit);
        if needed == 0 || rule.policy == Policy::Buffer {
            return Admission::Accepted;
        }
        self.dropping = rule.policy;
        match rule.policy {
            Policy::DropOldest if needed <= held => {
                self.drop_topic(topic, needed);
                Admission::Accepted
            }
            Policy::Latest if needed <= held => {
                self.drop_topic(topic, u64::MAX);
                Admission::Accepted
            }
            Policy::Close => {
                self.closed = true;
                self.pressed = true;
                Admission::Dropped
            }
            _ => Admission::Dropped,
        }
    }

    /// Drops waiting messages of a topic before the current one, the oldest first, until so many bytes
    /// are free. How many are.
    fn drop_topic(&mut self, topic: u32, needed: u64) -> u64 {
        let (encoded, current) = (self.encoded, self.message);
        let waiting = mem::take(&mut self.waiting);
        let mut free = 0;
        let mut last = 0;
        for each in waiting {
            let of_topic = match &each.what {
                What::Frame(frame, _) => frame.topic == topic,
                What::Message(message) => message.start().topic == topic,
                What::Raw(_) | What::End(_) => false,
            };
            let droppable = each.message > encoded && each.message < current;
            if of_topic && droppable && free < needed {
                free += each.bytes;
                self.drop_waiting(each, &mut last);
            } else {
                self.waiting.push_back(each);
            }
        }
        free
    }

    /// Drops the oldest messages until so many bytes are free.
    fn drop_oldest(&mut self, needed: u64) {
        let mut kept = Vec::new();
        let (mut free, mut last) = (0, 0);
        while let Some(each) = self.waiting.pop_front() {
            let droppable = each.message > self.encoded && each.message < self.message;
            // A message goes as a whole.
            if free >= needed && each.message != last && each.message != 0 {
                self.waiting.push_front(each);
                break;
            }
            if droppable {
                free += each.bytes;
                self.drop_waiting(each, &mut last);
            } else {
                kept.push(each);
            }
        }
        for each in kept.into_iter().rev() {
            self.waiting.push_front(each);
        }
    }

    /// Drops what waits of the current message, which is not encoded.
    fn drop_own(&mut self) {
        if self.own == 0 {
            return;
        }
        let mut kept = Vec::new();
        // The message was counted already.
        let mut last = self.message;
        while self.own > 0
            && let Some(each) = self.waiting.pop_back()
        {
            if each.message == self.message {
                self.own -= each.bytes;
                self.drop_waiting(each, &mut last);
            } else {
                kept.push(each);
            }
        }
        self.waiting.extend(kept.into_iter().rev());
    }

    fn drop_waiting(&mut self, waiting: Waiting, last: &mut u64) {
        self.bytes -= waiting.bytes;
        self.droppable -= waiting.bytes;
        self.forget_ruled(&waiting);
        if mem::replace(last, waiting.message) != waiting.message {
            self.note_dropped(1, 0);
        }
        match &waiting.what {
            What::Frame(_, block) => self.note_dropped(0, block.len()),
            What::Message(message) => self.note_dropped(0, message.payload().len()),
            What::Raw(_) | What::End(_) => {}
        }
        self.forgone += waiting.bytes as i64;
        if waiting.ack {
            self.dropped.acks.push(waiting.number);
        }
    }

    fn forget_frame(&mut self, payload: usize, length: i64, ack: bool) {
        self.note_dropped(0, payload);
        self.forgone += length;
        if ack {
            self.dropped.acks.push(self.asked.wrapping_sub(1));
        }
    }

    fn note_dropped(&mut self, messages: u32, bytes: usize) {
        self.dropped.messages += messages;
        self.dropped.bytes += bytes as u64;
        let uncounted = &mut self.uncounted[self.dropping as usize];
        uncounted.0 += u64::from(messages);
        uncounted.1 += bytes as u64;
    }

    /// A frame that was admitted is encoded at once.
    pub(crate) fn pass(&mut self, frame: FrameStart) {
        if !frame.is_control() {
            self.encoded = self.message;
        }
    }

    /// Puts something behind what waits.
    pub(crate) fn push(&mut self, what: What, ack: bool) {
        let (bytes, is_data) = match &what {
            What::Frame(frame, block) => {
                (frame.wire_length(block.len()) as u64, !frame.is_control())
            }
            What::Message(message) => (message.framed().len() as u64, true),
            What::Raw(block) => (block.len() as u64, false),
            What::End(_) => (0, false),
        };
        self.bytes += bytes;
        let ruled = match &what {
            What::Message(message) if message.rule().is_some() => Some(message.start().topic),
            _ => None,
        };
        if let Some(topic) = ruled {
            *self.ruled.entry(topic).or_default() += bytes;
        }
        if is_data && self.message > self.encoded {
            self.droppable += bytes;
            self.own += bytes;
        }
        self.waiting.push_back(Waiting {
            what,
            ack,
            message: if is_data { self.message } else { 0 },
            number: self.asked.wrapping_sub(1),
            bytes,
            ruled,
        });
    }

    /// Something does not wait any more.
    fn forget_ruled(&mut self, waiting: &Waiting) {
        let Some(topic) = waiting.ruled else {
            return;
        };
        if let Some(bytes) = self.ruled.get_mut(&topic) {
            *bytes -= waiting.bytes;
            if *bytes == 0 {
                self.ruled.remove(&topic);
            }
        }
    }

    /// What is to be encoded next.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front()?;
        self.bytes -= next.bytes;
        self.forget_ruled(&next);
        if next.message > self.encoded {
            self.encoded = next.message;
            // What follows of it cannot be dropped any more.
            let same = |each: &&Waiting| each.message == next.message;
            let rest: u64 = if matches!(&next.what, What::Frame(frame, _) if !frame.fin) {
                self.waiting
                    .iter()
                    .filter(same)
                    .map(|each| each.bytes)
                    .sum()
            } else {
                0
            };
            self.droppable -= next.bytes + rest;
            if next.message == self.message {
                self.own = 0;
            }
        }
        Some(next)
    }

    /// What was dropped since the last call, if anything.
    pub(crate) fn take_dropped(&mut self) -> Option<Dropped> {
        let some =
            self.dropped.messages > 0 || self.dropped.bytes > 0 || !self.dropped.acks.is_empty();
        some.then(|| mem::take(&mut self.dropped))
    }

    /// Counts what was dropped since the last call.
    pub(crate) fn count_dropped(&mut self, tally: &mut Tally) {
        const POLICIES: [Policy; 5] = [
            Policy::Buffer,
            Policy::DropNewest,
            Policy::DropOldest,
            Policy::Latest,
            Policy::Close,
        ];
        for policy in POLICIES {
            let (messages, bytes) = mem::take(&mut self.uncounted[policy as usize]);
            tally.dropped(policy, messages, bytes);
        }
    }

    /// Bytes on the wire that were saved by dropping since the last call.
    pub(crate) fn take_forgone(&mut self) -> i64 {
        mem::take(&mut self.forgone)
    }
}
