//! The payload of close frames: two bytes of code, then a reason in UTF-8.
//!
//! Owns: which codes may travel (RFC 6455 section 7.4), reading and writing the
//! payload. Called by the decoder and by drivers. Runs on: any. Must never
//! trust the peer's reason to be text.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use tungstenite::protocol::frame::coding::CloseCode;

use super::Violation;

/// Whether a close frame may carry `code`: 1000 to 1014 without 1004, 1005 and
/// 1006, and 3000 to 4999.
#[must_use]
pub const fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The payload of a close frame; code 1005 ("no status") is the empty payload
/// and drops the reason.
#[must_use]
pub fn encode_close_payload(code: u16, reason: &[u8]) -> Vec<u8> {
    if code == u16::from(CloseCode::Status) {
        return Vec::new();
    }
    let mut payload = Vec::with_capacity(2 + reason.len());
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(reason);
    payload
}

/// Reads an unmasked close payload, whose length is not 1 (checked with the
/// header).
pub(super) fn parse_close_payload(
    payload: &[u8],
    skip_utf8_validation: bool,
) -> Result<(u16, &[u8]), Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return Ok((CloseCode::Status.into(), &[]));
    };
    let code = u16::from_be_bytes(*code);
    if !is_valid_close_code(code) {
        return Err(Violation::InvalidCloseCode(code));
    }
    if !skip_utf8_validation && std::str::from_utf8(reason).is_err() {
        return Err(Violation::InvalidUtf8);
    }
    Ok((code, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_codes() {
        let valid = |code: &u16| is_valid_close_code(*code);
        let below: Vec<u16> = (0..3000).filter(valid).collect();
        let expected = [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
        ];
        assert_eq!(below, expected);
        assert_eq!((3000..=u16::MAX).filter(valid).count(), 2000);
        assert!(!is_valid_close_code(5000));
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(
            parse_close_payload(&encode_close_payload(1005, b"x"), false),
            Ok((1005, &[][..]))
        );
        assert_eq!(
            parse_close_payload(&encode_close_payload(4000, b"bye"), false),
            Ok((4000, &b"bye"[..]))
        );
    }

    #[test]
    fn the_code_is_checked_before_the_reason() {
        let bad = encode_close_payload(1006, b"\xff");
        assert_eq!(
            parse_close_payload(&bad, false),
            Err(Violation::InvalidCloseCode(1006))
        );
        let bad = encode_close_payload(1000, b"\xff");
        assert_eq!(
            parse_close_payload(&bad, false),
            Err(Violation::InvalidUtf8)
        );
        assert_eq!(parse_close_payload(&bad, true), Ok((1000, &b"\xff"[..])));
    }
}
