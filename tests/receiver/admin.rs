//! The listener for operators: what it counts, and whom it answers.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower_webhook::{
    clock::{Clock, SystemClock, UnixTime},
    provider,
};

use crate::harness::*;

#[test]
fn what_is_counted_is_what_was_sent_on_the_page_as_in_the_metrics() {
    let endpoints = [
        endpoint("/stripe", "stripe", &format!("keys = ['{CANARY}', '{CANARY}-old']")),
        endpoint("/github", "github", &format!("{}\nhandler = {{ status = 500 }}", keys())),
        endpoint("/trial", "github", &format!("{}\nreport_only = true", keys())),
        endpoint("/down", "slack", &format!("{}\nreplay = 'redis://127.0.0.1:1'", keys())),
    ];
    let (receiver, admin) = Receiver::start_with_admin(&endpoints.concat());
    assert_eq!(receiver.said()["endpoint"], "endpoint 4 (/down)", "a warning of its store");
    assert_eq!(admin.status()["endpoints"][0]["window"], serde_json::json!({}), "nothing yet");
    send_some_of_each(&receiver);

    let status = admin.status();
    let endpoint = |index: usize| &status["endpoints"][index];
    for (index, path, window) in [
        (0, "/stripe", serde_json::json!({ "handled": 4, "rejected": 4, "duplicate": 2 })),
        (1, "/github", serde_json::json!({ "failed": 1 })),
        (2, "/trial", serde_json::json!({ "handled": 2 })),
        (3, "/down", serde_json::json!({ "rejected": 1 })),
    ] {
        assert_eq!((&endpoint(index)["path"], &endpoint(index)["window"]), (&path.into(), &window));
        assert_eq!(endpoint(index)["ever"], window, "{path}");
    }
    assert_eq!((&endpoint(0)["is_trial"], &endpoint(2)["is_trial"]), (&false.into(), &true.into()));
    assert_eq!(status["stages"][0]["count"], 14);
    let mut reasons: Vec<String> =
        status["reasons"].as_array().unwrap().iter().map(|reason| reason.to_string()).collect();
    reasons.sort();
    let reason = |path: &str, provider: &str, reason: &str, is_trial: bool, count: u64| serde_json::json!({ "reason": reason, "path": path, "provider": provider, "is_trial": is_trial, "count": count });
    let mut expected = [
        reason("/stripe", "stripe", "signature_mismatch", false, 3),
        reason("/stripe", "stripe", "stale", false, 1),
        reason("/trial", "github", "signature_mismatch", true, 1),
        reason("/down", "slack", "store_unavailable", false, 1),
    ]
    .map(|reason| reason.to_string());
    expected.sort();
    assert_eq!(reasons, expected);
    let stores = serde_json::json!([
        { "name": "replay:/stripe", "entries": 4, "capacity": 1_000_000, "is_available": null },
        { "name": "replay:/github", "entries": 0, "capacity": 1_000_000, "is_available": null },
        { "name": "replay:/down", "entries": null, "capacity": null, "is_available": true },
    ]);
    assert_eq!((&status["stores"], &status["buffered_bytes"]), (&stores, &0.into()));
    let youngest = &status["recent"][0];
    assert_eq!((&youngest["path"], &youngest["outcome"]), (&"/down".into(), &"rejected".into()));

    let metrics = admin.metrics();
    for line in [
        r#"webhook_requests_total{provider="stripe",outcome="handled",code="2xx"} 4"#,
        r#"webhook_requests_total{provider="stripe",outcome="rejected",code="unauthenticated"} 4"#,
        r#"webhook_requests_total{provider="stripe",outcome="duplicate",code="duplicate_delivery"} 2"#,
        r#"webhook_requests_total{provider="github",outcome="failed",code="5xx"} 1"#,
        r#"webhook_requests_total{provider="github",outcome="handled",code="2xx"} 2"#,
        r#"webhook_requests_total{provider="slack",outcome="rejected",code="unavailable"} 1"#,
        r#"webhook_rejections_total{provider="stripe",reason="signature_mismatch"} 3"#,
        r#"webhook_rejections_total{provider="stripe",reason="stale"} 1"#,
        r#"webhook_keys_used_total{provider="stripe",key="1"} 1"#,
        r#"webhook_duplicates_total{provider="stripe"} 2"#,
        r#"webhook_store_errors_total{provider="slack",error="unavailable"} 1"#,
        r#"webhook_duration_seconds_bucket{provider="stripe",stage="total",le="+Inf"} 10"#,
    ] {
        assert!(metrics.lines().any(|written| written == line), "no {line} in:\n{metrics}");
    }
    assert!(!metrics.contains("quantile="), "histograms have buckets:\n{metrics}");
}

