//! What becomes of requests that are not turned away, and of those who are in the middle of it.

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    PeerAddr, Problem, Rejection,
    body::{Verified, VerifiedBody},
    layer::*,
    observe::{Observation, Outcome, Stage},
    provider,
    store::MemoryNonceStore,
};
use tracing::Level;

use crate::{
    capture::captured,
    support::{Sent, builder, clock, memory, secs, send, stack, start, verifier, verifier_with, with_status},
};

fn observe() -> ObserveLayer {
    ObserveLayer::new().with_clock(clock())
}

/// Observations, as they come.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Observation>>>);

impl Seen {
    fn layer(&self) -> ObserveLayer {
        let seen = self.clone();
        observe().on_observation(move |observation| seen.0.lock().unwrap().push(observation.clone()))
    }

    #[track_caller]
    fn only(&self) -> Observation {
        let seen = self.0.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen[0].clone()
    }
}

#[test]
fn a_delivery_that_was_handled_is_told_with_all_that_is_known_of_it() {
    let seen = Seen::default();
    let (_, logs, metrics) = captured(async {
        let keys = [("2026-11", crate::support::SECRET), ("2026-05", crate::support::OLD_SECRET)];
        let clock = clock();
        let layer = builder(verifier_with(provider::STANDARD_WEBHOOKS, keys), memory(&clock), &clock);
        let service = layer.observe(seen.layer()).build().unwrap().layer(service_fn(ok));
        let mut request =
            Sent::standard("msg_1").at(1_800_000_002).signed_with(&[crate::support::OLD_SECRET]).request();
        request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, 7], 443))));
        assert_eq!(send(&service, request).await.status, 200);
    });
    let event = logs.event();
    assert_eq!((event.level, event.name.as_str()), (Level::INFO, "webhook handled"));
    for (field, expected) in [
        ("webhook.outcome", "handled"),
        ("webhook.code", "2xx"),
        ("webhook.stage", "handler"),
        ("webhook.provider", "standard-webhooks"),
        ("webhook.delivery.id", "msg_1"),
        ("webhook.event", "ping"),
        ("webhook.key.index", "1"),
        ("webhook.key.id", "2026-05"),
        ("webhook.clock_skew_ms", "-2000"),
        ("http.request.body.size", "21"),
        ("http.response.status_code", "200"),
        ("client.address", "192.0.2.7"),
        ("error.type", ""),
        ("webhook.reason", ""),
    ] {
        assert_eq!(event.get(field), expected, "{field}");
    }
    let observation = seen.only();
    assert_eq!(observation.outcome(), Outcome::Handled);
    assert_eq!(observation.delivery().and_then(|delivery| delivery.id()), Some("msg_1"));
    assert_eq!((observation.reached(), observation.body_len()), (Stage::Handler, Some(21)));
    assert_eq!(observation.clock_skew_millis(), Some(-2000));
    let counted = metrics.take();
    for (name, expected) in [
        (r#"webhook_requests_total{code="2xx",outcome="handled",provider="standard-webhooks"}"#, 1.0),
        (r#"webhook_keys_used_total{key="2026-05",provider="standard-webhooks"}"#, 1.0),
        (r#"webhook_body_bytes{provider="standard-webhooks"}"#, 21.0),
        (r#"webhook_clock_skew_seconds{provider="standard-webhooks"}"#, -2.0),
    ] {
        assert_eq!(counted.get(name).map(Vec::as_slice), Some([expected].as_slice()), "{name}: {counted:#?}");
    }
}

async fn ok<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(with_status(200))
}

type AnyBody = UnsyncBoxBody<Bytes, Infallible>;

fn grpc(headers: &[(&'static str, &'static str)], frames: Vec<Frame<Bytes>>) -> Response<AnyBody> {
    let frames = futures_util::stream::iter(frames.into_iter().map(Ok));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    for (name, value) in headers {
        response.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    response
}

fn trailers(status: &'static str) -> Frame<Bytes> {
    Frame::trailers(HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(status))]))
}

