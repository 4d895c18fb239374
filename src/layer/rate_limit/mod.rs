mod by;
mod fields;
mod future;
mod ticket;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, response::Parts};
use tower_layer::Layer;
use tower_service::Service;

pub use self::{
    by::{ByRoute, BySender, ClientAddr, Costing, RateLimitBy},
    future::RateLimitFuture,
};
use self::{fields::Fields, future::Waiting, ticket::Ticket};
use super::{Refusal, authentic::Authentic, background::poll_once, guard::take_ready};
use crate::{
    ConfigError, Rejection,
    observe::{RateDecision, Record},
    store::{Charge, Quotas, RateKey, RateStore, Standing, StoreError, Verdict},
};

/// Lets only so many requests through: of each address, each sender, or whatever a function says.
///
/// Outside verification, limit by [`ClientAddr`] and nothing that the request says of itself: a key that strangers can choose is a quota
/// that strangers can use up. Inside, limit [`BySender`]. When the store does not answer, requests are let through.
///
/// ```
/// use tower_webhook::{layer::{BySender, ClientAddr, RateLimitLayer}, store::{MemoryRateStore, Quota}};
///
/// // A stranger's failures, and only those: a provider's genuine deliveries all come from a few addresses.
/// let strangers = RateLimitLayer::new(Quota::per_minute(60), ClientAddr::new(), MemoryRateStore::new()).charge_failures();
///
/// // Ten a second and a thousand an hour, of each sender.
/// let quotas = [Quota::per_second(10), Quota::per_hour(1000)];
/// let senders = RateLimitLayer::new(quotas, BySender, MemoryRateStore::new());
/// ```
///
/// By a function:
///
/// ```
/// use http::Request;
/// use tower_webhook::{body::Verified, layer::RateLimitLayer, store::{MemoryRateStore, Quota, RateKey}};
///
/// /// A quota for each tenant, whatever the provider.
/// fn by_tenant(request: &Request<Verified>) -> Option<RateKey> {
///     let tenant = request.body().delivery().tenant()?;
///     Some(RateKey::of([tenant.as_bytes()]))
/// }
/// let layer = RateLimitLayer::new(Quota::per_minute(600), by_tenant, MemoryRateStore::new())
///     .cost(|request: &Request<Verified>| 1 + request.body().bytes().len() as u32 / 65_536);
/// ```
#[must_use]
pub struct RateLimitLayer<K, R> {
    limit: Arc<Limit<K, R>>,
}

/// What a layer, its services and their futures have in common.
struct Limit<K, R> {
    by: K,
    store: R,
    config: Config,
}

#[derive(Clone)]
struct Config {
    quotas: Quotas,
    scope: Box<str>,
    /// Which answers cost something; all requests do, if it is not said.
    costs: Option<Costs>,
    fields: Option<Fields>,
    jitter: Duration,
    refuses_when_unavailable: bool,
    says_unavailable: bool,
}

#[derive(Clone)]
enum Costs {
    /// What proved to be no genuine delivery.
    Failures,
    If(Arc<dyn Fn(&Parts) -> bool + Send + Sync>),
}

impl Costs {
    fn include(&self, answer: &Parts, is_genuine: bool) -> bool {
        match (self, answer.extensions.get::<Rejection>()) {
            (Self::If(costs), _) => costs(answer),
            // Its signature is good because anyone could have it.
            (Self::Failures, Some(Rejection::SignatureMismatch)) => true,
            (Self::Failures, Some(rejection)) => rejection.blames_sender() && !is_genuine,
            (Self::Failures, None) => false,
        }
    }
}

impl<K, R: RateStore> RateLimitLayer<K, R> {
    /// Limits requests with the same key to a [`Quota`](crate::store::Quota), or to several at once.
    pub fn new(quotas: impl Into<Quotas>, key: K, store: R) -> Self {
        let config = Config {
            quotas: quotas.into(),
            scope: "".into(),
            costs: None,
            fields: None,
            jitter: Duration::ZERO,
            refuses_when_unavailable: false,
            says_unavailable: false,
        };
        Self { limit: Arc::new(Limit { by: key, store, config }) }
    }

    /// Charges for requests that turn out to be no genuine deliveries: no or a wrong signature, a malformed head, a body that
    /// is too large, too slow or broken off. Others cost nothing, but are refused as well once the quota is used up.
    ///
    /// Requests that are under way at the same time may overdraw it, as they are not charged before they fail; no account is overdrawn further than
    /// it takes to refill. Who hangs up before the signature was checked has failed.
    ///
    /// Addresses that many share are one account here as well: whoever can have a provider send something to this endpoint, from the addresses that genuine
    /// deliveries come from and under another key, uses up what they have. Let those networks have a wide quota, or none: with a
    /// function for a key that is `None` for them.
    pub fn charge_failures(self) -> Self
    where
        K: Clone,
    {
        self.configured(|config| config.costs = Some(Costs::Failures))
    }

