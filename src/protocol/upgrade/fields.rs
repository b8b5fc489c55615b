//! Header lines, or the trailers of a body in chunks.
//!
//! Owns: [`Fields`], which ends with the empty line, and what the headers with a
//! meaning of their own say. Called by `scan` with one byte at a time. Runs on: any.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/differential/http-head.test.js`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::scan::{Facts, Fault, Message, Step};
use super::token::{is_blank, is_token};
use super::words::{Special, is_value_byte};

/// ```text
/// First ─► Start ─► Name ─► BeforeValue ─┬─► a state of Value ─► ValueFeed ─► AfterValue ─► Start
///            │                           └─► EmptyFeed ─► AfterEmpty ─► Start
///            └─► LastFeed
/// ```
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    state: State,
    are_trailers: bool,
    name_from: usize,
    special: Option<Special>,
    /// What the last word of the value says, if the value goes no further.
    said: Option<Word>,
    length: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    First,
    Start,
    Name,
    BeforeValue,
    EmptyFeed,
    AfterEmpty,
    Value(Value),
    ValueFeed,
    AfterValue,
    LastFeed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Plain,
    /// Content-Length.
    Digits,
    AfterDigits,
    /// An item of Transfer-Encoding: so many bytes of `chunked` were seen.
    Coding(usize),
    AfterChunked,
    OtherCoding,
    BeforeCoding,
    /// An item of Connection.
    BeforeOption,
    Option(Word, usize),
    AfterOption,
    OtherOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Close,
    KeepAlive,
    Upgrade,
    Chunked,
}

impl Fields {
    pub(super) fn trailers() -> Self {
        Self {
            state: State::Start,
            are_trailers: true,
            ..Self::default()
        }
    }

    pub(super) fn are_trailers(&self) -> bool {
        self.are_trailers
    }

    pub(super) fn step(&mut self, byte: u8, message: &mut Message) -> Result<Step, Fault> {
        match (self.state, byte) {
            (State::First, b' ') => Err(Fault::Malformed),
            (State::First, _) => self.go(State::Start, Step::Again),
            (State::Start, b'\r') => self.go(State::LastFeed, Step::Skip),
            (State::Start, b'\n' | b':') => Err(Fault::Malformed),
            (State::Start, _) => {
                if self.are_trailers {
                    message.text.bytes.clear();
                }
                self.name_from = message.text.bytes.len();
                message.size.begin_span();
                if !self.are_trailers && message.text.header_count() >= message.llhttp.max_headers()
                {
                    message.size.exceed();
                }
                self.go(State::Name, Step::Again)
            }
            (State::Name, b':') => {
                message.size.end_span()?;
                self.end_name(message)?;
                self.go(State::BeforeValue, Step::Skip)
            }
            (State::Name, b' ') if Special::of(message.text.since(self.name_from)).is_some() => {
                Err(message.size.refuse())
            }
            (State::Name, _) if is_token(byte) => Ok(Step::Keep),
            (State::BeforeValue, b' ' | b'\t') => Ok(Step::Skip),
            (State::BeforeValue, b'\r') => self.go(State::EmptyFeed, Step::Skip),
            (State::BeforeValue, b'\n') => Err(Fault::Malformed),
            (State::BeforeValue, _) => {
                message.size.begin_span();
                self.begin_value(message)?;
                Ok(Step::Again)
            }
            (State::EmptyFeed, b'\n') => self.go(State::AfterEmpty, Step::Skip),
            (State::AfterEmpty, b' ' | b'\t') => Err(Fault::Malformed),
            (State::AfterEmpty, _) => match self.special {
                Some(Special::ContentLength) => Err(Fault::Malformed),
                Some(Special::TransferEncoding) if !message.llhttp.takes_empty_coding() => {
                    Err(Fault::Malformed)
                }
                _ => self.end_field(message),
            },
            (State::Value(value), _) => self.step_value(value, byte, message),
            (State::ValueFeed, b'\n') => self.go(State::AfterValue, Step::Skip),
            (State::AfterValue, b' ' | b'\t') => Err(Fault::Malformed),
            (State::AfterValue, _) => {
                self.settle(&mut message.facts);
                self.end_field(message)
            }
            (State::LastFeed, b'\n') => Ok(Step::Done),
            _ => Err(Fault::Malformed),
        }
    }

    /// A class of bytes that leaves the state as it is.
    pub(super) fn run(&self) -> Option<fn(&u8) -> bool> {
        match self.state {
            State::Name => Some(|byte| is_token(*byte)),
            State::Value(Value::Plain) => Some(|byte| is_value_byte(*byte)),
            _ => None,
        }
    }

    fn end_name(&mut self, message: &mut Message) -> Result<(), Fault> {
        self.special = Special::of(message.text.since(self.name_from));
        message.text.end_name();
        let facts = &message.facts;
        let contradicts = match self.special {
            Some(Special::TransferEncoding) => facts.content_length.is_some(),
            Some(Special::ContentLength) => facts.transfer_encoding,
            _ => false,
        };
        if contradicts {
            return Err(Fault::Malformed);
        }
        Ok(())
    }

    fn begin_value(&mut self, message: &mut Message) -> Result<(), Fault> {
        let facts = &mut message.facts;
        let value = match self.special {
            None => Value::Plain,
            Some(Special::Upgrade) => {
                facts.upgrade_header = true;
                Value::Plain
            }
            Some(Special::Connection) => Value::BeforeOption,
            Some(Special::ContentLength) if facts.content_length.is_some() => {
                return Err(Fault::Malformed);
            }
            Some(Special::ContentLength) => {
                self.length = 0;
                Value::Digits
            }
            // Nothing may be coded again once it is cut into chunks.
            Some(Special::TransferEncoding) if facts.chunked => return Err(message.size.refuse()),
            Some(Special::TransferEncoding) => {
                facts.transfer_encoding = true;
                Value::Coding(0)
            }
        };
        self.said = None;
        self.state = State::Value(value);
        Ok(())
    }

