//! What goes wrong with Redis servers and on the way to them, and what the stores' scripts say, all against real servers.

#![cfg(all(unix, feature = "redis"))]

#[cfg(feature = "redis-tls")]
#[path = "support/https.rs"]
mod https;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/redis_server.rs"]
mod redis_server;
mod support;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::{Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use proxy::{Fault, Proxy, fake_server};
use redis::Script;
use redis_server::{Server, shared};
use support::{Calls, Sent, now, secs, send};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::{ServiceBuilder, service_fn};
use tower_webhook::{
    PeerAddr,
    body::Verified,
    layer::{ClientAddr, RateLimitLayer, WebhookLayer},
    store::{
        Charge, LimitingNonceStore, NonceStore, Quota, Quotas, Rate, RateKey, RateStore, RedisConnection,
        RedisNonceStore, RedisProblem, RedisRateStore, ReplayKey, Reserved, StoreError, Token, Verdict,
    },
};

/// Long enough for a busy machine, short enough for a test.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Where nothing is going to answer in time.
const SHORT: Duration = Duration::from_millis(250);

/// The pause of the breaker, a probe, and a busy machine.
const RECOVERY: Duration = Duration::from_secs(5);

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let Some(server) = Server::start(&[]) else { return };
    let redis = RedisConnection::open(&server.url()).unwrap().timeout(secs(10)).unwrap();
    let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis.clone()));
    let flush = || server.command(&["SCRIPT", "FLUSH"]);
    let (token, rate) = (Token::unique(), rate(1, Quota::per_hour(2), 1));
    flush();
    assert_eq!(nonces.reserve(key(1), token, secs(10)).await, Ok(Reserved::Fresh));
    flush();
    assert_eq!(nonces.commit(key(1), token, secs(10)).await, Ok(()));
    flush();
    assert_eq!(nonces.release(key(1), token).await, Ok(()));
    flush();
    assert_eq!(nonces.reserve(key(1), token, secs(10)).await, Ok(Reserved::Done));
    flush();
    assert_eq!(nonces.reserve_within(&rate, key(2), token, secs(10)).await, Ok(Reserved::Fresh));
    flush();
    assert!(rates.check(rate.key, &rate.quotas, Charge::IfAllowed(1)).await.unwrap().is_allowed());
    flush();
    assert!(!rates.check(rate.key, &rate.quotas, Charge::IfAllowed(1)).await.unwrap().is_allowed());
    flush();
    assert_eq!(redis.check().await, Ok(()));
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
    let Some((server, prefix, redis)) = shared() else { return };
    let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis));
    for id in 0..3 {
        let token = Token::unique();
        nonces.reserve(key(id), token, secs(10)).await.unwrap();
        match id {
            0 => nonces.commit(key(id), token, secs(600)).await.unwrap(),
            1 => nonces.release(key(id), token).await.unwrap(),
            _ => {}
        }
    }
    let quotas = Quotas::from([Quota::per_second(1), Quota::per_minute(2)]);
    rates.check(sender(1), &quotas, Charge::IfAllowed(1)).await.unwrap();
    let mut lives = lives(&server, &prefix);
    lives.sort_unstable();
    let [held, rate, done] = lives[..] else { panic!("{lives:?}") };
    assert!((5001..=10_000).contains(&held), "as long as the lease: {held}");
    assert!((25_000..=30_000).contains(&rate), "until both quotas are whole: {rate}");
    assert!((500_000..=600_000).contains(&done), "as long as the retention: {done}");
}

#[tokio::test]
async fn stores_of_different_prefixes_share_a_server_and_nothing_else() {
    let Some((_server, _, redis)) = shared() else { return };
    let theirs = RedisNonceStore::new(redis.clone().prefix("theirs"));
    let (ours, same) = (RedisNonceStore::new(redis.clone()), RedisNonceStore::new(redis));
    assert_eq!(ours.reserve(key(1), Token::unique(), secs(10)).await, Ok(Reserved::Fresh));
    assert_eq!(theirs.reserve(key(1), Token::unique(), secs(10)).await, Ok(Reserved::Fresh));
    assert_ne!(same.reserve(key(1), Token::unique(), secs(10)).await, Ok(Reserved::Fresh));
}

