//! An event type that nobody has verified is whatever the sender likes.

use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{AllowEventsLayer, VerifySignatureLayer},
    scheme::Verifier,
};

fn app(verifier: Verifier) -> Router {
    Router::new()
        .route("/", post(|| async {}))
        .layer(ServiceBuilder::new().layer(AllowEventsLayer::by(|_| true)).layer(VerifySignatureLayer::new(verifier)))
}

fn main() {}
