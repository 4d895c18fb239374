//! Banks, cards, books and chains.

use super::{canonical::truelayer, standard::STANDARD_WEBHOOKS};
use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Claim, Encoding, Expected, Jws, JwsAlgorithm, Keys, Part, Profile, RetryOn, Scheme, Signature,
        Source, Timestamp, TimestampFormat, Tolerance,
    },
};

/// Alchemy: `X-Alchemy-Signature`, HMAC-SHA256 of the body.
///
/// The signing key belongs to one webhook. It starts with `whsec_` and is used as it is, unlike secrets of Standard Webhooks.
///
/// Source: <https://www.alchemy.com/docs/reference/notify-api-quickstart>
pub const ALCHEMY: Scheme<'static> = Scheme {
    name: "alchemy",
    signature: Signature::bare("x-alchemy-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Alchemy", "https://www.alchemy.com/docs/reference/notify-api-quickstart")
        .retries(RetryOn::AnyFailure, 1)
        .addresses("https://www.alchemy.com/docs/reference/notify-api-quickstart"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Blockfrost: `Blockfrost-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// The secret is the webhook's authentication token. Ten minutes are what the SDKs allow, which look at the past only. After a rollback of the chain
/// the same transaction may come again, as another event.
///
/// Source: <https://blockfrost.dev/start-building/webhooks/webhooks-signatures>
pub const BLOCKFROST: Scheme<'static> = Scheme {
    name: "blockfrost",
    signature: Signature::field("blockfrost-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    tolerance: Tolerance::seconds(600),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Blockfrost", "https://blockfrost.dev/start-building/webhooks/webhooks-signatures"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Brex: the headers of Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// The secret is base64. After a rotation Brex lists two secrets and sends two signatures: configure both.
///
/// Source: <https://developer.brex.com/docs/webhooks/>
pub const BREX: Scheme<'static> = Scheme {
    name: "brex",
    event: Some(Source::Json("/event_type")),
    alternate: None,
    profile: Profile::new("Brex", "https://developer.brex.com/docs/webhooks/"),
    ..STANDARD_WEBHOOKS
};

/// Chargebee: user and password in the `Authorization` header, and nothing is signed.
///
/// The secret is `user:password`, as set for the webhook. Chargebee also sends webhooks without a password, which are refused here.
///
/// Source: <https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings>, and `basicAuthValidator` of the npm package `chargebee`
pub const CHARGEBEE: Scheme<'static> = Scheme {
    name: "chargebee",
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("Chargebee", "https://apidocs.chargebee.com/docs/api/events/event-object")
        // The last try comes 3 days and 7 hours after the event.
        .retries(RetryOn::AnyFailure, 79),
    ..Scheme::BASIC
};

/// Circle, notifications of version 2: `X-Circle-Signature`, ECDSA over P-256 with SHA-256 of the body, in base64.
///
/// `X-Circle-Key-Id` says which key. Keys are had from Circle's API with an API key, as base64, never change, and are configured here under their id.
/// Version 1 (Circle Mint and others) is signed in another way. The time in the body is that of the event.
///
/// Source: <https://developers.circle.com/api-reference/verify-webhook-signatures>
pub const CIRCLE: Scheme<'static> = Scheme {
    name: "circle",
    algorithm: Algorithm::EcdsaP256Sha256,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("x-circle-signature"),
    key_id: Some(Source::Header("x-circle-key-id")),
    id: Some(Source::Json("/notificationId")),
    event: Some(Source::Json("/notificationType")),
    profile: Profile::new("Circle", "https://developers.circle.com/api-reference/verify-webhook-signatures"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Coinflow: `Coinflow-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// The secret is the webhook validation key. There is no delivery id.
///
/// Source: <https://docs.coinflow.cash/guides/developer-resources/webhooks/verifying-webhook-signatures>
pub const COINFLOW: Scheme<'static> = Scheme {
    name: "coinflow",
    signature: Signature::field("coinflow-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    event: Some(Source::Json("/eventType")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new(
        "Coinflow",
        "https://docs.coinflow.cash/guides/developer-resources/webhooks/verifying-webhook-signatures",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Dwolla: `X-Request-Signature-SHA-256`, HMAC-SHA256 of the body.
///
/// Source: <https://developers.dwolla.com/docs/balance/webhooks/process-validate>
pub const DWOLLA: Scheme<'static> = Scheme {
    name: "dwolla",
    signature: Signature::bare("x-request-signature-sha-256"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/topic")),
    profile: Profile::new("Dwolla", "https://developers.dwolla.com/docs/balance/webhooks/process-validate")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_HEX
};

/// Fireblocks, the older signature: `Fireblocks-Signature`, RSA with SHA-512 over the body, in base64.
///
/// The key is published for each environment. The older form of events has no id: one transaction has many events, which are told apart by their signed
/// bytes. Newer events carry this signature as well, beside that of [`FIREBLOCKS_V2`].
///
/// Source: <https://developers.fireblocks.com/reference/verify-requests>
pub const FIREBLOCKS_V1: Scheme<'static> = Scheme {
    name: "fireblocks-v1",
    algorithm: Algorithm::RsaPkcs1Sha512,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("fireblocks-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::JsonAny(&["/eventType", "/type"])),
    profile: Profile::new("Fireblocks", "https://developers.fireblocks.com/reference/verify-requests")
        .addresses("https://developers.fireblocks.com/reference/webhooks-ip-allowlisting"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Fireblocks: `Fireblocks-Webhook-Signature`, a detached JSON Web Signature (RS512) of the body.
///
/// The key set named here is that of production in the US. Other environments have their own (`eu-keys`, `eu2-keys`, `sandbox-keys` instead of `keys`):
/// configure their keys, or change [`keys`](Scheme::keys).
///
/// Source: <https://developers.fireblocks.com/reference/validating-webhooks>
pub const FIREBLOCKS_V2: Scheme<'static> = Scheme {
    name: "fireblocks-v2",
    signature: Signature::bare("fireblocks-webhook-signature"),
    message: &[Part::Body],
    jws: Some(Jws { algorithms: &[JwsAlgorithm::Rs512], detached: true, ..Jws::NEW }),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/eventType")),
    keys: Keys::JwkSet { url: "https://keys.fireblocks.io/.well-known/jwks.json" },
    profile: Profile::new("Fireblocks", "https://developers.fireblocks.com/reference/validating-webhooks")
        .addresses("https://developers.fireblocks.com/reference/webhooks-ip-allowlisting"),
    ..Scheme::JWS
};

/// Helius: the `Authorization` header is the text that was set for the webhook, and nothing is signed.
///
/// The text is compared as a whole, without a word such as `Bearer` taken off. A body is a list of transactions, so it has neither one id nor one type.
/// Helius tries again a few times within minutes, but not after 403.
///
/// Source: <https://www.helius.dev/docs/webhooks/faqs>
pub const HELIUS: Scheme<'static> = Scheme {
    name: "helius",
    signature: Signature::bare("authorization"),
    profile: Profile::new("Helius", "https://www.helius.dev/docs/webhooks/faqs"),
    ..Scheme::TOKEN
};

/// Increase: the headers of Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// The shared secret is used as it is, not as base64.
///
/// Source: <https://increase.com/documentation/webhooks>, and `events.unwrap` of the official SDKs
pub const INCREASE: Scheme<'static> = Scheme {
    name: "increase",
    secret_format: SecretFormat::Text,
    event: Some(Source::Json("/category")),
    alternate: None,
    profile: Profile::new("Increase", "https://increase.com/documentation/webhooks")
        .retries(RetryOn::AnyFailure, 72)
        .resigned(true),
    ..STANDARD_WEBHOOKS
};

/// Lithic's events: the headers of Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// The older transaction webhooks (`X-Lithic-HMAC`) are signed in another way.
///
/// Source: <https://docs.lithic.com/docs/events-api>, and `webhooks.verify_signature` of the official SDKs
pub const LITHIC: Scheme<'static> = Scheme {
    name: "lithic",
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("Lithic", "https://docs.lithic.com/docs/events-api").resigned(true),
    ..STANDARD_WEBHOOKS
};

