use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use http::Request;
use ipnet::IpNet;
use tower_layer::Layer;

use super::{Check, Guard, Never, Step};
use crate::{
    ConfigError, Rejection, TrustedProxies,
    client_addr::{client, parse_networks},
};

/// Lets only requests from some networks through: those that a provider publishes as its own.
///
/// The address is the peer's, from [`PeerAddr`](crate::PeerAddr) or axum's `ConnectInfo`; behind proxies, that of the client for whom they
/// speak. Others are answered 403 before anything else of them is looked at. Without a peer, requests are answered `500`.
///
/// An address is no signature: many tenants may send from one cloud. It keeps strangers from costing anything.
///
/// ```
/// use tower_webhook::layer::{AllowSourcesLayer, Sources};
///
/// let sources = Sources::networks(["192.0.2.0/24", "2001:db8::/32"])?;
/// let layer = AllowSourcesLayer::new(sources.clone());
///
/// // When the provider publishes others, while the server runs:
/// sources.replace(["198.51.100.0/24", "2001:db8::/32"])?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// Behind a load balancer:
///
/// ```
/// use tower_webhook::{ForwardingHeader, TrustedProxies, layer::{AllowSourcesLayer, Sources}};
///
/// let proxies = TrustedProxies::networks(["10.0.0.0/8"], ForwardingHeader::XForwardedFor)?;
/// let layer = AllowSourcesLayer::new(Sources::networks(["192.0.2.0/24"])?).behind(proxies);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AllowSourcesLayer {
    check: AllowSources,
}

impl AllowSourcesLayer {
    /// Allows peers in these networks. Behind a proxy that is the proxy, for everyone: name it with [`behind`](Self::behind).
    pub fn new(sources: Sources) -> Self {
        Self { check: AllowSources { sources, proxies: None } }
    }

    /// Allows clients in these networks for whom trusted proxies speak, and peers that are none of them.
    pub fn behind(mut self, proxies: TrustedProxies) -> Self {
        self.check.proxies = Some(proxies);
        self
    }
}

impl<S> Layer<S> for AllowSourcesLayer {
    type Service = Guard<S, AllowSources>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, self.check.clone())
    }
}

/// Networks that may send, to be replaced while they are in use. Clones are the same networks.
#[derive(Clone)]
pub struct Sources(Arc<RwLock<Arc<[IpNet]>>>);

impl Sources {
    /// These networks, such as `192.0.2.0/24`, or addresses, such as `192.0.2.1`.
    ///
    /// # Errors
    ///
    /// If there is none, as nobody could send; if one is no network in CIDR notation, has bits set behind its prefix (`192.0.2.5/24`), which
    /// is mostly a slip for another network, or holds all addresses.
    pub fn networks(networks: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(RwLock::new(parse(networks)?))))
    }

    /// Allows these instead, from the next request on.
    ///
    /// # Errors
    ///
    /// As [`networks`](Self::networks); those that were allowed before still are then.
    pub fn replace(&self, networks: impl IntoIterator<Item = impl AsRef<str>>) -> Result<(), ConfigError> {
        let networks = parse(networks)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = networks;
        Ok(())
    }

    fn allow(&self, address: IpAddr) -> bool {
        self.current().iter().any(|network| network.contains(&address))
    }

    /// Nobody holds the lock while looking at the networks, so that replacing them keeps no request waiting.
    fn current(&self) -> Arc<[IpNet]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn parse(networks: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Arc<[IpNet]>, ConfigError> {
    parse_networks("allowed sources", networks, "would allow everyone: leave the layer out instead")
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sources").field(&self.current()).finish()
    }
}

/// The check of [`AllowSourcesLayer`].
#[derive(Clone, Debug)]
pub struct AllowSources {
    sources: Sources,
    proxies: Option<TrustedProxies>,
}

impl AllowSources {
    fn judge<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let client = client(request.extensions(), request.headers(), self.proxies.as_ref())?;
        if self.sources.allow(client) { Ok(()) } else { Err(Rejection::SourceNotAllowed) }
    }
}

impl<B> Check<B> for AllowSources {
    type Out = B;
    type Future = Never<B>;

    fn check(&self, request: Request<B>) -> Step<B, Never<B>> {
        let judgement = self.judge(&request);
        Step::judged(request, judgement)
    }
}
