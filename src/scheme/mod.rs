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
//! Signatures by private keys, tokens and tokens in clear are schemes as well: see [`Algorithm`], [`Jws`] and the bases beside
//! [`Scheme::HMAC_SHA256_HEX`]. What no data can say is written by code: [`Part::Canonical`].
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

mod algorithm;
mod builder;
mod candidates;
mod encoding;
mod form;
mod headers;
mod json;
mod jws;
mod layout;
mod mac;
mod message;
mod multipart;
mod place;
mod plan;
mod profile;
mod request;
mod signer;
mod timestamp;
#[cfg(feature = "jwt")]
mod token;
mod verification;
mod verifier;

use std::fmt;

pub use self::{
    algorithm::Algorithm,
    builder::{GrammarBuilder, SchemeBuilder},
    encoding::Encoding,
    jws::{Claim, Expected, Jws, JwsAlgorithm},
    place::{Source, Timestamp, Tolerance},
    plan::{CheckedScheme, IntoScheme},
    profile::{Profile, Retries, RetryOn},
    request::{FormFields, Head, SignedRequest},
    signer::{Outgoing, Signer},
    timestamp::TimestampFormat,
    verification::Verification,
    verifier::{Verifier, VerifierBuilder},
};
pub(crate) use self::{
    algorithm::{Asymmetric, Hash, Shape},
    headers::header_text,
    json::{Pointer, find_any as find_in_json, take_string as take_json_string},
};
use crate::{
    ConfigError, Rejection,
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
    /// What a JSON Web Signature must be and say, for [`Algorithm::Jws`].
    pub jws: Option<Jws<'a>>,
    /// Where a request says which of several keys signed it. The header of a JSON Web Signature is looked at anyway.
    pub key_id: Option<Source<'a>>,
    /// Where keys can be fetched from, if they are not configured.
    pub keys: Keys<'a>,
    /// That the signature covers nothing of the body is intended. Whoever captured a request can put another body into it.
    pub unsigned_body: bool,
    /// What is known of the provider beyond how it signs.
    pub profile: Profile<'a>,
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
        jws: None,
        key_id: None,
        keys: Keys::Configured,
        unsigned_body: false,
        profile: Profile::UNKNOWN,
    };

    /// HMAC-SHA256 over the body, in padded base64; the secret is the text itself.
    pub const HMAC_SHA256_BASE64: Self = Self { encoding: Encoding::Base64, ..Self::HMAC_SHA256_HEX };

    /// A header that holds the secret itself. Nothing of the request is signed.
    pub const TOKEN: Self = Self { algorithm: Algorithm::Token, message: &[], ..Self::HMAC_SHA256_HEX };

    /// User and password in the `Authorization` header (RFC 7617); the secret is `user:password`. Nothing of the request is signed.
    pub const BASIC: Self = Self {
        algorithm: Algorithm::Basic,
        signature: Signature::prefixed("authorization", "Basic "),
        encoding: Encoding::Base64,
        ..Self::TOKEN
    };

    /// Ed25519 over the body, in lower-case hexadecimal digits.
    pub const ED25519_HEX: Self =
        Self { algorithm: Algorithm::Ed25519, secret_format: SecretFormat::PublicKey, ..Self::HMAC_SHA256_HEX };

    /// A bearer token that is a JSON Web Token, signed with a private key.
    pub const JWS: Self = Self {
        algorithm: Algorithm::Jws,
        secret_format: SecretFormat::PublicKey,
        signature: Signature::prefixed("authorization", "Bearer "),
        message: &[],
        jws: Some(Jws::NEW),
        ..Self::HMAC_SHA256_HEX
    };
}

impl Scheme<'_> {
    /// Whether the signature covers what is there. If not, anyone who captured a request can change it.
    ///
    /// ```
    /// use tower_webhook::{provider, scheme::Source};
    ///
    /// assert!(provider::STRIPE.signs(Source::Json("/type")));
    /// assert!(provider::STANDARD_WEBHOOKS.signs(Source::Header("webhook-id")));
    /// assert!(!provider::GITHUB.signs(Source::Header("x-github-event")));
    /// ```
    pub fn signs(&self, source: Source<'_>) -> bool {
        let is_part = |part, at: Option<Source<'_>>| at == Some(source) && plan::is_signed(self, part, source);
        plan::is_signed(self, Part::Text(""), source)
            || is_part(Part::Id, self.id)
            || is_part(Part::Timestamp, self.timestamp.map(|time| time.source))
    }

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

/// Where the signature is, and how it is written there.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The place, mostly a header.
    pub place: Source<'a>,
    /// The grammar of what is there.
    pub grammar: Grammar<'a>,
    /// Other places that may hold signatures of the same form, such as one header for each of two keys.
    pub others: &'a [Source<'a>],
}

impl<'a> Signature<'a> {
    /// The header is the signature.
    pub const fn bare(header: &'a str) -> Self {
        Self::at(Source::Header(header))
    }

    /// What is there is the signature.
    pub const fn at(place: Source<'a>) -> Self {
        Self { place, grammar: Grammar::Bare, others: &[] }
    }

    /// `sha256=<signature>`
    pub const fn prefixed(header: &'a str, prefix: &'a str) -> Self {
        Self { grammar: Grammar::Prefixed(prefix), ..Self::bare(header) }
    }

