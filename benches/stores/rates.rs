//! Limiters: each asked whether one more request of an address is let through.

use std::{
    collections::HashMap,
    future::{Future, Ready},
    hash::{BuildHasher, RandomState},
    net::Ipv4Addr,
    num::NonZero,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use criterion::Criterion;
use governor::{DefaultKeyedRateLimiter, RateLimiter};
use tower_webhook::store::{Charge, MemoryRateStore, Quota, Quotas, RateKey, RateStore};

use crate::{SIZES, bench, bytes, pauses};

pub(crate) fn times(criterion: &mut Criterion) {
    for size in SIZES {
        let keys = keys(size);
        times_of::<Sets>(criterion, &keys);
        times_of::<ShardedMaps>(criterion, &keys);
        times_of::<Governor>(criterion, &keys);
        times_of::<Moka>(criterion, &keys);
    }
}

fn times_of<L: Limiter>(criterion: &mut Criterion, keys: &[RateKey]) {
    let limiter = L::with_capacity(keys.len() * 2);
    keys.iter().for_each(|key| assert!(limiter.check(key)));
    bench(criterion, "check", L::NAME, keys, |key| limiter.check(key));
}

pub(crate) fn table() {
    println!("\nrates: a million senders come, into a store for as many; then ten million, into a store for 100 000");
    println!(
        "{:>24} {:>14} {:>14} {:>14} {:>14} {:>14}",
        "", "bytes each", "at most", "ns each", "worst us", "flood, bytes"
    );
    let (keys, flood) = (keys(1_000_000), keys(10_000_000));
    row::<Sets>(&keys, &flood);
    row::<ShardedMaps>(&keys, &flood);
    row::<Governor>(&keys, &flood);
    row::<Moka>(&keys, &flood);
}

fn row<L: Limiter>(keys: &[RateKey], flood: &[RateKey]) {
    let (kept, most) = bytes(keys, || L::with_capacity(keys.len()), L::check);
    let (worst, mean) = pauses(keys, || L::with_capacity(keys.len()), L::check);
    let [kept, most] = [kept, most].map(|bytes| bytes.div_ceil(keys.len() as u64));
    let flooded = bytes(flood, || L::with_capacity(100_000), L::check).1;
    println!("{:>24} {kept:>14} {most:>14} {:>14} {:>14} {flooded:>14}", L::NAME, mean.as_nanos(), worst.as_micros());
}

/// Addresses without order, each once.
fn keys(count: usize) -> Vec<RateKey> {
    let bits = |number: u32| number.wrapping_mul(0x9e37_79b1);
    (0..count as u32).map(|number| RateKey::address(Ipv4Addr::from_bits(bits(number)).into())).collect()
}

/// One a minute, so that no account is whole again soon; and so much at once that nobody is refused, as a refusal takes less.
const PER_HOUR: u32 = 60;
const BURST: u32 = 200_000_000;

trait Limiter: Sync {
    const NAME: &str;

    fn with_capacity(senders: usize) -> Self;
    fn check(&self, key: &RateKey) -> bool;
}

/// Ours.
struct Sets(MemoryRateStore, Quotas);

impl Limiter for Sets {
    const NAME: &str = "sets of cells (ours)";

    fn with_capacity(senders: usize) -> Self {
        Self(MemoryRateStore::with_capacity(senders), Quota::per_hour(PER_HOUR).allow_burst(BURST).into())
    }

    fn check(&self, key: &RateKey) -> bool {
        at_once(self.0.check(*key, &self.1, Charge::IfAllowed(1))).is_ok_and(|standing| standing.is_allowed())
    }
}

/// Standard maps behind locks, swept when they are full, but once a second; who finds no room is let through here.
struct ShardedMaps {
    shards: Vec<Mutex<Shard>>,
    capacity: usize,
    hasher: RandomState,
    begun: Instant,
    quotas: Quotas,
}

#[derive(Default)]
struct Shard {
    accounts: HashMap<u128, [u64; 1]>,
    sweep_at: u64,
}

impl Limiter for ShardedMaps {
    const NAME: &str = "sharded maps";

    fn with_capacity(senders: usize) -> Self {
        Self {
            shards: (0..64).map(|_| Mutex::default()).collect(),
            capacity: senders / 64 + 1,
            hasher: RandomState::new(),
            begun: Instant::now(),
            quotas: Quota::per_hour(PER_HOUR).allow_burst(BURST).into(),
        }
    }

    fn check(&self, key: &RateKey) -> bool {
        let now = self.begun.elapsed().as_nanos() as u64;
        let shard = &self.shards[self.hasher.hash_one(key.as_u128()) as usize % 64];
        let mut shard = shard.lock().expect("nobody panics");
        if shard.accounts.len() >= self.capacity && !shard.accounts.contains_key(&key.as_u128()) {
            if now < shard.sweep_at {
                return true;
            }
            shard.sweep_at = now + 1_000_000_000;
            shard.accounts.retain(|_, due| due[0] > now);
        }
        let account = shard.accounts.entry(key.as_u128()).or_default();
        self.quotas.settle(account, now, Charge::IfAllowed(1)).is_allowed()
    }
}

/// `governor` as it comes: without a bound.
struct Governor(DefaultKeyedRateLimiter<u128>);

impl Limiter for Governor {
    const NAME: &str = "governor, DashMap";

    fn with_capacity(_: usize) -> Self {
        let [rate, burst] = [PER_HOUR, BURST].map(|number| NonZero::new(number).expect("it is not zero"));
        Self(RateLimiter::keyed(governor::Quota::per_hour(rate).allow_burst(burst)))
    }

    fn check(&self, key: &RateKey) -> bool {
        self.0.check_key(&key.as_u128()).is_ok()
    }
}

/// Accounts in a cache that forgets by use.
struct Moka {
    accounts: moka::sync::Cache<u128, Arc<AtomicU64>>,
    begun: Instant,
    quotas: Quotas,
}

impl Limiter for Moka {
    const NAME: &str = "moka, by use";

    fn with_capacity(senders: usize) -> Self {
        let accounts = moka::sync::Cache::builder()
            .max_capacity(senders as u64)
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            .time_to_idle(Duration::from_secs(3600))
            .build();
        Self { accounts, begun: Instant::now(), quotas: Quota::per_hour(PER_HOUR).allow_burst(BURST).into() }
    }

    fn check(&self, key: &RateKey) -> bool {
        let account = self.accounts.get_with(key.as_u128(), Arc::default);
        let now = self.begun.elapsed().as_nanos() as u64;
        let mut is_allowed = false;
        let _ = account.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| {
            let mut due = [due];
            is_allowed = self.quotas.settle(&mut due, now, Charge::IfAllowed(1)).is_allowed();
            Some(due[0])
        });
        is_allowed
    }
}

/// What a store in memory answers.
pub(crate) fn at_once<T>(mut answer: Ready<T>) -> T {
    match std::pin::Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("it is ready"),
    }
}
