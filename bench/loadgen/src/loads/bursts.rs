//! Each message brings back `answers` frames; the next leaves when all are there. Whole rounds
//! are measured, at least one, after one that is not.

use std::io;
use std::time::Instant;

use super::echoed;
use crate::client::Expected;
use crate::crowd::{Crowd, PATIENCE};
use crate::plan::Plan;
use crate::window::Window;

pub(super) fn run(plan: &Plan) -> io::Result<String> {
    let (one, expected) = echoed(plan)?;
    let mut crowd = Crowd::gather(plan)?;
    let mut window = Window::new(plan);
    round(plan, &mut crowd, &one, &expected)?;
    window.open();
    while window.goes_on() {
        window.count += round(plan, &mut crowd, &one, &expected)? as u64;
    }
    Ok(window.report(""))
}

/// One message on each connection, and all answers.
fn round(plan: &Plan, crowd: &mut Crowd, one: &[u8], expected: &Expected) -> io::Result<usize> {
    for client in &mut crowd.clients {
        client.send(1, one.len(), one)?;
    }
    let all = plan.answers * plan.connections;
    let mut left = all;
    let deadline = Instant::now() + PATIENCE;
    while left > 0 {
        crowd.turn(expected, |_, client, frames| {
            left = left
                .checked_sub(frames)
                .ok_or_else(|| io::Error::other("the server sent too many frames"))?;
            client.send(0, one.len(), one)
        })?;
        if Instant::now() > deadline {
            return Err(io::Error::other(format!(
                "{left} of {all} frames are missing"
            )));
        }
    }
    Ok(all)
}
