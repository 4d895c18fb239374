//! Spans: what runs in them, and whose trace they belong to.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{body::Verified, layer::ObserveLayer, observe::TraceContext, provider};

use crate::{
    capture::captured,
    support::{Sent, clock, memory, send, stack, with_status},
};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_senders_trace_counts_only_if_the_delivery_is_genuine() {
    for (name, sent, is_taken) in [
        ("genuine", Sent::standard("msg_1").header("traceparent", TRACE), true),
        ("genuine, without", Sent::standard("msg_1"), false),
        ("genuine, nonsense", Sent::standard("msg_1").header("traceparent", "00-0-0-0"), false),
        ("forged", Sent::standard("msg_1").header("traceparent", TRACE).header("webhook-id", "msg_2"), false),
        ("unsigned", Sent::standard("msg_1").header("traceparent", TRACE).without("webhook-signature"), false),
    ] {
        let (in_handler, in_hook) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
        let (_, logs, _) = captured(async {
            let (handled, hooked) = (Arc::clone(&in_handler), Arc::clone(&in_hook));
            let observe = ObserveLayer::new()
                .with_clock(clock())
                .on_trace_context(move |span, trace| *hooked.lock().unwrap() = Some((span.is_disabled(), trace)));
            let before = Arc::clone(&in_hook);
            let handler = service_fn(move |request: Request<Verified>| {
                let is_known = before.lock().unwrap().is_some();
                assert_eq!(is_known, is_taken, "the handler's own spans belong to it already");
                *handled.lock().unwrap() = request.extensions().get::<TraceContext>().copied();
                async { Ok::<Response<Full<Bytes>>, Infallible>(with_status(200)) }
            });
            let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock()), &clock()).observe(observe);
            send(&layer.build().unwrap().layer(handler), sent.request()).await;
        });
        let expected = is_taken.then(|| TraceContext::parse(TRACE).unwrap());
        assert_eq!(*in_handler.lock().unwrap(), expected, "{name}");
        assert_eq!(*in_hook.lock().unwrap(), expected.map(|trace| (false, trace)), "{name}");
        let told =
            [("webhook.trace_id", "0af7651916cd43dd8448eb211c80319c"), ("webhook.parent_span_id", "b7ad6b7169203331")];
        for (field, value) in told {
            let expected = if is_taken { value } else { "" };
            assert_eq!(logs.event().get(field), expected, "{name}");
            assert_eq!(logs.spans()[0].get(field), expected, "{name}");
        }
    }
}

#[test]
fn a_handlers_own_events_are_in_the_requests_span() {
    let (_, logs, _) = captured(async {
        let handler = service_fn(async |_: Request<Verified>| {
            tracing::info!(target: "observe_test", "first");
            tokio::task::yield_now().await;
            tracing::info!(target: "observe_test", "after a pause");
            Ok::<Response<Full<Bytes>>, Infallible>(with_status(200))
        });
        let observe = ObserveLayer::new().with_clock(clock());
        let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock()), &clock()).observe(observe);
        let service = layer.build().unwrap().layer(handler);
        let calls = ["msg_1", "msg_2"].map(|id| {
            let (service, request) = (service.clone(), Sent::standard(id).request());
            async move { send(&service, request).await }
        });
        futures_util::future::join_all(calls).await;
        tracing::info!(target: "observe_test", "outside");
    });
    let told: Vec<_> = logs.events().into_iter().map(|event| event.name).zip(logs.parents()).collect();
    let of = |span: Option<u64>| {
        told.iter().filter(|(_, parent)| *parent == span).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(Some(1)), ["first", "after a pause", "webhook handled"]);
    assert_eq!(of(Some(2)), ["first", "after a pause", "webhook handled"]);
    assert_eq!(of(None), ["outside"]);
}

#[test]
fn in_axum_the_route_is_told_and_not_the_path() {
    let (_, logs, _) = captured(async {
        let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock()), &clock());
        let layer = layer.observe(ObserveLayer::new().with_clock(clock())).build().unwrap();
        let app = Router::new().route("/hooks/{customer}", post(|| async { "handled" })).layer(layer);
        let mut request = Sent::standard("msg_1").request().map(Body::new);
        *request.uri_mut() = "/hooks/canary-5d1f?token=canary-5d1f".parse().unwrap();
        assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
    });
    assert_eq!(logs.event().get("http.route"), "/hooks/{customer}");
    assert_eq!(logs.spans()[0].get("otel.name"), "POST /hooks/{customer}");
    assert!(!logs.text().contains("canary"), "{}", logs.text());
}
