//! What must hold for all inputs: chunking changes nothing, fast code equals
//! its definition, what is encoded is decoded, tungstenite agrees.

mod protocol_support;

use std::io::{self, Cursor, Read, Write};

use ferrows_core::protocol::upgrade::{Conversation, Rules, Turn};
use ferrows_core::protocol::{
    Config, Decoder, Role, Utf8Validator, apply_mask, copy_masked, encode_close_payload,
    encode_frame,
};
use proptest::collection::vec;
use proptest::prelude::*;
use protocol_support::{Event, Recorder, binary, feed, text};
use tungstenite::protocol::WebSocketContext;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Error, Message};

/// A frame to be sent, right or wrong.
#[derive(Clone, Debug)]
struct Raw {
    fin: bool,
    rsv1: bool,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
}

impl Raw {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_frame(
            out,
            self.fin,
            self.rsv1,
            self.opcode,
            self.mask,
            &self.payload,
        );
    }
}

fn encode_all(frames: &[Raw]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        frame.encode(&mut bytes);
    }
    bytes
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(any::<u8>(), 0..200),
        4 => "\\PC{0,60}".prop_map(String::into_bytes),
        2 => (0usize..6000, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
        1 => (60_000usize..200_000).prop_map(|len| (0..len).map(|index| (index * 31) as u8).collect()),
        1 => (20_000usize..40_000).prop_map(|len| "ü€😀".repeat(len / 9).into_bytes()),
    ]
}

/// Mostly frames that continue a plausible conversation.
fn raw_frame(masked: bool) -> impl Strategy<Value = Raw> {
    let opcode = prop_oneof![
        6 => Just(0u8), 6 => Just(1), 6 => Just(2), 2 => Just(9), 2 => Just(10), 1 => Just(8), 1 => 0u8..16,
    ];
    let usual = (
        prop::bool::weighted(0.5),
        prop::bool::weighted(0.01),
        opcode,
        any::<[u8; 4]>(),
        payload(),
    );
    (usual, prop::bool::weighted(0.01)).prop_map(
        move |((fin, rsv1, opcode, key, mut payload), wrong)| {
            let control = opcode >= 8;
            if control {
                payload.truncate(125);
            }
            let mask = (masked != wrong).then_some(key);
            Raw {
                fin: fin || control,
                rsv1,
                opcode,
                mask,
                payload,
            }
        },
    )
}

/// Makes the fragmentation of a sequence right: starts where none is open,
/// continuations where one is.
fn repair(mut frames: Vec<Raw>) -> Vec<Raw> {
    let mut open = false;
    for frame in frames.iter_mut().filter(|frame| frame.opcode < 3) {
        match (open, frame.opcode) {
            (true, _) => frame.opcode = 0,
            (false, 0) => frame.opcode = 1 + (frame.payload.len() % 2) as u8,
            _ => {}
        }
        open = !frame.fin;
    }
    frames
}

fn config() -> impl Strategy<Value = Config> {
    let max_payload = prop_oneof![3 => Just(0u64), 1 => 1u64..100_000];
    let max_fragments = prop_oneof![3 => Just(0u32), 1 => 1u32..6];
    (
        any::<bool>(),
        max_payload,
        max_fragments,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(server, max_payload, max_fragments, skip_utf8_validation, track_fragments)| Config {
                max_payload,
                max_fragments,
                skip_utf8_validation,
                track_fragments,
                ..Config::new(if server { Role::Server } else { Role::Client })
            },
        )
}

/// A conversation's bytes, its decoder's settings, and a way to cut them.
fn traffic() -> impl Strategy<Value = (Config, Vec<u8>)> {
    config().prop_flat_map(|config| {
        let frames = vec(raw_frame(config.role == Role::Server), 0..12);
        (
            Just(config),
            frames,
            any::<prop::sample::Index>(),
            prop::option::weighted(0.2, any::<u8>()),
        )
            .prop_map(|(config, frames, place, damage)| {
                let mut bytes = encode_all(&repair(frames));
                if let Some(damage) = damage.filter(|_| !bytes.is_empty()) {
                    let place = place.index(bytes.len());
                    bytes[place] ^= damage;
                }
                (config, bytes)
            })
    })
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        vec(1usize..10, 1..8),
        vec(1usize..5_000, 1..8),
        vec(prop_oneof![1usize..8, 10_000usize..70_000], 1..8),
    ]
}

