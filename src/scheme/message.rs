//! The signed content of one request.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{
    Head, Part,
    headers::{Family, HeaderRef},
    json::{self, Pointer},
    layout::Layout,
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
    Header(HeaderRef),
    Timestamp,
    Id,
    Body,
    BodySha256,
    Json(Pointer),
    SortedForm { between: Box<str>, after: Box<str> },
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

/// What is known of a request before its body is.
#[derive(Clone, Copy)]
pub(super) struct Facts<'r> {
    pub(super) head: Head<'r>,
    pub(super) family: Family,
    pub(super) timestamp: Option<&'r str>,
    pub(super) id: Option<&'r str>,
    pub(super) url: Option<&'r PublicUrl>,
}

impl Message {
    pub(super) fn new(
        parts: &[Part<'_>],
        layout: Layout,
        mut header: impl FnMut(&str) -> Result<HeaderRef, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let pieces = parts.iter().map(|part| {
            Ok(match *part {
                Part::Text(text) => Piece::Text(text.into()),
                Part::Method => Piece::Method,
                Part::Url => Piece::Url { decoding: "".into() },
                Part::UrlDecoding(characters) => Piece::Url { decoding: characters.into() },
                Part::Path => Piece::Path,
                Part::Target => Piece::Target,
                Part::Header(name) => Piece::Header(header(name)?),
                Part::Timestamp => Piece::Timestamp,
                Part::Id => Piece::Id,
                Part::Body => Piece::Body,
                Part::BodySha256 => Piece::BodySha256,
                Part::Json(pointer) => Piece::Json(Pointer::new(pointer)?),
                Part::SortedForm { between, after } => {
                    Piece::SortedForm { between: between.into(), after: after.into() }
                }
            })
        });
        let slots = pieces
            .zip(layout.forbidden)
            .map(|(piece, forbidden)| Ok(Slot { piece: piece?, forbidden }))
            .collect::<Result<Vec<_>, ConfigError>>()?;
        let body = slots.iter().position(|slot| matches!(slot.piece, Piece::Body));
        let before_body = body
            .filter(|body| !slots[..*body].iter().any(|slot| matches!(slot.piece, Piece::BodySha256 | Piece::Json(_))));
        Ok(Self { slots, before_body, json_follows_url: layout.json_follows_url })
    }

    /// Whether the body is hashed as it arrives, between [`write_start`](Self::write_start) and [`write_end`](Self::write_end).
    pub(super) fn is_streamed(&self) -> bool {
        self.before_body.is_some()
    }

    /// Everything before the body, if the body is streamed; otherwise nothing.
    pub(super) fn write_start(&self, facts: Facts<'_>, mut sink: impl FnMut(&[u8])) -> Result<(), Rejection> {
        self.refuse_url_that_could_hold_json(facts)?;
        let slots = &self.slots[..self.before_body.unwrap_or(0)];
        slots.iter().try_for_each(|slot| slot.write(facts, &[], &mut sink))
    }

    /// Everything after the body, if the body is streamed; otherwise everything.
    pub(super) fn write_end(
        &self,
        facts: Facts<'_>,
        body: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        self.refuse_body_that_could_be_url(facts, body)?;
        let slots = &self.slots[self.before_body.map_or(0, |body| body + 1)..];
        slots.iter().try_for_each(|slot| slot.write(facts, body, &mut sink))
    }

    /// Everything.
    pub(super) fn write(&self, facts: Facts<'_>, body: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), Rejection> {
        self.refuse_url_that_could_hold_json(facts)?;
        self.refuse_body_that_could_be_url(facts, body)?;
        self.slots.iter().try_for_each(|slot| slot.write(facts, body, &mut sink))
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
            Piece::Header(header) => Some(header),
            _ => None,
        })
    }

    fn boundary_matters(&self, facts: Facts<'_>) -> bool {
        // A URL that is configured as a whole does not depend on the request.
        self.json_follows_url && !matches!(facts.url, Some(PublicUrl::Exact(_)))
    }

    fn refuse_url_that_could_hold_json(&self, facts: Facts<'_>) -> Result<(), Rejection> {
        if self.boundary_matters(facts) && target(facts.head).contains(['{', '[']) {
            return Err(Rejection::AmbiguousMessage);
        }
        Ok(())
    }

    fn refuse_body_that_could_be_url(&self, facts: Facts<'_>, body: &[u8]) -> Result<(), Rejection> {
        if self.boundary_matters(facts) && !matches!(body.first(), None | Some(b'{' | b'[')) {
            return Err(Rejection::AmbiguousMessage);
        }
        Ok(())
    }
}

impl Slot {
    fn is_forbidden(&self, text: &str) -> bool {
        self.forbidden.is_some_and(|byte| text.as_bytes().contains(&byte))
    }

    fn write(&self, facts: Facts<'_>, body: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
        let mut field = |text: &str| {
            if self.is_forbidden(text) {
                return Err(Rejection::AmbiguousMessage);
            }
            sink(text.as_bytes());
            Ok(())
        };
        match &self.piece {
            Piece::Text(text) => sink(text.as_bytes()),
            Piece::Method => field(facts.head.method.as_str())?,
            Piece::Path => field(facts.head.uri.path())?,
            Piece::Target => field(target(facts.head))?,
            Piece::Url { decoding } => match facts.url {
                Some(PublicUrl::Exact(url)) => sink(decode(url, decoding).as_bytes()),
                Some(PublicUrl::Origin(origin)) => {
                    // What must not be in the URL is about the part that the request chooses.
                    let target = decode(target(facts.head), decoding);
                    if self.is_forbidden(&target) {
                        return Err(Rejection::AmbiguousMessage);
                    }
                    sink(origin.as_bytes());
                    sink(target.as_bytes());
                }
                None => {
                    return Err(Rejection::Misconfigured {
                        why: "the scheme signs the URL, and no public one was configured",
                    });
                }
            },
            Piece::Header(header) => {
                let text = header.text(facts.head.headers, facts.family)?;
                field(text.ok_or_else(|| Rejection::MissingHeader { header: header.name(facts.family).clone() })?)?;
            }
            Piece::Timestamp => field(facts.timestamp.ok_or(Rejection::MissingTimestamp)?)?,
            Piece::Id => field(facts.id.ok_or(Rejection::MissingId)?)?,
            Piece::Body => sink(body),
            Piece::BodySha256 => {
                let mut digits = [0; 64];
                let digest = Sha256::digest(body);
                sink(base16ct::lower::encode(&digest, &mut digits).unwrap_or_default());
            }
            Piece::Json(pointer) => field(&json::find_only(body, pointer).ok_or(Rejection::MissingSignedValue)?)?,
            Piece::SortedForm { between, after } => super::form::write_sorted(body, between, after, sink)?,
        }
        Ok(())
    }
}

/// Undoes the escapes of some characters, written with capital letters.
fn decode<'t>(text: &'t str, characters: &str) -> Cow<'t, str> {
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

fn target<'h>(head: Head<'h>) -> &'h str {
    head.uri.path_and_query().map_or("/", |target| target.as_str())
}
