//! Klaviyo signs the body and a date, with nothing in between.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

const DATE: &str = "klaviyo-timestamp";

/// The body and the date. The body ends with a brace, and no date holds one, so that the last brace is where they meet.
pub(in crate::provider) const BODY_AND_DATE: Canonical<'static> =
    Canonical { name: "klaviyo", covers: &[Source::Body, Source::Header(DATE)], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let Some(date) = request.header(DATE)? else { return Err(Rejection::MissingSignedValue) };
    if date.contains('}') || !request.body().ends_with(b"}") {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(request.body());
    sink(date.as_bytes());
    Ok(())
}
