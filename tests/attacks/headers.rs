//! Headers, methods and framing: group H of the catalogue.

use crate::{
    deliveries::{BODY, Provider, standard, standard_signature},
    server::{Outcome, Outcome::*, Seen, Site, assert_is_refusal, check},
    wire::{Connection, Raw, StreamAnswer, chunks, raw_http2},
};

fn base() -> Raw {
    Provider::Standard.base()
}

fn good_signature() -> String {
    base().value("webhook-signature")
}

const GARBAGE: &str = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[tokio::test]
async fn names_of_headers_are_of_any_case() {
    let mixed = |name: &str| {
        let characters = name.chars().enumerate();
        characters.map(|(n, c)| if n % 2 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() }).collect()
    };
    for (case, request) in [
        ("H-02 upper", base().rename(str::to_ascii_uppercase)),
        ("H-02 lower", base().rename(str::to_ascii_lowercase)),
        ("H-02 mixed", base().rename(mixed)),
    ] {
        check(case, Provider::Standard, &request, Handled).await;
    }
}

#[tokio::test]
async fn a_header_that_comes_twice_is_refused() {
    let good = good_signature();
    for (case, request) in [
        ("H-04 valid, garbage", base().header("webhook-signature", GARBAGE)),
        ("H-04 garbage, valid", base().set("webhook-signature", GARBAGE).header("webhook-signature", &good)),
        ("H-04 twice the same", base().header("webhook-signature", &good)),
        ("H-05 two ids", base().header("webhook-id", "msg_2")),
        ("H-05 twice the same id", base().header("Webhook-Id", "msg_1")),
        ("H-05 two timestamps", base().header("webhook-timestamp", "1800000001")),
    ] {
        check(case, Provider::Standard, &request, Refused(400)).await;
    }
    let bad = format!("sha256={}", "0".repeat(64));
    let github = Provider::GitHub.base();
    let good = github.value("x-hub-signature-256");
    for (case, request) in [
        ("H-06 bad, good", github.clone().set("x-hub-signature-256", &bad).header("x-hub-signature-256", good)),
        ("H-06 good, bad", github.clone().header("x-hub-signature-256", &bad)),
    ] {
        check(case, Provider::GitHub, &request, Refused(400)).await;
    }
}

#[tokio::test]
async fn families_of_headers_are_not_mixed() {
    let svix = || base().rename(|name| name.replace("webhook-", "svix-"));
    let both = || {
        base()
            .header("svix-id", "msg_1")
            .header("svix-timestamp", "1800000000")
            .header("svix-signature", good_signature())
    };
    for (case, request, expected) in [
        ("H-07 the other family", svix(), Handled),
        ("H-07 both families alike", both(), Handled),
        ("H-07 ids contradict", base().header("svix-id", "msg_2"), Refused(400)),
        (
            "H-07 ids contradict, the other way",
            base().set("webhook-id", "msg_2").header("svix-id", "msg_1"),
            Refused(400),
        ),
        ("H-07 timestamps contradict", both().set("svix-timestamp", "1800000001"), Refused(400)),
        ("H-07 signatures contradict", both().set("svix-signature", GARBAGE), Refused(400)),
        ("H-07 id from the other family", base().without("webhook-id").header("svix-id", "msg_1"), Refused(401)),
        (
            "H-07 signature from the other family",
            base().without("webhook-signature").header("svix-signature", good_signature()),
            Refused(401),
        ),
    ] {
        check(case, Provider::Standard, &request, expected).await;
    }
}

#[tokio::test]
async fn a_contradiction_behind_a_repetition_is_one_too() {
    for (case, request) in [
        ("H-07 two ids in the other family", base().header("svix-id", "msg_1").header("svix-id", "msg_2")),
        (
            "H-07 two timestamps in the other family",
            base().header("svix-timestamp", "1800000000").header("svix-timestamp", "1800000001"),
        ),
        (
            "H-07 two signatures in the other family",
            base().header("svix-signature", good_signature()).header("svix-signature", GARBAGE),
        ),
        (
            "H-07 two ids in the first family, and all else in the other",
            base()
                .rename(|name| name.replace("webhook-", "svix-"))
                .header("webhook-id", "msg_1")
                .header("webhook-id", "msg_2"),
        ),
    ] {
        check(case, Provider::Standard, &request, Refused(400)).await;
    }
}

