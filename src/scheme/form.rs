//! Form bodies: one field of them, or all in the order in which some providers sign them.

use std::borrow::Cow;

use http::HeaderMap;

use super::{FormFields, multipart};
use crate::Rejection;

/// They are gathered before anything is known of the sender, and a list of them takes many times the room of the two bytes that each may
/// have in the body.
const MAX_PARAMETERS: usize = 10_000;

/// The only field of this name, of a form of either kind.
///
/// # Errors
///
/// If it is there twice: which of two counts differs from one framework to the next. Also if it is not UTF-8, or the body is multipart in a way that
/// could be read otherwise.
pub(super) fn value<'b>(headers: &HeaderMap, body: &'b [u8], name: &str) -> Result<Option<Cow<'b, str>>, Rejection> {
    match multipart::boundary(headers)? {
        Some(boundary) => only(multipart::fields(body, &boundary)?.into_iter(), name),
        None => only(form_urlencoded::parse(body), name),
    }
}

/// The only pair of this name.
///
/// # Errors
///
/// As [`value`].
pub(super) fn only<'b>(
    pairs: impl Iterator<Item = (Cow<'b, str>, Cow<'b, str>)>,
    name: &str,
) -> Result<Option<Cow<'b, str>>, Rejection> {
    let mut values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value);
    let value = values.next();
    if values.next().is_some() {
        return Err(Rejection::DuplicateField);
    }
    match value {
        Some(value) if value.contains(char::REPLACEMENT_CHARACTER) => Err(Rejection::AmbiguousMessage),
        value => Ok(value),
    }
}

/// All fields of a URL-encoded form, decoded, as they came.
///
/// # Errors
///
/// If there are too many, or some are not UTF-8. Also if the form is said to be of the other kind: what is signed is what is decoded, and the same bytes can hold
/// other fields then.
pub(super) fn all<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<FormFields<'b>, Rejection> {
    let parameters: Vec<_> = form_urlencoded::parse(body).take(MAX_PARAMETERS + 1).collect();
    let is_broken = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if multipart::boundary(headers)?.is_some()
        || parameters.len() > MAX_PARAMETERS
        || parameters.iter().any(|(name, value)| is_broken(name) || is_broken(value))
    {
        return Err(Rejection::AmbiguousMessage);
    }
    Ok(parameters)
}

/// Writes the decoded parameters of `body`, sorted by name and then value.
///
/// # Errors
///
/// If other parameters could give the same bytes: a name holds the start of `between`, a value that of `after`,
/// or something is not UTF-8. Also if there are too many.
pub(super) fn write_sorted(
    headers: &HeaderMap,
    body: &[u8],
    between: &str,
    after: &str,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Rejection> {
    let mut parameters = all(headers, body)?;
    parameters.sort();
    let holds = |text: &str, separator: &str| separator.chars().next().is_some_and(|start| text.contains(start));
    for (index, (name, value)) in parameters.iter().enumerate() {
        if holds(name, between) || holds(value, after) {
            return Err(Rejection::AmbiguousMessage);
        }
        if index > 0 {
            sink(after.as_bytes());
        }
        sink(name.as_bytes());
        sink(between.as_bytes());
        sink(value.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_there_twice_is_refused() {
        for (body, name, expected) in [
            ("a=1&json=%7B%22b%22%3A2%7D", "json", Ok(Some("{\"b\":2}"))),
            ("a=1", "b", Ok(None)),
            ("a=1&a=1", "a", Err(Rejection::DuplicateField)),
            ("a=%FF", "a", Err(Rejection::AmbiguousMessage)),
        ] {
            let found = value(&HeaderMap::new(), body.as_bytes(), name);
            assert_eq!(found, expected.map(|value| value.map(Cow::Borrowed)), "{body} {name}");
        }
    }

    fn sorted(body: &str) -> Result<String, Rejection> {
        let mut written = Vec::new();
        write_sorted(&HeaderMap::new(), body.as_bytes(), "=", "&", &mut |bytes| written.extend_from_slice(bytes))?;
        Ok(String::from_utf8(written).unwrap())
    }

    #[test]
    fn parameters_are_decoded_and_sorted() {
        assert_eq!(sorted("b=2&a=x+y%21&b=1&c=").unwrap(), "a=x y!&b=1&b=2&c=");
        assert_eq!(sorted("").unwrap(), "");
    }

    #[test]
    fn parameters_are_bounded_in_number_before_they_are_kept() {
        assert!(sorted(&"a&".repeat(10_000)).is_ok());
        assert!(sorted(&"a&".repeat(10_001)).is_err());
    }

    #[test]
    fn parameters_that_could_be_read_otherwise_are_refused() {
        for body in ["a=1%26b", "a%3D=1", "a=%FF"] {
            assert!(sorted(body).is_err(), "{body}");
        }
    }
}
