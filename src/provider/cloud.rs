//! Clouds, platforms and app stores.

use super::{
    canonical::{atlassian::QUERY_HASH, neon::BODY_BASE64URL, sns::SNS},
    standard::STANDARD_WEBHOOKS,
};
use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Alternate, Claim, Encoding, Expected, Host, Jws, JwsAlgorithm, Keys, Part, Profile, RetryOn, Scheme,
        Signature, Source, Timestamp,
    },
};

/// Amazon SNS: `Signature` in the JSON body, RSA with SHA-256 of the message's members (`SignatureVersion` 2).
///
/// Set the topic's attribute `SignatureVersion` to 2, and configure your topics as parameter `topic-arn`, several
/// between commas: anybody with an account can have Amazon sign messages of an own topic. The key is that of the
/// certificate at `SigningCertURL`, which must be at a region of Amazon SNS. Message attributes and `UnsubscribeURL` are
/// not signed, nor is anything with raw message delivery.
///
/// A `SubscriptionConfirmation` is a delivery too: confirm it by its token, and open its `SubscribeURL` only if the
/// host is Amazon's. The time in a message is that of its publication and stays on retries. Amazon retries by the
/// subscription's delivery policy.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>
pub const AWS_SNS: Scheme<'static> = Scheme {
    name: "aws-sns",
    algorithm: Algorithm::RsaPkcs1Sha256,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::at(Source::Json("/Signature")),
    id: Some(Source::Json("/MessageId")),
    event: Some(Source::Json("/Type")),
    message: &[Part::Canonical(SNS)],
    keys: Keys::Certificate {
        url: Source::Json("/SigningCertURL"),
        hosts: &[
            Host::Region { before: "sns.", after: ".amazonaws.com" },
            Host::Region { before: "sns.", after: ".amazonaws.com.cn" },
        ],
        name: "",
    },
    profile: Profile::new(
        "Amazon SNS",
        "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
    )
    .retries(RetryOn::ServerErrorsAndRateLimits, 1)
    .resigned(false),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Amazon SNS as it signs by default: as [`AWS_SNS`], but with SHA-1 (`SignatureVersion` 1).
///
/// The parameter `topic-arn` is needed here as well.
///
/// Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>
pub const AWS_SNS_V1: Scheme<'static> = Scheme { name: "aws-sns-v1", algorithm: Algorithm::RsaPkcs1Sha1, ..AWS_SNS };

/// Azure DevOps service hooks: user and password in `Authorization: Basic …`, and nothing is signed.
///
/// Source: <https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks>
pub const AZURE_DEVOPS: Scheme<'static> = Scheme {
    name: "azure-devops",
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/eventType")),
    profile: Profile::new("Azure DevOps", "https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks"),
    ..Scheme::BASIC
};

/// Azure Event Grid with a secret in the URL: `?code=…` is the secret itself, and nothing is signed.
///
/// The secret is in the endpoint that you give to Event Grid; it never shows the query again. The body is a list of
/// events, so the request has no id; the event is `aeg-event-type`, such as `Notification`. After 400, 401, 403 and 413
/// Event Grid drops events for good.
///
/// Source: <https://learn.microsoft.com/azure/event-grid/security-authentication#using-client-secret-as-a-query-parameter>
pub const AZURE_EVENT_GRID_QUERY_TOKEN: Scheme<'static> = Scheme {
    name: "azure-event-grid-query-token",
    signature: Signature::at(Source::Query("code")),
    event: Some(Source::Header("aeg-event-type")),
    profile: Profile::new("Azure Event Grid", "https://learn.microsoft.com/azure/event-grid/security-authentication")
        .retries(RetryOn::ServerErrorsAndRateLimits, 24),
    ..Scheme::TOKEN
};

