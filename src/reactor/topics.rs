//! Who is subscribed to what: plain data, changed and read by commands.
//!
//! Owns: [`Topics`]: for each topic its members, for each entry its places, each
//! knowing where the other one is: joining and leaving take constant time, ending a
//! connection as much as it has topics. JavaScript gives topics their numbers and
//! reuses those that have no members. Runs on: whoever turns the reactor.
//! Tests: here, `src/reactor/tests/fan_out.rs`.

use std::collections::HashMap;

/// Entries with more places than this find them in a map.
const SEARCHED: usize = 64;
/// What fits into the smallest piece that allocators give.
const FIRST_PLACES: usize = 3;

/// A place in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    /// The entry.
    token: u32,
    /// Which of its places this is.
    place: u32,
}

/// The same, seen from the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    topic: u32,
    /// Which of the topic's members this is.
    member: u32,
}

/// The topics of one entry.
#[derive(Debug, Default)]
struct Places {
    list: Vec<Place>,
    /// Where each topic is in the list, once that is long.
    #[allow(clippy::box_collection, reason = "entries hold it as one pointer")]
    by_topic: Option<Box<HashMap<u32, u32>>>,
}

/// The topics of a reactor.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    members: Vec<Vec<Member>>,
    /// By the number of the entry.
    places: Vec<Places>,
}

impl Topics {
    /// Makes an entry a member of a topic. `false` if it was one.
    pub(crate) fn join(&mut self, token: usize, topic: u32) -> bool {
        if self.places.len() <= token {
            self.places.resize_with(token + 1, Places::default);
        }
        let index = topic as usize;
        if self.members.len() <= index {
            self.members.resize_with(index + 1, Vec::new);
        }
        let (Some(places), Some(members)) =
            (self.places.get_mut(token), self.members.get_mut(index))
        else {
            return false;
        };
        if places.find(topic).is_some() {
            return false;
        }
        let (place, member) = (places.list.len() as u32, members.len() as u32);
        members.push(Member {
            token: token as u32,
            place,
        });
        places.push(Place { topic, member });
        true
    }

    /// Takes an entry out of a topic. `false` if it was not in it.
    pub(crate) fn leave(&mut self, token: usize, topic: u32) -> bool {
        let Some(places) = self.places.get_mut(token) else {
            return false;
        };
        let Some(at) = places.find(topic) else {
            return false;
        };
        let place = places.list.swap_remove(at);
        if let Some(by_topic) = &mut places.by_topic {
            by_topic.remove(&topic);
        }
        if let Some(moved) = places.list.get(at).copied() {
            if let Some(by_topic) = &mut places.by_topic {
                by_topic.insert(moved.topic, at as u32);
            }
            if let Some(member) = self.member_mut(moved) {
                member.place = at as u32;
            }
        }
        if let Some(places) = self.places.get_mut(token)
            && places.list.is_empty()
        {
            *places = Places::default();
        }
        self.remove_member(place);
        true
    }

    /// Whether an entry is a member of any topic.
    pub(crate) fn has_places(&self, token: usize) -> bool {
        let places = self.places.get(token);
        places.is_some_and(|places| !places.list.is_empty())
    }

    /// Takes an entry out of all topics.
    pub(crate) fn leave_all(&mut self, token: usize) {
        let Some(places) = self.places.get_mut(token) else {
            return;
        };
        for place in std::mem::take(places).list {
            self.remove_member(place);
        }
    }

    /// The entry that is a topic's member of this number.
    pub(crate) fn member(&self, topic: u32, at: usize) -> Option<usize> {
        let member = self.members.get(topic as usize)?.get(at)?;
        Some(member.token as usize)
    }

    fn remove_member(&mut self, place: Place) {
        let at = place.member as usize;
        let Some(members) = self.members.get_mut(place.topic as usize) else {
            return;
        };
        members.swap_remove(at);
        if members.len() < members.capacity() / 4 {
            members.shrink_to(members.len() * 2);
        }
        let Some(moved) = members.get(at).copied() else {
            return;
        };
        if let Some(places) = self.places.get_mut(moved.token as usize)
            && let Some(place) = places.list.get_mut(moved.place as usize)
        {
            place.member = at as u32;
        }
    }

    fn member_mut(&mut self, place: Place) -> Option<&mut Member> {
        let members = self.members.get_mut(place.topic as usize)?;
        members.get_mut(place.member as usize)
    }
}

impl Places {
    fn find(&self, topic: u32) -> Option<usize> {
        match &self.by_topic {
            Some(by_topic) => by_topic.get(&topic).map(|at| *at as usize),
            None => self.list.iter().position(|place| place.topic == topic),
        }
    }

    fn push(&mut self, place: Place) {
        if self.list.capacity() == 0 {
            self.list.reserve_exact(FIRST_PLACES);
        }
        self.list.push(place);
        if let Some(by_topic) = &mut self.by_topic {
            by_topic.insert(place.topic, self.list.len() as u32 - 1);
        } else if self.list.len() > SEARCHED {
            let all = self.list.iter().zip(0..);
            let by_topic = all.map(|(place, at)| (place.topic, at)).collect();
            self.by_topic = Some(Box::new(by_topic));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::reactor::tests::Dice;

    fn members(topics: &Topics, topic: u32) -> BTreeSet<usize> {
        let all: Vec<usize> = (0..).map_while(|at| topics.member(topic, at)).collect();
        let set: BTreeSet<usize> = all.iter().copied().collect();
        assert_eq!(all.len(), set.len(), "somebody is a member twice");
        set
    }

    /// Against a set of pairs, with few topics (found by searching) and with many (by the map).
    #[test]
    fn membership_is_what_was_joined_and_not_left() {
        for (tokens, limit) in [(12, 20), (4, 300)] {
            let mut topics = Topics::default();
            let mut oracle = BTreeSet::new();
            let mut dice = Dice(limit as u64);
            for _ in 0..20_000 {
                let (token, topic) = (dice.below(tokens), dice.below(limit) as u32);
                match dice.below(200) {
                    0 => {
                        topics.leave_all(token);
                        oracle.retain(|(_, member)| *member != token);
                    }
                    1..120 => assert_eq!(topics.join(token, topic), oracle.insert((topic, token))),
                    _ => assert_eq!(topics.leave(token, topic), oracle.remove(&(topic, token))),
                }
            }
            for topic in 0..limit as u32 {
                let expected: BTreeSet<usize> = oracle
                    .iter()
                    .filter(|(known, _)| *known == topic)
                    .map(|(_, token)| *token)
                    .collect();
                assert_eq!(members(&topics, topic), expected);
            }
        }
    }

    #[test]
    fn whoever_never_joined_cannot_leave() {
        let mut topics = Topics::default();
        assert!(!topics.leave(9, 9));
        topics.leave_all(9);
        assert!(topics.join(3, 1) && !topics.join(3, 1));
        assert!(!topics.leave(3, 0) && !topics.leave(2, 1));
        assert_eq!(topics.member(1, 0), Some(3));
        assert!(topics.leave(3, 1));
        assert_eq!(topics.member(1, 0), None);
    }

    #[test]
    fn a_membership_takes_little() {
        assert_eq!((size_of::<Member>(), size_of::<Place>()), (8, 8));
    }
}
