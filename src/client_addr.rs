//! Who is on the other end: of the connection, and of the proxies in between.

use std::{
    iter::Rev,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue,
    header::{FORWARDED, ValueIter},
};
use ipnet::IpNet;

use crate::ConfigError;

/// The peer's address, as the accept loop of a plain hyper server puts it into the extensions of each request.
///
/// Under axum, `into_make_service_with_connect_info::<SocketAddr>()` does (feature `axum`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The peer's address, whoever put it there.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    if let Some(PeerAddr(address)) = extensions.get() {
        return Some(address.ip());
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>() {
        return Some(address.ip());
    }
    None
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
    /// `Forwarded`, RFC 7239: the parameter `for` of each element.
    Forwarded,
    /// `X-Forwarded-For`: a list of addresses, to which each proxy appends.
    XForwardedFor,
}

#[derive(Clone, Debug)]
enum Trust {
    Networks(Arc<[IpNet]>),
    Hops(usize),
}

/// So many proxies are believed at most, one after the other: nobody has more, and a request must not cost what its sender likes.
const MOST_HOPS: usize = 32;

/// An element of `Forwarded` may hold a host name of 253 bytes besides addresses. Longer ones, in bytes, are not read.
const LONGEST_HOP: usize = 1024;

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
        let networks = networks.into_iter().map(|text| network(text.as_ref())).collect::<Result<Arc<[_]>, _>>()?;
        if networks.is_empty() {
            return Err(ConfigError::invalid("trusted proxies", "[]", "none is named"));
        }
        Ok(Self { trust: Trust::Networks(networks), header })
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
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut hops = Hops::new(self.header, headers);
        for passed in 0..MOST_HOPS {
            if !self.trusts(client, passed) {
                break;
            }
            let Some(address) = hops.next_address() else { break };
            client = address.to_canonical();
        }
        client
    }

    fn trusts(&self, address: IpAddr, passed: usize) -> bool {
        match &self.trust {
            Trust::Networks(networks) => networks.iter().any(|network| network.contains(&address)),
            Trust::Hops(hops) => passed < *hops,
        }
    }
}

fn network(text: &str) -> Result<IpNet, ConfigError> {
    let refuse = |why| ConfigError::invalid("trusted proxy", text, why);
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
        return Err(refuse("would trust everyone, so that anyone could pass for anyone"));
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

/// What the proxies say, from right to left.
struct Hops<'h> {
    header: ForwardingHeader,
    lines: Rev<ValueIter<'h, HeaderValue>>,
    /// What is left of the line that is being read.
    line: Option<&'h [u8]>,
}

impl<'h> Hops<'h> {
    fn new(header: ForwardingHeader, headers: &'h HeaderMap) -> Self {
        const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
        let name = match header {
            ForwardingHeader::Forwarded => FORWARDED,
            ForwardingHeader::XForwardedFor => X_FORWARDED_FOR,
        };
        Self { header, lines: headers.get_all(name).into_iter().rev(), line: None }
    }

    /// For whom the next proxy speaks, if it says so in a way that has one meaning.
    fn next_address(&mut self) -> Option<IpAddr> {
        let hop = str::from_utf8(self.next_hop()?).ok()?.trim_matches(BLANK);
        let node = match self.header {
            ForwardingHeader::Forwarded => node(hop)?,
            ForwardingHeader::XForwardedFor => hop,
        };
        address(node, self.header)
    }

    /// What follows the last comma, be it in a quoted string or not: if quotes counted, a stranger could leave one open further left and
    /// so change what a proxy appended. An element cut in a string has a quote too many, and is none.
    fn next_hop(&mut self) -> Option<&'h [u8]> {
        let line = match self.line.take() {
            Some(line) => line,
            None => self.lines.next()?.as_bytes(),
        };
        let hop = match memchr::memrchr(b',', line) {
            Some(comma) => {
                self.line = Some(&line[..comma]);
                &line[comma + 1..]
            }
            None => line,
        };
        (hop.len() <= LONGEST_HOP).then_some(hop)
    }
}

const BLANK: [char; 2] = [' ', '\t'];

/// The `for` of an element of `Forwarded` (RFC 7239, section 4), if there is one and nothing is wrong with the element.
///
/// Escapes in quoted strings are not read: no address needs one.
fn node(element: &str) -> Option<&str> {
    let mut node = None;
    let mut rest = element;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start_matches(BLANK);
            continue;
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after, is_good) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').map(|(value, after)| (value, after, is_plain(value)))?,
            None => {
                let (value, after) = after.split_at(after.find([';', ' ', '\t']).unwrap_or(after.len()));
                (value, after, is_token(value))
            }
        };
        rest = after.trim_start_matches(BLANK);
        if !is_good || !is_token(name) || !(rest.is_empty() || rest.starts_with(';')) {
            return None;
        }
        if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
            return None;
        }
    }
    node
}

/// An address, perhaps with a port: `192.0.2.1:80`, `[2001:db8::1]:80`.
///
/// The standard library's parsers take neither octal nor hexadecimal parts, nor zones.
fn address(text: &str, header: ForwardingHeader) -> Option<IpAddr> {
    let is_port = |port: &str| match port.strip_prefix('_') {
        Some(name) => {
            let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            header == ForwardingHeader::Forwarded && !name.is_empty() && name.bytes().all(is_name_byte)
        }
        None => port.len() <= 5 && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
    };
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']')?;
        let is_good = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().ok().filter(|_| is_good).map(IpAddr::V6);
    }
    if header == ForwardingHeader::XForwardedFor
        && let Ok(address) = text.parse::<Ipv6Addr>()
    {
        return Some(IpAddr::V6(address));
    }
    let (address, is_good) = match text.split_once(':') {
        Some((address, port)) => (address, is_port(port)),
        None => (text, true),
    };
    address.parse::<Ipv4Addr>().ok().filter(|_| is_good).map(IpAddr::V4)
}

/// Digits, without a sign or leading zeros.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_plain(quoted: &str) -> bool {
    quoted.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~') && byte != b'\\')
}
