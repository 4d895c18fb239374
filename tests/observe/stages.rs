//! Where the time goes.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_webhook::{
    body::Verified,
    layer::ObserveLayer,
    observe::{Observation, Stage},
    provider,
};

use crate::{
    capture::captured,
    support::{MockStore, Operation, Sent, TokioClock, clock, memory, secs, stack, with_status},
};

/// Takes this long, and is content.
async fn handler(_: Request<Verified>) -> Result<Response<Full<Bytes>>, Infallible> {
    tokio::time::sleep(secs(4)).await;
    Ok(with_status(200))
}

#[test]
fn each_stage_is_measured_and_none_counts_for_another() {
    let seen: Arc<Mutex<Vec<Observation>>> = Arc::default();
    let (_, logs, metrics) = captured(async {
        let keep = Arc::clone(&seen);
        let observe = ObserveLayer::new()
            .with_clock(TokioClock::new())
            .on_observation(move |observation| keep.lock().unwrap().push(observation.clone()));
        let slow = Operation { delay: secs(2), ..Operation::default() };
        let store = MockStore::new(memory(&clock())).reserving(slow).committing(slow);
        let layer = stack(provider::STANDARD_WEBHOOKS, store, &clock()).observe(observe).build().unwrap();
        // One at a time: the second waits for the first, when its signature has been checked.
        let service = layer.layer(ServiceBuilder::new().concurrency_limit(1).service(service_fn(handler)));
        let request = |id: &str| {
            let frames = stream::once(async {
                tokio::time::sleep(secs(3)).await;
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(br#"{"type":"ping","n":1}"#)))
            });
            Sent::standard(id).with_body(StreamBody::new(frames.boxed()))
        };
        let calls = ["msg_1", "msg_2"].map(|id| tokio::spawn(service.clone().oneshot(request(id))));
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
    });
    let told = seen.lock().unwrap();
    // The commit of the first goes on while the second is called.
    for (observation, [queue, body, verify, store, handler]) in told.iter().zip([[0, 3, 0, 4, 4], [6, 3, 0, 4, 4]]) {
        let times = Stage::ALL.map(|stage| observation.time_in(stage).as_secs());
        assert_eq!(times, [queue, body, verify, store, handler]);
        assert_eq!(observation.total_time(), secs(queue + body + verify + store + handler));
    }
    assert_eq!(told.len(), 2);
    let event = logs.events().remove(0);
    for (field, expected) in [
        ("webhook.duration_ms", "11000.0"),
        ("webhook.queue_ms", "0.0"),
        ("webhook.body_ms", "3000.0"),
        ("webhook.verify_ms", "0.0"),
        ("webhook.store_ms", "4000.0"),
        ("webhook.handler_ms", "4000.0"),
    ] {
        assert_eq!(event.get(field), expected, "{field}");
    }
    let counted = metrics.take();
    let histogram = |stage: &str| {
        let name = format!("webhook_duration_seconds{{provider=\"standard-webhooks\",stage={stage:?}}}");
        counted.get(&name).cloned().unwrap_or_default()
    };
    assert_eq!(histogram("handler"), [4.0, 4.0]);
    assert_eq!(histogram("body"), [3.0, 3.0]);
    assert!(histogram("verify").is_empty(), "nothing was spent there");
    assert_eq!(histogram("total"), [11.0, 17.0]);
}
