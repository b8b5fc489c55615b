//! Reading frame headers and the checks that need nothing but the header.
//!
//! Owns: [`FrameHeader`] and the order of checks (ws's order: reserved bits,
//! opcode, FIN, control length, mask, length limits, number of frames). Called
//! by the decoder. Runs on: any. Must never wait for bytes that a check does
//! not need. Tests: the tables below and `tests/protocol_decoder.rs`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::protocol::{Role, Violation};

/// A frame header that passed its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) fin: bool,
    /// Set only where [`Rules::compression`] allows it: on the first frame of a
    /// message.
    pub(crate) rsv1: bool,
    pub(crate) opcode: OpCode,
    /// The masking key, zero for an unmasked frame.
    pub(crate) key: [u8; 4],
    pub(crate) payload_len: u64,
}

/// What the state of the connection says about the next header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) role: Role,
    /// Whether permessage-deflate was negotiated, so that RSV1 may mark a
    /// message's first frame.
    pub(crate) compression: bool,
    /// Whether a fragmented message is in progress.
    pub(crate) in_message: bool,
    /// Payload bytes that the message may still announce.
    pub(crate) room: u64,
    /// Whether the message may have one more frame.
    pub(crate) another_frame: bool,
}

impl FrameHeader {
    /// Reads a header at the start of `bytes`: the header and its size, or
    /// `None` while bytes are missing. Violations are found as early as their
    /// bytes are there, so asking again with more bytes is cheap and safe.
    pub(crate) fn parse(bytes: &[u8], rules: Rules) -> Result<Option<(Self, usize)>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let opcode = check_first_bytes(first, second, rules)?;

        let (payload_len, rest, size) = match second & 0x7f {
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest, 4),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest, 10),
                None => return Ok(None),
            },
            len => (u64::from(len), rest, 2),
        };
        if let OpCode::Data(_) = opcode {
            check_length(payload_len, rules)?;
        }

        let (key, size) = match (second & 0x80 != 0, rest.first_chunk()) {
            (false, _) => ([0; 4], size),
            (true, Some(key)) => (*key, size + 4),
            (true, None) => return Ok(None),
        };
        let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
        Ok(Some((
            Self {
                fin,
                rsv1,
                opcode,
                key,
                payload_len,
            },
            size,
        )))
    }
}

/// How many of the first `held` bytes of a header are complete parts, where the
/// parts are the first two bytes, the extended length and the mask.
pub(super) fn completed_part(second: u8, held: usize) -> usize {
    let length = match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    match held {
        0..2 => 0,
        _ if held < length => 2,
        _ => length,
    }
}

fn check_first_bytes(first: u8, second: u8, rules: Rules) -> Result<OpCode, Violation> {
    let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
    if first & 0x30 != 0 {
        return Err(Violation::UnexpectedRsv23);
    }
    if rsv1 && !rules.compression {
        return Err(Violation::UnexpectedRsv1);
    }
    let number = first & 0x0f;
    let opcode = OpCode::from(number);
    match opcode {
        OpCode::Data(Data::Continue) => {
            if rsv1 {
                return Err(Violation::UnexpectedRsv1);
            }
            if !rules.in_message {
                return Err(Violation::InvalidOpcode(number));
            }
        }
        OpCode::Data(Data::Text | Data::Binary) => {
            if rules.in_message {
                return Err(Violation::InvalidOpcode(number));
            }
        }
        OpCode::Control(control @ (Control::Close | Control::Ping | Control::Pong)) => {
            let len = second & 0x7f;
            if !fin {
                return Err(Violation::ExpectedFin);
            }
            if rsv1 {
                return Err(Violation::UnexpectedRsv1);
            }
            if len > 125 || (control == Control::Close && len == 1) {
                return Err(Violation::InvalidControlLength(len));
            }
        }
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
            return Err(Violation::InvalidOpcode(number));
        }
    }
    match (rules.role, second & 0x80 != 0) {
        (Role::Server, false) => Err(Violation::ExpectedMask),
        (Role::Client, true) => Err(Violation::UnexpectedMask),
        _ => Ok(opcode),
    }
}

