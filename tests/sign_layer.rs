//! What `SignLayer` sends, receivers verify; what it cannot sign as it was meant, it does not send.

#![cfg(feature = "axum")]

mod support;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{Router, body::Body as AxumBody, extract::Request as AxumRequest, routing::post};
use bytes::{Buf, Bytes};
use futures_util::stream;
use http::{HeaderMap, Request, Response, header::CONTENT_LENGTH};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use support::{
    Answer, NOW, OLD_SECRET, ORIGIN, SECRET, Strict, builder, clock, memory, poll, secs, start, verifier_with,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    limit::ConcurrencyLimit,
    retry::{Policy, RetryLayer},
    service_fn,
    util::MapRequestLayer,
};
use tower_webhook::{
    Delivery,
    client::{DeliveryId, SignError, SignLayer, Signed},
    clock::{Clock, ClockError, ManualClock, UnixTime},
    key::IntoKeys,
    provider,
    scheme::{Part, Scheme, Signature, Source, Timestamp},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const STRANGE_SECRET: &str = "whsec_c3RyYW5nZXIsIHN0cmFuZ2VyLCBzdHJhbmdlciwgc3Q=";
const EVENT: &str = r#"{"id":"evt_1","event_id":"Ev1","type":"ping"}"#;

#[tokio::test]
async fn what_is_signed_is_admitted_by_the_verifier_of_the_same_scheme_and_by_no_other() {
    for scheme in [provider::STANDARD_WEBHOOKS, provider::STRIPE, provider::GITHUB, provider::SLACK, provider::SQUARE] {
        let clock = clock();
        let receiver = Receiver::start(scheme, SECRET, &clock).await;
        for (secret, expected) in [(SECRET, 200), (STRANGE_SECRET, 401)] {
            let layer = signing(scheme, secret, &clock).origin(ORIGIN).unwrap();
            let answer = ask(&layer, receiver.post(event())).await.unwrap();
            assert_eq!(answer.status, expected, "{} with {secret}", scheme.name);
        }
        let seen = receiver.seen();
        assert_eq!(seen.len(), 1, "{}", scheme.name);
        assert_eq!(seen[0].body, EVENT, "{}", scheme.name);
    }
}

#[tokio::test]
async fn two_secrets_sign_newest_first_and_receivers_need_only_one_of_them() {
    for (scheme, header, separator) in
        [(provider::STANDARD_WEBHOOKS, "webhook-signature", ' '), (provider::STRIPE, "stripe-signature", ',')]
    {
        let clock = clock();
        let signature = async |secrets: &[&'static str]| {
            let request = Request::post("https://hooks.test/hook").extension(id("msg_1")).body(event());
            let sent = sent_by(&signing(scheme, secrets.to_vec(), &clock), request.unwrap()).await.unwrap();
            sent.headers()[header].to_str().unwrap().to_owned()
        };
        let last = |text: &str| text.rsplit(separator).next().unwrap().to_owned();
        let (new, old) = (last(&signature(&[SECRET]).await), last(&signature(&[OLD_SECRET]).await));
        let both = signature(&[SECRET, OLD_SECRET]).await;
        assert!(both.ends_with(&format!("{new}{separator}{old}")), "{both}");

        for secret in [SECRET, OLD_SECRET] {
            let receiver = Receiver::start(scheme, secret, &clock).await;
            let layer = signing(scheme, [SECRET, OLD_SECRET], &clock);
            assert_eq!(ask(&layer, receiver.post(event())).await.unwrap().status, 200, "{}", scheme.name);
        }
    }
}

#[tokio::test]
async fn the_reference_vector_of_standard_webhooks() {
    let clock = ManualClock::at(UnixTime::from_secs(1_614_265_330));
    let layer = signing(provider::STANDARD_WEBHOOKS, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &clock);
    let request = Request::post("/hook").extension(id("msg_p5jXN8AQM9LWM0D4loKWxJek"));
    let sent = sent_by(&layer, request.body(Full::<Bytes>::from(r#"{"test": 2432232314}"#)).unwrap()).await.unwrap();
    for (name, value) in [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ] {
        assert_eq!(sent.headers()[name], value);
    }
    assert!(sent.headers()["webhook-signature"].is_sensitive());
}

#[tokio::test]
async fn the_bytes_that_arrive_are_those_that_were_signed_however_they_came() {
    let big: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
    let chunks = |bytes: &[u8], size: usize| bytes.chunks(size).map(Bytes::copy_from_slice).collect::<Vec<_>>();
    for (what, frames) in [
        ("nothing", vec![]),
        ("an empty frame", vec![Bytes::new()]),
        ("one frame", vec![Bytes::from(EVENT)]),
        ("no text", vec![Bytes::from_static(b"\xff\x00\r\n\r\n")]),
        ("single bytes", chunks(EVENT.as_bytes(), 1)),
        ("empty frames between", vec![Bytes::new(), "a".into(), Bytes::new(), "b".into(), Bytes::new()]),
        ("big, in one frame", vec![big.clone().into()]),
        ("big, in many", chunks(&big, 4096)),
    ] {
        let clock = clock();
        let receiver = Receiver::start(provider::STANDARD_WEBHOOKS, SECRET, &clock).await;
        let expected = frames.concat();
        let body = StreamBody::new(stream::iter(frames.into_iter().map(|data| Ok::<_, Infallible>(Frame::data(data)))));
        let layer = signing(provider::STANDARD_WEBHOOKS, SECRET, &clock);
        assert_eq!(ask(&layer, receiver.post(body)).await.unwrap().status, 200, "{what}");
        let seen = receiver.seen();
        assert!(seen[0].body == expected, "{what}: {} bytes of {}", seen[0].body.len(), expected.len());
        // Of a request without a body, hyper's client says nothing.
        let announced = seen[0].headers.get(CONTENT_LENGTH).map_or("", |length| length.to_str().unwrap());
        assert_eq!(announced.parse().unwrap_or(0), expected.len(), "{what}: {announced}");
        assert!(!seen[0].headers.contains_key("transfer-encoding"), "{what}");
    }
}

#[tokio::test]
async fn a_body_is_signed_up_to_the_cap_and_no_further() {
    for (length, fits) in [(0, true), (9, true), (10, true), (11, false), (1000, false)] {
        for is_announced in [true, false] {
            let layer = signing(provider::STANDARD_WEBHOOKS, SECRET, &clock()).max_body(10);
            let bytes = Bytes::from(vec![b'x'; length]);
            let sent = if is_announced {
                sent_by(&layer, Request::post("/").body(Full::<Bytes>::from(bytes)).unwrap()).await
            } else {
                let frames: Vec<_> = bytes.chunks(3).map(|part| Ok::<_, Infallible>(Frame::data(part))).collect();
                sent_by(&layer, Request::post("/").body(StreamBody::new(stream::iter(frames))).unwrap()).await
            };
            let label = format!("{length} bytes, announced: {is_announced}");
            match sent {
                Ok(sent) => assert_eq!((sent.body().bytes().len(), fits), (length, true), "{label}"),
                Err(error) => {
                    assert!(matches!(error, SignError::BodyTooLarge { limit: 10 }) && !fits, "{label}: {error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_the_signature_sets_is_not_taken_from_the_caller() {
    for (scheme, headers) in [
        (
            provider::STANDARD_WEBHOOKS,
            &["webhook-signature", "webhook-id", "webhook-timestamp", "svix-signature", "svix-id", "svix-timestamp"][..],
        ),
        (provider::STRIPE, &["stripe-signature"]),
        (provider::GITHUB, &["x-hub-signature-256", "x-github-delivery"]),
        (provider::SLACK, &["x-slack-signature", "x-slack-request-timestamp"]),
    ] {
        for header in headers {
            let request = Request::post("/").header(*header, "1").body(event()).unwrap();
            let error = sent_by(&signing(scheme, SECRET, &clock()), request).await.unwrap_err();
            assert!(
                matches!(&error, SignError::HeaderTaken { header: taken } if taken == header),
                "{}, {header}: {error}",
                scheme.name
            );
        }
    }
}

#[tokio::test]
async fn ids_that_receivers_refuse_are_not_sent() {
    for id in ["", "msg_1\r\nx-admin: yes", "msg_1\n", "msg 1", "\u{e9}", "\0", &"a".repeat(257)] {
        let error = DeliveryId::new(id).unwrap_err().to_string();
        assert!(!error.contains(['\r', '\n', '\0']), "{error:?}");
    }
    // Good enough for a header, and not for this scheme: it would end the id in what is signed.
    let request = Request::post("/").extension(id("msg.1")).body(event()).unwrap();
    let error = sent_by(&signing(provider::STANDARD_WEBHOOKS, SECRET, &clock()), request).await.unwrap_err();
    assert!(matches!(error, SignError::Unsignable(_)), "{error}");
    for good in ["a", "msg_p5jXN8AQM9LWM0D4loKWxJek", &"a".repeat(256)] {
        let request = Request::post("/").extension(id(good)).body(event()).unwrap();
        let sent = sent_by(&signing(provider::STANDARD_WEBHOOKS, SECRET, &clock()), request).await.unwrap();
        assert_eq!(sent.headers()["webhook-id"], good);
    }
}

#[tokio::test]
async fn each_delivery_without_an_id_gets_one_of_its_own_and_the_answer_says_which() {
    let layer = signing(provider::STANDARD_WEBHOOKS, SECRET, &clock());
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let service = layer.layer(service_fn(async |request: Request<Signed>| {
            let sent = request.headers()["webhook-id"].to_str().unwrap().to_owned();
            let told: DeliveryId = request.extensions().get().cloned().unwrap();
            assert_eq!(told.as_str(), sent);
            Ok::<_, Infallible>(Response::builder().header("was", sent).body(()).unwrap())
        }));
        let answer = service.oneshot(Request::post("/").body(event()).unwrap()).await.unwrap();
        let id: &DeliveryId = answer.extensions().get().unwrap();
        assert_eq!(answer.headers()["was"], id.as_str());
        let drawn = id.as_str().strip_prefix("msg_").unwrap();
        assert!(drawn.len() == 32 && drawn.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(seen.insert(id.clone()), "{id} came twice");
    }
}

/// Tries again whatever the answer, and lets time go by before it does.
#[derive(Clone)]
struct Persistent {
    clock: ManualClock,
    left: usize,
}

impl<ResBody> Policy<Request<Full<Bytes>>, Response<ResBody>, BoxError> for Persistent {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        _: &mut Result<Response<ResBody>, BoxError>,
    ) -> Option<Ready<()>> {
        self.left = self.left.checked_sub(1)?;
        self.clock.advance(secs(60));
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn each_attempt_is_signed_anew_under_the_same_id_and_handled_once() {
    let clock = clock();
    let receiver = Receiver::failing_first(provider::STANDARD_WEBHOOKS, 2, &clock).await;
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let client = ServiceBuilder::new()
        .layer(MapRequestLayer::new(DeliveryId::assign))
        // Ten minutes, in which a signature would grow stale.
        .layer(RetryLayer::new(Persistent { clock: clock.clone(), left: 10 }))
        .layer(signing(provider::STANDARD_WEBHOOKS, SECRET, &clock))
        .map_request({
            let attempts = Arc::clone(&attempts);
            move |request: Request<Signed>| {
                let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                attempts.lock().unwrap().push((header("webhook-id"), header("webhook-timestamp")));
                request
            }
        })
        .service(tcp());
    let answer = Answer::of(client.oneshot(receiver.post(event())).await.unwrap()).await;

    assert!(answer.is_duplicate(), "{answer:?}");
    assert_eq!(receiver.seen().len(), 3, "failed twice and handled once");
    let attempts = attempts.lock().unwrap();
    assert_eq!(attempts.len(), 11);
    for (number, (id, time)) in attempts.iter().enumerate() {
        assert_eq!((id, time), (&attempts[0].0, &(NOW + 60 * number as u64).to_string()));
    }
}

#[tokio::test]
async fn without_an_id_from_outside_a_retry_is_another_delivery() {
    let clock = clock();
    let receiver = Receiver::start(provider::STANDARD_WEBHOOKS, SECRET, &clock).await;
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(Persistent { clock: clock.clone(), left: 1 }))
        .layer(signing(provider::STANDARD_WEBHOOKS, SECRET, &clock))
        .service(tcp());
    let answer = Answer::of(client.oneshot(receiver.post(event())).await.unwrap()).await;
    assert!(!answer.is_duplicate() && receiver.seen().len() == 2, "as the documentation says");
}

#[tokio::test]
async fn a_request_that_is_not_whole_is_not_sent() {
    let broken = || {
        let frames = [Ok(Frame::data(Bytes::from("{"))), Err(std::io::Error::other("broke off"))];
        StreamBody::new(stream::iter(frames)).boxed_unsync()
    };
    let with_trailers = |trailers: HeaderMap| {
        let frames = [Ok(Frame::data(Bytes::from(EVENT))), Ok(Frame::trailers(trailers))];
        StreamBody::new(stream::iter(frames)).boxed_unsync()
    };
    let whole = || event().map_err(|never| match never {}).boxed_unsync();
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), "1".parse().unwrap())]);
    let own_length = EVENT.len().to_string();
    for (what, body, length, expected) in [
        ("whole", whole(), None, None),
        ("of the length that is announced", whole(), Some(&*own_length), None),
        ("without a trailer in its trailers", with_trailers(HeaderMap::new()), None, None),
        ("broken off", broken(), None, Some("Body")),
        ("with trailers", with_trailers(trailers), None, Some("Trailers")),
        ("longer than announced", whole(), Some("3"), Some("WrongLength")),
        ("shorter than announced", whole(), Some("3000"), Some("WrongLength")),
        ("of no length that is a number", whole(), Some("many"), Some("WrongLength")),
    ] {
        let mut request = Request::post("/").header("transfer-encoding", "chunked").body(body).unwrap();
        if let Some(length) = length {
            request.headers_mut().append(CONTENT_LENGTH, length.parse().unwrap());
            request.headers_mut().append(CONTENT_LENGTH, length.parse().unwrap());
        }
        match (sent_by(&signing(provider::STANDARD_WEBHOOKS, SECRET, &clock()), request).await, expected) {
            (Ok(sent), None) => {
                assert_eq!(sent.body().bytes(), EVENT, "{what}");
                assert!(!sent.headers().contains_key("transfer-encoding"), "{what}");
                let lengths: Vec<_> = sent.headers().get_all(CONTENT_LENGTH).iter().collect();
                assert_eq!(lengths, length.as_slice(), "{what}");
            }
            (Err(error), Some(expected)) => {
                let variant = format!("{error:?}");
                assert!(variant.starts_with(expected), "{what}: {variant}");
            }
            (sent, _) => panic!("{what}: {sent:?}"),
        }
    }
}

#[tokio::test]
async fn the_url_is_the_requests_own_or_that_of_the_origin() {
    let clock = clock();
    for (uri, origin, signs_as) in [
        ("https://a.test/hook?x=%2F", None, Some("https://a.test/hook?x=%2F")),
        ("/hook?x=1", Some("https://a.test"), Some("https://a.test/hook?x=1")),
        ("http://10.0.0.1:8080/hook", Some("https://a.test:8443"), Some("https://a.test:8443/hook")),
        ("https://a.test", None, Some("https://a.test/")),
        ("/hook", None, None),
    ] {
        let layer = signing(provider::SQUARE, SECRET, &clock);
        let layer = match origin {
            Some(origin) => layer.origin(origin).unwrap(),
            None => layer,
        };
        let sent = sent_by(&layer, Request::post(uri).body(event()).unwrap()).await;
        match (sent, signs_as) {
            (Ok(sent), Some(url)) => {
                let signer = provider::SQUARE.signer(SECRET).unwrap();
                let outgoing = tower_webhook::scheme::Outgoing::post(url, EVENT.as_bytes());
                let name = "x-square-hmacsha256-signature";
                assert_eq!(sent.headers()[name], signer.sign(&outgoing).unwrap()[name], "{uri}");
                assert_eq!(sent.uri(), uri, "it goes where it was to go");
            }
            (Err(SignError::UnknownOrigin), None) => {}
            (sent, _) => panic!("{uri}: {sent:?}"),
        }
    }
    for none in ["", "a.test", "https://", "https://a.test/path", "ftp://a.test", "https://a.test:x"] {
        assert!(signing(provider::SQUARE, SECRET, &clock).origin(none).is_err(), "{none}");
    }
}

#[tokio::test]
async fn without_a_time_nothing_is_signed() {
    struct Stopped;
    impl Clock for Stopped {
        fn now(&self) -> Result<UnixTime, ClockError> {
            Err(ClockError)
        }
        fn monotonic(&self) -> std::time::Duration {
            secs(0)
        }
    }
    let layer = SignLayer::new(provider::STANDARD_WEBHOOKS.signer(SECRET).unwrap()).with_clock(Stopped);
    let error = sent_by(&layer, Request::post("/").body(event()).unwrap()).await.unwrap_err();
    assert!(matches!(error, SignError::Clock(ClockError)), "{error}");
}

#[tokio::test]
async fn the_services_own_errors_come_as_they_are() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("broken")
        }
    }
    impl std::error::Error for Broken {}
    let layer = signing(provider::STANDARD_WEBHOOKS, SECRET, &clock());
    let typed = layer.layer(service_fn(async |_: Request<Signed>| Err::<Response<()>, _>(Broken)));
    let boxed = layer.layer(service_fn(async |_: Request<Signed>| Err::<Response<()>, BoxError>(Broken.into())));
    let request = || Request::post("/").body(Empty::<Bytes>::new()).unwrap();
    for error in [typed.oneshot(request()).await.unwrap_err(), boxed.oneshot(request()).await.unwrap_err()] {
        assert_eq!(error.downcast_ref::<Broken>(), Some(&Broken));
    }
}

#[tokio::test]
async fn only_a_service_that_was_made_ready_is_called() {
    let mut service = signing(provider::STANDARD_WEBHOOKS, SECRET, &clock()).layer(Strict::default());
    for _ in 0..3 {
        let request = || Request::post("/").body(event()).unwrap();
        ready_for_event(&mut service).await;
        let twin = service.clone();
        let (first, second) = (service.call(request()), twin.oneshot(request()));
        assert_eq!(first.await.unwrap().status(), 200);
        assert_eq!(second.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn what_is_not_sent_keeps_nothing_from_others() {
    let permits = Arc::new(Semaphore::new(1));
    let limited = ConcurrencyLimit::with_semaphore(Strict::default(), Arc::clone(&permits));
    let mut service = signing(provider::STANDARD_WEBHOOKS, SECRET, &clock()).layer(limited);
    let refused = Request::post("/").header("webhook-id", "msg_1").body(event()).unwrap();
    assert!(ready_for_event(&mut service).await.call(refused).await.is_err());
    assert_eq!(permits.available_permits(), 1, "after a refusal");

    let stalled = Request::post("/").body(StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>()));
    {
        let mut future = pin!(start(&mut service, stalled.unwrap()).await);
        assert!(poll(future.as_mut()).is_pending());
        assert_eq!(permits.available_permits(), 0, "while the body is awaited");
    }
    assert_eq!(permits.available_permits(), 1, "after the caller has left");
}

#[tokio::test]
async fn no_secret_and_no_body_is_in_what_is_printed() {
    let layer = signing(provider::STANDARD_WEBHOOKS, SECRET, &clock());
    let mut service = layer.layer(Strict::default());
    let future = service.call(Request::post("/").body(Full::<Bytes>::from("canary-body")).unwrap());
    let sent = sent_by(&layer, Request::post("/").body(Full::<Bytes>::from("canary-body")).unwrap()).await.unwrap();
    let printed = format!("{layer:?} {service:?} {future:?} {sent:?}");
    assert!(printed.contains("Signed { len: 11"), "{printed}");
    for hidden in [SECRET, SECRET.trim_start_matches("whsec_"), "canary-body", "[1, 2, 3, 4, 5"] {
        assert!(!printed.contains(hidden), "{printed}");
    }
}

/// As a gRPC call is signed: the path, and the message.
const CALLS: Scheme<'static> = Scheme {
    name: "calls",
    signature: Signature::bare("x-call-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-call-timestamp"))),
    id: Some(Source::Header("x-call-id")),
    message: &[Part::Id, Part::Text("."), Part::Timestamp, Part::Text("."), Part::Path, Part::Text("\n"), Part::Body],
    ..Scheme::HMAC_SHA256_HEX
};

#[tokio::test]
async fn generated_clients_of_tonic_take_the_stack_around_a_channel() {
    let clock = clock();
    let layer = builder(verifier_with(CALLS, SECRET), memory(&clock), &clock).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().layer(layer).add_service(Pings).serve_with_incoming(incoming);
    tokio::spawn(server);
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();

    for (secret, expected) in [(SECRET, None), (STRANGE_SECRET, Some(tonic::Code::Unauthenticated))] {
        let signed = ServiceBuilder::new()
            .layer(signing(CALLS, secret, &clock).into_body::<tonic::body::Body>())
            .service(channel.clone());
        let mut client = tonic::client::Grpc::new(signed);
        client.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static("/test.Pings/Ping");
        let answer = client.unary(tonic::Request::new(()), path, tonic_prost::ProstCodec::<(), ()>::default()).await;
        assert_eq!(answer.err().map(|status| status.code()), expected, "{secret}");
    }
}

/// Answers each call with an empty message.
#[derive(Clone)]
struct Pings;

impl tonic::server::NamedService for Pings {
    const NAME: &'static str = "test.Pings";
}

impl<B: Body + Send + 'static> Service<Request<B>> for Pings
where
    B::Error: Into<BoxError> + Send,
    B::Data: Send,
{
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let ping = tower::service_fn(async |_: tonic::Request<()>| Ok::<_, tonic::Status>(tonic::Response::new(())));
        Box::pin(async move {
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            Ok(tonic::server::Grpc::new(codec).unary(ping, request).await)
        })
    }
}

