use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, Method, Uri};

use super::{
    Algorithm, Asymmetric, CheckedScheme, Head, IntoScheme, Tolerance, Verification,
    mac::Keyed,
    plan::{MAX_TOLERANCE, OwnedKeys, Plan, PublicUrl},
    request::Parameters,
};
#[cfg(feature = "_public-key")]
use crate::key::KeySource;
use crate::{
    ConfigError, Delivery, Rejection,
    clock::UnixTime,
    key::{IntoKeys, Key, KeyFinding, KeyRing, KeyUsage, Material, PublicKey, Secret, UseCounter, Window},
};

/// A scheme with its keys: judges requests. Cheap to clone.
///
/// Pure: it does no I/O and is told what time it is. See the [module](super) for use by hand;
/// mostly it is given to a [`WebhookLayer`](crate::layer::WebhookLayer).
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

#[derive(Clone)]
pub(super) struct Inner {
    scheme: CheckedScheme,
    pub(super) keys: Keys,
    pub(super) key_ids: Vec<Option<Arc<str>>>,
    /// When each key is good; empty if all always are, as mostly.
    windows: Vec<Window>,
    uses: Vec<Arc<UseCounter>>,
    findings: Vec<KeyFinding>,
    denies_findings: bool,
    tenant: Option<Arc<str>>,
    is_decoy: bool,
    pub(super) tolerance: Tolerance,
    pub(super) url: Option<PublicUrl>,
    pub(super) parameters: Parameters,
}

/// Keys, made ready for what they verify.
#[derive(Clone)]
pub(super) enum Keys {
    Macs(Vec<Keyed>),
    /// For hashes of messages that hold the secret.
    Secrets(Vec<Secret>),
    #[cfg(feature = "_public-key")]
    Public(Vec<PublicKey>),
    /// For JSON Web Signatures.
    #[cfg(feature = "jwt")]
    Any(Vec<Material>),
    #[cfg(feature = "_public-key")]
    Elsewhere(Arc<dyn KeySource>),
}

/// Sets up a [`Verifier`] that needs more than keys.
///
/// ```
/// use std::time::Duration;
/// use tower_webhook::{provider, scheme::Verifier};
///
/// let square = Verifier::builder(provider::SQUARE)
///     .public_origin("https://hooks.example.com")
///     .build("signature key from the developer console")?;
///
/// let stripe = Verifier::builder(provider::STRIPE).tolerance(Duration::from_secs(60)).build("whsec_…")?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder {
    scheme: Result<CheckedScheme, ConfigError>,
    tolerance: Option<Tolerance>,
    url: Option<PublicUrl>,
    parameters: Parameters,
    tenant: Option<Arc<str>>,
    denies_findings: bool,
}

impl VerifierBuilder {
    /// How far the signed time may lie from now, in either direction, instead of what the scheme says.
    pub fn tolerance(self, tolerance: Duration) -> Self {
        self.tolerances(Tolerance::both(tolerance))
    }

    /// How far the signed time may lie in the past and in the future, instead of what the scheme says.
    pub fn tolerances(mut self, tolerance: Tolerance) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// The scheme and authority under which the sender reaches this server, for schemes that sign the URL:
    /// `https://hooks.example.com`, with a port if it is not the default one. Path and query are taken from the request,
    /// byte for byte.
    pub fn public_origin(mut self, origin: impl Into<Box<str>>) -> Self {
        self.url = Some(PublicUrl::Origin(origin.into()));
        self
    }

    /// The whole URL that the sender calls, for schemes that sign it: in the very characters entered at the provider.
    /// For servers behind a proxy that changes paths.
    pub fn public_url(mut self, url: impl Into<Box<str>>) -> Self {
        self.url = Some(PublicUrl::Exact(url.into()));
        self
    }

    /// What only you can know and the scheme needs: PayPal's `webhook-id`, the `audience` of a token. Each scheme says which.
    pub fn parameter(mut self, name: &str, value: impl Into<Box<str>>) -> Self {
        self.parameters.0.retain(|(known, _)| **known != *name);
        self.parameters.0.push((name.into(), value.into()));
        self
    }

