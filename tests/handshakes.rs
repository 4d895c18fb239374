//! Handshakes as providers document them, and as strangers would like them to be.

#![cfg(feature = "axum")]

#[path = "support/mod.rs"]
mod support;

use std::{
    convert::Infallible,
    future::{pending, ready},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, SigningKey};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_webhook::{
    PeerAddr,
    clock::{ManualClock, UnixTime},
    handshake::{self, Alphabet, Handshake, Mark, Member, Needs, Reply},
    key::NoBody,
    layer::{
        BySender, ClientAddr, HandshakeLayer, HookSecret, Observed, RateLimitLayer, Rendered, Settled, WebhookLayer,
    },
    provider,
    scheme::{Scheme, Source, Verifier},
    store::{MemoryRateStore, Quota},
};

use support::{
    Answer, Calls, MockStore, NOW, SECRET, Sent, builder, memory, now, property, secs, send, verifier, verifier_with,
};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the whole stack makes of an answer.
type Answered = Rendered<Observed<Settled<Full<Bytes>>>>;

/// An endpoint with everything that could be touched.
struct Site {
    service: BoxCloneSyncService<Request<Body>, Response<Answered>, Infallible>,
    calls: Calls,
    store: MockStore,
}

impl Site {
    fn new(verifier: Verifier, handshakes: HandshakeLayer, now: u64) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(now));
        let (store, calls) = (MockStore::new(memory(&clock)), Calls::default());
        let layer = builder(verifier, store.clone(), &clock).handshake(handshakes).build().unwrap();
        Self { service: BoxCloneSyncService::new(layer.layer(calls.handler())), calls, store }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.service, request).await
    }

    /// The answer to what must be answered without the handler, the store or a trace.
    async fn shake(&self, case: &str, request: Request<Body>) -> Answer {
        let answer = self.send(request).await;
        assert_eq!((self.calls.count(), self.store.asked()), (0, [0; 3]), "{case}");
        answer
    }

    async fn assert_handles(&self, case: &str, request: Request<Body>) {
        let before = self.calls.count();
        let answer = self.send(request).await;
        assert_eq!((answer.status.as_u16(), self.calls.count()), (200, before + 1), "{case}: {answer:?}");
        assert_eq!(answer.body, "from the handler", "{case}");
    }
}

fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed_unsync()
}

