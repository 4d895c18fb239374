//! Bodies that are slow, endless, broken, lying or cut in pieces.

mod support;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use support::{Calls, NOW, Sent, clock, poll, secs, send, start, verifier, with_status};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceBuilder, service_fn, util::BoxCloneSyncService};
use tower_webhook::{
    PeerAddr,
    body::{BodyBudget, Buffered, Verified},
    clock::ManualClock,
    layer::{BufferBodyLayer, ClientAddr, RateLimitLayer, VerifySignatureLayer, WebhookLayer},
    provider,
    scheme::Scheme,
    store::{MemoryRateStore, Quota},
};

const CAP: usize = 1000;

#[tokio::test]
async fn a_body_may_be_as_large_as_the_cap_and_not_a_byte_larger() {
    for (length, status) in [(0, 200), (1, 200), (CAP - 1, 200), (CAP, 200), (CAP + 1, 413), (10 * CAP, 413)] {
        let body = text(length);
        for (reader, seen) in readers(BodyBudget::new(100 * CAP)) {
            let frames = |size: usize| body.chunks(size.max(1)).map(|chunk| Step::Data(chunk.to_vec().into()));
            for (what, script) in [
                ("in one frame", Script::new([Step::Data(body.clone())])),
                ("in frames of 7 bytes", Script::new(frames(7))),
                ("announced", Script::new(frames(100)).announcing(length as u64, Some(length as u64))),
            ] {
                let answer = send(&reader, Sent::github("d-1", body.clone()).with_body(script)).await;
                assert_eq!(answer.status, status, "{length} bytes {what}");
                let expected = (status == 200).then(|| body.clone());
                assert_eq!(seen.take().map(|seen| seen.bytes), expected, "{length} bytes {what}");
            }
        }
    }
}

#[tokio::test]
async fn frames_of_any_size_give_the_same_bytes_and_the_same_delivery() {
    let body = text(300);
    let sent = Sent::github("d-1", body.clone());
    for size in (1..=7).chain([63, 64, 65, 299, 300]) {
        for (reader, seen) in readers(BodyBudget::process()) {
            let mut steps = vec![Step::Data(Bytes::new())];
            for chunk in body.chunks(size) {
                steps.extend([Step::Data(chunk.to_vec().into()), Step::Data(Bytes::new()), Step::NotYet]);
            }
            let answer = send(&reader, sent.with_body(Script::new(steps))).await;
            assert_eq!((answer.status.as_u16(), seen.take().unwrap().bytes), (200, body.clone()), "{size}");
        }
    }
}

#[tokio::test]
async fn one_frame_is_handed_on_without_a_copy() {
    let body = text(300);
    for (reader, seen) in readers(BodyBudget::process()) {
        let sent = Sent::github("d-1", body.clone());
        for request in [
            sent.with_body(Script::new([Step::Data(body.clone())])),
            sent.with_body(Script::new([Step::Data(Bytes::new()), Step::NotYet, Step::Data(body.clone())])),
        ] {
            send(&reader, request).await;
            assert_eq!(seen.take().unwrap().bytes.as_ptr(), body.as_ptr());
        }
    }
}

#[tokio::test]
async fn chunks_that_are_not_in_one_piece_are_joined() {
    let body = Bytes::from_static(b"first, second, third");
    let (first, rest) = (body.slice(..7), body.slice(7..));
    let (second, third) = (rest.slice(..8), rest.slice(8..));
    let whole = || first.clone().chain(second.clone()).chain(third.clone());
    let (calls, sent) = (Calls::default(), Sent::github("d-1", body.clone()));
    let verify = VerifySignatureLayer::new(verifier(provider::GITHUB)).layer(calls.handler());
    assert_eq!(send(&verify, sent.with_body(Full::new(whole()))).await.status, 200);
    let buffer = BufferBodyLayer::new().layer(service_fn(|request: Request<Buffered>| async {
        Ok::<_, Infallible>(Response::new(Full::new(request.into_body().bytes().clone())))
    }));
    assert_eq!(send(&buffer, sent.with_body(Full::new(whole()))).await.body, body);
}

