//! What hyper does and does not do: the facts that the layers start from, each in a test of its own, so that an upgrade that
//! changes one is noticed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use serde::{Deserialize, Serialize};

use crate::{
    server::serve,
    wire::{Connection, Raw, Reply, StreamAnswer, exchange, exchange_http2, http2, raw_http2},
};

/// A server without any of our layers.
struct Bare {
    address: std::net::SocketAddr,
    running: Arc<AtomicUsize>,
}

/// What arrived at the handler.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Arrived {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    /// `None` if it was an error.
    body: Option<String>,
    trailers: Vec<String>,
}

impl Bare {
    async fn start() -> Self {
        let running = Arc::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&running));
        Self { address: serve(app).await, running }
    }

    /// Whether so many calls run, now or soon.
    async fn comes_to_run(&self, calls: usize) -> bool {
        for _ in 0..2000 {
            if self.running.load(SeqCst) == calls {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    async fn arrived(&self, request: &Raw) -> Arrived {
        Arrived::of(&exchange(self.address, request).await.expect("an answer"))
    }

    async fn status(&self, request: &Raw) -> Option<u16> {
        exchange(self.address, request).await.map(|reply| reply.status.as_u16())
    }
}

impl Arrived {
    fn of(reply: &Reply) -> Self {
        serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("not from the handler: {reply:?}"))
    }

    fn values(&self, name: &str) -> Vec<&[u8]> {
        self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| &value[..]).collect()
    }
}

/// Does what the path says; by default, reads the body and tells what arrived.
async fn answer(State(running): State<Arc<AtomicUsize>>, request: Request) -> Response {
    struct Leaving(Arc<AtomicUsize>);
    impl Drop for Leaving {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    running.fetch_add(1, SeqCst);
    let _leaving = Leaving(running);

    let (head, body) = request.into_parts();
    match head.uri.path() {
        "/leave-body" => return ().into_response(),
        "/wait" => {
            let _ = body.collect().await;
            return std::future::pending().await;
        }
        "/wait-before-body" => return std::future::pending().await,
        "/at-most-16" => {
            let read = Limited::new(body, 16).collect().await;
            return (if read.is_ok() { "fits" } else { "does not fit" }).into_response();
        }
        _ => {}
    }
    let mut arrived = Arrived {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        ..Arrived::default()
    };
    if let Ok(body) = body.collect().await {
        arrived.trailers =
            body.trailers().into_iter().flat_map(|trailers| trailers.keys()).map(ToString::to_string).collect();
        arrived.body = Some(String::from_utf8_lossy(&body.to_bytes()).into_owned());
    }
    Json(arrived).into_response()
}

fn post(target: &str) -> Raw {
    Raw::post(target).body("0123456789")
}

#[tokio::test]
async fn clients_are_told_to_continue_when_the_body_is_polled_and_not_before() {
    let server = Bare::start().await;
    let mut connection = Connection::open(server.address).await;
    connection.send(post("/leave-body").header("Expect", "100-continue").head()).await;
    let reply = connection.reply().await.unwrap();
    assert!(!reply.was_told_to_continue && connection.is_closed().await);

    let mut connection = Connection::open(server.address).await;
    connection.send(post("/").header("Expect", "100-continue").head()).await;
    assert!(connection.is_told_to_continue().await);
    connection.send("0123456789").await;
    assert_eq!(connection.reply().await.unwrap().status, 200);
}

#[tokio::test]
async fn unread_bodies_are_skipped_if_they_are_small_and_end_the_connection_if_not() {
    let server = Bare::start().await;
    let mut connection = Connection::open(server.address).await;
    connection.send([post("/leave-body").bytes(), post("/next").bytes()].concat()).await;
    assert_eq!(connection.reply().await.unwrap().status, 200);
    assert_eq!(Arrived::of(&connection.reply().await.unwrap()).target, "/next");

    let mut connection = Connection::open(server.address).await;
    let large = Raw::post("/leave-body").body(vec![b'x'; 5_000_000]);
    assert_eq!(connection.exchange(&large).await.unwrap().status, 200);
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn handlers_are_dropped_when_the_client_hangs_up_after_its_request() {
    let server = Bare::start().await;
    let mut connection = Connection::open(server.address).await;
    connection.send(post("/wait").bytes()).await;
    assert!(server.comes_to_run(1).await);
    // Half of it: the client would still read an answer.
    connection.finish().await;
    assert!(server.comes_to_run(0).await);
}

#[tokio::test]
async fn hanging_up_is_not_noticed_while_much_of_the_body_is_left() {
    // hyper reads ahead by one buffer, and notices what it meets there.
    for (length, is_noticed) in [(10, true), (1_000_000, false)] {
        let server = Bare::start().await;
        let mut connection = Connection::open(server.address).await;
        connection.send(Raw::post("/wait-before-body").body(vec![b'x'; length]).bytes()).await;
        assert!(server.comes_to_run(1).await);
        connection.finish().await;
        if is_noticed {
            assert!(server.comes_to_run(0).await, "{length} bytes");
        } else {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(server.running.load(SeqCst), 1, "{length} bytes");
        }
    }
}

#[tokio::test]
async fn handlers_are_dropped_when_their_stream_is_reset() {
    let server = Bare::start().await;
    let mut sender = http2::<Full<Bytes>>(server.address).await;
    let request = post("/wait").over_http2().unwrap();
    let exchange = tokio::spawn(async move { sender.send_request(request).await.map(drop) });
    assert!(server.comes_to_run(1).await);
    exchange.abort();
    assert!(server.comes_to_run(0).await);
}

#[tokio::test]
async fn bodies_that_are_cut_short_are_errors() {
    let server = Bare::start().await;
    let chunked = |bytes: &[u8]| Raw::post("/").header("Transfer-Encoding", "chunked").framed(bytes);
    let extension = |length: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(length));
    for (case, request, expected) in [
        ("as announced", post("/"), Some("0123456789")),
        ("less than announced", post("/").cut(5), None),
        ("no last chunk", chunked(b"1\r\nx\r\n"), None),
        ("a bad chunk size", chunked(b"1\r\nx\r\ny\r\n"), None),
        ("a chunk size of more than 64 bits", chunked(b"ffffffffffffffff1\r\n"), None),
        ("a short chunk extension", chunked(extension(1000).as_bytes()), Some("x")),
        ("a chunk extension of more than 16 KiB", chunked(extension(17 * 1024).as_bytes()), None),
    ] {
        let mut connection = Connection::open(server.address).await;
        connection.send(request.bytes()).await;
        if expected.is_none() {
            connection.finish().await;
        }
        let arrived = Arrived::of(&connection.reply().await.unwrap());
        assert_eq!(arrived.body.as_deref(), expected, "{case}");
    }
    let fields = |length: &'static str| {
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "hooks.test"),
            (":path", "/"),
            ("content-length", length),
        ]
    };
    assert_eq!(raw_http2(server.address, &fields("2"), b"01").await, StreamAnswer::Response);
    assert_eq!(raw_http2(server.address, &fields("10"), b"01").await, StreamAnswer::Error);
    assert_eq!(raw_http2(server.address, &fields("1"), b"01").await, StreamAnswer::Error);
}

