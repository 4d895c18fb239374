//! Keeps what is counted, for Prometheus.

use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};

/// Keeps all metrics of this process. Install it before the first request: who writes metrics looks for it then.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (metric, buckets, _) in HISTOGRAMS {
        builder = builder.set_buckets_for_metric(Matcher::Full((*metric).to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    COUNTERS.iter().for_each(|(metric, text)| describe_counter!(*metric, *text));
    GAUGES.iter().for_each(|(metric, text)| describe_gauge!(*metric, *text));
    HISTOGRAMS.iter().for_each(|(metric, _, text)| describe_histogram!(*metric, *text));
    Ok(handle)
}

/// The recorder gathers until somebody reads or tidies, and perhaps nobody reads.
pub(crate) async fn tidy(metrics: PrometheusHandle) {
    let mut due = interval(Duration::from_secs(5));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        metrics.run_upkeep();
    }
}

const COUNTERS: &[(&str, &str)] = &[
    ("webhook_requests_total", "Requests, by what became of them and what the sender was told."),
    ("webhook_rejections_total", "Requests that were turned away, by the precise reason."),
    ("webhook_duplicates_total", "Deliveries that had been handled before, and were acknowledged."),
    ("webhook_rate_limit_total", "What rate limits decided."),
    ("webhook_store_errors_total", "Requests that met a store that failed or was full."),
    ("webhook_keys_used_total", "Deliveries that were verified, by the key's id or its position among the keys."),
    ("webhook_anomalies_total", "Anomalies that began."),
    ("webhook_events_suppressed_total", "Events of the log that were left out in floods."),
];

const GAUGES: &[(&str, &str)] = &[
    ("webhook_buffered_bytes", "Unverified bodies in memory."),
    ("webhook_store_entries", "Entries of a store in memory."),
    ("webhook_store_capacity", "How many entries a store in memory may have."),
    (
        "webhook_store_available",
        "Whether a store elsewhere answers: 0 while it is not asked, because it failed too often.",
    ),
    ("webhook_anomaly_active", "Anomalies that last: the provider's as a whole, and those of single sources."),
];

/// With their buckets: without any, quantiles would be this process's own, and could not be put together with another's.
const HISTOGRAMS: &[(&str, &[f64], &str)] = &[
    ("webhook_duration_seconds", DURATIONS, "How long requests spent in each stage, and in total."),
    ("webhook_body_bytes", BODIES, "Bodies that were read to their end."),
    ("webhook_clock_skew_seconds", CLOCK_SKEWS, "By how much senders' clocks run behind ours, the way included."),
];

/// From what hashing takes to what no provider waits for, in seconds.
const DURATIONS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0, 60.0,
];

const BODIES: &[f64] = &[256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 26_214_400.0];

/// To either side, up to where most schemes call a delivery stale, in seconds.
const CLOCK_SKEWS: &[f64] =
    &[-300.0, -120.0, -60.0, -30.0, -10.0, -5.0, -1.0, 0.0, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
