//! What comes before the first frame.

use ferrows_core::protocol::upgrade::{
    Conversation, GrammarError, MAX_HEADER_SIZE, Turn, parse_extensions, parse_subprotocols,
};

/// Faults lie within the header; what is read is made of tokens, and reading it again after
/// writing it in the plainest way gives the same.
pub fn header_grammars(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else {
        return;
    };
    let located = |error| match error {
        GrammarError::UnexpectedCharacter(index) => assert!(header.is_char_boundary(index)),
        GrammarError::UnexpectedEnd => assert!(header.is_ascii()),
    };
    match parse_extensions(header) {
        Err(error) => located(error),
        Ok(offers) => {
            assert!(!offers.is_empty());
            let mut plain = Vec::new();
            for offer in &offers {
                let mut fields = vec![offer.name.to_owned()];
                for (name, value) in &offer.params {
                    fields.push(match value {
                        Some(value) => format!("{name}={value}"),
                        None => (*name).to_owned(),
                    });
                }
                assert!(fields.iter().all(|field| !field.is_empty()));
                plain.push(fields.join(";"));
            }
            assert_eq!(parse_extensions(&plain.join(",")), Ok(offers));
        }
    }
    match parse_subprotocols(header) {
        (_, Some(error)) => located(error),
        (names, None) => {
            assert!(names.iter().all(|name| !name.is_empty() && name.is_ascii()));
            assert_eq!(parse_subprotocols(&names.join(",")), (names, None));
        }
    }
}

/// A listener that reads byte by byte finds the upgrade request that it finds at once; what it
/// answers begins as HTTP does; a request's parts are made of what arrived.
pub fn http_head(data: &[u8]) {
    let mut at_once = Conversation::new(MAX_HEADER_SIZE);
    let mut answers = Vec::new();
    let turn = at_once.handle_bytes(data, || "now".into(), &mut answers);
    assert!(answers.is_empty() || answers.starts_with(b"HTTP/1.1 "));
    let Turn::Upgrade { head, used } = turn else {
        at_once.handle_end(&mut answers);
        return;
    };
    assert!(used <= data.len());
    assert!(!head.method().is_empty() && !head.target().is_empty());
    for (name, value) in head.headers() {
        assert!(!name.is_empty());
        assert!(!value.contains(&b'\r') && !value.contains(&b'\n'));
    }
    let mut by_byte = Conversation::new(MAX_HEADER_SIZE);
    let mut answers = Vec::new();
    for (at, byte) in data.iter().enumerate() {
        match by_byte.handle_bytes(&[*byte], || "now".into(), &mut answers) {
            Turn::Waits => {}
            // What is refused in between is too large, which is looked at when what arrived ends.
            Turn::Over => return,
            Turn::Upgrade { head: same, .. } => {
                assert_eq!((same.describe(), at + 1), (head.describe(), used));
                return;
            }
        }
    }
    panic!("byte by byte there is no upgrade");
}
