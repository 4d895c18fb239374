mod builder;
mod count;
mod emit;
mod event;
mod keys;
mod level;
mod rhythm;
mod sample;
mod sources;
mod state;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::broadcast;

#[cfg_attr(not(feature = "testing"), allow(unreachable_pub))]
pub use self::sample::{Sample, SampleOutcome};
pub use self::{
    builder::AnomalyDetectorBuilder,
    event::{Anomaly, AnomalyKind, Evidence},
};
use self::{
    builder::{OnAnomaly, Rules},
    state::State,
};
use crate::clock::SharedClock;

/// Learns what is usual at the endpoint, and tells when it is not any more: bursts of forgeries and replays, deliveries that arrive ever later,
/// keys that should be out of use, silence, and bodies that are not of their usual size.
///
/// It is told of requests by an [`ObserveLayer`](crate::layer::ObserveLayer::detect), or several. Each [`Anomaly`] is told twice, when it begins and when it is over, to `tracing` and `metrics` (features of these names), to a callback and to all who
/// [subscribe](Self::subscribe). Clones share what was learned.
///
/// ```
/// use tower_webhook::observe::AnomalyDetector;
///
/// let detector = AnomalyDetector::builder().on_anomaly(|anomaly| eprintln!("{anomaly}")).build();
/// ```
///
/// With other thresholds, and a task that pages somebody:
///
/// ```no_run
/// # async fn run() {
/// use std::time::Duration;
/// use tower_webhook::observe::{AnomalyDetector, AnomalyKind};
///
/// let detector = AnomalyDetector::builder()
///     .min_forgeries(100, 50)
///     .min_silence(Duration::from_secs(30 * 60))
///     .build();
/// let mut anomalies = detector.subscribe();
/// // Silence is found while nothing comes, so somebody must look.
/// tokio::spawn(detector.watch(Duration::from_secs(10)));
/// tokio::spawn(async move {
///     while let Ok(anomaly) = anomalies.recv().await {
///         if anomaly.kind() == AnomalyKind::Silence && anomaly.ended().is_none() {
///             println!("{} sends no more", anomaly.provider());
///         }
///     }
/// });
/// # }
/// ```
///
/// # How it judges
///
/// **Bursts.** Forgeries and replays are counted for each provider and for each source, in a [window](AnomalyDetectorBuilder::window) that moves on by sixths. Each
/// sixth that is complete teaches mean and variance, of which what is older weighs less (by [half](AnomalyDetectorBuilder::half_life) every six
/// hours). Of one that is far off, no more counts than three deviations above the mean, or a sixth of the least that may alarm. A window is too much when it
/// has both the [least](AnomalyDetectorBuilder::min_forgeries) that may alarm and the expected number plus six
/// [deviations](AnomalyDetectorBuilder::deviations), each of which is no less than that of independent arrivals. What is expected of a provider is the mean, or, if that is more, the
/// share of its genuine deliveries that usually fails, a tenth at most: so neither a busy hour nor a batch is a burst. A burst is over when its
/// windows have been below the middle between expected and too much for [five minutes](AnomalyDetectorBuilder::quiet_for). Nothing
/// is learned from a burst, unless it lasts for a [day](AnomalyDetectorBuilder::accept_after): then it is over, and the norm. Of a source, nothing is usual until it
/// is seen.
///
/// **Age and size.** The median of sixteen genuine deliveries is a reading. Readings teach a mean, and the mean of their distances from it, by the time that
/// passes, with a half-life of a week. Two readings in a row that are both farther away than the [least](AnomalyDetectorBuilder::min_skew) and than six
/// of these distances are a drift; two in a row within half of that end it. Of sizes, the logarithm counts. Readings beyond the threshold count as if they
/// were at it, and after a [day](AnomalyDetectorBuilder::accept_after) the new level is the norm.
///
/// **Silence.** For each hour of the week, counted from the start of the process, it learns in how many parts of ten seconds something genuine came; each
/// further week replaces three tenths of that. A provider is silent when nothing has come for [ten minutes](AnomalyDetectorBuilder::min_silence) and in that time
///
/// * more than 20 should have come, by the least of the current hour and its two neighbours; or by all that came in hours that ended three
///   hours ago, with nothing since two hours before them, as for batches; and in both cases three times more than were ever missing before without being a silence;
/// * or the gap is three times as long as any before, after 50 deliveries and a day.
///
/// Until a week is known, only the last counts, with eight times instead of three, so that the first night and the first weekend are none. One delivery ends
/// it. After two weeks, the provider is forgotten.
///
/// **Keys.** A key other than the first of its ring is old once the first has been in use for an [hour](AnomalyDetectorBuilder::settle_keys) and twenty deliveries.
/// More than ten deliveries by others, without one by the first in between, are a change of keys, and no anomaly. It is told with the next delivery by the
/// first, and over when no other was used for a day.
///
/// All of that runs on the monotonic clock. The wall clock only labels what is told, so setting it raises nothing.
///
/// After a start nothing is known. For an [hour](AnomalyDetectorBuilder::learn_for) only five times the least that may alarm is a burst of a provider, and only an age of two minutes
/// a drift. What goes wrong in that time below these is learned as the norm. Nothing is kept over a restart.
///
/// # What it finds
///
/// In twenty simulated stretches of eleven days each (`tests/anomalies.rs`; five providers with nights, weekends and a nightly batch, passers-by and scanners,
/// retries, repeated deliveries), with these injected into the last days:
///
/// | kind | episode | injected | detected | missed | median delay |
/// |---|---|---|---|---|---|
/// | `forgery_burst` | 30 a minute, one source | 20 | 20 | 0 | 39 s |
/// | `forgery_burst` | 120 a minute, one source | 20 | 20 | 0 | 10 s |
/// | `forgery_burst` | 60 a minute, 1000 sources | 20 | 20 | 0 | 30 s |
/// | `forgery_burst` | 1200 a minute, 1000 sources | 20 | 20 | 0 | 1 s |
/// | `forgery_burst` | 0 to 60 a minute in 6 hours, 50 sources | 20 | 20 | 0 | 2.1 h |
/// | `forgery_burst` | 15 a minute, one source | 20 | 20 | 0 | 5 min |
/// | `forgery_burst` | 15 a minute, 50 sources | 20 | 1 | 19 | 10 min |
/// | `replay_burst` | 40 a minute, one source | 20 | 20 | 0 | 29 s |
/// | `replay_burst` | 200 a minute, 20 sources | 20 | 20 | 0 | 9 s |
/// | `replay_burst` | 10 a minute, one source | 20 | 11 | 9 | 18 min |
/// | `clock_skew_drift` | 10 s at once | 20 | 20 | 0 | 6 min |
/// | `clock_skew_drift` | 30 s in 6 hours | 20 | 20 | 0 | 79 min |
/// | `clock_skew_drift` | -15 s at once | 20 | 20 | 0 | 32 min |
/// | `clock_skew_drift` | 3 s at once | 20 | 0 | 20 |  |
/// | `old_key_used` | one in 100 for 3 hours | 20 | 20 | 0 | 12 min |
/// | `old_key_used` | one in 10 for 4 hours | 20 | 20 | 0 | 11 min |
/// | `silence` | 20 minutes of a busy one | 20 | 20 | 0 | 10 min |
/// | `silence` | 2 hours of a medium one | 20 | 20 | 0 | 11 min |
/// | `silence` | 4 hours of office time | 20 | 20 | 0 | 24 min |
/// | `silence` | the batch of one night | 20 | 20 | 0 | 4.8 h |
/// | `silence` | 9 of 10 are missing | 20 | 0 | 20 |  |
/// | `payload_size_jump` | 20 times larger | 20 | 20 | 0 | 67 min |
/// | `payload_size_jump` | 8 times larger | 20 | 20 | 0 | 8 min |
/// | `payload_size_jump` | 8 times smaller | 20 | 20 | 0 | 5 min |
/// | `payload_size_jump` | 2.5 times larger | 20 | 1 | 19 | 79 min |
///
/// There was no false alarm in these 220 days, nor in six times three weeks with nothing injected and clocks that change in between. That is traffic which we made up: yours is different, and
/// may need other thresholds.
///
/// It does not find
///
/// * what is weaker than the least that may alarm, such as 15 forgeries a minute from 50 sources, or bodies two and a half times larger;
/// * forgeries that grow so slowly that they are learned, over days rather than hours;
/// * a provider that sends a tenth of what it did, as that is not silence;
/// * a few deliveries that are late or enormous, as medians count;
/// * a drift at a provider that sends rarely, before 32 deliveries are off;
/// * which sources it is, when strangers come from so many that each of their cells gets eight newcomers before it fails twice. The provider's total tells of the
///   burst all the same.
///
/// And it tells of what is no attack: holidays on which nobody works are silence; keys are known by provider, so one name for
/// several tenants with rings of their own makes the change of one look like an old key of another; a process sees its own share of the traffic only.
///
/// # What strangers can do to it
///
/// Only genuine deliveries teach age, size, rhythm and keys. Memory is bounded by the providers, whose names are configured, and by a table of
/// [sources](AnomalyDetectorBuilder::max_sources), where an IPv6 network of 64 bits is one. Who needs a cell there gets that of who has failed least in the last
/// window, of eight, and the longest idle among equals, and never one whose burst goes on. Events are bounded by
/// [sources at a time](AnomalyDetectorBuilder::max_sources_at_once), beyond which the provider's stands for all, and [by the
/// hour](AnomalyDetectorBuilder::max_per_hour). A request costs the same whatever is known, and no allocation; one lock is held meanwhile, and once in a
/// sixth of a window for a look at each provider.
#[derive(Clone)]
pub struct AnomalyDetector(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    on_anomaly: Option<OnAnomaly>,
    channel: broadcast::Sender<Anomaly>,
    clock: SharedClock,
}

