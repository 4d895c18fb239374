//! Keys that are replaced while deliveries come: which ones count when, and how one sees that an old one can go.

mod support;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Request};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use support::{Calls, NOW, ORIGIN, Sent, clock, now, poll, secs, send, verifier, verifier_with, with_status};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    ConfigError, Rejection,
    body::Verified,
    clock::UnixTime,
    key::{Key, KeyRing, PublicKey, Secret},
    layer::{SwapVerifier, VerifySignatureLayer, WebhookLayer},
    provider,
    scheme::{Algorithm, Encoding, Head, Jws, JwsAlgorithm, Outgoing, Part, Scheme, Signature, Source, Verifier},
};

const GITHUB: Scheme<'static> = provider::GITHUB;
const BODY: &[u8] = br#"{"zen":"Keep it logically awesome."}"#;

/// In ring `n` are the keys `n` and `n + 1`: each change drops one key and brings one.
#[test]
fn a_ring_replaced_under_load_refuses_and_admits_nothing_wrongly() {
    const CHANGES: usize = 1000;
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 100_000;
    let secret = |key: usize| format!("secret number {key}");
    let ring = |n: usize| [secret(n + 1), secret(n)];
    let signed: Vec<HeaderMap> = (0..CHANGES + 4).map(|key| sign(GITHUB, &secret(key))).collect();
    let swap = SwapVerifier::new(GITHUB.verifier(ring(0)).unwrap());
    let layer = VerifySignatureLayer::new(swap.clone()).with_clock(clock());
    // Between the two, either ring may be the one that counts.
    let (begun, done, sent) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (admitted, refused, undecided) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let service = layer.layer(service_fn(async |_: Request<Verified>| Ok::<_, ()>(with_status(200))));
            let (signed, begun, done, sent) = (&signed, &begun, &done, &sent);
            let (admitted, refused, undecided) = (&admitted, &refused, &undecided);
            scope.spawn(move || {
                for turn in 0..REQUESTS / CLIENTS {
                    let before = done.load(SeqCst);
                    // The newest key, the one before, one that is gone, and one that is yet to come.
                    let key = [before + 1, before, before.saturating_sub(1), before + 3][(client + turn) % 4];
                    let delivery = request(signed[key].clone(), whole());
                    let status = now(service.clone().oneshot(delivery)).unwrap().status();
                    let rings = before..=begun.load(SeqCst);
                    let holds = |ring: usize| key == ring || key == ring + 1;
                    let expected = if rings.clone().all(holds) {
                        admitted.fetch_add(1, SeqCst);
                        Some(200)
                    } else if !rings.clone().any(holds) {
                        refused.fetch_add(1, SeqCst);
                        Some(401)
                    } else {
                        undecided.fetch_add(1, SeqCst);
                        None
                    };
                    assert!(
                        expected.is_none_or(|expected| status == expected),
                        "key {key} of rings {rings:?}: {status}"
                    );
                    sent.fetch_add(1, SeqCst);
                }
            });
        }
        scope.spawn(|| {
            for change in 1..=CHANGES {
                while sent.load(SeqCst) < change * (REQUESTS / CHANGES) - REQUESTS / CHANGES {
                    thread::yield_now();
                }
                begun.store(change, SeqCst);
                swap.replace_keys(ring(change)).unwrap();
                done.store(change, SeqCst);
            }
        });
    });
    let [admitted, refused, undecided] = [admitted, refused, undecided].map(AtomicUsize::into_inner);
    println!("{admitted} admitted, {refused} refused, {undecided} while the ring changed");
    assert_eq!(admitted + refused + undecided, REQUESTS);
    assert!(admitted > REQUESTS / 4 && refused > REQUESTS / 4, "too few to say anything");
}

