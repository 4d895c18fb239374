//! Lark hashes the nonce, the key and the body, with nothing in between.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

const NONCE: &str = "x-lark-request-nonce";

/// The nonce, the key and the body. Who does not know the key, which is between them, cannot move bytes from one side to the other.
pub(in crate::provider) const NONCE_KEY_AND_BODY: Canonical<'static> =
    Canonical { name: "lark", covers: &[Source::Header(NONCE), Source::Body], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let Some(nonce) = request.header(NONCE)? else { return Err(Rejection::MissingSignedValue) };
    sink(nonce.as_bytes());
    sink(request.secret());
    sink(request.body());
    Ok(())
}
