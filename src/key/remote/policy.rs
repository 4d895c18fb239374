//! Which URLs keys are fetched from, decided before anything is fetched.
//!
//! What parsers of URLs are known to disagree on is refused on the raw text, so that the host which is judged is the host that is asked.

use http::Uri;

use crate::key::{HostRule, KeyError, KeyForm, KeyQuery};

const MAX_URL: usize = 2048;

/// The URL of the query, if keys may come from there.
pub(super) fn judge(query: &KeyQuery) -> Result<Uri, KeyError> {
    let url = query.url();
    if url.len() > MAX_URL {
        return refuse("the URL is too long");
    }
    if !url.bytes().all(may_be_in_urls) {
        return refuse("the URL has characters that belong in none");
    }
    let rest = url.strip_prefix("https://").ok_or(KeyError::Forbidden { why: "the URL is not https" })?;
    if rest.contains('#') {
        return refuse("the URL has a fragment");
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return refuse("the URL has a user name");
    }
    let (host, port) = match authority.split_once(':') {
        None => (authority, None),
        Some((host, port)) => (host, Some(port)),
    };
    if !is_name(host) {
        return refuse("the URL's host is no domain name");
    }
    if let KeyForm::Certificate { hosts, .. } = query.form() {
        if !hosts.iter().any(|rule| allows(rule, host)) {
            return refuse("the URL's host is not one of the provider's");
        }
        if port.is_some() {
            return refuse("the URL has a port");
        }
        // Hosts that serve certificates also serve what anyone may have written: SNS's own API answers signed `GET` requests with
        // names that its users choose.
        if rest.contains('?') {
            return refuse("the URL has a query");
        }
        // Each spelling of a URL is remembered apart, so that many spellings of one would push out what is in use. Providers use one.
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return refuse("the URL's host is not in lower case");
        }
        if rest.contains('%') || rest.contains("//") || rest.split('/').any(|part| part == "." || part == "..") {
            return refuse("the URL's path is not in its plainest form");
        }
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Some(number),
            _ => return refuse("the URL's port is none"),
        },
    };
    match url.parse::<Uri>() {
        Ok(uri) if uri.scheme_str() == Some("https") && uri.host() == Some(host) && uri.port_u16() == port => Ok(uri),
        _ => refuse("the URL can be read in two ways"),
    }
}

fn refuse<T>(why: &'static str) -> Result<T, KeyError> {
    Err(KeyError::Forbidden { why })
}

/// The characters of RFC 3986, appendix A. Backslashes, blanks and everything that is not ASCII are none of them.
fn may_be_in_urls(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// A name as it is in the domain name system, and not an address: all ways in which programs write IPv4 addresses end with a part that begins
/// with a digit (`127.1`, `2130706433`, `0x7f.1`), which no top-level domain does (RFC 3696 section 2). A dot at the end is refused too.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253 && host.split('.').all(label) && last.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn allows(rule: &HostRule, host: &str) -> bool {
    match rule {
        HostRule::Exact(name) => host.eq_ignore_ascii_case(name),
        HostRule::Suffix(suffix) => {
            suffix.starts_with('.') && without_end(host, suffix).is_some_and(|subdomain| !subdomain.is_empty())
        }
        HostRule::Region { before, after } => {
            let label = without_end(host, after).and_then(|rest| without_start(rest, before));
            before.ends_with('.') && after.starts_with('.') && label.is_some_and(is_region)
        }
    }
}

/// Words of letters and a number, as `us-gov-west-1`. Names that others can have are of other shapes: `s3-us-west-2` has a digit in its first word, and
/// `sns.s3.amazonaws.com` belongs to whoever has the bucket `sns`.
fn is_region(label: &str) -> bool {
    let words: Vec<&str> = label.split('-').collect();
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let Some((number, words)) = words.split_last() else { return false };
    words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.len() <= 2
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_end<'a>(host: &'a str, end: &str) -> Option<&'a str> {
    let (rest, found) = host.split_at_checked(host.len().checked_sub(end.len())?)?;
    found.eq_ignore_ascii_case(end).then_some(rest)
}

