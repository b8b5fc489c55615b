//! A connection that left its reactor, as JavaScript takes it over.
//!
//! Owns: [`Extracted`]. Read once by `lib/demotion.js`, right after it was made.
//! Runs on: js.

use std::os::fd::{IntoRawFd, OwnedFd};

use ferrows_core::reactor::{Extract, Side, Stream};
use napi::bindgen_prelude::{Buffer, BufferSlice};
use napi::{Env, Result};
use napi_derive::napi;

use crate::buffers;
use crate::codec::Codec;

/// Bytes that a connection has carried.
#[napi(object)]
pub struct CarriedBytes {
    /// Bytes that were read.
    pub received: f64,
    /// Bytes that were written, or wait for it.
    pub sent: f64,
    /// Whether there are events to drain.
    pub outcome: u32,
}

/// A message that waits for the end of the one in progress.
#[napi(object)]
pub struct WaitingMessage {
    /// Text or binary.
    pub opcode: u32,
    /// Compress it if that was negotiated.
    pub compress: bool,
    /// Its payload.
    pub payload: Buffer,
}

/// What is left of a connection without its reactor.
#[napi]
pub struct Extracted {
    extract: Option<Extract<Stream>>,
    outcome: u32,
}

#[napi]
impl Extracted {
    pub(crate) fn new(extract: Extract<Stream>, outcome: u32) -> Self {
        Self {
            extract: Some(extract),
            outcome,
        }
    }

    /// Whether there are events to drain.
    #[napi(getter)]
    pub fn outcome(&self) -> u32 {
        self.outcome
    }

    /// Whether it is an upgrade request and not a connection.
    #[napi(getter)]
    pub fn is_pending(&self) -> bool {
        self.has(|extract| extract.decoder.is_none())
    }

    /// Whether our side is to be finished when all is written.
    #[napi(getter)]
    pub fn is_ending(&self) -> bool {
        self.has(|extract| matches!(extract.side, Side::Ending { .. }))
    }

    /// Whether a message is in progress that we compress.
    #[napi(getter)]
    pub fn is_compressing(&self) -> bool {
        self.has(|extract| extract.compressing)
    }

    /// Whether a message of ours is in progress, in fragments.
    #[napi(getter)]
    pub fn is_within_message(&self) -> bool {
        self.has(|extract| extract.within_message)
    }

    /// Whether there is something left to decode, or a message is being inflated: [`Codec::resume`]
    /// goes on with it.
    #[napi(getter)]
    pub fn is_inflating(&self) -> bool {
        self.has(|extract| {
            let decoder = extract.decoder.as_ref();
            decoder.is_some_and(|decoder| decoder.is_suspended() || !extract.held.is_empty())
        })
    }

    /// Bytes that were read.
    #[napi(getter)]
    pub fn received(&self) -> f64 {
        let extract = self.extract.as_ref();
        extract.map_or(0.0, |extract| extract.counts.received as f64)
    }

    /// Bytes that were written, or are in `unsent`.
    #[napi(getter)]
    pub fn sent(&self) -> f64 {
        let extract = self.extract.as_ref();
        extract.map_or(0.0, |extract| extract.counts.sent as f64)
    }

    /// Where in `unsent` acknowledgements are due.
    #[napi(getter)]
    pub fn acks(&self) -> Vec<f64> {
        let extract = self.extract.as_ref();
        extract.map_or_else(Vec::new, |extract| {
            extract.acks.iter().map(|at| *at as f64).collect()
        })
    }

    /// Bytes to write.
    #[napi]
    pub fn take_unsent<'env>(&mut self, env: &'env Env) -> Result<BufferSlice<'env>> {
        self.take(env, |extract| &mut extract.unsent)
    }

    /// Messages that wait for the end of the one in progress.
    #[napi]
    pub fn take_waiting(&mut self) -> Vec<WaitingMessage> {
        let waiting = self.extract.as_mut().map(|extract| &mut extract.waiting);
        let waiting = waiting.map(std::mem::take).unwrap_or_default();
        let all = waiting.into_iter().map(|message| WaitingMessage {
            opcode: message.opcode.into(),
            compress: message.compress,
            payload: message.payload.into(),
        });
        all.collect()
    }

    /// What our compressed messages may refer to.
    #[napi]
    pub fn take_window<'env>(&mut self, env: &'env Env) -> Result<BufferSlice<'env>> {
        self.take(env, |extract| &mut extract.window)
    }

    /// Of an upgrade request: what came behind it.
    #[napi]
    pub fn take_held<'env>(&mut self, env: &'env Env) -> Result<BufferSlice<'env>> {
        self.take(env, |extract| &mut extract.held)
    }

    /// Bytes that were read ahead.
    #[napi]
    pub fn take_ahead<'env>(&mut self, env: &'env Env) -> Result<BufferSlice<'env>> {
        self.take(env, |extract| &mut extract.ahead)
    }

    /// Of a connection: its decoder, with what it has to decode yet.
    #[napi]
    pub fn take_codec(&mut self) -> Option<Codec> {
        let extract = self.extract.as_mut()?;
        let decoder = extract.decoder.take()?;
        Some(Codec::adopted(decoder, std::mem::take(&mut extract.held)))
    }

    /// The descriptor, which is the caller's from now on. Last of all.
    #[napi]
    pub fn take_descriptor(&mut self) -> i32 {
        let extract = self.extract.take();
        extract.map_or(-1, |extract| OwnedFd::from(extract.socket).into_raw_fd())
    }

    fn has(&self, property: impl FnOnce(&Extract<Stream>) -> bool) -> bool {
        self.extract.as_ref().is_some_and(property)
    }

    fn take<'env>(
        &mut self,
        env: &'env Env,
        part: impl FnOnce(&mut Extract<Stream>) -> &mut Vec<u8>,
    ) -> Result<BufferSlice<'env>> {
        let bytes = self.extract.as_mut().map(part).map(std::mem::take);
        buffers::copied(env, &bytes.unwrap_or_default())
    }
}
