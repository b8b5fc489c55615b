//! A reactor, its lane, and who drives it.
//!
//! Owns: [`Seat`]: the lock around a reactor and everything that two threads do to
//! it. Called by the seam of the inline driver, by worker tasks, and by the
//! binding. Runs on: any. INVARIANT: JavaScript never runs while the lock is held,
//! and a turn under it is bounded.

use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::policy::Driver;
use super::turns::{Activity, Turns};
use crate::bridge::Settings;
use crate::bridge::layout::Head;
use crate::bridge::{
    Addresses, Block, Command, Environment, Lane, Outbox, Piece, SlotId, WrittenTable,
};
use crate::protocol::upgrade::Rules;
use crate::reactor::{
    Counts, Descriptor, Extract, Foreign, Guest, Limits, Reactor, Stream, System, Tally, Turn,
    Waker,
};
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use crate::sync::parking_lot::Mutex;
use crate::sync::{Notify, thread};

/// A connection that another reactor's listener accepted.
#[derive(Debug)]
pub struct Incoming {
    /// The socket.
    pub socket: Stream,
    /// JavaScript's number for the listener.
    pub listener: u16,
}

/// What others hand to a reactor.
#[derive(Debug)]
enum Handed {
    Connection(Incoming),
    Message(Foreign),
    Subscription { connection: SlotId, topic: u32 },
}

/// What a listener leaves to whoever goes on with it.
#[derive(Debug)]
pub struct Vacated {
    /// The listening socket, if it was here.
    pub listener: Option<mio::net::TcpListener>,
    /// Its connections here that can be moved.
    pub guests: Vec<Guest<Stream>>,
    /// What commands that ran first came to.
    pub turn: Turn,
}

/// One reactor and what reaches it.
#[derive(Debug)]
pub struct Seat {
    lane: Arc<Lane>,
    outbox: Outbox<Handed>,
    table: Arc<WrittenTable>,
    held: Mutex<Held>,
    waker: Waker,
    /// The budget has room again.
    read_again: AtomicBool,
    /// Bytes of commands that ran and whose writes wait for the end of a tick.
    gathered: AtomicUsize,
    /// Commands that were run.
    ran: AtomicU64,
    /// How often who drives has changed.
    hand_overs: AtomicU64,
    /// Nanoseconds that turning took, whoever did it.
    spent: AtomicU64,
    /// A copy of [`Held::driver`], to be read without the lock.
    driver: AtomicU8,
    /// Calls the worker's task: the driver changed, or the seat closed.
    called: Notify,
    descriptor: Descriptor,
}

#[derive(Debug)]
struct Held {
    reactor: Reactor<System>,
    driver: Driver,
    closed: bool,
    /// Turns on the JavaScript thread, and on others.
    inline: Turns,
    worker: Turns,
}

