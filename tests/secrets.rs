//! Secrets stay in, and answers tell an attacker nothing.

mod support;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fmt::Debug,
    future::{Pending, pending},
    net::SocketAddr,
    task::{Context, Poll},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::Full;
use support::{Answer, Calls, NOW, ORIGIN, Sent, clock, secs, send, start, verifier};
use tower::{Layer, Service, service_fn};
use tower_webhook::{
    ConfigError, PeerAddr, Rejection,
    body::Verified,
    clock::UnixTime,
    key::{IntoKeys, Key, KeyRing, Secret, SecretFormat},
    layer::{
        BufferBodyLayer, BySender, ClientAddr, EnforceTimestampLayer, RateLimitLayer, Refusal, RejectReplayLayer,
        VerifySignatureLayer, WebhookLayer,
    },
    provider,
    scheme::{Head, IntoScheme, Outgoing, Scheme, SchemeBuilder, Source, Verifier},
    store::{Charge, MemoryNonceStore, MemoryRateStore, Quota, Quotas, RateKey, RateStore, Standing, StoreError},
};

const SENTINEL: &str = "SENTINEL-3f9c";

#[test]
fn nothing_that_holds_a_secret_prints_it() {
    let mut seen = BTreeSet::new();
    for (format, written) in spellings() {
        let secret = Secret::parse(&written, format).unwrap();
        let key = Key::new(secret.clone()).with_id("2026-11");
        let ring = KeyRing::new([key.clone()]).unwrap();
        let mut printed = vec![debug(&secret), debug(&key), debug(&ring)];
        for scheme in provider::ALL.iter().map(|scheme| Scheme { secret_format: format, ..*scheme }) {
            // Where secrets are not what signs, none can be shown.
            let verifier = match Verifier::builder(scheme).public_origin(ORIGIN).build(&written) {
                Err(ConfigError::WrongKind { .. } | ConfigError::MissingParameter { .. }) => continue,
                verifier => verifier.unwrap(),
            };
            let Ok(signer) = scheme.signer(ring.clone()) else { continue };
            seen.insert(scheme.name);
            let memory = MemoryNonceStore::new();
            let verify = VerifySignatureLayer::new(verifier.clone());
            let whole = WebhookLayer::builder(verifier.clone())
                .rate_limit(RateLimitLayer::new(Quota::per_minute(1), ClientAddr::new(), MemoryRateStore::new()))
                .then(EnforceTimestampLayer::new(secs(30)))
                .then(RateLimitLayer::new(Quota::per_minute(1), BySender, MemoryRateStore::new()))
                .replay(memory.clone());
            printed.extend([
                debug(&verifier),
                debug(&signer),
                debug(&Verifier::builder(scheme).public_origin(ORIGIN)),
                debug(&scheme.into_checked().unwrap()),
                debug(&verify),
                debug(&whole),
                debug(&WebhookLayer::new(verifier.clone())),
                debug(&verify.layer(())),
                debug(&RejectReplayLayer::new(memory).layer(verify.layer(()))),
            ]);
        }
        for text in printed {
            assert_secret_free(&text);
        }
    }
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_it() {
    use SecretFormat::{Base64, Hex, Text, Whsec};
    let sentinel = |more: &str| format!("{SENTINEL}{more}");
    let base64 = STANDARD.encode(SENTINEL);
    for (format, written) in [
        (Text, sentinel("\n")),
        (Text, format!(" {SENTINEL}")),
        (Text, format!("-----BEGIN {SENTINEL}")),
        (Text, format!("whpk_{base64}")),
        (Text, format!("whsk_{base64}")),
        (Base64, sentinel("!")),
        (Base64, format!("{base64}*")),
        (Base64, format!(" {base64}")),
        (Hex, sentinel("")),
        (Hex, format!("{}0", hex(SENTINEL.as_bytes()))),
        (Whsec, sentinel("!")),
        (Whsec, format!("whsec_{base64}*")),
        (Whsec, format!("whpk_{base64}")),
    ] {
        let scheme = Scheme { secret_format: format, ..provider::GITHUB };
        let errors: [ConfigError; 6] = [
            Secret::parse(&written, format).unwrap_err(),
            written.as_str().into_keys(format).unwrap_err(),
            ["good0001", &written].into_keys(format).unwrap_err(),
            scheme.verifier(&written).unwrap_err(),
            scheme.verifier(written.clone()).unwrap_err(),
            scheme.signer([&written, "good0001"].map(str::to_owned)).unwrap_err(),
        ];
        for error in errors {
            assert_secret_free(&debug(&error));
            assert_secret_free(&error.to_string());
        }
    }

    let secret = Secret::text(SENTINEL).unwrap();
    let twice = KeyRing::new([Key::new(secret.clone()), Key::new(secret.clone())]).unwrap_err();
    let no_url = provider::SQUARE.verifier(secret.clone()).unwrap_err();
    let no_time = Verifier::builder(provider::GITHUB).tolerance(secs(1)).build(SENTINEL).unwrap_err();
    let binary = Secret::raw([SENTINEL.as_bytes(), b"\xff"].concat()).unwrap();
    let no_text = provider::GITLAB_TOKEN.signer(binary).unwrap().sign(&Outgoing::post(ORIGIN, b"{}")).unwrap_err();
    let line_break = Secret::raw(format!("{SENTINEL}\nx")).unwrap();
    let no_header =
        provider::GITLAB_TOKEN.signer(line_break).unwrap().sign(&Outgoing::post(ORIGIN, b"{}")).unwrap_err();
    let no_id = provider::STANDARD_WEBHOOKS.signer(secret).unwrap().sign(&Outgoing::post(ORIGIN, b"{}")).unwrap_err();
    for error in [twice, no_url, no_time, no_text, no_header, no_id] {
        assert_secret_free(&debug(&error));
        assert_secret_free(&error.to_string());
    }
}

#[tokio::test]
async fn neither_deliveries_nor_answers_hold_a_secret() {
    let mut signed = BTreeSet::new();
    for (format, written) in spellings() {
        for scheme in provider::ALL.iter().map(|scheme| Scheme { secret_format: format, ..*scheme }) {
            let keys = KeyRing::new([Key::new(Secret::parse(&written, format).unwrap()).with_id("2026-11")]).unwrap();
            let Source::Header(signature) = scheme.signature.place else { continue };
            // The body has one time in it, where Linear has it.
            let is_elsewhere =
                |source| !matches!(source, Source::Header(_) | Source::Field(_) | Source::Json("/webhookTimestamp"));
            if scheme.timestamp.is_some_and(|time| is_elsewhere(time.source)) {
                continue;
            }
            // Where secrets are not what signs, none can be shown.
            let verifier = match Verifier::builder(scheme).public_origin(ORIGIN).build(keys.clone()) {
                Err(ConfigError::WrongKind { .. } | ConfigError::MissingParameter { .. }) => continue,
                verifier => verifier.unwrap(),
            };
            let body = format!(r#"{{"plainToken":1,"webhookTimestamp":{}}}"#, NOW * 1000);
            let outgoing = Outgoing {
                id: Some("msg_1"),
                now: UnixTime::from_secs(NOW),
                ..Outgoing::post("https://hooks.test/hook", body.as_bytes())
            };
            let Ok(Ok(headers)) = scheme.signer(keys).map(|signer| signer.sign(&outgoing)) else { continue };
            signed.insert(scheme.name);
            assert_secret_free(&debug(&headers));

            let handler = service_fn(|request: Request<Verified>| async move {
                assert_secret_free(&debug(request.body()));
                assert_secret_free(&debug(&request.body().delivery().replay_key()));
                Ok::<_, Infallible>(support::with_status(200))
            });
            let service = WebhookLayer::builder(verifier).with_clock(clock()).build().unwrap().layer(handler);
            for (change, expected) in [(None, 200), (Some(0), 401), (Some(1), 401), (Some(2), 415)] {
                let mut request = Request::post("/hook").body(Full::<Bytes>::from(body.clone())).unwrap();
                *request.headers_mut() = headers.clone();
                match change {
                    Some(0) => drop(request.headers_mut().remove(signature)),
                    Some(1) => drop(request.headers_mut().insert(signature, "v1=00,v1,00".parse().unwrap())),
                    Some(_) => drop(request.headers_mut().insert("content-encoding", "gzip".parse().unwrap())),
                    None => {}
                }
                let answer = send(&service, request).await;
                assert_eq!(answer.status, expected, "{}: {change:?} {answer:?}", scheme.name);
                assert_secret_free(&debug(&answer));
                assert_secret_free(&answer.rejection.map(|rejection| rejection.to_string()).unwrap_or_default());
            }
        }
    }
    assert!(signed.len() >= 150, "{signed:?}");
}

#[tokio::test]
async fn what_holds_a_request_does_not_print_the_token_in_it() {
    let request = || {
        let mut request =
            Request::post("/hook").header("x-gitlab-token", SENTINEL).body(Full::<Bytes>::default()).unwrap();
        request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 443))));
        request
    };
    let (head, _) = request().into_parts();
    let verifier = provider::GITLAB_TOKEN.verifier(SENTINEL).unwrap();
    let delivery = verifier.verify(Head::from(&head), &Bytes::new(), UnixTime::from_secs(NOW)).unwrap();
    let refusal = Refusal::from(Rejection::Stale).reusing(request().into_parts().0);
    let mut buffering = BufferBodyLayer::new().layer(Silent);
    let mut verifying = VerifySignatureLayer::new(verifier).layer(Silent);
    let mut limiting = RateLimitLayer::new(Quota::per_minute(1), ClientAddr::new(), NoRates).layer(Silent);
    let leaks: Vec<_> = [
        ("Delivery", debug(&delivery)),
        ("Head", debug(&Head::from(&head))),
        ("Refusal", debug(&refusal)),
        ("the future of BufferBodyLayer", debug(&start(&mut buffering, request()).await)),
        ("the future of VerifySignatureLayer", debug(&start(&mut verifying, request()).await)),
        ("the future of RateLimitLayer", debug(&start(&mut limiting, request()).await)),
    ]
    .into_iter()
    .filter_map(|(what, printed)| printed.contains("SENTIN").then_some(what))
    .collect();
    assert_eq!(leaks, [""; 0]);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_signature_is_answered_alike() {
    // A gRPC message, which is a body like any other elsewhere.
    let good = || Sent::new(provider::STANDARD_WEBHOOKS, &b"\0\0\0\0\x02{}"[..]).id("msg_1");
    let wrongs = || {
        let mut wrongs = vec![
            ("wrong key", good().signed_with(&[support::OLD_SECRET])),
            ("wrong id", good().header("webhook-id", "msg_2")),
            ("id of another length", good().header("webhook-id", "m")),
            ("wrong time", good().header("webhook-timestamp", &(NOW + 1).to_string())),
            ("stale", good().at(NOW - 301)),
            ("from the future", good().at(NOW + 301)),
            ("long ago", good().at(1)),
            ("no signature", good().without("webhook-signature")),
            ("no time", good().without("webhook-timestamp")),
            ("no id", good().without("webhook-id")),
            ("unusable signature", good().header("webhook-signature", "v1,nonsense")),
            ("empty signature", good().header("webhook-signature", "")),
            ("another version", good().header("webhook-signature", "v2,AAAA")),
            ("nothing at all", good().without("webhook-id").without("webhook-timestamp").without("webhook-signature")),
        ];
        for position in [3, 20, 45] {
            let mut signature = good().headers()["webhook-signature"].to_str().unwrap().to_owned();
            let other = if signature.as_bytes()[position] == b'A' { "B" } else { "A" };
            signature.replace_range(position..=position, other);
            wrongs.push(("one character of the signature", good().header("webhook-signature", &signature)));
        }
        wrongs
    };
    let service = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS))
        .with_clock(clock())
        .build()
        .unwrap()
        .layer(Calls::default().handler());
    for (version, content_type) in [
        (Version::HTTP_11, "application/json"),
        (Version::HTTP_2, "application/json"),
        (Version::HTTP_2, "application/grpc"),
    ] {
        let mut first: Option<Answer> = None;
        let changed_body = good().with_body(Full::from(&b"\0\0\0\0\x02[]"[..]));
        let requests = wrongs().into_iter().map(|(what, sent)| (what, sent.request()));
        for (what, mut request) in requests.chain([("wrong body", changed_body)]) {
            *request.version_mut() = version;
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
            let answer = Answer { rejection: None, ..send(&service, request).await };
            let first = first.get_or_insert_with(|| answer.clone());
            assert_eq!(&answer, first, "{what}");
            let order = |headers: &HeaderMap| headers.keys().cloned().collect::<Vec<_>>();
            assert_eq!(order(&answer.headers), order(&first.headers), "{what}");
        }
        let first = first.unwrap();
        assert_eq!(first.headers["www-authenticate"], "Webhook");
        if content_type == "application/grpc" {
            assert_eq!((first.status.as_u16(), &first.headers["grpc-status"]), (200, &"16".parse().unwrap()));
        } else {
            assert_eq!(first.status, 401);
        }
    }
}

