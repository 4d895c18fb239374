//! Sizes, framing, codings and pace of bodies: group B of the catalogue.

use std::time::{Duration, Instant};

use axum::{Json, routing::post};
use bytes::Bytes;
use tower_webhook::layer::BufferBodyLayer;

use crate::{
    deliveries::{BODY, NOW, Provider, standard},
    server::{Act, MAX_BODY, Outcome::*, Site, assert_is_refusal, check},
    wire::{Connection, Raw, StreamAnswer, raw_http2},
};

const STANDARD: Provider = Provider::Standard;

fn base() -> Raw {
    STANDARD.base()
}

fn of(body: impl AsRef<[u8]>) -> Raw {
    standard("msg_1", "1800000000", body)
}

#[tokio::test]
async fn the_limit_is_the_last_byte_that_is_let_through() {
    let (fits, does_not) = (of(vec![b'x'; MAX_BODY]), of(vec![b'x'; MAX_BODY + 1]));
    for (case, request, expected) in [
        ("B-01 1 MiB", fits.clone(), Handled),
        ("B-01 1 MiB and a byte", does_not.clone(), Refused(413)),
        ("B-04 1 MiB in one chunk", fits.chunked(MAX_BODY), Handled),
        ("B-04 1 MiB and a byte in one chunk", does_not.clone().chunked(MAX_BODY + 1), Refused(413)),
        ("B-04 1 MiB and a byte in many chunks", does_not.chunked(64), Refused(413)),
    ] {
        check(case, STANDARD, &request, expected).await;
    }
}

#[tokio::test]
async fn bodies_may_be_cut_into_any_number_of_chunks() {
    const CHUNKS: usize = 200_000;
    let request = of(vec![b'x'; CHUNKS]);
    let extended = [&b"1;extension\r\nx\r\n".repeat(CHUNKS)[..], b"0\r\n\r\n"].concat();
    for (case, max, request, expected) in [
        ("B-04 200,000 chunks of a byte", CHUNKS, request.clone().chunked(1), Handled),
        ("B-04 200,000 chunks of a byte, one too many", CHUNKS - 1, request.clone().chunked(1), Refused(413)),
        // hyper counts the bytes of extensions, and takes 16 KiB of them.
        (
            "B-04 200,000 chunks with extensions",
            CHUNKS,
            request.header("Transfer-Encoding", "chunked").framed(extended),
            Refused(400),
        ),
    ] {
        // So many chunks take their time on a busy machine.
        let minute = Duration::from_secs(60);
        let site = Site::with(STANDARD, |builder| builder.max_body(max).body_timeout(minute)).await;
        let reply = site.send(&request).await;
        site.judge(case, &request, Some(&reply), expected);
        site.assert_still_serves(case).await;
    }
}

#[tokio::test]
async fn what_is_announced_too_large_is_refused_before_it_comes() {
    for (case, length) in [
        ("B-02 1 MiB and a byte", "1048577"),
        ("B-03 10 TB", "10000000000000"),
        ("B-03 as much as can be announced", "18446744073709551613"),
    ] {
        let idle = Duration::from_secs(8);
        let site = Site::with(STANDARD, |builder| builder.idle_timeout(idle)).await;
        let request = base().header("Content-Length", length).framed("");
        let mut connection = Connection::open(site.address).await;
        let start = Instant::now();
        let reply = connection.exchange(&request).await;
        assert!(start.elapsed() < idle / 4, "{case}: {:?}", start.elapsed());
        site.judge(case, &request, reply.as_ref(), Refused(413));
        assert_eq!(reply.unwrap().header("connection"), Some("close"), "{case}");
        assert!(connection.is_closed().await, "{case}");
        site.assert_still_serves(case).await;
    }
    let request = base().header("Transfer-Encoding", "chunked").framed("ffffffffffffffff1\r\n");
    check("B-03 a chunk of more than 64 bits", STANDARD, &request, Refused(400)).await;
}

