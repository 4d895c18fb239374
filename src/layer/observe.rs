use std::{
    fmt,
    future::Future,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header, response::Parts};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{check::Answer, render_rejections::Answered, verify_signature::hide};
#[cfg(feature = "metrics")]
use crate::observe::metrics::Metrics;
#[cfg(feature = "tracing")]
use crate::observe::tracing::{Log, Trace};
use crate::{
    Delivery, Rejection, TrustedProxies,
    body::{BodyBudget, is_grpc},
    client_addr::client,
    clock::{Clock, SharedClock},
    framework,
    observe::{AnomalyDetector, Observation, Outcome, Record, Sample, SampleOutcome, Watched},
    rejection::GRPC_STATUS,
};

/// Tells what becomes of each request: to `tracing` and `metrics` (features of these names), and to functions of your own.
///
/// What is told, under which names, and how much of it when a flood comes, is in the [module on it](crate::observe).
///
/// It stands outside the layers that it is to tell of, inside [`RenderRejectionsLayer`](super::RenderRejectionsLayer) or outside it;
/// [`WebhookBuilder::observe`](super::WebhookBuilder::observe) puts it there. Signature headers, and those that hold credentials, are marked
/// [sensitive](http::HeaderValue::set_sensitive), so that no layer inside shows them by their `Debug`.
///
/// ```
/// use tower_webhook::{layer::{ObserveLayer, WebhookLayer}, provider};
///
/// let stripe = provider::STRIPE.verifier("whsec_…")?;
/// let layer = WebhookLayer::builder(stripe).observe(ObserveLayer::new()).build()?;
///
/// // With an eye of your own:
/// let layer = ObserveLayer::new().on_observation(|observation| {
///     println!("{:?}: {} in {:?}", observation.provider(), observation.outcome(), observation.total_time());
/// });
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ObserveLayer {
    config: Arc<Config>,
}

#[derive(Clone)]
struct Config {
    provider: Option<Arc<str>>,
    clock: SharedClock,
    proxies: Option<TrustedProxies>,
    secret_headers: Vec<HeaderName>,
    budget: BodyBudget,
    watched: Vec<(Arc<str>, Arc<dyn Watched>)>,
    on_observation: Option<Arc<OnObservation>>,
    detector: Option<AnomalyDetector>,
    #[cfg(feature = "tracing")]
    log: Log,
    #[cfg(feature = "metrics")]
    metrics: Metrics,
}

type OnObservation = dyn Fn(&Observation) + Send + Sync;

impl ObserveLayer {
    /// A layer that tells everyone there is.
    pub fn new() -> Self {
        let clock = SharedClock::default();
        Self {
            config: Arc::new(Config {
                provider: None,
                proxies: None,
                secret_headers: vec![header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE],
                budget: BodyBudget::process(),
                watched: Vec::new(),
                on_observation: None,
                detector: None,
                #[cfg(feature = "tracing")]
                log: Log::new(),
                #[cfg(feature = "metrics")]
                metrics: Metrics::new(),
                clock,
            }),
        }
    }

    /// The provider's name for requests that are refused before anything tells which scheme they are of. [`WebhookLayer`](super::WebhookLayer) says
    /// it by itself, if it is of one provider.
    pub fn provider(self, name: impl Into<Arc<str>>) -> Self {
        self.with(|config| config.provider = Some(name.into()))
    }

