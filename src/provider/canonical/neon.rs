//! What Neon signs of a body: its base64, which the signature then encodes once more.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

/// The body in base64url without padding.
pub(in crate::provider) const BODY_BASE64URL: Canonical<'static> =
    Canonical { name: "body-base64url", covers: &[Source::Body], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    // A multiple of three: each piece is encoded as it would be within the whole.
    const PIECE: usize = 3 * 256;
    let mut encoded = [0; PIECE / 3 * 4];
    for piece in request.body().chunks(PIECE) {
        let length = URL_SAFE_NO_PAD
            .encode_slice(piece, &mut encoded)
            .map_err(|_| Rejection::Misconfigured { why: "base64 needs more room than four thirds" })?;
        sink(&encoded[..length]);
    }
    Ok(())
}
