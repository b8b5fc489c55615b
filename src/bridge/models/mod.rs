//! Models of what a lane's two sides do to it, of the bell and of the budget.
//!
//! Owns: [`WatchedSlab`], which tells whether bytes of the slab are written while
//! somebody looks at them. The types are the real ones, on `crate::sync`.
//! What deliberate faults they find: CONTRIBUTING.md. Runs on: threads of a model.

mod budget;
mod doorbell;
mod lane;

use std::ops::Range;

use loom::cell::{ConstPtr, MutPtr, UnsafeCell};

use super::layout::{RECORD_BYTES, STATUS_WORDS};
use crate::sync::atomic::AtomicU32;

/// Records that a model may write before the slab begins anew.
const RECORDS: usize = 8;

/// What the model checker knows of a slab: status words, and who uses which record's bytes.
pub(super) struct WatchedSlab {
    pub(super) status: Vec<AtomicU32>,
    records: Vec<UnsafeCell<()>>,
}

impl Default for WatchedSlab {
    fn default() -> Self {
        Self {
            status: (0..STATUS_WORDS).map(|_| AtomicU32::new(0)).collect(),
            records: (0..RECORDS).map(|_| UnsafeCell::new(())).collect(),
        }
    }
}

impl WatchedSlab {
    /// As long as the answer lives, nobody may write there.
    pub(super) fn reading(&self, bytes: Range<usize>) -> Vec<ConstPtr<()>> {
        self.among(bytes).iter().map(UnsafeCell::get).collect()
    }

    /// As long as the answer lives, nobody else may be there.
    pub(super) fn writing(&self, bytes: Range<usize>) -> Vec<MutPtr<()>> {
        self.among(bytes).iter().map(UnsafeCell::get_mut).collect()
    }

    fn among(&self, bytes: Range<usize>) -> &[UnsafeCell<()>] {
        &self.records[bytes.start / RECORD_BYTES..bytes.end.div_ceil(RECORD_BYTES)]
    }
}
