//! What a connection has yet to write.
//!
//! Owns: the segments in order and the acknowledgements that wait for them. A
//! connection has a queue only while something is unwritten; queues and their
//! buffers are recycled by the reactor. Runs on: whoever turns the reactor.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use super::network::Socket;
use crate::bridge::Block;

/// A buffer that is fuller than this is not appended to.
const BUFFER_FULL: usize = 64 * 1024;
/// Buffers with more room than this are not kept.
const BUFFER_KEPT: usize = 128 * 1024;
/// Segments that one write takes from the stack, and from the heap: the system's limit.
const SLICES: usize = 64;
const MOST_SLICES: usize = 1024;
/// Queues, and bytes of buffers, that are kept for reuse.
const POOLED_QUEUES: usize = 1024;
const POOLED_BYTES: usize = 4 << 20;

#[derive(Debug)]
enum Segment {
    Bytes(Vec<u8>),
    Block(Block),
}

impl Segment {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Block(block) => block.as_slice(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    segments: VecDeque<Segment>,
    /// Bytes of the first segment that are written.
    offset: usize,
    /// Bytes that were queued and not yet written.
    pub(crate) waiting: u64,
    /// How many waiting bytes may be left for each acknowledgement to be due, relative to
    /// the total ever queued.
    acks: VecDeque<u64>,
    /// Total bytes queued since the queue was empty.
    queued: u64,
}

/// Empty queues and buffers of a reactor.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    #[allow(clippy::vec_box, reason = "connections hold a queue as one pointer")]
    queues: Vec<Box<WriteQueue>>,
}

impl Spares {
    pub(crate) fn queue(&mut self) -> Box<WriteQueue> {
        self.queues.pop().unwrap_or_default()
    }

    pub(crate) fn give_queue(&mut self, mut queue: Box<WriteQueue>) {
        queue.clear(self);
        if self.queues.len() < POOLED_QUEUES {
            self.queues.push(queue);
        }
    }

    fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity <= BUFFER_KEPT && self.bytes + capacity <= POOLED_BYTES {
            buffer.clear();
            self.bytes += capacity;
            self.buffers.push(buffer);
        }
    }

    fn buffer(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffer.capacity();
        buffer
    }

    /// Gives back what a burst left behind: half of what is kept.
    pub(crate) fn decay(&mut self) {
        for _ in 0..self.buffers.len().div_ceil(2) {
            drop(self.buffer());
        }
        self.queues.truncate(self.queues.len() / 2);
        self.buffers.shrink_to(self.buffers.len() * 2);
        self.queues.shrink_to(self.queues.len() * 2);
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.queues.is_empty()
    }
}

impl WriteQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Lets `fill` append bytes.
    pub(crate) fn append(&mut self, spares: &mut Spares, fill: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.segments.back(), Some(Segment::Bytes(bytes)) if bytes.len() < BUFFER_FULL)
        {
            self.segments.push_back(Segment::Bytes(spares.buffer()));
        }
        if let Some(Segment::Bytes(bytes)) = self.segments.back_mut() {
            let before = bytes.len();
            fill(bytes);
            let added = (bytes.len() - before) as u64;
            self.count(added);
        }
    }

    /// Appends a block by reference.
    pub(crate) fn append_block(&mut self, block: Block) {
        let length = block.len() as u64;
        if length > 0 {
            self.segments.push_back(Segment::Block(block));
            self.count(length);
        }
    }

    /// Appends what is left of a block whose beginning is written. The queue is empty.
    pub(crate) fn append_rest(&mut self, block: Block, written: usize) {
        debug_assert!(self.segments.is_empty());
        self.count((block.len() - written) as u64);
        self.offset = written;
        self.segments.push_back(Segment::Block(block));
    }

    fn count(&mut self, length: u64) {
        self.waiting += length;
        self.queued += length;
    }

    /// Asks for an acknowledgement of everything queued so far.
    pub(crate) fn acknowledge(&mut self) {
        self.acks.push_back(self.queued);
    }

    /// Writes once. `Ok(0)` means that nothing is left.
    pub(crate) fn write(&mut self, socket: &impl Socket, spares: &mut Spares) -> io::Result<usize> {
        let written = match (self.segments.len(), self.segments.front()) {
            (_, None) => return Ok(0),
            (1, Some(only)) => {
                socket.send(only.as_slice().get(self.offset..).unwrap_or_default())?
            }
            (count, _) if count <= SLICES => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let mut used = 0;
                for (slice, bytes) in slices.iter_mut().zip(self.unwritten()) {
                    *slice = IoSlice::new(bytes);
                    used += 1;
                }
                socket.send_vectored(&slices[..used])?
            }
            _ => {
                let all = self.unwritten().map(IoSlice::new);
                let slices: Vec<IoSlice<'_>> = all.take(MOST_SLICES).collect();
                socket.send_vectored(&slices)?
            }
        };
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.advance(written, spares);
        Ok(written)
    }

    fn unwritten(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.offset;
        self.segments.iter().map(move |segment| {
            let bytes = segment.as_slice();
            bytes.get(std::mem::take(&mut skip)..).unwrap_or_default()
        })
    }

    fn advance(&mut self, written: usize, spares: &mut Spares) {
        self.waiting -= written as u64;
        let mut left = written;
        while let Some(first) = self.segments.front() {
            let remaining = first.as_slice().len() - self.offset;
            if left < remaining {
                self.offset += left;
                return;
            }
            left -= remaining;
            self.offset = 0;
            if let Some(Segment::Bytes(buffer)) = self.segments.pop_front() {
                spares.give_buffer(buffer);
            }
        }
    }

    /// How many acknowledgements came due.
    pub(crate) fn take_acks(&mut self) -> u32 {
        let written = self.queued - self.waiting;
        let mut due = 0;
        while self.acks.front().is_some_and(|at| *at <= written) {
            self.acks.pop_front();
            due += 1;
        }
        due
    }

    /// Copies what is unwritten, and returns where in it acknowledgements are due.
    pub(crate) fn copy_out(&self, out: &mut Vec<u8>) -> Vec<u64> {
        let mut skip = self.offset;
        for segment in &self.segments {
            out.extend_from_slice(segment.as_slice().get(skip..).unwrap_or_default());
            skip = 0;
        }
        let written = self.queued - self.waiting;
        self.acks.iter().map(|at| at - written).collect()
    }

    fn clear(&mut self, spares: &mut Spares) {
        while let Some(segment) = self.segments.pop_front() {
            if let Segment::Bytes(buffer) = segment {
                spares.give_buffer(buffer);
            }
        }
        self.acks.clear();
        (self.offset, self.waiting, self.queued) = (0, 0, 0);
    }
}
