//! Whether a body is JSON (RFC 8259) that no two readers understand differently.
//!
//! Takes time in proportion to the body, and memory in proportion to its depth, which is bounded, and to the keys of the objects that are open.

use std::{borrow::Cow, collections::HashSet};

use crate::{ConfigError, Problem, scheme::take_json_string};

/// What JSON must be, beyond being JSON.
///
/// A byte order mark, a lone surrogate, a number beyond what 64-bit floats can hold, one with an exponent of more than three digits,
/// and anything after the value are always refused.
///
/// ```
/// use tower_webhook::layer::JsonRules;
///
/// let rules = JsonRules::new().max_depth(16).max_digits(20);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct JsonRules {
    max_depth: usize,
    max_digits: usize,
    allows_duplicate_keys: bool,
}

impl JsonRules {
    /// At most 64 objects and arrays within each other, 100 digits in a number, and no key twice in an object.
    pub const fn new() -> Self {
        Self { max_depth: 64, max_digits: 100, allows_duplicate_keys: false }
    }

    /// How many objects and arrays may be within each other; 127 at most, which is what `serde_json` reads.
    pub const fn max_depth(mut self, depth: usize) -> Self {
        self.max_depth = depth;
        self
    }

    /// How many digits a number may have, those of its exponent included; 1000 at most.
    pub const fn max_digits(mut self, digits: usize) -> Self {
        self.max_digits = digits;
        self
    }

    /// Takes objects that hold a key twice. Readers differ in which of the two counts: one may check the first and another act on the last.
    pub const fn allow_duplicate_keys(mut self) -> Self {
        self.allows_duplicate_keys = true;
        self
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (what, value, most) in [("JSON depth", self.max_depth, 127), ("JSON digits", self.max_digits, 1000)] {
            if value == 0 || value > most {
                return Err(ConfigError::invalid(what, value, "must be at least 1, and no more than can be read"));
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, body: &[u8]) -> Result<(), Problem> {
        if body.starts_with(b"\xef\xbb\xbf") {
            return Err(Problem::new("", "must not start with a byte order mark"));
        }
        let mut reader = Reader { rest: body, open: Vec::new(), rules: *self };
        reader.read().map_err(|detail| Problem::new(reader.pointer(), detail))
    }
}

impl Default for JsonRules {
    fn default() -> Self {
        Self::new()
    }
}

struct Reader<'b> {
    rest: &'b [u8],
    /// The objects and arrays around the place that is read.
    open: Vec<Container<'b>>,
    rules: JsonRules,
}

enum Container<'b> {
    Array {
        index: usize,
    },
    Object {
        key: Option<Cow<'b, str>>,
        /// The keys before it.
        earlier: HashSet<Cow<'b, str>>,
    },
}

type Checked = Result<(), &'static str>;

const ENDS_EARLY: &str = "ends too early";
const NO_VALUE: &str = "is not a JSON value";

impl<'b> Reader<'b> {
    fn read(&mut self) -> Checked {
        loop {
            let is_inside = self.value()?;
            if !is_inside && !self.is_followed_by_value()? {
                return Ok(());
            }
        }
    }

