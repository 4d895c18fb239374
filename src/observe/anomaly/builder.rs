use std::{fmt, sync::Arc, time::Duration};

use super::{
    AnomalyDetector,
    count::{BUCKETS, CountRules},
    event::Anomaly,
    keys::KeyRules,
    level::LevelRules,
    rhythm::RhythmRules,
    state::COUNTED,
};
use crate::clock::{Clock, SharedClock};

pub(super) type OnAnomaly = Arc<dyn Fn(&Anomaly) + Send + Sync>;

/// Sets an [`AnomalyDetector`] up. What is out of range is taken as the nearest that is not.
#[derive(Clone)]
#[must_use]
pub struct AnomalyDetectorBuilder {
    window: Duration,
    least: [u32; COUNTED.len()],
    least_by_source: [u32; COUNTED.len()],
    deviations: u32,
    half_life: Duration,
    learn_for: Duration,
    accept_after: Duration,
    quiet_for: Duration,
    min_silence: Duration,
    min_skew: Duration,
    min_size_factor: u32,
    settle_keys: Duration,
    max_providers: usize,
    max_sources: usize,
    max_sources_at_once: usize,
    max_per_hour: u32,
    capacity: usize,
    on_anomaly: Option<OnAnomaly>,
    clock: SharedClock,
}

impl AnomalyDetectorBuilder {
    pub(super) fn new() -> Self {
        Self {
            window: Duration::from_secs(60),
            least: [30, 30],
            least_by_source: [20, 20],
            deviations: 6,
            half_life: Duration::from_secs(6 * 3600),
            learn_for: Duration::from_secs(3600),
            accept_after: Duration::from_secs(24 * 3600),
            quiet_for: Duration::from_secs(5 * 60),
            min_silence: Duration::from_secs(10 * 60),
            min_skew: Duration::from_secs(5),
            min_size_factor: 4,
            settle_keys: Duration::from_secs(3600),
            max_providers: 256,
            max_sources: 4096,
            max_sources_at_once: 16,
            max_per_hour: 120,
            capacity: 64,
            on_anomaly: None,
            clock: SharedClock::default(),
        }
    }

    /// The length of the time in which forgeries and replays are counted: a minute, unless said otherwise, and six seconds at least. It moves on by sixths.
    /// A longer one sees what is weaker, later.
    pub const fn window(mut self, length: Duration) -> Self {
        self.window = length;
        self
    }

    /// How many forgeries in a window are never too many, for a provider and for a single source: 30 and 20, unless said otherwise.
    /// What scanners do in passing should stay below.
    pub const fn min_forgeries(mut self, per_provider: u32, per_source: u32) -> Self {
        self.least[0] = per_provider;
        self.least_by_source[0] = per_source;
        self
    }

    /// How many replays in a window are never too many, for a provider and for a single source: 30 and 20, unless said otherwise.
    /// What providers repeat after a failure should stay below.
    pub const fn min_replays(mut self, per_provider: u32, per_source: u32) -> Self {
        self.least[1] = per_provider;
        self.least_by_source[1] = per_source;
        self
    }

    /// How many standard deviations from the usual are too many: six, unless said otherwise, and one at least. Traffic comes in bursts, so three, as for
    /// what is distributed normally, would alarm daily.
    pub const fn deviations(mut self, deviations: u32) -> Self {
        self.deviations = deviations;
        self
    }

    /// After how long what was learned of forgeries and replays weighs half: six hours, unless said otherwise, and a minute at least. A shorter one follows the hours of
    /// the day, and is easier to get used to an attack that grows slowly.
    pub const fn half_life(mut self, half_life: Duration) -> Self {
        self.half_life = half_life;
        self
    }

    /// How long nothing is judged by what was learned, after a start: an hour, unless said otherwise.
    pub const fn learn_for(mut self, time: Duration) -> Self {
        self.learn_for = time;
        self
    }

    /// After how long what goes on is the new norm, and no anomaly any more: a day, unless said otherwise, and a minute at least.
    /// Silence and old keys never are.
    pub const fn accept_after(mut self, time: Duration) -> Self {
        self.accept_after = time;
        self
    }

    /// How long a burst must have stopped until it is over: five minutes, unless said otherwise. Attacks that pause are one.
    pub const fn quiet_for(mut self, time: Duration) -> Self {
        self.quiet_for = time;
        self
    }

    /// How long a gap between deliveries is no silence, whatever the rhythm: ten minutes, unless said otherwise.
    pub const fn min_silence(mut self, time: Duration) -> Self {
        self.min_silence = time;
        self
    }

    /// What change of the age on arrival is no drift: five seconds, unless said otherwise.
    pub const fn min_skew(mut self, change: Duration) -> Self {
        self.min_skew = change;
        self
    }

    /// How many times larger or smaller bodies may become: four, unless said otherwise, and two at least.
    pub const fn min_size_factor(mut self, factor: u32) -> Self {
        self.min_size_factor = factor;
        self
    }

    /// How long the first key of a ring is used until another is an old one: an hour, unless said otherwise. Senders that change
    /// over one machine after the other may need more.
    pub const fn settle_keys(mut self, time: Duration) -> Self {
        self.settle_keys = time;
        self
    }

    /// How many providers are watched: 256, unless said otherwise, and one at least. Each takes about 2 KiB. Those beyond are counted together as
    /// `others`, for forgeries and replays alone.
    pub const fn max_providers(mut self, providers: usize) -> Self {
        self.max_providers = providers;
        self
    }

