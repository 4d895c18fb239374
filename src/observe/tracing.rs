//! Spans and events, see the [module](super).

use std::{
    collections::HashMap,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::{
    Level, Span,
    field::{DisplayValue, Empty, display},
    span::Entered,
};

use super::{Anomaly, Observation, Outcome, Stage, TraceContext, text::Foreign};
use crate::{Delivery, Rejection, clock::UnixTime};

/// Where a layer writes to.
#[derive(Clone)]
pub(crate) struct Log {
    rate: LogRate,
    gates: Arc<Mutex<Gates>>,
    on_trace_context: Option<Arc<OnTraceContext>>,
}

type OnTraceContext = dyn Fn(&Span, TraceContext) + Send + Sync;

#[derive(Clone, Copy, Debug)]
struct LogRate {
    at_once: u32,
    per_second: u32,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { rate: LogRate { at_once: 10, per_second: 1 }, gates: Arc::default(), on_trace_context: None }
    }

    pub(crate) fn with_rate(mut self, at_once: u32, per_second: u32) -> Self {
        self.rate = LogRate { at_once, per_second };
        self
    }

    pub(crate) fn with_trace_context(mut self, see: impl Fn(&Span, TraceContext) + Send + Sync + 'static) -> Self {
        self.on_trace_context = Some(Arc::new(see));
        self
    }

    /// A span for a request that comes now.
    pub(crate) fn begin(&self, method: &'static str, route: Option<&str>, client: Option<IpAddr>) -> Trace {
        let span = tracing::info_span!(
            target: TARGET,
            "webhook",
            otel.name = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            client.address = client.map(display),
            error.r#type = Empty,
            webhook.provider = Empty,
            webhook.tenant = Empty,
            webhook.delivery.id = Empty,
            webhook.event = Empty,
            webhook.outcome = Empty,
            webhook.trace_id = Empty,
            webhook.parent_span_id = Empty,
        );
        if !span.is_disabled() {
            match route {
                Some(route) => span.record("otel.name", display(format_args!("{method} {route}"))),
                None => span.record("otel.name", method),
            };
        }
        Trace { span, method, route: route.map(Into::into) }
    }

    /// Tells whoever wants to know of the span that a trace belongs to.
    pub(crate) fn trace_context_of(&self, trace: &Trace) -> Option<super::OnTraceContext> {
        let see = Arc::clone(self.on_trace_context.as_ref()?);
        let span = trace.span.clone();
        // Whoever listens must not take the request down.
        Some(Box::new(move |trace_context| drop(catch_unwind(AssertUnwindSafe(|| see(&span, trace_context))))))
    }

    /// Writes what became of a request; answers how many events have just been left out.
    pub(crate) fn tell(&self, observation: &Observation, trace: &Trace, now: Duration) -> u64 {
        trace.complete(observation);
        self.tell_of_ended_floods(now);
        let level = level(observation);
        let suppressed = match floodgate(observation).map(|reason| self.admit(reason, now)) {
            None => 0,
            Some(Some(suppressed)) => suppressed,
            Some(None) => return 1,
        };
        trace.event(level, observation, suppressed);
        0
    }

    /// Whether an event for this reason may be written, and how many were not since the last one.
    fn admit(&self, reason: &'static str, now: Duration) -> Option<u64> {
        let mut gates = self.gates();
        gates.by_reason.entry(reason).or_insert_with(|| Gate::open(self.rate, now)).pass(self.rate, now)
    }

    /// Says what was left out of floods that are over: their next event may never come.
    fn tell_of_ended_floods(&self, now: Duration) {
        for (reason, suppressed) in self.gates().take_ended(now) {
            tracing::event!(
                target: TARGET,
                Level::WARN,
                webhook.reason = reason,
                webhook.suppressed = suppressed,
                "webhook events left out"
            );
        }
    }

    fn gates(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes that something is wrong, or is over.
pub(crate) fn tell_anomaly(anomaly: &Anomaly) {
    let evidence = anomaly.evidence();
    macro_rules! event {
        ($level:expr, $message:literal) => {
            tracing::event!(
                target: TARGET,
                $level,
                webhook.anomaly.id = anomaly.id(),
                webhook.anomaly.kind = anomaly.kind().as_str(),
                webhook.provider = anomaly.provider(),
                client.address = anomaly.source().map(display),
                webhook.anomaly.started = anomaly.started().as_secs(),
                webhook.anomaly.ended = anomaly.ended().map(UnixTime::as_secs),
                webhook.anomaly.observed = evidence.observed(),
                webhook.anomaly.expected = evidence.expected(),
                webhook.anomaly.threshold = evidence.threshold(),
                webhook.anomaly.samples = evidence.samples(),
                $message
            )
        };
    }
    match anomaly.ended() {
        None => event!(Level::WARN, "webhooks are not as usual"),
        Some(_) => event!(Level::INFO, "webhooks are as usual again"),
    }
}

/// One for each reason, which are words of this crate.
#[derive(Debug, Default)]
struct Gates {
    by_reason: HashMap<&'static str, Gate>,
    looked_at: Duration,
}

impl Gates {
    /// A flood that has not gone on for so long is over; and nobody looks more often.
    const PAUSE: Duration = Duration::from_secs(10);

    fn take_ended(&mut self, now: Duration) -> Vec<(&'static str, u64)> {
        if now.saturating_sub(self.looked_at) < Self::PAUSE {
            return Vec::new();
        }
        self.looked_at = now;
        let has_ended = |gate: &&mut Gate| gate.suppressed > 0 && now.saturating_sub(gate.shut_at) >= Self::PAUSE;
        let ended = self.by_reason.iter_mut().map(|(reason, gate)| (*reason, gate)).filter(|(_, gate)| has_ended(gate));
        ended.map(|(reason, gate)| (reason, std::mem::take(&mut gate.suppressed))).collect()
    }
}

/// Lets so many events of one kind through, and counts the others.
#[derive(Debug)]
struct Gate {
    tokens: u32,
    since: Duration,
    suppressed: u64,
    /// When it last let something not through.
    shut_at: Duration,
}

impl Gate {
    fn open(rate: LogRate, now: Duration) -> Self {
        Self { tokens: rate.at_once, since: now, suppressed: 0, shut_at: now }
    }

    fn pass(&mut self, rate: LogRate, now: Duration) -> Option<u64> {
        let elapsed = now.saturating_sub(self.since).as_secs();
        if elapsed > 0 {
            let earned = elapsed.saturating_mul(u64::from(rate.per_second));
            let tokens =
                u64::from(self.tokens).saturating_add(earned).min(u64::from(rate.at_once.max(rate.per_second)));
            self.tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
            self.since = self.since.saturating_add(Duration::from_secs(elapsed));
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Some(std::mem::take(&mut self.suppressed))
            }
            None => {
                self.suppressed = self.suppressed.saturating_add(1);
                self.shut_at = now;
                None
            }
        }
    }
}

/// What the event is counted with, if it is of a kind that strangers can bring about without end: they must not have it written down without end. A captured
/// delivery can be sent again and again, too.
fn floodgate(observation: &Observation) -> Option<&'static str> {
    let is_genuine = observation.delivery.is_some();
    match (observation.outcome, &observation.rejection, &observation.trial) {
        (_, Some(rejection), _) | (_, None, Some(rejection)) => Some(rejection.reason()),
        (Outcome::Answered, ..) => Some(Outcome::Answered.as_str()),
        (outcome @ (Outcome::HungUp | Outcome::Error), ..) if !is_genuine => Some(outcome.as_str()),
        _ => None,
    }
}

