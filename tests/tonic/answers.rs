//! What becomes of a delivery when its answer ends this way or that, and statuses that need no socket.

use std::{convert::Infallible, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    body::Verified,
    layer::{ClientAddr, RateLimitLayer, RunToEndLayer, WebhookLayer},
    store::{MemoryNonceStore, MemoryRateStore, NonceStore, Quota, Reserved, Token},
    tonic::GRPC,
};

use crate::support::{
    Answer, Calls, MockStore, Operation, Sent, builder, clock, let_others_run, memory, now, secs, send, verifier,
    with_status,
};

type Frames = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, &'static str>> + Send>>;

const MESSAGE: &[u8] = b"\0\0\0\0\x02\x08\x07";

fn request() -> Request<Full<Bytes>> {
    sent().request()
}

fn sent() -> Sent {
    Sent::new(GRPC, MESSAGE).id("msg_1").header("content-type", "application/grpc")
}

/// What the store knows of a delivery.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Nothing,
    InProgress,
    Done,
}

fn data() -> Result<Frame<Bytes>, &'static str> {
    Ok(Frame::data(Bytes::from_static(MESSAGE)))
}

fn trailers(status: Option<&'static str>) -> Result<Frame<Bytes>, &'static str> {
    let mut trailers = HeaderMap::new();
    if let Some(status) = status {
        trailers.insert("grpc-status", status.parse().unwrap());
    }
    Ok(Frame::trailers(trailers))
}

/// A handler of this answer, of gRPC or of another type.
fn answering(
    content_type: &'static str,
    frames: impl Fn() -> Frames + Clone + Send + 'static,
) -> impl Service<Request<Verified>, Response = Response<WithDefault>, Error = Infallible, Future: Send + 'static> + Clone
{
    service_fn(move |_: Request<Verified>| {
        let frames = frames();
        async move {
            let body = WithDefault(Some(StreamBody::new(frames)));
            Ok(Response::builder().header("content-type", content_type).body(body).unwrap())
        }
    })
}

/// Frames, or nothing for a refusal.
#[derive(Default)]
struct WithDefault(Option<StreamBody<Frames>>);

impl Body for WithDefault {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match &mut self.0 {
            Some(frames) => Pin::new(frames).poll_frame(cx),
            None => std::task::Poll::Ready(None),
        }
    }
}

fn stack<N: NonceStore>(
    store: N,
) -> WebhookLayer<tower::layer::util::Identity, tower::layer::util::Identity, tower_webhook::layer::RejectReplayLayer<N>>
{
    builder(verifier(GRPC), store, &clock()).build().unwrap()
}

fn is_known(store: &MemoryNonceStore) -> Known {
    let (key, token) = (sent().replay_key(), Token::unique());
    match now(store.reserve(key, token, secs(60))).unwrap() {
        Reserved::Fresh => {
            now(store.release(key, token)).unwrap();
            Known::Nothing
        }
        Reserved::InProgress { .. } => Known::InProgress,
        _ => Known::Done,
    }
}

/// The trailers, if the body ended well.
async fn trailers_of<B: Body<Error: std::fmt::Debug> + Unpin>(mut body: B) -> Option<HeaderMap> {
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        trailers = frame.ok()?.into_trailers().ok();
    }
    trailers
}

fn status(trailers: Option<&HeaderMap>) -> &str {
    trailers.and_then(|trailers| trailers.get("grpc-status")).map_or("", |status| status.to_str().unwrap())
}

