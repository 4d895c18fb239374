//! The suite for stores finds what is wrong with them.

mod support;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use support::{clock, now};
use tower_webhook::{
    clock::ManualClock,
    store::{
        Charge, MemoryNonceStore, MemoryRateStore, NonceStore, Quotas, RateKey, RateStore, ReplayKey, Reserved,
        Standing, StoreError, Token, Verdict,
    },
    testing::{NonceFixture, RateFixture, nonces, rates, run},
};

#[test]
fn wrong_nonce_stores_are_found_out() {
    use nonces::*;
    passes(a_reservation_is_exclusive_until_it_ends::<WrongNonces<NOTHING>>());
    passes(random_walks_agree_with_the_model::<WrongNonces<NOTHING>>());
    fails("grants all", of_a_thousand_at_once_one_wins::<WrongNonces<GRANTS_ALL>>());
    fails("grants all", many_handlers_of_one_delivery_succeed_once::<WrongNonces<GRANTS_ALL>>());
    fails("does not know its own", who_asks_again_finds_the_own_reservation::<WrongNonces<FORGETS_TOKENS>>());
    fails("takes all for the same", a_reservation_is_exclusive_until_it_ends::<WrongNonces<ONE_TOKEN>>());
    fails("takes all for the same", only_the_holder_ends_a_reservation::<WrongNonces<ONE_TOKEN>>());
    fails("takes all for the same", a_late_commit_does_not_overwrite_a_newer_holder::<WrongNonces<ONE_TOKEN>>());
    fails("commits nothing", a_late_commit_counts_if_nobody_holds_the_key::<WrongNonces<NO_COMMITS>>());
    fails("forgets early", a_commit_lasts_for_its_retention_and_can_be_made_again_after::<WrongNonces<HALF_AS_LONG>>());
    fails("forgets late", a_commit_lasts_for_its_retention_and_can_be_made_again_after::<WrongNonces<TWICE_AS_LONG>>());
    fails("forgets late", refused_reservations_do_not_prolong_the_lease::<WrongNonces<TWICE_AS_LONG>>());
    fails("releases nothing", a_reservation_is_exclusive_until_it_ends::<WrongNonces<NO_RELEASES>>());
    fails("releases nothing", random_walks_agree_with_the_model::<WrongNonces<NO_RELEASES>>());
}

#[test]
fn wrong_rate_stores_are_found_out() {
    use rates::*;
    passes(charges_are_what_they_say::<WrongRates<NOTHING>>());
    passes(random_walks_agree_with_the_model::<WrongRates<NOTHING>>());
    fails("grants all", a_burst_passes_and_then_the_rate::<WrongRates<GRANTS_ALL>>());
    fails("grants all", a_quota_of_nothing_lets_nothing_through::<WrongRates<GRANTS_ALL>>());
    fails("grants all", of_a_thousand_at_once_the_burst_passes::<WrongRates<GRANTS_ALL>>());
    fails(
        "counts refusals",
        who_waits_as_told_passes_and_who_asks_too_early_loses_nothing::<WrongRates<COUNTS_REFUSALS>>(),
    );
    fails("one account for all", a_burst_passes_and_then_the_rate::<WrongRates<ONE_ACCOUNT>>());
    fails("one quota of several", what_does_not_fit_into_one_quota_is_counted_in_none::<WrongRates<ONE_QUOTA>>());
    fails("charges for questions", a_question_that_costs_nothing_leaves_no_trace::<WrongRates<ALL_COST>>());
    fails("charges for questions", charges_are_what_they_say::<WrongRates<ALL_COST>>());
    fails("charges for questions", random_walks_agree_with_the_model::<WrongRates<ALL_COST>>());
}

fn passes(case: impl Future<Output = ()>) {
    run(case);
}

#[track_caller]
fn fails(what: &str, case: impl Future<Output = ()>) {
    assert!(catch_unwind(AssertUnwindSafe(|| run(case))).is_err(), "a store that {what} passed");
}

