//! Social networks and messengers.

use std::time::Duration;

use super::canonical;
use crate::scheme::{Algorithm, Part, Profile, RetryOn, Scheme, Signature, Source, Timestamp, Tolerance};

/// Meta (Facebook pages, Messenger, Instagram, Threads): `X-Hub-Signature-256: sha256=…`, HMAC-SHA256 of the body.
///
/// The secret is the app secret, not the token by which an endpoint is verified. Meta signs text in escapes (`\u00e9`), which is also how it sends it: the
/// signature is lost if the JSON is written anew. The event type is the kind of object; a body may hold several changes of it.
///
/// Source: <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>
pub const META: Scheme<'static> = Scheme {
    name: "meta",
    signature: Signature::prefixed("x-hub-signature-256", "sha256="),
    event: Some(Source::Json("/object")),
    profile: Profile::new("Meta", "https://developers.facebook.com/docs/graph-api/webhooks/getting-started")
        .retries(RetryOn::AnyFailure, 36),
    ..Scheme::HMAC_SHA256_HEX
};

/// Meta, the older header: `X-Hub-Signature: sha1=…`, HMAC-SHA1 of the body.
///
/// Prefer [`META`]: wherever this header is sent, the other one is, too.
///
/// Source: <https://developers.facebook.com/docs/messenger-platform/webhooks>
pub const META_SHA1: Scheme<'static> = Scheme {
    name: "meta-sha1",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::prefixed("x-hub-signature", "sha1="),
    ..META
};

/// WhatsApp Cloud API: `X-Hub-Signature-256: sha256=…`, HMAC-SHA256 of the body, as [`META`] has it.
///
/// The secret is the app secret.
///
/// Source: <https://developers.facebook.com/docs/graph-api/webhooks/getting-started>
pub const WHATSAPP: Scheme<'static> = Scheme {
    name: "whatsapp",
    max_body: 3 * 1024 * 1024,
    profile: Profile::new(
        "WhatsApp Cloud API",
        "https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks",
    )
    .retries(RetryOn::AnyFailure, 7 * 24),
    ..META
};

/// LinkedIn: `X-LI-Signature`, HMAC-SHA256 of the text `hmacsha256=` and the body.
///
/// The text is signed, and not part of the header. The secret is the client secret. A body may hold several notifications, each with an id of its own,
/// which may come more than once. That deliveries are tried again for eight hours is said of social actions only. The challenge that comes every two
/// hours is not a delivery: see [`handshake::LINKEDIN`](crate::handshake::LINKEDIN).
///
/// Source: <https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation>
pub const LINKEDIN: Scheme<'static> = Scheme {
    name: "linkedin",
    signature: Signature::bare("x-li-signature"),
    event: Some(Source::Json("/type")),
    message: &[Part::Text("hmacsha256="), Part::Body],
    profile: Profile::new("LinkedIn", "https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation")
        .retries(RetryOn::AnyFailure, 8),
    ..Scheme::HMAC_SHA256_HEX
};

/// TikTok for Developers: `TikTok-Signature: t=…,s=…`, HMAC-SHA256 of `t.body`.
///
/// The secret is the client secret. TikTok goes on for three days and does not say whether tries are signed anew, so a time may be that old. TikTok Shop
/// signs otherwise.
///
/// Source: <https://developers.tiktok.com/doc/webhooks-verification>
pub const TIKTOK: Scheme<'static> = Scheme {
    name: "tiktok",
    signature: Signature::field("tiktok-signature", ',', "s"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    tolerance: Tolerance { past: Duration::from_secs(73 * 3600), future: Duration::from_secs(300) },
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("TikTok", "https://developers.tiktok.com/doc/webhooks-verification")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_HEX
};

/// X, once Twitter: `x-twitter-webhooks-signature: sha256=…`, HMAC-SHA256 of the body, in base64.
///
/// The secret is the consumer secret. What has happened is the name of a member of the body, so there is no event type here. The challenge (CRC) that X
/// sends every hour is not a delivery: see [`handshake::X_CRC`](crate::handshake::X_CRC).
///
/// Source: <https://docs.x.com/x-api/webhooks/quickstart>
pub const X_TWITTER: Scheme<'static> = Scheme {
    name: "x-twitter",
    signature: Signature::prefixed("x-twitter-webhooks-signature", "sha256="),
    profile: Profile::new("X", "https://docs.x.com/x-api/webhooks/quickstart"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// LINE Messaging API: `x-line-signature`, HMAC-SHA256 of the body, in base64.
///
/// The secret is the channel secret, which looks hexadecimal and is not decoded. The body is a list of events, so the request has neither one id nor one
/// type. LINE delivers again only if that is turned on, and then with `isRedelivery` set, so with other bytes: tell events apart by their
/// `webhookEventId`. Its Verify button sends the same empty list every time, which is refused as a replay from the second time on.
///
/// Source: <https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/>
pub const LINE: Scheme<'static> = Scheme {
    name: "line",
    signature: Signature::bare("x-line-signature"),
    profile: Profile::new("LINE", "https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// WeChat Official Accounts, plain mode: `signature` in the query, SHA-1 of token, timestamp and nonce. The body is not signed.
///
/// Whoever sees one delivery can put another body to its signature. The hash is no MAC either, and WeChat gives up after three tries within
/// seconds. Encrypted mode, which this is not, protects the body.
///
/// Source: <https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html>
pub const WECHAT_MP: Scheme<'static> = Scheme {
    name: "wechat-mp",
    algorithm: Algorithm::Sha1,
    signature: Signature::at(Source::Query("signature")),
    timestamp: Some(Timestamp::unix_seconds(Source::Query("timestamp"))),
    message: &[Part::Canonical(canonical::wechat::SORTED)],
    unsigned_body: true,
    profile: Profile::new(
        "WeChat Official Accounts",
        "https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Viber bots: `X-Viber-Content-Signature`, HMAC-SHA256 of the body.
///
/// The secret is the bot's authentication token.
///
/// Source: <https://developers.viber.com/docs/api/rest-bot-api/#callbacks>
pub const VIBER: Scheme<'static> = Scheme {
    name: "viber",
    signature: Signature::bare("x-viber-content-signature"),
    id: Some(Source::Json("/message_token")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Viber", "https://developers.viber.com/docs/api/rest-bot-api/#callbacks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Lark and Feishu: `X-Lark-Signature`, SHA-256 of timestamp, nonce, encrypt key and body.
///
/// Only apps with an encrypt key get signatures, and their events come encrypted, so that id and type are not to be seen here. The hash is no
/// MAC, but what could be added to the end of a captured body starts with zero bytes, and bodies that hold one are refused. Nothing says whether retries bear
/// a new time, so that a day is granted.
///
/// Source: <https://github.com/larksuite/oapi-sdk-python/blob/v2_main/lark_oapi/event/dispatcher_handler.py>
pub const LARK: Scheme<'static> = Scheme {
    name: "lark",
    algorithm: Algorithm::Sha256,
    signature: Signature::bare("x-lark-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-lark-request-timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs(24 * 3600), future: Duration::from_secs(300) },
    id: Some(Source::Json("/header/event_id")),
    event: Some(Source::Json("/header/event_type")),
    message: &[Part::Timestamp, Part::Canonical(canonical::lark::NONCE_KEY_AND_BODY)],
    profile: Profile::new(
        "Lark",
        "https://open.larksuite.com/document/server-docs/event-subscription-guide/event-subscription-configure-/encrypt-key-encryption-configuration-case",
    ),
    ..Scheme::HMAC_SHA256_HEX
};
