use std::{
    error::Error,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, Uri,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{DeliveryId, SignError, Signed, collect::Collect};
use crate::{
    ConfigError,
    client_addr::Origin,
    clock::{Clock, SharedClock},
    scheme::{Outgoing, Signer},
};

type BoxError = Box<dyn Error + Send + Sync>;

/// Signs requests before they are sent.
///
/// The body is read to its end, signed, and sent on as [`Signed`]: bytes go in, so what is signed is what is sent. The time is that of
/// the attempt, and the id the request's [`DeliveryId`], or a fresh one; [retries](super#retries) keep it.
///
/// ```
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
/// use tower_webhook::{client::{SignLayer, Signed}, provider};
///
/// // The newest secret first: receivers may change over from one to the next.
/// let signer = provider::STRIPE.signer(["whsec_new", "whsec_old"])?;
/// let client = ServiceBuilder::new()
///     .layer(SignLayer::new(signer).max_body(64 * 1024))
///     .service(Client::builder(TokioExecutor::new()).build_http::<Signed>());
/// # let _ = client;
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// Services that take no body but their own are given that one, if it can be made [from `Signed`](Self::into_body). Around tonic's `Channel`
/// (feature `tonic`), the stack is what generated clients take:
///
/// ```
/// # #[cfg(feature = "tonic")]
/// # fn with_tonic(
/// #     scheme: tower_webhook::scheme::Scheme<'_>,
/// #     channel: tonic::transport::Channel,
/// # ) -> Result<(), tower_webhook::ConfigError> {
/// use tower::ServiceBuilder;
/// use tower_webhook::client::SignLayer;
///
/// let signer = scheme.signer("a secret shared with the server")?;
/// let channel = ServiceBuilder::new()
///     .layer(SignLayer::new(signer).into_body::<tonic::body::Body>())
///     .service(channel);
/// # let _ = channel;
/// # Ok(())
/// # }
/// ```
///
/// A message that is streamed is not sent until it has come to its end.
///
/// # What it does to the request
///
/// * The headers that the signature sets (signature, and with some schemes timestamp and id) are added. One that is there already is refused:
///   who set it meant something else to be sent, and a receiver that finds two refuses both.
/// * A `Content-Length` must be that of the body, or it is refused; `Transfer-Encoding` is removed, as the body is whole now.
/// * Trailers are refused, as no scheme signs them.
/// * Everything else is as it was. What the scheme does not sign, somebody on the way may change.
///
/// # Errors
///
/// The service's own errors, as they are, and [`SignError`]; both boxed, as Tower's own layers for clients do it. A layer for servers must
/// leave the error type alone, because it can answer; one for clients has nobody to answer for.
#[must_use]
pub struct SignLayer<Out = Signed> {
    config: Arc<Config>,
    out: PhantomData<fn() -> Out>,
}

#[derive(Clone, Debug)]
struct Config {
    signer: Signer,
    origin: Option<Box<str>>,
    max_body: usize,
    clock: SharedClock,
}

impl SignLayer {
    /// The largest body that is signed, in bytes, unless said otherwise: 16 MiB.
    pub const DEFAULT_MAX_BODY: usize = 16 * 1024 * 1024;

    /// A layer that signs by the system's clock.
    pub fn new(signer: Signer) -> Self {
        let max_body = Self::DEFAULT_MAX_BODY;
        let config = Config { signer, origin: None, max_body, clock: SharedClock::default() };
        Self { config: Arc::new(config), out: PhantomData }
    }
}

impl<Out> SignLayer<Out> {
    /// Sends another body, for services that take no other: `tonic::body::Body`, `axum::body::Body`, [`Bytes`], or one of yours that
    /// is made of [`Signed`].
    pub fn into_body<New: From<Signed>>(self) -> SignLayer<New> {
        SignLayer { config: self.config, out: PhantomData }
    }

    /// Scheme, host and perhaps port of the receiver, as it knows itself: `https://hooks.example.com`. The URL that is signed is this with the request's path and query.
    ///
    /// For schemes that sign the URL, where requests have only a path, or go somewhere else first. Without it, the URL is the request's own.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        if Origin::parse(origin).is_none() {
            return Err(ConfigError::invalid("origin", origin, "must be a scheme, a host and perhaps a port"));
        }
        self.config_mut().origin = Some(origin.into());
        Ok(self)
    }

    /// The largest body that is signed, in bytes. [16 MiB](SignLayer::DEFAULT_MAX_BODY) by default.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.config_mut().max_body = bytes;
        self
    }

    /// Asks another clock for the time of signing.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.config_mut().clock = SharedClock::new(clock);
        self
    }

    fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }
}

impl<S, Out> Layer<S> for SignLayer<Out> {
    type Service = Sign<S, Out>;

    fn layer(&self, inner: S) -> Self::Service {
        Sign { inner, config: Arc::clone(&self.config), out: PhantomData }
    }
}

