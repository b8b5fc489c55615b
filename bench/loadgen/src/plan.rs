//! What to do, from the command line.
//!
//! `--port N [--pid P] [--connections N] [--size BYTES] [--seconds S] [--warmup S] [--tls 1]
//! [--deflate no-takeover|takeover] [--socketio 1] [--peer PORT]` (where the first half of the
//! connections goes); closed loops: `[--inflight N]`, `paced`: `[--rate N]`
//! (messages a second in all), `bursts` and `fanout`: `[--answers N]` (frames that a message brings
//! back, of all connections together).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::{deflate, wire};

pub(crate) struct Plan {
    pub(crate) mode: String,
    pub(crate) port: u16,
    /// Another process of the same server, which has the first half of the connections.
    pub(crate) peer: Option<u16>,
    /// Whether the server is one of socket.io.
    pub(crate) socketio: bool,
    pub(crate) pid: Option<u32>,
    pub(crate) connections: usize,
    pub(crate) inflight: usize,
    pub(crate) size: usize,
    pub(crate) rate: f64,
    pub(crate) answers: usize,
    pub(crate) seconds: Duration,
    pub(crate) warmup: Duration,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// What to offer of permessage-deflate; messages are compressed then.
    pub(crate) offer: Option<&'static str>,
}

impl Plan {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
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
        let seconds =
            |name: &str, default: f64| Duration::try_from_secs_f64(number(name, default)?).ok();
        let plan = Self {
            mode,
            port: number("--port", 0.0)? as u16,
            peer: options.get("--peer").and_then(|text| text.parse().ok()),
            socketio: options.contains_key("--socketio"),
            pid: options.get("--pid").and_then(|text| text.parse().ok()),
            connections: number("--connections", 1.0)? as usize,
            inflight: number("--inflight", 1.0)? as usize,
            size: number("--size", 64.0)? as usize,
            rate: number("--rate", 1000.0)?,
            answers: number("--answers", 1.0)? as usize,
            seconds: seconds("--seconds", 2.0)?,
            warmup: seconds("--warmup", 0.5)?,
            tls: options.contains_key("--tls").then(wire::client_config),
            offer: match options.get("--deflate").map(String::as_str) {
                None => None,
                Some("takeover") => Some(deflate::TAKEOVER),
                Some(_) => Some(deflate::NO_TAKEOVER),
            },
        };
        let sensible = plan.connections > 0 && plan.answers > 0 && plan.rate > 0.0;
        sensible.then_some(plan)
    }

    /// Where a connection goes.
    pub(crate) fn port_of(&self, index: usize) -> u16 {
        match self.peer {
            Some(peer) if index < self.connections / 2 => peer,
            _ => self.port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Plan> {
        Plan::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn half_of_the_connections_go_to_the_peer() {
        let plan = parse("fanout --port 1 --peer 2 --connections 4").expect("a complete plan");
        let ports: Vec<_> = (0..4).map(|index| plan.port_of(index)).collect();
        assert_eq!(ports, [2, 2, 1, 1]);
        let plan = parse("fanout --port 1 --connections 4").expect("a complete plan");
        assert_eq!(plan.port_of(0), 1);
    }

    #[test]
    fn options_are_read_and_what_makes_no_sense_is_refused() {
        let plan = parse("paced --port 8080 --connections 10 --rate 2.5 --seconds 0.5");
        let plan = plan.expect("a complete plan");
        assert_eq!((plan.mode.as_str(), plan.port), ("paced", 8080));
        assert_eq!((plan.connections, plan.rate), (10, 2.5));
        assert_eq!(plan.seconds, Duration::from_millis(500));
        for wrong in [
            "",
            "echo --rate 0",
            "echo --connections 0",
            "echo --size x",
            "echo --seconds -1",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
