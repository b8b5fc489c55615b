//! The inbox of a lane: batches of events on their way to JavaScript.
//!
//! Owns: [`Batch`] (filled by a worker, without a lock) and [`Inbox`] (passes
//! whole batches over and copies them out for JavaScript). Called by
//! `transport` and `napi`. Runs on: any.
//! INVARIANT: no payload is copied under the lock that the worker takes.

use std::collections::VecDeque;
use std::sync::PoisonError;

use super::block::Block;
use super::layout::{self, Head, RECORD_COST, RECORD_WORDS, event, flag};
use crate::sync::{Mutex, MutexGuard};

/// Batches kept for reuse by one inbox.
const SPARE_BATCHES: usize = 8;
/// A spare batch with more room than this is freed instead.
const SPARE_BYTES: usize = 256 * 1024;

/// Events of one worker for one environment, in order.
#[derive(Debug, Default)]
pub struct Batch {
    heads: Vec<u32>,
    bytes: Vec<u8>,
    blocks: VecDeque<Block>,
    cost: usize,
}

impl Batch {
    /// Records in this batch.
    #[must_use]
    pub fn records(&self) -> usize {
        self.heads.len() / RECORD_WORDS
    }

    /// Bytes of inline payload.
    #[must_use]
    pub fn inline_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What this batch is charged to the budget.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// Adds a record without a payload.
    pub fn push(&mut self, head: Head) {
        self.heads.extend_from_slice(&head.to_words());
        self.cost += RECORD_COST;
    }

    /// Adds a record with a payload that is copied, at most [`layout::INLINE_LIMIT`] bytes.
    pub fn push_inline(&mut self, head: Head, payload: &[u8]) {
        debug_assert!(payload.len() <= layout::INLINE_LIMIT);
        self.heads.extend_from_slice(
            &Head {
                argument: payload.len() as u32,
                ..head
            }
            .to_words(),
        );
        self.bytes.extend_from_slice(payload);
        self.cost += RECORD_COST + payload.len();
    }

    /// Adds a record whose payload is handed over.
    pub fn push_block(&mut self, head: Head, block: Block) {
        self.cost += RECORD_COST + block.len();
        self.heads.extend_from_slice(
            &Head {
                flags: head.flags | flag::BLOCK,
                ..head
            }
            .to_words(),
        );
        self.blocks.push_back(block);
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.bytes.clear();
        self.blocks.clear();
        self.cost = 0;
    }
}

/// What one call to [`Inbox::drain`] delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Records copied.
    pub records: usize,
    /// Bytes copied into the slab.
    pub bytes: usize,
    /// Whether something is left because the room ran out.
    pub more: bool,
    /// What the delivered records take off the budget.
    pub cost: usize,
}

/// Passes batches from a worker to a JavaScript thread.
#[derive(Debug, Default)]
pub struct Inbox {
    ready: Mutex<VecDeque<Batch>>,
    spare: Mutex<Vec<Batch>>,
    /// Touched by the JavaScript thread only.
    reader: Mutex<Reader>,
}

#[derive(Debug, Default)]
struct Reader {
    batch: Batch,
    head: usize,
    byte: usize,
    blocks: VecDeque<Block>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// Worker side: hands a batch over and leaves an empty one in its place.
    pub fn deliver(&self, batch: &mut Batch) {
        let spare = lock(&self.spare).pop().unwrap_or_default();
        let full = std::mem::replace(batch, spare);
        lock(&self.ready).push_back(full);
    }

    /// JavaScript side: copies records into `heads` and their inline payloads into `slab`,
    /// as many as there is room for.
    pub fn drain(&self, heads: &mut [u32], slab: &mut [u8]) -> Drained {
        let mut reader = lock(&self.reader);
        let reader = &mut *reader;
        let mut drained = Drained::default();
        loop {
            if reader.head == reader.batch.heads.len() && !self.next_batch(reader) {
                return drained;
            }
            let room = heads.len() / RECORD_WORDS - drained.records;
            let (records, bytes) = measure(reader, room, slab.len() - drained.bytes);
            let words = records * RECORD_WORDS;
            let at = drained.records * RECORD_WORDS;
            heads[at..at + words]
                .copy_from_slice(&reader.batch.heads[reader.head..reader.head + words]);
            slab[drained.bytes..drained.bytes + bytes]
                .copy_from_slice(&reader.batch.bytes[reader.byte..reader.byte + bytes]);
            drained.cost += cost_of(&heads[at..at + words]);
            reader.head += words;
            reader.byte += bytes;
            drained.records += records;
            drained.bytes += bytes;
            if reader.head < reader.batch.heads.len() {
                drained.more = true;
                return drained;
            }
        }
    }

    /// Frees batches that were kept for reuse. Whether there were any.
    pub fn decay(&self) -> bool {
        !std::mem::take(&mut *lock(&self.spare)).is_empty()
    }

