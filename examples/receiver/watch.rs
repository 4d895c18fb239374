//! Who sees what becomes of each request, when there is a page to show it on.

use std::{sync::Arc, time::Duration};

use tower_webhook::{
    Delivery, Rejection,
    body::BodyBudget,
    clock::{Clock, ClockError, SystemClock, UnixTime},
    layer::ObserveLayer,
    observe::{Anomaly, AnomalyDetector, Observation, Reading, Stage, Watched},
    store::{MemoryNonceStore, MemoryRateStore, RedisConnection},
};

use crate::{
    config::Endpoint,
    journal::harmless,
    live::{self, Live, Name, Seen},
};

/// All that the status page and the metrics are made of.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) live: Arc<Live>,
    /// One for each endpoint: two of the same provider have different keys, and perhaps different clocks.
    pub(crate) detectors: Vec<AnomalyDetector>,
    pub(crate) budget: BodyBudget,
    /// By name.
    pub(crate) stores: Vec<(Arc<str>, Store)>,
    layers: Vec<ObserveLayer>,
}

/// That of the whole process by default too.
pub(crate) const BUDGET_BYTES: usize = 256 * 1024 * 1024;

impl Watch {
    /// Has gauges say how it is now: they are looked at with requests otherwise, which may be rare.
    pub(crate) fn update_gauges(&self) {
        self.layers.iter().for_each(ObserveLayer::update_gauges);
    }

    pub(crate) fn new(endpoints: &[Endpoint]) -> Self {
        let names = endpoints.iter().map(|endpoint| Name {
            path: endpoint.path.clone(),
            provider: endpoint.verifier.provider().to_owned(),
            is_trial: endpoint.report_only,
        });
        Self {
            live: Arc::new(Live::new(names)),
            detectors: Vec::new(),
            budget: BodyBudget::new(BUDGET_BYTES),
            stores: Vec::new(),
            layers: Vec::new(),
        }
    }

    /// What stands outermost around the endpoint of this number, and is told of these stores.
    pub(crate) fn layer(
        &mut self,
        index: usize,
        endpoint: &Endpoint,
        stores: Vec<(&'static str, Store)>,
    ) -> ObserveLayer {
        let live = Arc::clone(&self.live);
        let mut detector = AnomalyDetector::builder().on_anomaly(move |anomaly| live.anomaly(noted(anomaly, index)));
        let live = Arc::clone(&self.live);
        let mut layer = ObserveLayer::new()
            .provider(endpoint.verifier.provider())
            .budget(self.budget.clone())
            .on_observation(move |observation| live.record(SystemClock.monotonic(), index, seen(observation)));
        if let Some(now) = endpoint.now {
            layer = layer.with_clock(Standing(now));
            detector = detector.with_clock(Standing(now));
        }
        let detector = detector.build();
        self.detectors.push(detector.clone());
        layer = layer.detect(detector);
        if let Some(proxies) = &endpoint.proxies {
            layer = layer.behind(proxies.clone());
        }
        for (what, store) in stores {
            let name: Arc<str> = format!("{what}:{}", endpoint.path).into();
            layer = layer.watch(Arc::clone(&name), store.clone());
            self.stores.push((name, store));
        }
        self.layers.push(layer.clone());
        layer
    }
}

fn seen(observation: &Observation) -> Seen {
    let delivery = observation.delivery();
    Seen {
        outcome: observation.outcome(),
        status: observation.status().map(|status| status.as_u16()),
        reason: observation.rejection().map(Rejection::reason),
        would_reject: observation.trial().map(Rejection::reason),
        total: observation.total_time(),
        stages: Stage::ALL.map(|stage| observation.time_in(stage)),
        delivery_id: delivery.and_then(Delivery::id).map(harmless),
        event: delivery.and_then(Delivery::event).map(harmless),
    }
}

fn noted(anomaly: &Anomaly, endpoint: usize) -> live::Anomaly {
    let (kind, text) = (anomaly.kind().as_str(), anomaly.to_string());
    // Kind and provider have places of their own on the page.
    let start = format!("{kind} at {}", anomaly.provider());
    let text = text.strip_prefix(&start).unwrap_or(&text).trim_start_matches([',', ':', ' ']);
    live::Anomaly {
        endpoint,
        id: anomaly.id(),
        kind,
        text: text.to_owned(),
        started: anomaly.started().as_millis(),
        ended: anomaly.ended().map(UnixTime::as_millis),
    }
}

/// What an endpoint remembers in.
#[derive(Clone)]
pub(crate) enum Store {
    Nonces(MemoryNonceStore),
    Rates(MemoryRateStore),
    Redis(RedisConnection),
}

impl Watched for Store {
    fn reading(&self) -> Reading {
        match self {
            Self::Nonces(store) => store.reading(),
            Self::Rates(store) => store.reading(),
            Self::Redis(store) => store.reading(),
        }
    }
}

/// A clock whose hands stand still, and by which requests take their time all the same.
struct Standing(UnixTime);

impl Clock for Standing {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(self.0)
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}
