//! Stores in Redis pass what every store must, against a real server.

#![cfg(all(unix, feature = "redis"))]

#[path = "support/redis_server.rs"]
mod redis_server;
mod support;

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use redis::Script;
use redis_server::{Server, shared};
use support::secs;
use tower_webhook::{
    store::{RedisNonceStore, RedisRateStore},
    testing::{NonceFixture, RateFixture, nonces, run},
};

mod nonces_in_redis {
    tower_webhook::nonce_store_tests!(super::InRedis<super::RedisNonceStore>);
    tower_webhook::limiting_nonce_store_tests!(super::InRedis<super::RedisNonceStore>);
}

mod rates_in_redis {
    tower_webhook::rate_store_tests!(super::InRedis<super::RedisRateStore>);
}

proptest! {
    #![proptest_config(support::property())]

    #[test]
    fn nonces_agree_with_the_model(steps in prop::collection::vec(support::nonce_step(), 1..60)) {
        run(nonces::agrees_with_the_model::<InRedis<RedisNonceStore>>(steps));
    }
}

/// A store under a prefix of its own.
struct InRedis<S> {
    server: Arc<Server>,
    prefix: String,
    store: S,
}

impl NonceFixture for InRedis<RedisNonceStore> {
    type Store = RedisNonceStore;

    const GRAIN: Duration = secs(1);

    async fn new() -> Option<Self> {
        let (server, prefix, connection) = shared()?;
        Some(Self { server, prefix, store: RedisNonceStore::new(connection) })
    }

    fn store(&self) -> &RedisNonceStore {
        &self.store
    }

    /// Takes the time from what all keys have left.
    async fn pass(&self, time: Duration) {
        let script = Script::new(
            "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
               local left = redis.call('PTTL', key) - ARGV[2]
               if left > 0 then redis.call('PEXPIRE', key, string.format('%.0f', left)) else redis.call('DEL', key) end
             end",
        );
        let millis = u64::try_from(time.as_millis()).unwrap();
        script.arg(format!("{}:nonce:*", self.prefix)).arg(millis).invoke::<()>(&mut self.server.admin()).unwrap();
    }
}

impl RateFixture for InRedis<RedisRateStore> {
    type Store = RedisRateStore;

    const GRAIN: Duration = secs(1);

    async fn new() -> Option<Self> {
        let (server, prefix, connection) = shared()?;
        Some(Self { server, prefix, store: RedisRateStore::new(connection) })
    }

    fn store(&self) -> &RedisRateStore {
        &self.store
    }

    /// Moves all that is due by the time.
    async fn pass(&self, time: Duration) {
        let script = Script::new(
            "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
               local left = redis.call('PTTL', key) - math.floor(ARGV[2] / 1000)
               local due = string.gsub(redis.call('GET', key), '%d+', function(number)
                 return string.format('%.0f', math.max(number - ARGV[2], 0))
               end)
               if left > 0 then redis.call('SET', key, due, 'PX', string.format('%.0f', left)) else redis.call('DEL', key) end
             end",
        );
        let micros = u64::try_from(time.as_micros()).unwrap();
        script.arg(format!("{}:rate:*", self.prefix)).arg(micros).invoke::<()>(&mut self.server.admin()).unwrap();
    }
}
