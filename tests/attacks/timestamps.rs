//! Signed times: group T of the catalogue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, UNIX_EPOCH},
};

use tower_webhook::{
    clock::{Clock, ClockError, ManualClock, UnixTime},
    layer::WebhookLayer,
    provider,
    scheme::{Outgoing, Verifier},
};

use crate::{
    deliveries::{BODY, NOW, Provider, STANDARD_SECRET, github, standard, stripe},
    server::{Outcome::*, Site, TOLERANCE, check},
    wire::Raw,
};

/// The base request, signed at another time.
fn at(timestamp: impl AsRef<[u8]>) -> Raw {
    standard("msg_1", timestamp, BODY)
}

#[tokio::test]
async fn the_window_has_sharp_edges() {
    for (case, timestamp, expected) in [
        ("the oldest that is fresh", NOW - TOLERANCE, Handled),
        ("T-03 stale", NOW - TOLERANCE - 1, Refused(401)),
        ("the latest that is fresh", NOW + TOLERANCE, Handled),
        ("T-03 from the future", NOW + TOLERANCE + 1, Refused(401)),
        ("T-08 milliseconds for seconds", NOW * 1000, Refused(401)),
    ] {
        let timestamp = timestamp.to_string();
        check(case, Provider::Standard, &at(&timestamp), expected).await;
        check(&format!("{case}, T"), Provider::Stripe, &stripe(&timestamp, BODY), expected).await;
    }
}

#[tokio::test]
async fn another_time_needs_another_signature() {
    let request = Provider::Standard.base().set("webhook-timestamp", "1800000001");
    check("T-04", Provider::Standard, &request, Refused(401)).await;
    let header = Provider::Stripe.base().value("stripe-signature").replace("t=1800000000", "t=1800000001");
    check("T-04 T", Provider::Stripe, &Provider::Stripe.base().set("stripe-signature", header), Refused(401)).await;
}

#[tokio::test]
async fn times_out_of_range_are_refused_however_well_signed() {
    let outside = at("-9223372036854775808");
    assert_eq!(outside.value("webhook-signature"), "v1,citodBC9PbHPz6i/gB1+9PSeNUykBD9kF3/2DzYbQy4=");
    check("T-05 the least of 64 bits", Provider::Standard, &outside, Refused(400)).await;
    for (timestamp, expected) in [
        ("9223372036854775807", Refused(400)),
        ("9223372036854775808", Refused(400)),
        ("18446744073709551615", Refused(400)),
        ("-1", Refused(400)),
        ("0", Refused(401)),
        ("1", Refused(401)),
        ("999999999999999", Refused(401)),
    ] {
        check(&format!("T-05 {timestamp}"), Provider::Standard, &at(timestamp), expected).await;
        check(&format!("T-05 T {timestamp}"), Provider::Stripe, &stripe(timestamp, BODY), expected).await;
    }
}

#[tokio::test]
async fn times_are_plain_digits() {
    let digits = |count: usize| "18".repeat(count / 2);
    for timestamp in [
        &digits(20),
        &digits(40),
        &digits(10_000),
        "1e9",
        "1800000000.0",
        "1800000000.",
        "0x6B49D200",
        "NaN",
        "inf",
        "٠١٨٠٠٠٠٠٠٠",
        "１８０００００００００",
        "1_800_000_000",
        "1,800,000,000",
        "+1800000000",
        "01800000000",
        "18000 00000",
        "1800000000 1800000000",
        "",
    ] {
        let case = format!("T-06 T-07 {:.20}", timestamp);
        check(&case, Provider::Standard, &at(timestamp), Refused(400)).await;
    }
}

#[tokio::test]
async fn the_time_is_signed_in_the_characters_that_were_sent() {
    let spelled = |text: &str| Provider::Standard.base().set("webhook-timestamp", text);
    for (case, request, expected) in [
        ("T-09", spelled("1800000000"), Handled),
        ("T-07 blanks around it are not part of it", spelled(" 1800000000 "), Handled),
        ("T-09 another spelling of the time that was signed", spelled("01800000000"), Refused(400)),
        ("T-09 a sign", spelled("+1800000000"), Refused(400)),
    ] {
        check(case, Provider::Standard, &request, expected).await;
    }
}