/// To `/stripe`: 4 genuine ones (one with the old key), 3 forged, 1 stale, 2 replays. One that fails, two in a trial, and one without its store.
fn send_some_of_each(receiver: &Receiver) {
    let stripe = provider::STRIPE.signer(CANARY).unwrap();
    let old = provider::STRIPE.signer(format!("{CANARY}-old")).unwrap();
    let forger = provider::STRIPE.signer("another secret, of a forger").unwrap();
    let github = provider::GITHUB.signer(CANARY).unwrap();
    let stranger = provider::GITHUB.signer("another secret, of a forger").unwrap();
    let slack = provider::SLACK.signer(CANARY).unwrap();
    let body = |id: &str| format!(r#"{{"id":"{id}","type":"invoice.paid"}}"#);
    for (signer, ids, status) in [
        (&stripe, &["a", "b", "c"][..], 200),
        (&old, &["d"], 200),
        (&stripe, &["a", "b"], 200),
        (&forger, &["e", "f", "g"], 401),
    ] {
        for id in ids {
            assert_eq!(receiver.send(&Sent::now("/stripe", signer, id, &body(id))).status, status, "{id}");
        }
    }
    let hour_ago = UnixTime::from_secs(SystemClock.now().unwrap().as_secs() - 3600);
    assert_eq!(receiver.send(&Sent::signed("/stripe", &stripe, "h", &body("h"), hour_ago)).status, 401);
    assert_eq!(receiver.send(&Sent::now("/github", &github, "i", "{}")).status, 500);
    assert_eq!(receiver.send(&Sent::now("/trial", &github, "j", "{}")).status, 200);
    assert_eq!(receiver.send(&Sent::now("/trial", &stranger, "k", "{}")).status, 200);
    assert_eq!(receiver.send(&Sent::now("/down", &slack, "l", "{}")).status, 503);
}

#[test]
fn gates_and_limits_around_an_endpoint_are_counted_too() {
    let gated = format!("{}\nallow_sources = ['192.0.2.0/24']", keys());
    let limited = format!("{}\nrate_limit = {{ per_minute = 1, burst = 2, charge = 'failures' }}", keys());
    let (receiver, admin) =
        Receiver::start_with_admin(&(endpoint("/gated", "stripe", &gated) + &endpoint("/limited", "stripe", &limited)));
    let forger = provider::STRIPE.signer("another secret, of a forger").unwrap();
    for (path, status) in [("/gated", 403), ("/limited", 401), ("/limited", 401), ("/limited", 429)] {
        assert_eq!(receiver.send(&Sent::now(path, &forger, "", "{}")).status, status, "{path}");
    }
    let status = admin.status();
    assert_eq!(status["endpoints"][0]["window"]["rejected"], 1);
    assert_eq!(status["endpoints"][1]["window"]["rejected"], 3);
    assert_eq!(status["stores"][2]["name"], "rate:/limited");
    let metrics = admin.metrics();
    for line in [
        r#"webhook_rejections_total{provider="stripe",reason="source_not_allowed"} 1"#,
        r#"webhook_rejections_total{provider="stripe",reason="rate_limited"} 1"#,
        r#"webhook_rate_limit_total{provider="stripe",decision="limited"} 1"#,
    ] {
        assert!(metrics.lines().any(|written| written == line), "no {line} in:\n{metrics}");
    }
}

#[test]
fn a_burst_of_forgeries_is_an_anomaly_of_its_endpoint_alone() {
    let (receiver, admin) =
        Receiver::start_with_admin(&(endpoint("/stripe", "stripe", &keys()) + &endpoint("/other", "stripe", &keys())));
    let genuine = provider::STRIPE.signer(CANARY).unwrap();
    let forger = provider::STRIPE.signer("another secret, of a forger").unwrap();
    assert_eq!(receiver.send(&Sent::now("/other", &genuine, "", "{}")).status, 200);
    assert_eq!(admin.status()["anomalies"], serde_json::json!([]));
    for _ in 0..100 {
        assert_eq!(receiver.send(&Sent::now("/stripe", &forger, "", "{}")).status, 401);
    }
    let status = admin.status();
    let anomalies = status["anomalies"].as_array().unwrap();
    assert_eq!(anomalies.len(), 1, "one for as long as it lasts: {anomalies:?}");
    let anomaly = &anomalies[0];
    let facts = ["path", "kind", "ended"].map(|fact| anomaly[fact].clone());
    assert_eq!(facts, ["/stripe".into(), "forgery_burst".into(), Value::Null]);
    let text = anomaly["text"].as_str().unwrap();
    assert!(text.starts_with("from 127.0.0.1: ") && text.contains("expected"), "{text}");
    let metrics = admin.metrics();
    for line in [
        r#"webhook_anomalies_total{provider="stripe",kind="forgery_burst"} 1"#,
        r#"webhook_anomaly_active{provider="stripe",kind="forgery_burst"} 1"#,
    ] {
        assert!(metrics.lines().any(|written| written == line), "no {line} in:\n{metrics}");
    }
}

#[test]
fn a_clock_that_stands_still_takes_its_time() {
    let settings = format!("{}\nnow = 1700000000\nhandler = {{ delay_ms = 20 }}", keys());
    let (receiver, admin) = Receiver::start_with_admin(&endpoint("/stripe", "stripe", &settings));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    let sent = Sent::signed("/stripe", &signer, "a", r#"{"id":"a"}"#, UnixTime::from_secs(1_699_999_990));
    assert_eq!(receiver.send(&sent).status, 200);
    let status = admin.status();
    let handler = &status["stages"].as_array().unwrap()[5];
    assert!(handler["stage"] == "handler" && handler["p50"].as_f64().unwrap() >= 0.018, "{handler}");
    let skew = r#"webhook_clock_skew_seconds_sum{provider="stripe"} 10"#;
    assert!(admin.metrics().lines().any(|line| line == skew), "by that clock");
}

#[test]
fn strangers_find_nothing_of_it_on_the_listener_for_webhooks() {
    let (receiver, _) = Receiver::start_with_admin(&endpoint("/stripe", "stripe", &keys()));
    for path in ["/metrics", "/status", "/status.json"] {
        let get = Sent { method: "GET".into(), target: path.into(), headers: Vec::new(), body: Vec::new() };
        assert_eq!((receiver.send(&get).status, path), (404, path));
    }
}

#[test]
fn only_who_means_this_listener_is_answered() {
    let (_receiver, admin) = Receiver::start_with_admin(&endpoint("/stripe", "stripe", &keys()));
    let port = admin.address.port();
    for (host, expected) in [
        (format!("host: 127.0.0.1:{port}\r\n"), 200),
        (format!("host: localhost:{port}\r\n"), 200),
        ("host: LOCALHOST\r\n".into(), 200),
        (format!("host: [::1]:{port}\r\n"), 200),
        (format!("host: rebound.example:{port}\r\n"), 421),
        ("host: localhost.rebound.example\r\n".into(), 421),
        ("host: 127.0.0.1.rebound.example\r\n".into(), 421),
        ("host: localhost@rebound.example\r\n".into(), 421),
        ("host: 192.0.2.1\r\n".into(), 421),
        ("host: \r\n".into(), 421),
        (String::new(), 421),
        ("host: localhost\r\nhost: rebound.example\r\n".into(), 421),
    ] {
        for path in ["/status", "/status.json", "/metrics", "/"] {
            let (status, _, body) = admin.ask(&format!("GET {path} HTTP/1.1\r\n{host}"));
            let expected = if path == "/" && expected == 200 { 307 } else { expected };
            // Hosts that are none, or two, may be refused by HTTP itself.
            assert!(status == expected || expected == 421 && status == 400, "{host:?} {path}: {status}");
            assert!(expected == 200 || !body.contains("webhook_") && !body.contains("endpoints"), "{body}");
        }
    }
    let (status, ..) = admin.ask("GET http://rebound.example/status HTTP/1.1\r\nhost: localhost\r\n");
    assert_eq!(status, 421, "what the target names counts as well");
}

#[test]
fn it_can_be_read_and_not_written_to() {
    let (_receiver, admin) = Receiver::start_with_admin(&endpoint("/stripe", "stripe", &keys()));
    for path in ["/metrics", "/status", "/status.json"] {
        for (method, expected) in
            [("GET", 200), ("HEAD", 200), ("POST", 405), ("PUT", 405), ("DELETE", 405), ("OPTIONS", 405)]
        {
            let (status, head, body) =
                admin.ask(&format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n"));
            assert_eq!(status, expected, "{method} {path}");
            assert!(method != "HEAD" || body.is_empty(), "{path}: {body}");
            assert!(expected == 200 || head.to_ascii_lowercase().contains("allow: get,head"), "{head}");
        }
    }
}

#[test]
fn no_answer_serves_another_page_and_the_page_runs_nothing_but_its_own() {
    let (_receiver, admin) = Receiver::start_with_admin(&endpoint("/stripe", "stripe", &keys()));
    let (_, head, page) = admin.get("/status");
    let hash = |tag: &str| {
        let (_, rest) = page.split_once(&format!("<{tag}>")).unwrap();
        let (inside, rest) = rest.split_once(&format!("</{tag}>")).unwrap();
        assert!(!rest.contains(&format!("<{tag}")), "one {tag}");
        BASE64.encode(Sha256::digest(inside))
    };
    let policy = format!(
        "content-security-policy: default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    );
    assert!(head.contains(&policy), "{policy}\n{head}");
    for part in ["src=", "@import", "url(", "innerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!page.contains(part), "{part} in the page");
    }
    for (path, kind) in [
        ("/status", "text/html; charset=utf-8"),
        ("/status.json", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/other", ""),
    ] {
        let (_, head, _) = admin.get(path);
        let kind = format!("content-type: {kind}");
        let lines = [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            if path == "/other" { "content-length: 0" } else { &kind },
        ];
        for line in lines {
            assert!(head.lines().any(|written| written == line), "{path}: no {line} in\n{head}");
        }
        assert!(head.contains("frame-ancestors 'none'") && !head.contains("access-control"), "{path}: {head}");
    }
}

#[test]
fn an_admin_listener_that_others_may_reach_is_warned_of() {
    let receiver = Receiver::start(&format!("admin = '0.0.0.0:0'\n{}", endpoint("/stripe", "stripe", &keys())));
    let line = receiver.said();
    assert_eq!(line["endpoint"], "admin");
    let warning = line["warning"].as_str().unwrap();
    assert!(warning.contains("0.0.0.0:") && warning.contains("others may reach"), "{warning}");
    let line = receiver.stdout.recv_timeout(PATIENCE).unwrap();
    let port: u16 = line.rsplit_once(':').unwrap().1.parse().unwrap();
    let admin = Admin { address: ([127, 0, 0, 1], port).into() };
    for (host, status) in [("192.0.2.1", 200), ("localhost", 200), ("rebound.example", 421)] {
        let (got, ..) = admin.ask(&format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n"));
        assert_eq!(got, status, "{host}: of its addresses it knows none, but names are names");
    }
}
