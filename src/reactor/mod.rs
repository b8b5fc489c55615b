//! The reactor: sockets, their protocol state and their deadlines as plain data.
//!
//! ```text
//!  commands ──run()──►┐                       ┌──► staged events ──► lane ──► JavaScript
//!                     │  entries: listeners · │
//!  system ◄──turn()──►│  visitors · pending · │
//!                     │  connections          │
//!  time ────argument─►┘  timers               └──► one write per connection and turn
//! ```
//!
//! It has no thread, no future and never waits: whoever holds it calls
//! [`Reactor::turn`] when its network has news or [`Reactor::next_deadline`] has
//! come, runs commands, and ends with [`Reactor::finish_turn`]. It is `Send`, so
//! that who that is may change (see `driver`). It knows no runtime and no
//! JavaScript: the build feature `reactor` has neither.

mod allocator;
mod backlog;
mod broadcast;
mod commands;
mod compression;
mod connection;
mod entrance;
mod extract;
mod heartbeat;
mod inbound;
mod inbound_limit;
mod listener;
#[cfg(test)]
mod memory;
mod network;
mod outbound;
mod outgoing;
mod resources;
mod slots;
mod staging;
#[cfg_attr(all(test, models), path = "memory_system.rs")]
mod system;
mod takeover;
mod tally;
#[cfg(test)]
mod tests;
mod timers;
mod topics;
mod turn;
mod visitor;
mod write_queue;
mod zlib_budget;

pub use allocator::keep_pages;
pub use commands::Foreign;
pub use extract::{Extract, Waiting};
pub use listener::{ListenOptions, Share, bind};
pub use network::{Network, Ready, Socket};
pub use outbound::Side;
pub use slots::Counts;
pub use system::{Descriptor, Stream, System, Waker};
pub use takeover::{OwnedStream, duplicate};
pub use tally::Tally;
pub use turn::{Limits, Turn};
pub use visitor::Guest;
#[cfg(all(test, models))]
pub(crate) use {
    memory::{MemorySocket, pair},
    system::Watch,
};

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;

use broadcast::Broadcast;
use connection::{Connection, Gone};
use listener::Listening;
use resources::Resources;
use slots::Slots;
use staging::Staging;
use timers::Timers;
use topics::Topics;
use visitor::{HEAD_TIMEOUT, Visitor};

use crate::bridge::layout::{PREPARED_PLACES, event};
use crate::bridge::{Addresses, Lane, Settings, SlotId, WrittenTable};
use crate::protocol::upgrade::Rules;

/// Who uses a number that the network knows.
#[derive(Debug)]
enum Entry<N: Network> {
    /// In the middle of becoming something else.
    Vacant,
    Listener(Box<Listening<N::Listener, N::Socket>>),
    Visitor(Box<Visitor<N::Socket>>),
    Pending(Box<Pending<N::Socket>>),
    Open(Box<Connection<N::Socket>>),
    /// A socket that JavaScript has, as a member of topics.
    Outside(SlotId),
}

/// An upgrade request that JavaScript looks at. Nothing is read before its decision.
#[derive(Debug)]
struct Pending<S> {
    id: SlotId,
    socket: S,
    /// What came after the head.
    rest: Vec<u8>,
    news: Ready,
    /// JavaScript wants to know when the peer leaves.
    watched: bool,
    /// Reading is to begin with a pause.
    paused: bool,
    counts: Counts,
}

/// What is due at a time.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// A visitor took too long.
    Visitor(usize),
    /// A listener tries again to accept.
    Accept(usize),
    /// Streams of silent connections give their memory back, and so do spares.
    Park,
    /// A connection whose peer may have been silent for long.
    Beat(usize),
    /// A connection that may take something again.
    Refill(usize),
}

/// All sockets that one lane knows.
#[derive(Debug)]
pub struct Reactor<N: Network> {
    network: N,
    entries: Slab<Entry<N>>,
    slots: Slots,
    topics: Topics,
    /// Who the next message to a topic passes over.
    excepted: Vec<usize>,
    /// Messages that several connections send, by the number that JavaScript gave them.
    prepared: [Option<Arc<Broadcast>>; PREPARED_PLACES],
    timers: Timers<Due>,
    resources: Resources,
    news: Vec<Ready>,
    /// Connections that hold compressed streams.
    warm: Vec<(usize, SlotId)>,
    parking: bool,
    /// The one connection that inflates a large message.
    inflating: Option<usize>,
    /// The network may have more to tell.
    more_news: bool,
}

