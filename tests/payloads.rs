//! Which payloads of genuine senders reach the handler.

#[path = "support/serve.rs"]
mod serve;
mod support;

use std::{
    convert::Infallible,
    fmt::Debug,
    io::Write,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{Router, routing::post};
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use serve::{ask, serve};
use support::{Answer, Calls, Sent, clock, memory, secs, send, stack, verifier, with_status};
use tokio::runtime::Runtime;
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    layer::util::{Identity, Stack},
    service_fn,
};
use tower_webhook::{
    Problem, Rejection,
    body::{ContentCoding, Verified},
    layer::{
        AllowEventsLayer, BySender, DecodeBodyLayer, EnforceTimestampLayer, JsonRules, RateLimitLayer,
        RenderRejectionsLayer, Rendered, RequireMediaTypeLayer, RunToEndLayer, ValidatePayloadBuilder,
        ValidatePayloadLayer, VerifySignatureLayer,
    },
    provider,
    store::{MemoryRateStore, Quota},
};

const CODINGS: [ContentCoding; 3] = [ContentCoding::Gzip, ContentCoding::Deflate, ContentCoding::Brotli];
const MIB: usize = 1024 * 1024;
const BAD_STRING: &str =
    "has an unfinished string, or one with a control character, a lone surrogate or another wrong escape";