#[tokio::test]
async fn seconds_are_not_taken_for_milliseconds() {
    const SECRET: &str = "linear's secret";
    for (case, time, expected) in [("T-08 milliseconds", NOW * 1000, 200), ("T-08 seconds for milliseconds", NOW, 401)]
    {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let layer =
            WebhookLayer::builder(provider::LINEAR.verifier(SECRET).unwrap()).with_clock(clock).build().unwrap();
        let site = Site::with_routes(Provider::Standard, |routes, _| routes.layer(layer)).await;
        let body = format!(r#"{{"webhookTimestamp":{time}}}"#);
        let outgoing = Outgoing::post("http://hooks.test/hook", body.as_bytes());
        let headers = provider::LINEAR.signer(SECRET).unwrap().sign(&outgoing).unwrap();
        let request = Raw::post("/hook").header("linear-signature", &headers["linear-signature"]).body(&body);
        let reply = site.send(&request).await;
        assert_eq!((reply.status.as_u16(), site.calls()), (expected, usize::from(expected == 200)), "{case}");
    }
}

#[tokio::test]
async fn no_tolerance_means_none_and_not_any() {
    for (timestamp, status, calls) in [(NOW - 1, 401, 0), (NOW, 200, 1), (NOW + 1, 401, 0)] {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let verifier = Verifier::builder(provider::STANDARD_WEBHOOKS).tolerance(Duration::ZERO).build(STANDARD_SECRET);
        let layer = WebhookLayer::builder(verifier.unwrap()).with_clock(clock).build().unwrap();
        let site = Site::with_routes(Provider::Standard, |routes, _| routes.layer(layer)).await;
        let reply = site.send(&at(timestamp.to_string())).await;
        assert_eq!((reply.status.as_u16(), site.calls()), (status, calls), "T-13 {timestamp}");
    }
}

/// A clock that can be put back before 1970, and on its feet again.
#[derive(Clone)]
struct Lost {
    clock: ManualClock,
    is_lost: Arc<AtomicBool>,
}

impl Clock for Lost {
    fn now(&self) -> Result<UnixTime, ClockError> {
        match self.is_lost.load(SeqCst) {
            true => (UNIX_EPOCH - Duration::from_secs(3600)).try_into(),
            false => self.clock.now(),
        }
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

#[tokio::test]
async fn without_the_time_nothing_is_judged() {
    let clock = Lost { clock: ManualClock::at(UnixTime::from_secs(NOW)), is_lost: Arc::new(true.into()) };
    let site = Site::with(Provider::Standard, |builder| builder.with_clock(clock.clone())).await;
    let request = Provider::Standard.base();
    let reply = site.send(&request).await;
    site.judge("T-15", &request, Some(&reply), Refused(503));
    clock.is_lost.store(false, SeqCst);
    site.assert_still_serves("T-15").await;
}

#[tokio::test]
async fn a_clock_that_steps_lets_no_replay_in() {
    // Seconds that the wall clock is moved by, and the answer to a replay then.
    for (case, step, expected) in [
        ("T-16 an hour back", -3600, 401),
        ("T-16 a little back", -200, 200),
        ("T-17 an hour forward", 3600, 401),
        ("T-17 a little forward", 200, 200),
    ] {
        let site = Site::start(Provider::Standard).await;
        let request = Provider::Standard.base();
        assert_eq!(site.send(&request).await.status, 200, "{case}");
        site.clock.set(UnixTime::from_secs(NOW.saturating_add_signed(step)));
        assert_eq!(site.send(&request).await.status, expected, "{case}");
        // And back: what is remembered was not forgotten meanwhile.
        site.clock.set(UnixTime::from_secs(NOW));
        let reply = site.send(&request).await;
        assert_eq!((reply.status.as_u16(), reply.header("webhook-replay")), (200, Some("duplicate")), "{case}");
        assert_eq!((site.calls(), site.nonces.len()), (1, 1), "{case}");
        site.assert_still_serves(case).await;
    }
}

#[tokio::test]
async fn without_a_signed_time_any_age_is_fresh() {
    let site = Site::start(Provider::GitHub).await;
    site.clock.advance(Duration::from_secs(365 * 24 * 3600));
    let request = Provider::GitHub.base();
    let reply = site.send(&request).await;
    site.judge("T-19", &request, Some(&reply), Handled);
    site.assert_still_serves("T-19").await;
}

#[tokio::test]
async fn times_in_the_body_are_only_text() {
    let fresh = format!(r#"{{"created":{NOW},"timestamp":{NOW},"t":{NOW}}}"#);
    let stale = r#"{"created":1,"timestamp":1,"t":1}"#;
    for (case, provider, request, expected) in [
        ("T-21 stale", Provider::Standard, standard("msg_1", "1700000000", &fresh), Refused(401)),
        ("T-21 stale, T", Provider::Stripe, stripe("1700000000", &fresh), Refused(401)),
        ("T-21 fresh", Provider::Standard, standard("msg_1", "1800000000", stale), Handled),
        ("T-21 fresh, T", Provider::Stripe, stripe("1800000000", stale), Handled),
        ("T-21 no time at all, G", Provider::GitHub, github("d-1", stale), Handled),
    ] {
        check(case, provider, &request, expected).await;
    }
}
