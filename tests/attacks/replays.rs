//! Replays and retries: group N of the catalogue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::join_all;
use http::StatusCode;
use tower_webhook::{
    ConfigError,
    clock::{Clock, ManualClock, UnixTime},
    layer::WebhookLayer,
    provider,
    scheme::Scheme,
    store::{MemoryNonceStore, NonceStore, ReplayKey, Token},
};

use crate::{
    deliveries::{BODY, NOW, Provider, STANDARD_SECRET, github, standard, stripe, stripe_signature},
    server::{Act, LEASE, Outcome::*, Seen, Site, TOLERANCE, assert_is_refusal},
    wire::{Connection, Raw, Reply, exchange},
};

fn base() -> Raw {
    Provider::Standard.base()
}

/// The same delivery as the base request, signed anew, as providers retry.
fn retry() -> Raw {
    standard("msg_1", (NOW + 7).to_string(), BODY)
}

const ZEROS: &str = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn assert_is_duplicate(case: &str, reply: &Reply) {
    assert_eq!((reply.status.as_u16(), reply.header("webhook-replay")), (200, Some("duplicate")), "{case}: {reply:?}");
    assert!(reply.body.is_empty(), "{case}: {reply:?}");
}

/// Whether the answer sends the sender back for as long as somebody else may hold the delivery.
fn assert_is_in_progress(case: &str, reply: &Reply) {
    let words = r#"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"delivery_in_progress"}"#;
    assert_eq!((reply.status.as_u16(), &reply.body[..]), (503, words.as_bytes()), "{case}: {reply:?}");
    let wait: u64 = reply.header("retry-after").and_then(|wait| wait.parse().ok()).unwrap();
    assert!((1..=LEASE.as_secs()).contains(&wait), "{case}: {wait}");
}

#[tokio::test]
async fn what_is_not_signed_makes_no_delivery_another() {
    let good = base().value("webhook-signature");
    let bad_stripe = "v1=".to_owned() + &"0".repeat(64);
    let good_stripe = "v1=".to_owned() + &stripe_signature("1800000000", BODY.as_bytes());
    let stripe_header = |header: String| Provider::Stripe.base().set("stripe-signature", header);
    let signature = |value: String| base().set("webhook-signature", value);
    let (standard, github, stripe) = (Provider::Standard, Provider::GitHub, Provider::Stripe);
    for (case, provider, request) in [
        ("N-04 the same again", standard, base()),
        ("N-04 the same again, G", github, github.base()),
        ("N-04 the same again, T", stripe, stripe.base()),
        ("N-01 another unsigned id", github, github.base().set("x-github-delivery", "d-2")),
        ("N-01 no unsigned id", github, github.base().without("x-github-delivery")),
        ("N-01 another unsigned event", github, github.base().set("x-github-event", "push")),
        ("N-03 other order of headers", standard, base().reversed()),
        ("N-03 other headers beside", standard, base().header("Date", "x").header("User-Agent", "y")),
        ("N-03 no content type", standard, base().without("content-type")),
        ("N-03 another target", standard, base().target("/hook?again=1")),
        ("N-03 one more signature", standard, signature(format!("{good} {ZEROS}"))),
        ("N-03 one more signature in front", standard, signature(format!("{ZEROS} {good}"))),
        ("N-03 the same signature twice", standard, signature(format!("{good} {good}"))),
        ("N-03 a version that nobody knows", standard, signature(format!("v9,new {good}"))),
        ("N-03 blanks", standard, signature(format!("  {good}  "))),
        ("N-03 the other family of headers", standard, base().rename(|name| name.replace("webhook-", "svix-"))),
        ("N-03 in chunks", standard, base().chunked(3)),
        ("N-03 with trailers", standard, base().with_trailers("webhook-id: msg_2\r\n")),
        ("N-03 other order of fields", stripe, stripe_header(format!("{good_stripe},t=1800000000"))),
        ("N-03 one more field", stripe, stripe_header(format!("t=1800000000,v0=0,{good_stripe}"))),
        (
            "N-03 one more field that is a signature",
            stripe,
            stripe_header(format!("t=1800000000,{bad_stripe},{good_stripe}")),
        ),
    ] {
        let site = Site::start(provider).await;
        let first = site.send(&provider.base()).await;
        site.judge(case, &provider.base(), Some(&first), Handled);
        assert_is_duplicate(case, &site.send(&request).await);
        assert_eq!((site.calls(), site.nonces.len()), (1, 1), "{case}");
        site.assert_still_serves(case).await;
    }
}

