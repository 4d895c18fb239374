use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;

use super::{Check, Guard, Refusal, Step, limits::limit_methods};
use crate::{
    body::{BodyBudget, Buffered, Limits, ReadBody},
    observe::{Record, Stage},
};

/// Reads request bodies to their end, within bounds: 1 MiB, 15 seconds, and 5 seconds without a byte, by default.
///
/// Refuses what is announced to be larger before a byte is read, so that over HTTP/1.1 a client that asked with
/// `Expect: 100-continue` is never told to go on. The body that it hands on is [`Buffered`] and keeps trailers.
///
/// [`VerifySignatureLayer`](super::VerifySignatureLayer) does all of this by itself; this layer is for routes that are not verified, and
/// for layers of your own outside verification that look at bodies.
///
/// ```
/// use std::time::Duration;
/// use tower_webhook::layer::BufferBodyLayer;
///
/// let layer = BufferBodyLayer::new();
/// let layer = BufferBodyLayer::new().max_body(64 * 1024).body_timeout(Duration::from_secs(3));
/// ```
///
/// # Panics
///
/// Requests whose body is not there at once panic outside a Tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
#[must_use]
pub struct BufferBodyLayer {
    limits: Arc<Limits>,
}

impl BufferBodyLayer {
    /// A layer with the default bounds.
    pub fn new() -> Self {
        Self { limits: Arc::new(Limits::new(Limits::MAX_BODY)) }
    }

    limit_methods!();

    fn limits_mut(&mut self) -> &mut Limits {
        Arc::make_mut(&mut self.limits)
    }
}

impl Default for BufferBodyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for BufferBodyLayer {
    type Service = Guard<S, BufferBody>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, BufferBody(Arc::clone(&self.limits)))
    }
}

/// The check of [`BufferBodyLayer`].
#[derive(Clone, Debug)]
pub struct BufferBody(Arc<Limits>);

impl<B: Body> Check<B> for BufferBody {
    type Out = Buffered;
    type Future = BufferBodyFuture<B>;

    fn check(&self, request: Request<B>) -> Step<Buffered, Self::Future> {
        let (head, body) = request.into_parts();
        match self.0.check_method(&head).and_then(|()| self.0.check_head(&head.headers, &body)) {
            Ok(()) => {
                if let Some(record) = Record::of(&head.extensions) {
                    record.wait_for(Stage::Body);
                }
                let read = ReadBody::new(body, &self.0).unary(&head.headers);
                Step::Later(BufferBodyFuture { read, head: Some(head) })
            }
            Err(rejection) => Step::Now(Err(Refusal::from(rejection).reusing(head))),
        }
    }
}

pin_project! {
    /// The future of [`BufferBody`].
    pub struct BufferBodyFuture<B> {
        #[pin]
        read: ReadBody<B>,
        head: Option<Parts>,
    }
}

impl<B: Body> Future for BufferBodyFuture<B> {
    type Output = Result<Request<Buffered>, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let read = std::task::ready!(this.read.poll_read(cx, |_| {}));
        let Some(head) = this.head.take() else { return Poll::Pending };
        Poll::Ready(match read {
            Ok(body) => {
                if let Some(record) = Record::of(&head.extensions) {
                    record.has_read(body.bytes().len());
                }
                Ok(Request::from_parts(head, body))
            }
            Err(rejection) => Err(Refusal::from(rejection).reusing(head)),
        })
    }
}

impl<B> fmt::Debug for BufferBodyFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BufferBodyFuture")
    }
}
