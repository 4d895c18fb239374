//! The server under attack, and what is seen of it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use http::StatusCode;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::Semaphore};
use tower_webhook::{
    Delivery, Rejection,
    body::BodyBudget,
    clock::{ManualClock, UnixTime},
    layer::{WebhookBuilder, WebhookLayer},
    store::MemoryNonceStore,
};

use crate::{
    deliveries::{NOW, Provider, hex},
    wire::{Raw, Reply, exchange, exchange_http2},
};

pub(crate) const MAX_BODY: usize = 1024 * 1024;
pub(crate) const TOLERANCE: u64 = 300;
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// What a case comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    /// The handler got these very bytes, once, and they are remembered.
    Handled,
    /// Refused in our words, without a trace.
    Refused(u16),
    /// Refused below us.
    RefusedByServer(u16),
}

/// Sends a request to a server of its own, over HTTP/1.1 and, where it can be said there, HTTP/2; then asks whether the server
/// still serves others.
pub(crate) async fn check(case: &str, provider: Provider, request: &Raw, expected: Outcome) {
    let site = Site::start(provider).await;
    let reply = exchange(site.address, request).await;
    site.judge(&format!("{case}, HTTP/1.1"), request, reply.as_ref(), expected);
    site.assert_still_serves(case).await;

    let Some(http2) = request.over_http2() else { return };
    let site = Site::start(provider).await;
    let reply = exchange_http2(site.address, http2).await;
    site.judge(&format!("{case}, HTTP/2"), request, reply.as_ref(), expected);
    site.assert_still_serves(case).await;
}

/// A server on a port of its own.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) provider: Provider,
    pub(crate) clock: ManualClock,
    pub(crate) nonces: MemoryNonceStore,
    pub(crate) budget: BodyBudget,
    pub(crate) handler: Arc<Handler>,
}

impl Site {
    pub(crate) async fn start(provider: Provider) -> Self {
        Self::with(provider, |builder| builder).await
    }

    pub(crate) async fn with(provider: Provider, change: impl FnOnce(WebhookBuilder) -> WebhookBuilder) -> Self {
        Self::with_routes(provider, |routes, builder| routes.layer(change(builder).build().unwrap())).await
    }

    /// A server whose routes are put behind layers by `protect`.
    pub(crate) async fn with_routes(
        provider: Provider,
        protect: impl FnOnce(Router<Arc<Handler>>, WebhookBuilder) -> Router<Arc<Handler>>,
    ) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let nonces = MemoryNonceStore::with_capacity(10_000).with_clock(clock.clone());
        let budget = BodyBudget::new(64 * MAX_BODY);
        let handler = Arc::new(Handler::default());
        let builder = WebhookLayer::builder(provider.verifier())
            .with_clock(clock.clone())
            .replay(nonces.clone())
            .budget(budget.clone())
            .max_body(MAX_BODY)
            .idle_timeout(Duration::from_secs(2))
            .body_timeout(Duration::from_secs(10))
            .handler_timeout(Duration::from_secs(5), LEASE)
            .unwrap();

        // Any method, so that nothing but the layers refuses some.
        let app = protect(Router::new().route("/hook", any(handle)), builder)
            .route("/admin", any(administrate))
            .with_state(Arc::clone(&handler));
        let witness = Arc::clone(&handler);
        let app = app.layer(axum::middleware::map_response(move |response: Response| {
            let witness = Arc::clone(&witness);
            async move {
                witness.note_reason(&response);
                response
            }
        }));
        let address = serve(app).await;
        Self { address, provider, clock, nonces, budget, handler }
    }

    /// The answer on a connection of its own.
    pub(crate) async fn send(&self, request: &Raw) -> Reply {
        exchange(self.address, request).await.expect("the server hung up without an answer")
    }

    /// How often the handler was called.
    pub(crate) fn calls(&self) -> usize {
        self.handler.calls.load(SeqCst)
    }

    pub(crate) fn judge(&self, case: &str, request: &Raw, reply: Option<&Reply>, expected: Outcome) {
        let Some(reply) = reply else { panic!("{case}: the server hung up without an answer") };
        let (status, seen) = match expected {
            Outcome::Handled => (200, 1),
            Outcome::Refused(status) | Outcome::RefusedByServer(status) => (status, 0),
        };
        assert_eq!(reply.status, status, "{case}: {reply:?}, {:?}", self.handler.last_reason());
        match expected {
            Outcome::Handled => assert!(Seen::of(reply).is_body(request.content()), "{case}: {reply:?}"),
            Outcome::Refused(_) => assert_is_refusal(case, request, reply),
            Outcome::RefusedByServer(_) => {}
        }
        assert_eq!((self.calls(), self.nonces.len()), (seen, seen), "{case}: calls, nonces");
        assert_eq!(self.handler.administrations.load(SeqCst), 0, "{case}: a request inside the request was served");
    }

    /// Whether a genuine delivery is handled now.
    pub(crate) async fn assert_still_serves(&self, case: &str) {
        let (calls, nonces) = (self.calls(), self.nonces.len());
        let request = match calls {
            0 => self.provider.base(),
            _ => self.provider.another(NOW),
        };
        let reply = self.send(&request).await;
        assert_eq!(reply.status, 200, "after {case}: {reply:?}");
        assert_eq!((self.calls(), self.nonces.len()), (calls + 1, nonces + 1), "after {case}: calls, nonces");
        assert_eq!(self.budget.held(), 0, "after {case}: bytes still held");
    }

    /// Waits for something that happens on the server's side.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if condition(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain until {what}");
    }
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    address
}

