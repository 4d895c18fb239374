//! What is answered to tonic's own client.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use tonic::{
    Code, Response, Status, Streaming,
    body::Body,
    client::Grpc,
    codec::CompressionEncoding,
    transport::{Channel, Endpoint, server::TcpConnectInfo},
};
use tonic_prost::ProstCodec;
use tower::{ServiceBuilder, util::MapRequestLayer};
use tower_webhook::{
    PeerAddr,
    body::Verified,
    client::{DeliveryId, SignLayer},
    clock::{Clock, ManualClock, SystemClock, UnixTime},
    layer::{BySender, ClientAddr, RateLimitLayer},
    store::{MemoryRateStore, Quota},
    tonic::GRPC,
};

use crate::{
    server::{Around, MAX_BODY, Notify, serve},
    support::{MockStore, OLD_SECRET, Operation, SECRET},
};

/// A call, and what is done to it.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) path: &'static str,
    pub(crate) message: String,
    pub(crate) id: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) age: u64,
    /// Done to the request when it has been signed.
    pub(crate) tamper: fn(Request<Body>) -> Request<Body>,
    pub(crate) is_compressed: bool,
}

impl Call {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            path: "/hooks.Notify/Notify",
            message: message.into(),
            id: "msg_1",
            secret: SECRET,
            age: 0,
            tamper: |request| request,
            is_compressed: false,
        }
    }

    pub(crate) fn id(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn path(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    fn tampered(self, tamper: fn(Request<Body>) -> Request<Body>) -> Self {
        Self { tamper, ..self }
    }

    fn client(
        &self,
        channel: Channel,
    ) -> Grpc<impl tonic::client::GrpcService<Body, ResponseBody = Body, Error: std::fmt::Debug, Future: Send> + use<>>
    {
        let now = UnixTime::from_secs(SystemClock.now().unwrap().as_secs() - self.age);
        let sign = SignLayer::new(GRPC.signer(self.secret).unwrap()).with_clock(ManualClock::at(now));
        let service = ServiceBuilder::new()
            .layer(sign.into_body::<Body>())
            .layer(MapRequestLayer::new(self.tamper))
            .service(channel);
        let client = Grpc::new(service);
        if self.is_compressed { client.send_compressed(CompressionEncoding::Gzip) } else { client }
    }

    fn request<M>(&self, message: M) -> tonic::Request<M> {
        let mut request = tonic::Request::new(message);
        request.extensions_mut().insert(DeliveryId::new(self.id).unwrap());
        request
    }

    pub(crate) async fn send(&self, channel: &Channel) -> Result<Response<String>, Status> {
        let mut client = self.client(channel.clone());
        client.ready().await.unwrap();
        let codec = ProstCodec::<String, String>::default();
        client.unary(self.request(self.message.clone()), self.path.parse().unwrap(), codec).await
    }

    pub(crate) async fn open(&self, channel: &Channel) -> Result<Response<Streaming<String>>, Status> {
        let mut client = self.client(channel.clone());
        client.ready().await.unwrap();
        let codec = ProstCodec::<String, String>::default();
        client.server_streaming(self.request(self.message.clone()), self.path.parse().unwrap(), codec).await
    }

    /// Streams so many messages, and then leaves the stream open or not.
    ///
    /// Signed is the first message, as there is nothing else to sign: a stream has no end.
    async fn stream(&self, channel: &Channel, messages: usize, stays_open: bool) -> Status {
        let message = self.message.clone();
        let sign = SignLayer::new(GRPC.signer(self.secret).unwrap());
        let signed: Arc<Mutex<Option<HeaderMap>>> = Arc::default();
        // The head of the same call with a single message.
        let keep = Arc::clone(&signed);
        let mut alone = Grpc::new(ServiceBuilder::new().layer(sign.into_body::<Body>()).service_fn(
            move |request: Request<Body>| {
                *keep.lock().unwrap() = Some(request.headers().clone());
                async { Err::<http::Response<Body>, _>(Status::cancelled("only signed")) }
            },
        ));
        alone.ready().await.unwrap();
        let codec = ProstCodec::<String, String>::default;
        let path = || self.path.parse::<http::uri::PathAndQuery>().unwrap();
        alone.unary(self.request(message.clone()), path(), codec()).await.unwrap_err();
        let headers = signed.lock().unwrap().take().unwrap();

        let mut client = Grpc::new(
            ServiceBuilder::new()
                .map_request(move |mut request: Request<Body>| {
                    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
                        request.headers_mut().insert(name, headers[name].clone());
                    }
                    request
                })
                .service(channel.clone()),
        );
        client.ready().await.unwrap();
        let sent = stream::iter(vec![message; messages]);
        let request: tonic::Request<futures_util::stream::BoxStream<'static, String>> = if stays_open {
            use futures_util::StreamExt;
            self.request(sent.chain(stream::pending()).boxed())
        } else {
            use futures_util::StreamExt;
            self.request(sent.boxed())
        };
        match client.streaming(request, path(), codec()).await {
            Err(status) => status,
            Ok(answer) => answer.into_inner().message().await.expect_err("it was refused"),
        }
    }
}

