//! Dashboard and alerts ask for what a receiver really exposes, and leave nothing out.

#![cfg(all(feature = "axum", feature = "serde"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/example.rs"]
mod example;
#[path = "dashboard/files.rs"]
mod files;
#[allow(dead_code, reason = "made for other tests too")]
#[path = "receiver/harness.rs"]
mod harness;
#[path = "dashboard/promql.rs"]
mod promql;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{self, Write},
    process::{Command, Stdio},
    sync::LazyLock,
};

use tower_webhook::{
    observe::{Outcome, Stage},
    provider,
};

use crate::{
    files::{Alert, Dashboard, alerts, dashboard},
    harness::*,
    promql::{Selector, grouping, selectors},
};

/// What is exposed: the labels of each metric.
type Exposed = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_question_is_about_a_metric_that_is_exposed_with_that_label() {
    for (what, expr) in questions() {
        let found = selectors(&expr);
        assert!(!found.is_empty(), "{what} asks for nothing: {expr}");
        let mut known = BTreeSet::from(["le".to_owned()]);
        for Selector { metric, labels } in &found {
            let exposed = EXPOSED.get(metric).unwrap_or_else(|| panic!("{what}: nothing exposes `{metric}`"));
            for (label, values) in labels {
                assert!(exposed.contains(label), "{what}: `{metric}` has no label `{label}`, it has {exposed:?}");
                for value in values.split('|') {
                    assert!(is_a_word(label, value), "{what}: no {label} is `{value}`");
                }
            }
            known.extend(exposed.iter().cloned());
        }
        for label in grouping(&expr) {
            assert!(known.contains(&label), "{what}: nothing there has a label `{label}`");
        }
    }
}

#[test]
fn every_metric_that_is_exposed_is_on_a_panel() {
    let shown: BTreeSet<String> = dashboard()
        .panels
        .iter()
        .flat_map(|panel| &panel.exprs)
        .flat_map(|(expr, _)| selectors(expr))
        .map(|selector| selector.metric)
        .collect();
    for metric in EXPOSED.keys() {
        // A histogram is shown by its buckets.
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|part| metric.strip_suffix(part));
        let is_shown = shown.contains(metric) || base.is_some_and(|base| shown.contains(&format!("{base}_bucket")));
        assert!(is_shown, "no panel shows `{metric}`");
    }
}

