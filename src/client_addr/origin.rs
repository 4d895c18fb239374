//! Where requests were sent to.

use http::{Version, header::HOST, request::Parts};

use crate::Rejection;

/// Scheme, host and port, as they are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'t> {
    scheme: Scheme,
    host: &'t str,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is = |known| text.eq_ignore_ascii_case(known);
        is("https").then_some(Self::Https).or_else(|| is("http").then_some(Self::Http))
    }
}

impl<'t> Origin<'t> {
    /// `https://hooks.example.com:8443`
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        Self::new(scheme, authority)
    }

    pub(crate) fn new(scheme: &str, authority: &'t str) -> Option<Self> {
        let scheme = Scheme::parse(scheme)?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match (port, scheme) {
            (Some(port), _) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
            (Some(_), _) => return None,
            (None, Scheme::Https) => 443,
            (None, Scheme::Http) => 80,
        };
        is_authority(host).then_some(Self { scheme, host, port })
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.port == other.port && self.host.eq_ignore_ascii_case(other.host)
    }
}

/// The host that a request names by itself, perhaps with a port.
///
/// # Errors
///
/// If it names none, or several: two readers would see two of them (RFC 9112, section 3.2; RFC 9113, section 8.3.1).
pub(crate) fn own_host(head: &Parts) -> Result<&str, Rejection> {
    let mut lines = head.headers.get_all(HOST).into_iter().map(|line| line.to_str().unwrap_or_default());
    let host = match (head.uri.authority().map(|authority| authority.as_str()), lines.next(), lines.next()) {
        (Some(target), None, _) if head.version >= Version::HTTP_2 => target,
        (Some(target), Some(line), None) if target.eq_ignore_ascii_case(line) => target,
        (None, Some(line), None) => line,
        _ => return Err(Rejection::AmbiguousHost),
    };
    is_authority(host).then_some(host).ok_or(Rejection::AmbiguousHost)
}

/// No more than what names consist of: no user, no list, no blanks.
fn is_authority(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(is_good)
}
