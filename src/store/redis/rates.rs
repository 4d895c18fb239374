use std::{sync::LazyLock, time::Duration};

use super::{Asked, RedisConnection, script::Script};
use crate::store::{Charge, Quotas, RateKey, RateStore, Standing, StoreError, Verdict};

/// Remembers in Redis or Valkey who sent how much, so that a limit holds over several processes together.
///
/// A sender is one key on the server, which expires once all quotas are whole again; asking without a charge makes none. Times are the server's, in
/// microseconds: what is shorter between two requests is rounded up, and no more than 70 years' worth of requests come at once. When it cannot
/// be reached, or is too slow, [`RateLimitLayer`](crate::layer::RateLimitLayer) lets requests through. See [`RedisConnection`] for what is needed of
/// the server: when it is full, limits by address do not apply any more, so give them a server of their own if strangers may come from anywhere.
///
/// ```no_run
/// use tower_webhook::{layer::{BySender, RateLimitLayer}, store::{Quota, RedisConnection, RedisRateStore}};
///
/// let rates = RedisRateStore::new(RedisConnection::open("redis://redis.internal")?);
/// let layer = RateLimitLayer::new([Quota::per_second(100), Quota::per_day(100_000)], BySender, rates);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedisRateStore {
    redis: RedisConnection,
}

impl RedisRateStore {
    /// Remembers senders on the other end of this connection.
    pub const fn new(redis: RedisConnection) -> Self {
        Self { redis }
    }
}

static RATE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("settle.lua"), include_str!("rate.lua"))));

impl RateStore for RedisRateStore {
    type Check = Asked<Standing>;

    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
        self.redis.run(&RATE, vec![self.redis.rate_key(key)], terms(quotas, charge).collect(), standing)
    }
}

/// What the script is to be told of a charge.
pub(super) fn terms(quotas: &Quotas, charge: Charge) -> impl Iterator<Item = String> {
    let must_fit = matches!(charge, Charge::IfAllowed(_));
    let times = quotas.as_slice().iter().flat_map(move |quota| {
        let Some(interval) = quota.interval().map(micros) else {
            // Into no time at all nothing fits.
            let period = micros(quota.period());
            return [period, 0, period];
        };
        let time = |requests: u32| interval.saturating_mul(requests.min(quota.burst()).into()).min(LONGEST);
        let cost = match charge {
            Charge::IfAllowed(requests) | Charge::Debit(requests) => time(requests),
            Charge::Nothing => 0,
            Charge::Refund(requests) => -time(requests),
        };
        [interval, time(u32::MAX), cost]
    });
    std::iter::once(i64::from(must_fit)).chain(times).map(|number| number.to_string())
}

/// In microseconds: 2^51, of which several can be added in the 53 bits of Lua's numbers.
const LONGEST: i64 = 1 << 51;

/// Rounded up: the server knows no nanoseconds.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(LONGEST)
}

fn standing(answer: Vec<i64>) -> Result<Standing, StoreError> {
    let [wait, times @ ..] = &*answer else { return Err(StoreError::Unavailable) };
    let verdict = match time(*wait)? {
        Duration::ZERO => Verdict::Allowed,
        retry_after => Verdict::Limited { retry_after },
    };
    let mut standing = Standing { verdict, full_in: [Duration::ZERO; Quotas::MOST] };
    for (full_in, micros) in standing.full_in.iter_mut().zip(times) {
        *full_in = time(*micros)?;
    }
    Ok(standing)
}

pub(super) fn time(micros: i64) -> Result<Duration, StoreError> {
    u64::try_from(micros).map(Duration::from_micros).map_err(|_| StoreError::Unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Quota;

    #[test]
    fn scripts_are_told_times_that_they_can_add() {
        let minute = Quota::per_minute(60).allow_burst(10);
        for (quota, charge, expected) in [
            (minute, Charge::IfAllowed(1), "1 1000000 10000000 1000000"),
            (minute, Charge::IfAllowed(11), "1 1000000 10000000 10000000"),
            (minute, Charge::Nothing, "0 1000000 10000000 0"),
            (minute, Charge::Debit(u32::MAX), "0 1000000 10000000 10000000"),
            (minute, Charge::Refund(2), "0 1000000 10000000 -2000000"),
            (Quota::per_second(3), Charge::IfAllowed(1), "1 333334 1000002 333334"),
            (Quota::per_second(2_000_000), Charge::IfAllowed(1), "1 1 2000000 1"),
            (Quota::per_second(0), Charge::IfAllowed(0), "1 1000000 0 1000000"),
            (minute.allow_burst(0), Charge::Nothing, "0 60000000 0 60000000"),
            (
                Quota::per_day(1).allow_burst(u32::MAX),
                Charge::Refund(u32::MAX),
                "0 86400000000 2251799813685248 -2251799813685248",
            ),
        ] {
            let told: Vec<_> = terms(&quota.into(), charge).collect();
            assert_eq!(told.join(" "), expected, "{quota:?} {charge:?}");
        }
    }
}
