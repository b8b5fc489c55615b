//! permessage-deflate: the RFC's examples, round trips under every setting, limits, parking.

mod protocol_support;

use ferrows_core::protocol::{
    Compression, Config, Decoder, DeflateOptions, Deflater, InflateOptions, Role, Violation,
    ZlibPool, encode_frame,
};
use proptest::collection::vec;
use proptest::prelude::*;
use protocol_support::{Event, Recorder, binary, feed, hex, text};

const OPTIONS: DeflateOptions = DeflateOptions {
    window_bits: 15,
    context_takeover: true,
    level: -1,
    mem_level: 8,
    strategy: 0,
    threshold: 0,
};

fn config(window_bits: u8, context_takeover: bool) -> Config {
    Config {
        compression: Compression::Inflate(InflateOptions {
            window_bits,
            context_takeover,
        }),
        ..Config::new(Role::Client)
    }
}

fn events(config: Config, bytes: &[u8], pieces: &[usize]) -> Vec<Event> {
    let mut sink = Recorder::default();
    let mut decoder = Decoder::new(config);
    feed(&mut decoder, bytes, pieces, false, &mut sink);
    decoder.finish(&mut sink);
    assert_eq!(sink.blocks_out(), 0, "message memory was kept");
    sink.events
}

fn check(bytes: &str, expect: &[Event]) {
    for pieces in [&[1][..], &[3], &[1000]] {
        assert_eq!(
            events(config(15, true), &hex(bytes), pieces),
            expect,
            "{bytes}"
        );
    }
}

/// Frames of messages, each message compressed as `options` say.
fn compressed(messages: &[Vec<u8>], options: DeflateOptions, cuts: &[usize]) -> Vec<u8> {
    let (mut wire, mut pool) = (Vec::new(), ZlibPool::default());
    let mut deflater = Deflater::new(options);
    for message in messages {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut rest = &message[..];
        for cut in cuts {
            let (part, later) = rest.split_at((*cut).min(rest.len()));
            parts.push(part);
            rest = later;
        }
        parts.push(rest);
        let last = parts.len() - 1;
        for (index, part) in parts.iter().enumerate() {
            let first = index == 0;
            let compressing = deflater.decides(first, true, part.len());
            let mut payload = Vec::new();
            if compressing {
                deflater.deflate(part, index == last, &mut payload, &mut pool);
            } else {
                payload.extend_from_slice(part);
            }
            let opcode = if first { 2 } else { 0 };
            let rsv1 = first && compressing;
            encode_frame(&mut wire, index == last, rsv1, opcode, None, &payload);
        }
    }
    wire
}

#[test]
fn the_examples_of_rfc_7692() {
    // 7.2.3.1: one frame, then the same in two.
    check("c1 07 f2 48 cd c9 c9 07 00", &[text("Hello")]);
    check("41 03 f2 48 cd 80 04 c9 c9 07 00", &[text("Hello")]);
    // 7.2.3.2: the second message refers to the first one.
    check(
        "c1 07 f2 48 cd c9 c9 07 00  c1 05 f2 00 11 00 00",
        &[text("Hello"), text("Hello")],
    );
    // 7.2.3.3: a block without compression.
    check("c1 0b 00 05 00 fa ff 48 65 6c 6c 6f 00", &[text("Hello")]);
    // 7.2.3.4: a final block.
    check("c1 08 f3 48 cd c9 c9 07 00 00", &[text("Hello")]);
    // 7.2.3.5: two blocks in one message.
    check(
        "c1 0d f2 48 05 00 00 00 ff ff ca c9 c9 07 00",
        &[text("Hello")],
    );
}

#[test]
fn a_final_block_does_not_end_the_connection() {
    check(
        "c1 08 f3 48 cd c9 c9 07 00 00  c1 07 f2 48 cd c9 c9 07 00  81 02 68 69",
        &[text("Hello"), text("Hello"), text("hi")],
    );
}

#[test]
fn an_empty_message_is_one_byte() {
    let wire = compressed(&[vec![], vec![]], OPTIONS, &[]);
    assert_eq!(wire, hex("c2 01 00 c2 01 00"));
    assert_eq!(
        events(config(15, true), &wire, &[1]),
        [binary(""), binary("")]
    );
    check("c1 01 00", &[text("")]);
    check("c1 00", &[text("")]);
}

#[test]
fn marks_out_of_place_are_violations() {
    let rsv1 = [Event::Violation(Violation::UnexpectedRsv1)];
    check("41 01 00 c0 01 00", &rsv1);
    check("c9 00", &rsv1);
    assert_eq!(
        events(Config::new(Role::Client), &hex("c1 01 00"), &[1]),
        rsv1
    );
}

