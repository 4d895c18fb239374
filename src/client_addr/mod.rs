//! Who is on the other end: of the connection, and of the proxies in between.

mod forwarding;
mod origin;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{Extensions, HeaderMap, HeaderName, header::FORWARDED};
use ipnet::IpNet;

use self::forwarding::{Elements, Node};
pub(crate) use self::{
    forwarding::Said,
    origin::{Origin, Scheme, own_host},
};
use crate::{ConfigError, Rejection};

/// The peer's address, as the accept loop of a plain hyper server puts it into the extensions of each request.
///
/// Under axum, `into_make_service_with_connect_info::<SocketAddr>()` does (feature `axum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Says that the connection is a TLS one, as the accept loop of a server that speaks TLS by itself puts it into the extensions of each
/// request.
///
/// ```
/// use tower_webhook::Tls;
///
/// let connection = Tls::new().with_client_certificate("CN=billing,O=Example");
/// let mut request = http::Request::post("/hook").body(())?;
/// request.extensions_mut().insert(connection);
/// # Ok::<(), http::Error>(())
/// ```
///
/// Around a router that is served over nothing but TLS, as by axum-server's `bind_rustls`, a layer outside the others does:
///
/// ```
/// use axum::{Extension, Router, routing::post};
/// use tower_webhook::{Tls, layer::RequireHttpsLayer};
///
/// let app: Router = Router::new()
///     .route("/hook", post(async || "over TLS"))
///     .layer(RequireHttpsLayer::new())
///     .layer(Extension(Tls::new()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    client_certificate: Option<Arc<str>>,
}

impl Tls {
    /// A connection whose peer has shown no certificate.
    pub const fn new() -> Self {
        Self { client_certificate: None }
    }

    /// A connection whose peer has proved to own a certificate with this subject: one that the TLS library has verified, up to roots
    /// that you trust to name your senders.
    pub fn with_client_certificate(self, subject: impl Into<Arc<str>>) -> Self {
        Self { client_certificate: Some(subject.into()) }
    }

    /// The subject of the peer's certificate, if it has shown one.
    pub fn client_certificate(&self) -> Option<&str> {
        self.client_certificate.as_deref()
    }

    /// The subject, to be kept.
    pub(crate) fn shared_client_certificate(extensions: &Extensions) -> Option<Arc<str>> {
        extensions.get::<Self>()?.client_certificate.clone()
    }
}

/// The peer's address, whoever put it there.
///
/// # Errors
///
/// If nobody did: a judgement by addresses that silently does not apply is worse than none.
pub(crate) fn peer(extensions: &Extensions) -> Result<IpAddr, Rejection> {
    if let Some(PeerAddr(address)) = extensions.get() {
        return Ok(address.ip());
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Ok(address.ip());
    }
    Err(Rejection::Misconfigured {
        why: "no peer address in the request: insert `PeerAddr`, or serve axum with `into_make_service_with_connect_info::<SocketAddr>()`",
    })
}

/// The peer's address, or that of the client for whom trusted proxies speak.
///
/// # Errors
///
/// As [`peer`].
pub(crate) fn client(
    extensions: &Extensions,
    headers: &HeaderMap,
    proxies: Option<&TrustedProxies>,
) -> Result<IpAddr, Rejection> {
    let peer = peer(extensions)?;
    Ok(proxies.map_or(peer.to_canonical(), |proxies| proxies.client(peer, headers)))
}