    /// Takes no secret about which something [looks wrong](crate::key::SecretFinding). Otherwise [`Verifier::lint`] lists what does.
    ///
    /// ```
    /// use tower_webhook::{ConfigError, provider, scheme::Verifier};
    ///
    /// let refused = Verifier::builder(provider::GITHUB).deny_findings().build("hunter2");
    /// assert!(matches!(refused, Err(ConfigError::SuspiciousSecret(_))));
    /// ```
    pub fn deny_findings(mut self) -> Self {
        self.denies_findings = true;
        self
    }

    /// Whose the keys are, where several receive deliveries of one provider: [`Delivery::tenant`] will say it, and deliveries of different
    /// tenants are never taken for the same, nor counted together.
    pub fn tenant(mut self, tenant: impl Into<Arc<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// A verifier with these keys.
    ///
    /// # Errors
    ///
    /// When the scheme is ambiguous, the keys cannot be used or are of another kind, a setting makes no sense, the scheme signs
    /// the URL and no public one was given, a parameter is missing or empty, or this crate was built without the feature that the scheme needs.
    pub fn build(self, keys: impl IntoKeys) -> Result<Verifier, ConfigError> {
        self.finish(keys, false)
    }

    /// A verifier that does all the work of one with a single key, and admits nothing: for requests to somebody who does not exist, and must not be
    /// told apart from those who do.
    ///
    /// Nobody has its key; and what is signed with it all the same is refused.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); also if the scheme's keys are pinned roots of certificates, which are no tenant's own.
    pub fn build_decoy(self) -> Result<Verifier, ConfigError> {
        let kind = self.scheme.as_ref().ok().and_then(|scheme| scheme.0.key_kind());
        let keys = match kind {
            None => KeyRing::new([Key::new(Secret::raw(nobodys_secret())?)])?,
            Some(kind) => KeyRing::new([Key::public(PublicKey::nobodys(kind)?)])?,
        };
        self.finish(keys, true)
    }

    fn finish(self, keys: impl IntoKeys, is_decoy: bool) -> Result<Verifier, ConfigError> {
        let scheme = self.scheme?;
        let plan = &scheme.0;
        if let Some(feature) = plan.algorithm.missing_feature() {
            return Err(ConfigError::MissingFeature { what: format!("scheme `{}`", plan.name), feature });
        }
        match &self.url {
            None if plan.signs_url() => {
                return Err(ConfigError::MissingPublicUrl { scheme: plan.name.to_string() });
            }
            Some(url) => url.check()?,
            None => {}
        }
        if self.tolerance.is_some() && plan.timestamp.is_none() {
            let why = "the scheme signs no time, so a tolerance would judge nothing";
            return Err(ConfigError::invalid("tolerance", format!("of `{}`", plan.name), why));
        }
        let tolerance = self.tolerance.unwrap_or(plan.tolerance);
        if tolerance.past.max(tolerance.future) > MAX_TOLERANCE {
            return Err(ConfigError::invalid("tolerance", format!("{tolerance:?}"), "more than a year judges nothing"));
        }
        for name in plan.needed_parameters() {
            if self.parameters.get(name).is_none_or(str::is_empty) {
                return Err(ConfigError::MissingParameter { scheme: plan.name.to_string(), name: name.to_owned() });
            }
        }
        let ring = keys.into_keys(plan.secret_format)?;
        let findings = ring.lint();
        if self.denies_findings
            && !is_decoy
            && let Some(KeyFinding { index, finding, .. }) = findings.first()
        {
            let suspicious = ConfigError::SuspiciousSecret(*finding);
            return Err(if ring.len() == 1 { suspicious } else { suspicious.at_key(*index) });
        }
        Ok(Verifier(Arc::new(Inner {
            keys: Keys::new(plan, &ring)?,
            key_ids: ring.iter().map(|key| key.id().cloned()).collect(),
            windows: match ring.iter().all(|key| key.window().is_always()) {
                true => Vec::new(),
                false => ring.iter().map(Key::window).collect(),
            },
            uses: ring.iter().map(|key| Arc::clone(key.uses())).collect(),
            findings,
            denies_findings: self.denies_findings,
            tenant: self.tenant,
            is_decoy,
            tolerance,
            url: self.url,
            parameters: self.parameters,
            scheme,
        })))
    }
}

/// Thirty-two bytes that nobody can know: who could sign with them would get further than with a wrong signature, and so tell that a tenant does
/// not exist.
fn nobodys_secret() -> Vec<u8> {
    // Hashes under random keys of the system's; whatever is signed with them is refused in any case.
    (0..4).flat_map(|part| RandomState::new().hash_one(part).to_be_bytes()).collect()
}

impl Keys {
    fn new(plan: &Plan, ring: &KeyRing) -> Result<Self, ConfigError> {
        let wrong = |needed| ConfigError::WrongKind { scheme: plan.name.to_string(), needed };
        let secret = |key: &Key| match key.material() {
            Material::Secret(secret) => Ok(secret.clone()),
            Material::Public(_) => Err(wrong("a secret, not a public key")),
        };
        let at = |index: usize, result: Result<_, ConfigError>| match ring.len() {
            1 => result,
            _ => result.map_err(|problem| problem.at_key(index)),
        };
        #[cfg(feature = "_public-key")]
        if let Some(source) = ring.source() {
            let is_verified_by_public_key = plan.algorithm.asymmetric().is_some() || plan.algorithm == Algorithm::Jws;
            let missing = match plan.keys {
                OwnedKeys::JwkSet { .. } if !cfg!(feature = "jwt") => Some("jwt"),
                OwnedKeys::Certificate { .. } if !cfg!(feature = "x509") => Some("x509"),
                _ => plan.missing_token_feature(),
            };
            if let Some(feature) = missing {
                return Err(ConfigError::MissingFeature { what: format!("keys of scheme `{}`", plan.name), feature });
            }
            return match plan.keys {
                _ if !is_verified_by_public_key => Err(wrong("its keys configured: they are secrets")),
                OwnedKeys::Configured | OwnedKeys::X5c { .. } => {
                    Err(wrong("its keys configured: no request says where they are"))
                }
                _ => Ok(Self::Elsewhere(Arc::clone(source))),
            };
        }
        if ring.source().is_some() {
            return Err(wrong("its keys configured"));
        }
        if let Some(algorithm) = plan.algorithm.asymmetric() {
            return public_keys(algorithm, ring, |index, fits| {
                at(index, if fits { Ok(()) } else { Err(wrong("a public key of its own kind")) })
            });
        }
        #[cfg(feature = "jwt")]
        if let Some(jws) = &plan.jws {
            let is_chain = matches!(plan.keys, OwnedKeys::X5c { .. });
            for (index, key) in ring.iter().enumerate() {
                at(
                    index,
                    super::verification::check_token_key(key.material(), &jws.algorithms, is_chain).map_err(wrong),
                )?;
            }
            return Ok(Self::Any(ring.iter().map(|key| key.material().clone()).collect()));
        }
        let secrets: Vec<Secret> = ring.iter().map(secret).collect::<Result<_, _>>()?;
        if plan.algorithm.is_plain_hash() {
            return Ok(Self::Secrets(secrets));
        }
        Ok(Self::Macs(secrets.iter().filter_map(|secret| Keyed::new(plan.algorithm, secret)).collect()))
    }
}

#[cfg(feature = "_public-key")]
fn public_keys(
    algorithm: Asymmetric,
    ring: &KeyRing,
    check: impl Fn(usize, bool) -> Result<(), ConfigError>,
) -> Result<Keys, ConfigError> {
    let mut keys = Vec::new();
    for (index, key) in ring.iter().enumerate() {
        match key.material() {
            Material::Public(key) => {
                check(index, key.fits(algorithm))?;
                keys.push(key.clone());
            }
            Material::Secret(_) => check(index, false)?,
        }
    }
    Ok(Keys::Public(keys))
}

#[cfg(not(feature = "_public-key"))]
fn public_keys(
    _: Asymmetric,
    _: &KeyRing,
    check: impl Fn(usize, bool) -> Result<(), ConfigError>,
) -> Result<Keys, ConfigError> {
    check(0, false).map(|()| Keys::Secrets(Vec::new()))
}

impl PublicUrl {
    fn check(&self) -> Result<(), ConfigError> {
        let (what, text) = match self {
            Self::Origin(text) => ("public origin", text),
            Self::Exact(text) => ("public URL", text),
        };
        let invalid = |why| ConfigError::invalid(what, text, why);
        let url: Uri = text.parse().map_err(|_| invalid("not a URL"))?;
        if !matches!(url.scheme_str(), Some("https" | "http")) || url.host().is_none_or(str::is_empty) {
            return Err(invalid("must start with `https://` (or `http://`) and a host"));
        }
        let after_authority = text.splitn(4, '/').nth(3);
        match self {
            Self::Origin(_) if after_authority.is_some() || url.query().is_some() => {
                Err(invalid("must end with the host or port, without a slash"))
            }
            _ => Ok(()),
        }
    }
}

impl Verifier {
    /// Sets up a verifier that needs more than keys.
    pub fn builder(scheme: impl IntoScheme) -> VerifierBuilder {
        VerifierBuilder {
            scheme: scheme.into_checked(),
            tolerance: None,
            url: None,
            parameters: Parameters::default(),
            tenant: None,
            denies_findings: false,
        }
    }

