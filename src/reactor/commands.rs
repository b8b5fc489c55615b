//! What JavaScript asks of a reactor: records from the command slab.
//!
//! Owns: the meaning of each command. Runs on: whoever turns the reactor.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::broadcast::Broadcast;
use super::connection::Connection;
use super::entrance::Origin;
use super::network::Network;
use super::outgoing::{FrameStart, Outgoing};
use super::{Entry, Pending, Reactor};
use crate::bridge::Settings;
use crate::bridge::layout::{
    Head, INLINE_LIMIT, PUBLISHED_COMPRESS, command, event, flag, settings,
};
use crate::bridge::{BackpressureOptions, Block, Records, SlotId, words_of};

impl<N: Network> Reactor<N> {
    /// Runs records and tells how many there were. `blocks` are the payloads of those that are
    /// flagged so, in order.
    pub fn run(&mut self, records: &[u8], blocks: &mut VecDeque<Block>) -> usize {
        self.resources.blocks.append(blocks);
        let mut count = 0;
        for (head, inline) in Records::new(records) {
            let block = head
                .has(flag::BLOCK)
                .then(|| self.resources.blocks.pop_front())
                .flatten();
            self.run_one(
                head,
                block.map_or(Outgoing::Inline(inline), Outgoing::Block),
            );
            count += 1;
        }
        count
    }

    /// Runs one record whose payload is elsewhere.
    pub fn run_with(&mut self, head: Head, payload: &[u8]) {
        self.run_one(head, Outgoing::Inline(payload));
    }

    fn run_one(&mut self, head: Head, payload: Outgoing<'_>) {
        let id = SlotId {
            slot: head.slot,
            generation: head.generation,
        };
        match head.tag {
            command::RELEASE => return self.release(id),
            command::PUBLISH => return self.publish(head, payload.as_slice()),
            command::ENLIST => return self.enlist(id),
            command::PREPARE => return self.prepare(head, payload.as_slice()),
            command::FORGET => {
                if let Some(place) = self.prepared.get_mut(head.slot as usize) {
                    *place = None;
                }
                return;
            }
            _ => {}
        }
        let Some(token) = self.slots.token(id) else {
            return;
        };
        if let Some(Entry::Pending(pending)) = self.entries.get_mut(token) {
            match head.tag {
                command::ACCEPT => return self.accept_upgrade(token, payload.as_slice()),
                command::WATCH => {
                    pending.watched = true;
                    return self.look_after(token);
                }
                command::NO_DELAY => return pending.socket_option(head),
                command::KEEP_ALIVE => return pending.socket_option(head),
                command::PAUSE => {
                    pending.paused = true;
                    return;
                }
                command::RESUME => {
                    pending.paused = false;
                    return;
                }
                // Answered by hand instead of being accepted: a connection whose messages nobody
                // looks at.
                _ => self.open(token, Settings::from_words([0; settings::WORDS]), &[]),
            }
        }
        match head.tag {
            command::SUBSCRIBE => {
                self.topics.join(token, head.argument);
            }
            command::UNSUBSCRIBE => {
                self.topics.leave(token, head.argument);
            }
            command::LEAVE => self.topics.leave_all(token),
            command::EXCEPT => self.excepted.push(token),
            command::POST => self.post(token, head),
            _ => self.run_on_connection(token, head, payload),
        }
    }

    /// Keeps a message that several connections will send.
    fn prepare(&mut self, head: Head, payload: &[u8]) {
        let compress = head.has(flag::COMPRESS);
        let message = Broadcast::new(head.aux as u8, compress, payload, &self.resources);
        if let Some(place) = self.prepared.get_mut(head.slot as usize) {
            *place = Some(Arc::new(message));
        }
    }

    fn post(&mut self, token: usize, head: Head) {
        let place = self.prepared.get(head.argument as usize);
        if let Some(message) = place.and_then(Option::as_ref).map(Arc::clone) {
            self.on_connection(token, |connection, resources| {
                connection.post(&message, head.has(flag::ACK), resources);
                Ok(())
            });
        }
    }