    /// Takes the word of these proxies for clients' addresses. By default the peer is the client.
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        self.with(|config| config.proxies = Some(proxies))
    }

    /// Further headers that no log must show, beside `Authorization`, `Proxy-Authorization` and `Cookie`. [`WebhookLayer`](super::WebhookLayer) names
    /// those of its signatures by itself.
    pub fn sensitive_headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.with(|config| config.secret_headers.extend(names))
    }

    /// Shows each observation to this function, when the request is over. It runs between requests, so it must not wait; if it panics, that is as if it were
    /// not there.
    pub fn on_observation(self, see: impl Fn(&Observation) + Send + Sync + 'static) -> Self {
        self.with(|config| {
            let see: Arc<OnObservation> = Arc::new(see);
            config.on_observation = Some(match config.on_observation.take() {
                None => see,
                Some(first) => Arc::new(move |observation| {
                    first(observation);
                    see(observation);
                }),
            });
        })
    }

    /// Has this detector judge what is usual here. Several layers may share one, if their providers have names of their own.
    ///
    /// Silence shows only if somebody looks: spawn [`AnomalyDetector::watch`], too. If the layer has another clock than the system's, the detector must have the same.
    ///
    /// ```
    /// use tower_webhook::{layer::ObserveLayer, observe::AnomalyDetector};
    ///
    /// let detector = AnomalyDetector::builder().on_anomaly(|anomaly| eprintln!("{anomaly}")).build();
    /// let layer = ObserveLayer::new().detect(detector.clone());
    /// // tokio::spawn(detector.watch(std::time::Duration::from_secs(10)));
    /// ```
    pub fn detect(self, detector: AnomalyDetector) -> Self {
        self.with(|config| config.detector = Some(detector))
    }

    /// Keeps gauges of a store, under this name: how full it is, or whether it answers. Asked once in five seconds at most, when a request is over.
    ///
    /// ```
    /// use tower_webhook::{layer::ObserveLayer, store::MemoryNonceStore};
    ///
    /// let nonces = MemoryNonceStore::new();
    /// let layer = ObserveLayer::new().watch("nonces", nonces.clone());
    /// ```
    pub fn watch(self, name: impl Into<Arc<str>>, store: impl Watched) -> Self {
        self.with(|config| config.watched.push((name.into(), Arc::new(store)))).with_own_gauges()
    }

    /// The budget whose bytes are a gauge. That of the process by default.
    pub fn budget(self, budget: BodyBudget) -> Self {
        self.with(|config| config.budget = budget).with_own_gauges()
    }

    /// Looks at what is [watched](Self::watch), and at the budget, right now: for a scrape, when requests are rare.
    ///
    /// ```
    /// use tower_webhook::layer::ObserveLayer;
    ///
    /// let observe = ObserveLayer::new();
    /// let layer = observe.clone(); // goes around a service
    /// observe.update_gauges();
    /// ```
    #[cfg(feature = "metrics")]
    pub fn update_gauges(&self) {
        self.config.metrics.tell_gauges_now(&self.config.budget, &self.config.watched);
    }

    /// Measures by another clock.
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with(|config| config.clock = SharedClock::new(clock))
    }

    /// How many events for the same reason are written, of those that strangers can bring about: so many at once, and then so many a second. 10 and 1 by default; 0 a second
    /// leaves out all but the first ones. Clones of a layer share what they may write.
    #[cfg(feature = "tracing")]
    pub fn log_rate(self, at_once: u32, per_second: u32) -> Self {
        self.with(|config| config.log = config.log.clone().with_rate(at_once, per_second))
    }

    /// Shows the span of each delivery, as soon as it is verified, and the sender's trace, to this function: such as one that makes the trace the span's parent, or
    /// links to it, by `tracing-opentelemetry`. If it panics, that is as if it were not there.
    #[cfg(feature = "tracing")]
    pub fn on_trace_context(
        self,
        see: impl Fn(&tracing::Span, crate::observe::TraceContext) + Send + Sync + 'static,
    ) -> Self {
        self.with(|config| config.log = config.log.clone().with_trace_context(see))
    }

    /// What the whole stack knows of itself.
    pub(super) fn of_stack(self, provider: Option<Arc<str>>, secret_headers: &[HeaderName]) -> Self {
        self.with(|config| {
            config.provider = config.provider.take().or(provider);
            config.secret_headers.extend_from_slice(secret_headers);
        })
    }

    /// Clones count together, but what they look at is each one's own.
    fn with_own_gauges(self) -> Self {
        #[cfg(feature = "metrics")]
        return self.with(|config| config.metrics = config.metrics.clone().with_own_gauges());
        #[cfg(not(feature = "metrics"))]
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }
}

impl Default for ObserveLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ObserveLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveLayer").field("provider", &self.config.provider).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe::new(inner, Some(self.clone()))
    }
}

/// The service of [`ObserveLayer`].
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
    layer: Option<ObserveLayer>,
}

impl<S> Observe<S> {
    /// Observes nothing without a layer.
    pub(super) const fn new(inner: S, layer: Option<ObserveLayer>) -> Self {
        Self { inner, layer }
    }
}

impl<S, B, ResBody> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Response = Response<Observed<ResBody>>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut watch = self.layer.as_ref().map(|layer| Watch::begin(&layer.config, &mut request));
        let called = {
            #[cfg(feature = "tracing")]
            let _inside = watch.as_ref().map(|watch| watch.trace.enter());
            self.inner.call(request)
        };
        watch.iter_mut().for_each(|watch| watch.is_inside = false);
        ObserveFuture { called, watch }
    }
}

pin_project! {
    /// The future of [`Observe`].
    pub struct ObserveFuture<F> {
        // Dropped from top to bottom: first the request, then who watches it.
        #[pin]
        called: F,
        watch: Option<Watch>,
    }
}

