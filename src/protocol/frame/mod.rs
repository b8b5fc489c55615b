//! Frames on the wire (RFC 6455 section 5.2): headers read, frames written.

mod encode;
mod header;
mod held;
mod small;

pub use encode::{EncodedHeader, encode_frame, encode_header};
pub(super) use header::{FrameHeader, Rules};
pub(super) use held::HeldHeader;
pub(super) use small::SmallMessage;

/// Most bytes that a frame header takes: 2, a 64-bit length and a mask.
pub const MAX_HEADER_SIZE: usize = 14;
