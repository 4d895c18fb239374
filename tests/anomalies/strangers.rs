//! What strangers can do to the detector: nothing that lasts.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use tower_webhook::{
    clock::{ManualClock, UnixTime},
    observe::{Anomaly, AnomalyDetector, AnomalyDetectorBuilder, AnomalyKind, Sample, SampleOutcome},
};

use crate::traffic::Random;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

pub(crate) fn sample(millis: u64, source: IpAddr, outcome: SampleOutcome) -> Sample<'static> {
    Sample {
        monotonic: Duration::from_millis(millis),
        at: Some(UnixTime::from_millis(NOW.as_millis() + millis)),
        provider: "payments",
        source: Some(source),
        outcome,
        skew_ms: None,
        key_index: None,
        body_len: None,
    }
}

fn v4(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

/// Without a learning phase, and with room for all that is told.
fn detector(build: impl FnOnce(AnomalyDetectorBuilder) -> AnomalyDetectorBuilder) -> AnomalyDetector {
    build(AnomalyDetector::builder().learn_for(Duration::ZERO).channel_capacity(10_000)).build()
}

fn begun(receiver: &mut tokio::sync::broadcast::Receiver<Anomaly>) -> Vec<Anomaly> {
    std::iter::from_fn(|| receiver.try_recv().ok()).filter(|anomaly| anomaly.ended().is_none()).collect()
}

#[test]
fn a_million_spoofed_sources_take_no_more_memory_and_hide_no_burst() {
    let mut random = Random::new(1);
    for (name, count, mut spoofed) in [
        ("IPv4", 1_000_000, Box::new(move || random.address()) as Box<dyn FnMut() -> IpAddr>),
        ("IPv6", 200_000, {
            let mut random = Random::new(2);
            Box::new(move || {
                IpAddr::V6(Ipv6Addr::from_bits(u128::from(random.next()) << 64 | u128::from(random.next())))
            })
        }),
    ] {
        let detector = detector(|builder| builder);
        let mut receiver = detector.subscribe();
        let real = v4(7);
        // All in ten minutes, and an eighth as many by one.
        for number in 0..count {
            let millis = number * 600_000 / count;
            detector.feed(sample(millis, spoofed(), SampleOutcome::Forged));
            if number % 8 == 0 {
                detector.feed(sample(millis, real, SampleOutcome::Forged));
            }
        }
        let begun = begun(&mut receiver);
        let of = |source| begun.iter().filter(|anomaly| anomaly.source() == source).count();
        assert!(detector.sources() <= 4096, "{name}: {}", detector.sources());
        assert_eq!(of(None), 1, "{name}, the provider: {begun:#?}");
        assert_eq!(of(Some(real)), 1, "{name}, the real one: {begun:#?}");
        assert_eq!(begun.len(), 2, "{name}: {begun:#?}");
    }
}

#[test]
fn who_has_a_network_of_ipv6_is_one_source() {
    let detector = detector(|builder| builder);
    let mut receiver = detector.subscribe();
    for number in 0..25u16 {
        let source = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, number, 0, 0, number));
        detector.feed(sample(u64::from(number), source, SampleOutcome::Forged));
    }
    let begun = begun(&mut receiver);
    assert_eq!(begun.len(), 1, "{begun:#?}");
    assert_eq!(begun[0].source(), Some("2001:db8:1:2::".parse().unwrap()));
    assert!(begun[0].to_string().starts_with("forgery_burst at payments from 2001:db8:1:2::/64: 20 in 60 s"));
}

#[test]
fn many_sources_at_once_are_told_apart_up_to_a_bound_and_as_one_beyond() {
    // Of each provider nothing but an enormous number is too much.
    let detector = detector(|builder| builder.min_forgeries(u32::MAX, 20).max_sources_at_once(5));
    let mut receiver = detector.subscribe();
    for number in 0..100 {
        for _ in 0..25 {
            detector.feed(sample(1000, v4(number), SampleOutcome::Forged));
        }
    }
    let begun = begun(&mut receiver);
    assert_eq!(begun.iter().filter(|anomaly| anomaly.source().is_some()).count(), 5);
    assert_eq!(begun.len(), 6, "{begun:#?}");
    assert_eq!(detector.ongoing().len(), 6);
}

#[test]
fn sources_that_come_and_go_for_a_day_are_told_of_no_more_often_than_allowed_and_leave_room_for_the_provider() {
    let clock = ManualClock::at(NOW);
    let detector = detector(|builder| builder.max_per_hour(20).min_forgeries(1000, 20).with_clock(clock.clone()));
    let mut receiver = detector.subscribe();
    // Each bursts for a second, and another one six minutes later.
    let mut told = 0;
    for round in 0..240u64 {
        let millis = round * 360_000;
        clock.advance(Duration::from_secs(360));
        for source in 0..10 {
            for _ in 0..25 {
                detector.feed(sample(millis, v4(round as u32 * 10 + source), SampleOutcome::Forged));
            }
        }
        told += begun(&mut receiver).len();
    }
    // A day's allowance, and what was saved at first.
    assert!((24..=24 * 20 + 10).contains(&told), "{told}");
    assert!(detector.suppressed() > 0);
    let last = 240 * 360_000;
    for _ in 0..1000 {
        detector.feed(sample(last, v4(1), SampleOutcome::Forged));
    }
    assert_eq!(begun(&mut receiver).iter().filter(|anomaly| anomaly.source().is_none()).count(), 1);
}

