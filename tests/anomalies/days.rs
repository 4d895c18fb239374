//! Simulated days: what is injected, what is found.

use std::{net::IpAddr, time::Duration};

use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use tower_webhook::{
    clock::ManualClock,
    observe::{Anomaly, AnomalyDetector, AnomalyKind, SampleOutcome},
};

use crate::traffic::{DAY, HOUR, MINUTE, Random, Request, START};

/// What is wrong for a while.
#[derive(Clone, Copy)]
pub(crate) struct Injection {
    pub(crate) name: &'static str,
    pub(crate) kind: AnomalyKind,
    pub(crate) provider: &'static str,
    /// Seconds since the start.
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) what: What,
    /// Whether the detector is meant to find it.
    pub(crate) is_found: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum What {
    /// So many a minute, from that many sources.
    Requests { a_minute: f64, sources: u64 },
    /// The same, from nothing up.
    Ramp { a_minute: f64 },
    /// Genuine deliveries are so much older, in seconds.
    Late(f64),
    /// They become so much older, little by little.
    Later(f64),
    /// One delivery in so many is by an old key.
    OldKey(u64),
    /// That part of the deliveries is missing.
    Missing(f64),
    /// Bodies are so many times larger.
    Larger(f64),
}

impl Injection {
    /// Whether an anomaly is about this: at the same provider, of the same kind, and raised until soon after the end.
    pub(crate) fn is_meant_by(&self, told: &Told) -> bool {
        const SOON: f64 = 5.0 * MINUTE;
        (self.kind, self.provider) == (told.anomaly.kind(), told.anomaly.provider())
            && (self.from..self.until + SOON).contains(&told.at)
    }

    pub(crate) fn apply(&self, random: &mut Random, requests: &mut Vec<Request>) {
        let length = self.until - self.from;
        let outcome = match self.kind {
            AnomalyKind::ReplayBurst => SampleOutcome::Replayed,
            _ => SampleOutcome::Forged,
        };
        let sources: Vec<IpAddr> = match self.what {
            What::Requests { sources, .. } => (0..sources).map(|_| random.address()).collect(),
            _ => (0..50).map(|_| random.address()).collect(),
        };
        if let What::Requests { a_minute, .. } | What::Ramp { a_minute } = self.what {
            let mut at = self.from;
            loop {
                at += random.exponential() * MINUTE / a_minute;
                if at >= self.until {
                    break;
                }
                let part = if matches!(self.what, What::Ramp { .. }) { (at - self.from) / length } else { 1.0 };
                if random.unit() < part {
                    let source = sources[random.next() as usize % sources.len()];
                    requests.push(Request::failed(at, self.provider, source, outcome));
                }
            }
        }
        requests.retain_mut(|request| {
            if request.provider != self.provider
                || request.outcome != SampleOutcome::Genuine
                || !(self.from..self.until).contains(&request.at)
            {
                return true;
            }
            match self.what {
                What::Late(secs) => request.skew += secs,
                What::Later(secs) => request.skew += secs * (request.at - self.from) / length,
                What::OldKey(one_in) if random.next().is_multiple_of(one_in) => request.key = 1,
                What::Larger(times) => request.bytes *= times,
                What::Missing(part) => return random.unit() >= part,
                _ => {}
            }
            true
        });
    }
}

/// An anomaly, and when it was told.
pub(crate) struct Told {
    pub(crate) at: f64,
    pub(crate) anomaly: Anomaly,
}

/// A detector whose days are simulated.
pub(crate) struct Simulation {
    pub(crate) detector: AnomalyDetector,
    pub(crate) told: Vec<Told>,
    clock: ManualClock,
    receiver: Receiver<Anomaly>,
    checked: f64,
}

