//! What every [`NonceStore`] must pass, and every [`LimitingNonceStore`].

use std::{collections::HashMap, future::Future, time::Duration};

use tokio::task::JoinSet;

use super::{Numbers, round_up};
use crate::store::{LimitingNonceStore, NonceStore, Quota, Rate, RateKey, ReplayKey, Reserved, Token};

/// A nonce store to be tested, and a way to let time pass for it.
pub trait NonceFixture: Sized + Send + Sync {
    /// The store.
    type Store: NonceStore;

    /// How long the tests' second lasts. A second by default; less for stores whose time cannot be moved.
    const SECOND: Duration = Duration::from_secs(1);

    /// What the store's times may be off by: they are rounded up to it. A millisecond by default; up to a [`SECOND`](Self::SECOND) for
    /// stores whose clock goes on by itself.
    const GRAIN: Duration = Duration::from_millis(1);

    /// An empty store that nobody else uses. None where it cannot be had, and the test counts as passed.
    fn new() -> impl Future<Output = Option<Self>> + Send;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// Lets so much time pass for the store.
    fn pass(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Makes a test of each case, for a [`NonceFixture`](crate::testing::NonceFixture).
#[macro_export]
macro_rules! nonce_store_tests {
    ($fixture:ty) => {
        $crate::__store_tests! { nonces, $fixture:
            a_reservation_is_exclusive_until_it_ends
            refused_reservations_do_not_prolong_the_lease
            who_asks_again_finds_the_own_reservation
            only_the_holder_ends_a_reservation
            a_late_commit_does_not_overwrite_a_newer_holder
            a_late_commit_counts_if_nobody_holds_the_key
            a_commit_lasts_for_its_retention_and_can_be_made_again_after
            a_second_commit_changes_nothing
            times_at_the_ends_of_their_range_are_taken
            of_a_thousand_at_once_one_wins
            many_handlers_of_one_delivery_succeed_once
            random_walks_agree_with_the_model
        }
    };
}

/// Makes a test of each further case, for a [`NonceFixture`](crate::testing::NonceFixture) of a
/// [`LimitingNonceStore`](crate::store::LimitingNonceStore).
#[macro_export]
macro_rules! limiting_nonce_store_tests {
    ($fixture:ty) => {
        $crate::__store_tests! { nonces, $fixture:
            a_rate_limits_new_deliveries_and_nothing_else
            what_is_limited_reserves_and_counts_nothing
            of_a_thousand_new_ones_at_once_the_burst_is_reserved
        }
    };
}

/// A delivery is one handler's until that one releases or commits it.
pub async fn a_reservation_is_exclusive_until_it_ends<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let (ours, theirs) = (Token::unique(), Token::unique());
    assert_eq!(nonces.reserve(1, ours, 10).await, Reserved::Fresh);
    assert_eq!(nonces.reserve(1, theirs, 10).await, nonces.in_progress(10));
    assert_eq!(nonces.reserve(2, theirs, 10).await, Reserved::Fresh, "another delivery");
    nonces.release(1, ours).await;
    assert_eq!(nonces.reserve(1, theirs, 10).await, Reserved::Fresh);
    nonces.commit(1, theirs, 10).await;
    assert_eq!(nonces.reserve(1, ours, 10).await, Reserved::Done);
    assert_eq!(nonces.reserve(1, theirs, 10).await, Reserved::Done);
}

/// Asking in vain does not keep a delivery reserved.
pub async fn refused_reservations_do_not_prolong_the_lease<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    assert_eq!(nonces.reserve(1, Token::unique(), 10).await, Reserved::Fresh);
    nonces.pass_almost(10).await;
    assert_eq!(nonces.reserve(1, Token::unique(), 100).await, Reserved::InProgress { retry_after: F::GRAIN });
    nonces.pass_grain().await;
    assert_eq!(nonces.reserve(1, Token::unique(), 10).await, Reserved::Fresh);
}

/// An answer that got lost may be asked for again.
pub async fn who_asks_again_finds_the_own_reservation<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let ours = Token::unique();
    for _ in 0..3 {
        assert_eq!(nonces.reserve(1, ours, 10).await, Reserved::Fresh);
        nonces.pass(9).await;
    }
    assert_eq!(nonces.state(1).await, nonces.in_progress(1), "the lease begins anew");
    nonces.release(1, ours).await;
    assert_eq!(nonces.state(1).await, Reserved::Fresh, "one release is enough");
}

/// Others' tokens change nothing, and what is done stays done.
pub async fn only_the_holder_ends_a_reservation<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let (ours, theirs) = (Token::unique(), Token::unique());
    nonces.reserve(1, ours, 10).await;
    nonces.release(1, theirs).await;
    assert_eq!(nonces.state(1).await, nonces.in_progress(10));
    nonces.commit(1, theirs, 10).await;
    assert_eq!(nonces.state(1).await, nonces.in_progress(10));
    nonces.commit(1, ours, 10).await;
    nonces.release(1, ours).await;
    nonces.release(1, theirs).await;
    assert_eq!(nonces.state(1).await, Reserved::Done, "what is done stays done");
}

