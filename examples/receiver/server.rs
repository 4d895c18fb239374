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
    body::BodyBudget,
    clock::ManualClock,
    layer::{
        AllowSourcesLayer, BySender, ClientAddr, ObserveLayer, RateLimitLayer, RenderRejectionsLayer,
        ReportSignatureLayer, RequireHttpsLayer, SignatureReport, WebhookLayer,
    },
    store::{
        Charge, MemoryNonceStore, MemoryRateStore, Quota, Quotas, RateKey, RateStore, RedisConnection, RedisNonceStore,
        RedisRateStore, Standing, StoreError,
    },
};

use crate::{
    config::{Endpoint, Limit, LimitCharge, LimitKey, Problem, Replay},
    handler::Handler,
    journal::{self, Journal},
    watch::{Store, Watch},
};

/// With somebody who watches, if anybody wants to know.
pub(crate) fn router(endpoints: Vec<Endpoint>, mut watch: Option<&mut Watch>) -> Result<Router, Problem> {
    let mut router = Router::new().without_v07_checks().fallback(journal::not_found);
    for (index, endpoint) in endpoints.into_iter().enumerate() {
        let stores = Stores::of(&endpoint);
        let budget = watch.as_ref().map_or_else(BodyBudget::process, |watch| watch.budget.clone());
        let observe = watch.as_mut().map(|watch| watch.layer(index, &endpoint, stores.named()));
        let route = route(&endpoint, &stores, budget, observe)
            .map_err(|error| Problem::new(error.to_string()).at(&endpoint.name))?;
        router = router.route(&endpoint.path, route);
    }
    Ok(router)
}

/// From inside out.
fn route(
    endpoint: &Endpoint,
    stores: &Stores,
    budget: BodyBudget,
    observe: Option<ObserveLayer>,
) -> Result<MethodRouter, ConfigError> {
    let handler = Arc::new(Handler::new(endpoint.handler));
    let route = if endpoint.report_only {
        reported(endpoint, stores, handler)
    } else {
        verified(endpoint, stores, budget, handler)?
    };
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
    let route = match observe {
        Some(observe) => route.layer(observe),
        None => route,
    };
    let journal = Journal { path: endpoint.path.as_str().into(), provider: endpoint.verifier.provider().into() };
    Ok(route.layer(middleware::from_fn_with_state(journal, journal::record)))
}

/// The handler sees deliveries, and nothing else.
fn verified(
    endpoint: &Endpoint,
    stores: &Stores,
    budget: BodyBudget,
    handler: Arc<Handler>,
) -> Result<MethodRouter, ConfigError> {
    let route = any(move |delivery: Delivery, body: Bytes| async move { handler.handle(&delivery, &body).await });
    let mut stack = WebhookLayer::builder(endpoint.verifier.clone())
        .budget(budget)
        .rate_limit(limit(endpoint, stores, LimitKey::Address, client(endpoint)))
        .handshake(endpoint.handshakes.clone())
        .then(MapRequestLayer::new(journal::note_delivery))
        .then(limit(endpoint, stores, LimitKey::Sender, BySender))
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
    Ok(match &stores.nonces {
        Some(Nonces::InMemory(nonces)) => route.layer(stack.replay(nonces.clone()).build()?),
        Some(Nonces::InRedis(redis)) => route.layer(stack.replay(RedisNonceStore::new(redis.clone())).build()?),
        None => route.layer(stack.without_replay_protection().build()?),
    })
}

/// The handler sees all requests, with a word on what would have become of them.
fn reported(endpoint: &Endpoint, stores: &Stores, handler: Arc<Handler>) -> MethodRouter {
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
    route.layer((RenderRejectionsLayer::new(), limit(endpoint, stores, LimitKey::Address, client(endpoint)), layer))
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
fn limit<K: Clone>(endpoint: &Endpoint, stores: &Stores, key: LimitKey, by: K) -> RateLimitLayer<Option<K>, Rates> {
    match (&endpoint.rate_limit, &stores.rates) {
        (Some(Limit { quota, charge, key: limited, .. }), Some(rates)) if *limited == key => {
            let layer = RateLimitLayer::new(*quota, Some(by), rates.clone());
            if *charge == LimitCharge::Failures { layer.charge_failures() } else { layer }
        }
        _ => RateLimitLayer::new(Quota::per_second(0), None, Rates::InMemory(MemoryRateStore::with_capacity(1))),
    }
}

/// What an endpoint remembers in.
struct Stores {
    nonces: Option<Nonces>,
    rates: Option<Rates>,
}

enum Nonces {
    InMemory(MemoryNonceStore),
    InRedis(RedisConnection),
}

/// Rates where the file says.
#[derive(Clone)]
enum Rates {
    InMemory(MemoryRateStore),
    InRedis(RedisConnection, RedisRateStore),
}

impl Stores {
    fn of(endpoint: &Endpoint) -> Self {
        let nonces = match &endpoint.replay {
            _ if endpoint.report_only => None,
            Replay::Memory => Some(Nonces::InMemory(MemoryNonceStore::new())),
            Replay::Redis(redis) => Some(Nonces::InRedis(redis.clone())),
            Replay::Off => None,
        };
        let rates = endpoint.rate_limit.as_ref().map(|limit| match &limit.redis {
            None => Rates::InMemory(MemoryRateStore::new()),
            Some(redis) => Rates::InRedis(redis.clone(), RedisRateStore::new(redis.clone())),
        });
        Self { nonces, rates }
    }

    fn named(&self) -> Vec<(&'static str, Store)> {
        let nonces = self.nonces.as_ref().map(|nonces| match nonces {
            Nonces::InMemory(nonces) => Store::Nonces(nonces.clone()),
            Nonces::InRedis(redis) => Store::Redis(redis.clone()),
        });
        let rates = self.rates.as_ref().map(|rates| match rates {
            Rates::InMemory(rates) => Store::Rates(rates.clone()),
            Rates::InRedis(redis, _) => Store::Redis(redis.clone()),
        });
        [("replay", nonces), ("rate", rates)].into_iter().filter_map(|(what, store)| Some((what, store?))).collect()
    }
}

impl RateStore for Rates {
    type Check = Pin<Box<dyn Future<Output = Result<Standing, StoreError>> + Send>>;

    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
        match self {
            Self::InMemory(rates) => Box::pin(rates.check(key, quotas, charge)),
            Self::InRedis(_, rates) => rates.check(key, quotas, charge),
        }
    }
}
