use std::time::Duration;

use http::Request;
use tower_layer::Layer;

use super::{Check, Guard, Never, Step};
use crate::{
    Delivery, Rejection,
    body::{Verified, VerifiedBody},
    clock::{Clock, SharedClock},
    scheme::Tolerance,
};

/// Lets only deliveries through that were signed within a tighter window than the scheme's own.
///
/// Verification has enforced the scheme's window already, so this is for routes that want it tighter than others which share
/// the verifier. Deliveries of a scheme that signs no time are answered `500`: the server is put together wrongly.
///
/// ```
/// use std::time::Duration;
/// use tower_webhook::layer::EnforceTimestampLayer;
///
/// let layer = EnforceTimestampLayer::new(Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EnforceTimestampLayer {
    tolerance: Tolerance,
    clock: SharedClock,
}

impl EnforceTimestampLayer {
    /// The signed time may lie this far from now, in either direction.
    pub fn new(tolerance: Duration) -> Self {
        Self::with_tolerance(Tolerance::both(tolerance))
    }

    /// The signed time may lie this far in the past and in the future.
    pub fn with_tolerance(tolerance: Tolerance) -> Self {
        Self { tolerance, clock: SharedClock::default() }
    }

    /// Asks another clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }
}

impl<S> Layer<S> for EnforceTimestampLayer {
    type Service = Guard<S, EnforceTimestamp>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, EnforceTimestamp(self.clone()))
    }
}

/// The check of [`EnforceTimestampLayer`].
#[derive(Clone, Debug)]
pub struct EnforceTimestamp(EnforceTimestampLayer);

impl EnforceTimestamp {
    fn judge(&self, delivery: &Delivery) -> Result<(), Rejection> {
        let signed = delivery
            .signature_time()
            .ok_or(Rejection::Misconfigured { why: "`EnforceTimestampLayer` is behind a scheme that signs no time" })?;
        let now = self.0.clock.now().map_err(|_| Rejection::ClockUnavailable)?;
        signed.format.judge(signed.time, now, self.0.tolerance)
    }
}

impl<B: VerifiedBody> Check<B> for EnforceTimestamp {
    type Out = Verified;
    type Future = Never<Verified>;

    fn check(&self, request: Request<B>) -> Step<Verified, Self::Future> {
        let request = request.map(B::into_verified);
        let judgement = self.judge(request.body().delivery());
        Step::judged(request, judgement)
    }
}
