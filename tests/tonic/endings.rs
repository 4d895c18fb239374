//! When a delivery counts as handled: by `grpc-status`, wherever it is.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tonic::Code;
use tower::{Layer, ServiceExt, service_fn};
use tower_webhook::{body::Verified, provider};

use crate::{
    calls::{Call, connect},
    server::{Around, serve},
    support::{Sent, clock, memory, stack},
};

#[tokio::test]
async fn a_call_that_the_handler_fails_is_handled_when_it_comes_again() {
    let server = serve!(Around::TheServer, |builder| builder.build());
    let channel = connect(server.address).await;
    // In the head: tonic's answer to a unary call that failed has no other.
    for _ in 0..2 {
        let status = Call::new("fail").send(&channel).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Internal, "the handler failed"));
        assert_eq!(server.nonces.len(), 0);
    }
    assert_eq!(server.notify.calls.count(), 2);
    // In the trailers, after messages that were good.
    for _ in 0..2 {
        let mut answer = watch("fail-late").open(&channel).await.unwrap().into_inner();
        let mut messages = 0;
        let status = loop {
            match answer.message().await {
                Ok(Some(_)) => messages += 1,
                Ok(None) => panic!("it was to fail"),
                Err(status) => break status,
            }
        };
        assert_eq!((messages, status.code()), (3, Code::Internal));
        assert_eq!(server.nonces.len(), 0);
    }
    assert_eq!(server.notify.calls.count(), 4);
    assert_eq!(Call::new("ok").send(&channel).await.unwrap().get_ref(), "ok by msg_1");
}

fn watch(message: &str) -> Call {
    Call::new(message).path("/hooks.Notify/Watch")
}

#[tokio::test]
async fn a_streamed_answer_counts_when_it_has_come_to_its_end() {
    let server = serve!(Around::TheServer, |builder| builder.build());
    let channel = connect(server.address).await;
    let mut answer = watch("wait-late").open(&channel).await.unwrap().into_inner();
    assert_eq!(answer.message().await.unwrap().unwrap(), "message 0");
    // Half-way, it is being handled.
    assert_eq!(watch("wait-late").open(&channel).await.unwrap_err().code(), Code::Unavailable);
    server.notify.go_on.notify_one();
    while answer.message().await.unwrap().is_some() {}
    let mut again = watch("wait-late").open(&channel).await.unwrap();
    assert_eq!(again.metadata().get("webhook-replay").unwrap(), "duplicate");
    assert_eq!(again.get_mut().message().await.unwrap().as_deref(), Some(""));
    assert_eq!(server.notify.calls.count(), 1);
}

#[tokio::test]
async fn a_streamed_answer_that_nobody_takes_to_its_end_is_handled_again() {
    let server = serve!(Around::TheServer, |builder| builder.build());
    let channel = connect(server.address).await;
    let mut answer = watch("hang-late").open(&channel).await.unwrap().into_inner();
    assert_eq!(answer.message().await.unwrap().unwrap(), "message 0");
    assert_eq!(server.nonces.len(), 1);
    drop(answer);
    while !server.nonces.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let answer = watch("ok").open(&channel).await.unwrap();
    assert!(answer.metadata().get("webhook-replay").is_none());
    assert_eq!(server.notify.calls.count(), 2);
}

#[tokio::test]
async fn plain_answers_are_handed_on_as_they_are() {
    let store = memory(&clock());
    let handler = service_fn(|_: Request<Verified>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"plain"))))
    });
    let service = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock()).build().unwrap().layer(handler);
    let response = service.oneshot(Sent::standard("msg_1").request()).await.unwrap();
    assert_eq!(store.len(), 1, "committed with its head");
    assert_eq!(response.body().size_hint().exact(), Some(5));
    drop(response);
    assert_eq!(store.len(), 1);
}

#[tokio::test]
async fn grpc_web_is_plain_http() {
    let store = memory(&clock());
    let layer = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock());
    let service = layer.build().unwrap().layer(service_fn(|_: Request<Verified>| async {
        let mut response = Response::new(Full::new(Bytes::from_static(b"\x80\0\0\0\x0fgrpc-status: 13")));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc-web"));
        Ok::<_, Infallible>(response)
    }));
    let web = |sent: Sent| sent.header("content-type", "application/grpc-web").request();
    let refused = service.clone().oneshot(web(Sent::standard("msg_1").without("webhook-signature"))).await;
    assert_eq!(refused.unwrap().status(), 401);
    // Its trailers are in its body, which nobody reads here.
    assert_eq!(service.oneshot(web(Sent::standard("msg_1"))).await.unwrap().status(), 200);
    assert_eq!(store.len(), 1);
}
