//! Where a message waits that has to go out as a whole, whatever the connection is at.
//!
//! Owns: [`Entrance`]: whether a fragmented message is in progress, whether
//! JavaScript decides about the order just now (it reads a Blob), and what waits for
//! either. Called by the connection. Runs on: whoever turns the reactor.
//! INVARIANT: nothing waits while the entrance is open.
//! Tests: `src/reactor/tests/fan_out.rs`.

use std::sync::Arc;

use super::broadcast::Broadcast;

/// Where a message was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the connection's own thread, which passes it on by itself to those that it guards.
    Here,
    /// On another one.
    Elsewhere,
}

type Waiting = (Arc<Broadcast>, Origin);

#[derive(Debug, Default)]
pub(crate) struct Entrance {
    /// A message in fragments is not complete.
    within_message: bool,
    /// JavaScript passes on by itself what it publishes.
    guarded: bool,
    #[allow(clippy::box_collection, reason = "connections hold it as one pointer")]
    waiting: Option<Box<Vec<Waiting>>>,
}

impl Entrance {
    /// Takes note of a data frame.
    pub(crate) fn note(&mut self, fin: bool) {
        self.within_message = !fin;
    }

    /// Whether a message in fragments is not complete.
    pub(crate) fn is_within_message(&self) -> bool {
        self.within_message
    }

    /// JavaScript begins, or stops, to pass messages on by itself.
    pub(crate) fn guard(&mut self, guarded: bool) {
        self.guarded = guarded;
    }

    /// Whether JavaScript passes a message of this origin on by itself.
    pub(crate) fn passes_by(&self, origin: Origin) -> bool {
        self.guarded && origin == Origin::Here
    }

    /// Whether a message of this origin has to wait.
    pub(crate) fn is_shut_for(&self, origin: Origin) -> bool {
        self.within_message || self.guarded && origin == Origin::Elsewhere
    }

    /// Makes a message wait.
    pub(crate) fn wait(&mut self, message: &Arc<Broadcast>, origin: Origin) {
        let waiting = self.waiting.get_or_insert_default();
        waiting.push((Arc::clone(message), origin));
    }

    /// What waited and may go on: everything between messages when our side ends.
    pub(crate) fn release(&mut self, at_end: bool) -> Vec<Arc<Broadcast>> {
        if self.within_message || self.waiting.is_none() {
            return Vec::new();
        }
        let guarded = self.guarded && !at_end;
        let waiting = self.waiting.take().map_or_else(Vec::new, |all| *all);
        let (stays, goes): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, origin)| guarded && *origin == Origin::Elsewhere);
        if !stays.is_empty() {
            self.waiting = Some(Box::new(stays));
        }
        goes.into_iter().map(|(message, _)| message).collect()
    }

    /// What waits: the connection goes on elsewhere.
    pub(crate) fn take(&mut self) -> Vec<Arc<Broadcast>> {
        let waiting = self.waiting.take().map_or_else(Vec::new, |all| *all);
        waiting.into_iter().map(|(message, _)| message).collect()
    }
}
