//! The file: what may stand in it, and what is said if something else does.

use std::{
    collections::{BTreeMap, HashMap},
    env, fmt, fs,
    net::SocketAddr,
    sync::OnceLock,
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use toml::Table;
use tower_webhook::{
    ConfigError, ForwardingHeader, TrustedProxies,
    clock::UnixTime,
    handshake::{self, Needs},
    key::RemoteKeys,
    layer::{AllowEventsLayer, HandshakeLayer, Sources, ValidatePayloadLayer},
    provider,
    scheme::{CheckedScheme, IntoScheme, SchemeBuilder, Tolerance, Verifier, VerifierBuilder},
    store::{Quota, RedisConnection},
};

pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where metrics and the status page are, if anywhere.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) endpoints: Vec<Endpoint>,
}

pub(crate) struct Endpoint {
    /// Its place in the file, for messages about it.
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) verifier: Verifier,
    pub(crate) max_body: Option<usize>,
    /// A clock that stands still.
    pub(crate) now: Option<UnixTime>,
    pub(crate) replay: Replay,
    pub(crate) retention: Option<Duration>,
    pub(crate) report_only: bool,
    pub(crate) handshakes: HandshakeLayer,
    pub(crate) allow_events: Option<AllowEventsLayer>,
    pub(crate) schema: Option<ValidatePayloadLayer>,
    pub(crate) require_https: bool,
    pub(crate) allow_sources: Option<Sources>,
    pub(crate) rate_limit: Option<Limit>,
    pub(crate) proxies: Option<TrustedProxies>,
    pub(crate) handler: HandlerSettings,
}

/// Where deliveries are remembered.
pub(crate) enum Replay {
    Memory,
    Redis(RedisConnection),
    Off,
}

pub(crate) struct Limit {
    pub(crate) quota: Quota,
    pub(crate) key: LimitKey,
    pub(crate) charge: LimitCharge,
    /// In memory otherwise.
    pub(crate) redis: Option<RedisConnection>,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LimitKey {
    #[default]
    Address,
    Sender,
}

/// Which requests count.
#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LimitCharge {
    #[default]
    All,
    Failures,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HandlerSettings {
    pub(crate) status: u16,
    pub(crate) fail_first: u32,
    pub(crate) delay_ms: u64,
}

impl Default for HandlerSettings {
    fn default() -> Self {
        Self { status: 200, fail_first: 0, delay_ms: 0 }
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: String,
    admin: Option<String>,
    #[serde(default)]
    endpoint: Vec<Table>,
}

/// An `[[endpoint]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: String,
    provider: Option<String>,
    scheme: Option<SchemeBuilder>,
    keys: Keys,
    #[serde(default)]
    key_ids: Vec<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    public_origin: Option<String>,
    public_url: Option<String>,
    max_body: Option<usize>,
    tolerance_secs: Option<u64>,
    now: Option<u64>,
    #[serde(default = "in_memory")]
    replay: String,
    retention_secs: Option<u64>,
    #[serde(default)]
    report_only: bool,
    #[serde(default = "yes")]
    handshake: bool,
    #[serde(default)]
    verify_tokens: Vec<String>,
    allow_events: Option<Vec<String>>,
    schema: Option<String>,
    #[serde(default)]
    require_https: bool,
    allow_sources: Option<Vec<String>>,
    rate_limit: Option<RateLimit>,
    trusted_proxies: Option<Proxies>,
    forwarded: Option<Forwarded>,
    #[serde(default)]
    handler: HandlerSettings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateLimit {
    per_minute: u32,
    burst: Option<u32>,
    #[serde(default)]
    key: LimitKey,
    #[serde(default)]
    charge: LimitCharge,
    #[serde(default = "in_memory")]
    store: String,
}

fn yes() -> bool {
    true
}

fn in_memory() -> String {
    "memory".to_owned()
}

/// The networks of the proxies, or their number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a list of networks, in square brackets, or a number of proxies")]
enum Proxies {
    Networks(Vec<String>),
    Hops(usize),
}

/// The header that the proxies write.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Forwarded {
    Forwarded,
    XForwardedFor,
}

impl Config {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let file: Table = text.parse().map_err(|error| Problem::of_syntax(&error, text))?;
        let File { listen, admin, endpoint } = read(file)?;
        let listen: SocketAddr = listen
            .parse()
            .map_err(|_| Problem::with("listen", "not an address and port, such as `127.0.0.1:8080` or `[::1]:0`"))?;
        let admin = admin.map(|admin| admin.parse()).transpose();
        let admin: Option<SocketAddr> =
            admin.map_err(|_| Problem::with("admin", "not an address and port, such as `127.0.0.1:9090`"))?;
        if admin.is_some_and(|admin| admin == listen && admin.port() != 0) {
            return Err(Problem::with(
                "admin",
                "the same as `listen`, which is for strangers: give it a port of its own",
            ));
        }
        if endpoint.is_empty() {
            return Err(Problem::new("nothing to receive: add an `[[endpoint]]` with `path`, `provider` and `keys`"));
        }
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut servers = Servers::default();
        for (index, table) in endpoint.into_iter().enumerate() {
            let name = match table.get("path").and_then(toml::Value::as_str) {
                Some(path) => format!("endpoint {} ({path})", index + 1),
                None => format!("endpoint {}", index + 1),
            };
            let endpoint = read(table).and_then(|settings| Endpoint::new(name.clone(), settings, &mut servers));
            let endpoint = endpoint.map_err(|problem| problem.at(&name))?;
            if let Some(earlier) = endpoints.iter().find(|earlier| earlier.path == endpoint.path) {
                let why = format!("already that of {}: give each endpoint its own", earlier.name);
                return Err(Problem::with("path", why).at(&name));
            }
            endpoints.push(endpoint);
        }
        Ok(Self { listen, admin, endpoints })
    }
}

