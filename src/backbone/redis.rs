//! Redis and Valkey, by the client `redis`.
//!
//! Owns: [`Redis`]: one connection that publishes and one that is subscribed, each speaking
//! RESP3: pushes take the place of no answer, and what comes waits for nothing that goes.
//! Histories are `redis_history.rs`. Called by `carry.rs`. Runs on: worker.
//! Tests: `__test__/backbone`.

use std::sync::{Arc, Weak};

use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, ServerErrorKind, Value, cmd,
};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::config::{Failure, Reason};
use super::engine::{self, Engine, Refusal};
use super::history::{Asked, Kept};
use super::outgoing::Waiting;
use super::redis_history::{Histories, split};
use super::shared::Shared;

/// The oldest version that this is made for.
const OLDEST: u32 = 7;

/// One connection, which ends with this.
pub(super) struct Line {
    connection: MultiplexedConnection,
    driver: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A Redis.
pub(super) struct Redis {
    publisher: Line,
    subscriber: Line,
    ended: Arc<Notify>,
    prefix: String,
    version: String,
    histories: Option<Histories>,
}

/// Takes what the server pushes.
struct Pushes {
    shared: Weak<Shared>,
    prefix: usize,
}

impl AsyncPushSender for Pushes {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        let (PushKind::Message, [Value::BulkString(channel), Value::BulkString(payload)]) =
            (&info.kind, info.data.as_slice())
        else {
            return Ok(());
        };
        let topic = channel.get(self.prefix..).map(std::str::from_utf8);
        if let (Some(Ok(topic)), Some(shared)) = (topic, self.shared.upgrade()) {
            let (place, frame) = split(payload);
            shared.receive(topic, place, frame);
        }
        Ok(())
    }
}

impl Engine for Redis {
    async fn connect(shared: &Arc<Shared>, address: usize) -> Result<Self, Failure> {
        let ended = Arc::<Notify>::default();
        let prefix = shared.config.prefix.clone();
        let pushes = Pushes {
            shared: Arc::downgrade(shared),
            prefix: prefix.len(),
        };
        let mut publisher = Line::open(shared, address, None, &ended).await?;
        let version = publisher.introduce().await?;
        let mut subscriber = Line::open(shared, address, Some(pushes), &ended).await?;
        let histories = match shared.config.history {
            None => None,
            Some(history) => Some(Histories::prepare(history, &prefix, &mut subscriber).await?),
        };
        Ok(Self {
            publisher,
            subscriber,
            ended,
            prefix,
            version,
            histories,
        })
    }

    fn version(&self) -> &str {
        &self.version
    }

    async fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<Vec<Refusal>, Failure> {
        // A command for each channel: the client expects one answer to one command.
        let commands = topics.iter().map(|topic| self.command("SUBSCRIBE", topic));
        let commands: Vec<_> = commands.collect();
        self.subscriber.run(&commands).await
    }

    async fn unsubscribe(&mut self, topics: &[Arc<str>]) -> Result<(), Failure> {
        let commands = topics
            .iter()
            .map(|topic| self.command("UNSUBSCRIBE", topic));
        let commands: Vec<_> = commands.collect();
        self.subscriber.run(&commands).await.map(|_| ())
    }

    async fn publish(&mut self, batch: &[Waiting]) -> Result<Vec<Refusal>, Failure> {
        let commands = batch.iter().map(|message| match &self.histories {
            Some(histories) => histories.publish(&message.topic, &message.frame),
            None => {
                let mut command = self.command("PUBLISH", &message.topic);
                command.arg(&*message.frame);
                command
            }
        });
        let commands: Vec<_> = commands.collect();
        self.publisher.run(&commands).await
    }

    async fn history(&mut self, asked: &[Asked]) -> Result<Vec<Result<Kept, Failure>>, Failure> {
        let Some(histories) = &self.histories else {
            return Ok(Vec::new());
        };
        let commands: Vec<_> = asked.iter().map(|asked| histories.read(asked)).collect();
        // Where pushes come: what was published before is with us when the answer is.
        let answers = self.subscriber.answers(&commands).await?;
        let kept = asked.iter().zip(answers).map(|(asked, answer)| {
            let answer = answer.extract_error().map_err(Failure::from)?;
            histories.kept(asked, answer)
        });
        Ok(kept.collect())
    }

