//! A server that speaks TLS by itself, so that its layers know what came over HTTPS, and from whom.
//!
//! ```sh
//! cargo run --example https  # listens, sends itself a few requests, and prints what became of each
//! ```
//!
//! The accept loop ([`serve`]) is the part to copy: it alone knows whether a connection is a TLS one, and which certificate its peer has
//! shown. It puts both into each request as [`Tls`], where [`RequireHttpsLayer`] and the [`Delivery`] have it from.

use std::{error::Error, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header::HOST},
    routing::post,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
        server::WebPkiClientVerifier,
    },
};
use tower::{ServiceExt, service_fn};
use tower_webhook::{
    ConfigError, Delivery, PeerAddr, Tls,
    clock::{Clock, SystemClock},
    layer::{AllowSourcesLayer, RequireHttpsLayer, Sources, WebhookLayer},
    provider,
    scheme::Outgoing,
};
use x509_cert::{Certificate, der::Decode};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The server: nothing gets in that did not come over TLS, from an address of the provider's.
fn app() -> Result<Router, ConfigError> {
    let webhooks = WebhookLayer::builder(provider::STANDARD_WEBHOOKS.verifier(SECRET)?)
        .require_https(RequireHttpsLayer::new())
        .allow_sources(AllowSourcesLayer::new(Sources::networks(["127.0.0.0/8"])?))
        .build()?;
    Ok(Router::new().route("/hook", post(handle)).layer(webhooks))
}

/// Says who has sent the delivery: the signature says only who wrote it.
async fn handle(delivery: Delivery) -> String {
    delivery.client_certificate().unwrap_or("somebody").to_owned()
}

/// Accepts connections, over TLS if there is a configuration for it, and says of each what is known.
async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, app: Router) {
    /// Connections are accepted from anybody, and those who never say what they want must not keep theirs.
    const PATIENCE: Duration = Duration::from_secs(10);
    loop {
        let Ok((socket, peer)) = listener.accept().await else {
            // Out of file descriptors, mostly, until somebody hangs up.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (tls, app) = (tls.clone(), app.clone());
        tokio::spawn(async move {
            let Some(acceptor) = tls else { return serve_connection(socket, peer, None, app).await };
            let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(socket)).await else { return };
            let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let Some(tls) = tls_with(certificates) else { return };
            serve_connection(stream, peer, Some(tls), app).await;
        });
    }
}

