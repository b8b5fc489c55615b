//! Frames as hex, and what the decoder must make of them.

mod protocol_support;

use ferrows_core::protocol::{
    Config, Decoder, INLINE_LIMIT, Role, Violation, encode_close_payload, encode_frame,
};
use protocol_support::{Event, Recorder, binary, feed, hex, text};

const CLIENT: Config = Config::new(Role::Client);
const SERVER: Config = Config::new(Role::Server);

/// Feeds the bytes whole and one by one; both must give exactly `expect`.
fn check(config: Config, bytes: &str, expect: &[Event]) {
    check_bytes(config, &hex(bytes), expect);
}

fn check_bytes(config: Config, bytes: &[u8], expect: &[Event]) {
    for piece in [bytes.len().max(1), 1] {
        let mut sink = Recorder::default();
        let mut decoder = Decoder::new(config);
        feed(&mut decoder, bytes, &[piece], false, &mut sink);
        assert_eq!(sink.events, expect, "in pieces of {piece}");
        let over = matches!(expect.last(), Some(Event::Close(..) | Event::Violation(_)));
        assert_eq!(decoder.is_finished(), over);
        assert!(
            !over || sink.blocks_out() == 0,
            "kept until the connection ends"
        );
        decoder.finish(&mut sink);
        assert_eq!(sink.blocks_out(), 0, "message memory was kept");
    }
}

fn violates(config: Config, bytes: &str, violation: Violation) {
    check(config, bytes, &[Event::Violation(violation)]);
}

#[test]
fn whole_messages() {
    check(CLIENT, "81 05 48656c6c6f", &[text("Hello")]);
    check(SERVER, "81 85 37fa213d 7f9f4d5158", &[text("Hello")]);
    check(SERVER, "82 80 01020304", &[binary("")]);
    check(CLIENT, "8100 8200", &[text(""), binary("")]);
    check(CLIENT, "82 7e 0003 010203", &[binary([1, 2, 3])]);
    check(CLIENT, "82 7f 0000000000000002 0102", &[binary([1, 2])]);
    check(
        SERVER,
        "82 83 00000000 010203 81 81 01000000 60",
        &[binary([1, 2, 3]), text("a")],
    );
}

#[test]
fn fragments_with_control_frames_between() {
    check(CLIENT, "01 03 48656c 80 02 6c6f", &[text("Hello")]);
    check(
        CLIENT,
        "02 01 01 89 02 6869 00 00 8a 00 80 01 02",
        &[
            Event::Ping(b"hi".to_vec()),
            Event::Pong(vec![]),
            binary([1, 2]),
        ],
    );
    check(CLIENT, "01 00 00 00 80 00", &[text("")]);
    check(
        CLIENT,
        "01 01 e2 89 00 00 01 82 80 01 ac",
        &[Event::Ping(vec![]), text("€")],
    );
}

#[test]
fn close_frames_end_the_stream() {
    check(CLIENT, "88 00 81 01 61", &[Event::Close(1005, vec![])]);
    check(CLIENT, "88 02 03e8 ff ff", &[Event::Close(1000, vec![])]);
    check(
        SERVER,
        "88 84 01010101 0e a1 63 78",
        &[Event::Close(4000, b"by".to_vec())],
    );
    check(CLIENT, "01 01 61 88 02 03e9", &[Event::Close(1001, vec![])]);
    check(
        Config {
            skip_utf8_validation: true,
            ..CLIENT
        },
        "88 03 03e8 ff",
        &[Event::Close(1000, vec![0xff])],
    );
}

#[test]
fn violations_of_the_first_two_bytes() {
    violates(CLIENT, "a1 00", Violation::UnexpectedRsv23);
    violates(CLIENT, "91 00", Violation::UnexpectedRsv23);
    violates(CLIENT, "f3 00", Violation::UnexpectedRsv23); // before RSV1 and the opcode
    violates(CLIENT, "c1 00", Violation::UnexpectedRsv1);
    violates(CLIENT, "49 00", Violation::UnexpectedRsv1); // before FIN, without deflate
    violates(CLIENT, "80 00", Violation::InvalidOpcode(0));
    violates(CLIENT, "00 00", Violation::InvalidOpcode(0));
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check_bytes(
            SERVER, // before the mask, too
            &[0x80 | opcode, 0],
            &[Event::Violation(Violation::InvalidOpcode(opcode))],
        );
    }
    violates(CLIENT, "01 00 81 00", Violation::InvalidOpcode(1));
    violates(CLIENT, "01 00 02 00", Violation::InvalidOpcode(2));
    violates(CLIENT, "09 00", Violation::ExpectedFin);
    violates(SERVER, "08 7f", Violation::ExpectedFin); // before length and mask
    violates(CLIENT, "89 7e", Violation::InvalidControlLength(126));
    violates(CLIENT, "8a 7f", Violation::InvalidControlLength(127));
    violates(SERVER, "88 01", Violation::InvalidControlLength(1)); // before the mask
    violates(SERVER, "81 05", Violation::ExpectedMask);
    violates(CLIENT, "81 85", Violation::UnexpectedMask);
    violates(SERVER, "88 00", Violation::ExpectedMask);
    check(CLIENT, "89 01 61", &[Event::Ping(b"a".to_vec())]);
}

