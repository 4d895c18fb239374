use std::{
    fmt,
    future::{Future, Pending},
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};

use crate::Rejection;

/// A judgement of requests: lets each one through, perhaps with another body, or refuses it.
///
/// [`Guard`](super::Guard) puts it in front of a service.
pub trait Check<B> {
    /// The body of requests that are let through.
    type Out;
    /// Judges later, if it has to wait. [`Never`] if it never has to.
    type Future: Future<Output = Result<Request<Self::Out>, Refusal>>;

    /// Judges a request.
    fn check(&self, request: Request<B>) -> Step<Self::Out, Self::Future>;
}

/// A judgement, or the promise of one.
///
/// A judgement at once spares the guard from cloning the service that it would otherwise have to keep ready.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for a moment, and a box would be an allocation for each request"
)]
pub enum Step<Out, F> {
    /// The judgement.
    Now(Result<Request<Out>, Refusal>),
    /// The promise of one.
    Later(F),
}

/// The future of checks that never wait.
pub type Never<Out> = Pending<Result<Request<Out>, Refusal>>;

/// Why a request is not let through: a rejection, or an answer that is ready.
pub struct Refusal {
    kind: Kind,
    /// Maps of the refused request, to be used again.
    spare: Option<(HeaderMap, Extensions)>,
}

#[derive(Debug)]
enum Kind {
    Rejection(Rejection),
    Answer(Answer),
}

/// An answer that a check gives by itself, such as that to a handshake.
///
/// It rides in the response's extensions until [`RenderRejectionsLayer`](super::RenderRejectionsLayer) turns it into a body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    status: StatusCode,
}

impl Refusal {
    /// Answers the request by itself, with a text that takes nothing from the request unescaped.
    pub fn answer(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Answer(Answer { status, body: body.into() }), spare: None }
    }

    /// The same refusal, built from the memory of the refused request's head: a refusal must stay cheaper than a pass.
    #[must_use]
    pub fn reusing(mut self, head: Parts) -> Self {
        self.spare = Some((head.headers, head.extensions));
        self
    }

    pub(crate) fn into_response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        if let Some((mut headers, mut extensions)) = self.spare {
            headers.clear();
            extensions.clear();
            *response.headers_mut() = headers;
            *response.extensions_mut() = extensions;
        }
        match self.kind {
            Kind::Rejection(rejection) => {
                *response.status_mut() = rejection.status();
                rejection.write_headers(response.headers_mut());
                response.extensions_mut().insert(rejection);
            }
            Kind::Answer(answer) => {
                *response.status_mut() = answer.status;
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
                response.extensions_mut().insert(answer);
            }
        }
        response
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self { kind: Kind::Rejection(rejection), spare: None }
    }
}