    /// Gives a message to all members of a topic but those that were excepted.
    fn publish(&mut self, head: Head, payload: &[u8]) {
        let mut excepted = std::mem::take(&mut self.excepted);
        excepted.sort_unstable();
        let published = Published {
            topic: head.slot,
            opcode: head.aux as u8,
            compress: head.has(flag::COMPRESS),
            rule: BackpressureOptions::from_numbers(head.generation, (head.aux >> 8).into()),
        };
        self.fan_out(published, payload, |token| {
            let gets = excepted.binary_search(&token).is_err();
            gets.then_some(Origin::Here)
        });
    }

    /// What the command of this name does, for somebody who must not write it.
    pub fn subscribe(&mut self, connection: SlotId, topic: u32) {
        if let Some(token) = self.slots.token(connection) {
            self.topics.join(token, topic);
        }
    }

    /// Gives a message that was published on another thread to all members of a topic.
    pub fn publish_from_elsewhere(&mut self, message: &Foreign) {
        let payload = message.payload.as_slice();
        let Foreign {
            topic,
            opcode,
            compress,
            rule,
            ..
        } = *message;
        let mut outside = Vec::new();
        let mut at = 0;
        while let Some(token) = self.topics.member(topic, at) {
            if let Some(Entry::Outside(id)) = self.entries.get(token) {
                outside.push(*id);
            }
            at += 1;
        }
        let published = Published {
            topic,
            opcode,
            compress,
            rule,
        };
        self.fan_out(published, payload, |_| Some(Origin::Elsewhere));
        if let Some(first) = outside.first() {
            let ids = outside.iter().flat_map(|id| [id.slot, id.generation]);
            let words = [topic, outside.len() as u32].into_iter().chain(ids);
            let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
            bytes.extend_from_slice(payload);
            let aux = u16::from(opcode) | if compress { PUBLISHED_COMPRESS } else { 0 };
            let staging = &mut self.resources.staging;
            if bytes.len() <= INLINE_LIMIT {
                staging.push_inline(*first, event::PUBLISHED, 0, aux, &bytes);
            } else {
                staging.push_block(*first, event::PUBLISHED, 0, aux, bytes);
            }
        }
    }

    /// A slot that was reserved stands for a socket of JavaScript's.
    fn enlist(&mut self, id: SlotId) {
        if self.slots.token(id).is_none() {
            let token = self.entries.insert(Entry::Outside(id));
            self.slots.set_token(id, Some(token));
        }
    }

    fn fan_out(
        &mut self,
        published: Published,
        payload: &[u8],
        origin: impl Fn(usize) -> Option<Origin>,
    ) {
        let Published {
            topic,
            opcode,
            compress,
            rule,
        } = published;
        if self.topics.member(topic, 0).is_none() {
            return;
        }
        let message = Broadcast::new(opcode, compress, payload, &self.resources);
        let message = Arc::new(message.of_topic(topic, rule));
        let mut at = 0;
        while let Some(token) = self.topics.member(topic, at) {
            if let Some(origin) = origin(token) {
                self.on_connection(token, |connection, resources| {
                    connection.publish(&message, origin, resources)
                });
            }
            // The place of one that ended is another's.
            if self.topics.member(topic, at) == Some(token) {
                at += 1;
            }
        }
    }

