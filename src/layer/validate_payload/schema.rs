use std::{fmt, sync::Arc};

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use crate::{ConfigError, Delivery, Problem, Rejection, layer::allow_events::EventPattern};

/// Schemas, each for some event types or for all.
#[derive(Clone, Default)]
pub(super) struct Schemas(Vec<(Option<EventPattern>, Arc<Schema>)>);

impl Schemas {
    pub(super) fn add(&mut self, events: Option<&str>, text: &str) -> Result<(), ConfigError> {
        let events = events.map(EventPattern::new).transpose()?;
        self.0.push((events, Arc::new(Schema::new(text)?)));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Judges by every schema that is for the delivery's event; whether there was one.
    pub(super) fn check(&self, delivery: &Delivery, body: &[u8]) -> Result<bool, Rejection> {
        let event = delivery.event();
        let mut schemas = self.0.iter().filter(|(events, _)| match (events, event) {
            (Some(events), Some(event)) => events.matches(event),
            (events, _) => events.is_none(),
        });
        let Some(first) = schemas.next() else { return Ok(false) };
        let payload: Value = serde_json::from_slice(body).map_err(|_| Problem::new("", "is not JSON"))?;
        for (_, schema) in [first].into_iter().chain(schemas) {
            schema.check(&payload, body.len())?;
        }
        Ok(true)
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(events, _)| events)).finish()
    }
}

struct Schema {
    compiled: Validator,
    extent: Extent,
}

impl Schema {
    fn new(text: &str) -> Result<Self, ConfigError> {
        let schema: Value =
            serde_json::from_str(text).map_err(|error| ConfigError::invalid("JSON schema", error, "is not JSON"))?;
        let compiled = jsonschema::options()
            .offline()
            // Matches in linear time, and has no look-around and no back-references, which could take exponential.
            .with_pattern_options(PatternOptions::regex())
            .build(&schema);
        let compiled = compiled.map_err(|error| {
            let why = match error.kind() {
                ValidationErrorKind::Referencing(_) => "refers to what is not in it, and nothing is fetched",
                ValidationErrorKind::Format { format } if format == "regex" => {
                    "holds a regular expression that cannot be matched in linear time"
                }
                _ => "is not a JSON schema",
            };
            ConfigError::invalid("JSON schema", error, why)
        })?;
        Ok(Self { compiled, extent: Extent::of(&schema) })
    }

    fn check(&self, payload: &Value, size: usize) -> Result<(), Rejection> {
        /// Parts of the schema times bytes of the payload: each part may have an error for each value, and all are made before the first is seen.
        const MOST_EXPLAINED: usize = 2 * 1024 * 1024;
        const MOST_PROBLEMS: usize = 16;
        if self.compiled.is_valid(payload) {
            return Ok(());
        }
        if self.extent.parts.saturating_mul(size) <= MOST_EXPLAINED {
            let errors = self.compiled.iter_errors(payload).take(MOST_PROBLEMS);
            return Err(Rejection::InvalidPayload { problems: errors.map(|error| problem(&error)).collect() });
        }
        let first = match self.extent {
            Extent { parts: ..Extent::UNBOUNDED, has_alternatives: false } => self.compiled.validate(payload).err(),
            _ => None,
        };
        Err(first.map_or(Problem::new("", "does not match the schema"), |error| problem(&error)).into())
    }
}

/// How much it can take to tell why a payload does not match a schema. Whether it does takes little: that is not judged again for the same
/// part and the same value.
struct Extent {
    /// All there is in it, each reference replaced by what it refers to.
    parts: usize,
    /// Where none of several alternatives matches, the errors of each are made.
    has_alternatives: bool,
}

impl Extent {
    /// Refers to itself: perhaps many times, and then to as many with each step that the payload is deeper.
    const UNBOUNDED: usize = usize::MAX;

    fn of(schema: &Value) -> Self {
        let mut extent = Self { parts: 0, has_alternatives: false };
        extent.add(schema, schema, 0);
        extent
    }

    fn add(&mut self, part: &Value, whole: &Value, depth: usize) {
        const MOST_PARTS: usize = 10_000;
        const MOST_DEPTH: usize = 200;
        if self.parts >= MOST_PARTS || depth > MOST_DEPTH {
            self.parts = Self::UNBOUNDED;
            return;
        }
        self.parts += 1;
        match part {
            Value::Array(items) => items.iter().for_each(|item| self.add(item, whole, depth + 1)),
            Value::Object(members) => {
                for (key, value) in members {
                    self.has_alternatives |= key == "anyOf" || key == "oneOf";
                    let target = match (key.as_str(), value) {
                        ("$ref", Value::String(target)) => {
                            target.strip_prefix('#').and_then(|pointer| whole.pointer(pointer))
                        }
                        // What is referred to from within is not to be found by its pointer.
                        ("$id", Value::String(_)) if depth > 0 => None,
                        ("$dynamicRef" | "$recursiveRef", _) => None,
                        _ => Some(value),
                    };
                    match target {
                        Some(target) => self.add(target, whole, depth + 1),
                        None => self.parts = Self::UNBOUNDED,
                    }
                }
            }
            _ => {}
        }
    }
}

fn problem(error: &ValidationError<'_>) -> Problem {
    use ValidationErrorKind as Kind;
    let detail = match error.kind() {
        Kind::AdditionalItems { .. } | Kind::UnevaluatedItems { .. } => "has items that it should not have",
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => "has members that it should not have",
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "is none of what it may be",
        Kind::OneOfMultipleValid { .. } => "is several of what it may be one of",
        Kind::Constant { .. } | Kind::Enum { .. } => "is not one of the values that it may have",
        Kind::Contains => "does not contain what it must",
        Kind::ContentEncoding { .. } | Kind::ContentMediaType { .. } | Kind::FromUtf8 { .. } => {
            "does not contain text of the right kind"
        }
        Kind::ExclusiveMaximum { .. } | Kind::Maximum { .. } => "is too large",
        Kind::ExclusiveMinimum { .. } | Kind::Minimum { .. } => "is too small",
        Kind::MaxItems { .. } | Kind::MaxProperties { .. } => "holds too many",
        Kind::MinItems { .. } | Kind::MinProperties { .. } => "holds too few",
        Kind::MaxLength { .. } => "is too long",
        Kind::MinLength { .. } => "is too short",
        Kind::MultipleOf { .. } => "is not a multiple of what it must be",
        Kind::Format { .. } => "is not of its format",
        Kind::Pattern { .. } => "does not match its pattern",
        Kind::PropertyNames { .. } => "has a member with a name that it should not have",
        Kind::Required { .. } => "lacks a member that it must have",
        Kind::Type { .. } => "is of the wrong type",
        Kind::UniqueItems => "holds an item more than once",
        _ => "does not match the schema",
    };
    Problem::new(error.instance_path().to_string(), detail)
}
