use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha1::Digest;
use zeroize::Zeroizing;

use super::{Key, KeyRing, PublicKey};
use crate::ConfigError;

/// A shared secret: wiped from memory when dropped, never printed, never empty.
///
/// Text that anyone could guess by accident is refused when the secret is made: empty or blank text,
/// blanks around it (a trailing newline from a file), zero bytes only, and things that are not secrets at all, such
/// as PEM blocks and `whpk_` public keys.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// How the text that a provider shows in its console becomes the bytes of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SecretFormat {
    /// The text itself, in UTF-8. Also right for text that merely looks encoded, like Stripe's `whsec_…`.
    #[default]
    Text,
    /// Base64 (standard alphabet, padding optional) of the key.
    Base64,
    /// Hexadecimal digits of the key.
    Hex,
    /// `whsec_` and base64, as Standard Webhooks writes secrets; the prefix may be missing.
    Whsec,
    /// The text itself, even where it looks like an asymmetric key (`whsk_…`), as PayMongo's secrets do.
    AnyText,
    /// SHA-1 of the text, as Braintree derives keys from secrets.
    Sha1OfText,
    /// No secret but a [`PublicKey`], or a JSON Web Key Set.
    PublicKey,
    /// The same, or else a secret that is the text itself.
    SecretOrPublicKey,
}

impl SecretFormat {
    /// The keys that `text` holds.
    pub(super) fn keys(self, text: &str) -> Result<KeyRing, ConfigError> {
        match self {
            Self::PublicKey => public_keys(text),
            Self::SecretOrPublicKey if text.starts_with("-----BEGIN") || text.trim_start().starts_with('{') => {
                public_keys(text)
            }
            _ => KeyRing::new([Key::new(Secret::parse(text, self)?)]),
        }
    }
}

fn public_keys(text: &str) -> Result<KeyRing, ConfigError> {
    #[cfg(all(feature = "jwt", feature = "_public-key"))]
    if text.trim_start().starts_with('{')
        && let Ok(keys) = super::jwk_set(text.as_bytes())
    {
        let keyed = |found: super::FoundKey| match found.id {
            Some(id) => Key::public(found.key).with_id(id),
            None => Key::public(found.key),
        };
        return KeyRing::new(keys.into_iter().map(keyed));
    }
    KeyRing::new([Key::public(PublicKey::parse(text)?)])
}

