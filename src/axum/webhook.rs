use std::fmt;

use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::StatusCode;
use serde_core::de::DeserializeOwned;
use serde_json::{Deserializer, error::Category};
use serde_path_to_error::{Path, Segment};

use super::MissingVerification;
use crate::{Delivery, Problem, Rejection};

/// A verified delivery with its payload, which is JSON.
///
/// ```
/// use axum::{Router, routing::post};
/// use serde::Deserialize;
/// use tower_webhook::{axum::Webhook, layer::WebhookLayer, provider};
///
/// #[derive(Deserialize)]
/// struct Event {
///     #[serde(rename = "type")]
///     kind: String,
/// }
///
/// async fn paid(Webhook { delivery, payload }: Webhook<Event>) {
///     println!("{}: {}", delivery.id().unwrap_or("without id"), payload.kind);
/// }
///
/// let stripe = provider::STRIPE.verifier("whsec_…")?;
/// let app: Router = Router::new().route("/stripe", post(paid)).layer(WebhookLayer::new(stripe));
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// The media type is not looked at: the sender is known by then, and it is for the signature to say what the bytes are, which no signature
/// says of `Content-Type`. [`RequireMediaTypeLayer`](crate::layer::RequireMediaTypeLayer) looks at it, and
/// [`ValidatePayloadLayer`](crate::layer::ValidatePayloadLayer) also refuses JSON that readers understand differently.
///
/// # Errors
///
/// A payload that does not fit `T` is answered `422` with the place as a JSON pointer, see [`WebhookRejection`]. That releases the delivery's
/// reservation, so a provider that tries again finds it open: a handler that was mended meanwhile loses nothing. Where deliveries come
/// that are not for `T`, and must be acknowledged, take `serde_json::Value` or an enum with `#[serde(other)]`, or put
/// [`AllowEventsLayer`](crate::layer::AllowEventsLayer) in front.
#[derive(Clone, Debug)]
pub struct Webhook<T> {
    /// What was proven about the request.
    pub delivery: Delivery,
    /// What it brings.
    pub payload: T,
}

impl<T, S> FromRequest<S> for Webhook<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = WebhookRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebhookRejection> {
        let (mut head, body) = request.into_parts();
        // First: what nobody has verified is not even read.
        let delivery = Delivery::from_request_parts(&mut head, state).await?;
        let bytes = Bytes::from_request(Request::from_parts(head, body), state).await?;
        Ok(Self { delivery, payload: parse(&bytes)? })
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = Deserializer::from_slice(bytes);
    let payload = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let detail = match error.inner().classify() {
            Category::Data => "is not of the form that is expected here",
            Category::Eof => "ends too early",
            Category::Io | Category::Syntax => "is not JSON",
        };
        Problem::new(pointer(error.path()), detail)
    })?;
    json.end().map_err(|_| Problem::new("", "must not be followed by anything"))?;
    Ok(payload)
}

/// As RFC 6901 writes it, as far as the place is known.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {
                pointer.pop();
                break;
            }
        }
    }
    pointer
}

/// Why a handler that takes a [`Webhook`] was not called.
#[derive(Debug)]
#[non_exhaustive]
pub enum WebhookRejection {
    /// Nothing in front of the handler verifies: answered `500`.
    MissingVerification(MissingVerification),
    /// The payload is not JSON, or not what the handler takes: answered `422`.
    ///
    /// The answer has [`Rejection::InvalidPayload`] in its extensions, so that
    /// [`RenderRejectionsLayer`](crate::layer::RenderRejectionsLayer), which [`WebhookLayer`](crate::layer::WebhookLayer) has in it, says where,
    /// and layers outside see it. Nothing of the payload is in it but names on the way to the place.
    InvalidPayload(Problem),
    /// The body cannot be read: answered as axum's own extractors answer it. Only where a layer inside verification has put another body there, as
    /// bodies that were verified are whole.
    Body(BytesRejection),
}

impl fmt::Display for WebhookRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingVerification(missing) => missing.fmt(f),
            Self::InvalidPayload(problem) => write!(f, "invalid payload: {problem}"),
            Self::Body(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for WebhookRejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::MissingVerification(missing) => Some(missing),
            Self::InvalidPayload(_) => None,
            Self::Body(rejection) => Some(rejection),
        }
    }
}

impl From<MissingVerification> for WebhookRejection {
    fn from(missing: MissingVerification) -> Self {
        Self::MissingVerification(missing)
    }
}

impl From<BytesRejection> for WebhookRejection {
    fn from(rejection: BytesRejection) -> Self {
        Self::Body(rejection)
    }
}

impl From<Problem> for WebhookRejection {
    fn from(problem: Problem) -> Self {
        Self::InvalidPayload(problem)
    }
}

impl IntoResponse for WebhookRejection {
    fn into_response(self) -> Response {
        match self {
            Self::MissingVerification(missing) => missing.into_response(),
            Self::Body(rejection) => rejection.into_response(),
            Self::InvalidPayload(problem) => {
                let mut response = StatusCode::UNPROCESSABLE_ENTITY.into_response();
                response.extensions_mut().insert(Rejection::from(problem));
                response
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "what matters is whether it can be read")]
    struct Order {
        id: u32,
        #[serde(default)]
        items: Vec<Item>,
        #[serde(default)]
        notes: BTreeMap<String, u32>,
        #[serde(default)]
        state: Option<State>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "what matters is whether it can be read")]
    struct Item {
        price: u32,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "what matters is whether it can be read")]
    enum State {
        Paid { cents: u32 },
    }

    #[test]
    fn what_does_not_fit_is_pointed_to() {
        for (json, expected) in [
            (r#"{"id":1}"#, None),
            (r#" {"id":1,"items":[{"price":2}],"notes":{"a":1},"state":{"Paid":{"cents":3}}} "#, None),
            ("", Some(("", "ends too early"))),
            ("{", Some(("", "ends too early"))),
            ("id=1", Some(("", "is not JSON"))),
            (r#"{"id":1} {"id":2}"#, Some(("", "must not be followed by anything"))),
            ("[1,[7]]", Some(("/1/0", "is not of the form that is expected here"))),
            ("{}", Some(("", "is not of the form that is expected here"))),
            (r#"{"id":"canary"}"#, Some(("/id", "is not of the form that is expected here"))),
            (r#"{"id":1,"ids":2}"#, Some(("/ids", "is not of the form that is expected here"))),
            (
                r#"{"id":1,"items":[{"price":1},{"price":-1}]}"#,
                Some(("/items/1/price", "is not of the form that is expected here")),
            ),
            (r#"{"id":1,"items":[{"price":1},{"price":"#, Some(("/items/1/price", "ends too early"))),
            (r#"{"id":1,"notes":{"a/b~c":-1}}"#, Some(("/notes/a~1b~0c", "is not of the form that is expected here"))),
            (
                r#"{"id":1,"state":{"Paid":{"cents":-1}}}"#,
                Some(("/state/Paid/cents", "is not of the form that is expected here")),
            ),
        ] {
            let problem = parse::<Order>(json.as_bytes()).err();
            let found = problem.as_ref().map(|problem| (problem.pointer(), problem.detail()));
            assert_eq!(found, expected, "{json}");
        }
    }

    #[test]
    fn what_is_nested_without_end_is_refused() {
        let deep = "[".repeat(100_000);
        assert!(parse::<serde_json::Value>(deep.as_bytes()).is_err());
    }
}
