//! What verifies: secrets, and rings of several keys.
//!
//! ```
//! use tower_webhook::{key::{Key, KeyRing, Secret}, provider};
//!
//! // Most of the time text will do; how it becomes a key is the provider's matter.
//! let stripe = provider::STRIPE.verifier("whsec_new")?;
//!
//! // While a secret is being rotated, both are good, and deliveries tell which one matched.
//! let stripe = provider::STRIPE.verifier(["whsec_new", "whsec_old"])?;
//!
//! // Keys may have names, for logs and metrics.
//! let ring = KeyRing::new([
//!     Key::new(Secret::text("whsec_new")?).with_id("2026-11"),
//!     Key::new(Secret::text("whsec_old")?).with_id("2026-05"),
//! ])?;
//! let stripe = provider::STRIPE.verifier(ring)?;
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```

mod compare;
mod ring;
mod secret;

pub use self::{
    ring::{IntoKeys, Key, KeyRing},
    secret::{Secret, SecretFormat},
};
pub(crate) use compare::{Tag, first_match};
