//! Finds the end of a request head, byte by byte, and refuses what Node's
//! parser (llhttp without leniency) refuses, at the byte where it does.
//!
//! Owns: [`Scanner`] and the size limits. Called by `head`. Runs on: any. Must
//! never look at a byte twice, however the head trickles in. Tests:
//! `tests/protocol_upgrade.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use std::ops::Range;

/// At this many bytes of target, header names and header values a head is too
/// large (Node's `maxHeaderSize`).
pub const MAX_COUNTED_SIZE: usize = 16 * 1024;
/// Most bytes of a whole head. Node has no such limit: it does not count white
/// space before a value. The largest head that it accepts otherwise fits in.
pub const MAX_RAW_SIZE: usize = 32 * 1024;
/// Most header lines. COMPAT(ws 8.23): Node drops those above 2000 silently.
pub const MAX_HEADERS: usize = 2000;

/// How far a head has been scanned and where its parts are.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    state: State,
    position: usize,
    counted: usize,
    method: Span,
    target: Span,
    version: Span,
    headers_from: usize,
    header_lines: usize,
}

/// What the scanned bytes amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    Partial,
    /// The empty line is there; [`Scanner::end`] is the head's length.
    Complete,
    Bad,
    TooLarge,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    from: usize,
    to: usize,
}

impl Span {
    const fn range(self) -> Range<usize> {
        self.from..self.to
    }
}

/// ```text
/// Start ─► Method ─► BeforeTarget ─► Target ─► BeforeVersion ─► Version ─► LineEnd
///                                      └─► LineEnd (HTTP/0.9)
/// LineEnd ─► NameStart ─► Name ─► BeforeValue ─► Value ─► LineEnd ─► …
///               └─► LastEnd ─► Done
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Method,
    BeforeTarget,
    Target,
    BeforeVersion,
    Version,
    LineEnd,
    NameStart,
    Name,
    BeforeValue,
    Value,
    LastEnd,
    Done,
}

impl Scanner {
    /// Scans the bytes of `head` that an earlier call has not seen.
    pub(super) fn scan(&mut self, head: &[u8]) -> Scan {
        for &byte in head.get(self.position..).unwrap_or_default() {
            if self.state == State::Done {
                break;
            }
            let Some(next) = self.step(byte, head) else {
                return Scan::Bad;
            };
            self.state = next;
            self.position += 1;
            if self.counted >= MAX_COUNTED_SIZE
                || self.header_lines > MAX_HEADERS
                || self.position > MAX_RAW_SIZE
            {
                return Scan::TooLarge;
            }
        }
        if self.state == State::Done {
            Scan::Complete
        } else {
            Scan::Partial
        }
    }

    pub(super) fn end(&self) -> usize {
        self.position
    }

    pub(super) fn start(&self) -> usize {
        self.method.from
    }

    pub(super) fn method(&self) -> Range<usize> {
        self.method.range()
    }

    pub(super) fn target(&self) -> Range<usize> {
        self.target.range()
    }

    /// The version as in `HTTP/1.1`; empty for HTTP/0.9's form without one.
    pub(super) fn version(&self) -> Range<usize> {
        self.version.range()
    }

    /// The header lines with the empty line that ends them.
    pub(super) fn headers(&self) -> Range<usize> {
        self.headers_from..self.position
    }

    pub(super) fn header_lines(&self) -> usize {
        self.header_lines
    }

