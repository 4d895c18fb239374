//! Stores in Redis, against a real server: the suite for all stores, then what goes wrong with servers.

#![cfg(all(unix, feature = "redis"))]

#[path = "support/redis_server.rs"]
mod redis_server;
#[path = "support/suite.rs"]
mod suite;
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use proptest::prelude::*;
use redis::Script;
use redis_server::Server;
use suite::{
    Bucket, NonceModel, NonceStep, Nonces, Rates, in_progress, key, nonce_step, nonce_store_suite, rate_store_suite,
};
use support::{Calls, Sent, now, secs, send};
use tokio::task::JoinSet;
use tower::ServiceBuilder;
use tower_webhook::{
    PeerAddr,
    layer::{ClientAddr, RateLimitLayer, WebhookLayer},
    store::{
        NonceStore, Quota, RateKey, RateStore, RedisConnection, RedisNonceStore, RedisRateStore, ReplayKey, Reserved,
        StoreError, Token, Verdict,
    },
};

nonce_store_suite!(redis_nonces, NoncesInRedis);
rate_store_suite!(redis_rates, RatesInRedis);

const RATE_SCRIPT: &str = include_str!("../src/store/redis/rate.lua");

/// Long enough for a busy machine, short enough for a test.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The pause of the breaker, a probe, and a busy machine.
const RECOVERY: Duration = Duration::from_secs(5);

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let Some(server) = Server::start(&[]) else { return };
    let redis = RedisConnection::open(&server.url()).unwrap().timeout(secs(10)).unwrap();
    let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis));
    let flush = || server.command(&["SCRIPT", "FLUSH"]);
    let (token, sender, quota) = (Token::unique(), RateKey::of([&b"one"[..]]), Quota::per_hour(1));
    flush();
    assert_eq!(nonces.reserve(key(1), token, secs(10)).await, Ok(Reserved::Fresh));
    flush();
    assert_eq!(nonces.commit(key(1), token, secs(10)).await, Ok(()));
    flush();
    assert_eq!(nonces.release(key(1), token).await, Ok(()));
    flush();
    assert_eq!(nonces.reserve(key(1), token, secs(10)).await, Ok(Reserved::Done));
    flush();
    assert_eq!(rates.check(sender, quota).await, Ok(Verdict::Allowed));
    flush();
    assert!(matches!(rates.check(sender, quota).await, Ok(Verdict::Limited { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_the_server_keeps_forgetting_are_run_all_the_same() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisNonceStore::new(RedisConnection::open(&server.url()).unwrap().timeout(secs(10)).unwrap());
    let mut admin = server.admin();
    let asking = tokio::spawn(async move {
        for id in 0..2000 {
            let key = ReplayKey::of([&usize::to_be_bytes(id)[..]]);
            assert_eq!(store.reserve(key, Token::unique(), secs(10)).await, Ok(Reserved::Fresh), "{id}");
        }
    });
    while !asking.is_finished() {
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut admin).unwrap();
    }
    asking.await.unwrap();
}

#[tokio::test]
async fn all_that_is_kept_expires() {
    let Some(nonces) = NoncesInRedis::new() else { return };
    let rates = RedisRateStore::new(nonces.connection.clone());
    for id in 0..3 {
        let token = Token::unique();
        nonces.reserve(key(id), token, secs(10)).await;
        match id {
            0 => nonces.commit(key(id), token, secs(600)).await,
            1 => nonces.release(key(id), token).await,
            _ => {}
        }
    }
    rates.check(RateKey::of([&b"one"[..]]), Quota::per_minute(60)).await.unwrap();
    let mut admin = nonces.server.admin();
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{}:*", nonces.prefix)).query(&mut admin).unwrap();
    let mut lives: Vec<i64> = keys.iter().map(|key| redis::cmd("PTTL").arg(key).query(&mut admin).unwrap()).collect();
    lives.sort_unstable();
    let [rate, held, done] = lives[..] else { panic!("{keys:?}") };
    assert!((1..=1000).contains(&rate) && (1001..=10_000).contains(&held) && (10_001..=600_000).contains(&done));
}

#[tokio::test]
async fn stores_of_different_prefixes_share_a_server_and_nothing_else() {
    let Some(ours) = NoncesInRedis::new() else { return };
    let Some(theirs) = NoncesInRedis::new() else { return };
    let same = RedisNonceStore::new(ours.connection.clone());
    assert_eq!(ours.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
    assert_eq!(theirs.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
    assert_ne!(same.reserve(key(1), Token::unique(), secs(10)).await, Ok(Reserved::Fresh));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_delivery() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisNonceStore::new(connection(&server.url()));
    for id in 0..5 {
        assert_eq!(store.reserve(key(id), Token::unique(), secs(10)).await, Ok(Reserved::Fresh), "{id}");
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
}

#[tokio::test]
async fn a_server_that_was_killed_is_found_again_and_knows_what_it_has_written() {
    let Some(mut server) = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let store = RedisNonceStore::new(connection(&server.url()));
    let (done, held) = (Token::unique(), Token::unique());
    for token in [done, held] {
        store.reserve(key(usize::from(token == held)), token, secs(60)).await.unwrap();
    }
    store.commit(key(0), done, secs(600)).await.unwrap();

    server.kill();
    for _ in 0..20 {
        assert_eq!(store.reserve(key(0), Token::unique(), secs(10)).await, Err(StoreError::Unavailable));
    }
    server.restart();
    until_back(&store).await;
    assert_eq!(store.reserve(key(0), Token::unique(), secs(10)).await, Ok(Reserved::Done));
    assert!(matches!(store.reserve(key(1), Token::unique(), secs(10)).await, Ok(Reserved::InProgress { .. })));
    assert_eq!(store.reserve(key(1), held, secs(10)).await, Ok(Reserved::Fresh), "its own");
}

#[tokio::test]
async fn a_server_that_stands_still_is_waited_for_a_few_times_and_then_no_more() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisNonceStore::new(connection(&server.url()));
    assert_eq!(store.reserve(key(0), Token::unique(), secs(1)).await, Ok(Reserved::Fresh));

    server.stop();
    for question in 0..5 {
        let began = Instant::now();
        assert_eq!(store.reserve(key(1), Token::unique(), secs(1)).await, Err(StoreError::Unavailable));
        assert!(began.elapsed() >= TIMEOUT && began.elapsed() < 3 * TIMEOUT, "{question}: {:?}", began.elapsed());
    }
    let began = Instant::now();
    for _ in 0..1000 {
        assert_eq!(store.reserve(key(2), Token::unique(), secs(1)).await, Err(StoreError::Unavailable));
    }
    assert!(began.elapsed() < 3 * TIMEOUT, "{:?}", began.elapsed());

    server.go_on();
    until_back(&store).await;
    assert_eq!(store.reserve(key(3), Token::unique(), secs(10)).await, Ok(Reserved::Fresh));
}

#[tokio::test]
async fn a_pause_of_the_server_is_unavailability_and_nothing_is_granted_twice() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisNonceStore::new(connection(&server.url()));
    let token = Token::unique();
    assert_eq!(store.reserve(key(0), Token::unique(), secs(60)).await, Ok(Reserved::Fresh));
    server.command(&["CLIENT", "PAUSE", "2500", "ALL"]);
    assert_eq!(store.reserve(key(1), token, secs(60)).await, Err(StoreError::Unavailable));
    until_back(&store).await;
    // The question was only answered too late, so this reservation exists.
    assert!(matches!(store.reserve(key(1), Token::unique(), secs(60)).await, Ok(Reserved::InProgress { .. })));
    assert_eq!(store.reserve(key(1), token, secs(60)).await, Ok(Reserved::Fresh));
    store.release(key(1), token).await.unwrap();
    assert_eq!(store.reserve(key(1), Token::unique(), secs(60)).await, Ok(Reserved::Fresh));
}

#[tokio::test]
async fn nobody_at_the_other_end_is_noticed_at_once() {
    let Some(mut server) = Server::start(&[]) else { return };
    let store = RedisNonceStore::new(connection(&server.url()));
    server.kill();
    let began = Instant::now();
    for _ in 0..1000 {
        assert_eq!(store.reserve(key(0), Token::unique(), secs(1)).await, Err(StoreError::Unavailable));
    }
    assert!(began.elapsed() < 2 * TIMEOUT, "{:?}", began.elapsed());
    server.restart();
    until_back(&store).await;
}

#[tokio::test]
async fn a_wrong_password_is_unavailability_until_it_is_right() {
    let Some(server) = Server::start(&["--requirepass", "right"]) else { return };
    let store = RedisNonceStore::new(connection(&server.url_with_password("wrong")));
    for _ in 0..20 {
        let error = store.reserve(key(0), Token::unique(), secs(1)).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("wrong"));
        assert_eq!(error, StoreError::Unavailable);
    }
    let mut admin = redis::Client::open(server.url_with_password("right")).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg(&["SET", "requirepass", "wrong"]).exec(&mut admin).unwrap();
    until_back(&store).await;
}

#[tokio::test]
async fn a_server_without_memory_is_full_and_still_releases() {
    let Some(server) = Server::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let store = RedisNonceStore::new(connection(&server.url()));
    let token = Token::unique();
    assert_eq!(store.reserve(key(0), token, secs(60)).await, Ok(Reserved::Fresh));
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..20 {
        assert_eq!(store.reserve(key(1), Token::unique(), secs(60)).await, Err(StoreError::Full));
    }
    assert!(matches!(store.reserve(key(0), Token::unique(), secs(60)).await, Ok(Reserved::InProgress { .. })));
    assert_eq!(store.release(key(0), token).await, Ok(()));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.reserve(key(0), Token::unique(), secs(60)).await, Ok(Reserved::Fresh));
}

#[tokio::test]
async fn what_others_wrote_under_our_keys_is_an_error_and_no_panic() {
    let Some(nonces) = NoncesInRedis::new() else { return };
    let rates = RedisRateStore::new(nonces.connection.clone());
    let (token, quota) = (Token::unique(), Quota::per_hour(1));
    nonces.reserve(key(1), token, secs(10)).await;
    rates.check(RateKey::of([&b"one"[..]]), quota).await.unwrap();
    let mut admin = nonces.server.admin();
    let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{}:*", nonces.prefix)).query(&mut admin).unwrap();
    assert_eq!(keys.len(), 2);
    for name in keys {
        redis::cmd("DEL").arg(&name).exec(&mut admin).unwrap();
        redis::cmd("LPUSH").arg(&name).arg("garbage").exec(&mut admin).unwrap();
    }
    assert_eq!(nonces.store.reserve(key(1), token, secs(10)).await, Err(StoreError::Unavailable));
    assert_eq!(nonces.store.commit(key(1), token, secs(10)).await, Err(StoreError::Unavailable));
    assert_eq!(nonces.store.release(key(1), token).await, Err(StoreError::Unavailable));
    assert_eq!(rates.check(RateKey::of([&b"one"[..]]), quota).await, Err(StoreError::Unavailable));
    assert_eq!(nonces.reserve(key(2), token, secs(10)).await, Reserved::Fresh, "others are not affected");
}

#[cfg(feature = "redis-tls")]
#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_plain_words() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisNonceStore::new(connection(&server.url().replace("redis:", "rediss:")));
    assert_eq!(store.reserve(key(0), Token::unique(), secs(1)).await, Err(StoreError::Unavailable));
    let size: usize = redis::cmd("DBSIZE").query(&mut server.admin()).unwrap();
    assert_eq!(size, 0);
}

