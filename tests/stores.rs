//! Stores in memory: the suite for all stores, then what only memory promises.

#[path = "support/suite.rs"]
mod suite;
mod support;

use std::time::Duration;

use proptest::prelude::*;
use suite::{
    Bucket, NonceModel, NonceStep, Nonces, Rates, in_progress, key, nonce_step, nonce_store_suite, rate_store_suite,
};
use support::{clock, now, secs};
use tokio::task::JoinSet;
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    store::{
        MemoryNonceStore, MemoryRateStore, NonceStore, Quota, RateKey, RateStore, Reserved, StoreError, Token, Verdict,
    },
};

nonce_store_suite!(memory_nonces, NoncesInMemory);
rate_store_suite!(memory_rates, RatesInMemory);

#[tokio::test]
async fn a_step_of_the_wall_clock_forgets_nothing_and_locks_nobody_out() {
    for wall in [0, support::NOW - 86_400, support::NOW + 86_400, support::NOW * 10] {
        let nonces = NoncesInMemory::new().unwrap();
        let (held, done) = (Token::unique(), Token::unique());
        nonces.reserve(key(1), held, secs(10)).await;
        nonces.reserve(key(2), done, secs(10)).await;
        nonces.commit(key(2), done, secs(60)).await;
        nonces.clock.set(UnixTime::from_secs(wall));
        assert_eq!(nonces.state(key(1)).await, in_progress(10_000), "{wall}");
        assert_eq!(nonces.state(key(2)).await, Reserved::Done, "{wall}");
        nonces.clock.advance(secs(60));
        assert_eq!(nonces.state(key(1)).await, Reserved::Fresh, "{wall}");
        assert_eq!(nonces.state(key(2)).await, Reserved::Fresh, "{wall}");
    }
}

#[tokio::test]
async fn a_step_of_the_wall_clock_neither_gives_nor_takes() {
    for wall in [0, support::NOW - 86_400, support::NOW + 86_400] {
        let rates = RatesInMemory::new().unwrap();
        let quota = Quota::per_minute(60).allow_burst(5);
        assert_eq!(rates.burst(1, quota).await, 5);
        rates.clock.set(UnixTime::from_secs(wall));
        assert_eq!(rates.check(1, quota).await, Verdict::Limited { retry_after: secs(1) }, "{wall}");
        rates.clock.advance(secs(1));
        assert_eq!(rates.check(1, quota).await, Verdict::Allowed, "{wall}");
    }
}

proptest! {
    #![proptest_config(support::property())]
    #[test]
    fn rates_in_memory_agree_with_the_model(
        per_second in 1_u32..50,
        burst in 0_u32..20,
        steps in prop::collection::vec((0_u8..3, 0_u64..400), 1..200),
    ) {
        let rates = RatesInMemory::new().unwrap();
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let mut buckets = [0_u128, 1, 2].map(|_| Bucket::new(per_second, burst));
        for (sender, wait) in steps {
            let wait = Duration::from_millis(wait);
            rates.clock.advance(wait);
            buckets.iter_mut().for_each(|bucket| bucket.leak(wait));
            let expected = buckets[usize::from(sender)].check();
            let key = RateKey::of([&[sender][..]]);
            prop_assert_eq!(now(rates.store.check(key, quota)).unwrap(), expected);
        }
    }
}

#[test]
fn memory_holds_exactly_its_capacity() {
    for capacity in [0, 1, 2, 64, 100, 1000] {
        let (store, clock) = memory(capacity);
        let reserve = |id| now(store.reserve(key(id), Token::unique(), secs(10)));
        for id in 0..capacity {
            assert_eq!(reserve(id), Ok(Reserved::Fresh), "{id} of {capacity}");
        }
        assert_eq!(reserve(capacity), Err(StoreError::Full), "{capacity}");
        assert_eq!(store.len(), capacity);
        for id in 0..capacity {
            assert_eq!(reserve(id), Ok(in_progress(10_000)), "{id} of {capacity} was forgotten");
        }
        clock.advance(secs(10));
        for id in capacity..2 * capacity {
            assert_eq!(reserve(id), Ok(Reserved::Fresh), "what has expired makes room");
        }
        assert_eq!(store.len(), capacity);
    }
}

#[test]
fn what_is_done_is_not_forgotten_to_make_room_before_its_time() {
    let (store, clock) = memory(100);
    for id in 0..100 {
        let token = Token::unique();
        now(store.reserve(key(id), token, secs(10))).unwrap();
        now(store.commit(key(id), token, secs(if id < 50 { 60 } else { 120 }))).unwrap();
    }
    assert_eq!(now(store.reserve(key(100), Token::unique(), secs(10))), Err(StoreError::Full));
    clock.advance(secs(60));
    for id in 100..150 {
        assert_eq!(now(store.reserve(key(id), Token::unique(), secs(600))), Ok(Reserved::Fresh), "{id}");
    }
    assert_eq!(now(store.reserve(key(150), Token::unique(), secs(10))), Err(StoreError::Full));
    for id in 50..100 {
        assert_eq!(now(store.reserve(key(id), Token::unique(), secs(10))), Ok(Reserved::Done), "{id}");
    }
}