/// A handler that outlived its lease does not take the delivery from the one that has it now.
pub async fn a_late_commit_does_not_overwrite_a_newer_holder<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let (late, newer) = (Token::unique(), Token::unique());
    nonces.reserve(1, late, 10).await;
    nonces.pass(10).await;
    assert_eq!(nonces.reserve(1, newer, 10).await, Reserved::Fresh);
    nonces.commit(1, late, 100).await;
    nonces.release(1, late).await;
    assert_eq!(nonces.state(1).await, nonces.in_progress(10));
    nonces.release(1, newer).await;
    assert_eq!(nonces.state(1).await, Reserved::Fresh);
}

/// A handler that outlived its lease, but not the need for its commit.
pub async fn a_late_commit_counts_if_nobody_holds_the_key<F: NonceFixture>() {
    for others in 0..=2 {
        let Some(nonces) = Nonces::<F>::new().await else { return };
        let late = Token::unique();
        nonces.reserve(1, late, 10).await;
        nonces.pass(11).await;
        for _ in 0..others {
            assert_eq!(nonces.reserve(1, Token::unique(), 10).await, Reserved::Fresh);
            nonces.pass(11).await;
        }
        nonces.commit(1, late, 100).await;
        assert_eq!(nonces.state(1).await, Reserved::Done, "{others} leases have ended since");
    }
}

/// Neither shorter, or replays are handled, nor much longer, or memory fills.
pub async fn a_commit_lasts_for_its_retention_and_can_be_made_again_after<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    for round in 0..3 {
        let token = Token::unique();
        assert_eq!(nonces.reserve(1, token, 10).await, Reserved::Fresh, "round {round}");
        nonces.commit(1, token, 60).await;
        nonces.pass_almost(60).await;
        assert_eq!(nonces.state(1).await, Reserved::Done, "round {round}");
        nonces.pass_grain().await;
    }
}

/// The first one said how long.
pub async fn a_second_commit_changes_nothing<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let token = Token::unique();
    nonces.reserve(1, token, 10).await;
    nonces.commit(1, token, 60).await;
    nonces.commit(1, token, 1).await;
    nonces.commit(1, Token::unique(), 1000).await;
    nonces.pass(59).await;
    assert_eq!(nonces.state(1).await, Reserved::Done);
    nonces.pass(1).await;
    assert_eq!(nonces.state(1).await, Reserved::Fresh);
}

/// For ever is long, and no time is none.
pub async fn times_at_the_ends_of_their_range_are_taken<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let (store, token) = (nonces.fixture.store(), Token::unique());
    assert_eq!(store.reserve(key(1), token, Duration::MAX).await, Ok(Reserved::Fresh));
    assert!(matches!(nonces.state(1).await, Reserved::InProgress { .. }));
    assert_eq!(store.commit(key(1), token, Duration::MAX).await, Ok(()));
    nonces.pass(100).await;
    assert_eq!(nonces.state(1).await, Reserved::Done);
    nonces.reserve(2, token, 0).await;
    assert_eq!(nonces.state(2).await, Reserved::Fresh);
}

/// Reservations of one key at the same moment.
pub async fn of_a_thousand_at_once_one_wins<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    for round in 0..10 {
        let mut tasks = JoinSet::new();
        for _ in 0..1000 {
            let (store, lease) = (nonces.fixture.store().clone(), F::SECOND * 10);
            tasks.spawn(async move { store.reserve(key(round), Token::unique(), lease).await });
        }
        let (mut fresh, mut waiting) = (0, 0);
        for answer in tasks.join_all().await {
            match nonces.rounded(answer.expect("an answer")) {
                Reserved::Fresh => fresh += 1,
                answer if answer == nonces.in_progress(10) => waiting += 1,
                answer => panic!("{answer:?} in round {round}"),
            }
        }
        assert_eq!((fresh, waiting), (1, 999), "round {round}");
    }
}

/// Handlers of one delivery that fail and succeed beside each other.
pub async fn many_handlers_of_one_delivery_succeed_once<F: NonceFixture>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let mut tasks = JoinSet::new();
    for task in 0..200 {
        let store = nonces.fixture.store().clone();
        tasks.spawn(async move {
            let token = Token::unique();
            let fresh = store.reserve(key(1), token, F::SECOND * 10).await == Ok(Reserved::Fresh);
            tokio::task::yield_now().await;
            // One in three fails, so that others get their chance.
            let settled = match (fresh, task % 3) {
                (true, 0) => store.release(key(1), token).await,
                (true, _) => store.commit(key(1), token, F::SECOND * 60).await,
                _ => Ok(()),
            };
            assert_eq!(settled, Ok(()));
            fresh && task % 3 > 0
        });
    }
    let successes = tasks.join_all().await.into_iter().filter(|success| *success).count();
    assert!(successes <= 1, "{successes}");
}

