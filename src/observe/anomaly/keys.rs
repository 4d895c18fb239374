use std::time::Duration;

use super::{
    emit::{Emitter, Episode, Now, Subject},
    event::Evidence,
};

/// Which keys sign: the first of the ring, or another.
///
/// Whoever adds a new first key sees deliveries by the old one until the provider changes over, and that is no anomaly: then, none is by the first
/// in between. If the first signs before and after, whoever uses another has been left out, or should not have it.
pub(super) struct Keys {
    /// Since when the first is in use, and how often it was since then.
    settled: Option<Settled>,
    /// Others in a row.
    others: u64,
    others_began: Duration,
    use_of_old: Option<Box<Episode>>,
}

struct Settled {
    since: Duration,
    uses: u64,
}

/// How [`Keys`] are judged.
#[derive(Clone, Copy)]
pub(super) struct KeyRules {
    /// For how long the first key must be in use.
    pub(super) settle: Duration,
    /// How long nobody uses another until it is over.
    pub(super) unused_for: Duration,
}

/// How often the first key must have been used.
const ENOUGH: u64 = 20;
/// More than so many by another key in a row are a change of keys.
const CHANGE: u64 = 10;

impl Keys {
    pub(super) const fn new() -> Self {
        Self { settled: None, others: 0, others_began: Duration::ZERO, use_of_old: None }
    }

    pub(super) fn episode(&self) -> Option<&Episode> {
        self.use_of_old.as_deref()
    }

    pub(super) fn add(&mut self, now: Now, key: usize, rules: &KeyRules, subject: Subject<'_>, out: &mut Emitter) {
        let now_at = now.monotonic;
        if key > 0 {
            if let Some(episode) = &mut self.use_of_old {
                episode.last = now_at;
                episode.whole.samples = episode.whole.samples.saturating_add(1);
                episode.whole.observed += 1.0;
            }
            if self.others == 0 {
                self.others_began = now_at;
            }
            self.others = self.others.saturating_add(1);
            return;
        }
        let others = std::mem::take(&mut self.others);
        let is_settled = self.settled.as_ref().is_some_and(|settled| {
            settled.uses >= ENOUGH && self.others_began.saturating_sub(settled.since) >= rules.settle
        });
        if others > CHANGE {
            self.settled = None;
        } else if others > 0 && is_settled && self.use_of_old.is_none() {
            let evidence = Evidence {
                observed: others as f64,
                expected: 0.0,
                threshold: 1.0,
                window: now_at.saturating_sub(self.others_began),
                samples: others,
            };
            self.use_of_old = out.begin(now, subject, self.others_began, evidence).map(Box::new);
        }
        let settled = self.settled.get_or_insert(Settled { since: now_at, uses: 0 });
        settled.uses = settled.uses.saturating_add(1);
    }

    /// Time passes.
    pub(super) fn check(&mut self, now: Now, rules: &KeyRules, out: &mut Emitter) {
        let is_over = |episode: &Episode| now.monotonic.saturating_sub(episode.last) >= rules.unused_for;
        if self.use_of_old.as_deref().is_some_and(is_over)
            && let Some(episode) = self.use_of_old.take()
        {
            let last = episode.last;
            out.end(now, *episode, last);
        }
    }
}
