//! The seam of the inline driver: Node's event loop watches the descriptors of the
//! reactors and turns them.
//!
//! Owns: libuv handles, one a reactor and a timer, and the calls into JavaScript
//! that a turn leads to. libuv's functions are looked up at run time. Runs on: js.
//! INVARIANT: the handles never keep the loop alive (the doorbell does), and are
//! closed before the environment ends. Tests: `__test__/process`.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use ferrows_core::bridge::layout;
use ferrows_core::driver::Driver;
use napi::bindgen_prelude::{Function, JsValue, Object};
use napi::{Env, Error, Result, sys};

use crate::bridge::Shared;
use crate::uv::{self, Handle, Uv};

/// Landings that one turn fills before timers and other I/O of the process get theirs.
const FILLS_PER_TURN: usize = 4;

/// The inline driver of one environment.
pub(crate) struct Inline {
    env: sys::napi_env,
    uv: &'static Uv,
    shared: Arc<Shared>,
    /// One a reactor, in the order of the lanes.
    polls: Vec<Poll>,
    timer: *mut Handle,
    /// Runs while something waits to be written before the loop polls.
    prepare: *mut Handle,
    /// When the timer is due, if it runs.
    due: Cell<Option<Instant>>,
    open_handles: Cell<usize>,
    /// Between `open()` and `shut()`: something is held, and JavaScript's functions are.
    open: Cell<bool>,
    closing: Cell<bool>,
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
    /// JavaScript's `turn(lane, drained)` and what it is called on.
    callback: sys::napi_ref,
    receiver: sys::napi_ref,
    /// The one that accepted connections share, so that their events need not enter it.
    context: sys::napi_async_context,
}

struct Poll {
    handle: *mut Handle,
    watching: Cell<bool>,
}

/// What a handle's callback finds.
struct Watch {
    inline: Rc<Inline>,
    index: usize,
}

macro_rules! check {
    ($call:expr) => {{
        let status = $call;
        if status == sys::Status::napi_ok {
            Ok(())
        } else {
            Err(Error::new(napi::Status::from(status), "Node-API refused"))
        }
    }};
}

impl Inline {
    /// Whether the event loop of this environment can be reached.
    pub(crate) fn is_possible(env: &Env) -> bool {
        Uv::get().is_some() && uv::event_loop(env.raw()).is_some()
    }

    /// Makes the handles; nothing is watched yet. `scope` is the resource of the asynchronous
    /// context in which `turn` is called.
    pub(crate) fn start(
        env: &Env,
        turn: &Function<'_, (u32, u32), ()>,
        scope: &Object<'_>,
        shared: &Arc<Shared>,
    ) -> Result<Rc<Self>> {
        let unusable = || Error::from_reason("the event loop cannot be reached");
        let uv = Uv::get().ok_or_else(unusable)?;
        let raw = env.raw();
        let event_loop = uv::event_loop(raw).ok_or_else(unusable)?;
        let (mut callback, mut receiver) = (ptr::null_mut(), ptr::null_mut());
        let mut context = ptr::null_mut();
        // SAFETY: plain Node-API calls on the JavaScript thread, with values of this call.
        unsafe {
            let mut object = ptr::null_mut();
            check!(sys::napi_create_object(raw, &raw mut object))?;
            // Weak: an idle environment whose module registry is gone goes, too.
            check!(sys::napi_create_reference(
                raw,
                turn.raw(),
                0,
                &raw mut callback
            ))?;
            check!(sys::napi_create_reference(
                raw,
                object,
                1,
                &raw mut receiver
            ))?;
            let (name, mut text) = (c"FERROWS", ptr::null_mut());
            let length = name.count_bytes().cast_signed();
            check!(sys::napi_create_string_utf8(
                raw,
                name.as_ptr(),
                length,
                &raw mut text
            ))?;
            check!(sys::napi_async_init(
                raw,
                scope.raw(),
                text,
                &raw mut context
            ))?;
        }
        let polls = shared.fleet.seats().iter().map(|seat| Poll {
            handle: uv.poll(event_loop, seat.descriptor()),
            watching: Cell::new(false),
        });
        let polls: Vec<Poll> = polls.collect();
        let inline = Rc::new(Self {
            env: raw,
            uv,
            shared: Arc::clone(shared),
            open_handles: Cell::new(polls.len() + 2),
            polls,
            timer: uv.timer(event_loop),
            prepare: uv.prepare(event_loop),
            due: Cell::new(None),
            open: Cell::new(false),
            closing: Cell::new(false),
            hook: Cell::new(ptr::null_mut()),
            callback,
            receiver,
            context,
        });
        let handles = inline.polls.iter().map(|poll| poll.handle);
        for (index, handle) in handles.chain([inline.timer, inline.prepare]).enumerate() {
            let inline = Rc::clone(&inline);
            uv::set_data(
                handle,
                Box::into_raw(Box::new(Watch { inline, index })).cast(),
            );
            uv.unref(handle);
        }
        let mut hook = ptr::null_mut();
        // SAFETY: the data is a strong count, which the hook or `closed` takes back.
        unsafe {
            check!(sys::napi_add_async_cleanup_hook(
                raw,
                Some(on_cleanup),
                Rc::into_raw(Rc::clone(&inline)).cast_mut().cast(),
                &raw mut hook
            ))?;
        }
        inline.hook.set(hook);
        Ok(inline)
    }

