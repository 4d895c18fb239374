mod cloud_events;
mod hook_secret;
mod plan;
mod signed;
mod sns;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::sync::Semaphore;
use tower_layer::Layer;
use tower_service::Service;

use self::{
    cloud_events::CloudEvents,
    hook_secret::HookSecrets,
    plan::{Asked, Plan},
    sns::Confirm,
};
pub use self::{
    hook_secret::HookSecret,
    signed::{SignedHandshakeFuture, SignedHandshakeLayer, SignedHandshakes},
};
use super::{Check, Guard, Refusal, Step};
use crate::{
    ConfigError, Rejection,
    body::{Limits, ReadBody},
    framework,
    handshake::{self, Handshake, Needs},
    key::NoBody,
    scheme::Head,
    store::Quotas,
};

/// Answers the handshakes by which providers make sure that an endpoint is meant for them.
///
/// This one stands outside verification and answers requests that nobody signs, mostly `GET`; everything else goes on as it came.
/// Handshakes that are signed are answered by its [`signed`](Self::signed) counterpart inside verification.
/// Neither costs a verified sender anything, if the counterpart is the first layer inside. Limits by address belong outside of both.
/// [`WebhookBuilder::handshake`](super::WebhookBuilder::handshake) puts both where they belong; by hand:
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_webhook::{handshake, layer::*, provider, store::MemoryNonceStore};
///
/// let zoom = provider::ZOOM.verifier("secret token")?;
/// let handshakes = HandshakeLayer::new().answer_with(handshake::ZOOM, &["secret token"])?;
/// let stack = ServiceBuilder::new()
///     .layer(RenderRejectionsLayer::new())
///     .layer(handshakes.clone())
///     .layer(VerifySignatureLayer::new(zoom))
///     .layer(handshakes.signed())
///     .layer(RejectReplayLayer::new(MemoryNonceStore::new()));
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// Meta's needs the verify token that was entered there; others need nothing, or have to be wanted:
///
/// ```
/// use tower_webhook::{handshake, layer::HandshakeLayer, store::Quota};
///
/// let meta = HandshakeLayer::new().answer_with(handshake::META, &["meatyhamhock"])?;
/// let dropbox = HandshakeLayer::new().answer(handshake::DROPBOX)?;
/// let events = HandshakeLayer::new().cloud_events(["eventemitter.example.com"], Quota::per_minute(100))?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// # Panics
///
/// [`asana`](Self::asana), [`confirm_sns`](Self::confirm_sns) and [`MONDAY`](crate::handshake::MONDAY) wait, which panics outside a Tokio runtime with
/// its timer enabled.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct HandshakeLayer {
    // Shared: axum applies layers anew for each request.
    config: Arc<Config>,
}

#[derive(Clone, Default)]
struct Config {
    plans: Vec<Plan>,
    cloud_events: Option<CloudEvents>,
    hook_secrets: Option<HookSecrets>,
    sns: Option<Arc<dyn Confirm>>,
    /// Strangers may take these, so that confirmations, which are verified, have turns of their own.
    hook_turns: Turns,
    sns_turns: Turns,
}

impl HandshakeLayer {
    /// A layer that answers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers what there is to answer for a scheme of the catalogue by itself: all handshakes that take nothing more than the `secret` of its
    /// deliveries, if there is one. None, for most.
    ///
    /// Those that take a verify token or topics are left out, and so are those that have to be wanted.
    ///
    /// ```
    /// use tower_webhook::layer::HandshakeLayer;
    ///
    /// let slack = HandshakeLayer::for_provider("slack", Some("8f742231b10e8888abcd99yyyzzz85a5"))?;
    /// assert!(HandshakeLayer::for_provider("stripe", Some("whsec_…"))?.is_empty());
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the secret cannot be one.
    pub fn for_provider(provider: &str, secret: Option<&str>) -> Result<Self, ConfigError> {
        handshake::of(provider).try_fold(Self::new(), |layer, handshake| match (handshake.needs, secret) {
            (Needs::Nothing, _) => layer.answer(handshake),
            (Needs::SigningSecret, Some(secret)) => layer.answer_with(handshake, &[secret]),
            _ => Ok(layer),
        })
    }

    /// Answers this handshake, which needs nothing but the request.
    ///
    /// # Errors
    ///
    /// If it needs more, or makes no sense.
    pub fn answer(self, handshake: Handshake) -> Result<Self, ConfigError> {
        self.answer_with(handshake, &[])
    }

    /// Answers this handshake with what it [needs](Handshake::needs): the signing secret, of several the one in use; verify tokens or topics, of
    /// which any will do.
    ///
    /// # Errors
    ///
    /// If it needs something else, or makes no sense.
    pub fn answer_with(mut self, handshake: Handshake, given: &[&str]) -> Result<Self, ConfigError> {
        let plan = Plan::new(handshake, given)?;
        self.config_mut().plans.push(plan);
        Ok(self)
    }

