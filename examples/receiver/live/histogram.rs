//! Durations, counted in buckets that grow with them: few of them are used at once, and none is off by more than a sixteenth.

use std::time::Duration;

/// Each power of two is cut into as many buckets.
const PARTS: u32 = 8;
const PARTS_BITS: u32 = PARTS.trailing_zeros();
/// The first bucket ends here, in bits of nanoseconds: 128 ns.
const UNIT_BITS: u32 = 7;
/// What takes longer counts as this, in bits of units: 137 s.
const MOST_BITS: u32 = 30;
const BUCKETS: usize = ((MOST_BITS - PARTS_BITS + 1) * PARTS) as usize;

/// The buckets that are used, in their order.
#[derive(Clone, Default)]
pub(crate) struct Histogram(Vec<(u8, u32)>);

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let bucket = bucket_of(duration);
        match self.0.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(1),
            Err(place) => self.0.insert(place, (bucket, 1)),
        }
    }
}

/// Several histograms together.
#[derive(Clone)]
pub(crate) struct Sum {
    buckets: [u64; BUCKETS],
    count: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (bucket, count) in &histogram.0 {
            self.buckets[usize::from(*bucket)] += u64::from(*count);
            self.count += u64::from(*count);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The middle of the bucket in which this share of the durations ends, in seconds; `None` if there are none.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        let bucket = self.buckets.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(middle_of(bucket))
    }
}

impl Default for Sum {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], count: 0 }
    }
}

const _: () = assert!(BUCKETS <= u8::MAX as usize);

fn bucket_of(duration: Duration) -> u8 {
    let units = u64::try_from(duration.as_nanos() >> UNIT_BITS).unwrap_or(u64::MAX).min((1 << MOST_BITS) - 1);
    if units < u64::from(PARTS) {
        return units as u8;
    }
    let shift = units.ilog2() - PARTS_BITS;
    // The leading bit is in `shift` already, so the parts above it are what is left.
    (u64::from(shift * PARTS) + (units >> shift)) as u8
}

fn middle_of(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    let shift = (bucket / u64::from(PARTS)).saturating_sub(1);
    let first = (bucket - shift * u64::from(PARTS)) << shift;
    let width = 1_u64 << shift;
    (first as f64 + width as f64 / 2.0) * f64::from(1 << UNIT_BITS) / 1e9
}
