//! How providers make sure that an endpoint is meant for them, before they send anything to it.
//!
//! A handshake is data, as a [`Scheme`](crate::scheme::Scheme) is: where the challenge is, whether the provider signs the request that carries it, and
//! how it is answered. The constants below are the catalogue; a [`HandshakeLayer`](crate::layer::HandshakeLayer) answers.
//!
//! What answers give away is bounded. A value is sent back only if it is short and holds nothing that would mean anything in HTML, JSON
//! or a header ([`Alphabet`]), as text or JSON, never to be cached. Where the provider signs the request, nothing is answered without the signature.
//!
//! # A handshake of your own
//!
//! ```
//! use tower_webhook::{handshake::{Handshake, Member, Reply}, layer::HandshakeLayer, scheme::Source};
//!
//! /// `GET ?challenge=…`, answered with `{"challenge":"…"}`.
//! const ACME: Handshake = Handshake {
//!     name: "acme",
//!     providers: &["acme"],
//!     challenge: Some(Source::Query("challenge")),
//!     reply: Reply::Json(&[("challenge", Member::Challenge)]),
//!     ..Handshake::GET
//! };
//!
//! let layer = HandshakeLayer::new().answer(ACME)?;
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```

mod catalogue;

pub use self::catalogue::*;
use crate::scheme::Source;

/// How a provider makes sure that an endpoint is meant for it: plain data, see the [module](self).
///
/// Written as a constant over [`Handshake::GET`] or [`Handshake::SIGNED`], so that fields added later keep their defaults.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    /// Its name in errors.
    pub name: &'static str,
    /// The [schemes](crate::scheme::Scheme::name) that go with it.
    pub providers: &'static [&'static str],
    /// The method that it comes with.
    pub method: &'static str,
    /// Whether the provider signs it as it signs deliveries. If so, it is answered inside verification and nowhere else.
    pub is_signed: bool,
    /// What tells it from deliveries, besides the challenge. All of it must hold.
    pub marks: &'static [Mark],
    /// Where the challenge is, if there is one; then requests without it are no handshakes.
    pub challenge: Option<Source<'static>>,
    /// What the challenge may consist of.
    pub alphabet: Alphabet,
    /// The longest challenge that is answered, in bytes.
    pub longest: usize,
    /// What it takes to answer.
    pub needs: Needs,
    /// How it is answered.
    pub reply: Reply,
    /// Whether it fails if refusals have a body: then [`WebhookBuilder::handshake`](crate::layer::WebhookBuilder::handshake) leaves them out, and a stack
    /// that is composed by hand should, see [`without_bodies`](crate::layer::RenderRejectionsLayer::without_bodies).
    pub wants_no_bodies: bool,
}

impl Handshake {
    /// An unsigned `GET` request, whose challenge of at most 256 bytes is sent back as text.
    pub const GET: Self = Self {
        name: "",
        providers: &[],
        method: "GET",
        is_signed: false,
        marks: &[],
        challenge: None,
        alphabet: Alphabet::Token,
        longest: 256,
        needs: Needs::Nothing,
        reply: Reply::Text,
        wants_no_bodies: false,
    };

    /// A `POST` request that is signed as deliveries are, whose challenge of at most 256 bytes is sent back as text.
    pub const SIGNED: Self = Self { method: "POST", is_signed: true, ..Self::GET };
}

/// What tells a handshake from a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// There is this value.
    Is(Source<'static>, &'static str),
    /// There is no value.
    Absent(Source<'static>),
}

/// What a challenge may consist of. None of it has to be escaped in JSON, HTML or headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alphabet {
    /// Letters, digits and `+ - . / = _`, as WebSub has it.
    Token,
    /// Hexadecimal digits and `-`.
    Uuid,
    /// Visible ASCII and spaces, but for quotes, `<`, `>`, `&` and `\`.
    Text,
}

impl Alphabet {
    pub(crate) const fn has(self, byte: u8) -> bool {
        match self {
            Self::Token => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'/' | b'=' | b'_'),
            Self::Uuid => byte.is_ascii_hexdigit() || byte == b'-',
            Self::Text => {
                (byte.is_ascii_graphic() || byte == b' ')
                    && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'&' | b'\\')
            }
        }
    }

    /// Whether `text` is a challenge, of at most `longest` bytes.
    pub(crate) fn spells(self, text: &[u8], longest: usize) -> bool {
        !text.is_empty() && text.len() <= longest && text.iter().all(|byte| self.has(*byte))
    }
}

/// What it takes to answer a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// Nothing but the request.
    Nothing,
    /// The secret that deliveries are signed with.
    SigningSecret,
    /// The token that was entered at the provider, which the request repeats here. Another one is answered `401`.
    VerifyToken(Source<'static>),
    /// The topics that were subscribed to, of which the request names one here. Another one is answered `404`.
    Topic(Source<'static>),
}

/// How a handshake is answered. Always `200`, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The challenge, as `text/plain`.
    Text,
    /// An object of these members, as JSON.
    Json(&'static [(&'static str, Member)]),
    /// This JSON.
    Literal(&'static str),
    /// This status, and no body.
    Status(u16),
}

/// A member of an answer in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Member {
    /// The challenge.
    Challenge,
    /// HMAC-SHA256 of the challenge, in lower-case hexadecimal digits.
    ///
    /// The key is that of the deliveries, so the challenge must be nothing that a delivery could be: see [`X_CRC`].
    HmacSha256Hex,
    /// `sha256=`, and HMAC-SHA256 of the challenge in base64.
    HmacSha256Base64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_challenge_has_to_be_escaped() {
        for alphabet in [Alphabet::Token, Alphabet::Uuid, Alphabet::Text] {
            let all: String = (0..=u8::MAX).filter(|byte| alphabet.has(*byte)).map(char::from).collect();
            assert_eq!(serde_json::to_string(&all).unwrap(), format!("\"{all}\""));
            assert!(http::HeaderValue::from_str(&all).is_ok());
            assert!(all.is_ascii() && !all.contains(['<', '>', '&', '"', '\'', '`', '\r', '\n', '\0']));
        }
        assert!(Alphabet::Token.spells(b"a+b/c==", 7));
        for (text, longest) in [(&b""[..], 7), (b"a+b/c==", 6), (b"a b", 7), (b"a:b", 7), (b"{}", 7), (b"\xc3\xa9", 7)]
        {
            assert!(!Alphabet::Token.spells(text, longest));
        }
    }

    #[test]
    fn the_catalogue_is_sorted_and_names_schemes() {
        assert!(ALL.is_sorted_by_key(|handshake| handshake.name));
        for handshake in ALL {
            for provider in handshake.providers {
                assert!(crate::provider::find(provider).is_ok(), "{provider}");
                assert!(of(provider).any(|found| found.name == handshake.name));
            }
        }
        assert_eq!(of("stripe").count(), 0);
    }
}
