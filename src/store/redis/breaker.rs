//! Spares requests the wait for a server that does not answer.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use crate::clock::SharedClock;

/// Closed while questions are answered, open after failures on end. No lock: two atomics.
#[derive(Default)]
pub(super) struct Breaker {
    /// Without a success since.
    failures: AtomicU32,
    /// Nobody tries before, on the monotonic clock in nanoseconds; counts once there are failures enough.
    retry_at: AtomicU64,
    clock: SharedClock,
}

impl Breaker {
    const FAILURES: u32 = 5;
    const PAUSE: Duration = Duration::from_secs(1);

    /// Whether to ask: after failures on end only to see whether the server is back, which may take `patience`, and has others wait for its result.
    pub(super) fn admits(&self, patience: Duration) -> bool {
        if self.failures.load(Ordering::Relaxed) < Self::FAILURES {
            return true;
        }
        let (now, retry_at) = (self.now(), self.retry_at.load(Ordering::Relaxed));
        if now < retry_at {
            return false;
        }
        // A probe that is dropped half-way is followed by another, later.
        let next = now.saturating_add(nanos(Self::PAUSE.saturating_add(patience)));
        self.retry_at.compare_exchange(retry_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether requests are spared the wait.
    pub(super) fn is_open(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= Self::FAILURES
    }

    pub(super) fn succeeded(&self) {
        // Read first: a cache line that everybody writes to is slow.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self) {
        self.retry_at.store(self.now().saturating_add(nanos(Self::PAUSE)), Ordering::Relaxed);
        let more = |failures: u32| Some(failures.saturating_add(1));
        let _ = self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn now(&self) -> u64 {
        nanos(self.clock.monotonic())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixTime};

    const PATIENCE: Duration = Duration::from_millis(500);

    fn opened() -> (Breaker, ManualClock) {
        let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
        let breaker = Breaker { clock: SharedClock::new(clock.clone()), ..Breaker::default() };
        for failure in 0..Breaker::FAILURES {
            assert!(breaker.admits(PATIENCE), "{failure}");
            breaker.failed();
        }
        assert!(!breaker.admits(PATIENCE));
        (breaker, clock)
    }

    #[test]
    fn after_a_pause_one_probe_decides_for_all() {
        let (breaker, clock) = opened();
        for _ in 0..3 {
            clock.advance(Breaker::PAUSE - Duration::from_nanos(1));
            assert!(!breaker.admits(PATIENCE));
            clock.advance(Duration::from_nanos(1));
            assert!(breaker.admits(PATIENCE));
            assert!(!breaker.admits(PATIENCE), "one is enough");
            clock.advance(PATIENCE);
            breaker.failed();
            assert!(!breaker.admits(PATIENCE));
        }
        clock.advance(Breaker::PAUSE);
        assert!(breaker.admits(PATIENCE));
        breaker.succeeded();
        assert!(breaker.admits(PATIENCE));
    }

    #[test]
    fn a_probe_that_is_never_heard_of_again_is_followed_by_another() {
        let (breaker, clock) = opened();
        clock.advance(Breaker::PAUSE);
        assert!(breaker.admits(PATIENCE));
        clock.advance(Breaker::PAUSE);
        assert!(!breaker.admits(PATIENCE), "it may still answer");
        clock.advance(PATIENCE);
        assert!(breaker.admits(PATIENCE));
    }

    #[test]
    fn failures_between_successes_do_not_add_up() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.failed();
            breaker.succeeded();
        }
        assert!(breaker.admits(PATIENCE));
    }
}
