use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use http::Request;
use tokio::time::Sleep;
use tower_layer::Layer;

use super::{Check, Guard, Refusal, Step};
use crate::{
    Rejection, TrustedProxies,
    body::VerifiedBody,
    client_addr,
    store::{Quota, RateKey, RateStore, StoreError, Verdict},
};

/// Lets only so many requests through: of each address, each sender, or whatever a function says.
///
/// Outside verification, limit by [`ClientAddr`] and nothing that the request says of itself: a key that strangers can choose is a quota
/// that strangers can use up. Inside, limit [`BySender`]. When the store does not answer, requests are let through.
///
/// ```
/// use tower_webhook::{layer::{BySender, ClientAddr, RateLimitLayer}, store::{MemoryRateStore, Quota}};
///
/// let strangers = RateLimitLayer::new(Quota::per_minute(600), ClientAddr::new(), MemoryRateStore::new());
/// let senders = RateLimitLayer::new(Quota::per_second(100), BySender, MemoryRateStore::new());
/// ```
///
/// By a function:
///
/// ```
/// use http::Request;
/// use tower_webhook::{layer::RateLimitLayer, store::{MemoryRateStore, Quota, RateKey}};
///
/// fn by_path<B>(request: &Request<B>) -> Option<RateKey> {
///     Some(RateKey::of([request.uri().path().as_bytes()]))
/// }
/// let layer = RateLimitLayer::new(Quota::per_minute(600), by_path::<axum::body::Body>, MemoryRateStore::new());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RateLimitLayer<K, R> {
    limit: RateLimit<K, R>,
}

impl<K, R: RateStore> RateLimitLayer<K, R> {
    /// Limits requests with the same key to `quota`.
    pub const fn new(quota: Quota, key: K, store: R) -> Self {
        Self { limit: RateLimit { quota, key, store } }
    }
}

impl<S, K: Clone, R: Clone> Layer<S> for RateLimitLayer<K, R> {
    type Service = Guard<S, RateLimit<K, R>>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, self.limit.clone())
    }
}

/// Whose requests are counted together: [`ClientAddr`], [`BySender`]; also any function `Fn(&Request<B>) -> Option<RateKey>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell whose requests these are",
    label = "requests with a body of `{B}` cannot be counted by `{Self}` here",
    note = "`BySender` needs to know the sender: put `VerifySignatureLayer` outside this layer, or limit by `ClientAddr`",
    note = "or limit by a function `Fn(&http::Request<B>) -> Option<RateKey>`"
)]
pub trait RateLimitBy<B> {
    /// The key, or nothing if the request is not to be limited.
    ///
    /// # Errors
    ///
    /// If the server is put together so that there is no telling.
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection>;

    /// How a request is refused that must wait: with 429, unless something better is known.
    fn refusal(&self, _request: &Request<B>, retry_after: Duration) -> Rejection {
        Rejection::RateLimited { retry_after }
    }
}

impl<B, F: Fn(&Request<B>) -> Option<RateKey>> RateLimitBy<B> for F {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        Ok(self(request))
    }
}

/// Limits nothing if there is none: for limits that a configuration may leave out.
impl<B, K: RateLimitBy<B>> RateLimitBy<B> for Option<K> {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        self.as_ref().map_or(Ok(None), |by| by.key(request))
    }

    fn refusal(&self, request: &Request<B>, retry_after: Duration) -> Rejection {
        match self {
            Some(by) => by.refusal(request, retry_after),
            None => Rejection::RateLimited { retry_after },
        }
    }
}

/// Counts together the requests of each client address, from [`PeerAddr`](crate::PeerAddr) or axum's `ConnectInfo`, and from what trusted
/// proxies say. An IPv6 network of 64 bits counts as one address.
///
/// Without a peer, requests are answered `500`: a limit that silently does not apply is worse than none.
///
/// ```
/// use tower_webhook::{
///     ForwardingHeader, TrustedProxies,
///     layer::{ClientAddr, RateLimitLayer},
///     store::{MemoryRateStore, Quota},
/// };
///
/// let proxies = TrustedProxies::networks(["10.0.0.0/8"], ForwardingHeader::XForwardedFor)?;
/// let layer = RateLimitLayer::new(Quota::per_minute(600), ClientAddr::behind(proxies), MemoryRateStore::new());
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientAddr {
    proxies: Option<TrustedProxies>,
}

impl ClientAddr {
    /// By the peer of the connection. Behind a proxy that is the proxy, for everyone: name it with [`behind`](Self::behind).
    pub const fn new() -> Self {
        Self { proxies: None }
    }

