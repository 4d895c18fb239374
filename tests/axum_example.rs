//! The example service, used as anyone would: variables, a port, requests, a signal.

#![cfg(unix)]

#[path = "support/example.rs"]
mod example;
#[path = "support/redis_server.rs"]
mod redis_server;
#[path = "support/service.rs"]
mod service;
mod support;

use std::{net::SocketAddr, process::Command};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use service::{Service, example};
use support::Answer;
use tower::{Layer, ServiceExt};
use tower_webhook::{
    client::{DeliveryId, SignLayer, Signed},
    provider,
    scheme::Scheme,
};

const CANARY: &str = "canary-secret-7f3a";
const STRANGER: &str = "stranger-secret-91bc";
const ALL: [(&str, &str); 3] = [("STRIPE_SECRET", CANARY), ("GITHUB_SECRET", CANARY), ("SLACK_SECRET", CANARY)];

#[tokio::test]
async fn without_configuration_the_line_for_curl_works() {
    let service = Service::start(&[]);
    let line = service.said.recv_timeout(Service::PATIENCE).unwrap();
    for expected in ["200 OK", "webhook-replay: duplicate"] {
        let run = match Command::new("sh").args(["-c", &line]).output() {
            Ok(run) if run.status.code() == Some(127) => {
                assert!(std::env::var_os("CI").is_none(), "there is no curl to test with");
                eprintln!("skipped: there is no curl to test with");
                return;
            }
            run => run.unwrap(),
        };
        let answer = String::from_utf8_lossy(&run.stdout);
        assert!(answer.contains(expected), "{line}\n{answer}");
    }
    let ended = service.stop();
    assert!(ended.success && ended.said.contains("stopped after 1 events"), "{ended:?}");
    assert_eq!(ended.logged.matches("takes a secret that everybody can read").count(), 3, "{ended:?}");
}

