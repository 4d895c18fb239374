//! A service by hand, and a server around it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body::Body;
use tokio::sync::Notify as Signal;
use tonic::{
    Status,
    codec::CompressionEncoding,
    server::{Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService},
    transport::server::TcpIncoming,
};
use tonic_prost::ProstCodec;
use tower::Service;
use tower_webhook::{
    layer::{WebhookBuilder, WebhookLayer},
    store::MemoryNonceStore,
    tonic::{DeliveryExt, GRPC},
};

use crate::support::{Calls, SECRET};

/// `/hooks.Notify/…`: messages of a single string, as in `google.protobuf.StringValue`.
///
/// What the string says is done: `ok`, `fail`, `fail-late` (in the trailers of a stream), `wait` (until it is told), `hang`.
#[derive(Clone, Default)]
pub(crate) struct Notify {
    pub(crate) calls: Calls,
    pub(crate) handled: Arc<Mutex<Vec<String>>>,
    pub(crate) go_on: Arc<Signal>,
}

impl NamedService for Notify {
    const NAME: &'static str = "hooks.Notify";
}

impl Notify {
    async fn handle(self, call: tonic::Request<String>) -> Result<String, Status> {
        self.calls.add();
        let id = call.delivery()?.id().unwrap_or_default().to_owned();
        match call.get_ref().as_str() {
            "fail" => return Err(Status::internal("the handler failed")),
            "wait" => self.go_on.notified().await,
            "hang" => std::future::pending().await,
            _ => {}
        }
        self.handled.lock().unwrap().push(id.clone());
        Ok(format!("{} by {id}", call.get_ref().get(..64).unwrap_or(call.get_ref())))
    }
}

struct Unary(Notify);

impl UnaryService<String> for Unary {
    type Response = String;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<String>, Status>> + Send>>;

    fn call(&mut self, call: tonic::Request<String>) -> Self::Future {
        let notify = self.0.clone();
        Box::pin(async move { notify.handle(call).await.map(tonic::Response::new) })
    }
}

/// Three messages, and then what the call says.
struct Watch(Notify);

type Messages = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

impl ServerStreamingService<String> for Watch {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Messages>, Status>> + Send>>;

    fn call(&mut self, call: tonic::Request<String>) -> Self::Future {
        let notify = self.0.clone();
        Box::pin(async move {
            let (told, go_on) = (call.get_ref().clone(), Arc::clone(&notify.go_on));
            notify.handle(call).await?;
            let messages = stream::iter((0..3).map(|number| Ok(format!("message {number}"))));
            let messages: Messages = match told.as_str() {
                "fail-late" => Box::pin(messages.chain(stream::once(async { Err(Status::internal("too late")) }))),
                "hang-late" => Box::pin(messages.chain(stream::pending())),
                "wait-late" => Box::pin(messages.chain(stream::once(async move {
                    go_on.notified().await;
                    Ok("the last".to_owned())
                }))),
                _ => Box::pin(messages),
            };
            Ok(tonic::Response::new(messages))
        })
    }
}

/// Takes a stream, and answers with one: what must never be called.
struct Chat(Notify);

impl StreamingService<String> for Chat {
    type Response = String;
    type ResponseStream = Messages;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Messages>, Status>> + Send>>;

    fn call(&mut self, _: tonic::Request<tonic::Streaming<String>>) -> Self::Future {
        self.0.calls.add();
        Box::pin(async { Ok(tonic::Response::new(Box::pin(stream::empty()) as Messages)) })
    }
}

impl<B> Service<Request<B>> for Notify
where
    B: Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let codec = ProstCodec::<String, String>::default();
            let mut grpc = Grpc::new(codec).accept_compressed(CompressionEncoding::Gzip);
            Ok(match request.uri().path() {
                "/hooks.Notify/Notify" => grpc.unary(Unary(this), request).await,
                "/hooks.Notify/Watch" => grpc.server_streaming(Watch(this), request).await,
                "/hooks.Notify/Chat" => grpc.streaming(Chat(this), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// A server that is gone with this value.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) notify: Notify,
    pub(crate) nonces: MemoryNonceStore,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the layer stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Around {
    TheServer,
    OneService,
}

/// A server with the whole stack, and what the test says of it: `serve!(around, |builder| builder.build())`.
macro_rules! serve {
    ($around:expr, |$builder:ident| $layer:expr) => {{
        let (notify, nonces) = ($crate::server::Notify::default(), tower_webhook::store::MemoryNonceStore::new());
        let $builder = $crate::server::stack(nonces.clone());
        let layer = $layer.unwrap();
        let (incoming, address) = $crate::server::listen();
        let mut server = tonic::transport::Server::builder();
        let task = match $around {
            $crate::server::Around::TheServer => {
                let server = server.layer(layer).add_service(notify.clone());
                tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() })
            }
            $crate::server::Around::OneService => {
                let server = server.add_service(tower_webhook::tonic::Named::layer(&layer, notify.clone()));
                tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() })
            }
        };
        $crate::server::Running { address, notify, nonces, task }
    }};
}
pub(crate) use serve;

pub(crate) const MAX_BODY: usize = 64 * 1024;

pub(crate) fn stack(nonces: MemoryNonceStore) -> WebhookBuilder {
    WebhookLayer::builder(GRPC.verifier(SECRET).unwrap()).max_body(MAX_BODY).replay(nonces)
}

pub(crate) fn listen() -> (TcpIncoming, SocketAddr) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    (incoming, address)
}
