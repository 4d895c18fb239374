use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::Lease;

/// A body that has been read to its end, within its cap and deadline. Nothing is known of who sent it.
#[derive(Default)]
pub struct Buffered {
    bytes: Bytes,
    trailers: Option<Box<HeaderMap>>,
    /// The share of the budget that the bytes take as long as they are here.
    lease: Option<Lease>,
}

impl Buffered {
    pub(super) fn new(bytes: Bytes, trailers: Option<Box<HeaderMap>>, lease: Option<Lease>) -> Self {
        Self { bytes, trailers, lease }
    }

    /// The bytes, without trailers.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Trailers, if there were any. Nothing in them is ever verified.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_deref()
    }

    /// Other bytes, with the same trailers.
    pub(super) fn with_bytes(mut self, bytes: Bytes) -> Self {
        self.bytes = bytes;
        self
    }

    /// The same bytes, for somebody who looks at them while they count here.
    pub(crate) fn unleased(&self) -> Self {
        Self { bytes: self.bytes.clone(), trailers: None, lease: None }
    }

    /// The bytes count as unverified no more.
    pub(super) fn without_lease(mut self) -> Self {
        self.lease = None;
        self
    }
}

impl fmt::Debug for Buffered {
    /// Bodies do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Body for Buffered {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.bytes.is_empty() {
            self.lease = None;
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
