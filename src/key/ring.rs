use std::{fmt, sync::Arc};

use super::{KeyFinding, KeySource, PublicKey, Secret, SecretFormat, UseCounter};
use crate::{ConfigError, clock::UnixTime};

/// A secret or a public key with, if you like, a name for logs and metrics, and the time in which it is good.
///
/// ```
/// use tower_webhook::{clock::UnixTime, key::{Key, KeyRing, Secret}, provider};
///
/// // The old key goes by itself, whether or not anybody remembers to take it out.
/// let handover = UnixTime::from_secs(1_800_000_000);
/// let ring = KeyRing::new([
///     Key::new(Secret::text("new secret")?).with_id("2026-11"),
///     Key::new(Secret::text("old secret")?).with_id("2026-05").valid_until(handover),
/// ])?;
/// let stripe = provider::STRIPE.verifier(ring)?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// Clones count their [use](crate::scheme::Verifier::key_usage) together, so a key that stays in the ring when others change keeps its count.
#[derive(Clone, Debug)]
pub struct Key {
    material: Material,
    id: Option<Arc<str>>,
    window: Window,
    uses: Arc<UseCounter>,
}

/// When a key is good.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    from: Option<UnixTime>,
    until: Option<UnixTime>,
}

impl Window {
    pub(crate) fn contains(self, now: UnixTime) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    pub(crate) fn is_always(self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    fn is_never(self) -> bool {
        matches!((self.from, self.until), (Some(from), Some(until)) if until <= from)
    }
}

/// What a key is made of.
#[derive(Clone, Debug)]
pub(crate) enum Material {
    Secret(Secret),
    Public(PublicKey),
}

impl Key {
    /// A secret without a name.
    pub fn new(secret: Secret) -> Self {
        Self::of(Material::Secret(secret))
    }

    /// A public key without a name. Where a scheme pins the root of a chain of certificates, that root.
    pub fn public(key: PublicKey) -> Self {
        Self::of(Material::Public(key))
    }

    fn of(material: Material) -> Self {
        Self { material, id: None, window: Window::default(), uses: Arc::default() }
    }

    /// Names the key: [`Delivery::key_id`](crate::Delivery::key_id) will say it. If requests name the key that signed them, as `kid` in a JSON
    /// Web Signature does, keys of another name are not tried.
    pub fn with_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Good from this moment on; before, the key is as if it were not there.
    pub fn valid_from(mut self, from: UnixTime) -> Self {
        self.window.from = Some(from);
        self
    }

    /// Good until this moment, and as if it were not there from then on.
    ///
    /// It is the moment of the request that counts, not the time that was signed: whoever holds a key that leaked signs what time they like.
    pub fn valid_until(mut self, until: UnixTime) -> Self {
        self.window.until = Some(until);
        self
    }

    pub(crate) fn window(&self) -> Window {
        self.window
    }

    pub(crate) fn uses(&self) -> &Arc<UseCounter> {
        &self.uses
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    pub(crate) fn id(&self) -> Option<&Arc<str>> {
        self.id.as_ref()
    }
}

impl From<Secret> for Key {
    fn from(secret: Secret) -> Self {
        Self::new(secret)
    }
}

impl From<PublicKey> for Key {
    fn from(key: PublicKey) -> Self {
        Self::public(key)
    }
}

/// The keys any of which makes a delivery genuine: one, or several while secrets are rotated.
///
/// All of them belong to one sender. Replay protection does not tell deliveries under one from those under another, or else a
/// delivery that was signed with both could be replayed by leaving one signature out. Senders that do not
/// know each other's ids, such as [tenants](crate::layer::Tenants), need verifiers of their own.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<Key>,
    source: Option<Arc<dyn KeySource>>,
}

impl KeyRing {
    /// A ring of these keys, usually newest first.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoKeys`] without keys, [`ConfigError::DuplicateKey`] if two hold the same secret, [`ConfigError::Key`] if one is never good.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, ConfigError> {
        let keys: Vec<Key> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(ConfigError::NoKeys);
        }
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|earlier| same(&earlier.material, &key.material)) {
                return Err(ConfigError::DuplicateKey { index });
            }
            if key.window.is_never() {
                let why = "the key would be good at no time";
                return Err(ConfigError::invalid("validity", format!("{:?}", key.window), why).at_key(index));
            }
        }
        Ok(Self { keys, source: None })
    }

    /// A ring of no keys of its own: they are found when a request asks for them.
    pub fn found_by(source: impl KeySource) -> Self {
        Self { keys: Vec::new(), source: Some(Arc::new(source)) }
    }

    /// How many keys it holds; 0 only if they are found elsewhere.
    #[expect(clippy::len_without_is_empty, reason = "a ring without keys has a source")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// What looks wrong about its secrets; nothing, mostly.
    pub fn lint(&self) -> Vec<KeyFinding> {
        super::lint::findings(&self.keys)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// # Errors
    ///
    /// If the keys are found elsewhere, which has names of its own and stands alone.
    fn without_source(self) -> Result<Self, ConfigError> {
        match self.source {
            None => Ok(self),
            Some(_) => Err(ConfigError::SourceAmongKeys),
        }
    }

    pub(crate) fn source(&self) -> Option<&Arc<dyn KeySource>> {
        self.source.as_ref()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Start-up only, on secrets of the same owner; still no early exit on their content.
fn same(a: &Material, b: &Material) -> bool {
    use subtle::ConstantTimeEq;
    match (a, b) {
        (Material::Secret(a), Material::Secret(b)) => a.expose().ct_eq(b.expose()).into(),
        (Material::Public(a), Material::Public(b)) => a == b,
        _ => false,
    }
}

/// What a verifier can be given as keys: text, a [`Secret`], a [`PublicKey`], one of them with its name, several, a whole [`KeyRing`], or a
/// [`KeySource`] that finds them.
///
/// Text is read in the format that the scheme prescribes, as the provider's console shows it.
///
/// ```
/// use tower_webhook::provider;
///
/// let worldline = provider::WORLDLINE.verifier([("key-2026", "new secret"), ("key-2025", "old secret")])?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
pub trait IntoKeys {
    /// The ring of these keys.
    ///
    /// # Errors
    ///
    /// As the [`Secret`] constructors and [`KeyRing::new`]; [`ConfigError::Key`] tells the position among several.
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError>;
}

impl IntoKeys for KeyRing {
    fn into_keys(self, _: SecretFormat) -> Result<KeyRing, ConfigError> {
        Ok(self)
    }
}

impl IntoKeys for Secret {
    fn into_keys(self, _: SecretFormat) -> Result<KeyRing, ConfigError> {
        KeyRing::new([Key::new(self)])
    }
}

impl IntoKeys for PublicKey {
    fn into_keys(self, _: SecretFormat) -> Result<KeyRing, ConfigError> {
        KeyRing::new([Key::public(self)])
    }
}

impl IntoKeys for Key {
    fn into_keys(self, _: SecretFormat) -> Result<KeyRing, ConfigError> {
        KeyRing::new([self])
    }
}

impl<S: KeySource> IntoKeys for S {
    fn into_keys(self, _: SecretFormat) -> Result<KeyRing, ConfigError> {
        Ok(KeyRing::found_by(self))
    }
}

impl IntoKeys for &str {
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        format.keys(self)
    }
}

impl IntoKeys for &&str {
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        (*self).into_keys(format)
    }
}