impl Endpoint {
    fn new(name: String, settings: Settings, servers: &mut Servers) -> Result<Self, Problem> {
        settings.check()?;
        let replay = match &*settings.replay {
            "off" => Replay::Off,
            store => servers
                .find("replay", "`memory` or `off`", store, &settings.path)?
                .map_or(Replay::Memory, Replay::Redis),
        };
        let rate_limit = match &settings.rate_limit {
            None => None,
            Some(limit) => Some(Limit {
                quota: limit.quota()?,
                key: limit.key,
                charge: limit.charge,
                redis: servers.find("rate_limit.store", "`memory`", &limit.store, &settings.path)?,
            }),
        };
        let proxies = settings.proxies()?;
        let handshakes = settings.handshakes()?;
        let events = settings.allow_events.as_ref().map(AllowEventsLayer::new).transpose();
        let allow_events = events.map_err(|error| Problem::with("allow_events", error))?;
        let schema = settings.schema()?;
        let sources = settings.allow_sources.as_ref().map(Sources::networks).transpose();
        let allow_sources = sources.map_err(|error| Problem::with("allow_sources", error))?;
        let verifier = settings.verifier()?;
        settings.check_retention(&verifier)?;
        Ok(Self {
            name,
            verifier,
            path: settings.path,
            max_body: settings.max_body,
            now: settings.now.map(UnixTime::from_secs),
            replay,
            retention: settings.retention_secs.map(Duration::from_secs),
            report_only: settings.report_only,
            handshakes,
            allow_events,
            schema,
            require_https: settings.require_https,
            allow_sources,
            rate_limit,
            proxies,
            handler: settings.handler,
        })
    }
}

impl Endpoint {
    /// The server that it remembers deliveries in, or else its limit.
    pub(crate) fn server(&self) -> Option<RedisConnection> {
        let replay = match &self.replay {
            Replay::Redis(redis) => Some(redis.clone()),
            Replay::Memory | Replay::Off => None,
        };
        let rates = self.rate_limit.as_ref().and_then(|limit| limit.redis.clone());
        replay.or(rates)
    }
}

