//! What is published to a topic while a subscriber is told of earlier messages.
//!
//! Owns: [`Recording`], which takes messages down in order, up to a number of bytes. It stands
//! for one subscriber of `hub.rs`, behind the lock of the topic. Runs on: any. Tests: here.

use std::sync::Arc;

use super::helm::Helm;
use super::hub::{Mark, Message};

/// A message that was taken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Text or binary.
    pub opcode: u8,
    /// Compress it where that was negotiated.
    pub compress: bool,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// What processes know it by, if it was carried.
    pub mark: Option<Mark>,
}

/// Takes messages down.
#[derive(Debug)]
pub(super) struct Recording {
    id: u32,
    helm: Arc<Helm>,
    tape: Tape,
}

/// The messages.
#[derive(Debug)]
struct Tape {
    notes: Vec<Note>,
    bytes: usize,
    most: usize,
    overflowed: bool,
}

impl Recording {
    /// Of an environment, which knows it by a number.
    pub(super) fn new(id: u32, helm: &Arc<Helm>, most: usize) -> Self {
        Self {
            id,
            helm: Arc::clone(helm),
            tape: Tape::new(most),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn is_of(&self, helm: &Arc<Helm>) -> bool {
        Arc::ptr_eq(&self.helm, helm)
    }

    /// Takes a message down, unless one was left out before: what follows would show no gap.
    pub(super) fn note(&mut self, message: &Message<'_>) {
        self.tape.note(message);
    }

    /// Gives away what there is.
    pub(super) fn take(&mut self) -> Vec<Note> {
        self.tape.take()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tape.notes.is_empty()
    }

    pub(super) fn has_overflowed(&self) -> bool {
        self.tape.overflowed
    }
}

impl Tape {
    fn new(most: usize) -> Self {
        Self {
            notes: Vec::new(),
            bytes: 0,
            most,
            overflowed: false,
        }
    }

    fn note(&mut self, message: &Message<'_>) {
        let size = message.payload.len() + size_of::<Note>();
        if self.overflowed || self.bytes + size > self.most {
            self.overflowed = true;
            return;
        }
        self.bytes += size;
        self.notes.push(Note {
            opcode: message.opcode,
            compress: message.compress,
            payload: message.payload.to_vec(),
            mark: message.mark,
        });
    }

    fn take(&mut self) -> Vec<Note> {
        self.bytes = 0;
        std::mem::take(&mut self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &[u8]) -> Message<'_> {
        Message {
            opcode: 1,
            compress: false,
            payload,
            mark: None,
        }
    }

    fn payloads(notes: &[Note]) -> Vec<&[u8]> {
        notes.iter().map(|note| note.payload.as_slice()).collect()
    }

    #[test]
    fn messages_are_taken_down_in_order() {
        let mut tape = Tape::new(1000);
        tape.note(&message(b"1"));
        tape.note(&message(b"2"));
        assert_eq!(payloads(&tape.take()), [b"1", b"2"]);
        tape.note(&message(b"3"));
        assert_eq!(payloads(&tape.take()), [b"3"]);
        assert!(tape.take().is_empty() && !tape.overflowed);
    }

    #[test]
    fn what_there_is_no_room_for_ends_it() {
        let mut tape = Tape::new(2 * (size_of::<Note>() + 1));
        for payload in [b"1", b"2", b"3"] {
            tape.note(&message(payload));
        }
        assert!(tape.overflowed);
        assert_eq!(payloads(&tape.take()), [b"1", b"2"]);
        tape.note(&message(b"4"));
        assert!(tape.take().is_empty());
    }
}
