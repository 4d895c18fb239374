use std::time::Duration;

/// What is known of a provider beyond how it signs; see [`Scheme::profile`](super::Scheme::profile).
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// The provider's name, as it writes it.
    pub title: &'a str,
    /// Where it documents its signatures.
    pub documentation: &'a str,
    /// What it does when a delivery fails.
    pub retries: Retries,
    /// Where it publishes the addresses that it sends from.
    pub addresses: Option<&'a str>,
}

/// What a provider does when a delivery fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Which failures it tries again after.
    pub on: RetryOn,
    /// For how long it goes on.
    pub lasting: Duration,
    /// Whether each try is signed anew, with its own time; `None` if that is not known.
    pub resigned: Option<bool>,
}

/// Which answers a provider takes as a reason to deliver again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryOn {
    /// Nothing reliable is known.
    #[default]
    Unknown,
    /// It never delivers again: what fails is lost, unless somebody asks for it by hand.
    Never,
    /// Every answer but success, and no answer.
    AnyFailure,
    /// Server errors (5xx) and no answer. After a client error (4xx) it gives up.
    ServerErrors,
    /// Server errors, too many requests (429), and no answer.
    ServerErrorsAndRateLimits,
    /// No answer, or none in time. It gives up after every answer.
    Timeouts,
}

impl RetryOn {
    /// Whether a sender that is told to come more slowly (429) would lose the delivery, although it would try again after a server error.
    pub(crate) fn gives_up_when_rate_limited(self) -> bool {
        self == Self::ServerErrors
    }
}

impl Profile<'static> {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self::new("", "");
}

impl<'a> Profile<'a> {
    /// A provider of this name, with a link to its documentation, of whose retries nothing is known.
    pub const fn new(title: &'a str, documentation: &'a str) -> Self {
        let retries = Retries { on: RetryOn::Unknown, lasting: Duration::ZERO, resigned: None };
        Self { title, documentation, retries, addresses: None }
    }

    /// Which failures it tries again after, and for how many hours.
    pub const fn retries(mut self, on: RetryOn, hours: u64) -> Self {
        self.retries.on = on;
        self.retries.lasting = Duration::from_secs(hours * 3600);
        self
    }

    /// Whether each try is signed anew.
    pub const fn resigned(mut self, resigned: bool) -> Self {
        self.retries.resigned = Some(resigned);
        self
    }

    /// Where it publishes the addresses that it sends from.
    pub const fn addresses(mut self, url: &'a str) -> Self {
        self.addresses = Some(url);
        self
    }
}