#[tokio::test]
async fn a_signed_id_names_the_delivery_and_an_unsigned_one_does_not() {
    let other_body = r#"{"type":"pong"}"#;
    for (case, provider, second, calls) in [
        ("N-02 another body under the same unsigned id", Provider::GitHub, github("d-1", other_body), 2),
        (
            "N-23 another body under the same signed id",
            Provider::Standard,
            standard("msg_1", "1800000000", other_body),
            1,
        ),
        ("N-23 another time under the same signed id", Provider::Standard, retry(), 1),
        ("another signed id", Provider::Standard, standard("msg_2", "1800000000", BODY), 2),
        ("another time where no id is signed", Provider::Stripe, stripe("1800000001", BODY), 2),
    ] {
        let site = Site::start(provider).await;
        assert_eq!(site.send(&provider.base()).await.status, 200, "{case}");
        let reply = site.send(&second).await;
        assert_eq!((site.calls(), site.nonces.len()), (calls, calls), "{case}");
        match calls {
            1 => assert_is_duplicate(case, &reply),
            _ => assert!(Seen::of(&reply).is_body(second.content()), "{case}"),
        }
        site.assert_still_serves(case).await;
    }

    // Stripe signs no header with an id, but the body that it is in.
    let site = Site::start(Provider::Stripe).await;
    let event = r#"{"id":"evt_1","type":"charge.failed"}"#;
    assert_eq!(site.send(&stripe("1800000000", event)).await.status, 200);
    assert_is_duplicate("N-23 a signed id in the body", &site.send(&stripe("1800000009", event)).await);
    assert_eq!(site.calls(), 1);
}

