//! Whether the signed content can be taken apart in one way only.
//!
//! Signed bytes are a concatenation. Without separators that a part cannot contain, bytes could be moved from one part to its
//! neighbour without breaking the signature: an id ending in a digit could lend it to the timestamp. A layout is accepted if
//! the parts before one free part can be told from the left, and those after it from the right:
//!
//! * text is known, and so are the secret and configured parameters;
//! * a time in seconds or milliseconds is of known width, since it must be near now, and so is a hash;
//! * an RFC 3339 time shows where it starts and ends, next to anything that holds no colon;
//! * other parts end where the text next to them begins, and are refused at run time if they hold its first (last) byte;
//! * code that writes content sees to it by itself, and counts as free;
//! * a JSON body shows where a URL before it ends: it starts with `{` or `[`, which such a URL must not hold.

use super::{Part, TimestampFormat};

/// How the parts of a message are kept apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// For each part, the byte it must not hold.
    pub(super) forbidden: Vec<Option<u8>>,
    /// The body starts where the URL ends, so it must be JSON.
    pub(super) json_follows_url: bool,
}

/// # Errors
///
/// What is ambiguous, in words.
pub(super) fn check(message: &[Part<'_>], timestamp: Option<TimestampFormat>) -> Result<Layout, String> {
    let is_free = |part: &Part<'_>| matches!(part, Part::Body | Part::SortedForm { .. } | Part::Canonical(_));
    if message.iter().filter(|part| is_free(part)).count() > 1 {
        return Err("the body can be signed only once".to_owned());
    }
    for part in message {
        match part {
            Part::Text("") => return Err("an empty text separates nothing".to_owned()),
            Part::SortedForm { between: "", .. } | Part::SortedForm { after: "", .. } => {
                return Err("form parameters need separators between and after them".to_owned());
            }
            _ => {}
        }
    }

    let is_date = |part: &Part<'_>| *part == Part::Timestamp && timestamp == Some(TimestampFormat::Rfc3339);
    let is_known = |part: &Part<'_>| {
        matches!(part, Part::Text(_) | Part::BodySha256 | Part::BodySha256Raw | Part::Secret | Part::Parameter(_))
            || *part == Part::Timestamp && timestamp != Some(TimestampFormat::UnixSecondsOrMillis)
    };
    // A time without a zone at its end goes on if more digits follow.
    let goes_on = |next: Option<&Part<'_>>| match next {
        None => false,
        Some(Part::Text(text)) => text.starts_with(|next: char| next == '.' || next.is_ascii_digit()),
        Some(_) => true,
    };
    let is_open_time = |part: &Part<'_>| *part == Part::Timestamp && timestamp == Some(TimestampFormat::Rfc3339NoZone);
    if message.iter().enumerate().any(|(index, part)| is_open_time(part) && goes_on(message.get(index + 1))) {
        return Err("nothing keeps a time without a zone and what follows it apart: put text between them".to_owned());
    }
    let mut layout = Layout { forbidden: vec![None; message.len()], json_follows_url: false };

    // From the left, up to the free part.
    let mut free = 0;
    while let Some(part) = message.get(free) {
        let next = message.get(free + 1);
        match (part, next) {
            (part, _) if is_known(part) => {}
            (part, _) if is_free(part) => break,
            (_, Some(Part::Text(text))) => layout.forbidden[free] = text.bytes().next(),
            (_, Some(next)) if is_date(next) => layout.forbidden[free] = Some(b':'),
            // A method is upper-case letters; a URL starts with a scheme, a path with a slash.
            (Part::Method, Some(Part::Url | Part::UrlDecoding(_) | Part::Path | Part::Target)) => {}
            // An escape that is decoded would hide the byte that ends the URL.
            (Part::UrlDecoding(characters), Some(Part::Body)) if characters.contains(['{', '[']) => break,
            (Part::Url | Part::UrlDecoding(_) | Part::Path | Part::Target, Some(Part::Body)) => {
                layout.json_follows_url = true
            }
            _ => break,
        }
        free += 1;
    }

    // From the right, down to the free part.
    for index in (free + 1..message.len()).rev() {
        let (part, previous) = (&message[index], &message[index - 1]);
        match previous {
            // A date ends in one way only: its `T` is the last, and ten characters after its start.
            _ if is_known(part) => {}
            Part::Text(text) if !is_free(part) => layout.forbidden[index] = text.bytes().last(),
            _ => {
                return Err(format!(
                    "nothing keeps {} and {} apart: put text between them",
                    name(previous),
                    name(part)
                ));
            }
        }
    }
    Ok(layout)
}

