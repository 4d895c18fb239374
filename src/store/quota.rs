use std::time::Duration;

use super::{Charge, Standing, Verdict};

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
    requests: u32,
    period: Duration,
    burst: u32,
    name: &'static str,
}

impl Quota {
    /// So many requests in each second, all of which may come at once. Zero lets nothing through.
    pub const fn per_second(requests: u32) -> Self {
        Self::per(Duration::from_secs(1), requests, "second")
    }

    /// So many requests in each minute, all of which may come at once. Zero lets nothing through.
    pub const fn per_minute(requests: u32) -> Self {
        Self::per(Duration::from_secs(60), requests, "minute")
    }

    /// So many requests in each hour, all of which may come at once. Zero lets nothing through.
    pub const fn per_hour(requests: u32) -> Self {
        Self::per(Duration::from_secs(3600), requests, "hour")
    }

    /// So many requests in each day, all of which may come at once. Zero lets nothing through.
    pub const fn per_day(requests: u32) -> Self {
        Self::per(Duration::from_secs(86_400), requests, "day")
    }

    const fn per(period: Duration, requests: u32, name: &'static str) -> Self {
        Self { requests, period, burst: requests, name }
    }

    /// How many may come at once after a pause.
    #[must_use]
    pub const fn allow_burst(mut self, requests: u32) -> Self {
        self.burst = requests;
        self
    }

    /// What senders are told it is called, see [`RateLimitLayer::tell_senders`](crate::layer::RateLimitLayer::tell_senders). By its period by
    /// default: `second`, `minute`, `hour`, `day`.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// How many requests a period allows.
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many may come at once after a pause.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// What senders are told it is called.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Between two requests at the allowed rate. None if nothing is let through.
    pub const fn interval(&self) -> Option<Duration> {
        match self.burst {
            0 => None,
            _ => self.period.checked_div(self.requests),
        }
    }

    /// How many requests are left of the burst, if it will be whole again in `full_in`.
    pub fn remaining(&self, full_in: Duration) -> u32 {
        let Some(interval) = self.interval() else { return 0 };
        let used = full_in.as_nanos().div_ceil(interval.as_nanos().max(1));
        self.burst.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }

    /// The latest moment that may become due: the whole burst is used then.
    fn latest(&self, interval: u64, now: u64) -> u64 {
        now.saturating_add(interval.saturating_mul(self.burst.into()))
    }
}

/// One quota, or up to four that all hold: `[Quota::per_second(10), Quota::per_hour(1000)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    quotas: [Quota; Self::MOST],
    len: usize,
}

impl Quotas {
    /// So many quotas one key may have.
    pub const MOST: usize = 4;

    /// The quotas.
    pub fn as_slice(&self) -> &[Quota] {
        &self.quotas[..self.len]
    }

    /// Judges `charge` and puts it on `account`, which holds for each quota when the sender's next request would be due if it sent at the allowed
    /// rate: in nanoseconds of a clock that does not go back, `now` on the same clock, and zero for senders that never came.
    ///
    /// This is the generic cell rate algorithm (ITU-T I.371), for all quotas at once: what does not fit into one is counted in none. A missing
    /// number counts as zero and is not kept.
    pub fn settle(&self, account: &mut [u64], now: u64, charge: Charge) -> Standing {
        let mut kept = [(0, 0); Self::MOST];
        let mut wait = None;
        for (index, quota) in self.as_slice().iter().enumerate() {
            let Some(interval) = quota.interval().map(nanos) else {
                wait = wait.max(Some(quota.period));
                continue;
            };
            let latest = quota.latest(interval, now);
            let cost = |requests: u32| interval.saturating_mul(requests.min(quota.burst).into());
            // Further ahead it can only be if the clock was set back or the quota was larger, neither of which must lock anyone out.
            let due = account.get(index).copied().unwrap_or(0).clamp(now, latest);
            let (charged, next) = match charge {
                Charge::IfAllowed(requests) => (due.saturating_add(cost(requests)), due.saturating_add(cost(requests))),
                Charge::Nothing => (due, due.saturating_add(interval)),
                Charge::Debit(requests) => {
                    let charged = due.saturating_add(cost(requests)).min(latest);
                    (charged, charged.saturating_add(interval))
                }
                Charge::Refund(requests) => {
                    let charged = due.saturating_sub(cost(requests)).max(now);
                    (charged, charged.saturating_add(interval))
                }
            };
            kept[index] = (due, charged);
            if next > latest {
                wait = wait.max(Some(Duration::from_nanos(next - latest)));
            }
        }
        let is_refused = wait.is_some() && matches!(charge, Charge::IfAllowed(_));
        let mut full_in = [Duration::ZERO; Self::MOST];
        for (index, (due, charged)) in kept.into_iter().enumerate().take(self.len) {
            let due = if is_refused { due } else { charged };
            full_in[index] = Duration::from_nanos(due.saturating_sub(now));
            if let Some(kept) = account.get_mut(index) {
                *kept = due;
            }
        }
        let verdict = wait.map_or(Verdict::Allowed, |retry_after| Verdict::Limited { retry_after });
        Standing { verdict, full_in }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Quota> for Quotas {
    fn from(quota: Quota) -> Self {
        [quota].into()
    }
}

macro_rules! from_arrays {
    ($($len:literal),*) => {
        $(impl From<[Quota; $len]> for Quotas {
            fn from(given: [Quota; $len]) -> Self {
                let mut quotas = [given[0]; Self::MOST];
                quotas[..$len].copy_from_slice(&given);
                Self { quotas, len: $len }
            }
        })*
    };
}
from_arrays!(1, 2, 3, 4);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_clock_that_was_set_back_and_a_quota_that_was_larger_lock_nobody_out() {
        let mut account = [0];
        let large = Quotas::from(Quota::per_hour(1).allow_burst(100));
        assert!(large.settle(&mut account, 1000 * SECOND, Charge::IfAllowed(100)).is_allowed());
        let small = Quotas::from(Quota::per_second(1));
        for now in [1000 * SECOND, 0] {
            let standing = small.settle(&mut account, now, Charge::Nothing);
            assert_eq!(standing.verdict, Verdict::Limited { retry_after: Duration::from_secs(1) }, "{now}");
        }
    }

    #[test]
    fn no_arithmetic_overflows_at_the_ends() {
        for quota in [
            Quota::per_hour(1).allow_burst(u32::MAX),
            Quota::per_second(u32::MAX),
            Quota::per_day(0),
            Quota::per_minute(5).allow_burst(0),
        ] {
            let quotas = Quotas::from(quota);
            for (due, now) in [(0, 0), (u64::MAX, 0), (0, u64::MAX), (u64::MAX, u64::MAX)] {
                for charge in
                    [Charge::Nothing, Charge::IfAllowed(u32::MAX), Charge::Debit(u32::MAX), Charge::Refund(u32::MAX)]
                {
                    let standing = quotas.settle(&mut [due], now, charge);
                    let _ = quota.remaining(standing.full_in[0]);
                    assert!(standing.verdict != Verdict::Limited { retry_after: Duration::ZERO });
                    assert!(quota.interval().is_some() || !standing.is_allowed(), "{quota:?}");
                }
            }
        }
    }
}
