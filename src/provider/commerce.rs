//! Payments and shops.

use std::time::Duration;

use crate::scheme::{Alternate, Part, Profile, Repeats, RetryOn, Scheme, Signature, Source, Timestamp, Tolerance};

/// Stripe: `Stripe-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// The secret is the whole text `whsec_…`. Retries are signed anew under the same event id.
///
/// Source: <https://docs.stripe.com/webhooks/signature>
pub const STRIPE: Scheme<'static> = Scheme {
    name: "stripe",
    signature: Signature::field("stripe-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Stripe", "https://docs.stripe.com/webhooks/signature")
        .retries(RetryOn::AnyFailure, 72)
        .resigned(true)
        .addresses("https://docs.stripe.com/ips"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Paddle Billing: `Paddle-Signature: ts=…;h1=…`, HMAC-SHA256 of `ts:body`.
///
/// Paddle's SDKs accept five seconds in the past and any time in the future; here the future ends after five minutes.
///
/// Source: <https://developer.paddle.com/webhooks/signature-verification>
pub const PADDLE_BILLING: Scheme<'static> = Scheme {
    name: "paddle-billing",
    signature: Signature::field("paddle-signature", ';', "h1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("ts"))),
    tolerance: Tolerance { past: Duration::from_secs(5), future: Duration::from_secs(300) },
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/event_type")),
    message: &[Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Paddle", "https://developer.paddle.com/webhooks/signature-verification")
        .retries(RetryOn::AnyFailure, 72)
        .addresses("https://developer.paddle.com/webhooks/respond-to-webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Shopify: `X-Shopify-Hmac-Sha256`, HMAC-SHA256 of the body; the newer headers without `X-` are read as well.
///
/// Neither topic, shop nor delivery id are signed, and topics of one change may come with the same body.
///
/// Source: <https://shopify.dev/docs/apps/build/webhooks/subscribe/https>
pub const SHOPIFY: Scheme<'static> = Scheme {
    name: "shopify",
    signature: Signature::bare("x-shopify-hmac-sha256"),
    id: Some(Source::Header("x-shopify-webhook-id")),
    event: Some(Source::Header("x-shopify-topic")),
    repeats: Repeats::PerEvent,
    alternate: Some(Alternate { prefix: "x-shopify-", instead: "shopify-" }),
    profile: Profile::new("Shopify", "https://shopify.dev/docs/apps/build/webhooks/subscribe/https")
        .retries(RetryOn::AnyFailure, 4),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Square: `x-square-hmacsha256-signature`, HMAC-SHA256 of the notification URL and the body.
///
/// Source: <https://developer.squareup.com/docs/webhooks/step3validate>
pub const SQUARE: Scheme<'static> = Scheme {
    name: "square",
    signature: Signature::bare("x-square-hmacsha256-signature"),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Url, Part::Body],
    profile: Profile::new("Square", "https://developer.squareup.com/docs/webhooks/step3validate")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_BASE64
};

/// WooCommerce: `X-WC-Webhook-Signature`, HMAC-SHA256 of the body.
///
/// Neither topic nor delivery id are signed, ids repeat within a second, and the body of a deletion is its id alone, which may be deleted again:
/// replays cannot be told from news. The ping that is sent when a webhook is saved is not signed, and so refused.
///
/// Source: <https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php>
pub const WOOCOMMERCE: Scheme<'static> = Scheme {
    name: "woocommerce",
    signature: Signature::bare("x-wc-webhook-signature"),
    id: Some(Source::Header("x-wc-webhook-delivery-id")),
    event: Some(Source::Header("x-wc-webhook-topic")),
    repeats: Repeats::Always,
    profile: Profile::new("WooCommerce", "https://woocommerce.com/document/webhooks/"),
    ..Scheme::HMAC_SHA256_BASE64
};
