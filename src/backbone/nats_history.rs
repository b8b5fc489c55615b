//! Histories in NATS: one JetStream stream, which keeps what is published and publishes it again to
//! the subjects that subscribers know.
//!
//! Owns: that stream, and how it is written and read. Called by `nats.rs`. Runs on: worker.
//! Tests: here, `__test__/backbone/history.test.js`.
//!
//! ```text
//!  publisher ──► PREFIX%h.TOPIC ──► stream ──► PREFIXTOPIC, with `Nats-Sequence` ──► subscribers
//! ```

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::{
    CreateStreamError, GetStreamErrorKind, PublishAckFuture, PublishError, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, Republish, Stream};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt;

use super::config::{Failure, History, Reason};
use super::engine::Refusal;
use super::frame::Header;
use super::history::{Asked, Kept, Place};
use super::nats::{token_of, too_large};
use super::outgoing::Waiting;

/// The header in which the server says where a message is in the stream.
const SEQUENCE: &str = "Nats-Sequence";
/// How long the server remembers what was sent again, as it does by itself.
const DUPLICATES: Duration = Duration::from_secs(120);
/// Consumers that nobody reads any more are gone after that.
const CONSUMER: Duration = Duration::from_secs(10);
/// More messages than a backbone publishes at once.
const MOST_ACKS: usize = 4096;

/// The histories of a connection.
pub(super) struct Histories {
    jetstream: Context,
    stream: String,
    /// Before the token of a topic.
    kept: String,
    size: u64,
    epoch: u64,
}

