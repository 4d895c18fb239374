//! What judging a signature of each family costs: the library's own verification beside the verifier's.
//!
//! `cargo bench --bench signatures`

use std::hint::black_box;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair, VerificationAlgorithm},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, Uri};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData};
use tower_webhook::{
    clock::UnixTime,
    scheme::{Algorithm, Claim, Encoding, Expected, Head, Jws, JwsAlgorithm, Part, Scheme, Signature, Verifier},
};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

const BODY: Scheme<'static> = Scheme {
    name: "body",
    signature: Signature::bare("x-signature"),
    encoding: Encoding::Base64,
    message: &[Part::Body],
    ..Scheme::ED25519_HEX
};

const TOKEN: Scheme<'static> = Scheme {
    name: "token",
    signature: Signature::bare("x-signature"),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256, JwsAlgorithm::Es256],
        claims: &[Claim { at: &["/body"], expected: Expected::BodySha256(Encoding::Hex) }],
        ..Jws::NEW
    }),
    ..Scheme::JWS
};

fn signatures(criterion: &mut Criterion) {
    let body = Bytes::from(vec![b'x'; 1024]);
    let edwards = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
    let elliptic = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");

    let mut group = criterion.benchmark_group("1 KiB");
    let mut compare = |name: &str,
                       scheme: Scheme<'static>,
                       key: &str,
                       primitive: &Primitive,
                       signed: &[u8],
                       made: Vec<u8>,
                       header: String| {
        let parsed = ParsedPublicKey::new(primitive.algorithm, &primitive.key).expect("a key");
        group.bench_function(format!("{name}, the library alone"), |bencher| {
            bencher.iter(|| parsed.verify_sig(black_box(signed), &made).expect("it is genuine"));
        });
        let verifier = scheme.verifier(key).expect("a key");
        let headers = HeaderMap::from_iter([("x-signature".parse().expect("a name"), value(&header))]);
        group.bench_function(format!("{name}, verifier"), |bencher| {
            bencher.iter(|| judge(&verifier, black_box(&headers), &body));
        });
    };

    let made = edwards.sign(&body).as_ref().to_vec();
    let primitive = Primitive { algorithm: &signature::ED25519, key: edwards.public_key().as_ref().to_vec() };
    let key = STANDARD.encode(&primitive.key);
    compare("Ed25519", BODY, &key, &primitive, &body, made.clone(), STANDARD.encode(&made));

    let scheme = Scheme { algorithm: Algorithm::EcdsaP256Sha256, ..BODY };
    let made = ecdsa(&elliptic, &signature::ECDSA_P256_SHA256_ASN1_SIGNING, &body);
    let primitive = Primitive::of(&elliptic, &signature::ECDSA_P256_SHA256_ASN1);
    compare("ECDSA P-256", scheme, &pem(&elliptic), &primitive, &body, made.clone(), STANDARD.encode(&made));

    let scheme = Scheme { algorithm: Algorithm::RsaPkcs1Sha256, ..BODY };
    let made = rsa_signature(&rsa, &body);
    let primitive = Primitive::of(&rsa, &signature::RSA_PKCS1_2048_8192_SHA256);
    compare("RSA-2048", scheme, &pem(&rsa), &primitive, &body, made.clone(), STANDARD.encode(&made));

    let input = token_input("ES256", &body);
    let made = ecdsa(&elliptic, &signature::ECDSA_P256_SHA256_FIXED_SIGNING, input.as_bytes());
    let primitive = Primitive::of(&elliptic, &signature::ECDSA_P256_SHA256_FIXED);
    let header = format!("{input}.{}", URL_SAFE_NO_PAD.encode(&made));
    compare("token, ES256", TOKEN, &pem(&elliptic), &primitive, input.as_bytes(), made, header);

    let input = token_input("RS256", &body);
    let made = rsa_signature(&rsa, input.as_bytes());
    let primitive = Primitive::of(&rsa, &signature::RSA_PKCS1_2048_8192_SHA256);
    let header = format!("{input}.{}", URL_SAFE_NO_PAD.encode(&made));
    compare("token, RS256", TOKEN, &pem(&rsa), &primitive, input.as_bytes(), made, header);
    group.finish();
}

/// A key as the library takes it.
struct Primitive {
    algorithm: &'static dyn VerificationAlgorithm,
    key: Vec<u8>,
}

impl Primitive {
    fn of(pair: &KeyPair, algorithm: &'static dyn VerificationAlgorithm) -> Self {
        Self { algorithm, key: pair.public_key_raw().to_vec() }
    }
}

fn judge(verifier: &Verifier, headers: &HeaderMap, body: &Bytes) {
    let head = Head { method: &Method::POST, uri: &Uri::from_static("/hook"), headers };
    verifier.verify(head, body, NOW).expect("it is genuine");
}

fn ecdsa(pair: &KeyPair, algorithm: &'static signature::EcdsaSigningAlgorithm, message: &[u8]) -> Vec<u8> {
    let key = EcdsaKeyPair::from_pkcs8(algorithm, &pair.serialize_der()).expect("a key");
    key.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec()
}

fn rsa_signature(pair: &KeyPair, message: &[u8]) -> Vec<u8> {
    let key = RsaKeyPair::from_pkcs8(&pair.serialize_der()).expect("a key");
    let mut made = vec![0; key.public_modulus_len()];
    key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut made).expect("a signature");
    made
}

fn token_input(algorithm: &str, body: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    let claims = format!(r#"{{"iss":"bench","body":"{}"}}"#, base16ct::lower::encode_string(&Sha256::digest(body)));
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn pem(pair: &KeyPair) -> String {
    let spki = STANDARD.encode(pair.subject_public_key_info());
    format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n")
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a header value")
}

criterion_group!(benches, signatures);
criterion_main!(benches);
