//! Lark hashes the nonce, the key and the body, with nothing in between.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

const NONCE: &str = "x-lark-request-nonce";

/// The nonce, the key and the body. Who does not know the key, which is between them, cannot move bytes from one side to the other.
///
/// The hash is no MAC: whoever has one could go on with what was hashed, after padding whose length field starts with zeros (FIPS 180-4 section 5.1.1).
/// JSON holds no zero byte, so that this is where such an addition ends.
pub(in crate::provider) const NONCE_KEY_AND_BODY: Canonical<'static> =
    Canonical { name: "lark", covers: &[Source::Header(NONCE), Source::Body], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let Some(nonce) = request.header(NONCE)? else { return Err(Rejection::MissingSignedValue) };
    if request.body().contains(&0) {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(nonce.as_bytes());
    sink(request.secret());
    sink(request.body());
    Ok(())
}
