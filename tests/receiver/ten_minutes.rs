//! What the status page is made of: counts of ten minutes under a clock of the test's own.

use std::time::Duration;

use serde_json::{Value, json};
use tower_webhook::observe::Outcome;

use crate::live::{Anomaly, Live, Name, Seen};

fn live(paths: &[&str]) -> Live {
    Live::new(paths.iter().map(|path| Name { path: (*path).into(), provider: "stripe".into(), is_trial: false }))
}

fn seen(outcome: Outcome) -> Seen {
    Seen {
        outcome,
        status: Some(200),
        reason: (outcome == Outcome::Rejected).then_some("stale"),
        would_reject: None,
        total: Duration::from_millis(1),
        stages: [Duration::ZERO; 5],
        delivery_id: None,
        event: None,
    }
}

fn at(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn shown(live: &Live, secs: u64) -> Value {
    serde_json::to_value(live.snapshot(at(secs))).unwrap()
}

#[test]
fn counts_leave_the_window_bin_by_bin_and_stay_in_the_sum() {
    let live = live(&["/a", "/b"]);
    // Not a multiple of anything, so that the ring wraps in the middle.
    let start = 1_234;
    for second in 0..5 {
        live.record(at(start + second), 0, seen(Outcome::Handled));
    }
    live.record(at(start), 1, seen(Outcome::Rejected));
    live.record(at(start), 7, seen(Outcome::Handled));
    for (later, handled) in [(5, 5), (300, 5), (595, 5), (596, 4), (600, 4), (601, 0), (10_000, 0)] {
        let shown = shown(&live, start + later);
        let endpoint = &shown["endpoints"][0];
        assert_eq!(endpoint["window"]["handled"].as_u64().unwrap_or(0), handled, "{later}");
        assert_eq!(endpoint["ever"]["handled"], 5, "{later}");
        assert!(endpoint["window"]["rejected"].is_null(), "each endpoint has its own");
        assert_eq!(endpoint["idle_secs"], (later - 4) as f64);
    }
    assert_eq!(shown(&live, start)["endpoints"][1]["window"], json!({ "rejected": 1 }));
}

#[test]
fn bins_move_with_time_and_keep_their_seconds() {
    let live = live(&["/a"]);
    for (second, count) in [(1_000, 3), (1_004, 1), (1_005, 2), (1_012, 4)] {
        (0..count).for_each(|_| live.record(at(second), 0, seen(Outcome::Duplicate)));
    }
    for (now, last) in [(1_012, [4, 2, 4]), (1_014, [4, 2, 4]), (1_015, [2, 4, 0])] {
        let shown = shown(&live, now);
        let bins = shown["endpoints"][0]["bins"]["duplicate"].as_array().unwrap();
        assert_eq!((bins.len(), &bins[117..]), (120, &last.map(Value::from)[..]), "{now}");
    }
}

#[test]
fn the_last_minute_is_sixty_seconds() {
    let live = live(&["/a"]);
    (0..120).for_each(|second| live.record(at(5_000 + second), 0, seen(Outcome::Handled)));
    assert_eq!(shown(&live, 5_119)["endpoints"][0]["last_minute"], 60);
    assert_eq!(shown(&live, 5_149)["endpoints"][0]["last_minute"], 30);
    assert_eq!(shown(&live, 5_179)["endpoints"][0]["last_minute"], 0);
}

#[test]
fn who_comes_late_is_counted_where_it_belongs_and_never_takes_anothers_place() {
    let live = live(&["/a"]);
    live.record(at(2_000), 0, seen(Outcome::Handled));
    live.record(at(1_995), 0, seen(Outcome::Handled));
    live.record(at(1_400), 0, seen(Outcome::Handled));
    let shown = shown(&live, 2_000);
    assert_eq!(shown["endpoints"][0]["window"]["handled"], 2, "the third has been forgotten");
    assert_eq!(shown["endpoints"][0]["ever"]["handled"], 3);
    assert_eq!(shown["endpoints"][0]["idle_secs"], 0.0);
}

#[test]
fn quantiles_are_off_by_a_sixteenth_at_most_from_nanoseconds_to_minutes() {
    for scale in [1_000_u64, 15_000, 1_000_000, 70_000_000, 1_000_000_000] {
        let live = live(&["/a"]);
        for step in 1..=100 {
            let total = Duration::from_nanos(step * scale);
            live.record(at(600), 0, Seen { total, ..seen(Outcome::Handled) });
        }
        let shown = shown(&live, 600);
        for (name, step) in [("p50", 50), ("p90", 90), ("p99", 99)] {
            let (got, exact) = (shown["stages"][0][name].as_f64().unwrap(), (step * scale) as f64 / 1e9);
            assert!((got / exact - 1.0).abs() <= 1.0 / 16.0 + 0.005, "{name} of {scale} ns: {got}, not {exact}");
        }
    }
    let live = live(&["/a"]);
    for total in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        live.record(at(600), 0, Seen { total, ..seen(Outcome::Handled) });
    }
    let shown = shown(&live, 600);
    assert_eq!(shown["stages"][0]["count"], 2, "who has not been somewhere took no time there");
    assert!((130.0..140.0).contains(&shown["stages"][0]["p99"].as_f64().unwrap()), "the longest there is");
}