impl IntoKeys for &String {
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        self.as_str().into_keys(format)
    }
}

impl IntoKeys for String {
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        zeroize::Zeroizing::new(self).as_str().into_keys(format)
    }
}

/// Keys with their name, as [`Key::with_id`] gives it.
impl<I: Into<Arc<str>>, K: IntoKeys> IntoKeys for (I, K) {
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        let (id, keys) = self;
        let mut ring = keys.into_keys(format)?.without_source()?;
        let id = id.into();
        for key in &mut ring.keys {
            key.id = Some(Arc::clone(&id));
        }
        Ok(ring)
    }
}

impl<K: IntoKeys, const N: usize> IntoKeys for [K; N] {
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        join(self, format)
    }
}

impl<K: IntoKeys> IntoKeys for Vec<K> {
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        join(self, format)
    }
}

impl<K> IntoKeys for &[K]
where
    for<'a> &'a K: IntoKeys,
{
    fn into_keys(self, format: SecretFormat) -> Result<KeyRing, ConfigError> {
        join(self, format)
    }
}

fn join<K: IntoKeys>(keys: impl IntoIterator<Item = K>, format: SecretFormat) -> Result<KeyRing, ConfigError> {
    let mut ring = Vec::new();
    for (index, keys) in keys.into_iter().enumerate() {
        let keys = keys.into_keys(format).and_then(KeyRing::without_source);
        ring.extend(keys.map_err(|problem| problem.at_key(index))?.keys);
    }
    KeyRing::new(ring)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_keys_stands_alone() {
        struct Nowhere;
        impl KeySource for Nowhere {
            fn keys(&self, _: crate::key::KeyQuery, _: crate::clock::UnixTime) -> crate::key::KeyFuture {
                Box::pin(std::future::ready(Err(crate::key::KeyError::Unknown)))
            }
        }
        let text = SecretFormat::Text;
        let ring = || KeyRing::new([Key::new(Secret::text("a").unwrap())]).unwrap();
        assert!(Nowhere.into_keys(text).is_ok());
        assert_eq!(("id", Nowhere).into_keys(text).unwrap_err(), ConfigError::SourceAmongKeys);
        assert!(vec![ring(), KeyRing::found_by(Nowhere)].into_keys(text).is_err());
    }

    #[test]
    fn a_ring_without_usable_keys_is_refused() {
        let text = SecretFormat::Text;
        assert_eq!(KeyRing::new([]).unwrap_err(), ConfigError::NoKeys);
        assert_eq!(Vec::<&str>::new().into_keys(text).unwrap_err(), ConfigError::NoKeys);
        assert_eq!(
            ["good", ""].into_keys(text).unwrap_err(),
            ConfigError::Key { index: 1, problem: Box::new(ConfigError::EmptySecret) }
        );
        assert_eq!(["same", "other", "same"].into_keys(text).unwrap_err(), ConfigError::DuplicateKey { index: 2 });
        assert_eq!(vec!["a".to_owned(), "b".to_owned()].into_keys(text).unwrap().len(), 2);
    }
}
