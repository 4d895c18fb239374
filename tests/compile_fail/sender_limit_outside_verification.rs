//! A quota keyed by a sender that nobody has verified is one that strangers can spend.

use axum::{Router, routing::post};
use tower_webhook::{
    layer::{BySender, RateLimitLayer},
    store::{MemoryRateStore, Quota},
};

fn app() -> Router {
    Router::new()
        .route("/", post(|| async {}))
        .layer(RateLimitLayer::new(Quota::per_minute(600), BySender, MemoryRateStore::new()))
}

fn main() {}
