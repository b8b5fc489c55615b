//! What JavaScript asks of a worker: records from command slabs, and rare
//! commands with operating system objects in them.
//!
//! Owns: the command loop's body. Runs on: worker.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::core::{Core, Slot};
use super::events::LaneState;
use super::listener::{Incoming, Listening};
use super::outgoing::{FrameStart, Outgoing};
use super::settings::Settings;
use super::stream::Stream;
use super::takeover::OwnedStream;
use crate::bridge::layout::{Head, command, event, flag, settings};
use crate::bridge::{Command, Commands, Lane, Records, SlotId, words_of};

/// A socket that Node let go of.
#[derive(Debug)]
pub struct Adoption {
    /// Its identity, reserved by JavaScript.
    pub id: SlotId,
    /// Whose it is.
    pub lane: Arc<Lane>,
    /// The socket.
    pub stream: OwnedStream,
    /// Settings words, see [`settings`].
    pub settings: [u32; settings::WORDS],
    /// Bytes to write first.
    pub preface: Vec<u8>,
    /// Bytes that were read already.
    pub initial: Vec<u8>,
}

/// Rare commands.
#[derive(Debug)]
pub enum Control {
    /// A lane begins.
    Attach(Arc<Lane>),
    /// An environment went away: all that is its closes.
    Detach(Arc<Lane>),
    /// Take over a socket.
    Adopt(Box<Adoption>),
    /// Listen.
    Listen(Box<Listening>),
    /// A connection that another worker accepted.
    Incoming(Box<Incoming>),
    /// The budget has room again.
    ReadAgain(Arc<Lane>),
    /// Signal when everything queued is written.
    Flush(Arc<Flushed>),
    /// End the thread.
    Stop,
}

/// Lets a thread wait until workers have written what they were given.
#[derive(Debug, Default)]
pub struct Flushed {
    done: Mutex<usize>,
    changed: Condvar,
}

