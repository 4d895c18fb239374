//! Asana's secrets, which come with the first request.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::{HeaderName, HeaderValue, Method, StatusCode};
use zeroize::Zeroizing;

use crate::{
    Rejection,
    handshake::Alphabet,
    layer::Refusal,
    scheme::{Head, header_text},
};

const HOOK_SECRET: HeaderName = HeaderName::from_static("x-hook-secret");
const HOOK_SIGNATURE: HeaderName = HeaderName::from_static("x-hook-signature");

/// The secret of a webhook that is being created; nothing proves who sent it. See [`HandshakeLayer::asana`](super::HandshakeLayer::asana).
pub struct HookSecret {
    secret: Zeroizing<String>,
    target: Box<str>,
}

impl HookSecret {
    /// The secret, as text. The key of [`provider::ASANA`](crate::provider::ASANA) from now on.
    pub fn expose(&self) -> &str {
        &self.secret
    }

    /// Path and query that were called.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(…)")
    }
}

#[derive(Clone)]
pub(super) struct HookSecrets(Arc<Accept>);

type Accept = dyn Fn(HookSecret) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync;

impl HookSecrets {
    pub(super) fn new<F, Fut>(accept: F) -> Self
    where
        F: Fn(HookSecret) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        Self(Arc::new(move |secret| Box::pin(accept(secret))))
    }

    /// The secret that the request brings, if it does.
    ///
    /// # Errors
    ///
    /// If it brings two, or something that is none.
    pub(super) fn find(head: Head<'_>) -> Result<Option<HookSecret>, Rejection> {
        const LONGEST: usize = 256;
        if *head.method != Method::POST || head.headers.contains_key(HOOK_SIGNATURE) {
            return Ok(None);
        }
        let mut values = head.headers.get_all(HOOK_SECRET).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Rejection::DuplicateHeader { header: HOOK_SECRET });
        }
        let text = header_text(value).filter(|text| Alphabet::Token.spells(text.as_bytes(), LONGEST));
        let secret = Zeroizing::new(text.ok_or(Rejection::MalformedChallenge)?.to_owned());
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).into();
        Ok(Some(HookSecret { secret, target }))
    }

    /// The answer to it.
    pub(super) fn answer(&self, secret: HookSecret) -> impl Future<Output = Refusal> + Send + use<> {
        let echo = HeaderValue::from_str(&secret.secret);
        let accepted = (self.0)(secret);
        async move {
            match (accepted.await, echo) {
                (true, Ok(mut echo)) => {
                    echo.set_sensitive(true);
                    Refusal::answer(StatusCode::OK, "").header(HOOK_SECRET, echo)
                }
                _ => Rejection::UnexpectedHandshake.into(),
            }
        }
    }
}
