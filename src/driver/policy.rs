//! Who drives, as a pure function of what was measured.
//!
//! Owns: [`Policy`]. Fed by the sentinel with looks (is the JavaScript thread stuck
//! in one turn?) and windows ([`Sample`]); time is an argument. Runs on: any.
//! Tests: here, in virtual time.
//!
//! An event loop that is awake anyway does the I/O cheapest, so the JavaScript
//! thread drives while it keeps up. When it does not, which of the two drivers is
//! faster depends on what handlers do and on who else wants the cores: it is tried,
//! both rates are remembered, and the better one stays. A trial that was lost is
//! repeated after ever longer pauses.

use std::time::{Duration, Instant};

/// Who turns the reactors of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Driver {
    /// The JavaScript thread.
    Inline = 0,
    /// The workers.
    Worker = 1,
}

/// What happened in a window of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Length of the window.
    pub wall: Duration,
    /// CPU time of the JavaScript thread.
    pub js: Duration,
    /// CPU time that turning the reactors took, whoever did it.
    pub io: Duration,
    /// How long the JavaScript thread was ready to run and had no core.
    pub run_delay: Duration,
    /// Events and commands handled.
    pub records: u64,
    /// There was more to compress than the JavaScript thread may do.
    pub compressing: bool,
}

/// How a JavaScript thread that was seen with work waiting has spent the time since, without
/// beginning or ending a turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standstill {
    /// How long ago that was.
    pub wall: Duration,
    /// CPU time that the thread used. `None` where the system does not tell.
    pub ran: Option<Duration>,
    /// How long it was ready to run and had no core, up to when it got one.
    pub run_delay: Duration,
    /// It runs, or is ready to and waits for a core, which the system has not counted yet.
    pub ready: bool,
}

impl Standstill {
    /// How long the thread kept its work waiting. Not, while it had no core: a worker would wait
    /// for one, too.
    #[must_use]
    pub fn kept(&self) -> Duration {
        match self.ran {
            None => self.wall,
            Some(ran) if self.ready => ran,
            // It sleeps in a call to the system.
            Some(ran) => self.wall.saturating_sub(self.run_delay).max(ran),
        }
    }
}

/// How long one turn may take while there is work before a worker takes over.
pub(super) const STUCK: Duration = Duration::from_millis(2);
/// The same after a trial has shown that the JavaScript thread is the faster driver.
const STUCK_LONGER: Duration = Duration::from_millis(10);
/// Share of a window above which the JavaScript thread counts as busy. A peer that waits for each
/// answer keeps it busy for some 0.7, and a faster one would win nothing.
const BUSY: f64 = 0.85;
/// Share below which it would be even with the I/O on it.
const IDLE_ENOUGH: f64 = 0.6;
/// Share of a window that a busy thread may wait for a core before none counts as free.
const CROWDED: f64 = 0.25;
/// What a trial has to promise, and what one driver has to be faster by.
const WORTH_A_TRIAL: f64 = 1.1;
const CLEARLY_FASTER: f64 = 1.05;
/// Handing a record over costs either side so much.
const HAND_OVER: Duration = Duration::from_nanos(300);
/// Windows that a new driver gets before it is judged: more while it has handled so few records
/// that chance decides.
const TRIAL_WINDOWS: u32 = 2;
const LONGEST_TRIAL: u32 = 10;
const ENOUGH_RECORDS: u64 = 400;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(64);
/// A change of the rate by this factor is another load: what was learnt is forgotten.
const OTHER_LOAD: f64 = 2.0;

/// Decides who drives.
#[derive(Debug)]
pub struct Policy {
    driver: Driver,
    /// Windows since the driver changed; the first one is mixed.
    windows: u32,
    /// Records since the driver changed, while saturated.
    seen: u64,
    /// Records a second while saturated, by driver.
    rates: [Option<f64>; 2],
    /// The next trial of the worker is not before.
    trial_after: Option<Instant>,
    pause: Duration,
}