/// The proxies that are believed when they say whom they speak for.
///
/// The header is read from right to left, over all its lines, up to the first address that is no trusted proxy: that is the client. What
/// stands further left, the client may have written. Whatever is no plain IP address (`unknown`, a name, an octal number, nothing) ends
/// the walk too: the client is then the proxy that passed it on. Ports are dropped, and `::ffff:192.0.2.1` is `192.0.2.1`.
///
/// Of `Forwarded` and `X-Forwarded-For`, name the one that your proxies write: the other one they may pass on as a stranger wrote it. It is
/// the only one read; `X-Real-IP` and the like never are.
///
/// # Protocol and host
///
/// [`RequireHttpsLayer`](crate::layer::RequireHttpsLayer) and
/// [`VerifySignatureLayer::public_origin_from`](crate::layer::VerifySignatureLayer::public_origin_from) ask how the client reached the
/// first of the proxies. The header says so too:
///
/// * `Forwarded`: the `proto` and `host` of the element that names the client. If the walk ended at something that is no address, it does
///   not say.
/// * `X-Forwarded-For`: `X-Forwarded-Proto` and `X-Forwarded-Host`, lists over all their lines. A single value speaks for the whole way: the
///   peer wrote it, or let stand what a proxy before it wrote. Of several, as many are counted from the right as trusted proxies had to be
///   passed to reach the client, each of which has appended its own. If there are fewer, or the walk ended at something that is no address,
///   they do not say.
///
/// So the first of your proxies must not pass on what a client wrote there, and those after it must append, or let stand what it wrote. What
/// is not said, or not clearly, is neither HTTPS nor any origin.
///
/// ```
/// use tower_webhook::{ForwardingHeader, TrustedProxies};
///
/// // Proxies in these networks, however many on the way.
/// let proxies = TrustedProxies::networks(["10.0.0.0/8", "2001:db8::/32"], ForwardingHeader::XForwardedFor)?;
///
/// // Exactly one, whatever its address is today.
/// let balancer = TrustedProxies::hops(1, ForwardingHeader::Forwarded)?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    trust: Trust,
    header: ForwardingHeader,
}

/// The header in which proxies say whom they speak for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `Forwarded`, RFC 7239: the parameters `for`, `proto` and `host` of each element.
    Forwarded,
    /// `X-Forwarded-For`: a list of addresses, to which each proxy appends. With it, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XForwardedFor,
}

#[derive(Clone, Debug)]
enum Trust {
    Networks(Arc<[IpNet]>),
    Hops(usize),
}

/// So many proxies are believed at most, one after the other: nobody has more, and a request must not cost what its sender likes.
const MOST_HOPS: usize = 32;

impl TrustedProxies {
    /// Believes proxies whose addresses are in these networks, such as `10.0.0.0/8`, or are these, such as `192.0.2.1`. The header
    /// counts for nothing if the peer itself is none of them. No network is trusted by default, not even loopback.
    ///
    /// # Errors
    ///
    /// If there is none; if one is no network in CIDR notation, has bits set behind its prefix (`10.0.0.5/8`), which is mostly a slip for
    /// another network, or holds all addresses, so that anyone could pass for anyone.
    pub fn networks(
        networks: impl IntoIterator<Item = impl AsRef<str>>,
        header: ForwardingHeader,
    ) -> Result<Self, ConfigError> {
        const EVERYONE: &str = "would trust everyone, so that anyone could pass for anyone";
        Ok(Self { trust: Trust::Networks(parse_networks("trusted proxies", networks, EVERYONE)?), header })
    }

    /// Believes so many proxies, 1 to 32, the peer being the first, whatever their addresses.
    ///
    /// Only for servers that nobody can reach but through all of them: who gets around one chooses their own address.
    ///
    /// # Errors
    ///
    /// If the number is 0 or above 32.
    pub fn hops(proxies: usize, header: ForwardingHeader) -> Result<Self, ConfigError> {
        match proxies {
            1..=MOST_HOPS => Ok(Self { trust: Trust::Hops(proxies), header }),
            0 => Err(ConfigError::invalid("trusted proxies", 0, "none is trusted: count the peer as the first")),
            _ => Err(ConfigError::invalid("trusted proxies", proxies, "more than 32 in a row are not followed")),
        }
    }