/// Made ready for requests with such a body: services take several.
async fn ready_for_event<S: Service<Request<Full<Bytes>>, Error: std::fmt::Debug>>(service: &mut S) -> &mut S {
    service.ready().await.unwrap()
}

fn event() -> Full<Bytes> {
    Full::from(EVENT)
}

fn id(id: &str) -> DeliveryId {
    DeliveryId::new(id).unwrap()
}

fn signing(scheme: Scheme<'static>, keys: impl IntoKeys, clock: &ManualClock) -> SignLayer {
    SignLayer::new(scheme.signer(keys).unwrap()).with_clock(clock.clone())
}

/// What the layer sends.
async fn sent_by<B>(layer: &SignLayer, request: Request<B>) -> Result<Request<Signed>, SignError>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    let sent = Arc::new(Mutex::new(None));
    let service = layer.layer(service_fn({
        let sent = Arc::clone(&sent);
        move |request: Request<Signed>| {
            *sent.lock().unwrap() = Some(request);
            ready(Ok::<_, Infallible>(Response::new(())))
        }
    }));
    let answer = service.oneshot(request).await;
    let sent = sent.lock().unwrap().take();
    match answer {
        Ok(_) => Ok(sent.unwrap()),
        Err(error) => {
            assert!(sent.is_none(), "sent, and then refused");
            Err(*error.downcast().unwrap())
        }
    }
}

