//! Why a request was turned away.

use std::{borrow::Cow, fmt, io::Write, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE},
};

/// Why a request was turned away, for those who run the server.
///
/// Whoever sent the request learns only [`status`](Self::status) and [`code`](Self::code), which are the same for everything
/// that is wrong with a signature; logs and metrics may have the precise [`reason`](Self::reason). A layer puts its
/// rejection into the extensions of the response, where any layer outside it finds it.
///
/// ```
/// use tower_webhook::Rejection;
///
/// assert_eq!(Rejection::Stale.code(), Rejection::SignatureMismatch.code());
/// assert_eq!(Rejection::Stale.reason(), "stale");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// A signature-relevant header came twice.
    DuplicateHeader {
        /// Which one.
        header: HeaderName,
    },
    /// A field of the signature header came twice.
    DuplicateField,
    /// Two families of headers contradict each other.
    ConflictingHeaders,
    /// A signature-relevant header is not visible ASCII.
    MalformedHeader {
        /// Which one.
        header: HeaderName,
    },
    /// A signature-relevant header is too long.
    HeaderTooLong {
        /// Which one.
        header: HeaderName,
    },
    /// The timestamp is not of its format.
    MalformedTimestamp,
    /// The signed id is empty, too long or of strange characters.
    MalformedId,
    /// The request's parts could be taken for other parts with the same signature, or are too many.
    AmbiguousMessage,
    /// The body broke off or could not be read.
    BrokenBody,
    /// The body of a gRPC call is not a message in its frame.
    MalformedFrame,
    /// A transfer coding other than `chunked`.
    UnsupportedTransferCoding,
    /// The request names no host of its own, or several.
    AmbiguousHost,
    /// The challenge of a handshake is too long, or of characters that are not sent back.
    MalformedChallenge,

    /// There is no signature.
    MissingSignature,
    /// No signature is of the right form.
    UnusableSignature,
    /// There is no timestamp.
    MissingTimestamp,
    /// There is no delivery id, which is signed.
    MissingId,
    /// A header that is signed is missing.
    MissingHeader {
        /// Which one.
        header: HeaderName,
    },
    /// A value that is signed is not in the body.
    MissingSignedValue,
    /// No signature is that of any key.
    SignatureMismatch,
    /// The token is signed in a way that its scheme or its key does not allow.
    WrongAlgorithm,
    /// The request names a key that is not known.
    UnknownKey,
    /// The key that the request points to is not one to be trusted.
    UntrustedKey {
        /// Why not.
        why: &'static str,
    },
    /// The token does not claim what it must, or something else.
    WrongClaim {
        /// Which claim, as a JSON pointer.
        claim: Arc<str>,
    },
    /// The signed time lies too far in the past.
    Stale,
    /// The signed time lies too far in the future.
    FromTheFuture,
    /// A handshake that nobody here asked for, or with another verify token.
    UnexpectedHandshake,

    /// The request did not come over HTTPS, as far as is known for certain.
    HttpsRequired,
    /// The request comes from an address that is not allowed.
    SourceNotAllowed,
    /// The request was sent to an origin that is none of ours.
    Misdirected,

    /// Deliveries do not come with this method.
    MethodNotAllowed {
        /// The methods they come with.
        allow: HeaderValue,
    },
    /// A gRPC call whose request streams: a signature is over one message. Plain HTTP requests are never refused so.
    StreamingUnsupported,
    /// The body is taking too long.
    BodyTimeout,
    /// The body is larger than it may be.
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is compressed or otherwise encoded.
    UnsupportedContentCoding,
    /// Too many requests.
    RateLimited {
        /// When the next one may be let through.
        retry_after: Duration,
    },
    /// Too many requests of a sender whose deliveries would be lost if it were told so with 429.
    Throttled {
        /// When the next one may be let through.
        retry_after: Duration,
    },

    /// The delivery was handled before.
    Replayed,
    /// The delivery is being handled right now.
    InProgress {
        /// When the one who handles it must have ended.
        retry_after: Duration,
    },
    /// The signed time was near enough when the request came, and no more when its body had come.
    Outdated,
    /// The handler took too long.
    HandlerTimeout,
    /// The nonce store is full of deliveries that must not be forgotten yet.
    StoreFull,
    /// A store does not answer.
    StoreUnavailable,
    /// The key that the request names cannot be had right now.
    KeysUnavailable {
        /// Why not.
        why: &'static str,
    },
    /// Too many bytes of unverified bodies are held already.
    BudgetExhausted,
    /// The clock does not tell the time.
    ClockUnavailable,
    /// What a handshake takes does not answer.
    HandshakeUnfinished,
    /// The server is put together wrongly.
    Misconfigured {
        /// How.
        why: &'static str,
    },

    /// The delivery is of an event that nobody wants, and was acknowledged.
    EventIgnored,
    /// The delivery is of an event that nobody wants.
    EventNotAllowed,
    /// The body is not of a media type that is taken, or of several.
    UnsupportedMediaType,
    /// The delivery is genuine, but what it brings is not what it should be.
    InvalidPayload {
        /// What is wrong with it.
        problems: Arc<[Problem]>,
    },
}