/// What may happen to a few deliveries under a few tokens; times in seconds.
#[derive(Clone, Copy, Debug)]
pub enum NonceStep {
    /// Delivery, token, lease.
    Reserve(usize, usize, u32),
    /// Delivery, token, retention.
    Commit(usize, usize, u32),
    /// Delivery, token.
    Release(usize, usize),
    /// Time passes.
    Wait(u32),
}

/// Steps of no particular meaning, always the same ones.
pub async fn random_walks_agree_with_the_model<F: NonceFixture>() {
    for seed in 0..20 {
        let mut numbers = Numbers(seed);
        let steps = (0..60).map(|_| {
            let (id, token, time) = (numbers.below(3) as usize, numbers.below(3) as usize, numbers.below(20) as u32);
            match numbers.below(11) {
                0..4 => NonceStep::Reserve(id, token, time),
                4..6 => NonceStep::Commit(id, token, time),
                6..8 => NonceStep::Release(id, token),
                _ => NonceStep::Wait(time),
            }
        });
        agrees_with_the_model::<F>(steps.collect::<Vec<_>>()).await;
    }
}

/// Takes these steps with a fresh store, and compares each answer with that of a model.
pub async fn agrees_with_the_model<F: NonceFixture>(steps: impl IntoIterator<Item = NonceStep>) {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let tokens: Vec<Token> = std::iter::repeat_with(Token::unique).take(3).collect();
    let mut model = Model::default();
    let mut done = Vec::new();
    for step in steps {
        done.push(step);
        match step {
            NonceStep::Reserve(id, token, lease) => {
                let expected = model.reserve(id, token, lease).scaled(F::SECOND);
                assert_eq!(nonces.reserve(id, tokens[token % 3], lease).await, expected, "{done:?}");
            }
            NonceStep::Commit(id, token, retention) => {
                model.commit(id, token, retention);
                nonces.commit(id, tokens[token % 3], retention).await;
            }
            NonceStep::Release(id, token) => {
                model.release(id, token);
                nonces.release(id, tokens[token % 3]).await;
            }
            NonceStep::Wait(time) => {
                model.now += time;
                nonces.pass(time).await;
            }
        }
    }
    for id in 0..3 {
        assert_eq!(nonces.state(id).await, model.state(id).scaled(F::SECOND), "delivery {id} after {done:?}");
    }
}

/// Duplicates, and deliveries that are being handled, are no new load.
pub async fn a_rate_limits_new_deliveries_and_nothing_else<F: NonceFixture<Store: LimitingNonceStore>>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let (done, held) = (Token::unique(), Token::unique());
    assert_eq!(nonces.reserve_within(2, 1, done, 10).await, Reserved::Fresh);
    nonces.commit(1, done, 60).await;
    assert_eq!(nonces.reserve_within(2, 2, held, 10).await, Reserved::Fresh);
    assert!(matches!(nonces.reserve_within(2, 3, Token::unique(), 10).await, Reserved::Limited { .. }));
    for _ in 0..10 {
        assert_eq!(nonces.reserve_within(2, 1, Token::unique(), 10).await, Reserved::Done);
        assert_eq!(nonces.reserve_within(2, 2, Token::unique(), 10).await, nonces.in_progress(10));
        assert_eq!(nonces.reserve_within(2, 2, held, 10).await, Reserved::Fresh, "its own");
    }
}

/// What is refused for its sender's rate is as if it had never come.
pub async fn what_is_limited_reserves_and_counts_nothing<F: NonceFixture<Store: LimitingNonceStore>>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    assert_eq!(nonces.reserve_within(1, 1, Token::unique(), 10).await, Reserved::Fresh);
    for _ in 0..10 {
        let Reserved::Limited { retry_after } = nonces.reserve_within(1, 2, Token::unique(), 10).await else {
            panic!("not limited")
        };
        assert_eq!(round_up(retry_after, F::GRAIN), F::SECOND * 3600, "asking again does not put the moment off");
    }
    assert_eq!(nonces.reserve(2, Token::unique(), 10).await, Reserved::Fresh, "it was reserved though limited");
}

