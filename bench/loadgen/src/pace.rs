//! When each message of an open loop is due, on which connection, and a timer that is exact
//! enough to wait for it: epoll itself counts in milliseconds.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

/// Messages in equal distances, each on another connection than the last.
pub(crate) struct Schedule {
    start: Instant,
    rate: f64,
    connections: usize,
    stride: usize,
    next: u64,
}

impl Schedule {
    pub(crate) fn new(start: Instant, rate: f64, connections: usize) -> Self {
        // Neighbours in time should not be neighbours in the server's tables.
        let golden = (connections as f64 * 0.618) as usize;
        let prime_to_all = |stride: &usize| common_divisor(*stride, connections) == 1;
        Self {
            start,
            rate,
            connections,
            stride: (1..=golden).rev().find(prime_to_all).unwrap_or(1),
            next: 0,
        }
    }

    /// When the next message is due.
    pub(crate) fn due(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.next as f64 / self.rate)
    }

    /// The connection of the next message; the one after it becomes the next.
    pub(crate) fn advance(&mut self) -> usize {
        let connection = (self.next as usize).wrapping_mul(self.stride) % self.connections;
        self.next += 1;
        connection
    }
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Readable when the time has come.
pub(crate) struct Timer(OwnedFd);

impl Timer {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: the call takes no pointers; what it returns, unless negative, is a new
        // descriptor that nobody else owns.
        unsafe {
            let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, flags);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Sets it off at `due`, and not at what was set before.
    pub(crate) fn set(&self, due: Instant) -> io::Result<()> {
        let never = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // Zero would disarm it.
        let wait = due
            .saturating_duration_since(Instant::now())
            .max(Duration::from_nanos(1));
        let setting = libc::itimerspec {
            it_interval: never,
            it_value: libc::timespec {
                tv_sec: wait.as_secs() as libc::time_t,
                tv_nsec: wait.subsec_nanos().into(),
            },
        };
        // SAFETY: the struct outlives the call, and no old setting is asked for.
        let outcome = unsafe {
            libc::timerfd_settime(
                self.0.as_raw_fd(),
                0,
                &raw const setting,
                std::ptr::null_mut(),
            )
        };
        if outcome == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Source for Timer {
    fn register(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).register(to, token, interests)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(to, token, interests)
    }

    fn deregister(&mut self, from: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_gets_its_turn_before_one_gets_a_second() {
        for connections in [1, 2, 6, 64, 1000] {
            let mut schedule = Schedule::new(Instant::now(), 1000.0, connections);
            for _ in 0..2 {
                let mut seen = vec![false; connections];
                for _ in 0..connections {
                    let connection = schedule.advance();
                    assert!(!seen[connection], "{connections}");
                    seen[connection] = true;
                }
            }
        }
    }

    #[test]
    fn messages_are_due_in_equal_distances_however_late_they_leave() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, 500.0, 3);
        for step in 0..100 {
            assert_eq!(schedule.due(), start + Duration::from_millis(2 * step));
            schedule.advance();
        }
    }
}
