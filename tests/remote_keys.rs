//! Keys that are fetched: from where, how often, and what happens if they cannot be.

#[path = "support/https.rs"]
mod https;
mod support;

use std::{
    convert::Infallible,
    io,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::{join_all, poll_fn};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use https::{HttpsServer, Reply, announcing, endless, hanging, redirect, reply};
use support::{Calls, NOW, clock, let_others_run, secs};
use tokio::sync::watch;
use tower::{Service, service_fn};
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    key::{FoundKey, HostRule, HttpsFetcher, KeyError, KeyForm, KeyQuery, KeySource, NoBody, PublicKey, RemoteKeys},
};

const SET: &str = "https://keys.test/jwks";

#[tokio::test]
async fn a_set_is_not_fetched_again_for_as_long_as_it_says() {
    for (control, lifetime) in [
        (None, 3600),
        (Some("max-age=600"), 600),
        (Some("public, max-age=600, must-revalidate"), 600),
        (Some("max-age=60"), 60),
        (Some("max-age=1"), 60),
        (Some("no-store"), 60),
        (Some("no-cache, max-age=600"), 60),
        (Some("max-age=864000"), 86_400),
    ] {
        let (host, keys, clock) = host();
        host.answers(200, set(&["a"]));
        host.with_header("cache-control", control);
        assert_eq!(ids(&keys, named("a")).await, ["a"], "{control:?}");
        clock.advance(secs(lifetime / 5 * 4 - 1));
        assert_eq!(ids(&keys, named("a")).await, ["a"], "{control:?}");
        let_others_run().await;
        assert_eq!(host.fetches(), 1, "{control:?}");
        clock.advance(secs(lifetime / 5 + 1));
        host.answers(200, set(&["b"]));
        assert_eq!(outcome(&keys, named("a")).await, "unknown", "{control:?}");
        assert_eq!(host.fetches(), 2, "{control:?}");
    }
}

#[tokio::test]
async fn a_set_is_renewed_before_it_is_old_and_nobody_waits() {
    let (host, keys, clock) = host();
    host.answers(200, set(&["a"]));
    ids(&keys, named("a")).await;

    host.holds_back(true);
    host.answers(200, set(&["b"]));
    clock.advance(secs(3000));
    for _ in 0..10 {
        let answer = now(keys.keys(named("a"), at(NOW)));
        assert!(answer.is_some_and(|answer| answer.is_ok()), "an answer that is known was waited for");
    }
    let_others_run().await;
    assert_eq!(host.attempts(), 2);

    host.holds_back(false);
    let_others_run().await;
    assert_eq!(ids(&keys, named("b")).await, ["b"]);
    assert_eq!(host.attempts(), 2);
}

#[tokio::test]
async fn old_keys_go_on_being_used_while_there_are_no_newer_ones() {
    let (host, keys, clock) = host();
    host.answers(200, set(&["a"]));
    ids(&keys, named("a")).await;

    for trouble in [Trouble::Status(500), Trouble::Status(404), Trouble::Refused, Trouble::Garbage] {
        host.fails(trouble);
        clock.advance(secs(3601));
        let before = host.attempts();
        assert_eq!(ids(&keys, named("a")).await, ["a"], "{trouble:?}");
        assert_eq!(ids(&keys, named("a")).await, ["a"], "{trouble:?}");
        assert_eq!(outcome(&keys, named("new")).await, "unavailable", "the id may be new: {trouble:?}");
        assert_eq!(host.attempts(), before + 1, "failures are remembered: {trouble:?}");
    }

    clock.advance(secs(31));
    host.answers(200, set(&["b"]));
    assert_eq!(ids(&keys, named("b")).await, ["b"]);

    host.fails(Trouble::Status(500));
    clock.advance(secs(3600 + 24 * 3600 - 1));
    assert_eq!(ids(&keys, named("b")).await, ["b"]);
    clock.advance(secs(2));
    assert_eq!(outcome(&keys, named("b")).await, "unavailable");
}

