use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, request::Parts};

use super::{Choice, SharedSource, VerifierSource};
use crate::{ConfigError, Rejection, clock::UnixTime, scheme::Verifier};

/// Several providers on one route: the one judges a request whose signature headers it has.
///
/// All headers of a scheme that carry signature, time and signed id must be there. A request that has those of two is refused with `400`, one that
/// has those of none, with `401`. Verifiers are never tried one after the other: what a request is judged by must not be for its sender to
/// find out. Bodies may be as large as the largest of any of these providers.
///
/// ```
/// use tower_webhook::{layer::{Dispatch, WebhookLayer}, provider};
///
/// let layer = WebhookLayer::new(Dispatch::new([
///     provider::GITHUB.verifier("one secret")?,
///     provider::SLACK.verifier("another secret")?,
/// ])?);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// Sources of different types are put together as `Arc<dyn VerifierSource>`:
///
/// ```
/// use std::sync::Arc;
/// use tower_webhook::{layer::{Dispatch, SwapVerifier, VerifierSource}, provider};
///
/// let github = SwapVerifier::new(provider::GITHUB.verifier("one secret")?);
/// let slack = provider::SLACK.verifier("another secret")?;
/// let dispatch = Dispatch::new([Arc::new(github.clone()) as Arc<dyn VerifierSource>, Arc::new(slack)])?;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Dispatch(Arc<[Part]>);

struct Part {
    source: SharedSource,
    /// Requests are meant for it that have all headers of one of these sets.
    marks: Vec<Vec<HeaderName>>,
    names: String,
    proves_by_token: bool,
}

impl Dispatch {
    /// Chooses among these.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidValue`] if there is none, if one has no header of its own to be known by, or if some verify signatures and others take a
    /// token in clear: whoever saw such a token would not need to sign, although the same route asks others to.
    pub fn new<V: VerifierSource>(sources: impl IntoIterator<Item = V>) -> Result<Self, ConfigError> {
        let this = Self::mixing_tokens_with_signatures(sources)?;
        if let Some(token) = this.0.iter().find(|part| part.proves_by_token)
            && this.0.iter().any(|part| !part.proves_by_token)
        {
            return Err(invalid(&token.names, "takes a token in clear, where the others verify signatures"));
        }
        Ok(this)
    }

    /// As [`new`](Self::new), but tokens in clear may stand beside signatures. The route is then as safe as the token.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn mixing_tokens_with_signatures<V: VerifierSource>(
        sources: impl IntoIterator<Item = V>,
    ) -> Result<Self, ConfigError> {
        let parts = sources.into_iter().map(Part::new).collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            return Err(invalid("", "there is none to choose from"));
        }
        for (index, part) in parts.iter().enumerate() {
            if let Some(other) = parts[..index].iter().find(|other| part.is_hidden_by(other)) {
                let names = format!("{} and {}", other.names, part.names);
                return Err(invalid(&names, "every request for the one would have the headers of the other too"));
            }
        }
        Ok(Self(parts.into()))
    }
}

impl VerifierSource for Dispatch {
    fn choose(&self, head: &Parts, now: UnixTime) -> Choice {
        let mut meant = self.0.iter().filter(|part| part.is_meant(&head.headers));
        match (meant.next(), meant.next()) {
            (None, _) => Choice::Now(Err(Rejection::MissingSignature)),
            (Some(part), None) => part.source.choose(head, now),
            (Some(_), Some(_)) => Choice::Now(Err(Rejection::ConflictingHeaders)),
        }
    }

    fn examples(&self) -> Vec<Verifier> {
        self.0.iter().flat_map(|part| part.source.examples.iter().cloned()).collect()
    }
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|part| &part.source)).finish()
    }
}

impl Part {
    fn new(source: impl VerifierSource) -> Result<Self, ConfigError> {
        let source = SharedSource::new(source);
        let examples = &source.examples;
        let names: Vec<_> = examples.iter().map(Verifier::provider).collect();
        let names = names.join(", ");
        let marks: Vec<_> = examples.iter().flat_map(Verifier::marks).collect();
        if marks.is_empty() || examples.iter().any(|verifier| verifier.marks().is_empty()) {
            return Err(invalid(&names, "its signatures are in no header, so nothing tells its requests from others"));
        }
        let proves_by_token = examples.iter().any(Verifier::proves_by_token);
        Ok(Self { marks, names, proves_by_token, source })
    }

    fn is_meant(&self, headers: &HeaderMap) -> bool {
        self.marks.iter().any(|names| names.iter().all(|name| headers.contains_key(name)))
    }

    fn is_hidden_by(&self, other: &Self) -> bool {
        let holds = |set: &[HeaderName], all: &[HeaderName]| all.iter().all(|name| set.contains(name));
        self.marks.iter().any(|ours| other.marks.iter().any(|theirs| holds(ours, theirs) || holds(theirs, ours)))
    }
}

fn invalid(names: &str, why: &'static str) -> ConfigError {
    ConfigError::invalid("dispatch", names, why)
}
