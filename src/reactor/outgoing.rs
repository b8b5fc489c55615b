//! Frames on their way out.
//!
//! Owns: what a command says about a frame. Runs on: whoever turns the reactor.

use crate::bridge::Block;
use crate::protocol::encode_header;

/// A payload on its way out.
#[derive(Debug)]
pub(crate) enum Outgoing<'a> {
    /// Bytes that are there during the call only.
    Inline(&'a [u8]),
    /// Bytes that stay.
    Block(Block),
}

impl Outgoing<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Block(block) => block.as_slice(),
        }
    }
}

/// The parts of a frame that are not its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameStart {
    pub(crate) fin: bool,
    pub(crate) rsv1: bool,
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// First frame of a message: compress the message if that was negotiated.
    pub(crate) compress: bool,
    /// Which messages it supersedes where only the latest is wanted; 0 is a topic of its own.
    pub(crate) topic: u32,
}

impl FrameStart {
    /// Whether the frame begins a data message.
    pub(crate) fn begins_message(&self) -> bool {
        self.opcode != CONTINUATION_OPCODE && !self.is_control()
    }

    /// Whether this is a control frame.
    pub(crate) fn is_control(&self) -> bool {
        self.opcode >= CLOSE_OPCODE
    }

    /// Bytes of the frame with a payload of this length, header included.
    pub(crate) fn wire_length(&self, payload: usize) -> i64 {
        let header = encode_header(true, false, 0, self.mask, payload as u64);
        (header.as_slice().len() + payload) as i64
    }
}

const CONTINUATION_OPCODE: u8 = 0;
/// The first of the control opcodes.
pub(crate) const CLOSE_OPCODE: u8 = 8;
pub(crate) const PING_OPCODE: u8 = 9;
pub(crate) const PONG_OPCODE: u8 = 10;
