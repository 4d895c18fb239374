//! The stack and its extractors in axum, on real connections: wherever the layer is put, the handler gets what was verified.

#![cfg(feature = "axum")]

mod support;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use support::{Answer, Calls, Sent, builder, clock, memory, verifier, verifier_with};
use tokio::net::TcpListener;
use tower_webhook::{
    Delivery, Rejection,
    axum::{Webhook, WebhookRejection},
    clock::ManualClock,
    layer::{VerifySignatureLayer, WebhookLayer},
    provider,
    store::MemoryNonceStore,
};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    n: u32,
}

/// What handlers share: how often they were called, and what verifies.
#[derive(Clone)]
struct App {
    calls: Calls,
    clock: ManualClock,
    store: MemoryNonceStore,
}

impl App {
    fn new() -> Self {
        let clock = clock();
        Self { calls: Calls::default(), store: memory(&clock), clock }
    }

    /// With the memory that all of them share.
    fn layer(&self) -> WebhookLayer {
        builder(verifier(provider::STANDARD_WEBHOOKS), self.store.clone(), &self.clock).build().unwrap()
    }
}

async fn handle(State(app): State<App>, Webhook { delivery, payload }: Webhook<Event>) -> String {
    app.calls.add();
    format!("{} {} {} {}", delivery.provider(), delivery.id().unwrap_or("none"), payload.kind, payload.n)
}

/// Wherever axum takes a layer.
fn placements() -> Vec<(&'static str, App, Router, &'static str)> {
    type Place = fn(&App) -> Router<App>;
    let places: [(&str, Place, &str); 8] = [
        ("Router::layer", |app| Router::new().route("/hook", post(handle)).layer(app.layer()), "/hook"),
        ("Router::route_layer", |app| Router::new().route("/hook", post(handle)).route_layer(app.layer()), "/hook"),
        ("MethodRouter::layer", |app| Router::new().route("/hook", post(handle).layer(app.layer())), "/hook"),
        (
            "MethodRouter::route_layer",
            |app| Router::new().route("/hook", post(handle).route_layer(app.layer())),
            "/hook",
        ),
        (
            "inside a nested router",
            |app| Router::new().nest("/v1", Router::new().route("/hook", post(handle)).layer(app.layer())),
            "/v1/hook",
        ),
        (
            "around a nested router",
            |app| Router::new().nest("/v1", Router::new().route("/hook", post(handle))).layer(app.layer()),
            "/v1/hook",
        ),
        (
            "in a merged router",
            |app| Router::new().merge(Router::new().route("/hook", post(handle)).layer(app.layer())),
            "/hook",
        ),
        (
            "with parameters in the path",
            |app| {
                let handler = |Path(tenant): Path<String>, app: State<App>, webhook: Webhook<Event>| async move {
                    assert_eq!(tenant, "acme");
                    handle(app, webhook).await
                };
                Router::new().nest("/{tenant}", Router::new().route("/hook", post(handler)).layer(app.layer()))
            },
            "/acme/hook",
        ),
    ];
    places
        .into_iter()
        .map(|(name, place, path)| {
            let app = App::new();
            let router = place(&app).route("/health", get(|| async { "well" })).with_state(app.clone());
            (name, app, router, path)
        })
        .collect()
}

#[tokio::test]
async fn wherever_the_layer_is_put_genuine_deliveries_get_in_once_and_forged_ones_never() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for (name, app, router, path) in placements() {
            let server = Server::start(router, version).await;
            let label = format!("{name}, {version:?}");

            let genuine = server.send(path, &Sent::standard("msg_1")).await;
            assert_eq!(
                (genuine.status, &*genuine.body),
                (StatusCode::OK, &b"standard-webhooks msg_1 ping 1"[..]),
                "{label}"
            );
            let replayed = server.send(path, &Sent::standard("msg_1")).await;
            assert!(replayed.is_duplicate(), "{label}: {replayed:?}");
            for forged in [
                Sent::standard("msg_2").signed_with(&[support::OLD_SECRET]),
                Sent::standard("msg_2").header("webhook-id", "msg_3"),
                Sent::standard("msg_2").without("webhook-signature"),
            ] {
                let answer = server.send(path, &forged).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{label}: {answer:?}");
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{label}");
            }
            assert_eq!((app.calls.count(), app.store.len()), (1, 1), "{label}");
            let other = server.get("/health").await;
            assert_eq!(other.status, StatusCode::OK, "{label}: a route added after the layer is not behind it");
        }
    }
}

