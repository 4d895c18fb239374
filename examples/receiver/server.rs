//! The endpoints: a stack and a handler for each.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{
    Extension, Router,
    body::Bytes,
    middleware,
    routing::{MethodRouter, any},
};
use tower::util::{MapRequestLayer, option_layer};
use tower_webhook::{
    ConfigError, Delivery, TrustedProxies,
    clock::ManualClock,
    layer::{
        AllowSourcesLayer, BySender, ClientAddr, RateLimitLayer, RenderRejectionsLayer, ReportSignatureLayer,
        RequireHttpsLayer, SignatureReport, WebhookLayer,
    },
    store::{
        Charge, MemoryRateStore, Quota, Quotas, RateKey, RateStore, RedisNonceStore, RedisRateStore, Standing,
        StoreError,
    },
};

use crate::{
    config::{Endpoint, Limit, LimitCharge, LimitKey, Problem, Replay},
    handler::Handler,
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
    let route = if endpoint.report_only { reported(endpoint, handler) } else { verified(endpoint, handler)? };
    let route = match &endpoint.allow_sources {
        Some(sources) => {
            let allow = behind(endpoint, AllowSourcesLayer::new(sources.clone()), AllowSourcesLayer::behind);
            route.layer((RenderRejectionsLayer::new(), allow))
        }
        None => route,
    };
    let route = if endpoint.require_https {
        let require = behind(endpoint, RequireHttpsLayer::new(), RequireHttpsLayer::behind);
        route.layer((RenderRejectionsLayer::new(), require))
    } else {
        route
    };
    let journal = Journal { path: endpoint.path.as_str().into(), provider: endpoint.verifier.provider().into() };
    Ok(route.layer(middleware::from_fn_with_state(journal, journal::record)))
}

/// The handler sees deliveries, and nothing else.
fn verified(endpoint: &Endpoint, handler: Arc<Handler>) -> Result<MethodRouter, ConfigError> {
    let route = any(move |delivery: Delivery, body: Bytes| async move { handler.handle(&delivery, &body).await });
    let mut stack = WebhookLayer::builder(endpoint.verifier.clone())
        .rate_limit(limit(endpoint, LimitKey::Address, client(endpoint)))
        .handshake(endpoint.handshakes.clone())
        .then(MapRequestLayer::new(journal::note_delivery))
        .then(limit(endpoint, LimitKey::Sender, BySender))
        .then(option_layer(endpoint.allow_events.clone()))
        .then(option_layer(endpoint.schema.clone()));
    if let Some(bytes) = endpoint.max_body {
        stack = stack.max_body(bytes);
    }
    if let Some(now) = endpoint.now {
        stack = stack.with_clock(ManualClock::at(now));
    }
    if let Some(retention) = endpoint.retention {
        stack = stack.retention(retention);
    }
    Ok(match &endpoint.replay {
        Replay::Memory => route.layer(stack.build()?),
        Replay::Redis(redis) => route.layer(stack.replay(RedisNonceStore::new(redis.clone())).build()?),
        Replay::Off => route.layer(stack.without_replay_protection().build()?),
    })
}

/// The handler sees all requests, with a word on what would have become of them.
fn reported(endpoint: &Endpoint, handler: Arc<Handler>) -> MethodRouter {
    let route = any(move |Extension(report): Extension<SignatureReport>, body: Bytes| async move {
        let (status, answer) = handler.handle_any(&report, &body).await;
        (status, Extension(report), answer)
    });
    let mut layer = ReportSignatureLayer::new(endpoint.verifier.clone());
    if let Some(bytes) = endpoint.max_body {
        layer = layer.max_body(bytes);
    }
    if let Some(now) = endpoint.now {
        layer = layer.with_clock(ManualClock::at(now));
    }
    route.layer((RenderRejectionsLayer::new(), limit(endpoint, LimitKey::Address, client(endpoint)), layer))
}

fn client(endpoint: &Endpoint) -> ClientAddr {
    endpoint.proxies.clone().map_or_else(ClientAddr::new, ClientAddr::behind)
}

/// The layer, told whose word to take for clients.
fn behind<L>(endpoint: &Endpoint, layer: L, tell: impl FnOnce(L, TrustedProxies) -> L) -> L {
    match &endpoint.proxies {
        Some(proxies) => tell(layer, proxies.clone()),
        None => layer,
    }
}

/// The endpoint's limit if it is one by this key, else one of nothing.
fn limit<K: Clone>(endpoint: &Endpoint, key: LimitKey, by: K) -> RateLimitLayer<Option<K>, Rates> {
    match endpoint.rate_limit.as_ref().filter(|limit| limit.key == key) {
        None => RateLimitLayer::new(Quota::per_second(0), None, Rates::new(None)),
        Some(Limit { quota, charge, redis, .. }) => {
            let layer = RateLimitLayer::new(*quota, Some(by), Rates::new(redis.clone().map(RedisRateStore::new)));
            if *charge == LimitCharge::Failures { layer.charge_failures() } else { layer }
        }
    }
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
    type Check = Pin<Box<dyn Future<Output = Result<Standing, StoreError>> + Send>>;

    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
        match self {
            Self::InMemory(rates) => Box::pin(rates.check(key, quotas, charge)),
            Self::InRedis(rates) => rates.check(key, quotas, charge),
        }
    }
}
