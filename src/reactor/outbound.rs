//! The sending half of a connection: from a command to the socket.
//!
//! Owns: [`Outbound`]: what is unwritten, what waits for a message that is being
//! compressed, how our side ends. Called by the connection. Runs on: whoever
//! turns the reactor. INVARIANT: frames leave in the order of their commands.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::backlog::{Admission, Backlog, Waiting, What};
use super::broadcast::{Broadcast, Compressed};
use super::compression::Streams;
use super::connection::Gone;
use super::entrance::Entrance;
use super::network::Socket;
use super::outgoing::{FrameStart, Outgoing, PING_OPCODE, PONG_OPCODE};
use super::resources::{Again, Resources};
use super::write_queue::WriteQueue;
use crate::bridge::layout::{BACKPRESSURE_CLOSES, BACKPRESSURE_ON, INLINE_LIMIT, event};
use crate::bridge::{BackpressureOptions, Block, Settings, SlotId};
use crate::protocol::{encode_frame, encode_header};

/// Blocks below this size are copied behind their header instead of being written by reference.
const REFERENCE_MINIMUM: usize = 16 * 1024;
/// Payloads from this size on are offered to the kernel where they are before they are kept.
const DIRECT_MINIMUM: usize = 8 * 1024;
/// Frames of broadcasts from this size on are queued by reference; smaller ones are copied.
const SHARED_MINIMUM: usize = 1024;
/// Bytes of one connection that a flush writes before others get their turn.
const FLUSH_BYTES: usize = 2 << 20;
/// A buffer for compressed payloads that has grown beyond this is not kept.
const DEFLATED_KEPT: usize = 256 * 1024;

/// How far our side is.
///
/// ```text
///  Open ──END──► Ending ──all written──► Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It takes frames.
    Open,
    /// To be finished when all is written.
    Ending {
        /// Close the socket then, too.
        close: bool,
    },
    /// It is finished.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Outbound {
    id: SlotId,
    token: usize,
    /// Whose messages they count as.
    account: u32,
    queue: Option<Box<WriteQueue>>,
    /// Bytes written since the beginning, plus what compression has saved: so many of the bytes
    /// that JavaScript queued are done with.
    written: i64,
    /// What compression has saved.
    saved: i64,
    /// Bytes that the socket had carried before it was a connection's.
    pub(crate) answered: u64,
    /// Bytes of messages that were published to the connection, and of our own pings: JavaScript does
    /// not count them.
    pub(super) published: i64,
    /// What JavaScript was told last of `written`, without what it does not count.
    shown: i64,
    side: Side,
    /// Listed in [`Resources::dirty`].
    dirty: bool,
    /// The kernel takes no more for now.
    blocked: bool,
    deflating: Option<Box<Deflating>>,
    /// What waits for a slow peer, where that is limited.
    backlog: Option<Box<Backlog>>,
    /// Where whole messages have to wait.
    pub(super) entrance: Entrance,
}

/// A message that is compressed in slices, and what was queued behind it.
#[derive(Debug)]
struct Deflating {
    work: Work,
    ack: bool,
    behind: VecDeque<Behind>,
}

/// What becomes of a message where it is limited how much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It is queued.
    Direct,
    /// It waits behind others.
    Behind,
    /// It was dropped.
    Dropped,
}

#[derive(Debug)]
enum Work {
    Own {
        frame: FrameStart,
        payload: Block,
        taken: usize,
        made: Vec<u8>,
    },
    /// Whoever else sends it waits for the same, and does a part of it.
    Shared(Arc<Broadcast>),
}

#[derive(Debug)]
enum Behind {
    Frame(FrameStart, Block, bool),
    Message(Arc<Broadcast>, bool),
    Raw(Block, bool),
    End(bool),
}

