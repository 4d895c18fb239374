//! What the tests share: deliveries as providers send them, a handler that counts, a store that keeps callers waiting.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Ready, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::time::{Instant, Sleep};
use tower::{Service, ServiceExt, layer::util::Identity, service_fn};
use tower_webhook::{
    Delivery, Rejection,
    clock::{Clock, ClockError, ManualClock, UnixTime},
    key::IntoKeys,
    layer::{RejectReplayLayer, WebhookBuilder, WebhookLayer},
    provider,
    scheme::{Head, Outgoing, Scheme, Verifier},
    store::{MemoryNonceStore, NonceStore, ReplayKey, Reserved, StoreError, Token},
    testing::nonces::NonceStep,
};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
pub(crate) const OLD_SECRET: &str = "whsec_b2xkIHNlY3JldCwgb2xkIHNlY3JldCwgb2xkIHNlY3I=";
pub(crate) const ORIGIN: &str = "https://hooks.test";

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Properties are checked from a seed that failures print, not from files beside the tests.
pub(crate) fn property() -> proptest::test_runner::Config {
    proptest::test_runner::Config { failure_persistence: None, ..Default::default() }
}

/// What may happen to three deliveries under three tokens.
pub(crate) fn nonce_step() -> impl Strategy<Value = NonceStep> {
    let (id, token, time) = (0_usize..3, 0_usize..3, 0_u32..20);
    prop_oneof![
        4 => (id.clone(), token.clone(), time.clone()).prop_map(|(id, token, lease)| NonceStep::Reserve(id, token, lease)),
        2 => (id.clone(), token.clone(), time.clone()).prop_map(|(id, token, kept)| NonceStep::Commit(id, token, kept)),
        2 => (id, token).prop_map(|(id, token)| NonceStep::Release(id, token)),
        3 => time.prop_map(NonceStep::Wait),
    ]
}

/// The value of a header: from any bytes to what these parts make, which may almost be good.
pub(crate) fn header_lines(part: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat().into_bytes()),
    ]
    .prop_filter("no server lets it through", |line| HeaderValue::from_bytes(line).is_ok())
}

pub(crate) fn clock() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(NOW))
}

/// Tokio's clock, which tests pause.
pub(crate) struct TokioClock(Instant);

impl TokioClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Result<UnixTime, ClockError> {
        Ok(UnixTime::from_secs(NOW + self.monotonic().as_secs()))
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) fn verifier(scheme: Scheme<'static>) -> Verifier {
    verifier_with(scheme, SECRET)
}

pub(crate) fn verifier_with(scheme: Scheme<'static>, keys: impl IntoKeys) -> Verifier {
    Verifier::builder(scheme).public_origin(ORIGIN).build(keys).unwrap()
}

/// A delivery as its provider sends it, perhaps changed on the way.
#[derive(Clone)]
pub(crate) struct Sent {
    scheme: Scheme<'static>,
    secrets: Vec<&'static str>,
    id: Option<String>,
    at: u64,
    method: Method,
    target: &'static str,
    body: Bytes,
    changes: Vec<(HeaderName, Option<HeaderValue>)>,
}

impl Sent {
    pub(crate) fn new(scheme: Scheme<'static>, body: impl Into<Bytes>) -> Self {
        Self {
            scheme,
            secrets: vec![SECRET],
            id: None,
            at: NOW,
            method: Method::POST,
            target: "/hook",
            body: body.into(),
            changes: Vec::new(),
        }
    }

    /// Standard Webhooks, which sign id, time and body.
    pub(crate) fn standard(id: &str) -> Self {
        Self::new(provider::STANDARD_WEBHOOKS, r#"{"type":"ping","n":1}"#).id(id)
    }

    /// GitHub, which signs the body and nothing else.
    pub(crate) fn github(id: &str, body: impl Into<Bytes>) -> Self {
        Self::new(provider::GITHUB, body).id(id)
    }

    pub(crate) fn scheme(&self) -> Scheme<'static> {
        self.scheme
    }

    pub(crate) fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    pub(crate) fn at(mut self, secs: u64) -> Self {
        self.at = secs;
        self
    }

