//! Where a decoder's events go and where the memory of messages comes from.
//!
//! Owns: [`EventSink`], [`Payload`]. Implemented by the worker's driver and by
//! tests. Runs on: any. A sink must not call back into the decoder.

use super::{Inflate, Violation};

/// The payload of a message.
#[derive(Debug)]
pub enum Payload<'a> {
    /// At most [`INLINE_LIMIT`](super::INLINE_LIMIT) bytes, already unmasked,
    /// valid during the call only.
    Borrowed(&'a [u8]),
    /// A block that came from [`EventSink::allocate`] and now belongs to the
    /// sink.
    Owned(Vec<u8>),
}

impl Payload<'_> {
    /// The bytes of the payload.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(block) => block,
        }
    }

    /// Takes the bytes, copying them when they are borrowed.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Borrowed(bytes) => bytes.to_vec(),
            Self::Owned(block) => block,
        }
    }
}

/// Receives what a [`Decoder`](super::Decoder) finds, in wire order.
pub trait EventSink {
    /// A complete message, unmasked; text (`binary == false`) is valid UTF-8
    /// unless validation is off.
    ///
    /// `fragments` holds the lengths of the non-empty frames of a binary message
    /// while fragments are tracked, and is empty otherwise. A frame longer than
    /// `u32::MAX` appears as several lengths.
    fn message(&mut self, binary: bool, payload: Payload<'_>, fragments: &[u32]);

    /// A ping with at most 125 bytes.
    fn ping(&mut self, data: &[u8]);

    /// A pong with at most 125 bytes.
    fn pong(&mut self, data: &[u8]);

    /// A close frame: its code, or 1005 when it had none, and its reason of at
    /// most 123 bytes. No event follows.
    fn close(&mut self, code: u16, reason: &[u8]);

    /// The peer broke the protocol or a limit. No event follows.
    fn violation(&mut self, violation: Violation);

    /// Lends message memory: an empty vector with room for `capacity` bytes or
    /// more. The first request for a message follows the bytes that arrived and
    /// may be as small as a few bytes; a pool of large blocks should leave the
    /// small requests to the ordinary allocator.
    fn allocate(&mut self, capacity: usize) -> Vec<u8>;

    /// A frame of a compressed message, unmasked, where the decoder was told to pass them on.
    /// `fin` marks the last one. Sinks of decoders that inflate never see it.
    fn deflated_frame(&mut self, binary: bool, fin: bool, payload: Payload<'_>) {
        let _ = (binary, fin);
        if let Payload::Owned(block) = payload {
            self.recycle(block);
        }
    }

    /// Whether the next event is welcome. If not, [`Decoder::handle_input`](super::Decoder::handle_input)
    /// leaves the rest of its input.
    fn goes_on(&self) -> bool {
        true
    }

    /// Bytes, in or out, that may be inflated before others get their turn. With 0 the decoder
    /// suspends itself until [`Decoder::resume`](super::Decoder::resume).
    fn inflate_room(&mut self) -> usize {
        usize::MAX
    }

    /// A step of inflating took and made so many bytes.
    fn inflated(&mut self, taken: usize, made: usize) {
        let _ = (taken, made);
    }

    /// Lends a raw inflate stream in its initial state.
    fn take_inflate(&mut self, window_bits: u8) -> Inflate {
        Inflate::new(false, window_bits)
    }

    /// Takes a stream back that [`take_inflate`](Self::take_inflate) lent for the same window.
    fn give_inflate(&mut self, window_bits: u8, inflate: Inflate) {
        let _ = (window_bits, inflate);
    }

    /// Takes back a vector that [`allocate`](Self::allocate) lent and that no
    /// message carried away. It need not be empty, and may have grown since.
    fn recycle(&mut self, block: Vec<u8>);
}
