//! Mail, marketing, logistics and shops.

use std::time::Duration;

use super::{STANDARD_WEBHOOKS, SVIX, canonical};
use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Grammar, Jws, JwsAlgorithm, Keys, Part, Profile, RetryOn, Scheme, Signature, Source, Timestamp,
        Tolerance,
    },
};

/// AfterShip Tracking: `aftership-hmac-sha256`, HMAC-SHA256 of the body, in base64.
///
/// Each product of AfterShip has a secret of its own.
///
/// Source: <https://www.aftership.com/docs/tracking/webhook/webhook-signature>
pub const AFTERSHIP: Scheme<'static> = Scheme {
    name: "aftership",
    signature: Signature::bare("aftership-hmac-sha256"),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new("AfterShip Tracking", "https://www.aftership.com/docs/tracking/webhook/webhook-signature")
        .retries(RetryOn::AnyFailure, 68),
    ..Scheme::HMAC_SHA256_BASE64
};

/// AfterShip Returns and Warranty: `as-signature-hmac-sha256`, HMAC-SHA256 of the body, in base64.
///
/// Organisations from before 25 October 2022 get their returns signed as [`AFTERSHIP_SHIPPING`] is.
///
/// Source: <https://www.aftership.com/docs/returns/2025-04/webhook/signature>
pub const AFTERSHIP_RETURNS: Scheme<'static> = Scheme {
    name: "aftership-returns",
    signature: Signature::bare("as-signature-hmac-sha256"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new(
        "AfterShip Returns and Warranty",
        "https://www.aftership.com/docs/returns/2025-04/webhook/signature",
    ),
    ..Scheme::HMAC_SHA256_BASE64
};