impl AnomalyDetector {
    /// A detector with defaults, that tells who [subscribes](Self::subscribe).
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets one up.
    pub fn builder() -> AnomalyDetectorBuilder {
        AnomalyDetectorBuilder::new()
    }

    fn with(rules: Rules, capacity: usize, on_anomaly: Option<OnAnomaly>, clock: SharedClock) -> Self {
        let state = Mutex::new(State::new(rules));
        Self(Arc::new(Inner { state, on_anomaly, channel: broadcast::Sender::new(capacity), clock }))
    }

    /// Anomalies from now on, when they begin and when they are over. Whoever reads too slowly loses the oldest and is told how many; nobody else waits for him.
    pub fn subscribe(&self) -> broadcast::Receiver<Anomaly> {
        self.0.channel.subscribe()
    }

    /// Judges what only time decides: silence, and the end of what goes on. Requests do so too, of any provider; without them, somebody must.
    ///
    /// ```
    /// use tower_webhook::observe::AnomalyDetector;
    ///
    /// let detector = AnomalyDetector::new();
    /// detector.check();
    /// assert!(detector.ongoing().is_empty());
    /// ```
    pub fn check(&self) {
        let (monotonic, at) = (self.0.clock.monotonic(), self.0.clock.now().ok());
        self.0.change(|state| {
            state.pass(monotonic, at, true);
        });
    }

