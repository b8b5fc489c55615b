//! What a peer can do wrong inside frames, and how ws names it.
//!
//! Owns: [`Violation`] and its table of codes, texts and close codes. Raised by
//! the decoder; crosses the bridge as `id` and `argument`; `lib/errors.js`
//! builds the errors from [`Violation::ALL`]. Runs on: any.

use std::fmt;

use tungstenite::protocol::frame::coding::CloseCode;

/// A breach of RFC 6455 or of a configured limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A reserved bit that no extension uses is set.
    UnexpectedRsv23,
    /// RSV1 is set where no compressed message may begin.
    UnexpectedRsv1,
    /// The opcode is unknown or does not fit the state of fragmentation.
    InvalidOpcode(u8),
    /// A control frame is fragmented.
    ExpectedFin,
    /// A control frame announces this 7-bit length (126 and 127 are markers).
    InvalidControlLength(u8),
    /// A client sent an unmasked frame.
    ExpectedMask,
    /// A server sent a masked frame.
    UnexpectedMask,
    /// A frame announces more than 2^53 - 1 bytes.
    UnsupportedLength,
    /// The data frames of a message announce more than the payload limit.
    MessageTooBig,
    /// A message has more data frames than allowed.
    TooManyFragments,
    /// An incomplete frame came in more inputs than allowed.
    TooManyChunks,
    /// A close frame carries a code that must not be sent.
    InvalidCloseCode(u16),
    /// A text message or a close reason is not UTF-8.
    InvalidUtf8,
    /// A compressed message is not DEFLATE data.
    InvalidDeflate(InflateFault),
}

/// What zlib finds wrong with DEFLATE data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateFault(u8);

impl InflateFault {
    /// zlib's texts; the last one is for whatever else it may say.
    const TEXTS: [&str; 12] = [
        "invalid block type",
        "invalid stored block lengths",
        "too many length or distance symbols",
        "invalid code lengths set",
        "invalid bit length repeat",
        "invalid code -- missing end-of-block",
        "invalid literal/lengths set",
        "invalid distances set",
        "invalid literal/length code",
        "invalid distance code",
        "invalid distance too far back",
        "data error",
    ];

    /// Every fault.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::TEXTS.len() as u8).map(Self)
    }

    /// The fault with zlib's text.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        // zlib-rs has two spellings of this one.
        let text = text.replace("code too far", "too far");
        let last = Self::TEXTS.len() - 1;
        let index = Self::TEXTS.iter().position(|known| *known == text);
        Self(index.unwrap_or(last) as u8)
    }

    const fn text(self) -> &'static str {
        Self::TEXTS[self.0 as usize]
    }
}

use Violation::{
    ExpectedFin, ExpectedMask, InvalidCloseCode, InvalidControlLength, InvalidDeflate,
    InvalidOpcode, InvalidUtf8, MessageTooBig, TooManyChunks, TooManyFragments, UnexpectedMask,
    UnexpectedRsv1, UnexpectedRsv23, UnsupportedLength,
};

