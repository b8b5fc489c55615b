//! Connections that leave a reactor: what was read is in the events before, in the
//! decoder or behind it; what was queued is on the wire or comes along.

use super::*;
use crate::protocol::{Decoder, EventSink, Payload, Violation};
use crate::reactor::memory::{CONNECTION_RESET, pair};
use crate::reactor::{Counts, Extract, Side as OurSide, Socket};

const TEXT: u16 = 1;
const FIN: u8 = flag::FIN;
const DEFLATED: u32 = compression::ON
    | compression::INFLATE_TAKEOVER
    | compression::DEFLATE_TAKEOVER
    | 15 << compression::INFLATE_BITS
    | 15 << compression::DEFLATE_BITS
    | 7 << compression::LEVEL
    | 8 << compression::MEM_LEVEL;

fn extract(side: &mut Side, id: SlotId, ahead: usize) -> Option<Extract<MemorySocket>> {
    side.reactor.begin_turn(side.now, side.limits);
    let extract = side.reactor.extract(id, ahead);
    side.reactor.finish_turn();
    extract
}

fn tags(side: &mut Side) -> Vec<u8> {
    side.drain().iter().map(|event| event.head.tag).collect()
}

/// Messages that a decoder delivers.
#[derive(Default)]
struct Messages(Vec<Vec<u8>>);

impl EventSink for Messages {
    fn message(&mut self, _: bool, payload: Payload<'_>, _: &[u32]) {
        self.0.push(match payload {
            Payload::Borrowed(bytes) => bytes.to_vec(),
            Payload::Owned(bytes) => bytes,
        });
    }
    fn ping(&mut self, _: &[u8]) {}
    fn pong(&mut self, _: &[u8]) {}
    fn close(&mut self, _: u16, _: &[u8]) {}
    fn violation(&mut self, violation: Violation) {
        panic!("{violation:?}");
    }
    fn allocate(&mut self, capacity: usize) -> Vec<u8> {
        Vec::with_capacity(capacity)
    }
    fn recycle(&mut self, _: Vec<u8>) {}
}

/// Lets a decoder go on until it has taken everything.
fn decode(mut decoder: Decoder, mut held: Vec<u8>, rest: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Messages::default();
    decoder.resume(&mut messages);
    held.extend_from_slice(rest);
    assert_eq!(decoder.handle_input(&mut held, &mut messages), 0);
    messages.0
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
    crate::protocol::encode_frame(
        &mut bytes,
        fin,
        rsv1,
        first & 15,
        Some([1, 2, 3, 4]),
        payload,
    );
    bytes
}

#[test]
fn events_come_before_the_end_and_half_a_frame_goes_along() {
    let mut side = Side::new();
    let (ours, theirs) = pair(1 << 20);
    let id = side.adopt(ours, 0, 0);
    let half = masked(0x81, &[b'x'; 9000]);
    theirs.send(&masked(0x81, b"whole")).unwrap();
    theirs.send(&half[..4000]).unwrap();
    side.turn();
    let Extract {
        socket,
        decoder,
        held,
        counts,
        ..
    } = extract(&mut side, id, 0).unwrap();
    assert_eq!(tags(&mut side), [event::MESSAGE, event::EXTRACTED]);
    assert!(extract(&mut side, id, 0).is_none(), "once");
    assert_eq!(
        counts,
        Counts {
            received: 4011,
            sent: 0
        }
    );
    assert_eq!(
        side.reactor.counts(id),
        Some(counts),
        "until it is released"
    );
    assert!(side.reactor.is_empty());

    // Nobody watches the socket any more.
    theirs.send(&half[4000..]).unwrap();
    side.turn();
    assert_eq!(tags(&mut side), b"");
    let messages = decode(decoder.unwrap(), held, &socket.receive_all());
    assert_eq!(messages, [vec![b'x'; 9000]]);
    side.order(command::RELEASE, id, 0);
    assert_eq!(side.reactor.counts(id), None);
}

