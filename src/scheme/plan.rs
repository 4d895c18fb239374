//! A scheme that has been checked and made ready.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{
    Algorithm, Asymmetric, Encoding, Grammar, Host, Keys, Part, Repeats, Retries, Scheme, Signature, Source, Timestamp,
    TimestampFormat, Tolerance, Verifier,
    headers::Family,
    json::Pointer,
    message::Message,
    place::{Place, Signed, covers},
    signer::Signer,
};
#[cfg(feature = "jwt")]
use super::{Jws, JwsAlgorithm, token::ClaimRules};
use crate::{
    ConfigError, Rejection,
    key::{HostRule, IntoKeys, KeyKind, SecretFormat},
};

/// Beyond this, a time in seconds near now would no longer be of known width, which [`layout`] relies on.
pub(super) const MAX_TOLERANCE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A scheme that was found to make sense, cheap to clone.
#[derive(Clone, Debug)]
pub struct CheckedScheme(pub(super) Arc<Plan>);

impl CheckedScheme {
    /// The scheme's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A verifier of this scheme with these keys.
    ///
    /// # Errors
    ///
    /// As [`Scheme::verifier`].
    pub fn verifier(&self, keys: impl IntoKeys) -> Result<Verifier, ConfigError> {
        Verifier::builder(self).build(keys)
    }

    /// A signer of this scheme.
    ///
    /// # Errors
    ///
    /// As [`Scheme::signer`].
    pub fn signer(&self, keys: impl IntoKeys) -> Result<Signer, ConfigError> {
        Signer::new(self, keys)
    }
}

/// What verifiers and signers are made of: a [`Scheme`], or one that was checked before.
pub trait IntoScheme {
    /// Checks the scheme.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Scheme`] if it is ambiguous or contradicts itself, [`ConfigError::InvalidValue`] if a name in it is
    /// not one.
    fn into_checked(self) -> Result<CheckedScheme, ConfigError>;
}

impl IntoScheme for CheckedScheme {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        Ok(self)
    }
}

impl IntoScheme for &CheckedScheme {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        Ok(self.clone())
    }
}

impl IntoScheme for Scheme<'_> {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        Plan::new(&self).map(|plan| CheckedScheme(Arc::new(plan)))
    }
}

impl IntoScheme for &Scheme<'_> {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        (*self).into_checked()
    }
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: Arc<str>,
    pub(super) algorithm: Algorithm,
    pub(super) secret_format: SecretFormat,
    pub(super) encoding: Encoding,
    pub(super) signature: Place,
    pub(super) other_signatures: Vec<Place>,
    pub(super) grammar: OwnedGrammar,
    pub(super) message: Message,
    pub(super) timestamp: Option<(Place, TimestampFormat)>,
    pub(super) tolerance: Tolerance,
    pub(super) id: Option<Signed<Place>>,
    /// The id is written into the message.
    pub(super) id_is_part: bool,
    id_extra: Box<str>,
    pub(super) event: Option<Signed<Place>>,
    pub(super) repeats: Repeats,
    pub(super) methods: Vec<Method>,
    pub(super) allow: HeaderValue,
    pub(super) max_body: usize,
    #[cfg(feature = "jwt")]
    pub(super) jws: Option<JwsPlan>,
    pub(super) key_id: Option<Place>,
    pub(super) keys: OwnedKeys,
    pub(super) retries: Retries,
    /// Items beside the signature are signed, which only the sender can choose.
    pub(super) signs_fields: bool,
    /// Everything that is needed before the body is read.
    signature_in_head: bool,
    message_in_head: bool,
    is_done_with_head: bool,
    has_alternate: bool,
}

#[cfg(feature = "jwt")]
#[derive(Debug)]
pub(super) struct JwsPlan {
    pub(super) algorithms: Vec<JwsAlgorithm>,
    pub(super) is_detached: bool,
    pub(super) claims: ClaimRules,
    pub(super) covers_body: bool,
}

/// Where keys can be fetched from.
#[derive(Debug)]
pub(super) enum OwnedKeys {
    Configured,
    JwkSet { url: Box<str> },
    Pem { url: Box<str> },
    Certificate { url: Place, hosts: Arc<[HostRule]>, name: Box<str> },
    X5c { leaf: Vec<Box<str>>, intermediate: Vec<Box<str>> },
}