#[tokio::test]
async fn a_scheme_that_signs_the_url_is_verified_by_the_one_that_was_called() {
    let clock = clock();
    for around in [true, false] {
        let layer = || builder(verifier(provider::SQUARE), memory(&clock), &clock).build().unwrap();
        let inner =
            Router::new().route("/square", post(|delivery: Delivery| async move { delivery.provider().to_owned() }));
        let router = if around {
            Router::new().nest("/v1", inner).layer(layer())
        } else {
            Router::new().nest("/v1", inner.layer(layer()))
        };
        let server = Server::start(router, Version::HTTP_11).await;
        let body = r#"{"event_id":"e1","type":"payment.created"}"#;
        for (signed, status) in [("/v1/square", 200), ("/square", 401)] {
            let url = format!("{}{signed}", support::ORIGIN);
            let outgoing = tower_webhook::scheme::Outgoing::post(&url, body.as_bytes());
            let headers = provider::SQUARE.signer(support::SECRET).unwrap().sign(&outgoing).unwrap();
            let mut request = server.request("/v1/square", Full::from(body));
            request.headers_mut().extend(headers);
            assert_eq!(server.ask(request).await.status, status, "{signed}, around: {around}");
        }
    }
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_refused_in_words_and_let_in_again() {
    let app = App::new();
    let seen = Seen::default();
    let router = Router::new()
        .route("/hook", post(handle))
        .layer(app.layer())
        .layer(middleware::from_fn_with_state(seen.clone(), Seen::record))
        .with_state(app.clone());
    let server = Server::start(router, Version::HTTP_11).await;
    for (body, pointer, detail) in [
        (r#"{"type":"ping"}"#, "", "is not of the form that is expected here"),
        (r#"{"type":"ping","n":"canary"}"#, "/n", "is not of the form that is expected here"),
        (r#"{"type":"ping","n":-1}"#, "/n", "is not of the form that is expected here"),
        (r#"{"type":"ping","n":1"#, "", "ends too early"),
        (r#"{"type":"ping","n":1}{}"#, "", "must not be followed by anything"),
        ("canary", "", "is not JSON"),
        ("", "", "ends too early"),
    ] {
        // Twice: what was refused is not remembered.
        for attempt in 1..=2 {
            let sent = Sent::new(provider::STANDARD_WEBHOOKS, body).id("msg_1");
            let answer = server.send("/hook", &sent).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}, attempt {attempt}");
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{body}");
            let expected = serde_json::json!({
                "type": "about:blank", "title": "Unprocessable Content", "status": 422, "code": "invalid_payload",
                "errors": [{ "pointer": pointer, "detail": detail }],
            });
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap(), expected, "{body}");
            let rejections = seen.take();
            assert!(
                matches!(&rejections[..], [Some(Rejection::InvalidPayload { problems })] if problems[0].pointer() == pointer),
                "{body}: {rejections:?}"
            );
            assert!(app.store.is_empty(), "{body}: the reservation is released");
        }
    }
    assert_eq!(server.send("/hook", &Sent::standard("msg_1")).await.status, StatusCode::OK);
    assert!(matches!(&seen.take()[..], [None]));
    assert_eq!(app.calls.count(), 1);
}

#[tokio::test]
async fn a_payload_is_read_whatever_its_media_type_and_size() {
    #[derive(Deserialize)]
    struct Big {
        filler: String,
    }
    let clock = clock();
    let router = Router::new()
        .route("/hook", post(|Webhook { payload, .. }: Webhook<Big>| async move { payload.filler.len().to_string() }))
        .layer(
            builder(verifier(provider::STANDARD_WEBHOOKS), memory(&clock), &clock)
                .max_body(8 * 1024 * 1024)
                .build()
                .unwrap(),
        );
    let server = Server::start(router, Version::HTTP_11).await;
    // More than axum's extractors take of a body that nobody vouches for.
    let filler = "x".repeat(3 * 1024 * 1024);
    for (id, media_type) in [("msg_1", None), ("msg_2", Some("text/plain")), ("msg_3", Some("application/json"))] {
        let mut sent = Sent::new(provider::STANDARD_WEBHOOKS, format!(r#"{{"filler":"{filler}"}}"#)).id(id);
        if let Some(media_type) = media_type {
            sent = sent.header("content-type", media_type);
        }
        let answer = server.send("/hook", &sent).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (StatusCode::OK, filler.len().to_string().as_bytes()),
            "{media_type:?}"
        );
    }
}

#[tokio::test]
async fn without_verification_the_handler_is_not_called_and_the_answer_says_what_to_add() {
    let app = App::new();
    let router = Router::new().route("/hook", post(handle)).with_state(app.clone());
    let server = Server::start(router, Version::HTTP_11).await;
    let answer = server.send("/hook", &Sent::standard("msg_1")).await;
    assert_eq!((answer.status, app.calls.count()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    let text = str::from_utf8(&answer.body).unwrap();
    assert!(text.contains("Webhook") && text.contains(".layer(WebhookLayer::new(verifier))"), "{text}");
}

#[tokio::test]
async fn a_handler_may_answer_rejections_itself() {
    async fn own(webhook: Result<Webhook<Event>, WebhookRejection>) -> Response<Body> {
        match webhook {
            Ok(_) => "fits".into_response(),
            Err(WebhookRejection::InvalidPayload(problem)) => {
                (StatusCode::ACCEPTED, format!("put aside: {problem}")).into_response()
            }
            Err(other) => other.into_response(),
        }
    }
    let app = App::new();
    let router = Router::new().route("/hook", post(own)).layer(app.layer());
    let server = Server::start(router, Version::HTTP_11).await;
    let answer = server.send("/hook", &Sent::new(provider::STANDARD_WEBHOOKS, r#"{"type":1}"#).id("msg_1")).await;
    let expected = &br#"put aside: "/type" is not of the form that is expected here"#[..];
    assert_eq!((answer.status, &*answer.body), (StatusCode::ACCEPTED, expected));
    assert_eq!(app.store.len(), 1, "acknowledged, so it is committed");
}

#[tokio::test]
async fn axums_own_json_extractor_reads_what_was_verified_too() {
    let clock = clock();
    let router = Router::new()
        .route(
            "/hook",
            post(|delivery: Delivery, Json(event): Json<Event>| async move {
                format!("{} {}", delivery.id().unwrap(), event.kind)
            }),
        )
        .layer(
            VerifySignatureLayer::new(verifier_with(provider::STANDARD_WEBHOOKS, support::SECRET)).with_clock(clock),
        );
    let server = Server::start(router, Version::HTTP_2).await;
    let sent = Sent::standard("msg_1").header("content-type", "application/json");
    assert_eq!(&*server.send("/hook", &sent).await.body, b"msg_1 ping");
}

/// The rejections that layers outside find in answers.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Option<Rejection>>>>);

impl Seen {
    async fn record(State(seen): State<Self>, request: axum::extract::Request, next: Next) -> Response<Body> {
        let response = next.run(request).await;
        seen.0.lock().unwrap().push(response.extensions().get().cloned());
        response
    }

    fn take(&self) -> Vec<Option<Rejection>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A server on a port of its own, and a client that speaks one version with it.
struct Server {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    version: Version,
}

impl Server {
    async fn start(router: Router, version: Version) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http();
        Self { address, client, version }
    }

    fn request(&self, path: &str, body: Full<Bytes>) -> Request<Full<Bytes>> {
        Request::post(format!("http://{}{path}", self.address)).version(self.version).body(body).unwrap()
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.client.request(request).await.unwrap();
        assert_eq!(response.version(), self.version);
        Answer::of(response).await
    }

    async fn send(&self, path: &str, sent: &Sent) -> Answer {
        let (head, body) = sent.request().into_parts();
        let mut request = self.request(path, body);
        request.headers_mut().extend(head.headers);
        self.ask(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        let mut request = self.request(path, Full::default());
        *request.method_mut() = http::Method::GET;
        self.ask(request).await
    }
}