fn run(config: Config, bytes: &[u8], pieces: &[usize], direct: bool) -> Recorder {
    let mut sink = Recorder::default();
    let mut decoder = Decoder::new(config);
    feed(&mut decoder, bytes, pieces, direct, &mut sink);
    decoder.finish(&mut sink);
    assert_eq!(sink.blocks_out(), 0, "message memory was kept");
    sink
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_events((config, bytes) in traffic(), pieces in pieces()) {
        let whole = run(config, &bytes, &[bytes.len().max(1)], false);
        let cut = run(config, &bytes, &pieces, false);
        prop_assert_eq!(&whole.events, &cut.events);
        let direct = run(config, &bytes, &pieces, true);
        prop_assert_eq!(&whole.events, &direct.events);
    }

    #[test]
    fn memory_follows_what_arrived((config, bytes) in traffic(), pieces in pieces()) {
        let sink = run(config, &bytes, &pieces, true);
        for capacity in sink.requests {
            prop_assert!(capacity <= (4 * bytes.len()).max(4096), "{} of {}", capacity, bytes.len());
        }
    }

    #[test]
    fn noise_never_panics(bytes in vec(any::<u8>(), 0..2_000), pieces in pieces(), config in config()) {
        run(config, &bytes, &pieces, true);
    }

    #[test]
    fn masking_is_the_definition(data in vec(any::<u8>(), 0..300), key: [u8; 4], offset in 0usize..1000) {
        let expect: Vec<u8> =
            data.iter().enumerate().map(|(index, byte)| byte ^ key[(index + offset) % 4]).collect();
        let mut in_place = data.clone();
        apply_mask(&mut in_place, key, offset);
        prop_assert_eq!(&in_place, &expect);
        let mut copied = b"before".to_vec();
        copy_masked(&mut copied, &data, key, offset);
        prop_assert_eq!(&copied[6..], &expect[..]);
        prop_assert!(copied.starts_with(b"before"));
    }

    #[test]
    fn utf8_is_std_utf8(
        valid in "\\PC{0,120}",
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        pieces in vec(1usize..100, 1..5),
    ) {
        let mut bytes = valid.into_bytes();
        if let (Some((place, byte)), false) = (damage, bytes.is_empty()) {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let mut validator = Utf8Validator::new();
        let mut fed = 0;
        let mut failed = false;
        for piece in pieces.iter().cycle() {
            if fed == bytes.len() || failed {
                break;
            }
            let end = (fed + piece).min(bytes.len());
            failed = !validator.feed(&bytes[fed..end]);
            fed = end;
            // It must know as soon as std knows that nothing can repair the text.
            let hopeless = std::str::from_utf8(&bytes[..fed]).is_err_and(|error| error.error_len().is_some());
            prop_assert_eq!(failed, hopeless);
        }
        let expect = std::str::from_utf8(&bytes).is_ok();
        prop_assert_eq!(!failed && validator.is_complete(), expect);
    }

    #[test]
    fn what_is_encoded_is_decoded(
        messages in vec((any::<bool>(), payload(), 1usize..5), 0..6),
        mask in prop::option::of(any::<[u8; 4]>()),
        pieces in pieces(),
    ) {
        let mut bytes = Vec::new();
        let mut expect = Vec::new();
        for (is_text, payload, parts) in messages {
            let is_text = is_text && std::str::from_utf8(&payload).is_ok();
            let part_len = payload.len().div_ceil(parts).max(1);
            let mut parts: Vec<&[u8]> = payload.chunks(part_len).collect();
            if parts.is_empty() {
                parts.push(&[]);
            }
            for (index, part) in parts.iter().enumerate() {
                let opcode = match (index, is_text) { (0, true) => 1, (0, false) => 2, _ => 0 };
                encode_frame(&mut bytes, index + 1 == parts.len(), false, opcode, mask, part);
            }
            expect.push(if is_text { text(&payload) } else { binary(&payload) });
        }
        let role = if mask.is_some() { Role::Server } else { Role::Client };
        prop_assert_eq!(run(Config::new(role), &bytes, &pieces, true).events, expect);
    }

    /// What tungstenite reads from the same bytes. Close frames are kept to the
    /// codes that both accept.
    #[test]
    fn tungstenite_reads_the_same(
        server: bool,
        frames in vec(raw_frame(true), 0..12),
        pieces in pieces(),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let mut frames = repair(frames);
        for frame in &mut frames {
            frame.mask = frame.mask.or(Some([1, 2, 3, 4])).filter(|_| server);
            if frame.opcode == 8 {
                frame.payload = encode_close_payload(1000 + frame.payload.len() as u16 % 4, b"bye");
            }
        }
        let bytes = encode_all(&frames);
        let ours: Vec<_> = run(Config::new(role), &bytes, &pieces, true)
            .events
            .into_iter()
            .map(|event| if let Event::Violation(_) = event { Err(Fault) } else { Ok(event) })
            .collect();
        prop_assert_eq!(ours, tungstenite_events(role, &bytes));
    }

    /// What tungstenite writes.
    #[test]
    fn we_read_what_tungstenite_writes(
        server: bool,
        messages in vec((0u8..5, payload()), 0..8),
        pieces in pieces(),
    ) {
        // Our server reads tungstenite's client.
        let (role, peer) = if server {
            (Role::Server, tungstenite::protocol::Role::Client)
        } else {
            (Role::Client, tungstenite::protocol::Role::Server)
        };
        let mut wire = Wire::default();
        let mut context = WebSocketContext::new(peer, None);
        let mut expect = Vec::new();
        for (kind, mut payload) in messages {
            let message = match kind {
                0 => match String::from_utf8(payload) {
                    Ok(payload) => { expect.push(text(&payload)); Message::text(payload) }
                    Err(_) => continue,
                },
                1 => { expect.push(binary(&payload)); Message::binary(payload) }
                2 => { payload.truncate(125); expect.push(Event::Ping(payload.clone())); Message::Ping(payload.into()) }
                3 => { payload.truncate(125); expect.push(Event::Pong(payload.clone())); Message::Pong(payload.into()) }
                _ => {
                    for (index, part) in payload.chunks(payload.len() / 3 + 1).enumerate() {
                        let opcode = if index == 0 { Data::Binary } else { Data::Continue };
                        let frame = Frame::message(part.to_vec(), OpCode::Data(opcode), false);
                        context.write(&mut wire, Message::Frame(frame)).unwrap();
                    }
                    if payload.is_empty() {
                        let frame = Frame::message(vec![], OpCode::Data(Data::Binary), false);
                        context.write(&mut wire, Message::Frame(frame)).unwrap();
                    }
                    expect.push(binary(&payload));
                    Message::Frame(Frame::message(vec![], OpCode::Data(Data::Continue), true))
                }
            };
            context.write(&mut wire, message).unwrap();
        }
        context.flush(&mut wire).unwrap();
        let close = CloseFrame { code: CloseCode::Away, reason: "later".into() };
        context.close(&mut wire, Some(close)).unwrap();
        expect.push(Event::Close(1001, b"later".to_vec()));
        prop_assert_eq!(run(Config::new(role), &wire.written, &pieces, true).events, expect);
    }

    #[test]
    fn a_head_in_any_chunking_is_the_same_head(
        lines in vec(prop_oneof![
            3 => "[A-Za-z-]{1,12}: [ -~]{0,40}",
            1 => "Connection: (upgrade|close|keep-alive, Upgrade)",
            1 => "Upgrade: websocket",
            1 => "Content-Length: [0-9x]{0,3}",
            1 => "[ -~]{0,20}",
            1 => "X: (a{0,900})",
        ], 0..8),
        start in "(GET|POST|GETS|M-SEARCH) [/*a][ -~]{0,20} HTTP/1.[012]|GET /|GET / HTTP/1.1|[ -~]{0,10}",
        rest in vec(any::<u8>(), 0..20),
        pieces in vec(1usize..40, 1..6),
    ) {
        let mut bytes = format!("{start}\r\n{}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>()).into_bytes();
        bytes.extend_from_slice(&rest);
        let cut = converse(&bytes, &pieces);
        let whole = converse(&bytes[..cut.0], &[bytes.len()]);
        prop_assert_eq!(cut, whole);
    }
}

/// Plays a listener until it answers or decides; tells how many bytes were looked at.
fn converse(bytes: &[u8], pieces: &[usize]) -> (usize, Turn, Vec<u8>) {
    // The limit alone is looked at when something has arrived.
    let mut conversation = Conversation::new(Rules {
        max_header_size: usize::MAX,
        ..Rules::default()
    });
    let mut answers = Vec::new();
    let mut fed = 0;
    for piece in pieces.iter().cycle() {
        let end = (fed + piece).min(bytes.len());
        let turn = conversation.handle_bytes(&bytes[fed..end], String::new, &mut answers);
        if let Turn::Upgrade { head, used } = turn {
            return (fed + used, Turn::Upgrade { head, used: 0 }, answers);
        }
        fed = end;
        if turn == Turn::Over || !answers.is_empty() || fed == bytes.len() {
            return (fed, turn, answers);
        }
    }
    unreachable!("there is a piece at least")
}

/// Some fault of the peer: the two libraries name them differently.
#[derive(Debug, PartialEq, Eq)]
struct Fault;

/// Reads `bytes` with tungstenite.
fn tungstenite_events(role: Role, bytes: &[u8]) -> Vec<Result<Event, Fault>> {
    let role = match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    };
    let mut wire = Wire {
        unread: Cursor::new(bytes.to_vec()),
        written: Vec::new(),
    };
    let mut context = WebSocketContext::new(role, None);
    let mut events = Vec::new();
    loop {
        events.push(Ok(match context.read(&mut wire) {
            Ok(Message::Text(payload)) => text(payload.as_bytes()),
            Ok(Message::Binary(payload)) => binary(payload),
            Ok(Message::Ping(payload)) => Event::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Event::Pong(payload.to_vec()),
            Ok(Message::Close(frame)) => {
                let (code, reason) = frame.map_or((1005, vec![]), |frame| {
                    (frame.code.into(), frame.reason.as_bytes().to_vec())
                });
                events.push(Ok(Event::Close(code, reason)));
                return events;
            }
            Ok(Message::Frame(_)) => unreachable!("reading gives no raw frames"),
            // The stream just ended, perhaps inside a frame.
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => {
                return events;
            }
            Err(Error::Io(_)) => return events,
            Err(_) => {
                events.push(Err(Fault));
                return events;
            }
        }));
    }
}

/// A stream with something to read and room to write.
#[derive(Default)]
struct Wire {
    unread: Cursor<Vec<u8>>,
    written: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.unread.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
