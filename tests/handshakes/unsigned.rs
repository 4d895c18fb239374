//! Challenges that nobody signs.

use http::{Method, Request};
use tower_webhook::{handshake, layer::HandshakeLayer, provider, scheme::Scheme};

use crate::site::*;
use crate::support::{NOW, verifier};

/// Challenges that nobody signs, with the bytes of the provider's page where it shows some, and otherwise by what it says.
type Unsigned = (&'static str, HandshakeLayer, Scheme<'static>, Request<Body>, &'static str, &'static str);

fn unsigned() -> Vec<Unsigned> {
    let get = |target: &str| request("GET", target, &[], "");
    let hub = "/hook?hub.mode=subscribe&hub.topic=https%3A%2F%2Fexample.com%2Ffeed&hub.challenge=a_B-1.2/3%2B4%3D&hub.lease_seconds=864000";
    vec![
        (
            "Meta's getting started",
            answering(handshake::META, &["old token", "meatyhamhock"]),
            provider::META,
            get("/webhooks?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock"),
            TEXT,
            "1158201444",
        ),
        (
            "WhatsApp's webhooks",
            answering(handshake::META, &["vibecoding"]),
            provider::WHATSAPP,
            get("/webhooks?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=vibecoding"),
            TEXT,
            "1158201444",
        ),
        (
            "Dropbox's old webhooks page",
            answering(handshake::DROPBOX, &[]),
            provider::DROPBOX,
            get("/dropbox-webhook?challenge=abc123"),
            TEXT,
            "abc123",
        ),
        (
            "Nylas",
            answering(handshake::NYLAS, &[]),
            provider::NYLAS,
            get("/hook?challenge=bc609b38-c81f-47fb-a275-1d9bd61a968b"),
            TEXT,
            "bc609b38-c81f-47fb-a275-1d9bd61a968b",
        ),
        (
            "Okta",
            answering(handshake::OKTA, &[]),
            provider::OKTA,
            request("GET", "/hook", &[("x-okta-verification-challenge", "Hx9-Wc_3k")], ""),
            JSON,
            r#"{"verification":"Hx9-Wc_3k"}"#,
        ),
        (
            "Microsoft Graph, a token as it is seen",
            answering(handshake::MICROSOFT_GRAPH, &[]),
            provider::MICROSOFT_GRAPH,
            request(
                "POST",
                "/hook?validationToken=Validation%3a+Testing+client+application+reachability+for+subscription+Request-Id%3a+522a8e7e-096a-494c-aaf1-ac0dcfca45b7",
                &[("content-type", "text/plain; charset=utf-8")],
                "",
            ),
            TEXT,
            "Validation: Testing client application reachability for subscription Request-Id: 522a8e7e-096a-494c-aaf1-ac0dcfca45b7",
        ),
        (
            "Worldline",
            answering(handshake::WORLDLINE, &[]),
            provider::WORLDLINE,
            request("GET", "/hook", &[("x-gcs-webhooks-endpoint-verification", "cf6e3b1a-7a2e")], ""),
            TEXT,
            "cf6e3b1a-7a2e",
        ),
        (
            "monday.com's URL verification",
            answering(handshake::MONDAY, &[]),
            provider::SLACK,
            request(
                "POST",
                "/hook",
                &[("content-type", "application/json")],
                "{\n\"challenge\": \"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P\"\n}",
            ),
            JSON,
            r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}"#,
        ),
        // Computed with Python's `hmac` by X's formula.
        (
            "X's CRC",
            answering(handshake::X_CRC, &["consumer-secret"]),
            provider::X_TWITTER,
            get("/hook?crc_token=foo"),
            JSON,
            r#"{"response_token":"sha256=DcTy7IecOE1nIXA5KRcZ3lAsoNWL9GefbVQ+nWXIK0Q="}"#,
        ),
        // Computed with Python's `hmac` by LinkedIn's formula; the code is that of its page.
        (
            "LinkedIn's webhook validation",
            answering(handshake::LINKEDIN, &["client-secret"]),
            provider::LINKEDIN,
            get("/hook?challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0"),
            JSON,
            r#"{"challengeCode":"890e4665-4dfe-4ab1-b689-ed553bceeed0","challengeResponse":"8ab4bbad570533d66462deba280bde93c1cad8b543e7f526d3e962acaf6c391a"}"#,
        ),
        (
            "WebSub",
            answering(handshake::WEBSUB, &["https://example.com/feed"]),
            provider::WEBSUB_SHA256,
            get(hub),
            TEXT,
            "a_B-1.2/3+4=",
        ),
        (
            "WebSub, leaving",
            answering(handshake::WEBSUB, &["https://example.com/feed"])
                .answer_with(handshake::WEBSUB_UNSUBSCRIBE, &["https://example.com/old"])
                .unwrap(),
            provider::WEBSUB_SHA256,
            get("/hook?hub.mode=unsubscribe&hub.topic=https://example.com/old&hub.challenge=bye"),
            TEXT,
            "bye",
        ),
        (
            "PubSubHubbub",
            answering(handshake::WEBSUB, &["https://example.com/other"])
                .answer_with(handshake::PUBSUBHUBBUB, &["verify me"])
                .unwrap(),
            provider::WEBSUB_SHA1,
            get(&format!("{hub}&hub.verify_token=verify+me")),
            TEXT,
            "a_B-1.2/3+4=",
        ),
        ("Trello", answering(handshake::TRELLO, &[]), provider::TRELLO, request("HEAD", "/hook", &[], ""), JSON, ""),
    ]
}

