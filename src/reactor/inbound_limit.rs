//! How much of one peer is taken in a second.
//!
//! Owns: [`InboundLimit`]: a bucket of messages and one of bytes, each with room for
//! what a second allows. Kept by the receiving half, which stops reading, or breaks
//! the connection off, when one is empty. Time is an argument. Runs on: whoever turns
//! the reactor. Tests: here, `src/reactor/tests/inbound_limit.rs`.

use std::time::{Duration, Instant};

use super::timers::TimerKey;
use crate::bridge::InboundLimitOptions;

const SECOND: u128 = 1_000_000_000;
/// A part of a bucket that has to be there before reading goes on: ten times a second at most.
const PART: u32 = 10;
/// Bytes that one read may bring, beside large messages: what is read and may not be decoded yet
/// is held.
const READ_BYTES: usize = 8 * 1024;

/// Tokens that come back at a steady rate.
#[derive(Debug)]
struct Bucket {
    /// Tokens a second, and the most that there can be.
    rate: u32,
    /// When it would be full again.
    full_at: Instant,
}

impl Bucket {
    fn available(&self, now: Instant) -> usize {
        let missing = self.full_at.saturating_duration_since(now).as_nanos();
        (SECOND.saturating_sub(missing) * u128::from(self.rate) / SECOND) as usize
    }

    /// Takes tokens; it may owe some afterwards.
    fn take(&mut self, count: usize, now: Instant) {
        let time = count as u128 * SECOND / u128::from(self.rate);
        let time = Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX));
        let from = self.full_at.max(now);
        self.full_at = from.checked_add(time).unwrap_or(from);
    }

    /// When a part of the bucket is there again.
    fn ready_at(&self, now: Instant) -> Instant {
        let wanted = (self.rate / PART).max(1);
        let time = (u128::from(wanted) * SECOND).div_ceil(self.rate.into());
        let spare = Duration::from_nanos(SECOND.saturating_sub(time) as u64);
        self.full_at
            .checked_sub(spare)
            .map_or(now, |at| at.max(now))
    }
}

/// Which bucket ran empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Messages,
    Bytes,
}

#[derive(Debug)]
pub(crate) struct InboundLimit {
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
    /// Whether a peer that sends more is left, instead of not being read.
    pub(crate) closes: bool,
    /// When reading goes on, if it has stopped.
    pub(crate) timer: Option<TimerKey>,
}

impl InboundLimit {
    pub(crate) fn new(options: InboundLimitOptions, now: Instant) -> Self {
        let bucket = |rate| (rate > 0).then_some(Bucket { rate, full_at: now });
        Self {
            messages: bucket(options.messages),
            bytes: bucket(options.bytes),
            closes: options.closes,
            timer: None,
        }
    }

    /// Bytes that may be read at once into a buffer of such a size.
    pub(crate) fn room(&self, now: Instant, size: usize, direct: bool) -> usize {
        let size = if direct { size } else { size.min(READ_BYTES) };
        match &self.bytes {
            Some(bytes) if self.closes => size.min(bytes.available(now) + 1),
            Some(bytes) => size.min(bytes.available(now).max(1)),
            None => size,
        }
    }

    /// Messages that may be delivered.
    pub(crate) fn allowance(&self, now: Instant) -> usize {
        let messages = self.messages.as_ref();
        messages.map_or(usize::MAX, |bucket| bucket.available(now))
    }

    /// Bytes were read. Whether that were too many for one that closes.
    pub(crate) fn take_bytes(&mut self, count: usize, now: Instant) -> bool {
        let Some(bytes) = &mut self.bytes else {
            return false;
        };
        let too_many = self.closes && count > bytes.available(now);
        bytes.take(count, now);
        too_many
    }

    /// Messages were delivered.
    pub(crate) fn take_messages(&mut self, count: usize, now: Instant) {
        if let Some(messages) = &mut self.messages {
            messages.take(count, now);
        }
    }

    /// When reading may go on, if it has to stop.
    pub(crate) fn stops_until(&self, now: Instant) -> Option<Instant> {
        if self.closes {
            return None;
        }
        let buckets = [&self.messages, &self.bytes].into_iter().flatten();
        let empty = buckets.filter(|bucket| bucket.available(now) == 0);
        empty.map(|bucket| bucket.ready_at(now)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(rate: u32) -> (Bucket, Instant) {
        let now = Instant::now();
        (Bucket { rate, full_at: now }, now)
    }

    #[test]
    fn a_bucket_holds_a_second_and_fills_in_a_second() {
        for rate in [1, 2, 3, 7, 10, 999, 1_000_000_007, u32::MAX] {
            let (mut bucket, now) = bucket(rate);
            assert_eq!(bucket.available(now), rate as usize);
            bucket.take(rate as usize, now);
            assert_eq!(bucket.available(now), 0, "{rate}");
            let later = now + Duration::from_secs(1);
            assert_eq!(bucket.available(later), rate as usize);
            assert_eq!(
                bucket.available(later + Duration::from_secs(9)),
                rate as usize
            );
        }
    }

    #[test]
    fn single_tokens_add_up_and_debts_are_paid() {
        let (mut bucket, now) = bucket(3);
        for left in [2, 1, 0] {
            bucket.take(1, now);
            assert_eq!(bucket.available(now), left);
        }
        bucket.take(6, now);
        assert_eq!(bucket.available(now + Duration::from_secs(2)), 0);
        assert_eq!(bucket.available(now + Duration::from_secs(3)), 3);
    }

    #[test]
    fn what_was_waited_for_is_there() {
        for rate in [1, 3, 10, 64, 1000, u32::MAX] {
            let (mut bucket, now) = bucket(rate);
            bucket.take(rate as usize * 2, now);
            let at = bucket.ready_at(now);
            assert!(
                bucket.available(at) >= (rate / PART).max(1) as usize,
                "{rate}"
            );
            assert!(at > now + Duration::from_secs(1));
            assert!(at <= now + Duration::from_secs(2));
        }
    }
}
