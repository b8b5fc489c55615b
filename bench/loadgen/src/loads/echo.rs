//! A closed loop: every connection keeps `inflight` messages under way.

use std::io;
use std::time::Instant;

use super::echoed;
use crate::crowd::Crowd;
use crate::flights::Flights;
use crate::plan::Plan;
use crate::window::Window;

pub(super) fn run(plan: &Plan) -> io::Result<String> {
    let (one, expected) = echoed(plan)?;
    let burst = one.repeat(plan.inflight);
    let mut crowd = Crowd::gather(plan)?;
    let mut flights = Flights::new(plan.connections);
    for (index, client) in crowd.clients.iter_mut().enumerate() {
        flights.depart(index, plan.inflight, Instant::now());
        client.send(plan.inflight, one.len(), &burst)?;
    }
    let mut window = Window::new(plan);
    while window.goes_on() {
        crowd.turn(&expected, |index, client, frames| {
            if frames > 0 {
                window.land(flights.land(index, frames));
                flights.depart(index, frames, Instant::now());
            }
            client.send(frames, one.len(), &burst)
        })?;
    }
    Ok(window.report(""))
}
