//! Models of who turns a reactor: hand-over, assistance, sleep, budget, the end.
//!
//! Owns: [`JavaScript`], what `napi/src/inline.rs` and `lib/bridge` do, on the real
//! seat, helm, reactor, lane and worker task; only the operating system
//! (`reactor/memory_system.rs`) and tokio's registration (`watched.rs`) are played.
//! What deliberate faults they find: CONTRIBUTING.md. Runs on: threads of a model;
//! `backbone/models.rs` plays with the same JavaScript.

mod budget;
mod hand_over;
mod sleep;

use std::sync::Arc;

use loom::thread::{self, JoinHandle};

use super::helm::{Helm, Setting};
use super::hub::{Joined, LocalTopic, Membership};
use super::policy::Driver;
use super::seat::Seat;
use super::worker;
use crate::bridge::layout::{
    Head, RECORD_WORDS, STATUS_ASLEEP, command, event, flag, settings, word0,
};
use crate::bridge::{Environment, Ring, Settings, SlotId};
use crate::reactor::{MemorySocket, Network, Ready, System, Watch, pair};
use crate::sync::atomic::Ordering;
use crate::sync::{Notify, block_on};

/// Frames without a payload, told apart by their opcodes.
const BINARY: u8 = 2;
const TEXT: u8 = 1;
const PONG: u8 = 10;

struct Bell(Arc<Notify>);

impl Ring for Bell {
    fn ring(&self) {
        self.0.notify_one();
    }
}

/// The other end of a connection.
struct Peer {
    socket: MemorySocket,
    system: System,
    watch: Watch,
    /// Of the frames that came: the payload if it is one byte, else the opcode.
    got: Vec<u8>,
}

impl Peer {
    fn new(mut socket: MemorySocket) -> Self {
        let (mut system, _) = System::new().unwrap();
        system.register(&mut socket, 0).unwrap();
        Self {
            watch: system.descriptor().watch(),
            socket,
            system,
            got: Vec::new(),
        }
    }

    fn receive(&mut self) {
        let mut news: Vec<Ready> = Vec::new();
        self.system.poll(&mut news).unwrap();
        let frames = self.socket.receive_all();
        let mut rest = frames.as_slice();
        while let [start, length, payload @ ..] = rest {
            let (payload, others) = payload.split_at((*length).into());
            self.got.push(match payload {
                [byte] => *byte,
                _ => start & 0x0f,
            });
            rest = others;
        }
    }

    /// Blocks, as a handler does that never returns to its event loop.
    fn wait_for(&mut self, count: usize) {
        while self.got.len() < count {
            block_on(self.watch.edge());
            self.receive();
        }
    }
}

/// A message of one byte, as a client sends it.
fn message(byte: u8) -> [u8; 7] {
    [0x82, 0x81, 0, 0, 0, 0, byte]
}

/// What makes the JavaScript thread's event loop go on.
enum Call {
    Bell,
    News,
    Peer,
}

/// One environment with one reactor and one connection.
pub(crate) struct JavaScript {
    environment: Arc<Environment>,
    helm: Arc<Helm>,
    seat: Arc<Seat>,
    id: SlotId,
    bell: Arc<Notify>,
    watch: Option<Watch>,
    peer: Peer,
    /// Payloads of the messages that came.
    got: Vec<u8>,
}

impl JavaScript {
    pub(crate) fn start(driver: Driver) -> Self {
        Self::with(Environment::default(), Setting::Auto, driver, 1000)
    }

    fn with(environment: Environment, setting: Setting, driver: Driver, room: usize) -> Self {
        let environment = Arc::new(environment);
        let seat = Seat::new(&environment, driver).unwrap();
        let helm = Helm::new(&environment, vec![Arc::clone(&seat)], setting);
        let bell = Arc::<Notify>::default();
        let ring = Bell(Arc::clone(&bell));
        environment.doorbell.install(Some(Box::new(ring)));
        let (near, far) = pair(room);
        let id = seat.reserve();
        let words = Settings::from_words([0; settings::WORDS]);
        seat.adopt(id, near, words, &[], &mut []).unwrap();
        let mut javascript = Self {
            environment,
            helm,
            seat,
            id,
            bell,
            watch: None,
            peer: Peer::new(far),
            got: Vec::new(),
        };
        javascript.start_watching();
        javascript
    }

    /// The worker's task, on a thread of its own.
    fn worker(&self) -> JoinHandle<()> {
        let seat = Arc::clone(&self.seat);
        thread::spawn(move || block_on(worker::drive(seat)))
    }

    /// A thread that does something to the seat.
    fn meanwhile(&self, act: impl FnOnce(&Helm, &Seat) + 'static) -> JoinHandle<()> {
        let (helm, seat) = (Arc::clone(&self.helm), Arc::clone(&self.seat));
        thread::spawn(move || act(&helm, &seat))
    }

    /// `Inline::watch`.
    fn start_watching(&mut self) {
        if self.seat.driver() == Driver::Inline && self.watch.is_none() {
            self.watch = Some(self.seat.watch());
            self.seat.wake();
        }
    }