#[test]
fn durations_and_reasons_are_forgotten_with_their_counts() {
    let live = live(&["/a", "/b"]);
    let stages = [1, 2, 0, 4, 5].map(Duration::from_millis);
    live.record(at(3_004), 0, Seen { stages, ..seen(Outcome::Rejected) });
    live.record(at(3_005), 1, Seen { would_reject: Some("stale"), ..seen(Outcome::Handled) });
    // An acknowledged one has its reason too, and was not rejected.
    live.record(at(3_005), 1, Seen { reason: Some("replayed"), ..seen(Outcome::Duplicate) });
    let [rejected, tried] = [r#""/a" "stale" false 1"#, r#""/b" "stale" true 1"#];
    for (now, reasons, counts, all) in [
        (3_005, &[rejected, tried][..], [3, 1, 1, 0, 1, 1], 3),
        (3_599, &[rejected, tried], [3, 1, 1, 0, 1, 1], 3),
        (3_600, &[tried], [2, 0, 0, 0, 0, 0], 2),
        (3_604, &[tried], [2, 0, 0, 0, 0, 0], 2),
        (3_605, &[], [0; 6], 0),
    ] {
        let shown = shown(&live, now);
        let list = |name: &str| shown[name].as_array().unwrap().clone().into_iter();
        let reason = |row: Value| format!("{} {} {} {}", row["path"], row["reason"], row["is_trial"], row["count"]);
        assert_eq!(list("reasons").map(reason).collect::<Vec<_>>(), reasons, "{now}");
        assert_eq!(list("stages").map(|stage| stage["count"].as_u64().unwrap()).collect::<Vec<_>>(), counts, "{now}");
        let outcomes = list("endpoints").flat_map(|endpoint| endpoint["window"].as_object().unwrap().clone());
        assert_eq!(outcomes.map(|(_, count)| count.as_u64().unwrap()).sum::<u64>(), all, "{now}: the same window");
    }
}

#[test]
fn nothing_grows_with_what_is_sent() {
    let live = live(&["/a"]);
    for number in 0..100_000_u64 {
        let (id, outcome) = (Some(number.to_string()), Outcome::ALL[number as usize % 8]);
        live.record(at(number / 7), 0, Seen { delivery_id: id, ..seen(outcome) });
        live.anomaly(anomaly(0, number, false));
    }
    let shown = shown(&live, 100_000 / 7);
    let lengths = ["recent", "anomalies", "reasons"].map(|list| shown[list].as_array().unwrap().len());
    assert_eq!(lengths, [25, 25, 1]);
    assert_eq!(shown["recent"][0]["delivery_id"], "99999", "the youngest first");
    assert_eq!(shown["endpoints"][0]["bins"].as_object().unwrap().len(), 8);
}

#[test]
fn an_anomaly_that_ends_is_the_one_that_began_and_active_ones_outlast_those_that_ended() {
    let live = live(&["/a", "/b"]);
    live.anomaly(anomaly(0, 1, false));
    live.anomaly(anomaly(0, 2, false));
    live.anomaly(anomaly(1, 2, false));
    live.anomaly(anomaly(0, 2, true));
    live.anomaly(anomaly(2, 3, false));
    let listed = |live: &Live| {
        let shown = shown(live, 0);
        let anomaly = |row: &Value| format!("{} {} {}", row["path"], row["text"], !row["ended"].is_null());
        shown["anomalies"].as_array().unwrap().iter().map(anomaly).collect::<Vec<_>>()
    };
    let [first, second, others] = [r#""/a" "1" false"#, r#""/a" "2" true"#, r#""/b" "2" false"#];
    assert_eq!(listed(&live), [others, second, first], "and none of an endpoint that is not there");
    (4..40).for_each(|id| live.anomaly(anomaly(0, id, true)));
    let listed = listed(&live);
    assert_eq!(&listed[listed.len() - 2..], [others, first], "of those that ended, the oldest went first");
    assert_eq!((listed.len(), &*listed[0]), (25, r#""/a" "39" true"#));
}

fn anomaly(endpoint: usize, id: u64, has_ended: bool) -> Anomaly {
    Anomaly { endpoint, id, kind: "silence", text: id.to_string(), started: 1, ended: has_ended.then_some(2) }
}