#[test]
fn violations_of_lengths() {
    let ten = Config {
        max_payload: 10,
        ..CLIENT
    };
    violates(
        CLIENT,
        "82 7f 0020000000000000",
        Violation::UnsupportedLength,
    );
    violates(ten, "82 7f 8000000000000000", Violation::UnsupportedLength);
    violates(ten, "82 7f 001fffffffffffff", Violation::MessageTooBig);
    violates(ten, "82 0b", Violation::MessageTooBig);
    violates(ten, "82 7e 000b", Violation::MessageTooBig);
    violates(
        Config {
            max_payload: 10,
            ..SERVER
        },
        "82 8b",
        Violation::MessageTooBig,
    );
    check(
        ten,
        "82 0a 00010203040506070809",
        &[binary([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])],
    );
    // The sum over the message counts; the next message starts anew.
    violates(ten, "02 06 000000000000 80 05", Violation::MessageTooBig);
    check(
        ten,
        "02 05 0000000000 80 05 0000000000 82 0a 00000000000000000000",
        &[binary([0; 10]), binary([0; 10])],
    );
    // Control frames do not count.
    check(
        Config {
            max_payload: 1,
            ..CLIENT
        },
        "89 02 6161",
        &[Event::Ping(b"aa".to_vec())],
    );
}

#[test]
fn the_number_of_frames_is_limited() {
    let two = Config {
        max_fragments: 2,
        ..CLIENT
    };
    check(
        two,
        "01 01 61 89 00 89 00 80 01 62",
        &[Event::Ping(vec![]), Event::Ping(vec![]), text("ab")],
    );
    violates(two, "01 01 61 00 00 00 00", Violation::TooManyFragments);
    violates(two, "01 00 00 00 80 00", Violation::TooManyFragments); // empty ones count
    check(two, "01 00 80 00 01 00 80 00", &[text(""), text("")]);
    check(
        Config {
            max_fragments: 1,
            ..CLIENT
        },
        "81 01 61",
        &[text("a")],
    );
    violates(
        Config {
            max_fragments: 1,
            max_payload: 1,
            ..CLIENT
        },
        "01 01 61 80 01 62",
        Violation::MessageTooBig, // the size before the number
    );
}

#[test]
fn close_codes_and_reasons() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535] {
        let mut frame = vec![0x88, 3];
        frame.extend_from_slice(&u16::to_be_bytes(code));
        frame.push(0xff); // the code is checked before the reason
        check_bytes(
            CLIENT,
            &frame,
            &[Event::Violation(Violation::InvalidCloseCode(code))],
        );
    }
    violates(CLIENT, "88 04 03e8 61ff", Violation::InvalidUtf8);
    violates(CLIENT, "88 04 03e8 e282", Violation::InvalidUtf8);
}

#[test]
fn text_fails_at_its_first_hopeless_byte() {
    violates(CLIENT, "81 02 61ff", Violation::InvalidUtf8);
    violates(CLIENT, "81 02 e282", Violation::InvalidUtf8); // ends inside a character
    violates(CLIENT, "01 02 e282 80 00", Violation::InvalidUtf8);
    // Before the frame, let alone the message, is complete.
    violates(CLIENT, "01 02 61ff", Violation::InvalidUtf8);
    violates(CLIENT, "81 7e 8000 61ff", Violation::InvalidUtf8);
    check(
        CLIENT,
        "01 03 f09f98 89 00 80 05 41",
        &[
            Event::Ping(vec![]),
            Event::Violation(Violation::InvalidUtf8),
        ],
    );
    let lax = Config {
        skip_utf8_validation: true,
        ..CLIENT
    };
    check(
        lax,
        "81 02 61ff 01 01 ff 80 00",
        &[text(b"a\xff"), text(b"\xff")],
    );
}

#[test]
fn frame_lengths_of_binary_messages() {
    let track = Config {
        track_fragments: true,
        ..CLIENT
    };
    let message = |payload: &[u8], fragments: &[u32]| Event::Message {
        binary: true,
        payload: payload.to_vec(),
        fragments: fragments.to_vec(),
    };
    check(
        track,
        "82 02 0102 82 00",
        &[message(&[1, 2], &[2]), message(&[], &[])],
    );
    check(
        track,
        "02 01 01 00 00 00 02 0203 80 00",
        &[message(&[1, 2, 3], &[1, 2])],
    );
    check(track, "01 01 61 80 01 62", &[text("ab")]);

    let mut decoder = Decoder::new(CLIENT);
    let mut sink = Recorder::default();
    decoder.handle_input(&mut hex("02 01 01 00 02 0203 00 02 04"), &mut sink);
    decoder.set_track_fragments(true);
    decoder.handle_input(&mut hex("05 80 01 06"), &mut sink);
    assert_eq!(sink.events, [message(&[1, 2, 3, 4, 5, 6], &[5, 1])]);
}

