//! Stores that several processes share, in Redis or Valkey.

mod breaker;
mod nonces;
mod rates;
mod script;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use ::redis::{
    Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use arc_swap::ArcSwapOption;
use tokio::{runtime::Handle, time::timeout};

use self::{
    breaker::{Admission, Breaker},
    script::Script,
};
pub use self::{nonces::RedisNonceStore, rates::RedisRateStore};
use super::StoreError;
use crate::ConfigError;

/// A connection to a Redis or Valkey server, for [`RedisNonceStore`] and [`RedisRateStore`].
///
/// It is made when it is first needed and again whenever it is lost. A server that does not answer within the
/// [timeout](Self::timeout) counts as unavailable; after five failures on end nobody waits for it any more, and once a second one request tries
/// whether it is back. Each question is one script about one key, so it is atomic, and a cluster's proxy can tell where it belongs.
///
/// Clones share the connection, also under different prefixes and timeouts. It belongs to the Tokio runtime that first used it. Outside of a runtime,
/// stores answer that they are unavailable.
///
/// What the server must be like: Redis 6 or Valkey, with a `maxmemory-policy` of `noeviction`. Under another policy it may forget deliveries
/// to make room, and their replays are handled. What it promises itself is all that can be promised: a replica that takes over without the
/// last writes, or a restart without `appendonly`, forgets as well. Times are measured by the server's clock.
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
    /// `redis-tls`, `rediss://…`. Does not connect yet. For TLS, AWS-LC becomes rustls' cryptography if the process has chosen none.
    ///
    /// # Errors
    ///
    /// If that is no such URL, which is not repeated, as it may hold a password; [`ConfigError::MissingFeature`] for TLS without its feature.
    pub fn open(url: &str) -> Result<Self, ConfigError> {
        if url.starts_with("rediss:") && !cfg!(feature = "redis-tls") {
            return Err(ConfigError::MissingFeature { what: "a `rediss://` URL".to_owned(), feature: "redis-tls" });
        }
        #[cfg(feature = "redis-tls")]
        if url.starts_with("rediss:") && rustls::crypto::CryptoProvider::get_default().is_none() {
            // The client would panic when it connects, if the program has several and has chosen none. Who is first stays.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let client = Client::open(url).map_err(|_| {
            ConfigError::invalid(
                "Redis URL",
                "…",
                "must be like `redis://user:password@host:6379/0`, special characters as `%40`",
            )
        })?;
        let shared = Shared { client, manager: ArcSwapOption::empty(), breaker: Breaker::default() };
        Ok(Self { shared: Arc::new(shared), prefix: Self::DEFAULT_PREFIX.into(), timeout: Self::DEFAULT_TIMEOUT })
    }

    /// What all keys begin with. [`DEFAULT_PREFIX`](Self::DEFAULT_PREFIX) by default; applications that share a server each need their own.
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

    /// The key of something of this kind. Hash-tagged, so that what may once belong to it lies on the same node of a cluster.
    fn key(&self, kind: &str, digest: u128) -> String {
        format!("{}:{kind}:{{{digest:032x}}}", self.prefix)
    }

    /// Runs a script with one key, and reads its answer.
    fn run<T: 'static>(
        &self,
        script: &'static Script,
        key: String,
        arguments: [String; 2],
        read: fn(i64) -> Result<T, StoreError>,
    ) -> Asked<T> {
        let (shared, patience) = (Arc::clone(&self.shared), self.timeout);
        Box::pin(async move {
            // Reservations may be dropped anywhere, but timers and sockets panic outside of a runtime.
            if Handle::try_current().is_err() {
                return Err(StoreError::Unavailable);
            }
            let Some(admission) = shared.breaker.admit(patience) else { return Err(StoreError::Unavailable) };
            match timeout(patience, shared.run(admission, script, &key, &arguments)).await {
                Ok(Ok(answer)) => {
                    shared.breaker.succeeded();
                    read(answer)
                }
                Ok(Err(error)) if error.code() == Some("OOM") => {
                    shared.breaker.succeeded();
                    Err(StoreError::Full)
                }
                Ok(Err(_)) | Err(_) => {
                    shared.breaker.failed();
                    Err(StoreError::Unavailable)
                }
            }
        })
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
    /// None before the first question.
    manager: ArcSwapOption<ConnectionManager>,
    breaker: Breaker,
}

impl Shared {
    async fn run(&self, admission: Admission, script: &Script, key: &str, arguments: &[String; 2]) -> RedisResult<i64> {
        let mut manager = self.manager(admission)?;
        match script.run(&mut manager, key, arguments).await {
            // A connection that was idle for long may be found closed. All questions may be asked twice: a reservation finds itself.
            Err(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                script.run(&mut manager, key, arguments).await
            }
            answer => answer,
        }
    }

    fn manager(&self, admission: Admission) -> RedisResult<ConnectionManager> {
        let current = self.manager.load();
        // After failures on end, a new one: the manager keeps a connection whose other end has gone silently, and for ever the error of a login
        // that failed while the server was still loading.
        if let (Admission::AsUsual, Some(manager)) = (admission, &*current) {
            return Ok(ConnectionManager::clone(manager));
        }
        let config = ConnectionManagerConfig::new().set_number_of_retries(0).set_response_timeout(None);
        let new = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        let found = self.manager.compare_and_swap(&current, Some(Arc::new(new.clone())));
        match (admission, &*found) {
            // Somebody else was first.
            (Admission::AsUsual, Some(manager)) => Ok(ConnectionManager::clone(manager)),
            _ => Ok(new),
        }
    }
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
        assert!(redis.prefix("other").key("rate", u128::MAX).len() <= 128);
    }

    #[cfg(not(feature = "redis-tls"))]
    #[test]
    fn tls_needs_its_feature() {
        let error = RedisConnection::open("rediss://localhost").unwrap_err();
        assert!(matches!(error, ConfigError::MissingFeature { feature: "redis-tls", .. }));
    }
}
