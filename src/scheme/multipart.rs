//! Fields of `multipart/form-data` bodies (RFC 7578), of which only the plainest are read.
//!
//! Parsers differ in what they make of everything unusual: blanks after a delimiter, quotes, two names, parts that never end. A field that is signed by
//! itself must be the one that the handler sees, so whatever could be read in another way is refused.

use std::borrow::Cow;

use http::{HeaderMap, header::CONTENT_TYPE};
use memchr::memmem;

use super::FormFields;
use crate::Rejection;

/// Forms are small; each part costs more room than the bytes that it needs.
const MAX_PARTS: usize = 1000;

/// What separates the parts, if the body is said to be of this kind.
///
/// # Errors
///
/// If it is said in a way that parsers read differently.
pub(super) fn boundary(headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let Some(kind) = kinds.next() else { return Ok(None) };
    let ambiguous = Rejection::AmbiguousMessage;
    let kind = kind.to_str().map_err(|_| Rejection::AmbiguousMessage)?;
    let (essence, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let essence = essence.trim().to_ascii_lowercase();
    if kinds.next().is_some() || essence.starts_with("multipart/") && essence != "multipart/form-data" {
        return Err(ambiguous);
    }
    if essence != "multipart/form-data" {
        return Ok(None);
    }
    // Nothing but the boundary, without a quote in its quotes: other parameters are of no use here, and make it hard to find.
    let (name, value) = parameters.split_once('=').ok_or(Rejection::AmbiguousMessage)?;
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    // RFC 2046 section 5.1.1, without the blank.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    let is_boundary = (1..=70).contains(&value.len()) && value.bytes().all(is_plain);
    match name.trim().eq_ignore_ascii_case("boundary") && is_boundary {
        true => Ok(Some(value.to_owned())),
        false => Err(ambiguous),
    }
}

/// The names and values of all parts.
///
/// # Errors
///
/// If the body is not made of plain parts from its first byte to its last.
pub(super) fn fields<'b>(body: &'b [u8], boundary: &str) -> Result<FormFields<'b>, Rejection> {
    parse(body, boundary).ok_or(Rejection::AmbiguousMessage)
}

fn parse<'b>(body: &'b [u8], boundary: &str) -> Option<FormFields<'b>> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    let mut fields = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return matches!(end, b"" | b"\r\n").then_some(fields);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = finder.find(rest)?;
        let (part, after) = (&rest[..end], &rest[end + delimiter.len()..]);
        let head_end = memmem::find(part, b"\r\n\r\n")?;
        let name = name(str::from_utf8(&part[..head_end]).ok()?)?;
        fields.push((Cow::Owned(name), String::from_utf8_lossy(&part[head_end + 4..])));
        if fields.len() > MAX_PARTS {
            return None;
        }
        rest = after;
    }
}

/// The name in a part's only `Content-Disposition`.
fn name(head: &str) -> Option<String> {
    let mut dispositions = head.split("\r\n").map(|line| line.split_once(':')).collect::<Option<Vec<_>>>()?;
    dispositions.retain(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
    let [(_, disposition)] = dispositions[..] else { return None };
    let rest = disposition.trim().strip_prefix("form-data")?;
    let mut name = None;
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let (key, value) = rest.strip_prefix(';')?.trim_start().split_once('=')?;
        // Escapes, and values that go on after their quotes, are where parsers part.
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        let is_known = matches!(key, "name" | "filename" | "filename*");
        if !is_known || value.contains(['\\', '"']) || key == "name" && name.replace(value.to_owned()).is_some() {
            return None;
        }
        rest = after.trim_start();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, text.parse().unwrap())])
    }

    fn part(disposition: &str, value: &str) -> String {
        format!("--x\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n")
    }

    #[test]
    fn plain_parts_are_read() {
        let body = part("form-data; name=\"a\"", "one")
            + "--x\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=json; filename=\"b;c.json\"\r\n\r\n{\"b\":\r\n2}\r\n--x--\r\n";
        let expected = [("a", "one"), ("json", "{\"b\":\r\n2}")];
        let expected: FormFields<'_> = expected.map(|(name, value)| (name.into(), value.into())).into();
        assert_eq!(fields(body.as_bytes(), "x"), Ok(expected));
        assert_eq!(fields(b"--x--", "x"), Ok(Vec::new()));
    }

    #[test]
    fn boundaries_are_found_or_refused() {
        for (text, expected) in [
            ("application/x-www-form-urlencoded", Ok(None)),
            ("application/json; boundary=x", Ok(None)),
            ("multipart/form-data; boundary=x", Ok(Some("x"))),
            ("Multipart/Form-Data; Boundary=\"--x:1\"", Ok(Some("--x:1"))),
            ("multipart/form-data", Err(())),
            ("multipart/form-data; boundary=", Err(())),
            ("multipart/form-data; boundary=\"a;b\"", Err(())),
            ("multipart/form-data; boundary=a; boundary=b", Err(())),
            ("multipart/form-data; charset=utf-8; boundary=a", Err(())),
            ("multipart/form-data; boundary=\"a\\\"b\"", Err(())),
            ("multipart/mixed; boundary=a", Err(())),
        ] {
            let expected = expected.map(|text: Option<&str>| text.map(str::to_owned));
            assert_eq!(boundary(&kind(text)).map_err(drop), expected, "{text}");
        }
        assert!(boundary(&kind(&format!("multipart/form-data; boundary={}", "a".repeat(71)))).is_err());
        let mut twice = kind("multipart/form-data; boundary=a");
        twice.append(CONTENT_TYPE, "multipart/form-data; boundary=b".parse().unwrap());
        assert!(boundary(&twice).is_err());
    }

    #[test]
    fn bodies_that_parsers_read_differently_are_refused() {
        let good = part("form-data; name=\"a\"", "1");
        for (what, body) in [
            ("a preamble", format!("preamble\r\n{good}--x--")),
            ("an epilogue", format!("{good}--x--\r\nepilogue")),
            ("no end", good.clone()),
            ("a part that is cut", good[..30].to_owned()),
            ("blanks after a delimiter", good.replace("--x\r\n", "--x \r\n") + "--x--"),
            ("a delimiter that goes on", good.replace("--x\r\n", "--xy\r\n") + "--x--"),
            ("a part without a head", format!("--x\r\n{good}--x--")),
            ("two names", part("form-data; name=\"a\"; name=\"b\"", "1") + "--x--"),
            (
                "a name in the quotes of another",
                part("form-data; filename=\"; name=b; \"; name=\"a\"", "1").replace("filename", "x") + "--x--",
            ),
            ("a name in another encoding", part("form-data; name*=utf-8''a", "1") + "--x--"),
            ("an escape", part("form-data; name=\"a\\\"b\"", "1") + "--x--"),
            ("a value after its quotes", part("form-data; name=\"a\"b", "1") + "--x--"),
            ("no name", part("form-data", "1") + "--x--"),
            ("an attachment", part("attachment; name=\"a\"", "1") + "--x--"),
            (
                "two dispositions",
                good.replace("\r\n\r\n", "\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n") + "--x--",
            ),
            ("a line that is no header", good.replace("Content", "nonsense\r\nContent") + "--x--"),
        ] {
            assert!(fields(body.as_bytes(), "x").is_err(), "{what}: {body:?}");
        }
        assert!(fields((good.repeat(1001) + "--x--").as_bytes(), "x").is_err());
    }
}
