use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, response::Parts};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Refusal,
    background::{InBackground, poll_once, without_waiting},
    guard::take_ready,
    sender::{sender_key, sender_refusal},
};
use crate::{
    ConfigError, Delivery, Rejection,
    body::{Verified, VerifiedBody},
    store::{LimitingNonceStore, NonceStore, Quotas, Rate, ReplayKey, Reserved, StoreError, Token},
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
/// What is the same delivery is said by [`Delivery::replay_key`]. Where the signature covers neither id nor time, the
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
/// # Panics
///
/// Handlers that do not answer at once panic outside a Tokio runtime with its timer enabled.
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
    type Response = Response<ResBody>;
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
                        let waiting = Waiting { request, inner: take_ready(&mut self.inner), reservation };
                        let deadline = tokio::time::sleep(layer.config.patience());
                        State::Reserving { asked, waiting: Some(waiting), deadline }
                    }
                }
            }
        };
        RejectReplayFuture { state, config: Arc::clone(&self.layer.config) }
    }
}

/// How long a request waits for the store, which should give up sooner by itself: to reserve, and then it is refused; to commit, and
/// then it is answered while the commit goes on.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// Memory costs room in the store, so nobody gets more of it than this without asking.
const MAX_DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pin_project! {
    /// The future of [`RejectReplay`].
    pub struct RejectReplayFuture<S, N: NonceStore, Called, ResBody> {
        #[pin]
        state: State<S, N, Called, ResBody>,
        config: Arc<Config>,
    }
}