    /// [Checks](Self::check) every so often, a second at least, until the last other clone of the detector is dropped. Needs a Tokio runtime
    /// with time.
    ///
    /// ```no_run
    /// # async fn run() {
    /// use std::time::Duration;
    /// use tower_webhook::observe::AnomalyDetector;
    ///
    /// let detector = AnomalyDetector::new();
    /// tokio::spawn(detector.watch(Duration::from_secs(10)));
    /// # }
    /// ```
    pub fn watch(&self, every: Duration) -> impl Future<Output = ()> + Send + 'static {
        let (inner, every) = (Arc::downgrade(&self.0), every.max(Duration::from_secs(1)));
        async move {
            while let Some(inner) = inner.upgrade() {
                Self(inner).check();
                tokio::time::sleep(every).await;
            }
        }
    }

    /// What goes on right now, as it was when it began.
    pub fn ongoing(&self) -> Vec<Anomaly> {
        self.0.lock().ongoing()
    }

    /// How often something could not begin because too much had, see [`max_per_hour`](AnomalyDetectorBuilder::max_per_hour).
    pub fn suppressed(&self) -> u64 {
        self.0.lock().out.suppressed
    }

    /// How many sources are told apart right now.
    pub fn sources(&self) -> usize {
        self.0.lock().sources()
    }

    /// How many providers are, with the one that stands for all beyond the bound.
    pub fn providers(&self) -> usize {
        self.0.lock().providers()
    }

    /// Tells the detector of one request: for tests, and whoever records requests otherwise.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_webhook::observe::{AnomalyDetector, AnomalyKind, Sample, SampleOutcome};
    ///
    /// let detector = AnomalyDetector::builder().learn_for(Duration::ZERO).build();
    /// for _ in 0..30 {
    ///     detector.feed(Sample {
    ///         monotonic: Duration::from_secs(1),
    ///         at: None,
    ///         provider: "stripe",
    ///         source: None,
    ///         outcome: SampleOutcome::Forged,
    ///         skew_ms: None,
    ///         key_index: None,
    ///         body_len: None,
    ///     });
    /// }
    /// assert_eq!(detector.ongoing()[0].kind(), AnomalyKind::ForgeryBurst);
    /// ```
    #[cfg(feature = "testing")]
    pub fn feed(&self, sample: Sample<'_>) {
        self.observe(&sample);
    }

    /// Takes note of one request. Allocates for providers and anomalies that are new, and for nothing else.
    pub(crate) fn observe(&self, sample: &Sample<'_>) {
        self.0.change(|state| state.observe(sample));
    }
}

impl Default for AnomalyDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AnomalyDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnomalyDetector").finish_non_exhaustive()
    }
}

impl Inner {
    /// Tells what has come of it once the lock is free, so that who is told may ask.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let events = {
            let mut state = self.lock();
            change(&mut state);
            std::mem::take(&mut state.out.events)
        };
        for anomaly in events {
            #[cfg(feature = "tracing")]
            super::tracing::tell_anomaly(&anomaly);
            #[cfg(feature = "metrics")]
            super::metrics::tell_anomaly(&anomaly);
            if let Some(tell) = &self.on_anomaly {
                // A request must not fail because somebody cannot be told of another.
                let _ = catch_unwind(AssertUnwindSafe(|| tell(&anomaly)));
            }
            // It fails when nobody listens.
            let _ = self.channel.send(anomaly);
        }
    }

    /// Nothing stays half changed in there that would do harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
