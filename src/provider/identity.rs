//! Signing in, proving who somebody is, and keeping accounts safe.

use std::time::Duration;

use super::standard::{STANDARD_WEBHOOKS, SVIX};
use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Claim, Encoding, Expected, Jws, JwsAlgorithm, Keys, Part, Profile, RetryOn, Scheme, Signature,
        Source, Timestamp, Tolerance,
    },
};

/// Sign in with Apple: the body is `{"payload": token}`, a JSON Web Token signed with RS256.
///
/// The token must come from `https://appleid.apple.com` and be for you: parameter `audience`, the client id that the accounts belong to. The same
/// keys sign the identity tokens of users; what has no claim `events` is no notification. That claim is JSON, also written as text, so the event
/// type is left to the handler. A token need not say when it expires; if it does, that counts.
///
/// Source: <https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts>
pub const APPLE_SIGNIN: Scheme<'static> = Scheme {
    name: "apple-signin",
    signature: Signature::at(Source::Json("/payload")),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256],
        claims: &[
            Claim { at: &["/iss"], expected: Expected::OneOf(&["https://appleid.apple.com"]) },
            Claim { at: &["/aud"], expected: Expected::Parameter("audience") },
            Claim { at: &["/events"], expected: Expected::Present },
        ],
        ..Jws::NEW
    }),
    id: Some(Source::Claim("/jti")),
    keys: Keys::JwkSet { url: "https://appleid.apple.com/auth/keys" },
    profile: Profile::new(
        "Sign in with Apple",
        "https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts",
    ),
    ..Scheme::JWS
};

/// Clerk: the headers of Svix, HMAC-SHA256 of `id.timestamp.body`.
///
/// Source: <https://clerk.com/docs/webhooks/overview>, and `verifyWebhook` of the npm package `@clerk/backend`
pub const CLERK: Scheme<'static> = Scheme {
    name: "clerk",
    profile: Profile::new("Clerk", "https://clerk.com/docs/webhooks/overview")
        .retries(RetryOn::AnyFailure, 28)
        .resigned(true)
        .addresses("https://docs.svix.com/receiving/source-ips"),
    ..SVIX
};

/// Okta event hooks: the `Authorization` header is the text that was set for the hook, and nothing is signed.
///
/// The text is compared as a whole, without a word such as `Bearer` taken off. Okta lets the name of the header be chosen; this is the one that
/// it suggests. One request may hold several events, so it has no one type. Okta waits three seconds, tries once more, and not after a 4xx. The
/// `GET` by which it verifies the URL once is no delivery: see [`handshake::OKTA`](crate::handshake::OKTA).
///
/// Source: <https://developer.okta.com/docs/concepts/event-hooks/>
pub const OKTA: Scheme<'static> = Scheme {
    name: "okta",
    signature: Signature::bare("authorization"),
    id: Some(Source::Json("/eventId")),
    profile: Profile::new("Okta", "https://developer.okta.com/docs/concepts/event-hooks/")
        .retries(RetryOn::ServerErrors, 0),
    ..Scheme::TOKEN
};

/// Kinde: the whole body is a JSON Web Token signed with RS256, whose claims are the event.
///
/// The keys are those of your own domain (`https://….kinde.com/.well-known/jwks.json`), which sign the tokens of your users as well: what holds
/// no event id and type is no event. Tokens have neither a time of sending nor an end.
///
/// Source: <https://docs.kinde.com/integrate/webhooks/about-webhooks/>, and the npm package `@kinde/webhooks`
pub const KINDE: Scheme<'static> = Scheme {
    name: "kinde",
    signature: Signature::at(Source::Body),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256],
        claims: &[
            Claim { at: &["/event_id"], expected: Expected::Present },
            Claim { at: &["/type"], expected: Expected::Present },
        ],
        ..Jws::NEW
    }),
    id: Some(Source::Claim("/event_id")),
    event: Some(Source::Claim("/type")),
    profile: Profile::new("Kinde", "https://docs.kinde.com/integrate/webhooks/about-webhooks/"),
    ..Scheme::JWS
};