/// How much an operator should care.
fn level(observation: &Observation) -> Level {
    match observation.outcome {
        Outcome::Handled | Outcome::Duplicate | Outcome::Ignored | Outcome::Answered => Level::INFO,
        Outcome::Failed | Outcome::HungUp => Level::WARN,
        Outcome::Error => Level::ERROR,
        Outcome::Rejected => match &observation.rejection {
            // These are as they should be: somebody is to come later.
            Some(Rejection::Throttled { .. } | Rejection::InProgress { .. } | Rejection::Outdated) => Level::WARN,
            Some(rejection) if rejection.status().is_server_error() => Level::ERROR,
            _ => Level::WARN,
        },
    }
}

const TARGET: &str = "tower_webhook";

/// The span of one request.
pub(crate) struct Trace {
    span: Span,
    method: &'static str,
    route: Option<Box<str>>,
}

impl Trace {
    /// Puts the thread inside.
    pub(crate) fn enter(&self) -> Entered<'_> {
        self.span.enter()
    }

    fn complete(&self, observation: &Observation) {
        if self.span.is_disabled() {
            return;
        }
        let record = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                self.span.record(name, value);
            }
        };
        let foreign = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                self.span.record(name, display(Foreign(value)));
            }
        };
        record("webhook.provider", observation.provider());
        record("webhook.outcome", Some(observation.outcome.as_str()));
        if let Some(delivery) = &observation.delivery {
            foreign("webhook.tenant", delivery.tenant());
            foreign("webhook.delivery.id", delivery.id());
            foreign("webhook.event", delivery.event());
        }
        if let Some(status) = observation.status {
            self.span.record("http.response.status_code", status.as_u16());
        }
        record("error.type", error_type(observation));
        if is_our_fault(observation) {
            self.span.record("otel.status_code", "ERROR");
        }
        if let Some(trace) = observation.trace_context {
            self.span.record("webhook.trace_id", display(Hex128(trace.trace_id())));
            self.span.record("webhook.parent_span_id", display(Hex64(trace.parent_id())));
        }
    }

    fn event(&self, level: Level, observation: &Observation, suppressed: u64) {
        let delivery = observation.delivery.as_ref();
        let millis = |stage| in_millis(observation.time_in(stage));
        // Levels are part of an event's static data.
        macro_rules! event {
            ($level:expr) => {
                tracing::event!(
                    target: TARGET,
                    parent: &self.span,
                    $level,
                    http.request.method = self.method,
                    http.route = self.route.as_deref(),
                    http.response.status_code = observation.status.map(|status| status.as_u16()),
                    http.request.body.size = observation.body_len,
                    client.address = observation.client.map(display),
                    error.r#type = error_type(observation),
                    webhook.provider = observation.provider(),
                    webhook.tenant = foreign(delivery.and_then(Delivery::tenant)),
                    webhook.delivery.id = foreign(delivery.and_then(Delivery::id)),
                    webhook.event = foreign(delivery.and_then(Delivery::event)),
                    webhook.key.index = delivery.map(|delivery| delivery.key_index() as u64),
                    webhook.key.id = foreign(delivery.and_then(Delivery::key_id)),
                    webhook.outcome = observation.outcome.as_str(),
                    webhook.code = observation.code(),
                    webhook.reason = observation.rejection.as_ref().map(Rejection::reason),
                    webhook.would_reject = observation.trial.as_ref().map(Rejection::reason),
                    webhook.stage = observation.reached.as_str(),
                    webhook.clock_skew_ms = observation.clock_skew_millis(),
                    webhook.duration_ms = in_millis(observation.total_time()),
                    webhook.queue_ms = millis(Stage::Queue),
                    webhook.body_ms = millis(Stage::Body),
                    webhook.verify_ms = millis(Stage::Verify),
                    webhook.store_ms = millis(Stage::Store),
                    webhook.handler_ms = millis(Stage::Handler),
                    webhook.trace_id = observation.trace_context.map(|trace| display(Hex128(trace.trace_id()))),
                    webhook.parent_span_id = observation.trace_context.map(|trace| display(Hex64(trace.parent_id()))),
                    webhook.suppressed = (suppressed > 0).then_some(suppressed),
                    "{}",
                    message(observation.outcome)
                )
            };
        }
        match level {
            Level::ERROR => event!(Level::ERROR),
            Level::WARN => event!(Level::WARN),
            _ => event!(Level::INFO),
        }
    }
}

