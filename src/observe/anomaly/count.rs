use std::time::Duration;

use super::{
    emit::{Emitter, Episode, Now, Subject},
    event::Evidence,
};

/// Buckets in a window.
pub(super) const BUCKETS: usize = 6;

/// What is judged by how many come in a window: forgeries, replays.
pub(super) struct Counter {
    ring: Ring,
    usual: Baseline,
    burst: Option<Box<Burst>>,
}

/// A burst that goes on, and what it would be to get used to it.
struct Burst {
    episode: Episode,
    level: Baseline,
}

/// How a [`Counter`] judges.
#[derive(Clone, Copy)]
pub(super) struct CountRules {
    /// Requests in a window that are nothing to speak of.
    pub(super) least: u32,
    pub(super) deviations: u32,
    /// Buckets during which nothing but five times `least` counts.
    pub(super) learning: u32,
    /// Of what was learned, the part that one bucket leaves.
    pub(super) keep: f64,
    /// The same for the share of a provider's requests that fails.
    pub(super) keep_share: f64,
    pub(super) window: Duration,
    pub(super) quiet_for: Duration,
    pub(super) accept_after: Duration,
}

impl Counter {
    pub(super) const fn new(bucket: u64, rules: &CountRules) -> Self {
        // Who is not learned from first is known for nothing: his first requests are no norm.
        let usual = if rules.learning == 0 { Baseline::NOTHING } else { Baseline::UNKNOWN };
        Self { ring: Ring::new(bucket), usual, burst: None }
    }

    /// Lets time pass, and learns from what is complete; says what was learned.
    pub(super) fn advance(&mut self, bucket: u64, rules: &CountRules) -> Option<Passed> {
        let mut passed = self.ring.advance(bucket)?;
        if let Some(burst) = &mut self.burst {
            // What goes on now is not the norm, or an attack would be as soon as it lasts.
            burst.level.learn(passed, rules.keep);
            return None;
        }
        if self.usual.buckets >= rules.learning {
            passed.count = passed.count.min(self.usual.most(rules));
        }
        self.usual.learn(passed, rules.keep);
        Some(passed)
    }

    pub(super) fn add(&mut self) {
        self.ring.add();
        if let Some(burst) = &mut self.burst {
            burst.episode.whole.samples = burst.episode.whole.samples.saturating_add(1);
        }
    }

    /// In the current window.
    pub(super) fn in_window(&self) -> u32 {
        self.ring.sum()
    }

    pub(super) const fn is_going_on(&self) -> bool {
        self.burst.is_some()
    }

    pub(super) fn episode(&self) -> Option<&Episode> {
        self.burst.as_deref().map(|burst| &burst.episode)
    }

    /// Whether it is too much now, by what is usual or by the share of the genuine requests that usually fail.
    pub(super) fn exceeds(&self, rules: &CountRules, by_share: f64) -> Option<Evidence> {
        let evidence = self.evidence(rules, by_share);
        (evidence.observed >= evidence.threshold).then_some(evidence)
    }

    /// The numbers of the current window.
    pub(super) fn evidence(&self, rules: &CountRules, by_share: f64) -> Evidence {
        let (expected, threshold) = self.line(rules, by_share);
        let samples = self.in_window();
        Evidence {
            observed: f64::from(samples),
            expected,
            threshold,
            window: rules.window,
            samples: u64::from(samples),
        }
    }

    /// Raises what goes too far, and ends what no longer does. Says whether one goes on.
    pub(super) fn judge(
        &mut self,
        now: Now,
        rules: &CountRules,
        by_share: f64,
        subject: Subject<'_>,
        out: &mut Emitter,
    ) {
        if self.burst.is_none() {
            if let Some(evidence) = self.exceeds(rules, by_share) {
                self.begin(now, evidence, subject, out);
            }
            return;
        }
        let (expected, threshold) = self.line(rules, by_share);
        let observed = f64::from(self.in_window());
        let Some(burst) = &mut self.burst else { return };
        if observed > expected.midpoint(threshold) {
            burst.episode.last = burst.episode.last.max(now.monotonic);
            burst.episode.observe(observed);
        }
        let is_accepted = now.monotonic.saturating_sub(burst.episode.raised) >= rules.accept_after;
        if is_accepted {
            self.usual = burst.level;
        }
        if (is_accepted || now.monotonic.saturating_sub(burst.episode.last) >= rules.quiet_for)
            && let Some(burst) = self.burst.take()
        {
            let last = burst.episode.last;
            out.end(now, burst.episode, last);
        }
    }

