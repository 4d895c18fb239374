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
    let (Some(time), Some(kind)) = (request.form_json("json", TIME)?, request.form_json("json", TYPE)?) else {
        return Err(Rejection::MissingSignedValue);
    };
    if !are_apart(&time, &kind) {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(time.as_bytes());
    sink(kind.as_bytes());
    Ok(())
}

/// Whether no character could belong to either of the two.
fn are_apart(time: &str, kind: &str) -> bool {
    !time.is_empty()
        && time.bytes().all(|byte| byte.is_ascii_digit())
        && kind.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_digit_can_change_sides() {
        assert!(are_apart("1348177752", "signature_request_sent"));
        for (time, kind) in [
            ("134817775", "2signature_request_sent"),
            ("1348177752s", "ignature_request_sent"),
            ("", "1348177752signature_request_sent"),
            ("1348177752signature_request_sent", ""),
            ("1348177752", "_sent"),
        ] {
            assert!(!are_apart(time, kind), "{time} {kind}");
        }
    }
}
