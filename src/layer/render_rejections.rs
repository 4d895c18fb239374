use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::check::Answer;
use crate::{
    Problem, Rejection,
    body::is_grpc,
    rejection::{CLOSE, GRPC_STATUS},
};

/// Turns rejections into words: problem details (RFC 9457) for HTTP, a Trailers-Only answer for gRPC, with `grpc-retry-pushback-ms`.
///
/// What is acknowledged without the handler (a delivery that was handled before, an event that nobody wants) is answered `OK` to a gRPC client, with an empty message: that
/// is the default of whatever protobuf message it expects.
///
/// The outermost layer. Layers inside answer with a status and an empty body and put the [`Rejection`] into the
/// response's extensions, where this one finds it (and leaves it, for layers outside it). What is said is the same for everything that is wrong
/// with a signature, and holds nothing of the request.
///
/// ```
/// use tower_webhook::layer::RenderRejectionsLayer;
///
/// let layer = RenderRejectionsLayer::new();
///
/// // In words of your own:
/// let layer = RenderRejectionsLayer::new().on_rejection(|rejection, _protocol| {
///     let mut response = http::Response::new(rejection.code().into());
///     *response.status_mut() = rejection.status();
///     response
/// });
/// ```
#[derive(Clone)]
#[must_use]
pub struct RenderRejectionsLayer {
    render: Option<Arc<Render>>,
    leaves_bodies_out: bool,
}

type Render = dyn Fn(&Rejection, Protocol) -> Response<Bytes> + Send + Sync;

/// In an answer's extensions: a check gave it by itself, and it has been put into words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered;

/// What a request was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2 or later.
    Http2,
    /// gRPC, by its content type.
    Grpc,
}

impl Protocol {
    fn of<B>(request: &Request<B>) -> Self {
        if is_grpc(request.headers()) {
            Self::Grpc
        } else if request.version() < Version::HTTP_2 {
            Self::Http1
        } else {
            Self::Http2
        }
    }
}

impl RenderRejectionsLayer {
    /// A layer with the standard words.
    pub fn new() -> Self {
        Self { render: None, leaves_bodies_out: false }
    }

    /// Answers rejections with what `render` says. Headers that the status asks for (`Retry-After`, `WWW-Authenticate`, `Allow`) are there
    /// already and stay, unless it sets them.
    pub fn on_rejection(
        mut self,
        render: impl Fn(&Rejection, Protocol) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.render = Some(Arc::new(render));
        self
    }

    /// Answers with status and headers alone: for senders that take a body for something else, such as Xero.
    pub fn without_bodies(mut self) -> Self {
        self.leaves_bodies_out = true;
        self
    }
}

impl Default for RenderRejectionsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RenderRejectionsLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenderRejectionsLayer")
    }
}

impl<S> Layer<S> for RenderRejectionsLayer {
    type Service = RenderRejections<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RenderRejections { inner, layer: self.clone() }
    }
}

/// The service of [`RenderRejectionsLayer`].
#[derive(Clone, Debug)]
pub struct RenderRejections<S> {
    inner: S,
    layer: RenderRejectionsLayer,
}

impl<S, B, ResBody> Service<Request<B>> for RenderRejections<S>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Response = Response<Rendered<ResBody>>;
    type Error = S::Error;
    type Future = RenderRejectionsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let protocol = Protocol::of(&request);
        RenderRejectionsFuture { called: self.inner.call(request), protocol, layer: self.layer.clone() }
    }
}

pin_project! {
    /// The future of [`RenderRejections`].
    #[derive(Debug)]
    pub struct RenderRejectionsFuture<F> {
        #[pin]
        called: F,
        protocol: Protocol,
        layer: RenderRejectionsLayer,
    }
}

impl<F, ResBody, E> Future for RenderRejectionsFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
{
    type Output = Result<Response<Rendered<ResBody>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.called.poll(cx))?;
        Poll::Ready(Ok(this.layer.render(response, *this.protocol)))
    }
}

impl RenderRejectionsLayer {
    fn render<B>(&self, response: Response<B>, protocol: Protocol) -> Response<Rendered<B>> {
        let (mut head, body) = response.into_parts();
        let body = if let Some(rejection) = head.extensions.get::<Rejection>() {
            let words = match &self.render {
                None if protocol == Protocol::Grpc => in_grpc(rejection, &mut head.status, &mut head.headers),
                None => Words::Text { text: in_http(rejection, &mut head.headers) },
                Some(render) => {
                    let (own, text) = render(rejection, protocol).into_parts();
                    head.status = own.status;
                    // `extend` would append to what is there.
                    own.headers.iter().for_each(|(name, value)| drop(head.headers.insert(name, value.clone())));
                    Words::Text { text }
                }
            };
            let words = if self.leaves_bodies_out && protocol != Protocol::Grpc {
                head.headers.remove(CONTENT_TYPE);
                Words::Text { text: Bytes::new() }
            } else {
                words
            };
            if protocol == Protocol::Http1 && rejection.closes_connection() {
                let (name, value) = CLOSE;
                head.headers.insert(name, value);
            }
            Rendered { body: words }
        } else if let Some(answer) = head.extensions.remove::<Answer>() {
            head.extensions.insert(Answered);
            head.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            Rendered::text(answer.body)
        } else {
            Rendered::inner(body)
        };
        Response::from_parts(head, body)
    }
}

