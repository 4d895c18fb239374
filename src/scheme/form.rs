//! Form bodies: one field of them, or all in the order in which some providers sign them.

use std::borrow::Cow;

use http::{HeaderMap, header::CONTENT_TYPE};
use memchr::memmem;

use crate::Rejection;

/// They are gathered before anything is known of the sender, and a list of them takes many times the room of the two bytes that each may
/// have in the body.
const MAX_PARAMETERS: usize = 10_000;

type Pair<'b> = (Cow<'b, str>, Cow<'b, str>);

/// The only field of this name.
///
/// # Errors
///
/// If it is there twice: which of two counts differs from one framework to the next. Also if it is not UTF-8.
pub(super) fn value<'b>(headers: &HeaderMap, body: &'b [u8], name: &str) -> Result<Option<Cow<'b, str>>, Rejection> {
    match boundary(headers) {
        Some(boundary) => only(Multipart::new(body, &boundary), name),
        None => only(form_urlencoded::parse(body), name),
    }
}

/// The only pair of this name.
///
/// # Errors
///
/// As [`value`].
pub(super) fn only<'b>(pairs: impl Iterator<Item = Pair<'b>>, name: &str) -> Result<Option<Cow<'b, str>>, Rejection> {
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

/// All fields, decoded, as they came.
///
/// # Errors
///
/// If there are too many, or some are not UTF-8.
pub(super) fn all(body: &[u8]) -> Result<Vec<Pair<'_>>, Rejection> {
    let parameters: Vec<_> = form_urlencoded::parse(body).take(MAX_PARAMETERS + 1).collect();
    let is_broken = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
    if parameters.len() > MAX_PARAMETERS || parameters.iter().any(|(name, value)| is_broken(name) || is_broken(value)) {
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
    body: &[u8],
    between: &str,
    after: &str,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Rejection> {
    let mut parameters = all(body)?;
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

/// What separates the parts, if the body is `multipart/form-data` (RFC 7578).
fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let (essence, parameters) = kind.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    // RFC 2046 section 5.1.1.
    (1..=70).contains(&boundary.len()).then(|| boundary.to_owned())
}

/// The parts of a `multipart/form-data` body, as far as they can be read.
struct Multipart<'b> {
    rest: &'b [u8],
    delimiter: memmem::Finder<'static>,
}

impl<'b> Multipart<'b> {
    fn new(body: &'b [u8], boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}");
        // The first delimiter stands at the start of the body, or after a preamble that nobody reads.
        let rest = match body.strip_prefix(&delimiter.as_bytes()[2..]) {
            Some(rest) => rest,
            None => memmem::find(body, delimiter.as_bytes()).map_or(&b""[..], |at| &body[at + delimiter.len()..]),
        };
        Self { rest, delimiter: memmem::Finder::new(delimiter.as_bytes()).into_owned() }
    }
}

impl<'b> Iterator for Multipart<'b> {
    type Item = Pair<'b>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.strip_prefix(b"\r\n")?;
        let end = self.delimiter.find(rest)?;
        let part = &rest[..end];
        self.rest = &rest[end + self.delimiter.needle().len()..];
        let head_end = memmem::find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&part[..head_end]);
        Some((Cow::Owned(field_name(&head).unwrap_or_default()), String::from_utf8_lossy(&part[head_end + 4..])))
    }
}

fn field_name(head: &str) -> Option<String> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    disposition.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("name").then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_forms_of_either_kind() {
        let multipart = "preamble\r\n--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--x\r\n\
             content-type: text/plain\r\ncontent-disposition: form-data; name=json\r\n\r\n{\"b\":\r\n2}\r\n--x--\r\n";
        for (kind, body, name, expected) in [
            ("application/x-www-form-urlencoded", "a=1&json=%7B%22b%22%3A2%7D", "json", Ok(Some("{\"b\":2}"))),
            ("application/x-www-form-urlencoded", "a=1&a=1", "a", Err(Rejection::DuplicateField)),
            ("application/x-www-form-urlencoded", "a=%FF", "a", Err(Rejection::AmbiguousMessage)),
            ("multipart/form-data; boundary=x", multipart, "json", Ok(Some("{\"b\":\r\n2}"))),
            ("Multipart/Form-Data; boundary=\"x\"", multipart, "a", Ok(Some("one"))),
            ("multipart/form-data; boundary=x", &multipart[10..], "a", Ok(Some("one"))),
            ("multipart/form-data; boundary=x", multipart, "b", Ok(None)),
            ("multipart/form-data; boundary=y", multipart, "a", Ok(None)),
            ("multipart/form-data; boundary=x", &multipart[..60], "a", Ok(None)),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            let found = value(&headers, body.as_bytes(), name);
            assert_eq!(found, expected.map(|value| value.map(Cow::Borrowed)), "{kind} {name}");
        }
    }

    fn sorted(body: &str) -> Result<String, Rejection> {
        let mut written = Vec::new();
        write_sorted(body.as_bytes(), "=", "&", &mut |bytes| written.extend_from_slice(bytes))?;
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
