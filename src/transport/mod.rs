//! The I/O workers: threads with a tokio runtime each, which own the sockets.
//!
//! ```text
//! Pool ─ Worker thread ─ tokio LocalRuntime
//!          ├ command task      empties the outbox, writes what it can at once
//!          ├ one task a connection   reads, decodes, stages events
//!          ├ one task a listener     accepts, spreads connections over the workers
//!          └ park hook         delivers staged events, rings, says "parked"
//! ```
//!
//! All state of a worker lives in its thread ([`core::Core`]); other threads
//! reach it through the outbox only.

mod connection;
mod core;
mod events;
mod listener;
mod pool;
mod records;
mod stream;
mod takeover;
mod write_queue;

pub use listener::{Incoming, ListenOptions, Listening, bind};
pub use pool::{Pool, Worker};
pub use records::{Adoption, Control, Flushed};
pub use takeover::{OwnedStream, duplicate};

use crate::bridge::layout::settings;
use crate::protocol::{Config, Role};

/// Reads a decoder's settings from the words that JavaScript wrote.
#[must_use]
pub fn config_from_words(words: [u32; settings::WORDS]) -> Config {
    let flags = words[settings::FLAGS];
    let client = flags & settings::CLIENT != 0;
    Config {
        max_payload: u64::from(words[settings::MAX_PAYLOAD]),
        max_fragments: words[settings::MAX_FRAGMENTS],
        max_buffered_chunks: words[settings::MAX_BUFFERED_CHUNKS],
        skip_utf8_validation: flags & settings::SKIP_UTF8_VALIDATION != 0,
        ..Config::new(if client { Role::Client } else { Role::Server })
    }
}
