//! Reading signature-relevant headers, without a choice of meaning.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Alternate;
use crate::{ConfigError, Rejection};

/// The longest signature-relevant header that is looked at, in bytes.
pub(super) const MAX_HEADER: usize = 8 * 1024;

/// Which family of headers a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    First,
    Other,
}

/// A header of the scheme, by its name in each family.
#[derive(Clone, Debug)]
pub(super) struct HeaderRef {
    first: HeaderName,
    other: Option<HeaderName>,
}

impl HeaderRef {
    pub(super) fn new(name: &str, alternate: Option<Alternate<'_>>) -> Result<Self, ConfigError> {
        let parse = |name: &str| {
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| ConfigError::invalid("header name", name, "not a valid header name"))
        };
        let first = parse(name)?;
        let other = match alternate {
            None => None,
            Some(Alternate { prefix, instead }) => match first.as_str().strip_prefix(prefix) {
                Some(rest) => Some(parse(&format!("{instead}{rest}"))?),
                None => None,
            },
        };
        Ok(Self { first, other })
    }

    pub(super) fn name(&self, family: Family) -> &HeaderName {
        match (family, &self.other) {
            (Family::Other, Some(other)) => other,
            _ => &self.first,
        }
    }

    /// Both names carry values, and not all the same.
    pub(super) fn is_contradictory(&self, headers: &HeaderMap) -> bool {
        let Some(other) = &self.other else { return false };
        // Nearly always there is none, and no more is looked up.
        let Some(value) = headers.get(other) else { return false };
        headers.contains_key(&self.first)
            && headers.get_all(&self.first).iter().chain(headers.get_all(other)).any(|another| another != value)
    }

    pub(super) fn is_present(&self, headers: &HeaderMap, family: Family) -> bool {
        headers.contains_key(self.name(family))
    }

    /// The header's only value.
    ///
    /// A second one is refused even if it is the same: which of two values counts differs from one framework to the
    /// next, and that difference is an attack.
    pub(super) fn value<'h>(
        &self,
        headers: &'h HeaderMap,
        family: Family,
    ) -> Result<Option<&'h HeaderValue>, Rejection> {
        only_value(headers, self.name(family))
    }

    /// The header's only value as text, without the blanks around it.
    pub(super) fn text<'h>(&self, headers: &'h HeaderMap, family: Family) -> Result<Option<&'h str>, Rejection> {
        only_text(headers, self.name(family))
    }
}

fn only_value<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Rejection::DuplicateHeader { header: name.clone() });
    }
    Ok(value)
}

/// A header's only value as text, without the blanks around it.
pub(super) fn only_text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Rejection> {
    let Some(value) = only_value(headers, name)? else { return Ok(None) };
    if value.len() > MAX_HEADER {
        return Err(Rejection::HeaderTooLong { header: name.clone() });
    }
    match header_text(value) {
        Some(text) => Ok(Some(text)),
        None => Err(Rejection::MalformedHeader { header: name.clone() }),
    }
}

/// Visible ASCII, without the optional white space that HTTP allows around it (RFC 9110 section 5.5).
pub(crate) fn header_text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(|text| text.trim_matches([' ', '\t']))
}
