//! The Node-API binding: converts between JavaScript values and `ferrows-core`,
//! decides nothing. Its only caller is `lib/bridge.js`.
// A test build leaves the exports out, which are all that calls these.
#![cfg_attr(test, allow(dead_code))]

mod bridge;
mod buffers;
mod constants;
mod doorbell;
