//! Keys that signed nothing.

use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData,
};

/// A secret, and a public key of each kind, the certificates of those that may be roots among them.
pub(crate) fn others() -> &'static [String] {
    static OTHERS: OnceLock<Vec<String>> = OnceLock::new();
    OTHERS.get_or_init(|| {
        let mut keys = vec!["whsec_b3RoZXIgc2VjcmV0IG90aGVyIHNlY3JldA==".to_owned(), "0123456789abcdef".repeat(4)];
        for kind in
            [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512, &PKCS_RSA_SHA256]
        {
            let pair = KeyPair::generate_for(kind).unwrap();
            keys.push(pem(&pair.subject_public_key_info()));
            let mut parameters = CertificateParams::default();
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            keys.push(parameters.self_signed(&pair).unwrap().pem());
        }
        keys
    })
}

fn pem(spki: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki))
}
