//! The one place of the protocol that claims spare vector memory as written.
//!
//! Owns: [`claim`]. Called by `mask` (after writing every byte) and by
//! `message` (after the driver promised it). Runs on: any. Must never grow a
//! vector. Tests: through both callers.
#![allow(unsafe_code)]

/// Adds the first `count` bytes of `block`'s spare capacity to its length.
///
/// # Safety
/// The caller, or whoever promised the caller, has initialised those bytes.
///
/// # Panics
/// When the spare capacity is smaller than `count`: a fault of this process,
/// never of the peer.
#[inline]
pub(super) unsafe fn claim(block: &mut Vec<u8>, count: usize) {
    assert!(
        count <= block.capacity() - block.len(),
        "claimed more than the spare capacity"
    );
    // SAFETY: the new length is within the capacity (asserted above), and the
    // caller vouches that the bytes up to it are initialised.
    unsafe { block.set_len(block.len() + count) }
}