#[tokio::test]
async fn nothing_of_a_request_comes_back_in_a_refusal() {
    const MARK: &str = "<script>evil";
    let good = || Sent::standard("msg_1");
    let mark = |name| good().header(name, MARK);
    for (what, sent) in [
        ("id", mark("webhook-id")),
        ("time", mark("webhook-timestamp")),
        ("signature", mark("webhook-signature")),
        ("other family", mark("svix-id")),
        ("content type", mark("content-type").at(1)),
        ("content coding", mark("content-encoding")),
        ("transfer coding", mark("transfer-encoding")),
        ("an unrelated header", mark("x-other").at(1)),
        ("method", good().method(Method::from_bytes(b"EVIL").unwrap())),
    ] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let mut request = sent.request().map(|_| Full::<Bytes>::from(format!(r#"{{"type":"{MARK}"}}"#)));
            *request.uri_mut() = "/hook/evil?evil=evil".parse().unwrap();
            *request.version_mut() = version;
            let service = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS))
                .with_clock(clock())
                .build()
                .unwrap()
                .layer(Calls::default().handler());
            let answer = send(&service, request).await;
            assert!(answer.status.is_client_error(), "{what}: {answer:?}");
            let said = format!("{:?} {:?}", answer.headers, answer.body).to_lowercase();
            assert!(!said.contains("evil") && !said.contains("script"), "{what}: {said}");
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{what}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{what}");
            assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
            let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(problem["status"], answer.status.as_u16(), "{what}");
        }
    }
}

