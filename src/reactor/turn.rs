//! One turn of a reactor: news, deadlines, what was left over, and the end of it.
//!
//! Owns: the order in which things are looked at and how much of each.
//! Runs on: whoever turns the reactor. INVARIANT: "mutate, then finish the turn":
//! after [`Reactor::finish_turn`] nothing is staged, and nothing dirty but what exceeds the limits.

use std::io;
use std::time::Instant;

use super::allocator;
use super::compression::{MANY, PARK_INTERVAL};
use super::connection::{Connection, Gone};
use super::listener::{ACCEPT_PAUSE, ACCEPTS_PER_TURN, is_of_one_connection};
use super::network::{Network, Ready, Socket};
use super::resources::{Again, Resources};
use super::visitor::{Visit, Visitor};
use super::{Due, Entry, Pending, Reactor};
use crate::bridge::SlotId;
use crate::bridge::layout::event;

/// How much one turn may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that are read, over all connections, or what their records cost if that is more.
    pub read_bytes: usize,
    /// Microseconds of compression, by its measured rates.
    pub zlib_microseconds: usize,
    /// Connections that commands gave something to write and that are written to before others
    /// get their turn.
    pub flushes: usize,
}

impl Limits {
    /// For the JavaScript thread, whose handlers wait meanwhile.
    pub const INLINE: Self = Self {
        read_bytes: 1 << 20,
        zlib_microseconds: 100,
        flushes: usize::MAX,
    };
    /// For a worker: about a millisecond, because the JavaScript thread may wait for the lock, and
    /// because what it commands meanwhile goes out with what waits.
    pub const WORKER: Self = Self {
        read_bytes: 1 << 20,
        zlib_microseconds: 1000,
        flushes: 128,
    };
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Events were handed over.
    pub delivered: bool,
    /// There is more to do at once.
    pub backlog: bool,
    /// There is more to compress than this turn was allowed to.
    pub compressing: bool,
}

impl<N: Network> Reactor<N> {
    /// Notes the time and what this turn may do. Commands may run after it, before and after
    /// [`turn`](Self::turn).
    pub fn begin_turn(&mut self, now: Instant, limits: Limits) {
        self.resources.now = now;
        self.resources.read_allowance = limits.read_bytes;
        self.resources.zlib_budget.refill(limits.zlib_microseconds);
        self.resources.flush_allowance = limits.flushes;
    }

    /// JavaScript has taken so much that reading may go on.
    pub fn read_again(&mut self) {
        for token in std::mem::take(&mut self.resources.stalled) {
            self.resources.again.push_back((token, Again::Read));
        }
    }

    /// Asks the network for news without waiting and handles them, what was left over by earlier
    /// turns, and what is due.
    ///
    /// # Errors
    /// The network's.
    pub fn turn(&mut self) -> io::Result<()> {
        for _ in 0..self.resources.again.len() {
            let Some((token, again)) = self.resources.again.pop_front() else {
                break;
            };
            if again == Again::Read && self.resources.read_allowance == 0 {
                // First in the next turn, before those that have read in this one.
                self.resources.again.push_front((token, again));
                break;
            }
            self.on_connection(token, |connection, resources| match again {
                Again::Read => connection.read_again(resources),
                Again::Write => connection.flush(resources),
            });
        }
        let mut news = std::mem::take(&mut self.news);
        let outcome = self.network.poll(&mut news);
        for ready in news.drain(..) {
            self.handle(ready);
        }
        self.news = news;
        self.more_news = outcome?;
        let now = self.resources.now;
        while let Some(due) = self.timers.expire(now) {
            match due {
                Due::Visitor(token) => self.visit(token, Visitor::expire),
                Due::Accept(token) => self.accept(token, true),
                Due::Park => self.park(),
                Due::Beat(token) => self.beat(token),
                Due::Refill(token) => self.on_connection(token, Connection::refill),
            }
        }
        self.compress();
        Ok(())
    }

