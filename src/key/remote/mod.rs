//! Keys that are fetched from their providers.

mod cache;
mod policy;

use std::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn, ready},
    ops::RangeInclusive,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT_ENCODING, AGE, CACHE_CONTROL, USER_AGENT},
};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use self::cache::{Answer, Cache, Document, Landed, Landing, Place, Step, Takeoff};
use super::{
    FoundKey, KeyError, KeyForm, KeyFuture, KeyQuery, KeySource, PublicKey,
    lookups::{Flight, Lookups, landed, lock},
};
use crate::clock::{Clock, SharedClock, UnixTime};

/// Fetches keys from their providers, and remembers them.
///
/// Nothing is fetched but by `https`, from the host that the scheme names or, where requests say where their certificate is, from the hosts
/// that it allows. Redirects are not followed, documents are read up to a limit, and what the answer says of its type is not believed.
///
/// Any number of requests that need the same keys cause one fetch. Keys are kept for as long as `Cache-Control` says, between one minute and
/// one day; an hour if it says nothing. They are renewed a little earlier, without letting anyone wait, and if they cannot be, the old ones go
/// on being used for up to a day. Failures are remembered for half a minute, refusals for one. An id that a key set does not hold makes the set be
/// fetched again at most once a minute, and until then requests that name it are asked to come again. So a stranger who invents ids and URLs causes few fetches, and pushes out no key that is in use.
///
/// How to fetch is for a Tower service to say. With the feature `fetch`, [`RemoteKeys::https`] does by itself:
///
/// ```
/// # #[cfg(feature = "fetch")] {
/// use std::time::Duration;
/// use tower_webhook::key::RemoteKeys;
///
/// let keys = RemoteKeys::https()?.timeout(Duration::from_secs(2));
/// # }
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// By a client of your own:
///
/// ```
/// use std::convert::Infallible;
/// use http::{Request, Response};
/// use tower::service_fn;
/// use tower_webhook::key::{NoBody, RemoteKeys};
///
/// let fetcher = service_fn(|request: Request<NoBody>| async move {
///     // Here it would be asked.
///     Ok::<_, Infallible>(Response::new(String::from(r#"{"keys":[]}"#)))
/// });
/// let keys = RemoteKeys::new(fetcher).max_size(16 * 1024);
/// ```
#[derive(Clone)]
#[must_use]
pub struct RemoteKeys {
    fetcher: Arc<dyn Fetch>,
    timeout: Duration,
    max_size: usize,
    #[cfg(feature = "x509")]
    roots: super::certificate::Roots,
    clock: SharedClock,
    cache: Arc<Mutex<Cache>>,
}

impl RemoteKeys {
    /// Fetches by this service: a client for HTTPS that checks certificates. It must not follow redirects, since nobody would judge where
    /// they lead.
    pub fn new<S, B>(fetcher: S) -> Self
    where
        S: Service<Request<NoBody>, Response = Response<B>, Future: Send> + Clone + Send + Sync + 'static,
        B: Body<Data: Send, Error: Send> + Send + 'static,
    {
        Self {
            fetcher: Arc::new(fetcher),
            timeout: Duration::from_secs(3),
            max_size: 64 * 1024,
            #[cfg(feature = "x509")]
            roots: super::certificate::Roots::default(),
            clock: SharedClock::default(),
            cache: Arc::new(Mutex::new(Cache::new(256))),
        }
    }

    /// Fetches with hyper and rustls, and trusts the authorities of the web.
    ///
    /// # Errors
    ///
    /// If there is no TLS to be had.
    #[cfg(feature = "fetch")]
    pub fn https() -> Result<Self, crate::ConfigError> {
        super::HttpsFetcher::new().map(Self::new)
    }

