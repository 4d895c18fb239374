//! Servers that are stopped while deliveries come: none is lost, and none is handled twice.
//!
//! The sender tries again, as providers do, until each delivery is answered with success; meanwhile one server after another is stopped, and
//! the next one takes over with the same memory.

#![cfg(feature = "axum")]

#[cfg(unix)]
#[path = "support/example.rs"]
mod example;
#[cfg(unix)]
#[path = "support/redis_server.rs"]
mod redis_server;
#[cfg(unix)]
#[path = "support/service.rs"]
mod service;
mod support;

use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::post};
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use support::{Sent, now, secs, verifier};
use tokio::{
    net::TcpListener,
    runtime::Builder,
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt};
use tower_webhook::{
    Delivery,
    client::{DeliveryId, Sign, SignLayer, Signed},
    layer::{RunToEndLayer, WebhookLayer},
    provider,
    scheme::Scheme,
    store::{MemoryNonceStore, NonceStore, Reserved, Token},
};

const DELIVERIES: usize = 240;
const AT_ONCE: usize = 24;
/// A server is stopped when handlers have begun so often.
const STOPS: [usize; 4] = [20, 75, 130, 185];
/// For what takes no time if all is well.
const PATIENCE: Duration = secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Everything that has begun may end.
    Graceful,
    /// What has begun is dropped where it is.
    CutOff,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_ends_a_server_each_delivery_is_handled_once_and_none_is_lost() {
    for ending in [Ending::Graceful, Ending::CutOff] {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            for clients_hang_up in [false, true] {
                let label = format!("{ending:?}, {version:?}, clients hang up: {clients_hang_up}");
                let run = stopped_again_and_again(ending, version, clients_hang_up, &label);
                timeout(PATIENCE, run).await.unwrap_or_else(|_| panic!("{label}: not all deliveries get through"));
            }
        }
    }
}

async fn stopped_again_and_again(ending: Ending, version: Version, clients_hang_up: bool, label: &str) {
    let (books, store) = (Books::new(ending), MemoryNonceStore::new());
    let mut server = Server::start(&books, store.clone());
    let (addresses, address) = watch::channel(server.address);

    let mut senders = JoinSet::new();
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..AT_ONCE {
        let sender = Sender::new(provider::STANDARD_WEBHOOKS, support::SECRET, version, address.clone());
        let (books, next) = (Arc::clone(&books), Arc::clone(&next));
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, SeqCst);
                if number >= DELIVERIES {
                    return;
                }
                let id = id(number);
                if clients_hang_up && number % 3 == 1 {
                    tokio::select! {
                        _ = sender.attempt(&id, "{}") => {}
                        () = books.has_begun(number) => {}
                    }
                }
                sender.deliver(&id, "{}").await;
                // Success is said of what was handled, and of nothing else.
                assert_eq!(books.handled[number].load(SeqCst), 1, "{id}");
            }
        });
    }
    for (number, begun) in STOPS.into_iter().enumerate() {
        books.have_begun(begun).await;
        // Sometimes the next server is there before the last one goes, and sometimes there is none in between.
        let is_rolling = number % 2 == 0;
        if is_rolling {
            let successor = Server::start(&books, store.clone());
            addresses.send_replace(successor.address);
            std::mem::replace(&mut server, successor).stop(ending).await;
        } else {
            server.stop(ending).await;
            server = Server::start(&books, store.clone());
            addresses.send_replace(server.address);
        }
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap_or_else(|failed| panic!("{label}: {failed}"));
    }
    server.stop(Ending::Graceful).await;

    for number in 0..DELIVERIES {
        assert_eq!(books.handled[number].load(SeqCst), 1, "{label}: {}", id(number));
        let key = Sent::standard(&id(number)).replay_key();
        let left = now(store.reserve(key, Token::unique(), secs(1))).unwrap();
        assert_eq!(left, Reserved::Done, "{label}: {}", id(number));
    }
    assert_eq!(store.len(), DELIVERIES, "{label}");

    let under_way = books.under_way.lock().unwrap();
    assert_eq!(under_way.len(), STOPS.len(), "{label}: one was being handled at each stop");
    for number in under_way.iter() {
        let begun = books.begun[*number].load(SeqCst);
        match ending {
            Ending::Graceful => {
                assert_eq!(begun, 1 + usize::from(fails_at_first(*number)), "{label}: it was let end");
            }
            Ending::CutOff => assert!(begun > 1, "{label}: it was begun again"),
        }
    }
}

fn id(number: usize) -> String {
    format!("msg_{number}")
}

