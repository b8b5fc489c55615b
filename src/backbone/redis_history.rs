//! Histories in Redis: a stream for each topic, and a hash that numbers its messages.
//!
//! Owns: the scripts that publish and keep a message in one step, and that read what was kept;
//! how a message and its place come on a channel. Called by `redis.rs`. Runs on: worker.
//! Tests: here, `__test__/backbone/history.test.js`.
//!
//! ```text
//! PREFIX{TOPIC}.place    hash    "e": the epoch, 8 bytes · "n": the offset of the last message
//! PREFIX{TOPIC}.history  stream  OFFSET-0: the message as it is published without a history
//! on the channel: "fh" · epoch, 8 bytes · offset, LE, 8 bytes · the message
//! ```

use redis::{Cmd, Value, cmd};

use super::config::{Failure, History, Reason};
use super::history::{Asked, Kept, Place};
use super::redis_channels::Channels;
use super::redis_line::Line;

/// Keeps a message and publishes it.
const PUBLISH: &str = r"
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  epoch = ARGV[4]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch)
end
local offset = redis.call('HINCRBY', KEYS[1], 'n', 1)
local id = string.format('%.0f-0', offset)
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[2], id, 'm', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call(ARGV[7], ARGV[6], 'fh' .. epoch .. struct.pack('<I8', offset) .. ARGV[1])
return 1
";

/// The epoch, the offset of the last message, and the messages behind a place of that epoch.
const READ: &str = r"
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  epoch = ARGV[1]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local last = redis.call('HGET', KEYS[1], 'n') or '0'
if ARGV[3] ~= epoch then
  return {epoch, last, {}}
end
return {epoch, last, redis.call('XRANGE', KEYS[2], '(' .. ARGV[4] .. '-0', '+', 'COUNT', ARGV[5])}
";

const MAGIC: [u8; 2] = *b"fh";
/// Bytes before the message.
const PLACE: usize = 18;

/// The histories of a connection.
pub(super) struct Histories {
    channels: Channels,
    size: u64,
    /// How long a stream is kept, and the hash, in milliseconds.
    ttl: u64,
    place_ttl: u64,
    publish: String,
    read: String,
    /// What an epoch is called that begins now.
    epoch: [u8; 8],
}

impl Histories {
    /// Gives the scripts to the nodes.
    pub(super) async fn prepare(
        history: History,
        channels: Channels,
        lines: Vec<&mut Line>,
    ) -> Result<Self, Failure> {
        let mut known = None;
        for line in lines {
            known = Some(load(line).await?);
        }
        let [publish, read] = known.ok_or_else(unexpected)?;
        let chance = getrandom::u64().map_err(std::io::Error::other)?;
        let ttl = u64::try_from(history.ttl.as_millis()).unwrap_or(u64::MAX);
        Ok(Self {
            channels,
            size: history.size,
            ttl,
            // Whoever comes back in time is to find out that it missed nothing.
            place_ttl: ttl.saturating_mul(2),
            publish,
            read,
            epoch: chance.to_le_bytes(),
        })
    }

    /// The command that keeps and publishes a message.
    pub(super) fn publish(&self, topic: &str, frame: &[u8]) -> Cmd {
        let mut command = self.script(&self.publish, topic);
        command
            .arg(frame)
            .arg(self.size)
            .arg(self.ttl)
            .arg(&self.epoch)
            .arg(self.place_ttl)
            .arg(self.channels.name(topic))
            .arg(self.channels.publish());
        command
    }

    /// The command that reads.
    pub(super) fn read(&self, asked: &Asked) -> Cmd {
        let mut command = self.script(&self.read, &asked.topic);
        let (epoch, offset) = match asked.since {
            Some(Place { epoch, offset }) => (epoch.to_le_bytes().to_vec(), offset),
            None => (Vec::new(), 0),
        };
        command
            .arg(&self.epoch)
            .arg(self.place_ttl)
            .arg(epoch)
            .arg(offset)
            .arg(self.size);
        command
    }

    /// What the answer says.
    pub(super) fn kept(&self, asked: &Asked, answer: Value) -> Result<Kept, Failure> {
        let Value::Array(parts) = answer else {
            return Err(unexpected());
        };
        let [Value::BulkString(epoch), last, Value::Array(entries)] = parts.as_slice() else {
            return Err(unexpected());
        };
        let epoch: [u8; 8] = epoch.as_slice().try_into().map_err(|_| unexpected())?;
        let end = Place {
            epoch: u64::from_le_bytes(epoch),
            offset: number(last).ok_or_else(unexpected)?,
        };
        let since = asked.since.filter(|since| since.epoch == end.epoch);
        let messages = since.and_then(|since| {
            let messages: Vec<_> = entries.iter().filter_map(entry).collect();
            // Each has its number: from the next one to the last.
            let wanted = end.offset.checked_sub(since.offset)?;
            let follows = messages
                .first()
                .is_none_or(|(offset, _)| *offset == since.offset + 1);
            (messages.len() as u64 == wanted && follows).then_some(messages)
        });
        Ok(Kept { end, messages })
    }

    fn script(&self, name: &str, topic: &str) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(name).arg(2);
        let key = self.channels.key(topic);
        for part in ["place", "history"] {
            command.arg(format!("{key}.{part}"));
        }
        command
    }
}