fn request(method: &str, target: &str, headers: &[(&'static str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(whole(body.to_owned())).unwrap()
}

fn sent(sent: &Sent) -> Request<Body> {
    sent.request().map(BodyExt::boxed_unsync)
}

fn answering(handshake: Handshake, given: &[&str]) -> HandshakeLayer {
    HandshakeLayer::new().answer_with(handshake, given).unwrap()
}

fn assert_safe(case: &str, answer: &Answer) {
    let header = |name| answer.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("cache-control"), Some("no-store"), "{case}");
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{case}");
    let content_type = header("content-type");
    assert!(matches!(content_type, Some("text/plain; charset=utf-8" | "application/json")), "{case}: {content_type:?}");
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Challenges that nobody signs, with the bytes of the provider's page where it shows some, and otherwise by what it says.
type Unsigned = (&'static str, HandshakeLayer, Scheme<'static>, Request<Body>, &'static str, &'static str);

fn unsigned() -> Vec<Unsigned> {
    let get = |target: &str| request("GET", target, &[], "");
    let hub = "/hook?hub.mode=subscribe&hub.topic=https%3A%2F%2Fexample.com%2Ffeed&hub.challenge=a_B-1.2/3%2B4%3D&hub.lease_seconds=864000";
    vec![
        (
            "Meta's getting started",
            answering(handshake::META, &["old token", "meatyhamhock"]),
            provider::META,
            get("/webhooks?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock"),
            TEXT,
            "1158201444",
        ),
        (
            "WhatsApp's webhooks",
            answering(handshake::META, &["vibecoding"]),
            provider::WHATSAPP,
            get("/webhooks?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=vibecoding"),
            TEXT,
            "1158201444",
        ),
        (
            "Dropbox's old webhooks page",
            answering(handshake::DROPBOX, &[]),
            provider::DROPBOX,
            get("/dropbox-webhook?challenge=abc123"),
            TEXT,
            "abc123",
        ),
        (
            "Nylas",
            answering(handshake::NYLAS, &[]),
            provider::NYLAS,
            get("/hook?challenge=bc609b38-c81f-47fb-a275-1d9bd61a968b"),
            TEXT,
            "bc609b38-c81f-47fb-a275-1d9bd61a968b",
        ),
        (
            "Okta",
            answering(handshake::OKTA, &[]),
            provider::OKTA,
            request("GET", "/hook", &[("x-okta-verification-challenge", "Hx9-Wc_3k")], ""),
            JSON,
            r#"{"verification":"Hx9-Wc_3k"}"#,
        ),
        (
            "Microsoft Graph, a token as it is seen",
            answering(handshake::MICROSOFT_GRAPH, &[]),
            provider::MICROSOFT_GRAPH,
            request(
                "POST",
                "/hook?validationToken=Validation%3a+Testing+client+application+reachability+for+subscription+Request-Id%3a+522a8e7e-096a-494c-aaf1-ac0dcfca45b7",
                &[("content-type", "text/plain; charset=utf-8")],
                "",
            ),
            TEXT,
            "Validation: Testing client application reachability for subscription Request-Id: 522a8e7e-096a-494c-aaf1-ac0dcfca45b7",
        ),
        (
            "Worldline",
            answering(handshake::WORLDLINE, &[]),
            provider::WORLDLINE,
            request("GET", "/hook", &[("x-gcs-webhooks-endpoint-verification", "cf6e3b1a-7a2e")], ""),
            TEXT,
            "cf6e3b1a-7a2e",
        ),
        (
            "monday.com's URL verification",
            answering(handshake::MONDAY, &[]),
            provider::SLACK,
            request(
                "POST",
                "/hook",
                &[("content-type", "application/json")],
                "{\n\"challenge\": \"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P\"\n}",
            ),
            JSON,
            r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#,
        ),
        // Computed with Python's `hmac` by X's formula.
        (
            "X's CRC",
            answering(handshake::X_CRC, &["consumer-secret"]),
            provider::X_TWITTER,
            get("/hook?crc_token=foo"),
            JSON,
            r#"{"response_token":"sha256=DcTy7IecOE1nIXA5KRcZ3lAsoNWL9GefbVQ+nWXIK0Q="}"#,
        ),
        // Computed with Python's `hmac` by LinkedIn's formula; the code is that of its page.
        (
            "LinkedIn's webhook validation",
            answering(handshake::LINKEDIN, &["client-secret"]),
            provider::LINKEDIN,
            get("/hook?challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0"),
            JSON,
            r#"{"challengeCode":"890e4665-4dfe-4ab1-b689-ed553bceeed0","challengeResponse":"8ab4bbad570533d66462deba280bde93c1cad8b543e7f526d3e962acaf6c391a"}"#,
        ),
        (
            "WebSub",
            answering(handshake::WEBSUB, &["https://example.com/feed"]),
            provider::WEBSUB_SHA256,
            get(hub),
            TEXT,
            "a_B-1.2/3+4=",
        ),
        (
            "WebSub, leaving",
            answering(handshake::WEBSUB, &["https://example.com/feed"])
                .answer_with(handshake::WEBSUB_UNSUBSCRIBE, &["https://example.com/old"])
                .unwrap(),
            provider::WEBSUB_SHA256,
            get("/hook?hub.mode=unsubscribe&hub.topic=https://example.com/old&hub.challenge=bye"),
            TEXT,
            "bye",
        ),
        (
            "PubSubHubbub",
            answering(handshake::WEBSUB, &["https://example.com/other"])
                .answer_with(handshake::PUBSUBHUBBUB, &["verify me"])
                .unwrap(),
            provider::WEBSUB_SHA1,
            get(&format!("{hub}&hub.verify_token=verify+me")),
            TEXT,
            "a_B-1.2/3+4=",
        ),
        ("Trello", answering(handshake::TRELLO, &[]), provider::TRELLO, request("HEAD", "/hook", &[], ""), JSON, ""),
    ]
}

#[tokio::test]
async fn unsigned_challenges_are_answered_as_documented() {
    for (case, handshakes, scheme, request, content_type, expected) in unsigned() {
        let answer = Site::new(verifier(scheme), handshakes, NOW).shake(case, request).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, expected.as_bytes()), "{case}: {answer:?}");
        assert_eq!(answer.headers["content-type"], content_type, "{case}");
        assert_safe(case, &answer);
        if content_type == JSON && !expected.is_empty() {
            serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
        }
    }
}

#[tokio::test]
async fn only_the_provider_own_method_is_answered() {
    for (case, handshakes, scheme, request, ..) in unsigned() {
        let (mut head, _) = request.into_parts();
        for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            head.method = method;
            let site = Site::new(verifier(scheme), handshakes.clone(), NOW);
            let answer = site.shake(case, Request::from_parts(head.clone(), whole(""))).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (405, "method_not_allowed"), "{case}");
        }
    }
}

