use http::{HeaderMap, header::CONTENT_ENCODING};

use crate::Rejection;

/// How a body may be encoded (`Content-Encoding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentCoding {
    /// `gzip`, and its old name `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: zlib (RFC 1950).
    Deflate,
    /// `br`: Brotli (RFC 7932).
    Brotli,
}

impl ContentCoding {
    /// How the body is encoded, if it is.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Rejection> {
        let mut codings = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        let Some(coding) = codings.next() else { return Ok(None) };
        let names: [(&[u8], Self); 4] =
            [(b"gzip", Self::Gzip), (b"x-gzip", Self::Gzip), (b"deflate", Self::Deflate), (b"br", Self::Brotli)];
        let known = names.iter().find(|(name, _)| coding.as_bytes().eq_ignore_ascii_case(name));
        match (known, codings.next()) {
            (Some((_, coding)), None) => Ok(Some(*coding)),
            // One within another is decoded to a bomb in two steps.
            _ => Err(Rejection::UnsupportedContentCoding),
        }
    }
}
