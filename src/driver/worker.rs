//! The worker driver: a task that turns a reactor while a worker has the wheel.
//!
//! Owns: [`drive`], one task a seat. Runs on: worker. INVARIANT: while the
//! JavaScript thread drives, the descriptor is not registered here, so that no
//! event wakes two threads. Tests: `models/hand_over.rs`, `tests/driver_peers.rs`.

use std::sync::Arc;

use tokio::task::yield_now;

use super::policy::Driver;
use super::seat::Seat;
use super::watched::Watched;

/// Turns the reactor of a seat whenever it is the worker's to turn, until the seat closes.
pub(super) async fn drive(seat: Arc<Seat>) {
    while !seat.is_closed() {
        if seat.driver() == Driver::Worker {
            take_the_wheel(&seat).await;
        } else {
            seat.called().await;
        }
    }
}

async fn take_the_wheel(seat: &Arc<Seat>) {
    let Ok(watched) = Watched::register(seat) else {
        // No memory to watch it with: the JavaScript thread goes on.
        seat.hand_to(Driver::Inline);
        seat.lane().environment().doorbell.ring();
        return;
    };
    while let Some((turn, deadline)) = seat.turn_as(Driver::Worker) {
        if turn.backlog {
            // Other reactors of this worker, and whoever waits for the lock.
            yield_now().await;
            continue;
        }
        tokio::select! {
            biased;
            () = watched.news() => {}
            () = watched.due(deadline) => {}
            () = seat.called() => {}
        }
    }
}
