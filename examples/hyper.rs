//! Plain hyper, without a framework: one service on a TLS port and a plain one, and a shutdown that loses nothing.
//!
//! ```sh
//! cargo run --example hyper  # listens, sends itself a few requests, and prints what became of each
//! ```
//!
//! The parts to copy are the accept loop ([`serve`]), which puts into each request what only it knows, the peer's address and whether the
//! connection is a TLS one; and what it does when it is to stop.

use std::{convert::Infallible, error::Error, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{PrivateKeyDer, ServerName},
    },
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    PeerAddr, Tls,
    body::Verified,
    client::{DeliveryId, SignLayer, Signed},
    layer::{ClientAddr, RateLimitLayer, RequireHttpsLayer, RunToEndLayer, WebhookLayer},
    provider,
    store::{MemoryRateStore, Quota},
};

type BoxError = Box<dyn Error + Send + Sync>;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How long requests may take to end once the server is to stop.
const GRACE: Duration = Duration::from_secs(10);

/// What handlers have at hand.
#[derive(Default)]
struct Work {
    slow_has_begun: Notify,
    slow_may_end: Notify,
}

/// The handler: a Tower service of verified requests, and of no others.
async fn handle(work: Arc<Work>, request: Request<Verified>) -> Result<Response<Full<Bytes>>, Infallible> {
    let delivery = request.body().delivery();
    if delivery.event() == Some("slow") {
        work.slow_has_begun.notify_one();
        work.slow_may_end.notified().await;
    }
    Ok(Response::new(format!("handled {}", delivery.id().unwrap_or("something")).into()))
}

/// Accepts connections until told to stop, over TLS if there is a configuration for it, and says of each what is known.
///
/// Ends when the connections have ended that were there, and after [`GRACE`] in any case.
async fn serve<S, B>(listener: TcpListener, tls: Option<TlsAcceptor>, service: S, mut stop: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    /// Connections are accepted from anybody, and those who never say what they want must not keep theirs.
    const PATIENCE: Duration = Duration::from_secs(10);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error is a sender that is gone, and nobody could tell us to stop any more.
            _ = stop.wait_for(|is_to_stop| *is_to_stop) => break,
        };
        let Ok((socket, peer)) = accepted else {
            // Out of file descriptors, mostly, until somebody hangs up.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Before the task begins, so that a shutdown in between is not missed.
        let (watcher, service, tls) = (graceful.watcher(), service.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve_connection(socket, service, peer, None, watcher).await,
                Some(acceptor) => {
                    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(socket)).await else { return };
                    serve_connection(stream, service, peer, Some(Tls::new()), watcher).await;
                }
            }
        });
    }
    // Who calls now is refused by the operating system, and tries again.
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