    /// The state after `byte`, the one at `self.position`, or `None` when no
    /// head can continue with it.
    fn step(&mut self, byte: u8, head: &[u8]) -> Option<State> {
        let at = self.position;
        let so_far = |span: Span| head.get(span.from..=at).unwrap_or_default();
        match (self.state, byte) {
            (State::Start, b'\r' | b'\n') => Some(State::Start),
            (State::Start, _) => {
                self.method.from = at;
                begins_method(so_far(self.method)).then_some(State::Method)
            }
            (State::Method, b' ') => {
                self.method.to = at;
                let method = head.get(self.method.range()).unwrap_or_default();
                METHODS.contains(&method).then_some(State::BeforeTarget)
            }
            (State::Method, _) => begins_method(so_far(self.method)).then_some(State::Method),
            (State::BeforeTarget, b' ') => Some(State::BeforeTarget),
            (State::BeforeTarget, _) => {
                self.target.from = at;
                self.counted += 1;
                let first = matches!(byte, b'/' | b'*' | b'a'..=b'z' | b'A'..=b'Z');
                // CONNECT takes an authority, which may begin with a digit or a bracket.
                (first || byte.is_ascii_graphic() && self.is_connect(head)).then_some(State::Target)
            }
            (State::Target, b' ' | b'\r') => {
                self.target.to = at;
                let target = head.get(self.target.range()).unwrap_or_default();
                if !is_target(target) && !self.is_connect(head) {
                    None
                } else if byte == b' ' {
                    Some(State::BeforeVersion)
                } else {
                    Some(State::LineEnd)
                }
            }
            (State::Target, _) => {
                self.counted += 1;
                byte.is_ascii_graphic().then_some(State::Target)
            }
            (State::BeforeVersion, b' ') => Some(State::BeforeVersion),
            (State::BeforeVersion, _) => {
                self.version.from = at;
                (byte == b'H').then_some(State::Version)
            }
            (State::Version, b'\r') => {
                self.version.to = at;
                let version = head.get(self.version.range()).unwrap_or_default();
                VERSIONS.contains(&version).then_some(State::LineEnd)
            }
            (State::Version, _) => {
                let begun = so_far(self.version);
                VERSIONS
                    .iter()
                    .any(|version| version.starts_with(begun))
                    .then_some(State::Version)
            }
            (State::LineEnd, b'\n') => {
                if self.headers_from == 0 {
                    self.headers_from = at + 1;
                }
                Some(State::NameStart)
            }
            (State::NameStart, b'\r') => Some(State::LastEnd),
            (State::NameStart, _) => {
                self.header_lines += 1;
                self.counted += 1;
                is_token_byte(byte).then_some(State::Name)
            }
            (State::Name, b':') => Some(State::BeforeValue),
            (State::Name, _) => {
                self.counted += 1;
                is_token_byte(byte).then_some(State::Name)
            }
            (State::BeforeValue, b' ' | b'\t') => Some(State::BeforeValue),
            (State::BeforeValue | State::Value, b'\r') => Some(State::LineEnd),
            (State::BeforeValue | State::Value, _) => {
                self.counted += 1;
                matches!(byte, b'\t' | b' '..=b'~' | 0x80..).then_some(State::Value)
            }
            (State::LastEnd, b'\n') => Some(State::Done),
            (State::LineEnd | State::LastEnd | State::Done, _) => None,
        }
    }

    fn is_connect(&self, head: &[u8]) -> bool {
        head.get(self.method.range()) == Some(b"CONNECT")
    }
}

/// Whether a target of graphic ASCII is a path, `*` or an absolute URL.
fn is_target(target: &[u8]) -> bool {
    if matches!(target.first(), Some(b'/' | b'*')) {
        return true;
    }
    let scheme = target
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let rest = target
        .get(scheme..)
        .and_then(|rest| rest.strip_prefix(b"://"));
    scheme > 0 && rest.is_some_and(|rest| !rest.is_empty())
}

fn begins_method(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| method.starts_with(bytes))
}

/// RFC 9110's `tchar`.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// The methods that Node's parser knows; any other is a bad request.
const METHODS: [&[u8]; 35] = [
    b"GET",
    b"ACL",
    b"BIND",
    b"CHECKOUT",
    b"CONNECT",
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

/// The versions that Node's parser lets through.
const VERSIONS: [&[u8]; 4] = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0"];
