//! Bodies that are no calls, by a client that sends what it likes.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::Instant;
use tower::Layer;
use tower_webhook::{
    clock::{Clock, SystemClock, UnixTime},
    scheme::{Head, Outgoing},
    tonic::GRPC,
};

use crate::{
    server::{Around, Running, serve},
    support::{Calls, SECRET, Sent, builder, clock, memory, send as send_to, verifier},
};

/// Sends frames, signed as one body, and tells how it was answered: `grpc-status`, `grpc-message`.
async fn send(server: &Running, frames: &[&'static [u8]]) -> (String, String) {
    let url = format!("http://{}/hooks.Notify/Notify", server.address);
    let body = frames.concat();
    let outgoing = Outgoing { id: Some("msg_1"), now: SystemClock.now().unwrap(), ..Outgoing::post(&url, &body) };
    let mut request = Request::post(&url)
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    request.headers_mut().unwrap().extend(GRPC.signer(SECRET).unwrap().sign(&outgoing).unwrap());
    let frames: Vec<_> =
        frames.iter().map(|frame| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(frame)))).collect();
    let request = request.body(StreamBody::new(stream::iter(frames).boxed())).unwrap();
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let response = client.request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let trailers = response.into_body().collect().await.unwrap().trailers().cloned().unwrap_or_default();
    ["grpc-status", "grpc-message"]
        .map(|name| headers.get(name).or(trailers.get(name)).map_or("", |value| value.to_str().unwrap()).to_owned())
        .into()
}

#[tokio::test]
async fn what_is_no_single_message_is_refused_however_well_it_is_signed() {
    for (name, frames, status, says) in [
        ("a message", &[&b"\0\0\0\0\x04\x0a\x02ok"[..]][..], "0", ""),
        ("in many frames", &[b"\0\0", b"\0\0\x04\x0a", b"\x02", b"ok"], "0", ""),
        ("nothing", &[], "3", "malformed_request"),
        ("half a prefix", &[b"\0\0\0"], "3", "malformed_request"),
        ("half a message", &[b"\0\0\0\0\x04\x0a\x02o"], "3", "malformed_request"),
        ("another flag", &[b"\x02\0\0\0\x04\x0a\x02ok"], "3", "malformed_request"),
        ("an endless message", &[b"\0\xff\xff\xff\xff"], "8", "body_too_large"),
        (
            "a second message",
            &[b"\0\0\0\0\x04\x0a\x02ok", b"\0\0\0\0\0"],
            "12",
            "streaming_unsupported: this endpoint takes calls with a single request message",
        ),
    ] {
        let server = serve!(Around::TheServer, |builder| builder.build());
        assert_eq!(send(&server, frames).await, (status.to_owned(), says.to_owned()), "{name}");
        let calls = usize::from(status == "0");
        assert_eq!((server.notify.calls.count(), server.nonces.len()), (calls, calls), "{name}");
    }
}

/// A message of two bytes: the number 7 in the first field.
const MESSAGE: &[u8] = b"\0\0\0\0\x02\x08\x07";

fn signed() -> Sent {
    Sent::new(GRPC, MESSAGE).id("msg_1").header("content-type", "application/grpc")
}

/// Bytes that come at once, and then nothing, for ever.
fn open(bytes: &'static [u8]) -> StreamBody<impl Stream<Item = Result<Frame<Bytes>, Infallible>>> {
    StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from_static(bytes)))]).chain(stream::pending()))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stays_open_after_its_message_is_a_stream_and_before_it_is_slow() {
    let (ms, clock) = (Duration::from_millis, clock());
    for (sent, grace, after, expected) in [
        (MESSAGE, None, ms(5000), "12"),
        (MESSAGE, Some(ms(200)), ms(200), "12"),
        // As long as the whole body may take.
        (MESSAGE, Some(Duration::MAX), ms(15_000), "12"),
        (&MESSAGE[..6], None, ms(5000), "4"),
    ] {
        let calls = Calls::default();
        let builder = builder(verifier(GRPC), memory(&clock), &clock);
        let builder = match grace {
            Some(grace) => builder.unary_grace(grace),
            None => builder,
        };
        let service = builder.build().unwrap().layer(calls.handler());
        let start = Instant::now();
        let answer = send_to(&service, signed().with_body(open(sent))).await;
        assert_eq!((answer.headers["grpc-status"].to_str().unwrap(), calls.count()), (expected, 0), "{grace:?}");
        // Timers are of whole milliseconds.
        let took = start.elapsed();
        assert!((after..after + ms(10)).contains(&took), "{grace:?}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_of_a_request_may_come_within_the_grace() {
    let (clock, calls) = (clock(), Calls::default());
    let service = builder(verifier(GRPC), memory(&clock), &clock).build().unwrap().layer(calls.handler());
    let trailers = stream::once(async {
        tokio::time::sleep(Duration::from_millis(4900)).await;
        Ok(Frame::trailers(HeaderMap::new()))
    });
    let body = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(MESSAGE)))]).chain(trailers);
    let answer = send_to(&service, signed().with_body(StreamBody::new(body.boxed()))).await;
    assert_eq!((answer.status.as_u16(), calls.count()), (200, 1));
}

/// Computed by Python: `hmac.new(key, b'msg_1.1800000000./hooks.Notify/Notify\n' + b'\0\0\0\0\4\x0a\2ok', 'sha256')`, with the bytes 1 to 32 for a key.
const SIGNATURE: &str = "v1,pUuU2gdsd7BGvR2sC/3+qO2MBaurMCN+q36dAHAbylA=";

#[test]
fn the_signed_bytes_are_those_that_the_documentation_describes() {
    let body = Bytes::from_static(b"\0\0\0\0\x04\x0a\x02ok");
    let (head, ()) = Request::post("http://hooks.test/hooks.Notify/Notify")
        .header("content-type", "application/grpc")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", "1800000000")
        .header("webhook-signature", SIGNATURE)
        .body(())
        .unwrap()
        .into_parts();
    let now = UnixTime::from_secs(1_800_000_000);
    let delivery = GRPC.verifier(SECRET).unwrap().verify(Head::from(&head), &body, now).unwrap();
    assert_eq!((delivery.provider(), delivery.id(), delivery.id_is_signed()), ("grpc", Some("msg_1"), true));
    let outgoing = Outgoing { id: Some("msg_1"), now, ..Outgoing::post("/hooks.Notify/Notify", &body) };
    assert_eq!(GRPC.signer(SECRET).unwrap().sign(&outgoing).unwrap()["webhook-signature"], SIGNATURE);
}
