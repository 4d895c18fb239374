//! A line of JSON on stderr for every request.

use std::{
    fmt::Display,
    io::Write,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use serde::Serialize;
use tower_webhook::{Delivery, Rejection, body::Verified, layer::SignatureReport};

/// What an endpoint's lines have in common.
#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) path: Arc<str>,
    pub(crate) provider: Arc<str>,
}

/// Outside all layers: sees each answer, and the [`Rejection`] in it.
pub(crate) async fn record(State(journal): State<Journal>, mut request: Request, next: Next) -> Response {
    let proof = Proof::default();
    request.extensions_mut().insert(proof.clone());
    let mut line = Line::new(&journal.path, Some(&journal.provider), proof);
    let response = next.run(request).await;

    line.status = Some(response.status().as_u16());
    let report = response.extensions().get::<SignatureReport>();
    (line.outcome, line.code) = match response.extensions().get::<Rejection>() {
        Some(rejection) => (rejection.reason(), Some(rejection.code())),
        None if report.is_some() => ("reported", report.and_then(|report| report.rejection().map(Rejection::reason))),
        // Verified or not, no delivery: it never came as far as the note of one.
        None if response.status().is_success() && line.proof.0.get().is_none() => ("handshake", None),
        None if response.status().is_success() => ("accepted", None),
        None => ("handler_failed", None),
    };
    response
}

/// Outside all endpoints.
pub(crate) async fn not_found(request: Request) -> StatusCode {
    let mut line = Line::new(request.uri().path(), None, Proof::default());
    line.status = Some(404);
    line.outcome = "not_found";
    StatusCode::NOT_FOUND
}

/// Says what is wrong with an endpoint before a delivery does.
pub(crate) fn warn(endpoint: &str, problem: &dyn Display) {
    #[derive(Serialize)]
    struct Written<'a> {
        endpoint: &'a str,
        warning: String,
    }
    write(&Written { endpoint, warning: problem.to_string() });
}

/// Inside verification: leaves word of the delivery for [`record`], whatever becomes of it.
pub(crate) fn note_delivery(request: Request<Verified>) -> Request<Verified> {
    if let Some(Proof(delivery)) = request.extensions().get() {
        let _ = delivery.set(request.body().delivery().clone());
    }
    request
}

#[derive(Clone, Default)]
struct Proof(Arc<OnceLock<Delivery>>);

/// Written when it is dropped, so that a request whose client hangs up leaves one too.
struct Line<'a> {
    path: &'a str,
    provider: Option<&'a str>,
    status: Option<u16>,
    outcome: &'static str,
    code: Option<&'static str>,
    proof: Proof,
    began: Instant,
}

impl<'a> Line<'a> {
    fn new(path: &'a str, provider: Option<&'a str>, proof: Proof) -> Self {
        Self { path, provider, status: None, outcome: "client_gone", code: None, proof, began: Instant::now() }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        #[derive(Serialize)]
        struct Written<'a> {
            path: String,
            provider: Option<&'a str>,
            status: Option<u16>,
            outcome: &'a str,
            code: Option<&'a str>,
            delivery_id: Option<String>,
            event: Option<String>,
            ms: u128,
        }
        let delivery = self.proof.0.get();
        let written = Written {
            path: harmless(self.path),
            provider: self.provider,
            status: self.status,
            outcome: self.outcome,
            code: self.code,
            delivery_id: delivery.and_then(Delivery::id).map(harmless),
            event: delivery.and_then(Delivery::event).map(harmless),
            ms: self.began.elapsed().as_millis(),
        };
        write(&written);
    }
}

fn write(written: &impl Serialize) {
    if let Ok(mut line) = serde_json::to_vec(written) {
        line.push(b'\n');
        let _ = std::io::stderr().write_all(&line);
    }
}

/// What strangers chose: short, and without anything that a terminal obeys.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().take(64).map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}
