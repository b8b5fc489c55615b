//! A worker waits for its reactor: the descriptor, and the next deadline.
//!
//! Owns: [`Watched`], the registration with tokio. Runs on: worker.
//! Models wait for the memory network instead, where no deadline comes.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep_until;

use super::seat::Seat;

/// The descriptor of a reactor, which lives as long as its seat.
struct Descriptor(Arc<Seat>);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.descriptor()
    }
}

/// A reactor whose descriptor is registered here.
pub(super) struct Watched(AsyncFd<Descriptor>);

impl Watched {
    /// Registers it.
    ///
    /// # Errors
    /// When there is no memory to watch it with.
    pub(super) fn register(seat: &Arc<Seat>) -> io::Result<Self> {
        let descriptor = Descriptor(Arc::clone(seat));
        // SAFETY: the descriptor is open, and the same, as long as the seat that it holds.
        let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Self(registered?))
    }

    /// Waits for news.
    pub(super) async fn news(&self) {
        if let Ok(mut ready) = self.0.readable().await {
            ready.clear_ready();
        }
    }

    /// Waits for a deadline, if there is one.
    pub(super) async fn due(&self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    }
}
