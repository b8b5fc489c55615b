//! The Node-API binding: converts between JavaScript values and `ferrows-core`,
//! decides nothing. `lib/bridge` calls it for the reactors, `lib/receiver.js` and
//! `lib/sender.js` for sockets that stay with Node.
// A test build leaves the exports out, which are all that calls these; so does, in part, Windows.
#![cfg_attr(any(test, not(unix)), allow(dead_code))]

#[cfg(unix)]
mod backbone;
#[cfg(unix)]
mod bridge;
mod buffers;
mod codec;
mod constants;
#[cfg(unix)]
mod doorbell;
#[cfg(unix)]
mod extract;
mod headers;
mod identity;
#[cfg(unix)]
mod inline;
#[cfg(unix)]
mod metrics;
#[cfg(unix)]
mod uv;
