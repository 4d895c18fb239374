//! Tower layers that receive webhooks safely.
//!
//! A webhook endpoint is a door to the public internet behind which somebody's money, code or mail is handled. This crate makes
//! sure that the sender holds the key, that the bytes are the ones that were signed, that they are fresh, that each delivery is acted on once,
//! that none is lost, and that strangers cannot make the server spend memory or work. It is a stack of ordinary
//! `tower::Layer`s, for axum, tonic, plain hyper and whatever else speaks Tower.
//!
//! ```
//! use axum::{Router, body::Bytes, routing::post};
//! use tower_webhook::{layer::WebhookLayer, provider};
//!
//! let stripe = provider::STRIPE.verifier("whsec_…")?;
//!
//! let app: Router = Router::new()
//!     .route("/stripe", post(|event: Bytes| async move { println!("{} genuine bytes", event.len()) }))
//!     .layer(WebhookLayer::new(stripe));
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! # The stack
//!
//! [`layer::WebhookLayer`] composes it with safe defaults. By hand, a request meets these from top to bottom; another order that would be
//! unsafe does not compile.
//!
//! ```
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower_webhook::{layer::*, provider, store::{MemoryNonceStore, MemoryRateStore, Quota}};
//!
//! let slack = provider::SLACK.verifier(["new secret", "old secret"])?;
//! let rates = MemoryRateStore::new();
//! let stack = ServiceBuilder::new()
//!     .layer(RenderRejectionsLayer::new())
//!     .layer(ObserveLayer::new())
//!     .layer(RequireHttpsLayer::new())
//!     .layer(AllowSourcesLayer::new(Sources::networks(["192.0.2.0/24"])?))
//!     .layer(RateLimitLayer::new(Quota::per_minute(600), ClientAddr::new(), rates.clone()))
//!     .layer(VerifySignatureLayer::new(slack).max_body(256 * 1024))
//!     .layer(EnforceTimestampLayer::new(Duration::from_secs(60)))
//!     .layer(RateLimitLayer::new(Quota::per_second(100), BySender, rates))
//!     .layer(AllowEventsLayer::new(["app_mention", "message"])?)
//!     .layer(ValidatePayloadLayer::new())
//!     .layer(RejectReplayLayer::new(MemoryNonceStore::new()));
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! | layer | refuses with |
//! |---|---|
//! | [`RenderRejectionsLayer`](layer::RenderRejectionsLayer) | nothing: puts the others' rejections into words |
//! | [`ObserveLayer`](layer::ObserveLayer) | nothing: tells what becomes of each request |
//! | [`RequireHttpsLayer`](layer::RequireHttpsLayer) | 403 |
//! | [`AllowSourcesLayer`](layer::AllowSourcesLayer) | 403, or 500 if nothing tells the address |
//! | [`RateLimitLayer`](layer::RateLimitLayer) by address | 429, or 500 if nothing tells the address |
//! | [`HandshakeLayer`](layer::HandshakeLayer) | 400, 401, 404, 503; answers handshakes itself |
//! | [`VerifySignatureLayer`](layer::VerifySignatureLayer) | 400, 401, 405, 408, 413, 415, 421, 503 |
//! | [`EnforceTimestampLayer`](layer::EnforceTimestampLayer) | 401, or 500 if no time is signed |
//! | [`RateLimitLayer`](layer::RateLimitLayer) by sender | 429 |
//! | [`AllowEventsLayer`](layer::AllowEventsLayer) | 200 for an event that nobody wants, or 403 |
//! | [`ValidatePayloadLayer`](layer::ValidatePayloadLayer) | 415, 422 |
//! | [`RunToEndLayer`](layer::RunToEndLayer), if wanted | nothing: lets handlers finish whose clients have hung up |
//! | [`RejectReplayLayer`](layer::RejectReplayLayer) | 200 for a delivery that was handled, 503 while it is |
//!
//! # Where to look
//!
//! * [`provider`]: the catalogue of providers;
//! * [`scheme`]: how requests are signed, providers of your own, verifying and signing by hand;
//! * [`key`]: secrets, public keys, their rotation, and keys that providers publish;
//! * [`client`]: signing what a Tower client sends;
//! * [`handshake`]: how providers make sure that an endpoint is meant for them;
//! * [`layer`]: the layers, several tenants or providers on one route, a trial without enforcement, and checks of your own;
//! * [`body`]: bodies as proof, and the budget for those that are not verified yet;
//! * [`observe`]: logs, metrics and alarms;
//! * [`store`]: memory of deliveries and rates, and what a store of your own must do;
//! * [`clock`]: time, and its stand-in for tests;
//! * [`TrustedProxies`]: whose word is taken for the client's address, HTTPS and the public origin; [`PeerAddr`] and [`Tls`]: what is known
//!   of the connection;
//! * [`Delivery`]: what was proven about a request; [`Rejection`]: why one was turned away.
//!
//! # Features
//!
//! None is on by default; each only adds.
//!
//! * `axum`: [`Delivery`] as an extractor; axum's own record of peer addresses, and of the URI in nested routers.
//! * `decompress`: bodies that were sent and signed in gzip, deflate or Brotli.
//! * `ed25519`, `ecdsa`, `rsa`: signatures by private keys.
//! * `jwt`: JSON Web Tokens and Signatures, JSON Web Keys and sets of them.
//! * `x509`: certificates that requests point to or bring along, up to pinned roots.
//! * `fetch`: a client for [`key::RemoteKeys`], of hyper and rustls.
//! * `metrics`: counters, gauges and histograms, by the facade of that name.
//! * `redis`: stores that several processes share, in Redis or Valkey; `redis-tls`: the same over TLS.
//! * `schema`: JSON Schema for payloads.
//! * `serde`: [`scheme::SchemeBuilder`] and its parts from configuration files.
//! * `testing`: what every store must pass, for one of your own.
//! * `tonic`: [`Delivery`] of a `tonic::Request`, a scheme for gRPC calls, signing in tonic's clients.
//! * `tracing`: a span and an event for each request.
//!
//! A provider whose feature is off is refused when its verifier is built ([`ConfigError::MissingFeature`]).
//!
//! # What it does not protect from
//!
//! A secret that leaked; replays that are older than the nonce store's memory, where no time is signed; handling twice, if the process dies
//! between the handler's work and its commit; changes to headers that are not signed. The README has the whole list.

#![forbid(unsafe_code)]
// Nothing that a stranger sends may panic.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable))]
// What serves one feature is idle without it; with all of them on, nothing may be.
#![cfg_attr(
    not(all(
        feature = "ecdsa",
        feature = "ed25519",
        feature = "fetch",
        feature = "jwt",
        feature = "rsa",
        feature = "x509"
    )),
    allow(dead_code, unused_imports)
)]

#[cfg(feature = "axum")]
pub mod axum;
pub mod body;
pub mod client;
mod client_addr;
pub mod clock;
mod delivery;
mod error;
mod framework;
pub mod handshake;
pub mod key;
pub mod layer;
pub mod observe;
pub mod provider;
mod rejection;
pub mod scheme;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tonic")]
pub mod tonic;

pub use self::{
    client_addr::{ForwardingHeader, PeerAddr, Tls, TrustedProxies},
    delivery::Delivery,
    error::ConfigError,
    rejection::{Problem, Rejection},
};

/// The README's examples are tests.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
struct Readme;
