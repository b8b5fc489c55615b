//! The bytes that a compressed stream may still refer to.
//!
//! Owns: [`History`]. Used by both directions to outlive their zlib stream.
//! Runs on: any.

/// The last bytes of a stream, at least the window's worth once there are that
/// many. INVARIANT: never more than two windows.
#[derive(Debug)]
pub(super) struct History {
    bytes: Vec<u8>,
    window: usize,
}

impl History {
    /// The history of a stream that has carried nothing.
    pub(super) fn new(window_bits: u8) -> Self {
        Self {
            bytes: Vec::new(),
            window: 1 << window_bits,
        }
    }

    /// Adds what the stream has carried.
    pub(super) fn remember(&mut self, fresh: &[u8]) {
        if let Some(start) = fresh.len().checked_sub(self.window) {
            self.bytes.clear();
            self.bytes.extend(fresh.iter().skip(start));
            return;
        }
        if self.bytes.len() + fresh.len() > 2 * self.window {
            self.forget_beyond_window();
        }
        self.bytes.extend_from_slice(fresh);
    }

    /// What the window holds.
    pub(super) fn window(&self) -> &[u8] {
        let start = self.bytes.len().saturating_sub(self.window);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Keeps no more memory than the window needs.
    pub(super) fn shrink(&mut self) {
        self.forget_beyond_window();
        self.bytes.shrink_to_fit();
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.bytes = Vec::new();
    }

    fn forget_beyond_window(&mut self) {
        self.bytes
            .drain(..self.bytes.len().saturating_sub(self.window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_always_there_and_memory_is_bounded() {
        let mut history = History::new(8);
        let mut all = Vec::new();
        for length in (0..400).chain([1, 0, 255, 256, 257, 3]) {
            let fresh: Vec<u8> = (0..length).map(|byte| (byte ^ length) as u8).collect();
            all.extend_from_slice(&fresh);
            history.remember(&fresh);
            assert_eq!(
                history.window(),
                &all[all.len().saturating_sub(256)..],
                "{length}"
            );
            assert!(history.bytes.len() <= 512);
        }
        history.shrink();
        assert_eq!(history.window(), &all[all.len() - 256..]);
        assert_eq!(history.bytes.len(), 256);
        history.clear();
        assert_eq!(history.window(), b"");
    }
}