impl Settings {
    /// What makes no sense by itself, or beside something else.
    fn check(&self) -> Result<(), Problem> {
        let is_path = |byte: u8| byte.is_ascii_graphic() && !b"{}?#".contains(&byte);
        let refusals = [
            (
                !self.path.starts_with('/') || !self.path.bytes().all(is_path),
                "path",
                "must start with `/`, and hold neither blanks nor any of `{}?#`",
            ),
            (
                self.public_origin.is_some() && self.public_url.is_some(),
                "public_url",
                "contradicts `public_origin`: keep one of them",
            ),
            (
                self.max_body == Some(0),
                "max_body",
                "would refuse every body: leave it out for the provider's own limit",
            ),
            (
                self.retention_secs.is_some() && self.replay == "off",
                "retention_secs",
                "says how long to remember deliveries, but `replay = \"off\"` remembers none: leave one of them out",
            ),
            (
                self.trusted_proxies.is_some() && !self.looks_at_clients(),
                "trusted_proxies",
                "says who is in front, which only `require_https`, `allow_sources` and a `rate_limit` by address ask: \
                 add one, or leave it out",
            ),
            (
                self.require_https && self.trusted_proxies.is_none(),
                "require_https",
                "would refuse every request, as this server speaks no TLS itself: name the `trusted_proxies` that do",
            ),
            (
                self.rate_limit
                    .as_ref()
                    .is_some_and(|limit| limit.key == LimitKey::Sender && limit.charge == LimitCharge::Failures),
                "rate_limit.charge",
                "a verified sender's requests are no failures: count them all, or those of an address",
            ),
            (
                self.report_only && self.acts_on_deliveries(),
                "report_only",
                "proves nothing, so nothing can act on deliveries: leave out `retention_secs`, `allow_events`, `schema`, \
                 `verify_tokens`, a `replay` in Redis and a `rate_limit` by sender or of failures",
            ),
            (
                !(200..600).contains(&self.handler.status),
                "handler.status",
                "not a status to answer with: choose one from 200 to 599",
            ),
        ];
        match refusals.into_iter().find(|(is_refused, ..)| *is_refused) {
            Some((_, setting, why)) => Err(Problem::with(setting, why)),
            None => Ok(()),
        }
    }

    fn acts_on_deliveries(&self) -> bool {
        let limits_deliveries =
            |limit: &RateLimit| limit.key == LimitKey::Sender || limit.charge == LimitCharge::Failures;
        self.retention_secs.is_some()
            || self.allow_events.is_some()
            || self.schema.is_some()
            || !self.verify_tokens.is_empty()
            || !matches!(&*self.replay, "memory" | "off")
            || self.rate_limit.as_ref().is_some_and(limits_deliveries)
    }

    fn looks_at_clients(&self) -> bool {
        let limits_addresses = self.rate_limit.as_ref().is_some_and(|limit| limit.key == LimitKey::Address);
        self.require_https || self.allow_sources.is_some() || limits_addresses
    }

    fn check_retention(&self, verifier: &Verifier) -> Result<(), Problem> {
        let window = verifier.tolerance().map(|Tolerance { past, future }| past.saturating_add(future).as_secs());
        let needed = window.unwrap_or_default().max(1);
        match self.retention_secs {
            Some(given) if given < needed => {
                let why =
                    format!("too short, since the same delivery is accepted for longer: {needed} or more is needed");
                Err(Problem::with("retention_secs", why))
            }
            _ => Ok(()),
        }
    }

    fn proxies(&self) -> Result<Option<TrustedProxies>, Problem> {
        let (proxies, header) = match (&self.trusted_proxies, self.forwarded) {
            (None, None) => return Ok(None),
            (Some(proxies), Some(header)) => (proxies, header.into()),
            (Some(_), None) => {
                let why = "missing: name the header that your proxies write, \"x-forwarded-for\" or \"forwarded\"; \
                           the other one may come from anyone";
                return Err(Problem::with("forwarded", why));
            }
            (None, Some(_)) => {
                let why = "missing: say who writes the header that `forwarded` names, such as [\"10.0.0.0/8\"]";
                return Err(Problem::with("trusted_proxies", why));
            }
        };
        let proxies = match proxies {
            Proxies::Networks(networks) => TrustedProxies::networks(networks, header),
            Proxies::Hops(hops) => TrustedProxies::hops(*hops, header),
        };
        proxies.map(Some).map_err(|error| Problem::with("trusted_proxies", error))
    }

    /// Those of the provider, as far as is known what they need.
    fn handshakes(&self) -> Result<HandshakeLayer, Problem> {
        let provider = self.provider.as_deref().filter(|_| self.handshake).unwrap_or_default();
        let secret = match &self.keys {
            Keys::Written(keys) => keys.first().map(|key| resolve("keys", key)).transpose()?,
            Keys::Fetched => None,
        };
        let refuse = |error: ConfigError| Problem::with("handshake", error);
        let mut layer = HandshakeLayer::for_provider(provider, secret.as_deref()).map_err(refuse)?;
        let tokens = self.verify_tokens.iter().map(|token| resolve("verify_tokens", token));
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let mut are_needed = false;
        for handshake in handshake::of(provider).filter(|handshake| matches!(handshake.needs, Needs::VerifyToken(_))) {
            are_needed = true;
            if !tokens.is_empty() {
                layer = layer.answer_with(handshake, &tokens).map_err(|error| Problem::with("verify_tokens", error))?;
            }
        }
        if !are_needed && !tokens.is_empty() {
            return Err(Problem::with("verify_tokens", "no handshake here asks for any: leave them out"));
        }
        Ok(layer)
    }

