//! What JavaScript asks of a reactor: records from the command slab.
//!
//! Owns: the meaning of each command. Runs on: whoever turns the reactor.

use std::collections::VecDeque;
use std::time::Duration;

use super::connection::Connection;
use super::network::Network;
use super::outgoing::{FrameStart, Outgoing};
use super::{Entry, Pending, Reactor};
use crate::bridge::Settings;
use crate::bridge::layout::{Head, command, flag, settings};
use crate::bridge::{Block, Records, SlotId, words_of};

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
        if head.tag == command::RELEASE {
            self.release(id);
            return;
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
        self.run_on_connection(token, head, payload);
    }

    fn run_on_connection(&mut self, token: usize, head: Head, payload: Outgoing<'_>) {
        self.on_connection(token, |connection, resources| {
            match head.tag {
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
