//! A server that takes webhooks from three providers, and everything that comes to such a server sooner or later.
//!
//! ```sh
//! cargo run --example quickstart             # plays sender and attacker, and prints what became of each request
//! cargo run --example quickstart -- --serve  # keeps listening, and prints `curl` commands to try
//! ```

use std::{
    error::Error,
    fmt::Write as _,
    net::SocketAddr,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::Response,
    routing::post,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tower_webhook::{
    ConfigError, Delivery, Rejection,
    clock::{Clock, SystemClock, UnixTime},
    layer::{ClientAddr, RateLimitLayer, WebhookLayer},
    provider,
    scheme::{Outgoing, Scheme, Signer},
    store::{MemoryRateStore, Quota},
};

const STRIPE_SECRET: &str = "whsec_of_the_quickstart";
const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The server: three providers, a layer for each.
fn app() -> Result<Router, ConfigError> {
    // Safe as it is: bodies up to 1 MiB, signatures up to five minutes old, each delivery handled once.
    let stripe = WebhookLayer::new(provider::STRIPE.verifier(STRIPE_SECRET)?);

    // With less room and patience.
    let github = WebhookLayer::builder(provider::GITHUB.verifier(GITHUB_SECRET)?)
        .max_body(MAX_BODY)
        .idle_timeout(Duration::from_millis(300))
        .build()?;

    // With a limit for each client address, which comes before anything else.
    let ten_at_once = Quota::per_hour(100).allow_burst(10);
    let standard = WebhookLayer::builder(provider::STANDARD_WEBHOOKS.verifier(STANDARD_SECRET)?)
        .rate_limit(RateLimitLayer::new(ten_at_once, ClientAddr::new(), MemoryRateStore::new()))
        .build()?;

    Ok(Router::new()
        .route("/stripe", post(handle).layer(stripe))
        .route("/github", post(handle).layer(github))
        .route("/standard", post(handle).layer(standard)))
}

const MAX_BODY: usize = 64 * 1024;

/// Runs for what is genuine, fresh and new, of which its [`Delivery`] is the proof.
async fn handle(delivery: Delivery) -> (StatusCode, Extension<Handled>) {
    let fails = delivery.event() == Some("charge.refunded") && DATABASE_IS_DOWN.swap(false, Ordering::Relaxed);
    let status = if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    (status, Extension(Handled))
}

/// When the first refund comes, and never again.
static DATABASE_IS_DOWN: AtomicBool = AtomicBool::new(true);

/// Tells [`observe`] that the handler ran.
#[derive(Clone, Copy)]
struct Handled;

/// Outside everything else: the sender is told a status and a code, but whoever runs the server finds the precise [`Rejection`]
/// in the response's extensions.
async fn observe(State(outcomes): State<UnboundedSender<Outcome>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let why = match response.extensions().get::<Rejection>() {
        Some(rejection) => rejection.reason(),
        None if response.status().is_success() => "accepted",
        None => "handler failed",
    };
    let handler_ran = response.extensions().get::<Handled>().is_some();
    let _ = outcomes.send(Outcome { status: response.status().as_u16(), why, handler_ran });
    response
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    why: &'static str,
    handler_ran: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (sender, outcomes) = unbounded_channel();
    let app = app()?.layer(middleware::from_fn_with_state(sender, observe));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // With the peers' addresses, which the rate limit asks for.
    tokio::spawn(async move { axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await });

    let now = SystemClock.now()?;
    match std::env::args().nth(1).as_deref() {
        None => play(address, &attempts(now)?, outcomes).await,
        Some("--serve") => serve(address, now, outcomes).await,
        Some(_) => Err("usage: quickstart [--serve]".into()),
    }
}

/// Sends everything, and prints and checks what becomes of it.
async fn play(
    address: SocketAddr,
    attempts: &[Attempt],
    mut outcomes: UnboundedReceiver<Outcome>,
) -> Result<ExitCode, Box<dyn Error>> {
    println!("{:<50} {:<6}  {:<24}  handler ran", "sent", "status", "why");
    println!("{:-<50} {:-<6}  {:-<24}  {:-<11}", "", "", "", "");
    let mut wrong = 0;
    for Attempt { sent, request, times, expected } in attempts {
        let mut last = None;
        for _ in 0..*times {
            let answer = timeout(PATIENCE, request.send(address)).await??;
            let outcome = timeout(PATIENCE, outcomes.recv()).await?.ok_or("the server is gone")?;
            last = Some((answer, outcome));
        }
        let (answer, outcome) = last.ok_or("an attempt without a request")?;
        let ran = if outcome.handler_ran { "yes" } else { "no" };
        let wait = answer.retry_after.map_or(String::new(), |seconds| format!(", wait {seconds} s"));
        println!("{sent:<50} {:<6}  {:<24}  {ran}", answer.status, format!("{}{wait}", outcome.why));
        // Whoever is told to come back must be told when.
        let tells_when = answer.status != 429 || answer.retry_after.is_some_and(|seconds| seconds > 0);
        if outcome != *expected || answer.status != outcome.status || !tells_when {
            println!("  WRONG: expected {expected:?}, and got {answer:?}, {outcome:?}");
            wrong += 1;
        }
    }
    if wrong > 0 {
        eprintln!("\n{wrong} of {} outcomes are wrong", attempts.len());
        return Ok(ExitCode::FAILURE);
    }
    println!("\nall {} outcomes are as they should be", attempts.len());
    Ok(ExitCode::SUCCESS)
}

const PATIENCE: Duration = Duration::from_secs(10);

struct Attempt {
    sent: &'static str,
    request: Wire,
    /// Only what becomes of the last one is looked at.
    times: usize,
    expected: Outcome,
}

/// What good senders, bad senders and strangers send.
fn attempts(now: UnixTime) -> Result<Vec<Attempt>, ConfigError> {
    let stripe = Sender::new("/stripe", provider::STRIPE, STRIPE_SECRET)?;
    let github = Sender::new("/github", provider::GITHUB, GITHUB_SECRET)?;
    let standard = Sender::new("/standard", provider::STANDARD_WEBHOOKS, STANDARD_SECRET)?;
    let forger = Sender::new("/stripe", provider::STRIPE, "a guess")?;
    let ten_minutes_ago = UnixTime::from_secs(now.as_secs() - 600);

    let paid = stripe.sign("evt_1", "invoice.paid", now)?;
    let pushed = github.sign("72d3162e-cc78-11e3-81ab-4c9367dc0958", "push", now)?;
    let merged = github.sign("d3b07384-d9a0-11e3-9c1a-0800200c9a66", "pull_request", now)?;
    let created = standard.sign("msg_1", "contact.created", now)?;
    let forged = forger.sign("evt_2", "invoice.paid", now)?;
    let stale = stripe.sign("evt_3", "invoice.paid", ten_minutes_ago)?;
    let refunded = stripe.sign("evt_4", "charge.refunded", now)?;
    let later = stripe.sign("evt_5", "invoice.paid", now)?;
    let tampered = Wire { body: paid.body.replace("invoice.paid", "invoice.void"), ..paid.clone() };
    let unsigned = Wire { headers: HeaderMap::new(), ..paid.clone() };
    let oversized = Wire { body: "x".repeat(MAX_BODY + 1), ..pushed.clone() };
    let (announced, endless) = (oversized.framed(Framing::Announced), oversized.framed(Framing::Endless));
    let stalled = merged.framed(Framing::Stalled);
    let junk = Wire { body: "junk".to_owned(), ..created.clone() };

    let once = |sent, request: &Wire, status, why, handler_ran| Attempt {
        sent,
        request: request.clone(),
        times: 1,
        expected: Outcome { status, why, handler_ran },
    };
    Ok(vec![
        once("Stripe: an invoice was paid", &paid, 200, "accepted", true),
        once("GitHub: a push", &pushed, 200, "accepted", true),
        once("Standard Webhooks: a contact was created", &created, 200, "accepted", true),
        once("without a signature", &unsigned, 401, "missing_signature", false),
        once("forged: signed with a guessed secret", &forged, 401, "signature_mismatch", false),
        once("tampered: the body was changed after signing", &tampered, 401, "signature_mismatch", false),
        once("stale: signed ten minutes ago", &stale, 401, "stale", false),
        once("replayed: Stripe's invoice again, byte for byte", &paid, 200, "replayed", false),
        once("Stripe: a refund, while our database is down", &refunded, 500, "handler failed", true),
        once("Stripe tries again", &refunded, 200, "accepted", true),
        once("and again, having missed our answer", &refunded, 200, "replayed", false),
        once("oversized: announces a terabyte, sends nothing", &announced, 413, "body_too_large", false),
        once("oversized: announces nothing, sends without end", &endless, 413, "body_too_large", false),
        once("slow: stops in the middle of its body", &stalled, 408, "body_timeout", false),
        Attempt { times: 40, ..once("flood: the last of 40 forgeries", &junk, 429, "rate_limited", false) },
        once("meanwhile, Stripe: another invoice was paid", &later, 200, "accepted", true),
    ])
}

/// Keeps listening, and says how to send something.
async fn serve(
    address: SocketAddr,
    now: UnixTime,
    mut outcomes: UnboundedReceiver<Outcome>,
) -> Result<ExitCode, Box<dyn Error>> {
    println!(
        "listening on http://{address}; stop with ctrl-c. Signatures with a time in them are good for five minutes.\n"
    );
    for (path, scheme, secret, id, event) in [
        ("/stripe", provider::STRIPE, STRIPE_SECRET, "evt_1", "invoice.paid"),
        ("/github", provider::GITHUB, GITHUB_SECRET, "72d3162e-cc78-11e3-81ab-4c9367dc0958", "push"),
        ("/standard", provider::STANDARD_WEBHOOKS, STANDARD_SECRET, "msg_1", "contact.created"),
    ] {
        let request = Sender::new(path, scheme, secret)?.sign(id, event, now)?;
        println!("# genuine; sent again, it is a replay\n{}\n", request.as_curl(address));
    }
    let forged = Sender::new("/stripe", provider::STRIPE, "a guess")?.sign("evt_2", "invoice.paid", now)?;
    println!("# forged\n{}\n", forged.as_curl(address));

    while let Some(Outcome { status, why, handler_ran }) = outcomes.recv().await {
        println!("answered {status}: {why}{}", if handler_ran { ", by the handler" } else { "" });
    }
    Ok(ExitCode::SUCCESS)
}

/// A provider, or who pretends to be one.
struct Sender {
    path: &'static str,
    signer: Signer,
}

impl Sender {
    fn new(path: &'static str, scheme: Scheme<'_>, secret: &str) -> Result<Self, ConfigError> {
        Ok(Self { path, signer: scheme.signer(secret)? })
    }

    fn sign(&self, id: &str, event: &str, now: UnixTime) -> Result<Wire, ConfigError> {
        let body = format!(r#"{{"id":"{id}","type":"{event}"}}"#);
        let url = format!("http://localhost{}", self.path);
        let headers = self.signer.sign(&Outgoing { id: Some(id), now, ..Outgoing::post(&url, body.as_bytes()) })?;
        Ok(Wire { path: self.path, headers, body, framing: Framing::Honest })
    }
}

/// A request, written to the wire by hand: no decent client would send some of these.
#[derive(Clone)]
struct Wire {
    path: &'static str,
    headers: HeaderMap,
    body: String,
    framing: Framing,
}

/// What is announced of a body, and what is sent of it.
#[derive(Clone, Copy)]
enum Framing {
    Honest,
    Announced,
    Endless,
    Stalled,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    retry_after: Option<u64>,
}

impl Wire {
    fn framed(&self, framing: Framing) -> Self {
        Self { framing, ..self.clone() }
    }

    fn head(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()))
    }

    fn as_curl(&self, address: SocketAddr) -> String {
        let mut command = format!("curl -i http://{address}{}", self.path);
        for (name, value) in self.head() {
            let _ = write!(command, " \\\n  -H '{name}: {value}'");
        }
        format!("{command} \\\n  -H 'content-type: application/json' -d '{}'", self.body)
    }

    fn as_http(&self) -> String {
        let mut text = format!("POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n", self.path);
        for (name, value) in self.head() {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let (body, length) = (&self.body, self.body.len());
        let _ = match self.framing {
            Framing::Honest => write!(text, "content-length: {length}\r\n\r\n{body}"),
            Framing::Announced => write!(text, "content-length: {}\r\n\r\n", 1_u64 << 40),
            Framing::Endless => write!(text, "transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n"),
            Framing::Stalled => write!(text, "content-length: {length}\r\n\r\n{}", &body[..length / 2]),
        };
        text
    }

    async fn send(&self, address: SocketAddr) -> Result<Answer, Box<dyn Error>> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(self.as_http().as_bytes()).await?;
        let mut answer = Vec::new();
        // Who refuses before having read everything may reset the connection after the answer.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer)?;
        let mut lines = answer.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no answer")?.parse()?;
        let retry_after = lines.find_map(|line| line.strip_prefix("retry-after: ")).map(str::parse).transpose()?;
        Ok(Answer { status, retry_after })
    }
}
