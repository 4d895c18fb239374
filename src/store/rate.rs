use std::{fmt, future::Future, net::IpAddr, time::Duration};

use sha2::{Digest, Sha256};

use super::{Quotas, StoreError};

/// Whose requests are counted together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateKey(u128);

impl RateKey {
    /// All requests from an address: an IPv6 network of 64 bits counts as one, as one customer has all of it, and an IPv4 address in IPv6
    /// clothes (`::ffff:192.0.2.1`) as the IPv4 address that it is.
    pub fn address(address: IpAddr) -> Self {
        const NETWORK: u128 = !(u64::MAX as u128);
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().into()),
            IpAddr::V6(address) => Self(u128::from(address) & NETWORK),
        }
    }

    /// All requests that share these parts, which are kept apart: `["a", "bc"]` is another key than `["ab", "c"]`.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut digest = Sha256::new_with_prefix("tower-webhook rate 1");
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte)))
    }

    /// The key in a namespace of its own.
    pub(crate) fn scoped(self, scope: &str) -> Self {
        match scope {
            "" => self,
            scope => Self::of([self.0.to_be_bytes().as_slice(), scope.as_bytes()]),
        }
    }

    /// The key as a number.
    pub fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for RateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateKey({:032x})", self.0)
    }
}

/// What is put on the account of the one who is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// So many requests, if all of them fit into each quota; otherwise nothing. More than a burst counts as the whole burst, so that what is
    /// costly must wait for a full allowance and not for ever.
    IfAllowed(u32),
    /// Nothing: would a request fit?
    Nothing,
    /// So many requests, fit or not: up to the whole burst, so that no account is further overdrawn than it takes to refill. The
    /// verdict is the one on a further request.
    Debit(u32),
    /// So many requests less, down to none. The verdict is the one on a further request.
    Refund(u32),
}

/// Whether a request is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// It is not, and has not been counted: asking again too early does not put the moment off.
    Limited {
        /// When it will be; never zero.
        retry_after: Duration,
    },
}

/// What a store answers: the verdict, and where the sender stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether the request is let through.
    pub verdict: Verdict,
    /// When each quota, in its order, will be whole again if nothing more comes. Zero where there is no quota.
    pub full_in: [Duration; Quotas::MOST],
}

impl Standing {
    /// Whether the request is let through.
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Allowed
    }
}

/// Remembers who sent how much.
///
/// There is one question, and its answer must be atomic for each key, over all quotas together. What wrong answers cost: letting through too
/// much, load; letting through too little, genuine deliveries that some senders never send again.
///
/// What is to be kept is one number for each key and quota, and what is to be done with them is said by [`Quotas::settle`], so that a store has
/// to care for atomicity, time, room and expiry alone. A key whose quotas are whole again is like one that never came, and may be forgotten. A
/// store that runs out of room should forget those that are nearest to it.
///
/// Futures are polled once without a waker to spare an allocation, so they must be [`Unpin`];
/// `std::future::Ready` and boxed futures are.
///
/// A store in an evening:
///
/// ```
/// use std::{collections::HashMap, future::{Ready, ready}, sync::{Arc, Mutex}, time::Instant};
/// use tower_webhook::store::{Charge, Quotas, RateKey, RateStore, Standing, StoreError};
///
/// #[derive(Clone)]
/// struct Rates {
///     started: Instant,
///     /// Of those that never came, all is zero.
///     accounts: Arc<Mutex<HashMap<RateKey, [u64; Quotas::MOST]>>>,
/// }
///
/// impl RateStore for Rates {
///     type Check = Ready<Result<Standing, StoreError>>;
///
///     fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
///         let Ok(mut accounts) = self.accounts.lock() else { return ready(Err(StoreError::Unavailable)) };
///         let account = accounts.entry(key).or_default();
///         let now = self.started.elapsed().as_nanos() as u64;
///         ready(Ok(quotas.settle(account, now, charge)))
///     }
/// }
/// ```
pub trait RateStore: Clone + Send + Sync + 'static {
    /// Answers the question.
    type Check: Future<Output = Result<Standing, StoreError>> + Send + Unpin + 'static;

    /// Puts `charge` on the account of `key`, and says whether that, or a further request, fits into all `quotas`.
    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_is_one_key() {
        let key = |address: &str| RateKey::address(address.parse().unwrap());
        assert_eq!(key("::ffff:1.2.3.4"), key("1.2.3.4"));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("1.2.3.4"), key("1.2.3.5"));
        assert_ne!(RateKey::of([b"a".as_slice(), b"bc"]), RateKey::of([b"ab".as_slice(), b"c"]));
    }
}
