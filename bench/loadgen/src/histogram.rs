//! Durations in buckets of less than one percent, so that a run of any length takes the same
//! memory and recording costs a few instructions.

use std::time::Duration;

/// Sub-buckets of each power of two.
const PRECISION: u32 = 7;
const BUCKETS: usize = ((64 - PRECISION as usize) + 1) << PRECISION;

pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            max: 0,
        }
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The duration in microseconds that a share of all do not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        reached.map_or(0.0, |index| middle(index).min(self.max as f64) / 1000.0)
    }

    /// The longest, in microseconds.
    pub(crate) fn max(&self) -> f64 {
        self.max as f64 / 1000.0
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = (64 - nanos.leading_zeros()).saturating_sub(PRECISION + 1);
    ((shift as usize) << PRECISION) + (nanos >> shift) as usize
}

fn middle(index: usize) -> f64 {
    let shift = (index >> PRECISION).saturating_sub(1);
    let low = ((index - (shift << PRECISION)) as u64) << shift;
    low as f64 + ((1_u64 << shift) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_gapless_and_narrower_than_one_percent() {
        let mut last = 0;
        let mut value = 0_u64;
        while value < u64::MAX / 128 {
            let index = bucket(value);
            assert!(index == last || index == last + 1, "{value}");
            let off = (middle(index) - value as f64).abs();
            assert!(off <= value as f64 / 128.0, "{value}: {off}");
            last = index;
            value += 1 + value / 256;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut histogram = Histogram::new();
        assert!(histogram.is_empty());
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros));
        }
        let near = |share: f64, micros: f64| {
            let off = (histogram.quantile(share) - micros).abs();
            assert!(off <= micros / 100.0, "{share}: {off}");
        };
        near(0.5, 50.0);
        near(0.99, 99.0);
        near(1.0, 100.0);
        assert_eq!(histogram.max(), 100.0);
    }
}
