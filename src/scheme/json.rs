//! Finding one value in a JSON text, without reading more of it than necessary.
//!
//! Ids, times and event types are looked up after the signature has been verified; values that are themselves signed must be found before, in
//! bodies of strangers. So this neither recurses nor allocates (strings with escapes apart), takes time in proportion to the body, and finds
//! nothing in what is not JSON. Of keys that occur twice, the first counts, or for signed values, neither.

use std::borrow::Cow;

use crate::{ConfigError, Rejection};

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Pointer(Vec<Box<str>>);

impl Pointer {
    pub(crate) fn new(text: &str) -> Result<Self, ConfigError> {
        let invalid = |why| ConfigError::invalid("JSON pointer", text, why);
        let Some(tokens) = text.strip_prefix('/') else {
            return Err(invalid("must start with `/`"));
        };
        let tokens = tokens.split('/').map(|token| {
            if token.replace("~0", "").replace("~1", "").contains('~') {
                return Err(invalid("`~` must be written `~0`"));
            }
            Ok(token.replace("~1", "/").replace("~0", "~").into())
        });
        tokens.collect::<Result<_, _>>().map(Self)
    }

    /// A member of the outermost object.
    pub(super) fn member(name: &str) -> Self {
        Self(vec![name.into()])
    }
}

/// The string, number or boolean that `pointer` points to.
pub(crate) fn find<'b>(body: &'b [u8], pointer: &Pointer) -> Option<Cow<'b, str>> {
    let mut scanner = Scanner(body);
    for token in &pointer.0 {
        scanner.enter(token)?;
    }
    scanner.scalar()
}

/// As [`find`], but nothing if an object on the way holds the key twice: two readers would see two values, of which one was not signed.
pub(super) fn find_only<'b>(body: &'b [u8], pointer: &Pointer) -> Option<Cow<'b, str>> {
    let mut scanner = Scanner(body);
    for token in &pointer.0 {
        scanner.enter_only(token)?;
    }
    scanner.scalar()
}

/// What is at `pointer` in every item of a list; nothing if there is no item.
///
/// # Errors
///
/// If it is not the same in all of them.
pub(super) fn find_common<'b>(
    body: &'b [u8],
    list: &Pointer,
    pointer: &Pointer,
) -> Result<Option<Cow<'b, str>>, Rejection> {
    let mut common: Option<Cow<'b, str>> = None;
    let mut scanner = Scanner(body);
    if list.0.iter().try_for_each(|token| scanner.enter_only(token)).is_none() || scanner.next_token() != Some(b'[') {
        return Ok(None);
    }
    if scanner.peek_token() == Some(b']') {
        return Ok(None);
    }
    loop {
        let start = scanner.0;
        if scanner.skip_value().is_none() {
            return Ok(None);
        }
        let item = &start[..start.len() - scanner.0.len()];
        match (find_only(item, pointer), &common) {
            (Some(found), None) => common = Some(found),
            (Some(found), Some(common)) if found == *common => {}
            _ => return Err(Rejection::UnusableSignature),
        }
        match scanner.next_token() {
            Some(b',') => {}
            Some(b']') => return Ok(common),
            _ => return Ok(None),
        }
    }
}

/// What the first pointer that points to anything points to.
pub(crate) fn find_any<'b>(body: &'b [u8], pointers: &[Pointer]) -> Option<Cow<'b, str>> {
    pointers.iter().find_map(|pointer| find(body, pointer))
}

/// Takes a string off a text, which starts after the opening quote. Lone surrogates are no text.
pub(crate) fn take_string<'b>(text: &mut &'b [u8]) -> Option<Cow<'b, str>> {
    let mut scanner = Scanner(text);
    let string = scanner.string()?.decode();
    *text = scanner.0;
    string
}

/// What is left of the text.
struct Scanner<'b>(&'b [u8]);

