//! The sending side: requests that receivers can verify.
//!
//! [`SignLayer`] signs what a Tower client sends: plain hyper, tonic's `Channel`, or whatever else takes an `http::Request`.
//!
//! ```
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::ServiceBuilder;
//! use tower_webhook::{client::{SignLayer, Signed}, provider};
//!
//! let signer = provider::STANDARD_WEBHOOKS.signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! let client = ServiceBuilder::new()
//!     .layer(SignLayer::new(signer))
//!     .service(Client::builder(TokioExecutor::new()).build_http::<Signed>());
//! # let _ = client;
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! # Retries
//!
//! A receiver refuses what was signed too long ago, and knows a delivery that it has handled by its id. So each attempt must be signed anew,
//! under the id of the first. The layer that tries again stands outside [`SignLayer`], which signs each attempt when it is made; and the id is
//! chosen outside both, with [`DeliveryId::assign`], because a layer that tries again sends clones of the request that *it* was given.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, retry::RetryLayer, util::MapRequestLayer};
//! use tower_webhook::{client::{DeliveryId, SignLayer}, provider};
//! # #[derive(Clone)]
//! # struct UpToThreeTimes;
//!
//! let signer = provider::STANDARD_WEBHOOKS.signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! let stack = ServiceBuilder::new()
//!     .layer(MapRequestLayer::new(DeliveryId::assign::<Full<Bytes>>)) // once for a delivery
//!     .layer(RetryLayer::new(UpToThreeTimes))
//!     .layer(SignLayer::new(signer)); // once for an attempt
//! # let _ = stack;
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! Inside [`SignLayer`], a layer that tries again sends the same signature again, which is good for as long as the receiver's tolerance lasts.

mod collect;
mod delivery_id;
mod sign;
mod sign_error;
mod signed;

pub use self::{
    delivery_id::DeliveryId,
    sign::{Sign, SignFuture, SignLayer},
    sign_error::SignError,
    signed::Signed,
};
