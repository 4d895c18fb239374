use std::{
    fmt,
    marker::PhantomData,
    task::{Context, Poll},
};

use tonic::server::NamedService;
use tower_layer::Layer;
use tower_service::Service;

/// A service behind layers, under the name by which tonic's router knows the one inside.
pub struct Named<S, Inner> {
    service: S,
    inner: PhantomData<fn() -> Inner>,
}

impl<S, Inner: NamedService> Named<S, Inner> {
    /// Puts a layer in front of a service.
    pub fn layer<L: Layer<Inner, Service = S>>(layer: &L, inner: Inner) -> Self {
        Self { service: layer.layer(inner), inner: PhantomData }
    }
}

impl<S, Inner: NamedService> NamedService for Named<S, Inner> {
    const NAME: &'static str = Inner::NAME;
}

impl<S: Clone, Inner> Clone for Named<S, Inner> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), inner: PhantomData }
    }
}

impl<S: fmt::Debug, Inner> fmt::Debug for Named<S, Inner> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Named").field(&self.service).finish()
    }
}

impl<S: Service<Request>, Inner, Request> Service<Request> for Named<S, Inner> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.service.call(request)
    }
}
