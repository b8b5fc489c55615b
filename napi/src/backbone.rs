//! The backbone of a hub, as `lib/bridge/backbone.js` uses it.
//!
//! Owns: options and events as JavaScript has them. Runs on: js; the bell rings from any.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ferrows_core::backbone::{
    Address, Backbone, Config, Credentials, Event, History, Kind, News, Overflow, Refused, Replay,
    State, Tls, Told, code_of,
};
use ferrows_core::bridge::SlotId;
use ferrows_core::driver::{Joined, Membership, Note};
use napi::bindgen_prelude::{Buffer, Function};
use napi::{Error, Result};
use napi_derive::napi;

use crate::bridge::{Bridge, local_topic};
use crate::doorbell;

/// What the user wants, checked.
#[napi(object)]
pub struct BackboneOptions {
    /// `redis` or `nats`.
    pub engine: String,
    /// Names or IP addresses.
    pub hosts: Vec<String>,
    /// Their ports.
    pub ports: Vec<u32>,
    /// What errors call them.
    pub shown: Vec<String>,
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// What NATS takes instead.
    pub token: Option<String>,
    /// Whether to encrypt.
    pub tls: bool,
    /// Certificates of authorities, in PEM.
    pub ca: String,
    /// Our certificate.
    pub cert: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// Whose certificate is expected.
    pub servername: Option<String>,
    /// The number of a database.
    pub database: u32,
    /// Before the name of each topic.
    pub prefix: String,
    /// Bytes that may wait.
    pub max_queue: f64,
    /// Whether the oldest are dropped.
    pub drop_oldest: bool,
    /// How long the engine may take to answer, in milliseconds.
    pub timeout: u32,
    /// How many messages of a topic it keeps, if any, and for how many milliseconds.
    pub history_size: Option<u32>,
    /// The latter.
    pub history_ttl: Option<f64>,
}

impl From<BackboneOptions> for Config {
    fn from(options: BackboneOptions) -> Self {
        let places = options.hosts.into_iter().zip(options.ports);
        Self {
            kind: if options.engine == "nats" {
                Kind::Nats
            } else {
                Kind::Redis
            },
            addresses: places
                .map(|(host, port)| Address {
                    host,
                    port: port as u16,
                })
                .collect(),
            shown: options.shown,
            credentials: Credentials {
                username: options.username,
                password: options.password,
                token: options.token,
            },
            tls: options.tls.then_some(Tls {
                authorities: options.ca,
                certificate: options.cert,
                key: options.key,
                server_name: options.servername,
            }),
            database: i64::from(options.database),
            prefix: options.prefix,
            queue: options.max_queue as usize,
            overflow: if options.drop_oldest {
                Overflow::DropOldest
            } else {
                Overflow::DropNewest
            },
            timeout: Duration::from_millis(options.timeout.into()),
            history: options.history_size.map(|size| History {
                size: size.into(),
                ttl: Duration::from_millis(options.history_ttl.unwrap_or(0.0) as u64),
            }),
        }
    }
}

/// Something happened.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct BackboneEvent {
    /// `connected`, `lost`, `gap`, `dropped`, `error`, `flushed` or `replayed`.
    pub kind: &'static str,
    /// Where.
    pub address: Option<String>,
    /// What the engine is; what went wrong.
    pub text: Option<String>,
    /// The topic.
    pub topic: Option<String>,
    /// Whether the engine was away.
    pub outage: Option<bool>,
    /// The kind of an error.
    pub code: Option<u32>,
    /// The operating system's number of it, else 0.
    pub errno: Option<i32>,
    /// Of what was dropped.
    pub messages: Option<f64>,
    /// Of what was dropped.
    pub bytes: Option<f64>,
    /// Which flush, or whose replay.
    pub id: Option<u32>,
}

impl BackboneEvent {
    fn failed(kind: &'static str, told: Told) -> Self {
        Self {
            kind,
            address: Some(told.address),
            text: Some(told.text),
            code: Some(code_of(told.reason)),
            errno: Some(told.errno),
            ..Self::default()
        }
    }
}

/// A message as it was published.
#[napi(object, object_from_js = false)]
pub struct TopicMessage {
    /// Text or binary.
    pub opcode: u8,
    /// Compress it where that was negotiated.
    pub compress: bool,
    /// Its bytes.
    pub payload: Buffer,
}

impl From<Note> for TopicMessage {
    fn from(note: Note) -> Self {
        Self {
            opcode: note.opcode,
            compress: note.compress,
            payload: note.payload.into(),
        }
    }
}

