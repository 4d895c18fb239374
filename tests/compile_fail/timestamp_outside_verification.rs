//! A time that nobody has verified is whatever the sender likes.

use std::time::Duration;

use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{EnforceTimestampLayer, VerifySignatureLayer},
    scheme::Verifier,
};

fn app(verifier: Verifier) -> Router {
    Router::new().route("/", post(|| async {})).layer(
        ServiceBuilder::new()
            .layer(EnforceTimestampLayer::new(Duration::from_secs(30)))
            .layer(VerifySignatureLayer::new(verifier)),
    )
}

fn main() {}
