//! The class through which `lib/bridge/` reaches the reactors.
//!
//! Owns: one environment's fleet, the landings of its lanes, the seam of the
//! inline driver. Runs on: js.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ferrows_core::bridge::Settings;
use ferrows_core::bridge::layout::{self, Head, settings, turn};
use ferrows_core::bridge::{BackpressureOptions, Block, Landing, SlotId};
use ferrows_core::driver::{Driver, Fleet, LocalTopic, Membership, Message, Seat, Setting};
use ferrows_core::reactor::{self, ListenOptions, Stream, Turn};
use napi::bindgen_prelude::{ArrayBuffer, BufferSlice, Function, Object, Uint8ArraySlice};
use napi::{Env, Error, Result};
use napi_derive::napi;

use crate::buffers;
use crate::doorbell;
use crate::extract::{CarriedBytes, Extracted};
use crate::headers::HttpRules;
use crate::inline::Inline;
use crate::metrics::{Activity, Budget, Tallied};

/// Local and remote address of a connection.
#[napi(object)]
pub struct AddressPair {
    /// Address of our side.
    pub local_address: String,
    /// Port of our side.
    pub local_port: u32,
    /// Address of the peer.
    pub remote_address: String,
    /// Port of the peer.
    pub remote_port: u32,
    /// `IPv4` or `IPv6`.
    pub family: String,
}

/// What came of trying to listen.
#[napi(object)]
#[derive(Default)]
pub struct ListenOutcome {
    /// The operating system's error number, 0 for success.
    pub errno: i32,
    /// The bound address.
    pub address: String,
    /// The bound port.
    pub port: u32,
    /// `IPv4` or `IPv6`.
    pub family: String,
}

/// A connection that has not asked for an upgrade.
#[napi(object)]
pub struct Guest {
    /// Its descriptor, which is the caller's now.
    pub fd: i32,
    /// What of a request was read and not answered.
    pub said: Vec<u8>,
    /// It had answers and asked nothing since.
    pub idle: bool,
}

/// A listener that somebody else goes on with.
#[napi(object)]
pub struct Vacated {
    /// The listening descriptor, which is the caller's now; -1 if there is none.
    pub fd: i32,
    /// Its connections.
    pub guests: Vec<Guest>,
}

/// One instance of the JavaScript facade, seen from Rust.
#[napi]
pub struct Bridge {
    pub(crate) shared: Arc<Shared>,
    inline: Option<Rc<Inline>>,
}

/// What outlives neither the environment nor the Bridge.
pub(crate) struct Shared {
    pub(crate) fleet: Fleet,
    pub(crate) landings: Vec<Arc<Landing>>,
}

impl Shared {
    /// Fills the landing of a lane. Returns the number of records; bit 31 tells that more wait.
    pub(crate) fn fill(&self, index: usize) -> u32 {
        let (Some(seat), Some(landing)) = (self.fleet.seats().get(index), self.landings.get(index))
        else {
            return 0;
        };
        let drained = buffers::land(landing, seat.lane());
        self.fleet.helm().note_records(drained.records as u64);
        self.fleet.credit(drained.cost);
        drained.records as u32 | u32::from(drained.more) << 31
    }

    /// Acts on what commands on this thread came to, and tells JavaScript.
    pub(crate) fn after(&self, turn: Turn) -> u32 {
        self.fleet.after_turn(turn);
        if turn.delivered { turn::DELIVERED } else { 0 }
    }

    /// The same for a call that answers with the outcome only if it `found` what it was asked for:
    /// else JavaScript is rung for, or the news of the connection's end would wait for ever.
    pub(crate) fn after_asking(&self, turn: Turn, found: bool) -> u32 {
        if turn.delivered && !found {
            self.fleet.environment().doorbell.ring();
        }
        self.after(turn)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if let Some(inline) = self.inline.take() {
            inline.close();
        }
        self.shared.fleet.detach();
    }
}

