//! Every rejection, brought about by a request, with all that is told of it.

use std::{convert::Infallible, future::pending, io, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tower::{
    Layer, Service, ServiceExt,
    layer::util::Identity,
    service_fn,
    util::{BoxCloneSyncService, BoxService},
};
use tower_webhook::{
    ForwardingHeader, PeerAddr, TrustedProxies,
    body::{BodyBudget, Verified},
    clock::{ManualClock, UnixTime},
    key::{KeyError, KeyFuture, KeyQuery, KeySource},
    layer::*,
    provider,
    scheme::{Keys, Scheme, Signature, Source, Verifier},
    store::{
        Charge, MemoryNonceStore, MemoryRateStore, NonceStore, Quota, Quotas, RateKey, RateStore, Standing, StoreError,
    },
};

use crate::{
    capture::{Captured, Fields, Line, Metrics, captured},
    support::{MockStore, NOW, ORIGIN, Operation, SECRET, Sent, clock, memory, secs, verifier, with_status},
};

type AnyBody = UnsyncBoxBody<Bytes, io::Error>;
type Stack = BoxService<Request<AnyBody>, Response<()>, Infallible>;

/// What must never be told, and stands in every request.
const CANARY: &str = "canary-5d1f";

/// A request to a stack, and what is told of it beside what is told of all.
struct Case {
    name: &'static str,
    /// The level, the status, the code and the reason.
    told: (tracing::Level, u16, &'static str, &'static str),
    stage: &'static str,
    /// Told only of those who have proved who they are.
    is_genuine: bool,
    has_body: bool,
    /// Other fields, and those that differ.
    more: &'static [(&'static str, &'static str)],
    /// Requests before it.
    before: usize,
    stack: Stack,
    request: Box<dyn Fn() -> Request<AnyBody>>,
}

const WARN: tracing::Level = tracing::Level::WARN;
const ERROR: tracing::Level = tracing::Level::ERROR;
const INFO: tracing::Level = tracing::Level::INFO;

impl Case {
    fn new(
        name: &'static str,
        told: (tracing::Level, u16, &'static str, &'static str),
        stage: &'static str,
        stack: Stack,
        request: impl Fn() -> Request<AnyBody> + 'static,
    ) -> Self {
        let request = Box::new(request);
        Self { name, told, stage, is_genuine: false, has_body: false, more: &[], before: 0, stack, request }
    }

    fn genuine(mut self) -> Self {
        (self.is_genuine, self.has_body) = (true, true);
        self
    }

    fn with_body(mut self) -> Self {
        self.has_body = true;
        self
    }

    fn more(mut self, more: &'static [(&'static str, &'static str)]) -> Self {
        self.more = more;
        self
    }

    fn after(mut self, requests: usize) -> Self {
        self.before = requests;
        self
    }

    /// Everything that the event says.
    fn event(&self) -> Line {
        let (level, status, code, reason) = self.told;
        let outcome = match reason {
            "replayed" => "duplicate",
            "event_ignored" => "ignored",
            _ => "rejected",
        };
        let message = match outcome {
            "duplicate" => "webhook handled before",
            "ignored" => "webhook ignored",
            _ => "webhook rejected",
        };
        let mut fields = Fields::new();
        let mut put = |name: &str, value: &str| drop(fields.insert(name.to_owned(), value.to_owned()));
        put("http.request.method", "POST");
        put("http.response.status_code", &status.to_string());
        put("client.address", "192.0.2.7");
        put("webhook.provider", "standard-webhooks");
        put("webhook.outcome", outcome);
        put("webhook.code", code);
        put("webhook.reason", reason);
        put("webhook.stage", self.stage);
        if outcome == "rejected" {
            put("error.type", reason);
        }
        for stage in ["duration", "queue", "body", "verify", "store", "handler"] {
            // The clock stands still.
            put(&format!("webhook.{stage}_ms"), "0.0");
        }
        if self.has_body {
            put("http.request.body.size", &BODY.len().to_string());
        }
        if self.is_genuine {
            put("webhook.delivery.id", "msg_1");
            put("webhook.event", "ping");
            put("webhook.key.index", "0");
            put("webhook.clock_skew_ms", "0");
        }
        for (name, value) in self.more {
            if value.is_empty() {
                drop(fields.remove(*name))
            } else {
                drop(fields.insert((*name).to_owned(), (*value).to_owned()))
            }
        }
        Line { level, name: message.to_owned(), fields }
    }
}

#[test]
fn each_rejection_is_told_once_with_its_exact_fields_and_nothing_else() {
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    for make in cases() {
        let (case, logs, metrics) = captured(async {
            let mut case = make();
            let mut last = None;
            for _ in 0..=case.before {
                let call = case.stack.ready().await.unwrap().call((case.request)());
                // Whatever hangs, hangs for longer than anybody waits.
                last = tokio::time::timeout(secs(3600), call).await.ok();
            }
            assert_eq!(last.unwrap().unwrap().status(), case.told.1, "{}", case.name);
            case
        });
        let (events, spans) = (logs.events(), logs.spans());
        assert_eq!(events.len(), case.before + 1, "{}", case.name);
        let (event, expected) = (events.last().unwrap(), case.event());
        if *event != expected {
            let told: Vec<_> =
                event.fields.iter().filter(|(name, value)| expected.fields.get(*name) != Some(value)).collect();
            let missing: Vec<_> =
                expected.fields.iter().filter(|(name, value)| event.fields.get(*name) != Some(value)).collect();
            wrong.push(format!("{}: {} {} told {told:?}, not {missing:?}", case.name, event.level, event.name));
            continue;
        }
        assert_eq!(spans.len(), case.before + 1, "{}", case.name);
        assert_eq!(spans.last().unwrap().fields, span_of(&case), "{}", case.name);
        assert_counted(&case, &metrics);
        assert_kept_secret(case.name, &logs, &metrics);
        told.push(case.told.3);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    told.sort_unstable();
    told.dedup();
    println!("{} rejections told: {}", told.len(), told.join(", "));
}

/// Everything that the span says.
fn span_of(case: &Case) -> Fields {
    let event = case.event().fields;
    let same = [
        "http.request.method",
        "http.response.status_code",
        "client.address",
        "error.type",
        "webhook.provider",
        "webhook.delivery.id",
        "webhook.event",
        "webhook.outcome",
    ];
    let mut fields: Fields =
        same.iter().filter_map(|name| Some(((*name).to_owned(), event.get(*name)?.clone()))).collect();
    fields.insert("otel.kind".to_owned(), "server".to_owned());
    fields.insert("otel.name".to_owned(), event["http.request.method"].clone());
    if case.told.1 >= 500 {
        fields.insert("otel.status_code".to_owned(), "ERROR".to_owned());
    }
    fields
}

fn assert_counted(case: &Case, metrics: &Metrics) {
    let (_, _, code, reason) = case.told;
    let counted = metrics.take();
    let event = case.event();
    let provider = event.get("webhook.provider");
    let outcome = event.get("webhook.outcome");
    let requests = format!("webhook_requests_total{{code={code:?},outcome={outcome:?},provider={provider:?}}}");
    assert_eq!(counted.get(&requests).map(|count| count[0] >= 1.0), Some(true), "{}: {counted:#?}", case.name);
    let rejections = format!("webhook_rejections_total{{provider={provider:?},reason={reason:?}}}");
    assert_eq!(counted.contains_key(&rejections), outcome == "rejected", "{}: {counted:#?}", case.name);
    let total: f64 =
        counted.iter().filter(|(name, _)| name.starts_with("webhook_requests_total")).map(|(_, count)| count[0]).sum();
    assert_eq!(total, (case.before + 1) as f64, "{}: {counted:#?}", case.name);
}

fn assert_kept_secret(name: &str, logs: &Captured, metrics: &Metrics) {
    let told = format!("{}\n{:?}", logs.text(), metrics.take());
    let signature = genuine().headers()["webhook-signature"].to_str().unwrap().to_owned();
    for secret in [CANARY, SECRET, &SECRET["whsec_".len()..], &signature, &signature["v1,".len()..]] {
        assert!(!told.contains(secret), "{name}: {secret} in {told}");
    }
}

const BODY: &str = r#"{"type":"ping","secret":"canary-5d1f"}"#;

/// A delivery, with canaries wherever somebody may want to print something.
fn genuine() -> Sent {
    Sent::new(provider::STANDARD_WEBHOOKS, BODY)
        .id("msg_1")
        .header("authorization", "Bearer canary-5d1f")
        .header("cookie", "session=canary-5d1f")
        .header("user-agent", "canary-5d1f")
        .header("content-type", "application/json")
}

fn from_peer<B>(mut request: Request<B>) -> Request<B> {
    *request.uri_mut() = "/hook/canary-5d1f?token=canary-5d1f".parse().unwrap();
    request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, 7], 443))));
    request
}