    pub(crate) fn signed_with(mut self, secrets: &[&'static str]) -> Self {
        self.secrets = secrets.to_vec();
        self
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets a header after signing.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.changes.push((HeaderName::from_static(name), Some(HeaderValue::from_str(value).unwrap())));
        self
    }

    /// Removes a header after signing.
    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.changes.push((HeaderName::from_static(name), None));
        self
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let url = format!("{ORIGIN}{}", self.target);
        let outgoing = Outgoing {
            method: &self.method,
            id: self.id.as_deref(),
            now: UnixTime::from_secs(self.at),
            ..Outgoing::post(&url, &self.body)
        };
        let mut headers = self.scheme.signer(self.secrets.clone()).unwrap().sign(&outgoing).unwrap();
        for (name, value) in &self.changes {
            match value {
                Some(value) => drop(headers.insert(name, value.clone())),
                None => drop(headers.remove(name)),
            }
        }
        headers
    }

    pub(crate) fn request(&self) -> Request<Full<Bytes>> {
        self.with_body(Full::new(self.body.clone()))
    }

    /// The same request, but its body arrives in another way.
    pub(crate) fn with_body<B>(&self, body: B) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.parse().unwrap();
        *request.headers_mut() = self.headers();
        request
    }

    pub(crate) fn delivery(&self) -> Delivery {
        let (head, _) = self.request().into_parts();
        let verifier = verifier_with(self.scheme, self.secrets.clone());
        verifier.verify(Head::from(&head), &self.body, UnixTime::from_secs(self.at)).unwrap()
    }

    pub(crate) fn replay_key(&self) -> ReplayKey {
        self.delivery().replay_key().unwrap()
    }
}

/// What a request was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) rejection: Option<Rejection>,
}

impl Answer {
    pub(crate) async fn of<R: Body<Error: Debug>>(response: Response<R>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            rejection: head.extensions.get().cloned(),
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.rejection.as_ref().map_or("", Rejection::reason)
    }

    /// Neither a success nor a final refusal: the sender is to come back.
    pub(crate) fn asks_to_retry(&self) -> bool {
        self.status == 503 && self.headers.contains_key("retry-after")
    }

    pub(crate) fn is_duplicate(&self) -> bool {
        self.status == 200 && self.headers.get("webhook-replay").is_some_and(|value| value == "duplicate")
    }
}

pub(crate) async fn send<S, B, R>(service: &S, request: Request<B>) -> Answer
where
    S: Service<Request<B>, Response = Response<R>, Error: Debug> + Clone,
    R: Body<Error: Debug>,
{
    Answer::of(service.clone().oneshot(request).await.unwrap()).await
}

/// Makes the service ready and calls it, but does not poll what it answers with.
pub(crate) async fn start<S, B>(service: &mut S, request: Request<B>) -> S::Future
where
    S: Service<Request<B>, Error: Debug>,
{
    service.ready().await.unwrap().call(request)
}

/// How often a handler was called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// A handler that gives its first call 1, its second call 2…
    pub(crate) fn answering<B, F, Fut>(
        &self,
        answer: F,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
    + use<B, F, Fut>
    where
        B: Send + 'static,
        F: Fn(usize) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let calls = self.clone();
        service_fn(move |_: Request<B>| {
            let answer = answer(calls.add());
            async move { Ok(answer.await) }
        })
    }

    /// A handler that is always content.
    pub(crate) fn handler<B: Send + 'static>(
        &self,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
    + use<B> {
        self.answering(|_| async { with_status(200) })
    }
}

pub(crate) fn with_status(status: u16) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from("from the handler")).unwrap()
}

/// Must be made ready before each call, on the very clone that is called.
#[derive(Debug, Default)]
pub(crate) struct Strict {
    calls: Calls,
    is_ready: bool,
}

impl Strict {
    pub(crate) fn new(calls: Calls) -> Self {
        Self { calls, is_ready: false }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { calls: self.calls.clone(), is_ready: false }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without having been made ready");
        self.calls.add();
        ready(Ok(with_status(200)))
    }
}

