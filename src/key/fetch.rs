use std::{
    collections::HashMap,
    fmt,
    future::{Future, ready},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use http::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client, ResponseFuture,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower_service::Service;

use super::NoBody;
use crate::ConfigError;

/// Fetches keys with hyper and rustls: HTTP/1.1 or HTTP/2, over TLS only, from hosts whose certificates lead to an authority of the web.
///
/// Redirects are not followed. Names that lead into private networks are not connected to, so that nobody who may write to some zone of the
/// domain name system makes the server knock at its neighbours'.
///
/// ```
/// use tower_webhook::key::{HttpsFetcher, RemoteKeys};
///
/// # let pem = rcgen::generate_simple_self_signed(vec!["gateway.example".to_owned()]).unwrap().cert.pem();
/// // A gateway inside, with an authority of its own.
/// let fetcher = HttpsFetcher::new()?.with_root(&pem)?.resolve_to("gateway.example", ([10, 0, 0, 7], 8443).into());
/// let keys = RemoteKeys::new(fetcher);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct HttpsFetcher {
    roots: RootCertStore,
    tls: ClientConfig,
    resolver: Resolver,
    connect_timeout: Duration,
    client: Client<HttpsConnector<HttpConnector<Resolver>>, NoBody>,
}

impl HttpsFetcher {
    /// Trusts the authorities that Mozilla trusts.
    ///
    /// # Errors
    ///
    /// If there is no TLS to be had.
    pub fn new() -> Result<Self, ConfigError> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = tls(roots.clone())?;
        let (resolver, connect_timeout) = (Resolver::default(), Duration::from_secs(2));
        let client = client(tls.clone(), resolver.clone(), connect_timeout);
        Ok(Self { roots, tls, resolver, connect_timeout, client })
    }

    /// Trusts these authorities too, in PEM: for gateways inside that have their own.
    ///
    /// # Errors
    ///
    /// [`ConfigError::MalformedKey`] if it is no certificate.
    pub fn with_root(mut self, pem: &str) -> Result<Self, ConfigError> {
        let malformed = |why| ConfigError::MalformedKey { why };
        let before = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| malformed("it is broken PEM"))?;
            self.roots.add(certificate).map_err(|_| malformed("it is a broken certificate"))?;
        }
        if self.roots.len() == before {
            return Err(malformed("it is no certificate in PEM"));
        }
        self.tls = tls(self.roots.clone())?;
        Ok(self.rebuilt())
    }

    /// Connects to this address for that host, instead of asking for one. It may be a private one. Port 0 stands for the URL's.
    pub fn resolve_to(mut self, host: &str, address: SocketAddr) -> Self {
        let known = Arc::make_mut(&mut self.resolver.known);
        known.insert(host.to_ascii_lowercase().into(), address);
        self.rebuilt()
    }

    /// Connects to private addresses too: where the domain name system is your own.
    pub fn allow_private_addresses(mut self) -> Self {
        self.resolver.allow_private = true;
        self.rebuilt()
    }

    /// Gives up on an address after this time. Two seconds unless said.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self.rebuilt()
    }

    fn rebuilt(mut self) -> Self {
        self.client = client(self.tls.clone(), self.resolver.clone(), self.connect_timeout);
        self
    }
}

impl Service<Request<NoBody>> for HttpsFetcher {
    type Response = <Client<HttpConnector, NoBody> as Service<Request<NoBody>>>::Response;
    type Error = hyper_util::client::legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<NoBody>>::poll_ready(&mut self.client, cx)
    }

    fn call(&mut self, request: Request<NoBody>) -> ResponseFuture {
        self.client.call(request)
    }
}

impl fmt::Debug for HttpsFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsFetcher").field("connect_timeout", &self.connect_timeout).finish_non_exhaustive()
    }
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, ConfigError> {
    // Not the provider of the process: whether one was installed, and which, must not matter here.
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::invalid("TLS", error, "the library offers no version of it"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn client(
    tls: ClientConfig,
    resolver: Resolver,
    connect_timeout: Duration,
) -> Client<HttpsConnector<HttpConnector<Resolver>>, NoBody> {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(connect_timeout));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_all_versions().wrap_connector(tcp);
    // Keys are fetched once an hour: no connection is worth keeping for as long.
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)
}

/// The system's resolver, less addresses that no provider has.
#[derive(Clone, Default)]
struct Resolver {
    known: Arc<HashMap<Box<str>, SocketAddr>>,
    allow_private: bool,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if let Some(address) = self.known.get(&*name.as_str().to_ascii_lowercase()) {
            return Box::pin(ready(Ok(vec![*address].into_iter())));
        }
        let (asking, allow_private) = (GaiResolver::new().call(name), self.allow_private);
        Box::pin(async move {
            let addresses = asking.await?.filter(|address| allow_private || is_public(address.ip()));
            let addresses: Vec<_> = addresses.collect();
            if addresses.is_empty() {
                return Err(io::Error::other("the name has no public address"));
            }
            Ok(addresses.into_iter())
        })
    }
}

/// Whether an address is one of the internet's (the special-purpose registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.segments() {
            // NAT64 (RFC 6052), by which networks without IPv4 reach it.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
            }
            segments => is_public_v6(segments),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127 | 240..=255, ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [192, 0, 0, _] | [198, 18 | 19, ..] => true,
        _ => address.is_private() || address.is_link_local() || address.is_documentation() || address.is_multicast(),
    };
    !special
}

/// Only 2000::/3 is given out; in it are Teredo, documentation and 6to4, which leads to any IPv4 address.
fn is_public_v6(segments: [u16; 8]) -> bool {
    let special =
        matches!(segments, [0x2001, ..=0x01ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, ..=0x0fff, ..]);
    segments[0] & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_not_connected_to() {
        for (address, public) in [
            ("1.1.1.1", true),
            ("52.46.132.1", true),
            ("100.63.0.1", true),
            ("172.32.0.1", true),
            ("198.20.0.1", true),
            ("2600:1f14::1", true),
            ("2a00:1450:4001::200e", true),
            ("::ffff:1.1.1.1", true),
            ("64:ff9b::101:101", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("127.0.0.1", false),
            ("127.8.8.8", false),
            ("100.64.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("192.0.0.8", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("203.0.113.9", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::7f00:1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_resolved_unless_that_is_said() {
        let ask = |mut resolver: Resolver| async move { resolver.call("localhost".parse().unwrap()).await };
        assert!(ask(Resolver::default()).await.is_err());
        assert!(ask(Resolver { allow_private: true, ..Resolver::default() }).await.is_ok());
        let address: SocketAddr = ([127, 0, 0, 1], 8443).into();
        let known = Arc::new(HashMap::from([("localhost".into(), address)]));
        let found = ask(Resolver { known, ..Resolver::default() }).await.unwrap();
        assert_eq!(found.collect::<Vec<_>>(), [address]);
    }
}
