use std::time::Duration;

use http::Request;

use crate::{
    Rejection, TrustedProxies,
    body::VerifiedBody,
    client_addr, framework,
    layer::sender::{sender_key, sender_refusal},
    store::RateKey,
};

/// Whose requests are counted together: [`ClientAddr`], [`BySender`], [`ByRoute`], a pair of them such as `(BySender, ByRoute)`; also any function
/// `Fn(&Request<B>) -> Option<RateKey>`.
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

    /// As how many requests this one counts. None at all is let through without a question.
    fn cost(&self, _request: &Request<B>) -> u32 {
        1
    }

    /// How a request is refused that must wait: with 429, unless something better is known.
    fn refusal(&self, _request: &Request<B>, retry_after: Duration) -> Rejection {
        Rejection::RateLimited { retry_after }
    }

    /// Whether a request that was let through, and turned away for this further inside, is taken off the account again. None is by default.
    fn is_free(&self, _rejection: &Rejection) -> bool {
        false
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

    fn cost(&self, request: &Request<B>) -> u32 {
        self.as_ref().map_or(0, |by| by.cost(request))
    }

    fn refusal(&self, request: &Request<B>, retry_after: Duration) -> Rejection {
        self.as_ref().map_or(Rejection::RateLimited { retry_after }, |by| by.refusal(request, retry_after))
    }

    fn is_free(&self, rejection: &Rejection) -> bool {
        self.as_ref().is_some_and(|by| by.is_free(rejection))
    }
}

/// Counts together what has both keys in common; what lacks one of them is not limited. Everything else is as the first one says.
impl<B, K: RateLimitBy<B>, L: RateLimitBy<B>> RateLimitBy<B> for (K, L) {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        let (Some(first), Some(second)) = (self.0.key(request)?, self.1.key(request)?) else { return Ok(None) };
        let [first, second] = [first, second].map(|key| key.as_u128().to_be_bytes());
        Ok(Some(RateKey::of([first.as_slice(), &second])))
    }

    fn cost(&self, request: &Request<B>) -> u32 {
        self.0.cost(request)
    }

    fn refusal(&self, request: &Request<B>, retry_after: Duration) -> Rejection {
        self.0.refusal(request, retry_after)
    }

    fn is_free(&self, rejection: &Rejection) -> bool {
        self.0.is_free(rejection)
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
        let client = client_addr::client(request.extensions(), request.headers(), self.proxies.as_ref())?;
        Ok(Some(RateKey::address(client)))
    }
}

/// Counts together the deliveries of each verified sender: of one provider, under one key.
///
/// Deliveries that no handler has seen, since they were handled before or are being handled, cost nothing. Keys without a name are told apart by their
/// position in the ring. Verifiers that share a store need names for their keys ([`Key::with_id`](crate::key::Key::with_id)), or layers a
/// [`scope`](super::RateLimitLayer::scope) each, or their first keys have one account.
#[derive(Clone, Copy, Debug, Default)]
pub struct BySender;

impl<B: VerifiedBody> RateLimitBy<B> for BySender {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        Ok(Some(sender_key(request.body().delivery())))
    }

    /// Some providers give up after any client error, 429 among them: their deliveries would be lost.
    fn refusal(&self, request: &Request<B>, retry_after: Duration) -> Rejection {
        sender_refusal(request.body().delivery(), retry_after)
    }

    fn is_free(&self, rejection: &Rejection) -> bool {
        matches!(
            rejection,
            Rejection::Replayed
                | Rejection::InProgress { .. }
                | Rejection::Outdated
                | Rejection::StoreFull
                | Rejection::StoreUnavailable
        )
    }
}

/// Counts together the deliveries to each route: axum's, as it was declared (`/hooks/{tenant}`, feature `axum`); elsewhere each path is one.
///
/// Only for verified requests, as strangers would invent paths.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByRoute;

impl<B: VerifiedBody> RateLimitBy<B> for ByRoute {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        let route = framework::route(request.extensions()).unwrap_or_else(|| request.uri().path());
        Ok(Some(RateKey::of([b"route".as_slice(), route.as_bytes()])))
    }
}

/// The same, at a cost that a function names: see [`RateLimitLayer::cost`](super::RateLimitLayer::cost).
#[derive(Clone, Debug)]
pub struct Costing<K, F> {
    pub(super) by: K,
    pub(super) cost: F,
}

impl<B, K: RateLimitBy<B>, F: Fn(&Request<B>) -> u32> RateLimitBy<B> for Costing<K, F> {
    fn key(&self, request: &Request<B>) -> Result<Option<RateKey>, Rejection> {
        self.by.key(request)
    }

    fn cost(&self, request: &Request<B>) -> u32 {
        (self.cost)(request)
    }

    fn refusal(&self, request: &Request<B>, retry_after: Duration) -> Rejection {
        self.by.refusal(request, retry_after)
    }

    fn is_free(&self, rejection: &Rejection) -> bool {
        self.by.is_free(rejection)
    }
}
