//! The Tower side: one layer for each thing to check, and [`WebhookLayer`] for all of them.
//!
//! A layer says what it has established through the type of the request body it hands on, so a stack in an unsafe order
//! does not compile:
//!
//! | layer | accepts | lets through |
//! |---|---|---|
//! | [`RenderRejectionsLayer`] | any body | the same |
//! | [`RateLimitLayer`] by address | any body | the same |
//! | [`BufferBodyLayer`] | any body | [`Buffered`](crate::body::Buffered) |
//! | [`VerifySignatureLayer`] | any body | [`Verified`](crate::body::Verified) |
//! | [`EnforceTimestampLayer`], [`RateLimitLayer`] by sender, [`RejectReplayLayer`] | `Verified` only | `Verified` |
//! | the handler | any body | |
//!
//! # A check of your own
//!
//! ```
//! use http::Request;
//! use tower_webhook::{Rejection, body::{Verified, VerifiedBody}, layer::{Check, GuardLayer, Never, Refusal, Step}};
//!
//! /// Lets only deliveries of one event type through.
//! #[derive(Clone)]
//! struct OnlyPushes;
//!
//! impl<B: VerifiedBody> Check<B> for OnlyPushes {
//!     type Out = Verified;
//!     type Future = Never<Verified>;
//!
//!     fn check(&self, request: Request<B>) -> Step<Self::Out, Self::Future> {
//!         let request = request.map(B::into_verified);
//!         Step::Now(match request.body().delivery().event() {
//!             Some("push") => Ok(request),
//!             _ => Err(Refusal::answer(http::StatusCode::OK, "ignored")),
//!         })
//!     }
//! }
//!
//! let layer = GuardLayer::new(OnlyPushes);
//! ```

mod buffer_body;
mod check;
mod enforce_timestamp;
#[cfg(feature = "_public-key")]
mod find_keys;
mod guard;
mod limits;
mod rate_limit;
mod reject_replay;
mod render_rejections;
mod verify_signature;
mod webhook;

pub use self::{
    buffer_body::{BufferBody, BufferBodyFuture, BufferBodyLayer},
    check::{Check, Never, Refusal, Step},
    enforce_timestamp::{EnforceTimestamp, EnforceTimestampLayer},
    guard::{Guard, GuardFuture, GuardLayer},
    rate_limit::{BySender, ClientAddr, RateLimit, RateLimitBy, RateLimitFuture, RateLimitLayer},
    reject_replay::{RejectReplay, RejectReplayFuture, RejectReplayLayer},
    render_rejections::{Protocol, RenderRejections, RenderRejectionsFuture, RenderRejectionsLayer, Rendered},
    verify_signature::{VerifySignature, VerifySignatureFuture, VerifySignatureLayer},
    webhook::{WebhookBuilder, WebhookLayer},
};
