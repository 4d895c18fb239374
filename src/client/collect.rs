//! A body of our own side, read to its end.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use pin_project_lite::pin_project;

use super::SignError;

pin_project! {
    /// Takes the body's bytes; those of a single frame are not copied.
    pub(super) struct Collect<B> {
        #[pin]
        body: B,
        limit: usize,
        first: Bytes,
        joined: BytesMut,
    }
}

impl<B: Body> Collect<B> {
    pub(super) fn new(body: B, limit: usize) -> Self {
        Self { body, limit, first: Bytes::new(), joined: BytesMut::new() }
    }
}

impl<B> Future for Collect<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Output = Result<Bytes, SignError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let limit = *this.limit;
        let too_large = Err(SignError::BodyTooLarge { limit });
        // What will be too large need not be read until it is.
        if u64::try_from(limit).is_ok_and(|limit| this.body.size_hint().lower() > limit) {
            return Poll::Ready(too_large);
        }
        while let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)) {
            let mut data = match frame.map_err(|error| SignError::Body(error.into()))?.into_data() {
                Ok(data) => data,
                Err(other) if other.trailers_ref().is_some_and(|trailers| !trailers.is_empty()) => {
                    return Poll::Ready(Err(SignError::Trailers));
                }
                Err(_) => continue,
            };
            let here = this.first.len() + this.joined.len();
            if data.remaining() > limit.saturating_sub(here) {
                return Poll::Ready(too_large);
            }
            if here == 0 {
                *this.first = data.copy_to_bytes(data.remaining());
            } else {
                this.joined.extend_from_slice(&std::mem::take(this.first));
                while data.has_remaining() {
                    let chunk = data.chunk();
                    let length = chunk.len();
                    this.joined.extend_from_slice(chunk);
                    data.advance(length);
                }
            }
        }
        let (first, joined) = (std::mem::take(this.first), std::mem::take(this.joined));
        Poll::Ready(Ok(if joined.is_empty() { first } else { joined.freeze() }))
    }
}

impl<B> fmt::Debug for Collect<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collect")
    }
}