#[derive(Clone, Debug)]
pub(super) enum OwnedGrammar {
    Bare,
    Prefixed(Box<str>),
    /// A prefix in the `Authorization` header, in any case.
    AuthScheme(Box<str>),
    Fields {
        separator: char,
        names: Vec<Box<str>>,
    },
    MaybePrefixed(Box<str>),
    Versions {
        prefix: Box<str>,
    },
    Pairs {
        separator: char,
        between: char,
        parameter: Box<str>,
    },
    TimeFirst {
        separator: char,
    },
    List {
        separator: char,
    },
    Base64Json {
        member: Pointer,
    },
}

/// The public URL of an endpoint, for schemes that sign it.
#[derive(Clone, Debug)]
pub(super) enum PublicUrl {
    /// `https://hooks.example.com`; path and query come from the request.
    Origin(Box<str>),
    /// The whole URL, whatever the request says.
    Exact(Box<str>),
}

impl Plan {
    fn new(scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
        check(scheme).map_err(|why| ConfigError::scheme(scheme.name, why))?;
        let place = |source: Source<'_>| Place::new(source, scheme);
        let signed = |part, source: Option<Source<'_>>| {
            source
                .map(|source| Ok(Signed { what: place(source)?, is_signed: is_signed(scheme, part, source) }))
                .transpose()
        };
        let methods = scheme
            .methods
            .iter()
            .map(|method| method.parse().map_err(|_| ConfigError::invalid("method", method, "not a valid method")))
            .collect::<Result<Vec<Method>, ConfigError>>()?;
        let signature = place(scheme.signature.place)?;
        let timestamp =
            scheme.timestamp.map(|time| Ok::<_, ConfigError>((place(time.source)?, time.format))).transpose()?;
        let id = signed(Part::Id, scheme.id)?;
        let signs = |part| scheme.message.contains(&part);
        let is_in_head = |place: Option<&Place>| place.is_none_or(|place| place.is_in_head(&signature));
        let signature_in_head = is_in_head(Some(&signature));
        let message_in_head = signature_in_head
            && (!signs(Part::Timestamp) || is_in_head(timestamp.as_ref().map(|(place, _)| place)))
            && (!signs(Part::Id) || is_in_head(id.as_ref().map(|id| &id.what)));
        let is_chosen = |source: &Source<'_>| {
            matches!(source, Source::Field(_)) && scheme.timestamp.is_none_or(|time| time.source != *source)
        };
        let signs_fields = scheme.message.iter().any(|part| match part {
            Part::Field(name) => is_chosen(&Source::Field(name)),
            Part::Canonical(canonical) => canonical.covers.iter().any(is_chosen),
            _ => false,
        });
        let mut plan = Self {
            signs_fields,
            name: scheme.name.into(),
            algorithm: scheme.algorithm,
            secret_format: scheme.secret_format,
            encoding: scheme.encoding,
            other_signatures: scheme.signature.others.iter().map(|other| place(*other)).collect::<Result<_, _>>()?,
            grammar: OwnedGrammar::new(scheme.signature)?,
            message: Message::checked(scheme.message, scheme)?,
            tolerance: scheme.tolerance,
            id_is_part: signs(Part::Id),
            id,
            id_extra: scheme.id_extra.into(),
            event: signed(Part::Text(""), scheme.event)?,
            repeats: scheme.repeats,
            allow: HeaderValue::try_from(scheme.methods.join(", "))
                .map_err(|_| ConfigError::invalid("method", scheme.methods.join(", "), "not a valid method"))?,
            methods,
            max_body: scheme.max_body,
            #[cfg(feature = "jwt")]
            jws: scheme.jws.map(|jws| JwsPlan::new(&jws, scheme)).transpose()?,
            key_id: scheme.key_id.map(place).transpose()?,
            keys: OwnedKeys::new(scheme)?,
            retries: scheme.profile.retries,
            signature_in_head,
            message_in_head,
            is_done_with_head: false,
            has_alternate: scheme.alternate.is_some(),
            signature,
            timestamp,
        };
        let places = [&plan.id, &plan.event].into_iter().flatten().map(|signed| &signed.what);
        let has_field = places.chain(&plan.key_id).any(|place| matches!(place, Place::Field(_)));
        let has_late_time = plan.timestamp.as_ref().is_some_and(|(place, _)| !plan.is_in_head(place));
        plan.is_done_with_head = plan.is_streamed() && !plan.message.has_end() && !has_field && !has_late_time;
        Ok(plan)
    }

    /// Which family of headers the request uses.
    pub(super) fn family(&self, headers: &HeaderMap) -> Result<Family, Rejection> {
        let Place::Header(signature) = &self.signature else { return Ok(Family::First) };
        if !self.has_alternate {
            return Ok(Family::First);
        }
        let places = [&self.id, &self.event].into_iter().flatten().map(|signed| &signed.what);
        let places = places.chain(self.timestamp.as_ref().map(|(place, _)| place));
        let named = places.filter_map(|place| match place {
            Place::Header(header) => Some(header),
            _ => None,
        });
        if named.chain(self.message.headers()).chain([signature]).any(|header| header.is_contradictory(headers)) {
            return Err(Rejection::ConflictingHeaders);
        }
        let first = signature.is_present(headers, Family::First);
        let other = signature.is_present(headers, Family::Other);
        Ok(if other && !first { Family::Other } else { Family::First })
    }

    /// The headers without which a request proves nothing, in each of their families; none if the signature is in no header.
    pub(super) fn marks(&self) -> Vec<Vec<HeaderName>> {
        if !matches!(self.signature, Place::Header(_)) {
            return Vec::new();
        }
        let time = self.timestamp.as_ref().map(|(place, _)| place);
        let id = self.id.as_ref().filter(|_| self.id_is_part).map(|id| &id.what);
        let named: Vec<_> = [Some(&self.signature), time, id]
            .into_iter()
            .flatten()
            .filter_map(|place| match place {
                Place::Header(header) => Some(header),
                _ => None,
            })
            .collect();
        let families = if self.has_alternate { &[Family::First, Family::Other][..] } else { &[Family::First] };
        families.iter().map(|family| named.iter().map(|header| header.name(*family).clone()).collect()).collect()
    }

    /// The headers in which the signature may be.
    pub(super) fn signature_headers(&self) -> impl Iterator<Item = &HeaderName> {
        let header = match &self.signature {
            Place::Header(header) => Some(header),
            _ => None,
        };
        let has_alternate = self.has_alternate;
        header.into_iter().flat_map(move |header| {
            let other = has_alternate.then(|| header.name(Family::Other));
            std::iter::once(header.name(Family::First)).chain(other)
        })
    }

    /// Whether the signature can be read before the body.
    pub(super) fn signature_is_in_head(&self) -> bool {
        self.signature_in_head
    }

    /// Whether the message is hashed as the body arrives.
    pub(super) fn is_streamed(&self) -> bool {
        let is_streaming = !self.algorithm.is_plain_hash() && self.algorithm != Algorithm::Ed25519;
        is_streaming && self.message_in_head && self.message.is_streamed()
    }

    /// Whether nothing in the head is needed again once the body has come.
    pub(super) fn is_done_with_head(&self) -> bool {
        self.is_done_with_head
    }

    /// Whether what is at `place` can be read before the body.
    pub(super) fn is_in_head(&self, place: &Place) -> bool {
        place.is_in_head(&self.signature)
    }

    /// Whether a header or body may be taken for an id: short, and of harmless characters.
    pub(super) fn is_id(&self, text: &str) -> bool {
        const MAX_ID: usize = 256;
        (1..=MAX_ID).contains(&text.len())
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || self.id_extra.as_bytes().contains(&byte)
            })
    }

    /// A request may carry several signatures, of which an attacker may drop some.
    pub(super) fn may_carry_several(&self) -> bool {
        self.grammar.may_carry_several() || !self.other_signatures.is_empty()
    }

    /// Names of parameters without which nothing can be verified.
    pub(super) fn needed_parameters(&self) -> impl Iterator<Item = &str> {
        let grammar = match &self.grammar {
            OwnedGrammar::Pairs { parameter, .. } => Some(&**parameter),
            _ => None,
        };
        let parameters = self.message.parameters().chain(grammar);
        #[cfg(feature = "jwt")]
        let parameters = parameters.chain(self.jws.iter().flat_map(|jws| jws.claims.parameters()));
        parameters
    }

    /// The kind of public key that verifies; `None` if secrets do.
    pub(super) fn key_kind(&self) -> Option<KeyKind> {
        #[cfg(feature = "jwt")]
        if let Some(jws) = &self.jws {
            return jws.algorithms.first().and_then(|algorithm| algorithm.asymmetric()).map(Asymmetric::kind);
        }
        self.algorithm.asymmetric().map(Asymmetric::kind)
    }

    /// The feature without which no public key can verify a token of this scheme.
    pub(super) fn missing_token_feature(&self) -> Option<&'static str> {
        #[cfg(feature = "jwt")]
        if let Some(jws) = &self.jws {
            let mut missing = jws.algorithms.iter().filter_map(|it| it.asymmetric()).map(|it| it.missing_feature());
            let first = missing.next()?;
            return missing.fold(first, |missing, other| missing.and(other));
        }
        None
    }

    pub(super) fn signs_url(&self) -> bool {
        let in_message = self.message.contains_url();
        #[cfg(feature = "jwt")]
        let in_message = in_message
            || self.jws.iter().flat_map(|jws| jws.claims.messages()).any(super::message::Message::contains_url);
        in_message
    }
}

