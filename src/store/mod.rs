//! Memory of the past: which deliveries were handled, and who sent how much.

mod memory;
mod nonce;
mod quota;
mod rate;
#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
pub use self::redis::{RedisConnection, RedisNonceStore, RedisProblem, RedisRateStore};
pub use self::{
    memory::{MemoryNonceStore, MemoryRateStore},
    nonce::{LimitingNonceStore, NonceStore, Rate, ReplayKey, Reserved, Token},
    quota::{Quota, Quotas},
    rate::{Charge, RateKey, RateStore, Standing, Verdict},
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
