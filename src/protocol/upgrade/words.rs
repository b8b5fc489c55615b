//! The words and character classes of a request, as Node's parser has them.
//!
//! Owns: methods, protocols, versions, the headers with a meaning of their own.
//! Used by the parts of [`super::scan`]. Runs on: any.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/differential/http-head.test.js`.

/// The header names that steer the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    Connection,
    ContentLength,
    TransferEncoding,
    Upgrade,
}

impl Special {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        SPECIAL
            .iter()
            .find(|(special, _)| name.eq_ignore_ascii_case(special))
            .map(|(_, special)| *special)
    }
}

/// Whether a method may stand before `HTTP/`, `RTSP/` or `ICE/`.
pub(super) fn goes_with(method: &[u8], protocol: &[u8]) -> bool {
    match protocol {
        b"HTTP" => method == PRI || METHODS.contains(&method),
        b"RTSP" => SHARED_WITH_RTSP.contains(&method) || RTSP_METHODS.contains(&method),
        b"ICE" => method == b"SOURCE",
        _ => false,
    }
}

pub(super) fn is_method(word: &[u8]) -> bool {
    all_methods().any(|method| method == word)
}

pub(super) fn begins_method(bytes: &[u8]) -> bool {
    all_methods().any(|method| method.starts_with(bytes))
}

pub(super) fn begins_protocol(bytes: &[u8]) -> bool {
    PROTOCOLS.iter().any(|protocol| protocol.starts_with(bytes))
}

pub(super) fn is_protocol(word: &[u8]) -> bool {
    PROTOCOLS.contains(&word)
}

pub(super) fn is_version(major: u8, minor: u8) -> bool {
    matches!((major, minor), (0, 9) | (1, 0 | 1) | (2, 0))
}

/// What a header value is made of.
pub(super) const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// What a server's part of a URL is made of, besides `@`.
pub(super) const fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        )
        || matches!(
            byte,
            b'%' | b';' | b':' | b'&' | b'=' | b'+' | b'$' | b',' | b'[' | b']'
        )
}

fn all_methods() -> impl Iterator<Item = &'static [u8]> {
    METHODS.into_iter().chain(RTSP_METHODS).chain([PRI])
}

/// HTTP/2's preface begins like a request; what follows it is refused.
pub(super) const PRI: &[u8] = b"PRI";
/// What follows [`PRI`], `*` and the version.
pub(super) const PREFACE: &[u8] = b"\r\n\r\nSM\r\n\r\n";
pub(super) const CONNECT: &[u8] = b"CONNECT";

const PROTOCOLS: [&[u8]; 3] = [b"HTTP", b"RTSP", b"ICE"];

const SPECIAL: [(&[u8], Special); 5] = [
    (b"connection", Special::Connection),
    (b"content-length", Special::ContentLength),
    (b"proxy-connection", Special::Connection),
    (b"transfer-encoding", Special::TransferEncoding),
    (b"upgrade", Special::Upgrade),
];

const METHODS: [&[u8]; 35] = [
    b"GET",
    b"ACL",
    b"BIND",
    b"CHECKOUT",
    CONNECT,
    b"COPY",
    b"DELETE",
    b"HEAD",
    b"LINK",
    b"LOCK",
    b"M-SEARCH",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MOVE",
    b"NOTIFY",
    b"OPTIONS",
    b"PATCH",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PURGE",
    b"PUT",
    b"QUERY",
    b"REBIND",
    b"REPORT",
    b"SEARCH",
    b"SOURCE",
    b"SUBSCRIBE",
    b"TRACE",
    b"UNBIND",
    b"UNLINK",
    b"UNLOCK",
    b"UNSUBSCRIBE",
];

const RTSP_METHODS: [&[u8]; 11] = [
    b"DESCRIBE",
    b"ANNOUNCE",
    b"SETUP",
    b"PLAY",
    b"PAUSE",
    b"TEARDOWN",
    b"GET_PARAMETER",
    b"SET_PARAMETER",
    b"REDIRECT",
    b"RECORD",
    b"FLUSH",
];

const SHARED_WITH_RTSP: [&[u8]; 3] = [b"GET", b"OPTIONS", b"POST"];
