use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, request::Parts};
use sha2::{Digest, Sha256};

use super::{
    Algorithm, CheckedScheme, IntoScheme, TimestampFormat, Tolerance,
    headers::Family,
    json::find_any as find_in_json,
    mac::Keyed,
    message::Facts,
    plan::{Candidates, MAX_TOLERANCE, Place, Plan, PublicUrl, Signed},
};
use crate::{
    ConfigError, Delivery, Rejection,
    clock::UnixTime,
    delivery::{Claim, ClaimText, Identity, Proven, SignedAt, Text},
    key::{IntoKeys, first_match},
};

/// A scheme with its keys: judges requests. Cheap to clone.
///
/// Pure: it does no I/O and is told what time it is. See the [module](super) for use by hand;
/// mostly it is given to a [`WebhookLayer`](crate::layer::WebhookLayer).
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    scheme: CheckedScheme,
    keys: Vec<Keyed>,
    key_ids: Vec<Option<Arc<str>>>,
    tolerance: Tolerance,
    url: Option<PublicUrl>,
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

    /// A verifier with these keys.
    ///
    /// # Errors
    ///
    /// When the scheme is ambiguous, the keys cannot be used, a setting makes no sense, or the scheme signs
    /// the URL and no public one was given.
    pub fn build(self, keys: impl IntoKeys) -> Result<Verifier, ConfigError> {
        let scheme = self.scheme?;
        let plan = &scheme.0;
        match &self.url {
            None if plan.message.contains_url() => {
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
        let ring = keys.into_keys(plan.secret_format)?;
        Ok(Verifier(Arc::new(Inner {
            keys: ring.iter().map(|key| Keyed::new(plan.algorithm, key.secret())).collect(),
            key_ids: ring.iter().map(|key| key.id().cloned()).collect(),
            tolerance,
            url: self.url,
            scheme,
        })))
    }
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

/// The head of a request, as far as signatures are concerned.
#[derive(Clone, Copy)]
pub struct Head<'r> {
    /// The method.
    pub method: &'r Method,
    /// The target as it came: path and query, undecoded.
    pub uri: &'r Uri,
    /// The headers.
    pub headers: &'r HeaderMap,
}

impl<'r> From<&'r Parts> for Head<'r> {
    fn from(parts: &'r Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

impl fmt::Debug for Head<'_> {
    /// Names headers, but does not show them: one of them may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, uri, headers } = self;
        f.debug_struct("Head")
            .field("method", method)
            .field("path", &uri.path())
            .field("headers", &headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Verifier {
    /// Sets up a verifier that needs more than keys.
    pub fn builder(scheme: impl IntoScheme) -> VerifierBuilder {
        VerifierBuilder { scheme: scheme.into_checked(), tolerance: None, url: None }
    }

    /// The name of the scheme.
    pub fn provider(&self) -> &str {
        &self.plan().name
    }

    /// How far the signed time may lie from now; `None` if the scheme signs no time.
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.plan().timestamp.as_ref().map(|_| self.0.tolerance)
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
        let plan = self.plan();
        self.check_method(head.method)?;
        let family = plan.family(head.headers)?;
        let signature = plan.signature.text(head.headers, family)?.ok_or(Rejection::MissingSignature)?;
        let candidates = plan.candidates(signature).ok_or(Rejection::UnusableSignature)?;
        let facts = self.facts(head, family)?;
        let signed_at = match (&plan.timestamp, facts.timestamp) {
            (Some((_, format)), Some(text)) => Some(self.judge(text, *format, now)?),
            _ => None,
        };
        let mut macs = Macs::new(&self.0.keys);
        plan.message.write_start(facts, |part| macs.update(part))?;
        Ok(Verification { verifier: self.clone(), macs, candidates, family, signed_at, now, hashed: 0 })
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

    fn plan(&self) -> &Plan {
        &self.0.scheme.0
    }

    fn facts<'r>(&'r self, head: Head<'r>, family: Family) -> Result<Facts<'r>, Rejection> {
        let plan = self.plan();
        let timestamp = match &plan.timestamp {
            None | Some((Place::Json(_), _)) => None,
            Some((place, _)) => Some(plan.text_in_head(place, head, family)?.ok_or(Rejection::MissingTimestamp)?),
        };
        let id = match &plan.id {
            Some(Signed { what: what @ (Place::Header(_) | Place::Field(_)), is_signed: true }) => {
                let id = plan.text_in_head(what, head, family)?.ok_or(Rejection::MissingId)?;
                if !plan.is_id(id) {
                    return Err(Rejection::MalformedId);
                }
                Some(id)
            }
            _ => None,
        };
        Ok(Facts { head, family, timestamp, id, url: self.0.url.as_ref() })
    }

    fn judge(&self, text: &str, format: TimestampFormat, now: UnixTime) -> Result<SignedAt, Rejection> {
        let time = format.parse(text).ok_or(Rejection::MalformedTimestamp)?;
        format.judge(time, now, self.0.tolerance)?;
        Ok(SignedAt { time, format, tolerance: self.0.tolerance })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("provider", &self.provider())
            .field("keys", &self.0.keys.len())
            .finish_non_exhaustive()
    }
}

impl Plan {
    fn text_in_head<'r>(&self, place: &Place, head: Head<'r>, family: Family) -> Result<Option<&'r str>, Rejection> {
        match place {
            Place::Header(header) => header.text(head.headers, family),
            Place::Field(name) => match self.signature.text(head.headers, family)? {
                Some(signature) => self.field(signature, name),
                None => Ok(None),
            },
            Place::Json(_) => Ok(None),
        }
    }

    /// What a verified request says of itself.
    fn claim(&self, place: Option<&Signed<Place>>, head: Head<'_>, family: Family, body: &Bytes) -> Claim {
        let Some(Signed { what, is_signed }) = place else { return Claim::default() };
        let text = match what {
            // What is not signed may be nonsense without making the delivery so.
            Place::Header(header) => header.value(head.headers, family).ok().flatten().cloned().map(ClaimText::Header),
            Place::Field(_) => {
                let text = self.text_in_head(what, head, family).ok().flatten();
                text.map(|text| ClaimText::Text(Text::copy(text)))
            }
            Place::Json(pointers) => Some(ClaimText::in_body(body, pointers)),
        };
        Claim { text: text.unwrap_or_default(), is_signed: *is_signed }
    }
}

/// A verification that has begun: it takes the body in chunks, then judges.
#[must_use]
pub struct Verification {
    verifier: Verifier,
    macs: Macs,
    candidates: Candidates,
    family: Family,
    signed_at: Option<SignedAt>,
    now: UnixTime,
    hashed: usize,
}

/// One MAC for each key.
enum Macs {
    One(Keyed),
    Several(Vec<Keyed>),
}

impl Macs {
    fn new(keys: &[Keyed]) -> Self {
        match keys {
            [only] => Self::One(only.clone()),
            keys => Self::Several(keys.to_vec()),
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::One(mac) => mac.update(data),
            Self::Several(macs) => macs.iter_mut().for_each(|mac| mac.update(data)),
        }
    }

    /// The key that made one of the candidates, and its tag. No key is left afterwards.
    fn judge(&mut self, candidates: &Candidates) -> Option<(usize, [u8; 32])> {
        let judge = |tags: &[crate::key::Tag]| {
            let index = first_match(tags, candidates.as_slice())?;
            let mut start = [0; 32];
            start.copy_from_slice(&tags[index].as_bytes()[..32]);
            Some((index, start))
        };
        match std::mem::replace(self, Self::Several(Vec::new())) {
            Self::One(mac) => judge(&[mac.finish()]),
            Self::Several(macs) => judge(&macs.into_iter().map(Keyed::finish).collect::<Vec<_>>()),
        }
    }
}

impl Verification {
    /// Takes the next chunk of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        self.hashed = self.hashed.saturating_add(chunk.len());
        if self.verifier.plan().message.is_streamed() {
            self.macs.update(chunk);
        }
    }

    /// Judges, given the same head as before and the whole body, which must be the chunks put together.
    ///
    /// # Errors
    ///
    /// Why the request is not genuine.
    pub fn finish(mut self, head: Head<'_>, body: &Bytes) -> Result<Delivery, Rejection> {
        self.judge(head, body)
    }

    /// As [`finish`](Self::finish), in place: the state is large, and need not be moved to be used up.
    pub(crate) fn judge(&mut self, head: Head<'_>, body: &Bytes) -> Result<Delivery, Rejection> {
        if self.hashed != body.len() {
            return Err(Rejection::Misconfigured { why: "the body is not the chunks that were verified" });
        }
        let verifier = &self.verifier;
        let plan = verifier.plan();
        let family = self.family;
        if plan.message.has_end() {
            let facts = verifier.facts(head, family)?;
            plan.message.write_end(facts, body, |part| self.macs.update(part))?;
        }
        let (key_index, tag) = self.macs.judge(&self.candidates).ok_or(Rejection::SignatureMismatch)?;

        let signed_at = match &plan.timestamp {
            Some((Place::Json(pointers), format)) => {
                let text = find_in_json(body, pointers).ok_or(Rejection::MissingTimestamp)?;
                Some(verifier.judge(&text, *format, self.now)?)
            }
            _ => self.signed_at,
        };
        let mut id = plan.claim(plan.id.as_ref(), head, family, body);
        // An empty id names nothing: all deliveries that have it would be the same.
        if id.as_str().is_some_and(|text| text.is_empty() || !id.is_signed && !plan.is_id(text)) {
            id = Claim::default();
        }
        let identity = if id.is_signed && id.as_str().is_some() {
            Identity::SignedId
        } else if plan.algorithm == Algorithm::Token {
            // Whoever could change the id could change the body, so it is as good; and without it news would look like replays.
            let text = id.as_str().unwrap_or_default();
            let length = (text.len() as u64).to_be_bytes();
            Identity::Digest(Sha256::new_with_prefix(length).chain_update(text).chain_update(body).finalize().into())
        } else if plan.may_carry_several() {
            // Which key matches depends on which signatures an attacker left in, and with it the tag.
            let mut digest = Sha256::new();
            plan.message.write(verifier.facts(head, family)?, body, |part| digest.update(part))?;
            Identity::Digest(digest.finalize().into())
        } else {
            // The tag that we computed is a keyed digest of the signed bytes already.
            Identity::Digest(tag)
        };
        Ok(Delivery::new(Proven {
            provider: Arc::clone(&plan.name),
            key_index,
            key_id: verifier.0.key_ids.get(key_index).cloned().flatten(),
            signed_at,
            id,
            event: plan.claim(plan.event.as_ref(), head, family, body),
            identity,
            repeats: plan.repeats,
        }))
    }
}
