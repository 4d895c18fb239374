use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;

use super::{Check, Guard, Refusal, Step, limits::limit_methods};
use crate::{
    ConfigError, Rejection,
    body::{BodyBudget, Limits, ReadBody, Verified},
    clock::{Clock, SharedClock},
    framework,
    scheme::{Head, Verification, Verifier},
};

/// Lets only requests through whose signature is good, and reads their bodies to do so.
///
/// What the head alone tells (method, announced length, codings, missing or malformed headers, a stale time) is
/// judged before a byte of the body is read. Bodies are hashed as they arrive and kept within the bounds of
/// [`BufferBodyLayer`](super::BufferBodyLayer), but with the provider's own size; one that came in a single frame is handed on as it came.
///
/// The body that it hands on is [`Verified`] and carries the [`Delivery`](crate::Delivery), of which a copy is in the request's extensions.
///
/// ```
/// use tower_webhook::{layer::VerifySignatureLayer, provider};
///
/// let layer = VerifySignatureLayer::new(provider::SLACK.verifier("8f742231b10e8888abcd99yyyzzz85a5")?)
///     .max_body(256 * 1024);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// # Panics
///
/// Requests whose body is not there at once panic outside a Tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifySignatureLayer {
    // Shared: axum applies layers anew for each request.
    config: Arc<Config>,
}

#[derive(Clone, Debug)]
struct Config {
    verifier: Verifier,
    limits: Limits,
    clock: SharedClock,
}

impl VerifySignatureLayer {
    /// A layer with the default bounds and the system's clock.
    pub fn new(verifier: Verifier) -> Self {
        let limits = Limits::new(verifier.max_body());
        Self { config: Arc::new(Config { verifier, limits, clock: SharedClock::default() }) }
    }

    /// Asks another clock whether requests are fresh.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        Arc::make_mut(&mut self.config).clock = SharedClock::new(clock);
        self
    }

    limit_methods!();

    pub(super) fn verifier(&self) -> &Verifier {
        &self.config.verifier
    }

    /// # Errors
    ///
    /// If a bound would refuse every request.
    pub(super) fn check_limits(&self) -> Result<(), ConfigError> {
        self.config.limits.check()
    }

    fn limits_mut(&mut self) -> &mut Limits {
        &mut Arc::make_mut(&mut self.config).limits
    }
}

impl<S> Layer<S> for VerifySignatureLayer {
    type Service = Guard<S, VerifySignature>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, VerifySignature(Arc::clone(&self.config)))
    }
}

/// The check of [`VerifySignatureLayer`].
#[derive(Clone, Debug)]
pub struct VerifySignature(Arc<Config>);

impl VerifySignature {
    fn begin(&self, head: &Parts, body: &impl Body) -> Result<Verification, Rejection> {
        let Config { verifier, limits, clock } = &*self.0;
        verifier.check_method(&head.method)?;
        limits.check_head(&head.headers, body)?;
        let now = clock.now().map_err(|_| Rejection::ClockUnavailable)?;
        verifier.begin(signed_head(head), now)
    }
}

impl<B: Body> Check<B> for VerifySignature {
    type Out = Verified;
    type Future = VerifySignatureFuture<B>;

    fn check(&self, request: Request<B>) -> Step<Verified, Self::Future> {
        let (head, body) = request.into_parts();
        let begun = self.begin(&head, &body).and_then(|verification| {
            let keys = FindKeys::of_head(&verification, signed_head(&head))?;
            Ok((verification, keys))
        });
        match begun {
            Ok((verification, keys)) => Step::Later(VerifySignatureFuture {
                read: ReadBody::new(body, &self.0.limits),
                verification,
                keys,
                clock: self.0.clock.clone(),
                head: Some(head),
            }),
            Err(rejection) => Step::Now(Err(Refusal::from(rejection).reusing(head))),
        }
    }
}

pin_project! {
    /// The future of [`VerifySignature`].
    pub struct VerifySignatureFuture<B> {
        #[pin]
        read: ReadBody<B>,
        verification: Verification,
        keys: FindKeys,
        clock: SharedClock,
        head: Option<Parts>,
    }
}

impl<B: Body> Future for VerifySignatureFuture<B> {
    type Output = Result<Request<Verified>, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let verification = this.verification;
        let found = match &*this.head {
            Some(head) => this.keys.poll(verification, signed_head(head), this.read, cx),
            None => return Poll::Pending,
        };
        let read = ready!(found);
        let Some(head) = this.head.take() else { return Poll::Pending };
        let verified = read.and_then(|body| {
            let delivery = verification.judge(signed_head(&head), body.bytes())?;
            Ok(Verified::new(body, delivery, this.clock.clone()))
        });
        Poll::Ready(match verified {
            Ok(body) => {
                let mut request = Request::from_parts(head, body);
                let delivery = request.body().delivery().clone();
                request.extensions_mut().insert(delivery);
                framework::vouch_for_length(&mut request);
                Ok(request)
            }
            Err(rejection) => Err(Refusal::from(rejection).reusing(head)),
        })
    }
}

#[cfg(not(feature = "_public-key"))]
use only_configured::FindKeys;

#[cfg(feature = "_public-key")]
use super::find_keys::FindKeys;

/// Without public keys, none are found elsewhere.
#[cfg(not(feature = "_public-key"))]
mod only_configured {
    use super::{Context, Head, Pin, Poll, ReadBody, Rejection, Verification};
    use crate::body::Buffered;

    #[derive(Debug)]
    pub(super) struct FindKeys;

    impl FindKeys {
        pub(super) fn of_head(_: &Verification, _: Head<'_>) -> Result<Self, Rejection> {
            Ok(Self)
        }

        pub(super) fn poll<B: http_body::Body>(
            &mut self,
            verification: &mut Verification,
            _: Head<'_>,
            read: Pin<&mut ReadBody<B>>,
            cx: &mut Context<'_>,
        ) -> Poll<Result<Buffered, Rejection>> {
            read.poll_read(cx, |chunk| verification.update(chunk))
        }
    }
}

/// The head as it was signed: with the target that the sender called, not what is left of it in a nested router.
fn signed_head(head: &Parts) -> Head<'_> {
    Head { uri: framework::original_uri(&head.extensions).unwrap_or(&head.uri), ..Head::from(head) }
}

impl<B> fmt::Debug for VerifySignatureFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifySignatureFuture")
    }
}