impl<F, ResBody, E> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = Result<Response<Observed<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Left so by a panic, whoever catches it and drops us later.
        this.watch.iter_mut().for_each(|watch| watch.is_inside = true);
        let polled = {
            #[cfg(feature = "tracing")]
            let _inside = this.watch.as_ref().map(|watch| watch.trace.enter());
            this.called.poll(cx)
        };
        this.watch.iter_mut().for_each(|watch| watch.is_inside = false);
        let answer = ready!(polled);
        let Some(watch) = this.watch.take() else {
            return Poll::Ready(answer.map(|response| response.map(Observed::unwatched)));
        };
        match answer {
            Ok(response) => Poll::Ready(Ok(watch.answered(response))),
            Err(error) => {
                watch.end(Outcome::Error, None);
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F> fmt::Debug for ObserveFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObserveFuture")
    }
}

/// One request, watched until it is over: dropped before, its client is gone.
struct Watch {
    config: Arc<Config>,
    record: Arc<Record>,
    client: Option<IpAddr>,
    #[cfg(feature = "tracing")]
    trace: Trace,
    is_over: bool,
    /// The service is called or polled right now.
    is_inside: bool,
}

impl Watch {
    fn begin<B>(config: &Arc<Config>, request: &mut Request<B>) -> Self {
        hide(request.headers_mut(), &config.secret_headers);
        let client = client(request.extensions(), request.headers(), config.proxies.as_ref()).ok();
        #[cfg(feature = "tracing")]
        let trace = config.log.begin(method(request.method()), framework::route(request.extensions()), client);
        #[cfg(feature = "tracing")]
        let on_trace_context = config.log.trace_context_of(&trace);
        #[cfg(not(feature = "tracing"))]
        let on_trace_context = None;
        Self {
            record: Record::begin(&config.clock, on_trace_context, request.extensions_mut()),
            #[cfg(feature = "tracing")]
            trace,
            config: Arc::clone(config),
            client,
            is_over: false,
            is_inside: true,
        }
    }

    fn answered<B>(self, response: Response<B>) -> Response<Observed<B>> {
        let (head, body) = response.into_parts();
        let is_open = is_grpc(&head.headers)
            && !head.headers.contains_key(GRPC_STATUS)
            && head.extensions.get::<Rejection>().is_none();
        let watch = if is_open {
            // Only the trailers say how the call went.
            Some(Box::new(Open { watch: self, head: Some(Head::of(&head)) }))
        } else {
            let outcome = Head::of(&head).outcome(grpc_status(&head.headers));
            self.end_with(outcome, head.extensions.get::<Rejection>(), Some(head.status));
            None
        };
        Response::from_parts(head, Observed { body, watch })
    }

    fn end(self, outcome: Outcome, status: Option<StatusCode>) {
        self.end_with(|_| outcome, None, status);
    }

    fn end_with(
        mut self,
        outcome: impl FnOnce(&Record) -> Outcome,
        rejection: Option<&Rejection>,
        status: Option<StatusCode>,
    ) {
        self.is_over = true;
        self.tell(outcome, rejection, status);
    }

    fn tell(
        &self,
        outcome: impl FnOnce(&Record) -> Outcome,
        rejection: Option<&Rejection>,
        status: Option<StatusCode>,
    ) {
        let config = &*self.config;
        let outcome = outcome(&self.record);
        if matches!(outcome, Outcome::Handled | Outcome::Failed) {
            self.record.is_handled();
        }
        let facts = self.record.end();
        let observation = Observation {
            provider: facts.provider.clone().or_else(|| config.provider.clone()),
            outcome,
            rejection: rejection.cloned(),
            trial: facts.trial.clone(),
            status,
            delivery: facts.delivery.clone(),
            client: self.client,
            body_len: facts.body_len,
            received: facts.received,
            reached: facts.reached,
            times: facts.times,
            rate: facts.rate,
            store_error: facts.store_error,
            trace_context: facts.trace_context,
        };
        drop(facts);
        // Whoever listens must not take a request down with it, nor the process, if this one is being dropped by a panic.
        let _ = catch_unwind(AssertUnwindSafe(|| config.tell(&observation, self)));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_over {
            let outcome = if self.is_inside { Outcome::Error } else { Outcome::HungUp };
            self.tell(|_| outcome, None, None);
        }
    }
}

