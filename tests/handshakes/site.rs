//! An endpoint that is asked, and what must hold of whatever it answers.

use std::{convert::Infallible, sync::LazyLock};

use aws_lc_rs::signature::Ed25519KeyPair;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{Layer, util::BoxCloneSyncService};
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    handshake::Handshake,
    layer::{HandshakeLayer, Observed, Rendered, Settled},
    scheme::Verifier,
    store::Quota,
};

use crate::support::{Answer, Calls, MockStore, Sent, builder, memory, send};

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the whole stack makes of an answer.
pub(crate) type Answered = Rendered<Observed<Settled<Full<Bytes>>>>;

/// An endpoint with everything that could be touched.
pub(crate) struct Site {
    pub(crate) service: BoxCloneSyncService<Request<Body>, Response<Answered>, Infallible>,
    pub(crate) calls: Calls,
    pub(crate) store: MockStore,
}

impl Site {
    pub(crate) fn new(verifier: Verifier, handshakes: HandshakeLayer, now: u64) -> Self {
        let clock = ManualClock::at(UnixTime::from_secs(now));
        let (store, calls) = (MockStore::new(memory(&clock)), Calls::default());
        let layer = builder(verifier, store.clone(), &clock).handshake(handshakes).build().unwrap();
        Self { service: BoxCloneSyncService::new(layer.layer(calls.handler())), calls, store }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.service, request).await
    }

    /// The answer to what must be answered without the handler, the store or a trace.
    pub(crate) async fn shake(&self, case: &str, request: Request<Body>) -> Answer {
        let answer = self.send(request).await;
        assert_eq!((self.calls.count(), self.store.asked()), (0, [0; 3]), "{case}");
        answer
    }

    pub(crate) async fn assert_handles(&self, case: &str, request: Request<Body>) {
        let before = self.calls.count();
        let answer = self.send(request).await;
        assert_eq!((answer.status.as_u16(), self.calls.count()), (200, before + 1), "{case}: {answer:?}");
        assert_eq!(answer.body, "from the handler", "{case}");
    }
}

pub(crate) fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed_unsync()
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&'static str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(whole(body.to_owned())).unwrap()
}

pub(crate) fn sent(sent: &Sent) -> Request<Body> {
    sent.request().map(BodyExt::boxed_unsync)
}

pub(crate) fn answering(handshake: Handshake, given: &[&str]) -> HandshakeLayer {
    HandshakeLayer::new().answer_with(handshake, given).unwrap()
}

pub(crate) fn assert_safe(case: &str, answer: &Answer) {
    let header = |name| answer.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("cache-control"), Some("no-store"), "{case}");
    assert_eq!(header("x-content-type-options"), Some("nosniff"), "{case}");
    let content_type = header("content-type");
    assert!(matches!(content_type, Some("text/plain; charset=utf-8" | "application/json")), "{case}: {content_type:?}");
}

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";

pub(crate) static EDWARDS: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());

pub(crate) const RATE: Quota = Quota::per_minute(120);

pub(crate) const HOOK_SECRET: &str = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
