//! Strangers are told nothing of what is wrong with a payload.

use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{ValidatePayloadLayer, VerifySignatureLayer},
    scheme::Verifier,
};

fn app(verifier: Verifier) -> Router {
    Router::new()
        .route("/", post(|| async {}))
        .layer(ServiceBuilder::new().layer(ValidatePayloadLayer::new()).layer(VerifySignatureLayer::new(verifier)))
}

fn main() {}
