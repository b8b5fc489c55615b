//! Models of recovery: a WebSocket subscribes with `since` while its topic is published to.
//!
//! Claims: whatever the order, the WebSocket gets each message once, those of a publisher in
//! their order, and is told that nothing is missing. Real: the hub and its recordings, the
//! backbone's queues, `work()`, `recover()`, the replay, seat, lane and reactor. Played: the
//! engine, its network, and what `lib/topics/recovery.js` does. Runs on: threads of a model.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use loom::thread;

use super::carry::work;
use super::config::{Config, Credentials, Failure, History, Kind, Overflow};
use super::engine::{Engine, Refusal};
use super::frame::Header;
use super::history::{Asked, Kept, Place, Replay};
use super::news::{Event, News};
use super::outgoing::Waiting;
use super::shared::{Shared, State};
use super::{Backbone, Carrier};
use crate::bridge::Ring;
use crate::driver::models::{JavaScript, publisher};
use crate::driver::{Driver, Joined, Membership, Message};
use crate::sync::{Mutex, Notify, block_on, check};

const TOPIC: &str = "t";
const EPOCH: u64 = 7;
/// Bytes that a recording may hold.
const ROOM: usize = 10_000;
/// Our origin and another process's.
const OWN: u64 = 1 << 20;
const OTHER: u64 = 2 << 20;
/// What another environment publishes, and what another process does.
const LOCAL: [u8; 2] = [1, 2];
const REMOTE: u8 = 9;
const ALL: usize = LOCAL.len() + 1;

/// What the engine has of the topic, in order, and from where on it is sent here.
#[derive(Default)]
struct Log {
    frames: Vec<Bytes>,
    subscribed: Option<usize>,
}

#[derive(Default)]
struct Server {
    log: Mutex<Log>,
    changed: Notify,
}

impl Server {
    fn change(&self, act: impl FnOnce(&mut Log)) {
        act(&mut self.log.lock().unwrap());
        self.changed.notify_one();
    }

    /// The network: what was subscribed to comes in order, until all has.
    fn send_live(&self, shared: &Shared) {
        let mut next = 0;
        while next < ALL {
            let frame = {
                let log = self.log.lock().unwrap();
                next = log.subscribed.map_or(0, |from| next.max(from));
                match log.subscribed {
                    _ if next == ALL => return,
                    None => None,
                    Some(_) => log.frames.get(next).cloned(),
                }
            };
            let Some(frame) = frame else {
                block_on(self.changed.notified());
                continue;
            };
            next += 1;
            shared.receive(TOPIC, Some(place(next)), &frame);
        }
    }
}

fn place(offset: usize) -> Place {
    Place {
        epoch: EPOCH,
        offset: offset as u64,
    }
}

/// A connection to it.
struct Played(Arc<Server>);

impl Engine for Played {
    async fn connect(_: &Arc<Shared>, _: usize) -> Result<Self, Failure> {
        unreachable!("it is connected")
    }

    fn version(&self) -> &'static str {
        ""
    }

    async fn subscribe(&mut self, _: &[Arc<str>]) -> Result<Vec<Refusal>, Failure> {
        self.0.change(|log| log.subscribed = Some(log.frames.len()));
        Ok(Vec::new())
    }

    async fn unsubscribe(&mut self, _: &[Arc<str>]) -> Result<(), Failure> {
        unreachable!("the subscriber stays")
    }

    async fn publish(&mut self, batch: &[Waiting]) -> Result<Vec<Refusal>, Failure> {
        let frames = batch.iter().map(|waiting| waiting.frame.clone());
        self.0.change(|log| log.frames.extend(frames));
        Ok(Vec::new())
    }

    async fn history(&mut self, asked: &[Asked]) -> Result<Vec<Result<Kept, Failure>>, Failure> {
        let log = self.0.log.lock().unwrap();
        let kept = asked.iter().map(|Asked { since, .. }| {
            let since = since.map(|since| since.offset as usize);
            let frames = log.frames.iter().cloned().zip(1..);
            Ok(Kept {
                end: place(log.frames.len()),
                messages: since.map(|since| {
                    let behind = frames.skip(since);
                    behind.map(|(frame, offset)| (offset, frame)).collect()
                }),
            })
        });
        Ok(kept.collect())
    }

    async fn ping(&mut self) -> Result<(), Failure> {
        unreachable!("no time passes")
    }

    async fn ended(&mut self) -> Result<Failure, Failure> {
        std::future::pending().await
    }
}

struct Bell(Arc<Notify>);

impl Ring for Bell {
    fn ring(&self) {
        self.0.notify_one();
    }
}

fn config() -> Config {
    Config {
        kind: Kind::Redis,
        addresses: Vec::new(),
        shown: Vec::new(),
        credentials: Credentials::default(),
        tls: None,
        database: 0,
        prefix: String::new(),
        queue: ROOM,
        overflow: Overflow::DropNewest,
        timeout: Duration::MAX,
        history: Some(History {
            size: 100,
            ttl: Duration::MAX,
        }),
    }
}

