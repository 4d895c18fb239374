//! Whether what a genuine sender sent is what was agreed upon.

#[cfg(feature = "decompress")]
mod decode;
mod json;
mod media_type;
#[cfg(feature = "schema")]
mod schema;

use std::{fmt, sync::Arc};

use http::Request;
use tower_layer::Layer;

#[cfg(feature = "decompress")]
pub use self::decode::{DecodeBody, DecodeBodyLayer};
use self::media_type::MediaTypes;
#[cfg(feature = "schema")]
use self::schema::Schemas;
pub use self::{
    json::JsonRules,
    media_type::{RequireMediaType, RequireMediaTypeLayer},
};
use super::{Check, Guard, Never, Step};
use crate::{
    ConfigError, Delivery, Problem, Rejection,
    body::{ContentCoding, Verified, VerifiedBody},
};

/// Lets only deliveries through whose payload is what it should be.
///
/// Without further calls: `application/json`, not encoded, and JSON that all readers understand in the same way, see [`JsonRules`].
/// Then by JSON Schema (with the feature `schema`), and by a [function](ValidatePayloadBuilder::check) of your own.
///
/// Another media type is answered `415`, and a payload that is not right `422` with the JSON pointers of what is wrong, as the sender is known
/// by then. Most providers try again after either, so an endpoint should not be stricter than its handler. It belongs outside
/// [`RejectReplayLayer`](super::RejectReplayLayer), which then does not remember what was refused.
///
/// ```
/// use tower_webhook::{
///     layer::{ValidatePayloadLayer, WebhookLayer},
///     provider,
/// };
///
/// let stripe = provider::STRIPE.verifier("whsec_…")?;
/// let layer = WebhookLayer::builder(stripe).then(ValidatePayloadLayer::new()).build()?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// With more to say:
///
/// ```
/// use tower_webhook::{
///     Problem,
///     layer::{JsonRules, ValidatePayloadLayer},
/// };
///
/// let layer = ValidatePayloadLayer::builder()
///     .media_types(["application/json", "application/cloudevents+json"])
///     .json(JsonRules::new().max_depth(16))
///     .check(|delivery, body| match body.len() {
///         0..10_000 => Ok(()),
///         _ => Err(Problem::new("", "is longer than agreed")),
///     })
///     .build()?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ValidatePayloadLayer {
    // Shared: axum applies layers anew for each request.
    config: Arc<Config>,
}

#[derive(Clone)]
struct Config {
    types: MediaTypes,
    json: Option<JsonRules>,
    #[cfg(feature = "schema")]
    schemas: Schemas,
    #[cfg(feature = "schema")]
    allows_without_schema: bool,
    check: Option<Arc<CheckFn>>,
}

type CheckFn = dyn Fn(&Delivery, &[u8]) -> Result<(), Problem> + Send + Sync;

impl ValidatePayloadLayer {
    /// A layer for JSON.
    pub fn new() -> Self {
        Self { config: Arc::new(Config::new()) }
    }

    /// A layer with more to say.
    pub fn builder() -> ValidatePayloadBuilder {
        ValidatePayloadBuilder { config: Ok(Config::new()) }
    }
}

impl Default for ValidatePayloadLayer {
    fn default() -> Self {
        Self::new()
    }
}

/// Sets up a [`ValidatePayloadLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ValidatePayloadBuilder {
    /// Or what was wrong first.
    config: Result<Config, ConfigError>,
}

impl ValidatePayloadBuilder {
    /// The media types that payloads may have, see [`RequireMediaTypeLayer`]. `application/json` by default.
    pub fn media_types<T: AsRef<str>>(self, types: impl IntoIterator<Item = T>) -> Self {
        self.with(|config| {
            config.types = MediaTypes::new(types)?;
            Ok(())
        })
    }

    /// What JSON must be.
    pub fn json(self, rules: JsonRules) -> Self {
        self.with(|config| {
            rules.validate()?;
            config.json = Some(rules);
            Ok(())
        })
    }

    /// Takes payloads that are no JSON, such as forms, of these media types.
    pub fn not_json<T: AsRef<str>>(self, types: impl IntoIterator<Item = T>) -> Self {
        self.media_types(types).with(|config| {
            config.json = None;
            Ok(())
        })
    }

