//! Messages, calls, chats, and the desks that answer them.

use super::{
    canonical::{plivo, twilio},
    standard::STANDARD_WEBHOOKS,
};
use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Claim, Encoding, Expected, Grammar, Jws, JwsAlgorithm, Part, Profile, Repeats, RetryOn, Scheme,
        Signature, Source, Timestamp,
    },
};

/// Twilio: `X-Twilio-Signature`, HMAC-SHA1 of the URL and the sorted form, with the auth token as the secret.
///
/// A JSON body is signed through its hash, the query's `bodySHA256`, which must come last there; a body that is neither is refused. The URL
/// is the one that was given to Twilio: Twilio's SDKs try it with and without the default port, here the port must be as configured.
///
/// Nothing stands between the URL, the names and the values, so who captured a request could shift characters between them. No time is
/// signed, and a caller who presses the same key again sends the same bytes: replays cannot be told from news. The method and the
/// idempotency token, which is given as the id, are not signed.
///
/// Source: <https://www.twilio.com/docs/usage/webhooks/webhooks-security>
pub const TWILIO: Scheme<'static> = Scheme {
    name: "twilio",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-twilio-signature"),
    message: &[Part::Canonical(twilio::URL_AND_FORM)],
    id: Some(Source::Header("i-twilio-idempotency-token")),
    repeats: Repeats::Always,
    methods: &["POST", "GET"],
    profile: Profile::new("Twilio", "https://www.twilio.com/docs/usage/webhooks/webhooks-security"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Twilio with a shared key: `X-Twilio-Signature` as in [`TWILIO`], but HMAC-SHA256, with the secret of the key.
///
/// The header `X-Twilio-Webhooks-Signature-Settings` says so, and is not looked at: who uses shared keys accepts nothing else.
///
/// Source: <https://github.com/twilio/twilio-python> (9.13.0, `request_validator.py`)
pub const TWILIO_SHARED_KEY: Scheme<'static> = Scheme {
    name: "twilio-shared-key",
    algorithm: Algorithm::HmacSha256,
    profile: Profile::new("Twilio (shared key)", "https://www.twilio.com/docs/usage/webhooks/webhooks-security"),
    ..TWILIO
};

/// Vonage (Messages, Voice, Dispatch, Video): a JWT in `Authorization: Bearer …`, HS256, whose `payload_hash` is the SHA-256 of the body.
///
/// The secret is the signature secret of the account. Vonage calls the hash optional; here it must be there, and its SDKs do not look at it.
/// Webhooks that are set to GET carry a hash of something else, and are refused.
///
/// Source: <https://developer.vonage.com/en/getting-started/concepts/webhooks>
pub const VONAGE: Scheme<'static> = Scheme {
    name: "vonage",
    secret_format: SecretFormat::Text,
    timestamp: Some(Timestamp::unix_seconds(Source::Claim("/iat"))),
    id: Some(Source::Claim("/jti")),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Hs256],
        claims: &[Claim { at: &["/payload_hash"], expected: Expected::BodySha256(Encoding::Hex) }],
        ..Jws::NEW
    }),
    profile: Profile::new("Vonage", "https://developer.vonage.com/en/getting-started/concepts/webhooks"),
    ..Scheme::JWS
};

/// MessageBird: a JWT in `MessageBird-Signature-JWT` with the SHA-256 of the URL and of the body, if there is one.
///
/// The token lives for a minute. The key may be used with HS256, HS384 and HS512.
///
/// Source: <https://github.com/messagebird/python-rest-api/blob/master/messagebird/request_validator.py>
pub const MESSAGEBIRD: Scheme<'static> = Scheme {
    name: "messagebird",
    secret_format: SecretFormat::Text,
    signature: Signature::bare("messagebird-signature-jwt"),
    timestamp: Some(Timestamp::unix_seconds(Source::Claim("/nbf"))),
    id: Some(Source::Claim("/jti")),
    methods: &["POST", "GET", "PUT", "PATCH", "DELETE"],
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Hs256, JwsAlgorithm::Hs384, JwsAlgorithm::Hs512],
        claims: &[
            Claim { at: &["/iss"], expected: Expected::OneOf(&["MessageBird"]) },
            Claim { at: &["/url_hash"], expected: Expected::Sha256(&[Part::Url], Encoding::Hex) },
            Claim { at: &["/payload_hash"], expected: Expected::BodySha256IfAny(Encoding::Hex) },
        ],
        expires: true,
        ..Jws::NEW
    }),
    profile: Profile::new("MessageBird", "https://developers.messagebird.com/docs/verify-http-requests"),
    ..Scheme::JWS
};

