//! What it costs to choose a verifier, and whether a tenant who exists can be told from one who does not.
//!
//! `cargo bench --bench tenants`

use std::{
    convert::Infallible,
    hint::black_box,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::runtime::Runtime;
use tower::{Layer, Service, service_fn};
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    layer::{Dispatch, SwapVerifier, TenantIn, Tenants, VerifierSource, VerifySignatureLayer},
    provider,
    scheme::{Outgoing, Scheme, Verifier},
};

const SCHEME: Scheme<'static> = provider::STANDARD_WEBHOOKS;
const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const OTHER: &str = "whsec_b2xkIHNlY3JldCwgb2xkIHNlY3JldCwgb2xkIHNlY3I=";
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// Forged requests to both, whose answers are in memory.
fn known_and_unknown(criterion: &mut Criterion) {
    let runtime = runtime();
    let _entered = runtime.enter();
    for size in [256, 16 * 1024] {
        let mut group = criterion.benchmark_group(format!("forged, {size} B"));
        let forged = Delivery::new(OTHER, size);
        let mut service = serve(tenants());
        for (label, tenant) in [("known tenant", "acme"), ("unknown tenant", "nobody")] {
            runtime.block_on(service.call(forged.to(tenant))).expect("an answer");
            group.bench_function(label, |bencher| {
                bencher.iter_batched(
                    || forged.to(tenant),
                    |request| {
                        let Ok(response) = runtime.block_on(service.call(request));
                        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
                        response
                    },
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

fn sources(criterion: &mut Criterion) {
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("genuine, 256 B");
    let genuine = Delivery::new(SECRET, 256);
    let verifier = || SCHEME.verifier(SECRET).expect("a good secret");
    let others = || [provider::GITHUB, provider::SLACK].map(|it| it.verifier("secret").expect("a good secret"));
    let several = || Dispatch::new(others().into_iter().chain([verifier()])).expect("they are told apart");
    let sources: [(&str, Arc<dyn VerifierSource>); 4] = [
        ("fixed", Arc::new(verifier())),
        ("replaceable", Arc::new(SwapVerifier::new(verifier()))),
        ("of a tenant", Arc::new(tenants())),
        ("of one provider among three", Arc::new(several())),
    ];
    for (label, source) in sources {
        let mut service = serve(source);
        runtime.block_on(service.call(genuine.to("acme"))).expect("an answer");
        group.bench_function(label, |bencher| {
            bencher.iter_batched(
                || genuine.to("acme"),
                |request| {
                    let Ok(response) = runtime.block_on(service.call(request));
                    assert_eq!(response.status(), StatusCode::OK);
                    response
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Beside the lock that [`SwapVerifier`] does without.
fn reading_while_another_reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reading a verifier that can be replaced");
    let verifier = SCHEME.verifier(SECRET).expect("a good secret");
    let swap = SwapVerifier::new(verifier.clone());
    let lock = RwLock::new(verifier);
    let readers: [(&str, &(dyn Fn() -> Verifier + Sync)); 2] =
        [("swap", &|| swap.current()), ("read-write lock", &|| lock.read().expect("nobody panics").clone())];
    for (label, read) in readers {
        group.bench_function(format!("{label}, alone"), |bencher| bencher.iter(read));
        let ends = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    black_box(read());
                }
            });
            group.bench_function(format!("{label}, beside another reader"), |bencher| bencher.iter(read));
            ends.store(true, Ordering::Relaxed);
        });
    }
    group.finish();
}

fn tenants() -> Tenants {
    let lookup = |tenant: Arc<str>| async move { Ok::<_, Infallible>((*tenant == *"acme").then_some(SECRET)) };
    let tenants = Tenants::new(Verifier::builder(SCHEME), TenantIn::path_segment(1), lookup);
    tenants.expect("a good scheme").with_clock(ManualClock::at(NOW))
}

fn serve(
    source: impl VerifierSource,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible> {
    async fn answer<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
        drop(black_box(request));
        Ok(Response::new(Full::default()))
    }
    VerifySignatureLayer::new(source).with_clock(ManualClock::at(NOW)).layer(service_fn(answer))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

struct Delivery {
    headers: HeaderMap,
    body: Bytes,
}

impl Delivery {
    fn new(secret: &str, size: usize) -> Self {
        let body = Bytes::from(vec![b'x'; size]);
        let outgoing = Outgoing { id: Some("msg_1"), now: NOW, ..Outgoing::post("https://hooks.example.com/", &body) };
        let headers = SCHEME.signer(secret).and_then(|signer| signer.sign(&outgoing)).expect("it can be signed");
        Self { headers, body }
    }

    fn to(&self, tenant: &str) -> Request<Full<Bytes>> {
        let request = Request::post(format!("/hooks/{tenant}")).body(Full::new(self.body.clone()));
        let mut request = request.expect("a good request");
        *request.headers_mut() = self.headers.clone();
        request
    }
}

criterion_group!(benches, known_and_unknown, sources, reading_while_another_reads);
criterion_main!(benches);
