use std::{sync::LazyLock, time::Duration};

use super::{Asked, RedisConnection, script::Script};
use crate::store::{Quota, RateKey, RateStore, StoreError, Verdict};

/// Remembers in Redis or Valkey who sent how much, so that a limit holds over several processes together.
///
/// A sender is one key on the server, which expires once the whole burst is allowed again. Times are the server's, in microseconds. When it cannot
/// be reached, or is too slow, [`RateLimitLayer`](crate::layer::RateLimitLayer) lets requests through. See [`RedisConnection`] for what is needed of
/// the server: when it is full, limits by address do not apply any more, so give them a server of their own if strangers may come from anywhere.
///
/// ```no_run
/// use tower_webhook::{layer::{BySender, RateLimitLayer}, store::{Quota, RedisConnection, RedisRateStore}};
///
/// let rates = RedisRateStore::new(RedisConnection::open("redis://redis.internal")?);
/// let layer = RateLimitLayer::new(Quota::per_second(100), BySender, rates);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedisRateStore {
    redis: RedisConnection,
}

impl RedisRateStore {
    /// Remembers senders on the other end of this connection.
    pub const fn new(redis: RedisConnection) -> Self {
        Self { redis }
    }
}

static RATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("rate.lua")));

impl RateStore for RedisRateStore {
    type Check = Asked<Verdict>;

    fn check(&self, key: RateKey, quota: Quota) -> Self::Check {
        let (interval, burst) = (quota.interval(), quota.burst());
        if burst == 0 {
            let retry_after = interval.max(Duration::from_micros(1));
            return Box::pin(std::future::ready(Ok(Verdict::Limited { retry_after })));
        }
        // The server knows no nanoseconds, and numbers in Lua no more than 53 bits.
        let arguments = [interval.as_nanos().div_ceil(1000).to_string(), burst.to_string()];
        self.redis.run(&RATE, self.redis.key("rate", key.as_u128()), arguments, |answer| match u64::try_from(answer) {
            Ok(0) => Ok(Verdict::Allowed),
            Ok(micros) => Ok(Verdict::Limited { retry_after: Duration::from_micros(micros) }),
            Err(_) => Err(StoreError::Unavailable),
        })
    }
}
