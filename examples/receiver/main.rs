//! A server that is driven by a TOML file: point a provider at it, and see what arrives.
//!
//! ```sh
//! cargo run --example receiver -- FILE.toml
//! ```
//!
//! ```toml
//! listen = "127.0.0.1:8080"           # port 0: any; the first line on stdout says which
//! admin = "127.0.0.1:9090"            # optional: /metrics for Prometheus, and /status for your browser; the second line says where
//!
//! [[endpoint]]
//! path = "/stripe"
//! provider = "stripe"                 # a name in the catalogue; or a scheme of your own, as below
//! keys = ["whsec_abc", "env:OLD_KEY"] # several while rotating; "env:NAME" reads the environment, "file:PATH" a file;
//!                                     # or keys = "fetch", where the provider publishes them
//!
//! # All of these are optional.
//! key_ids = ["2026-11", "2026-05"]    # names of the keys, where requests name theirs
//! parameters = { audience = "https://hooks.example.com" } # what the scheme needs and only you know
//! public_origin = "https://hooks.example.com" # or public_url, for schemes that sign the URL
//! max_body = 1048576
//! tolerance_secs = 300
//! now = 1700000000                    # a clock that stands still, for recorded deliveries
//! replay = "memory"                   # or "off"; or "redis://localhost:6379", which several receivers may share ("env:NAME", "file:PATH")
//! retention_secs = 600
//! rate_limit = { per_minute = 600, burst = 50, store = "memory" } # store: or "redis://…"; and:
//!                                     # key = "address", or "sender" (a verified one); charge = "all", or "failures" (of an address)
//! report_only = false                 # handles everything, and says what would have been refused: for trying settings on real traffic
//! handshake = true                    # answers the provider's challenges, if it has any
//! verify_tokens = ["env:META_TOKEN"]  # what was entered at the provider, if its challenge repeats it (Meta)
//! allow_events = ["invoice.*"]        # others are acknowledged, and not handled
//! schema = "invoice.schema.json"      # a JSON Schema that payloads must match
//! require_https = false               # refuses what did not come over HTTPS, by the word of the trusted proxies
//! allow_sources = ["192.0.2.0/24"]    # networks that clients must come from
//! trusted_proxies = ["10.0.0.0/8"]    # who is believed about clients; or how many proxies are in front, such as 1
//! forwarded = "x-forwarded-for"       # the header that they write; or "forwarded" (RFC 7239)
//! handler = { status = 200, fail_first = 0, delay_ms = 0 } # fail_first: answers 503 to the first calls of each delivery
//!
//! [[endpoint]]
//! path = "/acme"
//! keys = ["a secret shared with Acme"]
//! [endpoint.scheme]                   # see `SchemeBuilder`
//! name = "acme"
//! signature = "x-acme-signature"
//! timestamp = "header:x-acme-timestamp"
//! message = "{timestamp}.{body}"
//! ```
//!
//! Every request is a line of JSON on stderr, and so is a warning of a server that may forget deliveries. Settings that make no sense end it with exit code 2 and a sentence that says why.

mod admin;
mod config;
mod handler;
mod journal;
mod live;
mod recorder;
mod server;
mod watch;

use std::{
    ffi::OsString,
    future::IntoFuture,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::{net::TcpListener, sync::oneshot, time::sleep};

use tower_webhook::store::RedisConnection;

use crate::{
    config::{Config, Problem},
    watch::Watch,
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [file] = &arguments[..] else {
        eprintln!("usage: receiver FILE.toml");
        return ExitCode::from(2);
    };
    let receiver = match set_up(file) {
        Ok(ready) => ready,
        Err(problem) => {
            eprintln!("receiver: {}: {problem}", file.display());
            return ExitCode::from(2);
        }
    };
    match serve(receiver).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("receiver: {problem}");
            ExitCode::FAILURE
        }
    }
}

struct Receiver {
    listen: SocketAddr,
    app: Router,
    admin: Option<Admin>,
    /// What endpoints remember in, and for which.
    servers: Vec<(String, RedisConnection)>,
}

struct Admin {
    listen: SocketAddr,
    watch: Watch,
    metrics: PrometheusHandle,
}

fn set_up(file: &OsString) -> Result<Receiver, Problem> {
    let text = std::fs::read_to_string(file).map_err(|error| Problem::new(format!("cannot be read: {error}")))?;
    let Config { listen, admin, endpoints } = Config::parse(&text)?;
    let servers = endpoints.iter().filter_map(|endpoint| Some((endpoint.name.clone(), endpoint.server()?))).collect();
    let Some(admin) = admin else {
        return Ok(Receiver { listen, servers, app: server::router(endpoints, None)?, admin: None });
    };
    let metrics = recorder::install().map_err(|error| Problem::with("admin", error))?;
    let mut watch = Watch::new(&endpoints);
    let app = server::router(endpoints, Some(&mut watch))?;
    Ok(Receiver { listen, servers, app, admin: Some(Admin { listen: admin, watch, metrics }) })
}

/// Says what is wrong with servers before the first delivery does.
async fn check(servers: Vec<(String, RedisConnection)>) {
    for (endpoint, redis) in servers {
        if let Err(problem) = redis.check().await {
            journal::warn(&endpoint, &problem);
        }
    }
}

async fn serve(receiver: Receiver) -> io::Result<()> {
    let Receiver { listen, app, admin, servers } = receiver;
    let listener = bind(listen).await?;
    let mut stop = StopSignals::listen()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    if let Some(admin) = admin {
        let address = serve_admin(admin).await?;
        writeln!(stdout, "admin on http://{address}")?;
    }
    stdout.flush()?;
    tokio::spawn(check(servers));

    let (stopping, stopped) = oneshot::channel();
    let until_asked = async move {
        stop.any().await;
        let _ = stopping.send(());
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(until_asked) => served,
        () = async { drop(stopped.await); sleep(GRACE).await } => Ok(()),
    }
}

/// Answers operators until the process ends: deliveries do not wait for them, nor does its end.
async fn serve_admin(admin: Admin) -> io::Result<SocketAddr> {
    let Admin { listen, watch, metrics } = admin;
    let listener = bind(listen).await?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let warning = format!("listens on {address}, which others may reach, and asks nobody who they are");
        journal::warn("admin", &warning);
    }
    tokio::spawn(recorder::tidy(metrics.clone()));
    // Silence and ends are noticed without requests too.
    for detector in &watch.detectors {
        tokio::spawn(detector.watch(Duration::from_secs(10)));
    }
    tokio::spawn(axum::serve(listener, admin::router(watch, metrics, address)).into_future());
    Ok(address)
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

/// How long requests that are being handled may take to end: a client that stalls must not keep the process alive.
const GRACE: Duration = Duration::from_secs(10);

/// Ctrl-C and SIGTERM.
#[cfg(unix)]
struct StopSignals([Signal; 2]);

#[cfg(unix)]
impl StopSignals {
    fn listen() -> io::Result<Self> {
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
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn any(&mut self) {
        drop(tokio::signal::ctrl_c().await);
    }
}
