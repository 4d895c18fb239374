use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use crate::clock::UnixTime;

/// Something at the endpoint that is not as it used to be: told once when it begins, and once more when it is over.
///
/// It holds no text that a stranger chose: the provider's name is configured, and the source is an address.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Anomaly {
    pub(super) id: u64,
    pub(super) kind: AnomalyKind,
    pub(super) provider: Arc<str>,
    pub(super) source: Option<IpAddr>,
    pub(super) started: UnixTime,
    pub(super) ended: Option<UnixTime>,
    pub(super) evidence: Evidence,
}

impl Anomaly {
    /// The same when it begins and when it ends, and no other's of this detector.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// What is wrong.
    pub const fn kind(&self) -> AnomalyKind {
        self.kind
    }

    /// Whose deliveries it is about. For what one source does, the provider it did so to when it went too far.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Who does it, if one address alone does. Of an IPv6 address, the first 64 bits; the others are zero.
    pub const fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Since when, by the wall clock. For [`AnomalyKind::Silence`], since the last delivery.
    pub const fn started(&self) -> UnixTime {
        self.started
    }

    /// Until when, by the wall clock; `None` while it goes on.
    pub const fn ended(&self) -> Option<UnixTime> {
        self.ended
    }

    /// The numbers that speak for it: those of the moment when it begins, those of the whole when it has ended.
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.kind, self.provider)?;
        match self.source {
            Some(IpAddr::V6(address)) => write!(f, " from {address}/64")?,
            Some(address) => write!(f, " from {address}")?,
            None => {}
        }
        f.write_str(if self.ended.is_some() { ", over: " } else { ": " })?;
        let Evidence { observed, expected, threshold, window, samples } = self.evidence;
        match self.kind {
            AnomalyKind::ForgeryBurst | AnomalyKind::ReplayBurst => {
                let secs = window.as_secs();
                write!(f, "{observed:.0} in {secs} s, {expected:.1} expected, alarm at {threshold:.0}")
            }
            AnomalyKind::ClockSkewDrift => {
                write!(
                    f,
                    "{observed:.1} s old, {expected:.1} s usual, alarm {threshold:.1} s from that, {samples} deliveries"
                )
            }
            AnomalyKind::OldKeyUsed => write!(f, "{samples} deliveries by a key that is not the first"),
            AnomalyKind::Silence => {
                write!(f, "nothing for {observed:.0} s, {expected:.0} s usual, alarm after {threshold:.0} s")
            }
            AnomalyKind::PayloadSizeJump => {
                write!(f, "{observed:.0} bytes, {expected:.0} usual, alarm at {threshold:.1} times more or less")
            }
        }
    }
}

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// Many requests that nobody with the key has signed.
    ForgeryBurst,
    /// Many deliveries that were handled before.
    ReplayBurst,
    /// Genuine deliveries are older or newer on arrival than they used to be: they will soon be refused as stale.
    ClockSkewDrift,
    /// A key other than the first of its ring signs, although the first is in use: a sender that was left out of a rotation, or a leaked key.
    OldKeyUsed,
    /// Nothing genuine comes any more.
    Silence,
    /// Genuine bodies are far larger or smaller than they used to be.
    PayloadSizeJump,
}

impl AnomalyKind {
    /// A short name that stays the same, for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForgeryBurst => "forgery_burst",
            Self::ReplayBurst => "replay_burst",
            Self::ClockSkewDrift => "clock_skew_drift",
            Self::OldKeyUsed => "old_key_used",
            Self::Silence => "silence",
            Self::PayloadSizeJump => "payload_size_jump",
        }
    }
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The numbers behind an [`Anomaly`]; what they count depends on its kind.
///
/// | kind | [`observed`](Self::observed), [`expected`](Self::expected) | [`threshold`](Self::threshold) |
/// |---|---|---|
/// | `ForgeryBurst`, `ReplayBurst` | requests in a window | requests in a window |
/// | `ClockSkewDrift` | age on arrival, in seconds | seconds from what is expected |
/// | `OldKeyUsed` | deliveries by another key; none are expected | one |
/// | `Silence` | seconds without a delivery; the usual gap at this time of the week, or the longest one known | seconds |
/// | `PayloadSizeJump` | bytes | times more or less than expected |
///
/// They are finite. When the anomaly is over, `observed` is what was farthest from the expected.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    pub(super) observed: f64,
    pub(super) expected: f64,
    pub(super) threshold: f64,
    pub(super) window: Duration,
    pub(super) samples: u64,
}

impl Evidence {
    /// What was seen.
    pub const fn observed(&self) -> f64 {
        self.observed
    }

    /// What was learned to be usual.
    pub const fn expected(&self) -> f64 {
        self.expected
    }

    /// What had to be exceeded.
    pub const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The length of the time that was looked at.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// How many requests this rests upon: those seen in the window when it begins, those of the whole when it is over.
    /// For [`AnomalyKind::Silence`], the deliveries that taught the rhythm.
    pub const fn samples(&self) -> u64 {
        self.samples
    }
}