#[test]
fn a_late_commit_finds_no_room_in_a_full_store_and_says_so() {
    let (store, clock) = memory(1);
    let late = Token::unique();
    now(store.reserve(key(1), late, secs(10))).unwrap();
    clock.advance(secs(11));
    now(store.reserve(key(2), Token::unique(), secs(10))).unwrap();
    assert_eq!(now(store.commit(key(1), late, secs(60))), Err(StoreError::Full));
    assert_eq!(store.len(), 1);
}

#[test]
fn an_end_returns_what_a_beginning_took() {
    let (store, clock) = memory(10_000);
    for round in 0..3 {
        let tokens: Vec<_> = (0..1000).map(|_| Token::unique()).collect();
        for (id, token) in tokens.iter().enumerate() {
            now(store.reserve(key(id), *token, secs(10))).unwrap();
        }
        assert_eq!(store.len(), 1000, "round {round}");
        for (id, token) in tokens.iter().enumerate() {
            match id % 3 {
                0 => now(store.release(key(id), *token)).unwrap(),
                1 => now(store.commit(key(id), *token, secs(60))).unwrap(),
                // Nobody ends it but time.
                _ => {}
            }
        }
        clock.advance(secs(61));
        for id in 0..1000 {
            let token = Token::unique();
            now(store.reserve(key(id), token, secs(10))).unwrap();
            now(store.release(key(id), token)).unwrap();
        }
        assert!(store.is_empty(), "round {round}: {}", store.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_is_never_over_its_capacity_and_never_loses_count() {
    let (store, clock) = memory(500);
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let (store, clock) = (store.clone(), clock.clone());
        tasks.spawn(async move {
            let mut full = 0;
            for id in 0..2000 {
                let (key, token) = (key(task * 1000 + id), Token::unique());
                match store.reserve(key, token, secs(1)).await {
                    Err(StoreError::Full) => full += 1,
                    Ok(Reserved::Fresh) if id % 2 == 0 => store.release(key, token).await.unwrap(),
                    Ok(Reserved::Fresh) if id % 3 == 0 => store.commit(key, token, secs(2)).await.unwrap(),
                    _ => {}
                }
                assert!(store.len() <= 500, "{}", store.len());
                if id % 500 == 0 {
                    clock.advance(secs(1));
                }
            }
            full
        });
    }
    let full: usize = tasks.join_all().await.into_iter().sum();
    assert!(full > 0, "nothing was ever full");

    clock.advance(secs(10));
    for id in 0..500 {
        assert_eq!(store.reserve(key(20_000 + id), Token::unique(), secs(1)).await, Ok(Reserved::Fresh), "{id}");
    }
    assert_eq!(store.len(), 500, "the count has drifted");
}

#[test]
fn tokens_are_never_the_same() {
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::spawn(|| (0..1000).map(|_| Token::unique()).collect::<Vec<_>>())).collect();
    let tokens: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let distinct: std::collections::HashSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), tokens.len());
}

#[test]
fn known_senders_keep_their_account_when_memory_is_full() {
    let clock = clock();
    let store = MemoryRateStore::with_capacity(64).with_clock(clock.clone());
    let quota = Quota::per_minute(60).allow_burst(2);
    let check = |sender: usize| now(store.check(RateKey::of([&sender.to_be_bytes()[..]]), quota)).unwrap();
    assert_eq!((check(0), check(0)), (Verdict::Allowed, Verdict::Allowed));
    let strangers = (1..10_000).filter(|sender| check(*sender) == Verdict::Allowed).count();
    assert!(strangers <= 64 + 2, "{strangers}");
    assert!(store.len() <= 64, "{}", store.len());
    clock.advance(secs(1));
    assert_eq!(check(0), Verdict::Allowed, "the regular is not limited by strangers");
}

struct NoncesInMemory {
    store: MemoryNonceStore,
    clock: ManualClock,
}

impl Nonces for NoncesInMemory {
    type Store = MemoryNonceStore;

    const GRAIN: Duration = Duration::from_millis(1);

    fn new() -> Option<Self> {
        let (store, clock) = memory(10_000);
        Some(Self { store, clock })
    }

    fn store(&self) -> &MemoryNonceStore {
        &self.store
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn step_wall(&self, secs: u64) {
        self.clock.set(UnixTime::from_secs(secs));
    }
}

struct RatesInMemory {
    store: MemoryRateStore,
    clock: ManualClock,
}

impl Rates for RatesInMemory {
    type Store = MemoryRateStore;

    const GRAIN: Duration = Duration::from_millis(1);

    fn new() -> Option<Self> {
        let clock = clock();
        Some(Self { store: MemoryRateStore::with_capacity(10_000).with_clock(clock.clone()), clock })
    }

    fn store(&self) -> &MemoryRateStore {
        &self.store
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

fn memory(capacity: usize) -> (MemoryNonceStore, ManualClock) {
    let clock = clock();
    (MemoryNonceStore::with_capacity(capacity).with_clock(clock.clone()), clock)
}