impl<N: Network> Reactor<N> {
    /// A reactor without sockets, whose events go to `lane`.
    #[must_use]
    pub fn new(network: N, lane: &Arc<Lane>, table: &Arc<WrittenTable>, now: Instant) -> Self {
        let staging = Staging::new(Arc::clone(lane));
        Self {
            network,
            entries: Slab::new(),
            slots: Slots::default(),
            topics: Topics::default(),
            excepted: Vec::new(),
            prepared: Default::default(),
            timers: Timers::default(),
            resources: Resources::new(staging, Arc::clone(table), now),
            news: Vec::new(),
            warm: Vec::new(),
            parking: false,
            inflating: None,
            more_news: false,
        }
    }

    /// Whether events ring JavaScript's bell as soon as they are handed over. Not, when it is
    /// JavaScript's thread that turns the reactor.
    pub fn set_rings(&mut self, rings: bool) {
        self.resources.staging.rings = rings;
    }

    /// When [`turn`](Self::turn) has to be called even without news.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Reserves an identity for a connection that JavaScript brings along.
    pub fn reserve(&mut self) -> SlotId {
        self.slots.reserve()
    }

    /// Puts a connected socket to work under a reserved identity. `preface` is written first;
    /// `initial` was read already.
    ///
    /// # Errors
    /// When the network cannot watch it. Nothing has changed then.
    pub fn adopt(
        &mut self,
        id: SlotId,
        mut socket: N::Socket,
        settings: Settings,
        preface: &[u8],
        initial: &mut [u8],
    ) -> io::Result<()> {
        let token = self.entries.vacant_key();
        self.network.register(&mut socket, token)?;
        // ws disables Nagle's algorithm on every socket.
        socket.set_no_delay(true);
        self.resources.tallies.make(settings.account);
        let connection = Connection::new(id, token, socket, settings, self.resources.now);
        self.entries.insert(Entry::Open(Box::new(connection)));
        self.slots.set_token(id, Some(token));
        self.start_beating(token);
        self.on_connection(token, |connection, resources| {
            connection.begin(preface, initial, resources);
            Ok(())
        });
        Ok(())
    }

    /// Listens. What `share` does not give away is served here.
    ///
    /// # Errors
    /// When the network cannot watch the socket.
    pub fn listen(
        &mut self,
        mut socket: N::Listener,
        id: u16,
        share: Share<N::Socket>,
    ) -> io::Result<()> {
        let token = self.entries.vacant_key();
        self.network.register_listener(&mut socket, token)?;
        self.entries.insert(Entry::Listener(Box::new(Listening {
            socket,
            id,
            share,
            pausing: false,
        })));
        Ok(())
    }

    /// Makes listeners read requests so from now on.
    pub fn follow(&mut self, rules: Rules) {
        self.resources.rules = rules;
    }

    /// Stops listening at once, if it was here that `id` listened, and drops what of its
    /// connections is not an upgrade request yet.
    pub fn unlisten(&mut self, id: u16) {
        let over: Vec<usize> = self
            .entries
            .iter()
            .filter_map(|(token, entry)| match entry {
                Entry::Listener(listening) if listening.id == id => Some(token),
                Entry::Visitor(visitor) if visitor.listener == id => Some(token),
                _ => None,
            })
            .collect();
        for token in over {
            if let Some(Entry::Listener(_)) = self.entries.get(token)
                && let Entry::Listener(listening) = self.entries.remove(token)
            {
                self.network.stop(listening.socket);
            } else {
                self.remove(token);
            }
        }
    }

    /// Lets somebody else go on with a listener and those of its connections that have not asked for
    /// an upgrade, as far as they can be moved.
    pub fn vacate(&mut self, id: u16) -> (Option<N::Listener>, Vec<Guest<N::Socket>>) {
        let moving: Vec<usize> = self
            .entries
            .iter()
            .filter_map(|(token, entry)| match entry {
                Entry::Listener(listening) if listening.id == id => Some(token),
                Entry::Visitor(visitor) if visitor.listener == id && visitor.can_move() => {
                    Some(token)
                }
                _ => None,
            })
            .collect();
        let mut listener = None;
        let mut guests = Vec::new();
        for token in moving {
            match self.entries.try_remove(token) {
                Some(Entry::Listener(mut listening)) => {
                    self.network.deregister_listener(&mut listening.socket);
                    listener = Some(listening.socket);
                }
                Some(Entry::Visitor(mut visitor)) => {
                    if let Some(timer) = visitor.timer {
                        self.timers.cancel(timer);
                    }
                    self.network.deregister(&mut visitor.socket);
                    guests.push(visitor.into_guest());
                }
                _ => {}
            }
        }
        (listener, guests)
    }

