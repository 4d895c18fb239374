//! A report proves nothing: what acts on deliveries cannot stand behind it.

use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{RejectReplayLayer, ReportSignatureLayer},
    scheme::Verifier,
    store::MemoryNonceStore,
};

fn app(verifier: Verifier) -> Router {
    Router::new().route("/", post(|| async {})).layer(
        ServiceBuilder::new()
            .layer(ReportSignatureLayer::new(verifier))
            .layer(RejectReplayLayer::new(MemoryNonceStore::new())),
    )
}

fn main() {}
