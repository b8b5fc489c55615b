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
    let payload: Vec<u8> = (0..plan.size).map(|index| (index * 7 + 3) as u8).collect();
    let one = frame(BINARY, &payload);
    let answer = [header(BINARY, plan.size, 0), payload].concat();
    Ok((one, Expected::Exactly(answer)))
}