    /// A verifier that differs from this one in nothing but its keys.
    ///
    /// # Errors
    ///
    /// If the keys cannot be used or are of another kind.
    pub fn with_keys(&self, keys: impl IntoKeys) -> Result<Self, ConfigError> {
        let inner = &*self.0;
        let builder = VerifierBuilder {
            scheme: Ok(inner.scheme.clone()),
            tolerance: self.tolerance(),
            url: inner.url.clone(),
            parameters: inner.parameters.clone(),
            tenant: inner.tenant.clone(),
            denies_findings: inner.denies_findings,
        };
        builder.finish(keys, inner.is_decoy)
    }

    /// The name of the scheme.
    pub fn provider(&self) -> &str {
        &self.plan().name
    }

    /// How far the signed time may lie from now; `None` if the scheme signs no time.
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.plan().timestamp.as_ref().map(|_| self.0.tolerance)
    }

    /// Whose the keys are, if that was said.
    pub fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// What looks wrong about the secrets; nothing, mostly. For a warning at start-up.
    ///
    /// ```
    /// use tower_webhook::provider;
    ///
    /// let verifier = provider::GITHUB.verifier("hunter2")?;
    /// for finding in verifier.lint() {
    ///     eprintln!("{}: {finding}", verifier.provider());
    /// }
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    pub fn lint(&self) -> &[KeyFinding] {
        &self.0.findings
    }