/// Bird, the platform that MessageBird became: `messagebird-signature`, HMAC-SHA256 of timestamp, URL and the SHA-256 of the body, a line each.
///
/// The hash is signed as its 32 bytes. The request id is not signed.
///
/// Source: <https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription>
pub const BIRD: Scheme<'static> = Scheme {
    name: "bird",
    signature: Signature::bare("messagebird-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("messagebird-request-timestamp"))),
    id: Some(Source::Header("messagebird-request-id")),
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("\n"), Part::Url, Part::Text("\n"), Part::BodySha256Raw],
    profile: Profile::new(
        "Bird",
        "https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription",
    ),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Bandwidth: user and password of the callback, as `Authorization: Basic …`; nothing is signed.
///
/// Message callbacks are lists, of which the first event's type is given here.
///
/// Source: <https://dev.bandwidth.com/docs/messaging/webhooks>
pub const BANDWIDTH: Scheme<'static> = Scheme {
    name: "bandwidth",
    event: Some(Source::JsonAny(&["/0/type", "/eventType"])),
    profile: Profile::new("Bandwidth", "https://dev.bandwidth.com/docs/messaging/webhooks")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::BASIC
};

/// Sinch Conversation: `x-sinch-webhook-signature`, HMAC-SHA256 of `body.nonce.timestamp`.
///
/// Events have no id of their own. The header that names the algorithm is not looked at.
///
/// Source: <https://developers.sinch.com/docs/conversation/callbacks/#callbacks-security>
pub const SINCH_CONVERSATION: Scheme<'static> = Scheme {
    name: "sinch-conversation",
    signature: Signature::bare("x-sinch-webhook-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-sinch-webhook-signature-timestamp"))),
    message: &[
        Part::Body,
        Part::Text("."),
        Part::Header("x-sinch-webhook-signature-nonce"),
        Part::Text("."),
        Part::Timestamp,
    ],
    profile: Profile::new(
        "Sinch Conversation",
        "https://developers.sinch.com/docs/conversation/callbacks/#callbacks-security",
    ),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Sinch Numbers: `X-Sinch-Signature`, HMAC-SHA1 of the body.
///
/// Source: <https://github.com/sinch/sinch-sdk-python/blob/main/sinch/domains/authentication/sinch_events/v1/authentication_validation.py>
pub const SINCH_NUMBERS: Scheme<'static> = Scheme {
    name: "sinch-numbers",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-sinch-signature"),
    id: Some(Source::Json("/eventId")),
    event: Some(Source::Json("/eventType")),
    profile: Profile::new(
        "Sinch Numbers",
        "https://developers.sinch.com/docs/numbers/api-reference/numbers/tag/Callbacks/",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Telnyx, API v2: `telnyx-signature-ed25519`, Ed25519 of `timestamp|body`.
///
/// The key is the public key of the account in base64, from the portal. A delivery that fails goes to the failover URL.
///
/// Source: <https://developers.telnyx.com/docs/development/api-fundamentals/webhooks>
pub const TELNYX: Scheme<'static> = Scheme {
    name: "telnyx",
    encoding: Encoding::Base64,
    signature: Signature::bare("telnyx-signature-ed25519"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("telnyx-timestamp"))),
    id: Some(Source::Json("/data/id")),
    event: Some(Source::Json("/data/event_type")),
    message: &[Part::Timestamp, Part::Text("|"), Part::Body],
    profile: Profile::new("Telnyx", "https://developers.telnyx.com/docs/development/api-fundamentals/webhooks"),
    ..Scheme::ED25519_HEX
};

