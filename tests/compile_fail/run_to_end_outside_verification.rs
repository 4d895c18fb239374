//! Outside verification, strangers could have the server go on with requests that they have long given up.

use axum::{Router, routing::post};
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{RunToEndLayer, VerifySignatureLayer},
    scheme::Verifier,
};

fn app(verifier: Verifier) -> Router {
    Router::new().route("/", post(|| async {})).layer(
        ServiceBuilder::new().layer(RunToEndLayer::new()).layer(VerifySignatureLayer::new(verifier)),
    )
}

fn main() {}
