//! A connection of a listener before it is a WebSocket: what its peer and HTTP have
//! to say to each other.
//!
//! Owns: [`Visitor`]: the socket, answers on their way out. What is said is
//! `protocol::upgrade::Conversation`'s; upgrade requests go to the reactor, and by
//! it to JavaScript, which decides. Runs on: whoever turns the reactor.

use std::io;
use std::time::{Duration, SystemTime};

use super::network::{Ready, Socket};
use super::resources::Resources;
use super::slots::Counts;
use super::timers::TimerKey;
use crate::protocol::upgrade::{Conversation, Head, Rules, Turn, Unanswered};

/// Node's `headersTimeout`: a head must be complete this long after its connection began.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Node's `keepAliveTimeout`: how long a connection may wait for another plain request.
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer may take to read an answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes that are read, and so answered, at once.
const READ_LIMIT: usize = 16 * 1024;
/// Most bytes of an incomplete head that are kept as they came. Node's limit counts no blanks.
const SAID_LIMIT: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Visitor<S> {
    pub(crate) socket: S,
    /// JavaScript's number for the listener.
    pub(crate) listener: u16,
    /// The deadline of what the visitor is at.
    pub(crate) timer: Option<TimerKey>,
    /// What the system told that was not used up.
    pub(crate) news: Ready,
    conversation: Conversation,
    /// What of a head has come, for whoever may have to read it again. `None` in a body.
    said: Option<Vec<u8>>,
    /// What is being written, and how much of it was.
    answer: Vec<u8>,
    written: usize,
    next: Next,
    pub(crate) counts: Counts,
}

/// A visitor that somebody else is to serve.
#[derive(Debug)]
pub struct Guest<S> {
    /// Nobody watches it.
    pub socket: S,
    /// What of a request was read and not answered.
    pub said: Vec<u8>,
    /// It had answers and asked nothing since.
    pub idle: bool,
}

/// What follows when the answer is written.
#[derive(Debug)]
enum Next {
    Read,
    /// The request, and what came behind it.
    Upgrade(Head, Vec<u8>),
    Close,
}

/// What the reactor has to do for a visitor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// Nothing: there will be news.
    Waits,
    /// Give it so long from now.
    Deadline(Duration),
    /// Hand it to JavaScript.
    Upgrade,
    /// Close it.
    Over,
}

/// What writing came to.
enum Writing {
    /// There was nothing to write.
    Nothing,
    Done,
    Blocked,
    Failed,
}

impl<S: Socket> Visitor<S> {
    pub(crate) fn new(socket: S, listener: u16, rules: Rules, token: usize) -> Self {
        Self {
            socket,
            listener,
            timer: None,
            news: Ready {
                token,
                readable: true,
                read_closed: false,
                writable: true,
                error: false,
            },
            conversation: Conversation::new(rules),
            said: Some(Vec::new()),
            answer: Vec::new(),
            written: 0,
            next: Next::Read,
            counts: Counts::default(),
        }
    }

    /// Handles news about the socket.
    pub(crate) fn handle(&mut self, news: Ready, resources: &mut Resources) -> Visit {
        self.news.readable |= news.readable || news.read_closed || news.error;
        self.news.read_closed |= news.read_closed;
        self.news.error |= news.error;
        self.go_on(resources)
    }

    /// Its deadline passed.
    pub(crate) fn expire(&mut self, resources: &mut Resources) -> Visit {
        self.timer = None;
        if !self.answer.is_empty() {
            return Visit::Over;
        }
        self.conversation.handle_timeout(&mut self.answer);
        self.next = Next::Close;
        self.go_on(resources)
    }

    /// The socket, the upgrade request as JavaScript reads it, what came behind it.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>, Vec<u8>, Ready) {
        let (head, rest) = match self.next {
            Next::Upgrade(head, rest) => (head.describe(), rest),
            Next::Read | Next::Close => (Vec::new(), Vec::new()),
        };
        (self.socket, head, rest, self.news)
    }

    /// Whether somebody else could serve it: no answer is on its way, and no body comes.
    pub(crate) fn can_move(&self) -> bool {
        self.answer.is_empty() && matches!(self.next, Next::Read) && self.said.is_some()
    }

    pub(crate) fn into_guest(self) -> Guest<S> {
        Guest {
            idle: self.conversation.is_idle(),
            said: self.said.unwrap_or_default(),
            socket: self.socket,
        }
    }

    fn go_on(&mut self, resources: &mut Resources) -> Visit {
        let mut visit = Visit::Waits;
        loop {
            match self.write_answer() {
                Writing::Blocked => return Visit::Deadline(ANSWER_TIMEOUT),
                // A peer that does not take its answer is simply dropped.
                Writing::Failed => return Visit::Over,
                Writing::Done => visit = Visit::Deadline(KEEP_ALIVE_TIMEOUT),
                Writing::Nothing => {}
            }
            match self.next {
                Next::Read => {}
                Next::Upgrade(..) => return Visit::Upgrade,
                Next::Close => {
                    self.socket.shutdown_write();
                    return Visit::Over;
                }
            }
            let was_idle = self.conversation.is_idle();
            match self.read(resources) {
                // Another request began.
                Ok(()) if was_idle && !self.conversation.is_idle() => {
                    visit = Visit::Deadline(HEAD_TIMEOUT);
                }
                Ok(()) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return visit,
                    io::ErrorKind::Interrupted => {}
                    _ => return Visit::Over,
                },
            }
        }
    }

    /// Reads once; what comes of it is in `answer` and `next`.
    fn read(&mut self, resources: &mut Resources) -> io::Result<()> {
        if !self.news.readable {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let limit = resources.read_buffer.len().min(READ_LIMIT);
        let room = resources.read_buffer.get_mut(..limit).unwrap_or_default();
        let read = match self.socket.receive(room) {
            Ok(read) => read,
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.news.readable = false;
                }
                return Err(error);
            }
        };
        if read == 0 {
            self.conversation.handle_end(&mut self.answer);
            self.next = Next::Close;
            return Ok(());
        }
        self.counts.received += read as u64;
        self.news.readable = read == limit || self.news.read_closed || self.news.error;
        let bytes = super::inbound::received_bytes(room, read);
        let date = || httpdate::fmt_http_date(SystemTime::now());
        let turn = self
            .conversation
            .handle_bytes(bytes, date, &mut self.answer);
        self.said = match (self.conversation.unanswered(), self.said.take()) {
            (Unanswered::Nothing, _) => Some(Vec::new()),
            (Unanswered::From(at), _) => Some(bytes.get(at..).unwrap_or_default().to_vec()),
            (Unanswered::More, Some(mut said)) if said.len() < SAID_LIMIT => {
                said.extend_from_slice(bytes);
                Some(said)
            }
            (Unanswered::More | Unanswered::Body, _) => None,
        };
        self.next = match turn {
            Turn::Waits => Next::Read,
            Turn::Over => Next::Close,
            Turn::Upgrade { head, used } => {
                Next::Upgrade(head, bytes.get(used..).unwrap_or_default().to_vec())
            }
        };
        Ok(())
    }

    fn write_answer(&mut self) -> Writing {
        if self.answer.is_empty() {
            return Writing::Nothing;
        }
        while let Some(rest) = self.answer.get(self.written..)
            && !rest.is_empty()
        {
            match self.socket.send(rest) {
                Ok(written) => {
                    self.written += written;
                    self.counts.sent += written as u64;
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Writing::Blocked,
                    io::ErrorKind::Interrupted => {}
                    _ => return Writing::Failed,
                },
            }
        }
        self.answer = Vec::new();
        self.written = 0;
        Writing::Done
    }
}