    /// For whom the peer speaks, in the end; itself, if it is no trusted proxy.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.walk(peer, headers).client
    }

    /// What the proxies say of how the client reached them. Nothing, if the peer is none of them.
    pub(crate) fn arrival<'h>(&self, peer: IpAddr, headers: &'h HeaderMap) -> Option<Arrival<'h>> {
        if !self.trusts(peer.to_canonical(), 0) {
            return None;
        }
        let walk = self.walk(peer, headers);
        Some(match self.header {
            ForwardingHeader::Forwarded => {
                Arrival { proto: walk.said(|node| node.proto), host: walk.said(|node| node.host) }
            }
            ForwardingHeader::XForwardedFor => {
                let hops = walk.is_clear.then_some(walk.hops);
                Arrival {
                    proto: Said::in_list(headers, X_FORWARDED_PROTO, hops),
                    host: Said::in_list(headers, X_FORWARDED_HOST, hops),
                }
            }
        })
    }

    fn walk<'h>(&self, peer: IpAddr, headers: &'h HeaderMap) -> Walk<'h> {
        let mut elements = Elements::new(headers, self.header.name());
        let mut walk = Walk { client: peer.to_canonical(), hops: 0, named_by: None, is_clear: true };
        while self.trusts(walk.client, walk.hops) {
            let node = match elements.next() {
                Some(element) if walk.hops < MOST_HOPS => Node::read(element, self.header),
                Some(_) => None,
                None => break,
            };
            let Some(node) = node else {
                walk.is_clear = false;
                break;
            };
            walk =
                Walk { client: node.address.to_canonical(), hops: walk.hops + 1, named_by: Some(node), is_clear: true };
        }
        walk
    }

    fn trusts(&self, address: IpAddr, passed: usize) -> bool {
        match &self.trust {
            Trust::Networks(networks) => networks.iter().any(|network| network.contains(&address)),
            Trust::Hops(hops) => passed < *hops,
        }
    }
}

impl ForwardingHeader {
    fn name(self) -> HeaderName {
        match self {
            Self::Forwarded => FORWARDED,
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
        }
    }
}

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How the client reached the first of the trusted proxies, by their word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'h> {
    pub(crate) proto: Said<'h>,
    pub(crate) host: Said<'h>,
}

/// The way back from the peer to the client.
struct Walk<'h> {
    client: IpAddr,
    /// How many proxies had to be believed.
    hops: usize,
    /// The element that names the client.
    named_by: Option<Node<'h>>,
    /// Whether it ended at a client, and not at something that nobody can read.
    is_clear: bool,
}

impl<'h> Walk<'h> {
    fn said(&self, what: impl Fn(&Node<'h>) -> Option<&'h str>) -> Said<'h> {
        match &self.named_by {
            _ if !self.is_clear => Said::Unclear,
            Some(node) => what(node).map_or(Said::Nothing, Said::Text),
            None => Said::Nothing,
        }
    }
}

/// Networks in CIDR notation: at least one, and none that holds `everyone`.
pub(crate) fn parse_networks(
    what: &'static str,
    networks: impl IntoIterator<Item = impl AsRef<str>>,
    everyone: &'static str,
) -> Result<Arc<[IpNet]>, ConfigError> {
    let networks = networks.into_iter().map(|text| network(what, text.as_ref(), everyone));
    let networks = networks.collect::<Result<Arc<[_]>, _>>()?;
    if networks.is_empty() {
        return Err(ConfigError::invalid(what, "[]", "none is named"));
    }
    Ok(networks)
}

fn network(what: &'static str, text: &str, everyone: &'static str) -> Result<IpNet, ConfigError> {
    let refuse = |why| ConfigError::invalid(what, text, why);
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr =
        address.parse().map_err(|_| refuse("not an address or network, such as `192.0.2.1` or `10.0.0.0/8`"))?;
    let network = match length {
        Some(length) if is_number(length) => length.parse().ok().and_then(|length| IpNet::new(address, length).ok()),
        Some(_) => None,
        None => Some(IpNet::from(address)),
    };
    let network = network.ok_or_else(|| refuse("the prefix must be a number up to 32 for IPv4, up to 128 for IPv6"))?;
    if network.trunc() != network {
        return Err(refuse(
            "bits are set behind the prefix: name the first address of the network, or one address alone",
        ));
    }
    let network = folded(network);
    if network.prefix_len() == 0 {
        return Err(refuse(everyone));
    }
    Ok(network)
}

/// Addresses are compared as IPv4 where they are, so networks must be too.
fn folded(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let folded = match (network.addr().to_canonical(), network.prefix_len().checked_sub(MAPPED)) {
        (address @ IpAddr::V4(_), Some(length)) => IpNet::new(address, length).ok(),
        _ => None,
    };
    folded.unwrap_or(network)
}

/// Digits, without a sign or leading zeros.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}
