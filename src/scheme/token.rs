//! Tokens taken apart, and what their claims must be.

use std::{borrow::Cow, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Encoding, Expected, Jws, JwsAlgorithm, Pointer, Scheme, SignedRequest, message::Message};
use crate::{ConfigError, Rejection, clock::UnixTime};

/// A token, taken apart.
pub(super) struct Token<'t> {
    pub(super) algorithm: JwsAlgorithm,
    pub(super) key_id: Option<Arc<str>>,
    /// The chain of certificates that the token brings along, the first for its key; used only by schemes that pin its root.
    pub(super) chain: Vec<Vec<u8>>,
    /// The protected header as it was signed, with the dot after it.
    pub(super) header: &'t str,
    /// The payload as it was signed.
    pub(super) payload: &'t str,
    pub(super) signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// # Errors
    ///
    /// If it is no token, or signed in no way that the scheme allows.
    pub(super) fn parse(text: &'t str, allowed: &[JwsAlgorithm]) -> Result<Self, Rejection> {
        /// Chains of certificates make headers long, but not this long.
        const MAX_HEADER: usize = 16 * 1024;
        const MAX_SIGNATURE: usize = 2 * 1024;
        let unusable = || Rejection::UnusableSignature;
        let (header, rest) = text.split_once('.').ok_or_else(unusable)?;
        let (payload, signature) = rest.split_once('.').ok_or_else(unusable)?;
        if header.len() > MAX_HEADER || signature.len() > MAX_SIGNATURE {
            return Err(unusable());
        }
        let fields = object(header).ok_or_else(unusable)?;
        // RFC 7515 section 4.1.11: what is not understood must be refused. `b64` (RFC 7797) is among it.
        if fields.contains_key("crit") || fields.contains_key("b64") || fields.contains_key("zip") {
            return Err(unusable());
        }
        let name = fields.get("alg").and_then(Value::as_str).ok_or_else(unusable)?;
        let algorithm = allowed.iter().find(|algorithm| algorithm.name() == name);
        let key_id = match fields.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= 256 => Some(id.as_str().into()),
            Some(_) => return Err(unusable()),
        };
        Ok(Self {
            algorithm: *algorithm.ok_or(Rejection::WrongAlgorithm)?,
            key_id,
            chain: chain(&fields).ok_or_else(unusable)?,
            header: &text[..=header.len()],
            payload,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| unusable())?,
        })
    }

    /// The claims of an attached token. Nothing that they say holds before the signature does.
    pub(super) fn claims(&self) -> Result<Value, Rejection> {
        object(self.payload).map(Value::Object).ok_or(Rejection::UnusableSignature)
    }
}

