use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tower_layer::{Identity, Layer, Stack};

use super::{
    AllowSourcesLayer, Dangerous, Guard, HandshakeLayer, Observe, ObserveLayer, Protocol, RateLimitLayer,
    RejectReplayLayer, RenderRejections, RenderRejectionsLayer, RequireHttpsLayer, RunToEndLayer, SignedHandshakeLayer,
    VerifierSource, VerifySignature, VerifySignatureLayer,
};
use crate::{
    ConfigError, Rejection, TrustedProxies,
    body::{BodyBudget, ContentCoding},
    clock::Clock,
    store::{LimitingNonceStore, MemoryNonceStore, NonceStore, Quotas},
};

/// The whole stack for one provider, in its safe order and with safe defaults.
///
/// From outside in: rejections in words, observation, HTTPS, allowed sources and rate limit by client address (each if asked for, in whatever order),
/// signature, further layers (if given), replay. Without further calls: the provider's largest body (1 MiB for most), its tolerance (five
/// minutes for most), and replay protection in memory.
///
/// It is a tuple of the layers it names, so a route can have one of its own, and so can a whole router.
///
/// ```
/// use axum::{Router, routing::post};
/// use tower_webhook::{layer::WebhookLayer, provider};
///
/// let stripe = provider::STRIPE.verifier("whsec_…")?;
/// let app: Router = Router::new()
///     .route("/stripe", post(|body: String| async move { println!("{body}") }))
///     .layer(WebhookLayer::new(stripe));
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// With more to say:
///
/// ```
/// use std::time::Duration;
/// use tower_webhook::{
///     layer::{
///         AllowSourcesLayer, BySender, ClientAddr, EnforceTimestampLayer, RateLimitLayer, RequireHttpsLayer, Sources,
///         WebhookLayer,
///     },
///     provider,
///     store::{MemoryNonceStore, MemoryRateStore, Quota},
/// };
///
/// let slack = provider::SLACK.verifier(["new secret", "old secret"])?;
/// let rates = MemoryRateStore::new();
/// let layer = WebhookLayer::builder(slack)
///     .require_https(RequireHttpsLayer::new())
///     .allow_sources(AllowSourcesLayer::new(Sources::networks(["192.0.2.0/24"])?))
///     .rate_limit(RateLimitLayer::new(Quota::per_minute(600).allow_burst(50), ClientAddr::new(), rates.clone()))
///     .max_body(256 * 1024)
///     .then(EnforceTimestampLayer::new(Duration::from_secs(60)))
///     .then(RateLimitLayer::new(Quota::per_second(100), BySender, rates))
///     .replay(MemoryNonceStore::with_capacity(100_000))
///     .build()?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct WebhookLayer<
    Outside = Identity,
    Inside = Identity,
    Replay = RejectReplayLayer<MemoryNonceStore>,
    Gates = Identity,
> {
    render: RenderRejectionsLayer,
    observe: Option<ObserveLayer>,
    gates: Gates,
    outside: Outside,
    verify: VerifySignatureLayer,
    inside: Inside,
    replay: Replay,
}

impl WebhookLayer {
    /// The stack for this verifier's provider, or for [several](VerifierSource), with the defaults.
    pub fn new(source: impl VerifierSource) -> Self {
        Self::builder(source).layer
    }

    /// The stack for this verifier's provider, or for [several](VerifierSource), with more to say.
    pub fn builder(source: impl VerifierSource) -> WebhookBuilder {
        WebhookBuilder {
            layer: Self {
                render: RenderRejectionsLayer::new(),
                observe: None,
                gates: Identity::new(),
                outside: Identity::new(),
                verify: VerifySignatureLayer::new(source),
                inside: Identity::new(),
                replay: RejectReplayLayer::new(MemoryNonceStore::new()),
            },
        }
    }
}

impl<S, Outside, Inside, Replay, Gates> Layer<S> for WebhookLayer<Outside, Inside, Replay, Gates>
where
    Replay: Layer<S>,
    Inside: Layer<Replay::Service>,
    Outside: Layer<Guard<Inside::Service, VerifySignature>>,
    Gates: Layer<Outside::Service>,
{
    type Service = RenderRejections<Observe<Gates::Service>>;

    fn layer(&self, inner: S) -> Self::Service {
        let verified = self.inside.layer(self.replay.layer(inner));
        let guarded = self.gates.layer(self.outside.layer(self.verify.layer(verified)));
        self.render.layer(Observe::new(guarded, self.observe.clone()))
    }
}

