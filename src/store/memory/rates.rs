use std::{
    fmt,
    future::{Ready, ready},
    sync::Arc,
};

use super::{
    sharded::{Secret, Sharded, shards},
    table::{Cell, Table},
};
use crate::{
    clock::{Clock, SharedClock},
    observe::{Reading, Watched},
    store::{Charge, Quotas, RateKey, RateStore, Standing, StoreError},
};

/// Remembers in this process who sent how much: bounded, without a background task.
///
/// An account takes one cell of 24 bytes for each quota, and is forgotten when the quota is whole again. When there is no cell for a
/// newcomer, it gets that of the account which is closest to whole, of the sixteen cells where its own may be. So nobody is ever
/// refused for what others sent; but who sends from more addresses than there are cells is limited by nothing but their number, and resets the accounts that have
/// used the least. Have more cells than addresses that may come while a quota refills.
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
    shards: Sharded<Table<Account>>,
    secret: Secret,
    capacity: usize,
    clock: SharedClock,
}

impl MemoryRateStore {
    /// Accounts of a store that was given no capacity.
    pub const DEFAULT_CAPACITY: usize = 100_000;

    /// Remembers up to a hundred thousand accounts.
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// Remembers up to so many accounts, but eight at least: one for each sender and quota. Memory is taken as they come.
    pub fn with_capacity(accounts: usize) -> Self {
        Self::build(accounts, SharedClock::default())
    }

    /// The same with another clock, of which the monotonic hand counts.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self::build(self.0.capacity, SharedClock::new(clock))
    }

    fn build(capacity: usize, clock: SharedClock) -> Self {
        let shards = shards(capacity);
        Self(Arc::new(Inner {
            shards: Sharded::new(shards, || Table::at_most(capacity / shards)),
            secret: Secret::default(),
            capacity,
            clock,
        }))
    }

    /// How many accounts are remembered: one for each sender and quota that is not whole. Looks at all cells.
    pub fn len(&self) -> usize {
        let now = self.0.now();
        self.0.shards.lock_each().map(|table| table.cells().filter(|account| account.is_live(now)).count()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl RateStore for MemoryRateStore {
    type Check = Ready<Result<Standing, StoreError>>;

    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
        ready(Ok(self.0.check(key, quotas, charge)))
    }
}

impl Watched for MemoryRateStore {
    fn reading(&self) -> Reading {
        Reading::of_entries(self.len() as u64, self.0.capacity as u64)
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

impl Inner {
    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Standing {
        let (sender, now) = (Sender::new(self.secret.hash(key.as_u128())), self.now());
        let mut table = self.shards.lock(sender.0);
        let mut places = [None; Quotas::MOST];
        let mut due = [0; Quotas::MOST];
        for quota in 0..quotas.as_slice().len() {
            places[quota] = table.find(sender.tag(quota));
            due[quota] = places[quota].map_or(0, |place| table[place].due);
        }
        let standing = quotas.settle(&mut due, now, charge);
        for (place, due) in places.iter().zip(&due) {
            if let Some(place) = place {
                table[*place].due = *due;
            }
        }
        // Last, as places are others once the table has grown.
        for (quota, (place, due)) in places.iter().zip(&due).enumerate() {
            if place.is_none() && *due > now {
                open(&mut table, Account::new(sender.tag(quota), *due), now);
            }
        }
        standing
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Finds a cell for an account, if need be that of another sender, who gains by it.
fn open(table: &mut Table<Account>, account: Account, now: u64) {
    let place = loop {
        if let Some(place) = table.vacancy(account.tag(), now) {
            break Some(place);
        }
        if !table.grow(now) {
            let mut least = None;
            for (set, others) in table.sets_for(account.tag()) {
                for (way, other) in others.iter().enumerate() {
                    if least.is_none_or(|(due, _)| other.due < due) && other.sender() != account.sender() {
                        least = Some((other.due, (set, way)));
                    }
                }
            }
            break least.map(|(_, place)| place);
        }
    };
    if let Some(place) = place {
        table[place] = account;
    }
}

/// The keyed hash of a key, but for two bits. Those that choose a cell are the same for all quotas of one sender.
#[derive(Clone, Copy, PartialEq)]
struct Sender(u128);

impl Sender {
    /// Above the bits that choose a cell.
    const QUOTA: u128 = (Quotas::MOST as u128 - 1) << 64;

    fn new(hash: u128) -> Self {
        Self(hash & !Self::QUOTA)
    }

    fn tag(self, quota: usize) -> u128 {
        self.0 | (quota as u128) << 64
    }
}

/// When the sender's next request would be due, in nanoseconds. Words, as a `u128` would be padded to 32 bytes.
#[derive(Clone, Copy, PartialEq)]
struct Account {
    tag: [u64; 2],
    due: u64,
}

impl Account {
    fn new(tag: u128, due: u64) -> Self {
        Self { tag: [(tag >> 64) as u64, tag as u64], due }
    }

    fn sender(&self) -> Sender {
        Sender::new(self.tag())
    }
}

impl Cell for Account {
    const FREE: Self = Self { tag: [0; 2], due: 0 };

    fn tag(&self) -> u128 {
        u128::from(self.tag[0]) << 64 | u128::from(self.tag[1])
    }

    /// Whose next request is due already is like somebody who never came.
    fn is_live(&self, now: u64) -> bool {
        self.due > now
    }
}
