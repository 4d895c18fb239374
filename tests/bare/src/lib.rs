//! What a build without features refuses, and how.

#![cfg(test)]

use tower_webhook::{
    ConfigError,
    key::PublicKey,
    provider,
    scheme::{Algorithm, Scheme, Verifier},
};

#[test]
fn a_provider_whose_feature_is_off_is_refused_when_its_verifier_is_built() {
    let (mut refused, mut built) = (0, 0);
    for scheme in provider::ALL {
        match (feature(scheme), build(scheme)) {
            (Some(expected), Err(ConfigError::MissingFeature { feature, what })) => {
                assert_eq!(feature, expected, "{}", scheme.name);
                assert!(what.contains(scheme.name), "{what}");
                refused += 1;
            }
            (None, Ok(_)) => built += 1,
            (_, Ok(_)) => panic!("{} was built without its feature", scheme.name),
            // Secrets of every form would be needed; what matters is that no feature is missing.
            (None, Err(ConfigError::MissingFeature { .. })) => panic!("{} needs no feature", scheme.name),
            (None, Err(_)) => {}
            (Some(_), Err(error)) => panic!("{}: {error}", scheme.name),
        }
    }
    assert!(refused > 20 && built > 200, "{refused} refused, {built} built");
}

#[test]
fn public_keys_are_not_read() {
    let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert!(matches!(PublicKey::parse(hex), Err(ConfigError::MissingFeature { .. })));
}

fn build(scheme: &Scheme<'static>) -> Result<Verifier, ConfigError> {
    let parameters = ["audience", "issuer", "email", "webhook-id", "topic-arn", "public-key"];
    let builder = Verifier::builder(scheme).public_origin("https://hooks.example.com");
    let build = |secret: &str| {
        let builder = parameters.iter().fold(builder.clone(), |builder, name| builder.parameter(name, "x"));
        builder.build(secret)
    };
    build("0123456789abcdef0123456789abcdef").or_else(|error| match error {
        ConfigError::MalformedSecret { .. } => build("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        error => Err(error),
    })
}

fn feature(scheme: &Scheme<'static>) -> Option<&'static str> {
    let name = format!("{:?}", scheme.algorithm);
    match scheme.algorithm {
        Algorithm::Jws => Some("jwt"),
        Algorithm::Ed25519 => Some("ed25519"),
        _ if name.starts_with("Ecdsa") => Some("ecdsa"),
        _ if name.starts_with("Rsa") => Some("rsa"),
        _ => None,
    }
}
