//! Admission told as stories: each border from both sides.

use super::*;
use crate::domain::catalog::KpiDefinition;
use crate::domain::samples::{catalog, plain_kpi};

const NOW: Instant = Instant(1_000_000_000);

fn report(value: f64) -> Report {
    Report {
        kpi: Some("k".into()),
        value: Some(ReportValue::Number(value)),
        ..Report::default()
    }
}

fn judge(kpi: KpiDefinition, each: Option<&str>, report: Report) -> Result<Submission, RejectionReason> {
    let catalog = catalog(kpi, each);
    let limits = AdmitLimits::default();
    let admission = Admission {
        catalog: &catalog,
        limits: &limits,
        received_at: NOW,
        default_source: &"http".into(),
    };
    admission.admit(3, report).map_err(|rejection| {
        assert_eq!(rejection.index, 3);
        rejection.reason
    })
}

fn refused(report: Report) -> Option<RejectionReason> {
    judge(plain_kpi(), None, report).err()
}

fn observed(at: i64) -> Report {
    Report {
        observed_at: Some(Instant(at)),
        ..report(1.0)
    }
}

fn labelled(name: &str, value: &str) -> Report {
    Report {
        labels: vec![(name.into(), value.into())],
        ..report(1.0)
    }
}

#[test]
fn the_future_begins_after_five_minutes() {
    let ahead = |ms: i64| refused(observed(NOW.0 + ms));
    assert_eq!(
        (ahead(300_000), ahead(300_001)),
        (None, Some(RejectionReason::InTheFuture))
    );
}

#[test]
fn instants_are_taken_from_1970_to_before_2200() {
    let out = Some(RejectionReason::OutOfRange);
    assert_eq!((refused(observed(0)), refused(observed(-1))), (None, out));
    assert_eq!(
        refused(observed(Instant::LATEST.0)),
        out,
        "out of range before it is in the future"
    );
}

#[test]
fn without_an_instant_it_was_true_when_it_came() {
    let Ok(Submission::Measure(measurement)) = judge(plain_kpi(), None, report(1.0)) else {
        panic!("taken")
    };
    assert_eq!((measurement.observed_at, measurement.is_dated), (NOW, false));
    assert_eq!(&*measurement.series.source, "http", "the transport's name stands in");
}

#[test]
fn exactly_one_kind_of_value_is_taken() {
    let wrong = Some(RejectionReason::WrongShape);
    assert_eq!(
        refused(Report {
            not_applicable: true,
            ..report(1.0)
        }),
        wrong
    );
    assert_eq!(
        refused(Report {
            value: None,
            ..report(1.0)
        }),
        wrong
    );
    assert_eq!(
        refused(Report {
            numerator: Some(1.0),
            denominator: Some(2.0),
            value: None,
            ..report(1.0)
        }),
        wrong
    );
    assert_eq!(
        refused(Report {
            value: Some(ReportValue::Word("good".into())),
            ..report(1.0)
        }),
        wrong
    );
    assert_eq!(
        refused(Report {
            not_applicable: true,
            value: None,
            ..report(1.0)
        }),
        None
    );
}

#[test]
fn only_finite_numbers_are_taken() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(refused(report(number)), Some(RejectionReason::NotFinite));
    }
}

#[test]
fn plausible_values_include_both_ends() {
    let verdict = |value| {
        judge(
            KpiDefinition {
                accept: Some((0.0, 100.0)),
                ..plain_kpi()
            },
            None,
            report(value),
        )
        .err()
    };
    assert_eq!((verdict(0.0), verdict(100.0)), (None, None));
    assert_eq!(verdict(100.000_001), Some(RejectionReason::Implausible));
}

#[test]
fn a_ratio_is_plausible_by_its_scaled_quotient() {
    let aggregate = Aggregate::Ratio { scale_by: 100.0 };
    let verdict = |numerator, denominator| {
        let kpi = KpiDefinition {
            accept: Some((0.0, 100.0)),
            aggregate: aggregate.clone(),
            ..plain_kpi()
        };
        let parts = Report {
            value: None,
            numerator: Some(numerator),
            denominator: Some(denominator),
            ..report(1.0)
        };
        judge(kpi, None, parts).err()
    };
    assert_eq!(
        (verdict(9.0, 9.0), verdict(5.0, 0.0)),
        (None, None),
        "a denominator of 0 has no quotient"
    );
    assert_eq!(verdict(10.0, 9.0), Some(RejectionReason::Implausible));
}