/// Azure Event Grid with Microsoft Entra ID: `Authorization: Bearer …`, a token for your application (RS256); the body is not
/// signed.
///
/// Parameters: `audience` is the application's id or URI as the token has it, `issuer` is
/// `https://sts.windows.net/TENANT/`, or `https://login.microsoftonline.com/TENANT/v2.0` if the application's manifest
/// asks for tokens of version 2. That the token was issued to Event Grid is checked; whose subscriptions Event Grid gets
/// tokens for is up to your application's role `AzureEventGridSecureWebhookSubscriber`. As to ids, events and retries,
/// see [`AZURE_EVENT_GRID_QUERY_TOKEN`].
///
/// Source: <https://learn.microsoft.com/azure/event-grid/secure-webhook-delivery>
pub const AZURE_EVENT_GRID: Scheme<'static> = Scheme {
    name: "azure-event-grid",
    unsigned_body: true,
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256],
        claims: &[
            Claim { at: &["/aud"], expected: Expected::Parameter("audience") },
            Claim { at: &["/iss"], expected: Expected::Parameter("issuer") },
            Claim { at: &["/appid", "/azp"], expected: Expected::OneOf(&[EVENT_GRID]) },
        ],
        expires: true,
        ..Jws::NEW
    }),
    keys: Keys::JwkSet { url: "https://login.microsoftonline.com/common/discovery/v2.0/keys" },
    event: AZURE_EVENT_GRID_QUERY_TOKEN.event,
    profile: Profile {
        documentation: "https://learn.microsoft.com/azure/event-grid/secure-webhook-delivery",
        ..AZURE_EVENT_GRID_QUERY_TOKEN.profile
    },
    ..Scheme::JWS
};

/// Event Grid's application id, the same in all tenants of the public cloud.
const EVENT_GRID: &str = "4962773b-9cdb-44cf-a8bf-237846a00ab7";

/// Google Cloud Pub/Sub push: `Authorization: Bearer …`, a token of the subscription's service account (RS256); the body is
/// not signed.
///
/// Parameters: `audience` as the subscription has it, and `email` of the service account: anybody can get tokens for
/// your audience. Tokens serve for many deliveries, up to an hour. The message id is not signed. Messages may have 10
/// MB, and come in base64.
///
/// Source: <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>
pub const GOOGLE_PUBSUB_PUSH: Scheme<'static> = Scheme {
    name: "google-pubsub-push",
    unsigned_body: true,
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256],
        claims: &[
            Claim { at: &["/iss"], expected: Expected::OneOf(&["https://accounts.google.com", "accounts.google.com"]) },
            Claim { at: &["/aud"], expected: Expected::Parameter("audience") },
            Claim { at: &["/email"], expected: Expected::Parameter("email") },
            Claim { at: &["/email_verified"], expected: Expected::OneOf(&["true"]) },
        ],
        expires: true,
        ..Jws::NEW
    }),
    keys: Keys::JwkSet { url: "https://www.googleapis.com/oauth2/v3/certs" },
    id: Some(Source::Json("/message/messageId")),
    max_body: 14 * 1024 * 1024,
    profile: Profile::new(
        "Google Cloud Pub/Sub",
        "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
    )
    .retries(RetryOn::AnyFailure, 7 * 24),
    ..Scheme::JWS
};

/// Google Play's real-time developer notifications: `Authorization: Bearer …`, as they come through [`GOOGLE_PUBSUB_PUSH`].
///
/// The parameters are the same, `audience` and `email`. What happened is in `message.data`, base64 of JSON.
///
/// Source: <https://developer.android.com/google/play/billing/rtdn-reference>
pub const GOOGLE_PLAY_RTDN: Scheme<'static> = Scheme {
    name: "google-play-rtdn",
    max_body: 1024 * 1024,
    profile: Profile {
        title: "Google Play",
        documentation: "https://developer.android.com/google/play/billing/rtdn-reference",
        ..GOOGLE_PUBSUB_PUSH.profile
    },
    ..GOOGLE_PUBSUB_PUSH
};

/// Apple's App Store Server Notifications, version 2: `signedPayload` in the body, a JSON Web Signature (ES256).
///
/// The key to configure is Apple's root certificate (Apple Root CA - G3); the certificates in the token must lead to
/// it. Parameters: `bundle-id` of your app, since Apple signs for all apps alike, and optionally `app-apple-id` and
/// `environment` (`Production`, `Sandbox`). Without the last, what testers buy in the sandbox counts as well;
/// notifications of external purchases do not say which it was, and are refused if it is configured. Transactions within
/// the payload are signed in the same way again, which is not checked here.
///
/// Source: <https://developer.apple.com/documentation/appstoreservernotifications>
pub const APPLE_APP_STORE: Scheme<'static> = Scheme {
    name: "apple-app-store",
    signature: Signature::at(Source::Json("/signedPayload")),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Es256],
        claims: &[
            Claim { at: APPLE_BUNDLE, expected: Expected::Parameter("bundle-id") },
            Claim { at: APPLE_APP, expected: Expected::OptionalParameter("app-apple-id") },
            Claim { at: APPLE_ENVIRONMENT, expected: Expected::OptionalParameter("environment") },
        ],
        ..Jws::NEW
    }),
    keys: Keys::X5c { leaf: &["1.2.840.113635.100.6.11.1"], intermediate: &["1.2.840.113635.100.6.2.1"] },
    id: Some(Source::Claim("/notificationUUID")),
    event: Some(Source::Claim("/notificationType")),
    profile: Profile::new(
        "Apple App Store",
        "https://developer.apple.com/documentation/appstoreservernotifications/responding-to-app-store-server-notifications",
    )
    .retries(RetryOn::AnyFailure, 157),
    ..Scheme::JWS
};

