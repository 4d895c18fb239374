use std::sync::Arc;

use http::{HeaderMap, Request, header::CONTENT_TYPE};
use tower_layer::Layer;

use crate::{
    ConfigError, Rejection,
    layer::{Check, Guard, Never, Step},
};

/// Lets only requests of these media types through, judged by the head alone.
///
/// `Content-Type` must be there once and name one of them: without regard to case, and to parameters, but for a `charset`, which
/// must be UTF-8. Others are answered `415`.
///
/// Outside verification it spares reading the body. [`ValidatePayloadLayer`](crate::layer::ValidatePayloadLayer) looks by itself.
///
/// ```
/// use tower_webhook::layer::RequireMediaTypeLayer;
///
/// let layer = RequireMediaTypeLayer::new(["application/json", "application/cloudevents+json"])?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireMediaTypeLayer {
    types: MediaTypes,
}

impl RequireMediaTypeLayer {
    /// A layer for these types, each as `type/subtype`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidValue`] if there is none, or one of them is none.
    pub fn new<T: AsRef<str>>(types: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        Ok(Self { types: MediaTypes::new(types)? })
    }
}

impl<S> Layer<S> for RequireMediaTypeLayer {
    type Service = Guard<S, RequireMediaType>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, RequireMediaType(self.types.clone()))
    }
}

/// The check of [`RequireMediaTypeLayer`].
#[derive(Clone, Debug)]
pub struct RequireMediaType(MediaTypes);

impl<B> Check<B> for RequireMediaType {
    type Out = B;
    type Future = Never<B>;

    fn check(&self, request: Request<B>) -> Step<B, Never<B>> {
        let judgement = self.0.check(request.headers());
        Step::judged(request, judgement)
    }
}

#[derive(Clone, Debug)]
pub(super) struct MediaTypes(Arc<[Box<str>]>);

impl MediaTypes {
    pub(super) fn json() -> Self {
        Self(["application/json".into()].into())
    }

    pub(super) fn new<T: AsRef<str>>(types: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        let parse = |text: T| {
            let text = text.as_ref();
            match text.split_once('/').filter(|(kind, subtype)| is_token(kind) && is_token(subtype)) {
                Some(_) if !text.contains('*') => Ok(text.into()),
                _ => Err(ConfigError::invalid("media type", text, "must be `type/subtype`, without parameters")),
            }
        };
        let types: Arc<[_]> = types.into_iter().map(parse).collect::<Result<_, _>>()?;
        if types.is_empty() {
            return Err(ConfigError::invalid("media types", "[]", "would let no request through"));
        }
        Ok(Self(types))
    }

    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Rejection::UnsupportedMediaType) };
        let value = value.to_str().map_err(|_| Rejection::UnsupportedMediaType)?;
        let (given, parameters) = value.split_at(value.find(';').unwrap_or(value.len()));
        let is_taken = self.0.iter().any(|taken| taken.eq_ignore_ascii_case(given.trim_matches(BLANK)));
        match is_taken && is_utf8(parameters) {
            true => Ok(()),
            false => Err(Rejection::UnsupportedMediaType),
        }
    }
}

/// What RFC 9110 lets stand around a part.
const BLANK: [char; 2] = [' ', '\t'];

/// Whether these are parameters, each after a `;` (RFC 9110, 5.6.6), of which none is another charset.
fn is_utf8(mut rest: &str) -> bool {
    while let Some(parameter) = rest.strip_prefix(';') {
        let parameter = parameter.trim_start_matches(BLANK);
        if parameter.is_empty() || parameter.starts_with(';') {
            rest = parameter;
            continue;
        }
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let Some((value, after)) = value_of(value) else { return false };
        if !is_token(name) || name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return false;
        }
        rest = after.trim_start_matches(BLANK);
    }
    rest.is_empty()
}

/// A token or a quoted string, in which a `;` parts nothing; and what follows it.
fn value_of(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find([';', ' ', '\t']).unwrap_or(text.len()));
        return is_token(value).then_some((value, after));
    };
    let mut is_escaped = false;
    let end = quoted.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some((&quoted[..end], &quoted[end + 1..]))
}

fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}
