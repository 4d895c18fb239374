use http::{Request, uri};
use tower_layer::Layer;

use super::{Check, Guard, Never, Step};
use crate::{
    Rejection, Tls, TrustedProxies,
    client_addr::{Said, Scheme, peer},
};

/// Lets only requests through that came over HTTPS, as far as is known for certain.
///
/// That is known from the connection, if the accept loop marks its requests as [`Tls`]; behind proxies that end it, from what they say.
/// Nothing that a client writes counts: no header, and no `:scheme` of HTTP/2. A target that says `http` by itself is refused in any case.
///
/// What is refused is answered 403 before a byte of the body is read, and never with a redirect: what was sent in the clear may have been
/// read on the way, and its sender must learn of it.
///
/// ```
/// use tower_webhook::layer::RequireHttpsLayer;
///
/// // A server that speaks TLS by itself.
/// let layer = RequireHttpsLayer::new();
/// ```
///
/// Behind a load balancer:
///
/// ```
/// use tower_webhook::{ForwardingHeader, TrustedProxies, layer::RequireHttpsLayer};
///
/// let proxies = TrustedProxies::networks(["10.0.0.0/8"], ForwardingHeader::XForwardedFor)?;
/// let layer = RequireHttpsLayer::new().behind(proxies);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RequireHttpsLayer {
    check: RequireHttps,
}

impl RequireHttpsLayer {
    /// Lets requests through whose connection is marked as [`Tls`].
    pub const fn new() -> Self {
        Self { check: RequireHttps { proxies: None } }
    }

    /// Lets requests through that reached the first of these proxies over HTTPS, see [how they say so](TrustedProxies#protocol-and-host);
    /// and those that come from elsewhere over a connection marked as [`Tls`]. What lies between the proxies and the server is for you to
    /// protect.
    ///
    /// Without a peer, requests are answered `500`.
    pub fn behind(mut self, proxies: TrustedProxies) -> Self {
        self.check.proxies = Some(proxies);
        self
    }
}

impl<S> Layer<S> for RequireHttpsLayer {
    type Service = Guard<S, RequireHttps>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, self.check.clone())
    }
}

/// The check of [`RequireHttpsLayer`].
#[derive(Clone, Debug, Default)]
pub struct RequireHttps {
    proxies: Option<TrustedProxies>,
}

impl RequireHttps {
    fn judge<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let arrival = match &self.proxies {
            Some(proxies) => proxies.arrival(peer(request.extensions())?, request.headers()),
            None => None,
        };
        let is_https = match arrival {
            Some(arrival) => matches!(arrival.proto, Said::Text(proto) if Scheme::parse(proto) == Some(Scheme::Https)),
            // A gateway may repeat over TLS what came to it in the clear.
            None => request.extensions().get::<Tls>().is_some() && request.uri().scheme() != Some(&uri::Scheme::HTTP),
        };
        if is_https { Ok(()) } else { Err(Rejection::HttpsRequired) }
    }
}

impl<B> Check<B> for RequireHttps {
    type Out = B;
    type Future = Never<B>;

    fn check(&self, request: Request<B>) -> Step<B, Never<B>> {
        let judgement = self.judge(&request);
        Step::judged(request, judgement)
    }
}