#[tokio::test]
async fn three_providers_are_let_in_once_each_and_counted() {
    let service = Service::start(&ALL);
    for (scheme, body) in [
        (provider::STRIPE, r#"{"id":"evt_1","type":"charge.succeeded","data":{"object":{"amount":900}}}"#),
        (provider::GITHUB, r#"{"repository":{"id":1296269}}"#),
        (provider::SLACK, r#"{"type":"event_callback","event_id":"Ev1","event_time":1234567890}"#),
    ] {
        let forged = send(&service, scheme, STRANGER, body).await;
        assert_eq!(forged.status, 401, "{}: {forged:?}", scheme.name);
        let genuine = send(&service, scheme, CANARY, body).await;
        assert!(genuine.status == 200 && !genuine.is_duplicate(), "{}: {genuine:?}", scheme.name);
        assert!(send(&service, scheme, CANARY, body).await.is_duplicate(), "{}", scheme.name);
        let unfit = send(&service, scheme, CANARY, r#"["none of theirs"]"#).await;
        assert_eq!(unfit.status, 422, "{}: {unfit:?}", scheme.name);
        let metrics = get(service.admin, "/metrics").await;
        for count in [
            format!("shop_events_total{{provider=\"{}\"}} 1", scheme.name),
            format!("webhook_duplicates_total{{provider=\"{}\"}} 1", scheme.name),
            format!("webhook_rejections_total{{provider=\"{}\",reason=\"signature_mismatch\"}} 1", scheme.name),
        ] {
            assert!(str::from_utf8(&metrics.body).unwrap().contains(&count), "{count}: {metrics:?}");
        }
    }
    assert_eq!(get(service.admin, "/health").await.status, 200);
    assert_eq!(get(service.address, "/metrics").await.status, 404, "metrics are not for everybody");
    let ended = service.stop();
    assert!(ended.success, "{ended:?}");
    let output = ended.said + &ended.logged;
    assert!(output.contains("a payment of 900 cents") && !output.contains(CANARY), "{output}");
}

#[tokio::test]
async fn slack_finds_out_that_the_endpoint_is_ours() {
    let service = Service::start(&ALL);
    let body =
        r#"{"type":"url_verification","token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#;
    let answer = send(&service, provider::SLACK, CANARY, body).await;
    let text = str::from_utf8(&answer.body).unwrap();
    assert!(
        answer.status == 200 && text.contains("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"),
        "{answer:?}"
    );
    assert_eq!(send(&service, provider::SLACK, STRANGER, body).await.status, 401);
}

#[tokio::test]
async fn only_providers_with_a_secret_have_an_endpoint() {
    let service = Service::start(&[("STRIPE_SECRET", "whsec_new, whsec_old")]);
    for (number, secret) in ["whsec_new", "whsec_old"].into_iter().enumerate() {
        let body = format!(r#"{{"id":"evt_{number}","type":"ping"}}"#);
        assert_eq!(send(&service, provider::STRIPE, secret, &body).await.status, 200, "{secret}");
    }
    for (scheme, demonstrated) in
        [(provider::GITHUB, "for demonstration only"), (provider::SLACK, "8f742231b10e8888abcd99yyyzzz85a5")]
    {
        assert_eq!(send(&service, scheme, demonstrated, "{}").await.status, 404, "{}", scheme.name);
    }
}

#[tokio::test]
async fn addresses_are_limited_by_what_trusted_proxies_say() {
    let service = Service::start(&[ALL[1], ("TRUSTED_PROXIES", "127.0.0.0/8")]);
    let forged_from = async |address: &str| {
        let request = Request::post(url(&service, "github")).header("x-forwarded-for", address);
        ask(STRANGER, provider::GITHUB, request.body(Full::from("{}")).unwrap()).await.status.as_u16()
    };
    let mut answers = Vec::new();
    for _ in 0..70 {
        answers.push(forged_from("192.0.2.1").await);
    }
    assert!(answers.starts_with(&[401; 60]) && answers.contains(&429), "{answers:?}");
    assert_eq!(forged_from("198.51.100.1").await, 401, "who has not failed may try");
}

#[tokio::test]
async fn a_delivery_that_is_under_way_ends_before_the_process_does() {
    for client_stays in [true, false] {
        let service = Service::start(&[ALL[0], ("WORK_MILLIS", "2000")]);
        let mut slow = Box::pin(send(&service, provider::STRIPE, CANARY, r#"{"id":"evt_1","type":"ping"}"#));
        let has_begun = async {
            let begun = r#"shop_events_begun_total{provider="stripe"} 1"#;
            while !str::from_utf8(&get(service.admin, "/metrics").await.body).unwrap().contains(begun) {}
        };
        tokio::select! {
            answer = &mut slow => panic!("answered before it was stopped: {answer:?}"),
            () = has_begun => {}
        }
        if client_stays {
            service.ask_to_stop();
            assert_eq!(slow.await.status, 200);
        } else {
            drop(slow);
        }
        let ended = service.stop();
        assert!(ended.success && ended.said.contains("stopped after 1 events"), "{client_stays}: {ended:?}");
    }
}

#[tokio::test]
async fn processes_with_the_same_redis_know_of_each_other() {
    let Some(redis) = redis_server::Server::start(&[]) else { return };
    let url = redis.url();
    let [one, other] = [(); 2].map(|()| Service::start(&[ALL[0], ("REDIS_URL", &url)]));
    let body = r#"{"id":"evt_1","type":"ping"}"#;
    assert!(!send(&one, provider::STRIPE, CANARY, body).await.is_duplicate());
    assert!(send(&other, provider::STRIPE, CANARY, body).await.is_duplicate());
}

#[test]
fn what_cannot_be_configured_is_said_and_fails() {
    for (variable, value) in
        [("WORK_MILLIS", "long"), ("TRUSTED_PROXIES", "everybody"), ("REDIS_URL", "nowhere"), ("LISTEN", "here")]
    {
        let run = example("axum")
            .envs([("LISTEN", "127.0.0.1:0"), ("ADMIN_LISTEN", "127.0.0.1:0"), ("STRIPE_SECRET", CANARY)])
            .env(variable, value)
            .output()
            .unwrap();
        let logged = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && logged.contains("ERROR"), "{variable}: {logged}");
        assert!(!logged.contains(CANARY), "{variable}: {logged}");
    }
}

fn url(service: &Service, provider: &str) -> String {
    format!("http://{}/{provider}", service.address)
}

async fn send(service: &Service, scheme: Scheme<'static>, secret: &str, body: &str) -> Answer {
    let request = Request::post(url(service, scheme.name)).body(Full::from(body.to_owned())).unwrap();
    ask(secret, scheme, request).await
}

async fn ask(secret: &str, scheme: Scheme<'static>, mut request: Request<Full<Bytes>>) -> Answer {
    request.extensions_mut().insert(DeliveryId::new("delivery_1").unwrap());
    let client: Client<HttpConnector, Signed> = Client::builder(TokioExecutor::new()).build_http();
    let client = SignLayer::new(scheme.signer(secret).unwrap()).layer(client);
    let answer: Response<Incoming> = client.oneshot(request).await.unwrap();
    Answer::of(answer).await
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    Answer::of(client.get(format!("http://{address}{path}").parse().unwrap()).await.unwrap()).await
}