/// Whether the answer is the one that every request with this status gets, and says no more.
pub(crate) fn assert_is_refusal(case: &str, request: &Raw, reply: &Reply) {
    let (title, code, header) = match reply.status.as_u16() {
        400 => ("Bad Request", "malformed_request", None),
        401 => ("Unauthorized", "unauthenticated", Some(("www-authenticate", "Webhook"))),
        405 => ("Method Not Allowed", "method_not_allowed", Some(("allow", "POST"))),
        408 => ("Request Timeout", "body_timeout", None),
        413 => ("Content Too Large", "body_too_large", None),
        415 => ("Unsupported Media Type", "unsupported_media_type", Some(("accept-encoding", "identity"))),
        503 => ("Service Unavailable", "unavailable", Some(("retry-after", "1"))),
        other => panic!("{case}: no request is refused with {other}"),
    };
    let status = reply.status.as_u16();
    let words = format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"code":"{code}"}}"#);
    let words = if request.is_head() { "" } else { &words };
    assert_eq!(reply.body, words, "{case}");
    for (name, value) in [
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    .into_iter()
    .chain(header)
    {
        assert_eq!(reply.header(name), Some(value), "{case}: {name}");
    }
}

/// What the handler does when it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Answers with this status.
    Answer(StatusCode),
    /// Answers once it is released.
    Hold,
    /// Does not answer in time.
    Sleep,
    Panic,
    /// Answers without a look at the body.
    LeaveUnread,
}

/// The handler's side of the server.
#[derive(Debug)]
pub(crate) struct Handler {
    plan: Mutex<VecDeque<Act>>,
    calls: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
    administrations: AtomicUsize,
    reasons: Mutex<Vec<&'static str>>,
    released: Semaphore,
}

impl Default for Handler {
    fn default() -> Self {
        Self {
            plan: Mutex::default(),
            calls: AtomicUsize::default(),
            running: AtomicUsize::default(),
            most_running: AtomicUsize::default(),
            administrations: AtomicUsize::default(),
            reasons: Mutex::default(),
            released: Semaphore::new(0),
        }
    }
}

impl Handler {
    /// What is done at the next call; after that, calls are answered 200.
    pub(crate) fn next(&self, act: Act) {
        self.plan.lock().unwrap().push_back(act);
    }

    /// Lets one held call go on.
    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(SeqCst)
    }

    pub(crate) fn most_running(&self) -> usize {
        self.most_running.load(SeqCst)
    }

    /// The precise reason of the last rejection, as layers outside see it.
    pub(crate) fn last_reason(&self) -> Option<&'static str> {
        self.reasons.lock().unwrap().last().copied()
    }

    /// How many answers were rejections.
    pub(crate) fn rejections(&self) -> usize {
        self.reasons.lock().unwrap().len()
    }

    fn note_reason(&self, response: &Response) {
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            self.reasons.lock().unwrap().push(rejection.reason());
        }
    }

    fn enter(&self) -> Running<'_> {
        self.calls.fetch_add(1, SeqCst);
        let running = self.running.fetch_add(1, SeqCst) + 1;
        self.most_running.fetch_max(running, SeqCst);
        Running(self)
    }
}

/// A call of the handler, until it ends in whatever way.
struct Running<'h>(&'h Handler);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

/// What the handler was given, as it tells the client.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) length: usize,
    pub(crate) sha256: String,
    pub(crate) trailers: Vec<String>,
    pub(crate) provider: String,
    pub(crate) id: Option<String>,
    pub(crate) id_is_signed: bool,
    pub(crate) event: Option<String>,
    pub(crate) signed_at: Option<u64>,
}

impl Seen {
    pub(crate) fn of(reply: &Reply) -> Self {
        serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("not from the handler: {reply:?}"))
    }

    pub(crate) fn is_body(&self, body: &[u8]) -> bool {
        self.length == body.len() && self.sha256 == hex(&Sha256::digest(body))
    }
}

async fn handle(State(handler): State<Arc<Handler>>, delivery: Delivery, request: Request) -> Response {
    let running = handler.enter();
    let act = handler.plan.lock().unwrap().pop_front();
    let mut status = StatusCode::OK;
    match act {
        None => {}
        Some(Act::Answer(other)) => status = other,
        Some(Act::Hold) => handler.released.acquire().await.unwrap().forget(),
        Some(Act::Sleep) => tokio::time::sleep(Duration::from_secs(60)).await,
        // As a panic does, but without its words among those of the tests.
        Some(Act::Panic) => std::panic::resume_unwind(Box::new("the handler panics")),
        Some(Act::LeaveUnread) => return status.into_response(),
    }
    let body = request.into_body().collect().await.unwrap();
    let trailers = body.trailers().map(|trailers| trailers.keys().map(ToString::to_string).collect());
    let body = body.to_bytes();
    drop(running);
    let seen = Seen {
        length: body.len(),
        sha256: hex(&Sha256::digest(&body)),
        trailers: trailers.unwrap_or_default(),
        provider: delivery.provider().to_owned(),
        id: delivery.id().map(ToOwned::to_owned),
        id_is_signed: delivery.id_is_signed(),
        event: delivery.event().map(ToOwned::to_owned),
        signed_at: delivery.signed_at().map(UnixTime::as_secs),
    };
    (status, Json(seen)).into_response()
}

async fn administrate(State(handler): State<Arc<Handler>>) {
    handler.administrations.fetch_add(1, SeqCst);
}
