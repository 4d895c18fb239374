//! JSON Web Tokens and Signatures under attack (RFC 8725).

use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Uri};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower_webhook::{
    ConfigError, Delivery, Rejection,
    clock::UnixTime,
    key::{Key, KeyRing, PublicKey, Secret, SecretFormat},
    scheme::{
        Claim, Encoding, Expected, Head, Jws, JwsAlgorithm, Part, Scheme, Signature, Source, Timestamp, Tolerance,
        Verifier,
    },
};

const NOW: u64 = 1_800_000_000;
const BODY: &str = r#"{"type":"ping"}"#;
const SECRET: &str = "a secret that is shared with the issuer";

/// A token that everything may be wrong with.
const SCHEME: Scheme<'static> = Scheme {
    name: "issuer",
    timestamp: Some(Timestamp::unix_seconds(Source::Claim("/iat"))),
    tolerance: Tolerance::seconds(300),
    id: Some(Source::Claim("/jti")),
    event: Some(Source::Json("/type")),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256, JwsAlgorithm::Es256, JwsAlgorithm::EdDsa],
        claims: &[
            Claim { at: &["/iss"], expected: Expected::OneOf(&["https://issuer.example"]) },
            Claim { at: &["/aud"], expected: Expected::Parameter("audience") },
            Claim { at: &["/body"], expected: Expected::BodySha256(Encoding::Hex) },
        ],
        expires: true,
        leeway: Duration::from_secs(10),
        ..Jws::NEW
    }),
    ..Scheme::JWS
};

/// The same by a shared secret.
const SHARED: Scheme<'static> = Scheme {
    secret_format: SecretFormat::SecretOrPublicKey,
    jws: match SCHEME.jws {
        Some(jws) => Some(Jws { algorithms: &[JwsAlgorithm::Hs256, JwsAlgorithm::Hs512], ..jws }),
        None => None,
    },
    ..SCHEME
};

/// An issuer's keys, of each kind.
struct Keys {
    rsa: KeyPair,
    elliptic: KeyPair,
    edwards: KeyPair,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    rsa: KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap(),
    elliptic: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
    edwards: KeyPair::generate_for(&PKCS_ED25519).unwrap(),
});

#[test]
fn a_token_of_each_kind_of_key_is_accepted_and_says_what_it_proves() {
    for (algorithm, pair) in [("RS256", &KEYS.rsa), ("ES256", &KEYS.elliptic), ("EdDSA", &KEYS.edwards)] {
        let token = Token::good().by(algorithm);
        let delivery = judge(&verifier(SCHEME, public(pair)), &token, BODY).unwrap();
        assert_eq!((delivery.id(), delivery.id_is_signed()), (Some("token-1"), true), "{algorithm}");
        assert_eq!((delivery.event(), delivery.event_is_signed()), (Some("ping"), true), "{algorithm}");
        assert_eq!(delivery.signed_at(), Some(UnixTime::from_secs(NOW)));
    }
    for algorithm in ["HS256", "HS512"] {
        let token = Token::good().by(algorithm);
        assert!(judge(&verifier(SHARED, SECRET), &token, BODY).is_ok(), "{algorithm}");
    }
}

