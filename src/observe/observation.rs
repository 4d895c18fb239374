use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use http::StatusCode;

use super::TraceContext;
use crate::{Delivery, Rejection, clock::UnixTime, store::StoreError};

use super::RateDecision;

/// What happened to one request, when it is over.
///
/// ```
/// use tower_webhook::{layer::ObserveLayer, observe::Outcome};
///
/// let layer = ObserveLayer::new().on_observation(|observation| {
///     if observation.outcome() == Outcome::Failed {
///         eprintln!("{:?} was not handled", observation.delivery());
///     }
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Observation {
    pub(crate) provider: Option<Arc<str>>,
    pub(crate) outcome: Outcome,
    pub(crate) rejection: Option<Rejection>,
    pub(crate) trial: Option<Rejection>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) delivery: Option<Delivery>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) body_len: Option<u64>,
    pub(crate) received: Option<UnixTime>,
    pub(crate) reached: Stage,
    pub(crate) times: Times,
    pub(crate) rate: Option<RateDecision>,
    pub(crate) store_error: Option<StoreError>,
    pub(crate) trace_context: Option<TraceContext>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler has done its work.
    Handled,
    /// The handler said that it has not.
    Failed,
    /// It was turned away.
    Rejected,
    /// The delivery had been handled before, and was acknowledged.
    Duplicate,
    /// The delivery is of an event that nobody wants, and was acknowledged.
    Ignored,
    /// It was answered by something other than the handler: a handshake, a check of your own, a router.
    Answered,
    /// The client went before there was an answer.
    HungUp,
    /// The service inside failed with an error.
    Error,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Handled,
        Self::Failed,
        Self::Rejected,
        Self::Duplicate,
        Self::Ignored,
        Self::Answered,
        Self::HungUp,
        Self::Error,
    ];

    /// One word, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Answered => "answered",
            Self::HungUp => "hung_up",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What the head alone decides, and services that are not ready yet.
    Queue,
    /// Its body, which is hashed as it arrives.
    Body,
    /// The judgement of its signature, and keys that have to be looked up for it.
    Verify,
    /// A store.
    Store,
    /// The handler, and what else stands inside verification.
    Handler,
}

impl Stage {
    /// All of them, in the order in which requests meet them.
    pub const ALL: [Self; 5] = [Self::Queue, Self::Body, Self::Verify, Self::Store, Self::Handler];

    /// One word, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Body => "body",
            Self::Verify => "verify",
            Self::Store => "store",
            Self::Handler => "handler",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long each stage took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times(pub(super) [Duration; Stage::ALL.len()]);

impl Times {
    pub(crate) fn of(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }

    pub(super) fn add(&mut self, stage: Stage, spent: Duration) {
        let total = &mut self.0[stage as usize];
        *total = total.saturating_add(spent);
    }
}

impl Observation {
    /// The name of the scheme by which the request was judged; what the layer [was told](crate::layer::ObserveLayer::provider) if it was refused
    /// before that.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Why it was turned away, or acknowledged without the handler.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }

    /// Why a [trial](crate::layer::ReportSignatureLayer) would have turned it away.
    pub fn trial(&self) -> Option<&Rejection> {
        self.trial.as_ref()
    }

    /// The answer's status; `None` if there was none.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// What was proven about it; `None` if nothing was.
    pub fn delivery(&self) -> Option<&Delivery> {
        self.delivery.as_ref()
    }

    /// The client's address, if anything tells it.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// How many bytes its body had, if it was read to its end.
    pub fn body_len(&self) -> Option<u64> {
        self.body_len
    }

    /// When it came; `None` if the clock did not know.
    pub fn received(&self) -> Option<UnixTime> {
        self.received
    }

    /// The furthest stage that it has reached.
    pub fn reached(&self) -> Stage {
        self.reached
    }

    /// How long it spent in a stage.
    pub fn time_in(&self, stage: Stage) -> Duration {
        self.times.of(stage)
    }

    /// How long it took from the layer to the answer.
    pub fn total_time(&self) -> Duration {
        self.times.0.iter().sum()
    }

    /// By how many milliseconds the sender's clock runs behind ours, the request's way included: negative if it runs ahead. `None` if no
    /// time is signed.
    pub fn clock_skew_millis(&self) -> Option<i64> {
        let signed_at = self.delivery.as_ref()?.signed_at()?.as_millis();
        let received = self.received?.as_millis();
        let distance = i64::try_from(received.abs_diff(signed_at)).unwrap_or(i64::MAX);
        Some(if received >= signed_at { distance } else { -distance })
    }

    /// The sender's trace, if the delivery was verified and belongs to one.
    pub fn trace_context(&self) -> Option<TraceContext> {
        self.trace_context
    }

    /// What the sender was told in one word: the code of a rejection, or the answer's class, such as `2xx`.
    pub fn code(&self) -> &'static str {
        match (&self.rejection, self.status) {
            (Some(rejection), _) => rejection.code(),
            (None, Some(status)) => match status.as_u16() / 100 {
                1 => "1xx",
                2 => "2xx",
                3 => "3xx",
                4 => "4xx",
                _ => "5xx",
            },
            (None, None) => "none",
        }
    }
}
