//! Large payloads: memory that Rust owns, hands to JavaScript without a copy
//! and takes back when JavaScript is done with it.
//!
//! Owns: [`BlockPool`] (free lists by size class) and [`Block`] (a filled,
//! shareable piece of it). Called by the workers and by `napi/`.
//! Runs on: any. Must never hold its lock while bytes are copied.

use std::sync::{Arc, Mutex, PoisonError};

const SMALLEST_CLASS: u32 = 14; // 16 KiB
const LARGEST_CLASS: u32 = 22; // 4 MiB
/// Requests up to this size are not pooled: a peer that trickles must not pin a class.
const SMALL: usize = 8 * 1024;
const CLASSES: usize = (LARGEST_CLASS - SMALLEST_CLASS + 1) as usize;
/// Free bytes that a pool keeps for reuse, over all classes.
const KEPT_BYTES: usize = 32 << 20;

/// Recycles the memory of large messages, so that a steady flow of them costs
/// neither page faults nor calls into the system's allocator.
#[derive(Debug, Default)]
pub struct BlockPool {
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    classes: [Vec<Vec<u8>>; CLASSES],
    bytes: usize,
}

impl BlockPool {
    /// An empty vector with room for at least `capacity` bytes.
    ///
    /// Capacities are rounded up to a power of two within the pooled range.
    #[must_use]
    pub fn take(&self, capacity: usize) -> Vec<u8> {
        let class = if capacity <= SMALL {
            None
        } else {
            class_for(capacity)
        };
        if let Some(index) = class {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(block) = free.classes[index].pop() {
                free.bytes -= block.capacity();
                return block;
            }
        }
        let rounded = class.map_or(capacity, |index| 1 << (index as u32 + SMALLEST_CLASS));
        Vec::with_capacity(rounded)
    }

    /// Gives memory back. Sizes that no class serves are freed.
    pub fn give(&self, mut block: Vec<u8>) {
        let capacity = block.capacity();
        if !capacity.is_power_of_two() || capacity < 1 << SMALLEST_CLASS {
            return;
        }
        let Some(index) = class_for(capacity) else {
            return;
        };
        block.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.bytes + capacity <= KEPT_BYTES {
            free.bytes += capacity;
            free.classes[index].push(block);
        }
    }

    /// Frees half of what is kept, the larger half of each size. Whether something is left.
    pub fn decay(&self) -> bool {
        let mut dropped = Vec::new();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let Free { classes, bytes } = &mut *free;
        for class in classes {
            let half = class.len() / 2;
            dropped.extend(class.drain(half..));
        }
        *bytes -= dropped.iter().map(Vec::capacity).sum::<usize>();
        let left = *bytes > 0;
        // The system's allocator is asked outside of the lock.
        drop(free);
        drop(dropped);
        left
    }

    /// Bytes that are free for reuse.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
    }
}

fn class_for(capacity: usize) -> Option<usize> {
    let bits = usize::BITS - capacity.saturating_sub(1).leading_zeros();
    (bits <= LARGEST_CLASS).then(|| bits.saturating_sub(SMALLEST_CLASS) as usize)
}

/// A payload that several owners may hold: the JavaScript Buffer made of it and
/// every connection that is still writing it. The last one returns the memory
/// to its pool.
///
/// While JavaScript holds a Buffer over a block, JavaScript may write to it, as
/// it may with ws, where an unmasked Buffer that is changed before it is
/// flushed changes what goes out. Rust code therefore only hands the address to
/// the operating system once a block has been exposed.
#[derive(Clone, Debug)]
pub struct Block(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: Vec<u8>,
    pool: Arc<BlockPool>,
}

impl Block {
    /// Wraps a filled vector; its memory goes to `pool` in the end.
    #[must_use]
    pub fn new(bytes: Vec<u8>, pool: &Arc<BlockPool>) -> Self {
        Self(Arc::new(Shared {
            bytes,
            pool: Arc::clone(pool),
        }))
    }

    /// How many share it.
    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// A block with a copy of `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8], pool: &Arc<BlockPool>) -> Self {
        let mut copy = pool.take(bytes.len());
        copy.extend_from_slice(bytes);
        Self::new(copy, pool)
    }

    /// The payload.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.bytes.len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.bytes.is_empty()
    }

    /// Address of the payload, which identifies the block while it lives.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.bytes.as_ptr() as usize
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_returns_to_the_pool_with_the_last_owner() {
        let pool = Arc::new(BlockPool::default());
        let block = Block::copy_of(&[7; 40_000], &pool);
        let other = block.clone();
        let address = block.address();
        drop(block);
        assert_eq!(pool.kept(), 0);
        assert_eq!(other.as_slice(), [7; 40_000]);
        drop(other);
        assert_eq!(pool.kept(), 65_536);
        let again = pool.take(50_000);
        assert_eq!(again.as_ptr() as usize, address);
        assert_eq!(pool.kept(), 0);
    }

    #[test]
    fn the_pool_is_bounded() {
        let pool = BlockPool::default();
        for _ in 0..20 {
            pool.give(Vec::with_capacity(4 << 20));
        }
        assert_eq!(pool.kept(), KEPT_BYTES);
        pool.give(Vec::with_capacity(8 << 20));
        assert_eq!(pool.kept(), KEPT_BYTES);
    }

    #[test]
    fn large_and_odd_requests_are_served() {
        let pool = BlockPool::default();
        assert_eq!(pool.take(100).capacity(), 100);
        pool.give(Vec::with_capacity(512));
        assert_eq!(pool.kept(), 0);
        assert_eq!(pool.take(16_385).capacity(), 32_768);
        assert!(pool.take((4 << 20) + 1).capacity() > 4 << 20);
    }
}