    /// By the client for whom trusted proxies speak; by the peer, where that is none of them.
    pub const fn behind(proxies: TrustedProxies) -> Self {
        Self { proxies: Some(proxies) }
    }
}

impl<B> RateLimitBy<B> for ClientAddr {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        let peer = client_addr::peer(request.extensions()).ok_or(Rejection::Misconfigured {
            why: "no peer address in the request: insert `PeerAddr`, or serve axum with `into_make_service_with_connect_info::<SocketAddr>()`",
        })?;
        let client = self.proxies.as_ref().map_or(peer, |proxies| proxies.client(peer, request.headers()));
        Ok(Some(RateKey::address(client)))
    }
}

/// Counts together the deliveries of each verified sender: of one provider, under one key.
///
/// Keys without a name are told apart by their position in the ring. Verifiers that share a store need names for their keys
/// ([`Key::with_id`](crate::key::Key::with_id)), or their first keys have one account.
#[derive(Clone, Copy, Debug, Default)]
pub struct BySender;

impl<B: VerifiedBody> RateLimitBy<B> for BySender {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        let delivery = request.body().delivery();
        let index = delivery.key_index().to_be_bytes();
        let key = delivery.key_id().map_or(index.as_slice(), str::as_bytes);
        Ok(Some(RateKey::of([delivery.provider().as_bytes(), key])))
    }

    /// Some providers give up after any client error, 429 among them: their deliveries would be lost.
    fn refusal(&self, request: &Request<B>, retry_after: Duration) -> Rejection {
        match request.body().delivery().retries().on.gives_up_when_rate_limited() {
            true => Rejection::Throttled { retry_after },
            false => Rejection::RateLimited { retry_after },
        }
    }
}

/// The check of [`RateLimitLayer`].
#[derive(Clone, Debug)]
pub struct RateLimit<K, R> {
    quota: Quota,
    key: K,
    store: R,
}

impl<B, K: RateLimitBy<B> + Clone, R: RateStore> Check<B> for RateLimit<K, R> {
    type Out = B;
    type Future = RateLimitFuture<B, K, R::Check>;

    fn check(&self, request: Request<B>) -> Step<B, Self::Future> {
        let key = match self.key.key(&request) {
            Ok(Some(key)) => key,
            Ok(None) => return Step::Now(Ok(request)),
            Err(rejection) => return Step::Now(Err(Refusal::from(rejection).reusing(request.into_parts().0))),
        };
        let mut asked = self.store.check(key, self.quota);
        // A store in memory answers at once, and then nothing has to be kept for later.
        match Pin::new(&mut asked).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Step::Now(settle(request, &self.key, answer)),
            Poll::Pending => Step::Later(RateLimitFuture {
                asked,
                by: self.key.clone(),
                request: Some(request),
                deadline: Box::pin(tokio::time::sleep(STORE_PATIENCE)),
            }),
        }
    }
}

#[expect(clippy::result_large_err, reason = "the request that it was made of is as large")]
fn settle<B>(
    request: Request<B>,
    by: &impl RateLimitBy<B>,
    answer: Result<Verdict, StoreError>,
) -> Result<Request<B>, Refusal> {
    match answer {
        Ok(Verdict::Limited { retry_after }) => {
            let rejection = by.refusal(&request, retry_after);
            Err(Refusal::from(rejection).reusing(request.into_parts().0))
        }
        Ok(Verdict::Allowed) | Err(_) => Ok(request),
    }
}

/// The future of [`RateLimit`].
pub struct RateLimitFuture<B, K, F> {
    asked: F,
    by: K,
    request: Option<Request<B>>,
    deadline: Pin<Box<Sleep>>,
}

/// How long a request waits for the store, which should give up sooner by itself, before it is let through.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

// Nothing in it is ever pinned but the store's future, which is `Unpin` itself.
impl<B, K, F> Unpin for RateLimitFuture<B, K, F> {}

impl<B, K: RateLimitBy<B>, F: Future<Output = Result<Verdict, StoreError>> + Unpin> Future
    for RateLimitFuture<B, K, F>
{
    type Output = Result<Request<B>, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match Pin::new(&mut self.asked).poll(cx) {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Err(StoreError::Unavailable)
            }
        };
        match self.request.take() {
            Some(request) => Poll::Ready(settle(request, &self.by, answer)),
            None => Poll::Pending,
        }
    }
}

impl<B, K, F> fmt::Debug for RateLimitFuture<B, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimitFuture")
    }
}
