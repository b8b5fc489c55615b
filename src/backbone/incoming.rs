//! What comes from the engine, on its way into the hub.
//!
//! Owns: [`Incoming`]: which messages of whom were seen last, for each topic that this
//! process wants: by that what comes twice is dropped and what is missing is noticed. Where there
//! is a history, too, up to where it came, and what has to wait for what was missed.
//! Called by the engines. Runs on: worker. Never enters JavaScript, never trusts bytes.
//! Tests: here.

use std::collections::HashMap;
use std::sync::PoisonError;

use super::frame::Header;
use super::history::Place;
use super::outgoing::same_process;
use crate::sync::{Mutex, MutexGuard};

/// Origins that are remembered for a topic.
const MOST_ORIGINS: usize = 1024;

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// It goes to the subscribers; so many were missed before it.
    Deliver {
        header: Header,
        payload: &'a [u8],
        missed: u64,
    },
    /// There is no message, but so many were missed; 0 if nobody knows how many.
    Missed(u64),
    /// It is our own, came before, or is for nobody any more.
    Drop,
    /// It is somebody else's.
    Foreign,
}

/// What is remembered of one origin.
#[derive(Clone, Copy, Debug)]
struct Seen {
    origin: u64,
    last: u64,
    /// From its first message on, nothing was missed that was not told.
    whole: bool,
    /// There was an outage since, which is told otherwise.
    loose: bool,
}

/// What came with its place in a history, and waits.
pub(super) type Held = (Option<Place>, Vec<u8>);

/// What is known of a topic.
#[derive(Debug, Default)]
struct Topic {
    origins: Vec<Seen>,
    /// Up to here everything was delivered.
    place: Option<Place>,
    /// What was missed is being asked for. `None` in it: too much came meanwhile.
    held: Option<Option<Vec<Held>>>,
    held_bytes: usize,
}

/// What comes.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    topics: Mutex<HashMap<Box<str>, Topic>>,
}

impl Incoming {
    /// From here on messages of a topic are wanted.
    pub(super) fn expect(&self, topic: &str) {
        self.lock().entry(topic.into()).or_default();
    }

    /// They are not any more.
    pub(super) fn forget(&self, topic: &str) {
        self.lock().remove(topic);
    }

    /// The engine was away: what was missed meanwhile is told for the topic as a whole.
    pub(super) fn begin_anew(&self) {
        for topic in self.lock().values_mut() {
            for seen in &mut topic.origins {
                seen.loose = true;
            }
            topic.held = None;
        }
    }

    /// What came while the engine was away is known after all: nothing else tells of what is missing.
    pub(super) fn tighten(&self, topic: &str) {
        if let Some(known) = self.lock().get_mut(topic) {
            for seen in &mut known.origins {
                seen.loose = false;
            }
        }
    }

    /// Up to where a topic's history was delivered here, if that is known.
    pub(super) fn place(&self, topic: &str) -> Option<Place> {
        self.lock().get(topic)?.place
    }

    /// A topic's history was delivered up to here. Another one has begun if the epoch says so.
    pub(super) fn reach(&self, topic: &str, place: Place) {
        if let Some(known) = self.lock().get_mut(topic) {
            let is_behind = known
                .place
                .is_some_and(|old| old.epoch == place.epoch && old.offset >= place.offset);
            if !is_behind {
                known.place = Some(place);
            }
        }
    }

    /// From here on messages of a topic wait for those that were missed.
    pub(super) fn hold(&self, topic: &str) {
        if let Some(known) = self.lock().get_mut(topic) {
            known.held = Some(Some(Vec::new()));
            known.held_bytes = 0;
        }
    }

    /// Keeps a message if messages of its topic have to wait; at most so many bytes of them.
    pub(super) fn keep(
        &self,
        topic: &str,
        place: Option<Place>,
        bytes: &[u8],
        most: usize,
    ) -> bool {
        let mut topics = self.lock();
        let Some(known) = topics.get_mut(topic) else {
            return false;
        };
        let Some(held) = &mut known.held else {
            return false;
        };
        known.held_bytes += bytes.len() + size_of::<Held>();
        if known.held_bytes > most {
            *held = None;
        }
        if let Some(held) = held {
            held.push((place, bytes.to_vec()));
        }
        true
    }