#[tokio::test]
async fn a_prefix_of_any_bytes_is_a_prefix_and_nothing_else() {
    let Some(server) = Server::start(&[]) else { return };
    for prefix in ["", "a b", "\r\nFLUSHALL\r\n", "\0", "*", "ü{", "return redis.call('FLUSHALL')"] {
        let store = RedisNonceStore::new(connection(&server.url()).prefix(prefix));
        for _ in 0..2 {
            let answer = store.reserve(key(1), Token::unique(), secs(60)).await;
            let exists: bool = redis::cmd("EXISTS").arg(nonce_key(prefix, key(1))).query(&mut server.admin()).unwrap();
            assert!(answer.is_ok() && exists, "{prefix:?}: {answer:?}");
        }
    }
    let size: usize = redis::cmd("DBSIZE").query(&mut server.admin()).unwrap();
    assert_eq!(size, 7);
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
    let mut admin = server.admin();
    let deadline = Instant::now() + RECOVERY;
    loop {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut admin).unwrap();
        if clients.lines().count() == 2 {
            break;
        }
        assert!(Instant::now() < deadline, "connections that were left are open: {clients}");
        sleep(Duration::from_millis(20)).await;
    }
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
    // Whether or not the question was heard in the end.
    assert_eq!(store.reserve(key(1), token, secs(60)).await, Ok(Reserved::Fresh));
    for id in [0, 1] {
        let answer = store.reserve(key(id), Token::unique(), secs(60)).await;
        assert!(matches!(answer, Ok(Reserved::InProgress { .. })), "{id}: {answer:?}");
    }
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
    let redis = connection(&server.url());
    let (store, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis));
    let (token, rate) = (Token::unique(), rate(1, Quota::per_hour(10), 1));
    assert_eq!(store.reserve(key(0), token, secs(60)).await, Ok(Reserved::Fresh));
    let used_up = self::rate(2, Quota::per_hour(1), 1);
    assert!(rates.check(used_up.key, &used_up.quotas, Charge::IfAllowed(1)).await.unwrap().is_allowed());
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..20 {
        assert_eq!(store.reserve(key(1), Token::unique(), secs(60)).await, Err(StoreError::Full));
        assert_eq!(store.reserve_within(&rate, key(1), Token::unique(), secs(60)).await, Err(StoreError::Full));
        assert_eq!(rates.check(rate.key, &rate.quotas, Charge::Debit(1)).await, Err(StoreError::Full));
    }
    assert!(matches!(store.reserve(key(0), Token::unique(), secs(60)).await, Ok(Reserved::InProgress { .. })));
    assert_eq!(store.release(key(0), token).await, Ok(()));
    let standing = rates.check(rate.key, &rate.quotas, Charge::Nothing).await.unwrap();
    assert_eq!(standing.full_in, [Duration::ZERO; Quotas::MOST], "nothing was counted");
    for charge in [Charge::Nothing, Charge::IfAllowed(1)] {
        let standing = rates.check(used_up.key, &used_up.quotas, charge).await;
        assert!(!standing.unwrap().is_allowed(), "what changes nothing needs no room: {charge:?}");
    }
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.reserve(key(0), Token::unique(), secs(60)).await, Ok(Reserved::Fresh));
}

#[tokio::test]
async fn what_others_wrote_under_our_keys_is_an_error_and_no_panic() {
    let Some((server, prefix, redis)) = shared() else { return };
    let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis));
    let rate = rate(1, Quota::per_hour(10), 1);
    nonces.reserve_within(&rate, key(1), Token::unique(), secs(10)).await.unwrap();
    let mut admin = server.admin();
    let keys = keys(&server, &prefix);
    assert_eq!(keys.len(), 2);
    for (kind, garbage) in [("LPUSH", "1"), ("SET", "garbage"), ("SET", "-1"), ("SET", "0x1p99"), ("SET", "nan 1")] {
        for name in &keys {
            redis::cmd("DEL").arg(name).exec(&mut admin).unwrap();
            redis::cmd(kind).arg(name).arg(garbage).exec(&mut admin).unwrap();
        }
        for charge in [Charge::IfAllowed(1), Charge::Nothing, Charge::Debit(1), Charge::Refund(1)] {
            let answer = rates.check(rate.key, &rate.quotas, charge).await;
            assert_eq!(answer, Err(StoreError::Unavailable), "{garbage} {charge:?}");
        }
        let answer = nonces.reserve_within(&rate, key(2), Token::unique(), secs(10)).await;
        assert_eq!(answer, Err(StoreError::Unavailable), "{garbage}");
        assert_eq!(self::keys(&server, &prefix).len(), 2, "{garbage}: a delivery was claimed whose sender is unknown");
        let token = Token::unique();
        assert_eq!(nonces.reserve(key(3), token, secs(10)).await, Ok(Reserved::Fresh), "others are not affected");
        nonces.release(key(3), token).await.unwrap();
    }
    let name = keys.iter().find(|name| name.contains("nonce")).unwrap();
    redis::cmd("DEL").arg(name).exec(&mut admin).unwrap();
    redis::cmd("LPUSH").arg(name).arg("garbage").exec(&mut admin).unwrap();
    let token = Token::unique();
    assert_eq!(nonces.reserve(key(1), token, secs(10)).await, Err(StoreError::Unavailable));
    assert_eq!(nonces.commit(key(1), token, secs(10)).await, Err(StoreError::Unavailable));
    assert_eq!(nonces.release(key(1), token).await, Err(StoreError::Unavailable));
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

#[tokio::test]
async fn what_the_way_to_the_server_does_costs_no_delivery_and_grants_none_twice() {
    let Some(server) = Server::start(&[]) else { return };
    for (fault, expected, is_claimed) in [
        (Fault::CutRequests(1), Ok(Reserved::Fresh), true),
        (Fault::CutAnswers(1), Ok(Reserved::Fresh), true),
        (Fault::CutRequests(2), Err(StoreError::Unavailable), false),
        (Fault::CutAnswers(2), Err(StoreError::Unavailable), true),
        (Fault::BlackHole, Err(StoreError::Unavailable), false),
        (Fault::Late(3 * TIMEOUT / 2), Err(StoreError::Unavailable), true),
        (Fault::Late(TIMEOUT / 20), Ok(Reserved::Fresh), true),
    ] {
        server.command(&["FLUSHALL"]);
        let proxy = Proxy::to(server.address()).await;
        let store = RedisNonceStore::new(connection(&proxy.url()));
        let beside = RedisNonceStore::new(connection(&server.url()));
        let (ours, theirs) = (Token::unique(), Token::unique());
        until_back(&store).await;

        proxy.fault(fault);
        assert_eq!(store.reserve(key(1), ours, secs(60)).await, expected, "{fault:?}");
        proxy.fault(Fault::None);
        let found = beside.reserve(key(1), theirs, secs(60)).await.unwrap();
        assert_eq!(matches!(found, Reserved::InProgress { .. }), is_claimed, "{fault:?}: {found:?}");
        beside.release(key(1), theirs).await.unwrap();

        assert_eq!(store.reserve(key(1), ours, secs(60)).await, Ok(Reserved::Fresh), "{fault:?}: it is its own");
        assert_eq!(store.commit(key(1), ours, secs(60)).await, Ok(()), "{fault:?}");
        assert_eq!(beside.reserve(key(1), theirs, secs(60)).await, Ok(Reserved::Done), "{fault:?}");
    }
}

