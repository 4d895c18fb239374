//! Stores that several processes share, in Redis or Valkey.

mod breaker;
mod check;
mod nonces;
mod rates;
mod script;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use ::redis::{
    Client, FromRedisValue, RedisError, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
#[cfg(feature = "redis-tls")]
use ::redis::{IntoConnectionInfo, TlsCertificates};
use arc_swap::ArcSwapOption;
use tokio::{runtime::Handle, time::timeout};

use self::{breaker::Breaker, script::Script};
pub use self::{check::RedisProblem, nonces::RedisNonceStore, rates::RedisRateStore};
use super::{RateKey, ReplayKey, StoreError};
use crate::{
    ConfigError,
    observe::{Reading, Watched},
};

/// A connection to a Redis or Valkey server, for [`RedisNonceStore`] and [`RedisRateStore`].
///
/// It is made when it is first needed and again after each failure. A server that does not answer within the
/// [timeout](Self::timeout) counts as unavailable; after five failures on end nobody waits for it any more, and once a second one request tries
/// whether it is back. Each question is one script, so it is atomic. Redirections are not followed: speak to a cluster through a proxy that does.
///
/// Clones share the connection, also under different prefixes and timeouts. It belongs to the Tokio runtime that first used it. Outside of a runtime,
/// stores answer that they are unavailable.
///
/// What the server must be like: Redis 6 or Valkey, with a `maxmemory-policy` of `noeviction`. Under another policy it may forget deliveries
/// to make room, and their replays are handled: [`check`](Self::check) tells. What the server promises itself is all that can be promised: a replica
/// that takes over without the last writes, or a restart without `appendonly`, forgets as well. Times are measured by the server's clock.
///
/// ```no_run
/// use std::time::Duration;
/// use tower_webhook::store::{RedisConnection, RedisNonceStore, RedisRateStore};
///
/// let redis = RedisConnection::open("redis://user:password@redis.internal:6379/0")?
///     .prefix("hooks")
///     .timeout(Duration::from_millis(250))?;
/// let nonces = RedisNonceStore::new(redis.clone());
/// let rates = RedisRateStore::new(redis);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RedisConnection {
    shared: Arc<Shared>,
    prefix: Arc<str>,
    timeout: Duration,
}

/// A question to the server.
type Asked<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

impl RedisConnection {
    /// What all keys begin with, unless said otherwise.
    pub const DEFAULT_PREFIX: &str = "tower-webhook";

    /// How long the server may take for an answer, unless said otherwise: the most hurried providers hang up after three seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);

    /// A connection to the server of this URL: `redis://[user][:password@]host[:port][/database]`, `redis+unix:///path`, or, with the feature
    /// `redis-tls`, `rediss://…`; `valkey` says the same as `redis`. Does not connect yet. For TLS, AWS-LC becomes rustls' cryptography if the
    /// process has chosen none.
    ///
    /// # Errors
    ///
    /// If that is no such URL, which is not repeated, as it may hold a password; [`ConfigError::MissingFeature`] for TLS without its feature.
    pub fn open(url: &str) -> Result<Self, ConfigError> {
        if is_tls(url) && !cfg!(feature = "redis-tls") {
            return Err(ConfigError::MissingFeature { what: "a `rediss://` URL".to_owned(), feature: "redis-tls" });
        }
        #[cfg(feature = "redis-tls")]
        if is_tls(url) {
            choose_cryptography();
        }
        Client::open(url).map(Self::with_client).map_err(|_| not_a_url())
    }

