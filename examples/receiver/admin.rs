//! For operators: metrics for Prometheus, and a page that shows what is going on. On an address of its own, which strangers must not reach.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tower_webhook::{
    clock::{Clock, SystemClock},
    observe::{Reading, Watched},
};

use crate::{
    live::Snapshot,
    watch::{BUDGET_BYTES, Watch},
};

/// What the listener at this address answers.
pub(crate) fn router(watch: Watch, metrics: PrometheusHandle, address: SocketAddr) -> Router {
    let admin = Arc::new(Admin { watch, metrics, began: SystemClock.monotonic(), policy: content_security_policy() });
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/status") }))
        .route("/metrics", get(metrics_text))
        .route("/status", get(|| async { Html(PAGE) }))
        .route("/status.json", get(status))
        .layer(middleware::from_fn_with_state((Arc::clone(&admin), address.ip()), guard))
        .with_state(admin)
}

struct Admin {
    watch: Watch,
    metrics: PrometheusHandle,
    began: Duration,
    policy: HeaderValue,
}

const PAGE: &str = include_str!("status.html");

async fn metrics_text(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    admin.watch.update_gauges();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render())
}

async fn status(State(admin): State<Arc<Admin>>) -> Json<Status> {
    let now = SystemClock.monotonic();
    let Admin { watch, began, .. } = &*admin;
    let stores = watch.stores.iter().map(|(name, store)| {
        let Reading { entries, capacity, is_available, .. } = store.reading();
        StoreView { name: name.to_string(), entries, capacity, is_available }
    });
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        now: SystemClock.now().map_or(0, |now| now.as_millis()),
        uptime_secs: now.saturating_sub(*began).as_secs(),
        live: watch.live.snapshot(now),
        stores: stores.collect(),
        buffered_bytes: watch.budget.held(),
        budget_bytes: BUDGET_BYTES,
    })
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    /// Milliseconds since 1970.
    now: u64,
    uptime_secs: u64,
    #[serde(flatten)]
    live: Snapshot,
    stores: Vec<StoreView>,
    buffered_bytes: usize,
    budget_bytes: usize,
}

#[derive(Serialize)]
struct StoreView {
    name: String,
    entries: Option<u64>,
    capacity: Option<u64>,
    is_available: Option<bool>,
}

/// Around everything: who asks under a stranger's name is not answered, and no answer serves another page.
async fn guard(State((admin, address)): State<(Arc<Admin>, IpAddr)>, request: Request, next: Next) -> Response {
    let mut response = if is_addressed(request.uri(), request.headers(), address) {
        next.run(request).await
    } else {
        let words = "this listener answers under localhost and its own address only\n";
        (StatusCode::MISDIRECTED_REQUEST, words).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, admin.policy.clone());
    for (name, value) in FIXED_HEADERS {
        headers.insert(name, value);
    }
    response
}

const FIXED_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Whether the request is meant for this listener. A page of a stranger's can have its own name resolve to this address, and would then
/// read all this as its own; but the browser still says that name.
fn is_addressed(uri: &Uri, headers: &HeaderMap, address: IpAddr) -> bool {
    let mut named = 0;
    let hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let are_all_ours = uri.authority().cloned().map(Some).into_iter().chain(hosts).all(|host| {
        named += 1;
        host.is_some_and(|host| is_ours(host.host(), address))
    });
    named > 0 && are_all_ours && headers.get_all(header::HOST).iter().count() <= 1
}

fn is_ours(host: &str, address: IpAddr) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let Ok(named) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else { return false };
    // An address is no name that resolves to another, and on all interfaces we have more of them than we know.
    named.is_loopback() || named == address || address.is_unspecified()
}

/// Only what is in the page runs, and it talks to where it came from.
fn content_security_policy() -> HeaderValue {
    let hash = |tag: &str| {
        let inside = PAGE
            .split_once(&format!("<{tag}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")))
            .map_or("", |(inside, _)| inside);
        BASE64.encode(Sha256::digest(inside))
    };
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style"),
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}
