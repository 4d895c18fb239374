use super::{
    Algorithm, CheckedScheme, Encoding, Grammar, IntoScheme, Part, Repeats, Scheme, Signature, Source, Timestamp,
    TimestampFormat, Tolerance,
};
use crate::{ConfigError, key::SecretFormat};
use std::time::Duration;

/// A scheme put together at run time, from code or (feature `serde`) from a configuration file.
///
/// ```
/// use tower_webhook::scheme::SchemeBuilder;
///
/// let acme = SchemeBuilder::new("acme")
///     .signature("x-acme-signature")
///     .prefix("sha256=")
///     .timestamp("header:x-acme-timestamp")
///     .message("{timestamp}.{body}")
///     .build()?;
/// let verifier = acme.verifier("a secret shared with Acme")?;
///
/// // `1` + `23…` and `12` + `3…` would be signed alike:
/// let ambiguous = SchemeBuilder::new("acme").signature("x-acme-signature").message("{header:x-number}{body}").build();
/// assert!(ambiguous.is_err());
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// The same as TOML:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// let acme: tower_webhook::scheme::SchemeBuilder = toml::from_str(r#"
///     name = "acme"
///     signature = "x-acme-signature"
///     grammar = { prefix = "sha256=" }
///     timestamp = "header:x-acme-timestamp"
///     message = "{timestamp}.{body}"
/// "#)?;
/// let acme = acme.build()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Places are written `header:NAME`, `field:NAME` (beside the signature), `json:/pointer`, `query:NAME`, `form:NAME` or `body`.
/// Messages are text in which `{…}` stands for a part: `{method}`, `{url}`, `{path}`, `{target}` (path and query),
/// `{header:NAME}`, `{field:NAME}`, `{query:NAME}`, `{timestamp}`, `{id}`, `{body}`, `{body-sha256}`, `{json:/pointer}`, `{form:NAME}`, `{form}` (sorted, as
/// `name=value&name=value`), `{parameter:NAME}` and, for plain hashes, `{secret}`; `{{` and `}}` stand for the braces themselves.
/// The signature is in a header, or at another place, written as above.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(deny_unknown_fields))]
#[must_use]
pub struct SchemeBuilder {
    name: String,
    signature: String,
    #[cfg_attr(feature = "serde", serde(default))]
    grammar: GrammarBuilder,
    #[cfg_attr(feature = "serde", serde(default))]
    algorithm: Algorithm,
    #[cfg_attr(feature = "serde", serde(default))]
    encoding: Encoding,
    #[cfg_attr(feature = "serde", serde(default))]
    secret_format: SecretFormat,
    message: Option<String>,
    timestamp: Option<String>,
    #[cfg_attr(feature = "serde", serde(default))]
    timestamp_format: TimestampFormat,
    tolerance_secs: Option<u64>,
    id: Option<String>,
    #[cfg_attr(feature = "serde", serde(default))]
    id_extra: String,
    event: Option<String>,
    #[cfg_attr(feature = "serde", serde(default))]
    repeats: Repeats,
    methods: Option<Vec<String>>,
    max_body: Option<usize>,
    key_id: Option<String>,
}

/// How the signature header of a [`SchemeBuilder`] is written: as [`Grammar`], but owned.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(untagged, deny_unknown_fields))]
pub enum GrammarBuilder {
    /// `{ prefix = "sha256=" }`
    Prefixed {
        /// What comes before the signature.
        prefix: String,
    },
    /// `{ field = "v1", separator = "," }`
    Fields {
        /// The name of items that are signatures.
        field: String,
        /// Between items.
        separator: char,
    },
    /// `{ version = "v1," }`
    Versions {
        /// What signatures start with.
        version: String,
    },
    /// `{}`: the signature and nothing else.
    #[default]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "bare"))]
    Bare,
}

/// `{}` and nothing else; serde's untagged unit variant would want a null.
#[cfg(feature = "serde")]
fn bare<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    <Empty as serde::Deserialize>::deserialize(deserializer).map(|Empty {}| ())
}