    /// Gives up on a fetch after this time, of which no single byte buys more. Three seconds unless said: providers wait for few more.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads no more than so many bytes, 64 KiB unless said.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// Remembers so many URLs, 256 unless said: one half for those that schemes name, one for those that requests choose. What was
    /// remembered before is forgotten.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.cache = Arc::new(Mutex::new(Cache::new(entries)));
        self
    }

    /// Believes certificates only if they lead to one of these, in PEM. What was remembered before is forgotten.
    ///
    /// Without, a certificate is believed for the host that it was fetched from, unless it is signed by itself.
    ///
    /// ```
    /// # #[cfg(feature = "fetch")] {
    /// use tower_webhook::key::RemoteKeys;
    ///
    /// # let pem = rcgen::generate_simple_self_signed(vec!["root.example".to_owned()]).unwrap().cert.pem();
    /// let keys = RemoteKeys::https()?.trust_roots(&pem)?;
    /// # }
    /// # Ok::<(), tower_webhook::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::MalformedKey`](crate::ConfigError::MalformedKey) if there is none, or anything else.
    #[cfg(feature = "x509")]
    pub fn trust_roots(mut self, pem: &str) -> Result<Self, crate::ConfigError> {
        self.roots = super::certificate::Roots::from_pem(pem)?;
        let entries = lock(&self.cache).max_entries();
        Ok(self.max_entries(entries))
    }

    /// Counts the age of keys by this clock.
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    fn take_off(&self, place: Place, uri: Uri, id: Option<Box<str>>, now: UnixTime, takeoff: Takeoff) {
        let flight = Flight::new(Fetching { keys: self.clone(), place }, takeoff);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return flight.land(Err(KeyError::Unavailable { why: "there is no Tokio runtime" }));
        };
        // In a task of its own: who asked first may leave before the others.
        runtime.spawn(async move {
            let Fetching { keys, place } = &flight.lookups;
            let fetch = keys.fetcher.fetch(uri, keys.max_size);
            let fetched = match tokio::time::timeout(keys.timeout, fetch).await {
                Err(_) => Err(KeyError::Unavailable { why: "the host takes too long" }),
                Ok(Err(failure)) => Err(failure),
                Ok(Ok((headers, text))) => {
                    keys.read(&place.form, id, &text, now).map(|document| (document, lifetime(&headers)))
                }
            };
            flight.land(match (fetched, &place.form) {
                // Requests name keys in the set; that there is a set, the scheme says.
                (Err(KeyError::Unknown), KeyForm::JwkSet) => {
                    Err(KeyError::Unavailable { why: "the key set is not there" })
                }
                (fetched, _) => fetched,
            });
        });
    }

    fn read(&self, form: &KeyForm, id: Option<Box<str>>, text: &[u8], now: UnixTime) -> Result<Document, KeyError> {
        match form {
            KeyForm::JwkSet => read_set(text),
            KeyForm::Pem => {
                let pem = str::from_utf8(text).ok().map(str::trim).filter(|text| text.starts_with("-----BEGIN "));
                let key = pem.and_then(|pem| PublicKey::parse(pem).ok());
                let key = key.ok_or(KeyError::Unavailable { why: "the answer is no public key in PEM" })?;
                Ok(Document { keys: Arc::new([FoundKey { key, id: id.map(Arc::from) }]), valid: ALWAYS })
            }
            KeyForm::Certificate { name, .. } => self.read_certificate(name, text, now),
        }
    }

    #[cfg(feature = "x509")]
    fn read_certificate(&self, name: &str, text: &[u8], now: UnixTime) -> Result<Document, KeyError> {
        let chain = super::certificate::pem_chain(text).map_err(|why| KeyError::Unavailable { why })?;
        let certified = super::certificate::certified(&chain, &self.roots, now, name)?;
        Ok(Document { keys: Arc::new([FoundKey { key: certified.key, id: None }]), valid: certified.valid })
    }

    #[cfg(not(feature = "x509"))]
    fn read_certificate(&self, _: &str, _: &[u8], _: UnixTime) -> Result<Document, KeyError> {
        Err(KeyError::Unavailable { why: "certificates need the feature `x509`" })
    }
}