#[test]
fn what_is_not_deflate_data_is_named_as_zlib_names_it() {
    for (payload, expect) in [
        ("06", "invalid block type"),
        ("00 00 00 00 00", "invalid stored block lengths"),
        ("fc 00 00", "too many length or distance symbols"),
        ("04 00 fe ff", "invalid code lengths set"),
        ("04 00 24 49 00", "invalid bit length repeat"),
        ("04 00 24 e9 ff 6d", "invalid code -- missing end-of-block"),
        (
            "04 80 49 92 24 49 92 24 71 ff ff 93 11 00",
            "invalid literal/lengths set",
        ),
        (
            "04 80 49 92 24 49 92 24 0f b4 ff ff c3 84",
            "invalid distances set",
        ),
        (
            "04 c0 81 08 00 00 00 00 20 7f eb 0b 00 00",
            "invalid literal/length code",
        ),
        ("02 7e ff ff", "invalid distance code"),
        (
            "0c c0 81 00 00 00 00 00 90 ff 6b 04 00",
            "invalid distance too far back",
        ),
    ] {
        let mut wire = Vec::new();
        encode_frame(&mut wire, true, true, 1, None, &hex(payload));
        for pieces in [&[1][..], &[1000]] {
            let found = events(config(15, true), &wire, pieces);
            let [Event::Violation(violation)] = &found[..] else {
                panic!("{payload}: {found:?}");
            };
            assert_eq!(violation.to_string(), expect, "{payload}");
            assert_eq!(
                (violation.code(), violation.errno(), violation.close_code()),
                ("Z_DATA_ERROR", Some(-3), 1007)
            );
            assert!(!violation.is_range_error());
        }
    }
}

#[test]
fn text_is_checked_after_inflating() {
    let mut payload = Vec::new();
    let mut deflater = Deflater::new(OPTIONS);
    deflater.deflate(&[0xff], true, &mut payload, &mut ZlibPool::default());
    let mut wire = Vec::new();
    encode_frame(&mut wire, true, true, 1, None, &payload);
    let expect = [Event::Violation(Violation::InvalidUtf8)];
    assert_eq!(events(config(15, true), &wire, &[1]), expect);
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let bomb = compressed(&[vec![0; 64 << 20]], OPTIONS, &[]);
    assert!(bomb.len() < 70_000);
    let mut sink = Recorder::default();
    let mut decoder = Decoder::new(Config {
        max_payload: 1 << 20,
        ..config(15, true)
    });
    decoder.handle_input(&mut bomb.clone(), &mut sink);
    assert_eq!(sink.events, [Event::Violation(Violation::MessageTooBig)]);
    assert!(sink.requests.iter().all(|bytes| *bytes <= (1 << 20) + 1));

    let exact = compressed(&[vec![1; 1000]], OPTIONS, &[]);
    for (limit, fits) in [(1000, true), (999, false)] {
        let limited = Config {
            max_payload: limit,
            ..config(15, true)
        };
        let found = events(limited, &exact, &[1000]);
        assert_eq!(found == [binary(vec![1; 1000])], fits, "{limit}");
    }
}

#[test]
fn the_limit_counts_all_frames_of_a_message() {
    let wire = compressed(&[vec![7; 3000]], OPTIONS, &[1000, 1000]);
    let limited = |max_payload| Config {
        max_payload,
        ..config(15, true)
    };
    assert_eq!(
        events(limited(3000), &wire, &[1000]),
        [binary(vec![7; 3000])]
    );
    let expect = [Event::Violation(Violation::MessageTooBig)];
    assert_eq!(events(limited(2999), &wire, &[1000]), expect);
}

#[test]
fn lengths_of_fragments_are_those_of_their_content() {
    let wire = compressed(&[vec![7; 3000]], OPTIONS, &[1000, 0, 500]);
    let tracking = Config {
        track_fragments: true,
        ..config(15, true)
    };
    let [Event::Message { fragments, .. }] = &events(tracking, &wire, &[7])[..] else {
        panic!("one message");
    };
    assert_eq!(fragments, &[1000, 500, 1500]);
}

#[test]
fn messages_below_the_threshold_stay_as_they_are_without_takeover_only() {
    let message = vec![b'a'; 99];
    for (context_takeover, marked) in [(false, false), (true, true)] {
        let options = DeflateOptions {
            context_takeover,
            threshold: 100,
            ..OPTIONS
        };
        let wire = compressed(std::slice::from_ref(&message), options, &[]);
        assert_eq!(wire[0] & 0x40 != 0, marked);
        assert_eq!(
            events(config(15, context_takeover), &wire, &[1]),
            [binary(&message)]
        );
    }
}

