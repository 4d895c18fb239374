//! Paying and billing.

use std::time::Duration;

use super::{
    canonical::{adyen, braintree, mercado_pago, paddle_classic},
    standard::STANDARD_WEBHOOKS,
};
use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Grammar, Host, Keys, Part, Profile, RetryOn, Scheme, Signature, Source, Timestamp, TimestampFormat,
        Tolerance,
    },
};

/// Adyen's standard webhooks as JSON: `hmacSignature` among the additional data, HMAC-SHA256 of eight values joined by colons.
///
/// Signed are pspReference, originalReference, merchantAccountCode, merchantReference, amount, eventCode and success, and nothing else: whoever captured
/// a notification can change the date, the reason and all additional data. Two notifications of the same eight values count as one delivery.
/// The key is the hexadecimal digits that the Customer Area shows. A body of two items is refused, as Adyen sends one.
///
/// Source: <https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures>
pub const ADYEN_STANDARD: Scheme<'static> = Scheme {
    name: "adyen-standard",
    secret_format: SecretFormat::Hex,
    signature: Signature::at(Source::Json("/notificationItems/0/NotificationRequestItem/additionalData/hmacSignature")),
    event: Some(Source::Json("/notificationItems/0/NotificationRequestItem/eventCode")),
    message: &[Part::Canonical(adyen::EIGHT_VALUES)],
    profile: Profile::new(
        "Adyen",
        "https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
    ),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Adyen's webhooks of platforms, management, tokenisation and transactions: `HmacSignature`, HMAC-SHA256 of the body, in base64.
///
/// The key is the hexadecimal digits that the Customer Area shows. There is no delivery id, and the time in the body stays on retries.
///
/// Source: <https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures>
pub const ADYEN_PLATFORM: Scheme<'static> = Scheme {
    name: "adyen-platform",
    secret_format: SecretFormat::Hex,
    signature: Signature::bare("hmacsignature"),
    event: Some(Source::Json("/type")),
    profile: ADYEN_STANDARD.profile,
    ..Scheme::HMAC_SHA256_BASE64
};

/// Bolt: `X-Bolt-Hmac-Sha256`, HMAC-SHA256 of the body, in base64.
///
/// There is no delivery id. Hooks that come as `GET` are refused.
///
/// The secret is the merchant's signing secret.
///
/// Source: <https://github.com/BoltApp/bolt-magento2/blob/master/Helper/Hook.php>
pub const BOLT: Scheme<'static> = Scheme {
    name: "bolt",
    signature: Signature::bare("x-bolt-hmac-sha256"),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Bolt", "https://help.bolt.com/developers/webhooks/hook-verification/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Braintree: form field `bt_signature: key|…&key|…`, HMAC-SHA1 of the form field `bt_payload`, keyed with the SHA-1 of the private key.
