//! What is refused before anything of a request is looked at, and what proxies may say about it.

#[path = "support/https.rs"]
mod https;
mod support;

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Extension, Router, extract::ConnectInfo, routing::post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use proptest::prelude::*;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use support::{Answer, Calls, NOW, Sent, clock, memory, property, send};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, ServerName},
        server::WebPkiClientVerifier,
    },
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_webhook::{
    ConfigError, Delivery,
    ForwardingHeader::{self, Forwarded, XForwardedFor},
    PeerAddr, Tls, TrustedProxies,
    clock::UnixTime,
    layer::{
        AllowSourcesLayer, ClientAddr, RateLimitLayer, RejectReplayLayer, RenderRejectionsLayer, RequireHttpsLayer,
        Sources, VerifySignatureLayer, WebhookLayer,
    },
    provider,
    scheme::{Outgoing, Verifier},
    store::{MemoryRateStore, Quota},
};
use x509_cert::{Certificate, der::Decode};

const PROXY: &str = "127.0.0.1";
const STRANGER: &str = "5.5.5.5";

const PROTO: &str = "x-forwarded-proto";
const FOR: &str = "x-forwarded-for";
const HOST: &str = "x-forwarded-host";
const FORWARDED: &str = "forwarded";

/// Headers, as they come one after the other.
type Lines<'l> = &'l [(&'static str, &'l str)];

/// The whole stack, composed by hand.
macro_rules! by_hand {
    ($https:expr, $sources:expr, $limit:expr, $clock:expr) => {
        ServiceBuilder::new()
            .layer(RenderRejectionsLayer::new())
            .layer($https)
            .layer($sources)
            .layer($limit)
            .layer(VerifySignatureLayer::new(support::verifier(provider::STANDARD_WEBHOOKS)).with_clock($clock.clone()))
            .layer(RejectReplayLayer::new(memory($clock)))
    };
}
#[tokio::test]
async fn https_is_known_from_the_connection() {
    let tls = Some(Tls::new());
    for (what, tls, uri, lines, passes) in [
        ("over TLS", tls.clone(), "/hook", &[][..], true),
        ("over TLS, by HTTP/2", tls.clone(), "https://hooks.test/hook", &[], true),
        ("over TLS, with headers of no meaning", tls.clone(), "/hook", &[(PROTO, "http")], true),
        ("over TLS, for one who came in the clear", tls, "http://hooks.test/hook", &[], false),
        ("in the clear", None, "/hook", &[], false),
        ("in the clear, by HTTP/2 that says otherwise", None, "https://hooks.test/hook", &[], false),
        ("a header", None, "/hook", &[(PROTO, "https")], false),
        ("another header", None, "/hook", &[(FORWARDED, "for=1.1.1.1;proto=https")], false),
        ("many headers", None, "/hook", &[("x-forwarded-ssl", "on"), ("front-end-https", "on")], false),
        ("a wish", None, "/hook", &[("upgrade-insecure-requests", "1"), ("origin", "https://a.test")], false),
    ] {
        let with = |mut request: Request<Unread>| {
            *request.uri_mut() = uri.parse().unwrap();
            request.extensions_mut().extend(tls.clone().map(extension).unwrap_or_default());
            request
        };
        let reason = if passes { "" } else { "https_required" };
        assert_eq!(judge(RequireHttpsLayer::new(), with(request(PROXY, lines))).await, reason, "{what}");
        // Who comes from elsewhere is judged as if there were no proxies.
        let behind = RequireHttpsLayer::new().behind(trusting(["10.0.0.0/8"], XForwardedFor));
        assert_eq!(judge(behind, with(request(STRANGER, lines))).await, reason, "{what}, from elsewhere");
    }
}

#[tokio::test]
async fn a_trusted_proxy_says_whether_it_was_https() {
    for (what, peer, lines, passes) in [
        ("https", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "https")][..], true),
        ("HTTPS", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "HTTPS")], true),
        ("blanks", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "\thttps ")], true),
        ("without an address", PROXY, &[(PROTO, "https")], true),
        ("a peer in IPv6 clothes", "::ffff:127.0.0.1", &[(PROTO, "https")], true),
        ("appended to a stranger's", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "http,https")], true),
        ("appended in a line of its own", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "http"), (PROTO, "https")], true),
        ("appended to junk", PROXY, &[(FOR, "1.1.1.1"), (PROTO, ",\",;,https")], true),
        ("http", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "http")], false),
        ("http, appended to a stranger's", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "https,http")], false),
        ("http, appended in a line", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "https"), (PROTO, "http")], false),
        ("nothing", PROXY, &[(FOR, "1.1.1.1")], false),
        ("no header at all", PROXY, &[], false),
        ("an empty one", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "")], false),
        ("an empty one at the end", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "https,")], false),
        ("an empty line at the end", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "https"), (PROTO, "")], false),
        ("on", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "on")], false),
        ("wss", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "wss")], false),
        ("quotes", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "\"https\"")], false),
        ("two in one", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "https https")], false),
        ("another separator", PROXY, &[(FOR, "1.1.1.1"), (PROTO, "http;https")], false),
        ("more than a proxy can have seen", PROXY, &[(PROTO, "https, https")], false),
        ("the other header", PROXY, &[(FORWARDED, "for=1.1.1.1;proto=https")], false),
        ("an untrusted peer", STRANGER, &[(FOR, "1.1.1.1"), (PROTO, "https")], false),
        ("an untrusted peer that names a proxy", STRANGER, &[(FOR, PROXY), (PROTO, "https")], false),
    ] {
        let expected = if passes { "" } else { "https_required" };
        for proxies in [trusting([PROXY], XForwardedFor), trusting(["127.0.0.0/8"], XForwardedFor)] {
            let layer = RequireHttpsLayer::new().behind(proxies);
            assert_eq!(judge(layer, request(peer, lines)).await, expected, "{what}");
        }
        if peer != STRANGER {
            let layer = RequireHttpsLayer::new().behind(TrustedProxies::hops(1, XForwardedFor).unwrap());
            assert_eq!(judge(layer, request(peer, lines)).await, expected, "{what}, by number");
        }
    }
}

#[tokio::test]
async fn that_a_proxy_speaks_tls_itself_says_nothing_of_its_client() {
    let layer = RequireHttpsLayer::new().behind(trusting([PROXY], XForwardedFor));
    for (lines, reason) in
        [(&[][..], "https_required"), (&[(PROTO, "http")], "https_required"), (&[(PROTO, "https")], "")]
    {
        let mut request = request(PROXY, lines);
        request.extensions_mut().insert(Tls::new());
        assert_eq!(judge(layer.clone(), request).await, reason, "{lines:?}");
    }
}

