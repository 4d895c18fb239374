//! One suite for every nonce store and one for every rate store; what only memory promises comes after.

mod support;

use std::{collections::HashMap, sync::Arc, time::Duration};

use proptest::prelude::*;
use support::{Sent, clock, now, secs};
use tokio::task::JoinSet;
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    store::{
        MemoryNonceStore, MemoryRateStore, NonceStore, Quota, RateKey, RateStore, ReplayKey, Reserved, StoreError,
        Token, Verdict,
    },
};

nonce_store_suite!(memory_nonces, NoncesInMemory);
rate_store_suite!(memory_rates, RatesInMemory);

/// A store of nonces, and the hands of its clock.
trait Nonces: Sized {
    type Store: NonceStore;

    fn new() -> Self;
    fn store(&self) -> &Self::Store;
    fn clock(&self) -> &ManualClock;

    async fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Reserved {
        self.store().reserve(key, token, lease).await.unwrap()
    }

    async fn commit(&self, key: ReplayKey, token: Token, retention: Duration) {
        self.store().commit(key, token, retention).await.unwrap();
    }

    async fn release(&self, key: ReplayKey, token: Token) {
        self.store().release(key, token).await.unwrap();
    }

    /// What somebody new is answered, without leaving a trace.
    async fn state(&self, key: ReplayKey) -> Reserved {
        let token = Token::unique();
        let state = self.reserve(key, token, secs(1)).await;
        self.release(key, token).await;
        state
    }
}

trait Rates: Sized {
    type Store: RateStore;

    fn new() -> Self;
    fn store(&self) -> &Self::Store;
    fn clock(&self) -> &ManualClock;

    async fn check(&self, sender: u8, quota: Quota) -> Verdict {
        self.store().check(RateKey::of([&[sender][..]]), quota).await.unwrap()
    }

    /// How many of a thousand requests at once are let through.
    async fn burst(&self, sender: u8, quota: Quota) -> usize {
        let mut allowed = 0;
        for _ in 0..1000 {
            allowed += usize::from(self.check(sender, quota).await == Verdict::Allowed);
        }
        allowed
    }
}