#[test]
fn frames_are_passed_on_as_they_are() {
    let mut sink = Recorder::default();
    let mut decoder = Decoder::new(Config {
        compression: Compression::PassOn,
        ..Config::new(Role::Client)
    });
    let bytes = hex("41 03 f2 48 cd 89 00 80 04 c9 c9 07 00 c2 01 00 81 02 68 69");
    feed(&mut decoder, &bytes, &[1], false, &mut sink);
    assert_eq!(
        sink.deflated,
        [
            (false, false, hex("f2 48 cd")),
            (false, true, hex("c9 c9 07 00")),
            (true, true, hex("00"))
        ]
    );
    assert_eq!(sink.events, [Event::Ping(vec![]), text("hi")]);
}

#[test]
fn parked_streams_go_on_where_they_were() {
    let (mut sink, mut pool) = (Recorder::default(), ZlibPool::default());
    let mut deflater = Deflater::new(OPTIONS);
    let mut decoder = Decoder::new(config(15, true));
    let mut sizes = Vec::new();
    for round in 0..40 {
        let message: Vec<u8> = (0..3000u32).map(|at| ((at * at) >> 7) as u8).collect();
        let mut payload = Vec::new();
        deflater.deflate(&message, true, &mut payload, &mut pool);
        sizes.push(payload.len());
        let mut wire = Vec::new();
        encode_frame(&mut wire, true, true, 2, None, &payload);
        decoder.handle_input(&mut wire, &mut sink);
        assert_eq!(sink.events.pop(), Some(binary(&message)));
        if round % 3 == 0 {
            assert!(deflater.park(&mut pool) && decoder.park(&mut sink));
            assert!(!deflater.holds_stream());
        }
    }
    assert!(
        sizes[1..].iter().all(|size| size * 10 < sizes[0]),
        "{sizes:?}"
    );
}

#[test]
fn nothing_is_parked_in_the_middle_of_a_message() {
    let (mut sink, mut pool) = (Recorder::default(), ZlibPool::default());
    let mut decoder = Decoder::new(config(15, true));
    decoder.handle_input(&mut hex("41 03 f2 48 cd"), &mut sink);
    assert!(!decoder.park(&mut sink));
    decoder.handle_input(&mut hex("80 04 c9 c9 07 00"), &mut sink);
    assert_eq!(sink.events, [text("Hello")]);
    assert!(decoder.park(&mut sink));

    let mut deflater = Deflater::new(DeflateOptions {
        context_takeover: false,
        ..OPTIONS
    });
    deflater.deflate(b"Hel", false, &mut Vec::new(), &mut pool);
    assert!(!deflater.park(&mut pool));
    deflater.deflate(b"lo", true, &mut Vec::new(), &mut pool);
    assert!(deflater.park(&mut pool) && !deflater.holds_stream());
}

fn options() -> impl Strategy<Value = DeflateOptions> {
    (
        8u8..=15,
        any::<bool>(),
        -1i8..=9,
        1u8..=9,
        0u8..=4,
        0u32..200,
    )
        .prop_map(
            |(window_bits, context_takeover, level, mem_level, strategy, threshold)| {
                DeflateOptions {
                    window_bits,
                    context_takeover,
                    level,
                    mem_level,
                    strategy,
                    threshold,
                }
            },
        )
}

/// Content with repetitions near and far, and without.
fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..300),
        (vec(any::<u8>(), 1..40), 0usize..400).prop_map(|(unit, times)| unit.repeat(times)),
        (any::<u32>(), 0usize..70_000).prop_map(|(seed, length)| {
            let mut state = seed | 1;
            let mut step = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 29) as u8
            };
            (0..length).map(|_| step()).collect()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inflating_undoes_deflating(
        options in options(),
        messages in vec(message(), 1..6),
        cuts in vec(0usize..5_000, 0..3),
        pieces in vec(1usize..9_000, 1..4),
    ) {
        let wire = compressed(&messages, options, &cuts);
        let config = config(options.window_bits, options.context_takeover);
        let expect: Vec<Event> = messages.iter().map(binary).collect();
        prop_assert_eq!(&events(config, &wire, &pieces), &expect);
        prop_assert_eq!(&events(config, &wire, &[usize::MAX]), &expect);
    }

    #[test]
    fn damaged_streams_give_the_same_events_however_they_are_cut(
        messages in vec(message(), 1..4),
        place in any::<prop::sample::Index>(),
        damage in 1u8..,
        pieces in vec(1usize..3_000, 1..4),
        max_payload in prop_oneof![Just(0u64), 1u64..100_000],
    ) {
        let mut wire = compressed(&messages, OPTIONS, &[100]);
        let place = place.index(wire.len());
        wire[place] ^= damage;
        let config = Config { max_payload, ..config(15, true) };
        prop_assert_eq!(
            events(config, &wire, &pieces),
            events(config, &wire, &[usize::MAX])
        );
    }
}