/// Discord (interactions and webhook events): `X-Signature-Ed25519`, Ed25519 of timestamp and body.
///
/// The key is the application's public key. Discord sends forged signatures now and then, and removes the URL unless they get a 401. An interaction
/// must be answered within three seconds. Webhook events have no id.
///
/// Source: <https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers>
pub const DISCORD: Scheme<'static> = Scheme {
    name: "discord",
    signature: Signature::bare("x-signature-ed25519"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-signature-timestamp"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::JsonAny(&["/event/type", "/type"])),
    message: &[Part::Timestamp, Part::Body],
    profile: Profile::new(
        "Discord",
        "https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers",
    ),
    ..Scheme::ED25519_HEX
};

/// Webex: `X-Spark-Signature`, HMAC-SHA1 of the body.
///
/// The id in the body is that of the webhook, not of the delivery. What happened is `event` to a `resource`; the former is given here.
/// Webhooks without a secret are not signed.
///
/// Source: <https://developer.webex.com/docs/api/guides/webhooks>
pub const WEBEX: Scheme<'static> = Scheme {
    name: "webex",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-spark-signature"),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Webex", "https://developer.webex.com/docs/api/guides/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Microsoft Teams, outgoing webhooks: `Authorization: HMAC …`, HMAC-SHA256 of the body.
///
/// The secret is the security token, in base64 as Teams shows it. Teams waits for the answer, a message of the Bot Framework, for five seconds, and
/// does not try again.
///
/// Source: <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>
pub const MICROSOFT_TEAMS_OUTGOING: Scheme<'static> = Scheme {
    name: "microsoft-teams-outgoing",
    secret_format: SecretFormat::Base64,
    signature: Signature::prefixed("authorization", "HMAC "),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new(
        "Microsoft Teams outgoing webhooks",
        "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook",
    )
    .retries(RetryOn::Never, 0),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Zulip, outgoing webhooks: `token` in the body is the token itself, and nothing is signed.
///
/// The answer is posted as a message: `{"response_not_required": true}` keeps silent.
///
/// Source: <https://zulip.com/api/outgoing-webhooks>
pub const ZULIP: Scheme<'static> = Scheme {
    name: "zulip",
    signature: Signature::at(Source::Json("/token")),
    id: Some(Source::Json("/message/id")),
    event: Some(Source::Json("/trigger")),
    profile: Profile::new("Zulip", "https://zulip.com/api/outgoing-webhooks"),
    ..Scheme::TOKEN
};

/// Pusher Channels: `X-Pusher-Signature`, HMAC-SHA256 of the body, with the secret of the key that `X-Pusher-Key` names.
///
/// The body holds a list of events, and the time at which it was written. The Python SDK refuses what was written more than five minutes
/// ago; for as long Pusher keeps trying.
///
/// Source: <https://pusher.com/docs/channels/server_api/webhooks/>
pub const PUSHER: Scheme<'static> = Scheme {
    name: "pusher",
    signature: Signature::bare("x-pusher-signature"),
    key_id: Some(Source::Header("x-pusher-key")),
    profile: Profile::new("Pusher Channels", "https://pusher.com/docs/channels/server_api/webhooks/")
        .retries(RetryOn::AnyFailure, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Intercom: `X-Hub-Signature: sha1=…`, HMAC-SHA1 of the body, with the client secret of the app.
///
/// The body counts the attempts, so a retry has other bytes under the same id.
///
/// Source: <https://developers.intercom.com/docs/webhooks>, and
/// <https://developers.intercom.com/intercom-api-reference/v1.0/reference/signed-notifications>
pub const INTERCOM: Scheme<'static> = Scheme {
    name: "intercom",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::prefixed("x-hub-signature", "sha1="),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/topic")),
    profile: Profile::new("Intercom", "https://developers.intercom.com/docs/webhooks").resigned(true),
    ..Scheme::HMAC_SHA256_HEX
};