    pub(super) fn begin(&mut self, now: Now, evidence: Evidence, subject: Subject<'_>, out: &mut Emitter) {
        let episode = out.begin(now, subject, now.monotonic, evidence);
        self.burst = episode.map(|episode| Box::new(Burst { episode, level: Baseline::UNKNOWN }));
    }

    /// What is expected in a window, and what is too much.
    fn line(&self, rules: &CountRules, by_share: f64) -> (f64, f64) {
        let buckets = BUCKETS as f64;
        let expected = (self.usual.mean * buckets).max(by_share);
        let least = f64::from(rules.least);
        if self.usual.buckets < rules.learning {
            return (expected, least * 5.0);
        }
        // Nothing is more regular than independent arrivals.
        let deviation = (self.usual.variance * buckets).max(expected).sqrt();
        (expected, (expected + deviation * f64::from(rules.deviations)).max(least))
    }
}

/// What has passed: a bucket that is complete, and empty ones after it.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub(super) count: f64,
    pub(super) idle: u64,
}

/// The last buckets; the newest is not complete.
pub(super) struct Ring {
    counts: [u32; BUCKETS],
    newest: u64,
}

impl Ring {
    pub(super) const fn new(bucket: u64) -> Self {
        Self { counts: [0; BUCKETS], newest: bucket }
    }

    pub(super) fn advance(&mut self, bucket: u64) -> Option<Passed> {
        let steps = bucket.checked_sub(self.newest).filter(|steps| *steps > 0)?;
        let count = f64::from(*self.current());
        for _ in 0..steps.min(BUCKETS as u64) {
            self.newest += 1;
            *self.current() = 0;
        }
        // All are empty if it was more than a round.
        self.newest = bucket;
        Some(Passed { count, idle: steps - 1 })
    }

    pub(super) fn add(&mut self) {
        let current = self.current();
        *current = current.saturating_add(1);
    }

    pub(super) fn sum(&self) -> u32 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn current(&mut self) -> &mut u32 {
        &mut self.counts[(self.newest % BUCKETS as u64) as usize]
    }
}

/// Mean and variance of the counts per bucket, of which older ones weigh less.
#[derive(Clone, Copy)]
struct Baseline {
    mean: f64,
    variance: f64,
    buckets: u32,
}

impl Baseline {
    const UNKNOWN: Self = Self { mean: 0.0, variance: 0.0, buckets: 0 };
    const NOTHING: Self = Self { buckets: u32::MAX, ..Self::UNKNOWN };

    /// The plain mean at first, as there is nothing old to weigh; the exact sums for empty buckets, however many.
    fn learn(&mut self, passed: Passed, keep: f64) {
        let seen = f64::from(self.buckets);
        self.mix(passed.count, keep.min(seen / (seen + 1.0)));
        self.buckets = self.buckets.saturating_add(1);
        if passed.idle > 0 {
            let (seen, idle) = (f64::from(self.buckets), passed.idle as f64);
            self.mix(0.0, keep.powf(idle).min(seen / (seen + idle)));
            self.buckets = self.buckets.saturating_add(u32::try_from(passed.idle).unwrap_or(u32::MAX));
        }
    }

    fn mix(&mut self, count: f64, keep: f64) {
        let step = count - self.mean;
        self.mean += step * (1.0 - keep);
        self.variance = keep * (self.variance + step * step * (1.0 - keep));
    }

    /// What one bucket can teach at most: one that is far off raises no line before anybody is told of it.
    fn most(&self, rules: &CountRules) -> f64 {
        let deviation = self.variance.max(self.mean).sqrt();
        (self.mean + 3.0 * deviation).max(f64::from(rules.least) / BUCKETS as f64)
    }
}

/// The part of a provider's requests that fails, so that more of both is nothing new.
#[derive(Clone, Copy)]
pub(super) struct Share {
    failed: f64,
    genuine: f64,
}

impl Share {
    pub(super) const NONE: Self = Self { failed: 0.0, genuine: 0.0 };
    /// No traffic explains away more failures than this.
    const MOST: f64 = 0.1;

    /// Both fade alike, so that a night without traffic changes nothing.
    pub(super) fn learn(&mut self, failed: f64, genuine: f64, idle: u64, keep: f64) {
        let faded = keep.powf(idle as f64);
        self.failed = (self.failed * keep + failed) * faded;
        self.genuine = (self.genuine * keep + genuine) * faded;
    }

    pub(super) fn of(&self, genuine: u32) -> f64 {
        const NOTHING: f64 = 1e-9;
        if self.genuine < NOTHING {
            return 0.0;
        }
        (self.failed / self.genuine).min(Self::MOST) * f64::from(genuine)
    }
}