#[tokio::test]
async fn of_a_hundred_copies_at_once_one_is_handled() {
    let site = Site::start(Provider::Standard).await;
    site.handler.next(Act::Hold);
    let (request, copies) = (base(), 100);
    let all = join_all((0..copies).map(|_| site.send(&request)));
    let release = async {
        site.until("all but one are refused", |site| site.handler.rejections() == copies - 1).await;
        assert_eq!((site.calls(), site.nonces.len()), (1, 1), "N-05");
        site.handler.release();
    };
    let (replies, ()) = tokio::join!(all, release);
    let (handled, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((handled.len(), refused.len()), (1, copies - 1), "N-05");
    assert!(Seen::of(handled[0]).is_body(request.content()), "N-05");
    refused.iter().for_each(|reply| assert_is_in_progress("N-05", reply));
    assert_is_duplicate("N-05 afterwards", &site.send(&request).await);
    assert_eq!(site.calls(), 1, "N-05");
    site.assert_still_serves("N-05").await;
}

#[tokio::test]
async fn a_retry_while_the_first_is_handled_is_sent_back() {
    let site = Site::start(Provider::Standard).await;
    site.handler.next(Act::Hold);
    let mut first = Connection::open(site.address).await;
    first.send(base().bytes()).await;
    site.until("the handler runs", |site| site.handler.running() == 1).await;
    assert_is_in_progress("N-19", &site.send(&retry()).await);
    site.handler.release();
    assert!(Seen::of(&first.reply().await.unwrap()).is_body(BODY.as_bytes()), "N-19");
    assert_is_duplicate("N-19 afterwards", &site.send(&retry()).await);
    assert_eq!((site.calls(), site.nonces.len()), (1, 1), "N-19");
    site.assert_still_serves("N-19").await;
}

#[tokio::test]
async fn forgeries_reserve_nothing() {
    let site = Site::start(Provider::Standard).await;
    let forged = base().set("webhook-signature", ZEROS);
    let mut connection = Connection::open(site.address).await;
    for n in 0..1000 {
        let reply = connection.exchange(&forged).await;
        site.judge(&format!("N-07 {n}"), &forged, reply.as_ref(), Refused(401));
    }
    site.assert_still_serves("N-07").await;
}

#[tokio::test]
async fn a_full_store_refuses_and_forgets_nothing() {
    const CAPACITY: usize = 100;
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let nonces = MemoryNonceStore::with_capacity(CAPACITY).with_clock(clock.clone());
    let site = Site::with(Provider::Standard, |builder| builder.with_clock(clock.clone()).replay(nonces.clone())).await;
    let delivery = |n: usize, time: u64| standard(format!("msg_{n}"), time.to_string(), BODY);

    let mut connection = Connection::open(site.address).await;
    for n in 0..CAPACITY {
        let reply = connection.exchange(&delivery(n, NOW)).await.unwrap();
        assert_eq!(reply.status, 200, "N-10 {n}");
    }
    let reply = connection.exchange(&delivery(CAPACITY, NOW)).await.unwrap();
    assert_is_refusal("N-10 one too many", &base(), &reply);
    assert_eq!((reply.status.as_u16(), site.handler.last_reason()), (503, Some("store_full")), "N-10");
    for n in 0..CAPACITY {
        assert_is_duplicate("N-10", &connection.exchange(&delivery(n, NOW)).await.unwrap());
    }
    assert_eq!((site.calls(), nonces.len()), (CAPACITY, CAPACITY), "N-10");

    // Nothing of it is accepted any more, so all of it may be forgotten; and a little later it is.
    let later = 2 * TOLERANCE + 10;
    clock.advance(Duration::from_secs(later));
    let reply = connection.exchange(&delivery(CAPACITY, NOW + later)).await.unwrap();
    assert_eq!((reply.status.as_u16(), site.calls()), (200, CAPACITY + 1), "N-10");
}

#[tokio::test]
async fn a_delivery_is_remembered_as_long_as_it_is_accepted() {
    let site = Site::start(Provider::Standard).await;
    let early = standard("msg_1", (NOW + TOLERANCE).to_string(), BODY);
    assert_eq!(site.send(&early).await.status, 200, "N-11");
    for (after, expected) in [(0, 200), (1, 200), (300, 200), (599, 200), (600, 200), (601, 401), (3600, 401)] {
        site.clock.advance(UnixTime::from_secs(NOW + after).since(site.clock.now().unwrap()));
        let reply = site.send(&early).await;
        assert_eq!((reply.status.as_u16(), site.calls()), (expected, 1), "N-11 after {after} s");
    }

    // Times are in whole seconds, so the last of them lasts until it is over, even if retention was counted without it.
    for retention in [600, 601, 100_000].map(Duration::from_secs) {
        let site = Site::with(Provider::Standard, |builder| builder.retention(retention)).await;
        assert_eq!(site.send(&early).await.status, 200, "N-11");
        site.clock.advance(Duration::from_millis(600_999));
        assert_is_duplicate("N-11 at the end of the last second", &site.send(&early).await);
    }
}

#[test]
fn a_memory_shorter_than_the_window_is_not_built() {
    for (retention, expected) in [(0, false), (300, false), (599, false), (600, true), (3600, true)] {
        let given = Duration::from_secs(retention);
        let built = WebhookLayer::builder(Provider::Standard.verifier()).retention(given).build();
        match built {
            Ok(_) => assert!(expected, "N-12 {retention} s"),
            Err(error) => {
                let needed = Duration::from_secs(2 * TOLERANCE);
                assert_eq!(error, ConfigError::RetentionTooShort { given, needed }, "N-12 {retention} s");
                assert!(!expected, "N-12 {retention} s");
            }
        }
    }
}

/// Counts what it is asked.
#[derive(Clone)]
struct Counting {
    store: MemoryNonceStore,
    asked: Arc<[AtomicUsize; 3]>,
}

impl NonceStore for Counting {
    type Reserve = <MemoryNonceStore as NonceStore>::Reserve;
    type Settle = <MemoryNonceStore as NonceStore>::Settle;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        self.asked[0].fetch_add(1, SeqCst);
        self.store.reserve(key, token, lease)
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        self.asked[1].fetch_add(1, SeqCst);
        self.store.commit(key, token, retention)
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        self.asked[2].fetch_add(1, SeqCst);
        self.store.release(key, token)
    }
}