    /// Charges for requests with these answers: for verification that is not ours, or for other failures. Who hangs up before the
    /// answer is charged too, unless [`VerifySignatureLayer`](super::VerifySignatureLayer) has found the request genuine.
    pub fn charge_if(self, costs: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self
    where
        K: Clone,
    {
        self.configured(|config| config.costs = Some(Costs::If(Arc::new(costs))))
    }

    /// Counts requests as several, or as none, which are then let through. One by default. More than a burst counts as the whole burst.
    pub fn cost<F>(self, cost: F) -> RateLimitLayer<Costing<K, F>, R>
    where
        K: Clone,
    {
        let Limit { by, store, config } = Arc::unwrap_or_clone(self.limit);
        RateLimitLayer { limit: Arc::new(Limit { by: Costing { by, cost }, store, config }) }
    }

    /// A name for this layer's accounts in a store that it shares with others that count by the same thing.
    pub fn scope(self, scope: impl Into<Box<str>>) -> Self
    where
        K: Clone,
    {
        self.configured(|config| config.scope = scope.into())
    }

    /// Says in the fields `RateLimit-Policy` and `RateLimit` what is allowed and what is left of it, in each answer: to the senders of
    /// your own, since strangers have no use for it. As in
    /// [draft-ietf-httpapi-ratelimit-headers-10](https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.html).
    ///
    /// # Errors
    ///
    /// If a quota's [name](crate::store::Quota::named) is empty, holds anything but printable ASCII, or is that of another.
    pub fn tell_senders(self) -> Result<Self, ConfigError>
    where
        K: Clone,
    {
        let fields = Fields::new(&self.limit.config.quotas)?;
        Ok(self.configured(|config| config.fields = Some(fields)))
    }

    /// Adds a random time up to this one to what senders are told to wait, so that those who were refused together do not come
    /// back together. Nothing by default.
    pub fn jitter(self, at_most: Duration) -> Self
    where
        K: Clone,
    {
        self.configured(|config| config.jitter = at_most)
    }

    /// Answers `503` when the store cannot be asked. By default requests are let through: a limit protects from load, and its store's
    /// failure should cost no delivery.
    pub fn refuse_when_unavailable(self) -> Self
    where
        K: Clone,
    {
        self.configured(|config| config.refuses_when_unavailable = true)
    }

    /// Refuses with `503` instead of `429`, for addresses from which providers send that give up after any client error.
    /// [`BySender`] does so by itself where that is known.
    pub fn say_unavailable(self) -> Self
    where
        K: Clone,
    {
        self.configured(|config| config.says_unavailable = true)
    }

    fn configured(self, change: impl FnOnce(&mut Config)) -> Self
    where
        K: Clone,
    {
        let mut limit = Arc::unwrap_or_clone(self.limit);
        change(&mut limit.config);
        Self { limit: Arc::new(limit) }
    }
}

impl<K: Clone, R: Clone> Clone for Limit<K, R> {
    fn clone(&self) -> Self {
        Self { by: self.by.clone(), store: self.store.clone(), config: self.config.clone() }
    }
}

impl<K, R> Clone for RateLimitLayer<K, R> {
    fn clone(&self) -> Self {
        Self { limit: Arc::clone(&self.limit) }
    }
}

impl<K: fmt::Debug, R: fmt::Debug> fmt::Debug for RateLimitLayer<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limit { by, store, config } = &*self.limit;
        f.debug_struct("RateLimitLayer")
            .field("quotas", &config.quotas.as_slice())
            .field("by", by)
            .field("store", store)
            .finish_non_exhaustive()
    }
}

impl<S, K, R> Layer<S> for RateLimitLayer<K, R> {
    type Service = RateLimit<S, K, R>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit { inner, layer: self.clone() }
    }
}

/// The service of [`RateLimitLayer`].
#[derive(Debug)]
pub struct RateLimit<S, K, R> {
    inner: S,
    layer: RateLimitLayer<K, R>,
}

