//! A worker of a model waits for its reactor.
//!
//! Owns: [`Watched`], the registration with the memory network. No deadline comes.
//! Runs on: threads of a model.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crate::driver::seat::Seat;
use crate::reactor::Watch;

/// A reactor whose news are watched here.
pub(crate) struct Watched(Watch);

impl Watched {
    pub(crate) fn register(seat: &Arc<Seat>) -> io::Result<Self> {
        Ok(Self(seat.watch()))
    }

    pub(crate) async fn news(&self) {
        self.0.edge().await;
    }

    pub(crate) async fn due(&self, _deadline: Option<Instant>) {
        std::future::pending().await
    }
}
