//! The last connection makes the server send to all, or to `answers` of them; the next message
//! leaves when all have it.

use std::io;

use super::{echoed, lettered};
use crate::crowd::Crowd;
use crate::plan::Plan;
use crate::window::Window;

pub(super) fn run(plan: &Plan) -> io::Result<String> {
    let (one, expected) = if plan.offer.is_some() {
        echoed(plan)?
    } else {
        lettered(plan)
    };
    let burst = one.repeat(plan.inflight);
    let receivers = match plan.answers {
        1 => plan.connections,
        answers => answers,
    };
    let mut crowd = Crowd::gather(plan)?;
    let speaker = crowd.clients.len() - 1;
    crowd.clients[speaker].send(plan.inflight, one.len(), &burst)?;
    let mut window = Window::new(plan);
    let mut outstanding = 0;
    while window.goes_on() {
        let mut arrived = 0;
        crowd.turn(&expected, |_, client, frames| {
            arrived += frames;
            client.send(0, one.len(), &burst)
        })?;
        window.count += arrived as u64;
        outstanding += arrived;
        let complete = outstanding / receivers;
        outstanding %= receivers;
        crowd.clients[speaker].send(complete, one.len(), &burst)?;
    }
    Ok(window.report(""))
}