impl KeySource for RemoteKeys {
    fn keys(&self, query: KeyQuery, now: UnixTime) -> KeyFuture {
        let uri = match policy::judge(&query) {
            Ok(uri) => uri,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let KeyQuery { url, id, form } = query;
        let place = Place { url, form };
        let at = self.clock.monotonic();
        let step = lock(&self.cache).ask(&place, id.as_deref(), now, at);
        match step {
            Step::Answer(answer) => Box::pin(ready(answer)),
            Step::Renew(answer, takeoff) => {
                self.take_off(place, uri, id, now, takeoff);
                Box::pin(ready(answer))
            }
            Step::Wait(landing) => Box::pin(wait(landing, id, now)),
            Step::Fetch(takeoff, landing) => {
                self.take_off(place, uri, id.clone(), now, takeoff);
                Box::pin(wait(landing, id, now))
            }
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("timeout", &self.timeout)
            .field("max_size", &self.max_size)
            .finish_non_exhaustive()
    }
}

/// The body of requests for keys: they have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBody;

impl Body for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

const ALWAYS: RangeInclusive<UnixTime> = UnixTime::from_secs(0)..=UnixTime::from_millis(u64::MAX);

/// What a fetch is for.
struct Fetching {
    keys: RemoteKeys,
    place: Place,
}

impl Lookups for Fetching {
    type Found = Result<(Document, Duration), KeyError>;
    type Landed = Landed;

    fn land(&self, fetched: Self::Found) -> Landed {
        let at = self.keys.clock.monotonic();
        lock(&self.keys.cache).land(&self.place, fetched, at)
    }

    fn broken_off() -> Self::Found {
        Err(KeyError::Unavailable { why: BROKEN_OFF })
    }
}

const BROKEN_OFF: &str = "the fetch broke off";

async fn wait(landing: Landing, id: Option<Box<str>>, now: UnixTime) -> Answer {
    match landed(landing).await {
        Some(landed) => landed.answer(id.as_deref(), now),
        None => Err(KeyError::Unavailable { why: BROKEN_OFF }),
    }
}

/// The service that fetches, whatever its type.
trait Fetch: Send + Sync {
    fn fetch(&self, uri: Uri, max_size: usize) -> Fetched;
}

type Fetched = Pin<Box<dyn Future<Output = Result<(HeaderMap, Vec<u8>), KeyError>> + Send>>;

impl<S, B> Fetch for S
where
    S: Service<Request<NoBody>, Response = Response<B>, Future: Send> + Clone + Send + Sync + 'static,
    B: Body<Data: Send, Error: Send> + Send + 'static,
{
    fn fetch(&self, uri: Uri, max_size: usize) -> Fetched {
        let mut service = self.clone();
        Box::pin(async move {
            let unreachable = |why| KeyError::Unavailable { why };
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(|_| unreachable("the client is not ready"))?;
            let asking = service.call(request(uri));
            let (head, body) = asking.await.map_err(|_| unreachable("the host cannot be asked"))?.into_parts();
            match head.status {
                StatusCode::OK => Ok((head.headers, read(body, max_size).await?)),
                StatusCode::NOT_FOUND | StatusCode::GONE => Err(KeyError::Unknown),
                status if status.is_redirection() => Err(unreachable("the host sends elsewhere")),
                _ => Err(unreachable("the host answers with an error")),
            }
        })
    }
}

fn request(uri: Uri) -> Request<NoBody> {
    const AGENT: HeaderValue = HeaderValue::from_static(concat!("tower-webhook/", env!("CARGO_PKG_VERSION")));
    let mut request = Request::new(NoBody);
    *request.uri_mut() = uri;
    request.headers_mut().insert(USER_AGENT, AGENT);
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    request
}

/// What is announced may refuse a body, but reserves no memory.
async fn read<B: Body>(body: B, max_size: usize) -> Result<Vec<u8>, KeyError> {
    const TOO_LARGE: KeyError = KeyError::Unavailable { why: "the answer is too large" };
    let mut body = pin!(body);
    if body.size_hint().lower() > max_size as u64 {
        return Err(TOO_LARGE);
    }
    let mut text = Vec::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| KeyError::Unavailable { why: "the answer breaks off" })?;
        let Ok(mut data) = frame.into_data() else { continue };
        if data.remaining() > max_size - text.len() {
            return Err(TOO_LARGE);
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            text.extend_from_slice(chunk);
            let length = chunk.len();
            data.advance(length);
        }
    }
    Ok(text)
}

