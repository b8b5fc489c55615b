//! One WebSocket connection: its socket and its two halves.
//!
//! Owns: the life of a socket from adoption to its end, which is a value
//! ([`Gone`]) that the reactor acts on. Runs on: whoever turns the reactor.
//! INVARIANT: an idle connection owns no buffer. Events go out in order.
//!
//! ```text
//!            END, all written            EOF
//!  both open ────────────────► ours ended ───► Gone
//!      │ EOF                                    ▲
//!      └──────► theirs ended ──END, all written─┤
//!  DESTROY, END with close, error, panic ───────┘
//! ```

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::broadcast::Broadcast;
use super::compression::Streams;
use super::entrance::Origin;
use super::extract::Extract;
use super::heartbeat::{Beat, Heartbeat};
use super::inbound::Inbound;
use super::network::{Ready, Socket};
use super::outbound::Outbound;
use super::outgoing::{CLOSE_OPCODE, FrameStart, Outgoing};
use super::resources::Resources;
use super::slots::Counts;
use super::staging::Staging;
use super::timers::TimerKey;
use crate::bridge::Settings;
use crate::bridge::SlotId;
use crate::bridge::layout::event;
use crate::protocol::{Config, Role};

const INTERNAL_ERROR: u16 = 1011;
/// How often a flush goes on with what waited for the kernel.
const REFILLS: usize = 64;
/// Microseconds that no compression takes.
const UNLIMITED: usize = 1 << 40;
/// Published bytes that are written before the end of the turn.
const MUCH_QUEUED: u64 = 64 << 10;

/// A connection is over: the operating system's error number, 0 without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone(pub(crate) u32);

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().map_or(0, i32::unsigned_abs))
    }
}

#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(crate) id: SlotId,
    socket: S,
    inbound: Inbound,
    outbound: Outbound,
    streams: Streams,
    client: bool,
    heartbeat: Option<Box<Heartbeat>>,
    /// Listed in [`Resources::long_jobs`].
    has_job: bool,
}

impl<S: Socket> Connection<S> {
    /// Puts a socket to work that is registered with `token`.
    pub(crate) fn new(
        id: SlotId,
        token: usize,
        socket: S,
        settings: Settings,
        now: Instant,
    ) -> Self {
        // JavaScript may want the fragments of a message that is on its way already.
        let config = Config {
            track_fragments: true,
            ..settings.decoder
        };
        Self {
            id,
            socket,
            inbound: Inbound::new(id, token, config, &settings, now),
            outbound: Outbound::new(id, token, &settings),
            streams: Streams::new(settings.deflate),
            client: settings.decoder.role == Role::Client,
            heartbeat: settings
                .heartbeat
                .map(|options| Box::new(Heartbeat::new(options, now))),
            has_job: false,
        }
    }

    /// What the socket has carried before.
    pub(crate) fn set_counts(&mut self, counts: Counts) {
        self.inbound.received = counts.received;
        self.outbound.answered = counts.sent;
    }

