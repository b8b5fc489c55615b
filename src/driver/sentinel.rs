//! The sentinel: a thread that looks after the JavaScript threads of the process
//! while there is traffic, and sleeps when there is none.
//!
//! Owns: [`Sentinel`], one a process. It measures; what follows from that is the
//! policy's. Where only one driver may drive, it still gets out what a handler sent
//! before it blocked. Runs on: a thread of its own, so that a look costs one system
//! call and waits for nobody.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::helm::Helm;
use super::policy::{Driver, STUCK, Sample, Standstill};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, JoinHandle};

/// Between two looks at a thread that has something to do most of the time.
const LOOK: Duration = Duration::from_millis(2);
/// Between two looks at one that is idle most of the time: at 1000 messages a second, looks every 5 ms
/// took an eighth of all CPU.
const LOOK_RARELY: Duration = Duration::from_millis(20);
/// Share of a window from which on looking often pays.
const ACTIVE: f64 = 0.4;
const WINDOW: Duration = Duration::from_millis(if MODELLED { u64::MAX } else { 50 });
/// Time without a turn before falling asleep.
const PATIENCE: Duration = Duration::from_millis(if MODELLED { 0 } else { 100 });
/// How long there has to be work without a turn before somebody else does it.
const HELP_AFTER: Duration = if MODELLED { Duration::ZERO } else { STUCK };
/// In models any time may pass between two steps, and nothing is measured.
const MODELLED: bool = cfg!(all(test, models));

/// The thread.
#[derive(Debug)]
pub(super) struct Sentinel {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Environments that the thread has not seen yet.
    newcomers: Mutex<Vec<Arc<Helm>>>,
    stop: AtomicBool,
}

impl Sentinel {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("ferrows-look".into())
            .spawn(move || stand_guard(&theirs))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Looks after an environment until it is gone.
    pub(super) fn look_after(&self, helm: &Arc<Helm>) {
        let Some(thread) = &self.thread else { return };
        let newcomers = &self.shared.newcomers;
        newcomers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(helm));
        helm.set_sentinel(thread.thread().clone());
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked has nothing left to join.
            let _ = thread.join();
        }
    }
}

