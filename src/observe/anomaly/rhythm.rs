use std::time::Duration;

use super::{
    emit::{Emitter, Episode, Now, Subject},
    event::Evidence,
};

const HOUR: u64 = 3600;
const WEEK: usize = 7 * 24;
const DAY: Duration = Duration::from_secs(24 * HOUR);
/// After so much silence nobody waits any more.
const FORGET_AFTER: Duration = Duration::from_secs(14 * 24 * HOUR);
/// How many hours a batch may be late.
const GRACE: usize = 3;
/// How many hours it may be early.
const EARLY: usize = 2;

/// When a provider sends, and for how long it is silent now.
///
/// Hours are counted by the monotonic clock, so that those of a week ago are known without asking the wall.
pub(super) struct Rhythm {
    deliveries: u64,
    began: Duration,
    last: Duration,
    longest_gap: Duration,
    /// How many of an hour's parts have seen a delivery, for each hour of the week.
    profile: [f32; WEEK],
    hours: u32,
    /// The current hour, the part of it that was last seen a delivery in, and how many there were.
    hour: u64,
    part: u64,
    active: u16,
    /// Up to when the current gap is weighed, how many deliveries should have come in it, and the most that ever should have.
    weighed: Duration,
    missed: Missed,
    most_missed: Missed,
    /// What should have come in each of the last hours, and may yet.
    due: [f32; GRACE],
    silence: Option<Box<Episode>>,
}

/// Deliveries that should have come in a gap.
#[derive(Clone, Copy)]
struct Missed {
    /// By the least that comes in hours like these.
    steady: f64,
    /// By all that comes in hours that are past for long enough.
    batches: f64,
}

impl Missed {
    const NOTHING: Self = Self { steady: 0.0, batches: 0.0 };
}

/// How a [`Rhythm`] judges.
#[derive(Clone, Copy)]
pub(super) struct RhythmRules {
    /// A gap that is nothing to speak of.
    pub(super) least: Duration,
    /// What a delivery counts once in, so that twenty at once are one.
    pub(super) part: Duration,
}

