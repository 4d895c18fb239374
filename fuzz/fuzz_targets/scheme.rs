//! Schemes from configuration: building one never panics, and one that is built signs what it verifies.
//!
//! `cargo +nightly fuzz run scheme`

#![no_main]

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use libfuzzer_sys::fuzz_target;
use tower_webhook::{
    clock::UnixTime,
    scheme::{Head, Outgoing, SchemeBuilder},
};

fuzz_target!(|input: (String, Option<String>, Option<String>, String, Vec<u8>)| {
    let (message, timestamp, id, value, body) = input;
    let mut builder = SchemeBuilder::new("fuzzed").signature("x-signature").message(message);
    // A time in the body is the sender's own, and may be any.
    if let Some(place) = timestamp.filter(|place| !place.starts_with("json:")) {
        builder = builder.timestamp(place);
    }
    if let Some(place) = id {
        builder = builder.id(place);
    }
    let Ok(scheme) = builder.build() else { return };
    let (Ok(signer), Ok(verifier)) = (scheme.signer("secret"), scheme.verifier("secret")) else { return };
    let now = UnixTime::from_secs(1_800_000_000);
    let body = Bytes::from(body);
    let request = Outgoing { id: Some(&value), now, ..Outgoing::post("https://hooks.example.com/hook", &body) };
    let Ok(headers): Result<HeaderMap, _> = signer.sign(&request) else { return };
    let uri = Uri::from_static("/hook");
    let head = Head { method: &Method::POST, uri: &uri, headers: &headers };
    assert!(verifier.verify(head, &body, now).is_ok());
});
