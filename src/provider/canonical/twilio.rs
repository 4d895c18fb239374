//! What Twilio signs: the URL, then the names and values of the form with nothing in between; or the URL alone, if it holds the hash of the body.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use sha2::{Digest, Sha256};

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

/// Values of one name are sorted and signed once, however often they come.
pub(in crate::provider) const URL_AND_FORM: Canonical<'static> =
    Canonical { name: "twilio", covers: &[Source::Body], parameters: &[], write };

const HASH: &str = "bodySHA256=";

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let url = request.url()?;
    // That of the URL which is signed: with a configured one, the query that came is anybody's.
    let (_, query) = url.split_once('?').unwrap_or((&url, ""));
    let hash = body_hash(query)?;
    sink(url.as_bytes());
    match hash {
        Some(hash) if is_hex(hash, &Sha256::digest(request.body())) => Ok(()),
        Some(_) => Err(Rejection::SignatureMismatch),
        None if request.body().is_empty() => Ok(()),
        None if is_form(request)? => write_parameters(request.form()?, sink),
        // Nothing would cover it.
        None => Err(Rejection::AmbiguousMessage),
    }
}

/// Twilio appends it to the URL. Elsewhere in the query it may be the text of a message, for the form follows the URL in what is signed: whoever captured
/// a form with such a text could turn it into a query that vouches for any body.
fn body_hash(query: &str) -> Result<Option<&str>, Rejection> {
    let mut found = query.split('&').filter_map(|item| item.strip_prefix(HASH));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(hash), None) if query.ends_with(hash) => Ok(Some(hash)),
        _ => Err(Rejection::AmbiguousMessage),
    }
}

fn is_form(request: &SignedRequest<'_>) -> Result<bool, Rejection> {
    let media_type = request.header(CONTENT_TYPE.as_str())?.unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    Ok(media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

fn write_parameters(
    mut parameters: Vec<(Cow<'_, str>, Cow<'_, str>)>,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Rejection> {
    parameters.sort_unstable();
    parameters.dedup();
    for (name, value) in &parameters {
        // A value without a name is signed like a name without a value.
        if name.is_empty() {
            return Err(Rejection::AmbiguousMessage);
        }
        sink(name.as_bytes());
        sink(value.as_bytes());
    }
    Ok(())
}

fn is_hex(text: &str, bytes: &[u8]) -> bool {
    text.len() == 2 * bytes.len()
        && text.as_bytes().chunks(2).zip(bytes).all(|(digits, byte)| digits == format!("{byte:02x}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        provider::TWILIO,
        scheme::{Head, Outgoing, Verifier},
    };

    fn written(body: &str) -> Result<String, Rejection> {
        let mut written = Vec::new();
        let parameters = form_urlencoded::parse(body.as_bytes()).collect();
        write_parameters(parameters, &mut |bytes| written.extend_from_slice(bytes))?;
        Ok(String::from_utf8(written).unwrap())
    }

    #[test]
    fn parameters_are_decoded_sorted_and_signed_once() {
        for (body, expected) in [
            ("To=%2B1800&From=%2B1415&Body=a+b%21", "Bodya b!From+1415To+1800"),
            ("Digits=5678&Digits=1234&Digits=1234", "Digits1234Digits5678"),
            ("Sid=CA&SidAccount=AC", "SidCASidAccountAC"),
            ("b=&a", "ab"),
            ("Body=%E2%98%83", "Body☃"),
            ("", ""),
        ] {
            assert_eq!(written(body).as_deref(), Ok(expected), "{body}");
        }
        assert_eq!(written("=abc"), Err(Rejection::AmbiguousMessage));
    }

    #[test]
    fn the_hash_of_the_body_is_the_last_parameter_of_the_query() {
        let ambiguous = Err(Rejection::AmbiguousMessage);
        for (query, expected) in [
            ("", Ok(None)),
            ("foo=1&bar=2", Ok(None)),
            ("notbodySHA256=ab", Ok(None)),
            ("bodySHA256=ab", Ok(Some("ab"))),
            ("foo=1&bodySHA256=ab", Ok(Some("ab"))),
            ("bodySHA256=ab&foo=1", ambiguous.clone()),
            ("foo=1Bodyx&bodySHA256=ab&From=1", ambiguous.clone()),
            ("bodySHA256=ab&bodySHA256=ab", ambiguous),
        ] {
            assert_eq!(body_hash(query), expected, "{query}");
        }
    }

    /// Whoever captured a request without a body has the signature of the URL alone.
    #[test]
    fn a_hash_that_is_not_in_the_signed_url_vouches_for_nothing() {
        let url = "https://hooks.example.com/twilio";
        let signed = TWILIO.signer("secret").unwrap().sign(&Outgoing::post(url, b"")).unwrap();
        let verifier = Verifier::builder(TWILIO).public_url(url).build("secret").unwrap();
        let verify = |target: &str, body: &'static str| {
            let (mut head, ()) = http::Request::post(target).body(()).unwrap().into_parts();
            head.headers = signed.clone();
            verifier.verify(Head::from(&head), &body.into(), UnixTime::from_secs(0)).map(drop)
        };
        assert_eq!(verify("/inside", ""), Ok(()));
        let hash: String = Sha256::digest("forged").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(verify(&format!("/inside?bodySHA256={hash}"), "forged"), Err(Rejection::AmbiguousMessage));
    }

    #[test]
    fn hashes_are_lower_case_digits() {
        assert!(is_hex("00ff", &[0, 255]));
        for text in ["", "00f", "00FF", "00ff00"] {
            assert!(!is_hex(text, &[0, 255]), "{text}");
        }
    }
}