impl Rhythm {
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            deliveries: 0,
            began: now,
            last: now,
            longest_gap: Duration::ZERO,
            profile: [0.0; WEEK],
            hours: 0,
            hour: now.as_secs() / HOUR,
            part: u64::MAX,
            active: 0,
            weighed: now,
            missed: Missed::NOTHING,
            most_missed: Missed::NOTHING,
            due: [0.0; GRACE],
            silence: None,
        }
    }

    pub(super) fn episode(&self) -> Option<&Episode> {
        self.silence.as_deref()
    }

    /// A genuine delivery has come.
    pub(super) fn arrive(&mut self, now: Now, rules: &RhythmRules, out: &mut Emitter) {
        self.weigh(now.monotonic);
        match self.silence.take() {
            Some(mut silence) => {
                silence.whole.observed = now.monotonic.saturating_sub(self.last).as_secs_f64();
                out.end(now, *silence, now.monotonic);
            }
            None if self.deliveries > 0 => {
                self.longest_gap = self.longest_gap.max(now.monotonic.saturating_sub(self.last));
                self.most_missed.steady = self.most_missed.steady.max(self.missed.steady);
                self.most_missed.batches = self.most_missed.batches.max(self.missed.batches);
            }
            None => {}
        }
        self.deliveries = self.deliveries.saturating_add(1);
        self.last = self.last.max(now.monotonic);
        self.missed = Missed::NOTHING;
        let part = part_of(now.monotonic, rules);
        if part != self.part {
            self.part = part;
            self.active = self.active.saturating_add(1);
        }
    }

    /// Time passes.
    pub(super) fn check(&mut self, now: Now, rules: &RhythmRules, subject: Subject<'_>, out: &mut Emitter) {
        self.weigh(now.monotonic);
        let gap = now.monotonic.saturating_sub(self.last);
        if gap >= FORGET_AFTER && self.deliveries > 0 {
            if let Some(mut silence) = self.silence.take() {
                silence.whole.observed = gap.as_secs_f64();
                out.end(now, *silence, now.monotonic);
            }
            *self = Self::new(now.monotonic);
            return;
        }
        if self.silence.is_some() || gap < rules.least || !(self.misses_many() || self.exceeds_longest(gap)) {
            return;
        }
        let rate = self.rate();
        let usual = if rate > 0.0 { HOUR as f64 / rate } else { self.longest_gap.as_secs_f64() };
        let evidence = Evidence {
            observed: gap.as_secs_f64(),
            expected: usual,
            threshold: gap.as_secs_f64(),
            window: gap,
            samples: self.deliveries,
        };
        self.silence = out.begin(now, subject, self.last, evidence).map(Box::new);
    }

    /// Whether so many should have come that chance is no excuse, nor what this provider was excused for before.
    fn misses_many(&self) -> bool {
        /// Of independent arrivals, one gap in five hundred millions is so long.
        const TOO_MANY: f64 = 20.0;
        let is_too_much = |missed: f64, most: f64| missed > TOO_MANY.max(3.0 * most);
        is_too_much(self.missed.steady, self.most_missed.steady)
            || is_too_much(self.missed.batches, self.most_missed.batches)
    }

    /// Whether the gap is longer than any, by far: for those who send too rarely, or too suddenly, to be expected in some hour.
    /// While a weekend may not have been seen, by very far.
    fn exceeds_longest(&self, gap: Duration) -> bool {
        const ENOUGH: u64 = 50;
        let times = if self.knows_week() { 3 } else { 8 };
        self.deliveries >= ENOUGH
            && self.last.saturating_sub(self.began) >= DAY
            && gap > self.longest_gap.saturating_mul(times)
    }

    const fn knows_week(&self) -> bool {
        self.hours as usize >= WEEK
    }

    /// What comes in an hour like this: the least of it and its neighbours, as a batch may be late and clocks change in spring.
    fn rate(&self) -> f64 {
        if !self.knows_week() {
            return 0.0;
        }
        let hour = (self.hour % WEEK as u64) as usize;
        let [before, after] = [(hour + WEEK - 1) % WEEK, (hour + 1) % WEEK];
        f64::from(self.profile[hour].min(self.profile[before]).min(self.profile[after]))
    }

    /// Goes through the time since it was last asked, hour by hour.
    fn weigh(&mut self, now: Duration) {
        while self.weighed < now {
            let end = Duration::from_secs(self.hour.saturating_add(1).saturating_mul(HOUR));
            let until = end.min(now);
            let passed = until.saturating_sub(self.weighed).as_secs_f64();
            self.missed.steady += self.rate() * passed / HOUR as f64;
            self.weighed = self.weighed.max(until);
            if until < end {
                break;
            }
            self.close_hour();
            // Who was not asked for longer than a silence is remembered has nothing to learn from the rest.
            if now.saturating_sub(self.weighed) > FORGET_AFTER {
                self.weighed = now;
                self.hour = now.as_secs() / HOUR;
            }
        }
    }

    fn close_hour(&mut self) {
        /// How much of what a week has taught the next one replaces.
        const STEP: f32 = 0.3;
        let slot = (self.hour % WEEK as u64) as usize;
        // What was due in an hour is missed if nothing came from some hours before to some hours after, as batches are early and late.
        let due = &mut self.due[(self.hour % GRACE as u64) as usize];
        let since = self.hour.saturating_sub((GRACE + EARLY) as u64).saturating_mul(HOUR);
        if self.last < Duration::from_secs(since) {
            self.missed.batches += f64::from(*due);
        }
        *due = if (self.hours as usize) < WEEK { 0.0 } else { self.profile[slot] };
        let is_whole = Duration::from_secs(self.hour.saturating_mul(HOUR)) >= self.began;
        if is_whole && self.silence.is_none() && self.deliveries > 0 {
            let active = f32::from(self.active);
            let slot = &mut self.profile[slot];
            *slot = if (self.hours as usize) < WEEK { active } else { *slot + STEP * (active - *slot) };
            self.hours = self.hours.saturating_add(1);
        }
        // What was excused is so for some weeks.
        const FADE: f64 = 0.999;
        self.longest_gap = self.longest_gap.mul_f64(FADE);
        self.most_missed.steady *= FADE;
        self.most_missed.batches *= FADE;
        self.active = 0;
        self.hour = self.hour.saturating_add(1);
    }
}

fn part_of(now: Duration, rules: &RhythmRules) -> u64 {
    u64::try_from(now.as_millis() / rules.part.as_millis().max(1)).unwrap_or(u64::MAX)
}
