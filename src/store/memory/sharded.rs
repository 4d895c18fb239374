//! Parts, each behind a lock of its own, so that requests rarely wait for each other.

#[cfg(not(tower_webhook_loom))]
use std::hash::RandomState;
use std::{hash::BuildHasher, sync::PoisonError};

#[cfg(tower_webhook_loom)]
pub(super) use loom::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
#[cfg(not(tower_webhook_loom))]
pub(super) use std::sync::{Mutex, MutexGuard, atomic::AtomicUsize};

pub(super) struct Sharded<T>(Box<[Mutex<T>]>);

impl<T> Sharded<T> {
    pub(super) fn new(shards: usize, make: impl Fn() -> T) -> Self {
        Self((0..shards).map(|_| Mutex::new(make())).collect())
    }

    /// The part that a key of this hash belongs to.
    pub(super) fn lock(&self, hash: u128) -> MutexGuard<'_, T> {
        /// Those below choose a cell, which must not depend on the shard.
        const BITS_OF_CELLS: u32 = 88;
        let index = (hash >> BITS_OF_CELLS) as usize & (self.0.len() - 1);
        lock(&self.0[index])
    }

    /// One part after the other, of which some may change meanwhile.
    pub(super) fn lock_each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(lock)
    }

    /// The parts that nobody has locked: for who has locked one of them already, and must not wait for another.
    pub(super) fn try_lock_each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().filter_map(|part| part.try_lock().ok())
    }
}

/// A power of two: enough that threads rarely meet, and that no part is so large that it takes long to grow.
pub(super) fn shards(capacity: usize) -> usize {
    const SMALL: usize = 256;
    const LARGE: usize = 16 * 1024;
    const USUAL: usize = 64;
    const MOST: usize = 4096;
    if cfg!(tower_webhook_loom) {
        return 2;
    }
    let for_threads = (capacity / SMALL).next_power_of_two().min(USUAL);
    for_threads.max((capacity / LARGE).next_power_of_two()).min(MOST)
}

/// Nothing in this crate leaves a part half changed, so a panic elsewhere is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hashes keys under a secret of the process: strangers choose some of them (addresses, ids), and must be able neither to
/// crowd one corner of a table nor to aim at somebody else's cell.
pub(super) struct Secret {
    sip: Sip,
    factors: [u64; 2],
}

#[cfg(not(tower_webhook_loom))]
type Sip = RandomState;
/// The same in each run, as the model checker must find again what it has seen.
#[cfg(tower_webhook_loom)]
type Sip = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

impl Default for Secret {
    fn default() -> Self {
        let factors = Sip::default();
        Self { sip: Sip::default(), factors: [factors.hash_one(0), factors.hash_one(1)] }
    }
}

impl Secret {
    /// The lower half, which says where a key is, by SipHash. The upper half tells apart those that are in the same place, for
    /// which a product will do.
    pub(super) fn hash(&self, key: u128) -> u128 {
        let [first, second] = self.factors;
        let product = u128::from((key >> 64) as u64 ^ first) * u128::from(key as u64 ^ second);
        let upper = (product >> 64) as u64 ^ product as u64;
        u128::from(upper) << 64 | u128::from(self.sip.hash_one(key))
    }
}
