//! Several providers on one route: whose headers a request has decides who judges it, and nothing else does.

mod support;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use support::{Calls, OLD_SECRET, SECRET, Sent, clock, secs, send, verifier, verifier_with};
use tower::Layer;
use tower_webhook::{
    ConfigError,
    layer::{Dispatch, SwapVerifier, TenantIn, Tenants, VerifierSource, VerifySignatureLayer, WebhookLayer},
    provider,
    scheme::{Scheme, Signature, Source, Verifier},
    store::MemoryNonceStore,
};

fn several() -> Dispatch {
    Dispatch::new([
        verifier(provider::GITHUB),
        verifier(provider::SLACK),
        verifier(provider::STANDARD_WEBHOOKS),
        verifier_with(provider::SHOPIFY, OLD_SECRET),
    ])
    .unwrap()
}

fn github() -> Sent {
    Sent::github("id", "{}")
}

fn slack() -> Sent {
    Sent::new(provider::SLACK, "{}")
}

#[tokio::test]
async fn the_provider_whose_headers_a_request_has_judges_it_alone() {
    let service = VerifySignatureLayer::new(several()).with_clock(clock()).layer(Calls::default().handler());
    let svix = |sent: Sent| {
        let headers = sent.headers();
        ["id", "timestamp", "signature"].into_iter().fold(sent, |sent, part| {
            let value = headers[format!("webhook-{part}")].to_str().unwrap().to_owned();
            let (from, to) = match part {
                "id" => ("webhook-id", "svix-id"),
                "timestamp" => ("webhook-timestamp", "svix-timestamp"),
                _ => ("webhook-signature", "svix-signature"),
            };
            sent.without(from).header(to, &value)
        })
    };
    let of = |sent: Sent, names: &[&'static str], other: Sent| {
        let headers = sent.headers();
        names.iter().fold(other, |other, name| other.header(name, headers[*name].to_str().unwrap()))
    };
    for (what, sent, status, reason) in [
        ("GitHub", github(), 200, ""),
        ("Slack", slack(), 200, ""),
        ("Standard Webhooks", Sent::standard("msg_1"), 200, ""),
        ("Standard Webhooks in their other family", svix(Sent::standard("msg_1")), 200, ""),
        ("Shopify with its key", Sent::new(provider::SHOPIFY, "{}").signed_with(&[OLD_SECRET]), 200, ""),
        ("Shopify with the key of others", Sent::new(provider::SHOPIFY, "{}"), 401, "signature_mismatch"),
        ("none", github().without("x-hub-signature-256"), 401, "missing_signature"),
        ("half of Slack", slack().without("x-slack-request-timestamp"), 401, "missing_signature"),
        ("GitHub and half of Slack", of(slack(), &["x-slack-signature"], github()), 200, ""),
        (
            "GitHub and Slack, both good",
            of(slack(), &["x-slack-signature", "x-slack-request-timestamp"], github()),
            400,
            "conflicting_headers",
        ),
        (
            "GitHub, and Slack forged",
            github().header("x-slack-signature", "v0=00").header("x-slack-request-timestamp", "1"),
            400,
            "conflicting_headers",
        ),
        (
            "GitHub forged, and Slack good",
            of(github(), &["x-hub-signature-256"], slack()).header("x-hub-signature-256", "sha256=00"),
            400,
            "conflicting_headers",
        ),
        (
            "the signature of one in the header of another",
            {
                let signature = github().headers()["x-hub-signature-256"].to_str().unwrap().to_owned();
                slack().header("x-slack-signature", &signature)
            },
            401,
            "unusable_signature",
        ),
    ] {
        let answer = send(&service, sent.request()).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (status, reason), "{what}");
    }
}