#[test]
fn inputs_are_counted_while_a_frame_is_incomplete() {
    // `held` inputs are held after each of `inputs`; one more comes at the end.
    fn check(inputs: &[&str], held: &[usize]) {
        for limit in 1..6 {
            let mut decoder = Decoder::new(Config {
                max_buffered_chunks: limit,
                ..CLIENT
            });
            let mut sink = Recorder::default();
            let refused = Event::Violation(Violation::TooManyChunks);
            let refused_at = inputs.iter().chain(&["00"]).position(|input| {
                decoder.handle_input(&mut hex(input), &mut sink);
                sink.events.contains(&refused)
            });
            let full_after = held.iter().position(|held| *held >= limit as usize);
            assert_eq!(
                refused_at,
                full_after.map(|index| index + 1),
                "limit {limit}: {inputs:?}"
            );
        }
    }
    check(&["82", "05", "00", "00", "00", "00"], &[1, 0, 1, 2, 3, 4]);
    check(&["82 05 00", "00", "00 00 00 89"], &[1, 2, 1]);
    check(&["82 7e", "00", "05", "00"], &[0, 1, 0, 1]);
    check(&["89 03", "61", "62", "63"], &[0, 1, 2, 0]);
    check(&["82 01 00", "82 01 00 82"], &[0, 1]);
}

#[test]
fn no_memory_by_announcement() {
    let mut decoder = Decoder::new(SERVER);
    let mut sink = Recorder::default();
    // 2^40 bytes announced, ten arrive.
    decoder.handle_input(
        &mut hex("82 ff 0000010000000000 01020304 00112233445566778899"),
        &mut sink,
    );
    assert!(
        sink.requests.iter().sum::<usize>() <= 4096,
        "{:?}",
        sink.requests
    );
    assert!(decoder.direct_buffer(&mut sink).is_none());
    decoder.handle_input(&mut vec![0; 60_000], &mut sink);
    let room = decoder.direct_buffer(&mut sink).unwrap().len();
    assert!((16 * 1024..=240_000).contains(&room), "{room}");
    assert!(sink.requests.iter().all(|capacity| *capacity <= 4 * 60_010));
    assert!(decoder.is_mid_message());
    decoder.finish(&mut sink);
    assert_eq!(sink.blocks_out(), 0);
    assert!(!decoder.is_mid_message());
}

#[test]
fn the_direct_buffer_ends_with_the_frame() {
    let payload = vec![7; 100_000];
    let mut frame = Vec::new();
    encode_frame(&mut frame, true, false, 2, Some([1, 2, 3, 4]), &payload);
    let mut decoder = Decoder::new(SERVER);
    let mut sink = Recorder::default();
    let (first, rest) = frame.split_at(50_000);
    decoder.handle_input(&mut first.to_vec(), &mut sink);
    assert_eq!(decoder.direct_buffer(&mut sink).unwrap().len(), rest.len());
    feed(&mut decoder, rest, &[rest.len()], true, &mut sink);
    assert_eq!(sink.events, [binary(payload)]);
    assert!(decoder.direct_buffer(&mut sink).is_none());
    assert!(!decoder.is_mid_message());
}

#[test]
fn a_hundred_thousand_tiny_fragments_stay_small() {
    let mut bytes = hex("02 01 00");
    for _ in 0..100_000 {
        bytes.extend_from_slice(&[0, 1, 0]);
    }
    bytes.extend_from_slice(&[0x80, 0]);
    let mut decoder = Decoder::new(CLIENT);
    let mut sink = Recorder::default();
    feed(&mut decoder, &bytes, &[1000], false, &mut sink);
    assert_eq!(sink.events, [binary(vec![0; 100_001])]);
    assert!(sink.requests.len() < 20 && sink.requests.iter().sum::<usize>() < 1 << 20);
}

#[test]
fn sizes_around_the_inline_limit() {
    for len in [
        0,
        1,
        125,
        126,
        INLINE_LIMIT - 1,
        INLINE_LIMIT,
        INLINE_LIMIT + 1,
        65_535,
        65_536,
    ] {
        for (config, mask) in [(CLIENT, None), (SERVER, Some([9, 8, 7, 6]))] {
            let payload: Vec<u8> = (0..len).map(|index| index as u8).collect();
            let mut frame = Vec::new();
            encode_frame(&mut frame, true, false, 2, mask, &payload);
            let mut sink = Recorder::default();
            let mut decoder = Decoder::new(config);
            feed(&mut decoder, &frame, &[frame.len()], false, &mut sink);
            feed(&mut decoder, &frame, &[1000], false, &mut sink);
            assert_eq!(sink.events, [binary(&payload), binary(&payload)]);
            assert_eq!(sink.blocks_out(), 0);
        }
    }
}

#[test]
fn close_payloads_survive_the_trip() {
    let mut frame = Vec::new();
    encode_frame(
        &mut frame,
        true,
        false,
        8,
        None,
        &encode_close_payload(3000, "grüße".as_bytes()),
    );
    check_bytes(CLIENT, &frame, &[Event::Close(3000, "grüße".into())]);
}