#[tokio::test]
async fn failures_are_remembered_and_then_forgotten() {
    for (trouble, form, expected, memory) in [
        (Trouble::Status(404), KeyForm::Pem, "unknown", 60),
        (Trouble::Status(410), KeyForm::Pem, "unknown", 60),
        (Trouble::Status(404), KeyForm::JwkSet, "unavailable", 30),
        (Trouble::Status(500), KeyForm::Pem, "unavailable", 30),
        (Trouble::Status(503), KeyForm::JwkSet, "unavailable", 30),
        (Trouble::Status(301), KeyForm::JwkSet, "unavailable", 30),
        (Trouble::Status(204), KeyForm::JwkSet, "unavailable", 30),
        (Trouble::Status(206), KeyForm::JwkSet, "unavailable", 30),
        (Trouble::Refused, KeyForm::JwkSet, "unavailable", 30),
        (Trouble::NotReady, KeyForm::JwkSet, "unavailable", 30),
        (Trouble::BreaksOff, KeyForm::JwkSet, "unavailable", 30),
        (Trouble::Garbage, KeyForm::JwkSet, "unavailable", 30),
        (Trouble::Panics, KeyForm::JwkSet, "unavailable", 30),
    ] {
        let (host, keys, clock) = host();
        let document = if form == KeyForm::Pem { pem(1) } else { set(&["a"]) };
        host.answers(200, &document);
        host.fails(trouble);
        let query = KeyQuery::new("https://keys.test/k", Some("a"), form);
        for _ in 0..3 {
            assert_eq!(outcome(&keys, query.clone()).await, expected, "{trouble:?}");
        }
        clock.advance(secs(memory - 1));
        assert_eq!(outcome(&keys, query.clone()).await, expected, "{trouble:?}");
        assert_eq!(host.attempts(), 1, "{trouble:?}");
        clock.advance(secs(1));
        host.answers(200, document);
        assert_eq!(ids(&keys, query).await, ["a"], "{trouble:?}");
        assert_eq!(host.attempts(), 2, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_key_that_was_withdrawn_is_not_used_any_more() {
    let (host, keys, clock) = host();
    let query = KeyQuery::new("https://keys.test/k", Some("a"), KeyForm::Pem);
    host.answers(200, pem(1));
    assert_eq!(ids(&keys, query.clone()).await, ["a"]);
    host.fails(Trouble::Status(410));
    clock.advance(secs(3601));
    assert_eq!(outcome(&keys, query).await, "unknown");
}

#[tokio::test]
async fn a_key_that_is_new_in_a_set_is_found_within_a_minute_and_not_turned_away_until_then() {
    let (host, keys, clock) = host();
    host.answers(200, set(&["old"]));
    assert_eq!(ids(&keys, named("old")).await, ["old"]);
    host.answers(200, set(&["old", "new"]));
    // Whoever sends it must try again, not give up.
    assert_eq!(outcome(&keys, named("new")).await, "unavailable");
    assert_eq!(host.fetches(), 1);
    clock.advance(secs(60));
    assert_eq!(ids(&keys, named("new")).await, ["new"]);
    assert_eq!(ids(&keys, named("old")).await, ["old"]);
    assert_eq!(host.fetches(), 2);
}

#[tokio::test]
async fn ids_that_a_stranger_invents_cost_one_fetch_a_minute() {
    let (host, keys, clock) = host();
    host.answers(200, set(&["a"]));
    for minute in 1..=3 {
        for invented in 0..1000 {
            // The first of the minute was looked for.
            let expected = if invented == 0 { "unknown" } else { "unavailable" };
            assert_eq!(outcome(&keys, named(&format!("{minute}-{invented}"))).await, expected, "{minute}-{invented}");
        }
        assert_eq!(host.fetches(), minute);
        clock.advance(secs(59));
        assert_eq!(outcome(&keys, named("one more")).await, "unavailable");
        assert_eq!(host.fetches(), minute);
        clock.advance(secs(1));
    }
}

#[tokio::test]
async fn any_number_of_requests_at_once_cause_one_fetch() {
    let (host, keys, _) = host();
    host.answers(200, set(&["a"]));
    host.holds_back(true);
    let waiting: Vec<_> = (0..10_000)
        .map(|index| {
            let id = if index % 2 == 0 { "a".to_owned() } else { format!("invented-{index}") };
            tokio::spawn(keys.keys(named(&id), at(NOW)))
        })
        .collect();
    let_others_run().await;
    host.holds_back(false);
    for (index, answer) in join_all(waiting).await.into_iter().enumerate() {
        let expected = if index % 2 == 0 { "keys" } else { "unknown" };
        assert_eq!(what(&answer.unwrap()), expected, "{index}");
    }
    assert_eq!(host.fetches(), 1);
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait_for_it() {
    for trouble in [Trouble::Status(500), Trouble::Refused, Trouble::Panics] {
        let (host, keys, _) = host();
        host.fails(trouble);
        host.holds_back(true);
        let waiting: Vec<_> = (0..100).map(|_| tokio::spawn(keys.keys(named("a"), at(NOW)))).collect();
        let_others_run().await;
        host.holds_back(false);
        for answer in join_all(waiting).await {
            assert_eq!(what(&answer.unwrap()), "unavailable", "{trouble:?}");
        }
        assert_eq!(host.attempts(), 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn who_asked_first_may_leave_before_the_others() {
    let (host, keys, _) = host();
    host.answers(200, set(&["a"]));
    host.holds_back(true);
    let mut first = keys.keys(named("a"), at(NOW));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let second = tokio::spawn(keys.keys(named("a"), at(NOW)));
    let_others_run().await;
    drop(first);
    let_others_run().await;
    host.holds_back(false);
    assert_eq!(what(&second.await.unwrap()), "keys");
    assert_eq!(host.fetches(), 1);
}

#[tokio::test]
async fn urls_that_strangers_choose_push_out_no_key_that_is_in_use() {
    let (host, keys, clock) = host();
    let keys = keys.max_entries(8);
    let chosen = |name: &str| KeyQuery::new(format!("https://keys.test/{name}"), None, KeyForm::Pem);
    host.answers(200, set(&["a"]));
    ids(&keys, named("a")).await;
    host.answers(200, pem(1));
    for good in ["good-1", "good-2", "good-3"] {
        assert_eq!(outcome(&keys, chosen(good)).await, "keys");
    }

    host.fails(Trouble::Status(404));
    for index in 0..100 {
        assert_eq!(outcome(&keys, chosen(&format!("invented-{index}"))).await, "unknown");
    }
    clock.advance(secs(60));
    let before = host.fetches();
    for good in ["good-1", "good-2", "good-3"] {
        assert_eq!(outcome(&keys, chosen(good)).await, "keys");
    }
    assert_eq!(ids(&keys, named("a")).await, ["a"]);
    assert_eq!(host.fetches(), before);

    // Where all are good, the one that was used last is not the one that goes.
    host.answers(200, pem(2));
    for index in 0..20 {
        assert_eq!(outcome(&keys, chosen(&format!("other-{index}"))).await, "keys");
        assert_eq!(outcome(&keys, chosen("good-1")).await, "keys");
    }
    assert_eq!(host.fetches(), before + 20);
}

#[tokio::test]
async fn urls_that_strangers_choose_are_not_all_fetched() {
    let (host, keys, clock) = host();
    let chosen = |index: u32| KeyQuery::new(format!("https://keys.test/{index}"), None, KeyForm::Pem);
    host.answers(200, pem(1));
    assert_eq!(outcome(&keys, chosen(0)).await, "keys");

    host.fails(Trouble::Status(404));
    let mut outcomes = Vec::new();
    for index in 1..1000 {
        outcomes.push(outcome(&keys, chosen(index)).await);
    }
    assert_eq!(host.fetches(), 120, "in one minute");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "unknown").count(), 119);
    assert!(outcomes.ends_with(&["unavailable"]), "what was not asked may be there");

    // Neither what is known nor what a scheme names is kept waiting.
    assert_eq!(outcome(&keys, chosen(0)).await, "keys");
    host.answers(200, set(&["a"]));
    assert_eq!(ids(&keys, named("a")).await, ["a"]);

    clock.advance(secs(60));
    host.answers(200, pem(1));
    assert_eq!(outcome(&keys, chosen(2000)).await, "keys");

    // Nor are there ever many at once.
    clock.advance(secs(60));
    host.holds_back(true);
    let waiting: Vec<_> = (3000..3100).map(|index| tokio::spawn(keys.keys(chosen(index), at(NOW)))).collect();
    let_others_run().await;
    host.holds_back(false);
    let answers = join_all(waiting).await.into_iter().map(Result::unwrap);
    assert_eq!(answers.filter(|answer| answer.is_ok()).count(), 16);
}

#[tokio::test]
async fn the_same_url_under_other_rules_is_another_key() {
    let (host, keys, _) = host();
    host.answers(200, pem(1));
    let url = "https://keys.test/k";
    assert_eq!(outcome(&keys, KeyQuery::new(url, None, KeyForm::Pem)).await, "keys");
    assert_eq!(outcome(&keys, KeyQuery::new(url, None, KeyForm::JwkSet)).await, "unavailable");
    assert_eq!(outcome(&keys, certificate(url, &[HostRule::Exact("keys.test".into())])).await, "unavailable");
    assert_eq!(outcome(&keys, certificate(url, &[HostRule::Exact("other.test".into())])).await, "forbidden");
    assert_eq!(host.fetches(), 3);
}

#[tokio::test]
async fn urls_that_are_not_the_providers_are_never_fetched() {
    let (host, keys, _) = host();
    let rules = [
        HostRule::Region { before: "sns.".into(), after: ".amazonaws.com".into() },
        HostRule::Suffix(".paypal.com".into()),
    ];
    for url in [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://sns.amazonaws.com.evil.example/a.pem",
        "https://sns.a.b.amazonaws.com/a.pem",
        "https://evil.s3.amazonaws.com/a.pem",
        "https://sns.s3.amazonaws.com/a.pem",
        "https://sns.s3-us-west-2.amazonaws.com/a.pem",
        "https://sns.s3-accelerate.amazonaws.com/a.pem",
        "https://evilpaypal.com/a.pem",
        "https://api.paypal.com@evil.example/a.pem",
        "https://user:password@api.paypal.com/a.pem",
        "https://api.paypal.com:443/a.pem",
        "https://api.paypal.com:8443/a.pem",
        "https://api.paypal.com./a.pem",
        "https://api.paypal.com\\@evil.example/a.pem",
        "https://api.paypal.com/?Action=ListTopics",
        "https://169.254.169.254/latest/meta-data",
        "https://2852039166/latest/meta-data",
        "https://0xa9fea9fe/latest/meta-data",
        "https://[::ffff:169.254.169.254]/latest/meta-data",
        "file:///etc/passwd",
        "",
    ] {
        assert_eq!(outcome(&keys, certificate(url, &rules)).await, "forbidden", "{url}");
    }
    for url in ["http://keys.test/jwks", "https://127.0.0.1/jwks", "https://user@keys.test/jwks", "keys.test/jwks"] {
        assert_eq!(outcome(&keys, KeyQuery::new(url, None, KeyForm::JwkSet)).await, "forbidden", "{url}");
    }
    assert_eq!(host.attempts(), 0);
}

#[tokio::test]
async fn documents_without_a_usable_key_are_no_answer() {
    let many_begins = "-----BEGIN ".repeat(5000);
    for (form, document) in [
        (KeyForm::JwkSet, ""),
        (KeyForm::JwkSet, "null"),
        (KeyForm::JwkSet, "[]"),
        (KeyForm::JwkSet, "{}"),
        (KeyForm::JwkSet, r#"{"keys":{}}"#),
        (KeyForm::JwkSet, r#"{"keys":[]}"#),
        (KeyForm::JwkSet, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#),
        (KeyForm::JwkSet, r#"{"keys":[{"kty":"RSA"}]}"#),
        (KeyForm::JwkSet, "<html>"),
        (KeyForm::JwkSet, &pem(1)),
        (KeyForm::JwkSet, "\u{1f511}"),
        (KeyForm::Pem, ""),
        (KeyForm::Pem, "<html>"),
        (KeyForm::Pem, "-----BEGIN PUBLIC KEY-----"),
        (KeyForm::Pem, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
        (KeyForm::Pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
        (KeyForm::Pem, &set(&["a"])),
        (KeyForm::Pem, &"07".repeat(32)),
        (KeyForm::Pem, &many_begins),
    ] {
        let (host, keys, _) = host();
        host.answers(200, document);
        let query = KeyQuery::new(SET, Some("a"), form);
        assert_eq!(outcome(&keys, query).await, "unavailable", "{}", &document[..document.len().min(60)]);
    }
}

#[tokio::test]
async fn what_is_not_understood_in_a_set_is_left_out() {
    let (host, keys, _) = host();
    let known = jwk(1, Some("a"));
    let without_name = jwk(2, None);
    let of_other_use = known.replace(r#""kid":"a""#, r#""kid":"enc","use":"enc""#);
    let document = format!(r#"{{"keys":[{{"kty":"new"}},{of_other_use},{known},{without_name}],"more":1}}"#);
    host.answers(200, &document);
    let found = keys.keys(named("a"), at(NOW)).await.unwrap();
    assert_eq!(found.iter().map(|found| found.key.clone()).collect::<Vec<_>>(), [key(1)]);
    let found = keys.keys(named("unknown"), at(NOW)).await.unwrap();
    assert_eq!(found.iter().map(|found| found.key.clone()).collect::<Vec<_>>(), [key(2)], "the one without a name");
    let found = keys.keys(KeyQuery::new(SET, None, KeyForm::JwkSet), at(NOW)).await.unwrap();
    assert_eq!(found.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_takes_too_long_is_given_up_on() {
    let silent = service_fn(|_: Request<NoBody>| async {
        std::future::pending::<()>().await;
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let dripping = service_fn(|_: Request<NoBody>| async {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(secs(1)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b" "))), ()))
        });
        Ok::<_, Infallible>(Response::new(StreamBody::new(drops).boxed_unsync()))
    });
    for (name, keys) in [("silent", RemoteKeys::new(silent)), ("dripping", RemoteKeys::new(dripping))] {
        let keys = keys.with_clock(clock()).timeout(secs(3));
        let began = tokio::time::Instant::now();
        assert_eq!(outcome(&keys, named("a")).await, "unavailable", "{name}");
        assert_eq!(began.elapsed().as_secs(), 3, "{name}");
    }
}

#[tokio::test]
async fn answers_are_read_up_to_a_limit_whatever_they_announce() {
    let read = Calls::default();
    let counted = read.clone();
    let endless = service_fn(move |_: Request<NoBody>| {
        let counted = counted.clone();
        let frames = futures_util::stream::unfold((), move |()| {
            counted.add();
            async { Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; 1024]))), ())) }
        });
        async { Ok::<_, Infallible>(Response::new(StreamBody::new(frames).boxed_unsync())) }
    });
    let keys = RemoteKeys::new(endless).max_size(10 * 1024);
    assert_eq!(outcome(&keys, named("a")).await, "unavailable");
    assert_eq!(read.count(), 11);

    let document = set(&["a"]);
    for (limit, expected) in [(document.len() - 1, "unavailable"), (document.len(), "keys"), (usize::MAX, "keys")] {
        let (host, keys, _) = host();
        host.answers(200, &document);
        assert_eq!(outcome(&keys.max_size(limit), named("a")).await, expected, "{limit}");
    }
}

#[tokio::test]
async fn the_service_is_made_ready_before_it_is_called() {
    #[derive(Default)]
    struct Strict {
        ready: bool,
    }

    impl Clone for Strict {
        fn clone(&self) -> Self {
            Self::default()
        }
    }

    impl Service<Request<NoBody>> for Strict {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<String>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<NoBody>) -> Self::Future {
            assert!(std::mem::take(&mut self.ready), "called before it was ready");
            assert_eq!((request.method().as_str(), request.uri()), ("GET", &SET.parse().unwrap()));
            std::future::ready(Ok(Response::new(set(&["a"]))))
        }
    }

    assert_eq!(ids(&RemoteKeys::new(Strict::default()), named("a")).await, ["a"]);
}

#[test]
fn without_a_runtime_there_are_no_keys_and_no_panic() {
    let (host, keys, clock) = host();
    host.answers(200, set(&["a"]));
    let answer = now(keys.keys(named("a"), at(NOW))).unwrap();
    assert_eq!(what(&answer), "unavailable");
    clock.advance(secs(31));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(outcome(&keys, named("a"))), "keys");

    // A fetch that is under way when its runtime ends keeps nobody waiting elsewhere.
    clock.advance(secs(4000));
    host.holds_back(true);
    host.answers(200, set(&["b"]));
    runtime.block_on(async {
        let mut asked = keys.keys(named("b"), at(NOW));
        assert!(poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx))).await.is_pending());
        let_others_run().await;
    });
    drop(runtime);
    host.holds_back(false);
    clock.advance(secs(31));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(ids(&keys, named("b"))), ["b"]);
}

