//! What the stack costs the allocator, beside the same service without it.

#![cfg(feature = "axum")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{ConnectInfo, State},
    routing::post,
};
use bytes::{Bytes, BytesMut};
use futures_util::TryFutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    PeerAddr,
    clock::{ManualClock, UnixTime},
    layer::{BufferBodyLayer, ClientAddr, ObserveLayer, RateLimitLayer, WebhookLayer},
    provider,
    scheme::{Outgoing, Scheme, Source},
    store::{MemoryRateStore, Quota},
};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

#[test]
fn an_accepted_request_allocates_at_most_twice_and_a_refused_one_once() {
    let mut table = String::new();
    for scheme in [provider::GITHUB, provider::STRIPE, provider::STANDARD_WEBHOOKS] {
        for (case, change, most) in [
            ("accepted", Change::Nothing, 2),
            // Verified first, and refused then: the sum of both.
            ("replayed", Change::Replay, 3),
            ("forged", Change::Body, 1),
            ("unsigned", Change::NoSignature, 1),
            ("too large", Change::Length, 1),
        ] {
            // While the body is awaited, the service is cloned twice, once for now and once for then: handlers with state
            // have axum box both.
            let with_state = if case == "accepted" || case == "replayed" { most + 2 } else { most };
            for (framework, extra, most) in [
                ("tower", in_tower(scheme, change), most),
                ("axum", in_axum(scheme, change, stateless()), most),
                ("axum with state", in_axum(scheme, change, stateful()), with_state),
            ] {
                table += &format!("{:>20} {case:>10} in {framework:<15} {extra:+}\n", scheme.name);
                assert!(extra <= most, "more than {most}:\n{table}");
            }
        }
    }
    println!("allocations of the whole stack, minus those of the same service without it\n{table}");
}

#[test]
fn a_rate_limit_allocates_nothing_to_let_through_and_twice_to_refuse() {
    async fn answer<B>(_: Request<B>) -> Result<Response<()>, Infallible> {
        Ok(Response::new(()))
    }
    let limit = || RateLimitLayer::new(Quota::per_hour(2), ClientAddr::new(), MemoryRateStore::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for (what, layer, let_through, refused) in [
        // The rejection, and how long to wait.
        ("each request is charged", limit(), 0, 2),
        // Whether the request proves to be genuine is told by a mark that travels with it.
        ("some answers are charged", limit().charge_if(|_| true), 2, 2),
    ] {
        let mut service = layer.layer(service_fn(answer));
        for (status, most) in [
            // The store may take memory for the account.
            (StatusCode::OK, u64::MAX),
            (StatusCode::OK, let_through),
            (StatusCode::TOO_MANY_REQUESTS, refused),
            (StatusCode::TOO_MANY_REQUESTS, refused),
        ] {
            let mut request = Request::new(());
            request.headers_mut().insert("user-agent", "stranger".parse().unwrap());
            request.extensions_mut().insert(PeerAddr(SocketAddr::from(([127, 0, 0, 1], 9))));
            let counted = allocation_counter::measure(|| {
                let Ok(response) = runtime.block_on(service.call(request));
                assert_eq!(response.status(), status, "{what}");
            });
            assert!(counted.count_total <= most, "{what}, {status}: {} allocations", counted.count_total);
        }
    }
}

#[test]
fn observing_allocates_twice() {
    for (case, change) in [("accepted", Change::Nothing), ("forged", Change::Body), ("unsigned", Change::NoSignature)] {
        let scheme = provider::STANDARD_WEBHOOKS;
        let measured = |observe: Option<ObserveLayer>| {
            let mut builder = WebhookLayer::builder(scheme.verifier(SECRET).unwrap()).with_clock(ManualClock::at(NOW));
            if let Some(observe) = observe {
                builder = builder.observe(observe);
            }
            let peer = PeerAddr(SocketAddr::from(([127, 0, 0, 1], 9)));
            measured(builder.build().unwrap().layer(service_fn(answer)), scheme, change, peer)
        };
        let extra = measured(Some(ObserveLayer::new())) - measured(None);
        // The record, and its place in the request's extensions.
        assert_eq!(extra, 2, "{case}");
    }
}

#[test]
fn memory_is_not_taken_on_the_word_of_a_length() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut service = BufferBodyLayer::new().layer(service_fn(answer));
    let request = Request::new(Announced { frames: 2 });
    let counted = allocation_counter::measure(|| {
        let Ok(response) = runtime.block_on(service.call(request));
        assert_eq!(response.status(), StatusCode::OK);
    });
    assert!(counted.bytes_max < 1024, "two bytes took {} bytes", counted.bytes_max);
}

/// Announces a mebibyte, and has a byte in each of a few frames.
struct Announced {
    frames: usize,
}

impl http_body::Body for Announced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let Some(left) = self.frames.checked_sub(1) else { return Poll::Ready(None) };
        self.frames = left;
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b"x")))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(1024 * 1024)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Change {
    Nothing,
    Replay,
    Body,
    NoSignature,
    Length,
}

/// Around a service that does nothing.
fn in_tower(scheme: Scheme<'static>, change: Change) -> i64 {
    let stack = stack(scheme).layer(service_fn(answer));
    let with = measured(stack, scheme, change, PeerAddr(SocketAddr::from(([127, 0, 0, 1], 9))));
    let without =
        measured(service_fn(answer), scheme, Change::Nothing, PeerAddr(SocketAddr::from(([127, 0, 0, 1], 9))));
    with - without
}

