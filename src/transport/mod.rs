//! The I/O workers: threads with a tokio runtime each, which own the sockets.
//!
//! ```text
//! Pool ─ Worker thread ─ tokio LocalRuntime
//!          ├ command task      empties the outbox, writes what it can at once
//!          ├ one task a connection   reads, decodes, stages events
//!          ├ one task a listener     accepts, spreads connections over the workers
//!          ├ compression task  gives back the memory of idle compressed streams
//!          └ park hook         delivers staged events, rings, says "parked"
//! ```
//!
//! All state of a worker lives in its thread ([`core::Core`]); other threads
//! reach it through the outbox only.

mod compression;
mod connection;
mod core;
mod events;
mod listener;
mod outgoing;
mod pool;
mod records;
mod settings;
mod stream;
mod takeover;
mod write_queue;

pub use listener::{Incoming, ListenOptions, Listening, bind};
pub use pool::{Pool, Worker};
pub use records::{Adoption, Control, Flushed};
pub use settings::Settings;
pub use takeover::{OwnedStream, duplicate};
