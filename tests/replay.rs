//! Nothing twice, nothing lost: replays, retries, and everything that can go wrong between them.

mod support;

use std::{
    collections::HashSet,
    convert::Infallible,
    future::pending,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use support::{
    Answer, Calls, MockStore, NOW, OLD_SECRET, Operation, SECRET, Sent, TokioClock, clock, let_others_run, now, poll,
    secs, send, start, verifier, verifier_with, with_status,
};
use tokio::{sync::Semaphore, task::JoinSet};
use tower::{Layer, ServiceBuilder, ServiceExt, layer::util::Identity, limit::ConcurrencyLimit, service_fn};
use tower_webhook::{
    ConfigError,
    body::Verified,
    clock::ManualClock,
    key::{Key, KeyRing, Secret},
    layer::{RejectReplayLayer, VerifySignatureLayer, WebhookBuilder, WebhookLayer},
    provider,
    scheme::{Scheme, Verifier},
    store::{MemoryNonceStore, NonceStore, Reserved, Token},
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
async fn what_is_no_success_lets_the_retry_in() {
    let grpc = |status: &'static str| Response::builder().header("grpc-status", status);
    for (what, failure) in [
        ("500", Response::builder().status(500)),
        ("404", Response::builder().status(404)),
        ("302", Response::builder().status(302)),
        ("304", Response::builder().status(304)),
        ("100", Response::builder().status(100)),
        ("503", Response::builder().status(503).header("retry-after", "3")),
        ("a failed gRPC call", grpc("13")),
        ("a gRPC status that is none", grpc("")),
    ] {
        let (clock, calls) = (clock(), Calls::default());
        let store = memory(&clock);
        let failure = failure.body(Full::from("it failed")).unwrap();
        let expected = (failure.status(), failure.headers().clone());
        let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(
            calls.answering(move |call| {
                let failure = failure.clone();
                async move { if call == 1 { failure } else { with_status(200) } }
            }),
        );
        let answer = send(&service, Sent::standard("msg_1").request()).await;
        assert_eq!((answer.status, answer.headers), expected, "{what} is handed on as it is");
        assert_eq!(&answer.body[..], b"it failed", "{what}");
        assert!(store.is_empty(), "{what}");
        let retry = send(&service, Sent::standard("msg_1").at(NOW + 2).request()).await;
        assert!(retry.status == 200 && !retry.is_duplicate(), "{what}: {retry:?}");
        assert!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate(), "{what}");
        assert_eq!(calls.count(), 2, "{what}");
    }
}

#[tokio::test]
async fn a_grpc_call_that_went_well_is_a_success() {
    let (clock, calls) = (clock(), Calls::default());
    let handler =
        calls.answering(|_| async { Response::builder().header("grpc-status", "0").body(Full::default()).unwrap() });
    let service = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).build().unwrap().layer(handler);
    send(&service, Sent::standard("msg_1").request()).await;
    assert!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate());
}

#[tokio::test]
async fn what_counts_as_success_can_be_said() {
    for (status, is_done) in [(200, false), (204, false), (202, true), (409, true), (500, false)] {
        let (clock, calls) = (clock(), Calls::default());
        let service = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock)
            .success_if(|head| matches!(head.status.as_u16(), 202 | 409))
            .build()
            .unwrap()
            .layer(calls.answering(move |_| async move { with_status(status) }));
        assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, status);
        assert_eq!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate(), is_done, "{status}");
        assert_eq!(calls.count(), if is_done { 1 } else { 2 }, "{status}");
    }
}

