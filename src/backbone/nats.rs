//! NATS, by the client `async-nats`.
//!
//! Owns: [`Nats`]: one connection, a subscription and a task a topic; which subject a topic
//! is. What was asked for is done when a message to ourselves comes back: the server takes
//! everything in order. Histories are `nats_history.rs`. Called by `carry.rs`. Runs on: worker.
//! Tests: here, `__test__/backbone`.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Weak};

use async_nats::client::PublishErrorKind;
use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, ServerError, Subject, Subscriber,
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::AbortHandle;

use super::config::{Failure, Reason};
use super::engine::{Engine, Refusal};
use super::history::{Asked, Kept};
use super::nats_history::{Histories, place_of};
use super::outgoing::Waiting;
use super::shared::Shared;
use super::tls;

/// The oldest version that this is made for.
const OLDEST: (u32, u32) = (2, 9);
/// Messages of a topic that may wait for its task, which only hands them on.
const SUBSCRIPTION_CAPACITY: usize = 8192;
/// A topic's name is one token of a subject; this begins what no topic is named.
const ESCAPE: char = '%';

/// A topic's task, which ends with this, and its subscription with it.
struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A NATS.
pub(super) struct Nats {
    client: Client,
    shared: Weak<Shared>,
    prefix: String,
    version: String,
    topics: HashMap<Arc<str>, Listening>,
    events: UnboundedReceiver<Event>,
    /// Where messages to ourselves come back, and how many were sent.
    echoes: Subscriber,
    echo: Subject,
    sent: u64,
    histories: Option<Histories>,
}

impl Engine for Nats {
    async fn connect(shared: &Arc<Shared>, address: usize) -> Result<Self, Failure> {
        let config = &shared.config;
        let (sender, events) = unbounded_channel();
        let mut options = ConnectOptions::new()
            .name("ferrows")
            .connection_timeout(config.timeout)
            // It is `carry.rs` that reconnects.
            .max_reconnects(1)
            .ignore_discovered_servers()
            .skip_subject_validation(true)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .event_callback(move |event| {
                let sender = sender.clone();
                async move { drop(sender.send(event)) }
            });
        let credentials = &config.credentials;
        if let Some(token) = &credentials.token {
            options = options.token(token.clone());
        } else if credentials.username.is_some() || credentials.password.is_some() {
            let [user, password] = [&credentials.username, &credentials.password];
            options = options.user_and_password(
                user.clone().unwrap_or_default(),
                password.clone().unwrap_or_default(),
            );
        }
        if let Some(tls) = &config.tls {
            options = options
                .require_tls(true)
                .tls_client_config(tls::client_config(tls)?);
        }

        let client = options.connect(config.shown_at(address)).await?;
        let version = client.server_info().version;
        if !is_recent(&version) {
            let (major, minor) = OLDEST;
            let text = format!("version {version:?} is older than {major}.{minor}");
            return Err(Failure::new(Reason::Engine, text));
        }
        let prefix = config.prefix.clone();
        let histories = match config.history {
            None => None,
            Some(history) => {
                Some(Histories::prepare(&client, &prefix, history, config.timeout).await?)
            }
        };
        let chance = getrandom::u64().map_err(io::Error::other)?;
        let echo = Subject::from(format!("{prefix}{ESCAPE}{chance:x}"));
        let echoes = client.subscribe(echo.clone()).await.map_err(gone)?;
        Ok(Self {
            client,
            shared: Arc::downgrade(shared),
            prefix,
            version: format!("nats {version}"),
            topics: HashMap::new(),
            events,
            echoes,
            echo,
            sent: 0,
            histories,
        })
    }

    fn version(&self) -> &str {
        &self.version
    }

    async fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<Vec<Refusal>, Failure> {
        for topic in topics {
            let subject = subject_of(&self.prefix, topic);
            let messages = self.client.subscribe(subject).await.map_err(gone)?;
            let epoch = self.histories.as_ref().map(Histories::epoch);
            let listening = listen(self.shared.clone(), Arc::clone(topic), messages, epoch);
            self.topics.insert(Arc::clone(topic), listening);
        }
        self.ping().await?;
        Ok(Vec::new())
    }

    async fn unsubscribe(&mut self, topics: &[Arc<str>]) -> Result<(), Failure> {
        for topic in topics {
            self.topics.remove(topic);
        }
        Ok(())
    }

    async fn publish(&mut self, batch: &[Waiting]) -> Result<Vec<Refusal>, Failure> {
        if let Some(histories) = &self.histories {
            return histories.publish(batch).await;
        }
        let mut refusals = Vec::new();
        for (at, message) in batch.iter().enumerate() {
            let subject = subject_of(&self.prefix, &message.topic);
            let published = self.client.publish(subject, message.frame.clone()).await;
            match published.map_err(|error| (error.kind(), error)) {
                Ok(()) => {}
                Err((PublishErrorKind::MaxPayloadExceeded, _)) => {
                    refusals.push((at, too_large(message, &self.client)));
                }
                Err((PublishErrorKind::InvalidSubject, error)) => {
                    refusals.push((at, Failure::new(Reason::Refused, error.to_string())));
                }
                Err((PublishErrorKind::Send, error)) => return Err(gone(error)),
            }
        }
        self.ping().await?;
        Ok(refusals)
    }