    /// JavaScript side: whether [`Inbox::drain`] would find something.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let reader = lock(&self.reader);
        reader.head == reader.batch.heads.len() && lock(&self.ready).is_empty()
    }

    /// JavaScript side: the block of the next record that carries one.
    pub fn take_block(&self) -> Option<Block> {
        lock(&self.reader).blocks.pop_front()
    }

    fn next_batch(&self, reader: &mut Reader) -> bool {
        let Some(next) = lock(&self.ready).pop_front() else {
            return false;
        };
        let mut used = std::mem::replace(&mut reader.batch, next);
        (reader.head, reader.byte) = (0, 0);
        reader.blocks.append(&mut reader.batch.blocks);
        used.clear();
        if used.bytes.capacity() <= SPARE_BYTES {
            let mut spare = lock(&self.spare);
            if spare.len() < SPARE_BATCHES {
                spare.push(used);
            }
        }
        true
    }
}

fn head_at(words: &[u32], at: usize) -> Head {
    Head::from_words([words[at], words[at + 1], words[at + 2], words[at + 3]])
}

/// Whether the argument of a record counts inline payload bytes.
fn inline_length(head: Head) -> usize {
    let carries = matches!(
        head.tag,
        event::MESSAGE
            | event::FRAGMENTS
            | event::PING
            | event::PONG
            | event::CLOSE
            | event::DROPPED
            | event::PUBLISHED
    );
    if carries && !head.has(flag::BLOCK) {
        head.argument as usize
    } else {
        0
    }
}

/// How many records fit into the room, and their inline bytes.
fn measure(reader: &Reader, room: usize, slab: usize) -> (usize, usize) {
    let heads = &reader.batch.heads;
    let (mut records, mut bytes, mut at) = (0, 0, reader.head);
    while records < room && at < heads.len() {
        let length = inline_length(head_at(heads, at));
        if bytes + length > slab {
            break;
        }
        bytes += length;
        records += 1;
        at += RECORD_WORDS;
    }
    (records, bytes)
}

/// What records cost without their blocks, which are credited when they are taken.
fn cost_of(words: &[u32]) -> usize {
    (0..words.len())
        .step_by(RECORD_WORDS)
        .map(|at| RECORD_COST + inline_length(head_at(words, at)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::BlockPool;
    use std::sync::Arc;

    fn message(slot: u32) -> Head {
        Head {
            tag: event::MESSAGE,
            flags: 0,
            aux: 0,
            slot,
            generation: 1,
            argument: 0,
        }
    }

    #[test]
    fn records_come_out_in_order_whatever_the_room() {
        for room in 1..7 {
            let inbox = Inbox::default();
            let mut sent = Vec::new();
            for batch_index in 0..5_u32 {
                let mut batch = Batch::default();
                for record in 0..4_u32 {
                    let payload = vec![record as u8; (batch_index * 3 + record) as usize];
                    batch.push_inline(message(batch_index * 4 + record), &payload);
                    sent.push((batch_index * 4 + record, payload));
                }
                inbox.deliver(&mut batch);
                assert_eq!(batch.records(), 0);
            }
            let mut got = Vec::new();
            let mut heads = vec![0; room * RECORD_WORDS];
            let mut slab = vec![0; 20];
            loop {
                let drained = inbox.drain(&mut heads, &mut slab);
                let mut byte = 0;
                for index in 0..drained.records {
                    let head = head_at(&heads, index * RECORD_WORDS);
                    let end = byte + head.argument as usize;
                    got.push((head.slot, slab[byte..end].to_vec()));
                    byte = end;
                }
                assert_eq!(byte, drained.bytes);
                if drained.records == 0 && !drained.more {
                    break;
                }
            }
            assert_eq!(got, sent, "room for {room} records");
        }
    }

    #[test]
    fn a_payload_larger_than_the_slab_waits_for_a_larger_slab() {
        let inbox = Inbox::default();
        let mut batch = Batch::default();
        batch.push_inline(message(1), &[1; 30]);
        inbox.deliver(&mut batch);
        let mut heads = [0; 16];
        let stuck = inbox.drain(&mut heads, &mut [0; 29]);
        assert_eq!(
            stuck,
            Drained {
                more: true,
                ..Drained::default()
            }
        );
        assert_eq!(inbox.drain(&mut heads, &mut [0; 30]).records, 1);
    }

    #[test]
    fn costs_drained_equal_costs_charged() {
        let pool = Arc::new(BlockPool::default());
        let inbox = Inbox::default();
        let mut batch = Batch::default();
        batch.push_inline(message(1), &[1; 30]);
        batch.push(Head {
            tag: event::WRITTEN,
            argument: 4_000_000,
            ..message(1)
        });
        let block = Block::copy_of(&[9; 5000], &pool);
        batch.push_block(
            Head {
                argument: 5000,
                ..message(2)
            },
            block,
        );
        let charged = batch.cost();
        inbox.deliver(&mut batch);
        let drained = inbox.drain(&mut [0; 64], &mut [0; 64]);
        let block = inbox.take_block().expect("the record carries a block");
        assert_eq!(drained.cost + block.len(), charged);
        assert!(inbox.take_block().is_none());
    }
}