/// Challenges in the query, to which a value can be given.
fn echoes() -> Vec<(&'static str, HandshakeLayer, Scheme<'static>, &'static str, String)> {
    let graph = answering(handshake::MICROSOFT_GRAPH, &[]);
    let websub = answering(handshake::WEBSUB, &["t"]);
    vec![
        (
            "Meta",
            answering(handshake::META, &["t"]),
            provider::META,
            "GET",
            "/?hub.mode=subscribe&hub.verify_token=t&hub.challenge=".to_owned(),
        ),
        (
            "WebSub",
            websub,
            provider::WEBSUB_SHA256,
            "GET",
            "/?hub.mode=subscribe&hub.topic=t&hub.challenge=".to_owned(),
        ),
        ("Dropbox", answering(handshake::DROPBOX, &[]), provider::DROPBOX, "GET", "/?challenge=".to_owned()),
        ("Graph", graph, provider::MICROSOFT_GRAPH, "POST", "/?validationToken=".to_owned()),
        ("X", answering(handshake::X_CRC, &["s"]), provider::X_TWITTER, "GET", "/?crc_token=".to_owned()),
        ("LinkedIn", answering(handshake::LINKEDIN, &["s"]), provider::LINKEDIN, "GET", "/?challengeCode=".to_owned()),
    ]
}

#[tokio::test]
async fn nothing_is_sent_back_that_could_mean_anything() {
    let long = "a".repeat(2000);
    for (case, handshakes, scheme, method, target) in echoes() {
        let site = Site::new(verifier(scheme), handshakes, NOW);
        let parameter = target.rsplit(['?', '&']).next().unwrap();
        for (what, value) in [
            ("nothing", ""),
            ("too much", &*long),
            ("a script", "%3Cscript%3Ealert(1)%3C/script%3E"),
            ("a script, as it is", "a&x=%3Csvg/onload=alert(1)%3E&%3C"),
            ("an entity", "%26lt;"),
            ("a quote", "a%22,%22b%22:%22c"),
            ("another quote", "a%27"),
            ("a backslash", "a%5Cu0041"),
            ("a header", "a%0D%0ASet-Cookie:%20b=c"),
            ("a line", "a%0Ab"),
            ("a zero byte", "a%00b"),
            ("letters of others", "%C3%A9"),
            ("no letters", "a%FF"),
            ("a delete", "a%7F"),
            ("a tab", "a%09b"),
            ("an object", "%7B%22a%22:1%7D%3C"),
        ] {
            let answer = site.shake(case, request(method, &format!("{target}{value}"), &[], "")).await;
            match what {
                // The first value is harmless, and the rest is another parameter.
                "a script, as it is" if case != "LinkedIn" => assert_eq!(answer.status, 200, "{case}, {what}"),
                "a script, as it is" => {}
                _ => assert_eq!(
                    (answer.status.as_u16(), answer.reason()),
                    (400, "malformed_challenge"),
                    "{case}, {what}"
                ),
            }
            let words = String::from_utf8(answer.body.to_vec()).unwrap();
            assert!(!words.contains(['<', '>', '\'', '\n']) && !words.contains("alert"), "{case}, {what}: {words}");
            assert!(!answer.headers.contains_key("set-cookie"));
            assert!(answer.body.len() < 200, "{case}, {what}");
        }
        let answer = site.shake(case, request(method, &format!("{target}a&{parameter}a"), &[], "")).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (400, "duplicate_field"), "{case}");
    }
}

#[tokio::test]
async fn the_longest_challenge_is_answered_and_one_more_byte_is_not() {
    for (case, handshakes, scheme, method, target) in echoes() {
        let longest = match case {
            "Graph" => 1024,
            "LinkedIn" => 36,
            _ => 256,
        };
        let site = Site::new(verifier(scheme), handshakes, NOW);
        for (length, status) in [(longest, 200), (longest + 1, 400)] {
            let target = format!("{target}{}", "a".repeat(length));
            assert_eq!(site.shake(case, request(method, &target, &[], "")).await.status, status, "{case}, {length}");
        }
    }
}

#[tokio::test]
async fn challenges_in_headers_are_bounded_as_well() {
    let long = "a".repeat(257);
    for (handshake, scheme, header) in [
        (handshake::OKTA, provider::OKTA, "x-okta-verification-challenge"),
        (handshake::WORLDLINE, provider::WORLDLINE, "x-gcs-webhooks-endpoint-verification"),
    ] {
        let site = Site::new(verifier(scheme), answering(handshake, &[]), NOW);
        for (value, reason) in [
            ("<b>", "malformed_challenge"),
            ("a\"b", "malformed_challenge"),
            (&*long, "malformed_challenge"),
            ("", "malformed_challenge"),
            ("a b", "malformed_challenge"),
            ("é", "malformed_header"),
        ] {
            let answer = site.shake(header, request("GET", "/", &[(header, value)], "")).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (400, reason), "{header}: {value}");
            assert!(value.len() < 3 || !answer.body.windows(value.len()).any(|window| window == value.as_bytes()));
        }
        let twice = request("GET", "/", &[(header, "a"), (header, "a")], "");
        assert_eq!(site.shake(header, twice).await.reason(), "duplicate_header");
    }
}

