mod future;
mod reservation;
mod settled;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, response::Parts};
use tower_layer::Layer;
use tower_service::Service;

pub(super) use self::settled::AwaitsTrailers;
pub use self::{future::RejectReplayFuture, settled::Settled};
use self::{
    future::{State, Waiting},
    reservation::Reservation,
};
use super::{background::poll_once, guard::take_ready};
use crate::{
    ConfigError, Rejection,
    body::{Verified, VerifiedBody},
    observe::{Record, Stage},
    store::{LimitingNonceStore, NonceStore, Quotas, Rate, ReplayKey, Token},
};

/// Lets each delivery be handled once: no replay gets through, and no retry of a failed delivery is turned away.
///
/// A delivery is reserved before the handler runs. If the handler succeeds (any 2xx), it is remembered, and whoever sends it
/// again is answered `200` without the handler. If it fails in any way (another status, a failed gRPC call, an error, a panic, a deadline,
/// a client that hangs up), the reservation is given up, and the sender's retry is handled. While it is reserved, others are
/// answered `503` with `Retry-After`; so is everyone while the store does not answer, unless [told otherwise](Self::dangerous).
///
/// Handlers that take longer than clients wait are begun again with each retry: [`RunToEndLayer`](super::RunToEndLayer) lets them finish.
///
/// What is the same delivery is said by [`Delivery::replay_key`](crate::Delivery::replay_key). Where the signature covers neither id nor time, the
/// same bytes are accepted for ever, and this layer knows them only for its retention (three days or more by default): later, a replay
/// is handled.
///
/// A store that several endpoints share must be told them apart with [`scope`](Self::scope), or an event that goes to two of
/// them is handled by one.
///
/// ```
/// use std::time::Duration;
/// use tower_webhook::{layer::RejectReplayLayer, store::MemoryNonceStore};
///
/// let layer = RejectReplayLayer::new(MemoryNonceStore::new());
/// let layer = RejectReplayLayer::new(MemoryNonceStore::new())
///     .scope("invoices")
///     .handler_timeout(Duration::from_secs(8), Duration::from_secs(10))?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// # gRPC
///
/// The status of a call that went well comes after its message, in the trailers. Until then the delivery stays reserved, and the trailers are held
/// back until it is committed, or the store has taken too long. Any other status releases it, and so does an answer that ends without one, or that the client does
/// not take to its end. The handler's deadline goes on: an answer that still streams then ends with `DEADLINE_EXCEEDED`.
///
/// # Panics
///
/// Handlers that do not answer at once, and gRPC answers, panic outside a Tokio runtime with its timer enabled.
#[derive(Clone)]
#[must_use]
pub struct RejectReplayLayer<N: NonceStore> {
    store: N,
    config: Arc<Config>,
    reserve_within: Option<ReserveWithin<N>>,
}

/// [`LimitingNonceStore::reserve_within`], for stores that may have none.
type ReserveWithin<N> = fn(&N, &Rate, ReplayKey, Token, Duration) -> <N as NonceStore>::Reserve;

#[derive(Clone)]
struct Config {
    scope: Box<str>,
    retention: Option<Duration>,
    handler_timeout: Duration,
    lease: Duration,
    is_success: Arc<dyn Fn(&Parts) -> bool + Send + Sync>,
    sender_quotas: Option<Quotas>,
    fails_open: bool,
}

impl Config {
    /// How long to wait for a reservation: the lease began when it was asked for, and must not end before the handler does.
    fn patience(&self) -> Duration {
        STORE_PATIENCE.min(self.lease.saturating_sub(self.handler_timeout))
    }
}

impl<N: NonceStore> RejectReplayLayer<N> {
    /// How long deliveries are remembered that are accepted for ever.
    pub const DEFAULT_RETENTION: Duration = Duration::from_secs(3 * 24 * 60 * 60);

    /// A layer that remembers deliveries in `store`. Handlers may take 30 seconds.
    pub fn new(store: N) -> Self {
        let config = Config {
            scope: "".into(),
            retention: None,
            handler_timeout: Duration::from_secs(30),
            lease: Duration::from_secs(40),
            is_success: Arc::new(is_success),
            sender_quotas: None,
            fails_open: false,
        };
        Self { store, config: Arc::new(config), reserve_within: None }
    }