fn message(payload: &[u8]) -> Message<'_> {
    Message {
        opcode: 2,
        compress: false,
        payload,
        mark: None,
    }
}

/// What another process publishes.
fn remote_frame() -> Bytes {
    let header = Header {
        opcode: 2,
        compress: false,
        hole: false,
        origin: OTHER,
        sequence: 1,
    };
    header.frame(&[REMOTE]).into()
}

/// A backbone whose engine is there.
fn connected(membership: &mut Membership) -> Arc<Backbone> {
    let mut made = None;
    let attached = membership.carry(|hub| {
        let shared = Arc::new(Shared::new(config(), hub, OWN));
        shared.set_state(State::Connected);
        let backbone = Arc::new(Backbone { shared });
        made = Some(Arc::clone(&backbone));
        Ok::<Arc<dyn Carrier>, Failure>(backbone)
    });
    assert!(attached.is_ok());
    made.unwrap()
}

/// `carry()`, until the subscriber has its answer and the engine all that is published here.
fn carry(shared: &Arc<Shared>, engine: &mut Played, answered: &Mutex<bool>) {
    loop {
        assert!(block_on(work(shared, engine)).is_ok());
        let has_work =
            shared.wants().has_changes() || shared.outgoing().has_work() || shared.has_recoveries();
        if has_work {
            continue;
        }
        if *answered.lock().unwrap() && shared.outgoing().has_passed(LOCAL.len() as u64) {
            return;
        }
        block_on(shared.called.notified());
    }
}

/// `Recovery._finish`.
fn finish(
    javascript: &JavaScript,
    membership: &mut Membership,
    recording: u32,
    replay: &Replay,
) -> Joined {
    let pass = |payload: &[u8]| javascript.send_byte(payload[0]);
    for note in &replay.messages {
        pass(&note.payload);
    }
    loop {
        let notes = membership.take_notes(TOPIC, recording);
        for note in notes.iter().filter(|note| !replay.has(note)) {
            pass(&note.payload);
        }
        let joined = javascript.join_recorded(membership, TOPIC, recording);
        if joined != Joined::NotYet {
            return joined;
        }
    }
}

/// Two messages are published in another thread and one in another process, while somebody
/// subscribes; `known`: this process had subscribed to the topic before.
fn nothing_is_missing_or_doubled(hub: &'static str, known: bool, preemptions: usize) {
    check(Some(preemptions), move || {
        let mut javascript = JavaScript::start(Driver::Inline);
        let mut membership = javascript.take_part(hub);
        let other = publisher(hub);
        let backbone = connected(&mut membership);
        let shared = Arc::clone(&backbone.shared);
        let server = Arc::<Server>::default();
        if known {
            let _ = membership.record(TOPIC, ROOM);
            let mut engine = Played(Arc::clone(&server));
            assert!(block_on(work(&shared, &mut engine)).is_ok());
        }

        let publishing = thread::spawn(move || {
            for byte in LOCAL {
                other.publish(TOPIC, message(&[byte]), false, &[]);
            }
        });
        let (theirs, theirs_shared) = (Arc::clone(&server), Arc::clone(&shared));
        let network = thread::spawn(move || {
            theirs.change(|log| log.frames.push(remote_frame()));
            theirs.send_live(&theirs_shared);
        });
        let answered = Arc::new(Mutex::new(false));
        let (mut engine, is_answered) = (Played(server), Arc::clone(&answered));
        let carried = Arc::clone(&shared);
        let carrying = thread::spawn(move || carry(&carried, &mut engine, &is_answered));

        let (recording, _) = membership.record(TOPIC, ROOM);
        let called = Arc::<Notify>::default();
        let news = News::new(Box::new(Bell(Arc::clone(&called))));
        backbone.recover(&news, 0, TOPIC, &place(0).to_string());
        let replay = loop {
            block_on(called.notified());
            if let Some(Event::Replayed(_, replay)) = news.take().pop() {
                break replay;
            }
        };
        *answered.lock().unwrap() = true;
        shared.called.notify_one();
        assert!(replay.complete);
        let joined = finish(&javascript, &mut membership, recording, &replay);
        assert_eq!(joined, Joined::WithAll);
        javascript.run_until(0, ALL);

        publishing.join().unwrap();
        network.join().unwrap();
        carrying.join().unwrap();
        // All has been handed out by now: nothing may come behind it.
        javascript.settle();
        let got = javascript.peer_got();
        let local: Vec<u8> = got.iter().copied().filter(|byte| *byte != REMOTE).collect();
        assert_eq!((got.len(), local.as_slice()), (ALL, &LOCAL[..]));
        drop(membership);
        javascript.end(None);
    });
}

#[test]
fn whoever_is_the_first_subscriber_gets_everything_once() {
    nothing_is_missing_or_doubled("first", false, 2);
}

#[test]
fn whoever_joins_others_gets_everything_once() {
    nothing_is_missing_or_doubled("joins", true, 2);
}
