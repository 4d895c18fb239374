//! Rate limits in two stages: strangers pay for failures by address, senders for what is handled.

mod support;

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use support::{Answer, Calls, Sent, clock, secs, send, start, with_status};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_webhook::{
    PeerAddr, Rejection,
    body::Verified,
    clock::ManualClock,
    layer::{
        ByRoute, BySender, ClientAddr, EnforceTimestampLayer, RateLimitLayer, RejectReplayLayer, RenderRejectionsLayer,
        VerifySignatureLayer, WebhookLayer,
    },
    provider,
    scheme::{Profile, RetryOn, Scheme},
    store::{Charge, MemoryNonceStore, MemoryRateStore, Quota, Quotas, RateKey, RateStore, Standing, StoreError},
};

type Body = Full<Bytes>;

/// From an address of this number.
fn from<B>(address: u8, mut request: Request<B>) -> Request<B> {
    request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, address], 1))));
    request
}

fn genuine(id: usize) -> Sent {
    Sent::standard(&format!("msg_{id}"))
}

/// Signed for other bytes.
fn forged() -> Sent {
    Sent::standard("msg_0").header("webhook-id", "msg_forged")
}

fn rates(clock: &ManualClock) -> MemoryRateStore {
    MemoryRateStore::new().with_clock(clock.clone())
}

fn by_address(quotas: impl Into<Quotas>, clock: &ManualClock) -> RateLimitLayer<ClientAddr, MemoryRateStore> {
    RateLimitLayer::new(quotas, ClientAddr::new(), rates(clock))
}

/// The preset, with this limit in front and this one behind verification.
macro_rules! stack {
    ($clock:expr, $outside:expr, $inside:expr, $handler:expr) => {{
        let layer = WebhookLayer::builder(support::verifier(provider::STANDARD_WEBHOOKS))
            .with_clock($clock.clone())
            .rate_limit($outside)
            .then($inside)
            .replay(MemoryNonceStore::new().with_clock($clock.clone()))
            .build()
            .unwrap();
        ServiceBuilder::new().layer(layer).service($handler)
    }};
}

fn unlimited(clock: &ManualClock) -> RateLimitLayer<Option<BySender>, MemoryRateStore> {
    RateLimitLayer::new(Quota::per_second(0), None, rates(clock))
}

#[tokio::test]
async fn failures_are_charged_and_genuine_deliveries_are_not() {
    let (clock, calls) = (clock(), Calls::default());
    let limit = by_address(Quota::per_hour(5), &clock).charge_failures();
    let service = stack!(clock, limit, unlimited(&clock), calls.handler());

    for id in 0..100 {
        assert_eq!(send(&service, from(1, genuine(id).request())).await.status, 200, "{id}");
        assert!(send(&service, from(1, genuine(id).request())).await.is_duplicate(), "{id}");
    }
    for failure in 0..5 {
        assert_eq!(send(&service, from(1, forged().request())).await.status, 401, "{failure}");
    }
    let refused = send(&service, from(1, forged().request())).await;
    assert_eq!((refused.status.as_u16(), refused.headers["retry-after"].as_bytes()), (429, b"720".as_slice()));
    assert_eq!(send(&service, from(1, genuine(100).request())).await.status, 429, "nobody has looked who it is");
    assert_eq!(send(&service, from(2, genuine(100).request())).await.status, 200, "another address");

    // Refusals do not put the end of the wait off.
    for _ in 0..100 {
        clock.advance(secs(1));
        assert_eq!(send(&service, from(1, forged().request())).await.status, 429);
    }
    clock.advance(secs(620));
    assert_eq!(send(&service, from(1, forged().at(support::NOW + 720).request())).await.status, 401);
    assert_eq!(calls.count(), 101);
}

#[tokio::test]
async fn what_is_charged_for_as_a_failure() {
    let too_large = || genuine(0).with_body(Full::new(Bytes::from(vec![b'x'; 2 * 1024 * 1024])));
    let cases: [(&str, Request<Body>, u16, bool); 8] = [
        ("forged", forged().request(), 401, true),
        ("unsigned", genuine(0).without("webhook-signature").request(), 401, true),
        ("stale", genuine(0).at(support::NOW - 1000).request(), 401, true),
        ("malformed", genuine(0).header("webhook-timestamp", "soon").request(), 400, true),
        ("too large", too_large(), 413, true),
        ("another method", genuine(0).method(http::Method::GET).request(), 405, true),
        ("genuine", genuine(0).request(), 200, false),
        ("genuine, and not to the handler's liking", genuine(404).request(), 404, false),
    ];
    for (what, request, status, is_charged) in cases {
        let clock = clock();
        let limit = by_address(Quota::per_hour(1), &clock).charge_failures();
        let picky = service_fn(|request: Request<Verified>| async move {
            let is_good = request.body().delivery().id() != Some("msg_404");
            Ok::<_, std::convert::Infallible>(with_status(if is_good { 200 } else { 404 }))
        });
        let service = stack!(clock, limit, unlimited(&clock), picky);
        assert_eq!(send(&service, from(1, request)).await.status, status, "{what}");
        let next = send(&service, from(1, genuine(1).request())).await;
        assert_eq!(next.status == 429, is_charged, "{what}: {next:?}");
    }
}

