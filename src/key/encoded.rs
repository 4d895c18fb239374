//! Public keys as they are written: PEM, DER, base64, hexadecimal digits, JSON Web Keys.

use std::sync::Arc;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use spki::{
    ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{Decode, Encode, Reader, SliceReader, Tag, asn1::UintRef},
};

use super::{KeyKind, PublicKey, public::Inner};
use crate::{ConfigError, scheme::JwsAlgorithm};

pub(super) fn parse(text: &str) -> Result<PublicKey, ConfigError> {
    let trimmed = text.trim();
    let malformed = |why| ConfigError::MalformedKey { why };
    if trimmed.is_empty() {
        return Err(malformed("it is empty"));
    }
    if trimmed.starts_with("-----BEGIN") {
        return from_pem(trimmed);
    }
    if trimmed.starts_with('{') {
        return from_jwk_text(trimmed);
    }
    if trimmed.starts_with("whsec_") || trimmed.starts_with("whsk_") {
        return Err(malformed("it is a secret, where a public key is asked for"));
    }
    let compact: String = trimmed.strip_prefix("whpk_").unwrap_or(trimmed).split_ascii_whitespace().collect();
    if compact.len() == 64
        && let Ok(bytes) = base16ct::mixed::decode_vec(&compact)
    {
        return Ok(PublicKey::raw(KeyKind::Ed25519, bytes));
    }
    let der = STANDARD
        .decode(&compact)
        .or_else(|_| STANDARD_NO_PAD.decode(&compact))
        .map_err(|_| malformed("it is neither PEM, base64, hexadecimal digits nor a JSON Web Key"))?;
    if der.len() == 32 {
        return Ok(PublicKey::raw(KeyKind::Ed25519, der));
    }
    from_der(&der)
}

fn from_pem(text: &str) -> Result<PublicKey, ConfigError> {
    let malformed = |why| ConfigError::MalformedKey { why };
    let (label, der) = pem_block(text).ok_or_else(|| malformed("it is broken PEM"))?;
    match label {
        "PUBLIC KEY" => PublicKey::from_spki(&der),
        "RSA PUBLIC KEY" => from_der(&der),
        "CERTIFICATE" => from_certificate(&der),
        _ => Err(malformed("the PEM block is no public key")),
    }
}

/// The first block (RFC 7468), since a chain of certificates begins with that of the key. Lines may have any length, as consoles and environment
/// variables change it.
fn pem_block(text: &str) -> Option<(&str, Vec<u8>)> {
    let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let (encoded, _) = rest.split_once("-----END ")?;
    let encoded: String = encoded.split_ascii_whitespace().collect();
    Some((label, STANDARD.decode(encoded).ok()?))
}

/// A certificate, a `SubjectPublicKeyInfo`, or an `RSAPublicKey`: no two of them look alike.
fn from_der(der: &[u8]) -> Result<PublicKey, ConfigError> {
    if let Ok(key) = PublicKey::from_spki(der) {
        return Ok(key);
    }
    if let Ok(key) = from_certificate(der) {
        return Ok(key);
    }
    // PKCS #1: a sequence of modulus and exponent.
    let is_rsa = SliceReader::new(der).and_then(|mut reader| {
        reader.sequence(|reader| {
            UintRef::decode(reader)?;
            UintRef::decode(reader)
        })?;
        Ok(reader.is_finished())
    });
    match is_rsa {
        Ok(true) => Ok(PublicKey::raw(KeyKind::Rsa, der.to_vec())),
        _ => Err(ConfigError::MalformedKey { why: "it is neither a public key nor a certificate" }),
    }
}

/// The key of a certificate. Whether the certificate holds is not asked here: it was configured, and so is trusted.
fn from_certificate(der: &[u8]) -> Result<PublicKey, ConfigError> {
    let malformed = || ConfigError::MalformedKey { why: "it is a broken certificate" };
    // RFC 5280 section 4.1: version, serial number, algorithm, issuer, validity and subject come before the key.
    let spki = SliceReader::new(der)
        .and_then(|mut reader| {
            reader.sequence(|certificate: &mut SliceReader<'_>| {
                let spki = certificate.sequence(|fields: &mut SliceReader<'_>| {
                    if Tag::peek(fields)?.is_context_specific() {
                        fields.tlv_bytes()?;
                    }
                    for _ in 0..5 {
                        fields.tlv_bytes()?;
                    }
                    let spki = fields.tlv_bytes()?.to_vec();
                    while !fields.is_finished() {
                        fields.tlv_bytes()?;
                    }
                    Ok::<_, spki::der::Error>(spki)
                })?;
                while !certificate.is_finished() {
                    certificate.tlv_bytes()?;
                }
                Ok::<_, spki::der::Error>(spki)
            })
        })
        .map_err(|_| malformed())?;
    let mut key = PublicKey::from_spki(&spki)?;
    if let Some(inner) = Arc::get_mut(&mut key.0) {
        inner.certificate = Some(der.into());
    }
    Ok(key)
}

