//! The helm of an environment: what its JavaScript thread notes about itself, and
//! changing the driver of all its reactors.
//!
//! Owns: [`Helm`]. The JavaScript thread counts turns; the sentinel reads and
//! decides. Runs on: any. INVARIANT: noting a turn costs no system call while the
//! sentinel is awake, and a sentinel that fell asleep has missed no turn.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cpu::{self, ThreadClock};
use super::policy::{Driver, Policy};
use super::seat::Seat;
use crate::bridge::Environment;
use crate::bridge::layout::STATUS_ASLEEP;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use crate::sync::parking_lot::Mutex;
use crate::sync::thread::Thread;

/// Names who is to drive.
const SETTING_VARIABLE: &str = "FERROWS_IO";

/// Who is to drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Whoever has CPU to spare.
    Auto,
    /// Always this one.
    Fixed(Driver),
}

impl Setting {
    /// From the environment: `inline`, `worker` or `auto`, which is the default. With one core, or
    /// where Node's event loop cannot be reached, there is only one driver.
    #[must_use]
    pub fn from_environment(inline_possible: bool) -> Self {
        let asked = std::env::var(SETTING_VARIABLE).unwrap_or_default();
        match asked.as_str() {
            _ if !inline_possible => Self::Fixed(Driver::Worker),
            "inline" => Self::Fixed(Driver::Inline),
            "worker" => Self::Fixed(Driver::Worker),
            _ if cpu::available() < 2 => Self::Fixed(Driver::Inline),
            _ => Self::Auto,
        }
    }

    /// Who drives first.
    #[must_use]
    pub fn first_driver(self) -> Driver {
        match self {
            Self::Auto => Driver::Inline,
            Self::Fixed(driver) => driver,
        }
    }
}

/// What the JavaScript thread and its sentinel share.
#[derive(Debug)]
pub struct Helm {
    environment: Arc<Environment>,
    seats: Vec<Arc<Seat>>,
    setting: Setting,
    pub(super) policy: Mutex<Policy>,
    /// Beginnings and ends of turns of the JavaScript thread.
    turns: AtomicU64,
    /// Events handled.
    records: AtomicU64,
    /// There was more to compress than a turn allows.
    compressing: AtomicBool,
    asleep: AtomicBool,
    closed: AtomicBool,
    sentinel: OnceLock<Thread>,
    pub(super) clock: Option<ThreadClock>,
}

impl Helm {
    /// The helm of the calling JavaScript thread.
    pub(super) fn new(
        environment: &Arc<Environment>,
        seats: Vec<Arc<Seat>>,
        setting: Setting,
    ) -> Arc<Self> {
        let helm = Self {
            environment: Arc::clone(environment),
            seats,
            setting,
            policy: Mutex::new(Policy::new(setting.first_driver())),
            turns: AtomicU64::new(0),
            records: AtomicU64::new(0),
            compressing: AtomicBool::new(false),
            asleep: AtomicBool::new(true),
            closed: AtomicBool::new(false),
            sentinel: OnceLock::new(),
            clock: ThreadClock::of_this_thread(),
        };
        helm.show_asleep(1);
        Arc::new(helm)
    }

    /// The reactors.
    #[must_use]
    pub fn seats(&self) -> &[Arc<Seat>] {
        &self.seats
    }

    /// Who is to drive.
    #[must_use]
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// Whether the driver is chosen by measurement.
    #[must_use]
    pub fn is_auto(&self) -> bool {
        self.setting == Setting::Auto
    }

    /// JavaScript side: a turn begins or ends.
    pub fn note_turn(&self) {
        self.turns.fetch_add(1, Ordering::SeqCst);
        self.rouse();
    }

    /// Any thread: something was left for a reactor whose JavaScript thread may be busy.
    pub(super) fn rouse(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.show_asleep(0);
            self.call_sentinel();
        }
    }

    /// JavaScript side: so many records were handled.
    pub fn note_records(&self, count: u64) {
        self.records.fetch_add(count, Ordering::Relaxed);
    }

    /// JavaScript side: takes bytes off the inbound budget and lets reading go on if there is room
    /// again.
    pub(super) fn credit(&self, bytes: usize) {
        self.read_again_if(self.environment.budget.credit(bytes));
    }

    /// JavaScript side: begins to copy a large message.
    pub fn begin_arrival(&self, bytes: usize) {
        self.read_again_if(self.environment.budget.begin_arrival(bytes));
    }

    /// JavaScript side: the message is there.
    pub fn end_arrival(&self, bytes: usize) {
        self.read_again_if(self.environment.budget.end_arrival(bytes));
    }

    fn read_again_if(&self, stalled: bool) {
        if stalled {
            for seat in &self.seats {
                seat.read_again();
            }
        }
    }

    /// There is more to compress than the JavaScript thread may do in a turn.
    pub(super) fn note_compressing(&self) {
        self.compressing.store(true, Ordering::Relaxed);
    }

    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    pub(super) fn counts(&self) -> (Duration, u64, bool) {
        let commands: u64 = self.seats.iter().map(|seat| seat.commands_run()).sum();
        (
            self.seats.iter().map(|seat| seat.time_spent()).sum(),
            self.records.load(Ordering::Relaxed) + commands,
            self.compressing.swap(false, Ordering::Relaxed),
        )
    }

    /// Sentinel side: falls asleep unless a turn began since `turns` was read, or a record waits.
    pub(super) fn fall_asleep(&self, turns: u64) -> bool {
        self.show_asleep(1);
        self.asleep.store(true, Ordering::SeqCst);
        // JavaScript leaves a record, then looks whether we sleep; we look the other way round.
        fence(Ordering::SeqCst);
        if self.turns() == turns && !self.has_work() {
            return true;
        }
        let sleeps = !self.asleep.swap(false, Ordering::SeqCst);
        if !sleeps {
            self.show_asleep(0);
        }
        sleeps
    }

    pub(super) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }

    /// Who is to be called.
    pub(super) fn set_sentinel(&self, thread: Thread) {
        // There is one, as long as the environment has workers.
        let _ = self.sentinel.set(thread);
        self.call_sentinel();
    }

    fn call_sentinel(&self) {
        if let Some(thread) = self.sentinel.get() {
            thread.unpark();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether a worker drives that the sentinel has to watch, even without traffic.
    pub(super) fn is_to_give_back(&self) -> bool {
        self.is_auto() && self.policy.lock().driver() == Driver::Worker
    }

    fn show_asleep(&self, value: u32) {
        for seat in &self.seats {
            let slab = seat.lane().slab();
            slab.status(STATUS_ASLEEP).store(value, Ordering::SeqCst);
        }
    }

    /// Whether somebody turns a reactor just now.
    pub(super) fn is_turning(&self) -> bool {
        self.seats.iter().any(|seat| seat.is_turning())
    }

    /// Whether any reactor waits for its driver.
    pub(super) fn has_work(&self) -> bool {
        self.seats.iter().any(|seat| seat.has_work())
    }

    /// Changes the driver of all reactors.
    pub fn hand_to(&self, driver: Driver) {
        for seat in &self.seats {
            seat.hand_to(driver);
        }
        if driver == Driver::Inline {
            // JavaScript has to watch the descriptors again.
            self.environment.doorbell.ring();
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.call_sentinel();
    }
}
