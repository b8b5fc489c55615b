//! The first line of a request.
//!
//! Owns: [`RequestLine`], which ends with the line. Called by `scan` with one
//! byte at a time. Runs on: any.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/differential/http-head.test.js`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::scan::{Fault, Message, Step};
use super::words;

/// ```text
/// Method ─► BeforeTarget ─┬─► Scheme ─► Slash ─► Slash ─► Authority ◄─► AfterAt
///                         ├─► Authority (CONNECT)           │
///                         └─► Path ◄────────────────────────┘
/// Path, Authority ─► BeforeProtocol ─► Protocol ─► Major ─► Dot ─► Minor ─► VersionEnd ─► LineFeed
///                └─► LineFeed (HTTP/0.9)                             Minor ─► Preface (PRI)
/// ```
#[derive(Clone, Debug, Default)]
pub(super) struct RequestLine {
    state: State,
    /// Bytes of a word that are neither method nor target.
    matched: usize,
    word: [u8; 4],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Method,
    BeforeTarget,
    Target,
    Scheme,
    Slash,
    SecondSlash,
    Authority,
    AfterAt,
    Path,
    BeforeProtocol,
    Protocol,
    Major,
    Dot,
    Minor,
    VersionEnd,
    Preface,
    LineFeed,
}

impl RequestLine {
    pub(super) fn step(&mut self, byte: u8, message: &mut Message) -> Result<Step, Fault> {
        use State::{
            AfterAt, Authority, BeforeProtocol, BeforeTarget, Dot, LineFeed, Major, Method, Minor,
            Path, Preface, Protocol, Scheme, SecondSlash, Slash, Target, VersionEnd,
        };
        match (self.state, byte) {
            (Method, b' ') if words::is_method(&message.text.bytes) => {
                message.text.end_method();
                self.go(BeforeTarget, Step::Skip)
            }
            (Method, _) => {
                let text = &message.text.bytes;
                let mut begun = [0; 16];
                let word = begun.get_mut(..=text.len()).ok_or(Fault::Malformed)?;
                if let Some((last, before)) = word.split_last_mut() {
                    before.copy_from_slice(text);
                    *last = byte;
                }
                accept(words::begins_method(word), Step::Keep)
            }
            (BeforeTarget, b' ') => Ok(Step::Skip),
            (BeforeTarget, _) => {
                message.size.begin_span();
                let is_connect = message.text.method() == words::CONNECT;
                self.go(if is_connect { Authority } else { Target }, Step::Again)
            }
            (Target, b'/' | b'*') => self.go(Path, Step::Keep),
            (Target, _) if byte.is_ascii_alphabetic() => self.go(Scheme, Step::Keep),
            (Scheme, b':') => self.go(Slash, Step::Keep),
            (Scheme, _) => accept(byte.is_ascii_alphabetic(), Step::Keep),
            (Slash, b'/') => self.go(SecondSlash, Step::Keep),
            (SecondSlash, b'/') => self.go(Authority, Step::Keep),
            (Authority | AfterAt | Path, b' ') => {
                message.end_target((0, 9))?;
                self.go(BeforeProtocol, Step::Skip)
            }
            (Authority | AfterAt | Path, b'\r') => {
                message.end_target((0, 9))?;
                self.go(LineFeed, Step::Skip)
            }
            // COMPAT(ws 8.23): llhttp takes this one line feed without its carriage return.
            (Authority | AfterAt | Path, b'\n') => {
                message.end_target((0, 9))?;
                Ok(Step::Done)
            }
            (Authority | AfterAt, b'/' | b'?') => self.go(Path, Step::Keep),
            (Authority, b'@') => self.go(AfterAt, Step::Keep),
            (Authority | AfterAt, _) if words::is_authority_byte(byte) => {
                self.go(Authority, Step::Keep)
            }
            (Path, _) => accept(byte.is_ascii_graphic(), Step::Keep),
            (BeforeProtocol, b' ') => Ok(Step::Skip),
            (BeforeProtocol, _) => self.go(Protocol, Step::Again),
            (Protocol, _) => self.step_protocol(byte, message),
            (Major, b'0'..=b'9') => {
                message.text.version.0 = byte - b'0';
                self.go(Dot, Step::Skip)
            }
            (Dot, b'.') => self.go(Minor, Step::Skip),
            (Minor, b'0'..=b'9') => {
                message.text.version.1 = byte - b'0';
                let (major, minor) = message.text.version;
                let is_preface = message.text.method() == words::PRI;
                self.matched = 0;
                self.state = if is_preface { Preface } else { VersionEnd };
                accept(words::is_version(major, minor), Step::Skip)
            }
            (Preface, _) => {
                let expected = words::PREFACE.get(self.matched);
                self.matched += 1;
                let is_over = self.matched == words::PREFACE.len();
                accept(expected == Some(&byte) && !is_over, Step::Skip)
            }
            (VersionEnd, b'\r') => self.go(LineFeed, Step::Skip),
            (LineFeed, b'\n') => Ok(Step::Done),
            _ => Err(Fault::Malformed),
        }
    }

    /// A class of bytes that leaves the state as it is.
    pub(super) fn run(&self) -> Option<fn(&u8) -> bool> {
        (self.state == State::Path).then_some(u8::is_ascii_graphic)
    }

    fn step_protocol(&mut self, byte: u8, message: &Message) -> Result<Step, Fault> {
        let word = self.word.get(..self.matched).unwrap_or_default();
        if words::is_protocol(word) {
            self.state = State::Major;
            return accept(byte == b'/', Step::Skip);
        }
        let slot = self.word.get_mut(self.matched).ok_or(Fault::Malformed)?;
        *slot = byte;
        self.matched += 1;
        let word = self.word.get(..self.matched).unwrap_or_default();
        let fits = !words::is_protocol(word) || words::goes_with(message.text.method(), word);
        accept(words::begins_protocol(word) && fits, Step::Skip)
    }

    fn go(&mut self, state: State, step: Step) -> Result<Step, Fault> {
        self.state = state;
        Ok(step)
    }
}

impl Message {
    fn end_target(&mut self, version: (u8, u8)) -> Result<(), Fault> {
        self.text.end_target();
        self.text.version = version;
        self.size.end_span()
    }
}

fn accept(fine: bool, step: Step) -> Result<Step, Fault> {
    if fine {
        Ok(step)
    } else {
        Err(Fault::Malformed)
    }
}
