//! The Sec-WebSocket-Protocol header (RFC 6455, section 11.3.4).
//!
//! Owns: [`parse_subprotocols`]. Called through `lib/subprotocol.js`. Runs on:
//! any. One pass over the bytes; what is accepted is ASCII.
//! Tests: here, `__test__/unit/headers.test.js` (against ws), `fuzz/`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::token::{GrammarError, is_blank, is_token};

/// Reads a list of subprotocol names: those before the header leaves the grammar, and where it
/// does, if it does. Whether one is repeated is not looked at.
#[must_use]
pub fn parse_subprotocols(header: &str) -> (Vec<&str>, Option<GrammarError>) {
    let mut names = Vec::new();
    let mut start = None;
    let mut end = None;
    for (at, byte) in header.bytes().enumerate() {
        match (start, end) {
            (None, _) if is_token(byte) => start = Some(at),
            (Some(_), None) if is_token(byte) => {}
            // COMPAT(ws 8.23): no blank may stand at the very beginning.
            (_, _) if is_blank(byte) && at > 0 => end = end.or(start.map(|_| at)),
            (Some(from), _) if byte == b',' => {
                names.extend(header.get(from..end.unwrap_or(at)));
                (start, end) = (None, None);
            }
            _ => return (names, Some(GrammarError::UnexpectedCharacter(at))),
        }
    }
    match (start, end) {
        (Some(from), None) => names.extend(header.get(from..)),
        _ => return (names, Some(GrammarError::UnexpectedEnd)),
    }
    (names, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_order() {
        let (names, fault) = parse_subprotocols("a ,\tb,c");
        assert_eq!((&names[..], fault), (&["a", "b", "c"][..], None));
        let (names, _) = parse_subprotocols("a,b,@");
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn faults_are_located() {
        for (header, expect) in [
            ("", GrammarError::UnexpectedEnd),
            (" a", GrammarError::UnexpectedCharacter(0)),
            ("a,", GrammarError::UnexpectedEnd),
            ("a ", GrammarError::UnexpectedEnd),
            ("a b", GrammarError::UnexpectedCharacter(2)),
            ("a,,b", GrammarError::UnexpectedCharacter(2)),
            ("aé", GrammarError::UnexpectedCharacter(1)),
        ] {
            let (_, fault) = parse_subprotocols(header);
            assert_eq!(fault, Some(expect), "{header:?}");
        }
    }
}
