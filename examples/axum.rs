//! A small service as it might run in production: webhooks of three providers, kept once, observed, and stopped without losing any.
//!
//! ```sh
//! cargo run --example axum  # with secrets for demonstration, and a line for curl that works
//! STRIPE_SECRET=whsec_… REDIS_URL=redis://… cargo run --example axum
//! ```
//!
//! | variable | what | without it |
//! |---|---|---|
//! | `STRIPE_SECRET`, `GITHUB_SECRET`, `SLACK_SECRET` | signing secrets; two with a comma between while one replaces the other | no endpoint for that provider; secrets for demonstration if none is set |
//! | `LISTEN` | where providers call | `127.0.0.1:8080` |
//! | `ADMIN_LISTEN` | where `/metrics` and `/health` are, for nobody outside | `127.0.0.1:9090` |
//! | `REDIS_URL` | what several processes share: which deliveries were handled, and how many requests came | memory of this process |
//! | `TRUSTED_PROXIES` | networks of proxies that are believed about addresses (`X-Forwarded-For`), with commas between | whoever connects is the client |
//! | `WORK_MILLIS` | how long the work for an event is pretended to take | no time |
//! | `RUST_LOG` | what is logged, and how much of it | `info` |

use std::{
    env,
    error::Error,
    fmt::Display,
    io::Write,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    routing::{MethodRouter, get, post},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{interval, sleep, timeout},
};
use tower_webhook::{
    ConfigError, Delivery, ForwardingHeader, TrustedProxies,
    axum::Webhook,
    layer::{ClientAddr, HandshakeLayer, ObserveLayer, RateLimitLayer, RunToEndLayer, WebhookLayer},
    provider,
    scheme::{Outgoing, Scheme},
    store::{
        MemoryNonceStore, MemoryRateStore, NonceStore, Quota, RateStore, RedisConnection, RedisNonceStore,
        RedisRateStore,
    },
};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

type BoxError = Box<dyn Error + Send + Sync>;

/// How long requests may take to end once the process is to stop, and what goes on without its client after that: together less than
/// the 30 seconds that most who stop processes wait before they kill them.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), BoxError> {
    let endpoints = Endpoint::from_env()?;
    let client = match var("TRUSTED_PROXIES") {
        None => ClientAddr::new(),
        Some(networks) => {
            let networks = networks.split(',').map(str::trim);
            ClientAddr::behind(TrustedProxies::networks(networks, ForwardingHeader::XForwardedFor)?)
        }
    };
    let shop = Shop::from_env()?;
    let run_to_end = RunToEndLayer::new();
    let shared = |client| Shared { shop: shop.clone(), client, run_to_end: run_to_end.clone() };
    let app = match var("REDIS_URL") {
        None => shared(client).router(&endpoints, MemoryNonceStore::new(), MemoryRateStore::new())?,
        Some(url) => {
            let redis = RedisConnection::open(&url)?.prefix("shop");
            if let Err(problem) = redis.check().await {
                // It may come back: until then, deliveries are answered 503, and their providers try again.
                warn!("{problem}");
            }
            shared(client).router(&endpoints, RedisNonceStore::new(redis.clone()), RedisRateStore::new(redis))?
        }
    };

    let prometheus = PrometheusBuilder::new().install_recorder()?;
    let listener = TcpListener::bind(var("LISTEN").as_deref().unwrap_or("127.0.0.1:8080")).await?;
    let admin_listener = TcpListener::bind(var("ADMIN_LISTEN").as_deref().unwrap_or("127.0.0.1:9090")).await?;
    let (address, admin_address) = (listener.local_addr()?, admin_listener.local_addr()?);
    let (stop, mut stopping) = watch::channel(false);
    // Before anybody is told that we are here, so that who stops us at once is heard.
    let mut stop_signals = StopSignals::listen()?;
    tokio::spawn(async move {
        stop_signals.any().await;
        info!("asked to stop");
        let _ = stop.send(true);
    });
    tokio::spawn(serve_admin(admin_listener, prometheus));
    say(format_args!("webhooks on http://{address}"))?;
    say(format_args!("metrics on http://{admin_address}/metrics"))?;
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.is_demonstration) {
        warn!("/{} takes a secret that everybody can read", endpoint.scheme.name);
        if endpoint.scheme.name == provider::GITHUB.name {
            say(curl(address, endpoint)?)?;
        }
    }

    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let mut told = stopping.clone();
    let until_told = async move { drop(told.wait_for(|is_to_stop| *is_to_stop).await) };
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(until_told) => served?,
        // A client that stalls must not keep the process alive.
        () = async {
            let _ = stopping.wait_for(|is_to_stop| *is_to_stop).await;
            sleep(GRACE).await;
        } => warn!("not all connections have ended"),
    }
    // What has begun ends, also without its client. What does not end in time is let in again when its provider tries again.
    if timeout(GRACE, run_to_end.idle()).await.is_err() {
        warn!("{} handlers have not ended", run_to_end.detached());
    }
    say(format_args!("stopped after {} events", shop.handled.load(Ordering::Relaxed)))
}

