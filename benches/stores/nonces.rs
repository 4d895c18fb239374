//! Memories of deliveries: each asked whether one is new, and to remember it.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    sync::Mutex,
    time::{Duration, Instant},
};

use criterion::Criterion;
use tower_webhook::store::{MemoryNonceStore, NonceStore, ReplayKey, Reserved, Token};

use crate::{SIZES, bench, bytes, pauses, rates::at_once};

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn times(criterion: &mut Criterion) {
    for size in SIZES {
        let keys = keys(size);
        times_of::<Sets>(criterion, &keys);
        times_of::<MapsAndHeaps>(criterion, &keys);
        times_of::<Generations>(criterion, &keys);
        times_of::<Moka>(criterion, &keys);
        times_of::<QuickCache>(criterion, &keys);
    }
}

/// Known deliveries: asking about them leaves the store as it is.
fn times_of<M: Memory>(criterion: &mut Criterion, keys: &[ReplayKey]) {
    let memory = M::new(keys.len() * 2, HOUR);
    for key in keys {
        memory.is_new(key);
    }
    let mut keys = keys.to_vec();
    keys.sort_by_key(|key| *key.as_bytes());
    bench(criterion, "a replay", M::NAME, &keys, |key| memory.is_new(key));
}

pub(crate) fn table() {
    println!(
        "\nnonces: a million deliveries; then two million that expire meanwhile; then 200 000 into a store for half of them, and again"
    );
    println!(
        "{:>24} {:>14} {:>14} {:>14} {:>14} {:>14} {:>14} {:>14}",
        "", "bytes each", "at most", "ns each", "worst us", "expiring, ns", "worst us", "handled twice"
    );
    let keys = keys(2_000_000);
    row::<Sets>(&keys);
    row::<MapsAndHeaps>(&keys);
    row::<Generations>(&keys);
    row::<Moka>(&keys);
    row::<QuickCache>(&keys);
}

fn row<M: Memory>(keys: &[ReplayKey]) {
    let million = &keys[..1_000_000];
    let (kept, most) = bytes(million, || M::new(1_000_000, HOUR), M::is_new);
    let [kept, most] = [kept, most].map(|bytes| bytes.div_ceil(million.len() as u64));
    let (worst, mean) = pauses(million, || M::new(1_000_000, HOUR), M::is_new);
    let expiring = pauses(keys, || M::new(1_000_000, Duration::from_millis(150)), M::is_new);
    let memory = M::new(100_000, HOUR);
    let handled: Vec<_> = keys[..200_000].iter().map(|key| memory.is_new(key)).collect();
    let replays = keys[..200_000].iter().map(|key| memory.is_new(key));
    let handled_twice = replays.zip(handled).filter(|again| *again == (true, true)).count();
    println!(
        "{:>24} {kept:>14} {most:>14} {:>14} {:>14} {:>14} {:>14} {handled_twice:>14}",
        M::NAME,
        mean.as_nanos(),
        worst.as_micros(),
        expiring.1.as_nanos(),
        expiring.0.as_micros()
    );
}

fn keys(count: usize) -> Vec<ReplayKey> {
    (0..count).map(|id| ReplayKey::of([&id.to_be_bytes()[..]])).collect()
}

trait Memory: Sync {
    const NAME: &str;

    fn new(capacity: usize, retention: Duration) -> Self;

    /// Remembers it then, if there is room.
    fn is_new(&self, key: &ReplayKey) -> bool;
}

/// Ours, in two steps as each delivery takes them.
struct Sets(MemoryNonceStore, Duration);

impl Memory for Sets {
    const NAME: &str = "sets of cells (ours)";

    fn new(capacity: usize, retention: Duration) -> Self {
        Self(MemoryNonceStore::with_capacity(capacity), retention)
    }

    fn is_new(&self, key: &ReplayKey) -> bool {
        let token = Token::unique();
        let is_new = at_once(self.0.reserve(*key, token, HOUR)) == Ok(Reserved::Fresh);
        is_new && at_once(self.0.commit(*key, token, self.1)).is_ok()
    }
}

