//! Keys of many tenants, looked up when a request names one: slow, failing, hanging, in a rush, and for tenants that do not exist.

mod support;

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderName, Method, Request};
use http_body_util::Full;
use support::{Calls, OLD_SECRET, SECRET, Sent, TokioClock, let_others_run, now, poll, secs, send};
use tower::{Layer, Service, ServiceExt};
use tower_webhook::{
    ConfigError,
    body::Verified,
    layer::{BySender, RateLimitLayer, RenderRejectionsLayer, TenantIn, Tenants, VerifySignatureLayer, WebhookLayer},
    provider,
    scheme::{Scheme, Verifier},
    store::{MemoryNonceStore, MemoryRateStore, Quota},
};

const STANDARD: Scheme<'static> = provider::STANDARD_WEBHOOKS;

#[tokio::test(start_paused = true)]
async fn each_tenant_is_verified_by_its_own_key() {
    let registry = Registry::of([("acme", SECRET), ("other", OLD_SECRET)]);
    let service = registry.service();
    for (tenant, secret, status) in [
        ("acme", SECRET, 200),
        ("other", OLD_SECRET, 200),
        ("acme", OLD_SECRET, 401),
        ("other", SECRET, 401),
        ("Acme", SECRET, 401),
        ("nobody", SECRET, 401),
        ("", SECRET, 401),
    ] {
        let answer = send(&service, to(tenant, secret)).await;
        assert_eq!(answer.status, status, "{tenant:?} with {secret}");
    }
    assert_eq!(registry.asked(), ["acme", "other", "Acme", "nobody"], "once for each that has a name");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_says_whose_it_is() {
    let registry = Registry::of([("acme", SECRET)]);
    let seen = tower::service_fn(async |request: Request<Verified>| {
        assert_eq!(request.body().delivery().tenant(), Some("acme"));
        Ok::<_, Infallible>(support::with_status(200))
    });
    let layer = VerifySignatureLayer::new(registry.tenants()).with_clock(TokioClock::new());
    assert_eq!(send(&layer.layer(seen), to("acme", SECRET)).await.status, 200);
}

/// Ids and quotas are each tenant's own, even where two have the same key.
#[tokio::test(start_paused = true)]
async fn no_tenant_uses_up_the_ids_or_the_quota_of_another() {
    let registry = Registry::of([("acme", SECRET), ("other", SECRET)]);
    let calls = Calls::default();
    let layer = WebhookLayer::builder(registry.tenants())
        .with_clock(TokioClock::new())
        .then(RateLimitLayer::new(Quota::per_hour(1), BySender, MemoryRateStore::new()))
        .replay(MemoryNonceStore::with_capacity(100))
        .build()
        .unwrap();
    let service = layer.layer(calls.handler());
    for (tenant, expected) in [("acme", ""), ("other", ""), ("acme", "rate_limited"), ("other", "rate_limited")] {
        let answer = send(&service, to(tenant, SECRET)).await;
        assert_eq!(answer.reason(), expected, "{tenant}");
    }
    assert_eq!(calls.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn unknown_and_known_tenants_refuse_a_wrong_signature_in_the_same_words() {
    let registry = Registry::of([("acme", SECRET)]);
    let service = registry.service();
    assert_eq!(send(&service, to("acme", SECRET)).await.status, 200);
    for (what, change) in [
        ("signed with another key", (|sent| sent) as fn(Sent) -> Sent),
        ("no signature", |sent| sent.without("webhook-signature")),
        ("a signature of another form", |sent| sent.header("webhook-signature", "v2,AAAA")),
        ("no time", |sent| sent.without("webhook-timestamp")),
        ("a time of another form", |sent| sent.header("webhook-timestamp", "soon")),
        ("another method", |sent| sent.method(Method::GET)),
        ("a coding", |sent| sent.header("content-encoding", "gzip")),
    ] {
        let sent = || change(Sent::standard("msg_1").signed_with(&[OLD_SECRET]));
        // Looked up just now, and remembered.
        for turn in ["first", "second"] {
            let [known, unknown] = ["acme", "nobody"].map(|tenant| addressed(tenant, sent().request()));
            let (known, unknown) = (send(&service, known).await, send(&service, unknown).await);
            assert_eq!(
                (known.status, &known.headers, &known.body),
                (unknown.status, &unknown.headers, &unknown.body),
                "{what}, {turn}"
            );
        }
    }
    let unknown = send(&service, to("nobody", OLD_SECRET)).await;
    assert_eq!(unknown.reason(), "unknown_key", "those who run the server can tell");
}

#[tokio::test(start_paused = true)]
async fn the_key_that_unknown_tenants_are_judged_by_is_known_to_nobody() {
    let tenants = |scheme: Scheme<'static>| {
        let lookup = |_| async { Ok::<_, Infallible>(None::<&str>) };
        Tenants::new(Verifier::builder(scheme), TenantIn::path_segment(1), lookup)
            .unwrap()
            .with_clock(TokioClock::new())
    };
    // Linear's time is in the body and is looked at after the signature: who could sign would be told that it is malformed.
    for (scheme, body) in [(provider::GITHUB, "{}"), (provider::LINEAR, r#"{"webhookTimestamp":"soon"}"#)] {
        for secret in ["a key with which none is let in.", "0".repeat(32).leak(), "another secret, of a forger"] {
            let layer = VerifySignatureLayer::new(tenants(scheme)).with_clock(support::clock());
            let service = layer.layer(Calls::default().handler());
            let request = addressed("nobody", Sent::new(scheme, body).signed_with(&[secret]).request());
            let answer = send(&service, request).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (401, "unknown_key"), "{}", scheme.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn schemes_of_every_kind_of_key_have_a_decoy_but_those_whose_roots_are_pinned() {
    for (scheme, made) in [
        (provider::STRIPE, true),
        (provider::GITLAB_TOKEN, true),
        (provider::DISCORD, true),
        (provider::SENDGRID, true),
        (provider::APPLE_APP_STORE, false),
    ] {
        let decoy = Verifier::builder(scheme).build_decoy();
        assert_eq!(decoy.is_ok(), made, "{}: {decoy:?}", scheme.name);
    }
    let nowhere = |_| async { Ok::<_, Infallible>(Some("key")) };
    let missing = Tenants::new(Verifier::builder(provider::SQUARE), TenantIn::host(), nowhere).unwrap_err();
    assert!(matches!(missing, ConfigError::MissingPublicUrl { .. }), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn a_rush_for_one_tenant_makes_one_lookup() {
    let registry = Registry::of([("acme", SECRET)]).taking(1000);
    let service = registry.service();
    let answers = join_all((0..10_000).map(|_| send(&service, to("acme", SECRET)))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(registry.asked(), ["acme"]);
}

/// K-15: any number of names that nobody has.
#[tokio::test(start_paused = true)]
async fn a_rush_for_tenants_that_do_not_exist_makes_few_lookups_and_disturbs_nobody() {
    let registry = Registry::of([("acme", SECRET), ("late", SECRET)]).taking(100);
    let tenants = registry.tenants().max_lookups(8).max_tenants(20).unknown_per_minute(50);
    let service = registry.serving(tenants.clone());
    assert_eq!(send(&service, to("acme", SECRET)).await.status, 200);
    for round in 0..20 {
        let flood = (0..500).map(|n| send(&service, to(&format!("nobody-{round}-{n}"), SECRET)));
        let answers = join_all(flood).await;
        let refused = answers.iter().filter(|answer| answer.status == 401).count();
        assert!(answers.iter().all(|answer| answer.status == 401 || answer.asks_to_retry()));
        assert!(refused <= 8, "{refused} lookups at a time");
        assert_eq!(send(&service, to("acme", SECRET)).await.status, 200, "it is in memory");
        assert!(tenants.in_memory() <= 40, "{}", tenants.in_memory());
    }
    // The last eight may have begun together.
    assert!((50..58).contains(&(registry.asked().len() - 1)), "{}", registry.asked().len());
    assert!(registry.most_at_a_time() <= 8);
    assert!(send(&service, to("late", SECRET)).await.asks_to_retry(), "not lost, but put off");
    tokio::time::advance(secs(60)).await;
    assert_eq!(send(&service, to("late", SECRET)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_ill_is_asked_no_more_than_one_that_is_well() {
    let registry = Registry::of([("acme", SECRET)]).being(Mood::Failing);
    let service = registry.serving(registry.tenants().max_lookups(8).unknown_per_minute(50));
    for round in 0..20 {
        let flood = (0..100).map(|n| send(&service, to(&format!("nobody-{round}-{n}"), SECRET)));
        assert!(join_all(flood).await.iter().all(support::Answer::asks_to_retry));
    }
    assert!((50..58).contains(&registry.asked().len()), "{}", registry.asked().len());
}

#[tokio::test(start_paused = true)]
async fn what_the_head_refuses_causes_no_lookup() {
    let registry = Registry::of([("acme", SECRET)]);
    let service = registry.service();
    let sent = || Sent::standard("msg_1");
    for (what, request) in [
        ("no signature", sent().without("webhook-signature").request()),
        ("no time", sent().without("webhook-timestamp").request()),
        ("stale", sent().at(support::NOW - 3600).request()),
        ("another method", sent().method(Method::GET).request()),
        ("too long", sent().header("content-length", "999999999").request()),
        ("two signatures", {
            let mut request = sent().request();
            request.headers_mut().append("webhook-signature", "v1,AAAA".parse().unwrap());
            request
        }),
        ("an endless name", addressed(&"a".repeat(257), sent().request())),
    ] {
        let request = if what == "an endless name" { request } else { addressed("acme", request) };
        let answer = send(&service, request).await;
        assert!(answer.status.is_client_error(), "{what}: {}", answer.status);
    }
    assert_eq!(registry.asked(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_body_is_read_when_the_keys_are_there() {
    let registry = Registry::of([("acme", SECRET)]).taking(1000);
    let service = registry.service();
    let polled = Arc::new(AtomicUsize::new(0));
    let request = addressed("acme", Sent::standard("msg_1").with_body(Counted(Arc::clone(&polled))));
    let mut waiting = Box::pin(service.oneshot(request));
    assert!(poll(waiting.as_mut()).is_pending());
    let_others_run().await;
    tokio::time::advance(secs(1)).await;
    let_others_run().await;
    assert_eq!(polled.load(SeqCst), 0);
    assert!(poll(waiting.as_mut()).is_pending());
    assert!(polled.load(SeqCst) > 0);
}

#[tokio::test(start_paused = true)]
async fn lookups_in_trouble_are_answered_503_and_nothing_is_lost() {
    for (what, registry, after) in [
        ("slow", Registry::of([("acme", SECRET)]).taking(1999), 200),
        ("too slow", Registry::of([("acme", SECRET)]).taking(2001), 503),
        ("hanging", Registry::of([("acme", SECRET)]).being(Mood::Hanging), 503),
        ("failing", Registry::of([("acme", SECRET)]).being(Mood::Failing), 503),
        ("panicking", Registry::of([("acme", SECRET)]).being(Mood::Panicking), 503),
        ("no key at all", Registry::of([("acme", "")]), 503),
        ("a key that is none", Registry::of([("acme", "whsec_not base64!")]), 503),
    ] {
        let service = registry.service();
        let began = tokio::time::Instant::now();
        let answers = join_all((0..10).map(|_| send(&service, to("acme", SECRET)))).await;
        for answer in answers {
            assert_eq!((answer.status.as_u16(), answer.asks_to_retry()), (after, after == 503), "{what}");
        }
        assert!(began.elapsed() <= secs(2), "{what}");
        // The failure is remembered, so that a store in trouble is left in peace.
        let count = registry.asked().len();
        assert_eq!(send(&service, to("acme", SECRET)).await.status, after, "{what}");
        assert_eq!((count, registry.asked().len()), (1, 1), "{what}");

        let healthy = registry.taking(0).being(Mood::Well).with("acme", SECRET);
        tokio::time::advance(secs(2)).await;
        assert_eq!(send(&service, to("acme", SECRET)).await.status, 200, "{what}, and well again");
        assert!(healthy.asked().len() <= 2, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_asked_first_may_leave_without_the_others() {
    let registry = Registry::of([("acme", SECRET)]).taking(1000);
    let service = registry.service();
    let mut first = Box::pin(send(&service, to("acme", SECRET)));
    assert!(poll(first.as_mut()).is_pending());
    let mut second = Box::pin(send(&service, to("acme", SECRET)));
    assert!(poll(second.as_mut()).is_pending());
    drop(first);
    assert_eq!(second.await.status, 200);
    assert_eq!(registry.asked(), ["acme"]);
}

#[tokio::test(start_paused = true)]
async fn keys_count_for_a_minute_and_are_renewed_without_letting_anyone_wait() {
    let registry = Registry::of([("acme", SECRET)]);
    let service = registry.service();
    let deliver = async |secret| send(&service, to("acme", secret)).await.status.as_u16();
    assert_eq!(deliver(SECRET).await, 200);
    let registry = registry.with("acme", OLD_SECRET).taking(1000);

    tokio::time::advance(secs(47)).await;
    assert_eq!((deliver(SECRET).await, registry.asked().len()), (200, 1));
    tokio::time::advance(secs(1)).await;
    for _ in 0..10 {
        assert_eq!(now(service.clone().oneshot(to("acme", SECRET))).unwrap().status(), 200, "nobody waits");
    }
    let_others_run().await;
    assert_eq!(registry.asked().len(), 2, "one renews");
    tokio::time::advance(secs(1)).await;
    let_others_run().await;
    assert_eq!([deliver(SECRET).await, deliver(OLD_SECRET).await], [401, 200]);
    assert_eq!(registry.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_not_felt_and_old_keys_do_not_outlive_their_minute() {
    let registry = Registry::of([("acme", SECRET)]);
    let service = registry.service();
    let deliver = async || send(&service, to("acme", SECRET)).await;
    assert_eq!(deliver().await.status, 200);
    let registry = registry.being(Mood::Failing);
    tokio::time::advance(secs(50)).await;
    assert_eq!(deliver().await.status, 200);
    tokio::time::advance(secs(10)).await;
    assert!(deliver().await.asks_to_retry());
    let _well = registry.being(Mood::Well);
    tokio::time::advance(secs(2)).await;
    assert_eq!(deliver().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_gone_is_unknown_when_its_minute_ends_or_at_once_if_that_is_said() {
    for forget in [false, true] {
        let registry = Registry::of([("acme", SECRET)]);
        let tenants = registry.tenants();
        let service = registry.serving(tenants.clone());
        let deliver = async || send(&service, to("acme", SECRET)).await.status.as_u16();
        assert_eq!(deliver().await, 200);
        registry.secrets.lock().unwrap().clear();
        assert_eq!(deliver().await, 200);
        if forget {
            tenants.forget("acme");
        } else {
            tokio::time::advance(secs(60)).await;
        }
        assert_eq!(deliver().await, 401);
        let registry = registry.with("acme", SECRET);
        assert_eq!(deliver().await, 401, "that it is unknown is remembered");
        tokio::time::advance(secs(10)).await;
        assert_eq!(deliver().await, 200);
        assert_eq!(registry.asked().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_looked_up_before_it_was_to_be_forgotten_is_not_remembered() {
    let registry = Registry::of([("acme", SECRET)]).taking(1000);
    let tenants = registry.tenants();
    let service = registry.serving(tenants.clone());
    let mut early = Box::pin(send(&service, to("acme", SECRET)));
    assert!(poll(early.as_mut()).is_pending());
    let_others_run().await;
    registry.secrets.lock().unwrap().clear();
    tenants.forget("acme");
    let mut late = Box::pin(send(&service, to("acme", SECRET)));
    assert!(poll(late.as_mut()).is_pending());
    assert_eq!((early.await.status.as_u16(), late.await.status.as_u16()), (200, 401));
    assert_eq!(send(&service, to("acme", SECRET)).await.status, 401);
    assert_eq!(registry.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_tenant_least_missed_makes_room() {
    let names = ["a", "b", "c"];
    let registry = Registry::of(names.map(|name| (name, SECRET)));
    let service = registry.serving(registry.tenants().max_tenants(2));
    for name in ["a", "b", "a", "c", "a", "b"] {
        assert_eq!(send(&service, to(name, SECRET)).await.status, 200);
    }
    assert_eq!(registry.asked(), ["a", "b", "c", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_may_build_what_each_tenant_needs_but_nothing_else() {
    let tenants = |wrong: bool| {
        Tenants::building(Verifier::builder(STANDARD), TenantIn::path_segment(1), move |_, builder| async move {
            let builder = if wrong { builder.tenant("other") } else { builder.tolerance(secs(60)) };
            Ok::<_, Infallible>(Some(builder.build(SECRET)))
        })
        .unwrap()
    };
    for (wrong, status) in [(false, 200), (true, 503)] {
        let layer = VerifySignatureLayer::new(tenants(wrong)).with_clock(TokioClock::new());
        let answer = send(&layer.layer(Calls::default().handler()), to("acme", SECRET)).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_names_its_tenant_where_it_is_told_to() {
    let lookup = |tenant: Arc<str>| async move { Ok::<_, Infallible>((*tenant == *"acme").then_some(SECRET)) };
    let builder = || Verifier::builder(STANDARD);
    let in_query = |head: &http::request::Parts| Some(head.uri.query()?.strip_prefix("tenant=")?.to_owned());
    let header = HeaderName::from_static("x-account-id");
    for (what, tenants, request) in [
        ("header", Tenants::new(builder(), TenantIn::header(header), lookup), {
            Sent::standard("msg_1").header("x-account-id", "acme").request()
        }),
        ("host", Tenants::new(builder(), TenantIn::subdomain_of("hooks.test"), lookup), {
            Sent::standard("msg_1").header("host", "acme.hooks.test").request()
        }),
        ("function", Tenants::new(builder(), in_query, lookup), {
            let mut request = Sent::standard("msg_1").request();
            *request.uri_mut() = "/hook?tenant=acme".parse().unwrap();
            request
        }),
    ] {
        let layer = VerifySignatureLayer::new(tenants.unwrap()).with_clock(TokioClock::new());
        let service = layer.layer(Calls::default().handler());
        assert_eq!(send(&service, request).await.status, 200, "{what}");
        assert_eq!(send(&service, Sent::standard("msg_1").request()).await.status, 401, "{what}");
    }
}

/// The secrets of tenants, as a database holds them.
#[derive(Clone)]
struct Registry {
    secrets: Arc<Mutex<HashMap<String, &'static str>>>,
    asked: Arc<Mutex<Vec<String>>>,
    under_way: Arc<(AtomicUsize, AtomicUsize)>,
    takes_millis: Arc<AtomicUsize>,
    mood: Arc<Mutex<Mood>>,
}

#[derive(Clone, Copy)]
enum Mood {
    Well,
    Failing,
    Hanging,
    Panicking,
}

impl Registry {
    fn of<const N: usize>(secrets: [(&str, &'static str); N]) -> Self {
        Self {
            secrets: Arc::new(Mutex::new(secrets.map(|(name, secret)| (name.to_owned(), secret)).into())),
            asked: Arc::default(),
            under_way: Arc::default(),
            takes_millis: Arc::default(),
            mood: Arc::new(Mutex::new(Mood::Well)),
        }
    }

    fn with(self, tenant: &str, secret: &'static str) -> Self {
        self.secrets.lock().unwrap().insert(tenant.to_owned(), secret);
        self
    }

    fn taking(self, millis: usize) -> Self {
        self.takes_millis.store(millis, SeqCst);
        self
    }

    fn being(self, mood: Mood) -> Self {
        *self.mood.lock().unwrap() = mood;
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn most_at_a_time(&self) -> usize {
        self.under_way.1.load(SeqCst)
    }

    async fn look_up(self, tenant: Arc<str>) -> Result<Option<[&'static str; 1]>, &'static str> {
        self.asked.lock().unwrap().push(tenant.to_string());
        let secret = self.secrets.lock().unwrap().get(&*tenant).copied();
        let mood = *self.mood.lock().unwrap();
        self.under_way.1.fetch_max(self.under_way.0.fetch_add(1, SeqCst) + 1, SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(self.takes_millis.load(SeqCst) as u64)).await;
        self.under_way.0.fetch_sub(1, SeqCst);
        match mood {
            Mood::Well => Ok(secret.map(|secret| [secret])),
            Mood::Failing => Err("no connection"),
            Mood::Hanging => std::future::pending().await,
            Mood::Panicking => panic!("on purpose"),
        }
    }

    fn tenants(&self) -> Tenants {
        let registry = self.clone();
        let lookup = move |tenant| registry.clone().look_up(tenant);
        let tenants = Tenants::new(Verifier::builder(STANDARD), TenantIn::path_segment(1), lookup).unwrap();
        tenants.with_clock(TokioClock::new())
    }

    fn serving<B>(
        &self,
        tenants: Tenants,
    ) -> impl Service<
        Request<B>,
        Response = http::Response<impl http_body::Body<Error: std::fmt::Debug> + use<B>>,
        Error = Infallible,
    > + Clone
    + use<B>
    where
        B: http_body::Body + 'static,
    {
        let verify = VerifySignatureLayer::new(tenants).with_clock(support::clock());
        RenderRejectionsLayer::new().layer(verify.layer(Calls::default().handler()))
    }

    fn service<B>(
        &self,
    ) -> impl Service<
        Request<B>,
        Response = http::Response<impl http_body::Body<Error: std::fmt::Debug> + use<B>>,
        Error = Infallible,
    > + Clone
    + use<B>
    where
        B: http_body::Body + 'static,
    {
        self.serving(self.tenants())
    }
}

fn to(tenant: &str, secret: &'static str) -> Request<Full<Bytes>> {
    addressed(tenant, Sent::standard("msg_1").signed_with(&[secret]).request())
}

fn addressed<B>(tenant: &str, mut request: Request<B>) -> Request<B> {
    *request.uri_mut() = format!("/hooks/{tenant}/standard").parse().unwrap();
    request
}

/// A body that is never there, and counts who looks.
struct Counted(Arc<AtomicUsize>);

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1, SeqCst);
        Poll::Pending
    }
}
