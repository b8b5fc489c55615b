//! One WebSocket connection: its socket, its decoder, what it has to write.
//!
//! Owns: the life of a socket from adoption to GONE. Polled by its own task for
//! reading and blocked writes; commands act on it directly. Runs on: worker.
//! INVARIANT: an idle connection owns no buffer. Events go to its lane in order.

use std::cell::RefCell;
use std::io;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use tokio::io::ReadBuf;

use super::compression::Streams;
use super::core::{Core, Slot};
use super::events::{LaneState, RecordSink};
use super::outgoing::{CLOSE_OPCODE, FrameStart, Outgoing};
use super::settings::Settings;
use super::stream::Stream;
use super::write_queue::WriteQueue;
use crate::bridge::SlotId;
use crate::bridge::layout::event;
use crate::protocol::{Config, Decoder, encode_frame, encode_header};

/// Reads of one connection before others get their turn.
const READS_PER_POLL: usize = 8;
/// Blocks below this size are copied behind their header instead of being written by reference.
const REFERENCE_MINIMUM: usize = 16 * 1024;
/// A buffer for compressed payloads that has grown beyond this is not kept.
const DEFLATED_KEPT: usize = 256 * 1024;
const INTERNAL_ERROR: u16 = 1011;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: SlotId,
    pub(crate) lane: Rc<LaneState>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    stream: Option<Stream>,
    decoder: Decoder,
    streams: Streams,
    queue: Option<Box<WriteQueue>>,
    /// Bytes written since the beginning, plus what compression has saved: so many of the bytes
    /// that JavaScript queued are done with.
    written: i64,
    waker: Option<Waker>,
    paused: bool,
    /// The peer finished its side.
    read_closed: bool,
    /// Our side is to be finished when all is written.
    ending: bool,
    /// Our side is finished.
    ended: bool,
    /// Close the socket when our side is finished.
    close_after_end: bool,
    /// Queued in [`Core::dirty`].
    dirty: bool,
    /// We are the client.
    client: bool,
}

impl Connection {
    /// Puts a socket to work. `preface` is written first; `initial` was read already.
    pub(crate) fn open(
        core: &Rc<Core>,
        id: SlotId,
        lane: Rc<LaneState>,
        stream: Stream,
        settings: Settings,
        preface: &[u8],
        initial: &mut [u8],
    ) -> Rc<Self> {
        let client = settings.decoder.role == crate::protocol::Role::Client;
        // JavaScript may want the fragments of a message that is on its way already.
        let config = Config {
            track_fragments: true,
            ..settings.decoder
        };
        let connection = Rc::new(Self {
            id,
            lane,
            state: RefCell::new(State {
                stream: Some(stream),
                decoder: Decoder::new(config),
                streams: Streams::new(settings.deflate),
                queue: None,
                written: 0,
                waker: None,
                paused: false,
                read_closed: false,
                ending: false,
                ended: false,
                close_after_end: false,
                dirty: false,
                client,
            }),
        });
        core.publish_written(id, 0);
        core.occupy(id, Slot::Open(Rc::clone(&connection)));
        if !preface.is_empty() {
            connection.queue_raw(core, Outgoing::Inline(preface), false);
        }
        if !initial.is_empty() {
            let mut state = connection.state.borrow_mut();
            state
                .decoder
                .handle_input(initial, &mut connection.sink(core));
            connection.note_use(core, &mut state);
        }
        tokio::task::spawn_local(drive(Rc::clone(core), Rc::clone(&connection)));
        connection
    }

    /// Queues a frame.
    pub(crate) fn queue_frame(
        self: &Rc<Self>,
        core: &Rc<Core>,
        frame: FrameStart,
        payload: Outgoing<'_>,
        ack: bool,
    ) {
        let mut deflated = core.deflated.take();
        if self.deflate(core, frame, payload.as_slice(), &mut deflated) {
            let rsv1 = frame.begins_message();
            self.queue_encoded(core, frame, rsv1, Outgoing::Inline(&deflated), ack);
        } else {
            self.queue_encoded(core, frame, false, payload, ack);
        }
        if deflated.capacity() <= DEFLATED_KEPT {
            deflated.clear();
            core.deflated.replace(deflated);
        }
    }

