use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Alone, RunToEndLayer};

pin_project! {
    /// The body of an answer of [`RunToEnd`](super::RunToEnd): the service's own.
    ///
    /// If it is a gRPC answer on whose trailers a commit depends, it goes on when the client leaves.
    pub struct ToEnd<B> {
        #[pin]
        way: Way<B>,
    }
}

pin_project! {
    #[project = WayProject]
    enum Way<B> {
        WithClient { #[pin] body: B },
        Alone { body: Detachable<B> },
    }
}

/// A body that goes on in a task of its own when it is dropped.
struct Detachable<B> {
    // Boxed, so that it can move into the task.
    body: Option<Pin<Box<B>>>,
    layer: RunToEndLayer,
    to_end: fn(Pin<Box<B>>) -> Alone,
}

impl<B: Body + Send + 'static> ToEnd<B> {
    pub(super) fn new(body: B, layer: Option<RunToEndLayer>) -> Self {
        Self {
            way: match layer {
                None => Way::WithClient { body },
                Some(layer) => {
                    let body = Some(Box::pin(body));
                    Way::Alone { body: Detachable { body, layer, to_end: |body| Box::pin(drain(body)) } }
                }
            },
        }
    }
}

/// Reads to the trailers, with nobody to read for.
pub(super) async fn drain<B: Body>(mut body: Pin<Box<B>>) {
    /// A body that is always ready must not keep its thread from everyone else.
    const FRAMES_PER_TURN: usize = 64;
    loop {
        for _ in 0..FRAMES_PER_TURN {
            match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
        tokio::task::yield_now().await;
    }
}

impl<B: Default> Default for ToEnd<B> {
    fn default() -> Self {
        Self { way: Way::WithClient { body: B::default() } }
    }
}

impl<B: Body> Body for ToEnd<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().way.project() {
            WayProject::WithClient { body } => body.poll_frame(cx),
            WayProject::Alone { body: detachable } => {
                // Taken out, so that what panics does not go on.
                let Some(mut body) = detachable.body.take() else { return Poll::Ready(None) };
                let Poll::Ready(frame) = body.as_mut().poll_frame(cx) else {
                    detachable.body = Some(body);
                    return Poll::Pending;
                };
                // Nothing comes after trailers.
                if matches!(&frame, Some(Ok(frame)) if !frame.is_trailers()) {
                    detachable.body = Some(body);
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.way {
            Way::WithClient { body } => body.is_end_stream(),
            Way::Alone { body } => body.body.as_ref().is_none_or(|body| body.is_end_stream()),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Way::WithClient { body } => body.size_hint(),
            Way::Alone { body } => body.body.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint()),
        }
    }
}

impl<B> Drop for Detachable<B> {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.layer.go_on(|| (self.to_end)(body));
        }
    }
}

impl<B> fmt::Debug for ToEnd<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToEnd")
    }
}
