//! The receiver example, used as anyone would: a file, a port, requests.

#![cfg(all(feature = "axum", feature = "serde"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, Output, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::Deserialize;
use serde_json::Value;
use tower_webhook::{
    clock::{Clock, SystemClock, UnixTime},
    provider,
    scheme::{Expected, Outgoing, Part, Scheme, SchemeBuilder, Signer, Source},
};

/// In each secret of these tests, so that it is noticed wherever one comes out.
const CANARY: &str = "canary-5d41402abc4b2a76";

#[cfg(unix)]
#[path = "support/redis_server.rs"]
mod redis_server;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_known_answer_vector_gets_its_verdict() {
    let vectors: Vec<(String, Vector)> =
        catalogue_vectors().filter(|(provider, _)| !depends_on_target(provider)).collect();
    assert!(vectors.len() >= 170, "{} vectors", vectors.len());
    let endpoints: Vec<String> = vectors
        .iter()
        .enumerate()
        .map(|(index, (provider, vector))| {
            let settings = format!("{}\npublic_url = {}", vector.settings(), quoted(&vector.url));
            endpoint(&format!("/{index}"), provider, &settings)
        })
        .collect();
    let receiver = Receiver::start(&endpoints.concat());

    let wrong: Vec<String> = vectors
        .iter()
        .enumerate()
        .filter_map(|(index, (provider, vector))| {
            vector.judge(provider, &receiver.send(&vector.sent_to(&format!("/{index}"))))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
}

#[test]
fn schemes_that_look_at_the_url_take_path_and_query_from_the_request() {
    let signs_url = |provider: &str| ["hubspot-v3", "square"].contains(&provider) || depends_on_target(provider);
    let vectors = catalogue_vectors().filter(|(provider, _)| signs_url(provider));
    let wrong: Vec<String> = vectors
        .filter_map(|(provider, vector)| {
            let (origin, target) =
                vector.url.split_at("https://".len() + vector.url["https://".len()..].find('/').unwrap());
            let settings = format!("{}\npublic_origin = {}", vector.settings(), quoted(origin));
            let receiver = Receiver::start(&endpoint(target.split('?').next().unwrap(), &provider, &settings));
            vector.judge(&provider, &receiver.send(&vector.sent_to(target)))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_settings_together_do_what_they_say() {
    let receiver = Receiver::start(
        r#"
        [[endpoint]]
        path = "/stripe"
        provider = "stripe"
        keys = ["whsec_abc", "whsec_old"]
        public_origin = "https://hooks.example.com"
        max_body = 1048576
        tolerance_secs = 300
        now = 1700000000
        replay = "memory"
        retention_secs = 600
        rate_limit = { per_minute = 600, burst = 50 }
        handler = { status = 201, fail_first = 0, delay_ms = 0 }
        "#,
    );
    let signer = provider::STRIPE.signer("whsec_old").unwrap();
    let body = r#"{"id":"evt_1","type":"invoice.paid"}"#;
    for (signed_at, status) in [(1_699_999_700, 201), (1_699_999_699, 401), (1_700_000_301, 401)] {
        let answer = receiver.send(&Sent::signed("/stripe", &signer, "evt_1", body, UnixTime::from_secs(signed_at)));
        assert_eq!(answer.status, status, "signed at {signed_at}");
        if status == 201 {
            let expected = serde_json::json!({
                "provider": "stripe", "delivery_id": "evt_1", "event": "invoice.paid", "signed_at": signed_at, "key": 1, "body_len": 36,
                "body_sha256": "d0d68fc7e872c5939afbebc3266f9bf866148a28a9b90b787c8caacc700c6bc6", "calls": 1,
            });
            assert_eq!(answer.json(), expected);
        }
    }
}

#[test]
fn either_of_two_keys_is_good_and_the_report_says_which() {
    let keys = [format!("{CANARY}-new"), format!("{CANARY}-of-the-environment")];
    let receiver = Receiver::start(&format!(
        "[[endpoint]]\npath = '/github'\nprovider = 'github'\nkeys = ['{}', 'env:RECEIVER_TEST_KEY']",
        keys[0]
    ));
    for (index, key) in keys.iter().enumerate() {
        let signer = provider::GITHUB.signer(key).unwrap();
        let answer = receiver.send(&Sent::now("/github", &signer, &format!("id-{index}"), &format!("body {index}")));
        assert_eq!((answer.status, &answer.json()["key"]), (200, &index.into()));
    }
    let stranger = provider::GITHUB.signer("another secret").unwrap();
    let answer = receiver.send(&Sent::now("/github", &stranger, "id", "body"));
    assert_eq!((answer.status, answer.outcome()), (401, "signature_mismatch"));
}

#[test]
fn a_duplicate_is_acknowledged_without_the_handler() {
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &keys()));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    let delivery = |id: &str| Sent::now("/stripe", &signer, id, &format!(r#"{{"id":"{id}","type":"ping"}}"#));
    for (id, outcome, calls) in [("a", "accepted", 1), ("a", "replayed", 0), ("b", "accepted", 2), ("b", "replayed", 0)]
    {
        let answer = receiver.send(&delivery(id));
        assert_eq!((answer.status, answer.outcome()), (200, outcome), "{id}");
        assert_eq!((&answer.line["delivery_id"], &answer.line["event"]), (&id.into(), &"ping".into()));
        match outcome {
            "accepted" => assert_eq!(answer.json()["calls"], calls),
            _ => assert_eq!((&*answer.body, &answer.line["code"]), ("", &"duplicate_delivery".into())),
        }
    }
}

#[test]
fn without_replay_protection_the_handler_runs_each_time() {
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &format!("{}\nreplay = 'off'", keys())));
    let delivery = Sent::now("/stripe", &provider::STRIPE.signer(CANARY).unwrap(), "a", r#"{"id":"a"}"#);
    for calls in 1..=3 {
        assert_eq!(receiver.send(&delivery).json()["calls"], calls);
    }
}

#[test]
fn a_delivery_that_the_handler_failed_on_is_let_in_again() {
    const FAILED: (u16, &str) = (503, "handler_failed");
    const ACCEPTED: (u16, &str) = (200, "accepted");
    // Dropbox sends the same bytes for something new, so no delivery of its is ever a replay.
    for (scheme, outcomes) in [
        (provider::STRIPE, [FAILED, FAILED, ACCEPTED, (200, "replayed")]),
        (provider::DROPBOX, [FAILED, FAILED, ACCEPTED, ACCEPTED]),
    ] {
        let settings = format!("{}\nhandler = {{ fail_first = 2 }}", keys());
        let receiver = Receiver::start(&endpoint("/hook", scheme.name, &settings));
        let signer = scheme.signer(CANARY).unwrap();
        for id in ["a", "b"] {
            let delivery = Sent::now("/hook", &signer, id, &format!(r#"{{"id":"{id}"}}"#));
            for outcome in outcomes {
                let answer = receiver.send(&delivery);
                assert_eq!((answer.status, answer.outcome()), outcome, "{} {id}", scheme.name);
                assert_eq!(answer.is_report(), outcome.1 != "replayed");
            }
        }
    }
}

#[test]
fn an_answer_that_is_no_success_lets_the_delivery_in_again() {
    let receiver =
        Receiver::start(&endpoint("/stripe", "stripe", &format!("{}\nhandler = {{ status = 418 }}", keys())));
    let delivery = Sent::now("/stripe", &provider::STRIPE.signer(CANARY).unwrap(), "a", r#"{"id":"a"}"#);
    for calls in 1..=2 {
        let answer = receiver.send(&delivery);
        assert_eq!((answer.status, answer.outcome(), &answer.json()["calls"]), (418, "handler_failed", &calls.into()));
    }
}

#[test]
fn a_rate_limit_is_its_endpoints_own() {
    let limited = endpoint("/limited", "stripe", &format!("{}\nrate_limit = {{ per_minute = 1, burst = 2 }}", keys()));
    let receiver = Receiver::start(&(limited + &endpoint("/free", "stripe", &keys())));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    for (path, id, status) in [
        ("/limited", "a", 200),
        ("/limited", "b", 200),
        ("/limited", "c", 429),
        ("/free", "a", 200),
        ("/limited", "c", 429),
    ] {
        let answer = receiver.send(&Sent::now(path, &signer, id, &format!(r#"{{"id":"{id}"}}"#)));
        assert_eq!(answer.status, status, "{path} {id}");
        if status == 429 {
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
            assert_eq!(answer.line["code"], "rate_limited");
            assert!(answer.body.contains("rate_limited"), "{}", answer.body);
        }
    }
}

#[cfg(unix)]
#[test]
fn two_receivers_that_share_a_server_handle_a_delivery_once() {
    let Some(server) = redis_server::Server::start(&[]) else { return };
    let settings = format!("{}\nreplay = '{}'\nhandler = {{ delay_ms = 300 }}", keys(), server.url());
    let receivers = [(); 2].map(|()| Receiver::start(&endpoint("/stripe", "stripe", &settings)));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    for round in 0..5 {
        let delivery = Sent::now("/stripe", &signer, "a", &format!(r#"{{"id":"{round}"}}"#));
        let sent: Vec<_> = (0..10).map(|copy| receivers[copy % 2].open(&delivery)).collect();
        let answers: Vec<_> = sent.into_iter().map(read_answer).collect();
        let handled = answers.iter().filter(|(_, body)| body.contains("body_sha256")).count();
        let waiting = answers.iter().filter(|(head, _)| head.starts_with("HTTP/1.1 503")).count();
        let duplicates = answers.iter().filter(|(head, _)| head.contains("webhook-replay: duplicate")).count();
        assert_eq!((handled, waiting + duplicates), (1, 9), "round {round}: {answers:?}");
        for receiver in &receivers {
            let (head, body) = read_answer(receiver.open(&delivery));
            assert!(head.starts_with("HTTP/1.1 200") && body.is_empty(), "a replay is a duplicate for both: {head}");
        }
    }
}

#[cfg(unix)]
#[test]
fn two_receivers_that_share_a_server_share_a_limit_and_endpoints_do_not() {
    let Some(server) = redis_server::Server::start(&[]) else { return };
    let settings = format!(
        "{}\nreplay = '{url}'\nrate_limit = {{ per_minute = 1, burst = 4, store = '{url}' }}",
        keys(),
        url = server.url()
    );
    let endpoints = endpoint("/a", "stripe", &settings) + &endpoint("/b", "stripe", &settings);
    let receivers = [(); 2].map(|()| Receiver::start(&endpoints));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    for path in ["/a", "/b"] {
        let statuses: Vec<u16> = (0..6)
            .map(|id| receivers[id % 2].send(&Sent::now(path, &signer, "", &format!(r#"{{"id":"{id}"}}"#))).status)
            .collect();
        assert_eq!(statuses, [200, 200, 200, 200, 429, 429], "{path}");
    }
}

#[cfg(unix)]
#[test]
fn a_receiver_whose_server_is_killed_refuses_quickly_and_recovers() {
    let Some(mut server) = redis_server::Server::start(&[]) else { return };
    let settings = format!("{}\nreplay = '{}'", keys(), server.url());
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &settings));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    let mut id = 0;
    let mut send = || {
        id += 1;
        receiver.send(&Sent::now("/stripe", &signer, "", &format!(r#"{{"id":"{id}"}}"#)))
    };
    assert_eq!(send().status, 200);
    server.kill();
    let began = Instant::now();
    for _ in 0..20 {
        let answer = send();
        assert_eq!((answer.status, answer.outcome()), (503, "store_unavailable"));
        assert!(answer.header("retry-after").is_some());
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.restart();
    let restarted = Instant::now();
    while send().status != 200 {
        assert!(restarted.elapsed() < PATIENCE, "it does not recover");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn behind_trusted_proxies_a_rate_limit_is_each_clients_own() {
    let limited = |path: &str, proxies: &str| {
        endpoint(path, "stripe", &format!("{}\nrate_limit = {{ per_minute = 1 }}\n{proxies}", keys()))
    };
    let receiver = Receiver::start(
        &[
            limited("/x", "trusted_proxies = ['127.0.0.0/8', '10.0.0.0/8']\nforwarded = 'x-forwarded-for'"),
            limited("/forwarded", "trusted_proxies = ['127.0.0.1']\nforwarded = 'forwarded'"),
            limited("/hops", "trusted_proxies = 2\nforwarded = 'x-forwarded-for'"),
            limited("/others", "trusted_proxies = ['10.0.0.0/8']\nforwarded = 'x-forwarded-for'"),
            limited("/none", ""),
        ]
        .concat(),
    );
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    for (index, (path, name, value, status)) in [
        ("/x", "x-forwarded-for", "1.1.1.1", 200),
        ("/x", "x-forwarded-for", "9.9.9.9, 1.1.1.1, 10.0.0.1", 429),
        ("/x", "x-forwarded-for", "1.1.1.2", 200),
        ("/x", "forwarded", "for=1.1.1.3", 200),
        ("/x", "forwarded", "for=1.1.1.4", 429),
        ("/forwarded", "forwarded", "for=1.1.1.1;proto=https", 200),
        ("/forwarded", "forwarded", "for=\"[2001:db8::1]:80\"", 200),
        ("/forwarded", "forwarded", "for=\"[2001:db8::2]:80\"", 429),
        ("/hops", "x-forwarded-for", "1.1.1.1, 3.3.3.3", 200),
        ("/hops", "x-forwarded-for", "1.1.1.2, 3.3.3.3", 200),
        ("/hops", "x-forwarded-for", "9.9.9.9, 1.1.1.2, 3.3.3.3", 429),
        ("/others", "x-forwarded-for", "1.1.1.1", 200),
        ("/others", "x-forwarded-for", "1.1.1.2", 429),
        ("/none", "x-forwarded-for", "1.1.1.1", 200),
        ("/none", "x-forwarded-for", "1.1.1.2", 429),
    ]
    .into_iter()
    .enumerate()
    {
        let mut sent = Sent::now(path, &signer, "", &format!(r#"{{"id":"{index}"}}"#));
        sent.headers.push((name.into(), value.into()));
        assert_eq!(receiver.send(&sent).status, status, "{path} {name}: {value}");
    }
}

#[test]
fn what_is_no_delivery_is_refused_and_recorded() {
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &format!("{}\nmax_body = 100", keys())));
    let genuine = Sent::now("/stripe", &provider::STRIPE.signer(CANARY).unwrap(), "a", r#"{"id":"a"}"#);
    let long = "x".repeat(200);
    for (sent, status, outcome) in [
        (Sent { method: "GET".into(), ..genuine.clone() }, 405, "method_not_allowed"),
        (Sent { method: "BREW".into(), ..genuine.clone() }, 405, "method_not_allowed"),
        (Sent { headers: Vec::new(), ..genuine.clone() }, 401, "missing_signature"),
        (Sent { body: vec![b'x'; 101], ..genuine.clone() }, 413, "body_too_large"),
        (Sent { target: "/".into(), ..genuine.clone() }, 404, "not_found"),
        (Sent { target: "/stripe/".into(), ..genuine.clone() }, 404, "not_found"),
        (Sent { target: format!("/{long}"), ..genuine.clone() }, 404, "not_found"),
    ] {
        let answer = receiver.send(&sent);
        assert_eq!((answer.status, answer.outcome()), (status, outcome), "{} {}", sent.method, sent.target);
        assert!(!answer.is_report());
        assert_eq!(answer.line["delivery_id"], Value::Null);
        assert!(answer.line["path"].as_str().unwrap().len() <= 64);
        assert_eq!(answer.header("allow"), (status == 405).then_some("POST"));
    }
}

#[test]
fn what_a_sender_chose_is_short_and_harmless_in_the_record() {
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &keys()));
    let event = format!("\\u001b[2J\\u009b\\n\\\"{}", "é".repeat(200));
    let body = format!(r#"{{"id":"a","type":"{event}"}}"#);
    let answer = receiver.send(&Sent::now("/stripe", &provider::STRIPE.signer(CANARY).unwrap(), "a", &body));
    assert_eq!(answer.status, 200);
    let recorded = answer.line["event"].as_str().unwrap();
    assert_eq!(recorded.chars().count(), 64);
    assert!(!recorded.chars().any(char::is_control), "{recorded:?}");
}

#[test]
fn a_body_above_axums_own_limit_is_let_through_if_the_file_says_so() {
    let receiver = Receiver::start(&endpoint("/github", "github", &format!("{}\nmax_body = 4194304", keys())));
    let body = "x".repeat(4 * 1024 * 1024);
    let answer = receiver.send(&Sent::now("/github", &provider::GITHUB.signer(CANARY).unwrap(), "a", &body));
    assert_eq!((answer.status, &answer.json()["body_len"]), (200, &body.len().into()));
}

#[test]
fn a_client_that_hangs_up_leaves_a_record() {
    let receiver =
        Receiver::start(&endpoint("/stripe", "stripe", &format!("{}\nhandler = {{ delay_ms = 60000 }}", keys())));
    let delivery = Sent::now("/stripe", &provider::STRIPE.signer(CANARY).unwrap(), "a", r#"{"id":"a"}"#);
    // One of the two is being handled for sure when the other one is told so.
    let both = [receiver.open(&delivery), receiver.open(&delivery)];
    assert_eq!(receiver.line()["outcome"], "in_progress");
    drop(both);
    let line = receiver.line();
    assert_eq!(
        (&line["outcome"], &line["status"], &line["delivery_id"]),
        (&"client_gone".into(), &Value::Null, &"a".into())
    );
}

#[test]
fn a_scheme_of_ones_own_is_a_table() {
    let receiver = Receiver::start(&format!(
        "[[endpoint]]\npath = '/acme'\n{}\n[endpoint.scheme]\nname = 'acme'\nsignature = 'x-acme-signature'\n\
         timestamp = 'header:x-acme-timestamp'\nmessage = '{{timestamp}}.{{body}}'\n",
        keys()
    ));
    let acme = SchemeBuilder::new("acme")
        .signature("x-acme-signature")
        .timestamp("header:x-acme-timestamp")
        .message("{timestamp}.{body}")
        .build()
        .unwrap();
    let answer = receiver.send(&Sent::now("/acme", &acme.signer(CANARY).unwrap(), "", "anything"));
    assert_eq!((answer.status, &answer.json()["provider"]), (200, &"acme".into()));
    assert_eq!(answer.line["provider"], "acme");
}

#[test]
fn settings_that_make_no_sense_are_refused_in_words_that_hold_no_secret() {
    let stripe = |settings: &str| endpoint("/stripe", "stripe", settings);
    let good = |settings: &str| stripe(&format!("{}\n{settings}", keys()));
    let limited = |settings: &str| good(&format!("rate_limit = {{ per_minute = 1 }}\n{settings}"));
    let of_scheme = |scheme: &str| format!("[[endpoint]]\npath = '/acme'\n{}\nscheme = {{ {scheme} }}", keys());
    for (what, endpoints, words) in [
        ("a secret without quotes", stripe(&format!("keys = [{CANARY}]")), &["line 5", "not TOML"][..]),
        ("a quote that is not closed", stripe(&format!("keys = ['{CANARY}]")), &["line 5", "not TOML"]),
        ("nothing to receive", String::new(), &["add an `[[endpoint]]`"]),
        ("one bracket too few", good("").replace("[[endpoint]]", "[endpoint]"), &["`endpoint`", "expected a list"]),
        (
            "an unknown setting",
            good("tolerance = 5"),
            &["endpoint 1 (/stripe)", "unknown field `tolerance`", "`tolerance_secs`"],
        ),
        (
            "a secret in an unknown setting",
            good(&format!("secret = '{CANARY}'")),
            &["endpoint 1", "unknown field `secret`", "`keys`"],
        ),
        ("an unknown part of the handler", good("handler = { code = 200 }"), &["`handler`", "unknown field `code`"]),
        (
            "an unknown part of the rate limit",
            good("rate_limit = { per_hour = 200 }"),
            &["`rate_limit`", "`per_minute`"],
        ),
        ("an unknown top-level setting", "listn = ''\n".to_owned() + &good(""), &["unknown field `listn`", "`listen`"]),
        ("no keys at all", stripe(""), &["endpoint 1 (/stripe)", "missing field `keys`"]),
        ("a key that is no list", stripe(&format!("keys = '{CANARY}'")), &["`keys`", "expected a list"]),
        (
            "names for other keys",
            stripe("keys = ['a', 'b']\nkey_ids = ['2026-11']"),
            &["endpoint 1 (/stripe)", "`key_ids`", "each of the `keys`"],
        ),
        (
            "a file that is not there",
            stripe("keys = ['file:/nowhere/key']"),
            &["`keys`", "`/nowhere/key`", "cannot be read"],
        ),
        ("keys that nobody publishes", stripe("keys = 'fetch'"), &["`keys`", "`stripe`", "configured"]),
        ("a parameter that is missing", endpoint("/", "paypal", "keys = 'fetch'"), &["`parameters`", "`webhook-id`"]),
        (
            "a parameter that is no text",
            stripe(&format!("{}\nparameters = {{ a = 1 }}", keys())),
            &["`parameters", "expected a string"],
        ),
        ("a key that is no text", stripe("keys = [1234567]"), &["`keys`", "expected a string"]),
        ("an empty list", stripe("keys = []"), &["`keys`", "at least one"]),
        ("an empty secret", stripe("keys = ['']"), &["endpoint 1 (/stripe)", "`keys`", "position 0", "empty"]),
        (
            "a blank one among good ones",
            stripe(&format!("keys = ['{CANARY}', ' ']")),
            &["`keys`", "position 1", "blank"],
        ),
        (
            "the same secret twice",
            stripe(&format!("keys = ['{CANARY}', '{CANARY}']")),
            &["`keys`", "position 1", "same secret"],
        ),
        ("a secret of the wrong form", endpoint("/", "standard-webhooks", &keys()), &["`keys`", "whsec_"]),
        (
            "an unset variable",
            stripe("keys = ['env:RECEIVER_TEST_UNSET']"),
            &["`keys`", "`RECEIVER_TEST_UNSET` is not set"],
        ),
        ("an empty variable", stripe("keys = ['env:RECEIVER_TEST_EMPTY']"), &["`keys`", "position 0", "empty"]),
        (
            "no provider",
            format!("[[endpoint]]\npath = '/x'\n{}", keys()),
            &["endpoint 1 (/x)", "`provider`", "missing"],
        ),
        ("an unknown provider", endpoint("/x", "strpie", &keys()), &["`provider`", "`strpie`", "stripe"]),
        (
            "provider and scheme",
            good("scheme = { name = 'acme', signature = 'x-sig' }"),
            &["`scheme`", "contradicts `provider`"],
        ),
        (
            "an ambiguous scheme",
            of_scheme("name = 'acme', signature = 'x-sig', message = '{header:a}{body}'"),
            &["`scheme`", "apart"],
        ),
        (
            "a secret in a scheme",
            of_scheme(&format!("name = 'acme', signature = 'x-sig', secret = '{CANARY}'")),
            &["unknown field `secret`"],
        ),
        ("the same path twice", good("") + &good(""), &["endpoint 2 (/stripe)", "`path`", "endpoint 1"]),
        ("a path without a slash", endpoint("stripe", "stripe", &keys()), &["`path`", "must start with `/`"]),
        ("a path with a pattern", endpoint("/{any}", "stripe", &keys()), &["`path`"]),
        ("retention without memory", good("replay = 'off'\nretention_secs = 600"), &["`retention_secs`", "leave one"]),
        ("retention that is too short", good("retention_secs = 599"), &["`retention_secs`", "600 or more"]),
        ("a memory that does not exist", good("replay = 'disk'"), &["`replay`", "`memory` or `off`"]),
        (
            "a server that is none",
            good(&format!("replay = 'redis://:{CANARY}@localhost:port'")),
            &["`replay`", "redis://user:password@host"],
        ),
        (
            "limits in a server that is none",
            good(&format!("rate_limit = {{ per_minute = 1, store = 'http://{CANARY}' }}")),
            &["`rate_limit.store`", "`memory`", "redis://localhost"],
        ),
        (
            "a server that the environment does not name",
            good("replay = 'env:RECEIVER_TEST_NOTHING'"),
            &["`replay`", "`RECEIVER_TEST_NOTHING` is not set"],
        ),
        (
            "a tolerance for no time",
            endpoint("/github", "github", &format!("{}\ntolerance_secs = 5", keys())),
            &["`tolerance_secs`", "signs no time"],
        ),
        ("a tolerance of a century", good("tolerance_secs = 3153600000"), &["`tolerance_secs`", "more than a year"]),
        ("a status that is none", good("handler = { status = 99 }"), &["`handler.status`", "200 to 599"]),
        ("a status that ends nothing", good("handler = { status = 101 }"), &["`handler.status`", "200 to 599"]),
        (
            "a status beyond numbers",
            good("handler = { status = 70000 }"),
            &["`handler.status`", "expected a whole number"],
        ),
        ("a limit that lets nothing through", good("rate_limit = { per_minute = 0 }"), &["`rate_limit`", "at least 1"]),
        (
            "proxies that write nobody knows what",
            limited("trusted_proxies = ['10.0.0.0/8']"),
            &["`forwarded`", "missing", "x-forwarded-for"],
        ),
        ("a header that nobody writes", limited("forwarded = 'forwarded'"), &["`trusted_proxies`", "missing"]),
        (
            "proxies for nothing",
            good("trusted_proxies = 1\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "`rate_limit`"],
        ),
        (
            "a header that is none of the two",
            limited("trusted_proxies = 1\nforwarded = 'x-real-ip'"),
            &["`forwarded`", "`x-forwarded-for`"],
        ),
        (
            "a proxy that is no list",
            limited("trusted_proxies = '10.0.0.0/8'\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "in square brackets, or a number"],
        ),
        (
            "no proxies",
            limited("trusted_proxies = []\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "none is named"],
        ),
        (
            "not even one proxy",
            limited("trusted_proxies = 0\nforwarded = 'forwarded'"),
            &["`trusted_proxies`", "none is trusted"],
        ),
        (
            "a network with host bits",
            limited("trusted_proxies = ['10.0.0.5/8']\nforwarded = 'forwarded'"),
            &["endpoint 1 (/stripe)", "`trusted_proxies`", "`10.0.0.5/8`", "bits are set"],
        ),
        ("no room for bodies", good("max_body = 0"), &["`max_body`", "leave it out"]),
        ("less than no room", good("max_body = -1"), &["`max_body`", "expected a whole number"]),
        (
            "a URL that nobody knows",
            endpoint("/square", "square", &keys()),
            &["`public_origin`", "`square` signs the URL", "https://"],
        ),
        ("an origin that is none", good("public_origin = 'hooks.example.com'"), &["`public_origin`", "https://"]),
        (
            "an origin with a path",
            good("public_origin = 'https://hooks.example.com/'"),
            &["`public_origin`", "without a slash"],
        ),
        (
            "two URLs",
            good("public_origin = 'https://a.example'\npublic_url = 'https://a.example/x'"),
            &["`public_url`", "contradicts"],
        ),
    ] {
        refuses(what, &format!("listen = '127.0.0.1:0'\n{endpoints}"), words);
    }
    refuses("an address that is none", &format!("listen = 'localhost'\n{}", good("")), &["`listen`", "127.0.0.1:8080"]);
    refuses("no address", &good(""), &["missing field `listen`"]);

    let nowhere = run(Path::new("no-such-file.toml")).wait_with_output().unwrap();
    assert_refused("no file", &nowhere, &["no-such-file.toml", "cannot be read"]);
}

#[cfg(unix)]
#[test]
fn a_polite_request_to_stop_ends_it_without_an_error() {
    let mut receiver = Receiver::start(&endpoint("/stripe", "stripe", &keys()));
    let id = receiver.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(receiver.child.wait().unwrap().success());
}

fn refuses(what: &str, toml: &str, words: &[&str]) {
    let file = TempFile::new(toml);
    assert_refused(what, &run(&file.0).wait_with_output().unwrap(), words);
}

fn assert_refused(what: &str, output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{what}: {said}");
    assert!(output.stdout.is_empty(), "{what}");
    assert!(!said.contains(CANARY) && !said.contains("1234567"), "{what}: {said}");
    assert_eq!(said.lines().count(), 1, "{what}: {said}");
    for word in words {
        assert!(said.contains(word), "{what}: `{word}` is not in: {said}");
    }
}

fn keys() -> String {
    format!("keys = ['{CANARY}']")
}

fn endpoint(path: &str, provider: &str, settings: &str) -> String {
    format!("[[endpoint]]\npath = {}\nprovider = {}\n{settings}\n", quoted(path), quoted(provider))
}

/// JSON's strings are TOML's as well.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A known answer, see `tests/vectors/README.md`.
#[derive(Deserialize)]
struct Vector {
    name: String,
    secret: Option<String>,
    #[serde(default)]
    keys: Vec<NamedKey>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
    now: Option<u64>,
    expect: String,
    id: Option<String>,
    event: Option<String>,
}

/// Whether path or query of a request say anything that the public URL does not.
fn depends_on_target(provider: &str) -> bool {
    let scheme = provider::find(provider).unwrap();
    let is_query = |source: Source<'_>| matches!(source, Source::Query(_));
    let looks_at_target = |parts: &[Part<'_>]| {
        parts.iter().any(|part| matches!(part, Part::Target | Part::Path | Part::Query(_) | Part::Canonical(_)))
    };
    let claims = scheme.jws.iter().flat_map(|jws| jws.claims).any(|claim| match claim.expected {
        Expected::Sha256(parts, _) => looks_at_target(parts),
        _ => false,
    });
    let places = [scheme.id, scheme.event, scheme.timestamp.map(|time| time.source), Some(scheme.signature.place)];
    claims || looks_at_target(scheme.message) || places.into_iter().flatten().any(is_query)
}

#[derive(Deserialize)]
struct NamedKey {
    id: Option<String>,
    key: String,
}

fn catalogue_vectors() -> impl Iterator<Item = (String, Vector)> {
    #[derive(Deserialize)]
    struct File {
        provider: String,
        vectors: Vec<Vector>,
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    provider::ALL.iter().flat_map(move |Scheme { name, .. }| {
        let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let File { provider, vectors } = serde_json::from_str(&text).unwrap();
        assert_eq!(provider, *name);
        vectors.into_iter().map(move |vector| (provider.clone(), vector))
    })
}

impl Vector {
    fn settings(&self) -> String {
        let list = |texts: Vec<&str>| texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ");
        let keys = self.secret.iter().map(String::as_str).chain(self.keys.iter().map(|key| &*key.key)).collect();
        let ids: Vec<&str> = self.keys.iter().filter_map(|key| key.id.as_deref()).collect();
        let parameters: Vec<_> =
            self.parameters.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
        let mut settings = format!("keys = [{}]\nparameters = {{ {} }}\n", list(keys), parameters.join(", "));
        if !ids.is_empty() {
            settings += &format!("key_ids = [{}]\n", list(ids));
        }
        settings + &self.now.map_or(String::new(), |now| format!("now = {now}"))
    }

    fn sent_to(&self, target: &str) -> Sent {
        let body = match (&self.body, &self.body_base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => BASE64.decode(base64).unwrap(),
            _ => panic!("{}: one body is needed", self.name),
        };
        Sent {
            method: self.method.clone(),
            target: target.to_owned(),
            headers: self.headers.clone().into_iter().collect(),
            body,
        }
    }

    /// What is wrong with the answer, if anything is.
    fn judge(&self, provider: &str, answer: &Answer) -> Option<String> {
        let is_right = if self.expect == "valid" {
            let report = if answer.is_report() { answer.json() } else { Value::Null };
            let (id, event) = (report["delivery_id"].as_str(), report["event"].as_str());
            answer.status == 200
                && report["provider"] == provider
                && id == self.id.as_deref()
                && (self.event.is_none() || event == self.event.as_deref())
                && answer.outcome() == "accepted"
                && answer.line["delivery_id"].as_str().map(str::to_owned) == id.map(|id| id.chars().take(64).collect())
        } else {
            (400..500).contains(&answer.status) && !answer.is_report() && answer.line["delivery_id"].is_null()
        };
        (!is_right).then(|| {
            format!(
                "{provider}, {}: expected {} {:?} {:?}, got {answer:?}",
                self.name, self.expect, self.id, self.event
            )
        })
    }
}

#[derive(Clone)]
struct Sent {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn now(path: &str, signer: &Signer, id: &str, body: &str) -> Self {
        Self::signed(path, signer, id, body, SystemClock.now().unwrap())
    }

    fn signed(path: &str, signer: &Signer, id: &str, body: &str, now: UnixTime) -> Self {
        let url = format!("https://hooks.example.com{path}");
        let request = Outgoing { id: Some(id), now, ..Outgoing::post(&url, body.as_bytes()) };
        let headers = signer.sign(&request).unwrap();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Self { method: "POST".into(), target: path.into(), headers: headers.collect(), body: body.into() }
    }

    fn as_http(&self) -> Vec<u8> {
        let length = self.body.len();
        let mut text = format!("{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let mut bytes = format!("{text}content-length: {length}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
    /// What the receiver recorded.
    line: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Whether the handler ran.
    fn is_report(&self) -> bool {
        self.body.contains("body_sha256")
    }

    fn outcome(&self) -> &str {
        self.line["outcome"].as_str().unwrap()
    }
}

/// A running receiver, stopped on drop.
struct Receiver {
    child: Child,
    address: SocketAddr,
    lines: mpsc::Receiver<String>,
    _file: TempFile,
}

impl Receiver {
    fn start(endpoints: &str) -> Self {
        let file = TempFile::new(&format!("listen = '127.0.0.1:0'\n{endpoints}"));
        let mut child = run(&file.0);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send_first, first) = mpsc::channel();
        let (send_lines, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send_first.send(line)));
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send_lines.send(line)));
        let Ok(first) = first.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the receiver did not start: {:?}", lines.recv_timeout(PATIENCE));
        };
        let address = first.strip_prefix("listening on http://").expect(&first).parse().expect(&first);
        Self { child, address, lines, _file: file }
    }

    /// Sends a request, and does not wait for the answer.
    fn open(&self, sent: &Sent) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&sent.as_http()).unwrap();
        stream
    }

    fn send(&self, sent: &Sent) -> Answer {
        let mut answer = Vec::new();
        // Who refuses before having read everything may reset the connection after the answer.
        let read = self.open(sent).read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?} {read:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(!answer.contains(CANARY), "{answer}");
        let line = self.line();
        assert_eq!(line["status"], status);
        Answer { status, head: head.to_owned(), body: body.to_owned(), line }
    }

    /// The next record: one for each request.
    fn line(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("no record of the request");
        assert!(!line.contains(CANARY), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        for field in ["path", "provider", "status", "outcome", "code", "delivery_id", "event", "ms"] {
            assert!(line.get(field).is_some(), "no {field} in {line}");
        }
        line
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Head and body, without the record: for several requests at once.
fn read_answer(mut stream: TcpStream) -> (String, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn run(file: &Path) -> Child {
    Command::new(&*BINARY)
        .arg(file)
        .env("RECEIVER_TEST_KEY", format!("{CANARY}-of-the-environment"))
        .env("RECEIVER_TEST_EMPTY", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The example beside this test. `cargo test` has built it, unless it was told to build only some tests.
static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let binary = profile.join("examples").join(format!("receiver{}", env::consts::EXE_SUFFIX));
    if !is_fresh(&binary) {
        let name = profile.file_name().unwrap().to_str().unwrap();
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", "receiver", "--features", "axum,serde"])
            .args(["--profile", if name == "debug" { "dev" } else { name }])
            .arg("--target-dir")
            .arg(profile.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.unwrap().success(), "the receiver does not build");
    }
    binary
});

/// Whether it is there, and younger than all that it was built from.
fn is_fresh(binary: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let Some(built) = changed(binary) else { return false };
    let sources = fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let mut sources = sources.split_whitespace().skip(1).map(Path::new).peekable();
    sources.peek().is_some() && sources.all(|source| changed(source).is_some_and(|changed| changed < built))
}

/// A file of this test, removed on drop.
struct TempFile(PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("receiver-test-{}-{number}.toml", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
