//! What a layer tells a detector, and how that is told in turn.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_webhook::{
    PeerAddr,
    body::Verified,
    layer::ObserveLayer,
    observe::{Anomaly, AnomalyDetector, AnomalyKind},
    provider,
};
use tracing::Level;

use crate::{
    capture::captured,
    support::{NOW, Sent, clock, memory, secs, send, stack, with_status},
};

#[test]
fn a_burst_is_told_when_it_begins_and_when_it_is_over() {
    let told: Arc<Mutex<Vec<Anomaly>>> = Arc::default();
    let (_, logs, metrics) = captured(async {
        let (clock, keep) = (clock(), Arc::clone(&told));
        let detector = AnomalyDetector::builder()
            .with_clock(clock.clone())
            .learn_for(secs(0))
            .on_anomaly(move |anomaly| keep.lock().unwrap().push(anomaly.clone()))
            .build();
        let observe = ObserveLayer::new().with_clock(clock.clone()).detect(detector.clone());
        let layer = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).observe(observe);
        let service = layer
            .build()
            .unwrap()
            .layer(service_fn(async |_: Request<Verified>| Ok::<Response<Full<Bytes>>, Infallible>(with_status(200))));
        let from = |sent: Sent, host: u8| {
            let mut request = sent.request();
            request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, host], 443))));
            request
        };
        for number in 0..1000 {
            let forged = Sent::standard("msg_1").header("webhook-id", "msg_2");
            assert_eq!(send(&service, from(forged, 7)).await.status, 401);
            // A few that are genuine go on beside it, and are no part of it.
            if number % 100 == 0 {
                let genuine = Sent::standard(&format!("evt_{number}"));
                assert_eq!(send(&service, from(genuine, 8)).await.status, 200);
            }
        }
        assert!(detector.ongoing().iter().any(|anomaly| anomaly.source() == Some([192, 0, 2, 7].into())));
        for _ in 0..60 {
            clock.advance(secs(30));
            detector.check();
        }
        assert!(detector.ongoing().is_empty());
    });
    let told = told.lock().unwrap();
    assert!(told.iter().all(|anomaly| anomaly.kind() == AnomalyKind::ForgeryBurst), "{told:#?}");
    assert!(told.iter().all(|anomaly| anomaly.started().as_secs() == NOW), "{told:#?}");
    let began = told.iter().filter(|anomaly| anomaly.ended().is_none()).count();
    assert_eq!(told.len(), 2 * began, "each begins once and ends once: {told:#?}");

    let events = logs.events();
    let lines: Vec<_> = events.iter().filter(|event| !event.get("webhook.anomaly.kind").is_empty()).collect();
    assert_eq!(lines.len(), told.len());
    for (line, anomaly) in lines.iter().zip(told.iter()) {
        let (level, says) = match anomaly.ended() {
            None => (Level::WARN, "webhooks are not as usual"),
            Some(_) => (Level::INFO, "webhooks are as usual again"),
        };
        assert_eq!((line.level, line.name.as_str()), (level, says));
        assert_eq!(line.get("webhook.provider"), "standard-webhooks");
        assert_eq!(line.get("webhook.anomaly.id"), anomaly.id().to_string());
        assert_eq!(line.get("webhook.anomaly.observed"), format!("{:?}", anomaly.evidence().observed()));
    }
    let counted = metrics.take();
    let labels = r#"{kind="forgery_burst",provider="standard-webhooks"}"#;
    assert_eq!(counted[&format!("webhook_anomalies_total{labels}")], [began as f64]);
    assert_eq!(counted[&format!("webhook_anomaly_active{labels}")], [0.0]);
}
