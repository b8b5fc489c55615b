//! What a message looks like on its way through an engine: a header of 20 bytes, then
//! the payload as it was published.
//!
//! Owns: the layout, which processes of different versions share: it may grow only under
//! another `VERSION`. Runs on: any. Never trusts what it reads. Tests: here.
//!
//! ```text
//! 0      2         3       4            12               20
//! ┌──────┬─────────┬───────┬────────────┬────────────────┬─────────
//! │ "fw" │ version │ flags │ origin, LE │ sequence, LE   │ payload
//! └──────┴─────────┴───────┴────────────┴────────────────┴─────────
//! ```

use bytes::BufMut;

/// Bytes before the payload.
pub(super) const HEADER: usize = 20;

const MAGIC: [u8; 2] = *b"fw";
const VERSION: u8 = 1;

const BINARY: u8 = 1;
const COMPRESS: u8 = 2;
/// Messages of this origin up to this sequence may never have been sent: there is no payload.
const HOLE: u8 = 4;
const KNOWN_FLAGS: u8 = BINARY | COMPRESS | HOLE;

/// Opcodes of RFC 6455.
const TEXT_OPCODE: u8 = 1;
const BINARY_OPCODE: u8 = 2;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Text or binary.
    pub(super) opcode: u8,
    /// Compress it where that was negotiated.
    pub(super) compress: bool,
    /// Tells that messages are missing, and carries none.
    pub(super) hole: bool,
    /// Who published it, for as long as it numbers messages in one go.
    pub(super) origin: u64,
    /// Which message of its origin to this topic it is, from 1.
    pub(super) sequence: u64,
}

impl Header {
    /// Appends a frame: this header before a payload.
    pub(super) fn write(&self, bytes: &mut impl BufMut, payload: &[u8]) {
        let mut flags = 0;
        for (set, flag) in [
            (self.opcode == BINARY_OPCODE, BINARY),
            (self.compress, COMPRESS),
            (self.hole, HOLE),
        ] {
            flags |= if set { flag } else { 0 };
        }
        bytes.put_slice(&MAGIC);
        bytes.put_slice(&[VERSION, flags]);
        bytes.put_slice(&self.origin.to_le_bytes());
        bytes.put_slice(&self.sequence.to_le_bytes());
        bytes.put_slice(payload);
    }

    /// Reads a frame. `None` if it is none of ours, or its payload is not what it says.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, payload) = bytes.split_at_checked(HEADER)?;
        let (start, numbers) = header.split_at_checked(4)?;
        let [m0, m1, VERSION, flags] = *start else {
            return None;
        };
        if [m0, m1] != MAGIC || flags & !KNOWN_FLAGS != 0 {
            return None;
        }
        let (origin, sequence) = numbers.split_at_checked(8)?;
        let binary = flags & BINARY != 0;
        let header = Self {
            opcode: if binary { BINARY_OPCODE } else { TEXT_OPCODE },
            compress: flags & COMPRESS != 0,
            hole: flags & HOLE != 0,
            origin: u64::from_le_bytes(origin.try_into().ok()?),
            sequence: u64::from_le_bytes(sequence.try_into().ok()?),
        };
        // Peers of WebSockets close on text that is none.
        let is_sound = binary || simdutf8::basic::from_utf8(payload).is_ok();
        (is_sound && (!header.hole || payload.is_empty())).then_some((header, payload))
    }
}

#[cfg(test)]
impl Header {
    /// A frame of its own.
    pub(super) fn frame(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, payload);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_OF_TEXT: Header = Header {
        opcode: TEXT_OPCODE,
        compress: true,
        hole: false,
        origin: 0x0123_4567_89ab_cdef,
        sequence: 258,
    };

    #[test]
    fn the_layout_is_this() {
        let bytes = HEADER_OF_TEXT.frame(b"hi");
        let expected = [
            b"fw\x01\x02".as_slice(),
            &[0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01],
            &[2, 1, 0, 0, 0, 0, 0, 0],
            b"hi",
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(
            Header::read(&bytes),
            Some((HEADER_OF_TEXT, b"hi".as_slice()))
        );
    }

    #[test]
    fn every_header_is_read_as_it_was_written() {
        for opcode in [TEXT_OPCODE, BINARY_OPCODE] {
            for (compress, hole) in [(false, false), (true, false), (false, true)] {
                let header = Header {
                    opcode,
                    compress,
                    hole,
                    origin: u64::MAX,
                    sequence: 1,
                };
                let bytes = header.frame(b"");
                assert_eq!(bytes.len(), HEADER);
                assert_eq!(Header::read(&bytes), Some((header, b"".as_slice())));
            }
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        let sound = HEADER_OF_TEXT.frame(b"hi");
        for end in 0..HEADER {
            assert_eq!(Header::read(&sound[..end]), None, "cut at {end}");
        }
        // Magic, version, flags nobody knows, a payload in what carries none, text that is none.
        for (at, value) in [
            (0, b'x'),
            (1, b'x'),
            (2, 9),
            (3, 0x80),
            (3, HOLE),
            (20, 0xff),
        ] {
            let mut bytes = sound.clone();
            bytes[at] = value;
            assert_eq!(Header::read(&bytes), None, "{value} at {at}");
        }
        let mut binary = HEADER_OF_TEXT.frame(&[0xff]);
        assert_eq!(Header::read(&binary), None);
        binary[3] |= BINARY;
        assert!(Header::read(&binary).is_some());
    }
}
