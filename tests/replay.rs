//! Nothing twice: what is a replay, and for how long it is known as one.

mod support;

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use support::{
    Calls, MockStore, NOW, OLD_SECRET, SECRET, Sent, TokioClock, builder, clock, memory, secs, send, stack, verifier,
    verifier_with, with_status,
};
use tokio::{sync::Semaphore, task::JoinSet};
use tower::{Layer, ServiceBuilder, limit::ConcurrencyLimit};
use tower_webhook::{
    ConfigError,
    body::Verified,
    key::{Key, KeyRing, Secret},
    layer::{RejectReplayLayer, VerifySignatureLayer, WebhookLayer},
    provider,
    scheme::{Tolerance, Verifier},
    store::MemoryNonceStore,
};

#[tokio::test]
async fn a_replay_is_answered_without_the_handler() {
    let (clock, calls) = (clock(), Calls::default());
    let store = MockStore::new(memory(&clock));
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(calls.handler());
    let first = send(&service, Sent::standard("msg_1").request()).await;
    assert_eq!((first.status.as_u16(), &first.body[..]), (200, &b"from the handler"[..]));
    assert!(!first.is_duplicate());
    for (what, sent) in [
        ("the same bytes", Sent::standard("msg_1")),
        ("signed again later", Sent::standard("msg_1").at(NOW + 7)),
        ("unsigned headers changed", Sent::standard("msg_1").header("user-agent", "other").header("date", "now")),
        ("a signature added", {
            let signature = Sent::standard("msg_1").headers()["webhook-signature"].to_str().unwrap().to_owned();
            Sent::standard("msg_1").header("webhook-signature", &format!("v1,AAAA {signature} v2,BBBB"))
        }),
        ("the other family of headers", as_svix(&Sent::standard("msg_1"))),
    ] {
        let answer = send(&service, sent.request()).await;
        assert!(answer.is_duplicate() && answer.body.is_empty(), "{what}: {answer:?}");
        assert_eq!(answer.reason(), "replayed", "{what}");
    }
    assert_eq!(calls.count(), 1);
    assert_eq!(store.asked(), [6, 1, 0], "reserved each time, committed once, never released");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_at_once_one_is_handled() {
    let (clock, calls, gate) = (clock(), Calls::default(), Arc::new(Semaphore::new(0)));
    let handler = calls.answering({
        let gate = Arc::clone(&gate);
        move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                with_status(200)
            }
        }
    });
    let service = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).build().unwrap().layer(handler);
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let service = service.clone();
        requests.spawn(async move { send(&service, Sent::standard("msg_1").request()).await });
    }
    for _ in 0..99 {
        let answer = requests.join_next().await.unwrap().unwrap();
        assert!(answer.asks_to_retry(), "{answer:?}");
        assert_eq!(answer.reason(), "in_progress");
    }
    gate.add_permits(1);
    let answer = requests.join_next().await.unwrap().unwrap();
    assert!(answer.status == 200 && !answer.is_duplicate(), "{answer:?}");
    assert!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate());
    assert_eq!(calls.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn duplicates_that_arrive_while_the_first_one_ends_are_handled_once() {
    for round in 0..50 {
        let (clock, calls) = (clock(), Calls::default());
        let service = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).build().unwrap().layer(
            calls.answering(|_| async {
                tokio::task::yield_now().await;
                with_status(200)
            }),
        );
        let answers = futures_util::future::join_all((0..20).map(|_| {
            let service = service.clone();
            tokio::spawn(async move { send(&service, Sent::standard("msg_1").request()).await })
        }))
        .await;
        let handled = answers
            .into_iter()
            .map(Result::unwrap)
            .filter(|answer| !answer.asks_to_retry() && !answer.is_duplicate())
            .inspect(|answer| assert_eq!(answer.status, 200))
            .count();
        assert_eq!((handled, calls.count()), (1, 1), "round {round}");
    }
}

