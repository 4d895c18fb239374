//! The catalogue: how the providers that people receive webhooks from sign them.
//!
//! A provider is a [`Scheme`], and a scheme is data; see the constants below. Each is checked against known-answer vectors that were made outside this crate:
//! published by the provider, computed or judged by its own code, or computed by the formula that it documents. What the signature covers is
//! [`Scheme::signs`] and the table in the README; what is known of retries and addresses is the [`profile`](Scheme::profile).
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
//! Some need more than keys: a public URL, or parameters that only you know. Their documentation names them, and a verifier without them is not built.
//!
//! ```
//! # #[cfg(feature = "rsa")] {
//! use tower_webhook::{provider, scheme::Verifier};
//!
//! # let certificate = rcgen::CertificateParams::default()
//! #     .self_signed(&rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap()).unwrap().pem();
//! let paypal = Verifier::builder(provider::PAYPAL).parameter("webhook-id", "1JE4291016473214C").build(&certificate)?;
//! # }
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
mod content;
mod development;
mod documents;
mod identity;
mod intelligence;
mod marketing;
mod payments;
mod social;
mod standard;

pub use self::{
    banking::*, cloud::*, collaboration::*, commerce::*, communication::*, content::*, development::*, documents::*,
    identity::*, intelligence::*, marketing::*, payments::*, social::*, standard::*,
};
use crate::{ConfigError, scheme::Scheme};

