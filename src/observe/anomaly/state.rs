use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    builder::Rules,
    count::{Counter, Ring, Share},
    emit::{Emitter, Episode, Now, Subject},
    event::{Anomaly, AnomalyKind},
    keys::Keys,
    level::Level,
    rhythm::Rhythm,
    sample::{Sample, SampleOutcome},
    sources::{Sources, Whom},
};
use crate::clock::UnixTime;

/// What is judged by its count.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    Forgeries,
    Replays,
}

pub(super) const COUNTED: [Counted; 2] = [Counted::Forgeries, Counted::Replays];

impl Counted {
    pub(super) const fn kind(self) -> AnomalyKind {
        match self {
            Self::Forgeries => AnomalyKind::ForgeryBurst,
            Self::Replays => AnomalyKind::ReplayBurst,
        }
    }
}

/// All that is behind the lock.
pub(super) struct State {
    rules: Rules,
    providers: Vec<Provider>,
    by_name: HashMap<Arc<str>, usize>,
    sources: Sources,
    pub(super) out: Emitter,
    /// The latest moment anybody has told: clocks of threads may be read in another order than they get here.
    latest: Duration,
    bucket: u64,
    samples: u64,
    /// A moment that both clocks have told, for when the wall cannot.
    anchor: (Duration, UnixTime),
}

/// What is known of one provider.
struct Provider {
    name: Arc<str>,
    genuine: Ring,
    counters: [Counter; COUNTED.len()],
    shares: [Share; COUNTED.len()],
    /// `None` for the one that stands for all beyond the bound: the rhythms of several are none.
    habits: Option<Box<Habits>>,
}

/// What only genuine deliveries can teach.
struct Habits {
    skew: Level,
    size: Level,
    rhythm: Rhythm,
    keys: Keys,
}

impl State {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            providers: Vec::new(),
            by_name: HashMap::new(),
            sources: Sources::new(rules.max_sources, rules.max_sources_at_once),
            out: Emitter::new(rules.max_per_hour),
            latest: Duration::ZERO,
            bucket: 0,
            samples: 0,
            anchor: (Duration::ZERO, UnixTime::from_secs(0)),
            rules,
        }
    }

    /// Judges what only time decides, at most once in each bucket unless told to.
    pub(super) fn pass(&mut self, monotonic: Duration, at: Option<UnixTime>, always: bool) -> Now {
        self.latest = self.latest.max(monotonic);
        let wall = at.unwrap_or_else(|| {
            let since = self.latest.saturating_sub(self.anchor.0).as_millis();
            let since = u64::try_from(since).unwrap_or(u64::MAX);
            UnixTime::from_millis(self.anchor.1.as_millis().saturating_add(since))
        });
        self.anchor = (self.latest, wall);
        let now = Now::new(self.latest, wall);
        let bucket = self.rules.bucket_of(self.latest);
        if bucket > self.bucket || always {
            self.bucket = bucket;
            for provider in &mut self.providers {
                provider.check(now, bucket, &self.rules, &mut self.out);
            }
            self.sources.check(now, bucket, &self.rules.by_source, &mut self.out);
        }
        now
    }

    pub(super) fn observe(&mut self, sample: &Sample<'_>) {
        let now = self.pass(sample.monotonic, sample.at, false);
        self.samples = self.samples.wrapping_add(1);
        let place = self.provider(sample.provider, now);
        let Some(provider) = self.providers.get_mut(place) else { return };
        let counted = match sample.outcome {
            SampleOutcome::Genuine => return provider.genuine(now, sample, &self.rules, &mut self.out),
            SampleOutcome::Forged => Counted::Forgeries,
            SampleOutcome::Replayed => Counted::Replays,
            SampleOutcome::Other => return,
        };
        provider.failed(now, counted, &self.rules, &mut self.out);
        if let Some(source) = sample.source {
            let whom = Whom { now, bucket: self.bucket, order: self.samples, provider: &provider.name, source };
            if self.sources.add(whom, counted, &self.rules.by_source, &mut self.out) {
                provider.stand_in(now, counted, &self.rules, &mut self.out);
            }
        }
    }

    pub(super) fn ongoing(&self) -> Vec<Anomaly> {
        let of_providers = self.providers.iter().flat_map(Provider::episodes);
        of_providers.chain(self.sources.episodes()).map(|episode| episode.anomaly.clone()).collect()
    }

    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    pub(super) fn providers(&self) -> usize {
        self.providers.len()
    }

    fn provider(&mut self, name: &str, now: Now) -> usize {
        /// What stands for all that are beyond the bound.
        const OTHERS: &str = "others";
        if let Some(place) = self.by_name.get(name) {
            return *place;
        }
        let fits = self.providers.len() < self.rules.max_providers;
        let place = self.providers.len();
        if !fits && place > self.rules.max_providers {
            return place - 1;
        }
        let name: Arc<str> = Arc::from(if fits { name } else { OTHERS });
        let habits = fits.then(|| Box::new(Habits::new(now.monotonic)));
        if fits {
            self.by_name.insert(Arc::clone(&name), place);
        }
        self.providers.push(Provider {
            name,
            genuine: Ring::new(self.bucket),
            counters: std::array::from_fn(|counted| Counter::new(self.bucket, &self.rules.by_provider[counted])),
            shares: [Share::NONE; COUNTED.len()],
            habits,
        });
        place
    }
}