impl Outbound {
    pub(crate) fn new(id: SlotId, token: usize, settings: &Settings) -> Self {
        Self {
            id,
            token,
            account: settings.account,
            queue: None,
            written: 0,
            saved: 0,
            answered: 0,
            published: 0,
            shown: 0,
            side: Side::Open,
            dirty: false,
            blocked: false,
            deflating: None,
            backlog: settings
                .backpressure
                .map(|options| Box::new(Backlog::new(options))),
            entrance: Entrance::default(),
        }
    }

    /// Whether our side takes nothing any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.side != Side::Open
    }

    /// Whether our side is finished.
    pub(crate) fn has_ended(&self) -> bool {
        self.side == Side::Ended
    }

    /// Whether a message is being compressed.
    pub(crate) fn is_deflating(&self) -> bool {
        self.deflating.is_some()
    }

    /// Queues a frame.
    pub(crate) fn frame(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        frame: FrameStart,
        payload: Outgoing<'_>,
        ack: bool,
        resources: &mut Resources,
    ) {
        if self.is_ending() {
            return;
        }
        let length = payload.as_slice().len();
        let way = if self.backlog.is_some() {
            self.admit(socket, streams, frame, None, length, ack, resources)
        } else {
            Way::Direct
        };
        match way {
            Way::Direct => self.frame_now(socket, streams, frame, payload, ack, resources),
            Way::Behind => {
                let block = kept(payload, resources);
                self.wait(What::Frame(frame, block), ack, resources);
            }
            Way::Dropped => {}
        }
    }

    /// Decides where it is limited how much may wait.
    #[allow(
        clippy::too_many_arguments,
        reason = "what there is to decide by, of which only some is ours"
    )]
    fn admit(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        frame: FrameStart,
        rule: Option<BackpressureOptions>,
        length: usize,
        ack: bool,
        resources: &mut Resources,
    ) -> Way {
        let more = frame.wire_length(length) as u64;
        let mut encoded = self.encoded_bytes();
        let Some(backlog) = &mut self.backlog else {
            return Way::Direct;
        };
        backlog.count_ack(ack);
        let much = encoded >= backlog.most_encoded() || backlog.exceeds(encoded, more);
        if much && !self.blocked && !frame.is_control() {
            // What was not offered to the kernel yet is no reason to drop something. What fails here
            // fails again when the queue is flushed.
            let _ = self.flush(socket, resources);
            while self.encode_next(socket, streams, resources) && !self.blocked {
                let _ = self.flush(socket, resources);
            }
            encoded = self.encoded_bytes();
        }
        let (blocked, deflating) = (self.blocked, self.is_deflating());
        let Some(backlog) = &mut self.backlog else {
            return Way::Direct;
        };
        if !frame.is_control() {
            let before = (backlog.pressed, backlog.closes());
            let admission = backlog.admit(frame, rule, length, ack, encoded);
            let tells = backlog.pressed && before != (true, backlog.closes());
            let closes = if backlog.closes() {
                BACKPRESSURE_CLOSES
            } else {
                0
            };
            self.settle_drops(resources);
            if tells {
                let aux = BACKPRESSURE_ON | closes;
                resources.staging.push(self.id, event::BACKPRESSURE, aux, 0);
            }
            if admission == Admission::Dropped {
                return Way::Dropped;
            }
        }
        let Some(backlog) = &mut self.backlog else {
            return Way::Direct;
        };
        if backlog.is_empty() && !blocked && !deflating {
            backlog.pass(frame);
            Way::Direct
        } else {
            Way::Behind
        }
    }

    /// Puts something behind what waits for a slow peer.
    fn wait(&mut self, what: What, ack: bool, resources: &mut Resources) {
        if let Some(backlog) = &mut self.backlog {
            backlog.push(what, ack);
        }
        self.mark_dirty(resources);
    }

    /// Encoded bytes that wait, and those of a message that is being compressed.
    fn encoded_bytes(&self) -> u64 {
        let queued = self.queue.as_ref().map_or(0, |queue| queue.waiting);
        let deflating = self.deflating.as_ref().map_or(0, |job| match &job.work {
            Work::Own { payload, .. } => payload.len(),
            Work::Shared(message) => message.payload().len(),
        });
        queued + deflating as u64
    }

    /// Counts what was dropped as done with.
    fn settle_drops(&mut self, resources: &mut Resources) {
        let Some(backlog) = &mut self.backlog else {
            return;
        };
        let forgone = backlog.take_forgone();
        if forgone > 0 {
            backlog.count_dropped(resources.tallies.of(self.account));
            self.written += forgone;
            self.saved += forgone;
            self.show_written(resources);
            resources.reports.push(self.token);
        }
    }

    /// Tells JavaScript of what was dropped since the last time.
    pub(crate) fn report(&mut self, resources: &mut Resources) {
        let Some(dropped) = self
            .backlog
            .as_mut()
            .and_then(|backlog| backlog.take_dropped())
        else {
            return;
        };
        let mut payload = dropped.messages.to_le_bytes().to_vec();
        payload.extend_from_slice(&dropped.bytes.to_le_bytes());
        payload.extend(dropped.acks.iter().flat_map(|number| number.to_le_bytes()));
        let staging = &mut resources.staging;
        if payload.len() <= INLINE_LIMIT {
            staging.push_inline(self.id, event::DROPPED, 0, 0, &payload);
        } else {
            staging.push_block(self.id, event::DROPPED, 0, 0, payload);
        }
    }

    /// Encodes some of what waited for the kernel, if it has room. Whether it did.
    pub(crate) fn refill(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        resources: &mut Resources,
    ) -> bool {
        let encoded = self.encoded_bytes();
        if let Some(backlog) = &mut self.backlog
            && backlog.is_relieved(encoded)
        {
            backlog.pressed = false;
            resources.staging.push(self.id, event::BACKPRESSURE, 0, 0);
        }
        if self.blocked || self.queue.is_some() {
            return false;
        }
        let most = self
            .backlog
            .as_ref()
            .map_or(0, |backlog| backlog.most_encoded());
        let mut some = false;
        while self.encoded_bytes() <= most && self.encode_next(socket, streams, resources) {
            some = true;
        }
        some
    }

    /// Encodes the next of what waited for the kernel. `false` if there is nothing, or it has to wait
    /// for a message that is being compressed.
    pub(crate) fn encode_next(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        resources: &mut Resources,
    ) -> bool {
        if self.is_deflating() {
            return false;
        }
        let Some(Waiting { what, ack, .. }) =
            self.backlog.as_mut().and_then(|backlog| backlog.pop())
        else {
            return false;
        };
        match what {
            What::Frame(frame, block) if !self.is_ending() => {
                let payload = Outgoing::Block(block);
                self.frame_now(socket, streams, frame, payload, ack, resources);
            }
            What::Message(message) if !self.is_ending() => {
                self.broadcast_now(socket, streams, &message, ack, resources);
            }
            What::Raw(block) if !self.is_ending() => {
                self.raw_now(socket, Outgoing::Block(block), ack, resources);
            }
            What::Frame(..) | What::Message(_) | What::Raw(_) => {}
            What::End(close) => self.end_now(close, resources),
        }
        true
    }

    /// There is more to write, and there is room for it: in the next turn.
    pub(crate) fn write_again(&self, resources: &mut Resources) {
        resources.again.push_back((self.token, Again::Write));
    }

    fn frame_now(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        frame: FrameStart,
        payload: Outgoing<'_>,
        ack: bool,
        resources: &mut Resources,
    ) {
        if self.is_ending() {
            return;
        }
        if let Some(job) = &mut self.deflating {
            let block = kept(payload, resources);
            job.behind.push_back(Behind::Frame(frame, block, ack));
            return;
        }
        self.count(frame, payload.as_slice().len(), resources);
        self.encode_frame(socket, streams, frame, payload, ack, resources);
    }

    /// Counts a frame that goes to the encoder.
    fn count(&self, frame: FrameStart, length: usize, resources: &mut Resources) {
        let tally = resources.tallies.of(self.account);
        match frame.opcode {
            PING_OPCODE => tally.pings(),
            PONG_OPCODE => tally.pongs(),
            _ if frame.is_control() => {}
            _ => tally.sent(length, frame.fin),
        }
    }

    /// Queues a frame that is counted, compressed if that is due.
    fn encode_frame(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        frame: FrameStart,
        payload: Outgoing<'_>,
        ack: bool,
        resources: &mut Resources,
    ) {
        let bytes = payload.as_slice();
        if !streams.decides(frame, bytes.len()) {
            self.encode(socket, frame, payload, ack, resources);
        } else if bytes.len() <= resources.zlib_budget.deflate_room() {
            let mut made = std::mem::take(&mut resources.deflated);
            streams.deflate(bytes, true, frame.fin, &mut made, resources);
            self.encode_deflated(socket, frame, bytes.len(), &made, ack, resources);
            if made.capacity() <= DEFLATED_KEPT {
                made.clear();
                resources.deflated = made;
            }
        } else {
            let payload = kept(payload, resources);
            let work = Work::Own {
                frame,
                payload,
                taken: 0,
                made: Vec::new(),
            };
            self.begin_deflating(work, ack);
        }
    }

    /// Queues a ping of our own, in front of what is being compressed: JavaScript knows nothing of it.
    pub(crate) fn ping(
        &mut self,
        socket: &impl Socket,
        mask: Option<[u8; 4]>,
        resources: &mut Resources,
    ) {
        let frame = FrameStart {
            fin: true,
            rsv1: false,
            opcode: PING_OPCODE,
            mask,
            compress: false,
            topic: 0,
        };
        self.published += frame.wire_length(0);
        self.count(frame, 0, resources);
        self.encode(socket, frame, Outgoing::Inline(&[]), false, resources);
    }

    /// Queues a message that others send, too.
    pub(super) fn broadcast(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        message: &Arc<Broadcast>,
        ack: bool,
        resources: &mut Resources,
    ) {
        if self.is_ending() {
            return;
        }
        if self.backlog.is_none() {
            self.broadcast_now(socket, streams, message, ack, resources);
            return;
        }
        let (frame, length) = (message.start(), message.payload().len());
        let rule = message.rule();
        match self.admit(socket, streams, frame, rule, length, ack, resources) {
            Way::Direct => self.broadcast_now(socket, streams, message, ack, resources),
            Way::Behind => self.wait(What::Message(Arc::clone(message)), ack, resources),
            Way::Dropped => {}
        }
    }

    fn broadcast_now(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        message: &Arc<Broadcast>,
        ack: bool,
        resources: &mut Resources,
    ) {
        if self.is_ending() {
            return;
        }
        if let Some(job) = &mut self.deflating {
            let message = Arc::clone(message);
            job.behind.push_back(Behind::Message(message, ack));
            return;
        }
        let (frame, payload) = (message.start(), message.payload());
        self.count(frame, payload.len(), resources);
        if message.is_published() {
            resources.tallies.of(self.account).delivered();
        }
        if !streams.decides(frame, payload.len()) {
            self.queue_shared(message.framed(), ack, resources);
        } else if let Some(options) = streams.without_history() {
            match message.deflated(options, resources) {
                Some(compressed) => self.queue_compressed(&compressed, ack, resources),
                None => self.begin_deflating(Work::Shared(Arc::clone(message)), ack),
            }
        } else {
            let payload = Outgoing::Inline(payload);
            self.encode_frame(socket, streams, frame, payload, ack, resources);
        }
    }

    fn queue_compressed(&mut self, made: &Compressed, ack: bool, resources: &mut Resources) {
        self.written += made.saved;
        self.saved += made.saved;
        self.queue_shared(&made.framed, ack, resources);
    }

    fn queue_shared(&mut self, framed: &Block, ack: bool, resources: &mut Resources) {
        let queue = queue(&mut self.queue, resources);
        if framed.len() >= SHARED_MINIMUM {
            queue.append_block(framed.clone());
        } else {
            queue.append(&mut resources.spares, |out| {
                out.extend_from_slice(framed.as_slice());
            });
        }
        self.finish_queueing(ack, resources);
    }

    fn begin_deflating(&mut self, work: Work, ack: bool) {
        self.deflating = Some(Box::new(Deflating {
            work,
            ack,
            behind: VecDeque::new(),
        }));
    }

    /// Goes on compressing. `false` while there is something left.
    pub(crate) fn deflate_on(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        resources: &mut Resources,
    ) -> bool {
        let Some(mut job) = self.deflating.take() else {
            return true;
        };
        let done = match &mut job.work {
            Work::Own {
                frame,
                payload,
                taken,
                made,
            } => {
                let room = resources.zlib_budget.deflate_room();
                let rest = payload.as_slice().get(*taken..).unwrap_or_default();
                let part = rest.get(..room).unwrap_or(rest);
                let last = part.len() == rest.len();
                if !part.is_empty() || last {
                    streams.deflate(part, last, frame.fin, made, resources);
                    *taken += part.len();
                }
                if last {
                    let (frame, length) = (*frame, payload.len());
                    self.encode_deflated(socket, frame, length, made, job.ack, resources);
                }
                last
            }
            Work::Shared(message) => {
                let options = streams.without_history();
                let made = options.and_then(|options| message.deflated(options, resources));
                if let Some(made) = &made {
                    self.queue_compressed(made, job.ack, resources);
                }
                made.is_some()
            }
        };
        if !done {
            self.deflating = Some(job);
            return false;
        }
        self.queue_behind(socket, streams, &mut job.behind, resources);
        !self.is_deflating()
    }

    fn queue_behind(
        &mut self,
        socket: &impl Socket,
        streams: &mut Streams,
        behind: &mut VecDeque<Behind>,
        resources: &mut Resources,
    ) {
        while let Some(next) = behind.pop_front() {
            match next {
                Behind::Frame(frame, block, ack) => {
                    let payload = Outgoing::Block(block);
                    self.frame_now(socket, streams, frame, payload, ack, resources);
                }
                Behind::Message(message, ack) => {
                    self.broadcast_now(socket, streams, &message, ack, resources);
                }
                Behind::Raw(block, ack) => {
                    self.raw_now(socket, Outgoing::Block(block), ack, resources);
                }
                Behind::End(close) => self.end_now(close, resources),
            }
            // One of them may be the next to be compressed in slices.
            if let Some(job) = &mut self.deflating {
                job.behind.append(behind);
            }
        }
    }

    fn encode_deflated(
        &mut self,
        socket: &impl Socket,
        frame: FrameStart,
        length: usize,
        made: &[u8],
        ack: bool,
        resources: &mut Resources,
    ) {
        let saved = frame.wire_length(length) - frame.wire_length(made.len());
        self.written += saved;
        self.saved += saved;
        let frame = FrameStart {
            rsv1: frame.begins_message(),
            ..frame
        };
        self.encode(socket, frame, Outgoing::Inline(made), ack, resources);
    }

    /// Queues a frame whose payload is final.
    pub(crate) fn encode(
        &mut self,
        socket: &impl Socket,
        frame: FrameStart,
        payload: Outgoing<'_>,
        ack: bool,
        resources: &mut Resources,
    ) {
        let FrameStart {
            fin,
            rsv1,
            opcode,
            mask,
            ..
        } = frame;
        let length = payload.as_slice().len();
        if mask.is_none() && length >= DIRECT_MINIMUM {
            let header = encode_header(fin, rsv1, opcode, None, length as u64);
            self.write_directly(socket, header.as_slice(), payload, resources);
        } else {
            let queue = queue(&mut self.queue, resources);
            queue.append(&mut resources.spares, |out| {
                encode_frame(out, fin, rsv1, opcode, mask, payload.as_slice());
            });
        }
        self.finish_queueing(ack, resources);
    }

    /// Queues bytes as they are.
    pub(crate) fn raw(
        &mut self,
        socket: &impl Socket,
        payload: Outgoing<'_>,
        ack: bool,
        resources: &mut Resources,
    ) {
        if let Some(backlog) = &mut self.backlog {
            backlog.count_ack(ack);
            if !backlog.is_empty() {
                let block = kept(payload, resources);
                backlog.push(What::Raw(block), ack);
                return;
            }
        }
        self.raw_now(socket, payload, ack, resources);
    }

    fn raw_now(
        &mut self,
        socket: &impl Socket,
        payload: Outgoing<'_>,
        ack: bool,
        resources: &mut Resources,
    ) {
        if self.is_ending() {
            return;
        }
        if let Some(job) = &mut self.deflating {
            let block = kept(payload, resources);
            job.behind.push_back(Behind::Raw(block, ack));
            return;
        }
        match payload.as_slice() {
            [] => {
                queue(&mut self.queue, resources);
            }
            bytes if bytes.len() >= DIRECT_MINIMUM => {
                self.write_directly(socket, &[], payload, resources);
            }
            bytes => queue(&mut self.queue, resources).append(&mut resources.spares, |out| {
                out.extend_from_slice(bytes);
            }),
        }
        self.finish_queueing(ack, resources);
    }

    /// Offers a large payload to the kernel from where it is; only what does not fit is kept.
    fn write_directly(
        &mut self,
        socket: &impl Socket,
        header: &[u8],
        payload: Outgoing<'_>,
        resources: &mut Resources,
    ) {
        let bytes = payload.as_slice();
        let total = header.len() + bytes.len();
        let mut written = 0;
        if self.queue.is_none() && !self.blocked {
            let slices = [IoSlice::new(header), IoSlice::new(bytes)];
            // What fails here fails again, with nothing lost, when the queue is flushed.
            written = socket.send_vectored(&slices).unwrap_or(0);
            self.written += written as i64;
        }
        let queue = queue(&mut self.queue, resources);
        if written == total {
            return;
        }
        if let Some(rest) = header.get(written..).filter(|rest| !rest.is_empty()) {
            queue.append(&mut resources.spares, |out| out.extend_from_slice(rest));
            written = header.len();
        }
        let gone = written - header.len();
        let small =
            bytes.len() - gone < REFERENCE_MINIMUM && !matches!(payload, Outgoing::Block(_));
        if small {
            let rest = bytes.get(gone..).unwrap_or_default();
            queue.append(&mut resources.spares, |out| out.extend_from_slice(rest));
            return;
        }
        let (block, begin) = match payload {
            Outgoing::Block(block) => (block, gone),
            Outgoing::Inline(bytes) => resources.keep(bytes, gone),
        };
        if begin > 0 {
            queue.append_rest(block, begin);
        } else {
            queue.append_block(block);
        }
    }

    fn finish_queueing(&mut self, ack: bool, resources: &mut Resources) {
        if ack && let Some(queue) = &mut self.queue {
            queue.acknowledge();
        }
        self.mark_dirty(resources);
    }

    fn mark_dirty(&mut self, resources: &mut Resources) {
        if !std::mem::replace(&mut self.dirty, true) {
            resources.dirty.push_back(self.token);
        }
    }

    /// Finishes our side when everything queued is written.
    pub(crate) fn end(&mut self, close: bool, resources: &mut Resources) {
        if let Some(backlog) = &mut self.backlog
            && !backlog.is_empty()
        {
            backlog.push(What::End(close), false);
            return;
        }
        self.end_now(close, resources);
    }

    fn end_now(&mut self, close: bool, resources: &mut Resources) {
        if let Some(job) = &mut self.deflating {
            job.behind.push_back(Behind::End(close));
            return;
        }
        match &mut self.side {
            Side::Open => self.side = Side::Ending { close },
            Side::Ending { close: closes } => *closes |= close,
            Side::Ended => {}
        }
        self.mark_dirty(resources);
    }

    /// The kernel has room again.
    pub(crate) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Writes what was queued, within limits.
    pub(crate) fn flush(
        &mut self,
        socket: &impl Socket,
        resources: &mut Resources,
    ) -> Result<(), Gone> {
        self.dirty = false;
        let outcome = self.write(socket, resources);
        if let Some(queue) = &mut self.queue {
            let due = queue.take_acks();
            if due > 0 {
                resources.staging.push(self.id, event::WRITTEN, 0, due);
            }
            if queue.is_empty() {
                self.release_queue(resources);
            }
        }
        self.show_written(resources);
        outcome
    }

    /// Tells JavaScript how much is done with of what it counts.
    fn show_written(&mut self, resources: &mut Resources) {
        let done = self.written - self.published;
        if done != self.shown {
            self.shown = done;
            resources.publish_written(self.id, done);
        }
    }

    fn write(&mut self, socket: &impl Socket, resources: &mut Resources) -> Result<(), Gone> {
        let mut allowance = FLUSH_BYTES;
        while let Some(queue) = &mut self.queue
            && !queue.is_empty()
            && !self.blocked
        {
            if allowance == 0 {
                resources.again.push_back((self.token, Again::Write));
                break;
            }
            match queue.write(socket, &mut resources.spares) {
                Ok(bytes) => {
                    self.written += bytes as i64;
                    allowance = allowance.saturating_sub(bytes);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.blocked = true,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(Gone::from(error)),
                },
            }
        }
        Ok(())
    }

    /// Bytes that a flush would offer to the kernel.
    pub(super) fn writable(&self) -> u64 {
        match &self.queue {
            Some(queue) if !self.blocked => queue.waiting,
            _ => 0,
        }
    }

    /// Finishes our side if that was asked for and all is written. `Some` tells that it was, and
    /// whether the socket is to be closed.
    pub(crate) fn finish_side(&mut self, socket: &impl Socket) -> Option<bool> {
        let Side::Ending { close } = self.side else {
            return None;
        };
        if self.queue.is_some() {
            return None;
        }
        socket.shutdown_write();
        self.side = Side::Ended;
        Some(close)
    }

    /// Bytes that were written, or wait for it, as they are on the wire.
    pub(crate) fn sent(&self) -> u64 {
        let waiting = self.queue.as_ref().map_or(0, |queue| queue.waiting);
        let written = u64::try_from(self.written - self.saved).unwrap_or(0);
        let behind = self.backlog.as_ref().map_or(0, |backlog| backlog.bytes());
        self.answered + written + waiting + behind
    }

    /// What is unwritten, where in it acknowledgements are due, and how far our side is.
    pub(crate) fn into_unsent(mut self, resources: &mut Resources) -> (Vec<u8>, Vec<u64>, Side) {
        let mut unsent = Vec::new();
        let queue = self.queue.as_mut();
        let acks = queue.map_or_else(Vec::new, |queue| queue.copy_out(&mut unsent));
        self.release_queue(resources);
        (unsent, acks, self.side)
    }

    /// Gives all memory back.
    pub(crate) fn finish(&mut self, resources: &mut Resources) {
        self.deflating = None;
        self.backlog = None;
        self.release_queue(resources);
    }

    fn release_queue(&mut self, resources: &mut Resources) {
        if let Some(queue) = self.queue.take() {
            resources.spares.give_queue(queue);
            resources.unwritten -= 1;
        }
    }
}

/// The queue, made if there is none.
fn queue<'a>(
    slot: &'a mut Option<Box<WriteQueue>>,
    resources: &mut Resources,
) -> &'a mut WriteQueue {
    slot.get_or_insert_with(|| {
        resources.unwritten += 1;
        resources.spares.queue()
    })
}

/// A payload that stays.
fn kept(payload: Outgoing<'_>, resources: &mut Resources) -> Block {
    match payload {
        Outgoing::Block(block) => block,
        Outgoing::Inline(bytes) => resources.keep(bytes, 0).0,
    }
}
