use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Algorithm, Encoding};
use crate::key::{Secret, Tag};

/// A key ready for use: the state of a MAC that has read the key and nothing else.
///
/// Cloning it for each request saves hashing the key again, twice.
#[derive(Clone)]
pub(super) enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    // Boxed, since these states are twice as large, and the few providers that use them should not slow down the rest.
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
    Token(Tag),
}

impl Keyed {
    /// `None` if the algorithm is neither an HMAC nor a token.
    pub(super) fn new(algorithm: Algorithm, secret: &Secret) -> Option<Self> {
        let key = secret.expose();
        Some(match algorithm {
            Algorithm::HmacSha1 => Self::Sha1(keyed(key)),
            Algorithm::HmacSha256 => Self::Sha256(keyed(key)),
            Algorithm::HmacSha384 => Self::Sha384(Box::new(keyed(key))),
            Algorithm::HmacSha512 => Self::Sha512(Box::new(keyed(key))),
            Algorithm::Token | Algorithm::Basic => Self::Token(token(key)),
            _ => return None,
        })
    }

    #[inline]
    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha1(mac) => mac.update(data),
            Self::Sha256(mac) => mac.update(data),
            Self::Sha384(mac) => mac.update(data),
            Self::Sha512(mac) => mac.update(data),
            Self::Token(_) => {}
        }
    }

    pub(super) fn finish(self) -> Tag {
        match self {
            Self::Sha1(mac) => tag(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => tag(&mac.finalize().into_bytes()),
            Self::Sha384(mac) => tag(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => tag(&mac.finalize().into_bytes()),
            Self::Token(tag) => tag,
        }
    }

    /// The signature as it is written into a request; `None` for tokens, which are the secret itself.
    pub(super) fn finish_encoded(self, encoding: Encoding) -> Option<String> {
        Some(match self {
            Self::Sha1(mac) => encoding.encode(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => encoding.encode(&mac.finalize().into_bytes()),
            Self::Sha384(mac) => encoding.encode(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => encoding.encode(&mac.finalize().into_bytes()),
            Self::Token(_) => return None,
        })
    }
}

/// Digests are compared, so that not even a token's length shows in the time taken.
pub(super) fn token(text: &[u8]) -> Tag {
    tag(&Sha256::digest(text))
}

/// The hash of a message that holds the secret.
pub(super) enum PlainHash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl PlainHash {
    /// `None` if the algorithm is none.
    pub(super) fn new(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Sha1 => Some(Self::Sha1(Sha1::new())),
            Algorithm::Sha256 => Some(Self::Sha256(Sha256::new())),
            _ => None,
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha1(hash) => hash.update(data),
            Self::Sha256(hash) => hash.update(data),
        }
    }

    pub(super) fn finish(self) -> Tag {
        match self {
            Self::Sha1(hash) => tag(&hash.finalize()),
            Self::Sha256(hash) => tag(&hash.finalize()),
        }
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 section 2)")]
fn keyed<M: KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[expect(clippy::expect_used, reason = "no digest here is longer than SHA-512's")]
fn tag(bytes: &[u8]) -> Tag {
    Tag::new(bytes).expect("no digest is longer than 64 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(algorithm: Algorithm, key: &[u8], data: &[u8]) -> String {
        let mut keyed = Keyed::new(algorithm, &Secret::raw(key).unwrap()).unwrap();
        keyed.update(data);
        keyed.finish_encoded(Encoding::Hex).unwrap()
    }

    /// RFC 4231 sections 4.3 and 4.7 (a key longer than any block), RFC 2202 section 3 cases 2 and 7.
    #[test]
    fn agrees_with_the_rfcs() {
        let what = b"what do ya want for nothing?".as_slice();
        let long_key = [0xaa; 131].as_slice();
        let long = b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.".as_slice();
        for (algorithm, key, data, expected) in [
            (Algorithm::HmacSha1, b"Jefe".as_slice(), what, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (
                Algorithm::HmacSha1,
                [0xaa; 80].as_slice(),
                b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data".as_slice(),
                "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
            ),
            (Algorithm::HmacSha256, b"Jefe", what, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (Algorithm::HmacSha256, long_key, long, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
            (
                Algorithm::HmacSha384,
                b"Jefe",
                what,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                Algorithm::HmacSha512,
                b"Jefe",
                what,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
            (
                Algorithm::HmacSha512,
                long_key,
                long,
                "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
            ),
        ] {
            assert_eq!(mac(algorithm, key, data), expected, "{algorithm:?}");
        }
    }

    #[test]
    fn a_token_of_another_length_is_another_token() {
        let expected = Keyed::new(Algorithm::Token, &Secret::text("token").unwrap()).unwrap().finish();
        for (text, matches) in [("token", true), ("token ", false), ("toke", false), ("", false)] {
            let tag = token(text.as_bytes());
            assert_eq!(
                crate::key::first_match(std::slice::from_ref(&expected), &[tag], |_| true).is_some(),
                matches,
                "{text:?}"
            );
        }
    }
}