#[tokio::test]
async fn nobody_is_told_to_continue_who_will_be_refused() {
    let expecting = |request: Raw| request.header("Expect", "100-continue");
    for (case, request, expected) in [
        ("B-05a no signature", base().without("webhook-signature"), 401),
        ("B-05a malformed id", base().set("webhook-id", "."), 400),
        ("B-05b stale", standard("msg_1", "1700000000", BODY), 401),
        ("B-05c too large", base().header("Content-Length", "1048577").framed(""), 413),
        ("wrong method", base().method("PUT"), 405),
        ("encoded", base().header("Content-Encoding", "br"), 415),
    ] {
        let site = Site::start(STANDARD).await;
        let mut connection = Connection::open(site.address).await;
        let request = expecting(request);
        connection.send(request.head()).await;
        let reply = connection.reply().await.unwrap();
        assert!(!reply.was_told_to_continue, "{case}");
        site.judge(case, &request, Some(&reply), Refused(expected));
        site.assert_still_serves(case).await;
    }

    let site = Site::start(STANDARD).await;
    let mut connection = Connection::open(site.address).await;
    connection.send(expecting(base()).head()).await;
    assert!(connection.is_told_to_continue().await, "B-05 all fine");
    connection.send(BODY).await;
    let reply = connection.reply().await;
    site.judge("B-05 all fine", &base(), reply.as_ref(), Handled);

    check("B-05e another expectation is ignored", STANDARD, &base().header("Expect", "x"), Handled).await;
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let idle = Duration::from_millis(200);
    for (case, sent) in
        [("B-06 after 10 bytes", 10), ("B-06 before the first byte", 0), ("B-06 before the last byte", 20)]
    {
        let site = Site::with(STANDARD, |builder| builder.idle_timeout(idle)).await;
        let mut connection = Connection::open(site.address).await;
        let start = Instant::now();
        let reply = connection.exchange(&base().cut(sent)).await;
        assert!((idle..idle * 20).contains(&start.elapsed()), "{case}: {:?}", start.elapsed());
        site.judge(case, &base(), reply.as_ref(), Refused(408));
        assert_eq!(reply.unwrap().header("connection"), Some("close"), "{case}");
        assert!(connection.is_closed().await, "{case}");
        site.assert_still_serves(case).await;
    }
}

#[tokio::test]
async fn a_body_that_never_stops_is_given_up_too() {
    let total = Duration::from_millis(900);
    let site = Site::with(STANDARD, |builder| builder.idle_timeout(Duration::from_secs(5)).body_timeout(total)).await;
    let request = of(vec![b'x'; MAX_BODY]);
    let mut connection = Connection::open(site.address).await;
    let start = Instant::now();
    connection.send(request.head()).await;
    while connection.is_silent_for(Duration::from_millis(50)).await {
        connection.send("x").await;
        assert!(start.elapsed() < total * 5, "B-07: still read after {:?}", start.elapsed());
    }
    assert!(start.elapsed() >= total, "B-07: {:?}", start.elapsed());
    let reply = connection.reply().await;
    site.judge("B-07", &request, reply.as_ref(), Refused(408));
    site.assert_still_serves("B-07").await;
}