/// New deliveries of one sender at the same moment.
pub async fn of_a_thousand_new_ones_at_once_the_burst_is_reserved<F: NonceFixture<Store: LimitingNonceStore>>() {
    let Some(nonces) = Nonces::<F>::new().await else { return };
    let mut tasks = JoinSet::new();
    for id in 0..1000 {
        let store = nonces.fixture.store().clone();
        tasks.spawn(async move {
            store.reserve_within(&rate(37), key(id), Token::unique(), F::SECOND * 10).await.expect("an answer")
        });
    }
    let answers = tasks.join_all().await;
    let fresh = answers.iter().filter(|answer| **answer == Reserved::Fresh).count();
    let limited = answers.iter().filter(|answer| matches!(answer, Reserved::Limited { .. })).count();
    assert_eq!((fresh, limited), (37, 963));
}

/// One an hour, after a burst: time that passes by itself meanwhile gives nothing back.
fn rate(burst: u32) -> Rate {
    let quotas = Quota::per_hour(1).allow_burst(burst).into();
    Rate { key: RateKey::of([b"sender".as_slice()]), quotas, cost: 1 }
}

fn key(id: usize) -> ReplayKey {
    ReplayKey::of([id.to_be_bytes().as_slice()])
}

/// A fixture, spoken to in seconds.
struct Nonces<F> {
    fixture: F,
}

impl<F: NonceFixture> Nonces<F> {
    async fn new() -> Option<Self> {
        Some(Self { fixture: F::new().await? })
    }

    async fn pass(&self, secs: u32) {
        self.fixture.pass(F::SECOND * secs).await;
    }

    async fn pass_almost(&self, secs: u32) {
        self.fixture.pass((F::SECOND * secs).saturating_sub(F::GRAIN)).await;
    }

    async fn pass_grain(&self) {
        self.fixture.pass(F::GRAIN).await;
    }

    async fn reserve(&self, id: usize, token: Token, lease: u32) -> Reserved {
        let answer = self.fixture.store().reserve(key(id), token, F::SECOND * lease).await;
        self.rounded(answer.expect("an answer to a reservation"))
    }

    async fn reserve_within(&self, burst: u32, id: usize, token: Token, lease: u32) -> Reserved
    where
        F::Store: LimitingNonceStore,
    {
        let answer = self.fixture.store().reserve_within(&rate(burst), key(id), token, F::SECOND * lease).await;
        self.rounded(answer.expect("an answer to a reservation"))
    }

    async fn commit(&self, id: usize, token: Token, retention: u32) {
        let answer = self.fixture.store().commit(key(id), token, F::SECOND * retention).await;
        answer.expect("an answer to a commit");
    }

    async fn release(&self, id: usize, token: Token) {
        self.fixture.store().release(key(id), token).await.expect("an answer to a release");
    }

    /// What somebody new is answered, without leaving a trace.
    async fn state(&self, id: usize) -> Reserved {
        let token = Token::unique();
        let state = self.reserve(id, token, 1).await;
        self.release(id, token).await;
        state
    }

    fn in_progress(&self, secs: u32) -> Reserved {
        Reserved::InProgress { retry_after: F::SECOND * secs }
    }

    fn rounded(&self, answer: Reserved) -> Reserved {
        match answer {
            Reserved::InProgress { retry_after } => {
                Reserved::InProgress { retry_after: round_up(retry_after, F::GRAIN) }
            }
            answer => answer,
        }
    }
}

/// What a nonce store is to do, as simply as it can be said; times in seconds.
#[derive(Default)]
struct Model {
    now: u32,
    held: HashMap<usize, (usize, u32)>,
    done: HashMap<usize, u32>,
}

enum State {
    Fresh,
    InProgress { secs: u32 },
    Done,
}

impl State {
    fn scaled(self, second: Duration) -> Reserved {
        match self {
            Self::Fresh => Reserved::Fresh,
            Self::InProgress { secs } => Reserved::InProgress { retry_after: second * secs },
            Self::Done => Reserved::Done,
        }
    }
}

impl Model {
    fn reserve(&mut self, id: usize, token: usize, lease: u32) -> State {
        match self.state(id) {
            State::InProgress { .. } if self.is_holder(id, token) => {}
            State::Fresh => {}
            state => return state,
        }
        self.held.insert(id, (token, self.now + lease));
        State::Fresh
    }

    fn commit(&mut self, id: usize, token: usize, retention: u32) {
        if self.is_holder(id, token) || matches!(self.state(id), State::Fresh) {
            self.held.remove(&id);
            self.done.insert(id, self.now + retention);
        }
    }

    fn release(&mut self, id: usize, token: usize) {
        if self.is_holder(id, token) {
            self.held.remove(&id);
        }
    }

    fn is_holder(&self, id: usize, token: usize) -> bool {
        self.held.get(&id).is_some_and(|(holder, _)| *holder == token)
    }

    fn state(&self, id: usize) -> State {
        if self.done.get(&id).is_some_and(|until| *until > self.now) {
            return State::Done;
        }
        match self.held.get(&id) {
            Some((_, until)) if *until > self.now => State::InProgress { secs: until - self.now },
            _ => State::Fresh,
        }
    }
}
