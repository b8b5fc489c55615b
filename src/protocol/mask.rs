//! Masking (RFC 6455 section 5.3): in place, fused with a copy, and the keys.
//!
//! Owns: [`apply_mask`], [`copy_masked`], [`MaskSource`]. Called by the decoder
//! and the encoder. Runs on: any; one source per worker. Must never reuse a
//! key. Oracle: the scalar definition, in `tests/protocol_properties.rs`.
#![allow(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use std::mem::MaybeUninit;

use super::spare;

/// Masks or unmasks `data`, whose first byte is byte `offset` of its frame's
/// payload.
#[inline]
pub fn apply_mask(data: &mut [u8], key: [u8; 4], offset: usize) {
    if key == [0; 4] {
        return;
    }
    let pattern = pattern(key, offset);
    let (blocks, tail) = data.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(pattern) {
            *byte ^= key;
        }
    }
    for (byte, key) in tail.iter_mut().zip(pattern) {
        *byte ^= key;
    }
}

/// Appends `source`, masked or unmasked, to `target` in one pass; `offset` as
/// for [`apply_mask`].
#[inline]
pub fn copy_masked(target: &mut Vec<u8>, source: &[u8], key: [u8; 4], offset: usize) {
    if key == [0; 4] {
        target.extend_from_slice(source);
        return;
    }
    target.reserve(source.len());
    let pattern = pattern(key, offset);
    let spare = target.spare_capacity_mut().get_mut(..source.len());
    let (spare_blocks, spare_tail) = spare.unwrap_or_default().as_chunks_mut::<BLOCK>();
    let (blocks, tail) = source.as_chunks::<BLOCK>();
    for (spare, block) in spare_blocks.iter_mut().zip(blocks) {
        // PERF: by value; written byte by byte, the loop is not vectorised.
        let mut masked = *block;
        for (byte, key) in masked.iter_mut().zip(pattern) {
            *byte ^= key;
        }
        *spare = masked.map(MaybeUninit::new);
    }
    for ((spare, byte), key) in spare_tail.iter_mut().zip(tail).zip(pattern) {
        spare.write(byte ^ key);
    }
    // SAFETY: `reserve` made room for `source.len()` bytes, so both sides were cut
    // into the same blocks and tail, and the loops above wrote every byte of them.
    unsafe { spare::claim(target, source.len()) }
}

/// A source of unpredictable masking keys.
#[derive(Debug)]
pub struct MaskSource {
    keys: Box<[[u8; 4]; KEYS]>,
    used: usize,
}

impl MaskSource {
    /// A source that asks the operating system when the first key is taken.
    #[must_use]
    pub fn new() -> Self {
        Self {
            keys: Box::new([[0; 4]; KEYS]),
            used: KEYS,
        }
    }

    /// A key that was never given before.
    ///
    /// # Panics
    /// When the operating system has no random bytes to give.
    #[expect(
        clippy::should_implement_trait,
        reason = "endless: it has no None to give"
    )]
    pub fn next(&mut self) -> [u8; 4] {
        if self.used == KEYS {
            getrandom::fill(self.keys.as_flattened_mut())
                .expect("the operating system provides random bytes");
            self.used = 0;
        }
        let key = self.keys.get(self.used).copied();
        self.used += 1;
        key.expect("`used` is below the number of keys after the refill")
    }
}

impl Default for MaskSource {
    fn default() -> Self {
        Self::new()
    }
}

/// The key, turned so that it begins with the byte for `offset`, repeated.
#[inline]
fn pattern(key: [u8; 4], offset: usize) -> [u8; BLOCK] {
    let turned = u32::from_le_bytes(key)
        .rotate_right(8 * (offset as u32 & 3))
        .to_le_bytes();
    let mut pattern = [0; BLOCK];
    for part in pattern.as_chunks_mut::<4>().0 {
        *part = turned;
    }
    pattern
}

/// Bytes that are masked in one step, a multiple of 4 that suits the vector
/// units.
const BLOCK: usize = 32;
/// Keys per request to the operating system (4 KiB).
const KEYS: usize = 1024;

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests may panic"
)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let mut hello = *b"\x7f\x9f\x4d\x51\x58"; // RFC 6455 section 5.7
        apply_mask(&mut hello, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&hello, b"Hello");
    }

    #[test]
    fn copying_and_in_place_agree_at_every_length_and_offset() {
        let source: Vec<u8> = (0..200u8).map(|byte| byte.wrapping_mul(7)).collect();
        for len in 0..source.len() {
            for offset in 0..5 {
                let key = [1, 2, 3, 4];
                let mut in_place = source[..len].to_vec();
                apply_mask(&mut in_place, key, offset);
                let mut copied = vec![9];
                copy_masked(&mut copied, &source[..len], key, offset);
                assert_eq!(copied[1..], in_place);
                for (index, byte) in in_place.iter().enumerate() {
                    assert_eq!(*byte, source[index] ^ key[(index + offset) % 4]);
                }
            }
        }
    }

    #[test]
    fn keys_differ_across_refills() {
        let mut source = MaskSource::new();
        let mut keys: Vec<_> = (0..3 * KEYS).map(|_| source.next()).collect();
        keys.sort_unstable();
        keys.dedup();
        // 3072 of 2^32: a handful of chance duplicates would already be a wonder.
        assert!(keys.len() > 3 * KEYS - 8);
    }
}
