//! Keys that are not configured but found when a request asks for them.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::PublicKey;
use crate::{Rejection, clock::UnixTime};

/// Where keys come from that are not configured, such as a [JWK set](KeyForm::JwkSet) or a [certificate](KeyForm::Certificate) at a URL.
///
/// Give it to a verifier in place of keys. What it costs to answer wrongly: a key that is not the provider's lets anyone in who holds its
/// private half; an answer that takes long keeps the request's body in memory for as long.
pub trait KeySource: Send + Sync + 'static {
    /// All keys that may have signed a request that asks for this.
    fn keys(&self, query: KeyQuery, now: UnixTime) -> KeyFuture;
}

/// The answer of a [`KeySource`].
pub type KeyFuture = Pin<Box<dyn Future<Output = Result<Arc<[FoundKey]>, KeyError>> + Send>>;

/// A key that was found.
#[derive(Clone, Debug)]
pub struct FoundKey {
    /// The key.
    pub key: PublicKey,
    /// Its name, such as the `kid` of a JSON Web Key.
    pub id: Option<Arc<str>>,
}

/// Which key a request asks for. Nothing in it is proven: it is what the request says before its signature is checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyQuery {
    pub(crate) url: Box<str>,
    pub(crate) id: Option<Box<str>>,
    pub(crate) form: KeyForm,
}

/// What is at the URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyForm {
    /// A JSON Web Key Set (RFC 7517). The URL is the scheme's own.
    JwkSet,
    /// One public key in PEM. The URL is the scheme's own, with the key's id in it.
    Pem,
    /// A certificate in PEM, perhaps with its chain. The URL comes from the request, so whoever sends it may have chosen it.
    Certificate {
        /// Hosts that it may be fetched from.
        hosts: Arc<[HostRule]>,
        /// The name that the certificate must be for, or how it must end if it starts with a dot; empty if any will do.
        name: Box<str>,
    },
}

/// Hosts that keys may be fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostRule {
    /// This one.
    Exact(Box<str>),
    /// All that end so. It starts with a dot.
    Suffix(Box<str>),
    /// All with the name of an AWS region between these, which end and start with a dot.
    Region {
        /// What comes before it.
        before: Box<str>,
        /// What comes after it.
        after: Box<str>,
    },
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The URL is not one that keys may come from.
    Forbidden {
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no such key.
    Unknown,
    /// The certificate does not hold.
    Untrusted {
        /// Why not.
        why: &'static str,
    },
    /// It cannot be had right now.
    Unavailable {
        /// Why not.
        why: &'static str,
    },
}

impl KeyQuery {
    /// A question, for tests of a source.
    pub fn new(url: impl Into<Box<str>>, id: Option<&str>, form: KeyForm) -> Self {
        Self { url: url.into(), id: id.map(Into::into), form }
    }

    /// Where the key is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name there.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What is at the URL.
    pub fn form(&self) -> &KeyForm {
        &self.form
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden { why } => write!(f, "keys may not come from there: {why}"),
            Self::Unknown => f.write_str("there is no such key"),
            Self::Untrusted { why } => write!(f, "the certificate does not hold: {why}"),
            Self::Unavailable { why } => write!(f, "the key cannot be had: {why}"),
        }
    }
}

impl std::error::Error for KeyError {}

impl From<KeyError> for Rejection {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Forbidden { why } | KeyError::Untrusted { why } => Self::UntrustedKey { why },
            KeyError::Unknown => Self::UnknownKey,
            KeyError::Unavailable { why } => Self::KeysUnavailable { why },
        }
    }
}