impl SchemeBuilder {
    /// A scheme of this name: HMAC-SHA256 over the body, in lower-case hexadecimal digits.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            signature: String::new(),
            grammar: GrammarBuilder::Bare,
            algorithm: Algorithm::default(),
            encoding: Encoding::default(),
            secret_format: SecretFormat::default(),
            message: None,
            timestamp: None,
            timestamp_format: TimestampFormat::default(),
            tolerance_secs: None,
            id: None,
            id_extra: String::new(),
            event: None,
            repeats: Repeats::default(),
            methods: None,
            max_body: None,
            key_id: None,
        }
    }

    /// The header that holds the signature, or another place, such as `json:/signature`.
    pub fn signature(mut self, place: impl Into<String>) -> Self {
        self.signature = place.into();
        self
    }

    /// The signature comes after this text, such as `sha256=`.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.grammar(GrammarBuilder::Prefixed { prefix: prefix.into() })
    }

    /// How the signature header is written. The signature alone by default.
    pub fn grammar(mut self, grammar: GrammarBuilder) -> Self {
        self.grammar = grammar;
        self
    }

    /// What the signature is. HMAC-SHA256 by default.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// How the signature is written. Lower-case hexadecimal digits by default.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// How secrets are written. As text by default.
    pub fn secret_format(mut self, format: SecretFormat) -> Self {
        self.secret_format = format;
        self
    }

    /// What is signed, as a template. `{body}` by default; nothing for tokens.
    pub fn message(mut self, template: impl Into<String>) -> Self {
        self.message = Some(template.into());
        self
    }

    /// Where the signed time is. There is none by default.
    pub fn timestamp(mut self, place: impl Into<String>) -> Self {
        self.timestamp = Some(place.into());
        self
    }

    /// How the signed time is written. In seconds since 1970 by default.
    pub fn timestamp_format(mut self, format: TimestampFormat) -> Self {
        self.timestamp_format = format;
        self
    }

    /// How many seconds the signed time may lie from now, either way. 300 by default.
    pub fn tolerance_secs(mut self, secs: u64) -> Self {
        self.tolerance_secs = Some(secs);
        self
    }

    /// Where the delivery id is.
    pub fn id(mut self, place: impl Into<String>) -> Self {
        self.id = Some(place.into());
        self
    }

    /// Characters that an id may hold besides letters, digits, `_` and `-`.
    pub fn id_extra(mut self, characters: impl Into<String>) -> Self {
        self.id_extra = characters.into();
        self
    }

    /// Where the event type is.
    pub fn event(mut self, place: impl Into<String>) -> Self {
        self.event = Some(place.into());
        self
    }

    /// Whether genuine deliveries may have the same signed bytes. Never, by default.
    pub fn repeats(mut self, repeats: Repeats) -> Self {
        self.repeats = repeats;
        self
    }

    /// Methods that deliveries come with. `POST` by default.
    pub fn methods(mut self, methods: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.methods = Some(methods.into_iter().map(Into::into).collect());
        self
    }

    /// The largest body, in bytes. 1 MiB by default.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Where a request says which of several keys signed it.
    pub fn key_id(mut self, place: impl Into<String>) -> Self {
        self.key_id = Some(place.into());
        self
    }

    /// Checks the scheme.
    ///
    /// # Errors
    ///
    /// What is ambiguous, contradictory or not understood.
    pub fn build(&self) -> Result<CheckedScheme, ConfigError> {
        let message = match (&self.message, self.algorithm) {
            (Some(template), _) => self.parse_message(template)?,
            (None, Algorithm::Token | Algorithm::Basic) => Vec::new(),
            (None, _) => vec![Part::Body],
        };
        let methods: Option<Vec<&str>> =
            self.methods.as_ref().map(|methods| methods.iter().map(String::as_str).collect());
        let base = Scheme::HMAC_SHA256_HEX;
        Scheme {
            name: &self.name,
            algorithm: self.algorithm,
            secret_format: self.secret_format,
            signature: Signature {
                grammar: self.grammar.as_grammar(),
                ..Signature::at(parse_place(&self.signature).unwrap_or(Source::Header(&self.signature)))
            },
            encoding: self.encoding,
            message: &message,
            timestamp: self
                .timestamp
                .as_deref()
                .map(|text| parse_place(text).map(|source| Timestamp { source, format: self.timestamp_format }))
                .transpose()?,
            tolerance: self.tolerance_secs.map_or(base.tolerance, |secs| Tolerance::both(Duration::from_secs(secs))),
            id: self.id.as_deref().map(parse_place).transpose()?,
            id_extra: &self.id_extra,
            event: self.event.as_deref().map(parse_place).transpose()?,
            repeats: self.repeats,
            methods: methods.as_deref().unwrap_or(base.methods),
            max_body: self.max_body.unwrap_or(base.max_body),
            key_id: self.key_id.as_deref().map(parse_place).transpose()?,
            ..base
        }
        .into_checked()
    }

    fn parse_message<'t>(&self, template: &'t str) -> Result<Vec<Part<'t>>, ConfigError> {
        let refuse = |why: String| ConfigError::scheme(&self.name, why);
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            if at > 0 {
                parts.push(Part::Text(&rest[..at]));
            }
            let (brace, after) = (&rest[at..at + 1], &rest[at + 1..]);
            if after.starts_with(brace) {
                parts.push(Part::Text(brace));
                rest = &after[1..];
                continue;
            }
            let (name, after) = after
                .split_once('}')
                .filter(|_| brace == "{")
                .ok_or_else(|| refuse(format!("a single `{brace}` in `{template}` (write `{brace}{brace}`)")))?;
            parts.push(match name.split_once(':') {
                Some(("header", name)) => Part::Header(name),
                Some(("json", pointer)) => Part::Json(pointer),
                Some(("field", name)) => Part::Field(name),
                Some(("query", name)) => Part::Query(name),
                Some(("form", name)) => Part::Form(name),
                Some(("parameter", name)) => Part::Parameter(name),
                _ => match name {
                    "secret" => Part::Secret,
                    "method" => Part::Method,
                    "url" => Part::Url,
                    "path" => Part::Path,
                    "target" => Part::Target,
                    "timestamp" => Part::Timestamp,
                    "id" => Part::Id,
                    "body" => Part::Body,
                    "body-sha256" => Part::BodySha256,
                    "form" => Part::SortedForm { between: "=", after: "&" },
                    _ => return Err(refuse(format!("unknown part `{{{name}}}` in `{template}`"))),
                },
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest));
        }
        Ok(parts)
    }
}

