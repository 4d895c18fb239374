//! What happened to each request: for logs, metrics, alarms, and whoever else wants to know.
//!
//! [`ObserveLayer`](crate::layer::ObserveLayer) makes one [`Observation`] of each request and hands it on: to `tracing` (feature `tracing`), to
//! the `metrics` facade (feature `metrics`), to an [`AnomalyDetector`], and to a function of your own.
//!
//! # In `tracing`
//!
//! One span a request, named `webhook`, in which everything inside the layer runs, and one event when it is over. Names that OpenTelemetry's
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/) have are used; the others begin with `webhook.`.
//!
//! | field | where | what |
//! |---|---|---|
//! | `otel.name`, `otel.kind` | span | `POST /route`, `server` |
//! | `http.request.method` | both | the method, `_OTHER` if it is none of HTTP's own |
//! | `http.route` | both | the route as it was declared, in axum |
//! | `client.address` | both | the peer's address, or the client's behind [trusted proxies](crate::layer::ObserveLayer::behind) |
//! | `http.response.status_code` | both | the answer's status, before it was put into gRPC |
//! | `otel.status_code` | span | `ERROR` where the server failed, or the handler |
//! | `error.type` | both | the reason of a rejection; the status of a handler that failed |
//! | `http.request.body.size` | event | bytes of the body, where it was read to its end |
//! | `webhook.provider` | both | the scheme's name |
//! | `webhook.tenant` | both | whose key it was, if that was said |
//! | `webhook.delivery.id`, `webhook.event` | both | of deliveries that were verified, escaped and cut to 64 characters |
//! | `webhook.key.index`, `webhook.key.id` | event | which key matched |
//! | `webhook.outcome` | both | an [`Outcome`] |
//! | `webhook.code`, `webhook.reason` | event | what the sender was told, and the precise reason |
//! | `webhook.would_reject` | event | why a [trial](crate::layer::ReportSignatureLayer) would have refused it |
//! | `webhook.stage` | event | the furthest [`Stage`] that it has reached |
//! | `webhook.clock_skew_ms` | event | by how much the sender's clock runs behind ours, the way included |
//! | `webhook.duration_ms`, `webhook.queue_ms`, `webhook.body_ms`, `webhook.verify_ms`, `webhook.store_ms`, `webhook.handler_ms` | event | how long it took, and each stage |
//! | `webhook.trace_id`, `webhook.parent_span_id` | both | of the sender's [trace](TraceContext), if the delivery was verified |
//! | `webhook.suppressed` | event | how many alike were left out before |
//!
//! Events of deliveries that were handled, duplicates, ignored and answered ones are `INFO`; what a stranger did wrong, limits, senders that hung up, and
//! handlers that failed are `WARN`; our own trouble (stores, keys, clock, configuration, a service's error) is `ERROR`. Of what strangers can
//! bring about (rejections, duplicates, answers without a handler, clients that go before they have proved anything) there are ten at once for the same reason, then
//! [one a second](crate::layer::ObserveLayer::log_rate), with a count of what was left out: a flood of forgeries fills no disk.
//!
//! Anomalies are `WARN` when they begin and `INFO` when they are over, with `webhook.anomaly.id`, `webhook.anomaly.kind`, `webhook.provider`, `client.address`, and the numbers behind
//! them (`webhook.anomaly.observed`, `webhook.anomaly.expected`, `webhook.anomaly.threshold`, `webhook.anomaly.samples`).
//!
//! Bodies, secrets and signatures are never in any of it.
//!
//! # In `metrics`
//!
//! | metric | labels | |
//! |---|---|---|
//! | `webhook_requests_total` | `provider`, `outcome`, `code` | one for each request; `code` is the public code of a rejection, or the answer's class (`2xx`) |
//! | `webhook_rejections_total` | `provider`, `reason` | the precise reasons |
//! | `webhook_duration_seconds` | `provider`, `stage` | histogram; also of the `total` |
//! | `webhook_body_bytes` | `provider` | histogram, of bodies that were read to their end |
//! | `webhook_clock_skew_seconds` | `provider` | histogram, of verified deliveries |
//! | `webhook_duplicates_total` | `provider` | deliveries that had been handled before |
//! | `webhook_rate_limit_total` | `provider`, `decision` | `allowed`, `limited`, `unavailable` |
//! | `webhook_store_errors_total` | `provider`, `error` | `unavailable`, `full` |
//! | `webhook_keys_used_total` | `provider`, `key` | by the key's id, or its position |
//! | `webhook_buffered_bytes` | | gauge: unverified bodies in memory |
//! | `webhook_store_entries`, `webhook_store_capacity` | `store` | gauges, of stores that [say so](Watched) |
//! | `webhook_store_available` | `store` | gauge: 0 while a store is not asked, because it did not answer |
//! | `webhook_anomalies_total`, `webhook_anomaly_active` | `provider`, `kind` | with an [`AnomalyDetector`]: how many have begun, and how many go on |
//! | `webhook_events_suppressed_total` | | log events left out in floods |
//!
//! Labels are names that you configured and words of this crate: nothing that a request says becomes one. Install the recorder before the first request:
//! what writes to it is taken with the first request of each provider.

mod anomaly;
mod observation;
mod record;
mod text;
mod trace_context;
mod watched;

#[cfg(feature = "metrics")]
pub(crate) mod metrics;
#[cfg(feature = "tracing")]
pub(crate) mod tracing;

#[cfg(feature = "testing")]
pub use self::anomaly::{Sample, SampleOutcome};
#[cfg(not(feature = "testing"))]
pub(crate) use self::anomaly::{Sample, SampleOutcome};
pub use self::{
    anomaly::{Anomaly, AnomalyDetector, AnomalyDetectorBuilder, AnomalyKind, Evidence},
    observation::{Observation, Outcome, Stage},
    trace_context::TraceContext,
    watched::{Reading, Watched},
};
pub(crate) use self::{
    observation::Times,
    record::{OnTraceContext, RateDecision, Record},
};
