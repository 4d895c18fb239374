use std::time::Duration;

use super::{
    emit::{Emitter, Episode, Now, Subject},
    event::Evidence,
};

/// Deliveries whose median is one reading: a few retried or outsized ones do not move it.
const BATCH: usize = 16;
/// Readings in a row that it takes to begin, and to end.
const IN_A_ROW: u8 = 2;
/// Readings before which nothing is known.
const FIRST_READINGS: u32 = 4;

/// A quantity of genuine deliveries that should stay where it is: their age on arrival, their size.
pub(super) struct Level {
    batch: [f64; BATCH],
    filled: usize,
    batch_began: Duration,
    mean: f64,
    deviation: f64,
    readings: u32,
    last_reading: Duration,
    /// What was read last.
    latest: f64,
    /// How long it was read, without gaps.
    read_for: Duration,
    /// Readings in a row that are off, or back, and since when.
    row: u8,
    row_began: Duration,
    /// Whether what goes on was raised before anything was known.
    is_by_first: bool,
    drift: Option<Box<Episode>>,
}

/// How a [`Level`] judges.
#[derive(Clone, Copy)]
pub(super) struct LevelRules {
    /// A change that is nothing to speak of.
    pub(super) least: f64,
    pub(super) deviations: u32,
    pub(super) learn_for: Duration,
    /// What is too far from zero before anything is learned.
    pub(super) at_first: Option<f64>,
    pub(super) half_life: Duration,
    pub(super) accept_after: Duration,
    /// From what is computed with to what is told.
    pub(super) unit: fn(f64) -> f64,
    pub(super) threshold_unit: fn(f64) -> f64,
}

impl Level {
    pub(super) const fn new() -> Self {
        Self {
            batch: [0.0; BATCH],
            filled: 0,
            batch_began: Duration::ZERO,
            mean: 0.0,
            deviation: 0.0,
            readings: 0,
            last_reading: Duration::ZERO,
            latest: 0.0,
            read_for: Duration::ZERO,
            row: 0,
            row_began: Duration::ZERO,
            is_by_first: false,
            drift: None,
        }
    }

    pub(super) fn episode(&self) -> Option<&Episode> {
        self.drift.as_deref()
    }

    pub(super) fn add(&mut self, now: Now, value: f64, rules: &LevelRules, subject: Subject<'_>, out: &mut Emitter) {
        if self.filled == 0 {
            self.batch_began = now.monotonic;
        }
        self.batch[self.filled] = value;
        self.filled += 1;
        if let Some(drift) = &mut self.drift {
            drift.whole.samples = drift.whole.samples.saturating_add(1);
        }
        if self.filled == BATCH {
            self.filled = 0;
            self.batch.sort_unstable_by(f64::total_cmp);
            let median = self.batch[BATCH / 2 - 1].midpoint(self.batch[BATCH / 2]);
            self.read(now, median, rules, subject, out);
        }
    }

    /// Ends what nobody has seen for so long that it is the norm, or gone.
    pub(super) fn check(&mut self, now: Now, rules: &LevelRules, out: &mut Emitter) {
        let is_old = |drift: &Episode| now.monotonic.saturating_sub(drift.raised) >= rules.accept_after;
        if self.drift.as_deref().is_some_and(is_old)
            && let Some(drift) = self.drift.take()
        {
            let last = drift.last;
            out.end(now, *drift, last);
            self.mean = self.latest;
            self.row = 0;
        }
    }

    fn read(&mut self, now: Now, reading: f64, rules: &LevelRules, subject: Subject<'_>, out: &mut Emitter) {
        let is_known = self.readings >= FIRST_READINGS && self.read_for >= rules.learn_for;
        let is_by_first = if self.drift.is_some() { self.is_by_first } else { !is_known };
        let (expected, threshold) = match (is_by_first, rules.at_first) {
            (false, _) => (self.mean, rules.least.max(self.deviation * f64::from(rules.deviations))),
            (true, Some(at_first)) => (0.0, at_first),
            (true, None) => (self.mean, f64::INFINITY),
        };
        let distance = (reading - expected).abs();
        let counts = match &mut self.drift {
            None => distance > threshold,
            Some(drift) => {
                drift.observe((rules.unit)(reading));
                if distance > threshold / 2.0 {
                    drift.last = now.monotonic;
                }
                distance <= threshold / 2.0
            }
        };
        if counts && self.row == 0 {
            self.row_began = self.batch_began;
        }
        self.row = if counts { self.row.saturating_add(1) } else { 0 };
        if self.row >= IN_A_ROW {
            match self.drift.take() {
                Some(drift) => {
                    out.end(now, *drift, self.row_began);
                    self.row = 0;
                }
                None => {
                    let evidence = Evidence {
                        observed: (rules.unit)(reading),
                        expected: (rules.unit)(expected),
                        threshold: (rules.threshold_unit)(threshold),
                        window: now.monotonic.saturating_sub(self.row_began),
                        samples: u64::from(self.row) * BATCH as u64,
                    };
                    self.drift = out.begin(now, subject, self.row_began, evidence).map(Box::new);
                    if self.drift.is_some() {
                        self.is_by_first = is_by_first;
                        self.row = 0;
                    }
                }
            }
        }
        self.latest = reading;
        // One that is far off moves nothing far, so that what goes on is not the norm as soon as it lasts.
        let most = if is_known { threshold } else { f64::INFINITY };
        self.learn(now, reading.max(self.mean - most).min(self.mean + most), rules);
    }

    /// By time and not by deliveries, so that neither many at once move it nor few keep it from moving.
    fn learn(&mut self, now: Now, reading: f64, rules: &LevelRules) {
        /// After a pause, one reading stands for no more time than this.
        const MOST: Duration = Duration::from_secs(3600);
        if self.readings == 0 {
            self.mean = reading;
        } else {
            let passed = now.monotonic.saturating_sub(self.last_reading).min(MOST).as_secs_f64();
            self.read_for = self.read_for.saturating_add(Duration::from_secs_f64(passed));
            // The plain mean while there is less than what fades.
            let of_all = if self.read_for.is_zero() { 0.0 } else { passed / self.read_for.as_secs_f64() };
            let fading = 1.0 - (-passed / rules.half_life.as_secs_f64().max(1.0)).exp2();
            let first = if self.readings < FIRST_READINGS { 1.0 / f64::from(self.readings + 1) } else { 0.0 };
            let weight = of_all.min(0.5).max(fading).max(first);
            self.deviation += weight * ((reading - self.mean).abs() - self.deviation);
            self.mean += weight * (reading - self.mean);
        }
        self.readings = self.readings.saturating_add(1);
        self.last_reading = now.monotonic;
    }
}
