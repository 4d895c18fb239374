//! Content management, media, forms and appointments.

use std::time::Duration;

use super::canonical::{contentful, hygraph};
use crate::scheme::{
    Algorithm, Encoding, Grammar, Part, Profile, Repeats, RetryOn, Scheme, Signature, Source, Timestamp, Tolerance,
};

/// Contentful's signed requests: `x-contentful-signature`, HMAC-SHA256 of method, path with query, some headers and the body.
///
/// `x-contentful-signed-headers` says which headers; itself and the time are among them. Whether the topic is one of them is up to the
/// sender, so treat the event as unsigned. The host is not signed. What timed out is not sent again. Half a minute is what Contentful's toolkit allows by default.
///
/// Source: <https://www.npmjs.com/package/@contentful/node-apps-toolkit> (3.16.1, `src/requests`)
pub const CONTENTFUL: Scheme<'static> = Scheme {
    name: "contentful",
    signature: Signature::bare("x-contentful-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-contentful-timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs(30), future: Duration::from_secs(300) },
    id: Some(Source::Header("x-contentful-idempotency-key")),
    event: Some(Source::Header("x-contentful-topic")),
    message: &[Part::Canonical(contentful::REQUEST)],
    methods: &["POST", "GET", "PUT", "PATCH", "DELETE"],
    profile: Profile::new(
        "Contentful",
        "https://www.contentful.com/developers/docs/extensibility/app-framework/request-verification/",
    )
    .retries(RetryOn::ServerErrorsAndRateLimits, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Hygraph: `gcms-signature: sign=…, env=…, t=…`, HMAC-SHA256 of a JSON document that holds the body as a text, the environment and the time.
///
/// Hygraph's code does not look at the time, and nothing says whether retries have a new one, so none is enforced here.
///
/// Source: <https://www.npmjs.com/package/@hygraph/utils> (1.2.1)
pub const HYGRAPH: Scheme<'static> = Scheme {
    name: "hygraph",
    signature: Signature::field("gcms-signature", ',', "sign"),
    event: Some(Source::Json("/operation")),
    message: &[Part::Canonical(hygraph::DOCUMENT)],
    profile: Profile::new("Hygraph", "https://hygraph.com/docs/api-reference/basics/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Sanity: `sanity-webhook-signature: t=…,v1=…`, HMAC-SHA256 of `t.body`, in base64url.
///
/// The idempotency key and the operation are not signed. Sanity's toolkit does not look at the time, and nothing says whether retries have
/// a new one, so none is enforced here.
///
/// Source: <https://github.com/sanity-io/webhook-toolkit>, for the retries
/// <https://www.sanity.io/docs/changelog/50ec6abf-fe0c-475b-ae72-314148860132>
pub const SANITY: Scheme<'static> = Scheme {
    name: "sanity",
    signature: Signature::field("sanity-webhook-signature", ',', "v1"),
    encoding: Encoding::Base64UrlUnpadded,
    id: Some(Source::Header("idempotency-key")),
    event: Some(Source::Header("sanity-operation")),
    message: &[Part::Field("t"), Part::Text("."), Part::Body],
    profile: Profile::new("Sanity", "https://www.sanity.io/docs/webhooks")
        .retries(RetryOn::ServerErrorsAndRateLimits, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Prismic: the secret stands in the JSON body, at `/secret`, and nothing is signed.
///
/// Without a secret configured, Prismic sends `null` there, which is refused.
///
/// Source: <https://prismic.io/docs/webhooks>
pub const PRISMIC: Scheme<'static> = Scheme {
    name: "prismic",
    signature: Signature::at(Source::Json("/secret")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Prismic", "https://prismic.io/docs/webhooks").retries(RetryOn::AnyFailure, 1),
    ..Scheme::TOKEN
};

/// Storyblok: `webhook-signature`, HMAC-SHA1 of the body.
///
/// No time and no id is in the body, and a story may be published again: replays cannot be told from news. The header is there only if a secret is
/// set; Standard Webhooks uses the same name for something else.
///
/// Source: <https://www.storyblok.com/docs/concepts/webhooks>
pub const STORYBLOK: Scheme<'static> = Scheme {
    name: "storyblok",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("webhook-signature"),
    event: Some(Source::Json("/action")),
    repeats: Repeats::Always,
    profile: Profile::new("Storyblok", "https://www.storyblok.com/docs/concepts/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// DatoCMS: user and password of the webhook, as `Authorization: Basic …`; nothing is signed.
///
/// The event is what was done; `/entity_type` says to what. A custom payload may have neither.
///
/// Source: <https://www.datocms.com/docs/content-management-api/resources/webhook>
pub const DATOCMS: Scheme<'static> = Scheme {
    name: "datocms",
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("DatoCMS", "https://www.datocms.com/docs/general-concepts/webhooks"),
    ..Scheme::BASIC
};

/// Strapi: the `Authorization` header as it was configured, and nothing is signed.
///
/// The secret is the whole value, such as `Bearer …`: Strapi sends what its `defaultHeaders`, or the headers of the webhook, say.
///
/// Source: <https://docs.strapi.io/cms/backend-customization/webhooks>
pub const STRAPI: Scheme<'static> = Scheme {
    name: "strapi",
    signature: Signature::bare("authorization"),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Strapi", "https://docs.strapi.io/cms/backend-customization/webhooks"),
    ..Scheme::TOKEN
};

/// Ghost: `X-Ghost-Signature: sha256=…, t=…`, HMAC-SHA256 of the body and the time in milliseconds.
///
/// Old versions signed the body alone, and are refused. The body does not say which event it is: give each webhook a path of its own.
///
/// Source: <https://github.com/TryGhost/Ghost/blob/main/ghost/core/core/server/services/webhooks/webhook-trigger.js>
pub const GHOST: Scheme<'static> = Scheme {
    name: "ghost",
    signature: Signature::field("x-ghost-signature", ',', "sha256"),
    timestamp: Some(Timestamp::unix_millis(Source::Field("t"))),
    message: &[Part::Body, Part::Timestamp],
    profile: Profile::new("Ghost", "https://docs.ghost.org/webhooks").resigned(false),
    ..Scheme::HMAC_SHA256_HEX
};

/// Webflow: `x-webflow-signature`, HMAC-SHA256 of `timestamp:body`, the time in milliseconds.
///
/// The secret is that of the webhook, or the client secret of the app that made it.
///
/// Source: <https://developers.webflow.com/data/docs/working-with-webhooks>
pub const WEBFLOW: Scheme<'static> = Scheme {
    name: "webflow",
    signature: Signature::bare("x-webflow-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-webflow-timestamp"))),
    event: Some(Source::Json("/triggerType")),
    message: &[Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Webflow", "https://developers.webflow.com/data/docs/working-with-webhooks")
        .retries(RetryOn::AnyFailure, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Kontent.ai: `X-Kontent-ai-Signature`, HMAC-SHA256 of the body, in base64.
///
/// A request holds a list of notifications, so it has neither one id nor one type.
///
/// Source: <https://www.npmjs.com/package/@kontent-ai/webhook-helper> (3.0.3)
pub const KONTENT: Scheme<'static> = Scheme {
    name: "kontent",
    signature: Signature::bare("x-kontent-ai-signature"),
    profile: Profile::new("Kontent.ai", "https://kontent.ai/learn/docs/webhooks/webhooks/javascript"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Box, webhooks of version 2: `BOX-SIGNATURE-PRIMARY` and `BOX-SIGNATURE-SECONDARY`, HMAC-SHA256 of the body and the time of delivery.
///
/// Each header is made with the key of that name, so that one can be replaced while the other holds: give a ring with both. The delivery id is not
/// signed. Box's SDKs also try the body with escapes put back, for receivers that parsed it; here it is the body that came.
///
/// Source: <https://developer.box.com/guides/webhooks/v2/signatures-v2/>
pub const BOX: Scheme<'static> = Scheme {
    name: "box",
    signature: Signature {
        others: &[Source::Header("box-signature-secondary")],
        ..Signature::bare("box-signature-primary")
    },
    timestamp: Some(Timestamp::rfc3339(Source::Header("box-delivery-timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs(600), future: Duration::from_secs(300) },
    id: Some(Source::Header("box-delivery-id")),
    event: Some(Source::Json("/trigger")),
    message: &[Part::Body, Part::Timestamp],
    profile: Profile::new("Box", "https://developer.box.com/guides/webhooks/v2/signatures-v2/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Frame.io: `X-Frameio-Signature: v0=…`, HMAC-SHA256 of `v0:timestamp:body`.
///
/// Source: <https://developer.frame.io/docs/automations-webhooks/webhooks-overview>
pub const FRAMEIO: Scheme<'static> = Scheme {
    name: "frameio",
    signature: Signature::prefixed("x-frameio-signature", "v0="),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-frameio-request-timestamp"))),
    event: Some(Source::Json("/type")),
    message: &[Part::Text("v0:"), Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Frame.io", "https://developer.frame.io/docs/automations-webhooks/webhooks-overview"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Mux: `Mux-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// Each webhook has a secret of its own.
///
/// Source: <https://www.mux.com/docs/core/verify-webhook-signatures>
pub const MUX: Scheme<'static> = Scheme {
    name: "mux",
    signature: Signature::field("mux-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Mux", "https://www.mux.com/docs/core/verify-webhook-signatures")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_HEX
};

/// Wistia: `X-Wistia-Signature`, HMAC-SHA256 of the body.
///
/// A request holds a list of events, so it has neither one id nor one type.
///
/// Source: <https://docs.wistia.com/docs/webhooks>
pub const WISTIA: Scheme<'static> = Scheme {
    name: "wistia",
    signature: Signature::bare("x-wistia-signature"),
    profile: Profile::new("Wistia", "https://docs.wistia.com/docs/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Bunny Stream: `X-BunnyStream-Signature`, HMAC-SHA256 of the body, with the library's read-only API key as the secret.
///
/// The body is a video and its status, and comes again for each resolution that is done: replays cannot be told from news.
///
/// Source: <https://bunny.net/docs/stream/webhooks>
pub const BUNNY_STREAM: Scheme<'static> = Scheme {
    name: "bunny-stream",
    signature: Signature::bare("x-bunnystream-signature"),
    event: Some(Source::Json("/Status")),
    repeats: Repeats::Always,
    profile: Profile::new("Bunny Stream", "https://bunny.net/docs/stream/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Livepeer Studio: `Livepeer-Signature: t=…,v1=…`, HMAC-SHA256 of the body.
///
/// The time in the header is not signed; the same time is in the body, and that one is judged. Client errors are not retried.
///
/// Source: <https://github.com/livepeer/studio/blob/master/packages/api/src/webhooks/cannon.ts>
pub const LIVEPEER: Scheme<'static> = Scheme {
    name: "livepeer",
    signature: Signature::field("livepeer-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_millis(Source::Json("/timestamp"))),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event")),
    profile: Profile::new(
        "Livepeer Studio",
        "https://docs.livepeer.org/developers/guides/setup-and-listen-to-webhooks",
    )
    .retries(RetryOn::ServerErrors, 24)
    .resigned(true),
    ..Scheme::HMAC_SHA256_HEX
};

/// Cloudinary: `X-Cld-Signature`, SHA-1 of the body, the time and the API secret.
///
/// Accounts may be switched to SHA-256: see [`CLOUDINARY_SHA256`]. Two hours are what Cloudinary's SDKs allow by default.
///
/// Source: <https://cloudinary.com/documentation/notification_signatures>
pub const CLOUDINARY: Scheme<'static> = Scheme {
    name: "cloudinary",
    algorithm: Algorithm::Sha1,
    signature: Signature::bare("x-cld-signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-cld-timestamp"))),
    tolerance: Tolerance { past: Duration::from_secs(7200), future: Duration::from_secs(300) },
    event: Some(Source::Json("/notification_type")),
    message: &[Part::Body, Part::Timestamp, Part::Secret],
    profile: Profile::new("Cloudinary", "https://cloudinary.com/documentation/notification_signatures"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Cloudinary, for accounts that sign with SHA-256: `X-Cld-Signature` and the rest as in [`CLOUDINARY`].
///
/// Source: <https://cloudinary.com/documentation/notification_signatures>
pub const CLOUDINARY_SHA256: Scheme<'static> =
    Scheme { name: "cloudinary-sha256", algorithm: Algorithm::Sha256, ..CLOUDINARY };

/// Uploadcare: `X-Uc-Signature: v1=…`, HMAC-SHA256 of the body.
///
/// Source: <https://github.com/uploadcare/uploadcare-ruby/blob/main/lib/uploadcare/webhook_signature_verifier.rb>
pub const UPLOADCARE: Scheme<'static> = Scheme {
    name: "uploadcare",
    signature: Signature::prefixed("x-uc-signature", "v1="),
    event: Some(Source::Json("/hook/event")),
    profile: Profile::new("Uploadcare", "https://uploadcare.com/docs/security/secure-webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Transloadit: the form field `signature` is `sha384:…`, HMAC-SHA384 of the form field `transloadit`.
///
/// The secret is that of the auth key which made the assembly. Other fields are not signed, so read nothing but `transloadit`. Signatures without
/// `sha384:`, which old accounts may get, are SHA-1, and are refused. An assembly can be notified of more than once, with different states, so its id
/// is no id of a delivery.
///
/// Source: <https://github.com/transloadit/node-sdk/blob/main/packages/utils/src/index.ts>, <https://transloadit.com/docs/api/webhooks.md>
pub const TRANSLOADIT: Scheme<'static> = Scheme {
    name: "transloadit",
    algorithm: Algorithm::HmacSha384,
    signature: Signature { grammar: Grammar::Prefixed("sha384:"), ..Signature::at(Source::Form("signature")) },
    event: Some(Source::FormJson("transloadit", "/ok")),
    message: &[Part::Form("transloadit")],
    profile: Profile::new("Transloadit", "https://transloadit.com/docs/api/webhooks/").retries(RetryOn::AnyFailure, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Tally: `Tally-Signature`, HMAC-SHA256 of the body, in base64.
///
/// Source: <https://tally.so/help/webhooks>
pub const TALLY: Scheme<'static> = Scheme {
    name: "tally",
    signature: Signature::bare("tally-signature"),
    id: Some(Source::Json("/eventId")),
    event: Some(Source::Json("/eventType")),
    profile: Profile::new("Tally", "https://tally.so/help/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Formstack Forms: `X-FS-Signature: sha256=…`, HMAC-SHA256 of the body, which is a form unless JSON was chosen.
///
/// Signing is off until an HMAC key is set. Who owns the form may have given the header another name. The `UniqueID` of a submission counts as
/// unsigned: how a form is read is for its unsigned content type to say.
///
/// Formstack's documentation no longer shows how the signature is written; this is how a delivery of its own had it, which was captured.
///
/// Source: <https://github.com/hookdeck/webhook-skills/blob/main/skills/formstack-webhooks/references/verification.md>
pub const FORMSTACK: Scheme<'static> = Scheme {
    name: "formstack",
    signature: Signature::prefixed("x-fs-signature", "sha256="),
    id: Some(Source::Form("UniqueID")),
    profile: Profile::new("Formstack", "https://help.formstack.com/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Cal.com: `X-Cal-Signature-256`, HMAC-SHA256 of the body.
///
/// Without a secret the header holds words instead, and is refused.
///
/// Source: <https://cal.com/docs/developing/guides/automation/webhooks>
pub const CALCOM: Scheme<'static> = Scheme {
    name: "calcom",
    signature: Signature::bare("x-cal-signature-256"),
    event: Some(Source::Json("/triggerEvent")),
    profile: Profile::new("Cal.com", "https://cal.com/docs/developing/guides/automation/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Calendly: `Calendly-Webhook-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// Three minutes are what Calendly's own sample allows. Events have no id.
///
/// Source: <https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures>
pub const CALENDLY: Scheme<'static> = Scheme {
    name: "calendly",
    signature: Signature::field("calendly-webhook-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    tolerance: Tolerance { past: Duration::from_secs(180), future: Duration::from_secs(300) },
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Calendly", "https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures")
        .retries(RetryOn::AnyFailure, 24),
    ..Scheme::HMAC_SHA256_HEX
};

/// Acuity Scheduling: `X-Acuity-Signature`, HMAC-SHA256 of the form, in base64, with the API key as the secret.
///
/// The form only names an appointment and what happened to it, which may happen again: replays cannot be told from news.
///
/// Source: <https://developers.acuityscheduling.com/docs/webhooks>
pub const ACUITY: Scheme<'static> = Scheme {
    name: "acuity",
    signature: Signature::bare("x-acuity-signature"),
    event: Some(Source::Form("action")),
    repeats: Repeats::Always,
    profile: Profile::new("Acuity Scheduling", "https://developers.acuityscheduling.com/docs/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Thinkific: `X-Thinkific-Hmac-Sha256`, HMAC-SHA256 of the body.
///
/// The secret is the API key of the site, or the client secret of an app. The action says what happened, `/resource` to what.
///
/// Source: <https://support.thinkific.dev/hc/en-us/articles/4422685850775>
pub const THINKIFIC: Scheme<'static> = Scheme {
    name: "thinkific",
    signature: Signature::bare("x-thinkific-hmac-sha256"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/action")),
    profile: Profile::new("Thinkific", "https://support.thinkific.dev/hc/en-us/articles/4422685850775"),
    ..Scheme::HMAC_SHA256_HEX
};