    /// A name for this endpoint's deliveries in a store that it shares with others.
    pub fn scope(mut self, scope: impl Into<Box<str>>) -> Self {
        Arc::make_mut(&mut self.config).scope = scope.into();
        self
    }

    /// How long handled deliveries are remembered. By default as long as their signed time is accepted; if there is none, as long as the provider
    /// [tries again](crate::scheme::Retries), but three days at least and seven at most. Never shorter than it is accepted.
    ///
    /// Providers that sign retries anew, under the same id, may send one hours after an answer of ours got lost (Stripe: up to three days). It
    /// is recognised if it is remembered as long, in a store with room for that many deliveries.
    pub fn retention(mut self, retention: Duration) -> Self {
        Arc::make_mut(&mut self.config).retention = Some(retention);
        self
    }

    /// How long a handler may take before it is dropped and the request answered `503`, and how long the delivery stays reserved if even
    /// that fails, as when the process dies. 30 and 40 seconds by default.
    ///
    /// # Errors
    ///
    /// If the lease could end while the handler still runs: then a second one would run beside it.
    pub fn handler_timeout(mut self, timeout: Duration, lease: Duration) -> Result<Self, ConfigError> {
        if timeout.is_zero() || lease <= timeout {
            let value = format!("{timeout:?} of {lease:?}");
            return Err(ConfigError::invalid(
                "handler timeout and lease",
                value,
                "the lease must be longer than the timeout, and both longer than nothing",
            ));
        }
        let config = Arc::make_mut(&mut self.config);
        (config.handler_timeout, config.lease) = (timeout, lease);
        Ok(self)
    }

    /// Which answers mean that a delivery has been handled. 2xx by default, with a `grpc-status` of 0 if there is one in the head.
    ///
    /// If it is in the trailers, as with all gRPC calls that went well, it must be 0 there besides: until they have come, the delivery stays reserved.
    pub fn success_if(mut self, is_success: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.config).is_success = Arc::new(is_success);
        self
    }

    /// The door to what gives up a part of the protection.
    pub fn dangerous(self) -> Dangerous<Self> {
        Dangerous(self)
    }

    pub(super) fn fail_open(mut self) -> Self {
        Arc::make_mut(&mut self.config).fails_open = true;
        self
    }

    pub(super) fn with_store<New: NonceStore>(self, store: New) -> RejectReplayLayer<New> {
        RejectReplayLayer { store, config: self.config, reserve_within: None }
    }

    /// # Errors
    ///
    /// If senders were limited in another store than that which is asked.
    pub(super) fn check_limit(&self) -> Result<(), ConfigError> {
        match (self.config.sender_quotas, self.reserve_within) {
            (Some(quotas), None) => Err(ConfigError::invalid(
                "limit of senders",
                format!("{:?}", quotas.as_slice()),
                "another store was given afterwards: give the store first",
            )),
            _ => Ok(()),
        }
    }

    /// # Errors
    ///
    /// If deliveries would be forgotten before `needed`.
    pub(super) fn check_retention(&self, needed: Duration) -> Result<(), ConfigError> {
        match self.config.retention {
            Some(given) if given < needed.max(Duration::from_secs(1)) => {
                Err(ConfigError::RetentionTooShort { given, needed: needed.max(Duration::from_secs(1)) })
            }
            _ => Ok(()),
        }
    }
}

impl<N: LimitingNonceStore> RejectReplayLayer<N> {
    /// Lets only so many deliveries of each verified sender through, counted as [`BySender`](super::BySender) counts them, with one question to the
    /// store instead of two.
    ///
    /// Only what reaches the handler counts: duplicates, and deliveries that are being handled, cost nothing. A sender that must wait is
    /// answered `429`, or `503` if it would give up after that, and nothing is reserved.
    ///
    /// ```
    /// use tower_webhook::{layer::RejectReplayLayer, store::{LimitingNonceStore, Quota}};
    ///
    /// fn layer<N: LimitingNonceStore>(store: N) -> RejectReplayLayer<N> {
    ///     RejectReplayLayer::new(store).limit_senders([Quota::per_second(50), Quota::per_hour(10_000)])
    /// }
    /// ```
    pub fn limit_senders(mut self, quotas: impl Into<Quotas>) -> Self {
        Arc::make_mut(&mut self.config).sender_quotas = Some(quotas.into());
        self.reserve_within = Some(N::reserve_within);
        self
    }
}

