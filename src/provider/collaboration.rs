//! Talking, writing, selling and streaming.

use super::canonical::trello;
use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Claim, Expected, Jws, JwsAlgorithm, Part, Profile, Repeats, RetryOn, Scheme, Signature, Source,
        Timestamp, Tolerance,
    },
};

/// Slack: `X-Slack-Signature: v0=…`, HMAC-SHA256 of `v0:timestamp:body`.
///
/// Events carry an id; slash commands and interactions do not, and are told apart by their signed bytes. Events are tried again three times within
/// minutes, and with the feature "Delayed Events" every hour for a day after that.
///
/// Source: <https://docs.slack.dev/authentication/verifying-requests-from-slack>, <https://docs.slack.dev/apis/events-api/>
pub const SLACK: Scheme<'static> = Scheme {
    name: "slack",
    signature: Signature::prefixed("x-slack-signature", "v0="),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-slack-request-timestamp"))),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::JsonAny(&["/event/type", "/type"])),
    message: &[Part::Text("v0:"), Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Slack", "https://docs.slack.dev/authentication/verifying-requests-from-slack")
        .retries(RetryOn::AnyFailure, 25),
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
    profile: Profile::new("Zoom", "https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events"),
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
    profile: Profile::new("Dropbox", "https://www.dropbox.com/developers/reference/webhooks")
        .retries(RetryOn::AnyFailure, 1),
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
    profile: Profile::new("Typeform", "https://www.typeform.com/developers/webhooks/secure-your-webhooks/"),
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
    profile: Profile::new("Zendesk", "https://developer.zendesk.com/documentation/webhooks/verifying/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// HubSpot, version 3: `X-HubSpot-Signature-v3`, HMAC-SHA256 of method, URL, body and timestamp.
///
/// The body is a list of events, so the request has neither one id nor one type, and is handled, remembered or refused as a whole.
///
/// Source: <https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests>, for the retries
/// <https://developers.hubspot.com/docs/api-reference/latest/error-handling>
pub const HUBSPOT_V3: Scheme<'static> = Scheme {
    name: "hubspot-v3",
    signature: Signature::bare("x-hubspot-signature-v3"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-hubspot-request-timestamp"))),
    message: &[Part::Method, Part::UrlDecoding(":/?@!$'()*,;"), Part::Body, Part::Timestamp],
    methods: &["POST", "GET"],
    profile: Profile::new(
        "HubSpot",
        "https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
    )
    .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Telegram bots: `X-Telegram-Bot-Api-Secret-Token` is the token itself, and nothing is signed.
///
/// Source: <https://core.telegram.org/bots/api#setwebhook>
pub const TELEGRAM: Scheme<'static> = Scheme {
    name: "telegram",
    signature: Signature::bare("x-telegram-bot-api-secret-token"),
    id: Some(Source::Json("/update_id")),
    profile: Profile::new("Telegram", "https://core.telegram.org/bots/api#setwebhook")
        .retries(RetryOn::AnyFailure, 24)
        .addresses("https://core.telegram.org/bots/webhooks"),
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
    profile: Profile::new("Twitch", "https://dev.twitch.tv/docs/eventsub/handling-webhook-events/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// HubSpot, version 1: `X-HubSpot-Signature`, SHA-256 of the client secret and the body.
///
/// A plain hash with the secret in front: who saw a signature can make one for the body with more bytes after it (length extension). Some of these
/// bytes are no JSON, so parse strictly, and prefer [`HUBSPOT_V3`], which HubSpot sends as well. The body is a list of events.
///
/// Source: <https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests>
pub const HUBSPOT_V1: Scheme<'static> = Scheme {
    name: "hubspot-v1",
    algorithm: Algorithm::Sha256,
    signature: Signature::bare("x-hubspot-signature"),
    message: &[Part::Secret, Part::Body],
    profile: HUBSPOT_V3.profile,
    ..Scheme::HMAC_SHA256_HEX
};

/// HubSpot, version 2: `X-HubSpot-Signature`, SHA-256 of the client secret, method, URL and body.
///
/// As with [`HUBSPOT_V1`], bytes can be added after the body. Workflows and cards send it, and they may ask for the same thing again: replays cannot
/// be told from news. The URL is signed as it was called. Workflows do not try again after client errors, except 429.
///
/// Source: <https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests>, for the retries
/// <https://developers.hubspot.com/docs/api-reference/latest/error-handling>
pub const HUBSPOT_V2: Scheme<'static> = Scheme {
    name: "hubspot-v2",
    algorithm: Algorithm::Sha256,
    signature: Signature::bare("x-hubspot-signature"),
    repeats: Repeats::Always,
    message: &[Part::Secret, Part::Method, Part::Url, Part::Body],
    methods: &["POST", "GET"],
    profile: HUBSPOT_V3.profile.retries(RetryOn::ServerErrorsAndRateLimits, 24),
    ..Scheme::HMAC_SHA256_HEX
};

/// Asana: `X-Hook-Signature`, HMAC-SHA256 of the body.
///
/// The secret comes with the first request, in `X-Hook-Secret`, which must be sent back: whoever calls first sets it. A request holds a list of events,
/// so it has neither one id nor one type; the heartbeat is an empty list, always the same, and so a duplicate of the one before.
///
/// Source: <https://developers.asana.com/docs/webhooks-guide>
pub const ASANA: Scheme<'static> = Scheme {
    name: "asana",
    signature: Signature::bare("x-hook-signature"),
    profile: Profile::new("Asana", "https://developers.asana.com/docs/webhooks-guide").retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_HEX
};

/// monday.com: a JSON Web Token in `Authorization`, without a scheme in front, HS256 with the signing secret of the app.
///
/// The body is not signed: whoever captured a token can send another body with it until the token expires, which it does after five minutes.
/// `aud` is the URL of the endpoint and must be configured as the parameter `audience`: all endpoints of an app share the secret. Lifecycle webhooks
/// are signed with the client secret, and are not meant here. The token holds another one that opens the API, so it must not be logged. Webhooks that
/// were made with a personal token have none, and are refused.
///
/// Source: <https://developer.monday.com/apps/docs/authorization-header>, <https://developer.monday.com/apps/docs/advanced-concepts>, for the retries
/// <https://developer.monday.com/apps/changelog/clarification-on-retry-policies-for-webhooks-and-custom-actions>
pub const MONDAY: Scheme<'static> = Scheme {
    name: "monday",
    secret_format: SecretFormat::Text,
    signature: Signature::bare("authorization"),
    timestamp: Some(Timestamp::unix_seconds(Source::Claim("/iat"))),
    id: Some(Source::Json("/event/triggerUuid")),
    event: Some(Source::Json("/event/type")),
    unsigned_body: true,
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Hs256],
        claims: &[Claim { at: &["/aud"], expected: Expected::Parameter("audience") }],
        expires: true,
        ..Jws::NEW
    }),
    profile: Profile::new("monday.com", "https://developer.monday.com/apps/docs/authorization-header")
        .retries(RetryOn::AnyFailure, 1),
    ..Scheme::JWS
};

