use std::{
    collections::HashMap,
    fmt,
    future::{Ready, ready},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    Quota, RateKey, RateStore, StoreError, Verdict,
    sharded::{Sharded, lock},
};
use crate::clock::{Clock, SharedClock};

/// Remembers in this process who sent how much: bounded, without a background task.
///
/// When all cells are taken by senders with something on their account, those that are not known yet share one account until
/// a cell is free; senders that are known keep theirs. A flood from many addresses thus costs newcomers, not regulars.
///
/// Clones share the same memory. Keys of different layers do not collide, unless both limit by the same thing.
///
/// ```
/// use tower_webhook::store::MemoryRateStore;
///
/// let rates = MemoryRateStore::with_capacity(100_000);
/// assert!(rates.is_empty());
/// ```
#[derive(Clone)]
pub struct MemoryRateStore(Arc<Inner>);

struct Inner {
    shards: Sharded<Shard>,
    /// The account that newcomers share when there is no cell for them.
    overflow: Mutex<u64>,
    capacity: usize,
    hasher: RandomState,
    clock: SharedClock,
}

#[derive(Default)]
struct Shard {
    /// When each sender's next request would be due, in nanoseconds.
    next: HashMap<u128, u64>,
    /// Cells are not searched for free ones before.
    sweep_at: u64,
}

impl MemoryRateStore {
    /// Senders of a store that was given no capacity.
    pub const DEFAULT_CAPACITY: usize = 100_000;

    /// Remembers a hundred thousand senders.
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// Remembers about so many senders; memory is taken as they come.
    pub fn with_capacity(senders: usize) -> Self {
        Self::build(senders, SharedClock::default())
    }

    /// The same with another clock, of which the monotonic hand counts.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self::build(self.0.capacity, SharedClock::new(clock))
    }

    fn build(capacity: usize, clock: SharedClock) -> Self {
        Self(Arc::new(Inner {
            shards: Sharded::new(),
            overflow: Mutex::new(0),
            capacity,
            hasher: RandomState::new(),
            clock,
        }))
    }

    /// How many senders are remembered.
    pub fn len(&self) -> usize {
        self.0.shards.lock_each().map(|shard| shard.next.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn judge(&self, key: u128, quota: Quota) -> Verdict {
        let inner = &*self.0;
        let now = u64::try_from(inner.clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
        let mut shard = inner.shards.lock(inner.hasher.hash_one(key));
        if let Some(next) = shard.next.get_mut(&key) {
            return settle(next, quota, now);
        }
        if shard.has_room(inner.capacity.div_ceil(Sharded::<Shard>::SHARDS), now) {
            return settle(shard.next.entry(key).or_insert(0), quota, now);
        }
        drop(shard);
        settle(&mut lock(&inner.overflow), quota, now)
    }
}

fn settle(next: &mut u64, quota: Quota, now: u64) -> Verdict {
    match quota.judge(*next, now) {
        Ok(later) => {
            *next = later;
            Verdict::Allowed
        }
        Err(retry_after) => Verdict::Limited { retry_after },
    }
}

impl Shard {
    fn has_room(&mut self, capacity: usize, now: u64) -> bool {
        /// A flood must not make every request search all cells.
        const BETWEEN_SWEEPS: u64 = Duration::from_secs(1).as_nanos() as u64;
        if self.next.len() < capacity {
            return true;
        }
        if now < self.sweep_at {
            return false;
        }
        self.sweep_at = now.saturating_add(BETWEEN_SWEEPS);
        // Whose next request is due already is like somebody who never came.
        self.next.retain(|_, next| *next > now);
        self.next.len() < capacity
    }
}

impl RateStore for MemoryRateStore {
    type Check = Ready<Result<Verdict, StoreError>>;

    fn check(&self, key: RateKey, quota: Quota) -> Self::Check {
        ready(Ok(self.judge(key.as_u128(), quota)))
    }
}

impl Default for MemoryRateStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryRateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRateStore").field("capacity", &self.0.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixTime};

    fn store(capacity: usize) -> (MemoryRateStore, ManualClock) {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        (MemoryRateStore::with_capacity(capacity).with_clock(clock.clone()), clock)
    }

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let (store, clock) = store(1000);
        let quota = Quota::per_second(10);
        for request in 0..10 {
            assert_eq!(store.judge(1, quota), Verdict::Allowed, "{request}");
        }
        let Verdict::Limited { retry_after } = store.judge(1, quota) else { panic!("the eleventh passed") };
        assert_eq!(retry_after, Duration::from_millis(100));
        assert_eq!(store.judge(2, quota), Verdict::Allowed, "another sender is not affected");

        // Asking too early does not put the moment off.
        clock.advance(retry_after - Duration::from_nanos(1));
        assert_eq!(store.judge(1, quota), Verdict::Limited { retry_after: Duration::from_nanos(1) });
        clock.advance(Duration::from_nanos(1));
        assert_eq!(store.judge(1, quota), Verdict::Allowed);
        assert!(matches!(store.judge(1, quota), Verdict::Limited { .. }));

        clock.advance(Duration::from_secs(365 * 86_400));
        let passed = (0..100).filter(|_| store.judge(1, quota) == Verdict::Allowed).count();
        assert_eq!(passed, 10, "a long pause saves up no more than the burst");
    }

    #[test]
    fn a_flood_of_senders_costs_newcomers_and_not_regulars() {
        let (store, clock) = store(64);
        let quota = Quota::per_minute(60).allow_burst(2);
        for sender in 0..100_000 {
            store.judge(sender, quota);
        }
        let known = store.len();
        assert!(known <= 64, "{known} cells");
        assert!(matches!(store.judge(u128::MAX, quota), Verdict::Limited { .. }), "newcomers share one account");

        // When the flood is over, its cells are found free.
        clock.advance(Duration::from_secs(120));
        assert_eq!(store.judge(u128::MAX, quota), Verdict::Allowed);
        assert_eq!(store.judge(u128::MAX, quota), Verdict::Allowed);
        assert!(store.len() <= 64);
    }
}