fn stand_guard(shared: &Shared) {
    let mut watches: Vec<Watch> = Vec::new();
    while !shared.stop.load(Ordering::SeqCst) {
        let newcomers = std::mem::take(
            &mut *shared
                .newcomers
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        watches.extend(newcomers.into_iter().map(Watch::begin));
        watches.retain(|watch| !watch.helm.is_closed());
        match watches.iter_mut().filter_map(Watch::look).min() {
            Some(pause) => thread::park_timeout(pause),
            None => thread::park(),
        }
    }
}

/// Where the counters stood when a window began.
struct Window {
    began: Instant,
    js: Option<Duration>,
    run_delay: Option<Duration>,
    io: Duration,
    records: u64,
}

impl Window {
    fn begin(helm: &Helm, busy: bool) -> Self {
        let (io, records, _) = helm.counts();
        Self {
            began: Instant::now(),
            js: helm.clock.and_then(|clock| clock.used()),
            // A file to read: worth it only while it can matter.
            run_delay: helm
                .clock
                .filter(|_| busy)
                .and_then(|clock| clock.run_delay()),
            io,
            records,
        }
    }

    fn end(&self, helm: &Helm) -> Sample {
        let (io, records, compressing) = helm.counts();
        let io = io.saturating_sub(self.io);
        let clock = helm.clock;
        let run_delay = clock.filter(|_| self.run_delay.is_some());
        Sample {
            wall: self.began.elapsed(),
            // Without such a clock, at least what is known.
            js: since(self.js, clock.and_then(|clock| clock.used())).unwrap_or(io),
            io,
            run_delay: since(
                self.run_delay,
                run_delay.and_then(|clock| clock.run_delay()),
            )
            .unwrap_or_default(),
            records: records.saturating_sub(self.records),
            compressing,
        }
    }
}

/// What the sentinel knows of one environment.
struct Watch {
    helm: Arc<Helm>,
    /// `None` while it sleeps.
    window: Option<Window>,
    pause: Duration,
    turns: u64,
    /// Since work was first seen to wait without a turn.
    stuck: Option<Beginning>,
    idle_since: Option<Instant>,
}

/// Where a thread stood when its work was first seen to wait.
struct Beginning {
    at: Instant,
    used: Option<Duration>,
    run_delay: Option<Duration>,
}

impl Beginning {
    fn new(helm: &Helm, now: Instant) -> Self {
        Self {
            at: now,
            used: helm.clock.and_then(|clock| clock.used()),
            run_delay: helm.clock.and_then(|clock| clock.run_delay()),
        }
    }

    /// What became of it.
    fn standstill(&self, helm: &Helm, now: Instant) -> Standstill {
        let wall = now - self.at;
        // Files to read: not before something may follow from them.
        let clock = helm.clock.filter(|_| wall >= STUCK);
        Standstill {
            wall,
            ran: since(self.used, clock.and_then(|clock| clock.used())),
            run_delay: since(self.run_delay, clock.and_then(|clock| clock.run_delay()))
                .unwrap_or_default(),
            ready: clock.is_some_and(|clock| clock.is_ready()),
        }
    }
}

fn since(before: Option<Duration>, now: Option<Duration>) -> Option<Duration> {
    Some(now?.saturating_sub(before?))
}

impl Watch {
    fn begin(helm: Arc<Helm>) -> Self {
        Self {
            helm,
            window: None,
            pause: LOOK_RARELY,
            turns: 0,
            stuck: None,
            idle_since: None,
        }
    }

    /// A look. `Some` tells when to look again; a thread without traffic wakes the sentinel.
    fn look(&mut self) -> Option<Duration> {
        if self.helm.is_asleep() {
            return None;
        }
        let now = Instant::now();
        let Some(window) = &self.window else {
            self.window = Some(Window::begin(&self.helm, false));
            (self.turns, self.stuck, self.idle_since) = (self.helm.turns(), None, None);
            return Some(self.pause);
        };
        // Where nothing is to be decided, nothing is measured.
        if self.helm.is_auto() && now - window.began >= WINDOW {
            let sample = window.end(&self.helm);
            self.judge(&sample, now);
        }
        let before = std::mem::replace(&mut self.turns, self.helm.turns());
        if self.turns != before || self.helm.is_turning() {
            // A thread that writes to a thousand sockets is not stuck.
            (self.stuck, self.idle_since) = (None, None);
        } else if !self.helm.has_work() {
            self.stuck = None;
            if now - *self.idle_since.get_or_insert(now) >= PATIENCE
                && !self.helm.is_to_give_back()
                && self.helm.fall_asleep(self.turns)
            {
                self.window = None;
                return None;
            }
        } else {
            self.help(now);
            return Some(LOOK.min(self.pause));
        }
        Some(self.pause)
    }

    /// There is work, and no turn began or ended since the last look.
    fn help(&mut self, now: Instant) {
        let helm = &self.helm;
        let beginning = self.stuck.get_or_insert_with(|| Beginning::new(helm, now));
        let stuck = beginning.standstill(helm, now);
        if helm.is_auto() && helm.policy.lock().look(&stuck, now) {
            self.helm.hand_to(Driver::Worker);
        } else if stuck.kept() >= HELP_AFTER {
            self.helm.seats().iter().for_each(|seat| seat.assist());
        }
    }

    fn judge(&mut self, sample: &Sample, now: Instant) {
        let load = (sample.js + sample.io).as_secs_f64() / sample.wall.as_secs_f64();
        let busy = load > ACTIVE;
        self.pause = if busy { LOOK } else { LOOK_RARELY };
        if let Some(driver) = self.helm.policy.lock().window(sample, now) {
            self.helm.hand_to(driver);
        }
        self.window = Some(Window::begin(&self.helm, busy));
    }
}