    /// Writes what commands queued, one write a connection, and hands staged events over.
    pub fn finish_turn(&mut self) -> Turn {
        for _ in 0..self.resources.flush_allowance {
            let Some(token) = self.resources.dirty.pop_front() else {
                break;
            };
            self.on_connection(token, |connection, resources| connection.flush(resources));
        }
        for token in std::mem::take(&mut self.resources.reports) {
            self.on_connection(token, |connection, resources| {
                connection.report(resources);
                Ok(())
            });
        }
        self.time_refills();
        if !self.resources.spares.is_empty() {
            self.start_parking();
        }
        let delivered = self.resources.staging.deliver();
        let compressing = !self.resources.long_jobs.is_empty() && !self.waits_for_budget();
        Turn {
            delivered,
            backlog: self.more_news
                || !self.resources.again.is_empty()
                || !self.resources.dirty.is_empty()
                || compressing,
            compressing,
        }
    }

    fn handle(&mut self, news: Ready) {
        match self.entries.get_mut(news.token) {
            Some(Entry::Open(_)) => {
                self.on_connection(news.token, |connection, resources| {
                    connection.handle(news, resources)
                });
            }
            Some(Entry::Visitor(_)) => {
                self.visit(news.token, |visitor, resources| {
                    visitor.handle(news, resources)
                });
            }
            Some(Entry::Listener(_)) => self.accept(news.token, false),
            Some(Entry::Pending(pending)) => {
                pending.news.readable |= news.readable;
                pending.news.read_closed |= news.read_closed;
                pending.news.error |= news.error;
                self.look_after(news.token);
            }
            Some(Entry::Vacant | Entry::Outside(_)) | None => {}
        }
    }

    /// Ends an undecided upgrade request whose peer broke the connection or, without having sent
    /// anything more, finished it.
    pub(super) fn look_after(&mut self, token: usize) {
        let Some(Entry::Pending(pending)) = self.entries.get(token) else {
            return;
        };
        if pending.news.error {
            let gone = pending.socket.take_error().map_or(Gone(0), Gone::from);
            self.close(token, gone);
        } else if pending.news.read_closed
            && pending.watched
            && pending.rest.is_empty()
            && matches!(pending.socket.peek(), Ok(0))
        {
            self.close(token, Gone(0));
        }
    }

    fn accept(&mut self, token: usize, after_pause: bool) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(Entry::Listener(listening)) = self.entries.get_mut(token) else {
                return;
            };
            if listening.pausing && !after_pause {
                return;
            }
            listening.pausing = false;
            match self.network.accept(&listening.socket) {
                Ok(socket) => {
                    let id = listening.id;
                    if let Some(socket) = (listening.share)(socket) {
                        self.receive(socket, id);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => {
                    listening.pausing = true;
                    let deadline = self.resources.now + ACCEPT_PAUSE;
                    self.timers.add(deadline, Due::Accept(token));
                    return;
                }
            }
        }
        // More may wait: an edge is told once.
        let now = self.resources.now;
        self.timers.add(now, Due::Accept(token));
    }

    pub(super) fn visit(
        &mut self,
        token: usize,
        act: impl FnOnce(&mut Visitor<N::Socket>, &mut Resources) -> Visit,
    ) {
        let Some(Entry::Visitor(visitor)) = self.entries.get_mut(token) else {
            return;
        };
        match act(visitor, &mut self.resources) {
            Visit::Waits => {}
            Visit::Over => self.remove(token),
            Visit::Deadline(limit) => {
                let key = self
                    .timers
                    .add(self.resources.now + limit, Due::Visitor(token));
                if let Some(previous) = visitor.timer.replace(key) {
                    self.timers.cancel(previous);
                }
            }
            Visit::Upgrade => self.hand_over(token),
        }
    }

    /// Lets JavaScript decide about an upgrade request.
    fn hand_over(&mut self, token: usize) {
        let Some(entry) = self.entries.get_mut(token) else {
            return;
        };
        let Entry::Visitor(visitor) = std::mem::replace(entry, Entry::Vacant) else {
            return;
        };
        if let Some(timer) = visitor.timer {
            self.timers.cancel(timer);
        }
        let id = self.slots.reserve();
        let (listener, counts) = (visitor.listener, visitor.counts);
        let (socket, head, rest, news) = visitor.into_parts();
        // ws disables Nagle's algorithm on every socket.
        socket.set_no_delay(true);
        *entry = Entry::Pending(Box::new(Pending {
            id,
            socket,
            rest,
            news,
            watched: false,
            paused: false,
            counts,
        }));
        self.slots.set_token(id, Some(token));
        let staging = &mut self.resources.staging;
        staging.push_block(id, event::UPGRADE, 0, listener, head);
    }