/// Sets up a [`WebhookLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct WebhookBuilder<
    Outside = Identity,
    Inside = Identity,
    Replay = RejectReplayLayer<MemoryNonceStore>,
    Gates = Identity,
> {
    layer: WebhookLayer<Outside, Inside, Replay, Gates>,
}

impl<Inside, Replay, Gates> WebhookBuilder<Identity, Inside, Replay, Gates> {
    /// Limits requests before anything is known of them; [`ClientAddr`](super::ClientAddr) is what to limit by.
    pub fn rate_limit<K, R>(
        self,
        limit: RateLimitLayer<K, R>,
    ) -> WebhookBuilder<RateLimitLayer<K, R>, Inside, Replay, Gates> {
        self.with_outside(|_| limit)
    }
}

type Handshaken = Stack<HandshakeLayer, Identity>;

impl<Inside, Replay, Gates> WebhookBuilder<Handshaken, Inside, Replay, Gates> {
    /// Limits requests before anything is known of them, and before handshakes are answered.
    pub fn rate_limit<K, R>(
        self,
        limit: RateLimitLayer<K, R>,
    ) -> WebhookBuilder<Stack<Handshaken, RateLimitLayer<K, R>>, Inside, Replay, Gates> {
        self.with_outside(|handshakes| Stack::new(handshakes, limit))
    }
}

impl<Outside, Inside, Replay, Gates> WebhookBuilder<Outside, Inside, Replay, Gates> {
    /// Refuses what does not come over HTTPS, before anything else is asked.
    pub fn require_https(
        self,
        https: RequireHttpsLayer,
    ) -> WebhookBuilder<Outside, Inside, Replay, Stack<Gates, RequireHttpsLayer>> {
        self.with_gates(|gates| Stack::new(gates, https))
    }

    /// Refuses what comes from elsewhere: after HTTPS was required, and before requests are counted, so that strangers take no memory.
    pub fn allow_sources(
        self,
        sources: AllowSourcesLayer,
    ) -> WebhookBuilder<Outside, Inside, Replay, Stack<AllowSourcesLayer, Gates>> {
        self.with_gates(|gates| Stack::new(sources, gates))
    }

    /// Tells what becomes of each request, see [`ObserveLayer`]: of all of them, whatever refuses them.
    ///
    /// ```
    /// use tower_webhook::{layer::{ObserveLayer, WebhookLayer}, provider};
    ///
    /// let github = provider::GITHUB.verifier("secret")?;
    /// let layer = WebhookLayer::builder(github).observe(ObserveLayer::new()).build()?;
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    pub fn observe(mut self, observe: ObserveLayer) -> Self {
        let verify = &self.layer.verify;
        self.layer.observe = Some(observe.of_stack(verify.only_provider(), verify.secret_headers()));
        self
    }

    fn with_gates<New>(self, replace: impl FnOnce(Gates) -> New) -> WebhookBuilder<Outside, Inside, Replay, New> {
        let WebhookLayer { render, observe, gates, outside, verify, inside, replay } = self.layer;
        WebhookBuilder {
            layer: WebhookLayer { render, observe, gates: replace(gates), outside, verify, inside, replay },
        }
    }