fn check_length(payload_len: u64, rules: Rules) -> Result<(), Violation> {
    if payload_len > MAX_SAFE_INTEGER {
        return Err(Violation::UnsupportedLength);
    }
    if payload_len > rules.room {
        return Err(Violation::MessageTooBig);
    }
    // COMPAT(ws 8.23): same error; ws raises it when the frame's payload is there,
    // which would make the outcome depend on how the bytes are cut.
    if !rules.another_frame {
        return Err(Violation::TooManyFragments);
    }
    Ok(())
}

/// 2^53 - 1, the largest length that a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests may panic"
)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        role: Role::Client,
        compression: false,
        in_message: false,
        room: u64::MAX,
        another_frame: true,
    };
    const DEFLATE: Rules = Rules {
        compression: true,
        ..RULES
    };

    fn check(bytes: &[u8], rules: Rules, expect: Violation) {
        assert_eq!(
            FrameHeader::parse(bytes, rules),
            Err(expect),
            "{bytes:02x?}"
        );
    }

    #[test]
    fn rsv1_is_accepted_where_a_compressed_message_begins() {
        let (header, size) = FrameHeader::parse(&[0xc1, 5], DEFLATE).unwrap().unwrap();
        assert!(header.rsv1 && header.fin);
        assert_eq!((size, header.payload_len), (2, 5));
        check(&[0xc0, 0], DEFLATE, Violation::UnexpectedRsv1);
        check(
            &[0xc0, 0],
            Rules {
                in_message: true,
                ..DEFLATE
            },
            Violation::UnexpectedRsv1,
        );
        check(&[0xc9, 0], DEFLATE, Violation::UnexpectedRsv1);
        check(&[0x49, 0], DEFLATE, Violation::ExpectedFin); // FIN before RSV1
        check(&[0x49, 0], RULES, Violation::UnexpectedRsv1); // unless RSV1 is never right
    }

    #[test]
    fn a_header_is_complete_with_its_last_byte() {
        let server = Rules {
            role: Role::Server,
            ..RULES
        };
        let headers: [(&[u8], u64); 3] = [
            (&[0x82, 0x85, 1, 2, 3, 4], 5),
            (&[0x82, 0xfe, 0, 1, 1, 2, 3, 4], 1), // longer form than needed
            (
                &[
                    0x82, 0xff, 0, 0x1f, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4,
                ],
                (1 << 53) - 1,
            ),
        ];
        for (bytes, payload_len) in headers {
            for held in 0..bytes.len() {
                assert_eq!(FrameHeader::parse(&bytes[..held], server), Ok(None));
            }
            let (header, size) = FrameHeader::parse(bytes, server).unwrap().unwrap();
            assert_eq!((header.payload_len, size), (payload_len, bytes.len()));
            assert_eq!(header.key, [1, 2, 3, 4]);
        }
    }

    #[test]
    fn length_limits_do_not_wait_for_the_mask() {
        let server = Rules {
            role: Role::Server,
            room: 10,
            ..RULES
        };
        check(&[0x82, 0x80 | 11], server, Violation::MessageTooBig);
        check(
            &[0x82, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0],
            server,
            Violation::UnsupportedLength,
        );
        let full = Rules {
            another_frame: false,
            in_message: true,
            ..RULES
        };
        check(&[0x80, 0], full, Violation::TooManyFragments);
        assert!(FrameHeader::parse(&[0x89, 0], full).is_ok());
    }

    #[test]
    fn parts_of_a_header() {
        for (second, held, expect) in [
            (5, 0, 0),
            (5, 1, 0),
            (5, 4, 2),
            (126, 3, 2),
            (126, 5, 4),
            (127, 9, 2),
            (127, 12, 10),
        ] {
            assert_eq!(completed_part(second, held), expect);
        }
    }
}
