//! Nothing lost: what ends a reservation, and what becomes of a delivery when the store or its sender's rate has a say.

mod support;

use std::{
    collections::HashSet,
    convert::Infallible,
    future::pending,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use support::{
    Answer, Calls, MockStore, NOW, OLD_SECRET, Operation, SECRET, Sent, TokioClock, builder, clock, let_others_run,
    memory, now, poll, secs, send, stack, start, verifier_with, with_status,
};
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_webhook::{
    ConfigError,
    body::Verified,
    clock::ManualClock,
    layer::{BySender, RateLimitLayer, RejectReplayLayer, ReplayUnchecked, VerifySignatureLayer},
    provider,
    store::{
        Charge, LimitingNonceStore, MemoryNonceStore, MemoryRateStore, NonceStore, Quota, Rate, RateStore, ReplayKey,
        Reserved, StoreError, Token, Verdict,
    },
};

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

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_is_tried_again_while_the_lease_lasts() {
    for (failures, waits, is_released_after) in
        [(0, 0, Some(0)), (1, 0, Some(1)), (3, 2, Some(3)), (usize::MAX, 0, None)]
    {
        let (clock, calls) = (clock(), Calls::default());
        let store = MockStore::new(memory(&clock)).releasing(Operation { failures, waits, ..Operation::default() });
        let handler = calls.answering(|call| async move { with_status(if call == 1 { 500 } else { 200 }) });
        let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(handler);
        assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 500);
        tokio::time::sleep(secs(is_released_after.unwrap_or(60)) + Duration::from_millis(500)).await;
        let retry = send(&service, Sent::standard("msg_1").request()).await;
        assert_eq!(retry.status == 200, is_released_after.is_some(), "{failures} failures: {retry:?}");
        assert!(store.asked()[2] <= 41, "{} tries", store.asked()[2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_was_never_granted_is_released_once() {
    let (clock, calls) = (clock(), Calls::default());
    let silent = Operation { failures: usize::MAX, ..Operation::default() };
    let store = MockStore::new(memory(&clock)).reserving(silent).releasing(silent);
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).build().unwrap().layer(calls.handler());
    for _ in 0..10 {
        assert!(send(&service, Sent::standard("msg_1").request()).await.asks_to_retry());
    }
    tokio::time::sleep(secs(60)).await;
    assert_eq!(store.asked(), [10, 0, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_keeps_the_handler_from_running_unless_told_otherwise() {
    let operation = Operation::default();
    for (what, silent) in [
        ("an error at once", Operation { failures: usize::MAX, ..operation }),
        ("an error later", Operation { failures: usize::MAX, waits: 2, ..operation }),
        ("no answer", Operation { hangs: true, ..operation }),
    ] {
        for fails_open in [false, true] {
            let (clock, calls) = (clock(), Calls::default());
            let store = MockStore::new(memory(&clock)).reserving(silent).committing(silent).releasing(silent);
            let builder = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock);
            let layer = if fails_open { builder.dangerous().fail_open() } else { builder }.build().unwrap();
            let service = layer.layer(seeing_what_is_unchecked(&calls));
            let began = tokio::time::Instant::now();
            for _ in 0..2 {
                let answer = send(&service, Sent::standard("msg_1").request()).await;
                assert_eq!(answer.asks_to_retry(), !fails_open, "{what}: {answer:?}");
                assert_eq!(answer.headers.contains_key("unchecked"), fails_open, "{what}");
            }
            assert_eq!(calls.count(), if fails_open { 2 } else { 0 }, "{what}");
            assert!(began.elapsed() <= secs(10), "{what}: waited for the commit as well");
        }
    }
}

#[tokio::test]
async fn what_was_handled_without_the_store_is_remembered_once_it_is_back() {
    for (waits, status, is_done) in [(0, 200, true), (2, 200, true), (0, 500, false), (2, 500, false)] {
        let (clock, calls) = (clock(), Calls::default());
        let store = MockStore::new(memory(&clock)).reserving(Operation { failures: 1, waits, ..Operation::default() });
        let service = ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(verifier_with(provider::STANDARD_WEBHOOKS, SECRET)).with_clock(clock))
            .layer(RejectReplayLayer::new(store.clone()).dangerous().fail_open())
            .map_response(move |mut response: Response<_>| {
                *response.status_mut() = status.try_into().unwrap();
                response
            })
            .service(seeing_what_is_unchecked(&calls));
        let first = send(&service, Sent::standard("msg_1").request()).await;
        assert!(first.status == status && first.headers.contains_key("unchecked"), "{first:?}");
        let_others_run().await;
        let again = send(&service, Sent::standard("msg_1").request()).await;
        assert_eq!(again.is_duplicate(), is_done, "{status}");
        assert!(!again.headers.contains_key("unchecked"), "the store is back");
        assert_eq!(calls.count(), if is_done { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_store_that_is_full_refuses_whatever_it_was_told() {
    let (clock, calls) = (clock(), Calls::default());
    let store = MemoryNonceStore::with_capacity(1).with_clock(clock.clone());
    let builder = stack(provider::STANDARD_WEBHOOKS, store, &clock).dangerous().fail_open();
    let service = builder.build().unwrap().layer(calls.handler());
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
    let refused = send(&service, Sent::standard("msg_2").request()).await;
    assert_eq!((refused.reason(), refused.asks_to_retry(), calls.count()), ("store_full", true, 1));
}

#[tokio::test]
async fn a_sender_pays_for_what_is_handled_and_loses_nothing() {
    for waits in [0, 2] {
        let (clock, calls, gate) = (clock(), Calls::default(), Arc::new(Semaphore::new(1)));
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
        let store = Limiting::new(&clock, waits);
        let builder = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock);
        let service = builder.limit_senders(Quota::per_minute(2)).build().unwrap().layer(handler);
        let deliver = |id: &str| {
            let (service, request) = (service.clone(), Sent::standard(id).request());
            async move { send(&service, request).await }
        };
        assert_eq!(deliver("msg_1").await.status, 200);
        let second = tokio::spawn(deliver("msg_2"));
        let_others_run().await;
        for _ in 0..5 {
            assert!(deliver("msg_1").await.is_duplicate(), "what is done costs nothing");
            assert_eq!(deliver("msg_2").await.reason(), "in_progress", "nor what is in progress");
        }
        for _ in 0..5 {
            let refused = deliver("msg_3").await;
            assert_eq!((refused.status.as_u16(), refused.reason()), (429, "rate_limited"));
            assert_eq!(refused.headers["retry-after"], "30");
        }
        assert_eq!((calls.count(), store.nonces.len()), (2, 2), "what is refused is not reserved");
        gate.add_permits(2);
        assert_eq!(second.await.unwrap().status, 200);
        clock.advance(secs(30));
        let third = deliver("msg_3").await;
        assert!(third.status == 200 && !third.is_duplicate(), "{third:?}");
        assert!(deliver("msg_3").await.is_duplicate());
        assert_eq!(calls.count(), 3);
    }
}

#[tokio::test]
async fn senders_have_accounts_of_their_own_which_other_layers_know() {
    let clock = clock();
    let store = Limiting::new(&clock, 0);
    let quota = Quota::per_minute(1);
    let ring = || verifier_with(provider::STANDARD_WEBHOOKS, [SECRET, OLD_SECRET]);
    let limited = builder(ring(), store.clone(), &clock).limit_senders(quota).build().unwrap();
    let limited = limited.layer(Calls::default().handler());
    let by_sender = builder(ring(), memory(&clock), &clock).then(RateLimitLayer::new(quota, BySender, store.rates));
    let by_sender = by_sender.build().unwrap().layer(Calls::default().handler());
    for (secret, id) in [(SECRET, "msg_1"), (OLD_SECRET, "msg_2")] {
        let request = |id| Sent::standard(id).signed_with(&[secret]).request();
        assert_eq!(send(&limited, request(id)).await.status, 200);
        assert_eq!(send(&limited, request("msg_3")).await.status, 429);
        assert_eq!(send(&by_sender, request("msg_3")).await.status, 429);
    }
}

#[tokio::test]
async fn a_sender_that_would_give_up_after_429_is_told_to_wait_otherwise() {
    let clock = clock();
    let scheme = provider::WHEREBY;
    let service = stack(scheme, Limiting::new(&clock, 0), &clock).limit_senders(Quota::per_minute(1)).build().unwrap();
    let service = service.layer(Calls::default().handler());
    assert_eq!(send(&service, Sent::new(scheme, "{}").request()).await.status, 200);
    let refused = send(&service, Sent::new(scheme, "[]").request()).await;
    assert_eq!((refused.reason(), refused.asks_to_retry()), ("throttled", true));
}

#[tokio::test]
async fn senders_are_limited_also_where_replays_are_not_told_from_news() {
    let (clock, calls) = (clock(), Calls::default());
    let store = Limiting::new(&clock, 0);
    let builder = stack(provider::DROPBOX, store.clone(), &clock).limit_senders(Quota::per_minute(2));
    let service = builder.build().unwrap().layer(calls.handler());
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(send(&service, Sent::new(provider::DROPBOX, "{}").request()).await.status.as_u16());
    }
    assert_eq!((statuses, calls.count()), (vec![200, 200, 429], 2));
    assert!(store.nonces.is_empty(), "there is nothing to remember");
}

#[test]
fn a_limit_of_senders_in_a_store_that_is_not_used_is_refused() {
    let clock = clock();
    let limited = stack(provider::GITHUB, Limiting::new(&clock, 0), &clock).limit_senders(Quota::per_minute(1));
    assert!(limited.clone().build().is_ok());
    let built = limited.replay(memory(&clock)).build();
    assert!(matches!(built.err(), Some(ConfigError::InvalidValue { what: "limit of senders", .. })));
}

/// A handler that says in its answer whether the store has been asked in vain.
fn seeing_what_is_unchecked(
    calls: &Calls,
) -> impl Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + use<>
{
    let calls = calls.clone();
    service_fn(move |request: Request<Verified>| {
        calls.add();
        let mut response = with_status(200);
        if request.extensions().get::<ReplayUnchecked>().is_some() {
            response.headers_mut().insert("unchecked", "true".parse().unwrap());
        }
        async { Ok(response) }
    })
}

/// Nonces and rates in memory, behind a connection on which each answer has to be waited for so often.
#[derive(Clone)]
struct Limiting {
    nonces: MemoryNonceStore,
    rates: MemoryRateStore,
    waits: usize,
}

impl Limiting {
    fn new(clock: &ManualClock, waits: usize) -> Self {
        Self { nonces: memory(clock), rates: MemoryRateStore::new().with_clock(clock.clone()), waits }
    }

    fn answer<T: Send + 'static>(
        &self,
        act: impl FnOnce(Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>> {
        let store = self.clone();
        Box::pin(async move {
            for _ in 0..store.waits {
                tokio::task::yield_now().await;
            }
            act(store)
        })
    }
}

impl NonceStore for Limiting {
    type Reserve = Pin<Box<dyn Future<Output = Result<Reserved, StoreError>> + Send>>;
    type Settle = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

    fn reserve(&self, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        self.answer(move |store| now(store.nonces.reserve(key, token, lease)))
    }

    fn commit(&self, key: ReplayKey, token: Token, retention: Duration) -> Self::Settle {
        self.answer(move |store| now(store.nonces.commit(key, token, retention)))
    }

    fn release(&self, key: ReplayKey, token: Token) -> Self::Settle {
        self.answer(move |store| now(store.nonces.release(key, token)))
    }
}

impl LimitingNonceStore for Limiting {
    fn reserve_within(&self, rate: &Rate, key: ReplayKey, token: Token, lease: Duration) -> Self::Reserve {
        let rate = *rate;
        self.answer(move |store| {
            let reserved = now(store.nonces.reserve(key, token, lease))?;
            if reserved == Reserved::Fresh
                && let Verdict::Limited { retry_after } =
                    now(store.rates.check(rate.key, &rate.quotas, Charge::IfAllowed(rate.cost)))?.verdict
            {
                now(store.nonces.release(key, token))?;
                return Ok(Reserved::Limited { retry_after });
            }
            Ok(reserved)
        })
    }
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