    /// Compresses a frame's payload, if it is to be.
    fn deflate(
        self: &Rc<Self>,
        core: &Rc<Core>,
        frame: FrameStart,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> bool {
        let mut state = self.state.borrow_mut();
        if state.stream.is_none() || state.ending {
            return false;
        }
        if !state.streams.deflate(core, frame, payload, out) {
            return false;
        }
        state.written += frame.wire_length(payload) - frame.wire_length(out);
        self.note_use(core, &mut state);
        true
    }

    fn queue_encoded(
        self: &Rc<Self>,
        core: &Core,
        frame: FrameStart,
        rsv1: bool,
        payload: Outgoing<'_>,
        ack: bool,
    ) {
        let FrameStart {
            fin, opcode, mask, ..
        } = frame;
        self.queue(core, ack, |queue, core| {
            let spares = &mut core.spares.borrow_mut();
            match payload {
                Outgoing::Block(block) if mask.is_none() && block.len() >= REFERENCE_MINIMUM => {
                    let header = encode_header(fin, rsv1, opcode, None, block.len() as u64);
                    queue.append(spares, |out| out.extend_from_slice(header.as_slice()));
                    queue.append_block(block);
                }
                payload => queue.append(spares, |out| {
                    encode_frame(out, fin, rsv1, opcode, mask, payload.as_slice());
                }),
            }
        });
    }

    /// Queues bytes as they are.
    pub(crate) fn queue_raw(self: &Rc<Self>, core: &Core, payload: Outgoing<'_>, ack: bool) {
        self.queue(core, ack, |queue, core| match payload {
            Outgoing::Inline([]) => {}
            Outgoing::Inline(bytes) => {
                queue.append(&mut core.spares.borrow_mut(), |out| {
                    out.extend_from_slice(bytes)
                });
            }
            Outgoing::Block(block) => queue.append_block(block),
        });
    }

    fn queue(self: &Rc<Self>, core: &Core, ack: bool, fill: impl FnOnce(&mut WriteQueue, &Core)) {
        let mut state = self.state.borrow_mut();
        if state.stream.is_none() || state.ending {
            return;
        }
        let queue = state.queue.get_or_insert_with(|| {
            core.unwritten.set(core.unwritten.get() + 1);
            core.spares.borrow_mut().queue()
        });
        fill(queue, core);
        if ack {
            queue.acknowledge();
        }
        self.mark_dirty(core, &mut state);
    }

    fn mark_dirty(self: &Rc<Self>, core: &Core, state: &mut State) {
        if !state.dirty {
            state.dirty = true;
            core.dirty.borrow_mut().push(Rc::clone(self));
        }
    }

    /// Finishes our side once all is written.
    pub(crate) fn end(self: &Rc<Self>, core: &Core, close: bool) {
        let mut state = self.state.borrow_mut();
        state.ending = true;
        state.close_after_end |= close;
        self.mark_dirty(core, &mut state);
    }

    /// Closes the socket at once. What was queued before is offered to the kernel first, where
    /// ws would have written it already.
    pub(crate) fn destroy(&self, core: &Core) {
        let mut state = self.state.borrow_mut();
        self.flush(core, &mut state, None);
        self.close(core, &mut state, 0);
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        let mut state = self.state.borrow_mut();
        state.paused = paused;
        if !paused {
            state.wake();
        }
    }

    pub(crate) fn set_no_delay(&self, on: bool) {
        if let Some(stream) = &self.state.borrow().stream {
            ignore(stream.set_no_delay(on));
        }
    }

    pub(crate) fn set_keep_alive(&self, idle: Option<Duration>) {
        if let Some(stream) = &self.state.borrow().stream {
            ignore(stream.set_keep_alive(idle));
        }
    }

    /// Lets the connection's task look again.
    pub(crate) fn wake(&self) {
        self.state.borrow().wake();
    }

    /// Writes what commands queued. What does not fit is left to the task.
    pub(crate) fn flush_dirty(&self, core: &Core) {
        let mut state = self.state.borrow_mut();
        state.dirty = false;
        self.flush(core, &mut state, None);
    }

    /// A panic unwound out of this connection: it ends with 1011, others go on.
    pub(crate) fn abandon(self: &Rc<Self>, core: &Core) {
        let client = self.state.borrow().client;
        let mask = client.then(|| core.masks.borrow_mut().next());
        let frame = FrameStart {
            fin: true,
            opcode: CLOSE_OPCODE,
            mask,
            compress: false,
        };
        let code = INTERNAL_ERROR.to_be_bytes();
        self.queue_encoded(core, frame, false, Outgoing::Inline(&code), false);
        let mut state = self.state.borrow_mut();
        self.flush(core, &mut state, None);
        self.close(core, &mut state, 0);
    }

    fn poll(self: &Rc<Self>, core: &Rc<Core>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if !state
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(cx.waker()))
        {
            state.waker = Some(cx.waker().clone());
        }
        if state.queue.is_some() || (state.ending && !state.ended) {
            self.flush(core, &mut state, Some(cx));
        }
        for turn in 0.. {
            if state.stream.is_none() {
                return Poll::Ready(());
            }
            if state.paused || state.read_closed {
                break;
            }
            if self.lane.lane.environment().budget.is_exhausted() {
                self.lane.stalled.borrow_mut().push(Rc::clone(self));
                break;
            }
            if turn == READS_PER_POLL {
                cx.waker().wake_by_ref();
                break;
            }
            match self.read(core, &mut state, cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => self.read_end(core, &mut state),
                Poll::Ready(Ok(_)) => self.note_use(core, &mut state),
                Poll::Ready(Err(error)) => self.close(core, &mut state, errno(&error)),
            }
        }
        if state.stream.is_none() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Reads once and decodes. 0 bytes mean that the peer finished its side.
    fn read(
        &self,
        core: &Core,
        state: &mut State,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let State {
            stream: Some(stream),
            decoder,
            ..
        } = state
        else {
            return Poll::Pending;
        };
        let mut sink = self.sink(core);
        if let Some(spare) = decoder.direct_buffer(&mut sink) {
            let mut buffer = ReadBuf::uninit(spare);
            match stream.poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            let filled = buffer.filled().len();
            direct::handle(decoder, filled, &mut sink);
            return Poll::Ready(Ok(filled));
        }
        let scratch = &mut core.read_buffer.borrow_mut();
        let mut buffer = ReadBuf::new(scratch);
        match stream.poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
        let filled = buffer.filled_mut();
        decoder.handle_input(filled, &mut sink);
        Poll::Ready(Ok(filled.len()))
    }

    /// Lists a connection that holds compressed streams, for their memory to be given back when
    /// it falls silent.
    fn note_use(self: &Rc<Self>, core: &Rc<Core>, state: &mut State) {
        if state.streams.note_use(&state.decoder) {
            super::compression::watch(core, Rc::clone(self));
        }
    }

    /// Gives the memory of compressed streams back that were not used since the last call.
    /// `false` while they have to be looked at again.
    pub(crate) fn park(&self, core: &Core) -> bool {
        let mut state = self.state.borrow_mut();
        let State {
            stream,
            streams,
            decoder,
            ..
        } = &mut *state;
        stream.is_none() || streams.park(decoder, core, &mut self.sink(core))
    }

    fn sink<'a>(&'a self, core: &'a Core) -> RecordSink<'a> {
        RecordSink {
            id: self.id,
            lane: &self.lane,
            zlib: &core.zlib,
        }
    }

    fn read_end(&self, core: &Core, state: &mut State) {
        state.read_closed = true;
        if state.ended {
            self.close(core, state, 0);
        } else if !state.ending {
            self.lane.push(self.id, event::EOF, 0, 0);
        }
    }

    fn flush(&self, core: &Core, state: &mut State, mut cx: Option<&mut Context<'_>>) {
        let mut progress = false;
        let outcome = loop {
            let State {
                stream: Some(stream),
                queue: Some(queue),
                written,
                ..
            } = state
            else {
                break Ok(());
            };
            if queue.is_empty() {
                break Ok(());
            }
            let written_now = queue.write(stream, &mut core.spares.borrow_mut());
            match written_now {
                Ok(bytes) => {
                    *written += bytes as i64;
                    progress = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match &mut cx {
                    None => {
                        state.wake();
                        break Ok(());
                    }
                    Some(cx) => match stream.poll_write_ready(cx) {
                        Poll::Pending => break Ok(()),
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => break Err(error),
                    },
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if progress {
            core.publish_written(self.id, state.written);
        }
        self.acknowledge(core, state);
        match outcome {
            Err(error) => self.close(core, state, errno(&error)),
            Ok(()) => self.finish_ending(core, state),
        }
    }

    /// Reports acknowledgements that came due and lets go of an empty queue.
    fn acknowledge(&self, core: &Core, state: &mut State) {
        let Some(queue) = &mut state.queue else {
            return;
        };
        let due = queue.take_acks();
        if due > 0 {
            self.lane.push(self.id, event::WRITTEN, 0, due);
        }
        if queue.is_empty() {
            state.release_queue(core);
        }
    }

    fn finish_ending(&self, core: &Core, state: &mut State) {
        if !state.ending || state.ended || state.queue.is_some() {
            return;
        }
        let Some(stream) = &state.stream else { return };
        ignore(stream.shutdown_write());
        state.ended = true;
        if state.read_closed || state.close_after_end {
            self.close(core, state, 0);
        }
    }

    fn close(&self, core: &Core, state: &mut State, errno: u32) {
        if state.stream.take().is_none() {
            return;
        }
        state.release_queue(core);
        state.decoder.finish(&mut self.sink(core));
        state.streams.finish(core);
        state.wake();
        self.lane.push(self.id, event::GONE, 0, errno);
    }
}

impl State {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn release_queue(&mut self, core: &Core) {
        if let Some(queue) = self.queue.take() {
            core.spares.borrow_mut().give_queue(queue);
            core.unwritten.set(core.unwritten.get() - 1);
        }
    }
}

/// The task of a connection.
async fn drive(core: Rc<Core>, connection: Rc<Connection>) {
    let polling = std::future::poll_fn(|cx| {
        let outcome = connection.poll(&core, cx);
        if core.worker.outbox.has_pending() {
            core.worker.outbox.wake();
        }
        outcome
    });
    if AssertUnwindSafe(polling).catch_unwind().await.is_err() {
        connection.abandon(&core);
    }
}

/// Socket options and half-closing may fail on a socket that is already dead; reading tells.
fn ignore(_: io::Result<()>) {}

fn errno(error: &io::Error) -> u32 {
    error.raw_os_error().map_or(0, i32::unsigned_abs)
}

mod direct {
    //! The one call whose contract the compiler cannot check.
    #![allow(unsafe_code)]

    use crate::protocol::{Decoder, EventSink};

    /// Decodes bytes that a read left in [`Decoder::direct_buffer`].
    pub(super) fn handle(decoder: &mut Decoder, filled: usize, sink: &mut impl EventSink) {
        // SAFETY: `filled` is what `ReadBuf` counted over that very buffer, so the bytes are
        // initialised.
        unsafe { decoder.handle_direct(filled, sink) };
    }
}
