//! Redis and Valkey, alone or as a cluster.
//!
//! Owns: [`Redis`]: of each node one connection that publishes and one that is subscribed: what
//! comes waits for nothing that goes. In a cluster channels are sharded; when it changes, everything
//! begins anew. Connections are `redis_line.rs`, names and nodes `redis_channels.rs`, histories
//! `redis_history.rs`. Called by `carry.rs`. Runs on: worker. Tests: `__test__/backbone`.

use std::sync::Arc;

use futures_util::future::try_join_all;
use redis::{Cmd, Value, cmd};
use tokio::sync::Notify;

use super::config::{Failure, Reason};
use super::engine::{Engine, Refusal};
use super::history::{Asked, Kept};
use super::outgoing::Waiting;
use super::redis_channels::{Channels, Slots};
use super::redis_history::Histories;
use super::redis_line::Line;
use super::redis_pushes::{Leaving, Pushes};
use super::shared::{Shared, lock};

/// A server.
struct Node {
    publisher: Line,
    subscriber: Line,
}

/// Which of a node's connections.
#[derive(Clone, Copy)]
enum Side {
    Publisher,
    Subscriber,
}

/// A Redis.
pub(super) struct Redis {
    nodes: Vec<Node>,
    /// Which of them has what, in a cluster.
    slots: Option<Slots>,
    channels: Channels,
    leaving: Leaving,
    ended: Arc<Notify>,
    version: String,
    histories: Option<Histories>,
}

impl Engine for Redis {
    async fn connect(shared: &Arc<Shared>, address: usize) -> Result<Self, Failure> {
        let config = &shared.config;
        let place = config.addresses.get(address);
        let place = place.ok_or_else(|| Failure::new(Reason::Connection, "no such address"))?;
        let ended = Arc::<Notify>::default();
        let mut first = Line::open(config, place, None, &ended).await?;
        let introduction = first.introduce().await?;
        let slots = match introduction.is_cluster {
            false => None,
            true => {
                let mut question = cmd("CLUSTER");
                question.arg("SLOTS");
                let answers = first.answers(&[question]).await?;
                let answer = answers.into_iter().next().unwrap_or(Value::Nil);
                Some(Slots::read(&answer.extract_error()?, place)?)
            }
        };
        let pushes = Pushes {
            shared: Arc::downgrade(shared),
            channels: Channels::new(&config.prefix, introduction.is_cluster),
            leaving: Leaving::default(),
            ended: Arc::clone(&ended),
        };
        let nodes = match &slots {
            None => {
                let subscriber = Line::open(config, place, Some(pushes.clone()), &ended).await?;
                vec![Node {
                    publisher: first,
                    subscriber,
                }]
            }
            Some(slots) => {
                try_join_all(slots.nodes.iter().map(|place| async {
                    Ok::<_, Failure>(Node {
                        publisher: Line::open(config, place, None, &ended).await?,
                        subscriber: Line::open(config, place, Some(pushes.clone()), &ended).await?,
                    })
                }))
                .await?
            }
        };
        let Pushes {
            channels, leaving, ..
        } = pushes;
        let mut redis = Self {
            nodes,
            slots,
            channels,
            leaving,
            ended,
            version: introduction.version,
            histories: None,
        };
        if let Some(history) = config.history {
            let lines = redis.nodes.iter_mut().map(|node| &mut node.subscriber);
            let lines: Vec<_> = lines.collect();
            redis.histories =
                Some(Histories::prepare(history, redis.channels.clone(), lines).await?);
        }
        Ok(redis)
    }

    fn version(&self) -> &str {
        &self.version
    }

    async fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<Vec<Refusal>, Failure> {
        // A command for each channel: the client expects one answer to one command.
        let name = self.channels.subscribe();
        let commands = topics.iter().map(|topic| self.about(name, topic));
        let commands = commands.collect();
        self.run(Side::Subscriber, commands).await
    }

    async fn unsubscribe(&mut self, topics: &[Arc<str>]) -> Result<(), Failure> {
        if self.slots.is_some() {
            let channels = topics.iter().map(|topic| self.channels.name(topic));
            lock(&self.leaving).extend(channels);
        }
        let name = self.channels.unsubscribe();
        let commands = topics.iter().map(|topic| self.about(name, topic));
        let commands = commands.collect();
        self.run(Side::Subscriber, commands).await.map(|_| ())
    }

