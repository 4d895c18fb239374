//! Memory of the past: which deliveries were handled, and who sent how much.

mod memory_nonces;
mod memory_rates;
mod nonce;
mod rate;
#[cfg(feature = "redis")]
mod redis;
mod sharded;

#[cfg(feature = "redis")]
pub use self::redis::{RedisConnection, RedisNonceStore, RedisRateStore};
pub use self::{
    memory_nonces::MemoryNonceStore,
    memory_rates::MemoryRateStore,
    nonce::{NonceStore, ReplayKey, Reserved, Token},
    rate::{Quota, RateKey, RateStore, Verdict},
};

/// A store did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// It is full of what must not be forgotten yet.
    Full,
    /// It cannot be reached, or answers nonsense.
    Unavailable,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the store is full",
            Self::Unavailable => "the store is unavailable",
        })
    }
}

impl std::error::Error for StoreError {}