/// The service of [`SignLayer`].
#[must_use]
pub struct Sign<S, Out = Signed> {
    inner: S,
    config: Arc<Config>,
    out: PhantomData<fn() -> Out>,
}

impl<S, B, Out, ResBody> Service<Request<B>> for Sign<S, Out>
where
    B: Body<Error: Into<BoxError>>,
    Out: From<Signed>,
    S: Service<Request<Out>, Response = Response<ResBody>, Error: Into<BoxError>> + Clone,
{
    type Response = Response<ResBody>;
    type Error = BoxError;
    type Future = SignFuture<S, B, S::Future, Out>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        // The one that was made ready is called once the body is here, and its clone is made ready for the next request.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let state = State::Reading {
            read: Collect::new(body, self.config.max_body),
            waiting: Some(Waiting { inner, head, config: Arc::clone(&self.config) }),
        };
        SignFuture { state, out: PhantomData }
    }
}

pin_project! {
    /// The future of [`Sign`].
    pub struct SignFuture<S, B, F, Out = Signed> {
        #[pin]
        state: State<S, B, F>,
        out: PhantomData<fn() -> Out>,
    }
}

pin_project! {
    #[project = Project]
    enum State<S, B, F> {
        Reading { #[pin] read: Collect<B>, waiting: Option<Waiting<S>> },
        Calling { #[pin] called: F, id: DeliveryId },
    }
}

/// What waits for the body.
struct Waiting<S> {
    inner: S,
    head: Parts,
    config: Arc<Config>,
}

impl<S, B, Out, ResBody> Future for SignFuture<S, B, S::Future, Out>
where
    B: Body<Error: Into<BoxError>>,
    Out: From<Signed>,
    S: Service<Request<Out>, Response = Response<ResBody>, Error: Into<BoxError>>,
{
    type Output = Result<Response<ResBody>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                Project::Reading { read, waiting } => {
                    let body = ready!(read.poll(cx));
                    // A `None` is a future that was ready before and is polled again, which no executor does.
                    let Some(Waiting { mut inner, mut head, config }) = waiting.take() else { return Poll::Pending };
                    let body = body?;
                    let id = config.sign(&mut head, &body)?;
                    State::Calling { called: inner.call(Request::from_parts(head, Signed::new(body).into())), id }
                }
                Project::Calling { called, id } => {
                    let mut response = ready!(called.poll(cx)).map_err(Into::into)?;
                    response.extensions_mut().insert(id.clone());
                    return Poll::Ready(Ok(response));
                }
            };
            state.set(next);
        }
    }
}

impl Config {
    /// Signs the request, and says under which id.
    fn sign(&self, head: &mut Parts, body: &Bytes) -> Result<DeliveryId, SignError> {
        if let Some(header) = self.signer.headers().find(|header| head.headers.contains_key(header)) {
            return Err(SignError::HeaderTaken { header });
        }
        head.headers.remove(TRANSFER_ENCODING);
        let length = HeaderValue::from(body.len());
        if head.headers.get_all(CONTENT_LENGTH).iter().any(|announced| *announced != length) {
            return Err(SignError::WrongLength);
        }
        if head.headers.contains_key(CONTENT_LENGTH) {
            // Once, however often it was there.
            head.headers.insert(CONTENT_LENGTH, length);
        }
        let id = head.extensions.get_or_insert_with(DeliveryId::unique).clone();
        let made = self.signer.sign(&Outgoing {
            method: &head.method,
            url: &self.url(&head.uri)?,
            headers: Some(&head.headers),
            id: Some(id.as_str()),
            now: self.clock.now().map_err(SignError::Clock)?,
            body,
        })?;
        head.headers.extend(made);
        Ok(id)
    }

    /// The URL as the receiver knows it.
    fn url(&self, uri: &Uri) -> Result<String, SignError> {
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        match &self.origin {
            Some(origin) => Ok(format!("{origin}{target}")),
            None if uri.scheme().is_some() && uri.authority().is_some() => Ok(uri.to_string()),
            // Of schemes that do not sign the rest, nobody asks for it.
            None if !self.signer.signs_url() => Ok(target.to_owned()),
            None => Err(SignError::UnknownOrigin),
        }
    }
}

// By hand, as derives would ask the same of `Out`.

impl<Out> Clone for SignLayer<Out> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config), out: PhantomData }
    }
}

impl<Out> fmt::Debug for SignLayer<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignLayer").field(&self.config).finish()
    }
}

impl<S: Clone, Out> Clone for Sign<S, Out> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), config: Arc::clone(&self.config), out: PhantomData }
    }
}

impl<S: fmt::Debug, Out> fmt::Debug for Sign<S, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sign").field("inner", &self.inner).field("config", &self.config).finish()
    }
}

impl<S, B, F, Out> fmt::Debug for SignFuture<S, B, F, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignFuture")
    }
}