#[tokio::test]
async fn who_does_not_know_the_verify_token_learns_nothing() {
    let secret = "meatyhamhock";
    for (handshake, scheme) in [(handshake::META, provider::META), (handshake::PUBSUBHUBBUB, provider::WEBSUB_SHA256)] {
        let handshakes = answering(handshake, &[secret]);
        assert!(!format!("{handshakes:?} {:?}", handshakes.signed()).contains(secret));
        let site = Site::new(verifier(scheme), handshakes, NOW);
        let mut said = Vec::new();
        for token in ["", "wrong", "meatyhamhoc", "meatyhamhockk", "MEATYHAMHOCK", "meatyhamhock%00", "%FF"] {
            for challenge in ["1158201444", "%3Cscript%3E", ""] {
                let target = format!("/?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}");
                let answer = site.shake(token, request("GET", &target, &[], "")).await;
                assert_eq!((answer.status.as_u16(), answer.reason()), (401, "unexpected_handshake"), "{target}");
                assert!(answer.rejection.as_ref().unwrap().blames_sender());
                said.push((answer.headers, answer.body));
            }
        }
        assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "one answer for all");
        for (target, status, reason) in [
            ("/?hub.mode=subscribe&hub.challenge=1", 401, "unexpected_handshake"),
            (
                "/?hub.mode=subscribe&hub.verify_token=wrong&hub.verify_token=meatyhamhock&hub.challenge=1",
                400,
                "duplicate_field",
            ),
            ("/?hub.mode=subscribe&hub.mode=x&hub.verify_token=meatyhamhock&hub.challenge=1", 400, "duplicate_field"),
            ("/?hub.mode=unsubscribe&hub.verify_token=meatyhamhock&hub.challenge=1", 405, "method_not_allowed"),
            ("/?hub.verify_token=meatyhamhock&hub.challenge=1", 405, "method_not_allowed"),
            ("/?hub.mode=subscribe&hub.verify_token=meatyhamhock", 405, "method_not_allowed"),
            ("/", 405, "method_not_allowed"),
        ] {
            let answer = site.shake(target, request("GET", target, &[], "")).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (status, reason), "{target}");
        }
    }
}

#[tokio::test]
async fn subscriptions_of_others_are_not_confirmed() {
    let handshakes = answering(handshake::WEBSUB, &["https://example.com/feed"]);
    let site = Site::new(verifier(provider::WEBSUB_SHA256), handshakes, NOW);
    for (target, status) in [
        // "If the subscriber does not agree with the action, the subscriber MUST respond with a 404" (WebSub, section 5.3.1).
        ("/?hub.mode=subscribe&hub.topic=https://example.com/other&hub.challenge=secret", 404),
        ("/?hub.mode=subscribe&hub.topic=&hub.challenge=secret", 404),
        ("/?hub.mode=subscribe&hub.challenge=secret", 404),
        ("/?hub.mode=unsubscribe&hub.topic=https://example.com/feed&hub.challenge=secret", 405),
        ("/?hub.mode=denied&hub.topic=https://example.com/feed&hub.reason=no", 405),
    ] {
        let answer = site.shake(target, request("GET", target, &[], "")).await;
        assert_eq!(answer.status, status, "{target}");
        assert!(!answer.body.windows(6).any(|window| window == b"secret"));
    }
}

static EDWARDS: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());

/// Challenges that are signed, and the moment at which they are fresh.
struct Signed {
    case: &'static str,
    verifier: Verifier,
    handshakes: HandshakeLayer,
    request: fn(&str) -> Request<Body>,
    body: &'static str,
    now: u64,
    has_time: bool,
    /// The header that proves something; otherwise the query does.
    credential: &'static str,
    /// Whether it covers the body.
    covers_body: bool,
    status: u16,
    answer: &'static str,
}

