//! Clients that mean to keep the server busy, or leave in the middle.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{Full, StreamBody};

use crate::{
    deliveries::{BODY, NOW, Provider, standard},
    server::{Act, MAX_BODY, Outcome::*, Site, check},
    wire::{Connection, Raw, chunks, exchange_http2, http2},
};

const STANDARD: Provider = Provider::Standard;
const ZEROS: &str = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn base() -> Raw {
    STANDARD.base()
}

/// The base request over HTTP/2 with a body of these frames.
fn streamed(
    frames: impl stream::Stream<Item = Bytes> + Send + Unpin + 'static,
) -> Request<impl http_body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static> {
    let body = StreamBody::new(frames.map(|bytes| Ok(Frame::data(bytes))));
    base().over_http2().unwrap().map(|_| body)
}

#[tokio::test]
async fn memory_is_not_taken_on_the_word_of_a_length() {
    let idle = Duration::from_millis(300);
    let site = Site::with(STANDARD, |builder| builder.max_body(usize::MAX).idle_timeout(idle)).await;
    let mut connection = Connection::open(site.address).await;
    let request = base().header("Content-Length", "10000000000000").framed("0123456789");
    connection.send(request.bytes()).await;
    site.until("what came is held", |site| site.budget.held() == 10).await;
    let reply = connection.reply().await;
    site.judge("10 TB", &request, reply.as_ref(), Refused(408));
    site.assert_still_serves("10 TB").await;
}

#[tokio::test]
async fn chunks_are_judged_as_the_body_they_make() {
    let body = "x".repeat(10_000);
    let signed = standard("msg_1", "1800000000", &body);
    for size in [1, 7, 1000, 10_000] {
        let forged = signed.clone().set("webhook-signature", ZEROS);
        let other = signed.clone().body(body.replace('x', "y"));
        check(&format!("chunks of {size}"), STANDARD, &signed.clone().chunked(size), Handled).await;
        check(&format!("chunks of {size}, forged"), STANDARD, &forged.chunked(size), Refused(401)).await;
        check(&format!("chunks of {size}, other bytes"), STANDARD, &other.chunked(size), Refused(401)).await;
    }
    let chunked = |bytes: &[u8]| base().header("Transfer-Encoding", "chunked").framed(bytes);
    let chunk = chunks(BODY.as_bytes(), 100);
    for end in ["x\r\n", "-1\r\n", "+0\r\n\r\n", "0x0\r\n\r\n", "\r\n\r\n", "0\n\n"] {
        let case = format!("a last chunk of {end:?}");
        check(&case, STANDARD, &chunked(&[&chunk, end.as_bytes()].concat()), Refused(400)).await;
    }
    check(
        "a chunk longer than it says",
        STANDARD,
        &chunked(b"14\r\n{\"type\":\"ping\",\"n\":1}\r\n0\r\n\r\n"),
        Refused(400),
    )
    .await;
}

#[tokio::test]
async fn a_stream_without_an_end_is_given_up() {
    let idle = Duration::from_millis(200);
    let endless = base().header("Transfer-Encoding", "chunked").framed(chunks(BODY.as_bytes(), 7));
    let site = Site::with(STANDARD, |builder| builder.idle_timeout(idle)).await;
    let reply = site.send(&endless).await;
    site.judge("no last chunk", &endless, Some(&reply), Refused(408));
    site.assert_still_serves("no last chunk").await;

    let site = Site::with(STANDARD, |builder| builder.idle_timeout(idle)).await;
    let request = streamed(stream::iter([Bytes::from(BODY)]).chain(stream::pending()));
    let reply = exchange_http2(site.address, request).await;
    site.judge("no END_STREAM", &base(), reply.as_ref(), Refused(408));
    site.assert_still_serves("no END_STREAM").await;
}

#[tokio::test]
async fn empty_frames_are_no_progress() {
    let (idle, total) = (Duration::from_millis(300), Duration::from_secs(8));
    let site = Site::with(STANDARD, |builder| builder.idle_timeout(idle).body_timeout(total)).await;
    // h2 keeps them to itself, and the layer does not rely on that.
    let ticks = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Bytes::new(), ()))
    });
    let start = Instant::now();
    let reply = exchange_http2(site.address, streamed(Box::pin(ticks))).await;
    assert!(start.elapsed() < total, "{:?}", start.elapsed());
    site.judge("empty frames", &base(), reply.as_ref(), Refused(408));
    site.assert_still_serves("empty frames").await;
}

