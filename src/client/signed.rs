use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a request that [`SignLayer`](super::SignLayer) has signed: the very bytes that the signature covers.
///
/// All of it is here, so its length is known, and a clone costs nothing.
#[derive(Clone, Default)]
pub struct Signed {
    bytes: Bytes,
}

impl Signed {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The bytes that were signed.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes that were signed.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl fmt::Debug for Signed {
    /// Bodies do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Body for Signed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

impl From<Signed> for Bytes {
    fn from(signed: Signed) -> Self {
        signed.bytes
    }
}

/// For tonic's `Channel`, which takes no other body.
#[cfg(feature = "tonic")]
impl From<Signed> for tonic::body::Body {
    fn from(signed: Signed) -> Self {
        Self::new(signed)
    }
}

#[cfg(feature = "axum")]
impl From<Signed> for axum::body::Body {
    fn from(signed: Signed) -> Self {
        Self::from(signed.bytes)
    }
}