#[test]
fn a_handler_that_fails_is_told_apart_from_one_that_does_its_work() {
    let message = || Frame::data(Bytes::from_static(b"\0\0\0\0\0"));
    let status = |status: u16| with_status(status).map(|body| body.boxed_unsync());
    type Answer = Box<dyn Fn() -> Response<AnyBody> + Send + Sync>;
    let cases: Vec<(&str, Answer, Outcome, Level)> = vec![
        ("204", Box::new(move || status(204)), Outcome::Handled, Level::INFO),
        ("302", Box::new(move || status(302)), Outcome::Failed, Level::WARN),
        ("404", Box::new(move || status(404)), Outcome::Failed, Level::WARN),
        ("500", Box::new(move || status(500)), Outcome::Failed, Level::WARN),
        ("gRPC, well, in the head", Box::new(|| grpc(&[("grpc-status", "0")], vec![])), Outcome::Handled, Level::INFO),
        ("gRPC, ill, in the head", Box::new(|| grpc(&[("grpc-status", "13")], vec![])), Outcome::Failed, Level::WARN),
        (
            "gRPC, well, in the trailers",
            Box::new(move || grpc(&[], vec![message(), trailers("0")])),
            Outcome::Handled,
            Level::INFO,
        ),
        (
            "gRPC, ill, in the trailers",
            Box::new(move || grpc(&[], vec![message(), trailers("13")])),
            Outcome::Failed,
            Level::WARN,
        ),
        ("gRPC without an end", Box::new(move || grpc(&[], vec![message()])), Outcome::Failed, Level::WARN),
    ];
    for (name, answer, outcome, level) in cases {
        let seen = Seen::default();
        let answer = Arc::new(answer);
        let (_, logs, _) = captured(async {
            let verify = VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock());
            let handler = service_fn(move |_: Request<Verified>| {
                let answer = Arc::clone(&answer);
                async move { Ok::<_, Infallible>(answer()) }
            });
            let service = seen.layer().layer(verify.layer(handler));
            let response = service.oneshot(Sent::standard("msg_1").request()).await.unwrap();
            let _ = response.into_body().collect().await;
        });
        assert_eq!(seen.only().outcome(), outcome, "{name}");
        assert_eq!(logs.event().level, level, "{name}");
        assert_eq!(seen.only().reached(), Stage::Handler, "{name}");
    }
}

#[test]
fn a_grpc_answer_that_nobody_takes_is_no_success() {
    let seen = Seen::default();
    captured(async {
        let verify = VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock());
        let handler = service_fn(|_: Request<Verified>| async {
            Ok::<_, Infallible>(grpc(&[], vec![Frame::data(Bytes::from_static(b"\0\0\0\0\0")), trailers("0")]))
        });
        let service = seen.layer().layer(verify.layer(handler));
        let mut body = service.oneshot(Sent::standard("msg_1").request()).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
    });
    assert_eq!(seen.only().outcome(), Outcome::HungUp);
}

