use std::{net::IpAddr, sync::Arc, time::Duration};

use super::event::{Anomaly, AnomalyKind, Evidence};
use crate::clock::UnixTime;

/// One moment on both clocks.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) monotonic: Duration,
    wall: UnixTime,
}

impl Now {
    pub(super) const fn new(monotonic: Duration, wall: UnixTime) -> Self {
        Self { monotonic, wall }
    }

    /// What the wall shows now for a moment in the past: the label of an event, which nothing is computed from.
    fn wall_at(self, monotonic: Duration) -> UnixTime {
        let ago = u64::try_from(self.monotonic.saturating_sub(monotonic).as_millis()).unwrap_or(u64::MAX);
        UnixTime::from_millis(self.wall.as_millis().saturating_sub(ago))
    }
}

/// Who and what an event is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) kind: AnomalyKind,
    pub(super) provider: &'a Arc<str>,
    pub(super) source: Option<IpAddr>,
}

/// An anomaly that goes on.
pub(super) struct Episode {
    pub(super) anomaly: Anomaly,
    /// When it was raised, by the monotonic clock.
    pub(super) raised: Duration,
    /// When it was last seen.
    pub(super) last: Duration,
    /// The evidence of the whole so far.
    pub(super) whole: Evidence,
}

impl Episode {
    /// Keeps what is farthest from the expected.
    pub(super) fn observe(&mut self, observed: f64) {
        let far = |value: f64| (value - self.whole.expected).abs();
        if far(observed) > far(self.whole.observed) {
            self.whole.observed = observed;
        }
    }
}

/// What is to be told once the lock is free, and how much of it there may be.
pub(super) struct Emitter {
    pub(super) events: Vec<Anomaly>,
    pub(super) suppressed: u64,
    next_id: u64,
    per_hour: u32,
    /// Beginnings that may still be told; refilled steadily.
    tokens: f64,
    refilled: Duration,
}

impl Emitter {
    pub(super) fn new(per_hour: u32) -> Self {
        let tokens = f64::from(per_hour);
        Self { events: Vec::new(), suppressed: 0, next_id: 1, per_hour, tokens, refilled: Duration::ZERO }
    }

    /// Tells that something begins; `None` if too much did lately. It is then asked again as long as it goes on.
    ///
    /// Single sources leave half of the allowance to the providers, or addresses that come and go could keep an outage from being told.
    pub(super) fn begin(
        &mut self,
        now: Now,
        subject: Subject<'_>,
        since: Duration,
        evidence: Evidence,
    ) -> Option<Episode> {
        const HOUR: f64 = 3600.0;
        let (allowance, passed) = (f64::from(self.per_hour), now.monotonic.saturating_sub(self.refilled));
        self.tokens = (self.tokens + passed.as_secs_f64() / HOUR * allowance).min(allowance);
        self.refilled = self.refilled.max(now.monotonic);
        let reserved = if subject.source.is_some() { allowance / 2.0 } else { 0.0 };
        if self.tokens < reserved + 1.0 {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.tokens -= 1.0;
        let anomaly = Anomaly {
            id: self.next_id,
            kind: subject.kind,
            provider: Arc::clone(subject.provider),
            source: subject.source,
            started: now.wall_at(since),
            ended: None,
            evidence,
        };
        self.next_id += 1;
        self.events.push(anomaly.clone());
        Some(Episode { anomaly, raised: now.monotonic, last: now.monotonic, whole: evidence })
    }

    /// Tells that it is over since then.
    pub(super) fn end(&mut self, now: Now, episode: Episode, at: Duration) {
        let Episode { mut anomaly, whole, .. } = episode;
        // The wall clock may have been set back since.
        anomaly.ended = Some(now.wall_at(at).max(anomaly.started));
        anomaly.evidence = whole;
        self.events.push(anomaly);
    }
}