fn object(encoded: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// RFC 7515 section 4.1.6: standard base64 of DER, not the URL-safe one.
fn chain(header: &Map<String, Value>) -> Option<Vec<Vec<u8>>> {
    const MAX_CERTIFICATES: usize = 8;
    let Some(chain) = header.get("x5c") else { return Some(Vec::new()) };
    let chain = chain.as_array().filter(|chain| chain.len() <= MAX_CERTIFICATES)?;
    chain
        .iter()
        .map(|certificate| base64::engine::general_purpose::STANDARD.decode(certificate.as_str()?).ok())
        .collect()
}

/// What a scheme asks of claims, ready to be checked.
#[derive(Debug)]
pub(super) struct ClaimRules {
    rules: Vec<(Vec<Arc<str>>, Rule)>,
    expires: bool,
    leeway: Duration,
}

#[derive(Debug)]
enum Rule {
    Present,
    OneOf(Vec<Box<str>>),
    Json(Box<str>),
    Parameter { name: Box<str>, is_needed: bool },
    Body { encoding: Encoding, absent_if_empty: bool },
    Message(Message, Encoding),
}

impl ClaimRules {
    pub(super) fn new(jws: &Jws<'_>, scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
        let rules = jws.claims.iter().map(|claim| {
            for at in claim.at {
                Pointer::new(at)?;
            }
            let rule = match claim.expected {
                Expected::Present => Rule::Present,
                Expected::OneOf(values) => Rule::OneOf(values.iter().map(|value| (*value).into()).collect()),
                Expected::Json(pointer) => {
                    Pointer::new(pointer)?;
                    Rule::Json(pointer.into())
                }
                Expected::Parameter(name) => Rule::Parameter { name: name.into(), is_needed: true },
                Expected::OptionalParameter(name) => Rule::Parameter { name: name.into(), is_needed: false },
                Expected::BodySha256(encoding) => Rule::Body { encoding, absent_if_empty: false },
                Expected::BodySha256IfAny(encoding) => Rule::Body { encoding, absent_if_empty: true },
                Expected::Sha256(parts, encoding) => Rule::Message(Message::checked(parts, scheme)?, encoding),
            };
            Ok((claim.at.iter().map(|at| Arc::from(*at)).collect(), rule))
        });
        Ok(Self { rules: rules.collect::<Result<_, ConfigError>>()?, expires: jws.expires, leeway: jws.leeway })
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|(_, rule)| match rule {
            Rule::Parameter { name, is_needed: true } => Some(&**name),
            _ => None,
        })
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.rules.iter().filter_map(|(_, rule)| match rule {
            Rule::Message(message, _) => Some(message),
            _ => None,
        })
    }

    /// Whether the token is in its time.
    pub(super) fn check_time(&self, claims: &Value, now: UnixTime) -> Result<(), Rejection> {
        match time(claims, "exp")? {
            None if self.expires => return Err(Rejection::WrongClaim { claim: "/exp".into() }),
            // RFC 7519 section 4.1.4: on or after its expiration it must not be accepted.
            Some(expiry) if now >= expiry && now.since(expiry) >= self.leeway => {
                return Err(Rejection::Stale);
            }
            _ => {}
        }
        match time(claims, "nbf")? {
            Some(start) if start.since(now) > self.leeway => Err(Rejection::FromTheFuture),
            _ => Ok(()),
        }
    }

    /// Whether what is claimed is right, for a request whose body is at hand.
    pub(super) fn check(&self, claims: &Value, request: &SignedRequest<'_>) -> Result<(), Rejection> {
        let is_body_empty = request.body().is_empty();
        for (places, rule) in &self.rules {
            let claimed = places.iter().find_map(|at| claims.pointer(at));
            let holds = match rule {
                Rule::Present => claimed.is_some_and(|claim| !claim.is_null()),
                Rule::OneOf(values) => values.iter().any(|value| says(claimed, value)),
                Rule::Json(pointer) => request.json(pointer).is_some_and(|value| says(claimed, &value)),
                Rule::Parameter { name, is_needed } => match request.parameter(name) {
                    Some(value) => says(claimed, value),
                    None => !is_needed,
                },
                Rule::Body { absent_if_empty: true, .. } if is_body_empty => claimed.is_none(),
                Rule::Body { encoding, .. } => is_digest(claimed, &Sha256::digest(request.body()), *encoding),
                Rule::Message(message, encoding) => {
                    let mut digest = Sha256::new();
                    message.write(request, |part| digest.update(part))?;
                    is_digest(claimed, &digest.finalize(), *encoding)
                }
            };
            if !holds {
                let claim = places.first().map_or_else(|| "".into(), Arc::clone);
                return Err(Rejection::WrongClaim { claim });
            }
        }
        Ok(())
    }
}

/// Whether a claim, or an item of it if it is a list, is this text.
fn says(claimed: Option<&Value>, value: &str) -> bool {
    let is = |claim: &Value| match claim {
        Value::String(text) => text == value,
        Value::Number(number) => number.to_string() == value,
        Value::Bool(flag) => flag.to_string() == value,
        _ => false,
    };
    match claimed {
        Some(Value::Array(items)) => items.iter().any(is),
        Some(claim) => is(claim),
        None => false,
    }
}

fn is_digest(claimed: Option<&Value>, digest: &[u8], encoding: Encoding) -> bool {
    // What is compared is public: the sender has the body, and the claim is signed.
    let spelled = claimed.and_then(Value::as_str).and_then(|text| encoding.decode_bytes(text, digest.len()));
    spelled.is_some_and(|spelled| spelled == digest)
}

/// A time that a token claims: whole seconds, as a number (RFC 7519 section 2 would allow fractions, which nobody sends).
fn time(claims: &Value, name: &'static str) -> Result<Option<UnixTime>, Rejection> {
    const YEAR_10000: u64 = 253_402_300_800;
    match claims.get(name) {
        None => Ok(None),
        Some(claim) => match claim.as_u64() {
            Some(secs) if secs < YEAR_10000 => Ok(Some(UnixTime::from_secs(secs))),
            _ => Err(Rejection::WrongClaim { claim: format!("/{name}").into() }),
        },
    }
}

/// A string, number or boolean among the claims.
pub(super) fn claim<'c>(claims: &'c Value, pointer: &str) -> Option<Cow<'c, str>> {
    match claims.pointer(pointer)? {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        _ => None,
    }
}