/// Front, webhooks of applications: `X-Front-Signature`, HMAC-SHA256 of `timestamp:body`.
///
/// The time is in milliseconds. The request that is sent when a URL is saved is signed too, and carries `X-Front-Challenge`.
///
/// Source: <https://dev.frontapp.com/docs/application-webhooks>
pub const FRONT: Scheme<'static> = Scheme {
    name: "front",
    signature: Signature::bare("x-front-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-front-request-timestamp"))),
    id: Some(Source::Json("/payload/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Front", "https://dev.frontapp.com/docs/application-webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Front, webhooks of rules: `X-Front-Signature`, HMAC-SHA1 of the body, with the API secret of the company.
///
/// Source: <https://dev.frontapp.com/docs/rule-webhooks>
pub const FRONT_RULE: Scheme<'static> = Scheme {
    name: "front-rule",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-front-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Front rules", "https://dev.frontapp.com/docs/rule-webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Courier: `courier-signature: t=…,signature=…`, HMAC-SHA256 of `t.body`.
///
/// The time is in milliseconds. Events have no id of their own: `data.id` is that of the message, which has several. Webhooks without a
/// secret are not signed.
///
/// Source: <https://www.courier.com/docs/platform/workspaces/outbound-webhooks>, and <https://github.com/trycourier/courier-skills>
/// (`skills/courier/references/guides/webhooks.md`)
pub const COURIER: Scheme<'static> = Scheme {
    name: "courier",
    signature: Signature::field("courier-signature", ',', "signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Field("t"))),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Courier", "https://www.courier.com/docs/platform/workspaces/outbound-webhooks")
        .retries(RetryOn::ServerErrorsAndRateLimits, 24),
    ..Scheme::HMAC_SHA256_HEX
};

/// WebSub (PubSubHubbub) with HMAC-SHA1: `X-Hub-Signature: sha1=…` of the content, with the secret of the subscription.
///
/// The hub chooses the algorithm, so look at what yours sends; PubSubHubbub 0.4 knew only this one. Content may come back to what it was,
/// so replays cannot be told from news. Only subscriptions with a secret are signed.
///
/// Source: <https://www.w3.org/TR/websub/#signing-content>
pub const WEBSUB_SHA1: Scheme<'static> = Scheme {
    name: "websub-sha1",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::prefixed("x-hub-signature", "sha1="),
    repeats: Repeats::Always,
    profile: Profile::new("WebSub (SHA-1)", "https://www.w3.org/TR/websub/#signing-content"),
    ..Scheme::HMAC_SHA256_HEX
};

/// WebSub (PubSubHubbub) with HMAC-SHA256: `X-Hub-Signature: sha256=…` of the content; see [`WEBSUB_SHA1`].
///
/// Source: <https://www.w3.org/TR/websub/#signing-content>
pub const WEBSUB_SHA256: Scheme<'static> = Scheme {
    name: "websub-sha256",
    algorithm: Algorithm::HmacSha256,
    signature: Signature::prefixed("x-hub-signature", "sha256="),
    profile: Profile::new("WebSub (SHA-256)", "https://www.w3.org/TR/websub/#signing-content"),
    ..WEBSUB_SHA1
};

/// WebSub (PubSubHubbub) with HMAC-SHA384: `X-Hub-Signature: sha384=…` of the content; see [`WEBSUB_SHA1`].
///
/// Source: <https://www.w3.org/TR/websub/#signing-content>
pub const WEBSUB_SHA384: Scheme<'static> = Scheme {
    name: "websub-sha384",
    algorithm: Algorithm::HmacSha384,
    signature: Signature::prefixed("x-hub-signature", "sha384="),
    profile: Profile::new("WebSub (SHA-384)", "https://www.w3.org/TR/websub/#signing-content"),
    ..WEBSUB_SHA1
};

/// WebSub (PubSubHubbub) with HMAC-SHA512: `X-Hub-Signature: sha512=…` of the content; see [`WEBSUB_SHA1`].
///
/// Source: <https://www.w3.org/TR/websub/#signing-content>
pub const WEBSUB_SHA512: Scheme<'static> = Scheme {
    name: "websub-sha512",
    algorithm: Algorithm::HmacSha512,
    signature: Signature::prefixed("x-hub-signature", "sha512="),
    profile: Profile::new("WebSub (SHA-512)", "https://www.w3.org/TR/websub/#signing-content"),
    ..WEBSUB_SHA1
};

