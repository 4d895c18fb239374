//! What can be configured, and the frameworks around it.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_webhook::{
    handshake::{self, Alphabet, Handshake, Mark, Member, Needs, Reply},
    layer::{HandshakeLayer, WebhookLayer},
    provider,
    scheme::Source,
    store::Quota,
};

use crate::site::*;
use crate::support::{Answer, Calls, Sent, verifier};

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
        .with_clock(crate::support::clock())
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
