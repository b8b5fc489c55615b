//! Memory that a JavaScript thread and a reactor both see.
//!
//! Owns: the status words and the command slab of a lane. JavaScript reaches it
//! as an ArrayBuffer over [`SharedSlab::address`]; Rust only through this file.
//! Runs on: any.
//! INVARIANT: JavaScript writes slab bytes at or above COMMITTED only, publishes
//! them by raising COMMITTED, and starts over only after it was set to 0.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ops::Range;

use super::layout::{OUTBOX_SLAB_BYTES, STATUS_COMMITTED, STATUS_WORDS};
use crate::sync::atomic::{AtomicU32, Ordering};

const STATUS_BYTES: usize = STATUS_WORDS * 4;
/// Models write little, and make many slabs.
const SLAB_BYTES: usize = if cfg!(all(test, models)) {
    512
} else {
    OUTBOX_SLAB_BYTES
};

/// Status words followed by a command slab, eight-byte aligned.
pub struct SharedSlab {
    memory: Box<[UnsafeCell<u64>]>,
    #[cfg(all(test, models))]
    pub(super) watched: super::models::WatchedSlab,
}

// SAFETY: status words are accessed as atomics; slab bytes are read only below COMMITTED,
// where by the invariant above nobody writes.
unsafe impl Send for SharedSlab {}
// SAFETY: as for Send.
unsafe impl Sync for SharedSlab {}

impl SharedSlab {
    pub(crate) fn new() -> Self {
        let words = (STATUS_BYTES + SLAB_BYTES) / 8;
        Self {
            memory: (0..words).map(|_| UnsafeCell::new(0)).collect(),
            #[cfg(all(test, models))]
            watched: super::models::WatchedSlab::default(),
        }
    }

    /// Where the memory begins. It stays there as long as the slab lives.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.memory.as_ptr().cast_mut().cast()
    }

    /// Length in bytes, status words included.
    #[must_use]
    pub fn byte_length(&self) -> usize {
        self.memory.len() * 8
    }

    /// A status word.
    #[must_use]
    #[cfg(not(all(test, models)))]
    pub fn status(&self, word: usize) -> &AtomicU32 {
        assert!(word < STATUS_WORDS);
        // SAFETY: in bounds by the assertion, four-byte aligned, and only accessed atomically.
        unsafe { AtomicU32::from_ptr(self.address().cast::<u32>().add(word)) }
    }

    /// Bytes of complete records in the slab.
    #[must_use]
    pub fn committed(&self) -> usize {
        let committed = self.status(STATUS_COMMITTED).load(Ordering::Acquire) as usize;
        committed.min(SLAB_BYTES)
    }

    /// A status word.
    #[cfg(all(test, models))]
    pub(crate) fn status(&self, word: usize) -> &AtomicU32 {
        &self.watched.status[word]
    }

    /// Shows some of the slab's bytes, which must be committed. They stay as they are until the
    /// slab is started over, which takes the writer's lock, as does whoever calls this.
    pub(crate) fn look(&self, range: Range<usize>, act: impl FnOnce(&[u8])) {
        let Range { start, end } = range;
        assert!(start <= end && end <= self.committed());
        #[cfg(all(test, models))]
        let _watched = self.watched.reading(range);
        // SAFETY: in bounds by the assertion; committed bytes are not written concurrently.
        act(unsafe {
            std::slice::from_raw_parts(self.address().add(STATUS_BYTES + start), end - start)
        });
    }

    /// What JavaScript does: writes bytes and publishes them.
    #[cfg(test)]
    pub(crate) fn write_for_test(&self, at: usize, bytes: &[u8]) {
        #[cfg(all(test, models))]
        let watched = self.watched.writing(at..at + bytes.len());
        // SAFETY: the tests stay in bounds and above COMMITTED, as JavaScript does.
        unsafe {
            let target = self.address().add(STATUS_BYTES + at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        #[cfg(all(test, models))]
        drop(watched);
        self.status(STATUS_COMMITTED)
            .store((at + bytes.len()) as u32, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for SharedSlab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSlab")
            .field("committed", &self.committed())
            .finish_non_exhaustive()
    }
}