#[test]
fn answers_of_others_than_the_handler_are_told_as_such() {
    let challenge = || Sent::new(provider::SLACK, r#"{"type":"url_verification","challenge":"c"}"#);
    for outside in [false, true] {
        let seen = Seen::default();
        captured(async {
            let handshakes = HandshakeLayer::for_provider("slack", None).unwrap();
            let layer = stack(provider::SLACK, memory(&clock()), &clock()).handshake(handshakes);
            let request = challenge().request();
            let status = if outside {
                send(&seen.layer().layer(layer.build().unwrap().layer(service_fn(ok))), request).await.status
            } else {
                send(&layer.observe(seen.layer()).build().unwrap().layer(service_fn(ok)), request).await.status
            };
            assert_eq!(status, 200);
        });
        assert_eq!(seen.only().outcome(), Outcome::Answered, "outside everything: {outside}");
    }
    // A router that knows no such path, and nothing that verifies.
    let seen = Seen::default();
    captured(async {
        let service =
            seen.layer().layer(service_fn(async |_: Request<Full<Bytes>>| Ok::<_, Infallible>(with_status(404))));
        send(&service, Request::new(Full::default())).await;
    });
    assert_eq!((seen.only().outcome(), seen.only().reached()), (Outcome::Answered, Stage::Queue));
}

#[test]
fn clients_that_hang_up_are_told_with_the_stage_at_which_they_do() {
    for (name, stage, is_genuine) in [("body", Stage::Body, false), ("handler", Stage::Handler, true)] {
        let seen = Seen::default();
        let (_, logs, _) = captured(async {
            let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock()), &clock()).observe(seen.layer()).build();
            let handler = service_fn(|_| pending::<Result<Response<Full<Bytes>>, Infallible>>());
            let mut service = layer.unwrap().layer(handler);
            let sent = Sent::standard("msg_1");
            let body = match stage {
                Stage::Body => StreamBody::new(futures_util::stream::pending()).boxed_unsync(),
                _ => Full::new(Bytes::from_static(br#"{"type":"ping","n":1}"#)).boxed_unsync(),
            };
            let request: Request<AnyBody> = sent.with_body(body);
            let mut call = Box::pin(start(&mut service, request).await);
            assert!((&mut call).now_or_never().is_none());
            drop(call);
        });
        let observation = seen.only();
        assert_eq!((observation.outcome(), observation.reached()), (Outcome::HungUp, stage), "{name}");
        assert_eq!(observation.delivery().is_some(), is_genuine, "{name}");
        assert_eq!((observation.status(), observation.code()), (None, "none"), "{name}");
        assert_eq!((logs.event().level, logs.event().get("error.type")), (Level::WARN, "hung_up"), "{name}");
    }
}

#[test]
fn a_service_that_fails_and_one_that_panics_are_errors() {
    let seen = Seen::default();
    captured(async {
        let service = seen.layer().layer(service_fn(async |_: Request<()>| Err::<Response<()>, _>("broken")));
        assert_eq!(service.oneshot(Request::new(())).await.unwrap_err(), "broken");
    });
    assert_eq!(seen.only().outcome(), Outcome::Error);

    let seen = Seen::default();
    let (_, logs, _) = captured(async {
        let handler = service_fn(async |_: Request<()>| -> Result<Response<()>, Infallible> { panic!("as it is to") });
        let service = seen.layer().layer(handler);
        let call = AssertUnwindSafe(service.oneshot(Request::new(())));
        assert!(call.catch_unwind().await.is_err());
    });
    assert_eq!(seen.only().outcome(), Outcome::Error);
    assert_eq!(logs.event().level, Level::ERROR);
}

#[test]
fn an_observer_that_panics_takes_nothing_down() {
    captured(async {
        let layer = observe().on_observation(|_| panic!("as it is to"));
        let service = layer.clone().layer(service_fn(ok));
        assert_eq!(send(&service, Request::new(())).await.status, 200);
        // Not even while another panic drops the request.
        let handler = service_fn(async |_: Request<()>| -> Result<Response<()>, Infallible> { panic!("as it is to") });
        let call = AssertUnwindSafe(layer.layer(handler).oneshot(Request::new(())));
        assert!(call.catch_unwind().await.is_err());
        assert_eq!(send(&service, Request::new(())).await.status, 200);
    });
}

/// Refuses for a reason that it was given.
#[derive(Clone)]
struct Because(Rejection);

impl<B: VerifiedBody> Check<B> for Because {
    type Out = Verified;
    type Future = Never<Verified>;

    fn check(&self, _: Request<B>) -> Step<Verified, Self::Future> {
        Step::Now(Err(self.0.clone().into()))
    }
}

#[test]
fn reasons_that_take_more_to_bring_about_are_told_alike() {
    for (rejection, level) in [
        (Rejection::DuplicateField, Level::WARN),
        (Rejection::AmbiguousMessage, Level::WARN),
        (Rejection::AmbiguousHost, Level::WARN),
        (Rejection::MalformedChallenge, Level::WARN),
        (Rejection::MissingHeader { header: "date".parse().unwrap() }, Level::WARN),
        (Rejection::MissingSignedValue, Level::WARN),
        (Rejection::WrongAlgorithm, Level::WARN),
        (Rejection::UntrustedKey { why: "it has expired" }, Level::WARN),
        (Rejection::WrongClaim { claim: "/aud".into() }, Level::WARN),
        (Rejection::UnexpectedHandshake, Level::WARN),
        (Rejection::Outdated, Level::WARN),
        (Rejection::HandshakeUnfinished, Level::ERROR),
        (Problem::new("/canary", "must be a number").into(), Level::WARN),
    ] {
        let (_, logs, metrics) = captured(async {
            let layer = stack(provider::STANDARD_WEBHOOKS, MemoryNonceStore::new(), &clock()).observe(observe());
            let service =
                layer.then(GuardLayer::new(Because(rejection.clone()))).build().unwrap().layer(service_fn(ok));
            assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, rejection.status());
        });
        let event = logs.event();
        assert_eq!(event.level, level, "{rejection}");
        assert_eq!((event.get("webhook.reason"), event.get("error.type")), (rejection.reason(), rejection.reason()));
        assert_eq!(event.get("webhook.code"), rejection.code());
        assert!(!logs.text().contains("canary"), "payloads have no place in logs, nor have their keys");
        let counted =
            format!("webhook_rejections_total{{provider=\"standard-webhooks\",reason={:?}}}", rejection.reason());
        assert_eq!(metrics.take().get(&counted), Some(&vec![1.0]), "{rejection}");
    }
}