    /// Goes on with messages that take more than their turn to compress or inflate.
    fn compress(&mut self) {
        for _ in 0..self.resources.long_jobs.len() {
            if self.resources.zlib_budget.is_spent() {
                return;
            }
            let Some(token) = self.resources.long_jobs.pop_front() else {
                return;
            };
            let Some(Entry::Open(connection)) = self.entries.get_mut(token) else {
                continue;
            };
            // What is inflated is held: only while JavaScript keeps up, and large ones one at a time.
            let much = connection.inflates_much();
            let waits = connection.waits_to_inflate(&self.resources.staging);
            if waits || (much && self.inflating.is_some_and(|other| other != token)) {
                self.resources.long_jobs.push_back(token);
                continue;
            }
            if much {
                self.inflating = Some(token);
            }
            let mut complete = true;
            self.on_connection(token, |connection, resources| {
                complete = connection.compress_on(resources)?;
                Ok(())
            });
            if !complete {
                self.resources.long_jobs.push_back(token);
            } else if self.inflating == Some(token) {
                self.inflating = None;
            }
        }
    }

    /// Whether all that is left to compress has to wait for JavaScript.
    fn waits_for_budget(&self) -> bool {
        let staging = &self.resources.staging;
        self.resources.long_jobs.iter().all(|token| {
            matches!(self.entries.get(*token), Some(Entry::Open(connection))
                if connection.waits_to_inflate(staging))
        })
    }

    /// Sees to it that connections that took what they may go on in time.
    fn time_refills(&mut self) {
        for (token, at) in std::mem::take(&mut self.resources.throttled) {
            if let Some(Entry::Open(connection)) = self.entries.get_mut(token)
                && let Some(timer) = connection.refill_timer()
            {
                *timer = Some(self.timers.add(at, Due::Refill(token)));
            }
        }
    }

    /// Begins to look whether a connection's peer is there, if that is wanted.
    pub(super) fn start_beating(&mut self, token: usize) {
        if let Some(Entry::Open(connection)) = self.entries.get_mut(token)
            && let Some(heartbeat) = connection.heartbeat()
        {
            let deadline = heartbeat.first_deadline();
            heartbeat.timer = Some(self.timers.add(deadline, Due::Beat(token)));
        }
    }

    fn beat(&mut self, token: usize) {
        let mut next = None;
        self.on_connection(token, |connection, resources| {
            next = connection.beat(resources)?;
            Ok(())
        });
        if let Some(deadline) = next
            && let Some(Entry::Open(connection)) = self.entries.get_mut(token)
            && let Some(heartbeat) = connection.heartbeat()
        {
            heartbeat.timer = Some(self.timers.add(deadline, Due::Beat(token)));
        }
    }

    /// Looks after a connection's compressed streams from now on.
    pub(super) fn watch_streams(&mut self, token: usize, id: SlotId) {
        self.warm.push((token, id));
        self.start_parking();
    }

    /// Begins to give memory back, if there is any to give.
    pub(super) fn start_parking(&mut self) {
        if !std::mem::replace(&mut self.parking, true) {
            let deadline = self.resources.now + PARK_INTERVAL;
            self.timers.add(deadline, Due::Park);
        }
    }

    fn park(&mut self) {
        self.parking = false;
        let before = self.warm.len();
        let (entries, resources) = (&mut self.entries, &mut self.resources);
        // The number of a connection that is gone may be another's by now.
        self.warm
            .retain(|(token, id)| match entries.get_mut(*token) {
                Some(Entry::Open(connection)) if connection.id == *id => {
                    !connection.park(resources)
                }
                _ => false,
            });
        if before - self.warm.len() >= MANY {
            allocator::return_pages();
        }
        resources.last_kept = None;
        resources.spares.decay();
        let kept = resources.staging.decay();
        if !self.warm.is_empty() || kept || !resources.spares.is_empty() {
            self.start_parking();
        }
    }
}