#[tokio::test]
async fn errors_hold_nothing_of_what_was_fetched_or_asked() {
    let (host, keys, _) = host();
    host.answers(200, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----");
    let error = keys.keys(KeyQuery::new(SET, Some("attacker"), KeyForm::Pem), at(NOW)).await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}"), format!("{keys:?}")] {
        assert!(!text.contains("c2VjcmV0") && !text.contains("attacker") && !text.contains("keys.test"), "{text}");
    }
}

#[tokio::test]
async fn keys_come_over_tls_by_either_protocol() {
    for protocols in [&["h2", "http/1.1"][..], &["h2"], &["http/1.1"], &[]] {
        let server = HttpsServer::start(&["keys.test"], protocols, |request| {
            assert_eq!(request.uri().path(), "/jwks");
            assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("tower-webhook/"));
            reply(200, set(&["a"]))
        })
        .await;
        assert_eq!(ids(&over_tls(&server, "keys.test"), named("a")).await, ["a"], "{protocols:?}");
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_somebody_else_is_not_asked() {
    let answer = |_: &Request<_>| reply(200, set(&["a"]));
    let server = HttpsServer::start(&["other.test"], &["h2"], answer).await;
    assert_eq!(outcome(&over_tls(&server, "keys.test"), named("a")).await, "unavailable", "another name");

    let server = HttpsServer::start(&["keys.test"], &["h2"], answer).await;
    let untrusting = HttpsFetcher::new().unwrap().resolve_to("keys.test", server.address);
    assert_eq!(outcome(&RemoteKeys::new(untrusting), named("a")).await, "unavailable", "an authority of its own");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_server_without_tls_is_not_believed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, answer).await;
        }
    });
    let fetcher = HttpsFetcher::new().unwrap().resolve_to("keys.test", address);
    assert_eq!(outcome(&RemoteKeys::new(fetcher).timeout(secs(2)), named("a")).await, "unavailable");
}