/// Some handlers fail, and have the delivery come again.
const fn fails_at_first(number: usize) -> bool {
    number.is_multiple_of(7)
}

/// What all servers have done together.
struct Books {
    ending: Ending,
    begun: Vec<AtomicUsize>,
    handled: Vec<AtomicUsize>,
    have_begun: watch::Sender<usize>,
    /// What was being handled at a stop, for certain.
    under_way: Mutex<Vec<usize>>,
}

impl Books {
    fn new(ending: Ending) -> Arc<Self> {
        let counts = || (0..DELIVERIES).map(|_| AtomicUsize::new(0)).collect();
        Arc::new(Self {
            ending,
            begun: counts(),
            handled: counts(),
            have_begun: watch::Sender::new(0),
            under_way: Mutex::default(),
        })
    }

    async fn have_begun(&self, handlers: usize) {
        self.have_begun.subscribe().wait_for(|begun| *begun >= handlers).await.unwrap();
    }

    async fn has_begun(&self, number: usize) {
        self.have_begun.subscribe().wait_for(|_| self.begun[number].load(SeqCst) > 0).await.unwrap();
    }

    async fn handle(&self, delivery: &Delivery, mut stopping: watch::Receiver<bool>) -> StatusCode {
        let number: usize = delivery.id().unwrap().strip_prefix("msg_").unwrap().parse().unwrap();
        let attempt = self.begun[number].fetch_add(1, SeqCst) + 1;
        let mut begun = 0;
        self.have_begun.send_modify(|all| {
            *all += 1;
            begun = *all;
            if STOPS.contains(all) {
                self.under_way.lock().unwrap().push(number);
            }
        });
        if STOPS.contains(&begun) {
            stopping.wait_for(|is_stopping| *is_stopping).await.unwrap();
            if self.ending == Ending::CutOff {
                pending::<()>().await;
            }
        }
        sleep(Duration::from_millis(number as u64 * 7 % 5)).await;
        if fails_at_first(number) && attempt == 1 {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        self.handled[number].fetch_add(1, SeqCst);
        StatusCode::OK
    }
}

/// A server with threads of its own, as if it were a process.
struct Server {
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    thread: thread::JoinHandle<()>,
}

impl Server {
    fn start(books: &Arc<Books>, store: MemoryNonceStore) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, stopped) = watch::channel(false);
        let books = Arc::clone(books);
        let thread = thread::spawn(move || {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(serve(listener, books, store, stopped));
            // What has not ended ends here, wherever it is.
            runtime.shutdown_timeout(PATIENCE);
        });
        Self { address, stopping, thread }
    }

    async fn stop(self, ending: Ending) {
        self.stopping.send_replace(true);
        spawn_blocking(|| self.thread.join().unwrap()).await.unwrap_or_else(|failed| panic!("{ending:?}: {failed}"));
    }
}

async fn serve(
    listener: std::net::TcpListener,
    books: Arc<Books>,
    store: MemoryNonceStore,
    mut stopping: watch::Receiver<bool>,
) {
    let run_to_end = RunToEndLayer::new();
    let webhooks = WebhookLayer::builder(verifier(provider::STANDARD_WEBHOOKS))
        .then(run_to_end.clone())
        .replay(store)
        .build()
        .unwrap();
    let ending = books.ending;
    let handler = {
        let stopping = stopping.clone();
        move |delivery: Delivery| async move { books.handle(&delivery, stopping).await }
    };
    let app = Router::new().route("/hook", post(handler)).layer(webhooks);
    let listener = TcpListener::from_std(listener).unwrap();
    let mut told = stopping.clone();
    let until_told = async move { drop(told.wait_for(|is_stopping| *is_stopping).await) };
    match ending {
        Ending::Graceful => {
            axum::serve(listener, app).with_graceful_shutdown(until_told).await.unwrap();
            run_to_end.idle().await;
            assert_eq!(run_to_end.detached(), 0);
        }
        Ending::CutOff => tokio::select! {
            served = axum::serve(listener, app) => served.unwrap(),
            _ = stopping.wait_for(|is_stopping| *is_stopping) => {}
        },
    }
}

/// A provider, which sends to whatever server is there.
struct Sender {
    client: Sign<Client<HttpConnector, Signed>>,
    version: Version,
    address: watch::Receiver<SocketAddr>,
    path: &'static str,
}

impl Sender {
    fn new(scheme: Scheme<'static>, secret: &str, version: Version, address: watch::Receiver<SocketAddr>) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http();
        let client = SignLayer::new(scheme.signer(secret).unwrap()).layer(client);
        Self { client, version, address, path: "/hook" }
    }