///
/// The secret is the private key as the console shows it, and the parameter `public-key` picks the signature that is yours. Kind and time of
/// the notification are inside the payload, which is base64 of XML, and so are left to the handler. Forms that are not urlencoded are refused.
///
/// Source: <https://github.com/braintree/braintree_python/blob/master/braintree/webhook_notification_gateway.py>
pub const BRAINTREE: Scheme<'static> = Scheme {
    name: "braintree",
    algorithm: Algorithm::HmacSha1,
    secret_format: SecretFormat::Sha1OfText,
    signature: Signature {
        place: Source::Form("bt_signature"),
        grammar: Grammar::Pairs { separator: '&', between: '|', parameter: "public-key" },
        others: &[],
    },
    message: &[Part::Canonical(braintree::PAYLOAD)],
    profile: Profile::new("Braintree", "https://developer.paypal.com/braintree/docs/guides/webhooks/overview"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Cashfree: `x-webhook-signature`, HMAC-SHA256 of timestamp and body, in base64.
///
/// The secret is the client secret of the API. There is no delivery id. Nothing says whether retries, which are configurable, bear a new time, so that
/// a day is granted.
///
/// Source: <https://www.cashfree.com/docs/payments/online/webhooks/signature-verification>
pub const CASHFREE: Scheme<'static> = Scheme {
    name: "cashfree",
    signature: Signature::bare("x-webhook-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-webhook-timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs(24 * 3600), future: Duration::from_secs(300) },
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Body],
    profile: Profile::new("Cashfree", "https://www.cashfree.com/docs/payments/online/webhooks/signature-verification")
        .retries(RetryOn::AnyFailure, 1)
        .addresses("https://www.cashfree.com/docs/api-reference/webhooks/reliability-and-operations"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Chargify, now Maxio Advanced Billing: `X-Chargify-Webhook-Signature-Hmac-Sha-256`, HMAC-SHA256 of the body.
///
/// The secret is the site's shared key. The body is a form with an id that stays on retries. The signature that can be put into the URL instead is not
/// read.
///
/// Source: `docs/basics/Sync.md` of <https://github.com/maxio-com/stoplight-platform-developer-docs>, and for the id
/// <https://www.npmjs.com/package/@maxio-com/advanced-billing-sdk>
pub const CHARGIFY: Scheme<'static> = Scheme {
    name: "chargify",
    signature: Signature::bare("x-chargify-webhook-signature-hmac-sha-256"),
    id: Some(Source::Form("id")),
    event: Some(Source::Form("event")),
    profile: Profile::new(
        "Maxio Advanced Billing",
        "https://docs.maxio.com/hc/en-us/articles/24266143173901-Webhooks-Reference",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Checkout.com: `Cko-Signature`, HMAC-SHA256 of the body.
///
/// Source: <https://www.checkout.com/docs/developer-resources/event-notifications/receive-webhooks/configure-your-webhook-server>
pub const CHECKOUT_COM: Scheme<'static> = Scheme {
    name: "checkout-com",
    signature: Signature::bare("cko-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new(
        "Checkout.com",
        "https://www.checkout.com/docs/developer-resources/event-notifications/receive-webhooks/configure-your-webhook-server",
    )
    .retries(RetryOn::AnyFailure, 30),
    ..Scheme::HMAC_SHA256_HEX
};

/// Checkout.com with an authorisation header key: `Authorization` is the key itself, and nothing is signed.
///
/// The key is whatever was set as the value of that header, with a word such as `Bearer` if one was set. It is sent beside `Cko-Signature`: prefer
/// [`CHECKOUT_COM`], which covers the body.
///
/// Source: <https://www.checkout.com/docs/developer-resources/event-notifications/receive-webhooks/configure-your-webhook-server>
pub const CHECKOUT_COM_AUTHORIZATION: Scheme<'static> = Scheme {
    name: "checkout-com-authorization",
    signature: Signature::bare("authorization"),
    id: CHECKOUT_COM.id,
    event: CHECKOUT_COM.event,
    profile: CHECKOUT_COM.profile,
    ..Scheme::TOKEN
};

/// Coinbase Commerce: `X-CC-Webhook-Signature`, HMAC-SHA256 of the body.
///
/// The id is that of the event; around it, the body counts attempts, so retries are not the same bytes.
///
/// Source: <https://docs.cdp.coinbase.com/commerce/docs/webhooks>
pub const COINBASE_COMMERCE: Scheme<'static> = Scheme {
    name: "coinbase-commerce",
    signature: Signature::bare("x-cc-webhook-signature"),
    id: Some(Source::Json("/event/id")),
    event: Some(Source::Json("/event/type")),
    profile: Profile::new("Coinbase Commerce", "https://docs.cdp.coinbase.com/commerce/docs/webhooks")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_HEX
};