/// Lets everything that is ready run, background tasks included.
pub(crate) async fn let_others_run() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// How one operation of a [`MockStore`] goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Operation {
    /// How often it says "not yet".
    pub(crate) waits: usize,
    /// Takes effect when asked for, not when answered.
    pub(crate) acts_at_once: bool,
    /// How many times it fails without effect, before it works.
    pub(crate) failures: usize,
    /// Never answers.
    pub(crate) hangs: bool,
    /// Answers only after this time.
    pub(crate) delay: Duration,
}

/// A memory store behind a bad connection.
#[derive(Clone)]
pub(crate) struct MockStore {
    pub(crate) memory: MemoryNonceStore,
    script: [Operation; 3],
    seen: Arc<[AtomicUsize; 3]>,
}

impl MockStore {
    pub(crate) fn new(memory: MemoryNonceStore) -> Self {
        Self { memory, script: Default::default(), seen: Arc::default() }
    }

    pub(crate) fn reserving(self, operation: Operation) -> Self {
        self.with(0, operation)
    }

    pub(crate) fn committing(self, operation: Operation) -> Self {
        self.with(1, operation)
    }

    pub(crate) fn releasing(self, operation: Operation) -> Self {
        self.with(2, operation)
    }

    fn with(mut self, index: usize, operation: Operation) -> Self {
        self.script[index] = operation;
        self
    }

    /// How often it was asked to reserve, commit and release.
    pub(crate) fn asked(&self) -> [usize; 3] {
        [0, 1, 2].map(|index: usize| self.seen[index].load(Ordering::SeqCst))
    }

    fn answer<T: Send + 'static>(
        &self,
        index: usize,
        act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Delayed<T> {
        let Operation { waits, acts_at_once, failures, hangs, delay } = self.script[index];
        let fails = self.seen[index].fetch_add(1, Ordering::SeqCst) < failures;
        let act: Act<T> = if fails {
            Box::new(|| Err(StoreError::Unavailable))
        } else if acts_at_once {
            let answer = act();
            Box::new(move || answer)
        } else {
            Box::new(act)
        };
        let sleep = (!delay.is_zero()).then(|| Box::pin(tokio::time::sleep(delay)));
        Delayed { waits, hangs, sleep, act: Some(act) }
    }
}

impl NonceStore for MockStore {
    type Reserve = Delayed<Reserved>;
    type Settle = Delayed<()>;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        let memory = self.memory.clone();
        self.answer(0, move || now(memory.reserve(key, token, lease)))
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        let memory = self.memory.clone();
        self.answer(1, move || now(memory.commit(key, token, retention)))
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        let memory = self.memory.clone();
        self.answer(2, move || now(memory.release(key, token)))
    }
}

type Act<T> = Box<dyn FnOnce() -> Result<T, StoreError> + Send>;

pub(crate) struct Delayed<T> {
    waits: usize,
    hangs: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    act: Option<Act<T>>,
}

impl<T> Future for Delayed<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.hangs {
            return Poll::Pending;
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        if self.waits > 0 {
            self.waits -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.act.take().expect("polled after it was ready")())
    }
}

/// The answer of a future that has it already.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    use futures_util::FutureExt;
    future.now_or_never().expect("not ready")
}

/// Polls by hand, as often as the test likes.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The whole stack but for `build`.
pub(crate) fn stack<N: NonceStore>(
    scheme: Scheme<'static>,
    store: N,
    clock: &ManualClock,
) -> WebhookBuilder<Identity, Identity, RejectReplayLayer<N>> {
    builder(verifier(scheme), store, clock)
}

pub(crate) fn builder<N: NonceStore>(
    verifier: Verifier,
    store: N,
    clock: &ManualClock,
) -> WebhookBuilder<Identity, Identity, RejectReplayLayer<N>> {
    WebhookLayer::builder(verifier).with_clock(clock.clone()).replay(store)
}

pub(crate) fn memory(clock: &ManualClock) -> MemoryNonceStore {
    MemoryNonceStore::with_capacity(10_000).with_clock(clock.clone())
}
