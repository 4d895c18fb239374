//! How requests are signed, as data; and what judges and makes signatures by it.
//!
//! A [`Scheme`] names the headers and their grammar, the encoding, the algorithm, the signed content and the
//! timestamp. It is a constant: every provider of the [catalogue](crate::provider) is one. A [`Verifier`] is a scheme with keys,
//! a [`Signer`] a scheme with one key. None of them does I/O or asks for the time.
//!
//! # A provider of your own
//!
//! ```
//! use tower_webhook::scheme::{Part, Scheme, Signature, Source, Timestamp};
//!
//! /// `X-Acme-Signature: sha256=…`, HMAC-SHA256 of `timestamp.body`.
//! const ACME: Scheme = Scheme {
//!     name: "acme",
//!     signature: Signature::prefixed("x-acme-signature", "sha256="),
//!     timestamp: Some(Timestamp::unix_seconds(Source::Header("x-acme-timestamp"))),
//!     message: &[Part::Timestamp, Part::Text("."), Part::Body],
//!     ..Scheme::HMAC_SHA256_HEX
//! };
//!
//! let verifier = ACME.verifier("a secret shared with Acme")?;
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! The same from a configuration file is a [`SchemeBuilder`]. Either way a scheme is checked before it is
//! used: one under which two different requests give the same signed bytes is refused.
//!
//! # By hand
//!
//! ```
//! use tower_webhook::{clock::UnixTime, provider, scheme::Head};
//!
//! let verifier = provider::GITHUB.verifier("It's a Secret to Everybody")?;
//! let request = http::Request::post("/github")
//!     .header("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
//!     .body("Hello, World!")?;
//! let (head, body) = request.into_parts();
//!
//! // Head first: whatever it alone can say is said before a byte of the body is read.
//! let mut verification = verifier.begin(Head::from(&head), UnixTime::from_secs(1_800_000_000))?;
//! for chunk in body.as_bytes().chunks(5) {
//!     verification.update(chunk);
//! }
//! let delivery = verification.finish(Head::from(&head), &body.into())?;
//! assert_eq!(delivery.provider(), "github");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod encoding;
mod form;
mod headers;
mod json;
mod layout;
mod mac;
mod message;
mod plan;
mod signer;
mod timestamp;
mod verifier;

use std::time::Duration;

pub use self::{
    builder::{GrammarBuilder, SchemeBuilder},
    encoding::Encoding,
    mac::Algorithm,
    plan::{CheckedScheme, IntoScheme},
    signer::{Outgoing, Signer},
    timestamp::TimestampFormat,
    verifier::{Head, Verification, Verifier, VerifierBuilder},
};
pub(crate) use self::{
    headers::header_text,
    json::{Pointer, find_any as find_in_json},
};
use crate::{
    ConfigError,
    key::{IntoKeys, SecretFormat},
};

/// How requests are signed: plain data, see the [module](self).
///
/// Written as a constant over [`Scheme::HMAC_SHA256_HEX`] or another base, so that fields added later keep their defaults.
#[derive(Clone, Copy, Debug)]
pub struct Scheme<'a> {
    /// The name in deliveries, logs, metrics and replay keys.
    pub name: &'a str,
    /// What the signature is; never taken from the request.
    pub algorithm: Algorithm,
    /// How the secret is written in the provider's console.
    pub secret_format: SecretFormat,
    /// Where the signature is.
    pub signature: Signature<'a>,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What is signed.
    pub message: &'a [Part<'a>],
    /// The signed time, if there is one. A time that the signature does not cover must not be named here.
    pub timestamp: Option<Timestamp<'a>>,
    /// How far the signed time may lie from now. Five minutes either way by default.
    pub tolerance: Tolerance,
    /// Where the delivery id is, whether the signature covers it or not.
    pub id: Option<Source<'a>>,
    /// Characters that a signed id may hold besides letters, digits, `_` and `-`.
    pub id_extra: &'a str,
    /// Where the event type is, whether the signature covers it or not.
    pub event: Option<Source<'a>>,
    /// Whether genuine deliveries may have the same signed bytes. Never, by default.
    pub repeats: Repeats,
    /// Another family of the same headers.
    pub alternate: Option<Alternate<'a>>,
    /// Methods that deliveries come with. `POST` by default.
    pub methods: &'a [&'a str],
    /// The largest body to read, in bytes, unless the layer is told otherwise. 1 MiB by default.
    pub max_body: usize,
}