/// One provider's.
struct Endpoint {
    scheme: Scheme<'static>,
    /// The newest first.
    secrets: Vec<String>,
    is_demonstration: bool,
}

impl Endpoint {
    fn from_env() -> Result<Vec<Self>, BoxError> {
        const PROVIDERS: [(Scheme<'static>, &str, &str); 3] = [
            (provider::STRIPE, "STRIPE_SECRET", "whsec_for_demonstration_only"),
            (provider::GITHUB, "GITHUB_SECRET", "for demonstration only"),
            (provider::SLACK, "SLACK_SECRET", "8f742231b10e8888abcd99yyyzzz85a5"),
        ];
        // Not for each of them: who forgets one secret of three must not have an endpoint that anybody can sign for.
        let is_demonstration = PROVIDERS.iter().all(|(_, variable, _)| var(variable).is_none());
        let endpoints = PROVIDERS.into_iter().filter_map(|(scheme, variable, for_demonstration)| {
            let secrets = if is_demonstration { Some(for_demonstration.to_owned()) } else { var(variable) }?;
            let secrets = secrets.split(',').map(|secret| secret.trim().to_owned()).collect();
            Some(Self { scheme, secrets, is_demonstration })
        });
        Ok(endpoints.collect())
    }
}

/// What all endpoints have in common.
struct Shared {
    shop: Shop,
    client: ClientAddr,
    run_to_end: RunToEndLayer,
}

impl Shared {
    fn router(
        &self,
        endpoints: &[Endpoint],
        nonces: impl NonceStore,
        rates: impl RateStore,
    ) -> Result<Router, ConfigError> {
        endpoints.iter().try_fold(Router::new(), |router, endpoint| {
            let name = endpoint.scheme.name;
            let handler = match name {
                "stripe" => post(stripe),
                "github" => post(github),
                _ => post(slack),
            };
            let handler = handler.with_state(self.shop.clone());
            let route = self.protect(handler, endpoint, nonces.clone(), rates.clone())?;
            Ok(router.route(&format!("/{name}"), route))
        })
    }

    fn protect(
        &self,
        handler: MethodRouter,
        endpoint: &Endpoint,
        nonces: impl NonceStore,
        rates: impl RateStore,
    ) -> Result<MethodRouter, ConfigError> {
        let name = endpoint.scheme.name;
        let handshakes = match name {
            "slack" => HandshakeLayer::for_provider(name, None)?,
            _ => HandshakeLayer::new(),
        };
        // Only those who fail pay, so a burst of genuine deliveries is let through.
        let strangers =
            RateLimitLayer::new(Quota::per_minute(60), self.client.clone(), rates).charge_failures().scope(name);
        let webhooks = WebhookLayer::builder(endpoint.scheme.verifier(endpoint.secrets.clone())?)
            .observe(ObserveLayer::new())
            .rate_limit(strangers)
            .handshake(handshakes)
            .then(self.run_to_end.clone())
            .replay(nonces)
            .scope(name)
            .build()?;
        Ok(handler.layer(webhooks))
    }
}

/// What the webhooks are for.
#[derive(Clone)]
struct Shop {
    work_takes: Duration,
    handled: Arc<AtomicU64>,
}

impl Shop {
    fn from_env() -> Result<Self, BoxError> {
        let millis = var("WORK_MILLIS").map_or(Ok(0), |text| text.parse())?;
        Ok(Self { work_takes: Duration::from_millis(millis), handled: Arc::default() })
    }

