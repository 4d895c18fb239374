//! What is known of an admitted webhook.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::{
    clock::UnixTime,
    scheme::{Pointer, Repeats, Retries, TimestampFormat, Tolerance, find_in_json, header_text},
    store::ReplayKey,
};

/// What was proven about a request: who sent it, which key matched, when it was signed, which delivery it is.
///
/// Only verification makes one, so holding it is proof that the signature was good. Layers inside verification find it in the body
/// ([`Verified::delivery`](crate::body::Verified::delivery)), handlers in the request's extensions.
///
/// ```
/// # use tower_webhook::{clock::UnixTime, provider, scheme::Head};
/// # let verifier = provider::GITHUB.verifier("It's a Secret to Everybody")?;
/// # let (head, body) = http::Request::post("/github")
/// #     .header("x-github-event", "push")
/// #     .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
/// #     .header("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
/// #     .body("Hello, World!".into())?.into_parts();
/// # let now = UnixTime::from_secs(1_800_000_000);
/// let delivery = verifier.verify(Head::from(&head), &body, now)?;
/// assert_eq!(delivery.provider(), "github");
/// assert_eq!(delivery.event(), Some("push"));
/// assert!(!delivery.event_is_signed(), "GitHub signs nothing but the body");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Proven>);

#[derive(Clone)]
pub(crate) struct Proven {
    pub(crate) provider: Arc<str>,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) key_index: usize,
    pub(crate) key_id: Option<Arc<str>>,
    pub(crate) signed_at: Option<SignedAt>,
    pub(crate) id: Claim,
    pub(crate) event: Claim,
    pub(crate) identity: Identity,
    pub(crate) repeats: Repeats,
    pub(crate) retries: Retries,
    pub(crate) client_certificate: Option<Arc<str>>,
}

/// A signed time, and what it takes to judge it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedAt {
    pub(crate) time: UnixTime,
    pub(crate) format: TimestampFormat,
    pub(crate) tolerance: Tolerance,
}

/// What makes a delivery the same as an earlier one.
#[derive(Clone)]
pub(crate) enum Identity {
    /// The delivery id, which is signed.
    SignedId,
    /// A digest of the signed bytes.
    Digest([u8; 32]),
}

/// Something the request says of itself.
#[derive(Clone, Default)]
pub(crate) struct Claim {
    pub(crate) text: ClaimText,
    pub(crate) is_signed: bool,
}

#[derive(Clone, Default)]
pub(crate) enum ClaimText {
    #[default]
    None,
    Header(HeaderValue),
    Text(Text),
    /// Looked up when somebody asks: most handlers parse the body anyway.
    InBody {
        body: Bytes,
        pointers: Arc<[Pointer]>,
        found: OnceLock<Option<Text>>,
    },
}

impl ClaimText {
    pub(crate) fn in_body(body: &Bytes, pointers: &Arc<[Pointer]>) -> Self {
        Self::InBody { body: body.clone(), pointers: Arc::clone(pointers), found: OnceLock::new() }
    }
}

