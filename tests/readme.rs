//! The README's table of providers is the catalogue's.

use tower_webhook::{
    provider,
    scheme::{Algorithm, Grammar, Part, Repeats, Scheme, Source},
};

#[test]
fn the_table_of_providers_is_that_of_the_catalogue() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("<!-- providers -->\n").expect("the README marks its table");
    let (table, _) = rest.split_once("<!-- /providers -->").expect("the README marks its table's end");
    let expected = expected_table();
    assert_eq!(table.trim(), expected.trim(), "the table should read:\n{expected}");
}

fn expected_table() -> String {
    let rows = provider::ALL.iter().map(|scheme| {
        let Scheme { name, id, event, .. } = scheme;
        format!(
            "| `{name}` | {} | {} | {} | {} | {} |\n",
            algorithm(scheme),
            signed(scheme),
            window(scheme),
            place(scheme, *id),
            place(scheme, *event),
        )
    });
    let head = "| name | signature | signs | accepted | delivery id | event type |\n|---|---|---|---|---|---|\n";
    head.to_owned() + &rows.collect::<String>()
}

fn algorithm(scheme: &Scheme<'_>) -> String {
    let algorithm = match scheme.algorithm {
        Algorithm::HmacSha1 => "HMAC-SHA1",
        Algorithm::HmacSha256 => "HMAC-SHA256",
        Algorithm::HmacSha384 => "HMAC-SHA384",
        Algorithm::HmacSha512 => "HMAC-SHA512",
        Algorithm::Token => "the secret itself",
        _ => "another",
    };
    let several = match scheme.signature.grammar {
        Grammar::Fields { .. } | Grammar::Versions { .. } => ", several",
        Grammar::Bare | Grammar::Prefixed(_) => "",
    };
    format!("{algorithm}{several}")
}

fn signed(scheme: &Scheme<'_>) -> String {
    let parts = scheme.message.iter().filter_map(|part| match part {
        Part::Id => Some("id"),
        Part::Timestamp => Some("time"),
        Part::Body => Some("body"),
        Part::Method => Some("method"),
        Part::Url | Part::UrlDecoding(_) => Some("URL"),
        _ => None,
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn window(scheme: &Scheme<'_>) -> String {
    match (scheme.timestamp, scheme.repeats) {
        (Some(_), _) if scheme.tolerance.past == scheme.tolerance.future => {
            format!("±{} s", scheme.tolerance.past.as_secs())
        }
        (Some(_), _) => format!("−{} s, +{} s", scheme.tolerance.past.as_secs(), scheme.tolerance.future.as_secs()),
        (None, Repeats::Always) => "always, replays too".to_owned(),
        (None, _) => "always".to_owned(),
    }
}

fn place(scheme: &Scheme<'_>, source: Option<Source<'_>>) -> String {
    let covers = |part| scheme.message.contains(&part);
    match source {
        None => "–".to_owned(),
        Some(Source::Json(pointer)) if covers(Part::Body) => format!("`{pointer}`"),
        Some(Source::JsonAny(any)) if covers(Part::Body) => {
            any.iter().map(|pointer| format!("`{pointer}`")).collect::<Vec<_>>().join(" or ")
        }
        Some(Source::Header(name)) if covers(Part::Id) && scheme.id == Some(Source::Header(name)) => {
            format!("`{name}`")
        }
        Some(Source::Json(name) | Source::Header(name) | Source::Field(name)) => format!("`{name}`, unsigned"),
        Some(Source::JsonAny(_)) => "unsigned".to_owned(),
    }
}