    /// Answers `OPTIONS` requests by which CloudEvents senders ask for permission, if they are one of these `origins`.
    ///
    /// They are allowed the rate of `quotas`, which should be those that the senders' [`RateLimitLayer`](super::RateLimitLayer) has: the least of them in a minute, rounded down,
    /// but at least one. Others are answered as if there were no such method. No permission is given by callback: whoever asks chooses the URL.
    ///
    /// Azure Event Grid asks like this, in its CloudEvents schema, as `eventgrid.azure.net`.
    ///
    /// Source: <https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection>
    ///
    /// # Errors
    ///
    /// If there are no origins, one is not a name in the DNS, or the quotas let nothing through.
    pub fn cloud_events(
        mut self,
        origins: impl IntoIterator<Item: AsRef<str>>,
        quotas: impl Into<Quotas>,
    ) -> Result<Self, ConfigError> {
        self.config_mut().cloud_events = Some(CloudEvents::new(origins, Some(quotas.into()))?);
        Ok(self)
    }

    /// As [`cloud_events`](Self::cloud_events), for senders that nothing limits: they are allowed any rate.
    ///
    /// # Errors
    ///
    /// As [`cloud_events`](Self::cloud_events).
    pub fn cloud_events_without_limit(
        mut self,
        origins: impl IntoIterator<Item: AsRef<str>>,
    ) -> Result<Self, ConfigError> {
        self.config_mut().cloud_events = Some(CloudEvents::new(origins, None)?);
        Ok(self)
    }

    /// Answers Asana's handshake: the secret of a webhook comes in `X-Hook-Secret` while it is being created, and is sent back if `accept` says so.
    ///
    /// Nothing proves that Asana sent it, and whoever holds it can sign deliveries. So `accept` must store it only while a webhook is being
    /// created, which it knows best by a target that cannot be guessed, and say `true` only when it is stored. Otherwise the answer is `401`; after ten seconds, or while sixteen others wait, `503`.
    ///
    /// ```
    /// use tower_webhook::layer::{HandshakeLayer, HookSecret};
    ///
    /// let layer = HandshakeLayer::new().asana(|secret: HookSecret| async move {
    ///     let expected = secret.target() == "/asana/4f1c29d0a7";
    ///     // Here it would be stored.
    ///     expected && !secret.expose().is_empty()
    /// });
    /// ```
    ///
    /// Source: <https://developers.asana.com/reference/createwebhook>
    pub fn asana<F, Fut>(mut self, accept: F) -> Self
    where
        F: Fn(HookSecret) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.config_mut().hook_secrets = Some(HookSecrets::new(accept));
        self
    }

    /// Confirms subscriptions of Amazon SNS, by opening the `SubscribeURL` of verified messages with this client.
    ///
    /// Only of topics that the verifier was configured for, and only at `https://sns.REGION.amazonaws.com/` of the topic's own region, for
    /// that topic and the message's own token. The client must check certificates and not follow redirects. Any failure is answered `503`, after which SNS
    /// tries again. Without this, such messages are deliveries like any other.
    ///
    /// ```
    /// # #[cfg(feature = "fetch")] {
    /// use tower_webhook::{key::HttpsFetcher, layer::HandshakeLayer};
    ///
    /// let layer = HandshakeLayer::new().confirm_sns(HttpsFetcher::new()?);
    /// # }
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    ///
    /// Source: <https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html>
    pub fn confirm_sns<S, B>(mut self, client: S) -> Self
    where
        S: Service<Request<NoBody>, Response = Response<B>, Future: Send> + Clone + Send + Sync + 'static,
        B: Send + 'static,
    {
        self.config_mut().sns = Some(Arc::new(client));
        self
    }

    /// The counterpart for inside verification. It belongs there even if nothing of this is signed: it also refuses
    /// deliveries whose signature anyone could have got by a handshake ([`X_CRC`](crate::handshake::X_CRC)).
    pub fn signed(&self) -> SignedHandshakeLayer {
        SignedHandshakeLayer::new(Arc::clone(&self.config))
    }

    /// Whether it answers nothing.
    pub fn is_empty(&self) -> bool {
        let Config { plans, cloud_events, hook_secrets, sns, hook_turns: _, sns_turns: _ } = &*self.config;
        plans.is_empty() && cloud_events.is_none() && hook_secrets.is_none() && sns.is_none()
    }

    /// Whether one of them fails if refusals have a body.
    pub(super) fn wants_no_bodies(&self) -> bool {
        self.config.plans.iter().any(Plan::wants_no_bodies)
    }

    fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }
}

impl fmt::Debug for Config {
    /// Names the handshakes, and shows nothing of what is secret about them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = [
            (self.cloud_events.is_some(), "cloud-events"),
            (self.hook_secrets.is_some(), "asana"),
            (self.sns.is_some(), "aws-sns"),
        ];
        let others = others.iter().filter(|(is_there, _)| *is_there).map(|(_, name)| *name);
        f.debug_list().entries(self.plans.iter().map(Plan::name).chain(others)).finish()
    }
}

impl<S> Layer<S> for HandshakeLayer {
    type Service = Guard<S, Handshakes>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, Handshakes(Arc::clone(&self.config)))
    }
}

/// The check of [`HandshakeLayer`].
#[derive(Clone, Debug)]
pub struct Handshakes(Arc<Config>);