pub(crate) async fn connect(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn pushback(status: &Status) -> Option<i64> {
    status.metadata().get("grpc-retry-pushback-ms").map(|value| value.to_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_genuine_call_is_handled_and_a_second_one_is_answered_without_the_handler() {
    for around in [Around::TheServer, Around::OneService] {
        let server = serve!(around, |builder| builder.build());
        let channel = connect(server.address).await;
        let answer = Call::new("ok").send(&channel).await.unwrap();
        assert_eq!(answer.get_ref(), "ok by msg_1", "{around:?}");
        assert_eq!((server.notify.calls.count(), server.nonces.len()), (1, 1));
        let again = Call::new("ok").send(&channel).await.unwrap();
        assert_eq!(again.get_ref(), "", "the default of its type");
        assert_eq!(again.metadata().get("webhook-replay").unwrap(), "duplicate");
        assert_eq!((server.notify.calls.count(), server.nonces.len()), (1, 1));
        assert_eq!(Call::new("ok").id("msg_2").send(&channel).await.unwrap().get_ref(), "ok by msg_2");
    }
}

#[tokio::test]
async fn calls_that_prove_nothing_are_unauthenticated_and_leave_nothing_behind() {
    let server = serve!(Around::TheServer, |builder| builder.build());
    let channel = connect(server.address).await;
    for (name, call) in [
        ("another secret", Call { secret: OLD_SECRET, ..Call::new("ok") }),
        ("stale", Call { age: 301, ..Call::new("ok") }),
        (
            "no signature",
            Call::new("ok").tampered(|mut request| {
                request.headers_mut().remove("webhook-signature");
                request
            }),
        ),
        (
            "a signature in binary metadata",
            Call::new("ok").tampered(|mut request| {
                let signature = request.headers_mut().remove("webhook-signature").unwrap();
                request.headers_mut().insert("webhook-signature-bin", signature);
                request
            }),
        ),
        (
            "another id",
            Call::new("ok").tampered(|mut request| {
                request.headers_mut().insert("webhook-id", HeaderValue::from_static("msg_2"));
                request
            }),
        ),
        (
            "another method",
            Call::new("ok").tampered(|mut request| {
                *request.uri_mut() =
                    request.uri().to_string().replace("Notify/Notify", "Notify/Watch").parse().unwrap();
                request
            }),
        ),
        (
            "another message",
            Call::new("ok")
                .tampered(|request| replace(request, |bytes| bytes.last_mut().map_or((), |byte| *byte ^= 1))),
        ),
        ("another flag", Call::new("ok").tampered(|request| replace(request, |bytes| bytes[0] ^= 1))),
    ] {
        let status = call.send(&channel).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "unauthenticated"), "{name}");
        assert_eq!(pushback(&status), Some(-1), "{name}");
        assert_eq!((server.notify.calls.count(), server.nonces.len()), (0, 0), "{name}");
    }
    assert!(Call::new("ok").send(&channel).await.is_ok());
}

/// Changes the bytes of a signed body.
fn replace(request: Request<Body>, change: impl FnOnce(&mut [u8])) -> Request<Body> {
    let (head, body) = request.into_parts();
    let mut bytes = crate::support::now(body.collect()).unwrap().to_bytes().to_vec();
    change(&mut bytes);
    Request::from_parts(head, Body::new(Full::from(bytes)))
}

#[tokio::test]
async fn other_refusals_have_the_status_that_fits_and_say_when_to_come_again() {
    // The call, its status, and when to come again in milliseconds.
    let large = "x".repeat(MAX_BODY);
    let server = serve!(Around::TheServer, |builder| builder.build());
    let status = Call::new(large).send(&connect(server.address).await).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), pushback(&status)),
        (Code::ResourceExhausted, "body_too_large", Some(-1))
    );
    assert_eq!(server.notify.calls.count(), 0);

    let quota = Quota::per_hour(1);
    let server = serve!(Around::TheServer, |builder| {
        builder.then(RateLimitLayer::new(quota, BySender, MemoryRateStore::new())).build()
    });
    let channel = connect(server.address).await;
    Call::new("ok").send(&channel).await.unwrap();
    let status = Call::new("ok").id("msg_2").send(&channel).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "rate_limited"));
    assert!((3_590_000..=3_600_000).contains(&pushback(&status).unwrap()), "{status:?}");
    assert_eq!((server.notify.calls.count(), server.nonces.len()), (1, 1), "nothing is reserved");

    let server = serve!(Around::TheServer, |builder| {
        let gone = Operation { failures: usize::MAX, ..Operation::default() };
        builder.replay(MockStore::new(Default::default()).reserving(gone)).build()
    });
    let status = Call::new("ok").send(&connect(server.address).await).await.unwrap_err();
    assert_eq!((status.code(), status.message(), pushback(&status)), (Code::Unavailable, "unavailable", Some(1000)));
    assert_eq!(server.notify.calls.count(), 0);
}