    /// Serves a connection that was accepted: reads its request head.
    pub fn receive(&mut self, mut socket: N::Socket, listener: u16) {
        let token = self.entries.vacant_key();
        if self.network.register(&mut socket, token).is_err() {
            return;
        }
        let mut visitor = Visitor::new(socket, listener, self.resources.rules, token);
        let deadline = self.resources.now + HEAD_TIMEOUT;
        visitor.timer = Some(self.timers.add(deadline, Due::Visitor(token)));
        let news = visitor.news;
        self.entries.insert(Entry::Visitor(Box::new(visitor)));
        self.visit(token, |visitor, resources| visitor.handle(news, resources));
    }

    /// The socket of a connection that is there.
    #[must_use]
    pub fn socket(&self, id: SlotId) -> Option<&N::Socket> {
        match self.entries.get(self.slots.token(id)?)? {
            Entry::Open(connection) => Some(connection.socket()),
            Entry::Pending(pending) => Some(&pending.socket),
            _ => None,
        }
    }

    /// Local and remote address of a connection that is there.
    #[must_use]
    pub fn addresses(&self, id: SlotId) -> Option<Addresses> {
        self.socket(id)?.addresses()
    }

    /// How many connections have something to write in the next [`Reactor::finish_turn`].
    #[must_use]
    pub fn unflushed(&self) -> usize {
        self.resources.dirty.len()
    }

    /// Whether everything queued was given to the kernel.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.resources.unwritten == 0 && self.resources.long_jobs.is_empty()
    }

    /// What the connections of a server have done; with `ends` it is counted anew from here on.
    pub fn tally(&mut self, account: u32, ends: bool) -> Tally {
        self.resources.tallies.read(account, ends)
    }

    /// Whether there is nothing to drive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Closes everything. Nothing is reported any more.
    pub fn detach(&mut self) {
        self.resources.staging.detach();
        let tokens: Vec<usize> = self.entries.iter().map(|(token, _)| token).collect();
        for token in tokens {
            self.remove(token);
        }
    }

    /// A panic left the reactor in an unknown state: every connection is reported as gone and
    /// every listener closes, so that nobody waits for ever.
    pub fn give_up(&mut self) {
        let tokens: Vec<usize> = self.entries.iter().map(|(token, _)| token).collect();
        for token in tokens {
            if catch_unwind(AssertUnwindSafe(|| self.close(token, Gone(0)))).is_err() {
                self.entries.try_remove(token);
            }
        }
        self.resources.again.clear();
        self.resources.stalled.clear();
        self.resources.throttled.clear();
        self.resources.reports.clear();
        self.resources.dirty.clear();
        self.resources.long_jobs.clear();
        self.resources.unwritten = 0;
    }

    /// Lets a connection do something; its end or a panic is this connection's alone.
    fn on_connection(
        &mut self,
        token: usize,
        act: impl FnOnce(&mut Connection<N::Socket>, &mut Resources) -> Result<(), Gone>,
    ) {
        let Some(Entry::Open(connection)) = self.entries.get_mut(token) else {
            return;
        };
        let resources = &mut self.resources;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            act(connection, resources)?;
            Ok::<bool, Gone>(connection.note_use())
        }));
        match outcome {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                let id = connection.id;
                self.watch_streams(token, id);
            }
            Ok(Err(gone)) => self.close(token, gone),
            Err(_) => {
                // The farewell is a courtesy; whatever state the connection is in, it ends.
                let _ = catch_unwind(AssertUnwindSafe(|| connection.abandon(resources)));
                self.close(token, Gone(0));
            }
        }
    }

    /// Ends a connection or an undecided request and tells JavaScript.
    fn close(&mut self, token: usize, gone: Gone) {
        let (id, counts) = match self.entries.get(token) {
            Some(Entry::Open(connection)) => (connection.id, connection.counts()),
            Some(Entry::Pending(pending)) => (pending.id, pending.counts),
            _ => {
                self.remove(token);
                return;
            }
        };
        self.remove(token);
        self.slots.set_gone(id, counts);
        self.resources.staging.push(id, event::GONE, 0, gone.0);
    }

    /// Takes an entry out; its socket closes.
    fn remove(&mut self, token: usize) {
        self.topics.leave_all(token);
        match self.entries.try_remove(token) {
            Some(Entry::Open(connection)) => {
                if self.inflating == Some(token) {
                    self.inflating = None;
                }
                for timer in connection.timers().into_iter().flatten() {
                    self.timers.cancel(timer);
                }
                connection.finish(&mut self.resources);
            }
            Some(Entry::Visitor(visitor)) => {
                if let Some(timer) = visitor.timer {
                    self.timers.cancel(timer);
                }
            }
            _ => {}
        }
    }
}
