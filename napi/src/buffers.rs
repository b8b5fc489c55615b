//! Memory that JavaScript and Rust share.
//!
//! Owns: every place where an address becomes an ArrayBuffer or back. Runs on:
//! js. Tests: `__test__/api/large-messages.test.js`, `__test__/process`.
#![allow(unsafe_code)]

use std::sync::Arc;

use ferrows_core::bridge::{Chunk, Landing, Lane};
use napi::bindgen_prelude::{ArrayBuffer, BufferSlice, Uint8ArraySlice, Uint32ArraySlice};
use napi::{Env, Result};

/// A lane's status words and command slab.
pub(crate) fn lane_memory<'env>(env: &'env Env, lane: &Arc<Lane>) -> Result<ArrayBuffer<'env>> {
    let (address, length) = (lane.slab().address(), lane.slab().byte_length());
    // SAFETY: the memory lives as long as the lane, which the finalizer's hint holds.
    unsafe {
        ArrayBuffer::from_external(env, address, length, Arc::clone(lane), |_, lane| drop(lane))
    }
}

/// A lane's landing.
pub(crate) fn landing_memory<'env>(
    env: &'env Env,
    landing: &Arc<Landing>,
) -> Result<ArrayBuffer<'env>> {
    let (address, length) = (landing.address(), landing.byte_length());
    // SAFETY: as above.
    unsafe {
        ArrayBuffer::from_external(env, address, length, Arc::clone(landing), |_, landing| {
            drop(landing);
        })
    }
}

/// Copies events of a lane into its landing.
pub(crate) fn land(landing: &Landing, lane: &Lane) -> ferrows_core::bridge::Drained {
    // SAFETY: this crate runs on the JavaScript thread, which is inside the call; JavaScript
    // has read what an earlier call has left (STATUS_DISPATCHING is 0).
    unsafe { landing.fill(lane.inbox()) }
}

/// A chunk of the written-bytes table.
pub(crate) fn table_memory(env: &Env, chunk: Arc<Chunk>) -> Result<ArrayBuffer<'_>> {
    let address = Arc::as_ptr(&chunk).cast_mut().cast::<u8>();
    // SAFETY: as above; JavaScript only reads it, the reactor writes it atomically.
    unsafe {
        ArrayBuffer::from_external(env, address, size_of::<Chunk>(), chunk, |_, chunk| {
            drop(chunk)
        })
    }
}

/// A Buffer of its own with the same bytes, which V8 can move to another thread.
pub(crate) fn copied<'env>(env: &'env Env, bytes: &[u8]) -> Result<BufferSlice<'env>> {
    BufferSlice::copy_from(env, bytes)
}

/// The contents of an array that a call fills.
pub(crate) fn writable_words<'a>(words: &'a mut Uint32ArraySlice<'_>) -> &'a mut [u32] {
    // SAFETY: JavaScript is inside the call, so nobody else touches the array.
    unsafe { words.as_mut() }
}

/// As [`writable_words`].
pub(crate) fn writable_bytes<'a>(bytes: &'a mut Uint8ArraySlice<'_>) -> &'a mut [u8] {
    // SAFETY: as above.
    unsafe { bytes.as_mut() }
}
