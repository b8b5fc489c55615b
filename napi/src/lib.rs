//! The Node-API binding: converts between JavaScript values and `ferrows-core`,
//! decides nothing. `lib/bridge.js` calls it for the workers, `lib/receiver.js` and
//! `lib/sender.js` for sockets that stay with Node.
// A test build leaves the exports out, which are all that calls these.
#![cfg_attr(test, allow(dead_code))]

mod bridge;
mod buffers;
mod codec;
mod constants;
mod doorbell;
mod headers;
