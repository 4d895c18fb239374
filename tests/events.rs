//! Which events reach the handler, and what becomes of the others.

#[path = "support/serve.rs"]
mod serve;
mod support;

use axum::{Router, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serve::{ask, serve};
use support::{Answer, Calls, Sent, clock, memory, send, stack, verifier};
use tower::{Layer, ServiceBuilder};
use tower_webhook::{
    Delivery, Rejection,
    layer::{AllowEventsLayer, RenderRejectionsLayer, VerifySignatureLayer},
    provider,
};

#[tokio::test]
async fn events_are_named_exactly_or_by_whole_segments() {
    for (patterns, event, is_handled) in [
        (&["user.created"][..], "user.created", true),
        (&["user.created"], "user.created2", false),
        (&["user.created"], "USER.CREATED", false),
        (&["user.created"], "xuser.created", false),
        (&["user.created"], " user.created", false),
        (&["user.created"], "user.created\\n", false),
        (&["user.created"], "user.cre\\u0061ted", true),
        (&["user.created"], "", false),
        (&["user.*"], "user.created", true),
        (&["user.*"], "user.address.changed", true),
        (&["user.*"], "userX", false),
        (&["user.*"], "user", false),
        (&["user.*"], "user.", false),
        (&["user.*"], "users.created", false),
        (&["invoice.*", "user.created"], "user.created", true),
        (&["invoice.*", "user.created"], "user.deleted", false),
    ] {
        let answer = judged(AllowEventsLayer::new(patterns).unwrap(), typed(event).id("msg_1")).await;
        assert_eq!(answer.is_handled(), is_handled, "{patterns:?} {event:?}");
        assert_eq!(answer.answer.status, 200, "{patterns:?} {event:?}");
        assert_eq!(answer.is_ignored(), !is_handled, "{patterns:?} {event:?}");
    }
}

#[tokio::test]
async fn a_function_decides_instead_or_as_well() {
    let created = || AllowEventsLayer::new(["user.created"]).unwrap();
    let is_deletion = |delivery: &Delivery| delivery.event().is_some_and(|event| event.ends_with(".deleted"));
    for (layer, event, is_handled) in [
        (AllowEventsLayer::by(is_deletion), "user.deleted", true),
        (AllowEventsLayer::by(is_deletion), "user.created", false),
        (created().or_if(is_deletion), "user.deleted", true),
        (created().or_if(is_deletion), "user.created", true),
        (created().or_if(is_deletion), "user.changed", false),
        (AllowEventsLayer::by(|delivery| delivery.id() == Some("msg_1")), "anything", true),
    ] {
        let judged = judged(layer.clone(), typed(event).id("msg_1")).await;
        assert_eq!(judged.is_handled(), is_handled, "{layer:?} {event}");
    }
}

#[tokio::test]
async fn deliveries_without_an_event_type_are_unwanted_unless_allowed() {
    let layer = || AllowEventsLayer::new(["user.*"]).unwrap();
    for body in ["{}", r#"{"type":null}"#, r#"{"type":["user.created"]}"#, r#"{"type":""}"#, "no JSON", ""] {
        let sent = Sent::new(provider::STANDARD_WEBHOOKS, body).id("msg_1");
        assert!(judged(layer(), sent.clone()).await.is_ignored(), "{body}");
        assert!(judged(layer().allow_untyped(), sent.clone()).await.is_handled(), "{body}");
        assert!(judged(layer().or_if(|delivery| delivery.event().is_none_or(str::is_empty)), sent).await.is_handled());
    }
    assert!(judged(layer().allow_untyped(), typed("invoice.paid").id("msg_1")).await.is_ignored());
}

#[tokio::test]
async fn unwanted_events_are_refused_if_the_sender_shall_know() {
    let layer = AllowEventsLayer::new(["user.*"]).unwrap().refuse();
    let refused = judged(layer.clone(), typed("invoice.paid").id("msg_1")).await;
    assert!(!refused.is_handled());
    assert_eq!(refused.answer.status, 403);
    assert_eq!(refused.answer.reason(), "event_not_allowed");
    assert_eq!(
        refused.answer.body,
        r#"{"type":"about:blank","title":"Forbidden","status":403,"code":"event_not_allowed"}"#
    );
    assert_eq!(refused.answer.headers["content-type"], "application/problem+json");
    assert!(judged(layer.clone(), typed("user.created").id("msg_1")).await.is_handled());

    let by_grpc = || {
        let call = Sent::new(provider::STANDARD_WEBHOOKS, &b"\0\0\0\0\0"[..]).id("msg_1");
        call.header("content-type", "application/grpc")
    };
    let refused = judged(layer, by_grpc()).await.answer;
    assert_eq!((refused.status, refused.headers["grpc-status"].to_str().unwrap()), (StatusCode::OK, "7"));
    // Acknowledged with an empty message; that it went well is in the trailers.
    let ignored = judged(AllowEventsLayer::new(["user.*"]).unwrap(), by_grpc()).await.answer;
    assert_eq!((ignored.status, &ignored.body[..]), (StatusCode::OK, &[0; 5][..]));
    assert!(ignored.headers.contains_key("webhook-ignored") && !ignored.headers.contains_key("grpc-status"));
}

#[tokio::test]
async fn an_acknowledgement_says_so_and_nothing_else() {
    let ignored = judged(AllowEventsLayer::new(["user.*"]).unwrap(), typed("invoice.paid").id("msg_1")).await;
    assert_eq!(ignored.answer.headers["webhook-ignored"], "1");
    assert_eq!(ignored.answer.rejection, Some(Rejection::EventIgnored));
    assert_eq!((ignored.answer.body.len(), ignored.answer.rejection.unwrap().code()), (0, "ignored"));
}

#[tokio::test]
async fn strangers_are_refused_whatever_event_they_name() {
    let layer = || AllowEventsLayer::new(["user.*"]).unwrap();
    for sent in [
        typed("invoice.paid").id("msg_1").without("webhook-signature"),
        typed("invoice.paid").id("msg_1").signed_with(&[support::OLD_SECRET]),
        typed("user.created").id("msg_1").signed_with(&[support::OLD_SECRET]),
    ] {
        let judged = judged(layer(), sent).await;
        assert_eq!(
            (judged.answer.status, judged.is_handled(), judged.is_ignored()),
            (StatusCode::UNAUTHORIZED, false, false)
        );
    }
}

#[tokio::test]
async fn event_types_that_are_not_signed_are_marked_so() {
    let github = Sent::github("1", r#"{"type":"in the body"}"#).header("x-github-event", "push");
    assert_eq!(github.delivery().event(), Some("push"), "where the scheme says, and nowhere else");
    assert!(!github.delivery().event_is_signed());
    assert!(typed("push").id("msg_1").delivery().event_is_signed());

    let layer = || AllowEventsLayer::new(["push"]).unwrap();
    let signed_only =
        || AllowEventsLayer::by(|delivery| delivery.event_is_signed() && delivery.event() == Some("push"));
    assert!(judged(layer(), github.clone()).await.is_handled());
    assert!(judged(signed_only(), github.clone()).await.is_ignored());
    // Whoever carries the request changes or removes it: then it is another event, or none.
    assert!(judged(layer(), github.clone().header("x-github-event", "ping")).await.is_ignored());
    assert!(judged(layer(), github.clone().without("x-github-event")).await.is_ignored());
}

#[tokio::test]
async fn of_two_types_the_first_counts() {
    for (body, is_handled) in [
        (r#"{"type":"user.created","type":"invoice.paid"}"#, true),
        (r#"{"type":"invoice.paid","type":"user.created"}"#, false),
        (r#"{"data":{"type":"user.created"},"type":"invoice.paid"}"#, false),
    ] {
        let sent = Sent::new(provider::STANDARD_WEBHOOKS, body).id("msg_1");
        let judged = judged(AllowEventsLayer::new(["user.*"]).unwrap(), sent).await;
        assert_eq!(judged.is_handled(), is_handled, "{body}");
    }
}

#[tokio::test]
async fn what_was_ignored_or_refused_is_not_remembered() {
    for layer in [AllowEventsLayer::new(["user.*"]).unwrap(), AllowEventsLayer::new(["user.*"]).unwrap().refuse()] {
        let (clock, calls) = (clock(), Calls::default());
        let store = memory(&clock);
        let before = stack(provider::STANDARD_WEBHOOKS, store.clone(), &clock).then(layer).build().unwrap();
        let before = before.layer(calls.handler());
        for _ in 0..2 {
            send(&before, typed("invoice.paid").id("msg_1").request()).await;
        }
        assert_eq!((store.len(), calls.count()), (0, 0));

        let after = AllowEventsLayer::new(["user.*", "invoice.*"]).unwrap();
        let after = stack(provider::STANDARD_WEBHOOKS, store, &clock).then(after).build().unwrap();
        let after = after.layer(calls.handler());
        assert!(!send(&after, typed("invoice.paid").id("msg_1").request()).await.is_duplicate());
        assert!(send(&after, typed("invoice.paid").id("msg_1").request()).await.is_duplicate());
        assert_eq!(calls.count(), 1);
    }
}

#[tokio::test]
async fn long_types_and_strange_patterns_cost_no_more_than_their_length() {
    for pattern in ["*****a", "*a*a*a*a*b", &"*".repeat(1000), "a.*.*"] {
        assert!(AllowEventsLayer::new([pattern]).is_err(), "{pattern}");
    }
    let long = "a".repeat(64 * 1024);
    for (pattern, is_handled) in [("a.*", false), (&*long, true), (&format!("{}.*", &long[1..]), false)] {
        let judged = judged(AllowEventsLayer::new([pattern]).unwrap(), typed(&long).id("msg_1")).await;
        assert_eq!(judged.is_handled(), is_handled);
    }
}

#[tokio::test]
async fn alone_and_in_the_stack_in_axum_and_in_hyper() {
    let clock = clock();
    let events = || AllowEventsLayer::new(["user.*"]).unwrap();
    let alone = || {
        ServiceBuilder::new()
            .layer(VerifySignatureLayer::new(verifier(provider::STANDARD_WEBHOOKS)).with_clock(clock.clone()))
            .layer(events())
    };
    let whole = || stack(provider::STANDARD_WEBHOOKS, memory(&clock), &clock).then(events()).build().unwrap();
    let router = || Router::new().route("/hook", post(|| async { "from the handler" }));
    for (name, address) in [
        ("alone in axum", serve(router().layer(alone())).await),
        ("alone in hyper", serve(alone().service(Calls::default().handler())).await),
        ("the stack in axum", serve(router().layer(whole())).await),
        ("the stack in hyper", serve(whole().layer(Calls::default().handler())).await),
    ] {
        let handled = ask(address, typed("user.created").id("msg_1").request()).await;
        assert_eq!((handled.status, &handled.body[..]), (StatusCode::OK, &b"from the handler"[..]), "{name}");
        let ignored = ask(address, typed("invoice.paid").id("msg_2").request()).await;
        assert_eq!((ignored.status, &ignored.body[..]), (StatusCode::OK, &b""[..]), "{name}");
        assert_eq!(ignored.headers["webhook-ignored"], "1", "{name}");
        let stranger = typed("invoice.paid").id("msg_3").signed_with(&[support::OLD_SECRET]);
        assert_eq!(ask(address, stranger.request()).await.status, 401, "{name}");
    }
}

/// A delivery of Standard Webhooks, which name the event in the body.
fn typed(event: &str) -> Sent {
    Sent::new(provider::STANDARD_WEBHOOKS, format!(r#"{{"type":"{event}"}}"#))
}

struct Judged {
    answer: Answer,
    calls: usize,
}

impl Judged {
    fn is_handled(&self) -> bool {
        self.calls == 1
    }

    fn is_ignored(&self) -> bool {
        self.calls == 0 && self.answer.status == 200 && self.answer.headers.contains_key("webhook-ignored")
    }
}

/// What becomes of a delivery behind this layer.
async fn judged(layer: AllowEventsLayer, sent: Sent) -> Judged {
    let calls = Calls::default();
    let service = ServiceBuilder::new()
        .layer(RenderRejectionsLayer::new())
        .layer(VerifySignatureLayer::new(verifier(sent.scheme())).with_clock(clock()))
        .layer(layer)
        .service(calls.handler());
    let request: Request<Full<Bytes>> = sent.request();
    Judged { answer: send(&service, request).await, calls: calls.count() }
}
