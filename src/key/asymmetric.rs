//! Verification by public keys. The primitives are those of AWS-LC.

use std::{borrow::Cow, fmt, sync::OnceLock};

use aws_lc_rs::{
    digest::{self, Context, Digest},
    rsa::{self, KeySize},
    signature::{self as lc, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, VerificationAlgorithm},
};

use super::{KeyKind, PublicKey};
use crate::{
    ConfigError,
    scheme::{Asymmetric, Hash, Shape},
};

/// A key as the library holds it, for the first algorithm that it was asked for: nearly always the only one.
#[derive(Default)]
pub(super) struct Ready(OnceLock<(Asymmetric, Option<ParsedPublicKey>)>);

/// The message of a signature, as far as it has to be kept.
#[derive(Clone)]
pub(crate) enum Digesting {
    /// Ed25519 reads its message twice.
    Whole(Vec<u8>),
    Digest(Context),
}

/// A message that is complete.
pub(crate) enum Digested<'m> {
    Whole(Cow<'m, [u8]>),
    Digest(Digest),
}

impl Digesting {
    pub(crate) fn new(algorithm: Asymmetric) -> Self {
        match algorithm.hash() {
            None => Self::Whole(Vec::new()),
            Some(hash) => Self::Digest(Context::new(match hash {
                Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Hash::Sha256 => &digest::SHA256,
                Hash::Sha384 => &digest::SHA384,
                Hash::Sha512 => &digest::SHA512,
            })),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Whole(message) => message.extend_from_slice(data),
            Self::Digest(context) => context.update(data),
        }
    }

    pub(crate) fn finish(self) -> Digested<'static> {
        match self {
            Self::Whole(message) => Digested::Whole(message.into()),
            Self::Digest(context) => Digested::Digest(context.finish()),
        }
    }
}

impl PublicKey {
    /// Whether whoever holds the private key signed the message.
    pub(crate) fn verifies(&self, algorithm: Asymmetric, message: &Digested<'_>, signature: &[u8]) -> bool {
        let ready = self.0.ready.0.get_or_init(|| (algorithm, self.ready_for(algorithm)));
        let made;
        let key = match ready {
            (prepared_for, key) if *prepared_for == algorithm => key,
            _ => {
                made = self.ready_for(algorithm);
                &made
            }
        };
        key.as_ref().is_some_and(|key| {
            match message {
                Digested::Whole(message) => key.verify_sig(message, signature),
                Digested::Digest(digest) => key.verify_digest_sig(digest, signature),
            }
            .is_ok()
        })
    }

    /// A key whose other half nobody has.
    ///
    /// # Errors
    ///
    /// If the library has no randomness to make one of.
    pub(crate) fn nobodys(kind: KeyKind) -> Result<Self, ConfigError> {
        let elliptic = |algorithm| Ok(EcdsaKeyPair::generate(algorithm)?.public_key().as_ref().to_vec());
        let bytes = match kind {
            KeyKind::Ed25519 => Ed25519KeyPair::generate().map(|pair| pair.public_key().as_ref().to_vec()),
            KeyKind::P256 => elliptic(&lc::ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyKind::P384 => elliptic(&lc::ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyKind::P521 => elliptic(&lc::ECDSA_P521_SHA512_ASN1_SIGNING),
            KeyKind::Rsa => rsa::KeyPair::generate(KeySize::Rsa2048).map(|pair| pair.public_key().as_ref().to_vec()),
        };
        let bytes = bytes.map_err(|_| ConfigError::MalformedKey { why: "none could be made" })?;
        Ok(Self::raw(kind, bytes))
    }

    /// Whether the library takes the key for this algorithm: not of the wrong kind, not off the curve, not too short.
    pub(crate) fn fits(&self, algorithm: Asymmetric) -> bool {
        self.ready_for(algorithm).is_some()
    }

    fn ready_for(&self, algorithm: Asymmetric) -> Option<ParsedPublicKey> {
        if self.0.kind != algorithm.kind() || algorithm.missing_feature().is_some() {
            return None;
        }
        ParsedPublicKey::new(primitive(algorithm), &self.0.bytes).ok()
    }
}

impl fmt::Debug for Digesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digesting")
    }
}

fn primitive(algorithm: Asymmetric) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Asymmetric::Ed25519 => &lc::ED25519,
        Asymmetric::Ecdsa(Hash::Sha1, _) => &lc::ECDSA_P256_SHA1_ASN1,
        Asymmetric::Ecdsa(Hash::Sha256, Shape::Der) => &lc::ECDSA_P256_SHA256_ASN1,
        Asymmetric::Ecdsa(Hash::Sha384, Shape::Der) => &lc::ECDSA_P384_SHA384_ASN1,
        Asymmetric::Ecdsa(Hash::Sha512, Shape::Der) => &lc::ECDSA_P521_SHA512_ASN1,
        Asymmetric::Ecdsa(Hash::Sha256, Shape::Fixed) => &lc::ECDSA_P256_SHA256_FIXED,
        Asymmetric::Ecdsa(Hash::Sha384, Shape::Fixed) => &lc::ECDSA_P384_SHA384_FIXED,
        Asymmetric::Ecdsa(Hash::Sha512, Shape::Fixed) => &lc::ECDSA_P521_SHA512_FIXED,
        Asymmetric::RsaPkcs1(Hash::Sha1) => &lc::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Asymmetric::RsaPkcs1(Hash::Sha256) => &lc::RSA_PKCS1_2048_8192_SHA256,
        Asymmetric::RsaPkcs1(Hash::Sha384) => &lc::RSA_PKCS1_2048_8192_SHA384,
        Asymmetric::RsaPkcs1(Hash::Sha512) => &lc::RSA_PKCS1_2048_8192_SHA512,
        Asymmetric::RsaPss(Hash::Sha384) => &lc::RSA_PSS_2048_8192_SHA384,
        Asymmetric::RsaPss(Hash::Sha512) => &lc::RSA_PSS_2048_8192_SHA512,
        Asymmetric::RsaPss(_) => &lc::RSA_PSS_2048_8192_SHA256,
    }
}
