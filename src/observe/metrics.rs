//! Counters, histograms and gauges, see the [module](super).

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{Counter, Gauge, Histogram, SharedString, counter, gauge, histogram};

use super::{Anomaly, Observation, Outcome, RateDecision, Reading, Stage, Watched};
use crate::{Delivery, Rejection, body::BodyBudget, store::StoreError};

/// What a layer writes to. What it once has found at the recorder it keeps: to look each up for each request takes longer than the
/// request's verification.
#[derive(Clone)]
pub(crate) struct Metrics {
    counts: Arc<Counts>,
    gauges: Arc<Gauges>,
}

struct Counts {
    providers: RwLock<HashMap<Option<Arc<str>>, Arc<Instruments>>>,
    left_out: OnceLock<Counter>,
}

/// What is looked at now and then.
#[derive(Default)]
struct Gauges {
    /// When, on the monotonic clock in milliseconds.
    due: AtomicU64,
    found: Mutex<FoundGauges>,
}

impl Metrics {
    /// Names of schemes are yours, but a source of tenants may make them up.
    const MOST_PROVIDERS: usize = 1000;
    const BETWEEN_GAUGES: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Self {
        let counts = Counts { providers: RwLock::default(), left_out: OnceLock::new() };
        Self { counts: Arc::new(counts), gauges: Arc::default() }
    }

    /// The same for a layer that looks at something else than the one it was cloned from.
    pub(crate) fn with_own_gauges(self) -> Self {
        Self { gauges: Arc::default(), ..self }
    }

    pub(crate) fn tell(&self, observation: &Observation) {
        self.instruments(observation.provider.as_ref()).tell(observation);
    }

    /// Log events were left out.
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nothing is logged without it"))]
    pub(crate) fn tell_left_out(&self, events: u64) {
        let counter = self.counts.left_out.get_or_init(|| counter!("webhook_events_suppressed_total"));
        if events > 0 {
            counter.increment(events);
        }
    }

    /// Looks at what is watched, now and then.
    pub(crate) fn tell_gauges(&self, now: Duration, budget: &BodyBudget, watched: &[(Arc<str>, Arc<dyn Watched>)]) {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let due = self.gauges.due.load(Ordering::Relaxed);
        let next = now.saturating_add(Self::BETWEEN_GAUGES.as_millis() as u64);
        let is_first =
            now >= due && self.gauges.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_first {
            self.tell_gauges_now(budget, watched);
        }
    }

    pub(crate) fn tell_gauges_now(&self, budget: &BodyBudget, watched: &[(Arc<str>, Arc<dyn Watched>)]) {
        self.gauges.found.lock().unwrap_or_else(PoisonError::into_inner).tell(budget, watched);
    }

    fn instruments(&self, provider: Option<&Arc<str>>) -> Arc<Instruments> {
        let known = self.counts.providers.read().unwrap_or_else(PoisonError::into_inner);
        // `None` and `Some` are keys alike, and neither is made for the look.
        let provider = provider.cloned();
        if let Some(instruments) = known.get(&provider) {
            return Arc::clone(instruments);
        }
        drop(known);
        let mut known = self.counts.providers.write().unwrap_or_else(PoisonError::into_inner);
        let provider = if known.len() < Self::MOST_PROVIDERS { provider } else { Some("other".into()) };
        let new = || Arc::new(Instruments::new(provider.as_deref().unwrap_or("unknown")));
        Arc::clone(known.entry(provider.clone()).or_insert_with(new))
    }
}

/// Counts anomalies: rare enough to look up what counts them each time.
pub(crate) fn tell_anomaly(anomaly: &Anomaly) {
    let (provider, kind) = (SharedString::from(anomaly.provider().to_owned()), anomaly.kind().as_str());
    let active = gauge!("webhook_anomaly_active", "provider" => provider.clone(), "kind" => kind);
    if anomaly.ended().is_some() {
        active.decrement(1.0);
    } else {
        active.increment(1.0);
        counter!("webhook_anomalies_total", "provider" => provider, "kind" => kind).increment(1);
    }
}

/// All that is counted for one provider.
struct Instruments {
    provider: SharedString,
    requests: Table<(Outcome, &'static str)>,
    rejections: Table<&'static str>,
    rates: Table<&'static str>,
    store_errors: Table<&'static str>,
    keys: Table<KeyLabel>,
    duplicates: Counter,
    total: Histogram,
    stages: [Histogram; Stage::ALL.len()],
    body_bytes: Histogram,
    clock_skew: Histogram,
}

/// Which key it was.
#[derive(Clone, PartialEq, Eq, Hash)]
enum KeyLabel {
    Id(Box<str>),
    Index(usize),
    Other,
}

impl Instruments {
    fn new(provider: &str) -> Self {
        let provider = SharedString::from(provider.to_owned());
        let duration = |stage: &'static str| histogram!("webhook_duration_seconds", "provider" => provider.clone(), "stage" => stage);
        Self {
            requests: Table::default(),
            rejections: Table::default(),
            rates: Table::default(),
            store_errors: Table::default(),
            keys: Table::default(),
            duplicates: counter!("webhook_duplicates_total", "provider" => provider.clone()),
            total: duration("total"),
            stages: Stage::ALL.map(|stage| duration(stage.as_str())),
            body_bytes: histogram!("webhook_body_bytes", "provider" => provider.clone()),
            clock_skew: histogram!("webhook_clock_skew_seconds", "provider" => provider.clone()),
            provider,
        }
    }