#[tokio::test]
async fn only_a_status_of_ok_in_the_trailers_is_a_success() {
    let grpc = "application/grpc";
    type Case = (&'static str, &'static str, fn() -> Vec<Result<Frame<Bytes>, &'static str>>, Known);
    let cases: [Case; 11] = [
        ("OK", grpc, || vec![data(), trailers(Some("0"))], Known::Done),
        ("OK of a subtype", "application/grpc+proto", || vec![data(), trailers(Some("0"))], Known::Done),
        ("OK without a message", grpc, || vec![trailers(Some("0"))], Known::Done),
        ("INTERNAL", grpc, || vec![data(), trailers(Some("13"))], Known::Nothing),
        ("no status", grpc, || vec![data(), trailers(None)], Known::Nothing),
        ("a status that is none", grpc, || vec![data(), trailers(Some("00"))], Known::Nothing),
        ("no trailers", grpc, || vec![data()], Known::Nothing),
        ("nothing at all", grpc, Vec::new, Known::Nothing),
        ("an error", grpc, || vec![data(), Err("broke off")], Known::Nothing),
        ("plain HTTP", "application/json", || vec![data()], Known::Done),
        ("plain HTTP with trailers", "application/json", || vec![data(), trailers(Some("13"))], Known::Done),
    ];
    for (what, content_type, frames, expected) in cases {
        let store = memory(&clock());
        let service = stack(store.clone()).layer(answering(content_type, move || stream::iter(frames()).boxed()));
        let response = service.oneshot(request()).await.unwrap();
        let is_grpc = content_type != "application/json";
        assert_eq!(is_known(&store), if is_grpc { Known::InProgress } else { expected }, "{what}");
        let mut handed_on = Vec::new();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            handed_on.push(format!("{frame:?}"));
        }
        let sent: Vec<_> = frames().into_iter().map(|frame| format!("{frame:?}")).collect();
        assert_eq!(handed_on, sent, "{what} is handed on as it is");
        assert_eq!(is_known(&store), expected, "{what}");
    }
}

#[tokio::test]
async fn a_head_that_is_no_success_is_released_without_its_trailers() {
    let store = memory(&clock());
    let layer = builder(verifier(GRPC), store.clone(), &clock()).success_if(|_| false).build().unwrap();
    let service = layer.layer(answering("application/grpc", || stream::iter([trailers(Some("0"))]).boxed()));
    let response = service.oneshot(request()).await.unwrap();
    assert_eq!(is_known(&store), Known::Nothing);
    assert_eq!(status(trailers_of(response.into_body()).await.as_ref()), "0");
    assert_eq!(is_known(&store), Known::Nothing);
}