#[tokio::test]
async fn a_body_that_is_merely_slow_is_waited_for() {
    let site = Site::with(STANDARD, |builder| builder.idle_timeout(Duration::from_secs(1))).await;
    let mut connection = Connection::open(site.address).await;
    connection.send(base().head()).await;
    // Longer than the idle timeout as a whole.
    for byte in BODY.as_bytes().chunks(1) {
        assert!(connection.is_silent_for(Duration::from_millis(60)).await);
        connection.send(byte).await;
    }
    let reply = connection.reply().await;
    site.judge("one byte at a time", &base(), reply.as_ref(), Handled);
    site.assert_still_serves("one byte at a time").await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_body() {
    let site = Site::start(STANDARD).await;
    let mut connection = Connection::open(site.address).await;
    connection.send(base().cut(10).bytes()).await;
    connection.finish().await;
    let reply = connection.reply().await;
    site.judge("B-10 FIN", &base(), reply.as_ref(), Refused(400));
    assert!(connection.is_closed().await, "B-10 FIN");
    site.assert_still_serves("B-10 FIN").await;

    let site = Site::start(STANDARD).await;
    let mut connection = Connection::open(site.address).await;
    connection.send(base().cut(10).bytes()).await;
    site.until("10 bytes are held", |site| site.budget.held() == 10).await;
    connection.reset();
    site.until("they are not held any more", |site| site.budget.held() == 0).await;
    assert_eq!((site.calls(), site.nonces.len()), (0, 0), "B-10 RST");
    site.assert_still_serves("B-10 RST").await;
}

#[tokio::test]
async fn streams_that_are_not_as_long_as_announced_are_errors() {
    let signature = base().value("webhook-signature");
    for (case, length, expected) in [
        ("the announced length", "21", StreamAnswer::Response),
        ("B-11 less than announced", "22", StreamAnswer::Error),
        ("B-11 much less than announced", "1000", StreamAnswer::Error),
        ("B-11 more than announced", "10", StreamAnswer::Error),
        ("B-11 something where nothing was announced", "0", StreamAnswer::Error),
    ] {
        let site = Site::start(STANDARD).await;
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "hooks.test"),
            (":path", "/hook"),
            ("content-length", length),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1800000000"),
            ("webhook-signature", &signature),
        ];
        assert_eq!(raw_http2(site.address, &fields, BODY.as_bytes()).await, expected, "{case}");
        let seen = usize::from(expected == StreamAnswer::Response);
        assert_eq!((site.calls(), site.nonces.len()), (seen, seen), "{case}");
        site.assert_still_serves(case).await;
    }
}

#[tokio::test]
async fn encoded_bodies_are_refused_whatever_was_signed() {
    // The base body, compressed by another implementation.
    const GZIP: &[u8] = &[
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x2a, 0xa9, 0x2c, 0x48, 0x55, 0xb2,
        0x52, 0x2a, 0xc8, 0xcc, 0x4b, 0x57, 0xd2, 0x51, 0xca, 0x53, 0xb2, 0x32, 0xac, 0x05, 0x00, 0xa4, 0xe4, 0x0f,
        0x06, 0x15, 0x00, 0x00, 0x00,
    ];
    let encoded = |coding: &str| base().header("Content-Encoding", coding);
    for (case, request, expected) in [
        ("B-13 signed as sent", of(GZIP).header("Content-Encoding", "gzip"), Refused(415)),
        ("B-13 signed before compression", encoded("gzip").body(GZIP), Refused(415)),
        ("compressed without saying so", of(GZIP), Handled),
        ("B-15 identity", encoded("identity"), Handled),
        ("B-15 Identity", encoded("Identity"), Handled),
        ("B-15 gzip, gzip", encoded("gzip, gzip"), Refused(415)),
        ("B-15 gzip, identity", encoded("gzip, identity"), Refused(415)),
        ("B-15 identity and gzip", encoded("identity").header("Content-Encoding", "gzip"), Refused(415)),
        ("B-15 x-gzip", encoded("x-gzip"), Refused(415)),
        ("B-15 GZIP", encoded("GZIP"), Refused(415)),
        ("B-15 deflate", encoded("deflate"), Refused(415)),
        ("B-15 br", encoded("br"), Refused(415)),
        ("B-15 zstd", encoded("zstd"), Refused(415)),
        ("B-15 unknown", encoded("unknown"), Refused(415)),
        ("B-15 not ASCII", encoded("gzïp"), Refused(415)),
    ] {
        check(case, STANDARD, &request, expected).await;
    }
}

#[tokio::test]
async fn an_empty_body_is_the_same_in_every_framing() {
    for (signing, empty, expected) in [("", of(""), Handled), (", not signed so", base().body(""), Refused(401))] {
        for (case, request) in [
            ("B-17 a length of 0", empty.clone()),
            ("B-17 no length", empty.clone().framed("")),
            ("B-17 chunks", empty.clone().chunked(1)),
        ] {
            check(&format!("{case}{signing}"), STANDARD, &request, expected).await;
        }
    }
}