    /// Something is held from here on: keeps JavaScript's functions and watches.
    pub(crate) fn open(&self) {
        if !self.open.replace(true) {
            // SAFETY: a reference of ours, on the JavaScript thread.
            unsafe { sys::napi_reference_ref(self.env, self.callback, ptr::null_mut()) };
        }
        self.watch();
    }

    /// Nothing is held any more: watches nothing and lets go of JavaScript's functions.
    pub(crate) fn shut(&self) {
        self.unwatch();
        if self.open.replace(false) {
            // SAFETY: as in `open`, which has counted it.
            unsafe { sys::napi_reference_unref(self.env, self.callback, ptr::null_mut()) };
        }
    }

    /// Watches the descriptors of all reactors that this thread is to drive, while it is open.
    pub(crate) fn watch(&self) {
        if self.closing.get() || !self.open.get() {
            return;
        }
        for (seat, poll) in self.shared.fleet.seats().iter().zip(&self.polls) {
            if seat.driver() == Driver::Inline && !poll.watching.replace(true) {
                self.uv.poll_start(poll.handle, on_poll);
                // Deadlines, and whatever a worker has left.
                seat.wake();
            }
        }
    }

    fn unwatch(&self) {
        if self.closing.get() {
            return;
        }
        for poll in &self.polls {
            self.stop_watching(poll);
        }
        self.uv.timer_stop(self.timer);
        self.due.set(None);
    }

    fn stop_watching(&self, poll: &Poll) {
        if poll.watching.replace(false) {
            self.uv.poll_stop(poll.handle);
        }
    }

    /// Closes the handles. The rest goes when libuv has let go of them.
    pub(crate) fn close(&self) {
        if self.closing.get() {
            return;
        }
        self.unwatch();
        self.closing.set(true);
        for poll in &self.polls {
            self.uv.close(poll.handle, on_closed);
        }
        self.uv.close(self.timer, on_closed);
        self.uv.close(self.prepare, on_closed);
    }

    /// Turns a reactor and lets JavaScript handle what comes of it.
    fn turn(self: &Rc<Self>, index: usize) {
        let (Some(seat), Some(poll)) =
            (self.shared.fleet.seats().get(index), self.polls.get(index))
        else {
            return;
        };
        let helm = self.shared.fleet.helm();
        helm.note_turn();
        let Some((turn, deadline)) = seat.turn_as(Driver::Inline) else {
            self.stop_watching(poll);
            helm.note_turn();
            return;
        };
        self.shared.fleet.after_turn(turn);
        let finished = self.dispatch(index);
        if turn.backlog || !finished {
            seat.wake();
        }
        if let Some(deadline) = deadline {
            self.set_timer(deadline);
        }
        helm.note_turn();
    }

    /// Calls JavaScript until nothing is left of a lane, or others are to have their turn. Whether
    /// nothing is left.
    fn dispatch(&self, index: usize) -> bool {
        let Some(seat) = self.shared.fleet.seats().get(index) else {
            return true;
        };
        let lane = seat.lane();
        let dispatching = lane.slab().status(layout::STATUS_DISPATCHING);
        for _ in 0..FILLS_PER_TURN {
            // A handler that threw has left records of the last landing.
            let drained = match dispatching.load(Relaxed) {
                0 if lane.inbox().is_empty() => return true,
                0 => self.shared.fill(index),
                _ => 0,
            };
            self.call(index as u32, drained);
            self.submit();
            if self.closing.get() {
                return true;
            }
        }
        dispatching.load(Relaxed) == 0 && lane.inbox().is_empty()
    }

