//! Deliveries beside handshakes, and what strangers can do with one for the other.

use std::convert::Infallible;

use aws_lc_rs::signature::KeyPair as _;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;
use tower::Layer;
use tower_webhook::{
    PeerAddr, handshake,
    layer::{BySender, ClientAddr, HandshakeLayer, RateLimitLayer, WebhookLayer},
    provider,
    scheme::Verifier,
    store::{MemoryRateStore, Quota},
};

use crate::site::*;
use crate::support::{Calls, NOW, SECRET, Sent, builder, memory, now, property, send, verifier, verifier_with};

#[tokio::test]
async fn deliveries_are_handled_as_if_there_were_no_handshakes() {
    fn discord(body: &str) -> Request<Body> {
        let signature = base16ct::lower::encode_string(EDWARDS.sign(format!("{NOW}{body}").as_bytes()).as_ref());
        let time = NOW.to_string();
        request("POST", "/", &[("x-signature-ed25519", &signature), ("x-signature-timestamp", &time)], body)
    }
    let large = format!(r#"{{"type":"url_verification","x":"{}","challenge":"abc"}}"#, "y".repeat(100_000));
    let by_us = |scheme, body: &str| sent(&Sent::new(scheme, body.to_owned()));
    let public_key = base16ct::lower::encode_string(EDWARDS.public_key().as_ref());
    let discord_verifier = || verifier_with(provider::DISCORD, &*public_key);
    for (case, provider, verifier, delivery) in [
        (
            "an event",
            "slack",
            verifier(provider::SLACK),
            by_us(provider::SLACK, r#"{"type":"event_callback","challenge":"abc"}"#),
        ),
        ("a form", "slack", verifier(provider::SLACK), by_us(provider::SLACK, "type=url_verification&challenge=abc")),
        ("no challenge", "slack", verifier(provider::SLACK), by_us(provider::SLACK, r#"{"type":"url_verification"}"#)),
        (
            "a strange one",
            "slack",
            verifier(provider::SLACK),
            by_us(provider::SLACK, r#"{"type":"url_verification","challenge":"<b>"}"#),
        ),
        ("large", "slack", verifier(provider::SLACK), by_us(provider::SLACK, &large)),
        (
            "a meeting",
            "zoom",
            verifier(provider::ZOOM),
            by_us(provider::ZOOM, r#"{"event":"meeting.started","payload":{"plainToken":"abc"}}"#),
        ),
        (
            "a colon",
            "zoom",
            verifier(provider::ZOOM),
            by_us(provider::ZOOM, r#"{"event":"endpoint.url_validation","payload":{"plainToken":"v0:1:{}"}}"#),
        ),
        (
            "an unsigned header says otherwise",
            "twitch",
            verifier(provider::TWITCH),
            sent(
                &Sent::new(provider::TWITCH, r#"{"subscription":{"status":"enabled"},"challenge":"abc"}"#)
                    .id("e76c6bd4")
                    .header("twitch-eventsub-message-type", "webhook_callback_verification"),
            ),
        ),
        ("a command", "discord", discord_verifier(), discord(r#"{"id":"1","type":2,"version":1,"data":{}}"#)),
        (
            "type 1 of events",
            "discord",
            discord_verifier(),
            discord(r#"{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED"}}"#),
        ),
        (
            "a validation at the head of a batch",
            "azure-event-grid-query-token",
            verifier_with(provider::AZURE_EVENT_GRID_QUERY_TOKEN, "hunter2"),
            request(
                "POST",
                "/?code=hunter2",
                &[("aeg-event-type", "Notification")],
                r#"[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"abc"}},{"eventType":"paid"}]"#,
            ),
        ),
        (
            "an invoice",
            "xero",
            verifier(provider::XERO),
            by_us(
                provider::XERO,
                r#"{"events":[{"resourceId":"717f2bfc","eventType":"UPDATE"}],"firstEventSequence":1,"lastEventSequence":1,"entropy":"S0m3"}"#,
            ),
        ),
        (
            "counted from zero",
            "xero",
            verifier(provider::XERO),
            by_us(
                provider::XERO,
                r#"{"events":[{"resourceId":"717f2bfc"}],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3"}"#,
            ),
        ),
        (
            "a tweet",
            "x-twitter",
            verifier(provider::X_TWITTER),
            by_us(provider::X_TWITTER, r#"{"for_user_id":"2244994945"}"#),
        ),
        ("a lead", "linkedin", verifier(provider::LINKEDIN), by_us(provider::LINKEDIN, r#"{"type":"LEAD_ACTION"}"#)),
        (
            "a file",
            "dropbox",
            verifier(provider::DROPBOX),
            by_us(provider::DROPBOX, r#"{"list_folder":{"accounts":["a"]},"challenge":"abc"}"#),
        ),
        (
            "not theirs",
            "stripe",
            verifier(provider::STRIPE),
            by_us(provider::STRIPE, r#"{"type":"url_verification","challenge":"abc"}"#),
        ),
    ] {
        let handshakes = HandshakeLayer::for_provider(provider, Some(SECRET)).unwrap();
        Site::new(verifier, handshakes, NOW).assert_handles(&format!("{provider}: {case}"), delivery).await;
    }
}

#[tokio::test]
async fn handshakes_cost_a_sender_nothing() {
    let clock = crate::support::clock();
    let rates = MemoryRateStore::new().with_clock(clock.clone());
    let calls = Calls::default();
    let layer = builder(verifier(provider::SLACK), memory(&clock), &clock)
        .then(RateLimitLayer::new(Quota::per_minute(1), BySender, rates))
        // Given after the limit, and met before it.
        .handshake(HandshakeLayer::for_provider("slack", None).unwrap())
        .build()
        .unwrap();
    let service = layer.layer(calls.handler());
    let challenge = || Sent::new(provider::SLACK, r#"{"type":"url_verification","challenge":"abc"}"#).request();
    for _ in 0..5 {
        assert_eq!(send(&service, challenge()).await.body, "abc");
    }
    assert_eq!(send(&service, Sent::new(provider::SLACK, r#"{"type":"event_callback"}"#).request()).await.status, 200);
    assert_eq!(send(&service, Sent::new(provider::SLACK, r#"{"type":"other"}"#).request()).await.status, 429);
    assert_eq!(send(&service, challenge()).await.body, "abc");
    assert_eq!(calls.count(), 1);
}

proptest! {
    #![proptest_config(property())]

    #[test]
    fn what_is_sent_back_is_what_came_and_harmless(bytes in prop::collection::vec(any::<u8>(), 1..40), is_graph: bool) {
        let (handshake, scheme, method, name) = match is_graph {
            true => (handshake::MICROSOFT_GRAPH, provider::MICROSOFT_GRAPH, "POST", "validationToken"),
            false => (handshake::DROPBOX, provider::DROPBOX, "GET", "challenge"),
        };
        let value: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let site = Site::new(verifier(scheme), answering(handshake, &[]), NOW);
        let answer = now(site.shake("any", request(method, &format!("/?{name}={value}"), &[], "")));
        let is_harmless = |byte: &u8| match is_graph {
            true => (b' '..=b'~').contains(byte) && !b"\"'`<>&\\".contains(byte),
            false => byte.is_ascii_alphanumeric() || b"+-./=_".contains(byte),
        };
        match bytes.iter().all(is_harmless) {
            true => prop_assert_eq!((answer.status.as_u16(), &*answer.body), (200, &*bytes)),
            false => prop_assert_eq!((answer.status.as_u16(), answer.reason()), (400, "malformed_challenge")),
        }
    }
}

#[tokio::test]
async fn a_limit_by_address_holds_for_handshakes_wherever_it_is_given() {
    let from = |address: u8, token: &str| {
        let target = format!("/?hub.mode=subscribe&hub.challenge=1&hub.verify_token={token}");
        let mut request = request("GET", &target, &[], "");
        request.extensions_mut().insert(PeerAddr(([192, 0, 2, address], 1).into()));
        request
    };
    let handshakes = || answering(handshake::META, &["right"]);
    let limit = || RateLimitLayer::new(Quota::per_minute(3), ClientAddr::new(), MemoryRateStore::new());
    let calls = Calls::default();
    let before = WebhookLayer::builder(verifier(provider::META)).rate_limit(limit()).handshake(handshakes());
    let before = before.build().unwrap().layer(calls.handler());
    let after = WebhookLayer::builder(verifier(provider::META)).handshake(handshakes()).rate_limit(limit());
    let after = after.build().unwrap().layer(calls.handler());
    for status in [200, 200, 200, 429] {
        assert_eq!(send(&before, from(1, "right")).await.status, status);
        assert_eq!(send(&after, from(1, "right")).await.status, status);
    }

    // Who guesses is stopped, and who knows is not.
    let failures = limit().charge_failures();
    let guessed = WebhookLayer::builder(verifier(provider::META)).handshake(handshakes()).rate_limit(failures);
    let guessed = guessed.build().unwrap().layer(calls.handler());
    for _ in 0..9 {
        assert_eq!(send(&guessed, from(1, "right")).await.status, 200);
    }
    for (token, status) in [("a", 401), ("b", 401), ("c", 401), ("right", 429)] {
        assert_eq!(send(&guessed, from(1, token)).await.status, status, "{token}");
    }
    assert_eq!(send(&guessed, from(2, "right")).await.status, 200);
}

/// X signs bodies and we sign tokens, both with the consumer secret: whoever asks for a token could deliver it.
#[tokio::test]
async fn what_is_signed_for_anyone_is_no_delivery() {
    let handshakes = answering(handshake::X_CRC, &[SECRET]);
    for token in ["123", "true", "null", "abc", "eyJhIjoxfQ==", "0"] {
        let site = Site::new(verifier(provider::X_TWITTER), handshakes.clone(), NOW);
        let crc = site.shake(token, request("GET", &format!("/?crc_token={token}"), &[], "")).await;
        let crc: serde_json::Value = serde_json::from_slice(&crc.body).unwrap();
        let signature = crc["response_token"].as_str().unwrap();
        let forged = || request("POST", "/", &[("x-twitter-webhooks-signature", signature)], token);
        let bare = Site::new(verifier(provider::X_TWITTER), HandshakeLayer::new(), NOW);
        bare.assert_handles("the attack is real", forged()).await;
        let answer = site.shake(token, forged()).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (401, "signature_mismatch"), "{token}");
    }
    // What could be a delivery is not signed in the first place.
    let site = Site::new(verifier(provider::X_TWITTER), handshakes, NOW);
    for token in ["%7B%22a%22:1%7D", "%5B%5D", "%221%22", "1,2", "1%202", "%7B%7D"] {
        let answer = site.shake(token, request("GET", &format!("/?crc_token={token}"), &[], "")).await;
        assert_eq!(answer.reason(), "malformed_challenge", "{token}");
    }
}

/// LinkedIn signs `hmacsha256=` and the body.
#[tokio::test]
async fn no_code_of_linkedin_is_the_start_of_a_delivery() {
    let site = Site::new(verifier(provider::LINKEDIN), answering(handshake::LINKEDIN, &[SECRET]), NOW);
    for code in ["hmacsha256=1", "hmacsha256%3D1", "hmacsha256%3Dtrue", "hmacsha256%3D%7B%7D"] {
        let answer = site.shake(code, request("GET", &format!("/?challengeCode={code}"), &[], "")).await;
        assert_eq!(answer.reason(), "malformed_challenge", "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_of_strangers_are_read_only_where_a_challenge_may_be() {
    let site = || {
        let verifier = Verifier::builder(provider::MONDAY).parameter("audience", "a").build(SECRET).unwrap();
        Site::new(verifier, answering(handshake::MONDAY, &[]), NOW)
    };
    let long = format!(r#"{{"challenge":"{}"}}"#, "a".repeat(257));
    for (body, reason) in [
        (r#"{"challenge":"abc","event":{"type":"create_pulse"}}"#, "missing_signature"),
        (r#"{"challenge":"abc","challenge":"def"}"#, "missing_signature"),
        (r#"{"event":{"challenge":"abc"}}"#, "missing_signature"),
        (r#"{"challenge":123}"#, "missing_signature"),
        (r#"{"challenge":"abc"}{}"#, "missing_signature"),
        (r#"{"challenge":"a\u0062c"}"#, "missing_signature"),
        (r#"[{"challenge":"abc"}]"#, "missing_signature"),
        ("challenge=abc", "missing_signature"),
        ("", "missing_signature"),
        (r#"{"challenge":"<script>"}"#, "malformed_challenge"),
        (r#"{"challenge":""}"#, "malformed_challenge"),
        (&*long, "malformed_challenge"),
    ] {
        let answer = site().shake(body, request("POST", "/", &[], body)).await;
        assert_eq!(answer.reason(), reason, "{body}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("abc"));
    }

    // Announced as too large, compressed, or with a token: not a byte is read.
    for (name, value) in [("content-length", "4097"), ("content-encoding", "gzip"), ("authorization", "Bearer x")] {
        let mut unread = request("POST", "/", &[(name, value)], "").map(|_| {
            let frames = futures_util::stream::poll_fn(|_| panic!("the body is read"));
            StreamBody::new(frames).boxed_unsync()
        });
        unread.headers_mut().insert("x", http::HeaderValue::from_static("y"));
        let answer = site().shake(name, unread).await;
        assert_eq!(answer.status.as_u16() / 100, 4, "{name}: {answer:?}");
    }

    // Not announced: read up to the bound.
    let endless = futures_util::stream::repeat_with(|| Ok(http_body::Frame::data(Bytes::from_static(&[b' '; 100]))));
    let answer =
        site().shake("endless", request("POST", "/", &[], "").map(|_| StreamBody::new(endless).boxed_unsync())).await;
    assert_eq!(answer.reason(), "body_too_large");
    let silent = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>();
    let answer =
        site().shake("silent", request("POST", "/", &[], "").map(|_| StreamBody::new(silent).boxed_unsync())).await;
    assert_eq!(answer.reason(), "body_timeout");
}
