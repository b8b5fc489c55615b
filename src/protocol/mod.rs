//! The WebSocket protocol (RFC 6455) without any I/O.
//!
//! Bytes go in, events come out: a [`Decoder`] per connection is fed with what
//! the socket gave ([`Decoder::handle_input`]) and calls an [`EventSink`];
//! [`encode_frame`] and [`encode_header`] write frames; [`upgrade`] reads the
//! HTTP head that comes before. No clock, no socket, no runtime: whoever drives
//! this owns all of them.
//!
//! ```text
//!  socket bytes ─► upgrade::HeadParser ─► (handshake policy, elsewhere)
//!  socket bytes ─► Decoder ─► EventSink: message · ping · pong · close · violation
//!                     │ frame::header   two bytes, length, mask: rows 1-9, 11
//!                     │ mask, utf8      while bytes are copied or in place
//!                     ├ message         one growing block per partial message
//!                     └ deflate         what a compressed frame contains
//!  payload ─► (Deflater) ─► encode_frame / encode_header ─► socket bytes
//! ```
//!
//! # Vocabulary
//! A *frame* is RFC 6455's; a *message* is one or several data frames; a
//! *block* is the memory of one message, lent by the sink. Wire vocabulary
//! ([`OpCode`], [`CloseCode`]) is tungstenite's.
//!
//! # Invariants
//! - Peer input never panics and never allocates from an announced length: a
//!   block grows with the bytes that have arrived.
//! - A decoder between messages owns no heap memory.
//! - The same bytes give the same events, however they are cut into inputs
//!   (except for the limit on the number of inputs held, which is about cuts).
//! - After a close frame or a violation every byte is swallowed.

mod close;
mod config;
mod decoder;
mod deflate;
mod frame;
mod mask;
mod message;
mod sink;
mod spare;
pub mod upgrade;
mod utf8;
mod violation;

pub use close::{encode_close_payload, is_valid_close_code};
pub use config::{Config, INLINE_LIMIT, Role};
pub use decoder::{Decoder, Progress};
pub use deflate::{Compression, DeflateOptions, Deflater, InflateOptions, Inflater, ZlibPool};
pub use frame::{EncodedHeader, MAX_HEADER_SIZE, encode_frame, encode_header};
pub use mask::{MaskSource, apply_mask, copy_masked};
pub use sink::{EventSink, Payload};
pub use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
pub use utf8::{Utf8Validator, is_valid as is_utf8};
pub use violation::{InflateFault, Violation};
pub use zlib_rs::Inflate;
