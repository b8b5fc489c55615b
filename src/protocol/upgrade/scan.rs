//! Reads requests byte by byte and refuses what Node's parser (llhttp without
//! leniency) refuses, at the byte where it does.
//!
//! Owns: [`Scanner`], the order of a message's parts, what counts towards the
//! size limit. Called by `conversation`. Runs on: any. Must never keep bytes that
//! mean nothing, nor look at one twice, however the request trickles in.
//! Tests: `tests/protocol_upgrade.rs`, `__test__/differential/http-head.test.js`.
#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

use super::body::Body;
use super::fields::Fields;
use super::head::{Head, HeadText};
use super::request_line::RequestLine;
use super::rules::{Llhttp, Rules};

/// Why a peer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not HTTP as Node's parser accepts it.
    Malformed,
    /// Target, header names and header values reach the limit.
    HeadersTooLarge,
    /// Extensions of one chunk are above the limit.
    ExtensionsTooLarge,
}

/// What the scanned bytes amount to.
#[derive(Debug)]
pub(super) enum Scan {
    /// All bytes are used and more are needed.
    Partial,
    /// A head is complete; its body comes next, if it has one.
    Head(Head),
    /// No request can continue so. Nothing may be scanned after it.
    Refused(Fault),
}

/// What to do with a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the part that is being read.
    Keep,
    /// It only separates.
    Skip,
    /// Another state has to look at it.
    Again,
    /// It only separates, and the part ends with it.
    Done,
}

/// What all parts of a message share.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) text: HeadText,
    pub(super) size: Size,
    pub(super) facts: Facts,
    pub(super) llhttp: Llhttp,
}

/// What the headers say about the connection and the body.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade_token: bool,
    pub(super) upgrade_header: bool,
    pub(super) transfer_encoding: bool,
    pub(super) chunked: bool,
    pub(super) content_length: Option<u64>,
}

/// Counts as Node does: spans of the head that are kept, when they end and at the end of what
/// arrived together.
#[derive(Clone, Debug)]
pub(super) struct Size {
    counted: usize,
    open: Option<usize>,
    limit: usize,
}

#[derive(Clone, Debug, Default)]
enum Part {
    /// Blank lines before a request.
    #[default]
    Before,
    Line(RequestLine),
    Fields(Fields),
    /// The head is complete; its facts decide what follows.
    AfterHead,
    Body(Body),
    /// The message that closes the connection is over.
    Closed,
}

/// ```text
///           ┌───────────────── kept alive ─────────────────┐
///           ▼                                              │
/// Before ─► Line ─► Fields ─► AfterHead ─► Body ─► (Fields: trailers) ─► Closed
/// ```
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    part: Part,
    message: Message,
    /// Where in the bytes of the last scan the message began that is being read.
    began: Option<usize>,
}

