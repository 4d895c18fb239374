//! Stores in Redis pass what every store must, against a real server.

#![cfg(all(unix, feature = "redis"))]

#[path = "support/redis_server.rs"]
mod redis_server;
mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use redis::Script;
use redis_server::{Server, shared};
use support::{Calls, Sent, secs, send};
use tokio::sync::Notify;
use tower::ServiceBuilder;
use tower_webhook::{
    layer::{RunToEndLayer, WebhookLayer},
    store::{RedisConnection, RedisNonceStore, RedisRateStore},
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

/// A handler that waits at the gate when it is called first, behind the stack with a lease of two seconds.
macro_rules! waiting {
    ($redis:expr, $runs_to_end:expr, $calls:expr, $gate:expr) => {{
        let gate = Arc::clone(&$gate);
        let handler = $calls.answering(move |call| {
            let gate = Arc::clone(&gate);
            async move {
                if call == 1 {
                    gate.notified().await;
                }
                support::with_status(200)
            }
        });
        let layer = WebhookLayer::builder(support::verifier(Sent::standard("").scheme()))
            .with_clock(support::clock())
            // Nothing may go on: as without the layer.
            .then(RunToEndLayer::new().max_detached(if $runs_to_end { 8 } else { 0 }))
            .replay(RedisNonceStore::new($redis))
            .handler_timeout(secs(1), secs(2))
            .unwrap()
            .build()
            .unwrap();
        ServiceBuilder::new().layer(layer).service(handler)
    }};
}

/// Sends it again until it is answered for good, as providers do.
macro_rules! answered {
    ($service:expr) => {{
        let deadline = Instant::now() + secs(10);
        loop {
            let answer = send(&$service, Sent::standard("msg_1").request()).await;
            if !answer.asks_to_retry() {
                break answer;
            }
            assert!(Instant::now() < deadline, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }};
}

#[tokio::test]
async fn who_leaves_has_the_delivery_released_or_run_to_its_end() {
    for runs_to_end in [false, true] {
        let Some((_server, _, redis)) = shared() else { return };
        let (calls, gate) = (Calls::default(), Arc::new(Notify::new()));
        let service = waiting!(redis, runs_to_end, calls, gate);
        let left = service.clone();
        let client = tokio::spawn(async move { send(&left, Sent::standard("msg_1").request()).await });
        while calls.count() == 0 {
            tokio::task::yield_now().await;
        }
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        gate.notify_one();
        let answer = answered!(service);
        assert_eq!((answer.status.as_u16(), answer.is_duplicate()), (200, runs_to_end), "{answer:?}");
        assert_eq!(calls.count(), if runs_to_end { 1 } else { 2 });
    }
}

#[test]
fn a_runtime_that_shuts_down_commits_nothing() {
    for runs_to_end in [false, true] {
        let Some((server, prefix, redis)) = shared() else { return };
        let (calls, gate) = (Calls::default(), Arc::new(Notify::new()));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let service = waiting!(redis, runs_to_end, calls, gate);
        runtime.block_on(async {
            let left = service.clone();
            tokio::spawn(async move { send(&left, Sent::standard("msg_1").request()).await });
            while calls.count() == 0 {
                tokio::task::yield_now().await;
            }
        });
        drop(runtime);

        // A connection belongs to the runtime that first used it.
        let redis = RedisConnection::open(&server.url()).unwrap().prefix(&*prefix);
        let service = waiting!(redis, runs_to_end, calls, gate);
        let answer = tokio::runtime::Runtime::new().unwrap().block_on(async { answered!(service) });
        assert_eq!((answer.status.as_u16(), answer.is_duplicate(), calls.count()), (200, false, 2), "{answer:?}");
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
