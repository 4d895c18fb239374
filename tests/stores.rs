//! Stores in memory pass what every store must.

mod support;

use std::time::Duration;

use proptest::prelude::*;
use support::clock;
use tower_webhook::{
    clock::ManualClock,
    store::{Charge, MemoryNonceStore, MemoryRateStore, Quota},
    testing::{NonceFixture, RateFixture, nonces, rates, run},
};

mod nonces_in_memory {
    tower_webhook::nonce_store_tests!(super::InMemory<super::MemoryNonceStore>);
}

mod rates_in_memory {
    tower_webhook::rate_store_tests!(super::InMemory<super::MemoryRateStore>);
}

proptest! {
    #![proptest_config(support::property())]

    #[test]
    fn nonces_agree_with_the_model(steps in prop::collection::vec(support::nonce_step(), 1..80)) {
        run(nonces::agrees_with_the_model::<InMemory<MemoryNonceStore>>(steps));
    }

    #[test]
    fn rates_agree_with_the_model(
        first in quota(),
        second in quota(),
        steps in prop::collection::vec((0_u8..3, 0_u64..400_000_000, charge()), 1..200),
    ) {
        let steps = steps.into_iter().map(|(sender, nanos, charge)| (sender, Duration::from_nanos(nanos), charge));
        run(rates::agrees_with_the_model::<InMemory<MemoryRateStore>>([first, second], steps.collect::<Vec<_>>()));
    }
}

fn quota() -> impl Strategy<Value = Quota> {
    (0_u32..50, 0_u32..20).prop_map(|(per_second, burst)| Quota::per_second(per_second).allow_burst(burst))
}

fn charge() -> impl Strategy<Value = Charge> {
    prop_oneof![
        6 => (0_u32..4).prop_map(Charge::IfAllowed),
        1 => Just(Charge::Nothing),
        1 => (0_u32..30).prop_map(Charge::Debit),
        1 => (0_u32..30).prop_map(Charge::Refund),
    ]
}

struct InMemory<S> {
    store: S,
    clock: ManualClock,
}

impl NonceFixture for InMemory<MemoryNonceStore> {
    type Store = MemoryNonceStore;

    async fn new() -> Option<Self> {
        let clock = clock();
        Some(Self { store: MemoryNonceStore::with_capacity(10_000).with_clock(clock.clone()), clock })
    }

    fn store(&self) -> &MemoryNonceStore {
        &self.store
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

impl RateFixture for InMemory<MemoryRateStore> {
    type Store = MemoryRateStore;

    const GRAIN: Duration = Duration::from_nanos(1);

    async fn new() -> Option<Self> {
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
