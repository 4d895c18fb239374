//! Models, and what is built on them.

use std::time::Duration;

use super::standard::STANDARD_WEBHOOKS;
use crate::scheme::{Keys, Part, Profile, RetryOn, Scheme, Signature, Source, Timestamp, Tolerance};

/// Anthropic: Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// Source: <https://platform.claude.com/docs/en/managed-agents/webhooks>, and the PyPI package `anthropic`
pub const ANTHROPIC: Scheme<'static> = Scheme {
    name: "anthropic",
    event: Some(Source::Json("/data/type")),
    alternate: None,
    profile: Profile::new("Anthropic", "https://platform.claude.com/docs/en/managed-agents/webhooks"),
    ..STANDARD_WEBHOOKS
};

/// OpenAI: Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// Source: <https://platform.openai.com/docs/guides/webhooks>, and the PyPI package `openai`
pub const OPENAI: Scheme<'static> = Scheme {
    name: "openai",
    alternate: None,
    profile: Profile::new("OpenAI", "https://platform.openai.com/docs/guides/webhooks")
        .retries(RetryOn::AnyFailure, 72),
    ..STANDARD_WEBHOOKS
};

/// Replicate: Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// The body is the prediction, which has a `status` but no event type. Only the last delivery of a prediction is tried again, for about a minute.
///
/// Source: <https://replicate.com/docs/topics/webhooks/verify-webhook>, and the npm package `replicate`
pub const REPLICATE: Scheme<'static> = Scheme {
    name: "replicate",
    event: None,
    alternate: None,
    profile: Profile::new("Replicate", "https://replicate.com/docs/topics/webhooks/verify-webhook")
        .retries(RetryOn::AnyFailure, 0),
    ..STANDARD_WEBHOOKS
};

/// ElevenLabs: `ElevenLabs-Signature: t=…,v0=…`, HMAC-SHA256 of `t.body`.
///
/// ElevenLabs's SDKs accept half an hour in the past and any time in the future; here the future ends after five minutes. Webhooks that carry the
/// audio of a call are larger than the default limit. Retries are off unless they were switched on, and are for transcriptions only.
///
/// Source: <https://elevenlabs.io/docs/eleven-api/resources/webhooks>, and the PyPI package `elevenlabs`
pub const ELEVENLABS: Scheme<'static> = Scheme {
    name: "elevenlabs",
    signature: Signature::field("elevenlabs-signature", ',', "v0"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    tolerance: Tolerance { past: Duration::from_secs(1800), future: Duration::from_secs(300) },
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("ElevenLabs", "https://elevenlabs.io/docs/eleven-api/resources/webhooks")
        .retries(RetryOn::ServerErrorsAndRateLimits, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// fal: `X-Fal-Webhook-Signature`, Ed25519 over request id, user id, timestamp and the SHA-256 of the body, each on a line of its own.
///
/// fal signs for all of its users with the same keys, and each of them says per request where the result is sent. Hence the parameter `user-id`:
/// the id of your user or team, as fal sends it in `X-Fal-Webhook-User-Id`; results of others are refused. Requests do not say which key of the key
/// set signed them: all are tried. The body has a `status` but no event type.
///
/// Source: <https://docs.fal.ai/documentation/model-apis/inference/webhooks>
pub const FAL: Scheme<'static> = Scheme {
    name: "fal",
    signature: Signature::bare("x-fal-webhook-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-fal-webhook-timestamp"))),
    id: Some(Source::Header("x-fal-webhook-request-id")),
    message: &[
        Part::Id,
        Part::Text("\n"),
        Part::Parameter("user-id"),
        Part::Text("\n"),
        Part::Timestamp,
        Part::Text("\n"),
        Part::BodySha256,
    ],
    keys: Keys::JwkSet { url: "https://rest.fal.ai/.well-known/jwks.json" },
    profile: Profile::new("fal", "https://docs.fal.ai/documentation/model-apis/inference/webhooks")
        .retries(RetryOn::AnyFailure, 2),
    ..Scheme::ED25519_HEX
};

/// Retell AI: `X-Retell-Signature: v=…,d=…`, HMAC-SHA256 of body and timestamp, keyed with the API key that has the webhook badge.
///
/// Retell's documentation hands its SDKs the parsed body, written as JSON again; what is signed are the bytes that were sent.
///
/// Source: <https://docs.retellai.com/features/secure-webhook>, and the PyPI package `retell-sdk`
pub const RETELL: Scheme<'static> = Scheme {
    name: "retell",
    signature: Signature::field("x-retell-signature", ',', "d"),
    timestamp: Some(Timestamp::unix_millis(Source::Field("v"))),
    event: Some(Source::Json("/event")),
    message: &[Part::Body, Part::Timestamp],
    profile: Profile::new("Retell AI", "https://docs.retellai.com/features/secure-webhook"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Cursor cloud agents: `X-Webhook-Signature: sha256=…`, HMAC-SHA256 of the body.
///
/// The id (`X-Webhook-ID`) is not signed.
///
/// Source: <https://cursor.com/docs/cloud-agent/api/webhooks>
pub const CURSOR: Scheme<'static> = Scheme {
    name: "cursor",
    signature: Signature::prefixed("x-webhook-signature", "sha256="),
    id: Some(Source::Header("x-webhook-id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Cursor", "https://cursor.com/docs/cloud-agent/api/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Hugging Face Hub: `X-Webhook-Secret` is the secret itself, and nothing is signed.
///
/// What stands for the event type is the scope of the event (`repo.content`, `discussion`); there is an action (`create`, `update`) beside it.
///
/// Source: <https://huggingface.co/docs/hub/webhooks>
pub const HUGGINGFACE: Scheme<'static> = Scheme {
    name: "huggingface",
    signature: Signature::bare("x-webhook-secret"),
    event: Some(Source::Json("/event/scope")),
    profile: Profile::new("Hugging Face", "https://huggingface.co/docs/hub/webhooks"),
    ..Scheme::TOKEN
};

/// Firecrawl: `X-Firecrawl-Signature: sha256=…`, HMAC-SHA256 of the body, keyed with the webhook secret of the account.
///
/// The id in the body is that of the job. Failed deliveries come again after 1, 5 and 15 minutes.
///
/// Source: <https://docs.firecrawl.dev/webhooks/security>, <https://docs.firecrawl.dev/webhooks/overview>
pub const FIRECRAWL: Scheme<'static> = Scheme {
    name: "firecrawl",
    signature: Signature::prefixed("x-firecrawl-signature", "sha256="),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Firecrawl", "https://docs.firecrawl.dev/webhooks/security").retries(RetryOn::AnyFailure, 0),
    ..Scheme::HMAC_SHA256_HEX
};

/// Deepgram callbacks: user and password of the callback URL (`https://user:password@…`) come in the `Authorization` header, and nothing is signed.
///
/// The id is that of the request to Deepgram: the results of a stream, of which there are many, share it. Requests come with `PUT` if
/// `callback_method` asks for it. The `dg-token` header is no longer meant for this. Transcripts of long recordings are larger than the default
/// limit.
///
/// Source: <https://developers.deepgram.com/docs/callback>, and the PyPI package `deepgram-sdk`
pub const DEEPGRAM: Scheme<'static> = Scheme {
    name: "deepgram",
    id: Some(Source::JsonAny(&["/metadata/request_id", "/request_id"])),
    methods: &["POST", "PUT"],
    profile: Profile::new("Deepgram", "https://developers.deepgram.com/docs/callback"),
    ..Scheme::BASIC
};