impl Rejection {
    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        self.facts().0
    }

    /// What the sender is told, one of few words.
    pub fn code(&self) -> &'static str {
        match self.status() {
            StatusCode::OK if matches!(self, Self::EventIgnored) => "ignored",
            StatusCode::OK => "duplicate_delivery",
            StatusCode::BAD_REQUEST => "malformed_request",
            StatusCode::UNAUTHORIZED => "unauthenticated",
            StatusCode::FORBIDDEN if matches!(self, Self::HttpsRequired) => "https_required",
            StatusCode::FORBIDDEN if matches!(self, Self::EventNotAllowed) => "event_not_allowed",
            StatusCode::FORBIDDEN => "source_not_allowed",
            StatusCode::MISDIRECTED_REQUEST => "misdirected_request",
            StatusCode::METHOD_NOT_ALLOWED if matches!(self, Self::StreamingUnsupported) => "streaming_unsupported",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::REQUEST_TIMEOUT => "body_timeout",
            StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
            StatusCode::UNPROCESSABLE_ENTITY => "invalid_payload",
            StatusCode::TOO_MANY_REQUESTS => "rate_limited",
            StatusCode::SERVICE_UNAVAILABLE if matches!(self, Self::InProgress { .. }) => "delivery_in_progress",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "misconfigured",
        }
    }

    /// The precise reason, one word for each variant; for logs and metrics only.
    pub fn reason(&self) -> &'static str {
        self.facts().1
    }

    /// How long the sender should wait before it tries again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Throttled { retry_after } | Self::InProgress { retry_after } => {
                Some(*retry_after)
            }
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Whether the request is to blame, and not the load, a trouble of ours, or a genuine delivery that does not suit: with it, [`RateLimitLayer::charge_failures`] charges the one
    /// it came from.
    ///
    /// [`RateLimitLayer::charge_failures`]: crate::layer::RateLimitLayer::charge_failures
    pub fn blames_sender(&self) -> bool {
        let is_unsuitable =
            matches!(self, Self::RateLimited { .. } | Self::EventNotAllowed | Self::InvalidPayload { .. });
        self.status().is_client_error() && !is_unsuitable
    }

    /// Puts what the status asks for into the headers of an answer.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        const WEBHOOK: HeaderValue = HeaderValue::from_static("Webhook");
        match self {
            Self::MethodNotAllowed { allow } => {
                headers.insert(ALLOW, allow.clone());
            }
            Self::UnsupportedContentCoding => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            Self::Replayed => {
                headers.insert(REPLAY, HeaderValue::from_static("duplicate"));
            }
            Self::EventIgnored => {
                headers.insert(IGNORED, HeaderValue::from_static("1"));
            }
            _ if self.status() == StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, WEBHOOK);
            }
            _ => {}
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds(whole_seconds(wait)));
        }
    }

    /// Whether what is left of the request body must not be waited for.
    pub(crate) fn closes_connection(&self) -> bool {
        matches!(
            self,
            Self::BodyTimeout
                | Self::BodyTooLarge { .. }
                | Self::BrokenBody
                | Self::MalformedFrame
                | Self::StreamingUnsupported
                | Self::UnsupportedTransferCoding
        )
    }

    fn facts(&self) -> (StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const WHO: StatusCode = StatusCode::UNAUTHORIZED;
        const BUSY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Self::DuplicateHeader { .. } => (BAD, "duplicate_header"),
            Self::DuplicateField => (BAD, "duplicate_field"),
            Self::ConflictingHeaders => (BAD, "conflicting_headers"),
            Self::MalformedHeader { .. } => (BAD, "malformed_header"),
            Self::HeaderTooLong { .. } => (BAD, "header_too_long"),
            Self::MalformedTimestamp => (BAD, "malformed_timestamp"),
            Self::MalformedId => (BAD, "malformed_id"),
            Self::AmbiguousMessage => (BAD, "ambiguous_message"),
            Self::BrokenBody => (BAD, "broken_body"),
            Self::MalformedFrame => (BAD, "malformed_frame"),
            Self::UnsupportedTransferCoding => (BAD, "unsupported_transfer_coding"),
            Self::AmbiguousHost => (BAD, "ambiguous_host"),
            Self::HttpsRequired => (StatusCode::FORBIDDEN, "https_required"),
            Self::SourceNotAllowed => (StatusCode::FORBIDDEN, "source_not_allowed"),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "misdirected"),
            Self::MalformedChallenge => (BAD, "malformed_challenge"),
            Self::MissingSignature => (WHO, "missing_signature"),
            Self::UnusableSignature => (WHO, "unusable_signature"),
            Self::MissingTimestamp => (WHO, "missing_timestamp"),
            Self::MissingId => (WHO, "missing_id"),
            Self::MissingHeader { .. } => (WHO, "missing_header"),
            Self::MissingSignedValue => (WHO, "missing_signed_value"),
            Self::SignatureMismatch => (WHO, "signature_mismatch"),
            Self::WrongAlgorithm => (WHO, "wrong_algorithm"),
            Self::UnknownKey => (WHO, "unknown_key"),
            Self::UntrustedKey { .. } => (WHO, "untrusted_key"),
            Self::WrongClaim { .. } => (WHO, "wrong_claim"),
            Self::Stale => (WHO, "stale"),
            Self::FromTheFuture => (WHO, "from_the_future"),
            Self::UnexpectedHandshake => (WHO, "unexpected_handshake"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::StreamingUnsupported => (StatusCode::METHOD_NOT_ALLOWED, "streaming_unsupported"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::UnsupportedContentCoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_coding"),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::Throttled { .. } => (BUSY, "throttled"),
            Self::Replayed => (StatusCode::OK, "replayed"),
            Self::InProgress { .. } => (BUSY, "in_progress"),
            Self::Outdated => (BUSY, "outdated"),
            Self::HandlerTimeout => (BUSY, "handler_timeout"),
            Self::StoreFull => (BUSY, "store_full"),
            Self::StoreUnavailable => (BUSY, "store_unavailable"),
            Self::KeysUnavailable { .. } => (BUSY, "keys_unavailable"),
            Self::BudgetExhausted => (BUSY, "budget_exhausted"),
            Self::ClockUnavailable => (BUSY, "clock_unavailable"),
            Self::HandshakeUnfinished => (BUSY, "handshake_unfinished"),
            Self::Misconfigured { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "misconfigured"),
            Self::EventIgnored => (StatusCode::OK, "event_ignored"),
            Self::EventNotAllowed => (StatusCode::FORBIDDEN, "event_not_allowed"),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::InvalidPayload { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_payload"),
        }
    }
}

