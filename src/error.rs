use std::{fmt, time::Duration};

use crate::key::SecretFinding;

/// What is wrong with a configuration, found when a verifier, key, layer or store is built.
///
/// Names the offending value, but never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The secret is empty, blank, or nothing but zero bytes: anyone could sign with it.
    EmptySecret,
    /// The secret is not what its format asks for.
    MalformedSecret {
        /// What a secret of this format looks like.
        expected: &'static str,
    },
    /// Something looks wrong about the secret, and that [was to be an error](crate::scheme::VerifierBuilder::deny_findings).
    SuspiciousSecret(SecretFinding),
    /// What was given as a public key is none, or not of the kind that the scheme needs.
    MalformedKey {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The keys are not of the kind that the scheme asks for: a secret where signatures are judged by public keys, or the other way round.
    WrongKind {
        /// The scheme's name.
        scheme: String,
        /// What it needs.
        needed: &'static str,
    },
    /// The crate was built without what this needs.
    MissingFeature {
        /// What needs it.
        what: String,
        /// The feature of this crate to turn on.
        feature: &'static str,
    },
    /// The scheme signs something that only you can know, such as the id of your webhook at the provider.
    MissingParameter {
        /// The scheme's name.
        scheme: String,
        /// The name of what is missing.
        name: String,
    },
    /// Keys that are found elsewhere were given together with others, or with a name.
    SourceAmongKeys,
    /// The key ring holds no key: nothing could ever be verified.
    NoKeys,
    /// Two keys of a ring hold the same secret.
    DuplicateKey {
        /// Position of the second one.
        index: usize,
    },
    /// One key of a ring cannot be used.
    Key {
        /// Its position, from 0.
        index: usize,
        /// What is wrong with it.
        problem: Box<ConfigError>,
    },
    /// Two different requests would give the same signed bytes under this scheme, or a part of it makes no sense.
    Scheme {
        /// The scheme's name.
        scheme: String,
        /// What is wrong and how to mend it.
        why: String,
    },
    /// The scheme signs the URL, so it must be told the public one.
    MissingPublicUrl {
        /// The scheme's name.
        scheme: String,
    },
    /// The retention of nonces is shorter than the time in which a signed request is accepted,
    /// so that a replay would pass in between.
    RetentionTooShort {
        /// What was asked for.
        given: Duration,
        /// The least that is safe.
        needed: Duration,
    },
    /// No provider of this name is in the catalogue.
    UnknownProvider {
        /// The name that was asked for.
        name: String,
    },
    /// Another value that cannot be used.
    InvalidValue {
        /// Which setting.
        what: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl ConfigError {
    pub(crate) fn invalid(what: &'static str, value: impl fmt::Display, why: &'static str) -> Self {
        Self::InvalidValue { what, value: value.to_string(), why }
    }

    pub(crate) fn scheme(scheme: &str, why: impl Into<String>) -> Self {
        Self::Scheme { scheme: scheme.to_owned(), why: why.into() }
    }

    pub(crate) fn at_key(self, index: usize) -> Self {
        Self::Key { index, problem: Box::new(self) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptySecret => f.write_str("the secret is empty or blank"),
            Self::MalformedSecret { expected } => write!(f, "the secret must be {expected}"),
            Self::SuspiciousSecret(finding) => finding.fmt(f),
            Self::MalformedKey { why } => write!(f, "the public key cannot be used: {why}"),
            Self::WrongKind { scheme, needed } => write!(f, "scheme `{scheme}` needs {needed}"),
            Self::MissingFeature { what, feature } => {
                write!(f, "{what} cannot be used: this crate was built without the feature `{feature}`")
            }
            Self::MissingParameter { scheme, name } => {
                write!(f, "scheme `{scheme}` needs the parameter `{name}`, which only you can know")
            }
            Self::SourceAmongKeys => f.write_str("a source of keys cannot stand among other keys, nor have a name"),
            Self::NoKeys => f.write_str("no keys were given: at least one is needed"),
            Self::DuplicateKey { index } => {
                write!(f, "the key at position {index} holds the same secret as an earlier one")
            }
            Self::Key { index, problem } => write!(f, "key at position {index}: {problem}"),
            Self::Scheme { scheme, why } => write!(f, "scheme `{scheme}`: {why}"),
            Self::MissingPublicUrl { scheme } => write!(
                f,
                "scheme `{scheme}` signs the URL, so it needs the public one: \
                 a `public_origin` such as `https://hooks.example.com`, or a whole `public_url`"
            ),
            Self::RetentionTooShort { given, needed } => write!(
                f,
                "nonces kept for {given:?} would be forgotten while the same request is still accepted: \
                 at least {needed:?} is needed"
            ),
            Self::UnknownProvider { name } => {
                write!(f, "no provider named `{name}` in the catalogue")
            }
            Self::InvalidValue { what, value, why } => write!(f, "{what} `{value}`: {why}"),
        }
    }
}

impl std::error::Error for ConfigError {}
