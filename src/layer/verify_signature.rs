use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderName, Request, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;

use super::{
    Check, Choice, ChoiceFuture, Guard, Refusal, Step, VerifierSource, authentic::Authentic, limits::limit_methods,
    verifiers::SharedSource,
};
use crate::{
    ConfigError, Delivery, Rejection, Tls, TrustedProxies,
    body::{BodyBudget, Buffered, ContentCoding, Limits, ReadBody, Verified},
    client_addr::{Origin, Said, own_host, peer},
    clock::{Clock, SharedClock, UnixTime},
    framework,
    observe::{Record, Stage, TraceContext},
    scheme::{Head, Verification, Verifier},
};

/// Lets only requests through whose signature is good, and reads their bodies to do so.
///
/// What the head alone tells (method, announced length, codings, missing or malformed headers, a stale time) is
/// judged before a byte of the body is read. Bodies are hashed as they arrive and kept within the bounds of
/// [`BufferBodyLayer`](super::BufferBodyLayer), but with the provider's own size; one that came in a single frame is handed on as it came.
///
/// The body that it hands on is [`Verified`] and carries the [`Delivery`](crate::Delivery), of which a copy is in the request's extensions.
///
/// ```
/// use tower_webhook::{layer::VerifySignatureLayer, provider};
///
/// let layer = VerifySignatureLayer::new(provider::SLACK.verifier("8f742231b10e8888abcd99yyyzzz85a5")?)
///     .max_body(256 * 1024);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// Whose keys count may depend on the request, see [`VerifierSource`].
///
/// # Panics
///
/// Requests whose body is not there at once panic outside a Tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifySignatureLayer {
    // Shared: axum applies layers anew for each request.
    config: Arc<Config>,
}

#[derive(Clone, Debug)]
struct Config {
    source: SharedSource,
    origins: Option<PublicOrigins>,
    limits: Limits,
    clock: SharedClock,
    /// Headers that no log must show.
    secret_headers: Arc<[HeaderName]>,
}

impl VerifySignatureLayer {
    /// A layer with the default bounds and the system's clock, for a [`Verifier`] or a [source](VerifierSource) of several.
    pub fn new(source: impl VerifierSource) -> Self {
        Self::of(SharedSource::new(source))
    }

    pub(super) fn of(source: SharedSource) -> Self {
        let limits = Limits::new(source.largest_body());
        let secret_headers = source.secret_headers().into();
        let config = Config { source, origins: None, limits, clock: SharedClock::default(), secret_headers };
        Self { config: Arc::new(config) }
    }

    pub(super) fn secret_headers(&self) -> &[HeaderName] {
        &self.config.secret_headers
    }

    /// The name of the only scheme by which requests are judged.
    pub(super) fn only_provider(&self) -> Option<Arc<str>> {
        self.config.source.only_provider()
    }

    /// Asks another clock whether requests are fresh.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        Arc::make_mut(&mut self.config).clock = SharedClock::new(clock);
        self
    }

    /// Takes the origin that the sender called from what trusted proxies say, for schemes that sign the URL: for servers with several
    /// names. See [how proxies say so](TrustedProxies#protocol-and-host); where they do not speak of the host, it is the request's own.
    ///
    /// It must be one of these `origins`, written as for [`public_origin`](crate::scheme::VerifierBuilder::public_origin), or the answer is
    /// 421. Requests from elsewhere were sent to the verifier's own origin, whatever they say. With all of them, a host that is missing or
    /// ambiguous is refused with 400, whatever the scheme, and without a peer the answer is `500`.
    ///
    /// ```
    /// use tower_webhook::{
    ///     ForwardingHeader, TrustedProxies, layer::VerifySignatureLayer, provider, scheme::Verifier,
    /// };
    ///
    /// let square = Verifier::builder(provider::SQUARE).public_origin("https://a.example").build("signature key")?;
    /// let proxies = TrustedProxies::networks(["10.0.0.0/8"], ForwardingHeader::XForwardedFor)?;
    /// let layer = VerifySignatureLayer::new(square)
    ///     .public_origin_from(proxies, ["https://a.example", "https://b.example"])?;
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no origin; if one is none, or stands there twice; if a verifier has a whole public URL.
    pub fn public_origin_from(
        mut self,
        proxies: TrustedProxies,
        origins: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ConfigError> {
        let origins = PublicOrigins::new(self.config.source.examples(), proxies, origins)?;
        Arc::make_mut(&mut self.config).origins = Some(origins);
        Ok(self)
    }

    limit_methods!();

    /// Also verifies bodies in these codings, as they were sent: for providers that sign what they have encoded. None by default.
    ///
    /// They go on encoded; `DecodeBodyLayer`, inside this one, decodes them. No scheme signs which coding it is.
    pub fn allow_content_codings(mut self, codings: impl IntoIterator<Item = ContentCoding>) -> Self {
        self.limits_mut().codings = codings.into_iter().collect();
        self
    }

    pub(super) fn check(&self) -> VerifySignature {
        VerifySignature(Arc::clone(&self.config))
    }

    /// The longest time in which the same signature is accepted.
    pub(super) fn longest_acceptance(&self) -> Duration {
        self.config.source.longest_acceptance()
    }

    /// # Errors
    ///
    /// If a bound would refuse every request.
    pub(super) fn check_limits(&self) -> Result<(), ConfigError> {
        self.config.limits.check()
    }

    fn limits_mut(&mut self) -> &mut Limits {
        &mut Arc::make_mut(&mut self.config).limits
    }
}

