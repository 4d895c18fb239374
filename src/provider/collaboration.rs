//! Talking, writing, selling and streaming.

use crate::scheme::{Part, Repeats, Scheme, Signature, Source, Timestamp, Tolerance};

/// Slack: `X-Slack-Signature: v0=…`, HMAC-SHA256 of `v0:timestamp:body`.
///
/// Events carry an id; slash commands and interactions do not, and are told apart by their signed bytes.
///
/// Source: <https://docs.slack.dev/authentication/verifying-requests-from-slack>
pub const SLACK: Scheme<'static> = Scheme {
    name: "slack",
    signature: Signature::prefixed("x-slack-signature", "v0="),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-slack-request-timestamp"))),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::JsonAny(&["/event/type", "/type"])),
    message: &[Part::Text("v0:"), Part::Timestamp, Part::Text(":"), Part::Body],
    ..Scheme::HMAC_SHA256_HEX
};

/// Zoom: `x-zm-signature: v0=…`, HMAC-SHA256 of `v0:timestamp:body`.
///
/// Source: <https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events>
pub const ZOOM: Scheme<'static> = Scheme {
    name: "zoom",
    signature: Signature::prefixed("x-zm-signature", "v0="),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-zm-request-timestamp"))),
    id: None,
    event: Some(Source::Json("/event")),
    message: SLACK.message,
    ..Scheme::HMAC_SHA256_HEX
};

/// Dropbox: `X-Dropbox-Signature`, HMAC-SHA256 of the body.
///
/// The body only names accounts that have changes, so the same body comes again and again: replays cannot be told from
/// news, and are harmless.
///
/// Source: <https://www.dropbox.com/developers/reference/webhooks>
pub const DROPBOX: Scheme<'static> = Scheme {
    name: "dropbox",
    signature: Signature::bare("x-dropbox-signature"),
    repeats: Repeats::Always,
    ..Scheme::HMAC_SHA256_HEX
};

/// Typeform: `Typeform-Signature: sha256=…`, HMAC-SHA256 of the body, in base64.
///
/// Source: <https://www.typeform.com/developers/webhooks/secure-your-webhooks/>
pub const TYPEFORM: Scheme<'static> = Scheme {
    name: "typeform",
    signature: Signature::prefixed("typeform-signature", "sha256="),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/event_type")),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Zendesk: `X-Zendesk-Webhook-Signature`, HMAC-SHA256 of timestamp and body.
///
/// The invocation id is not signed. Webhooks may be set to any method.
///
/// Source: <https://developer.zendesk.com/documentation/webhooks/verifying/>
pub const ZENDESK: Scheme<'static> = Scheme {
    name: "zendesk",
    signature: Signature::bare("x-zendesk-webhook-signature"),
    timestamp: Some(Timestamp::rfc3339(Source::Header("x-zendesk-webhook-signature-timestamp"))),
    id: Some(Source::Header("x-zendesk-webhook-invocation-id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Body],
    methods: &["POST", "PUT", "PATCH", "GET", "DELETE"],
    ..Scheme::HMAC_SHA256_BASE64
};

/// HubSpot, version 3: `X-HubSpot-Signature-v3`, HMAC-SHA256 of method, URL, body and timestamp.
///
/// The body is a list of events, so the request has neither one id nor one type, and is handled, remembered or refused as a whole.
///
/// Source: <https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests>
pub const HUBSPOT_V3: Scheme<'static> = Scheme {
    name: "hubspot-v3",
    signature: Signature::bare("x-hubspot-signature-v3"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-hubspot-request-timestamp"))),
    message: &[Part::Method, Part::UrlDecoding(":/?@!$'()*,;"), Part::Body, Part::Timestamp],
    methods: &["POST", "GET"],
    ..Scheme::HMAC_SHA256_BASE64
};

/// Telegram bots: `X-Telegram-Bot-Api-Secret-Token` is the token itself, and nothing is signed.
///
/// Source: <https://core.telegram.org/bots/api#setwebhook>
pub const TELEGRAM: Scheme<'static> = Scheme {
    name: "telegram",
    signature: Signature::bare("x-telegram-bot-api-secret-token"),
    id: Some(Source::Json("/update_id")),
    ..Scheme::TOKEN
};

/// Twitch EventSub: `Twitch-Eventsub-Message-Signature: sha256=…`, HMAC-SHA256 of id, timestamp and body.
///
/// Ten minutes are what Twitch recommends. The subscription type is also in the signed body.
///
/// Source: <https://dev.twitch.tv/docs/eventsub/handling-webhook-events/>
pub const TWITCH: Scheme<'static> = Scheme {
    name: "twitch",
    signature: Signature::prefixed("twitch-eventsub-message-signature", "sha256="),
    timestamp: Some(Timestamp::rfc3339(Source::Header("twitch-eventsub-message-timestamp"))),
    tolerance: Tolerance::seconds(600),
    id: Some(Source::Header("twitch-eventsub-message-id")),
    id_extra: "=+/",
    event: Some(Source::Json("/subscription/type")),
    message: &[Part::Id, Part::Timestamp, Part::Body],
    ..Scheme::HMAC_SHA256_HEX
};