/// # Errors
///
/// What contradicts itself or proves nothing, in words.
fn check(scheme: &Scheme<'_>) -> Result<(), String> {
    let refuse = |why: &str| Err(why.to_owned());
    if scheme.name.is_empty() {
        return refuse("needs a name");
    }
    if let Some(Timestamp { source, .. }) = scheme.timestamp {
        if !is_signed(scheme, Part::Timestamp, source) {
            return refuse("the timestamp is not signed, so it proves nothing: sign it, or leave it out");
        }
    } else if scheme.message.contains(&Part::Timestamp) {
        return refuse("a timestamp is signed, but nothing says where it is");
    }
    if scheme.id.is_none() && scheme.message.contains(&Part::Id) {
        return refuse("an id is signed, but nothing says where it is");
    }
    for (part, source) in [(Part::Timestamp, scheme.timestamp.map(|time| time.source)), (Part::Id, scheme.id)] {
        if scheme.message.contains(&part) && matches!(source, Some(Source::JsonAny(_) | Source::Claim(_))) {
            return refuse("what is signed must be at one place, and no claim");
        }
    }
    if scheme.tolerance.past > MAX_TOLERANCE || scheme.tolerance.future > MAX_TOLERANCE {
        return refuse("a tolerance of more than a year judges nothing");
    }
    check_message(scheme)?;
    if let Grammar::Prefixed("")
    | Grammar::Versions { prefix: "" }
    | Grammar::Fields { name: "", .. }
    | Grammar::AnyField { names: [] | [""], .. } = scheme.signature.grammar
    {
        return refuse("an empty prefix or field name marks no signature");
    }
    let named = |source: Option<Source<'_>>| match source {
        Some(Source::Header(name)) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    let (time_header, id_header) = (named(scheme.timestamp.map(|time| time.source)), named(scheme.id));
    if let Some(signature_header) = named(Some(scheme.signature.place)) {
        let signs_its_header = scheme
            .message
            .iter()
            .any(|part| matches!(part, Part::Header(name) if name.eq_ignore_ascii_case(&signature_header)));
        if signs_its_header
            || [&time_header, &id_header].into_iter().flatten().any(|name| *name == signature_header)
            || time_header.is_some() && time_header == id_header
        {
            return refuse("one header cannot be two of signature, timestamp and id");
        }
    }
    if scheme.methods.is_empty() {
        return refuse("needs at least one method");
    }
    Ok(())
}

