//! JSON Web Signatures (RFC 7515), and the claims of JSON Web Tokens (RFC 7519).
//!
//! The libraries that exist ask the system for the time, know neither detached payloads nor P-521, and let the token say how it
//! is signed; what is left of them after that is less than what is here. Primitives come from the same places as for other schemes.

use std::time::Duration;

#[cfg(feature = "jwt")]
use super::Algorithm;
use super::{Encoding, Part, algorithm::{Asymmetric, Hash, Shape}};

/// What a JSON Web Signature must be and say, in compact serialisation; see [`Scheme::jws`](super::Scheme::jws).
///
/// Attached, the payload are the claims. Detached, the payload is the scheme's message, and there are none.
///
/// How a token is signed is decided by the key, within the algorithms that the scheme allows: a secret verifies HMAC and nothing else, a public key
/// never an HMAC, and `none` is no algorithm. Keys that a token brings along or points to (`jwk`, `jku`, `x5u`) are not looked at;
/// extensions that must be understood (`crit`) are refused (RFC 8725).
#[derive(Clone, Copy, Debug)]
pub struct Jws<'a> {
    /// How tokens may be signed.
    pub algorithms: &'a [JwsAlgorithm],
    /// Whether the payload is left out of the token and is the scheme's message instead (RFC 7515 appendix F).
    pub detached: bool,
    /// What must be claimed, and be right.
    pub claims: &'a [Claim<'a>],
    /// Whether the token must say when it expires (`exp`). If it says so, or from when on it is valid (`nbf`), that counts in any case.
    pub expires: bool,
    /// How far the clocks of sender and receiver may differ where `exp` and `nbf` are judged.
    pub leeway: Duration,
}

impl Jws<'static> {
    /// A token that is allowed no algorithm and must claim nothing.
    pub const NEW: Self =
        Self { algorithms: &[], detached: false, claims: &[], expires: false, leeway: Duration::from_secs(60) };
}

/// How a token is signed (RFC 7518 section 3, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// RSA PSS with SHA-384.
    Ps384,
    /// RSA PSS with SHA-512.
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// ECDSA over P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

/// Something that a token must claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Where: JSON pointers into the claims, such as `/iss`, of which the first that exists counts. A list satisfies a claim if one of its items
    /// does, as `aud` may be one.
    pub at: &'a [&'a str],
    /// What must be there.
    pub expected: Expected<'a>,
}

/// What a claim must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected<'a> {
    /// Anything.
    Present,
    /// One of these.
    OneOf(&'a [&'a str]),
    /// What was configured under this name; a verifier without it is not built.
    Parameter(&'a str),
    /// What was configured under this name, if anything was.
    OptionalParameter(&'a str),
    /// SHA-256 of the body.
    BodySha256(Encoding),
    /// SHA-256 of the body if it has one; otherwise the claim must not be there.
    BodySha256IfAny(Encoding),
    /// SHA-256 of these parts.
    Sha256(&'a [Part<'a>], Encoding),
}

impl Jws<'_> {
    /// Whether the claims or the message cover the body.
    pub(super) fn covers(&self, message: &[Part<'_>], part: Part<'_>, source: super::Source<'_>) -> bool {
        use super::place::covers;
        matches!(source, super::Source::Claim(_))
            || self.detached && covers(message, part, source)
            || self.claims.iter().any(|claim| match claim.expected {
                Expected::BodySha256(_) | Expected::BodySha256IfAny(_) => covers(&[Part::Body], part, source),
                Expected::Sha256(parts, _) => covers(parts, part, source),
                _ => false,
            })
    }
}

impl JwsAlgorithm {
    /// All of them.
    #[cfg(feature = "jwt")]
    pub(crate) const ALL: [Self; 13] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// How it is verified, if by a public key.
    pub(super) fn asymmetric(self) -> Option<Asymmetric> {
        Some(match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => return None,
            Self::Rs256 => Asymmetric::RsaPkcs1(Hash::Sha256),
            Self::Rs384 => Asymmetric::RsaPkcs1(Hash::Sha384),
            Self::Rs512 => Asymmetric::RsaPkcs1(Hash::Sha512),
            Self::Ps256 => Asymmetric::RsaPss(Hash::Sha256),
            Self::Ps384 => Asymmetric::RsaPss(Hash::Sha384),
            Self::Ps512 => Asymmetric::RsaPss(Hash::Sha512),
            Self::Es256 => Asymmetric::Ecdsa(Hash::Sha256, Shape::Fixed),
            Self::Es384 => Asymmetric::Ecdsa(Hash::Sha384, Shape::Fixed),
            Self::Es512 => Asymmetric::Ecdsa(Hash::Sha512, Shape::Fixed),
            Self::EdDsa => Asymmetric::Ed25519,
        })
    }

    /// How it is verified, if by a secret.
    #[cfg(feature = "jwt")]
    pub(super) fn mac(self) -> Option<Algorithm> {
        Some(match self {
            Self::Hs256 => Algorithm::HmacSha256,
            Self::Hs384 => Algorithm::HmacSha384,
            Self::Hs512 => Algorithm::HmacSha512,
            _ => return None,
        })
    }

    /// As it is written in a token's header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }
}