    /// Calls `turn(lane, drained)` as a callback of its own: with ticks and microtasks behind it,
    /// and with what it throws as an uncaught exception.
    fn call(&self, lane: u32, drained: u32) {
        self.set_in_turn(1);
        // SAFETY: plain Node-API calls on the JavaScript thread; values live in the scope.
        unsafe {
            let mut scope = ptr::null_mut();
            if sys::napi_open_handle_scope(self.env, &raw mut scope) == sys::Status::napi_ok {
                let (mut callback, mut receiver) = (ptr::null_mut(), ptr::null_mut());
                let mut arguments = [ptr::null_mut(); 2];
                sys::napi_get_reference_value(self.env, self.callback, &raw mut callback);
                sys::napi_get_reference_value(self.env, self.receiver, &raw mut receiver);
                sys::napi_create_uint32(self.env, lane, &raw mut arguments[0]);
                sys::napi_create_uint32(self.env, drained, &raw mut arguments[1]);
                // A null function, collected after `shut`, is refused.
                let status = sys::napi_make_callback(
                    self.env,
                    self.context,
                    receiver,
                    callback,
                    2,
                    arguments.as_ptr(),
                    ptr::null_mut(),
                );
                if status == sys::Status::napi_pending_exception {
                    let mut error = ptr::null_mut();
                    sys::napi_get_and_clear_last_exception(self.env, &raw mut error);
                    sys::napi_fatal_exception(self.env, error);
                }
                sys::napi_close_handle_scope(self.env, scope);
            }
        }
        self.set_in_turn(0);
    }

    fn set_in_turn(&self, value: u32) {
        for seat in self.shared.fleet.seats() {
            let status = seat.lane().slab().status(layout::STATUS_IN_TURN);
            status.store(value, Relaxed);
        }
    }

    /// Runs what handlers, and the ticks behind them, have written.
    fn submit(&self) {
        for seat in self.shared.fleet.seats() {
            if seat.lane().slab().committed() > 0 || seat.has_gathered() {
                let turn = seat.submit();
                self.shared.fleet.after_turn(turn);
                if turn.delivered {
                    // Another lane's events are dispatched in its own turn.
                    seat.wake();
                }
            }
        }
    }

    /// Has what was gathered written before the loop polls: behind what else its phase sends.
    pub(crate) fn write_before_polling(&self) {
        if !self.closing.get() {
            self.uv.prepare_start(self.prepare, on_prepare);
        }
    }

    fn set_timer(&self, deadline: Instant) {
        if self.due.get().is_some_and(|due| due <= deadline) || self.closing.get() {
            return;
        }
        self.due.set(Some(deadline));
        // Rounded up: a timer that fires early would only have to be set again.
        let wait = deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.uv.timer_start(self.timer, on_timer, milliseconds);
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        // SAFETY: the last handle is closed, the environment is still there: its cleanup waits.
        unsafe {
            sys::napi_delete_reference(self.env, self.callback);
            sys::napi_delete_reference(self.env, self.receiver);
            sys::napi_async_destroy(self.env, self.context);
        }
    }
}

extern "C" fn on_poll(handle: *mut Handle, _status: i32, _events: i32) {
    let watch: &Watch = uv::data(handle);
    let inline = Rc::clone(&watch.inline);
    inline.turn(watch.index);
}

extern "C" fn on_timer(handle: *mut Handle) {
    let watch: &Watch = uv::data(handle);
    let inline = Rc::clone(&watch.inline);
    inline.due.set(None);
    for index in 0..inline.polls.len() {
        if inline.polls[index].watching.get() {
            inline.turn(index);
        }
    }
}

extern "C" fn on_prepare(handle: *mut Handle) {
    let watch: &Watch = uv::data(handle);
    let inline = Rc::clone(&watch.inline);
    inline.uv.prepare_stop(handle);
    inline.submit();
    inline.shared.fleet.helm().note_turn();
}

extern "C" fn on_closed(handle: *mut Handle) {
    // SAFETY: the data was made from such a box, and this is the handle's last callback.
    let watch = unsafe { Box::from_raw(uv::take_data(handle).cast::<Watch>()) };
    let left = watch.inline.open_handles.get() - 1;
    watch.inline.open_handles.set(left);
    if left == 0 {
        let hook = watch.inline.hook.replace(ptr::null_mut());
        // The count that the hook was given.
        let counted = Rc::as_ptr(&watch.inline);
        drop(watch);
        // SAFETY: the hook has not been removed before, and gives its count back here, last.
        unsafe {
            sys::napi_remove_async_cleanup_hook(hook);
            Rc::decrement_strong_count(counted);
        }
    } else {
        drop(watch);
    }
}

extern "C" fn on_cleanup(_hook: sys::napi_async_cleanup_hook_handle, data: *mut c_void) {
    let inline = data.cast::<Inline>();
    // SAFETY: `data` is a strong count, which `on_closed` takes back when all handles are closed.
    let inline = unsafe { &*inline };
    inline.close();
    inline.shared.fleet.detach();
}
