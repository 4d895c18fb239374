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

use super::{
    Check, Guard, Refusal, Step, VerifierSource, VerifySignature, VerifySignatureFuture, VerifySignatureLayer,
    limits::limit_methods, verifiers::SharedSource,
};
use crate::{
    Delivery, Rejection,
    body::{BodyBudget, Buffered, Limits, ReadBody},
    clock::{Clock, UnixTime},
    observe::{self, Record},
};

/// Verifies signatures and lets every request through, whatever comes of it: for trying a configuration on real traffic before it is enforced.
///
/// What [`VerifySignatureLayer`] would have done is in the request's extensions as a [`SignatureReport`]. That is no
/// [`Delivery`], and the body that is handed on is only [`Buffered`]: layers that act on what was proven do not compile behind this one.
///
/// Bodies are read within the bounds of [`BufferBodyLayer`](super::BufferBodyLayer), but with the provider's own size. What is too large, too slow, encoded
/// or broken is still refused, as it could not be judged.
///
/// ```
/// use axum::{Extension, Router, body::Bytes, routing::post};
/// use tower_webhook::{layer::{ReportSignatureLayer, SignatureReport}, provider};
///
/// async fn handler(Extension(report): Extension<SignatureReport>, body: Bytes) {
///     if let Some(rejection) = report.rejection() {
///         println!("would have been refused: {rejection}");
///     }
///     println!("{} bytes, handled as before", body.len());
/// }
///
/// let github = provider::GITHUB.verifier("secret")?;
/// let app: Router = Router::new().route("/github", post(handler)).layer(ReportSignatureLayer::new(github));
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// # Panics
///
/// Requests whose body is not there at once panic outside a Tokio runtime with its timer enabled.
#[derive(Clone)]
#[must_use]
pub struct ReportSignatureLayer {
    limits: Arc<Limits>,
    verify: VerifySignatureLayer,
    observe: Option<Arc<Observe>>,
}

type Observe = dyn Fn(&SignatureReport) + Send + Sync;

impl ReportSignatureLayer {
    /// A layer with the default bounds and the system's clock, for a [`Verifier`](crate::scheme::Verifier) or a [source](VerifierSource) of several.
    pub fn new(source: impl VerifierSource) -> Self {
        let source = SharedSource::new(source);
        let limits = Arc::new(Limits::new(source.largest_body()));
        // The body was read within its bounds before.
        let verify = VerifySignatureLayer::of(source).max_body(usize::MAX).budget(BodyBudget::new(usize::MAX));
        Self { limits, verify, observe: None }
    }

    /// Asks another clock whether requests are fresh.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.verify = self.verify.with_clock(clock);
        self
    }

    /// Shows each report to this function, such as one that counts.
    pub fn on_report(mut self, observe: impl Fn(&SignatureReport) + Send + Sync + 'static) -> Self {
        self.observe = Some(Arc::new(observe));
        self
    }

    limit_methods!();

    fn limits_mut(&mut self) -> &mut Limits {
        Arc::make_mut(&mut self.limits)
    }
}

impl<S> Layer<S> for ReportSignatureLayer {
    type Service = Guard<S, ReportSignature>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, ReportSignature { verify: self.verify.check(), layer: self.clone() })
    }
}

impl fmt::Debug for ReportSignatureLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportSignatureLayer").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What would have come of a request, had its signature been enforced: in the extensions of every request behind a [`ReportSignatureLayer`].
///
/// It proves nothing to any layer, and there is no way from here to a [`Delivery`].
#[derive(Clone, Debug)]
pub struct SignatureReport(Result<Delivery, Rejection>);

impl SignatureReport {
    /// Whether it would have been let through.
    pub fn is_genuine(&self) -> bool {
        self.0.is_ok()
    }