impl Scheme<'static> {
    /// HMAC-SHA256 over the body, in lower-case hexadecimal digits; the secret is the text itself.
    pub const HMAC_SHA256_HEX: Self = Self {
        name: "",
        algorithm: Algorithm::HmacSha256,
        secret_format: SecretFormat::Text,
        signature: Signature::bare(""),
        encoding: Encoding::Hex,
        message: &[Part::Body],
        timestamp: None,
        tolerance: Tolerance::seconds(300),
        id: None,
        id_extra: "",
        event: None,
        repeats: Repeats::Never,
        alternate: None,
        methods: &["POST"],
        max_body: 1024 * 1024,
    };

    /// HMAC-SHA256 over the body, in padded base64; the secret is the text itself.
    pub const HMAC_SHA256_BASE64: Self = Self { encoding: Encoding::Base64, ..Self::HMAC_SHA256_HEX };

    /// A header that holds the secret itself. Nothing of the request is signed.
    pub const TOKEN: Self = Self { algorithm: Algorithm::Token, message: &[], ..Self::HMAC_SHA256_HEX };
}

impl Scheme<'_> {
    /// A verifier of this scheme with these keys.
    ///
    /// # Errors
    ///
    /// When the keys cannot be used, the scheme is ambiguous, or it needs more than keys
    /// (the public URL: [`Verifier::builder`]).
    pub fn verifier(&self, keys: impl IntoKeys) -> Result<Verifier, ConfigError> {
        Verifier::builder(*self).build(keys)
    }

    /// A signer of this scheme; with several keys, the first one signs.
    ///
    /// # Errors
    ///
    /// As [`Scheme::verifier`].
    pub fn signer(&self, keys: impl IntoKeys) -> Result<Signer, ConfigError> {
        Signer::new(*self, keys)
    }
}

/// Where the signature is, and how the header is written around it.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The header.
    pub header: &'a str,
    /// Its grammar.
    pub grammar: Grammar<'a>,
}

impl<'a> Signature<'a> {
    /// The header is the signature.
    pub const fn bare(header: &'a str) -> Self {
        Self { header, grammar: Grammar::Bare }
    }

    /// `sha256=<signature>`
    pub const fn prefixed(header: &'a str, prefix: &'a str) -> Self {
        Self { header, grammar: Grammar::Prefixed(prefix) }
    }

    /// `t=1800000000,v1=<signature>,v1=<signature>`
    pub const fn field(header: &'a str, separator: char, name: &'a str) -> Self {
        Self { header, grammar: Grammar::Fields { separator, name } }
    }

    /// `v1,<signature> v1,<signature>`
    pub const fn versions(header: &'a str, prefix: &'a str) -> Self {
        Self { header, grammar: Grammar::Versions { prefix } }
    }
}

/// How a signature header is written.
#[derive(Clone, Copy, Debug)]
pub enum Grammar<'a> {
    /// The signature and nothing else.
    Bare,
    /// A fixed prefix, and the signature.
    Prefixed(&'a str),
    /// `name=value` items between separators; items of the given name are signatures, others are ignored.
    Fields {
        /// Between items. Blanks around items do not count.
        separator: char,
        /// The name of items that are signatures.
        name: &'a str,
    },
    /// Items between spaces; those that start with the prefix are signatures, others are ignored.
    Versions {
        /// What signatures start with.
        prefix: &'a str,
    },
}

