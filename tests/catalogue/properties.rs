//! What holds whatever bytes come.

use std::panic::{AssertUnwindSafe, catch_unwind};

use http::{HeaderValue, Uri};
use proptest::{prelude::*, test_runner::TestRunner};
use tower_webhook::scheme::{Algorithm, Scheme};

use crate::{
    mutations::signs_every_byte,
    vectors::{Request, Spot, Vector, catalogue},
};

/// How often each request is changed.
const TRIES: u32 = 48;

fn valid() -> impl Iterator<Item = (&'static Scheme<'static>, Vector)> {
    catalogue().into_iter().flat_map(|(scheme, vectors)| {
        let valid = vectors.into_iter().filter(|vector| vector.expect == "valid");
        valid.map(move |vector| (scheme, vector))
    })
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig { cases: TRIES, failure_persistence: None, ..ProptestConfig::default() })
}

#[test]
fn no_single_bit_of_a_body_can_be_flipped() {
    for (scheme, vector) in valid().filter(|(scheme, vector)| signs_every_byte(scheme) && !vector.body.is_empty()) {
        let (verifier, genuine) = (vector.verifier(scheme), vector.request());
        runner()
            .run(&(0..genuine.body.len(), 0..8_u8), |(byte, bit)| {
                let mut body = genuine.body.to_vec();
                body[byte] ^= 1 << bit;
                let request = Request { body: body.into(), ..genuine.clone() };
                prop_assert!(request.verify(&verifier).is_err(), "{}: byte {byte}, bit {bit}", scheme.name);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn no_single_bit_of_a_signature_can_be_flipped() {
    for (scheme, vector) in valid() {
        let (verifier, genuine) = (vector.verifier(scheme), vector.request());
        let (Some(spot @ Spot::Header(_)), Some(signature)) =
            (genuine.signature_place(scheme), vector.signature_text(scheme))
        else {
            continue;
        };
        let text = genuine.text_at(&spot).unwrap();
        runner()
            .run(&(0..signature.len(), 0..8_u8), |(byte, bit)| {
                let mut flipped = signature.clone().into_bytes();
                flipped[byte] ^= 1 << bit;
                let Ok(flipped) = String::from_utf8(flipped) else { return Ok(()) };
                let changed = text.replace(&signature, &flipped);
                if HeaderValue::from_str(&changed).is_err() {
                    return Ok(());
                }
                let request = genuine.with_text(&spot, &text, &changed);
                prop_assert!(request.verify(&verifier).is_err(), "{}: {byte}, bit {bit}", scheme.name);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn no_single_bit_of_a_signed_header_can_be_flipped() {
    for (scheme, vector) in valid() {
        let (verifier, genuine) = (vector.verifier(scheme), vector.request());
        let signature = match genuine.signature_place(scheme) {
            Some(Spot::Header(name)) => Some(name),
            _ => None,
        };
        for name in genuine.headers_of(scheme).into_iter().filter(|name| signature.as_ref() != Some(name)) {
            let value = genuine.headers[&name].as_bytes().to_vec();
            runner()
                .run(&(0..value.len(), 0..8_u8), |(byte, bit)| {
                    let mut flipped = value.clone();
                    flipped[byte] ^= 1 << bit;
                    let Ok(flipped) = HeaderValue::from_bytes(&flipped) else { return Ok(()) };
                    let mut request = genuine.clone();
                    request.headers.insert(name.clone(), flipped);
                    prop_assert!(request.verify(&verifier).is_err(), "{}: {name}, byte {byte}, bit {bit}", scheme.name);
                    Ok(())
                })
                .unwrap();
        }
    }
}

/// Genuine requests with noise in them come further than noise alone.
#[test]
fn no_bytes_make_any_provider_panic() {
    for (scheme, vector) in valid() {
        let (verifier, genuine) = (vector.verifier(scheme), vector.request());
        let names: Vec<_> = genuine.headers.keys().cloned().collect();
        let noise = (
            any::<prop::sample::Index>(),
            prop::collection::vec(any::<u8>(), 0..40),
            any::<prop::sample::Index>(),
            prop::collection::vec(any::<u8>(), 0..40),
            "[!-~]{0,30}",
        );
        runner()
            .run(&noise, |(header, value, at, bytes, target)| {
                let mut request = genuine.clone();
                if let (false, Ok(value)) = (names.is_empty(), HeaderValue::from_bytes(&value)) {
                    let name = header.get(&names).clone();
                    let old = genuine.headers[&name].as_bytes();
                    let joined = [&old[..header.index(old.len() + 1)], value.as_bytes()].concat();
                    request.headers.insert(name, HeaderValue::from_bytes(&joined).unwrap());
                }
                let mut body = genuine.body.to_vec();
                let at = at.index(body.len() + 1);
                let end = body.len().min(at + bytes.len());
                body.splice(at..end, bytes);
                request.body = body.into();
                if let Ok(uri) = format!("/{target}").parse::<Uri>() {
                    request.uri = uri;
                }
                let judged = catch_unwind(AssertUnwindSafe(|| request.verify(&verifier).is_ok()));
                prop_assert!(judged.is_ok(), "{}: {request:?}", scheme.name);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn tokens_prove_nothing_about_the_request_and_say_so() {
    for (scheme, vector) in valid() {
        if matches!(scheme.algorithm, Algorithm::Token | Algorithm::Basic) {
            let delivery = vector.verify(scheme).unwrap();
            assert!(!delivery.id_is_signed() && !delivery.event_is_signed(), "{}", scheme.name);
        }
    }
}