#[tokio::test]
async fn commits_and_releases_may_be_asked_for_twice() {
    let Some(server) = Server::start(&[]) else { return };
    let proxy = Proxy::to(server.address()).await;
    let store = RedisNonceStore::new(connection(&proxy.url()));
    let token = Token::unique();
    for fault in [Fault::CutRequests(1), Fault::CutAnswers(1)] {
        store.reserve(key(1), token, secs(60)).await.unwrap();
        proxy.fault(fault);
        assert_eq!(store.release(key(1), token).await, Ok(()), "{fault:?}");
        assert_eq!(store.reserve(key(1), Token::unique(), Duration::ZERO).await, Ok(Reserved::Fresh), "{fault:?}");
    }
    for (id, fault) in [(2, Fault::CutRequests(1)), (3, Fault::CutAnswers(1))] {
        store.reserve(key(id), token, secs(60)).await.unwrap();
        proxy.fault(fault);
        assert_eq!(store.commit(key(id), token, secs(60)).await, Ok(()), "{fault:?}");
        assert_eq!(store.reserve(key(id), Token::unique(), secs(60)).await, Ok(Reserved::Done), "{fault:?}");
    }
}

#[tokio::test]
async fn a_reservation_that_nobody_learnt_of_ends_with_its_lease() {
    let Some(server) = Server::start(&[]) else { return };
    let proxy = Proxy::to(server.address()).await;
    let store = RedisNonceStore::new(connection(&proxy.url()).timeout(SHORT).unwrap());
    let beside = RedisNonceStore::new(connection(&server.url()));
    let lease = secs(2);
    until_back(&store).await;
    proxy.fault(Fault::Late(2 * SHORT));
    let began = Instant::now();
    assert_eq!(store.reserve(key(1), Token::unique(), lease).await, Err(StoreError::Unavailable));
    sleep(SHORT).await;
    assert!(matches!(beside.reserve(key(1), Token::unique(), secs(60)).await, Ok(Reserved::InProgress { .. })));
    until_free(&beside, key(1)).await;
    assert!(began.elapsed() >= lease && began.elapsed() < lease + RECOVERY, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_release_that_was_lost_is_made_again_long_before_the_lease_ends() {
    let Some(server) = Server::start(&[]) else { return };
    let proxy = Proxy::to(server.address()).await;
    let store = RedisNonceStore::new(connection(&proxy.url()));
    let (calls, sent) = (Calls::default(), Sent::standard("msg_1"));
    let lease = secs(60);
    let stack = WebhookLayer::builder(support::verifier(sent.scheme()))
        .with_clock(support::clock())
        .replay(store)
        .handler_timeout(secs(1), lease)
        .unwrap()
        .build()
        .unwrap();
    let lossy = Arc::new(proxy);
    let handler = calls.answering({
        let proxy = Arc::clone(&lossy);
        move |call| {
            // The first call fails, and the way to the server with it.
            proxy.fault(if call == 1 { Fault::CutRequests(2) } else { Fault::None });
            async move { support::with_status(if call == 1 { 500 } else { 200 }) }
        }
    });
    let service = ServiceBuilder::new().layer(stack).service(handler);
    let began = Instant::now();
    assert_eq!(send(&service, sent.request()).await.status, 500);
    let mut tries = 0;
    loop {
        sleep(Duration::from_millis(50)).await;
        let answer = send(&service, sent.request()).await;
        if answer.status == 200 {
            break;
        }
        assert!(answer.asks_to_retry(), "{answer:?}");
        assert!(began.elapsed() < RECOVERY, "{answer:?}");
        tries += 1;
    }
    eprintln!("handled after {:?}, and {tries} tries in vain", began.elapsed());
    assert!(tries > 0, "nothing was lost");
    assert_eq!(calls.count(), 2);
    assert!(send(&service, sent.request()).await.is_duplicate());
}

#[tokio::test]
async fn what_a_server_says_in_its_trouble_is_unavailability_until_a_good_one_answers() {
    const HUGE: &[u8] = b"$9223372036854775807\r\nx";
    let Some((server, ..)) = shared() else { return };
    let mut cases = JoinSet::new();
    for (index, (answer, error)) in [
        (&b"-LOADING Redis is loading the dataset in memory\r\n"[..], StoreError::Unavailable),
        (b"-READONLY You can't write against a read only replica.\r\n", StoreError::Unavailable),
        (b"-MOVED 3999 127.0.0.1:1\r\n", StoreError::Unavailable),
        (b"-ASK 3999 127.0.0.1:1\r\n", StoreError::Unavailable),
        (b"-CLUSTERDOWN The cluster is down\r\n", StoreError::Unavailable),
        (b"-NOAUTH Authentication required.\r\n", StoreError::Unavailable),
        (b"-NOPERM this user has no permissions\r\n", StoreError::Unavailable),
        (b"-NOSCRIPT No matching script.\r\n", StoreError::Unavailable),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", StoreError::Full),
        (b"-\r\n", StoreError::Unavailable),
        (b"garbage\r\n", StoreError::Unavailable),
        (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", StoreError::Unavailable),
        (b"\x16\x03\x01\x00\xff\xff\x00", StoreError::Unavailable),
        (b"+OK\r\n", StoreError::Unavailable),
        (b"$-1\r\n", StoreError::Unavailable),
        (b"*0\r\n", StoreError::Unavailable),
        (b"*2\r\n:99\r\n:-1\r\n", StoreError::Unavailable),
        (b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n", StoreError::Unavailable),
        (HUGE, StoreError::Unavailable),
        (b"*9223372036854775807\r\n:1\r\n", StoreError::Unavailable),
        (b"%9223372036854775807\r\n:1\r\n", StoreError::Unavailable),
        (b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", StoreError::Unavailable),
        (b"", StoreError::Unavailable),
    ]
    .into_iter()
    .enumerate()
    {
        for is_polite in [true, false] {
            let good = server.address();
            cases.spawn(async move {
                let what = format!("{:?}, polite: {is_polite}", String::from_utf8_lossy(answer));
                let proxy = Proxy::to(fake_server(answer, is_polite).await).await;
                let patient =
                    connection(&proxy.url()).timeout(secs(10)).unwrap().prefix(format!("{index}-{is_polite}"));
                let redis = match error {
                    StoreError::Full => patient.clone(),
                    _ => patient.clone().timeout(SHORT).unwrap(),
                };
                let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis.clone()));
                let (token, rate) = (Token::unique(), rate(1, Quota::per_hour(1), 1));
                assert_eq!(nonces.reserve(key(1), token, secs(60)).await, Err(error), "{what}");
                assert_eq!(rates.check(rate.key, &rate.quotas, Charge::Nothing).await.err(), Some(error), "{what}");
                assert_eq!(nonces.reserve_within(&rate, key(1), token, secs(60)).await, Err(error), "{what}");
                for _ in 0..20 {
                    assert_eq!(nonces.reserve(key(1), token, secs(60)).await, Err(error), "{what}");
                }
                assert_eq!(redis.check().await, Err(RedisProblem::Unavailable), "{what}");

                proxy.lead_to(good);
                if error == StoreError::Full {
                    // It has answered, so nothing but its end makes anybody look for another.
                    proxy.cut();
                }
                until_back(&nonces).await;
                let nonces = RedisNonceStore::new(patient.clone());
                assert_eq!(nonces.reserve(key(1), token, secs(60)).await, Ok(Reserved::Fresh), "{what}");
                assert_eq!(patient.check().await, Ok(()), "{what}");
            });
        }
    }
    cases.join_all().await;
}

#[tokio::test]
async fn a_server_that_makes_room_forgets_deliveries_and_the_check_says_so() {
    let Some(server) = Server::start(&["--maxmemory-policy", "allkeys-lru"]) else { return };
    let redis = connection(&server.url());
    let store = RedisNonceStore::new(redis.clone());
    let mut admin = server.admin();
    assert_eq!(redis.check().await, Ok(()), "without a limit it never makes room");
    let info: String = redis::cmd("INFO").arg("memory").query(&mut admin).unwrap();
    let used: usize = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse().unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", &(used + (1 << 20)).to_string()]);

    let token = Token::unique();
    store.reserve(key(1), token, secs(60)).await.unwrap();
    store.commit(key(1), token, secs(600)).await.unwrap();
    assert_eq!(store.reserve(key(1), Token::unique(), secs(60)).await, Ok(Reserved::Done));
    let forgotten = (0..100_000).position(|other: usize| {
        redis::cmd("SET").arg(format!("other:{other}")).arg("x".repeat(1000)).exec(&mut admin).unwrap();
        let exists: bool =
            redis::cmd("EXISTS").arg(nonce_key(RedisConnection::DEFAULT_PREFIX, key(1))).query(&mut admin).unwrap();
        !exists
    });
    assert!(forgotten.is_some(), "it has not made room");
    assert_eq!(store.reserve(key(1), Token::unique(), secs(60)).await, Ok(Reserved::Fresh), "a replay");
    for policy in ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"] {
        server.command(&["CONFIG", "SET", "maxmemory-policy", policy]);
        assert_eq!(redis.check().await, Err(RedisProblem::Forgets { policy: policy.to_owned() }));
    }
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert_eq!(redis.check().await, Ok(()));
}

#[tokio::test]
async fn the_check_says_what_keeps_stores_from_working() {
    let Some(mut server) = Server::start(&[]) else { return };
    let problem = async |name: &str| {
        let url = server.url().replace("redis://", &format!("redis://{name}:password@"));
        connection(&url).check().await
    };
    for (name, rights, expected) in [
        ("all", "+@all", Ok(())),
        ("stores", "+get +set +del +pttl +time +info +evalsha +eval", Ok(())),
        ("silent", "+get +set +del +pttl +time +evalsha +eval", Err(RedisProblem::Unknown)),
        ("reader", "+get +time +info +evalsha +eval", Err(RedisProblem::Unavailable)),
        ("nobody", "", Err(RedisProblem::Unavailable)),
    ] {
        let user: Vec<_> = [name, "on", ">password", "~*"].into_iter().chain(rights.split_whitespace()).collect();
        redis::cmd("ACL").arg("SETUSER").arg(user).exec(&mut server.admin()).unwrap();
        assert_eq!(problem(name).await, expected, "{name}");
    }
    assert_eq!(problem("unknown").await, Err(RedisProblem::Unavailable));
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(
        connection(&server.url()).check().await,
        Err(RedisProblem::Unavailable),
        "a replica cannot be written to"
    );
    server.kill();
    assert_eq!(connection(&server.url()).check().await, Err(RedisProblem::Unavailable));
}

#[cfg(feature = "redis-tls")]
#[tokio::test]
async fn over_tls_the_server_must_be_who_a_trusted_authority_says_it_is() {
    let (ours, others) = (https::authority("ours"), https::authority("others"));
    for (name, trusted, expected) in [
        ("127.0.0.1", Some(&ours), Ok(Reserved::Fresh)),
        ("127.0.0.1", Some(&others), Err(StoreError::Unavailable)),
        ("127.0.0.1", None, Err(StoreError::Unavailable)),
        ("redis.test", Some(&ours), Err(StoreError::Unavailable)),
    ] {
        let certified = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&certified, &ours).unwrap().pem();
        let port = redis_server::free_port().to_string();
        let files = [("certificate.pem", &*certificate), ("key.pem", &*certified.serialize_pem())];
        let tls = ["--tls-port", &port, "--tls-cert-file", "certificate.pem", "--tls-key-file", "key.pem"];
        let options = [&tls[..], &["--tls-ca-cert-file", "certificate.pem", "--tls-auth-clients", "no"]].concat();
        let Some(_server) = Server::start_with(&files, &options) else { return };
        let url = format!("rediss://127.0.0.1:{port}");
        let redis = match trusted {
            Some(authority) => RedisConnection::open_trusting(&url, &authority.pem()),
            None => RedisConnection::open(&url),
        };
        let redis = redis.unwrap().timeout(TIMEOUT).unwrap();
        let store = RedisNonceStore::new(redis.clone());
        assert_eq!(store.reserve(key(1), Token::unique(), secs(60)).await, expected, "{name}");
        assert_eq!(redis.check().await.is_ok(), expected.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn in_a_cluster_a_prefix_in_braces_keeps_a_delivery_and_its_sender_together() {
    let Some(server) = Server::start(&["--cluster-enabled", "yes"]) else { return };
    let slots: Vec<String> = (0..16_384).map(|slot: u16| slot.to_string()).collect();
    redis::cmd("CLUSTER").arg("ADDSLOTS").arg(slots).exec(&mut server.admin()).unwrap();
    let redis = connection(&server.url());
    until_back(&RedisNonceStore::new(redis.clone())).await;
    let rate = rate(1, Quota::per_hour(1), 1);
    for (prefix, expected) in [
        ("{hooks}", Ok(Reserved::Fresh)),
        ("app:{hooks}:{one}", Ok(Reserved::Fresh)),
        ("hooks", Err(StoreError::Unavailable)),
        ("{}hooks", Err(StoreError::Unavailable)),
    ] {
        let redis = redis.clone().prefix(prefix);
        let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis));
        assert_eq!(nonces.reserve_within(&rate, key(1), Token::unique(), secs(60)).await, expected, "{prefix}");
        assert!(rates.check(sender(2), &rate.quotas, Charge::IfAllowed(1)).await.unwrap().is_allowed(), "{prefix}");
        assert_eq!(nonces.reserve(key(2), Token::unique(), secs(60)).await, Ok(Reserved::Fresh), "{prefix}");
    }
}

/// Each delivery is sent until it is answered with success, as providers do, by senders that hang up when they have waited for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_the_server_each_delivery_is_handled_once() {
    const SENDERS: usize = 12;
    const EACH: usize = 25;
    const LEASE: Duration = secs(6);
    let Some(mut server) = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let redis = connection(&server.url()).timeout(Duration::from_millis(300)).unwrap();
    let handled = Arc::<Mutex<HashMap<String, usize>>>::default();
    let handler = service_fn({
        let handled = Arc::clone(&handled);
        move |request: Request<Verified>| {
            let id = request.body().delivery().id().unwrap().to_owned();
            let handled = Arc::clone(&handled);
            async move {
                sleep(Duration::from_millis(10)).await;
                *handled.lock().unwrap().entry(id).or_default() += 1;
                Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
            }
        }
    });
    let rates = RedisRateStore::new(redis.clone());
    let stack = WebhookLayer::builder(support::verifier(Sent::standard("").scheme()))
        .with_clock(support::clock())
        .rate_limit(RateLimitLayer::new(Quota::per_second(100_000), ClientAddr::new(), rates))
        .replay(RedisNonceStore::new(redis))
        .handler_timeout(secs(1), LEASE)
        .unwrap()
        .build()
        .unwrap();
    let service = ServiceBuilder::new().layer(stack).service(handler);

    let began = Instant::now();
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let (service, handled) = (service.clone(), Arc::clone(&handled));
        senders.spawn(async move {
            let (mut tries, mut longest) = (0, Duration::ZERO);
            for delivery in 0..EACH {
                let id = format!("msg_{sender}_{delivery}");
                let sent = Sent::standard(&id);
                let first = Instant::now();
                loop {
                    tries += 1;
                    let mut request = sent.request();
                    request.extensions_mut().insert(PeerAddr(([127, 0, 0, 1], 1).into()));
                    match timeout(secs(3), send(&service, request)).await {
                        Ok(answer) if answer.status.is_success() => break,
                        Ok(answer) => assert!(answer.asks_to_retry(), "{id}: {answer:?}"),
                        Err(_) => {}
                    }
                    sleep(Duration::from_millis(50 + 7 * sender as u64)).await;
                }
                assert!(handled.lock().unwrap().contains_key(&id), "{id} was answered with success and not handled");
                longest = longest.max(first.elapsed());
                sleep(Duration::from_millis(200)).await;
            }
            (tries, longest)
        });
    }

    let pause = |millis| sleep(Duration::from_millis(millis));
    for _ in 0..3 {
        pause(100).await;
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        server.command(&["SCRIPT", "FLUSH"]);
    }
    server.command(&["CLIENT", "PAUSE", "700", "ALL"]);
    pause(1000).await;
    server.stop();
    pause(800).await;
    server.go_on();
    pause(1200).await;
    for downtime in [0, 400] {
        server.kill();
        pause(downtime).await;
        server.restart();
        pause(700).await;
    }
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);

    let (tries, waits): (Vec<_>, Vec<_>) = senders.join_all().await.into_iter().unzip();
    let (tries, longest): (usize, _) = (tries.iter().sum(), waits.iter().max().unwrap());
    eprintln!(
        "{} deliveries in {tries} tries within {:?}; the longest took {longest:?}",
        SENDERS * EACH,
        began.elapsed()
    );
    let handled = handled.lock().unwrap();
    assert_eq!(handled.len(), SENDERS * EACH);
    assert!(handled.values().all(|times| *times == 1), "{handled:?}");
    assert!(tries > SENDERS * EACH, "nothing ever failed");
    assert!(began.elapsed() < 5 * LEASE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_delivery_and_its_sender_are_asked_about_in_one_question() {
    let Some((server, prefix, redis)) = shared() else { return };
    let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis));
    let rate = rate(1, [Quota::per_hour(3), Quota::per_day(100)], 2);
    let within = async |id, token| nonces.reserve_within(&rate, key(id), token, secs(60)).await.unwrap();
    let used = async || {
        let standing = rates.check(rate.key, &rate.quotas, Charge::Nothing).await.unwrap();
        rate.quotas.as_slice()[0].burst() - rate.quotas.as_slice()[0].remaining(standing.full_in[0])
    };
    let [first, second, third] = [(); 3].map(|()| Token::unique());
    assert_eq!(used().await, 0);
    assert_eq!(keys(&server, &prefix).len(), 0, "asking writes nothing");
    assert_eq!(within(1, first).await, Reserved::Fresh);
    assert_eq!(used().await, 2, "it costs what it is to cost, in the account of the rate store");
    assert!(matches!(within(2, second).await, Reserved::Limited { retry_after } if retry_after > secs(1190)));
    assert_eq!(nonces.reserve(key(2), third, Duration::ZERO).await, Ok(Reserved::Fresh), "nothing was claimed");
    assert_eq!(used().await, 2, "nothing was counted");
    assert_eq!(within(1, first).await, Reserved::Fresh, "its own");
    assert!(matches!(within(1, second).await, Reserved::InProgress { .. }));
    nonces.commit(key(1), first, secs(60)).await.unwrap();
    assert_eq!(within(1, second).await, Reserved::Done);
    assert_eq!(used().await, 2, "what is known already costs nothing, whatever the rate");
    rates.check(rate.key, &rate.quotas, Charge::Refund(2)).await.unwrap();
    assert_eq!(within(2, second).await, Reserved::Fresh);
    nonces.release(key(2), second).await.unwrap();
    assert!(matches!(within(2, third).await, Reserved::Limited { .. }), "a release refunds nothing");
}

