//! The stack around a plain Tower service, served by hyper: what the accept loop says of a connection is what layers go by.

#[path = "support/example.rs"]
mod example;
#[path = "support/serve.rs"]
mod serve;
mod support;

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serve::{ask, serve};
use support::{Answer, Calls, Sent, clock, memory, stack};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{
    PeerAddr, Tls,
    body::Verified,
    layer::{ClientAddr, RateLimitLayer, RequireHttpsLayer},
    provider,
    store::{MemoryRateStore, Quota},
};

#[test]
fn the_example_finds_everything_as_it_should_be() {
    let run = std::process::Command::new(example::binary("hyper")).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    let verdicts: Vec<_> = said.lines().map(|line| line.ends_with(" as it should be")).collect();
    assert_eq!(verdicts, [true; 9], "{said}");
}

/// A service that sees nothing but verified requests, behind the whole stack.
async fn served(calls: &Calls, peer: Option<PeerAddr>, tls: Option<Tls>) -> SocketAddr {
    let clock = clock();
    let calls = calls.clone();
    let failures = RateLimitLayer::new(
        Quota::per_hour(2).allow_burst(2),
        ClientAddr::new(),
        MemoryRateStore::new().with_clock(clock.clone()),
    );
    let service = stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock)
        .require_https(RequireHttpsLayer::new())
        .rate_limit(failures.charge_failures())
        .build()
        .unwrap()
        .layer(service_fn(move |request: Request<Verified>| {
            calls.add();
            let id = request.body().delivery().id().unwrap_or_default().to_owned();
            async move { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(id))) }
        }));
    serve(service.map_request(move |mut request: Request<Incoming>| {
        let known = request.extensions_mut();
        peer.map(|peer| known.insert(peer));
        tls.clone().map(|tls| known.insert(tls));
        request
    }))
    .await
}

/// As over TLS: with HTTP/2, the request itself says which scheme it came by.
async fn send(address: SocketAddr, version: Version, sent: &Sent) -> Answer {
    if version == Version::HTTP_11 {
        return ask(address, sent.request()).await;
    }
    let connection = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, driver) = http2::handshake(TokioExecutor::new(), connection).await.unwrap();
    tokio::spawn(driver);
    let mut request = sent.request();
    *request.uri_mut() = "https://hooks.test/hook".parse().unwrap();
    Answer::of(sender.send_request(request).await.unwrap()).await
}

#[tokio::test]
async fn genuine_forged_and_replayed() {
    let forged = || Sent::standard("msg_2").signed_with(&[support::OLD_SECRET]);
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let calls = Calls::default();
        let address = served(&calls, Some(PeerAddr(([192, 0, 2, 1], 5000).into())), Some(Tls::new())).await;
        let genuine = send(address, version, &Sent::standard("msg_1")).await;
        assert_eq!((genuine.status.as_u16(), &*genuine.body), (200, &b"msg_1"[..]), "{version:?}");
        assert!(send(address, version, &Sent::standard("msg_1")).await.is_duplicate(), "{version:?}");
        for expected in [401, 401, 429] {
            assert_eq!(send(address, version, &forged()).await.status, expected, "{version:?}");
        }
        assert_eq!(calls.count(), 1, "{version:?}");
    }
}

#[tokio::test]
async fn what_the_accept_loop_does_not_say_is_not_taken_for_granted() {
    let peer = || Some(PeerAddr(([192, 0, 2, 1], 5000).into()));
    for (what, peer, tls, expected) in [
        ("both are said", peer(), Some(Tls::new()), (200, "")),
        ("not that it is TLS", peer(), None, (403, "https_required")),
        ("not who it is", None, Some(Tls::new()), (500, "misconfigured")),
    ] {
        let calls = Calls::default();
        let address = served(&calls, peer, tls).await;
        let answer = send(address, Version::HTTP_11, &Sent::standard("msg_1")).await;
        assert_eq!(answer.status, expected.0, "{what}: {answer:?}");
        assert!(str::from_utf8(&answer.body).unwrap().contains(expected.1), "{what}: {answer:?}");
        assert_eq!(calls.count(), usize::from(expected.0 == 200), "{what}");
    }
}