impl Claim {
    fn look_into(&mut self, decoded: &Bytes) {
        if let ClaimText::InBody { body, found, .. } = &mut self.text {
            *body = decoded.clone();
            *found = OnceLock::new();
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.text {
            ClaimText::None => None,
            ClaimText::Header(value) => header_text(value),
            ClaimText::Text(text) => Some(text.as_str()),
            ClaimText::InBody { body, pointers, found } => {
                found.get_or_init(|| Text::find(body, pointers)).as_ref().map(Text::as_str)
            }
        }
    }
}

/// UTF-8 in a part of the body, or decoded from it.
#[derive(Clone)]
pub(crate) struct Text(Bytes);

impl Text {
    pub(crate) fn copy(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn find(body: &Bytes, pointers: &[Pointer]) -> Option<Self> {
        Some(Self(match find_in_json(body, pointers)? {
            Cow::Borrowed(text) => body.slice_ref(text.as_bytes()),
            Cow::Owned(text) => text.into(),
        }))
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Delivery {
    pub(crate) fn new(proven: Proven) -> Self {
        Self(Arc::new(proven))
    }

    /// The same delivery, which came over a connection whose peer has shown this certificate.
    pub(crate) fn with_client_certificate(mut self, subject: Option<Arc<str>>) -> Self {
        // It was made a moment ago, and nobody else has it yet.
        if let Some(proven) = Arc::get_mut(&mut self.0) {
            proven.client_certificate = subject;
        }
        self
    }

    /// The same delivery, which says of itself in decoded bytes what it could not in encoded ones.
    pub(crate) fn decoded(mut self, body: &Bytes) -> Self {
        let proven = Arc::make_mut(&mut self.0);
        proven.event.look_into(body);
        if !matches!(proven.identity, Identity::SignedId) {
            proven.id.look_into(body);
        }
        self
    }

    /// The signed time, and what it takes to judge it again.
    pub(crate) fn signature_time(&self) -> Option<SignedAt> {
        self.0.signed_at
    }

    /// What the sender does when a delivery fails.
    pub(crate) fn retries(&self) -> Retries {
        self.0.retries
    }

    /// The name of the scheme that the request was verified by.
    pub fn provider(&self) -> &str {
        &self.0.provider
    }

    /// Whose key it was, where [several](crate::layer::Tenants) receive deliveries of one provider.
    pub fn tenant(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// Which key of the ring matched, from 0; if keys are [found](crate::key::KeySource), which of those that were.
    pub fn key_index(&self) -> usize {
        self.0.key_index
    }

    /// The name of the key that matched, if it was given one.
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// When the request was signed; `None` if the scheme signs no time.
    pub fn signed_at(&self) -> Option<UnixTime> {
        self.0.signed_at.map(|signed| signed.time)
    }

    /// The delivery's id, as the provider gives it; see [`id_is_signed`](Self::id_is_signed).
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_str()
    }

    /// Whether the signature covers the id. If not, anyone who captured the request could have changed it.
    pub fn id_is_signed(&self) -> bool {
        self.0.id.is_signed
    }

    /// The type of event, as the provider gives it; see [`event_is_signed`](Self::event_is_signed).
    pub fn event(&self) -> Option<&str> {
        self.0.event.as_str()
    }

    /// Whether the signature covers the event type. If not, anyone who captured the request could have changed it.
    pub fn event_is_signed(&self) -> bool {
        self.0.event.is_signed
    }

    /// The subject of the certificate that the connection's peer has shown, if it has: see [`Tls`](crate::Tls). Behind a proxy that is the
    /// proxy's.
    ///
    /// It says who sent the bytes, where the signature says who wrote them.
    pub fn client_certificate(&self) -> Option<&str> {
        self.0.client_certificate.as_deref()
    }

    /// How long the same bytes are accepted; `None` if the scheme signs no time, so that they always are.
    pub fn window(&self) -> Option<Duration> {
        self.0.signed_at.map(|signed| signed.tolerance.window())
    }

    /// What makes this delivery the same as an earlier one: a digest over the provider, the tenant and the signed id, or where
    /// no id is signed, the signed bytes. Nothing that an attacker can change without breaking the signature.
    ///
    /// Where neither id nor several signatures are part of the scheme, bytes that the provider signs again with another key are
    /// another delivery.
    ///
    /// `None` if the provider sends the same bytes again for something new ([`Repeats::Always`]).
    pub fn replay_key(&self) -> Option<ReplayKey> {
        // Short enough for a single block, mostly.
        let mut digest = Sha256::new_with_prefix("twr1");
        let mut part = |bytes: &[u8]| {
            // No body has more bytes than this can count, and so no part of one.
            digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            digest.update(bytes);
        };
        part(self.0.provider.as_bytes());
        // Ids are each tenant's own: one who could use up another's would have its deliveries taken for replays.
        if let Some(tenant) = &self.0.tenant {
            part(b"tenant");
            part(tenant.as_bytes());
        }
        match (&self.0.identity, self.0.repeats) {
            (Identity::SignedId, _) => {
                part(b"id");
                part(self.id().unwrap_or_default().as_bytes());
            }
            (Identity::Digest(_), Repeats::Always) => return None,
            (Identity::Digest(message), Repeats::Never) => part(message),
            (Identity::Digest(message), Repeats::PerEvent) => {
                part(message);
                part(self.event().unwrap_or_default().as_bytes());
            }
        }
        Some(ReplayKey::new(digest.finalize().into()))
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("provider", &self.provider())
            .field("tenant", &self.tenant())
            .field("id", &self.id())
            .field("event", &self.event())
            .field("event_is_signed", &self.event_is_signed())
            .field("signed_at", &self.signed_at())
            .field("key_index", &self.0.key_index)
            .field("key_id", &self.key_id())
            .field("client_certificate", &self.client_certificate())
            .finish_non_exhaustive()
    }
}
