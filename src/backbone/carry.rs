//! The task of a backbone: keeps an engine connected and gives it what is to be carried.
//!
//! Owns: [`carry`]. Runs on: worker. INVARIANT: whatever the engine does, the task goes on
//! until the backbone stops, waits no longer than the user's time limit for an answer, and
//! tells of each outage once. Tests: `__test__/backbone`.
//!
//! ```text
//!              connected, and told of all topics
//!   CONNECTING ─────────────────────────────────► SERVING ──► topics, then messages, then flushes
//!     ▲  │ failed: 'lost' if it was not told         │          'connected', a 'gap' for each topic
//!     │  ▼                                           │          if there was an outage
//!    PAUSE, longer each time, by chance  ◄───────────┘ failed: 'lost'
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::catch_up::{catch_up, close_gaps, learn_places, recover};
use super::config::{Failure, Reason};
use super::engine::{Engine, Refusal};
use super::news::Event;
use super::shared::{Counters, Shared, State};
use crate::sync::timeout;

/// The first pause and the longest; each is somewhere between nothing and twice the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long it takes at most until somebody hears of what the queue had no room for meanwhile.
const REPORT_PAUSE: Duration = Duration::from_millis(100);
/// Topics that the engine is told of at once.
const TOPICS: usize = 1000;
/// Messages and bytes that it is given at once.
const MESSAGES: usize = 1000;
const BYTES: usize = 1 << 20;
/// How long what waits may take to be sent when the backbone ends.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// Carries until the backbone stops.
pub(super) async fn carry<E: Engine>(shared: Arc<Shared>) {
    let mut lost = false;
    let mut attempts = 0;
    while !shared.is_stopping() {
        let address = attempts % shared.config.addresses.len().max(1);
        shared.at.store(address as u64, Ordering::Relaxed);
        let failure = match begin::<E>(&shared, address, lost).await {
            Ok(mut engine) => {
                (lost, attempts) = (false, 0);
                let failure = serve(&shared, &mut engine).await;
                shared.incoming.begin_anew();
                failure
            }
            Err(failure) => failure,
        };
        if shared.is_stopping() {
            break;
        }
        if !lost {
            lost = true;
            shared.set_state(State::Lost);
            shared.tell(&Event::Lost(shared.config.tell(address, &failure)));
        }
        shared.report_dropped();
        pause(&shared, attempts).await;
        attempts += 1;
    }
    shared.fail_recoveries();
    shared.set_state(State::Closed);
}

/// Connects, and tells the engine of all topics.
async fn begin<E: Engine>(shared: &Arc<Shared>, address: usize, lost: bool) -> Result<E, Failure> {
    let mut engine = within(shared, "connecting", E::connect(shared, address)).await?;
    shared.forget_foreign();
    shared.wants().begin_anew();
    let topics = shared.wants().names();
    if lost {
        for topic in topics
            .iter()
            .filter(|topic| shared.incoming.place(topic).is_some())
        {
            shared.incoming.hold(topic);
        }
    }
    tell_topics(shared, &mut engine).await?;
    shared.set_state(State::Connected);
    Counters::add(&shared.counters.connects, 1);
    shared.tell(&Event::Connected {
        address: shared.config.shown_at(address).to_owned(),
        version: engine.version().to_owned(),
    });
    if lost {
        catch_up(shared, &mut engine, &topics, true).await?;
    }
    Ok(engine)
}

/// Gives the engine what there is for it. Returns when it fails, or the backbone stops.
async fn serve<E: Engine>(shared: &Arc<Shared>, engine: &mut E) -> Failure {
    let mut deadline = None;
    loop {
        if let Err(failure) = work(shared, engine).await {
            return failure;
        }
        if shared.is_stopping() {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + LAST_MOMENTS);
            if !shared.outgoing().has_work() || Instant::now() >= deadline {
                return Failure::new(Reason::Connection, "the backbone was closed");
            }
            continue;
        }
        let has_work =
            shared.wants().has_changes() || shared.outgoing().has_work() || shared.has_recoveries();
        if has_work {
            // Other tasks of this worker.
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            biased;
            ended = engine.ended() => match ended {
                Ok(failure) => shared.fail(&failure),
                Err(failure) => return failure,
            },
            () = shared.called.notified() => {}
            () = tokio::time::sleep(shared.config.timeout) => {
                let began = Instant::now();
                if let Err(failure) = within(shared, "a ping", engine.ping()).await {
                    return failure;
                }
                note_lag(shared, began);
            }
        }
    }
}