/// FusionAuth: `X-FusionAuth-Signature-JWT` is a JSON Web Token that claims the SHA-256 of the body.
///
/// The key is the one chosen for the webhook: an HMAC secret as text, or the public part of an RSA, EC or Ed25519 key, also as the key set of the
/// server (`/.well-known/jwks.json`). Signing is off unless it was switched on. The token has neither a time nor an end.
///
/// Source: <https://fusionauth.io/docs/extend/events-and-webhooks/signing>
pub const FUSIONAUTH: Scheme<'static> = Scheme {
    name: "fusionauth",
    secret_format: SecretFormat::SecretOrPublicKey,
    signature: Signature::bare("x-fusionauth-signature-jwt"),
    jws: Some(Jws {
        algorithms: &[
            JwsAlgorithm::Hs256,
            JwsAlgorithm::Hs384,
            JwsAlgorithm::Hs512,
            JwsAlgorithm::Rs256,
            JwsAlgorithm::Rs384,
            JwsAlgorithm::Rs512,
            JwsAlgorithm::Es256,
            JwsAlgorithm::Es384,
            JwsAlgorithm::Es512,
            JwsAlgorithm::EdDsa,
        ],
        claims: &[Claim { at: &["/request_body_sha256"], expected: Expected::BodySha256(Encoding::Base64) }],
        ..Jws::NEW
    }),
    id: Some(Source::Json("/event/id")),
    event: Some(Source::Json("/event/type")),
    profile: Profile::new("FusionAuth", "https://fusionauth.io/docs/extend/events-and-webhooks/signing"),
    ..Scheme::JWS
};

/// WorkOS: `WorkOS-Signature: t=…, v1=…`, HMAC-SHA256 of `t.body`, with the time in milliseconds.
///
/// WorkOS's SDKs accept three minutes in the past.
///
/// Source: <https://workos.com/docs/events/data-syncing/webhooks>, and the PyPI package `workos`
pub const WORKOS: Scheme<'static> = Scheme {
    name: "workos",
    signature: Signature::field("workos-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_millis(Source::Field("t"))),
    tolerance: Tolerance { past: Duration::from_secs(180), future: Duration::from_secs(300) },
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("WorkOS", "https://workos.com/docs/events/data-syncing/webhooks")
        .retries(RetryOn::AnyFailure, 72),
    ..Scheme::HMAC_SHA256_HEX
};

/// Supabase Auth hooks: Standard Webhooks, HMAC-SHA256 of `id.timestamp.body`.
///
/// The secret is what Supabase shows, `v1,whsec_…`. Each hook has a URL of its own, so there is no event type; the answer is used by the server
/// that waits for it. It asks again at once after 429 and 503 with `Retry-After`, and after nothing else. Database webhooks are not signed at
/// all.
///
/// Source: <https://supabase.com/docs/guides/auth/auth-hooks>, and `internal/crypto/crypto.go` of <https://github.com/supabase/auth>
pub const SUPABASE_AUTH_HOOKS: Scheme<'static> = Scheme {
    name: "supabase-auth-hooks",
    event: None,
    alternate: None,
    profile: Profile::new("Supabase Auth hooks", "https://supabase.com/docs/guides/auth/auth-hooks"),
    ..STANDARD_WEBHOOKS
};

/// Castle: `X-Castle-Signature`, HMAC-SHA256 of the body, keyed with the API secret.
///
/// The id in the body is that of a device or list item, not of the delivery.
///
/// Source: <https://docs.castle.io/docs/webhooks>, and the PyPI package `castle`
pub const CASTLE: Scheme<'static> = Scheme {
    name: "castle",
    signature: Signature::bare("x-castle-signature"),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Castle", "https://docs.castle.io/docs/webhooks"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Sumsub, set to SHA-256: `X-Payload-Digest`, HMAC-SHA256 of the body.
///
/// The algorithm is chosen for each webhook and is written into `X-Payload-Digest-Alg`, which is not believed: one scheme for each.
/// `correlationId` is no delivery id. Failed deliveries come again after 5 minutes, 1, 5 and 18 hours, those of applicant actions within minutes.
///
/// Source: <https://docs.sumsub.com/docs/webhook-manager>
pub const SUMSUB_SHA256: Scheme<'static> = Scheme {
    name: "sumsub-sha256",
    signature: Signature::bare("x-payload-digest"),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Sumsub", "https://docs.sumsub.com/docs/webhook-manager")
        .retries(RetryOn::AnyFailure, 24)
        .resigned(false),
    ..Scheme::HMAC_SHA256_HEX
};