    /// Reads a value, or the start of one that holds others; whether the first of them is next.
    fn value(&mut self) -> Result<bool, &'static str> {
        match self.peek_token().ok_or(ENDS_EARLY)? {
            b'{' => {
                self.enter(Container::Object { key: None, earlier: HashSet::new() })?;
                if !self.takes(b'}') {
                    return self.key().map(|()| true);
                }
                self.open.pop();
            }
            b'[' => {
                self.enter(Container::Array { index: 0 })?;
                if !self.takes(b']') {
                    return Ok(true);
                }
                self.open.pop();
            }
            b'"' => drop(self.string()?),
            b'-' | b'0'..=b'9' => self.number()?,
            _ => {
                let literals = [&b"true"[..], b"false", b"null"];
                self.rest = literals.iter().find_map(|literal| self.rest.strip_prefix(*literal)).ok_or(NO_VALUE)?;
            }
        }
        Ok(false)
    }

    /// After a value: reads the ends of all that ends with it, and what leads to the next value, if there is one.
    fn is_followed_by_value(&mut self) -> Result<bool, &'static str> {
        loop {
            let token = self.peek_token();
            let end = match self.open.last() {
                Some(Container::Array { .. }) => b']',
                Some(Container::Object { .. }) => b'}',
                None if token.is_none() => return Ok(false),
                None => return Err("must not be followed by anything"),
            };
            if self.takes(end) {
                self.open.pop();
            } else if self.takes(b',') {
                match self.open.last_mut() {
                    Some(Container::Array { index }) => *index += 1,
                    _ => self.key()?,
                }
                return Ok(true);
            } else if token.is_none() {
                return Err(ENDS_EARLY);
            } else {
                return Err("must be followed by `,` or the end of what it is in");
            }
        }
    }

    fn enter(&mut self, container: Container<'b>) -> Checked {
        if self.open.len() == self.rules.max_depth {
            return Err("is nested too deeply");
        }
        self.rest = &self.rest[1..];
        self.open.push(container);
        Ok(())
    }

    fn key(&mut self) -> Checked {
        match self.peek_token() {
            Some(b'"') => {}
            Some(_) => return Err("has a key that is not a string"),
            None => return Err(ENDS_EARLY),
        }
        let name = self.string()?;
        let is_duplicate = match self.open.last_mut() {
            Some(Container::Object { key, earlier }) if !self.rules.allows_duplicate_keys => {
                let last = key.take();
                let is_duplicate = last.as_ref() == Some(&name) || earlier.contains(&name);
                earlier.extend(last);
                *key = Some(name);
                is_duplicate
            }
            Some(Container::Object { key, .. }) => {
                *key = Some(name);
                false
            }
            _ => false,
        };
        if is_duplicate {
            return Err("is there more than once");
        }
        match self.takes(b':') {
            true => Ok(()),
            false => Err("must be followed by `:`"),
        }
    }

    fn string(&mut self) -> Result<Cow<'b, str>, &'static str> {
        let text = &self.rest[1..];
        self.rest = text;
        let string = take_json_string(&mut self.rest);
        let read = &text[..text.len() - self.rest.len()];
        string.filter(|_| !read.iter().any(|byte| *byte < b' ')).ok_or(
            "has an unfinished string, or one with a control character, a lone surrogate or another wrong escape",
        )
    }

    fn number(&mut self) -> Checked {
        let text = self.rest;
        self.takes_byte(b"-");
        // No leading zeros.
        if !self.takes_byte(b"0") && self.digits() == 0 {
            return Err(NO_VALUE);
        }
        if self.takes_byte(b".") && self.digits() == 0 {
            return Err(NO_VALUE);
        }
        if self.takes_byte(b"eE") {
            self.takes_byte(b"+-");
            match self.digits() {
                0 => return Err(NO_VALUE),
                1..=3 => {}
                // Readers with exact decimals would write it out.
                _ => return Err("has an exponent of more than three digits"),
            }
        }
        let number = &text[..text.len() - self.rest.len()];
        if number.iter().filter(|byte| byte.is_ascii_digit()).count() > self.rules.max_digits {
            return Err("has too many digits");
        }
        match str::from_utf8(number).ok().and_then(|number| number.parse::<f64>().ok()) {
            Some(value) if value.is_finite() => Ok(()),
            _ => Err("is too large a number"),
        }
    }

    /// How many digits there were.
    fn digits(&mut self) -> usize {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
        end
    }

    fn takes_byte(&mut self, bytes: &[u8]) -> bool {
        let takes = self.rest.first().is_some_and(|byte| bytes.contains(byte));
        self.rest = &self.rest[usize::from(takes)..];
        takes
    }

    fn takes(&mut self, token: u8) -> bool {
        self.peek_token();
        self.takes_byte(&[token])
    }

    fn peek_token(&mut self) -> Option<u8> {
        let end = self.rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
        self.rest.first().copied()
    }

    /// Where the reader is.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for container in &self.open {
            match container {
                Container::Array { index } => pointer.push_str(&format!("/{index}")),
                Container::Object { key: Some(key), .. } => {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                Container::Object { key: None, .. } => {}
            }
        }
        pointer
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// For what only these rules refuse.
    const STRICTER: [&str; 4] = [
        "is there more than once",
        "is nested too deeply",
        "has an exponent of more than three digits",
        "has too many digits",
    ];

    fn check(text: &[u8]) -> Result<(), Problem> {
        JsonRules::new().check(text)
    }

    fn assert_agrees(text: &[u8]) {
        let read = serde_json::from_slice::<Value>(text);
        match check(text) {
            Ok(()) => assert!(read.is_ok(), "{read:?}: {}", String::from_utf8_lossy(text)),
            Err(problem) => {
                let is_stricter = STRICTER.contains(&problem.detail());
                assert!(read.is_err() || is_stricter, "{problem}: {}", String::from_utf8_lossy(text));
            }
        }
    }

    #[test]
    fn places_are_told_by_pointers() {
        for (text, pointer, detail) in [
            ("", "", ENDS_EARLY),
            (" \r\n\t", "", ENDS_EARLY),
            ("[1,2", "/1", ENDS_EARLY),
            ("[1,2,]", "/2", NO_VALUE),
            (r#"{"a":{"b":[0,{"c":nil}]}}"#, "/a/b/1/c", NO_VALUE),
            (r#"{"a":1 "b":2}"#, "/a", "must be followed by `,` or the end of what it is in"),
            (r#"{"a":[1}"#, "/a/0", "must be followed by `,` or the end of what it is in"),
            (r#"{"a" 1}"#, "/a", "must be followed by `:`"),
            ("{a:1}", "", "has a key that is not a string"),
            (r#"{"a":1,}"#, "/a", "has a key that is not a string"),
            ("{}{}", "", "must not be followed by anything"),
            ("1 \0", "", "must not be followed by anything"),
            (r#"{"a/b":{"m~n":[1e]}}"#, "/a~1b/m~0n/0", NO_VALUE),
            (r#"{"a":1,"b":{"a":2,"c":3,"\u0061":4}}"#, "/b/a", "is there more than once"),
            (r#"{"a":1,"a":2}"#, "/a", "is there more than once"),
            ("[01]", "/0", "must be followed by `,` or the end of what it is in"),
            ("[-]", "/0", NO_VALUE),
            ("[+1]", "/0", NO_VALUE),
            ("[.5]", "/0", NO_VALUE),
            ("[NaN]", "/0", NO_VALUE),
            ("[1.]", "/0", NO_VALUE),
            ("[1e999]", "/0", "is too large a number"),
            ("[1e-1000]", "/0", "has an exponent of more than three digits"),
            ("\u{feff}1", "", "must not start with a byte order mark"),
        ] {
            let expected = Err(Problem::new(pointer, detail));
            assert_eq!(check(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn limits_are_exact() {
        for (rules, fits, too_much) in [
            (JsonRules::new(), "[".repeat(64) + &"]".repeat(64), "[".repeat(65) + &"]".repeat(65)),
            (JsonRules::new().max_depth(2), r#"[{},{"a":1}]"#.to_owned(), r#"[{"a":[]}]"#.to_owned()),
            (JsonRules::new(), "9".repeat(100), "9".repeat(101)),
            (JsonRules::new().max_digits(3), "[-1.2e3]".to_owned(), "[12.34]".to_owned()),
        ] {
            assert_eq!(rules.check(fits.as_bytes()), Ok(()), "{fits}");
            assert!(rules.check(too_much.as_bytes()).is_err(), "{too_much}");
        }
        assert_eq!(JsonRules::new().allow_duplicate_keys().check(br#"{"a":1,"a":2}"#), Ok(()));
        for rules in [
            JsonRules::new().max_depth(0),
            JsonRules::new().max_depth(128),
            JsonRules::new().max_digits(0),
            JsonRules::new().max_digits(1001),
        ] {
            assert!(rules.validate().is_err(), "{rules:?}");
        }
        let deepest = "[".repeat(127) + &"]".repeat(127);
        let rules = JsonRules::new().max_depth(127);
        assert!(rules.validate().is_ok() && rules.check(deepest.as_bytes()).is_ok());
        assert!(serde_json::from_str::<Value>(&deepest).is_ok(), "what is let through can be read");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(".{0,3}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// What JSON is made of, and what it is not.
    fn fragments() -> impl Strategy<Value = Vec<u8>> {
        let fragments: [&[u8]; 30] = [
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"{\"a\":",
            b"\"a\"",
            b"\"b\"",
            b"\"",
            b"\\",
            b"\\ud83d",
            b"\\ude00",
            b"\\u0061",
            b"\\n",
            b"\x01",
            b"\xff",
            b" ",
            b"\n",
            b"\x0b",
            b"true",
            b"null",
            b"nul",
            b"-0",
            b"01",
            b"1.5e3",
            b"1e400",
            b"1e-9999",
            b"99999999999999999999999",
            b"\xef\xbb\xbf",
        ];
        prop::collection::vec(prop::sample::select(fragments.to_vec()), 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn takes_what_serde_json_writes(value in value(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            // Digits of large floats are written out.
            prop_assert_eq!(JsonRules::new().max_digits(1000).check(text.as_bytes()), Ok(()), "{}", text);
        }

        #[test]
        fn refuses_and_takes_as_serde_json_but_for_what_is_stricter(text in fragments()) {
            assert_agrees(&text);
        }

        #[test]
        fn agrees_about_text_that_was_changed(value in value(), at: prop::sample::Index, with in fragments(), removed in 0_usize..3) {
            let mut text = serde_json::to_vec(&value).unwrap();
            let at = at.index(text.len());
            text.splice(at..(at + removed).min(text.len()), with);
            assert_agrees(&text);
        }

        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..80)) {
            assert_agrees(&text);
        }
    }
}
