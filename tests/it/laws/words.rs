//! What people and systems write: words with weights, and names of places as they are.

use crate::support::replays::kpid_replay;

const HEAD: &str = "[scorecard]\nid = \"a\"\n";
const TREE: &str = "[[perspective]]\nid = \"p\"\n[[objective]]\nid = \"o\"\nperspective = \"p\"\n[[kpi]]\nid = \"k\"\nobjective = \"o\"\n\
    window = { all = true }\n";

/// The last value of each node that has any: path and value.
fn values(card: &str, stream: &str) -> Vec<(String, f64)> {
    let (readings, _) = kpid_replay(&[("a.toml".to_owned(), card.to_owned())], stream, 60_000);
    let mut last = std::collections::BTreeMap::new();
    for reading in readings {
        last.insert(reading.path, reading.value);
    }
    let known = last.into_iter().filter_map(|(path, value)| Some((path, value?)));
    known.collect()
}

#[test]
fn a_word_counts_by_its_weight() {
    let scale = "scale = { bad = 0, ok = 40, good = 75, great = 100 }\n";
    let card = format!("{HEAD}{TREE}aggregate = \"weighted_mean\"\n{scale}");
    let stream = "{\"kpi\":\"k\",\"observed_at\":0,\"value\":\"bad\",\"weight\":3}\n\
        {\"kpi\":\"k\",\"observed_at\":1000,\"value\":\"great\"}\n";
    assert_eq!(values(&card, stream), [("a/p/o/k".to_owned(), 25.0)]);
    let weightless = "{\"kpi\":\"k\",\"observed_at\":0,\"value\":\"great\",\"weight\":0}\n";
    assert_eq!(values(&card, weightless), [], "weight 0: no value");
}

#[test]
fn an_instance_is_called_what_its_people_call_it() {
    let card = format!("{HEAD}each = \"site\"\n{TREE}aggregate = \"sum\"\n");
    let line =
        |site: &str| format!("{{\"kpi\":\"k\",\"observed_at\":0,\"value\":1,\"labels\":{{\"site\":\"{site}\"}}}}\n");
    let stream = [line("New York"), line("A/B"), line("me@home")].concat();
    let paths: Vec<String> = values(&card, &stream).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        ["a/p/o/k", "a@A%2FB/p/o/k", "a@New York/p/o/k", "a@me@home/p/o/k"]
    );
}
