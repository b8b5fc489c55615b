//! What a topic is called in Redis or Valkey, and which node of a cluster has it.
//!
//! Owns: [`Channels`], names; [`Slots`], nodes. Without a cluster a channel is prefix and name. In a
//! cluster channels are sharded, and all that belongs to a topic is in one slot: its name stands in
//! braces. Runs on: worker. Tests: here, `__test__/backbone/cluster.test.js`.

use std::borrow::Cow;

use crc16::{State, XMODEM};
use redis::Value;

use super::config::{Address, Failure, Reason};

/// Slots of a cluster.
const SLOTS: u16 = 16384;

/// What topics are called.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    prefix: String,
    sharded: bool,
}

impl Channels {
    pub(super) fn new(prefix: &str, sharded: bool) -> Self {
        Self {
            prefix: prefix.to_owned(),
            sharded,
        }
    }

    /// A topic's channel.
    pub(super) fn name(&self, topic: &str) -> String {
        if self.sharded {
            self.key(topic)
        } else {
            [&self.prefix, topic].concat()
        }
    }

    /// What the keys of a topic begin with.
    pub(super) fn key(&self, topic: &str) -> String {
        let topic = match self.sharded {
            // The first brace that closes would end the part that chooses the slot.
            true => Cow::Owned(topic.replace('%', "%25").replace('}', "%7D")),
            false => Cow::Borrowed(topic),
        };
        format!("{}{{{topic}}}", self.prefix)
    }

    /// A channel's topic.
    pub(super) fn topic<'a>(&self, channel: &'a [u8]) -> Option<Cow<'a, str>> {
        let name = std::str::from_utf8(channel.get(self.prefix.len()..)?).ok()?;
        if !self.sharded {
            return Some(Cow::Borrowed(name));
        }
        let name = name.strip_prefix('{')?.strip_suffix('}')?;
        if name.contains('%') {
            return Some(Cow::Owned(name.replace("%7D", "}").replace("%25", "%")));
        }
        Some(Cow::Borrowed(name))
    }

    pub(super) fn subscribe(&self) -> &'static str {
        if self.sharded {
            "SSUBSCRIBE"
        } else {
            "SUBSCRIBE"
        }
    }

    pub(super) fn unsubscribe(&self) -> &'static str {
        if self.sharded {
            "SUNSUBSCRIBE"
        } else {
            "UNSUBSCRIBE"
        }
    }

    pub(super) fn publish(&self) -> &'static str {
        if self.sharded { "SPUBLISH" } else { "PUBLISH" }
    }
}

/// Which node has which slot.
#[derive(Debug)]
pub(super) struct Slots {
    /// Where the nodes are that have any.
    pub(super) nodes: Vec<Address>,
    /// The node of each slot.
    owners: Vec<usize>,
}

impl Slots {
    /// From the answer to CLUSTER SLOTS of the node at an address.
    pub(super) fn read(answer: &Value, asked: &Address) -> Result<Self, Failure> {
        let Value::Array(ranges) = answer else {
            return Err(unexpected());
        };
        let mut nodes: Vec<Address> = Vec::new();
        let mut owners = vec![None; usize::from(SLOTS)];
        for range in ranges {
            let Value::Array(parts) = range else {
                return Err(unexpected());
            };
            let [Value::Int(from), Value::Int(to), Value::Array(master), ..] = parts.as_slice()
            else {
                return Err(unexpected());
            };
            let address = address_of(master, asked)?;
            let known = nodes.iter().position(|node| *node == address);
            let node = known.unwrap_or_else(|| {
                nodes.push(address);
                nodes.len() - 1
            });
            let range = usize::try_from(*from).ok().zip(usize::try_from(*to).ok());
            let owned = range.and_then(|(from, to)| owners.get_mut(from..=to));
            owned.ok_or_else(unexpected)?.fill(Some(node));
        }
        let owners: Option<Vec<_>> = owners.into_iter().collect();
        let owners = owners.ok_or_else(|| {
            Failure::new(Reason::Connection, "some slots of the cluster have no node")
        })?;
        Ok(Self { nodes, owners })
    }

