//! One and the same stack in axum, tonic and hyper, with no helper from the user.

#![cfg(feature = "axum")]

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_webhook::{
    Delivery,
    layer::{
        AllowEventsLayer, AllowSourcesLayer, BufferBodyLayer, BySender, ClientAddr, EnforceTimestampLayer,
        HandshakeLayer, ObserveLayer, RateLimitLayer, RejectReplayLayer, RenderRejectionsLayer, RequireHttpsLayer,
        RequireMediaTypeLayer, RunToEndLayer, Sources, ValidatePayloadLayer, VerifySignatureLayer, WebhookLayer,
    },
    provider,
    scheme::Verifier,
    store::{MemoryNonceStore, MemoryRateStore, Quota},
};

fn verifier() -> Verifier {
    provider::STANDARD_WEBHOOKS.verifier("whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap()
}

/// Every layer there is, composed by hand.
macro_rules! by_hand {
    () => {
        ServiceBuilder::new()
            .layer(RenderRejectionsLayer::new())
            .layer(ObserveLayer::new())
            .layer(RequireHttpsLayer::new())
            .layer(AllowSourcesLayer::new(Sources::networks(["192.0.2.0/24"]).unwrap()))
            .layer(RateLimitLayer::new(Quota::per_minute(600), ClientAddr::new(), MemoryRateStore::new()))
            .layer(HandshakeLayer::new())
            .layer(RequireMediaTypeLayer::new(["application/json"]).unwrap())
            .layer(BufferBodyLayer::new())
            .layer(VerifySignatureLayer::new(verifier()))
            .layer(HandshakeLayer::new().signed())
            .layer(EnforceTimestampLayer::new(std::time::Duration::from_secs(30)))
            .layer(RateLimitLayer::new(Quota::per_minute(600), BySender, MemoryRateStore::new()))
            .layer(AllowEventsLayer::by(|_| true))
            .layer(ValidatePayloadLayer::new())
            .layer(RunToEndLayer::new())
            .layer(RejectReplayLayer::new(MemoryNonceStore::new()))
    };
}

async fn handler(delivery: Delivery, body: Bytes) -> String {
    format!("{} {}", delivery.provider(), body.len())
}

#[tokio::test]
async fn axum_takes_the_stack_everywhere() {
    let app: Router = Router::new()
        .route("/router", post(handler))
        .layer(WebhookLayer::new(verifier()))
        .merge(Router::new().route("/router-by-hand", post(handler)).layer(by_hand!()))
        .merge(Router::new().route("/route-layer", post(handler)).route_layer(WebhookLayer::new(verifier())))
        .route("/method-router", post(handler).layer(WebhookLayer::new(verifier())))
        .route("/method-router-by-hand", post(handler).layer(by_hand!()))
        .nest("/nested", Router::new().route("/inner", post(handler)).layer(WebhookLayer::new(verifier())));
    for path in ["/router", "/route-layer", "/method-router", "/nested/inner"] {
        let request = Request::post(path).body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 401, "{path}");
    }
    let request = Request::post("/router-by-hand").body(axum::body::Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(request).await.unwrap().status(), 403, "nothing tells that it is HTTPS");
    let _ = app.into_make_service_with_connect_info::<SocketAddr>();
}

#[tokio::test]
async fn a_rejection_that_was_put_into_words_twice_says_the_same() {
    let app: Router = Router::new()
        .route("/hook", post(handler))
        .layer(WebhookLayer::new(verifier()))
        .layer(RenderRejectionsLayer::new());
    for (content_type, status, grpc_status) in [("application/json", 401, None), ("application/grpc", 200, Some("16"))]
    {
        let request = Request::post("/hook").header("content-type", content_type);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{content_type}");
        assert_eq!(response.headers().get("grpc-status").map(|value| value.to_str().unwrap()), grpc_status);
    }
}

#[tokio::test]
async fn a_handler_that_wants_a_delivery_and_gets_none_says_what_is_missing() {
    async fn either(delivery: Option<Delivery>) -> String {
        format!("{}", delivery.is_some())
    }
    let app: Router = Router::new().route("/wants", post(handler)).route("/may", post(either));
    for (path, status, says) in [("/wants", 500, "WebhookLayer"), ("/may", 200, "false")] {
        let request = Request::post(path).body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(str::from_utf8(&body).unwrap().contains(says), "{path}: {body:?}");
    }
}

#[tokio::test]
async fn tonic_takes_the_stack() {
    let _ = tonic::transport::Server::builder()
        .layer(WebhookLayer::new(verifier()))
        .add_routes(tonic::service::Routes::default());
    let _ = tonic::transport::Server::builder().layer(by_hand!()).add_routes(tonic::service::Routes::default());
}

#[tokio::test]
async fn hyper_takes_the_stack() {
    async fn answer<B: http_body::Body<Data = Bytes>>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::from("handled")))
    }
    fn serve<S, B>(stack: S)
    where
        S: tower::Service<Request<hyper::body::Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        let service = hyper_util::service::TowerToHyperService::new(stack);
        let (io, _) = tokio::io::duplex(64);
        let server = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
        let connection = async move { drop(server.serve_connection(hyper_util::rt::TokioIo::new(io), service).await) };
        drop(connection);
    }
    serve(ServiceBuilder::new().layer(WebhookLayer::new(verifier())).service(service_fn(answer)));
    serve(by_hand!().service(service_fn(answer)));
}