    fn schema(&self) -> Result<Option<ValidatePayloadLayer>, Problem> {
        let Some(path) = &self.schema else { return Ok(None) };
        let text = fs::read_to_string(path)
            .map_err(|error| Problem::with("schema", format!("`{path}` cannot be read: {error}")))?;
        let layer = ValidatePayloadLayer::builder().schema(&text).build();
        layer.map(Some).map_err(|error| Problem::with("schema", error))
    }

    fn verifier(&self) -> Result<Verifier, Problem> {
        let mut builder = Verifier::builder(self.scheme()?);
        if let Some(origin) = &self.public_origin {
            builder = builder.public_origin(&**origin);
        }
        if let Some(url) = &self.public_url {
            builder = builder.public_url(&**url);
        }
        if let Some(secs) = self.tolerance_secs {
            builder = builder.tolerance(Duration::from_secs(secs));
        }
        for (name, value) in &self.parameters {
            builder = builder.parameter(name, value.as_str());
        }
        self.build(builder)?.map_err(|error| match error {
            ConfigError::MissingParameter { name, .. } => {
                let why = format!("needs `{name}`, which only you can know: parameters = {{ {name} = \"…\" }}");
                Problem::with("parameters", why)
            }
            ConfigError::MissingPublicUrl { scheme } => {
                let why = format!(
                    "missing, and `{scheme}` signs the URL: say what your server is reached under, such as \
                     \"https://hooks.example.com\", or the whole URL in `public_url`"
                );
                Problem::with("public_origin", why)
            }
            ConfigError::Scheme { .. } | ConfigError::InvalidValue { what: "tolerance", .. } => {
                Problem::with("tolerance_secs", error.to_string())
            }
            ConfigError::InvalidValue { what: "public origin", .. } => {
                Problem::with("public_origin", error.to_string())
            }
            ConfigError::InvalidValue { what: "public URL", .. } => Problem::with("public_url", error.to_string()),
            error => Problem::with("keys", error.to_string()),
        })
    }

    fn build(&self, builder: VerifierBuilder) -> Result<Result<Verifier, ConfigError>, Problem> {
        let Keys::Written(keys) = &self.keys else { return Ok(builder.build(remote_keys()?)) };
        let keys = keys.iter().map(|key| resolve("keys", key)).collect::<Result<Vec<_>, _>>()?;
        if self.key_ids.is_empty() {
            return Ok(builder.build(keys));
        }
        if self.key_ids.len() != keys.len() {
            return Err(Problem::with("key_ids", "must name each of the `keys`, in their order"));
        }
        let named: Vec<(&str, String)> = self.key_ids.iter().map(String::as_str).zip(keys).collect();
        Ok(builder.build(named))
    }

    fn scheme(&self) -> Result<CheckedScheme, Problem> {
        let (setting, scheme) = match (&self.provider, &self.scheme) {
            (Some(_), Some(_)) => {
                return Err(Problem::with("scheme", "contradicts `provider`: keep one of them"));
            }
            (None, None) => {
                return Err(Problem::with(
                    "provider",
                    "missing: name one of the catalogue, or describe an `[endpoint.scheme]`",
                ));
            }
            (Some(name), None) => ("provider", provider::find(name).and_then(IntoScheme::into_checked)),
            (None, Some(scheme)) => ("scheme", scheme.build()),
        };
        scheme.map_err(|error| match error {
            ConfigError::UnknownProvider { .. } => {
                let known: Vec<&str> = provider::ALL.iter().map(|scheme| scheme.name).collect();
                Problem::with(setting, format!("{error}, which has {}", known.join(", ")))
            }
            error => Problem::with(setting, error.to_string()),
        })
    }
}

impl RateLimit {
    fn quota(&self) -> Result<Quota, Problem> {
        if self.per_minute == 0 || self.burst == Some(0) {
            return Err(Problem::with("rate_limit", "would let nothing through: both numbers must be at least 1"));
        }
        let quota = Quota::per_minute(self.per_minute);
        Ok(self.burst.map_or(quota, |burst| quota.allow_burst(burst)))
    }
}

impl From<Forwarded> for ForwardingHeader {
    fn from(header: Forwarded) -> Self {
        match header {
            Forwarded::Forwarded => Self::Forwarded,
            Forwarded::XForwardedFor => Self::XForwardedFor,
        }
    }
}

