//! The landing of a lane: where events are put for JavaScript to read.
//!
//! Owns: heads of [`LANDING_RECORDS`] records and [`LANDING_BYTES`] of their inline
//! payloads, reached by JavaScript as an ArrayBuffer. Runs on: js only; the type is
//! `Send` so that its owner may be.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;

use super::inbox::{Drained, Inbox};
use super::layout::{LANDING_BYTES, LANDING_RECORDS, RECORD_WORDS};

const HEAD_WORDS: usize = LANDING_RECORDS * RECORD_WORDS;
const HEAD_BYTES: usize = HEAD_WORDS * 4;

/// Memory for one drain.
pub struct Landing {
    memory: Box<[UnsafeCell<u64>]>,
}

impl Default for Landing {
    fn default() -> Self {
        let words = (HEAD_BYTES + LANDING_BYTES) / 8;
        Self {
            memory: (0..words).map(|_| UnsafeCell::new(0)).collect(),
        }
    }
}

impl Landing {
    /// Where the memory begins: heads, then payloads. It stays there as long as the landing.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.memory.as_ptr().cast_mut().cast()
    }

    /// Length in bytes.
    #[must_use]
    pub fn byte_length(&self) -> usize {
        self.memory.len() * 8
    }

    /// Copies events from an inbox.
    ///
    /// # Safety
    /// The caller is on the JavaScript thread, so that JavaScript does not look meanwhile, and
    /// holds nothing that an earlier call has led to.
    pub unsafe fn fill(&self, inbox: &Inbox) -> Drained {
        let heads = self.address().cast::<u32>();
        // SAFETY: both parts are in bounds, apart from each other, aligned, and nobody else's
        // during the call, as the caller vouches.
        let (heads, bytes) = unsafe {
            (
                std::slice::from_raw_parts_mut(heads, HEAD_WORDS),
                std::slice::from_raw_parts_mut(self.address().add(HEAD_BYTES), LANDING_BYTES),
            )
        };
        inbox.drain(heads, bytes)
    }
}

impl std::fmt::Debug for Landing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Landing").finish_non_exhaustive()
    }
}

// SAFETY: the memory is plain; `fill` demands that one thread uses it at a time.
unsafe impl Send for Landing {}
// SAFETY: as for Send.
unsafe impl Sync for Landing {}