fn name(part: &Part<'_>) -> String {
    match part {
        Part::Text(text) => format!("the text `{text}`"),
        Part::Header(header) => format!("the header `{header}`"),
        Part::Json(pointer) => format!("the value at `{pointer}`"),
        Part::Field(field) => format!("the field `{field}`"),
        Part::Query(parameter) => format!("the query's `{parameter}`"),
        Part::Form(field) | Part::FormJson(field, _) => format!("the form's `{field}`"),
        Part::Parameter(parameter) => format!("the parameter `{parameter}`"),
        Part::Secret => "the secret".to_owned(),
        Part::Canonical(canonical) => format!("what `{}` writes", canonical.name),
        Part::Method => "the method".to_owned(),
        Part::Url | Part::UrlDecoding(_) => "the URL".to_owned(),
        Part::Path | Part::Target => "the path".to_owned(),
        Part::Timestamp => "the timestamp".to_owned(),
        Part::Id => "the id".to_owned(),
        Part::Body | Part::BodySha256 | Part::BodySha256Raw | Part::BodyCrc32 => "the body".to_owned(),
        Part::SortedForm { .. } => "the form parameters".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use Part::{Body, BodySha256, Header, Id, Json, Method, SortedForm, Target, Text, Timestamp, Url, UrlDecoding};

    use super::*;

    #[test]
    fn layouts_that_providers_use_are_unambiguous() {
        let (secs, millis, date) =
            (TimestampFormat::UnixSeconds, TimestampFormat::UnixMillis, TimestampFormat::Rfc3339);
        for (message, format, forbidden, json) in [
            (&[Body][..], None, &[None][..], false),
            (&[Timestamp, Text("."), Body], Some(secs), &[None, None, None], false),
            (&[Id, Text("."), Timestamp, Text("."), Body], Some(secs), &[Some(b'.'), None, None, None, None], false),
            (&[Timestamp, Body], Some(date), &[None, None], false),
            (&[Id, Timestamp, Body], Some(date), &[Some(b':'), None, None], false),
            (&[Url, Body], None, &[None, None], true),
            (&[Body, Timestamp], Some(date), &[None, None], false),
            (&[Method, Url, Body, Timestamp], Some(millis), &[None; 4], true),
            (&[Body, Text("."), Header("x")], None, &[None, None, Some(b'.')], false),
            (
                &[Method, Text("\n"), Target, Text("\n"), BodySha256],
                None,
                &[Some(b'\n'), None, Some(b'\n'), None, None],
                false,
            ),
            (&[Json("/a"), Text("|"), Json("/b")], None, &[Some(b'|'), None, None], false),
            (&[Timestamp, Json("/token")], Some(secs), &[None, None], false),
            (&[Url, Text("?"), SortedForm { between: "=", after: "&" }], None, &[Some(b'?'), None, None], false),
        ] {
            let expected = Layout { forbidden: forbidden.to_vec(), json_follows_url: json };
            assert_eq!(check(message, format), Ok(expected), "{message:?}");
        }
    }

    #[test]
    fn layouts_in_which_bytes_could_change_sides_are_refused() {
        for (message, format) in [
            (&[Id, Body][..], None),
            (&[Header("a"), Header("b")], None),
            (&[Header("a"), Body], None),
            (&[Id, Timestamp, Body], Some(TimestampFormat::UnixSeconds)),
            (&[Body, Id], None),
            (&[Json("/a"), Json("/b")], None),
            (&[Body, Text("."), Body], None),
            (&[Text(""), Body], None),
            (&[Id, Text(""), Body], None),
            (&[SortedForm { between: "", after: "&" }], None),
            (&[Url, SortedForm { between: "=", after: "&" }], None),
            (&[UrlDecoding("{"), Body], None),
            (&[Timestamp, Body], Some(TimestampFormat::Rfc3339NoZone)),
            (&[Timestamp, Text("."), Body], Some(TimestampFormat::Rfc3339NoZone)),
            (&[Timestamp, Body], Some(TimestampFormat::UnixSecondsOrMillis)),
        ] {
            assert!(check(message, format).is_err(), "{message:?}");
        }
    }
}