/// Marqeta with `signature_algorithm` HMAC_SHA_256: `X-Marqeta-Signature`, HMAC-SHA256 of the body.
///
/// The secret is that of the webhook; user and password come beside it in `Authorization`, and are not looked at. A body holds lists of events, so it has
/// neither one id nor one type. Pings all have the same body: the second is a repetition, and answered without asking the handler. After a change of
/// algorithm, deliveries that are tried again keep the older one for two weeks.
///
/// Source: <https://www.marqeta.com/docs/developer-guides/signature-verification>
pub const MARQETA: Scheme<'static> = Scheme {
    name: "marqeta",
    signature: Signature::bare("x-marqeta-signature"),
    profile: Profile::new("Marqeta", "https://www.marqeta.com/docs/developer-guides/signature-verification")
        .retries(RetryOn::AnyFailure, 336),
    ..Scheme::HMAC_SHA256_HEX
};

/// Marqeta with the older algorithm: `X-Marqeta-Signature`, HMAC-SHA1 of the body. Otherwise as [`MARQETA`].
///
/// Source: <https://www.marqeta.com/docs/developer-guides/signature-verification>
pub const MARQETA_SHA1: Scheme<'static> = Scheme {
    name: "marqeta-sha1",
    // Which of the two it is, is set for each webhook.
    algorithm: Algorithm::HmacSha1,
    ..MARQETA
};