/// What is wrong with a payload, and where.
///
/// The sender is told, so a detail is a constant of the program, and nothing of the payload gets into it.
///
/// ```
/// use tower_webhook::Problem;
///
/// let problem = Problem::new("/amount", "must be the sum of the items");
/// assert_eq!(problem.to_string(), r#""/amount" must be the sum of the items"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pointer: Cow<'static, str>,
    detail: &'static str,
}

impl Problem {
    /// At this place, which is a JSON pointer (RFC 6901), or empty for the whole.
    ///
    /// Pointers of more than 256 bytes are cut to what encloses the place.
    pub fn new(pointer: impl Into<Cow<'static, str>>, detail: &'static str) -> Self {
        Self { pointer: shortened(pointer.into()), detail }
    }

    /// Where, as a JSON pointer.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// What is wrong there.
    pub fn detail(&self) -> &'static str {
        self.detail
    }
}

/// Keys are the sender's, and may be as long as the body.
fn shortened(mut pointer: Cow<'static, str>) -> Cow<'static, str> {
    const MAX_POINTER: usize = 256;
    if pointer.len() > MAX_POINTER {
        // The slash may be the last byte that fits: what is before it fits too.
        let end = pointer.as_bytes()[..=MAX_POINTER].iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        pointer.to_mut().truncate(end);
    }
    pointer
}

impl fmt::Display for Problem {
    /// Keys are the sender's: quoted, they cannot forge lines of a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.pointer, self.detail)
    }
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self::InvalidPayload { problems: [problem].into() }
    }
}

