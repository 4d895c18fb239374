use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tower_layer::{Identity, Layer, Stack};

use super::{
    Guard, Protocol, RateLimitLayer, RejectReplayLayer, RenderRejections, RenderRejectionsLayer, VerifySignature,
    VerifySignatureLayer,
};
use crate::{
    ConfigError, Rejection,
    body::BodyBudget,
    clock::Clock,
    scheme::Verifier,
    store::{MemoryNonceStore, NonceStore},
};

/// The whole stack for one provider, in its safe order and with safe defaults.
///
/// From outside in: rejections in words, rate limit by client address (if asked for), signature, further layers (if given), replay. Without further calls: the provider's largest body (1 MiB for most), its tolerance (five minutes for
/// most), and replay protection in memory.
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
///     layer::{BySender, ClientAddr, EnforceTimestampLayer, RateLimitLayer, WebhookLayer},
///     provider,
///     store::{MemoryNonceStore, MemoryRateStore, Quota},
/// };
///
/// let slack = provider::SLACK.verifier(["new secret", "old secret"])?;
/// let rates = MemoryRateStore::new();
/// let layer = WebhookLayer::builder(slack)
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
pub struct WebhookLayer<Outside = Identity, Inside = Identity, Replay = RejectReplayLayer<MemoryNonceStore>> {
    render: RenderRejectionsLayer,
    outside: Outside,
    verify: VerifySignatureLayer,
    inside: Inside,
    replay: Replay,
}

impl WebhookLayer {
    /// The stack for this verifier's provider, with the defaults.
    pub fn new(verifier: Verifier) -> Self {
        Self::builder(verifier).layer
    }

    /// The stack for this verifier's provider, with more to say.
    pub fn builder(verifier: Verifier) -> WebhookBuilder {
        WebhookBuilder {
            layer: Self {
                render: RenderRejectionsLayer::new(),
                outside: Identity::new(),
                verify: VerifySignatureLayer::new(verifier),
                inside: Identity::new(),
                replay: RejectReplayLayer::new(MemoryNonceStore::new()),
            },
        }
    }
}

impl<S, Outside, Inside, Replay> Layer<S> for WebhookLayer<Outside, Inside, Replay>
where
    Replay: Layer<S>,
    Inside: Layer<Replay::Service>,
    Outside: Layer<Guard<Inside::Service, VerifySignature>>,
{
    type Service = RenderRejections<Outside::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        let verified = self.inside.layer(self.replay.layer(inner));
        self.render.layer(self.outside.layer(self.verify.layer(verified)))
    }
}

/// Sets up a [`WebhookLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct WebhookBuilder<Outside = Identity, Inside = Identity, Replay = RejectReplayLayer<MemoryNonceStore>> {
    layer: WebhookLayer<Outside, Inside, Replay>,
}

impl<Outside, Inside, Replay> WebhookBuilder<Outside, Inside, Replay> {
    /// Limits requests before anything is known of them; [`ClientAddr`](super::ClientAddr) is what to limit by.
    pub fn rate_limit<K, R>(self, limit: RateLimitLayer<K, R>) -> WebhookBuilder<RateLimitLayer<K, R>, Inside, Replay> {
        let WebhookLayer { render, verify, inside, replay, .. } = self.layer;
        WebhookBuilder { layer: WebhookLayer { render, outside: limit, verify, inside, replay } }
    }

    /// Puts a layer inside verification and outside replay protection; the first one is met first.
    pub fn then<L>(self, layer: L) -> WebhookBuilder<Outside, Stack<L, Inside>, Replay> {
        let WebhookLayer { render, outside, verify, inside, replay } = self.layer;
        WebhookBuilder { layer: WebhookLayer { render, outside, verify, inside: Stack::new(layer, inside), replay } }
    }

    /// Lets deliveries be handled more than once: for handlers that do not mind.
    pub fn without_replay_protection(self) -> WebhookBuilder<Outside, Inside, Identity> {
        self.with_replay(|_| Identity::new())
    }

    fn with_replay<New>(self, replace: impl FnOnce(Replay) -> New) -> WebhookBuilder<Outside, Inside, New> {
        let WebhookLayer { render, outside, verify, inside, replay } = self.layer;
        WebhookBuilder { layer: WebhookLayer { render, outside, verify, inside, replay: replace(replay) } }
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

    /// The bytes that unverified bodies may hold together. Those of [`BodyBudget::process`] by default.
    pub fn budget(self, budget: BodyBudget) -> Self {
        self.with_verify(|verify| verify.budget(budget))
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

impl<Outside, Inside, N: NonceStore> WebhookBuilder<Outside, Inside, RejectReplayLayer<N>> {
    /// Remembers deliveries in this store. In memory by default, in a store of the layer's own.
    ///
    /// A store that several endpoints share needs a [`scope`](Self::scope) for each.
    pub fn replay<New: NonceStore>(self, store: New) -> WebhookBuilder<Outside, Inside, RejectReplayLayer<New>> {
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

    /// The layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::RetentionTooShort`] if a delivery would be forgotten while the same request is still accepted;
    /// [`ConfigError::InvalidValue`] if a timeout is zero.
    pub fn build(self) -> Result<WebhookLayer<Outside, Inside, RejectReplayLayer<N>>, ConfigError> {
        let tolerance = self.layer.verify.verifier().tolerance();
        let needed = tolerance.map(|tolerance| tolerance.past.saturating_add(tolerance.future));
        self.layer.replay.check_retention(needed.unwrap_or_default())?;
        self.layer.verify.check_limits()?;
        Ok(self.layer)
    }
}

impl<Outside, Inside> WebhookBuilder<Outside, Inside, Identity> {
    /// The layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidValue`] if a timeout is zero.
    pub fn build(self) -> Result<WebhookLayer<Outside, Inside, Identity>, ConfigError> {
        self.layer.verify.check_limits()?;
        Ok(self.layer)
    }
}