#[test]
fn settings_of_a_scheme_print_no_secret_because_they_hold_none() {
    let builder = SchemeBuilder::new("acme").signature("x-sig").secret_format(SecretFormat::Hex);
    let checked = builder.build().unwrap();
    let verifier = checked.verifier(hex(SENTINEL.as_bytes())).unwrap();
    for printed in [debug(&builder), debug(&checked), debug(&verifier)] {
        assert_secret_free(&printed);
    }
}

/// Never answers, and prints nothing of what it is asked.
#[derive(Clone, Debug)]
struct Silent;

impl<B> Service<Request<B>> for Silent {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pending<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        pending()
    }
}

/// Never answers either.
#[derive(Clone)]
struct NoRates;

impl RateStore for NoRates {
    type Check = Pending<Result<Standing, StoreError>>;

    fn check(&self, _: RateKey, _: &Quotas, _: Charge) -> Self::Check {
        pending()
    }
}

/// Each way of writing the sentinel as a secret.
fn spellings() -> [(SecretFormat, String); 4] {
    let base64 = STANDARD.encode(SENTINEL);
    [
        (SecretFormat::Text, SENTINEL.to_owned()),
        (SecretFormat::Whsec, format!("whsec_{base64}")),
        (SecretFormat::Base64, base64),
        (SecretFormat::Hex, hex(SENTINEL.as_bytes())),
    ]
}

/// Neither the sentinel nor any beginning of six characters, in whatever spelling.
fn assert_secret_free(text: &str) {
    let bytes = SENTINEL.as_bytes();
    let numbers = |radix: fn(&u8) -> String| bytes[..3].iter().map(radix).collect::<Vec<_>>().join(", ");
    for spelling in [
        SENTINEL[..6].to_owned(),
        STANDARD.encode(bytes)[..6].to_owned(),
        URL_SAFE_NO_PAD.encode(bytes)[..6].to_owned(),
        hex(bytes)[..6].to_owned(),
        numbers(u8::to_string),
        numbers(|byte| format!("{byte:#x}")),
    ] {
        assert!(!text.to_lowercase().contains(&spelling.to_lowercase()), "`{spelling}` in {text}");
    }
}

/// Both ways of printing, and without the line breaks of the second.
fn debug(value: &impl Debug) -> String {
    let pretty = format!("{value:#?}");
    format!("{value:?} {pretty} {}", pretty.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
