//! Handlers whose clients have hung up: they finish, or their deliveries are free again.

mod support;

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use support::{
    Answer, Calls, MockStore, Operation, Sent, TokioClock, clock, let_others_run, memory, now, poll, secs, send, stack,
    start, verifier, with_status,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::Semaphore,
};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_webhook::{
    body::Verified,
    layer::{RunToEndLayer, WebhookLayer},
    provider,
    store::{MemoryNonceStore, NonceStore, Reserved, Token},
};

#[tokio::test]
async fn a_client_that_hangs_up_has_its_delivery_handled_once() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new());
        let store = memory(&clock);
        let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(run_to_end.clone()).build().unwrap();
        let sender = Sender::to(layer.layer(handler.service()), protocol).await;

        sender.hangs_up_once("msg_1", handler.has_begun(1)).await;
        eventually(|| run_to_end.detached() == 1).await;
        let meanwhile = sender.delivers().await;
        assert!(meanwhile.asks_to_retry(), "{protocol:?}: {meanwhile:?}");

        handler.may_finish(1);
        run_to_end.idle().await;
        assert!(sender.delivers().await.is_duplicate(), "{protocol:?}");
        assert_eq!((handler.calls.count(), handler.finished()), (1, 1), "{protocol:?}");
        assert_eq!((store.len(), run_to_end.detached()), (1, 0), "{protocol:?}");
    }
}

#[tokio::test]
async fn without_the_layer_the_retry_is_handled_anew() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (clock, handler) = (clock(), Handler::default());
        let store = memory(&clock);
        let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap();
        let sender = Sender::to(layer.layer(handler.service()), protocol).await;

        sender.hangs_up_once("msg_1", handler.has_begun(1)).await;
        eventually(|| store.is_empty()).await;
        handler.may_finish(1);
        let retry = sender.delivers().await;
        assert!(retry.status == 200 && !retry.is_duplicate(), "{protocol:?}: {retry:?}");
        assert_eq!((handler.calls.count(), handler.finished()), (2, 1), "{protocol:?}");
    }
}

#[tokio::test]
async fn of_two_hundred_resets_each_is_handled_or_free() {
    let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new().max_detached(16));
    let store = memory(&clock);
    let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(run_to_end.clone()).build().unwrap();
    let sender = Sender::to(layer.layer(handler.service()), Protocol::Http2).await;
    for number in 1..=200 {
        sender.hangs_up_once(&format!("msg_{number}"), handler.has_begun(number)).await;
    }
    eventually(|| run_to_end.detached() == 16 && store.len() == 16).await;
    handler.may_finish(200);
    run_to_end.idle().await;
    assert_eq!((handler.finished(), store.len()), (16, 16));
}

