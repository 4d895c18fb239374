//! The endpoints: a stack and a handler for each.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    http::StatusCode,
    middleware,
    routing::{MethodRouter, any},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tower::util::MapRequestLayer;
use tower_webhook::{
    ConfigError, Delivery,
    clock::ManualClock,
    layer::{ClientAddr, RateLimitLayer, WebhookLayer},
    store::{MemoryRateStore, Quota, RateKey, RateStore, RedisNonceStore, RedisRateStore, StoreError, Verdict},
};

use crate::{
    config::{Endpoint, HandlerSettings, Limit, Problem, Replay},
    journal::{self, Journal},
};

pub(crate) fn router(endpoints: Vec<Endpoint>) -> Result<Router, Problem> {
    let mut router = Router::new().without_v07_checks().fallback(journal::not_found);
    for endpoint in endpoints {
        let route = route(&endpoint).map_err(|error| Problem::new(error.to_string()).at(&endpoint.name))?;
        router = router.route(&endpoint.path, route);
    }
    Ok(router)
}

/// From inside out.
fn route(endpoint: &Endpoint) -> Result<MethodRouter, ConfigError> {
    let handler = Arc::new(Handler::new(endpoint.handler));
    let route = any(move |delivery: Delivery, body: Bytes| async move { handler.handle(&delivery, &body).await });

    let client = endpoint.proxies.clone().map_or_else(ClientAddr::new, ClientAddr::behind);
    let (quota, by, rates) = match &endpoint.rate_limit {
        Some(Limit { quota, redis }) => (*quota, Some(client), Rates::new(redis.clone().map(RedisRateStore::new))),
        None => (Quota::per_second(u32::MAX), None, Rates::new(None)),
    };
    let mut stack = WebhookLayer::builder(endpoint.verifier.clone())
        .rate_limit(RateLimitLayer::new(quota, by, rates))
        .then(MapRequestLayer::new(journal::note_delivery));
    if let Some(bytes) = endpoint.max_body {
        stack = stack.max_body(bytes);
    }
    if let Some(now) = endpoint.now {
        stack = stack.with_clock(ManualClock::at(now));
    }
    if let Some(retention) = endpoint.retention {
        stack = stack.retention(retention);
    }
    let route = match &endpoint.replay {
        Replay::Memory => route.layer(stack.build()?),
        Replay::Redis(redis) => route.layer(stack.replay(RedisNonceStore::new(redis.clone())).build()?),
        Replay::Off => route.layer(stack.without_replay_protection().build()?),
    };
    let journal = Journal { path: endpoint.path.as_str().into(), provider: endpoint.verifier.provider().into() };
    Ok(route.layer(middleware::from_fn_with_state(journal, journal::record)))
}

/// Rates where the file says.
#[derive(Clone)]
enum Rates {
    InMemory(MemoryRateStore),
    InRedis(RedisRateStore),
}

impl Rates {
    fn new(redis: Option<RedisRateStore>) -> Self {
        redis.map_or_else(|| Self::InMemory(MemoryRateStore::new()), Self::InRedis)
    }
}

impl RateStore for Rates {
    type Check = Pin<Box<dyn Future<Output = Result<Verdict, StoreError>> + Send>>;

    fn check(&self, key: RateKey, quota: Quota) -> Self::Check {
        match self {
            Self::InMemory(rates) => Box::pin(rates.check(key, quota)),
            Self::InRedis(rates) => rates.check(key, quota),
        }
    }
}

/// Answers as it was told to, and says what it was given.
struct Handler {
    settings: HandlerSettings,
    calls: AtomicU64,
    /// How often each delivery was answered `503`.
    failures: Mutex<HashMap<[u8; 32], u32>>,
}

#[derive(Serialize)]
struct Report {
    provider: String,
    delivery_id: Option<String>,
    event: Option<String>,
    signed_at: Option<u64>,
    key: usize,
    body_len: usize,
    body_sha256: String,
    calls: u64,
}

impl Handler {
    fn new(settings: HandlerSettings) -> Self {
        Self { settings, calls: AtomicU64::new(0), failures: Mutex::default() }
    }

    async fn handle(&self, delivery: &Delivery, body: &[u8]) -> (StatusCode, Json<Report>) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_millis(self.settings.delay_ms)).await;
        let digest = Sha256::digest(body);
        let status = if self.fails(delivery, digest.into()) {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::from_u16(self.settings.status).unwrap_or_default()
        };
        let report = Report {
            provider: delivery.provider().to_owned(),
            delivery_id: delivery.id().map(str::to_owned),
            event: delivery.event().map(str::to_owned),
            signed_at: delivery.signed_at().map(|time| time.as_secs()),
            key: delivery.key_index(),
            body_len: body.len(),
            body_sha256: base16ct::lower::encode_string(&digest),
            calls,
        };
        (status, Json(report))
    }

    /// Whether this is one of the first calls of the delivery, which fail.
    fn fails(&self, delivery: &Delivery, body_digest: [u8; 32]) -> bool {
        /// After so many deliveries, all are new again.
        const REMEMBERED: usize = 100_000;
        if self.settings.fail_first == 0 {
            return false;
        }
        let key = delivery.replay_key().map_or(body_digest, |key| *key.as_bytes());
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED {
            failures.clear();
        }
        let failed = failures.entry(key).or_default();
        let fails = *failed < self.settings.fail_first;
        *failed += u32::from(fails);
        fails
    }
}
