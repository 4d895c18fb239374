//! The catalogue: how the providers that people receive webhooks from sign them.
//!
//! A provider is a [`Scheme`], and a scheme is data; see the constants below. Each is checked against known-answer vectors
//! that the provider or its official SDK published or computed.
//!
//! ```
//! use tower_webhook::provider;
//!
//! let stripe = provider::STRIPE.verifier("whsec_…")?;
//!
//! // By name, from configuration:
//! let slack = provider::find("slack")?.verifier("8f742231b10e8888abcd99yyyzzz85a5")?;
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! Where a provider's SDK and this catalogue differ, it is here that the rule is stricter: hexadecimal digits are lower-case, base64 is canonical, and
//! times in the future are judged too, which the SDKs of Stripe and Paddle do not.

mod banking;
mod canonical;
mod cloud;
mod collaboration;
mod commerce;
mod communication;
mod development;
mod documents;
mod identity;
mod intelligence;
mod marketing;
mod payments;
mod social;
mod standard;

pub use self::{banking::*, cloud::*, collaboration::*, commerce::*, communication::*, development::*, documents::*, identity::*, intelligence::*, marketing::*, payments::*, social::*, standard::*};
use crate::{ConfigError, scheme::Scheme};

/// All providers, by name.
pub const ALL: &[Scheme<'static>] = &[
    ADYEN,
    ADYEN_PLATFORM,
    AFTERSHIP,
    AFTERSHIP_RETURNS,
    AFTERSHIP_SHIPPING,
    ALCHEMY,
    ANTHROPIC,
    APPLE_APP_STORE,
    APPLE_SIGNIN,
    ATLASSIAN_CONNECT,
    ATLASSIAN_CONNECT_INSTALL,
    AUTH0,
    AUTODESK,
    AWS_SNS,
    AWS_SNS_V1,
    AZURE_EVENT_GRID,
    AZURE_EVENT_GRID_QUERY_TOKEN,
    BANDWIDTH,
    BIRD,
    BITBUCKET_CLOUD,
    BITBUCKET_SERVER,
    BLOCKFROST,
    BOLDSIGN,
    BOLT,
    BRAINTREE,
    BREVO,
    BREVO_TOKEN,
    BREX,
    BUILDKITE,
    BUILDKITE_TOKEN,
    CASHFREE,
    CASTLE,
    CHARGEBEE,
    CHARGIFY,
    CHECKLY,
    CHECKOUT_COM,
    CHECKOUT_COM_AUTHORIZATION,
    CIRCLE,
    CIRCLECI,
    CLERK,
    CLOUDEVENTS_WEBHOOK_BEARER,
    CLOUDEVENTS_WEBHOOK_QUERY,
    CLOUDFLARE,
    CLOUDFLARE_STREAM,
    COINBASE_COMMERCE,
    COINFLOW,
    COURIER,
    CREEM,
    CURSOR,
    CUSTOMERIO,
    DISCORD,
    DOCUMENSO,
    DOCUSEAL,
    DOCUSIGN,
    DROPBOX,
    DROPBOX_SIGN,
    DWOLLA,
    EASYPOST,
    EBAY,
    ECWID,
    ELEVENLABS,
    EMAILIT,
    EXPO,
    FAL,
    FASTSPRING,
    FIREBLOCKS_V1,
    FIREBLOCKS_V2,
    FIREHYDRANT,
    FLUTTERWAVE_V3,
    FORGEJO,
    FOURTHWALL,
    FOURTHWALL_APPS,
    FRONT,
    FRONT_RULE,
    FUSIONAUTH,
    GITEA,
    GITEA_GITHUB_COMPATIBLE,
    GITHUB,
    GITHUB_SHA1,
    GITLAB_SIGNING_TOKEN,
    GITLAB_TOKEN,
    GOCARDLESS,
    GOGS,
    GOOGLE_PLAY_RTDN,
    GOOGLE_PUBSUB_PUSH,
    GRAFANA,
    GRAFANA_TIMESTAMPED,
    HANKO,
    HARBOR,
    HELIUS,
    HEROKU,
    HOOKDECK,
    HUBSPOT_V3,
    HUGGINGFACE,
    IDENFY,
    INCIDENT_IO,
    INCREASE,
    INTERCOM,
    JIRA,
    KINDE,
    KLAVIYO,
    LARK,
    LAUNCHDARKLY,
    LEMON_SQUEEZY,
    LETTERMINT,
    LINE,
    LINEAR,
    LINKEDIN,
    LITHIC,
    LIVEKIT,
    LOGTO,
    LOOP_RETURNS,
    LOOPS,
    MAILCHIMP_TRANSACTIONAL,
    MAILERSEND,
    MAILGUN,
    MAILGUN_ROUTES,
    MARQETA,
    MARQETA_SHA1,
    MERCADO_PAGO,
    MESSAGEBIRD,
    META,
    META_SHA1,
    MICROSOFT_GRAPH,
    MICROSOFT_TEAMS_OUTGOING,
    MODERN_TREASURY,
    MOLLIE,
    MONGODB_ATLAS,
    MOOV,
    NEON,
    NETLIFY,
    NPM,
    NYLAS,
    OKTA,
    ONFIDO,
    OPENAI,
    ORB,
    PADDLE_BILLING,
    PADDLE_CLASSIC,
    PAGERDUTY,
    PANDADOC,
    PAYPAL,
    PAYSTACK,
    PERSONA,
    PINWHEEL,
    PLAID,
    PLIVO,
    POLAR,
    POSTMARK,
    PUSHER,
    QUICKBOOKS,
    RAZORPAY,
    RECURLY,
    RENDER,
    REPLICATE,
    RESEND,
    RETELL,
    REVOLUT,
    ROOTLY,
    SEGMENT,
    SENDGRID,
    SENTRY,
    SHIPSTATION_V2,
    SHOPIFY,
    SHOPWARE,
    SIGNAL_SCIENCES,
    SIGNATUREAPI,
    SIGNWELL,
    SINCH_CONVERSATION,
    SINCH_NUMBERS,
    SLACK,
    SNYK,
    SONARQUBE,
    SONATYPE_NEXUS,
    SQUARE,
    SQUARESPACE,
    STANDARD_WEBHOOKS,
    STANDARD_WEBHOOKS_ED25519,
    STATSIG,
    STREAM,
    STRIKE,
    STRIPE,
    SUMSUB_SHA256,
    SUPABASE_AUTH_HOOKS,
    SVIX,
    SVIX_ED25519,
    TATUM,
    TELEGRAM,
    TELNYX,
    TERRAFORM_CLOUD,
    TERRAFORM_RUN_TASK,
    TIKTOK,
    TINK,
    TRAVIS_CI,
    TRUELAYER,
    TURNKEY,
    TWILIO,
    TWITCH,
    TYPEFORM,
    UBER,
    UNIT,
    VERCEL,
    VERIFF,
    VIBER,
    VONAGE,
    WEBEX,
    WEBSUB_SHA1,
    WEBSUB_SHA256,
    WEBSUB_SHA384,
    WEBSUB_SHA512,
    WECHAT_MP,
    WECHATPAY,
    WHATSAPP,
    WISE,
    WIX,
    WOOCOMMERCE,
    WORKOS,
    WORLDLINE,
    X_TWITTER,
    XENDIT,
    XERO,
    YOUSIGN,
    ZENDESK,
    ZITADEL,
    ZOOM,
    ZULIP,
];

/// The provider of this name, such as `stripe`.
///
/// # Errors
///
/// [`ConfigError::UnknownProvider`] if there is none.
pub fn find(name: &str) -> Result<Scheme<'static>, ConfigError> {
    ALL.iter()
        .find(|scheme| scheme.name == name)
        .copied()
        .ok_or_else(|| ConfigError::UnknownProvider { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::IntoScheme;

    #[test]
    fn every_scheme_is_unambiguous_and_found_by_its_name() {
        for scheme in ALL {
            scheme.into_checked().unwrap();
            assert_eq!(find(scheme.name).unwrap().name, scheme.name);
        }
        assert!(ALL.is_sorted_by_key(|scheme| scheme.name));
        assert_eq!(find("nobody").unwrap_err().to_string(), "no provider named `nobody` in the catalogue");
    }
}