/// Maps, and heaps by time beside them.
struct MapsAndHeaps {
    shards: Vec<Mutex<MapAndHeap>>,
    in_each: usize,
    begun: Instant,
    retention: Duration,
}

#[derive(Default)]
struct MapAndHeap {
    until: HashMap<u128, Duration>,
    expiry: BinaryHeap<Reverse<(Duration, u128)>>,
}

impl Memory for MapsAndHeaps {
    const NAME: &str = "maps and heaps";

    fn new(capacity: usize, retention: Duration) -> Self {
        Self { shards: shards(), in_each: capacity / 64, begun: Instant::now(), retention }
    }

    fn is_new(&self, key: &ReplayKey) -> bool {
        let (key, now) = (short(key), self.begun.elapsed());
        let mut shard = self.shards[key as usize % 64].lock().expect("nobody panics");
        for _ in 0..2 {
            match shard.expiry.peek() {
                Some(Reverse((until, old))) if *until <= now => {
                    let old = *old;
                    shard.until.remove(&old);
                    shard.expiry.pop();
                }
                _ => break,
            }
        }
        if shard.until.contains_key(&key) || shard.until.len() >= self.in_each {
            return false;
        }
        let until = now + self.retention;
        shard.until.insert(key, until);
        shard.expiry.push(Reverse((until, key)));
        true
    }
}

/// Sets by the time when they began, of which the oldest is dropped as a whole.
struct Generations {
    shards: Vec<Mutex<[HashSet<u128>; 3]>>,
    /// Which generation each shard has in front.
    newest: Vec<Mutex<u128>>,
    in_each: usize,
    begun: Instant,
    retention: Duration,
}

impl Memory for Generations {
    const NAME: &str = "generations";

    fn new(capacity: usize, retention: Duration) -> Self {
        let newest = (0..64).map(|_| Mutex::default()).collect();
        Self { shards: shards(), newest, in_each: capacity / 64, begun: Instant::now(), retention }
    }

    fn is_new(&self, key: &ReplayKey) -> bool {
        let (key, now) = (short(key), self.begun.elapsed());
        let index = key as usize % 64;
        let mut generations = self.shards[index].lock().expect("nobody panics");
        let mut newest = self.newest[index].lock().expect("nobody panics");
        let generation = now.as_nanos() / (self.retention / 2).as_nanos();
        for _ in 0..(generation - *newest).min(3) {
            generations.rotate_right(1);
            generations[0].clear();
        }
        *newest = generation;
        let count: usize = generations.iter().map(HashSet::len).sum();
        if generations.iter().any(|generation| generation.contains(&key)) || count >= self.in_each {
            return false;
        }
        generations[0].insert(key)
    }
}

/// `moka` as it comes.
struct Moka(moka::sync::Cache<u128, ()>);

impl Memory for Moka {
    const NAME: &str = "moka";

    fn new(capacity: usize, retention: Duration) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(capacity as u64).time_to_live(retention).build())
    }

    fn is_new(&self, key: &ReplayKey) -> bool {
        self.0.entry(short(key)).or_insert(()).is_fresh()
    }
}

/// `quick_cache` as it comes: without a time after which something is forgotten.
struct QuickCache(quick_cache::sync::Cache<u128, ()>);

impl Memory for QuickCache {
    const NAME: &str = "quick_cache";

    fn new(capacity: usize, _: Duration) -> Self {
        Self(quick_cache::sync::Cache::new(capacity))
    }

    fn is_new(&self, key: &ReplayKey) -> bool {
        let mut is_new = false;
        let _ = self.0.get_or_insert_with::<_, ()>(&short(key), || {
            is_new = true;
            Ok(())
        });
        is_new
    }
}

fn shards<T: Default>() -> Vec<Mutex<T>> {
    (0..64).map(|_| Mutex::default()).collect()
}

fn short(key: &ReplayKey) -> u128 {
    key.as_bytes().iter().take(16).fold(0, |short, byte| short << 8 | u128::from(*byte))
}