    /// Where others write into a database. Whether it succeeds is for the answer to say: with anything but success, the provider tries again, and
    /// is let in.
    async fn work(&self, delivery: &Delivery, about: String) {
        let provider = delivery.provider().to_owned();
        // What has begun and is not counted as handled has been dropped, and comes again.
        metrics::counter!("shop_events_begun_total", "provider" => provider.clone()).increment(1);
        sleep(self.work_takes).await;
        self.handled.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("shop_events_total", "provider" => provider).increment(1);
        // Quoted, as it is the provider's text, or that of those who write to its users.
        info!(provider = delivery.provider(), id = ?delivery.id(), event = ?delivery.event(), "handled {about}");
    }
}

#[derive(Deserialize)]
struct StripeEvent {
    data: Option<StripeData>,
}

#[derive(Deserialize)]
struct StripeData {
    object: StripeObject,
}

#[derive(Deserialize)]
struct StripeObject {
    #[serde(default)]
    amount: u64,
}

async fn stripe(State(shop): State<Shop>, Webhook { delivery, payload }: Webhook<StripeEvent>) {
    let amount = payload.data.map_or(0, |data| data.object.amount);
    shop.work(&delivery, format!("a payment of {amount} cents")).await;
}

#[derive(Deserialize)]
struct GitHubEvent {
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
}

async fn github(State(shop): State<Shop>, Webhook { delivery, payload }: Webhook<GitHubEvent>) {
    match payload.repository {
        Some(Repository { id }) => shop.work(&delivery, format!("what happened in repository {id}")).await,
        None => shop.work(&delivery, "a greeting".to_owned()).await,
    }
}

#[derive(Deserialize)]
struct SlackEvent {
    #[serde(default)]
    event_time: u64,
}

/// Slack hangs up after three seconds. What takes longer ends all the same, behind `RunToEndLayer`.
async fn slack(State(shop): State<Shop>, Webhook { delivery, payload }: Webhook<SlackEvent>) {
    shop.work(&delivery, format!("what was said at {}", payload.event_time)).await;
}

async fn serve_admin(listener: TcpListener, prometheus: PrometheusHandle) {
    let upkeep = prometheus.clone();
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    let app = Router::new()
        .route("/metrics", get(move || async move { prometheus.render() }))
        .route("/health", get(|| async { "well" }));
    if let Err(error) = axum::serve(listener, app).await {
        error!("metrics are served no more: {error}");
    }
}

/// A delivery that is genuine, for as long as the secret is.
fn curl(address: SocketAddr, endpoint: &Endpoint) -> Result<String, BoxError> {
    let body = r#"{"zen":"Keep it logically awesome."}"#;
    let url = format!("http://{address}/{}", endpoint.scheme.name);
    let signer = endpoint.scheme.signer(endpoint.secrets.clone())?;
    let mut line = format!("curl -i {url} -H 'content-type: application/json' -H 'x-github-event: ping'");
    for (name, value) in
        &signer.sign(&Outgoing { id: Some("demonstration"), ..Outgoing::post(&url, body.as_bytes()) })?
    {
        line.push_str(&format!(" -H '{name}: {}'", value.to_str()?));
    }
    Ok(format!("{line} -d '{body}'"))
}

fn say(line: impl Display) -> Result<(), BoxError> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// What is set to nothing is not set.
fn var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Ctrl-C and SIGTERM.
#[cfg(unix)]
struct StopSignals([tokio::signal::unix::Signal; 2]);

#[cfg(unix)]
impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct StopSignals;

#[cfg(not(unix))]
impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn any(&mut self) {
        drop(tokio::signal::ctrl_c().await);
    }
}
