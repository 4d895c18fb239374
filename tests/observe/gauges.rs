//! What is looked at now and then.

use std::convert::Infallible;

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    body::BodyBudget,
    clock::ManualClock,
    layer::ObserveLayer,
    observe::{Reading, Watched},
    store::{
        Charge, MemoryNonceStore, MemoryRateStore, NonceStore, Quota, RateKey, RateStore, RedisConnection,
        RedisNonceStore, ReplayKey, Token,
    },
};

use crate::{
    capture::captured,
    support::{clock, memory, now, secs},
};

async fn request_to(layer: &ObserveLayer) {
    let service = layer.layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    service.oneshot(Request::new(())).await.unwrap();
}

fn reserve(store: &MemoryNonceStore, id: u8) {
    now(store.reserve(ReplayKey::of([[id].as_slice()]), Token::unique(), secs(60))).unwrap();
}

#[test]
fn stores_are_gauges_and_looked_at_every_five_seconds() {
    let (layer, _, metrics) = captured(async {
        let clock = clock();
        let (nonces, rates) = (memory(&clock), MemoryRateStore::with_capacity(64).with_clock(clock.clone()));
        let layer = ObserveLayer::new()
            .with_clock(clock.clone())
            .budget(BodyBudget::new(100))
            .watch("nonces", nonces.clone())
            .watch("rates", rates.clone());
        reserve(&nonces, 1);
        request_to(&layer).await;
        reserve(&nonces, 2);
        now(rates.check(RateKey::of([b"a".as_slice()]), &Quota::per_minute(1).into(), Charge::IfAllowed(1))).unwrap();
        clock.advance(secs(4));
        request_to(&layer).await;
        clock.advance(secs(1));
        request_to(&layer).await;
        reserve(&nonces, 3);
        clock.advance(secs(4));
        request_to(&layer).await;
        layer
    });
    let counted = metrics.take();
    for (gauge, expected) in [
        (r#"webhook_store_entries{store="nonces"}"#, 2.0),
        (r#"webhook_store_capacity{store="nonces"}"#, 10_000.0),
        (r#"webhook_store_entries{store="rates"}"#, 1.0),
        (r#"webhook_store_capacity{store="rates"}"#, 64.0),
        ("webhook_buffered_bytes{}", 0.0),
    ] {
        assert_eq!(counted.get(gauge), Some(&vec![expected]), "{gauge}: {counted:#?}");
    }
    assert!(!counted.keys().any(|name| name.starts_with("webhook_store_available")), "nobody says so of memory");
    layer.update_gauges();
    assert_eq!(metrics.take()[r#"webhook_store_entries{store="nonces"}"#], [3.0], "when somebody asks");
}

#[test]
fn layers_that_were_cloned_from_one_look_at_what_is_their_own() {
    let (_, _, metrics) = captured(async {
        let clock = clock();
        let (first, second) = (memory(&clock), memory(&clock));
        reserve(&first, 1);
        reserve(&second, 1);
        reserve(&second, 2);
        let layer = ObserveLayer::new().with_clock(clock);
        for layer in [layer.clone().watch("first", first), layer.watch("second", second)] {
            request_to(&layer).await;
        }
    });
    let counted = metrics.take();
    for (store, expected) in [("first", 1.0), ("second", 2.0)] {
        assert_eq!(counted[&format!("webhook_store_entries{{store={store:?}}}")], [expected], "{counted:#?}");
    }
    let requests = counted.iter().filter(|(name, _)| name.starts_with("webhook_requests_total"));
    assert_eq!(requests.map(|(_, count)| count[0]).sum::<f64>(), 2.0, "and they count together");
}

#[test]
fn a_server_that_is_asked_no_more_is_not_available() {
    // A port on which nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (_, _, metrics) = captured(async {
        let redis = RedisConnection::open(&format!("redis://127.0.0.1:{port}")).unwrap();
        assert_eq!(redis.reading(), Reading::of_availability(true), "before it has been asked");
        let nonces = RedisNonceStore::new(redis.clone());
        for id in 0..5_u8 {
            let asked = nonces.reserve(ReplayKey::of([[id].as_slice()]), Token::unique(), secs(60));
            assert!(asked.await.is_err());
        }
        assert_eq!(redis.reading(), Reading::of_availability(false));
        let clock: ManualClock = clock();
        request_to(&ObserveLayer::new().with_clock(clock).watch("redis", redis)).await;
    });
    let counted = metrics.take();
    assert_eq!(counted.get(r#"webhook_store_available{store="redis"}"#), Some(&vec![0.0]), "{counted:#?}");
    assert!(!counted.keys().any(|name| name.starts_with("webhook_store_entries")), "it does not say");
}
