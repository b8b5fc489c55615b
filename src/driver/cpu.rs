//! What the system says about CPU: how much there is, how much a thread used.
//!
//! Owns: the calls to the system that the policy's samples come from. Runs on: any.
#![allow(unsafe_code)]

use std::time::Duration;

/// How many threads can run at once: cores in the affinity mask, less if a cgroup's quota (v1 or
/// v2) allows less.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A thread whose use of CPU others can read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadClock {
    #[cfg(target_os = "linux")]
    clock: libc::clockid_t,
    #[cfg(target_os = "linux")]
    thread: libc::pid_t,
}

impl ThreadClock {
    /// Of the calling thread. `None` where the system has no such clock.
    pub(crate) fn of_this_thread() -> Option<Self> {
        #[cfg(target_os = "linux")]
        {
            let mut clock = 0;
            // SAFETY: both functions take no pointers of ours but the one to `clock`.
            let (failed, thread) = unsafe {
                let failed = libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock);
                (failed, libc::gettid())
            };
            (failed == 0).then_some(Self { clock, thread })
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// CPU time since the thread began.
    pub(crate) fn used(self) -> Option<Duration> {
        #[cfg(target_os = "linux")]
        {
            let mut time = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // SAFETY: `time` is there during the call; a clock of a thread that ended is an error.
            let failed = unsafe { libc::clock_gettime(self.clock, &raw mut time) };
            (failed == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
        }
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// How long the thread was ready to run and had no core, since it began.
    pub(crate) fn run_delay(self) -> Option<Duration> {
        let text = self.told("schedstat")?;
        let nanoseconds = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    }

    /// Whether the thread runs or is ready to, and does not sleep in a call to the system.
    pub(crate) fn is_ready(self) -> bool {
        // The thread's name, which comes before, may hold anything.
        let text = self.told("stat");
        let state = text.as_deref().and_then(|text| text.rsplit_once(") "));
        state.is_some_and(|(_, rest)| rest.starts_with('R'))
    }

    /// What the system tells in a file.
    #[cfg(target_os = "linux")]
    fn told(self, file: &str) -> Option<String> {
        let path = format!("/proc/self/task/{}/{file}", self.thread);
        std::fs::read_to_string(path).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn told(self, _file: &str) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_at_least_one_core() {
        assert!(available() >= 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_works_uses_cpu_that_others_can_read() {
        let clock = ThreadClock::of_this_thread().expect("Linux has such clocks");
        let before = clock.used().expect("this thread lives");
        let mut sum = 0_u64;
        let after = std::thread::spawn(move || {
            loop {
                let now = clock.used().expect("that thread lives");
                if now > before {
                    return now;
                }
                std::thread::yield_now();
            }
        });
        while !after.is_finished() {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(clock.is_ready(), "this thread runs");
        assert!(after.join().expect("it ends") > before);
        assert!(clock.run_delay().is_some());
    }
}
