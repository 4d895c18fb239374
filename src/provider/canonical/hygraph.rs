//! What Hygraph signs: a JSON document with the body as a text, the environment and the time, as JavaScript writes it.

use std::borrow::Cow;

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

/// `{"Body":"…","EnvironmentName":"…","TimeStamp":…}`
pub(in crate::provider) const DOCUMENT: Canonical<'static> = Canonical {
    name: "hygraph",
    covers: &[Source::Body, Source::Field("env"), Source::Field("t")],
    parameters: &[],
    write,
};

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let field = |name| -> Result<Cow<'_, str>, Rejection> { request.field(name)?.ok_or(Rejection::MissingSignature) };
    let (environment, time) = (field("env")?, field("t")?);
    // What is no UTF-8 would be decoded to U+FFFD, whatever it was.
    let Ok(body) = std::str::from_utf8(request.body()) else { return Err(Rejection::AmbiguousMessage) };
    if !is_number(&time) {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(b"{\"Body\":\"");
    write_escaped(body, sink);
    sink(b"\",\"EnvironmentName\":\"");
    write_escaped(&environment, sink);
    sink(b"\",\"TimeStamp\":");
    sink(time.as_bytes());
    sink(b"}");
    Ok(())
}

/// In the one way that JavaScript writes it.
fn is_number(text: &str) -> bool {
    (1..=15).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// As `JSON.stringify`: quotes, backslashes and control characters, and nothing else.
fn write_escaped(text: &str, sink: &mut dyn FnMut(&[u8])) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut rest = 0;
    for (index, byte) in bytes.iter().copied().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        sink(&bytes[rest..index]);
        rest = index + 1;
        match byte {
            b'\x08' => sink(b"\\b"),
            b'\t' => sink(b"\\t"),
            b'\n' => sink(b"\\n"),
            b'\x0c' => sink(b"\\f"),
            b'\r' => sink(b"\\r"),
            b'"' | b'\\' => sink(&[b'\\', byte]),
            _ => sink(&[b'\\', b'u', b'0', b'0', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
    sink(&bytes[rest..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_javascript_does() {
        for (text, expected) in [
            ("", ""),
            (r#"{"a":"\n/"}"#, r#"{\"a\":\"\\n/\"}"#),
            (
                "\u{0}\u{7}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}\u{2028}é😀",
                "\\u0000\\u0007\\b\\t\\n\\u000b\\f\\r\\u001f\u{7f}\u{2028}é😀",
            ),
        ] {
            let mut written = Vec::new();
            write_escaped(text, &mut |bytes| written.extend_from_slice(bytes));
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_in_one_way() {
        for (text, expected) in [
            ("1701774657000", true),
            ("1", true),
            ("0", false),
            ("01", false),
            ("1.0", false),
            ("-1", false),
            ("", false),
            ("1234567890123456", false),
        ] {
            assert_eq!(is_number(text), expected, "{text}");
        }
    }
}