impl<B: Body> Check<B> for Handshakes {
    type Out = B;
    type Future = HandshakeFuture<B>;

    fn check(&self, request: Request<B>) -> Step<B, Self::Future> {
        match self.0.ask(head_of(&request)) {
            Found::Nothing => Step::Now(Ok(request)),
            Found::Answer(refusal) => Step::Now(Err(refusal.reusing(request.into_parts().0))),
            Found::InBody(plan) => {
                let (head, body) = request.into_parts();
                match limits().check_head(&head.headers, &body) {
                    // Nothing of this is a handshake, and verification says better what it is.
                    Err(_) => Step::Now(Ok(Request::from_parts(head, body))),
                    Ok(()) => {
                        let read = ReadBody::new(body, &limits());
                        Step::Later(HandshakeFuture {
                            state: State::Reading { read, head, config: Arc::clone(&self.0), plan },
                        })
                    }
                }
            }
            Found::Wait(answer) => Step::Later(HandshakeFuture { state: State::Waiting { answer } }),
        }
    }
}

/// What a request outside verification is.
enum Found {
    Nothing,
    Answer(Refusal),
    /// The plan at this index has to see the body.
    InBody(usize),
    Wait(LateAnswer),
}

/// An answer that takes a while.
type LateAnswer = Pin<Box<dyn Future<Output = Refusal> + Send>>;

impl Config {
    fn ask(&self, head: Head<'_>) -> Found {
        let (mut refused, mut in_body) = (None, None);
        for (index, plan) in self.plans.iter().enumerate() {
            match plan.ask(head) {
                Asked::Nothing => {}
                Asked::Answer(answer) => return Found::Answer(answer),
                // What has been read cannot go on to verification, so that comes last.
                Asked::InBody => in_body = in_body.or(Some(index)),
                // Two handshakes may look the same but for what they know.
                Asked::Refused(refusal) => refused = Some(refusal),
            }
        }
        if let Some(answer) = self.cloud_events.as_ref().and_then(|events| events.ask(head)) {
            return Found::Answer(answer);
        }
        if let Some(secrets) = &self.hook_secrets {
            let secret = HookSecrets::find(head);
            match secret.and_then(|secret| {
                secret.map(|secret| Self::wait(&self.hook_turns, || secrets.answer(secret))).transpose()
            }) {
                Ok(None) => {}
                Ok(Some(answer)) => return Found::Wait(answer),
                Err(rejection) => return Found::Answer(rejection.into()),
            }
        }
        match (in_body, refused) {
            (Some(index), _) => Found::InBody(index),
            (None, Some(refusal)) => Found::Answer(refusal),
            (None, None) => Found::Nothing,
        }
    }

    /// Waits for what is not ours, but not for long, nor for much at once: strangers may have begun it.
    ///
    /// # Errors
    ///
    /// If too many wait.
    fn wait<F>(turns: &Turns, answer: impl FnOnce() -> F) -> Result<LateAnswer, Rejection>
    where
        F: Future<Output = Refusal> + Send + 'static,
    {
        const PATIENCE: Duration = Duration::from_secs(10);
        let turn = Arc::clone(&turns.0).try_acquire_owned().map_err(|_| Rejection::HandshakeUnfinished)?;
        let answer = tokio::time::timeout(PATIENCE, answer());
        Ok(Box::pin(async move {
            let answer = answer.await.unwrap_or_else(|_| Rejection::HandshakeUnfinished.into());
            drop(turn);
            answer
        }))
    }
}

/// So many may wait at once.
#[derive(Clone)]
struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(16)))
    }
}

/// The head as it was sent: with the target that was called, not what is left of it in a nested router.
fn head_of<B>(request: &Request<B>) -> Head<'_> {
    let uri = framework::original_uri(request.extensions()).unwrap_or(request.uri());
    Head { method: request.method(), uri, headers: request.headers() }
}

/// What is read of the bodies of strangers, and for how long.
fn limits() -> Limits {
    let patience = Duration::from_secs(5);
    Limits { total: patience, idle: patience, ..Limits::new(4096) }
}

pin_project! {
    /// The future of [`Handshakes`].
    pub struct HandshakeFuture<B> {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = Project]
    enum State<B> {
        Reading { #[pin] read: ReadBody<B>, head: Parts, config: Arc<Config>, plan: usize },
        Waiting { answer: LateAnswer },
    }
}

impl<B: Body> Future for HandshakeFuture<B> {
    type Output = Result<Request<B>, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(match self.project().state.project() {
            Project::Waiting { answer } => ready!(answer.as_mut().poll(cx)),
            Project::Reading { read, head, config, plan } => {
                match (ready!(read.poll_read(cx, |_| {})), config.plans.get(*plan)) {
                    (Ok(body), Some(plan)) => plan.ask_body(Head::from(&*head), body.bytes()),
                    (Err(rejection), _) => rejection.into(),
                    (Ok(_), None) => Rejection::MissingSignature.into(),
                }
            }
        }))
    }
}

impl<B> fmt::Debug for HandshakeFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeFuture")
    }
}
