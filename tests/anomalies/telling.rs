//! How anomalies are told, and what is and is not one.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::broadcast::error::TryRecvError;
use tower_webhook::{
    clock::{ManualClock, UnixTime},
    observe::{AnomalyDetector, AnomalyKind, Sample, SampleOutcome},
};

use crate::strangers::sample;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn source() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

fn burst(detector: &AnomalyDetector, millis: u64, count: u64) {
    for _ in 0..count {
        detector.feed(Sample { source: None, ..sample(millis, source(), SampleOutcome::Forged) });
    }
}

fn genuine(millis: u64) -> Sample<'static> {
    Sample {
        skew_ms: Some(500),
        key_index: Some(0),
        body_len: Some(1000),
        ..sample(millis, source(), SampleOutcome::Genuine)
    }
}

#[test]
fn a_burst_is_told_when_it_begins_and_when_it_was_last_seen_with_the_same_id() {
    let detector = AnomalyDetector::builder().learn_for(Duration::ZERO).build();
    let mut receiver = detector.subscribe();
    for second in 0..120 {
        burst(&detector, second * SECOND, 2);
    }
    let began = receiver.try_recv().unwrap();
    assert_eq!((began.kind(), began.provider(), began.source()), (AnomalyKind::ForgeryBurst, "payments", None));
    // The thirtieth.
    assert_eq!(began.started(), UnixTime::from_secs(NOW.as_secs() + 14));
    assert_eq!(began.to_string(), "forgery_burst at payments: 30 in 60 s, 0.0 expected, alarm at 30");
    assert_eq!(detector.ongoing(), std::slice::from_ref(&began));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "while it goes on");
    // A pause shorter than that after which it is over.
    detector.feed(genuine(5 * MINUTE));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    detector.feed(genuine(10 * MINUTE));
    let ended = receiver.try_recv().unwrap();
    assert_eq!((ended.id(), ended.started()), (began.id(), began.started()));
    let lasted = ended.ended().unwrap().since(ended.started()).as_secs();
    assert!((100..=180).contains(&lasted), "{lasted} s");
    assert_eq!(ended.evidence().observed(), 120.0);
    assert!(detector.ongoing().is_empty());
}

#[test]
fn until_something_is_learned_only_five_times_the_least_is_a_burst() {
    for (count, is_told) in [(149, false), (150, true)] {
        let detector = AnomalyDetector::new();
        burst(&detector, SECOND, count);
        assert_eq!(!detector.ongoing().is_empty(), is_told, "{count}");
    }
}

#[test]
fn a_callback_that_panics_harms_neither_the_request_nor_the_next_anomaly() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let detector = AnomalyDetector::builder()
        .learn_for(Duration::ZERO)
        .on_anomaly(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            panic!("by the callback");
        })
        .build();
    let mut receiver = detector.subscribe();
    burst(&detector, SECOND, 30);
    detector.feed(genuine(HOUR));
    burst(&detector, 2 * HOUR, 60);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert_eq!(std::iter::from_fn(|| receiver.try_recv().ok()).count(), 3, "the others are told all the same");
}

#[test]
fn a_callback_may_ask_the_detector() {
    let slot: Arc<std::sync::OnceLock<AnomalyDetector>> = Arc::default();
    let seen = Arc::new(AtomicU32::new(0));
    let (detector, count) = (Arc::clone(&slot), Arc::clone(&seen));
    let built = AnomalyDetector::builder()
        .learn_for(Duration::ZERO)
        .on_anomaly(move |_| {
            let ongoing = detector.get().map_or(0, |detector| detector.ongoing().len());
            count.fetch_add(ongoing as u32, Ordering::SeqCst);
        })
        .build();
    slot.set(built.clone()).unwrap();
    burst(&built, SECOND, 30);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[test]
fn who_reads_too_slowly_loses_the_oldest_and_holds_nobody_up() {
    let detector = AnomalyDetector::builder().learn_for(Duration::ZERO).channel_capacity(2).build();
    let (mut slow, gone) = (detector.subscribe(), detector.subscribe());
    drop(gone);
    for round in 1..6 {
        burst(&detector, round * HOUR, 200);
        detector.feed(genuine(round * HOUR + HOUR / 2));
    }
    assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(8)));
    assert_eq!(std::iter::from_fn(|| slow.try_recv().ok()).count(), 2);
}

#[test]
fn a_level_that_stays_is_accepted_after_a_day_and_told_no_more() {
    let detector = AnomalyDetector::builder().learn_for(Duration::ZERO).build();
    let mut receiver = detector.subscribe();
    // Sixty a minute for three days.
    for second in 0..3 * 24 * 3600 {
        burst(&detector, second * SECOND, 1);
    }
    let (began, ended) = (receiver.try_recv().unwrap(), receiver.try_recv().unwrap());
    assert_eq!(began.id(), ended.id());
    assert_eq!(ended.ended().unwrap().since(began.started()).as_secs() / 3600, 24);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    // And what is above it is an anomaly again.
    burst(&detector, 3 * 24 * HOUR, 200);
    assert!(receiver.try_recv().unwrap().evidence().expected() > 50.0);
}

