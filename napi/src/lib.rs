//! The Node-API binding: converts between JavaScript values and `ferrows-core`,
//! decides nothing. Its only caller is `lib/bridge.js`.

mod bridge;
mod buffers;
mod constants;
mod doorbell;
