//! What the entries of a reactor share: memory, the way to JavaScript, limits of
//! the current turn.
//!
//! Owns: [`Resources`]. Passed to every method of a connection that may need some
//! of it. Runs on: whoever turns the reactor.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Instant;

use super::staging::Staging;
use super::tally::Tallies;
use super::write_queue::Spares;
use super::zlib_budget::ZlibBudget;
use crate::bridge::layout::TABLE_CHUNK;
use crate::bridge::{Block, Chunk, SlotId, WrittenTable, publish};
use crate::protocol::upgrade::Rules;
use crate::protocol::{MaskSource, ZlibPool};

/// Bytes that one read may return. Whole messages up to this size cost one copy.
const READ_BYTES: usize = 128 * 1024;

/// Why an entry has to be looked at again without news from the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// There may be more to read.
    Read,
    /// There is more to write, and there was room for it.
    Write,
}

#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) staging: Staging,
    pub(crate) read_buffer: Box<[MaybeUninit<u8>]>,
    pub(crate) masks: MaskSource,
    pub(crate) spares: Spares,
    /// Compressed streams that no connection uses.
    pub(crate) zlib: ZlibPool,
    /// What compression may still cost in this turn.
    pub(crate) zlib_budget: ZlibBudget,
    /// Scratch memory for a payload that is being compressed.
    pub(crate) deflated: Vec<u8>,
    /// Bytes that may still be read in this turn.
    pub(crate) read_allowance: usize,
    /// Entries to look at in the next turn.
    pub(crate) again: VecDeque<(usize, Again)>,
    /// Entries that wait for the budget.
    pub(crate) stalled: Vec<usize>,
    /// Connections that have taken what they may in a second.
    pub(crate) throttled: Vec<(usize, Instant)>,
    /// Connections with dropped messages that JavaScript has not been told of.
    pub(crate) reports: Vec<usize>,
    /// Connections that commands gave something to write.
    pub(crate) dirty: VecDeque<usize>,
    /// How many of them may still be written to in this turn.
    pub(crate) flush_allowance: usize,
    /// Connections whose compressed message takes more than their turn.
    pub(crate) long_jobs: VecDeque<usize>,
    /// Connections with something unwritten.
    pub(crate) unwritten: usize,
    /// Blocks that commands still to come will claim.
    pub(crate) blocks: VecDeque<Block>,
    /// What had to be kept last, for others that send the same.
    pub(crate) last_kept: Option<Kept>,
    pub(crate) tallies: Tallies,
    pub(crate) now: Instant,
    /// What listeners make of requests.
    pub(crate) rules: Rules,
    table: Arc<WrittenTable>,
    chunks: Vec<Arc<Chunk>>,
}

/// A payload that was written in part.
#[derive(Debug)]
pub(crate) struct Kept {
    /// What there is of it.
    pub(crate) block: Block,
    /// How long it was.
    length: usize,
    /// Where in it the block begins.
    from: usize,
}

impl Resources {
    pub(crate) fn new(staging: Staging, table: Arc<WrittenTable>, now: Instant) -> Self {
        Self {
            staging,
            read_buffer: vec![MaybeUninit::uninit(); READ_BYTES].into_boxed_slice(),
            masks: MaskSource::default(),
            spares: Spares::default(),
            zlib: ZlibPool::default(),
            zlib_budget: ZlibBudget::default(),
            deflated: Vec::new(),
            read_allowance: 0,
            again: VecDeque::new(),
            stalled: Vec::new(),
            throttled: Vec::new(),
            reports: Vec::new(),
            dirty: VecDeque::new(),
            flush_allowance: usize::MAX,
            long_jobs: VecDeque::new(),
            unwritten: 0,
            blocks: VecDeque::new(),
            last_kept: None,
            tallies: Tallies::default(),
            now,
            rules: Rules::default(),
            table,
            chunks: Vec::new(),
        }
    }

    /// Tells JavaScript how much a connection has written.
    pub(crate) fn publish_written(&mut self, id: SlotId, bytes: i64) {
        let index = id.slot as usize / TABLE_CHUNK;
        while self.chunks.len() <= index {
            let next = self.chunks.len();
            self.chunks.push(self.table.chunk(next));
        }
        let chunk = self.chunks.get(index);
        if let Some(counter) = chunk.and_then(|chunk| chunk.get(id.slot as usize % TABLE_CHUNK)) {
            publish(counter, bytes);
        }
    }

    /// A block that ends with what is left of a payload, of which so many bytes are written, and
    /// where in the block that begins. It is the last one again if that ends with the same, so that
    /// one payload for many slow connections is held, and compared, as far as it is unwritten.
    pub(crate) fn keep(&mut self, payload: &[u8], written: usize) -> (Block, usize) {
        let mut from = written / 2;
        if let Some(last) = &self.last_kept
            && last.length == payload.len()
        {
            let rest = payload.get(written..).unwrap_or_default();
            let begin = written.checked_sub(last.from);
            if let Some(begin) =
                begin.filter(|begin| last.block.as_slice().get(*begin..) == Some(rest))
            {
                return (last.block.clone(), begin);
            }
            // Systems take more of it here and less of it there.
            if begin.is_none() {
                from = 0;
            }
        }
        let block = Block::copy_of(payload.get(from..).unwrap_or_default(), self.staging.pool());
        self.last_kept = Some(Kept {
            block: block.clone(),
            length: payload.len(),
            from,
        });
        (block, written - from)
    }
}