#[tokio::test]
async fn blanks_around_values_do_not_count_and_inside_they_do() {
    let around = |name: &str, value: &str| base().set(name, format!(" \t{value}\t "));
    for (case, request, expected) in [
        ("H-08 around the signature", around("webhook-signature", &good_signature()), Handled),
        ("H-08 around the id", around("webhook-id", "msg_1"), Handled),
        ("H-08 around the timestamp", around("webhook-timestamp", "1800000000"), Handled),
        (
            "H-08 inside the signature",
            base().set("webhook-signature", good_signature().replace("v1,", "v1, ")),
            Refused(401),
        ),
        ("H-08 inside the id", standard("msg 1", "1800000000", BODY), Refused(400)),
        ("H-08 inside the timestamp", standard("msg_1", "18000 00000", BODY), Refused(400)),
    ] {
        check(case, Provider::Standard, &request, expected).await;
    }
}

#[tokio::test]
async fn values_that_are_not_ascii_are_malformed() {
    for (name, good) in [
        ("webhook-signature", good_signature()),
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", "1800000000".to_owned()),
    ] {
        for odd in [&b"\xe9"[..], b"\xff", "é".as_bytes()] {
            let request = base().set(name, [good.as_bytes(), odd].concat());
            check(&format!("H-09 {name} with {odd:x?}"), Provider::Standard, &request, Refused(400)).await;
        }
    }
}

#[tokio::test]
async fn values_that_http_forbids_are_refused_below_us() {
    for odd in ["\0", "\r", "\n", "\r\n ", "\r\n\t"] {
        let request = base().set("webhook-signature", good_signature().replacen("UgQ", odd, 1));
        check(&format!("H-10 {odd:?}"), Provider::Standard, &request, RefusedByServer(400)).await;
    }
}

#[tokio::test]
async fn long_signature_headers_are_refused_before_the_body() {
    let padded = |length: usize| format!("{} {}", good_signature(), "x".repeat(length - good_signature().len() - 1));
    for (case, value, expected) in [
        ("H-11 8,192 bytes", padded(8192), Handled),
        ("H-11 8,193 bytes", padded(8193), Refused(400)),
        ("H-11 as many signatures as fit, and a good one", "v1, ".repeat(2000) + &good_signature(), Refused(401)),
    ] {
        check(case, Provider::Standard, &base().set("webhook-signature", value), expected).await;
    }
    // HTTP/2 refuses long heads by itself.
    for (case, value) in [
        ("H-11 10,000 signatures", "v1, ".repeat(10_000)),
        ("H-11 8,193 bytes, without a body", padded(8193)),
        ("H-11 64 KiB", padded(64 * 1024)),
        ("H-11 300 KiB", padded(300 * 1024)),
    ] {
        check(case, Provider::Standard, &base().set("webhook-signature", value).cut(0), Refused(400)).await;
    }
}

#[tokio::test]
async fn ids_are_short_and_of_harmless_characters() {
    let long = "m".repeat(257);
    for (case, id, expected) in [
        ("256 bytes", &long[1..], Handled),
        ("257 bytes", &long, Refused(400)),
        ("nothing", "", Refused(400)),
        ("a tab", "msg\t1", Refused(400)),
        ("a space", "msg 1", Refused(400)),
        ("a point", "msg.1", Refused(400)),
        ("a comma", "msg,1", Refused(400)),
        ("a slash", "msg/1", Refused(400)),
        ("two points", "..", Refused(400)),
        ("an escaped zero", "msg%00", Refused(400)),
        ("4 bytes of UTF-8", "msg_🦀", Refused(400)),
        ("a control character", "msg\u{1}", RefusedByServer(400)),
        ("an id and a timestamp", "msg_1.1800000000", Refused(400)),
    ] {
        check(&format!("H-12 {case}"), Provider::Standard, &standard(id, "1800000000", BODY), expected).await;
    }
}

#[tokio::test]
async fn the_number_of_headers_is_bounded() {
    // Host, Content-Type, three of the scheme and Content-Length are there already.
    let with = |headers: usize| (6..headers).fold(base(), |request, n| request.header(&format!("x-{n}"), "value"));
    for (case, headers, expected) in
        [("H-13 64", 64, Handled), ("H-13 100", 100, Handled), ("H-13 101", 101, RefusedByServer(431))]
    {
        // HTTP/2 counts bytes, not headers.
        check(case, Provider::Standard, &with(headers).only_over_http1(), expected).await;
    }
}