/// What gives up a part of the protection, and is to be said by name.
#[derive(Clone, Debug)]
#[must_use]
pub struct Dangerous<T>(pub(super) T);

impl<N: NonceStore> Dangerous<RejectReplayLayer<N>> {
    /// Handles deliveries also while the store does not answer, instead of refusing them with `503`.
    ///
    /// Meanwhile nothing is known of the past: a replay is handled, a delivery may be handled twice, even at the same moment, and no sender is
    /// [limited](RejectReplayLayer::limit_senders). Handlers find [`ReplayUnchecked`] in the extensions of such requests. As senders
    /// try again after a `503`, this is only for those that do not, and for handlers that do not mind.
    ///
    /// A store that is full does answer, and so still refuses.
    ///
    /// ```
    /// use tower_webhook::{layer::RejectReplayLayer, store::MemoryNonceStore};
    ///
    /// let layer = RejectReplayLayer::new(MemoryNonceStore::new()).dangerous().fail_open();
    /// ```
    pub fn fail_open(self) -> RejectReplayLayer<N> {
        self.0.fail_open()
    }
}

/// In a request's extensions: the store did not say whether the delivery is new, and it is [handled all the same](Dangerous::fail_open).
///
/// ```
/// use axum::Extension;
/// use tower_webhook::layer::ReplayUnchecked;
///
/// async fn paid(unchecked: Option<Extension<ReplayUnchecked>>) {
///     if unchecked.is_some() {
///         // Look into our own books first.
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayUnchecked;

fn is_success(head: &Parts) -> bool {
    head.status.is_success() && head.headers.get("grpc-status").is_none_or(|status| status == "0")
}

impl<N: NonceStore + fmt::Debug> fmt::Debug for RejectReplayLayer<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectReplayLayer").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<S, N: NonceStore> Layer<S> for RejectReplayLayer<N> {
    type Service = RejectReplay<S, N>;

    fn layer(&self, inner: S) -> Self::Service {
        RejectReplay { inner, layer: self.clone() }
    }
}

/// The service of [`RejectReplayLayer`].
#[derive(Clone, Debug)]
pub struct RejectReplay<S, N: NonceStore> {
    inner: S,
    layer: RejectReplayLayer<N>,
}

impl<S, N, B, ResBody> Service<Request<B>> for RejectReplay<S, N>
where
    B: VerifiedBody,
    N: NonceStore,
    S: Service<Request<Verified>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = Response<Settled<ResBody>>;
    type Error = S::Error;
    type Future = RejectReplayFuture<S, N, S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request = request.map(B::into_verified);
        let layer = &self.layer;
        let state = match Reservation::of(layer, request.body().delivery()) {
            None => State::handling(self.inner.call(request), None),
            // It was fresh when it came, but memory of an earlier one may have ended while its body was awaited.
            Some(_) if !request.body().is_still_fresh() => {
                drop(take_ready(&mut self.inner));
                State::answering(Rejection::Outdated, request)
            }
            Some(mut reservation) => {
                let mut asked = reservation.ask(layer, request.body().delivery());
                // A store in memory answers at once, and then the service need not be kept for later.
                match poll_once(&mut asked) {
                    Poll::Ready(answer) => match reservation.granted(answer, &mut request, &layer.config) {
                        Ok(reservation) => State::handling(self.inner.call(request), Some(reservation)),
                        Err(rejection) => {
                            drop(take_ready(&mut self.inner));
                            State::answering(rejection, request)
                        }
                    },
                    Poll::Pending => {
                        if let Some(record) = Record::of(request.extensions()) {
                            record.wait_for(Stage::Store);
                        }
                        let waiting = Waiting { request, inner: take_ready(&mut self.inner), reservation };
                        let deadline = tokio::time::sleep(layer.config.patience());
                        State::Reserving { asked, waiting: Some(waiting), deadline }
                    }
                }
            }
        };
        RejectReplayFuture::new(state, &self.layer.config)
    }
}

/// How long a request waits for the store, which should give up sooner by itself: to reserve, and then it is refused; to commit, and
/// then it is answered while the commit goes on.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
