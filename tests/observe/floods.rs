//! What strangers can have written and counted.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_webhook::{
    body::Verified,
    clock::ManualClock,
    layer::{HandshakeLayer, ObserveLayer},
    provider,
};

use crate::{
    capture::captured,
    support::{Sent, clock, memory, secs, send, stack, with_status},
};

async fn ok(_: Request<Verified>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(with_status(200))
}

#[test]
fn a_flood_of_forgeries_writes_a_line_a_second_and_counts_the_rest() {
    const IN_EACH_SECOND: usize = 2_000;
    let (_, logs, metrics) = captured(async {
        let clock = clock();
        let observe = ObserveLayer::new().with_clock(clock.clone());
        let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).observe(observe);
        let service = layer.build().unwrap().layer(service_fn(ok));
        let forged = Sent::standard("msg_1").header("webhook-id", "msg_2");
        let unsigned = Sent::standard("msg_1").without("webhook-signature");
        for second in 0..10 {
            for request in 0..IN_EACH_SECOND {
                let sent = if request % 2 == 0 { &forged } else { &unsigned };
                let answer = send(&service, sent.clone().at(1_800_000_000).request()).await;
                assert_eq!(answer.status, 401);
            }
            // Genuine ones are written all the same.
            let genuine = Sent::standard(&format!("evt_{second}")).at(1_800_000_000 + second);
            assert_eq!(send(&service, genuine.request()).await.status, 200);
            clock.advance(secs(1));
        }
        clock.advance(secs(20));
        assert_eq!(send(&service, Sent::standard("evt_last").at(1_800_000_030).request()).await.status, 200);
    });
    let events = logs.events();
    let of = |reason: &str| events.iter().filter(|event| event.get("webhook.reason") == reason).collect::<Vec<_>>();
    let mut written = 0;
    for reason in ["signature_mismatch", "missing_signature"] {
        let (written_of, left_out): (usize, u64) = of(reason).iter().fold((0, 0), |(count, left_out), event| {
            let is_summary = event.name == "webhook events left out";
            let suppressed = event.get("webhook.suppressed").parse::<u64>().unwrap_or(0);
            (count + usize::from(!is_summary), left_out + suppressed)
        });
        assert_eq!(written_of, 10 + 9, "{reason}");
        assert_eq!(written_of as u64 + left_out, 10 * IN_EACH_SECOND as u64 / 2, "{reason}: none is forgotten");
        written += written_of;
    }
    assert_eq!(events.iter().filter(|event| event.name == "webhook handled").count(), 11);
    assert_eq!(events.len(), written + 11 + 2);
    let counted = metrics.take();
    assert_eq!(counted["webhook_events_suppressed_total{}"], [(10 * IN_EACH_SECOND - written) as f64]);
    let requests = r#"webhook_requests_total{code="unauthenticated",outcome="rejected",provider="standard-webhooks"}"#;
    assert_eq!(counted[requests], [10.0 * IN_EACH_SECOND as f64], "what is not written is counted");
}

#[test]
fn nothing_that_a_request_says_becomes_a_label() {
    let (_, _, metrics) = captured(async {
        let clock = clock();
        let observe = ObserveLayer::new().with_clock(clock.clone());
        let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).observe(observe);
        let service = layer.build().unwrap().layer(service_fn(ok));
        for stranger in 0..500 {
            let sent = Sent::new(provider::STANDARD_WEBHOOKS, format!(r#"{{"type":"canary{stranger}"}}"#));
            let mut request = sent.id(&format!("canary{stranger}")).request();
            *request.uri_mut() = format!("/canary{stranger}").parse().unwrap();
            if stranger % 2 == 0 {
                request.headers_mut().insert("webhook-id", format!("other{stranger}").parse().unwrap());
            }
            if stranger % 5 == 0 {
                *request.method_mut() = format!("CANARY{stranger}").parse().unwrap();
            }
            send(&service, request).await;
        }
    });
    let counted = metrics.take();
    assert!(!format!("{counted:?}").to_lowercase().contains("canary"), "{counted:#?}");
    assert!(counted.len() < 20, "{counted:#?}");
}

#[test]
fn whatever_strangers_can_repeat_is_written_ten_times() {
    const REQUESTS: usize = 1000;
    let captured_delivery = || Sent::standard("msg_1").request();
    let challenge = || {
        let mut request = Sent::new(provider::DROPBOX, "").request();
        *request.method_mut() = Method::GET;
        *request.uri_mut() = "/hook?challenge=canary".parse().unwrap();
        request
    };
    type Make = fn(&ManualClock) -> Service;
    type Send<'a> = &'a dyn Fn() -> Request<Full<Bytes>>;
    let cases: [(&str, Make, Send<'_>, usize, &str); 4] = [
        ("a delivery again and again", stacked, &captured_delivery, 1 + 10, "webhook handled before"),
        ("a challenge", challenged, &challenge, 10, "webhook answered without its handler"),
        ("what nobody has verified", unverified, &captured_delivery, 10, "webhook answered without its handler"),
        ("clients that go", abandoned, &captured_delivery, 10, "webhook's client hung up"),
    ];
    for (name, make, request, expected, says) in cases {
        let (_, logs, _) = captured(async {
            let clock = clock();
            let service = make(&clock);
            for _ in 0..REQUESTS {
                let call = service.clone().oneshot(request());
                let _ = tokio::time::timeout(secs(1), call).await;
            }
        });
        let events = logs.events();
        assert_eq!(events.len(), expected, "{name}");
        assert_eq!(events.last().unwrap().name, says, "{name}");
    }
}

type Service = BoxCloneSyncService<Request<Full<Bytes>>, (), Infallible>;

fn boxed<S, R>(service: S) -> Service
where
    S: tower::Service<Request<Full<Bytes>>, Response = R, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    R: 'static,
{
    BoxCloneSyncService::new(service.map_response(drop))
}

fn stacked(clock: &ManualClock) -> Service {
    let observe = ObserveLayer::new().with_clock(clock.clone());
    let layer = stack(provider::STANDARD_WEBHOOKS, memory(clock), clock).observe(observe).build().unwrap();
    boxed(layer.layer(service_fn(ok)))
}

fn challenged(clock: &ManualClock) -> Service {
    let observe = ObserveLayer::new().with_clock(clock.clone());
    let handshakes = HandshakeLayer::for_provider("dropbox", None).unwrap();
    let layer = stack(provider::DROPBOX, memory(clock), clock).observe(observe).handshake(handshakes).build().unwrap();
    boxed(layer.layer(service_fn(ok)))
}

fn unverified(clock: &ManualClock) -> Service {
    let observe = ObserveLayer::new().with_clock(clock.clone());
    let not_found = service_fn(async |_: Request<Full<Bytes>>| Ok::<_, Infallible>(with_status(404)));
    boxed(observe.layer(not_found))
}

fn abandoned(clock: &ManualClock) -> Service {
    let observe = ObserveLayer::new().with_clock(clock.clone());
    let hangs = service_fn(|_: Request<Full<Bytes>>| std::future::pending::<Result<Response<()>, Infallible>>());
    boxed(observe.layer(hangs))
}
