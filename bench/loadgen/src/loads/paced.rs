//! An open loop: messages leave when they are due, whether or not earlier ones were answered.
//!
//! Latency counts from the moment that a message was due, so a server that stalls pays for
//! every message that would have been sent meanwhile. `late` tells how far behind its schedule
//! the generator itself was, which is part of each latency.

use std::io;
use std::time::{Duration, Instant};

use super::echoed;
use crate::crowd::Crowd;
use crate::flights::Flights;
use crate::histogram::Histogram;
use crate::pace::{Schedule, Timer};
use crate::plan::Plan;
use crate::window::Window;

/// How long answers may take after the last message.
const DRAIN: Duration = Duration::from_secs(5);

pub(super) fn run(plan: &Plan) -> io::Result<String> {
    let (one, expected) = echoed(plan)?;
    let mut crowd = Crowd::gather(plan)?;
    let mut timer = Timer::new()?;
    crowd.watch(&mut timer)?;
    let mut flights = Flights::new(plan.connections);
    let mut late = Histogram::new();
    let mut window = Window::new(plan);
    let mut schedule = Schedule::new(Instant::now(), plan.rate, plan.connections);
    while window.goes_on() {
        while schedule.due() <= Instant::now() {
            let due = schedule.due();
            let index = schedule.advance();
            flights.depart(index, 1, due);
            crowd.clients[index].send(1, one.len(), &one)?;
            if window.covers(due) {
                late.record(due.elapsed());
            }
        }
        timer.set(schedule.due())?;
        crowd.turn(&expected, |index, client, frames| {
            window.land(flights.land(index, frames));
            client.send(0, one.len(), &one)
        })?;
    }
    // Answers that are still to come belong to the latencies but not to the throughput.
    let throughput = window.count;
    let deadline = Instant::now() + DRAIN;
    while !flights.are_over() && Instant::now() < deadline {
        crowd.turn(&expected, |index, client, frames| {
            window.land(flights.land(index, frames));
            client.send(0, one.len(), &one)
        })?;
    }
    let before = window.count;
    window.land(flights.missing());
    let unanswered = window.count - before;
    window.count = throughput;
    let more = format!(
        ",\"lateP99\":{:.1},\"unanswered\":{unanswered}",
        late.quantile(0.99)
    );
    Ok(window.report(&more))
}