impl<'b> Scanner<'b> {
    /// Moves from the start of an object or array to the start of the value under `token`; which of the two it was.
    fn enter(&mut self, token: &str) -> Option<u8> {
        match self.next_token()? {
            b'{' => loop {
                if self.key()? == *token {
                    return Some(b'{');
                }
                self.skip_value()?;
                let Some(b',') = self.next_token() else { return None };
            },
            b'[' => {
                if token.len() > 1 && token.starts_with('0') || !token.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                for _ in 0..token.parse::<usize>().ok()? {
                    self.skip_value()?;
                    let Some(b',') = self.next_token() else { return None };
                }
                (self.peek_token()? != b']').then_some(b'[')
            }
            _ => None,
        }
    }

    /// As [`enter`](Self::enter), but not if the object holds the key twice.
    fn enter_only(&mut self, token: &str) -> Option<()> {
        if self.enter(token)? == b'{' {
            let mut rest = Scanner(self.0);
            rest.skip_value()?;
            while rest.next_token()? == b',' {
                if rest.key()? == *token {
                    return None;
                }
                rest.skip_value()?;
            }
        }
        Some(())
    }

    /// A key of an object, and the colon after it.
    fn key(&mut self) -> Option<Cow<'b, str>> {
        let Some(b'"') = self.next_token() else { return None };
        let key = self.string()?.decode()?;
        let Some(b':') = self.next_token() else { return None };
        Some(key)
    }

    fn scalar(&mut self) -> Option<Cow<'b, str>> {
        if self.peek_token()? == b'"' {
            self.next_token();
            return self.string()?.decode();
        }
        let text = self.word();
        let is_number = text.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
        if is_number || text == b"true" || text == b"false" {
            return str::from_utf8(text).ok().map(Cow::Borrowed);
        }
        None
    }

    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek_token()? {
                b'"' => {
                    self.next_token();
                    self.string()?;
                }
                b'{' | b'[' => {
                    self.next_token();
                    depth += 1;
                    continue;
                }
                b'}' | b']' => {
                    self.next_token();
                    depth = depth.checked_sub(1)?;
                }
                b',' | b':' if depth > 0 => {
                    self.next_token();
                    continue;
                }
                _ if self.word().is_empty() => return None,
                _ => {}
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// The rest of a string whose opening quote has been read.
    fn string(&mut self) -> Option<JsonString<'b>> {
        let text = self.0;
        let mut at = 0;
        let mut has_escapes = false;
        loop {
            at += text[at..].iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            if text[at] == b'"' {
                self.0 = &text[at + 1..];
                return Some(JsonString { raw: &text[..at], has_escapes });
            }
            has_escapes = true;
            at += 2;
            if at > text.len() {
                return None;
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> &'b [u8] {
        let end = self.0.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.'));
        let (word, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        word
    }

    fn peek_token(&mut self) -> Option<u8> {
        self.0 = self.0.trim_ascii_start();
        self.0.first().copied()
    }

    fn next_token(&mut self) -> Option<u8> {
        let token = self.peek_token()?;
        self.0 = &self.0[1..];
        Some(token)
    }
}

struct JsonString<'b> {
    raw: &'b [u8],
    has_escapes: bool,
}

impl<'b> JsonString<'b> {
    fn decode(self) -> Option<Cow<'b, str>> {
        let raw = str::from_utf8(self.raw).ok()?;
        if !self.has_escapes {
            return Some(Cow::Borrowed(raw));
        }
        let mut decoded = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((plain, escape)) = rest.split_once('\\') {
            decoded.push_str(plain);
            let kind = escape.chars().next()?;
            rest = &escape[kind.len_utf8()..];
            decoded.push(match kind {
                '"' | '\\' | '/' => kind,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => unicode(&mut rest)?,
                _ => return None,
            });
        }
        decoded.push_str(rest);
        Some(Cow::Owned(decoded))
    }
}

/// What follows `\u`, taking the second half of a surrogate pair along.
fn unicode(rest: &mut &str) -> Option<char> {
    let high = code_unit(rest)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    *rest = rest.strip_prefix("\\u")?;
    let low = code_unit(rest)?;
    char::decode_utf16([u16::try_from(high).ok()?, u16::try_from(low).ok()?]).next()?.ok()
}