impl Policy {
    /// Begins with `driver`.
    #[must_use]
    pub const fn new(driver: Driver) -> Self {
        Self {
            driver,
            windows: 0,
            seen: 0,
            rates: [None; 2],
            trial_after: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Who drives.
    #[must_use]
    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// The JavaScript thread has been inside one turn for so long, with work waiting.
    /// `true` if a worker has to take over.
    pub fn look(&mut self, stuck: &Standstill, now: Instant) -> bool {
        let limit = if self.may_try(now) {
            STUCK
        } else {
            STUCK_LONGER
        };
        if self.driver == Driver::Worker || stuck.kept() < limit {
            return false;
        }
        self.change(Driver::Worker);
        true
    }

    /// The JavaScript thread asks for a worker: there is more to compress than it may do.
    /// `true` if it gets one.
    pub fn ask(&mut self) -> bool {
        let changes = self.driver == Driver::Inline;
        if changes {
            self.change(Driver::Worker);
        }
        changes
    }

    /// A window is over. `Some` if the driver changes.
    pub fn window(&mut self, sample: &Sample, now: Instant) -> Option<Driver> {
        self.windows = self.windows.saturating_add(1);
        let wall = sample.wall.as_secs_f64().max(1e-6);
        let js = sample.js.as_secs_f64() / wall;
        let waiting = sample.run_delay.as_secs_f64() / wall;
        let load = waiting
            + match self.driver {
                Driver::Inline => js,
                Driver::Worker => js + sample.io.as_secs_f64() / wall,
            };
        if self.windows <= 1 || sample.compressing {
            return None;
        }
        if load < IDLE_ENOUGH {
            // Nothing to win by being faster.
            return self.change_to(Driver::Inline);
        }
        // A worker that was tried is judged even if JavaScript has less to do now.
        if load < BUSY && self.driver == Driver::Inline {
            return None;
        }
        self.learn(sample.records as f64 / wall);
        self.seen += sample.records;
        let is_judged = self.windows > TRIAL_WINDOWS
            && (self.seen >= ENOUGH_RECORDS || self.windows >= LONGEST_TRIAL);
        if !is_judged {
            return None;
        }
        let [inline, worker] = self.rates;
        match (self.driver, inline, worker) {
            (Driver::Inline, Some(inline), Some(worker)) if worker > inline * CLEARLY_FASTER => {
                self.change_to(Driver::Worker)
            }
            (Driver::Inline, ..) if !is_crowded(sample) => {
                if self.trial_after.is_none() && !promises(sample) {
                    // What is known promises little, but a worker gathers more for each write.
                    self.trial_after = Some(now + FIRST_PAUSE);
                }
                if !self.may_try(now) {
                    return None;
                }
                self.change_to(Driver::Worker)
            }
            (Driver::Worker, Some(inline), Some(worker)) if worker < inline * CLEARLY_FASTER => {
                self.trial_after = Some(now + self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                self.change_to(Driver::Inline)
            }
            // It took over before the other one could show what it does.
            (Driver::Worker, None, _) => self.change_to(Driver::Inline),
            _ => None,
        }
    }

    fn may_try(&self, now: Instant) -> bool {
        self.trial_after.is_none_or(|after| now >= after)
    }

    fn learn(&mut self, rate: f64) {
        let [mine, other] = match self.driver {
            Driver::Inline => [0, 1],
            Driver::Worker => [1, 0],
        };
        let known = self.rates[mine];
        if known.is_some_and(|known| rate > known * OTHER_LOAD || rate * OTHER_LOAD < known) {
            self.rates[other] = None;
            self.trial_after = None;
            self.pause = FIRST_PAUSE;
            self.rates[mine] = Some(rate);
        } else {
            // An average at first, then one that follows slowly.
            let weight = 1.0 / f64::from(self.windows.min(LONGEST_TRIAL));
            self.rates[mine] = Some(known.map_or(rate, |known| known + (rate - known) * weight));
        }
    }

    fn change_to(&mut self, driver: Driver) -> Option<Driver> {
        if self.driver == driver {
            return None;
        }
        self.change(driver);
        Some(driver)
    }

    fn change(&mut self, driver: Driver) {
        self.driver = driver;
        self.windows = 0;
        self.seen = 0;
    }
}

/// Whether threads queue for cores: one more would only queue, too.
fn is_crowded(sample: &Sample) -> bool {
    sample.run_delay.as_secs_f64() > sample.wall.as_secs_f64() * CROWDED
}

/// Whether the worker driver is known to be worth it: what it gives at best is the whole of the
/// work over its longer part.
fn promises(sample: &Sample) -> bool {
    let hand_over = HAND_OVER.as_secs_f64() * sample.records as f64;
    let (js, io) = (sample.js.as_secs_f64(), sample.io.as_secs_f64());
    let longer = (js - io + hand_over).max(io + hand_over);
    longer > 0.0 && js / longer >= WORTH_A_TRIAL
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(50);

    struct Clock(Instant);

    /// A window in which the JavaScript thread was busy for `js` percent, `io` of them with I/O.
    fn sample(js: u32, io: u32, records: u64) -> Sample {
        Sample {
            wall: WINDOW,
            js: WINDOW * js / 100,
            io: WINDOW * io / 100,
            records,
            ..Sample::default()
        }
    }

    /// A thread that runs all the time.
    fn computing(microseconds: u64) -> Standstill {
        let time = Duration::from_micros(microseconds);
        Standstill {
            wall: time,
            ran: Some(time),
            ready: true,
            ..Standstill::default()
        }
    }

    impl Clock {
        /// Lets windows pass until the driver changes, at most `most`.
        fn until_change(&mut self, policy: &mut Policy, sample: &Sample, most: u32) -> Option<u32> {
            (1..=most).find(|_| {
                self.0 += WINDOW;
                policy.window(sample, self.0).is_some()
            })
        }
    }

    fn start() -> (Policy, Clock) {
        (Policy::new(Driver::Inline), Clock(Instant::now()))
    }

    #[test]
    fn a_thread_that_keeps_up_drives_for_ever() {
        let (mut policy, mut clock) = start();
        let quiet = sample(50, 25, 1000);
        assert_eq!(clock.until_change(&mut policy, &quiet, 10_000), None);
        assert!(!policy.look(&computing(1900), clock.0));
    }

    #[test]
    fn a_worker_takes_over_from_a_stuck_thread_and_gives_back_when_it_is_idle() {
        let (mut policy, mut clock) = start();
        assert!(policy.look(&computing(2000), clock.0));
        assert!(!policy.look(&computing(2000), clock.0), "it drives already");
        let quiet = sample(20, 10, 100);
        assert_eq!(clock.until_change(&mut policy, &quiet, 10), Some(2));
        assert_eq!(policy.driver(), Driver::Inline);
    }

    #[test]
    fn a_thread_without_a_core_is_not_stuck() {
        let (mut policy, clock) = start();
        let [short, long] = [Duration::from_micros(300), Duration::from_millis(40)];
        let waiting = Standstill {
            wall: long,
            ran: Some(short),
            ready: true,
            ..Standstill::default()
        };
        assert!(!policy.look(&waiting, clock.0), "it waits since long");
        let waited = Standstill {
            run_delay: long.saturating_sub(short),
            ready: false,
            ..waiting
        };
        assert!(!policy.look(&waited, clock.0), "it has waited");
        let computed = Standstill {
            ran: Some(STUCK),
            ..waiting
        };
        assert!(policy.look(&computed, clock.0), "between its waits it ran");
    }

    #[test]
    fn a_thread_that_sleeps_in_a_call_to_the_system_is_stuck() {
        let (mut policy, clock) = start();
        let asleep = Standstill {
            wall: STUCK,
            ran: Some(Duration::ZERO),
            ..Standstill::default()
        };
        assert!(policy.look(&asleep, clock.0));
    }

    #[test]
    fn where_the_system_does_not_tell_time_counts() {
        let (mut policy, clock) = start();
        let unknown = Standstill {
            wall: STUCK,
            ..Standstill::default()
        };
        assert!(policy.look(&unknown, clock.0));
    }

    #[test]
    fn a_trial_that_is_won_lasts() {
        let (mut policy, mut clock) = start();
        let inline = sample(100, 15, 740);
        assert_eq!(clock.until_change(&mut policy, &inline, 10), Some(3));
        let worker = sample(95, 15, 920);
        assert_eq!(clock.until_change(&mut policy, &worker, 10_000), None);
        assert_eq!(policy.driver(), Driver::Worker);
    }

    #[test]
    fn a_trial_that_is_lost_is_repeated_after_ever_longer_pauses() {
        let (mut policy, mut clock) = start();
        let (inline, worker) = (sample(100, 40, 2700), sample(90, 45, 2250));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pauses.push(clock.until_change(&mut policy, &inline, 10_000).unwrap());
            assert_eq!(clock.until_change(&mut policy, &worker, 10), Some(3));
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert!(
            u128::from(pauses[7]) * WINDOW.as_millis() >= 60_000,
            "{pauses:?}"
        );
        assert!(
            !policy.look(&computing(5000), clock.0),
            "patience while it is known"
        );
        assert!(policy.look(&computing(10_000), clock.0));
    }

    #[test]
    fn without_a_promise_a_trial_comes_later_and_rarely() {
        let (mut policy, mut clock) = start();
        let all_io = sample(100, 97, 70_000);
        let first = clock.until_change(&mut policy, &all_io, 1000).unwrap();
        assert!(u128::from(first) * WINDOW.as_millis() >= FIRST_PAUSE.as_millis());
        let slower = sample(100, 97, 60_000);
        assert_eq!(clock.until_change(&mut policy, &slower, 10), Some(3));
        assert!(
            policy.pause > FIRST_PAUSE,
            "the next one has to wait longer"
        );
    }

    #[test]
    fn a_trial_of_few_records_lasts_longer() {
        let (mut policy, mut clock) = start();
        let (inline, worker) = (sample(100, 60, 45), sample(70, 60, 40));
        let first = clock.until_change(&mut policy, &inline, 100).unwrap();
        let trial = clock.until_change(&mut policy, &worker, 100).unwrap();
        assert_eq!((first, trial), (LONGEST_TRIAL, LONGEST_TRIAL));
        assert_eq!(
            policy.driver(),
            Driver::Inline,
            "judged though JavaScript had time"
        );
    }

    #[test]
    fn nothing_is_tried_while_threads_queue_for_cores() {
        let (mut policy, mut clock) = start();
        let crowded = Sample {
            run_delay: WINDOW / 2,
            ..sample(100, 20, 700)
        };
        assert_eq!(clock.until_change(&mut policy, &crowded, 1000), None);
    }

    #[test]
    fn another_load_is_judged_anew() {
        let (mut policy, mut clock) = start();
        let (inline, worker) = (sample(100, 40, 2700), sample(90, 45, 2250));
        for _ in 0..6 {
            clock.until_change(&mut policy, &inline, 10_000);
            clock.until_change(&mut policy, &worker, 10);
        }
        let other = sample(100, 30, 900);
        assert_eq!(clock.until_change(&mut policy, &other, 10), Some(3));
    }

    #[test]
    fn whoever_never_drove_inline_under_this_load_does_so_once() {
        let (mut policy, mut clock) = start();
        assert!(policy.look(&computing(2000), clock.0));
        let busy = sample(90, 50, 5000);
        assert_eq!(clock.until_change(&mut policy, &busy, 10), Some(3));
        assert_eq!(policy.driver(), Driver::Inline);
    }

    #[test]
    fn compression_keeps_the_worker_at_the_wheel() {
        let (mut policy, mut clock) = start();
        assert!(policy.ask());
        assert!(!policy.ask());
        let compressing = Sample {
            compressing: true,
            ..sample(10, 30, 100)
        };
        assert_eq!(clock.until_change(&mut policy, &compressing, 1000), None);
        let quiet = sample(10, 5, 100);
        assert_eq!(clock.until_change(&mut policy, &quiet, 10), Some(1));
    }
}
