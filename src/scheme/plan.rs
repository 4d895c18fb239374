//! A scheme that has been checked and made ready.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method};

use super::{
    Algorithm, Encoding, Grammar, Part, Repeats, Scheme, Source, Timestamp, TimestampFormat, Tolerance, Verifier,
    headers::{Family, HeaderRef},
    json::Pointer,
    layout,
    message::Message,
    signer::Signer,
};
use crate::{
    ConfigError, Rejection,
    key::{IntoKeys, SecretFormat, Tag},
};

/// The most signatures of one request that are examined.
const MAX_CANDIDATES: usize = 16;

/// Beyond this, a time in seconds near now would no longer be of known width, which [`layout`] relies on.
pub(super) const MAX_TOLERANCE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A scheme that was found to make sense, cheap to clone.
#[derive(Clone, Debug)]
pub struct CheckedScheme(pub(super) Arc<Plan>);

impl CheckedScheme {
    /// The scheme's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A verifier of this scheme with these keys.
    ///
    /// # Errors
    ///
    /// As [`Scheme::verifier`].
    pub fn verifier(&self, keys: impl IntoKeys) -> Result<Verifier, ConfigError> {
        Verifier::builder(self).build(keys)
    }

    /// A signer of this scheme.
    ///
    /// # Errors
    ///
    /// As [`Scheme::signer`].
    pub fn signer(&self, keys: impl IntoKeys) -> Result<Signer, ConfigError> {
        Signer::new(self, keys)
    }
}

/// What verifiers and signers are made of: a [`Scheme`], or one that was checked before.
pub trait IntoScheme {
    /// Checks the scheme.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Scheme`] if it is ambiguous or contradicts itself, [`ConfigError::InvalidValue`] if a name in it is
    /// not one.
    fn into_checked(self) -> Result<CheckedScheme, ConfigError>;
}

impl IntoScheme for CheckedScheme {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        Ok(self)
    }
}

impl IntoScheme for &CheckedScheme {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        Ok(self.clone())
    }
}

impl IntoScheme for Scheme<'_> {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        Plan::new(&self).map(|plan| CheckedScheme(Arc::new(plan)))
    }
}

impl IntoScheme for &Scheme<'_> {
    fn into_checked(self) -> Result<CheckedScheme, ConfigError> {
        (*self).into_checked()
    }
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: Arc<str>,
    pub(super) algorithm: Algorithm,
    pub(super) secret_format: SecretFormat,
    pub(super) encoding: Encoding,
    pub(super) signature: HeaderRef,
    pub(super) grammar: OwnedGrammar,
    pub(super) message: Message,
    pub(super) timestamp: Option<(Place, TimestampFormat)>,
    pub(super) tolerance: Tolerance,
    pub(super) id: Option<Signed<Place>>,
    id_extra: Box<str>,
    pub(super) event: Option<Signed<Place>>,
    pub(super) repeats: Repeats,
    pub(super) methods: Vec<Method>,
    pub(super) allow: HeaderValue,
    pub(super) max_body: usize,
    has_alternate: bool,
}

/// Something that a request says, and whether the signature covers it.
#[derive(Clone, Debug)]
pub(super) struct Signed<T> {
    pub(super) what: T,
    pub(super) is_signed: bool,
}

/// Where a value is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Header(HeaderRef),
    Field(Box<str>),
    /// The first of these that exists.
    Json(Arc<[Pointer]>),
}

#[derive(Clone, Debug)]
pub(super) enum OwnedGrammar {
    Bare,
    Prefixed(Box<str>),
    Fields { separator: char, name: Box<str> },
    Versions { prefix: Box<str> },
}

/// The public URL of an endpoint, for schemes that sign it.
#[derive(Clone, Debug)]
pub(super) enum PublicUrl {
    /// `https://hooks.example.com`; path and query come from the request.
    Origin(Box<str>),
    /// The whole URL, whatever the request says.
    Exact(Box<str>),
}

/// The signatures that a request carries, decoded.
pub(super) enum Candidates {
    One(Tag),
    Several(Vec<Tag>),
}

impl Candidates {
    pub(super) fn as_slice(&self) -> &[Tag] {
        match self {
            Self::One(tag) => std::slice::from_ref(tag),
            Self::Several(tags) => tags,
        }
    }
}

