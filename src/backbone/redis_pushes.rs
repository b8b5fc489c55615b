//! What Redis or Valkey pushes: messages, and that a channel is not served here any more.
//!
//! Owns: [`Pushes`]; which channels somebody left on purpose. Called by the client `redis`.
//! Runs on: worker. Tests: `__test__/backbone`.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use redis::aio::{AsyncPushSender, SendError};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use super::redis_channels::Channels;
use super::redis_history::split;
use super::shared::{Shared, lock};
use crate::sync::Mutex;

/// Channels that nobody wants any more, until the engine says so, too.
pub(super) type Leaving = Arc<Mutex<HashSet<String>>>;

/// Takes what the server pushes.
#[derive(Clone)]
pub(super) struct Pushes {
    pub(super) shared: Weak<Shared>,
    pub(super) channels: Channels,
    pub(super) leaving: Leaving,
    pub(super) ended: Arc<Notify>,
}

impl AsyncPushSender for Pushes {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        match (&info.kind, info.data.as_slice()) {
            (
                PushKind::Message | PushKind::SMessage,
                [Value::BulkString(channel), Value::BulkString(payload)],
            ) => self.receive(channel, payload),
            (PushKind::SUnsubscribe, [Value::BulkString(channel), ..]) => self.note_left(channel),
            _ => {}
        }
        Ok(())
    }
}

impl Pushes {
    fn receive(&self, channel: &[u8], payload: &[u8]) {
        if let (Some(topic), Some(shared)) = (self.channels.topic(channel), self.shared.upgrade()) {
            let (place, frame) = split(payload);
            shared.receive(&topic, place, frame);
        }
    }

    /// If nobody here left, another node of the cluster has the channel from here on.
    fn note_left(&self, channel: &[u8]) {
        let name = String::from_utf8_lossy(channel);
        if !lock(&self.leaving).remove(name.as_ref()) {
            self.ended.notify_one();
        }
    }
}