impl Secret {
    /// A secret of these very bytes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::EmptySecret`] if there is nothing in it but blanks or zero bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Result<Self, ConfigError> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
            return Err(ConfigError::EmptySecret);
        }
        Ok(Self(bytes))
    }

    /// A secret that is the UTF-8 text itself.
    ///
    /// # Errors
    ///
    /// As [`Secret::raw`]; also if blanks surround the text, or it is a PEM block or a public key.
    pub fn text(text: &str) -> Result<Self, ConfigError> {
        Self::raw(plausible(text)?)
    }

    /// A secret written in base64, padding optional.
    ///
    /// # Errors
    ///
    /// As [`Secret::text`]; also if it is not base64.
    pub fn base64(text: &str) -> Result<Self, ConfigError> {
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &STANDARD,
            GeneralPurposeConfig::new()
                .with_decode_padding_mode(DecodePaddingMode::Indifferent)
                // A secret cut by a sender's library in the middle of a character group is still that sender's key.
                .with_decode_allow_trailing_bits(true),
        );
        let bytes =
            LENIENT.decode(plausible(text)?).map_err(|_| ConfigError::MalformedSecret { expected: "base64" })?;
        Self::raw(bytes)
    }

    /// A secret written in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// As [`Secret::text`]; also if it is not hexadecimal.
    pub fn hex(text: &str) -> Result<Self, ConfigError> {
        let bytes = base16ct::mixed::decode_vec(plausible(text)?)
            .map_err(|_| ConfigError::MalformedSecret { expected: "hexadecimal digits" })?;
        Self::raw(bytes)
    }

    /// A Standard Webhooks secret: `whsec_` and base64; the prefix may be missing.
    ///
    /// # Errors
    ///
    /// As [`Secret::base64`].
    pub fn whsec(text: &str) -> Result<Self, ConfigError> {
        const EXPECTED: &str = "`whsec_` followed by base64";
        let text = plausible(text)?;
        // Some consoles show the version of the signature before the secret.
        let text = text.strip_prefix("v1,").unwrap_or(text);
        match Self::base64(text.strip_prefix("whsec_").unwrap_or(text)) {
            Err(ConfigError::MalformedSecret { .. }) => Err(ConfigError::MalformedSecret { expected: EXPECTED }),
            other => other,
        }
    }

    /// A secret written in `format`.
    ///
    /// # Errors
    ///
    /// As the constructor for that format.
    pub fn parse(text: &str, format: SecretFormat) -> Result<Self, ConfigError> {
        match format {
            SecretFormat::Text | SecretFormat::SecretOrPublicKey => Self::text(text),
            SecretFormat::Base64 => Self::base64(text),
            SecretFormat::Hex => Self::hex(text),
            SecretFormat::Whsec => Self::whsec(text),
            SecretFormat::AnyText if text.starts_with("whsk_") && text.trim() == text => Self::raw(text),
            SecretFormat::AnyText => Self::text(text),
            SecretFormat::Sha1OfText => Self::raw(sha1::Sha1::digest(plausible(text)?).to_vec()),
            SecretFormat::PublicKey => {
                Err(ConfigError::MalformedSecret { expected: "a public key, which is no secret" })
            }
        }
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Refuses what cannot have been meant as a secret.
fn plausible(text: &str) -> Result<&str, ConfigError> {
    if text.trim().is_empty() {
        return Err(ConfigError::EmptySecret);
    }
    let expected = if text.trim() != text {
        "without blanks or newlines around it"
    } else if text.starts_with("-----BEGIN") {
        "a shared secret, not a PEM block"
    } else if text.starts_with("whpk_") || text.starts_with("whsk_") {
        "a shared secret, not an asymmetric key"
    } else {
        return Ok(text);
    };
    Err(ConfigError::MalformedSecret { expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_give_the_same_bytes() {
        let bytes = b"0123456789abcdef";
        for secret in [
            Secret::raw(*bytes),
            Secret::text("0123456789abcdef"),
            Secret::base64("MDEyMzQ1Njc4OWFiY2RlZg=="),
            Secret::base64("MDEyMzQ1Njc4OWFiY2RlZg"),
            Secret::hex("30313233343536373839616263646566"),
            Secret::whsec("whsec_MDEyMzQ1Njc4OWFiY2RlZg=="),
            Secret::whsec("MDEyMzQ1Njc4OWFiY2RlZg=="),
        ] {
            assert_eq!(secret.unwrap().expose(), bytes);
        }
    }

    #[test]
    fn nothing_blank_or_mistaken_becomes_a_secret() {
        let empty = ConfigError::EmptySecret;
        for format in [SecretFormat::Text, SecretFormat::Base64, SecretFormat::Hex, SecretFormat::Whsec] {
            for blank in ["", "   ", "\n", "\t \r\n"] {
                assert_eq!(Secret::parse(blank, format).unwrap_err(), empty, "{format:?} {blank:?}");
            }
            for wrong in ["-----BEGIN PUBLIC KEY-----", "whpk_MDEyMzQ1Njc4OWFiY2RlZg==", "trailing\n", " leading"] {
                let error = Secret::parse(wrong, format).unwrap_err();
                assert!(matches!(error, ConfigError::MalformedSecret { .. }), "{format:?} {wrong:?}");
            }
        }
        assert_eq!(Secret::whsec("whsec_").unwrap_err(), empty);
        assert_eq!(Secret::raw(vec![0; 32]).unwrap_err(), empty);
        assert_eq!(Secret::hex("0000").unwrap_err(), empty);
        assert!(Secret::whsec("whsec_not base64").is_err());
        assert!(Secret::hex("abc").is_err());
    }
}