    fn step_value(&mut self, value: Value, byte: u8, message: &mut Message) -> Result<Step, Fault> {
        let (next, step) = match (value, byte) {
            (Value::Plain, b'\r') => {
                message.size.end_span()?;
                return self.go(State::ValueFeed, Step::Skip);
            }
            (Value::Plain, _) if is_value_byte(byte) => (Value::Plain, Step::Keep),
            (Value::Plain, _) => return Err(message.size.refuse()),

            (Value::Digits, b'0'..=b'9') => {
                let longer = self.length.checked_mul(10);
                let longer = longer.and_then(|tens| tens.checked_add(u64::from(byte - b'0')));
                let Some(length) = longer else {
                    // Node counts the digit that is too much.
                    message.size.add(1);
                    return Err(message.size.refuse());
                };
                self.length = length;
                (Value::Digits, Step::Keep)
            }
            (Value::Digits, _) => (Value::AfterDigits, Step::Again),
            (Value::AfterDigits, _) if message.llhttp.pads(byte) => {
                (Value::AfterDigits, Step::Keep)
            }
            (Value::AfterDigits, b'\r' | b'\n') => {
                message.facts.content_length = Some(self.length);
                (Value::Plain, Step::Again)
            }
            (Value::AfterDigits, _) => return Err(message.size.refuse()),

            (Value::Coding(matched), _) => match CHUNKED.get(matched) {
                Some(expected) if byte | 0x20 == *expected => match matched + 1 {
                    all if all == CHUNKED.len() => (Value::AfterChunked, Step::Keep),
                    more => (Value::Coding(more), Step::Keep),
                },
                _ => (Value::OtherCoding, Step::Again),
            },
            (Value::AfterChunked, b' ') => (Value::AfterChunked, Step::Keep),
            (Value::AfterChunked, b'\r' | b'\n') => {
                self.said = Some(Word::Chunked);
                (Value::Plain, Step::Again)
            }
            (Value::AfterChunked, b',') => return Err(message.size.refuse()),
            (Value::AfterChunked, _) => (Value::OtherCoding, Step::Again),
            (Value::OtherCoding, b',') => (Value::BeforeCoding, Step::Keep),
            (Value::OtherCoding, _) if is_value_byte(byte) => (Value::OtherCoding, Step::Keep),
            (Value::OtherCoding, _) => (Value::Plain, Step::Again),
            (Value::BeforeCoding, _) if is_blank(byte) => (Value::BeforeCoding, Step::Keep),
            (Value::BeforeCoding, _) => (Value::Coding(0), Step::Again),

            (Value::BeforeOption, b' ' | b'\t') => (Value::BeforeOption, Step::Keep),
            (Value::BeforeOption, _) => match Word::beginning_with(byte) {
                Some(word) => (Value::Option(word, 1), Step::Keep),
                None => (Value::OtherOption, Step::Again),
            },
            (Value::Option(word, matched), _) => match word.spelled().get(matched) {
                Some(expected) if byte.eq_ignore_ascii_case(expected) => {
                    if matched + 1 == word.spelled().len() {
                        self.said = Some(word);
                        (Value::AfterOption, Step::Keep)
                    } else {
                        (Value::Option(word, matched + 1), Step::Keep)
                    }
                }
                _ => (Value::OtherOption, Step::Again),
            },
            (Value::AfterOption, b',') => {
                self.settle(&mut message.facts);
                (Value::BeforeOption, Step::Keep)
            }
            (Value::AfterOption, _) if message.llhttp.pads(byte) => {
                (Value::AfterOption, Step::Keep)
            }
            (Value::AfterOption, b'\r' | b'\n') => (Value::Plain, Step::Again),
            (Value::AfterOption, _) => {
                self.said = None;
                (Value::OtherOption, Step::Again)
            }
            (Value::OtherOption, b',') => (Value::BeforeOption, Step::Keep),
            (Value::OtherOption, _) if is_value_byte(byte) => (Value::OtherOption, Step::Keep),
            (Value::OtherOption, _) => (Value::Plain, Step::Again),
        };
        self.go(State::Value(next), step)
    }

    /// Takes note of what the value says.
    fn settle(&mut self, facts: &mut Facts) {
        match self.said.take() {
            Some(Word::Close) => facts.close = true,
            Some(Word::KeepAlive) => facts.keep_alive = true,
            Some(Word::Upgrade) => facts.upgrade_token = true,
            Some(Word::Chunked) => facts.chunked = true,
            None => {}
        }
    }

    fn end_field(&mut self, message: &mut Message) -> Result<Step, Fault> {
        if !self.are_trailers {
            message.text.end_value(self.name_from);
        }
        self.go(State::Start, Step::Again)
    }

    fn go(&mut self, state: State, step: Step) -> Result<Step, Fault> {
        self.state = state;
        Ok(step)
    }
}

impl Word {
    fn beginning_with(byte: u8) -> Option<Self> {
        [Self::Close, Self::KeepAlive, Self::Upgrade]
            .into_iter()
            .find(|word| word.spelled().first() == Some(&byte.to_ascii_lowercase()))
    }

    const fn spelled(self) -> &'static [u8] {
        match self {
            Self::Close => b"close",
            Self::KeepAlive => b"keep-alive",
            Self::Upgrade => b"upgrade",
            Self::Chunked => CHUNKED,
        }
    }
}

const CHUNKED: &[u8] = b"chunked";