#[tokio::test]
async fn what_is_genuine_and_refused_for_something_else_is_no_failure() {
    let (clock, calls) = (clock(), Calls::default());
    let limit = by_address(Quota::per_hour(1), &clock).charge_failures();
    let tight = EnforceTimestampLayer::new(secs(60)).with_clock(clock.clone());
    let service = stack!(clock, limit, tight, calls.handler());
    for id in 0..10 {
        let late = send(&service, from(1, genuine(id).at(support::NOW - 100).request())).await;
        assert_eq!((late.status.as_u16(), late.reason()), (401, "stale"), "{id}");
    }
    assert_eq!(send(&service, from(1, forged().request())).await.status, 401);
    assert_eq!(send(&service, from(1, genuine(11).request())).await.status, 429, "that was one");
}

#[tokio::test]
async fn a_flood_of_forgeries_does_not_touch_the_quota_of_a_verified_sender() {
    let (clock, calls) = (clock(), Calls::default());
    let senders = RateLimitLayer::new(Quota::per_hour(10), BySender, rates(&clock)).tell_senders().unwrap();
    let service = stack!(clock, by_address(Quota::per_hour(1_000), &clock).charge_failures(), senders, calls.handler());
    let left = |answer: &Answer| answer.headers.get("ratelimit").cloned();

    assert_eq!(left(&send(&service, from(1, genuine(0).request())).await).unwrap(), r#""hour";r=9;t=360"#);
    let (mut forged_seen, mut limited) = (0, 0);
    let request = forged().request();
    for _ in 0..100_000 {
        let answer = send(&service, from(2, request.clone())).await;
        match answer.status.as_u16() {
            401 => forged_seen += 1,
            429 => limited += 1,
            status => panic!("{status}"),
        }
        assert_eq!(left(&answer), None, "a stranger learns nothing of quotas");
    }
    assert_eq!((forged_seen, limited), (1_000, 99_000));
    assert_eq!(left(&send(&service, from(1, genuine(1).request())).await).unwrap(), r#""hour";r=8;t=720"#);
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn a_sender_pays_for_what_is_handled_and_not_for_duplicates() {
    let (clock, calls) = (clock(), Calls::default());
    let senders = RateLimitLayer::new(Quota::per_hour(2), BySender, rates(&clock));
    let service = stack!(clock, by_address(Quota::per_second(1000), &clock), senders, calls.handler());
    assert_eq!(send(&service, from(1, genuine(1).request())).await.status, 200);
    for _ in 0..10 {
        assert!(send(&service, from(1, genuine(1).request())).await.is_duplicate());
    }
    assert_eq!(send(&service, from(1, genuine(2).request())).await.status, 200);
    let limited = send(&service, from(1, genuine(3).request())).await;
    assert_eq!((limited.status.as_u16(), limited.headers["retry-after"].as_bytes()), (429, b"1800".as_slice()));
    assert_eq!(calls.count(), 2);
    clock.advance(secs(1800));
    let retry = genuine(3).at(support::NOW + 1800).request();
    assert_eq!(send(&service, from(1, retry)).await.status, 200, "it was not taken for handled");
}

#[tokio::test]
async fn senders_that_give_up_after_a_client_error_are_told_to_come_back() {
    for (retries, status, reason) in [
        (RetryOn::Unknown, 429, "rate_limited"),
        (RetryOn::Never, 429, "rate_limited"),
        (RetryOn::AnyFailure, 429, "rate_limited"),
        (RetryOn::ServerErrorsAndRateLimits, 429, "rate_limited"),
        (RetryOn::ServerErrors, 503, "throttled"),
    ] {
        let clock = clock();
        let profile = Profile::new("a provider", "https://provider.test").retries(retries, 1);
        let scheme = Scheme { profile, ..provider::STANDARD_WEBHOOKS };
        let service = ServiceBuilder::new()
            .layer(RenderRejectionsLayer::new())
            .layer(VerifySignatureLayer::new(support::verifier(scheme)).with_clock(clock.clone()))
            .layer(RateLimitLayer::new(Quota::per_hour(1), (BySender, ByRoute), rates(&clock)))
            .service(Calls::default().handler());
        assert_eq!(send(&service, genuine(1).request()).await.status, 200, "{retries:?}");
        let refused = send(&service, genuine(2).request()).await;
        assert_eq!((refused.status.as_u16(), refused.reason()), (status, reason), "{retries:?}");
        assert_eq!(refused.headers["retry-after"], "3600", "{retries:?}");
    }
}

#[tokio::test]
async fn strangers_may_be_told_to_come_back_as_well() {
    let clock = clock();
    let limit = by_address(Quota::per_hour(1), &clock).say_unavailable();
    let service = stack!(clock, limit, unlimited(&clock), Calls::default().handler());
    assert_eq!(send(&service, from(1, genuine(1).request())).await.status, 200);
    let refused = send(&service, from(1, genuine(2).request())).await;
    assert!(refused.asks_to_retry(), "{refused:?}");
    assert_eq!((refused.reason(), refused.headers["retry-after"].as_bytes()), ("throttled", &b"3600"[..]));
}

#[tokio::test]
async fn waits_of_less_than_a_second_are_a_second() {
    for quota in [Quota::per_second(10), Quota::per_second(1_000_000), Quota::per_minute(61)] {
        let clock = clock();
        let service =
            stack!(clock, by_address(quota.allow_burst(1), &clock), unlimited(&clock), Calls::default().handler());
        assert_eq!(send(&service, from(1, genuine(1).request())).await.status, 200);
        let limited = send(&service, from(1, genuine(2).request())).await;
        assert_eq!(limited.headers["retry-after"], "1", "{quota:?}");
    }
}

#[tokio::test]
async fn jitter_spreads_those_who_were_refused_together() {
    let clock = clock();
    let limit = by_address(Quota::per_hour(1), &clock).jitter(secs(60));
    let service = stack!(clock, limit, unlimited(&clock), Calls::default().handler());
    assert_eq!(send(&service, from(1, genuine(0).request())).await.status, 200);
    let mut waits = Vec::new();
    for id in 1..100 {
        let answer = send(&service, from(1, genuine(id).request())).await;
        let Some(Rejection::RateLimited { retry_after }) = answer.rejection else { panic!("{answer:?}") };
        assert!((secs(3600)..=secs(3660)).contains(&retry_after), "{retry_after:?}");
        waits.push(retry_after);
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 50, "{} of 99 waits differ", waits.len());
}

#[tokio::test]
async fn several_quotas_hold_together() {
    let (clock, calls) = (clock(), Calls::default());
    let limit = by_address([Quota::per_second(10), Quota::per_hour(25)], &clock);
    let service = stack!(clock, limit, unlimited(&clock), calls.handler());
    for (second, expected) in [(0, 10), (1, 10), (2, 5), (3, 0)] {
        let before = calls.count();
        for id in 0..20 {
            send(&service, from(1, genuine(second * 100 + id).request())).await;
        }
        assert_eq!(calls.count() - before, expected, "second {second}");
        clock.advance(secs(1));
    }
}

#[tokio::test]
async fn a_request_may_count_as_several_or_as_none() {
    let (clock, calls) = (clock(), Calls::default());
    let cost = |request: &Request<Verified>| request.body().delivery().id().map_or(1, |id| id.len() as u32 - 5);
    let limit = RateLimitLayer::new(Quota::per_hour(10), BySender, rates(&clock)).cost(cost);
    let service = stack!(clock, by_address(Quota::per_second(1000), &clock), limit, calls.handler());
    // The id, what its length costs, the answer.
    for (id, cost, status) in [
        ("msg_a", 0, 200),
        ("msg_abcdefgh", 7, 200),
        ("msg_abcde", 4, 429),
        ("msg_abcd", 3, 200),
        ("msg_b", 0, 200),
        ("msg_ab", 1, 429),
    ] {
        assert_eq!(id.len() - 5, cost);
        assert_eq!(send(&service, from(1, Sent::standard(id).request())).await.status, status, "{id}");
    }
}

#[tokio::test]
async fn senders_are_told_what_is_left_in_each_answer() {
    let (clock, calls) = (clock(), Calls::default());
    let quotas = [Quota::per_minute(2), Quota::per_day(1000).named("daily")];
    let limit = RateLimitLayer::new(quotas, BySender, rates(&clock)).tell_senders().unwrap();
    let service = stack!(clock, by_address(Quota::per_second(1000), &clock), limit, calls.handler());
    for (what, id, status, left) in [
        ("handled", 1, 200, r#""minute";r=1;t=30, "daily";r=999;t=87"#),
        ("duplicate", 1, 200, r#""minute";r=1;t=30, "daily";r=999;t=87"#),
        ("handled", 2, 200, r#""minute";r=0;t=60, "daily";r=998;t=173"#),
        ("limited", 3, 429, r#""minute";r=0;t=60, "daily";r=998;t=173"#),
    ] {
        let answer = send(&service, from(1, genuine(id).request())).await;
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.headers["ratelimit-policy"], r#""minute";q=2;w=60, "daily";q=1000;w=86400"#, "{what}");
        assert_eq!(answer.headers["ratelimit"], left, "{what}");
    }
    let silent = stack!(clock, by_address(Quota::per_second(1000), &clock), unlimited(&clock), calls.handler());
    let answer = send(&silent, from(1, genuine(4).request())).await;
    assert!(!answer.headers.contains_key("ratelimit") && !answer.headers.contains_key("ratelimit-policy"));
}

#[tokio::test]
async fn who_hangs_up_has_failed_unless_the_request_was_genuine() {
    let cases: [(&str, bool, bool); 2] =
        [("while the body is awaited", false, true), ("while the handler runs", true, false)];
    for (when, is_whole, is_charged) in cases {
        let clock = clock();
        let limit = by_address(Quota::per_hour(1), &clock).charge_failures();
        let slow = service_fn(|request: Request<Verified>| async move {
            if request.body().delivery().id() == Some("msg_1") {
                std::future::pending::<()>().await;
            }
            Ok::<_, std::convert::Infallible>(with_status(200))
        });
        let service = stack!(clock, limit, unlimited(&clock), slow);
        let body = Arriving { whole: is_whole.then(|| Bytes::from_static(br#"{"type":"ping","n":1}"#)) };
        let mut hung_up = Box::pin(start(&mut service.clone(), from(1, genuine(1).with_body(body))).await);
        assert!(support::poll(hung_up.as_mut()).is_pending(), "{when}");
        drop(hung_up);
        let next = genuine(2).with_body(Arriving { whole: Some(Bytes::from_static(br#"{"type":"ping","n":1}"#)) });
        assert_eq!(send(&service, from(1, next)).await.status == 429, is_charged, "{when}");
    }
}

#[tokio::test]
async fn nobody_pays_for_the_servers_own_errors() {
    #[derive(Debug)]
    struct Broken;
    let clock = clock();
    let layer = by_address(Quota::per_hour(1), &clock).charge_if(|answer| answer.status == 404);
    let answering = |status: Option<u16>| {
        layer.layer(service_fn(move |_: Request<Body>| async move { status.map(with_status).ok_or(Broken) }))
    };
    let request = || from(1, Request::new(Body::default()));
    for _ in 0..3 {
        answering(None).oneshot(request()).await.unwrap_err();
        assert_eq!(send(&answering(Some(500)), request()).await.status, 500);
    }
    assert_eq!(send(&answering(Some(404)), request()).await.status, 404);
    assert_eq!(send(&answering(Some(200)), request()).await.status, 429);
}

#[tokio::test]
async fn two_limits_on_failures_both_know_what_was_genuine() {
    let (clock, calls) = (clock(), Calls::default());
    let inner = by_address(Quota::per_hour(1), &clock).charge_failures();
    let outer = by_address(Quota::per_hour(1), &clock).charge_failures();
    let service = outer.layer(stack!(clock, inner, unlimited(&clock), calls.answering(|_| std::future::pending())));
    for id in 0..3 {
        let mut hung_up = Box::pin(start(&mut service.clone(), from(1, genuine(id).request())).await);
        assert!(support::poll(hung_up.as_mut()).is_pending());
        drop(hung_up);
    }
    assert_eq!(calls.count(), 3);
}

#[tokio::test]
async fn a_store_that_answers_later_makes_no_difference() {
    let (clock, calls) = (clock(), Calls::default());
    let outside = RateLimitLayer::new(Quota::per_hour(2), ClientAddr::new(), Later(rates(&clock))).charge_failures();
    let inside = RateLimitLayer::new(Quota::per_hour(2), BySender, Later(rates(&clock))).tell_senders().unwrap();
    let service = stack!(clock, outside, inside, calls.handler());
    let mut answers = Vec::new();
    for sent in [genuine(1), genuine(1), genuine(2), genuine(3), forged(), forged(), forged()] {
        answers.push(send(&service, from(1, sent.request())).await.status.as_u16());
        // Charges and refunds are not waited for.
        support::let_others_run().await;
    }
    assert_eq!(answers, [200, 200, 200, 429, 401, 401, 429]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_lets_through_unless_told_otherwise() {
    for answer in [Some(StoreError::Unavailable), Some(StoreError::Full), None] {
        let (clock, calls) = (clock(), Calls::default());
        let layer = || RateLimitLayer::new(Quota::per_hour(1), ClientAddr::new(), Failing(answer));
        let service = stack!(clock, layer(), unlimited(&clock), calls.handler());
        for id in 0..3 {
            assert_eq!(send(&service, from(1, genuine(id).request())).await.status, 200, "{answer:?}");
        }
        let service = stack!(clock, layer().refuse_when_unavailable(), unlimited(&clock), calls.handler());
        let refused = send(&service, from(1, genuine(3).request())).await;
        assert!(refused.asks_to_retry(), "{answer:?}");
        assert_eq!((refused.reason(), calls.count()), ("store_unavailable", 3), "{answer:?}");
    }
}

#[tokio::test]
async fn accounts_are_apart_by_route_sender_and_scope() {
    use axum::{Router, body::Body, routing::post};
    let clock = clock();
    let store = rates(&clock);
    let limit = |scope: &str| RateLimitLayer::new(Quota::per_hour(1), (BySender, ByRoute), store.clone()).scope(scope);
    let verifier = || support::verifier_with(provider::STANDARD_WEBHOOKS, [support::SECRET, support::OLD_SECRET]);
    let app = |scope: &str| -> Router {
        let layers = ServiceBuilder::new()
            .layer(RenderRejectionsLayer::new())
            .layer(VerifySignatureLayer::new(verifier()).with_clock(clock.clone()))
            .layer(limit(scope));
        let handler = || async {};
        Router::new().route("/a/{tenant}", post(handler)).route("/b", post(handler)).layer(layers)
    };
    let (one, other) = (app("one"), app("other"));
    for (what, app, path, secret, status) in [
        ("first", &one, "/a/1", support::SECRET, 200),
        ("the same route", &one, "/a/2", support::SECRET, 429),
        ("another route", &one, "/b", support::SECRET, 200),
        ("another sender", &one, "/a/1", support::OLD_SECRET, 200),
        ("another scope", &other, "/a/1", support::SECRET, 200),
        ("the same again", &other, "/a/3", support::SECRET, 429),
    ] {
        let mut request = genuine(1).signed_with(&[secret]).request().map(Body::new);
        *request.uri_mut() = path.parse().unwrap();
        let answer: Response<Body> = app.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{what}");
    }
}

#[tokio::test]
async fn without_axum_each_path_is_a_route() {
    let clock = clock();
    let service = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(support::verifier(provider::GITHUB)).with_clock(clock.clone()))
        .layer(RateLimitLayer::new(Quota::per_hour(1), ByRoute, rates(&clock)))
        .layer(RejectReplayLayer::new(MemoryNonceStore::new()))
        .service(Calls::default().handler());
    for (path, status) in [("/a", 200), ("/b", 200), ("/a?again", 429)] {
        let mut request = Sent::github("1", path).request();
        *request.uri_mut() = path.parse().unwrap();
        assert_eq!(send(&service, request).await.status, status, "{path}");
    }
}

/// A body that comes at once or never.
struct Arriving {
    whole: Option<Bytes>,
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        match self.whole.take() {
            Some(bytes) if bytes.is_empty() => Poll::Ready(None),
            Some(bytes) => {
                self.whole = Some(Bytes::new());
                Poll::Ready(Some(Ok(http_body::Frame::data(bytes))))
            }
            None => Poll::Pending,
        }
    }
}

/// A store in memory that answers at the second poll.
#[derive(Clone)]
struct Later(MemoryRateStore);

impl RateStore for Later {
    type Check = Pin<Box<dyn Future<Output = Result<Standing, StoreError>> + Send>>;

    fn check(&self, key: RateKey, quotas: &Quotas, charge: Charge) -> Self::Check {
        let (store, quotas) = (self.0.clone(), *quotas);
        Box::pin(async move {
            tokio::task::yield_now().await;
            store.check(key, &quotas, charge).await
        })
    }
}

/// A store that answers so, or never.
#[derive(Clone)]
struct Failing(Option<StoreError>);

impl RateStore for Failing {
    type Check = Pin<Box<dyn Future<Output = Result<Standing, StoreError>> + Send>>;

    fn check(&self, _: RateKey, _: &Quotas, _: Charge) -> Self::Check {
        match self.0 {
            Some(error) => Box::pin(std::future::ready(Err(error))),
            None => Box::pin(std::future::pending()),
        }
    }
}