#[tokio::test]
async fn a_client_that_leaves_at_any_moment_has_its_delivery_handled_as_if_it_had_stayed() {
    for waits in [0, 1, 3] {
        for acts_at_once in [false, true] {
            for succeeds in [true, false] {
                for polls in 0.. {
                    let label = format!("{waits} {acts_at_once}, succeeds: {succeeds}, left after {polls} polls");
                    let (clock, calls, run_to_end) = (clock(), Calls::default(), RunToEndLayer::new());
                    let wait = Operation { waits, acts_at_once, ..Operation::default() };
                    let store = MockStore::new(memory(&clock)).reserving(wait).committing(wait).releasing(wait);
                    let builder = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock);
                    let mut service =
                        builder.then(run_to_end.clone()).build().unwrap().layer(calls.answering(move |_| async move {
                            tokio::task::yield_now().await;
                            tokio::task::yield_now().await;
                            with_status(if succeeds { 200 } else { 500 })
                        }));
                    let mut answered = false;
                    {
                        let mut request = pin!(start(&mut service, Sent::standard("msg_1").request()).await);
                        for _ in 0..polls {
                            answered = answered || poll(request.as_mut()).is_ready();
                        }
                    }
                    let has_begun = store.asked()[0] > 0;
                    assert_eq!(has_begun, polls > 0, "{label}");
                    assert_eq!(run_to_end.detached(), usize::from(has_begun && !answered), "{label}");
                    run_to_end.idle().await;
                    let_others_run().await;
                    assert_eq!(calls.count(), usize::from(has_begun), "{label}");
                    let expected = if has_begun && succeeds { Reserved::Done } else { Reserved::Fresh };
                    assert_eq!(probe(&store.memory), expected, "{label}");
                    if answered {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn when_the_runtime_shuts_down_the_delivery_is_free() {
    for flavor in [Flavor::OneThread, Flavor::SeveralThreads] {
        for shut_down in [drop, |runtime: Runtime| runtime.shutdown_timeout(secs(5)), Runtime::shutdown_background] {
            for moment in [Moment::Before, Moment::Meanwhile, Moment::Afterwards] {
                for waits in [0, 1] {
                    let label = format!("{flavor:?} {moment:?} {waits}");
                    let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new());
                    let wait = Operation { waits, ..Operation::default() };
                    let store = MockStore::new(memory(&clock)).releasing(wait);
                    let builder = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock);
                    let layer = builder.then(run_to_end.clone()).build().unwrap();
                    let mut service = layer.layer(handler.service());
                    let runtime = flavor.build();
                    let left = runtime.block_on(async {
                        let mut request = Box::pin(start(&mut service, Sent::standard("msg_1").request()).await);
                        assert!(poll(request.as_mut()).is_pending());
                        match moment {
                            Moment::Before => {
                                drop(request);
                                let_others_run().await;
                                assert_eq!(run_to_end.detached(), 1, "{label}");
                                None
                            }
                            Moment::Meanwhile => {
                                tokio::spawn(request);
                                let_others_run().await;
                                None
                            }
                            Moment::Afterwards => Some(request),
                        }
                    });
                    shut_down(runtime);
                    drop(left);
                    // In the background, threads may still be about to end.
                    blocking_eventually(|| run_to_end.detached() == 0 && store.asked()[2] == 1);
                    handler.may_finish(1);
                    if waits > 0 {
                        assert!(matches!(probe(&store.memory), Reserved::InProgress { .. }), "{label}");
                        clock.advance(secs(40));
                    }
                    assert_eq!(probe(&store.memory), Reserved::Fresh, "{label}");
                    assert_eq!((handler.finished(), store.asked()), (0, [1, 0, 1]), "{label}");
                }
            }
        }
    }
}

#[test]
fn who_leaves_outside_the_runtime_leaves_a_delivery_that_is_free() {
    let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new());
    let store = memory(&clock);
    let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(run_to_end.clone()).build().unwrap();
    let runtime = Flavor::SeveralThreads.build();
    let mut service = layer.layer(handler.service());
    let mut request = Box::pin(runtime.block_on(start(&mut service, Sent::standard("msg_1").request())));
    assert!(runtime.block_on(async { poll(request.as_mut()) }).is_pending());
    assert!(matches!(probe(&store), Reserved::InProgress { .. }));
    drop(request);
    assert_eq!((probe(&store), run_to_end.detached()), (Reserved::Fresh, 0));
}

#[tokio::test]
async fn so_many_go_on_and_no_more() {
    for max in [0, 1, 3] {
        let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new().max_detached(max));
        let store = memory(&clock);
        let builder = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock);
        // Two services of two clones of the layer, which count together.
        let services = [run_to_end.clone(), run_to_end.clone()]
            .map(|layer| builder.clone().then(layer).build().unwrap().layer(handler.service()));
        for number in 0..5 {
            leave(&services[number % 2], &format!("msg_{number}")).await;
        }
        let_others_run().await;
        assert_eq!((run_to_end.detached(), store.len()), (max, max), "what does not go on is released");
        handler.may_finish(max);
        run_to_end.idle().await;
        leave(&services[0], "msg_4").await;
        assert_eq!(run_to_end.detached(), max.min(1), "there is room again");
        handler.may_finish(1);
        run_to_end.idle().await;
        assert_eq!(handler.finished(), max + max.min(1));
    }
}

#[tokio::test]
async fn who_waits_until_all_have_ended_waits_for_each() {
    let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new());
    let store = memory(&clock);
    let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(run_to_end.clone()).build().unwrap();
    let service = layer.layer(handler.service());
    assert!(poll(pin!(run_to_end.idle())).is_ready(), "nothing goes on");

    leave(&service, "msg_1").await;
    let mut idle = pin!(run_to_end.idle());
    assert!(poll(idle.as_mut()).is_pending());
    leave(&service, "msg_2").await;
    for finished in [1, 2] {
        assert!(poll(idle.as_mut()).is_pending());
        handler.may_finish(1);
        let_others_run().await;
        assert_eq!(handler.finished(), finished);
    }
    assert!(poll(idle.as_mut()).is_ready());
    for id in ["msg_1", "msg_2"] {
        assert!(send(&service, Sent::standard(id).request()).await.is_duplicate(), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_for_those_that_go_on_alone() {
    let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new());
    let store = memory(&clock);
    let builder = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock);
    let layer = builder.then(run_to_end.clone()).handler_timeout(secs(5), secs(10)).unwrap().build().unwrap();
    let service = layer.layer(handler.service());
    let began = tokio::time::Instant::now();
    leave(&service, "msg_1").await;
    run_to_end.idle().await;
    assert_eq!((began.elapsed().as_secs(), probe(&store)), (5, Reserved::Fresh));
    handler.may_finish(1);
    assert_eq!(handler.finished(), 0);
}

