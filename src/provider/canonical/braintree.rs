//! Braintree signs the base64 text in a form field, with the line break at its end.

use super::only_urlencoded;
use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

pub(in crate::provider) const PAYLOAD: Canonical<'static> =
    Canonical { name: "braintree", covers: &[Source::Form("bt_payload")], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    only_urlencoded(request)?;
    let payload = request.form_value("bt_payload")?.ok_or(Rejection::MissingSignedValue)?;
    let is_base64 = payload.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=/\n".contains(&byte));
    if !is_base64 {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(payload.as_bytes());
    // Whatever trims forms on the way takes the line break, which means nothing in base64.
    if !payload.ends_with('\n') {
        sink(b"\n");
    }
    Ok(())
}
