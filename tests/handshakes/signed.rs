//! Challenges that are signed.

use aws_lc_rs::signature::KeyPair as _;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Request;
use tower::Layer;
use tower_webhook::{
    handshake,
    layer::{HandshakeLayer, WebhookLayer},
    provider,
    scheme::{Scheme, Verifier},
};

use crate::site::*;
use crate::support::{Calls, NOW, SECRET, Sent, send, verifier, verifier_with};

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
