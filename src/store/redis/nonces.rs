use std::{sync::LazyLock, time::Duration};

use super::{Asked, RedisConnection, millis, rates, script::Script};
use crate::store::{Charge, LimitingNonceStore, NonceStore, Rate, ReplayKey, Reserved, StoreError, Token};

/// Remembers deliveries in Redis or Valkey: for several processes, and longer than any of them lives.
///
/// A delivery is one key of about a hundred bytes on the server, which expires by itself. When the server cannot be reached, or is too slow,
/// deliveries are answered `503`, and their senders try again. See [`RedisConnection`] for what is needed of the server.
///
/// It limits senders in the same question ([`LimitingNonceStore`]): their accounts are those of a [`RedisRateStore`](super::RedisRateStore) under the
/// same prefix. In a cluster, delivery and account must lie in the same slot, see [`RedisConnection::prefix`].
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
}

static RESERVE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("claim.lua"), include_str!("reserve.lua"))));
static RESERVE_WITHIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(include_str!("settle.lua"), include_str!("claim.lua"), include_str!("reserve_within.lua")))
});
static COMMIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("commit.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("release.lua")));

impl NonceStore for RedisNonceStore {
    type Reserve = Asked<Reserved>;
    type Settle = Asked<()>;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        let keys = vec![self.redis.nonce_key(key)];
        self.redis.run(&RESERVE, keys, vec![digits(token), millis(lease)], reserved)
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        let keys = vec![self.redis.nonce_key(key)];
        self.redis.run(&COMMIT, keys, vec![digits(token), millis(retention)], settled)
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        self.redis.run(&RELEASE, vec![self.redis.nonce_key(key)], vec![digits(token)], settled)
    }
}

impl LimitingNonceStore for RedisNonceStore {
    fn reserve_within(&self, rate: &Rate, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        let keys = vec![self.redis.nonce_key(key), self.redis.rate_key(rate.key)];
        let charge = rates::terms(&rate.quotas, Charge::IfAllowed(rate.cost));
        let arguments = [digits(token), millis(lease)].into_iter().chain(charge).collect();
        self.redis.run(&RESERVE_WITHIN, keys, arguments, reserved)
    }
}

fn digits(token: Token) -> String {
    format!("{:032x}", token.as_u128())
}

fn reserved((what, micros): (i64, i64)) -> Result<Reserved, StoreError> {
    let retry_after = rates::time(micros)?;
    match what {
        0 => Ok(Reserved::Fresh),
        1 => Ok(Reserved::InProgress { retry_after }),
        2 => Ok(Reserved::Done),
        3 => Ok(Reserved::Limited { retry_after }),
        _ => Err(StoreError::Unavailable),
    }
}

fn settled(_: i64) -> Result<(), StoreError> {
    Ok(())
}