/// Coinify: `x-coinify-webhook-signature`, HMAC-SHA256 of the body.
///
/// The id stays on retries.
///
/// Source: <https://coinify.readme.io/docs/webhook-signature>
pub const COINIFY: Scheme<'static> = Scheme {
    name: "coinify",
    signature: Signature::bare("x-coinify-webhook-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Coinify", "https://coinify.readme.io/docs/webhook-signature"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Creem: `creem-signature`, HMAC-SHA256 of the body.
///
/// The secret is the whole text, `whsec_` included. Creem's SDK reads the headers of Standard Webhooks too: for these, use
/// [`STANDARD_WEBHOOKS`](super::STANDARD_WEBHOOKS).
///
/// Source: <https://docs.creem.io/code/webhooks>
pub const CREEM: Scheme<'static> = Scheme {
    name: "creem",
    signature: Signature::bare("creem-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/eventType")),
    profile: Profile::new("Creem", "https://docs.creem.io/code/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// FastSpring: `X-FS-Signature`, HMAC-SHA256 of the body, in base64.
///
/// The body is a list of events, so the request has neither one id nor one type, and is handled, remembered or refused as a whole.
/// The header is sent only if a secret is set in FastSpring.
///
/// Source: <https://developer.fastspring.com/docs/message-security>
pub const FASTSPRING: Scheme<'static> = Scheme {
    name: "fastspring",
    signature: Signature::bare("x-fs-signature"),
    profile: Profile::new("FastSpring", "https://developer.fastspring.com/docs/message-security"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Fintoc: `Fintoc-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// Source: <https://docs.fintoc.com/docs/resources/webhooks-walkthrough/webhooks-validating>
pub const FINTOC: Scheme<'static> = Scheme {
    name: "fintoc",
    signature: Signature::field("fintoc-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Fintoc", "https://docs.fintoc.com/docs/resources/webhooks-walkthrough/webhooks-validating"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Flutterwave, version 3: `verif-hash` is the secret hash itself, and nothing is signed.
///
/// Flutterwave asks to look up the transaction before giving value.
///
/// Source: <https://developer.flutterwave.com/v3.0/docs/webhooks>
pub const FLUTTERWAVE_V3: Scheme<'static> = Scheme {
    name: "flutterwave-v3",
    signature: Signature::bare("verif-hash"),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Flutterwave", "https://developer.flutterwave.com/v3.0/docs/webhooks"),
    ..Scheme::TOKEN
};

/// GoCardless: `Webhook-Signature`, HMAC-SHA256 of the body.
///
/// The body is a list of events, so the request has no one type, and is handled, remembered or refused as a whole.
///
/// Source: <https://developer.gocardless.com/api-reference/#webhooks-signing-webhooks>
pub const GOCARDLESS: Scheme<'static> = Scheme {
    name: "gocardless",
    signature: Signature::bare("webhook-signature"),
    id: Some(Source::Json("/meta/webhook_id")),
    profile: Profile::new("GoCardless", "https://developer.gocardless.com/api-reference/#webhooks-signing-webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Lago with the signature algorithm `hmac`: `X-Lago-Signature`, HMAC-SHA256 of the body, in base64.
///
/// The secret is the organisation's HMAC key, which at first was its API key. The unique key is not signed. Lago's default algorithm is `jwt`, of which
/// this is not the scheme.
///
/// Source: <https://github.com/getlago/lago-api/blob/main/app/models/webhook.rb>
pub const LAGO: Scheme<'static> = Scheme {
    name: "lago",
    signature: Signature::bare("x-lago-signature"),
    id: Some(Source::Header("x-lago-unique-key")),
    event: Some(Source::Json("/webhook_type")),
    profile: Profile::new("Lago", "https://getlago.com/docs/api-reference/webhooks/format---signature")
        .retries(RetryOn::AnyFailure, 1)
        .resigned(false),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Lemon Squeezy: `X-Signature`, HMAC-SHA256 of the body.
///
/// There is no delivery id. The event name is also in a header, which is not signed.
///
/// Source: <https://docs.lemonsqueezy.com/help/webhooks/signing-requests>
pub const LEMON_SQUEEZY: Scheme<'static> = Scheme {
    name: "lemon-squeezy",
    signature: Signature::bare("x-signature"),
    event: Some(Source::Json("/meta/event_name")),
    profile: Profile::new("Lemon Squeezy", "https://docs.lemonsqueezy.com/help/webhooks/signing-requests"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Mercado Pago: `x-signature: ts=…,v1=…`, HMAC-SHA256 of the query parameter `data.id`, of `x-request-id` and of the time.
///
/// **Nothing of the body is signed.** Take nothing from it but what to look up, and look up the `data.id` of the query. QR code
/// notifications are not signed at all. The time is written in seconds or in milliseconds. Nothing says whether retries bear a new one, so that a day is
/// granted. The documentation wants letters in `data.id` in lower case; the SDKs of 2026 sign it as it came, and so it is done here.
///
/// Source: <https://github.com/mercadopago/sdk-nodejs/blob/master/src/utils/webhook/index.ts>
pub const MERCADO_PAGO: Scheme<'static> = Scheme {
    name: "mercado-pago",
    signature: Signature::field("x-signature", ',', "v1"),
    timestamp: Some(Timestamp { source: Source::Field("ts"), format: TimestampFormat::UnixSecondsOrMillis }),
    tolerance: Tolerance { past: Duration::from_secs(24 * 3600), future: Duration::from_secs(300) },
    id: Some(Source::Json("/id")),
    event: Some(Source::JsonAny(&["/action", "/type"])),
    message: &[Part::Canonical(mercado_pago::MANIFEST)],
    unsigned_body: true,
    profile: Profile::new(
        "Mercado Pago",
        "https://www.mercadopago.com.ar/developers/en/docs/your-integrations/notifications/webhooks",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Mollie's next-generation webhooks: `X-Mollie-Signature: sha256=…`, HMAC-SHA256 of the body.
///
/// Mollie's clients take the signature without `sha256=` as well, and so it is done here. Classic webhooks, forms with nothing but an id, are not signed, and so refused.
///
/// Source: <https://docs.mollie.com/reference/webhooks-new>
pub const MOLLIE: Scheme<'static> = Scheme {
    name: "mollie",
    signature: Signature {
        place: Source::Header("x-mollie-signature"),
        grammar: Grammar::MaybePrefixed("sha256="),
        others: &[],
    },
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Mollie", "https://docs.mollie.com/reference/webhooks-new"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Paddle Classic: form field `p_signature`, RSA with SHA-1 of all other fields, sorted and serialised as PHP does it.
///
/// The key is the public key that Paddle's console shows. SHA-1 no longer withstands an attacker who may choose what is signed.
/// The time in the body is that of the event. Forms that are not urlencoded are refused.
///
/// Source: <https://classic.paddle.com/webhooks/verifying-webhooks/>
pub const PADDLE_CLASSIC: Scheme<'static> = Scheme {
    name: "paddle-classic",
    algorithm: Algorithm::RsaPkcs1Sha1,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::at(Source::Form("p_signature")),
    id: Some(Source::Form("alert_id")),
    event: Some(Source::Form("alert_name")),
    message: &[Part::Canonical(paddle_classic::FIELDS)],
    profile: Profile::new("Paddle Classic", "https://classic.paddle.com/webhooks/verifying-webhooks/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// PayMongo: `Paymongo-Signature: t=…,te=…,li=…`, HMAC-SHA256 of `t.body`, in `te` for test mode or `li` for live mode.
///
/// Either is taken: the secrets of the two modes are not the same. Nothing says whether retries bear a new time, so that a day is granted.
///
/// Source: <https://github.com/paymongo/paymongo-node/blob/main/src/services/Webhook.js>
pub const PAYMONGO: Scheme<'static> = Scheme {
    name: "paymongo",
    secret_format: SecretFormat::AnyText,
    signature: Signature {
        place: Source::Header("paymongo-signature"),
        grammar: Grammar::AnyField { separator: ',', names: &["te", "li"] },
        others: &[],
    },
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    tolerance: Tolerance { past: Duration::from_secs(24 * 3600), future: Duration::from_secs(300) },
    id: Some(Source::Json("/data/id")),
    event: Some(Source::Json("/data/attributes/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("PayMongo", "https://developers.paymongo.com/docs/creating-webhook"),
    ..Scheme::HMAC_SHA256_HEX
};

/// PayPal: `PAYPAL-TRANSMISSION-SIG`, RSA with SHA-256 of `id|time|webhook id|CRC32 of the body`, by the certificate that `PAYPAL-CERT-URL` leads to.
///
/// The parameter `webhook-id` is the id of the webhook in PayPal's console. **A CRC is no digest**: whoever captured a delivery can put another body
/// of the same CRC into it, so that id and event type in the body count as not signed; look up what the event is about. Certificates are
/// fetched from hosts under `paypal.com` only; instead, one can be configured as the key. Events of the simulator cannot be verified. Nothing says whether
/// retries bear a new time, so that the three days are granted for which PayPal goes on.
///
/// Source: <https://developer.paypal.com/api/rest/webhooks/rest/>
pub const PAYPAL: Scheme<'static> = Scheme {
    name: "paypal",
    algorithm: Algorithm::RsaPkcs1Sha256,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("paypal-transmission-sig"),
    timestamp: Some(Timestamp::rfc3339(Source::Header("paypal-transmission-time"))),
    tolerance: Tolerance { past: Duration::from_secs(73 * 3600), future: Duration::from_secs(300) },
    id: Some(Source::Header("paypal-transmission-id")),
    event: Some(Source::Json("/event_type")),
    message: &[
        Part::Id,
        Part::Text("|"),
        Part::Timestamp,
        Part::Text("|"),
        Part::Parameter("webhook-id"),
        Part::Text("|"),
        Part::BodyCrc32,
    ],
    keys: Keys::Certificate {
        url: Source::Header("paypal-cert-url"),
        hosts: &[Host::Suffix(".paypal.com")],
        name: ".paypal.com",
    },
    profile: Profile::new("PayPal", "https://developer.paypal.com/api/rest/webhooks/rest/")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Paystack: `x-paystack-signature`, HMAC-SHA512 of the body.
///
/// The secret is the secret key of the API, so that changing one changes the other. There is no delivery id.
///
/// Source: <https://paystack.com/docs/payments/webhooks/>
pub const PAYSTACK: Scheme<'static> = Scheme {
    name: "paystack",
    algorithm: Algorithm::HmacSha512,
    signature: Signature::bare("x-paystack-signature"),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Paystack", "https://paystack.com/docs/payments/webhooks/")
        .retries(RetryOn::AnyFailure, 72)
        .addresses("https://paystack.com/docs/payments/webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Polar: Standard Webhooks, where the secret is the text itself.
///
/// Source: <https://docs.polar.sh/integrate/webhooks/delivery>
pub const POLAR: Scheme<'static> = Scheme {
    name: "polar",
    secret_format: SecretFormat::Text,
    alternate: None,
    profile: Profile::new("Polar", "https://docs.polar.sh/integrate/webhooks/delivery"),
    ..STANDARD_WEBHOOKS
};

/// Razorpay: `X-Razorpay-Signature`, HMAC-SHA256 of the body.
///
/// The event id is not signed. After the secret was changed, retries of older events still bear signatures by the old one: keep both for a day.
///
/// Source: <https://razorpay.com/docs/webhooks/validate-test/>
pub const RAZORPAY: Scheme<'static> = Scheme {
    name: "razorpay",
    signature: Signature::bare("x-razorpay-signature"),
    id: Some(Source::Header("x-razorpay-event-id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Razorpay", "https://razorpay.com/docs/webhooks/validate-test/")
        .retries(RetryOn::AnyFailure, 24)
        .resigned(false),
    ..Scheme::HMAC_SHA256_HEX
};

/// Recurly's JSON webhooks: `recurly-signature: time,…,…`, HMAC-SHA256 of `time.body`, with milliseconds.
///
/// The id in the body is that of what the event is about, and its event type says little without `object_type` beside it. XML webhooks are not
/// signed, and so refused.
///
/// Source: <https://docs.recurly.com/recurly-subscriptions/docs/signature-verification>
pub const RECURLY: Scheme<'static> = Scheme {
    name: "recurly",
    signature: Signature {
        place: Source::Header("recurly-signature"),
        grammar: Grammar::TimeFirst { separator: ',' },
        others: &[],
    },
    timestamp: Some(Timestamp::unix_millis(Source::Field(""))),
    event: Some(Source::Json("/event_type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Recurly", "https://docs.recurly.com/recurly-subscriptions/docs/signature-verification")
        .retries(RetryOn::AnyFailure, 73),
    ..Scheme::HMAC_SHA256_HEX
};

/// Worldline, Connect and Direct: `X-GCS-Signature`, HMAC-SHA256 of the body, in base64, by the key that `X-GCS-KeyId` names.
///
/// Keys are configured with their ids; two are alive while one is replaced.
///
/// Source: <https://docs.direct.worldline-solutions.com/en/integration/api-developer-guide/webhooks>
pub const WORLDLINE: Scheme<'static> = Scheme {
    name: "worldline",
    signature: Signature::bare("x-gcs-signature"),
    key_id: Some(Source::Header("x-gcs-keyid")),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new(
        "Worldline",
        "https://docs.direct.worldline-solutions.com/en/integration/api-developer-guide/webhooks",
    ),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Xendit: `x-callback-token` is the token itself, and nothing is signed.
///
/// The webhook id stays on retries. Invoices and other older products do not say their event type.
///
/// Source: <https://docs.xendit.co/docs/handling-webhooks>
pub const XENDIT: Scheme<'static> = Scheme {
    name: "xendit",
    signature: Signature::bare("x-callback-token"),
    id: Some(Source::Header("webhook-id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Xendit", "https://docs.xendit.co/docs/handling-webhooks").retries(RetryOn::AnyFailure, 24),
    ..Scheme::TOKEN
};
