//! The handshakes of the providers in the catalogue.

use super::{Alphabet, Handshake, Mark, Member, Needs, Reply};
use crate::scheme::Source;

/// All handshakes, by name. Those that do more than answer are methods of [`HandshakeLayer`](crate::layer::HandshakeLayer).
pub const ALL: &[Handshake] = &[
    AZURE_EVENT_GRID,
    DISCORD_EVENTS,
    DISCORD_INTERACTIONS,
    DROPBOX,
    LINKEDIN,
    META,
    MICROSOFT_GRAPH,
    MONDAY,
    MONDAY_SIGNED,
    NYLAS,
    OKTA,
    PUBSUBHUBBUB,
    SLACK,
    TRELLO,
    TWITCH,
    WEBSUB,
    WEBSUB_UNSUBSCRIBE,
    WORLDLINE,
    X_CRC,
    XERO,
    ZOOM,
];

/// The handshakes that go with a scheme, such as `slack`.
pub fn of(provider: &str) -> impl Iterator<Item = Handshake> {
    ALL.iter().filter(move |handshake| handshake.providers.contains(&provider)).copied()
}

const WEBSUB_SCHEMES: &[&str] = &["websub-sha1", "websub-sha256", "websub-sha384", "websub-sha512"];

/// Azure Event Grid, in its own schema: a `SubscriptionValidation` event, whose `validationCode` is sent back as `validationResponse`.
///
/// It comes with the secret or token that deliveries come with. Its `validationUrl` is not opened. In the CloudEvents schema, Event Grid
/// asks by [`OPTIONS`](crate::layer::HandshakeLayer::cloud_events).
///
/// Source: <https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema>
pub const AZURE_EVENT_GRID: Handshake = Handshake {
    name: "azure-event-grid",
    providers: &["azure-event-grid", "azure-event-grid-query-token"],
    // It comes alone: in a batch, the other events would be acknowledged unseen.
    marks: &[
        Mark::Is(Source::Json("/0/eventType"), "Microsoft.EventGrid.SubscriptionValidationEvent"),
        Mark::Absent(Source::Json("/1/eventType")),
    ],
    challenge: Some(Source::Json("/0/data/validationCode")),
    reply: Reply::Json(&[("validationResponse", Member::Challenge)]),
    ..Handshake::SIGNED
};

/// Discord's webhook events: a `PING` of type 0, answered `204`.
///
/// Discord also sends forged ones, and wants `401` for them.
///
/// Source: <https://docs.discord.com/developers/events/webhook-events>
pub const DISCORD_EVENTS: Handshake = Handshake {
    name: "discord-events",
    providers: &["discord"],
    marks: &[Mark::Is(Source::Json("/type"), "0"), Mark::Absent(Source::Json("/event/type"))],
    reply: Reply::Status(204),
    ..Handshake::SIGNED
};