#[tokio::test]
async fn of_a_chain_the_first_proxy_decides() {
    const CHAIN: &str = "1.1.1.1, 2.2.2.2";
    for (what, lines, passes) in [
        ("each appends", &[(FOR, CHAIN), (PROTO, "https, http")][..], true),
        ("each appends, to a stranger's", &[(FOR, "9.9.9.9, 1.1.1.1, 2.2.2.2"), (PROTO, "http, https, http")], true),
        ("each appends a line", &[(FOR, "1.1.1.1"), (FOR, "2.2.2.2"), (PROTO, "https"), (PROTO, "http")], true),
        ("one speaks for both", &[(FOR, CHAIN), (PROTO, "https")], true),
        ("no address, but all know", &[(FOR, "unknown, 2.2.2.2"), (PROTO, "https")], true),
        ("in the clear to the first", &[(FOR, CHAIN), (PROTO, "http, https")], false),
        ("in the clear to the first, whatever a stranger says", &[(FOR, CHAIN), (PROTO, "https, http, https")], false),
        ("one speaks for both, in the clear", &[(FOR, CHAIN), (PROTO, "http")], false),
        ("no address, so it is unclear whose it is", &[(FOR, "unknown, 2.2.2.2"), (PROTO, "https, https")], false),
        ("nobody but the first says", &[(FOR, CHAIN)], false),
    ] {
        let expected = if passes { "" } else { "https_required" };
        for proxies in [trusting([PROXY, "2.2.2.2"], XForwardedFor), TrustedProxies::hops(2, XForwardedFor).unwrap()] {
            let layer = RequireHttpsLayer::new().behind(proxies);
            assert_eq!(judge(layer, request(PROXY, lines)).await, expected, "{what}");
        }
    }
    // Fewer values than proxies: somebody has said nothing, and nobody knows who.
    let layer = RequireHttpsLayer::new().behind(TrustedProxies::hops(3, XForwardedFor).unwrap());
    let lines = [(FOR, "1.1.1.1, 2.2.2.2, 3.3.3.3"), (PROTO, "https, https")];
    assert_eq!(judge(layer, request(PROXY, &lines)).await, "https_required");
}

#[tokio::test]
async fn no_more_than_32_proxies_are_asked() {
    for (proxies, reason) in [(32, ""), (33, "https_required"), (100, "https_required")] {
        let elements: Vec<_> = (1..proxies).map(|last| format!("for=10.0.0.{last};proto=https")).collect();
        let line = ["for=1.1.1.1;proto=https"].into_iter().chain(elements.iter().map(String::as_str));
        let line = line.collect::<Vec<_>>().join(",");
        let layer = RequireHttpsLayer::new().behind(trusting([PROXY, "10.0.0.0/8"], Forwarded));
        assert_eq!(judge(layer, request(PROXY, &[(FORWARDED, &line)])).await, reason, "{proxies}");
    }
}