async fn answer<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

/// Around an axum handler that takes the body, beside a layer that does nothing: axum boxes layers that have state, and
/// bodies that are not its own, whatever they do.
fn in_axum(scheme: Scheme<'static>, change: Change, router: Router) -> i64 {
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9)));
    let with = measured(router.clone().layer(stack(scheme)), scheme, change, peer);
    let without = measured(router.clone().layer(Wrap(Arc::default())), scheme, Change::Nothing, peer);
    with - without
}

fn stateless() -> Router {
    Router::new().route("/hook", post(|body: Bytes| async move { drop(body) }))
}

fn stateful() -> Router {
    let handler = |State(state): State<Arc<()>>, body: Bytes| async move { drop((state, body)) };
    Router::new().route("/hook", post(handler)).with_state(Arc::default())
}

fn stack(scheme: Scheme<'static>) -> WebhookLayer<RateLimitLayer<ClientAddr, MemoryRateStore>> {
    WebhookLayer::builder(scheme.verifier(SECRET).unwrap())
        .rate_limit(RateLimitLayer::new(Quota::per_minute(1_000_000), ClientAddr::new(), MemoryRateStore::new()))
        .with_clock(ManualClock::at(NOW))
        .build()
        .unwrap()
}

/// Allocations from the call to the answer, whose body is not read.
fn measured<S, ResBody, P>(service: S, scheme: Scheme<'static>, change: Change, peer: P) -> i64
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>, Error = Infallible> + Clone,
    P: Clone + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let send = |id: u32, change: Change| {
        let mut request = request(scheme, id, change);
        request.extensions_mut().insert(peer.clone());
        let mut ready = runtime.block_on(service.clone().ready_oneshot()).unwrap_or_else(|never| match never {});
        let mut status = StatusCode::OK;
        let counted = allocation_counter::measure(|| {
            status = runtime.block_on(ready.call(request)).unwrap_or_else(|never| match never {}).status();
        });
        (status, i64::try_from(counted.count_total).unwrap())
    };
    // What is made once and kept (a store's maps, a lazy static) is not a request's.
    for id in 0..1000 {
        send(id, Change::Nothing);
    }
    let expected = match change {
        Change::Nothing | Change::Replay => StatusCode::OK,
        Change::Body | Change::NoSignature => StatusCode::UNAUTHORIZED,
        Change::Length => StatusCode::PAYLOAD_TOO_LARGE,
    };
    let mut counts: Vec<i64> = (0..101)
        .map(|id| {
            let id = if change == Change::Replay { id } else { 1000 + id };
            let (status, allocations) = send(id, change);
            assert_eq!(status, expected, "{}", scheme.name);
            allocations
        })
        .collect();
    // The median: a store's maps grow now and then, for many requests at once.
    counts.sort_unstable();
    counts[counts.len() / 2]
}

/// A delivery of 1 KiB, with its body in one frame as hyper gives it: shared memory, of which clones allocate nothing.
fn request(scheme: Scheme<'static>, id: u32, change: Change) -> Request<Full<Bytes>> {
    let text = format!("{:<1024}", format!(r#"{{"id":"evt_{id}","type":"ping"}}"#));
    let url = "https://hooks.example.com/hook";
    let id = format!("msg_{id}");
    let outgoing = Outgoing { id: Some(&id), now: NOW, ..Outgoing::post(url, text.as_bytes()) };
    let mut request = Request::post("/hook");
    *request.headers_mut().unwrap() = scheme.signer(SECRET).unwrap().sign(&outgoing).unwrap();
    if change == Change::NoSignature {
        request.headers_mut().unwrap().remove(match scheme.signature.place {
            Source::Header(name) => name,
            _ => unreachable!("only headers are measured"),
        });
        // Real requests have headers, whatever is missing.
        request = request.header("user-agent", "stranger");
    }
    if change == Change::Length {
        request = request.header("content-length", "18446744073709551613");
    }
    let mut frame = BytesMut::from(text.as_str());
    if change == Change::Body {
        frame[20] ^= 1;
    }
    request.body(Full::new(frame.split_to(1024).freeze())).unwrap()
}

/// A layer that does nothing, but has state and a body type of its own, as every layer that looks at bodies has.
#[derive(Clone)]
struct Wrap(Arc<()>);

impl<S> Layer<S> for Wrap {
    type Service = Wrapped<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Wrapped { inner, _state: self.0.clone() }
    }
}

#[derive(Clone)]
struct Wrapped<S> {
    inner: S,
    _state: Arc<()>,
}

impl<S, B, ResBody> Service<Request<B>> for Wrapped<S>
where
    S: Service<Request<Opaque<B>>, Response = Response<ResBody>>,
{
    type Response = Response<Opaque<ResBody>>;
    type Error = S::Error;
    type Future = futures_util::future::MapOk<S::Future, fn(Response<ResBody>) -> Response<Opaque<ResBody>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.inner.call(request.map(Opaque)).map_ok(|response| response.map(Opaque))
    }
}

/// A body in a type that is not axum's.
struct Opaque<B>(B);

impl<B: http_body::Body + Unpin> http_body::Body for Opaque<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.size_hint()
    }
}