#[tokio::test]
async fn accounts_that_hold_one_number_are_the_first_quotas() {
    let Some((server, prefix, redis)) = shared() else { return };
    let rates = RedisRateStore::new(redis);
    let quotas = Quotas::from([Quota::per_hour(2), Quota::per_day(2)]);
    let mut admin = server.admin();
    let (secs, micros): (u64, u64) = redis::cmd("TIME").query(&mut admin).unwrap();
    let due = secs * 1_000_000 + micros + 3_600_000_000;
    redis::cmd("SET").arg(format!("{prefix}:rate:{{{:032x}}}", sender(1).as_u128())).arg(due).exec(&mut admin).unwrap();
    let standing = rates.check(sender(1), &quotas, Charge::Nothing).await.unwrap();
    assert_eq!(standing.verdict, Verdict::Limited { retry_after: standing.full_in[0] - Duration::from_secs(1800) });
    assert!(standing.full_in[0] > Duration::from_secs(3590) && standing.full_in[1].is_zero(), "{standing:?}");
}

#[test]
fn a_server_whose_clock_is_set_back_locks_nobody_out() {
    let Some((server, prefix, _)) = shared() else { return };
    let mut accounts = AtGivenTime::new(&server, &prefix);
    let quotas = Quotas::from(Quota::per_second(1).allow_burst(3));
    let mut wait = |charge, now: u64| accounts.settle(1, &quotas, charge, now * 1_000_000)[0];
    for charge in [Charge::IfAllowed(1), Charge::Nothing] {
        wait(Charge::Debit(3), support::NOW);
        assert_eq!(wait(charge, support::NOW), 1_000_000, "{charge:?}");
        let earlier = support::NOW - 86_400;
        assert_eq!(wait(charge, earlier), 1_000_000, "{charge:?}: one interval, and not a day");
        assert_eq!(wait(charge, earlier + 1), 0, "{charge:?}: and it passes");
        assert_eq!(wait(charge, support::NOW + 86_400), 0, "{charge:?}");
    }
}