/// To the microsecond: more digits are noise.
fn in_millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

const fn message(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Handled => "webhook handled",
        Outcome::Failed => "webhook not handled",
        Outcome::Rejected => "webhook rejected",
        Outcome::Duplicate => "webhook handled before",
        Outcome::Ignored => "webhook ignored",
        Outcome::Answered => "webhook answered without its handler",
        Outcome::HungUp => "webhook's client hung up",
        Outcome::Error => "webhook's service failed",
    }
}

fn foreign(text: Option<&str>) -> Option<DisplayValue<Foreign<'_>>> {
    text.map(|text| display(Foreign(text)))
}

/// OpenTelemetry's `error.type`: one of few words.
fn error_type(observation: &Observation) -> Option<&str> {
    match observation.outcome {
        Outcome::Rejected => observation.rejection.as_ref().map(Rejection::reason),
        Outcome::Failed => Some(observation.code()),
        Outcome::HungUp | Outcome::Error => Some(observation.outcome.as_str()),
        _ => None,
    }
}

/// For spans of servers, OpenTelemetry wants no error for what the client did wrong.
fn is_our_fault(observation: &Observation) -> bool {
    match observation.outcome {
        Outcome::Error => true,
        Outcome::Failed | Outcome::Rejected => observation.status.is_some_and(|status| status.is_server_error()),
        _ => false,
    }
}

struct Hex128(u128);

impl std::fmt::Display for Hex128 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

struct Hex64(u64);

impl std::fmt::Display for Hex64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_let_through_at_its_rate_and_counted() {
        let rate = LogRate { at_once: 3, per_second: 1 };
        let mut gate = Gate::open(rate, Duration::ZERO);
        let at = |millis| Duration::from_millis(millis);
        for (now, expected) in [
            (at(0), Some(0)),
            (at(0), Some(0)),
            (at(999), Some(0)),
            (at(999), None),
            (at(999), None),
            (at(1000), Some(2)),
            (at(1999), None),
            (at(2000), Some(1)),
            (at(9000), Some(0)),
            (at(9000), Some(0)),
            (at(9000), Some(0)),
            (at(9000), None),
            (at(8000), None),
        ] {
            assert_eq!(gate.pass(rate, now), expected, "{now:?}");
        }
    }

    #[test]
    fn what_was_left_out_is_told_when_the_flood_is_over() {
        let log = Log::new().with_rate(1, 0);
        let at = Duration::from_secs;
        for second in [100, 100, 101] {
            log.admit("stale", at(second));
        }
        for (second, expected) in [(105, None), (110, None), (121, Some(2)), (140, None)] {
            let ended = log.gates().take_ended(at(second));
            assert_eq!(ended.first().map(|(_, suppressed)| *suppressed), expected, "{second} s");
        }
    }

    #[test]
    fn nothing_but_the_first_is_let_through_at_a_rate_of_zero() {
        let rate = LogRate { at_once: 1, per_second: 0 };
        let mut gate = Gate::open(rate, Duration::ZERO);
        assert_eq!(gate.pass(rate, Duration::ZERO), Some(0));
        assert_eq!(gate.pass(rate, Duration::MAX), None);
    }
}
