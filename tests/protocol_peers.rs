//! Two peers joined in memory: each answers pings and close frames as a driver
//! does, and what one writes the other reads in pieces.

mod protocol_support;

use ferrows_core::protocol::{
    Config, Decoder, MaskSource, Role, Violation, encode_close_payload, encode_frame,
};
use protocol_support::{Event, Recorder, binary, feed, text};

struct Peer {
    role: Role,
    decoder: Decoder,
    sink: Recorder,
    masks: MaskSource,
    /// Written and not yet read by the other side.
    out: Vec<u8>,
    /// Events that were already reacted to.
    seen: usize,
    close_sent: bool,
}

impl Peer {
    fn new(config: Config) -> Self {
        Self {
            role: config.role,
            decoder: Decoder::new(config),
            sink: Recorder::default(),
            masks: MaskSource::new(),
            out: Vec::new(),
            seen: 0,
            close_sent: false,
        }
    }

    fn send(&mut self, fin: bool, opcode: u8, payload: &[u8]) {
        let mask = (self.role == Role::Client).then(|| self.masks.next());
        encode_frame(&mut self.out, fin, false, opcode, mask, payload);
    }

    fn close(&mut self, code: u16, reason: &str) {
        if !self.close_sent {
            self.close_sent = true;
            self.send(true, 8, &encode_close_payload(code, reason.as_bytes()));
        }
    }

    /// Reads in pieces of `piece` bytes, then answers what asks for an answer.
    fn read(&mut self, bytes: &[u8], piece: usize) {
        feed(&mut self.decoder, bytes, &[piece], true, &mut self.sink);
        for event in self.sink.events.split_off(self.seen) {
            match &event {
                Event::Ping(data) => self.send(true, 10, data),
                Event::Close(code, reason) => {
                    self.close(*code, std::str::from_utf8(reason).unwrap());
                }
                Event::Violation(violation) => self.close(violation.close_code(), ""),
                Event::Message { .. } | Event::Pong(_) => {}
            }
            self.sink.events.push(event);
        }
        self.seen = self.sink.events.len();
    }

    fn is_closed(&self) -> bool {
        self.close_sent && self.decoder.is_finished()
    }
}

struct Pair {
    client: Peer,
    server: Peer,
}

impl Pair {
    fn new() -> Self {
        Self::with_server(Config::new(Role::Server))
    }

    fn with_server(config: Config) -> Self {
        Self {
            client: Peer::new(Config::new(Role::Client)),
            server: Peer::new(config),
        }
    }

    /// Carries bytes both ways until neither side has anything to say.
    fn settle(&mut self, piece: usize) {
        while !(self.client.out.is_empty() && self.server.out.is_empty()) {
            let to_server = std::mem::take(&mut self.client.out);
            let to_client = std::mem::take(&mut self.server.out);
            self.server.read(&to_server, piece);
            self.client.read(&to_client, piece);
        }
    }
}

const PIECES: [usize; 4] = [1, 7, 4_000, 1 << 20];

#[test]
fn messages_cross_in_both_directions() {
    for piece in PIECES {
        let mut pair = Pair::new();
        let large: Vec<u8> = (0..300_000u32).map(|index| index as u8).collect();
        pair.client.send(true, 1, "grüße".as_bytes());
        pair.client.send(true, 2, &large);
        pair.server.send(true, 2, &large);
        pair.server.send(true, 1, b"");
        pair.settle(piece);
        assert_eq!(pair.server.sink.events, [text("grüße"), binary(&large)]);
        assert_eq!(pair.client.sink.events, [binary(&large), text("")]);
        assert!(!pair.server.decoder.is_mid_message());
    }
}

#[test]
fn pings_are_answered_between_fragments() {
    for piece in PIECES {
        let mut pair = Pair::new();
        pair.client.send(false, 1, b"one ");
        pair.client.send(true, 9, b"a");
        pair.client.send(false, 0, "zwö".as_bytes());
        pair.client.send(true, 9, b"");
        pair.settle(piece);
        // The pongs do not wait for the message.
        assert_eq!(
            pair.client.sink.events,
            [Event::Pong(b"a".to_vec()), Event::Pong(vec![])]
        );
        pair.client.send(true, 0, b"!");
        pair.settle(piece);
        let events = [
            Event::Ping(b"a".to_vec()),
            Event::Ping(vec![]),
            text("one zwö!"),
        ];
        assert_eq!(pair.server.sink.events, events);
    }
}

#[test]
fn either_side_may_close_first() {
    for piece in PIECES {
        for by_client in [true, false] {
            let mut pair = Pair::new();
            let first = if by_client {
                &mut pair.client
            } else {
                &mut pair.server
            };
            first.close(4000, "enough");
            pair.settle(piece);
            let close = [Event::Close(4000, b"enough".to_vec())];
            assert_eq!(pair.client.sink.events, close);
            assert_eq!(pair.server.sink.events, close);
            assert!(pair.client.is_closed() && pair.server.is_closed());
        }
    }
}

#[test]
fn close_frames_may_cross() {
    let mut pair = Pair::new();
    pair.client.close(1000, "c");
    pair.server.close(1001, "s");
    pair.settle(3);
    assert_eq!(pair.client.sink.events, [Event::Close(1001, b"s".to_vec())]);
    assert_eq!(pair.server.sink.events, [Event::Close(1000, b"c".to_vec())]);
    assert!(pair.client.is_closed() && pair.server.is_closed());
}

#[test]
fn an_empty_close_is_answered_in_kind() {
    let mut pair = Pair::new();
    pair.server.close(1005, "");
    pair.settle(1);
    assert_eq!(pair.client.sink.events, [Event::Close(1005, vec![])]);
    assert_eq!(pair.server.sink.events, [Event::Close(1005, vec![])]);
}

#[test]
fn a_close_in_the_middle_of_a_message_drops_the_message() {
    let mut pair = Pair::new();
    pair.client.send(false, 2, &[0; 50_000]);
    pair.client.close(1000, "");
    pair.client.send(true, 0, b"too late");
    pair.settle(9_000);
    assert_eq!(pair.server.sink.events, [Event::Close(1000, vec![])]);
    assert_eq!(pair.server.sink.blocks_out(), 0);
}

#[test]
fn a_violation_is_answered_with_its_close_code() {
    let limited = Config {
        max_payload: 1_000,
        ..Config::new(Role::Server)
    };
    for piece in PIECES {
        let mut pair = Pair::with_server(limited);
        pair.client.send(true, 1, b"fine");
        pair.client.send(true, 2, &[0; 1_001]);
        pair.client.send(true, 1, b"swallowed");
        pair.settle(piece);
        let violation = Event::Violation(Violation::MessageTooBig);
        assert_eq!(pair.server.sink.events, [text("fine"), violation]);
        assert_eq!(pair.client.sink.events, [Event::Close(1009, vec![])]);
        assert!(pair.server.is_closed());
    }
}

#[test]
fn masked_traffic_differs_and_reads_the_same() {
    let mut pair = Pair::new();
    pair.client.send(true, 2, &[0; 64]);
    pair.client.send(true, 2, &[0; 64]);
    let (first, second) = pair.client.out.split_at(6 + 64);
    assert_ne!(first, second, "two messages under one key");
    pair.settle(64);
    assert_eq!(pair.server.sink.events, [binary([0; 64]), binary([0; 64])]);
}