impl GrammarBuilder {
    fn as_grammar(&self) -> Grammar<'_> {
        match self {
            Self::Bare => Grammar::Bare,
            Self::Prefixed { prefix } => Grammar::Prefixed(prefix),
            Self::Fields { field, separator } => Grammar::Fields { separator: *separator, name: field },
            Self::Versions { version } => Grammar::Versions { prefix: version },
        }
    }
}

fn parse_place(text: &str) -> Result<Source<'_>, ConfigError> {
    match text.split_once(':') {
        Some(("header", name)) => Ok(Source::Header(name)),
        Some(("field", name)) => Ok(Source::Field(name)),
        Some(("json", pointer)) => Ok(Source::Json(pointer)),
        Some(("query", name)) => Ok(Source::Query(name)),
        Some(("form", name)) => Ok(Source::Form(name)),
        None if text == "body" => Ok(Source::Body),
        _ => Err(ConfigError::invalid(
            "place",
            text,
            "write `header:NAME`, `field:NAME`, `json:/pointer`, `query:NAME`, `form:NAME` or `body`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        scheme::{Head, Outgoing},
    };

    fn refusal(builder: SchemeBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn a_scheme_from_text_signs_and_verifies() {
        let scheme = SchemeBuilder::new("acme")
            .signature("x-sig")
            .grammar(GrammarBuilder::Fields { field: "s".into(), separator: ';' })
            .algorithm(Algorithm::HmacSha512)
            .encoding(Encoding::Base64Url)
            .timestamp("field:ts")
            .timestamp_format(TimestampFormat::UnixMillis)
            .id("header:x-id")
            .event("json:/kind")
            .message("{{{method}}} {target} {id}|{timestamp}|{header:x-tenant}|{body-sha256}")
            .methods(["PUT"])
            .build()
            .unwrap();
        let now = UnixTime::from_millis(1_800_000_000_123);
        let body = br#"{"kind":"tick"}"#;
        let tenant = http::HeaderMap::from_iter([(http::HeaderName::from_static("x-tenant"), "t-1".parse().unwrap())]);
        let request = Outgoing {
            method: &http::Method::PUT,
            id: Some("i-1"),
            headers: Some(&tenant),
            now,
            ..Outgoing::post("https://a.example/hook?x=1", body)
        };
        let mut headers = scheme.signer("secret").unwrap().sign(&request).unwrap();
        headers.extend(tenant.clone());
        let uri = "/hook?x=1".parse().unwrap();
        let head = Head { method: &http::Method::PUT, uri: &uri, headers: &headers };
        let delivery = scheme.verifier("secret").unwrap().verify(head, &body.as_slice().into(), now).unwrap();
        assert_eq!((delivery.id(), delivery.event()), (Some("i-1"), Some("tick")));
        assert!(delivery.id_is_signed() && delivery.event_is_signed());
    }

    #[test]
    fn signatures_may_be_elsewhere_and_cover_forms_queries_and_parameters() {
        let scheme = SchemeBuilder::new("acme")
            .signature("query:sig")
            .message("{query:v}|{parameter:shop}|{form:total}")
            .build()
            .unwrap();
        let keys = crate::key::Secret::text("secret").unwrap();
        let verifier = super::super::Verifier::builder(&scheme).parameter("shop", "s-1").build(keys).unwrap();
        // printf '2|s-1|9.50' | openssl dgst -sha256 -hmac secret
        let signature = "cf2dffc78105553fb5f8439350f9aa07d5bc5483506d10131f5ccf47cbaac274";
        let uri = format!("/hook?v=2&sig={signature}").parse().unwrap();
        let headers = http::HeaderMap::new();
        let head = Head { method: &http::Method::POST, uri: &uri, headers: &headers };
        let judge = |body: &'static str| verifier.verify(head, &body.into(), UnixTime::from_secs(1_800_000_000));
        assert!(judge("total=9.50&note=any").is_ok());
        assert!(judge("total=9.51").is_err());
        assert!(judge("total=9.50&total=9.50").is_err());
        let missing = scheme.verifier("secret").unwrap_err();
        assert!(matches!(missing, ConfigError::MissingParameter { .. }), "{missing}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let base = || SchemeBuilder::new("acme").signature("x-sig");
        for (builder, words) in [
            (SchemeBuilder::new("").signature("x-sig"), "needs a name"),
            (SchemeBuilder::new("acme"), "not a valid header name"),
            (base().message("{header:a}{body}"), "keeps the header `a` and the body apart"),
            (base().message("{id}.{body}"), "nothing says where it is"),
            (base().message("{timestamp}.{body}"), "nothing says where it is"),
            (base().timestamp("header:x-ts"), "not signed"),
            (base().timestamp("field:t").message("{timestamp}.{body}"), "only if the signature is one"),
            (base().timestamp("x-ts"), "write `header:NAME`"),
            (base().timestamp("header:X-Sig").message("{timestamp}.{body}"), "cannot be two of"),
            (base().id("header:x-sig").message("{id}.{body}"), "cannot be two of"),
            (base().message("{header:x-sig}.{body}"), "cannot be two of"),
            (base().id("header:x-a").timestamp("header:X-A").message("{id}.{timestamp}.{body}"), "cannot be two of"),
            (base().message("{timestamp"), "single `{`"),
            (base().message("body}"), "single `}`"),
            (base().message("{nonsense}"), "unknown part"),
            (base().message("constant"), "nothing of the body is signed"),
            (base().message("{json:id}"), "must start with `/`"),
            (base().prefix(""), "empty prefix"),
            (base().methods(["BAD METHOD"]), "not a valid method"),
            (base().methods(Vec::<String>::new()), "at least one method"),
            (base().algorithm(Algorithm::Token).message("{body}"), "must be empty"),
            (base().timestamp("header:t").message("{timestamp}.{body}").tolerance_secs(u64::MAX), "more than a year"),
        ] {
            let said = refusal(builder);
            assert!(said.contains(words), "{said}");
        }
    }
}
