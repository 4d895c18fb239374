use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};

use super::{BodyBudget, Buffered, ContentCoding, Lease, grpc::OneMessage, is_grpc};
use crate::{ConfigError, Rejection, framework};

/// How much of a body is read, and how long it may take.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) max: usize,
    pub(crate) total: Duration,
    pub(crate) idle: Duration,
    pub(crate) budget: BodyBudget,
    /// The codings that bodies may be read in.
    pub(crate) codings: Vec<ContentCoding>,
    /// gRPC methods that are known to stream.
    pub(crate) streaming_methods: Vec<Box<str>>,
    /// How long the body of a gRPC call may stay open after its message.
    pub(crate) unary_grace: Duration,
}

impl Limits {
    pub(crate) const MAX_BODY: usize = 1024 * 1024;

    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            total: Duration::from_secs(15),
            idle: Duration::from_secs(5),
            budget: BodyBudget::process(),
            codings: Vec::new(),
            streaming_methods: Vec::new(),
            // As a body may pause: the end may have got lost, and a call that is taken for a stream is not tried again.
            unary_grace: Duration::from_secs(5),
        }
    }

    /// # Errors
    ///
    /// If a limit of zero would refuse every request.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for (what, limit) in
            [("body timeout", self.total), ("idle timeout", self.idle), ("unary grace", self.unary_grace)]
        {
            if limit.is_zero() {
                return Err(ConfigError::invalid(what, "0s", "would refuse every body"));
            }
        }
        Ok(())
    }

    /// gRPC methods that are refused from the head alone, besides those that are here already.
    ///
    /// # Errors
    ///
    /// If one is not written as in requests.
    pub(crate) fn add_streaming_methods(
        &mut self,
        methods: impl IntoIterator<Item = impl Into<Box<str>>>,
    ) -> Result<(), ConfigError> {
        for method in methods {
            let method = method.into();
            let parts = method.strip_prefix('/').and_then(|path| path.split_once('/'));
            if !parts.is_some_and(|(service, name)| !service.is_empty() && !name.is_empty() && !name.contains('/')) {
                return Err(ConfigError::invalid("gRPC method", &*method, "must be written `/package.Service/Method`"));
            }
            self.streaming_methods.push(method);
        }
        Ok(())
    }

    /// Whether the request is a gRPC call of a method that is known to stream.
    pub(crate) fn check_method(&self, head: &Parts) -> Result<(), Rejection> {
        let path = || framework::original_uri(&head.extensions).unwrap_or(&head.uri).path();
        let is_known = || self.streaming_methods.iter().any(|method| **method == *path());
        if !self.streaming_methods.is_empty() && is_grpc(&head.headers) && is_known() {
            return Err(Rejection::StreamingUnsupported);
        }
        Ok(())
    }

    /// What the head says of the body, before a byte of it is read.
    pub(crate) fn check_head(&self, headers: &HeaderMap, body: &impl Body) -> Result<(), Rejection> {
        let too_large = |length: u64| usize::try_from(length).map_or(true, |length| length > self.max);
        // The hint alone is not enough: layers in between may hide it.
        let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if too_large(body.size_hint().lower()) || declared.is_some_and(too_large) {
            return Err(Rejection::BodyTooLarge { limit: self.max });
        }
        // hyper undoes `chunked` and nothing else: `gzip, chunked` arrives compressed.
        if headers.get_all(TRANSFER_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return Err(Rejection::UnsupportedTransferCoding);
        }
        // Senders sign what they have, proxies and servers inflate what they get: only one of the two can be verified,
        // and which of them it is, only those know who allow a coding.
        match ContentCoding::of(headers)? {
            Some(coding) if !self.codings.contains(&coding) => Err(Rejection::UnsupportedContentCoding),
            _ => Ok(()),
        }
    }
}

pin_project! {
    /// Reads a body to its end, frame by frame, and shows each frame to whoever hashes it.
    #[project = ReadBodyProjection]
    pub(crate) struct ReadBody<B> {
        #[pin]
        body: B,
        read: Read,
        max: usize,
        first_reservation: usize,
        lease: Option<Lease>,
        trailers: Option<Box<HeaderMap>>,
        // For gRPC, whose bodies are messages in frames.
        message: Option<OneMessage>,
        unary_grace: Duration,
        #[pin]
        clock: Deadlines,
    }
}

/// What has arrived.
enum Read {
    Nothing,
    /// One frame, kept as it came.
    One(Bytes),
    /// Several, copied together: cheaper than a list, and memory is that of the bytes, however small the frames.
    Several(BytesMut),
}

impl<B: Body> ReadBody<B> {
    pub(crate) fn new(body: B, limits: &Limits) -> Self {
        /// The most that is reserved because of what a request says of itself.
        const MOST_RESERVED: usize = 64 * 1024;
        let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        Self {
            read: Read::Nothing,
            max: limits.max,
            first_reservation: declared.min(MOST_RESERVED),
            lease: Some(limits.budget.lease()),
            trailers: None,
            message: None,
            unary_grace: limits.unary_grace,
            clock: Deadlines { total: limits.total, idle: limits.idle, expects_end: false, last: None, timer: None },
            body,
        }
    }