/// Gives a node the scripts. What it calls them: all nodes the same.
async fn load(line: &mut Line) -> Result<[String; 2], Failure> {
    let scripts = [PUBLISH, READ].map(|text| {
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(text);
        load
    });
    let mut names = Vec::new();
    for answer in line.answers(&scripts).await? {
        match answer.extract_error()? {
            Value::BulkString(name) => names.push(String::from_utf8_lossy(&name).into_owned()),
            _ => return Err(unexpected()),
        }
    }
    <[String; 2]>::try_from(names).map_err(|_| unexpected())
}

/// A message as it comes on a channel: its place, if it is kept, and what was published.
pub(super) fn split(bytes: &[u8]) -> (Option<Place>, &[u8]) {
    let Some((place, frame)) = bytes.split_at_checked(PLACE) else {
        return (None, bytes);
    };
    let (Some(&MAGIC), Some(epoch), Some(offset)) = (
        place.first_chunk(),
        place.get(2..).and_then(<[u8]>::first_chunk),
        place.last_chunk(),
    ) else {
        return (None, bytes);
    };
    let place = Place {
        epoch: u64::from_le_bytes(*epoch),
        offset: u64::from_le_bytes(*offset),
    };
    (Some(place), frame)
}

/// An entry of a stream: `[id, [name, message]]`.
fn entry(value: &Value) -> Option<(u64, bytes::Bytes)> {
    let Value::Array(entry) = value else {
        return None;
    };
    let [Value::BulkString(id), Value::Array(fields)] = entry.as_slice() else {
        return None;
    };
    let [_, Value::BulkString(message)] = fields.as_slice() else {
        return None;
    };
    let id = std::str::from_utf8(id).ok()?.strip_suffix("-0")?;
    Some((id.parse().ok()?, message.clone().into()))
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

fn unexpected() -> Failure {
    Failure::new(Reason::Engine, "what it keeps of a history is not ours")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn histories() -> Histories {
        Histories {
            channels: Channels::new("p:", false),
            size: 3,
            ttl: 1000,
            place_ttl: 2000,
            publish: "one".into(),
            read: "two".into(),
            epoch: 7_u64.to_le_bytes(),
        }
    }

    fn bulk(bytes: impl Into<Vec<u8>>) -> Value {
        Value::BulkString(bytes.into())
    }

    fn answer(last: &str, offsets: &[u64]) -> Value {
        let entries = offsets.iter().map(|offset| {
            let fields = vec![bulk("m"), bulk(format!("message {offset}"))];
            Value::Array(vec![bulk(format!("{offset}-0")), Value::Array(fields)])
        });
        Value::Array(vec![
            bulk(7_u64.to_le_bytes()),
            bulk(last),
            Value::Array(entries.collect()),
        ])
    }

    fn kept(since: Option<(u64, u64)>, last: &str, offsets: &[u64]) -> Option<Vec<u64>> {
        let since = since.map(|(epoch, offset)| Place { epoch, offset });
        let topic = "t".into();
        let kept = histories().kept(&Asked { topic, since }, answer(last, offsets));
        let kept = kept.expect("an answer of ours");
        assert_eq!(kept.end.epoch, 7);
        kept.messages
            .map(|messages| messages.iter().map(|(offset, _)| *offset).collect())
    }

    #[test]
    fn messages_are_complete_or_not_there() {
        assert_eq!(kept(Some((7, 3)), "5", &[4, 5]), Some(vec![4, 5]));
        assert_eq!(kept(Some((7, 5)), "5", &[]), Some(vec![]));
        // Trimmed, expired, another epoch, a place that is yet to come, none.
        assert_eq!(kept(Some((7, 2)), "5", &[4, 5]), None);
        assert_eq!(kept(Some((7, 2)), "5", &[]), None);
        assert_eq!(kept(Some((8, 3)), "5", &[]), None);
        assert_eq!(kept(Some((7, 6)), "5", &[]), None);
        assert_eq!(kept(None, "5", &[]), None);
    }

    #[test]
    fn answers_that_are_none_are_refused() {
        let asked = Asked {
            topic: "t".into(),
            since: None,
        };
        let strange = [
            Value::Nil,
            Value::Array(vec![bulk("short"), bulk("1"), Value::Array(vec![])]),
            Value::Array(vec![bulk([0; 8]), bulk("x"), Value::Array(vec![])]),
        ];
        for answer in strange {
            assert!(histories().kept(&asked, answer).is_err());
        }
    }

    #[test]
    fn a_message_is_split_from_its_place() {
        let bytes = [
            b"fh".as_slice(),
            &7_u64.to_le_bytes(),
            &9_u64.to_le_bytes(),
            b"fw...",
        ];
        let place = Place {
            epoch: 7,
            offset: 9,
        };
        assert_eq!(split(&bytes.concat()), (Some(place), b"fw...".as_slice()));
        for plain in [b"fw and what else there is in it".as_slice(), b"fh", b""] {
            assert_eq!(split(plain), (None, plain));
        }
    }

    #[test]
    fn keys_of_a_topic_are_in_one_slot() {
        let history = histories().publish("a", b"x");
        let packed = String::from_utf8_lossy(&history.get_packed_command()).into_owned();
        assert!(packed.contains("p:{a}.place") && packed.contains("p:{a}.history"));
        assert_eq!(Duration::from_millis(histories().ttl).as_secs(), 1);
    }
}
