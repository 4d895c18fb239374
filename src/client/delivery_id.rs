use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    process,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use http::Request;

use crate::ConfigError;

/// The id of a delivery, by which its receiver knows it again.
///
/// In a request's extensions, it is the id that [`SignLayer`](super::SignLayer) signs; without it, the layer draws one. Schemes whose id is
/// in the body, such as Stripe's, do not look at it. The layer puts it into the extensions of the request that it sends and of the answer, if there is one.
///
/// ```
/// use tower_webhook::client::DeliveryId;
///
/// let mut request = http::Request::post("https://example.com/hook").body("{}")?;
/// request.extensions_mut().insert(DeliveryId::new("msg_p5jXN8AQM9LWM0D4loKWxJek")?);
///
/// assert!(DeliveryId::new("msg_1\r\nx-admin: yes").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryId(Arc<str>);

impl DeliveryId {
    /// An id that you have already, such as that of an event in a database. The scheme may allow fewer characters: the signer refuses what its
    /// receivers would.
    ///
    /// # Errors
    ///
    /// If it is empty, longer than 256 bytes, or of more than visible ASCII characters.
    pub fn new(id: impl AsRef<str>) -> Result<Self, ConfigError> {
        const MAX_ID: usize = 256;
        let id = id.as_ref();
        if !(1..=MAX_ID).contains(&id.len()) {
            return Err(ConfigError::invalid("delivery id", id.len(), "must have a length from 1 to 256 bytes"));
        }
        if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::invalid("delivery id", id.escape_debug(), "must be visible ASCII characters"));
        }
        Ok(Self(id.into()))
    }

    /// An id that was never given before: `msg_` and 32 hexadecimal digits. It is unique, but no secret.
    #[must_use]
    pub fn unique() -> Self {
        // Under two random keys of the system's. A process that was copied with them is told apart by its number, or by the time.
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let drawn = (NEXT.fetch_add(1, Ordering::Relaxed), process::id(), SystemTime::now());
        let [high, low] = [0, 1].map(|half: usize| KEYS[half].hash_one(drawn));
        Self(format!("msg_{high:016x}{low:016x}").into())
    }

    /// Gives the request an id if it has none, to stand outside layers that try again: see [the module](super#retries).
    #[must_use]
    pub fn assign<B>(mut request: Request<B>) -> Request<B> {
        request.extensions_mut().get_or_insert_with(Self::unique);
        request
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
