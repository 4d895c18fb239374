//! What Contentful signs: method, path with query, the headers that the request names, and the body, a line each.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

/// `METHOD\n/path?query\nname:value;name:value\nbody`
pub(in crate::provider) const REQUEST: Canonical<'static> = Canonical {
    name: "contentful",
    covers: &[Source::Body, Source::Header(TIMESTAMP), Source::Header(SIGNED_HEADERS)],
    parameters: &[],
    write,
};

const SIGNED_HEADERS: &str = "x-contentful-signed-headers";
const TIMESTAMP: &str = "x-contentful-timestamp";

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let Some(list) = request.header(SIGNED_HEADERS)? else { return Err(Rejection::MissingSignature) };
    let names: Vec<&str> = list.split(',').collect();
    if !is_canonical(&names) {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(request.method().as_str().as_bytes());
    sink(b"\n");
    write_target(request.target(), sink)?;
    sink(b"\n");
    for (index, name) in names.iter().enumerate() {
        let value = request.header(name)?.ok_or(Rejection::MissingSignedValue)?.trim();
        if could_hold_another_header(value, &names) {
            return Err(Rejection::AmbiguousMessage);
        }
        if index > 0 {
            sink(b";");
        }
        sink(name.as_bytes());
        sink(b":");
        sink(value.as_bytes());
    }
    sink(b"\n");
    sink(request.body());
    Ok(())
}

/// Sorted, each once, in lower case; the list itself and the time are among them.
fn is_canonical(names: &[&str]) -> bool {
    /// More than requests have headers.
    const MAX_NAMES: usize = 64;
    let is_name = |name: &&str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
            && (!name.contains(SIGNED_HEADERS) || *name == SIGNED_HEADERS)
    };
    names.len() <= MAX_NAMES
        && names.iter().all(is_name)
        && names.is_sorted_by(|left, right| left < right)
        && [SIGNED_HEADERS, TIMESTAMP].iter().all(|needed| names.contains(needed))
}

/// Values end where the next name begins, and the list of names is where its name is.
fn could_hold_another_header(value: &str, names: &[&str]) -> bool {
    value.contains(SIGNED_HEADERS) && value.contains(':')
        || value
            .split(';')
            .skip(1)
            .any(|rest| rest.split_once(':').is_some_and(|(name, _)| names.binary_search(&name).is_ok()))
}

/// The path as `encodeURI` leaves it. The query is escaped by `querystring.escape`, and then once more with the path.
fn write_target(target: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    write_escaped(path, b";,/?:@&=+$-_.!~*'()#", b"%", sink);
    match query {
        None => Ok(()),
        // An empty query is signed like none, and of several question marks what follows the second is not signed.
        Some(query) if query.is_empty() || query.contains('?') => Err(Rejection::AmbiguousMessage),
        Some(query) => {
            sink(b"?");
            write_escaped(query, b"-_.!~*'()", b"%25", sink);
            Ok(())
        }
    }
}

fn write_escaped(text: &str, plain: &[u8], escape: &[u8], sink: &mut dyn FnMut(&[u8])) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            sink(&[byte]);
        } else {
            sink(escape);
            sink(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(target: &str) -> Result<String, Rejection> {
        let mut written = Vec::new();
        write_target(target, &mut |bytes| written.extend_from_slice(bytes))?;
        Ok(String::from_utf8(written).unwrap())
    }

    #[test]
    fn targets_are_escaped_as_contentful_does() {
        for (target, expected) in [
            ("/", "/"),
            ("/a-b_c.d!~*'();,:@&=+$", "/a-b_c.d!~*'();,:@&=+$"),
            ("/caf%C3%A9", "/caf%25C3%25A9"),
            ("/a?q=1&w=2", "/a?q%253D1%2526w%253D2"),
            ("/a?b=%20", "/a?b%253D%252520"),
        ] {
            assert_eq!(written(target).as_deref(), Ok(expected), "{target}");
        }
        for target in ["/a?", "/a?b?c"] {
            assert_eq!(written(target), Err(Rejection::AmbiguousMessage), "{target}");
        }
    }

    #[test]
    fn lists_are_sorted_and_hold_what_must_be_signed() {
        for (list, expected) in [
            ("x-contentful-signed-headers,x-contentful-timestamp", true),
            ("content-type,x-contentful-signed-headers,x-contentful-timestamp", true),
            ("x-contentful-timestamp,x-contentful-signed-headers", false),
            ("x-contentful-signed-headers", false),
            ("content-type,x-contentful-timestamp", false),
            ("x-contentful-signed-headers,x-contentful-timestamp,x-contentful-timestamp", false),
            ("Content-Type,x-contentful-signed-headers,x-contentful-timestamp", false),
            ("a-x-contentful-signed-headers,x-contentful-signed-headers,x-contentful-timestamp", false),
            (",x-contentful-signed-headers,x-contentful-timestamp", false),
            ("", false),
        ] {
            assert_eq!(is_canonical(&list.split(',').collect::<Vec<_>>()), expected, "{list}");
        }
    }

    #[test]
    fn values_hold_no_other_header() {
        let names = ["a", "b", SIGNED_HEADERS, TIMESTAMP];
        for (value, expected) in [
            ("1", false),
            ("application/json; charset=utf-8", false),
            ("1;c:2", false),
            ("1;b:2", true),
            ("1;x-contentful-signed-headers:a", true),
            ("x-contentful-signed-headers:a", true),
            ("a,b,x-contentful-signed-headers,x-contentful-timestamp", false),
        ] {
            assert_eq!(could_hold_another_header(value, &names), expected, "{value}");
        }
    }
}
