use std::{fmt, future::Future, net::IpAddr, time::Duration};

use sha2::{Digest, Sha256};

use super::StoreError;

/// How many requests are let through: so many in a period, and so many at once.
///
/// ```
/// use tower_webhook::store::Quota;
///
/// // Ten a second on average; after a pause, 50 at once.
/// let quota = Quota::per_minute(600).allow_burst(50);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Between two requests at the allowed rate.
    interval: Duration,
    burst: u32,
}

impl Quota {
    /// So many requests in each second, all of which may come at once. Zero lets nothing through.
    pub const fn per_second(requests: u32) -> Self {
        Self::per(Duration::from_secs(1), requests)
    }

    /// So many requests in each minute, all of which may come at once. Zero lets nothing through.
    pub const fn per_minute(requests: u32) -> Self {
        Self::per(Duration::from_secs(60), requests)
    }

    /// So many requests in each hour, all of which may come at once. Zero lets nothing through.
    pub const fn per_hour(requests: u32) -> Self {
        Self::per(Duration::from_secs(3600), requests)
    }

    const fn per(period: Duration, requests: u32) -> Self {
        let interval = match period.checked_div(requests) {
            Some(interval) => interval,
            None => period,
        };
        Self { interval, burst: requests }
    }

    /// How many may come at once after a pause.
    #[must_use]
    pub const fn allow_burst(mut self, requests: u32) -> Self {
        self.burst = requests;
        self
    }

    /// Between two requests at the allowed rate.
    #[cfg(feature = "redis")]
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// How many may come at once after a pause.
    #[cfg(feature = "redis")]
    pub(crate) const fn burst(&self) -> u32 {
        self.burst
    }

    /// Judges a request at `now` by the generic cell rate algorithm (ITU-T I.371), all in nanoseconds.
    ///
    /// `next` is when the sender's next request would be due if it sent at the allowed rate; answers the new
    /// one, or how long to wait.
    pub(crate) fn judge(&self, next: u64, now: u64) -> Result<u64, Duration> {
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX);
        let Some(ahead) = self.burst.checked_sub(1) else {
            return Err(self.interval);
        };
        let latest = interval.saturating_mul(u64::from(ahead)).saturating_add(now);
        let next = next.max(now);
        if next > latest {
            return Err(Duration::from_nanos(next - latest));
        }
        Ok(next.saturating_add(interval))
    }
}

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

/// Whether a request is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is, and has been counted.
    Allowed,
    /// It is not, and has not been counted: asking again too early does not put the moment off.
    Limited {
        /// When one will be.
        retry_after: Duration,
    },
}

/// Remembers who sent how much.
///
/// Answers must be atomic for each key. What wrong answers cost: letting through too much, load; letting through too little,
/// genuine deliveries that some senders never send again.
pub trait RateStore: Clone + Send + Sync + 'static {
    /// Answers a request.
    type Check: Future<Output = Result<Verdict, StoreError>> + Send + Unpin + 'static;

    /// Counts a request of `key` against `quota`, if it fits.
    fn check(&self, key: RateKey, quota: Quota) -> Self::Check;
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

    #[test]
    fn no_arithmetic_overflows_at_the_ends() {
        for quota in [Quota::per_hour(1).allow_burst(u32::MAX), Quota::per_second(u32::MAX), Quota::per_hour(0)] {
            for (next, now) in [(0, 0), (u64::MAX, 0), (0, u64::MAX), (u64::MAX, u64::MAX)] {
                let _ = quota.judge(next, now);
            }
        }
        assert!(Quota::per_minute(0).judge(0, 0).is_err());
        assert!(Quota::per_minute(5).allow_burst(0).judge(0, 0).is_err());
    }
}