#[test]
fn outside_of_a_runtime_it_is_unavailable() {
    let store = RedisNonceStore::new(connection("redis://127.0.0.1:1"));
    assert_eq!(now(store.release(key(1), Token::unique())), Err(StoreError::Unavailable));
}

#[tokio::test]
async fn without_the_server_nothing_is_handled_and_nothing_is_limited() {
    let Some(mut server) = Server::start(&[]) else { return };
    let calls = Calls::default();
    let redis = connection(&server.url());
    let rates = RateLimitLayer::new(Quota::per_hour(1), ClientAddr::new(), RedisRateStore::new(redis.clone()));
    let sent = Sent::standard("msg_1");
    let stack = WebhookLayer::builder(support::verifier(sent.scheme()))
        .with_clock(support::clock())
        .rate_limit(rates)
        .replay(RedisNonceStore::new(redis))
        .build()
        .unwrap();
    let service = ServiceBuilder::new().layer(stack).service(calls.handler());
    let request = || {
        let mut request = sent.request();
        request.extensions_mut().insert(PeerAddr(([127, 0, 0, 1], 1).into()));
        request
    };
    server.kill();
    for _ in 0..10 {
        let answer = send(&service, request()).await;
        assert!(answer.asks_to_retry(), "{answer:?}");
        assert_eq!(answer.reason(), "store_unavailable");
    }
    assert_eq!(calls.count(), 0);
    server.restart();
    let deadline = Instant::now() + RECOVERY;
    loop {
        let answer = send(&service, request()).await;
        if answer.status == 200 {
            break;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(calls.count(), 1);
    assert_eq!(send(&service, request()).await.status, 429, "limits hold again");
    assert_eq!(calls.count(), 1);
}

proptest! {
    #![proptest_config(support::property())]
    #[test]
    fn the_rate_script_agrees_with_the_model(
        per_second in prop::sample::select(vec![1_u32, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100]),
        burst in 1_u32..20,
        steps in prop::collection::vec((0_u8..3, 0_u64..400_000), 1..200),
    ) {
        let Some(rates) = RatesInRedis::new() else { return Ok(()) };
        let mut admin = rates.server.admin();
        let script = at_given_time();
        let mut buckets = [0_u128, 1, 2].map(|_| Bucket::new(per_second, burst));
        let mut now = support::NOW * 1_000_000;
        for (sender, wait) in steps {
            now += wait;
            buckets.iter_mut().for_each(|bucket| bucket.leak(Duration::from_micros(wait)));
            let mut invocation = script.key(format!("{}:rate:{sender}", rates.prefix));
            let invocation = invocation.arg(1_000_000 / per_second).arg(burst).arg(now / 1_000_000).arg(now % 1_000_000);
            let answer: u64 = invocation.invoke(&mut admin).unwrap();
            let expected = match buckets[usize::from(sender)].check() {
                Verdict::Allowed => 0,
                Verdict::Limited { retry_after } => u64::try_from(retry_after.as_micros()).unwrap(),
            };
            prop_assert_eq!(answer, expected);
        }
    }
}

#[test]
fn a_server_whose_clock_is_set_back_locks_nobody_out() {
    let Some(rates) = RatesInRedis::new() else { return };
    let mut admin = rates.server.admin();
    let mut check = |at: u64| -> u64 {
        let script = at_given_time();
        let mut invocation = script.key(format!("{}:rate:1", rates.prefix));
        invocation.arg(1_000_000).arg(3).arg(at).arg(0).invoke(&mut admin).unwrap()
    };
    for request in 0..3 {
        assert_eq!(check(support::NOW), 0, "{request}");
    }
    assert_eq!(check(support::NOW), 1_000_000);
    assert_eq!(check(support::NOW - 86_400), 1_000_000, "one interval, and not a day");
    assert_eq!(check(support::NOW + 86_400), 0);
}

/// The script, told the time instead of asking the server, whose own clock must then expire nothing.
fn at_given_time() -> Script {
    let mut text = RATE_SCRIPT.to_owned();
    for (original, ours) in [
        ("redis.call('TIME')", "{ ARGV[3], ARGV[4] }"),
        (", 'PX', string.format('%.0f', math.ceil((next - now) / 1000))", ""),
    ] {
        assert_eq!(text.matches(original).count(), 1, "{original}");
        text = text.replace(original, ours);
    }
    Script::new(&text)
}

fn connection(url: &str) -> RedisConnection {
    RedisConnection::open(url).unwrap().timeout(TIMEOUT).unwrap()
}

/// Asks until the server answers, which it must before long.
async fn until_back(store: &RedisNonceStore) {
    let deadline = Instant::now() + RECOVERY;
    while store.reserve(ReplayKey::of([&b"probe"[..]]), Token::unique(), Duration::ZERO).await.is_err() {
        assert!(Instant::now() < deadline, "not back after {RECOVERY:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Nonces under a prefix of their own.
struct NoncesInRedis {
    server: Arc<Server>,
    prefix: String,
    connection: RedisConnection,
    store: RedisNonceStore,
}

impl Nonces for NoncesInRedis {
    type Store = RedisNonceStore;

    const GRAIN: Duration = secs(1);

    fn new() -> Option<Self> {
        let (server, prefix, connection) = shared()?;
        Some(Self { server, prefix, store: RedisNonceStore::new(connection.clone()), connection })
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

    fn step_wall(&self, _secs: u64) {}
}

/// Rates under a prefix of their own.
struct RatesInRedis {
    server: Arc<Server>,
    prefix: String,
    store: RedisRateStore,
}

impl Rates for RatesInRedis {
    type Store = RedisRateStore;

    const GRAIN: Duration = secs(1);

    fn new() -> Option<Self> {
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
               local due = string.format('%.0f', redis.call('GET', key) - ARGV[2])
               if left > 0 then redis.call('SET', key, due, 'PX', string.format('%.0f', left)) else redis.call('DEL', key) end
             end",
        );
        let micros = u64::try_from(time.as_micros()).unwrap();
        script.arg(format!("{}:rate:*", self.prefix)).arg(micros).invoke::<()>(&mut self.server.admin()).unwrap();
    }
}

fn shared() -> Option<(Arc<Server>, String, RedisConnection)> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let server = Server::shared()?;
    let prefix = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    // A thousand tasks at once are no reason to give up.
    let connection = RedisConnection::open(&server.url()).unwrap().prefix(&*prefix).timeout(secs(10)).unwrap();
    Some((server, prefix, connection))
}