#[test]
fn a_strangers_text_cannot_forge_lines_nor_fill_them() {
    let (_, logs, _) = captured(async {
        let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock()), &clock()).observe(observe());
        let service = layer.build().unwrap().layer(service_fn(ok));
        let event = format!("\\u001b[31m\\n\\u202e\\u2028é<b>{}", "x".repeat(500));
        let sent = Sent::new(provider::STANDARD_WEBHOOKS, format!("{{\"type\":\"{event}\"}}")).id("msg_1");
        assert_eq!(send(&service, sent.request()).await.status, 200);
    });
    let (event, span) = (logs.event(), logs.spans().remove(0));
    let expected = format!("\\u{{1b}}[31m\\u{{a}}\\u{{202e}}\\u{{2028}}\\u{{e9}}<b>{}…", "x".repeat(52));
    assert_eq!(event.get("webhook.event"), expected);
    assert_eq!(span.get("webhook.event"), expected);
}

#[test]
fn layers_inside_do_not_show_signatures_and_credentials_by_their_debug() {
    async fn shown(
        layer: impl Layer<ShowHeaders, Service = impl Service<Request<Full<Bytes>>, Error = Infallible>>,
    ) -> String {
        let shown = ShowHeaders::default();
        let mut request = Sent::standard("msg_1").header("authorization", "Bearer canary").request();
        request.headers_mut().insert("x-own", HeaderValue::from_static("canary"));
        request.headers_mut().append("x-own", HeaderValue::from_static("canary"));
        let _ = layer.layer(shown.clone()).oneshot(request).await;
        shown.0.lock().unwrap().clone()
    }
    captured(async {
        let outside =
            shown(observe().sensitive_headers(["webhook-signature".parse().unwrap(), "x-own".parse().unwrap()])).await;
        assert!(outside.contains("msg_1") && outside.matches("Sensitive").count() == 4, "{outside}");
        assert!(!outside.contains("canary") && !outside.contains("v1,"), "{outside}");
        let verified =
            shown(VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock())).await;
        assert!(verified.contains("msg_1") && !verified.contains("v1,"), "{verified}");
    });
}

/// A handler that prints what it gets.
#[derive(Clone, Default)]
struct ShowHeaders(Arc<Mutex<String>>);

impl<B> Service<Request<B>> for ShowHeaders {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        *self.0.lock().unwrap() = format!("{:?}", request.headers());
        std::future::ready(Ok(with_status(200)))
    }
}

#[test]
fn a_trial_is_told_with_what_would_have_become_of_it() {
    for (sent, would_reject, is_genuine) in [
        (Sent::standard("msg_1"), "", true),
        (Sent::standard("msg_1").without("webhook-signature"), "missing_signature", false),
    ] {
        let seen = Seen::default();
        let (_, logs, _) = captured(async {
            let trial = ReportSignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock());
            let service = seen.layer().layer(trial.layer(service_fn(ok)));
            assert_eq!(send(&service, sent.request()).await.status, 200);
        });
        assert_eq!(logs.event().get("webhook.would_reject"), would_reject);
        assert_eq!(seen.only().outcome(), Outcome::Handled);
        assert_eq!(seen.only().trial().is_none(), is_genuine);
        assert_eq!(seen.only().delivery().is_some(), is_genuine);
    }
    let _ = secs(1);
}
