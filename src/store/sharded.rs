//! A map in parts, each behind a lock of its own, so that requests rarely wait for each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 64;

pub(super) struct Sharded<T>([Mutex<T>; SHARDS]);

impl<T: Default> Sharded<T> {
    pub(super) const SHARDS: usize = SHARDS;

    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    /// The part that a key of this hash belongs to.
    pub(super) fn lock(&self, hash: u64) -> MutexGuard<'_, T> {
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
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

/// Nothing in this crate leaves a part half changed, so a panic elsewhere is no reason to stop.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