    fn tell(&self, observation: &Observation) {
        let provider = || self.provider.clone();
        let (outcome, code) = (observation.outcome, observation.code());
        self.requests.increment((outcome, code), || {
            counter!("webhook_requests_total", "provider" => provider(), "outcome" => outcome.as_str(), "code" => code)
        });
        if let (Outcome::Rejected, Some(reason)) = (outcome, observation.rejection.as_ref().map(Rejection::reason)) {
            self.rejections.increment(
                reason,
                || counter!("webhook_rejections_total", "provider" => provider(), "reason" => reason),
            );
        }
        if outcome == Outcome::Duplicate {
            self.duplicates.increment(1);
        }
        if let Some(decision) = observation.rate.map(RateDecision::as_str) {
            self.rates.increment(
                decision,
                || counter!("webhook_rate_limit_total", "provider" => provider(), "decision" => decision),
            );
        }
        if let Some(error) = observation.store_error {
            let error = match error {
                StoreError::Full => "full",
                StoreError::Unavailable => "unavailable",
            };
            self.store_errors.increment(
                error,
                || counter!("webhook_store_errors_total", "provider" => provider(), "error" => error),
            );
        }
        if let Some(delivery) = &observation.delivery {
            self.keys.increment(self.key_label(delivery), || {
                let key: SharedString = match self.key_label(delivery) {
                    KeyLabel::Id(id) => id.into_string().into(),
                    KeyLabel::Index(index) => index.to_string().into(),
                    KeyLabel::Other => "other".into(),
                };
                counter!("webhook_keys_used_total", "provider" => provider(), "key" => key)
            });
        }
        self.total.record(observation.total_time());
        for (stage, histogram) in Stage::ALL.into_iter().zip(&self.stages) {
            let spent = observation.time_in(stage);
            // Most requests have not been everywhere.
            if !spent.is_zero() {
                histogram.record(spent);
            }
        }
        if let Some(bytes) = observation.body_len {
            self.body_bytes.record(bytes as f64);
        }
        if let Some(millis) = observation.clock_skew_millis() {
            self.clock_skew.record(millis as f64 / 1000.0);
        }
    }

    /// Providers that publish keys name new ones for ever, and positions of theirs are few.
    fn key_label(&self, delivery: &Delivery) -> KeyLabel {
        const MOST_KEYS: usize = 32;
        let label = match delivery.key_id() {
            Some(id) => KeyLabel::Id(id.into()),
            None => KeyLabel::Index(delivery.key_index()),
        };
        if self.keys.has_room_for(&label, MOST_KEYS) { label } else { KeyLabel::Other }
    }
}

/// Counters of one name and provider, by what else tells them apart.
struct Table<K>(RwLock<HashMap<K, Counter>>);

impl<K: Eq + Hash> Table<K> {
    fn increment(&self, key: K, make: impl FnOnce() -> Counter) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(&key) {
            counter.increment(1);
            return;
        }
        drop(known);
        let made = make();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert(made).increment(1);
    }

    fn has_room_for(&self, key: &K, most: usize) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.len() < most || known.contains_key(key)
    }
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

#[derive(Default)]
struct FoundGauges {
    buffered: Option<Gauge>,
    stores: Vec<StoreGauges>,
}

struct StoreGauges {
    entries: Gauge,
    capacity: Gauge,
    is_available: Gauge,
}

impl FoundGauges {
    fn tell(&mut self, budget: &BodyBudget, watched: &[(Arc<str>, Arc<dyn Watched>)]) {
        self.buffered.get_or_insert_with(|| gauge!("webhook_buffered_bytes")).set(budget.held() as f64);
        for (index, (name, store)) in watched.iter().enumerate() {
            let Reading { entries, capacity, is_available } = store.reading();
            if self.stores.len() == index {
                let name = SharedString::from(name.to_string());
                let new = |is_told: bool, gauge: &dyn Fn() -> Gauge| if is_told { gauge() } else { Gauge::noop() };
                self.stores.push(StoreGauges {
                    entries: new(entries.is_some(), &|| gauge!("webhook_store_entries", "store" => name.clone())),
                    capacity: new(capacity.is_some(), &|| gauge!("webhook_store_capacity", "store" => name.clone())),
                    is_available: new(
                        is_available.is_some(),
                        &|| gauge!("webhook_store_available", "store" => name.clone()),
                    ),
                });
            }
            let gauges = &self.stores[index];
            let set = |gauge: &Gauge, value: Option<u64>| {
                if let Some(value) = value {
                    gauge.set(value as f64);
                }
            };
            set(&gauges.entries, entries);
            set(&gauges.capacity, capacity);
            set(&gauges.is_available, is_available.map(u64::from));
        }
    }
}
