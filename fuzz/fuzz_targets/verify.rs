//! Whole requests against the whole catalogue: nothing panics, and nothing that was not signed is accepted.
//!
//! `cargo +nightly fuzz run verify`

#![no_main]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    clock::UnixTime,
    provider,
    scheme::{Algorithm, Head, Verifier},
};

fuzz_target!(|input: (u8, String, Vec<(u8, Vec<u8>)>, Vec<u8>, u64)| {
    let (which, target, values, body, now) = input;
    let scheme = provider::ALL[usize::from(which) % provider::ALL.len()];
    let Ok(verifier) = Verifier::builder(scheme)
        .public_origin("https://hooks.example.com")
        .build("whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")
    else {
        return;
    };
    let uri: Uri = target.parse().unwrap_or_default();
    let names = relevant_headers();
    let headers: HeaderMap = values
        .into_iter()
        .filter_map(|(name, value)| {
            Some((names[usize::from(name) % names.len()].clone(), HeaderValue::from_bytes(&value).ok()?))
        })
        .collect();
    let head = Head { method: &Method::POST, uri: &uri, headers: &headers };
    let verdict = verifier.verify(head, &Bytes::from(body), UnixTime::from_millis(now));
    // No fuzzer finds a MAC; a token stands in this file.
    assert!(verdict.is_err() || matches!(scheme.algorithm, Algorithm::Token | Algorithm::Basic));
});

fn relevant_headers() -> Vec<HeaderName> {
    use tower_webhook::scheme::Source;
    let named = |source: Option<Source<'static>>| match source {
        Some(Source::Header(name)) => Some(name),
        _ => None,
    };
    provider::ALL
        .iter()
        .flat_map(|scheme| {
            let time = scheme.timestamp.map(|time| time.source);
            [named(Some(scheme.signature.place)), named(time), named(scheme.id), named(scheme.event)]
        })
        .flatten()
        .filter_map(|name| name.parse().ok())
        .collect()
}