#[cfg(feature = "jwt")]
pub(super) use token::{ClaimRules, Token};

#[cfg(feature = "jwt")]
mod token {
    use std::{borrow::Cow, sync::Arc};

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Map, Value};
    use sha2::{Digest, Sha256};

    use super::{Expected, Jws, JwsAlgorithm};
    use crate::{
        ConfigError, Rejection,
        clock::UnixTime,
        scheme::{Encoding, Message, Scheme, SignedRequest},
    };

    /// A token, taken apart.
    pub(in crate::scheme) struct Token<'t> {
        pub(in crate::scheme) algorithm: JwsAlgorithm,
        pub(in crate::scheme) key_id: Option<Arc<str>>,
        /// The chain of certificates that the token brings along, the first for its key; used only by schemes that pin its root.
        pub(in crate::scheme) chain: Vec<Vec<u8>>,
        /// The protected header as it was signed, with the dot after it.
        pub(in crate::scheme) header: &'t str,
        /// The payload as it was signed.
        pub(in crate::scheme) payload: &'t str,
        pub(in crate::scheme) signature: Vec<u8>,
    }

    impl<'t> Token<'t> {
        /// # Errors
        ///
        /// If it is no token, or signed in no way that the scheme allows.
        pub(in crate::scheme) fn parse(text: &'t str, allowed: &[JwsAlgorithm]) -> Result<Self, Rejection> {
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
        pub(in crate::scheme) fn claims(&self) -> Result<Value, Rejection> {
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
    pub(in crate::scheme) struct ClaimRules {
        rules: Vec<(Vec<Arc<str>>, Rule)>,
        expires: bool,
        leeway: std::time::Duration,
    }

    #[derive(Debug)]
    enum Rule {
        Present,
        OneOf(Vec<Box<str>>),
        Parameter { name: Box<str>, is_needed: bool },
        Body { encoding: Encoding, absent_if_empty: bool },
        Message(Message, Encoding),
    }

    impl ClaimRules {
        pub(in crate::scheme) fn new(jws: &Jws<'_>, scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
            let rules = jws.claims.iter().map(|claim| {
                for at in claim.at {
                    crate::scheme::Pointer::new(at)?;
                }
                let rule = match claim.expected {
                    Expected::Present => Rule::Present,
                    Expected::OneOf(values) => Rule::OneOf(values.iter().map(|value| (*value).into()).collect()),
                    Expected::Parameter(name) => Rule::Parameter { name: name.into(), is_needed: true },
                    Expected::OptionalParameter(name) => Rule::Parameter { name: name.into(), is_needed: false },
                    Expected::BodySha256(encoding) => Rule::Body { encoding, absent_if_empty: false },
                    Expected::BodySha256IfAny(encoding) => Rule::Body { encoding, absent_if_empty: true },
                    Expected::Sha256(parts, encoding) => Rule::Message(Message::checked(parts, scheme)?, encoding),
                };
                Ok((claim.at.iter().map(|at| Arc::from(*at)).collect(), rule))
            });
            Ok(Self {
                rules: rules.collect::<Result<_, ConfigError>>()?,
                expires: jws.expires,
                leeway: jws.leeway,
            })
        }

        pub(in crate::scheme) fn parameters(&self) -> impl Iterator<Item = &str> {
            self.rules.iter().filter_map(|(_, rule)| match rule {
                Rule::Parameter { name, is_needed: true } => Some(&**name),
                _ => None,
            })
        }

        pub(in crate::scheme) fn messages(&self) -> impl Iterator<Item = &Message> {
            self.rules.iter().filter_map(|(_, rule)| match rule {
                Rule::Message(message, _) => Some(message),
                _ => None,
            })
        }

        /// Whether the token is in its time.
        pub(in crate::scheme) fn check_time(&self, claims: &Value, now: UnixTime) -> Result<(), Rejection> {
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
        pub(in crate::scheme) fn check(&self, claims: &Value, request: &SignedRequest<'_>) -> Result<(), Rejection> {
            let is_body_empty = request.body().is_empty();
            for (places, rule) in &self.rules {
                let claimed = places.iter().find_map(|at| claims.pointer(at));
                let holds = match rule {
                    Rule::Present => claimed.is_some_and(|claim| !claim.is_null()),
                    Rule::OneOf(values) => values.iter().any(|value| says(claimed, value)),
                    Rule::Parameter { name, is_needed } => match request.parameter(name) {
                        Some(value) => says(claimed, value),
                        None => !is_needed,
                    },
                    Rule::Body { absent_if_empty: true, .. } if is_body_empty => claimed.is_none(),
                    Rule::Body { encoding, .. } => {
                        is_digest(claimed, &Sha256::digest(request.body()), *encoding)
                    }
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
    pub(in crate::scheme) fn claim<'c>(claims: &'c Value, pointer: &str) -> Option<Cow<'c, str>> {
        match claims.pointer(pointer)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            _ => None,
        }
    }
}
#[cfg(feature = "jwt")]
pub(super) use token::claim;
