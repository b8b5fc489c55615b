//! The worker driver: a task that turns a reactor while a worker has the wheel.
//!
//! Owns: [`drive`], one task a seat. Runs on: worker. INVARIANT: while the
//! JavaScript thread drives, the descriptor is not registered here, so that no
//! event wakes two threads.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::sleep_until;

use super::policy::Driver;
use super::seat::Seat;

/// The descriptor of a reactor, which lives as long as its seat.
struct Watched(Arc<Seat>);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.descriptor()
    }
}

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
    let watched = Watched(Arc::clone(seat));
    // SAFETY: the descriptor is open, and the same, as long as the seat that `watched` holds.
    let registered = unsafe { AsyncFd::register_with_interest(watched, Interest::READABLE) };
    let Ok(descriptor) = registered else {
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
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(Instant::into(deadline)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = descriptor.readable() => {
                if let Ok(mut ready) = ready {
                    ready.clear_ready();
                }
            }
            () = due => {}
            () = seat.called() => {}
        }
    }
}