async fn serve_connection<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: S,
    peer: SocketAddr,
    tls: Option<Tls>,
    watcher: Watcher,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
    let service = service.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(PeerAddr(peer));
        if let Some(tls) = &tls {
            request.extensions_mut().insert(tls.clone());
        }
        request
    });
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    server.http2().timer(TokioTimer::new());
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    // Clients that leave early are their own affair.
    let _ = watcher.watch(connection.into_owned()).await;
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let work = Arc::new(Work::default());
    let run_to_end = RunToEndLayer::new();
    // Three failures an hour from each address, and no more is even looked at.
    let failures = RateLimitLayer::new(Quota::per_hour(3).allow_burst(3), ClientAddr::new(), MemoryRateStore::new());
    let service = WebhookLayer::builder(provider::STANDARD_WEBHOOKS.verifier(SECRET)?)
        .require_https(RequireHttpsLayer::new())
        .rate_limit(failures.charge_failures())
        .then(run_to_end.clone())
        .build()?
        .layer(service_fn({
            let work = Arc::clone(&work);
            move |request| handle(Arc::clone(&work), request)
        }));

    let (acceptor, connector) = tls()?;
    let (stop, stopping) = watch::channel(false);
    let (secure, plain) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    let (https, http) = (secure.local_addr()?, plain.local_addr()?);
    let servers = [
        tokio::spawn(serve(secure, Some(acceptor), service.clone(), stopping.clone())),
        tokio::spawn(serve(plain, None, service, stopping)),
    ];
    let (over_tls, in_the_clear) =
        (Sender { address: https, tls: Some(connector) }, Sender { address: http, tls: None });

    let mut report = Report { is_as_expected: true };
    report.on("genuine, over TLS", over_tls.send(SECRET, "msg_1", "paid").await, "200 handled msg_1");
    report.on("the same again", over_tls.send(SECRET, "msg_1", "paid").await, "200 duplicate");
    report.on("genuine, in the clear", in_the_clear.send(SECRET, "msg_2", "paid").await, "403 https_required");

    // Begun before the server stops, and finished after it.
    let slow = tokio::spawn({
        let sender = over_tls.clone();
        async move { sender.send(SECRET, "msg_3", "slow").await }
    });
    work.slow_has_begun.notified().await;

    const GUESS: &str = "whsec_Z3Vlc3NlZCwgZ3Vlc3NlZCwgZ3Vlc3M=";
    for _ in 0..3 {
        report.on("forged", over_tls.send(GUESS, "msg_4", "paid").await, "401 unauthenticated");
    }
    report.on("forged once more", over_tls.send(GUESS, "msg_4", "paid").await, "429 rate_limited");

    stop.send(true)?;
    until_refused(https).await;
    report.on("while the server stops", over_tls.send(SECRET, "msg_5", "paid").await, "no answer");
    work.slow_may_end.notify_one();
    report.on("under way when it was told to", slow.await?, "200 handled msg_3");
    stopped(servers, &run_to_end).await?;
    Ok(if report.is_as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits until both ports are closed and nothing is under way, not even what its client has left.
async fn stopped(servers: [JoinHandle<()>; 2], run_to_end: &RunToEndLayer) -> Result<(), BoxError> {
    for server in servers {
        server.await?;
    }
    // What has not ended by then is dropped, and so let in again when its provider tries again.
    let _ = timeout(GRACE, run_to_end.idle()).await;
    Ok(())
}

struct Report {
    is_as_expected: bool,
}

impl Report {
    fn on(&mut self, what: &str, answer: Result<String, BoxError>, expected: &str) {
        let answer = answer.unwrap_or_else(|_| "no answer".to_owned());
        let mark = if answer == expected { "as it should be" } else { "WRONG" };
        println!("{what:<32} {answer:<22} {mark}");
        self.is_as_expected &= answer == expected;
    }
}

/// A certificate for the server, made on the spot where others have one in a file, and a client that trusts it.
fn tls() -> Result<(TlsAcceptor, TlsConnector), BoxError> {
    let crypto: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der())?;
    let certificate = certified.cert.der().clone();

    let mut server = ServerConfig::builder_with_provider(Arc::clone(&crypto))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let client = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client))))
}

async fn until_refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

/// The provider, or who pretends to be it.
#[derive(Clone)]
struct Sender {
    address: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Sender {
    /// Sends a delivery, signed with this secret, and says how it was answered.
    async fn send(&self, secret: &str, id: &str, event: &str) -> Result<String, BoxError> {
        let signer = provider::STANDARD_WEBHOOKS.signer(secret)?;
        let client = SignLayer::new(signer).layer(service_fn(|request| self.exchange(request)));
        let request = Request::post("https://localhost/hook").extension(DeliveryId::new(id)?);
        let answer = client.oneshot(request.body(Full::<Bytes>::from(format!(r#"{{"type":"{event}"}}"#)))?).await?;

        let (head, body) = answer.into_parts();
        let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        // Refusals are problem details, with a code.
        let code = text.split_once(r#""code":""#).and_then(|(_, rest)| rest.split('"').next());
        let replay = head.headers.get("webhook-replay").and_then(|value| value.to_str().ok());
        Ok(format!("{} {}", head.status.as_u16(), replay.or(code).unwrap_or(&text)))
    }

    async fn exchange(&self, request: Request<Signed>) -> Result<Response<Incoming>, BoxError> {
        let socket = TcpStream::connect(self.address).await?;
        match &self.tls {
            None => exchange(socket, request).await,
            Some(tls) => exchange(tls.connect(ServerName::try_from("localhost")?, socket).await?, request).await,
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<Signed>,
) -> Result<Response<Incoming>, BoxError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    // Over HTTP/1 the host has a header of its own, and the rest of the URL is the target.
    *request.uri_mut() = "/hook".parse()?;
    request.headers_mut().insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("localhost"));
    Ok(sender.send_request(request).await?)
}
