//! The files of `examples/dashboard`.

use std::{fs, path::PathBuf};

use serde_json::Value;

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/dashboard")
}

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

pub(crate) struct Dashboard {
    pub(crate) json: Value,
    pub(crate) panels: Vec<Panel>,
}

pub(crate) struct Panel {
    pub(crate) id: u64,
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) unit: String,
    pub(crate) datasource: String,
    /// With their legends.
    pub(crate) exprs: Vec<(String, String)>,
    place: [u64; 4],
}

impl Panel {
    /// The cells of the grid that it takes.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (u64, u64)> {
        let [x, y, w, h] = self.place;
        (x..x + w).flat_map(move |column| (y..y + h).map(move |line| (column, line)))
    }
}

pub(crate) fn dashboard() -> Dashboard {
    let json: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let panels = json["panels"].as_array().unwrap().iter().map(|panel| Panel {
        id: panel["id"].as_u64().unwrap(),
        kind: text(&panel["type"]),
        title: text(&panel["title"]),
        description: text(&panel["description"]),
        unit: text(&panel["fieldConfig"]["defaults"]["unit"]),
        datasource: text(&panel["datasource"]["uid"]),
        exprs: panel["targets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|target| (text(&target["expr"]), text(&target["legendFormat"])))
            .collect(),
        place: ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap()),
    });
    Dashboard { panels: panels.collect(), json }
}

#[derive(Debug)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) expr: String,
    pub(crate) severity: String,
    pub(crate) summary: String,
    pub(crate) description: String,
}

/// The file is YAML as plain as this reads it, and `promtool` reads all of it.
pub(crate) fn alerts() -> Vec<Alert> {
    let text = read("alerts.yml");
    let alerts: Vec<Alert> = text
        .split("- alert: ")
        .skip(1)
        .map(|rule| Alert {
            name: rule.lines().next().unwrap().to_owned(),
            expr: field(rule, "expr"),
            severity: field(rule, "severity"),
            summary: field(rule, "summary"),
            description: field(rule, "description"),
        })
        .collect();
    assert!(alerts.iter().all(|alert| !alert.expr.is_empty()), "{alerts:?}");
    alerts
}

/// On one line, or folded into the deeper ones after it.
fn field(rule: &str, name: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = rule.lines().skip_while(|line| !line.trim_start().starts_with(&format!("{name}: ")));
    let Some(first) = lines.next() else { return String::new() };
    let value = first.trim_start()[name.len() + 2..].trim();
    if value != ">-" {
        return value.trim_matches('\'').to_owned();
    }
    lines.take_while(|line| indent(line) > indent(first)).map(str::trim).collect::<Vec<_>>().join(" ")
}
