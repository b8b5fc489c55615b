//! Writing frames.
//!
//! Owns: [`encode_frame`], [`encode_header`]. Called by drivers for everything
//! they send. Runs on: any. Must never check what it is told to write: the
//! callers do. Tests: here, and round trips in `tests/protocol_properties.rs`.

use super::MAX_HEADER_SIZE;
use crate::protocol::mask::copy_masked;

/// A frame header in wire form.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; MAX_HEADER_SIZE],
    len: u8,
}

impl EncodedHeader {
    /// The bytes to send before the payload.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Writes the header of a frame whose payload is sent separately (masked by the
/// caller when `mask` is given).
#[inline]
#[must_use]
pub fn encode_header(
    fin: bool,
    rsv1: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload_len: u64,
) -> EncodedHeader {
    let mut bytes = [0; MAX_HEADER_SIZE];
    bytes[0] = u8::from(fin) << 7 | u8::from(rsv1) << 6 | opcode & 0x0f;
    let (marker, mut len) = match payload_len {
        0..126 => (payload_len as u8, 2),
        126..=0xffff => {
            bytes[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            (126, 4)
        }
        _ => {
            bytes[2..10].copy_from_slice(&payload_len.to_be_bytes());
            (127, 10)
        }
    };
    bytes[1] = marker;
    if let Some(key) = mask {
        bytes[1] |= 0x80;
        bytes[len..len + 4].copy_from_slice(&key);
        len += 4;
    }
    EncodedHeader {
        bytes,
        len: len as u8,
    }
}

/// Appends a whole frame to `out`, masking the payload when a key is given.
#[inline]
pub fn encode_frame(
    out: &mut Vec<u8>,
    fin: bool,
    rsv1: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload: &[u8],
) {
    let header = encode_header(fin, rsv1, opcode, mask, payload.len() as u64);
    out.reserve(MAX_HEADER_SIZE + payload.len());
    out.extend_from_slice(header.as_slice());
    copy_masked(out, payload, mask.unwrap_or_default(), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload_len: usize, mask: Option<[u8; 4]>, expect: &[u8]) {
        let mut out = Vec::new();
        encode_frame(&mut out, true, false, 2, mask, &vec![0; payload_len]);
        assert_eq!(out[..expect.len()], *expect, "{payload_len}");
        assert_eq!(out.len(), expect.len() + payload_len);
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        check(0, None, &[0x82, 0]);
        check(125, None, &[0x82, 125]);
        check(126, None, &[0x82, 126, 0, 126]);
        check(65_535, None, &[0x82, 126, 0xff, 0xff]);
        check(65_536, None, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        check(1, Some([1, 2, 3, 4]), &[0x82, 0x81, 1, 2, 3, 4]);
        check(300, Some([1, 2, 3, 4]), &[0x82, 0xfe, 1, 44, 1, 2, 3, 4]);
        check(
            70_000,
            Some([9; 4]),
            &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70, 9, 9, 9, 9],
        );
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let mut out = Vec::new(); // RFC 6455 section 5.7
        encode_frame(
            &mut out,
            true,
            false,
            1,
            Some([0x37, 0xfa, 0x21, 0x3d]),
            b"Hello",
        );
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        out.clear();
        encode_frame(&mut out, false, false, 1, None, b"Hel");
        encode_frame(&mut out, true, false, 0, None, b"lo");
        assert_eq!(out, b"\x01\x03Hel\x80\x02lo");
        assert_eq!(encode_header(false, true, 1, None, 3).as_slice(), [0x41, 3]);
    }
}
