//! What every [`RateStore`] must pass.

use std::{future::Future, time::Duration};

use tokio::task::JoinSet;

use super::{Numbers, round_up};
use crate::store::{Charge, Quota, Quotas, RateKey, RateStore, Standing, Verdict};

/// A rate store to be tested, and a way to let time pass for it.
pub trait RateFixture: Sized + Send + Sync {
    /// The store.
    type Store: RateStore;

    /// What the store's times may be off by: they are rounded up to it. A microsecond by default; up to a second for stores whose clock goes on by
    /// itself.
    const GRAIN: Duration = Duration::from_micros(1);

    /// An empty store that nobody else uses. None where it cannot be had, and the test counts as passed.
    fn new() -> impl Future<Output = Option<Self>> + Send;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// Lets so much time pass for the store, up to a year.
    fn pass(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Makes a test of each case, for a [`RateFixture`](crate::testing::RateFixture).
#[macro_export]
macro_rules! rate_store_tests {
    ($fixture:ty) => {
        $crate::__store_tests! { rates, $fixture:
            a_burst_passes_and_then_the_rate
            who_waits_as_told_passes_and_who_asks_too_early_loses_nothing
            a_quota_of_nothing_lets_nothing_through
            what_does_not_fit_into_one_quota_is_counted_in_none
            charges_are_what_they_say
            a_question_that_costs_nothing_leaves_no_trace
            of_a_thousand_at_once_the_burst_passes
            random_walks_agree_with_the_model
        }
    };
}

/// A burst at once, then one whenever one is due; each sender by itself.
pub async fn a_burst_passes_and_then_the_rate<F: RateFixture>() {
    for (quota, burst, interval) in [
        (Quota::per_minute(10), 10, 6),
        (Quota::per_minute(60), 60, 1),
        (Quota::per_minute(60).allow_burst(1), 1, 1),
        (Quota::per_hour(120).allow_burst(50), 50, 30),
        (Quota::per_hour(1), 1, 3600),
    ] {
        let Some(rates) = Rates::<F>::new().await else { return };
        let interval = Duration::from_secs(interval);
        assert_eq!(rates.burst(1, quota).await, burst, "{quota:?}");
        assert_eq!(rates.ask(1, quota).await, Verdict::Limited { retry_after: interval }, "{quota:?}");
        assert_eq!(rates.burst(2, quota).await, burst, "another sender has an account of its own");
        for _ in 0..3 {
            rates.fixture.pass(interval).await;
            assert_eq!(rates.burst(1, quota).await, 1, "{quota:?}");
        }
        rates.fixture.pass(Duration::from_secs(365 * 86_400)).await;
        assert_eq!(rates.burst(1, quota).await, burst, "a pause saves up no more than the burst");
    }
}

/// `retry_after` is neither too short nor put off by asking.
pub async fn who_waits_as_told_passes_and_who_asks_too_early_loses_nothing<F: RateFixture>() {
    let Some(rates) = Rates::<F>::new().await else { return };
    let quota = Quota::per_hour(30).allow_burst(3);
    rates.burst(1, quota).await;
    for _ in 0..10 {
        let Verdict::Limited { retry_after } = rates.ask(1, quota).await else { panic!("not limited") };
        rates.fixture.pass(retry_after / 2).await;
        assert!(matches!(rates.ask(1, quota).await, Verdict::Limited { .. }));
        rates.fixture.pass(retry_after - retry_after / 2).await;
        assert_eq!(rates.ask(1, quota).await, Verdict::Allowed);
    }
}

/// Neither a rate nor a burst of zero.
pub async fn a_quota_of_nothing_lets_nothing_through<F: RateFixture>() {
    for quota in [Quota::per_second(0), Quota::per_minute(60).allow_burst(0), Quota::per_day(0).allow_burst(5)] {
        let Some(rates) = Rates::<F>::new().await else { return };
        rates.fixture.pass(Duration::from_secs(86_400)).await;
        assert_eq!(rates.burst(1, quota).await, 0, "{quota:?}");
        let Verdict::Limited { retry_after } = rates.ask(1, quota).await else { panic!("not limited") };
        assert!(!retry_after.is_zero());
    }
}

/// All quotas of a key hold, and a refusal by one costs nothing in another.
pub async fn what_does_not_fit_into_one_quota_is_counted_in_none<F: RateFixture>() {
    let Some(rates) = Rates::<F>::new().await else { return };
    let quotas = [Quota::per_minute(2), Quota::per_day(3)];
    let secs = Duration::from_secs;
    assert_eq!(rates.burst(1, quotas).await, 2);
    let over_minute = rates.charge(1, quotas, Charge::IfAllowed(1)).await;
    assert_eq!(over_minute.verdict, Verdict::Limited { retry_after: secs(30) });
    assert_eq!(over_minute.full_in[..3], [secs(60), secs(2 * 28_800), Duration::ZERO]);
    rates.fixture.pass(secs(60)).await;
    assert_eq!(rates.burst(1, quotas).await, 1, "the day has not counted what the minute refused");
    rates.fixture.pass(secs(60)).await;
    let over_day = rates.charge(1, quotas, Charge::IfAllowed(1)).await;
    assert_eq!(over_day.verdict, Verdict::Limited { retry_after: secs(28_800 - 120) });
    assert_eq!(over_day.full_in[0], Duration::ZERO, "nor the minute what the day refused");
}

/// Each charge, and how many are left of ten.
pub async fn charges_are_what_they_say<F: RateFixture>() {
    let Some(rates) = Rates::<F>::new().await else { return };
    let quota = Quota::per_hour(1).allow_burst(10);
    let limited = |hours: u64| Verdict::Limited { retry_after: Duration::from_secs(hours * 3600) };
    for (charge, verdict, left) in [
        (Charge::Nothing, Verdict::Allowed, 10),
        (Charge::IfAllowed(0), Verdict::Allowed, 10),
        (Charge::IfAllowed(7), Verdict::Allowed, 3),
        (Charge::IfAllowed(4), limited(1), 3),
        (Charge::Refund(2), Verdict::Allowed, 5),
        (Charge::Debit(4), Verdict::Allowed, 1),
        (Charge::Debit(4), limited(1), 0),
        (Charge::Debit(u32::MAX), limited(1), 0),
        (Charge::Nothing, limited(1), 0),
        (Charge::IfAllowed(0), Verdict::Allowed, 0),
        (Charge::IfAllowed(u32::MAX), limited(10), 0),
        (Charge::Refund(3), Verdict::Allowed, 3),
        (Charge::Refund(u32::MAX), Verdict::Allowed, 10),
        (Charge::IfAllowed(u32::MAX), Verdict::Allowed, 0),
    ] {
        let standing = rates.charge(1, quota, charge).await;
        assert_eq!((standing.verdict, quota.remaining(standing.full_in[0])), (verdict, left), "{charge:?}");
    }
}

/// However often it is asked.
pub async fn a_question_that_costs_nothing_leaves_no_trace<F: RateFixture>() {
    let Some(rates) = Rates::<F>::new().await else { return };
    let quota = Quota::per_hour(60).allow_burst(3);
    for left in [3, 2, 1] {
        for _ in 0..100 {
            assert_eq!(rates.charge(1, quota, Charge::Nothing).await.verdict, Verdict::Allowed, "{left} left");
        }
        assert_eq!(rates.ask(1, quota).await, Verdict::Allowed, "{left} left");
    }
    assert!(!rates.charge(1, quota, Charge::Nothing).await.is_allowed());
}

/// Requests of one sender at the same moment.
pub async fn of_a_thousand_at_once_the_burst_passes<F: RateFixture>() {
    let Some(rates) = Rates::<F>::new().await else { return };
    let quotas = Quotas::from([Quota::per_hour(60).allow_burst(37), Quota::per_day(1000)]);
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        let store = rates.fixture.store().clone();
        tasks.spawn(async move { store.check(key(1), &quotas, Charge::IfAllowed(1)).await.expect("an answer") });
    }
    let standings = tasks.join_all().await;
    assert_eq!(standings.iter().filter(|standing| standing.is_allowed()).count(), 37);
}

/// Steps of no particular meaning, always the same ones; in whole intervals, so that clocks may go on by themselves.
pub async fn random_walks_agree_with_the_model<F: RateFixture>() {
    for seed in 0..20 {
        let mut numbers = Numbers(seed);
        let bursts = [numbers.below(8) as u32, numbers.below(20) as u32];
        let quotas = [Quota::per_hour(60).allow_burst(bursts[0]), Quota::per_hour(20).allow_burst(bursts[1])];
        let steps = (0..100).map(|_| {
            let (sender, minutes, cost) = (numbers.below(3) as u8, numbers.below(4), numbers.below(4) as u32);
            let charge = match numbers.below(8) {
                0..5 => Charge::IfAllowed(cost),
                5 => Charge::Nothing,
                6 => Charge::Debit(cost),
                _ => Charge::Refund(cost),
            };
            (sender, Duration::from_secs(180 * minutes), charge)
        });
        agrees_with_the_model::<F>(quotas, steps.collect::<Vec<_>>()).await;
    }
}

/// Lets time pass and charges senders with a fresh store, and compares each answer with that of a model.
pub async fn agrees_with_the_model<F: RateFixture>(
    quotas: impl Into<Quotas>,
    steps: impl IntoIterator<Item = (u8, Duration, Charge)>,
) {
    let Some(rates) = Rates::<F>::new().await else { return };
    let quotas = quotas.into();
    let mut model = [0, 1, 2].map(|_| Model::new(&quotas));
    let mut done = Vec::new();
    for step in steps {
        done.push(step);
        let (sender, time, charge) = step;
        rates.fixture.pass(time).await;
        model.iter_mut().for_each(|account| account.leak(time));
        let account = &mut model[usize::from(sender % 3)];
        let expected = account.charge(charge);
        let standing = rates.charge(sender % 3, quotas, charge).await;
        assert_eq!(standing.verdict, expected, "{done:?}");
        for (index, bucket) in account.buckets.iter().enumerate() {
            assert_eq!(standing.full_in[index], bucket.level, "quota {index} after {done:?}");
        }
    }
}

fn key(sender: u8) -> RateKey {
    RateKey::of([[sender].as_slice()])
}

/// A fixture whose answers are rounded.
struct Rates<F> {
    fixture: F,
}

impl<F: RateFixture> Rates<F> {
    async fn new() -> Option<Self> {
        Some(Self { fixture: F::new().await? })
    }

