//! Memory that a JavaScript thread and a reactor both see.
//!
//! Owns: the status words and the command slab of a lane. JavaScript reaches it
//! as an ArrayBuffer over [`SharedSlab::address`]; Rust only through this file.
//! Runs on: any.
//! INVARIANT: JavaScript writes slab bytes at or above COMMITTED only, publishes
//! them by raising COMMITTED, and starts over only after it was set to 0.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, Ordering};

use super::layout::{OUTBOX_SLAB_BYTES, STATUS_COMMITTED, STATUS_WORDS};

const STATUS_BYTES: usize = STATUS_WORDS * 4;

/// Status words followed by a command slab, eight-byte aligned.
pub struct SharedSlab {
    memory: Box<[UnsafeCell<u64>]>,
}

// SAFETY: status words are accessed as atomics; slab bytes are read only below COMMITTED,
// where by the invariant above nobody writes.
unsafe impl Send for SharedSlab {}
// SAFETY: as for Send.
unsafe impl Sync for SharedSlab {}

impl SharedSlab {
    pub(crate) fn new() -> Self {
        let words = (STATUS_BYTES + OUTBOX_SLAB_BYTES) / 8;
        Self {
            memory: (0..words).map(|_| UnsafeCell::new(0)).collect(),
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
    pub fn status(&self, word: usize) -> &AtomicU32 {
        assert!(word < STATUS_WORDS);
        // SAFETY: in bounds by the assertion, four-byte aligned, and only accessed atomically.
        unsafe { AtomicU32::from_ptr(self.address().cast::<u32>().add(word)) }
    }

    /// Bytes of complete records in the slab.
    #[must_use]
    pub fn committed(&self) -> usize {
        let committed = self.status(STATUS_COMMITTED).load(Ordering::Acquire) as usize;
        committed.min(OUTBOX_SLAB_BYTES)
    }

    /// The slab's bytes `from..to`, which must be committed. They stay as they are until the
    /// slab is started over, which takes the writer's lock, as does whoever calls this.
    pub(crate) fn bytes(&self, from: usize, to: usize) -> &[u8] {
        assert!(from <= to && to <= self.committed());
        // SAFETY: in bounds by the assertion; committed bytes are not written concurrently.
        unsafe { std::slice::from_raw_parts(self.address().add(STATUS_BYTES + from), to - from) }
    }

    /// What JavaScript does: writes bytes and publishes them.
    #[cfg(test)]
    pub(crate) fn write_for_test(&self, at: usize, bytes: &[u8]) {
        // SAFETY: the tests stay in bounds and above COMMITTED, as JavaScript does.
        unsafe {
            let target = self.address().add(STATUS_BYTES + at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        self.status(STATUS_COMMITTED)
            .store((at + bytes.len()) as u32, Ordering::Release);
    }
}

impl std::fmt::Debug for SharedSlab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSlab")
            .field("committed", &self.committed())
            .finish_non_exhaustive()
    }
}