    /// Its part in a hub.
    pub(crate) fn take_part(&self, hub: &str) -> Membership {
        Membership::new(Some(hub), &self.helm)
    }

    /// `Hub.joinRecorded` for the connection.
    pub(crate) fn join_recorded(
        &self,
        hub: &mut Membership,
        topic: &str,
        recording: u32,
    ) -> Joined {
        let number = LocalTopic {
            number: 0,
            rule: None,
        };
        hub.join_recorded(topic, recording, 0, self.id, number)
    }

    /// Everything that was sent, or handed over, is at the other end.
    pub(crate) fn settle(&mut self) {
        self.seat.settle();
        self.peer.receive();
    }

    /// What came to the other end of the connection.
    pub(crate) fn peer_got(&self) -> &[u8] {
        &self.peer.got
    }

    /// A message of one byte.
    pub(crate) fn send_byte(&self, byte: u8) {
        self.seat.lane().attach(self.seat.copy(&[byte]));
        self.record(BINARY, flag::BLOCK);
        self.submit();
    }

    /// `Lane.command` for a frame. It goes out with the next `submit`.
    fn write(&self, opcode: u8) {
        self.record(opcode, 0);
        // From here on it may take long until the tick ends.
        if self.status(STATUS_ASLEEP) == 1 {
            self.helm.note_turn();
        }
    }

    fn record(&self, opcode: u8, flags: u8) {
        let head = self.frame(opcode, flags);
        let words = head.to_words();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let slab = self.seat.lane().slab();
        slab.write_for_test(slab.committed(), &bytes);
    }

    fn frame(&self, opcode: u8, flags: u8) -> Head {
        let SlotId { slot, generation } = self.id;
        let word = word0(command::FRAME, flags | flag::FIN, opcode.into());
        Head::from_words([word, slot, generation, 0])
    }

    fn status(&self, word: usize) -> u32 {
        let slab = self.seat.lane().slab();
        slab.status(word).load(Ordering::SeqCst)
    }

    /// `Lane._writeLarge`; here a frame whose payload is empty.
    fn write_large(&self, opcode: u8) {
        if self.seat.run_with(self.frame(opcode, 0), &[]).is_none() {
            self.seat.lane().attach(self.seat.copy(&[]));
            self.record(opcode, flag::BLOCK);
        }
    }

    /// The end of a tick.
    fn submit(&self) {
        if self.seat.lane().slab().committed() > 0 || self.seat.has_gathered() {
            self.seat.submit();
        }
    }

    fn send(&self, opcode: u8) {
        self.write(opcode);
        self.submit();
    }

    /// Node's loop, until everything has come here and there.
    pub(crate) fn run_until(&mut self, got: usize, peer_got: usize) {
        while self.got.len() < got || self.peer.got.len() < peer_got {
            match block_on(self.next_call()) {
                Call::Bell => self.drain(),
                Call::News => self.turn(),
                Call::Peer => self.peer.receive(),
            }
        }
    }

    async fn next_call(&self) -> Call {
        let news = async {
            match &self.watch {
                Some(watch) => watch.edge().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.bell.notified() => Call::Bell,
            () = news => Call::News,
            () = self.peer.watch.edge() => Call::Peer,
        }
    }

    /// `Inline::turn`.
    fn turn(&mut self) {
        let Some((turn, _)) = self.seat.turn_as(Driver::Inline) else {
            self.watch = None;
            return;
        };
        self.take_events();
        if turn.backlog {
            self.seat.wake();
        }
    }

    /// `drain` of `lib/bridge/index.js`, called by the doorbell.
    fn drain(&mut self) {
        self.environment.doorbell.answer();
        self.start_watching();
        self.take_events();
    }

    fn take_events(&mut self) {
        let lane = Arc::clone(self.seat.lane());
        while !lane.inbox().is_empty() {
            let (mut heads, mut bytes) = ([0; 8 * RECORD_WORDS], [0; 8]);
            let drained = lane.inbox().drain(&mut heads, &mut bytes);
            let records = heads.chunks(RECORD_WORDS).take(drained.records);
            let all = records.clone().all(|head| head[0] as u8 == event::MESSAGE);
            assert!(all, "nothing else happens: {heads:?}");
            self.got.extend(&bytes[..drained.bytes]);
            self.helm.credit(drained.cost);
        }
        self.submit();
    }

    /// The environment ends, and with it the worker's task.
    pub(crate) fn end(self, worker: Option<JoinHandle<()>>) {
        self.environment.doorbell.install(None);
        self.seat.detach();
        if let Some(worker) = worker {
            worker.join().unwrap();
        }
    }
}

/// The part of another environment, which has no connections, in a hub.
pub(crate) fn publisher(hub: &str) -> Membership {
    let helm = Helm::new(&Arc::default(), Vec::new(), Setting::Auto);
    Membership::new(Some(hub), &helm)
}
