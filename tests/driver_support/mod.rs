//! Plays the JavaScript side of a bridge: one environment with one reactor, under
//! each driver and under both by turns.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ferrows_core::bridge::Settings;
use ferrows_core::bridge::layout::{self, Head, command, event, flag, settings};
use ferrows_core::bridge::{Environment, Landing, Lane, Ring, SlotId};
use ferrows_core::driver::{Driver, Fleet, Seat, Setting};
use ferrows_core::protocol::upgrade::accept_key;
use ferrows_core::reactor::{ListenOptions, OwnedStream, Stream, bind};

/// Nothing on loopback takes this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a reactor that this thread turns.
const LOOK: Duration = Duration::from_micros(200);
/// Between two changes of the driver.
const HAND_OVER_INTERVAL: Duration = Duration::from_millis(1);

/// Of a base64 encoded key (RFC 6455, section 4.1).
const KEY_LENGTH: usize = 24;

const LANDING_HEADS: usize = layout::LANDING_RECORDS * layout::RECORD_WORDS * 4;

/// Who turns the reactor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Inline,
    Worker,
    /// Both, a thousand changes a second.
    Alternating,
}

/// Runs a test under each driver and under both by turns.
pub(crate) fn in_every_mode(test: impl Fn(Facade)) {
    for mode in [Mode::Inline, Mode::Worker, Mode::Alternating] {
        test(Facade::start(mode));
    }
}

struct Bell(Sender<()>);

impl Ring for Bell {
    fn ring(&self) {
        // The facade may be gone already.
        let _ = self.0.send(());
    }
}

/// A drained record with its payload.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) head: Head,
    pub(crate) payload: Vec<u8>,
}

impl Event {
    pub(crate) fn id(&self) -> SlotId {
        let Head {
            slot, generation, ..
        } = self.head;
        SlotId { slot, generation }
    }
}

/// Changes the driver until it is dropped.
struct Alternation {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u32>>,
}

