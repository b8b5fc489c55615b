//! A request head: its parts, and the one block in which they go to JavaScript.
//!
//! Owns: [`Head`], the layout of the block. Filled by `scan`, called by whoever
//! serves a connection. Runs on: any. Must never decide what belongs to the
//! user's policy, such as paths or methods.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/unit/upgrade-request.test.js`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

/// The block that [`Head::describe`] makes: little-endian words of four bytes, then text.
///
/// The text is method, target and then name and value of each header, with nothing between them.
/// Each range ends where a word says, counted from the text's beginning, and begins where the one
/// before it ends.
pub mod layout {
    /// Word: major version.
    pub const MAJOR: usize = 0;
    /// Word: minor version.
    pub const MINOR: usize = 1;
    /// Word: headers that are described.
    pub const COUNT: usize = 2;
    /// Word: end of the method.
    pub const METHOD: usize = 3;
    /// Word: end of the target.
    pub const TARGET: usize = 4;
    /// First of the two words of each header: end of its name, end of its value.
    pub const HEADERS: usize = 5;
    /// Bytes of a word.
    pub const WORD_BYTES: usize = 4;
    /// Headers that become properties of `request.headers`; the others are in `rawHeaders` only.
    /// COMPAT(ws 8.23): Node's `maxHeadersCount`.
    pub const MAX_PARSED: usize = 1000;
}

/// Headers that Node hands on: it moves them in groups of 31, and none once it has moved 1000.
const MAX_HEADERS: usize = layout::MAX_PARSED.div_ceil(31) * 31;

/// A complete request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether Node would emit `'upgrade'`: a `Connection` header with the token
    /// `upgrade`, and an `Upgrade` header that is not empty.
    pub is_upgrade: bool,
    /// Whether the connection may carry another request.
    pub keep_alive: bool,
    pub(super) text: HeadText,
}

/// The bytes of a head that mean something, without what separates them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HeadText {
    pub(super) bytes: Vec<u8>,
    pub(super) version: (u8, u8),
    method_end: usize,
    target_end: usize,
    name_end: usize,
    headers: Vec<(usize, usize)>,
}

impl Head {
    /// The method, such as `GET`.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.text.method()
    }

    /// The request target: a path with its query, or an absolute URL.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.text.range(self.text.method_end, self.text.target_end)
    }

    /// Major and minor version.
    #[must_use]
    pub fn version(&self) -> (u8, u8) {
        self.text.version
    }

    /// Names as sent and values without blanks around them, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> + '_ {
        let mut from = self.text.target_end;
        self.text.headers.iter().map(move |&(name_end, value_end)| {
            let name = self.text.range(from, name_end);
            from = value_end;
            (name, self.text.range(name_end, value_end))
        })
    }

    /// The values of all headers called `name`, whatever their case, that `request.headers` has.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.headers()
            .take(layout::MAX_PARSED)
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The block for JavaScript, see [`layout`].
    #[must_use]
    pub fn describe(&self) -> Vec<u8> {
        let text = &self.text;
        let words = layout::HEADERS + 2 * text.headers.len();
        let mut block = Vec::with_capacity(words * layout::WORD_BYTES + text.bytes.len());
        let mut put = |number: usize| block.extend_from_slice(&(number as u32).to_le_bytes());
        put(text.version.0.into());
        put(text.version.1.into());
        put(text.headers.len());
        put(text.method_end);
        put(text.target_end);
        for &(name_end, value_end) in &text.headers {
            put(name_end);
            put(value_end);
        }
        block.extend_from_slice(&text.bytes);
        block
    }
}

impl HeadText {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
    }

    pub(super) fn take(&mut self) -> Self {
        let version = self.version;
        let taken = std::mem::take(self);
        // What keeps the connection alive is asked again after the body.
        self.version = version;
        taken
    }

    pub(super) fn end_method(&mut self) {
        self.method_end = self.bytes.len();
    }

    pub(super) fn end_target(&mut self) {
        self.target_end = self.bytes.len();
    }

    pub(super) fn end_name(&mut self) {
        self.name_end = self.bytes.len();
    }

    /// Ends a header whose name began at `name_from`: blanks after its value are not part of it.
    pub(super) fn end_value(&mut self, name_from: usize) {
        if self.headers.len() == MAX_HEADERS {
            self.bytes.truncate(name_from);
            return;
        }
        let value = self.since(self.name_end);
        let blanks = value.iter().rev();
        let blanks = blanks.take_while(|byte| matches!(byte, b' ' | b'\t'));
        let end = self.bytes.len() - blanks.count();
        self.bytes.truncate(end);
        self.headers.push((self.name_end, end));
    }

    pub(super) fn method(&self) -> &[u8] {
        self.range(0, self.method_end)
    }

    pub(super) fn header_count(&self) -> usize {
        self.headers.len()
    }

    pub(super) fn since(&self, from: usize) -> &[u8] {
        self.bytes.get(from..).unwrap_or_default()
    }

    fn range(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }
}