impl<S: Clone, K, R> Clone for RateLimit<S, K, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, K, R, B, ResBody> Service<Request<B>> for RateLimit<S, K, R>
where
    K: RateLimitBy<B>,
    R: RateStore,
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
    ResBody: Default,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = RateLimitFuture<S, K, R, B, S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let limit = &self.layer.limit;
        let question = match limit.question(&request) {
            Ok(Some(question)) => question,
            Ok(None) => return RateLimitFuture::calling(self.inner.call(request), None),
            Err(rejection) => {
                drop(take_ready(&mut self.inner));
                return RateLimitFuture::answering(limit.refuse(rejection, None, request));
            }
        };
        let mut asked = limit.ask(question, limit.first_charge(question));
        // A store in memory answers at once, and then nothing has to be kept for later.
        match poll_once(&mut asked) {
            Poll::Ready(answer) => match limit.admit(question, answer, &mut request) {
                Ok(ticket) => RateLimitFuture::calling(self.inner.call(request), ticket),
                Err((rejection, standing)) => {
                    drop(take_ready(&mut self.inner));
                    RateLimitFuture::answering(limit.refuse(rejection, standing, request))
                }
            },
            Poll::Pending => {
                // What the service holds for the call, it must not keep from others while a stranger waits.
                let inner = self.inner.clone();
                drop(take_ready(&mut self.inner));
                RateLimitFuture::asking(asked, Waiting { limit: Arc::clone(limit), question, inner, request })
            }
        }
    }
}

/// What the store is asked about a request.
#[derive(Clone, Copy, Debug)]
struct Question {
    key: RateKey,
    cost: u32,
}

/// Why a request is not let through, and where its sender stands.
type Refused = (Rejection, Option<Standing>);

impl<K, R: RateStore> Limit<K, R> {
    /// What to ask, if anything.
    ///
    /// # Errors
    ///
    /// If there is no telling whose request it is.
    fn question<B>(&self, request: &Request<B>) -> Result<Option<Question>, Rejection>
    where
        K: RateLimitBy<B>,
    {
        let cost = self.by.cost(request);
        if cost == 0 {
            return Ok(None);
        }
        let key = self.by.key(request)?;
        Ok(key.map(|key| Question { key: key.scoped(&self.config.scope), cost }))
    }

    fn first_charge(&self, question: Question) -> Charge {
        match self.config.costs {
            None => Charge::IfAllowed(question.cost),
            Some(_) => Charge::Nothing,
        }
    }

    fn ask(&self, question: Question, charge: Charge) -> R::Check {
        self.store.check(question.key, &self.config.quotas, charge)
    }

    /// Lets a request through, perhaps with something left to do when it has been answered.
    ///
    /// # Errors
    ///
    /// If it is not let through.
    fn admit<B>(
        self: &Arc<Self>,
        question: Question,
        answer: Result<Standing, StoreError>,
        request: &mut Request<B>,
    ) -> Result<Option<Ticket<K, R>>, Refused>
    where
        K: RateLimitBy<B>,
    {
        if let Some(record) = Record::of(request.extensions()) {
            note(record, &answer);
        }
        let standing = match answer {
            Ok(standing) => standing,
            Err(_) if self.config.refuses_when_unavailable => return Err((Rejection::StoreUnavailable, None)),
            Err(_) => return Ok(None),
        };
        if let Verdict::Limited { retry_after } = standing.verdict {
            let retry_after = retry_after.saturating_add(self.config.jitter());
            let rejection = match self.by.refusal(request, retry_after) {
                Rejection::RateLimited { retry_after } if self.config.says_unavailable => {
                    Rejection::Throttled { retry_after }
                }
                rejection => rejection,
            };
            return Err((rejection, Some(standing)));
        }
        let authentic = self.config.costs.as_ref().map(|_| Authentic::watch(request.extensions_mut()));
        Ok(Some(Ticket::new(Arc::clone(self), question, standing, authentic)))
    }

    fn refuse<B, ResBody: Default>(
        &self,
        rejection: Rejection,
        standing: Option<Standing>,
        request: Request<B>,
    ) -> Response<ResBody> {
        let mut response = Refusal::from(rejection).reusing(request.into_parts().0).into_response();
        if let Some(standing) = standing {
            self.config.tell(&mut response, &standing);
        }
        response
    }
}

/// Writes down what the store said of a request.
fn note(record: &Record, answer: &Result<Standing, StoreError>) {
    record.rate(match answer {
        Ok(standing) if standing.is_allowed() => RateDecision::Allowed,
        Ok(_) => RateDecision::Limited,
        Err(error) => {
            record.store_failed(*error);
            RateDecision::Unavailable
        }
    });
}

impl Config {
    /// Writes the fields that senders are to be told, if they are.
    fn tell<ResBody>(&self, response: &mut Response<ResBody>, standing: &Standing) {
        if let Some(fields) = &self.fields {
            fields.write(response.headers_mut(), &self.quotas, standing);
        }
    }

    fn jitter(&self) -> Duration {
        if self.jitter.is_zero() {
            return Duration::ZERO;
        }
        // Of new keys each time: spread is needed, secrecy is not.
        let share = RandomState::new().hash_one(0);
        let nanos = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(share % nanos.saturating_add(1).max(1))
    }
}
