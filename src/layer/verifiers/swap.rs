use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use http::request::Parts;

use super::{Choice, VerifierSource};
use crate::{ConfigError, clock::UnixTime, key::IntoKeys, scheme::Verifier};

/// A verifier whose keys can be replaced while requests come. Cheap to clone; all clones are the same one.
///
/// Requests take no lock to read it. One that has begun is judged by the keys that were there when it came, one that comes after
/// [`replace`](Self::replace) has returned, by the new ones.
///
/// To rotate a secret without losing a delivery:
///
/// 1. put the new key in front of the old one here, on every server;
/// 2. have the provider sign with the new one;
/// 3. wait until [`Verifier::key_usage`] says that the old one has not been used for longer than the provider goes on trying to deliver what it
///    had signed before ([`Retries::lasting`](crate::scheme::Retries::lasting));
/// 4. take the old one out.
///
/// ```
/// use tower_webhook::{key::Key, layer::{SwapVerifier, WebhookLayer}, provider};
///
/// let verifier = SwapVerifier::new(provider::STRIPE.verifier([("2026-05", "whsec_old")])?);
/// let layer = WebhookLayer::new(verifier.clone());
///
/// // Later, perhaps in a task that watches a file.
/// verifier.replace_keys([("2026-11", "whsec_new"), ("2026-05", "whsec_old")])?;
///
/// // When the provider has changed over:
/// let old = &verifier.current().key_usage()[1];
/// println!("{:?} was last used {:?}", old.id, old.last_used);
/// verifier.replace_keys([("2026-11", "whsec_new")])?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// A key that is given as text counts anew when it is given again; a [`Key`](crate::key::Key) that is kept and cloned goes on counting.
#[derive(Clone)]
pub struct SwapVerifier(Arc<Inner>);

struct Inner {
    current: ArcSwap<Verifier>,
    /// Held by who replaces it, never by requests.
    replacing: Mutex<()>,
    /// What the layers around were set up by.
    first: Verifier,
}

impl SwapVerifier {
    /// A verifier that can be replaced.
    pub fn new(verifier: Verifier) -> Self {
        let current = ArcSwap::from_pointee(verifier.clone());
        Self(Arc::new(Inner { current, replacing: Mutex::default(), first: verifier }))
    }

    /// The verifier of this moment.
    pub fn current(&self) -> Verifier {
        Verifier::clone(&self.0.current.load())
    }

    /// Judges by these keys from now on. What else was configured stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Verifier::with_keys`]; then the old ones stay.
    pub fn replace_keys(&self, keys: impl IntoKeys) -> Result<(), ConfigError> {
        // One after the other, or a replacement in between would be undone.
        let _alone = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let keyed = self.current().with_keys(keys)?;
        self.0.current.store(Arc::new(keyed));
        Ok(())
    }

    /// Judges by this verifier from now on.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidValue`] if it is of another scheme or tenant than the first one, or accepts signed times for longer: the layers around
    /// were set up for that. The old one then stays.
    pub fn replace(&self, verifier: Verifier) -> Result<(), ConfigError> {
        let first = &self.0.first;
        let invalid = |why| ConfigError::invalid("replacement", verifier.provider(), why);
        if !verifier.is_of_scheme_of(first) || verifier.tenant() != first.tenant() {
            return Err(invalid("it is of another scheme or tenant"));
        }
        if verifier.tolerance().map(|it| it.window()) > first.tolerance().map(|it| it.window()) {
            return Err(invalid("it accepts signed times for longer than deliveries may be remembered"));
        }
        let _alone = self.0.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.current.store(Arc::new(verifier));
        Ok(())
    }
}

impl VerifierSource for SwapVerifier {
    fn choose(&self, _: &Parts, _: UnixTime) -> Choice {
        Choice::Now(Ok(self.current()))
    }

    fn examples(&self) -> Vec<Verifier> {
        vec![self.0.first.clone()]
    }
}

impl fmt::Debug for SwapVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SwapVerifier").field(&self.current()).finish()
    }
}
