//! Tower's contract: who is called has been made ready, who is not called keeps nothing from others.

mod support;

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use support::{
    Answer, Calls, MockStore, Operation, Sent, Strict, clock, let_others_run, poll, secs, send, start, verifier,
    with_status,
};
use tokio::{sync::Semaphore, task::JoinSet};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    buffer::{Buffer, BufferLayer},
    limit::{ConcurrencyLimit, ConcurrencyLimitLayer},
    load_shed::{LoadShedLayer, error::Overloaded},
    service_fn,
    timeout::{TimeoutLayer, error::Elapsed},
};
use tower_webhook::{
    Delivery, PeerAddr, Tls,
    body::{Buffered, Verified},
    clock::ManualClock,
    layer::{
        AllowEventsLayer, AllowSourcesLayer, BufferBodyLayer, BySender, Check, ClientAddr, EnforceTimestampLayer,
        GuardLayer, HandshakeLayer, Never, ObserveLayer, RateLimitLayer, RejectReplayLayer, RenderRejectionsLayer,
        ReportSignatureLayer, RequireHttpsLayer, RequireMediaTypeLayer, RunToEndLayer, Sources, Step,
        ValidatePayloadLayer, VerifySignatureLayer, WebhookLayer,
    },
    provider,
    scheme::{Signer, Verifier},
    store::{Charge, MemoryNonceStore, MemoryRateStore, Quota, Quotas, RateKey, RateStore, Standing, StoreError},
};

/// Every layer, each as the innermost one, and the whole stack; runs `$exercise!(name, layer)` for each.
macro_rules! for_each_layer {
    ($exercise:ident, $clock:expr, $store:expr) => {{
        let quota = Quota::per_minute(1_000_000);
        let verify = || VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock($clock.clone());
        $exercise!("render", RenderRejectionsLayer::new());
        $exercise!("observe", ObserveLayer::new());
        $exercise!("require https", RequireHttpsLayer::new());
        $exercise!(
            "allow sources",
            AllowSourcesLayer::new(Sources::networks(["0.0.0.0/1", "128.0.0.0/1", "::/1"]).unwrap())
        );
        $exercise!("handshake", HandshakeLayer::for_provider("dropbox", None).unwrap());
        $exercise!("require media type", RequireMediaTypeLayer::new(["application/json"]).unwrap());
        $exercise!(
            "report signature",
            ReportSignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock($clock.clone())
        );
        $exercise!("rate limit", RateLimitLayer::new(quota, ClientAddr::new(), MemoryRateStore::new()));
        $exercise!(
            "rate limit for failures",
            RateLimitLayer::new(quota, ClientAddr::new(), MemoryRateStore::new()).charge_failures()
        );
        $exercise!("rate limit in a store elsewhere", RateLimitLayer::new(quota, ClientAddr::new(), SlowRates));
        $exercise!("buffer body", BufferBodyLayer::new());
        $exercise!("verify signature", verify());
        $exercise!(
            "enforce timestamp",
            ServiceBuilder::new()
                .layer(verify())
                .layer(EnforceTimestampLayer::new(secs(30)).with_clock($clock.clone()))
                .into_inner()
        );
        $exercise!(
            "rate limit by sender",
            ServiceBuilder::new()
                .layer(verify())
                .layer(RateLimitLayer::new(quota, BySender, MemoryRateStore::new()))
                .into_inner()
        );
        $exercise!(
            "signed handshake",
            ServiceBuilder::new().layer(verify()).layer(HandshakeLayer::new().signed()).into_inner()
        );
        $exercise!(
            "allow events",
            ServiceBuilder::new().layer(verify()).layer(AllowEventsLayer::by(|_| true)).into_inner()
        );
        $exercise!(
            "validate payload",
            ServiceBuilder::new().layer(verify()).layer(ValidatePayloadLayer::new()).into_inner()
        );
        $exercise!("run to end", ServiceBuilder::new().layer(verify()).layer(RunToEndLayer::new()).into_inner());
        $exercise!(
            "reject replay",
            ServiceBuilder::new().layer(verify()).layer(RejectReplayLayer::new($store.clone())).into_inner()
        );
        $exercise!("own check", GuardLayer::new(LetThrough));
        $exercise!(
            "the whole stack",
            WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS))
                .with_clock($clock.clone())
                .observe(ObserveLayer::new())
                .rate_limit(RateLimitLayer::new(quota, ClientAddr::new(), MemoryRateStore::new()))
                .then(EnforceTimestampLayer::new(secs(30)).with_clock($clock.clone()))
                .replay($store.clone())
                .build()
                .unwrap()
        );
    }};
}

