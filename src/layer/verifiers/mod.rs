//! Which verifier judges a request.

mod dispatch;
mod find_tenant;
mod known;
mod swap;
mod tenants;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderName, Method, request::Parts};

pub use self::{
    dispatch::Dispatch,
    find_tenant::{FindTenant, TenantIn},
    swap::SwapVerifier,
    tenants::Tenants,
};
use crate::{Rejection, body::Limits, clock::UnixTime, scheme::Verifier};

/// Says which verifier judges a request.
///
/// A [`Verifier`] judges all of them. [`SwapVerifier`] is one that can be replaced while requests come, [`Tenants`](super::Tenants) looks keys up
/// by whom a request is for, [`Dispatch`] chooses by the headers of different providers.
///
/// For one of your own: nothing in the head is proven, so it must lead to no verifier but those that you hold anyway, and must leave nothing behind.
/// What wrong answers cost: whoever holds a key of the chosen verifier is let in.
///
/// ```
/// use http::request::Parts;
/// use tower_webhook::{
///     clock::UnixTime,
///     layer::{Choice, VerifierSource, VerifySignatureLayer},
///     provider,
///     scheme::Verifier,
/// };
///
/// /// Test deliveries come to a path of their own, and are signed with a key of their own.
/// struct ByMode {
///     live: Verifier,
///     test: Verifier,
/// }
///
/// impl VerifierSource for ByMode {
///     fn choose(&self, head: &Parts, _: UnixTime) -> Choice {
///         let verifier = if head.uri.path().starts_with("/test/") { &self.test } else { &self.live };
///         Choice::Now(Ok(verifier.clone()))
///     }
///
///     fn examples(&self) -> Vec<Verifier> {
///         vec![self.live.clone(), self.test.clone()]
///     }
/// }
///
/// let mode = |name, secret| Verifier::builder(provider::STRIPE).tenant(name).build(secret);
/// let layer = VerifySignatureLayer::new(ByMode { live: mode("live", "whsec_1")?, test: mode("test", "whsec_2")? });
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
pub trait VerifierSource: Send + Sync + 'static {
    /// The verifier for a request that came at `now`, of which only the head is known.
    fn choose(&self, head: &Parts, now: UnixTime) -> Choice;

    /// Verifiers of every kind that may be chosen: by them, layers know the largest body, the widest tolerance, and which headers to
    /// look for.
    fn examples(&self) -> Vec<Verifier>;
}

/// The answer of a [`VerifierSource`].
pub enum Choice {
    /// It is known.
    Now(Result<Verifier, Rejection>),
    /// It has to be looked up first. Requests wait for it, with their bodies unread.
    Later(ChoiceFuture),
}

/// The promise of a verifier.
pub type ChoiceFuture = Pin<Box<dyn Future<Output = Result<Verifier, Rejection>> + Send>>;

impl VerifierSource for Verifier {
    fn choose(&self, _: &Parts, _: UnixTime) -> Choice {
        Choice::Now(Ok(self.clone()))
    }

    fn examples(&self) -> Vec<Verifier> {
        vec![self.clone()]
    }
}

impl<V: VerifierSource + ?Sized> VerifierSource for Arc<V> {
    fn choose(&self, head: &Parts, now: UnixTime) -> Choice {
        (**self).choose(head, now)
    }

    fn examples(&self) -> Vec<Verifier> {
        (**self).examples()
    }
}

/// A source, whatever its type: so that layers, and the errors of those who compose them, need not name it.
#[derive(Clone)]
pub(super) struct SharedSource {
    source: Arc<dyn VerifierSource>,
    /// As they were when the layer was made.
    examples: Arc<[Verifier]>,
}

impl SharedSource {
    pub(super) fn new(source: impl VerifierSource) -> Self {
        Self { examples: source.examples().into(), source: Arc::new(source) }
    }

    pub(super) fn choose(&self, head: &Parts, now: UnixTime) -> Choice {
        self.source.choose(head, now)
    }

    /// # Errors
    ///
    /// If no delivery comes with this method, whoever is to judge it.
    pub(super) fn check_method(&self, method: &Method) -> Result<(), Rejection> {
        let mut judged = self.examples.iter().map(|verifier| verifier.check_method(method));
        let Some(first) = judged.next() else { return Ok(()) };
        judged.fold(first, Result::or)
    }

    pub(super) fn examples(&self) -> &[Verifier] {
        &self.examples
    }

    pub(super) fn largest_body(&self) -> usize {
        self.examples.iter().map(Verifier::max_body).max().unwrap_or(Limits::MAX_BODY)
    }

    /// The headers in which requests bring signatures and secrets.
    pub(super) fn secret_headers(&self) -> Vec<HeaderName> {
        let mut headers: Vec<_> = self.examples.iter().flat_map(Verifier::signature_headers).cloned().collect();
        headers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        headers.dedup();
        headers
    }

    /// The name of the scheme, if all are of the same.
    pub(super) fn only_provider(&self) -> Option<Arc<str>> {
        let first = self.examples.first()?.shared_provider();
        self.examples.iter().all(|verifier| verifier.shared_provider() == first).then(|| Arc::clone(first))
    }

    /// The longest time in which the same signature is accepted.
    pub(super) fn longest_acceptance(&self) -> Duration {
        let tolerances = self.examples.iter().filter_map(Verifier::tolerance);
        tolerances.map(|tolerance| tolerance.past.saturating_add(tolerance.future)).max().unwrap_or_default()
    }
}

impl fmt::Debug for SharedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.source.examples()).finish()
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(chosen) => f.debug_tuple("Now").field(chosen).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}
