//! Loads a WebSocket server on loopback and prints one JSON object.
//!
//! `ferrows-loadgen MODE --port N [options]`; the modes stand in `loads/`, the options in
//! `plan.rs`. One thread, raw epoll. What comes back is checked; in every mode but `paced` it
//! also triggers the next message (a closed loop).

mod client;
mod crowd;
mod deflate;
mod flights;
mod histogram;
mod loads;
mod pace;
mod plan;
mod process;
mod window;
mod wire;

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let Some(plan) = plan::Plan::parse(std::env::args().skip(1)) else {
        return Err(io::Error::other(
            "usage: ferrows-loadgen MODE --port N [options]",
        ));
    };
    process::raise_descriptor_limit()?;
    let report = loads::run(&plan)?;
    writeln!(io::stdout(), "{report}")
}
