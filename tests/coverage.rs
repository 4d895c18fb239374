//! What a signature covers, what it does not, and what cannot be moved between the two.

mod support;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, Method, Uri};
use sha2::{Digest, Sha256};
use support::{NOW, SECRET};
use tower_webhook::{
    ConfigError, Delivery, Rejection,
    clock::UnixTime,
    provider,
    scheme::{
        Algorithm, Canonical, Grammar, Head, IntoScheme, Jws, JwsAlgorithm, Part, Scheme, Signature, Source, Timestamp,
        Verifier,
    },
};

const BASE: Scheme<'static> =
    Scheme { name: "acme", signature: Signature::bare("x-signature"), ..Scheme::HMAC_SHA256_HEX };

#[test]
fn a_query_is_not_signed_by_a_url_that_is_configured_as_a_whole() {
    let scheme = Scheme { message: &[Part::Url, Part::Body], id: Some(Source::Query("id")), ..BASE };
    assert!(!scheme.signs(Source::Query("id")));
    let verifier = Verifier::builder(scheme).public_url("https://a.example/hook").build(SECRET).unwrap();
    let signature = mac("https://a.example/hook{}");
    let judged = |target| judge(&verifier, target, &[("x-signature", &signature)], "{}").unwrap();
    let (one, other) = (judged("/hook?id=1"), judged("/hook?id=2"));
    assert!(!one.id_is_signed());
    assert_eq!(one.replay_key(), other.replay_key(), "a captured request under another id");

    let time = Some(Timestamp::unix_seconds(Source::Query("t")));
    assert!(refusal(Scheme { timestamp: time, ..scheme }).contains("not signed"));
}

#[test]
fn a_field_of_a_form_is_signed_as_the_handler_reads_it_or_not_at_all() {
    const FORM: Scheme<'static> = Scheme {
        message: &[Part::SortedForm { between: "=", after: "&" }],
        id: Some(Source::Form("id")),
        event: Some(Source::Form("kind")),
        ..BASE
    };
    let verifier = FORM.verifier(SECRET).unwrap();
    let signature = mac("id=1&kind=paid");
    let judged = |kind: &str, body: &str| {
        judge(&verifier, "/hook", &[("x-signature", &signature), ("content-type", kind)], body)
    };
    assert!(judged("application/x-www-form-urlencoded; charset=utf-8", "kind=paid&id=1").is_ok());
    // The same bytes, read as parts, hold what the attacker likes.
    for kind in ["multipart/form-data; boundary=x", "multipart/form-data", "multipart/mixed; boundary=x"] {
        assert_eq!(judged(kind, "kind=paid&id=1").unwrap_err(), Rejection::AmbiguousMessage, "{kind}");
    }
    assert!(!FORM.signs(Source::Form("id")) && !Scheme { message: &[Part::Body], ..FORM }.signs(Source::Form("id")));
    assert!(Scheme { message: &[Part::Form("id")], ..FORM }.signs(Source::Form("id")));
}

#[test]
fn what_is_signed_inside_a_field_must_not_be_there_twice() {
    let scheme = Scheme { message: &[Part::FormJson("json", "/type")], ..BASE };
    let verifier = scheme.verifier(SECRET).unwrap();
    let signature = mac("ok");
    for (body, expected) in [
        ("json={\"type\":\"ok\"}", None),
        ("json={\"type\":\"ok\",\"type\":\"evil\"}", Some(Rejection::MissingSignedValue)),
        ("json={\"type\":\"ok\"}&json={\"type\":\"evil\"}", Some(Rejection::DuplicateField)),
    ] {
        assert_eq!(judge(&verifier, "/", &[("x-signature", &signature)], body).err(), expected, "{body}");
    }
}

