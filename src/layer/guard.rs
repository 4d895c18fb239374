use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Check, Refusal, Step};
use crate::observe::{Record, Stage};

/// Puts a [`Check`] in front of a service.
///
/// Most layers of this crate are one; this is the door for [a check of your own](super).
#[derive(Clone, Copy, Debug)]
pub struct GuardLayer<C>(C);

impl<C> GuardLayer<C> {
    /// A layer that lets through what `check` lets through.
    pub const fn new(check: C) -> Self {
        Self(check)
    }
}

impl<S, C: Clone> Layer<S> for GuardLayer<C> {
    type Service = Guard<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, self.0.clone())
    }
}

/// A service behind a [`Check`].
///
/// The check comes before the service is called, and a refusal is an answer, never an error: errors are the service's own.
#[derive(Clone, Copy, Debug)]
pub struct Guard<S, C> {
    inner: S,
    check: C,
}

impl<S, C> Guard<S, C> {
    pub(super) const fn new(inner: S, check: C) -> Self {
        Self { inner, check }
    }
}

impl<S, C, B, ResBody> Service<Request<B>> for Guard<S, C>
where
    C: Check<B>,
    S: Service<Request<C::Out>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = GuardFuture<S, C::Out, C::Future, S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let state = match self.check.check(request) {
            Step::Now(Ok(request)) => State::Calling { called: self.inner.call(request) },
            Step::Now(Err(refusal)) => {
                // The service was made ready and is not called: what it holds for the call, it must not keep from others.
                drop(take_ready(&mut self.inner));
                State::Answering { response: Some(refusal.into_response()) }
            }
            Step::Later(check) => {
                // Neither must it keep it while a stranger's body is awaited: it is made ready again when it is needed.
                let inner = Some(self.inner.clone());
                drop(take_ready(&mut self.inner));
                State::Checking { check, inner }
            }
        };
        GuardFuture { state }
    }
}

/// Takes the service that was made ready, and leaves a clone that was not.
pub(super) fn take_ready<S: Clone>(inner: &mut S) -> S {
    let clone = inner.clone();
    std::mem::replace(inner, clone)
}

pin_project! {
    /// The future of [`Guard`].
    #[derive(Debug)]
    pub struct GuardFuture<S, Out, Checked, Called, ResBody> {
        #[pin]
        state: State<S, Out, Checked, Called, ResBody>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = Project]
    enum State<S, Out, Checked, Called, ResBody> {
        Checking { #[pin] check: Checked, inner: Option<S> },
        Readying { inner: S, request: Option<Request<Out>>, is_late: bool },
        Calling { #[pin] called: Called },
        Answering { response: Option<Response<ResBody>> },
    }
}

impl<S, Checked, Out, ResBody> Future for GuardFuture<S, Out, Checked, S::Future, ResBody>
where
    Checked: Future<Output = Result<Request<Out>, Refusal>>,
    S: Service<Request<Out>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            // A `None` is a future that was ready before and is polled again, which no executor does.
            let next = match state.as_mut().project() {
                Project::Checking { check, inner } => match (ready!(check.poll(cx)), inner.take()) {
                    (Ok(request), Some(inner)) => State::Readying { inner, request: Some(request), is_late: false },
                    (Ok(_), None) => return Poll::Pending,
                    (Err(refusal), _) => State::Answering { response: Some(refusal.into_response()) },
                },
                Project::Readying { inner, request, is_late } => {
                    let is_ready = inner.poll_ready(cx);
                    let record = request.as_ref().and_then(|request| Record::of(request.extensions()));
                    if let Some(record) = record
                        && is_ready.is_pending() != *is_late
                    {
                        *is_late = is_ready.is_pending();
                        if *is_late { record.wait_for(Stage::Queue) } else { record.resume() }
                    }
                    ready!(is_ready)?;
                    let Some(request) = request.take() else { return Poll::Pending };
                    State::Calling { called: inner.call(request) }
                }
                Project::Calling { called } => return called.poll(cx),
                Project::Answering { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            };
            state.set(next);
        }
    }
}