impl Simulation {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(START);
        let detector = AnomalyDetector::builder().with_clock(clock.clone()).channel_capacity(1024).build();
        let receiver = detector.subscribe();
        Self { detector, told: Vec::new(), clock, receiver, checked: 0.0 }
    }

    /// Plays requests, with a check each half a minute.
    pub(crate) fn play(&mut self, requests: &[Request], until: f64) {
        const EVERY: f64 = 30.0;
        for request in requests {
            self.check_until(request.at, EVERY);
            self.detector.feed(request.sample());
            self.take(request.at);
        }
        self.check_until(until, EVERY);
    }

    fn check_until(&mut self, until: f64, every: f64) {
        while self.checked + every <= until {
            self.checked += every;
            self.clock.advance(Duration::from_secs_f64(every));
            self.detector.check();
            self.take(self.checked);
        }
    }

    fn take(&mut self, at: f64) {
        loop {
            match self.receiver.try_recv() {
                Ok(anomaly) => self.told.push(Told { at, anomaly }),
                Err(TryRecvError::Empty) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// What stays below the thresholds, and may be found or not.
const TOO_WEAK: [&str; 6] = [
    "15 a minute, one source",
    "15 a minute, 50 sources",
    "10 a minute, one source",
    "3 s at once",
    "9 of 10 are missing",
    "2.5 times larger",
];

/// What is injected on the ninth and tenth day, each at a time that differs by the seed.
pub(crate) fn injections(random: &mut Random) -> Vec<Injection> {
    use AnomalyKind::*;
    let first = 8.0 * DAY;
    let second = 9.0 * DAY;
    let mut injections = Vec::new();
    let mut add = |name, kind, provider, day: f64, hour: f64, length: f64, what| {
        let from = day + hour * HOUR + random.between(0.0, 30.0 * MINUTE);
        let is_found = !TOO_WEAK.contains(&name);
        injections.push(Injection { name, kind, provider, from, until: from + length, what, is_found });
    };
    let burst = |a_minute, sources| What::Requests { a_minute, sources };
    add("30 a minute, one source", ForgeryBurst, "payments", first, 3.0, 10.0 * MINUTE, burst(30.0, 1));
    add("120 a minute, one source", ForgeryBurst, "rare", first, 7.0, 5.0 * MINUTE, burst(120.0, 1));
    add("60 a minute, 1000 sources", ForgeryBurst, "code", first, 12.0, 10.0 * MINUTE, burst(60.0, 1000));
    add("1200 a minute, 1000 sources", ForgeryBurst, "shop", first, 15.0, 10.0 * MINUTE, burst(1200.0, 1000));
    add(
        "0 to 60 a minute in 6 hours, 50 sources",
        ForgeryBurst,
        "payments",
        second,
        1.0,
        6.0 * HOUR,
        What::Ramp { a_minute: 60.0 },
    );
    add("15 a minute, one source", ForgeryBurst, "nightly", first, 17.0, HOUR, burst(15.0, 1));
    add("15 a minute, 50 sources", ForgeryBurst, "rare", first, 20.0, HOUR, burst(15.0, 50));
    add("40 a minute, one source", ReplayBurst, "payments", first, 6.0, 5.0 * MINUTE, burst(40.0, 1));
    add("200 a minute, 20 sources", ReplayBurst, "shop", first, 10.0, 5.0 * MINUTE, burst(200.0, 20));
    add("10 a minute, one source", ReplayBurst, "code", first, 14.0, HOUR, burst(10.0, 1));
    add("10 s at once", ClockSkewDrift, "payments", first, 16.0, 2.0 * HOUR, What::Late(10.0));
    add("30 s in 6 hours", ClockSkewDrift, "shop", first, 12.0, 6.0 * HOUR, What::Later(30.0));
    add("-15 s at once", ClockSkewDrift, "code", first, 9.0, 4.0 * HOUR, What::Late(-15.0));
    add("3 s at once", ClockSkewDrift, "payments", first, 20.0, 2.0 * HOUR, What::Late(3.0));
    add("one in 100 for 3 hours", OldKeyUsed, "payments", first, 11.0, 3.0 * HOUR, What::OldKey(100));
    add("one in 10 for 4 hours", OldKeyUsed, "code", first, 9.0, 4.0 * HOUR, What::OldKey(10));
    add("20 minutes of a busy one", Silence, "payments", second, 15.0, 20.0 * MINUTE, What::Missing(1.0));
    add("2 hours of a medium one", Silence, "shop", second, 17.0, 2.0 * HOUR, What::Missing(1.0));
    add("4 hours of office time", Silence, "code", second, 10.0, 4.0 * HOUR, What::Missing(1.0));
    add("the batch of one night", Silence, "nightly", second, 1.0, 20.0 * HOUR, What::Missing(1.0));
    add("9 of 10 are missing", Silence, "payments", second, 19.0, 3.0 * HOUR, What::Missing(0.9));
    add("20 times larger", PayloadSizeJump, "shop", second, 8.0, 3.0 * HOUR, What::Larger(20.0));
    add("8 times larger", PayloadSizeJump, "payments", second, 8.0, 2.0 * HOUR, What::Larger(8.0));
    add("8 times smaller", PayloadSizeJump, "payments", second, 12.0, 2.0 * HOUR, What::Larger(0.125));
    add("2.5 times larger", PayloadSizeJump, "code", second, 14.5, 3.0 * HOUR, What::Larger(2.5));
    injections
}
