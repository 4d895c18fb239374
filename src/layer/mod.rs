//! The Tower side: one layer for each thing to check, and [`WebhookLayer`] for all of them.
//!
//! A layer says what it has established through the type of the request body it hands on, so a stack in an unsafe order
//! does not compile:
//!
//! | layer | accepts | lets through |
//! |---|---|---|
//! | [`RenderRejectionsLayer`], [`ObserveLayer`] | any body | the same |
//! | [`RequireHttpsLayer`], [`AllowSourcesLayer`] | any body | the same |
//! | [`RateLimitLayer`] by address | any body | the same |
//! | [`HandshakeLayer`], [`RequireMediaTypeLayer`] | any body | the same |
//! | [`BufferBodyLayer`] | any body | [`Buffered`](crate::body::Buffered) |
//! | [`ReportSignatureLayer`], instead of the next | any body | `Buffered` |
//! | [`VerifySignatureLayer`] | any body | [`Verified`](crate::body::Verified) |
//! | [`SignedHandshakeLayer`], [`EnforceTimestampLayer`], [`RateLimitLayer`] by sender, [`AllowEventsLayer`], [`ValidatePayloadLayer`], [`RunToEndLayer`], [`RejectReplayLayer`] | `Verified` only | `Verified` |
//! | the handler | any body | |
//!
//! Which keys a request is verified by is said by a [`VerifierSource`]: a [`Verifier`](crate::scheme::Verifier), one that can be
//! replaced ([`SwapVerifier`]), those of many [`Tenants`], or one for each of several providers ([`Dispatch`]).
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

mod allow_events;
mod allow_sources;
mod authentic;
mod background;
mod buffer_body;
mod check;
mod enforce_timestamp;
#[cfg(feature = "_public-key")]
mod find_keys;
mod guard;
mod handshake;
mod limits;
mod observe;
mod rate_limit;
mod reject_replay;
mod render_rejections;
mod report_signature;
mod require_https;
mod run_to_end;
mod sender;
mod validate_payload;
mod verifiers;
mod verify_signature;
mod webhook;

#[cfg(feature = "decompress")]
pub use self::validate_payload::{DecodeBody, DecodeBodyLayer};
pub use self::{
    allow_events::{AllowEvents, AllowEventsLayer},
    allow_sources::{AllowSources, AllowSourcesLayer, Sources},
    buffer_body::{BufferBody, BufferBodyFuture, BufferBodyLayer},
    check::{Check, Never, Refusal, Step},
    enforce_timestamp::{EnforceTimestamp, EnforceTimestampLayer},
    guard::{Guard, GuardFuture, GuardLayer},
    handshake::{
        HandshakeFuture, HandshakeLayer, Handshakes, HookSecret, SignedHandshakeFuture, SignedHandshakeLayer,
        SignedHandshakes,
    },
    observe::{Observe, ObserveFuture, ObserveLayer, Observed},
    rate_limit::{ByRoute, BySender, ClientAddr, Costing, RateLimit, RateLimitBy, RateLimitFuture, RateLimitLayer},
    reject_replay::{Dangerous, RejectReplay, RejectReplayFuture, RejectReplayLayer, ReplayUnchecked, Settled},
    render_rejections::{Protocol, RenderRejections, RenderRejectionsFuture, RenderRejectionsLayer, Rendered},
    report_signature::{ReportSignature, ReportSignatureFuture, ReportSignatureLayer, SignatureReport},
    require_https::{RequireHttps, RequireHttpsLayer},
    run_to_end::{RunToEnd, RunToEndFuture, RunToEndLayer, ToEnd},
    validate_payload::{
        JsonRules, RequireMediaType, RequireMediaTypeLayer, ValidatePayload, ValidatePayloadBuilder,
        ValidatePayloadLayer,
    },
    verifiers::{Choice, ChoiceFuture, Dispatch, FindTenant, SwapVerifier, TenantIn, Tenants, VerifierSource},
    verify_signature::{VerifySignature, VerifySignatureFuture, VerifySignatureLayer},
    webhook::{WebhookBuilder, WebhookLayer},
};
