use std::io::Read;

use brotli_decompressor::{
    Allocator, BrotliDecoderErrorCode, BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc,
};
use bytes::Bytes;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use http::{
    HeaderValue, Request,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use tower_layer::Layer;

use crate::{
    Problem, Rejection,
    body::{ContentCoding, Limits, Verified, VerifiedBody},
    framework,
    layer::{Check, Guard, Never, Refusal, Step},
};

/// Decodes bodies that were sent, signed and verified in a content coding.
///
/// Needs the feature `decompress`, and [`VerifySignatureLayer::allow_content_codings`] outside it. What goes on has the decoded bytes, their
/// length, and no `Content-Encoding`; the [`Delivery`](crate::Delivery) finds in them the event type that the scheme names. So it belongs
/// directly inside verification.
///
/// A body that would become too large is answered `413` as soon as it does, one that cannot be decoded to its end, or has something after
/// it, `422`. It is decoded at once, on the thread of its request.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_webhook::{
///     body::ContentCoding,
///     layer::{AllowEventsLayer, DecodeBodyLayer, VerifySignatureLayer},
///     provider,
/// };
///
/// let verifier = provider::STANDARD_WEBHOOKS.verifier("whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")?;
/// let stack = ServiceBuilder::new()
///     .layer(VerifySignatureLayer::new(verifier).allow_content_codings([ContentCoding::Gzip]))
///     .layer(DecodeBodyLayer::new().max_decoded(512 * 1024))
///     .layer(AllowEventsLayer::new(["invoice.*"])?);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
///
/// [`VerifySignatureLayer::allow_content_codings`]: crate::layer::VerifySignatureLayer::allow_content_codings
#[derive(Clone, Debug)]
#[must_use]
pub struct DecodeBodyLayer {
    bounds: Bounds,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    max: usize,
    ratio: usize,
}

impl DecodeBodyLayer {
    /// Up to 1 MiB, and to a hundred times what was sent.
    pub fn new() -> Self {
        Self { bounds: Bounds { max: Limits::MAX_BODY, ratio: 100 } }
    }

    /// The most bytes that a body may become. 1 MiB by default.
    pub fn max_decoded(mut self, bytes: usize) -> Self {
        self.bounds.max = bytes;
        self
    }

    /// How many times its size a body may become, if that is more than 64 KiB. 100 by default; gzip can reach 1032, Brotli far more.
    pub fn max_ratio(mut self, ratio: usize) -> Self {
        self.bounds.ratio = ratio;
        self
    }
}

impl Default for DecodeBodyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for DecodeBodyLayer {
    type Service = Guard<S, DecodeBody>;

    fn layer(&self, inner: S) -> Self::Service {
        Guard::new(inner, DecodeBody(self.bounds))
    }
}

/// The check of [`DecodeBodyLayer`].
#[derive(Clone, Copy, Debug)]
pub struct DecodeBody(Bounds);

impl<B: VerifiedBody> Check<B> for DecodeBody {
    type Out = Verified;
    type Future = Never<Verified>;

    fn check(&self, request: Request<B>) -> Step<Verified, Self::Future> {
        let request = request.map(B::into_verified);
        let decoded = ContentCoding::of(request.headers())
            .and_then(|coding| coding.map(|coding| self.0.decode(coding, request.body().bytes())).transpose());
        Step::Now(match decoded {
            Ok(Some(decoded)) => Ok(with_decoded(request, decoded.into())),
            Ok(None) => Ok(request),
            Err(rejection) => Err(Refusal::from(rejection).reusing(request.into_parts().0)),
        })
    }
}

fn with_decoded(request: Request<Verified>, decoded: Bytes) -> Request<Verified> {
    let length = HeaderValue::from(decoded.len());
    let mut request = request.map(|body| body.with_decoded(decoded));
    let delivery = request.body().delivery().clone();
    request.extensions_mut().insert(delivery);
    let headers = request.headers_mut();
    headers.remove(CONTENT_ENCODING);
    // Not beside a length (RFC 9112, 6.3).
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_LENGTH, length);
    framework::vouch_for_length(&mut request);
    request
}

impl Bounds {
    fn decode(self, coding: ContentCoding, encoded: &[u8]) -> Result<Vec<u8>, Rejection> {
        let limit = self.max.min(encoded.len().saturating_mul(self.ratio).max(ALWAYS));
        match coding {
            ContentCoding::Gzip => read(GzDecoder::new(encoded), limit, GzDecoder::into_inner),
            ContentCoding::Deflate => read(ZlibDecoder::new(encoded), limit, ZlibDecoder::into_inner),
            ContentCoding::Brotli => read_brotli(encoded, limit),
        }
    }
}

/// Short bodies may be as repetitive as they like.
const ALWAYS: usize = 64 * 1024;

/// Ends too early or too late, or is something else.
fn broken() -> Rejection {
    Problem::new("", "cannot be decoded").into()
}

fn read<'b, D: Read>(mut decoder: D, limit: usize, rest: impl FnOnce(D) -> &'b [u8]) -> Result<Vec<u8>, Rejection> {
    let mut decoded = Vec::new();
    decoder.by_ref().take((limit as u64).saturating_add(1)).read_to_end(&mut decoded).map_err(|_| broken())?;
    if decoded.len() > limit {
        return Err(Rejection::BodyTooLarge { limit });
    }
    match rest(decoder) {
        [] => Ok(decoded),
        _ => Err(broken()),
    }
}

fn read_brotli(encoded: &[u8], limit: usize) -> Result<Vec<u8>, Rejection> {
    let mut decoded = Vec::new();
    // Strict: without the windows of up to a gibibyte that RFC 7932 does not have.
    let mut state = BrotliState::new_strict(Window { limit }, StandardAlloc::default(), StandardAlloc::default());
    let (mut left, mut at, mut total) = (encoded.len(), 0, 0);
    let mut chunk = [0; 8 * 1024];
    loop {
        let (mut room, mut written) = (chunk.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            encoded,
            &mut room,
            &mut written,
            &mut chunk,
            &mut total,
            &mut state,
        );
        decoded.extend_from_slice(&chunk[..written]);
        let is_refused = matches!(
            state.error_code,
            BrotliDecoderErrorCode::BROTLI_DECODER_ERROR_ALLOC_RING_BUFFER_1
                | BrotliDecoderErrorCode::BROTLI_DECODER_ERROR_ALLOC_RING_BUFFER_2
        );
        match result {
            _ if is_refused || decoded.len() > limit => return Err(Rejection::BodyTooLarge { limit }),
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if left == 0 => return Ok(decoded),
            _ => return Err(broken()),
        }
    }
}

/// Memory for the window, of up to 16 MiB, in which Brotli decodes.
///
/// The decoder asks for less than twice what has been decoded and is announced to be in the next block: for more than that of the limit
/// only if the limit will be exceeded.
struct Window {
    limit: usize,
}

impl Allocator<u8> for Window {
    type AllocatedMemory = <StandardAlloc as Allocator<u8>>::AllocatedMemory;

    fn alloc_cell(&mut self, length: usize) -> Self::AllocatedMemory {
        /// What it takes besides.
        const SLACK: usize = 4096;
        let most = self.limit.max(ALWAYS).saturating_mul(2).saturating_add(SLACK);
        if length > most { Self::AllocatedMemory::default() } else { StandardAlloc::default().alloc_cell(length) }
    }

    fn free_cell(&mut self, _: Self::AllocatedMemory) {}
}
