//! Tower layers that receive webhooks safely.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
pub mod body;
mod client_addr;
pub mod clock;
mod delivery;
mod error;
pub mod key;
pub mod layer;
pub mod provider;
mod rejection;
pub mod scheme;
pub mod store;

pub use self::{client_addr::PeerAddr, delivery::Delivery, error::ConfigError, rejection::Rejection};