/// AfterShip Shipping, once Postmen: `am-webhook-signature: hmac-sha256=…`, HMAC-SHA256 of the body, in base64.
///
/// Source: <https://www.aftership.com/docs/shipping/webhook/webhook-signature>
pub const AFTERSHIP_SHIPPING: Scheme<'static> = Scheme {
    name: "aftership-shipping",
    signature: Signature::prefixed("am-webhook-signature", "hmac-sha256="),
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("AfterShip Shipping", "https://www.aftership.com/docs/shipping/webhook/webhook-signature"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// ShipStation API V2, once ShipEngine: `x-shipengine-rsa-sha256-signature`, RSA PKCS #1 with SHA-256 of `timestamp.body`.
///
/// The public keys are at <https://api.shipengine.com/jwks>; a new one is published before it is used. Webhooks of ShipStation's V1 are not signed.
///
/// Source: <https://docs.shipstation.com/apis/docs/guides/webhooks-validation>
pub const SHIPSTATION_V2: Scheme<'static> = Scheme {
    name: "shipstation-v2",
    algorithm: Algorithm::RsaPkcs1Sha256,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("x-shipengine-rsa-sha256-signature"),
    timestamp: Some(Timestamp::rfc3339(Source::Header("x-shipengine-timestamp"))),
    key_id: Some(Source::Header("x-shipengine-rsa-sha256-key-id")),
    keys: Keys::JwkSet { url: "https://api.shipengine.com/jwks" },
    event: Some(Source::Json("/resource_type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("ShipStation", "https://docs.shipstation.com/apis/docs/guides/webhooks-validation"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Uber (Eats, Direct, Vehicles, Guest Rides): `X-Uber-Signature`, HMAC-SHA256 of the body.
///
/// The secret is the client secret of the application; for Uber Direct and Guest Rides it is a signing key, and the events of Direct have no id. Uber
/// expects an empty answer.
///
/// Source: <https://developer.uber.com/docs/vehicles/guides/webhooks>, <https://developer.uber.com/docs/deliveries/guides/webhooks>,
/// <https://developer.uber.com/docs/guest-rides/references/api/webhooks/uclid-info>
pub const UBER: Scheme<'static> = Scheme {
    name: "uber",
    signature: Signature::bare("x-uber-signature"),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::JsonAny(&["/event_type", "/kind"])),
    profile: Profile::new("Uber", "https://developer.uber.com/docs/eats/guides/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// EasyPost: `X-Hmac-Signature: hmac-sha256-hex=…`, HMAC-SHA256 of the body.
///
/// A secret with accents or ligatures must be given in normalisation form NFKD, which EasyPost brings it into before signing.
///
/// Source: <https://github.com/EasyPost/easypost-python/blob/master/easypost/util.py>
pub const EASYPOST: Scheme<'static> = Scheme {
    name: "easypost",
    signature: Signature::prefixed("x-hmac-signature", "hmac-sha256-hex="),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/description")),
    profile: Profile::new("EasyPost", "https://docs.easypost.com/guides/webhooks-guide"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Onfleet: `X-Onfleet-Signature`, HMAC-SHA512 of the body; the secret is hexadecimal and gets decoded.
///
/// All webhooks of an organisation have one secret.
///
/// Source: <https://docs.onfleet.com/reference/secrets>, <https://docs.onfleet.com/reference/retry>
pub const ONFLEET: Scheme<'static> = Scheme {
    name: "onfleet",
    algorithm: Algorithm::HmacSha512,
    secret_format: SecretFormat::Hex,
    signature: Signature::bare("x-onfleet-signature"),
    event: Some(Source::Json("/triggerName")),
    profile: Profile::new("Onfleet", "https://docs.onfleet.com/reference/secrets").retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_HEX
};

/// Segment, webhook destinations: `X-Signature`, HMAC-SHA1 of the body.
///
/// Requests are signed only if the destination has a shared secret. The event type is that of the call (`track`, `page`); the name of a tracked
/// event is beside it in the body.
///
/// Source: <https://github.com/segmentio/segment-docs/blob/develop/src/connections/destinations/catalog/webhooks/index.md>
pub const SEGMENT: Scheme<'static> = Scheme {
    name: "segment",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-signature"),
    id: Some(Source::Json("/messageId")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Segment", "https://segment.com/docs/connections/destinations/catalog/webhooks/")
        .retries(RetryOn::ServerErrors, 4),
    ..Scheme::HMAC_SHA256_HEX
};

/// Klaviyo, system webhooks: `Klaviyo-Signature`, HMAC-SHA256 of the body and the date in `Klaviyo-Timestamp`.
///
/// The date is signed, but not judged: a client by others (`nickdnk/klaviyo-php-sdk`) has seen it hours ahead, so it is the time of sending in the body, at
/// `/meta/timestamp`, that counts. Nothing says whether retries bear a new one, so that a day is granted. The body is a list of events, so the request has
/// neither one id nor one type. The webhook action of flows is not signed.
///
/// Source: <https://developers.klaviyo.com/en/docs/working_with_system_webhooks>
pub const KLAVIYO: Scheme<'static> = Scheme {
    name: "klaviyo",
    signature: Signature::bare("klaviyo-signature"),
    timestamp: Some(Timestamp::rfc3339(Source::Json("/meta/timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs(24 * 3600), future: Duration::from_secs(300) },
    message: &[Part::Canonical(canonical::klaviyo::BODY_AND_DATE)],
    profile: Profile::new("Klaviyo", "https://developers.klaviyo.com/en/docs/working_with_system_webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Customer.io, reporting webhooks: `X-CIO-Signature`, HMAC-SHA256 of `v0:timestamp:body`.
///
/// The event type is the metric (`sent`, `opened`); what it is about (`email`, `push`) is beside it in the body. Later events wait until a failed
/// delivery succeeds. Customer.io goes on for seven days and does not say whether tries are signed anew, so a time may be that old.
///
/// Source: <https://docs.customer.io/api/webhooks/>
pub const CUSTOMERIO: Scheme<'static> = Scheme {
    name: "customerio",
    signature: Signature::bare("x-cio-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-cio-timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs((7 * 24 + 1) * 3600), future: Duration::from_secs(300) },
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/metric")),
    message: &[Part::Text("v0:"), Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Customer.io", "https://docs.customer.io/api/webhooks/")
        .retries(RetryOn::AnyFailure, 7 * 24)
        .addresses("https://docs.customer.io/journeys/webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Mailchimp Transactional, once Mandrill: `X-Mandrill-Signature`, HMAC-SHA1 of the webhook's URL and the decoded form, in base64.
///
/// The URL must be the very text that the webhook was made with. The form is one field with a list of events, so the request has neither one id nor
/// one type; of other fields nothing is taken. The test that is sent when a webhook is made, an empty list, is signed with the key
/// `test-webhook`, and a HEAD request without a signature precedes it. Forms that are not urlencoded are refused.
///
/// Source: <https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/>
pub const MAILCHIMP_TRANSACTIONAL: Scheme<'static> = Scheme {
    name: "mailchimp-transactional",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-mandrill-signature"),
    message: &[Part::Canonical(canonical::mandrill::URL_AND_EVENTS)],
    profile: Profile::new(
        "Mailchimp Transactional",
        "https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/",
    ),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Mailgun keeps trying for eight hours and does not say whether tries are signed anew, so a time may be that old.
const MAILGUN_TOLERANCE: Tolerance =
    Tolerance { past: Duration::from_secs(8 * 3600 + 300), future: Duration::from_secs(300) };

/// Mailgun: `signature` in the JSON body, HMAC-SHA256 of its timestamp and token. The event itself is not signed.
///
/// Whoever sees one delivery can put another event to its signature; the token, which counts as the id, is accepted only once. Mailgun keeps trying for
/// eight hours and does not say whether tries are signed anew, so a time may be that old. An answer of 406 ends the tries. The signature of a
/// parent account, which events of subaccounts also carry, is not looked at.
///
/// Source: <https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks>
pub const MAILGUN: Scheme<'static> = Scheme {
    name: "mailgun",
    signature: Signature::at(Source::Json("/signature/signature")),
    timestamp: Some(Timestamp::unix_seconds(Source::Json("/signature/timestamp"))),
    tolerance: MAILGUN_TOLERANCE,
    id: Some(Source::Json("/signature/token")),
    event: Some(Source::Json("/event-data/event")),
    message: &[Part::Timestamp, Part::Json("/signature/token")],
    profile: Profile::new(
        "Mailgun",
        "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
    )
    .retries(RetryOn::AnyFailure, 8),
    ..Scheme::HMAC_SHA256_HEX
};

/// Mailgun, routes that forward received mail: as [`MAILGUN`], but time, token and signature are fields of a form. The mail itself is not signed.
///
/// Attachments come along in the form, hence the larger limit.
///
/// Source: <https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http>
pub const MAILGUN_ROUTES: Scheme<'static> = Scheme {
    name: "mailgun-routes",
    signature: Signature::at(Source::Form("signature")),
    timestamp: Some(Timestamp::unix_seconds(Source::Form("timestamp"))),
    id: Some(Source::Form("token")),
    event: None,
    message: &[Part::Timestamp, Part::Form("token")],
    max_body: 32 * 1024 * 1024,
    profile: Profile::new(
        "Mailgun routes",
        "https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http",
    )
    .retries(RetryOn::AnyFailure, 8),
    ..MAILGUN
};

/// Twilio SendGrid, event webhook: `X-Twilio-Email-Event-Webhook-Signature`, ECDSA P-256 with SHA-256 of timestamp and body.
///
/// The key is the verification key of the settings as it is shown there, in base64. The body is a list of events that ends in a line break, so the
/// request has neither one id nor one type. SendGrid goes on for a day and does not say whether tries are signed anew, so a time may be that old.
///
/// Source: <https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features>
pub const SENDGRID: Scheme<'static> = Scheme {
    name: "sendgrid",
    algorithm: Algorithm::EcdsaP256Sha256,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("x-twilio-email-event-webhook-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-twilio-email-event-webhook-timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs(25 * 3600), future: Duration::from_secs(300) },
    message: &[Part::Timestamp, Part::Body],
    profile: Profile::new(
        "Twilio SendGrid",
        "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
    )
    .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Resend: sent through Svix, with `svix-*` headers.
///
/// Source: <https://resend.com/docs/webhooks/verify-webhooks-requests>
pub const RESEND: Scheme<'static> = Scheme {
    name: "resend",
    profile: Profile::new("Resend", "https://resend.com/docs/webhooks/verify-webhooks-requests"),
    ..SVIX
};

/// Loops: Standard Webhooks headers, HMAC-SHA256 of `id.timestamp.body`.
///
/// The secret is written `whsec_…`: the key is what follows, decoded from base64.
///
/// Source: <https://loops.so/docs/webhooks>
pub const LOOPS: Scheme<'static> = Scheme {
    name: "loops",
    event: Some(Source::Json("/eventName")),
    alternate: None,
    profile: Profile::new("Loops", "https://loops.so/docs/webhooks"),
    ..STANDARD_WEBHOOKS
};

/// Emailit: `X-Emailit-Signature`, HMAC-SHA256 of `timestamp.body`.
///
/// The secret is the whole text `whsec_…`. Emailit turns a webhook off after seven tries. Its SDK looks at the past only; here the future is judged, too.
///
/// Source: <https://emailit.com/docs/webhooks/request-signature/>
pub const EMAILIT: Scheme<'static> = Scheme {
    name: "emailit",
    signature: Signature::bare("x-emailit-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-emailit-timestamp"))),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Emailit", "https://emailit.com/docs/webhooks/request-signature/")
        .retries(RetryOn::AnyFailure, 42)
        .resigned(true),
    ..Scheme::HMAC_SHA256_HEX
};

/// Lettermint: `X-Lettermint-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// The secret is the whole text `whsec_…`.
///
/// Source: <https://docs.lettermint.co/platform/webhooks/signing>
pub const LETTERMINT: Scheme<'static> = Scheme {
    name: "lettermint",
    signature: Signature::field("x-lettermint-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Lettermint", "https://docs.lettermint.co/platform/webhooks/signing"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Mailtrap: `Mailtrap-Signature`, HMAC-SHA256 of the body.
///
/// The body is a list of events, or one event a line, so the request has neither one id nor one type.
///
/// Source: <https://docs.mailtrap.io/email-api-smtp/advanced/webhooks>
pub const MAILTRAP: Scheme<'static> = Scheme {
    name: "mailtrap",
    signature: Signature::bare("mailtrap-signature"),
    profile: Profile::new("Mailtrap", "https://docs.mailtrap.io/email-api-smtp/advanced/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// SendPost: `X-SendPost-Signature`, HMAC-SHA256 of the body, with the account's API key as the secret.
///
/// The id of the webhook and the number of the try are in headers, and not signed.
///
/// Source: <https://docs.sendpost.io/api-reference/webhook/webhook-signature-verification>
pub const SENDPOST: Scheme<'static> = Scheme {
    name: "sendpost",
    signature: Signature::bare("x-sendpost-signature"),
    profile: Profile::new("SendPost", "https://docs.sendpost.io/api-reference/webhook/webhook-signature-verification"),
    ..Scheme::HMAC_SHA256_HEX
};

/// AgentMail: sent through Svix, with `svix-*` headers.
///
/// Source: <https://docs.agentmail.to/webhook-verification>
pub const AGENTMAIL: Scheme<'static> = Scheme {
    name: "agentmail",
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("AgentMail", "https://docs.agentmail.to/webhook-verification"),
    ..SVIX
};

/// Postmark: user and password in `Authorization`, as they were written into the URL of the webhook. Nothing is signed.
///
/// Source: <https://postmarkapp.com/developer/webhooks/webhooks-overview>
pub const POSTMARK: Scheme<'static> = Scheme {
    name: "postmark",
    event: Some(Source::Json("/RecordType")),
    profile: Profile::new("Postmark", "https://postmarkapp.com/developer/webhooks/webhooks-overview"),
    ..Scheme::BASIC
};

/// Brevo, once Sendinblue: user and password in `Authorization`, as they were written into the URL of the webhook. Nothing is signed.
///
/// Source: <https://developers.brevo.com/docs/secured-webhooks>
pub const BREVO: Scheme<'static> = Scheme {
    name: "brevo",
    event: Some(Source::Json("/event")),
    profile: Profile::new("Brevo", "https://developers.brevo.com/docs/secured-webhooks"),
    ..Scheme::BASIC
};

/// Brevo, with a token: `Authorization: Bearer …` holds the token that the webhook was made with, and nothing is signed.
///
/// Source: <https://developers.brevo.com/docs/secured-webhooks>
pub const BREVO_TOKEN: Scheme<'static> = Scheme {
    name: "brevo-token",
    signature: Signature::prefixed("authorization", "Bearer "),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Brevo", "https://developers.brevo.com/docs/secured-webhooks"),
    ..Scheme::TOKEN
};

/// MailerSend: `Signature`, HMAC-SHA256 of the body.
///
/// Source: <https://github.com/mailersend/mailersend-nodejs>
pub const MAILERSEND: Scheme<'static> = Scheme {
    name: "mailersend",
    signature: Signature::bare("signature"),
    event: Some(Source::Json("/type")),
    profile: Profile::new("MailerSend", "https://developers.mailersend.com/api/v1/webhooks.html"),
    ..Scheme::HMAC_SHA256_HEX
};

