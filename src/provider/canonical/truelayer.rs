//! What TrueLayer signs: method, path, the headers that the signature's own header lists, and the body.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    Rejection,
    scheme::{Canonical, Pointer, SignedRequest, Source, find_in_json},
};

const TIMESTAMP: &str = "x-tl-webhook-timestamp";

/// `METHOD path`, a line for each header that is listed, and the body.
///
/// The list is signed itself, so how many lines are headers is known, and no line can hold another.
pub(in crate::provider) const LISTED_HEADERS: Canonical<'static> =
    Canonical { name: "truelayer", covers: &[Source::Header(TIMESTAMP), Source::Body], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    const MAX_HEADERS: usize = 32;
    let token = request.header("tl-signature")?.ok_or(Rejection::MissingSignature)?;
    let listed = listed_headers(token).ok_or(Rejection::UnusableSignature)?;
    let names = || listed.split(',').filter(|name| !name.is_empty());
    if names().count() > MAX_HEADERS {
        return Err(Rejection::AmbiguousMessage);
    }
    // The libraries leave it to the receiver to ask for it.
    if !names().any(|name| name.eq_ignore_ascii_case(TIMESTAMP)) {
        return Err(Rejection::MissingTimestamp);
    }

    for text in [request.method().as_str(), " ", request.path(), "\n"] {
        sink(text.as_bytes());
    }
    for name in names() {
        let value = request.header(name)?.ok_or(Rejection::MissingSignedValue)?;
        for text in [name, ": ", value, "\n"] {
            sink(text.as_bytes());
        }
    }
    sink(request.body());
    Ok(())
}

/// The names of signed headers, between commas, as the token's header has them.
fn listed_headers(token: &str) -> Option<String> {
    let (header, _) = token.split_once('.')?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let value = |pointer| find_in_json(&header, &[Pointer::new(pointer).ok()?]);
    if value("/tl_version")? != "2" {
        return None;
    }
    Some(value("/tl_headers")?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_listed_by_tokens_of_the_second_version() {
        for (header, expected) in [
            (
                r#"{"alg":"ES512","tl_version":"2","tl_headers":"X-Tl-Webhook-Timestamp,Content-Type"}"#,
                Some("X-Tl-Webhook-Timestamp,Content-Type"),
            ),
            (r#"{"tl_version":"2","tl_headers":""}"#, Some("")),
            (r#"{"tl_version":"1","tl_headers":"A"}"#, None),
            (r#"{"tl_headers":"A"}"#, None),
            (r#"{"tl_version":"2"}"#, None),
            ("no JSON", None),
        ] {
            let token = format!("{}..signature", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(listed_headers(&token).as_deref(), expected, "{header}");
        }
        for token in ["", "no dot", "!!..signature"] {
            assert_eq!(listed_headers(token), None, "{token}");
        }
    }
}