impl Violation {
    /// Every violation once, arguments zero, for the table exported to
    /// JavaScript. The order is that in which the checks run.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OF_FRAMES
            .into_iter()
            .chain(InflateFault::all().map(InvalidDeflate))
    }

    const OF_FRAMES: [Self; 13] = [
        UnexpectedRsv23,
        UnexpectedRsv1,
        InvalidOpcode(0),
        ExpectedFin,
        InvalidControlLength(0),
        ExpectedMask,
        UnexpectedMask,
        UnsupportedLength,
        MessageTooBig,
        TooManyFragments,
        TooManyChunks,
        InvalidCloseCode(0),
        InvalidUtf8,
    ];

    /// A stable number that is never 0.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            UnexpectedRsv23 => 1,
            UnexpectedRsv1 => 2,
            InvalidOpcode(_) => 3,
            ExpectedFin => 4,
            InvalidControlLength(_) => 5,
            ExpectedMask => 6,
            UnexpectedMask => 7,
            UnsupportedLength => 8,
            MessageTooBig => 9,
            TooManyFragments => 11,
            TooManyChunks => 12,
            InvalidCloseCode(_) => 13,
            InvalidUtf8 => 14,
            InvalidDeflate(fault) => 15 + fault.0,
        }
    }

    /// The `errno` property of the error, where it has one: zlib's.
    #[must_use]
    pub const fn errno(self) -> Option<i32> {
        match self {
            InvalidDeflate(_) => Some(-3),
            _ => None,
        }
    }

    /// The `code` property of the error, as ws and Node spell it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            UnexpectedRsv23 => "WS_ERR_UNEXPECTED_RSV_2_3",
            UnexpectedRsv1 => "WS_ERR_UNEXPECTED_RSV_1",
            InvalidOpcode(_) => "WS_ERR_INVALID_OPCODE",
            ExpectedFin => "WS_ERR_EXPECTED_FIN",
            InvalidControlLength(_) => "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH",
            ExpectedMask => "WS_ERR_EXPECTED_MASK",
            UnexpectedMask => "WS_ERR_UNEXPECTED_MASK",
            UnsupportedLength => "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
            MessageTooBig => "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
            TooManyFragments | TooManyChunks => "WS_ERR_TOO_MANY_BUFFERED_PARTS",
            InvalidCloseCode(_) => "WS_ERR_INVALID_CLOSE_CODE",
            InvalidUtf8 => "WS_ERR_INVALID_UTF8",
            InvalidDeflate(_) => "Z_DATA_ERROR",
        }
    }

    /// The message of the error, with `%d` where [`argument`](Self::argument)
    /// goes.
    #[must_use]
    pub const fn template(self) -> &'static str {
        match self {
            UnexpectedRsv23 => "Invalid WebSocket frame: RSV2 and RSV3 must be clear",
            UnexpectedRsv1 => "Invalid WebSocket frame: RSV1 must be clear",
            InvalidOpcode(_) => "Invalid WebSocket frame: invalid opcode %d",
            ExpectedFin => "Invalid WebSocket frame: FIN must be set",
            InvalidControlLength(_) => "Invalid WebSocket frame: invalid payload length %d",
            ExpectedMask => "Invalid WebSocket frame: MASK must be set",
            UnexpectedMask => "Invalid WebSocket frame: MASK must be clear",
            UnsupportedLength => "Unsupported WebSocket frame: payload length > 2^53 - 1",
            MessageTooBig => "Max payload size exceeded",
            TooManyFragments => "Too many message fragments",
            TooManyChunks => "Too many buffered chunks",
            InvalidCloseCode(_) => "Invalid WebSocket frame: invalid status code %d",
            InvalidUtf8 => "Invalid WebSocket frame: invalid UTF-8 sequence",
            InvalidDeflate(fault) => fault.text(),
        }
    }

    /// The number in the message, 0 where it has none.
    #[must_use]
    pub const fn argument(self) -> u32 {
        match self {
            InvalidOpcode(number) | InvalidControlLength(number) => number as u32,
            InvalidCloseCode(code) => code as u32,
            _ => 0,
        }
    }

    /// The code of the close frame that answers this violation.
    #[must_use]
    pub fn close_code(self) -> u16 {
        let code = match self {
            UnsupportedLength | MessageTooBig => CloseCode::Size,
            TooManyFragments | TooManyChunks => CloseCode::Policy,
            InvalidUtf8 | InvalidDeflate(_) => CloseCode::Invalid,
            _ => CloseCode::Protocol,
        };
        code.into()
    }

    /// Whether JavaScript sees a `RangeError`; otherwise it is a plain `Error`.
    #[must_use]
    pub const fn is_range_error(self) -> bool {
        !matches!(self, InvalidUtf8 | InvalidDeflate(_))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.template().split_once("%d") {
            Some((before, after)) => write!(formatter, "{before}{}{after}", self.argument()),
            None => formatter.write_str(self.template()),
        }
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_never_zero() {
        let mut ids: Vec<u8> = Violation::all().map(Violation::id).collect();
        ids.dedup();
        assert_eq!(ids.len(), Violation::all().count());
        assert!(ids.is_sorted());
        assert!(!ids.contains(&0));
    }

    #[test]
    fn the_argument_is_in_the_text() {
        assert_eq!(
            InvalidOpcode(11).to_string(),
            "Invalid WebSocket frame: invalid opcode 11"
        );
        assert_eq!(
            InvalidControlLength(126).to_string(),
            "Invalid WebSocket frame: invalid payload length 126"
        );
        assert_eq!(
            InvalidCloseCode(65535).to_string(),
            "Invalid WebSocket frame: invalid status code 65535"
        );
        for violation in Violation::all() {
            assert!(!violation.to_string().contains('%'));
        }
    }

    #[test]
    fn close_codes_and_classes() {
        for violation in Violation::all() {
            let expected = match violation.id() {
                8 | 9 => 1009,
                11 | 12 => 1008,
                14.. => 1007,
                _ => 1002,
            };
            assert_eq!(violation.close_code(), expected, "{violation}");
            assert_eq!(violation.is_range_error(), violation.id() < 14);
        }
    }
}
