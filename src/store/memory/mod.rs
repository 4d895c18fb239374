//! Stores in this process: tables of fixed cells in shards, without a background task.

mod nonces;
mod rates;
mod sharded;
mod table;

pub use self::{nonces::MemoryNonceStore, rates::MemoryRateStore};