#[test]
fn tokens_that_are_signed_in_another_way_are_refused() {
    let pem = public_pem(&KEYS.rsa);
    let verifier = verifier(SCHEME, public(&KEYS.rsa));
    let rs256 = Token::good().by("RS256");
    for (attack, token, expected) in [
        ("no signature", Token::good().by("none"), Rejection::WrongAlgorithm),
        ("no signature, in another spelling", Token::good().by("nOnE"), Rejection::WrongAlgorithm),
        ("signature cut off", rs256.without_signature(), Rejection::SignatureMismatch),
        ("the public key as an HMAC secret", Token::good().by_mac("HS256", pem.as_bytes()), Rejection::WrongAlgorithm),
        ("an algorithm that the key is not for", Token::good().by("ES256"), Rejection::WrongAlgorithm),
        ("an algorithm that the scheme does not allow", rs256.header("alg", json!("RS512")), Rejection::WrongAlgorithm),
        ("the header changed after signing", rs256.header("typ", json!("x")), Rejection::SignatureMismatch),
        ("the claims changed after signing", rs256.claims_after("jti", json!("token-2")), Rejection::SignatureMismatch),
        ("no algorithm", rs256.header("alg", Value::Null), Rejection::UnusableSignature),
        ("an algorithm that is a list", rs256.header("alg", json!(["RS256"])), Rejection::UnusableSignature),
        ("what must be understood", rs256.header("crit", json!(["exp"])), Rejection::UnusableSignature),
        ("a payload that is not encoded", rs256.header("b64", json!(false)), Rejection::UnusableSignature),
        ("a payload that is compressed", rs256.header("zip", json!("DEF")), Rejection::UnusableSignature),
        ("two parts", Token { raw: Some("e30.e30".to_owned()), ..Token::good() }, Rejection::UnusableSignature),
        (
            "four parts",
            Token { raw: Some("e30.e30.e30.e30".to_owned()), ..Token::good() },
            Rejection::UnusableSignature,
        ),
        ("not base64", Token { raw: Some("{}.{}.{}".to_owned()), ..Token::good() }, Rejection::UnusableSignature),
        ("padding", Token { raw: Some(format!("{}=", rs256.text())), ..Token::good() }, Rejection::UnusableSignature),
    ] {
        assert_eq!(judge(&verifier, &token, BODY).unwrap_err(), expected, "{attack}");
    }
    // A private key's token is nothing to a shared secret either.
    let shared = self::verifier(SHARED, SECRET);
    assert_eq!(judge(&shared, &rs256, BODY).unwrap_err(), Rejection::WrongAlgorithm);
    assert_eq!(judge(&shared, &Token::good().by("none"), BODY).unwrap_err(), Rejection::WrongAlgorithm);
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let stranger = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let verifier = verifier(SCHEME, public(&KEYS.elliptic));
    let point = stranger.public_key_raw();
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
    });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://issuer.example.evil.example/keys")),
        ("x5u", json!("https://issuer.example.evil.example/chain")),
        ("x5c", json!([])),
    ] {
        let token = Token { header: vec![(name, value)], ..Token::good() };
        let forged = token.clone().by_pair("ES256", &stranger);
        assert_eq!(judge(&verifier, &forged, BODY).unwrap_err(), Rejection::SignatureMismatch, "{name}");
        assert!(judge(&verifier, &token.by("ES256"), BODY).is_ok(), "{name} beside a good signature");
    }
}

/// Microsoft's key sets say with each key whose tokens it signs.
#[test]
fn a_key_of_one_tenant_vouches_for_no_other() {
    let point = KEYS.elliptic.public_key_raw();
    let key = |issuer: &str| {
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "issuer": issuer,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        });
        PublicKey::parse(&jwk.to_string()).unwrap()
    };
    let jws = Jws { algorithms: &[JwsAlgorithm::Es256], ..Jws::NEW };
    let scheme = Scheme { jws: Some(jws), unsigned_body: true, ..SCHEME };
    let token = |tid: &str, iss: &str| Token::good().claim("tid", json!(tid)).claim("iss", json!(iss)).by("ES256");
    let any = "https://login.example/{tenantid}/v2.0";
    for (label, issuer, token, is_accepted) in [
        ("any tenant", any, token("t1", "https://login.example/t1/v2.0"), true),
        ("any tenant, by the older name of the issuer", any, token("t1", "https://sts.example/t1/"), true),
        ("its own tenant", "https://login.example/t1/v2.0", token("t1", "https://login.example/t1/v2.0"), true),
        ("another tenant", "https://login.example/t2/v2.0", token("t1", "https://login.example/t1/v2.0"), false),
        ("an issuer of another tenant", any, token("t2", "https://login.example/t1/v2.0"), false),
        (
            "its own tenant beside another's issuer",
            "https://login.example/t2/v2.0",
            token("t2", "https://login.example/t1/v2.0"),
            false,
        ),
        ("no tenant", any, token("", "https://login.example//v2.0"), false),
    ] {
        let judged = judge(&verifier(scheme, key(issuer)), &token, BODY);
        assert_eq!(judged.is_ok(), is_accepted, "{label}: {judged:?}");
    }
}