#[tokio::test]
async fn forwarded_says_it_in_the_element_that_names_the_client() {
    for (what, lines, passes) in [
        ("one proxy", &["for=1.1.1.1;proto=https"][..], true),
        ("another case", &["For=1.1.1.1;PROTO=HTTPS"], true),
        ("quotes", &[r#"for="1.1.1.1:80";proto="https";host=a.test"#], true),
        ("two proxies", &["for=1.1.1.1;proto=https, for=2.2.2.2;proto=http"], true),
        ("two proxies, of which one says", &["for=1.1.1.1;proto=https, for=2.2.2.2"], true),
        ("two lines", &["for=1.1.1.1;proto=https", "for=2.2.2.2;proto=http"], true),
        ("a stranger's on the left", &["for=9.9.9.9;proto=http, for=1.1.1.1;proto=https"], true),
        ("a stranger's quote on the left", &[r#"for=9.9.9.9;proto="http, for=1.1.1.1;proto=https"#], true),
        ("the client is a proxy", &["for=2.2.2.2;proto=https"], true),
        ("http", &["for=1.1.1.1;proto=http"], false),
        ("http to the first of two", &["for=1.1.1.1;proto=http, for=2.2.2.2;proto=https"], false),
        ("the first of two does not say", &["for=1.1.1.1, for=2.2.2.2;proto=https"], false),
        ("a stranger says", &["for=9.9.9.9;proto=https, for=1.1.1.1;proto=http"], false),
        ("a stranger says, for one who does not", &["for=9.9.9.9;proto=https, for=1.1.1.1"], false),
        ("a stranger's quote", &[r#"for=9.9.9.9;proto=https;host=", for=1.1.1.1;proto=http"#], false),
        ("nobody is named", &["proto=https"], false),
        ("a hidden name", &["for=_hidden;proto=https"], false),
        ("an unknown one behind a proxy", &["for=unknown;proto=https, for=2.2.2.2;proto=https"], false),
        ("twice", &["for=1.1.1.1;proto=https;proto=http"], false),
        ("twice the same", &["for=1.1.1.1;proto=https;Proto=https"], false),
        ("malformed elsewhere", &["for=1.1.1.1;proto=https;host=a b"], false),
        ("a quote left open", &[r#"for=1.1.1.1;proto="https"#], false),
        ("an escape", &[r#"for=1.1.1.1;proto="http\s""#], false),
        ("an empty element", &["for=1.1.1.1;proto=https,"], false),
        ("nothing", &[""], false),
        ("no header", &[], false),
    ] {
        let expected = if passes { "" } else { "https_required" };
        let lines: Vec<_> = lines.iter().map(|line| (FORWARDED, *line)).collect();
        let layer = RequireHttpsLayer::new().behind(trusting([PROXY, "2.2.2.2"], Forwarded));
        assert_eq!(judge(layer.clone(), request(PROXY, &lines)).await, expected, "{what}");
        // The other header is not read, whatever it says.
        let both = [&lines[..], &[(FOR, "1.1.1.1"), (PROTO, if passes { "http" } else { "https" })]].concat();
        assert_eq!(judge(layer.clone(), request(PROXY, &both)).await, expected, "{what}, and the other header");
        assert_eq!(judge(layer, request(STRANGER, &lines)).await, "https_required", "{what}, by an untrusted peer");
    }
}

#[tokio::test]
async fn only_allowed_sources_come_through() {
    let layer =
        || AllowSourcesLayer::new(sources(["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "::ffff:10.0.0.0/104"]));
    let behind = || layer().behind(trusting([PROXY, "2.2.2.2"], XForwardedFor));
    for (what, peer, lines, passes) in [
        ("an address of the network", "192.0.2.9", &[][..], true),
        ("the address", "198.51.100.7", &[], true),
        ("IPv6", "2001:db8::9", &[], true),
        ("in IPv6 clothes", "::ffff:192.0.2.9", &[], true),
        ("of a network in IPv6 clothes", "10.1.2.3", &[], true),
        ("another address", "198.51.100.8", &[], false),
        ("another IPv6 address", "2001:db9::9", &[], false),
        ("no IPv4 address but similar", "::192.0.2.9", &[], false),
        ("loopback", "127.0.0.2", &[], false),
        ("a stranger who says otherwise", STRANGER, &[(FOR, "192.0.2.9"), ("x-real-ip", "192.0.2.9")], false),
        ("a stranger who names a proxy", STRANGER, &[(FOR, "192.0.2.9, 127.0.0.1")], false),
        ("one who is allowed and names another", "192.0.2.9", &[(FOR, STRANGER)], true),
    ] {
        let reason = if passes { "" } else { "source_not_allowed" };
        assert_eq!(judge(layer(), request(peer, lines)).await, reason, "{what}");
        assert_eq!(judge(behind(), request(peer, lines)).await, reason, "{what}, around the proxies");
    }
    for (what, lines, passes) in [
        ("through a proxy", &[(FOR, "192.0.2.9")][..], true),
        ("through two", &[(FOR, "192.0.2.9, 2.2.2.2")], true),
        ("through two, in lines", &[(FOR, "192.0.2.9"), (FOR, "2.2.2.2")], true),
        ("in IPv6 clothes", &[(FOR, "[::ffff:192.0.2.9]:443")], true),
        ("with a stranger's on the left", &[(FOR, "5.5.5.5, 192.0.2.9")], true),
        ("a stranger", &[(FOR, STRANGER)], false),
        ("a stranger who says otherwise", &[(FOR, "192.0.2.9, 5.5.5.5")], false),
        ("a stranger who says otherwise, in lines", &[(FOR, "192.0.2.9"), (FOR, "5.5.5.5, 2.2.2.2")], false),
        ("somebody unknown", &[(FOR, "192.0.2.9, unknown")], false),
        ("nobody", &[], false),
        ("the other header", &[(FORWARDED, "for=192.0.2.9")], false),
    ] {
        let reason = if passes { "" } else { "source_not_allowed" };
        assert_eq!(judge(behind(), request(PROXY, lines)).await, reason, "{what}");
        assert_eq!(judge(layer(), request(PROXY, lines)).await, "source_not_allowed", "{what}, with nobody trusted");
    }
}

#[tokio::test]
async fn the_peer_may_be_known_from_axum_and_must_be_known() {
    let lines = [(FOR, "192.0.2.9"), (PROTO, "https")];
    let proxies = || trusting([PROXY], XForwardedFor);
    let allow = AllowSourcesLayer::new(sources(["192.0.2.0/24"])).behind(proxies());
    let https = RequireHttpsLayer::new().behind(proxies());
    let unknown = || {
        let mut request = request(PROXY, &lines);
        request.extensions_mut().clear();
        request
    };
    let known = || {
        let mut request = unknown();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address(PROXY), 1)));
        request
    };
    assert_eq!(judge(allow.clone(), known()).await, "");
    assert_eq!(judge(https.clone(), known()).await, "");
    assert_eq!(judge(allow, unknown()).await, "misconfigured");
    assert_eq!(judge(https, unknown()).await, "misconfigured");
    assert_eq!(judge(RequireHttpsLayer::new(), unknown()).await, "https_required", "no address is needed");
}

#[tokio::test]
async fn sources_are_replaced_while_they_are_in_use() {
    let sources = sources(["192.0.2.0/24"]);
    let service = AllowSourcesLayer::new(sources.clone()).layer(Calls::default().handler());
    for (replaced, allowed, refused) in [
        (None, "192.0.2.1", "198.51.100.1"),
        (Some(["198.51.100.0/24"]), "198.51.100.1", "192.0.2.1"),
        // What cannot be used changes nothing.
        (Some(["192.0.2.1/24"]), "198.51.100.1", "192.0.2.1"),
        (Some(["192.0.2.0/24"]), "192.0.2.1", "198.51.100.1"),
    ] {
        if let Some(networks) = replaced {
            assert_eq!(sources.replace(networks).is_ok(), networks != ["192.0.2.1/24"], "{networks:?}");
        }
        assert_eq!(send(&service, request(allowed, &[])).await.status, 200, "{replaced:?}");
        assert_eq!(send(&service, request(refused, &[])).await.reason(), "source_not_allowed", "{replaced:?}");
    }
    assert!(sources.replace([""; 0]).is_err(), "an empty list allows nobody, which nobody means");
    assert_eq!(send(&service, request("192.0.2.1", &[])).await.status, 200);
}

#[test]
fn sources_that_are_none_are_refused() {
    for (network, why) in [
        ("10.0.0.5/8", "bits are set"),
        ("10.0.0.0/33", "up to 32"),
        ("10.0.0.0/08", "must be a number"),
        ("0.0.0.0/0", "allow everyone"),
        ("::/0", "allow everyone"),
        ("::ffff:0.0.0.0/96", "allow everyone"),
        ("", "not an address"),
        ("fe80::1%eth0", "not an address"),
        ("hooks.test", "not an address"),
        ("*", "not an address"),
    ] {
        let error = Sources::networks(["192.0.2.1", network]).unwrap_err();
        assert!(matches!(&error, ConfigError::InvalidValue { value, .. } if value == network), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    assert_eq!(Sources::networks([""; 0]).unwrap_err().to_string(), "allowed sources `[]`: none is named");
}

const A: &str = "https://a.example";
const B: &str = "https://b.example";

#[tokio::test]
async fn trusted_proxies_choose_among_the_public_origins() {
    for (what, signed, lines, status) in [
        ("the host that was called", B, &[(PROTO, "https"), (HOST, "b.example")][..], 200),
        ("the other one", A, &[(PROTO, "https"), (HOST, "a.example")], 200),
        ("of one name, another than was signed", A, &[(PROTO, "https"), (HOST, "b.example")], 401),
        ("in another case", B, &[(PROTO, "HTTPS"), (HOST, "B.Example")], 200),
        ("with the port that is meant anyway", B, &[(PROTO, "https"), (HOST, "b.example:443")], 200),
        ("with a port of its own", "https://b.example:8443", &[(PROTO, "https"), (HOST, "b.example:8443")], 200),
        ("a host that they let stand", A, &[(PROTO, "https")], 200),
        (
            "appended to a stranger's",
            B,
            &[(FOR, "1.1.1.1"), (PROTO, "http,https"), (HOST, "evil.example, b.example")],
            200,
        ),
        ("a stranger's, appended to", A, &[(FOR, "1.1.1.1"), (PROTO, "https"), (HOST, "b.example, a.example")], 200),
        ("in the clear", A, &[(PROTO, "http"), (HOST, "a.example")], 421),
        ("in the clear, to the port of TLS", A, &[(PROTO, "http"), (HOST, "a.example:443")], 421),
        ("of no protocol", A, &[(HOST, "a.example")], 421),
        ("of another protocol", A, &[(PROTO, "ftp"), (HOST, "a.example")], 421),
        ("an unknown host", A, &[(PROTO, "https"), (HOST, "evil.example")], 421),
        ("no host", A, &[(PROTO, "https"), (HOST, "")], 421),
        ("another port", A, &[(PROTO, "https"), (HOST, "a.example:444")], 421),
        ("no port", A, &[(PROTO, "https"), (HOST, "a.example:")], 421),
        ("a port with a sign", A, &[(PROTO, "https"), (HOST, "a.example:+443")], 421),
        ("a user", A, &[(PROTO, "https"), (HOST, "a.example@evil.example")], 421),
        ("a user before the host", A, &[(PROTO, "https"), (HOST, "evil@a.example")], 421),
        ("a path", A, &[(PROTO, "https"), (HOST, "a.example/evil")], 421),
        ("a subdomain", A, &[(PROTO, "https"), (HOST, "evil.a.example")], 421),
        ("hosts of no known order", A, &[(PROTO, "https"), (HOST, "a.example, a.example")], 421),
        ("the other header", A, &[(FORWARDED, "for=1.1.1.1;proto=https;host=a.example")], 421),
    ] {
        assert_eq!(origin_judgement(XForwardedFor, PROXY, signed, lines).await, status, "{what}");
    }
    for (what, signed, line, status) in [
        ("the host that was called", B, "for=1.1.1.1;proto=https;host=b.example", 200),
        ("with a port", "https://b.example:8443", r#"for=1.1.1.1;proto=https;host="b.example:8443""#, 200),
        ("of two", B, "for=1.1.1.1;proto=https;host=b.example, for=2.2.2.2;proto=http;host=a.example", 200),
        ("a host that they let stand", A, "for=1.1.1.1;proto=https", 200),
        ("a stranger's", A, "for=9.9.9.9;proto=https;host=b.example, for=1.1.1.1;proto=https;host=a.example", 200),
        ("an unknown host", A, "for=1.1.1.1;proto=https;host=evil.example", 421),
        ("in the clear", A, "for=1.1.1.1;proto=http;host=a.example", 421),
        ("twice", A, "for=1.1.1.1;proto=https;host=a.example;host=a.example", 421),
        ("of nobody", A, "proto=https;host=a.example", 421),
    ] {
        assert_eq!(
            origin_judgement(Forwarded, PROXY, signed, &[(FORWARDED, line)]).await,
            status,
            "{what}, by Forwarded"
        );
    }
}

/// X-09: who comes around the proxies is judged by what was configured.
#[tokio::test]
async fn a_stranger_cannot_choose_the_public_origin() {
    for lines in [
        &[][..],
        &[(PROTO, "https"), (HOST, "b.example")],
        &[(PROTO, "http"), (HOST, "evil.example")],
        &[(FOR, PROXY), (PROTO, "https"), (HOST, "b.example")],
        &[(FORWARDED, "for=127.0.0.1;proto=https;host=b.example")],
        &[("x-original-host", "b.example"), ("x-host", "b.example"), ("x-forwarded-server", "b.example")],
    ] {
        for header in [XForwardedFor, Forwarded] {
            assert_eq!(origin_judgement(header, STRANGER, A, lines).await, 200, "{header:?} {lines:?}");
            assert_eq!(origin_judgement(header, STRANGER, B, lines).await, 401, "{header:?} {lines:?}");
        }
        // Where no proxies are named, what was configured is all there is.
        let service = VerifySignatureLayer::new(square()).with_clock(clock()).layer(Calls::default().handler());
        assert_eq!(send(&service, signed_for(A, PROXY, lines)).await.status, 200, "{lines:?}");
        assert_eq!(send(&service, signed_for(B, PROXY, lines)).await.status, 401, "{lines:?}");
    }
}

/// X-13 to X-16.
#[tokio::test]
async fn a_request_that_names_no_host_or_two_is_refused() {
    for (what, version, uri, hosts, status) in [
        ("a host", Version::HTTP_11, "/hook", &["a.example"][..], 200),
        ("a host with a port", Version::HTTP_11, "/hook", &["a.example:443"], 200),
        ("a whole target that agrees", Version::HTTP_11, "http://a.example/hook", &["A.example"], 200),
        ("an authority", Version::HTTP_2, "https://a.example/hook", &[], 200),
        ("an authority and a host that agree", Version::HTTP_2, "https://a.example/hook", &["a.example"], 200),
        ("no host", Version::HTTP_11, "/hook", &[], 400),
        ("no host, but a whole target", Version::HTTP_11, "http://a.example/hook", &[], 400),
        ("no authority", Version::HTTP_2, "/hook", &[], 400),
        ("an empty host", Version::HTTP_11, "/hook", &[""], 400),
        ("two hosts", Version::HTTP_11, "/hook", &["a.example", "evil.example"], 400),
        ("a host twice", Version::HTTP_11, "/hook", &["a.example", "a.example"], 400),
        ("a list of hosts", Version::HTTP_11, "/hook", &["a.example, evil.example"], 400),
        ("a user", Version::HTTP_11, "/hook", &["evil@a.example"], 400),
        ("a path", Version::HTTP_11, "/hook", &["a.example/evil"], 400),
        ("a whole target that disagrees", Version::HTTP_11, "http://evil.example/hook", &["a.example"], 400),
        ("an authority and a host that disagree", Version::HTTP_2, "https://a.example/hook", &["evil.example"], 400),
        ("another host", Version::HTTP_11, "/hook", &["evil.example"], 421),
        ("another authority", Version::HTTP_2, "https://evil.example/hook", &[], 421),
    ] {
        for (peer, header) in [(PROXY, XForwardedFor), (PROXY, Forwarded), (STRANGER, XForwardedFor)] {
            let lines = [(PROTO, "https"), (FORWARDED, "for=1.1.1.1;proto=https")];
            let mut request = signed_for(A, peer, &lines);
            request.headers_mut().remove("host");
            for host in hosts {
                request.headers_mut().append("host", host.parse().unwrap());
            }
            *request.version_mut() = version;
            *request.uri_mut() = uri.parse().unwrap();
            // A stranger's host means nothing, as long as it is one.
            let status = if peer == STRANGER && status == 421 { 200 } else { status };
            assert_eq!(send(&with_origins(header), request).await.status, status, "{what}, {peer}");
        }
    }
}

#[tokio::test]
async fn the_origin_is_judged_before_the_body() {
    let layer = VerifySignatureLayer::new(square()).public_origin_from(trusting([PROXY], XForwardedFor), [A]).unwrap();
    let service = layer.layer(Calls::default().handler());
    for (lines, host, reason) in [
        (&[(PROTO, "https"), (HOST, "evil.example")][..], "a.example", "misdirected"),
        (&[(PROTO, "https")], "", "ambiguous_host"),
    ] {
        let mut request = request(PROXY, lines);
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(send(&service, request).await.reason(), reason);
    }
    let mut unknown = request(PROXY, &[("host", "a.example")]);
    unknown.extensions_mut().clear();
    assert_eq!(send(&service, unknown).await.reason(), "misconfigured");
}

#[test]
fn origins_that_are_none_are_refused() {
    let chosen = |verifier: Verifier, origins: &[&str]| {
        let proxies = trusting([PROXY], XForwardedFor);
        let layer = VerifySignatureLayer::new(verifier.clone()).public_origin_from(proxies.clone(), origins).map(drop);
        let whole = WebhookLayer::builder(verifier).public_origin_from(proxies, origins).map(drop);
        assert_eq!(layer, whole);
        layer.unwrap_err().to_string()
    };
    for (origins, why) in [
        (&[][..], "none is named"),
        (&[A, ""], "not a URL"),
        (&[A, "b.example"], "must start with"),
        (&[A, "ftp://b.example"], "must start with"),
        (&[A, "https://b.example/"], "without a slash"),
        (&[A, "https://b.example/hook"], "without a slash"),
        (&[A, "https://user@b.example"], "must be a scheme, a host"),
        (&[A, A], "named twice"),
        (&[A, "https://A.example:443"], "named twice"),
    ] {
        assert!(chosen(square(), origins).contains(why), "{origins:?}: {}", chosen(square(), origins));
    }
    let exact = Verifier::builder(provider::SQUARE).public_url("https://a.example/hook").build("secret").unwrap();
    assert!(chosen(exact, &[A]).contains("no origin can be chosen"));
}

#[tokio::test]
async fn a_client_certificate_is_part_of_the_delivery() {
    let subject = "CN=billing,O=Example";
    for tls in [None, Some(Tls::new()), Some(Tls::new().with_client_certificate(subject))] {
        let expected = tls.as_ref().and_then(Tls::client_certificate).map(str::to_owned);
        let handler = service_fn(|request: Request<tower_webhook::body::Verified>| async move {
            let delivery = request.extensions().get::<Delivery>().unwrap();
            assert_eq!(delivery.client_certificate(), request.body().delivery().client_certificate());
            let subject = delivery.client_certificate().unwrap_or("none").to_owned();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(subject)))
        });
        let service = VerifySignatureLayer::new(support::verifier(provider::STANDARD_WEBHOOKS))
            .with_clock(clock())
            .layer(handler);
        let mut request = Sent::standard("msg_1").request();
        request.extensions_mut().extend(tls.map(extension).unwrap_or_default());
        assert_eq!(send(&service, request).await.body, expected.as_deref().unwrap_or("none"));
    }
}

/// Something wrong with a request, in the order in which it is looked for.
const FAULTS: [&str; 4] = ["https_required", "source_not_allowed", "rate_limited", "missing_signature"];

#[tokio::test]
async fn the_first_refusal_wins_whatever_the_order_of_the_calls() {
    for faults in 0..1_usize << FAULTS.len() {
        let has =
            |fault: &str| FAULTS.iter().position(|known| *known == fault).is_some_and(|bit| faults >> bit & 1 == 1);
        let first = FAULTS.into_iter().find(|fault| has(fault)).unwrap_or_default();
        let request = || {
            let sent = Sent::standard("msg_1");
            let sent = if has("missing_signature") { sent.without("webhook-signature") } else { sent };
            let mut request = sent.request();
            request.extensions_mut().insert(peer(if has("source_not_allowed") { STRANGER } else { "192.0.2.9" }));
            if !has("https_required") {
                request.extensions_mut().insert(Tls::new());
            }
            request
        };
        let https = RequireHttpsLayer::new;
        let allow = || AllowSourcesLayer::new(sources(["192.0.2.0/24"]));
        let (clock, rates) = (clock(), MemoryRateStore::new());
        let quota = Quota::per_hour(if has("rate_limited") { 0 } else { 100 });
        let limit = || RateLimitLayer::new(quota, ClientAddr::new(), rates.clone());
        let new = || support::stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock);

        let calls = Calls::default();
        let mut answers = Vec::new();
        macro_rules! ask {
            ($layer:expr) => {
                answers.push(send(&Layer::layer(&$layer, calls.handler()), request()).await)
            };
        }
        ask!(new().require_https(https()).allow_sources(allow()).rate_limit(limit()).build().unwrap());
        ask!(new().require_https(https()).rate_limit(limit()).allow_sources(allow()).build().unwrap());
        ask!(new().allow_sources(allow()).require_https(https()).rate_limit(limit()).build().unwrap());
        ask!(new().allow_sources(allow()).rate_limit(limit()).require_https(https()).build().unwrap());
        ask!(new().rate_limit(limit()).require_https(https()).allow_sources(allow()).build().unwrap());
        ask!(new().rate_limit(limit()).allow_sources(allow()).require_https(https()).build().unwrap());
        ask!(by_hand!(RequireHttpsLayer::new(), allow(), limit(), &clock));
        for (order, answer) in answers.iter().enumerate() {
            assert_eq!(answer.reason(), first, "{faults:04b} {order}");
        }
        assert_eq!(calls.count(), if faults == 0 { answers.len() } else { 0 });
        if ["https_required", "source_not_allowed"].contains(&first) {
            assert_eq!(rates.len(), 0, "{first}: strangers take no memory");
        }
    }
}

#[tokio::test]
async fn refusals_are_put_into_words_that_say_no_more_than_needed() {
    let allow = AllowSourcesLayer::new(sources(["192.0.2.0/24"]));
    let origins =
        VerifySignatureLayer::new(square()).public_origin_from(trusting([PROXY], XForwardedFor), [A]).unwrap();
    let lines = [("host", "a.example"), (PROTO, "https"), (HOST, "evil.example")];
    macro_rules! answer {
        ($layer:expr, $lines:expr) => {{
            let service = ServiceBuilder::new().layer(RenderRejectionsLayer::new()).layer($layer);
            send(&service.service(Calls::default().handler()), request(PROXY, $lines)).await
        }};
    }
    let over_grpc = [&lines[..], &[("content-type", "application/grpc")]].concat();
    for (answer, grpc, status, title, code) in [
        (
            answer!(RequireHttpsLayer::new(), &lines),
            answer!(RequireHttpsLayer::new(), &over_grpc),
            403,
            "Forbidden",
            "https_required",
        ),
        (answer!(allow.clone(), &lines), answer!(allow, &over_grpc), 403, "Forbidden", "source_not_allowed"),
        (
            answer!(origins.clone(), &lines),
            answer!(origins, &over_grpc),
            421,
            "Misdirected Request",
            "misdirected_request",
        ),
    ] {
        let words = format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"code":"{code}"}}"#);
        assert_eq!((answer.status.as_u16(), &*answer.body), (status, words.as_bytes()));
        assert_eq!(answer.headers["cache-control"], "no-store", "{code}");
        for header in ["location", "www-authenticate", "retry-after"] {
            assert!(!answer.headers.contains_key(header), "{code}: {header}");
        }
        assert_eq!(
            (grpc.status.as_u16(), &grpc.headers["grpc-status"]),
            (200, &HeaderValue::from_static("7")),
            "{code}"
        );
        assert!(grpc.body.is_empty(), "{code}");
    }
}

#[tokio::test]
async fn over_real_connections_only_tls_is_https() {
    let pki = Pki::new();
    let limit = || RateLimitLayer::new(Quota::per_minute(600), ClientAddr::new(), MemoryRateStore::new());
    let stack =
        || by_hand!(RequireHttpsLayer::new(), AllowSourcesLayer::new(sources(["127.0.0.1"])), limit(), &clock());
    let preset = || {
        support::stack(provider::STANDARD_WEBHOOKS, memory(&clock()), &clock())
            .rate_limit(limit())
            .allow_sources(AllowSourcesLayer::new(sources(["127.0.0.1"])))
            .require_https(RequireHttpsLayer::new())
            .build()
            .unwrap()
    };
    let handle = |request: Request<tower_webhook::body::Verified>| async move {
        let subject = request.body().delivery().client_certificate().unwrap_or("none").to_owned();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(subject)))
    };
    async fn route(delivery: Delivery) -> String {
        delivery.client_certificate().unwrap_or("none").to_owned()
    }
    macro_rules! check {
        ($what:literal, $service:expr) => {{
            let secure = serve(Some(pki.acceptor()), $service).await;
            let plain = serve(None, $service).await;
            for (http2, id) in [(false, "msg_1"), (true, "msg_2")] {
                for (owner, subject) in [(None, "none"), (Some("billing"), "CN=billing")] {
                    let id = format!("{id}_{}", owner.unwrap_or("nobody"));
                    let answer = pki.exchange(secure, owner, http2, Sent::standard(&id).request()).await;
                    assert_eq!((answer.status.as_u16(), &*answer.body), (200, subject.as_bytes()), "{} {http2}", $what);
                }
                let spoofed = Sent::standard(id).header(PROTO, "https").header(FORWARDED, "for=1.1.1.1;proto=https");
                let answer = exchange(TcpStream::connect(plain).await.unwrap(), http2, spoofed.request()).await;
                assert_eq!(answer.status, 403, "{} {http2}", $what);
                assert!(str::from_utf8(&answer.body).unwrap().contains("https_required"), "{} {http2}", $what);
            }
        }};
    }
    check!("hyper, by hand", stack().service(service_fn(handle)));
    check!("hyper, the preset", preset().layer(service_fn(handle)));
    check!("axum, by hand", Router::new().route("/hook", post(route)).layer(stack()));
    check!("axum, the preset", Router::new().route("/hook", post(route)).layer(preset()));
}

#[tokio::test]
async fn over_real_connections_only_trusted_proxies_are_believed() {
    let lines = [
        ("nothing", vec![], 403),
        ("https", vec![(FOR, "192.0.2.9"), (PROTO, "https")], 200),
        ("https through two", vec![(FOR, "192.0.2.9, 10.9.9.9"), (PROTO, "https, http")], 200),
        ("http", vec![(FOR, "192.0.2.9"), (PROTO, "http")], 403),
        ("http through two", vec![(FOR, "192.0.2.9, 10.9.9.9"), (PROTO, "http, https")], 403),
        ("a stranger", vec![(FOR, STRANGER), (PROTO, "https")], 403),
    ];
    for (trusted, is_trusted) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let proxies = trusting([trusted, "10.0.0.0/8"], XForwardedFor);
        let server = serve(
            None,
            by_hand!(
                RequireHttpsLayer::new().behind(proxies.clone()),
                AllowSourcesLayer::new(sources(["192.0.2.0/24"])).behind(proxies.clone()),
                RateLimitLayer::new(Quota::per_minute(600), ClientAddr::behind(proxies), MemoryRateStore::new()),
                &clock()
            )
            .service(Calls::default().handler()),
        )
        .await;
        for (what, lines, status) in &lines {
            let sent = lines
                .iter()
                .fold(Sent::standard(&what.replace(' ', "_")), |sent, (name, line)| sent.header(name, line));
            let answer = exchange(TcpStream::connect(server).await.unwrap(), false, sent.request()).await;
            assert_eq!(answer.status, if is_trusted { *status } else { 403 }, "{what}, {trusted}");
        }
    }
}

#[tokio::test]
async fn a_router_that_is_served_over_nothing_but_tls_may_say_so() {
    for (says, status) in [(true, 200), (false, 403)] {
        let app: Router = Router::new().route("/hook", post(async || "over TLS")).layer(RequireHttpsLayer::new());
        let app = if says { app.layer(Extension(Tls::new())) } else { app };
        let request = Request::post("/hook").body(axum::body::Body::empty()).unwrap();
        assert_eq!(app.oneshot(request).await.unwrap().status(), status, "{says}");
    }
}

#[tokio::test]
async fn tonic_takes_the_stack() {
    let limit = RateLimitLayer::new(Quota::per_minute(600), ClientAddr::new(), MemoryRateStore::new());
    let allow = AllowSourcesLayer::new(sources(["127.0.0.1"]));
    let preset = support::stack(provider::STANDARD_WEBHOOKS, memory(&clock()), &clock())
        .require_https(RequireHttpsLayer::new())
        .allow_sources(allow.clone())
        .build()
        .unwrap();
    let routes = tonic::service::Routes::default;
    let _ = tonic::transport::Server::builder().layer(preset).add_routes(routes());
    let by_hand = by_hand!(RequireHttpsLayer::new(), allow, limit, &clock());
    let _ = tonic::transport::Server::builder().layer(by_hand).add_routes(routes());
}

/// What hyper lets through, and we do not.
#[tokio::test]
async fn over_real_connections_hosts_must_be_clear() {
    let server = serve(
        None,
        ServiceBuilder::new()
            .layer(RenderRejectionsLayer::new())
            .layer(
                VerifySignatureLayer::new(square()).public_origin_from(trusting([PROXY], XForwardedFor), [A]).unwrap(),
            )
            .service(Calls::default().handler()),
    )
    .await;
    let signature = signed_for(A, PROXY, &[]).headers()["x-square-hmacsha256-signature"].to_str().unwrap().to_owned();
    let rest = format!(
        "x-square-hmacsha256-signature: {signature}\r\nx-forwarded-proto: https\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    for (head, status) in [
        ("POST /hook HTTP/1.1\r\nhost: a.example\r\n", "200"),
        ("POST http://a.example/hook HTTP/1.1\r\nhost: a.example\r\n", "200"),
        ("POST /hook HTTP/1.1\r\n", "400"),
        ("POST /hook HTTP/1.1\r\nhost:\r\n", "400"),
        ("POST /hook HTTP/1.1\r\nhost: a.example\r\nhost: evil.example\r\n", "400"),
        ("POST http://evil.example/hook HTTP/1.1\r\nhost: a.example\r\n", "400"),
        ("POST /hook HTTP/1.1\r\nhost: evil.example\r\n", "421"),
    ] {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.write_all(format!("{head}{rest}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head:?}: {answer}");
    }
    // HTTP/2: `:authority` is one, `host` another.
    for (host, status) in [("a.example", 200), ("evil.example", 400)] {
        let mut request = signed_for(A, PROXY, &[(PROTO, "https")]);
        request.headers_mut().insert("host", host.parse().unwrap());
        *request.uri_mut() = "http://a.example/hook".parse().unwrap();
        let answer = exchange(TcpStream::connect(server).await.unwrap(), true, request).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

proptest! {
    #![proptest_config(property())]

    /// What proxies wrote decides, and what a client sent before it is without meaning.
    #[test]
    fn nothing_on_the_left_changes_the_judgement(
        header in headers(),
        protos in prop::collection::vec(proto(), 1..4),
        client in client(),
        left in prop::collection::vec(line(), 3),
        is_on_the_same_line in any::<bool>(),
    ) {
        // The proxies after the first, as the next one saw them.
        let nodes: Vec<_> = [client].into_iter().chain((1..protos.len()).map(|_| "2.2.2.2")).collect();
        let right = written(header, &nodes, &protos);
        let alone = verdict(header, PROXY, &right);
        let mut lines = Vec::new();
        for ((name, value), left) in right.iter().zip(&left) {
            if is_on_the_same_line {
                lines.push((*name, [&left[..], b", ", value].concat()));
            } else {
                lines.push((*name, left.clone()));
                lines.push((*name, value.clone()));
            }
        }
        prop_assert_eq!(verdict(header, PROXY, &lines), alone);
        let is_https = protos[0] == "https";
        prop_assert_eq!(alone, (is_https, client == "9.9.9.9", is_https), "{:?}", right);
    }

    /// Where the last proxy says one thing for all, addresses change nothing.
    #[test]
    fn one_value_stands_whatever_the_addresses_say(is_https in any::<bool>(), addresses in line()) {
        let proto = if is_https { "https" } else { "http" };
        let lines = [(FOR, addresses), (PROTO, proto.into())];
        prop_assert_eq!(verdict(XForwardedFor, PROXY, &lines).0, is_https);
    }

    #[test]
    fn no_header_makes_an_untrusted_peer_welcome(header in headers(), lines in prop::collection::vec((name(), line()), 0..6)) {
        prop_assert_eq!(verdict(header, STRANGER, &lines), (false, false, false));
    }
}

/// Whether it came over HTTPS, from an allowed source, to the second of the origins.
fn verdict(header: ForwardingHeader, peer: &str, lines: &[(&'static str, Vec<u8>)]) -> (bool, bool, bool) {
    let proxies = trusting([PROXY, "2.2.2.2"], header);
    let with = |mut request: Request<Full<Bytes>>| {
        for (name, value) in lines {
            request.headers_mut().append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        request
    };
    let request = || with(request(peer, &[]).map(|_| Full::default()));
    let https = RequireHttpsLayer::new().behind(proxies.clone());
    let allow = AllowSourcesLayer::new(sources(["9.9.9.9"])).behind(proxies);
    let signed = with(signed_for(B, peer, &[]));
    (
        support::now(judge(https, request())).is_empty(),
        support::now(judge(allow, request())).is_empty(),
        support::now(send(&with_origins(header), signed)).status == 200,
    )
}

/// The headers of a chain of proxies that each append what they see: from the client to the last.
fn written(header: ForwardingHeader, nodes: &[&str], protos: &[&str]) -> Vec<(&'static str, Vec<u8>)> {
    let elements = nodes.iter().zip(protos);
    match header {
        Forwarded => {
            let elements = elements.map(|(node, proto)| format!("for=\"{node}\";proto={proto};host=b.example"));
            vec![(FORWARDED, elements.collect::<Vec<_>>().join(", ").into())]
        }
        _ => vec![
            (FOR, nodes.join(", ").into()),
            (PROTO, protos.join(",").into()),
            (HOST, vec!["b.example"; nodes.len()].join(", ").into()),
        ],
    }
}

fn headers() -> impl Strategy<Value = ForwardingHeader> {
    prop_oneof![Just(Forwarded), Just(XForwardedFor)]
}

fn proto() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("https"), Just("http"), Just("on")]
}

fn client() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("9.9.9.9"), Just("1.1.1.1"), Just("[2001:db8::1]:80")]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(FORWARDED), Just(FOR), Just(PROTO), Just(HOST)]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        "2\\.2\\.2\\.2(:80)?",
        "for=(2\\.2\\.2\\.2|9\\.9\\.9\\.9);(proto=https?)?(;host=b.example)?",
        "https?",
        "b\\.example",
        "(, |,|;|=|\"|\\\\| )",
        "[ -~]{0,8}",
    ];
    support::header_lines(part)
}

/// Why a layer refuses a request by itself; nothing if it does not. The body is not read in any case.
async fn judge<L, B>(layer: L, request: Request<B>) -> &'static str
where
    L: Layer<tower::util::BoxCloneSyncService<Request<B>, Response<Full<Bytes>>, Infallible>>,
    L::Service: Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone,
    B: Send + 'static,
{
    let handler = tower::util::BoxCloneSyncService::new(Calls::default().handler());
    send(&layer.layer(handler), request).await.reason()
}

/// A body that nobody may read.
struct Unread;

impl Body for Unread {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read")
    }
}

fn request(peer_address: &str, lines: Lines<'_>) -> Request<Unread> {
    let mut request = Request::post("/hook").body(Unread).unwrap();
    request.extensions_mut().insert(peer(peer_address));
    append(request.headers_mut(), lines);
    request
}

fn append(headers: &mut HeaderMap, lines: Lines<'_>) {
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
}

fn extension(tls: Tls) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    extensions.insert(tls);
    extensions
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn peer(text: &str) -> PeerAddr {
    PeerAddr(SocketAddr::new(address(text), 443))
}

fn trusting<const N: usize>(networks: [&str; N], header: ForwardingHeader) -> TrustedProxies {
    TrustedProxies::networks(networks, header).unwrap()
}

fn sources<const N: usize>(networks: [&str; N]) -> Sources {
    Sources::networks(networks).unwrap()
}

const BODY: &str = r#"{"event_id":"1","type":"paid"}"#;

/// Signs the URL, and has one of its own.
fn square() -> Verifier {
    Verifier::builder(provider::SQUARE).public_origin(A).build("secret").unwrap()
}

/// A genuine delivery to this origin.
fn signed_for(origin: &str, peer_address: &str, lines: Lines<'_>) -> Request<Full<Bytes>> {
    let url = format!("{origin}/hook");
    let outgoing = Outgoing { now: UnixTime::from_secs(NOW), ..Outgoing::post(&url, BODY.as_bytes()) };
    let mut request = Request::post("/hook").header("host", "a.example").body(Full::from(BODY)).unwrap();
    request.headers_mut().extend(provider::SQUARE.signer("secret").unwrap().sign(&outgoing).unwrap());
    request.extensions_mut().insert(peer(peer_address));
    append(request.headers_mut(), lines);
    request
}

fn with_origins(
    header: ForwardingHeader,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone {
    let proxies = trusting([PROXY, "2.2.2.2"], header);
    VerifySignatureLayer::new(square())
        .with_clock(clock())
        .public_origin_from(proxies, [A, B, "https://b.example:8443"])
        .unwrap()
        .layer(Calls::default().handler())
}

async fn origin_judgement(header: ForwardingHeader, peer: &str, signed: &str, lines: Lines<'_>) -> u16 {
    send(&with_origins(header), signed_for(signed, peer, lines)).await.status.as_u16()
}

/// Serves on a free port, and says of each connection what is known.
async fn serve<S, R>(tls: Option<TlsAcceptor>, service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, peer)) = listener.accept().await {
            let (tls, service) = (tls.clone(), service.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve_connection(socket, peer, None, service).await,
                    Some(acceptor) => {
                        let Ok(stream) = acceptor.accept(socket).await else { return };
                        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                        let tls = match certificate.map(|certificate| Certificate::from_der(certificate).unwrap()) {
                            Some(certificate) => {
                                Tls::new().with_client_certificate(certificate.tbs_certificate().subject().to_string())
                            }
                            None => Tls::new(),
                        };
                        serve_connection(stream, peer, Some(tls), service).await;
                    }
                }
            });
        }
    });
    address
}

