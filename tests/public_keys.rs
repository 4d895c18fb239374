//! Public keys in every way in which providers hand them out, and what is none.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, Method, Uri};
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512,
    PKCS_RSA_SHA256, PublicKeyData,
};
use serde_json::json;
use tower_webhook::{
    ConfigError,
    clock::UnixTime,
    key::{IntoKeys, PublicKey, SecretFormat},
    scheme::{Algorithm, Head, Scheme, Signature},
};

const SCHEME: Scheme<'static> =
    Scheme { name: "acme", signature: Signature::bare("x-signature"), ..Scheme::ED25519_HEX };

static EDWARDS: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());

#[test]
fn one_key_is_the_same_in_every_spelling() {
    let raw = EDWARDS.public_key().as_ref();
    // RFC 8410 section 4.
    let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), raw].concat();
    let der = STANDARD.encode(&spki);
    let signature = base16ct::lower::encode_string(EDWARDS.sign(b"{}").as_ref());
    for (form, text) in [
        ("hexadecimal digits", base16ct::lower::encode_string(raw)),
        ("upper-case digits", base16ct::upper::encode_string(raw)),
        ("base64", STANDARD.encode(raw)),
        ("base64 without padding", STANDARD_NO_PAD.encode(raw)),
        ("Standard Webhooks", format!("whpk_{}", STANDARD.encode(raw))),
        ("DER", der.clone()),
        ("DER in lines", format!("{}\n{}\n", &der[..20], &der[20..])),
        ("PEM", format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")),
        ("PEM with other line ends, and blanks around it", format!(" \r\n-----BEGIN PUBLIC KEY-----\r\n{}\r\n{}\r\n-----END PUBLIC KEY-----\r\n", &der[..9], &der[9..])),
        ("JWK", json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(raw), "use": "sig", "alg": "EdDSA" }).to_string()),
        ("JWK set", json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, { "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(raw), "kid": "k1" }] }).to_string()),
    ] {
        let verifier = SCHEME.verifier(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
        let headers = HeaderMap::from_iter([("x-signature".parse().unwrap(), signature.parse().unwrap())]);
        let head = Head { method: &Method::POST, uri: &Uri::from_static("/"), headers: &headers };
        let judged = verifier.verify(head, &"{}".into(), UnixTime::from_secs(1_800_000_000));
        assert!(judged.is_ok(), "{form}: {judged:?}");
    }
}

#[test]
fn certificates_and_bare_keys_of_every_kind_are_read() {
    for (kind, fitting) in [
        (&PKCS_ECDSA_P256_SHA256, Algorithm::EcdsaP256Sha256),
        (&PKCS_ECDSA_P384_SHA384, Algorithm::EcdsaP384Sha384),
        (&PKCS_ECDSA_P521_SHA512, Algorithm::EcdsaP521Sha512),
        (&PKCS_RSA_SHA256, Algorithm::RsaPkcs1Sha256),
    ] {
        let pair = KeyPair::generate_for(kind).unwrap();
        let certificate = CertificateParams::default().self_signed(&pair).unwrap();
        let mut spellings = vec![
            STANDARD.encode(pair.subject_public_key_info()),
            certificate.pem(),
            STANDARD.encode(certificate.der()),
        ];
        if fitting == Algorithm::RsaPkcs1Sha256 {
            let der = STANDARD.encode(pair.public_key_raw());
            spellings.push(format!("-----BEGIN RSA PUBLIC KEY-----\n{der}\n-----END RSA PUBLIC KEY-----\n"));
            spellings.push(der);
        }
        let keys: Vec<PublicKey> = spellings.iter().map(|text| PublicKey::parse(text).unwrap()).collect();
        assert!(keys.windows(2).all(|two| two[0] == two[1]), "{fitting:?}");
        for algorithm in [
            Algorithm::Ed25519,
            Algorithm::EcdsaP256Sha256,
            Algorithm::EcdsaP384Sha384,
            Algorithm::EcdsaP521Sha512,
            Algorithm::RsaPkcs1Sha256,
        ] {
            let built = Scheme { algorithm, ..SCHEME }.verifier(keys[0].clone());
            assert_eq!(built.is_ok(), algorithm == fitting, "{algorithm:?} by a key for {fitting:?}");
        }
    }
}

#[test]
fn what_is_no_public_key_is_refused_in_words_that_show_none_of_it() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let point = pair.public_key_raw().to_vec();
    let coordinate = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
    let canary = "canary5d41402abc4b2a76";
    for (what, text) in [
        ("nothing", String::new()),
        ("blanks", " \n ".to_owned()),
        ("a secret", format!("whsec_{canary}")),
        ("a private key of Standard Webhooks", format!("whsk_{canary}")),
        ("a private key in PEM", pair.serialize_pem()),
        (
            "a private JSON Web Key",
            json!({ "kty": "EC", "crv": "P-256", "x": coordinate(1..33), "y": coordinate(33..65), "d": canary })
                .to_string(),
        ),
        (
            "a key for encryption",
            json!({ "kty": "EC", "crv": "P-256", "x": coordinate(1..33), "y": coordinate(33..65), "use": "enc" })
                .to_string(),
        ),
        (
            "a short coordinate",
            json!({ "kty": "EC", "crv": "P-256", "x": coordinate(2..33), "y": coordinate(33..65) }).to_string(),
        ),
        (
            "another curve",
            json!({ "kty": "EC", "crv": "secp256k1", "x": coordinate(1..33), "y": coordinate(33..65) }).to_string(),
        ),
        ("a symmetric key", json!({ "kty": "oct", "k": canary }).to_string()),
        (
            "an algorithm that is not known",
            json!({ "kty": "EC", "crv": "P-256", "x": coordinate(1..33), "y": coordinate(33..65), "alg": "ES999" })
                .to_string(),
        ),
        ("half a PEM block", format!("-----BEGIN PUBLIC KEY-----\n{canary}")),
        ("broken JSON", format!("{{\"kty\": \"{canary}")),
        ("base64 of something else", STANDARD.encode(canary)),
        ("text", format!("{canary}!")),
        ("half a certificate", STANDARD.encode(&CertificateParams::default().self_signed(&pair).unwrap().der()[..200])),
    ] {
        let error = PublicKey::parse(&text).unwrap_err();
        assert!(matches!(error, ConfigError::MalformedKey { .. }), "{what}: {error}");
        assert!(!format!("{error} {error:?}").contains(canary), "{what}");
    }
    // Off the curve: the library, not the spelling, sees it.
    let off = json!({ "kty": "EC", "crv": "P-256", "x": coordinate(1..33), "y": coordinate(1..33) }).to_string();
    assert!(Scheme { algorithm: Algorithm::EcdsaP256Sha256, ..SCHEME }.verifier(&off).is_err());
}

#[test]
fn a_text_is_a_secret_or_a_public_key_as_it_looks() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let spki = STANDARD.encode(pair.subject_public_key_info());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");
    let either = SecretFormat::SecretOrPublicKey;
    for (text, is_public) in [(pem.as_str(), true), ("a shared secret", false), (spki.as_str(), false)] {
        let ring = text.into_keys(either).unwrap();
        assert_eq!(format!("{ring:?}").contains("PublicKey("), is_public, "{text}");
    }
    assert!("{".into_keys(either).is_err() && "".into_keys(either).is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_a_key_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300), text in "[ -~]{0,200}") {
        let _ = PublicKey::parse(&STANDARD.encode(&bytes));
        let _ = PublicKey::parse(&format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", STANDARD.encode(&bytes)));
        let _ = PublicKey::parse(&text);
        let _ = PublicKey::parse(&format!("{{\"kty\":\"RSA\",\"n\":\"{}\",\"e\":\"AQAB\"}}", URL_SAFE_NO_PAD.encode(&bytes)));
    }
}
