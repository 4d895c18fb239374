//! The middle of the stack was lost in a refactoring.

use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{BufferBodyLayer, ClientAddr, RateLimitLayer, RejectReplayLayer, RenderRejectionsLayer},
    store::{MemoryNonceStore, MemoryRateStore, Quota},
};

fn app() -> Router {
    Router::new().route("/", post(|| async {})).layer(
        ServiceBuilder::new()
            .layer(RenderRejectionsLayer::new())
            .layer(RateLimitLayer::new(Quota::per_minute(600), ClientAddr::new(), MemoryRateStore::new()))
            .layer(BufferBodyLayer::new())
            .layer(RejectReplayLayer::new(MemoryNonceStore::new())),
    )
}

fn main() {}