/// Sumsub, set to SHA-512: `X-Payload-Digest`, HMAC-SHA512 of the body; all else as [`SUMSUB_SHA256`].
///
/// Source: <https://docs.sumsub.com/docs/webhook-manager>
pub const SUMSUB_SHA512: Scheme<'static> =
    Scheme { name: "sumsub-sha512", algorithm: Algorithm::HmacSha512, ..SUMSUB_SHA256 };

/// Sumsub, set to SHA-1: `X-Payload-Digest`, HMAC-SHA1 of the body; all else as [`SUMSUB_SHA256`], which new webhooks should use.
///
/// Source: <https://docs.sumsub.com/docs/webhook-manager>
pub const SUMSUB_SHA1: Scheme<'static> =
    Scheme { name: "sumsub-sha1", algorithm: Algorithm::HmacSha1, ..SUMSUB_SHA256 };

/// Veriff: `X-HMAC-Signature`, HMAC-SHA256 of the body, keyed with the shared secret of the integration.
///
/// Event webhooks say what happened in `action`, decision webhooks have no type. The id in the body is that of the session. `X-Auth-Client` names
/// the integration (its API key) and is not signed.
///
/// Source: <https://devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security>
pub const VERIFF: Scheme<'static> = Scheme {
    name: "veriff",
    signature: Signature::bare("x-hmac-signature"),
    event: Some(Source::Json("/action")),
    profile: Profile::new("Veriff", "https://devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Onfido: `X-SHA2-Signature`, HMAC-SHA256 of the body, keyed with the webhook token.
///
/// There is no delivery id: ids in the body are those of checks and reports.
///
/// Source: <https://documentation.onfido.com/api/latest/#webhooks>, and the PyPI package `onfido-python`
pub const ONFIDO: Scheme<'static> = Scheme {
    name: "onfido",
    signature: Signature::bare("x-sha2-signature"),
    event: Some(Source::Json("/payload/action")),
    profile: Profile::new("Onfido", "https://documentation.onfido.com/api/latest/#webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Persona: `Persona-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// While a secret is being replaced, there are two such pairs with a blank between them, of which only the last signature can be read: give the
/// verifier both secrets then.
///
/// Source: <https://docs.withpersona.com/webhooks-best-practices>
pub const PERSONA: Scheme<'static> = Scheme {
    name: "persona",
    signature: Signature::field("persona-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/data/id")),
    event: Some(Source::Json("/data/attributes/name")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Persona", "https://docs.withpersona.com/webhooks-best-practices"),
    ..Scheme::HMAC_SHA256_HEX
};

/// iDenfy: `Idenfy-Signature`, HMAC-SHA256 of the body, keyed with the signing key of the webhook.
///
/// A verification may be reported several times, until `final` is true. The body has no event type.
///
/// Source: <https://documentation.idenfy.com/security/callback-signing>
pub const IDENFY: Scheme<'static> = Scheme {
    name: "idenfy",
    signature: Signature::bare("idenfy-signature"),
    profile: Profile::new("iDenfy", "https://documentation.idenfy.com/security/callback-signing"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Logto: `logto-signature-sha-256`, HMAC-SHA256 of the body, keyed with the signing key of the webhook.
///
/// Source: <https://docs.logto.io/developers/webhooks/secure-webhooks>, and `packages/core/src/utils/sign.ts` of <https://github.com/logto-io/logto>
pub const LOGTO: Scheme<'static> = Scheme {
    name: "logto",
    signature: Signature::bare("logto-signature-sha-256"),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Logto", "https://docs.logto.io/developers/webhooks/secure-webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// ZITADEL actions: `ZITADEL-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`, keyed with the signing key of the target.
///
/// This is the payload type JSON; those that are tokens are not signed so. ZITADEL's own code accepts any time in the future; here the future
/// ends after five minutes. What stands for the event type is that of an event, or the API method of a request or response. Some actions use the
/// answer.
///
/// Source: <https://zitadel.com/docs/guides/integrate/actions/testing-request-signature>, and `pkg/actions/signing.go` of <https://github.com/zitadel/zitadel-go>
pub const ZITADEL: Scheme<'static> = Scheme {
    name: "zitadel",
    signature: Signature::field("zitadel-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    event: Some(Source::JsonAny(&["/event_type", "/fullMethod"])),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("ZITADEL", "https://zitadel.com/docs/guides/integrate/actions/testing-request-signature"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Auth0 custom log streams: the `Authorization` header is the text that was set for the stream, and nothing is signed.
///
/// The text is compared as a whole, without a word such as `Bearer` taken off. One request holds several log entries, so it has neither one id
/// nor one type.
///
/// Source: <https://auth0.com/docs/customize/log-streams/custom-log-streams>
pub const AUTH0: Scheme<'static> = Scheme {
    name: "auth0",
    signature: Signature::bare("authorization"),
    profile: Profile::new("Auth0", "https://auth0.com/docs/customize/log-streams/custom-log-streams"),
    ..Scheme::TOKEN
};

/// Turnkey: `X-Turnkey-Signature`, Ed25519 over `v1.ed25519.key.timestamp.id.body`, with the time in milliseconds.
///
/// **The keys sign for all of Turnkey's customers**, and nothing that is signed says to whom a delivery goes: whoever has an account there can have
/// events of an own organisation signed and sent to you. Handlers must compare the organisation in the body (`organizationId`, or
/// `parentOrganizationId` above it) with their own. Event type and organisation in the headers are not signed.
///
/// Source: <https://docs.turnkey.com/features/webhooks/verify-signatures>, <https://docs.turnkey.com/features/webhooks/overview>, and the npm
/// package `@turnkey/crypto`
pub const TURNKEY: Scheme<'static> = Scheme {
    name: "turnkey",
    signature: Signature::bare("x-turnkey-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-turnkey-timestamp"))),
    id: Some(Source::Header("x-turnkey-event-id")),
    event: Some(Source::Header("x-turnkey-event-type")),
    message: &[
        Part::Text("v1.ed25519."),
        Part::Header("x-turnkey-signature-key-id"),
        Part::Text("."),
        Part::Timestamp,
        Part::Text("."),
        Part::Id,
        Part::Text("."),
        Part::Body,
    ],
    key_id: Some(Source::Header("x-turnkey-signature-key-id")),
    keys: Keys::JwkSet { url: "https://api.turnkey.com/public/v1/discovery/webhooks/jwks" },
    profile: Profile::new("Turnkey", "https://docs.turnkey.com/features/webhooks/verify-signatures")
        .retries(RetryOn::ServerErrors, 0)
        .resigned(true),
    ..Scheme::ED25519_HEX
};