/// All providers, by name.
pub const ALL: &[Scheme<'static>] = &[
    ACUITY,
    ADYEN_PLATFORM,
    ADYEN_STANDARD,
    AFTERSHIP,
    AFTERSHIP_RETURNS,
    AFTERSHIP_SHIPPING,
    AGENTMAIL,
    AGORA,
    AIRCALL,
    AIRTABLE,
    ALCHEMY,
    ANTHROPIC,
    APPLE_APP_STORE,
    APPLE_SIGNIN,
    ASANA,
    ASHBY,
    ATLASSIAN_CONNECT,
    ATLASSIAN_CONNECT_INSTALL,
    ATTIO,
    AUTH0,
    AUTODESK,
    AWS_SNS,
    AWS_SNS_V1,
    AZURE_DEVOPS,
    AZURE_EVENT_GRID,
    AZURE_EVENT_GRID_QUERY_TOKEN,
    BANDWIDTH,
    BIRD,
    BITBUCKET_CLOUD,
    BITBUCKET_SERVER,
    BLAND,
    BLOCKFROST,
    BOLDSIGN,
    BOLT,
    BOX,
    BRAINTREE,
    BREVO,
    BREVO_TOKEN,
    BREX,
    BUILDKITE,
    BUILDKITE_TOKEN,
    BUNNY_STREAM,
    CALCOM,
    CALENDLY,
    CASHFREE,
    CASTLE,
    CHARGEBEE,
    CHARGIFY,
    CHATWOOT,
    CHECKLY,
    CHECKOUT_COM,
    CHECKOUT_COM_AUTHORIZATION,
    CIRCLE,
    CIRCLECI,
    CLERK,
    CLICKUP,
    CLOSE,
    CLOUDEVENTS_WEBHOOK_BEARER,
    CLOUDEVENTS_WEBHOOK_QUERY,
    CLOUDFLARE,
    CLOUDFLARE_STREAM,
    CLOUDINARY,
    CLOUDINARY_SHA256,
    COINBASE_COMMERCE,
    COINFLOW,
    COINIFY,
    CONTENTFUL,
    COURIER,
    CREEM,
    CRISP,
    CURSOR,
    CUSTOMERIO,
    DAILY,
    DATOCMS,
    DEEL,
    DEEPGRAM,
    DIALPAD,
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
    FIGMA,
    FINTOC,
    FIREBLOCKS_V1,
    FIREBLOCKS_V2,
    FIRECRAWL,
    FIREHYDRANT,
    FLAGSMITH,
    FLUTTERWAVE_V3,
    FORGEJO,
    FORMSTACK,
    FOURTHWALL,
    FOURTHWALL_APPS,
    FRAMEIO,
    FRONT,
    FRONT_RULE,
    FUSIONAUTH,
    GHOST,
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
    GREENHOUSE,
    GROWTHBOOK,
    HANKO,
    HARBOR,
    HELIUS,
    HELPSCOUT,
    HEROKU,
    HIBOB,
    HOOKDECK,
    HUBSPOT_V1,
    HUBSPOT_V2,
    HUBSPOT_V3,
    HUGGINGFACE,
    HYGRAPH,
    IDENFY,
    INCIDENT_IO,
    INCREASE,
    INTERCOM,
    JIRA,
    KINDE,
    KLAVIYO,
    KNOCK,
    KONTENT,
    LAGO,
    LARK,
    LAUNCHDARKLY,
    LEMON_SQUEEZY,
    LETTERMINT,
    LINE,
    LINEAR,
    LINKEDIN,
    LITHIC,
    LIVEKIT,
    LIVEPEER,
    LOGTO,
    LOOP_RETURNS,
    LOOPS,
    MAILCHIMP_TRANSACTIONAL,
    MAILERSEND,
    MAILGUN,
    MAILGUN_ROUTES,
    MAILTRAP,
    MARQETA,
    MARQETA_SHA1,
    MATTERMOST,
    MERCADO_PAGO,
    MESSAGEBIRD,
    META,
    META_SHA1,
    MICROSOFT_GRAPH,
    MICROSOFT_TEAMS_OUTGOING,
    MIDDESK,
    MODERN_TREASURY,
    MOLLIE,
    MONDAY,
    MONGODB_ATLAS,
    MOOV,
    MUX,
    NEON,
    NETLIFY,
    NOTION,
    NPM,
    NYLAS,
    OKTA,
    ONFIDO,
    ONFLEET,
    OPENAI,
    ORB,
    OUTREACH,
    PADDLE_BILLING,
    PADDLE_CLASSIC,
    PAGERDUTY,
    PANDADOC,
    PAYMONGO,
    PAYPAL,
    PAYSTACK,
    PERSONA,
    PINWHEEL,
    PIPEDRIVE,
    PLAID,
    PLIVO,
    PODIUM,
    POLAR,
    POSTMARK,
    PRISMIC,
    PULUMI,
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
    SANITY,
    SEGMENT,
    SENDBIRD,
    SENDGRID,
    SENDPOST,
    SENTRY,
    SHIPSTATION_V2,
    SHOPIFY,
    SHOPWARE,
    SIGNAL_SCIENCES,
    SIGNALWIRE,
    SIGNALWIRE_COMPATIBILITY,
    SIGNALWIRE_SHA1,
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
    STORYBLOK,
    STRAPI,
    STREAM,
    STRIKE,
    STRIPE,
    STYTCH,
    SUMSUB_SHA1,
    SUMSUB_SHA256,
    SUMSUB_SHA512,
    SUPABASE_AUTH_HOOKS,
    SURGE,
    SVIX,
    SVIX_ED25519,
    TAILSCALE,
    TALKJS,
    TALLY,
    TATUM,
    TAWK_TO,
    TELEGRAM,
    TELNYX,
    TERRAFORM_CLOUD,
    TERRAFORM_RUN_TASK,
    THINKIFIC,
    TIKTOK,
    TINK,
    TODOIST,
    TRANSLOADIT,
    TRAVIS_CI,
    TRELLO,
    TREND_MICRO,
    TRUELAYER,
    TURNKEY,
    TWILIO,
    TWILIO_SHARED_KEY,
    TWITCH,
    TYPEFORM,
    UBER,
    UNIT,
    UPLOADCARE,
    VAPI,
    VERCEL,
    VERIFF,
    VIBER,
    VONAGE,
    WEBEX,
    WEBFLOW,
    WEBSUB_SHA1,
    WEBSUB_SHA256,
    WEBSUB_SHA384,
    WEBSUB_SHA512,
    WECHAT_MP,
    WECHATPAY,
    WHATSAPP,
    WHEREBY,
    WISE,
    WISTIA,
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
    ZOHO_PAYMENTS,
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
        let refused = ALL.iter().filter_map(|scheme| scheme.into_checked().err());
        assert_eq!(refused.collect::<Vec<_>>(), []);
        for scheme in ALL {
            assert_eq!(find(scheme.name).unwrap().name, scheme.name);
        }
        assert!(ALL.is_sorted_by_key(|scheme| scheme.name));
        assert_eq!(find("nobody").unwrap_err().to_string(), "no provider named `nobody` in the catalogue");
    }
}