#[tokio::test]
async fn trailers_reach_the_handler() {
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-checksum"), "7".parse().unwrap())]);
    for body in [Bytes::new(), text(10)] {
        for (reader, seen) in readers(BodyBudget::process()) {
            let steps = [Step::Data(body.clone()), Step::NotYet, Step::Trailers(trailers.clone())];
            let answer = send(&reader, Sent::github("d-1", body.clone()).with_body(Script::new(steps))).await;
            assert_eq!(answer.status, 200);
            assert_eq!(seen.take(), Some(Seen { bytes: body.clone(), trailers: Some(trailers.clone()) }));
        }
    }
}

#[tokio::test]
async fn a_signature_in_the_trailers_is_none() {
    let sent = Sent::github("d-1", text(10));
    let steps = [Step::Data(text(10)), Step::Trailers(sent.headers())];
    for (what, sent) in [
        ("alone", sent.clone().without("x-hub-signature-256")),
        ("beside a wrong one", sent.clone().signed_with(&[support::OLD_SECRET])),
    ] {
        let service = WebhookLayer::new(verifier(provider::GITHUB)).layer(Calls::default().handler());
        assert_eq!(send(&service, sent.with_body(Script::new(steps.clone()))).await.status, 401, "{what}");
    }
}

#[tokio::test]
async fn no_body_is_no_body_in_whatever_form() {
    let sent = Sent::github("d-1", "");
    for (reader, seen) in readers(BodyBudget::process()) {
        let empty = Seen { bytes: Bytes::new(), trailers: None };
        let announced = sent.clone().header("content-length", "0");
        let forms = [
            sent.with_body(Script::new([])),
            sent.with_body(Script::new([Step::Data(Bytes::new()), Step::Data(Bytes::new())])),
            sent.with_body(Script::new([Step::NotYet])),
            announced.with_body(Script::new([]).announcing(0, Some(0))),
        ];
        for request in forms {
            assert_eq!(send(&reader, request).await.status, 200);
            assert_eq!(seen.take().as_ref(), Some(&empty));
        }
    }
    let service = VerifySignatureLayer::new(verifier(provider::GITHUB)).layer(Calls::default().handler());
    assert_eq!(send(&service, sent.with_body(Empty::<Bytes>::new())).await.status, 200);
    assert_eq!(send(&service, sent.with_body(Full::<Bytes>::default())).await.status, 200);
}