/// Lets through, and says so at the second poll.
#[derive(Clone)]
struct SlowRates;

impl RateStore for SlowRates {
    type Check = Pin<Box<dyn Future<Output = Result<Standing, StoreError>> + Send>>;

    fn check(&self, _: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
        let standing = quotas.settle(&mut [], 0, charge);
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(standing)
        })
    }
}

#[tokio::test]
async fn only_a_service_that_was_made_ready_is_called() {
    for waits in [0, 2] {
        let clock = clock();
        let store = store(&clock, waits);
        macro_rules! exercise {
            ($name:expr, $layer:expr) => {
                let calls = Calls::default();
                let mut service = $layer.layer(Strict::new(calls.clone()));
                let mut twin = service.clone();
                for request in mixed_requests($name) {
                    Answer::of(start(&mut service, request.clone()).await.await.unwrap()).await;
                    // Made ready, and cloned before it is called.
                    service_ready::<_, Full<Bytes>>(&mut service).await.unwrap();
                    let mut clone = service.clone();
                    Answer::of(start(&mut clone, request.clone()).await.await.unwrap()).await;
                    Answer::of(service.call(request.clone()).await.unwrap()).await;
                    drop(start(&mut twin, request.clone()).await);
                    Answer::of(start(&mut twin, request).await.await.unwrap()).await;
                }
                assert!(calls.count() > 0, "{}", $name);
            };
        }
        for_each_layer!(exercise, clock, store);
    }
}

#[tokio::test]
async fn a_service_that_is_not_ready_says_so_itself_and_nothing_is_reserved() {
    for waits in [0, 2] {
        let clock = clock();
        let store = store(&clock, waits);
        macro_rules! exercise {
            ($name:expr, $layer:expr) => {
                let mut service = $layer.layer(NeverReady);
                let result = service_ready::<_, Full<Bytes>>(&mut service).await;
                assert_eq!(result, Err("out of order"), "{}", $name);
                let error = service.oneshot(mixed_requests($name).remove(0)).await.err();
                assert_eq!(error, Some("out of order"), "{}", $name);
            };
        }
        for_each_layer!(exercise, clock, store);
        let_others_run().await;
        assert!(store.memory.is_empty());
        assert_eq!(store.asked(), [0, 0, 0]);
    }
}

#[tokio::test]
async fn a_service_that_breaks_while_a_body_is_read_says_so_itself_and_nothing_is_reserved() {
    let clock = clock();
    let store = store(&clock, 0);
    let layer = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock).replay(store.clone());
    let is_broken = Arc::new(AtomicBool::new(false));
    let mut service = layer.build().unwrap().layer(Breakable(Arc::clone(&is_broken)));
    let answer = start(&mut service, Sent::standard("msg_1").request()).await;
    is_broken.store(true, Ordering::SeqCst);
    assert_eq!(answer.await.err(), Some("out of order"));
    assert!(store.memory.is_empty());
    is_broken.store(false, Ordering::SeqCst);
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_awaited_holds_no_permit() {
    let (clock, calls) = (clock(), Calls::default());
    let service = stack(&clock).layer(ConcurrencyLimit::new(calls.handler(), 1));
    let never = || StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let mut strangers = Vec::new();
    for _ in 0..10 {
        let mut answer = Box::pin(start(&mut service.clone(), Sent::standard("msg_1").with_body(never())).await);
        assert!(poll(answer.as_mut()).is_pending());
        strangers.push(answer);
    }
    let genuine = tokio::time::timeout(secs(1), send(&service, Sent::standard("msg_1").request())).await;
    assert_eq!(genuine.expect("strangers hold the permit").status, 200);
    drop(strangers);
}

#[tokio::test]
async fn who_is_refused_or_answered_holds_no_permit() {
    for waits in [0, 2] {
        let clock = clock();
        let store = store(&clock, waits);
        macro_rules! exercise {
            ($name:expr, $layer:expr) => {
                let calls = Calls::default();
                let limited = ConcurrencyLimit::new(calls.handler(), 1);
                let service = $layer.layer(limited);
                // Each of these stays around after its only request, as the services of idle connections do.
                let mut idle = Vec::new();
                for request in mixed_requests($name).into_iter().cycle().take(100) {
                    let mut service = service.clone();
                    let mut answer =
                        Box::pin(async { Answer::of(start(&mut service, request).await.await.unwrap()).await });
                    // No timer runs here: what is not ready after so many polls waits for a permit for ever.
                    let answered = (0..50).any(|_| poll(answer.as_mut()).is_ready());
                    assert!(answered, "{}: somebody idle holds the permit", $name);
                    drop(answer);
                    idle.push(service);
                }
                assert!(calls.count() > 0, "{}", $name);
            };
        }
        for_each_layer!(exercise, clock, store);
    }
}