fn signed() -> Vec<Signed> {
    fn by_us(scheme: Scheme<'static>, body: &str) -> Request<Body> {
        sent(&Sent::new(scheme, body.to_owned()))
    }
    fn discord(body: &str) -> Request<Body> {
        let signature = base16ct::lower::encode_string(EDWARDS.sign(format!("{NOW}{body}").as_bytes()).as_ref());
        let time = NOW.to_string();
        request("POST", "/", &[("x-signature-ed25519", &signature), ("x-signature-timestamp", &time)], body)
    }
    let defaults = |provider| HandshakeLayer::for_provider(provider, Some(SECRET)).unwrap();
    let public_key = base16ct::lower::encode_string(EDWARDS.public_key().as_ref());
    vec![
        Signed {
            case: "Slack's url_verification",
            verifier: verifier(provider::SLACK),
            handshakes: defaults("slack"),
            request: |body| by_us(provider::SLACK, body),
            body: r#"{
    "token": "Jhj5dZrVaK7ZwHHjRyZWjbDl",
    "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
    "type": "url_verification"
}"#,
            now: NOW,
            has_time: true,
            credential: "x-slack-signature",
            covers_body: true,
            status: 200,
            answer: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
        },
        // The token of Zoom's page; signature and answer computed with Python's `hmac` by the formulas of Zoom's SDK.
        Signed {
            case: "Zoom's endpoint.url_validation",
            verifier: verifier_with(provider::ZOOM, "zoom-secret-token"),
            handshakes: HandshakeLayer::for_provider("zoom", Some("zoom-secret-token")).unwrap(),
            request: |body| {
                let signature = "v0=fd1376db6cb3f4672c7ade33cc13700261143da5fd8058e52b5dd50c8bf002fe";
                let headers = [("x-zm-signature", signature), ("x-zm-request-timestamp", "1654503849")];
                request("POST", "/", &headers, body)
            },
            body: r#"{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}"#,
            now: 1_654_503_849,
            has_time: true,
            credential: "x-zm-signature",
            covers_body: true,
            status: 200,
            answer: r#"{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"d9e0d764a78494688ba3f2d5c0ed4ca311394b4834d959759213424d2df961e3"}"#,
        },
        Signed {
            case: "Twitch's challenge request",
            verifier: verifier(provider::TWITCH),
            handshakes: defaults("twitch"),
            request: |body| {
                let message = Sent::new(provider::TWITCH, body.to_owned()).id("e76c6bd4-55c9-4987-8304-da1588d8988b");
                sent(&message.header("twitch-eventsub-message-type", "webhook_callback_verification"))
            },
            body: r#"{
  "challenge": "pogchamp-kappa-360noscope-vohiyo",
  "subscription": {
    "id": "f1c2a387-161a-49f9-a165-0f21d7a4e1c4",
    "status": "webhook_callback_verification_pending",
    "type": "channel.follow",
    "version": "1",
    "cost": 1,
    "condition": { "broadcaster_user_id": "12826" },
    "transport": { "method": "webhook", "callback": "https://example.com/webhooks/callback" },
    "created_at": "2019-11-16T10:11:12.634234626Z"
  }
}"#,
            now: NOW,
            has_time: true,
            credential: "twitch-eventsub-message-signature",
            covers_body: true,
            status: 200,
            answer: "pogchamp-kappa-360noscope-vohiyo",
        },
        // A body of discord-interactions-js's tests.
        Signed {
            case: "Discord's PING",
            verifier: verifier_with(provider::DISCORD, &*public_key),
            handshakes: defaults("discord"),
            request: discord,
            body: r#"{"id":"787053080478613555","token":"ThisIsATokenFromDiscordThatIsVeryLong","type":1,"version":1}"#,
            now: NOW,
            has_time: true,
            credential: "x-signature-ed25519",
            covers_body: true,
            status: 200,
            answer: r#"{"type":1}"#,
        },
        Signed {
            case: "Discord's PING of webhook events",
            verifier: verifier_with(provider::DISCORD, &*public_key),
            handshakes: defaults("discord"),
            request: discord,
            body: r#"{"version":1,"application_id":"1234560123453231555","type":0}"#,
            now: NOW,
            has_time: true,
            credential: "x-signature-ed25519",
            covers_body: true,
            status: 204,
            answer: "",
        },
        // Body and key of a published question about Xero's page; the signature was computed with Python's `hmac`.
        Signed {
            case: "Xero's intent to receive",
            verifier: verifier_with(provider::XERO, "ABC123"),
            handshakes: defaults("xero"),
            request: |body| {
                request("POST", "/", &[("x-xero-signature", "kbnOJ0crOhG6yH5eOfyrkXqL1aBRuzbANqbib+/okeA=")], body)
            },
            body: r#"{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4N0m3t3xt"}"#,
            now: NOW,
            has_time: false,
            credential: "x-xero-signature",
            covers_body: true,
            status: 200,
            answer: "",
        },
        Signed {
            case: "Event Grid's subscription validation",
            verifier: verifier_with(provider::AZURE_EVENT_GRID_QUERY_TOKEN, "hunter2"),
            handshakes: defaults("azure-event-grid-query-token"),
            request: |body| request("POST", "/?code=hunter2", &[("aeg-event-type", "SubscriptionValidation")], body),
            body: r#"[
  {
    "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
    "topic": "/subscriptions/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "subject": "",
    "data": {
      "validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6",
      "validationUrl": "https://rp-eastus2.eventgrid.azure.net:553/eventsubscriptions/myeventsub/validate?id=0000000000-0000-0000-0000-00000000000000&t=2022-10-28T04:23:35.1981776Z&apiVersion=2018-05-01-preview&token=1A1A1A1A"
    },
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "eventTime": "2022-10-28T04:23:35.1981776Z",
    "metadataVersion": "1",
    "dataVersion": "1"
  }
]"#,
            now: NOW,
            has_time: false,
            credential: "none",
            covers_body: false,
            status: 200,
            answer: r#"{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}"#,
        },
        // The token is that of the catalogue's vectors.
        Signed {
            case: "monday.com, with a token",
            verifier: Verifier::builder(provider::MONDAY)
                .parameter("audience", "https://www.example.com/hooks/monday")
                .build("monday_signing_secret")
                .unwrap(),
            handshakes: answering(handshake::MONDAY_SIGNED, &[]),
            request: |body| {
                let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhY2NvdW50SWQiOjE4MjU1MjgsInVzZXJJZCI6NDAxMjY4OSwiYXVkIjoiaHR0cHM6Ly93d3cuZXhhbXBsZS5jb20vaG9va3MvbW9uZGF5IiwiZXhwIjoxNzAwMDAwMzAwLCJpYXQiOjE3MDAwMDAwMDAsInNob3J0TGl2ZWRUb2tlbiI6IngifQ.3z7fR3l-Fp2sY7SE4de5fYduG6ulc9IrzLf6N3-psZU";
                request("POST", "/", &[("authorization", token)], body)
            },
            body: r#"{"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#,
            now: 1_700_000_100,
            has_time: true,
            credential: "authorization",
            covers_body: false,
            status: 200,
            answer: r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#,
        },
    ]
}