/// Nylas, version 3: `X-Nylas-Signature`, HMAC-SHA256 of the body.
///
/// The body counts the attempts, so a retry has other bytes under the same id. Compressed notifications are signed as compressed.
///
/// Source: <https://developer.nylas.com/docs/v3/notifications/>
pub const NYLAS: Scheme<'static> = Scheme {
    name: "nylas",
    signature: Signature::bare("x-nylas-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Nylas", "https://developer.nylas.com/docs/v3/notifications/").resigned(true),
    ..Scheme::HMAC_SHA256_HEX
};

/// Plivo, signatures of version 3: `X-Plivo-Signature-V3`, HMAC-SHA256 of the URL, the sorted form and a nonce, with the auth token.
///
/// Nothing stands between names and values of the form, so who captured a request could shift characters between them, or from the form
/// into the query of a URL that has none. A query that holds a full stop is refused. Webhooks must be set to POST.
///
/// Source: <https://github.com/plivo/plivo-python> (4.63.0, `plivo/utils/signature_v3.py`)
pub const PLIVO: Scheme<'static> = Scheme {
    name: "plivo",
    signature: Signature { grammar: Grammar::List { separator: ',' }, ..Signature::bare("x-plivo-signature-v3") },
    event: Some(Source::Form("Event")),
    message: &[Part::Canonical(plivo::URL_FORM_AND_NONCE)],
    profile: Profile::new("Plivo", "https://www.plivo.com/docs/voice/concepts/signature-validation"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// LiveKit: a JWT in `Authorization`, HS256, whose `sha256` is that of the body.
///
/// The header holds the token and nothing else. The issuer must be the API key, to be configured as `api-key`; the secret is that of the key.
/// A token lives for five minutes.
///
/// Source: <https://docs.livekit.io/home/server/webhooks/>
pub const LIVEKIT: Scheme<'static> = Scheme {
    name: "livekit",
    secret_format: SecretFormat::Text,
    signature: Signature::bare("authorization"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event")),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Hs256],
        claims: &[
            Claim { at: &["/iss"], expected: Expected::Parameter("api-key") },
            Claim { at: &["/sha256"], expected: Expected::BodySha256(Encoding::Base64) },
        ],
        expires: true,
        ..Jws::NEW
    }),
    profile: Profile::new("LiveKit", "https://docs.livekit.io/home/server/webhooks/"),
    ..Scheme::JWS
};

