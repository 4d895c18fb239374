use std::{net::IpAddr, time::Duration};

use crate::clock::UnixTime;

/// What the detector is told about one request.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub))]
pub struct Sample<'a> {
    /// When, by the clock that never goes back: all windows run on it.
    pub monotonic: Duration,
    /// When, by the wall clock, if it could tell: for people who read of it, and nothing else.
    pub at: Option<UnixTime>,
    /// The configured name of the provider; never what a stranger sent.
    pub provider: &'a str,
    /// Whom it came from, if that is known.
    pub source: Option<IpAddr>,
    /// What became of it.
    pub outcome: SampleOutcome,
    /// How old it was on arrival, in milliseconds; negative if it was signed in the future. Counts if genuine.
    pub skew_ms: Option<i64>,
    /// Which key of the ring has signed it. Counts if genuine.
    pub key_index: Option<usize>,
    /// How many bytes its body has. Counts if genuine.
    pub body_len: Option<u64>,
}

/// What became of a request, as far as the detector cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub))]
pub enum SampleOutcome {
    /// Verified and fresh.
    Genuine,
    /// No proof that the sender holds the key.
    Forged,
    /// Verified, and handled before.
    Replayed,
    /// Anything else: too large, not found, limited.
    Other,
}
