//! The measured part of a run, between its warm-up and its end, and the report on it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::plan::Plan;
use crate::process::{self, Cpu};

#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    cpu: Cpu,
}

impl Reading {
    fn take(pid: Option<u32>) -> Self {
        let at = Instant::now();
        let cpu = process::cpu(pid);
        Self { at, cpu }
    }
}

pub(crate) struct Window {
    pub(crate) count: u64,
    pub(crate) latencies: Histogram,
    pid: Option<u32>,
    begin: Instant,
    length: Duration,
    started: Option<Reading>,
    ended: Option<Reading>,
}

impl Window {
    /// A window that begins when the warm-up is over.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            count: 0,
            latencies: Histogram::new(),
            pid: plan.pid,
            begin: Instant::now() + plan.warmup,
            length: plan.seconds,
            started: None,
            ended: None,
        }
    }

    /// Whether the run goes on; opens and closes the window.
    pub(crate) fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        match self.started {
            None if now < self.begin => true,
            None => {
                self.open();
                true
            }
            Some(started) if now < started.at + self.length => true,
            Some(_) => {
                self.close();
                false
            }
        }
    }

    /// Ends the warm-up: what was counted so far does not count.
    pub(crate) fn open(&mut self) {
        self.count = 0;
        self.started = Some(Reading::take(self.pid));
    }

    pub(crate) fn close(&mut self) {
        self.ended.get_or_insert_with(|| Reading::take(self.pid));
    }

    /// Whether this moment lies in the window.
    pub(crate) fn covers(&self, moment: Instant) -> bool {
        self.started.is_some_and(|started| started.at <= moment)
            && self.ended.is_none_or(|ended| moment <= ended.at)
    }

    /// Counts messages that landed, and how long those were under way that left in the window.
    pub(crate) fn land(&mut self, departures: impl Iterator<Item = Instant>) {
        let mut now = None;
        for departure in departures {
            self.count += 1;
            if self.started.is_some_and(|started| started.at <= departure) {
                let now = *now.get_or_insert_with(Instant::now);
                self.latencies
                    .record(now.saturating_duration_since(departure));
            }
        }
    }

    /// The report; `more` is appended to it.
    pub(crate) fn report(mut self, more: &str) -> String {
        self.close();
        let ended = self.ended.unwrap_or_else(|| Reading::take(self.pid));
        let started = self.started.unwrap_or(ended);
        let seconds = (ended.at - started.at).as_secs_f64().max(f64::EPSILON);
        let count = self.count.max(1) as f64;
        let micros = |to: u64, from: u64| (to - from) as f64 / count / 1000.0;
        let mut out = format!(
            "{{\"perSecond\":{:.1},\"mainMicros\":{:.4},\"allMicros\":{:.4},\"resident\":{}",
            self.count as f64 / seconds,
            micros(ended.cpu.main, started.cpu.main),
            micros(ended.cpu.all, started.cpu.all),
            process::resident(self.pid),
        );
        if !self.latencies.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                ",\"p50\":{:.1},\"p99\":{:.1},\"max\":{:.1}",
                self.latencies.quantile(0.5),
                self.latencies.quantile(0.99),
                self.latencies.max(),
            );
        }
        out + more + "}"
    }
}