/// Hanko: the body is `{"token": token, "event": type}`, with a JSON Web Token signed with RS256 that holds type and data once more.
///
/// The keys are those of your own project (`/.well-known/jwks.json`), which sign the sessions of your users as well: what is not about webhooks
/// is refused. The token expires after five minutes; nothing is sent twice. Only what is in the token is signed. Parameter `audience` (optional):
/// for whom it must be.
///
/// Source: <https://docs.hanko.io/guides/webhooks>, and `backend/webhooks/manager.go` of <https://github.com/teamhanko/hanko>
pub const HANKO: Scheme<'static> = Scheme {
    name: "hanko",
    signature: Signature::at(Source::Json("/token")),
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Rs256],
        claims: &[
            Claim { at: &["/sub"], expected: Expected::OneOf(&["hanko webhooks"]) },
            Claim { at: &["/aud"], expected: Expected::OptionalParameter("audience") },
        ],
        expires: true,
        ..Jws::NEW
    }),
    event: Some(Source::Claim("/evt")),
    profile: Profile::new("Hanko", "https://docs.hanko.io/guides/webhooks").retries(RetryOn::Never, 0),
    ..Scheme::JWS
};

/// Stytch: the headers of Svix, HMAC-SHA256 of `id.timestamp.body`.
///
/// The type of an event is in three parts of the body (`source`, `object_type` and `action`).
///
/// Source: <https://stytch.com/docs/b2b/guides/webhooks>
pub const STYTCH: Scheme<'static> = Scheme {
    name: "stytch",
    event: None,
    profile: Profile::new("Stytch", "https://stytch.com/docs/b2b/guides/webhooks")
        .retries(RetryOn::AnyFailure, 28)
        .resigned(true)
        .addresses("https://docs.svix.com/receiving/source-ips"),
    ..SVIX
};
