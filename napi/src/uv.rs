//! The few functions of libuv that the inline driver needs, looked up at run time
//! in the executable that loaded the addon.
//!
//! Owns: [`Uv`], the memory of handles. libuv keeps its ABI within a major
//! version. Where a symbol is missing, reactors are driven by workers only.
//! Runs on: js.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::OnceLock;

use napi::sys;

/// A libuv handle of any kind. Its first field is the user's pointer.
#[repr(C)]
pub(crate) struct Handle {
    data: *mut c_void,
}

type Loop = sys::uv_loop_s;
type PollCallback = extern "C" fn(*mut Handle, i32, i32);
type HandleCallback = extern "C" fn(*mut Handle);

/// `uv_handle_type` of libuv 1.
const UV_POLL: i32 = 8;
const UV_PREPARE: i32 = 9;
const UV_TIMER: i32 = 13;
/// `uv_poll_event` of libuv 1.
const UV_READABLE: i32 = 1;
const ALIGNMENT: usize = 16;

/// libuv's functions.
pub(crate) struct Uv {
    handle_size: unsafe extern "C" fn(i32) -> usize,
    poll_init: unsafe extern "C" fn(*mut Loop, *mut Handle, i32) -> i32,
    poll_start: unsafe extern "C" fn(*mut Handle, i32, PollCallback) -> i32,
    poll_stop: unsafe extern "C" fn(*mut Handle) -> i32,
    prepare_init: unsafe extern "C" fn(*mut Loop, *mut Handle) -> i32,
    prepare_start: unsafe extern "C" fn(*mut Handle, HandleCallback) -> i32,
    prepare_stop: unsafe extern "C" fn(*mut Handle) -> i32,
    timer_init: unsafe extern "C" fn(*mut Loop, *mut Handle) -> i32,
    timer_start: unsafe extern "C" fn(*mut Handle, HandleCallback, u64, u64) -> i32,
    timer_stop: unsafe extern "C" fn(*mut Handle) -> i32,
    unref: unsafe extern "C" fn(*mut Handle),
    close: unsafe extern "C" fn(*mut Handle, HandleCallback),
}

