use std::{sync::LazyLock, time::Duration};

use super::{Asked, RedisConnection, millis, script::Script};
use crate::store::{NonceStore, ReplayKey, Reserved, StoreError, Token};

/// Remembers deliveries in Redis or Valkey: for several processes, and longer than any of them lives.
///
/// A delivery is one key of about a hundred bytes on the server, which expires by itself. When the server cannot be reached, or is too slow,
/// deliveries are answered `503`, and their senders try again. See [`RedisConnection`] for what is needed of the server.
///
/// ```no_run
/// use tower_webhook::{layer::WebhookLayer, provider, store::{RedisConnection, RedisNonceStore}};
///
/// let nonces = RedisNonceStore::new(RedisConnection::open("redis://redis.internal")?);
/// let stripe = WebhookLayer::builder(provider::STRIPE.verifier("whsec_…")?).replay(nonces).scope("invoices").build()?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedisNonceStore {
    redis: RedisConnection,
}

impl RedisNonceStore {
    /// Remembers deliveries on the other end of this connection.
    pub const fn new(redis: RedisConnection) -> Self {
        Self { redis }
    }

    fn run<T: 'static>(
        &self,
        script: &'static Script,
        (key, token, time): (ReplayKey, Token, Duration),
        read: fn(i64) -> Result<T, StoreError>,
    ) -> Asked<T> {
        let arguments = [format!("{:032x}", token.as_u128()), millis(time)];
        self.redis.run(script, self.redis.key("nonce", key.short()), arguments, read)
    }
}

static RESERVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("reserve.lua")));
static COMMIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("commit.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));

impl NonceStore for RedisNonceStore {
    type Reserve = Asked<Reserved>;
    type Settle = Asked<()>;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        self.run(&RESERVE, (key, token, lease), |answer| match answer {
            -1 => Ok(Reserved::Done),
            0 => Ok(Reserved::Fresh),
            left => {
                let left = u64::try_from(left).map_err(|_| StoreError::Unavailable)?;
                Ok(Reserved::InProgress { retry_after: Duration::from_millis(left) })
            }
        })
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        self.run(&COMMIT, (key, token, retention), |_| Ok(()))
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        self.run(&RELEASE, (key, token, Duration::ZERO), |_| Ok(()))
    }
}