    /// The JSON Schema that all payloads must match. Needs the feature `schema`.
    ///
    /// It is compiled once, and may refer only to itself and to the standard's own schemas: nothing is fetched. Regular expressions are matched
    /// by an engine that takes linear time, so look-around and back-references are refused when it is built. Of several schemas, each
    /// must be matched. At most 16 problems are told, only the first one if payload or schema is large, and
    /// none in detail if it is and the schema has alternatives (`anyOf`, `oneOf`), or if the schema refers to itself: to tell why not could take
    /// far more than to tell that it does not match.
    ///
    /// ```
    /// use tower_webhook::layer::ValidatePayloadLayer;
    ///
    /// let layer = ValidatePayloadLayer::builder()
    ///     .schema(r#"{"type": "object", "required": ["type"]}"#)
    ///     .schema_for("invoice.*", r#"{"properties": {"amount": {"type": "integer", "minimum": 0}}}"#)
    ///     .build()?;
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    #[cfg(feature = "schema")]
    pub fn schema(self, schema: &str) -> Self {
        self.with(|config| config.schemas.add(None, schema))
    }

    /// The JSON Schema that payloads of these events must match, by a pattern of [`AllowEventsLayer`](super::AllowEventsLayer).
    ///
    /// Payloads of events that no schema is for are refused, unless [allowed](Self::allow_without_schema): where the event type is not signed,
    /// whoever carried the request could choose one without a schema. Put an `AllowEventsLayer` outside for those that are not wanted.
    #[cfg(feature = "schema")]
    pub fn schema_for(self, events: &str, schema: &str) -> Self {
        self.with(|config| config.schemas.add(Some(events), schema))
    }

    /// Lets payloads of events that no schema is for through.
    #[cfg(feature = "schema")]
    pub fn allow_without_schema(self) -> Self {
        self.with(|config| {
            config.allows_without_schema = true;
            Ok(())
        })
    }

    /// Asks this function as well, once nothing else is wrong. Of several functions, the last one counts.
    pub fn check(self, check: impl Fn(&Delivery, &[u8]) -> Result<(), Problem> + Send + Sync + 'static) -> Self {
        self.with(|config| {
            config.check = Some(Arc::new(check));
            Ok(())
        })
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidValue`] for what could let no payload through or cannot be read: a media type, a limit, a pattern or a schema; and for schemas
    /// of what is no JSON.
    pub fn build(self) -> Result<ValidatePayloadLayer, ConfigError> {
        let config = self.config?;
        #[cfg(feature = "schema")]
        if config.json.is_none() && !config.schemas.is_empty() {
            return Err(ConfigError::invalid("JSON schema", "", "is for JSON, and payloads are to be something else"));
        }
        Ok(ValidatePayloadLayer { config: Arc::new(config) })
    }

    fn with(mut self, change: impl FnOnce(&mut Config) -> Result<(), ConfigError>) -> Self {
        if let Ok(config) = &mut self.config
            && let Err(error) = change(config)
        {
            self.config = Err(error);
        }
        self
    }
}

impl<S> Layer<S> for ValidatePayloadLayer {
    type Service = Guard<S, ValidatePayload>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, ValidatePayload(Arc::clone(&self.config)))
    }
}

/// The check of [`ValidatePayloadLayer`].
#[derive(Clone, Debug)]
pub struct ValidatePayload(Arc<Config>);

impl Config {
    fn new() -> Self {
        Self {
            types: MediaTypes::json(),
            json: Some(JsonRules::new()),
            #[cfg(feature = "schema")]
            schemas: Schemas::default(),
            #[cfg(feature = "schema")]
            allows_without_schema: false,
            check: None,
        }
    }

    fn judge(&self, request: &Request<Verified>) -> Result<(), Rejection> {
        let (delivery, body) = (request.body().delivery(), request.body().bytes());
        if ContentCoding::of(request.headers())?.is_some() {
            return Err(Rejection::UnsupportedContentCoding);
        }
        self.types.check(request.headers())?;
        if let Some(rules) = &self.json {
            rules.check(body)?;
        }
        #[cfg(feature = "schema")]
        if !self.schemas.is_empty() && !self.schemas.check(delivery, body)? && !self.allows_without_schema {
            return Err(Problem::new("", "is of an event that no schema is for").into());
        }
        if let Some(check) = &self.check {
            check(delivery, body)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut config = f.debug_struct("Config");
        config.field("types", &self.types).field("json", &self.json);
        #[cfg(feature = "schema")]
        config.field("schemas", &self.schemas);
        config.finish_non_exhaustive()
    }
}

impl<B: VerifiedBody> Check<B> for ValidatePayload {
    type Out = Verified;
    type Future = Never<Verified>;

    fn check(&self, request: Request<B>) -> Step<Verified, Self::Future> {
        let request = request.map(B::into_verified);
        let judgement = self.0.judge(&request);
        Step::judged(request, judgement)
    }
}