#[tokio::test]
async fn who_answers_duplicates_behind_a_buffer_holds_no_permit() {
    let (clock, calls) = (clock(), Calls::default());
    let limited = ConcurrencyLimit::new(calls.handler::<Verified>(), 1);
    // The buffer's worker keeps the one service that it has.
    let service = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock.clone()))
        .layer(BufferLayer::new(1))
        .layer(RejectReplayLayer::new(MemoryNonceStore::new().with_clock(clock)))
        .service(limited.clone());
    for is_duplicate in [false, true] {
        assert_eq!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate(), is_duplicate);
        let_others_run().await;
        let mut other = limited.clone();
        assert!(poll(Box::pin(service_ready::<_, Verified>(&mut other)).as_mut()).is_ready(), "{is_duplicate}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_requests_share_one_permit() {
    let (clock, calls) = (clock(), Calls::default());
    let running = Arc::new(Semaphore::new(1));
    let handler = calls.answering(move |_| {
        let permit = running.clone().try_acquire_owned().expect("two handlers at once");
        async move {
            tokio::task::yield_now().await;
            drop(permit);
            with_status(200)
        }
    });
    let service = stack(&clock).layer(ConcurrencyLimit::new(handler, 1));
    let mut requests = JoinSet::new();
    for number in 0..100 {
        let service = service.clone();
        let sent = Sent::standard(&format!("msg_{}", number % 40));
        let sent = if number % 3 == 0 { sent.signed_with(&[support::OLD_SECRET]) } else { sent };
        requests.spawn(async move { send(&service, sent.request()).await.status });
    }
    let statuses = requests.join_all().await;
    let refused = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(refused, 34);
    assert_eq!(calls.count(), 40, "each delivery once, however many refused ones there are");
}

#[tokio::test]
async fn a_client_that_leaves_returns_its_permit() {
    let clock = clock();
    let calls = Calls::default();
    let handler = calls.answering(|call| async move {
        if call == 1 {
            std::future::pending::<()>().await;
        }
        with_status(200)
    });
    let service = stack(&clock).layer(ConcurrencyLimit::new(handler, 1));
    let mut left = Box::pin(start(&mut service.clone(), Sent::standard("msg_1").request()).await);
    assert!(poll(left.as_mut()).is_pending());
    assert!(poll(Box::pin(service_ready::<_, Full<Bytes>>(&mut service.clone())).as_mut()).is_pending());
    drop(left);
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
}

#[tokio::test]
async fn every_layer_works_around_and_inside_what_must_be_ready() {
    for waits in [0, 2] {
        let clock = clock();
        let store = store(&clock, waits);
        macro_rules! exercise {
            ($name:expr, $layer:expr) => {
                let calls = Calls::default();
                let strict = || Strict::new(calls.clone());
                let within = || ServiceBuilder::new().concurrency_limit(1);
                none_hangs(&format!("{} around", $name), $layer.layer(within().service(strict()))).await;
                none_hangs(&format!("{} shedding", $name), $layer.layer(within().load_shed().service(strict()))).await;
                none_hangs(&format!("{} buffer", $name), $layer.layer(Buffer::new(strict(), 1))).await;
                none_hangs(&format!("{} inside", $name), within().service($layer.layer(strict()))).await;
                none_hangs(&format!("{} shed", $name), within().load_shed().service($layer.layer(strict()))).await;
                none_hangs(&format!("{} buffered", $name), Buffer::new($layer.layer(strict()), 1)).await;
                assert!(calls.count() > 0, "{}", $name);
            };
        }
        for_each_layer!(exercise, clock, store);
    }
}

#[tokio::test]
async fn a_buffer_may_stand_inside_or_outside() {
    let (clock, calls) = (clock(), Calls::default());
    let inside = stack(&clock).layer(Buffer::new(calls.handler(), 1));
    let outside = ServiceBuilder::new().layer(BufferLayer::new(1)).service(stack(&clock).layer(calls.handler()));
    let both =
        ServiceBuilder::new().layer(BufferLayer::new(1)).service(stack(&clock).layer(Buffer::new(calls.handler(), 1)));
    exercise_mixed(inside).await;
    exercise_mixed(outside).await;
    exercise_mixed(both).await;
}

