use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::Buffered;
use crate::{Delivery, clock::SharedClock};

/// A body whose signature has been verified; carries the [`Delivery`].
pub struct Verified {
    body: Buffered,
    delivery: Delivery,
    clock: SharedClock,
    /// What is done for it must not go on alone, as its reservation is given up when it is dropped.
    is_reserved: bool,
}

impl Verified {
    pub(crate) fn new(body: Buffered, delivery: Delivery, clock: SharedClock) -> Self {
        Self { body: body.without_lease(), delivery, clock, is_reserved: false }
    }

    /// Whether the signed time, which was judged before the body was read, is still near enough.
    pub(crate) fn is_still_fresh(&self) -> bool {
        self.delivery.signature_time().is_none_or(|signed| {
            self.clock.now().is_ok_and(|now| signed.format.judge(signed.time, now, signed.tolerance).is_ok())
        })
    }

    pub(crate) fn set_reserved(&mut self) {
        self.is_reserved = true;
    }

    pub(crate) fn is_reserved(&self) -> bool {
        self.is_reserved
    }

    /// The same delivery, whose bytes have been decoded.
    pub(crate) fn with_decoded(mut self, bytes: Bytes) -> Self {
        self.delivery = self.delivery.clone().decoded(&bytes);
        self.body = self.body.with_bytes(bytes);
        self
    }

    /// What was proven about the request.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The bytes that were verified, or what they were decoded to.
    pub fn bytes(&self) -> &Bytes {
        self.body.bytes()
    }

    /// Trailers, if there were any. The signature does not cover them.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.body.trailers()
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("body", &self.body).field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

impl Body for Verified {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that only verification makes: [`Verified`], and nothing else.
///
/// Layers that act on what was proven ask for this, so that they cannot stand outside verification.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a request body that nobody has verified",
    label = "this layer acts on what a signature proves, and no signature has been checked yet",
    note = "put `VerifySignatureLayer` outside this layer: in a `ServiceBuilder`, above it",
    note = "or let `WebhookLayer` compose the whole stack in its safe order"
)]
pub trait VerifiedBody: sealed::Sealed {
    /// What was proven about the request.
    fn delivery(&self) -> &Delivery;

    /// The body itself.
    fn into_verified(self) -> Verified;
}

impl VerifiedBody for Verified {
    fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    fn into_verified(self) -> Verified {
        self
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Verified {}
}