fn without_start<'a>(host: &'a str, start: &str) -> Option<&'a str> {
    let (found, rest) = host.split_at_checked(start.len())?;
    found.eq_ignore_ascii_case(start).then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn certificate(url: &str, rules: &[HostRule]) -> KeyQuery {
        KeyQuery {
            url: url.into(),
            id: None,
            form: KeyForm::Certificate { hosts: Arc::from(rules), name: Box::default() },
        }
    }

    fn constant(url: &str) -> KeyQuery {
        KeyQuery { url: url.into(), id: None, form: KeyForm::JwkSet }
    }

    fn rules() -> [HostRule; 3] {
        [
            HostRule::Exact("keys.provider.example".into()),
            HostRule::Suffix(".paypal.com".into()),
            HostRule::Region { before: "sns.".into(), after: ".amazonaws.com".into() },
        ]
    }

    const PIECES: &[&str] = &[
        "", "", "", "/", "/", "a", "a.", ".", "paypal", ".com", "sns.", ".evil", "\\", "@", ":", ":443", "?", "#",
        "%2e", "%00", "[", "]", "::1", "127.1", "0x7f", " ", "\t", "\u{430}", "-", "//",
    ];

    #[test]
    fn urls_on_the_hosts_of_the_provider_are_accepted() {
        for url in [
            "https://keys.provider.example/a.pem",
            "https://keys.provider.example",
            "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594",
            "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42",
            "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
            "https://sns.us-west-2.amazonaws.com/a_b@c:d.pem",
        ] {
            let uri = judge(&certificate(url, &rules()));
            assert!(uri.is_ok(), "{url}: {uri:?}");
        }
    }

    #[test]
    fn every_other_url_is_refused_whatever_it_looks_like() {
        let long = format!("https://api.paypal.com/{}", "a".repeat(MAX_URL));
        let wide = format!("https://{}.paypal.com/", "a".repeat(64));
        for url in [
            "",
            "https://",
            "https://API.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.paypal.com/v1/notifications/certs/%43ERT-1",
            "https://api.paypal.com/v1//notifications/certs/CERT-1",
            "https://api.paypal.com/v1/./notifications/certs/CERT-1",
            "https://api.paypal.com/v1/x/../notifications/certs/CERT-1",
            "https:///a.pem",
            "https:/api.paypal.com/",
            "https:api.paypal.com/",
            "//api.paypal.com/",
            "api.paypal.com",
            "http://api.paypal.com/",
            "HTTPS://api.paypal.com/",
            "ftp://api.paypal.com/",
            "file:///etc/passwd",
            "data:text/plain,x",
            "https://evil.example/",
            "https://paypal.com/",
            "https://.paypal.com/",
            "https://evilpaypal.com/",
            "https://paypal.com.evil.example/",
            "https://api.paypal.com.evil.example/",
            "https://sns.us-west-2.amazonaws.com.evil.example/",
            "https://sns.amazonaws.com/",
            "https://sns..amazonaws.com/",
            "https://sns.a.b.amazonaws.com/",
            "https://evilsns.us-west-2.amazonaws.com/",
            "https://bucket.amazonaws.com/",
            "https://a.keys.provider.example/",
            "https://keys.provider.example.evil.example/",
            "https://api.paypal.com./",
            "https://api.paypal.com:443/",
            "https://api.paypal.com:8443/",
            "https://api.paypal.com:/",
            "https://api.paypal.com:80:443/",
            "https://user@api.paypal.com/",
            "https://user:password@api.paypal.com/",
            "https://api.paypal.com@evil.example/",
            "https://evil.example@api.paypal.com/",
            "https://evil.example\\@api.paypal.com/",
            "https://api.paypal.com\\.evil.example/",
            "https:\\\\api.paypal.com/",
            "https://evil.example/https://api.paypal.com/",
            "https://evil.example?.paypal.com/",
            "https://evil.example#.paypal.com/",
            "https://evil.example/.paypal.com",
            "https://api.paypal.com/a#b",
            "https://api.paypal.com/a?b",
            "https://api.paypal.com?b",
            "https://api%2epaypal.com/",
            "https://evil.example%2f.paypal.com/",
            "https://evil.example%00.paypal.com/",
            "https://api.paypal.com\u{0}.evil.example/",
            "https://api.paypal.com\u{3002}/",
            "https://\u{430}pi.paypal.com/",
            "https://api.paypal\u{ff0e}com/",
            "https://a_b.paypal.com/",
            "https://-a.paypal.com/",
            "https://a-.paypal.com/",
            " https://api.paypal.com/",
            "https://api.paypal.com/ ",
            "https://api.paypal.com/a b",
            "https://api.paypal.com/\r\nHost: evil.example",
            "https://api.\tpaypal.com/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://017700000001/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://0300.0250.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::1].paypal.com/",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/",
            &long,
            &wide,
        ] {
            let judged = judge(&certificate(url, &rules()));
            assert!(matches!(judged, Err(KeyError::Forbidden { .. })), "{url:?}: {judged:?}");
        }
    }

    #[test]
    fn rules_that_do_not_end_at_a_dot_allow_nothing() {
        for rule in [
            HostRule::Suffix("paypal.com".into()),
            HostRule::Suffix("".into()),
            HostRule::Region { before: "sns".into(), after: ".amazonaws.com".into() },
            HostRule::Region { before: "sns.".into(), after: "amazonaws.com".into() },
            HostRule::Region { before: "".into(), after: "".into() },
        ] {
            for url in ["https://evilpaypal.com/", "https://snsx.amazonaws.com/", "https://sns.xamazonaws.com/"] {
                assert!(judge(&certificate(url, std::slice::from_ref(&rule))).is_err(), "{rule:?}: {url}");
            }
        }
        assert!(judge(&certificate("https://api.paypal.com/", &[])).is_err());
    }

    #[test]
    fn urls_of_the_scheme_itself_may_have_ports_and_queries_but_no_addresses() {
        for (url, accepted) in [
            ("https://login.example/jwks", true),
            ("https://login.example:8443/jwks", true),
            ("https://login.example:443/jwks", true),
            ("https://login.example/jwks?tenant=1", true),
            ("https://login/jwks", true),
            ("https://login.example:0/jwks", false),
            ("https://login.example:+443/jwks", false),
            ("https://login.example:65536/jwks", false),
            ("https://login.example/{kid}", false),
            ("https://10.0.0.1/jwks", false),
            ("https://u@login.example/jwks", false),
            ("http://login.example/jwks", false),
        ] {
            assert_eq!(judge(&constant(url)).is_ok(), accepted, "{url}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_text_panics(url in "\\PC*", bytes in any::<Vec<u8>>()) {
            let text = String::from_utf8_lossy(&bytes);
            for url in [&url, &format!("https://{url}"), &format!("https://{text}"), &format!("https://{url}.paypal.com")] {
                let _ = judge(&certificate(url, &rules()));
                let _ = judge(&constant(url));
            }
        }

        /// A host, good or not, among pieces that make URLs hard to read.
        #[test]
        fn the_host_that_is_asked_is_always_one_of_the_provider(
            before in prop::sample::subsequence(PIECES, 0..3),
            host in prop::sample::select(&["api.paypal.com", "sns.eu-west-1.amazonaws.com", "keys.provider.example", "evil.example"]),
            after in prop::sample::subsequence(PIECES, 0..4).prop_shuffle(),
        ) {
            let url = ["https://", &before.concat(), host, &after.concat()].concat();
            if let Ok(uri) = judge(&certificate(&url, &rules())) {
                let host = uri.host().unwrap().to_ascii_lowercase();
                let sns = host.strip_prefix("sns.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
                prop_assert!(
                    host == "keys.provider.example"
                        || host.ends_with(".paypal.com")
                        || sns.is_some_and(|label| !label.contains('.')),
                    "{url} -> {host}"
                );
                prop_assert_eq!(uri.scheme_str(), Some("https"));
                prop_assert_eq!(uri.authority().unwrap().as_str().to_ascii_lowercase(), host);
                prop_assert!(uri.query().is_none());
            }
        }
    }
}