/// Where a value is in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// The value of a header.
    Header(&'a str),
    /// The value of a `name=value` item in the signature header.
    Field(&'a str),
    /// A string, number or boolean in the JSON body, by JSON pointer (RFC 6901).
    Json(&'a str),
    /// The same, where it may be at one of several places; the first that exists counts.
    JsonAny(&'a [&'a str]),
}

/// The signed time.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp<'a> {
    /// Where it is.
    pub source: Source<'a>,
    /// How it is written.
    pub format: TimestampFormat,
}

impl<'a> Timestamp<'a> {
    /// Whole seconds since 1970.
    pub const fn unix_seconds(source: Source<'a>) -> Self {
        Self { source, format: TimestampFormat::UnixSeconds }
    }

    /// Milliseconds since 1970.
    pub const fn unix_millis(source: Source<'a>) -> Self {
        Self { source, format: TimestampFormat::UnixMillis }
    }

    /// `2021-07-25T10:00:00Z`, with or without a fraction.
    pub const fn rfc3339(source: Source<'a>) -> Self {
        Self { source, format: TimestampFormat::Rfc3339 }
    }
}

/// How far a signed time may lie from now. Zero means zero, not "off".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// How old a request may be.
    pub past: Duration,
    /// How far ahead of us the sender's clock may run.
    pub future: Duration,
}

impl Tolerance {
    /// So many seconds either way.
    pub const fn seconds(secs: u64) -> Self {
        Self::both(Duration::from_secs(secs))
    }

    /// The same either way.
    pub const fn both(tolerance: Duration) -> Self {
        Self { past: tolerance, future: tolerance }
    }

    /// The whole time in which the same bytes may be accepted, plus the second that timestamps in seconds are rounded by.
    pub fn window(&self) -> Duration {
        self.past.saturating_add(self.future).saturating_add(Duration::from_secs(1))
    }
}

/// A part of the signed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Fixed text.
    Text(&'a str),
    /// The request method.
    Method,
    /// The public URL that the sender called, with the path and query exactly as they came.
    Url,
    /// As [`Url`](Self::Url), but escapes of these characters (`%3A` for `:`) are decoded before signing, as HubSpot does it. To the
    /// signature, such a character and its escape are the same.
    UrlDecoding(&'a str),
    /// The path, without the query.
    Path,
    /// The path and query.
    Target,
    /// The value of a header.
    Header(&'a str),
    /// The signed time, in the very characters that were sent.
    Timestamp,
    /// The delivery id.
    Id,
    /// The body.
    Body,
    /// SHA-256 of the body, in lower-case hexadecimal digits.
    BodySha256,
    /// A string, number or boolean in the JSON body, by JSON pointer (RFC 6901); refused if it is there twice. Nothing else of the body is
    /// signed then, nor whether the value was `1` or `"1"`.
    Json(&'a str),
    /// The decoded parameters of a form body, sorted by name and then value; at most 10,000 of them.
    SortedForm {
        /// Between a name and its value.
        between: &'a str,
        /// After each value but the last.
        after: &'a str,
    },
}

/// Another family of the same headers, used as a whole instead of the first.
///
/// If a request carries headers of both families, they must agree.
#[derive(Clone, Copy, Debug)]
pub struct Alternate<'a> {
    /// How header names of the first family start, in lower case.
    pub prefix: &'a str,
    /// How the other family starts instead.
    pub instead: &'a str,
}

/// Whether genuine deliveries may have the same signed bytes.
///
/// Where the signature covers no delivery id, a replay is recognised by the signed bytes. That must not cost a
/// sender its genuine deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Repeats {
    /// They never do: the same signed bytes are the same delivery.
    #[default]
    Never,
    /// Several events may have the same body and differ only in an event type that is not signed, as Shopify's
    /// `orders/create` and `orders/paid` do. The event type then counts, so that whoever captured a delivery can replay it under any other text as
    /// its type, once for each: allow only the types that you handle. The same body under the same type is the same delivery.
    PerEvent,
    /// The same bytes are sent again for something new, as Dropbox's "this account has changes".
    /// A replay cannot be told from news, so deliveries have no replay key and handlers must be idempotent.
    Always,
}