impl Plan {
    fn new(scheme: &Scheme<'_>) -> Result<Self, ConfigError> {
        let refuse = |why: &str| Err(ConfigError::scheme(scheme.name, why));
        if scheme.name.is_empty() {
            return refuse("needs a name");
        }
        let header = |name: &str| HeaderRef::new(name, scheme.alternate);
        let place = |source: Source<'_>| -> Result<Place, ConfigError> {
            Ok(match source {
                Source::Header(name) => Place::Header(header(name)?),
                Source::Field(name) if matches!(scheme.signature.grammar, Grammar::Fields { .. }) => {
                    Place::Field(name.into())
                }
                Source::Field(name) => {
                    return Err(ConfigError::scheme(
                        scheme.name,
                        format!("`{name}` can be a field only if the signature is one"),
                    ));
                }
                Source::Json(pointer) => Place::Json(pointers(&[pointer])?),
                Source::JsonAny(any) => Place::Json(pointers(any)?),
            })
        };

        if let Some(Timestamp { source, .. }) = scheme.timestamp {
            if !is_signed(scheme, Part::Timestamp, source) {
                return refuse("the timestamp is not signed, so it proves nothing: sign it, or leave it out");
            }
        } else if scheme.message.contains(&Part::Timestamp) {
            return refuse("a timestamp is signed, but nothing says where it is");
        }
        if scheme.id.is_none() && scheme.message.contains(&Part::Id) {
            return refuse("an id is signed, but nothing says where it is");
        }
        for (part, source) in [(Part::Timestamp, scheme.timestamp.map(|time| time.source)), (Part::Id, scheme.id)] {
            if scheme.message.contains(&part) && matches!(source, Some(Source::Json(_) | Source::JsonAny(_))) {
                return refuse("a value in the body is signed as `Part::Json`");
            }
        }
        if scheme.tolerance.past > MAX_TOLERANCE || scheme.tolerance.future > MAX_TOLERANCE {
            return refuse("a tolerance of more than a year judges nothing");
        }
        let covers_body = scheme
            .message
            .iter()
            .any(|part| matches!(part, Part::Body | Part::BodySha256 | Part::SortedForm { .. } | Part::Json(_)));
        match (scheme.algorithm, scheme.message) {
            (Algorithm::Token, []) => {}
            (Algorithm::Token, _) => return refuse("a token signs nothing: its message must be empty"),
            (_, _) if !covers_body => return refuse("nothing of the body is signed"),
            _ => {}
        }
        if let Grammar::Prefixed("") | Grammar::Versions { prefix: "" } | Grammar::Fields { name: "", .. } =
            scheme.signature.grammar
        {
            return refuse("an empty prefix or field name marks no signature");
        }

