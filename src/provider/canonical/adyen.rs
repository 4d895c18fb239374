//! Adyen signs eight values of a notification, joined by colons.

use crate::{
    Rejection,
    scheme::{Canonical, SignedRequest, Source},
};

const PSP_REFERENCE: &str = "/notificationItems/0/NotificationRequestItem/pspReference";
const ORIGINAL_REFERENCE: &str = "/notificationItems/0/NotificationRequestItem/originalReference";
const MERCHANT_ACCOUNT: &str = "/notificationItems/0/NotificationRequestItem/merchantAccountCode";
const MERCHANT_REFERENCE: &str = "/notificationItems/0/NotificationRequestItem/merchantReference";
const VALUE: &str = "/notificationItems/0/NotificationRequestItem/amount/value";
const CURRENCY: &str = "/notificationItems/0/NotificationRequestItem/amount/currency";
const EVENT_CODE: &str = "/notificationItems/0/NotificationRequestItem/eventCode";
const SUCCESS: &str = "/notificationItems/0/NotificationRequestItem/success";

pub(in crate::provider) const EIGHT_VALUES: Canonical<'static> = Canonical {
    name: "adyen",
    covers: &[
        Source::Json(PSP_REFERENCE),
        Source::Json(ORIGINAL_REFERENCE),
        Source::Json(MERCHANT_ACCOUNT),
        Source::Json(MERCHANT_REFERENCE),
        Source::Json(VALUE),
        Source::Json(CURRENCY),
        Source::Json(EVENT_CODE),
        Source::Json(SUCCESS),
    ],
    parameters: &[],
    write,
};

fn write(request: &SignedRequest<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Rejection> {
    let references = references(request.body())?;
    for (index, pointer) in
        [PSP_REFERENCE, ORIGINAL_REFERENCE, MERCHANT_ACCOUNT, MERCHANT_REFERENCE, VALUE, CURRENCY, EVENT_CODE, SUCCESS]
            .into_iter()
            .enumerate()
    {
        let value = match (request.json(pointer), pointer) {
            (Some(value), _) => value,
            (None, ORIGINAL_REFERENCE) if references.original.is_empty() => "".into(),
            (None, MERCHANT_REFERENCE) if references.merchant.is_empty() => "".into(),
            (None, _) => return Err(Rejection::MissingSignedValue),
        };
        // The merchant's own reference is free text. The colons of the others being known, so are its borders.
        if pointer != MERCHANT_REFERENCE && value.contains(':') {
            return Err(Rejection::AmbiguousMessage);
        }
        if index > 0 {
            sink(b":");
        }
        sink(value.as_bytes());
    }
    Ok(())
}

/// How the two values are there that may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct References {
    original: Presence,
    merchant: Presence,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Missing,
    Null,
    Given,
}

impl Presence {
    fn is_empty(self) -> bool {
        self != Self::Given
    }

    fn add(&mut self, value: &[u8]) {
        let is_null = value.starts_with(b"null") && *self == Self::Missing;
        *self = if is_null { Self::Null } else { Self::Given };
    }
}

/// Looks for what the signature does not speak of: more items than one, and values that only seem to be missing, as they are there twice.
fn references(body: &[u8]) -> Result<References, Rejection> {
    /// `{"notificationItems": [` …
    const IN_ITEMS: usize = 2;
    /// … `{"NotificationRequestItem": {`
    const IN_ITEM: usize = 4;
    let mut found = References::default();
    let mut depth = 0_usize;
    let mut is_list = false;
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth == IN_ITEMS {
                    is_list = byte == b'[';
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == IN_ITEMS && is_list => return Err(Rejection::AmbiguousMessage),
            b'"' => {
                let length = string_length(rest).ok_or(Rejection::MissingSignedValue)?;
                let text = &rest[..length];
                rest = rest[length + 1..].trim_ascii_start();
                if depth == IN_ITEM && rest.first() == Some(&b':') {
                    let value = rest[1..].trim_ascii_start();
                    match text {
                        b"originalReference" => found.original.add(value),
                        b"merchantReference" => found.merchant.add(value),
                        _ if text.contains(&b'\\') => return Err(Rejection::AmbiguousMessage),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// How long the rest of a string is whose opening quote has been read.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    text.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_item(item: &str) -> Result<References, Rejection> {
        references(
            format!(r#"{{"live":"false","notificationItems":[{{"NotificationRequestItem":{item}}}]}}"#).as_bytes(),
        )
    }

    #[test]
    fn values_are_missing_only_if_nobody_could_find_them() {
        let missing = References::default();
        for (item, original) in [
            (r#"{"eventCode":"A"}"#, Presence::Missing),
            (r#"{"originalReference" : null}"#, Presence::Null),
            (r#"{"originalReference":"X"}"#, Presence::Given),
            (r#"{"originalReference":null,"originalReference":"X"}"#, Presence::Given),
            (r#"{"originalReference":"X","originalReference":null}"#, Presence::Given),
            (r#"{"originalReference":null,"originalReference":null}"#, Presence::Given),
            (r#"{"originalReference":{}}"#, Presence::Given),
            (r#"{"additionalData":{"originalReference":"X"}}"#, Presence::Missing),
            (r#"{"reason":"originalReference"}"#, Presence::Missing),
            (r#"{"reason":"a \"b\\","x":"originalReference"}"#, Presence::Missing),
        ] {
            assert_eq!(of_item(item).unwrap(), References { original, ..missing }, "{item}");
        }
        assert_eq!(of_item(r#"{"merchantReference":"1"}"#).unwrap().merchant, Presence::Given);
        assert!(of_item(r#"{"\u006friginalReference":"X"}"#).is_err());
    }

    #[test]
    fn there_is_one_item() {
        for (items, is_clear) in [
            (r#"[{"NotificationRequestItem":{"a":1,"b":[1,2]}}]"#, true),
            (r#"[{"NotificationRequestItem":{}},{}]"#, false),
            (r#"[{"NotificationRequestItem":{}},]"#, false),
            (r#"{"0":{},"1":{}}"#, true),
        ] {
            let body = format!(r#"{{"live":"false","notificationItems":{items}}}"#);
            assert_eq!(references(body.as_bytes()).is_ok(), is_clear, "{items}");
        }
        for broken in ["", "{", "\"", "\"\\", "}}}}", "[[[[\"a\":", "{{{{\"a\":\"\\"] {
            let _ = references(broken.as_bytes());
        }
    }
}
