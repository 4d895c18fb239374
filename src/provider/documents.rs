//! Signing documents.

use super::standard::STANDARD_WEBHOOKS;
use crate::scheme::{Grammar, Part, Profile, Repeats, RetryOn, Scheme, Signature, Source, Timestamp};

/// BoldSign: `X-BoldSign-Signature: t=…, s0=…`, HMAC-SHA256 of `t.body`.
///
/// For a while after its secret was made anew, `s0` is by the new secret and `s1` by the old one; either will do.
///
/// Source: <https://developers.boldsign.com/webhooks/verify-webhook-events>, and the PyPI package `boldsign`
pub const BOLDSIGN: Scheme<'static> = Scheme {
    name: "boldsign",
    signature: Signature {
        grammar: Grammar::AnyField { separator: ',', names: &["s0", "s1"] },
        ..Signature::bare("x-boldsign-signature")
    },
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/event/id")),
    event: Some(Source::Json("/event/eventType")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("BoldSign", "https://developers.boldsign.com/webhooks/verify-webhook-events"),
    ..Scheme::HMAC_SHA256_HEX
};

/// DocuSign Connect: `X-DocuSign-Signature-1` and so on, HMAC-SHA256 of the body.
///
/// There is one header for each active key; the first ten are looked at, and one must match. The key is used as the text it is, although it looks
/// like base64. The body is JSON or XML; the event type is read from JSON. Documents may be included, which makes bodies large.
///
/// Source: <https://developers.docusign.com/platform/webhooks/connect/validate/>
pub const DOCUSIGN: Scheme<'static> = Scheme {
    name: "docusign",
    signature: Signature {
        others: &[
            Source::Header("x-docusign-signature-2"),
            Source::Header("x-docusign-signature-3"),
            Source::Header("x-docusign-signature-4"),
            Source::Header("x-docusign-signature-5"),
            Source::Header("x-docusign-signature-6"),
            Source::Header("x-docusign-signature-7"),
            Source::Header("x-docusign-signature-8"),
            Source::Header("x-docusign-signature-9"),
            Source::Header("x-docusign-signature-10"),
        ],
        ..Signature::bare("x-docusign-signature-1")
    },
    event: Some(Source::Json("/event")),
    profile: Profile::new("DocuSign", "https://developers.docusign.com/platform/webhooks/connect/validate/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Dropbox Sign, formerly HelloSign: `event_hash` in the form field `json`, HMAC-SHA256 of the event's time and type, keyed with the API key.
///
/// **This covers nothing else of the request**: whoever captured one can put another document into it. All events of a type within a second have
/// the same signature, so replays cannot be told from news. Ask the API what really happened. The header `Content-Sha256`, which the documentation
/// has for the JSON as a whole, is not looked at here. A delivery counts as received only if the answer is 200 with the text `Hello API Event
/// Received`.
///
/// Source: <https://developers.hellosign.com/docs/events/overview>, and the PyPI package `dropbox-sign`
pub const DROPBOX_SIGN: Scheme<'static> = Scheme {
    name: "dropbox-sign",
    signature: Signature::at(Source::FormJson("json", "/event/event_hash")),
    event: Some(Source::FormJson("json", "/event/event_type")),
    message: &[Part::Canonical(super::canonical::dropbox_sign::TIME_AND_TYPE)],
    repeats: Repeats::Always,
    profile: Profile::new("Dropbox Sign", "https://developers.hellosign.com/docs/events/overview")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_HEX
};

/// SignWell: `hash` in the body, HMAC-SHA256 of `type@time` of the event, keyed with the id of the webhook.
///
/// That id is all that there is to keep secret: whoever can list the webhooks of the account knows it.
/// **Nothing else of the body is signed**: whoever captured a request can put another document into it. All events of a type within a second have
/// the same signature, so replays cannot be told from news. Ask the API what really happened.
///
/// Source: <https://developers.signwell.com/reference/event-hash-verification>
pub const SIGNWELL: Scheme<'static> = Scheme {
    name: "signwell",
    signature: Signature::at(Source::Json("/event/hash")),
    event: Some(Source::Json("/event/type")),
    message: &[Part::Json("/event/type"), Part::Text("@"), Part::Json("/event/time")],
    repeats: Repeats::Always,
    profile: Profile::new("SignWell", "https://developers.signwell.com/reference/event-hash-verification"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Yousign: `X-Yousign-Signature-256: sha256=…`, HMAC-SHA256 of the body.
///
/// The time of sending (`X-Yousign-Issued-At`) and the count of tries (`X-Yousign-Retry`) are not signed. Retries can be switched off for a webhook.
///
/// Source: <https://developers.yousign.com/docs/use-webhooks-in-your-app>
pub const YOUSIGN: Scheme<'static> = Scheme {
    name: "yousign",
    signature: Signature::prefixed("x-yousign-signature-256", "sha256="),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/event_name")),
    profile: Profile::new("Yousign", "https://developers.yousign.com/docs/use-webhooks-in-your-app")
        .retries(RetryOn::AnyFailure, 96)
        .resigned(false),
    ..Scheme::HMAC_SHA256_HEX
};

/// PandaDoc: `signature` in the query, HMAC-SHA256 of the body, keyed with the shared key of the subscription.
///
/// The id (`X-PandaDoc-Webhook-Event-Id`) is not signed. The body is a list of events, so the request has no one type.
///
/// Source: <https://developers.pandadoc.com/docs/webhook-verification>
pub const PANDADOC: Scheme<'static> = Scheme {
    name: "pandadoc",
    signature: Signature::at(Source::Query("signature")),
    id: Some(Source::Header("x-pandadoc-webhook-event-id")),
    profile: Profile::new("PandaDoc", "https://developers.pandadoc.com/docs/webhook-verification"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Documenso: `X-Documenso-Secret` is the secret itself, and nothing is signed.
///
/// Source: <https://docs.documenso.com/docs/developers/webhooks/verification>
pub const DOCUMENSO: Scheme<'static> = Scheme {
    name: "documenso",
    signature: Signature::bare("x-documenso-secret"),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Documenso", "https://docs.documenso.com/docs/developers/webhooks/verification"),
    ..Scheme::TOKEN
};

/// SignatureAPI: Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// Source: <https://signatureapi.com/docs/api/guides/how-to/verify-webhooks>
pub const SIGNATUREAPI: Scheme<'static> = Scheme {
    name: "signatureapi",
    alternate: None,
    profile: Profile::new("SignatureAPI", "https://signatureapi.com/docs/api/guides/how-to/verify-webhooks"),
    ..STANDARD_WEBHOOKS
};

/// DocuSeal: `X-Docuseal-Signature: time.signature`, HMAC-SHA256 of `time.body`.
///
/// The secret is the whole text `whsec_…`. A header of the same name that was set for the webhook by hand takes the signature's place.
///
/// Source: `lib/webhook_urls/signatures.rb` of <https://github.com/docusealco/docuseal>
pub const DOCUSEAL: Scheme<'static> = Scheme {
    name: "docuseal",
    signature: Signature { grammar: Grammar::TimeFirst { separator: '.' }, ..Signature::bare("x-docuseal-signature") },
    timestamp: Some(Timestamp::unix_seconds(Source::Field(""))),
    event: Some(Source::Json("/event_type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("DocuSeal", "https://www.docuseal.com/resources/use-webhooks")
        .retries(RetryOn::AnyFailure, 136)
        .resigned(true),
    ..Scheme::HMAC_SHA256_HEX
};