#[tokio::test]
async fn a_request_under_way_is_judged_by_the_keys_it_came_to() {
    for (change, (earlier, later)) in [(["new", "old"], (200, 200)), (["newer", "new"], (200, 401))] {
        let swap = SwapVerifier::new(GITHUB.verifier("old").unwrap());
        let service = VerifySignatureLayer::new(swap.clone()).with_clock(clock()).layer(Calls::default().handler());
        let (arrives, body) = tokio::sync::oneshot::channel();
        let mut under_way = Box::pin(service.clone().oneshot(request(sign(GITHUB, "old"), Late(Some(body)))));
        assert!(poll(under_way.as_mut()).is_pending());
        swap.replace_keys(change).unwrap();
        arrives.send(Bytes::from_static(BODY)).unwrap();
        assert_eq!(under_way.await.unwrap().status(), earlier, "{change:?}");

        let (arrives, body) = tokio::sync::oneshot::channel();
        arrives.send(Bytes::from_static(BODY)).unwrap();
        let request = request(sign(GITHUB, "old"), Late(Some(body)));
        assert_eq!(service.oneshot(request).await.unwrap().status(), later, "{change:?}");
    }
}

#[test]
fn a_handle_takes_no_verifier_that_the_layers_around_were_not_set_up_for() {
    let stripe = |tolerance| Verifier::builder(provider::STRIPE).tolerance(tolerance).build("secret").unwrap();
    let tenant = |name: &str| Verifier::builder(provider::STRIPE).tenant(name).build("secret").unwrap();
    let namesake = Scheme { name: provider::STRIPE.name, ..provider::GITHUB };
    let swap = SwapVerifier::new(stripe(secs(300)));
    for (what, verifier, accepted) in [
        ("a narrower window", stripe(secs(60)), true),
        ("the first window again", stripe(secs(300)), true),
        ("a wider window", stripe(secs(301)), false),
        ("another scheme", verifier(provider::SLACK), false),
        ("another scheme of the same name", verifier(namesake), false),
        ("a tenant's", tenant("acme"), false),
    ] {
        let replaced = swap.replace(verifier.clone());
        assert_eq!(replaced.is_ok(), accepted, "{what}");
        let facts = |it: &Verifier| (it.provider().to_owned(), it.tenant().map(str::to_owned), it.tolerance());
        assert_eq!(facts(&swap.current()) == facts(&verifier), accepted, "{what}");
    }
    let before = swap.current();
    assert!(matches!(swap.replace_keys([""; 0]), Err(ConfigError::NoKeys)));
    assert_eq!(swap.current().key_usage(), before.key_usage(), "the old keys stay");
    assert!(SwapVerifier::new(tenant("acme")).replace(tenant("other")).is_err());
}

#[tokio::test]
async fn all_clones_of_a_handle_change_with_it() {
    let clock = clock();
    let swap = SwapVerifier::new(verifier_with(provider::STANDARD_WEBHOOKS, support::OLD_SECRET));
    let service =
        WebhookLayer::builder(swap.clone()).with_clock(clock).build().unwrap().layer(Calls::default().handler());
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 401);
    swap.clone().replace_keys(support::SECRET).unwrap();
    assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 200);
}

/// Keys as every kind of scheme holds them.
const NAMED: Scheme<'static> = Scheme { key_id: Some(Source::Header("x-key-id")), ..GITHUB };
const HASH: Scheme<'static> = Scheme {
    name: "hash",
    algorithm: Algorithm::Sha256,
    signature: Signature::bare("x-signature"),
    message: &[Part::Secret, Part::Body],
    encoding: Encoding::Hex,
    ..Scheme::HMAC_SHA256_HEX
};

