use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use super::{AwaitsTrailers, Config, STORE_PATIENCE, Settled, reservation::Reservation, settled::Commit};
use crate::{
    Rejection,
    body::{Verified, is_grpc},
    layer::{Refusal, background::InBackground},
    observe::Record,
    rejection::GRPC_STATUS,
    store::{NonceStore, StoreError},
};

pin_project! {
    /// The future of [`RejectReplay`](super::RejectReplay).
    pub struct RejectReplayFuture<S, N: NonceStore, Called, ResBody> {
        #[pin]
        state: State<S, N, Called, ResBody>,
        config: Arc<Config>,
    }
}

pin_project! {
    #[project = Project]
    pub(super) enum State<S, N: NonceStore, Called, ResBody> {
        Reserving { asked: N::Reserve, waiting: Option<Waiting<S, N>>, #[pin] deadline: Sleep },
        // Dropped from top to bottom: first the handler, then its reservation.
        Handling { #[pin] called: Called, reservation: Option<Reservation<N>>, #[pin] deadline: Option<Sleep> },
        Committing { asked: InBackground, response: Option<Response<Settled<ResBody>>>, #[pin] deadline: Sleep },
        Answering { response: Option<Response<Settled<ResBody>>> },
    }
}

/// A request whose reservation has been asked for.
pub(super) struct Waiting<S, N: NonceStore> {
    pub(super) request: Request<Verified>,
    pub(super) inner: S,
    pub(super) reservation: Reservation<N>,
}

impl<S, N: NonceStore, Called, ResBody> State<S, N, Called, ResBody> {
    pub(super) fn handling(called: Called, reservation: Option<Reservation<N>>) -> Self {
        Self::Handling { called, reservation, deadline: None }
    }

    pub(super) fn answering(rejection: Rejection, request: Request<Verified>) -> Self
    where
        ResBody: Default,
    {
        let refusal = Refusal::from(rejection).reusing(request.into_parts().0);
        Self::Answering { response: Some(refusal.into_response()) }
    }
}

impl<S, N: NonceStore, Called, ResBody> RejectReplayFuture<S, N, Called, ResBody> {
    pub(super) fn new(state: State<S, N, Called, ResBody>, config: &Arc<Config>) -> Self {
        Self { state, config: Arc::clone(config) }
    }
}

impl<S, N, ResBody> Future for RejectReplayFuture<S, N, S::Future, ResBody>
where
    N: NonceStore,
    S: Service<Request<Verified>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<Response<Settled<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Project::Reserving { asked, waiting, deadline } => {
                    let answer = match Pin::new(asked).poll(cx) {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => {
                            ready!(deadline.poll(cx));
                            Err(StoreError::Unavailable)
                        }
                    };
                    let Some(Waiting { mut request, mut inner, reservation }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    if let Some(record) = Record::of(request.extensions()) {
                        record.resume();
                    }
                    match reservation.granted(answer, &mut request, this.config) {
                        Ok(reservation) => State::handling(inner.call(request), Some(reservation)),
                        Err(rejection) => State::answering(rejection, request),
                    }
                }
                Project::Handling { called, reservation, deadline } => match called.poll(cx) {
                    Poll::Ready(Ok(response)) => match settle(response, reservation.take(), this.config, &deadline) {
                        (response, None) => return Poll::Ready(Ok(response)),
                        (response, Some(asked)) => {
                            let deadline = tokio::time::sleep(STORE_PATIENCE);
                            State::Committing { asked, response: Some(response), deadline }
                        }
                    },
                    Poll::Ready(Err(error)) => {
                        // Released, whenever we are dropped.
                        drop(reservation.take());
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => {
                        ready!(poll_deadline(deadline, this.config.handler_timeout, cx));
                        State::Answering { response: Some(Refusal::from(Rejection::HandlerTimeout).into_response()) }
                    }
                },
                Project::Committing { asked, response, deadline } => {
                    // A commit that fails takes nothing back: the work is done, and saying otherwise would have it done again.
                    if Pin::new(asked).poll(cx).is_pending() {
                        ready!(deadline.poll(cx));
                    }
                    let Some(response) = response.take() else { return Poll::Pending };
                    // What is left of the commit goes on without the sender.
                    this.state.set(State::Answering { response: None });
                    return Poll::Ready(Ok(response));
                }
                Project::Answering { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            };
            this.state.set(next);
        }
    }
}

/// Commits or releases by the handler's answer; the commit is returned if it could not be made at once.
///
/// The head of a gRPC answer mostly says nothing of what became of the call: then the reservation goes with the body.
fn settle<N: NonceStore, ResBody>(
    response: Response<ResBody>,
    reservation: Option<Reservation<N>>,
    config: &Arc<Config>,
    deadline: &Option<Sleep>,
) -> (Response<Settled<ResBody>>, Option<InBackground>) {
    let (mut head, body) = response.into_parts();
    let Some(reservation) = reservation.filter(|_| (config.is_success)(&head)) else {
        return (Response::from_parts(head, Settled::at_once(body)), None);
    };
    if is_grpc(&head.headers) && !head.headers.contains_key(GRPC_STATUS) {
        // What the handler has taken so far counts.
        let end = deadline.as_ref().map_or_else(|| Instant::now() + config.handler_timeout, Sleep::deadline);
        let claim = Box::new(Claim { reservation, config: Arc::clone(config) });
        head.extensions.insert(AwaitsTrailers);
        return (Response::from_parts(head, Settled::by_trailers(body, claim, end)), None);
    }
    let commit = reservation.commit(config);
    (Response::from_parts(head, Settled::at_once(body)), commit)
}

/// A reservation, and what it takes to commit it.
struct Claim<N: NonceStore> {
    reservation: Reservation<N>,
    config: Arc<Config>,
}

impl<N: NonceStore> Commit for Claim<N> {
    fn commit(self: Box<Self>) -> Option<InBackground> {
        self.reservation.commit(&self.config)
    }
}

fn poll_deadline(mut deadline: Pin<&mut Option<Sleep>>, timeout: Duration, cx: &mut Context<'_>) -> Poll<()> {
    if deadline.is_none() {
        // Only now: a handler that answers at once costs no timer.
        deadline.set(Some(tokio::time::sleep(timeout)));
    }
    deadline.as_pin_mut().map_or(Poll::Pending, |deadline| deadline.poll(cx))
}
