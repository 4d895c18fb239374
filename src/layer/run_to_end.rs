use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Request;
use tokio::{runtime::Handle, sync::watch};
use tower_layer::Layer;
use tower_service::Service;

use crate::body::{Verified, VerifiedBody};

/// Lets handlers finish whose clients have hung up: what is inside this layer goes on in a task of its own.
///
/// Servers drop a handler as soon as its client leaves, and many providers wait for a few seconds only. A handler that regularly
/// takes longer is then begun again by each retry and never finished. With this layer it ends, the delivery is committed, and the retry is answered
/// `200` as a duplicate.
///
/// It belongs inside verification, so that strangers cannot make it run anything, and outside [`RejectReplayLayer`](super::RejectReplayLayer),
/// which keeps the delivery reserved as long as the handler runs. Inside that it does nothing, or the handler would go on while a retry is handled
/// beside it.
///
/// ```
/// use tower_webhook::{layer::WebhookLayer, provider};
///
/// let slack = provider::SLACK.verifier("…")?;
/// let webhooks = WebhookLayer::builder(slack).run_to_end().build()?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// With another maximum, and a shutdown that waits for those that go on:
///
/// ```no_run
/// use axum::{Router, routing::post};
/// use tower_webhook::{layer::{RunToEndLayer, WebhookLayer}, provider};
///
/// # async fn run(
/// #     listener: tokio::net::TcpListener,
/// #     shutdown: impl Future<Output = ()> + Send + 'static,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let run_to_end = RunToEndLayer::new().max_detached(100);
/// let slack = provider::SLACK.verifier("…")?;
/// let webhooks = WebhookLayer::builder(slack).then(run_to_end.clone()).build()?;
///
/// let app: Router = Router::new().route("/slack", post(|| async { "slow" })).layer(webhooks);
/// axum::serve(listener, app).with_graceful_shutdown(shutdown).await?;
/// run_to_end.idle().await;
/// # Ok(())
/// # }
/// ```
///
/// What goes on alone has left the layers outside this one: it holds no permit of a concurrency limit there, and has no tracing span or task-local
/// of theirs. It is dropped all the same, and its reservation released, when too many go on already, outside a Tokio runtime, and
/// when the runtime shuts down. A deadline inside still ends it, such as [`handler_timeout`](super::RejectReplayLayer::handler_timeout).
///
/// Clones, and the services they are applied to, count together.
#[derive(Clone, Debug)]
#[must_use]
pub struct RunToEndLayer {
    detached: Arc<watch::Sender<usize>>,
    max_detached: usize,
}

impl RunToEndLayer {
    /// How many may go on without their clients, unless said otherwise.
    pub const DEFAULT_MAX_DETACHED: usize = 256;

    /// A layer with the default maximum.
    pub fn new() -> Self {
        Self { detached: Arc::new(watch::Sender::new(0)), max_detached: Self::DEFAULT_MAX_DETACHED }
    }

    /// How many may go on without their clients, each with its request in memory. Further ones are dropped, as without this layer.
    pub const fn max_detached(mut self, handlers: usize) -> Self {
        self.max_detached = handlers;
        self
    }

    /// How many go on without their clients right now.
    pub fn detached(&self) -> usize {
        *self.detached.borrow()
    }

    /// Waits until none goes on without its client: for when the server has stopped, and before the runtime does.
    pub async fn idle(&self) {
        // It fails when there is no sender any more, and we hold one.
        let _ = self.detached.subscribe().wait_for(|detached| *detached == 0).await;
    }

    fn detach(&self) -> Option<Detached> {
        let fits = self.detached.send_if_modified(|detached| {
            let fits = *detached < self.max_detached;
            *detached += usize::from(fits);
            fits
        });
        fits.then(|| Detached(Arc::clone(&self.detached)))
    }
}

impl Default for RunToEndLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RunToEndLayer {
    type Service = RunToEnd<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RunToEnd { inner, layer: self.clone() }
    }
}

/// The service of [`RunToEndLayer`].
#[derive(Clone, Debug)]
pub struct RunToEnd<S> {
    inner: S,
    layer: RunToEndLayer,
}

impl<S, B> Service<Request<B>> for RunToEnd<S>
where
    B: VerifiedBody,
    S: Service<Request<Verified>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RunToEndFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(B::into_verified);
        let may_detach = !request.body().is_reserved();
        let called = self.inner.call(request);
        RunToEndFuture { called: Some(Box::pin(called)), layer: may_detach.then(|| self.layer.clone()) }
    }
}

/// The future of [`RunToEnd`].
pub struct RunToEndFuture<F: Future + Send + 'static> {
    /// Until it is ready.
    called: Option<Pin<Box<F>>>,
    /// Unless it must not go on.
    layer: Option<RunToEndLayer>,
}

impl<F: Future + Send + 'static> Future for RunToEndFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that what panics does not go on.
        let Some(mut called) = self.called.take() else { return Poll::Pending };
        let polled = called.as_mut().poll(cx);
        if polled.is_pending() {
            self.called = Some(called);
        }
        polled
    }
}

impl<F: Future + Send + 'static> Drop for RunToEndFuture<F> {
    fn drop(&mut self) {
        let (Some(called), Some(layer)) = (self.called.take(), &self.layer) else { return };
        if let Ok(runtime) = Handle::try_current()
            && let Some(detached) = layer.detach()
        {
            runtime.spawn(OnItsOwn { called, _detached: detached });
        }
    }
}

impl<F: Future + Send + 'static> fmt::Debug for RunToEndFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunToEndFuture")
    }
}

/// What goes on without its client.
struct OnItsOwn<F> {
    // Dropped from top to bottom: who waits for us waits for the reservation's end as well.
    called: Pin<Box<F>>,
    _detached: Detached,
}

impl<F: Future> Future for OnItsOwn<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        drop(ready!(self.called.as_mut().poll(cx)));
        Poll::Ready(())
    }
}

/// Counts, until dropped.
struct Detached(Arc<watch::Sender<usize>>);

impl Drop for Detached {
    fn drop(&mut self) {
        self.0.send_modify(|detached| *detached -= 1);
    }
}
