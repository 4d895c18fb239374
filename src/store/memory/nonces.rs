use std::{
    collections::HashMap,
    fmt,
    future::{Ready, ready},
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    sharded::{AtomicUsize, MutexGuard, Secret, Sharded, shards},
    table::{Cell, Table},
};
use crate::{
    clock::{Clock, SharedClock},
    observe::{Reading, Watched},
    store::{NonceStore, ReplayKey, Reserved, StoreError, Token},
};

/// Remembers deliveries in this process: bounded, without a background task.
///
/// What it remembers is gone with the process: after a restart, a delivery that was handled before can be replayed
/// for as long as its timestamp is accepted. When it is full of deliveries that are still accepted, it refuses new ones
/// rather than forget one; they are answered `503`, and the sender tries again.
///
/// A delivery takes 16 bytes, as a keyed hash of 88 bits and a time in milliseconds, in tables that grow as deliveries come: up to
/// about 24 bytes for each of the capacity. They keep their size from then on. What has expired is overwritten, and looked for a
/// little at each commit, so that no request pays for all.
///
/// Clones share the same memory.
///
/// ```
/// use tower_webhook::store::MemoryNonceStore;
///
/// let nonces = MemoryNonceStore::with_capacity(1_000_000);
/// assert!(nonces.is_empty());
/// ```
#[derive(Clone)]
pub struct MemoryNonceStore(Arc<Inner>);

struct Inner {
    shards: Sharded<Shard>,
    secret: Secret,
    /// Entries in all shards.
    entries: AtomicUsize,
    capacity: usize,
    clock: SharedClock,
}

impl MemoryNonceStore {
    /// Entries of a store that was given no capacity.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// Remembers up to a million deliveries.
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// Remembers up to so many deliveries; memory is taken as they come.
    pub fn with_capacity(entries: usize) -> Self {
        Self::build(entries, SharedClock::default())
    }

    /// The same with another clock, of which the monotonic hand counts.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self::build(self.0.capacity, SharedClock::new(clock))
    }

    fn build(capacity: usize, clock: SharedClock) -> Self {
        let shards = shards(capacity);
        let in_each = capacity.div_ceil(shards);
        // Two sets of eight are rarely both full before three quarters of all cells are taken.
        let cells = in_each.saturating_add(in_each / 2);
        Self(Arc::new(Inner {
            shards: Sharded::new(shards, || Shard::new(cells)),
            secret: Secret::default(),
            entries: AtomicUsize::new(0),
            capacity,
            clock,
        }))
    }

    /// How many deliveries are remembered, reserved ones included, some of them perhaps expired.
    pub fn len(&self) -> usize {
        self.0.entries.load(Ordering::Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl NonceStore for MemoryNonceStore {
    type Reserve = Ready<Result<Reserved, StoreError>>;
    type Settle = Ready<Result<(), StoreError>>;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        ready(self.0.reserve(key, token, lease))
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        ready(self.0.commit(key, token, retention))
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        self.0.release(key, token);
        ready(Ok(()))
    }
}

impl Watched for MemoryNonceStore {
    fn reading(&self) -> Reading {
        Reading::of_entries(self.len() as u64, self.0.capacity as u64)
    }
}

impl Default for MemoryNonceStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryNonceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNonceStore").field("len", &self.len()).field("capacity", &self.0.capacity).finish()
    }
}

