//! The shape of records, shared with `lib/bridge/`.
//!
//! Owns: record tags, flags, word offsets and sizes. JavaScript receives these
//! numbers from `napi/` at load time and never retypes them.
//! Runs on: any.
//!
//! A record is [`RECORD_WORDS`] 32-bit words, in both directions:
//!
//! ```text
//! word 0   tag (bits 0–7) | flags (bits 8–15) | aux (bits 16–31)
//! word 1   slot of the connection in its worker
//! word 2   generation of that slot
//! word 3   argument: the payload length in bytes unless the tag says otherwise
//! ```
//!
//! Events (worker to JavaScript) keep heads and payloads in two arrays.
//! Commands (JavaScript to worker) are written one after the other, each head
//! followed by its payload, padded to four bytes.

/// 32-bit words in a record head.
pub const RECORD_WORDS: usize = 4;
/// Bytes in a record head.
pub const RECORD_BYTES: usize = RECORD_WORDS * 4;

/// Bytes that a record is charged to the inbound budget beside its payload.
pub const RECORD_COST: usize = 256;
/// Payloads above this many bytes travel as blocks and not inside a slab.
pub const INLINE_LIMIT: usize = 4096;
/// Records that a lane's landing has room for.
pub const LANDING_RECORDS: usize = 512;
/// Bytes of inline payload that a lane's landing has room for.
pub const LANDING_BYTES: usize = 128 * 1024;

/// Size of the command slab of a lane.
pub const OUTBOX_SLAB_BYTES: usize = 256 * 1024;
/// Fill level of the command slab at which JavaScript submits at once.
pub const OUTBOX_SUBMIT_BYTES: usize = 128 * 1024;
/// Payloads above this many bytes are attached as blocks to a command.
pub const OUTBOX_INLINE_LIMIT: usize = 8 * 1024;

/// Bits of the aux of an event BACKPRESSURE: it begins, and the connection is to be closed.
pub const BACKPRESSURE_ON: u16 = 1;
/// The latter.
pub const BACKPRESSURE_CLOSES: u16 = 2;

/// Bit of the aux of an event PUBLISHED: compress where that was negotiated.
pub const PUBLISHED_COMPRESS: u16 = 256;
/// Prepared messages that a reactor keeps at a time.
pub const PREPARED_PLACES: usize = 8;

/// Status words that precede the command slab in a lane's shared memory.
pub const STATUS_WORDS: usize = 16;
/// Status word: bytes of complete, unsubmitted records in the slab (JavaScript writes).
pub const STATUS_COMMITTED: usize = 0;
/// Status word: 1 while the inline driver is at it: it submits by itself (the driver writes).
pub const STATUS_IN_TURN: usize = 1;
/// Status word: slot of the identity that `reserve` made last.
pub const STATUS_SLOT: usize = 2;
/// Status word: generation of the identity that `reserve` made last.
pub const STATUS_GENERATION: usize = 3;
/// Status word: 1 from the beginning of a landing's records to their end, also while a handler
/// that threw has left some (JavaScript writes).
pub const STATUS_DISPATCHING: usize = 4;
/// Status word: 1 while the sentinel sleeps. JavaScript wakes it when it leaves a record in the slab
/// (the sentinel writes).
pub const STATUS_ASLEEP: usize = 5;

/// Bits that calls which run commands return.
pub mod turn {
    /// There are events to drain.
    pub const DELIVERED: u32 = 1;
    /// The command could not be run just now.
    pub const REFUSED: u32 = 2;
}

/// Entries in one chunk of the written-bytes table.
pub const TABLE_CHUNK: usize = 1024;

