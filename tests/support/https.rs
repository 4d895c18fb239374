//! An HTTPS server on this machine, with an authority of its own.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

pub(crate) type Reply = Response<BoxBody<Bytes, Infallible>>;

/// Listens until it is dropped.
pub(crate) struct HttpsServer {
    pub(crate) address: SocketAddr,
    /// The certificate of the authority that vouches for it, in PEM.
    pub(crate) authority: String,
    requests: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl HttpsServer {
    /// A server with a certificate for these names, which speaks these protocols.
    pub(crate) async fn start(
        names: &[&str],
        protocols: &[&str],
        answer: impl Fn(&Request<Incoming>) -> Reply + Clone + Send + Sync + 'static,
    ) -> Self {
        let authority = authority("the server's authority");
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&requests);
        let listening = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, answer, counted) = (acceptor.clone(), answer.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let service = service_fn(move |request: Request<Incoming>| {
                        counted.fetch_add(1, Ordering::SeqCst);
                        let reply = answer(&request);
                        async move { Ok::<_, Infallible>(reply) }
                    });
                    // Clients that leave early are what some tests are about.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, authority: authority.pem(), requests, listening }
    }

    /// How many requests have come, over whatever connections.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Somebody who signs certificates, trusted by nobody yet.
pub(crate) fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Response::builder().status(status).body(Full::new(body.into()).boxed()).unwrap()
}

/// An answer whose body never ends.
pub(crate) fn endless() -> Reply {
    Response::new(Endless { hangs: false }.boxed())
}

/// An answer whose body never comes.
pub(crate) fn hanging() -> Reply {
    Response::new(Endless { hangs: true }.boxed())
}

/// An answer that announces more than it has.
pub(crate) fn announcing(length: u64) -> Reply {
    let announced = Announced(length).boxed();
    Response::builder().header("content-length", length).body(announced).unwrap()
}

pub(crate) fn redirect(location: &str) -> Reply {
    Response::builder().status(302).header("location", location).body(Empty::new().boxed()).unwrap()
}

struct Endless {
    hangs: bool,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.hangs { Poll::Pending } else { Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1024]))))) }
    }
}

struct Announced(u64);

impl Body for Announced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}
