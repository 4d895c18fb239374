use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Request;
use tower_layer::Layer;

use super::{Config, LateAnswer, head_of, plan::Asked, sns};
use crate::{
    Rejection,
    body::{Verified, VerifiedBody},
    layer::{Check, Guard, Refusal, Step},
};

/// Answers handshakes that were verified; see [`HandshakeLayer::signed`](super::HandshakeLayer::signed).
///
/// It must be the first layer inside verification, or handshakes are counted and remembered like deliveries.
#[derive(Clone, Debug)]
#[must_use]
pub struct SignedHandshakeLayer {
    config: Arc<Config>,
}

impl SignedHandshakeLayer {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self { config }
    }
}

impl<S> Layer<S> for SignedHandshakeLayer {
    type Service = Guard<S, SignedHandshakes>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, SignedHandshakes(Arc::clone(&self.config)))
    }
}

/// The check of [`SignedHandshakeLayer`].
#[derive(Clone, Debug)]
pub struct SignedHandshakes(Arc<Config>);

impl<B: VerifiedBody> Check<B> for SignedHandshakes {
    type Out = Verified;
    type Future = SignedHandshakeFuture;

    fn check(&self, request: Request<B>) -> Step<Verified, Self::Future> {
        /// Handshakes are small. Larger bodies are deliveries, and are not searched.
        const LARGEST: usize = 16 * 1024;
        let request = request.map(B::into_verified);
        if request.body().bytes().len() > LARGEST {
            return Step::Now(Ok(request));
        }
        match self.0.ask_verified(&request) {
            Found::Nothing => Step::Now(Ok(request)),
            Found::Answer(refusal) => Step::Now(Err(refusal.reusing(request.into_parts().0))),
            Found::Wait(answer) => Step::Later(SignedHandshakeFuture(answer)),
        }
    }
}

/// What a verified request is.
enum Found {
    Nothing,
    Answer(Refusal),
    Wait(LateAnswer),
}

impl Config {
    fn ask_verified(&self, request: &Request<Verified>) -> Found {
        let body = request.body().bytes();
        for plan in &self.plans {
            if plan.signs_for_anyone(body) {
                return Found::Answer(Rejection::SignatureMismatch.into());
            }
        }
        for plan in &self.plans {
            match plan.ask_verified(head_of(request), body) {
                Asked::Answer(answer) => return Found::Answer(answer),
                Asked::Nothing | Asked::Refused(_) | Asked::InBody => {}
            }
        }
        let Some(client) = &self.sns else { return Found::Nothing };
        let url = sns::subscription(request.body().delivery(), body);
        match url.and_then(|url| {
            url.map(|url| Self::wait(&self.sns_turns, || sns::confirm(client.confirm(url)))).transpose()
        }) {
            Ok(None) => Found::Nothing,
            Ok(Some(answer)) => Found::Wait(answer),
            Err(rejection) => Found::Answer(rejection.into()),
        }
    }
}

/// The future of [`SignedHandshakes`].
pub struct SignedHandshakeFuture(LateAnswer);

impl Future for SignedHandshakeFuture {
    type Output = Result<Request<Verified>, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err(ready!(self.0.as_mut().poll(cx))))
    }
}

impl fmt::Debug for SignedHandshakeFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedHandshakeFuture")
    }
}
