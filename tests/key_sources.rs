//! Keys that are found when a request asks for them, through the layer.

mod support;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body::{Body, Frame};
use support::{Answer, Calls, NOW, clock, send};
use tower::Layer;
use tower_webhook::{
    ConfigError, Rejection,
    clock::UnixTime,
    key::{FoundKey, HostRule, KeyError, KeyForm, KeyFuture, KeyQuery, KeySource, PublicKey},
    layer::{RenderRejectionsLayer, VerifySignatureLayer},
    provider,
    scheme::{Head, Host, Jws, JwsAlgorithm, Keys, Part, Scheme, Signature, Source},
};

/// A token whose key is in a set at a fixed place.
const TOKEN: Scheme<'static> = Scheme {
    name: "token",
    unsigned_body: true,
    jws: Some(Jws { algorithms: &[JwsAlgorithm::EdDsa], ..Jws::NEW }),
    keys: Keys::JwkSet { url: "https://issuer.example/keys" },
    ..Scheme::JWS
};

/// A signature whose key has a page of its own.
const PAGE: Scheme<'static> = Scheme {
    name: "page",
    signature: Signature::bare("x-signature"),
    key_id: Some(Source::Header("x-key-id")),
    keys: Keys::Pem { url: "https://issuer.example/keys/{kid}.pem" },
    ..Scheme::ED25519_HEX
};

/// A signature that is in the body, with a link to its certificate.
const LINK: Scheme<'static> = Scheme {
    name: "link",
    signature: Signature::at(Source::Json("/signature")),
    message: &[Part::Json("/message")],
    keys: Keys::Certificate {
        url: Source::Json("/certificate"),
        hosts: &[Host::Exact("keys.example"), Host::Region { before: "sns.", after: ".example" }],
        name: "keys.example",
    },
    ..Scheme::ED25519_HEX
};

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static STRANGER: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap());

#[tokio::test]
async fn a_source_is_told_what_the_request_says_and_nothing_else() {
    let hosts = vec![
        HostRule::Exact("keys.example".into()),
        HostRule::Region { before: "sns.".into(), after: ".example".into() },
    ];
    let certificate = KeyForm::Certificate { hosts: hosts.into(), name: "keys.example".into() };
    for (scheme, request, expected) in [
        (TOKEN, token(Some("k1")), KeyQuery::new("https://issuer.example/keys", Some("k1"), KeyForm::JwkSet)),
        (TOKEN, token(None), KeyQuery::new("https://issuer.example/keys", None, KeyForm::JwkSet)),
        (PAGE, page("k_1-a"), KeyQuery::new("https://issuer.example/keys/k_1-a.pem", Some("k_1-a"), KeyForm::Pem)),
        (LINK, link("https://keys.example/c"), KeyQuery::new("https://keys.example/c", None, certificate)),
    ] {
        let source = Scripted::answering(|_| Ok(found(&PAIR, Some("k1"))));
        // A key of another name than the request gives is not tried.
        let expected_status = if scheme.name == "page" { 401 } else { 200 };
        let (answer, _) = source.clone().serve(scheme, request).await;
        assert_eq!(answer.status, expected_status, "{}: {}", scheme.name, answer.reason());
        assert_eq!(source.asked(), [expected], "{}", scheme.name);
    }
}

#[tokio::test]
async fn what_a_source_answers_decides() {
    let unavailable = || Err(KeyError::Unavailable { why: "no answer" });
    for (answer, expected, reason) in [
        (Ok(found(&PAIR, None)), 200, ""),
        (Ok(found(&STRANGER, None)), 401, "signature_mismatch"),
        (Ok([found(&STRANGER, None), found(&PAIR, None)].concat().into()), 200, ""),
        (Ok(Arc::from([])), 401, "unknown_key"),
        (Err(KeyError::Unknown), 401, "unknown_key"),
        (Err(KeyError::Forbidden { why: "not there" }), 401, "untrusted_key"),
        (Err(KeyError::Untrusted { why: "expired" }), 401, "untrusted_key"),
        (unavailable(), 503, "keys_unavailable"),
    ] {
        for (scheme, request) in [(TOKEN, token(Some("k1"))), (PAGE, page("k1")), (LINK, link("https://keys.example/"))]
        {
            let source = Scripted::answering({
                let answer = answer.clone();
                move |_| answer.clone()
            });
            let (given, handled) = source.serve(scheme, request).await;
            let label = format!("{}: {answer:?}", scheme.name);
            assert_eq!((given.status.as_u16(), given.reason()), (expected, reason), "{label}");
            assert_eq!(handled, usize::from(expected == 200), "{label}");
            assert_eq!(given.headers.contains_key("retry-after"), expected == 503, "{label}");
        }
    }
}