/// Discord's interactions: a `PING` of type 1, answered with a `PONG` of type 1.
///
/// Type 1 is an ordinary event among webhook events, which are told by their `event`.
///
/// Source: <https://docs.discord.com/developers/interactions/overview>
pub const DISCORD_INTERACTIONS: Handshake = Handshake {
    name: "discord-interactions",
    providers: &["discord"],
    marks: &[Mark::Is(Source::Json("/type"), "1"), Mark::Absent(Source::Json("/event/type"))],
    reply: Reply::Literal(r#"{"type":1}"#),
    ..Handshake::SIGNED
};

/// Dropbox: `GET ?challenge=…`, sent back as text.
///
/// Source: <https://www.dropbox.com/developers/reference/webhooks>
pub const DROPBOX: Handshake = Handshake {
    name: "dropbox",
    providers: &["dropbox"],
    challenge: Some(Source::Query("challenge")),
    ..Handshake::GET
};

/// LinkedIn: `GET ?challengeCode=…`, sent back with its HMAC under the client secret. Every two hours.
///
/// Anyone may have codes signed by this, with the key that signs deliveries. But codes are UUIDs, and what is signed of a delivery starts with `hmacsha256=`.
///
/// Source: <https://learn.microsoft.com/linkedin/shared/api-guide/webhook-validation>
pub const LINKEDIN: Handshake = Handshake {
    name: "linkedin",
    providers: &["linkedin"],
    challenge: Some(Source::Query("challengeCode")),
    alphabet: Alphabet::Uuid,
    longest: 36,
    needs: Needs::SigningSecret,
    reply: Reply::Json(&[("challengeCode", Member::Challenge), ("challengeResponse", Member::HmacSha256Hex)]),
    ..Handshake::GET
};

/// Meta (Graph API, Instagram, Messenger, WhatsApp): `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`, whose challenge is sent back as text.
///
/// Needs the verify token that was entered in the dashboard.
///
/// Source: <https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests>
pub const META: Handshake = Handshake {
    name: "meta",
    providers: &["meta", "meta-sha1", "whatsapp"],
    marks: &[Mark::Is(Source::Query("hub.mode"), "subscribe")],
    challenge: Some(Source::Query("hub.challenge")),
    needs: Needs::VerifyToken(Source::Query("hub.verify_token")),
    ..Handshake::GET
};

/// Microsoft Graph: `POST ?validationToken=…`, sent back decoded, as text.
///
/// The token is opaque, and seen to be a sentence with a colon; up to 1024 bytes are sent back.
///
/// Source: <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>
pub const MICROSOFT_GRAPH: Handshake = Handshake {
    name: "microsoft-graph",
    providers: &["microsoft-graph"],
    method: "POST",
    challenge: Some(Source::Query("validationToken")),
    alphabet: Alphabet::Text,
    longest: 1024,
    ..Handshake::GET
};

/// monday.com: a body that is `{"challenge":"…"}` and nothing else, sent back.
///
/// It comes without a token, so this reads bodies of requests that have none: those of up to 4 KiB, which verification would refuse unread. What was read
/// goes no further, so it belongs where nothing but monday.com's deliveries come, and not before several providers on one route.
///
/// Source: <https://developer.monday.com/api-reference/docs/webhooks#url-verification>
pub const MONDAY: Handshake = Handshake {
    name: "monday",
    providers: &["monday"],
    method: "POST",
    marks: &[Mark::Absent(Source::Header("authorization"))],
    challenge: Some(Source::Json("/challenge")),
    reply: Reply::Json(&[("challenge", Member::Challenge)]),
    ..Handshake::GET
};

/// monday.com, if the request comes with a token after all; see [`MONDAY`].
///
/// Source: <https://developer.monday.com/api-reference/docs/webhooks#url-verification>
pub const MONDAY_SIGNED: Handshake =
    Handshake { name: "monday-signed", marks: &[Mark::Absent(Source::Json("/event/type"))], is_signed: true, ..MONDAY };

/// Nylas: `GET ?challenge=…`, sent back as text.
///
/// Source: <https://developer.nylas.com/docs/v3/notifications/>
pub const NYLAS: Handshake = Handshake { name: "nylas", providers: &["nylas"], ..DROPBOX };

/// Okta: `GET` with `X-Okta-Verification-Challenge`, sent back as `verification`. Once.
///
/// Source: <https://developer.okta.com/docs/concepts/event-hooks/#one-time-verification-request>
pub const OKTA: Handshake = Handshake {
    name: "okta",
    providers: &["okta"],
    challenge: Some(Source::Header("x-okta-verification-challenge")),
    reply: Reply::Json(&[("verification", Member::Challenge)]),
    ..Handshake::GET
};

/// PubSubHubbub 0.3, as some hubs of [`WEBSUB`] still speak it: the verify token that was given to the hub must come with the request.
///
/// Source: <https://pubsubhubbub.github.io/PubSubHubbub/pubsubhubbub-core-0.3.html>
pub const PUBSUBHUBBUB: Handshake = Handshake {
    name: "pubsubhubbub",
    providers: WEBSUB_SCHEMES,
    needs: Needs::VerifyToken(Source::Query("hub.verify_token")),
    ..WEBSUB
};

/// Slack: an event of type `url_verification`, signed like all others, whose `challenge` is sent back as text.
///
/// Source: <https://api.slack.com/events/url_verification>
pub const SLACK: Handshake = Handshake {
    name: "slack",
    providers: &["slack"],
    marks: &[Mark::Is(Source::Json("/type"), "url_verification")],
    challenge: Some(Source::Json("/challenge")),
    ..Handshake::SIGNED
};

/// Trello: `HEAD` when a webhook is created, answered `200`.
///
/// Source: <https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/>
pub const TRELLO: Handshake =
    Handshake { name: "trello", providers: &["trello"], method: "HEAD", reply: Reply::Status(200), ..Handshake::GET };

/// Twitch: a message signed like all others, whose `challenge` is sent back as text.
///
/// Told by the subscription's status, and not by the header that says the same: the signature does not cover the header.
///
/// Source: <https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#responding-to-a-challenge-request>
pub const TWITCH: Handshake = Handshake {
    name: "twitch",
    providers: &["twitch"],
    marks: &[Mark::Is(Source::Json("/subscription/status"), "webhook_callback_verification_pending")],
    challenge: Some(Source::Json("/challenge")),
    ..Handshake::SIGNED
};

/// WebSub: `GET ?hub.mode=subscribe&hub.topic=…&hub.challenge=…`, whose challenge is sent back as text, if the topic is one of yours.
///
/// Needs the topics that were subscribed to. Anyone can ask a hub to unsubscribe you, so that is not confirmed; [`WEBSUB_UNSUBSCRIBE`] does.
///
/// Source: <https://www.w3.org/TR/websub/#hub-verifies-intent-of-the-subscriber>
pub const WEBSUB: Handshake = Handshake {
    name: "websub",
    providers: WEBSUB_SCHEMES,
    marks: &[Mark::Is(Source::Query("hub.mode"), "subscribe")],
    challenge: Some(Source::Query("hub.challenge")),
    needs: Needs::Topic(Source::Query("hub.topic")),
    ..Handshake::GET
};

/// WebSub, when subscriptions are ended: as [`WEBSUB`], with `hub.mode=unsubscribe`. Needs the topics to unsubscribe from.
///
/// Source: <https://www.w3.org/TR/websub/#hub-verifies-intent-of-the-subscriber>
pub const WEBSUB_UNSUBSCRIBE: Handshake = Handshake {
    name: "websub-unsubscribe",
    providers: &[],
    marks: &[Mark::Is(Source::Query("hub.mode"), "unsubscribe")],
    ..WEBSUB
};

/// Worldline Connect: `GET` with `X-GCS-Webhooks-Endpoint-Verification`, sent back as text.
///
/// Source: <https://docs.connect.worldline-solutions.com/documentation/webhooks>
pub const WORLDLINE: Handshake = Handshake {
    name: "worldline",
    providers: &["worldline"],
    challenge: Some(Source::Header("x-gcs-webhooks-endpoint-verification")),
    ..Handshake::GET
};

/// X (Twitter): `GET ?crc_token=…`, answered with its HMAC under the consumer secret. Hourly.
///
/// Anyone may have tokens signed by this, with the key that signs deliveries. So only tokens are, which no delivery is, as those are JSON objects; and a
/// body that is such a token is refused, however well it is signed ([`HandshakeLayer::signed`](crate::layer::HandshakeLayer::signed)).
///
/// Source: <https://docs.x.com/x-api/webhooks/quickstart#2-the-crc-check>
pub const X_CRC: Handshake = Handshake {
    name: "x-crc",
    providers: &["x-twitter"],
    challenge: Some(Source::Query("crc_token")),
    needs: Needs::SigningSecret,
    reply: Reply::Json(&[("response_token", Member::HmacSha256Base64)]),
    ..Handshake::GET
};

/// Xero's intent to receive: requests without events, some of them forged. Genuine ones are answered `200`, forged ones `401` by verification.
///
/// Xero wants no body in either answer.
///
/// Source: <https://developer.xero.com/documentation/webhooks/configuring-your-server>
pub const XERO: Handshake = Handshake {
    name: "xero",
    providers: &["xero"],
    marks: &[
        Mark::Is(Source::Json("/firstEventSequence"), "0"),
        Mark::Is(Source::Json("/lastEventSequence"), "0"),
        Mark::Absent(Source::Json("/events/0/resourceId")),
        Mark::Absent(Source::Json("/events/0/eventType")),
    ],
    reply: Reply::Status(200),
    wants_no_bodies: true,
    ..Handshake::SIGNED
};

/// Zoom: an event `endpoint.url_validation`, signed like all others, whose `plainToken` is sent back with its HMAC. Every three days.
///
/// The key is that of the deliveries, whose signed content starts with `v0:`; a token has no colon. Besides, nobody but Zoom is answered.
///
/// Source: <https://developers.zoom.us/docs/api/webhooks/#validate-your-webhook-endpoint>
pub const ZOOM: Handshake = Handshake {
    name: "zoom",
    providers: &["zoom"],
    marks: &[Mark::Is(Source::Json("/event"), "endpoint.url_validation")],
    challenge: Some(Source::Json("/payload/plainToken")),
    needs: Needs::SigningSecret,
    reply: Reply::Json(&[("plainToken", Member::Challenge), ("encryptedToken", Member::HmacSha256Hex)]),
    ..Handshake::SIGNED
};
