//! What the user wants of a backbone, as JavaScript has read it.
//!
//! Owns: [`Config`] and its parts, [`Failure`]. Runs on: any. INVARIANT: neither `Debug`
//! nor a failure shows a credential. Tests: here.

use std::fmt;
use std::time::Duration;

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NATS.
    Nats,
    /// Redis or Valkey.
    Redis,
}

/// Where an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Who we are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// What NATS takes instead of both.
    pub token: Option<String>,
}

/// How to speak TLS, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of those who may vouch for the engine.
    pub authorities: String,
    /// Our certificate.
    pub certificate: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// Whose certificate is expected, if it is not the address's.
    pub server_name: Option<String>,
}

/// What becomes of a message that the queue has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is dropped.
    DropNewest,
    /// As many of those that wait are dropped.
    DropOldest,
}

/// What the engine keeps of each topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// So many messages.
    pub size: u64,
    /// For so long.
    pub ttl: Duration,
}

/// A backbone.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Which engine.
    pub kind: Kind,
    /// Where it is; one is tried after the other.
    pub addresses: Vec<Address>,
    /// As users write it, without credentials, for each address.
    pub shown: Vec<String>,
    /// Who we are.
    pub credentials: Credentials,
    /// Encrypted if there is something.
    pub tls: Option<Tls>,
    /// The number of a database of Redis.
    pub database: i64,
    /// Before the name of each topic.
    pub prefix: String,
    /// How many bytes may wait for the engine.
    pub queue: usize,
    /// What becomes of more.
    pub overflow: Overflow,
    /// How long an engine may take to answer.
    pub timeout: Duration,
    /// What it keeps, if anything.
    pub history: Option<History>,
}

impl Config {
    /// An address as errors name it.
    pub(super) fn shown_at(&self, index: usize) -> &str {
        self.shown.get(index).map_or("", String::as_str)
    }

    /// A text without what is nobody's business.
    fn scrub(&self, text: &str) -> String {
        let Credentials {
            password, token, ..
        } = &self.credentials;
        let mut scrubbed = text.to_owned();
        for secret in [password, token].into_iter().flatten() {
            if !secret.is_empty() {
                scrubbed = scrubbed.replace(secret.as_str(), "***");
            }
        }
        scrubbed
    }

    /// What a failure at an address is told as.
    pub(super) fn tell(&self, index: usize, failure: &Failure) -> Told {
        Told {
            reason: failure.reason,
            errno: failure.errno.unwrap_or(0),
            text: self.scrub(&failure.text),
            address: self.shown_at(index).to_owned(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("shown", &self.shown)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The network's, or the engine went away.
    Connection,
    /// There was no answer in time.
    Timeout,
    /// The engine does not know us.
    Credentials,
    /// It may be somebody else, or TLS was set up badly.
    Tls,
    /// It is too old, or no such engine.
    Engine,
    /// It does not let us do that.
    Refused,
    /// A message is larger than it takes.
    TooLarge,
    /// Somebody else's bytes came on a channel of ours.
    Foreign,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// The operating system's number.
    pub(super) errno: Option<i32>,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            errno: None,
            text: text.into(),
        }
    }

    pub(super) fn timeout(what: &str) -> Self {
        Self::new(Reason::Timeout, format!("{what} timed out"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // What TLS finds comes as an I/O error, too.
        let is_tls = error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>());
        Self {
            reason: if is_tls {
                Reason::Tls
            } else {
                Reason::Connection
            },
            errno: error.raw_os_error(),
            text: error.to_string(),
        }
    }
}

/// A failure as JavaScript hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What kind it is.
    pub reason: Reason,
    /// The operating system's number, 0 without one.
    pub errno: i32,
    /// What happened.
    pub text: String,
    /// Where.
    pub address: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_shown_nowhere() {
        let config = Config {
            kind: Kind::Redis,
            addresses: Vec::new(),
            shown: vec!["redis://localhost:6379".into()],
            credentials: Credentials {
                username: Some("alice".into()),
                password: Some("s3cret".into()),
                token: Some("t0ken".into()),
            },
            tls: None,
            database: 0,
            prefix: String::new(),
            queue: 0,
            overflow: Overflow::DropOldest,
            timeout: Duration::ZERO,
            history: None,
        };
        let failure = Failure::new(Reason::Credentials, "no s3cret, no t0ken");
        let told = config.tell(0, &failure);
        assert_eq!(told.text, "no ***, no ***");
        assert_eq!(told.address, "redis://localhost:6379");
        let shown = format!("{config:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"));
    }
}
