/// What a signature is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-1 (RFC 2104). Still unbroken as a MAC; only for providers that offer nothing better.
    HmacSha1,
    /// HMAC with SHA-256.
    #[default]
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
    /// The secret itself, in clear. Proves that the sender knows it, and nothing about the request.
    Token,
    /// User and password (RFC 7617), in clear but for base64. Proves as little.
    Basic,
    /// SHA-1 of a message that holds the secret. No MAC, and weaker than one; only for providers that offer nothing better.
    Sha1,
    /// SHA-256 of a message that holds the secret. No MAC, and weaker than one; only for providers that offer nothing better.
    Sha256,
    /// Ed25519 (RFC 8032; feature `ed25519`).
    Ed25519,
    /// ECDSA over P-256 with SHA-256, in DER (feature `ecdsa`).
    EcdsaP256Sha256,
    /// ECDSA over P-256 with SHA-1, in DER (feature `ecdsa`); only for eBay.
    EcdsaP256Sha1,
    /// ECDSA over P-384 with SHA-384, in DER (feature `ecdsa`).
    EcdsaP384Sha384,
    /// ECDSA over P-521 with SHA-512, in DER (feature `ecdsa`).
    EcdsaP521Sha512,
    /// RSA PKCS #1 v1.5 with SHA-1 (feature `rsa`). SHA-1 does not withstand collisions; only for providers that offer nothing better.
    RsaPkcs1Sha1,
    /// RSA PKCS #1 v1.5 with SHA-256 (feature `rsa`).
    RsaPkcs1Sha256,
    /// RSA PKCS #1 v1.5 with SHA-384 (feature `rsa`).
    RsaPkcs1Sha384,
    /// RSA PKCS #1 v1.5 with SHA-512 (feature `rsa`).
    RsaPkcs1Sha512,
    /// RSA PSS with SHA-256 (feature `rsa`).
    RsaPssSha256,
    /// RSA PSS with SHA-384 (feature `rsa`).
    RsaPssSha384,
    /// RSA PSS with SHA-512 (feature `rsa`).
    RsaPssSha512,
    /// A JSON Web Signature or Token (RFC 7515, RFC 7519; feature `jwt`), as [`Scheme::jws`](super::Scheme::jws) says.
    Jws,
}

/// Signatures by private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asymmetric {
    Ed25519,
    /// The curve is that of the hash's strength, and P-256 for SHA-1.
    Ecdsa(Hash, Shape),
    RsaPkcs1(Hash),
    RsaPss(Hash),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How an ECDSA signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As ASN.1.
    Der,
    /// As two numbers of fixed width, as JSON Web Signatures do.
    Fixed,
}

impl Algorithm {
    /// The secret, in clear.
    pub(super) fn is_token(self) -> bool {
        matches!(self, Self::Token | Self::Basic)
    }

    /// A hash of a message that holds the secret.
    pub(super) fn is_plain_hash(self) -> bool {
        matches!(self, Self::Sha1 | Self::Sha256)
    }

    pub(super) fn asymmetric(self) -> Option<Asymmetric> {
        Some(match self {
            Self::Ed25519 => Asymmetric::Ed25519,
            Self::EcdsaP256Sha256 => Asymmetric::Ecdsa(Hash::Sha256, Shape::Der),
            Self::EcdsaP256Sha1 => Asymmetric::Ecdsa(Hash::Sha1, Shape::Der),
            Self::EcdsaP384Sha384 => Asymmetric::Ecdsa(Hash::Sha384, Shape::Der),
            Self::EcdsaP521Sha512 => Asymmetric::Ecdsa(Hash::Sha512, Shape::Der),
            Self::RsaPkcs1Sha1 => Asymmetric::RsaPkcs1(Hash::Sha1),
            Self::RsaPkcs1Sha256 => Asymmetric::RsaPkcs1(Hash::Sha256),
            Self::RsaPkcs1Sha384 => Asymmetric::RsaPkcs1(Hash::Sha384),
            Self::RsaPkcs1Sha512 => Asymmetric::RsaPkcs1(Hash::Sha512),
            Self::RsaPssSha256 => Asymmetric::RsaPss(Hash::Sha256),
            Self::RsaPssSha384 => Asymmetric::RsaPss(Hash::Sha384),
            Self::RsaPssSha512 => Asymmetric::RsaPss(Hash::Sha512),
            _ => return None,
        })
    }

    /// The feature without which it cannot be verified.
    pub(super) fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Jws if !cfg!(feature = "jwt") => Some("jwt"),
            _ => self.asymmetric()?.missing_feature(),
        }
    }

    /// How many bytes a tag has.
    pub(super) fn tag_len(self) -> usize {
        match self {
            Self::HmacSha1 | Self::Sha1 => 20,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
            _ => 32,
        }
    }
}

impl Asymmetric {
    /// What the message is hashed with, unless the algorithm does so by itself.
    #[cfg(feature = "_public-key")]
    pub(crate) fn hash(self) -> Option<Hash> {
        match self {
            Self::Ed25519 => None,
            Self::Ecdsa(hash, _) | Self::RsaPkcs1(hash) | Self::RsaPss(hash) => Some(hash),
        }
    }

    /// The feature without which it cannot be verified.
    pub(crate) fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Ed25519 if !cfg!(feature = "ed25519") => Some("ed25519"),
            Self::Ecdsa(..) if !cfg!(feature = "ecdsa") => Some("ecdsa"),
            Self::RsaPkcs1(_) | Self::RsaPss(_) if !cfg!(feature = "rsa") => Some("rsa"),
            _ => None,
        }
    }
}
