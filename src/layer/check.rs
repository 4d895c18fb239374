use std::{
    fmt,
    future::{Future, Pending},
};

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    request::Parts,
};

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

impl<B> Step<B, Never<B>> {
    /// The judgement on a request whose body stays what it is.
    pub(crate) fn judged(request: Request<B>, judgement: Result<(), Rejection>) -> Self {
        Self::Now(match judgement {
            Ok(()) => Ok(request),
            Err(rejection) => Err(Refusal::from(rejection).reusing(request.into_parts().0)),
        })
    }
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
    // Boxed, as rejections are the many and need not carry the room.
    Answer(Box<Answer>),
}

/// An answer that a check gives by itself, such as that to a handshake.
///
/// It rides in the response's extensions until [`RenderRejectionsLayer`](super::RenderRejectionsLayer) turns it into a body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    status: StatusCode,
    content_type: HeaderValue,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// Answers the request by itself, with a text that takes nothing from the request unescaped.
    pub fn answer(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::of_type(HeaderValue::from_static("text/plain; charset=utf-8"), status, body.into())
    }

    /// Answers the request by itself, with JSON that takes nothing from the request unescaped.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::of_type(HeaderValue::from_static("application/json"), status, body.into())
    }

    fn of_type(content_type: HeaderValue, status: StatusCode, body: Bytes) -> Self {
        let answer = Answer { body, status, content_type, headers: Vec::new() };
        Self { kind: Kind::Answer(Box::new(answer)), spare: None }
    }

    /// Sets a header of an answer. Those of rejections are set by their status.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Kind::Answer(answer) = &mut self.kind {
            answer.headers.push((name, value));
        }
        self
    }

    /// The same refusal, built from the memory of the refused request's head: a refusal must stay cheaper than a pass.
    #[must_use]
    pub fn reusing(mut self, head: Parts) -> Self {
        self.spare = Some((head.headers, head.extensions));
        self
    }

    /// Why, unless it is an answer.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.kind {
            Kind::Rejection(rejection) => Some(rejection),
            Kind::Answer(_) => None,
        }
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
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, answer.content_type.clone());
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
                for (name, value) in &answer.headers {
                    headers.insert(name, value.clone());
                }
                response.extensions_mut().insert(*answer);
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