/// Servers by their URL: endpoints share the connection to one.
#[derive(Default)]
struct Servers(HashMap<String, RedisConnection>);

impl Servers {
    /// The endpoint's part of the server of this URL; none for `memory`.
    fn find(
        &mut self,
        setting: &str,
        words: &str,
        store: &str,
        path: &str,
    ) -> Result<Option<RedisConnection>, Problem> {
        const URLS: [&str; 5] = ["redis:", "rediss:", "redis+unix:", "env:", "file:"];
        if store == "memory" {
            return Ok(None);
        }
        if !URLS.iter().any(|start| store.starts_with(start)) {
            let why = format!("must be {words}, or the URL of a Redis server, such as `redis://localhost:6379`");
            return Err(Problem::with(setting, why));
        }
        let url = resolve(setting, store)?;
        let redis = match self.0.get(url.trim()) {
            Some(redis) => redis.clone(),
            None => RedisConnection::open(url.trim()).map_err(|error| Problem::with(setting, error.to_string()))?,
        };
        self.0.insert(url.trim().to_owned(), redis.clone());
        // Endpoints of the same path are the same endpoint, also in another process.
        Ok(Some(redis.prefix(format!("receiver:{path}"))))
    }
}

/// The keys themselves, or the word that they are to be fetched.
enum Keys {
    Written(Vec<String>),
    Fetched,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, in square brackets, or the word \"fetch\"")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Keys, E> {
                match word {
                    "fetch" => Ok(Keys::Fetched),
                    word => Err(E::invalid_type(serde::de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, list: A) -> Result<Keys, A::Error> {
                Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(list)).map(Keys::Written)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// All endpoints share what was fetched.
fn remote_keys() -> Result<RemoteKeys, Problem> {
    static KEYS: OnceLock<RemoteKeys> = OnceLock::new();
    if KEYS.get().is_none() {
        let keys = RemoteKeys::https().map_err(|error| Problem::with("keys", error.to_string()))?;
        drop(KEYS.set(keys));
    }
    KEYS.get().cloned().ok_or_else(|| Problem::with("keys", "cannot be fetched"))
}

/// The value itself, or what the environment or a file has under its name.
fn resolve(setting: &str, value: &str) -> Result<String, Problem> {
    if let Some(path) = value.strip_prefix("file:") {
        let text = fs::read_to_string(path);
        return text.map_err(|error| Problem::with(setting, format!("the file `{path}` cannot be read: {error}")));
    }
    let Some(name) = value.strip_prefix("env:") else { return Ok(value.to_owned()) };
    env::var(name).map_err(|error| {
        let why = match error {
            env::VarError::NotPresent => "is not set",
            env::VarError::NotUnicode(_) => "is not UTF-8",
        };
        Problem::with(setting, format!("the environment variable `{name}` {why}"))
    })
}

fn read<T: DeserializeOwned>(table: Table) -> Result<T, Problem> {
    table.try_into().map_err(|error| Problem::of_types(&error))
}

/// What is wrong with the file. Says where and how to mend it, and quotes no value, which may be a secret.
#[derive(Debug)]
pub(crate) struct Problem(String);

impl Problem {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    pub(crate) fn with(setting: &str, why: impl fmt::Display) -> Self {
        Self(format!("`{setting}`: {why}"))
    }

    pub(crate) fn at(self, endpoint: &str) -> Self {
        Self(format!("{endpoint}, {}", self.0))
    }

    /// The parser's message without the line that it is about.
    fn of_syntax(error: &toml::de::Error, text: &str) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Self(format!("line {line}: not TOML: {}", error.message()))
    }

    /// What was expected, and where, without what was found.
    fn of_types(error: &toml::de::Error) -> Self {
        let text = error.to_string();
        let (message, setting) = match text.trim_end().rsplit_once("\nin `") {
            Some((message, setting)) => (message, setting.trim_end_matches('`')),
            None => (text.trim_end(), ""),
        };
        let why = match message.rsplit_once(", expected ") {
            Some((_, expected)) if !message.starts_with("unknown field") => match expected {
                "a sequence" => "expected a list, in square brackets".to_owned(),
                "u16" | "u32" | "u64" | "usize" => {
                    format!("expected a whole number, not negative, that fits in {expected}")
                }
                _ => format!("expected {expected}"),
            },
            _ => message.to_owned(),
        };
        if setting.is_empty() { Self(why) } else { Self::with(setting, why) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