    /// Takes the origin that the sender called from what trusted proxies say, see [`VerifySignatureLayer::public_origin_from`].
    ///
    /// # Errors
    ///
    /// If there is no origin; if one is none, or stands there twice; if the verifier has a whole public URL.
    pub fn public_origin_from(
        mut self,
        proxies: TrustedProxies,
        origins: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ConfigError> {
        self.layer.verify = self.layer.verify.public_origin_from(proxies, origins)?;
        Ok(self)
    }

    /// Answers handshakes: those that nobody signs outside verification, those that are signed first of all inside it.
    ///
    /// ```
    /// use tower_webhook::{layer::{HandshakeLayer, WebhookLayer}, provider};
    ///
    /// let slack = provider::SLACK.verifier("8f742231b10e8888abcd99yyyzzz85a5")?;
    /// let layer = WebhookLayer::builder(slack).handshake(HandshakeLayer::for_provider("slack", None)?).build()?;
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    pub fn handshake(
        self,
        handshakes: HandshakeLayer,
    ) -> WebhookBuilder<Stack<HandshakeLayer, Outside>, Stack<Inside, SignedHandshakeLayer>, Replay, Gates> {
        let WebhookLayer { render, observe, gates, outside, verify, inside, replay } = self.layer;
        let render = if handshakes.wants_no_bodies() { render.without_bodies() } else { render };
        let inside = Stack::new(inside, handshakes.signed());
        WebhookBuilder { layer: WebhookLayer { render, observe, gates, outside, verify, inside, replay } }
            .with_outside(|outside| Stack::new(handshakes, outside))
    }

    fn with_outside<New>(self, replace: impl FnOnce(Outside) -> New) -> WebhookBuilder<New, Inside, Replay, Gates> {
        let WebhookLayer { render, observe, gates, outside, verify, inside, replay } = self.layer;
        WebhookBuilder {
            layer: WebhookLayer { render, observe, gates, outside: replace(outside), verify, inside, replay },
        }
    }

    /// Puts a layer inside verification and outside replay protection; the first one is met first.
    pub fn then<L>(self, layer: L) -> WebhookBuilder<Outside, Stack<L, Inside>, Replay, Gates> {
        let WebhookLayer { render, observe, gates, outside, verify, inside, replay } = self.layer;
        WebhookBuilder {
            layer: WebhookLayer { render, observe, gates, outside, verify, inside: Stack::new(layer, inside), replay },
        }
    }

    /// Lets handlers finish whose clients have hung up: puts a [`RunToEndLayer`] where [`then`](Self::then) puts layers.
    ///
    /// To wait for them at shutdown, or to bound them otherwise, keep a clone of the layer and give it to `then`.
    pub fn run_to_end(self) -> WebhookBuilder<Outside, Stack<RunToEndLayer, Inside>, Replay, Gates> {
        self.then(RunToEndLayer::new())
    }

    /// Lets deliveries be handled more than once: for handlers that do not mind.
    pub fn without_replay_protection(self) -> WebhookBuilder<Outside, Inside, Identity, Gates> {
        self.with_replay(|_| Identity::new())
    }

    fn with_replay<New>(self, replace: impl FnOnce(Replay) -> New) -> WebhookBuilder<Outside, Inside, New, Gates> {
        let WebhookLayer { render, observe, gates, outside, verify, inside, replay } = self.layer;
        WebhookBuilder {
            layer: WebhookLayer { render, observe, gates, outside, verify, inside, replay: replace(replay) },
        }
    }

    fn with_verify(mut self, change: impl FnOnce(VerifySignatureLayer) -> VerifySignatureLayer) -> Self {
        self.layer.verify = change(self.layer.verify);
        self
    }

    /// The largest body that is let through, in bytes. The provider's largest by default.
    pub fn max_body(self, bytes: usize) -> Self {
        self.with_verify(|verify| verify.max_body(bytes))
    }

    /// How long a body may take as a whole. 15 seconds by default.
    pub fn body_timeout(self, timeout: Duration) -> Self {
        self.with_verify(|verify| verify.body_timeout(timeout))
    }

    /// How long a body may pause. 5 seconds by default.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with_verify(|verify| verify.idle_timeout(timeout))
    }

    /// How long the body of a gRPC call may stay open after its message, see [`VerifySignatureLayer::unary_grace`]. Five seconds by default.
    pub fn unary_grace(self, grace: Duration) -> Self {
        self.with_verify(|verify| verify.unary_grace(grace))
    }

    /// gRPC methods that are known to stream, see [`VerifySignatureLayer::streaming_methods`]. None by default.
    ///
    /// # Errors
    ///
    /// If one is not written as in requests.
    pub fn streaming_methods(
        mut self,
        methods: impl IntoIterator<Item = impl Into<Box<str>>>,
    ) -> Result<Self, ConfigError> {
        self.layer.verify = self.layer.verify.streaming_methods(methods)?;
        Ok(self)
    }

    /// The bytes that unverified bodies may hold together. Those of [`BodyBudget::process`] by default.
    pub fn budget(self, budget: BodyBudget) -> Self {
        self.with_verify(|verify| verify.budget(budget))
    }

    /// Also verifies bodies in these codings, see [`VerifySignatureLayer::allow_content_codings`]. None by default.
    pub fn allow_content_codings(self, codings: impl IntoIterator<Item = ContentCoding>) -> Self {
        self.with_verify(|verify| verify.allow_content_codings(codings))
    }

