//! Memory that JavaScript and Rust share.
//!
//! Owns: every place where an address becomes an ArrayBuffer or back. Runs on:
//! js. Tests: `__test__/api/large-messages.test.js`, `__test__/process`.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use ferrows_core::bridge::{Block, Chunk, Lane};
use napi::bindgen_prelude::{ArrayBuffer, BufferSlice, Uint8ArraySlice, Uint32ArraySlice};
use napi::{Env, Result};

/// Blocks below this size are copied into a Buffer: cheaper than a finalizer.
const EXTERNAL_MINIMUM: usize = 32 * 1024;

/// A lane's status words and command slab.
pub(crate) fn lane_memory<'env>(env: &'env Env, lane: &Arc<Lane>) -> Result<ArrayBuffer<'env>> {
    let (address, length) = (lane.slab().address(), lane.slab().byte_length());
    // SAFETY: the memory lives as long as the lane, which the finalizer's hint holds.
    unsafe {
        ArrayBuffer::from_external(env, address, length, Arc::clone(lane), |_, lane| drop(lane))
    }
}

/// A chunk of the written-bytes table.
pub(crate) fn table_memory(env: &Env, chunk: Arc<Chunk>) -> Result<ArrayBuffer<'_>> {
    let address = Arc::as_ptr(&chunk).cast_mut().cast::<u8>();
    // SAFETY: as above; JavaScript only reads it, the worker writes it atomically.
    unsafe {
        ArrayBuffer::from_external(env, address, size_of::<Chunk>(), chunk, |_, chunk| {
            drop(chunk)
        })
    }
}

/// Blocks that JavaScript holds Buffers over, by address.
///
/// A Buffer over such a block is sent by reference. Entries are dropped with the Buffer.
#[derive(Clone, Default)]
pub(crate) struct Exposed(std::rc::Rc<std::cell::RefCell<HashMap<usize, Block>>>);

impl Exposed {
    /// A Buffer with the bytes of a block, over its very memory if it is large.
    pub(crate) fn buffer<'env>(&self, env: &'env Env, block: Block) -> Result<BufferSlice<'env>> {
        if block.len() < EXTERNAL_MINIMUM {
            return BufferSlice::copy_from(env, block.as_slice());
        }
        let (address, length) = (block.address(), block.len());
        self.0.borrow_mut().insert(address, block);
        let exposed = self.clone();
        // SAFETY: the block keeps its memory until the finalizer removes it from the map; it is
        // handed to JavaScript once.
        unsafe {
            BufferSlice::from_external(env, address as *mut u8, length, address, move |_, at| {
                exposed.0.borrow_mut().remove(&at);
            })
        }
    }

    /// The block whose bytes exactly these are.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<Block> {
        let exposed = self.0.borrow();
        let block = exposed.get(&(bytes.as_ptr() as usize))?;
        (block.len() == bytes.len()).then(|| block.clone())
    }
}

/// A Buffer over bytes that nobody else has.
pub(crate) fn owned(env: &Env, bytes: Vec<u8>) -> Result<BufferSlice<'_>> {
    if bytes.len() < EXTERNAL_MINIMUM {
        BufferSlice::copy_from(env, &bytes)
    } else {
        BufferSlice::from_data(env, bytes)
    }
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

/// The contents of typed arrays that a call fills.
pub(crate) fn writable<'a>(
    heads: &'a mut Uint32ArraySlice<'_>,
    slab: &'a mut Uint8ArraySlice<'_>,
) -> (&'a mut [u32], &'a mut [u8]) {
    // The facade passes two separate allocations.
    (writable_words(heads), writable_bytes(slab))
}