#[tokio::test]
async fn the_store_that_was_given_is_the_one_that_is_asked() {
    let store = Counting { store: MemoryNonceStore::new(), asked: Arc::default() };
    let site = Site::with_routes(Provider::Standard, |routes, builder| {
        routes.layer(builder.replay(store.clone()).build().unwrap())
    })
    .await;
    let asked = || store.asked.each_ref().map(|asked| asked.load(SeqCst));

    let forged = base().set("webhook-signature", ZEROS);
    assert_eq!(site.send(&forged).await.status, 401, "N-13");
    assert_eq!(asked(), [0, 0, 0], "N-13 before proof");
    assert_eq!(site.send(&base()).await.status, 200, "N-13");
    assert_is_duplicate("N-13", &site.send(&base()).await);
    assert_eq!(asked(), [2, 1, 0], "N-13 reserve, commit, release");
    site.handler.next(Act::Answer(StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(site.send(&standard("msg_2", "1800000000", BODY)).await.status, 500, "N-13");
    assert_eq!(asked(), [3, 1, 1], "N-13 reserve, commit, release");
    assert_eq!((site.calls(), site.nonces.len()), (2, 0), "N-13: the other store is not asked");
}

#[tokio::test]
async fn endpoints_that_share_a_store_do_not_collide() {
    const COLONS: Scheme<'static> = Scheme { id_extra: ":", ..provider::STANDARD_WEBHOOKS };
    for (case, first, second, calls) in [
        ("N-16 joined alike", ("a", "b:c"), ("a:b", "c"), 2),
        ("N-16 joined alike, without a separator", ("a", "bc"), ("ab", "c"), 2),
        ("N-16 scope for id", ("a", "b"), ("b", "a"), 2),
        ("N-16 no scope", ("", "a:b"), ("a", "b"), 2),
        ("N-16 the same event at two endpoints", ("a", "b"), ("c", "b"), 2),
        ("N-16 the same event at one endpoint", ("a", "b"), ("a", "b"), 1),
    ] {
        let nonces = MemoryNonceStore::new();
        let mut handled = 0;
        for (scope, id) in [first, second] {
            let clock = ManualClock::at(UnixTime::from_secs(NOW));
            let verifier = COLONS.verifier(STANDARD_SECRET).unwrap();
            let layer = WebhookLayer::builder(verifier).with_clock(clock).replay(nonces.clone()).scope(scope);
            let site = Site::with_routes(Provider::Standard, |routes, _| routes.layer(layer.build().unwrap())).await;
            assert_eq!(site.send(&standard(id, "1800000000", BODY)).await.status, 200, "{case}");
            handled += site.calls();
        }
        assert_eq!((handled, nonces.len()), (calls, calls), "{case}");
    }
}

#[tokio::test]
async fn after_a_failure_the_retry_is_handled() {
    for (case, act, expected) in [
        ("N-18 500", Act::Answer(StatusCode::INTERNAL_SERVER_ERROR), Some(500)),
        ("N-18 404", Act::Answer(StatusCode::NOT_FOUND), Some(404)),
        ("N-18 302", Act::Answer(StatusCode::FOUND), Some(302)),
        ("N-18 409", Act::Answer(StatusCode::CONFLICT), Some(409)),
        ("N-18 too late", Act::Sleep, Some(503)),
        // Nothing catches it, so the connection ends.
        ("N-18 a panic", Act::Panic, None),
    ] {
        let timeout = Duration::from_millis(200);
        let site = Site::with(Provider::Standard, |builder| builder.handler_timeout(timeout, LEASE).unwrap()).await;
        site.handler.next(act);
        let reply = exchange(site.address, &base()).await;
        assert_eq!(reply.as_ref().map(|reply| reply.status.as_u16()), expected, "{case}");
        if let (Act::Answer(_), Some(reply)) = (act, &reply) {
            assert!(Seen::of(reply).is_body(BODY.as_bytes()), "{case}: the handler's answer is as it was");
        }
        assert_eq!((site.calls(), site.nonces.len(), site.handler.running()), (1, 0, 0), "{case}");

        let reply = site.send(&retry()).await;
        assert!(Seen::of(&reply).is_body(BODY.as_bytes()), "{case}");
        assert_eq!((site.calls(), site.nonces.len()), (2, 1), "{case}");
        assert_is_duplicate(case, &site.send(&retry()).await);
        site.assert_still_serves(case).await;
    }
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_dropped_before_its_lease_ends() {
    let timeout = Duration::from_millis(300);
    let site = Site::with(Provider::Standard, |builder| builder.handler_timeout(timeout, LEASE).unwrap()).await;
    site.handler.next(Act::Sleep);
    let mut first = Connection::open(site.address).await;
    first.send(base().bytes()).await;
    site.until("the handler runs", |site| site.handler.running() == 1).await;
    assert_is_in_progress("N-20 meanwhile", &site.send(&retry()).await);

    let reply = first.reply().await.unwrap();
    assert_is_refusal("N-20", &base(), &reply);
    assert_eq!((reply.status.as_u16(), site.handler.last_reason()), (503, Some("handler_timeout")), "N-20");
    assert_eq!((site.handler.running(), site.nonces.len()), (0, 0), "N-20");
    assert_eq!(site.send(&retry()).await.status, 200, "N-20");
    assert_eq!((site.calls(), site.handler.most_running()), (2, 1), "N-20");
    site.assert_still_serves("N-20").await;
}