#[tokio::test]
async fn media_types_are_judged_by_the_head() {
    for (content_types, is_taken) in [
        (&["application/json"][..], true),
        (&["APPLICATION/Json"], true),
        (&["application/json; charset=utf-8"], true),
        (&["application/json;charset=UTF-8"], true),
        (&["application/json ; charset=\"utf-8\""], true),
        (&["application/json; version=1; profile=\"a;charset=utf-16\""], true),
        (&["application/json;"], true),
        (&["application/cloudevents+json"], true),
        (&[], false),
        (&[""], false),
        (&["text/plain"], false),
        (&["application/json; charset=utf-16"], false),
        (&["application/json; charset=utf-8; charset=utf-16"], false),
        (&["application/json; charset=\"utf-16\""], false),
        (&["application/json; charset="], false),
        (&["application/json; charset"], false),
        (&["application/json; profile=\"a"], false),
        (&["application/jsonx"], false),
        (&["application/json+x"], false),
        (&["xapplication/json"], false),
        (&["application/vnd.acme+json"], false),
        (&["application/ json"], false),
        (&["application/json, text/plain"], false),
        (&["application/json text/plain"], false),
        (&["application/*"], false),
        (&["application/json\u{e9}"], false),
        (&["application/json", "application/json"], false),
        (&["application/json", "text/plain"], false),
    ] {
        let types = ["application/json", "application/cloudevents+json"];
        let mut head = HeaderMap::new();
        for value in content_types {
            head.append("content-type", http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let status = if is_taken { 200 } else { 415 };

        let calls = Calls::default();
        let outside = RequireMediaTypeLayer::new(types).unwrap().layer(calls.handler());
        let mut request = Request::new(NeverRead);
        *request.headers_mut() = head.clone();
        let answer = send(&outside, request).await;
        assert_eq!((answer.status.as_u16(), calls.count()), (status, usize::from(is_taken)), "{content_types:?}");

        let inside = validating(ValidatePayloadLayer::builder().media_types(types));
        let mut request = json("{}").without("content-type").request();
        request.headers_mut().extend(head);
        let answer = send(&inside, request).await;
        assert_eq!(answer.status.as_u16(), status, "{content_types:?}");
        if !is_taken {
            assert_eq!(answer.reason(), "unsupported_media_type");
            let text = r#"{"type":"about:blank","title":"Unsupported Media Type","status":415,"code":"unsupported_media_type"}"#;
            assert_eq!(answer.body, text);
        }
    }
}

#[test]
fn what_is_no_media_type_is_refused_when_built() {
    for types in [
        &[][..],
        &[""],
        &["json"],
        &["application/"],
        &["/json"],
        &["*/*"],
        &["application/*"],
        &["a/b;c=d"],
        &["a/b "],
    ] {
        assert!(RequireMediaTypeLayer::new(types).is_err(), "{types:?}");
        assert!(ValidatePayloadLayer::builder().media_types(types).build().is_err(), "{types:?}");
    }
}

#[tokio::test]
async fn hostile_json_is_refused_with_the_place_and_a_reason() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (body, pointer, reason) in [
        (String::new(), "", "ends too early"),
        ("\u{feff}{}".to_owned(), "", "must not start with a byte order mark"),
        ("[".repeat(10 * MIB), &*"/0".repeat(64), "is nested too deeply"),
        (r#"{"a":"#.repeat(MIB / 5), &"/a".repeat(64), "is nested too deeply"),
        (deep(100_000), &"/0".repeat(64), "is nested too deeply"),
        (r#"{"a":1,"b":{"c":2,"c":3}}"#.to_owned(), "/b/c", "is there more than once"),
        (r#"{"type":"invoice.paid","ty\u0070e":"invoice.void"}"#.to_owned(), "/type", "is there more than once"),
        (format!(r#"{{"n":1{}}}"#, "0".repeat(100_000)), "/n", "has too many digits"),
        (r#"{"n":1e400}"#.to_owned(), "/n", "is too large a number"),
        (r#"{"n":1e999999999}"#.to_owned(), "/n", "has an exponent of more than three digits"),
        (r#"{"s":"\ud800"}"#.to_owned(), "/s", BAD_STRING),
        (r#"{"s":"\udc00\ud800"}"#.to_owned(), "/s", BAD_STRING),
        (r#"{"\ud800":1}"#.to_owned(), "", BAD_STRING),
        ("{\"s\":\"a\nb\"}".to_owned(), "/s", BAD_STRING),
        (r#"{"a":1}{"b":2}"#.to_owned(), "", "must not be followed by anything"),
        (r#"{"a":[1,2,]}"#.to_owned(), "/a/2", "is not a JSON value"),
        ("{'a':1}".to_owned(), "", "has a key that is not a string"),
        ("a=1&b=2".to_owned(), "", "is not a JSON value"),
    ] {
        let shown = &body[..body.len().min(40)];
        let answer = send(&validating(ValidatePayloadLayer::builder()), json(body.clone()).request()).await;
        assert_eq!(answer.rejection, Some(Problem::new(pointer.to_owned(), reason).into()), "{shown}");
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (422, &"application/problem+json".parse().unwrap())
        );
        let errors = json!([{"pointer": pointer, "detail": reason}]);
        let expected = json!({"type": "about:blank", "title": "Unprocessable Content", "status": 422, "code": "invalid_payload", "errors": errors});
        assert_eq!(told, expected, "{shown}");
    }
    for body in [
        Bytes::from_static(b"\"\xff\""),
        Bytes::from_static(b"\xfe\xff\0{\0}"),
        Bytes::from_static(b"\"\xed\xa0\x80\""),
    ] {
        let answer = send(&validating(ValidatePayloadLayer::builder()), json(body).request()).await;
        assert_eq!(answer.reason(), "invalid_payload");
    }
}

#[tokio::test]
async fn ordinary_json_goes_on_as_it_came() {
    for body in
        [r#"{"type":"invoice.paid","amount":-1.5e3,"text":"é \ud83d\ude00 \u0000"}"#, " [ ] ", "null", "0", r#""""#]
    {
        let answer = send(&validating(ValidatePayloadLayer::builder()), json(body).request()).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, body.as_bytes()));
    }
    let loose = ValidatePayloadLayer::builder().json(JsonRules::new().allow_duplicate_keys());
    assert_eq!(send(&validating(loose), json(r#"{"a":1,"a":2}"#).request()).await.status, 200);
    let form = json("a=1&b=2").header("content-type", "application/x-www-form-urlencoded");
    let forms = ValidatePayloadLayer::builder().not_json(["application/x-www-form-urlencoded"]);
    assert_eq!(send(&validating(forms), form.request()).await.status, 200);
    for rules in [JsonRules::new().max_depth(0), JsonRules::new().max_depth(128), JsonRules::new().max_digits(0)] {
        assert!(ValidatePayloadLayer::builder().json(rules).build().is_err());
    }
}

#[test]
fn hostile_json_costs_little_memory() {
    // Of what is sent, at most so many times as much is held besides.
    for (body, factor) in [
        ("[".repeat(10 * MIB), 0.01),
        (r#"{"a":"#.repeat(MIB / 5), 0.01),
        (format!("[{}0]", "0,".repeat(MIB / 2)), 0.01),
        (format!("\"{}\"", "a".repeat(MIB / 4)), 0.01),
        ("9".repeat(MIB / 4), 0.01),
        (format!("{}1{}", "[{\"a\":".repeat(32), "}]".repeat(32)), 100.0),
        (format!("\"{}\"", "\\n".repeat(MIB / 4)), 1.01),
        (format!("{{{}\"\":0}}", (0..MIB / 64).map(|key| format!("\"{key:011}\":0,")).collect::<String>()), 8.0),
    ] {
        let sent = json(body);
        let held = memory_of(&validating(ValidatePayloadLayer::builder()), &sent);
        let most = 64.0 * 1024.0 + factor * sent_length(&sent) as f64;
        assert!(held as f64 <= most, "{held} bytes for {} that were sent", sent_length(&sent));
    }
}

#[tokio::test]
async fn answers_say_no_more_of_a_payload_than_where() {
    let long = "k".repeat(1000);
    for (body, pointer) in [
        (r#"{"<script>alert('&')</script>":nil}"#.to_owned(), "/<script>alert('&')<~1script>"),
        ("{\"\\\"\\u202e\u{2028}\\r\\n\u{1f600}\":nil}".to_owned(), "/\"\u{202e}\u{2028}\r\n\u{1f600}"),
        (format!(r#"{{"a":{{"{long}":nil}}}}"#), "/a"),
        (format!(r#"{{"{long}":nil}}"#), ""),
    ] {
        let answer = send(&validating(ValidatePayloadLayer::builder()), json(body.clone()).request()).await;
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["errors"][0]["pointer"], pointer, "{body}");
        assert!(answer.body.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"<>&'".contains(byte)), "{body}");
        assert!(answer.body.len() < 1024 && !answer.rejection.unwrap().to_string().contains('\n'), "{body}");
    }
    let grpc = json("[").header("content-type", "application/grpc");
    let answer =
        send(&validating(ValidatePayloadLayer::builder().media_types(["application/grpc"])), grpc.request()).await;
    assert_eq!(
        (answer.status, &answer.headers["grpc-status"], answer.body.len()),
        (StatusCode::OK, &"3".parse().unwrap(), 0)
    );
}

#[tokio::test]
async fn schemas_are_for_all_events_or_for_some() {
    let layer = || {
        ValidatePayloadLayer::builder()
            .schema(r#"{"type":"object","required":["type"]}"#)
            .schema_for(
                "invoice.*",
                r#"{"properties":{"amount":{"type":"integer","minimum":0}},"required":["amount"]}"#,
            )
            .schema_for("invoice.void", r#"{"properties":{"amount":{"const":0}}}"#)
    };
    for (body, problems) in [
        (r#"{"type":"user.created"}"#, &[][..]),
        (r#"{"type":"invoice.paid","amount":1}"#, &[]),
        (r#"{"type":"invoice.void","amount":0}"#, &[]),
        (r#"{"n":1}"#, &[("", "lacks a member that it must have")]),
        ("[]", &[("", "is of the wrong type")]),
        (r#"{"type":"invoice.paid"}"#, &[("", "lacks a member that it must have")]),
        (r#"{"type":"invoice.paid","amount":"1"}"#, &[("/amount", "is of the wrong type")]),
        (r#"{"type":"invoice.paid","amount":-1}"#, &[("/amount", "is too small")]),
        (r#"{"type":"invoice.void","amount":1}"#, &[("/amount", "is not one of the values that it may have")]),
    ] {
        let answer = send(&validating(layer()), json(body).request()).await;
        assert_eq!(problems_of(&answer), problems, "{body}");
    }
}

#[tokio::test]
async fn events_without_a_schema_are_refused_unless_allowed() {
    let layer = || ValidatePayloadLayer::builder().schema_for("push", r#"{"required":["ref"]}"#);
    let github = |event: &str, body: &'static str| {
        Sent::github("1", body).header("x-github-event", event).header("content-type", "application/json")
    };
    // GitHub does not sign the event: whoever carries it could turn a push into something nobody has a schema for.
    for (sent, strict, loose) in [
        (github("push", r#"{"ref":"main"}"#), 200, 200),
        (github("push", "{}"), 422, 422),
        (github("ping", "{}"), 422, 200),
        (github("push", "{}").without("x-github-event"), 422, 200),
    ] {
        let scheme = || VerifySignatureLayer::new(verifier(provider::GITHUB)).with_clock(clock());
        for (layer, status) in [(layer(), strict), (layer().allow_without_schema(), loose)] {
            let service = ServiceBuilder::new().layer(scheme()).layer(layer.build().unwrap()).service_fn(echo);
            assert_eq!(send(&service, sent.request()).await.status, status);
        }
    }
}

#[test]
fn schemas_that_reach_out_or_could_hang_are_refused_when_built() {
    for (schema, expected) in [
        (r#"{"$ref":"https://example.com/schema.json"}"#, "nothing is fetched"),
        (r#"{"$ref":"http://169.254.169.254/latest/meta-data"}"#, "nothing is fetched"),
        (r#"{"$ref":"file:///etc/passwd"}"#, "nothing is fetched"),
        (r#"{"$ref":"other.json"}"#, "nothing is fetched"),
        (r#"{"$ref":"urn:uuid:c0ffee"}"#, "nothing is fetched"),
        (r#"{"$id":"https://example.com/a","$ref":"b"}"#, "nothing is fetched"),
        (r#"{"$schema":"https://example.com/meta"}"#, "nothing is fetched"),
        (r#"{"$dynamicRef":"https://example.com/a#b"}"#, "nothing is fetched"),
        (r#"{"properties":{"a":{"items":{"$ref":"https://example.com/a"}}}}"#, "nothing is fetched"),
        (r#"{"$defs":{"unused":{"$ref":"https://example.com/a"}}}"#, "nothing is fetched"),
        (r##"{"$ref":"#/$defs/missing"}"##, "nothing is fetched"),
        (r#"{"pattern":"^(?=a)a+$"}"#, "linear time"),
        (r#"{"pattern":"^(a+)\\1$"}"#, "linear time"),
        (r#"{"patternProperties":{"^(?!x)":true}}"#, "linear time"),
        (r#"{"propertyNames":{"pattern":"(?<=a)b"}}"#, "linear time"),
        (r#"{"pattern":"(((a{100}){100}){100}){100}"}"#, "linear time"),
        (r#"{"type":"nonsense"}"#, "is not a JSON schema"),
        ("[]", "is not a JSON schema"),
        ("{", "is not JSON"),
    ] {
        let error = ValidatePayloadLayer::builder().schema(schema).build().unwrap_err().to_string();
        assert!(error.contains(expected), "{schema}: {error}");
    }
    assert!(ValidatePayloadLayer::builder().schema_for("*", "true").build().is_err());
    assert!(ValidatePayloadLayer::builder().schema("true").not_json(["text/plain"]).build().is_err());
}

#[tokio::test]
async fn neither_patterns_nor_references_hang_whatever_they_are_asked() {
    let evil = format!("{{\"type\":\"{}!\"}}", "a".repeat(100_000));
    let nested = "{\"type\":".repeat(127) + "1" + &"}".repeat(127);
    let deep = JsonRules::new().max_depth(127);
    for (schema, body, status) in [
        (r#"{"properties":{"type":{"pattern":"^(a+)+$"}}}"#, &evil, 422),
        (r#"{"properties":{"type":{"pattern":"^(a|a)*$"}}}"#, &evil, 422),
        (r#"{"properties":{"type":{"pattern":"(.*)*(.*)*x$"}}}"#, &evil, 422),
        (r##"{"$ref":"#"}"##, &evil, 200),
        (
            r##"{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##,
            &evil,
            200,
        ),
        (r##"{"anyOf":[{"type":"number"},{"properties":{"type":{"$ref":"#"}}}]}"##, &nested, 200),
        (r##"{"allOf":[{"properties":{"type":{"$ref":"#"}}},{"properties":{"type":{"$ref":"#"}}}]}"##, &nested, 200),
        (r##"{"oneOf":[{"properties":{"type":{"$ref":"#"}}},{"properties":{"type":{"$ref":"#"}}}]}"##, &nested, 422),
    ] {
        let layer = ValidatePayloadLayer::builder().json(deep).schema(schema);
        let answer = send(&validating(layer), json(body.clone()).request()).await;
        assert_eq!(answer.status, status, "{schema}");
    }
}

#[test]
fn problems_are_told_as_far_as_it_costs_little() {
    let strings = r#"{"items":{"type":"string"}}"#;
    let alternatives = r#"{"anyOf":[{"items":{"type":"string"}},{"type":"null"}]}"#;
    let tree =
        r##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"type":{"$ref":"#/$defs/node"}}}}}"##;
    let trees = r##"{"anyOf":[{"type":"null"},{"required":["a"],"properties":{"type":{"$ref":"#"}}},
        {"required":["b"],"properties":{"type":{"$ref":"#"}}}]}"##;
    let several =
        r##"{"type":"object","allOf":[{"properties":{"type":{"$ref":"#"}}},{"properties":{"type":{"$ref":"#"}}}]}"##;
    let named = r##"{"$ref":"#node","$defs":{"n":{"$anchor":"node","type":"string"}}}"##;
    let zeros = |items: usize| serde_json::to_string(&vec![0; items]).unwrap();
    let nested = "{\"type\":".repeat(60) + "1" + &"}".repeat(60);
    for (schema, body, first, count) in [
        (strings, zeros(1), ("/0", "is of the wrong type"), 1),
        (strings, zeros(1000), ("/0", "is of the wrong type"), 16),
        (strings, zeros(500_000), ("/0", "is of the wrong type"), 1),
        (alternatives, zeros(1), ("", "is none of what it may be"), 1),
        (alternatives, zeros(1000), ("", "is none of what it may be"), 1),
        (alternatives, zeros(500_000), ("", "does not match the schema"), 1),
        (tree, nested.clone(), ("", "does not match the schema"), 1),
        (several, nested.clone(), ("", "does not match the schema"), 1),
        (trees, nested.clone(), ("", "does not match the schema"), 1),
        (named, nested, ("", "does not match the schema"), 1),
    ] {
        let service = validating(ValidatePayloadLayer::builder().schema(schema));
        let sent = json(body);
        let answer = runtime().block_on(send(&service, sent.request()));
        let problems = problems_of(&answer);
        assert_eq!((problems[0], problems.len()), (first, count), "{schema}");
        let (held, length) = (memory_of(&service, &sent), sent_length(&sent));
        assert!(held <= (64 * length + 1024 * 1024) as u64, "{schema}: {held} bytes for {length}");
    }
}

#[tokio::test]
async fn a_function_is_asked_last() {
    let asked = Calls::default();
    let layer = || {
        let asked = asked.clone();
        ValidatePayloadLayer::builder().schema(r#"{"type":"object"}"#).check(move |delivery, body| {
            asked.add();
            match delivery.event() == Some("refund") && body.len() > 20 {
                true => Err(Problem::new("/amount", "is more than was paid")),
                false => Ok(()),
            }
        })
    };
    for (body, problems, times) in [
        (r#"{"type":"refund"}"#, &[][..], 1),
        (r#"{"type":"refund","amount":9}"#, &[("/amount", "is more than was paid")], 2),
        ("[]", &[("", "is of the wrong type")], 2),
        ("[", &[("/0", "ends too early")], 2),
    ] {
        let answer = send(&validating(layer()), json(body).request()).await;
        assert_eq!(problems_of(&answer), problems, "{body}");
        assert_eq!(asked.count(), times, "{body}");
    }
}

#[tokio::test]
async fn refused_payloads_are_not_remembered() {
    let (clock, calls) = (clock(), Calls::default());
    let store = memory(&clock);
    let strict = ValidatePayloadLayer::builder().schema(r#"{"required":["amount"]}"#).build().unwrap();
    let before = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(strict).build().unwrap();
    let before = before.layer(calls.handler());
    for sent in
        [json("{}"), json("["), json("{}").without("content-type"), json("{}").header("content-encoding", "gzip")]
    {
        assert!(send(&before, sent.request()).await.status.is_client_error());
    }
    assert_eq!((store.len(), calls.count()), (0, 0));

    let after = stack(provider::STANDARD_WEBHOOKS, store, &clock).then(ValidatePayloadLayer::new()).build().unwrap();
    let after = after.layer(calls.handler());
    assert!(!send(&after, json("{}").request()).await.is_duplicate());
    assert!(send(&after, json("{}").request()).await.is_duplicate());
}

#[tokio::test]
async fn strangers_learn_nothing_of_their_payloads() {
    let service = validating(ValidatePayloadLayer::builder());
    for body in ["[", "{}"] {
        let answer = send(&service, json(body).signed_with(&[support::OLD_SECRET]).request()).await;
        assert_eq!((answer.status, answer.reason()), (StatusCode::UNAUTHORIZED, "signature_mismatch"));
    }
}

#[tokio::test]
async fn encoded_bodies_are_refused_unless_their_coding_is_allowed() {
    let gzipped = gzip(b"{}");
    for (coding, allowed, status) in [
        ("gzip", &CODINGS[..], 200),
        ("GZIP", &CODINGS, 200),
        ("x-gzip", &CODINGS, 200),
        ("gzip", &[], 415),
        ("gzip", &[ContentCoding::Brotli], 415),
        ("gzip, gzip", &CODINGS, 415),
        ("gzip,", &CODINGS, 415),
        ("compress", &CODINGS, 415),
        ("zstd", &CODINGS, 415),
        ("", &CODINGS, 415),
    ] {
        let service = ServiceBuilder::new()
            .layer(verify().allow_content_codings(allowed.iter().copied()))
            .layer(DecodeBodyLayer::new())
            .layer(ValidatePayloadLayer::new())
            .service_fn(echo);
        let answer = send(&service, json(gzipped.clone()).header("content-encoding", coding).request()).await;
        assert_eq!(answer.status, status, "{coding:?} of {allowed:?}");
        let mut twice = json(gzipped.clone()).header("content-encoding", coding).request();
        twice.headers_mut().append("content-encoding", "gzip".parse().unwrap());
        assert_eq!(send(&service, twice).await.status, 415, "{coding:?} and gzip");
    }
    // What nobody decodes is not validated, whatever it would be.
    let service = verifying(ContentCoding::Gzip).layer(ValidatePayloadLayer::new()).service_fn(echo);
    let answer = send(&service, json(gzipped).header("content-encoding", "gzip").request()).await;
    assert_eq!(answer.reason(), "unsupported_content_coding");
}

#[tokio::test]
async fn what_was_sent_is_verified_and_what_was_meant_goes_on() {
    let text = br#"{"type":"invoice.paid","amount":1}"#;
    for (coding, name, encoded) in encoders().map(|(coding, name, encode)| (coding, name, encode(text))) {
        let seen: Arc<Mutex<Option<Request<Verified>>>> = Arc::default();
        let handler = service_fn({
            let seen = seen.clone();
            move |request: Request<Verified>| {
                *seen.lock().unwrap() = Some(request);
                async { Ok::<_, Infallible>(with_status(200)) }
            }
        });
        let service = verifying(coding)
            .layer(DecodeBodyLayer::new())
            .layer(AllowEventsLayer::new(["invoice.*"]).unwrap())
            .layer(ValidatePayloadLayer::new())
            .service(handler);
        let trailers = HeaderMap::from_iter([("x-checksum".parse().unwrap(), "1".parse().unwrap())]);
        let sent = json(encoded.clone()).header("content-encoding", name).header("transfer-encoding", "chunked");
        let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from(encoded))), Ok(Frame::trailers(trailers.clone()))];
        let request = sent.with_body(StreamBody::new(futures_util::stream::iter(frames)));
        assert_eq!(send(&service, request).await.status, 200, "{name}");

        let (head, body) = seen.lock().unwrap().take().unwrap().into_parts();
        assert_eq!(&body.bytes()[..], text, "{name}");
        for delivery in [body.delivery(), head.extensions.get().unwrap()] {
            let facts = (delivery.event(), delivery.id(), delivery.replay_key());
            assert_eq!(facts, (Some("invoice.paid"), Some("msg_1"), sent.delivery().replay_key()), "{name}");
        }
        assert_eq!(head.headers["content-length"], text.len().to_string(), "{name}");
        assert!(!head.headers.contains_key("content-encoding"), "{name}");
        assert!(!head.headers.contains_key("transfer-encoding"), "{name}");
        assert_eq!(body.trailers(), Some(&trailers), "{name}");

        // Signed before it was encoded.
        let mut plain = json(&text[..]).header("content-encoding", name).request();
        *plain.body_mut() = Full::new(sent_bytes(&sent));
        assert_eq!(send(&service, plain).await.status, 401, "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_to_its_end_is_refused() {
    for (coding, name, encode) in encoders() {
        let whole = encode(br#"{"type":"invoice.paid"}"#);
        let mut cases = vec![
            ("empty", Vec::new()),
            ("not encoded", br#"{"type":"invoice.paid"}"#.to_vec()),
            ("broken off", whole[..whole.len() - 1].to_vec()),
            ("half", whole[..whole.len() / 2].to_vec()),
            ("followed by something", [&whole[..], b"{}"].concat()),
            ("twice", [&whole[..], &whole[..]].concat()),
        ];
        if coding != ContentCoding::Brotli {
            let mut changed = whole.clone();
            *changed.last_mut().unwrap() ^= 1;
            cases.push(("wrong checksum or length", changed));
        }
        for (case, body) in cases {
            let service = verifying(coding).layer(DecodeBodyLayer::new()).service_fn(echo);
            let answer = send(&service, json(body).header("content-encoding", name).request()).await;
            assert_eq!(problems_of(&answer), [("", "cannot be decoded")], "{name}, {case}");
        }
        // Decoded once, and no more.
        let service =
            verifying(coding).layer(DecodeBodyLayer::new()).layer(ValidatePayloadLayer::new()).service_fn(echo);
        let answer = send(&service, json(encode(&whole)).header("content-encoding", name).request()).await;
        assert_eq!(answer.reason(), "invalid_payload", "{name} in {name}");
    }
    let raw = {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{}").unwrap();
        encoder.finish().unwrap()
    };
    let service = verifying(ContentCoding::Deflate).layer(DecodeBodyLayer::new()).service_fn(echo);
    assert_eq!(send(&service, json(raw).header("content-encoding", "deflate").request()).await.status, 422);
}

#[test]
fn bombs_cost_no_more_than_their_limit() {
    let zeros = vec![b' '; 4 * MIB];
    for (coding, name, encode) in encoders() {
        let bomb = encode(&zeros);
        for (layer, limit) in [
            (DecodeBodyLayer::new(), (bomb.len() * 100).clamp(64 * 1024, MIB)),
            (DecodeBodyLayer::new().max_decoded(1000), 1000),
            (DecodeBodyLayer::new().max_decoded(64 * MIB).max_ratio(10), (bomb.len() * 10).max(64 * 1024)),
            (DecodeBodyLayer::new().max_decoded(2 * MIB).max_ratio(usize::MAX), 2 * MIB),
        ] {
            let service = verifying(coding).layer(layer).service_fn(echo);
            let sent = json(bomb.clone()).header("content-encoding", name);
            let answer = runtime().block_on(send(&service, sent.request()));
            assert_eq!(
                (answer.status, answer.rejection),
                (StatusCode::PAYLOAD_TOO_LARGE, Some(Rejection::BodyTooLarge { limit }))
            );
            // What is decoded, grown by doubling, the window, and tables.
            let held = memory_of(&service, &sent);
            assert!(held <= (6 * limit + 512 * 1024) as u64, "{name}: {held} bytes for a limit of {limit}");
        }
    }
}

#[tokio::test]
async fn bodies_may_become_as_large_as_their_limit() {
    for (coding, name, encode) in encoders() {
        for (size, max, status) in [(1000, 1000, 200), (1001, 1000, 413), (64 * 1024, MIB, 200), (MIB, MIB, 413)] {
            let text = vec![b' '; size];
            let service = verifying(coding).layer(DecodeBodyLayer::new().max_decoded(max)).service_fn(echo);
            let answer = send(&service, json(encode(&text)).header("content-encoding", name).request()).await;
            assert_eq!(answer.status, status, "{name}: {size} of {max}");
            assert!(status != 200 || *answer.body == *text, "{name}: {size} of {max}");
        }
    }
}

#[tokio::test]
async fn windows_that_no_standard_has_are_refused() {
    // Some encoders announce up to a gibibyte, by bits that RFC 7932 reserves.
    let mut large = Vec::new();
    let parameters = BrotliEncoderParams { large_window: true, lgwin: 25, quality: 1, ..Default::default() };
    brotli::BrotliCompress(&mut &b"{}"[..], &mut large, &parameters).unwrap();
    let mut decoded = Vec::new();
    brotli::BrotliDecompress(&mut &large[..], &mut decoded).unwrap();
    assert_eq!(decoded, b"{}", "other decoders take it");
    let service = verifying(ContentCoding::Brotli).layer(DecodeBodyLayer::new()).service_fn(echo);
    let answer = send(&service, json(large).header("content-encoding", "br").request()).await;
    assert_eq!(problems_of(&answer), [("", "cannot be decoded")]);
}

#[tokio::test]
async fn each_alone_and_all_in_one_stack_in_axum_and_in_hyper() {
    let clock = clock();
    let schema = r#"{"properties":{"amount":{"type":"integer"}},"required":["amount"]}"#;
    let validate = || ValidatePayloadLayer::builder().schema(schema).build().unwrap();
    let codings = || verify().allow_content_codings(CODINGS);
    let quota = || Quota::per_minute(1000);
    let by_hand = || {
        ServiceBuilder::new()
            .layer(RenderRejectionsLayer::new())
            .layer(RequireMediaTypeLayer::new(["application/json"]).unwrap())
            .layer(codings())
            .layer(EnforceTimestampLayer::new(secs(30)).with_clock(clock.clone()))
            .layer(RateLimitLayer::new(quota(), BySender, MemoryRateStore::new()))
            .layer(DecodeBodyLayer::new())
            .layer(AllowEventsLayer::new(["invoice.*"]).unwrap())
            .layer(validate())
            .layer(RunToEndLayer::new())
    };
    let whole = || {
        stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock)
            .then(AllowEventsLayer::new(["invoice.*"]).unwrap())
            .then(validate())
            .run_to_end()
            .build()
            .unwrap()
    };
    let router = || Router::new().route("/hook", post(|body: Bytes| async { body }));
    let good = json(r#"{"type":"invoice.paid","amount":1}"#);
    let compressed = json(gzip(br#"{"type":"invoice.paid","amount":1}"#)).header("content-encoding", "gzip");
    let invalid = json(r#"{"type":"invoice.paid","amount":"1"}"#);
    let unwanted = json(r#"{"type":"user.created"}"#);
    let text = json("{}").header("content-type", "text/plain");
    let alone = || ServiceBuilder::new().layer(codings());
    for (name, address, [gzipped, refused, ignored, untyped]) in [
        (
            "media type in axum",
            serve(router().layer(RequireMediaTypeLayer::new(["application/json"]).unwrap())).await,
            [200, 200, 200, 415],
        ),
        (
            "media type in hyper",
            serve(RequireMediaTypeLayer::new(["application/json"]).unwrap().layer(service_fn(echo))).await,
            [200, 200, 200, 415],
        ),
        ("decoding in axum", serve(router().layer(alone().layer(DecodeBodyLayer::new()))).await, [200, 200, 200, 200]),
        (
            "decoding in hyper",
            serve(alone().layer(DecodeBodyLayer::new()).service_fn(echo)).await,
            [200, 200, 200, 200],
        ),
        ("payload in axum", serve(router().layer(alone().layer(validate()))).await, [415, 422, 422, 415]),
        ("payload in hyper", serve(alone().layer(validate()).service_fn(echo)).await, [415, 422, 422, 415]),
        ("all in axum", serve(router().layer(by_hand())).await, [200, 422, 200, 415]),
        ("all in hyper", serve(by_hand().service_fn(echo)).await, [200, 422, 200, 415]),
        ("the stack in axum", serve(router().layer(whole())).await, [415, 422, 200, 200]),
        ("the stack in hyper", serve(whole().layer(service_fn(echo))).await, [415, 422, 200, 200]),
    ] {
        let answer = ask(address, good.clone().id("msg_0").request()).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, &*sent_bytes(&good)), "{name}");
        for (case, sent, status) in [
            ("gzip", &compressed, gzipped),
            ("invalid", &invalid, refused),
            ("unwanted", &unwanted, ignored),
            ("text", &text, untyped),
        ] {
            let answer = ask(address, sent.request()).await;
            assert_eq!(answer.status.as_u16(), status, "{name}: {case}");
            if case == "gzip" && status == 200 && name.starts_with("all") {
                assert_eq!(answer.body, sent_bytes(&good), "{name}");
            }
        }
    }
}

/// A delivery of Standard Webhooks, said to be JSON.
fn json(body: impl Into<Bytes>) -> Sent {
    Sent::new(provider::STANDARD_WEBHOOKS, body).id("msg_1").header("content-type", "application/json")
}

fn sent_bytes(sent: &Sent) -> Bytes {
    support::now(sent.request().into_body().collect()).unwrap().to_bytes()
}

fn sent_length(sent: &Sent) -> usize {
    sent_bytes(sent).len()
}

fn verify() -> VerifySignatureLayer {
    VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock()).max_body(16 * MIB)
}

/// Verification that takes this coding, and what is inside it.
fn verifying(
    coding: ContentCoding,
) -> ServiceBuilder<Stack<VerifySignatureLayer, Stack<RenderRejectionsLayer, Identity>>> {
    ServiceBuilder::new().layer(RenderRejectionsLayer::new()).layer(verify().allow_content_codings([coding]))
}

/// A handler behind this layer, which answers with what it got.
fn validating(
    layer: ValidatePayloadBuilder,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Rendered<Full<Bytes>>>, Error = Infallible> + Clone {
    ServiceBuilder::new()
        .layer(RenderRejectionsLayer::new())
        .layer(verify())
        .layer(layer.build().unwrap())
        .service_fn(echo)
}

async fn echo<B: Body<Error: Debug>>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(request.into_body().collect().await.unwrap().to_bytes())))
}

fn problems_of(answer: &Answer) -> Vec<(&str, &str)> {
    match &answer.rejection {
        Some(Rejection::InvalidPayload { problems }) => {
            problems.iter().map(|problem| (problem.pointer(), problem.detail())).collect()
        }
        _ => Vec::new(),
    }
}

type Encode = fn(&[u8]) -> Vec<u8>;

fn encoders() -> [(ContentCoding, &'static str, Encode); 3] {
    [
        (ContentCoding::Gzip, "gzip", gzip),
        (ContentCoding::Deflate, "deflate", |text| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }),
        (ContentCoding::Brotli, "br", |text| {
            let mut encoded = Vec::new();
            let parameters = BrotliEncoderParams { quality: 5, ..Default::default() };
            brotli::BrotliCompress(&mut &text[..], &mut encoded, &parameters).unwrap();
            encoded
        }),
    ]
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// The most bytes that are held at once while a delivery is answered.
fn memory_of<S>(service: &S, sent: &Sent) -> u64
where
    S: Service<Request<Full<Bytes>>, Error: Debug> + Clone,
{
    let runtime = runtime();
    let answer = |request| drop(runtime.block_on(service.clone().oneshot(request)).unwrap());
    let request = sent.request();
    // What is made once and kept is not a request's.
    answer(request.clone());
    allocation_counter::measure(|| answer(request)).bytes_max
}

/// A body that must not be asked for.
struct NeverRead;

impl Body for NeverRead {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body is not to be read")
    }
}