/// In the answer to a gRPC call.
fn in_grpc<B>(rejection: &Rejection, status: &mut StatusCode, headers: &mut HeaderMap) -> Words<B> {
    const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
    const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // Not from the status of the answer, which is 200 if a layer like this one has been here before.
    let grpc_status = grpc_status(rejection.status());
    *status = StatusCode::OK;
    if grpc_status == 0 {
        // Clients take an answer without a message for a broken one.
        return Words::EmptyMessage { is_sent: false };
    }
    // Trailers-Only: a whole answer in the head (gRPC over HTTP/2, "Responses").
    headers.insert(GRPC_STATUS, grpc_status.into());
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(grpc_message(rejection)));
    if let Some(pushback) = pushback(rejection) {
        headers.insert(PUSHBACK, pushback);
    }
    Words::Text { text: Bytes::new() }
}

/// Percent-encoded where it has to be, which these words do not.
fn grpc_message(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::StreamingUnsupported => {
            "streaming_unsupported: this endpoint takes calls with a single request message"
        }
        _ => rejection.code(),
    }
}

/// When a client that tries again by itself should ([gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md)): a negative number says never.
fn pushback(rejection: &Rejection) -> Option<HeaderValue> {
    if let Some(wait) = rejection.retry_after() {
        // Rounded up, as a client that comes too soon has come in vain.
        let millis = wait.as_nanos().div_ceil(1_000_000);
        // Clients read 32 bits, and take what is more for never.
        return Some(i32::try_from(millis).unwrap_or(i32::MAX).max(1).into());
    }
    match rejection.status() {
        // The next try may be faster, or find us put in order.
        StatusCode::REQUEST_TIMEOUT | StatusCode::INTERNAL_SERVER_ERROR => None,
        // The same bytes would be judged the same.
        _ => Some(HeaderValue::from_static("-1")),
    }
}

/// In plain HTTP.
fn in_http(rejection: &Rejection, headers: &mut HeaderMap) -> Bytes {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let text = match rejection {
        Rejection::InvalidPayload { problems } => Bytes::from(invalid_payload(problems)),
        _ => Bytes::from_static(problem(rejection).as_bytes()),
    };
    if !text.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    text
}

const fn grpc_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        200 => 0,
        400 | 415 | 422 => 3,
        401 => 16,
        403 | 421 => 7,
        405 => 12,
        408 | 504 => 4,
        409 => 10,
        413 | 429 => 8,
        503 => 14,
        _ => 13,
    }
}

/// One constant text for each code, so that nothing of the request can be in it.
fn problem(rejection: &Rejection) -> &'static str {
    macro_rules! problem {
        ($status:literal, $code:literal, $title:literal) => {
            concat!(
                r#"{"type":"about:blank","title":""#,
                $title,
                r#"","status":"#,
                $status,
                r#","code":""#,
                $code,
                r#""}"#
            )
        };
    }
    match rejection.code() {
        // Some senders take no body for a success.
        "duplicate_delivery" | "ignored" => "",
        "malformed_request" => problem!(400, "malformed_request", "Bad Request"),
        "unauthenticated" => problem!(401, "unauthenticated", "Unauthorized"),
        "https_required" => problem!(403, "https_required", "Forbidden"),
        "source_not_allowed" => problem!(403, "source_not_allowed", "Forbidden"),
        "misdirected_request" => problem!(421, "misdirected_request", "Misdirected Request"),
        "event_not_allowed" => problem!(403, "event_not_allowed", "Forbidden"),
        "streaming_unsupported" => problem!(405, "streaming_unsupported", "Method Not Allowed"),
        "method_not_allowed" => problem!(405, "method_not_allowed", "Method Not Allowed"),
        "body_timeout" => problem!(408, "body_timeout", "Request Timeout"),
        "body_too_large" => problem!(413, "body_too_large", "Content Too Large"),
        "unsupported_media_type" => problem!(415, "unsupported_media_type", "Unsupported Media Type"),
        "rate_limited" => problem!(429, "rate_limited", "Too Many Requests"),
        "delivery_in_progress" => problem!(503, "delivery_in_progress", "Service Unavailable"),
        "unavailable" => problem!(503, "unavailable", "Service Unavailable"),
        _ => problem!(500, "misconfigured", "Internal Server Error"),
    }
}