#[tokio::test]
async fn signed_challenges_are_answered_when_they_are_genuine() {
    for Signed { case, verifier, handshakes, request, body, now, status, answer: expected, .. } in signed() {
        let site = Site::new(verifier, handshakes, now);
        // As often as it comes: it is no delivery.
        for _ in 0..3 {
            let answer = site.shake(case, request(body)).await;
            assert_eq!((answer.status.as_u16(), &*answer.body), (status, expected.as_bytes()), "{case}: {answer:?}");
            assert_safe(case, &answer);
            assert!(!answer.headers.contains_key("set-cookie"), "{case}");
        }
    }
}

#[tokio::test]
async fn forged_challenges_are_not_answered() {
    for Signed { case, verifier, handshakes, request, body, now, credential, covers_body, .. } in signed() {
        let site = Site::new(verifier, handshakes, now);
        let without = {
            let mut request = request(body);
            request.headers_mut().remove(credential);
            *request.uri_mut() = "/".parse().unwrap();
            request
        };
        let wrong = {
            let mut request = request(body);
            *request.uri_mut() = "/?code=hunter3".parse().unwrap();
            if let Some(value) = request.headers_mut().get_mut(credential) {
                // In the middle, where every bit of the last group counts.
                let mut text = value.to_str().unwrap().to_owned();
                let at = text.len() - 10;
                let other = if text.as_bytes()[at] == b'a' { "b" } else { "a" };
                text.replace_range(at..=at, other);
                *value = text.parse().unwrap();
            }
            request
        };
        let mut forgeries = vec![("without", without), ("wrong", wrong)];
        if covers_body {
            forgeries.push(("another body", request(body).map(|_| whole(format!("{body} ")))));
        }
        for (forgery, request) in forgeries {
            let answer = site.shake(case, request).await;
            assert_eq!(answer.status, 401, "{case}, {forgery}: {answer:?}");
            assert_eq!(answer.rejection.unwrap().code(), "unauthenticated", "{case}, {forgery}");
        }
    }
}