/// Topics, what was missed of them, a batch of messages, and whoever waited for them.
pub(super) async fn work<E: Engine>(shared: &Arc<Shared>, engine: &mut E) -> Result<(), Failure> {
    // Before the topics: those that it is about are told of then.
    let recoveries = shared.take_recoveries();
    let told = tell_topics(shared, engine).await;
    recover(shared, engine, recoveries, told).await?;
    let batch = shared.outgoing().take(MESSAGES, BYTES);
    if !batch.is_empty() {
        let began = Instant::now();
        match within(shared, "publishing", engine.publish(&batch)).await {
            Ok(refusals) => {
                note_lag(shared, began);
                note_sent(shared, &batch, &refusals);
            }
            Err(failure) => {
                let given_up = shared.outgoing().put_back(batch);
                if given_up > 0 {
                    let text = format!(
                        "it went away with the same message repeatedly: {}",
                        failure.text
                    );
                    shared.fail(&Failure::new(Reason::Refused, text));
                }
                return Err(failure);
            }
        }
    }
    shared.report_dropped();
    shared.finish_flushes();
    Ok(())
}

fn note_sent(shared: &Shared, batch: &[super::outgoing::Waiting], refusals: &[Refusal]) {
    let bytes: usize = batch.iter().map(|each| each.frame.len()).sum();
    Counters::add(&shared.counters.sent, (batch.len() - refusals.len()) as u64);
    Counters::add(&shared.counters.sent_bytes, bytes as u64);
    let mut outgoing = shared.outgoing();
    outgoing.confirm(batch, |at| {
        refusals.iter().any(|(refused, _)| *refused == at)
    });
    drop(outgoing);
    for (_, failure) in refusals.iter().take(1) {
        shared.fail(failure);
    }
}

async fn tell_topics<E: Engine>(shared: &Arc<Shared>, engine: &mut E) -> Result<(), Failure> {
    loop {
        if !shared.wants().has_changes() {
            return Ok(());
        }
        let changes = shared.wants().take(TOPICS);
        for topic in &changes.forgotten {
            shared.incoming.forget(topic);
        }
        for topic in &changes.added {
            shared.incoming.expect(topic);
        }
        if !changes.removed.is_empty() {
            within(
                shared,
                "unsubscribing",
                engine.unsubscribe(&changes.removed),
            )
            .await?;
        }
        if !changes.added.is_empty() {
            let learned = learn_places(shared, engine, &changes.added).await?;
            let refusals = within(shared, "subscribing", engine.subscribe(&changes.added)).await?;
            for (at, mut failure) in refusals {
                let topic = changes.added.get(at).map_or("", |topic| topic);
                failure.text = format!("{} (topic {topic:?})", failure.text);
                shared.fail(&failure);
            }
            close_gaps(shared, engine, learned).await?;
        }
    }
}

pub(super) async fn within<T>(
    shared: &Shared,
    what: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(shared.config.timeout, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::timeout(what)),
    }
}

fn note_lag(shared: &Shared, began: Instant) {
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    shared.counters.lag.store(micros, Ordering::Relaxed);
}

/// Waits by chance, so that not all processes come at once when the engine is back.
async fn pause(shared: &Shared, attempts: usize) {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.min(16));
    let longest = doubled.min(LONGEST_PAUSE);
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    let pause = longest.mul_f64(f64::from(chance) / f64::from(u32::MAX));
    let deadline = tokio::time::Instant::now() + pause;
    while !shared.is_stopping() {
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => return,
            () = tokio::time::sleep(REPORT_PAUSE) => {}
            () = shared.called.notified() => {}
        }
        shared.fail_recoveries();
        shared.report_dropped();
    }
}