#[tokio::test]
async fn servers_that_misbehave_are_not_waited_for_followed_or_read_to_the_end() {
    type Answering = fn() -> Reply;
    let cases: [(&str, Answering, &str); 9] = [
        ("redirects", || redirect("/elsewhere"), "unavailable"),
        ("redirects to another host", || redirect("https://169.254.169.254/latest/meta-data"), "unavailable"),
        ("never ends", endless, "unavailable"),
        ("never begins", hanging, "unavailable"),
        ("announces a gigabyte", || announcing(1 << 30), "unavailable"),
        ("announces more than it sends", || announcing(100), "unavailable"),
        ("is not there", || reply(404, ""), "unavailable"),
        ("breaks", || reply(500, ""), "unavailable"),
        ("answers well", || reply(200, set(&["a"])), "keys"),
    ];
    let both = ["h2", "http/1.1"].into_iter().flat_map(|protocol| cases.map(|case| (protocol, case)));
    // Next to each other, for some of them are waited for in vain.
    join_all(both.map(|(protocol, (name, answer, expected))| async move {
        let server = HttpsServer::start(&["keys.test"], &[protocol], move |request| {
            assert_ne!(request.uri().path(), "/elsewhere", "a redirect was followed");
            answer()
        })
        .await;
        let keys = over_tls(&server, "keys.test").timeout(secs(2));
        assert_eq!(outcome(&keys, named("a")).await, expected, "{name}, {protocol}");
        assert_eq!(server.requests(), 1, "{name}, {protocol}");
    }))
    .await;
}

