//! Code, builds, deployments and their troubles.

use crate::scheme::{Algorithm, Repeats, Scheme, Signature, Source, Timestamp, Tolerance};

/// GitHub: `X-Hub-Signature-256: sha256=…`, HMAC-SHA256 of the body.
///
/// Neither event type nor delivery id are signed. Bodies reach 25 MB; the limit here is the usual one, so raise it
/// for large pushes. GitHub never retries on its own.
///
/// Source: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
pub const GITHUB: Scheme<'static> = Scheme {
    name: "github",
    signature: Signature::prefixed("x-hub-signature-256", "sha256="),
    id: Some(Source::Header("x-github-delivery")),
    event: Some(Source::Header("x-github-event")),
    ..Scheme::HMAC_SHA256_HEX
};

/// GitLab with a secret token: `X-Gitlab-Token` is the token itself, and nothing is signed.
///
/// Source: <https://docs.gitlab.com/user/project/integrations/webhooks/>
pub const GITLAB_TOKEN: Scheme<'static> = Scheme {
    name: "gitlab-token",
    signature: Signature::bare("x-gitlab-token"),
    id: Some(Source::Header("idempotency-key")),
    event: Some(Source::Header("x-gitlab-event")),
    repeats: Repeats::PerEvent,
    ..Scheme::TOKEN
};

/// Linear: `Linear-Signature`, HMAC-SHA256 of the body, which holds the time.
///
/// Neither event type nor delivery id are signed.
///
/// Source: <https://linear.app/developers/webhooks>
pub const LINEAR: Scheme<'static> = Scheme {
    name: "linear",
    signature: Signature::bare("linear-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Json("/webhookTimestamp"))),
    tolerance: Tolerance::seconds(60),
    id: Some(Source::Header("linear-delivery")),
    event: Some(Source::Header("linear-event")),
    ..Scheme::HMAC_SHA256_HEX
};

/// PagerDuty V3: `X-PagerDuty-Signature: v1=…,v1=…`, HMAC-SHA256 of the body.
///
/// Source: <https://developer.pagerduty.com/docs/verifying-webhook-signatures>
pub const PAGERDUTY: Scheme<'static> = Scheme {
    name: "pagerduty",
    signature: Signature::field("x-pagerduty-signature", ',', "v1"),
    id: Some(Source::Json("/event/id")),
    event: Some(Source::Json("/event/event_type")),
    max_body: 2 * 1024 * 1024,
    ..Scheme::HMAC_SHA256_HEX
};

/// Sentry's integration platform: `Sentry-Hook-Signature`, HMAC-SHA256 of the body.
///
/// Time, resource and request id are not signed.
///
/// Source: <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>
pub const SENTRY: Scheme<'static> = Scheme {
    name: "sentry",
    signature: Signature::bare("sentry-hook-signature"),
    id: Some(Source::Header("request-id")),
    event: Some(Source::Header("sentry-hook-resource")),
    ..Scheme::HMAC_SHA256_HEX
};

/// Vercel: `x-vercel-signature`, HMAC-SHA1 of the body.
///
/// Source: <https://vercel.com/docs/webhooks/webhooks-api>
pub const VERCEL: Scheme<'static> = Scheme {
    name: "vercel",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-vercel-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    ..Scheme::HMAC_SHA256_HEX
};