async fn serve_connection<S, R>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    tls: Option<Tls>,
    service: S,
) where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(PeerAddr(peer));
        request.extensions_mut().extend(tls.clone().map(extension).unwrap_or_default());
        service.clone().oneshot(request)
    });
    // Clients that leave early are not what this is about.
    let _ = Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

/// The answer to a request on a connection of its own.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    http2: bool,
    mut request: Request<Full<Bytes>>,
) -> Answer {
    let io = TokioIo::new(stream);
    let response = if http2 {
        if request.uri().authority().is_none() {
            // What a client says of the connection must not matter.
            *request.uri_mut() = format!("https://hooks.test{}", request.uri()).parse().unwrap();
        }
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        request.headers_mut().insert("host", HeaderValue::from_static("hooks.test"));
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body, rejection: None }
}

/// An authority that vouches for the server and its clients.
struct Pki(CertifiedIssuer<'static, KeyPair>);

impl Pki {
    fn new() -> Self {
        Self(https::authority("the test's authority"))
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn certify(
        &self,
        name: &str,
    ) -> (Vec<tokio_rustls::rustls::pki_types::CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// Clients may show a certificate, and need not.
    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .unwrap();
        let (chain, key) = self.certify("localhost");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    async fn exchange(
        &self,
        server: SocketAddr,
        owner: Option<&str>,
        http2: bool,
        request: Request<Full<Bytes>>,
    ) -> Answer {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let mut config = match owner {
            None => config.with_no_client_auth(),
            Some(name) => {
                let (chain, key) = self.certify(name);
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let socket = TcpStream::connect(server).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        exchange(stream, http2, request).await
    }
}