#[test]
fn a_scheme_that_signs_nothing_of_the_body_must_say_so() {
    const HEADER_ONLY: Canonical<'static> =
        Canonical { name: "header", covers: &[Source::Header("x-a")], parameters: &[], write: |_, _| Ok(()) };
    let token = |jws| Scheme {
        jws: Some(Jws { algorithms: &[JwsAlgorithm::EdDsa], ..jws }),
        ..Scheme { name: "token", ..Scheme::JWS }
    };
    for scheme in [
        Scheme { message: &[Part::Header("x-a")], ..BASE },
        Scheme { message: &[Part::Canonical(HEADER_ONLY)], ..BASE },
        token(Jws::NEW),
        Scheme { message: &[Part::Header("x-a")], ..token(Jws { detached: true, ..Jws::NEW }) },
    ] {
        assert!(refusal(scheme).contains("nothing of the body is signed"), "{scheme:?}");
        assert!(Scheme { unsigned_body: true, ..scheme }.into_checked().is_ok(), "{scheme:?}");
    }
}

#[test]
fn leaving_a_signature_out_makes_no_other_delivery() {
    let several = Signature { grammar: Grammar::List { separator: ',' }, ..BASE.signature };
    let hashed = |secret: &str| base16ct::lower::encode_string(&Sha256::digest(format!("{secret}{{}}")));
    let (new, old) = ("new secret", "old secret");
    for (scheme, signatures) in [
        (
            Scheme { algorithm: Algorithm::Sha256, message: &[Part::Secret, Part::Body], signature: several, ..BASE },
            [hashed(new), hashed(old)],
        ),
        (Scheme { signature: several, ..BASE }, [mac_with(new, "{}"), mac_with(old, "{}")]),
    ] {
        let verifier = scheme.verifier([new, old]).unwrap();
        let key =
            |signature: &str| judge(&verifier, "/", &[("x-signature", signature)], "{}").unwrap().replay_key().unwrap();
        let both = key(&signatures.join(","));
        assert_eq!(both, key(&signatures[0]), "{:?}", scheme.algorithm);
        assert_eq!(both, key(&signatures[1]), "{:?}", scheme.algorithm);
    }
}

/// Each costs as much as the MAC of a large body.
#[test]
fn no_more_than_four_signatures_by_private_keys_are_looked_at() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let scheme = Scheme {
        signature: Signature { grammar: Grammar::List { separator: ',' }, ..BASE.signature },
        ..Scheme { name: "acme", ..Scheme::ED25519_HEX }
    };
    let verifier = scheme.verifier(base16ct::lower::encode_string(pair.public_key().as_ref())).unwrap();
    let good = base16ct::lower::encode_string(pair.sign(b"{}").as_ref());
    for (wrong_ones, is_accepted) in [(0, true), (3, true), (4, false)] {
        let header = vec!["00".repeat(64); wrong_ones].into_iter().chain([good.clone()]).collect::<Vec<_>>().join(",");
        let judged = judge(&verifier, "/", &[("x-signature", &header)], "{}");
        assert_eq!(judged.is_ok(), is_accepted, "after {wrong_ones} wrong ones");
    }
}

#[test]
fn the_name_of_an_authentication_scheme_may_be_in_any_case() {
    let verifier = provider::AZURE_DEVOPS.verifier("user:password").unwrap();
    for (header, is_accepted) in [
        ("Basic dXNlcjpwYXNzd29yZA==", true),
        ("basic dXNlcjpwYXNzd29yZA==", true),
        ("Basic  dXNlcjpwYXNzd29yZA==", false),
        ("Bearer dXNlcjpwYXNzd29yZA==", false),
        ("Basic", false),
    ] {
        assert_eq!(judge(&verifier, "/", &[("authorization", header)], "{}").is_ok(), is_accepted, "{header}");
    }
}

fn refusal(scheme: Scheme<'static>) -> String {
    match scheme.into_checked() {
        Err(error @ ConfigError::Scheme { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn judge(verifier: &Verifier, target: &str, headers: &[(&str, &str)], body: &str) -> Result<Delivery, Rejection> {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect();
    let uri: Uri = target.parse().unwrap();
    let head = Head { method: &Method::POST, uri: &uri, headers: &headers };
    verifier.verify(head, &Bytes::copy_from_slice(body.as_bytes()), UnixTime::from_secs(NOW))
}

fn mac(message: &str) -> String {
    mac_with(SECRET, message)
}

/// HMAC-SHA256 in hexadecimal digits, made by somebody else than the crate.
fn mac_with(secret: &str, message: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(message);
    base16ct::lower::encode_string(&mac.finalize().into_bytes())
}