#[tokio::test]
async fn roots_that_are_none_are_refused_when_fetchers_are_built() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", &pem(1)] {
        assert!(HttpsFetcher::new().unwrap().with_root(pem).is_err(), "{pem}");
        assert!(RemoteKeys::https().unwrap().trust_roots(pem).is_err(), "{pem}");
    }
}

fn over_tls(server: &HttpsServer, host: &str) -> RemoteKeys {
    let fetcher = HttpsFetcher::new().unwrap().with_root(&server.authority).unwrap();
    RemoteKeys::new(fetcher.resolve_to(host, server.address))
}

/// A host that answers as it is told, keys from there, and their clock.
fn host() -> (Host, RemoteKeys, ManualClock) {
    let (host, clock) = (Host::default(), clock());
    let keys = RemoteKeys::new(host.fetcher()).with_clock(clock.clone());
    (host, keys, clock)
}

#[derive(Clone, Default)]
struct Host {
    attempts: Calls,
    fetches: Calls,
    script: Arc<Mutex<Script>>,
    held_back: Arc<watch::Sender<bool>>,
}

#[derive(Clone, Default)]
struct Script {
    trouble: Option<Trouble>,
    status: u16,
    body: String,
    header: Option<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Status(u16),
    NotReady,
    Refused,
    Garbage,
    BreaksOff,
    Panics,
}