fn tcp() -> Client<HttpConnector, Signed> {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn ask<B>(layer: &SignLayer, request: Request<B>) -> Result<Answer, BoxError>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    Ok(Answer::of(layer.layer(tcp()).oneshot(request).await?).await)
}

struct Seen {
    headers: HeaderMap,
    body: Bytes,
}

/// A server on a port of its own, behind the whole stack.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    async fn start(scheme: Scheme<'static>, keys: impl IntoKeys, clock: &ManualClock) -> Self {
        Self::new(scheme, keys, 0, clock).await
    }

    async fn failing_first(scheme: Scheme<'static>, failures: usize, clock: &ManualClock) -> Self {
        Self::new(scheme, SECRET, failures, clock).await
    }

    async fn new(scheme: Scheme<'static>, keys: impl IntoKeys, failures: usize, clock: &ManualClock) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handler = {
            let seen = Arc::clone(&seen);
            async move |_: Delivery, request: AxumRequest<AxumBody>| {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let mut seen = seen.lock().unwrap();
                seen.push(Seen { headers: head.headers, body });
                if seen.len() > failures { http::StatusCode::OK } else { http::StatusCode::INTERNAL_SERVER_ERROR }
            }
        };
        let layer = builder(verifier_with(scheme, keys), memory(clock), clock).build().unwrap();
        let app: Router = Router::new().route("/hook", post(handler)).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, seen }
    }

    fn post<B>(&self, body: B) -> Request<B> {
        Request::post(format!("http://{}/hook", self.address)).body(body).unwrap()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap()
    }
}
