use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};

use crate::key::Tag;

/// How signatures are written.
///
/// Strict: every signature has exactly one spelling. Hexadecimal digits of the other case, padding that is
/// missing or too much, the other base64 alphabet and non-zero trailing bits are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Encoding {
    /// Lower-case hexadecimal digits.
    #[default]
    Hex,
    /// Upper-case hexadecimal digits.
    HexUpper,
    /// Hexadecimal digits of either case, but not of both.
    HexAny,
    /// Base64 with padding (RFC 4648 section 4).
    Base64,
    /// Base64 without padding.
    Base64Unpadded,
    /// URL-safe base64 with padding (RFC 4648 section 5).
    Base64Url,
    /// URL-safe base64 without padding.
    Base64UrlUnpadded,
}

impl Encoding {
    /// The tag of `len` bytes that `text` spells, if it does.
    pub(super) fn decode(self, text: &str, len: usize) -> Option<Tag> {
        // base64's estimate of what it writes is up to two bytes too high.
        let mut buffer = [0; Tag::MAX + 2];
        let written = match self {
            Self::HexAny => {
                return Self::Hex.decode(text, len).or_else(|| Self::HexUpper.decode(text, len));
            }
            Self::Hex => base16ct::lower::decode(text, &mut buffer).ok()?.len(),
            Self::HexUpper => base16ct::upper::decode(text, &mut buffer).ok()?.len(),
            Self::Base64 => STANDARD.decode_slice(text, &mut buffer).ok()?,
            Self::Base64Unpadded => STANDARD_NO_PAD.decode_slice(text, &mut buffer).ok()?,
            Self::Base64Url => URL_SAFE.decode_slice(text, &mut buffer).ok()?,
            Self::Base64UrlUnpadded => URL_SAFE_NO_PAD.decode_slice(text, &mut buffer).ok()?,
        };
        if written != len {
            return None;
        }
        Tag::new(&buffer[..len])
    }

    /// The bytes that `text` spells, if they are no more than `max`.
    pub(super) fn decode_bytes(self, text: &str, max: usize) -> Option<Vec<u8>> {
        // Two digits a byte are the longest spelling.
        if text.len() > max.checked_mul(2)? {
            return None;
        }
        let bytes = match self {
            Self::Hex => base16ct::lower::decode_vec(text).ok()?,
            Self::HexUpper => base16ct::upper::decode_vec(text).ok()?,
            Self::HexAny => base16ct::lower::decode_vec(text).or_else(|_| base16ct::upper::decode_vec(text)).ok()?,
            Self::Base64 => STANDARD.decode(text).ok()?,
            Self::Base64Unpadded => STANDARD_NO_PAD.decode(text).ok()?,
            Self::Base64Url => URL_SAFE.decode(text).ok()?,
            Self::Base64UrlUnpadded => URL_SAFE_NO_PAD.decode(text).ok()?,
        };
        (bytes.len() <= max).then_some(bytes)
    }

    pub(super) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::HexAny | Self::Hex => base16ct::lower::encode_string(bytes),
            Self::HexUpper => base16ct::upper::encode_string(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Base64Unpadded => STANDARD_NO_PAD.encode(bytes),
            Self::Base64Url => URL_SAFE.encode(bytes),
            Self::Base64UrlUnpadded => URL_SAFE_NO_PAD.encode(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Encoding; 6] = [
        Encoding::Hex,
        Encoding::HexUpper,
        Encoding::Base64,
        Encoding::Base64Unpadded,
        Encoding::Base64Url,
        Encoding::Base64UrlUnpadded,
    ];

    proptest! {
        #[test]
        fn a_tag_has_exactly_one_spelling(bytes in prop::collection::vec(any::<u8>(), 20..=64), text in "[A-Za-z0-9+/=_-]{0,130}") {
            for encoding in ALL {
                let spelled = encoding.encode(&bytes);
                let decoded = encoding.decode(&spelled, bytes.len()).unwrap();
                prop_assert_eq!(&decoded.as_bytes()[..bytes.len()], &bytes[..]);
                if let Some(tag) = encoding.decode(&text, 32) {
                    prop_assert_eq!(encoding.encode(&tag.as_bytes()[..32]), text.clone());
                }
            }
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let hex = "ab".repeat(32);
        let base64 = Encoding::Base64.encode(&[0xfb; 32]);
        for (encoding, text) in [
            (Encoding::Hex, hex.to_uppercase()),
            (Encoding::Hex, format!("0x{hex}")),
            (Encoding::Hex, format!("0x{}", &hex[2..])),
            (Encoding::Hex, hex[1..].to_owned()),
            (Encoding::Hex, format!("{hex}ab")),
            (Encoding::Hex, "g".repeat(64)),
            (Encoding::Hex, String::new()),
            (Encoding::Base64, base64.trim_end_matches('=').to_owned()),
            (Encoding::Base64, format!("{base64}=")),
            (Encoding::Base64, base64.replace('+', "-").replace('/', "_")),
            (Encoding::Base64, format!("{}\n{}", &base64[..8], &base64[8..])),
            // The last character before the padding carries two bits that must be zero.
            (Encoding::Base64, base64.replace("s=", "t=")),
            (Encoding::Base64, "A".repeat(10_000)),
        ] {
            assert!(encoding.decode(&text, 32).is_none(), "{encoding:?} {text}");
        }
        assert!(base64.ends_with("s="), "{base64}");
    }
}