#[cfg(all(feature = "jwt", feature = "_public-key"))]
fn read_set(text: &[u8]) -> Result<Document, KeyError> {
    match super::jwk_set(text) {
        Ok(keys) if keys.is_empty() => Err(KeyError::Unavailable { why: "the key set holds no key that can be used" }),
        Ok(keys) => Ok(Document { keys: keys.into(), valid: ALWAYS }),
        Err(_) => Err(KeyError::Unavailable { why: "the answer is no JSON Web Key Set" }),
    }
}

#[cfg(not(all(feature = "jwt", feature = "_public-key")))]
fn read_set(_: &[u8]) -> Result<Document, KeyError> {
    Err(KeyError::Unavailable { why: "key sets need the feature `jwt`, and one for the kind of the keys" })
}

/// For how long an answer counts (RFC 9111 section 4.2), as far as it says: `max-age`, less the time that it spent in caches on the way.
fn lifetime(headers: &HeaderMap) -> Duration {
    const DEFAULT: Duration = Duration::from_secs(60 * 60);
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let mut lifetime = None;
    for directive in directives.flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        let age = match seconds(value.trim().trim_matches('"')) {
            _ if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") => Duration::ZERO,
            Some(age) if name.eq_ignore_ascii_case("max-age") => age,
            _ => continue,
        };
        lifetime = Some(lifetime.map_or(age, |shortest: Duration| shortest.min(age)));
    }
    let age = headers.get(AGE).and_then(|age| seconds(age.to_str().ok()?.trim())).unwrap_or_default();
    lifetime.map_or(DEFAULT, |lifetime| lifetime.saturating_sub(age))
}

fn seconds(digits: &str) -> Option<Duration> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // What does not fit is longer than anything else.
    plain.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_as_long_as_it_says() {
        for (control, age, expected) in [
            (&[][..], None, 3600),
            (&["max-age=300"], None, 300),
            (&["public, MAX-AGE=300, must-revalidate"], None, 300),
            (&["max-age=\"300\""], None, 300),
            (&["max-age = 300"], None, 300),
            (&["max-age=300", "max-age=200"], None, 200),
            (&["max-age=300, no-cache"], None, 0),
            (&["no-store"], None, 0),
            (&["max-age=0"], None, 0),
            (&["max-age=-1"], None, 3600),
            (&["max-age"], None, 3600),
            (&["max-age="], None, 3600),
            (&["max-age=1e3"], None, 3600),
            (&["s-maxage=5"], None, 3600),
            (&["x-max-age=5"], None, 3600),
            (&["max-age=300"], Some("100"), 200),
            (&["max-age=300"], Some("400"), 0),
            (&["max-age=300"], Some("soon"), 300),
            (&["max-age=99999999999999999999999999"], None, u64::MAX),
        ] {
            let mut headers = HeaderMap::new();
            for line in control {
                headers.append(CACHE_CONTROL, HeaderValue::from_static(line));
            }
            if let Some(age) = age {
                headers.insert(AGE, HeaderValue::from_static(age));
            }
            assert_eq!(lifetime(&headers), Duration::from_secs(expected), "{control:?}, {age:?}");
        }
    }
}
