//! What asking Redis costs: a sender's rate and a delivery's nonce in two questions, and in one.
//!
//! `cargo bench --bench redis`, with a `redis-server` to start; another one, such as `valkey-server`, if `TEST_REDIS_SERVER` names it.

#[path = "../tests/support/redis_server.rs"]
mod redis_server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use tokio::{runtime::Runtime, task::JoinSet};
use tower_webhook::store::{
    Charge, LimitingNonceStore, NonceStore, Quota, Rate, RateKey, RateStore, RedisConnection, RedisNonceStore,
    RedisRateStore, ReplayKey, Reserved, Token,
};

/// Long enough for a handler, and short enough for a server that is asked about millions of deliveries.
const LEASE: Duration = Duration::from_secs(10);

fn redis(criterion: &mut Criterion) {
    let Some(server) = redis_server::Server::start(&[]) else { return };
    let runtime = Runtime::new().expect("a runtime");
    let redis = RedisConnection::open(&server.url()).expect("a good URL");
    let (nonces, rates) = (RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis));
    let quotas = [Quota::per_second(1_000_000), Quota::per_day(u32::MAX)].into();
    let rate = Rate { key: RateKey::of([&b"sender"[..]]), quotas, cost: 1 };

    let reserve = {
        let nonces = nonces.clone();
        move |key| {
            let nonces = nonces.clone();
            async move { assert_eq!(nonces.reserve(key, Token::unique(), LEASE).await, Ok(Reserved::Fresh)) }
        }
    };
    let check = move |_| {
        let rates = rates.clone();
        async move {
            let standing = rates.check(rate.key, &rate.quotas, Charge::IfAllowed(rate.cost)).await;
            assert!(standing.expect("an answer").is_allowed());
        }
    };
    let both = {
        let (check, reserve) = (check.clone(), reserve.clone());
        move |key| {
            let (checked, reserved) = (check(key), reserve(key));
            async move {
                checked.await;
                reserved.await;
            }
        }
    };
    let within = move |key| {
        let nonces = nonces.clone();
        async move { assert_eq!(nonces.reserve_within(&rate, key, Token::unique(), LEASE).await, Ok(Reserved::Fresh)) }
    };

    for tasks in [1, 32] {
        let mut group = criterion.benchmark_group(format!("{tasks} at once"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("nonce", |bencher| measure(bencher, &runtime, tasks, &reserve));
        group.bench_function("rate", |bencher| measure(bencher, &runtime, tasks, &check));
        group.bench_function("rate, then nonce", |bencher| measure(bencher, &runtime, tasks, &both));
        group.bench_function("rate and nonce in one", |bencher| measure(bencher, &runtime, tasks, &within));
        group.finish();
    }
}

/// Times questions about deliveries that nobody has asked about before; so many tasks ask one after the other.
fn measure<F, Asked>(bencher: &mut Bencher<'_>, runtime: &Runtime, tasks: u64, ask: &F)
where
    F: Fn(ReplayKey) -> Asked + Clone + Send + 'static,
    Asked: Future<Output = ()> + Send + 'static,
{
    static NEXT: AtomicU64 = AtomicU64::new(0);
    bencher.iter_custom(|questions| {
        runtime.block_on(async {
            let left = Arc::new(AtomicU64::new(questions));
            let began = Instant::now();
            let mut asking = JoinSet::new();
            for _ in 0..tasks {
                let (left, ask) = (Arc::clone(&left), ask.clone());
                asking.spawn(async move {
                    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                        let id = NEXT.fetch_add(1, Ordering::Relaxed);
                        ask(ReplayKey::of([&id.to_be_bytes()[..]])).await;
                    }
                });
            }
            asking.join_all().await;
            began.elapsed()
        })
    });
}

criterion_group!(benches, redis);
criterion_main!(benches);
