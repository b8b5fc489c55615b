//! Asking a silent peer whether it is still there.
//!
//! Owns: [`Heartbeat`], one connection's. The reactor keeps its deadline, the
//! connection tells it of news and sends the ping. Runs on: whoever turns the reactor.
//! INVARIANT: at most one ping is unanswered. Tests: `src/reactor/tests/heartbeat.rs`.
//!
//! ```text
//!            silent for `interval`: ping
//!  listening ──────────────────────────► asking ──silent for `timeout`──► Gone
//!      ▲                                   │
//!      └──────────── any news ─────────────┘
//! ```

use std::time::Instant;

use super::timers::TimerKey;
use crate::bridge::HeartbeatOptions;

#[derive(Debug)]
pub(crate) struct Heartbeat {
    options: HeartbeatOptions,
    /// When something came from the peer last.
    heard: Instant,
    /// When it was asked, if it has not answered.
    asked: Option<Instant>,
    /// No ping may follow.
    stopped: bool,
    /// The deadline that the reactor keeps.
    pub(crate) timer: Option<TimerKey>,
}

/// What is to be done at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing until then.
    Wait(Instant),
    /// Nothing any more.
    Nothing,
    /// Send a ping; look again then.
    Ping(Instant),
    /// The peer is gone.
    Over,
}

impl Heartbeat {
    pub(crate) fn new(options: HeartbeatOptions, now: Instant) -> Self {
        Self {
            options,
            heard: now,
            asked: None,
            stopped: false,
            timer: None,
        }
    }

    /// When to look for the first time.
    pub(crate) fn first_deadline(&self) -> Instant {
        self.heard + self.options.interval
    }

    /// The closing handshake has its own time, and no frame may follow its first one.
    pub(crate) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Something came from the peer.
    pub(crate) fn note(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
    }

    /// The deadline has come. `unread` tells that bytes of the peer wait for us: while it is we who
    /// do not listen, it need not answer.
    pub(crate) fn beat(&mut self, now: Instant, unread: bool) -> Beat {
        if self.stopped {
            return Beat::Nothing;
        }
        if unread {
            self.note(now);
        }
        if let Some(asked) = self.asked {
            let due = asked + self.options.timeout;
            return if now < due {
                // With an answer meanwhile another ping may be due before.
                Beat::Wait(due.min(now + self.options.interval))
            } else {
                Beat::Over
            };
        }
        let due = self.heard + self.options.interval;
        if now < due {
            return Beat::Wait(due);
        }
        self.asked = Some(now);
        Beat::Ping(now + self.options.timeout.min(self.options.interval))
    }
}