/// Events, worker to JavaScript.
pub mod event {
    /// A complete message. Flags: [`super::flag::BINARY`], [`super::flag::BLOCK`].
    pub const MESSAGE: u8 = 1;
    /// Lengths (u32, little endian) of the non-empty frames of the binary message that follows,
    /// if there is more than one.
    pub const FRAGMENTS: u8 = 2;
    /// A ping with its payload.
    pub const PING: u8 = 3;
    /// A pong with its payload.
    pub const PONG: u8 = 4;
    /// A close frame: aux is the code (1005 for an empty frame), the payload is the reason.
    pub const CLOSE: u8 = 5;
    /// The peer broke the protocol: aux is the violation's id, the argument its number.
    pub const VIOLATION: u8 = 6;
    /// The peer finished its side of the stream without our having ended ours.
    pub const EOF: u8 = 7;
    /// The socket is closed: the argument is the operating system's error number or 0.
    pub const GONE: u8 = 8;
    /// The argument counts acknowledged commands whose bytes reached the kernel.
    pub const WRITTEN: u8 = 9;
    /// An upgrade request: aux is the listener's id, the payload its head. Always a block.
    pub const UPGRADE: u8 = 10;
    /// The connection was taken out of the reactor: nothing follows.
    pub const EXTRACTED: u8 = 11;
    /// Stream transport only: a frame of a compressed message. Flags: BINARY, FIN, BLOCK.
    pub const DEFLATED: u8 = 12;
    /// The peer sent more in a second than it may: aux is 1 for messages, 2 for bytes. Nothing that it
    /// sent follows.
    pub const LIMITED: u8 = 13;
    /// Aux is 1 when a message did not fit into the limit of what may wait, 0 when half of it is free
    /// again.
    pub const BACKPRESSURE: u8 = 14;
    /// Messages were dropped. The payload: how many (u32), their bytes (u64), then the numbers (u32) of
    /// the commands, among those that asked for a WRITTEN event, which never will have one. All little
    /// endian.
    pub const DROPPED: u8 = 15;
    /// Another thread published a message to sockets that JavaScript has: aux is the opcode, with
    /// [`super::PUBLISHED_COMPRESS`]; the payload is the topic's number, how many they are, slot and generation of each (u32,
    /// little endian), then the message.
    pub const PUBLISHED: u8 = 16;
}

/// Commands, JavaScript to worker.
pub mod command {
    /// A frame: aux is the opcode; flags FIN, MASK, ACK, COMPRESS, WHOLE, BLOCK.
    pub const FRAME: u8 = 1;
    /// Bytes as they are; flags ACK, BLOCK.
    pub const RAW: u8 = 2;
    /// Finish our side of the stream once all is written; argument 1 closes the socket then.
    pub const END: u8 = 3;
    /// Close the socket at once; argument 1 resets the connection.
    pub const DESTROY: u8 = 4;
    /// Stop reading.
    pub const PAUSE: u8 = 5;
    /// Read again.
    pub const RESUME: u8 = 6;
    /// Turn an upgrade request into a connection: the payload is a [`super::settings`] block
    /// and the response bytes.
    pub const ACCEPT: u8 = 7;
    /// JavaScript is done with the slot; it may be given away again.
    pub const RELEASE: u8 = 8;
    /// The argument is 1 to disable Nagle's algorithm, else 0.
    pub const NO_DELAY: u8 = 10;
    /// Keep-alive probes: aux is 1 to send them, the argument the idle time in seconds before them,
    /// 0 for the system's.
    pub const KEEP_ALIVE: u8 = 11;
    /// The argument is the largest message from now on in bytes, 0 for no limit.
    pub const MAX_PAYLOAD: u8 = 12;
    /// Report GONE if the peer of an undecided upgrade request leaves.
    pub const WATCH: u8 = 13;
    /// The connection joins the topic whose number is the argument.
    pub const SUBSCRIBE: u8 = 14;
    /// The connection leaves the topic whose number is the argument.
    pub const UNSUBSCRIBE: u8 = 15;
    /// The connection leaves all its topics.
    pub const LEAVE: u8 = 16;
    /// The next PUBLISH passes the connection over.
    pub const EXCEPT: u8 = 17;
    /// A message for the members of a topic, whose number stands in the place of the slot: aux is
    /// the opcode; flags COMPRESS, BLOCK.
    pub const PUBLISH: u8 = 18;
    /// The argument is 1 while JavaScript passes on by itself what it publishes to the connection.
    pub const GUARD: u8 = 19;
    /// A message that POST will name by its place, which stands in the place of the slot: aux is the
    /// opcode; flags COMPRESS, BLOCK.
    pub const PREPARE: u8 = 20;
    /// An unmasked frame with the message in the place that the argument names; flag ACK.
    pub const POST: u8 = 21;
    /// Nobody will name the message in this place any more, which stands in the place of the slot.
    pub const FORGET: u8 = 22;
    /// The slot stands for a socket that JavaScript has, which may be a member of topics.
    pub const ENLIST: u8 = 23;
}

