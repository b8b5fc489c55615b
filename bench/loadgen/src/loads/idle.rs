//! Opens connections and measures the server's memory once it has calmed down. With compression
//! each one has exchanged messages before.

use std::io;
use std::time::{Duration, Instant};

use super::echoed;
use crate::crowd::{Crowd, PATIENCE};
use crate::plan::Plan;
use crate::process;

/// A server may give memory back when connections have been silent for a while.
const SILENCE: Duration = Duration::from_secs(3);

pub(super) fn run(plan: &Plan) -> io::Result<String> {
    let before = process::resident(plan.pid);
    let mut crowd = Crowd::gather(plan)?;
    if plan.offer.is_some() {
        let (one, expected) = echoed(plan)?;
        for client in &mut crowd.clients {
            client.send(1, one.len(), &one)?;
        }
        let mut left = plan.connections;
        let deadline = Instant::now() + PATIENCE;
        while left > 0 {
            crowd.turn(&expected, |_, client, frames| {
                left -= frames;
                client.send(0, one.len(), &one)
            })?;
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{left} answers are missing")));
            }
        }
        std::thread::sleep(SILENCE);
    }
    std::thread::sleep(plan.seconds);
    let grown = process::resident(plan.pid).saturating_sub(before) as f64;
    let each = grown / crowd.clients.len() as f64;
    Ok(format!(
        "{{\"residentEach\":{each:.3},\"before\":{before}}}"
    ))
}
