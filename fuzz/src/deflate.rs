//! The inflater, on what no deflater made.

use arbitrary::Unstructured;
use ferrows_core::protocol::{Compression, Config, InflateOptions, Role, encode_frame};
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::frames::run;
use crate::protocol_support::Event;

const MOST: usize = 1 << 20;

/// Any bytes as compressed frames: the limit holds, cuts change nothing, and what comes out is
/// what miniz_oxide finds.
pub fn inflate(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((bits, context_takeover, limit, split)) =
        input.arbitrary::<(u8, bool, u16, Option<u8>)>()
    else {
        return;
    };
    let bytes = input.take_rest();
    let config = |max_payload| Config {
        max_payload,
        skip_utf8_validation: true,
        compression: Compression::Inflate(InflateOptions {
            window_bits: 8 + bits % 8,
            context_takeover,
        }),
        ..Config::new(Role::Client)
    };
    let mut wire = Vec::new();
    let cut = split.map_or(bytes.len(), |split| usize::from(split).min(bytes.len()));
    let (first, second) = bytes.split_at(cut);
    encode_frame(&mut wire, split.is_none(), true, 2, None, first);
    if split.is_some() {
        encode_frame(&mut wire, true, false, 0, None, second);
    }
    // The same once more: the state after a message.
    wire.extend_from_within(..);

    let limit = u64::from(limit) + bytes.len() as u64 + 1;
    let limited = run(config(limit), &wire, &[usize::MAX], false);
    let pieces = run(config(limit), &wire, &[1, 7, 3], false);
    assert_eq!(limited.events, pieces.events);
    for event in &limited.events {
        if let Event::Message { payload, .. } = event {
            assert!(payload.len() as u64 <= limit);
        }
    }
    assert!(
        limited
            .requests
            .iter()
            .all(|capacity| *capacity as u64 <= (limit + 1).max(4 * wire.len() as u64).max(512))
    );

    if split.is_none() && bits % 8 == 7 {
        let whole = run(config(MOST as u64), &wire, &[usize::MAX], false);
        let stream = [bytes, &[0, 0, 0xff, 0xff]].concat();
        // It wants a final block: an empty one, should there be none. A block that was cut off goes
        // on into these bytes instead.
        let ended = [&stream[..], &[3, 0]].concat();
        if let (Some(Event::Message { payload, .. }), Ok(expect)) = (
            whole.events.first(),
            decompress_to_vec_with_limit(&ended, MOST),
        ) {
            assert!(expect.starts_with(payload));
        }
    }
}