#[test]
fn a_token_that_names_its_key_is_judged_by_no_other() {
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let ring = KeyRing::new([
        Key::public(public(&KEYS.elliptic)).with_id("2026-11"),
        Key::public(public(&other)).with_id("2026-05"),
    ]);
    let verifier = Verifier::builder(SCHEME).parameter("audience", "us").build(ring.unwrap()).unwrap();
    let named = |kid: Value| Token { header: vec![("kid", kid)], ..Token::good() }.by("ES256");
    assert_eq!(judge(&verifier, &named(json!("2026-11")), BODY).unwrap().key_id(), Some("2026-11"));
    for (attack, token, expected) in [
        ("the name of another key", named(json!("2026-05")), Rejection::SignatureMismatch),
        ("a name that is not known", named(json!("../../etc/passwd")), Rejection::UnknownKey),
        ("no text", named(json!(1)), Rejection::UnusableSignature),
        ("an endless name", named(json!("a".repeat(257))), Rejection::UnusableSignature),
    ] {
        assert_eq!(judge(&verifier, &token, BODY).unwrap_err(), expected, "{attack}");
    }
}

#[test]
fn times_that_a_token_claims_are_kept() {
    let verifier = verifier(SCHEME, public(&KEYS.elliptic));
    let wrong = |claim: &str| Rejection::WrongClaim { claim: claim.into() };
    let cases = [
        ("expired", "exp", json!(NOW - 10), Some(Rejection::Stale)),
        ("just expired, within the leeway", "exp", json!(NOW - 9), None),
        ("not valid yet", "nbf", json!(NOW + 11), Some(Rejection::FromTheFuture)),
        ("valid soon, within the leeway", "nbf", json!(NOW + 10), None),
        ("issued too long ago", "iat", json!(NOW - 301), Some(Rejection::Stale)),
        ("issued in the future", "iat", json!(NOW + 301), Some(Rejection::FromTheFuture)),
        ("no expiry", "exp", Value::Null, Some(wrong("/exp"))),
        ("no time of issue", "iat", Value::Null, Some(Rejection::MissingTimestamp)),
    ];
    for (label, name, value, expected) in cases {
        let token = Token::good().claim(name, value).by("ES256");
        assert_eq!(judge(&verifier, &token, BODY).err(), expected, "{label}");
    }
    for name in ["exp", "nbf", "iat"] {
        for value in [
            json!(NOW.to_string()),
            json!([NOW]),
            json!({ "at": NOW }),
            json!(NOW as f64 + 0.5),
            json!(-1),
            json!(1e300),
            json!(true),
        ] {
            // Of the time of issue, a text of digits is as good as a number; it is signed either way.
            if name == "iat" && value.is_string() {
                continue;
            }
            let label = format!("{name} = {value}");
            let token = Token::good().claim(name, value).by("ES256");
            let rejection = judge(&verifier, &token, BODY).err().unwrap_or_else(|| panic!("{label}: accepted"));
            assert_eq!(rejection.status(), 401, "{label}: {rejection}");
        }
    }
}

#[test]
fn claims_that_are_wrong_are_refused() {
    let verifier = verifier(SCHEME, public(&KEYS.elliptic));
    let digest = |body: &str| json!(base16ct::lower::encode_string(&Sha256::digest(body)));
    for (attack, name, value, is_accepted) in [
        ("another audience", "aud", json!("them"), false),
        ("no audience", "aud", Value::Null, false),
        ("an audience that only starts so", "aud", json!("us.evil.example"), false),
        ("a list of audiences with ours", "aud", json!(["them", "us"]), true),
        ("a list of audiences without ours", "aud", json!(["them"]), false),
        ("a list in a list", "aud", json!([["us"]]), false),
        ("another issuer", "iss", json!("https://issuer.example.evil.example"), false),
        ("no issuer", "iss", Value::Null, false),
        ("the digest of another body", "body", digest("{}"), false),
        ("no digest of the body", "body", Value::Null, false),
        ("a digest in capitals", "body", json!(digest(BODY).as_str().unwrap().to_uppercase()), false),
        ("half a digest", "body", json!(digest(BODY).as_str().unwrap()[..32]), false),
        ("no digest", "body", json!(""), false),
    ] {
        let token = Token::good().claim(name, value).by("ES256");
        let expected =
            if is_accepted { None } else { Some(Rejection::WrongClaim { claim: format!("/{name}").into() }) };
        assert_eq!(judge(&verifier, &token, BODY).err(), expected, "{attack}");
    }
    let token = Token::good().by("ES256");
    assert!(matches!(judge(&verifier, &token, "{}").unwrap_err(), Rejection::WrongClaim { .. }), "another body");
}

