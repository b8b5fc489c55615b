//! The kinds of load, a file each.

mod bursts;
mod connect;
mod echo;
mod fanout;
mod idle;
mod paced;

use std::io;

use crate::client::{Expected, frame, header};
use crate::deflate;
use crate::plan::Plan;

const BINARY: u8 = 0x82;
const TEXT: u8 = 0x81;
const COMPRESSED_TEXT: u8 = 0xc1;

/// Runs what the plan asks for and returns the report.
pub(crate) fn run(plan: &Plan) -> io::Result<String> {
    match plan.mode.as_str() {
        "bursts" => bursts::run(plan),
        "connect" => connect::run(plan),
        "echo" => echo::run(plan),
        "fanout" => fanout::run(plan),
        "idle" => idle::run(plan),
        "paced" => paced::run(plan),
        other => Err(io::Error::other(format!("unknown mode {other}"))),
    }
}

/// A message and what a server that echoes makes of it.
fn echoed(plan: &Plan) -> io::Result<(Vec<u8>, Expected)> {
    if plan.offer.is_some() {
        let payload = deflate::compressed(&deflate::json(plan.size))?;
        let one = frame(COMPRESSED_TEXT, &payload);
        return Ok((one, Expected::Frames(COMPRESSED_TEXT)));
    }
    if plan.socketio {
        return Ok(lettered(plan));
    }
    let payload: Vec<u8> = (0..plan.size).map(|index| (index * 7 + 3) as u8).collect();
    let one = frame(BINARY, &payload);
    let answer = [header(BINARY, plan.size, 0), payload].concat();
    Ok((one, Expected::Exactly(answer)))
}

/// A message of letters, the same from server and client; to socket.io an event, which is text.
fn lettered(plan: &Plan) -> (Vec<u8>, Expected) {
    let letters = (0..plan.size).map(|index| b'a' + (index % 26) as u8);
    let (first, payload) = if plan.socketio {
        let [before, after] = [&br#"42["m",""#[..], &br#""]"#[..]];
        (TEXT, [before, &letters.collect::<Vec<_>>(), after].concat())
    } else {
        (BINARY, letters.collect())
    };
    let answer = [header(first, payload.len(), 0), payload.clone()].concat();
    (frame(first, &payload), Expected::Exactly(answer))
}