/// What a subscriber missed.
#[napi]
pub struct BackboneReplay {
    replay: Arc<Replay>,
}

#[napi]
impl BackboneReplay {
    /// Whether these are all.
    #[napi(getter)]
    pub fn complete(&self) -> bool {
        self.replay.complete
    }

    /// Where the history ends with them.
    #[napi(getter)]
    pub fn position(&self) -> Option<String> {
        self.replay.end.map(|place| place.to_string())
    }

    /// The messages.
    #[napi]
    pub fn messages(&self) -> Vec<TopicMessage> {
        let notes = self.replay.messages.iter();
        notes.map(|note| note.clone().into()).collect()
    }
}

impl From<Event> for BackboneEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Connected { address, version } => Self {
                kind: "connected",
                address: Some(address),
                text: Some(version),
                ..Self::default()
            },
            Event::Lost(told) => Self::failed("lost", told),
            Event::Error(told) => Self::failed("error", told),
            Event::Gap { topic, outage } => Self {
                kind: "gap",
                topic: Some(topic.to_string()),
                outage: Some(outage),
                ..Self::default()
            },
            Event::Dropped(dropped) => Self {
                kind: "dropped",
                messages: Some(dropped.messages as f64),
                bytes: Some(dropped.bytes as f64),
                ..Self::default()
            },
            Event::Flushed(id) => Self {
                kind: "flushed",
                id: Some(id),
                ..Self::default()
            },
            Event::Replayed(id, _) => Self {
                kind: "replayed",
                id: Some(id),
                ..Self::default()
            },
        }
    }
}

/// What a backbone has done, and has to do.
#[napi(object, object_from_js = false)]
#[allow(missing_docs, reason = "named by what they count")]
pub struct BackboneCounts {
    pub state: &'static str,
    pub connects: f64,
    pub topics: f64,
    pub sent: f64,
    pub sent_bytes: f64,
    pub received: f64,
    pub received_bytes: f64,
    pub dropped: f64,
    pub dropped_bytes: f64,
    pub gaps: f64,
    pub foreign: f64,
    pub waiting: f64,
    pub waiting_bytes: f64,
    /// How long the engine took for its last answer, in microseconds.
    pub lag: f64,
}

/// One environment's hold on the backbone of a hub.
#[napi]
pub struct BackboneHandle {
    backbone: Option<Arc<Backbone>>,
    news: Arc<News>,
    /// Those that were told of and not taken.
    replays: Mutex<HashMap<u32, Arc<Replay>>>,
}

#[napi]
impl BackboneHandle {
    /// What happened, in order.
    #[napi]
    pub fn take(&self) -> Vec<BackboneEvent> {
        let events = self.news.take();
        let mut replays = self.lock_replays();
        for event in &events {
            if let Event::Replayed(id, replay) = event {
                replays.insert(*id, Arc::clone(replay));
            }
        }
        drop(replays);
        events.into_iter().map(Into::into).collect()
    }

    /// Asks for `replayed` with this number: for what was published to a topic since a position.
    #[napi]
    pub fn recover(&self, id: u32, topic: String, since: String) {
        if let Some(backbone) = &self.backbone {
            backbone.recover(&self.news, id, &topic, &since);
        }
    }

    /// The replay of which `replayed` told.
    #[napi]
    pub fn take_replay(&self, id: u32) -> Option<BackboneReplay> {
        let replay = self.lock_replays().remove(&id)?;
        Some(BackboneReplay { replay })
    }

    /// Up to where the history of a topic was delivered here.
    #[napi]
    pub fn position(&self, topic: String) -> Option<String> {
        let place = self.backbone.as_ref()?.place(&topic)?;
        Some(place.to_string())
    }

    fn lock_replays(&self) -> MutexGuard<'_, HashMap<u32, Arc<Replay>>> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for `flushed` with this number.
    #[napi]
    pub fn flush(&self, id: u32) {
        if let Some(backbone) = &self.backbone {
            backbone.flush(&self.news, id);
        }
    }

    /// Waits for what was published, at most for `limit` ms. Whether the engine has it.
    #[napi]
    pub fn flush_within(&self, limit: u32) -> bool {
        let limit = Duration::from_millis(limit.into());
        let backbone = self.backbone.as_ref();
        backbone.is_none_or(|backbone| backbone.flush_within(limit))
    }