#[test]
fn a_word_must_be_one_of_the_scale() {
    let scale = Some(vec![("bad".into(), 0.0), ("good".into(), 75.0)]);
    let kpi = || KpiDefinition {
        scale: scale.clone(),
        aggregate: Aggregate::Last,
        ..plain_kpi()
    };
    let word = |word: &str| Report {
        value: Some(ReportValue::Word(word.into())),
        ..report(1.0)
    };
    assert!(judge(kpi(), None, word("good")).is_ok());
    assert_eq!(
        judge(kpi(), None, word("fine")).err(),
        Some(RejectionReason::WrongShape)
    );
    assert_eq!(
        judge(kpi(), None, report(75.0)).err(),
        Some(RejectionReason::WrongShape),
        "a number is no word"
    );
}

#[test]
fn the_label_that_names_the_instance_is_required() {
    assert_eq!(
        judge(plain_kpi(), Some("site"), report(1.0)).err(),
        Some(RejectionReason::MissingLabel)
    );
    let taken = judge(plain_kpi(), Some("site"), labelled("site", "berlin"));
    let Ok(Submission::Measure(measurement)) = taken else {
        panic!("taken")
    };
    assert_eq!(
        measurement.series.each,
        Some(("site".into(), InstanceId::parse("berlin").unwrap()))
    );
    assert_eq!(measurement.extra.labels, [], "it is in the series, not beside it");
}

#[test]
fn what_distinct_counts_is_required_unless_there_is_nothing_to_count() {
    let kpi = || KpiDefinition {
        aggregate: Aggregate::Distinct { key: "user".into() },
        ..plain_kpi()
    };
    assert_eq!(
        judge(kpi(), None, report(1.0)).err(),
        Some(RejectionReason::MissingLabel)
    );
    assert!(judge(kpi(), None, labelled("user", "ann")).is_ok());
    assert!(
        judge(
            kpi(),
            None,
            Report {
                not_applicable: true,
                value: None,
                ..report(1.0)
            }
        )
        .is_ok()
    );
}

#[test]
fn labels_and_texts_have_limits() {
    let label = |count: usize| {
        (0..count)
            .map(|number| (number.to_string().into(), "x".into()))
            .collect()
    };
    let labels = |count| {
        refused(Report {
            labels: label(count),
            ..report(1.0)
        })
    };
    assert_eq!((labels(16), labels(17)), (None, Some(RejectionReason::TooManyLabels)));
    let id = |length: usize| {
        refused(Report {
            id: Some("x".repeat(length).into()),
            ..report(1.0)
        })
    };
    assert_eq!((id(128), id(129)), (None, Some(RejectionReason::TooLarge)));
    let value = |length: usize| refused(labelled("site", &"x".repeat(length)));
    assert_eq!((value(256), value(257)), (None, Some(RejectionReason::TooLarge)));
}

#[test]
fn an_unknown_kpi_is_told_as_such_and_a_missing_one_is_malformed() {
    assert_eq!(
        refused(Report {
            kpi: Some("nobody".into()),
            ..report(1.0)
        }),
        Some(RejectionReason::UnknownKpi)
    );
    assert_eq!(
        refused(Report {
            kpi: None,
            ..report(1.0)
        }),
        Some(RejectionReason::Malformed)
    );
}

#[test]
fn a_retraction_stands_alone() {
    let retraction = Report {
        retracts: Some("a".into()),
        ..Report::default()
    };
    assert!(matches!(
        judge(plain_kpi(), None, retraction.clone()),
        Ok(Submission::Retract { kpi: None, .. })
    ));
    let beside = Report {
        retracts: Some("a".into()),
        ..report(1.0)
    };
    assert_eq!(refused(beside), Some(RejectionReason::WrongShape));
    assert_eq!(
        refused(Report {
            corrects: Some("b".into()),
            ..retraction
        }),
        Some(RejectionReason::WrongShape)
    );
}
