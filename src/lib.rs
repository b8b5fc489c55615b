//! The core of ferrows, a native WebSocket library for Node.js.
//!
//! | module | what it knows |
//! |---|---|
//! | [`protocol`] | bytes, frames, the upgrade: no socket, clock, runtime or JavaScript |
//! | [`bridge`] | records, batches, memory shared with a JavaScript thread: no runtime, no Node-API |
//! | `transport` | tokio workers that own the sockets and join the other two |
//!
//! The layers are kept apart by a build: without the feature `transport` only
//! the first two exist, and tokio is not even a dependency.

pub mod bridge;
pub mod protocol;
#[cfg(feature = "transport")]
pub mod transport;
