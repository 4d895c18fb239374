use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Extensions;

use super::{Stage, Times, TraceContext};
use crate::{
    Delivery, Rejection,
    clock::{SharedClock, UnixTime},
    store::StoreError,
};

/// What the layers inside an [`ObserveLayer`](crate::layer::ObserveLayer) write down about one request, in its extensions.
///
/// Without that layer there is none, and they write nothing.
pub(crate) struct Record {
    clock: SharedClock,
    facts: Mutex<Facts>,
    on_trace_context: Option<OnTraceContext>,
}

/// Told of the sender's trace as soon as there is somebody to believe: what runs later may then belong to it.
pub(crate) type OnTraceContext = Box<dyn Fn(TraceContext) + Send + Sync>;

/// What is known so far.
#[derive(Debug)]
pub(crate) struct Facts {
    stage: Stage,
    /// When it began.
    since: Duration,
    /// What is gone back to when a store has answered, or a service is ready.
    before: Stage,
    pub(crate) reached: Stage,
    /// Its signature is good, or does not matter: what answers now is the handler, unless it says otherwise.
    is_let_through: bool,
    pub(crate) times: Times,
    pub(crate) received: Option<UnixTime>,
    pub(crate) provider: Option<Arc<str>>,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) trial: Option<Rejection>,
    pub(crate) body_len: Option<u64>,
    pub(crate) rate: Option<RateDecision>,
    pub(crate) store_error: Option<StoreError>,
    pub(crate) trace_context: Option<TraceContext>,
}

/// What a rate limit said; of several, the one that said the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RateDecision {
    Allowed,
    Unavailable,
    Limited,
}

impl RateDecision {
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics ask"))]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Unavailable => "unavailable",
            Self::Limited => "limited",
        }
    }
}

impl Record {
    /// A record of a request that comes now, in its extensions.
    pub(crate) fn begin(
        clock: &SharedClock,
        on_trace_context: Option<OnTraceContext>,
        extensions: &mut Extensions,
    ) -> Arc<Self> {
        let facts = Facts {
            stage: Stage::Queue,
            since: clock.monotonic(),
            before: Stage::Queue,
            reached: Stage::Queue,
            is_let_through: false,
            times: Times::default(),
            received: clock.now().ok(),
            provider: None,
            delivery: None,
            trial: None,
            body_len: None,
            rate: None,
            store_error: None,
            trace_context: None,
        };
        let this = Arc::new(Self { clock: clock.clone(), facts: Mutex::new(facts), on_trace_context });
        extensions.insert(Arc::clone(&this));
        this
    }

    /// The record of this request, if anybody wants one.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get()
    }

    /// The request is in another stage from now on.
    pub(crate) fn enter(&self, stage: Stage) {
        let now = self.clock.monotonic();
        self.facts().enter(stage, now);
    }

    /// The request waits for a store, or a service, until [`resume`](Self::resume).
    pub(crate) fn wait_for(&self, stage: Stage) {
        let now = self.clock.monotonic();
        let mut facts = self.facts();
        facts.before = facts.stage;
        facts.enter(stage, now);
    }

    /// The request goes on where it was before it had to wait.
    pub(crate) fn resume(&self) {
        let now = self.clock.monotonic();
        let mut facts = self.facts();
        let before = facts.before;
        facts.enter(before, now);
    }

    pub(crate) fn judged_by(&self, provider: &Arc<str>) {
        self.facts().provider = Some(Arc::clone(provider));
    }

    /// The body is there, and judged from now on.
    pub(crate) fn has_body(&self, len: usize) {
        let now = self.clock.monotonic();
        let mut facts = self.facts();
        facts.body_len = u64::try_from(len).ok();
        facts.enter(Stage::Verify, now);
    }

    /// The body is there, for whoever judges it.
    pub(crate) fn has_read(&self, len: usize) {
        self.facts().body_len = u64::try_from(len).ok();
        self.resume();
    }

    /// The delivery is genuine, and on its way to the handler from now on.
    pub(crate) fn is_genuine(&self, delivery: &Delivery, trace_context: Option<TraceContext>) {
        if let (Some(tell), Some(trace_context)) = (&self.on_trace_context, trace_context) {
            tell(trace_context);
        }
        let now = self.clock.monotonic();
        let mut facts = self.facts();
        facts.delivery = Some(delivery.clone());
        facts.trace_context = trace_context;
        facts.let_through(now);
    }

    /// The request goes on whether it is genuine or not.
    pub(crate) fn is_tried(&self, judged: Result<(), &Rejection>) {
        let now = self.clock.monotonic();
        let mut facts = self.facts();
        facts.trial = judged.err().cloned();
        facts.let_through(now);
    }

    pub(crate) fn rate(&self, decision: RateDecision) {
        let mut facts = self.facts();
        facts.rate = facts.rate.max(Some(decision));
    }

    pub(crate) fn store_failed(&self, error: StoreError) {
        self.facts().store_error = Some(error);
    }

    /// The handler is called.
    pub(crate) fn is_handled(&self) {
        self.facts().reached = Stage::Handler;
    }

    pub(crate) fn is_let_through(&self) -> bool {
        self.facts().is_let_through
    }

    /// The request is over.
    pub(crate) fn end(&self) -> MutexGuard<'_, Facts> {
        let now = self.clock.monotonic();
        let mut facts = self.facts();
        let stage = facts.stage;
        facts.enter(stage, now);
        facts
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn enter(&mut self, stage: Stage, now: Duration) {
        self.times.add(self.stage, now.saturating_sub(self.since));
        (self.stage, self.since) = (stage, now);
        // What stands inside verification counts as the handler, and stores are asked before it as well.
        let is_further = match stage {
            Stage::Handler => false,
            Stage::Store => self.is_let_through,
            Stage::Queue | Stage::Body | Stage::Verify => true,
        };
        if is_further {
            self.reached = self.reached.max(stage);
        }
    }

    fn let_through(&mut self, now: Duration) {
        self.is_let_through = true;
        self.enter(Stage::Handler, now);
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Record")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn time_counts_for_the_stage_in_which_it_passes() {
        let clock = ManualClock::at(UnixTime::from_secs(1));
        let mut extensions = Extensions::new();
        let record = Record::begin(&SharedClock::new(clock.clone()), None, &mut extensions);
        let pass = |millis| clock.advance(Duration::from_millis(millis));
        pass(1);
        record.wait_for(Stage::Store);
        pass(2);
        record.resume();
        pass(4);
        record.enter(Stage::Body);
        pass(8);
        record.has_body(3);
        pass(16);
        record.is_tried(Ok(()));
        pass(32);
        record.wait_for(Stage::Store);
        pass(64);
        let facts = record.end();
        let times = Stage::ALL.map(|stage| facts.times.of(stage).as_millis());
        assert_eq!(times, [1 + 4, 8, 16, 2 + 64, 32]);
        assert_eq!((facts.reached, facts.body_len), (Stage::Store, Some(3)));
    }

    #[test]
    fn of_several_limits_the_strictest_is_remembered() {
        let mut extensions = Extensions::new();
        let record = Record::begin(&SharedClock::default(), None, &mut extensions);
        for decision in [RateDecision::Limited, RateDecision::Unavailable, RateDecision::Allowed] {
            record.rate(decision);
        }
        assert_eq!(record.end().rate, Some(RateDecision::Limited));
    }
}