const NOTHING: usize = 0;
const GRANTS_ALL: usize = 1;
const FORGETS_TOKENS: usize = 2;
const ONE_TOKEN: usize = 3;
const NO_COMMITS: usize = 4;
const HALF_AS_LONG: usize = 5;
const TWICE_AS_LONG: usize = 6;
const NO_RELEASES: usize = 7;
const COUNTS_REFUSALS: usize = 8;
const ONE_ACCOUNT: usize = 9;
const ONE_QUOTA: usize = 10;
const ALL_COST: usize = 11;

/// A store that is good but for one thing.
#[derive(Clone)]
struct Wrong<S, const WHAT: usize>(S);

struct Fixture<S> {
    store: S,
    clock: ManualClock,
}

type WrongNonces<const WHAT: usize> = Fixture<Wrong<MemoryNonceStore, WHAT>>;
type WrongRates<const WHAT: usize> = Fixture<Wrong<MemoryRateStore, WHAT>>;

impl<const WHAT: usize> NonceFixture for WrongNonces<WHAT> {
    type Store = Wrong<MemoryNonceStore, WHAT>;

    async fn new() -> Option<Self> {
        let clock = clock();
        Some(Self { store: Wrong(MemoryNonceStore::new().with_clock(clock.clone())), clock })
    }

    fn store(&self) -> &Self::Store {
        &self.store
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

impl<const WHAT: usize> NonceStore for Wrong<MemoryNonceStore, WHAT> {
    type Reserve = std::future::Ready<Result<Reserved, StoreError>>;
    type Settle = std::future::Ready<Result<(), StoreError>>;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        let answer = now(self.0.reserve(key, changed::<WHAT>(token), stretched::<WHAT>(lease)));
        std::future::ready(if WHAT == GRANTS_ALL { Ok(Reserved::Fresh) } else { answer })
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        if WHAT == NO_COMMITS {
            return std::future::ready(Ok(()));
        }
        self.0.commit(key, changed::<WHAT>(token), stretched::<WHAT>(retention))
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        if WHAT == NO_RELEASES {
            return std::future::ready(Ok(()));
        }
        self.0.release(key, changed::<WHAT>(token))
    }
}

fn changed<const WHAT: usize>(token: Token) -> Token {
    static ONE: std::sync::LazyLock<Token> = std::sync::LazyLock::new(Token::unique);
    match WHAT {
        FORGETS_TOKENS => Token::unique(),
        ONE_TOKEN => *ONE,
        _ => token,
    }
}

fn stretched<const WHAT: usize>(time: Duration) -> Duration {
    match WHAT {
        HALF_AS_LONG => time / 2,
        TWICE_AS_LONG => time.saturating_mul(2),
        _ => time,
    }
}

impl<const WHAT: usize> RateFixture for WrongRates<WHAT> {
    type Store = Wrong<MemoryRateStore, WHAT>;

    async fn new() -> Option<Self> {
        let clock = clock();
        Some(Self { store: Wrong(MemoryRateStore::new().with_clock(clock.clone())), clock })
    }

    fn store(&self) -> &Self::Store {
        &self.store
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

impl<const WHAT: usize> RateStore for Wrong<MemoryRateStore, WHAT> {
    type Check = std::future::Ready<Result<Standing, StoreError>>;

    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
        let key = if WHAT == ONE_ACCOUNT { RateKey::of([]) } else { key };
        let first = Quotas::from(quotas.as_slice()[0]);
        let quotas = if WHAT == ONE_QUOTA { &first } else { quotas };
        let charge = match charge {
            Charge::Nothing if WHAT == ALL_COST => Charge::IfAllowed(1),
            charge => charge,
        };
        let standing = now(self.0.check(key, quotas, charge)).unwrap();
        if WHAT == COUNTS_REFUSALS && !standing.is_allowed() {
            now(self.0.check(key, quotas, Charge::Debit(1))).unwrap();
        }
        let verdict = if WHAT == GRANTS_ALL { Verdict::Allowed } else { standing.verdict };
        std::future::ready(Ok(Standing { verdict, ..standing }))
    }
}
