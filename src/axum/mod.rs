//! Extractors for axum: the [`Delivery`], and the [`Webhook`] that has its payload with it.
//!
//! ```
//! use axum::{Router, routing::post};
//! use tower_webhook::{Delivery, layer::WebhookLayer, provider};
//!
//! async fn pushed(delivery: Delivery, body: String) {
//!     println!("{:?} {}: {body}", delivery.event(), delivery.id().unwrap_or("without id"));
//! }
//!
//! let github = provider::GITHUB.verifier("a secret shared with GitHub")?;
//! let app: Router = Router::new().route("/github", post(pushed)).layer(WebhookLayer::new(github));
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```

mod webhook;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

pub use self::webhook::{Webhook, WebhookRejection};
use crate::Delivery;

/// The handler wants a [`Delivery`] or a [`Webhook`], and nothing in front of it verifies one: answered `500`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MissingVerification;

impl std::fmt::Display for MissingVerification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "this handler takes a `Delivery` or a `Webhook`, but no `VerifySignatureLayer` or `WebhookLayer` is in front of it: \
             add one with `.layer(WebhookLayer::new(verifier))`",
        )
    }
}

impl std::error::Error for MissingVerification {}

impl IntoResponse for MissingVerification {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Delivery {
    type Rejection = MissingVerification;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingVerification> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingVerification)
    }
}

/// For handlers that serve verified and other requests alike.
impl<S: Sync> OptionalFromRequestParts<S> for Delivery {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
