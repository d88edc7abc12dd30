//! The four catalogs use every kind there is; a kind that none of them uses any more fails here.

use std::collections::BTreeSet;

use super::{CatalogFiles, IT, MARKETING, PRODUCT, TRAINING, owned};
use crate::reference::catalog;
use crate::reference::definition::{
    Aggregate, Catalog, Condition, Kpi, Metric, Missing, NoData, Period, RollUp, Scorecard, Scoring, Window,
};

/// Everything that a catalog can say, each in words.
const KINDS: [&str; 66] = [
    "across mean",
    "across sum",
    "accept",
    "aggregate count",
    "aggregate delta",
    "aggregate distinct",
    "aggregate first",
    "aggregate last",
    "aggregate max",
    "aggregate mean",
    "aggregate min",
    "aggregate percentile",
    "aggregate rate",
    "aggregate ratio",
    "aggregate stddev",
    "aggregate sum",
    "aggregate weighted_mean",
    "alert above",
    "alert at_worst",
    "alert below",
    "alert coverage",
    "alert fire",
    "alert keep",
    "alert resolve",
    "alert score",
    "alert status",
    "alert value",
    "allowed_lateness",
    "cascade over two levels",
    "changes of bands",
    "changes of points",
    "changes of weight",
    "clocks that change",
    "direction down",
    "direction range",
    "direction range around one point",
    "direction up",
    "each",
    "expected_every",
    "fiscal_year_start",
    "include",
    "include of an instance",
    "min_coverage",
    "missing exclude",
    "missing hold",
    "missing zero",
    "roll_up best",
    "roll_up geometric",
    "roll_up mean",
    "roll_up worst",
    "score by curve",
    "score by scale",
    "score none",
    "week_start sunday",
    "window 4-4-5",
    "window 4-5-4",
    "window 5-4-4",
    "window all",
    "window complete",
    "window day",
    "window month",
    "window of given slices",
    "window of slices by default",
    "window quarter",
    "window week",
    "window year",
];

#[test]
fn the_four_catalogs_use_every_kind() {
    let mut used = BTreeSet::new();
    for files in [&IT[..], &MARKETING, &TRAINING, &PRODUCT] {
        used.extend(kinds_of(files));
    }
    let wanted: BTreeSet<String> = KINDS.iter().map(|kind| (*kind).to_owned()).collect();
    let unused: Vec<&String> = wanted.difference(&used).collect();
    let unknown: Vec<&String> = used.difference(&wanted).collect();
    assert!(unused.is_empty(), "not used: {unused:?}");
    assert!(unknown.is_empty(), "used and not in the list: {unknown:?}");
}

fn kinds_of(files: &CatalogFiles) -> BTreeSet<String> {
    let catalog = catalog::read(&owned(files));
    let text: String = files.iter().map(|(_, text)| *text).collect();
    let mut kinds = BTreeSet::new();
    let mut say = |kind: &str| {
        kinds.insert(kind.to_owned());
    };
    for scorecard in &catalog.scorecards {
        of_scorecard(scorecard, &catalog, &mut say);
        scorecard
            .kpis()
            .for_each(|kpi| of_kpi(kpi, scorecard.each.is_some(), &mut say));
    }
    for rule in &catalog.rules {
        say(match rule.metric {
            Metric::Value => "alert value",
            Metric::Score => "alert score",
            Metric::Status => "alert status",
            Metric::Coverage => "alert coverage",
        });
        say(match rule.condition {
            Condition::Below { .. } => "alert below",
            Condition::Above { .. } => "alert above",
            Condition::AtWorst { .. } => "alert at_worst",
        });
        say(match rule.no_data {
            NoData::Keep => "alert keep",
            NoData::Fire => "alert fire",
            NoData::Resolve => "alert resolve",
        });
    }
    // What the definitions do not tell apart any more.
    let windows = text.lines().filter(|line| line.starts_with("window = { rolling"));
    for line in windows {
        let is_given = line.contains("slice");
        say(if is_given {
            "window of given slices"
        } else {
            "window of slices by default"
        });
    }
    for (written, kind) in [("\"up\"", "direction up"), ("\"down\"", "direction down")] {
        if text.contains(&format!("direction = {written}")) {
            say(kind);
        }
    }
    kinds
}