impl<S> Layer<S> for VerifySignatureLayer {
    type Service = Guard<S, VerifySignature>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, self.check())
    }
}

/// The check of [`VerifySignatureLayer`].
#[derive(Clone, Debug)]
pub struct VerifySignature(Arc<Config>);

impl VerifySignature {
    fn begin(&self, head: &Parts, body: &impl Body) -> Result<Progress, Rejection> {
        let Config { source, origins, limits, clock, .. } = &*self.0;
        source.check_method(&head.method)?;
        let origin = match origins {
            Some(origins) => origins.named_for(head)?,
            None => None,
        };
        limits.check_method(head)?;
        limits.check_head(&head.headers, body)?;
        let now = clock.now().map_err(|_| Rejection::ClockUnavailable)?;
        match source.choose(head, now) {
            Choice::Now(chosen) => Progress::begin(&self.at(origin, chosen?)?, head, now),
            Choice::Later(choice) if origin.is_none() => Ok(Progress::choosing(choice, head, now)),
            Choice::Later(choice) => {
                let this = self.clone();
                let choice = Box::pin(async move { this.at(origin, choice.await?) });
                Ok(Progress::choosing(choice, head, now))
            }
        }
    }

    /// The verifier for requests that were sent to the origin of this number, or to its own.
    fn at(&self, origin: Option<usize>, chosen: Verifier) -> Result<Verifier, Rejection> {
        match (&self.0.origins, origin) {
            (Some(origins), Some(origin)) => origins.at(origin, &chosen),
            _ => Ok(chosen),
        }
    }
}

/// The origins that trusted proxies choose from.
#[derive(Clone, Debug)]
struct PublicOrigins {
    proxies: TrustedProxies,
    origins: Vec<Box<str>>,
    /// Verifiers that are known beforehand, and each of them at each origin.
    ready: Vec<(Verifier, Vec<Verifier>)>,
}

