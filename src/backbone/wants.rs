//! Which topics this process wants of the engine.
//!
//! Owns: [`Wants`]: the topics that have subscribers, and which of them changed since the
//! engine was told. Runs on: any, behind one lock. INVARIANT: somebody who leaves and
//! comes back before the engine hears of it changes nothing. Tests: here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What the engine is to be told.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) added: Vec<Arc<str>>,
    pub(super) removed: Vec<Arc<str>>,
    /// Nobody wants these any more, whether the engine knows of them or not.
    pub(super) forgotten: Vec<Arc<str>>,
}

/// What the engine knows of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    wanted: bool,
    told: bool,
}

/// The topics.
#[derive(Debug, Default)]
pub(super) struct Wants {
    topics: HashMap<Arc<str>, State>,
    changed: HashSet<Arc<str>>,
    /// Counts changes, and those that the engine was told.
    made: u64,
    told: u64,
}

impl Wants {
    /// A topic has its first subscriber, or lost its last one.
    pub(super) fn set(&mut self, topic: &str, wanted: bool) {
        self.made += 1;
        let name = match self.topics.get_key_value(topic) {
            Some((name, _)) => Arc::clone(name),
            None => topic.into(),
        };
        let state = self.topics.entry(Arc::clone(&name)).or_insert(State {
            wanted,
            told: false,
        });
        state.wanted = wanted;
        self.changed.insert(name);
    }

    /// The next changes, at most so many. The engine is being told of them.
    pub(super) fn take(&mut self, most: usize) -> Changes {
        let mut changes = Changes::default();
        let next: Vec<_> = self.changed.iter().take(most).cloned().collect();
        for name in next {
            self.changed.remove(&name);
            let Some(state) = self.topics.get_mut(&name) else {
                continue;
            };
            let State { wanted, told } = *state;
            state.told = wanted;
            if !wanted {
                self.topics.remove(&name);
                changes.forgotten.push(Arc::clone(&name));
            }
            match (wanted, told) {
                (true, false) => changes.added.push(name),
                (false, true) => changes.removed.push(name),
                _ => {}
            }
        }
        if self.changed.is_empty() {
            self.told = self.made;
        }
        changes
    }

    /// The engine knows of nothing any more: it is to be told of all.
    pub(super) fn begin_anew(&mut self) {
        for state in self.topics.values_mut() {
            state.told = false;
        }
        self.changed = self.topics.keys().cloned().collect();
    }

    /// Whether there is something to tell.
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Where the changes end; see [`has_passed`](Self::has_passed).
    pub(super) fn end(&self) -> u64 {
        self.made
    }

    /// Whether the engine was told of all that came before an end.
    pub(super) fn has_passed(&self, end: u64) -> bool {
        self.told >= end
    }

    /// How many are wanted.
    pub(super) fn count(&self) -> usize {
        self.topics.values().filter(|state| state.wanted).count()
    }

    /// All that are wanted.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        let wanted = self.topics.iter().filter(|(_, state)| state.wanted);
        wanted.map(|(name, _)| Arc::clone(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[Arc<str>]) -> Vec<&str> {
        let mut names: Vec<_> = list.iter().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_engine_is_told_what_changed() {
        let mut wants = Wants::default();
        wants.set("a", true);
        wants.set("b", true);
        let end = wants.end();
        assert_eq!(wants.take(1).added.len(), 1);
        assert!(!wants.has_passed(end));
        assert_eq!(wants.take(9).added.len(), 1);
        assert!(wants.has_passed(end) && !wants.has_changes());
        wants.set("a", false);
        wants.set("c", true);
        let changes = wants.take(9);
        assert_eq!(names(&changes.added), ["c"]);
        assert_eq!(names(&changes.removed), ["a"]);
        assert_eq!(names(&wants.names()), ["b", "c"]);
        assert_eq!(wants.count(), 2);
    }

    #[test]
    fn back_and_forth_is_nothing() {
        let mut wants = Wants::default();
        wants.set("a", true);
        wants.set("a", false);
        let changes = wants.take(9);
        assert!(changes.added.is_empty() && changes.removed.is_empty());
        wants.set("a", true);
        wants.take(9);
        wants.set("a", false);
        wants.set("a", true);
        let changes = wants.take(9);
        assert!(changes.added.is_empty() && changes.removed.is_empty());
        assert_eq!(wants.count(), 1);
    }

    #[test]
    fn a_new_connection_is_told_everything() {
        let mut wants = Wants::default();
        for topic in ["a", "b", "c"] {
            wants.set(topic, true);
        }
        wants.take(9);
        wants.set("b", false);
        wants.set("d", true);
        wants.begin_anew();
        let changes = wants.take(9);
        assert_eq!(names(&changes.added), ["a", "c", "d"]);
        assert_eq!(names(&changes.forgotten), ["b"]);
        assert!(changes.removed.is_empty());
    }
}