#[tokio::test]
async fn lengths_are_unambiguous() {
    let lengths = |values: &[&str]| {
        values.iter().fold(base().framed(BODY), |request, value| request.header("Content-Length", value))
    };
    for (case, values, expected) in [
        ("H-14 twice equal", &["21", "21"][..], Handled),
        ("H-15 different", &["21", "22"], RefusedByServer(400)),
        ("H-15 different, the other way", &["22", "21"], RefusedByServer(400)),
        ("H-15 signed", &["+21"], RefusedByServer(400)),
        ("H-15 a list", &["21, 21"], RefusedByServer(400)),
        ("H-15 hexadecimal", &["0x15"], RefusedByServer(400)),
        ("H-15 negative", &["-1"], RefusedByServer(400)),
    ] {
        check(case, Provider::Standard, &lengths(values), expected).await;
    }
}

#[tokio::test]
async fn length_and_chunks_together_are_never_two_requests() {
    let inner = "GET /admin HTTP/1.1\r\nHost: hooks.test\r\n\r\n";
    let chunked = [&chunks(BODY.as_bytes(), 7)[..], b"0\r\n\r\n", inner.as_bytes()].concat();
    for (case, length) in [("H-16 the body's length", "21"), ("H-16 less", "6"), ("H-16 more", "200")] {
        for (order, request) in [
            ("first", base().header("Content-Length", length).header("Transfer-Encoding", "chunked")),
            ("last", base().header("Transfer-Encoding", "chunked").header("Content-Length", length)),
        ] {
            let case = format!("{case}, {order}");
            let site = Site::start(Provider::Standard).await;
            let mut connection = Connection::open(site.address).await;
            let request = request.framed(&chunked);
            let reply = connection.exchange(&request).await.expect("an answer");
            let expected = if reply.status == 400 { RefusedByServer(400) } else { Handled };
            site.judge(&case, &request, Some(&reply), expected);
            assert!(connection.is_closed().await, "{case}");
            site.judge(&case, &request, Some(&reply), expected);
            site.assert_still_serves(&case).await;
        }
    }
}

#[tokio::test]
async fn transfer_codings_other_than_chunked_are_refused() {
    let chunk = [&chunks(BODY.as_bytes(), usize::MAX)[..], b"0\r\n\r\n"].concat();
    let coded = |codings: &[&str]| {
        codings.iter().fold(base().framed(&chunk), |request, coding| request.header("Transfer-Encoding", coding))
    };
    for (case, codings, expected) in [
        ("H-17 chunked", &["chunked"][..], Handled),
        ("H-17 Chunked", &["Chunked"], Handled),
        ("H-17 gzip, chunked", &["gzip, chunked"], Refused(400)),
        ("H-17 gzip and chunked", &["gzip", "chunked"], Refused(400)),
        ("H-17 identity, chunked", &["identity, chunked"], Refused(400)),
        ("H-17 chunked, chunked", &["chunked, chunked"], Refused(400)),
        ("H-17 chunked, gzip", &["chunked, gzip"], RefusedByServer(400)),
        ("H-17 gzip", &["gzip"], RefusedByServer(400)),
    ] {
        check(case, Provider::Standard, &coded(codings), expected).await;
    }
}

#[tokio::test]
async fn trailers_are_no_headers() {
    let signature = format!("webhook-signature: {}\r\n", good_signature());
    let unsigned = base().without("webhook-signature");
    check("H-18 signature in the trailers", Provider::Standard, &unsigned.with_trailers(&signature), Refused(401))
        .await;

    let site = Site::start(Provider::Standard).await;
    let request = base().with_trailers("webhook-id: other\r\n");
    let reply = site.send(&request).await;
    site.judge("H-18 another id in the trailers", &request, Some(&reply), Handled);
    let seen = Seen::of(&reply);
    assert_eq!((seen.id.as_deref(), seen.trailers), (Some("msg_1"), vec!["webhook-id".to_owned()]));
    site.assert_still_serves("H-18").await;
}

#[tokio::test]
async fn what_is_in_a_body_is_no_request() {
    let inner = "GET /admin HTTP/1.1\r\nHost: hooks.test\r\nContent-Length: 0\r\n\r\n";
    let refusals: [(&str, Raw, Outcome); 4] = [
        ("H-19 no signature", base().without("webhook-signature"), Refused(401)),
        ("H-19 wrong signature", base().set("webhook-signature", GARBAGE), Refused(401)),
        ("H-19 malformed", base().set("webhook-id", "."), Refused(400)),
        ("H-19 encoded", base().header("Content-Encoding", "gzip"), Refused(415)),
    ];
    for (case, request, expected) in refusals {
        for (framing, request) in
            [("length", request.clone().body(inner)), ("chunks", request.clone().body(inner).chunked(inner.len()))]
        {
            check(&format!("{case}, {framing}"), Provider::Standard, &request, expected).await;
        }
    }
}