fn whole(sent: &Sent) -> Request<AnyBody> {
    from_peer(sent.request().map(|body| body.map_err(io::Error::other).boxed_unsync()))
}

fn frames(frames: impl futures_util::Stream<Item = io::Result<Frame<Bytes>>> + Send + 'static) -> Request<AnyBody> {
    from_peer(genuine().with_body(StreamBody::new(frames).boxed_unsync()))
}

type Handler = BoxCloneSyncService<Request<Verified>, Response<Full<Bytes>>, Infallible>;

/// Around a handler that is content.
fn boxed<L, S, B>(layer: L) -> Stack
where
    L: Layer<Handler, Service = S>,
    S: Service<Request<AnyBody>, Response = Response<B>, Error = Infallible, Future: Send + 'static> + Send + 'static,
    B: Send + 'static,
{
    around(layer, service_fn(|_| async { Ok(with_status(200)) }))
}

fn around<L, S, B, H>(layer: L, handler: H) -> Stack
where
    L: Layer<Handler, Service = S>,
    S: Service<Request<AnyBody>, Response = Response<B>, Error = Infallible, Future: Send + 'static> + Send + 'static,
    B: Send + 'static,
    H: Service<Request<Verified>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
{
    BoxService::new(layer.layer(Handler::new(handler)).map_response(|response| response.map(drop)))
}

