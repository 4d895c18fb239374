//! A subscriber and a recorder that keep everything.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tracing::{
    Event, Id, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
};

pub(crate) type Fields = BTreeMap<String, String>;

/// Something that was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) name: String,
    pub(crate) fields: Fields,
}

impl Line {
    pub(crate) fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// All that was written while a test ran.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    spans: Vec<Line>,
    events: Vec<Line>,
    /// Which spans the thread is in, and which each event was written in.
    entered: Vec<u64>,
    parents: Vec<Option<u64>>,
}

impl Captured {
    pub(crate) fn events(&self) -> Vec<Line> {
        self.0.lock().unwrap().events.clone()
    }

    pub(crate) fn spans(&self) -> Vec<Line> {
        self.0.lock().unwrap().spans.clone()
    }

    /// The span in which each event was written, by its place among the spans.
    pub(crate) fn parents(&self) -> Vec<Option<u64>> {
        self.0.lock().unwrap().parents.clone()
    }

    /// Everything as one text.
    pub(crate) fn text(&self) -> String {
        let written = self.0.lock().unwrap();
        format!("{:?}\n{:?}", written.spans, written.events)
    }

    /// The only event.
    #[track_caller]
    pub(crate) fn event(&self) -> Line {
        let events = self.events();
        assert_eq!(events.len(), 1, "{events:#?}");
        events[0].clone()
    }
}

impl Subscriber for Captured {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tower_webhook") || metadata.target().starts_with("observe")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut line = line(attributes.metadata());
        attributes.record(&mut Keep(&mut line.fields));
        let mut written = self.0.lock().unwrap();
        written.spans.push(line);
        Id::from_u64(written.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut written = self.0.lock().unwrap();
        values.record(&mut Keep(&mut written.spans[span.into_u64() as usize - 1].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = line(event.metadata());
        event.record(&mut Keep(&mut line.fields));
        line.name = line.fields.remove("message").unwrap_or_default();
        let mut written = self.0.lock().unwrap();
        let parent = event.parent().map(Id::into_u64);
        let parent = parent.or_else(|| written.entered.last().copied().filter(|_| event.is_contextual()));
        written.parents.push(parent);
        written.events.push(line);
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        let left = self.0.lock().unwrap().entered.pop();
        assert_eq!(left, Some(span.into_u64()), "spans are left in the order in which they were entered");
    }
}

fn line(metadata: &Metadata<'_>) -> Line {
    Line { level: *metadata.level(), name: metadata.name().to_owned(), fields: Fields::new() }
}

struct Keep<'f>(&'f mut Fields);

impl Visit for Keep<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

/// Runs a test with both, on this thread.
pub(crate) fn captured<T>(test: impl Future<Output = T>) -> (T, Captured, Metrics) {
    let (logs, recorder) = (Captured::default(), DebuggingRecorder::new());
    let metrics = Metrics(recorder.snapshotter());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let answer = tracing::subscriber::with_default(logs.clone(), || {
        metrics::with_local_recorder(&recorder, || runtime.block_on(test))
    });
    // What a test leaves running ends where it is still listened to.
    tracing::subscriber::with_default(logs.clone(), || metrics::with_local_recorder(&recorder, || drop(runtime)));
    (answer, logs, metrics)
}

pub(crate) struct Metrics(Snapshotter);

impl Metrics {
    /// `name{label="value",…}` and what it counts: counters and gauges their value, histograms their values.
    pub(crate) fn take(&self) -> BTreeMap<String, Vec<f64>> {
        let all = self.0.snapshot().into_vec();
        all.into_iter()
            .map(|(key, _, _, value)| {
                let key = key.key();
                let mut labels: Vec<_> =
                    key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
                labels.sort();
                let values = match value {
                    DebugValue::Counter(count) => vec![count as f64],
                    DebugValue::Gauge(value) => vec![value.into_inner()],
                    DebugValue::Histogram(values) => values.into_iter().map(|value| value.into_inner()).collect(),
                };
                (format!("{}{{{}}}", key.name(), labels.join(",")), values)
            })
            .collect()
    }
}