#[test]
fn a_token_that_covers_no_body_tells_deliveries_apart_by_it() {
    let scheme = Scheme {
        id: Some(Source::Json("/id")),
        unsigned_body: true,
        jws: Some(Jws { algorithms: &[JwsAlgorithm::Es256], ..Jws::NEW }),
        ..SCHEME
    };
    let verifier = verifier(scheme, public(&KEYS.elliptic));
    let token = Token::good().by("ES256");
    let delivery = |body: &str| judge(&verifier, &token, body).unwrap();
    assert!(!delivery(r#"{"id":1}"#).id_is_signed() && !delivery("").event_is_signed());
    assert_eq!(delivery(r#"{"id":1}"#).replay_key(), delivery(r#"{"id":1}"#).replay_key());
    assert_ne!(delivery(r#"{"id":1}"#).replay_key(), delivery(r#"{"id":2}"#).replay_key());
}

#[test]
fn a_detached_payload_is_what_the_scheme_says_it_is() {
    let scheme = Scheme {
        timestamp: None,
        id: None,
        signature: Signature::bare("x-jws-signature"),
        message: &[Part::Method, Part::Text(" "), Part::Path, Part::Text("\n"), Part::Body],
        jws: Some(Jws { algorithms: &[JwsAlgorithm::Es256], detached: true, ..Jws::NEW }),
        ..SCHEME
    };
    let verifier = scheme.verifier(public(&KEYS.elliptic)).unwrap();
    let sign = |message: &str| {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
        let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(message));
        (header, URL_SAFE_NO_PAD.encode(sign_with(&KEYS.elliptic, "ES256", input.as_bytes())))
    };
    let (header, signature) = sign(&format!("POST /hook\n{BODY}"));
    let payload = URL_SAFE_NO_PAD.encode(format!("POST /hook\n{BODY}"));
    for (label, token, body, expected) in [
        ("genuine", format!("{header}..{signature}"), BODY, None),
        ("another body", format!("{header}..{signature}"), "{}", Some(Rejection::SignatureMismatch)),
        ("the payload beside it", format!("{header}.{payload}.{signature}"), BODY, Some(Rejection::UnusableSignature)),
        ("no signature", format!("{header}.."), BODY, Some(Rejection::SignatureMismatch)),
    ] {
        let headers = HeaderMap::from_iter([("x-jws-signature".parse().unwrap(), token.parse().unwrap())]);
        let head = Head { method: &Method::POST, uri: &Uri::from_static("/hook"), headers: &headers };
        let judged = verifier.verify(head, &body.to_owned().into(), UnixTime::from_secs(NOW));
        assert_eq!(judged.err(), expected, "{label}");
    }
}

#[test]
fn keys_of_the_wrong_kind_are_refused_when_the_verifier_is_built() {
    let build = |scheme: Scheme<'static>, key: &str| Verifier::builder(scheme).parameter("audience", "us").build(key);
    let jws = Jws { algorithms: &[JwsAlgorithm::Rs256], ..Jws::NEW };
    let only_rsa = Scheme { jws: Some(jws), unsigned_body: true, ..SCHEME };
    for (label, refused) in [
        ("an elliptic key for RSA", build(only_rsa, &public_pem(&KEYS.elliptic))),
        ("a secret for public keys", build(SCHEME, SECRET)),
        ("a public key for HMAC alone", build(SHARED, &public_pem(&KEYS.rsa))),
        ("a private key", build(SCHEME, &KEYS.elliptic.serialize_pem())),
    ] {
        assert!(refused.is_err(), "{label}");
    }
    let no_audience = Verifier::builder(SCHEME).build(public(&KEYS.rsa)).unwrap_err();
    assert!(matches!(no_audience, ConfigError::MissingParameter { .. }), "{no_audience}");
    let secret = Secret::text(SECRET).unwrap();
    assert!(Verifier::builder(SCHEME).parameter("audience", "us").build(secret).is_err());
}

/// A token in the making.
#[derive(Clone)]
struct Token {
    header: Vec<(&'static str, Value)>,
    claims: Value,
    /// Header, payload and signature, once they are made.
    made: Option<(String, String, String)>,
    raw: Option<String>,
}

impl Token {
    fn good() -> Self {
        let claims = json!({
            "iss": "https://issuer.example", "aud": "us", "jti": "token-1",
            "iat": NOW, "nbf": NOW - 1, "exp": NOW + 60,
            "body": base16ct::lower::encode_string(&Sha256::digest(BODY)),
        });
        Self { header: Vec::new(), claims, made: None, raw: None }
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        let claims = self.claims.as_object_mut().unwrap();
        match value {
            Value::Null => drop(claims.remove(name)),
            value => drop(claims.insert(name.to_owned(), value)),
        }
        self
    }

    /// Signed by the issuer.
    fn by(self, algorithm: &str) -> Self {
        match algorithm {
            "RS256" => self.by_pair(algorithm, &KEYS.rsa),
            "ES256" => self.by_pair(algorithm, &KEYS.elliptic),
            "EdDSA" => self.by_pair(algorithm, &KEYS.edwards),
            "HS256" | "HS512" => self.by_mac(algorithm, SECRET.as_bytes()),
            _ => self.make(algorithm, |_| Vec::new()),
        }
    }

    fn by_pair(self, algorithm: &str, pair: &KeyPair) -> Self {
        self.make(algorithm, |input| sign_with(pair, algorithm, input))
    }

    fn by_mac(self, algorithm: &str, secret: &[u8]) -> Self {
        let hash = if algorithm == "HS512" { hmac::HMAC_SHA512 } else { hmac::HMAC_SHA256 };
        self.make(algorithm, |input| hmac::sign(&hmac::Key::new(hash, secret), input).as_ref().to_vec())
    }

    fn make(mut self, algorithm: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let mut header = json!({ "alg": algorithm, "typ": "JWT" });
        for (name, value) in &self.header {
            header[*name] = value.clone();
        }
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let payload = URL_SAFE_NO_PAD.encode(self.claims.to_string());
        let signature = URL_SAFE_NO_PAD.encode(sign(format!("{header}.{payload}").as_bytes()));
        self.made = Some((header, payload, signature));
        self
    }

    fn without_signature(&self) -> Self {
        let (header, payload, _) = self.made.clone().unwrap();
        Self { made: Some((header, payload, String::new())), ..self.clone() }
    }

    /// With another header field, under the same signature.
    fn header(&self, name: &str, value: Value) -> Self {
        let (header, payload, signature) = self.made.clone().unwrap();
        let mut fields: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        match value {
            Value::Null => drop(fields.as_object_mut().unwrap().remove(name)),
            value => fields[name] = value,
        }
        Self { made: Some((URL_SAFE_NO_PAD.encode(fields.to_string()), payload, signature)), ..self.clone() }
    }

    /// With another claim, under the same signature.
    fn claims_after(&self, name: &str, value: Value) -> Self {
        let (header, _, signature) = self.made.clone().unwrap();
        let claims = self.clone().claim(name, value).claims;
        Self { made: Some((header, URL_SAFE_NO_PAD.encode(claims.to_string()), signature)), ..self.clone() }
    }

    fn text(&self) -> String {
        match (&self.raw, &self.made) {
            (Some(raw), _) => raw.clone(),
            (None, Some((header, payload, signature))) => format!("{header}.{payload}.{signature}"),
            (None, None) => panic!("not made yet"),
        }
    }
}

fn sign_with(pair: &KeyPair, algorithm: &str, input: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let der = pair.serialize_der();
    match algorithm {
        "RS256" => {
            let key = RsaKeyPair::from_pkcs8(&der).unwrap();
            let mut made = vec![0; key.public_modulus_len()];
            key.sign(&signature::RSA_PKCS1_SHA256, &random, input, &mut made).unwrap();
            made
        }
        "ES256" => {
            let key = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap();
            key.sign(&random, input).unwrap().as_ref().to_vec()
        }
        _ => Ed25519KeyPair::from_pkcs8(&der).unwrap().sign(input).as_ref().to_vec(),
    }
}

fn public_pem(pair: &KeyPair) -> String {
    let spki = base64::engine::general_purpose::STANDARD.encode(pair.subject_public_key_info());
    format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n")
}

fn public(pair: &KeyPair) -> PublicKey {
    PublicKey::parse(&public_pem(pair)).unwrap()
}

fn verifier(scheme: Scheme<'static>, key: impl tower_webhook::key::IntoKeys) -> Verifier {
    Verifier::builder(scheme).parameter("audience", "us").build(key).unwrap()
}

fn judge(verifier: &Verifier, token: &Token, body: &str) -> Result<Delivery, Rejection> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {}", token.text())).unwrap());
    let head = Head { method: &Method::POST, uri: &Uri::from_static("/hook"), headers: &headers };
    verifier.verify(head, &body.to_owned().into(), UnixTime::from_secs(NOW))
}