    /// What the socket has carried so far.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            received: self.inbound.received,
            sent: self.outbound.sent(),
        }
    }

    /// Writes `preface` first and takes `initial`, which was read already.
    pub(crate) fn begin(&mut self, preface: &[u8], initial: &mut [u8], resources: &mut Resources) {
        resources.publish_written(self.id, 0);
        self.raw(Outgoing::Inline(preface), false, resources);
        self.inbound.take_initial(initial, resources);
        self.list_job(resources);
    }

    /// Handles news about the socket.
    pub(crate) fn handle(&mut self, news: Ready, resources: &mut Resources) -> Result<(), Gone> {
        self.inbound.note(news);
        // Room that the kernel makes tells of the peer, too: it has acknowledged something.
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.note(resources.now);
        }
        // What a peer sent before its socket failed comes before the failure, which writing would tell.
        if news.error {
            self.read(resources)?;
        }
        if news.writable && !(news.error && self.inbound.has_unread()) {
            self.outbound.unblock();
            self.flush(resources)?;
        }
        self.read(resources)
    }

    /// Reads what there is.
    pub(crate) fn read(&mut self, resources: &mut Resources) -> Result<(), Gone> {
        let ended = self.inbound.read(&self.socket, resources)?;
        self.list_job(resources);
        if ended {
            if self.outbound.has_ended() {
                return Err(Gone(0));
            }
            if !self.outbound.is_ending() {
                resources.staging.push(self.id, event::EOF, 0, 0);
            }
        }
        Ok(())
    }

    /// The reactor took this connection off a list: it reads on.
    pub(crate) fn read_again(&mut self, resources: &mut Resources) -> Result<(), Gone> {
        self.inbound.unlist();
        self.read(resources)
    }

    /// Does a slice of compression in each direction, and what waited for it. `false` while
    /// something is left.
    pub(crate) fn compress_on(&mut self, resources: &mut Resources) -> Result<bool, Gone> {
        self.outbound
            .deflate_on(&self.socket, &mut self.streams, resources);
        if self.inbound.is_inflating()
            && !self.inbound.waits(&resources.staging)
            && self.inbound.inflate_on(resources)
        {
            self.read(resources)?;
        }
        self.has_job = self.is_compressing();
        Ok(!self.has_job)
    }

    /// Whether so much has been inflated of a message that few of the kind may go on at once.
    pub(crate) fn inflates_much(&self) -> bool {
        self.inbound.holds_much() && !self.outbound.is_deflating()
    }

    /// Whether all that is left to do is to inflate, and JavaScript has to take something first: what
    /// was read already may hold a thousand times its length.
    pub(crate) fn waits_to_inflate(&self, staging: &Staging) -> bool {
        !self.outbound.is_deflating() && self.inbound.waits(staging)
    }

    /// Bytes that are held of a message that is not complete.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.inbound.held_bytes()
    }

    fn is_compressing(&self) -> bool {
        self.inbound.is_inflating() || self.outbound.is_deflating()
    }

    fn list_job(&mut self, resources: &mut Resources) {
        if self.is_compressing() && !std::mem::replace(&mut self.has_job, true) {
            resources.long_jobs.push_back(self.inbound.token());
        }
    }

    /// Queues a frame.
    pub(crate) fn frame(
        &mut self,
        frame: FrameStart,
        payload: Outgoing<'_>,
        ack: bool,
        resources: &mut Resources,
    ) {
        if frame.opcode == CLOSE_OPCODE {
            self.stop_beating();
            self.admit(true, resources);
        }
        let (socket, streams) = (&self.socket, &mut self.streams);
        self.outbound
            .frame(socket, streams, frame, payload, ack, resources);
        if !frame.is_control() {
            self.outbound.entrance.note(frame.fin);
            self.admit(false, resources);
        }
        self.list_job(resources);
    }

    pub(crate) fn heartbeat(&mut self) -> Option<&mut Heartbeat> {
        self.heartbeat.as_deref_mut()
    }

    fn stop_beating(&mut self) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.stop();
        }
    }

    /// The deadlines that the reactor keeps.
    pub(crate) fn timers(&self) -> [Option<TimerKey>; 2] {
        let heartbeat = self.heartbeat.as_ref();
        [
            heartbeat.and_then(|heartbeat| heartbeat.timer),
            self.inbound.refills_at(),
        ]
    }

    /// Where the deadline is kept at which this connection reads on, if it waits for one.
    pub(crate) fn refill_timer(&mut self) -> Option<&mut Option<TimerKey>> {
        self.inbound.refill_timer()
    }

    /// That deadline has come.
    pub(crate) fn refill(&mut self, resources: &mut Resources) -> Result<(), Gone> {
        self.inbound.refill();
        self.read(resources)
    }

    /// The deadline of the heartbeat has come. When the next one does.
    pub(crate) fn beat(&mut self, resources: &mut Resources) -> Result<Option<Instant>, Gone> {
        let unread = self.inbound.has_unread();
        let Some(heartbeat) = &mut self.heartbeat else {
            return Ok(None);
        };
        heartbeat.timer = None;
        match heartbeat.beat(resources.now, unread) {
            Beat::Wait(deadline) => Ok(Some(deadline)),
            Beat::Nothing => Ok(None),
            Beat::Ping(deadline) => {
                let mask = self.client.then(|| resources.masks.next());
                self.outbound.ping(&self.socket, mask, resources);
                Ok(Some(deadline))
            }
            Beat::Over => Err(Gone(0)),
        }
    }

    /// Queues a message that was published to this connection and others, which JavaScript does not
    /// count. All that is published comes through here.
    pub(crate) fn publish(
        &mut self,
        message: &Arc<Broadcast>,
        origin: Origin,
        resources: &mut Resources,
    ) -> Result<(), Gone> {
        let Self { outbound, .. } = self;
        if self.client || outbound.is_ending() || outbound.entrance.passes_by(origin) {
            return Ok(());
        }
        self.outbound.published += message.framed().len() as i64;
        self.deliver(message, origin, resources);
        // Many messages to many connections would take much memory until the end of the turn.
        if self.outbound.writable() >= MUCH_QUEUED {
            return self.flush(resources);
        }
        Ok(())
    }

    /// Queues a whole message: behind all that was queued before, the fragments of a message in
    /// progress included.
    pub(crate) fn deliver(
        &mut self,
        message: &Arc<Broadcast>,
        origin: Origin,
        resources: &mut Resources,
    ) {
        if self.outbound.entrance.is_shut_for(origin) {
            self.outbound.entrance.wait(message, origin);
            return;
        }
        let (socket, streams) = (&self.socket, &mut self.streams);
        self.outbound
            .broadcast(socket, streams, message, false, resources);
        self.list_job(resources);
    }

    /// Queues a prepared message, which JavaScript counts as any frame.
    pub(crate) fn post(&mut self, message: &Arc<Broadcast>, ack: bool, resources: &mut Resources) {
        let (socket, streams) = (&self.socket, &mut self.streams);
        self.outbound
            .broadcast(socket, streams, message, ack, resources);
        self.list_job(resources);
    }

    /// JavaScript begins, or stops, to pass published messages on by itself.
    pub(crate) fn guard(&mut self, guarded: bool, resources: &mut Resources) {
        self.outbound.entrance.guard(guarded);
        self.admit(false, resources);
    }

    /// Lets go on what waited for the end of a message.
    fn admit(&mut self, at_end: bool, resources: &mut Resources) {
        for message in self.outbound.entrance.release(at_end) {
            self.post(&message, false, resources);
        }
    }

    /// Notes whether compressed streams were used. `true` if they are to be watched from now on.
    pub(crate) fn note_use(&mut self) -> bool {
        self.streams.note_use(&self.inbound)
    }

    /// Queues bytes as they are.
    pub(crate) fn raw(&mut self, payload: Outgoing<'_>, ack: bool, resources: &mut Resources) {
        if ack || !payload.as_slice().is_empty() {
            self.outbound.raw(&self.socket, payload, ack, resources);
        }
    }

    /// Finishes our side when all is written; `close` then closes the socket, too.
    pub(crate) fn end(&mut self, close: bool, resources: &mut Resources) {
        self.stop_beating();
        self.admit(true, resources);
        self.outbound.end(close, resources);
    }

    /// Writes what was queued.
    pub(crate) fn flush(&mut self, resources: &mut Resources) -> Result<(), Gone> {
        for round in 1.. {
            self.outbound.flush(&self.socket, resources)?;
            let (socket, streams) = (&self.socket, &mut self.streams);
            if !self.outbound.refill(socket, streams, resources) {
                break;
            }
            if round == REFILLS {
                // Others get their turn.
                self.outbound.write_again(resources);
                break;
            }
        }
        self.list_job(resources);
        match self.outbound.finish_side(&self.socket) {
            Some(close) if close || self.inbound.has_ended() => Err(Gone(0)),
            _ => Ok(()),
        }
    }

    /// Tells JavaScript of what was dropped.
    pub(crate) fn report(&mut self, resources: &mut Resources) {
        self.outbound.report(resources);
    }

    pub(crate) fn pause(&mut self) {
        self.inbound.pause();
    }

    pub(crate) fn resume(&mut self, resources: &mut Resources) {
        self.inbound.resume(resources);
    }

    pub(crate) fn set_no_delay(&self, on: bool) {
        self.socket.set_no_delay(on);
    }

    pub(crate) fn set_keep_alive(&self, on: bool, idle: Option<Duration>) {
        self.socket.set_keep_alive(on, idle);
    }

    /// How large messages may be from now on.
    pub(crate) fn set_max_payload(&mut self, limit: u64) {
        self.inbound.set_max_payload(limit);
    }

    /// Makes closing the socket reset the connection.
    pub(crate) fn reset_on_close(&self) {
        self.socket.reset_on_close();
    }

    pub(crate) fn socket(&self) -> &S {
        &self.socket
    }

    /// A panic unwound out of this connection: its peer is told with 1011.
    pub(crate) fn abandon(&mut self, resources: &mut Resources) {
        let frame = FrameStart {
            fin: true,
            rsv1: false,
            opcode: CLOSE_OPCODE,
            mask: self.client.then(|| resources.masks.next()),
            compress: false,
            topic: 0,
        };
        let code = INTERNAL_ERROR.to_be_bytes();
        let payload = Outgoing::Inline(&code);
        self.outbound
            .encode(&self.socket, frame, payload, false, resources);
        // The connection ends, whatever comes of it.
        let _ = self.flush(resources);
    }

    /// Gives the memory of compressed streams back that were not used since the last call.
    /// `false` while they have to be looked at again.
    pub(crate) fn park(&mut self, resources: &mut Resources) -> bool {
        self.streams.park(&mut self.inbound, resources)
    }

    /// Takes the connection apart: it goes on elsewhere. All that is to be compressed is.
    pub(crate) fn into_extract(mut self, ahead: usize, resources: &mut Resources) -> Extract<S> {
        let budget = resources.zlib_budget;
        resources.zlib_budget.refill(UNLIMITED);
        let (socket, streams) = (&self.socket, &mut self.streams);
        self.outbound.report(resources);
        while !self.outbound.deflate_on(socket, streams, resources)
            || self.outbound.encode_next(socket, streams, resources)
        {
            resources.zlib_budget.refill(UNLIMITED);
        }
        resources.zlib_budget = budget;
        let ahead = self.inbound.read_raw(&self.socket, ahead);
        let within_message = self.outbound.entrance.is_within_message();
        let waiting = self.outbound.entrance.take();
        let counts = self.counts();
        let (unsent, acks, side) = self.outbound.into_unsent(resources);
        let (compressing, window) = self.streams.into_window(resources);
        let (decoder, held) = self.inbound.into_decoder();
        Extract {
            socket: self.socket,
            decoder: Some(decoder),
            held,
            ahead,
            unsent,
            acks,
            waiting: waiting.iter().map(|message| message.to_waiting()).collect(),
            within_message,
            side,
            compressing,
            window,
            counts,
        }
    }

    /// Gives all memory back; the socket closes.
    pub(crate) fn finish(mut self, resources: &mut Resources) {
        self.inbound.finish(resources);
        self.outbound.finish(resources);
        self.streams.finish(resources);
    }
}