#[tokio::test]
async fn load_shedding_inside_loses_nothing() {
    let (clock, calls, gate) = (clock(), Calls::default(), Arc::new(Semaphore::new(0)));
    let store = MemoryNonceStore::new().with_clock(clock.clone());
    let handler = calls.answering({
        let gate = gate.clone();
        move |_| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                with_status(200)
            }
        }
    });
    let inner = ServiceBuilder::new().layer(LoadShedLayer::new()).layer(ConcurrencyLimitLayer::new(1)).service(handler);
    let layer = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock).replay(store.clone());
    let mut service = layer.build().unwrap().layer(inner);
    let mut first = Box::pin(start(&mut service, Sent::standard("msg_1").request()).await);
    assert!(poll(first.as_mut()).is_pending());
    let shed = service.clone().oneshot(Sent::standard("msg_2").request()).await.unwrap_err();
    assert!(shed.is::<Overloaded>(), "{shed}");
    assert_eq!(store.len(), 1, "what was shed is not reserved");
    gate.add_permits(2);
    assert_eq!(first.await.unwrap().status(), 200);
    let retry = send(&service, Sent::standard("msg_2").request()).await;
    assert!(retry.status == 200 && !retry.is_duplicate());
    assert!(send(&service, Sent::standard("msg_2").request()).await.is_duplicate());
}

