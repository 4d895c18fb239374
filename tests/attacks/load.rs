//! Little room and many who want it: group Q of the catalogue, as far as it shows from outside.

use std::time::Duration;

use futures_util::future::join_all;
use tower::{ServiceBuilder, limit::ConcurrencyLimitLayer};

use crate::{
    deliveries::{BODY, NOW, Provider, standard},
    server::Site,
    wire::{Connection, Raw, exchange},
};

/// A server whose handler takes one call at a time.
async fn narrow_site() -> Site {
    Site::with_routes(Provider::Standard, |routes, builder| {
        let webhooks = builder.idle_timeout(Duration::from_secs(9)).build().unwrap();
        let stack = ServiceBuilder::new().layer(webhooks).layer(ConcurrencyLimitLayer::new(1));
        routes.layer(stack)
    })
    .await
}

#[tokio::test]
async fn requests_that_are_refused_take_no_room_from_those_that_are_not() {
    let site = narrow_site().await;
    let good = |n: usize| standard(format!("msg_{n}"), "1800000000", BODY);
    let request = |n: usize| -> (Raw, u16) {
        match n % 8 {
            0 | 1 => (good(n), 200),
            2 => (good(n).without("webhook-signature"), 401),
            3 => (good(n).body("forged"), 401),
            4 => (good(n).method("GET"), 405),
            5 => (good(n).header("webhook-id", "twice"), 400),
            6 => (good(n).header("Transfer-Encoding", "chunked").framed("x\r\n"), 400),
            _ => (good(n).header("Content-Length", "1048577").framed(""), 413),
        }
    };
    let all = join_all((0..100).map(|n| {
        let (request, expected) = request(n);
        let address = site.address;
        async move { (n, exchange(address, &request).await.map(|reply| reply.status.as_u16()), expected) }
    }));
    let replies = tokio::time::timeout(Duration::from_secs(10), all).await.expect("Q-04: somebody waits for ever");
    for (n, status, expected) in replies {
        assert_eq!(status, Some(expected), "Q-04 {n}");
    }
    assert_eq!((site.calls(), site.nonces.len(), site.handler.most_running()), (26, 26, 1), "Q-04");
    site.assert_still_serves("Q-04").await;
}

#[tokio::test]
async fn bodies_that_do_not_come_take_no_room_from_those_that_do() {
    let site = narrow_site().await;
    let mut stalled = Connection::open(site.address).await;
    stalled.send(Provider::Standard.base().cut(10).bytes()).await;
    site.until("the stranger's bytes are held", |site| site.budget.held() == 10).await;

    let genuine = Provider::Standard.another(NOW);
    let reply = tokio::time::timeout(Duration::from_secs(5), exchange(site.address, &genuine)).await;
    let reply = reply.expect("Q-04: a genuine delivery waits for a stranger's body").unwrap();
    assert_eq!((reply.status.as_u16(), site.calls()), (200, 1), "Q-04");
}
