use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::clock::UnixTime;

/// How a key has been used so far: see [`Verifier::key_usage`](crate::scheme::Verifier::key_usage).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUsage {
    /// Its position in the ring, from 0.
    pub index: usize,
    /// Its name, if it has one.
    pub id: Option<Arc<str>>,
    /// How many deliveries it has verified, repeated ones included.
    pub count: u64,
    /// When it verified the last one.
    pub last_used: Option<UnixTime>,
}

/// Counts for one key, wherever that is used.
#[derive(Default)]
pub(crate) struct UseCounter {
    count: AtomicU64,
    last_millis: AtomicU64,
}

impl UseCounter {
    pub(crate) fn record(&self, now: UnixTime) {
        self.last_millis.fetch_max(now.as_millis(), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, index: usize, id: Option<Arc<str>>) -> KeyUsage {
        let count = self.count.load(Ordering::Relaxed);
        let last_used = (count > 0).then(|| UnixTime::from_millis(self.last_millis.load(Ordering::Relaxed)));
        KeyUsage { index, id, count, last_used }
    }
}

impl fmt::Debug for UseCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UseCounter")
    }
}
