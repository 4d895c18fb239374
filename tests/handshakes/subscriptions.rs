//! Handshakes that take more than an answer: Asana, Amazon SNS, CloudEvents.

use std::{
    future::{pending, ready},
    sync::{Arc, LazyLock, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use http::{Method, Request, Response};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, SigningKey};
use serde_json::json;
use tower::{Layer, service_fn};
use tower_webhook::{
    key::NoBody,
    layer::{BySender, HandshakeLayer, HookSecret, RateLimitLayer},
    provider,
    scheme::Verifier,
    store::MemoryRateStore,
};

use crate::site::*;
use crate::support::{Calls, NOW, SECRET, builder, memory, secs, send, verifier, verifier_with};

#[tokio::test(start_paused = true)]
async fn asana_secrets_are_sent_back_when_they_are_stored() {
    let stored: Arc<Mutex<Vec<String>>> = Arc::default();
    let accept = {
        let stored = Arc::clone(&stored);
        move |secret: HookSecret| {
            assert!(!format!("{secret:?}").contains("b537"));
            let is_expected = secret.target() == "/receive-webhook/7654";
            if is_expected {
                stored.lock().unwrap().push(secret.expose().to_owned());
            }
            ready(is_expected)
        }
    };
    let site = Site::new(verifier(provider::ASANA), HandshakeLayer::new().asana(accept), NOW);
    let asana = |target, headers: &[(&'static str, &str)]| request("POST", target, headers, "");

    // The bytes of Asana's reference.
    let answer = site.shake("Asana", asana("/receive-webhook/7654", &[("x-hook-secret", HOOK_SECRET)])).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    assert_eq!(answer.headers["x-hook-secret"], HOOK_SECRET);
    assert!(answer.headers["x-hook-secret"].is_sensitive());
    assert_safe("Asana", &answer);
    assert_eq!(*stored.lock().unwrap(), [HOOK_SECRET]);

    let long = "a".repeat(257);
    for (case, request, reason) in [
        ("unexpected", asana("/other", &[("x-hook-secret", HOOK_SECRET)]), "unexpected_handshake"),
        ("two", asana("/receive-webhook/7654", &[("x-hook-secret", "a"), ("x-hook-secret", "b")]), "duplicate_header"),
        ("empty", asana("/receive-webhook/7654", &[("x-hook-secret", "")]), "malformed_challenge"),
        ("long", asana("/receive-webhook/7654", &[("x-hook-secret", &long)]), "malformed_challenge"),
        ("HTML", asana("/receive-webhook/7654", &[("x-hook-secret", "<b>")]), "malformed_challenge"),
        (
            "a delivery",
            asana("/receive-webhook/7654", &[("x-hook-secret", "a"), ("x-hook-signature", "b")]),
            "unusable_signature",
        ),
        ("no secret", asana("/receive-webhook/7654", &[]), "missing_signature"),
    ] {
        let answer = site.shake(case, request).await;
        assert_eq!(answer.reason(), reason, "{case}");
        assert!(!answer.headers.contains_key("x-hook-secret"), "{case}");
    }
    assert_eq!(stored.lock().unwrap().len(), 1, "nothing else was ever shown");

    let hanging = Site::new(verifier(provider::ASANA), HandshakeLayer::new().asana(|_| pending()), NOW);
    let answer = hanging.shake("hanging", asana("/", &[("x-hook-secret", HOOK_SECRET)])).await;
    assert!(answer.asks_to_retry() && answer.reason() == "handshake_unfinished", "{answer:?}");
    let began = tokio::time::Instant::now();
    let many = (0..17).map(|_| hanging.send(asana("/", &[("x-hook-secret", HOOK_SECRET)])));
    let mut many = many.collect::<futures_util::stream::FuturesUnordered<_>>();
    assert!(many.next().await.unwrap().asks_to_retry());
    assert!(began.elapsed() < secs(1), "strangers keep no more than sixteen waiting");
    while many.next().await.is_some() {}
    let answer = hanging.shake("again", asana("/", &[("x-hook-secret", HOOK_SECRET)])).await;
    assert!(answer.asks_to_retry() && began.elapsed() == secs(20), "{:?}", began.elapsed());

    let unwanted =
        Site::new(verifier(provider::ASANA), HandshakeLayer::for_provider("asana", Some(SECRET)).unwrap(), NOW);
    let answer = unwanted.shake("unwanted", asana("/", &[("x-hook-secret", HOOK_SECRET)])).await;
    assert_eq!(answer.reason(), "missing_signature", "it has to be wanted");
}

static AMAZON: LazyLock<(KeyPair, String)> = LazyLock::new(|| {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()]).unwrap().self_signed(&key).unwrap();
    (key, certificate.pem())
});

const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const SUBSCRIBE_URL: &str = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-west-2:123456789012:MyTopic&Token=2336412f37";

/// A message as Amazon's page shows it, signed as it says.
fn sns(kind: &str, topic: &str, url: &str) -> Request<Body> {
    let message = format!(
        "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL included in this message."
    );
    let (id, time, token) = ("165545c9-2a5c-472c-8df2-7ff2be2b3b1b", "2012-04-26T20:45:04.751Z", "2336412f37");
    let signed = format!(
        "Message\n{message}\nMessageId\n{id}\nSubscribeURL\n{url}\nTimestamp\n{time}\nToken\n{token}\nTopicArn\n{topic}\nType\n{kind}\n"
    );
    let body = json!({
        "Type": kind,
        "MessageId": id,
        "Token": token,
        "TopicArn": topic,
        "Message": message,
        "SubscribeURL": url,
        "Timestamp": time,
        "SignatureVersion": "2",
        "Signature": STANDARD.encode(AMAZON.0.sign(signed.as_bytes()).unwrap()),
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
    });
    let headers = [("x-amz-sns-message-type", kind), ("content-type", "text/plain; charset=UTF-8")];
    request("POST", "/", &headers, &body.to_string())
}

/// An endpoint whose client answers with a status, after it has kept what it was to open.
fn amazon(status: u16) -> (Site, Arc<Mutex<Vec<String>>>) {
    let opened: Arc<Mutex<Vec<String>>> = Arc::default();
    let client = {
        let opened = Arc::clone(&opened);
        service_fn(move |request: Request<NoBody>| {
            assert_eq!(request.method(), Method::GET);
            opened.lock().unwrap().push(request.uri().to_string());
            async move {
                match status {
                    0 => Err(std::io::Error::other("no way there")),
                    1 => pending().await,
                    _ => Ok(Response::builder().status(status).header("location", "/").body(String::new()).unwrap()),
                }
            }
        })
    };
    (Site::new(amazon_verifier(), HandshakeLayer::new().confirm_sns(client), NOW), opened)
}

fn amazon_verifier() -> Verifier {
    Verifier::builder(provider::AWS_SNS).parameter("topic-arn", TOPIC).build(&*AMAZON.1).unwrap()
}

#[tokio::test(start_paused = true)]
async fn sns_subscriptions_are_confirmed_once_they_are_verified() {
    let (site, opened) = amazon(200);
    let answer = site.shake("SNS", sns("SubscriptionConfirmation", TOPIC, SUBSCRIBE_URL)).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0), "{answer:?}");
    assert_eq!(*opened.lock().unwrap(), [SUBSCRIBE_URL]);

    for status in [0, 1, 301, 302, 403, 500] {
        let (site, opened) = amazon(status);
        let answer = site.shake("SNS", sns("SubscriptionConfirmation", TOPIC, SUBSCRIBE_URL)).await;
        assert!(answer.asks_to_retry() && answer.reason() == "handshake_unfinished", "{status}: {answer:?}");
        assert_eq!(opened.lock().unwrap().len(), 1, "redirects lead nowhere");
    }
}

