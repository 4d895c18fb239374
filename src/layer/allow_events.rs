use std::{fmt, sync::Arc};

use http::Request;
use tower_layer::Layer;

use super::{Check, Guard, Never, Step};
use crate::{
    ConfigError, Delivery, Rejection,
    body::{Verified, VerifiedBody},
};

/// Lets only deliveries with these event types through; what else comes is acknowledged, and the handler never sees it.
///
/// A pattern is an event type, byte for byte, or the start of one and then `*` for all that follows: `invoice.*` means
/// `invoice.paid` and `invoice.payment.failed`, but neither `invoice.` nor `invoices.paid`. The `*` is the last character, once, after
/// a `.`, `/` or `:`.
///
/// Unwanted deliveries are answered `200` with `webhook-ignored: 1`, because many providers try again after any other answer, or give
/// the endpoint up. No replay protection inside this layer remembers them, so that they can be sent again once they are wanted. Those
/// without an event type are unwanted too, unless [allowed](Self::allow_untyped).
///
/// Where the scheme does not sign the event type, as GitHub's, whoever carried the request may have changed it: a delivery
/// can be kept from the handler in this way, or be handled as another event. [`Delivery::event_is_signed`] tells. Where it is in the
/// body, and there twice, the first counts; [`ValidatePayloadLayer`](super::ValidatePayloadLayer) refuses such bodies, of which a handler might
/// read the last.
///
/// ```
/// use tower_webhook::layer::AllowEventsLayer;
///
/// let layer = AllowEventsLayer::new(["invoice.*", "customer.created"])?;
///
/// // Also what a function allows, and the sender shall know what is not:
/// let layer = AllowEventsLayer::new(["invoice.*"])?
///     .or_if(|delivery| delivery.event().is_some_and(|event| event.ends_with(".deleted")))
///     .refuse();
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AllowEventsLayer {
    // Shared: axum applies layers anew for each request.
    config: Arc<Config>,
}

#[derive(Clone)]
struct Config {
    patterns: Vec<EventPattern>,
    allows: Option<Arc<Allows>>,
    allows_untyped: bool,
    refuses: bool,
}

type Allows = dyn Fn(&Delivery) -> bool + Send + Sync;

impl AllowEventsLayer {
    /// A layer for the events that at least one of these patterns means.
    ///
    /// # Errors
    ///
    /// [`ConfigError::InvalidValue`] if there is no pattern, or one that could never match or would match everything.
    pub fn new<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Result<Self, ConfigError> {
        let patterns: Vec<_> =
            patterns.into_iter().map(|pattern| EventPattern::new(pattern.as_ref())).collect::<Result<_, _>>()?;
        if patterns.is_empty() {
            return Err(ConfigError::invalid("event patterns", "[]", "would let no delivery through"));
        }
        Ok(Self::with(patterns, None))
    }

    /// A layer for the deliveries that this function allows, with or without an event type.
    ///
    /// ```
    /// use tower_webhook::layer::AllowEventsLayer;
    ///
    /// let layer = AllowEventsLayer::by(|delivery| delivery.event() != Some("ping"));
    /// ```
    pub fn by(allows: impl Fn(&Delivery) -> bool + Send + Sync + 'static) -> Self {
        Self::with(Vec::new(), Some(Arc::new(allows)))
    }

    /// Lets also those through that this function allows. Of several functions, the last one counts.
    pub fn or_if(mut self, allows: impl Fn(&Delivery) -> bool + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.config).allows = Some(Arc::new(allows));
        self
    }

    /// Lets also those through that have no event type, or an empty one.
    pub fn allow_untyped(mut self) -> Self {
        Arc::make_mut(&mut self.config).allows_untyped = true;
        self
    }

    /// Answers unwanted deliveries `403`, for senders that should know. Many of them try again for days, or give the endpoint up.
    pub fn refuse(mut self) -> Self {
        Arc::make_mut(&mut self.config).refuses = true;
        self
    }

    fn with(patterns: Vec<EventPattern>, allows: Option<Arc<Allows>>) -> Self {
        Self { config: Arc::new(Config { patterns, allows, allows_untyped: false, refuses: false }) }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("patterns", &self.patterns)
            .field("allows_untyped", &self.allows_untyped)
            .field("refuses", &self.refuses)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AllowEventsLayer {
    type Service = Guard<S, AllowEvents>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, AllowEvents(Arc::clone(&self.config)))
    }
}

