//! Traffic as it might be: several providers over days, with the noise of an open endpoint. The same for each seed.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use tower_webhook::{
    clock::UnixTime,
    observe::{Sample, SampleOutcome},
};

/// A Monday, 00:00 UTC.
pub(crate) const START: UnixTime = UnixTime::from_secs(1_800_230_400);
pub(crate) const MINUTE: f64 = 60.0;
pub(crate) const HOUR: f64 = 3600.0;
pub(crate) const DAY: f64 = 24.0 * HOUR;

/// Xorshift; good enough for arrivals.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Between zero and one, neither of them.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// With a mean of one.
    pub(crate) fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub(crate) fn address(&mut self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits((self.next() >> 32) as u32))
    }
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// Seconds since the start.
    pub(crate) at: f64,
    pub(crate) provider: &'static str,
    pub(crate) source: IpAddr,
    pub(crate) outcome: SampleOutcome,
    pub(crate) skew: f64,
    pub(crate) key: usize,
    pub(crate) bytes: f64,
}

impl Request {
    pub(crate) fn failed(at: f64, provider: &'static str, source: IpAddr, outcome: SampleOutcome) -> Self {
        Self { at, provider, source, outcome, skew: 0.0, key: 0, bytes: 0.0 }
    }

    pub(crate) fn sample(&self) -> Sample<'static> {
        let monotonic = Duration::from_secs_f64(self.at);
        let is_genuine = self.outcome == SampleOutcome::Genuine;
        Sample {
            monotonic,
            at: Some(UnixTime::from_millis(START.as_millis() + monotonic.as_millis() as u64)),
            provider: self.provider,
            source: Some(self.source),
            outcome: self.outcome,
            skew_ms: is_genuine.then_some((self.skew * 1000.0) as i64),
            key_index: is_genuine.then_some(self.key),
            body_len: is_genuine.then_some(self.bytes as u64),
        }
    }
}

/// How a provider sends.
pub(crate) struct Habit {
    pub(crate) name: &'static str,
    /// Deliveries an hour, for seconds since the start of some Monday.
    rate: fn(f64) -> f64,
    /// No hour has more.
    most: f64,
    /// The median.
    bytes: f64,
    /// Usual seconds on the way.
    latency: f64,
}

pub(crate) const HABITS: [Habit; 5] = [
    Habit { name: "payments", rate: |at| 240.0 + 160.0 * wave(at, 14.0), most: 400.0, bytes: 2_000.0, latency: 0.4 },
    Habit { name: "shop", rate: |at| 90.0 + 70.0 * wave(at, 19.0), most: 160.0, bytes: 6_000.0, latency: 1.5 },
    Habit { name: "code", rate: |at| if in_office(at) { 60.0 } else { 3.0 }, most: 60.0, bytes: 9_000.0, latency: 0.8 },
    Habit { name: "nightly", rate: nightly, most: 1800.0, bytes: 1_000.0, latency: 20.0 },
    Habit { name: "rare", rate: |_| 0.25, most: 0.25, bytes: 500.0, latency: 2.0 },
];

/// Between -1 and 1, the latter at that hour of each day.
fn wave(at: f64, hour: f64) -> f64 {
    (std::f64::consts::TAU * (at / DAY - hour / 24.0)).cos()
}

fn in_office(at: f64) -> bool {
    let (day, hour) = ((at / DAY) as u64 % 7, at % DAY / HOUR);
    day < 5 && (8.0..18.0).contains(&hour)
}

/// Ten minutes of each night, a quarter of an hour earlier or later.
fn nightly(at: f64) -> f64 {
    let day = (at / DAY) as u64;
    let late = 30.0 * MINUTE * Random::new(day + 77).unit();
    if (0.0..10.0 * MINUTE).contains(&(at % DAY - 2.0 * HOUR - late)) { 1800.0 } else { 0.0 }
}

/// What comes on one day when nothing is wrong, in order, by clocks that were put forward by so much.
pub(crate) fn usual_day(day: u64, forward: f64, random: &mut Random) -> Vec<Request> {
    let mut requests = Vec::new();
    let start = day as f64 * DAY;
    for (habit, number) in HABITS.iter().zip(0u32..) {
        let mut at = start;
        loop {
            at += random.exponential() * HOUR / habit.most;
            if at >= start + DAY {
                break;
            }
            if random.unit() * habit.most < (habit.rate)(at + forward) {
                deliver(habit, number, at, (habit.rate)(at + forward), random, &mut requests);
            }
        }
        background(habit.name, start, random, &mut requests);
    }
    requests.retain(|request| request.at < start + DAY);
    requests.sort_by(|a, b| a.at.total_cmp(&b.at));
    requests
}

fn deliver(habit: &Habit, number: u32, at: f64, rate: f64, random: &mut Random, requests: &mut Vec<Request>) {
    let source = IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + number * 16 + random.next() as u32 % 8));
    // Queues are longer when there is much to do; some deliveries are tried again with their first signature.
    let busy = 1.0 + rate / habit.most;
    let is_retried = random.unit() < 0.005;
    let late = if is_retried { random.between(30.0, 240.0) } else { 0.0 };
    let skew = habit.latency * busy * (0.5 + 0.5 * random.exponential()) + late;
    // Some are enormous.
    let enormous = if random.unit() < 0.003 { 6.0 } else { 0.0 };
    let bytes = habit.bytes * (1.2 * random.normal() + enormous).exp2();
    let genuine = Request { at, provider: habit.name, source, outcome: SampleOutcome::Genuine, skew, key: 0, bytes };
    requests.push(genuine);
    if random.unit() < 0.005 {
        let again = at + random.between(1.0, 60.0);
        requests.push(Request { at: again, outcome: SampleOutcome::Replayed, ..genuine });
    }
}

/// Passers-by that try an address once, scanners that try some, and a provider that repeats a few deliveries after a failure of ours.
fn background(provider: &'static str, start: f64, random: &mut Random, requests: &mut Vec<Request>) {
    for _ in 0..48 {
        let (at, source) = (start + random.between(0.0, DAY), random.address());
        requests.push(Request::failed(at, provider, source, SampleOutcome::Forged));
    }
    for (visits, least, most, outcome) in
        [(4, 5.0, 15.0, SampleOutcome::Forged), (2, 3.0, 10.0, SampleOutcome::Replayed)]
    {
        for _ in 0..visits {
            let (at, source) = (start + random.between(0.0, DAY), random.address());
            for _ in 0..random.between(least, most) as u64 {
                requests.push(Request::failed(at + random.between(0.0, MINUTE), provider, source, outcome));
            }
        }
    }
}
