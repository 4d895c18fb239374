use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::STORE_PATIENCE;
use crate::{layer::background::InBackground, rejection::GRPC_STATUS};

pin_project! {
    /// The body of an answer of [`RejectReplay`](super::RejectReplay): the service's own.
    ///
    /// With a gRPC answer goes the reservation of its delivery, until the trailers have come.
    pub struct Settled<B> {
        // Dropped from top to bottom: first what is still being done, then its reservation.
        #[pin]
        body: Option<B>,
        // Boxed, and so not there for plain HTTP; the lock is never taken, and lets bodies be shared that could be before.
        trailing: Option<Box<Mutex<Trailing>>>,
    }
}

/// In a response's extensions: what became of its delivery is not known before its body has ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::layer) struct AwaitsTrailers;

/// A reservation; given up on drop.
pub(super) trait Commit: Send {
    /// Commits, and returns the commit if it could not be made at once and is worth waiting for.
    fn commit(self: Box<Self>) -> Option<InBackground>;
}

/// What waits for the trailers.
struct Trailing {
    /// Until they have come.
    claim: Option<Box<dyn Commit>>,
    /// The trailers, held back until the commit is done.
    held: Option<(InBackground, HeaderMap)>,
    /// Of the handler, and then of the store.
    deadline: Pin<Box<Sleep>>,
}

impl<B> Settled<B> {
    /// Nothing depends on the body.
    pub(super) fn at_once(body: B) -> Self {
        Self { body: Some(body), trailing: None }
    }

    /// The trailers decide, if they come before `end`.
    pub(super) fn by_trailers(body: B, claim: Box<dyn Commit>, end: Instant) -> Self {
        let deadline = Box::pin(tokio::time::sleep_until(end));
        let trailing = Trailing { claim: Some(claim), held: None, deadline };
        Self { body: Some(body), trailing: Some(Box::new(Mutex::new(trailing))) }
    }
}

impl<B: Default> Default for Settled<B> {
    fn default() -> Self {
        Self::at_once(B::default())
    }
}

impl<B: Body> Body for Settled<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        // Taken out, so that the reservation is given up unless it is put back: also if the body panics.
        let Some(mut kept) = this.trailing.take() else { return poll_body(this.body, cx) };
        let trailing = kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        if trailing.held.is_none() {
            // Asked first: while the client takes nothing we are not polled, and meanwhile the lease may have ended.
            // Of the clock itself as well: a timer is not ready in a task that has done much without a pause.
            if Instant::now() >= trailing.deadline.deadline() || trailing.deadline.as_mut().poll(cx).is_ready() {
                this.body.set(None);
                return Poll::Ready(Some(Ok(Frame::trailers(deadline_exceeded()))));
            }
            match poll_body(this.body.as_mut(), cx) {
                Poll::Pending => {
                    *this.trailing = Some(kept);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_trailers() {
                    Ok(trailers) => {
                        let is_success = trailers.get(GRPC_STATUS).is_some_and(|status| status == "0");
                        let claim = trailing.claim.take().filter(|_| is_success);
                        let Some(asked) = claim.and_then(Commit::commit) else {
                            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                        };
                        trailing.deadline.as_mut().reset(Instant::now() + STORE_PATIENCE);
                        trailing.held = Some((asked, trailers));
                    }
                    Err(data) => {
                        *this.trailing = Some(kept);
                        return Poll::Ready(Some(Ok(data)));
                    }
                },
                // Neither an error nor an end without trailers is a success.
                Poll::Ready(ended) => {
                    this.body.set(None);
                    return Poll::Ready(ended);
                }
            }
        }
        let Some((mut asked, trailers)) = trailing.held.take() else { return Poll::Ready(None) };
        if Pin::new(&mut asked).poll(cx).is_ready() || trailing.deadline.as_mut().poll(cx).is_ready() {
            // What is left of the commit goes on without the client.
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        trailing.held = Some((asked, trailers));
        *this.trailing = Some(kept);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        // Trailers that are held back are still to come.
        self.trailing.is_none() && self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

fn poll_body<B: Body>(body: Pin<&mut Option<B>>, cx: &mut Context<'_>) -> Poll<Option<FrameOf<B>>> {
    body.as_pin_mut().map_or(Poll::Ready(None), |body| body.poll_frame(cx))
}

type FrameOf<B> = Result<Frame<<B as Body>::Data>, <B as Body>::Error>;

/// What ends an answer whose handler has streamed for too long.
fn deadline_exceeded() -> HeaderMap {
    HeaderMap::from_iter([
        (GRPC_STATUS, HeaderValue::from_static("4")),
        (HeaderName::from_static("grpc-message"), HeaderValue::from_static("handler_timeout")),
    ])
}

impl<B: fmt::Debug> fmt::Debug for Settled<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled").field("body", &self.body).finish_non_exhaustive()
    }
}
