//! The body of a plain request, which nobody reads: only its end matters.
//!
//! Owns: [`Body`], of a known length or in chunks; trailers are `fields`'.
//! Called by `scan`. Runs on: any. Must never keep a byte.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/differential/http-head.test.js`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::scan::{Fault, Size, Step};
use super::token::is_token;

/// Most bytes of the extensions of one chunk (Node's limit).
const MAX_EXTENSIONS: usize = 16 * 1024;

/// ```text
/// Size ─► Digits ─┬─► SizeFeed ─┬─► Data ─► DataEnd ─► DataFeed ─► Size
///                 │      ▲      └─► (trailers, after a size of 0)
///                 └─► Extension ─► Name ─► Value ◄─► Quoted ◄─► Escaped
/// ```
#[derive(Clone, Debug)]
pub(super) struct Body {
    state: State,
    left: u64,
    extensions: usize,
    /// Bytes of the extension's name or value that are not counted yet.
    open: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Size,
    Digits,
    SizeFeed,
    Extension,
    Name,
    Value,
    Quoted,
    Escaped,
    AfterQuoted,
    Data,
    DataEnd,
    DataFeed,
}

impl Body {
    pub(super) fn of(length: u64) -> Self {
        Self {
            state: State::Whole,
            left: length,
            extensions: 0,
            open: 0,
        }
    }

    pub(super) fn chunked() -> Self {
        Self {
            state: State::Size,
            ..Self::of(0)
        }
    }

    /// Whether a body of known length is complete.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Whole && self.left == 0
    }

    /// Skips content, and tells how much of it is here.
    pub(super) fn skip(&mut self, bytes: &[u8]) -> usize {
        if !matches!(self.state, State::Whole | State::Data) {
            return 0;
        }
        let here = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.left -= here as u64;
        if self.left == 0 && self.state == State::Data {
            self.state = State::DataEnd;
        }
        here
    }

    /// Looks at a byte around the content; `Done` with the line of the last chunk.
    pub(super) fn step(&mut self, byte: u8, size: &mut Size) -> Result<Step, Fault> {
        let next = match (self.state, byte) {
            (State::Size | State::Digits, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let longer = self.left.checked_mul(16);
                let longer = longer.and_then(|left| left.checked_add(digit));
                self.left = longer.ok_or(Fault::Malformed)?;
                State::Digits
            }
            (State::Digits, b'\r') => State::SizeFeed,
            (State::Digits, b';') => State::Extension,
            (State::SizeFeed, b'\n') => {
                size.restart();
                self.extensions = 0;
                if self.left == 0 {
                    return Ok(Step::Done);
                }
                State::Data
            }
            (State::Extension, b' ' | b'\r') => return Err(Fault::Malformed),
            (State::Extension, _) => return self.again(State::Name),
            (State::Name, _) if is_token(byte) => self.in_extension(State::Name),
            (State::Name, b'=') => self.end_extension(State::Value)?,
            (State::Value, b'"') => self.in_extension(State::Quoted),
            (State::Value, _) if is_token(byte) => self.in_extension(State::Value),
            (State::Name | State::Value, b';') => self.end_extension(State::Extension)?,
            (State::Name | State::Value, b'\r') => self.end_extension(State::SizeFeed)?,
            (State::Quoted, b'"') => self.end_extension(State::AfterQuoted)?,
            (State::Quoted, b'\\') => self.in_extension(State::Escaped),
            (State::Quoted | State::Escaped, b'\t' | b' '..=b'~' | 0x80..) => {
                self.in_extension(State::Quoted)
            }
            (State::Name | State::Value | State::Quoted | State::Escaped, _) => {
                self.end_extension(State::Extension)?;
                return Err(Fault::Malformed);
            }
            (State::AfterQuoted, b';') => State::Extension,
            (State::AfterQuoted, b'\r') => State::SizeFeed,
            (State::DataEnd, b'\r') => State::DataFeed,
            (State::DataFeed, b'\n') => {
                size.restart();
                State::Size
            }
            _ => return Err(Fault::Malformed),
        };
        self.state = next;
        Ok(Step::Skip)
    }

    /// What arrived together ends here.
    pub(super) fn end_chunk(&mut self) -> Result<(), Fault> {
        let state = self.state;
        self.end_extension(state).map(drop)
    }

    fn in_extension(&mut self, next: State) -> State {
        self.open += 1;
        next
    }

    fn end_extension(&mut self, next: State) -> Result<State, Fault> {
        self.extensions += std::mem::take(&mut self.open);
        if self.extensions > MAX_EXTENSIONS {
            return Err(Fault::ExtensionsTooLarge);
        }
        Ok(next)
    }

    fn again(&mut self, state: State) -> Result<Step, Fault> {
        self.state = state;
        Ok(Step::Again)
    }
}
