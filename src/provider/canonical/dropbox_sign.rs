//! Dropbox Sign signs the time of an event and its type, with nothing in between.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

const TIME: &str = "/event/event_time";
const TYPE: &str = "/event/event_type";

/// Digits, then a name that starts with a letter: it shows by itself where one ends and the other begins.
pub(in crate::provider) const TIME_AND_TYPE: Canonical<'static> = Canonical {
    name: "dropbox-sign",
    covers: &[Source::FormJson("json", TIME), Source::FormJson("json", TYPE)],
    parameters: &[],
    write,
};

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let [Some(time), Some(kind)] = [request.form_json("json", TIME)?, request.form_json("json", TYPE)?] else {
        return Err(Rejection::AmbiguousMessage);
    };
    let is_clear = !time.is_empty()
        && time.bytes().all(|byte| byte.is_ascii_digit())
        && kind.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !is_clear {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(time.as_bytes());
    sink(kind.as_bytes());
    Ok(())
}
