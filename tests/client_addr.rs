//! Whose address a request has behind proxies, and what strangers say about it in vain.

mod support;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderValue, Request, StatusCode};
use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhook::{
    ConfigError,
    ForwardingHeader::{self, Forwarded, XForwardedFor},
    PeerAddr, TrustedProxies,
    layer::{ClientAddr, RateLimitBy, RateLimitLayer},
    store::{MemoryRateStore, Quota, RateKey},
};

use support::property;

const PROXY: &str = "127.0.0.1";

#[test]
fn the_client_is_the_rightmost_address_that_is_no_trusted_proxy() {
    let networks = [PROXY, "2.2.2.2", "10.0.0.0/8", "2001:db8:1::/48"];
    for (what, peer, lines, client) in [
        ("no header", PROXY, &[][..], PROXY),
        ("one address", PROXY, &["1.1.1.1"], "1.1.1.1"),
        ("a stranger's on the left", PROXY, &["9.9.9.9, 1.1.1.1"], "1.1.1.1"),
        ("a proxy on the way", PROXY, &["9.9.9.9, 1.1.1.1, 2.2.2.2"], "1.1.1.1"),
        ("lines", PROXY, &["1.1.1.1", "3.3.3.3"], "3.3.3.3"),
        ("lines with a proxy on the way", PROXY, &["9.9.9.9", "1.1.1.1", "2.2.2.2"], "1.1.1.1"),
        ("nobody but proxies", PROXY, &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ("no blanks", PROXY, &["1.1.1.1,2.2.2.2"], "1.1.1.1"),
        ("many blanks", PROXY, &["9.9.9.9,\t 1.1.1.1 \t, 2.2.2.2"], "1.1.1.1"),
        ("a port", PROXY, &["1.1.1.1:443"], "1.1.1.1"),
        ("a proxy's port", PROXY, &["1.1.1.1, 2.2.2.2:443"], "1.1.1.1"),
        ("IPv6", PROXY, &["2001:db8:2::1"], "2001:db8:2::1"),
        ("IPv6 in brackets", PROXY, &["[2001:db8:2::1]"], "2001:db8:2::1"),
        ("IPv6 with a port", PROXY, &["[2001:DB8:2::1]:9"], "2001:db8:2::1"),
        ("an IPv6 proxy", "2001:db8:1::9", &["1.1.1.1, 2001:db8:1::7"], "1.1.1.1"),
        ("IPv4 in IPv6 clothes", PROXY, &["::ffff:1.1.1.1"], "1.1.1.1"),
        ("a proxy in IPv6 clothes", PROXY, &["1.1.1.1, ::ffff:2.2.2.2"], "1.1.1.1"),
        ("a peer in IPv6 clothes", "::ffff:127.0.0.1", &["1.1.1.1"], "1.1.1.1"),
        ("a hidden port, which only the other header knows", PROXY, &["1.1.1.1:_http"], PROXY),
        ("an untrusted peer", "5.5.5.5", &["1.1.1.1"], "5.5.5.5"),
        ("an untrusted peer that names a proxy", "5.5.5.5", &["1.1.1.1, 10.0.0.1"], "5.5.5.5"),
        ("an untrusted IPv6 peer", "2001:db8:2::9", &["1.1.1.1"], "2001:db8:2::9"),
    ] {
        assert_eq!(client_of(&trusting(networks, XForwardedFor), peer, XForwardedFor, lines), key(client), "{what}");
    }
}

#[test]
fn forwarded_is_read_by_its_standard() {
    let networks = [PROXY, "2.2.2.2"];
    let [long, too_long] = [900, 1020].map(|length| format!("for=1.1.1.1;host={}", "a".repeat(length)));
    for (what, lines, client) in [
        ("an address", &["for=1.1.1.1"][..], "1.1.1.1"),
        ("parameters", &["by=3.3.3.3;for=1.1.1.1;proto=https;host=hooks.test"], "1.1.1.1"),
        ("blanks around semicolons", &["for=1.1.1.1; proto=https ;by=3.3.3.3"], "1.1.1.1"),
        ("empty pairs", &[";for=1.1.1.1;;proto=https;"], "1.1.1.1"),
        ("another case", &["FOR=1.1.1.1;Proto=HTTPS"], "1.1.1.1"),
        ("quotes", &[r#"for="1.1.1.1""#], "1.1.1.1"),
        ("a port", &[r#"for="1.1.1.1:443""#], "1.1.1.1"),
        ("a hidden port", &[r#"for="1.1.1.1:_http-1""#], "1.1.1.1"),
        ("IPv6", &[r#"For="[2001:db8::1]""#], "2001:db8::1"),
        ("IPv6 with a port", &[r#"for=1.1.1.1;proto=https, for="[2001:db8::1]:80""#], "2001:db8::1"),
        ("a proxy on the way", &["for=9.9.9.9, for=1.1.1.1;proto=https, for=2.2.2.2"], "1.1.1.1"),
        ("lines", &["for=1.1.1.1", r#"for="[::ffff:2.2.2.2]""#], "1.1.1.1"),
        ("semicolons in quotes", &[r#"host="a;for=9.9.9.9";for=1.1.1.1"#], "1.1.1.1"),
        ("a stranger's open quote", &[r#"for="9.9.9.9, for=1.1.1.1"#], "1.1.1.1"),
        ("a stranger's open quote before quotes", &[r#"for=", for="[2001:db8::1]""#], "2001:db8::1"),
        ("a stranger's open quote in a line before", &[r#"for=""#, "for=1.1.1.1"], "1.1.1.1"),
        // Not believed: the proxy is the client.
        ("IPv6 without quotes", &["for=[2001:db8::1]"], PROXY),
        ("IPv6 without brackets", &[r#"for="2001:db8::1""#], PROXY),
        ("a port without quotes", &["for=1.1.1.1:443"], PROXY),
        ("for twice", &["for=1.1.1.1;for=9.9.9.9"], PROXY),
        ("for twice, in another case", &["for=1.1.1.1;FOR=1.1.1.1"], PROXY),
        ("no for", &["for=9.9.9.9, proto=https"], PROXY),
        ("an empty element", &["for=9.9.9.9,"], PROXY),
        ("nothing", &[""], PROXY),
        ("an empty value", &["for="], PROXY),
        ("a quote left open", &[r#"for="1.1.1.1"#], PROXY),
        ("a quote too many", &[r#"for=1.1.1.1""#], PROXY),
        ("text after quotes", &[r#"for="1.1.1.1"x"#], PROXY),
        ("an escape", &[r#"for="1.1.1.\1""#], PROXY),
        ("a name with a blank", &["for =1.1.1.1"], PROXY),
        ("a value with a blank", &["for= 1.1.1.1"], PROXY),
        ("no name", &["=1.1.1.1"], PROXY),
        ("a name in quotes", &[r#"for=1.1.1.1;"host"=a"#], PROXY),
        ("an escape elsewhere", &[r#"for=1.1.1.1;host="\a""#], PROXY),
        ("a long host", &[&long], "1.1.1.1"),
        ("a host beyond measure", &[&too_long], PROXY),
        ("no equals sign", &["for=1.1.1.1;secure"], PROXY),
        ("a host that holds elements", &[r#"for=1.1.1.1;host="a,for=9.9.9.9""#], PROXY),
        ("a host that holds parameters", &[r#"for=1.1.1.1;host="a,for=9.9.9.9;x=";proto="https""#], PROXY),
        ("a host that holds quotes", &[r#"for=1.1.1.1;host="a\",for=9.9.9.9;x=\"b""#], PROXY),
    ] {
        assert_eq!(client_of(&trusting(networks, Forwarded), PROXY, Forwarded, lines), key(client), "{what}");
    }
}

#[test]
fn what_is_no_address_ends_the_walk_and_is_never_skipped() {
    let commas = ",".repeat(64 * 1024);
    let zeros = format!("{}1.1.1.1", "0".repeat(2000));
    for name in [
        "unknown",
        "_hidden",
        "",
        "1.1.1.1%25eth0",
        "fe80::1%eth0",
        "[fe80::1%25eth0]",
        "010.0.0.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "1.1.1",
        "1.1.1.1.1",
        "1.1.1.256",
        "1.1.1.1/32",
        "1.1.1.1:",
        "1.1.1.1:-1",
        "1.1.1.1:+80",
        "1.1.1.1:http",
        "1.1.1.1:123456",
        "1.1.1.1:80:80",
        "1.1.1.1 2.2.2.2",
        "1.1.1.1;2.2.2.2",
        "\"1.1.1.1\"",
        "[1.1.1.1]",
        "[::1",
        "::1]",
        "[::1]9",
        "[::1]:",
        "[[::1]]",
        "2001:db8::1::1",
        "::ffff:010.0.0.1",
        "localhost",
        "http://1.1.1.1",
        "１.1.1.1",
        &commas,
        &zeros,
    ] {
        let networks = [PROXY, "2.2.2.2"];
        let proxies = trusting(networks, XForwardedFor);
        for (lines, client) in [
            (vec![format!("9.9.9.9, {name}")], PROXY),
            (vec!["9.9.9.9".to_owned(), name.to_owned()], PROXY),
            (vec![format!("9.9.9.9, {name}, 2.2.2.2")], "2.2.2.2"),
            (vec!["9.9.9.9".to_owned(), name.to_owned(), "2.2.2.2".to_owned()], "2.2.2.2"),
            (vec![format!("{name}, 1.2.3.4, 2.2.2.2")], "1.2.3.4"),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(client_of(&proxies, PROXY, XForwardedFor, &lines), key(client), "{name:.40}: {lines:.40?}");
        }
        if name.is_ascii() && !name.contains(['"', ',']) {
            let line = format!(r#"for=9.9.9.9, for="{name}", for=2.2.2.2"#);
            let proxies = trusting(networks, Forwarded);
            assert_eq!(client_of(&proxies, PROXY, Forwarded, &[&line]), key("2.2.2.2"), "{name:.40}");
        }
    }
}

#[test]
fn a_number_of_proxies_is_followed_whatever_their_addresses() {
    for (hops, lines, client) in [
        (1, &[][..], "5.5.5.5"),
        (1, &["9.9.9.9, 1.1.1.1"], "1.1.1.1"),
        (1, &["9.9.9.9", "1.1.1.1"], "1.1.1.1"),
        (2, &["9.9.9.9, 1.1.1.1, 3.3.3.3"], "1.1.1.1"),
        (2, &["9.9.9.9", "1.1.1.1", "[2001:db8::1]:80"], "1.1.1.1"),
        (3, &["9.9.9.9, unknown, 3.3.3.3"], "3.3.3.3"),
        (5, &["1.1.1.1, 3.3.3.3"], "1.1.1.1"),
        (32, &["1.1.1.1"], "1.1.1.1"),
    ] {
        let proxies = TrustedProxies::hops(hops, XForwardedFor).unwrap();
        assert_eq!(client_of(&proxies, "5.5.5.5", XForwardedFor, lines), key(client), "{hops}: {lines:?}");
    }
}

#[test]
fn no_more_than_32_proxies_are_followed() {
    let line = (0..100_u8).map(|last| format!("10.0.0.{last}")).collect::<Vec<_>>().join(",");
    let proxies = trusting([PROXY, "10.0.0.0/8"], XForwardedFor);
    assert_eq!(client_of(&proxies, PROXY, XForwardedFor, &[&line]), key("10.0.0.68"));
}

#[test]
fn only_the_header_that_was_chosen_is_read() {
    let lines = [
        ("forwarded", "for=1.1.1.1"),
        ("x-forwarded-for", "3.3.3.3"),
        ("x-real-ip", "9.9.9.9"),
        ("cf-connecting-ip", "9.9.9.9"),
        ("true-client-ip", "9.9.9.9"),
        ("x-client-ip", "9.9.9.9"),
    ];
    let with = |lines: &[(&'static str, &str)]| {
        let mut request = request(PROXY);
        for (name, value) in lines {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    };
    let request = with(&lines);
    for (by, client) in [
        (ClientAddr::behind(trusting([PROXY], Forwarded)), "1.1.1.1"),
        (ClientAddr::behind(trusting([PROXY], XForwardedFor)), "3.3.3.3"),
        // Loopback is not special.
        (ClientAddr::behind(trusting(["10.0.0.0/8"], XForwardedFor)), PROXY),
        (ClientAddr::new(), PROXY),
    ] {
        assert_eq!(by.key(&request).unwrap(), Some(key(client)), "{by:?}");
    }
    let by = ClientAddr::behind(trusting([PROXY], XForwardedFor));
    assert_eq!(by.key(&with(&lines[2..])).unwrap(), Some(key(PROXY)));
}

#[test]
fn the_peer_may_be_known_from_axum() {
    let mut request = Request::new(());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address(PROXY), 443)));
    request.headers_mut().append("x-forwarded-for", HeaderValue::from_static("1.1.1.1"));
    let by = ClientAddr::behind(trusting([PROXY], XForwardedFor));
    assert_eq!(by.key(&request).unwrap(), Some(key("1.1.1.1")));
}

#[test]
fn without_a_peer_no_header_is_believed() {
    let mut request = Request::new(());
    request.headers_mut().append("x-forwarded-for", HeaderValue::from_static("1.1.1.1"));
    for proxies in [trusting([PROXY], XForwardedFor), TrustedProxies::hops(1, XForwardedFor).unwrap()] {
        let rejection = ClientAddr::behind(proxies).key(&request).unwrap_err();
        assert_eq!(rejection.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[test]
fn networks_that_are_none_are_refused() {
    for (network, why) in [
        ("10.0.0.5/8", "bits are set"),
        ("2001:db8::1/32", "bits are set"),
        ("::ffff:10.0.0.5/104", "bits are set"),
        ("10.0.0.0/33", "up to 32"),
        ("2001:db8::/129", "up to 128"),
        ("10.0.0.0/", "must be a number"),
        ("10.0.0.0/-1", "must be a number"),
        ("10.0.0.0/+8", "must be a number"),
        ("10.0.0.0/08", "must be a number"),
        ("10.0.0.0/256", "up to 32"),
        ("10.0.0.0/255.0.0.0", "must be a number"),
        ("10.0.0.0/8/8", "must be a number"),
        ("0.0.0.0/0", "trust everyone"),
        ("::/0", "trust everyone"),
        ("::ffff:0.0.0.0/96", "trust everyone"),
        ("", "not an address"),
        (" ", "not an address"),
        ("/8", "not an address"),
        ("10/8", "not an address"),
        ("010.0.0.0/8", "not an address"),
        (" 10.0.0.0/8", "not an address"),
        ("fe80::%eth0/10", "not an address"),
        ("fe80::1%eth0", "not an address"),
        ("[::1]", "not an address"),
        ("127.0.0.1:80", "not an address"),
        ("localhost", "not an address"),
        ("*", "not an address"),
    ] {
        let error = TrustedProxies::networks(["192.0.2.1", network], XForwardedFor).unwrap_err();
        assert!(matches!(&error, ConfigError::InvalidValue { value, .. } if value == network), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let nobody = TrustedProxies::networks([""; 0], Forwarded).unwrap_err();
    assert_eq!(nobody.to_string(), "trusted proxies `[]`: none is named");
    for hops in [0, 33, usize::MAX] {
        assert!(TrustedProxies::hops(hops, Forwarded).is_err(), "{hops}");
    }
}

#[test]
fn networks_are_compared_as_ipv4_where_they_are() {
    for network in ["10.0.0.0/8", "::ffff:10.0.0.0/104", "10.1.2.3", "::ffff:10.1.2.3", "10.1.2.3/32"] {
        for peer in ["10.1.2.3", "::ffff:10.1.2.3"] {
            let proxies = trusting([network], XForwardedFor);
            assert_eq!(client_of(&proxies, peer, XForwardedFor, &["1.1.1.1"]), key("1.1.1.1"), "{network} {peer}");
        }
    }
}

#[tokio::test]
async fn limits_behind_a_proxy_are_each_clients_own() {
    let by = ClientAddr::behind(trusting([PROXY], XForwardedFor));
    let layer = RateLimitLayer::new(Quota::per_hour(1), by, MemoryRateStore::new());
    let mut service = layer.layer(service_fn(|_: Request<()>| async { Ok::<_, BoxError>(http::Response::new(())) }));
    for (peer, line, status) in [
        (PROXY, "1.1.1.1", 200),
        (PROXY, "1.1.1.1", 429),
        (PROXY, "9.9.9.9, 1.1.1.1", 429),
        (PROXY, "::ffff:1.1.1.1", 429),
        (PROXY, "1.1.1.2", 200),
        (PROXY, "2001:db8::1", 200),
        (PROXY, "2001:db8::ffff:1", 429),
        (PROXY, "2001:db8:0:1::1", 200),
        ("5.5.5.5", "1.1.1.3", 200),
        ("5.5.5.5", "1.1.1.4", 429),
    ] {
        let mut request = request(peer);
        request.headers_mut().append("x-forwarded-for", line.parse().unwrap());
        let answer = service.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(answer.status(), status, "{peer} {line}");
    }
}

#[tokio::test]
async fn made_up_addresses_take_no_memory() {
    const FLOOD: u32 = 20_000;
    let spoofed = |number: u32| format!("{}", std::net::Ipv4Addr::from(0x0100_0000 + number));
    let of_one_network = |number: u32| Ipv6Addr::from((0x2001_0db8 << 96) | u128::from(number) << 8).to_string();
    for (what, peer, line) in [
        ("an untrusted peer's", "5.5.5.5", &spoofed as &dyn Fn(u32) -> String),
        ("left of the client's", PROXY, &|number| format!("{}, 1.1.1.1", spoofed(number))),
        ("of one network", PROXY, &of_one_network),
    ] {
        let rates = MemoryRateStore::new();
        let by = ClientAddr::behind(trusting([PROXY], XForwardedFor));
        let layer = RateLimitLayer::new(Quota::per_hour(1), by, rates.clone());
        let mut service =
            layer.layer(service_fn(|_: Request<()>| async { Ok::<_, BoxError>(http::Response::new(())) }));
        for number in 0..FLOOD {
            let mut request = request(peer);
            request.headers_mut().append("x-forwarded-for", line(number).parse().unwrap());
            service.ready().await.unwrap().call(request).await.unwrap();
        }
        assert_eq!(rates.len(), 1, "{what}");
    }
}

proptest! {
    #![proptest_config(property())]

    #[test]
    fn no_header_changes_what_an_untrusted_peer_is(header in headers(), lines in all_lines()) {
        let proxies = trusting([PROXY, "2.2.2.2"], header);
        prop_assert_eq!(client_of(&proxies, "5.5.5.5", header, &lines), key("5.5.5.5"));
    }

    #[test]
    fn no_header_is_too_strange(header in headers(), lines in all_lines(), hops in 1..32_usize) {
        client_of(&trusting([PROXY, "2.2.2.2"], header), PROXY, header, &lines);
        client_of(&TrustedProxies::hops(hops, header).unwrap(), PROXY, header, &lines);
    }

    /// Whatever a proxy wrote about the client, or failed to write, what the client sent before it is without meaning.
    #[test]
    fn nothing_on_the_left_changes_the_client(header in headers(), client in hop(), left in line(), lines in all_lines()) {
        let client = match header {
            XForwardedFor => client,
            _ => format!("for=\"{client}\""),
        };
        let proxies = trusting([PROXY, "2.2.2.2"], header);
        let right = [vec![client.clone().into_bytes()], lines.clone()].concat();
        let on_a_line_before = [vec![left.clone()], right.clone()].concat();
        let on_the_same_line = [vec![[&left[..], b", ", client.as_bytes()].concat()], lines].concat();
        let answer = client_of(&proxies, PROXY, header, &right);
        prop_assert_eq!(client_of(&proxies, PROXY, header, &on_a_line_before), answer);
        prop_assert_eq!(client_of(&proxies, PROXY, header, &on_the_same_line), answer);
    }
}

fn headers() -> impl Strategy<Value = ForwardingHeader> {
    prop_oneof![Just(Forwarded), Just(XForwardedFor)]
}

/// Where every walk ends: an address that is not trusted, or something that is none.
fn hop() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("9.9.9.9".to_owned()),
        Just("unknown".to_owned()),
        Just("[2001:db8::1]:80".to_owned()),
        "[a-z_.:0-9]{0,3}x",
    ]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        "2\\.2\\.2\\.2(:80)?",
        "for=2\\.2\\.2\\.2",
        "[Ff]or=\"\\[::ffff:2\\.2\\.2\\.2\\](:_a)?\"",
        "(, |,|;|=|\"|\\\\| )",
        "[ -~]{0,8}",
    ];
    support::header_lines(part)
}

fn all_lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(line(), 0..4)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn trusting<const N: usize>(networks: [&str; N], header: ForwardingHeader) -> TrustedProxies {
    TrustedProxies::networks(networks, header).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key(text: &str) -> RateKey {
    RateKey::address(address(text))
}

fn request(peer: &str) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(PeerAddr(SocketAddr::new(address(peer), 443)));
    request
}

fn client_of(proxies: &TrustedProxies, peer: &str, header: ForwardingHeader, lines: &[impl AsRef<[u8]>]) -> RateKey {
    let name = match header {
        XForwardedFor => "x-forwarded-for",
        _ => "forwarded",
    };
    let mut request = request(peer);
    for line in lines {
        request.headers_mut().append(name, HeaderValue::from_bytes(line.as_ref()).unwrap());
    }
    ClientAddr::behind(proxies.clone()).key(&request).unwrap().unwrap()
}
