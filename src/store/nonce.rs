use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{Quotas, RateKey, StoreError};

/// What makes a delivery unique: a digest of authenticated bytes, see [`Delivery::replay_key`](crate::Delivery::replay_key).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    pub(crate) const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// A key of these parts, which are kept apart: for trying out a store.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The key in a namespace of its own.
    pub(crate) fn scoped(self, scope: &str) -> Self {
        if scope.is_empty() {
            return self;
        }
        Self(Sha256::new_with_prefix(self.0).chain_update(scope).finalize().into())
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Half of the digest: 128 bits, which nobody will see collide.
    pub(crate) fn short(&self) -> u128 {
        self.0.iter().take(16).fold(0, |short, byte| short << 8 | u128::from(*byte))
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayKey({:032x})", self.short())
    }
}

/// Tells one reservation from every other, also of other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(u128);

impl Token {
    /// A token that was never given before.
    #[must_use]
    pub fn unique() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(u128::from(*PROCESS) << 64 | u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The token as a number.
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

/// The answer to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Nobody had it: it is yours until the lease ends.
    Fresh,
    /// Somebody else has it; their lease ends within this time.
    InProgress {
        /// When to ask again.
        retry_after: Duration,
    },
    /// It was committed before.
    Done,
    /// Nobody has it, but its sender sends too much: only from [`LimitingNonceStore::reserve_within`].
    Limited {
        /// When the sender's next delivery will be let through; never zero.
        retry_after: Duration,
    },
}

/// Remembers deliveries: which are being handled, and which have been.
///
/// Every answer must be atomic and linearisable: of a thousand reservations of one key at the same moment, exactly one is
/// [`Reserved::Fresh`]. What wrong answers cost:
///
/// * `Fresh` twice: a delivery is handled twice;
/// * `InProgress` for a key nobody holds: a genuine delivery waits for the sender's retry, and is lost if there is none;
/// * `Done` for a key that was not committed: a delivery is lost, and its sender told that it was not;
/// * forgetting a committed key early: a replay is handled. A full store must refuse with
///   [`StoreError::Full`], not forget.
///
/// Futures are polled once without a waker to spare an allocation, so they must be [`Unpin`];
/// `std::future::Ready` and boxed futures are.
pub trait NonceStore: Clone + Send + Sync + 'static {
    /// Answers a reservation.
    type Reserve: Future<Output = Result<Reserved, StoreError>> + Send + Unpin + 'static;
    /// Answers a commit or release.
    type Settle: Future<Output = Result<(), StoreError>> + Send + Unpin + 'static;

    /// Claims `key` for the length of `lease`, in the name of `token`. Asking again with the same token finds
    /// one's own reservation and is answered [`Reserved::Fresh`], so that a lost answer may be asked for again.
    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve;

    /// Ends the reservation for good: `key` is [`Reserved::Done`] for the length of `retention`. If the lease has ended and somebody
    /// else holds the key now, or has committed it, nothing changes.
    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle;

    /// Gives the reservation up: the key is free again. If somebody else holds or committed it, nothing changes.
    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle;
}

/// A store of nonces that also remembers rates, and so answers in one question what would be two: is this delivery new, and does its
/// sender's rate allow it?
pub trait LimitingNonceStore: NonceStore {
    /// Claims `key` as [`reserve`](NonceStore::reserve) does, if `rate` allows it; otherwise [`Reserved::Limited`], and nothing is claimed or counted.
    ///
    /// What is done, in progress, or one's own already is answered as such and costs nothing, whatever the rate.
    fn reserve_within(&self, rate: &Rate, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve;
}

/// What a delivery is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Whose deliveries are counted together; an account that [`RateStore`](super::RateStore)s of the same memory know under the same key.
    pub key: RateKey,
    /// How many are let through.
    pub quotas: Quotas,
    /// As how many this one counts.
    pub cost: u32,
}
