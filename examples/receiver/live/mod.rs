//! What happened in the last ten minutes, for the status page: in memory whose size the endpoints alone decide.
//!
//! Time is told by whoever calls, on a monotonic clock.

mod histogram;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tower_webhook::observe::{Outcome, Stage};

use self::histogram::{Histogram, Sum};

/// How far back counts go.
const WINDOW_SECS: u64 = 600;
/// Seconds that the page shows as one.
const BIN_SECS: u64 = 5;
const BINS: u64 = WINDOW_SECS / BIN_SECS;
/// Requests that are shown one by one.
const MOST_RECENT: usize = 25;
const MOST_ANOMALIES: usize = 25;

const OUTCOMES: usize = Outcome::ALL.len();
/// All stages, and the total before them.
const TIMES: usize = Stage::ALL.len() + 1;

pub(crate) struct Live(Mutex<State>);

struct State {
    tracks: Vec<Track>,
    recent: VecDeque<Recent>,
    anomalies: VecDeque<Anomaly>,
}

/// An endpoint, as it is called on the page.
#[derive(Clone, Serialize)]
pub(crate) struct Name {
    pub(crate) path: String,
    pub(crate) provider: String,
    /// It refuses nothing.
    pub(crate) is_trial: bool,
}

/// What is kept of one request. Its texts are short.
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<&'static str>,
    /// Why a trial would have refused it.
    pub(crate) would_reject: Option<&'static str>,
    pub(crate) total: Duration,
    /// As in [`Stage::ALL`]; zero where it has not been.
    pub(crate) stages: [Duration; Stage::ALL.len()],
    pub(crate) delivery_id: Option<String>,
    pub(crate) event: Option<String>,
}

/// Something out of the ordinary that began, and has perhaps ended.
#[derive(Clone)]
pub(crate) struct Anomaly {
    pub(crate) endpoint: usize,
    /// Its own among those of the endpoint.
    pub(crate) id: u64,
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) started: u64,
    pub(crate) ended: Option<u64>,
}

impl Live {
    /// For these endpoints, and no other.
    pub(crate) fn new(endpoints: impl IntoIterator<Item = Name>) -> Self {
        Self(Mutex::new(State {
            tracks: endpoints.into_iter().map(Track::new).collect(),
            recent: VecDeque::with_capacity(MOST_RECENT),
            anomalies: VecDeque::with_capacity(MOST_ANOMALIES),
        }))
    }

    /// A request to the endpoint of this number is over.
    pub(crate) fn record(&self, now: Duration, endpoint: usize, seen: Seen) {
        let mut state = self.state();
        let Some(track) = state.tracks.get_mut(endpoint) else { return };
        track.record(now, &seen);
        state.recent.truncate(MOST_RECENT - 1);
        state.recent.push_front(Recent { at: now, endpoint, seen });
    }

    /// An anomaly begins, or one that began before ends.
    pub(crate) fn anomaly(&self, anomaly: Anomaly) {
        let State { tracks, anomalies, .. } = &mut *self.state();
        if tracks.get(anomaly.endpoint).is_none() {
            return;
        }
        if let Some(known) =
            anomalies.iter_mut().find(|known| (known.endpoint, known.id) == (anomaly.endpoint, anomaly.id))
        {
            *known = anomaly;
            return;
        }
        if anomalies.len() == MOST_ANOMALIES {
            // What is over goes first, the oldest of it.
            let oldest = anomalies.iter().rposition(|anomaly| anomaly.ended.is_some());
            anomalies.remove(oldest.unwrap_or(MOST_ANOMALIES - 1));
        }
        anomalies.push_front(anomaly);
    }