#[tokio::test]
async fn a_refused_request_leaves_its_connection_to_the_next() {
    let site = Site::start(Provider::Standard).await;
    let mut connection = Connection::open(site.address).await;
    let refused = base().without("webhook-signature").body("GET /admin HTTP/1.1\r\n\r\n");
    connection.send([refused.bytes(), base().bytes()].concat()).await;
    let reply = connection.reply().await.expect("an answer");
    assert_eq!(reply.status, 401);
    assert_is_refusal("H-19 pipelined", &refused, &reply);
    let reply = connection.reply().await;
    site.judge("H-19 pipelined, the next one", &base(), reply.as_ref(), Handled);
}

#[tokio::test]
async fn methods_other_than_post_are_refused() {
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "post", "BREW"] {
        let request = base().method(method);
        // Over HTTP/2, CONNECT has no path, and hyper's client insists on that.
        let request = if method == "CONNECT" { request.only_over_http1() } else { request };
        check(&format!("H-20 {method}"), Provider::Standard, &request, Refused(405)).await;
    }
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let request = base().method("GET").header(name, "POST");
        check(&format!("H-21 {name}"), Provider::Standard, &request, Refused(405)).await;
    }
    let request = base().method("GET").target("/hook?_method=POST");
    check("H-21 in the query", Provider::Standard, &request, Refused(405)).await;
}

#[tokio::test]
async fn headers_named_hop_by_hop_are_still_read() {
    for (case, request, expected) in [
        ("H-22 the signature", base().header("Connection", "webhook-signature"), Handled),
        ("H-22 the id and timestamp", base().header("Connection", "webhook-id, webhook-timestamp"), Handled),
        (
            "H-22 a wrong signature",
            base().set("webhook-signature", GARBAGE).header("Connection", "webhook-signature"),
            Refused(401),
        ),
    ] {
        check(case, Provider::Standard, &request, expected).await;
    }
}

#[tokio::test]
async fn malformed_streams_reach_nobody() {
    let signature = standard_signature(b"msg_1", b"1800000000", BODY.as_bytes());
    let signature = format!("v1,{signature}");
    let pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "hooks.test"), (":path", "/hook")];
    let headers =
        [("webhook-id", "msg_1"), ("webhook-timestamp", "1800000000"), ("webhook-signature", signature.as_str())];
    let [id, timestamp, signature] = headers;
    let of = |fields: &[&[(&'static str, &str)]]| -> Vec<(String, String)> {
        fields.concat().iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (case, fields, expected) in [
        ("H-23 well-formed", of(&[&pseudo, &headers]), StreamAnswer::Response),
        ("H-23 upper case", of(&[&pseudo, &[("Webhook-Id", "msg_1"), timestamp, signature]]), StreamAnswer::Error),
        ("H-23 connection", of(&[&pseudo, &headers, &[("connection", "close")]]), StreamAnswer::Error),
        ("H-23 keep-alive", of(&[&pseudo, &headers, &[("keep-alive", "1")]]), StreamAnswer::Error),
        ("H-23 transfer-encoding", of(&[&pseudo, &headers, &[("transfer-encoding", "chunked")]]), StreamAnswer::Error),
        ("H-23 upgrade", of(&[&pseudo, &headers, &[("upgrade", "h3")]]), StreamAnswer::Error),
        ("H-23 te", of(&[&pseudo, &headers, &[("te", "gzip")]]), StreamAnswer::Error),
        ("H-23 pseudo-header last", of(&[&pseudo[..3], &headers, &pseudo[3..]]), StreamAnswer::Error),
        ("H-23 pseudo-header twice", of(&[&pseudo, &pseudo[..1], &[id, timestamp, signature]]), StreamAnswer::Error),
        ("H-23 unknown pseudo-header", of(&[&pseudo, &[(":hook", "1")], &headers]), StreamAnswer::Error),
    ] {
        let site = Site::start(Provider::Standard).await;
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(raw_http2(site.address, &fields, BODY.as_bytes()).await, expected, "{case}");
        assert_eq!(site.calls(), usize::from(expected == StreamAnswer::Response), "{case}");
        site.assert_still_serves(case).await;
    }
}