#[napi]
impl Bridge {
    /// Makes the reactors of this environment. `turn(lane, drained)` is called with what the
    /// inline driver brings, in an asynchronous context whose resource is `scope`; `loopUsable` tells
    /// whether Node's event loop is what it seems to be.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        turn: Function<'_, (u32, u32), ()>,
        scope: Object<'_>,
        loop_usable: bool,
    ) -> Result<Self> {
        reactor::keep_pages();
        let usable = loop_usable && Inline::is_possible(&env);
        let fleet = Fleet::new(Setting::from_environment(usable)).map_err(system_error)?;
        let landings = fleet.seats().iter().map(|_| Arc::default()).collect();
        let shared = Arc::new(Shared { fleet, landings });
        let inline = if shared.fleet.may_be_inline() {
            Some(Inline::start(&env, &turn, &scope, &shared)?)
        } else {
            env.add_env_cleanup_hook(Arc::downgrade(&shared), |shared| {
                if let Some(shared) = shared.upgrade() {
                    shared.fleet.detach();
                }
            })?;
            None
        };
        Ok(Self { shared, inline })
    }

    /// How many lanes there are: one a reactor.
    #[napi(getter)]
    pub fn lane_count(&self) -> u32 {
        self.shared.landings.len() as u32
    }

    /// Who drives the reactor of a lane: `inline` or `worker`.
    #[napi]
    pub fn driver(&self, lane: u32) -> Result<&'static str> {
        Ok(match self.seat(lane)?.driver() {
            Driver::Inline => "inline",
            Driver::Worker => "worker",
        })
    }

    /// Changes the driver of all reactors at once, for tests of the hand-over. `false` where
    /// there is only one driver.
    #[napi]
    pub fn hand_to(&self, driver: String) -> bool {
        if !self.shared.fleet.helm().is_auto() || self.shared.fleet.start().is_err() {
            return false;
        }
        let driver = if driver == "worker" {
            Driver::Worker
        } else {
            Driver::Inline
        };
        self.shared.fleet.helm().hand_to(driver);
        true
    }

    /// Status words and command slab of a lane.
    #[napi]
    pub fn lane_memory<'env>(&self, env: &'env Env, lane: u32) -> Result<ArrayBuffer<'env>> {
        buffers::lane_memory(env, self.seat(lane)?.lane())
    }

    /// Heads and inline payloads of the records that a drain brings.
    #[napi]
    pub fn landing_memory<'env>(&self, env: &'env Env, lane: u32) -> Result<ArrayBuffer<'env>> {
        let landing = self.shared.landings.get(lane as usize);
        buffers::landing_memory(env, landing.ok_or_else(no_such_lane)?)
    }

    /// Counters of written bytes of `TABLE_CHUNK` neighbouring slots, as f64.
    #[napi]
    pub fn table_memory<'env>(
        &self,
        env: &'env Env,
        lane: u32,
        chunk: u32,
    ) -> Result<ArrayBuffer<'env>> {
        buffers::table_memory(env, self.seat(lane)?.table().chunk(chunk as usize))
    }

    /// Puts the doorbell up; `drain` is called when a worker has news. A referenced one keeps the
    /// process alive. Replaces an earlier one. From here on reactors are driven.
    #[napi]
    pub fn open(&self, drain: Function<'_, (), ()>, referenced: bool) -> Result<()> {
        let bell = doorbell::bell(&drain, referenced)?;
        self.shared.fleet.environment().doorbell.install(Some(bell));
        // Without threads the JavaScript thread drives on.
        let started = self.shared.fleet.start();
        match &self.inline {
            Some(inline) => inline.open(),
            None => started.map_err(system_error)?,
        }
        Ok(())
    }

    /// Takes the doorbell down. Nothing is watched any more.
    #[napi]
    pub fn close(&self) {
        self.shared.fleet.environment().doorbell.install(None);
        if let Some(inline) = &self.inline {
            inline.shut();
        }
    }

    /// JavaScript answers the doorbell: from here on news rings again.
    #[napi]
    pub fn answer(&self) {
        self.shared.fleet.environment().doorbell.answer();
        self.shared.fleet.helm().note_turn();
        if let Some(inline) = &self.inline {
            inline.watch();
        }
    }

    /// Fills the landing of a lane. Returns the number of records; bit 31 tells that more wait.
    #[napi]
    pub fn drain(&self, lane: u32) -> u32 {
        self.shared.fill(lane as usize)
    }

    /// The payload of the next drained record that is flagged as a block.
    #[napi]
    pub fn take_block<'env>(&self, env: &'env Env, lane: u32) -> Result<BufferSlice<'env>> {
        let block = self.seat(lane)?.lane().inbox().take_block();
        let block = block.ok_or_else(|| Error::from_reason("no record waits for a block"))?;
        self.shared.fleet.credit(block.len());
        buffers::copied(env, block.as_slice())
    }

    /// The same for a payload that JavaScript copies bit by bit.
    #[napi]
    pub fn hold_block(&self, lane: u32) -> Result<HeldBlock> {
        let block = self.seat(lane)?.lane().inbox().take_block();
        let block = block.ok_or_else(|| Error::from_reason("no record waits for a block"))?;
        // Others are read meanwhile.
        self.shared.fleet.helm().begin_arrival(block.len());
        Ok(HeldBlock {
            block: Some(block),
            shared: Arc::clone(&self.shared),
        })
    }

    /// Adds the payload of the next command that is flagged as a block: a copy.
    #[napi]
    pub fn attach(&self, lane: u32, bytes: &[u8]) -> Result<()> {
        let seat = self.seat(lane)?;
        seat.lane().attach(seat.copy(bytes));
        Ok(())
    }

    /// Runs one command with a large payload at once, from where it is, after everything that was
    /// written into the slab before. `TURN_REFUSED` if a worker is at it just now.
    #[napi]
    pub fn run_with(
        &self,
        lane: u32,
        word: u32,
        slot: u32,
        generation: u32,
        bytes: &[u8],
    ) -> Result<u32> {
        let head = Head::from_words([word, slot, generation, bytes.len() as u32]);
        Ok(match self.seat(lane)?.run_with(head, bytes) {
            Some(turn) => self.shared.after(turn),
            None => turn::REFUSED,
        })
    }

    /// Passes the command slab of a lane on. It is empty afterwards.
    #[napi]
    pub fn submit(&self, lane: u32) -> Result<u32> {
        let turn = self.seat(lane)?.submit();
        self.shared.fleet.helm().note_turn();
        Ok(self.shared.after(turn))
    }

    /// The same at the end of a tick. Where several follow each other, those of timers for instance, what
    /// is for many connections goes out with what the next ones send, one write for each connection.
    #[napi]
    pub fn end_tick(&self, lane: u32) -> Result<u32> {
        let seat = self.seat(lane)?;
        let turn = match &self.inline {
            Some(inline) => match seat.end_tick() {
                Some(turn) => turn,
                None => {
                    inline.write_before_polling();
                    Turn::default()
                }
            },
            None => seat.submit(),
        };
        self.shared.fleet.helm().note_turn();
        Ok(self.shared.after(turn))
    }

    /// Makes room in the slab of a lane; what it held is written at the end of the tick.
    #[napi]
    pub fn gather(&self, lane: u32) -> Result<u32> {
        let turn = self.seat(lane)?.gather();
        Ok(self.shared.after(turn))
    }

    /// Wakes the sentinel: a record waits for the end of a tick that may last.
    #[napi]
    pub fn rouse(&self) {
        self.shared.fleet.helm().note_turn();
    }

    /// Runs the commands of a lane before it returns, whoever drives.
    #[napi]
    pub fn settle(&self, lane: u32) -> Result<u32> {
        let turn = self.seat(lane)?.settle();
        Ok(self.shared.after(turn))
    }

    /// Reserves an identity; it is written into the lane's status words.
    #[napi]
    pub fn reserve(&self, lane: u32) -> Result<()> {
        let seat = self.seat(lane)?;
        let id = seat.reserve();
        let slab = seat.lane().slab();
        slab.status(layout::STATUS_SLOT).store(id.slot, Relaxed);
        slab.status(layout::STATUS_GENERATION)
            .store(id.generation, Relaxed);
        Ok(())
    }

    /// Takes a duplicate of a descriptor over. `preface` is written first; `initial` was read.
    /// Returns the operating system's error number, 0 for success.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "a JavaScript call, all of it needed"
    )]
    pub fn adopt(
        &self,
        lane: u32,
        slot: u32,
        generation: u32,
        fd: i32,
        settings: &[u32],
        preface: &[u8],
        initial: &[u8],
    ) -> Result<i32> {
        let words: [u32; settings::WORDS] = settings
            .try_into()
            .map_err(|_| Error::from_reason("settings have a fixed length"))?;
        let seat = self.seat(lane)?;
        let adopted = reactor::duplicate(fd)
            .and_then(Stream::try_from)
            .and_then(|socket| {
                let id = SlotId { slot, generation };
                let settings = Settings::from_words(words);
                seat.adopt(id, socket, settings, preface, &mut initial.to_vec())
            });
        Ok(match adopted {
            Ok(turn) => {
                self.shared.fleet.after_turn(turn);
                if turn.delivered {
                    self.shared.fleet.environment().doorbell.ring();
                }
                // For deadlines.
                seat.wake();
                0
            }
            Err(error) => errno(&error),
        })
    }

    /// Binds and listens. `id` is the number that upgrade requests will carry.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "a JavaScript call, all of it needed"
    )]
    pub fn listen(
        &self,
        id: u16,
        address: String,
        port: u16,
        backlog: i32,
        ipv6_only: bool,
        rules: HttpRules,
    ) -> Result<ListenOutcome> {
        let address: IpAddr = address
            .parse()
            .map_err(|_| Error::from_reason("an IP address is needed"))?;
        let options = ListenOptions {
            address: (address, port).into(),
            backlog,
            ipv6_only,
        };
        let seats = self.shared.fleet.seats();
        let home = self.seat(u32::from(id) % seats.len() as u32)?;
        let rules = rules.into();
        for seat in seats {
            seat.follow(rules);
        }
        let bound = reactor::bind(options).and_then(|listener| {
            let address = listener.local_addr()?;
            home.listen(listener, id, seats)?;
            Ok(address)
        });
        Ok(match bound {
            Ok(address) => ListenOutcome {
                errno: 0,
                address: address.ip().to_string(),
                port: address.port().into(),
                family: family(address).into(),
            },
            Err(error) => ListenOutcome {
                errno: errno(&error),
                ..ListenOutcome::default()
            },
        })
    }

    /// Stops listening; the port is free when this returns.
    #[napi]
    pub fn unlisten(&self, id: u16) {
        for seat in self.shared.fleet.seats() {
            seat.unlisten(id);
        }
    }

    /// Takes a connection out of its reactor, after all that was written into the slab; its last
    /// event is EXTRACTED. At most `ahead` bytes are read of what waits for it. Null if it is gone.
    #[napi]
    pub fn extract(
        &self,
        lane: u32,
        slot: u32,
        generation: u32,
        ahead: u32,
    ) -> Result<Option<Extracted>> {
        let id = SlotId { slot, generation };
        let (extract, turn) = self.seat(lane)?.extract(id, ahead as usize);
        let outcome = self.shared.after_asking(turn, extract.is_some());
        Ok(extract.map(|extract| Extracted::new(extract, outcome)))
    }

    /// What a connection has carried, with all that was written into the slab, or had when it
    /// went; null once it is released.
    #[napi]
    pub fn counts(&self, lane: u32, slot: u32, generation: u32) -> Result<Option<CarriedBytes>> {
        let (counts, turn) = self.seat(lane)?.counts(SlotId { slot, generation });
        let outcome = self.shared.after_asking(turn, counts.is_some());
        Ok(counts.map(|counts| CarriedBytes {
            received: counts.received as f64,
            sent: counts.sent as f64,
            outcome,
        }))
    }

    /// What the connections of a server have done in a lane, with all that was written into the slab:
    /// numbers in the order of the constants `TALLY_…`. With `ends` they begin anew.
    #[napi]
    pub fn tally(&self, lane: u32, account: u32, ends: bool) -> Result<Tallied> {
        let (tally, turn) = self.seat(lane)?.tally(account, ends);
        Ok(Tallied {
            numbers: tally.numbers().iter().map(|count| *count as f64).collect(),
            outcome: self.shared.after_asking(turn, true),
        })
    }

    /// Who has turned the reactor of a lane, and how long that took.
    #[napi]
    pub fn activity(&self, lane: u32) -> Result<Activity> {
        let activity = self.seat(lane)?.activity();
        Ok(Activity {
            hand_overs: activity.hand_overs as f64,
            inline: activity.inline.into(),
            worker: activity.worker.into(),
        })
    }

    /// Bytes that wait for this thread, and how many may.
    #[napi]
    pub fn budget(&self) -> Budget {
        let budget = &self.shared.fleet.environment().budget;
        Budget {
            waiting: budget.waiting() as f64,
            limit: budget.limit() as f64,
        }
    }

    /// The descriptor of a connection that is still there, -1 without one. The reactor's own.
    #[napi]
    pub fn descriptor(&self, lane: u32, slot: u32, generation: u32) -> Result<i32> {
        Ok(self.seat(lane)?.descriptor_of(SlotId { slot, generation }))
    }

    /// Takes a listener out of its reactor, with those of its connections that have not asked for an
    /// upgrade and can be moved. The others are served as before.
    #[napi]
    pub fn vacate(&self, id: u16) -> Vacated {
        let seats = self.shared.fleet.seats();
        let mut vacated = Vacated {
            fd: -1,
            guests: Vec::new(),
        };
        // The one that accepts first: after it no other gets connections any more.
        let home = usize::from(id) % seats.len().max(1);
        for seat in seats.iter().cycle().skip(home).take(seats.len()) {
            let out = seat.vacate(id);
            if let Some(listener) = out.listener {
                vacated.fd = listener.into_raw_fd();
            }
            vacated
                .guests
                .extend(out.guests.into_iter().map(|guest| Guest {
                    fd: OwnedFd::from(guest.socket).into_raw_fd(),
                    said: guest.said,
                    idle: guest.idle,
                }));
            self.shared.after_asking(out.turn, false);
        }
        vacated
    }

    /// Takes part in the topics of all threads under a name, or in topics that no other thread
    /// knows. Returns its number for the calls below.
    #[napi]
    pub fn open_hub(&self, name: Option<String>) -> u32 {
        self.shared.fleet.open_hub(name.as_deref()) as u32
    }

    /// One more connection in a lane is subscribed: its command is written. Returns how many are, in
    /// all threads.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "a JavaScript call, all of it needed"
    )]
    pub fn join_hub(
        &self,
        hub: u32,
        name: String,
        lane: u32,
        topic: u32,
        limit: u32,
        policy: u32,
    ) -> u32 {
        let topic = local_topic(topic, limit, policy);
        let join = |hub: &mut Membership| hub.join(&name, lane as usize, topic);
        self.shared.fleet.hub(hub as usize, join).unwrap_or(0)
    }

    /// One of them is not any more: its command is written next. Returns how many are left.
    #[napi]
    pub fn leave_hub(&self, hub: u32, name: String, lane: u32) -> u32 {
        let leave = |hub: &mut Membership| hub.leave(&name, lane as usize);
        self.shared.fleet.hub(hub as usize, leave).unwrap_or(0)
    }

    /// Hands a message to the subscribers of other threads, to recordings of this one that are not to be
    /// skipped, and to other processes unless it `stays`. Returns how many the former are.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "a JavaScript call, all of it needed"
    )]
    pub fn publish_in_hub(
        &self,
        hub: u32,
        name: String,
        opcode: u8,
        compress: bool,
        payload: &[u8],
        stays: bool,
        skip: Option<Vec<u32>>,
    ) -> u32 {
        let message = Message {
            opcode,
            compress,
            payload,
            mark: None,
        };
        let skip = skip.unwrap_or_default();
        let publish = |hub: &mut Membership| hub.publish(&name, message, stays, &skip);
        self.shared.fleet.hub(hub as usize, publish).unwrap_or(0)
    }

    /// How many are subscribed to a topic, in all threads.
    #[napi]
    pub fn count_in_hub(&self, hub: u32, name: String) -> u32 {
        let count = |hub: &mut Membership| hub.count(&name);
        self.shared.fleet.hub(hub as usize, count).unwrap_or(0)
    }

    /// The topics that somebody is subscribed to, in all threads.
    #[napi]
    pub fn topics_in_hub(&self, hub: u32) -> Vec<String> {
        let topics = |hub: &mut Membership| hub.topics();
        self.shared
            .fleet
            .hub(hub as usize, topics)
            .unwrap_or_default()
    }

    /// The addresses of a TCP connection that is still there.
    #[napi]
    pub fn addresses(&self, lane: u32, slot: u32, generation: u32) -> Result<Option<AddressPair>> {
        let seat: &Arc<Seat> = self.seat(lane)?;
        // It may be a command away from being there.
        let known = seat.addresses(SlotId { slot, generation });
        Ok(known.map(|(local, remote)| AddressPair {
            local_address: local.ip().to_string(),
            local_port: local.port().into(),
            remote_address: remote.ip().to_string(),
            remote_port: remote.port().into(),
            family: family(remote).into(),
        }))
    }

    /// Writes everything, at most for `limit` ms. Whether all is written.
    #[napi]
    pub fn flush(&self, limit: u32) -> bool {
        self.shared.fleet.flush(Duration::from_millis(limit.into()))
    }

    fn seat(&self, index: u32) -> Result<&Arc<Seat>> {
        let seats = self.shared.fleet.seats();
        seats.get(index as usize).ok_or_else(no_such_lane)
    }
}