#[test]
fn every_metric_of_the_documentation_is_exposed() {
    let documentation = include_str!("../src/observe/mod.rs");
    let rows = documentation.lines().filter_map(|line| line.strip_prefix("//! | `webhook_"));
    let metrics: Vec<String> = rows
        .flat_map(|row| {
            let names = row.split('|').next().unwrap_or_default();
            format!("webhook_{names}")
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(metrics.len() >= 16, "{metrics:?}");
    for metric in metrics {
        let is_exposed = EXPOSED.contains_key(&metric) || EXPOSED.contains_key(&format!("{metric}_bucket"));
        assert!(is_exposed, "`{metric}` is documented");
    }
}

#[test]
fn panels_follow_the_chosen_provider_and_name_their_lines_by_labels_that_are_left() {
    let Dashboard { panels, .. } = dashboard();
    for panel in &panels {
        for (expr, legend) in &panel.exprs {
            for Selector { metric, labels } in selectors(expr) {
                let has_provider = EXPOSED[&metric].contains("provider");
                let is_chosen = labels.iter().any(|(label, value)| label == "provider" && value == "$provider");
                assert_eq!(is_chosen, has_provider, "{}: {expr}", panel.title);
            }
            let left = grouping(expr);
            for label in placeholders(legend, "{{", "}}") {
                assert!(left.contains(&label), "{}: `{label}` of `{legend}` is not left by {expr}", panel.title);
            }
        }
    }
}

#[test]
fn the_dashboard_can_be_imported_and_its_panels_do_not_overlap() {
    let Dashboard { json, panels } = dashboard();
    assert!(json["schemaVersion"].as_u64().unwrap() >= 39 && json["id"].is_null());
    let variables: Vec<&str> = json["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    assert_eq!(variables, ["datasource", "provider"]);
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in &panels {
        assert!(ids.insert(panel.id), "two panels are {}", panel.id);
        assert!(!panel.title.is_empty());
        if panel.kind != "row" {
            assert!(!panel.description.is_empty() && !panel.unit.is_empty(), "{}", panel.title);
            assert!(!panel.exprs.is_empty(), "{}", panel.title);
            assert_eq!(panel.datasource, "${datasource}", "{}", panel.title);
        }
        for (x, y) in panel.cells() {
            assert!(x < 24 && cells.insert((x, y)), "{} lies over another at {x}, {y}", panel.title);
        }
    }
}

#[test]
fn alerts_say_what_to_do_about_things_that_their_expressions_leave() {
    let alerts = alerts();
    assert!(alerts.len() >= 11, "{}", alerts.len());
    for Alert { name, expr, summary, description, severity } in &alerts {
        assert!(["page", "ticket", "info"].contains(&&**severity), "{name}: {severity}");
        assert!(!summary.is_empty() && description.len() > 60, "{name} says what to do");
        let mut left = grouping(expr);
        if left.is_empty() {
            left = selectors(expr).iter().flat_map(|selector| EXPOSED[&selector.metric].clone()).collect();
            left.insert("instance".into());
        }
        for label in placeholders(summary, "$labels.", " ") {
            let label = label.trim_end_matches('}').to_owned();
            assert!(left.contains(&label), "{name}: `{label}` is not left by {expr}");
        }
    }
}

#[test]
fn every_alert_is_tested() {
    let tests = files::read("alerts.test.yml");
    for Alert { name, .. } in alerts() {
        let of_this = format!("alertname=\"{name}\"");
        let cases: Vec<&str> = tests.split("- expr: ALERTS").filter(|case| case.contains(&of_this)).collect();
        assert!(cases.iter().any(|case| case.contains("exp_samples: []")), "{name} is never quiet");
        assert!(cases.iter().any(|case| case.contains("value: 1")), "{name} never fires");
    }
}

#[test]
fn prometheus_understands_all_of_it_and_alerts_fire_when_they_should() {
    let rules: String = dashboard()
        .panels
        .iter()
        .flat_map(|panel| panel.exprs.iter().map(move |(expr, _)| (panel.id, expr)))
        .map(|(id, expr)| {
            let expr = expr.replace("$__rate_interval", "1m").replace("$provider", ".*");
            format!("  - record: panel_{id}\n    expr: {}\n", quoted(&expr))
        })
        .collect();
    let panels = TempFile::new(&format!("groups:\n- name: panels\n  rules:\n{rules}"));
    let panels = panels.0.to_str().unwrap();
    for arguments in [
        &["check", "rules", "alerts.yml"][..],
        &["test", "rules", "alerts.test.yml"],
        &["check", "rules", "--lint=none", panels],
    ] {
        let ran = Command::new("promtool").args(arguments).current_dir(files::folder()).output();
        let Some(output) = if_installed(ran) else { return };
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn prometheus_has_nothing_to_find_fault_with_in_what_is_exposed() {
    let ran = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Some(mut promtool) = if_installed(ran) else { return };
    promtool.stdin.take().unwrap().write_all(METRICS.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Without `promtool` there is nothing to be tested, which is an error where everything is to be.
fn if_installed<T>(ran: io::Result<T>) -> Option<T> {
    if ran.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        assert!(env::var_os("CI").is_none(), "there is no promtool to test with");
        eprintln!("skipped: there is no promtool to test with");
        return None;
    }
    Some(ran.unwrap())
}

/// All expressions, and where they are.
fn questions() -> Vec<(String, String)> {
    let Dashboard { json, panels } = dashboard();
    let panels = panels.into_iter().flat_map(|panel| {
        let title = panel.title;
        panel.exprs.into_iter().map(move |(expr, _)| (format!("panel {title}"), expr))
    });
    let annotations = json["annotations"]["list"].as_array().unwrap().iter();
    let annotations =
        annotations.filter_map(|annotation| Some(("annotation".to_owned(), annotation["expr"].as_str()?.to_owned())));
    let alerts = alerts().into_iter().map(|alert| (alert.name, alert.expr));
    panels.chain(annotations).chain(alerts).collect()
}

/// Whether the crate says such a thing in a label of closed words; of others anything may be.
fn is_a_word(label: &str, value: &str) -> bool {
    match label {
        "outcome" => Outcome::ALL.iter().any(|outcome| outcome.as_str() == value),
        "stage" => value == "total" || Stage::ALL.iter().any(|stage| stage.as_str() == value),
        "reason" => include_str!("../src/rejection.rs").contains(&format!("\"{value}\")")),
        _ => true,
    }
}

fn placeholders(text: &str, before: &str, after: &str) -> Vec<String> {
    let parts = text.split(before).skip(1);
    parts.map(|part| part.split(after).next().unwrap_or_default().trim().to_owned()).collect()
}

/// What a receiver exposes that has met everything once.
static EXPOSED: LazyLock<Exposed> = LazyLock::new(|| exposed(&METRICS));

static METRICS: LazyLock<String> = LazyLock::new(|| {
    let limited = format!("{}\nrate_limit = {{ per_minute = 6000, burst = 500, charge = 'failures' }}", keys());
    let down = format!("{}\nreplay = 'redis://127.0.0.1:1'", keys());
    let (receiver, admin) =
        Receiver::start_with_admin(&(endpoint("/stripe", "stripe", &limited) + &endpoint("/down", "slack", &down)));
    assert!(receiver.said()["warning"].is_string(), "of the server that is not there");
    let stripe = provider::STRIPE.signer(CANARY).unwrap();
    let forger = provider::STRIPE.signer("another secret, of a forger").unwrap();
    let slack = provider::SLACK.signer(CANARY).unwrap();
    let replayed = Sent::now("/stripe", &stripe, "a", r#"{"id":"a"}"#);
    for (sent, status) in [
        (&Sent::now("/down", &slack, "", "{}"), 503),
        (&replayed, 200),
        (&replayed, 200),
        (&Sent::now("/stripe", &forger, "", "{}"), 401),
    ] {
        assert_eq!(receiver.send(sent).status, status, "{}", sent.target);
    }
    // More than any source may before it is an anomaly.
    for _ in 0..100 {
        assert_eq!(receiver.send(&Sent::now("/stripe", &forger, "", "{}")).status, 401);
    }
    admin.metrics()
});

/// Prometheus's text: lines of `name{label="value",…} number`.
fn exposed(text: &str) -> Exposed {
    let mut exposed = Exposed::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (sample, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        let labels = labels.split("=\"").filter_map(|before| before.rsplit([',', '"']).next());
        let labels = labels.filter(|label| !label.is_empty() && !label.ends_with('}'));
        exposed.entry(name.to_owned()).or_default().extend(labels.map(str::to_owned));
    }
    exposed
}
