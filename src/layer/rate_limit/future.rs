use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::{Limit, Question, RateLimitBy, Ticket};
use crate::{
    observe::{Record, Stage},
    store::{RateStore, StoreError},
};

pin_project! {
    /// The future of [`RateLimit`](super::RateLimit).
    pub struct RateLimitFuture<S, K, R: RateStore, B, Called, ResBody> {
        #[pin]
        state: State<S, K, R, B, Called, ResBody>,
    }
}

pin_project! {
    #[project = Project]
    enum State<S, K, R: RateStore, B, Called, ResBody> {
        Asking { asked: R::Check, waiting: Option<Waiting<S, K, R, B>>, #[pin] deadline: Sleep },
        Readying { inner: S, ready: Option<Ready<K, R, B>> },
        // Dropped from top to bottom: first the call, then its ticket.
        Calling { #[pin] called: Called, ticket: Option<Ticket<K, R>> },
        Answering { response: Option<Response<ResBody>> },
    }
}

/// A request that the store has been asked about.
pub(super) struct Waiting<S, K, R, B> {
    pub(super) limit: Arc<Limit<K, R>>,
    pub(super) question: Question,
    pub(super) inner: S,
    pub(super) request: Request<B>,
}

/// A request that is let through as soon as the service can take it.
type Ready<K, R, B> = (Request<B>, Option<Ticket<K, R>>);

/// How long a request waits for the store, which should give up sooner by itself.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

impl<S, K, R: RateStore, B, Called, ResBody> RateLimitFuture<S, K, R, B, Called, ResBody> {
    pub(super) fn asking(asked: R::Check, waiting: Waiting<S, K, R, B>) -> Self {
        let deadline = tokio::time::sleep(STORE_PATIENCE);
        if let Some(record) = Record::of(waiting.request.extensions()) {
            record.wait_for(Stage::Store);
        }
        Self { state: State::Asking { asked, waiting: Some(waiting), deadline } }
    }

    pub(super) fn calling(called: Called, ticket: Option<Ticket<K, R>>) -> Self {
        Self { state: State::Calling { called, ticket } }
    }

    pub(super) fn answering(response: Response<ResBody>) -> Self {
        Self { state: State::Answering { response: Some(response) } }
    }
}

impl<S, K, R, B, ResBody> Future for RateLimitFuture<S, K, R, B, S::Future, ResBody>
where
    K: RateLimitBy<B>,
    R: RateStore,
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            // A `None` is a future that was ready before and is polled again, which no executor does.
            let next = match state.as_mut().project() {
                Project::Asking { asked, waiting, deadline } => {
                    let answer = match Pin::new(asked).poll(cx) {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => {
                            ready!(deadline.poll(cx));
                            Err(StoreError::Unavailable)
                        }
                    };
                    let Some(Waiting { limit, question, inner, mut request }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    if let Some(record) = Record::of(request.extensions()) {
                        record.resume();
                    }
                    match limit.admit(question, answer, &mut request) {
                        Ok(ticket) => State::Readying { inner, ready: Some((request, ticket)) },
                        Err((rejection, standing)) => {
                            State::Answering { response: Some(limit.refuse(rejection, standing, request)) }
                        }
                    }
                }
                Project::Readying { inner, ready } => {
                    let is_ready = ready!(inner.poll_ready(cx));
                    let Some((request, ticket)) = ready.take() else { return Poll::Pending };
                    match (is_ready, ticket) {
                        (Ok(()), ticket) => State::Calling { called: inner.call(request), ticket },
                        (Err(error), Some(ticket)) => {
                            ticket.void();
                            return Poll::Ready(Err(error));
                        }
                        (Err(error), None) => return Poll::Ready(Err(error)),
                    }
                }
                Project::Calling { called, ticket } => {
                    let answer = ready!(called.poll(cx));
                    return Poll::Ready(match (answer, ticket.take()) {
                        (Ok(response), Some(ticket)) => Ok(ticket.settle(response)),
                        (Err(error), Some(ticket)) => {
                            ticket.void();
                            Err(error)
                        }
                        (answer, None) => answer,
                    });
                }
                Project::Answering { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            };
            state.set(next);
        }
    }
}

impl<S, K, R: RateStore, B, Called, ResBody> fmt::Debug for RateLimitFuture<S, K, R, B, Called, ResBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimitFuture")
    }
}
