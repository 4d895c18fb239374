//! The signed content of one request.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{
    Canonical, Part, Scheme, SignedRequest, Source, WriteContent, headers::HeaderRef, layout, place::Place,
    plan::PublicUrl,
};
use crate::{ConfigError, Rejection};

/// A part of the message, ready to be written.
#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Method,
    Url { decoding: Box<str> },
    Path,
    Target,
    Value(Place),
    Timestamp,
    Id,
    Body,
    BodySha256,
    BodySha256Raw,
    BodyCrc32,
    SortedForm { between: Box<str>, after: Box<str> },
    Secret,
    Parameter(Box<str>),
    Canonical { write: WriteContent, parameters: Vec<Box<str>> },
}

impl Piece {
    /// Whether nothing but the head is needed to write it.
    fn is_in_head(&self) -> bool {
        match self {
            Self::Text(_) | Self::Method | Self::Url { .. } | Self::Path | Self::Target | Self::Parameter(_) => true,
            // Whether these are in the head is what the plan knows, which streams nothing if they are not.
            Self::Timestamp | Self::Id => true,
            Self::Value(place) => matches!(place, Place::Header(_) | Place::Query(_) | Place::Field(_)),
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
struct Slot {
    piece: Piece,
    /// What would end the part too early, see [`layout`](super::layout).
    forbidden: Option<u8>,
}

/// The template of a scheme's signed content.
#[derive(Clone, Debug)]
pub(super) struct Message {
    slots: Vec<Slot>,
    /// How many slots come before the body, if the body can be hashed as it arrives.
    before_body: Option<usize>,
    json_follows_url: bool,
}

impl Message {
    /// A message whose parts can be told apart.
    ///
    /// # Errors
    ///
    /// If they cannot, or something in them is not what it should be.
    pub(super) fn checked(parts: &[Part<'_>], scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
        let layout = layout::check(parts, scheme.timestamp.map(|timestamp| timestamp.format))
            .map_err(|why| ConfigError::scheme(scheme.name, why))?;
        let place = |source| Place::new(source, scheme);
        let pieces = parts.iter().map(|part| {
            Ok(match *part {
                Part::Text(text) => Piece::Text(text.into()),
                Part::Method => Piece::Method,
                Part::Url => Piece::Url { decoding: "".into() },
                Part::UrlDecoding(characters) => Piece::Url { decoding: characters.into() },
                Part::Path => Piece::Path,
                Part::Target => Piece::Target,
                Part::Header(name) => Piece::Value(place(Source::Header(name))?),
                Part::Field(name) => Piece::Value(place(Source::Field(name))?),
                Part::Query(name) => Piece::Value(place(Source::Query(name))?),
                Part::Form(name) => Piece::Value(place(Source::Form(name))?),
                Part::FormJson(name, pointer) => Piece::Value(place(Source::FormJson(name, pointer))?),
                Part::Json(pointer) => Piece::Value(place(Source::Json(pointer))?),
                Part::Timestamp => Piece::Timestamp,
                Part::Id => Piece::Id,
                Part::Body => Piece::Body,
                Part::BodySha256 => Piece::BodySha256,
                Part::BodySha256Raw => Piece::BodySha256Raw,
                Part::BodyCrc32 => Piece::BodyCrc32,
                Part::SortedForm { between, after } => {
                    Piece::SortedForm { between: between.into(), after: after.into() }
                }
                Part::Secret => Piece::Secret,
                Part::Parameter(name) => Piece::Parameter(name.into()),
                Part::Canonical(Canonical { write, parameters, .. }) => {
                    Piece::Canonical { write, parameters: parameters.iter().map(|name| (*name).into()).collect() }
                }
            })
        });
        let slots = pieces
            .zip(layout.forbidden)
            .map(|(piece, forbidden)| Ok(Slot { piece: piece?, forbidden }))
            .collect::<Result<Vec<_>, ConfigError>>()?;
        let body = slots.iter().position(|slot| matches!(slot.piece, Piece::Body));
        let before_body = body.filter(|body| slots[..*body].iter().all(|slot| slot.piece.is_in_head()));
        Ok(Self { slots, before_body, json_follows_url: layout.json_follows_url })
    }

    /// Whether the body is hashed as it arrives, between [`write_start`](Self::write_start) and [`write_end`](Self::write_end).
    pub(super) fn is_streamed(&self) -> bool {
        self.before_body.is_some()
    }

    /// Everything before the body, if the body is streamed; otherwise nothing.
    pub(super) fn write_start(
        &self,
        request: &SignedRequest<'_>,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        self.refuse_url_that_could_hold_json(request)?;
        let slots = &self.slots[..self.before_body.unwrap_or(0)];
        slots.iter().try_for_each(|slot| slot.write(request, &mut sink))
    }

    /// Everything after the body, if the body is streamed; otherwise everything.
    pub(super) fn write_end(&self, request: &SignedRequest<'_>, mut sink: impl FnMut(&[u8])) -> Result<(), Rejection> {
        self.refuse_body_that_could_be_url(request)?;
        let slots = &self.slots[self.before_body.map_or(0, |body| body + 1)..];
        slots.iter().try_for_each(|slot| slot.write(request, &mut sink))
    }

    /// Everything.
    pub(super) fn write(&self, request: &SignedRequest<'_>, mut sink: impl FnMut(&[u8])) -> Result<(), Rejection> {
        self.refuse_url_that_could_hold_json(request)?;
        self.refuse_body_that_could_be_url(request)?;
        self.slots.iter().try_for_each(|slot| slot.write(request, &mut sink))
    }

    /// Everything, in one piece.
    pub(super) fn whole<'r>(&self, request: &SignedRequest<'r>) -> Result<Cow<'r, [u8]>, Rejection> {
        if let [Slot { piece: Piece::Body, .. }] = &self.slots[..] {
            return Ok(Cow::Borrowed(request.body));
        }
        let mut whole = Vec::with_capacity(request.body.len() + 256);
        self.write(request, |part| whole.extend_from_slice(part))?;
        Ok(Cow::Owned(whole))
    }

    /// Whether [`write_end`](Self::write_end) has anything to do.
    pub(super) fn has_end(&self) -> bool {
        self.json_follows_url || self.before_body.is_none_or(|body| body + 1 < self.slots.len())
    }

    pub(super) fn contains_url(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot.piece, Piece::Url { .. }))
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = &HeaderRef> {
        self.slots.iter().filter_map(|slot| match &slot.piece {
            Piece::Value(Place::Header(header)) => Some(header),
            _ => None,
        })
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.slots
            .iter()
            .flat_map(|slot| match &slot.piece {
                Piece::Parameter(name) => std::slice::from_ref(name),
                Piece::Canonical { parameters, .. } => parameters,
                _ => &[],
            })
            .map(|name| &**name)
    }

    fn boundary_matters(&self, request: &SignedRequest<'_>) -> bool {
        // A URL that is configured as a whole does not depend on the request.
        self.json_follows_url && !matches!(request.url, Some(PublicUrl::Exact(_)))
    }

    fn refuse_url_that_could_hold_json(&self, request: &SignedRequest<'_>) -> Result<(), Rejection> {
        if self.boundary_matters(request) && request.target().contains(['{', '[']) {
            return Err(Rejection::AmbiguousMessage);
        }
        Ok(())
    }

    fn refuse_body_that_could_be_url(&self, request: &SignedRequest<'_>) -> Result<(), Rejection> {
        if self.boundary_matters(request) && !matches!(request.body.first(), None | Some(b'{' | b'[')) {
            return Err(Rejection::AmbiguousMessage);
        }
        Ok(())
    }
}

impl Slot {
    fn is_forbidden(&self, text: &str) -> bool {
        self.forbidden.is_some_and(|byte| text.as_bytes().contains(&byte))
    }