/// What every nonce store must pass.
macro_rules! nonce_store_suite {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_reservation_is_exclusive_until_it_ends() {
                let nonces = <$fixture>::new();
                let (ours, theirs) = (Token::unique(), Token::unique());
                assert_eq!(nonces.reserve(key(1), ours, secs(10)).await, Reserved::Fresh);
                assert_eq!(nonces.reserve(key(1), theirs, secs(10)).await, in_progress(10_000));
                assert_eq!(nonces.reserve(key(2), theirs, secs(10)).await, Reserved::Fresh, "another delivery");
                nonces.release(key(1), ours).await;
                assert_eq!(nonces.reserve(key(1), theirs, secs(10)).await, Reserved::Fresh);
                nonces.commit(key(1), theirs, secs(10)).await;
                assert_eq!(nonces.reserve(key(1), ours, secs(10)).await, Reserved::Done);
                assert_eq!(nonces.reserve(key(1), theirs, secs(10)).await, Reserved::Done);
            }

            #[tokio::test]
            async fn refused_reservations_do_not_prolong_the_lease() {
                let nonces = <$fixture>::new();
                assert_eq!(nonces.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
                nonces.clock().advance(Duration::from_millis(9_999));
                assert_eq!(nonces.reserve(key(1), Token::unique(), secs(100)).await, in_progress(1));
                nonces.clock().advance(Duration::from_millis(1));
                assert_eq!(nonces.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
            }

            #[tokio::test]
            async fn who_asks_again_finds_the_own_reservation() {
                let nonces = <$fixture>::new();
                let ours = Token::unique();
                for _ in 0..3 {
                    assert_eq!(nonces.reserve(key(1), ours, secs(10)).await, Reserved::Fresh);
                    nonces.clock().advance(secs(9));
                }
                assert_eq!(nonces.state(key(1)).await, in_progress(1000), "the lease begins anew");
                nonces.release(key(1), ours).await;
                assert_eq!(nonces.state(key(1)).await, Reserved::Fresh, "one release is enough");
            }

            #[tokio::test]
            async fn only_the_holder_ends_a_reservation() {
                let nonces = <$fixture>::new();
                let (ours, theirs) = (Token::unique(), Token::unique());
                nonces.reserve(key(1), ours, secs(10)).await;
                nonces.release(key(1), theirs).await;
                assert_eq!(nonces.state(key(1)).await, in_progress(10_000));
                nonces.commit(key(1), theirs, secs(10)).await;
                assert_eq!(nonces.state(key(1)).await, in_progress(10_000));
                nonces.commit(key(1), ours, secs(10)).await;
                nonces.release(key(1), ours).await;
                nonces.release(key(1), theirs).await;
                assert_eq!(nonces.state(key(1)).await, Reserved::Done, "what is done stays done");
            }

            #[tokio::test]
            async fn a_late_commit_does_not_overwrite_a_newer_holder() {
                let nonces = <$fixture>::new();
                let (late, newer) = (Token::unique(), Token::unique());
                nonces.reserve(key(1), late, secs(10)).await;
                nonces.clock().advance(secs(10));
                assert_eq!(nonces.reserve(key(1), newer, secs(10)).await, Reserved::Fresh);
                nonces.commit(key(1), late, secs(100)).await;
                nonces.release(key(1), late).await;
                assert_eq!(nonces.state(key(1)).await, in_progress(10_000));
                nonces.release(key(1), newer).await;
                assert_eq!(nonces.state(key(1)).await, Reserved::Fresh);
            }

            #[tokio::test]
            async fn a_late_commit_counts_if_nobody_holds_the_key() {
                for others in 0..=2 {
                    let nonces = <$fixture>::new();
                    let late = Token::unique();
                    nonces.reserve(key(1), late, secs(10)).await;
                    nonces.clock().advance(secs(11));
                    for _ in 0..others {
                        assert_eq!(nonces.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
                        nonces.clock().advance(secs(11));
                    }
                    nonces.commit(key(1), late, secs(100)).await;
                    assert_eq!(nonces.state(key(1)).await, Reserved::Done, "{others} leases have ended since");
                }
            }

            #[tokio::test]
            async fn a_commit_lasts_for_its_retention_and_can_be_made_again_after() {
                let nonces = <$fixture>::new();
                for round in 0..3 {
                    let token = Token::unique();
                    assert_eq!(nonces.reserve(key(1), token, secs(10)).await, Reserved::Fresh, "round {round}");
                    nonces.commit(key(1), token, secs(60)).await;
                    nonces.clock().advance(Duration::from_millis(59_999));
                    assert_eq!(nonces.state(key(1)).await, Reserved::Done, "round {round}");
                    nonces.clock().advance(Duration::from_millis(1));
                }
            }

            #[tokio::test]
            async fn a_second_commit_changes_nothing() {
                let nonces = <$fixture>::new();
                let token = Token::unique();
                nonces.reserve(key(1), token, secs(10)).await;
                nonces.commit(key(1), token, secs(60)).await;
                nonces.commit(key(1), token, secs(1)).await;
                nonces.commit(key(1), Token::unique(), secs(1000)).await;
                nonces.clock().advance(secs(59));
                assert_eq!(nonces.state(key(1)).await, Reserved::Done);
                nonces.clock().advance(secs(1));
                assert_eq!(nonces.state(key(1)).await, Reserved::Fresh);
            }

            #[tokio::test]
            async fn a_step_of_the_wall_clock_forgets_nothing_and_locks_nobody_out() {
                for wall in [0, support::NOW - 86_400, support::NOW + 86_400, support::NOW * 10] {
                    let nonces = <$fixture>::new();
                    let (held, done) = (Token::unique(), Token::unique());
                    nonces.reserve(key(1), held, secs(10)).await;
                    nonces.reserve(key(2), done, secs(10)).await;
                    nonces.commit(key(2), done, secs(60)).await;
                    nonces.clock().set(UnixTime::from_secs(wall));
                    assert_eq!(nonces.state(key(1)).await, in_progress(10_000), "{wall}");
                    assert_eq!(nonces.state(key(2)).await, Reserved::Done, "{wall}");
                    nonces.clock().advance(secs(60));
                    assert_eq!(nonces.state(key(1)).await, Reserved::Fresh, "{wall}");
                    assert_eq!(nonces.state(key(2)).await, Reserved::Fresh, "{wall}");
                }
            }

            #[tokio::test]
            async fn times_at_the_ends_of_their_range_are_taken() {
                let nonces = <$fixture>::new();
                let token = Token::unique();
                assert_eq!(nonces.reserve(key(1), token, Duration::MAX).await, Reserved::Fresh);
                assert!(matches!(nonces.state(key(1)).await, Reserved::InProgress { .. }));
                nonces.commit(key(1), token, Duration::MAX).await;
                nonces.clock().advance(secs(1_000_000_000));
                assert_eq!(nonces.state(key(1)).await, Reserved::Done);
                nonces.reserve(key(2), token, Duration::ZERO).await;
                assert_eq!(nonces.state(key(2)).await, Reserved::Fresh);
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn of_a_thousand_at_once_one_wins() {
                let nonces = <$fixture>::new();
                for round in 0..10 {
                    let mut tasks = JoinSet::new();
                    for _ in 0..1000 {
                        let (store, key) = (nonces.store().clone(), key(round));
                        tasks.spawn(async move { store.reserve(key, Token::unique(), secs(10)).await });
                    }
                    let answers: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
                    let fresh = answers.iter().filter(|answer| **answer == Reserved::Fresh).count();
                    let waiting = answers.iter().filter(|answer| **answer == in_progress(10_000)).count();
                    assert_eq!((fresh, waiting), (1, 999), "round {round}");
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn many_handlers_of_one_delivery_succeed_once() {
                let nonces = Arc::new(<$fixture>::new());
                let mut tasks = JoinSet::new();
                for task in 0..200 {
                    let store = nonces.store().clone();
                    tasks.spawn(async move {
                        let token = Token::unique();
                        let fresh = store.reserve(key(1), token, secs(10)).await == Ok(Reserved::Fresh);
                        tokio::task::yield_now().await;
                        // One in three fails, so that others get their chance.
                        match (fresh, task % 3) {
                            (true, 0) => store.release(key(1), token).await.unwrap(),
                            (true, _) => store.commit(key(1), token, secs(60)).await.unwrap(),
                            _ => {}
                        }
                        fresh && task % 3 > 0
                    });
                }
                let successes = tasks.join_all().await.into_iter().filter(|success| *success).count();
                assert!(successes <= 1, "{successes}");
            }

            proptest! {
                #![proptest_config(support::property())]
                #[test]
                fn agrees_with_the_model(steps in prop::collection::vec(nonce_step(), 1..60)) {
                    let nonces = <$fixture>::new();
                    let tokens = [Token::unique(), Token::unique(), Token::unique()];
                    let mut model = NonceModel::default();
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    for step in steps {
                        match step {
                            NonceStep::Reserve(id, token, lease) => {
                                let expected = model.reserve(id, token, lease);
                                let answer = runtime.block_on(nonces.reserve(key(id), tokens[token], secs(lease)));
                                prop_assert_eq!(answer, expected, "{:?}", step);
                            }
                            NonceStep::Commit(id, token, retention) => {
                                model.commit(id, token, retention);
                                runtime.block_on(nonces.commit(key(id), tokens[token], secs(retention)));
                            }
                            NonceStep::Release(id, token) => {
                                model.release(id, token);
                                runtime.block_on(nonces.release(key(id), tokens[token]));
                            }
                            NonceStep::Wait(wait) => {
                                model.now += wait;
                                nonces.clock().advance(secs(wait));
                            }
                            NonceStep::Step(wall) => nonces.clock().set(UnixTime::from_secs(wall)),
                        }
                    }
                    for id in 0..3 {
                        let expected = model.state(id);
                        prop_assert_eq!(runtime.block_on(nonces.state(key(id))), expected, "key {}", id);
                    }
                }
            }
        }
    };
}
use nonce_store_suite;

/// What every rate store must pass.
macro_rules! rate_store_suite {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_burst_passes_and_then_the_rate() {
                for (quota, burst, interval) in [
                    (Quota::per_second(10), 10, Duration::from_millis(100)),
                    (Quota::per_minute(60), 60, secs(1)),
                    (Quota::per_minute(60).allow_burst(1), 1, secs(1)),
                    (Quota::per_minute(600).allow_burst(50), 50, Duration::from_millis(100)),
                    (Quota::per_hour(1), 1, secs(3600)),
                ] {
                    let rates = <$fixture>::new();
                    assert_eq!(rates.burst(1, quota).await, burst, "{quota:?}");
                    assert_eq!(rates.check(1, quota).await, Verdict::Limited { retry_after: interval }, "{quota:?}");
                    assert_eq!(rates.burst(2, quota).await, burst, "another sender has an account of its own");
                    for _ in 0..3 {
                        rates.clock().advance(interval);
                        assert_eq!(rates.burst(1, quota).await, 1, "{quota:?}");
                    }
                    rates.clock().advance(secs(365 * 86_400));
                    assert_eq!(rates.burst(1, quota).await, burst, "a pause saves up no more than the burst");
                }
            }

            #[tokio::test]
            async fn who_waits_as_told_passes_and_who_asks_too_early_loses_nothing() {
                let rates = <$fixture>::new();
                let quota = Quota::per_second(10).allow_burst(3);
                rates.burst(1, quota).await;
                for _ in 0..10 {
                    let Verdict::Limited { retry_after } = rates.check(1, quota).await else { panic!("not limited") };
                    rates.clock().advance(retry_after / 2);
                    assert!(matches!(rates.check(1, quota).await, Verdict::Limited { .. }));
                    rates.clock().advance(retry_after - retry_after / 2);
                    assert_eq!(rates.check(1, quota).await, Verdict::Allowed);
                }
            }

            #[tokio::test]
            async fn a_quota_of_nothing_lets_nothing_through() {
                for quota in [Quota::per_second(0), Quota::per_minute(60).allow_burst(0)] {
                    let rates = <$fixture>::new();
                    rates.clock().advance(secs(86_400));
                    assert_eq!(rates.burst(1, quota).await, 0);
                    let Verdict::Limited { retry_after } = rates.check(1, quota).await else { panic!("not limited") };
                    assert!(retry_after > Duration::ZERO);
                }
            }

            #[tokio::test]
            async fn a_step_of_the_wall_clock_neither_gives_nor_takes() {
                for wall in [0, support::NOW - 86_400, support::NOW + 86_400] {
                    let rates = <$fixture>::new();
                    let quota = Quota::per_minute(60).allow_burst(5);
                    assert_eq!(rates.burst(1, quota).await, 5);
                    rates.clock().set(UnixTime::from_secs(wall));
                    assert_eq!(rates.check(1, quota).await, Verdict::Limited { retry_after: secs(1) }, "{wall}");
                    rates.clock().advance(secs(1));
                    assert_eq!(rates.check(1, quota).await, Verdict::Allowed, "{wall}");
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn of_a_thousand_at_once_the_burst_passes() {
                let rates = <$fixture>::new();
                let quota = Quota::per_minute(60).allow_burst(37);
                let mut tasks = JoinSet::new();
                for _ in 0..1000 {
                    let store = rates.store().clone();
                    tasks.spawn(async move { store.check(RateKey::of([&b"one"[..]]), quota).await.unwrap() });
                }
                let verdicts = tasks.join_all().await;
                assert_eq!(verdicts.into_iter().filter(|verdict| *verdict == Verdict::Allowed).count(), 37);
            }

            proptest! {
                #![proptest_config(support::property())]
                #[test]
                fn agrees_with_the_model(
                    per_second in 1_u32..50,
                    burst in 0_u32..20,
                    steps in prop::collection::vec((0_u8..3, 0_u64..400), 1..200),
                ) {
                    let rates = <$fixture>::new();
                    let quota = Quota::per_second(per_second).allow_burst(burst);
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    let mut buckets = [0_u128, 1, 2].map(|_| Bucket::new(per_second, burst));
                    for (sender, wait) in steps {
                        let wait = Duration::from_millis(wait);
                        rates.clock().advance(wait);
                        buckets.iter_mut().for_each(|bucket| bucket.leak(wait));
                        let expected = buckets[usize::from(sender)].check();
                        prop_assert_eq!(runtime.block_on(rates.check(sender, quota)), expected);
                    }
                }
            }
        }
    };
}
use rate_store_suite;

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

    fn new() -> Self {
        let (store, clock) = memory(10_000);
        Self { store, clock }
    }

    fn store(&self) -> &MemoryNonceStore {
        &self.store
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

struct RatesInMemory {
    store: MemoryRateStore,
    clock: ManualClock,
}

impl Rates for RatesInMemory {
    type Store = MemoryRateStore;

    fn new() -> Self {
        let clock = clock();
        Self { store: MemoryRateStore::with_capacity(10_000).with_clock(clock.clone()), clock }
    }

    fn store(&self) -> &MemoryRateStore {
        &self.store
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

/// What a nonce store is to do, as simply as it can be said; times in seconds.
#[derive(Default)]
struct NonceModel {
    now: u64,
    held: HashMap<usize, (usize, u64)>,
    done: HashMap<usize, u64>,
}

impl NonceModel {
    fn reserve(&mut self, id: usize, token: usize, lease: u64) -> Reserved {
        let state = self.state(id);
        let is_ours = self.held.get(&id).is_some_and(|(holder, _)| *holder == token);
        match state {
            Reserved::InProgress { .. } if !is_ours => return state,
            Reserved::Done => return state,
            _ => {}
        }
        self.held.insert(id, (token, self.now + lease));
        Reserved::Fresh
    }

    fn commit(&mut self, id: usize, token: usize, retention: u64) {
        let is_ours = self.held.get(&id).is_some_and(|(holder, _)| *holder == token);
        let is_free = self.state(id) == Reserved::Fresh;
        if is_ours || is_free {
            self.held.remove(&id);
            self.done.insert(id, self.now + retention);
        }
    }

    fn release(&mut self, id: usize, token: usize) {
        if self.held.get(&id).is_some_and(|(holder, _)| *holder == token) {
            self.held.remove(&id);
        }
    }

    fn state(&self, id: usize) -> Reserved {
        if self.done.get(&id).is_some_and(|until| *until > self.now) {
            return Reserved::Done;
        }
        match self.held.get(&id) {
            Some((_, until)) if *until > self.now => in_progress((until - self.now) * 1000),
            _ => Reserved::Fresh,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum NonceStep {
    Reserve(usize, usize, u64),
    Commit(usize, usize, u64),
    Release(usize, usize),
    Wait(u64),
    Step(u64),
}

fn nonce_step() -> impl Strategy<Value = NonceStep> {
    let (id, token, time) = (0_usize..3, 0_usize..3, 0_u64..20);
    prop_oneof![
        4 => (id.clone(), token.clone(), time.clone()).prop_map(|(id, token, lease)| NonceStep::Reserve(id, token, lease)),
        2 => (id.clone(), token.clone(), time.clone()).prop_map(|(id, token, kept)| NonceStep::Commit(id, token, kept)),
        2 => (id, token).prop_map(|(id, token)| NonceStep::Release(id, token)),
        3 => time.prop_map(NonceStep::Wait),
        1 => any::<u32>().prop_map(|wall| NonceStep::Step(u64::from(wall))),
    ]
}

/// A bucket with a hole in it: what a rate store is to do, said otherwise than by arrival times.
struct Bucket {
    level: u128,
    drop: u128,
    size: u128,
}

impl Bucket {
    fn new(per_second: u32, burst: u32) -> Self {
        let drop = (secs(1) / per_second).as_nanos();
        Self { level: 0, drop, size: drop * u128::from(burst) }
    }

    fn leak(&mut self, time: Duration) {
        self.level = self.level.saturating_sub(time.as_nanos());
    }

    fn check(&mut self) -> Verdict {
        let nanos = |nanos| Duration::from_nanos(u64::try_from(nanos).unwrap());
        if self.size == 0 {
            return Verdict::Limited { retry_after: nanos(self.drop) };
        }
        match (self.level + self.drop).checked_sub(self.size) {
            None | Some(0) => {
                self.level += self.drop;
                Verdict::Allowed
            }
            Some(over) => Verdict::Limited { retry_after: nanos(over) },
        }
    }
}

fn memory(capacity: usize) -> (MemoryNonceStore, ManualClock) {
    let clock = clock();
    (MemoryNonceStore::with_capacity(capacity).with_clock(clock.clone()), clock)
}

/// The key of the delivery of this number: only a verified one has any.
fn key(id: usize) -> ReplayKey {
    Sent::github("", id.to_string()).replay_key()
}

fn in_progress(millis: u64) -> Reserved {
    Reserved::InProgress { retry_after: Duration::from_millis(millis) }
}