proptest! {
    #![proptest_config(support::property())]

    #[test]
    fn the_rate_script_settles_as_quotas_do(
        all in prop::collection::vec(quota(), 4),
        steps in prop::collection::vec((0_u8..3, 1_usize..=4, charge(), 0_u64..40_000_000), 1..60),
    ) {
        let Some((server, prefix, _)) = shared() else { return Ok(()) };
        let mut in_redis = AtGivenTime::new(&server, &prefix);
        let mut accounts = [[0; Quotas::MOST]; 3];
        let mut now = support::NOW * 1_000_000;
        for (sender, len, charge, wait) in steps {
            now += wait;
            let quotas = first(len, &all);
            let expected = quotas.settle(&mut accounts[usize::from(sender)], now * 1000, charge);
            let wait = match expected.verdict {
                Verdict::Allowed => Duration::ZERO,
                Verdict::Limited { retry_after } => retry_after,
            };
            let times = [&[wait], &expected.full_in[..len]].concat();
            let answer = in_redis.settle(sender, &quotas, charge, now);
            prop_assert_eq!(answer.into_iter().map(Duration::from_micros).collect::<Vec<_>>(), times, "{:?}", charge);
        }
    }

    #[test]
    fn rates_in_redis_are_settled_as_quotas_do(
        quotas in prop::collection::vec(1_u32..30, 1..=4),
        bursts in prop::collection::vec(0_u32..20, 4),
        charges in prop::collection::vec(charge(), 1..30),
    ) {
        let Some((_server, _, redis)) = shared() else { return Ok(()) };
        let rates = RedisRateStore::new(redis);
        // So slow that the time that the test takes changes no verdict.
        let quotas: Vec<_> = quotas.iter().zip(bursts).map(|(a, burst)| Quota::per_day(*a).allow_burst(burst)).collect();
        let quotas = first(quotas.len(), &quotas);
        let mut account = [0; Quotas::MOST];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let began = Instant::now();
        for charge in charges {
            let expected = quotas.settle(&mut account, 0, charge);
            let answer = runtime.block_on(rates.check(sender(1), &quotas, charge)).unwrap();
            prop_assert_eq!(answer.is_allowed(), expected.is_allowed(), "{:?}: {:?}, {:?}", charge, answer, expected);
            // Times are rounded up to microseconds once for each request.
            let rounding = Duration::from_micros(1000);
            for (answer, expected) in answer.full_in.into_iter().zip(expected.full_in) {
                prop_assert!(answer <= expected + rounding && answer + began.elapsed() >= expected);
            }
        }
    }

    #[test]
    fn reservations_within_a_rate_agree_with_a_model(
        all in prop::collection::vec(quota(), 2),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let Some((server, prefix, redis)) = shared() else { return Ok(()) };
        let nonces = RedisNonceStore::new(redis);
        let mut in_redis = AtGivenTime::new(&server, &prefix);
        let tokens = [(); 3].map(|()| Token::unique());
        let quotas = first(2, &all);
        let mut held = HashMap::<usize, Option<usize>>::new();
        let mut accounts = [[0; Quotas::MOST]; 2];
        let mut now = support::NOW * 1_000_000;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for step in steps {
            match step {
                Step::Wait(micros) => now += micros,
                Step::Within { id, token, sender, cost } => {
                    let expected = match held.get(&id) {
                        Some(None) => Reserved::Done,
                        Some(Some(holder)) if *holder == token => Reserved::Fresh,
                        Some(Some(_)) => Reserved::InProgress { retry_after: secs(600) },
                        None => match quotas.settle(&mut accounts[sender], now * 1000, Charge::IfAllowed(cost)).verdict {
                            Verdict::Limited { retry_after } => Reserved::Limited { retry_after },
                            Verdict::Allowed => {
                                held.insert(id, Some(token));
                                Reserved::Fresh
                            }
                        },
                    };
                    let answer = in_redis.reserve_within(sender, &quotas, cost, key(id), tokens[token], now);
                    prop_assert_eq!(answer, expected, "{:?}", step);
                }
                Step::Reserve { id, token } => {
                    let expected = match held.get(&id) {
                        Some(None) => Reserved::Done,
                        Some(Some(holder)) if *holder != token => Reserved::InProgress { retry_after: secs(600) },
                        _ => Reserved::Fresh,
                    };
                    if expected == Reserved::Fresh {
                        held.insert(id, Some(token));
                    }
                    let answer = runtime.block_on(nonces.reserve(key(id), tokens[token], secs(600))).unwrap();
                    prop_assert_eq!(to_lease(answer), expected, "{:?}", step);
                }
                Step::Commit { id, token } => {
                    if matches!(held.get(&id), None | Some(Some(_))) && held.get(&id).is_none_or(|holder| *holder == Some(token)) {
                        held.insert(id, None);
                    }
                    runtime.block_on(nonces.commit(key(id), tokens[token], secs(600))).unwrap();
                }
                Step::Release { id, token } => {
                    if held.get(&id) == Some(&Some(token)) {
                        held.remove(&id);
                    }
                    runtime.block_on(nonces.release(key(id), tokens[token])).unwrap();
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Within { id: usize, token: usize, sender: usize, cost: u32 },
    Reserve { id: usize, token: usize },
    Commit { id: usize, token: usize },
    Release { id: usize, token: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (id, token) = (0_usize..5, 0_usize..3);
    prop_oneof![
        2 => (0_u64..40_000_000).prop_map(Step::Wait),
        4 => (id.clone(), token.clone(), 0_usize..2, 0_u32..4)
            .prop_map(|(id, token, sender, cost)| Step::Within { id, token, sender, cost }),
        1 => (id.clone(), token.clone()).prop_map(|(id, token)| Step::Reserve { id, token }),
        1 => (id.clone(), token.clone()).prop_map(|(id, token)| Step::Commit { id, token }),
        2 => (id, token).prop_map(|(id, token)| Step::Release { id, token }),
    ]
}

/// Of those whose interval is whole microseconds, as in Redis.
fn quota() -> impl Strategy<Value = Quota> {
    let requests = prop::sample::select(vec![0_u32, 1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100]);
    let period = prop::sample::select(vec![Quota::per_second as fn(u32) -> Quota, Quota::per_minute, Quota::per_hour]);
    (requests, period, 0_u32..20).prop_map(|(requests, per, burst)| per(requests).allow_burst(burst))
}

fn charge() -> impl Strategy<Value = Charge> {
    prop_oneof![
        4 => (0_u32..25).prop_map(Charge::IfAllowed),
        2 => Just(Charge::Nothing),
        2 => (0_u32..25).prop_map(Charge::Debit),
        2 => (0_u32..25).prop_map(Charge::Refund),
    ]
}

fn first(len: usize, quotas: &[Quota]) -> Quotas {
    match quotas[..len] {
        [a] => a.into(),
        [a, b] => [a, b].into(),
        [a, b, c] => [a, b, c].into(),
        [a, b, c, d] => [a, b, c, d].into(),
        _ => panic!("{len} quotas"),
    }
}

/// The scripts, told the time instead of asking the server, whose own clock must then expire no account.
struct AtGivenTime<'a> {
    settle: Script,
    reserve_within: Script,
    prefix: &'a str,
    admin: redis::Connection,
}

impl<'a> AtGivenTime<'a> {
    fn new(server: &Server, prefix: &'a str) -> Self {
        const SETTLE: &str = include_str!("../src/store/redis/settle.lua");
        const CLAIM: &str = include_str!("../src/store/redis/claim.lua");
        let mut settle = SETTLE.to_owned();
        for (original, ours) in [
            ("redis.call('TIME')", "{ KEYS[#KEYS - 1], KEYS[#KEYS] }"),
            (", 'PX', string.format('%.0f', math.ceil(life / 1000))", ""),
        ] {
            assert_eq!(settle.matches(original).count(), 1, "{original}");
            settle = settle.replace(original, ours);
        }
        Self {
            reserve_within: Script::new(
                &[&settle, CLAIM, include_str!("../src/store/redis/reserve_within.lua")].concat(),
            ),
            settle: Script::new(&[&settle, include_str!("../src/store/redis/rate.lua")].concat()),
            prefix,
            admin: server.admin(),
        }
    }

    /// The time to wait and the times until each quota is whole, in microseconds.
    fn settle(&mut self, sender: u8, quotas: &Quotas, charge: Charge, now: u64) -> Vec<u64> {
        let mut invocation = self.settle.key(format!("{}:rate:{sender}", self.prefix));
        invocation.key(now / 1_000_000).key(now % 1_000_000).arg(told(quotas, charge));
        invocation.invoke(&mut self.admin).unwrap()
    }

    /// For a lease of ten minutes.
    fn reserve_within(
        &mut self,
        sender: usize,
        quotas: &Quotas,
        cost: u32,
        key: ReplayKey,
        token: Token,
        now: u64,
    ) -> Reserved {
        let mut invocation = self.reserve_within.key(nonce_key(self.prefix, key));
        invocation.key(format!("{}:rate:{sender}", self.prefix)).key(now / 1_000_000).key(now % 1_000_000);
        invocation.arg(format!("{:032x}", token.as_u128())).arg(600_000);
        invocation.arg(told(quotas, Charge::IfAllowed(cost)));
        let (what, micros): (u8, u64) = invocation.invoke(&mut self.admin).unwrap();
        let retry_after = Duration::from_micros(micros);
        match what {
            0 => Reserved::Fresh,
            1 => to_lease(Reserved::InProgress { retry_after }),
            2 => Reserved::Done,
            _ => Reserved::Limited { retry_after },
        }
    }
}

/// What the script is to be told of a charge.
fn told(quotas: &Quotas, charge: Charge) -> Vec<i64> {
    let (must_fit, requests) = match charge {
        Charge::IfAllowed(requests) => (1, i64::from(requests)),
        Charge::Debit(requests) => (0, i64::from(requests)),
        Charge::Refund(requests) => (0, -i64::from(requests)),
        Charge::Nothing => (0, 0),
    };
    let mut told = vec![must_fit];
    for quota in quotas.as_slice() {
        let micros = i64::try_from(quota.interval().unwrap_or(quota.period()).as_micros()).unwrap();
        told.extend(match quota.interval() {
            Some(_) => {
                let burst = i64::from(quota.burst());
                [micros, micros * burst, micros * requests.clamp(-burst, burst)]
            }
            None => [micros, 0, micros],
        });
    }
    told
}

/// The whole lease is left, as far as the test looks.
fn to_lease(answer: Reserved) -> Reserved {
    match answer {
        Reserved::InProgress { retry_after } if retry_after > secs(500) => {
            Reserved::InProgress { retry_after: secs(600) }
        }
        answer => answer,
    }
}

/// The key of the delivery of this number.
fn key(id: usize) -> ReplayKey {
    ReplayKey::of([&id.to_be_bytes()[..]])
}

fn nonce_key(prefix: &str, key: ReplayKey) -> String {
    let digest: String = key.as_bytes()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}:nonce:{{{digest}}}")
}

fn sender(number: u8) -> RateKey {
    RateKey::of([&[number][..]])
}

fn rate(number: u8, quotas: impl Into<Quotas>, cost: u32) -> Rate {
    Rate { key: sender(number), quotas: quotas.into(), cost }
}

fn connection(url: &str) -> RedisConnection {
    RedisConnection::open(url).unwrap().timeout(TIMEOUT).unwrap()
}

fn keys(server: &Server, prefix: &str) -> Vec<String> {
    redis::cmd("KEYS").arg(format!("{prefix}:*")).query(&mut server.admin()).unwrap()
}

/// How many milliseconds each key has left.
fn lives(server: &Server, prefix: &str) -> Vec<i64> {
    let mut admin = server.admin();
    keys(server, prefix).iter().map(|key| redis::cmd("PTTL").arg(key).query(&mut admin).unwrap()).collect()
}

/// Asks until the server answers, which it must before long.
async fn until_back(store: &RedisNonceStore) {
    let began = Instant::now();
    while store.reserve(ReplayKey::of([&b"probe"[..]]), Token::unique(), Duration::ZERO).await.is_err() {
        assert!(began.elapsed() < RECOVERY, "not back after {RECOVERY:?}");
        sleep(Duration::from_millis(20)).await;
    }
    eprintln!("{}: back after {:?}", std::thread::current().name().unwrap_or_default(), began.elapsed());
}

async fn until_free(store: &RedisNonceStore, key: ReplayKey) {
    while store.reserve(key, Token::unique(), Duration::ZERO).await != Ok(Reserved::Fresh) {
        sleep(Duration::from_millis(20)).await;
    }
}
