//! Loads a WebSocket server on loopback and prints one JSON object.
//!
//! `ferrows-loadgen MODE --port N [--pid P] [--connections N] [--inflight N] [--size BYTES]
//! [--seconds S] [--warmup S] [--tls 1] [--deflate no-takeover|takeover]`, MODE one of echo, fanout, idle, connect. One thread, raw
//! epoll, a closed loop: what comes back is checked and triggers the next message.

mod client;
mod deflate;
mod process;
mod run;
mod wire;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

/// What to do, from the command line.
struct Plan {
    mode: String,
    port: u16,
    pid: Option<u32>,
    connections: usize,
    inflight: usize,
    size: usize,
    seconds: Duration,
    warmup: Duration,
    tls: Option<Arc<ClientConfig>>,
    /// What to offer of permessage-deflate; messages are compressed then.
    offer: Option<&'static str>,
}

fn plan() -> Option<Plan> {
    let mut args = std::env::args().skip(1);
    let mode = args.next()?;
    let mut options = HashMap::new();
    while let (Some(name), Some(value)) = (args.next(), args.next()) {
        options.insert(name, value);
    }
    let number = |name: &str, default: f64| {
        options
            .get(name)
            .map_or(Some(default), |text| text.parse().ok())
    };
    Some(Plan {
        mode,
        port: number("--port", 0.0)? as u16,
        pid: options.get("--pid").and_then(|text| text.parse().ok()),
        connections: number("--connections", 1.0)? as usize,
        inflight: number("--inflight", 1.0)? as usize,
        size: number("--size", 64.0)? as usize,
        seconds: Duration::from_secs_f64(number("--seconds", 2.0)?),
        warmup: Duration::from_secs_f64(number("--warmup", 0.5)?),
        offer: match options.get("--deflate").map(String::as_str) {
            None => None,
            Some("takeover") => Some(deflate::TAKEOVER),
            Some(_) => Some(deflate::NO_TAKEOVER),
        },
        tls: options.contains_key("--tls").then(wire::client_config),
    })
}

fn main() -> io::Result<()> {
    let Some(plan) = plan() else {
        return Err(io::Error::other(
            "usage: ferrows-loadgen MODE --port N [options]",
        ));
    };
    process::raise_descriptor_limit()?;
    let report = match plan.mode.as_str() {
        "echo" => run::echo(&plan)?,
        "fanout" => run::fanout(&plan)?,
        "idle" => run::idle(&plan)?,
        "connect" => run::connect(&plan)?,
        other => return Err(io::Error::other(format!("unknown mode {other}"))),
    };
    writeln!(io::stdout(), "{report}")
}