#[tokio::test]
async fn an_answer_that_is_dropped_before_its_trailers_is_released() {
    let store = memory(&clock());
    let service = stack(store.clone())
        .layer(answering("application/grpc", || stream::iter([data(), trailers(Some("0"))]).boxed()));
    let mut body = service.oneshot(request()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(is_known(&store), Known::InProgress);
    drop(body);
    assert_eq!(is_known(&store), Known::Nothing);
}

#[tokio::test]
async fn an_answer_that_panics_is_released() {
    let store = memory(&clock());
    let service = stack(store.clone()).layer(answering("application/grpc", || {
        stream::iter([data()]).chain(stream::once(async { panic!("in the middle of an answer") })).boxed()
    }));
    let body = service.oneshot(request()).await.unwrap().into_body();
    tokio::spawn(async { trailers_of(body).await }).await.unwrap_err();
    assert_eq!(is_known(&store), Known::Nothing);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_streams_beyond_the_handlers_deadline_is_ended() {
    let always_ready = || stream::repeat_with(data).boxed();
    let never_ready = || stream::pending().boxed();
    // A stream that keeps its thread busy lets no time pass, so it is looked at again later.
    for (what, frames) in [("silent", never_ready as fn() -> Frames), ("endless", always_ready)] {
        let store = memory(&clock());
        let service = stack(store.clone()).layer(answering("application/grpc", frames));
        let start = Instant::now();
        let mut body = service.oneshot(request()).await.unwrap().into_body();
        if what == "endless" {
            body.frame().await.unwrap().unwrap();
            tokio::time::sleep(secs(30)).await;
        }
        let trailers = trailers_of(body).await;
        assert_eq!(status(trailers.as_ref()), "4", "{what}");
        assert_eq!(start.elapsed().as_secs(), 30, "{what}");
        assert_eq!(is_known(&store), Known::Nothing, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_head_has_taken_counts_for_the_deadline_of_the_whole() {
    let store = memory(&clock());
    let inner = answering("application/grpc", || stream::pending().boxed());
    let late = service_fn(move |request: Request<Verified>| {
        let inner = inner.clone();
        async move {
            tokio::time::sleep(secs(20)).await;
            inner.oneshot(request).await
        }
    });
    let start = Instant::now();
    let response = stack(store.clone()).layer(late).oneshot(request()).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 20);
    assert_eq!(status(trailers_of(response.into_body()).await.as_ref()), "4");
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn trailers_are_held_back_until_the_commit_is_done_or_has_taken_too_long() {
    for (what, operation, after, expected) in [
        ("slow", Operation { delay: secs(2), ..Operation::default() }, 2, Known::Done),
        ("hanging", Operation { hangs: true, ..Operation::default() }, 5, Known::InProgress),
        ("failing once", Operation { failures: 1, ..Operation::default() }, 0, Known::InProgress),
    ] {
        let store = MockStore::new(memory(&clock())).committing(operation);
        let service = stack(store.clone())
            .layer(answering("application/grpc", || stream::iter([data(), trailers(Some("0"))]).boxed()));
        let start = Instant::now();
        let mut body = service.oneshot(request()).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(start.elapsed().as_secs(), 0, "{what}: the message is not held back");
        assert!(!body.is_end_stream(), "{what}");
        assert_eq!(status(trailers_of(body).await.as_ref()), "0", "{what}");
        assert_eq!(start.elapsed().as_secs(), after, "{what}");
        assert_eq!(is_known(&store.memory), expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_run_to_end_a_delivery_is_committed_whenever_the_client_leaves() {
    for leaves in ["while the head is made", "after the head", "after the message"] {
        let store = memory(&clock());
        let run_to_end = RunToEndLayer::new();
        let inner = answering("application/grpc", || {
            let later = stream::once(async {
                tokio::time::sleep(secs(3)).await;
                trailers(Some("0"))
            });
            stream::iter([data()]).chain(later).boxed()
        });
        let late = service_fn(move |request: Request<Verified>| {
            let inner = inner.clone();
            async move {
                tokio::time::sleep(secs(3)).await;
                inner.oneshot(request).await
            }
        });
        let layer = builder(verifier(GRPC), store.clone(), &clock()).then(run_to_end.clone()).build().unwrap();
        let mut call = Box::pin(layer.layer(late).oneshot(request()));
        if leaves == "while the head is made" {
            tokio::time::timeout(secs(1), &mut call).await.map(drop).unwrap_err();
        } else {
            let mut body = call.as_mut().await.unwrap().into_body();
            if leaves == "after the message" {
                body.frame().await.unwrap().unwrap();
            }
        }
        drop(call);
        assert_eq!((run_to_end.detached(), is_known(&store)), (1, Known::InProgress), "{leaves}");
        run_to_end.idle().await;
        assert_eq!(is_known(&store), Known::Done, "{leaves}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_runs_to_its_end_alone_is_still_bound_by_the_handlers_deadline() {
    for frames in [(|| stream::pending().boxed()) as fn() -> Frames, || {
        // Always ready, but for what lets the paused time pass.
        stream::repeat_with(data)
            .chunks(1000)
            .then(|frames| async {
                tokio::time::sleep(secs(1)).await;
                stream::iter(frames)
            })
            .flatten()
            .boxed()
    }] {
        let (store, run_to_end) = (memory(&clock()), RunToEndLayer::new());
        let layer = builder(verifier(GRPC), store.clone(), &clock()).then(run_to_end.clone()).build().unwrap();
        let service = layer.layer(answering("application/grpc", frames));
        let start = Instant::now();
        drop(service.oneshot(request()).await.unwrap());
        assert_eq!(run_to_end.detached(), 1);
        run_to_end.idle().await;
        assert_eq!((start.elapsed().as_secs(), is_known(&store)), (30, Known::Nothing));
    }
}

#[tokio::test]
async fn an_answer_that_has_come_to_its_end_does_not_go_on() {
    for content_type in ["application/grpc", "application/json"] {
        let run_to_end = RunToEndLayer::new();
        let layer = builder(verifier(GRPC), memory(&clock()), &clock()).then(run_to_end.clone()).build().unwrap();
        let service = layer.layer(answering(content_type, || stream::iter([data(), trailers(Some("0"))]).boxed()));
        let mut body = service.clone().oneshot(request()).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        body.frame().await.unwrap().unwrap();
        drop(body);
        // What was handled before waits for nothing.
        drop(service.oneshot(request()).await.unwrap());
        assert_eq!(run_to_end.detached(), 0, "{content_type}");
    }
}

#[tokio::test]
async fn a_deadline_strikes_for_those_who_never_pause_as_well() {
    let store = memory(&clock());
    let (timeout, lease) = (Duration::from_millis(20), secs(40));
    let layer = builder(verifier(GRPC), store.clone(), &clock()).handler_timeout(timeout, lease).unwrap();
    let service = layer.build().unwrap().layer(answering("application/grpc", || stream::repeat_with(data).boxed()));
    let mut body = service.oneshot(request()).await.unwrap().into_body();
    let start = Instant::now();
    let trailers = loop {
        assert!(start.elapsed() < secs(20), "it goes on");
        if let Ok(trailers) = body.frame().await.unwrap().unwrap().into_trailers() {
            break trailers;
        }
    };
    assert_eq!((status(Some(&trailers)), is_known(&store)), ("4", Known::Nothing));
}

#[tokio::test]
async fn what_runs_to_its_end_alone_leaves_room_for_others() {
    let (store, run_to_end) = (memory(&clock()), RunToEndLayer::new());
    let builder = builder(verifier(GRPC), store.clone(), &clock()).then(run_to_end.clone());
    let layer = builder.handler_timeout(secs(10), secs(40)).unwrap().build().unwrap();
    let service = layer.layer(answering("application/grpc", || stream::repeat_with(data).boxed()));
    drop(service.oneshot(request()).await.unwrap());
    // With one thread, we are only here again if the other task has paused.
    let_others_run().await;
    assert_eq!((run_to_end.detached(), is_known(&store)), (1, Known::InProgress));
}

#[tokio::test(start_paused = true)]
async fn trouble_of_ours_and_limits_have_their_statuses() {
    let hangs = Operation { hangs: true, ..Operation::default() };
    let fails = Operation { failures: 1, ..Operation::default() };
    let slow = || {
        service_fn(|_: Request<Verified>| async {
            tokio::time::sleep(secs(60)).await;
            Ok::<_, Infallible>(with_status(200))
        })
    };
    let mock = || MockStore::new(memory(&clock()));
    let asked = |answer: Answer| {
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (header("grpc-status").unwrap(), header("grpc-message").unwrap(), header("grpc-retry-pushback-ms").unwrap())
    };
    let calls = Calls::default();
    for (what, answer, status, message, pushback) in [
        (
            "the store fails",
            send(&stack(mock().reserving(fails)).layer(calls.handler()), request()).await,
            "14",
            "unavailable",
            "1000",
        ),
        (
            "the store hangs",
            send(&stack(mock().reserving(hangs)).layer(calls.handler()), request()).await,
            "14",
            "unavailable",
            "1000",
        ),
        ("the handler hangs", send(&stack(mock()).layer(slow()), request()).await, "14", "unavailable", "1000"),
        (
            "too many requests",
            {
                let limit = RateLimitLayer::new(Quota::per_minute(1), ClientAddr::new(), MemoryRateStore::new());
                let layer =
                    WebhookLayer::builder(verifier(GRPC)).with_clock(clock()).rate_limit(limit).build().unwrap();
                let service = layer.layer(Calls::default().handler());
                let from_peer = || {
                    let mut request = request();
                    let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 1));
                    request.extensions_mut().insert(tower_webhook::PeerAddr(peer));
                    request
                };
                send(&service, from_peer()).await;
                send(&service, from_peer()).await
            },
            "8",
            "rate_limited",
            "60000",
        ),
    ] {
        let (answered, said, wait) = asked(answer);
        assert_eq!((&*answered, &*said), (status, message), "{what}");
        // The rates' clock goes on.
        let wait: u32 = wait.parse().unwrap();
        let most: u32 = pushback.parse().unwrap();
        assert!((most - most / 10..=most).contains(&wait), "{what}: {wait}");
    }
    assert_eq!(calls.count(), 0);
    let_others_run().await;
}

#[tokio::test]
async fn bodies_that_could_be_shared_still_can() {
    fn shared<B: Send + Sync>(_: B) {}
    let service = stack(memory(&clock())).layer(Calls::default().handler());
    shared(service.oneshot(request()).now_or_never().unwrap().unwrap().into_body());
}