/// eBay: `X-EBAY-SIGNATURE`, base64 of JSON that names the key and holds an ECDSA P-256 signature with SHA-1 of the body.
///
/// The public key comes from the Notification API (`getPublicKey`), which wants an application token, so it cannot be fetched here: give a ring of
/// keys with their ids. The challenge by which eBay checks an endpoint is not a delivery.
///
/// Source: <https://github.com/eBay/event-notification-nodejs-sdk>
pub const EBAY: Scheme<'static> = Scheme {
    name: "ebay",
    algorithm: Algorithm::EcdsaP256Sha1,
    secret_format: SecretFormat::PublicKey,
    signature: Signature {
        grammar: Grammar::Base64Json { member: "signature" },
        ..Signature::bare("x-ebay-signature")
    },
    key_id: Some(Source::Field("kid")),
    id: Some(Source::Json("/notification/notificationId")),
    event: Some(Source::Json("/metadata/topic")),
    profile: Profile::new("eBay", "https://developer.ebay.com/api-docs/commerce/notification/overview.html"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Wix: the body is a JSON Web Token, signed with RS256, whose claim `data` is the event as text.
///
/// The key is the public key of the app. Type and content are JSON inside the text of `data`, and must be read from there.
///
/// Source: <https://dev.wix.com/docs/rest/articles/getting-started/webhooks>
pub const WIX: Scheme<'static> = Scheme {
    name: "wix",
    signature: Signature::at(Source::Body),
    jws: Some(Jws { algorithms: &[JwsAlgorithm::Rs256], ..Jws::NEW }),
    profile: Profile::new("Wix", "https://dev.wix.com/docs/rest/articles/getting-started/webhooks")
        .retries(RetryOn::AnyFailure, 48),
    ..Scheme::JWS
};

