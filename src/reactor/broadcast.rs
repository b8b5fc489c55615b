//! One message for many connections.
//!
//! Owns: [`Broadcast`]: its frame, made once, and its compressed frames, one for
//! each way in which connections without context takeover compress. A connection
//! that takes its context over compresses the payload for itself: its history is its own.
//! Called by `outbound.rs`. Runs on: whoever turns the reactor.
//! Tests: `src/reactor/tests/fan_out.rs`.

use std::sync::{Mutex, PoisonError};

use super::extract::Waiting;
use super::outgoing::FrameStart;
use super::resources::Resources;
use crate::bridge::{BackpressureOptions, Block};
use crate::protocol::{DeflateOptions, Deflater, encode_frame, encode_header};

/// A message that several connections send. Its frames are not masked.
#[derive(Debug)]
pub(crate) struct Broadcast {
    opcode: u8,
    compress: bool,
    /// It goes to the members of a topic.
    published: bool,
    /// As in [`FrameStart`].
    topic: u32,
    /// How much of its topic may wait for a peer, if that is limited.
    rule: Option<BackpressureOptions>,
    /// Header and payload.
    framed: Block,
    header: usize,
    deflated: Mutex<Vec<(DeflateOptions, Deflated)>>,
}

/// How far compressing is.
#[derive(Debug)]
enum Deflated {
    /// It takes more than a turn. Whichever connection waits for it and has its turn goes on.
    Begun {
        deflater: Deflater,
        taken: usize,
        made: Vec<u8>,
    },
    Done(Compressed),
}

/// The frame with a compressed payload.
#[derive(Clone, Debug)]
pub(crate) struct Compressed {
    pub(crate) framed: Block,
    /// Bytes by which it is shorter than the other one.
    pub(crate) saved: i64,
}

impl Broadcast {
    pub(crate) fn new(opcode: u8, compress: bool, payload: &[u8], resources: &Resources) -> Self {
        let header = encode_header(true, false, opcode, None, payload.len() as u64);
        let header = header.as_slice().len();
        let pool = resources.staging.pool();
        let mut bytes = pool.take(header + payload.len());
        encode_frame(&mut bytes, true, false, opcode, None, payload);
        Self {
            opcode,
            compress,
            published: false,
            topic: 0,
            rule: None,
            framed: Block::new(bytes, pool),
            header,
            deflated: Mutex::default(),
        }
    }

    /// The same, published to a topic.
    pub(crate) fn of_topic(self, number: u32, rule: Option<BackpressureOptions>) -> Self {
        Self {
            published: true,
            topic: number.wrapping_add(1),
            rule,
            ..self
        }
    }

    /// The same, published to a topic that is not known here.
    pub(crate) fn published(self) -> Self {
        Self {
            published: true,
            ..self
        }
    }

    /// Whether it goes to the members of a topic.
    pub(crate) fn is_published(&self) -> bool {
        self.published
    }

    /// How much of its topic may wait for a peer.
    pub(crate) fn rule(&self) -> Option<BackpressureOptions> {
        self.rule
    }

    /// The frame without compression.
    pub(crate) fn framed(&self) -> &Block {
        &self.framed
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let bytes = self.framed.as_slice();
        bytes.get(self.header..).unwrap_or_default()
    }

    /// What of it has to be known to whoever sends it without a reactor.
    pub(crate) fn to_waiting(&self) -> Waiting {
        Waiting {
            opcode: self.opcode,
            compress: self.compress,
            payload: self.payload().to_vec(),
        }
    }

    /// What a command would say of the frame.
    pub(crate) fn start(&self) -> FrameStart {
        FrameStart {
            fin: true,
            rsv1: false,
            opcode: self.opcode,
            mask: None,
            compress: self.compress,
            topic: self.topic,
        }
    }

    /// The compressed frame, or `None` after as much of the work as this turn allows.
    pub(crate) fn deflated(
        &self,
        options: DeflateOptions,
        resources: &mut Resources,
    ) -> Option<Compressed> {
        let mut all = self.deflated.lock().unwrap_or_else(PoisonError::into_inner);
        let index = all.iter().position(|(known, _)| *known == options);
        let index = index.unwrap_or_else(|| {
            let begun = Deflated::Begun {
                deflater: Deflater::new(options),
                taken: 0,
                made: Vec::new(),
            };
            all.push((options, begun));
            all.len() - 1
        });
        let (_, deflated) = all.get_mut(index)?;
        let Deflated::Begun {
            deflater,
            taken,
            made,
        } = deflated
        else {
            let Deflated::Done(compressed) = deflated else {
                return None;
            };
            return Some(compressed.clone());
        };
        loop {
            let room = resources.zlib_budget.deflate_room();
            let rest = self.payload().get(*taken..).unwrap_or_default();
            let part = rest.get(..room).unwrap_or(rest);
            if part.is_empty() && !rest.is_empty() {
                return None;
            }
            let last = part.len() == rest.len();
            deflater.deflate_part(part, last, true, made, &mut resources.zlib);
            resources.zlib_budget.deflated(part.len());
            *taken += part.len();
            if last {
                break;
            }
        }
        let compressed = self.compressed(made, resources);
        *deflated = Deflated::Done(compressed.clone());
        Some(compressed)
    }

    fn compressed(&self, made: &[u8], resources: &Resources) -> Compressed {
        let pool = resources.staging.pool();
        let mut bytes = pool.take(self.header + made.len());
        encode_frame(&mut bytes, true, true, self.opcode, None, made);
        Compressed {
            saved: self.framed.len() as i64 - bytes.len() as i64,
            framed: Block::new(bytes, pool),
        }
    }
}
