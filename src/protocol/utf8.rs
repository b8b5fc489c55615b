//! UTF-8 validation of text that arrives in pieces.
//!
//! Owns: [`Utf8Validator`] and the choice of algorithm. Called while a text
//! message is assembled; whole small messages go through [`is_valid`]. Runs on:
//! any. Must never look at a byte twice in bulk. Oracle: `std::str::from_utf8`
//! in `tests/protocol_properties.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

/// Checks text piece by piece and fails at the first byte that no continuation
/// can make valid.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8Validator {
    /// The beginning of a character whose end has not arrived.
    pending: [u8; 3],
    pending_len: u8,
}

impl Utf8Validator {
    /// A validator at the start of a text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            pending: [0; 3],
            pending_len: 0,
        }
    }

    /// Takes the next piece; `false` when the text is invalid whatever follows.
    /// After `false` the state means nothing.
    #[must_use]
    pub fn feed(&mut self, piece: &[u8]) -> bool {
        let Some(rest) = self.complete_pending(piece) else {
            return false;
        };
        let (whole, tail) = split_incomplete(rest);
        if !is_valid(whole) {
            return false;
        }
        if tail.is_empty() {
            return true;
        }
        match std::str::from_utf8(tail) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => match tail.get(error.valid_up_to()..) {
                Some(beginning) => self.hold(beginning),
                None => false,
            },
        }
    }

    /// Whether the text may end here, that is, not inside a character.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.pending_len == 0
    }

    /// Moves bytes into the pending character until it is complete. Returns the
    /// bytes after it, or `None` when it is invalid.
    fn complete_pending<'a>(&mut self, mut piece: &'a [u8]) -> Option<&'a [u8]> {
        while self.pending_len > 0 {
            let Some((&next, rest)) = piece.split_first() else {
                break;
            };
            let held = usize::from(self.pending_len);
            let mut character = [0; 4];
            character
                .get_mut(..held)?
                .copy_from_slice(self.pending.get(..held)?);
            *character.get_mut(held)? = next;
            let character = character.get(..=held)?;
            match std::str::from_utf8(character) {
                Ok(_) => self.pending_len = 0,
                Err(error) if error.error_len().is_some() => return None,
                Err(_) if self.hold(character) => {}
                Err(_) => return None,
            }
            piece = rest;
        }
        Some(piece)
    }

    fn hold(&mut self, beginning: &[u8]) -> bool {
        match self.pending.get_mut(..beginning.len()) {
            Some(pending) => {
                pending.copy_from_slice(beginning);
                self.pending_len = beginning.len() as u8;
                true
            }
            None => false,
        }
    }
}

/// Whether the bytes are a whole UTF-8 text.
#[inline]
#[must_use]
pub fn is_valid(text: &[u8]) -> bool {
    if text.len() <= SIMD_FROM && text.is_ascii() {
        return true;
    }
    if text.len() < SIMD_FROM {
        std::str::from_utf8(text).is_ok()
    } else {
        simdutf8::basic::from_utf8(text).is_ok()
    }
}

/// Cuts before the last character when its lead byte announces more bytes than
/// there are.
fn split_incomplete(bytes: &[u8]) -> (&[u8], &[u8]) {
    let lead = bytes
        .iter()
        .rev()
        .take(3)
        .position(|byte| byte & 0xc0 != 0x80);
    let tail = match lead.and_then(|back| Some((back + 1, bytes.get(bytes.len() - 1 - back)?))) {
        Some((present, &lead)) if present < announced_len(lead) => present,
        _ => 0,
    };
    bytes
        .split_at_checked(bytes.len() - tail)
        .unwrap_or((bytes, &[]))
}

const fn announced_len(lead: u8) -> usize {
    match lead {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

/// From this length on the SIMD validator pays; up to it, looking for plain
/// ASCII first does.
const SIMD_FROM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds one byte at a time; the index of the byte that failed, or whether
    /// the text is complete.
    fn check(bytes: &[u8]) -> Result<bool, usize> {
        let mut validator = Utf8Validator::new();
        for (index, byte) in bytes.iter().enumerate() {
            if !validator.feed(&[*byte]) {
                return Err(index);
            }
        }
        Ok(validator.is_complete())
    }

    #[test]
    fn fails_at_the_first_hopeless_byte() {
        assert_eq!(check("aß€😀".as_bytes()), Ok(true));
        assert_eq!(check(b"\xf0\x9f\x98"), Ok(false));
        assert_eq!(check(b"a\x80"), Err(1)); // stray continuation
        assert_eq!(check(b"\xc1\xbf"), Err(0)); // overlong
        assert_eq!(check(b"\xe0\x9f"), Err(1)); // overlong
        assert_eq!(check(b"\xed\xa0"), Err(1)); // surrogate
        assert_eq!(check(b"\xf4\x90"), Err(1)); // above U+10FFFF
        assert_eq!(check(b"\xf5"), Err(0));
        assert_eq!(check(b"\xc3a"), Err(1));
    }

    #[test]
    fn a_character_cut_anywhere_in_a_long_text() {
        let text = "é".repeat(200) + &"😀".repeat(100);
        for cut in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(cut);
            let mut validator = Utf8Validator::new();
            assert!(validator.feed(left), "{cut}");
            assert_eq!(validator.is_complete(), text.is_char_boundary(cut));
            assert!(validator.feed(right), "{cut}");
            assert!(validator.is_complete());
        }
    }
}