    /// Asks another clock whether requests are fresh. Stores have clocks of their own.
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with_verify(|verify| verify.with_clock(clock))
    }

    /// Answers rejections in other words, see [`RenderRejectionsLayer::on_rejection`].
    pub fn on_rejection(
        mut self,
        render: impl Fn(&Rejection, Protocol) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.layer.render = self.layer.render.on_rejection(render);
        self
    }
}

impl<Outside, Inside, N: NonceStore, Gates> WebhookBuilder<Outside, Inside, RejectReplayLayer<N>, Gates> {
    /// Remembers deliveries in this store. In memory by default, in a store of the layer's own.
    ///
    /// A store that several endpoints share needs a [`scope`](Self::scope) for each.
    pub fn replay<New: NonceStore>(self, store: New) -> WebhookBuilder<Outside, Inside, RejectReplayLayer<New>, Gates> {
        self.with_replay(|replay| replay.with_store(store))
    }

    /// A name for this endpoint's deliveries in a store that it shares with others.
    pub fn scope(self, scope: impl Into<Box<str>>) -> Self {
        self.with_replay(|replay| replay.scope(scope))
    }

    /// How long handled deliveries are remembered, see [`RejectReplayLayer::retention`].
    pub fn retention(self, retention: Duration) -> Self {
        self.with_replay(|replay| replay.retention(retention))
    }

    /// How long handlers may take, see [`RejectReplayLayer::handler_timeout`]. 30 seconds, and 40 for the lease, by default.
    ///
    /// # Errors
    ///
    /// If the lease could end while the handler still runs.
    pub fn handler_timeout(mut self, timeout: Duration, lease: Duration) -> Result<Self, ConfigError> {
        self.layer.replay = self.layer.replay.handler_timeout(timeout, lease)?;
        Ok(self)
    }

    /// Which answers mean that a delivery has been handled, see [`RejectReplayLayer::success_if`].
    pub fn success_if(self, is_success: impl Fn(&http::response::Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with_replay(|replay| replay.success_if(is_success))
    }

    /// The door to what gives up a part of the protection.
    ///
    /// ```
    /// use tower_webhook::{layer::WebhookLayer, provider};
    ///
    /// // GitHub never tries again, and handling a push twice does no harm here.
    /// let github = provider::GITHUB.verifier("secret")?;
    /// let layer = WebhookLayer::builder(github).dangerous().fail_open().build()?;
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    pub fn dangerous(self) -> Dangerous<Self> {
        Dangerous(self)
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RetentionTooShort`] if a delivery would be forgotten while the same request is still accepted;
    /// [`ConfigError::InvalidValue`] if a timeout is zero, or another store was given after senders were limited.
    pub fn build(self) -> Result<WebhookLayer<Outside, Inside, RejectReplayLayer<N>, Gates>, ConfigError> {
        self.layer.replay.check_retention(self.layer.verify.longest_acceptance())?;
        self.layer.replay.check_limit()?;
        self.layer.verify.check_limits()?;
        Ok(self.layer)
    }
}

impl<Outside, Inside, N: LimitingNonceStore, Gates> WebhookBuilder<Outside, Inside, RejectReplayLayer<N>, Gates> {
    /// Lets only so many deliveries of each verified sender through, see [`RejectReplayLayer::limit_senders`].
    pub fn limit_senders(self, quotas: impl Into<Quotas>) -> Self {
        self.with_replay(|replay| replay.limit_senders(quotas))
    }
}

impl<Outside, Inside, N: NonceStore, Gates> Dangerous<WebhookBuilder<Outside, Inside, RejectReplayLayer<N>, Gates>> {
    /// Handles deliveries also while the store does not answer, see [the same of `RejectReplayLayer`](Dangerous::<RejectReplayLayer<N>>::fail_open).
    pub fn fail_open(self) -> WebhookBuilder<Outside, Inside, RejectReplayLayer<N>, Gates> {
        self.0.with_replay(RejectReplayLayer::fail_open)
    }
}

impl<Outside, Inside, Gates> WebhookBuilder<Outside, Inside, Identity, Gates> {
    /// The layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidValue`] if a timeout is zero.
    pub fn build(self) -> Result<WebhookLayer<Outside, Inside, Identity, Gates>, ConfigError> {
        self.layer.verify.check_limits()?;
        Ok(self.layer)
    }
}