    fn write(&self, request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
        let mut field = |text: &str| {
            if self.is_forbidden(text) {
                return Err(Rejection::AmbiguousMessage);
            }
            sink(text.as_bytes());
            Ok(())
        };
        match &self.piece {
            Piece::Text(text) => sink(text.as_bytes()),
            Piece::Method => field(request.head.method.as_str())?,
            Piece::Path => field(request.path())?,
            Piece::Target => field(request.target())?,
            Piece::Url { decoding } => request.write_url(decoding, |target| self.is_forbidden(target), sink)?,
            Piece::Value(place) => field(&request.only_value(place)?.ok_or_else(|| missing(place, request))?)?,
            Piece::Timestamp => field(request.timestamp().ok_or(Rejection::MissingTimestamp)?)?,
            Piece::Id => field(request.id.as_deref().ok_or(Rejection::MissingId)?)?,
            Piece::Body => sink(request.body),
            Piece::BodySha256 => {
                let mut digits = [0; 64];
                let digest = Sha256::digest(request.body);
                sink(base16ct::lower::encode(&digest, &mut digits).unwrap_or_default());
            }
            Piece::BodySha256Raw => sink(&Sha256::digest(request.body)),
            Piece::BodyCrc32 => field(&crc32fast::hash(request.body).to_string())?,
            Piece::SortedForm { between, after } => {
                super::form::write_sorted(request.head.headers, request.body, between, after, sink)?
            }
            Piece::Secret => sink(request.secret),
            Piece::Parameter(name) => field(
                request
                    .parameter(name)
                    .ok_or(Rejection::Misconfigured { why: "a parameter of the scheme is missing" })?,
            )?,
            Piece::Canonical { write, .. } => write(request, sink)?,
        }
        Ok(())
    }
}

fn missing(place: &Place, request: &SignedRequest<'_>) -> Rejection {
    match place {
        Place::Header(header) => Rejection::MissingHeader { header: header.name(request.family).clone() },
        _ => Rejection::MissingSignedValue,
    }
}

/// Undoes the escapes of some characters, written with capital letters.
pub(super) fn decode<'t>(text: &'t str, characters: &str) -> Cow<'t, str> {
    let mut decoded = Cow::Borrowed(text);
    if !text.contains('%') {
        return decoded;
    }
    for character in characters.chars() {
        let escape = format!("%{:02X}", u32::from(character));
        if decoded.contains(&escape) {
            decoded = decoded.replace(&escape, character.encode_utf8(&mut [0; 4])).into();
        }
    }
    decoded
}
