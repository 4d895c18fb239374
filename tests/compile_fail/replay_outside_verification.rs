//! Replay protection outside verification would let strangers fill the store and silence genuine deliveries.

use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{RejectReplayLayer, VerifySignatureLayer},
    scheme::Verifier,
    store::MemoryNonceStore,
};

fn app(verifier: Verifier) -> Router {
    Router::new().route("/", post(|| async {})).layer(
        ServiceBuilder::new()
            .layer(RejectReplayLayer::new(MemoryNonceStore::new()))
            .layer(VerifySignatureLayer::new(verifier)),
    )
}

fn main() {}
