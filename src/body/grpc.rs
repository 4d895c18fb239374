//! What a gRPC request's body is made of: messages, each behind a prefix of five bytes.

use http::{HeaderMap, header::CONTENT_TYPE};

use crate::Rejection;

/// Whether the content type is that of gRPC. That of gRPC-Web is not: its frames are for proxies to take apart.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"application/grpc") && matches!(value.get(16), None | Some(b'+' | b';'))
    })
}

/// Sees to it that a body is one message, as those of unary calls are.
///
/// Nothing in the head of a request tells whether its method streams. A second message does, and so does a body that stays open after its first.
#[derive(Debug)]
pub(super) struct OneMessage {
    prefix: [u8; PREFIX],
    /// How many bytes of the prefix have come.
    prefix_len: usize,
    /// How many bytes of the message are still to come, once the prefix is there.
    missing: usize,
    max: usize,
}

/// Whether the message is compressed, in a byte, and its length, in four.
const PREFIX: usize = 5;

impl OneMessage {
    /// One message, which is no longer than `max` together with its prefix.
    pub(super) fn within(max: usize) -> Self {
        Self { prefix: [0; PREFIX], prefix_len: 0, missing: 0, max }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.prefix_len == PREFIX && self.missing == 0
    }

    /// # Errors
    ///
    /// If these bytes of the body, which follow those before, are not of one message.
    pub(super) fn update(&mut self, mut chunk: &[u8]) -> Result<(), Rejection> {
        if let room @ 1.. = (PREFIX - self.prefix_len).min(chunk.len()) {
            let (start, rest) = chunk.split_at(room);
            self.prefix[self.prefix_len..][..room].copy_from_slice(start);
            self.prefix_len += room;
            chunk = rest;
            let [flag, length @ ..] = self.prefix;
            if flag > 1 {
                return Err(Rejection::MalformedFrame);
            }
            if self.prefix_len == PREFIX {
                self.missing = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                // As it says itself: no more of it needs to come.
                if self.missing > self.max.saturating_sub(PREFIX) {
                    return Err(Rejection::BodyTooLarge { limit: self.max });
                }
            }
        }
        match self.missing.checked_sub(chunk.len()) {
            Some(missing) => self.missing = missing,
            None => return Err(Rejection::StreamingUnsupported),
        }
        Ok(())
    }

    /// # Errors
    ///
    /// If the body ended before there was a whole message.
    pub(super) fn end(&self) -> Result<(), Rejection> {
        self.is_complete().then_some(()).ok_or(Rejection::MalformedFrame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(body: &[u8], chunk: usize) -> Result<(), Rejection> {
        let mut message = OneMessage::within(20);
        body.chunks(chunk).try_for_each(|chunk| message.update(chunk))?;
        message.end()
    }

    #[test]
    fn a_body_is_one_message_however_it_is_cut() {
        for (what, body, expected) in [
            ("an empty message", &b"\0\0\0\0\0"[..], Ok(())),
            ("a message", b"\0\0\0\0\x02ab", Ok(())),
            ("a compressed one", b"\x01\0\0\0\x02ab", Ok(())),
            ("the longest", b"\0\0\0\0\x0f0123456789abcde", Ok(())),
            ("no message", b"", Err(Rejection::MalformedFrame)),
            ("half a prefix", b"\0\0\0", Err(Rejection::MalformedFrame)),
            ("half a message", b"\0\0\0\0\x02a", Err(Rejection::MalformedFrame)),
            ("a prefix alone", b"\0\0\0\0\x02", Err(Rejection::MalformedFrame)),
            ("a flag that is none", b"\x02\0\0\0\x02ab", Err(Rejection::MalformedFrame)),
            ("no frame", b"{}", Err(Rejection::MalformedFrame)),
            ("too long a message", b"\0\0\0\0\x100123456789abcdef", Err(Rejection::BodyTooLarge { limit: 20 })),
            ("the longest of all", b"\0\xff\xff\xff\xff", Err(Rejection::BodyTooLarge { limit: 20 })),
            ("two messages", b"\0\0\0\0\x01a\0\0\0\0\x01b", Err(Rejection::StreamingUnsupported)),
            ("two empty ones", b"\0\0\0\0\0\0\0\0\0\0", Err(Rejection::StreamingUnsupported)),
            ("a message and a byte", b"\0\0\0\0\x01a\0", Err(Rejection::StreamingUnsupported)),
        ] {
            for chunk in [1, 2, 3, 5, 7, 100] {
                assert_eq!(judged(body, chunk), expected, "{what} in pieces of {chunk}");
            }
        }
    }

    #[test]
    fn only_the_content_type_of_grpc_is_grpc() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
            assert_eq!(is_grpc(&headers), expected, "{content_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
