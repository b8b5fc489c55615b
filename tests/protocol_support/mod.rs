//! What the protocol tests share: a sink that writes events down, and ways to
//! feed a decoder.

#![allow(dead_code, reason = "each test binary uses its own part")]

use ferrows_core::protocol::{
    Decoder, EventSink, INLINE_LIMIT, Inflate, Payload, Violation, ZlibPool,
};

/// An event, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Message {
        binary: bool,
        payload: Vec<u8>,
        fragments: Vec<u32>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, Vec<u8>),
    Violation(Violation),
}

pub(crate) fn text(payload: impl AsRef<[u8]>) -> Event {
    Event::Message {
        binary: false,
        payload: payload.as_ref().to_vec(),
        fragments: vec![],
    }
}

pub(crate) fn binary(payload: impl AsRef<[u8]>) -> Event {
    Event::Message {
        binary: true,
        payload: payload.as_ref().to_vec(),
        fragments: vec![],
    }
}

/// Writes events down and keeps account of the memory it lends.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) events: Vec<Event>,
    /// Blocks that are out.
    lent: usize,
    /// Frames that were passed on: binary, fin, payload.
    pub(crate) deflated: Vec<(bool, bool, Vec<u8>)>,
    /// Idle streams, as a worker has them.
    pub(crate) zlib: ZlibPool,
    /// Every capacity asked for, in order.
    pub(crate) requests: Vec<usize>,
}

impl Recorder {
    /// Blocks that were lent and neither delivered nor given back.
    pub(crate) fn blocks_out(&self) -> usize {
        self.lent
    }

    fn returned(&mut self, block: &[u8]) {
        assert!(
            self.lent > 0,
            "a block that was never lent: {}",
            block.len()
        );
        self.lent -= 1;
    }
}

impl EventSink for Recorder {
    fn message(&mut self, binary: bool, payload: Payload<'_>, fragments: &[u32]) {
        match &payload {
            Payload::Borrowed(bytes) => assert!(bytes.len() <= INLINE_LIMIT),
            Payload::Owned(block) => {
                assert!(block.len() > INLINE_LIMIT);
                self.returned(block);
            }
        }
        let fragments = fragments.to_vec();
        self.events.push(Event::Message {
            binary,
            payload: payload.into_vec(),
            fragments,
        });
    }

    fn ping(&mut self, data: &[u8]) {
        self.events.push(Event::Ping(data.to_vec()));
    }

    fn pong(&mut self, data: &[u8]) {
        self.events.push(Event::Pong(data.to_vec()));
    }

    fn close(&mut self, code: u16, reason: &[u8]) {
        self.events.push(Event::Close(code, reason.to_vec()));
    }

    fn violation(&mut self, violation: Violation) {
        self.events.push(Event::Violation(violation));
    }

    fn allocate(&mut self, capacity: usize) -> Vec<u8> {
        assert!(capacity > 0);
        let block = Vec::with_capacity(capacity);
        self.requests.push(capacity);
        self.lent += 1;
        block
    }

    fn deflated_frame(&mut self, binary: bool, fin: bool, payload: Payload<'_>) {
        if let Payload::Owned(block) = &payload {
            self.returned(block);
        }
        self.deflated.push((binary, fin, payload.into_vec()));
    }

    fn take_inflate(&mut self, window_bits: u8) -> Inflate {
        self.zlib.take_inflate(window_bits)
    }

    fn give_inflate(&mut self, window_bits: u8, inflate: Inflate) {
        self.zlib.give_inflate(window_bits, inflate);
    }

    fn recycle(&mut self, block: Vec<u8>) {
        self.returned(&block);
    }
}

/// Feeds `bytes` in pieces of the given lengths, over and over. With `direct`,
/// a piece goes into the message's own block where the decoder offers it.
pub(crate) fn feed(
    decoder: &mut Decoder,
    bytes: &[u8],
    pieces: &[usize],
    direct: bool,
    sink: &mut Recorder,
) {
    let mut rest = bytes;
    for piece in pieces.iter().cycle() {
        let len = (*piece).clamp(1, rest.len().max(1)).min(rest.len());
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(len);
        rest = later;
        if direct {
            feed_direct(decoder, now, sink);
        } else {
            decoder.handle_input(&mut now.to_vec(), sink);
        }
    }
}

fn feed_direct(decoder: &mut Decoder, mut bytes: &[u8], sink: &mut Recorder) {
    while !bytes.is_empty() {
        let Some(room) = decoder.direct_buffer(sink) else {
            decoder.handle_input(&mut bytes.to_vec(), sink);
            return;
        };
        assert!(room.len() >= 16 * 1024);
        let count = room.len().min(bytes.len());
        for (room, byte) in room.iter_mut().zip(bytes) {
            room.write(*byte);
        }
        #[expect(unsafe_code, reason = "the contract of handle_direct")]
        // SAFETY: the loop above initialised the first `count` bytes of the room that
        // `direct_buffer` returned, and nothing was called in between.
        unsafe {
            decoder.handle_direct(count, sink);
        }
        bytes = &bytes[count..];
    }
}

/// Bytes written as hex, with spaces anywhere.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
