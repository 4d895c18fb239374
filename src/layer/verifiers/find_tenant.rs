use std::borrow::Cow;

use http::{HeaderName, header::HOST, request::Parts};

use crate::{Rejection, framework, scheme::header_text};

/// Says whose delivery a request claims to be, by its head.
///
/// Nothing in the head is proven then; what proves it is that the signature is by that tenant's key. So no two tenants may have the same one.
pub trait FindTenant: Send + Sync + 'static {
    /// The tenant; `None` if the request names none.
    ///
    /// # Errors
    ///
    /// If it names two.
    fn tenant<'h>(&self, head: &'h Parts) -> Result<Option<Cow<'h, str>>, Rejection>;
}

impl<F> FindTenant for F
where
    F: Fn(&Parts) -> Option<String> + Send + Sync + 'static,
{
    fn tenant<'h>(&self, head: &'h Parts) -> Result<Option<Cow<'h, str>>, Rejection> {
        Ok(self(head).map(Cow::Owned))
    }
}

/// Where a request names its tenant.
///
/// ```
/// use http::HeaderName;
/// use tower_webhook::layer::TenantIn;
///
/// let in_path = TenantIn::path_segment(1); // /hooks/acme/stripe
/// let in_name = TenantIn::subdomain_of("hooks.example.com"); // acme.hooks.example.com
/// let in_header = TenantIn::header(HeaderName::from_static("x-account-id"));
/// ```
#[derive(Clone, Debug)]
pub struct TenantIn(Place);

#[derive(Clone, Debug)]
enum Place {
    PathSegment(usize),
    Host,
    Subdomain(Box<str>),
    Header(HeaderName),
}

impl TenantIn {
    /// In the path that the sender called, as it was written there: segment 0 is the first one, empty ones count.
    pub const fn path_segment(index: usize) -> Self {
        Self(Place::PathSegment(index))
    }

    /// The host that the sender called, in lower case and without the port.
    ///
    /// Behind a proxy that writes another one, it is that.
    pub const fn host() -> Self {
        Self(Place::Host)
    }

    /// What the host has before this domain, in lower case.
    pub fn subdomain_of(domain: &str) -> Self {
        Self(Place::Subdomain(format!(".{}", domain.to_ascii_lowercase()).into()))
    }

    /// The only value of a header.
    pub const fn header(name: HeaderName) -> Self {
        Self(Place::Header(name))
    }
}

impl FindTenant for TenantIn {
    fn tenant<'h>(&self, head: &'h Parts) -> Result<Option<Cow<'h, str>>, Rejection> {
        match &self.0 {
            Place::PathSegment(index) => {
                let uri = framework::original_uri(&head.extensions).unwrap_or(&head.uri);
                Ok(uri.path().split('/').skip(1).nth(*index).map(Cow::Borrowed))
            }
            Place::Host => host(head),
            Place::Subdomain(end) => {
                let host = host(head)?;
                Ok(host.and_then(|host| Some(Cow::Owned(host.strip_suffix(&**end)?.to_owned()))))
            }
            Place::Header(name) => Ok(only(head, name)?.map(Cow::Borrowed)),
        }
    }
}

/// The host of a request, which HTTP/2 has in the target and HTTP/1 in a header.
fn host(head: &Parts) -> Result<Option<Cow<'_, str>>, Rejection> {
    let target = framework::original_uri(&head.extensions).unwrap_or(&head.uri).host();
    let header = match only(head, &HOST)? {
        None => None,
        // Not the text up to a colon: addresses of IPv6 hold some.
        Some(text) => {
            let authority: http::uri::Authority =
                text.parse().map_err(|_| Rejection::MalformedHeader { header: HOST })?;
            Some(authority.host().to_ascii_lowercase())
        }
    };
    match (target.map(str::to_ascii_lowercase), header) {
        (Some(target), Some(header)) if target != header => Err(Rejection::ConflictingHeaders),
        (target, header) => Ok(target.or(header).map(Cow::Owned)),
    }
}

fn only<'h>(head: &'h Parts, name: &HeaderName) -> Result<Option<&'h str>, Rejection> {
    let mut values = head.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::DuplicateHeader { header: name.clone() });
    }
    header_text(value).map(Some).ok_or_else(|| Rejection::MalformedHeader { header: name.clone() })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn found(place: &TenantIn, uri: &str, headers: &[(&'static str, &str)]) -> Result<Option<String>, Rejection> {
        let request = headers.iter().fold(Request::post(uri), |request, (name, value)| request.header(*name, *value));
        let (head, ()) = request.body(()).unwrap().into_parts();
        place.tenant(&head).map(|tenant| tenant.map(Cow::into_owned))
    }

    #[test]
    fn tenants_are_found_where_they_are_said_to_be() {
        let header = || TenantIn::header(HeaderName::from_static("x-account"));
        for (place, uri, headers, expected) in [
            (TenantIn::path_segment(0), "/acme", &[][..], Some("acme")),
            (TenantIn::path_segment(1), "/hooks/acme/stripe?acme=other", &[], Some("acme")),
            (TenantIn::path_segment(1), "/hooks/a%63me", &[], Some("a%63me")),
            (TenantIn::path_segment(1), "/hooks//acme", &[], Some("")),
            (TenantIn::path_segment(1), "/hooks", &[], None),
            (TenantIn::path_segment(0), "/", &[], Some("")),
            (TenantIn::host(), "/", &[("host", "Acme.Example:8443")], Some("acme.example")),
            (TenantIn::host(), "/", &[("host", "[::1]:80")], Some("[::1]")),
            (TenantIn::host(), "https://acme.example/", &[], Some("acme.example")),
            (TenantIn::host(), "https://acme.example/", &[("host", "ACME.example")], Some("acme.example")),
            (TenantIn::host(), "/", &[], None),
            (TenantIn::subdomain_of("hooks.Example"), "/", &[("host", "Acme.hooks.example")], Some("acme")),
            (TenantIn::subdomain_of("hooks.example"), "/", &[("host", "hooks.example")], None),
            (TenantIn::subdomain_of("hooks.example"), "/", &[("host", "acmehooks.example")], None),
            (TenantIn::subdomain_of("hooks.example"), "/", &[("host", "acme.hooks.example.evil")], None),
            (header(), "/", &[("x-account", " acme ")], Some("acme")),
            (header(), "/", &[], None),
        ] {
            assert_eq!(found(&place, uri, headers).unwrap().as_deref(), expected, "{place:?} {uri} {headers:?}");
        }
    }

    #[test]
    fn a_request_that_names_two_tenants_is_refused() {
        let header = TenantIn::header(HeaderName::from_static("x-account"));
        for (place, uri, headers) in [
            (&header, "/", &[("x-account", "a"), ("x-account", "a")][..]),
            (&header, "/", &[("x-account", "\u{e4}")]),
            (&TenantIn::host(), "/", &[("host", "a.example"), ("host", "b.example")]),
            (&TenantIn::host(), "https://a.example/", &[("host", "b.example")]),
            (&TenantIn::host(), "/", &[("host", "a b")]),
        ] {
            assert!(found(place, uri, headers).is_err(), "{place:?} {uri} {headers:?}");
        }
    }
}