// Each kind of notification has its own object.
const APPLE_BUNDLE: &[&str] =
    &["/data/bundleId", "/summary/bundleId", "/externalPurchaseToken/bundleId", "/appData/bundleId"];
const APPLE_APP: &[&str] =
    &["/data/appAppleId", "/summary/appAppleId", "/externalPurchaseToken/appAppleId", "/appData/appAppleId"];
const APPLE_ENVIRONMENT: &[&str] = &["/data/environment", "/summary/environment", "/appData/environment"];

/// Microsoft Graph: `clientState` of the notifications in the body is the secret itself, and nothing is signed.
///
/// One request may hold notifications of several subscriptions: give those of one endpoint the same `clientState`,
/// since every notification must have it. So the request has neither one id nor one type. The tokens of notifications
/// with resource data (`validationTokens`) are not checked here. For the handshake when a subscription is made
/// see [`handshake::MICROSOFT_GRAPH`](crate::handshake::MICROSOFT_GRAPH).
///
/// Source: <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>
pub const MICROSOFT_GRAPH: Scheme<'static> = Scheme {
    name: "microsoft-graph",
    signature: Signature::at(Source::JsonEach("/value", "/clientState")),
    profile: Profile::new(
        "Microsoft Graph",
        "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
    )
    .retries(RetryOn::AnyFailure, 4),
    ..Scheme::TOKEN
};

/// Atlassian Connect: `Authorization: JWT …` (HS256), whose claim `qsh` covers method, path and query, not the body.
///
/// The secret is that of one installation, and `client-key`, if configured, the installation's. If the app does not
/// live at the root of its host, configure its path as `base-path`; nothing outside of it is accepted then. The order of
/// parameters of one name is not covered, nor is the delivery id. What is called when the app is installed and removed
/// is signed otherwise: [`ATLASSIAN_CONNECT_INSTALL`].
///
/// Source: <https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/>
pub const ATLASSIAN_CONNECT: Scheme<'static> = Scheme {
    name: "atlassian-connect",
    unsigned_body: true,
    secret_format: SecretFormat::Text,
    signature: Signature::prefixed("authorization", "JWT "),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Hs256],
        claims: &[
            Claim { at: &["/iss"], expected: Expected::OptionalParameter("client-key") },
            Claim { at: &["/qsh"], expected: Expected::Sha256(&[Part::Canonical(QUERY_HASH)], Encoding::Hex) },
        ],
        expires: true,
        ..Jws::NEW
    }),
    id: Some(Source::Header("x-atlassian-webhook-identifier")),
    event: Some(Source::Json("/webhookEvent")),
    profile: Profile::new(
        "Atlassian Connect",
        "https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/",
    )
    .retries(RetryOn::ServerErrorsAndRateLimits, 1)
    .addresses("https://ip-ranges.atlassian.com/"),
    ..Scheme::JWS
};

