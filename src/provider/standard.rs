//! Standard Webhooks, and the services that speak it.

use crate::{
    key::SecretFormat,
    scheme::{Alternate, Part, Scheme, Signature, Source, Timestamp},
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
    ..Scheme::HMAC_SHA256_BASE64
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
    ..STANDARD_WEBHOOKS
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
    ..STANDARD_WEBHOOKS
};
