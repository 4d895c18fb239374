//! Every provider of the catalogue against vectors from outside, and against everything an attacker changes.
//!
//! `CATALOGUE_ONLY=stripe,slack` looks at these alone.

mod keys;
mod mutations;
mod properties;
mod vectors;

use std::collections::BTreeSet;

use http::HeaderValue;
use tower_webhook::{
    Rejection,
    clock::UnixTime,
    provider,
    scheme::{Grammar, Scheme, Source},
};

use vectors::{Request, catalogue};

/// Providers of which less than two valid vectors could be had from outside, and why.
const ONE_VALID: &[(&str, &str)] = &[];

/// Providers whose vectors hold no refused request, and why.
const NONE_INVALID: &[(&str, &str)] = &[];

/// Providers whose vectors hold no body beyond ASCII, and why.
const ASCII_ONLY: &[(&str, &str)] = &[
    ("apple-app-store", "the body is a token"),
    ("apple-signin", "the body is a JSON Web Token, which is ASCII on the wire; its claims are not"),
    ("braintree", "what is signed is base64 of XML, in a form"),
    ("dialpad", "tokens are base64url"),
    ("kinde", "the body is a JSON Web Token, which is ASCII on the wire; its claims are not"),
    ("mailchimp-transactional", "a form, which is ASCII on the wire; the decoded text is not"),
    ("plivo", "forms are percent-encoded"),
    ("travis-ci", "forms are percent-encoded"),
    ("wix", "a JSON Web Token, which is ASCII on the wire; its claims are not"),
];

#[test]
fn every_vector_gets_the_verdict_of_its_source() {
    for (scheme, vectors) in catalogue() {
        for vector in vectors {
            let label = format!("{}: {}", scheme.name, vector.name);
            match (vector.verify(scheme), vector.expect.as_str()) {
                (Ok(delivery), "valid") => {
                    assert_eq!(delivery.id(), vector.id.as_deref(), "{label}");
                    if vector.event.is_some() {
                        assert_eq!(delivery.event(), vector.event.as_deref(), "{label}");
                    }
                    assert_eq!(delivery.provider(), scheme.name);
                }
                (Err(rejection), expected) => {
                    assert_ne!(expected, "valid", "{label}: {rejection}");
                    assert!(rejection.status().is_client_error(), "{label}: {rejection}");
                }
                (Ok(_), expected) => panic!("{label}: accepted, but {expected}"),
            }
        }
    }
}

/// What the vectors give as reasons, and what the verifier may give. The first that is part of the stated reason counts.
const REASONS: &[(&str, &[&str])] = &[
    ("timestamp is not among", &["missing_timestamp"]),
    ("what was not signed is there", &["missing_signed_value"]),
    ("malformed timestamp", &["malformed_timestamp"]),
    ("missing timestamp", &["missing_timestamp"]),
    ("missing id", &["missing_id"]),
    ("stale", &["stale"]),
    ("too old", &["stale"]),
    ("expired", &["stale"]),
    ("from the future", &["from_the_future"]),
    ("missing signature", &["missing_signature"]),
    ("not signed", &["missing_signature"]),
    // Where nothing is compared because nothing of the kind can be genuine, official code only says that it does not match.
    ("signature mismatch", &["signature_mismatch", "unusable_signature", "ambiguous_message"]),
    ("signed with another", &["signature_mismatch"]),
    ("another secret", &["signature_mismatch"]),
    ("not the secret", &["signature_mismatch"]),
    ("other credentials", &["signature_mismatch"]),
    ("the body was changed", &["signature_mismatch", "wrong_claim"]),
    ("unknown key", &["unknown_key", "signature_mismatch"]),
    ("no signature of a known version", &["unusable_signature"]),
    ("no usable signature", &["unusable_signature"]),
    ("malformed signature", &["unusable_signature"]),
    ("hash of the body", &["wrong_claim"]),
    ("audience", &["wrong_claim"]),
    ("issuer", &["wrong_claim"]),
    ("claim", &["wrong_claim"]),
    ("wrong algorithm", &["wrong_algorithm"]),
    ("ambiguous", &["ambiguous_message"]),
    ("there twice", &["ambiguous_message", "duplicate_field", "missing_signed_value"]),
    ("another root", &["untrusted_key"]),
    ("certificate", &["untrusted_key"]),
];

