//! Genuine deliveries of three providers, signed by other means than the crate's own.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tower_webhook::{
    clock::UnixTime,
    provider,
    scheme::{Outgoing, Verifier},
};

use crate::wire::Raw;

/// When all of it happens.
pub(crate) const NOW: u64 = 1_800_000_000;

/// The body of the base requests.
pub(crate) const BODY: &str = r#"{"type":"ping","n":1}"#;

pub(crate) const STANDARD_SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
const STRIPE_SECRET: &str = "whsec_test_secret";

/// Whose deliveries a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// Signs id and time.
    Standard,
    /// Signs the body alone.
    GitHub,
    /// Signs the time, and all of it is in one header.
    Stripe,
}

impl Provider {
    pub(crate) fn verifier(self) -> Verifier {
        match self {
            Self::Standard => provider::STANDARD_WEBHOOKS.verifier(STANDARD_SECRET),
            Self::GitHub => provider::GITHUB.verifier(tower_webhook::key::Secret::raw(key()).unwrap()),
            Self::Stripe => provider::STRIPE.verifier(STRIPE_SECRET),
        }
        .unwrap()
    }

    /// The base request, whose signature was computed outside.
    pub(crate) fn base(self) -> Raw {
        let (name, value) = match self {
            Self::Standard => ("webhook-signature", "v1,xYDUgQd/rxSyNOuqN+Bc6gn21IcZ07oO7dwUXJdLkOU="),
            Self::GitHub => {
                ("X-Hub-Signature-256", "sha256=d40eb97840ba7ced004f14859cfc858fb1cf69f1218eb89a29bc6f0f5913006d")
            }
            Self::Stripe => {
                ("Stripe-Signature", "t=1800000000,v1=fa4dffbb66ee1428d1f4f1fe63aa3e14a5d437325484a475bf037fdff0deab7a")
            }
        };
        let request = Raw::post("/hook").header("Content-Type", "application/json");
        let request = match self {
            Self::Standard => request.header("webhook-id", "msg_1").header("webhook-timestamp", "1800000000"),
            Self::GitHub => request.header("X-GitHub-Delivery", "d-1").header("X-GitHub-Event", "ping"),
            Self::Stripe => request,
        };
        request.header(name, value).body(BODY)
    }

    /// A delivery that no other case sends.
    pub(crate) fn another(self, now: u64) -> Raw {
        let body = r#"{"type":"ping","n":"another"}"#;
        match self {
            Self::Standard => standard("msg_another", now.to_string(), body),
            Self::GitHub => github("d-another", body),
            Self::Stripe => stripe(&now.to_string(), body),
        }
    }
}

/// A Standard Webhooks delivery with a good signature over these bytes, whatever they are.
pub(crate) fn standard(id: impl AsRef<[u8]>, timestamp: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Raw {
    let (id, timestamp, body) = (id.as_ref(), timestamp.as_ref(), body.as_ref());
    Provider::Standard
        .base()
        .set("webhook-id", id)
        .set("webhook-timestamp", timestamp)
        .set("webhook-signature", format!("v1,{}", standard_signature(id, timestamp, body)))
        .body(body)
}

pub(crate) fn standard_signature(id: &[u8], timestamp: &[u8], body: &[u8]) -> String {
    STANDARD.encode(hmac(&key(), &[id, b".", timestamp, b".", body].concat()))
}

pub(crate) fn github(delivery: &str, body: impl AsRef<[u8]>) -> Raw {
    let signature = format!("sha256={}", hex(&hmac(&key(), body.as_ref())));
    Provider::GitHub.base().set("X-GitHub-Delivery", delivery).set("X-Hub-Signature-256", signature).body(body)
}

pub(crate) fn stripe(timestamp: &str, body: impl AsRef<[u8]>) -> Raw {
    let signature = format!("t={timestamp},v1={}", stripe_signature(timestamp, body.as_ref()));
    Provider::Stripe.base().set("Stripe-Signature", signature).body(body)
}

pub(crate) fn stripe_signature(timestamp: &str, body: &[u8]) -> String {
    hex(&hmac(STRIPE_SECRET.as_bytes(), &[timestamp.as_bytes(), b".", body].concat()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// The bytes 1 to 32.
fn key() -> Vec<u8> {
    (1..=32).collect()
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn signers_and_other_implementations_agree_on_the_base_requests() {
    let now = UnixTime::from_secs(NOW);
    let outgoing = Outgoing { id: Some("msg_1"), now, ..Outgoing::post("http://hooks.test/hook", BODY.as_bytes()) };
    let secret = tower_webhook::key::Secret::raw(key()).unwrap();
    for (name, base, by_hand, signer) in [
        (
            "webhook-signature",
            Provider::Standard.base(),
            standard("msg_1", "1800000000", BODY),
            provider::STANDARD_WEBHOOKS.signer(STANDARD_SECRET),
        ),
        ("x-hub-signature-256", Provider::GitHub.base(), github("d-1", BODY), provider::GITHUB.signer(secret)),
        (
            "stripe-signature",
            Provider::Stripe.base(),
            stripe("1800000000", BODY),
            provider::STRIPE.signer(STRIPE_SECRET),
        ),
    ] {
        let made = signer.unwrap().sign(&outgoing).unwrap();
        assert_eq!(by_hand.value(name), base.value(name));
        assert_eq!(made[name], base.value(name).as_str());
    }
}