impl Host {
    fn answers(&self, status: u16, body: impl Into<String>) {
        let mut script = self.script.lock().unwrap();
        (script.status, script.body, script.trouble) = (status, body.into(), None);
    }

    fn with_header(&self, name: &'static str, value: Option<&'static str>) {
        self.script.lock().unwrap().header = value.map(|value| (name, value));
    }

    fn fails(&self, trouble: Trouble) {
        self.script.lock().unwrap().trouble = Some(trouble);
    }

    /// Lets answers wait, or lets them go.
    fn holds_back(&self, hold: bool) {
        self.held_back.send_replace(hold);
    }

    /// How many requests it answered, and how many were tried.
    fn fetches(&self) -> usize {
        self.fetches.count()
    }

    fn attempts(&self) -> usize {
        self.attempts.count()
    }

    fn fetcher(&self) -> Fetcher {
        Fetcher(self.clone())
    }
}

#[derive(Clone)]
struct Fetcher(Host);

impl Service<Request<NoBody>> for Fetcher {
    type Response = Response<UnsyncBoxBody<Bytes, io::Error>>;
    type Error = io::Error;
    type Future = futures_util::future::BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.script.lock().unwrap().trouble {
            Some(Trouble::NotReady) => {
                self.0.attempts.add();
                Poll::Ready(Err(io::Error::other("not ready")))
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, _: Request<NoBody>) -> Self::Future {
        let Host { attempts, fetches, script, held_back } = self.0.clone();
        attempts.add();
        Box::pin(async move {
            held_back.subscribe().wait_for(|held| !held).await.unwrap();
            let script = script.lock().unwrap().clone();
            let body = |text: String| Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
            let (status, body) = match script.trouble {
                None => (script.status, body(script.body)),
                Some(Trouble::Status(status)) => (status, body(script.body)),
                Some(Trouble::Garbage) => (200, body("\u{0}<garbage".to_owned())),
                Some(Trouble::BreaksOff) => {
                    let frames = [Ok(Frame::data(Bytes::from(script.body))), Err(io::Error::other("broken off"))];
                    (200, StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync())
                }
                Some(Trouble::Panics) => panic!("part of the test"),
                Some(Trouble::Refused | Trouble::NotReady) => return Err(io::Error::other("refused")),
            };
            fetches.add();
            let mut response = Response::builder().status(status);
            if let Some((name, value)) = script.header {
                response = response.header(name, value);
            }
            Ok(response.body(body).unwrap())
        })
    }
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

/// The key of this id in the set.
fn named(id: &str) -> KeyQuery {
    KeyQuery::new(SET, Some(id), KeyForm::JwkSet)
}

fn certificate(url: &str, rules: &[HostRule]) -> KeyQuery {
    KeyQuery::new(url, None, KeyForm::Certificate { hosts: rules.into(), name: "".into() })
}

/// A set with a key for each of these ids.
fn set(ids: &[&str]) -> String {
    let keys: Vec<_> = ids.iter().zip(1..).map(|(id, seed)| jwk(seed, Some(id))).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn jwk(seed: u8, id: Option<&str>) -> String {
    let id = id.map(|id| format!(r#""kid":"{id}","#)).unwrap_or_default();
    format!(r#"{{{id}"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, URL_SAFE_NO_PAD.encode([seed; 32]))
}

fn pem(seed: u8) -> String {
    let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let der = [&prefix[..], &[seed; 32]].concat();
    let base64 = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}

fn key(seed: u8) -> PublicKey {
    PublicKey::parse(&format!("{seed:02x}").repeat(32)).unwrap()
}

/// The ids of the keys that are found.
async fn ids(keys: &RemoteKeys, query: KeyQuery) -> Vec<String> {
    let found = keys.keys(query, at(NOW)).await.unwrap();
    found.iter().map(|found| found.id.as_deref().unwrap_or_default().to_owned()).collect()
}

async fn outcome(keys: &RemoteKeys, query: KeyQuery) -> &'static str {
    what(&keys.keys(query, at(NOW)).await)
}

fn what(answer: &Result<Arc<[FoundKey]>, KeyError>) -> &'static str {
    match answer {
        Ok(_) => "keys",
        Err(KeyError::Forbidden { .. }) => "forbidden",
        Err(KeyError::Unknown) => "unknown",
        Err(KeyError::Untrusted { .. }) => "untrusted",
        Err(KeyError::Unavailable { .. }) => "unavailable",
        Err(other) => panic!("{other:?}"),
    }
}

/// The answer, if nothing has to be waited for.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
