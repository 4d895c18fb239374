mod body;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tokio::{runtime::Handle, sync::watch};
use tower_layer::Layer;
use tower_service::Service;

pub use self::body::ToEnd;
use super::reject_replay::AwaitsTrailers;
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
/// So do gRPC answers whose trailers have not come yet, as their deliveries are committed only then; other answers are dropped with their clients.
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

    /// How many may go on without their clients, each with its request in memory. Further ones are dropped, as without this layer;
    /// with 0 all are, which is how to turn it off where a setting says so.
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

    /// Runs it in a task of its own, if there is room and a runtime.
    fn go_on(&self, called: impl FnOnce() -> Alone) {
        if let Ok(runtime) = Handle::try_current()
            && let Some(detached) = self.detach()
        {
            runtime.spawn(OnItsOwn { called: called(), _detached: detached });
        }
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

impl<S, B, ResBody> Service<Request<B>> for RunToEnd<S>
where
    B: VerifiedBody,
    S: Service<Request<Verified>, Response = Response<ResBody>, Error: 'static, Future: Send + 'static>,
    ResBody: Body + Send + 'static,
{
    type Response = Response<ToEnd<ResBody>>;
    type Error = S::Error;
    type Future = RunToEndFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(B::into_verified);
        let may_detach = !request.body().is_reserved();
        let called = self.inner.call(request);
        RunToEndFuture {
            called: Some(Box::pin(called)),
            layer: may_detach.then(|| self.layer.clone()),
            to_end: |called| Box::pin(to_end(called)),
        }
    }
}

/// The future of [`RunToEnd`].
pub struct RunToEndFuture<F> {
    /// Until it is ready.
    called: Option<Pin<Box<F>>>,
    /// Unless it must not go on.
    layer: Option<RunToEndLayer>,
    to_end: fn(Pin<Box<F>>) -> Alone,
}

/// What goes on in a task of its own.
type Alone = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F, B, E> Future for RunToEndFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body + Send + 'static,
{
    type Output = Result<Response<ToEnd<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Taken out, so that what panics does not go on.
        let Some(mut called) = self.called.take() else { return Poll::Pending };
        let Poll::Ready(answer) = called.as_mut().poll(cx) else {
            self.called = Some(called);
            return Poll::Pending;
        };
        Poll::Ready(answer.map(|response| {
            let layer = self.layer.take().filter(|_| awaits_trailers(&response));
            response.map(|body| ToEnd::new(body, layer))
        }))
    }
}

async fn to_end<B: Body, E>(called: Pin<Box<impl Future<Output = Result<Response<B>, E>>>>) {
    // The errors and other answers are for nobody any more.
    let trailing = called.await.ok().filter(awaits_trailers).map(|response| Box::pin(response.into_body()));
    if let Some(body) = trailing {
        body::drain(body).await;
    }
}

fn awaits_trailers<B>(response: &Response<B>) -> bool {
    response.extensions().get::<AwaitsTrailers>().is_some()
}

impl<F> Drop for RunToEndFuture<F> {
    fn drop(&mut self) {
        if let (Some(called), Some(layer)) = (self.called.take(), &self.layer) {
            layer.go_on(|| (self.to_end)(called));
        }
    }
}

impl<F> fmt::Debug for RunToEndFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunToEndFuture")
    }
}

/// What goes on without its client.
struct OnItsOwn {
    // Dropped from top to bottom: who waits for us waits for the reservation's end as well.
    called: Alone,
    _detached: Detached,
}

impl Future for OnItsOwn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.called.as_mut().poll(cx)
    }
}

/// Counts, until dropped.
struct Detached(Arc<watch::Sender<usize>>);

impl Drop for Detached {
    fn drop(&mut self) {
        self.0.send_modify(|detached| *detached -= 1);
    }
}