/// Where a gRPC answer says what became of the call: in its trailers, or in its head if there is nothing else.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Say that an answer was given without running the handler.
const REPLAY: HeaderName = HeaderName::from_static("webhook-replay");
const IGNORED: HeaderName = HeaderName::from_static("webhook-ignored");

/// Closes an HTTP/1 connection, whose unread body would otherwise have to be read.
pub(crate) const CLOSE: (HeaderName, HeaderValue) = (CONNECTION, HeaderValue::from_static("close"));

/// Rounded up, and never 0: a sender told to wait too briefly comes back too soon.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// As a header's value, with one allocation at most where the conversion from a number makes two.
fn seconds(seconds: u64) -> HeaderValue {
    const ONE: HeaderValue = HeaderValue::from_static("1");
    if seconds == 1 {
        return ONE;
    }
    let mut digits = [0; 20];
    let mut left = digits.as_mut_slice();
    // 20 digits are enough for any number of 64 bits.
    let _ = write!(left, "{seconds}");
    let unused = left.len();
    HeaderValue::from_bytes(&digits[..digits.len() - unused]).unwrap_or(ONE)
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail: Cow<'_, str> = match self {
            Self::DuplicateHeader { header }
            | Self::MalformedHeader { header }
            | Self::HeaderTooLong { header }
            | Self::MissingHeader { header } => header.as_str().into(),
            Self::BodyTooLarge { limit } => format!("more than {limit} bytes").into(),
            Self::Misconfigured { why } | Self::UntrustedKey { why } | Self::KeysUnavailable { why } => (*why).into(),
            Self::WrongClaim { claim } => (&**claim).into(),
            Self::InvalidPayload { problems } => {
                problems.iter().map(Problem::to_string).collect::<Vec<_>>().join(", ").into()
            }
            _ => return f.write_str(self.reason()),
        };
        write!(f, "{}: {detail}", self.reason())
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        for (millis, expected) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), expected, "{millis} ms");
        }
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
        for number in [0, 1, 2, 10, 3600, u64::MAX] {
            assert_eq!(seconds(number), number.to_string());
        }
    }

    #[test]
    fn genuine_deliveries_that_do_not_suit_blame_nobody() {
        for (rejection, blames_sender) in [
            (Rejection::EventIgnored, false),
            (Rejection::EventNotAllowed, false),
            (Problem::new("", "").into(), false),
            (Rejection::UnsupportedMediaType, true),
        ] {
            assert_eq!(rejection.blames_sender(), blames_sender, "{rejection}");
        }
    }

    #[test]
    fn pointers_are_short_and_end_between_tokens() {
        let long = |length: usize| format!("/{}", "é".repeat(length));
        for (pointer, expected) in [
            (String::new(), ""),
            ("/a/b".to_owned(), "/a/b"),
            (long(2000), ""),
            (format!("/a/b{}", long(127)), "/a/b"),
            (format!("/{}/a", "b".repeat(255)), &format!("/{}", "b".repeat(255))),
        ] {
            assert_eq!(Problem::new(pointer.clone(), "").pointer(), expected, "{pointer}");
        }
    }

    #[test]
    fn what_may_succeed_later_is_503_with_retry_after() {
        for rejection in [
            Rejection::InProgress { retry_after: Duration::from_secs(9) },
            Rejection::Outdated,
            Rejection::HandlerTimeout,
            Rejection::StoreFull,
            Rejection::StoreUnavailable,
            Rejection::BudgetExhausted,
            Rejection::ClockUnavailable,
            Rejection::HandshakeUnfinished,
            Rejection::KeysUnavailable { why: "no answer" },
            Rejection::Throttled { retry_after: Duration::from_secs(9) },
        ] {
            let mut headers = HeaderMap::new();
            rejection.write_headers(&mut headers);
            assert_eq!(rejection.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(headers.contains_key(RETRY_AFTER), "{rejection}");
        }
    }
}