/// Atlassian Connect, when an app is installed or removed: `Authorization: JWT …` as
/// [`ATLASSIAN_CONNECT`] has it, but signed by Atlassian (RS256).
///
/// Parameters: `base-url` of the app, which is the audience, and its path as `base-path`, if it has one. Anybody may
/// install the app. The body is not covered, but for `clientKey` in it, which must be the claim `iss` of the token: store its
/// `sharedSecret` for that installation and no other.
///
/// Source: <https://developer.atlassian.com/cloud/jira/platform/security-for-connect-apps/>
pub const ATLASSIAN_CONNECT_INSTALL: Scheme<'static> = Scheme {
    name: "atlassian-connect-install",
    secret_format: SecretFormat::PublicKey,
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256],
        claims: &[
            Claim { at: &["/aud"], expected: Expected::Parameter("base-url") },
            Claim { at: &["/iss"], expected: Expected::OptionalParameter("client-key") },
            Claim { at: &["/iss"], expected: Expected::Json("/clientKey") },
            Claim { at: &["/qsh"], expected: Expected::Sha256(&[Part::Canonical(QUERY_HASH)], Encoding::Hex) },
        ],
        expires: true,
        ..Jws::NEW
    }),
    keys: Keys::Pem { url: "https://connect-install-keys.atlassian.com/{kid}" },
    id: None,
    event: Some(Source::Json("/eventType")),
    profile: Profile {
        documentation: "https://developer.atlassian.com/cloud/jira/platform/security-for-connect-apps/",
        ..ATLASSIAN_CONNECT.profile
    },
    ..ATLASSIAN_CONNECT
};

/// CloudEvents' web hooks with the token in the header: `Authorization: Bearer …`, and nothing is signed.
///
/// For events in structured mode. In binary mode id and type are the headers `ce-id` and `ce-type`.
///
/// Source: <https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md>
pub const CLOUDEVENTS_WEBHOOK_BEARER: Scheme<'static> = Scheme {
    name: "cloudevents-webhook-bearer",
    signature: Signature::prefixed("authorization", "Bearer "),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("CloudEvents", "https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md"),
    ..Scheme::TOKEN
};

/// CloudEvents' web hooks with the token in the URL: `?access_token=…`, and nothing is signed.
///
/// As [`CLOUDEVENTS_WEBHOOK_BEARER`] otherwise.
///
/// Source: <https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md>
pub const CLOUDEVENTS_WEBHOOK_QUERY: Scheme<'static> = Scheme {
    name: "cloudevents-webhook-query",
    signature: Signature::at(Source::Query("access_token")),
    ..CLOUDEVENTS_WEBHOOK_BEARER
};

/// Cloudflare's notifications: `cf-webhook-auth` is the secret itself, and nothing is signed.
///
/// Source: <https://developers.cloudflare.com/notifications/get-started/configure-webhooks/>
pub const CLOUDFLARE: Scheme<'static> = Scheme {
    name: "cloudflare",
    signature: Signature::bare("cf-webhook-auth"),
    event: Some(Source::Json("/alert_type")),
    profile: Profile::new(
        "Cloudflare",
        "https://developers.cloudflare.com/notifications/get-started/configure-webhooks/",
    ),
    ..Scheme::TOKEN
};