    /// How things stand.
    pub(crate) fn snapshot(&self, now: Duration) -> Snapshot {
        let state = self.state();
        let mut times: [Sum; TIMES] = Default::default();
        let mut reasons = Vec::new();
        for track in &state.tracks {
            for slice in track.slices.iter().filter(|slice| slice.is_within(now)) {
                times.iter_mut().zip(&slice.times).for_each(|(sum, times)| sum.add(times));
            }
            reasons.extend(track.reasons(now));
        }
        reasons.sort_by(|one, other| other.count.cmp(&one.count).then(one.reason.cmp(other.reason)));
        let stages = ["total"].into_iter().chain(Stage::ALL.map(Stage::as_str));
        Snapshot {
            window_secs: WINDOW_SECS,
            bin_secs: BIN_SECS,
            endpoints: state.tracks.iter().map(|track| track.view(now)).collect(),
            stages: stages.zip(&times).map(|(stage, times)| StageView { stage, times: Quantiles::of(times) }).collect(),
            reasons,
            recent: state.recent.iter().filter_map(|recent| recent.view(now, &state.tracks)).collect(),
            anomalies: state.anomalies.iter().filter_map(|anomaly| anomaly.view(&state.tracks)).collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize)]
pub(crate) struct Snapshot {
    pub(crate) window_secs: u64,
    pub(crate) bin_secs: u64,
    pub(crate) endpoints: Vec<EndpointView>,
    pub(crate) stages: Vec<StageView>,
    /// The most frequent first.
    pub(crate) reasons: Vec<ReasonView>,
    /// The youngest first.
    pub(crate) recent: Vec<RecentView>,
    /// The youngest first.
    pub(crate) anomalies: Vec<AnomalyView>,
}

#[derive(Serialize)]
pub(crate) struct EndpointView {
    #[serde(flatten)]
    pub(crate) name: Name,
    /// Since the start, by outcome, where there were any.
    pub(crate) ever: BTreeMap<&'static str, u64>,
    /// The same within the window.
    pub(crate) window: BTreeMap<&'static str, u64>,
    /// The same by bins of seconds: the oldest first, the current one last.
    pub(crate) bins: BTreeMap<&'static str, Vec<u32>>,
    pub(crate) last_minute: u64,
    /// Seconds since the last request.
    pub(crate) idle_secs: Option<f64>,
    pub(crate) total: Quantiles,
}

#[derive(Serialize)]
pub(crate) struct StageView {
    pub(crate) stage: &'static str,
    #[serde(flatten)]
    pub(crate) times: Quantiles,
}

/// In seconds.
#[derive(Serialize)]
pub(crate) struct Quantiles {
    pub(crate) count: u64,
    pub(crate) p50: Option<f64>,
    pub(crate) p90: Option<f64>,
    pub(crate) p99: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct ReasonView {
    pub(crate) reason: &'static str,
    pub(crate) path: String,
    pub(crate) provider: String,
    /// A trial would have refused it.
    pub(crate) is_trial: bool,
    pub(crate) count: u64,
}

#[derive(Serialize)]
pub(crate) struct RecentView {
    pub(crate) age_secs: f64,
    pub(crate) path: String,
    pub(crate) provider: String,
    pub(crate) outcome: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) delivery_id: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) total_secs: f64,
}

#[derive(Serialize)]
pub(crate) struct AnomalyView {
    pub(crate) path: String,
    pub(crate) provider: String,
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    pub(crate) started: u64,
    pub(crate) ended: Option<u64>,
}

impl Quantiles {
    fn of(times: &Sum) -> Self {
        Self { count: times.count(), p50: times.quantile(0.5), p90: times.quantile(0.9), p99: times.quantile(0.99) }
    }
}

/// One endpoint.
struct Track {
    name: Name,
    ever: [u64; OUTCOMES],
    last: Option<Duration>,
    seconds: Vec<Second>,
    slices: Vec<Slice>,
}

/// Counts of one second: another one in its place, ten minutes later.
#[derive(Clone, Copy, Default)]
struct Second {
    at: Option<u64>,
    counts: [u32; OUTCOMES],
}

/// What else is known of a bin.
#[derive(Clone, Default)]
struct Slice {
    at: Option<u64>,
    times: [Histogram; TIMES],
    /// Why not, and whether that was only a trial: words of the crate, so there are not many.
    reasons: BTreeMap<(&'static str, bool), u64>,
}

impl Track {
    fn new(name: Name) -> Self {
        Self {
            name,
            ever: [0; OUTCOMES],
            last: None,
            seconds: vec![Second::default(); WINDOW_SECS as usize],
            slices: vec![Slice::default(); BINS as usize],
        }
    }

    fn record(&mut self, now: Duration, seen: &Seen) {
        let outcome = seen.outcome as usize;
        self.ever[outcome] += 1;
        self.last = self.last.max(Some(now));
        if let Some(second) = self.second(now.as_secs()) {
            second.counts[outcome] = second.counts[outcome].saturating_add(1);
        }
        if let Some(slice) = self.slice(now.as_secs() / BIN_SECS) {
            let times = [seen.total].into_iter().chain(seen.stages);
            for (histogram, time) in slice.times.iter_mut().zip(times).filter(|(_, time)| !time.is_zero()) {
                histogram.record(time);
            }
            // Duplicates and ignored events have their reasons too, and were acknowledged.
            let reason = seen.reason.filter(|_| seen.outcome == Outcome::Rejected);
            let reasons = [(reason, false), (seen.would_reject, true)];
            for (reason, is_trial) in reasons.into_iter().filter_map(|(reason, is_trial)| Some((reason?, is_trial))) {
                *slice.reasons.entry((reason, is_trial)).or_default() += 1;
            }
        }
    }