/// Stream (Chat, Video, Feeds): `X-Signature`, HMAC-SHA256 of the body, with the API secret of the app.
///
/// Compressed webhooks are signed before they are compressed, so leave compression off. The id, the same for all attempts, is not signed.
///
/// Source: <https://getstream.io/chat/docs/node/webhooks_overview/>
pub const STREAM: Scheme<'static> = Scheme {
    name: "stream",
    signature: Signature::bare("x-signature"),
    id: Some(Source::Header("x-webhook-id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Stream", "https://getstream.io/chat/docs/node/webhooks_overview/")
        .retries(RetryOn::ServerErrorsAndRateLimits, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Agora, notification centre: `Agora-Signature-V2`, HMAC-SHA256 of the body.
///
/// `Agora-Signature`, with SHA-1, is sent beside it and not looked at. What the number of an event means depends on `productId`.
///
/// Source: <https://docs.agora.io/en/video-calling/advanced-features/receive-notifications> and
/// <https://docs.agora.io/en/broadcast-streaming/reference/signature-verification>
pub const AGORA: Scheme<'static> = Scheme {
    name: "agora",
    signature: Signature::bare("agora-signature-v2"),
    id: Some(Source::Json("/noticeId")),
    id_extra: ":",
    event: Some(Source::Json("/eventType")),
    profile: Profile::new("Agora", "https://docs.agora.io/en/video-calling/advanced-features/receive-notifications"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Aircall: `token` in the body is the token of the webhook, and nothing is signed.
///
/// Source: <https://developer.aircall.io/docs/setup-webhooks>
pub const AIRCALL: Scheme<'static> = Scheme {
    name: "aircall",
    signature: Signature::at(Source::Json("/token")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Aircall", "https://developer.aircall.io/docs/setup-webhooks"),
    ..Scheme::TOKEN
};

/// Crisp, hooks of plugins: `X-Crisp-Signature`, HMAC-SHA256 of `[timestamp;body]`.
///
/// Website hooks, which have a key in their URL instead, are not signed. How the timestamp is written, and whether another attempt has a new
/// one, is not documented, so its age is not judged.
///
/// Source: <https://docs.crisp.chat/references/web-hooks/v1/>, and <https://github.com/crisp-im/node-crisp-api> (11.3.0, `verifyHook`)
pub const CRISP: Scheme<'static> = Scheme {
    name: "crisp",
    signature: Signature::bare("x-crisp-signature"),
    event: Some(Source::Json("/event")),
    message: &[
        Part::Text("["),
        Part::Header("x-crisp-request-timestamp"),
        Part::Text(";"),
        Part::Body,
        Part::Text("]"),
    ],
    profile: Profile::new("Crisp", "https://docs.crisp.chat/references/web-hooks/v1/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Dialpad: the body is a JWT, HS256, with the secret of the webhook; the event are its claims.
///
/// Webhooks without a secret send plain JSON, and are refused.
///
/// Source: <https://developers.dialpad.com/docs/event-subscriptions>
pub const DIALPAD: Scheme<'static> = Scheme {
    name: "dialpad",
    secret_format: SecretFormat::Text,
    signature: Signature::at(Source::Body),
    event: Some(Source::Claim("/state")),
    jws: Some(Jws { algorithms: &[JwsAlgorithm::Hs256], ..Jws::NEW }),
    profile: Profile::new("Dialpad", "https://developers.dialpad.com/docs/event-subscriptions"),
    ..Scheme::JWS
};

/// Help Scout: `X-HelpScout-Signature`, HMAC-SHA1 of the body, in base64.
///
/// The event type is not signed, and events of one change may come with the same body.
///
/// Source: <https://developer.helpscout.com/webhooks>
pub const HELPSCOUT: Scheme<'static> = Scheme {
    name: "helpscout",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-helpscout-signature"),
    event: Some(Source::Header("x-helpscout-event")),
    repeats: Repeats::PerEvent,
    profile: Profile::new("Help Scout", "https://developer.helpscout.com/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Knock: `x-knock-signature: t=…,s=…`, HMAC-SHA256 of `t.body`, in base64.
///
/// The time is in milliseconds. Events have no id of their own.
///
/// Source: <https://docs.knock.app/developer-tools/outbound-webhooks>, and its text in <https://github.com/knocklabs/docs>
/// (`content/developer-tools/outbound-webhooks/overview.mdx`)
pub const KNOCK: Scheme<'static> = Scheme {
    name: "knock",
    signature: Signature::field("x-knock-signature", ',', "s"),
    timestamp: Some(Timestamp::unix_millis(Source::Field("t"))),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Knock", "https://docs.knock.app/developer-tools/outbound-webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Mattermost, outgoing webhooks: `token` in the body, JSON or form, is the token of the webhook, and nothing is signed.
///
/// The id, which is that of the post, and the trigger word are given for JSON only.
///
/// Source: <https://developers.mattermost.com/integrate/webhooks/outgoing/>
pub const MATTERMOST: Scheme<'static> = Scheme {
    name: "mattermost",
    signature: Signature { others: &[Source::Form("token")], ..Signature::at(Source::Json("/token")) },
    id: Some(Source::Json("/post_id")),
    event: Some(Source::Json("/trigger_word")),
    profile: Profile::new("Mattermost", "https://developers.mattermost.com/integrate/webhooks/outgoing/"),
    ..Scheme::TOKEN
};

/// Podium: `podium-signature`, HMAC-SHA256 of `timestamp.body`.
///
/// The time is in milliseconds. Webhooks without a secret are not signed.
///
/// Source: <https://docs.podium.com/docs/verifying-webhook-signatures>
pub const PODIUM: Scheme<'static> = Scheme {
    name: "podium",
    signature: Signature::bare("podium-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("podium-timestamp"))),
    id: Some(Source::Json("/metadata/eventUid")),
    event: Some(Source::JsonAny(&["/metadata/eventType", "/metadata/event_type"])),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Podium", "https://docs.podium.com/docs/verifying-webhook-signatures"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Sendbird: `x-sendbird-signature`, HMAC-SHA256 of the body, with the master API token.
///
/// Source: <https://sendbird.com/docs/chat/platform-api/v3/webhook/webhook-overview>
pub const SENDBIRD: Scheme<'static> = Scheme {
    name: "sendbird",
    signature: Signature::bare("x-sendbird-signature"),
    event: Some(Source::Json("/category")),
    profile: Profile::new("Sendbird", "https://sendbird.com/docs/chat/platform-api/v3/webhook/webhook-overview")
        .retries(RetryOn::Timeouts, 1)
        .resigned(false),
    ..Scheme::HMAC_SHA256_HEX
};

/// Surge: Standard Webhooks headers, HMAC-SHA256 of `id.timestamp.body`.
///
/// The secret is written `whsec_…`. The id is that of an attempt, so another attempt is not recognised as the same event. Earlier, Surge sent
/// `Surge-Signature` instead.
///
/// Source: <https://docs.surge.app/api-reference/webhooks/signature-validation>, and <https://github.com/surgeapi/typescript-sdk>
/// (`@surgeapi/node` 0.30.0, `webhooks.unwrap`)
pub const SURGE: Scheme<'static> = Scheme {
    name: "surge",
    alternate: None,
    profile: Profile::new("Surge", "https://docs.surge.app/api-reference/webhooks/signature-validation").resigned(true),
    ..STANDARD_WEBHOOKS
};

/// TalkJS: `X-TalkJS-Signature`, HMAC-SHA256 of `timestamp.body`, in upper-case digits, with the secret key of the app.
///
/// How the timestamp is written is not documented, so its age is not judged.
///
/// Source: <https://talkjs.com/docs/Features/Security_Settings/Security%20Recommendations.html>, and
/// <https://github.com/talkjs/talkjs-examples> (`webhooks/php/webhook_callback.php`)
pub const TALKJS: Scheme<'static> = Scheme {
    name: "talkjs",
    signature: Signature::bare("x-talkjs-signature"),
    encoding: Encoding::HexUpper,
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Header("x-talkjs-timestamp"), Part::Text("."), Part::Body],
    profile: Profile::new("TalkJS", "https://talkjs.com/docs/Reference/Webhooks/").retries(RetryOn::AnyFailure, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// tawk.to: `X-Tawk-Signature`, HMAC-SHA1 of the body.
///
/// The event id, the same for all attempts, is not signed.
///
/// Source: <https://developer.tawk.to/webhooks/>
pub const TAWK_TO: Scheme<'static> = Scheme {
    name: "tawk-to",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-tawk-signature"),
    id: Some(Source::Header("x-hook-event-id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("tawk.to", "https://developer.tawk.to/webhooks/").retries(RetryOn::AnyFailure, 12),
    ..Scheme::HMAC_SHA256_HEX
};

/// Vapi: `X-Vapi-Secret` is the token of the credential, and nothing is signed.
///
/// Vapi keeps this way for compatibility: the credential is a bearer token with that header and without the `Bearer` prefix. Credentials of
/// other kinds (another header, OAuth, HMAC) are schemes of one's own.
///
/// Source: <https://docs.vapi.ai/server-url/server-authentication>
pub const VAPI: Scheme<'static> = Scheme {
    name: "vapi",
    signature: Signature::bare("x-vapi-secret"),
    event: Some(Source::Json("/message/type")),
    profile: Profile::new("Vapi", "https://docs.vapi.ai/server-url/server-authentication"),
    ..Scheme::TOKEN
};

/// Zoho Payments: `X-Zoho-Webhook-Signature: t=…,v=…`, HMAC-SHA256 of `t.body`.
///
/// The time is in milliseconds. Each attempt has a signature of its own.
///
/// Source: <https://www.zoho.com/in/payments/developerdocs/webhooks/verification>
pub const ZOHO_PAYMENTS: Scheme<'static> = Scheme {
    name: "zoho-payments",
    signature: Signature::field("x-zoho-webhook-signature", ',', "v"),
    timestamp: Some(Timestamp::unix_millis(Source::Field("t"))),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/event_type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Zoho Payments", "https://www.zoho.com/in/payments/developerdocs/webhooks/verification")
        .retries(RetryOn::AnyFailure, 48)
        .resigned(true),
    ..Scheme::HMAC_SHA256_HEX
};

/// Chatwoot: `X-Chatwoot-Signature: sha256=…`, HMAC-SHA256 of `timestamp.body`.
///
/// The delivery id, the same for all attempts, is not signed. Older installations do not sign.
///
/// Source: <https://github.com/chatwoot/chatwoot/pull/13573>, which added it
pub const CHATWOOT: Scheme<'static> = Scheme {
    name: "chatwoot",
    signature: Signature::prefixed("x-chatwoot-signature", "sha256="),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-chatwoot-timestamp"))),
    id: Some(Source::Header("x-chatwoot-delivery")),
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Chatwoot", "https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Whereby: `Whereby-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// The sample of the documentation accepts one minute.
///
/// Source: <https://docs.whereby.com/whereby-product-features/insights-suite-and-api/webhooks>
pub const WHEREBY: Scheme<'static> = Scheme {
    name: "whereby",
    signature: Signature::field("whereby-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new(
        "Whereby",
        "https://docs.whereby.com/whereby-product-features/insights-suite-and-api/webhooks",
    )
    .retries(RetryOn::ServerErrors, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Bland AI: `X-Webhook-Signature`, HMAC-SHA256 of the body.
///
/// Source: <https://docs.bland.ai/tutorials/webhook-signing>
pub const BLAND: Scheme<'static> = Scheme {
    name: "bland",
    signature: Signature::bare("x-webhook-signature"),
    profile: Profile::new("Bland AI", "https://docs.bland.ai/tutorials/webhook-signing"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Daily: `X-Webhook-Signature`, HMAC-SHA256 of `timestamp.body`, in base64.
///
/// The secret is base64. How the timestamp is written, and whether another attempt has a new one, is not documented, so its age is not
/// judged. The request that tests a new webhook is `{"test":"test"}`.
///
/// Source: <https://docs.daily.co/reference/rest-api/webhooks>
pub const DAILY: Scheme<'static> = Scheme {
    name: "daily",
    secret_format: SecretFormat::Base64,
    signature: Signature::bare("x-webhook-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Header("x-webhook-timestamp"), Part::Text("."), Part::Body],
    profile: Profile::new("Daily", "https://docs.daily.co/reference/rest-api/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// SignalWire (SWML, Relay): `X-SignalWire-Sha256-Signature`, HMAC-SHA256 of the URL and the body, with the signing key of the project.
///
/// No time is signed, and a call may ask for the same again: replays cannot be told from news.
///
/// Source: <https://github.com/signalwire/signalwire-python> (signalwire-sdk 3.7.5, `webhook_validator.py`)
pub const SIGNALWIRE: Scheme<'static> = Scheme {
    name: "signalwire",
    signature: Signature::bare("x-signalwire-sha256-signature"),
    message: &[Part::Url, Part::Body],
    repeats: Repeats::Always,
    profile: Profile::new("SignalWire", "https://developer.signalwire.com/guides/webhook-security"),
    ..Scheme::HMAC_SHA256_HEX
};

/// SignalWire (SWML, Relay) with HMAC-SHA1: `X-SignalWire-Signature`, from before it sent [`SIGNALWIRE`]'s header.
///
/// Source: <https://github.com/signalwire/signalwire-python> (signalwire-sdk 3.7.5, `webhook_validator.py`)
pub const SIGNALWIRE_SHA1: Scheme<'static> = Scheme {
    name: "signalwire-sha1",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-signalwire-signature"),
    profile: Profile::new("SignalWire (SHA-1)", "https://developer.signalwire.com/guides/webhook-security"),
    ..SIGNALWIRE
};

/// SignalWire (cXML, the compatibility API): `X-SignalWire-Signature` as [`TWILIO`]'s, with the signing key of the project.
///
/// Forms with a name twice are refused if the values are not sorted or the same: SignalWire leaves them as they are.
///
/// Source: <https://github.com/signalwire/signalwire-python> (signalwire-sdk 3.7.5, `webhook_validator.py`)
pub const SIGNALWIRE_COMPATIBILITY: Scheme<'static> = Scheme {
    name: "signalwire-compatibility",
    signature: Signature::bare("x-signalwire-signature"),
    id: None,
    profile: Profile::new("SignalWire (cXML)", "https://developer.signalwire.com/guides/webhook-security"),
    ..TWILIO
};
