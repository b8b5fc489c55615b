//! What comes before the first frame.

use ferrows_core::protocol::upgrade::{
    Conversation, GrammarError, Head, Llhttp, Rules, Turn, layout, parse_extensions,
    parse_subprotocols,
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

/// What a listener makes of bytes up to its first answer does not depend on how they arrive, and
/// the block of an upgrade request says what the request does.
pub fn http_head(data: &[u8]) {
    for llhttp in [Llhttp::V9_3, Llhttp::V9_4] {
        // The limit alone is looked at when something has arrived.
        let rules = Rules {
            llhttp,
            max_header_size: usize::MAX,
        };
        let single = |bytes: &[u8]| bytes.len().min(1);
        let (used, turn, answers) = converse(rules, data, single);
        let so_far = &data[..used];
        assert_eq!(
            converse(rules, so_far, <[u8]>::len),
            (used, turn.clone(), answers)
        );
        if let Turn::Upgrade { head, .. } = turn {
            check_block(&head);
        }
    }
}

/// Plays a listener until it answers or decides; each chunk is as long as `size` says. Tells how
/// many bytes were looked at.
fn converse(rules: Rules, data: &[u8], size: impl Fn(&[u8]) -> usize) -> (usize, Turn, Vec<u8>) {
    let mut conversation = Conversation::new(rules);
    let mut answers = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let chunk = &data[at..at + size(&data[at..])];
        let turn = match conversation.handle_bytes(chunk, String::new, &mut answers) {
            Turn::Waits => Turn::Waits,
            Turn::Over => Turn::Over,
            Turn::Upgrade { head, used } => {
                assert!(head.is_upgrade && used <= chunk.len());
                at += used;
                return (at, Turn::Upgrade { head, used: 0 }, answers);
            }
        };
        at += chunk.len();
        if turn == Turn::Over || !answers.is_empty() {
            return (at, turn, answers);
        }
    }
    (at, Turn::Waits, answers)
}

fn check_block(head: &Head) {
    let block = head.describe();
    let word = |index: usize| {
        let at = index * layout::WORD_BYTES;
        let bytes = block[at..at + layout::WORD_BYTES].try_into();
        u32::from_le_bytes(bytes.expect("as long as a word")) as usize
    };
    let (major, minor) = head.version();
    let count = word(layout::COUNT);
    assert_eq!(
        (word(layout::MAJOR), word(layout::MINOR)),
        (major.into(), minor.into())
    );
    assert_eq!(count, head.headers().count());

    let text = &block[(layout::HEADERS + 2 * count) * layout::WORD_BYTES..];
    assert_eq!(&text[..word(layout::METHOD)], head.method());
    assert_eq!(
        &text[word(layout::METHOD)..word(layout::TARGET)],
        head.target()
    );
    assert!(!head.method().is_empty() && !head.target().is_empty());
    let mut from = word(layout::TARGET);
    for (index, (name, value)) in head.headers().enumerate() {
        let name_end = word(layout::HEADERS + 2 * index);
        let value_end = word(layout::HEADERS + 2 * index + 1);
        assert_eq!(
            (&text[from..name_end], &text[name_end..value_end]),
            (name, value)
        );
        assert!(!name.is_empty() && !value.contains(&b'\r') && !value.contains(&b'\n'));
        from = value_end;
    }
    assert_eq!(from, text.len());
}
