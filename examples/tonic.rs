//! Webhooks over gRPC: a server that lets only signed calls through, and a client that signs.
//!
//! ```sh
//! cargo run --example tonic
//! ```
//!
//! Both run in this process, over TCP. Each call's answer is printed beside what it should be; if one differs, the exit code is not 0.

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
};

use tonic::{
    Code, Request, Response, Status,
    body::Body,
    client::Grpc,
    server::{NamedService, UnaryService},
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower::{Service, ServiceBuilder};
use tower_webhook::{
    client::{DeliveryId, SignLayer},
    layer::WebhookLayer,
    tonic::{DeliveryExt, GRPC},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ANOTHER_SECRET: &str = "whsec_YW5vdGhlciBzZWNyZXQsIGFub3RoZXIgc2VjcmV0";

/// What the server does with events.
async fn notify(call: Request<Event>) -> Result<Response<Ack>, Status> {
    let id = call.delivery()?.id().unwrap_or("without an id").to_owned();
    match call.into_inner().kind.as_str() {
        "invoice.broken" => Err(Status::internal("the books are closed")),
        kind => Ok(Response::new(Ack { said: format!("{kind}, delivered as {id}") })),
    }
}

async fn serve(incoming: TcpIncoming) -> Result<(), Box<dyn Error + Send + Sync>> {
    let webhooks = WebhookLayer::new(GRPC.verifier(SECRET)?);
    Server::builder().layer(webhooks).add_service(NotifyServer).serve_with_incoming(incoming).await?;
    Ok(())
}

/// A client of the server's, which signs with this secret.
fn client(channel: &Channel, secret: &str) -> Result<NotifyClient, Box<dyn Error>> {
    let sign = SignLayer::new(GRPC.signer(secret)?).into_body::<Body>();
    Ok(Grpc::new(ServiceBuilder::new().layer(sign).service(channel.clone())))
}

type NotifyClient = Grpc<tower_webhook::client::Sign<Channel, Body>>;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let channel = Endpoint::from_shared(format!("http://{}", incoming.local_addr()?))?.connect_lazy();
    tokio::spawn(serve(incoming));

    let mut is_as_it_should = true;
    for (what, secret, id, kind, expected) in [
        ("a genuine call", SECRET, "evt_1", "invoice.paid", Code::Ok),
        ("the same again", SECRET, "evt_1", "invoice.paid", Code::Ok),
        ("signed by somebody else", ANOTHER_SECRET, "evt_2", "invoice.paid", Code::Unauthenticated),
        ("one that the handler fails", SECRET, "evt_3", "invoice.broken", Code::Internal),
        ("the same, mended", SECRET, "evt_3", "invoice.paid", Code::Ok),
    ] {
        let answer = call(&mut client(&channel, secret)?, id, kind).await;
        let (code, said) = match &answer {
            Ok(answer) if answer.metadata().contains_key("webhook-replay") => (Code::Ok, "(handled before)"),
            Ok(answer) => (Code::Ok, answer.get_ref().said.as_str()),
            Err(status) => (status.code(), status.message()),
        };
        let mark = if code == expected { "ok " } else { "NOT" };
        println!("{mark} {what:<28} {code:?}: {said}");
        is_as_it_should &= code == expected;
    }
    Ok(if is_as_it_should { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn call(client: &mut NotifyClient, id: &str, kind: &str) -> Result<Response<Ack>, Status> {
    let mut request = Request::new(Event { kind: kind.to_owned() });
    request.extensions_mut().insert(DeliveryId::new(id).map_err(|error| Status::invalid_argument(error.to_string()))?);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = http::uri::PathAndQuery::from_static("/hooks.Notify/Notify");
    client.unary(request, path, ProstCodec::<Event, Ack>::default()).await
}

// What `tonic-prost-build` makes of this, by hand so that the example needs no compiler for it:
//
//     package hooks;
//     service Notify { rpc Notify (Event) returns (Ack); }
//     message Event { string kind = 1; }
//     message Ack { string said = 1; }

#[derive(Clone, PartialEq, prost::Message)]
struct Event {
    #[prost(string, tag = "1")]
    kind: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Ack {
    #[prost(string, tag = "1")]
    said: String,
}

#[derive(Clone)]
struct NotifyServer;

impl NamedService for NotifyServer {
    const NAME: &'static str = "hooks.Notify";
}

impl<B> Service<http::Request<B>> for NotifyServer
where
    B: http_body::Body<Error: Into<Box<dyn Error + Send + Sync>> + Send> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/hooks.Notify/Notify" => {
                    let codec = ProstCodec::<Ack, Event>::default();
                    tonic::server::Grpc::new(codec).unary(Notify, request).await
                }
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

struct Notify;

impl UnaryService<Event> for Notify {
    type Response = Ack;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Ack>, Status>> + Send>>;

    fn call(&mut self, call: Request<Event>) -> Self::Future {
        Box::pin(notify(call))
    }
}
