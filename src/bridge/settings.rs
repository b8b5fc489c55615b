//! What JavaScript says about a connection when it hands it over.
//!
//! Owns: the reading of settings words ([`settings`]). Runs on: any.

use std::time::Duration;

use super::layout::{compression, policy, settings};
use crate::protocol::{Compression, Config, DeflateOptions, InflateOptions, Role};

/// The settings of a connection, both directions.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What the decoder is told.
    pub decoder: Config,
    /// How messages are compressed, if they may be.
    pub deflate: Option<DeflateOptions>,
    /// How the peer is asked whether it is there, if it is.
    pub heartbeat: Option<HeartbeatOptions>,
    /// How much is taken in a second, if there is a limit.
    pub inbound_limit: Option<InboundLimitOptions>,
    /// How much may wait for the peer, if there is a limit.
    pub backpressure: Option<BackpressureOptions>,
    /// The number of its server, 0 without one.
    pub account: u32,
}

/// How much may wait for a peer, and what becomes of more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackpressureOptions {
    /// Bytes, as they would be on the wire uncompressed.
    pub limit: u64,
    /// What becomes of a message that does not fit.
    pub policy: Policy,
}

/// What becomes of a message for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It waits, too.
    Buffer = policy::BUFFER as isize,
    /// It is dropped.
    DropNewest = policy::DROP_NEWEST as isize,
    /// What waits longest is dropped for it.
    DropOldest = policy::DROP_OLDEST as isize,
    /// What waits of its topic is dropped for it, then what waits longest.
    Latest = policy::LATEST as isize,
    /// It is dropped, as are all that follow, and JavaScript closes the connection.
    Close = policy::CLOSE as isize,
}

impl BackpressureOptions {
    /// As commands and calls have it. `None` if there is no limit.
    #[must_use]
    pub fn from_numbers(limit: u32, code: u32) -> Option<Self> {
        (limit > 0).then(|| Self {
            limit: limit.into(),
            policy: Policy::from_code(code),
        })
    }
}

impl Policy {
    /// The policy of a number in `layout::policy`.
    fn from_code(code: u32) -> Self {
        match code {
            policy::DROP_NEWEST => Self::DropNewest,
            policy::DROP_OLDEST => Self::DropOldest,
            policy::LATEST => Self::Latest,
            policy::CLOSE => Self::Close,
            _ => Self::Buffer,
        }
    }
}

/// What is taken of a peer in a second; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboundLimitOptions {
    /// Messages, pings and pongs.
    pub messages: u32,
    /// Bytes, as they are on the wire.
    pub bytes: u32,
    /// Whether a peer that sends more is left, instead of not being read for a while.
    pub closes: bool,
}

/// When a silent peer is pinged, and when it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatOptions {
    /// Silence before a ping.
    pub interval: Duration,
    /// How long the answer may take.
    pub timeout: Duration,
}

impl Settings {
    /// Reads the words that JavaScript wrote.
    #[must_use]
    pub fn from_words(words: [u32; settings::WORDS]) -> Self {
        let flags = words[settings::FLAGS];
        let packed = words[settings::COMPRESSION];
        let client = flags & settings::CLIENT != 0;
        let role = if client { Role::Client } else { Role::Server };
        let has = |bit| packed & bit != 0;
        let field = |shift| (packed >> shift & compression::FIELD) as u8;
        Self {
            decoder: Config {
                max_payload: u64::from(words[settings::MAX_PAYLOAD]),
                max_fragments: words[settings::MAX_FRAGMENTS],
                max_buffered_chunks: words[settings::MAX_BUFFERED_CHUNKS],
                skip_utf8_validation: flags & settings::SKIP_UTF8_VALIDATION != 0,
                compression: if has(compression::PASS_ON) {
                    Compression::PassOn
                } else if has(compression::ON) {
                    Compression::Inflate(InflateOptions {
                        window_bits: field(compression::INFLATE_BITS),
                        context_takeover: has(compression::INFLATE_TAKEOVER),
                    })
                } else {
                    Compression::Off
                },
                ..Config::new(role)
            },
            deflate: has(compression::ON).then(|| DeflateOptions {
                window_bits: field(compression::DEFLATE_BITS),
                context_takeover: has(compression::DEFLATE_TAKEOVER),
                level: field(compression::LEVEL) as i8 - 1,
                mem_level: field(compression::MEM_LEVEL),
                strategy: field(compression::STRATEGY),
                threshold: words[settings::THRESHOLD],
            }),
            heartbeat: (words[settings::HEARTBEAT_INTERVAL] > 0).then(|| HeartbeatOptions {
                interval: milliseconds(words[settings::HEARTBEAT_INTERVAL]),
                timeout: milliseconds(words[settings::HEARTBEAT_TIMEOUT]),
            }),
            inbound_limit: Some(InboundLimitOptions {
                messages: words[settings::INBOUND_MESSAGES],
                bytes: words[settings::INBOUND_BYTES],
                closes: flags & settings::INBOUND_CLOSES != 0,
            })
            .filter(|limit| limit.messages > 0 || limit.bytes > 0),
            backpressure: BackpressureOptions::from_numbers(
                words[settings::MAX_BACKPRESSURE],
                flags >> settings::POLICY_SHIFT & 7,
            ),
            account: words[settings::ACCOUNT],
        }
    }
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}