#[tokio::test]
async fn unsigned_challenges_are_answered_as_documented() {
    for (case, handshakes, scheme, request, content_type, expected) in unsigned() {
        let answer = Site::new(verifier(scheme), handshakes, NOW).shake(case, request).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, expected.as_bytes()), "{case}: {answer:?}");
        assert_eq!(answer.headers["content-type"], content_type, "{case}");
        assert_safe(case, &answer);
        if content_type == JSON && !expected.is_empty() {
            serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
        }
    }
}

#[tokio::test]
async fn only_the_provider_own_method_is_answered() {
    for (case, handshakes, scheme, request, ..) in unsigned() {
        let (mut head, _) = request.into_parts();
        for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            head.method = method;
            let site = Site::new(verifier(scheme), handshakes.clone(), NOW);
            let answer = site.shake(case, Request::from_parts(head.clone(), whole(""))).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (405, "method_not_allowed"), "{case}");
        }
    }
}

/// Challenges in the query, to which a value can be given.
fn echoes() -> Vec<(&'static str, HandshakeLayer, Scheme<'static>, &'static str, String)> {
    let graph = answering(handshake::MICROSOFT_GRAPH, &[]);
    let websub = answering(handshake::WEBSUB, &["t"]);
    vec![
        (
            "Meta",
            answering(handshake::META, &["t"]),
            provider::META,
            "GET",
            "/?hub.mode=subscribe&hub.verify_token=t&hub.challenge=".to_owned(),
        ),
        (
            "WebSub",
            websub,
            provider::WEBSUB_SHA256,
            "GET",
            "/?hub.mode=subscribe&hub.topic=t&hub.challenge=".to_owned(),
        ),
        ("Dropbox", answering(handshake::DROPBOX, &[]), provider::DROPBOX, "GET", "/?challenge=".to_owned()),
        ("Graph", graph, provider::MICROSOFT_GRAPH, "POST", "/?validationToken=".to_owned()),
        ("X", answering(handshake::X_CRC, &["s"]), provider::X_TWITTER, "GET", "/?crc_token=".to_owned()),
        ("LinkedIn", answering(handshake::LINKEDIN, &["s"]), provider::LINKEDIN, "GET", "/?challengeCode=".to_owned()),
    ]
}

#[tokio::test]
async fn nothing_is_sent_back_that_could_mean_anything() {
    let long = "a".repeat(2000);
    for (case, handshakes, scheme, method, target) in echoes() {
        let site = Site::new(verifier(scheme), handshakes, NOW);
        let parameter = target.rsplit(['?', '&']).next().unwrap();
        for (what, value) in [
            ("nothing", ""),
            ("too much", &*long),
            ("a script", "%3Cscript%3Ealert(1)%3C/script%3E"),
            ("a script, as it is", "a&x=%3Csvg/onload=alert(1)%3E&%3C"),
            ("an entity", "%26lt;"),
            ("a quote", "a%22,%22b%22:%22c"),
            ("another quote", "a%27"),
            ("a backslash", "a%5Cu0041"),
            ("a header", "a%0D%0ASet-Cookie:%20b=c"),
            ("a line", "a%0Ab"),
            ("a zero byte", "a%00b"),
            ("letters of others", "%C3%A9"),
            ("no letters", "a%FF"),
            ("a delete", "a%7F"),
            ("a tab", "a%09b"),
            ("an object", "%7B%22a%22:1%7D%3C"),
        ] {
            let answer = site.shake(case, request(method, &format!("{target}{value}"), &[], "")).await;
            match what {
                // The first value is harmless, and the rest is another parameter.
                "a script, as it is" if case != "LinkedIn" => assert_eq!(answer.status, 200, "{case}, {what}"),
                "a script, as it is" => {}
                _ => assert_eq!(
                    (answer.status.as_u16(), answer.reason()),
                    (400, "malformed_challenge"),
                    "{case}, {what}"
                ),
            }
            let words = String::from_utf8(answer.body.to_vec()).unwrap();
            assert!(!words.contains(['<', '>', '\'', '\n']) && !words.contains("alert"), "{case}, {what}: {words}");
            assert!(!answer.headers.contains_key("set-cookie"));
            assert!(answer.body.len() < 200, "{case}, {what}");
        }
        let answer = site.shake(case, request(method, &format!("{target}a&{parameter}a"), &[], "")).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (400, "duplicate_field"), "{case}");
    }
}