#[tokio::test]
async fn load_shedding_outside_sheds_before_anything_is_read() {
    let (clock, calls) = (clock(), Calls::default());
    let handler = calls.answering(|_| std::future::pending());
    let inner = stack(&clock).layer(ConcurrencyLimit::new(handler, 1));
    let mut service = ServiceBuilder::new().layer(LoadShedLayer::new()).service(inner);
    let mut first = Box::pin(start(&mut service, Sent::standard("msg_1").request()).await);
    assert!(poll(first.as_mut()).is_pending());
    let shed = service.clone().oneshot(Sent::standard("msg_1").request()).await.unwrap_err();
    assert!(shed.is::<Overloaded>(), "{shed}");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_or_outside_lets_the_retry_in() {
    let slow_once = |calls: &Calls| {
        calls.answering(|call| async move {
            if call == 1 {
                tokio::time::sleep(secs(20)).await;
            }
            with_status(200)
        })
    };
    let (clock, calls) = (clock(), Calls::default());
    let timeout = TimeoutLayer::new(secs(5));
    let inside = stack(&clock).layer(timeout.layer(slow_once(&calls)));
    let error = inside.clone().oneshot(Sent::standard("msg_1").request()).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert_eq!(send(&inside, Sent::standard("msg_1").request()).await.status, 200);
    assert!(send(&inside, Sent::standard("msg_1").request()).await.is_duplicate());

    let calls = Calls::default();
    let outside = timeout.layer(stack(&clock).layer(slow_once(&calls)));
    let error = outside.clone().oneshot(Sent::standard("msg_1").request()).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert_eq!(send(&outside, Sent::standard("msg_1").request()).await.status, 200);
    assert!(send(&outside, Sent::standard("msg_1").request()).await.is_duplicate());
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn layers_and_services_go_anywhere_and_their_futures_to_other_threads() {
    fn anywhere<T: Clone + Send + Sync + 'static>(_: &T) {}
    fn sendable<T: Send + 'static>(_: T) {}
    let clock = clock();
    let store = MemoryNonceStore::new().with_clock(clock.clone());
    macro_rules! exercise {
        ($name:expr, $layer:expr) => {
            let layer = $layer;
            anywhere(&layer);
            let mut service = layer.layer(Calls::default().handler());
            anywhere(&service);
            // Neither `Clone` nor `Sync`.
            let body: UnsyncBoxBody<Bytes, std::io::Error> =
                Full::new(Bytes::from_static(b"{}")).map_err(|never: Infallible| match never {}).boxed_unsync();
            sendable(start(&mut service, Request::new(body)).await);
        };
    }
    for_each_layer!(exercise, clock, store);
    anywhere(&verifier(provider::STANDARD_WEBHOOKS));

    const fn value<T: Clone + Send + Sync + 'static>() {}
    value::<Verifier>();
    value::<Signer>();
    value::<Delivery>();
    const fn body<T: Send + Sync + 'static>() {}
    body::<Buffered>();
    body::<Verified>();
}

#[tokio::test]
async fn bodies_and_services_of_one_thread_are_taken() {
    let clock = clock();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let handler = service_fn({
        let seen = Rc::clone(&seen);
        move |request: Request<Verified>| {
            seen.borrow_mut().push(request.body().bytes().clone());
            ready(Ok::<_, Infallible>(with_status(200)))
        }
    });
    let service = stack(&clock).layer(handler);
    let sent = Sent::standard("msg_1");
    let body = OfOneThread(Rc::new(Cell::new(Some(Bytes::from_static(br#"{"type":"ping","n":1}"#)))));
    assert_eq!(send(&service, sent.with_body(body)).await.status, 200);
    assert_eq!(*seen.borrow(), [&br#"{"type":"ping","n":1}"#[..]]);
}

/// A check that has nothing against anybody.
#[derive(Clone)]
struct LetThrough;

impl<B> Check<B> for LetThrough {
    type Out = B;
    type Future = Never<B>;

    fn check(&self, request: Request<B>) -> Step<B, Never<B>> {
        Step::Now(Ok(request))
    }
}

#[derive(Clone)]
struct NeverReady;

impl<B> Service<Request<B>> for NeverReady {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Err("out of order"))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        panic!("called without having been made ready")
    }
}

/// Stops being ready when it is broken.
#[derive(Clone)]
struct Breakable(Arc<AtomicBool>);

impl<B> Service<Request<B>> for Breakable {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = Ready<Result<Self::Response, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(if self.0.load(Ordering::SeqCst) { Err("out of order") } else { Ok(()) })
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(with_status(200)))
    }
}

/// A body that never leaves its thread.
struct OfOneThread(Rc<Cell<Option<Bytes>>>);

impl Body for OfOneThread {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

fn store(clock: &ManualClock, waits: usize) -> MockStore {
    let wait = Operation { waits, ..Operation::default() };
    MockStore::new(MemoryNonceStore::new().with_clock(clock.clone())).reserving(wait).committing(wait).releasing(wait)
}

fn stack(clock: &ManualClock) -> WebhookLayer {
    let store = MemoryNonceStore::new().with_clock(clock.clone());
    let builder = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock.clone());
    builder.replay(store).build().unwrap()
}

/// Deliveries, a duplicate, and requests that are refused for as many reasons as there are layers.
fn mixed_requests(scope: &str) -> Vec<Request<Full<Bytes>>> {
    let id = |number: usize| format!("{}_{number}", scope.replace(' ', "_"));
    let good = Sent::standard(&id(1));
    let mut requests: Vec<_> = [
        good.clone(),
        good.clone(),
        Sent::standard(&id(2)).signed_with(&[support::OLD_SECRET]),
        good.clone().without("webhook-signature"),
        good.clone().at(support::NOW - 31),
        good.clone().at(support::NOW - 301),
        good.clone().method(http::Method::PUT),
        good.clone().header("content-length", "99999999"),
        good.clone().header("content-encoding", "gzip"),
        Sent::standard(&id(3)),
    ]
    .iter()
    .map(Sent::request)
    .collect();
    for request in &mut requests {
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 443))));
        request.extensions_mut().insert(Tls::new());
    }
    // Nothing tells the address of this one.
    requests.push(good.request());
    requests
}

/// Sends a hundred requests, good and bad, of which none may hang or fail.
async fn exercise_mixed<S, R>(service: S)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error: std::fmt::Debug> + Clone,
    R: Body<Error: std::fmt::Debug>,
{
    let mut handled = 0;
    for number in 0..10 {
        for request in mixed_requests(&format!("msg{number}")) {
            let answer = tokio::time::timeout(Duration::from_secs(60), send(&service, request)).await.unwrap();
            handled += usize::from(answer.status == 200 && !answer.is_duplicate());
        }
    }
    assert_eq!(handled, 20);
}

/// Sends requests, good and bad, each through the same service, which is kept meanwhile.
async fn none_hangs<S, R>(scope: &str, service: S)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error: std::fmt::Debug> + Clone,
    R: Body<Error: std::fmt::Debug>,
{
    let mut kept = service.clone();
    for request in mixed_requests(scope) {
        let patience = Duration::from_secs(60);
        tokio::time::timeout(patience, send(&service, request.clone())).await.unwrap();
        let answered = async { start(&mut kept, request).await.await };
        tokio::time::timeout(patience, answered).await.unwrap().unwrap();
    }
}

async fn service_ready<S, B>(service: &mut S) -> Result<(), S::Error>
where
    S: Service<Request<B>>,
{
    service.ready().await.map(drop)
}