/// The one text that says what was in the request: where something is wrong, to a sender that is known.
fn invalid_payload(problems: &[Problem]) -> String {
    let mut text = String::from(
        r#"{"type":"about:blank","title":"Unprocessable Content","status":422,"code":"invalid_payload","errors":["#,
    );
    for (index, problem) in problems.iter().enumerate() {
        text.push_str(if index == 0 { r#"{"pointer":""# } else { r#",{"pointer":""# });
        push_escaped(&mut text, problem.pointer());
        text.push_str(r#"","detail":""#);
        push_escaped(&mut text, problem.detail());
        text.push_str(r#""}"#);
    }
    text.push_str("]}");
    text
}

/// As the inside of a JSON string, in which nothing is left that HTML, a terminal or a log could take for more than text.
fn push_escaped(text: &mut String, raw: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for char in raw.chars() {
        if matches!(char, ' '..='~') && !matches!(char, '"' | '\\' | '<' | '>' | '&' | '\'') {
            text.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            text.push_str("\\u");
            text.extend([12, 8, 4, 0].map(|shift| char::from(HEX[usize::from(*unit >> shift & 0xf)])));
        }
    }
}

pin_project! {
    /// The body of an answer: the service's own, or the words of a rejection.
    #[derive(Debug)]
    pub struct Rendered<B> {
        #[pin]
        body: Words<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = WordsProject]
    enum Words<B> {
        Inner { #[pin] body: B },
        Text { text: Bytes },
        // The default of any protobuf message, and that all went well.
        EmptyMessage { is_sent: bool },
    }
}

/// Not compressed, and of no bytes.
const EMPTY_MESSAGE: Bytes = Bytes::from_static(&[0; 5]);

impl<B> Rendered<B> {
    fn inner(body: B) -> Self {
        Self { body: Words::Inner { body } }
    }

    fn text(text: Bytes) -> Self {
        Self { body: Words::Text { text } }
    }
}

impl<B: Default> Default for Rendered<B> {
    fn default() -> Self {
        Self::inner(B::default())
    }
}

impl<B: Body<Data = Bytes>> Body for Rendered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        match this.body.as_mut().project() {
            WordsProject::Inner { body } => body.poll_frame(cx),
            WordsProject::Text { text } if text.is_empty() => Poll::Ready(None),
            WordsProject::Text { text } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            WordsProject::EmptyMessage { is_sent } if !*is_sent => {
                *is_sent = true;
                Poll::Ready(Some(Ok(Frame::data(EMPTY_MESSAGE))))
            }
            WordsProject::EmptyMessage { .. } => {
                let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
                this.body.set(Words::Text { text: Bytes::new() });
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Words::Inner { body } => body.is_end_stream(),
            Words::Text { text } => text.is_empty(),
            Words::EmptyMessage { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Words::Inner { body } => body.size_hint(),
            Words::Text { text } => SizeHint::with_exact(text.len() as u64),
            Words::EmptyMessage { .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn clients_are_told_when_to_try_again_by_themselves_or_never() {
        let after = |retry_after| Rejection::RateLimited { retry_after };
        for (rejection, expected) in [
            (after(Duration::from_secs(2)), Some("2000")),
            (after(Duration::from_micros(1500)), Some("2")),
            (after(Duration::ZERO), Some("1")),
            (after(Duration::MAX), Some("2147483647")),
            (Rejection::InProgress { retry_after: Duration::from_secs(9) }, Some("9000")),
            (Rejection::StoreUnavailable, Some("1000")),
            (Rejection::BodyTimeout, None),
            (Rejection::Misconfigured { why: "" }, None),
            (Rejection::Stale, Some("-1")),
            (Rejection::MalformedFrame, Some("-1")),
            (Rejection::SourceNotAllowed, Some("-1")),
            (Rejection::BodyTooLarge { limit: 1 }, Some("-1")),
            (Rejection::StreamingUnsupported, Some("-1")),
        ] {
            assert_eq!(pushback(&rejection).as_ref().map(|value| value.to_str().unwrap()), expected, "{rejection}");
        }
    }

    #[test]
    fn messages_need_no_percent_encoding() {
        for rejection in [Rejection::StreamingUnsupported, Rejection::Stale] {
            let message = grpc_message(&rejection);
            assert!(message.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'%'), "{message}");
            assert!(message.starts_with(rejection.code()), "{message}");
        }
    }
}