#[test]
fn what_cannot_be_told_apart_by_headers_is_not_built() {
    const BARE: Scheme<'static> =
        Scheme { name: "bare", signature: Signature::bare("x-signature"), ..Scheme::HMAC_SHA256_HEX };
    let nested = Scheme { name: "nested", id: Some(Source::Header("x-id")), ..BARE };
    for (what, schemes, built) in [
        ("one", vec![provider::GITHUB], true),
        ("two", vec![provider::GITHUB, provider::STRIPE], true),
        ("none", vec![], false),
        ("one twice", vec![provider::GITHUB, provider::GITHUB], false),
        ("families that cross", vec![provider::STANDARD_WEBHOOKS, provider::SVIX], false),
        ("the same headers", vec![provider::GITLAB_SIGNING_TOKEN, provider::STANDARD_WEBHOOKS], false),
        ("headers and more of them", vec![BARE, nested], false),
        ("a signature in the body", vec![provider::GITHUB, provider::MAILGUN], false),
    ] {
        let dispatch = Dispatch::new(schemes.into_iter().map(verifier));
        match dispatch {
            Ok(_) => assert!(built, "{what}"),
            Err(error) => assert!(!built && matches!(error, ConfigError::InvalidValue { .. }), "{what}: {error}"),
        }
    }
}

/// K-05: a token that everybody sees who sees a request must not stand in for a signature, unless that is said.
#[tokio::test]
async fn a_token_does_not_stand_in_for_a_signature() {
    let parts = || [verifier(provider::GITHUB), verifier(provider::GITLAB_TOKEN)];
    let refused = Dispatch::new(parts()).unwrap_err();
    assert!(refused.to_string().contains("gitlab-token"), "{refused}");
    assert!(Dispatch::new([verifier(provider::GITLAB_TOKEN)]).is_ok());

    let mixed = Dispatch::mixing_tokens_with_signatures(parts()).unwrap();
    let service = VerifySignatureLayer::new(mixed).with_clock(clock()).layer(Calls::default().handler());
    let token = || Sent::new(provider::GITLAB_TOKEN, "{}");
    let secret = token().headers()["x-gitlab-token"].to_str().unwrap().to_owned();
    for (what, sent, status) in [
        ("the token", token(), 200),
        ("the signature", github(), 200),
        (
            "a wrong signature and the token",
            github().header("x-hub-signature-256", "sha256=00").header("x-gitlab-token", &secret),
            400,
        ),
        (
            "no signature and the token of another",
            github().without("x-hub-signature-256").header("x-gitlab-token", "other"),
            401,
        ),
    ] {
        assert_eq!(send(&service, sent.request()).await.status, status, "{what}");
    }
}

#[tokio::test]
async fn sources_of_every_kind_are_dispatched_to() {
    let swap = SwapVerifier::new(verifier_with(provider::GITHUB, OLD_SECRET));
    let lookup = |tenant: Arc<str>| async move { Ok::<_, Infallible>((*tenant == *"acme").then_some(SECRET)) };
    let tenants = Tenants::new(Verifier::builder(provider::SLACK), TenantIn::path_segment(1), lookup).unwrap();
    let fixed = Dispatch::new([verifier(provider::STANDARD_WEBHOOKS)]).unwrap();
    let dispatch =
        Dispatch::new([Arc::new(swap.clone()) as Arc<dyn VerifierSource>, Arc::new(tenants), Arc::new(fixed)]).unwrap();
    let service = VerifySignatureLayer::new(dispatch).with_clock(clock()).layer(Calls::default().handler());
    let at = |path: &str, mut request: Request<Full<Bytes>>| {
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    for (path, sent, status) in [
        ("/hook", github(), 401),
        ("/hook", github().signed_with(&[OLD_SECRET]), 200),
        ("/hooks/acme", slack(), 200),
        ("/hooks/other", slack(), 401),
        ("/hook", Sent::standard("msg_1"), 200),
    ] {
        let scheme = sent.scheme().name;
        assert_eq!(send(&service, at(path, sent.request())).await.status, status, "{scheme} at {path}");
    }
    swap.replace_keys(SECRET).unwrap();
    assert_eq!(send(&service, github().request()).await.status, 200);
}

#[test]
fn a_stack_is_set_up_for_the_widest_of_its_providers() {
    let wide = Verifier::builder(provider::SLACK).tolerance(secs(3600)).build(SECRET).unwrap();
    for (order, dispatch) in [
        ("first", Dispatch::new([wide.clone(), verifier(provider::STRIPE)])),
        ("last", Dispatch::new([verifier(provider::STRIPE), wide])),
    ] {
        let build = |retention| {
            let builder = WebhookLayer::builder(dispatch.clone().unwrap()).replay(MemoryNonceStore::new());
            builder.retention(secs(retention)).build()
        };
        assert!(matches!(build(7199), Err(ConfigError::RetentionTooShort { .. })), "{order}");
        assert!(build(7201).is_ok(), "{order}");
    }
}