/// The check of [`AllowEventsLayer`].
#[derive(Clone, Debug)]
pub struct AllowEvents(Arc<Config>);

impl AllowEvents {
    fn judge(&self, delivery: &Delivery) -> Result<(), Rejection> {
        let config = &*self.0;
        let is_allowed = match delivery.event().filter(|event| !event.is_empty()) {
            Some(event) => config.patterns.iter().any(|pattern| pattern.matches(event)),
            None => config.allows_untyped,
        };
        if is_allowed || config.allows.as_ref().is_some_and(|allows| allows(delivery)) {
            return Ok(());
        }
        Err(if config.refuses { Rejection::EventNotAllowed } else { Rejection::EventIgnored })
    }
}

impl<B: VerifiedBody> Check<B> for AllowEvents {
    type Out = Verified;
    type Future = Never<Verified>;

    fn check(&self, request: Request<B>) -> Step<Verified, Self::Future> {
        let request = request.map(B::into_verified);
        let judgement = self.judge(request.body().delivery());
        Step::judged(request, judgement)
    }
}

/// An event type, or the start of some.
#[derive(Clone, Debug)]
pub(super) enum EventPattern {
    Exact(Box<str>),
    /// With the separator.
    StartsWith(Box<str>),
}

impl EventPattern {
    pub(super) fn new(pattern: &str) -> Result<Self, ConfigError> {
        let invalid = |why| Err(ConfigError::invalid("event pattern", pattern, why));
        if pattern.is_empty() || pattern.trim() != pattern || pattern.contains(char::is_control) {
            return invalid("is empty, or has blanks around it or control characters in it");
        }
        let Some(start) = pattern.strip_suffix('*') else {
            return match pattern.contains('*') {
                true => invalid("`*` must be the last character"),
                false => Ok(Self::Exact(pattern.into())),
            };
        };
        match start.strip_suffix(['.', '/', ':']) {
            Some(segments) if !segments.is_empty() && !start.contains('*') => Ok(Self::StartsWith(start.into())),
            _ => invalid("`*` must stand once, at the end, after a segment and `.`, `/` or `:`"),
        }
    }

    pub(super) fn matches(&self, event: &str) -> bool {
        match self {
            Self::Exact(exact) => event == &**exact,
            Self::StartsWith(start) => event.len() > start.len() && event.starts_with(&**start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_whole_types_or_whole_segments() {
        for (pattern, matching, others) in [
            (
                "user.created",
                &["user.created"][..],
                &["user.created2", "USER.CREATED", "xuser.created", "user.created.", " user.created", "user", ""][..],
            ),
            (
                "user.*",
                &["user.created", "user.address.changed", "user.*", "user.."],
                &["userX", "user", "user.", "users.created", "User.created", "x.user.created", ""],
            ),
            ("orders/*", &["orders/create"], &["orders/", "orders.create", "order/create"]),
            ("a:b:*", &["a:b:c"], &["a:c", "a:b"]),
            ("push", &["push"], &["pushed", "Push"]),
        ] {
            let parsed = EventPattern::new(pattern).unwrap();
            for event in matching {
                assert!(parsed.matches(event), "{pattern} {event}");
            }
            for event in others {
                assert!(!parsed.matches(event), "{pattern} {event}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused_when_built() {
        for pattern in [
            "",
            " ",
            "*",
            ".*",
            "**",
            "user*",
            "user.**",
            "*.created",
            "u*r.created",
            "a.*.b",
            "a.*.*",
            "user.* ",
            "a\n",
        ] {
            assert!(AllowEventsLayer::new([pattern]).is_err(), "{pattern:?}");
        }
        assert!(AllowEventsLayer::new([""; 0]).is_err());
        assert!(AllowEventsLayer::new(["fine", "*"]).is_err());
    }
}
