//! A connection to Redis or Valkey, by the client `redis`.
//!
//! Owns: [`Line`], which speaks RESP3: pushes take the place of no answer; what the engine's
//! errors mean. Called by `redis.rs` and its kin. Runs on: worker. Tests: `__test__/backbone`.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, ProtocolVersion, RedisConnectionInfo,
    RedisError, ServerErrorKind, Value, cmd,
};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::config::{Address, Config, Failure, Reason};
use super::engine::{self, Refusal};
use super::redis_pushes::Pushes;

/// The oldest version that this is made for.
const OLDEST: u32 = 7;

/// Who answers.
pub(super) struct Introduction {
    pub(super) version: String,
    pub(super) is_cluster: bool,
}

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

impl Line {
    /// Connects, and says who we are.
    pub(super) async fn open(
        config: &Config,
        place: &Address,
        pushes: Option<Pushes>,
        ended: &Arc<Notify>,
    ) -> Result<Self, Failure> {
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

    /// Asks who it is, and whether this is made for it.
    pub(super) async fn introduce(&mut self) -> Result<Introduction, Failure> {
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
        Ok(Introduction {
            version: format!("{} {version}", field("server").unwrap_or("redis")),
            is_cluster: field("mode") == Some("cluster"),
        })
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
    pub(super) async fn run(&mut self, commands: &[Cmd]) -> Result<Vec<Refusal>, Failure> {
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
            // As is where things are now.
            (
                ErrorKind::Server(
                    ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly,
                ),
                _,
            ) => Reason::Connection,
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
