//! What Trello signs: the body, and the callback URL right after it.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

/// The body and the URL. Where one ends is known since the body is a JSON object, and the URL holds no `}`.
pub(in crate::provider) const BODY_AND_URL: Canonical<'static> =
    Canonical { name: "trello", covers: &[Source::Body], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let (body, url) = (request.body(), request.url()?);
    if !is_separable(body, &url) {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(body);
    sink(url.as_bytes());
    Ok(())
}

fn is_separable(body: &[u8], url: &str) -> bool {
    body.ends_with(b"}") && !url.contains('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_brace_is_where_the_body_ends() {
        let url = "https://hooks.example.com/trello";
        assert!(is_separable(b"{}", url));
        assert!(!is_separable(b"{} ", url));
        assert!(!is_separable(b"", url));
        assert!(!is_separable(b"{}", "https://hooks.example.com/}"));
    }
}