impl Alternation {
    fn begin(fleet: &Fleet) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (helm, stopped) = (Arc::clone(fleet.helm()), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut changes = 0;
            loop {
                for driver in [Driver::Worker, Driver::Inline] {
                    helm.hand_to(driver);
                    changes += 1;
                    thread::sleep(HAND_OVER_INTERVAL);
                }
                if stopped.load(Ordering::SeqCst) {
                    return changes;
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Alternation {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let changes = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(changes.unwrap().unwrap() > 0, "the driver changed");
        }
    }
}

pub(crate) struct Facade {
    _alternation: Option<Alternation>,
    fleet: Fleet,
    landing: Landing,
    rings: Receiver<()>,
    events: VecDeque<Event>,
}

impl Facade {
    pub(crate) fn start(mode: Mode) -> Self {
        let fleet = Fleet::new(match mode {
            Mode::Inline => Setting::Fixed(Driver::Inline),
            Mode::Worker => Setting::Fixed(Driver::Worker),
            Mode::Alternating => Setting::Auto,
        })
        .unwrap();
        let (bell, rings) = channel();
        let doorbell = &fleet.environment().doorbell;
        doorbell.install(Some(Box::new(Bell(bell))));
        fleet.start().unwrap();
        Self {
            _alternation: matches!(mode, Mode::Alternating).then(|| Alternation::begin(&fleet)),
            fleet,
            landing: Landing::default(),
            rings,
            events: VecDeque::new(),
        }
    }

    pub(crate) fn environment(&self) -> &Arc<Environment> {
        self.fleet.environment()
    }

    /// All tests use the first reactor.
    fn seat(&self) -> &Arc<Seat> {
        &self.fleet.seats()[0]
    }

    fn lane(&self) -> &Arc<Lane> {
        self.seat().lane()
    }

    /// Listens on a port of loopback.
    pub(crate) fn listen(&self) -> SocketAddr {
        let listener = bind(ListenOptions {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            backlog: 100,
            ipv6_only: false,
        })
        .unwrap();
        let address = listener.local_addr().unwrap();
        let seats = &self.fleet.seats()[..1];
        self.seat().listen(listener, 0, seats).unwrap();
        address
    }

    /// Hands a connected socket to the reactor.
    pub(crate) fn adopt(&self, stream: TcpStream, flags: u32) -> SlotId {
        let id = self.seat().reserve();
        let mut words = [0; settings::WORDS];
        words[settings::FLAGS] = flags;
        let socket = Stream::try_from(OwnedStream::Tcp(stream)).unwrap();
        let settings = Settings::from_words(words);
        self.seat()
            .adopt(id, socket, settings, &[], &mut [])
            .unwrap();
        self.seat().wake();
        id
    }

    /// The next event, waiting for it.
    pub(crate) fn next(&mut self) -> Event {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            assert!(Instant::now() < limit, "no event came");
            self.turn();
            self.drain();
            if self.events.is_empty() {
                let _ = self.rings.recv_timeout(LOOK);
            }
        }
    }

    /// Turns the reactor if that is for this thread to do.
    pub(crate) fn turn(&self) {
        self.seat().turn_as(Driver::Inline);
    }

    /// Drains everything that is there, as `lib/bridge` does.
    fn drain(&mut self) {
        self.environment().doorbell.answer();
        loop {
            let lane = Arc::clone(self.lane());
            #[expect(unsafe_code, reason = "the contract of fill")]
            // SAFETY: this thread plays JavaScript's and has copied what was there before.
            let drained = unsafe { self.landing.fill(lane.inbox()) };
            let memory = self.landing_bytes();
            let (mut at, mut credit) = (LANDING_HEADS, drained.cost);
            for index in 0..drained.records {
                let word = |word: usize| {
                    let at = (index * layout::RECORD_WORDS + word) * 4;
                    u32::from_ne_bytes(memory[at..at + 4].try_into().unwrap())
                };
                let head = Head::from_words([word(0), word(1), word(2), word(3)]);
                let payload = if head.has(flag::BLOCK) {
                    let block = lane.inbox().take_block().unwrap();
                    credit += block.len();
                    block.as_slice().to_vec()
                } else if (event::MESSAGE..=event::CLOSE).contains(&head.tag) {
                    let start = at;
                    at += head.argument as usize;
                    memory[start..at].to_vec()
                } else {
                    Vec::new()
                };
                self.events.push_back(Event { head, payload });
            }
            self.fleet.credit(credit);
            if !drained.more {
                return;
            }
        }
    }

    fn landing_bytes(&self) -> Vec<u8> {
        let (address, length) = (self.landing.address(), self.landing.byte_length());
        #[expect(unsafe_code, reason = "what an ArrayBuffer does")]
        // SAFETY: the memory lives as long as the landing, and only this thread uses it.
        unsafe {
            std::slice::from_raw_parts(address, length).to_vec()
        }
    }

    /// Writes one record into the slab and submits it, as `lib/bridge` does.
    pub(crate) fn command(&self, tag: u8, flags: u8, aux: u16, id: SlotId, payload: &[u8]) {
        let mut head = Head {
            tag,
            flags,
            aux,
            slot: id.slot,
            generation: id.generation,
            argument: payload.len() as u32,
        };
        let mut inline = payload;
        if payload.len() > layout::OUTBOX_INLINE_LIMIT {
            if self.seat().run_with(head, payload).is_some() {
                return;
            }
            self.lane().attach(self.seat().copy(payload));
            head.flags |= flag::BLOCK;
            inline = &[];
        }
        self.write(head, inline);
        self.seat().submit();
    }

    /// Writes one small frame into the slab and submits nothing.
    pub(crate) fn write_frame(&self, id: SlotId, opcode: u16, payload: &[u8]) {
        let head = Head {
            tag: command::FRAME,
            flags: flag::FIN,
            aux: opcode,
            slot: id.slot,
            generation: id.generation,
            argument: payload.len() as u32,
        };
        self.write(head, payload);
    }

    /// Ends a tick. Whether what it sent was written, or else waits for [`Facade::submit`].
    pub(crate) fn end_tick(&self) -> bool {
        self.seat().end_tick().is_some()
    }

    pub(crate) fn submit(&self) {
        self.seat().submit();
    }

    fn write(&self, head: Head, inline: &[u8]) {
        let mut bytes: Vec<u8> = head
            .to_words()
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        bytes.extend_from_slice(inline);
        bytes.resize(layout::next_record(0, inline.len()), 0);
        let slab = self.lane().slab();
        let committed = slab.status(layout::STATUS_COMMITTED);
        let at = committed.load(Ordering::Relaxed) as usize;
        assert!(at + bytes.len() <= layout::OUTBOX_SLAB_BYTES);
        #[expect(unsafe_code, reason = "what JavaScript does")]
        // SAFETY: in bounds, and above what is committed only this thread writes.
        unsafe {
            let target = slab.address().add(layout::STATUS_WORDS * 4 + at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        committed.store((at + bytes.len()) as u32, Ordering::Release);
    }

    pub(crate) fn frame(&self, id: SlotId, opcode: u16, payload: &[u8]) {
        self.command(command::FRAME, flag::FIN, opcode, id, payload);
    }

    /// Accepts the next upgrade request; events that come before it stay.
    pub(crate) fn accept(&mut self) -> SlotId {
        let mut before = VecDeque::new();
        let request = loop {
            let next = self.next();
            if next.head.tag == event::UPGRADE {
                break next;
            }
            before.push_back(next);
        };
        before.append(&mut self.events);
        self.events = before;
        // Names and values follow each other.
        let text = String::from_utf8_lossy(&request.payload).into_owned();
        let (_, rest) = text.split_once("Sec-WebSocket-Key").unwrap();
        let key = &rest[..KEY_LENGTH];
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept_key(key.as_bytes())
        );
        let mut payload = vec![0; settings::WORDS * 4];
        payload.extend_from_slice(response.as_bytes());
        self.command(command::ACCEPT, 0, 0, request.id(), &payload);
        request.id()
    }

    /// Ends the environment.
    pub(crate) fn detach(&self) {
        self.fleet.detach();
    }
}