#[tokio::test]
async fn buffering_twice_or_before_verification_changes_nothing() {
    let (body, budget) = (text(CAP), BodyBudget::new(CAP));
    let buffer = || BufferBodyLayer::new().max_body(CAP).budget(budget.clone());
    let seen = Shared::default();
    let handler = seen.clone();
    let service = ServiceBuilder::new()
        .layer(buffer())
        .layer(buffer())
        .layer(VerifySignatureLayer::new(verifier(provider::GITHUB)).max_body(CAP).budget(budget.clone()))
        .service(service_fn(move |request: Request<Verified>| handler.clone().see(request)));
    let sent = Sent::github("d-1", body.clone());
    let answer = send(&service, sent.with_body(Script::new([Step::Data(body.clone())]))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(seen.take().unwrap().bytes.as_ptr(), body.as_ptr(), "no copy was made");
    let halves = [Step::Data(body.slice(..CAP / 2)), Step::NotYet, Step::Data(body.slice(CAP / 2..))];
    assert_eq!(send(&service, sent.with_body(Script::new(halves))).await.status, 200);
    assert_eq!(seen.take().unwrap().bytes, body);
    assert_eq!(budget.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_pauses_or_lasts_too_long_is_given_up() {
    let wait = |millis| Step::Wait(Duration::from_millis(millis));
    let drops = |every, times| {
        (0..times).flat_map(move |drop| [wait(every), Step::Data(text(21).slice(drop % 21..drop % 21 + 1))])
    };
    for (what, script, expected) in [
        ("hangs at once", Script::new([Step::Hang]), Err(2000)),
        ("hangs midway", Script::new([Step::Data(text(10)), wait(1500), Step::Data(text(11)), Step::Hang]), Err(3500)),
        (
            "never says that it ended",
            Script::new([Step::Data(text(21)), Step::Hang]).announcing(21, Some(21)),
            Err(2000),
        ),
        ("waits almost too long", Script::new([wait(1999), Step::Data(text(21))]), Ok(1999)),
        ("is never idle", Script::new(drops(1900, 100)), Err(10_000)),
        ("comes in drops, but in time", Script::new(drops(450, 21)), Ok(9450)),
        (
            "holds only empty frames",
            Script::new((0..100).flat_map(|_| [wait(100), Step::Data(Bytes::new())])),
            Err(2000),
        ),
        (
            "holds only trailers",
            Script::new((0..100).flat_map(|_| [wait(100), Step::Trailers(HeaderMap::new())])),
            Err(2000),
        ),
        ("has trailers that never come", Script::new([Step::Data(text(21)), wait(100), Step::Hang]), Err(2000)),
    ] {
        for (reader, seen) in readers(BodyBudget::process()) {
            let start = Instant::now();
            let answer = send(&reader, Sent::github("d-1", text(21)).with_body(script.clone())).await;
            let millis = u64::try_from(start.elapsed().as_millis()).unwrap();
            let status = if expected.is_ok() { 200 } else { 408 };
            assert_eq!(answer.status, status, "a body that {what}");
            let expected = expected.unwrap_or_else(|late| late);
            assert!((expected..expected + 10).contains(&millis), "a body that {what}: {millis} ms");
            assert_eq!(seen.take().is_some(), status == 200, "a body that {what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn empty_frames_without_end_keep_neither_the_thread_nor_the_deadline() {
    const FRAMES_A_TURN: usize = 64;
    for (mut reader, seen) in readers(BodyBudget::process()) {
        let script = Script::new([Step::Endless(Bytes::new())]);
        let mut reading = Box::pin(start(&mut reader, Sent::github("d-1", "").with_body(script.clone())).await);
        for turn in 0..200 {
            assert!(poll(reading.as_mut()).is_pending(), "turn {turn}");
            assert_eq!(script.polls.swap(0, Ordering::SeqCst), FRAMES_A_TURN, "turn {turn}");
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let Poll::Ready(Ok(response)) = poll(reading.as_mut()) else { panic!("still reading") };
        assert_eq!((response.status().as_u16(), seen.take()), (408, None));

        // In a task of its own: whoever gives way must also ask to be called again.
        let start = Instant::now();
        let request = Sent::github("d-1", "").with_body(script);
        let reading = tokio::spawn(async move { send(&reader, request).await });
        while !reading.is_finished() {
            tokio::time::advance(Duration::from_millis(10)).await;
            assert!(start.elapsed() < secs(3), "still reading");
        }
        assert_eq!(reading.await.unwrap().status, 408);
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_cap() {
    for size in [1, 7, 100, CAP - 1, CAP, CAP + 1] {
        let budget = BodyBudget::new(CAP);
        for (reader, seen) in readers(budget.clone()) {
            let held = Arc::new(AtomicUsize::new(0));
            let script =
                Script { watched: Some((budget.clone(), held.clone())), ..Script::new([Step::Endless(text(size))]) };
            let polls = script.polls.clone();
            assert_eq!(send(&reader, Sent::github("d-1", "").with_body(script)).await.status, 413, "{size}");
            assert_eq!(polls.load(Ordering::SeqCst), CAP / size + 1, "{size}");
            assert!(held.load(Ordering::SeqCst) <= CAP, "{size}");
            assert_eq!(budget.held(), 0, "{size}");
            assert!(seen.take().is_none());
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_refused() {
    for steps in [
        vec![Step::Fail],
        vec![Step::Data(text(10)), Step::Fail],
        vec![Step::Data(text(21)), Step::Fail],
        vec![Step::Data(text(21)), Step::NotYet, Step::Trailers(HeaderMap::new()), Step::Fail],
    ] {
        let budget = BodyBudget::new(CAP);
        for (reader, seen) in readers(budget.clone()) {
            let request = Sent::github("d-1", text(21)).with_body(Script::new(steps.clone()));
            let answer = send(&reader, request).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (400, "broken_body"), "{steps:?}");
            assert_eq!((seen.take(), budget.held()), (None, 0));
        }
    }
}

#[tokio::test]
async fn what_a_body_says_of_its_length_is_not_believed() {
    for (what, lower, upper) in [
        ("nothing", 0, None),
        ("too little", 1, Some(1)),
        ("too much", CAP as u64, None),
        ("nothing at all", 0, Some(0)),
    ] {
        for (length, status) in [(21, 200), (CAP, 200), (CAP + 1, 413)] {
            for (reader, _) in readers(BodyBudget::process()) {
                let steps: Vec<_> = text(length).chunks(10).map(|chunk| Step::Data(chunk.to_vec().into())).collect();
                let script = Script::new(steps).announcing(lower, upper);
                let answer = send(&reader, Sent::github("d-1", text(length)).with_body(script)).await;
                assert_eq!(answer.status, status, "{length} bytes, says {what}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_head_tells_is_answered_without_a_look_at_the_body() {
    let github = || Sent::github("d-1", text(21));
    let standard = || Sent::standard("msg_1");
    let too_large = (CAP + 1).to_string();
    for (expected, sent) in [
        ("method_not_allowed", github().method(Method::PUT)),
        ("body_too_large", github().header("content-length", &too_large)),
        ("body_too_large", github().header("content-length", "18446744073709551613")),
        ("unsupported_transfer_coding", github().header("transfer-encoding", "gzip, chunked")),
        ("unsupported_content_coding", github().header("content-encoding", "gzip")),
        ("unsupported_content_coding", github().header("content-encoding", "identity, gzip")),
        ("missing_signature", github().without("x-hub-signature-256")),
        ("unusable_signature", github().header("x-hub-signature-256", "sha1=00")),
        ("unusable_signature", github().header("x-hub-signature-256", "")),
        ("header_too_long", github().header("x-hub-signature-256", &"a".repeat(8193))),
        ("missing_timestamp", standard().without("webhook-timestamp")),
        ("malformed_timestamp", standard().header("webhook-timestamp", "+1800000000")),
        ("stale", standard().at(NOW - 301)),
        ("from_the_future", standard().at(NOW + 301)),
        ("missing_id", standard().without("webhook-id")),
        ("malformed_id", standard().header("webhook-id", "msg 1")),
        ("conflicting_headers", standard().header("svix-id", "msg_2")),
    ] {
        let clock = clock();
        let script = Script::new([Step::Hang]);
        let answer = send(&whole_stack(sent.scheme(), clock), sent.with_body(script.clone())).await;
        assert_eq!(answer.reason(), expected);
        assert_eq!(script.polls.load(Ordering::SeqCst), 0, "{expected}");
    }

    let hinted = Script::new([Step::Hang]).announcing(CAP as u64 + 1, None);
    let answer = send(&whole_stack(provider::GITHUB, clock()), github().with_body(hinted.clone())).await;
    assert_eq!((answer.reason(), hinted.polls.load(Ordering::SeqCst)), ("body_too_large", 0));

    let mut twice = github().with_body(Script::new([Step::Hang]));
    let signature = twice.headers()["x-hub-signature-256"].clone();
    twice.headers_mut().append("x-hub-signature-256", signature);
    let polls = twice.body().polls.clone();
    let answer = send(&whole_stack(provider::GITHUB, clock()), twice).await;
    assert_eq!((answer.reason(), polls.load(Ordering::SeqCst)), ("duplicate_header", 0));

    let broken = clock();
    broken.break_down();
    let script = Script::new([Step::Hang]);
    let answer = send(&whole_stack(provider::STANDARD_WEBHOOKS, broken), standard().with_body(script.clone())).await;
    assert!(answer.asks_to_retry());
    assert_eq!((answer.reason(), script.polls.load(Ordering::SeqCst)), ("clock_unavailable", 0));

    for (expected, address) in [("misconfigured", None), ("rate_limited", Some([192, 0, 2, 1]))] {
        let limit = RateLimitLayer::new(Quota::per_minute(0), ClientAddr::new(), MemoryRateStore::new());
        let layer = WebhookLayer::builder(verifier(provider::GITHUB)).rate_limit(limit).build().unwrap();
        let script = Script::new([Step::Hang]);
        let mut request = github().with_body(script.clone());
        if let Some(address) = address {
            request.extensions_mut().insert(PeerAddr(SocketAddr::from((address, 443))));
        }
        let answer = send(&layer.layer(Calls::default().handler()), request).await;
        assert_eq!((answer.reason(), script.polls.load(Ordering::SeqCst)), (expected, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn unverified_bodies_share_a_budget_and_give_it_back() {
    let budget = BodyBudget::new(10);
    for (reader, _) in readers(budget.clone()) {
        let good = |length| Sent::github("d-1", text(length)).with_body(Script::new([Step::Data(text(length))]));
        let hangs = Sent::github("d-1", text(6)).with_body(Script::new([Step::Data(text(6)), Step::Hang]));
        let mut service = reader.clone();
        let mut hanging = Box::pin(start(&mut service, hangs).await);
        assert!(poll(hanging.as_mut()).is_pending());
        assert_eq!(budget.held(), 6);
        assert_eq!(send(&reader, good(4)).await.status, 200);
        let answer = send(&reader, good(5)).await;
        assert!(answer.asks_to_retry(), "{answer:?}");
        assert_eq!((answer.reason(), budget.held()), ("budget_exhausted", 6));
        drop(hanging);
        assert_eq!(budget.held(), 0, "given back by a client that left");

        assert_eq!(send(&reader, good(10)).await.status, 200);
        assert_eq!(budget.held(), 0, "given back by a body that was handled");
        for steps in
            [vec![Step::Data(text(6)), Step::Hang], vec![Step::Data(text(6)), Step::Fail], vec![Step::Endless(text(3))]]
        {
            let answer = send(&reader, Sent::github("d-1", text(6)).with_body(Script::new(steps.clone()))).await;
            assert_ne!(answer.status, 200);
            assert_eq!(budget.held(), 0, "given back by {steps:?}");
        }
        let forged = Sent::github("d-1", text(6)).signed_with(&[support::OLD_SECRET]);
        send(&reader, forged.with_body(Script::new([Step::Data(text(6))]))).await;
        assert_eq!(budget.held(), 0, "given back by a body that was forged");
    }
}

#[tokio::test]
async fn verified_bodies_are_no_part_of_the_budget() {
    let budget = BodyBudget::new(10);
    let handler = {
        let budget = budget.clone();
        service_fn(move |request: Request<Verified>| {
            let held = budget.held();
            async move {
                assert_eq!((request.body().bytes().len(), held), (10, 0));
                Ok::<_, Infallible>(with_status(200))
            }
        })
    };
    let service = VerifySignatureLayer::new(verifier(provider::GITHUB)).budget(budget).layer(handler);
    assert_eq!(send(&service, Sent::github("d-1", text(10)).request()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn deadlines_without_end_are_none() {
    let layer = BufferBodyLayer::new().body_timeout(Duration::MAX).idle_timeout(Duration::MAX);
    let mut service = layer.layer(service_fn(|_: Request<Buffered>| async { Ok::<_, Infallible>(with_status(200)) }));
    let hangs = Sent::github("d-1", text(6)).with_body(Script::new([Step::Data(text(6)), Step::Hang]));
    let mut hanging = Box::pin(start(&mut service, hangs).await);
    assert!(poll(hanging.as_mut()).is_pending());
    tokio::time::advance(secs(86_400)).await;
    assert!(poll(hanging.as_mut()).is_pending());
}

#[test]
fn deadlines_of_nothing_are_refused() {
    let builder = || WebhookLayer::builder(verifier(provider::GITHUB));
    assert!(builder().body_timeout(Duration::ZERO).build().is_err());
    assert!(builder().idle_timeout(Duration::ZERO).build().is_err());
}

fn whole_stack(
    scheme: Scheme<'static>,
    clock: ManualClock,
) -> impl Service<Request<Script>, Response = Response<impl Body<Error = Infallible>>, Error = Infallible> + Clone {
    let layer = WebhookLayer::builder(verifier(scheme)).with_clock(clock).max_body(CAP).build().unwrap();
    layer.layer(Calls::default().handler())
}

/// What a body does next.
#[derive(Clone, Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Pending once, and ready at once after.
    NotYet,
    Wait(Duration),
    Hang,
    Fail,
    /// The same frame again and again, without ever waiting.
    Endless(Bytes),
}

/// A body that follows a script and counts how often it is polled.
#[derive(Clone)]
struct Script {
    steps: VecDeque<Step>,
    until: Option<Instant>,
    hint: SizeHint,
    polls: Arc<AtomicUsize>,
    /// A budget, and the most that was seen to be held of it.
    watched: Option<(BodyBudget, Arc<AtomicUsize>)>,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            until: None,
            hint: SizeHint::default(),
            polls: Arc::default(),
            watched: None,
        }
    }

    fn announcing(mut self, lower: u64, upper: Option<u64>) -> Self {
        self.hint.set_lower(lower.min(upper.unwrap_or(u64::MAX)));
        if let Some(upper) = upper {
            self.hint.set_upper(upper);
        }
        self
    }

    fn wait(&mut self, time: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + time);
        if Instant::now() >= until {
            self.until = None;
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            waker.wake();
        });
        Poll::Pending
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        if let Some((budget, most)) = &self.watched {
            most.fetch_max(budget.held(), Ordering::SeqCst);
        }
        loop {
            match self.steps.front().cloned() {
                None => return Poll::Ready(None),
                Some(Step::Endless(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Hang) => return Poll::Pending,
                Some(Step::Wait(time)) => std::task::ready!(self.wait(time, cx)),
                Some(Step::NotYet) => {
                    cx.waker().wake_by_ref();
                    self.steps.pop_front();
                    return Poll::Pending;
                }
                Some(Step::Fail) => return Poll::Ready(Some(Err("broken off"))),
                Some(Step::Data(bytes)) => {
                    self.steps.pop_front();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Trailers(trailers)) => {
                    self.steps.pop_front();
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
            }
            self.steps.pop_front();
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

/// What a handler was given.
#[derive(Debug, PartialEq)]
struct Seen {
    bytes: Bytes,
    trailers: Option<HeaderMap>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Option<Seen>>>);

impl Shared {
    fn take(&self) -> Option<Seen> {
        self.0.lock().unwrap().take()
    }

    async fn see<B>(self, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data = Bytes, Error = Infallible>,
    {
        let collected = request.into_body().collect().await.unwrap();
        let trailers = collected.trailers().cloned();
        *self.0.lock().unwrap() = Some(Seen { bytes: collected.to_bytes(), trailers });
        Ok(with_status(200))
    }
}

type Reader = BoxCloneSyncService<Request<Script>, Response<Full<Bytes>>, Infallible>;

/// The two layers that read bodies, within [`CAP`], 2 seconds without a byte and 10 seconds as a whole.
fn readers(budget: BodyBudget) -> [(Reader, Shared); 2] {
    let (buffered, verified) = (Shared::default(), Shared::default());
    let buffer =
        BufferBodyLayer::new().max_body(CAP).idle_timeout(secs(2)).body_timeout(secs(10)).budget(budget.clone()).layer(
            service_fn({
                let seen = buffered.clone();
                move |request: Request<Buffered>| seen.clone().see(request)
            }),
        );
    let verify = VerifySignatureLayer::new(verifier(provider::GITHUB))
        .max_body(CAP)
        .idle_timeout(secs(2))
        .body_timeout(secs(10))
        .budget(budget)
        .layer(service_fn({
            let seen = verified.clone();
            move |request: Request<Verified>| seen.clone().see(request)
        }));
    [(BoxCloneSyncService::new(buffer), buffered), (BoxCloneSyncService::new(verify), verified)]
}

fn text(length: usize) -> Bytes {
    (0..length).map(|index| b'a' + u8::try_from(index % 26).unwrap()).collect()
}