#[test]
fn what_is_not_genuine_teaches_nothing_of_age_size_keys_and_rhythm() {
    let run = |outcome: Option<SampleOutcome>| {
        let detector = detector(|builder| builder.min_forgeries(u32::MAX, u32::MAX).min_replays(u32::MAX, u32::MAX));
        let mut receiver = detector.subscribe();
        for number in 0..400u64 {
            let genuine = Sample {
                skew_ms: Some(500),
                key_index: Some(0),
                body_len: Some(1000),
                ..sample(number * 60_000, v4(1), SampleOutcome::Genuine)
            };
            detector.feed(genuine);
            if let Some(outcome) = outcome {
                for _ in 0..5 {
                    detector.feed(Sample {
                        outcome,
                        skew_ms: Some(250_000),
                        key_index: Some(1),
                        body_len: Some(1 << 20),
                        ..genuine
                    });
                }
            }
        }
        begun(&mut receiver)
    };
    for outcome in [SampleOutcome::Forged, SampleOutcome::Replayed, SampleOutcome::Other] {
        let begun = run(Some(outcome));
        assert!(begun.is_empty(), "{outcome:?}: {begun:#?}");
    }
    let begun = run(Some(SampleOutcome::Genuine));
    assert!(begun.iter().any(|anomaly| anomaly.kind() == AnomalyKind::OldKeyUsed), "the same as genuine: {begun:#?}");
}

#[test]
fn providers_beyond_the_bound_are_counted_together() {
    let detector = detector(|builder| builder.max_providers(3));
    let mut receiver = detector.subscribe();
    let names: Vec<String> = (0..100).map(|number| format!("provider {number}")).collect();
    for name in &names {
        detector.feed(Sample { provider: name, source: None, ..sample(0, v4(1), SampleOutcome::Forged) });
    }
    assert_eq!(detector.providers(), 4);
    let begun = begun(&mut receiver);
    assert_eq!(begun.iter().map(Anomaly::provider).collect::<Vec<_>>(), ["others"]);
}

#[test]
fn numbers_from_the_ends_of_their_range_neither_panic_nor_make_evidence_of_what_is_no_number() {
    let mut random = Random::new(3);
    let detector = AnomalyDetector::builder()
        .window(Duration::MAX)
        .half_life(Duration::MAX)
        .accept_after(Duration::ZERO)
        .learn_for(Duration::ZERO)
        .quiet_for(Duration::ZERO)
        .min_silence(Duration::ZERO)
        .min_skew(Duration::ZERO)
        .max_sources(0)
        .max_providers(0)
        .max_per_hour(u32::MAX)
        .channel_capacity(usize::MAX)
        .min_forgeries(0, 0)
        .deviations(0)
        .build();
    for detector in [detector, detector_of_defaults()] {
        let mut receiver = detector.subscribe();
        let times = [0, 1, 3_600_000, u64::MAX / 2, u64::MAX, 5, 1_000_000_000_000];
        for round in 0..20_000 {
            let pick = |random: &mut Random, most: usize| random.next() as usize % most;
            let millis = times[pick(&mut random, times.len()).min(round / 2000)];
            detector.feed(Sample {
                monotonic: if round > 19_000 { Duration::MAX } else { Duration::from_millis(millis) },
                at: [None, Some(UnixTime::from_secs(0)), Some(UnixTime::from_secs(u64::MAX))][pick(&mut random, 3)],
                skew_ms: [None, Some(i64::MIN), Some(i64::MAX), Some(0)][pick(&mut random, 4)],
                key_index: [None, Some(0), Some(usize::MAX)][pick(&mut random, 3)],
                body_len: [None, Some(0), Some(u64::MAX)][pick(&mut random, 3)],
                outcome: [SampleOutcome::Genuine, SampleOutcome::Forged, SampleOutcome::Replayed][pick(&mut random, 3)],
                ..sample(0, v4(random.next() as u32 % 100), SampleOutcome::Other)
            });
            while let Ok(anomaly) = receiver.try_recv() {
                let evidence = anomaly.evidence();
                for number in [evidence.observed(), evidence.expected(), evidence.threshold()] {
                    assert!(number.is_finite(), "{anomaly:?}");
                }
                assert!(!anomaly.to_string().is_empty());
            }
        }
    }
}

fn detector_of_defaults() -> AnomalyDetector {
    AnomalyDetector::new()
}

#[test]
fn what_is_known_already_is_counted_without_the_allocator() {
    let detector = detector(|builder| builder);
    let play = |from: u64| {
        for number in from..from + 2000 {
            let outcome = [SampleOutcome::Genuine, SampleOutcome::Forged, SampleOutcome::Replayed][number as usize % 3];
            detector.feed(Sample {
                skew_ms: Some(400),
                key_index: Some(0),
                body_len: Some(1000),
                // Each from another address; far too few of each to tell of.
                ..sample(number * 30_000, v4(number as u32), outcome)
            });
        }
    };
    play(0);
    let cost = allocation_counter::measure(|| play(2000));
    assert_eq!(cost.count_total, 0);
    assert!(detector.ongoing().is_empty());
}
