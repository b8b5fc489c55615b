//! What comes before the first frame.

use ferrows_core::protocol::upgrade::{
    GrammarError, HeadParser, HeadStatus, MAX_RAW_SIZE, parse_extensions, parse_head,
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

/// A head that arrives byte by byte is the head that arrives at once.
pub fn http_head(data: &[u8]) {
    let describe = |status: HeadStatus<'_>| match status {
        HeadStatus::Partial => "partial".to_owned(),
        HeadStatus::Bad => "bad".to_owned(),
        HeadStatus::TooLarge => "too large".to_owned(),
        HeadStatus::Complete(head) => {
            assert!(head.len <= data.len() && head.len <= MAX_RAW_SIZE + 4);
            assert!(head.raw().len() <= head.len);
            assert!(!head.method().is_empty() && !head.target().is_empty());
            let headers: Vec<_> = head.headers().collect();
            assert!(headers.iter().all(|(name, _)| !name.is_empty()));
            assert!(
                headers
                    .iter()
                    .all(|(_, value)| !value.contains(&b'\r') && !value.contains(&b'\n'))
            );
            format!("{head:?} {headers:?}")
        }
    };
    let mut parser = HeadParser::new();
    let mut status = "partial".to_owned();
    let mut end = 0;
    while status == "partial" && end < data.len() {
        end += 1;
        status = describe(parser.parse(&data[..end]));
    }
    assert_eq!(describe(parse_head(&data[..end])), status);
    if status != "partial" {
        let whole = describe(parse_head(data));
        assert_eq!(whole == "bad", status == "bad");
    }
}