#[test]
fn every_refusal_is_for_the_reason_that_its_vector_states() {
    let (mut wrong, mut judged) = (Vec::new(), 0);
    for (scheme, vectors) in catalogue() {
        for vector in vectors.iter().filter(|vector| vector.expect != "valid") {
            let Err(rejection) = vector.verify(scheme) else { continue };
            let Some((_, reasons)) = REASONS.iter().find(|(stated, _)| vector.expect.contains(stated)) else {
                continue;
            };
            judged += 1;
            if !reasons.contains(&rejection.reason()) {
                wrong.push(format!("{}: {}: {}, not {}", scheme.name, vector.name, rejection, vector.expect));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}: {wrong:#?}", wrong.len());
    assert!(judged > 800 || catalogue().len() < provider::ALL.len(), "only {judged} state a reason that is known here");
}

#[test]
fn every_provider_is_proven_by_somebody_else() {
    let is_among = |list: &[(&str, &str)], name| list.iter().any(|(known, _)| *known == name);
    for (scheme, vectors) in catalogue() {
        let valid = vectors.iter().filter(|vector| vector.expect == "valid").count();
        let wanted = if is_among(ONE_VALID, scheme.name) { 1 } else { 2 };
        assert!(valid >= wanted, "{} has {valid} valid vectors", scheme.name);
        let has_invalid = vectors.iter().any(|vector| vector.expect != "valid");
        assert!(has_invalid || is_among(NONE_INVALID, scheme.name), "{} has no invalid vector", scheme.name);
        let has_other = vectors.iter().any(|vector| !vector.body.is_ascii());
        assert!(has_other || is_among(ASCII_ONLY, scheme.name), "{} has no body beyond ASCII", scheme.name);
        for vector in &vectors {
            assert!(["published", "official-code", "computed"].contains(&&*vector.origin), "{}", vector.name);
            assert!(!vector.source.is_empty(), "{}: {} names no source", scheme.name, vector.name);
        }
    }
}

#[test]
fn official_code_computed_the_vectors_of_many_providers() {
    let is_official = |(_, vectors): &(_, Vec<vectors::Vector>)| vectors.iter().any(|v| v.origin == "official-code");
    let catalogue = catalogue();
    let official = catalogue.iter().filter(|entry| is_official(entry)).count();
    assert!(official >= 25 || catalogue.len() < provider::ALL.len(), "only {official}");
}

#[test]
fn our_signer_makes_what_the_source_made() {
    for (scheme, vectors) in catalogue() {
        for vector in vectors.iter().filter(|vector| vector.expect == "valid") {
            let Ok(delivery) = vector.verify(scheme) else { continue };
            let Some(signed) = vector.sign(scheme, delivery.signed_at().unwrap_or(UnixTime::from_secs(0))) else {
                continue;
            };
            let theirs = vector.headers();
            for (name, value) in &signed {
                let is_list = matches!(
                    scheme.signature.grammar,
                    Grammar::Fields { .. }
                        | Grammar::AnyField { .. }
                        | Grammar::Versions { .. }
                        | Grammar::List { .. }
                        | Grammar::TimeFirst { .. }
                ) || !scheme.signature.others.is_empty();
                let family = theirs.get(name).or_else(|| theirs.get(vectors::other_family(scheme, name)));
                let Some(theirs) = family else { panic!("{}: no {name} in {}", scheme.name, vector.name) };
                // Fractions of a second are the sender's choice, and lists may hold more than our signature.
                let is_date = scheme.timestamp.is_some_and(|time| time.source == Source::Header(name.as_str()));
                if !is_list && !is_date && !vectors::has_free_time(scheme) && !vectors::has_free_spelling(scheme) {
                    assert_eq!(value, theirs, "{}: {name} of {}", scheme.name, vector.name);
                }
            }
        }
    }
}

#[test]
fn whatever_is_changed_is_refused() {
    for (scheme, vectors) in catalogue() {
        for vector in vectors.iter().filter(|vector| vector.expect == "valid") {
            let verifier = vector.verifier(scheme);
            let genuine = vector.request();
            assert!(genuine.verify(&verifier).is_ok(), "{}: {}", scheme.name, vector.name);
            for (change, request, expected) in mutations::tampered(scheme, vector, &genuine) {
                let label = format!("{}: {}: {change}", scheme.name, vector.name);
                let rejection = request.verify(&verifier).err().unwrap_or_else(|| panic!("{label}: accepted"));
                assert!(expected.contains(&rejection.status()), "{label}: {rejection}");
            }
        }
    }
}

#[test]
fn another_key_verifies_nothing() {
    for (scheme, vectors) in catalogue() {
        for vector in vectors.iter().filter(|vector| vector.expect == "valid") {
            let rejection = vector.request().verify(&vector.with_other_key(scheme)).unwrap_err();
            let expected = [Rejection::SignatureMismatch, Rejection::WrongAlgorithm];
            let is_untrusted = matches!(rejection, Rejection::UntrustedKey { .. });
            assert!(expected.contains(&rejection) || is_untrusted, "{}: {}: {rejection}", scheme.name, vector.name);
        }
    }
}

#[test]
fn what_a_token_vouches_for_is_told_apart_by_id_and_body() {
    let Some((scheme, vectors)) = catalogue().into_iter().find(|(scheme, _)| scheme.name == "gitlab-token") else {
        return;
    };
    let vector = vectors.iter().find(|vector| vector.expect == "valid").unwrap();
    let key = |id: &'static str, body: &'static str| {
        let mut request = Request { body: body.into(), ..vector.request() };
        request.headers.insert("idempotency-key", HeaderValue::from_static(id));
        request.verify(&vector.verifier(scheme)).unwrap().replay_key().unwrap()
    };
    assert_eq!(key("a", "tag pushed"), key("a", "tag pushed"));
    assert_ne!(key("a", "tag pushed"), key("b", "tag pushed"), "the tag was deleted and pushed again");
    assert_ne!(key("a", "tag pushed"), key("a", "tag deleted"));
}

/// How a form is read is for its content type to say, which nobody signs.
#[test]
fn a_form_that_is_read_in_another_way_is_the_same_delivery() {
    let is_form = |source: Option<Source<'_>>| matches!(source, Some(Source::Form(_) | Source::FormJson(..)));
    let mut accepted = 0;
    for (scheme, vectors) in catalogue().into_iter().filter(|(scheme, _)| is_form(scheme.id) || is_form(scheme.event)) {
        for vector in vectors.iter().filter(|vector| vector.expect == "valid") {
            let verifier = vector.verifier(scheme);
            let genuine = vector.request().verify(&verifier).unwrap();
            for kind in ["multipart/form-data; boundary=x", "multipart/form-data; boundary=&", "text/plain"] {
                let mut request = vector.request();
                request.headers.insert("content-type", HeaderValue::from_static(kind));
                let Ok(delivery) = request.verify(&verifier) else { continue };
                accepted += 1;
                assert_eq!(delivery.replay_key(), genuine.replay_key(), "{} as {kind}", scheme.name);
                let is_event_kept = delivery.event() == genuine.event();
                assert!(is_event_kept || !delivery.event_is_signed(), "{} as {kind}", scheme.name);
            }
        }
    }
    assert!(accepted > 0 || catalogue().len() < provider::ALL.len(), "none was accepted in another reading");
}

#[test]
fn unsigned_times_do_not_count() {
    let signed: BTreeSet<_> =
        provider::ALL.iter().filter(|scheme| scheme.timestamp.is_some()).map(|scheme| scheme.name).collect();
    let expected = [
        "agentmail",
        "anthropic",
        "bird",
        "blockfrost",
        "boldsign",
        "box",
        "brex",
        "buildkite",
        "calendly",
        "cashfree",
        "chatwoot",
        "clerk",
        "close",
        "cloudflare-stream",
        "cloudinary",
        "cloudinary-sha256",
        "coinflow",
        "contentful",
        "courier",
        "customerio",
        "discord",
        "docuseal",
        "elevenlabs",
        "emailit",
        "fal",
        "fintoc",
        "frameio",
        "front",
        "ghost",
        "gitlab-signing-token",
        "grafana-timestamped",
        "hubspot-v3",
        "incident-io",
        "increase",
        "klaviyo",
        "knock",
        "lark",
        "lettermint",
        "linear",
        "lithic",
        "livepeer",
        "loops",
        "mailgun",
        "mailgun-routes",
        "mercado-pago",
        "messagebird",
        "monday",
        "mux",
        "neon",
        "openai",
        "orb",
        "paddle-billing",
        "paymongo",
        "paypal",
        "persona",
        "plaid",
        "podium",
        "polar",
        "recurly",
        "render",
        "replicate",
        "resend",
        "retell",
        "revolut",
        "rootly",
        "sendgrid",
        "shipstation-v2",
        "signatureapi",
        "sinch-conversation",
        "slack",
        "standard-webhooks",
        "standard-webhooks-ed25519",
        "statsig",
        "stripe",
        "stytch",
        "supabase-auth-hooks",
        "surge",
        "svix",
        "svix-ed25519",
        "tailscale",
        "telnyx",
        "tiktok",
        "tink",
        "truelayer",
        "turnkey",
        "twitch",
        "vonage",
        "webflow",
        "wechat-mp",
        "wechatpay",
        "whereby",
        "workos",
        "zendesk",
        "zitadel",
        "zoho-payments",
        "zoom",
    ];
    assert_eq!(signed, expected.into());
    for (scheme, vectors) in catalogue() {
        for vector in vectors {
            let says_now = vector.now.is_some();
            let judges_time = scheme.timestamp.is_some() || scheme.jws.is_some();
            assert!(
                !says_now || judges_time,
                "{}: {} is judged at a time that nobody signed",
                scheme.name,
                vector.name
            );
        }
    }
}

#[test]
fn whoever_is_in_the_catalogue_has_a_profile() {
    for Scheme { name, profile, .. } in provider::ALL {
        assert!(!profile.title.is_empty(), "{name} has no title");
        assert!(profile.documentation.starts_with("https://"), "{name} has no documentation");
        assert!(profile.addresses.is_none_or(|url| url.starts_with("https://")), "{name}");
    }
}