    /// Sends it again and again, until it is answered with success; how often it took.
    async fn deliver(&self, id: &str, body: &str) -> usize {
        for attempt in 1.. {
            if self.attempt(id, body).await.is_some_and(|status| status.is_success()) {
                return attempt;
            }
            sleep(Duration::from_millis(2)).await;
        }
        unreachable!("there are always more numbers")
    }

    /// Sends it once. None if there is no answer, or only a part of it.
    async fn attempt(&self, id: &str, body: &str) -> Option<StatusCode> {
        let uri = format!("http://{}{}", *self.address.borrow(), self.path);
        let request = Request::post(uri).version(self.version).extension(DeliveryId::new(id).unwrap());
        let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
        let (head, body) = self.client.clone().oneshot(request).await.ok()?.into_parts();
        body.collect().await.ok()?;
        Some(head.status)
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_are_told_to_stop_hand_over_by_redis() {
    const PROCESSES: usize = 4;
    /// Deliveries that are not sent before there is a process for them.
    const FOR_EACH: usize = DELIVERIES / PROCESSES;
    let Some(redis) = redis_server::Server::start(&[]) else { return };
    let url = redis.url();
    let start = || {
        let settings = [("STRIPE_SECRET", "whsec_test"), ("REDIS_URL", &*url), ("WORK_MILLIS", "20")];
        service::Service::start(&settings)
    };
    let mut service = start();
    let (addresses, address) = watch::channel(service.address);
    let (due, is_due) = watch::channel(FOR_EACH);
    let (answers, mut answered) = watch::channel(0);
    let mut senders = JoinSet::new();
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..16 {
        let mut sender = Sender::new(provider::STRIPE, "whsec_test", Version::HTTP_11, address.clone());
        sender.path = "/stripe";
        let (next, mut is_due, answers) = (Arc::clone(&next), is_due.clone(), answers.clone());
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, SeqCst);
                if number >= DELIVERIES {
                    return;
                }
                is_due.wait_for(|due| number < *due).await.unwrap();
                let body = format!(r#"{{"id":"evt_{number}","type":"charge.succeeded"}}"#);
                // Some hang up, wherever their request is by then.
                if number % 5 == 0 {
                    let _ = timeout(Duration::from_millis(number as u64 % 30), sender.attempt("any", &body)).await;
                }
                sender.deliver("any", &body).await;
                answers.send_modify(|answered| *answered += 1);
            }
        });
    }
    let mut ended = Vec::new();
    for number in 1..PROCESSES {
        // Sometimes the next process is there before the last one goes, and sometimes there is none in between.
        let successor = (number % 2 == 1).then(start);
        let enough = FOR_EACH * (number - 1) + FOR_EACH / 2;
        timeout(PATIENCE, answered.wait_for(|answered| *answered >= enough)).await.unwrap().unwrap();
        if let Some(successor) = successor {
            addresses.send_replace(successor.address);
            ended.push(std::mem::replace(&mut service, successor).stop());
        } else {
            ended.push(service.stop());
            service = start();
            addresses.send_replace(service.address);
        }
        due.send_replace(FOR_EACH * (number + 1));
    }
    let all = async {
        while let Some(sent) = senders.join_next().await {
            sent.unwrap()
        }
    };
    timeout(PATIENCE, all).await.unwrap();
    ended.push(service.stop());

    let mut handled = vec![0; DELIVERIES];
    for process in &ended {
        assert!(process.success, "{process:?}");
        let ids = process.logged.lines().filter(|line| line.contains("handled a payment"));
        let ids: Vec<usize> = ids
            .map(|line| {
                let (_, id) = line.split_once("evt_").unwrap();
                id.split('"').next().unwrap().parse().unwrap()
            })
            .collect();
        assert!(!ids.is_empty(), "{process:?}");
        assert!(process.said.contains(&format!("stopped after {} events", ids.len())), "{process:?}");
        ids.into_iter().for_each(|id| handled[id] += 1);
    }
    assert_eq!(handled, [1; DELIVERIES]);

    let mut admin = redis.admin();
    let keys: Vec<String> = redis::cmd("KEYS").arg("shop:nonce:*").query(&mut admin).unwrap();
    assert_eq!(keys.len(), DELIVERIES);
    let values: Vec<String> = redis::cmd("MGET").arg(&keys).query(&mut admin).unwrap();
    assert!(values.iter().all(|value| value == "done"), "{values:?}");
}
