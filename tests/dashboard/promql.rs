//! As much of PromQL as it takes to see what an expression asks for.

use std::collections::BTreeSet;

/// A metric, and what is asked of its labels: by name, without the operator.
#[derive(Debug, PartialEq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    pub(crate) labels: Vec<(String, String)>,
}

/// All selectors of an expression: names that are no function, keyword or label of a grouping.
pub(crate) fn selectors(expr: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = expr;
    while let Some(start) = rest.find(|char: char| char.is_ascii_alphabetic() || "_:{".contains(char)) {
        let before = rest[..start].chars().next_back();
        rest = &rest[start..];
        let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && !"_:".contains(char)).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        let is_part_of_number = before.is_some_and(|char| char.is_ascii_digit() || "[$".contains(char));
        if is_part_of_number {
            continue;
        }
        if ["by", "without", "on", "ignoring", "group_left", "group_right"].contains(&name) {
            rest = &rest[rest.find(')').expect(expr)..];
        } else if let Some(inside) = rest.strip_prefix('{') {
            let (labels, after) = inside.split_once('}').expect(expr);
            found.push(Selector { metric: name.to_owned(), labels: matchers(labels) });
            rest = after;
        } else if !is_called(rest) && !["and", "or", "unless", "offset", "bool"].contains(&name) {
            found.push(Selector { metric: name.to_owned(), labels: Vec::new() });
        }
    }
    found
}

/// Whether what was before this is a function, or an aggregation by some labels.
fn is_called(rest: &str) -> bool {
    ["(", "by ", "by(", "without ", "without("].iter().any(|start| rest.trim_start().starts_with(start))
}

/// The labels that aggregations leave.
pub(crate) fn grouping(expr: &str) -> BTreeSet<String> {
    let lists = expr.split("by (").skip(1).map(|after| after.split(')').next().unwrap_or_default());
    lists.flat_map(|list| list.split(',')).map(|label| label.trim().to_owned()).collect()
}

fn matchers(text: &str) -> Vec<(String, String)> {
    let matchers = text.split("\",").filter(|matcher| !matcher.trim().is_empty());
    let split = matchers.map(|matcher| {
        let (label, value) = matcher.split_once('"').expect(text);
        let label = label.trim().trim_end_matches(['=', '~', '!']);
        (label.to_owned(), value.trim_end_matches('"').to_owned())
    });
    split.collect()
}

#[test]
fn selectors_are_told_from_the_rest() {
    let expr = r#"histogram_quantile(0.9, sum by (le, stage) (rate(a_bucket{x=~"$p", y!="b|c"}[$__rate_interval]))) > 1e3 and
        sum(increase(b_total[1d] offset 1h)) / 2.5 or vector(0) unless c:d"#;
    let (x, y) = (("x".to_owned(), "$p".to_owned()), ("y".to_owned(), "b|c".to_owned()));
    let expected = [("a_bucket", vec![x, y]), ("b_total", vec![]), ("c:d", vec![])]
        .map(|(metric, labels)| Selector { metric: metric.to_owned(), labels });
    assert_eq!(selectors(expr), expected);
    assert_eq!(grouping(expr), ["le", "stage"].map(str::to_owned).into());
}
