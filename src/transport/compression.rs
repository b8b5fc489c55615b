//! The memory of compressed streams, given back while connections are silent.
//!
//! Owns: the task that looks after connections with resident streams; it runs
//! while there are any. Runs on: worker.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::connection::Connection;
use super::core::Core;

/// A connection that was silent for one to two of these keeps its history only.
/// PERF: going on costs one pass over that history (up to 32 KiB, some 30 µs).
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks after a connection from now on.
pub(crate) fn watch(core: &Rc<Core>, connection: Rc<Connection>) {
    let mut warm = core.warm.borrow_mut();
    warm.push(connection);
    if warm.len() == 1 && !core.parking.replace(true) {
        tokio::task::spawn_local(park_silent_ones(Rc::clone(core)));
    }
}

async fn park_silent_ones(core: Rc<Core>) {
    while !core.warm.borrow().is_empty() {
        sleep(INTERVAL).await;
        core.warm
            .borrow_mut()
            .retain(|connection| !connection.park(&core));
    }
    core.parking.set(false);
}
