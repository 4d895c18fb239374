//! One suite for every nonce store and one for every rate store.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use tower_webhook::store::{NonceStore, Quota, RateKey, RateStore, ReplayKey, Reserved, Token, Verdict};

use crate::support::{Sent, secs};

/// A store of nonces whose time the test lets pass.
pub(crate) trait Nonces: Sized {
    type Store: NonceStore;

    /// The least time that counts: answers are rounded up to it, since some clocks go on by themselves.
    const GRAIN: Duration;

    /// None where it cannot be had, and the test has said so.
    fn new() -> Option<Self>;
    fn store(&self) -> &Self::Store;
    async fn pass(&self, time: Duration);

    /// Sets the wall clock, if the store's process has one that could matter.
    fn step_wall(&self, secs: u64);

    fn rounded(answer: Reserved) -> Reserved {
        match answer {
            Reserved::InProgress { retry_after } => {
                Reserved::InProgress { retry_after: round_up(retry_after, Self::GRAIN) }
            }
            answer => answer,
        }
    }

    async fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Reserved {
        Self::rounded(self.store().reserve(key, token, lease).await.unwrap())
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

/// A store of rates whose time the test lets pass.
pub(crate) trait Rates: Sized {
    type Store: RateStore;

    /// See [`Nonces::GRAIN`].
    const GRAIN: Duration;

    /// None where it cannot be had, and the test has said so.
    fn new() -> Option<Self>;
    fn store(&self) -> &Self::Store;
    async fn pass(&self, time: Duration);

    async fn check(&self, sender: u8, quota: Quota) -> Verdict {
        match self.store().check(RateKey::of([&[sender][..]]), quota).await.unwrap() {
            Verdict::Limited { retry_after } => {
                assert!(!retry_after.is_zero());
                Verdict::Limited { retry_after: round_up(retry_after, Self::GRAIN) }
            }
            verdict => verdict,
        }
    }

    /// How many of a hundred requests at once are let through.
    async fn burst(&self, sender: u8, quota: Quota) -> usize {
        let mut allowed = 0;
        for _ in 0..100 {
            allowed += usize::from(self.check(sender, quota).await == Verdict::Allowed);
        }
        allowed
    }
}

fn round_up(time: Duration, grain: Duration) -> Duration {
    let grains = time.as_nanos().div_ceil(grain.as_nanos());
    Duration::from_nanos(u64::try_from(grains * grain.as_nanos()).unwrap_or(u64::MAX))
}

/// What every nonce store must pass.
macro_rules! nonce_store_suite {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_reservation_is_exclusive_until_it_ends() {
                let Some(nonces) = <$fixture>::new() else { return };
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
                let Some(nonces) = <$fixture>::new() else { return };
                assert_eq!(nonces.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
                nonces.pass(secs(10) - <$fixture>::GRAIN).await;
                assert_eq!(
                    nonces.reserve(key(1), Token::unique(), secs(100)).await,
                    Reserved::InProgress { retry_after: <$fixture>::GRAIN }
                );
                nonces.pass(<$fixture>::GRAIN).await;
                assert_eq!(nonces.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
            }

            #[tokio::test]
            async fn who_asks_again_finds_the_own_reservation() {
                let Some(nonces) = <$fixture>::new() else { return };
                let ours = Token::unique();
                for _ in 0..3 {
                    assert_eq!(nonces.reserve(key(1), ours, secs(10)).await, Reserved::Fresh);
                    nonces.pass(secs(9)).await;
                }
                assert_eq!(nonces.state(key(1)).await, in_progress(1000), "the lease begins anew");
                nonces.release(key(1), ours).await;
                assert_eq!(nonces.state(key(1)).await, Reserved::Fresh, "one release is enough");
            }

            #[tokio::test]
            async fn only_the_holder_ends_a_reservation() {
                let Some(nonces) = <$fixture>::new() else { return };
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
                let Some(nonces) = <$fixture>::new() else { return };
                let (late, newer) = (Token::unique(), Token::unique());
                nonces.reserve(key(1), late, secs(10)).await;
                nonces.pass(secs(10)).await;
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
                    let Some(nonces) = <$fixture>::new() else { return };
                    let late = Token::unique();
                    nonces.reserve(key(1), late, secs(10)).await;
                    nonces.pass(secs(11)).await;
                    for _ in 0..others {
                        assert_eq!(nonces.reserve(key(1), Token::unique(), secs(10)).await, Reserved::Fresh);
                        nonces.pass(secs(11)).await;
                    }
                    nonces.commit(key(1), late, secs(100)).await;
                    assert_eq!(nonces.state(key(1)).await, Reserved::Done, "{others} leases have ended since");
                }
            }

            #[tokio::test]
            async fn a_commit_lasts_for_its_retention_and_can_be_made_again_after() {
                let Some(nonces) = <$fixture>::new() else { return };
                for round in 0..3 {
                    let token = Token::unique();
                    assert_eq!(nonces.reserve(key(1), token, secs(10)).await, Reserved::Fresh, "round {round}");
                    nonces.commit(key(1), token, secs(60)).await;
                    nonces.pass(secs(60) - <$fixture>::GRAIN).await;
                    assert_eq!(nonces.state(key(1)).await, Reserved::Done, "round {round}");
                    nonces.pass(<$fixture>::GRAIN).await;
                }
            }

            #[tokio::test]
            async fn a_second_commit_changes_nothing() {
                let Some(nonces) = <$fixture>::new() else { return };
                let token = Token::unique();
                nonces.reserve(key(1), token, secs(10)).await;
                nonces.commit(key(1), token, secs(60)).await;
                nonces.commit(key(1), token, secs(1)).await;
                nonces.commit(key(1), Token::unique(), secs(1000)).await;
                nonces.pass(secs(59)).await;
                assert_eq!(nonces.state(key(1)).await, Reserved::Done);
                nonces.pass(secs(1)).await;
                assert_eq!(nonces.state(key(1)).await, Reserved::Fresh);
            }

            #[tokio::test]
            async fn times_at_the_ends_of_their_range_are_taken() {
                let Some(nonces) = <$fixture>::new() else { return };
                let token = Token::unique();
                assert_eq!(nonces.reserve(key(1), token, Duration::MAX).await, Reserved::Fresh);
                assert!(matches!(nonces.state(key(1)).await, Reserved::InProgress { .. }));
                nonces.commit(key(1), token, Duration::MAX).await;
                nonces.pass(secs(1_000_000_000)).await;
                assert_eq!(nonces.state(key(1)).await, Reserved::Done);
                nonces.reserve(key(2), token, Duration::ZERO).await;
                assert_eq!(nonces.state(key(2)).await, Reserved::Fresh);
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn of_a_thousand_at_once_one_wins() {
                let Some(nonces) = <$fixture>::new() else { return };
                for round in 0..10 {
                    let mut tasks = JoinSet::new();
                    for _ in 0..1000 {
                        let (store, key) = (nonces.store().clone(), key(round));
                        tasks.spawn(async move { store.reserve(key, Token::unique(), secs(10)).await });
                    }
                    let answers: Vec<_> =
                        tasks.join_all().await.into_iter().map(|answer| <$fixture>::rounded(answer.unwrap())).collect();
                    let fresh = answers.iter().filter(|answer| **answer == Reserved::Fresh).count();
                    let waiting = answers.iter().filter(|answer| **answer == in_progress(10_000)).count();
                    assert_eq!((fresh, waiting), (1, 999), "round {round}");
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn many_handlers_of_one_delivery_succeed_once() {
                let Some(nonces) = <$fixture>::new() else { return };
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
                    let Some(nonces) = <$fixture>::new() else { return Ok(()) };
                    let tokens = [Token::unique(), Token::unique(), Token::unique()];
                    let mut model = NonceModel::default();
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
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
                                runtime.block_on(nonces.pass(secs(wait)));
                            }
                            NonceStep::StepWall(wall) => nonces.step_wall(wall),
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
pub(crate) use nonce_store_suite;

/// What every rate store must pass.
macro_rules! rate_store_suite {
    ($name:ident, $fixture:ty) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_burst_passes_and_then_the_rate() {
                for (quota, burst, interval) in [
                    (Quota::per_minute(10), 10, secs(6)),
                    (Quota::per_minute(60), 60, secs(1)),
                    (Quota::per_minute(60).allow_burst(1), 1, secs(1)),
                    (Quota::per_hour(120).allow_burst(50), 50, secs(30)),
                    (Quota::per_hour(1), 1, secs(3600)),
                ] {
                    let Some(rates) = <$fixture>::new() else { return };
                    assert_eq!(rates.burst(1, quota).await, burst, "{quota:?}");
                    assert_eq!(rates.check(1, quota).await, Verdict::Limited { retry_after: interval }, "{quota:?}");
                    assert_eq!(rates.burst(2, quota).await, burst, "another sender has an account of its own");
                    for _ in 0..3 {
                        rates.pass(interval).await;
                        assert_eq!(rates.burst(1, quota).await, 1, "{quota:?}");
                    }
                    rates.pass(secs(365 * 86_400)).await;
                    assert_eq!(rates.burst(1, quota).await, burst, "a pause saves up no more than the burst");
                }
            }

            #[tokio::test]
            async fn who_waits_as_told_passes_and_who_asks_too_early_loses_nothing() {
                let Some(rates) = <$fixture>::new() else { return };
                let quota = Quota::per_minute(30).allow_burst(3);
                rates.burst(1, quota).await;
                for _ in 0..10 {
                    let Verdict::Limited { retry_after } = rates.check(1, quota).await else { panic!("not limited") };
                    rates.pass(retry_after / 2).await;
                    assert!(matches!(rates.check(1, quota).await, Verdict::Limited { .. }));
                    rates.pass(retry_after - retry_after / 2).await;
                    assert_eq!(rates.check(1, quota).await, Verdict::Allowed);
                }
            }

            #[tokio::test]
            async fn a_quota_of_nothing_lets_nothing_through() {
                for quota in [Quota::per_second(0), Quota::per_minute(60).allow_burst(0)] {
                    let Some(rates) = <$fixture>::new() else { return };
                    rates.pass(secs(86_400)).await;
                    assert_eq!(rates.burst(1, quota).await, 0);
                    let Verdict::Limited { retry_after } = rates.check(1, quota).await else { panic!("not limited") };
                    assert!(retry_after > Duration::ZERO);
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn of_a_thousand_at_once_the_burst_passes() {
                let Some(rates) = <$fixture>::new() else { return };
                let quota = Quota::per_hour(60).allow_burst(37);
                let mut tasks = JoinSet::new();
                for _ in 0..1000 {
                    let store = rates.store().clone();
                    tasks.spawn(async move { store.check(RateKey::of([&b"one"[..]]), quota).await.unwrap() });
                }
                let verdicts = tasks.join_all().await;
                assert_eq!(verdicts.into_iter().filter(|verdict| *verdict == Verdict::Allowed).count(), 37);
            }
        }
    };
}
pub(crate) use rate_store_suite;

/// What a nonce store is to do, as simply as it can be said; times in seconds.
#[derive(Default)]
pub(crate) struct NonceModel {
    pub(crate) now: u64,
    held: HashMap<usize, (usize, u64)>,
    done: HashMap<usize, u64>,
}

impl NonceModel {
    pub(crate) fn reserve(&mut self, id: usize, token: usize, lease: u64) -> Reserved {
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

    pub(crate) fn commit(&mut self, id: usize, token: usize, retention: u64) {
        let is_ours = self.held.get(&id).is_some_and(|(holder, _)| *holder == token);
        let is_free = self.state(id) == Reserved::Fresh;
        if is_ours || is_free {
            self.held.remove(&id);
            self.done.insert(id, self.now + retention);
        }
    }

    pub(crate) fn release(&mut self, id: usize, token: usize) {
        if self.held.get(&id).is_some_and(|(holder, _)| *holder == token) {
            self.held.remove(&id);
        }
    }

    pub(crate) fn state(&self, id: usize) -> Reserved {
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
pub(crate) enum NonceStep {
    Reserve(usize, usize, u64),
    Commit(usize, usize, u64),
    Release(usize, usize),
    Wait(u64),
    StepWall(u64),
}

pub(crate) fn nonce_step() -> impl Strategy<Value = NonceStep> {
    let (id, token, time) = (0_usize..3, 0_usize..3, 0_u64..20);
    prop_oneof![
        4 => (id.clone(), token.clone(), time.clone()).prop_map(|(id, token, lease)| NonceStep::Reserve(id, token, lease)),
        2 => (id.clone(), token.clone(), time.clone()).prop_map(|(id, token, kept)| NonceStep::Commit(id, token, kept)),
        2 => (id, token).prop_map(|(id, token)| NonceStep::Release(id, token)),
        3 => time.prop_map(NonceStep::Wait),
        1 => any::<u32>().prop_map(|wall| NonceStep::StepWall(u64::from(wall))),
    ]
}

/// A bucket with a hole in it: what a rate store is to do, said otherwise than by arrival times.
pub(crate) struct Bucket {
    level: u128,
    drop: u128,
    size: u128,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let drop = (secs(1) / per_second).as_nanos();
        Self { level: 0, drop, size: drop * u128::from(burst) }
    }

    pub(crate) fn leak(&mut self, time: Duration) {
        self.level = self.level.saturating_sub(time.as_nanos());
    }

    pub(crate) fn check(&mut self) -> Verdict {
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

/// The key of the delivery of this number: only a verified one has any.
pub(crate) fn key(id: usize) -> ReplayKey {
    Sent::github("", id.to_string()).replay_key()
}

pub(crate) fn in_progress(millis: u64) -> Reserved {
    Reserved::InProgress { retry_after: Duration::from_millis(millis) }
}