impl PublicOrigins {
    fn new(
        verifiers: &[Verifier],
        proxies: TrustedProxies,
        origins: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ConfigError> {
        const WHAT: &str = "public origin";
        let mut this = Self { proxies, origins: Vec::new(), ready: Vec::new() };
        for origin in origins {
            let origin = origin.as_ref();
            // Says better what is wrong with it.
            verifiers.iter().try_for_each(|verifier| verifier.at_origin(origin).map(drop))?;
            match Origin::parse(origin) {
                None => return Err(ConfigError::invalid(WHAT, origin, "must be a scheme, a host and perhaps a port")),
                Some(parsed) if this.position(parsed).is_some() => {
                    return Err(ConfigError::invalid(WHAT, origin, "is named twice"));
                }
                Some(_) => this.origins.push(origin.into()),
            }
        }
        if this.origins.is_empty() {
            return Err(ConfigError::invalid("public origins", "[]", "none is named"));
        }
        // Who does not exist must take the same way as who does, and is not known beforehand.
        for verifier in verifiers.iter().filter(|verifier| !verifier.is_decoy()) {
            let at_each = this.origins.iter().map(|origin| verifier.at_origin(origin)).collect::<Result<_, _>>()?;
            this.ready.push((verifier.clone(), at_each));
        }
        Ok(this)
    }

    /// The number of the origin that trusted proxies name; none, if the peer is no trusted proxy.
    fn named_for(&self, head: &Parts) -> Result<Option<usize>, Rejection> {
        let own_host = own_host(head)?;
        let Some(arrival) = self.proxies.arrival(peer(&head.extensions)?, &head.headers) else { return Ok(None) };
        let host = match arrival.host {
            Said::Nothing => own_host,
            Said::Text(host) => host,
            Said::Unclear => return Err(Rejection::Misdirected),
        };
        let Said::Text(proto) = arrival.proto else { return Err(Rejection::Misdirected) };
        let origin = Origin::new(proto, host);
        origin.and_then(|origin| self.position(origin)).map(Some).ok_or(Rejection::Misdirected)
    }

    fn position(&self, origin: Origin<'_>) -> Option<usize> {
        self.origins.iter().position(|known| Origin::parse(known) == Some(origin))
    }

    fn at(&self, origin: usize, chosen: &Verifier) -> Result<Verifier, Rejection> {
        if let Some((_, at_each)) = self.ready.iter().find(|(verifier, _)| verifier.is(chosen))
            && let Some(verifier) = at_each.get(origin)
        {
            return Ok(verifier.clone());
        }
        let origin = self.origins.get(origin).map(|origin| chosen.at_origin(origin));
        let why = "a verifier has a whole public URL, beside `public_origin_from`";
        origin.and_then(Result::ok).ok_or(Rejection::Misconfigured { why })
    }
}

impl<B: Body> Check<B> for VerifySignature {
    type Out = Verified;
    type Future = VerifySignatureFuture<B>;

    fn check(&self, request: Request<B>) -> Step<Verified, Self::Future> {
        let (mut head, body) = request.into_parts();
        hide(&mut head.headers, &self.0.secret_headers);
        match self.begin(&head, &body) {
            Ok(progress) => Step::Later(VerifySignatureFuture {
                read: ReadBody::new(body, &self.0.limits).unary(&head.headers),
                progress,
                clock: self.0.clock.clone(),
                head: Some(head),
            }),
            Err(rejection) => Step::Now(Err(Refusal::from(rejection).reusing(head))),
        }
    }
}

pin_project! {
    /// The future of [`VerifySignature`].
    pub struct VerifySignatureFuture<B> {
        #[pin]
        read: ReadBody<B>,
        progress: Progress,
        clock: SharedClock,
        head: Option<Parts>,
    }
}

/// How far the judgement of a request has come.
#[expect(clippy::large_enum_variant, reason = "the large one is that of nearly all requests")]
enum Progress {
    /// Whose keys count is being looked up.
    Choosing(ChoiceFuture, UnixTime),
    Reading(Verification, FindKeys),
}

impl Progress {
    fn choosing(choice: ChoiceFuture, head: &Parts, now: UnixTime) -> Self {
        if let Some(record) = Record::of(&head.extensions) {
            record.enter(Stage::Verify);
        }
        Self::Choosing(choice, now)
    }

    fn begin(verifier: &Verifier, head: &Parts, now: UnixTime) -> Result<Self, Rejection> {
        let record = Record::of(&head.extensions);
        if let Some(record) = record {
            record.judged_by(verifier.shared_provider());
        }
        let verification = verifier.begin(signed_head(head), now)?;
        let keys = FindKeys::of_head(&verification, signed_head(head))?;
        if let Some(record) = record {
            record.enter(if keys.come_first() { Stage::Verify } else { Stage::Body });
        }
        Ok(Self::Reading(verification, keys))
    }