#[test]
fn steps_of_the_wall_clock_raise_no_silence_and_end_nothing_before_it_began() {
    let clock = ManualClock::at(NOW);
    let detector = AnomalyDetector::builder().with_clock(clock.clone()).build();
    let mut receiver = detector.subscribe();
    let mut random = crate::traffic::Random::new(5);
    let minutes = 10 * 24 * 60;
    for minute in 0..minutes {
        clock.advance(Duration::from_secs(60));
        // Days and years, to and fro.
        let wall = UnixTime::from_secs(random.next() % 3_000_000_000);
        clock.set(wall);
        detector.check();
        detector.feed(Sample { at: (minute % 3 > 0).then_some(wall), ..genuine((minute + 1) * MINUTE) });
    }
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    // True silence is found, and labelled whatever the wall shows.
    clock.advance(Duration::from_secs(3600));
    detector.check();
    let silence = receiver.try_recv().unwrap();
    assert_eq!(silence.kind(), AnomalyKind::Silence);
    clock.set(UnixTime::from_secs(5));
    detector.feed(Sample { at: Some(UnixTime::from_secs(5)), ..genuine((minutes + 120) * MINUTE) });
    let ended = receiver.try_recv().unwrap();
    assert_eq!(ended.id(), silence.id());
    assert!(ended.ended().unwrap() >= ended.started());
}

#[test]
fn who_is_silent_for_two_weeks_is_forgotten() {
    let clock = ManualClock::at(NOW);
    let detector = AnomalyDetector::builder().with_clock(clock.clone()).build();
    let mut receiver = detector.subscribe();
    for minute in 0..10 * 24 * 60 {
        clock.advance(Duration::from_secs(60));
        detector.feed(genuine((minute + 1) * MINUTE));
    }
    for _ in 0..60 * 24 {
        clock.advance(Duration::from_secs(3600));
        detector.check();
    }
    let told: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
    let lasted: Vec<_> =
        told.iter().map(|told| told.ended().map(|at| at.since(told.started()).as_secs() / 3600)).collect();
    assert_eq!(lasted, [None, Some(14 * 24)], "{told:#?}");
}

#[test]
fn a_change_of_keys_is_no_anomaly_and_a_straggler_is_one() {
    /// How many deliveries, one a minute, by which key.
    type Run = (u64, usize);
    let cases: [(&str, &[Run], usize); 7] = [
        ("nothing but the first", &[(500, 0)], 0),
        ("the old one until the provider changes over", &[(500, 0), (300, 1), (500, 0)], 0),
        ("nothing but the old one", &[(500, 0), (2000, 1)], 0),
        ("machine after machine, within the hour", &[(500, 0), (60, 1), (5, 0), (20, 1), (20, 0), (5, 1), (500, 0)], 0),
        ("one use after a change", &[(500, 0), (300, 1), (500, 0), (1, 1), (500, 0)], 1),
        ("one use, never changed", &[(500, 0), (1, 1), (500, 0)], 1),
        ("uses within the same day", &[(500, 0), (1, 1), (300, 0), (3, 1), (300, 0), (1, 1), (5, 0)], 1),
    ];
    for (name, runs, most) in cases {
        let detector = AnomalyDetector::new();
        let mut receiver = detector.subscribe();
        let mut millis = 0;
        for &(deliveries, key) in runs {
            for _ in 0..deliveries {
                millis += MINUTE;
                detector.feed(Sample { key_index: Some(key), ..genuine(millis) });
            }
        }
        let told: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        assert_eq!(told.len(), most, "{name}: {told:#?}");
    }
}

#[test]
fn deliveries_that_are_late_from_the_first_on_are_told_without_anything_learned() {
    let detector = AnomalyDetector::new();
    let mut receiver = detector.subscribe();
    for minute in 0..3 * 24 * 60 {
        detector.feed(Sample { skew_ms: Some(200_000), ..genuine(minute * MINUTE) });
    }
    let told: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
    assert_eq!(told.len(), 2, "begun, and accepted: {told:#?}");
    assert_eq!(told[0].kind(), AnomalyKind::ClockSkewDrift);
    assert_eq!(told[0].evidence().observed(), 200.0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_finds_silence_without_any_request_and_stops_with_the_detector() {
    let clock = ManualClock::at(NOW);
    let detector = AnomalyDetector::builder().with_clock(clock.clone()).build();
    for minute in 0..10 * 24 * 60 {
        clock.advance(Duration::from_secs(60));
        detector.feed(genuine((minute + 1) * MINUTE));
    }
    let mut receiver = detector.subscribe();
    let watch = tokio::spawn(detector.watch(Duration::ZERO));
    clock.advance(Duration::from_secs(3600));
    assert_eq!(receiver.recv().await.unwrap().kind(), AnomalyKind::Silence);
    drop(detector);
    watch.await.unwrap();
}