fn observe() -> ObserveLayer {
    ObserveLayer::new().with_clock(clock())
}

type Builder = WebhookBuilder<Identity, Identity, RejectReplayLayer<MemoryNonceStore>>;

fn builder(clock: &ManualClock) -> Builder {
    of(verifier(provider::STANDARD_WEBHOOKS), clock)
}

fn of(source: impl VerifierSource, clock: &ManualClock) -> Builder {
    WebhookLayer::builder(source).observe(observe()).with_clock(clock.clone()).replay(memory(clock))
}

fn usual() -> Stack {
    boxed(builder(&clock()).build().unwrap())
}

fn with_store(store: impl NonceStore) -> Stack {
    boxed(builder(&clock()).replay(store).build().unwrap())
}

macro_rules! cases {
    ($($case:expr),* $(,)?) => { vec![$(Box::new(|| $case)),*] };
}

/// By the lines of the table of rejections.
fn cases() -> Vec<Box<dyn Fn() -> Case>> {
    const MALFORMED: &str = "malformed_request";
    const WHO: &str = "unauthenticated";
    const BUSY: &str = "unavailable";
    let cases: Vec<Box<dyn Fn() -> Case>> = cases![
        // Unparseable or ambiguous.
        Case::new("a header twice", (WARN, 400, MALFORMED, "duplicate_header"), "queue", usual(), || {
            let mut request = whole(&genuine());
            request.headers_mut().append("webhook-id", HeaderValue::from_static("msg_2"));
            request
        }),
        Case::new("two families", (WARN, 400, MALFORMED, "conflicting_headers"), "queue", usual(), || {
            whole(&genuine().header("svix-id", "msg_canary-5d1f"))
        }),
        Case::new("a header that is no text", (WARN, 400, MALFORMED, "malformed_header"), "queue", usual(), || {
            let mut request = whole(&genuine());
            request.headers_mut().insert("webhook-id", HeaderValue::from_bytes(b"canary-5d1f\xe9").unwrap());
            request
        }),
        Case::new("a long header", (WARN, 400, MALFORMED, "header_too_long"), "queue", usual(), || {
            whole(&genuine().header("webhook-signature", &CANARY.repeat(1000)))
        }),
        Case::new("no time", (WARN, 400, MALFORMED, "malformed_timestamp"), "queue", usual(), || {
            whole(&genuine().header("webhook-timestamp", "canary-5d1f"))
        }),
        Case::new("no id", (WARN, 400, MALFORMED, "malformed_id"), "queue", usual(), || {
            whole(&genuine().header("webhook-id", "canary-5d1f.x"))
        }),
        Case::new("a body that breaks off", (WARN, 400, MALFORMED, "broken_body"), "body", usual(), || {
            frames(futures_util::stream::iter([
                Ok(Frame::data(Bytes::from_static(CANARY.as_bytes()))),
                Err(io::Error::other(CANARY)),
            ]))
        }),
        Case::new(
            "another transfer coding",
            (WARN, 400, MALFORMED, "unsupported_transfer_coding"),
            "queue",
            usual(),
            || { whole(&genuine().header("transfer-encoding", "gzip, chunked")) }
        ),
        // Who it is, is not known.
        Case::new("no signature", (WARN, 401, WHO, "missing_signature"), "queue", usual(), || {
            whole(&genuine().without("webhook-signature"))
        }),
        Case::new("no id at all", (WARN, 401, WHO, "missing_id"), "queue", usual(), || {
            whole(&genuine().without("webhook-id"))
        }),
        Case::new("no time at all", (WARN, 401, WHO, "missing_timestamp"), "queue", usual(), || {
            whole(&genuine().without("webhook-timestamp"))
        }),
        Case::new("a signature of no form", (WARN, 401, WHO, "unusable_signature"), "queue", usual(), || {
            whole(&genuine().header("webhook-signature", "v1,canary-5d1f"))
        }),
        Case::new("another's signature", (WARN, 401, WHO, "signature_mismatch"), "verify", usual(), || {
            whole(&genuine().header("webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
        })
        .with_body(),
        Case::new("stale", (WARN, 401, WHO, "stale"), "queue", usual(), || whole(&genuine().at(NOW - 301))),
        Case::new("from the future", (WARN, 401, WHO, "from_the_future"), "queue", usual(), || whole(
            &genuine().at(NOW + 301)
        )),
        Case::new(
            "an unknown key",
            (WARN, 401, WHO, "unknown_key"),
            "queue",
            boxed(of(PAGE.verifier(Says(KeyError::Unknown)).unwrap(), &clock()).build().unwrap()),
            page
        )
        .more(&[("webhook.provider", "page"), ("webhook.stage", "verify")]),
        // Where it comes from.
        Case::new(
            "plain HTTP",
            (WARN, 403, "https_required", "https_required"),
            "queue",
            boxed(builder(&clock()).require_https(RequireHttpsLayer::new()).build().unwrap()),
            || whole(&genuine())
        ),
        Case::new(
            "another address",
            (WARN, 403, "source_not_allowed", "source_not_allowed"),
            "queue",
            {
                let sources = Sources::networks(["198.51.100.0/24"]).unwrap();
                boxed(builder(&clock()).allow_sources(AllowSourcesLayer::new(sources)).build().unwrap())
            },
            || whole(&genuine())
        ),
        Case::new(
            "another origin",
            (WARN, 421, "misdirected_request", "misdirected"),
            "queue",
            {
                let square = Verifier::builder(provider::SQUARE).public_origin(ORIGIN).build(SECRET).unwrap();
                let proxies = TrustedProxies::hops(1, ForwardingHeader::XForwardedFor).unwrap();
                boxed(of(square, &clock()).public_origin_from(proxies, [ORIGIN]).unwrap().build().unwrap())
            },
            || {
                let mut request = whole(&Sent::new(provider::SQUARE, BODY));
                request.headers_mut().insert("host", HeaderValue::from_static("canary-5d1f.test"));
                request
            }
        )
        .more(&[("webhook.provider", "square")]),
        // What it is.
        Case::new("another method", (WARN, 405, "method_not_allowed", "method_not_allowed"), "queue", usual(), || {
            let mut request = whole(&genuine());
            *request.method_mut() = Method::from_bytes(b"CANARY").unwrap();
            request
        })
        .more(&[("http.request.method", "_OTHER")]),
        Case::new(
            "another media type",
            (WARN, 415, "unsupported_media_type", "unsupported_media_type"),
            "verify",
            boxed(builder(&clock()).then(ValidatePayloadLayer::new()).build().unwrap()),
            || whole(&genuine().header("content-type", "text/canary-5d1f"))
        )
        .genuine(),
        Case::new(
            "a content coding",
            (WARN, 415, "unsupported_media_type", "unsupported_content_coding"),
            "queue",
            usual(),
            || { whole(&genuine().header("content-encoding", "gzip")) }
        ),
        Case::new("a slow body", (WARN, 408, "body_timeout", "body_timeout"), "body", usual(), || {
            frames(futures_util::stream::pending())
        }),
        Case::new("a large body, announced", (WARN, 413, "body_too_large", "body_too_large"), "queue", usual(), || {
            whole(&genuine().header("content-length", "1048577"))
        }),
        Case::new(
            "a large body",
            (WARN, 413, "body_too_large", "body_too_large"),
            "body",
            boxed(builder(&clock()).max_body(8).build().unwrap()),
            || frames(futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(BODY.as_bytes())))]))
        ),
        Case::new(
            "not JSON",
            (WARN, 422, "invalid_payload", "invalid_payload"),
            "verify",
            boxed(builder(&clock()).then(ValidatePayloadLayer::new()).build().unwrap()),
            || {
                let sent = Sent::new(provider::STANDARD_WEBHOOKS, r#"{"type":"ping","canary-5d1f":"canary-5d1f}}}}"#);
                whole(&sent.id("msg_1").header("content-type", "application/json"))
            }
        )
        .genuine()
        .more(&[("http.request.body.size", "45")]),
        // Too many.
        Case::new(
            "too many of an address",
            (WARN, 429, "rate_limited", "rate_limited"),
            "queue",
            {
                let rates = MemoryRateStore::new().with_clock(clock());
                let limit = RateLimitLayer::new(Quota::per_minute(1), ClientAddr::new(), rates);
                boxed(builder(&clock()).rate_limit(limit).build().unwrap())
            },
            || whole(&genuine())
        )
        .after(1),
        Case::new(
            "too many of a sender",
            (WARN, 429, "rate_limited", "rate_limited"),
            "verify",
            {
                let rates = MemoryRateStore::new().with_clock(clock());
                boxed(
                    builder(&clock()).then(RateLimitLayer::new(Quota::per_minute(1), BySender, rates)).build().unwrap(),
                )
            },
            || whole(&genuine())
        )
        .genuine()
        .after(1),
        Case::new(
            "too many, said otherwise",
            (WARN, 503, BUSY, "throttled"),
            "queue",
            {
                let rates = MemoryRateStore::new().with_clock(clock());
                let limit = RateLimitLayer::new(Quota::per_minute(1), ClientAddr::new(), rates).say_unavailable();
                boxed(builder(&clock()).rate_limit(limit).build().unwrap())
            },
            || whole(&genuine())
        )
        .after(1),
        // Nothing twice.
        Case::new("done already", (INFO, 200, "duplicate_delivery", "replayed"), "verify", usual(), || whole(
            &genuine()
        ))
        .genuine()
        .after(1),
        Case::new(
            "in progress",
            (WARN, 503, "delivery_in_progress", "in_progress"),
            "verify",
            {
                let store = memory(&clock());
                let sent = genuine();
                crate::support::now(store.reserve(sent.replay_key(), tower_webhook::store::Token::unique(), secs(40)))
                    .unwrap();
                with_store(store)
            },
            || whole(&genuine())
        )
        .genuine(),
        Case::new(
            "an event that nobody wants",
            (INFO, 200, "ignored", "event_ignored"),
            "verify",
            boxed(builder(&clock()).then(AllowEventsLayer::new(["pong"]).unwrap()).build().unwrap()),
            || whole(&genuine())
        )
        .genuine(),
        Case::new(
            "an event that must not come",
            (WARN, 403, "event_not_allowed", "event_not_allowed"),
            "verify",
            boxed(builder(&clock()).then(AllowEventsLayer::new(["pong"]).unwrap().refuse()).build().unwrap()),
            || whole(&genuine())
        )
        .genuine(),
        // Our own trouble.
        Case::new(
            "a store that is gone",
            (ERROR, 503, BUSY, "store_unavailable"),
            "verify",
            {
                with_store(
                    MockStore::new(memory(&clock())).reserving(Operation { failures: 1, ..Operation::default() }),
                )
            },
            || whole(&genuine())
        )
        .genuine(),
        Case::new(
            "a store that hangs",
            (ERROR, 503, BUSY, "store_unavailable"),
            "store",
            {
                with_store(
                    MockStore::new(memory(&clock())).reserving(Operation { hangs: true, ..Operation::default() }),
                )
            },
            || whole(&genuine())
        )
        .genuine(),
        Case::new(
            "a store that is full",
            (ERROR, 503, BUSY, "store_full"),
            "verify",
            with_store(MemoryNonceStore::with_capacity(0).with_clock(clock())),
            || whole(&genuine())
        )
        .genuine(),
        Case::new(
            "a store of rates that is gone",
            (ERROR, 503, BUSY, "store_unavailable"),
            "queue",
            {
                let limit =
                    RateLimitLayer::new(Quota::per_minute(1), ClientAddr::new(), NoRates).refuse_when_unavailable();
                boxed(builder(&clock()).rate_limit(limit).build().unwrap())
            },
            || whole(&genuine())
        ),
        Case::new(
            "keys that cannot be had",
            (ERROR, 503, BUSY, "keys_unavailable"),
            "verify",
            {
                boxed(
                    of(PAGE.verifier(Says(KeyError::Unavailable { why: "no answer" })).unwrap(), &clock())
                        .build()
                        .unwrap(),
                )
            },
            page
        )
        .more(&[("webhook.provider", "page")]),
        Case::new(
            "no budget",
            (ERROR, 503, BUSY, "budget_exhausted"),
            "body",
            boxed(builder(&clock()).budget(BodyBudget::new(8)).build().unwrap()),
            || whole(&genuine())
        ),
        Case::new(
            "a broken clock",
            (ERROR, 503, BUSY, "clock_unavailable"),
            "queue",
            {
                let broken = clock();
                broken.break_down();
                boxed(builder(&broken).build().unwrap())
            },
            || whole(&genuine())
        ),
        Case::new(
            "a handler that hangs",
            (ERROR, 503, BUSY, "handler_timeout"),
            "handler",
            around(builder(&clock()).build().unwrap(), service_fn(|_| pending())),
            || whole(&genuine())
        )
        .genuine(),
        Case::new(
            "a server put together wrongly",
            (ERROR, 500, "misconfigured", "misconfigured"),
            "queue",
            {
                let limit = RateLimitLayer::new(Quota::per_minute(1), ClientAddr::new(), MemoryRateStore::new());
                boxed(builder(&clock()).rate_limit(limit).build().unwrap())
            },
            || {
                let mut request = whole(&genuine());
                request.extensions_mut().remove::<PeerAddr>();
                request
            }
        )
        .more(&[("client.address", "")]),
    ];
    cases
}

/// A scheme whose keys are asked for.
const PAGE: Scheme<'static> = Scheme {
    name: "page",
    signature: Signature::bare("x-signature"),
    key_id: Some(Source::Header("x-key-id")),
    keys: Keys::Pem { url: "https://issuer.example/keys/{kid}.pem" },
    ..Scheme::ED25519_HEX
};

/// A source that always says the same.
struct Says(KeyError);

impl KeySource for Says {
    fn keys(&self, _: KeyQuery, _: UnixTime) -> KeyFuture {
        Box::pin(std::future::ready(Err(self.0.clone())))
    }
}

fn page() -> Request<AnyBody> {
    whole(&genuine().header("x-signature", &"00".repeat(64)).header("x-key-id", CANARY))
}

/// A store that does not answer.
#[derive(Clone)]
struct NoRates;

impl RateStore for NoRates {
    type Check = std::future::Ready<Result<Standing, StoreError>>;

    fn check(&self, _: RateKey, _: &Quotas, _: Charge) -> Self::Check {
        std::future::ready(Err(StoreError::Unavailable))
    }
}