    /// What there is to count.
    #[napi]
    pub fn counts(&self) -> Option<BackboneCounts> {
        let counts = self.backbone.as_ref()?.counts();
        Some(BackboneCounts {
            state: match counts.state {
                State::Connecting => "connecting",
                State::Connected => "connected",
                State::Lost => "lost",
                State::Closed => "closed",
            },
            connects: counts.connects as f64,
            topics: counts.topics as f64,
            sent: counts.sent as f64,
            sent_bytes: counts.sent_bytes as f64,
            received: counts.received as f64,
            received_bytes: counts.received_bytes as f64,
            dropped: counts.dropped as f64,
            dropped_bytes: counts.dropped_bytes as f64,
            gaps: counts.gaps as f64,
            foreign: counts.foreign as f64,
            waiting: counts.waiting as f64,
            waiting_bytes: counts.waiting_bytes as f64,
            lag: counts.lag as f64,
        })
    }

    fn let_go(&mut self) {
        if let Some(backbone) = self.backbone.take() {
            backbone.unlisten(&self.news);
        }
        self.news.close();
    }
}

impl Drop for BackboneHandle {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[napi]
impl Bridge {
    /// Carries the topics of a hub; `ring` is called when there are events to take.
    #[napi]
    pub fn open_backbone(
        &self,
        hub: u32,
        options: BackboneOptions,
        ring: Function<'_, (), ()>,
    ) -> Result<BackboneHandle> {
        let news = News::new(doorbell::bell(&ring, false)?);
        let attached = self.shared.fleet.hub_and_pool(hub as usize, |hub, pool| {
            Backbone::attach(hub, pool, options.into(), &news)
        });
        match attached {
            Ok(Ok(backbone)) => Ok(BackboneHandle {
                backbone: Some(backbone),
                news,
                replays: Mutex::default(),
            }),
            Ok(Err(Refused::Another)) => Err(Error::from_reason("another")),
            Ok(Err(Refused::System(error))) | Err(error) => {
                Err(Error::from_reason(error.to_string()))
            }
        }
    }

    /// This environment needs the backbone of a hub no more.
    #[napi]
    pub fn close_backbone(&self, hub: u32, handle: &mut BackboneHandle) {
        handle.let_go();
        self.shared
            .fleet
            .hub(hub as usize, |hub| hub.stop_carrying());
    }

    /// Somebody subscribes who is to be told of earlier messages first: messages are taken down, up to
    /// so many bytes. Its number, and how many are subscribed, in all threads.
    #[napi]
    pub fn record_topic(&self, hub: u32, name: String, most: f64) -> Vec<u32> {
        let record = |hub: &mut Membership| hub.record(&name, most as usize);
        let (id, count) = self
            .shared
            .fleet
            .hub(hub as usize, record)
            .unwrap_or((0, 0));
        vec![id, count]
    }

    /// What was taken down since this was asked for last, but for what a replay has.
    #[napi]
    pub fn take_recorded(
        &self,
        hub: u32,
        name: String,
        id: u32,
        replay: Option<&BackboneReplay>,
    ) -> Vec<TopicMessage> {
        let take = |hub: &mut Membership| hub.take_notes(&name, id);
        let mut notes = self
            .shared
            .fleet
            .hub(hub as usize, take)
            .unwrap_or_default();
        notes.retain(|note| replay.is_none_or(|replay| !replay.replay.has(note)));
        notes.into_iter().map(Into::into).collect()
    }

    /// The connection gets what follows from its reactor, behind what it was sent so far. 0: there is
    /// more to be taken before; 1: it does; 2: it does, and there was not enough room for all.
    #[napi]
    #[allow(
        clippy::too_many_arguments,
        reason = "a JavaScript call, all of it needed"
    )]
    pub fn join_recorded(
        &self,
        hub: u32,
        name: String,
        id: u32,
        lane: u32,
        slot: u32,
        generation: u32,
        topic: u32,
        limit: u32,
        policy: u32,
    ) -> u32 {
        let slot = SlotId { slot, generation };
        let topic = local_topic(topic, limit, policy);
        let join = |hub: &mut Membership| hub.join_recorded(&name, id, lane as usize, slot, topic);
        match self.shared.fleet.hub(hub as usize, join) {
            Some(Joined::NotYet) => 0,
            Some(Joined::WithAll) => 1,
            None | Some(Joined::WithoutSome | Joined::Gone) => 2,
        }
    }

    /// The recording ends. Returns how many are left.
    #[napi]
    pub fn stop_recording(&self, hub: u32, name: String, id: u32) -> u32 {
        let stop = |hub: &mut Membership| hub.stop_recording(&name, id);
        self.shared.fleet.hub(hub as usize, stop).unwrap_or(0)
    }
}
