//! What looking things up elsewhere has in common: many who ask cause one lookup, and what strangers ask for has bounds.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

/// Tells those who wait for a lookup how it ended.
pub(crate) type Takeoff<T> = watch::Sender<Option<T>>;

/// Waits for a lookup that is under way.
pub(crate) type Landing<T> = watch::Receiver<Option<T>>;

/// What lookups are for.
pub(crate) trait Lookups {
    /// What a lookup brings.
    type Found;
    /// What those who wait are told.
    type Landed: Clone;

    /// Writes down how a lookup ended, for those who come later.
    fn land(&self, found: Self::Found) -> Self::Landed;

    /// What a lookup brings that broke off.
    fn broken_off() -> Self::Found;
}

/// A lookup under way. However it ends, by a panic or with its runtime, those who wait are told.
pub(crate) struct Flight<L: Lookups> {
    pub(crate) lookups: L,
    takeoff: Takeoff<L::Landed>,
}

impl<L: Lookups> Flight<L> {
    pub(crate) fn new(lookups: L, takeoff: Takeoff<L::Landed>) -> Self {
        Self { lookups, takeoff }
    }

    pub(crate) fn land(&self, found: L::Found) {
        let landed = self.lookups.land(found);
        self.takeoff.send_replace(Some(landed));
    }
}

impl<L: Lookups> Drop for Flight<L> {
    fn drop(&mut self) {
        if self.takeoff.borrow().is_none() {
            self.land(L::broken_off());
        }
    }
}

/// How a lookup ended; `None` if there is nobody left to say it.
pub(crate) async fn landed<T: Clone>(mut landing: Landing<T>) -> Option<T> {
    landing.wait_for(Option::is_some).await.ok()?.clone()
}

/// Entries up to a number.
pub(crate) struct Entries<K, E> {
    max: usize,
    entries: HashMap<K, Used<E>>,
    /// Counts queries, to tell which entry has not been used for longest.
    queries: u64,
}

struct Used<E> {
    entry: E,
    at: u64,
}

/// Something of which only so many are remembered.
pub(crate) trait Entry: Default {
    /// Somebody waits for it, so it is never dropped.
    fn is_in_flight(&self) -> bool;

    /// It holds something, so it is dropped after those that hold nothing.
    fn is_held(&self) -> bool;
}

impl<K: Clone + Eq + Hash, E: Entry> Entries<K, E> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, entries: HashMap::new(), queries: 0 }
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &E)> {
        self.entries.iter().map(|(key, used)| (key, &used.entry))
    }

    /// The entry, which is used by this.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut E>
    where
        K: Borrow<Q>,
    {
        self.queries += 1;
        let used = self.entries.get_mut(key)?;
        used.at = self.queries;
        Some(&mut used.entry)
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<E>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key).map(|used| used.entry)
    }

    /// The entry, made if it is not there yet; nothing if there is no room for it.
    pub(crate) fn get_or_make(&mut self, key: &K) -> Option<&mut E> {
        if !self.entries.contains_key(key) && !self.make_room() {
            return None;
        }
        Some(self.get_or_squeeze_in(key))
    }

    /// The entry, made if it is not there any more.
    pub(crate) fn get_or_squeeze_in(&mut self, key: &K) -> &mut E {
        self.queries += 1;
        let used = self.entries.entry(key.clone()).or_insert_with(|| Used { entry: E::default(), at: 0 });
        used.at = self.queries;
        &mut used.entry
    }

    /// Drops the entry that is missed least, if there are as many as there may be: one that holds nothing, or else the one unused for longest.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < self.max {
            return true;
        }
        let idle = self.entries.iter().filter(|(_, used)| !used.entry.is_in_flight());
        let Some(key) = idle.min_by_key(|(_, used)| (used.entry.is_held(), used.at)).map(|(key, _)| key.clone()) else {
            return false;
        };
        self.entries.remove(&key).is_some()
    }
}

/// Counts what happened in the current minute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Minute {
    began: Duration,
    count: u32,
}

impl Minute {
    pub(crate) fn beginning(at: Duration) -> Self {
        Self { began: at, count: 0 }
    }

    pub(crate) fn count(&mut self, at: Duration) -> u32 {
        if at.saturating_sub(self.began) >= Duration::from_secs(60) {
            *self = Self::beginning(at);
        }
        self.count
    }

    pub(crate) fn add(&mut self, at: Duration) {
        self.count = self.count(at).saturating_add(1);
    }
}

/// Nothing here is left half changed, so a panic elsewhere is no reason to stop.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