    /// Reads the body, and judges when it is there.
    fn poll<B: Body>(
        &mut self,
        head: &Parts,
        read: Pin<&mut ReadBody<B>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Buffered, Delivery), Rejection>> {
        let record = Record::of(&head.extensions);
        if let Self::Choosing(choice, now) = self {
            let now = *now;
            *self = Self::begin(&ready!(choice.as_mut().poll(cx))?, head, now)?;
        }
        let Self::Reading(verification, keys) = self else { return Poll::Pending };
        let body = ready!(keys.poll(verification, signed_head(head), read, record, cx))?;
        let delivery = verification.judge(signed_head(head), body.bytes())?;
        let delivery = delivery.with_client_certificate(Tls::shared_client_certificate(&head.extensions));
        Poll::Ready(Ok((body, delivery)))
    }
}

impl<B: Body> Future for VerifySignatureFuture<B> {
    type Output = Result<Request<Verified>, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let judged = match &*this.head {
            Some(head) => ready!(this.progress.poll(head, this.read, cx)),
            None => return Poll::Pending,
        };
        let Some(head) = this.head.take() else { return Poll::Pending };
        Poll::Ready(match judged {
            Ok((body, delivery)) => {
                let mut request = Request::from_parts(head, Verified::new(body, delivery.clone(), this.clock.clone()));
                note_genuine(&mut request, &delivery);
                request.extensions_mut().insert(delivery);
                framework::vouch_for_length(&mut request);
                Authentic::prove(request.extensions());
                Ok(request)
            }
            Err(rejection) => Err(Refusal::from(rejection).reusing(head)),
        })
    }
}

#[cfg(not(feature = "_public-key"))]
use only_configured::FindKeys;

#[cfg(feature = "_public-key")]
use super::find_keys::FindKeys;

/// Without public keys, none are found elsewhere.
#[cfg(not(feature = "_public-key"))]
mod only_configured {
    use super::{Arc, Buffered, Context, Head, Pin, Poll, ReadBody, Record, Rejection, Verification, read_body};

    #[derive(Debug)]
    pub(super) struct FindKeys;

    impl FindKeys {
        pub(super) fn of_head(_: &Verification, _: Head<'_>) -> Result<Self, Rejection> {
            Ok(Self)
        }

        pub(super) fn poll<B: http_body::Body>(
            &mut self,
            verification: &mut Verification,
            _: Head<'_>,
            read: Pin<&mut ReadBody<B>>,
            record: Option<&Arc<Record>>,
            cx: &mut Context<'_>,
        ) -> Poll<Result<Buffered, Rejection>> {
            read_body(verification, read, record, cx)
        }

        pub(super) fn come_first(&self) -> bool {
            false
        }
    }
}

/// Reads and hashes the body, and writes down when it is there.
pub(super) fn read_body<B: Body>(
    verification: &mut Verification,
    read: Pin<&mut ReadBody<B>>,
    record: Option<&Arc<Record>>,
    cx: &mut Context<'_>,
) -> Poll<Result<Buffered, Rejection>> {
    let body = ready!(read.poll_read(cx, |chunk| verification.update(chunk)))?;
    if let Some(record) = record {
        record.has_body(body.bytes().len());
    }
    Poll::Ready(Ok(body))
}

/// Writes down whose delivery it is, and to which trace it belongs: only now is there somebody to believe.
fn note_genuine(request: &mut Request<Verified>, delivery: &Delivery) {
    let Some(record) = Record::of(request.extensions()) else { return };
    let trace_context = TraceContext::of(request.headers());
    record.is_genuine(delivery, trace_context);
    if let Some(trace_context) = trace_context {
        request.extensions_mut().insert(trace_context);
    }
}

/// Marks headers as what no log must show.
pub(super) fn hide(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        let Some(value) = headers.get_mut(name) else { continue };
        value.set_sensitive(true);
        if headers.get_all(name).iter().nth(1).is_some() {
            let all = headers.iter_mut().filter(|(other, _)| *other == name);
            all.for_each(|(_, value)| value.set_sensitive(true));
        }
    }
}

/// The head as it was signed: with the target that the sender called, not what is left of it in a nested router.
pub(super) fn signed_head(head: &Parts) -> Head<'_> {
    Head { uri: framework::original_uri(&head.extensions).unwrap_or(&head.uri), ..Head::from(head) }
}

impl<B> fmt::Debug for VerifySignatureFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifySignatureFuture")
    }
}