#[tokio::test]
async fn nothing_ends_a_body_that_stalls() {
    let server = Bare::start().await;
    let mut connection = Connection::open(server.address).await;
    connection.send(post("/").cut(5).bytes()).await;
    assert!(connection.is_silent_for(Duration::from_millis(500)).await);
    connection.send("56789").await;
    assert_eq!(Arrived::of(&connection.reply().await.unwrap()).body.as_deref(), Some("0123456789"));
}

#[tokio::test]
async fn a_limited_body_fails_only_once_its_bytes_arrive() {
    let server = Bare::start().await;
    let mut connection = Connection::open(server.address).await;
    connection.send(Raw::post("/at-most-16").body("0123456789abcdefg").head()).await;
    assert!(connection.is_silent_for(Duration::from_millis(200)).await);
    connection.send("0123456789abcdefg").await;
    assert_eq!(connection.reply().await.unwrap().body, "does not fit");
}

#[tokio::test]
async fn almost_any_length_may_be_announced() {
    let server = Bare::start().await;
    let announced = |length: &str| Raw::post("/").header("Content-Length", length).framed("");
    let mut connection = Connection::open(server.address).await;
    connection.send(announced("18446744073709551613").bytes()).await;
    assert!(connection.is_silent_for(Duration::from_millis(200)).await);
    assert_eq!(server.status(&announced("18446744073709551615")).await, Some(431));
    assert_eq!(server.status(&announced("18446744073709551616")).await, Some(400));
}