#[tokio::test]
async fn a_body_is_not_read_for_a_key_that_is_not_there() {
    for (scheme, request) in [(TOKEN, token(Some("k1"))), (PAGE, page("k1"))] {
        for (error, status) in [(KeyError::Unknown, 401), (KeyError::Unavailable { why: "no answer" }, 503)] {
            let polled = Arc::new(AtomicUsize::new(0));
            let (head, _) = request.clone().into_parts();
            let body = Counted { polled: Arc::clone(&polled) };
            let service =
                Scripted::answering(move |_| Err(error.clone())).layer(scheme).layer(Calls::default().handler());
            let answer = send(&service, Request::from_parts(head, body)).await;
            assert_eq!(answer.status, status, "{}", scheme.name);
            assert_eq!(polled.load(Ordering::SeqCst), 0, "{}", scheme.name);
        }
    }
}

#[tokio::test]
async fn what_asks_for_no_key_is_refused_without_asking() {
    let without = |mut request: Request<Bytes>, name: &str| {
        request.headers_mut().remove(name);
        request
    };
    let with = |request: Request<Bytes>, body: &'static str| request.map(|_| Bytes::from_static(body.as_bytes()));
    for (attack, scheme, request, status) in [
        ("no id for a page", PAGE, without(page("k1"), "x-key-id"), 401),
        ("an id that leads elsewhere", PAGE, page("../../other"), 401),
        ("an id with a query", PAGE, page("k1?x"), 401),
        ("an id that is escaped", PAGE, page("%2e%2e"), 401),
        ("an empty id", PAGE, page(""), 401),
        ("an endless id", PAGE, page(&"a".repeat(129)), 401),
        ("no token", TOKEN, without(token(None), "authorization"), 401),
        ("no link", LINK, with(link(""), r#"{"signature":"00","message":"m"}"#), 401),
        (
            "two links",
            LINK,
            with(
                link(""),
                r#"{"certificate":"https://keys.example/","signature":"00","message":"m","certificate":""}"#,
            ),
            401,
        ),
        ("no JSON", LINK, with(link(""), "certificate"), 401),
    ] {
        let source = Scripted::answering(|_| Ok(found(&PAIR, None)));
        let (answer, handled) = source.clone().serve(scheme, request).await;
        assert_eq!((answer.status.as_u16(), handled), (status, 0), "{attack}: {}", answer.reason());
        assert_eq!(source.asked(), [], "{attack}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_is_given_up() {
    for (scheme, request) in [(TOKEN, token(Some("k1"))), (LINK, link("https://keys.example/"))] {
        let (answer, handled) = Scripted::silent().serve(scheme, request).await;
        assert_eq!((answer.reason(), handled), ("keys_unavailable", 0), "{}", scheme.name);
        assert!(answer.asks_to_retry(), "{}", scheme.name);
    }
}

#[tokio::test]
async fn a_delivery_says_which_key_was_found() {
    let source = Scripted::answering(|_| Ok([found(&STRANGER, Some("old")), found(&PAIR, Some("k1"))].concat().into()));
    let service =
        source.layer(TOKEN).layer(tower::service_fn(|request: Request<tower_webhook::body::Verified>| async move {
            assert_eq!(request.body().delivery().key_id(), Some("k1"));
            Ok::<_, Infallible>(support::with_status(200))
        }));
    let answer = send(&service, token(Some("k1")).map(http_body_util::Full::new)).await;
    assert_eq!(answer.status, 200);
}

#[test]
fn keys_that_must_be_fetched_are_not_there_by_hand() {
    let verifier = TOKEN.verifier(Scripted::silent()).unwrap();
    let (head, body) = token(None).into_parts();
    let rejection = verifier.verify(Head::from(&head), &body, UnixTime::from_secs(NOW)).unwrap_err();
    assert!(matches!(rejection, Rejection::Misconfigured { .. }), "{rejection}");
    let head = Head { method: &Method::POST, uri: &Uri::from_static("/"), headers: &HeaderMap::new() };
    assert_eq!(verifier.verify(head, &body, UnixTime::from_secs(NOW)).unwrap_err(), Rejection::MissingSignature);
}

#[test]
fn a_scheme_that_says_nothing_of_where_keys_are_takes_no_source() {
    for scheme in [provider::STRIPE, provider::DISCORD, provider::GITLAB_TOKEN] {
        let error = scheme.verifier(Scripted::silent()).unwrap_err();
        assert!(matches!(error, ConfigError::WrongKind { .. }), "{}: {error}", scheme.name);
    }
    assert!(provider::GOOGLE_PUBSUB_PUSH.keys.is_elsewhere());
}

type Answering = dyn Fn(&KeyQuery) -> Option<Found> + Send + Sync;

type Found = Result<Arc<[FoundKey]>, KeyError>;

/// A source with an answer, that notes what it is asked.
#[derive(Clone)]
struct Scripted {
    answer: Arc<Answering>,
    asked: Arc<Mutex<Vec<KeyQuery>>>,
}

impl Scripted {
    fn answering(answer: impl Fn(&KeyQuery) -> Found + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(move |query| Some(answer(query))), asked: Arc::default() }
    }

    fn silent() -> Self {
        Self { answer: Arc::new(|_| None), asked: Arc::default() }
    }

    fn asked(&self) -> Vec<KeyQuery> {
        self.asked.lock().unwrap().clone()
    }

    fn layer(&self, scheme: Scheme<'static>) -> tower_layer::Stack<VerifySignatureLayer, RenderRejectionsLayer> {
        let verify = VerifySignatureLayer::new(scheme.verifier(self.clone()).unwrap()).with_clock(clock());
        tower_layer::Stack::new(verify, RenderRejectionsLayer::new())
    }

    /// The answer, and how often the handler was called.
    async fn serve(self, scheme: Scheme<'static>, request: Request<Bytes>) -> (Answer, usize) {
        let calls = Calls::default();
        let service = self.layer(scheme).layer(calls.handler());
        let answer = send(&service, request.map(http_body_util::Full::new)).await;
        (answer, calls.count())
    }
}

impl KeySource for Scripted {
    fn keys(&self, query: KeyQuery, now: UnixTime) -> KeyFuture {
        assert_eq!(now, UnixTime::from_secs(NOW));
        let answer = (self.answer)(&query);
        self.asked.lock().unwrap().push(query);
        match answer {
            Some(answer) => Box::pin(std::future::ready(answer)),
            None => Box::pin(std::future::pending()),
        }
    }
}

fn found(pair: &Ed25519KeyPair, id: Option<&str>) -> Arc<[FoundKey]> {
    let hex = base16ct::lower::encode_string(pair.public_key().as_ref());
    Arc::from([FoundKey { key: PublicKey::parse(&hex).unwrap(), id: id.map(Arc::from) }])
}

fn token(kid: Option<&str>) -> Request<Bytes> {
    let header = match kid {
        Some(kid) => format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
        None => r#"{"alg":"EdDSA"}"#.to_owned(),
    };
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"));
    let signature = URL_SAFE_NO_PAD.encode(PAIR.sign(input.as_bytes()));
    Request::post("/hook").header("authorization", format!("Bearer {input}.{signature}")).body(Bytes::new()).unwrap()
}

fn page(id: &str) -> Request<Bytes> {
    let body = Bytes::from_static(b"{}");
    let signature = base16ct::lower::encode_string(PAIR.sign(&body).as_ref());
    Request::post("/hook").header("x-signature", signature).header("x-key-id", id).body(body).unwrap()
}

fn link(url: &str) -> Request<Bytes> {
    let signature = base16ct::lower::encode_string(PAIR.sign(b"hello").as_ref());
    let body = serde_json::json!({ "message": "hello", "signature": signature, "certificate": url });
    Request::post("/hook").body(body.to_string().into()).unwrap()
}

/// A body that is never there, and counts who looks.
struct Counted {
    polled: Arc<AtomicUsize>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polled.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    }
}