impl Scanner {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            part: Part::default(),
            message: Message {
                text: HeadText::default(),
                size: Size {
                    counted: 0,
                    open: None,
                    limit: rules.max_header_size,
                },
                llhttp: rules.llhttp,
                facts: Facts::default(),
            },
            began: None,
        }
    }

    /// Scans bytes that arrived together, up to the end of a head. Also tells how many were used.
    pub(super) fn scan(&mut self, chunk: &[u8]) -> (usize, Scan) {
        let mut used = 0;
        self.began = None;
        match self.scan_chunk(chunk, &mut used) {
            Ok(Some(head)) => (used, Scan::Head(head)),
            Ok(None) => (used, Scan::Partial),
            Err(fault) => (used, Scan::Refused(fault)),
        }
    }

    /// Whether a request has begun that is not complete.
    pub(super) fn is_within_message(&self) -> bool {
        !matches!(self.part, Part::Before | Part::Closed)
    }

    /// Whether the head of a message is being read.
    pub(super) fn is_within_head(&self) -> bool {
        match &self.part {
            Part::Line(_) => true,
            Part::Fields(fields) => !fields.are_trailers(),
            _ => false,
        }
    }

    /// Where in the bytes of the last scan the message began that is being read, if it was there.
    pub(super) fn began(&self) -> Option<usize> {
        self.began
    }

    fn scan_chunk(&mut self, chunk: &[u8], used: &mut usize) -> Result<Option<Head>, Fault> {
        if matches!(self.part, Part::AfterHead) {
            self.begin_body()?;
        }
        while let Some(&byte) = chunk.get(*used) {
            let message = &mut self.message;
            let step = match &mut self.part {
                Part::Before if matches!(byte, b'\r' | b'\n') => Step::Skip,
                Part::Before => {
                    message.begin();
                    self.began = Some(*used);
                    self.part = Part::Line(RequestLine::default());
                    Step::Again
                }
                Part::Line(line) => line.step(byte, message)?,
                Part::Fields(fields) => fields.step(byte, message)?,
                Part::Body(body) => {
                    let rest = chunk.get(*used..).unwrap_or_default();
                    let skipped = body.skip(rest);
                    *used += skipped;
                    if skipped > 0 {
                        if body.is_over() {
                            self.end_message();
                        }
                        continue;
                    }
                    body.step(byte, &mut message.size)?
                }
                Part::Closed if matches!(byte, b'\r' | b'\n') => Step::Skip,
                Part::Closed | Part::AfterHead => return Err(Fault::Malformed),
            };
            match step {
                Step::Again => {}
                Step::Skip => *used += 1,
                Step::Keep => {
                    message.keep(byte);
                    *used += 1;
                    let rest = chunk.get(*used..).unwrap_or_default();
                    *used += self.keep_run(rest);
                }
                Step::Done => {
                    *used += 1;
                    if let Some(head) = self.end_part() {
                        return Ok(Some(head));
                    }
                }
            }
        }
        if let Part::Body(body) = &mut self.part {
            body.end_chunk()?;
        }
        self.message.size.end_chunk()?;
        Ok(None)
    }

    /// PERF: most bytes are those of long words, which need no look at the state for each.
    fn keep_run(&mut self, rest: &[u8]) -> usize {
        let class = match &self.part {
            Part::Line(line) => line.run(),
            Part::Fields(fields) => fields.run(),
            _ => None,
        };
        let Some(class) = class else {
            return 0;
        };
        let length = rest.iter().take_while(|byte| class(byte)).count();
        self.message
            .keep_all(rest.get(..length).unwrap_or_default());
        length
    }

    /// What follows the part that ended; the head, if that was it.
    fn end_part(&mut self) -> Option<Head> {
        match &self.part {
            Part::Line(_) => self.part = Part::Fields(Fields::default()),
            Part::Fields(fields) if fields.are_trailers() => self.end_message(),
            Part::Fields(_) => {
                self.part = Part::AfterHead;
                self.message.size.restart();
                return Some(self.message.take_head());
            }
            Part::Body(_) => {
                // Only a body in chunks ends with a byte of its own; trailers follow.
                self.part = Part::Fields(Fields::trailers());
            }
            Part::Before | Part::AfterHead | Part::Closed => {}
        }
        None
    }

    fn begin_body(&mut self) -> Result<(), Fault> {
        let facts = &self.message.facts;
        match facts.content_length {
            _ if facts.chunked => self.part = Part::Body(Body::chunked()),
            // RFC 9112, section 6.3: the length cannot be known.
            _ if facts.transfer_encoding => return Err(Fault::Malformed),
            Some(length @ 1..) => self.part = Part::Body(Body::of(length)),
            _ => self.end_message(),
        }
        Ok(())
    }

    fn end_message(&mut self) {
        self.part = if self.message.is_kept_alive() {
            Part::Before
        } else {
            Part::Closed
        };
    }
}

impl Message {
    fn begin(&mut self) {
        self.text.clear();
        self.facts = Facts::default();
        // Of trailers.
        self.size.restart();
    }

    fn keep(&mut self, byte: u8) {
        self.text.bytes.push(byte);
        self.size.add(1);
    }

    fn keep_all(&mut self, bytes: &[u8]) {
        self.text.bytes.extend_from_slice(bytes);
        self.size.add(bytes.len());
    }

    fn is_kept_alive(&self) -> bool {
        let (major, minor) = self.text.version;
        if major > 0 && minor > 0 {
            !self.facts.close
        } else {
            self.facts.keep_alive
        }
    }

    fn take_head(&mut self) -> Head {
        Head {
            is_upgrade: self.facts.upgrade_token && self.facts.upgrade_header,
            keep_alive: self.is_kept_alive(),
            text: self.text.take(),
        }
    }
}

impl Size {
    pub(super) fn begin_span(&mut self) {
        self.open = Some(0);
    }

    pub(super) fn add(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            *open += bytes;
        }
    }

    pub(super) fn end_span(&mut self) -> Result<(), Fault> {
        self.counted += self.open.take().unwrap_or_default();
        if self.counted >= self.limit {
            return Err(Fault::HeadersTooLarge);
        }
        Ok(())
    }

    /// The fault of a byte that cannot stand in the open span: Node looks at the size first.
    pub(super) fn refuse(&mut self) -> Fault {
        match self.end_span() {
            Ok(()) => Fault::Malformed,
            Err(fault) => fault,
        }
    }

    /// The open span is one too many.
    pub(super) fn exceed(&mut self) {
        self.counted = self.limit;
    }

    pub(super) fn restart(&mut self) {
        self.counted = 0;
    }

    fn end_chunk(&mut self) -> Result<(), Fault> {
        if self.open.is_some() {
            self.end_span()?;
            self.begin_span();
        }
        Ok(())
    }
}
