//! Why a request was turned away.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

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
    /// A transfer coding other than `chunked`.
    UnsupportedTransferCoding,

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

    /// Deliveries do not come with this method.
    MethodNotAllowed {
        /// The methods they come with.
        allow: HeaderValue,
    },
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
    /// Too many requests of a verified sender whose deliveries would be lost if it were told so with 429.
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
    /// The nonce store does not answer.
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
    /// The server is put together wrongly.
    Misconfigured {
        /// How.
        why: &'static str,
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
            StatusCode::OK => "duplicate_delivery",
            StatusCode::BAD_REQUEST => "malformed_request",
            StatusCode::UNAUTHORIZED => "unauthenticated",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::REQUEST_TIMEOUT => "body_timeout",
            StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
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
            _ if self.status() == StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, WEBHOOK);
            }
            _ => {}
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, whole_seconds(wait).into());
        }
    }

    /// Whether what is left of the request body must not be waited for.
    pub(crate) fn closes_connection(&self) -> bool {
        matches!(
            self,
            Self::BodyTimeout | Self::BodyTooLarge { .. } | Self::BrokenBody | Self::UnsupportedTransferCoding
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
            Self::UnsupportedTransferCoding => (BAD, "unsupported_transfer_coding"),
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
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
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
            Self::Misconfigured { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "misconfigured"),
        }
    }
}

/// Says that an answer was given without running the handler.
const REPLAY: HeaderName = HeaderName::from_static("webhook-replay");

/// Closes an HTTP/1 connection, whose unread body would otherwise have to be read.
pub(crate) const CLOSE: (HeaderName, HeaderValue) = (CONNECTION, HeaderValue::from_static("close"));

/// Rounded up, and never 0: a sender told to wait too briefly comes back too soon.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
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
