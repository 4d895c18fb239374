//! What is done with deliveries: nothing but to say so.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Json, http::StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tower_webhook::{Delivery, Rejection, layer::SignatureReport};

use crate::config::HandlerSettings;

/// Answers as it was told to, and says what it was given.
pub(crate) struct Handler {
    settings: HandlerSettings,
    calls: AtomicU64,
    /// How often each delivery was answered `503`.
    failures: Mutex<HashMap<[u8; 32], u32>>,
}

#[derive(Serialize)]
pub(crate) struct Report {
    provider: String,
    delivery_id: Option<String>,
    event: Option<String>,
    signed_at: Option<u64>,
    key: usize,
    body_len: usize,
    body_sha256: String,
    calls: u64,
}

#[derive(Serialize)]
pub(crate) struct Trial {
    would_be: &'static str,
    body_len: usize,
    body_sha256: String,
    calls: u64,
}

impl Handler {
    pub(crate) fn new(settings: HandlerSettings) -> Self {
        Self { settings, calls: AtomicU64::new(0), failures: Mutex::default() }
    }

    pub(crate) async fn handle(&self, delivery: &Delivery, body: &[u8]) -> (StatusCode, Json<Report>) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_millis(self.settings.delay_ms)).await;
        let digest = Sha256::digest(body);
        let status = if self.fails(delivery, digest.into()) {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::from_u16(self.settings.status).unwrap_or_default()
        };
        let report = Report {
            provider: delivery.provider().to_owned(),
            delivery_id: delivery.id().map(str::to_owned),
            event: delivery.event().map(str::to_owned),
            signed_at: delivery.signed_at().map(|time| time.as_secs()),
            key: delivery.key_index(),
            body_len: body.len(),
            body_sha256: base16ct::lower::encode_string(&digest),
            calls,
        };
        (status, Json(report))
    }

    /// Handles a request that may be anyone's.
    pub(crate) async fn handle_any(&self, report: &SignatureReport, body: &[u8]) -> (StatusCode, Json<Trial>) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_millis(self.settings.delay_ms)).await;
        let trial = Trial {
            would_be: report.rejection().map_or("accepted", Rejection::reason),
            body_len: body.len(),
            body_sha256: base16ct::lower::encode_string(&Sha256::digest(body)),
            calls,
        };
        (StatusCode::from_u16(self.settings.status).unwrap_or_default(), Json(trial))
    }

    /// Whether this is one of the first calls of the delivery, which fail.
    fn fails(&self, delivery: &Delivery, body_digest: [u8; 32]) -> bool {
        /// After so many deliveries, all are new again.
        const REMEMBERED: usize = 100_000;
        if self.settings.fail_first == 0 {
            return false;
        }
        let key = delivery.replay_key().map_or(body_digest, |key| *key.as_bytes());
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED {
            failures.clear();
        }
        let failed = failures.entry(key).or_default();
        let fails = *failed < self.settings.fail_first;
        *failed += u32::from(fails);
        fails
    }
}
