//! The status page, in a browser.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tower_webhook::{
    clock::{Clock, SystemClock, UnixTime},
    provider,
};

use crate::{
    browser::{Browser, Scheme, Stage, text_of},
    harness::*,
};

#[test]
fn the_page_shows_what_was_sent() {
    let Some(browser) = Browser::find() else { return };
    let (_receiver, admin) = receiver_after_some_requests();
    let seen = browser.open(&format!("http://{}/status", admin.address));
    assert_eq!(seen.complaints, Vec::<String>::new(), "in the console");
    let dom = &seen.dom;
    assert!(dom.contains(r#"data-state="live""#), "{dom}");
    for (part, cell, expected) in [
        (r#"<tr data-path="/stripe""#, r#"data-cell="handled""#, "4"),
        (r#"<tr data-path="/stripe""#, r#"data-cell="failed""#, "0"),
        (r#"<tr data-path="/stripe""#, r#"data-cell="rejected""#, "4"),
        (r#"<tr data-path="/stripe""#, r#"data-cell="duplicate""#, "2"),
        (r#"<tr data-path="/stripe""#, r#"data-cell="other""#, "0"),
        (r#"<tr data-path="/failing""#, r#"data-cell="failed""#, "1"),
        (r#"<tr data-path="/quiet""#, r#"data-cell="p99""#, "–"),
        (r#"<tr data-path="/quiet""#, r#"data-cell="idle""#, "never"),
        (r#"data-figure="handled""#, "<dd", "4 36.4 %"),
        (r#"data-figure="failed""#, "<dd", "1 9.1 %"),
        (r#"data-figure="rejected""#, "<dd", "4 36.4 %"),
        (r#"<ul class="legend" id="legend""#, r#"data-outcome="handled""#, "handled4"),
        (r#"<ul class="legend" id="legend""#, r#"data-outcome="duplicate""#, "duplicate2"),
        (r#"<ul class="legend" id="legend""#, r#"data-outcome="rejected""#, "rejected4"),
        (r#"<ul class="legend" id="legend""#, r#"data-outcome="failed""#, "failed1"),
        (r#"<tr data-reason="signature_mismatch""#, "<td class=\"n count\"", "3"),
        (r#"<tr data-reason="stale""#, "<td class=\"n count\"", "1"),
        (r#"<tr data-stage="total""#, r#"data-cell="count""#, "11"),
        (r#"<tr data-stage="handler""#, r#"data-cell="count""#, "7"),
        (r#"<tr data-store="replay:/stripe""#, r#"<td class="n ""#, "4 of 1,000,000"),
        (r#"<tr data-store="unverified bodies""#, r#"<td class="n ""#, "0 B of 256 MiB"),
        (r#"id="anomalies""#, "<p", "None so far."),
    ] {
        assert_eq!(text_of(dom, part, cell).as_deref(), Some(expected), "{cell} of {part}");
    }
    assert!(!dom.contains(CANARY), "a secret");
}

#[test]
fn what_requests_say_is_text_and_never_markup() {
    let Some(browser) = Browser::find() else { return };
    let (receiver, admin) = Receiver::start_with_admin(&endpoint("/stripe", "stripe", &keys()));
    let signer = provider::STRIPE.signer(CANARY).unwrap();
    let texts = [
        "<script>document.title='owned'</script>",
        "<img src=x onerror=document.title='owned'>",
        "\u{202e}<b>bold</b>&amp;",
    ];
    for text in texts {
        let body = json!({ "id": text, "type": text }).to_string();
        assert_eq!(receiver.send(&Sent::now("/stripe", &signer, "", &body)).status, 200, "{text}");
    }
    let seen = browser.open(&format!("http://{}/status", admin.address));
    assert_eq!(seen.complaints, Vec::<String>::new(), "in the console");
    assert!(seen.dom.contains("<title>Webhook receiver</title>"), "it ran");
    for (opening, times) in [("<script", 1), ("<img", 0), ("<b>bold", 0), ("<style", 1)] {
        assert_eq!(seen.dom.matches(opening).count(), times, "{opening}");
    }
    for shown in [
        "<bdi>&lt;script&gt;document.title='owned'&lt;/script&gt;</bdi>",
        "<bdi>&lt;img src=x onerror=document.title='owned'&gt;</bdi>",
        "&lt;b&gt;bold&lt;/b&gt;&amp;amp;",
    ] {
        assert!(seen.dom.contains(shown), "{shown} in {}", seen.dom);
    }
}

#[test]
fn the_page_asks_nobody_but_its_own_listener() {
    let Some(browser) = Browser::find() else { return };
    let (_receiver, admin) = receiver_after_some_requests();
    let own = format!("http://{}", admin.address);
    let seen = browser.open(&format!("{own}/status"));
    let asked = seen.requests.iter().filter(|request| request.page == own).map(|request| request.url.clone());
    let asked: BTreeSet<String> = asked.collect();
    assert_eq!(asked, BTreeSet::from([format!("{own}/status.json")]), "of {:?}", seen.requests);
}

#[test]
fn the_plot_is_drawn_in_light_and_in_dark() {
    let Some(browser) = Browser::find() else { return };
    let (_receiver, admin) = receiver_after_some_requests();
    for (scheme, page, handled, rejected) in [
        (Scheme::Light, [0xf6, 0xf6, 0xf4], [0x2b, 0x6c, 0xb0], [0xc2, 0x82, 0x0f]),
        (Scheme::Dark, [0x14, 0x17, 0x1a], [0x5b, 0x9f, 0xdc], [0xdf, 0xa2, 0x3a]),
    ] {
        for (width, height) in [(1280, 900), (400, 900)] {
            let picture = browser.picture(&format!("http://{}/status", admin.address), scheme, width, height);
            let what = format!("{scheme:?}, {width} px");
            assert_eq!((picture.width, picture.height), (width, height), "{what}");
            assert_eq!(picture.at(2, 2), page, "{what}: the page's own colour");
            assert!(picture.colours() > 60, "{what}: {} colours", picture.colours());
            // The legend's swatch has 81 of them, and words have that colour nowhere.
            for (series, colour) in [("handled", handled), ("rejected", rejected)] {
                let pixels = picture.count(colour);
                assert!(pixels > 120, "{what}: {pixels} pixels of {series}");
            }
        }
    }
}

#[test]
fn nothing_is_wider_than_the_page() {
    let Some(browser) = Browser::find() else { return };
    let (_receiver, admin) = receiver_after_some_requests();
    let stage = Stage::new(vec![with_anomalies(admin.status())]);
    for width in [360, 400, 720, 900, 1280] {
        let seen = browser.open(&stage.frame(width));
        let measured = text_of(&seen.dom, "<body", "<output");
        assert_eq!(measured, Some(format!("{width} {width} 0")), "how wide it is, and what is in it");
    }
}

#[test]
fn anomalies_are_listed_and_those_that_last_stand_out() {
    let Some(browser) = Browser::find() else { return };
    let (_receiver, admin) = receiver_after_some_requests();
    let stage = Stage::new(vec![with_anomalies(admin.status())]);
    let dom = browser.open(&stage.page()).dom;
    let alarm = text_of(&dom, "<section class=\"alarm\" id=\"alarm\" role=\"alert\"", "<p").unwrap();
    assert!(alarm.starts_with("forgery burst at /failing since "), "{alarm}");
    let (_, alarms) = dom.split_once("<section class=\"alarm\"").unwrap();
    let (alarms, _) = alarms.split_once("</section>").unwrap();
    assert_eq!((alarms.matches("<p>").count(), alarms.contains("silence")), (1, false), "two sources are one alarm");
    for (kind, cell, shown) in [("forgery_burst", "<bdi", "<b>61</b> forgeries"), ("silence", "<bdi", "no delivery")] {
        let (_, list) = dom.rsplit_once(&format!(r#"<tr data-anomaly="{kind}""#)).unwrap();
        let text = text_of(list, "", cell);
        assert_eq!(text.as_deref(), Some(shown), "{kind}");
    }
    let quiet = Stage::new(vec![admin.status()]);
    let dom = browser.open(&quiet.page()).dom;
    assert!(dom.contains("role=\"alert\" hidden"), "no alarm without an anomaly");
}

#[test]
fn a_receiver_that_is_gone_is_said_to_be_and_what_was_known_stays() {
    let Some(browser) = Browser::find() else { return };
    let (_receiver, admin) = receiver_after_some_requests();
    for (answers, state, handled) in [
        (vec![admin.status()], "live", Some("4")),
        (vec![admin.status(), Value::Null], "unreachable", Some("4")),
        (vec![Value::Null], "unreachable", None),
    ] {
        let stage = Stage::new(answers.clone());
        let dom = browser.open(&stage.page()).dom;
        assert!(dom.contains(&format!(r#"data-state="{state}""#)), "{} answers: {dom}", answers.len());
        let said = text_of(&dom, "<header", "<span id=\"state\"").unwrap();
        assert_eq!(said.contains("does not answer"), state == "unreachable", "{said}");
        let shown = text_of(&dom, r#"<tr data-path="/stripe""#, r#"data-cell="handled""#);
        assert_eq!(shown.as_deref(), handled, "{state}");
    }
}

/// To `/stripe`: 4 genuine ones, 3 forged, 1 stale, 2 replays. To `/failing`: one that fails. To `/quiet`: none.
fn receiver_after_some_requests() -> (Receiver, Admin) {
    let (receiver, admin) = Receiver::start_with_admin(
        &[
            endpoint("/stripe", "stripe", &keys()),
            endpoint("/failing", "github", &format!("{}\nhandler = {{ status = 500 }}", keys())),
            endpoint("/quiet", "slack", &keys()),
        ]
        .concat(),
    );
    let stripe = provider::STRIPE.signer(CANARY).unwrap();
    let forger = provider::STRIPE.signer("another secret, of a forger").unwrap();
    let now = SystemClock.now().unwrap();
    let hour_ago = UnixTime::from_secs(now.as_secs() - 3600);
    for (ids, signer, at, status) in [
        (&["a", "b", "c", "d"][..], &stripe, now, 200),
        (&["e", "f", "g"], &forger, now, 401),
        (&["h"], &stripe, hour_ago, 401),
        (&["a", "b"], &stripe, now, 200),
    ] {
        for id in ids {
            let body = format!(r#"{{"id":"{id}","type":"invoice.paid"}}"#);
            assert_eq!(receiver.send(&Sent::signed("/stripe", signer, id, &body, at)).status, status, "{id}");
        }
    }
    let github = provider::GITHUB.signer(CANARY).unwrap();
    assert_eq!(receiver.send(&Sent::now("/failing", &github, "i", "{}")).status, 500);
    (receiver, admin)
}

fn with_anomalies(mut status: Value) -> Value {
    status["anomalies"] = json!([
        { "kind": "forgery_burst", "path": "/failing", "provider": "github", "text": "from 192.0.2.1", "started": 1_795_590_060_000_u64, "ended": null },
        { "kind": "forgery_burst", "path": "/failing", "provider": "github", "text": "<b>61</b> forgeries", "started": 1_795_590_000_000_u64, "ended": null },
        { "kind": "silence", "path": "/quiet", "provider": "slack", "text": "no delivery", "started": 1_795_580_000_000_u64, "ended": 1_795_585_000_000_u64 },
    ]);
    status
}