        let named = |source: Option<Source<'_>>| match source {
            Some(Source::Header(name)) => Some(name.to_ascii_lowercase()),
            _ => None,
        };
        let signature_header = scheme.signature.header.to_ascii_lowercase();
        let (time_header, id_header) = (named(scheme.timestamp.map(|time| time.source)), named(scheme.id));
        let signs_its_header = scheme
            .message
            .iter()
            .any(|part| matches!(part, Part::Header(name) if name.eq_ignore_ascii_case(&signature_header)));
        if signs_its_header
            || [&time_header, &id_header].into_iter().flatten().any(|name| *name == signature_header)
            || time_header.is_some() && time_header == id_header
        {
            return refuse("one header cannot be two of signature, timestamp and id");
        }

        let layout = layout::check(scheme.message, scheme.timestamp.map(|timestamp| timestamp.format))
            .map_err(|why| ConfigError::scheme(scheme.name, why))?;
        let signed = |part, source: Option<Source<'_>>| {
            source
                .map(|source| Ok(Signed { what: place(source)?, is_signed: is_signed(scheme, part, source) }))
                .transpose()
        };
        let methods = scheme
            .methods
            .iter()
            .map(|method| method.parse().map_err(|_| ConfigError::invalid("method", method, "not a valid method")))
            .collect::<Result<Vec<Method>, ConfigError>>()?;
        if methods.is_empty() {
            return refuse("needs at least one method");
        }
        Ok(Self {
            name: scheme.name.into(),
            algorithm: scheme.algorithm,
            secret_format: scheme.secret_format,
            encoding: scheme.encoding,
            signature: header(scheme.signature.header)?,
            grammar: OwnedGrammar::from(scheme.signature.grammar),
            message: Message::new(scheme.message, layout, header)?,
            timestamp: scheme
                .timestamp
                .map(|time| Ok::<_, ConfigError>((place(time.source)?, time.format)))
                .transpose()?,
            tolerance: scheme.tolerance,
            id: signed(Part::Id, scheme.id)?,
            id_extra: scheme.id_extra.into(),
            event: signed(Part::Text(""), scheme.event)?,
            repeats: scheme.repeats,
            allow: HeaderValue::try_from(scheme.methods.join(", "))
                .map_err(|_| ConfigError::invalid("method", scheme.methods.join(", "), "not a valid method"))?,
            methods,
            max_body: scheme.max_body,
            has_alternate: scheme.alternate.is_some(),
        })
    }

    /// Which family of headers the request uses.
    pub(super) fn family(&self, headers: &HeaderMap) -> Result<Family, Rejection> {
        if !self.has_alternate {
            return Ok(Family::First);
        }
        let places = [&self.id, &self.event].into_iter().flatten().map(|signed| &signed.what);
        let places = places.chain(self.timestamp.as_ref().map(|(place, _)| place));
        let named = places.filter_map(|place| match place {
            Place::Header(header) => Some(header),
            _ => None,
        });
        if named.chain(self.message.headers()).chain([&self.signature]).any(|header| header.is_contradictory(headers)) {
            return Err(Rejection::ConflictingHeaders);
        }
        let first = self.signature.is_present(headers, Family::First);
        let other = self.signature.is_present(headers, Family::Other);
        Ok(if other && !first { Family::Other } else { Family::First })
    }

    /// The signatures of the header that have the right form.
    pub(super) fn candidates(&self, header: &str) -> Option<Candidates> {
        let decode = |text: &str| self.algorithm.decode(text, self.encoding);
        let separator = match &self.grammar {
            OwnedGrammar::Bare => return decode(header).map(Candidates::One),
            OwnedGrammar::Prefixed(prefix) => {
                return header.strip_prefix(&**prefix).and_then(decode).map(Candidates::One);
            }
            OwnedGrammar::Fields { separator, .. } => *separator,
            OwnedGrammar::Versions { .. } => ' ',
        };
        let mut several = header
            .split(separator)
            .filter_map(|item| self.grammar.signature(item))
            .take(MAX_CANDIDATES)
            .filter_map(decode);
        let first = several.next()?;
        let Some(second) = several.next() else { return Some(Candidates::One(first)) };
        Some(Candidates::Several([first, second].into_iter().chain(several).collect()))
    }

    /// A field of the signature header; the same name twice is refused.
    pub(super) fn field<'h>(&self, header: &'h str, name: &str) -> Result<Option<&'h str>, Rejection> {
        let OwnedGrammar::Fields { separator, .. } = &self.grammar else { return Ok(None) };
        let mut values =
            header.split(*separator).filter_map(field).filter(|(key, _)| *key == name).map(|(_, value)| value);
        let value = values.next();
        if values.next().is_some() {
            return Err(Rejection::DuplicateField);
        }
        Ok(value)
    }

    /// Whether a header or body may be taken for an id: short, and of harmless characters.
    pub(super) fn is_id(&self, text: &str) -> bool {
        const MAX_ID: usize = 256;
        (1..=MAX_ID).contains(&text.len())
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || self.id_extra.as_bytes().contains(&byte)
            })
    }

    /// A request may carry several signatures, of which an attacker may drop some.
    pub(super) fn may_carry_several(&self) -> bool {
        matches!(self.grammar, OwnedGrammar::Fields { .. } | OwnedGrammar::Versions { .. })
    }
}

/// Whether the message covers what is at `source`, as the given part, as a header, or inside the body.
fn is_signed(scheme: &Scheme<'_>, part: Part<'_>, source: Source<'_>) -> bool {
    scheme.message.iter().any(|signed| match (signed, source) {
        (Part::Body | Part::BodySha256, Source::Json(_) | Source::JsonAny(_)) => true,
        (Part::Json(signed), Source::Json(pointer)) => *signed == pointer,
        (Part::Header(signed), Source::Header(name)) => signed.eq_ignore_ascii_case(name),
        (Part::Timestamp | Part::Id, _) => *signed == part,
        _ => false,
    })
}

fn pointers(texts: &[&str]) -> Result<Arc<[Pointer]>, ConfigError> {
    texts.iter().map(|text| Pointer::new(text)).collect()
}

/// A `name=value` item, without the blanks around it. Values may hold `=`, as base64 does.
fn field(item: &str) -> Option<(&str, &str)> {
    item.trim_matches([' ', '\t']).split_once('=')
}

impl OwnedGrammar {
    /// The signature in an item of a list, if that is what it is.
    fn signature<'h>(&self, item: &'h str) -> Option<&'h str> {
        match self {
            Self::Fields { name, .. } => field(item).filter(|(key, _)| *key == &**name).map(|(_, value)| value),
            Self::Versions { prefix } => item.strip_prefix(&**prefix),
            Self::Bare | Self::Prefixed(_) => None,
        }
    }
}

impl From<Grammar<'_>> for OwnedGrammar {
    fn from(grammar: Grammar<'_>) -> Self {
        match grammar {
            Grammar::Bare => Self::Bare,
            Grammar::Prefixed(prefix) => Self::Prefixed(prefix.into()),
            Grammar::Fields { separator, name } => Self::Fields { separator, name: name.into() },
            Grammar::Versions { prefix } => Self::Versions { prefix: prefix.into() },
        }
    }
}