/// Cloudflare Stream: `Webhook-Signature: time=…,sig1=…`, HMAC-SHA256 of `time.body`.
///
/// The body describes a video, which is told of several times. There is no delivery id.
///
/// Source: <https://developers.cloudflare.com/stream/manage-video-library/using-webhooks/>
pub const CLOUDFLARE_STREAM: Scheme<'static> = Scheme {
    name: "cloudflare-stream",
    signature: Signature::field("webhook-signature", ',', "sig1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("time"))),
    event: Some(Source::Json("/status/state")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new(
        "Cloudflare Stream",
        "https://developers.cloudflare.com/stream/manage-video-library/using-webhooks/",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Fastly's Next-Gen WAF, formerly Signal Sciences: `X-SigSci-Signature`, HMAC-SHA256 of the body.
///
/// There is no delivery id.
///
/// Source: <https://www.fastly.com/documentation/guides/next-gen-waf/integrations/generic-webhooks/>
pub const SIGNAL_SCIENCES: Scheme<'static> = Scheme {
    name: "signal-sciences",
    signature: Signature::bare("x-sigsci-signature"),
    event: Some(Source::Json("/type")),
    profile: Profile::new(
        "Fastly Next-Gen WAF",
        "https://www.fastly.com/documentation/guides/next-gen-waf/integrations/generic-webhooks/",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Heroku: `Heroku-Webhook-Hmac-SHA256`, HMAC-SHA256 of the body, in base64.
///
/// Each attempt has its own body, with the number of the attempt; the delivery id stays. Webhooks of the level `notify`
/// are sent once.
///
/// Source: <https://devcenter.heroku.com/articles/app-webhooks#securing-webhook-requests>
pub const HEROKU: Scheme<'static> = Scheme {
    name: "heroku",
    signature: Signature::bare("heroku-webhook-hmac-sha256"),
    id: Some(Source::Json("/webhook_metadata/delivery/id")),
    event: Some(Source::Json("/webhook_metadata/event/include")),
    profile: Profile::new("Heroku", "https://devcenter.heroku.com/articles/app-webhooks#securing-webhook-requests"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// MongoDB Atlas alerts: `X-MMS-Signature`, HMAC-SHA1 of the body, in base64.
///
/// The event (`alert.open`) is not signed; the id in the body is that of the alert, which is told of several times.
/// Webhooks without a secret are not signed.
///
/// Source: <https://www.mongodb.com/docs/atlas/tutorial/webhook-integration/>
pub const MONGODB_ATLAS: Scheme<'static> = Scheme {
    name: "mongodb-atlas",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-mms-signature"),
    event: Some(Source::Header("x-mms-event")),
    profile: Profile::new("MongoDB Atlas", "https://www.mongodb.com/docs/atlas/tutorial/webhook-integration/"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Autodesk Platform Services: `x-adsk-signature: sha1hash=…`, HMAC-SHA1 of the body.
///
/// The secret is the token that the app set for its region, or for the webhook. The delivery id is not signed.
///
/// Source: <https://aps.autodesk.com/en/docs/webhooks/v1/tutorials/how-to-verify-payload-signature/>
pub const AUTODESK: Scheme<'static> = Scheme {
    name: "autodesk",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::prefixed("x-adsk-signature", "sha1hash="),
    id: Some(Source::Header("x-adsk-delivery-id")),
    event: Some(Source::Json("/hook/event")),
    profile: Profile::new(
        "Autodesk Platform Services",
        "https://aps.autodesk.com/en/docs/webhooks/v1/tutorials/how-to-verify-payload-signature/",
    )
    .retries(RetryOn::AnyFailure, 48),
    ..Scheme::HMAC_SHA256_HEX
};

/// Neon Auth: `X-Neon-Signature`, a detached JSON Web Signature (EdDSA) of the time in milliseconds, a dot, and the
/// body in base64url.
///
/// The keys are at `/.well-known/jwks.json` under the URL of your Neon Auth; configure them as the key. Events such as
/// `user.before_create` wait for an answer in words, and all attempts end within 15 seconds.
///
/// Source: <https://neon.com/docs/auth/guides/webhooks>
pub const NEON: Scheme<'static> = Scheme {
    name: "neon",
    signature: Signature::bare("x-neon-signature"),
    jws: Some(Jws { algorithms: &[JwsAlgorithm::EdDsa], detached: true, ..Jws::NEW }),
    key_id: Some(Source::Header("x-neon-signature-kid")),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-neon-timestamp"))),
    id: Some(Source::Json("/event_id")),
    event: Some(Source::Json("/event_type")),
    message: &[Part::Timestamp, Part::Text("."), Part::Canonical(BODY_BASE64URL)],
    profile: Profile::new("Neon", "https://neon.com/docs/auth/guides/webhooks")
        .retries(RetryOn::ServerErrorsAndRateLimits, 1),
    ..Scheme::JWS
};

/// Render: Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// Source: <https://render.com/docs/webhooks>
pub const RENDER: Scheme<'static> = Scheme {
    name: "render",
    alternate: None,
    profile: Profile::new("Render", "https://render.com/docs/webhooks"),
    ..STANDARD_WEBHOOKS
};

/// Trend Micro's Conformity: `X-TrendMicro-Signature`, or as it was called before, `X-Conformity-Signature`, HMAC-SHA256
/// of the body.
///
/// The security token looks like base64, but is used as the text that it is. Channels without one are not signed. There
/// is neither a delivery id nor an event type.
///
/// Source: <https://docs.trendmicro.com/en-us/documentation/article/trend-micro-cloud-one-conformity-webhook-communication>
pub const TREND_MICRO: Scheme<'static> = Scheme {
    name: "trend-micro",
    signature: Signature::bare("x-conformity-signature"),
    alternate: Some(Alternate { prefix: "x-conformity-", instead: "x-trendmicro-" }),
    profile: Profile::new(
        "Trend Micro",
        "https://docs.trendmicro.com/en-us/documentation/article/trend-micro-cloud-one-conformity-webhook-communication",
    ),
    ..Scheme::HMAC_SHA256_HEX
};
