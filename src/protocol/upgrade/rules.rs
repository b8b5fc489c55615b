//! Which of Node's parsers the listener agrees with, and the limit that Node was given.
//!
//! Owns: [`Rules`]. Made by whoever knows the running Node, read by `scan` and
//! `fields`. Runs on: any.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/differential/http-head.test.js`.

use super::head::layout;
use super::token::is_blank;

/// What the running Node makes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Node's `maxHeaderSize`: a head whose target, header names and header values come to as
    /// many bytes is too large. Nothing else of a head is kept.
    pub max_header_size: usize,
    /// Node's parser.
    pub llhttp: Llhttp,
}

/// A generation of Node's parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Llhttp {
    /// Before 9, around which Node asks for no Host header. It takes more of a head than the next
    /// one; that is not followed.
    V6,
    /// Up to 9.3.
    V9_3,
    /// From 9.4, with what the Nodes around it changed too.
    V9_4,
}

impl Llhttp {
    /// The generation of a version.
    #[must_use]
    pub fn of(major: u32, minor: u32) -> Self {
        if major < 9 {
            Self::V6
        } else if (major, minor) < (9, 4) {
            Self::V9_3
        } else {
            Self::V9_4
        }
    }

    /// Whether a byte may stand between an option of Connection, or a length, and what ends it.
    pub(super) fn pads(self, byte: u8) -> bool {
        match self {
            Self::V6 | Self::V9_3 => byte == b' ',
            Self::V9_4 => is_blank(byte),
        }
    }

    /// Whether a Transfer-Encoding header may be empty.
    pub(super) fn takes_empty_coding(self) -> bool {
        self != Self::V9_4
    }

    /// Whether a request of HTTP/1.1 must have a Host header.
    pub(super) fn requires_host(self) -> bool {
        self != Self::V6
    }

    /// Headers above which a head is too large; without a limit the rest is dropped.
    pub(super) fn max_headers(self) -> usize {
        match self {
            Self::V6 | Self::V9_3 => usize::MAX,
            Self::V9_4 => layout::MAX_PARSED,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            max_header_size: 16 * 1024,
            llhttp: Llhttp::V9_4,
        }
    }
}