fn no_such_lane() -> Error {
    Error::from_reason("no such lane")
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(-1)
}

fn system_error(error: io::Error) -> Error {
    Error::from_reason(error.to_string())
}

fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// A payload on its way into JavaScript's memory.
#[napi]
pub struct HeldBlock {
    block: Option<Block>,
    shared: Arc<Shared>,
}

#[napi]
impl HeldBlock {
    /// Length in bytes.
    #[napi(getter)]
    pub fn length(&self) -> u32 {
        self.block.as_ref().map_or(0, |block| block.len() as u32)
    }

    /// Fills `target` with the bytes from `at` on.
    #[napi]
    pub fn copy_into(&self, mut target: Uint8ArraySlice<'_>, at: u32) {
        let bytes = self.block.as_ref().map_or(&[][..], Block::as_slice);
        let rest = bytes.get(at as usize..).unwrap_or_default();
        let target = buffers::writable_bytes(&mut target);
        let count = target.len().min(rest.len());
        target[..count].copy_from_slice(&rest[..count]);
    }

    /// Gives the payload back.
    #[napi]
    pub fn release(&mut self) {
        if let Some(block) = self.block.take() {
            self.shared.fleet.helm().end_arrival(block.len());
        }
    }
}

/// A topic and its rule as calls have them: a limit of 0 is none.
pub(crate) fn local_topic(number: u32, limit: u32, policy: u32) -> LocalTopic {
    LocalTopic {
        number,
        rule: BackpressureOptions::from_numbers(limit, policy),
    }
}

impl Drop for HeldBlock {
    fn drop(&mut self) {
        self.release();
    }
}