pin_project! {
    #[project = Project]
    enum State<S, N: NonceStore, Called, ResBody> {
        Reserving { asked: N::Reserve, waiting: Option<Waiting<S, N>>, #[pin] deadline: Sleep },
        // Dropped from top to bottom: first the handler, then its reservation.
        Handling { #[pin] called: Called, reservation: Option<Reservation<N>>, #[pin] deadline: Option<Sleep> },
        Committing { asked: InBackground, response: Option<Response<ResBody>>, #[pin] deadline: Sleep },
        Answering { response: Option<Response<ResBody>> },
    }
}

/// A request whose reservation has been asked for.
struct Waiting<S, N: NonceStore> {
    request: Request<Verified>,
    inner: S,
    reservation: Reservation<N>,
}

impl<S, N: NonceStore, Called, ResBody> State<S, N, Called, ResBody> {
    fn handling(called: Called, reservation: Option<Reservation<N>>) -> Self {
        Self::Handling { called, reservation, deadline: None }
    }

    fn answering(rejection: Rejection, request: Request<Verified>) -> Self
    where
        ResBody: Default,
    {
        let refusal = Refusal::from(rejection).reusing(request.into_parts().0);
        Self::Answering { response: Some(refusal.into_response()) }
    }
}

impl<S, N, ResBody> Future for RejectReplayFuture<S, N, S::Future, ResBody>
where
    N: NonceStore,
    S: Service<Request<Verified>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                Project::Reserving { asked, waiting, deadline } => {
                    let answer = match Pin::new(asked).poll(cx) {
                        Poll::Ready(answer) => answer,
                        Poll::Pending => {
                            ready!(deadline.poll(cx));
                            Err(StoreError::Unavailable)
                        }
                    };
                    let Some(Waiting { mut request, mut inner, reservation }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    match reservation.granted(answer, &mut request, this.config) {
                        Ok(reservation) => State::handling(inner.call(request), Some(reservation)),
                        Err(rejection) => State::answering(rejection, request),
                    }
                }
                Project::Handling { called, reservation, deadline } => match called.poll(cx) {
                    Poll::Ready(Ok(response)) => match settle(response, reservation.take(), this.config) {
                        (response, None) => return Poll::Ready(Ok(response)),
                        (response, Some(asked)) => {
                            let deadline = tokio::time::sleep(STORE_PATIENCE);
                            State::Committing { asked, response: Some(response), deadline }
                        }
                    },
                    Poll::Ready(Err(error)) => {
                        // Released, whenever we are dropped.
                        drop(reservation.take());
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => {
                        ready!(poll_deadline(deadline, this.config.handler_timeout, cx));
                        State::Answering { response: Some(Refusal::from(Rejection::HandlerTimeout).into_response()) }
                    }
                },
                Project::Committing { asked, response, deadline } => {
                    // A commit that fails takes nothing back: the work is done, and saying otherwise would have it done again.
                    if Pin::new(asked).poll(cx).is_pending() {
                        ready!(deadline.poll(cx));
                    }
                    let Some(response) = response.take() else { return Poll::Pending };
                    // What is left of the commit goes on without the sender.
                    this.state.set(State::Answering { response: None });
                    return Poll::Ready(Ok(response));
                }
                Project::Answering { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            };
            this.state.set(next);
        }
    }
}

/// Commits or releases by the handler's answer; the commit is returned if it could not be made at once.
fn settle<N: NonceStore, ResBody>(
    response: Response<ResBody>,
    reservation: Option<Reservation<N>>,
    config: &Config,
) -> (Response<ResBody>, Option<InBackground>) {
    let Some(reservation) = reservation else { return (response, None) };
    let (head, body) = response.into_parts();
    let commit = (config.is_success)(&head).then(|| reservation.commit(config)).flatten();
    (Response::from_parts(head, body), commit)
}

fn poll_deadline(mut deadline: Pin<&mut Option<Sleep>>, timeout: Duration, cx: &mut Context<'_>) -> Poll<()> {
    if deadline.is_none() {
        // Only now: a handler that answers at once costs no timer.
        deadline.set(Some(tokio::time::sleep(timeout)));
    }
    deadline.as_pin_mut().map_or(Poll::Pending, |deadline| deadline.poll(cx))
}

/// A claim on a delivery, perhaps not yet granted; given up on drop unless it was committed.
struct Reservation<N: NonceStore> {
    store: N,
    key: ReplayKey,
    token: Token,
    /// How long the delivery is accepted.
    window: Option<Duration>,
    retried_for: Duration,
    /// Nothing tells the delivery from another: it is reserved to be counted, and never committed.
    only_counts: bool,
    /// The store said so; otherwise it is handled all the same.
    is_checked: bool,
    /// From when it was asked for.
    is_ours: bool,
    is_granted: bool,
    lease: Duration,
}

impl<N: NonceStore> Reservation<N> {
    /// Nothing if neither the past nor the sender's rate has a say.
    fn of(layer: &RejectReplayLayer<N>, delivery: &Delivery) -> Option<Self> {
        let token = Token::unique();
        let told_apart = delivery.replay_key().map(|key| key.scoped(&layer.config.scope));
        let of_its_own = || {
            layer
                .reserve_within
                .is_some()
                .then(|| ReplayKey::of([b"of its own".as_slice(), &token.as_u128().to_be_bytes()]))
        };
        Some(Self {
            store: layer.store.clone(),
            key: told_apart.or_else(of_its_own)?,
            token,
            window: delivery.window(),
            retried_for: delivery.retries().lasting,
            only_counts: told_apart.is_none(),
            is_checked: true,
            is_ours: false,
            is_granted: false,
            lease: layer.config.lease,
        })
    }

    fn ask(&mut self, layer: &RejectReplayLayer<N>, delivery: &Delivery) -> N::Reserve {
        self.is_ours = true;
        let config = &layer.config;
        match (layer.reserve_within, config.sender_quotas) {
            (Some(reserve_within), Some(quotas)) => {
                let rate = Rate { key: sender_key(delivery), quotas, cost: 1 };
                reserve_within(&self.store, &rate, self.key, self.token, config.lease)
            }
            _ => self.store.reserve(self.key, self.token, config.lease),
        }
    }

    /// # Errors
    ///
    /// Why the handler must not run.
    fn granted(
        mut self,
        answer: Result<Reserved, StoreError>,
        request: &mut Request<Verified>,
        config: &Config,
    ) -> Result<Self, Rejection> {
        let rejection = match answer {
            Ok(Reserved::Fresh) => {
                request.body_mut().set_reserved();
                self.is_granted = true;
                return Ok(self);
            }
            Ok(Reserved::InProgress { retry_after }) => Rejection::InProgress { retry_after },
            Ok(Reserved::Done) => Rejection::Replayed,
            Ok(Reserved::Limited { retry_after }) => sender_refusal(request.body().delivery(), retry_after),
            Err(StoreError::Full) => Rejection::StoreFull,
            Err(StoreError::Unavailable) if config.fails_open => {
                request.body_mut().set_reserved();
                request.extensions_mut().insert(ReplayUnchecked);
                self.is_checked = false;
                return Ok(self);
            }
            // Perhaps it was granted and only the answer lost, so it is released all the same.
            Err(StoreError::Unavailable) => return Err(Rejection::StoreUnavailable),
        };
        self.is_ours = false;
        Err(rejection)
    }

    /// The commit, if it could not be made at once and is worth waiting for.
    fn commit(mut self, config: &Config) -> Option<InBackground> {
        if self.only_counts {
            return None;
        }
        self.is_ours = false;
        let is_checked = self.is_checked;
        // A replay may be found fresh at the last moment, and then wait for the store.
        let accepted = self.window.map_or(Duration::ZERO, |window| window.saturating_add(STORE_PATIENCE));
        let default = match self.window {
            Some(_) => accepted,
            // A try of the last hour, after an answer of ours got lost, is still the same delivery.
            None => self.retried_for.clamp(RejectReplayLayer::<N>::DEFAULT_RETENTION, MAX_DEFAULT_RETENTION),
        };
        let retention = config.retention.unwrap_or(default).max(accepted).max(Duration::from_secs(1));
        let mut asked = self.store.commit(self.key, self.token, retention);
        match poll_once(&mut asked) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(_)) => {
                drop(InBackground::new(self.commit_again(None, retention)));
                None
            }
            Poll::Pending => {
                let commit = InBackground::new(self.commit_again(Some(asked), retention));
                // A store that has kept the sender waiting once must not do so again.
                is_checked.then_some(commit)
            }
        }
    }

    async fn commit_again(self, first: Option<N::Settle>, retention: Duration) {
        insist(first, || self.store.commit(self.key, self.token, retention), self.lease).await;
    }
}

