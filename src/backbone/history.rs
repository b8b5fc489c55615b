//! What engines keep of a topic, and what somebody missed of it.
//!
//! Owns: [`Place`], where somebody is in a topic's history; [`Kept`], what an engine answers;
//! [`Replay`], what a subscriber is told before everything else. Runs on: any.
//! INVARIANT: what is said to be complete is: in doubt it is not. Tests: here.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::frame::Header;
use super::news::{Event, News};
use crate::driver::{Mark, Note};

/// A place in the history of a topic: behind the message of this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which history it is: it has another one if the engine lost it.
    pub epoch: u64,
    /// Messages of a topic have growing offsets, the first of which is not 0.
    pub offset: u64,
}

/// As programs keep it: the epoch in hexadecimal digits, a hyphen, the offset.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.offset)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, offset) = text.split_once('-').ok_or(())?;
        let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_plain(epoch) || !is_plain(offset) {
            return Err(());
        }
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| ())?,
            offset: offset.parse().map_err(|_| ())?,
        })
    }
}

/// What an engine is asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) topic: Arc<str>,
    /// Behind which messages are wanted. `None`: only where the history ends.
    pub(super) since: Option<Place>,
}

/// What an engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Where the history ends.
    pub(super) end: Place,
    /// The messages, if none is missing.
    pub(super) messages: Option<Vec<(u64, Bytes)>>,
}

/// A subscriber wants to know what it missed.
#[derive(Debug)]
pub(super) struct Recovery {
    pub(super) news: Weak<News>,
    pub(super) id: u32,
    pub(super) topic: Arc<str>,
    pub(super) since: Place,
    /// Where the queue of what is published ended: what it lacks is on its way to the engine.
    pub(super) published: u64,
}

impl Recovery {
    pub(super) fn answer(self, replay: Replay) {
        if let Some(news) = self.news.upgrade() {
            news.push(Event::Replayed(self.id, Arc::new(replay)));
        }
    }
}

/// What a subscriber missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Whether these are all.
    pub complete: bool,
    /// Where the history ends with them, if the engine said so.
    pub end: Option<Place>,
    /// The messages.
    pub messages: Vec<Note>,
    /// The last message of each origin.
    last: HashMap<u64, u64>,
}

impl Replay {
    /// Of what an engine has kept.
    pub(super) fn of(kept: Kept) -> Self {
        let mut replay = Self {
            end: Some(kept.end),
            ..Self::default()
        };
        let Some(frames) = kept.messages else {
            return replay;
        };
        replay.complete = true;
        // What was sent again after an outage may be there twice.
        let mut seen = HashSet::new();
        for (offset, frame) in frames {
            let Some((header, payload)) = Header::read(&frame) else {
                continue;
            };
            let Header {
                origin, sequence, ..
            } = header;
            let last = replay.last.entry(origin).or_default();
            // Numbers that are left out were never sent.
            let skips = *last != 0 && sequence > *last + 1;
            if header.hole || skips {
                replay.complete = false;
            }
            *last = sequence.max(*last);
            if header.hole || !seen.insert((origin, sequence)) {
                continue;
            }
            replay.messages.push(Note {
                opcode: header.opcode,
                compress: header.compress,
                payload: payload.to_vec(),
                mark: Some(Mark {
                    origin,
                    sequence,
                    offset,
                }),
            });
        }
        if !replay.complete {
            replay.messages.clear();
        }
        replay
    }

    /// Where the last message is.
    pub(super) fn last_offset(&self) -> Option<u64> {
        let mark = self.messages.last()?.mark?;
        Some(mark.offset)
    }

    /// Whether whoever has these messages has this one.
    #[must_use]
    pub fn has(&self, note: &Note) -> bool {
        let Some(mark) = note.mark.filter(|_| self.complete) else {
            return false;
        };
        let is_before = self.end.is_some_and(|end| mark.offset <= end.offset);
        let is_known = self.last.get(&mark.origin);
        (mark.offset != 0 && is_before) || is_known.is_some_and(|last| mark.sequence <= *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Place = Place {
        epoch: 1,
        offset: 9,
    };

    fn frame(origin: u64, sequence: u64, hole: bool) -> Bytes {
        let header = Header {
            opcode: 1,
            compress: false,
            hole,
            origin,
            sequence,
        };
        header.frame(if hole { b"" } else { b"x" }).into()
    }

    fn replay(frames: &[(u64, u64, bool)]) -> Replay {
        let frames = frames.iter().zip(1..);
        Replay::of(Kept {
            end: END,
            messages: Some(
                frames
                    .map(|(&(origin, sequence, hole), offset)| {
                        (offset, frame(origin, sequence, hole))
                    })
                    .collect(),
            ),
        })
    }

    fn numbers(replay: &Replay) -> Vec<(u64, u64)> {
        let marks = replay.messages.iter().filter_map(|note| note.mark);
        marks.map(|mark| (mark.origin, mark.sequence)).collect()
    }

    fn note(origin: u64, sequence: u64, offset: u64) -> Note {
        Note {
            opcode: 1,
            compress: false,
            payload: Vec::new(),
            mark: Some(Mark {
                origin,
                sequence,
                offset,
            }),
        }
    }

    #[test]
    fn a_place_is_a_short_text() {
        let place = Place {
            epoch: 0xab,
            offset: 12,
        };
        assert_eq!(place.to_string(), "ab-12");
        assert_eq!("ab-12".parse(), Ok(place));
        for text in [
            "", "-", "ab", "ab-", "-12", "ab-1-2", "ab-+1", "+ab-1", "xy-1", "ab-c",
        ] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
        assert!("1ffffffffffffffff-1".parse::<Place>().is_err());
    }

    #[test]
    fn each_message_is_there_once_in_order() {
        let replay = replay(&[(1, 4, false), (2, 1, false), (1, 4, false), (1, 5, false)]);
        assert!(replay.complete);
        assert_eq!(numbers(&replay), [(1, 4), (2, 1), (1, 5)]);
    }

    #[test]
    fn what_has_a_hole_is_not_complete() {
        for frames in [
            [(1, 4, false), (1, 6, false)],
            [(1, 4, false), (1, 5, true)],
        ] {
            let replay = replay(&frames);
            assert!(!replay.complete && replay.messages.is_empty());
            assert_eq!(replay.end, Some(END));
        }
        let lost = Replay::of(Kept {
            end: END,
            messages: None,
        });
        assert!(!lost.complete);
    }

    #[test]
    fn what_it_has_is_known() {
        let replay = replay(&[(1, 4, false), (2, 1, false)]);
        // By their offsets, or those of this process, by their numbers.
        assert!(replay.has(&note(3, 1, 9)) && !replay.has(&note(3, 1, 10)));
        assert!(replay.has(&note(1, 4, 0)) && !replay.has(&note(1, 5, 0)));
        assert!(!replay.has(&note(3, 1, 0)));
        let local = Note {
            mark: None,
            ..note(1, 1, 0)
        };
        assert!(!replay.has(&local));
        assert!(!Replay::default().has(&note(1, 1, 1)));
    }
}