    /// How many sources are told apart: 4096, unless said otherwise, in eights. Each takes less than 200 bytes, and all do once the first request has
    /// failed.
    pub const fn max_sources(mut self, sources: usize) -> Self {
        self.max_sources = sources;
        self
    }

    /// How many sources have an anomaly of their own at a time, of each kind: 16, unless said otherwise. For all beyond, the provider has one.
    pub const fn max_sources_at_once(mut self, sources: usize) -> Self {
        self.max_sources_at_once = sources;
        self
    }

    /// How many anomalies may begin within an hour, refilled steadily: 120, unless said otherwise, and two at least. Single sources leave half of them to
    /// the providers. What is beyond begins later, if it still goes on.
    pub const fn max_per_hour(mut self, anomalies: u32) -> Self {
        self.max_per_hour = anomalies;
        self
    }

    /// How many anomalies wait for who has [subscribed](AnomalyDetector::subscribe): 64, unless said otherwise, and one at least. The oldest are lost to who
    /// reads too slowly.
    pub const fn channel_capacity(mut self, anomalies: usize) -> Self {
        self.capacity = anomalies;
        self
    }

    /// Calls this when an anomaly begins, and again when it is over, within the request that has shown it. So it should be quick: count, log, or send to a channel. If it panics,
    /// that is ignored, and the request goes on. It may ask the detector.
    pub fn on_anomaly(mut self, tell: impl Fn(&Anomaly) + Send + Sync + 'static) -> Self {
        self.on_anomaly = Some(Arc::new(tell));
        self
    }

    /// Another clock, for [`check`](AnomalyDetector::check).
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    /// The detector.
    #[must_use]
    pub fn build(self) -> AnomalyDetector {
        let Self { capacity, on_anomaly, clock, .. } = &self;
        // What tokio would panic at.
        const MOST: usize = 1 << 16;
        AnomalyDetector::with(self.rules(), (*capacity).clamp(1, MOST), on_anomaly.clone(), clock.clone())
    }

    fn rules(&self) -> Rules {
        const MINUTE: Duration = Duration::from_secs(60);
        const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
        const MOST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        // What time nobody waits for, so that no sum overflows.
        let window = self.window.clamp(Duration::from_secs(6), MOST);
        let bucket = window / BUCKETS as u32;
        let half_life = self.half_life.clamp(MINUTE, MOST);
        let accept_after = self.accept_after.clamp(MINUTE, MOST);
        let deviations = self.deviations.max(1);
        let keep = |half_life: Duration| (-bucket.as_secs_f64() / half_life.as_secs_f64()).exp2();
        let count = |least: u32, learn_for: Duration| CountRules {
            least: least.max(1),
            deviations,
            learning: u32::try_from(learn_for.as_nanos() / bucket.as_nanos().max(1)).unwrap_or(u32::MAX),
            keep: keep(half_life),
            keep_share: keep(half_life.saturating_mul(4)),
            window,
            quiet_for: self.quiet_for,
            accept_after,
        };
        let level = |least: f64, at_first, unit, threshold_unit| LevelRules {
            least,
            deviations,
            learn_for: self.learn_for,
            at_first,
            half_life: WEEK,
            accept_after,
            unit,
            threshold_unit,
        };
        /// Of the five minutes that most providers' deliveries are fresh for, most are left.
        const OLD_AT_FIRST: f64 = 120.0;
        let as_is: fn(f64) -> f64 = |secs| secs;
        let bytes: fn(f64) -> f64 = |log2| log2.exp2() - 1.0;
        Rules {
            bucket,
            by_provider: self.least.map(|least| count(least, self.learn_for)),
            // Of an address, nothing is usual until it is seen.
            by_source: self.least_by_source.map(|least| count(least, Duration::ZERO)),
            skew: level(self.min_skew.as_secs_f64(), Some(OLD_AT_FIRST), as_is, as_is),
            size: level(f64::from(self.min_size_factor.max(2)).log2(), None, bytes, f64::exp2),
            rhythm: RhythmRules { least: self.min_silence, part: Duration::from_secs(10) },
            keys: KeyRules { settle: self.settle_keys, unused_for: Duration::from_secs(24 * 3600) },
            max_providers: self.max_providers.max(1),
            max_sources: self.max_sources.clamp(1, 1 << 24),
            max_sources_at_once: self.max_sources_at_once,
            max_per_hour: self.max_per_hour.max(2),
        }
    }
}

impl fmt::Debug for AnomalyDetectorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnomalyDetectorBuilder").finish_non_exhaustive()
    }
}

/// What the parts judge by.
pub(super) struct Rules {
    bucket: Duration,
    pub(super) by_provider: [CountRules; COUNTED.len()],
    pub(super) by_source: [CountRules; COUNTED.len()],
    pub(super) skew: LevelRules,
    pub(super) size: LevelRules,
    pub(super) rhythm: RhythmRules,
    pub(super) keys: KeyRules,
    pub(super) max_providers: usize,
    pub(super) max_sources: usize,
    pub(super) max_sources_at_once: usize,
    pub(super) max_per_hour: u32,
}

impl Rules {
    pub(super) fn bucket_of(&self, monotonic: Duration) -> u64 {
        u64::try_from(monotonic.as_nanos() / self.bucket.as_nanos().max(1)).unwrap_or(u64::MAX)
    }
}