#[tokio::test]
async fn what_is_over_the_cap_is_refused_before_its_end() {
    let over = chunks(&vec![b'x'; MAX_BODY + 1], 64 * 1024);
    let endless = base().header("Transfer-Encoding", "chunked").framed(over);
    check("chunks without an end", STANDARD, &endless, Refused(413)).await;

    let site = Site::start(STANDARD).await;
    let frames = stream::repeat(Bytes::from(vec![b'x'; 16 * 1024]));
    let reply = exchange_http2(site.address, streamed(frames)).await;
    site.judge("frames without an end", &base(), reply.as_ref(), Refused(413));
    site.assert_still_serves("frames without an end").await;
}

#[tokio::test]
async fn trailers_are_bounded() {
    let trailers = |count: usize| (0..count).map(|n| format!("x-{n}: {}\r\n", "y".repeat(100))).collect::<String>();
    check("few trailers", STANDARD, &base().with_trailers(&trailers(10)), Handled).await;
    check("many trailers", STANDARD, &base().with_trailers(&trailers(1000)), Refused(400)).await;
    check("a broken trailer", STANDARD, &base().with_trailers("no colon\r\n"), Refused(400)).await;
}

#[tokio::test]
async fn stalled_bodies_take_no_more_than_the_budget() {
    let budget = tower_webhook::body::BodyBudget::new(100);
    let site = Site::with(STANDARD, |builder| builder.budget(budget.clone())).await;
    let mut stalled = Vec::new();
    for n in 1..=10 {
        let mut connection = Connection::open(site.address).await;
        connection.send(base().cut(10).bytes()).await;
        site.until("the bytes are held", |_| budget.held() == 10 * n).await;
        stalled.push(connection);
    }
    let reply = site.send(&base()).await;
    site.judge("the budget is used up", &base(), Some(&reply), Refused(503));
    assert_eq!(site.handler.last_reason(), Some("budget_exhausted"));
    drop(stalled);
    site.until("nothing is held", |_| budget.held() == 0).await;
    site.assert_still_serves("the budget was used up").await;
}

#[tokio::test]
async fn a_client_that_leaves_while_its_body_comes_leaves_nothing() {
    for (case, leave) in LEAVE {
        let site = Site::start(STANDARD).await;
        let mut connection = Connection::open(site.address).await;
        connection.send(base().cut(10).bytes()).await;
        site.until("its bytes are held", |site| site.budget.held() == 10).await;
        leave(connection);
        site.until("nothing is held", |site| site.budget.held() == 0).await;
        assert_eq!((site.calls(), site.nonces.len()), (0, 0), "{case}");
        site.assert_still_serves(case).await;
    }

    let site = Site::start(STANDARD).await;
    let request = streamed(stream::iter([Bytes::from_static(b"0123456789")]).chain(stream::pending()));
    let mut sender = http2(site.address).await;
    let exchange = tokio::spawn(async move { sender.send_request(request).await.map(drop) });
    site.until("its bytes are held", |site| site.budget.held() == 10).await;
    exchange.abort();
    site.until("nothing is held", |site| site.budget.held() == 0).await;
    assert_eq!((site.calls(), site.nonces.len()), (0, 0), "HTTP/2");
    site.assert_still_serves("HTTP/2").await;
}

/// How clients leave.
type Leave = fn(Connection);
const LEAVE: [(&str, Leave); 2] = [("FIN", drop), ("RST", Connection::reset)];

#[tokio::test]
async fn a_client_that_leaves_while_it_is_handled_may_come_back() {
    for (case, leave) in LEAVE {
        let site = Site::start(STANDARD).await;
        site.handler.next(Act::Hold);
        let mut connection = Connection::open(site.address).await;
        connection.send(base().bytes()).await;
        site.until("it is handled", |site| site.handler.running() == 1).await;
        assert_eq!(site.nonces.len(), 1, "{case}");
        leave(connection);
        assert_retry_is_handled(case, &site).await;
    }

    let site = Site::start(STANDARD).await;
    site.handler.next(Act::Hold);
    let mut sender = http2::<Full<Bytes>>(site.address).await;
    let request = base().over_http2().unwrap();
    let exchange = tokio::spawn(async move { sender.send_request(request).await.map(drop) });
    site.until("it is handled", |site| site.handler.running() == 1).await;
    exchange.abort();
    assert_retry_is_handled("HTTP/2", &site).await;
}

async fn assert_retry_is_handled(case: &str, site: &Site) {
    site.until("the handler is dropped", |site| site.handler.running() == 0).await;
    site.until("the reservation is given up", |site| site.nonces.is_empty()).await;
    let reply = site.send(&standard("msg_1", (NOW + 1).to_string(), BODY)).await;
    assert_eq!((reply.status.as_u16(), site.calls(), site.nonces.len()), (200, 2, 1), "{case}");
    site.assert_still_serves(case).await;
}