    /// What was kept since this was asked for last, `None` in it if it was too much. `None`: there
    /// was nothing, and nothing has to wait from here on.
    pub(super) fn release(&self, topic: &str) -> Option<Option<Vec<Held>>> {
        let mut topics = self.lock();
        let known = topics.get_mut(topic)?;
        match &mut known.held {
            Some(Some(held)) if !held.is_empty() => {
                known.held_bytes = 0;
                Some(Some(std::mem::take(held)))
            }
            Some(Some(_)) | None => {
                known.held = None;
                None
            }
            Some(None) => {
                known.held = None;
                Some(None)
            }
        }
    }

    /// Judges what came for a topic. `own` is our origin.
    pub(super) fn judge<'a>(&self, topic: &str, bytes: &'a [u8], own: u64) -> Verdict<'a> {
        let mut topics = self.lock();
        let Some(Topic { origins, .. }) = topics.get_mut(topic) else {
            return Verdict::Drop;
        };
        let Some((header, payload)) = Header::read(bytes) else {
            return Verdict::Foreign;
        };
        if same_process(header.origin, own) {
            return Verdict::Drop;
        }
        let missed = match origins.iter_mut().find(|seen| seen.origin == header.origin) {
            Some(seen) => match seen.note(&header) {
                Some(missed) => missed,
                None => return Verdict::Drop,
            },
            None => {
                if origins.len() == MOST_ORIGINS {
                    origins.clear();
                }
                origins.push(Seen {
                    origin: header.origin,
                    last: header.sequence,
                    whole: header.sequence == 1 || header.hole,
                    loose: false,
                });
                // Whatever it lost, it lost while somebody was subscribed here, as far as we know.
                if header.hole {
                    return Verdict::Missed(0);
                }
                0
            }
        };
        if header.hole {
            return Verdict::Missed(missed);
        }
        Verdict::Deliver {
            header,
            payload,
            missed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// How many messages were missed, or `None` if this brings nothing new.
    fn note(&mut self, header: &Header) -> Option<u64> {
        if header.sequence <= self.last {
            let hidden = header.hole && !self.whole && !self.loose;
            self.whole |= header.hole;
            return hidden.then_some(0);
        }
        let missing = header.sequence - self.last - u64::from(!header.hole);
        self.last = header.sequence;
        let told = std::mem::take(&mut self.loose);
        if header.hole {
            self.whole = true;
            return (!told).then_some(missing);
        }
        Some(if told { 0 } else { missing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u64 = 1 << 20;
    const OTHER: u64 = 2 << 20;

    fn frame(origin: u64, sequence: u64, hole: bool) -> Vec<u8> {
        let header = Header {
            opcode: 1,
            compress: false,
            hole,
            origin,
            sequence,
        };
        header.frame(if hole { b"" } else { b"x" })
    }

    /// What becomes of messages of a topic: 'd' with how many were missed, 'm', '-' or 'f'.
    fn run(incoming: &Incoming, messages: &[(u64, u64, bool)]) -> Vec<String> {
        let verdicts = messages.iter().map(|(origin, sequence, hole)| {
            let bytes = frame(*origin, *sequence, *hole);
            match incoming.judge("t", &bytes, OWN) {
                Verdict::Deliver { missed, .. } => format!("d{missed}"),
                Verdict::Missed(missed) => format!("m{missed}"),
                Verdict::Drop => "-".into(),
                Verdict::Foreign => "f".into(),
            }
        });
        verdicts.collect()
    }

    fn expecting() -> Incoming {
        let incoming = Incoming::default();
        incoming.expect("t");
        incoming
    }

    #[test]
    fn each_message_is_delivered_once_and_what_is_missing_is_noticed() {
        let messages = [
            (OTHER, 1),
            (OTHER, 2),
            (OTHER, 2),
            (OTHER, 5),
            (OTHER, 3),
            (OWN, 1),
        ];
        let messages = messages.map(|(origin, sequence)| (origin, sequence, false));
        let expected = ["d0", "d0", "-", "d2", "-", "-"];
        assert_eq!(run(&expecting(), &messages), expected);
    }

    #[test]
    fn whoever_comes_later_misses_nothing() {
        let incoming = expecting();
        let messages = [(OTHER, 900, false), (OTHER + 1, 7, false)];
        assert_eq!(run(&incoming, &messages), ["d0", "d0"]);
        incoming.forget("t");
        assert_eq!(run(&incoming, &messages), ["-", "-"]);
    }

    #[test]
    fn marks_tell_of_what_nothing_follows() {
        let incoming = expecting();
        let messages = [
            (OTHER, 1, false),
            (OTHER, 4, true),
            (OTHER, 4, true),
            (OTHER, 5, false),
        ];
        assert_eq!(run(&incoming, &messages), ["d0", "m3", "-", "d0"]);
        // Of somebody who was never heard of, and of one whose first messages were lost.
        assert_eq!(run(&incoming, &[(OTHER + 1, 9, true)]), ["m0"]);
        let messages = [
            (OTHER + 2, 3, false),
            (OTHER + 2, 3, true),
            (OTHER + 2, 3, true),
        ];
        assert_eq!(run(&incoming, &messages), ["d0", "m0", "-"]);
    }

    #[test]
    fn an_outage_is_told_once_and_nothing_is_delivered_twice() {
        let incoming = expecting();
        assert_eq!(
            run(&incoming, &[(OTHER, 1, false), (OTHER, 2, false)]),
            ["d0", "d0"]
        );
        incoming.begin_anew();
        let messages = [(OTHER, 2, false), (OTHER, 7, false), (OTHER, 9, false)];
        assert_eq!(run(&incoming, &messages), ["-", "d0", "d1"]);
        incoming.begin_anew();
        assert_eq!(
            run(&incoming, &[(OTHER, 12, true), (OTHER, 13, false)]),
            ["-", "d0"]
        );
    }

    #[test]
    fn a_place_only_grows_within_its_epoch() {
        let incoming = expecting();
        let place = |epoch, offset| Place { epoch, offset };
        assert_eq!(incoming.place("t"), None);
        for (reached, expected) in [
            (place(1, 5), place(1, 5)),
            (place(1, 3), place(1, 5)),
            (place(1, 6), place(1, 6)),
            (place(2, 1), place(2, 1)),
        ] {
            incoming.reach("t", reached);
            assert_eq!(incoming.place("t"), Some(expected));
        }
        incoming.reach("other", place(1, 1));
        assert_eq!(incoming.place("other"), None);
    }

    #[test]
    fn messages_wait_for_those_that_were_missed() {
        let incoming = expecting();
        assert!(!incoming.keep("t", None, b"1", 1000));
        incoming.hold("t");
        assert!(incoming.keep("t", None, b"2", 1000) && incoming.keep("t", None, b"3", 1000));
        let held = [(None, b"2".to_vec()), (None, b"3".to_vec())];
        assert_eq!(incoming.release("t"), Some(Some(held.to_vec())));
        // More may come until there is nothing.
        assert!(incoming.keep("t", None, b"4", 1000));
        assert!(incoming.release("t").is_some());
        assert_eq!(incoming.release("t"), None);
        assert!(!incoming.keep("t", None, b"5", 1000));
        incoming.hold("t");
        assert!(incoming.keep("t", None, &[0; 1000], 1000));
        assert!(incoming.keep("t", None, b"6", 1000));
        assert_eq!(incoming.release("t"), Some(None));
        assert!(!incoming.keep("t", None, b"7", 1000));
    }

    #[test]
    fn foreign_bytes_are_named() {
        let incoming = expecting();
        assert_eq!(incoming.judge("t", b"hello", OWN), Verdict::Foreign);
        assert_eq!(incoming.judge("other", b"hello", OWN), Verdict::Drop);
    }
}
