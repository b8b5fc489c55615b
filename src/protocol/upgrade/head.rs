//! A request head as the listener needs it: complete or not, an upgrade or not.
//!
//! Owns: [`HeadParser`], [`HeadStatus`], [`Head`]. Called by the listener with
//! the whole buffer each time more of it has arrived. Runs on: any. Must never
//! decide what belongs to the user's policy, such as paths or methods.
//! Tests: `tests/protocol_upgrade.rs` (against the answers of Node 20).
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::scan::{Scan, Scanner};

/// What a buffer that begins with a request amounts to.
#[derive(Debug)]
pub enum HeadStatus<'a> {
    /// More bytes are needed.
    Partial,
    /// The head is there; what follows it in the buffer is not part of it.
    Complete(Head<'a>),
    /// Not HTTP as Node accepts it: answer 400.
    Bad,
    /// Above a size limit: answer 431.
    TooLarge,
}

/// Reads one request head that may arrive in many pieces, looking at each byte
/// once.
#[derive(Clone, Debug, Default)]
pub struct HeadParser {
    scanner: Scanner,
}

/// A complete request head.
#[derive(Debug)]
pub struct Head<'a> {
    /// Bytes that the head takes from the start of the buffer, with blank lines
    /// before it and the empty line after it.
    pub len: usize,
    /// Whether Node would emit `'upgrade'`: a `Connection` header with the token
    /// `upgrade`, and an `Upgrade` header that is not empty.
    pub is_upgrade: bool,
    /// Whether the connection may carry another request.
    pub keep_alive: bool,
    /// Whether a body is announced to follow.
    pub has_body: bool,
    /// Whether there is a `Host` header, which Node demands of HTTP/1.1 requests
    /// that are not upgrades.
    pub has_host: bool,
    raw: &'a [u8],
    method: &'a str,
    target: &'a str,
    version: (u8, u8),
    headers: Vec<httparse::Header<'a>>,
}

/// Reads a head that should be in `buffer` as a whole. For one that arrives in
/// pieces use a [`HeadParser`], whose cost does not depend on their number.
#[must_use]
pub fn parse_head(buffer: &[u8]) -> HeadStatus<'_> {
    HeadParser::new().parse(buffer)
}

impl HeadParser {
    /// A parser before the first byte of a request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Judges `buffer`, which must begin with all bytes of the earlier calls.
    /// After anything but `Partial`, the next request needs a new parser.
    pub fn parse<'a>(&mut self, buffer: &'a [u8]) -> HeadStatus<'a> {
        match self.scanner.scan(buffer) {
            Scan::Partial => HeadStatus::Partial,
            Scan::Bad => HeadStatus::Bad,
            Scan::TooLarge => HeadStatus::TooLarge,
            Scan::Complete => match Head::new(&self.scanner, buffer) {
                Some(head) => HeadStatus::Complete(head),
                None => HeadStatus::Bad,
            },
        }
    }
}

impl<'a> Head<'a> {
    /// The method, such as `GET`.
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The request target: a path with its query, or an absolute URL.
    #[must_use]
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// Major and minor version.
    #[must_use]
    pub fn version(&self) -> (u8, u8) {
        self.version
    }

    /// Names as sent and trimmed values, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        self.headers
            .iter()
            .map(|header| (header.name, header.value))
    }

    /// The values of all headers called `name`, whatever their case.
    pub fn values<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a [u8]> + 'b {
        self.headers()
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The head's bytes, from the method to the empty line.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// `None` for combinations of headers that Node's parser refuses.
    fn new(scanner: &Scanner, buffer: &'a [u8]) -> Option<Self> {
        let text = |range| std::str::from_utf8(buffer.get(range)?).ok();
        let mut headers = vec![httparse::EMPTY_HEADER; scanner.header_lines()];
        httparse::parse_headers(buffer.get(scanner.headers())?, &mut headers).ok()?;
        let version = match buffer.get(scanner.version())? {
            [.., major, b'.', minor] => (major - b'0', minor - b'0'),
            _ => (0, 9),
        };
        let mut head = Self {
            len: scanner.end(),
            is_upgrade: false,
            keep_alive: false,
            has_body: false,
            has_host: false,
            raw: buffer.get(scanner.start()..scanner.end())?,
            method: text(scanner.method())?,
            target: text(scanner.target())?,
            version,
            headers,
        };
        head.judge_connection();
        head.judge_body()?;
        Some(head)
    }

    fn judge_connection(&mut self) {
        let has_token = |token: &[u8]| {
            self.values("connection")
                .chain(self.values("proxy-connection")) // llhttp treats it the same
                .any(|value| list(value).any(|item| item.eq_ignore_ascii_case(token)))
        };
        let upgrade = self.values("upgrade").any(|value| !value.is_empty());
        let by_default = self.version.0 > 0 && self.version.1 > 0;
        let is_upgrade = upgrade && has_token(b"upgrade");
        let keep_alive = if by_default {
            !has_token(b"close")
        } else {
            has_token(b"keep-alive")
        };
        let has_host = self.values("host").next().is_some();
        self.is_upgrade = is_upgrade;
        self.keep_alive = keep_alive;
        self.has_host = has_host;
    }

    fn judge_body(&mut self) -> Option<()> {
        let mut lengths = self.values("content-length");
        let length = lengths.next().map(parse_length);
        let more_lengths = lengths.next().is_some();
        drop(lengths);
        let mut codings = self.values("transfer-encoding").peekable();
        let has_codings = codings.peek().is_some();
        let chunked_and_more = codings
            .flat_map(list)
            .skip_while(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
            .nth(1)
            .is_some();
        if more_lengths || chunked_and_more || (length.is_some() && has_codings) {
            return None;
        }
        let length = match length {
            Some(length) => length?,
            None => 0,
        };
        self.has_body = has_codings || length > 0;
        Some(())
    }
}

/// The items of a comma-separated header value.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}
