//! Form bodies, in the order in which some providers sign them.

use std::borrow::Cow;

use crate::Rejection;

/// Writes the decoded parameters of `body`, sorted by name and then value.
///
/// # Errors
///
/// If other parameters could give the same bytes: a name holds the start of `between`, a value that of `after`,
/// or something is not UTF-8. Also if there are too many.
pub(super) fn write_sorted(
    body: &[u8],
    between: &str,
    after: &str,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), Rejection> {
    /// They are sorted before anything is known of the sender, and a list of them takes many times the room of the two bytes that each may
    /// have in the body.
    const MAX_PARAMETERS: usize = 10_000;
    let mut parameters: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        form_urlencoded::parse(body).take(MAX_PARAMETERS + 1).collect();
    if parameters.len() > MAX_PARAMETERS {
        return Err(Rejection::AmbiguousMessage);
    }
    parameters.sort();
    let is_ambiguous = |text: &str, separator: &str| {
        text.contains(char::REPLACEMENT_CHARACTER) || separator.chars().next().is_some_and(|start| text.contains(start))
    };
    for (index, (name, value)) in parameters.iter().enumerate() {
        if is_ambiguous(name, between) || is_ambiguous(value, after) {
            return Err(Rejection::AmbiguousMessage);
        }
        if index > 0 {
            sink(after.as_bytes());
        }
        sink(name.as_bytes());
        sink(between.as_bytes());
        sink(value.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(body: &str) -> Result<String, Rejection> {
        let mut written = Vec::new();
        write_sorted(body.as_bytes(), "=", "&", &mut |bytes| written.extend_from_slice(bytes))?;
        Ok(String::from_utf8(written).unwrap())
    }

    #[test]
    fn parameters_are_decoded_and_sorted() {
        assert_eq!(sorted("b=2&a=x+y%21&b=1&c=").unwrap(), "a=x y!&b=1&b=2&c=");
        assert_eq!(sorted("").unwrap(), "");
    }

    #[test]
    fn parameters_are_bounded_in_number_before_they_are_kept() {
        assert!(sorted(&"a&".repeat(10_000)).is_ok());
        assert!(sorted(&"a&".repeat(10_001)).is_err());
    }

    #[test]
    fn parameters_that_could_be_read_otherwise_are_refused() {
        for body in ["a=1%26b", "a%3D=1", "a=%FF"] {
            assert!(sorted(body).is_err(), "{body}");
        }
    }
}