#[tokio::test]
async fn a_handler_need_not_read_the_body() {
    let site = Site::start(STANDARD).await;
    site.handler.next(Act::LeaveUnread);
    let mut connection = Connection::open(site.address).await;
    let unread = of(vec![b'x'; MAX_BODY]);
    let reply = connection.exchange(&unread).await.unwrap();
    assert_eq!((reply.status.as_u16(), site.calls(), site.nonces.len()), (200, 1, 1), "B-18");
    let reply = connection.exchange(&STANDARD.another(NOW)).await.unwrap();
    assert_eq!((reply.status.as_u16(), site.calls()), (200, 2), "B-18 the next on the same connection");
}

#[tokio::test]
async fn bodies_may_be_buffered_more_than_once() {
    for length in [0, 1, MAX_BODY, MAX_BODY + 1] {
        let site = Site::with_routes(STANDARD, |routes, builder| {
            let buffer = || BufferBodyLayer::new().max_body(MAX_BODY);
            routes.layer(builder.build().unwrap()).layer(buffer()).layer(buffer())
        })
        .await;
        let request = of(vec![b'x'; length]);
        let reply = site.send(&request).await;
        let case = format!("B-19 {length} bytes");
        if length <= MAX_BODY {
            site.judge(&case, &request, Some(&reply), Handled);
        } else {
            // No layer for words is outside those that refuse.
            assert_eq!((reply.status.as_u16(), site.calls()), (413, 0), "{case}");
        }
        site.assert_still_serves(&case).await;
    }
}

#[tokio::test]
async fn extractors_get_the_bytes_that_were_verified() {
    let site = extracting_site(MAX_BODY).await;
    let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(MAX_BODY - 11));
    // Written as `serde_json` would, which orders keys.
    let short = r#"{"n":1,"type":"ping"}"#;
    for (id, body) in [("short", short), ("long", &long)] {
        for path in ["/bytes", "/string", "/json"] {
            let request = standard(format!("{id}_{}", &path[1..]), "1800000000", body).target(path);
            assert_eq!(site.send(&request).await.body, body, "B-19 {id} {path}");
        }
    }
    assert_eq!(long.len(), MAX_BODY);
    site.assert_still_serves("B-19").await;
}

#[tokio::test]
async fn the_limit_of_the_layer_is_the_only_one() {
    let site = extracting_site(4 * MAX_BODY).await;
    let body = format!(r#"{{"long":"{}"}}"#, "x".repeat(3 * MAX_BODY));
    for path in ["/bytes", "/string", "/json"] {
        let request = standard(&path[1..], "1800000000", &body).target(path);
        let reply = site.send(&request).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, body.len()), "B-19 {path}");
    }
}

async fn extracting_site(max_body: usize) -> Site {
    Site::with_routes(STANDARD, |routes, builder| {
        routes
            .route("/bytes", post(|body: Bytes| async { body }))
            .route("/string", post(|body: String| async { body }))
            .route("/json", post(|Json(body): Json<serde_json::Value>| async { Json(body) }))
            .layer(builder.max_body(max_body).budget(tower_webhook::body::BodyBudget::process()).build().unwrap())
    })
    .await
}

#[tokio::test]
async fn refusals_of_a_body_that_is_still_coming_end_the_connection() {
    for (case, request, status) in [
        ("too large", of(vec![b'x'; MAX_BODY + 1]).chunked(4096), 413),
        ("a coding", base().header("Transfer-Encoding", "gzip, chunked").framed("15\r\n"), 400),
    ] {
        let site = Site::start(STANDARD).await;
        let mut connection = Connection::open(site.address).await;
        let reply = connection.exchange(&request).await.unwrap();
        assert_is_refusal(case, &request, &reply);
        assert_eq!((reply.status.as_u16(), reply.header("connection")), (status, Some("close")), "{case}");
        assert!(connection.is_closed().await, "{case}");
        site.assert_still_serves(case).await;
    }
}
