//! What verifies: secrets, public keys, rings of several, and where to find them.
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
//! let stripe = provider::STRIPE.verifier([("2026-11", "whsec_new"), ("2026-05", "whsec_old")])?;
//!
//! // The same in more words.
//! let ring = KeyRing::new([
//!     Key::new(Secret::text("whsec_new")?).with_id("2026-11"),
//!     Key::new(Secret::text("whsec_old")?).with_id("2026-05"),
//! ])?;
//! let stripe = provider::STRIPE.verifier(ring)?;
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! Keys that change while the server runs are replaced through a [`SwapVerifier`](crate::layer::SwapVerifier), where a secret's rotation is described step by
//! step; those of many tenants are looked up by [`Tenants`](crate::layer::Tenants). A key may be [good for a time](Key::valid_until) only, its
//! [use is counted](crate::scheme::Verifier::key_usage), and what [looks wrong](SecretFinding) about a secret is said at start-up.
//!
//! Public keys are written as text too: PEM, DER in base64, hexadecimal digits, JSON Web Keys and sets of them ([`PublicKey`]). Those that
//! a provider publishes are fetched when a request asks for them, by [`RemoteKeys`] or a [`KeySource`] of your own:
//!
//! ```
//! # #[cfg(all(feature = "fetch", feature = "jwt", feature = "rsa"))] {
//! use tower_webhook::{key::RemoteKeys, provider, scheme::Verifier};
//!
//! let pubsub = Verifier::builder(provider::GOOGLE_PUBSUB_PUSH)
//!     .parameter("audience", "https://hooks.example.com/pubsub")
//!     .parameter("email", "pusher@my-project.iam.gserviceaccount.com")
//!     .build(RemoteKeys::https()?)?;
//! # }
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```

#[cfg(feature = "_public-key")]
mod asymmetric;
#[cfg(feature = "x509")]
mod certificate;
mod compare;
#[cfg(feature = "_public-key")]
mod encoded;
#[cfg(feature = "fetch")]
mod fetch;
mod lint;
pub(crate) mod lookups;
mod public;
mod remote;
mod ring;
mod secret;
mod source;
mod usage;

pub use self::{
    lint::{KeyFinding, SecretFinding},
    public::PublicKey,
    ring::{IntoKeys, Key, KeyRing},
    secret::{Secret, SecretFormat},
    source::{FoundKey, HostRule, KeyError, KeyForm, KeyFuture, KeyQuery, KeySource},
    usage::KeyUsage,
};
#[cfg(feature = "_public-key")]
pub(crate) use asymmetric::{Digested, Digesting};
#[cfg(all(feature = "jwt", feature = "x509"))]
pub(crate) use certificate::x5c_key;
pub(crate) use compare::{Tag, first_match};
#[cfg(all(feature = "jwt", feature = "_public-key"))]
pub(crate) use encoded::jwk_set;
#[cfg(feature = "fetch")]
pub use fetch::HttpsFetcher;
pub(crate) use public::KeyKind;
pub use remote::{NoBody, RemoteKeys};
pub(crate) use ring::{Material, Window};
pub(crate) use usage::UseCounter;
