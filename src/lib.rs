//! The core of ferrows, a native WebSocket library for Node.js.
//!
//! | module | what it knows |
//! |---|---|
//! | [`protocol`] | bytes, frames, the upgrade: no socket, clock, runtime or JavaScript |
//! | [`bridge`] | records, batches, memory shared with a JavaScript thread: no runtime, no Node-API |
//! | `reactor` | sockets and connections as plain data, turned by whoever holds it: no thread, no runtime |
//! | `driver` | who turns a reactor: the JavaScript thread or a tokio worker |
//! | `backbone` | topics across processes, carried by Redis or NATS |
//!
//! The layers are kept apart by builds: without features only the first two exist; with the
//! feature `reactor` alone tokio is not even a dependency. Where descriptors cannot be taken over
//! (Windows) there are only the first two: sockets stay with Node.

#[cfg(all(unix, feature = "backbone"))]
pub mod backbone;
pub mod bridge;
#[cfg(all(unix, feature = "driver"))]
pub mod driver;
pub mod protocol;
#[cfg(all(unix, feature = "reactor"))]
pub mod reactor;
mod sync;