    /// How each configured key has been used so far, by this verifier and its clones: what tells when an old one can go.
    ///
    /// ```
    /// use tower_webhook::provider;
    ///
    /// let stripe = provider::STRIPE.verifier([("2026-11", "whsec_new"), ("2026-05", "whsec_old")])?;
    /// let usage = stripe.key_usage();
    /// assert_eq!((usage[1].id.as_deref(), usage[1].count, usage[1].last_used), (Some("2026-05"), 0, None));
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    pub fn key_usage(&self) -> Vec<KeyUsage> {
        let ids = self.0.key_ids.iter().cloned();
        self.0.uses.iter().zip(ids).enumerate().map(|(index, (uses, id))| uses.read(index, id)).collect()
    }

    /// The largest body that the provider sends, in bytes.
    pub fn max_body(&self) -> usize {
        self.plan().max_body
    }

    /// Judges a request whose body is at hand.
    ///
    /// # Errors
    ///
    /// Why the request is not genuine, or cannot be told to be.
    pub fn verify(&self, head: Head<'_>, body: &Bytes, now: UnixTime) -> Result<Delivery, Rejection> {
        let mut verification = self.begin(head, now)?;
        verification.update(body);
        verification.judge(head, body)
    }

    /// Judges everything that the head alone tells: what is missing, malformed, twice, stale. Nothing that is said
    /// then depends on a key.
    ///
    /// # Errors
    ///
    /// Why the request can be refused without its body.
    pub fn begin(&self, head: Head<'_>, now: UnixTime) -> Result<Verification, Rejection> {
        self.check_method(head.method)?;
        Verification::begin(self, head, now)
    }

