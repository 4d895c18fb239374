//! Standard Webhooks, and the services that speak it.

use crate::{
    key::SecretFormat,
    scheme::{Algorithm, Alternate, Part, Profile, RetryOn, Scheme, Signature, Source, Timestamp},
};

const SIGNED: &[Part<'static>] = &[Part::Id, Part::Text("."), Part::Timestamp, Part::Text("."), Part::Body];

/// Standard Webhooks 1.0: `webhook-signature: v1,… v1,…`, HMAC-SHA256 of `id.timestamp.body`.
///
/// Senders that go through Svix use `svix-*` headers, or both families; either is read, as a whole.
///
/// Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
pub const STANDARD_WEBHOOKS: Scheme<'static> = Scheme {
    name: "standard-webhooks",
    secret_format: SecretFormat::Whsec,
    signature: Signature::versions("webhook-signature", "v1,"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("webhook-timestamp"))),
    id: Some(Source::Header("webhook-id")),
    event: Some(Source::Json("/type")),
    message: SIGNED,
    alternate: Some(Alternate { prefix: "webhook-", instead: "svix-" }),
    profile: Profile::new(
        "Standard Webhooks",
        "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    )
    .resigned(true),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Standard Webhooks 1.0 with a key pair: `webhook-signature: v1a,…`, Ed25519 over `id.timestamp.body`.
///
/// The key is the public one, `whpk_…`. Signatures of the other kind (`v1`), which may stand beside it, are not looked at.
///
/// Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
pub const STANDARD_WEBHOOKS_ED25519: Scheme<'static> = Scheme {
    name: "standard-webhooks-ed25519",
    algorithm: Algorithm::Ed25519,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::versions("webhook-signature", "v1a,"),
    ..STANDARD_WEBHOOKS
};

/// Svix: Standard Webhooks with `svix-*` headers; `webhook-*` headers are read as well.
///
/// Source: <https://docs.svix.com/receiving/verifying-payloads/how-manual>
pub const SVIX: Scheme<'static> = Scheme {
    name: "svix",
    signature: Signature::versions("svix-signature", "v1,"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("svix-timestamp"))),
    id: Some(Source::Header("svix-id")),
    alternate: Some(Alternate { prefix: "svix-", instead: "webhook-" }),
    profile: Profile::new("Svix", "https://docs.svix.com/receiving/verifying-payloads/how-manual")
        .retries(RetryOn::AnyFailure, 28)
        .resigned(true)
        .addresses("https://docs.svix.com/receiving/source-ips"),
    ..STANDARD_WEBHOOKS
};

/// Svix with a key pair: `svix-signature: v1a,…`, Ed25519 over `id.timestamp.body`; `webhook-*` headers are read as well.
///
/// The key is the public one, `whpk_…`.
///
/// Source: `server/svix-server/src/worker.rs` of <https://github.com/svix/svix-webhooks>
pub const SVIX_ED25519: Scheme<'static> = Scheme {
    name: "svix-ed25519",
    algorithm: Algorithm::Ed25519,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::versions("svix-signature", "v1a,"),
    ..SVIX
};

/// GitLab with a signing token: Standard Webhooks headers, HMAC-SHA256 of `id.timestamp.body`.
///
/// The event type (`X-Gitlab-Event`) is not signed.
///
/// Source: <https://docs.gitlab.com/user/project/integrations/webhooks/>
pub const GITLAB_SIGNING_TOKEN: Scheme<'static> = Scheme {
    name: "gitlab-signing-token",
    event: Some(Source::Header("x-gitlab-event")),
    alternate: None,
    profile: Profile::new("GitLab", "https://docs.gitlab.com/user/project/integrations/webhooks/"),
    ..STANDARD_WEBHOOKS
};