impl Inner {
    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Result<Reserved, StoreError> {
        let (hash, now) = (self.secret.hash(key.short()), self.clock.monotonic());
        let (until, millis) = (end(now, lease), begun(now));
        let mut shard = self.shards.lock(hash);
        if let Some(place) = shard.done.find(hash & TAG) {
            if shard.done[place].is_live(millis) {
                return Ok(Reserved::Done);
            }
            self.forget(shard.done[place].expire(millis));
        }
        if let Some(held) = shard.held.get(&hash) {
            if held.token != token && held.until > millis {
                let retry_after = Duration::from_millis(held.until).saturating_sub(now);
                return Ok(Reserved::InProgress { retry_after });
            }
        } else if !self.make_room(&mut shard, millis) {
            return Err(StoreError::Full);
        }
        self.forget(shard.hold(hash, Held { token, until }, millis));
        Ok(Reserved::Fresh)
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Result<(), StoreError> {
        let (hash, now) = (self.secret.hash(key.short()), self.clock.monotonic());
        let (until, millis) = (end(now, retention), begun(now));
        let mut shard = self.shards.lock(hash);
        let is_anothers = |held: &Held| held.token != token && held.until > millis;
        match shard.held.get(&hash).map(is_anothers) {
            Some(true) => return Ok(()),
            Some(false) => drop(shard.held.remove(&hash)),
            None if shard.is_done(hash, millis) => return Ok(()),
            // The lease ended and was swept, and nobody has reserved the key since.
            None if !self.make_room(&mut shard, millis) => return Err(StoreError::Full),
            None => {}
        }
        self.forget(shard.put(Entry::new(hash, until), millis));
        self.forget(shard.tidy(millis));
        Ok(())
    }

    fn release(&self, key: ReplayKey, token: Token) {
        let hash = self.secret.hash(key.short());
        let mut shard = self.shards.lock(hash);
        if shard.held.get(&hash).is_some_and(|held| held.token == token) {
            shard.held.remove(&hash);
            self.forget(1);
        }
    }

    /// Counts one more entry, if there is room for it or can be made.
    fn make_room(&self, shard: &mut MutexGuard<'_, Shard>, now: Millis) -> bool {
        /// Shards to search, in some tens of microseconds each, before a request is refused that could have been let in.
        const AT_MOST: usize = 8;
        if self.count_one() {
            return true;
        }
        let mut searched = 0;
        let mut make_room = |shard: &mut Shard| {
            let is_due = shard.first_end <= now;
            if is_due && searched < AT_MOST {
                searched += 1;
                self.forget(shard.sweep(now));
            }
            is_due && self.count_one()
        };
        make_room(shard) || self.shards.try_lock_each().any(|mut other| make_room(&mut other))
    }

    fn count_one(&self) -> bool {
        self.entries
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |entries| {
                (entries < self.capacity).then_some(entries + 1)
            })
            .is_ok()
    }

    fn forget(&self, entries: usize) {
        if entries > 0 {
            self.entries.fetch_sub(entries, Ordering::Relaxed);
        }
    }
}

struct Shard {
    /// Reservations: as many as handlers are running.
    held: HashMap<u128, Held, BuildHasherDefault<AsItIs>>,
    /// What has been committed.
    done: Table<Entry>,
    /// Where expired entries are looked for next.
    hand: usize,
    /// Nothing ends before.
    first_end: Millis,
}

struct Held {
    token: Token,
    until: Millis,
}

impl Shard {
    fn new(cells: usize) -> Self {
        Self { held: HashMap::default(), done: Table::about(cells), hand: 0, first_end: FOREVER }
    }

    fn is_done(&self, hash: u128, now: Millis) -> bool {
        self.done.find(hash & TAG).is_some_and(|place| self.done[place].is_live(now))
    }

    /// Keeps a reservation, and says how many lapsed ones were forgotten so that not more memory is taken for it than must be.
    fn hold(&mut self, hash: u128, held: Held, now: Millis) -> usize {
        self.first_end = self.first_end.min(held.until);
        let is_growing = self.held.len() == self.held.capacity() && !self.held.contains_key(&hash);
        let lapsed = if is_growing { self.let_lapse(now) } else { 0 };
        self.held.insert(hash, held);
        lapsed
    }

    fn let_lapse(&mut self, now: Millis) -> usize {
        let before = self.held.len();
        self.held.retain(|_, held| held.until > now);
        before - self.held.len()
    }

    /// Keeps an entry in the place of an expired one, and says how many of those are forgotten.
    fn put(&mut self, entry: Entry, now: Millis) -> usize {
        self.first_end = self.first_end.min(entry.until());
        let mut forgotten = 0;
        loop {
            if let Some(place) = self.done.find(entry.tag()).or_else(|| self.done.vacancy(entry.tag(), now)) {
                let before = std::mem::replace(&mut self.done[place], entry);
                return forgotten + usize::from(before != Entry::FREE);
            }
            let before = self.done.len();
            self.done.grow(now);
            forgotten += before - self.done.len();
        }
    }