    async fn charge(&self, sender: u8, quotas: impl Into<Quotas>, charge: Charge) -> Standing {
        let standing = self.fixture.store().check(key(sender), &quotas.into(), charge).await.expect("an answer");
        let verdict = match standing.verdict {
            Verdict::Limited { retry_after } => {
                assert!(!retry_after.is_zero(), "limited for no time");
                Verdict::Limited { retry_after: round_up(retry_after, F::GRAIN) }
            }
            verdict => verdict,
        };
        Standing { verdict, full_in: standing.full_in.map(|time| round_up(time, F::GRAIN)) }
    }

    async fn ask(&self, sender: u8, quotas: impl Into<Quotas>) -> Verdict {
        self.charge(sender, quotas, Charge::IfAllowed(1)).await.verdict
    }

    /// How many of a hundred requests at once are let through.
    async fn burst(&self, sender: u8, quotas: impl Into<Quotas>) -> usize {
        let quotas = quotas.into();
        let mut allowed = 0;
        for _ in 0..100 {
            allowed += usize::from(self.ask(sender, quotas).await == Verdict::Allowed);
        }
        allowed
    }
}

/// Buckets with a hole in them: what a rate store is to do, said otherwise than by arrival times.
struct Model {
    buckets: Vec<Bucket>,
}

struct Bucket {
    quota: Quota,
    drop: Duration,
    /// How long until it is empty.
    level: Duration,
    size: Duration,
}

impl Model {
    fn new(quotas: &Quotas) -> Self {
        let bucket = |quota: &Quota| {
            let drop = quota.interval().unwrap_or_default();
            Bucket { quota: *quota, drop, level: Duration::ZERO, size: drop * quota.burst() }
        };
        Self { buckets: quotas.as_slice().iter().map(bucket).collect() }
    }

