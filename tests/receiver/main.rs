//! The receiver example, used as anyone would: a file, a port, requests.

#![cfg(all(feature = "axum", feature = "serde"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod around;
mod browser;
#[cfg(unix)]
#[path = "../support/example.rs"]
mod example;
mod harness;
#[allow(dead_code, reason = "the example tells more of it")]
#[path = "../../examples/receiver/live/mod.rs"]
mod live;
mod page;
#[path = "../support/redis_server.rs"]
mod redis_server;
mod settings;
mod ten_minutes;

use std::process::Command;

use harness::*;
use serde_json::Value;
use tower_webhook::{clock::UnixTime, provider, scheme::SchemeBuilder};

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

#[cfg(unix)]
#[test]
fn a_polite_request_to_stop_ends_it_without_an_error() {
    let mut receiver = Receiver::start(&endpoint("/stripe", "stripe", &keys()));
    let id = receiver.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(receiver.child.wait().unwrap().success());
}