    /// Whether the head alone is reason enough to refuse a request, whatever the keys are.
    ///
    /// # Errors
    ///
    /// If it is.
    pub(crate) fn begin_without_keys(&self, head: Head<'_>, now: UnixTime) -> Result<(), Rejection> {
        match self.plan().algorithm {
            // Tokens in the head are judged at once, and need their keys for that.
            Algorithm::Jws => self.check_method(head.method),
            _ => self.begin(head, now).map(drop),
        }
    }

    /// # Errors
    ///
    /// If deliveries do not come with this method.
    pub(crate) fn check_method(&self, method: &Method) -> Result<(), Rejection> {
        if self.plan().methods.contains(method) {
            return Ok(());
        }
        Err(Rejection::MethodNotAllowed { allow: self.plan().allow.clone() })
    }

    /// The same verifier for requests that were sent to another origin.
    ///
    /// # Errors
    ///
    /// If that is no origin, or the URL that is signed does not depend on one.
    pub(crate) fn at_origin(&self, origin: &str) -> Result<Self, ConfigError> {
        let url = PublicUrl::Origin(origin.into());
        url.check()?;
        if let Some(PublicUrl::Exact(exact)) = &self.0.url {
            return Err(ConfigError::invalid("public URL", exact, "is the whole one, so that no origin can be chosen"));
        }
        Ok(Self(Arc::new(Inner { url: Some(url), ..Inner::clone(&self.0) })))
    }

    /// Whether both know requests, and what is accepted for ever, by the same rules: names alone can be given twice.
    pub(crate) fn is_of_scheme_of(&self, other: &Self) -> bool {
        let rules = |verifier: &Self| {
            let plan = verifier.plan();
            (verifier.marks(), verifier.proves_by_token(), verifier.max_body(), plan.timestamp.is_some())
        };
        self.provider() == other.provider() && rules(self) == rules(other)
    }

    /// Whether this is a clone of that one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.0.scheme.0
    }

    /// The headers that a request of this scheme has, in each of its families; none if its signature is in no header.
    pub(crate) fn marks(&self) -> Vec<Vec<HeaderName>> {
        self.plan().marks()
    }

    /// The headers in which the signature may be, or the secret itself.
    pub(crate) fn signature_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.plan().signature_headers()
    }

    pub(crate) fn shared_provider(&self) -> &Arc<str> {
        &self.plan().name
    }

    /// Whether the secret itself comes with each request.
    pub(crate) fn proves_by_token(&self) -> bool {
        self.plan().algorithm.is_token()
    }

    /// Whether a configured key is good at this time.
    pub(super) fn is_in_time(&self, key_index: usize, now: UnixTime) -> bool {
        self.0.windows.get(key_index).is_none_or(|window| window.contains(now))
    }

    pub(super) fn shared_tenant(&self) -> Option<&Arc<str>> {
        self.0.tenant.as_ref()
    }

    pub(crate) fn is_decoy(&self) -> bool {
        self.0.is_decoy
    }

    pub(super) fn record_use(&self, key_index: usize, now: UnixTime) {
        if let Some(uses) = self.0.uses.get(key_index) {
            uses.record(now);
        }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("provider", &self.provider())
            .field("keys", &self.0.key_ids.len())
            .finish_non_exhaustive()
    }
}