    fn leak(&mut self, time: Duration) {
        self.buckets.iter_mut().for_each(|bucket| bucket.level = bucket.level.saturating_sub(time));
    }

    fn charge(&mut self, charge: Charge) -> Verdict {
        let (asked, is_conditional) = match charge {
            Charge::IfAllowed(cost) => (cost, true),
            Charge::Nothing => (1, false),
            Charge::Debit(cost) => {
                self.buckets
                    .iter_mut()
                    .for_each(|bucket| bucket.level = bucket.size.min(bucket.level + bucket.of(cost)));
                (1, false)
            }
            Charge::Refund(cost) => {
                self.buckets.iter_mut().for_each(|bucket| bucket.level = bucket.level.saturating_sub(bucket.of(cost)));
                (1, false)
            }
        };
        let wait = self.buckets.iter().filter_map(|bucket| bucket.wait(asked)).max();
        match wait {
            Some(retry_after) => Verdict::Limited { retry_after },
            None => {
                if is_conditional {
                    self.buckets.iter_mut().for_each(|bucket| bucket.level += bucket.of(asked));
                }
                Verdict::Allowed
            }
        }
    }
}

impl Bucket {
    fn of(&self, requests: u32) -> Duration {
        self.drop * requests.min(self.quota.burst())
    }

    /// How long until so many fit in.
    fn wait(&self, requests: u32) -> Option<Duration> {
        if self.quota.interval().is_none() {
            return Some(self.quota.period());
        }
        (self.level + self.of(requests)).checked_sub(self.size).filter(|over| !over.is_zero())
    }
}