#[tokio::test]
async fn strangers_are_limited_by_the_address_that_tonic_knows() {
    fn with_peer<B>(mut call: Request<B>) -> Request<B> {
        let peer = call.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        if let Some(peer) = peer {
            call.extensions_mut().insert(PeerAddr(peer));
        }
        call
    }
    let strangers = RateLimitLayer::new(Quota::per_hour(2), ClientAddr::new(), MemoryRateStore::new());
    let webhooks = crate::server::stack(Default::default()).rate_limit(strangers.charge_failures()).build().unwrap();
    let layer = ServiceBuilder::new().layer(MapRequestLayer::new(with_peer::<Body>)).layer(webhooks).into_inner();
    let (incoming, address) = crate::server::listen();
    let notify = Notify::default();
    let server = tonic::transport::Server::builder().layer(layer).add_service(notify.clone());
    let serving = tokio::spawn(server.serve_with_incoming(incoming));
    let channel = connect(address).await;
    let forged = Call { secret: OLD_SECRET, ..Call::new("ok") };
    for expected in [Code::Unauthenticated, Code::Unauthenticated, Code::ResourceExhausted] {
        assert_eq!(forged.send(&channel).await.unwrap_err().code(), expected);
    }
    assert_eq!(notify.calls.count(), 0);
    serving.abort();
}

#[tokio::test]
async fn while_a_call_is_handled_others_of_the_same_delivery_are_told_to_come_again() {
    let server = serve!(Around::TheServer, |builder| builder.build());
    let channel = connect(server.address).await;
    let first = tokio::spawn({
        let channel = channel.clone();
        async move { Call::new("wait").send(&channel).await }
    });
    while server.notify.calls.count() == 0 {
        tokio::task::yield_now().await;
    }
    let status = Call::new("wait").send(&channel).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "delivery_in_progress"));
    // The lease, at most, and the millisecond to which stores round up.
    assert!((1..=40_001).contains(&pushback(&status).unwrap()), "{status:?}");
    server.notify.go_on.notify_one();
    assert_eq!(first.await.unwrap().unwrap().get_ref(), "wait by msg_1");
    assert_eq!(server.notify.calls.count(), 1);
}

#[tokio::test]
async fn streams_are_refused_as_unimplemented_and_not_waited_for() {
    const SAYS: &str = "streaming_unsupported: this endpoint takes calls with a single request message";
    let server = serve!(Around::TheServer, |builder| builder.unary_grace(Duration::from_millis(200)).build());
    let channel = connect(server.address).await;
    for (name, messages, stays_open) in [
        ("two messages", 2, false),
        ("two messages, and more to come", 2, true),
        ("one message, and perhaps more to come", 1, true),
    ] {
        let status = Call::new("ok").path("/hooks.Notify/Chat").stream(&channel, messages, stays_open).await;
        assert_eq!((status.code(), status.message()), (Code::Unimplemented, SAYS), "{name}");
        assert_eq!((server.notify.calls.count(), server.nonces.len()), (0, 0), "{name}");
    }
}

#[tokio::test]
async fn methods_that_are_known_to_stream_are_refused_from_the_head_alone() {
    for bad in ["", "/", "hooks.Notify/Chat", "/hooks.Notify", "/hooks.Notify/", "//Chat", "/a/b/c"] {
        let builder = crate::server::stack(Default::default());
        assert!(builder.streaming_methods([bad]).is_err(), "{bad}");
    }
    let layer = crate::server::stack(Default::default()).streaming_methods(["/hooks.Notify/Chat"]).unwrap();
    let service = tower::Layer::layer(
        &layer.build().unwrap(),
        tower::service_fn(async |_: Request<Verified>| Ok::<_, Infallible>(http::Response::new(Body::empty()))),
    );
    for (path, content_type, expected) in [
        ("/hooks.Notify/Chat", "application/grpc", Some("12")),
        // Without a signature, and so not read either.
        ("/hooks.Notify/Notify", "application/grpc", Some("16")),
        ("/hooks.Notify/Chat", "application/json", None),
    ] {
        let request = Request::post(path).header("content-type", content_type).body(Unread).unwrap();
        let response = tower::ServiceExt::oneshot(service.clone(), request).await.unwrap();
        let status = response.headers().get("grpc-status").map(|status| status.to_str().unwrap());
        assert_eq!(status, expected, "{path}, {content_type}");
    }
}

/// A body that must not be read.
struct Unread;

impl http_body::Body for Unread {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
        panic!("it was read")
    }
}

#[tokio::test]
async fn compressed_calls_are_verified_as_they_are_sent() {
    let server = serve!(Around::TheServer, |builder| builder.build());
    let channel = connect(server.address).await;
    let call = Call { is_compressed: true, ..Call::new("ok") };
    assert_eq!(call.send(&channel).await.unwrap().get_ref(), "ok by msg_1");
    // Small enough to be read, and too large for tonic when it is decompressed: refused by it, and so not done.
    let bomb = Call { is_compressed: true, ..Call::new("x".repeat(16 * 1024 * 1024)).id("msg_2") };
    for _ in 0..2 {
        let status = bomb.send(&channel).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    }
    assert_eq!((server.notify.calls.count(), server.nonces.len()), (1, 1));
}