#[tokio::test]
async fn stale_challenges_are_not_answered() {
    for Signed { case, verifier, handshakes, request, body, now, has_time, .. } in signed() {
        if !has_time {
            continue;
        }
        for moment in [now + 3600, now - 3600] {
            let answer = Site::new(verifier.clone(), handshakes.clone(), moment).shake(case, request(body)).await;
            assert_eq!(answer.status, 401, "{case}: {answer:?}");
            assert!(
                matches!(answer.reason(), "stale" | "from_the_future" | "wrong_claim"),
                "{case}: {}",
                answer.reason()
            );
        }
    }
}

#[tokio::test]
async fn xero_gets_no_body_with_its_401() {
    let calls = Calls::default();
    for handshakes in [HandshakeLayer::for_provider("xero", None).unwrap(), HandshakeLayer::new()] {
        let is_xero = !handshakes.is_empty();
        let layer =
            WebhookLayer::builder(verifier_with(provider::XERO, "ABC123")).handshake(handshakes).build().unwrap();
        let forged = request("POST", "/", &[("x-xero-signature", &STANDARD.encode([0; 32]))], r#"{"events":[]}"#);
        let answer = send(&layer.layer(calls.handler()), forged).await;
        assert_eq!((answer.status.as_u16(), calls.count()), (401, 0));
        assert_eq!(answer.body.is_empty(), is_xero);
        assert_eq!(answer.headers.contains_key("content-type"), !is_xero);
    }
}

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
    let clock = support::clock();
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

const HOOK_SECRET: &str = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";

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

const RATE: Quota = Quota::per_minute(120);

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
    let clock = support::clock();
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

#[test]
fn handshakes_that_make_no_sense_are_refused() {
    const ACME: Handshake = Handshake { name: "acme", challenge: Some(Source::Query("c")), ..Handshake::GET };
    const HMAC: Reply = Reply::Json(&[("a", Member::HmacSha256Hex)]);
    const NO_JSON: &[Mark] = &[Mark::Absent(Source::Header("authorization"))];
    let refused =
        |handshake, given: &[&str]| HandshakeLayer::new().answer_with(handshake, given).unwrap_err().to_string();
    for (handshake, given, expected) in [
        (handshake::META, &[][..], "scheme `meta` needs the parameter `verify token`"),
        (handshake::META, &[""], "the secret is empty"),
        (handshake::META, &["token\n"], "without blanks"),
        (handshake::WEBSUB, &[], "needs the parameter `topic`"),
        (handshake::ZOOM, &[], "needs the parameter `signing secret`"),
        (handshake::ZOOM, &["a", "b"], "only one secret"),
        (handshake::ZOOM, &["  "], "the secret is empty"),
        (handshake::SLACK, &["a"], "it needs nothing"),
        (Handshake { challenge: None, ..ACME }, &[], "every request would be one"),
        (Handshake { is_signed: true, challenge: None, ..ACME }, &[], "every delivery would be one"),
        (Handshake { challenge: Some(Source::Json("/c")), ..ACME }, &[], "header is absent"),
        (Handshake { challenge: Some(Source::Json("/a/b")), marks: NO_JSON, ..ACME }, &[], "member of the body itself"),
        (Handshake { marks: &[Mark::Is(Source::Json("/a"), "b")], ..ACME }, &[], "must be in the head"),
        (Handshake { longest: 4097, ..ACME }, &[], "4096"),
        (Handshake { reply: HMAC, ..ACME }, &[], "signing secret is needed"),
        (Handshake { needs: Needs::SigningSecret, ..ACME }, &["a"], "signing secret is needed"),
        (
            Handshake { reply: HMAC, needs: Needs::SigningSecret, alphabet: Alphabet::Text, ..ACME },
            &["a"],
            "what a delivery could be",
        ),
        (
            Handshake { reply: HMAC, needs: Needs::SigningSecret, ..ACME },
            &["a"],
            "a part of a delivery's signed content",
        ),
        (Handshake { reply: Reply::Status(99), ..ACME }, &[], "no valid status"),
        (Handshake { challenge: Some(Source::Form("c")), ..ACME }, &[], "in headers, in the query or in a JSON body"),
        (Handshake { challenge: Some(Source::Json("c")), ..Handshake::SIGNED }, &[], "must start with `/`"),
        (Handshake { challenge: Some(Source::Header("a b")), ..ACME }, &[], "not a valid header name"),
        (Handshake { method: "G T", ..ACME }, &[], "not the name of a method"),
    ] {
        let error = refused(handshake, given);
        assert!(error.contains(expected), "{expected}: {error}");
    }
    for (origins, quota) in [
        (&[][..], RATE),
        (&["https://a.example"], RATE),
        (&["*"], RATE),
        (&[""], RATE),
        (&["a\r\nb"], RATE),
        (&["a.example"], Quota::per_minute(0)),
    ] {
        assert!(HandshakeLayer::new().cloud_events(origins, quota).is_err(), "{origins:?}");
    }
}

#[test]
fn what_there_is_by_default_needs_no_more_than_the_secret() {
    for (provider, secret, is_there) in [
        ("slack", None, true),
        ("zoom", Some("secret"), true),
        ("zoom", None, false),
        ("x-twitter", Some("secret"), true),
        ("discord", None, true),
        ("meta", Some("secret"), false),
        ("websub-sha256", Some("secret"), false),
        ("asana", Some("secret"), false),
        ("aws-sns", None, false),
        ("cloudevents-webhook-bearer", Some("secret"), false),
        ("stripe", Some("secret"), false),
        ("nobody", None, false),
    ] {
        assert_eq!(!HandshakeLayer::for_provider(provider, secret).unwrap().is_empty(), is_there, "{provider}");
    }
    for scheme in provider::ALL {
        assert!(HandshakeLayer::for_provider(scheme.name, Some("secret")).is_ok(), "{}", scheme.name);
    }
}

#[tokio::test]
async fn axum_answers_on_routes_that_know_only_post() {
    use axum::{Router, body::Body, routing::post};
    let counted = Arc::new(AtomicUsize::new(0));
    let handler = {
        let counted = Arc::clone(&counted);
        move || async move { counted.fetch_add(1, SeqCst).to_string() }
    };
    let meta = WebhookLayer::builder(verifier(provider::META)).handshake(answering(handshake::META, &["meatyhamhock"]));
    let slack = WebhookLayer::builder(verifier(provider::SLACK))
        .with_clock(support::clock())
        .handshake(HandshakeLayer::for_provider("slack", None).unwrap());
    let app: Router = Router::new()
        .route("/meta", post(handler.clone()))
        .layer(meta.clone().build().unwrap())
        .nest("/in", Router::new().route("/meta", post(handler.clone())).layer(meta.build().unwrap()))
        .merge(Router::new().route("/slack", post(handler)).layer(slack.build().unwrap()));
    for path in ["/meta", "/in/meta"] {
        let target = format!("{path}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock");
        let answer =
            Answer::of(app.clone().oneshot(Request::get(target).body(Body::empty()).unwrap()).await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"1158201444"[..]), "{path}");
        let answer =
            Answer::of(app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
    }
    let (head, body) =
        Sent::new(provider::SLACK, r#"{"type":"url_verification","challenge":"abc"}"#).request().into_parts();
    let mut request = Request::from_parts(head, Body::new(body));
    *request.uri_mut() = "/slack".parse().unwrap();
    assert_eq!(Answer::of(app.oneshot(request).await.unwrap()).await.body, "abc");
    assert_eq!(counted.load(SeqCst), 0);

    // What Asana called, and not what a nested router leaves of it.
    let asana = HandshakeLayer::new().asana(|secret| ready(secret.target() == "/in/asana?id=1"));
    let inner = Router::new().route("/asana", post(|| async {})).layer(asana);
    let request = Request::post("/in/asana?id=1").header("x-hook-secret", HOOK_SECRET).body(Body::empty()).unwrap();
    let response = Router::new().nest("/in", inner).oneshot(request).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-hook-secret"]),
        (200, &HOOK_SECRET.parse().unwrap())
    );
}

#[tokio::test]
async fn hyper_sends_answers_as_they_are_meant() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let calls = Calls::default();
    let handshakes = answering(handshake::META, &["meatyhamhock"]).answer(handshake::TRELLO).unwrap();
    let layer = WebhookLayer::builder(verifier(provider::META)).handshake(handshakes).build().unwrap();
    let service = hyper_util::service::TowerToHyperService::new(layer.layer(calls.handler()));
    let (ours, theirs) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        drop(server.serve_connection(TokioIo::new(theirs), service).await);
    });
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    for (method, target, status, expected, length) in [
        (
            "GET",
            "/?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock",
            200,
            "1158201444",
            Some("10"),
        ),
        ("HEAD", "/", 200, "", None),
        ("GET", "/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong", 401, "unauthenticated", None),
        ("GET", "/", 405, "method_not_allowed", None),
    ] {
        let mut request = Request::new(Full::<Bytes>::default());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = target.parse().unwrap();
        request.headers_mut().insert("host", "hooks.test".parse().unwrap());
        client.ready().await.unwrap();
        let response = client.send_request(request).await.unwrap();
        let headers: HeaderMap = response.headers().clone();
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap(), "{method} {target}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(expected), "{method} {target}");
        if let Some(length) = length {
            assert_eq!(headers["content-length"], length, "not in chunks");
        }
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
    assert_eq!(calls.count(), 0);
}
