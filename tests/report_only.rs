//! Signatures that are reported and not enforced: the handler runs, learns what would have come of the request, and has no proof of anything.

mod support;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use support::{Calls, NOW, OLD_SECRET, Sent, clock, secs, send, start, verifier};
use tower::{Layer, Service, service_fn};
use tower_webhook::{
    Delivery,
    body::{BodyBudget, Buffered},
    clock::UnixTime,
    layer::{Dispatch, ReportSignatureLayer, SignatureReport, TenantIn, Tenants, VerifySignatureLayer},
    provider,
    scheme::{Scheme, Verifier},
};

const STANDARD: Scheme<'static> = provider::STANDARD_WEBHOOKS;

type Reports = Arc<Mutex<Vec<SignatureReport>>>;

/// A handler that answers with the body it was given, and a list of the reports.
fn reporting(
    layer: ReportSignatureLayer,
) -> (impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone, Reports) {
    let reports = Reports::default();
    let (observed, handed_on) = (Arc::clone(&reports), Arc::clone(&reports));
    let handler = service_fn(move |request: Request<Buffered>| {
        let handed_on = Arc::clone(&handed_on);
        async move {
            assert!(request.extensions().get::<Delivery>().is_none());
            let report = request.extensions().get::<SignatureReport>().unwrap();
            let observed = handed_on.lock().unwrap().last().cloned();
            assert_eq!(observed.unwrap().rejection(), report.rejection());
            Ok(Response::new(Full::new(request.into_body().collect().await.unwrap().to_bytes())))
        }
    });
    let layer = layer.with_clock(clock()).on_report(move |report| observed.lock().unwrap().push(report.clone()));
    (layer.layer(handler), reports)
}

#[tokio::test]
async fn every_request_is_handled_and_reported_as_enforcement_would_have_answered() {
    let (service, reports) = reporting(ReportSignatureLayer::new(verifier(STANDARD)));
    let enforcing = VerifySignatureLayer::new(verifier(STANDARD)).with_clock(clock()).layer(Calls::default().handler());
    let sent = || Sent::standard("msg_1");
    for (what, sent) in [
        ("genuine", sent()),
        ("forged", sent().signed_with(&[OLD_SECRET])),
        ("unsigned", sent().without("webhook-signature")),
        ("stale", sent().at(NOW - 3600)),
        ("malformed", sent().header("webhook-timestamp", "soon")),
        ("with two families", sent().header("svix-id", "msg_2")),
        ("by another method", sent().method(Method::PUT)),
    ] {
        let answer = send(&service, sent.request()).await;
        assert_eq!((answer.status.as_u16(), answer.rejection), (200, None), "{what}");
        assert_eq!(answer.body, r#"{"type":"ping","n":1}"#, "{what}");
        let report = reports.lock().unwrap().pop().unwrap();
        let enforced = send(&enforcing, sent.request()).await;
        assert_eq!(report.rejection(), enforced.rejection.as_ref(), "{what}");
        assert_eq!(report.is_genuine(), what == "genuine", "{what}");
    }
}

#[tokio::test]
async fn a_report_has_the_facts_of_a_genuine_request_and_none_of_another() {
    let verifier = Verifier::builder(STANDARD).tenant("acme").build(("2026", support::SECRET)).unwrap();
    let (service, reports) = reporting(ReportSignatureLayer::new(verifier));
    for (genuine, secret) in [(true, support::SECRET), (false, OLD_SECRET)] {
        send(&service, Sent::standard("msg_1").signed_with(&[secret]).request()).await;
        let report = reports.lock().unwrap().pop().unwrap();
        let words = [report.provider(), report.tenant(), report.key_id(), report.id(), report.event()];
        let expected = ["standard-webhooks", "acme", "2026", "msg_1", "ping"];
        assert_eq!(words, expected.map(|word| genuine.then_some(word)));
        assert_eq!(report.key_index(), genuine.then_some(0));
        assert_eq!(report.signed_at(), genuine.then_some(UnixTime::from_secs(NOW)));
        assert!(!format!("{report:?}").contains("whsec"), "{report:?}");
    }
}

#[tokio::test]
async fn bodies_beyond_the_bounds_are_refused_all_the_same() {
    let layer = || ReportSignatureLayer::new(verifier(STANDARD));
    for (what, layer, sent, status) in [
        ("too large", layer().max_body(5), Sent::standard("msg_1"), 413),
        ("announced to be", layer(), Sent::standard("msg_1").header("content-length", "99999999"), 413),
        ("encoded", layer(), Sent::standard("msg_1").header("content-encoding", "gzip"), 415),
        ("beyond the budget", layer().budget(BodyBudget::new(5)), Sent::standard("msg_1"), 503),
    ] {
        let (service, reports) = reporting(layer);
        assert_eq!(send(&service, sent.request()).await.status, status, "{what}");
        assert_eq!(reports.lock().unwrap().len(), 0, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let layer = ReportSignatureLayer::new(verifier(STANDARD)).body_timeout(secs(3));
    let mut service = layer.layer(Calls::default().handler());
    let never =
        http_body_util::StreamBody::new(futures_util::stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>());
    let answer = start(&mut service, Sent::standard("msg_1").with_body(never)).await.await.unwrap();
    assert_eq!(answer.status(), 408);
}

#[tokio::test(start_paused = true)]
async fn trouble_with_keys_is_reported_and_holds_nobody_up_for_long() {
    let lookup = |tenant: Arc<str>| async move {
        match &*tenant {
            "acme" => Ok(Some(support::SECRET)),
            "failing" => Err("no connection"),
            "hanging" => std::future::pending().await,
            _ => Ok(None),
        }
    };
    let tenants = Tenants::new(Verifier::builder(STANDARD), TenantIn::path_segment(1), lookup).unwrap();
    let dispatch = Dispatch::new([tenants]).unwrap();
    let (service, reports) = reporting(ReportSignatureLayer::new(dispatch));
    for (tenant, expected) in [
        ("acme", None),
        ("nobody", Some("unknown_key")),
        ("failing", Some("keys_unavailable")),
        ("hanging", Some("keys_unavailable")),
    ] {
        let mut request = Sent::standard("msg_1").request();
        *request.uri_mut() = format!("/hooks/{tenant}").parse().unwrap();
        assert_eq!(send(&service, request).await.status, 200, "{tenant}");
        let report = reports.lock().unwrap().pop().unwrap();
        assert_eq!(report.rejection().map(|why| why.reason()), expected, "{tenant}");
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn the_extractor_of_deliveries_finds_none() {
    use axum::{Router, routing::post};
    let handler = |delivery: Delivery| async move { delivery.provider().to_owned() };
    let app = Router::new()
        .route("/hook", post(handler))
        .layer(ReportSignatureLayer::new(verifier(STANDARD)).with_clock(clock()));
    assert_eq!(send(&app, Sent::standard("msg_1").request().map(axum::body::Body::new)).await.status, 500);
}
