//! Tokens, and what can be wrong with a list of them.
//!
//! Owns: [`is_token`], [`GrammarError`]. Used by both header grammars. Runs on: any.

/// Why a header does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrammarError {
    /// The character at this index, counted from 0, may not stand there.
    UnexpectedCharacter(usize),
    /// More should follow.
    UnexpectedEnd,
}

/// Whether a character may stand in a token (RFC 9110, section 5.6.2).
pub(super) const fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'
        | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Whether a character is a blank as HTTP has them.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    #[test]
    fn tokens_are_those_of_the_rfc() {
        let tokens: String = (0..=u8::MAX)
            .filter(|byte| super::is_token(*byte))
            .map(char::from)
            .collect();
        assert_eq!(
            tokens,
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"
        );
    }
}
