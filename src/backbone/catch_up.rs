//! What was missed, asked of an engine that keeps a history.
//!
//! Owns: where a process learns its place in the history of a topic, and goes on from there after
//! an outage; what a single subscriber missed. Called by `carry.rs`. Runs on: worker.
//! INVARIANT: whoever asked is answered, whatever happens. Tests: `__test__/backbone/history.test.js`.

use std::sync::Arc;

use super::carry::within;
use super::config::Failure;
use super::engine::Engine;
use super::history::{Asked, Kept, Place, Recovery, Replay};
use super::shared::Shared;
use crate::sync::timeout;

/// Topics whose messages are asked for at once.
const TOPICS: usize = 16;

/// Topics are about to be subscribed to: notes where the histories end of those that are new here,
/// and lets what comes of them wait. Which they are; [`close_gaps`] is next for them.
pub(super) async fn learn_places<E: Engine>(
    shared: &Arc<Shared>,
    engine: &mut E,
    topics: &[Arc<str>],
) -> Result<Vec<Arc<str>>, Failure> {
    if shared.config.history.is_none() {
        return Ok(Vec::new());
    }
    let new = topics
        .iter()
        .filter(|topic| shared.incoming.place(topic).is_none());
    let mut learned = Vec::new();
    for (topic, answer) in ends(shared, engine, new.cloned()).await? {
        match answer {
            Ok(end) => {
                shared.incoming.reach(&topic, end);
                shared.incoming.hold(&topic);
                learned.push(topic);
            }
            Err(failure) => shared.fail(&failure),
        }
    }
    Ok(learned)
}

/// Topics that were new here are subscribed to: delivers what was published between that and the
/// moment when it was learned where they end, and what had to wait. It does not come otherwise.
pub(super) async fn close_gaps<E: Engine>(
    shared: &Arc<Shared>,
    engine: &mut E,
    topics: Vec<Arc<str>>,
) -> Result<(), Failure> {
    let mut behind = Vec::new();
    for (topic, answer) in ends(shared, engine, topics.into_iter()).await? {
        match answer {
            Ok(end) if shared.incoming.place(&topic) == Some(end) => {
                if !release(shared, &topic) {
                    shared.gap(&topic, false);
                }
            }
            _ => behind.push(topic),
        }
    }
    catch_up(shared, engine, &behind, false).await
}

/// Where histories end.
async fn ends<E: Engine>(
    shared: &Arc<Shared>,
    engine: &mut E,
    topics: impl Iterator<Item = Arc<str>>,
) -> Result<Vec<(Arc<str>, Result<Place, Failure>)>, Failure> {
    let asked: Vec<_> = topics.map(|topic| Asked { topic, since: None }).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let answers = within(shared, "asking for histories", engine.history(&asked)).await?;
    let ends = answers
        .into_iter()
        .map(|answer| answer.map(|kept| kept.end));
    let topics = asked.into_iter().map(|asked| asked.topic);
    Ok(topics.zip(ends).collect())
}

/// Delivers what was missed of topics, in an `outage` of the engine or otherwise, and tells where that
/// is not possible.
pub(super) async fn catch_up<E: Engine>(
    shared: &Arc<Shared>,
    engine: &mut E,
    topics: &[Arc<str>],
    outage: bool,
) -> Result<(), Failure> {
    for some in topics.chunks(TOPICS) {
        let asked: Vec<_> = some
            .iter()
            .filter_map(|topic| {
                let since = Some(shared.incoming.place(topic)?);
                let topic = Arc::clone(topic);
                Some(Asked { topic, since })
            })
            .collect();
        let answers = match asked.is_empty() {
            true => Vec::new(),
            false => within(shared, "asking for histories", engine.history(&asked)).await?,
        };
        let mut complete = Vec::new();
        for (Asked { topic, .. }, answer) in asked.iter().zip(answers) {
            if deliver(shared, topic, answer) {
                complete.push(topic);
            }
        }
        for topic in some.iter().filter(|topic| !complete.contains(topic)) {
            shared.gap(topic, outage);
        }
    }
    Ok(())
}

/// Delivers what was missed of a topic, and then what had to wait for it. Whether that is all.
fn deliver(shared: &Shared, topic: &str, answer: Result<Kept, Failure>) -> bool {
    let mut complete = false;
    match answer {
        Ok(Kept { end, messages }) => {
            if let Some(messages) = messages {
                complete = true;
                shared.incoming.tighten(topic);
                let epoch = end.epoch;
                for (offset, frame) in messages {
                    shared.receive_now(topic, Some(Place { epoch, offset }), &frame);
                }
            }
            shared.incoming.reach(topic, end);
        }
        Err(failure) => shared.fail(&failure),
    }
    release(shared, topic) && complete
}

/// Delivers what had to wait. Whether that is all.
fn release(shared: &Shared, topic: &str) -> bool {
    while let Some(held) = shared.incoming.release(topic) {
        let Some(held) = held else {
            return false;
        };
        for (place, frame) in held {
            shared.receive_now(topic, place, &frame);
        }
    }
    true
}

/// Answers subscribers who want to know what they missed; they are told of nothing if their topics
/// could not be `told`.
pub(super) async fn recover<E: Engine>(
    shared: &Arc<Shared>,
    engine: &mut E,
    recoveries: Vec<Recovery>,
    told: Result<(), Failure>,
) -> Result<(), Failure> {
    let mut rest = recoveries.into_iter();
    let mut outcome = told;
    while outcome.is_ok() && rest.len() > 0 {
        let some: Vec<_> = rest.by_ref().take(TOPICS).collect();
        outcome = recover_some(shared, engine, some).await;
    }
    for recovery in rest {
        recovery.answer(Replay::default());
    }
    outcome
}