/// Trello: `X-Trello-Webhook`, HMAC-SHA1 of the body and the callback URL, in base64, with the application's secret.
///
/// The URL is the one that was registered, with its query; register one with a path. When a webhook is made, Trello asks for that URL by a HEAD
/// request that is not signed. An action reaches every webhook that watches something of it, so its id is no id of a delivery.
///
/// Source: <https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/>
pub const TRELLO: Scheme<'static> = Scheme {
    name: "trello",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-trello-webhook"),
    event: Some(Source::Json("/action/type")),
    message: &[Part::Canonical(trello::BODY_AND_URL)],
    profile: Profile::new("Trello", "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/")
        .addresses("https://ip-ranges.atlassian.com/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Greenhouse, recruiting and onboarding: `Signature: sha256 …`, HMAC-SHA256 of the body.
///
/// The event id is not signed. RFC 9421 uses a header of that name for something else.
///
/// Source: <https://developers.greenhouse.io/webhooks.html>
pub const GREENHOUSE: Scheme<'static> = Scheme {
    name: "greenhouse",
    signature: Signature::prefixed("signature", "sha256 "),
    id: Some(Source::Header("greenhouse-event-id")),
    event: Some(Source::Json("/action")),
    profile: Profile::new("Greenhouse", "https://developers.greenhouse.io/webhooks.html"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Ashby: `Ashby-Signature: sha256=…`, HMAC-SHA256 of the body.
///
/// The id is the same for every webhook that is set up for the event. Bodies without one are told apart by their bytes.
///
/// Source: <https://developers.ashbyhq.com/docs/authenticating-webhooks>, <https://developers.ashbyhq.com/docs/common-payload-data>
pub const ASHBY: Scheme<'static> = Scheme {
    name: "ashby",
    signature: Signature::prefixed("ashby-signature", "sha256="),
    id: Some(Source::Json("/webhookActionId")),
    event: Some(Source::Json("/action")),
    profile: Profile::new("Ashby", "https://developers.ashbyhq.com/docs/authenticating-webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Deel: `x-deel-signature`, HMAC-SHA256 of the word `POST` and the body.
///
/// Source: <https://developer.deel.com/api/webhooks/quickstart>
pub const DEEL: Scheme<'static> = Scheme {
    name: "deel",
    signature: Signature::bare("x-deel-signature"),
    event: Some(Source::Json("/data/meta/event_type")),
    message: &[Part::Text("POST"), Part::Body],
    profile: Profile::new("Deel", "https://developer.deel.com/api/webhooks/quickstart"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Notion: `X-Notion-Signature: sha256=…`, HMAC-SHA256 of the body, with the verification token as the secret.
///
/// The token comes with the first request, which is not signed, and so refused.
///
/// Source: <https://www.npmjs.com/package/@notionhq/client> (5.26.0, `webhooks`)
pub const NOTION: Scheme<'static> = Scheme {
    name: "notion",
    signature: Signature::prefixed("x-notion-signature", "sha256="),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Notion", "https://developers.notion.com/reference/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Figma: the passcode stands in the JSON body, at `/passcode`, and nothing is signed.
///
/// Figma stops a webhook that is answered with 400.
///
/// Source: <https://developers.figma.com/docs/rest-api/webhooks-security>
pub const FIGMA: Scheme<'static> = Scheme {
    name: "figma",
    signature: Signature::at(Source::Json("/passcode")),
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("Figma", "https://developers.figma.com/docs/rest-api/webhooks-security"),
    ..Scheme::TOKEN
};

/// Airtable: `X-Airtable-Content-MAC: hmac-sha256=…`, HMAC-SHA256 of the body, with the secret in base64.
///
/// The body says which webhook has news and when; the news are to be fetched. Airtable counts only 200 and 204 as success.
///
/// Source: <https://airtable.com/developers/web/api/webhooks-overview>
pub const AIRTABLE: Scheme<'static> = Scheme {
    name: "airtable",
    secret_format: SecretFormat::Base64,
    signature: Signature::prefixed("x-airtable-content-mac", "hmac-sha256="),
    profile: Profile::new("Airtable", "https://airtable.com/developers/web/api/webhooks-overview")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_HEX
};

/// ClickUp: `X-Signature`, HMAC-SHA256 of the body.
///
/// Some bodies only say which folder or space was changed, which may happen again: replays cannot be told from news.
///
/// Source: <https://developer.clickup.com/docs/webhooksignature>, <https://developer.clickup.com/docs/webhookfolderpayloads>
pub const CLICKUP: Scheme<'static> = Scheme {
    name: "clickup",
    signature: Signature::bare("x-signature"),
    event: Some(Source::Json("/event")),
    repeats: Repeats::Always,
    profile: Profile::new("ClickUp", "https://developer.clickup.com/docs/webhooksignature"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Todoist: `X-Todoist-Hmac-SHA256`, HMAC-SHA256 of the body, in base64, with the client secret of the app.
///
/// The delivery id is not signed.
///
/// Source: <https://www.npmjs.com/package/@doist/todoist-sdk> (17.0.0, `verifyWebhookSignature`)
pub const TODOIST: Scheme<'static> = Scheme {
    name: "todoist",
    signature: Signature::bare("x-todoist-hmac-sha256"),
    id: Some(Source::Header("x-todoist-delivery-id")),
    event: Some(Source::Json("/event_name")),
    profile: Profile::new("Todoist", "https://developer.todoist.com/api/v1/#tag/Webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Attio: `Attio-Signature`, HMAC-SHA256 of the body.
///
/// The body only says what changed, not when, so the same one may come again: replays cannot be told from news. The idempotency key is not signed.
///
/// Source: <https://docs.attio.com/rest-api/guides/webhooks>
pub const ATTIO: Scheme<'static> = Scheme {
    name: "attio",
    signature: Signature::bare("attio-signature"),
    id: Some(Source::Header("idempotency-key")),
    repeats: Repeats::Always,
    profile: Profile::new("Attio", "https://docs.attio.com/rest-api/guides/webhooks").retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_HEX
};

/// Close: `close-sig-hash`, HMAC-SHA256 of the time and the body, with the signature key in hexadecimal digits.
///
/// The event is what was done (`/event/action`); `/event/object_type` says to what.
///
/// Source: <https://developer.close.com/api/resources/webhooks>
pub const CLOSE: Scheme<'static> = Scheme {
    name: "close",
    secret_format: SecretFormat::Hex,
    signature: Signature::bare("close-sig-hash"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("close-sig-timestamp"))),
    id: Some(Source::Json("/event/id")),
    event: Some(Source::Json("/event/action")),
    message: &[Part::Timestamp, Part::Body],
    profile: Profile::new("Close", "https://developer.close.com/api/resources/webhooks")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_HEX
};

/// Outreach: `Outreach-Webhook-Signature`, HMAC-SHA256 of the body.
///
/// Source: <https://developers.outreach.io/client-extensions/app-lifecycle-webhooks/>
pub const OUTREACH: Scheme<'static> = Scheme {
    name: "outreach",
    signature: Signature::bare("outreach-webhook-signature"),
    event: Some(Source::Json("/meta/eventName")),
    profile: Profile::new("Outreach", "https://developers.outreach.io/client-extensions/app-lifecycle-webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// HiBob: `Bob-Signature`, HMAC-SHA512 of the body, in base64.
///
/// Source: <https://apidocs.hibob.com/docs/working-with-webhooks>
pub const HIBOB: Scheme<'static> = Scheme {
    name: "hibob",
    algorithm: Algorithm::HmacSha512,
    signature: Signature::bare("bob-signature"),
    event: Some(Source::Json("/type")),
    profile: Profile::new("HiBob", "https://apidocs.hibob.com/docs/working-with-webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Pipedrive: user and password of the webhook, as `Authorization: Basic …`; nothing is signed.
///
/// The event is what was done (`/meta/action`); `/meta/entity` says to what.
///
/// Source: <https://pipedrive.readme.io/docs/guide-for-webhooks-v2>
pub const PIPEDRIVE: Scheme<'static> = Scheme {
    name: "pipedrive",
    event: Some(Source::Json("/meta/action")),
    profile: Profile::new("Pipedrive", "https://pipedrive.readme.io/docs/guide-for-webhooks-v2"),
    ..Scheme::BASIC
};