impl Seat {
    /// A reactor without sockets, driven by `driver`.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn new(environment: &Arc<Environment>, driver: Driver) -> io::Result<Arc<Self>> {
        let lane = Lane::new(environment);
        let table = Arc::<WrittenTable>::default();
        let (system, waker) = System::new()?;
        let descriptor = system.descriptor();
        let reactor = Reactor::new(system, &lane, &table, Instant::now());
        Ok(Arc::new(Self {
            lane,
            outbox: Outbox::default(),
            table,
            held: Mutex::new(Held {
                reactor,
                driver,
                closed: false,
                inline: Turns::default(),
                worker: Turns::default(),
            }),
            waker,
            read_again: AtomicBool::new(false),
            gathered: AtomicUsize::new(0),
            ran: AtomicU64::new(0),
            hand_overs: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            driver: AtomicU8::new(driver as u8),
            called: Notify::new(),
            descriptor,
        }))
    }

    /// The lane between this reactor and JavaScript.
    #[must_use]
    pub fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// How much its connections have written.
    #[must_use]
    pub fn table(&self) -> &WrittenTable {
        &self.table
    }

    /// Readable while the reactor has to be turned; valid as long as the seat lives.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.descriptor.raw()
    }

    /// An event loop of a model watches the descriptor.
    #[cfg(all(test, models))]
    pub(super) fn watch(&self) -> crate::reactor::Watch {
        self.descriptor.watch()
    }

    /// Who drives.
    #[must_use]
    pub fn driver(&self) -> Driver {
        if self.driver.load(Ordering::Acquire) == Driver::Inline as u8 {
            Driver::Inline
        } else {
            Driver::Worker
        }
    }

    /// Makes whoever drives turn the reactor.
    pub fn wake(&self) {
        // A counter of wake-ups that is full has woken already.
        let _ = self.waker.wake();
    }

    /// Lets reading go on that stopped for the budget.
    pub fn read_again(&self) {
        self.read_again.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Hands a connection to this reactor.
    pub fn give(&self, incoming: Incoming) {
        if self
            .outbox
            .push(Command::Control(Handed::Connection(incoming)))
        {
            self.wake();
        }
    }

    /// Any thread: gives a message to the members of a topic, behind all that this reactor's own
    /// thread has sent so far. Nobody is woken if somebody was.
    pub(super) fn publish(&self, message: Foreign) {
        if self
            .lane
            .push_behind(&self.outbox, Handed::Message(message))
        {
            self.wake();
        }
    }

    /// JavaScript side: a connection is subscribed to a topic behind all that this thread has sent
    /// so far.
    pub(super) fn subscribe(&self, connection: SlotId, topic: u32) {
        let subscription = Handed::Subscription { connection, topic };
        if self.lane.push_behind(&self.outbox, subscription) {
            self.wake();
        }
    }

    /// Changes the driver. Whoever is to drive has to be told by the caller, unless it is the
    /// worker.
    pub fn hand_to(&self, driver: Driver) {
        let mut held = self.held.lock();
        if held.driver != driver {
            self.hand_overs.fetch_add(1, Ordering::Relaxed);
        }
        held.driver = driver;
        self.driver.store(driver as u8, Ordering::Release);
        drop(held);
        self.called.notify_one();
    }

    /// Waits until the driver may have changed.
    pub(super) async fn called(&self) {
        self.called.notified().await;
    }

    /// Whether the environment is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.held.lock().closed
    }

    /// A turn of `driver`, and when the next one is due. `None` if somebody else drives.
    pub fn turn_as(&self, driver: Driver) -> Option<(Turn, Option<Instant>)> {
        let mut held = self.held.lock();
        if held.driver != driver || held.closed {
            return None;
        }
        let way = match driver {
            Driver::Inline => INLINE,
            Driver::Worker => WORKING,
        };
        let turn = self.turn(&mut held, way);
        Some((turn, held.reactor.next_deadline()))
    }

    /// JavaScript side: runs what was written into the slab, or tells the worker to.
    pub fn submit(&self) -> Turn {
        if self.driver() == Driver::Worker {
            // What was gathered while the driver changed is the worker's to write.
            if self.lane.submit(&self.outbox) || self.has_gathered() {
                self.wake();
            }
            return Turn::default();
        }
        self.settle()
    }

    /// Whether something that ran is still to be written.
    #[must_use]
    pub fn has_gathered(&self) -> bool {
        self.gathered.load(Ordering::SeqCst) > 0
    }

    /// JavaScript side: makes room in the slab in the middle of a tick. What the inline driver runs
    /// is written at the tick's end, one write for each connection, unless it has become much.
    pub fn gather(&self) -> Turn {
        if self.driver() == Driver::Worker {
            return self.submit();
        }
        let bytes = self.lane.slab().committed();
        if self.gathered.fetch_add(bytes, Ordering::SeqCst) + bytes > MOST_GATHERED {
            return self.settle();
        }
        self.run_unwritten(&mut self.held.lock())
            .unwrap_or_default()
    }

    /// JavaScript side: a tick is over. Runs what it sent, and writes it. What is for many connections
    /// is worth waiting for what other ticks send before the event loop polls, one write for each
    /// connection then: `None`, and the caller has it submitted there.
    pub fn end_tick(&self) -> Option<Turn> {
        if self.driver() == Driver::Worker {
            return Some(self.submit());
        }
        let bytes = self.lane.slab().committed();
        let mut held = self.held.lock();
        if let Some(turn) = self.run_unwritten(&mut held) {
            return Some(turn);
        }
        // Counted before it is known whether it waits: what runs is unwritten either way.
        let gathered = self.gathered.fetch_add(bytes.max(1), Ordering::SeqCst) + bytes;
        if held.reactor.unflushed() >= MANY_CONNECTIONS && gathered <= MOST_GATHERED {
            return None;
        }
        Some(self.at_once(&mut held, |_| {}))
    }

    /// JavaScript side: runs what was written into the slab, whoever drives.
    pub fn settle(&self) -> Turn {
        let mut held = self.held.lock();
        self.at_once(&mut held, |_| {})
    }

    /// JavaScript side: runs one command whose payload stays in JavaScript's memory, after
    /// everything that was written before it. `None` if a worker is at it just now: the command
    /// has to go the usual way.
    pub fn run_with(&self, head: Head, payload: &[u8]) -> Option<Turn> {
        let mut held = match self.driver() {
            Driver::Inline => self.held.lock(),
            Driver::Worker => self.held.try_lock()?,
        };
        Some(self.at_once(&mut held, |reactor| reactor.run_with(head, payload)))
    }

    /// JavaScript side: the memory of payloads that have to stay.
    #[must_use]
    pub fn copy(&self, bytes: &[u8]) -> Block {
        Block::copy_of(bytes, &self.lane.environment().pool)
    }

    /// JavaScript side: reserves an identity.
    pub fn reserve(&self) -> SlotId {
        self.held.lock().reactor.reserve()
    }

    /// JavaScript side: puts a socket to work.
    ///
    /// # Errors
    /// When the system cannot watch it; nothing has changed then.
    pub fn adopt(
        &self,
        id: SlotId,
        socket: Stream,
        settings: Settings,
        preface: &[u8],
        initial: &mut [u8],
    ) -> io::Result<Turn> {
        let mut held = self.held.lock();
        let mut outcome = Ok(());
        let turn = self.at_once(&mut held, |reactor| {
            outcome = reactor.adopt(id, socket, settings, preface, initial);
        });
        outcome.map(|()| turn)
    }

    /// JavaScript side: listens here and shares what is accepted with `seats`.
    ///
    /// # Errors
    /// When the system cannot watch the socket.
    pub fn listen(
        self: &Arc<Self>,
        listener: std::net::TcpListener,
        id: u16,
        seats: &[Arc<Self>],
    ) -> io::Result<()> {
        // Weak: the reactor that holds this is itself held by one of them.
        let seats: Vec<_> = seats.iter().map(Arc::downgrade).collect();
        let home = Arc::downgrade(self);
        let mut next = 0;
        let share = Box::new(move |socket: Stream| {
            let seat = seats.get(next % seats.len().max(1));
            next = next.wrapping_add(1);
            match seat
                .filter(|seat| !seat.ptr_eq(&home))
                .map(|seat| seat.upgrade())
            {
                Some(Some(seat)) => {
                    seat.give(Incoming {
                        socket,
                        listener: id,
                    });
                    None
                }
                _ => Some(socket),
            }
        });
        let listener = mio::net::TcpListener::from_std(listener);
        self.held.lock().reactor.listen(listener, id, share)
    }

    /// JavaScript side: connections that are accepted from now on speak HTTP so.
    pub fn follow(&self, rules: Rules) {
        self.held.lock().reactor.follow(rules);
    }

    /// JavaScript side: stops listening at once.
    pub fn unlisten(&self, id: u16) {
        self.held.lock().reactor.unlisten(id);
    }

    /// JavaScript side: takes a connection out of the reactor after all that was commanded.
    pub fn extract(&self, id: SlotId, ahead: usize) -> (Option<Extract<Stream>>, Turn) {
        let mut held = self.held.lock();
        let mut extract = None;
        let turn = self.at_once(&mut held, |reactor| extract = reactor.extract(id, ahead));
        (extract, turn)
    }

    /// JavaScript side: what a connection has carried, with all that was commanded.
    pub fn counts(&self, id: SlotId) -> (Option<Counts>, Turn) {
        let mut held = self.held.lock();
        let mut counts = None;
        let turn = self.at_once(&mut held, |reactor| counts = reactor.counts(id));
        (counts, turn)
    }

    /// JavaScript side: the descriptor of a connection that is there, else -1.
    #[must_use]
    pub fn descriptor_of(&self, id: SlotId) -> RawFd {
        let held = self.held.lock();
        held.reactor.socket(id).map_or(-1, Stream::descriptor)
    }

    /// JavaScript side: takes a listener out, and those of its connections that can be moved.
    pub fn vacate(&self, id: u16) -> Vacated {
        let mut held = self.held.lock();
        let mut out = (None, Vec::new());
        let turn = self.at_once(&mut held, |reactor| out = reactor.vacate(id));
        Vacated {
            listener: out.0,
            guests: out.1,
            turn,
        }
    }

    /// JavaScript side: what the connections of a server have done, with all that was commanded;
    /// with `ends` it is counted anew from here on.
    pub fn tally(&self, account: u32, ends: bool) -> (Tally, Turn) {
        let mut held = self.held.lock();
        let mut tally = Tally::default();
        let turn = self.at_once(&mut held, |reactor| tally = reactor.tally(account, ends));
        (tally, turn)
    }

    /// JavaScript side: who has turned the reactor, and how long that took.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let held = self.held.lock();
        Activity {
            driver: held.driver,
            hand_overs: self.hand_overs.load(Ordering::Relaxed),
            inline: held.inline,
            worker: held.worker,
        }
    }

    /// JavaScript side: the addresses of a connection that is there.
    #[must_use]
    pub fn addresses(&self, id: SlotId) -> Option<Addresses> {
        self.held.lock().reactor.addresses(id)
    }

    /// Turns the reactor until everything queued is written, at most until `deadline`. Whether it
    /// is.
    pub fn flush(&self, deadline: Instant) -> bool {
        loop {
            let mut held = self.held.lock();
            self.turn(&mut held, FLUSHING);
            if held.reactor.is_flushed() {
                return true;
            }
            drop(held);
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(FLUSH_PAUSE);
        }
    }

    /// Closes everything; nothing is reported any more.
    pub fn detach(&self) {
        let mut held = self.held.lock();
        held.closed = true;
        held.reactor.detach();
        drop(held);
        self.called.notify_one();
    }

    /// Whether there is something to do for whoever drives.
    #[must_use]
    pub(super) fn has_work(&self) -> bool {
        self.has_gathered()
            || self.outbox.has_pending()
            || self.lane.has_unsubmitted()
            || self.descriptor.is_readable()
    }

    /// Whether somebody is at it just now.
    pub(super) fn is_turning(&self) -> bool {
        self.held.is_locked()
    }

    /// Commands that were run so far.
    pub(super) fn commands_run(&self) -> u64 {
        self.ran.load(Ordering::Relaxed)
    }

    /// How long turning took so far.
    pub(super) fn time_spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Sentinel side: runs what a JavaScript thread has left that is busy with something else, so
    /// that it goes out while a handler blocks. Who drives stays who drives.
    pub(super) fn assist(&self) {
        let Some(mut held) = self.held.try_lock() else {
            return;
        };
        if !held.closed && self.with(&mut held, ASSISTING, |_| {}).backlog {
            self.wake();
        }
    }

    fn turn(&self, held: &mut Held, way: Way) -> Turn {
        self.with(held, way, |reactor| {
            if self.read_again.swap(false, Ordering::SeqCst) {
                reactor.read_again();
            }
            // An instance that cannot be asked for news has none.
            let _ = reactor.turn();
        })
    }

    /// Runs commands on the JavaScript thread, outside of a turn.
    fn at_once(&self, held: &mut Held, act: impl FnOnce(&mut Reactor<System>)) -> Turn {
        let before = held.reactor.next_deadline();
        let turn = self.with(held, INLINE, act);
        // Whoever drives does not know what this left to do.
        if turn.backlog || is_due_sooner(held, before) || self.driver() == Driver::Worker {
            self.wake();
        }
        turn
    }

    /// The same without writing what they queue. A turn only if it was the reactor's last.
    fn run_unwritten(&self, held: &mut Held) -> Option<Turn> {
        let before = held.reactor.next_deadline();
        let reactor = &mut held.reactor;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.begin(reactor, INLINE, Instant::now());
        }));
        if outcome.is_err() {
            return Some(give_up(reactor));
        }
        if is_due_sooner(held, before) {
            self.wake();
        }
        None
    }

    /// Runs commands, then `act`, and ends the turn.
    fn with(&self, held: &mut Held, way: Way, act: impl FnOnce(&mut Reactor<System>)) -> Turn {
        self.gathered.store(0, Ordering::SeqCst);
        let began = Instant::now();
        let reactor = &mut held.reactor;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.begin(reactor, way, began);
            act(reactor);
            reactor.finish_turn()
        }));
        let turn = outcome.unwrap_or_else(|_| give_up(reactor));
        let elapsed = began.elapsed();
        if way.on_js_thread {
            held.inline.note(elapsed);
        } else {
            held.worker.note(elapsed);
        }
        let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.spent.fetch_add(nanoseconds, Ordering::Relaxed);
        turn
    }

    fn begin(&self, reactor: &mut Reactor<System>, way: Way, now: Instant) {
        reactor.begin_turn(now, way.limits);
        reactor.set_rings(!way.on_js_thread);
        let mut count = 0;
        self.lane
            .take(&self.outbox, way.on_js_thread, |piece| match piece {
                Piece::Records(records, blocks) => count += reactor.run(records, blocks),
                Piece::Control(Handed::Connection(Incoming { socket, listener })) => {
                    reactor.receive(socket, listener);
                }
                Piece::Control(Handed::Message(message)) => {
                    reactor.publish_from_elsewhere(&message);
                }
                Piece::Control(Handed::Subscription { connection, topic }) => {
                    reactor.subscribe(connection, topic);
                }
            });
        self.ran.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// How a reactor is turned.
#[derive(Clone, Copy)]
struct Way {
    limits: Limits,
    /// JavaScript's slab begins anew, and nobody has to be rung for.
    on_js_thread: bool,
}

const INLINE: Way = Way {
    limits: Limits::INLINE,
    on_js_thread: true,
};
const WORKING: Way = Way {
    limits: Limits::WORKER,
    on_js_thread: false,
};
const ASSISTING: Way = Way {
    limits: Limits::INLINE,
    on_js_thread: false,
};
/// The process exits: nothing is read any more.
const FLUSHING: Way = Way {
    limits: Limits {
        read_bytes: 0,
        ..Limits::WORKER
    },
    on_js_thread: true,
};

/// Bytes of commands that may wait for the end of a tick to be written.
const MOST_GATHERED: usize = 1 << 20;
/// From so many connections on, what a tick sends them is worth waiting for more. Models have one.
const MANY_CONNECTIONS: usize = if cfg!(all(test, models)) { 1 } else { 32 };
/// Between two looks of a flush.
const FLUSH_PAUSE: Duration = Duration::from_micros(200);

/// Whether the reactor has to be turned sooner than was known `before`.
fn is_due_sooner(held: &Held, before: Option<Instant>) -> bool {
    let due = held.reactor.next_deadline();
    due.is_some_and(|due| before.is_none_or(|known| due < known))
}

/// Something outside of a connection's own code panicked.
fn give_up(reactor: &mut Reactor<System>) -> Turn {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        reactor.give_up();
        reactor.finish_turn()
    }));
    outcome.unwrap_or_default()
}