#[tokio::test]
async fn an_error_of_the_service_surfaces_and_lets_the_retry_in() {
    let (clock, calls) = (clock(), Calls::default());
    let handler = service_fn({
        let calls = calls.clone();
        move |_: Request<Verified>| {
            let call = calls.add();
            async move { if call == 1 { Err("out of order") } else { Ok(with_status(200)) } }
        }
    });
    let store = memory(&clock);
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(handler);
    let error = service.clone().oneshot(Sent::standard("msg_1").request()).await.err();
    assert_eq!(error, Some("out of order"));
    assert!(store.is_empty());
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn a_panic_lets_the_retry_in_wherever_it_happens() {
    for place in ["in `call`", "at once", "later", "in the classifier"] {
        for waits in [0, 1] {
            let (clock, calls) = (clock(), Calls::default());
            let handler = service_fn({
                let calls = calls.clone();
                move |_: Request<Verified>| {
                    let call = calls.add();
                    assert!(call > 1 || place != "in `call`", "a panic that is part of the test");
                    async move {
                        assert!(call > 1 || place != "at once", "a panic that is part of the test");
                        tokio::task::yield_now().await;
                        assert!(call > 1 || place != "later", "a panic that is part of the test");
                        Ok::<_, Infallible>(with_status(200))
                    }
                }
            });
            let store = MockStore::new(memory(&clock)).reserving(Operation { waits, ..Operation::default() });
            let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock)
                .success_if({
                    let calls = calls.clone();
                    move |_| {
                        assert!(calls.count() > 1 || place != "in the classifier", "a panic that is part of the test");
                        true
                    }
                })
                .build()
                .unwrap()
                .layer(handler);
            let first = tokio::spawn(service.clone().oneshot(Sent::standard("msg_1").request()));
            assert!(first.await.unwrap_err().is_panic(), "{place}");
            let_others_run().await;
            assert!(store.memory.is_empty(), "{place}");
            let retry = send(&service, Sent::standard("msg_1").request()).await;
            assert!(retry.status == 200 && !retry.is_duplicate(), "{place}: {retry:?}");
            assert_eq!(calls.count(), 2, "{place}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_at_any_moment_neither_loses_nor_blocks_its_delivery() {
    let mut met = HashSet::new();
    for script in scripts() {
        for succeeds in [true, false] {
            for polls in 0.. {
                let label = format!("{script:?}, succeeds: {succeeds}, left after {polls} polls");
                let (clock, calls, finished) = (clock(), Calls::default(), Arc::new(AtomicBool::new(false)));
                let [reserve, commit, release] = script;
                let store = MockStore::new(memory(&clock)).reserving(reserve).committing(commit).releasing(release);
                let handler = calls.answering({
                    let finished = Arc::clone(&finished);
                    move |_| {
                        let finished = Arc::clone(&finished);
                        async move {
                            tokio::task::yield_now().await;
                            tokio::task::yield_now().await;
                            finished.store(true, Ordering::SeqCst);
                            with_status(if succeeds { 200 } else { 500 })
                        }
                    }
                });
                let mut service =
                    stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(handler);
                let sent = Sent::standard("msg_1");
                let mut answered = false;
                {
                    let mut request = pin!(start(&mut service, sent.request()).await);
                    for _ in 0..polls {
                        if poll(request.as_mut()).is_ready() {
                            answered = true;
                            break;
                        }
                    }
                }
                let_others_run().await;

                let handled = finished.load(Ordering::SeqCst) && succeeds;
                let probe = now(store.memory.reserve(sent.replay_key(), Token::unique(), secs(1))).unwrap();
                let expected = if handled { Reserved::Done } else { Reserved::Fresh };
                assert_eq!(probe, expected, "{label}");
                met.insert((calls.count(), finished.load(Ordering::SeqCst), answered));
                if answered {
                    break;
                }
            }
        }
    }
    for moment in [(0, false, false), (1, false, false), (1, true, false), (1, true, true)] {
        assert!(met.contains(&moment), "no client left at {moment:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_between_success_and_commit_leaves_a_delivery_that_is_done() {
    for acts_at_once in [false, true] {
        let (clock, calls) = (clock(), Calls::default());
        let slow = Operation { waits: 20, acts_at_once, ..Operation::default() };
        let store = MockStore::new(memory(&clock)).committing(slow);
        let mut service =
            stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(calls.handler());
        {
            let mut request = pin!(start(&mut service, Sent::standard("msg_1").request()).await);
            assert!(poll(request.as_mut()).is_pending());
            assert_eq!((calls.count(), store.asked()), (1, [1, 1, 0]));
        }
        let_others_run().await;
        assert!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate());
        assert_eq!(store.asked(), [2, 1, 0], "what was handled is not released");
        assert_eq!(calls.count(), 1);
    }
}

#[test]
fn without_a_runtime_the_lease_ends_what_cannot_be_released() {
    let (clock, calls) = (clock(), Calls::default());
    let store = MockStore::new(memory(&clock)).releasing(Operation { waits: 1, ..Operation::default() });
    let layer = stack(provider::STANDARD_WEBHOOKS, store, &clock).build().unwrap();
    let service = layer.layer(calls.answering(|call| async move { with_status(if call == 1 { 500 } else { 200 }) }));
    let answer = |service: &_| now(send(service, Sent::standard("msg_1").request()));
    assert_eq!(answer(&service).status, 500);
    assert!(answer(&service).asks_to_retry());
    clock.advance(secs(40));
    assert_eq!(answer(&service).status, 200);
    assert!(answer(&service).is_duplicate());
}

#[tokio::test]
async fn a_handler_that_outlives_its_lease_does_not_overwrite_the_next_one() {
    let (clock, calls, gate) = (clock(), Calls::default(), Arc::new(Semaphore::new(0)));
    let handler = calls.answering({
        let gate = Arc::clone(&gate);
        move |call| {
            let gate = Arc::clone(&gate);
            async move {
                if call == 1 {
                    gate.acquire().await.unwrap().forget();
                    return with_status(200);
                }
                if call == 2 {
                    return pending().await;
                }
                with_status(200)
            }
        }
    });
    let service = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).build().unwrap().layer(handler);
    let deliver = || Box::pin(service.clone().oneshot(Sent::standard("msg_1").request()));

    let mut first = deliver();
    assert!(poll(first.as_mut()).is_pending());
    clock.advance(secs(41));
    let mut second = deliver();
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(calls.count(), 2, "the lease of the first has ended");

    gate.add_permits(1);
    assert_eq!(first.await.unwrap().status(), 200);
    let third = Answer::of(deliver().await.unwrap()).await;
    assert_eq!(third.reason(), "in_progress", "the second still holds it");
    drop(second);
    assert_eq!(deliver().await.unwrap().status(), 200);
    assert_eq!(calls.count(), 3, "the second gave up, so a retry is handled");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_dropped_and_its_retry_handled() {
    let (clock, calls) = (clock(), Calls::default());
    let store = memory(&clock);
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock)
        .handler_timeout(secs(5), secs(10))
        .unwrap()
        .build()
        .unwrap()
        .layer(calls.answering(|call| async move {
            let long = if call == 1 { 60 } else { 4 };
            tokio::time::sleep(secs(long)).await;
            with_status(200)
        }));
    let start = tokio::time::Instant::now();
    let late = send(&service, Sent::standard("msg_1").request()).await;
    assert!(late.asks_to_retry(), "{late:?}");
    assert_eq!((late.reason(), start.elapsed().as_secs()), ("handler_timeout", 5));
    assert!(store.is_empty());
    let retry = send(&service, Sent::standard("msg_1").request()).await;
    assert!(retry.status == 200 && !retry.is_duplicate());
    assert_eq!(calls.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_is_dropped_also_where_replays_are_not_told_from_news() {
    let handler = Calls::default().answering(|_| async {
        tokio::time::sleep(secs(60)).await;
        with_status(200)
    });
    let service = stack(provider::DROPBOX, MemoryNonceStore::new(), &clock())
        .handler_timeout(secs(5), secs(10))
        .unwrap()
        .build()
        .unwrap()
        .layer(handler);
    let answer = send(&service, Sent::new(provider::DROPBOX, "{}").request()).await;
    assert_eq!((answer.reason(), answer.asks_to_retry()), ("handler_timeout", true));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reservation_does_not_let_the_handler_outlive_its_lease() {
    let running = Arc::new(Semaphore::new(1));
    let handler = Calls::default().answering(move |_| {
        let permit = running.clone().try_acquire_owned().expect("two handlers of one delivery at once");
        async move {
            tokio::time::sleep(secs(60)).await;
            drop(permit);
            with_status(200)
        }
    });
    let memory = MemoryNonceStore::new().with_clock(TokioClock::new());
    let delay = Operation { acts_at_once: true, delay: secs(4), ..Operation::default() };
    // Two machines, of which one has a bad connection to the store.
    let [slow, fast] = [delay, Operation::default()].map(|operation| {
        stack(provider::STANDARD_WEBHOOKS, MockStore::new(memory.clone()).reserving(operation), &clock())
            .handler_timeout(secs(5), secs(6))
            .unwrap()
            .build()
            .unwrap()
            .layer(handler.clone())
    });
    let first = tokio::spawn(async move { send(&slow, Sent::standard("msg_1").request()).await });
    tokio::time::sleep(secs(6)).await;
    assert_eq!(send(&fast, Sent::standard("msg_1").request()).await.reason(), "handler_timeout");
    assert!(first.await.unwrap().asks_to_retry());
}

#[test]
fn a_lease_that_could_end_before_the_handler_is_refused() {
    for (timeout, lease) in [(10, 10), (10, 9), (0, 1), (0, 0)] {
        let layer = RejectReplayLayer::new(MemoryNonceStore::new());
        assert!(layer.handler_timeout(secs(timeout), secs(lease)).is_err(), "{timeout} {lease}");
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
    let needed = secs(600);
    for (given, is_enough) in [(0, false), (1, false), (599, false), (600, true), (601, true)] {
        let built = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS)).retention(secs(given)).build();
        let expected = (!is_enough).then_some(ConfigError::RetentionTooShort { given: secs(given), needed });
        assert_eq!(built.err(), expected, "{given}");
    }
    let untimed = WebhookLayer::builder(verifier(provider::GITHUB)).retention(Duration::ZERO).build();
    assert!(matches!(untimed.err(), Some(ConfigError::RetentionTooShort { .. })));

    // Composed by hand, nobody is asked, so the retention is extended.
    let (clock, calls) = (clock(), Calls::default());
    let service = ServiceBuilder::new()
        .layer(VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock.clone()))
        .layer(RejectReplayLayer::new(memory(&clock)).retention(secs(1)))
        .service(calls.handler());
    let sent = Sent::standard("msg_1").at(NOW + 300);
    send(&service, sent.request()).await;
    clock.advance(secs(600));
    assert!(send(&service, sent.request()).await.is_duplicate());
    assert_eq!(calls.count(), 1);
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
async fn a_store_that_fails_keeps_the_handler_from_running() {
    for waits in [0, 1] {
        let (clock, calls) = (clock(), Calls::default());
        let fails = Operation { failures: 1, waits, ..Operation::default() };
        let store = MockStore::new(memory(&clock)).reserving(fails);
        let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(calls.handler());
        let answer = send(&service, Sent::standard("msg_1").request()).await;
        assert!(answer.asks_to_retry(), "{answer:?}");
        assert_eq!((answer.reason(), calls.count()), ("store_unavailable", 0));
        let_others_run().await;
        assert_eq!(store.asked(), [1, 0, 1], "it may have been granted, and only the answer lost");
        assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_a_reservation_is_not_waited_for_longer_than_the_lease() {
    let (clock, calls) = (clock(), Calls::default());
    let store = MockStore::new(memory(&clock)).reserving(Operation { hangs: true, ..Operation::default() });
    let service = stack(provider::STANDARD_WEBHOOKS, store, &clock).build().unwrap().layer(calls.handler());
    let answer = tokio::time::timeout(secs(40), send(&service, Sent::standard("msg_1").request())).await;
    assert!(answer.expect("still waiting").asks_to_retry());
    assert_eq!(calls.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_a_commit_does_not_keep_the_answer_from_the_sender() {
    let (clock, calls) = (clock(), Calls::default());
    let store = MockStore::new(memory(&clock)).committing(Operation { hangs: true, ..Operation::default() });
    let service = stack(provider::STANDARD_WEBHOOKS, store, &clock).build().unwrap().layer(calls.handler());
    let answer = tokio::time::timeout(secs(40), send(&service, Sent::standard("msg_1").request())).await;
    assert_eq!(answer.expect("still waiting").status, 200);
}

#[tokio::test]
async fn a_duplicate_is_said_to_be_one_only_once_the_store_has_it() {
    let (clock, calls) = (clock(), Calls::default());
    let fails = Operation { failures: usize::MAX, ..Operation::default() };
    let store = MockStore::new(memory(&clock)).committing(fails);
    let service = stack(provider::STANDARD_WEBHOOKS, store, &clock).build().unwrap().layer(calls.handler());
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200, "the work is done");
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.reason(), "in_progress");
    clock.advance(secs(40));
    let again = send(&service, Sent::standard("msg_1").request()).await;
    assert!(again.status == 200 && !again.is_duplicate());
    assert_eq!(calls.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_is_tried_again_while_the_lease_lasts() {
    let (clock, calls) = (clock(), Calls::default());
    let store = MockStore::new(memory(&clock)).committing(Operation { failures: 1, ..Operation::default() });
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(calls.handler());
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
    tokio::time::sleep(secs(39)).await;
    assert_eq!(store.asked()[1], 2);
    assert!(send(&service, Sent::standard("msg_1").request()).await.is_duplicate());
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

/// The whole stack but for `build`.
fn stack<N: NonceStore>(
    scheme: Scheme<'static>,
    store: N,
    clock: &ManualClock,
) -> WebhookBuilder<Identity, Identity, RejectReplayLayer<N>> {
    builder(verifier(scheme), store, clock)
}

fn builder<N: NonceStore>(
    verifier: Verifier,
    store: N,
    clock: &ManualClock,
) -> WebhookBuilder<Identity, Identity, RejectReplayLayer<N>> {
    WebhookLayer::builder(verifier).with_clock(clock.clone()).replay(store)
}

fn memory(clock: &ManualClock) -> MemoryNonceStore {
    MemoryNonceStore::with_capacity(10_000).with_clock(clock.clone())
}

/// Every way in which a store may keep us waiting, for each of reserve, commit and release.
fn scripts() -> Vec<[Operation; 3]> {
    let mut all = Vec::new();
    for acts_at_once in [false, true] {
        let wait = |waits| Operation { waits, acts_at_once, ..Operation::default() };
        for (reserve, commit, release) in [(0, 0, 0), (1, 1, 1), (2, 0, 0), (0, 2, 0), (0, 0, 2), (3, 3, 3)] {
            all.push([wait(reserve), wait(commit), wait(release)]);
        }
    }
    all
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
