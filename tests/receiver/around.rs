//! What is around an endpoint: gates, limits, proxies, and stores that several receivers share.

use std::{
    thread,
    time::{Duration, Instant},
};

use tower_webhook::provider;

use crate::{harness::*, redis_server};

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

#[test]
fn a_limit_may_count_the_failures_of_an_address_or_the_deliveries_of_a_sender() {
    let limited = |path: &str, limit: &str| {
        endpoint(path, "stripe", &format!("{}\nrate_limit = {{ per_minute = 1, burst = 2, {limit} }}", keys()))
    };
    let receiver = Receiver::start(
        &[
            limited("/all", "charge = 'all', key = 'address'"),
            limited("/failures", "charge = 'failures'"),
            limited("/sender", "key = 'sender'"),
        ]
        .concat(),
    );
    let genuine = provider::STRIPE.signer(CANARY).unwrap();
    let forger = provider::STRIPE.signer("another secret, of a forger").unwrap();
    let (genuine, forged) = ((&genuine, 200), (&forger, 401));
    for (path, sent) in [
        ("/all", [forged, forged, (genuine.0, 429), (forged.0, 429)]),
        ("/failures", [genuine, forged, genuine, genuine]),
        ("/failures", [forged, (forged.0, 429), (genuine.0, 429), (genuine.0, 429)]),
        ("/sender", [forged, forged, forged, genuine]),
        ("/sender", [genuine, (genuine.0, 429), forged, (genuine.0, 429)]),
    ] {
        for (index, (signer, status)) in sent.into_iter().enumerate() {
            let body = format!(r#"{{"id":"{path} {index} {}"}}"#, sent[0].1);
            let answer = receiver.send(&Sent::now(path, signer, "", &body));
            assert_eq!(answer.status, status, "{path} {index}: {}", answer.line);
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

#[cfg(unix)]
#[test]
fn a_server_that_may_forget_deliveries_is_warned_of_at_the_start() {
    let options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(server) = redis_server::Server::start(&options) else { return };
    let settings = format!("{}\nreplay = '{}'", keys(), server.url());
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &settings));
    let line = receiver.said();
    assert_eq!(line["endpoint"], "endpoint 1 (/stripe)");
    assert!(line["warning"].as_str().unwrap().contains("allkeys-lru"), "{line}");
    let delivery = Sent::now("/stripe", &provider::STRIPE.signer(CANARY).unwrap(), "a", r#"{"id":"a"}"#);
    assert_eq!(receiver.send(&delivery).status, 200, "it is only a warning");
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
fn gates_look_at_what_trusted_proxies_say() {
    let proxies = "trusted_proxies = ['127.0.0.1']\nforwarded = 'x-forwarded-for'";
    let gated = |path: &str, gate: &str| endpoint(path, "stripe", &format!("{}\n{gate}", keys()));
    let receiver = Receiver::start(
        &[
            gated("/https", &format!("require_https = true\n{proxies}")),
            gated("/sources", &format!("allow_sources = ['192.0.2.0/24']\n{proxies}")),
            gated("/peers", "allow_sources = ['192.0.2.0/24']"),
            gated("/loopback", "allow_sources = ['127.0.0.0/8']"),
        ]
        .concat(),
    );
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    for (index, (path, headers, status, code)) in [
        ("/https", &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")][..], 200, ""),
        ("/https", &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "http")], 403, "https_required"),
        ("/https", &[], 403, "https_required"),
        ("/sources", &[("x-forwarded-for", "192.0.2.1")], 200, ""),
        ("/sources", &[("x-forwarded-for", "192.0.2.1, 198.51.100.1")], 403, "source_not_allowed"),
        ("/sources", &[], 403, "source_not_allowed"),
        ("/peers", &[("x-forwarded-for", "192.0.2.1")], 403, "source_not_allowed"),
        ("/loopback", &[], 200, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let mut sent = Sent::now(path, &signer, "", &format!(r#"{{"id":"{index}"}}"#));
        sent.headers.extend(headers.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let answer = receiver.send(&sent);
        assert_eq!((answer.status, answer.line["code"].as_str().unwrap_or("")), (status, code), "{path} {headers:?}");
    }
}

#[test]
fn handshakes_are_answered_and_are_no_deliveries() {
    let tokens = format!("{}\nverify_tokens = ['{CANARY}-verify', 'another']", keys());
    let receiver = Receiver::start(
        &[
            endpoint("/slack", "slack", &keys()),
            endpoint("/off", "slack", &format!("{}\nhandshake = false", keys())),
            endpoint("/meta", "meta", &tokens),
            endpoint("/untold", "meta", &keys()),
        ]
        .concat(),
    );
    let signer = provider::SLACK.signer(CANARY).unwrap();
    let verification =
        r#"{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
    let slack = |path: &str| Sent::now(path, &signer, "", verification);
    let get =
        |target: &str| Sent { method: "GET".into(), target: target.into(), headers: Vec::new(), body: Vec::new() };
    let subscribe = |path: &str, token: &str| {
        get(&format!("{path}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"))
    };
    for (sent, status, outcome, body) in [
        (slack("/slack"), 200, "handshake", "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"),
        (slack("/off"), 200, "accepted", "body_sha256"),
        (subscribe("/meta", "another"), 200, "handshake", "1158201444"),
        (subscribe("/meta", "a-third"), 401, "unexpected_handshake", "unauthenticated"),
        (subscribe("/untold", "another"), 405, "method_not_allowed", "method_not_allowed"),
    ] {
        let answer = receiver.send(&sent);
        assert_eq!((answer.status, answer.outcome()), (status, outcome), "{}: {}", sent.target, answer.line);
        assert!(answer.body.contains(body), "{}: {}", sent.target, answer.body);
        assert_eq!(answer.is_report(), outcome == "accepted", "{}", sent.target);
    }
}

#[test]
fn only_wanted_events_of_the_right_form_are_handled() {
    let schema = TempFile::new(r#"{"required":["id"],"properties":{"id":{"type":"string","maxLength":3}}}"#);
    let settings = format!(
        "{}\nallow_events = ['invoice.*', 'charge.refunded']\nschema = {}",
        keys(),
        quoted(schema.0.to_str().unwrap())
    );
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &settings));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    for (body, status, outcome) in [
        (r#"{"id":"a","type":"invoice.paid"}"#, 200, "accepted"),
        (r#"{"id":"b","type":"charge.refunded"}"#, 200, "accepted"),
        (r#"{"id":"c","type":"charge.failed"}"#, 200, "event_ignored"),
        (r#"{"id":"d"}"#, 200, "event_ignored"),
        (r#"{"id":"long","type":"invoice.paid"}"#, 422, "invalid_payload"),
        (r#"{"type":"invoice.paid"}"#, 422, "invalid_payload"),
    ] {
        let mut sent = Sent::now("/stripe", &signer, "", body);
        sent.headers.push(("content-type".into(), "application/json".into()));
        let answer = receiver.send(&sent);
        assert_eq!((answer.status, answer.outcome()), (status, outcome), "{body}: {}", answer.line);
        assert_eq!(answer.is_report(), outcome == "accepted", "{body}");
    }
}

#[test]
fn in_a_trial_everything_is_handled_and_what_would_be_refused_is_said() {
    let receiver = Receiver::start(&endpoint("/stripe", "stripe", &format!("{}\nreport_only = true", keys())));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    let forger = provider::STRIPE.signer("another secret, of a forger").unwrap();
    for (signer, reason) in [(&signer, None), (&forger, Some("signature_mismatch")), (&signer, None)] {
        let answer = receiver.send(&Sent::now("/stripe", signer, "", r#"{"id":"a"}"#));
        assert_eq!((answer.status, answer.outcome()), (200, "reported"), "{}", answer.line);
        assert_eq!(answer.line["code"].as_str(), reason);
        assert_eq!(answer.json()["would_be"], reason.unwrap_or("accepted"));
    }
}