fn code_unit(rest: &mut &str) -> Option<u32> {
    let (digits, tail) = rest.split_at_checked(4)?;
    *rest = tail;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn at(body: &str, pointer: &str) -> Option<String> {
        find(body.as_bytes(), &Pointer::new(pointer).unwrap()).map(Cow::into_owned)
    }

    #[test]
    fn finds_scalars_and_nothing_else() {
        let body = r#" { "skip" : {"id": [1, {"id": "inner, not \"} outer"}]}, "id" : "evt_1", "n":-1.5e3 ,"t":true,
            "null":null, "o": {}, "a":[ 10 , "x", {"deep": "\u00e9\ud83d\ude00\n\/"}], "a/b": 1, "m~n": 2, "": 3, "id": "second" } "#;
        for (pointer, expected) in [
            ("/id", Some("evt_1")),
            ("/n", Some("-1.5e3")),
            ("/t", Some("true")),
            ("/null", None),
            ("/o", None),
            ("/a", None),
            ("/a/0", Some("10")),
            ("/a/1", Some("x")),
            ("/a/01", None),
            ("/a/3", None),
            ("/a/-", None),
            ("/a/2/deep", Some("é😀\n/")),
            ("/skip/id/1/id", Some("inner, not \"} outer")),
            ("/a~1b", Some("1")),
            ("/m~0n", Some("2")),
            ("/", Some("3")),
            ("/id/x", None),
            ("/missing", None),
        ] {
            assert_eq!(at(body, pointer).as_deref(), expected, "{pointer}");
        }
        assert_eq!(at(r#"[{"eventId":1}]"#, "/0/eventId").as_deref(), Some("1"));
        assert_eq!(at("[]", "/0"), None);
    }

    #[test]
    fn what_is_signed_must_not_be_there_twice() {
        let only = |body: &str| find_only(body.as_bytes(), &Pointer::new("/a/n").unwrap()).map(Cow::into_owned);
        assert_eq!(only(r#"{"x":0,"a":{"n":1,"m":2},"b":{"n":3}}"#).as_deref(), Some("1"));
        for body in [
            r#"{"a":{"n":1,"n":1}}"#,
            r#"{"a":{"n":1,"m":{},"\u006e":9}}"#,
            r#"{"a":{"n":1},"a":{"n":9}}"#,
            r#"{"a":{"n":1},"b":2,"a":9}"#,
            r#"{"a":{"n":1}"#,
        ] {
            assert_eq!(only(body), None, "{body}");
        }
    }

    #[test]
    fn broken_text_holds_nothing() {
        for body in [
            "",
            "{",
            "{\"a\"",
            "{\"id\":",
            "{\"id\":\"",
            "{\"id\":\"\\",
            "{\"x\":1 \"id\":2}",
            "]",
            "{\"x\":}",
            "\"id\"",
            "{\"id\":\"\\ud800\"}",
            "{\"id\":\"\\u00g0\"}",
            "nul",
        ] {
            assert_eq!(at(body, "/id"), None, "{body}");
        }
        let deep = "[".repeat(1_000_000);
        assert_eq!(at(&deep, "/0"), None);
        assert_eq!(at(&format!("{{\"x\":{deep}"), "/id"), None);
        assert!(Pointer::new("id").is_err());
        assert!(Pointer::new("/a~2").is_err());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a-c\"~/\\\\é]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(value in json(), pretty: bool, path in prop::collection::vec("[a-c\"~/\\\\é]{0,2}|[0-3]", 1..4)) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let pointer: String = path.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1"))).collect();
            let expected = match value.pointer(&pointer) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => Some(value.to_string()),
                _ => None,
            };
            prop_assert_eq!(at(&text, &pointer), expected);
        }

        #[test]
        fn never_panics(body in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u0az \xff"[..]), 0..60)) {
            for pointer in ["/a", "/0/a", "/", "/a/0"] {
                let _ = find(&body, &Pointer::new(pointer).unwrap());
            }
        }
    }
}
