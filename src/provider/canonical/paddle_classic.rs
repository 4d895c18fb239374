//! Paddle Classic signs all other form fields, sorted and serialised as PHP does it.

use std::borrow::Cow;

use super::only_urlencoded;
use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

pub(in crate::provider) const FIELDS: Canonical<'static> = Canonical {
    name: "paddle-classic",
    covers: &[Source::Body, Source::Form("alert_id"), Source::Form("alert_name")],
    parameters: &[],
    write,
};

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    only_urlencoded(request)?;
    let mut fields = request.form()?;
    fields.retain(|(name, _)| name != "p_signature");
    serialize(fields, sink)
}

fn serialize(mut fields: Vec<(Cow<'_, str>, Cow<'_, str>)>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    fields.sort();
    if fields.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Rejection::DuplicateField);
    }
    // PHP rewrites other names, makes arrays of some, and numbers of those that are numbers.
    let is_plain = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
    };
    if !fields.iter().all(|(name, _)| is_plain(name)) {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(format!("a:{}:{{", fields.len()).as_bytes());
    for text in fields.iter().flat_map(|(name, value)| [name, value]) {
        sink(format!("s:{}:\"", text.len()).as_bytes());
        sink(text.as_bytes());
        sink(b"\";");
    }
    sink(b"}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serialized(fields: &[(&'static str, &'static str)]) -> Result<String, Rejection> {
        let mut written = Vec::new();
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        serialize(fields, &mut |bytes| written.extend_from_slice(bytes))?;
        Ok(String::from_utf8(written).unwrap())
    }

    #[test]
    fn fields_are_sorted_and_lengths_are_of_bytes() {
        let text = serialized(&[("b_2", "é\""), ("a", "")]).unwrap();
        assert_eq!(text, r#"a:2:{s:1:"a";s:0:"";s:3:"b_2";s:3:"é"";}"#);
        assert_eq!(serialized(&[]).unwrap(), "a:0:{}");
    }

    #[test]
    fn fields_that_php_would_see_otherwise_are_refused() {
        for fields in [
            &[("a", "1"), ("b", "2"), ("a", "1")][..],
            &[("a.b", "1")],
            &[("a[]", "1")],
            &[("a b", "1")],
            &[("1", "1")],
            &[("", "1")],
            &[("é", "1")],
        ] {
            assert!(serialized(fields).is_err(), "{fields:?}");
        }
    }
}