fn of_scorecard(scorecard: &Scorecard, catalog: &Catalog, say: &mut impl FnMut(&str)) {
    let winter: jiff::Timestamp = "2014-01-01T00:00:00Z".parse().expect("an instant");
    let summer: jiff::Timestamp = "2014-07-01T00:00:00Z".parse().expect("an instant");
    let zone = &scorecard.calendar.zone;
    let facts = [
        (scorecard.each.is_some(), "each"),
        (scorecard.min_coverage > 0.0, "min_coverage"),
        (scorecard.calendar.fiscal_year_start != 1, "fiscal_year_start"),
        (
            scorecard.calendar.week_start == jiff::civil::Weekday::Sunday,
            "week_start sunday",
        ),
        (scorecard.bands.0.len() > 1, "changes of bands"),
        (zone.to_offset(winter) != zone.to_offset(summer), "clocks that change"),
    ];
    facts.iter().filter(|(holds, _)| *holds).for_each(|(_, kind)| say(kind));
    say(roll_up(scorecard.roll_up));
    for perspective in &scorecard.perspectives {
        say(roll_up(perspective.roll_up));
        for objective in &perspective.objectives {
            say(roll_up(objective.roll_up));
            if perspective.weight.0.len() + objective.weight.0.len() > 2 {
                say("changes of weight");
            }
            for (node, _) in &objective.include {
                say(if node.contains('@') {
                    "include of an instance"
                } else {
                    "include"
                });
                let other = node.split(['/', '@']).next();
                let included = catalog.scorecards.iter().find(|known| Some(known.id.as_str()) == other);
                if included.is_some_and(includes) {
                    say("cascade over two levels");
                }
            }
        }
    }
}

fn includes(scorecard: &Scorecard) -> bool {
    let objectives = scorecard.perspectives.iter().flat_map(|own| &own.objectives);
    objectives.into_iter().any(|objective| !objective.include.is_empty())
}

fn roll_up(how: RollUp) -> &'static str {
    match how {
        RollUp::Mean => "roll_up mean",
        RollUp::Worst => "roll_up worst",
        RollUp::Best => "roll_up best",
        RollUp::Geometric => "roll_up geometric",
    }
}

fn of_kpi(kpi: &Kpi, is_each: bool, say: &mut impl FnMut(&str)) {
    say(aggregate(&kpi.aggregate));
    let ends = matches!(kpi.aggregate, Aggregate::First | Aggregate::Last | Aggregate::Delta);
    if is_each && ends {
        say(if kpi.averages_across {
            "across mean"
        } else {
            "across sum"
        });
    }
    say(match kpi.missing {
        Missing::Exclude => "missing exclude",
        Missing::Zero => "missing zero",
        Missing::Hold { .. } => "missing hold",
    });
    let versions = &kpi.versions.0;
    let facts = [
        (kpi.accept.is_some(), "accept"),
        (kpi.allowed_lateness_ms > 0, "allowed_lateness"),
        (
            versions.iter().any(|(_, version)| version.expected_every.is_some()),
            "expected_every",
        ),
        (versions.len() > 1, "changes of points"),
    ];
    facts.iter().filter(|(holds, _)| *holds).for_each(|(_, kind)| say(kind));
    match &versions[0].1.scoring {
        Scoring::None => say("score none"),
        Scoring::Scale => say("score by scale"),
        Scoring::Range { target, .. } if target.0 == target.1 => say("direction range around one point"),
        Scoring::Range { .. } => say("direction range"),
        Scoring::Curve(points)
            if points
                .iter()
                .any(|(_, score)| ![0.0, 50.0, 75.0, 100.0].contains(score)) =>
        {
            say("score by curve");
        }
        // Points up and down are curves by now; the text tells them apart.
        Scoring::Curve(_) => {}
    }
    of_window(&kpi.window, say);
}

fn aggregate(aggregate: &Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Count => "aggregate count",
        Aggregate::Sum => "aggregate sum",
        Aggregate::Mean => "aggregate mean",
        Aggregate::Min => "aggregate min",
        Aggregate::Max => "aggregate max",
        Aggregate::First => "aggregate first",
        Aggregate::Last => "aggregate last",
        Aggregate::Ratio { .. } => "aggregate ratio",
        Aggregate::WeightedMean => "aggregate weighted_mean",
        Aggregate::Stddev => "aggregate stddev",
        Aggregate::Delta => "aggregate delta",
        Aggregate::Rate { .. } => "aggregate rate",
        Aggregate::Percentile(_) => "aggregate percentile",
        Aggregate::Distinct { .. } => "aggregate distinct",
    }
}

fn of_window(window: &Window, say: &mut impl FnMut(&str)) {
    let Window::Period {
        period,
        complete,
        weeks,
    } = window
    else {
        if matches!(window, Window::All) {
            say("window all");
        }
        return;
    };
    say(match (period, weeks) {
        (_, Some([4, 4, 5])) => "window 4-4-5",
        (_, Some([4, 5, 4])) => "window 4-5-4",
        (_, Some(_)) => "window 5-4-4",
        (Period::Day, None) => "window day",
        (Period::Week, None) => "window week",
        (Period::Month, None) => "window month",
        (Period::Quarter, None) => "window quarter",
        (Period::Year, None) => "window year",
    });
    if *complete {
        say("window complete");
    }
}
