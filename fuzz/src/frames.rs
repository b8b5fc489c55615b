//! Frames and messages: the decoder.

use arbitrary::{Arbitrary, Unstructured};
use ferrows_core::protocol::{
    Compression, Config, Decoder, DeflateOptions, Deflater, InflateOptions, Role, Violation,
    ZlibPool, encode_close_payload, encode_frame,
};

use crate::protocol_support::{Event, Recorder, feed};

#[derive(Arbitrary, Debug)]
pub(crate) struct Settings {
    server: bool,
    max_payload: Option<u16>,
    max_fragments: Option<u8>,
    skip_utf8_validation: bool,
    track_fragments: bool,
    compression: Option<(u8, bool)>,
    pass_on: bool,
}

impl Settings {
    pub(crate) fn config(&self) -> Config {
        let role = if self.server {
            Role::Server
        } else {
            Role::Client
        };
        Config {
            max_payload: self.max_payload.map_or(0, u64::from),
            max_fragments: self.max_fragments.map_or(0, u32::from),
            skip_utf8_validation: self.skip_utf8_validation,
            track_fragments: self.track_fragments,
            compression: match self.compression {
                None => Compression::Off,
                Some(_) if self.pass_on => Compression::PassOn,
                Some((bits, context_takeover)) => Compression::Inflate(InflateOptions {
                    window_bits: 8 + bits % 8,
                    context_takeover,
                }),
            },
            ..Config::new(role)
        }
    }
}

pub(crate) fn run(config: Config, bytes: &[u8], pieces: &[usize], direct: bool) -> Recorder {
    let mut sink = Recorder::default();
    let mut decoder = Decoder::new(config);
    feed(&mut decoder, bytes, pieces, direct, &mut sink);
    decoder.finish(&mut sink);
    assert_eq!(sink.blocks_out(), 0, "message memory was kept");
    sink
}

fn lengths(cuts: &[u16]) -> Vec<usize> {
    let mut pieces: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut).max(1)).collect();
    if pieces.is_empty() {
        pieces.push(1);
    }
    pieces
}

/// Any bytes give the same events however they are cut; memory follows what arrived; nothing
/// comes after the end.
pub fn decode_frames(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((settings, cuts)) = input.arbitrary::<(Settings, [u16; 3])>() else {
        return;
    };
    let (config, bytes) = (settings.config(), input.take_rest());
    let whole = run(config, bytes, &[usize::MAX], false);
    let cut = run(config, bytes, &lengths(&cuts), false);
    let direct = run(config, bytes, &lengths(&cuts), true);
    assert_eq!(whole.events, cut.events);
    assert_eq!(whole.events, direct.events);
    assert_eq!(whole.deflated, cut.deflated);
    let last = whole.events.len().saturating_sub(1);
    for (index, event) in whole.events.iter().enumerate() {
        let ends = matches!(event, Event::Close(..) | Event::Violation(_));
        assert!(!ends || index == last, "an event after the end");
        if let Event::Message {
            binary, payload, ..
        } = event
        {
            assert!(config.max_payload == 0 || payload.len() as u64 <= config.max_payload);
            let checked = !*binary && !config.skip_utf8_validation;
            assert!(!checked || std::str::from_utf8(payload).is_ok());
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Sent {
    binary: bool,
    compress: bool,
    payload: Vec<u8>,
    repeat: u8,
    cuts: [u8; 2],
    ping: Option<u8>,
}

#[derive(Arbitrary, Debug)]
struct Talk {
    mask: Option<[u8; 4]>,
    deflate: Option<(u8, bool, u8, u8, u8, u8)>,
    messages: Vec<Sent>,
    park: bool,
    close: Option<u16>,
    cuts: [u16; 3],
}

/// What is sent, fragmented, compressed and masked, with pings in between, arrives.
pub fn assemble_messages(data: &[u8]) {
    let Ok(talk) = Unstructured::new(data).arbitrary::<Talk>() else {
        return;
    };
    let options = talk.deflate.map(
        |(bits, context_takeover, level, memory, strategy, threshold)| DeflateOptions {
            window_bits: 8 + bits % 8,
            context_takeover,
            level: (level % 11) as i8 - 1,
            mem_level: 1 + memory % 9,
            strategy: strategy % 5,
            threshold: u32::from(threshold),
        },
    );
    let mut pool = ZlibPool::default();
    let mut deflater = options.map(Deflater::new);
    let (mut wire, mut expect) = (Vec::new(), Vec::new());
    for sent in talk.messages.iter().take(20) {
        let mut payload = sent.payload.repeat(usize::from(sent.repeat) + 1);
        payload.truncate(100_000);
        let binary = sent.binary || std::str::from_utf8(&payload).is_err();
        let mut rest = &payload[..];
        let mut parts = Vec::new();
        for cut in sent.cuts {
            let (part, later) = rest.split_at(usize::from(cut).min(rest.len()));
            parts.push(part);
            rest = later;
        }
        parts.push(rest);
        for (index, part) in parts.iter().enumerate() {
            let (first, fin) = (index == 0, index == 2);
            let opcode = match (first, binary) {
                (false, _) => 0,
                (true, false) => 1,
                (true, true) => 2,
            };
            let mut body = Vec::new();
            let compressing = deflater.as_mut().is_some_and(|deflater| {
                let yes = deflater.decides(first, sent.compress, part.len());
                if yes {
                    deflater.deflate(part, fin, &mut body, &mut pool);
                }
                yes
            });
            let body = if compressing { &body[..] } else { part };
            encode_frame(
                &mut wire,
                fin,
                first && compressing,
                opcode,
                talk.mask,
                body,
            );
            if let (Some(length), false) = (sent.ping, fin) {
                let data = vec![b'p'; usize::from(length % 126)];
                encode_frame(&mut wire, true, false, 9, talk.mask, &data);
                expect.push(Event::Ping(data));
            }
        }
        expect.push(Event::Message {
            binary,
            payload,
            fragments: vec![],
        });
        if let (true, Some(deflater)) = (talk.park, &mut deflater) {
            assert!(deflater.park(&mut pool));
        }
    }
    if let Some(code) = talk.close {
        let code = 3000 + code % 2000;
        let payload = encode_close_payload(code, b"bye");
        encode_frame(&mut wire, true, false, 8, talk.mask, &payload);
        expect.push(Event::Close(code, b"bye".to_vec()));
    }
    let role = if talk.mask.is_some() {
        Role::Server
    } else {
        Role::Client
    };
    let config = Config {
        compression: options.map_or(Compression::Off, |options| {
            Compression::Inflate(InflateOptions {
                window_bits: options.window_bits,
                context_takeover: options.context_takeover,
            })
        }),
        ..Config::new(role)
    };
    assert_eq!(
        run(config, &wire, &lengths(&talk.cuts), false).events,
        expect
    );
    assert_eq!(
        run(config, &wire, &lengths(&talk.cuts), true).events,
        expect
    );
    let short = Config {
        max_payload: 1,
        ..config
    };
    let limited = run(short, &wire, &[usize::MAX], false).events;
    let too_long =
        |event: &Event| matches!(event, Event::Message { payload, .. } if payload.len() > 1);
    // An empty frame of a compressed message is a byte or more on the wire.
    if options.is_none() {
        let first = expect.iter().position(too_long).unwrap_or(expect.len());
        let refused = limited.last() == Some(&Event::Violation(Violation::MessageTooBig));
        assert_eq!(refused, first < expect.len());
    }
    assert!(!limited.iter().any(too_long));
}