#[tokio::test]
async fn nothing_is_opened_that_amazon_did_not_sign_for_a_topic_of_ours() {
    let other = "arn:aws:sns:us-west-2:123456789012:Other";
    let forged = || {
        let genuine = sns("SubscriptionConfirmation", TOPIC, SUBSCRIBE_URL);
        genuine.map(|_| whole(r#"{"Type":"SubscriptionConfirmation","SubscribeURL":"https://evil.example/"}"#))
    };
    for (case, request, reason) in [
        ("forged", forged(), ""),
        ("another topic", sns("SubscriptionConfirmation", other, SUBSCRIBE_URL), "signature_mismatch"),
        (
            "another topic in the URL",
            sns("SubscriptionConfirmation", TOPIC, &SUBSCRIBE_URL.replace("MyTopic", "Other")),
            "unexpected_handshake",
        ),
        (
            "elsewhere",
            sns("SubscriptionConfirmation", TOPIC, &SUBSCRIBE_URL.replace(".amazonaws.com", ".evil.example")),
            "unexpected_handshake",
        ),
        (
            "inside",
            sns("SubscriptionConfirmation", TOPIC, "https://169.254.169.254/latest/meta-data"),
            "unexpected_handshake",
        ),
        (
            "in clear",
            sns("SubscriptionConfirmation", TOPIC, &SUBSCRIBE_URL.replace("https", "http")),
            "unexpected_handshake",
        ),
        (
            "another action",
            sns("SubscriptionConfirmation", TOPIC, &SUBSCRIBE_URL.replace("Confirm", "Delete")),
            "unexpected_handshake",
        ),
    ] {
        let (site, opened) = amazon(200);
        let answer = site.shake(case, request).await;
        assert!(answer.status == 401, "{case}: {answer:?}");
        assert!(reason.is_empty() || answer.reason() == reason, "{case}: {}", answer.reason());
        assert!(opened.lock().unwrap().is_empty(), "{case}");
    }
    let (site, opened) = amazon(200);
    site.assert_handles("the end of one", sns("UnsubscribeConfirmation", TOPIC, SUBSCRIBE_URL)).await;
    assert!(opened.lock().unwrap().is_empty());
    let plain = Site::new(amazon_verifier(), HandshakeLayer::for_provider("aws-sns", None).unwrap(), NOW);
    plain.assert_handles("it has to be wanted", sns("SubscriptionConfirmation", TOPIC, SUBSCRIBE_URL)).await;
}

fn cloud_events() -> HandshakeLayer {
    HandshakeLayer::new().cloud_events(["eventemitter.example.com", "eventgrid.azure.net"], RATE).unwrap()
}

#[tokio::test]
async fn cloud_events_senders_are_told_whether_and_how_fast_they_may_send() {
    let site = || Site::new(verifier(provider::CLOUDEVENTS_WEBHOOK_BEARER), cloud_events(), NOW);
    for origin in ["eventemitter.example.com", "eventgrid.azure.net", "EventEmitter.example.COM"] {
        let headers = [
            ("webhook-request-origin", origin),
            ("webhook-request-rate", "1000"),
            ("webhook-request-callback", "https://evil.example/confirm?id=12345"),
        ];
        let answer = site().shake(origin, request("OPTIONS", "/", &headers, "")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        let mut told: Vec<_> =
            answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        told.retain(|(name, _)| matches!(*name, "allow") || name.starts_with("webhook-"));
        told.sort_unstable();
        assert_eq!(told, [("allow", "POST"), ("webhook-allowed-origin", origin), ("webhook-allowed-rate", "120")]);
    }
    for headers in [
        &[][..],
        &[("webhook-request-origin", "evil.example")],
        &[("webhook-request-origin", "*")],
        &[("webhook-request-origin", "")],
        &[("webhook-request-origin", "example.com")],
        &[("webhook-request-origin", "a.eventemitter.example.com")],
        &[("webhook-request-origin", "eventemitter.example.com, evil.example")],
        &[("webhook-request-origin", "eventemitter.example.com"), ("webhook-request-origin", "evil.example")],
        &[("origin", "https://evil.example"), ("access-control-request-method", "POST")],
    ] {
        let answer = site().shake("a stranger", request("OPTIONS", "/", headers, "")).await;
        assert_eq!(answer.status, 405, "{headers:?}");
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("webhook-")), "{headers:?}");
    }
    let without = HandshakeLayer::new().cloud_events_without_limit(["a.example"]).unwrap();
    let site = Site::new(verifier(provider::CLOUDEVENTS_WEBHOOK_BEARER), without, NOW);
    let answer = site.shake("no limit", request("OPTIONS", "/", &[("webhook-request-origin", "a.example")], "")).await;
    assert_eq!(answer.headers["webhook-allowed-rate"], "*");
}

#[tokio::test]
async fn the_rate_that_is_told_is_the_one_that_is_kept() {
    let clock = crate::support::clock();
    let rates = MemoryRateStore::new().with_clock(clock.clone());
    let calls = Calls::default();
    let layer = builder(verifier_with(provider::CLOUDEVENTS_WEBHOOK_BEARER, "mF_9.B5f-4.1JqM"), memory(&clock), &clock)
        .handshake(cloud_events())
        .then(RateLimitLayer::new(RATE, BySender, rates))
        .without_replay_protection()
        .build()
        .unwrap();
    let service = layer.layer(calls.handler());
    let ask = || request("OPTIONS", "/", &[("webhook-request-origin", "eventgrid.azure.net")], "");
    let told: usize = send(&service, ask()).await.headers["webhook-allowed-rate"].to_str().unwrap().parse().unwrap();
    let event = || request("POST", "/", &[("authorization", "Bearer mF_9.B5f-4.1JqM")], "{}");
    for minute in 1..3 {
        for _ in 0..told {
            assert_eq!(send(&service, event()).await.status, 200);
        }
        assert_eq!(send(&service, event()).await.status, 429, "one more");
        assert_eq!(calls.count(), told * minute);
        clock.advance(secs(60));
    }
}
