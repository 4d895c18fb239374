//! What Plivo signs, version 3: the URL with its query sorted, the names and values of the form with nothing in between, and a nonce.

use std::borrow::Cow;

use super::only_urlencoded;
use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// `https://host/path?name=value.NameValueNameValue.nonce`, where the first full stop is there if there are both a query and a form.
pub(in crate::provider) const URL_FORM_AND_NONCE: Canonical<'static> =
    Canonical { name: "plivo", covers: &[Source::Body, Source::Header(NONCE)], parameters: &[], write };

const NONCE: &str = "x-plivo-signature-v3-nonce";

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    only_urlencoded(request)?;
    let Some(nonce) = request.header(NONCE)?.filter(|nonce| is_nonce(nonce)) else {
        return Err(Rejection::AmbiguousMessage);
    };
    let url = request.url()?;
    let (base, query) = url.split_once('?').unwrap_or((&url, ""));
    let query: Vec<Pair<'_>> = form_urlencoded::parse(query.as_bytes()).collect();
    sink(base.as_bytes());
    write_parameters(query, request.form()?, sink)?;
    sink(b".");
    sink(nonce.as_bytes());
    Ok(())
}

/// It stands last, after a full stop.
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn write_parameters(
    mut query: Vec<Pair<'_>>,
    mut form: Vec<Pair<'_>>,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Rejection> {
    // What separates parameters of the query from each other, and the query from the form.
    let is_ambiguous = |(name, value): &Pair<'_>| {
        name.contains(['=', '&', '.', char::REPLACEMENT_CHARACTER])
            || value.contains(['&', '.', char::REPLACEMENT_CHARACTER])
    };
    // A value without a name is signed like a name without a value. Without a form, its parameters could have become part of the query.
    if form.is_empty() || form.iter().any(|(name, _)| name.is_empty()) || query.iter().any(is_ambiguous) {
        return Err(Rejection::AmbiguousMessage);
    }
    query.sort();
    form.sort();
    sink(b"?");
    for (index, (name, value)) in query.iter().enumerate() {
        if index > 0 {
            sink(b"&");
        }
        sink(name.as_bytes());
        sink(b"=");
        sink(value.as_bytes());
    }
    if !query.is_empty() {
        sink(b".");
    }
    for (name, value) in &form {
        sink(name.as_bytes());
        sink(value.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(query: &str, form: &str) -> Result<String, Rejection> {
        let mut written = Vec::new();
        let pairs = |text: &'static str| form_urlencoded::parse(text.as_bytes()).collect();
        let (query, form) = (query.to_owned().leak(), form.to_owned().leak());
        write_parameters(pairs(query), pairs(form), &mut |bytes| written.extend_from_slice(bytes))?;
        Ok(String::from_utf8(written).unwrap())
    }

    #[test]
    fn query_and_form_are_decoded_and_sorted() {
        for (query, form, expected) in [
            ("", "To=2&From=1", "?From1To2"),
            ("b=2&a=x%20y", "To=2&From=1", "?a=x y&b=2.From1To2"),
            ("a=2&a=1", "Text=a.b%26c&Empty=", "?a=1&a=2.EmptyTexta.b&c"),
        ] {
            assert_eq!(written(query, form).as_deref(), Ok(expected), "{query} {form}");
        }
    }

    #[test]
    fn what_could_be_taken_apart_otherwise_is_refused() {
        for (query, form) in
            [("a=1", ""), ("", "=1"), ("a=1.2", "b=1"), ("a=1%262", "b=1"), ("a%3Db=1", "b=1"), ("a=%FF", "b=1")]
        {
            assert_eq!(written(query, form), Err(Rejection::AmbiguousMessage), "{query} {form}");
        }
        assert!(is_nonce("05429567804466091622"));
        assert!(!is_nonce("1.2"));
        assert!(!is_nonce(""));
    }
}