async fn recover_some<E: Engine>(
    shared: &Arc<Shared>,
    engine: &mut E,
    recoveries: Vec<Recovery>,
) -> Result<(), Failure> {
    let asked: Vec<_> = recoveries
        .iter()
        .map(|recovery| Asked {
            topic: Arc::clone(&recovery.topic),
            since: Some(recovery.since),
        })
        .collect();
    let answers = within(shared, "asking for histories", engine.history(&asked)).await;
    let (answers, outcome) = match answers {
        Ok(answers) => (answers, Ok(())),
        Err(failure) => (Vec::new(), Err(failure)),
    };
    let mut replays = answers.into_iter().map(|answer| match answer {
        Ok(kept) => Replay::of(kept),
        Err(failure) => {
            shared.fail(&failure);
            Replay::default()
        }
    });
    let replays: Vec<_> = recoveries
        .iter()
        .map(|_| replays.next().unwrap_or_default())
        .collect();
    // What is replayed must not come live afterwards.
    let arrived = timeout(shared.config.timeout, async {
        for (recovery, replay) in recoveries.iter().zip(&replays) {
            wait_for(shared, &recovery.topic, replay).await;
        }
    })
    .await;
    for (recovery, replay) in recoveries.into_iter().zip(replays) {
        recovery.answer(if arrived.is_ok() {
            replay
        } else {
            Replay::default()
        });
    }
    outcome
}

/// Waits until this process got all that a replay has.
async fn wait_for(shared: &Shared, topic: &str, replay: &Replay) {
    let (Some(end), Some(last)) = (replay.end, replay.last_offset()) else {
        return;
    };
    loop {
        let notified = shared.arrived.notified();
        let place = shared.incoming.place(topic);
        // A topic that nobody wants any more is not waited for.
        if place.is_none_or(|place| place.epoch == end.epoch && place.offset >= last) {
            return;
        }
        notified.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::super::config::{Config, Credentials, History, Kind, Overflow};
    use super::super::engine::Refusal;
    use super::super::frame::Header;
    use super::super::outgoing::Waiting;
    use super::*;
    use crate::driver::Carried;

    const TOPIC: &str = "t";
    const ROOM: usize = 1000;

    /// An engine whose histories end at one place.
    struct Played {
        end: u64,
    }

    impl Engine for Played {
        async fn connect(_: &Arc<Shared>, _: usize) -> Result<Self, Failure> {
            unreachable!("it is connected")
        }

        fn version(&self) -> &'static str {
            ""
        }

        async fn subscribe(&mut self, _: &[Arc<str>]) -> Result<Vec<Refusal>, Failure> {
            unreachable!("the test does")
        }

        async fn unsubscribe(&mut self, _: &[Arc<str>]) -> Result<(), Failure> {
            unreachable!("the subscriber stays")
        }

        async fn publish(&mut self, _: &[Waiting]) -> Result<Vec<Refusal>, Failure> {
            unreachable!("others publish")
        }

        async fn history(
            &mut self,
            asked: &[Asked],
        ) -> Result<Vec<Result<Kept, Failure>>, Failure> {
            let kept = |_: &Asked| {
                Ok(Kept {
                    end: place(self.end),
                    // The first message is too old already.
                    messages: None,
                })
            };
            Ok(asked.iter().map(kept).collect())
        }

        async fn ping(&mut self) -> Result<(), Failure> {
            unreachable!("no time passes")
        }

        async fn ended(&mut self) -> Result<Failure, Failure> {
            std::future::pending().await
        }
    }

    fn place(offset: u64) -> Place {
        Place { epoch: 7, offset }
    }

    fn config() -> Config {
        Config {
            kind: Kind::Redis,
            addresses: Vec::new(),
            shown: Vec::new(),
            credentials: Credentials::default(),
            tls: None,
            database: 0,
            prefix: String::new(),
            queue: ROOM,
            overflow: Overflow::DropNewest,
            timeout: Duration::from_secs(60),
            history: Some(History {
                size: 1,
                ttl: Duration::MAX,
            }),
        }
    }

    /// A topic is new here, and so many bytes of another process come of it before the second look at
    /// its history, which ends there by then. Messages that were delivered, and gaps.
    async fn subscribe(bytes: usize, end: u64) -> (u64, u64) {
        let shared = Arc::new(Shared::new(config(), Carried::default(), 1 << 20));
        let mut engine = Played { end: 0 };
        shared.incoming.expect(TOPIC);
        let topics = [TOPIC.into()];
        let learned = learn_places(&shared, &mut engine, &topics).await.unwrap();
        assert_eq!(learned, topics);
        let header = Header {
            opcode: 2,
            compress: false,
            hole: false,
            origin: 2 << 20,
            sequence: 1,
        };
        shared.receive(TOPIC, Some(place(end + 1)), &header.frame(&vec![7; bytes]));
        let counted = || {
            let counters = &shared.counters;
            [&counters.received, &counters.gaps].map(|counter| counter.load(Ordering::Relaxed))
        };
        assert_eq!(counted(), [0, 0]);
        engine.end = end;
        close_gaps(&shared, &mut engine, learned).await.unwrap();
        let [received, gaps] = counted();
        (received, gaps)
    }

    #[tokio::test]
    async fn what_waits_for_the_second_look_is_delivered_or_told_of() {
        assert_eq!(subscribe(10, 0).await, (1, 0));
        assert_eq!(subscribe(2 * ROOM, 0).await, (0, 1));
        assert_eq!(subscribe(10, 1).await, (1, 1));
        assert_eq!(subscribe(2 * ROOM, 1).await, (0, 1));
    }
}