    async fn publish(&mut self, batch: &[Waiting]) -> Result<Vec<Refusal>, Failure> {
        let commands = batch.iter().map(|message| match &self.histories {
            Some(histories) => {
                let command = histories.publish(&message.topic, &message.frame);
                (self.node_of(&message.topic), command)
            }
            None => {
                let (node, mut command) = self.about(self.channels.publish(), &message.topic);
                command.arg(&*message.frame);
                (node, command)
            }
        });
        let commands = commands.collect();
        self.run(Side::Publisher, commands).await
    }

    async fn history(&mut self, asked: &[Asked]) -> Result<Vec<Result<Kept, Failure>>, Failure> {
        let Some(histories) = &self.histories else {
            return Ok(Vec::new());
        };
        let mut all = Vec::with_capacity(asked.len());
        let commands = asked
            .iter()
            .map(|asked| (self.node_of(&asked.topic), histories.read(asked)));
        let groups = self.grouped(commands.collect());
        // Where pushes come: what was published before is with us when the answer is.
        let lines = self.nodes.iter_mut().map(|node| &mut node.subscriber);
        for (line, (places, commands)) in lines.zip(groups) {
            if !commands.is_empty() {
                all.extend(places.into_iter().zip(line.answers(&commands).await?));
            }
        }
        all.sort_unstable_by_key(|(place, _)| *place);
        let kept = asked.iter().zip(all).map(|(asked, (_, answer))| {
            let answer = answer.extract_error().map_err(Failure::from)?;
            histories.kept(asked, answer)
        });
        Ok(kept.collect())
    }

    async fn ping(&mut self) -> Result<(), Failure> {
        let ping = [cmd("PING")];
        for Node {
            publisher,
            subscriber,
        } in &mut self.nodes
        {
            publisher.run(&ping).await?;
            subscriber.run(&ping).await?;
        }
        Ok(())
    }

    async fn ended(&mut self) -> Result<Failure, Failure> {
        self.ended.notified().await;
        let text = match self.slots {
            None => "the connection was closed",
            Some(_) => "a connection was closed, or the cluster has changed",
        };
        Err(Failure::new(Reason::Connection, text))
    }
}

impl Redis {
    fn node_of(&self, topic: &str) -> usize {
        let slots = self.slots.as_ref();
        slots.map_or(0, |slots| slots.node_of(&self.channels.name(topic)))
    }

    /// A command about a topic's channel, and for which node it is.
    fn about(&self, name: &str, topic: &str) -> (usize, Cmd) {
        let mut command = cmd(name);
        command.arg(self.channels.name(topic));
        (self.node_of(topic), command)
    }

    /// Commands by node, with their places.
    fn grouped(&self, commands: Vec<(usize, Cmd)>) -> Vec<(Vec<usize>, Vec<Cmd>)> {
        let mut groups = vec![<(Vec<_>, Vec<_>)>::default(); self.nodes.len()];
        for (place, (node, command)) in commands.into_iter().enumerate() {
            if let Some((places, commands)) = groups.get_mut(node) {
                places.push(place);
                commands.push(command);
            }
        }
        groups
    }

    /// Runs commands, each on its node. Those that were refused.
    async fn run(
        &mut self,
        side: Side,
        commands: Vec<(usize, Cmd)>,
    ) -> Result<Vec<Refusal>, Failure> {
        let groups = self.grouped(commands);
        let busy = self.nodes.iter_mut().zip(groups);
        let running = busy.filter(|(_, (places, _))| !places.is_empty());
        let all = try_join_all(running.map(|(node, (places, commands))| async move {
            let line = match side {
                Side::Publisher => &mut node.publisher,
                Side::Subscriber => &mut node.subscriber,
            };
            let refusals = line.run(&commands).await?;
            let placed = refusals.into_iter().filter_map(|(at, failure)| {
                let place = places.get(at)?;
                Some((*place, failure))
            });
            Ok::<_, Failure>(placed.collect::<Vec<_>>())
        }))
        .await?;
        Ok(all.into_iter().flatten().collect())
    }
}