impl Flushed {
    /// One worker is done.
    pub fn signal(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits for `workers` signals, at most `limit`. `false` if time ran out.
    pub fn wait(&self, workers: usize, limit: Duration) -> bool {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(done, limit, |done| *done < workers);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// Empties the outbox and writes what can be written. `false` when the worker is to stop.
pub(crate) fn run(core: &Rc<Core>) -> bool {
    let mut queue = VecDeque::new();
    loop {
        core.worker.outbox.take(&mut queue);
        if queue.is_empty() {
            break;
        }
        for command in queue.drain(..) {
            match command {
                Command::Records(commands) => run_records(core, commands),
                Command::Control(Control::Stop) => return false,
                Command::Control(control) => run_control(core, control),
            }
        }
        flush_dirty(core);
    }
    true
}

fn flush_dirty(core: &Rc<Core>) {
    let mut dirty = std::mem::take(&mut *core.dirty.borrow_mut());
    for connection in dirty.drain(..) {
        connection.flush_dirty(core);
    }
    // Keep the larger of the two vectors for the next round.
    let mut fresh = core.dirty.borrow_mut();
    if fresh.is_empty() {
        *fresh = dirty;
    }
}

fn run_records(core: &Rc<Core>, commands: Commands) {
    let Commands {
        lane,
        bytes,
        mut blocks,
    } = commands;
    if let Some(lane) = core.lane(&lane) {
        lane.blocks.borrow_mut().append(&mut blocks);
        for (head, inline) in Records::new(&bytes) {
            run_record(core, &lane, head, inline);
        }
    }
    core.worker.outbox.recycle(bytes);
}

/// Runs one record; a panic costs the connection it is for, nothing else.
fn run_record(core: &Rc<Core>, lane: &Rc<LaneState>, head: Head, inline: &[u8]) {
    let id = SlotId {
        slot: head.slot,
        generation: head.generation,
    };
    let block = head
        .has(flag::BLOCK)
        .then(|| lane.blocks.borrow_mut().pop_front())
        .flatten();
    let payload = block.map_or(Outgoing::Inline(inline), Outgoing::Block);
    let outcome = catch_unwind(AssertUnwindSafe(|| match head.tag {
        command::ACCEPT => accept(core, lane, id, payload.as_slice()),
        command::RELEASE => release(core, id),
        command::WATCH => super::listener::watch(core, id),
        command::UNLISTEN => {
            if let Some(gate) = core.listeners.borrow().get(&(lane_key(lane), head.aux)) {
                gate.close();
            }
        }
        _ => run_on_connection(core, lane, id, head, payload),
    }));
    if outcome.is_err()
        && let Some(connection) = core.connection(id)
    {
        connection.abandon(core);
    }
}

fn run_on_connection(
    core: &Rc<Core>,
    lane: &Rc<LaneState>,
    id: SlotId,
    head: Head,
    payload: Outgoing<'_>,
) {
    let Some(connection) = core.connection(id).or_else(|| open_refused(core, lane, id)) else {
        return;
    };
    match head.tag {
        command::FRAME => {
            let mask = head.has(flag::MASK).then(|| core.masks.borrow_mut().next());
            let frame = FrameStart {
                fin: head.has(flag::FIN),
                opcode: head.aux as u8,
                mask,
                compress: head.has(flag::COMPRESS),
            };
            connection.queue_frame(core, frame, payload, head.has(flag::ACK));
        }
        command::RAW => connection.queue_raw(core, payload, head.has(flag::ACK)),
        command::END => connection.end(core, head.argument == 1),
        command::DESTROY => connection.destroy(core),
        command::PAUSE => connection.set_paused(true),
        command::RESUME => connection.set_paused(false),
        command::NO_DELAY => connection.set_no_delay(head.argument == 1),
        command::KEEP_ALIVE => {
            let idle = Duration::from_secs(u64::from(head.argument));
            connection.set_keep_alive((!idle.is_zero()).then_some(idle));
        }
        _ => {}
    }
}

/// An upgrade request that is answered by hand instead of being accepted becomes a connection
/// whose messages nobody looks at.
fn open_refused(core: &Rc<Core>, lane: &Rc<LaneState>, id: SlotId) -> Option<Rc<Connection>> {
    let pending = core.take_pending(id)?;
    let settings = Settings::from_words([0; settings::WORDS]);
    Some(Connection::open(
        core,
        id,
        Rc::clone(lane),
        pending.stream,
        settings,
        &[],
        &mut [],
    ))
}

fn accept(core: &Rc<Core>, lane: &Rc<LaneState>, id: SlotId, payload: &[u8]) {
    let Some(mut pending) = core.take_pending(id) else {
        return;
    };
    let Some((words, response)) = payload.split_at_checked(settings::WORDS * 4) else {
        return;
    };
    let settings = Settings::from_words(words_of(words));
    Connection::open(
        core,
        id,
        Rc::clone(lane),
        pending.stream,
        settings,
        response,
        &mut pending.rest,
    );
}

fn release(core: &Rc<Core>, id: SlotId) {
    if let Some(connection) = core.connection(id) {
        connection.destroy(core);
        core.vacate(id);
    }
    drop(core.take_pending(id));
    // The next user of the slot must not see what this one has written.
    core.publish_written(id, 0);
    core.worker.registry.release(id);
}

fn run_control(core: &Rc<Core>, control: Control) {
    match control {
        Control::Attach(lane) => core.lanes.borrow_mut().push(LaneState::new(lane)),
        Control::Detach(lane) => detach(core, &lane),
        Control::Adopt(adoption) => adopt(core, *adoption),
        Control::Listen(listening) => super::listener::listen(core, *listening),
        Control::Incoming(incoming) => super::listener::receive(core, *incoming),
        Control::ReadAgain(lane) => {
            if let Some(lane) = core.lane(&lane) {
                for connection in lane.stalled.take() {
                    connection.wake();
                }
            }
        }
        Control::Flush(flushed) => core.flush_waiters.borrow_mut().push(flushed),
        Control::Stop => {}
    }
}

fn adopt(core: &Rc<Core>, adoption: Adoption) {
    let Adoption {
        id,
        lane,
        stream,
        settings,
        preface,
        mut initial,
    } = adoption;
    let Some(lane) = core.lane(&lane) else { return };
    match Stream::register(stream) {
        Ok(stream) => {
            // ws disables Nagle's algorithm on every socket; one that is dead already says so
            // when it is read.
            let _ = stream.set_no_delay(true);
            let settings = Settings::from_words(settings);
            Connection::open(core, id, lane, stream, settings, &preface, &mut initial);
        }
        Err(error) => {
            let errno = error.raw_os_error().map_or(0, i32::unsigned_abs);
            lane.push(id, event::GONE, 0, errno);
        }
    }
}

fn detach(core: &Rc<Core>, lane: &Arc<Lane>) {
    let Some(state) = core.lane(lane) else { return };
    state.detached.set(true);
    core.lanes
        .borrow_mut()
        .retain(|other| !Rc::ptr_eq(other, &state));
    let key = lane_key(&state);
    core.listeners.borrow_mut().retain(|(owner, _), gate| {
        if *owner == key {
            gate.close();
        }
        *owner != key
    });
    let mut gone = Vec::new();
    for slot in core.slots.borrow().iter() {
        match slot {
            Slot::Open(connection) if Rc::ptr_eq(&connection.lane, &state) => {
                gone.push(connection.id);
            }
            Slot::Pending(pending) if Rc::ptr_eq(&pending.lane, &state) => gone.push(pending.id),
            _ => {}
        }
    }
    for id in gone {
        release(core, id);
    }
    state.stalled.take();
}

/// Identifies a lane within its worker.
pub(crate) fn lane_key(lane: &LaneState) -> usize {
    Arc::as_ptr(&lane.lane) as usize
}