impl Histories {
    /// Has the server keep what is published from here on.
    pub(super) async fn prepare(
        client: &Client,
        prefix: &str,
        history: History,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(timeout)
            .ack_timeout(timeout)
            .max_ack_inflight(MOST_ACKS)
            .build(client.clone());
        let wanted = config_of(prefix, history);
        let info = match jetstream.get_stream(&wanted.name).await {
            Ok(known) => {
                let known = known.cached_info().clone();
                match changed(&known.config, &wanted) {
                    None => known,
                    Some(config) => jetstream.update_stream(config).await.map_err(cannot_keep)?,
                }
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(cause)
                    if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    let made = jetstream.create_stream(&wanted).await;
                    made.map_err(cannot_keep)?.cached_info().clone()
                }
                _ => return Err(keeps_nothing(error)),
            },
        };
        let created = info.created.unix_timestamp_nanos();
        Ok(Self {
            jetstream,
            stream: wanted.name,
            kept: kept_prefix(prefix),
            size: history.size,
            // Nanoseconds since 1970 fit for some centuries.
            epoch: u64::try_from(created).unwrap_or_default(),
        })
    }

    /// Which stream it is: it has another epoch if it was made anew.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Publishes messages in order, and waits until the server keeps them.
    pub(super) async fn publish(&self, batch: &[Waiting]) -> Result<Vec<Refusal>, Failure> {
        let mut refusals = Vec::new();
        let mut sent: Vec<(usize, PublishAckFuture)> = Vec::with_capacity(batch.len());
        for (at, message) in batch.iter().enumerate() {
            let subject = token_of(&self.kept, &message.topic);
            let mut publish = PublishMessage::build().payload(message.frame.clone());
            if let Some(id) = identity(&message.frame) {
                publish = publish.message_id(id);
            }
            match self.jetstream.send_publish(subject, publish).await {
                Ok(acknowledged) => sent.push((at, acknowledged)),
                Err(error) => refusals.push((at, refusal(&error, message, &self.jetstream)?)),
            }
        }
        for (at, acknowledged) in sent {
            if let Err(error) = acknowledged.await
                && let Some(message) = batch.get(at)
            {
                refusals.push((at, refusal(&error, message, &self.jetstream)?));
            }
        }
        Ok(refusals)
    }

    /// What is kept of topics.
    pub(super) async fn read(
        &self,
        asked: &[Asked],
    ) -> Result<Vec<Result<Kept, Failure>>, Failure> {
        let stream = self.jetstream.get_stream(&self.stream).await;
        let stream = stream.map_err(keeps_nothing)?;
        let mut all = Vec::with_capacity(asked.len());
        for each in asked {
            all.push(self.read_one(&stream, each).await);
        }
        Ok(all)
    }

    async fn read_one(&self, stream: &Stream, asked: &Asked) -> Result<Kept, Failure> {
        let last = stream.cached_info().state.last_sequence;
        let mut end = Place {
            epoch: self.epoch,
            offset: last,
        };
        let since = asked.since.filter(|since| since.epoch == self.epoch);
        let Some(Place { offset, .. }) = since else {
            return Ok(Kept {
                end,
                messages: None,
            });
        };
        let subject = token_of(&self.kept, &asked.topic);
        let Some(mut messages) = self.messages_from(stream, &subject, offset.max(1)).await? else {
            return Ok(Kept {
                end,
                messages: None,
            });
        };
        end.offset = messages
            .last()
            .map_or(last, |(last_of_it, _)| (*last_of_it).max(last));
        let is_known = messages.first().is_some_and(|(first, _)| *first == offset);
        if is_known {
            // It is there itself, so what followed is, too: the oldest are dropped first.
            messages.remove(0);
        } else if offset > last || !self.lost_nothing(stream, &subject, offset).await? {
            return Ok(Kept {
                end,
                messages: None,
            });
        }
        Ok(Kept {
            end,
            messages: Some(messages),
        })
    }

    /// The messages of a subject from a place on, or `None` if some went away meanwhile.
    async fn messages_from(
        &self,
        stream: &Stream,
        subject: &str,
        from: u64,
    ) -> Result<Option<Vec<(u64, Bytes)>>, Failure> {
        let config = consumer::pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: from,
            },
            ack_policy: AckPolicy::None,
            filter_subject: subject.to_owned(),
            inactive_threshold: CONSUMER,
            memory_storage: true,
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(cannot_read)?;
        let info = consumer.cached_info();
        let pending = usize::try_from(info.num_pending).unwrap_or(usize::MAX);
        let name = info.name.clone();
        let mut found = Vec::new();
        if pending > 0 {
            let batch = consumer.fetch().max_messages(pending).messages().await;
            let mut batch = batch.map_err(cannot_read)?;
            while found.len() < pending
                && let Some(message) = batch.next().await
            {
                let message = message.map_err(cannot_read)?;
                let sequence = message.info().map_err(cannot_read)?.stream_sequence;
                found.push((sequence, message.payload.clone()));
            }
        }
        // It ends by itself if this does not arrive.
        let _ = stream.delete_consumer(&name).await;
        Ok((found.len() == pending).then_some(found))
    }

    /// Whether no message of a subject behind a place was dropped, neither by its age nor because there
    /// were too many.
    async fn lost_nothing(
        &self,
        stream: &Stream,
        subject: &str,
        offset: u64,
    ) -> Result<bool, Failure> {
        let counts = stream.info_with_subjects(subject).await;
        let mut counts = counts.map_err(cannot_read)?;
        let state = counts.info.state.clone();
        if state.last_sequence == offset {
            return Ok(true);
        }
        let mut count = 0;
        while let Some(entry) = counts.next().await {
            count += entry.map_err(cannot_read)?.1 as u64;
        }
        Ok(state.first_sequence <= offset + 1 && count < self.size)
    }
}

/// Where a message is in the stream, if it is kept.
pub(super) fn place_of(headers: Option<&HeaderMap>, epoch: u64) -> Option<Place> {
    let sequence = headers?.get(SEQUENCE)?;
    Some(Place {
        epoch,
        offset: sequence.as_str().parse().ok()?,
    })
}

fn kept_prefix(prefix: &str) -> String {
    format!("{prefix}%h.")
}