    /// A connection over TLS to a server whose certificate one of these authorities vouches for, in PEM, and nobody else.
    ///
    /// ```no_run
    /// use tower_webhook::store::RedisConnection;
    ///
    /// let authority = std::fs::read_to_string("/etc/redis/authority.pem")?;
    /// let redis = RedisConnection::open_trusting("rediss://redis.internal", &authority)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), or if the URL does not begin with `rediss://`, or there is no authority's certificate.
    #[cfg(feature = "redis-tls")]
    pub fn open_trusting(url: &str, authorities: &str) -> Result<Self, ConfigError> {
        if !is_tls(url) {
            return Err(ConfigError::invalid(
                "Redis URL",
                "…",
                "must begin with `rediss://` where authorities are named",
            ));
        }
        let not_authorities = || ConfigError::invalid("Redis authorities", "…", "must be certificates in PEM");
        if !authorities.contains("-----BEGIN CERTIFICATE-----") {
            return Err(not_authorities());
        }
        choose_cryptography();
        let connection = url.into_connection_info().map_err(|_| not_a_url())?;
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(authorities.into()) };
        Client::build_with_tls(connection, certificates).map(Self::with_client).map_err(|_| not_authorities())
    }

    fn with_client(client: Client) -> Self {
        let shared = Shared { client, manager: ArcSwapOption::empty(), breaker: Breaker::default() };
        Self { shared: Arc::new(shared), prefix: Self::DEFAULT_PREFIX.into(), timeout: Self::DEFAULT_TIMEOUT }
    }

    /// What all keys begin with. [`DEFAULT_PREFIX`](Self::DEFAULT_PREFIX) by default; applications that share a server each need their own.
    ///
    /// In a cluster, keys are spread over all slots, unless the prefix is a hash tag of its own: with `{hooks}` all lie in one, which
    /// [`LimitingNonceStore`](super::LimitingNonceStore) needs there.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long the server may take for an answer, connecting included. [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT) by default.
    ///
    /// # Errors
    ///
    /// If it is zero: then no answer would ever be in time.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        if timeout.is_zero() {
            return Err(ConfigError::invalid("Redis timeout", "0", "no answer would ever be in time"));
        }
        self.timeout = timeout;
        Ok(self)
    }

    fn nonce_key(&self, key: ReplayKey) -> String {
        self.key("nonce", key.short())
    }

    fn rate_key(&self, key: RateKey) -> String {
        self.key("rate", key.as_u128())
    }

    /// Hash-tagged, so that what may once belong to it lies in the same slot of a cluster. A tag in the prefix comes first, and then it counts.
    fn key(&self, kind: &str, digest: u128) -> String {
        format!("{}:{kind}:{{{digest:032x}}}", self.prefix)
    }

    /// Runs a script about these keys, and reads its answer.
    fn run<A: FromRedisValue + Send + 'static, T: 'static>(
        &self,
        script: &'static Script,
        keys: Vec<String>,
        arguments: Vec<String>,
        read: fn(A) -> Result<T, StoreError>,
    ) -> Asked<T> {
        let (shared, patience) = (Arc::clone(&self.shared), self.timeout);
        Box::pin(async move {
            // Reservations may be dropped anywhere, but timers and sockets panic outside of a runtime.
            if Handle::try_current().is_err() {
                return Err(StoreError::Unavailable);
            }
            if !shared.breaker.admits(patience) {
                return Err(StoreError::Unavailable);
            }
            let manager = shared.manager()?;
            let failed = || {
                shared.breaker.failed();
                shared.leave(&manager);
                StoreError::Unavailable
            };
            match timeout(patience, ask(&manager, script, &keys, &arguments)).await {
                Ok(Ok(answer)) => {
                    let answer = read(answer).map_err(|_| failed())?;
                    shared.breaker.succeeded();
                    Ok(answer)
                }
                Ok(Err(error)) if says(&error, "OOM") => {
                    shared.breaker.succeeded();
                    Err(StoreError::Full)
                }
                // Somebody else wrote under one key: the others are well.
                Ok(Err(error)) if says(&error, "WRONGTYPE") => {
                    shared.breaker.succeeded();
                    Err(StoreError::Unavailable)
                }
                Ok(Err(_)) | Err(_) => Err(failed()),
            }
        })
    }
}

impl Watched for RedisConnection {
    fn reading(&self) -> Reading {
        Reading::of_availability(!self.shared.breaker.is_open())
    }
}

/// Neither URL nor password.
impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnection")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What clones have in common.
struct Shared {
    client: Client,
    /// None before the first question, and after one that failed.
    manager: ArcSwapOption<ConnectionManager>,
    breaker: Breaker,
}

impl Shared {
    fn manager(&self) -> Result<Arc<ConnectionManager>, StoreError> {
        let current = self.manager.load();
        if let Some(manager) = &*current {
            return Ok(Arc::clone(manager));
        }
        let config = ConnectionManagerConfig::new().set_number_of_retries(0).set_response_timeout(None);
        let new = ConnectionManager::new_lazy_with_config(self.client.clone(), config);
        let new = Arc::new(new.map_err(|_| StoreError::Unavailable)?);
        let found = self.manager.compare_and_swap(&current, Some(Arc::clone(&new)));
        // Somebody else may have been first.
        Ok(found.as_ref().map_or(new, Arc::clone))
    }