fn check_message(scheme: &Scheme<'_>) -> Result<(), String> {
    let covers_body = scheme.message.iter().any(|part| match part {
        Part::Body | Part::BodySha256 | Part::BodySha256Raw | Part::BodyCrc32 => true,
        Part::SortedForm { .. } | Part::Json(_) | Part::Form(_) | Part::FormJson(..) => true,
        Part::Canonical(canonical) => canonical.covers.iter().any(|source| {
            !matches!(source, Source::Header(_) | Source::Field(_) | Source::Query(_) | Source::Claim(_))
        }),
        _ => false,
    });
    let why = match (scheme.algorithm, scheme.jws, scheme.message) {
        (Algorithm::Jws, None, _) => "a JSON Web Signature needs `jws` to say what it must be",
        (Algorithm::Jws, Some(jws), _) if jws.algorithms.is_empty() => "no algorithm is allowed",
        (Algorithm::Jws, Some(jws), []) if jws.detached => "a detached payload needs a message",
        (Algorithm::Jws, Some(jws), [_, ..]) if !jws.detached => "an attached payload holds claims, and no message",
        (Algorithm::Jws, Some(jws), message)
            if !jws.covers(message, Part::Text(""), Source::Body)
                && !matches!(
                    scheme.signature.place,
                    Source::Body | Source::Json(_) | Source::JsonAny(_) | Source::Form(_) | Source::FormJson(..)
                )
                && !scheme.unsigned_body =>
        {
            "nothing of the body is signed"
        }
        (Algorithm::Jws, ..) => return Ok(()),
        (_, Some(_), _) => "only a JSON Web Signature has `jws`",
        (algorithm, None, [_, ..]) if algorithm.is_token() => "a token signs nothing: its message must be empty",
        (algorithm, None, []) if algorithm.is_token() => return Ok(()),
        (algorithm, None, message) if !algorithm.is_plain_hash() && message.contains(&Part::Secret) => {
            "the secret must not be signed: the algorithm knows it already"
        }
        (algorithm, None, message)
            if algorithm.is_plain_hash()
                && !message.iter().any(|part| matches!(part, Part::Secret | Part::Canonical(_))) =>
        {
            "a hash without the secret in it proves nothing"
        }
        (..) if !covers_body && !scheme.unsigned_body => "nothing of the body is signed",
        _ => return Ok(()),
    };
    Err(why.to_owned())
}