#[test]
fn what_a_paused_socket_holds_is_read_as_far_as_it_is_wanted() {
    let mut side = Side::new();
    let (ours, theirs) = pair(1 << 20);
    let id = side.adopt(ours, 0, 0);
    side.order(command::PAUSE, id, 0);
    theirs.send(&[7; 50_000]).unwrap();
    side.turn();
    let Extract {
        socket,
        ahead,
        counts,
        ..
    } = extract(&mut side, id, 20_000).unwrap();
    assert!((20_000..40_000).contains(&ahead.len()), "{}", ahead.len());
    assert_eq!(counts.received, ahead.len() as u64);
    assert_eq!(ahead.len() + socket.receive_all().len(), 50_000);
}

#[test]
fn unsent_bytes_go_along_with_their_acknowledgements() {
    let mut side = Side::new();
    let (ours, theirs) = pair(1000);
    let id = side.adopt(ours, 0, 0);
    for length in [500, 700, 30_000] {
        side.frame(id, FIN | flag::ACK, TEXT, &vec![b'a'; length]);
    }
    side.command(command::RAW, flag::ACK, 0, id, b"");
    side.order(command::END, id, 0);
    let extract = extract(&mut side, id, 0).unwrap();
    // The kernel took the first frame and a part of the second.
    let total = 504 + 704 + 30_004;
    assert_eq!(tags(&mut side), [event::WRITTEN, event::EXTRACTED]);
    assert_eq!(extract.unsent.len(), total - 1000);
    assert_eq!(extract.acks, [208, 30_212, 30_212]);
    assert_eq!(extract.side, OurSide::Ending { close: false });
    assert_eq!(extract.counts.sent, total as u64);
    let mut wire = theirs.receive_all();
    wire.extend_from_slice(&extract.unsent);
    assert_eq!(wire.len(), total);
    assert!(side.reactor.is_flushed(), "nothing is left behind");
}

#[test]
fn messages_in_the_middle_of_compression_are_finished_or_go_along() {
    let text: Vec<u8> = (0..400_000u32).map(|at| (at / 7 % 61) as u8).collect();
    let mut side = Side::new();
    let (ours, theirs) = pair(8 << 20);
    let id = side.adopt(ours, 0, DEFLATED);
    // More than this turn may compress; the second one waits behind it.
    side.frame(id, FIN | flag::COMPRESS | flag::ACK, TEXT, &text);
    side.frame(id, FIN | flag::COMPRESS, TEXT, b"behind");

    // The peer's are inflated in slices.
    let mut peer = Side::new();
    let (sender, wire) = pair(8 << 20);
    let other = peer.adopt(sender, settings::CLIENT, DEFLATED);
    peer.limits = Limits {
        zlib_microseconds: 1 << 30,
        ..Limits::WORKER
    };
    for payload in [text.as_slice(), b"and more"] {
        peer.frame(other, FIN | flag::COMPRESS | flag::MASK, TEXT, payload);
    }
    while !peer.reactor.is_flushed() {
        peer.turn();
    }
    theirs.send(&wire.receive_all()).unwrap();
    side.turn();

    let extract = extract(&mut side, id, 0).unwrap();
    let decoder = extract.decoder.unwrap();
    assert!(decoder.is_suspended());
    let rest = extract.socket.receive_all();
    let inflated = decode(decoder, extract.held, &rest);
    assert_eq!(inflated, [text.clone(), b"and more".to_vec()]);

    assert!(extract.window.ends_with(b"behind") && extract.window.len() == 1 << 15);
    let mut sent = theirs.receive_all();
    sent.extend_from_slice(&extract.unsent);
    let mut client = Side::new();
    let (theirs, reader) = pair(8 << 20);
    client.adopt(reader, settings::CLIENT, DEFLATED);
    client.limits = peer.limits;
    theirs.send(&sent).unwrap();
    let mut received = Vec::new();
    while received.len() < 2 {
        client.turn();
        received.extend(client.drain().into_iter().map(|event| event.payload));
    }
    assert_eq!(received, [text, b"behind".to_vec()]);
}

#[test]
fn a_connection_that_breaks_just_then_is_reported_as_gone() {
    let mut side = Side::new();
    let (ours, theirs) = pair(1000);
    let id = side.adopt(ours, 0, 0);
    theirs.reset();
    side.frame(id, FIN, TEXT, b"x");
    assert!(extract(&mut side, id, 0).is_none());
    let events = side.drain();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].head.tag, event::GONE);
    assert_eq!(events[0].head.argument, CONNECTION_RESET as u32);
}
