use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    fmt,
    future::{Ready, ready},
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{NonceStore, ReplayKey, Reserved, StoreError, Token, sharded::Sharded};
use crate::clock::{Clock, SharedClock};

/// Remembers deliveries in this process: bounded, without a background task.
///
/// What it remembers is gone with the process: after a restart, a delivery that was handled before can be replayed
/// for as long as its timestamp is accepted. When it is full of deliveries that are still accepted, it refuses new ones
/// rather than forget one; they are answered `503`, and the sender tries again.
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
    /// Entries in all shards.
    entries: AtomicUsize,
    capacity: usize,
    clock: SharedClock,
}

#[derive(Default)]
struct Shard {
    /// Reservations: as many as handlers are running.
    held: Digests<Held>,
    /// Committed keys, and when each may be forgotten.
    done: Digests<Nanos>,
    /// The same by time, so that expiry looks at what has expired and nothing else.
    expiry: BinaryHeap<Reverse<(Nanos, u128)>>,
}

/// A map whose keys are digests, which need little more hashing.
type Digests<V> = HashMap<u128, V, Seeds>;

/// Half of a digest times the other half, each mixed with a secret: some senders may choose a part of what is digested (an event type
/// that is not signed), and must not be able to crowd one corner of a map.
#[derive(Clone)]
struct Seeds([u64; 2]);

impl Default for Seeds {
    fn default() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }
}

impl BuildHasher for Seeds {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { seeds: self.0, hash: 0 }
    }
}

struct Folded {
    seeds: [u64; 2],
    hash: u64,
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u128(u128::from(*byte)));
    }

    fn write_u128(&mut self, digest: u128) {
        let (high, low) = ((digest >> 64) as u64 ^ self.seeds[0] ^ self.hash, digest as u64 ^ self.seeds[1]);
        let product = u128::from(high) * u128::from(low);
        self.hash = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

struct Held {
    token: Token,
    until: Nanos,
}

/// On the monotonic clock; enough for five centuries.
type Nanos = u64;

fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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
        Self(Arc::new(Inner { shards: Sharded::new(), entries: AtomicUsize::new(0), capacity, clock }))
    }

    /// How many deliveries are remembered, reserved ones included, some of them perhaps expired.
    pub fn len(&self) -> usize {
        self.0.entries.load(Ordering::Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn try_reserve(&self, key: u128, token: Token, lease: Duration) -> Result<Reserved, StoreError> {
        let now = nanos(self.0.clock.monotonic());
        let mut shard = self.0.shard(key);
        // Twice as many as can have been added since: expiry keeps up without ever pausing.
        self.0.forget(shard.expire(now, 2));
        match shard.done.get(&key) {
            Some(until) if *until > now => return Ok(Reserved::Done),
            Some(_) => {
                shard.done.remove(&key);
                self.0.forget(1);
            }
            None => {}
        }
        let until = now.saturating_add(nanos(lease));
        if let Some(held) = shard.held.get_mut(&key) {
            if held.token != token && held.until > now {
                return Ok(Reserved::InProgress { retry_after: Duration::from_nanos(held.until - now) });
            }
            *held = Held { token, until };
            return Ok(Reserved::Fresh);
        }
        if !self.0.make_room(&mut shard, now) {
            return Err(StoreError::Full);
        }
        shard.held.insert(key, Held { token, until });
        Ok(Reserved::Fresh)
    }

    fn try_commit(&self, key: u128, token: Token, retention: Duration) -> Result<(), StoreError> {
        let now = nanos(self.0.clock.monotonic());
        let mut shard = self.0.shard(key);
        let is_anothers = |held: &Held| held.token != token && held.until > now;
        match shard.held.get(&key).map(is_anothers) {
            Some(true) => return Ok(()),
            Some(false) => drop(shard.held.remove(&key)),
            None if shard.done.get(&key).is_some_and(|until| *until > now) => return Ok(()),
            // The lease ended and was swept, and nobody has reserved the key since.
            None if !self.0.make_room(&mut shard, now) => return Err(StoreError::Full),
            None => {}
        }
        let until = now.saturating_add(nanos(retention));
        if shard.done.insert(key, until).is_some() {
            self.0.forget(1);
        }
        shard.expiry.push(Reverse((until, key)));
        Ok(())
    }

    fn try_release(&self, key: u128, token: Token) {
        let mut shard = self.0.shard(key);
        if shard.held.get(&key).is_some_and(|held| held.token == token) {
            shard.held.remove(&key);
            self.0.forget(1);
        }
    }
}

impl Inner {
    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        // Any bits of a digest choose a shard.
        self.shards.lock(key as u64)
    }

    fn forget(&self, entries: usize) {
        if entries > 0 {
            self.entries.fetch_sub(entries, Ordering::Relaxed);
        }
    }

    /// Counts one more entry, if there is room for it or can be made.
    fn make_room(&self, shard: &mut Shard, now: Nanos) -> bool {
        if self.count_one() {
            return true;
        }
        // Rare, and bounded by what has expired: one look at the oldest entry of each shard, and at running handlers.
        self.forget(shard.sweep(now));
        for mut other in self.shards.try_lock_each() {
            self.forget(other.sweep(now));
        }
        self.count_one()
    }

    fn count_one(&self) -> bool {
        self.entries
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |entries| {
                (entries < self.capacity).then_some(entries + 1)
            })
            .is_ok()
    }
}

impl Shard {
    /// Forgets everything whose time is over, and says how many that was.
    fn sweep(&mut self, now: Nanos) -> usize {
        let held = self.held.len();
        self.held.retain(|_, held| held.until > now);
        held - self.held.len() + self.expire(now, usize::MAX)
    }

    /// Forgets up to so many committed keys whose time is over, and says how many there were.
    fn expire(&mut self, now: Nanos, at_most: usize) -> usize {
        let mut forgotten = 0;
        while forgotten < at_most {
            match self.expiry.peek() {
                Some(Reverse((until, _))) if *until <= now => {}
                _ => break,
            }
            let Some(Reverse((until, key))) = self.expiry.pop() else { break };
            // Unless it was forgotten already, and perhaps committed again for longer.
            if self.done.get(&key) == Some(&until) {
                self.done.remove(&key);
                forgotten += 1;
            }
        }
        forgotten
    }
}

impl NonceStore for MemoryNonceStore {
    type Reserve = Ready<Result<Reserved, StoreError>>;
    type Settle = Ready<Result<(), StoreError>>;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        ready(self.try_reserve(key.short(), token, lease))
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        ready(self.try_commit(key.short(), token, retention))
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        self.try_release(key.short(), token);
        ready(Ok(()))
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
