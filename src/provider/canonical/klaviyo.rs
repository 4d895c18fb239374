//! Klaviyo signs the body and a date, with nothing in between.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

const DATE: &str = "klaviyo-timestamp";

/// The shape of an HTTP date: `a` stands for a letter, `0` for a digit, and everything else for itself.
const SHAPE: &[u8] = b"aaa, 00 aaa 0000 00:00:00 GMT";

/// The body and the date. A date is always as long, so that it can be told from the body before it.
pub(in crate::provider) const BODY_AND_DATE: Canonical<'static> =
    Canonical { name: "klaviyo", covers: &[Source::Body, Source::Header(DATE)], parameters: &[], write };

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let Some(date) = request.header(DATE)? else { return Err(Rejection::MissingSignedValue) };
    if !is_date(date.as_bytes()) {
        return Err(Rejection::AmbiguousMessage);
    }
    sink(request.body());
    sink(date.as_bytes());
    Ok(())
}

fn is_date(text: &[u8]) -> bool {
    text.len() == SHAPE.len()
        && text.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'a' => byte.is_ascii_alphabetic(),
            b'0' => byte.is_ascii_digit(),
            _ => byte == shape,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_long_as_a_date_is_one() {
        for (text, expected) in [
            ("Fri, 07 Aug 2026 16:10:01 GMT", true),
            ("Fri, 07 Aug 2026 16:10:01 GMT ", false),
            ("Fri, 7 Aug 2026 16:10:01 GMT", false),
            ("}Fri, 07 Aug 2026 16:10:01 GMT", false),
            ("Friday, 07-Aug-26 16:10:01 GMT", false),
            ("2026-08-07T16:10:01.0000+00:00", false),
            ("", false),
        ] {
            assert_eq!(is_date(text.as_bytes()), expected, "{text}");
        }
    }
}
