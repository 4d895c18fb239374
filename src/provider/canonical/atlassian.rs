//! What the `qsh` claim of Atlassian's tokens is a hash of: method, path and query, but not the body.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest},
};

/// `METHOD&path&name=value&name=value`, with the path below that of the app, if that is configured as `base-path`.
///
/// A slash at the end of the path does not count, nor does a parameter `jwt`, nor the order of parameters. Names and values are encoded by RFC 3986 and sorted; values of one name stand together, separated by commas.
pub(in crate::provider) const QUERY_HASH: Canonical<'static> =
    Canonical { name: "atlassian-query", covers: &[], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    /// As many as forms may have.
    const MAX_PARAMETERS: usize = 10_000;
    let base = request.parameter("base-path").unwrap_or_default();
    sink(request.method().as_str().as_bytes());
    sink(b"&");
    sink(path_below(base, request.path())?.as_bytes());
    sink(b"&");

    let query = request.query();
    if query.bytes().filter(|byte| *byte == b'&').count() >= MAX_PARAMETERS {
        return Err(Rejection::AmbiguousMessage);
    }
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        // The token itself may be there.
        .filter(|(name, _)| name != "jwt")
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    // What is no UTF-8 is decoded to U+FFFD, whatever it was.
    if pairs.iter().any(|(name, value)| [name, value].iter().any(|text| text.contains("%EF%BF%BD"))) {
        return Err(Rejection::AmbiguousMessage);
    }
    pairs.sort();
    let mut last: Option<&str> = None;
    for (name, value) in &pairs {
        if last == Some(name) {
            sink(b",");
        } else {
            if last.is_some() {
                sink(b"&");
            }
            sink(name.as_bytes());
            sink(b"=");
        }
        sink(value.as_bytes());
        last = Some(name);
    }
    Ok(())
}

/// # Errors
///
/// If another path would be hashed as the same: one outside the app as one within it, or `&` as its escape.
fn path_below<'p>(base: &str, path: &'p str) -> Result<&'p str, Rejection> {
    let below = path.strip_prefix(base.trim_end_matches('/')).filter(|it| it.is_empty() || it.starts_with('/'));
    let below = below.filter(|it| !it.contains('&')).ok_or(Rejection::AmbiguousMessage)?;
    Ok(match below.strip_suffix('/').unwrap_or(below) {
        "" => "/",
        below => below,
    })
}

/// RFC 3986 section 2.3: everything but unreserved characters is encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_app_and_end_without_a_slash() {
        for (base, path, expected) in [
            ("", "/webhook/issue", "/webhook/issue"),
            ("/base", "/base/webhook", "/webhook"),
            ("/base/", "/base/webhook/", "/webhook"),
            ("/base", "/base", "/"),
            ("", "/", "/"),
            ("", "/a%26b", "/a%26b"),
        ] {
            assert_eq!(path_below(base, path), Ok(expected), "{path} below {base}");
        }
        for (base, path) in [("/base", "/based"), ("/base", "/webhook"), ("/base", "/"), ("", "/a&b")] {
            assert_eq!(path_below(base, path), Err(Rejection::AmbiguousMessage), "{path} below {base}");
        }
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(encoded("712020:abc é*~-._"), "712020%3Aabc%20%C3%A9%2A~-._");
    }
}
