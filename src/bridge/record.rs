//! Taking a command slab apart.
//!
//! Owns: [`Records`]. Called by the worker with what JavaScript wrote. Runs on:
//! any. Must end on any bytes, at the first record that is not there as a whole.
//! Tests: here, `fuzz/`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::layout::{self, Head, command, flag};

/// The records in a slab, each with its inline payload.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Records<'a> {
    /// The records in `bytes`, which begin with one.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (Head, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (words, rest) = self
            .bytes
            .get(self.offset..)?
            .split_first_chunk::<{ layout::RECORD_BYTES }>()?;
        let head = Head::from_words(words_of(words));
        let length = if carries_payload(head) {
            head.argument as usize
        } else {
            0
        };
        let payload = rest.get(..length)?;
        self.offset = layout::next_record(self.offset, length);
        Some((head, payload))
    }
}

/// Whether the argument of a command counts inline payload bytes.
fn carries_payload(head: Head) -> bool {
    let has_one = matches!(
        head.tag,
        command::FRAME | command::RAW | command::ACCEPT | command::PUBLISH | command::PREPARE
    );
    has_one && !head.has(flag::BLOCK)
}

/// Reads words as JavaScript's Uint32Array writes them.
#[must_use]
pub fn words_of<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|index| words.get(index).map_or(0, |word| u32::from_ne_bytes(*word)))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    fn slab(records: &[(Head, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (head, payload) in records {
            bytes.extend(head.to_words().iter().flat_map(|word| word.to_ne_bytes()));
            bytes.extend_from_slice(payload);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    fn head(tag: u8, flags: u8, argument: u32) -> Head {
        Head {
            tag,
            flags,
            aux: 1,
            slot: 2,
            generation: 3,
            argument,
        }
    }

    #[test]
    fn records_come_out_as_they_were_written() {
        let records = [
            (head(command::FRAME, flag::FIN, 5), &b"hello"[..]),
            (head(command::PAUSE, 0, 7), b""),
            (head(command::RAW, flag::BLOCK, 1 << 20), b""),
            (head(command::ACCEPT, 0, 4), b"four"),
        ];
        let bytes = slab(&records);
        assert_eq!(Records::new(&bytes).collect::<Vec<_>>(), records);
    }

    #[test]
    fn what_is_cut_off_ends_the_records() {
        let bytes = slab(&[(head(command::RAW, 0, 5), b"hello")]);
        for end in 0..layout::RECORD_BYTES + 5 {
            assert_eq!(Records::new(&bytes[..end]).next(), None);
        }
        let far = slab(&[(head(command::RAW, 0, u32::MAX), b"")]);
        assert_eq!(Records::new(&far).next(), None);
    }
}