fn config_of(prefix: &str, history: History) -> stream::Config {
    let kept = format!("{}*", kept_prefix(prefix));
    // Names of streams have fewer characters than subjects.
    let name = prefix.bytes().fold(String::new(), |name, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => name + &char::from(byte).to_string(),
        _ => format!("{name}_{byte:02x}"),
    });
    stream::Config {
        name: format!("{name}_history"),
        description: Some("What servers with ferrows published to topics".into()),
        subjects: vec![kept.clone()],
        max_messages_per_subject: i64::try_from(history.size).unwrap_or(i64::MAX),
        max_age: history.ttl,
        duplicate_window: DUPLICATES.min(history.ttl),
        republish: Some(Republish {
            source: kept,
            destination: format!("{prefix}{{{{wildcard(1)}}}}"),
            headers_only: false,
        }),
        ..Default::default()
    }
}

/// What a stream should be that is there already, if it is not. Where and how it is kept is for those
/// to say who run the server.
fn changed(known: &stream::Config, wanted: &stream::Config) -> Option<stream::Config> {
    let as_wanted = known.subjects == wanted.subjects
        && known.max_messages_per_subject == wanted.max_messages_per_subject
        && known.max_age == wanted.max_age
        && known.republish == wanted.republish;
    (!as_wanted).then(|| stream::Config {
        subjects: wanted.subjects.clone(),
        max_messages_per_subject: wanted.max_messages_per_subject,
        max_age: wanted.max_age,
        duplicate_window: wanted.duplicate_window,
        republish: wanted.republish.clone(),
        ..known.clone()
    })
}

/// By what the server knows a message that comes again.
fn identity(frame: &[u8]) -> Option<String> {
    let (header, _) = Header::read(frame)?;
    let kind = if header.hole { 'h' } else { 'm' };
    Some(format!("{:x}-{:x}{kind}", header.origin, header.sequence))
}

/// Why a message was not taken. An error if it is the connection's fault.
fn refusal(
    error: &PublishError,
    message: &Waiting,
    jetstream: &Context,
) -> Result<Failure, Failure> {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Ok(too_large(message, &jetstream.client())),
        PublishErrorKind::TimedOut => Err(Failure::timeout("publishing")),
        PublishErrorKind::BrokenPipe | PublishErrorKind::StreamNotFound => {
            Err(Failure::new(Reason::Connection, error.to_string()))
        }
        _ => Ok(Failure::new(Reason::Refused, error.to_string())),
    }
}

fn cannot_keep(error: CreateStreamError) -> Failure {
    keeps_nothing(error)
}

fn keeps_nothing(error: impl std::fmt::Display) -> Failure {
    Failure::new(Reason::Engine, format!("it keeps no history: {error}"))
}

fn cannot_read(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Reason::Refused,
        format!("a history cannot be read: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: History = History {
        size: 3,
        ttl: Duration::from_secs(60),
    };

    #[test]
    fn a_stream_is_made_for_a_prefix() {
        let config = config_of("my.app-1.", HISTORY);
        assert_eq!(config.name, "my_2eapp-1_2e_history");
        assert_eq!(config.subjects, ["my.app-1.%h.*"]);
        assert_eq!(config.duplicate_window, HISTORY.ttl);
        let republish = config.republish.expect("it publishes again");
        assert_eq!(republish.destination, "my.app-1.{{wildcard(1)}}");
    }

    #[test]
    fn what_others_say_of_a_stream_stays() {
        let wanted = config_of("p.", HISTORY);
        let known = stream::Config {
            num_replicas: 3,
            ..wanted.clone()
        };
        assert_eq!(changed(&known, &wanted), None);
        let larger = config_of("p.", History { size: 9, ..HISTORY });
        let config = changed(&known, &larger).expect("it changes");
        assert_eq!(
            (config.num_replicas, config.max_messages_per_subject),
            (3, 9)
        );
    }

    #[test]
    fn a_place_is_read_from_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(place_of(Some(&headers), 7), None);
        headers.insert(SEQUENCE, "12");
        let place = Place {
            epoch: 7,
            offset: 12,
        };
        assert_eq!(place_of(Some(&headers), 7), Some(place));
        headers.insert(SEQUENCE, "x");
        assert_eq!(place_of(Some(&headers), 7), None);
        assert_eq!(place_of(None, 7), None);
    }
}
