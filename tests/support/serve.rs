//! Services on a real server and a real connection.

use std::{fmt::Debug, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::HOST};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::Answer;

/// Serves with plain hyper, of which axum's own server is made too.
pub(crate) async fn serve<S, R>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<R>, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    R: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>> + Debug> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(connection), service).await;
            });
        }
    });
    address
}

/// Sends a request over a connection of its own.
pub(crate) async fn ask(address: SocketAddr, mut request: Request<Full<Bytes>>) -> Answer {
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.unwrap();
    tokio::spawn(driver);
    *request.uri_mut() = Uri::try_from(request.uri().path()).unwrap();
    request.headers_mut().insert(HOST, HeaderValue::from_static("hooks.test"));
    Answer::of(sender.send_request(request).await.unwrap()).await
}