#[tokio::test]
async fn a_handler_that_panics_alone_lets_the_retry_in() {
    let (clock, calls, run_to_end) = (clock(), Calls::default(), RunToEndLayer::new());
    let store = memory(&clock);
    let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(run_to_end.clone()).build().unwrap();
    let service = layer.layer(calls.answering(|call| async move {
        tokio::task::yield_now().await;
        assert!(call > 1, "a panic that is part of the test");
        with_status(200)
    }));
    leave(&service, "msg_1").await;
    assert_eq!(run_to_end.detached(), 1);
    run_to_end.idle().await;
    assert!(store.is_empty());

    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn a_handler_that_panics_before_its_client_does_not_go_on() {
    let (clock, polls, run_to_end) = (clock(), Calls::default(), RunToEndLayer::new());
    let store = memory(&clock);
    let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(run_to_end.clone()).build().unwrap();
    let service = layer.layer(service_fn({
        let polls = polls.clone();
        move |_: Request<Verified>| {
            let polls = polls.clone();
            poll_fn(move |_| -> Poll<Result<Response<Full<Bytes>>, Infallible>> {
                panic!("a panic that is part of the test, poll {}", polls.add())
            })
        }
    }));
    assert!(tokio::spawn(service.oneshot(Sent::standard("msg_1").request())).await.unwrap_err().is_panic());
    run_to_end.idle().await;
    assert_eq!((polls.count(), store.len()), (1, 0));
}

#[tokio::test]
async fn who_stays_is_answered_and_nothing_goes_on() {
    let (clock, calls, run_to_end) = (clock(), Calls::default(), RunToEndLayer::new());
    let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).run_to_end().build().unwrap();
    let service = layer.layer(calls.handler());
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
    assert!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate());

    let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).then(run_to_end.clone()).build().unwrap();
    let failing = layer.layer(service_fn(|_: Request<Verified>| async {
        tokio::task::yield_now().await;
        Err::<Response<Full<Bytes>>, _>("out of order")
    }));
    let error = failing.oneshot(Sent::standard("msg_1").request()).await.err();
    assert_eq!((error, run_to_end.detached()), (Some("out of order"), 0));
}

#[tokio::test]
async fn tonic_takes_the_layer() {
    let layer = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS)).run_to_end().build().unwrap();
    let _ = tonic::transport::Server::builder().layer(layer).add_routes(tonic::service::Routes::default());
}

#[tokio::test]
async fn a_permit_inside_is_held_to_the_end_and_one_outside_is_not() {
    let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new());
    let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).then(run_to_end.clone()).build().unwrap();
    let mut inside = layer.layer(ConcurrencyLimit::new(handler.service(), 1));
    leave(&inside, "msg_1").await;
    assert!(poll(pin!(ServiceExt::<Request<Full<Bytes>>>::ready(&mut inside))).is_pending());
    handler.may_finish(1);
    run_to_end.idle().await;

    let mut outside = ConcurrencyLimit::new(layer.layer(handler.service()), 1);
    leave(&outside, "msg_2").await;
    assert!(poll(pin!(ServiceExt::<Request<Full<Bytes>>>::ready(&mut outside))).is_ready());
    assert_eq!(run_to_end.detached(), 1);
}