    /// Why it would have been refused.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.0.as_ref().err()
    }

    /// The name of the scheme that the request was verified by.
    pub fn provider(&self) -> Option<&str> {
        self.genuine().map(Delivery::provider)
    }

    /// Whose key it was.
    pub fn tenant(&self) -> Option<&str> {
        self.genuine()?.tenant()
    }

    /// Which key of the ring matched.
    pub fn key_index(&self) -> Option<usize> {
        self.genuine().map(Delivery::key_index)
    }

    /// The name of that key.
    pub fn key_id(&self) -> Option<&str> {
        self.genuine()?.key_id()
    }

    /// When the request was signed.
    pub fn signed_at(&self) -> Option<UnixTime> {
        self.genuine()?.signed_at()
    }

    /// The delivery's id, as the provider gives it.
    pub fn id(&self) -> Option<&str> {
        self.genuine()?.id()
    }

    /// The type of event, as the provider gives it.
    pub fn event(&self) -> Option<&str> {
        self.genuine()?.event()
    }

    fn genuine(&self) -> Option<&Delivery> {
        self.0.as_ref().ok()
    }
}

/// The check of [`ReportSignatureLayer`].
#[derive(Clone, Debug)]
pub struct ReportSignature {
    layer: ReportSignatureLayer,
    verify: VerifySignature,
}

impl ReportSignature {
    fn report(&self, head: Parts, body: Buffered, judged: Result<Delivery, Refusal>) -> Request<Buffered> {
        const ANSWERED: Rejection = Rejection::Misconfigured { why: "the signature's check answered by itself" };
        if let Some(record) = Record::of(&head.extensions) {
            let judged = judged.as_ref().map(|_| ()).map_err(|refusal| refusal.rejection().unwrap_or(&ANSWERED));
            record.is_tried(judged);
        }
        let report = SignatureReport(judged.map_err(|refusal| refusal.rejection().cloned().unwrap_or(ANSWERED)));
        if let Some(observe) = &self.layer.observe {
            observe(&report);
        }
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(report);
        request
    }
}

impl<B: Body> Check<B> for ReportSignature {
    type Out = Buffered;
    type Future = ReportSignatureFuture<B>;

    fn check(&self, request: Request<B>) -> Step<Buffered, Self::Future> {
        let (head, body) = request.into_parts();
        let limits = &self.layer.limits;
        if let Err(rejection) = limits.check_method(&head).and_then(|()| limits.check_head(&head.headers, &body)) {
            return Step::Now(Err(Refusal::from(rejection).reusing(head)));
        }
        if let Some(record) = Record::of(&head.extensions) {
            record.enter(observe::Stage::Body);
        }
        let stage = Stage::Reading { read: ReadBody::new(body, &self.layer.limits).unary(&head.headers) };
        Step::Later(ReportSignatureFuture { check: self.clone(), stage, head: Some(head) })
    }
}

pin_project! {
    /// The future of [`ReportSignature`].
    pub struct ReportSignatureFuture<B> {
        check: ReportSignature,
        #[pin]
        stage: Stage<B>,
        head: Option<Parts>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<B> {
        Reading { #[pin] read: ReadBody<B> },
        Judging { #[pin] judging: VerifySignatureFuture<Buffered>, body: Option<Buffered> },
    }
}

impl<B: Body> Future for ReportSignatureFuture<B> {
    type Output = Result<Request<Buffered>, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (body, judged) = match this.stage.as_mut().project() {
                StageProjection::Reading { read } => {
                    let read = ready!(read.poll_read(cx, |_| {}));
                    let Some(head) = this.head.take() else { return Poll::Pending };
                    let body = match read {
                        Ok(body) => body,
                        Err(rejection) => return Poll::Ready(Err(Refusal::from(rejection).reusing(head))),
                    };
                    // The very check that would be enforced, on a copy: nothing that it proves gets any further.
                    let step = this.check.verify.check(Request::from_parts(head.clone(), body.unleased()));
                    *this.head = Some(head);
                    match step {
                        Step::Now(judged) => (body, judged),
                        Step::Later(judging) => {
                            this.stage.set(Stage::Judging { judging, body: Some(body) });
                            continue;
                        }
                    }
                }
                StageProjection::Judging { judging, body } => {
                    let judged = ready!(judging.poll(cx));
                    let Some(body) = body.take() else { return Poll::Pending };
                    (body, judged)
                }
            };
            let Some(head) = this.head.take() else { return Poll::Pending };
            let judged = judged.map(|request| request.body().delivery().clone());
            return Poll::Ready(Ok(this.check.report(head, body, judged)));
        }
    }
}

impl<B> fmt::Debug for ReportSignatureFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReportSignatureFuture")
    }
}