    /// Has the next question asked over a new connection: the manager keeps one whose other end has gone silently, one to a server that was
    /// replaced, and for ever the error of a login that failed while the server was still loading.
    fn leave(&self, manager: &Arc<ConnectionManager>) {
        self.manager.compare_and_swap(manager, None);
    }
}

async fn ask<A: FromRedisValue>(
    manager: &ConnectionManager,
    script: &Script,
    keys: &[String],
    arguments: &[String],
) -> RedisResult<A> {
    let mut manager = manager.clone();
    match script.run(&mut manager, keys, arguments).await {
        // A connection that was idle for long may be found closed. All questions may be asked twice: a reservation finds itself, and a sender
        // whose answer got lost is charged once more.
        Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
            script.run(&mut manager, keys, arguments).await
        }
        answer => answer,
    }
}

/// Before Redis 7, errors of commands in scripts are known by a word in the script's error.
fn says(error: &RedisError, code: &str) -> bool {
    let mut words = error.detail().unwrap_or_default().split(|c: char| !c.is_ascii_uppercase());
    error.code() == Some(code) || words.any(|word| word == code)
}

fn is_tls(url: &str) -> bool {
    ::redis::parse_redis_url(url).is_some_and(|url| matches!(url.scheme(), "rediss" | "valkeys"))
}

/// The client would panic when it connects, if the program has several and has chosen none. Who is first stays.
#[cfg(feature = "redis-tls")]
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

fn not_a_url() -> ConfigError {
    ConfigError::invalid(
        "Redis URL",
        "…",
        "must be like `redis://user:password@host:6379/0`, special characters as `%40`",
    )
}

/// What is longer is for ever; the server cannot add more to its clock without overflow.
const FOREVER: Duration = Duration::from_secs(1000 * 365 * 86_400);

/// Rounded up: what lasts less than a millisecond still lasts.
fn millis(duration: Duration) -> String {
    duration.min(FOREVER).as_nanos().div_ceil(1_000_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_says_what_the_url_holds() {
        let redis = RedisConnection::open("redis://user:hunter2@localhost/0").unwrap();
        let nonces = RedisNonceStore::new(redis.clone());
        let rates = RedisRateStore::new(redis.clone());
        for text in [format!("{redis:?}"), format!("{nonces:?}"), format!("{rates:?}")] {
            assert!(!text.contains("hunter2") && !text.contains("localhost"), "{text}");
        }
        for url in
            ["", "hunter2", "http://user:hunter2@host", "redis://user:hunter2@host:99999", "redis://:hunter2@host/x"]
        {
            let error = RedisConnection::open(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_timeout_of_nothing_is_refused() {
        let redis = RedisConnection::open("redis://localhost").unwrap();
        assert!(redis.clone().timeout(Duration::ZERO).is_err());
        assert!(redis.timeout(Duration::from_nanos(1)).is_ok());
    }

    #[test]
    fn times_are_rounded_up_and_bounded() {
        for (duration, expected) in [
            (Duration::ZERO, "0"),
            (Duration::from_nanos(1), "1"),
            (Duration::from_millis(1), "1"),
            (Duration::from_micros(1001), "2"),
            (Duration::MAX, "31536000000000"),
        ] {
            assert_eq!(millis(duration), expected, "{duration:?}");
        }
    }

    #[test]
    fn a_key_is_one_hash_tag() {
        let redis = RedisConnection::open("redis://localhost").unwrap();
        assert_eq!(redis.key("nonce", 0xab), "tower-webhook:nonce:{000000000000000000000000000000ab}");
        assert_eq!(redis.prefix("{hooks}").key("rate", 1), "{hooks}:rate:{00000000000000000000000000000001}");
    }

    #[cfg(feature = "redis-tls")]
    #[test]
    fn authorities_are_certificates_and_for_tls() {
        let authority = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (url, authorities) in [
            ("redis://localhost", authority),
            ("rediss://localhost", ""),
            ("rediss://localhost", "/etc/redis/authority.pem"),
            ("rediss://localhost", authority),
            ("rediss://:hunter2@localhost/x", authority),
        ] {
            let error = RedisConnection::open_trusting(url, authorities).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[cfg(not(feature = "redis-tls"))]
    #[test]
    fn tls_needs_its_feature() {
        for url in ["rediss://localhost", "REDISS://localhost", "valkeys://localhost"] {
            let error = RedisConnection::open(url).unwrap_err();
            assert!(matches!(error, ConfigError::MissingFeature { feature: "redis-tls", .. }), "{url}");
        }
    }
}
