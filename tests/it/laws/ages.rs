//! Rules on the age of a KPI: it changes without a fact, so every line that it crosses must be looked at in time.

use crate::support::replays::kpid_replay;

/// What a rule tells about a KPI measured at these seconds, evaluated every minute: `minute transition`.
fn told(rule: &str, seconds: &[i64]) -> String {
    let card = "[scorecard]\nid = \"a\"\n[[perspective]]\nid = \"p\"\n[[objective]]\nid = \"o\"\nperspective = \"p\"\n\
        [[kpi]]\nid = \"k\"\nobjective = \"o\"\naggregate = \"last\"\nwindow = { rolling = \"1d\", slice = \"1m\" }\n";
    let rule = format!("[[alert]]\nid = \"old\"\non = \"a/p/o/k\"\nmetric = \"age\"\n{rule}\n");
    let line = |second: &i64| format!("{{\"kpi\":\"k\",\"observed_at\":{},\"value\":40}}\n", second * 1_000);
    let stream: String = seconds.iter().map(line).collect();
    let (_, alerts) = kpid_replay(&[("a.toml".to_owned(), format!("{card}{rule}"))], &stream, 60_000);
    let told = alerts
        .iter()
        .map(|alert| format!("{} {}", alert.at_ms as f64 / 60_000.0, alert.transition));
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn every_line_that_an_age_crosses_is_looked_at() {
    for (words, rule, seconds, expected) in [
        (
            "older than five minutes",
            "above = 300",
            &[30, 1_830][..],
            "6 firing, 31 resolved",
        ),
        (
            "past `clear` again before it was kept firing long enough, it goes on firing",
            "above = 300\nclear = 120\nkeep_firing_for = \"4m\"",
            &[30, 510, 1_830],
            "6 firing",
        ),
        (
            "between `clear` and the threshold it goes on firing",
            "above = 300\nclear = 120",
            &[30, 510, 1_830],
            "6 firing, 9 resolved, 14 firing, 31 resolved",
        ),
        (
            "a condition that ends with its `for` does not fire, although `clear` lies further off",
            "below = 120\nclear = 200\nfor = \"2m\"",
            &[30, 570],
            "",
        ),
        (
            "young enough, long enough",
            "below = 120\nfor = \"1m\"",
            &[30, 570],
            "2 firing, 3 resolved",
        ),
    ] {
        assert_eq!(told(rule, seconds), expected, "{words}");
    }
}
