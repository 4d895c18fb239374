//! What every store must pass: for those who write one of their own.
//!
//! Say how to get a fresh store and how to let time pass for it, and each case becomes a test:
//!
//! ```
//! use std::time::Duration;
//! use tower_webhook::{
//!     clock::{ManualClock, UnixTime},
//!     store::MemoryNonceStore,
//!     testing::NonceFixture,
//! };
//!
//! struct InMemory {
//!     store: MemoryNonceStore,
//!     clock: ManualClock,
//! }
//!
//! impl NonceFixture for InMemory {
//!     type Store = MemoryNonceStore;
//!
//!     async fn new() -> Option<Self> {
//!         let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
//!         Some(Self { store: MemoryNonceStore::new().with_clock(clock.clone()), clock })
//!     }
//!
//!     fn store(&self) -> &MemoryNonceStore {
//!         &self.store
//!     }
//!
//!     async fn pass(&self, time: Duration) {
//!         self.clock.advance(time);
//!     }
//! }
//!
//! mod in_memory {
//!     tower_webhook::nonce_store_tests!(super::InMemory);
//! }
//! ```
//!
//! A store whose time cannot be moved has [`SECOND`](NonceFixture::SECOND) last a twentieth of one, and waits in
//! [`pass`](NonceFixture::pass).

#![expect(clippy::expect_used, clippy::panic, reason = "so tests fail")]

pub mod nonces;
pub mod rates;

use std::{future::Future, time::Duration};

pub use self::{nonces::NonceFixture, rates::RateFixture};

/// Runs one case, on a few threads.
///
/// # Panics
///
/// If the store does not pass it, or no threads are to be had.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("a runtime for tests").block_on(case);
}

/// Makes a test of each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    ($module:ident, $fixture:ty: $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::testing::run($crate::testing::$module::$case::<$fixture>());
            }
        )*
    };
}

/// Times are compared in whole grains, since some stores' clocks go on by themselves.
fn round_up(time: Duration, grain: Duration) -> Duration {
    let grains = time.as_nanos().div_ceil(grain.as_nanos().max(1));
    u32::try_from(grains).map_or(time, |grains| grain.saturating_mul(grains))
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