#[tokio::test]
async fn lengths_may_be_repeated_but_not_differ() {
    let server = Bare::start().await;
    let lengths = |first: &str, second: &str| {
        Raw::post("/").header("Content-Length", first).header("Content-Length", second).framed("0123456789")
    };
    assert_eq!(server.arrived(&lengths("10", "10")).await.body.as_deref(), Some("0123456789"));
    assert_eq!(server.status(&lengths("10", "9")).await, Some(400));
    assert_eq!(server.status(&Raw::post("/").header("Content-Length", "+2").framed("01")).await, Some(400));

    let mut connection = Connection::open(server.address).await;
    let both = Raw::post("/").header("Content-Length", "3").header("Transfer-Encoding", "chunked");
    let arrived = Arrived::of(&connection.exchange(&both.framed("1\r\nx\r\n0\r\n\r\n")).await.unwrap());
    assert_eq!((arrived.body.as_deref(), arrived.values("content-length")), (Some("x"), vec![]));
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn transfer_codings_before_chunked_are_left_in_the_body() {
    let server = Bare::start().await;
    let request = Raw::post("/").header("Transfer-Encoding", "gzip, chunked").framed("8\r\nnot gzip\r\n0\r\n\r\n");
    assert_eq!(server.arrived(&request).await.body.as_deref(), Some("not gzip"));
}

#[tokio::test]
async fn trailers_arrive() {
    let server = Bare::start().await;
    let arrived = server.arrived(&post("/").with_trailers("webhook-signature: v1\r\n")).await;
    assert_eq!((arrived.trailers, arrived.headers.len()), (vec!["webhook-signature".to_owned()], 2));
}

#[tokio::test]
async fn values_that_are_not_ascii_arrive_and_what_breaks_lines_does_not() {
    let server = Bare::start().await;
    let arrived = server.arrived(&post("/").header("x", b"caf\xe9")).await;
    assert_eq!(arrived.values("x"), [b"caf\xe9"]);
    for (name, value) in [("x", "a\0b"), ("x", "a\r\n b"), ("x", "a\rb"), ("x ", "a")] {
        assert_eq!(server.status(&post("/").header(name, value)).await, Some(400), "{name:?}: {value:?}");
    }
}

#[tokio::test]
async fn lines_may_end_without_a_carriage_return() {
    let server = Bare::start().await;
    let mut connection = Connection::open(server.address).await;
    connection.send("POST /bare HTTP/1.1\nHost: hooks.test\nContent-Length: 1\n\nx").await;
    assert_eq!(Arrived::of(&connection.reply().await.unwrap()).target, "/bare");
}

#[tokio::test]
async fn hosts_may_be_missing_or_contradict() {
    let server = Bare::start().await;
    assert_eq!(server.arrived(&post("/").without("Host")).await.values("host"), Vec::<&[u8]>::new());
    let arrived = server.arrived(&post("/").header("Host", "evil.test")).await;
    assert_eq!(arrived.values("host"), [&b"hooks.test"[..], b"evil.test"]);
    let arrived = server.arrived(&post("http://evil.test/hook")).await;
    assert_eq!((&*arrived.target, arrived.values("host")), ("http://evil.test/hook", vec![&b"hooks.test"[..]]));
}

#[tokio::test]
async fn authority_and_host_may_contradict() {
    let server = Bare::start().await;
    let mut request = post("/").over_http2().unwrap();
    request.headers_mut().insert("host", "evil.test".parse().unwrap());
    let arrived = Arrived::of(&exchange_http2(server.address, request).await.unwrap());
    assert_eq!((&*arrived.target, arrived.values("host")), ("http://hooks.test/", vec![&b"evil.test"[..]]));
}

#[tokio::test]
async fn headers_that_come_twice_arrive_twice() {
    let server = Bare::start().await;
    let arrived = server.arrived(&post("/").header("X-Id", "first").header("x-id", "second")).await;
    assert_eq!(arrived.values("x-id"), [&b"first"[..], b"second"]);
}

#[tokio::test]
async fn heads_are_bounded_in_lines_and_bytes() {
    let server = Bare::start().await;
    // Host and Content-Length are there already.
    let lines = |count: usize| (2..count).fold(post("/"), |request, n| request.header(&format!("x-{n}"), "y"));
    let long = |bytes: usize| post("/").header("x", vec![b'y'; bytes]);
    assert_eq!(server.status(&lines(100)).await, Some(200));
    assert_eq!(server.status(&lines(101)).await, Some(431));
    assert_eq!(server.status(&long(64 * 1024)).await, Some(200));
    // The limit is about 400 KiB, but what comes in one read with the end of the head is not counted.
    assert_eq!(server.status(&long(2 * 1024 * 1024)).await, Some(431));
}

#[tokio::test]
async fn targets_arrive_as_they_were_sent() {
    let server = Bare::start().await;
    for target in ["/%78?x=%2e&a=1;b", "/a/../b//c", "/?", "/a;b=c"] {
        assert_eq!(server.arrived(&post(target)).await.target, target);
    }
}