/// The mark of a connection whose peer has shown these certificates, which rustls has verified; its own comes first.
fn tls_with(certificates: &[CertificateDer<'_>]) -> Option<Tls> {
    let Some(own) = certificates.first() else { return Some(Tls::new()) };
    let own = Certificate::from_der(own).ok()?;
    Some(Tls::new().with_client_certificate(own.tbs_certificate().subject().to_string()))
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    tls: Option<Tls>,
    app: Router,
) {
    const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(PeerAddr(peer));
        if let Some(tls) = &tls {
            request.extensions_mut().insert(tls.clone());
        }
        app.clone().oneshot(request)
    });
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    server.http2().timer(TokioTimer::new());
    // Clients that leave early are their own affair.
    let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await;
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let authority = Authority::new("the example's authority")?;
    let stranger = Authority::new("nobody's authority")?;
    let app = app()?;
    let (secure, plain) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let (https, http) = (secure.local_addr()?, plain.local_addr()?);
    tokio::spawn(serve(secure, Some(authority.acceptor()?), app.clone()));
    tokio::spawn(serve(plain, None, app));

    let mut are_as_expected = true;
    for (id, what, sent, expected) in [
        ("msg_1", "genuine, over TLS", Sender::over_tls(https, authority.connector(None)?), "200 somebody"),
        (
            "msg_2",
            "genuine, with a client certificate",
            Sender::over_tls(https, authority.connector(Some(&authority))?),
            "200 CN=billing",
        ),
        (
            "msg_3",
            "a client certificate of an unknown authority",
            Sender::over_tls(https, authority.connector(Some(&stranger))?),
            "no answer",
        ),
        (
            "msg_4",
            "forged, with a client certificate",
            Sender::over_tls(https, authority.connector(Some(&authority))?).forging(),
            "401 unauthenticated",
        ),
        ("msg_5", "genuine, in the clear", Sender::in_the_clear(http), "403 https_required"),
        ("msg_6", "in the clear, claiming otherwise", Sender::in_the_clear(http).claiming(), "403 https_required"),
    ] {
        let answer = sent.send(id).await.unwrap_or_else(|_| "no answer".to_owned());
        let mark = if answer == expected { "as it should be" } else { "WRONG" };
        println!("{what:<46} {answer:<22} {mark}");
        are_as_expected &= answer == expected;
    }
    Ok(if are_as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Vouches for the server and its clients; made on the spot, where others have certificates in files.
struct Authority(CertifiedIssuer<'static, KeyPair>);

type Certified = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Authority {
    fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    fn certify(&self, name: &str) -> Result<Certified, Box<dyn Error>> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok((vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der())?))
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone())?;
        Ok(Arc::new(roots))
    }

    /// Takes clients with a certificate of this authority, and clients without any.
    fn acceptor(&self) -> Result<TlsAcceptor, Box<dyn Error>> {
        let clients =
            WebPkiClientVerifier::builder_with_provider(self.roots()?, crypto()).allow_unauthenticated().build()?;
        let (chain, key) = self.certify("localhost")?;
        let mut config = ServerConfig::builder_with_provider(crypto())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// A client that trusts this authority, and shows a certificate of that one.
    fn connector(&self, issuer: Option<&Self>) -> Result<TlsConnector, Box<dyn Error>> {
        let config = ClientConfig::builder_with_provider(crypto())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?);
        let config = match issuer {
            None => config.with_no_client_auth(),
            Some(issuer) => {
                let (chain, key) = issuer.certify("billing")?;
                config.with_client_auth_cert(chain, key)?
            }
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The provider, or who pretends to be it.
struct Sender {
    address: SocketAddr,
    tls: Option<TlsConnector>,
    secret: &'static str,
    claims: HeaderMap,
}

impl Sender {
    fn over_tls(address: SocketAddr, tls: TlsConnector) -> Self {
        Self { address, tls: Some(tls), secret: SECRET, claims: HeaderMap::new() }
    }

    fn in_the_clear(address: SocketAddr) -> Self {
        Self { address, tls: None, secret: SECRET, claims: HeaderMap::new() }
    }

    fn forging(self) -> Self {
        Self { secret: "whsec_Z3Vlc3NlZCwgZ3Vlc3NlZCwgZ3Vlc3M=", ..self }
    }

    /// Says what only a trusted proxy may say.
    fn claiming(mut self) -> Self {
        self.claims.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        self.claims.insert("forwarded", HeaderValue::from_static("for=192.0.2.1;proto=https"));
        self
    }

    /// Sends a delivery, and says how it was answered.
    async fn send(&self, id: &str) -> Result<String, Box<dyn Error>> {
        let body = r#"{"type":"invoice.paid"}"#;
        let now = SystemClock.now()?;
        let signer = provider::STANDARD_WEBHOOKS.signer(self.secret)?;
        let outgoing = Outgoing { id: Some(id), now, ..Outgoing::post("https://localhost/hook", body.as_bytes()) };
        let mut request = hyper::Request::post("/hook").body(Full::<Bytes>::from(body))?;
        request.headers_mut().extend(signer.sign(&outgoing)?);
        request.headers_mut().extend(self.claims.clone());
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));

        let socket = TcpStream::connect(self.address).await?;
        let answer = match &self.tls {
            None => exchange(socket, request).await?,
            Some(tls) => exchange(tls.connect(ServerName::try_from("localhost")?, socket).await?, request).await?,
        };
        let (head, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        // Refusals are problem details, with a code.
        let code = text.split_once(r#""code":""#).and_then(|(_, rest)| rest.split('"').next());
        Ok(format!("{} {}", head.status.as_u16(), code.unwrap_or(&text)))
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: hyper::Request<Full<Bytes>>,
) -> hyper::Result<hyper::Response<hyper::body::Incoming>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}