    async fn history(&mut self, asked: &[Asked]) -> Result<Vec<Result<Kept, Failure>>, Failure> {
        match &self.histories {
            Some(histories) => histories.read(asked).await,
            None => Ok(Vec::new()),
        }
    }

    async fn ping(&mut self) -> Result<(), Failure> {
        self.sent += 1;
        let number = Bytes::copy_from_slice(&self.sent.to_le_bytes());
        let published = self.client.publish(self.echo.clone(), number.clone()).await;
        published.map_err(gone)?;
        loop {
            tokio::select! {
                biased;
                echo = self.echoes.next() => match echo {
                    Some(echo) if echo.payload == number => return Ok(()),
                    Some(_) => {}
                    None => return Err(closed()),
                },
                event = self.events.recv() => self.note(event)?,
            }
        }
    }

    async fn ended(&mut self) -> Result<Failure, Failure> {
        loop {
            match self.events.recv().await {
                Some(Event::ServerError(ServerError::Other(text))) => return Ok(refused(text)),
                event => self.note(event)?,
            }
        }
    }
}

impl Nats {
    /// Something happened while an answer was awaited.
    fn note(&self, event: Option<Event>) -> Result<(), Failure> {
        match event {
            None | Some(Event::Disconnected | Event::Closed) => Err(closed()),
            Some(Event::ServerError(ServerError::AuthorizationViolation)) => Err(Failure::new(
                Reason::Credentials,
                "it does not let us in any more",
            )),
            Some(Event::ServerError(ServerError::Other(text))) => {
                if let Some(shared) = self.shared.upgrade() {
                    shared.fail(&refused(text));
                }
                Ok(())
            }
            // What a slow task missed is seen by the numbers of what follows.
            Some(_) => Ok(()),
        }
    }
}

/// Hands on what comes of a topic.
fn listen(
    shared: Weak<Shared>,
    topic: Arc<str>,
    mut messages: Subscriber,
    epoch: Option<u64>,
) -> Listening {
    let task = tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let place = epoch.and_then(|epoch| place_of(message.headers.as_ref(), epoch));
            shared.receive(&topic, place, &message.payload);
        }
    });
    Listening(task.abort_handle())
}

/// A topic's subject: the prefix and one token, in which everything that is special in a subject,
/// or not ASCII, is escaped.
fn subject_of(prefix: &str, topic: &str) -> Subject {
    token_of(prefix, topic).into()
}

pub(super) fn token_of(prefix: &str, topic: &str) -> String {
    let mut subject = String::with_capacity(prefix.len() + topic.len());
    subject.push_str(prefix);
    for byte in topic.bytes() {
        match byte {
            b'.' | b'*' | b'>' | b'%' | b'$' => {}
            0x21..=0x7e => {
                subject.push(char::from(byte));
                continue;
            }
            _ => {}
        }
        // Writing to a String does not fail.
        let _ = write!(subject, "{ESCAPE}{byte:02x}");
    }
    subject
}

/// A message is larger than the server takes.
pub(super) fn too_large(message: &Waiting, client: &Client) -> Failure {
    let text = format!(
        "{} bytes are more than it takes, {}",
        message.frame.len(),
        client.server_info().max_payload
    );
    Failure::new(Reason::TooLarge, text)
}

fn is_recent(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

fn refused(text: String) -> Failure {
    Failure::new(Reason::Refused, text)
}

fn closed() -> Failure {
    Failure::new(Reason::Connection, "the connection was closed")
}

fn gone(error: impl std::fmt::Display) -> Failure {
    Failure::new(Reason::Connection, error.to_string())
}

impl From<async_nats::ConnectError> for Failure {
    fn from(error: async_nats::ConnectError) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                let is_tls = io
                    .get_ref()
                    .is_some_and(|inner| inner.is::<rustls::Error>());
                return Self {
                    reason: if is_tls {
                        Reason::Tls
                    } else {
                        Reason::Connection
                    },
                    errno: io.raw_os_error(),
                    text: io.to_string(),
                };
            }
            cause = inner.source();
        }
        let reason = match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                Reason::Credentials
            }
            ConnectErrorKind::TimedOut => return Self::timeout("connecting"),
            ConnectErrorKind::Tls => Reason::Tls,
            _ => Reason::Connection,
        };
        Self::new(reason, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_one_token() {
        let subject = |topic| subject_of("p.", topic).to_string();
        assert_eq!(subject("room-1/a:b"), "p.room-1/a:b");
        assert_eq!(subject("a.b*>% c$"), "p.a%2eb%2a%3e%25%20c%24");
        assert_eq!(subject("ü\n"), "p.%c3%bc%0a");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for version in ["2.9.10", "2.10.0", "3.0", "10.0.0-beta"] {
            assert!(is_recent(version), "{version}");
        }
        for version in ["2.8.4", "1.4.1", "", "x.y"] {
            assert!(!is_recent(version), "{version}");
        }
    }
}
