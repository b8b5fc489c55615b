//! Idle zlib streams.
//!
//! Owns: [`ZlibPool`], one for each worker. Making a stream costs its size in
//! page faults, resetting one does not. Runs on: worker.

use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, Inflate};

/// Streams of each kind that are kept. More are in use only while as many
/// connections are in the middle of a message or take their context over.
const KEPT: usize = 8;
const FULL_WINDOW: u8 = 15;

/// Streams that no connection uses.
#[derive(Default)]
pub struct ZlibPool {
    inflates: Vec<Inflate>,
    deflates: Vec<(DeflateConfig, Deflate)>,
}

impl ZlibPool {
    /// A stream in its initial state.
    #[must_use]
    pub fn take_inflate(&mut self, window_bits: u8) -> Inflate {
        if window_bits == FULL_WINDOW
            && let Some(mut inflate) = self.inflates.pop()
        {
            inflate.reset(false);
            return inflate;
        }
        Inflate::new(false, window_bits.clamp(8, FULL_WINDOW))
    }

    /// Takes a stream back that was taken with the same window.
    pub fn give_inflate(&mut self, window_bits: u8, inflate: Inflate) {
        // A reset brings the full window, whatever there was before.
        if window_bits == FULL_WINDOW && self.inflates.len() < KEPT {
            self.inflates.push(inflate);
        }
    }

    /// A stream in its initial state.
    pub(super) fn take_deflate(&mut self, config: DeflateConfig) -> Deflate {
        let found = self
            .deflates
            .iter()
            .rposition(|(known, _)| *known == config);
        match found.map(|index| self.deflates.remove(index)) {
            Some((_, mut deflate)) => {
                deflate.reset();
                deflate
            }
            None => Deflate::new_with_config(config),
        }
    }

    /// Takes a stream back that was taken with the same configuration.
    pub(super) fn give_deflate(&mut self, config: DeflateConfig, deflate: Deflate) {
        if self.deflates.len() == KEPT {
            self.deflates.remove(0);
        }
        self.deflates.push((config, deflate));
    }
}

impl fmt::Debug for ZlibPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inflates, deflates) = (self.inflates.len(), self.deflates.len());
        write!(
            formatter,
            "ZlibPool({inflates} inflates, {deflates} deflates)"
        )
    }
}