/// Squarespace: `Squarespace-Signature`, HMAC-SHA256 of the body; the secret is hexadecimal and gets decoded.
///
/// Source: <https://developers.squarespace.com/webhooks/verifying-notifications>
pub const SQUARESPACE: Scheme<'static> = Scheme {
    name: "squarespace",
    secret_format: SecretFormat::Hex,
    signature: Signature::bare("squarespace-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/topic")),
    profile: Profile::new("Squarespace", "https://developers.squarespace.com/webhooks/verifying-notifications"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Ecwid: `X-Ecwid-Webhook-Signature`, HMAC-SHA256 of `eventCreated.eventId`, in base64. Nothing else of the event is signed.
///
/// Whoever sees one delivery can put other content to its id and time, so take the id of what has changed as a hint, and ask Ecwid's API. The secret is
/// the application's `client_secret`, not an access token.
///
/// Source: <https://docs.ecwid.com/webhook-automations/setup-webhooks>
pub const ECWID: Scheme<'static> = Scheme {
    name: "ecwid",
    signature: Signature::bare("x-ecwid-webhook-signature"),
    id: Some(Source::Json("/eventId")),
    event: Some(Source::Json("/eventType")),
    message: &[Part::Json("/eventCreated"), Part::Text("."), Part::Json("/eventId")],
    profile: Profile::new("Ecwid", "https://docs.ecwid.com/webhook-automations/setup-webhooks")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Loop Returns: `X-Loop-Signature`, HMAC-SHA256 of the body, in base64.
///
/// Source: <https://docs.loopreturns.com/reference/hmac-calculation>
pub const LOOP_RETURNS: Scheme<'static> = Scheme {
    name: "loop-returns",
    signature: Signature::bare("x-loop-signature"),
    profile: Profile::new("Loop Returns", "https://docs.loopreturns.com/reference/hmac-calculation"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Fourthwall: `X-Fourthwall-Hmac-SHA256`, HMAC-SHA256 of the body, in base64.
///
/// Source: <https://docs.fourthwall.com/webhooks/signature-verification>
pub const FOURTHWALL: Scheme<'static> = Scheme {
    name: "fourthwall",
    signature: Signature::bare("x-fourthwall-hmac-sha256"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Fourthwall", "https://docs.fourthwall.com/webhooks/signature-verification"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Fourthwall, platform apps: as [`FOURTHWALL`], but `X-Fourthwall-Hmac-Apps-SHA256`, with the key of the app.
///
/// Source: <https://docs.fourthwall.com/webhooks/signature-verification>
pub const FOURTHWALL_APPS: Scheme<'static> = Scheme {
    name: "fourthwall-apps",
    signature: Signature::bare("x-fourthwall-hmac-apps-sha256"),
    profile: Profile::new("Fourthwall apps", "https://docs.fourthwall.com/webhooks/signature-verification"),
    ..FOURTHWALL
};

/// Shopware, apps: `shopware-shop-signature`, HMAC-SHA256 of the body.
///
/// The secret is the one that the app gave the shop when it was registered; each shop has its own. The body holds a time, which is not judged here.
///
/// Source: <https://developer.shopware.com/docs/guides/plugins/apps/webhook.html>
pub const SHOPWARE: Scheme<'static> = Scheme {
    name: "shopware",
    signature: Signature::bare("shopware-shop-signature"),
    id: Some(Source::Json("/source/eventId")),
    event: Some(Source::Json("/data/event")),
    profile: Profile::new("Shopware", "https://developer.shopware.com/docs/guides/plugins/apps/webhook.html"),
    ..Scheme::HMAC_SHA256_HEX
};
