//! Where the values are that a scheme speaks of: in its data, and as they are read.

use std::{sync::Arc, time::Duration};

use super::{Grammar, Part, Scheme, TimestampFormat, headers::HeaderRef, json::Pointer};
use crate::ConfigError;

/// Where a value is in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source<'a> {
    /// The value of a header.
    Header(&'a str),
    /// The value of a `name=value` item beside the signature; for [`Grammar::TimeFirst`] the empty name is the time.
    Field(&'a str),
    /// A string, number or boolean in the JSON body, by JSON pointer (RFC 6901).
    Json(&'a str),
    /// The same, where it may be at one of several places; the first that exists counts.
    JsonAny(&'a [&'a str]),
    /// A parameter of the query, decoded; refused if it is there twice.
    Query(&'a str),
    /// A field of a form body (`application/x-www-form-urlencoded` or `multipart/form-data`), decoded; refused if it is there twice.
    Form(&'a str),
    /// A string, number or boolean in a field of a form body that is JSON: the field, and the pointer into it.
    FormJson(&'a str, &'a str),
    /// A string, number or boolean in the claims of a JSON Web Signature, by JSON pointer.
    Claim(&'a str),
    /// What all items of a list in the JSON body have in common: the pointer to the list, and the pointer into each item. Items that differ are refused.
    JsonEach(&'a str, &'a str),
    /// The whole body, as text.
    Body,
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

/// Where a value is, ready to be read.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Header(HeaderRef),
    Field(Box<str>),
    /// The first of these that exists.
    Json(Arc<[Pointer]>),
    Query(Box<str>),
    Form(Box<str>),
    FormJson(Box<str>, Arc<[Pointer]>),
    Claim(Box<str>),
    JsonEach(Pointer, Pointer),
    Body,
}

/// Something that a request says, and whether the signature covers it.
#[derive(Clone, Debug)]
pub(super) struct Signed<T> {
    pub(super) what: T,
    pub(super) is_signed: bool,
}

impl Place {
    pub(super) fn new(source: Source<'_>, scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
        Ok(match source {
            Source::Header(name) => Self::Header(HeaderRef::new(name, scheme.alternate)?),
            Source::Field(name)
                if !matches!(
                    scheme.signature.grammar,
                    Grammar::Bare
                        | Grammar::Prefixed(_)
                        | Grammar::MaybePrefixed(_)
                        | Grammar::Versions { .. }
                        | Grammar::List { .. }
                        | Grammar::Pairs { .. }
                ) =>
            {
                Self::Field(name.into())
            }
            Source::Field(name) => {
                let why = format!("`{name}` can be a field only if the signature is one");
                return Err(ConfigError::scheme(scheme.name, why));
            }
            Source::Json(pointer) => Self::Json(pointers(&[pointer])?),
            Source::JsonAny(any) => Self::Json(pointers(any)?),
            Source::Query(name) => Self::Query(name.into()),
            Source::Form(name) => Self::Form(name.into()),
            Source::FormJson(name, pointer) => Self::FormJson(name.into(), pointers(&[pointer])?),
            Source::Claim(_) if scheme.jws.is_none() => {
                return Err(ConfigError::scheme(scheme.name, "only a JSON Web Signature makes claims"));
            }
            Source::Claim(pointer) => {
                Pointer::new(pointer)?;
                Self::Claim(pointer.into())
            }
            Source::JsonEach(list, item) => Self::JsonEach(Pointer::new(list)?, Pointer::new(item)?),
            Source::Body => Self::Body,
        })
    }

    /// Whether the head of a request is enough to read it, given that of the signature is.
    pub(super) fn is_in_head(&self, signature: &Self) -> bool {
        match self {
            Self::Header(_) | Self::Query(_) => true,
            Self::Field(_) | Self::Claim(_) => matches!(signature, Self::Header(_) | Self::Query(_)),
            Self::Json(_) | Self::Form(_) | Self::FormJson(..) | Self::JsonEach(..) | Self::Body => false,
        }
    }
}

/// Whether `message` covers what is at `source`: as the given part, by itself, or inside the body or the URL.
pub(super) fn covers(message: &[Part<'_>], part: Part<'_>, source: Source<'_>) -> bool {
    // How a form is read is for its content type to say, which nobody signs: whoever captured a form can have it read in another way, and find
    // other fields in it or none. So the body does not cover its fields.
    let is_in_body = matches!(source, Source::Json(_) | Source::JsonAny(_) | Source::JsonEach(..) | Source::Body);
    message.iter().any(|signed| match (signed, source) {
        (Part::Body | Part::BodySha256 | Part::BodySha256Raw, _) if is_in_body => true,
        // Not the URL: it may be configured as a whole, and then the query of the request is not in it.
        (Part::Target, Source::Query(_)) => true,
        (Part::Json(signed), Source::Json(pointer)) => *signed == pointer,
        (Part::Header(signed), Source::Header(name)) => signed.eq_ignore_ascii_case(name),
        (Part::Field(signed), Source::Field(name)) => *signed == name,
        (Part::Query(signed), Source::Query(name)) => *signed == name,
        (Part::Form(signed), Source::Form(name) | Source::FormJson(name, _)) => *signed == name,
        (Part::FormJson(field, pointer), _) => source == Source::FormJson(field, pointer),
        (Part::Canonical(canonical), _) => {
            canonical.covers.contains(&source) || is_in_body && canonical.covers.contains(&Source::Body)
        }
        (Part::Timestamp | Part::Id, _) => *signed == part,
        _ => false,
    })
}

pub(super) fn pointers(texts: &[&str]) -> Result<Arc<[Pointer]>, ConfigError> {
    texts.iter().map(|text| Pointer::new(text)).collect()
}