#[tokio::test]
async fn inside_a_reservation_nothing_goes_on_without_it() {
    for waits in [0, 1] {
        let (clock, handler, run_to_end) = (clock(), Handler::default(), RunToEndLayer::new());
        let store = MockStore::new(memory(&clock)).reserving(Operation { waits, ..Operation::default() });
        let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap();
        let mut service = layer.layer(run_to_end.layer(handler.service()));
        let mut request = Box::pin(start(&mut service, Sent::standard("msg_1").request()).await);
        while handler.calls.count() == 0 {
            assert!(poll(request.as_mut()).is_pending());
        }
        drop(request);
        assert_eq!((run_to_end.detached(), probe(&store.memory)), (0, Reserved::Fresh), "{waits}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_whose_sender_is_impatient_is_run_once() {
    // As providers do it: three seconds of patience, and a retry every ten.
    let (calls, run_to_end) = (Calls::default(), RunToEndLayer::new());
    let store = MemoryNonceStore::new().with_clock(TokioClock::new());
    let layer = stack(provider::STANDARD_WEBHOOKS, store, &clock()).then(run_to_end).build().unwrap();
    let service = layer.layer(calls.answering(|_| async {
        tokio::time::sleep(secs(15)).await;
        with_status(200)
    }));
    let mut answers = Vec::new();
    for _ in 0..3 {
        let answer = tokio::time::timeout(secs(3), send(&service, Sent::standard("msg_1").request())).await;
        answers.push(answer.map_or("", |answer| answer.reason()));
        tokio::time::sleep(secs(7)).await;
    }
    assert_eq!((answers, calls.count()), (vec!["", "in_progress", "replayed"], 1));
}

/// A handler that begins, and finishes when it may.
#[derive(Clone)]
struct Handler {
    calls: Calls,
    gate: Arc<Semaphore>,
    finished: Arc<AtomicUsize>,
}

impl Default for Handler {
    fn default() -> Self {
        Self { calls: Calls::default(), gate: Arc::new(Semaphore::new(0)), finished: Arc::default() }
    }
}

impl Handler {
    fn service<B: Send + 'static>(
        &self,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
    + use<B> {
        let Self { calls, gate, finished } = self.clone();
        calls.answering(move |_| {
            let (gate, finished) = (Arc::clone(&gate), Arc::clone(&finished));
            async move {
                gate.acquire().await.unwrap().forget();
                finished.fetch_add(1, SeqCst);
                with_status(200)
            }
        })
    }

    fn may_finish(&self, handlers: usize) {
        self.gate.add_permits(handlers);
    }

    fn finished(&self) -> usize {
        self.finished.load(SeqCst)
    }

    async fn has_begun(&self, calls: usize) {
        eventually(|| self.calls.count() == calls).await;
    }
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Http1,
    Http2,
}

/// Sends deliveries to a server, over TCP.
struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
}

impl Sender {
    async fn to<S>(service: S, protocol: Protocol) -> Self
    where
        S: Service<Request<axum::body::Body>, Error = Infallible, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
    {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().route_service("/hook", service);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let is_http2 = matches!(protocol, Protocol::Http2);
        Self { client: Client::builder(TokioExecutor::new()).http2_only(is_http2).build_http(), url }
    }

    async fn delivers(&self) -> Answer {
        Answer::of(self.client.request(self.request("msg_1")).await.unwrap()).await
    }

    /// Over HTTP/1 the connection is closed, over HTTP/2 the stream is reset.
    async fn hangs_up_once(&self, id: &str, moment: impl Future<Output = ()>) {
        let request = tokio::spawn(self.client.request(self.request(id)));
        moment.await;
        request.abort();
    }

    fn request(&self, id: &str) -> Request<Full<Bytes>> {
        let mut request = Sent::standard(id).request();
        *request.uri_mut() = self.url.clone();
        request
    }
}

#[derive(Clone, Copy, Debug)]
enum Flavor {
    OneThread,
    SeveralThreads,
}

impl Flavor {
    fn build(self) -> Runtime {
        match self {
            Self::OneThread => Builder::new_current_thread(),
            Self::SeveralThreads => Builder::new_multi_thread(),
        }
        .enable_all()
        .build()
        .unwrap()
    }
}

/// When a client leaves, seen from the end of the runtime.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Before,
    Meanwhile,
    Afterwards,
}

/// Sends a delivery, and hangs up when it is being handled.
async fn leave<S>(service: &S, id: &str)
where
    S: Service<Request<Full<Bytes>>, Error: std::fmt::Debug> + Clone,
{
    let mut service = service.clone();
    let mut request = pin!(start(&mut service, Sent::standard(id).request()).await);
    assert!(poll(request.as_mut()).is_pending());
}

/// What the store says of the delivery.
fn probe(store: &MemoryNonceStore) -> Reserved {
    let (key, token) = (Sent::standard("msg_1").replay_key(), Token::unique());
    let reserved = now(store.reserve(key, token, secs(1))).unwrap();
    now(store.release(key, token)).unwrap();
    reserved
}

async fn eventually(is_so: impl Fn() -> bool) {
    tokio::time::timeout(secs(20), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("it never came to be");
}

fn blocking_eventually(is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "it never came to be");
        std::thread::sleep(Duration::from_millis(2));
    }
}