/// Whether the signature covers what is at `source`: as the given part, as a header, or inside the body.
pub(super) fn is_signed(scheme: &Scheme<'_>, part: Part<'_>, source: Source<'_>) -> bool {
    match scheme.jws {
        Some(jws) => jws.covers(scheme.message, part, source),
        None => covers(scheme.message, part, source),
    }
}

#[cfg(feature = "jwt")]
impl JwsPlan {
    fn new(jws: &Jws<'_>, scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            algorithms: jws.algorithms.to_vec(),
            is_detached: jws.detached,
            claims: ClaimRules::new(jws, scheme)?,
            covers_body: jws.covers(scheme.message, Part::Text(""), Source::Body),
        })
    }
}

impl OwnedKeys {
    fn new(scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
        Ok(match scheme.keys {
            Keys::Configured => Self::Configured,
            Keys::JwkSet { url } => Self::JwkSet { url: url.into() },
            Keys::Pem { url } => Self::Pem { url: url.into() },
            Keys::Certificate { url, hosts, name } => Self::Certificate {
                url: Place::new(url, scheme)?,
                hosts: hosts.iter().map(|host| HostRule::from(*host)).collect(),
                name: name.into(),
            },
            Keys::X5c { leaf, intermediate } => Self::X5c { leaf: owned(leaf), intermediate: owned(intermediate) },
        })
    }
}

impl From<Host<'_>> for HostRule {
    fn from(host: Host<'_>) -> Self {
        match host {
            Host::Exact(host) => Self::Exact(host.into()),
            Host::Suffix(suffix) => Self::Suffix(suffix.into()),
            Host::Region { before, after } => Self::Region { before: before.into(), after: after.into() },
        }
    }
}

impl OwnedGrammar {
    fn new(signature: Signature<'_>) -> Result<Self, ConfigError> {
        Ok(match signature.grammar {
            Grammar::Bare => Self::Bare,
            // RFC 9110 section 11.1: `Bearer` and `bearer` are the same.
            Grammar::Prefixed(prefix) if matches!(signature.place, Source::Header(name) if name.eq_ignore_ascii_case("authorization")) => {
                Self::AuthScheme(prefix.into())
            }
            Grammar::Prefixed(prefix) => Self::Prefixed(prefix.into()),
            Grammar::Fields { separator, name } => Self::Fields { separator, names: vec![name.into()] },
            Grammar::AnyField { separator, names } => {
                Self::Fields { separator, names: names.iter().map(|name| (*name).into()).collect() }
            }
            Grammar::MaybePrefixed(prefix) => Self::MaybePrefixed(prefix.into()),
            Grammar::Versions { prefix } => Self::Versions { prefix: prefix.into() },
            Grammar::Pairs { separator, between, parameter } => {
                Self::Pairs { separator, between, parameter: parameter.into() }
            }
            Grammar::TimeFirst { separator } => Self::TimeFirst { separator },
            Grammar::List { separator } => Self::List { separator },
            Grammar::Base64Json { member } => Self::Base64Json { member: Pointer::member(member) },
        })
    }
}
