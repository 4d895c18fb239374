//! What proxies write of those they speak for.

use std::{
    iter::Rev,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use http::{HeaderMap, HeaderName, HeaderValue, header::ValueIter};

use super::ForwardingHeader;

/// An element of `Forwarded` may hold a host name of 253 bytes besides addresses. Longer ones, in bytes, are not read.
const LONGEST: usize = 1024;

/// The elements of a list, over all its lines, from right to left.
pub(super) struct Elements<'h> {
    lines: Rev<ValueIter<'h, HeaderValue>>,
    /// What is left of the line that is being read.
    line: Option<&'h [u8]>,
}

impl<'h> Elements<'h> {
    pub(super) fn new(headers: &'h HeaderMap, name: HeaderName) -> Self {
        Self { lines: headers.get_all(name).into_iter().rev(), line: None }
    }
}

impl<'h> Iterator for Elements<'h> {
    type Item = &'h [u8];

    /// What follows the last comma, be it in a quoted string or not: if quotes counted, a stranger could leave one open further left and
    /// so change what a proxy appended. An element cut in a string has a quote too many, and is none.
    fn next(&mut self) -> Option<&'h [u8]> {
        let line = match self.line.take() {
            Some(line) => line,
            None => self.lines.next()?.as_bytes(),
        };
        let Some(comma) = memchr::memrchr(b',', line) else { return Some(line) };
        self.line = Some(&line[..comma]);
        Some(&line[comma + 1..])
    }
}

fn text(element: &[u8]) -> Option<&str> {
    let element = (element.len() <= LONGEST).then_some(element)?;
    Some(str::from_utf8(element).ok()?.trim_matches(BLANK))
}

const BLANK: [char; 2] = [' ', '\t'];

/// What the proxies say of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said<'h> {
    /// They do not speak of it.
    Nothing,
    /// What they say may mean this or that.
    Unclear,
    Text(&'h str),
}

impl<'h> Said<'h> {
    /// What a list says that each of so many proxies has appended to, if their number is known.
    pub(super) fn in_list(headers: &'h HeaderMap, name: HeaderName, proxies: Option<usize>) -> Self {
        let mut elements = Elements::new(headers, name);
        let Some(last) = elements.next() else { return Self::Nothing };
        let chosen = match (elements.next(), proxies) {
            (None, _) | (_, Some(1)) => Some(last),
            (Some(before), Some(proxies)) if proxies > 1 => [before].into_iter().chain(elements).nth(proxies - 2),
            _ => None,
        };
        chosen.and_then(text).map_or(Self::Unclear, Self::Text)
    }
}

/// Of whom a proxy speaks, and how they reached it.
pub(super) struct Node<'h> {
    pub(super) address: IpAddr,
    pub(super) proto: Option<&'h str>,
    pub(super) host: Option<&'h str>,
}

impl<'h> Node<'h> {
    /// What an element says, if it has one meaning.
    pub(super) fn read(element: &'h [u8], header: ForwardingHeader) -> Option<Self> {
        let element = text(element)?;
        match header {
            ForwardingHeader::Forwarded => forwarded(element),
            ForwardingHeader::XForwardedFor => {
                Some(Self { address: address(element, header)?, proto: None, host: None })
            }
        }
    }
}

/// An element of `Forwarded` (RFC 7239, section 4), if nothing is wrong with it and it names an address.
///
/// Escapes in quoted strings are not read: no address, protocol or host needs one.
fn forwarded(element: &str) -> Option<Node<'_>> {
    let (mut node, mut proto, mut host) = (None, None, None);
    let mut rest = element;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start_matches(BLANK);
            continue;
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after, is_good) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').map(|(value, after)| (value, after, is_plain(value)))?,
            None => {
                let (value, after) = after.split_at(after.find([';', ' ', '\t']).unwrap_or(after.len()));
                (value, after, is_token(value))
            }
        };
        rest = after.trim_start_matches(BLANK);
        if !is_good || !is_token(name) || !(rest.is_empty() || rest.starts_with(';')) {
            return None;
        }
        let known = [("for", &mut node), ("proto", &mut proto), ("host", &mut host)];
        if let Some((_, known)) = known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known))
            && known.replace(value).is_some()
        {
            return None;
        }
    }
    Some(Node { address: address(node?, ForwardingHeader::Forwarded)?, proto, host })
}

/// An address, perhaps with a port: `192.0.2.1:80`, `[2001:db8::1]:80`.
///
/// The standard library's parsers take neither octal nor hexadecimal parts, nor zones.
fn address(text: &str, header: ForwardingHeader) -> Option<IpAddr> {
    let is_port = |port: &str| match port.strip_prefix('_') {
        Some(name) => {
            let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            header == ForwardingHeader::Forwarded && !name.is_empty() && name.bytes().all(is_name_byte)
        }
        None => port.len() <= 5 && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
    };
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']')?;
        let is_good = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().ok().filter(|_| is_good).map(IpAddr::V6);
    }
    if header == ForwardingHeader::XForwardedFor
        && let Ok(address) = text.parse::<Ipv6Addr>()
    {
        return Some(IpAddr::V6(address));
    }
    let (address, is_good) = match text.split_once(':') {
        Some((address, port)) => (address, is_port(port)),
        None => (text, true),
    };
    address.parse::<Ipv4Addr>().ok().filter(|_| is_good).map(IpAddr::V4)
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_plain(quoted: &str) -> bool {
    quoted.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~') && byte != b'\\')
}