    /// The node that has a channel or key.
    pub(super) fn node_of(&self, name: &str) -> usize {
        let slot = usize::from(slot_of(name));
        self.owners.get(slot).copied().unwrap_or(0)
    }
}

/// `[host, port, id, …]`; a host that the cluster does not know is the one that was asked.
fn address_of(node: &[Value], asked: &Address) -> Result<Address, Failure> {
    let [host, Value::Int(port), ..] = node else {
        return Err(unexpected());
    };
    let host = match host {
        Value::BulkString(host) if !host.is_empty() && host != b"?" => {
            String::from_utf8_lossy(host).into_owned()
        }
        _ => asked.host.clone(),
    };
    let port = u16::try_from(*port).map_err(|_| unexpected())?;
    Ok(Address { host, port })
}

/// What stands in the first braces chooses the slot, if there is something.
fn slot_of(name: &str) -> u16 {
    let tag = name.split_once('{').and_then(|(_, rest)| {
        let (tag, _) = rest.split_once('}')?;
        (!tag.is_empty()).then_some(tag)
    });
    State::<XMODEM>::calculate(tag.unwrap_or(name).as_bytes()) % SLOTS
}

fn unexpected() -> Failure {
    Failure::new(Reason::Engine, "its CLUSTER SLOTS is not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_prefix_and_name() {
        let channels = Channels::new("p:", false);
        assert_eq!(channels.name("a{b}%"), "p:a{b}%");
        assert_eq!(channels.key("a"), "p:{a}");
        assert_eq!(channels.topic(b"p:a{b}%").as_deref(), Some("a{b}%"));
        assert_eq!(channels.topic(b"p"), None);
        assert_eq!(channels.topic(b"p:\xff"), None);
    }

    #[test]
    fn in_a_cluster_all_that_belongs_to_a_topic_is_in_one_slot() {
        let channels = Channels::new("p:", true);
        for topic in ["a", "}", "a}b", "{", "%7D", "%", "{}", "ü}%25"] {
            let channel = channels.name(topic);
            assert_eq!(channels.topic(channel.as_bytes()).as_deref(), Some(topic));
            let key = format!("{}.history", channels.key(topic));
            assert_eq!(slot_of(&channel), slot_of(&key), "{topic}");
        }
        assert_eq!(channels.topic(b"p:a"), None);
    }

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot_of("123456789"), 0x31c3 % SLOTS);
        assert_eq!(slot_of("{user1000}.following"), slot_of("user1000"));
        assert_eq!(slot_of("foo{{bar}}zap"), slot_of("{bar"));
        assert_ne!(slot_of("foo{}{bar}"), slot_of("bar"));
    }

    fn range(from: i64, to: i64, host: &str, port: i64) -> Value {
        let node = vec![Value::BulkString(host.into()), Value::Int(port)];
        Value::Array(vec![Value::Int(from), Value::Int(to), Value::Array(node)])
    }

    #[test]
    fn nodes_are_read() {
        let asked = Address {
            host: "asked".into(),
            port: 1,
        };
        let read = |ranges: Vec<Value>| Slots::read(&Value::Array(ranges), &asked);
        let slots = read(vec![
            range(0, 5000, "a", 1),
            range(5001, 10000, "", 2),
            range(10001, 16383, "a", 1),
        ]);
        let slots = slots.expect("they are understood");
        let known: Vec<_> = slots
            .nodes
            .iter()
            .map(|node| (&*node.host, node.port))
            .collect();
        assert_eq!(known, [("a", 1), ("asked", 2)]);
        // Slots 12739 and 5061.
        assert_eq!((slots.node_of("123456789"), slots.node_of("bar")), (0, 1));

        assert_eq!(
            read(vec![range(0, 16382, "a", 1)])
                .map(|_| ())
                .unwrap_err()
                .reason,
            Reason::Connection
        );
        for strange in [
            range(0, 16384, "a", 1),
            range(-1, 5, "a", 1),
            range(0, 1, "a", -1),
            Value::Nil,
        ] {
            assert_eq!(
                read(vec![strange]).map(|_| ()).unwrap_err().reason,
                Reason::Engine
            );
        }
    }
}
