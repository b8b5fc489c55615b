//! What the server process costs: CPU time from the scheduler, memory from /proc.
#![allow(unsafe_code)]

use std::{fs, io};

/// CPU nanoseconds so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) main: u64,
    pub(crate) all: u64,
}

fn nanoseconds(path: &str) -> Option<u64> {
    fs::read_to_string(path)
        .ok()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// CPU time of a process and of its main thread.
pub(crate) fn cpu(pid: Option<u32>) -> Cpu {
    let Some(pid) = pid else {
        return Cpu::default();
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let all = tasks
        .filter_map(|task| nanoseconds(&format!("{}/schedstat", task.path().display())))
        .sum();
    let main = nanoseconds(&format!("/proc/{pid}/task/{pid}/schedstat")).unwrap_or_default();
    Cpu { main, all }
}

/// Resident memory of a process in KiB.
pub(crate) fn resident(pid: Option<u32>) -> u64 {
    let read = || {
        let status = fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    read().unwrap_or_default()
}

/// Lets this process open as many sockets as it may.
pub(crate) fn raise_descriptor_limit() -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls read or write the struct that they are given.
    let done = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
