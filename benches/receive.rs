//! What receiving a webhook costs: the bare MAC of the same bytes, the verifier, and the whole stack.
//!
//! `cargo bench --bench receive`

use std::{cell::Cell, convert::Infallible, hint::black_box, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use sha2::Sha256;
use tower::{Layer, Service, service_fn};
use tower_webhook::{
    PeerAddr,
    clock::{ManualClock, UnixTime},
    layer::{ClientAddr, ObserveLayer, RateLimitLayer, VerifySignatureLayer, WebhookLayer},
    observe::AnomalyDetector,
    provider,
    scheme::{Head, Outgoing, Scheme},
    store::{MemoryNonceStore, MemoryRateStore, Quota},
};

const SIZES: [(&str, usize); 5] =
    [("256 B", 256), ("1 KiB", 1024), ("16 KiB", 16 * 1024), ("256 KiB", 256 * 1024), ("1 MiB", 1024 * 1024)];
const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const SCHEMES: [Scheme<'static>; 3] = [provider::GITHUB, provider::STRIPE, provider::STANDARD_WEBHOOKS];

fn receive(criterion: &mut Criterion) {
    for (label, size) in SIZES {
        let mut group = criterion.benchmark_group(label);
        group.throughput(Throughput::Bytes(size as u64));
        let body = body(size, 0);

        let keyed = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of every length");
        group.bench_function("bare keyed HMAC", |bencher| {
            bencher.iter(|| keyed.clone().chain_update(black_box(&body)).finalize());
        });

        for scheme in SCHEMES {
            let verifier = scheme.verifier(SECRET).expect("a good secret");
            let (head, ()) = request(scheme, &sign(scheme, 0, &body), ()).into_parts();
            group.bench_function(format!("verifier, {}", scheme.name), |bencher| {
                bencher.iter(|| verifier.verify(Head::from(black_box(&head)), &body, NOW).expect("it is genuine"));
            });
        }

        group.bench_function("no layer", |bencher| measure(bencher, service_fn(answer), provider::GITHUB, size));
        for scheme in SCHEMES {
            let verifier = scheme.verifier(SECRET).expect("a good secret");
            let verify = VerifySignatureLayer::new(verifier.clone()).with_clock(ManualClock::at(NOW));
            group.bench_function(format!("buffer and verify, {}", scheme.name), |bencher| {
                measure(bencher, verify.layer(service_fn(answer)), scheme, size);
            });
            group.bench_function(format!("whole stack, {}", scheme.name), |bencher| {
                let stack = WebhookLayer::builder(verifier.clone())
                    .rate_limit(RateLimitLayer::new(
                        Quota::per_second(u32::MAX),
                        ClientAddr::new(),
                        MemoryRateStore::new(),
                    ))
                    .replay(MemoryNonceStore::with_capacity(100_000_000))
                    .with_clock(ManualClock::at(NOW))
                    .build()
                    .expect("a good configuration");
                measure(bencher, stack.layer(service_fn(answer)), scheme, size);
            });
        }
        group.finish();
    }
}

/// What it costs to be told of each request, by who listens.
fn observe(criterion: &mut Criterion) {
    const SIZE: usize = 1024;
    let scheme = provider::STANDARD_WEBHOOKS;
    let mut group = criterion.benchmark_group("observed, 1 KiB");
    let stack = |observe: Option<ObserveLayer>| {
        let builder = WebhookLayer::builder(scheme.verifier(SECRET).expect("a good secret"))
            .replay(MemoryNonceStore::with_capacity(100_000_000))
            .with_clock(ManualClock::at(NOW));
        let builder = match observe {
            Some(observe) => builder.observe(observe),
            None => builder,
        };
        builder.build().expect("a good configuration").layer(service_fn(answer))
    };
    group.bench_function("not at all", |bencher| measure(bencher, stack(None), scheme, SIZE));
    group.bench_function("nobody listens", |bencher| {
        measure(bencher, stack(Some(ObserveLayer::new())), scheme, SIZE);
    });
    group.bench_function("a detector of anomalies", |bencher| {
        measure(bencher, stack(Some(ObserveLayer::new().detect(AnomalyDetector::new()))), scheme, SIZE);
    });
    group.bench_function("metrics for Prometheus", |bencher| {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new()
            .set_buckets(&[0.001, 0.01, 0.1, 1.0, 10.0])
            .expect("there are buckets")
            .build_recorder();
        metrics::with_local_recorder(&recorder, || {
            measure(bencher, stack(Some(ObserveLayer::new())), scheme, SIZE);
        });
    });
    group.bench_function("lines of a log, to nowhere", |bencher| {
        let log = tracing_subscriber::fmt().with_writer(std::io::sink).with_ansi(false).finish();
        tracing::subscriber::with_default(log, || {
            measure(bencher, stack(Some(ObserveLayer::new())), scheme, SIZE);
        });
    });
    group.bench_function("only warnings of a log", |bencher| {
        let log = tracing_subscriber::fmt().with_writer(std::io::sink).with_max_level(tracing::Level::WARN).finish();
        tracing::subscriber::with_default(log, || {
            measure(bencher, stack(Some(ObserveLayer::new())), scheme, SIZE);
        });
    });
    group.finish();
}

/// Times calls of a service, each with a delivery of its own; making the request does not count.
fn measure<S, ResBody>(bencher: &mut criterion::Bencher<'_>, mut service: S, scheme: Scheme<'static>, size: usize)
where
    S: Service<Request<Full<Bytes>>, Response = Response<ResBody>, Error = Infallible>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let next = Cell::new(0);
    bencher.iter_batched(
        || {
            let body = body(size, next.replace(next.get() + 1));
            let mut request = request(scheme, &sign(scheme, next.get(), &body), Full::new(body));
            request.extensions_mut().insert(PeerAddr(SocketAddr::from(([127, 0, 0, 1], 9))));
            request
        },
        |request| {
            let Ok(response) = runtime.block_on(service.call(request));
            assert_eq!(response.status(), StatusCode::OK);
            response
        },
        // As many as stay in the cache: a server has just received the request that it looks at.
        BatchSize::NumIterations((64 * 1024 / size as u64).max(1)),
    );
}

async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(black_box(request));
    Ok(Response::new(Full::default()))
}

/// A body in one frame of shared memory, as hyper gives it.
fn body(size: usize, id: u64) -> Bytes {
    let mut text = format!(r#"{{"id":"evt_{id}","type":"ping","data":""#);
    text.extend(std::iter::repeat_n('x', size - text.len() - 2));
    text.push_str(r#""}"#);
    BytesMut::from(text.as_str()).split_to(size).freeze()
}

fn sign(scheme: Scheme<'static>, id: u64, body: &Bytes) -> HeaderMap {
    let id = format!("msg_{id}");
    let outgoing = Outgoing { id: Some(&id), now: NOW, ..Outgoing::post("https://hooks.example.com/hook", body) };
    scheme.signer(SECRET).and_then(|signer| signer.sign(&outgoing)).expect("it can be signed")
}

fn request<B>(scheme: Scheme<'static>, signed: &HeaderMap, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.headers_mut() = signed.clone();
    request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    request.headers_mut().insert("user-agent", http::HeaderValue::from_static(scheme.name));
    request
}

criterion_group!(benches, receive, observe);
criterion_main!(benches);
