use std::{collections::HashMap, fmt, hash::Hash, sync::Arc};

use super::{Key, Secret};

/// What looks wrong about a secret. Says nothing of what is in it but its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretFinding {
    /// It has fewer than 16 bytes, and so can be guessed by who has one signed request.
    TooShort {
        /// How many it has.
        bytes: usize,
    },
    /// It repeats itself, counts, or has few different bytes: no generator of secrets made it.
    LowEntropy,
    /// Blanks or a newline are around it, as when it was read from a file.
    BlanksAround,
    /// It is a key that providers give to browsers, so everybody has it.
    PublishableKey,
    /// It is something else than a secret for signatures.
    WrongKind {
        /// What it is by its looks.
        looks_like: &'static str,
    },
}

/// What looks wrong about one of several keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyFinding {
    /// Its position in the ring, from 0.
    pub index: usize,
    /// Its name, if it has one.
    pub id: Option<Arc<str>>,
    /// What looks wrong.
    pub finding: SecretFinding,
}

impl Secret {
    /// What looks wrong about it; nothing, mostly.
    ///
    /// ```
    /// use tower_webhook::key::{Secret, SecretFinding};
    ///
    /// let secret = Secret::text("pk_live_51Hc9kZ2eZvKYlo2C0Xr7")?;
    /// assert_eq!(secret.lint(), [SecretFinding::PublishableKey]);
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    pub fn lint(&self) -> Vec<SecretFinding> {
        let bytes = self.expose();
        let text = str::from_utf8(bytes).ok().filter(|text| !text.trim().contains(|it: char| it.is_control()));
        let mut findings = Vec::new();
        if let Some(text) = text {
            if text.trim() != text {
                findings.push(SecretFinding::BlanksAround);
            }
            findings.extend(mistaken(text.trim()));
        }
        if bytes.len() < 16 {
            findings.push(SecretFinding::TooShort { bytes: bytes.len() });
        } else if is_regular(bytes) {
            findings.push(SecretFinding::LowEntropy);
        }
        findings
    }
}

pub(super) fn findings<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Vec<KeyFinding> {
    let mut all = Vec::new();
    for (index, key) in keys.into_iter().enumerate() {
        if let super::Material::Secret(secret) = key.material() {
            let found = secret.lint().into_iter();
            all.extend(found.map(|finding| KeyFinding { index, id: key.id().cloned(), finding }));
        }
    }
    all
}

/// What a text is that is no secret.
///
/// API keys that some provider signs with are not among these: Paystack does with its `sk_live_…`.
fn mistaken(text: &str) -> Option<SecretFinding> {
    const PUBLISHABLE: &[&str] = &["pk_live_", "pk_test_"];
    const KINDS: &[(&[&str], &str)] = &[
        (&["v1,whsec_", "v1a,whsk_"], "a secret with the version of its signatures before it"),
        (&["-----BEGIN"], "a PEM block"),
        (&["https://", "http://"], "a URL"),
        (&["Bearer ", "Basic "], "the value of a header"),
        (&["${", "$(", "{{", "op://", "vault:", "arn:aws:"], "a reference that was not resolved"),
        (&["\"", "'"], "a text in quotes"),
        (&["ghp_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "rk_live_", "rk_test_", "AKIA"], "an API key"),
        (&["sha1=", "sha256=", "sha512="], "a signature"),
    ];
    const PLACEHOLDERS: &[&str] =
        &["changeme", "change-me", "change_me", "placeholder", "your-secret", "your_secret", "webhook-secret", "..."];
    if PUBLISHABLE.iter().any(|prefix| text.starts_with(prefix)) {
        return Some(SecretFinding::PublishableKey);
    }
    let kind = KINDS.iter().find(|(prefixes, _)| prefixes.iter().any(|prefix| text.starts_with(prefix)));
    let lower = text.to_ascii_lowercase();
    let looks_like = match kind {
        Some((_, looks_like)) => looks_like,
        // A header in base64, `{"alg":`, and two more parts.
        None if text.starts_with("eyJ") && text.split('.').count() == 3 => "a JSON Web Token",
        None if text.starts_with('<') && text.ends_with('>') => "a placeholder",
        None if PLACEHOLDERS.iter().any(|word| lower.contains(word)) => "a placeholder",
        None => return None,
    };
    Some(SecretFinding::WrongKind { looks_like })
}

/// Whether bytes are too regular to have been drawn at random: less than 40 bits, as their frequencies or those of their steps say.
///
/// 16 random bytes have more than 50 by this measure, and so have 32 hexadecimal digits.
fn is_regular(bytes: &[u8]) -> bool {
    const LEAST: f64 = 40.0;
    let once = &bytes[..period(bytes)];
    let steps = once.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    bits(once.iter()) < LEAST || bits(steps) < LEAST
}

/// After how many bytes they begin again.
fn period(bytes: &[u8]) -> usize {
    (1..bytes.len()).find(|period| bytes[*period..] == bytes[..bytes.len() - period]).unwrap_or(bytes.len())
}

/// Shannon's measure of a text, by the frequencies in it.
fn bits<T: Eq + Hash>(items: impl Iterator<Item = T>) -> f64 {
    let mut counts = HashMap::<T, f64>::new();
    let mut total = 0.0;
    for item in items {
        *counts.entry(item).or_default() += 1.0;
        total += 1.0;
    }
    counts.values().map(|count| count * (total / count).log2()).sum()
}

impl fmt::Display for SecretFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { bytes } => write!(f, "the secret has {bytes} bytes, and should have at least 16"),
            Self::LowEntropy => f.write_str("the secret is too regular to have been drawn at random"),
            Self::BlanksAround => f.write_str("the secret has blanks or a newline around it"),
            Self::PublishableKey => f.write_str("the secret is a publishable key, which everybody has"),
            Self::WrongKind { looks_like } => write!(f, "the secret looks like {looks_like}"),
        }
    }
}