#[tokio::test]
async fn a_delivery_is_remembered_as_long_as_it_is_accepted() {
    // Signed so far from now; and the milliseconds after which it is answered so.
    for (signed, moments) in [
        (
            300,
            &[
                (0, "handled"),
                (0, "replayed"),
                (599_000, "replayed"),
                (600_000, "replayed"),
                (600_999, "replayed"),
                (601_000, "stale"),
            ][..],
        ),
        (0, &[(0, "handled"), (300_999, "replayed"), (301_000, "stale")]),
        (-300, &[(0, "handled"), (999, "replayed"), (1000, "stale")]),
        (-300, &[(999, "handled"), (999, "replayed"), (1000, "stale")]),
        (
            301,
            &[
                (0, "from_the_future"),
                (1000, "handled"),
                (601_000, "replayed"),
                (601_999, "replayed"),
                (602_000, "stale"),
            ],
        ),
        (-301, &[(0, "stale")]),
    ] {
        for retention in [None, Some(600), Some(100_000)] {
            let (clock, calls) = (clock(), Calls::default());
            let builder = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock);
            let builder = match retention {
                Some(retention) => builder.retention(secs(retention)),
                None => builder,
            };
            let service = builder.build().unwrap().layer(calls.handler());
            let sent = Sent::standard("msg_1").at(NOW.saturating_add_signed(signed));
            let mut passed = 0;
            for (millis, expected) in moments {
                clock.advance(Duration::from_millis(millis - passed));
                passed = *millis;
                let answer = send(&service, sent.request()).await;
                let said = if answer.rejection.is_none() { "handled" } else { answer.reason() };
                assert_eq!(said, *expected, "signed at {signed}, sent at {millis} ms");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_dawdles_is_remembered_as_long_as_it_takes() {
    // Begun while its time is still accepted, and done when the delivery would have been forgotten.
    let millis = Duration::from_millis;
    for (place, body_takes, other_takes) in
        [("sending its body", millis(4000), millis(0)), ("waiting for room", millis(500), millis(14_000))]
    {
        let calls = Calls::default();
        let handler = calls.answering(move |call| async move {
            if call == 2 {
                tokio::time::sleep(other_takes).await;
            }
            with_status(200)
        });
        let service = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS))
            .with_clock(TokioClock::new())
            .replay(MemoryNonceStore::new().with_clock(TokioClock::new()))
            .build()
            .unwrap()
            .layer(ConcurrencyLimit::new(handler, 1));
        let deliver = |sent: Sent, takes| {
            let frame = async move {
                tokio::time::sleep(takes).await;
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(br#"{"type":"ping","n":1}"#)))
            };
            let request = sent.with_body(StreamBody::new(stream::once(Box::pin(frame))));
            let service = service.clone();
            tokio::spawn(async move { send(&service, request).await })
        };
        let ahead = Sent::standard("msg_1").at(NOW + 300);
        assert_eq!(deliver(ahead.clone(), millis(0)).await.unwrap().status, 200);
        tokio::time::sleep(secs(600)).await;
        let replay = deliver(ahead, body_takes);
        tokio::time::sleep(millis(100)).await;
        let other = deliver(Sent::standard("msg_2").at(NOW + 600), millis(0));
        assert_eq!(other.await.unwrap().status, 200);
        let replay = replay.await.unwrap();
        assert!(replay.rejection.is_some(), "handled again after {place}: {replay:?}");
        assert_eq!(calls.count(), 2, "{place}");
    }
}

#[tokio::test]
async fn a_retention_shorter_than_the_window_is_never_in_force() {
    for (past, future) in [(300, 300), (3600, 60), (60, 3600), (300, 0), (0, 300)] {
        let verifier = || {
            let tolerance = Tolerance { past: secs(past), future: secs(future) };
            Verifier::builder(provider::STANDARD_WEBHOOKS).tolerances(tolerance).build(SECRET).unwrap()
        };
        let needed = secs(past + future);
        let short = needed - Duration::from_nanos(1);
        for (given, is_enough) in [
            (Duration::ZERO, false),
            (secs(1), false),
            (short, false),
            (needed, true),
            (needed + secs(1), true),
            (Duration::MAX, true),
        ] {
            let built = WebhookLayer::builder(verifier()).retention(given).build();
            let expected = (!is_enough).then_some(ConfigError::RetentionTooShort { given, needed });
            assert_eq!(built.err(), expected, "{past} + {future}: {given:?}");
        }
        // Composed by hand, nobody is asked, so the retention is extended.
        for retention in [None, Some(Duration::ZERO), Some(secs(1)), Some(short), Some(needed)] {
            let (clock, calls) = (clock(), Calls::default());
            let replay = RejectReplayLayer::new(memory(&clock));
            let service = ServiceBuilder::new()
                .layer(VerifySignatureLayer::new(verifier()).with_clock(clock.clone()))
                .layer(match retention {
                    Some(retention) => replay.retention(retention),
                    None => replay,
                })
                .service(calls.handler());
            let sent = Sent::standard("msg_1").at(NOW + future);
            assert_eq!(send(&service, sent.request()).await.status, 200);
            for (passes, reason) in
                [(needed, "replayed"), (Duration::from_millis(999), "replayed"), (Duration::from_millis(1), "stale")]
            {
                clock.advance(passes);
                let answer = send(&service, sent.request()).await;
                assert_eq!(answer.reason(), reason, "{past} + {future}, {retention:?}");
            }
            assert_eq!(calls.count(), 1);
        }
    }
    let untimed = WebhookLayer::builder(verifier(provider::GITHUB)).retention(Duration::ZERO).build();
    assert!(matches!(untimed.err(), Some(ConfigError::RetentionTooShort { .. })));
}

#[tokio::test]
async fn what_is_accepted_for_ever_is_remembered_for_three_days_or_as_told() {
    let three_days = 3 * 24 * 60 * 60;
    for (retention, remembered) in [(None, three_days), (Some(60), 60), (Some(10 * three_days), 10 * three_days)] {
        let (clock, calls) = (clock(), Calls::default());
        let builder = stack(provider::GITHUB, memory(&clock), &clock);
        let builder = match retention {
            Some(retention) => builder.retention(secs(retention)),
            None => builder,
        };
        let service = builder.build().unwrap().layer(calls.handler());
        let sent = Sent::github("d-1", "push");
        send(&service, sent.request()).await;
        clock.advance(secs(remembered - 1));
        assert!(send(&service, sent.request()).await.is_duplicate(), "{retention:?}");
        clock.advance(secs(1));
        assert!(!send(&service, sent.request()).await.is_duplicate(), "{retention:?}");
    }
}

#[tokio::test]
async fn a_full_store_refuses_and_forgets_nothing() {
    let (clock, calls) = (clock(), Calls::default());
    let store = MemoryNonceStore::with_capacity(3).with_clock(clock.clone());
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(calls.handler());
    for id in ["msg_1", "msg_2", "msg_3"] {
        assert_eq!(send(&service, Sent::standard(id).request()).await.status, 200);
    }
    for id in ["msg_4", "msg_5"] {
        let answer = send(&service, Sent::standard(id).request()).await;
        assert!(answer.asks_to_retry(), "{answer:?}");
        assert_eq!(answer.reason(), "store_full");
    }
    for id in ["msg_1", "msg_2", "msg_3"] {
        assert!(send(&service, Sent::standard(id).request()).await.is_duplicate(), "{id}");
    }
    assert_eq!((calls.count(), store.len()), (3, 3));

    clock.advance(secs(1000));
    assert_eq!(send(&service, Sent::standard("msg_4").at(NOW + 1000).request()).await.status, 200);
}

#[tokio::test]
async fn what_is_not_authentic_leaves_no_trace() {
    let (clock, calls) = (clock(), Calls::default());
    let store = memory(&clock);
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(calls.handler());
    for attempt in 0..1000 {
        let forged = Sent::standard("msg_1").at(NOW + attempt % 300).signed_with(&[OLD_SECRET]);
        assert_eq!(send(&service, forged.request()).await.status, 401);
    }
    assert!(store.is_empty());
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn deliveries_are_told_apart_by_what_is_signed() {
    let shopify = |topic, body: &'static str| Sent::new(provider::SHOPIFY, body).header("x-shopify-topic", topic);
    let stripe = |body: &'static str| Sent::new(provider::STRIPE, body);
    for (what, first, second, is_same) in [
        ("an unsigned id that changed", Sent::github("d-1", "push"), Sent::github("d-2", "push"), true),
        (
            "an unsigned id removed",
            Sent::github("d-1", "push"),
            Sent::github("d-1", "push").without("x-github-delivery"),
            true,
        ),
        (
            "an unsigned id that is nonsense",
            Sent::github("d-1", "push"),
            Sent::github("d-1", "push").header("x-github-delivery", "d 1 <b>"),
            true,
        ),
        ("two bodies under one unsigned id", Sent::github("d-1", "push"), Sent::github("d-1", "pull"), false),
        (
            "an unsigned event type that changed",
            Sent::github("d-1", "push").header("x-github-event", "push"),
            Sent::github("d-1", "push").header("x-github-event", "ping"),
            true,
        ),
        (
            "a signed id with another body",
            Sent::standard("msg_1"),
            Sent::new(provider::STANDARD_WEBHOOKS, "{}").id("msg_1"),
            true,
        ),
        ("two signed ids with one body", Sent::standard("msg_1"), Sent::standard("msg_2"), false),
        (
            "a signed id in the body, signed again later",
            stripe(r#"{"id":"evt_1"}"#),
            stripe(r#"{"id":"evt_1"}"#).at(NOW + 5),
            true,
        ),
        (
            "a signed id in the body, with other news",
            stripe(r#"{"id":"evt_1","n":1}"#),
            stripe(r#"{"id":"evt_1","n":2}"#),
            true,
        ),
        ("two signed ids in bodies", stripe(r#"{"id":"evt_1"}"#), stripe(r#"{"id":"evt_2"}"#), false),
        ("no id in the body, another time", stripe("{}"), stripe("{}").at(NOW + 5), false),
        ("no id in the body, the same time", stripe("{}"), stripe("{}"), true),
        ("ids that are a number and its text", stripe(r#"{"id":1}"#), stripe(r#"{"id":"1"}"#), true),
        ("one body for one event type", shopify("orders/paid", "{}"), shopify("orders/paid", "{}"), true),
        ("one body for two event types", shopify("orders/create", "{}"), shopify("orders/paid", "{}"), false),
        ("two bodies for one event type", shopify("orders/paid", "{}"), shopify("orders/paid", "[]"), false),
        (
            "bodies that come again for something new",
            Sent::new(provider::DROPBOX, "{}"),
            Sent::new(provider::DROPBOX, "{}"),
            false,
        ),
    ] {
        let (clock, calls) = (clock(), Calls::default());
        let store = memory(&clock);
        let service = stack(first.scheme(), store.clone(), &clock).build().unwrap().layer(calls.handler());
        assert_eq!(send(&service, first.request()).await.status, 200, "{what}");
        let answer = send(&service, second.request()).await;
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        assert_eq!(answer.is_duplicate(), is_same, "{what}");
        assert_eq!(calls.count(), if is_same { 1 } else { 2 }, "{what}");
        assert_eq!(store.is_empty(), first.scheme().name == "dropbox", "{what}");
    }
}

#[tokio::test]
async fn deliveries_with_an_empty_id_are_told_apart_by_what_is_signed() {
    let (clock, calls) = (clock(), Calls::default());
    let service = stack(provider::STRIPE, memory(&clock), &clock).build().unwrap().layer(calls.handler());
    for body in [r#"{"id":"","n":1}"#, r#"{"id":"","n":2}"#] {
        let answer = send(&service, Sent::new(provider::STRIPE, body).request()).await;
        assert!(!answer.is_duplicate(), "{body}");
        assert!(send(&service, Sent::new(provider::STRIPE, body).request()).await.is_duplicate(), "{body}");
    }
}

#[tokio::test]
async fn dropping_one_of_several_signatures_makes_no_new_delivery() {
    let with_id = r#"{"id":"evt_1","event":{"id":"evt_1"}}"#;
    for scheme in [provider::STRIPE, provider::PAGERDUTY, provider::STANDARD_WEBHOOKS, provider::PADDLE_BILLING] {
        for body in [with_id, r#"{"no":"id"}"#] {
            let both = Sent::new(scheme, body).id("msg_1").signed_with(&[SECRET, OLD_SECRET]);
            for (what, left) in
                [("the first", &[SECRET][..]), ("the second", &[OLD_SECRET]), ("both, swapped", &[OLD_SECRET, SECRET])]
            {
                for ring in [[SECRET, OLD_SECRET], [OLD_SECRET, SECRET]] {
                    let (clock, calls) = (clock(), Calls::default());
                    let service = builder(verifier_with(scheme, ring), memory(&clock), &clock)
                        .build()
                        .unwrap()
                        .layer(calls.handler());
                    assert_eq!(send(&service, both.request()).await.status, 200, "{}", scheme.name);
                    let stripped = send(&service, both.clone().signed_with(left).request()).await;
                    assert!(stripped.is_duplicate(), "{} {body}, {what} left: {stripped:?}", scheme.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_retry_signed_with_the_next_key_is_the_same_delivery() {
    let named = |secret, id: &str| Key::new(Secret::whsec(secret).unwrap()).with_id(id);
    let rings = [
        KeyRing::new([named(OLD_SECRET, "old"), named(SECRET, "new")]).unwrap(),
        KeyRing::new([named(SECRET, "new"), named(OLD_SECRET, "old")]).unwrap(),
    ];
    for ring in rings {
        let (clock, calls) = (clock(), Calls::default());
        let service = builder(verifier_with(provider::STANDARD_WEBHOOKS, ring), memory(&clock), &clock)
            .build()
            .unwrap()
            .layer(calls.handler());
        let sent = Sent::standard("msg_1");
        assert_eq!(send(&service, sent.clone().signed_with(&[OLD_SECRET]).request()).await.status, 200);
        assert!(send(&service, sent.clone().signed_with(&[SECRET]).at(NOW + 3).request()).await.is_duplicate());
        assert_eq!(calls.count(), 1);
    }
}

#[tokio::test]
async fn endpoints_that_share_a_store_are_told_apart_by_scope() {
    let (clock, calls) = (clock(), Calls::default());
    let store = memory(&clock);
    let endpoint = |scope: &str| {
        stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).scope(scope).build().unwrap().layer(calls.handler())
    };
    let scopes = ["", "a", "b", "ab", "a:b"];
    for scope in scopes {
        let answer = send(&endpoint(scope), Sent::standard("msg_1").request()).await;
        assert!(answer.status == 200 && !answer.is_duplicate(), "{scope}");
    }
    for scope in scopes {
        assert!(send(&endpoint(scope), Sent::standard("msg_1").request()).await.is_duplicate(), "{scope}");
    }
    assert_eq!((calls.count(), store.len()), (scopes.len(), scopes.len()));
}

#[tokio::test]
async fn without_replay_protection_everything_is_handled() {
    let (clock, calls) = (clock(), Calls::default());
    let layer = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS))
        .with_clock(clock)
        .without_replay_protection()
        .build()
        .unwrap();
    let service = layer.layer(calls.handler());
    for _ in 0..3 {
        let answer = send(&service, Sent::standard("msg_1").request()).await;
        assert!(answer.status == 200 && !answer.is_duplicate());
    }
    assert_eq!(calls.count(), 3);
}

#[tokio::test]
async fn clones_and_repeated_use_of_a_layer_share_one_memory() {
    let (clock, calls) = (clock(), Calls::default());
    let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).build().unwrap();
    let routes = [layer.layer(calls.handler::<Verified>()), layer.clone().layer(calls.handler())];
    assert!(!send(&routes[0], Sent::standard("msg_1").request()).await.is_duplicate());
    assert!(send(&routes[1], Sent::standard("msg_1").request()).await.is_duplicate());
}

/// The same delivery with `svix-*` instead of `webhook-*` headers.
fn as_svix(sent: &Sent) -> Sent {
    let headers = sent.headers();
    let text = |name| headers[name].to_str().unwrap();
    sent.clone()
        .header("svix-id", text("webhook-id"))
        .header("svix-timestamp", text("webhook-timestamp"))
        .header("svix-signature", text("webhook-signature"))
        .without("webhook-id")
        .without("webhook-timestamp")
        .without("webhook-signature")
}