impl Provider {
    fn check(&mut self, now: Now, bucket: u64, rules: &Rules, out: &mut Emitter) {
        let passed = self.genuine.advance(bucket);
        for ((counter, share), rules) in self.counters.iter_mut().zip(&mut self.shares).zip(&rules.by_provider) {
            let failed = counter.advance(bucket, rules);
            if let (Some(failed), Some(genuine)) = (failed, passed) {
                share.learn(failed.count, genuine.count, genuine.idle, rules.keep_share);
            }
        }
        for counted in COUNTED {
            self.judge(now, counted, rules, out);
        }
        let Some(habits) = &mut self.habits else { return };
        habits.skew.check(now, &rules.skew, out);
        habits.size.check(now, &rules.size, out);
        habits.keys.check(now, &rules.keys, out);
        let silence = Subject { kind: AnomalyKind::Silence, provider: &self.name, source: None };
        habits.rhythm.check(now, &rules.rhythm, silence, out);
    }

    fn genuine(&mut self, now: Now, sample: &Sample<'_>, rules: &Rules, out: &mut Emitter) {
        self.genuine.add();
        let Some(habits) = &mut self.habits else { return };
        habits.rhythm.arrive(now, &rules.rhythm, out);
        let subject = |kind| Subject { kind, provider: &self.name, source: None };
        if let Some(skew) = sample.skew_ms {
            let secs = skew as f64 / 1000.0;
            habits.skew.add(now, secs, &rules.skew, subject(AnomalyKind::ClockSkewDrift), out);
        }
        if let Some(bytes) = sample.body_len {
            let size = (bytes as f64 + 1.0).log2();
            habits.size.add(now, size, &rules.size, subject(AnomalyKind::PayloadSizeJump), out);
        }
        if let Some(key) = sample.key_index {
            habits.keys.add(now, key, &rules.keys, subject(AnomalyKind::OldKeyUsed), out);
        }
    }

    fn failed(&mut self, now: Now, counted: Counted, rules: &Rules, out: &mut Emitter) {
        self.counters[counted as usize].add();
        self.judge(now, counted, rules, out);
    }

    fn judge(&mut self, now: Now, counted: Counted, rules: &Rules, out: &mut Emitter) {
        let by_share = self.shares[counted as usize].of(self.genuine.sum());
        let subject = Subject { kind: counted.kind(), provider: &self.name, source: None };
        self.counters[counted as usize].judge(now, &rules.by_provider[counted as usize], by_share, subject, out);
    }

    /// Raises one anomaly of the provider for all sources beyond those that are told apart.
    fn stand_in(&mut self, now: Now, counted: Counted, rules: &Rules, out: &mut Emitter) {
        let counter = &mut self.counters[counted as usize];
        if counter.is_going_on() {
            return;
        }
        let evidence = counter.evidence(&rules.by_source[counted as usize], 0.0);
        let subject = Subject { kind: counted.kind(), provider: &self.name, source: None };
        counter.begin(now, evidence, subject, out);
    }

    fn episodes(&self) -> impl Iterator<Item = &Episode> {
        let counters = self.counters.iter().filter_map(Counter::episode);
        let habits = self.habits.iter().flat_map(|habits| {
            [habits.skew.episode(), habits.size.episode(), habits.rhythm.episode(), habits.keys.episode()]
        });
        counters.chain(habits.flatten())
    }
}

impl Habits {
    const fn new(now: Duration) -> Self {
        Self { skew: Level::new(), size: Level::new(), rhythm: Rhythm::new(now), keys: Keys::new() }
    }
}