#[tokio::test]
async fn the_longest_challenge_is_answered_and_one_more_byte_is_not() {
    for (case, handshakes, scheme, method, target) in echoes() {
        let longest = match case {
            "Graph" => 1024,
            "LinkedIn" => 36,
            _ => 256,
        };
        let site = Site::new(verifier(scheme), handshakes, NOW);
        for (length, status) in [(longest, 200), (longest + 1, 400)] {
            let target = format!("{target}{}", "a".repeat(length));
            assert_eq!(site.shake(case, request(method, &target, &[], "")).await.status, status, "{case}, {length}");
        }
    }
}

#[tokio::test]
async fn challenges_in_headers_are_bounded_as_well() {
    let long = "a".repeat(257);
    for (handshake, scheme, header) in [
        (handshake::OKTA, provider::OKTA, "x-okta-verification-challenge"),
        (handshake::WORLDLINE, provider::WORLDLINE, "x-gcs-webhooks-endpoint-verification"),
    ] {
        let site = Site::new(verifier(scheme), answering(handshake, &[]), NOW);
        for (value, reason) in [
            ("<b>", "malformed_challenge"),
            ("a\"b", "malformed_challenge"),
            (&*long, "malformed_challenge"),
            ("", "malformed_challenge"),
            ("a b", "malformed_challenge"),
            ("é", "malformed_header"),
        ] {
            let answer = site.shake(header, request("GET", "/", &[(header, value)], "")).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (400, reason), "{header}: {value}");
            assert!(value.len() < 3 || !answer.body.windows(value.len()).any(|window| window == value.as_bytes()));
        }
        let twice = request("GET", "/", &[(header, "a"), (header, "a")], "");
        assert_eq!(site.shake(header, twice).await.reason(), "duplicate_header");
    }
}

#[tokio::test]
async fn who_does_not_know_the_verify_token_learns_nothing() {
    let secret = "meatyhamhock";
    for (handshake, scheme) in [(handshake::META, provider::META), (handshake::PUBSUBHUBBUB, provider::WEBSUB_SHA256)] {
        let handshakes = answering(handshake, &[secret]);
        assert!(!format!("{handshakes:?} {:?}", handshakes.signed()).contains(secret));
        let site = Site::new(verifier(scheme), handshakes, NOW);
        let mut said = Vec::new();
        for token in ["", "wrong", "meatyhamhoc", "meatyhamhockk", "MEATYHAMHOCK", "meatyhamhock%00", "%FF"] {
            for challenge in ["1158201444", "%3Cscript%3E", ""] {
                let target = format!("/?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}");
                let answer = site.shake(token, request("GET", &target, &[], "")).await;
                assert_eq!((answer.status.as_u16(), answer.reason()), (401, "unexpected_handshake"), "{target}");
                assert!(answer.rejection.as_ref().unwrap().blames_sender());
                said.push((answer.headers, answer.body));
            }
        }
        assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "one answer for all");
        for (target, status, reason) in [
            ("/?hub.mode=subscribe&hub.challenge=1", 401, "unexpected_handshake"),
            (
                "/?hub.mode=subscribe&hub.verify_token=wrong&hub.verify_token=meatyhamhock&hub.challenge=1",
                400,
                "duplicate_field",
            ),
            ("/?hub.mode=subscribe&hub.mode=x&hub.verify_token=meatyhamhock&hub.challenge=1", 400, "duplicate_field"),
            ("/?hub.mode=unsubscribe&hub.verify_token=meatyhamhock&hub.challenge=1", 405, "method_not_allowed"),
            ("/?hub.verify_token=meatyhamhock&hub.challenge=1", 405, "method_not_allowed"),
            ("/?hub.mode=subscribe&hub.verify_token=meatyhamhock", 405, "method_not_allowed"),
            ("/", 405, "method_not_allowed"),
        ] {
            let answer = site.shake(target, request("GET", target, &[], "")).await;
            assert_eq!((answer.status.as_u16(), answer.reason()), (status, reason), "{target}");
        }
    }
}

#[tokio::test]
async fn subscriptions_of_others_are_not_confirmed() {
    let handshakes = answering(handshake::WEBSUB, &["https://example.com/feed"]);
    let site = Site::new(verifier(provider::WEBSUB_SHA256), handshakes, NOW);
    for (target, status) in [
        // "If the subscriber does not agree with the action, the subscriber MUST respond with a 404" (WebSub, section 5.3.1).
        ("/?hub.mode=subscribe&hub.topic=https://example.com/other&hub.challenge=secret", 404),
        ("/?hub.mode=subscribe&hub.topic=&hub.challenge=secret", 404),
        ("/?hub.mode=subscribe&hub.challenge=secret", 404),
        ("/?hub.mode=unsubscribe&hub.topic=https://example.com/feed&hub.challenge=secret", 405),
        ("/?hub.mode=denied&hub.topic=https://example.com/feed&hub.reason=no", 405),
    ] {
        let answer = site.shake(target, request("GET", target, &[], "")).await;
        assert_eq!(answer.status, status, "{target}");
        assert!(!answer.body.windows(6).any(|window| window == b"secret"));
    }
}