    /// The same, of a request with these headers: a gRPC call must be of one message, or the body might never end.
    pub(crate) fn unary(mut self, headers: &HeaderMap) -> Self {
        self.message = is_grpc(headers).then(|| OneMessage::within(self.max));
        self
    }

    /// # Errors
    ///
    /// When the body is too large, too slow, broken, not what a unary gRPC call sends, or the budget is used up.
    pub(crate) fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut on_chunk: impl FnMut(&[u8]),
    ) -> Poll<Result<Buffered, Rejection>> {
        /// A body that is always ready must not keep its thread from everyone else, nor its deadline from striking.
        const FRAMES_PER_POLL: usize = 64;
        let mut this = self.project();
        let mut progressed = false;
        for _ in 0..FRAMES_PER_POLL {
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Pending => return this.clock.poll_expired(cx, progressed),
                Poll::Ready(None) => {
                    if let Some(message) = this.message {
                        message.end()?;
                    }
                    let bytes = std::mem::replace(this.read, Read::Nothing).into_bytes();
                    return Poll::Ready(Ok(Buffered::new(bytes, this.trailers.take(), this.lease.take())));
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Rejection::BrokenBody)),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            match frame.into_data() {
                Ok(data) if data.has_remaining() => {
                    this.admit(data.remaining())?;
                    let (message, mut framing) = (&mut *this.message, Ok(()));
                    this.read.push(data, *this.first_reservation, &mut |chunk: &[u8]| {
                        if let Some(message) = message {
                            framing = message.update(chunk);
                        }
                        on_chunk(chunk);
                    });
                    framing?;
                    if this.message.as_ref().is_some_and(OneMessage::is_complete) {
                        this.clock.as_mut().expect_end(*this.unary_grace);
                    }
                    progressed = true;
                }
                // An empty frame is no progress: it must not put off the idle timeout.
                Ok(_) => {}
                Err(frame) => *this.trailers = frame.into_trailers().ok().map(Box::new),
            }
        }
        cx.waker().wake_by_ref();
        this.clock.poll_expired(cx, progressed)
    }
}

impl<B> ReadBodyProjection<'_, B> {
    /// Whether so many more bytes may be kept.
    fn admit(&mut self, more: usize) -> Result<(), Rejection> {
        if more > self.max.saturating_sub(self.read.len()) {
            return Err(Rejection::BodyTooLarge { limit: *self.max });
        }
        match self.lease.as_mut().is_none_or(|lease| lease.grow(more)) {
            true => Ok(()),
            false => Err(Rejection::BudgetExhausted),
        }
    }
}

impl Read {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(bytes) => bytes.len(),
            Self::Several(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, mut data: impl Buf, first_reservation: usize, on_chunk: &mut impl FnMut(&[u8])) {
        let length = data.remaining();
        let mut joined = match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => {
                let bytes = data.copy_to_bytes(length);
                on_chunk(&bytes);
                *self = Self::One(bytes);
                return;
            }
            Self::One(first) => {
                // What is announced counts for no more than a few times what has come.
                let has = first.len() + length;
                let mut joined = BytesMut::with_capacity(first_reservation.min(has.saturating_mul(4)).max(has));
                joined.put(first);
                joined
            }
            Self::Several(joined) => joined,
        };
        let start = joined.len();
        joined.put(data);
        on_chunk(&joined[start..]);
        *self = Self::Several(joined);
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Several(bytes) => bytes.freeze(),
        }
    }
}

pin_project! {
    /// The two deadlines of a body, in one timer.
    ///
    /// Made when the body first lets us wait: most bodies are there at once, and then no timer is touched.
    struct Deadlines {
        total: Duration,
        idle: Duration,
        expects_end: bool,
        last: Option<Instant>,
        #[pin]
        timer: Option<Sleep>,
    }
}

/// Instants end some time, and a bound of `Duration::MAX` means none.
fn after(now: Instant, time: Duration) -> Instant {
    const DECADE: Duration = Duration::from_secs(10 * 365 * 86_400);
    now + time.min(DECADE)
}

impl Deadlines {
    /// Everything is there but the end, and only a body that goes on by design keeps it back for long.
    fn expect_end(self: Pin<&mut Self>, grace: Duration) {
        let this = self.project();
        (*this.idle, *this.expects_end) = (grace, true);
    }

    fn poll_expired<T>(self: Pin<&mut Self>, cx: &mut Context<'_>, progressed: bool) -> Poll<Result<T, Rejection>> {
        let mut this = self.project();
        if this.timer.is_none() || progressed {
            let now = Instant::now();
            let last = *this.last.get_or_insert_with(|| after(now, *this.total));
            let next = last.min(after(now, *this.idle));
            match this.timer.as_mut().as_pin_mut() {
                Some(timer) => timer.reset(next),
                None => this.timer.set(Some(tokio::time::sleep_until(next))),
            }
        }
        match this.timer.as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| {
                Err(if *this.expects_end { Rejection::StreamingUnsupported } else { Rejection::BodyTimeout })
            }),
            None => Poll::Pending,
        }
    }
}
