//! The signatures that a request carries.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::borrow::Cow;

use super::{Algorithm, Encoding, mac::token, plan::OwnedGrammar, request::Parameters};
use crate::{Rejection, key::Tag};

/// The most signatures of one request that are examined.
const MAX_CANDIDATES: usize = 16;

/// As many of those by private keys, each of which costs as much as the MAC of a large body.
const MAX_ASYMMETRIC: usize = 4;

/// The longest signature by a private key, in bytes: that of an RSA key of 8192 bits.
const MAX_SIGNATURE: usize = 1024;

/// The signatures that a request carries, decoded.
pub(super) enum Candidates {
    One(Tag),
    Several(Vec<Tag>),
    /// Signatures by private keys.
    Asymmetric(Vec<Vec<u8>>),
}

impl Candidates {
    /// The signatures in these texts that have the right form.
    pub(super) fn read<'t>(
        texts: impl Iterator<Item = &'t str> + Clone,
        grammar: &OwnedGrammar,
        parameters: &Parameters,
        algorithm: Algorithm,
        encoding: Encoding,
    ) -> Option<Self> {
        let items = texts.flat_map(|text| grammar.signatures(text, parameters)).take(MAX_CANDIDATES);
        if algorithm.asymmetric().is_some() {
            let signatures: Vec<_> = items
                .filter_map(|item| encoding.decode_bytes(&item, MAX_SIGNATURE))
                .filter(|signature| !signature.is_empty())
                .take(MAX_ASYMMETRIC)
                .collect();
            return (!signatures.is_empty()).then_some(Self::Asymmetric(signatures));
        }
        let mut tags = items.filter_map(|item| match algorithm {
            Algorithm::Token => Some(token(item.as_bytes())),
            Algorithm::Basic => Some(token(&STANDARD.decode(&*item).ok()?)),
            _ => encoding.decode(&item, algorithm.tag_len()),
        });
        let first = tags.next()?;
        let Some(second) = tags.next() else { return Some(Self::One(first)) };
        Some(Self::Several([first, second].into_iter().chain(tags).collect()))
    }

    pub(super) fn tags(&self) -> &[Tag] {
        match self {
            Self::One(tag) => std::slice::from_ref(tag),
            Self::Several(tags) => tags,
            Self::Asymmetric(_) => &[],
        }
    }

    #[cfg(feature = "_public-key")]
    pub(super) fn asymmetric(&self) -> &[Vec<u8>] {
        match self {
            Self::Asymmetric(signatures) => signatures,
            Self::One(_) | Self::Several(_) => &[],
        }
    }
}

impl OwnedGrammar {
    /// The items of a text that are signatures, or may be.
    fn signatures<'t>(
        &self,
        text: &'t str,
        parameters: &Parameters,
    ) -> impl Iterator<Item = Cow<'t, str>> + use<'t, '_> {
        let (whole, list) = match self {
            Self::Bare => (Some(Cow::Borrowed(text)), None),
            Self::Prefixed(prefix) => (text.strip_prefix(&**prefix).map(Cow::Borrowed), None),
            Self::AuthScheme(prefix) => (without_scheme(text, prefix).map(Cow::Borrowed), None),
            Self::Base64Json { member } => (super::json::find_only(text.as_bytes(), member), None),
            Self::MaybePrefixed(prefix) => (Some(Cow::Borrowed(text.strip_prefix(&**prefix).unwrap_or(text))), None),
            Self::Fields { separator, .. }
            | Self::Pairs { separator, .. }
            | Self::TimeFirst { separator }
            | Self::List { separator } => (None, Some((text, *separator))),
            Self::Versions { .. } => (None, Some((text, ' '))),
        };
        let pair = match self {
            Self::Pairs { parameter, .. } => parameters.get(parameter).map(str::to_owned),
            _ => None,
        };
        let items = list.into_iter().flat_map(|(text, separator)| text.split(separator).enumerate());
        let items = items.filter_map(move |(index, item)| match self {
            Self::Fields { names, .. } => {
                field(item).filter(|(key, _)| names.iter().any(|name| &**name == *key)).map(|(_, value)| value)
            }
            Self::Versions { prefix } => item.strip_prefix(&**prefix),
            Self::Pairs { between, .. } => {
                let (name, signature) = item.split_once(*between)?;
                (Some(name) == pair.as_deref()).then_some(signature)
            }
            Self::List { .. } => Some(item.trim_matches([' ', '\t'])),
            Self::TimeFirst { .. } if index > 0 => Some(item.trim_matches([' ', '\t'])),
            _ => None,
        });
        whole.into_iter().chain(items.map(Cow::Borrowed))
    }

    /// An item beside the signatures.
    ///
    /// # Errors
    ///
    /// If it is there twice.
    pub(super) fn field<'t>(&self, text: &'t str, name: &str) -> Result<Option<Cow<'t, str>>, Rejection> {
        match self {
            Self::Fields { separator, .. } => {
                let mut values =
                    text.split(*separator).filter_map(field).filter(|(key, _)| *key == name).map(|(_, value)| value);
                let value = values.next();
                if values.next().is_some() {
                    return Err(Rejection::DuplicateField);
                }
                Ok(value.map(Cow::Borrowed))
            }
            Self::TimeFirst { separator } if name.is_empty() => Ok(text.split(*separator).next().map(Cow::Borrowed)),
            Self::Base64Json { .. } => {
                let pointer = super::json::Pointer::member(name);
                Ok(super::json::find_only(text.as_bytes(), &pointer))
            }
            _ => Ok(None),
        }
    }

    /// A request may carry several signatures, of which an attacker may drop some.
    pub(super) fn may_carry_several(&self) -> bool {
        match self {
            Self::Bare | Self::Prefixed(_) | Self::AuthScheme(_) | Self::MaybePrefixed(_) | Self::Base64Json { .. } => {
                false
            }
            Self::Fields { .. }
            | Self::Versions { .. }
            | Self::Pairs { .. }
            | Self::TimeFirst { .. }
            | Self::List { .. } => true,
        }
    }
}

/// What comes after a prefix in any case.
pub(super) fn without_scheme<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (scheme, rest) = text.split_at_checked(prefix.len())?;
    scheme.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A `name=value` item, without the blanks around it. Values may hold `=`, as base64 does.
fn field(item: &str) -> Option<(&str, &str)> {
    item.trim_matches([' ', '\t']).split_once('=')
}
