//! The one unsafe step of compression: zlib writes into spare vector memory.
//!
//! Owns: [`claim_written`]. Used by both directions. Runs on: any.
#![allow(unsafe_code)]

use crate::protocol::spare;

/// Adds what zlib has written to the spare room of `out` to its length.
pub(super) fn claim_written(out: &mut Vec<u8>, made: usize) {
    // SAFETY: both callers have just passed the beginning of `out`'s spare capacity to zlib, which
    // writes from the beginning and counts in `total_out`, where `made` comes from, what it wrote.
    unsafe { spare::claim(out, made) }
}