impl<N: NonceStore> Drop for Reservation<N> {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        // What was never granted is mostly not there, and a store that is gone must not be asked again and again for each delivery.
        if !self.is_granted {
            let _ = without_waiting(self.store.release(self.key, self.token));
            return;
        }
        let (store, key, token, lease) = (self.store.clone(), self.key, self.token, self.lease);
        let mut asked = store.release(key, token);
        let first = match poll_once(&mut asked) {
            Poll::Ready(Ok(())) => return,
            Poll::Ready(Err(_)) => None,
            Poll::Pending => Some(asked),
        };
        drop(InBackground::new(async move { insist(first, || store.release(key, token), lease).await }));
    }
}

/// Asks a store until it has done it, for as long as the lease keeps others out.
async fn insist<F>(first: Option<F>, ask: impl Fn() -> F, lease: Duration)
where
    F: Future<Output = Result<(), StoreError>>,
{
    const BETWEEN_TRIES: Duration = Duration::from_secs(1);
    let end = tokio::time::Instant::now() + lease;
    let mut asked = first;
    while tokio::time::Instant::now() < end {
        if let Some(asked) = asked.take()
            && matches!(tokio::time::timeout_at(end, asked).await, Ok(Ok(())))
        {
            return;
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
        asked = Some(ask());
    }
}