impl PublicKey {
    /// A key in its `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7).
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, ConfigError> {
        const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
        const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
        const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
        const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
        const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
        const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
        let malformed = |why| ConfigError::MalformedKey { why };
        let spki = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| malformed("it is no public key"))?;
        let bytes = spki.subject_public_key.as_bytes().ok_or_else(|| malformed("it is no public key"))?;
        let kind = match spki.algorithm.oid {
            ED25519 => KeyKind::Ed25519,
            RSA => KeyKind::Rsa,
            ELLIPTIC => match spki.algorithm.parameters_oid() {
                Ok(P256) => KeyKind::P256,
                Ok(P384) => KeyKind::P384,
                Ok(P521) => KeyKind::P521,
                _ => return Err(malformed("its curve is none of P-256, P-384 and P-521")),
            },
            _ => return Err(malformed("it is none of Ed25519, ECDSA and RSA")),
        };
        Ok(Self::raw(kind, bytes.to_vec()))
    }

    pub(super) fn raw(kind: KeyKind, bytes: Vec<u8>) -> Self {
        Self(Arc::new(Inner {
            kind,
            bytes: bytes.into(),
            algorithm: None,
            issuer: None,
            certificate: None,
            ready: super::asymmetric::Ready::default(),
        }))
    }
}

#[cfg(not(feature = "jwt"))]
fn from_jwk_text(_: &str) -> Result<PublicKey, ConfigError> {
    Err(ConfigError::MissingFeature { what: "JSON Web Keys".to_owned(), feature: "jwt" })
}

#[cfg(feature = "jwt")]
fn from_jwk_text(text: &str) -> Result<PublicKey, ConfigError> {
    let malformed = |why| ConfigError::MalformedKey { why };
    let jwk = serde_json::from_str(text).map_err(|_| malformed("it is broken JSON"))?;
    PublicKey::from_jwk(&jwk)
}

#[cfg(feature = "jwt")]
impl PublicKey {
    /// A JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037).
    pub(crate) fn from_jwk(jwk: &serde_json::Value) -> Result<Self, ConfigError> {
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let malformed = |why| ConfigError::MalformedKey { why };
        let text = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
        let bytes = |name: &'static str| {
            let text = text(name).ok_or_else(|| malformed("a member of the JSON Web Key is missing"))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed("a member of the JSON Web Key is not base64url"))
        };
        if jwk.get("d").is_some() {
            return Err(malformed("it is a private key: keep it to yourself"));
        }
        if text("use").is_some_and(|usage| usage != "sig") {
            return Err(malformed("it is not for signatures"));
        }
        let point = |kind, width| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            if x.len() != width || y.len() != width {
                return Err(malformed("a coordinate of the JSON Web Key is not as wide as its curve"));
            }
            Ok(Self::raw(kind, [&[4], &x[..], &y].concat()))
        };
        let mut key = match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => match bytes("x")? {
                x if x.len() == 32 => Self::raw(KeyKind::Ed25519, x),
                _ => return Err(malformed("an Ed25519 key has 32 bytes")),
            },
            (Some("EC"), Some("P-256")) => point(KeyKind::P256, 32)?,
            (Some("EC"), Some("P-384")) => point(KeyKind::P384, 48)?,
            (Some("EC"), Some("P-521")) => point(KeyKind::P521, 66)?,
            (Some("RSA"), _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                let integers = UintRef::new(&n).and_then(|n| Ok((n, UintRef::new(&e)?)));
                let (n, e) = integers.map_err(|_| malformed("it is a broken RSA key"))?;
                Self::raw(KeyKind::Rsa, rsa_public_key(n, e).map_err(|_| malformed("it is a broken RSA key"))?)
            }
            _ => return Err(malformed("it is none of Ed25519, P-256, P-384, P-521 and RSA")),
        };
        if let Some(inner) = Arc::get_mut(&mut key.0) {
            inner.issuer = text("issuer").map(Into::into);
        }
        if let (Some(name), Some(inner)) = (text("alg"), Arc::get_mut(&mut key.0)) {
            let algorithm = JwsAlgorithm::ALL.iter().find(|algorithm| algorithm.name() == name);
            inner.algorithm = Some(*algorithm.ok_or_else(|| malformed("its algorithm is not known"))?);
        }
        Ok(key)
    }
}

/// The keys of a JSON Web Key Set (RFC 7517 section 5), without those that are not understood, as it asks for.
#[cfg(feature = "jwt")]
pub(crate) fn jwk_set(text: &[u8]) -> Result<Vec<super::FoundKey>, ConfigError> {
    const MAX_KEYS: usize = 100;
    let malformed = || ConfigError::MalformedKey { why: "it is no JSON Web Key Set" };
    let set: serde_json::Value = serde_json::from_slice(text).map_err(|_| malformed())?;
    let keys = set.get("keys").and_then(serde_json::Value::as_array).ok_or_else(malformed)?;
    let found = keys.iter().take(MAX_KEYS).filter_map(|jwk| {
        let id = jwk.get("kid").and_then(serde_json::Value::as_str).map(Arc::from);
        Some(super::FoundKey { key: PublicKey::from_jwk(jwk).ok()?, id })
    });
    Ok(found.collect())
}

#[cfg(feature = "jwt")]
fn rsa_public_key(n: UintRef<'_>, e: UintRef<'_>) -> Result<Vec<u8>, spki::der::Error> {
    let length = (n.encoded_len()? + e.encoded_len()?)?;
    let header = spki::der::Header::new(Tag::Sequence, length);
    let mut der = header.to_der()?;
    n.encode_to_vec(&mut der)?;
    e.encode_to_vec(&mut der)?;
    Ok(der)
}