/// Flags, bits 8–15 of word 0.
pub mod flag {
    /// Event MESSAGE: a binary message.
    pub const BINARY: u8 = 1;
    /// The payload is the next block and not inline.
    pub const BLOCK: u8 = 2;
    /// Command FRAME, event DEFLATED: the final fragment.
    pub const FIN: u8 = 4;
    /// Command FRAME: mask with a fresh key.
    pub const MASK: u8 = 8;
    /// Report with a WRITTEN event when the bytes reached the kernel.
    pub const ACK: u8 = 16;
    /// Command FRAME, first of a message: compress the message if that was negotiated.
    pub const COMPRESS: u8 = 32;
    /// Command FRAME: an unmasked message that was published: it waits for the end of one that is in
    /// progress.
    pub const WHOLE: u8 = 64;
}

/// The settings words at the head of an ACCEPT payload and in an adoption.
pub mod settings {
    /// Words in the block.
    pub const WORDS: usize = 12;
    /// Largest message in bytes, 0 for no limit.
    pub const MAX_PAYLOAD: usize = 0;
    /// Most fragments in a message, 0 for no limit.
    pub const MAX_FRAGMENTS: usize = 1;
    /// Most chunks held for an incomplete frame, 0 for no limit.
    pub const MAX_BUFFERED_CHUNKS: usize = 2;
    /// Bit set of the flags below.
    pub const FLAGS: usize = 3;
    /// permessage-deflate: bits and fields of [`super::compression`], 0 without it.
    pub const COMPRESSION: usize = 4;
    /// Bytes below which messages go out uncompressed where the context is not taken over.
    pub const THRESHOLD: usize = 5;
    /// Milliseconds of silence after which the peer is pinged, 0 for never.
    pub const HEARTBEAT_INTERVAL: usize = 6;
    /// Milliseconds that it may take to answer.
    pub const HEARTBEAT_TIMEOUT: usize = 7;
    /// Messages, pings and pongs that are taken in a second, 0 for no limit.
    pub const INBOUND_MESSAGES: usize = 8;
    /// Bytes that are read in a second, 0 for no limit.
    pub const INBOUND_BYTES: usize = 9;
    /// Bytes that may wait for the peer, 0 for no limit.
    pub const MAX_BACKPRESSURE: usize = 10;
    /// Which server it is of, as far as counting goes; 0 for none.
    pub const ACCOUNT: usize = 11;
    /// Flag: we are the client.
    pub const CLIENT: u32 = 1;
    /// Flag: text is not checked.
    pub const SKIP_UTF8_VALIDATION: u32 = 2;
    /// Flag: a peer that sends more than the limit is left.
    pub const INBOUND_CLOSES: u32 = 4;
    /// Where in the flags the policy for slow peers is, one of [`super::policy`].
    pub const POLICY_SHIFT: u32 = 8;
}

/// What is counted for each server, by its place.
pub mod tally {
    /// How many numbers there are.
    pub const NUMBERS: usize = DROPPED + 2 * super::policy::COUNT;
    /// Messages that came.
    pub const RECEIVED: usize = 0;
    /// Bytes of their payloads.
    pub const RECEIVED_BYTES: usize = 1;
    /// Pings that came.
    pub const PINGS_RECEIVED: usize = 2;
    /// Pongs that came.
    pub const PONGS_RECEIVED: usize = 3;
    /// Messages that were given to sockets.
    pub const SENT: usize = 4;
    /// Bytes of their payloads.
    pub const SENT_BYTES: usize = 5;
    /// Pings that were.
    pub const PINGS_SENT: usize = 6;
    /// Pongs that were.
    pub const PONGS_SENT: usize = 7;
    /// Of the messages those that were published.
    pub const DELIVERED: usize = 8;
    /// Messages that each of the policies dropped, and bytes of their payloads, by turns.
    pub const DROPPED: usize = 9;
}

