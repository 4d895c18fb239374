use std::{fmt, sync::Arc};

use crate::{
    ConfigError,
    scheme::{Asymmetric, Hash, JwsAlgorithm},
};

/// A public key: what verifies signatures of those who hold the private one.
///
/// It may be written in any of the ways in which providers hand keys out:
///
/// * PEM: `PUBLIC KEY`, `RSA PUBLIC KEY`, or a `CERTIFICATE`, whose key it is;
/// * base64 of the DER that such a block holds, or of an Ed25519 key's 32 bytes, also after `whpk_`;
/// * hexadecimal digits of an Ed25519 key's 32 bytes;
/// * a JSON Web Key (RFC 7517; feature `jwt`).
///
/// ```
/// # #[cfg(feature = "ed25519")] {
/// use tower_webhook::key::PublicKey;
///
/// let key = PublicKey::parse("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")?;
/// # }
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct PublicKey(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) kind: KeyKind,
    /// The 32 bytes of an Ed25519 key, the uncompressed point of an elliptic curve, or a PKCS #1 `RSAPublicKey`.
    pub(super) bytes: Box<[u8]>,
    /// What a JSON Web Key says it is for.
    pub(super) algorithm: Option<JwsAlgorithm>,
    /// Whose tokens a JSON Web Key says it signs, as Microsoft's do.
    pub(super) issuer: Option<Box<str>>,
    /// The certificate that the key was taken from, in DER.
    pub(super) certificate: Option<Box<[u8]>>,
    #[cfg(feature = "_public-key")]
    pub(super) ready: super::asymmetric::Ready,
}

/// What kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
}

impl PublicKey {
    /// A key in any of the [ways](PublicKey) in which keys are written.
    ///
    /// # Errors
    ///
    /// [`ConfigError::MalformedKey`] if it is none of them, or of a kind that no scheme uses; [`ConfigError::MissingFeature`] without any of
    /// the features `ed25519`, `ecdsa` and `rsa`.
    #[cfg(feature = "_public-key")]
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        super::encoded::parse(text)
    }

    /// A key in any of the [ways](PublicKey) in which keys are written.
    ///
    /// # Errors
    ///
    /// [`ConfigError::MissingFeature`]: none of `ed25519`, `ecdsa` and `rsa` is on.
    #[cfg(not(feature = "_public-key"))]
    pub fn parse(_: &str) -> Result<Self, ConfigError> {
        Err(ConfigError::MissingFeature { what: "public keys".to_owned(), feature: "ed25519, ecdsa or rsa" })
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.0.kind
    }

    /// The only algorithm that the key may be used with, if it says so.
    pub(crate) fn algorithm(&self) -> Option<JwsAlgorithm> {
        self.0.algorithm
    }

    /// Whose tokens the key signs, if it says so.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }

    /// The certificate that the key was taken from, in DER.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        self.0.certificate.as_deref()
    }

    /// # Errors
    ///
    /// [`ConfigError::MissingFeature`]: none of `ed25519`, `ecdsa` and `rsa` is on.
    #[cfg(not(feature = "_public-key"))]
    pub(crate) fn nobodys(_: KeyKind) -> Result<Self, ConfigError> {
        Self::parse("")
    }
}

impl Asymmetric {
    pub(crate) fn kind(self) -> KeyKind {
        match self {
            Self::Ed25519 => KeyKind::Ed25519,
            Self::Ecdsa(Hash::Sha1 | Hash::Sha256, _) => KeyKind::P256,
            Self::Ecdsa(Hash::Sha384, _) => KeyKind::P384,
            Self::Ecdsa(Hash::Sha512, _) => KeyKind::P521,
            Self::RsaPkcs1(_) | Self::RsaPss(_) => KeyKind::Rsa,
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind && self.0.bytes == other.0.bytes
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.0.kind)
    }
}
