//! The memory of compressed streams, given back while connections are silent.
//!
//! Owns: the task that looks after connections with resident streams; it runs
//! while there are any. Runs on: worker.
#![allow(unsafe_code)]

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::connection::Connection;
use super::core::Core;

/// A connection that was silent for one to two of these keeps its history only.
/// Going on costs one pass over that history, up to 32 KiB.
const INTERVAL: Duration = Duration::from_secs(1);

/// So many streams at once are worth telling the system's allocator to return their pages: by
/// itself glibc keeps what a thread's arena once held (measured: 349 KiB of RSS for each of
/// 1000 connections, all parked).
const MANY: usize = 32;

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
        let before = core.warm.borrow().len();
        core.warm
            .borrow_mut()
            .retain(|connection| !connection.park(&core));
        if before - core.warm.borrow().len() >= MANY {
            return_pages();
        }
    }
    core.parking.set(false);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn return_pages() {
    // SAFETY: the function takes the allocator's own locks and touches free memory only.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn return_pages() {}