/// What becomes of messages that exceed [`settings::MAX_BACKPRESSURE`].
pub mod policy {
    /// They wait, too.
    pub const BUFFER: u32 = 0;
    /// They are dropped.
    pub const DROP_NEWEST: u32 = 1;
    /// What waits longest is dropped for them.
    pub const DROP_OLDEST: u32 = 2;
    /// What waits of their topic is dropped for them, then what waits longest.
    pub const LATEST: u32 = 3;
    /// They are dropped, and the connection is closed.
    pub const CLOSE: u32 = 4;
    /// How many there are.
    pub const COUNT: usize = 5;
}

/// The compression word of the settings: bits, then fields of four bits at these shifts.
pub mod compression {
    /// Bit: permessage-deflate was negotiated.
    pub const ON: u32 = 1;
    /// Bit: the peer may refer to earlier messages.
    pub const INFLATE_TAKEOVER: u32 = 2;
    /// Bit: we may refer to earlier messages.
    pub const DEFLATE_TAKEOVER: u32 = 4;
    /// Bit: frames of compressed messages are handed out as they are (stream transport).
    pub const PASS_ON: u32 = 8;
    /// Field: window bits of the peer.
    pub const INFLATE_BITS: u32 = 4;
    /// Field: window bits of ours.
    pub const DEFLATE_BITS: u32 = 8;
    /// Field: zlib's level plus one.
    pub const LEVEL: u32 = 12;
    /// Field: zlib's memLevel.
    pub const MEM_LEVEL: u32 = 16;
    /// Field: zlib's strategy.
    pub const STRATEGY: u32 = 20;
    /// Largest value of a field.
    pub const FIELD: u32 = 15;
}

/// Packs word 0 of a record head.
#[must_use]
pub const fn word0(tag: u8, flags: u8, aux: u16) -> u32 {
    tag as u32 | (flags as u32) << 8 | (aux as u32) << 16
}

/// A record head taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the record is.
    pub tag: u8,
    /// Bit set of [`flag`] values.
    pub flags: u8,
    /// Tag-specific.
    pub aux: u16,
    /// Slot in the worker.
    pub slot: u32,
    /// Generation of the slot.
    pub generation: u32,
    /// Payload length, or tag-specific.
    pub argument: u32,
}

impl Head {
    /// Reads a head from its words.
    #[must_use]
    pub const fn from_words(words: [u32; RECORD_WORDS]) -> Self {
        Self {
            tag: words[0] as u8,
            flags: (words[0] >> 8) as u8,
            aux: (words[0] >> 16) as u16,
            slot: words[1],
            generation: words[2],
            argument: words[3],
        }
    }

    /// The words of this head.
    #[must_use]
    pub const fn to_words(self) -> [u32; RECORD_WORDS] {
        [
            word0(self.tag, self.flags, self.aux),
            self.slot,
            self.generation,
            self.argument,
        ]
    }

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The place of the record after one with an inline payload of `length` bytes at `offset`.
#[must_use]
pub const fn next_record(offset: usize, length: usize) -> usize {
    (offset + RECORD_BYTES + length + 3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_the_trip() {
        let head = Head {
            tag: 5,
            flags: 18,
            aux: 0xabcd,
            slot: 7,
            generation: u32::MAX,
            argument: 9,
        };
        assert_eq!(Head::from_words(head.to_words()), head);
        assert!(head.has(flag::ACK) && head.has(flag::BLOCK) && !head.has(flag::FIN));
    }

    #[test]
    fn records_stay_aligned() {
        assert_eq!(next_record(0, 0), 16);
        assert_eq!(next_record(16, 1), 36);
        assert_eq!(next_record(16, 4), 36);
    }
}