    /// Forgets what has expired in the next two sets: sixteen looks for each entry that was put, so that only one in some thirty
    /// entries is an expired one.
    fn tidy(&mut self, now: Millis) -> usize {
        let mut forgotten = 0;
        for _ in 0..2 {
            for entry in self.done.set_mut(self.hand) {
                forgotten += entry.expire(now);
            }
            self.hand = self.hand.wrapping_add(1);
        }
        forgotten
    }

    /// Forgets all that has expired, and says how many entries that were.
    fn sweep(&mut self, now: Millis) -> usize {
        let mut forgotten = self.let_lapse(now);
        self.first_end = self.held.values().map(|held| held.until).min().unwrap_or(FOREVER);
        for entry in self.done.cells_mut() {
            forgotten += entry.expire(now);
            if *entry != Entry::FREE {
                self.first_end = self.first_end.min(entry.until());
            }
        }
        forgotten
    }
}

/// Of the monotonic clock.
type Millis = u64;

/// What 40 bits hold: 34 years. What ends then never ends.
const FOREVER: Millis = (1 << Entry::BITS_OF_TIME) - 1;

/// The milliseconds that have begun.
fn begun(now: Duration) -> Millis {
    u64::try_from(now.as_millis()).unwrap_or(FOREVER).min(FOREVER - 1)
}

/// Rounded up, so that nothing is forgotten early.
fn end(now: Duration, after: Duration) -> Millis {
    let end = now.saturating_add(after);
    let part = u64::from(end.subsec_nanos().div_ceil(1_000_000));
    end.as_secs().saturating_mul(1000).saturating_add(part).min(FOREVER)
}

/// The bits of a hash that an entry keeps; the others tell the shard.
const TAG: u128 = (1 << (u128::BITS - Entry::BITS_OF_TIME)) - 1;

/// A tag of 88 bits, and when it may be forgotten.
#[derive(Clone, Copy, PartialEq)]
struct Entry(u128);

impl Entry {
    const BITS_OF_TIME: u32 = 40;

    fn new(hash: u128, until: Millis) -> Self {
        Self(hash << Self::BITS_OF_TIME | u128::from(until))
    }

    fn until(self) -> Millis {
        self.0 as u64 & FOREVER
    }

    /// Leaves nothing of what has expired, and says how many entries that was.
    fn expire(&mut self, now: Millis) -> usize {
        let has_expired = *self != Self::FREE && !self.is_live(now);
        if has_expired {
            *self = Self::FREE;
        }
        usize::from(has_expired)
    }
}

impl Cell for Entry {
    const FREE: Self = Self(0);

    fn tag(&self) -> u128 {
        self.0 >> Self::BITS_OF_TIME
    }

    fn is_live(&self, now: Millis) -> bool {
        self.until() > now
    }
}

/// For keys that are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_to_the_millisecond_and_never_shortened() {
        let nanos = Duration::from_nanos;
        for (now, after, expected) in [
            (0, 0, 0),
            (0, 1, 1),
            (1, 999_999, 1),
            (1, 1_000_000, 2),
            (1_500_000, 500_000, 2),
            (999_999_999, 1, 1000),
            (999_999_999, 2, 1001),
        ] {
            assert_eq!(end(nanos(now), nanos(after)), expected, "{now} + {after}");
        }
        assert_eq!(begun(nanos(1_999_999)), 1);
        assert_eq!(end(Duration::MAX, Duration::MAX), FOREVER);
        assert!(Entry::new(7, FOREVER).is_live(begun(Duration::MAX)));
    }

    #[test]
    fn an_entry_keeps_tag_and_time() {
        let entry = Entry::new(u128::MAX, 123);
        assert_eq!((entry.tag(), entry.until()), (TAG, 123));
        assert!(entry.is_live(122) && !entry.is_live(123));
    }
}
