//! Plays the JavaScript side of a bridge: one environment, a pool of one worker.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use ferrows_core::bridge::layout::{self, Head, command, event, flag, settings};
use ferrows_core::bridge::{Command, Commands, Environment, Lane, Ring, SlotId};
use ferrows_core::protocol::upgrade::accept_key;
use ferrows_core::transport::{
    Adoption, Control, ListenOptions, Listening, OwnedStream, Pool, Worker, bind,
};

/// Nothing on loopback takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

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

pub(crate) struct Facade {
    pub(crate) lane: Arc<Lane>,
    pub(crate) environment: Arc<Environment>,
    pub(crate) worker: Arc<Worker>,
    rings: Receiver<()>,
    events: VecDeque<Event>,
    _pool: Pool,
}

impl Facade {
    pub(crate) fn start() -> Self {
        let pool = Pool::start(1).unwrap();
        let worker = Arc::clone(&pool.workers()[0]);
        let environment = Arc::<Environment>::default();
        let lane = Lane::new(&environment);
        let (bell, rings) = channel();
        environment.doorbell.install(Some(Box::new(Bell(bell))));
        worker
            .outbox
            .push(Command::Control(Control::Attach(Arc::clone(&lane))));
        Self {
            lane,
            environment,
            worker,
            rings,
            events: VecDeque::new(),
            _pool: pool,
        }
    }

    pub(crate) fn control(&self, control: Control) {
        self.worker.outbox.push(Command::Control(control));
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
        self.control(Control::Listen(Box::new(Listening {
            listener,
            id: 0,
            lanes: vec![Arc::clone(&self.lane)],
            home: 0,
        })));
        address
    }

    /// Hands a connected socket to the worker.
    pub(crate) fn adopt(&self, stream: TcpStream, flags: u32) -> SlotId {
        let id = self.worker.registry.reserve();
        let mut words = [0; settings::WORDS];
        words[settings::FLAGS] = flags;
        self.control(Control::Adopt(Box::new(Adoption {
            id,
            lane: Arc::clone(&self.lane),
            stream: OwnedStream::Tcp(stream),
            settings: words,
            preface: Vec::new(),
            initial: Vec::new(),
        })));
        id
    }

    /// The next event, waiting for it.
    pub(crate) fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            assert!(self.wait(PATIENCE), "no event came");
            self.drain();
        }
    }

    /// Waits for the bell. `false` if it did not ring.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        match self.rings.recv_timeout(limit) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => panic!("the bell is gone"),
        }
    }

    /// Drains everything that is there, as `lib/bridge.js` does.
    pub(crate) fn drain(&mut self) {
        let mut heads = vec![0; layout::DRAIN_RECORDS * layout::RECORD_WORDS];
        let mut slab = vec![0; layout::INBOX_LONG_SLAB_BYTES];
        self.environment.doorbell.answer();
        loop {
            let drained = self.lane.inbox().drain(&mut heads, &mut slab);
            let (mut at, mut credit) = (0, drained.cost);
            for words in heads.chunks_exact(4).take(drained.records) {
                let head = Head::from_words([words[0], words[1], words[2], words[3]]);
                let length = head.argument as usize;
                let payload = if head.has(flag::BLOCK) {
                    let block = self.lane.inbox().take_block().unwrap();
                    credit += block.len();
                    block.as_slice().to_vec()
                } else if (event::MESSAGE..=event::CLOSE).contains(&head.tag) {
                    at += length;
                    slab[at - length..at].to_vec()
                } else {
                    Vec::new()
                };
                self.events.push_back(Event { head, payload });
            }
            if self.environment.budget.credit(credit) {
                self.control(Control::ReadAgain(Arc::clone(&self.lane)));
            }
            if !drained.more {
                return;
            }
        }
    }

    /// Sends one record.
    pub(crate) fn command(&self, tag: u8, flags: u8, aux: u16, id: SlotId, payload: &[u8]) {
        let head = Head {
            tag,
            flags,
            aux,
            slot: id.slot,
            generation: id.generation,
            argument: payload.len() as u32,
        };
        let mut bytes: Vec<u8> = head
            .to_words()
            .iter()
            .flat_map(|w| w.to_ne_bytes())
            .collect();
        bytes.extend_from_slice(payload);
        bytes.resize(layout::next_record(0, payload.len()), 0);
        self.worker.outbox.push(Command::Records(Commands {
            lane: Arc::clone(&self.lane),
            bytes,
            blocks: VecDeque::new(),
        }));
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
        let text = String::from_utf8(request.payload.clone()).unwrap();
        let key = text
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
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
}
