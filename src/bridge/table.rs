//! How many bytes each connection has written, for JavaScript to read without
//! a call: `bufferedAmount` is what JavaScript queued minus this.
//!
//! Owns: chunks of [`TABLE_CHUNK`] counters, indexed by slot. The worker writes,
//! JavaScript reads them as a Float64Array. Runs on: any.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::TABLE_CHUNK;

/// Counters of neighbouring slots; each holds the bits of an f64.
pub type Chunk = [AtomicU64; TABLE_CHUNK];

/// The counters of all slots of a worker.
#[derive(Debug, Default)]
pub struct WrittenTable {
    chunks: Mutex<Vec<Arc<Chunk>>>,
}

impl WrittenTable {
    /// A chunk, made when first asked for. Its address never changes.
    #[must_use]
    pub fn chunk(&self, index: usize) -> Arc<Chunk> {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        while chunks.len() <= index {
            chunks.push(Arc::new([const { AtomicU64::new(0) }; TABLE_CHUNK]));
        }
        Arc::clone(&chunks[index])
    }
}

/// Publishes a count of bytes.
pub fn publish(counter: &AtomicU64, bytes: i64) {
    counter.store((bytes as f64).to_bits(), Ordering::Relaxed);
}