    fn run_on_connection(&mut self, token: usize, head: Head, payload: Outgoing<'_>) {
        self.on_connection(token, |connection, resources| {
            match head.tag {
                command::FRAME if head.has(flag::WHOLE) => {
                    let (opcode, compress) = (head.aux as u8, head.has(flag::COMPRESS));
                    let message = Broadcast::new(opcode, compress, payload.as_slice(), resources);
                    connection.deliver(&Arc::new(message.published()), Origin::Here, resources);
                }
                command::FRAME => {
                    let frame = FrameStart {
                        fin: head.has(flag::FIN),
                        rsv1: false,
                        opcode: head.aux as u8,
                        mask: head.has(flag::MASK).then(|| resources.masks.next()),
                        compress: head.has(flag::COMPRESS),
                        topic: 0,
                    };
                    connection.frame(frame, payload, head.has(flag::ACK), resources);
                }
                command::RAW => connection.raw(payload, head.has(flag::ACK), resources),
                command::END => connection.end(head.argument == 1, resources),
                command::DESTROY => {
                    // What was queued before is offered to the kernel first, where ws would have
                    // written it already.
                    connection.flush(resources)?;
                    if head.argument == 1 {
                        connection.reset_on_close();
                    }
                    return Err(super::Gone(0));
                }
                command::PAUSE => connection.pause(),
                command::RESUME => connection.resume(resources),
                command::NO_DELAY => connection.set_no_delay(head.argument == 1),
                command::MAX_PAYLOAD => connection.set_max_payload(head.argument.into()),
                command::GUARD => connection.guard(head.argument == 1, resources),
                command::KEEP_ALIVE => {
                    let (on, idle) = keep_alive(head);
                    connection.set_keep_alive(on, idle);
                }
                _ => {}
            }
            Ok(())
        });
    }

    fn accept_upgrade(&mut self, token: usize, payload: &[u8]) {
        if let Some((words, response)) = payload.split_at_checked(settings::WORDS * 4) {
            self.open(token, Settings::from_words(words_of(words)), response);
        }
    }

    /// Makes a connection of an upgrade request.
    fn open(&mut self, token: usize, settings: Settings, response: &[u8]) {
        let Some(entry) = self.entries.get_mut(token) else {
            return;
        };
        // The connection takes the number over, so the network need not be told.
        let Entry::Pending(pending) = std::mem::replace(entry, Entry::Vacant) else {
            return;
        };
        let Pending {
            id,
            socket,
            mut rest,
            news,
            paused,
            counts,
            ..
        } = *pending;
        self.resources.tallies.make(settings.account);
        let mut connection = Box::new(Connection::new(
            id,
            token,
            socket,
            settings,
            self.resources.now,
        ));
        connection.set_counts(counts);
        if paused {
            connection.pause();
        }
        *entry = Entry::Open(connection);
        self.start_beating(token);
        self.on_connection(token, |connection, resources| {
            connection.begin(response, &mut rest, resources);
            connection.handle(news, resources)
        });
    }

    fn release(&mut self, id: SlotId) {
        let token = self.slots.token(id);
        if !self.slots.release(id) {
            return;
        }
        if let Some(token) = token {
            self.remove(token);
        }
        // The next user of the slot must not see what this one has written.
        self.resources.publish_written(id, 0);
    }
}

/// A message that was published on another thread.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The number of the topic here.
    pub topic: u32,
    /// Text or binary.
    pub opcode: u8,
    /// Compress it where that was negotiated.
    pub compress: bool,
    /// How much of its topic may wait for a peer, if that is limited.
    pub rule: Option<BackpressureOptions>,
    /// The message.
    pub payload: Block,
}

/// What is said of a message that goes to the members of a topic.
#[derive(Clone, Copy, Debug)]
struct Published {
    topic: u32,
    opcode: u8,
    compress: bool,
    rule: Option<BackpressureOptions>,
}

/// Whether probes are wanted, and after how long: 0 leaves the system's own delay.
fn keep_alive(head: Head) -> (bool, Option<Duration>) {
    let idle = Duration::from_secs(u64::from(head.argument));
    (head.aux == 1, (!idle.is_zero()).then_some(idle))
}

impl<S: super::Socket> Pending<S> {
    fn socket_option(&self, head: Head) {
        if head.tag == command::NO_DELAY {
            self.socket.set_no_delay(head.argument == 1);
        } else {
            let (on, idle) = keep_alive(head);
            self.socket.set_keep_alive(on, idle);
        }
    }
}
