//! What a peer and a listener say to each other until one asks for an upgrade.
//!
//! Owns: [`Conversation`], which answers plain and broken requests as ws's server
//! does, and finds the upgrade request. Called by whoever serves a fresh
//! connection. Runs on: any. Must never read a clock: dates are arguments.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/differential/http-head.test.js`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::head::Head;
use super::response;
use super::rules::{Llhttp, Rules};
use super::scan::{Fault, Scan, Scanner};
use super::words::{CONNECT, PRI};

/// A connection over which no upgrade was asked for yet.
///
/// ```text
///           ┌── plain request, kept alive: answer ──┐
///           ▼                                       │
/// bytes ─► Waits ──────────────────────────────────►┤
///                                                   ├─► Upgrade
///                                                   └─► Over
/// ```
#[derive(Clone, Debug)]
pub struct Conversation {
    scanner: Scanner,
    llhttp: Llhttp,
    has_answered: bool,
    /// Where in the bytes handled last the message began that is being read.
    began: Option<usize>,
}

/// What was said and not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Nothing.
    Nothing,
    /// A part of a head, from this one of the bytes handled last on.
    From(usize),
    /// All of the bytes handled last, and some before them.
    More,
    /// The body of a request that was answered: nobody could begin with it.
    Body,
}

/// What comes of what the peer did. Answers are written first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// More bytes are needed; all were used.
    Waits,
    /// An upgrade request, for JavaScript to decide about.
    Upgrade {
        /// The request.
        head: Head,
        /// Bytes of the chunk that are used; the rest is of another protocol.
        used: usize,
    },
    /// The connection is to be closed.
    Over,
}

impl Conversation {
    /// A conversation before its first byte.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            scanner: Scanner::new(rules),
            llhttp: rules.llhttp,
            has_answered: false,
            began: None,
        }
    }

    /// Handles bytes that arrived together; what is to be answered is added to `answers`. `date`
    /// is asked for answers that have one.
    pub fn handle_bytes(
        &mut self,
        chunk: &[u8],
        date: impl Fn() -> String,
        answers: &mut Vec<u8>,
    ) -> Turn {
        let mut used = 0;
        let mut is_over = false;
        let mut is_preface = false;
        let mut first_answer = None;
        self.began = None;
        loop {
            let (more, scan) = self.scanner.scan(chunk.get(used..).unwrap_or_default());
            if let Some(began) = self.scanner.began() {
                self.began = Some(used + began);
            }
            used += more;
            match scan {
                // COMPAT(ws 8.23): Node drops who may speak HTTP/2, once what arrived is read.
                Scan::Partial if is_preface => return hang_up(first_answer, &[], answers),
                Scan::Partial if is_over => return Turn::Over,
                Scan::Partial => return Turn::Waits,
                Scan::Head(head) if head.method() == CONNECT => {
                    return hang_up(first_answer, &[], answers);
                }
                Scan::Head(head) if head.is_upgrade => return Turn::Upgrade { head, used },
                // What follows a last answer is read and not answered.
                Scan::Head(head) if is_over => is_preface = head.method() == PRI,
                Scan::Head(head) => {
                    is_preface = head.method() == PRI;
                    is_over = !answer(&head, self.llhttp, &date(), answers);
                    first_answer.get_or_insert(answers.len());
                    self.has_answered = true;
                }
                Scan::Refused(fault) => return hang_up(first_answer, refusal(fault), answers),
            }
        }
    }

    /// Handles the end of what the peer sends. The connection is to be closed.
    pub fn handle_end(&mut self, answers: &mut Vec<u8>) {
        if self.scanner.is_within_message() {
            answers.extend_from_slice(response::BAD_REQUEST);
        }
    }

    /// Handles that the peer took too long. The connection is to be closed.
    pub fn handle_timeout(&mut self, answers: &mut Vec<u8>) {
        if !self.is_idle() {
            answers.extend_from_slice(response::REQUEST_TIMEOUT);
        }
    }

    /// What somebody else has to hear who goes on with the conversation.
    #[must_use]
    pub fn unanswered(&self) -> Unanswered {
        if !self.scanner.is_within_message() {
            Unanswered::Nothing
        } else if self.scanner.is_within_head() {
            self.began.map_or(Unanswered::More, Unanswered::From)
        } else {
            Unanswered::Body
        }
    }

    /// Whether all requests so far were answered: then Node's `keepAliveTimeout` looks after the
    /// connection, and otherwise `headersTimeout`.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.has_answered && !self.scanner.is_within_message()
    }
}

/// COMPAT(ws 8.23): Node closes at once. The answer that is on its way still arrives, those that
/// wait behind it do not, and the reason is told only if there is no answer.
fn hang_up(first_answer: Option<usize>, reason: &[u8], answers: &mut Vec<u8>) -> Turn {
    match first_answer {
        Some(end) => answers.truncate(end),
        None => answers.extend_from_slice(reason),
    }
    Turn::Over
}

/// Answers a plain request and tells whether the connection goes on.
fn answer(head: &Head, llhttp: Llhttp, date: &str, answers: &mut Vec<u8>) -> bool {
    let with_body = head.method() != b"HEAD";
    let is_current = head.version() == (1, 1);
    if is_current && llhttp.requires_host() && head.values(b"host").next().is_none() {
        answers.extend(response::missing_host(date, with_body));
        return false;
    }
    let mut expectations = head.values(b"expect").peekable();
    if is_current && expectations.peek().is_some() {
        if !expectations.any(expects_continue) {
            answers.extend(response::expectation_failed(
                date,
                head.keep_alive,
                with_body,
            ));
            return head.keep_alive;
        }
        answers.extend_from_slice(response::CONTINUE);
    }
    answers.extend(response::upgrade_required(date, head.keep_alive, with_body));
    head.keep_alive
}

/// Whether `100-continue` stands somewhere in a value as a word.
fn expects_continue(value: &[u8]) -> bool {
    const WORD: &[u8] = b"100-continue";
    let is_word_byte = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    value.windows(WORD.len()).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|before| value.get(before));
        let after = value.get(at + WORD.len());
        window.eq_ignore_ascii_case(WORD)
            && !before.is_some_and(is_word_byte)
            && !after.is_some_and(is_word_byte)
    })
}

fn refusal(fault: Fault) -> &'static [u8] {
    match fault {
        Fault::Malformed => response::BAD_REQUEST,
        Fault::HeadersTooLarge => response::HEADERS_TOO_LARGE,
        Fault::ExtensionsTooLarge => response::PAYLOAD_TOO_LARGE,
    }
}
