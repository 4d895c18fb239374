//! JSON Web Signatures (RFC 7515), and the claims of JSON Web Tokens (RFC 7519).
//!
//! The libraries that exist ask the system for the time, know neither detached payloads nor P-521, and let the token say how it
//! is signed; what is left of them after that is less than what is here. Primitives come from the same places as for other schemes.

use std::time::Duration;

#[cfg(feature = "jwt")]
use super::Algorithm;
use super::{
    Encoding, Part,
    algorithm::{Asymmetric, Hash, Shape},
};

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
    /// What is there in the JSON body, by JSON pointer; refused if it is there twice.
    Json(&'a str),
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
                Expected::Json(pointer) => source == super::Source::Json(pointer),
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
