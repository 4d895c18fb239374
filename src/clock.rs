//! Time: the only place that asks for it.
//!
//! Signatures are judged by the wall clock, because senders write it into their requests.
//! Memory of the past (nonces, rate limits) runs on a monotonic clock, so that an administrator or NTP
//! stepping the wall clock neither forgets a delivery early nor locks a sender out.
//!
//! ```
//! use std::time::Duration;
//! use tower_webhook::clock::{Clock, ManualClock, UnixTime};
//!
//! let clock = ManualClock::at(UnixTime::from_secs(1_800_000_000));
//! clock.advance(Duration::from_secs(5));
//! assert_eq!(clock.now().unwrap().as_secs(), 1_800_000_005);
//! ```

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// What time it is.
    ///
    /// # Errors
    ///
    /// When the source cannot tell, or tells a time before 1970. Requests are then answered
    /// `503`, since nobody can say whether they are fresh.
    fn now(&self) -> Result<UnixTime, ClockError>;

    /// Time since a fixed but arbitrary moment; never goes back.
    fn monotonic(&self) -> Duration;
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// So many seconds after the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// So many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long `earlier` lies before this moment; zero if it lies after.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment without its fraction of a second.
    pub(crate) const fn floor_to_second(self) -> Self {
        Self(self.0 - self.0 % 1000)
    }
}

impl TryFrom<SystemTime> for UnixTime {
    type Error = ClockError;

    fn try_from(time: SystemTime) -> Result<Self, ClockError> {
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| ClockError)?;
        u64::try_from(since.as_millis()).map(Self).map_err(|_| ClockError)
    }
}

impl From<UnixTime> for SystemTime {
    fn from(time: UnixTime) -> Self {
        // `SystemTime` cannot hold every u64 of milliseconds on every platform.
        UNIX_EPOCH.checked_add(Duration::from_millis(time.0)).unwrap_or(UNIX_EPOCH)
    }
}

/// The clock could not say what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockError;

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the clock cannot tell a time after 1970")
    }
}

impl std::error::Error for ClockError {}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Result<UnixTime, ClockError> {
        SystemTime::now().try_into()
    }

    fn monotonic(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// A clock that stands still until it is moved: for tests, and for trying recorded deliveries.
///
/// Clones share the same hands.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    wall_millis: AtomicU64,
    monotonic_nanos: AtomicU64,
    broken: AtomicBool,
}

impl ManualClock {
    /// A clock standing at `now`.
    pub fn at(now: UnixTime) -> Self {
        Self(Arc::new(Hands {
            wall_millis: AtomicU64::new(now.as_millis()),
            monotonic_nanos: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }))
    }

    /// Lets time pass: wall clock and monotonic clock move together.
    pub fn advance(&self, by: Duration) {
        let (millis, nanos) = (by.as_millis(), by.as_nanos());
        self.0.wall_millis.fetch_add(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.0.monotonic_nanos.fetch_add(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Steps the wall clock alone, as an administrator would.
    pub fn set(&self, now: UnixTime) {
        self.0.wall_millis.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Makes the wall clock fail from now on.
    pub fn break_down(&self) {
        self.0.broken.store(true, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Result<UnixTime, ClockError> {
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(ClockError);
        }
        Ok(UnixTime(self.0.wall_millis.load(Ordering::SeqCst)))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.monotonic_nanos.load(Ordering::SeqCst))
    }
}

/// The clock a layer or store was given; [`SystemClock`] unless another was.
#[derive(Clone)]
pub(crate) struct SharedClock(Arc<dyn Clock>);

impl SharedClock {
    pub(crate) fn new(clock: impl Clock) -> Self {
        Self(Arc::new(clock))
    }
}

impl Default for SharedClock {
    fn default() -> Self {
        static SYSTEM: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SystemClock));
        Self(Arc::clone(&SYSTEM))
    }
}

impl Deref for SharedClock {
    type Target = dyn Clock;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_is_an_error_and_not_a_wrapped_number() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(UnixTime::try_from(before), Err(ClockError));
    }

    #[test]
    fn stepping_the_wall_leaves_the_monotonic_hand_alone() {
        let clock = ManualClock::at(UnixTime::from_secs(1000));
        clock.advance(Duration::from_secs(5));
        clock.set(UnixTime::from_secs(10));
        assert_eq!(clock.now(), Ok(UnixTime::from_secs(10)));
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
    }

    #[test]
    fn no_arithmetic_overflows_at_the_ends() {
        let last = UnixTime::from_secs(u64::MAX);
        assert_eq!(last.as_millis(), u64::MAX);
        assert_eq!(UnixTime::from_secs(0).since(last), Duration::ZERO);
        let _: SystemTime = last.into();
    }
}