impl Config {
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "only traces ask who watched"))]
    fn tell(&self, observation: &Observation, watch: &Watch) {
        #[cfg(feature = "metrics")]
        {
            let now = self.clock.monotonic();
            self.metrics.tell(observation);
            self.metrics.tell_gauges(now, &self.budget, &self.watched);
        }
        #[cfg(feature = "tracing")]
        {
            let left_out = self.log.tell(observation, &watch.trace, self.clock.monotonic());
            #[cfg(feature = "metrics")]
            self.metrics.tell_left_out(left_out);
            #[cfg(not(feature = "metrics"))]
            let _ = left_out;
        }
        if let Some(detector) = &self.detector {
            detector.observe(&sample(observation, self.clock.monotonic()));
        }
        if let Some(see) = &self.on_observation {
            see(observation);
        }
    }
}

/// What a detector is told of a request.
fn sample(observation: &Observation, monotonic: Duration) -> Sample<'_> {
    let delivery = observation.delivery();
    let is_forged =
        |rejection: &Rejection| matches!(rejection.status(), StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    Sample {
        monotonic,
        at: observation.received(),
        provider: observation.provider().unwrap_or("unknown"),
        source: observation.client(),
        outcome: match (delivery, observation.rejection().or(observation.trial())) {
            (_, Some(Rejection::Replayed)) => SampleOutcome::Replayed,
            // Even one that a layer inside then refused: it shows that the provider is there, and how.
            (Some(_), _) => SampleOutcome::Genuine,
            (None, Some(rejection)) if is_forged(rejection) => SampleOutcome::Forged,
            (None, _) => SampleOutcome::Other,
        },
        skew_ms: observation.clock_skew_millis(),
        key_index: delivery.map(Delivery::key_index),
        body_len: observation.body_len(),
    }
}

/// What an answer's head says of what became of the request.
struct Head {
    status: StatusCode,
    is_answered: bool,
    rejected: Option<Outcome>,
}

impl Head {
    fn of(head: &Parts) -> Self {
        let rejected = head.extensions.get::<Rejection>().map(|rejection| match rejection {
            Rejection::Replayed => Outcome::Duplicate,
            Rejection::EventIgnored => Outcome::Ignored,
            _ => Outcome::Rejected,
        });
        let is_answered = head.extensions.get::<Answer>().is_some() || head.extensions.get::<Answered>().is_some();
        Self { status: head.status, is_answered, rejected }
    }

    fn outcome(self, grpc_status: Option<bool>) -> impl FnOnce(&Record) -> Outcome {
        move |record| match self.rejected {
            Some(outcome) => outcome,
            None if self.is_answered || !record.is_let_through() => Outcome::Answered,
            None if self.status.is_success() && grpc_status != Some(false) => Outcome::Handled,
            None => Outcome::Failed,
        }
    }
}

/// A gRPC call whose end is not known yet.
struct Open {
    watch: Watch,
    head: Option<Head>,
}

impl Open {
    fn end(mut self, is_ok: bool) {
        if let Some(head) = self.head.take() {
            let status = head.status;
            self.watch.end_with(head.outcome(Some(is_ok)), None, Some(status));
        }
    }
}

pin_project! {
    /// The body of an answer that is [observed](Observe): the inner one, watched to its trailers if only they say how a gRPC call went.
    pub struct Observed<B> {
        #[pin]
        body: B,
        watch: Option<Box<Open>>,
    }
}

impl<B> Observed<B> {
    const fn unwatched(body: B) -> Self {
        Self { body, watch: None }
    }
}

impl<B: Body> Body for Observed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = {
            #[cfg(feature = "tracing")]
            let _inside = this.watch.as_ref().map(|open| open.watch.trace.enter());
            ready!(this.body.poll_frame(cx))
        };
        let went_well = match &frame {
            Some(Ok(frame)) => frame.trailers_ref().map(|trailers| grpc_status(trailers) == Some(true)),
            Some(Err(_)) | None => Some(false),
        };
        if let Some(went_well) = went_well
            && let Some(open) = this.watch.take()
        {
            open.end(went_well);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // A server asks no more of a body that says so, and the trailers are still to be seen.
        self.watch.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Default> Default for Observed<B> {
    fn default() -> Self {
        Self::unwatched(B::default())
    }
}

impl<B> fmt::Debug for Observed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observed")
    }
}

/// Whether a gRPC call went well, if that is said.
fn grpc_status(headers: &HeaderMap) -> Option<bool> {
    headers.get(GRPC_STATUS).map(|status| status == "0")
}

/// One of the methods there are: a stranger may have made up another.
#[cfg(feature = "tracing")]
fn method(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 9] = [
        (Method::POST, "POST"),
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::PATCH, "PATCH"),
        (Method::TRACE, "TRACE"),
        (Method::CONNECT, "CONNECT"),
    ];
    KNOWN.iter().find(|(known, _)| known == method).map_or("_OTHER", |(_, name)| name)
}
