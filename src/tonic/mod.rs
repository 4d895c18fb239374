//! Unary gRPC calls as webhooks, in [tonic](https://docs.rs/tonic).
//!
//! [`WebhookLayer`](crate::layer::WebhookLayer) goes around a whole server or around one service. Calls are signed by [`GRPC`]; in its clients, a
//! [`SignLayer`](crate::client::SignLayer) does. What is refused is answered without a body, by the status that fits and with `grpc-retry-pushback-ms`; whether a delivery was
//! handled is told by `grpc-status`, be it in the trailers.
//!
//! ```
//! use tonic::{Request, Response, Status, transport::Server};
//! use tower_webhook::{layer::WebhookLayer, tonic::{DeliveryExt, GRPC}};
//!
//! async fn notify(call: Request<String>) -> Result<Response<()>, Status> {
//!     println!("{:?}: {}", call.delivery()?.id(), call.get_ref());
//!     Ok(Response::new(()))
//! }
//!
//! let server = Server::builder().layer(WebhookLayer::new(GRPC.verifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?));
//! // server.add_service(NotifyServer::new(..)).serve(..)
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! Around one service of several, whose name must be known to the router:
//!
//! ```
//! use tonic::server::NamedService;
//! use tower::Layer;
//! use tower_webhook::{layer::WebhookLayer, tonic::{GRPC, Named}};
//!
//! # #[derive(Clone)] struct NotifyServer;
//! # impl NamedService for NotifyServer { const NAME: &'static str = "hooks.Notify"; }
//! let webhooks = WebhookLayer::new(GRPC.verifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?);
//! let notify = Named::layer(&webhooks, NotifyServer);
//! // server.add_service(notify).add_service(other)
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! # Addresses
//!
//! What limits or allows by address is told it by a [`PeerAddr`](crate::PeerAddr), and tonic's server knows it under another name:
//!
//! ```
//! use tonic::transport::{Server, server::TcpConnectInfo};
//! use tower::{ServiceBuilder, util::MapRequestLayer};
//! use tower_webhook::{
//!     PeerAddr,
//!     layer::{ClientAddr, RateLimitLayer, WebhookLayer},
//!     store::{MemoryRateStore, Quota},
//!     tonic::GRPC,
//! };
//!
//! fn with_peer<B>(mut call: http::Request<B>) -> http::Request<B> {
//!     let peer = call.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
//!     if let Some(peer) = peer {
//!         call.extensions_mut().insert(PeerAddr(peer));
//!     }
//!     call
//! }
//!
//! let strangers = RateLimitLayer::new(Quota::per_minute(60), ClientAddr::new(), MemoryRateStore::new()).charge_failures();
//! let webhooks = WebhookLayer::builder(GRPC.verifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?).rate_limit(strangers).build()?;
//! let layer = ServiceBuilder::new().layer(MapRequestLayer::new(with_peer::<tonic::body::Body>)).layer(webhooks).into_inner();
//! let server = Server::builder().layer(layer);
//! # Ok::<(), tower_webhook::ConfigError>(())
//! ```
//!
//! # Streams
//!
//! Only a call with a single message can be verified before its handler sees anything, and nothing in the head tells such a call from one that streams. So a second message is
//! refused as `UNIMPLEMENTED` when it comes, and so is a stream that stays open for [five seconds](crate::layer::VerifySignatureLayer::unary_grace) after its message.
//! [Methods that you name](crate::layer::VerifySignatureLayer::streaming_methods) are refused from the head alone. Handlers may answer with a stream; the delivery counts as handled when its trailers say so, within
//! [the handler's time](crate::layer::RejectReplayLayer::handler_timeout).

mod delivery;
mod named;
mod scheme;

pub use self::{delivery::DeliveryExt, named::Named, scheme::GRPC};