    /// That second's counts; `None` if they are forgotten already.
    fn second(&mut self, at: u64) -> Option<&mut Second> {
        let second = &mut self.seconds[(at % WINDOW_SECS) as usize];
        if second.at < Some(at) {
            *second = Second { at: Some(at), ..Second::default() };
        }
        (second.at == Some(at)).then_some(second)
    }

    fn slice(&mut self, at: u64) -> Option<&mut Slice> {
        let slice = &mut self.slices[(at % BINS) as usize];
        if slice.at < Some(at) {
            *slice = Slice { at: Some(at), ..Slice::default() };
        }
        (slice.at == Some(at)).then_some(slice)
    }

    fn view(&self, now: Duration) -> EndpointView {
        // Bins keep their seconds while time goes on, so that bars move and do not flicker.
        let last_bin = now.as_secs() / BIN_SECS;
        let mut bins: [Vec<u32>; OUTCOMES] = std::array::from_fn(|_| vec![0; BINS as usize]);
        let mut last_minute = 0;
        for (at, second) in self.seconds.iter().filter_map(|second| Some((second.at?, second))) {
            if at + 60 > now.as_secs() && at <= now.as_secs() {
                last_minute += second.counts.iter().map(|count| u64::from(*count)).sum::<u64>();
            }
            let Some(back) = last_bin.checked_sub(at / BIN_SECS).filter(|back| *back < BINS) else { continue };
            for (bins, count) in bins.iter_mut().zip(second.counts) {
                let bin = &mut bins[(BINS - 1 - back) as usize];
                *bin = bin.saturating_add(count);
            }
        }
        let sums = bins.each_ref().map(|bins| bins.iter().map(|count| u64::from(*count)).sum());
        let mut total = Sum::default();
        self.slices.iter().filter(|slice| slice.is_within(now)).for_each(|slice| total.add(&slice.times[0]));
        EndpointView {
            name: self.name.clone(),
            ever: by_outcome(self.ever, |count| *count > 0),
            window: by_outcome(sums, |count| *count > 0),
            bins: by_outcome(bins, |bins| bins.iter().any(|count| *count > 0)),
            last_minute,
            idle_secs: self.last.map(|last| now.saturating_sub(last).as_secs_f64()),
            total: Quantiles::of(&total),
        }
    }

    fn reasons(&self, now: Duration) -> impl Iterator<Item = ReasonView> {
        let mut sums = BTreeMap::<_, u64>::new();
        for (reason, count) in self.slices.iter().filter(|slice| slice.is_within(now)).flat_map(|slice| &slice.reasons)
        {
            *sums.entry(*reason).or_default() += count;
        }
        sums.into_iter().map(|((reason, is_trial), count)| ReasonView {
            reason,
            path: self.name.path.clone(),
            provider: self.name.provider.clone(),
            is_trial,
            count,
        })
    }
}

impl Slice {
    fn is_within(&self, now: Duration) -> bool {
        let current = now.as_secs() / BIN_SECS;
        self.at.is_some_and(|at| current.checked_sub(at).is_some_and(|back| back < BINS))
    }
}

fn by_outcome<T>(values: [T; OUTCOMES], is_shown: impl Fn(&T) -> bool) -> BTreeMap<&'static str, T> {
    let named = Outcome::ALL.map(Outcome::as_str).into_iter().zip(values);
    named.filter(|(_, value)| is_shown(value)).collect()
}

impl Anomaly {
    fn view(&self, tracks: &[Track]) -> Option<AnomalyView> {
        let Self { kind, text, started, ended, .. } = self.clone();
        let Name { path, provider, .. } = tracks.get(self.endpoint)?.name.clone();
        Some(AnomalyView { path, provider, kind, text, started, ended })
    }
}

/// One request.
struct Recent {
    at: Duration,
    endpoint: usize,
    seen: Seen,
}

impl Recent {
    fn view(&self, now: Duration, tracks: &[Track]) -> Option<RecentView> {
        let Self { at, endpoint, seen } = self;
        let Name { path, provider, .. } = tracks.get(*endpoint)?.name.clone();
        Some(RecentView {
            age_secs: now.saturating_sub(*at).as_secs_f64(),
            path,
            provider,
            outcome: seen.outcome.as_str(),
            status: seen.status,
            reason: seen.reason.or(seen.would_reject),
            delivery_id: seen.delivery_id.clone(),
            event: seen.event.clone(),
            total_secs: seen.total.as_secs_f64(),
        })
    }
}