    async fn ping(&mut self) -> Result<(), Failure> {
        let ping = [cmd("PING")];
        self.publisher.run(&ping).await?;
        self.subscriber.run(&ping).await.map(|_| ())
    }

    async fn ended(&mut self) -> Result<Failure, Failure> {
        self.ended.notified().await;
        Err(Failure::new(
            Reason::Connection,
            "the connection was closed",
        ))
    }
}

impl Redis {
    fn command(&self, name: &str, topic: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg([&self.prefix, topic].concat());
        command
    }
}

impl Line {
    async fn open(
        shared: &Arc<Shared>,
        address: usize,
        pushes: Option<Pushes>,
        ended: &Arc<Notify>,
    ) -> Result<Self, Failure> {
        let config = &shared.config;
        let place = config.addresses.get(address);
        let place = place.ok_or_else(|| Failure::new(Reason::Connection, "no such address"))?;
        let stream = engine::connect(config, place).await?;

        let mut login = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_db(config.database)
            .set_lib_name("ferrows", env!("CARGO_PKG_VERSION"));
        if let Some(username) = &config.credentials.username {
            login = login.set_username(username);
        }
        if let Some(password) = &config.credentials.password {
            login = login.set_password(password);
        }
        let mut options = AsyncConnectionConfig::new().set_response_timeout(None);
        if let Some(pushes) = pushes {
            options = options.set_push_sender(pushes);
        }
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&login, stream, options).await?;
        let ended = Arc::clone(ended);
        let driver = tokio::spawn(async move {
            driver.await;
            ended.notify_one();
        });
        Ok(Self {
            connection,
            driver: driver.abort_handle(),
        })
    }

    /// Asks for the version, and whether it is one that this is made for.
    async fn introduce(&mut self) -> Result<String, Failure> {
        let answer = self.connection.send_packed_command(&cmd("HELLO")).await?;
        let Value::Map(fields) = answer else {
            return Err(Failure::new(Reason::Engine, "it does not answer HELLO"));
        };
        let field = |name: &str| {
            fields
                .iter()
                .find_map(|(key, value)| match (text(key), text(value)) {
                    (Some(key), Some(value)) if key == name => Some(value),
                    _ => None,
                })
        };
        let version = field("version").unwrap_or_default();
        let major = version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok());
        if major.is_none_or(|major: u32| major < OLDEST) {
            let text = format!("version {version:?} is older than {OLDEST}.0");
            return Err(Failure::new(Reason::Engine, text));
        }
        Ok(format!("{} {version}", field("server").unwrap_or("redis")))
    }

    /// Runs commands at once, and waits for all answers.
    pub(super) async fn answers(&mut self, commands: &[Cmd]) -> Result<Vec<Value>, Failure> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let answers = self
            .connection
            .send_packed_commands(&pipeline, 0, commands.len())
            .await?;
        Ok(answers)
    }

    /// The same. Those that were refused.
    async fn run(&mut self, commands: &[Cmd]) -> Result<Vec<Refusal>, Failure> {
        let mut refusals = Vec::new();
        for (at, answer) in self.answers(commands).await?.into_iter().enumerate() {
            match answer.extract_error().map_err(Failure::from) {
                Ok(_) => {}
                Err(failure) if failure.reason == Reason::Connection => return Err(failure),
                Err(failure) => refusals.push((at, failure)),
            }
        }
        Ok(refusals)
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::SimpleString(text) => Some(text),
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let reason = match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => {
                Reason::Credentials
            }
            (ErrorKind::Server(ServerErrorKind::NoPerm), _) => Reason::Refused,
            // The next connection is given them again.
            (ErrorKind::Server(ServerErrorKind::NoScript), _) => Reason::Connection,
            (ErrorKind::RESP3NotSupported, _) => Reason::Engine,
            (ErrorKind::Io, _) => Reason::Connection,
            (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => Reason::Engine,
            _ => Reason::Refused,
        };
        let text = match reason {
            Reason::Engine => format!("it does not speak RESP3, as of version 6: {error}"),
            _ => error.to_string(),
        };
        Failure::new(reason, text)
    }
}