impl Uv {
    /// The functions of this process, if it has them.
    pub(crate) fn get() -> Option<&'static Self> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        UV.get_or_init(Self::look_up).as_ref()
    }

    fn look_up() -> Option<Self> {
        macro_rules! symbol {
            ($name:literal) => {{
                let found = find($name)?;
                // SAFETY: the symbol is libuv's function of that name, whose type the field has.
                unsafe { std::mem::transmute_copy::<*mut c_void, _>(&found) }
            }};
        }
        Some(Self {
            handle_size: symbol!(c"uv_handle_size"),
            poll_init: symbol!(c"uv_poll_init"),
            poll_start: symbol!(c"uv_poll_start"),
            poll_stop: symbol!(c"uv_poll_stop"),
            prepare_init: symbol!(c"uv_prepare_init"),
            prepare_start: symbol!(c"uv_prepare_start"),
            prepare_stop: symbol!(c"uv_prepare_stop"),
            timer_init: symbol!(c"uv_timer_init"),
            timer_start: symbol!(c"uv_timer_start"),
            timer_stop: symbol!(c"uv_timer_stop"),
            unref: symbol!(c"uv_unref"),
            close: symbol!(c"uv_close"),
        })
    }

    /// A handle that can watch a descriptor. It is freed with [`take_data`].
    pub(crate) fn poll(&self, event_loop: *mut Loop, descriptor: i32) -> *mut Handle {
        let handle = self.allocate(UV_POLL);
        // SAFETY: fresh memory of libuv's own size; the loop is this thread's.
        unsafe { (self.poll_init)(event_loop, handle, descriptor) };
        handle
    }

    /// What is called before the loop polls. It is freed with [`take_data`].
    pub(crate) fn prepare(&self, event_loop: *mut Loop) -> *mut Handle {
        let handle = self.allocate(UV_PREPARE);
        // SAFETY: as above.
        unsafe { (self.prepare_init)(event_loop, handle) };
        handle
    }

    /// A timer. It is freed with [`take_data`].
    pub(crate) fn timer(&self, event_loop: *mut Loop) -> *mut Handle {
        let handle = self.allocate(UV_TIMER);
        // SAFETY: as above.
        unsafe { (self.timer_init)(event_loop, handle) };
        handle
    }

    /// Calls back while the descriptor is readable.
    pub(crate) fn poll_start(&self, handle: *mut Handle, callback: PollCallback) {
        // SAFETY: handles of this module are initialised and not closed; so below.
        unsafe { (self.poll_start)(handle, UV_READABLE, callback) };
    }

    /// Stops calling back.
    pub(crate) fn poll_stop(&self, handle: *mut Handle) {
        // SAFETY: as above.
        unsafe { (self.poll_stop)(handle) };
    }

    /// Calls back before the loop polls, each time.
    pub(crate) fn prepare_start(&self, handle: *mut Handle, callback: HandleCallback) {
        // SAFETY: as above.
        unsafe { (self.prepare_start)(handle, callback) };
    }

    /// Stops calling back.
    pub(crate) fn prepare_stop(&self, handle: *mut Handle) {
        // SAFETY: as above.
        unsafe { (self.prepare_stop)(handle) };
    }

    /// Calls back once, in so many milliseconds.
    pub(crate) fn timer_start(&self, handle: *mut Handle, callback: HandleCallback, wait: u64) {
        // SAFETY: as above.
        unsafe { (self.timer_start)(handle, callback, wait, 0) };
    }

    /// Stops a timer.
    pub(crate) fn timer_stop(&self, handle: *mut Handle) {
        // SAFETY: as above.
        unsafe { (self.timer_stop)(handle) };
    }

    /// Lets the loop end while the handle is active.
    pub(crate) fn unref(&self, handle: *mut Handle) {
        // SAFETY: as above.
        unsafe { (self.unref)(handle) };
    }

    /// Closes a handle; its memory is to be freed in the callback.
    pub(crate) fn close(&self, handle: *mut Handle, callback: HandleCallback) {
        // SAFETY: as above; the callers close once.
        unsafe { (self.close)(handle, callback) };
    }

    fn allocate(&self, kind: i32) -> *mut Handle {
        // SAFETY: the function only looks into a table.
        let size = unsafe { (self.handle_size)(kind) };
        let layout = layout(size);
        // The size stands in front of the handle, for freeing it.
        // SAFETY: the layout is not empty; the write is in bounds.
        unsafe {
            let memory = alloc_zeroed(layout);
            if memory.is_null() {
                handle_alloc_error(layout);
            }
            memory.cast::<usize>().write(size);
            memory.add(ALIGNMENT).cast()
        }
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size + ALIGNMENT, ALIGNMENT).expect("handles are small")
}

/// The user's pointer as what it is.
pub(crate) fn data<'a, T>(handle: *mut Handle) -> &'a T {
    // SAFETY: the callers have set it to such a box, which lives as long as the handle.
    unsafe { &*(*handle).data.cast::<T>() }
}

/// Sets the user's pointer.
pub(crate) fn set_data(handle: *mut Handle, data: *mut c_void) {
    // SAFETY: the handle is one of this module's.
    unsafe { (*handle).data = data };
}

/// Frees a handle that libuv has closed and returns the user's pointer.
pub(crate) fn take_data(handle: *mut Handle) -> *mut c_void {
    // SAFETY: allocated by `allocate`, and nobody's any more.
    unsafe {
        let data = (*handle).data;
        let memory = handle.cast::<u8>().sub(ALIGNMENT);
        dealloc(memory, layout(memory.cast::<usize>().read()));
        data
    }
}

/// The event loop of an environment.
pub(crate) fn event_loop(env: sys::napi_env) -> Option<*mut Loop> {
    let mut event_loop = ptr::null_mut();
    // SAFETY: a plain Node-API call.
    let status = unsafe { sys::napi_get_uv_event_loop(env, &raw mut event_loop) };
    (status == sys::Status::napi_ok && !event_loop.is_null()).then_some(event_loop)
}

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with a zero byte.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
