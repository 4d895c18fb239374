//! Mandrill signs its URL and the fields of a form, with nothing in between.

use super::only_urlencoded;
use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

const EVENTS: &str = "mandrill_events";

/// The URL, the name of the only field, and its value.
///
/// Mandrill sends no other field, and its value is a JSON array. So the first `[` shows where the value starts, provided that the URL holds none.
pub(in crate::provider) const URL_AND_EVENTS: Canonical<'static> =
    Canonical { name: "mandrill", covers: &[Source::Body], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    only_urlencoded(request)?;
    let (url, form) = (request.url()?, request.form()?);
    let [(name, events)] = &form[..] else { return Err(Rejection::AmbiguousMessage) };
    if name != EVENTS || !events.starts_with('[') || url.contains('[') {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(url.as_bytes());
    sink(name.as_bytes());
    sink(events.as_bytes());
    Ok(())
}
