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

mod collaboration;
mod commerce;
mod development;
mod standard;

pub use self::{collaboration::*, commerce::*, development::*, standard::*};
use crate::{ConfigError, scheme::Scheme};

/// All providers, by name.
pub const ALL: &[Scheme<'static>] = &[
    DROPBOX,
    GITHUB,
    GITLAB_SIGNING_TOKEN,
    GITLAB_TOKEN,
    HUBSPOT_V3,
    LINEAR,
    PADDLE_BILLING,
    PAGERDUTY,
    SENTRY,
    SHOPIFY,
    SLACK,
    SQUARE,
    STANDARD_WEBHOOKS,
    STRIPE,
    SVIX,
    TELEGRAM,
    TWITCH,
    TYPEFORM,
    VERCEL,
    WOOCOMMERCE,
    ZENDESK,
    ZOOM,
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