impl fmt::Display for KeyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "key `{id}`: {}", self.finding),
            None => write!(f, "key at position {}: {}", self.index, self.finding),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ConfigError, key::KeyRing, provider, scheme::Verifier};

    const SHORT: fn(usize) -> SecretFinding = |bytes| SecretFinding::TooShort { bytes };

    #[test]
    fn secrets_that_look_wrong_are_found() {
        use SecretFinding::{BlanksAround, LowEntropy, PublishableKey, WrongKind};
        let kind = |looks_like| WrongKind { looks_like };
        for (secret, expected) in [
            ("It's a Secret to Everybody", &[][..]),
            ("8f742231b10e8888abcd99yyyzzz85a5", &[]),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &[]),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", &[]),
            ("hunter2", &[SHORT(7)]),
            ("123456789012345", &[SHORT(15)]),
            ("8f742231b10e8888abcd99yyyzzz85a5\n", &[BlanksAround]),
            ("\u{feff} 8f742231b10e8888abcd99yyyzzz85a5", &[]),
            (" 8f742231b10e8888abcd99yyyzzz85a5", &[BlanksAround]),
            ("hunter2\r\n", &[BlanksAround, SHORT(9)]),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &[LowEntropy]),
            ("0123456789abcdef", &[LowEntropy]),
            ("abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc", &[LowEntropy]),
            ("correcthorsecorrecthorsecorrecthorse", &[LowEntropy]),
            ("\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{9}\u{a}\u{b}\u{c}\u{d}\u{e}\u{f}\u{10}", &[LowEntropy]),
            ("pk_live_51Hc9kZ2eZvKYlo2C0Xr7", &[PublishableKey]),
            ("pk_test_TYooMQauvdEDq54NiTphI7jx", &[PublishableKey]),
            (
                "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                &[kind("a secret with the version of its signatures before it")],
            ),
            ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw", &[]),
            ("-----BEGIN PRIVATE KEY-----MC4CAQAwBQYDK2Vw", &[kind("a PEM block")]),
            ("https://hooks.example.com/services/8f7422", &[kind("a URL")]),
            ("Bearer 8f742231b10e8888abcd99yyyzzz85a5", &[kind("the value of a header")]),
            ("${STRIPE_WEBHOOK_SECRET}", &[kind("a reference that was not resolved")]),
            ("{{ .Values.webhook.secret }}", &[kind("a reference that was not resolved")]),
            ("\"8f742231b10e8888abcd99yyyzzz85a5\"", &[kind("a text in quotes")]),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", &[kind("an API key")]),
            ("sha256=757107ea0eb2509fc211221cce984b8a", &[kind("a signature")]),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N", &[kind("a JSON Web Token")]),
            ("<your webhook signing secret>", &[kind("a placeholder")]),
            ("whsec_your-secret-goes-here", &[kind("a placeholder")]),
            ("CHANGEME", &[kind("a placeholder"), SHORT(8)]),
        ] {
            assert_eq!(Secret::raw(secret).unwrap().lint(), expected, "{secret:?}");
        }
    }

    #[test]
    fn findings_are_a_list_or_an_error_and_never_show_the_secret() {
        let keys = || [("new", "8f742231b10e8888abcd99yyyzzz85a5"), ("old", "hunter2")];
        let verifier = provider::STRIPE.verifier(keys()).unwrap();
        let [finding] = verifier.lint() else { panic!("{:?}", verifier.lint()) };
        assert_eq!((finding.index, finding.id.as_deref(), finding.finding), (1, Some("old"), SHORT(7)));
        assert_eq!(finding.to_string(), "key `old`: the secret has 7 bytes, and should have at least 16");

        let strict = || Verifier::builder(provider::STRIPE).deny_findings();
        let error = strict().build(keys()).unwrap_err();
        assert_eq!(error, ConfigError::SuspiciousSecret(SHORT(7)).at_key(1));
        assert_eq!(strict().build("hunter2").unwrap_err(), ConfigError::SuspiciousSecret(SHORT(7)));
        let verifier = strict().build(keys()[0].1).unwrap();
        assert!(verifier.with_keys("hunter2").is_err(), "also when keys are replaced");
        for text in [format!("{error} {error:?}"), format!("{finding:?}")] {
            assert!(!text.contains("hunter"), "{text}");
        }
        assert!(KeyRing::new([Key::new(Secret::text("hunter2").unwrap())]).unwrap().lint().len() == 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_was_drawn_at_random_is_left_alone(bytes in any::<[u8; 16]>()) {
            let hex = base16ct::lower::encode_string(&bytes);
            for secret in [Secret::raw(bytes), Secret::text(&hex)] {
                prop_assert_eq!(secret.unwrap().lint(), []);
            }
        }

        #[test]
        fn no_secret_panics(bytes in any::<Vec<u8>>(), text in "\\PC*") {
            for secret in [Secret::raw(bytes), Secret::raw(text)] {
                let _ = secret.map(|secret| secret.lint());
            }
        }
    }
}