#[test]
fn a_key_out_of_its_time_is_as_if_it_were_not_there() {
    let (from, until) = (UnixTime::from_secs(NOW), UnixTime::from_secs(NOW + 100));
    let key = |text: &str| Key::new(Secret::text(text).unwrap());
    let timed = || key("timed").valid_from(from).valid_until(until);
    for (ring, keys) in [
        ("alone", vec![timed()]),
        ("first", vec![timed(), key("other")]),
        ("last", vec![key("other"), timed()]),
        ("among others out of time", vec![key("other").valid_until(from), timed(), key("third").valid_from(until)]),
    ] {
        for scheme in [GITHUB, NAMED, HASH, provider::GITLAB_TOKEN] {
            let verifier = scheme.verifier(KeyRing::new(keys.clone()).unwrap()).unwrap();
            let headers = match scheme.algorithm {
                Algorithm::Sha256 => hashed("timed"),
                _ => sign(scheme, "timed"),
            };
            let judge = |millis: u64| {
                let (head, ()) = request(headers.clone(), ()).into_parts();
                verifier.verify(Head::from(&head), &Bytes::from_static(BODY), UnixTime::from_millis(millis))
            };
            for (when, millis, accepted) in [
                ("long before", 0, false),
                ("just before", NOW * 1000 - 1, false),
                ("from then on", NOW * 1000, true),
                ("just before the end", (NOW + 100) * 1000 - 1, true),
                ("at the end", (NOW + 100) * 1000, false),
                ("at the end of time", u64::MAX, false),
            ] {
                match judge(millis) {
                    Ok(_) => assert!(accepted, "{}, {ring}, {when}", scheme.name),
                    Err(why) => {
                        assert!(
                            !accepted && why == Rejection::SignatureMismatch,
                            "{}, {ring}, {when}: {why}",
                            scheme.name
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_signed_time_does_not_bring_an_old_key_back() {
    let old = Key::new(Secret::whsec(support::SECRET).unwrap()).valid_until(UnixTime::from_secs(NOW));
    let verifier = provider::STANDARD_WEBHOOKS.verifier(old).unwrap();
    let (head, body) = Sent::standard("msg_1").at(NOW - 60).request().into_parts();
    let body = now(http_body_util::BodyExt::collect(body)).unwrap().to_bytes();
    let judge = |secs| verifier.verify(Head::from(&head), &body, UnixTime::from_secs(secs));
    assert!(judge(NOW - 1).is_ok());
    assert_eq!(judge(NOW).unwrap_err(), Rejection::SignatureMismatch);
}

#[test]
fn public_keys_and_those_of_tokens_have_their_time_too() {
    const TOKEN: Scheme<'static> = Scheme {
        name: "token",
        unsigned_body: true,
        jws: Some(Jws { algorithms: &[JwsAlgorithm::Hs256, JwsAlgorithm::EdDsa], ..Jws::NEW }),
        ..Scheme::JWS
    };
    const SIGNED: Scheme<'static> =
        Scheme { name: "signed", signature: Signature::bare("x-signature"), ..Scheme::ED25519_HEX };
    const SECRET: &[u8] = b"a secret for tokens";
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = || PublicKey::parse(&base16ct::lower::encode_string(pair.public_key().as_ref())).unwrap();
    let token = |algorithm: &str, sign: &dyn Fn(&str) -> Vec<u8>| {
        let header = format!(r#"{{"alg":"{algorithm}"}}"#);
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"));
        let signature = URL_SAFE_NO_PAD.encode(sign(&input));
        ("authorization", format!("Bearer {input}.{signature}"))
    };
    let mac = |input: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
        mac.chain_update(input).finalize().into_bytes().to_vec()
    };
    let by_pair = |input: &str| pair.sign(input.as_bytes()).as_ref().to_vec();
    let until = UnixTime::from_secs(NOW);
    for (scheme, key, (name, value)) in [
        (TOKEN, Key::new(Secret::raw(SECRET).unwrap()), token("HS256", &mac)),
        (TOKEN, Key::public(public()), token("EdDSA", &by_pair)),
        (SIGNED, Key::public(public()), ("x-signature", base16ct::lower::encode_string(pair.sign(BODY).as_ref()))),
    ] {
        let verifier = scheme.verifier(key.valid_until(until)).unwrap();
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
        let (head, ()) = request(headers, ()).into_parts();
        let judge = |millis| {
            let now = UnixTime::from_millis(millis);
            verifier.verify(Head::from(&head), &Bytes::from_static(BODY), now).map(drop)
        };
        assert_eq!(judge(NOW * 1000 - 1), Ok(()), "{} by {name}", scheme.name);
        assert_eq!(judge(NOW * 1000).unwrap_err().status(), 401, "{} by {name}", scheme.name);
    }
}

#[test]
fn a_key_that_is_never_good_is_refused_when_the_ring_is_made() {
    let key = |from, until| {
        let key = Key::new(Secret::text("secret").unwrap());
        key.valid_from(UnixTime::from_secs(from)).valid_until(UnixTime::from_secs(until))
    };
    assert!(KeyRing::new([key(1, 2)]).is_ok());
    for (from, until) in [(1, 1), (2, 1)] {
        let error = KeyRing::new([Key::new(Secret::text("good").unwrap()), key(from, until)]).unwrap_err();
        assert!(matches!(error, ConfigError::Key { index: 1, .. }), "{error}");
    }
}

#[tokio::test]
async fn use_of_each_key_is_counted_until_the_old_one_can_go() {
    let old = Key::new(Secret::text("old").unwrap()).with_id("old");
    let new = Key::new(Secret::text("new").unwrap()).with_id("new");
    let swap = SwapVerifier::new(GITHUB.verifier(old.clone()).unwrap());
    let clock = clock();
    let layer = WebhookLayer::builder(swap.clone()).with_clock(clock.clone()).build().unwrap();
    let service = layer.layer(Calls::default().handler());
    let deliver = async |secret: &str| send(&service, request(sign(GITHUB, secret), whole())).await.status.as_u16();
    let usage = || {
        let usage = swap.current().key_usage().into_iter();
        let facts = usage.map(|it| (it.index, it.id.as_deref().unwrap().to_owned(), it.count, it.last_used));
        facts.collect::<Vec<_>>()
    };
    let at = |after| Some(UnixTime::from_secs(NOW + after));

    assert_eq!(usage(), [(0, "old".into(), 0, None)]);
    // The second one is a repetition, which the key has signed as well.
    assert_eq!([deliver("old").await, deliver("old").await, deliver("forged").await], [200, 200, 401]);
    swap.replace_keys([new.clone(), old.clone()]).unwrap();
    clock.advance(Duration::from_secs(5));
    assert_eq!(deliver("new").await, 200);
    assert_eq!(usage(), [(0, "new".into(), 1, at(5)), (1, "old".into(), 2, at(0))]);
    clock.advance(Duration::from_secs(5));
    assert_eq!(deliver("old").await, 200);
    assert_eq!(usage(), [(0, "new".into(), 1, at(5)), (1, "old".into(), 3, at(10))]);
    swap.replace_keys(new).unwrap();
    assert_eq!(deliver("old").await, 401);
    assert_eq!(usage(), [(0, "new".into(), 1, at(5))]);
}

#[test]
fn deliveries_under_the_same_id_differ_by_tenant() {
    let keys = |tenants: [Option<&str>; 2]| {
        tenants.map(|tenant| {
            let builder = Verifier::builder(provider::STANDARD_WEBHOOKS);
            let builder = tenant.into_iter().fold(builder, |builder, tenant| builder.tenant(tenant));
            let (head, body) = Sent::standard("msg_1").request().into_parts();
            let body = now(http_body_util::BodyExt::collect(body)).unwrap().to_bytes();
            let verifier = builder.build(support::SECRET).unwrap();
            let delivery = verifier.verify(Head::from(&head), &body, UnixTime::from_secs(NOW)).unwrap();
            assert_eq!(delivery.tenant(), tenant);
            delivery.replay_key()
        })
    };
    for (tenants, same) in [
        ([None, None], true),
        ([Some("a"), Some("a")], true),
        ([Some("a"), Some("b")], false),
        ([Some("a"), None], false),
        ([Some(""), None], false),
    ] {
        let [one, other] = keys(tenants);
        assert_eq!(one == other, same, "{tenants:?}");
    }
}

fn sign(scheme: Scheme<'static>, secret: &str) -> HeaderMap {
    let outgoing = Outgoing { now: UnixTime::from_secs(NOW), ..Outgoing::post(ORIGIN, BODY) };
    scheme.signer(secret).unwrap().sign(&outgoing).unwrap()
}

/// What no signer makes: a hash over secret and body.
fn hashed(secret: &str) -> HeaderMap {
    let hash = Sha256::new_with_prefix(secret).chain_update(BODY).finalize();
    let value = base16ct::lower::encode_string(&hash).parse().unwrap();
    HeaderMap::from_iter([(http::HeaderName::from_static("x-signature"), value)])
}

fn request<B>(headers: HeaderMap, body: B) -> Request<B> {
    let mut request = Request::post("/hook").body(body).unwrap();
    *request.headers_mut() = headers;
    request
}

fn whole() -> Full<Bytes> {
    Full::new(Bytes::from_static(BODY))
}

/// A body that comes when it is sent.
struct Late(Option<tokio::sync::oneshot::Receiver<Bytes>>);

impl http_body::Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(None) };
        let bytes = ready!(Pin::new(waiting).poll(cx)).unwrap();
        self.0 = None;
        Poll::Ready(Some(Ok(http_body::Frame::data(bytes))))
    }
}