/// Middesk: `X-Middesk-Signature-256`, HMAC-SHA256 of the body.
///
/// Source: <https://docs.middesk.com/build/secure-webhooks>
pub const MIDDESK: Scheme<'static> = Scheme {
    name: "middesk",
    signature: Signature::bare("x-middesk-signature-256"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Middesk", "https://docs.middesk.com/build/secure-webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Modern Treasury: `X-Signature`, HMAC-SHA256 of the body.
///
/// The delivery id is not signed. The event is what happened (`completed`); to what, the unsigned `X-Topic` says, and `object` in the body's data.
///
/// Source: <https://docs.moderntreasury.com/platform/reference/webhooks>
pub const MODERN_TREASURY: Scheme<'static> = Scheme {
    name: "modern-treasury",
    signature: Signature::bare("x-signature"),
    id: Some(Source::Header("x-webhook-id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Modern Treasury", "https://docs.moderntreasury.com/platform/reference/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Moov: `X-Signature`, HMAC-SHA512 of three headers: time, nonce and webhook id.
///
/// Nothing of the body is signed: whoever captured a delivery can send any body with it, once. Ask Moov's API for what matters. How the time is written
/// is not documented, so it is not judged.
///
/// Source: <https://docs.moov.io/guides/webhooks/check-webhook-signatures>
pub const MOOV: Scheme<'static> = Scheme {
    name: "moov",
    algorithm: Algorithm::HmacSha512,
    signature: Signature::bare("x-signature"),
    id: Some(Source::Json("/eventID")),
    event: Some(Source::Json("/type")),
    message: &[
        Part::Header("x-timestamp"),
        Part::Text("|"),
        Part::Header("x-nonce"),
        Part::Text("|"),
        Part::Header("x-webhook-id"),
    ],
    unsigned_body: true,
    profile: Profile::new("Moov", "https://docs.moov.io/guides/webhooks/check-webhook-signatures"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Orb: `X-Orb-Signature: v1=… v1=…`, HMAC-SHA256 of `v1:timestamp:body`.
///
/// The timestamp is written without a zone, and means UTC. The secret looks like base64 and is used as it is.
///
/// Source: <https://docs.withorb.com/integrations-and-exports/webhooks>, and `webhooks.verify_signature` of the official SDKs
pub const ORB: Scheme<'static> = Scheme {
    name: "orb",
    signature: Signature::field("x-orb-signature", ' ', "v1"),
    timestamp: Some(Timestamp { source: Source::Header("x-orb-timestamp"), format: TimestampFormat::Rfc3339NoZone }),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Text("v1:"), Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Orb", "https://docs.withorb.com/integrations-and-exports/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Pinwheel: `x-pinwheel-signature: v2=…`, HMAC-SHA256 of `v2:timestamp:body`, keyed with the API secret.
///
/// The timestamp is signed but not judged: whether a repeated delivery gets a new one is not documented.
///
/// Source: <https://docs.pinwheelapi.com/docs/webhook-signature-verification>
pub const PINWHEEL: Scheme<'static> = Scheme {
    name: "pinwheel",
    signature: Signature::prefixed("x-pinwheel-signature", "v2="),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/event")),
    message: &[Part::Text("v2:"), Part::Header("x-timestamp"), Part::Text(":"), Part::Body],
    profile: Profile::new("Pinwheel", "https://docs.pinwheelapi.com/docs/webhook-signature-verification"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Plaid: `Plaid-Verification`, a JSON Web Token (ES256) that claims the SHA-256 of the body.
///
/// Keys are had by their id from Plaid's API (`/webhook_verification_key/get`), with the secret of an account, and are configured here as JWK; one with
/// an `expired_at` must be taken out. There is no delivery id. The event is the code (`SYNC_UPDATES_AVAILABLE`), and the product is `webhook_type`.
///
/// Source: <https://plaid.com/docs/api/webhooks/webhook-verification/>
pub const PLAID: Scheme<'static> = Scheme {
    name: "plaid",
    signature: Signature::bare("plaid-verification"),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Es256],
        claims: &[Claim { at: &["/request_body_sha256"], expected: Expected::BodySha256(Encoding::Hex) }],
        ..Jws::NEW
    }),
    timestamp: Some(Timestamp::unix_seconds(Source::Claim("/iat"))),
    event: Some(Source::Json("/webhook_code")),
    profile: Profile::new("Plaid", "https://plaid.com/docs/api/webhooks/webhook-verification/")
        .retries(RetryOn::AnyFailure, 24)
        .resigned(true)
        .addresses("https://plaid.com/docs/api/webhooks/"),
    ..Scheme::JWS
};

/// QuickBooks Online: `intuit-signature`, HMAC-SHA256 of the body, in base64, keyed with the verifier token.
///
/// A body may tell of several companies and records, so it has neither one id nor one type. Bodies may be large; the limit here is the usual one, and
/// Intuit names none. It waits three seconds for the answer 200, and holds later events back until it gets one.
///
/// Source: <https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks>
pub const QUICKBOOKS: Scheme<'static> = Scheme {
    name: "quickbooks",
    signature: Signature::bare("intuit-signature"),
    profile: Profile::new("QuickBooks Online", "https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Revolut (Business, Merchant and Ramp): `Revolut-Signature: v1=…,v1=…`, HMAC-SHA256 of `v1.timestamp.body`.
///
/// The secret is the whole text `wsk_…`. There is no delivery id.
///
/// Source: <https://developer.revolut.com/docs/guides/manage-accounts/webhooks/verify-the-payload-signature>
pub const REVOLUT: Scheme<'static> = Scheme {
    name: "revolut",
    signature: Signature::field("revolut-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("revolut-request-timestamp"))),
    event: Some(Source::Json("/event")),
    message: &[Part::Text("v1."), Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new(
        "Revolut",
        "https://developer.revolut.com/docs/guides/manage-accounts/webhooks/verify-the-payload-signature",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Strike: `X-Webhook-Signature`, HMAC-SHA256 of the body.
///
/// Source: <https://docs.strike.me/webhooks/signature-verification>
pub const STRIKE: Scheme<'static> = Scheme {
    name: "strike",
    signature: Signature::bare("x-webhook-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/eventType")),
    profile: Profile::new("Strike", "https://docs.strike.me/webhooks/signature-verification"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Tatum: `x-payload-hash`, HMAC-SHA512 of the body, in base64.
///
/// There is no delivery id. The secret is set for an API key, and bodies come unsigned until then.
///
/// Source: <https://docs.tatum.io/docs/authenticating-notification-webhooks>
pub const TATUM: Scheme<'static> = Scheme {
    name: "tatum",
    algorithm: Algorithm::HmacSha512,
    signature: Signature::bare("x-payload-hash"),
    event: Some(Source::Json("/subscriptionType")),
    profile: Profile::new("Tatum", "https://docs.tatum.io/docs/authenticating-notification-webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Tink: `X-Tink-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// There is no delivery id. Five minutes are the least that Tink recommends.
///
/// Source: <https://docs.tink.com/resources/api-setup/webhook-signature-validation>
pub const TINK: Scheme<'static> = Scheme {
    name: "tink",
    signature: Signature::field("x-tink-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Tink", "https://docs.tink.com/resources/api-setup/webhook-signature-validation"),
    ..Scheme::HMAC_SHA256_HEX
};

/// TrueLayer: `Tl-Signature`, a detached JSON Web Signature (ES512) of method, path, listed headers and body.
///
/// The timestamp must be among the listed headers. The link to keys inside the signature (`jku`) is not followed: the key set named here is that of
/// production, and `webhooks.truelayer-sandbox.com` has the other one. TrueLayer's libraries also take a path with one slash more or less at its end;
/// here it is signed as it comes.
///
/// Source: <https://github.com/TrueLayer/truelayer-signing/blob/main/request-signing-v2.md>
pub const TRUELAYER: Scheme<'static> = Scheme {
    name: "truelayer",
    signature: Signature::bare("tl-signature"),
    message: &[Part::Canonical(truelayer::LISTED_HEADERS)],
    jws: Some(Jws { algorithms: &[JwsAlgorithm::Es512], detached: true, ..Jws::NEW }),
    timestamp: Some(Timestamp::rfc3339(Source::Header("x-tl-webhook-timestamp"))),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::JsonAny(&["/event_type", "/type"])),
    keys: Keys::JwkSet { url: "https://webhooks.truelayer.com/.well-known/jwks" },
    profile: Profile::new("TrueLayer", "https://docs.truelayer.com/docs/verify-the-signature-of-a-payment-webhook")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::JWS
};

/// Unit: `X-Unit-Signature`, HMAC-SHA1 of the body, in base64, keyed with the webhook's token.
///
/// A body is a list of events, so it has neither one id nor one type. Webhooks delivered at most once are lost if they fail.
///
/// Source: <https://www.unit.co/docs/api/webhooks>, and `Webhooks.verify` of the npm package `@unit-finance/unit-node-sdk`
pub const UNIT: Scheme<'static> = Scheme {
    name: "unit",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-unit-signature"),
    profile: Profile::new("Unit", "https://www.unit.co/docs/api/webhooks")
        .addresses("https://www.unit.co/docs/api/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// WeChat Pay, notifications of API v3: `Wechatpay-Signature`, RSA with SHA-256 over time, nonce and body, each with a line feed after it.
///
/// `Wechatpay-Serial` says which key: the serial number of a platform certificate in upper-case digits, or a `PUB_KEY_ID_…`. Certificates are had from WeChat
/// Pay's API, and are configured here under that name. What the notification says is encrypted, and so is left to the handler. WeChat Pay probes
/// whether signatures are verified, with ones that start with `WECHATPAY/SIGNTEST/` and must be refused.
///
/// Source: <https://github.com/wechatpay-apiv3/wechatpay-go/blob/main/core/auth/validators/wechat_pay_validator.go>
pub const WECHATPAY: Scheme<'static> = Scheme {
    name: "wechatpay",
    algorithm: Algorithm::RsaPkcs1Sha256,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("wechatpay-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("wechatpay-timestamp"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event_type")),
    message: &[
        Part::Timestamp,
        Part::Text("\n"),
        Part::Header("wechatpay-nonce"),
        Part::Text("\n"),
        Part::Body,
        Part::Text("\n"),
    ],
    key_id: Some(Source::Header("wechatpay-serial")),
    profile: Profile::new("WeChat Pay", "https://pay.weixin.qq.com/doc/v3/merchant/4012068829")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Wise: `X-Signature-SHA256`, RSA with SHA-256 over the body, in base64.
///
/// The key is published for each environment. The delivery id is not signed, and the time in the body stays on retries. Test deliveries are signed as well;
/// they carry `X-Test-Notification: true`, which is not. The older `X-Signature` (SHA-1) is not read.
///
/// Source: <https://docs.wise.com/api-docs/features/webhooks-notifications/event-handling>
pub const WISE: Scheme<'static> = Scheme {
    name: "wise",
    algorithm: Algorithm::RsaPkcs1Sha256,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("x-signature-sha256"),
    id: Some(Source::Header("x-delivery-id")),
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("Wise", "https://docs.wise.com/api-docs/features/webhooks-notifications/event-handling")
        .retries(RetryOn::AnyFailure, 336),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Xero: `x-xero-signature`, HMAC-SHA256 of the body, in base64.
///
/// The key looks like base64 and is used as it is. A body is a list of events, which may be empty, so it has neither one id nor one type. When a webhook is
/// set up, Xero sends such bodies with right and with wrong signatures, and wants 200 and 401 for them, each with an empty body and within five seconds.
///
/// Source: <https://developer.xero.com/documentation/webhooks/configuring-your-server>
pub const XERO: Scheme<'static> = Scheme {
    name: "xero",
    signature: Signature::bare("x-xero-signature"),
    profile: Profile::new("Xero", "https://developer.xero.com/documentation/webhooks/configuring-your-server")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_BASE64
};