    /// `t=1800000000,v1=<signature>,v1=<signature>`
    pub const fn field(header: &'a str, separator: char, name: &'a str) -> Self {
        Self { grammar: Grammar::Fields { separator, name }, ..Self::bare(header) }
    }

    /// `v1,<signature> v1,<signature>`
    pub const fn versions(header: &'a str, prefix: &'a str) -> Self {
        Self { grammar: Grammar::Versions { prefix }, ..Self::bare(header) }
    }
}

/// How a signature is written where it is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
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
    /// As [`Fields`](Self::Fields), where several names mark signatures: `t=…,s0=<new>,s1=<old>`.
    AnyField {
        /// Between items. Blanks around items do not count.
        separator: char,
        /// The names of items that are signatures.
        names: &'a [&'a str],
    },
    /// The signature, with or without a prefix in front of it.
    MaybePrefixed(&'a str),
    /// Signatures and nothing else, between separators.
    List {
        /// Between items. Blanks around items do not count.
        separator: char,
    },
    /// Items between spaces; those that start with the prefix are signatures, others are ignored.
    Versions {
        /// What signatures start with.
        prefix: &'a str,
    },
    /// `name|signature` items, of which those count whose name is configured as a parameter.
    Pairs {
        /// Between items.
        separator: char,
        /// Between name and signature.
        between: char,
        /// The name of the parameter that holds the name to look for.
        parameter: &'a str,
    },
    /// The time, then signatures; the time is [`Source::Field`] of the empty name.
    TimeFirst {
        /// Between items.
        separator: char,
    },
    /// Base64 of a JSON object.
    Base64Json {
        /// The member that is the signature.
        member: &'a str,
    },
}

/// Where the keys of a scheme can be fetched from by a [`KeySource`](crate::key::KeySource).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Keys<'a> {
    /// Nowhere.
    Configured,
    /// A JSON Web Key Set (RFC 7517), in which requests name their key.
    JwkSet {
        /// Where it is.
        url: &'a str,
    },
    /// A public key in PEM for each id.
    Pem {
        /// Where they are; `{kid}` stands for the id.
        url: &'a str,
    },
    /// A certificate, to which each request has a link.
    Certificate {
        /// Where the link is.
        url: Source<'a>,
        /// Hosts that it may lead to.
        hosts: &'a [Host<'a>],
        /// The name that the certificate must be for, or how it must end if it starts with a dot; empty if any will do.
        name: &'a str,
    },
    /// Certificates in the header of a JSON Web Signature (`x5c`). The configured key is the root that they must lead to.
    X5c {
        /// Extensions that the certificate of the key must have, as object identifiers.
        leaf: &'a [&'a str],
        /// Extensions that the certificate above it must have.
        intermediate: &'a [&'a str],
    },
}

impl Keys<'_> {
    /// Whether a [`KeySource`](crate::key::KeySource) can find them.
    pub const fn is_elsewhere(&self) -> bool {
        matches!(self, Self::JwkSet { .. } | Self::Pem { .. } | Self::Certificate { .. })
    }
}

/// Hosts that keys may be fetched from.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// This one.
    Exact(&'a str),
    /// All that end so, as in `.paypal.com`.
    Suffix(&'a str),
    /// All with the name of an AWS region between these, as in `sns.` and `.amazonaws.com`.
    Region {
        /// What comes before it.
        before: &'a str,
        /// What comes after it.
        after: &'a str,
    },
}

/// A part of the signed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// SHA-256 of the body, as its 32 bytes.
    BodySha256Raw,
    /// CRC-32 (IEEE 802.3) of the body, as a decimal number. It protects from noise, not from people: of a captured request
    /// anyone can change the body so that its CRC stays.
    BodyCrc32,
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
    /// An item beside the signature, as [`Source::Field`].
    Field(&'a str),
    /// A parameter of the query, decoded.
    Query(&'a str),
    /// A field of a form body, decoded.
    Form(&'a str),
    /// A string, number or boolean in a field of a form body that is JSON: the field, and the pointer into it.
    FormJson(&'a str, &'a str),
    /// The secret itself, for [`Algorithm::Sha1`] and [`Algorithm::Sha256`].
    Secret,
    /// What was [configured](VerifierBuilder::parameter) under this name.
    Parameter(&'a str),
    /// What code writes, where no data can say it.
    Canonical(Canonical<'a>),
}

/// Signed content that is written by code.
///
/// The code sees a stranger's request. It must refuse with [`Rejection::AmbiguousMessage`] what could be taken apart in two ways, take time in
/// proportion to the request, and not panic.
#[derive(Clone, Copy)]
pub struct Canonical<'a> {
    /// What it is called in [`Debug`](fmt::Debug) and errors.
    pub name: &'a str,
    /// What of the request the content covers; [`Source::Body`] stands for the whole body.
    pub covers: &'a [Source<'a>],
    /// The names of parameters without which nothing can be written; a verifier that lacks one is not built.
    pub parameters: &'a [&'a str],
    /// Writes the content.
    pub write: WriteContent,
}

/// Code that writes what was signed of a request.
pub type WriteContent = fn(&SignedRequest<'_>, &mut dyn FnMut(&[u8])) -> Result<(), Rejection>;

impl PartialEq for Canonical<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Canonical<'_> {}

impl fmt::Debug for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Canonical").field(&self.name).finish()
    }
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
