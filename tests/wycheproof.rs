//! Project Wycheproof's signatures and MACs, judged through our own keys, encodings and schemes.
//!
//! <https://github.com/C2SP/wycheproof>

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::Value;
use tower_webhook::{
    clock::UnixTime,
    key::{PublicKey, Secret, SecretFormat},
    scheme::{Algorithm, Encoding, Head, Part, Scheme, Signature, Verifier},
};
use wycheproof::{
    ecdsa::TestName as Ecdsa, eddsa::TestName as EdDsa, mac::TestName as Mac, rsa_pkcs1_verify::TestName as RsaPkcs1,
    rsa_pss_verify::TestName as RsaPss,
};

#[test]
fn signatures_by_private_keys() {
    let sets = [
        (Algorithm::Ed25519, EdDsa::Ed25519.json_data()),
        (Algorithm::EcdsaP256Sha256, Ecdsa::EcdsaSecp256r1Sha256.json_data()),
        (Algorithm::EcdsaP384Sha384, Ecdsa::EcdsaSecp384r1Sha384.json_data()),
        (Algorithm::EcdsaP521Sha512, Ecdsa::EcdsaSecp521r1Sha512.json_data()),
        (Algorithm::RsaPkcs1Sha256, RsaPkcs1::Rsa2048Sha256.json_data()),
        (Algorithm::RsaPkcs1Sha384, RsaPkcs1::Rsa3072Sha384.json_data()),
        (Algorithm::RsaPkcs1Sha512, RsaPkcs1::Rsa4096Sha512.json_data()),
        (Algorithm::RsaPssSha256, RsaPss::RsaPss2048Sha256Mgf1SaltLen32.json_data()),
        (Algorithm::RsaPssSha384, RsaPss::RsaPss4096Sha384Mgf1SaltLen48.json_data()),
        (Algorithm::RsaPssSha512, RsaPss::RsaPss4096Sha512Mgf1SaltLen64.json_data()),
    ];
    for (algorithm, json) in sets {
        let mut counted = (0, 0);
        for group in groups(json) {
            for (form, key) in spellings(&group) {
                let verifier = scheme(algorithm, SecretFormat::PublicKey).verifier(key);
                let Ok(verifier) = verifier else {
                    // Keys that are broken on purpose need not be taken, as long as nothing that is valid goes by them.
                    let is_needed = group["tests"].as_array().unwrap().iter().any(|test| test["result"] == "valid");
                    assert!(!is_needed, "{algorithm:?}, key as {form}: {}", verifier.unwrap_err());
                    continue;
                };
                for test in group["tests"].as_array().unwrap() {
                    let is_good = judge(&verifier, &bytes(&test["sig"]), &bytes(&test["msg"]));
                    let label = format!("{algorithm:?} {}, key as {form}: {}", test["tcId"], test["comment"]);
                    match test["result"].as_str().unwrap() {
                        "valid" => assert!(is_good, "{label}"),
                        "invalid" => assert!(!is_good, "{label}"),
                        // Ours to choose.
                        _ => {}
                    }
                    counted = (counted.0 + usize::from(is_good), counted.1 + usize::from(!is_good));
                }
            }
        }
        assert!(counted.0 > 0 && counted.1 > 0, "{algorithm:?}: {counted:?}");
    }
}

#[test]
fn macs() {
    let sets = [
        (Algorithm::HmacSha1, 160, Mac::HmacSha1.json_data()),
        (Algorithm::HmacSha256, 256, Mac::HmacSha256.json_data()),
        (Algorithm::HmacSha384, 384, Mac::HmacSha384.json_data()),
        (Algorithm::HmacSha512, 512, Mac::HmacSha512.json_data()),
    ];
    for (algorithm, bits, json) in sets {
        let mut counted = (0, 0);
        for group in groups(json) {
            for test in group["tests"].as_array().unwrap() {
                // A secret of nothing at all is refused when it is made.
                let Ok(secret) = Secret::raw(bytes(&test["key"])) else { continue };
                let verifier = scheme(algorithm, SecretFormat::Text).verifier(secret).unwrap();
                let is_good = judge(&verifier, &bytes(&test["tag"]), &bytes(&test["msg"]));
                // Tags that were cut are no tags here.
                let expected = test["result"] == "valid" && group["tagSize"] == bits;
                assert_eq!(is_good, expected, "{algorithm:?} {}: {}", test["tcId"], test["comment"]);
                counted = (counted.0 + usize::from(is_good), counted.1 + usize::from(!is_good));
            }
        }
        assert!(counted.0 > 30 && counted.1 > 30, "{algorithm:?}: {counted:?}");
    }
}

const fn scheme(algorithm: Algorithm, secret_format: SecretFormat) -> Scheme<'static> {
    Scheme {
        name: "wycheproof",
        algorithm,
        secret_format,
        signature: Signature::bare("x-signature"),
        encoding: Encoding::Hex,
        message: &[Part::Body],
        ..Scheme::HMAC_SHA256_HEX
    }
}

fn judge(verifier: &Verifier, signature: &[u8], message: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert("x-signature", HeaderValue::from_str(&base16ct::lower::encode_string(signature)).unwrap());
    let head = Head { method: &Method::POST, uri: &Uri::from_static("/"), headers: &headers };
    verifier.verify(head, &message.to_vec().into(), UnixTime::from_secs(1_800_000_000)).is_ok()
}

/// The group's key in every form that it is given in and we read.
fn spellings(group: &Value) -> Vec<(&'static str, PublicKey)> {
    let der = ["publicKeyDer"].iter().filter_map(|name| group.get(name)).map(|der| STANDARD.encode(bytes(der)));
    let pem = group.get("publicKeyPem").map(|pem| pem.as_str().unwrap().to_owned());
    let jwk = ["publicKeyJwk", "keyJwk"].iter().find_map(|name| group.get(name)).map(without_algorithm);
    // Some JSON Web Keys are those of other algorithms of the same group, on which a scheme that is no token does not depend.
    let forms = der.map(|text| ("DER", text)).chain(pem.map(|text| ("PEM", text))).chain(jwk.map(|text| ("JWK", text)));
    forms.filter_map(|(form, text)| Some((form, PublicKey::parse(&text).ok()?))).collect()
}

fn without_algorithm(jwk: &Value) -> String {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().remove("alg");
    jwk.to_string()
}

fn groups(json: &str) -> Vec<Value> {
    let set: Value = serde_json::from_str(json).unwrap();
    set["testGroups"].as_array().unwrap().clone()
}

fn bytes(hex: &Value) -> Vec<u8> {
    base16ct::mixed::decode_vec(hex.as_str().unwrap()).unwrap()
}
