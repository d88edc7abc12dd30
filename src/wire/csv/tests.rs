//! Files as people have them.

use super::*;
use crate::domain::instant::Instant;
use crate::domain::measurement::{RejectionReason, ReportValue};

fn pairs(text: &[(&str, &str)]) -> Vec<(String, String)> {
    text.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn record(cells: &[&str]) -> StringRecord {
    cells.iter().collect()
}

/// The report of one record under a header.
fn read(header: &[&str], cells: &[&str], words: &FormWords<'_>) -> Result<Report, Refusal> {
    let form = FileForm::new(words).unwrap();
    let columns = Columns::find(&record(header), &form).unwrap();
    columns.report(&record(cells), &form)
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

#[test]
fn a_file_of_one_kpi_with_times_on_the_wall_clock() {
    let map = pairs(&[("observed_at", "timestamp")]);
    let words = FormWords {
        map: &map,
        kpi: Some("it.latency"),
        time_zone: Some("UTC"),
        ..FormWords::default()
    };
    let report = read(&["timestamp", "value"], &["2014-03-07 03:41:00", "45.868"], &words).unwrap();
    assert_eq!(report.kpi.as_deref(), Some("it.latency"));
    assert_eq!(
        (report.value, report.observed_at),
        (Some(ReportValue::Number(45.868)), Some(at("2014-03-07T03:41:00Z")))
    );
    let without = FormWords {
        time_zone: None,
        ..words
    };
    let (reason, detail) = read(&["timestamp", "value"], &["2014-03-07 03:41:00", "1"], &without).unwrap_err();
    assert_eq!(reason, RejectionReason::Malformed);
    assert!(
        detail.contains("`2014-03-07 03:41:00`, which has no offset") && detail.contains("--time-zone"),
        "{detail}"
    );
}

#[test]
fn columns_become_ratios_and_labels_and_constants_stand_in() {
    let map = pairs(&[("numerator", "passed"), ("label.module", "module")]);
    let set = pairs(&[("denominator", "1"), ("labels.site", "open")]);
    let words = FormWords {
        map: &map,
        set: &set,
        kpi: Some("training.passed"),
        source: Some("file"),
        ..FormWords::default()
    };
    let header = ["observed_at", "module", "kind", "score", "passed"];
    let report = read(&header, &["2013-01-24T00:00:00Z", "FFF", "CMA", "46", "1"], &words).unwrap();
    assert_eq!(
        (report.numerator, report.denominator, &report.value),
        (Some(1.0), Some(1.0), &None)
    );
    assert_eq!(
        report.labels,
        [("module".into(), "FFF".into()), ("site".into(), "open".into())]
    );
    assert_eq!(report.source.as_deref(), Some("file"));
}

#[test]
fn what_a_measurement_says_itself_goes_before_a_constant() {
    let set = pairs(&[("weight", "2"), ("label.site", "all")]);
    let words = FormWords {
        set: &set,
        kpi: Some("a"),
        ..FormWords::default()
    };
    let header = ["at", "value", "kpi", "weight", "label.site"];
    let own = read(&header, &["0", "1", "b", "3", "berlin"], &words).unwrap();
    assert_eq!((own.kpi.as_deref(), own.weight), (Some("b"), Some(3.0)));
    assert_eq!(own.labels, [("site".into(), "berlin".into())]);
    let empty = read(&header, &["0", "1", "", " ", ""], &words).unwrap();
    assert_eq!((empty.kpi.as_deref(), empty.weight), (Some("a"), Some(2.0)));
    assert_eq!(empty.labels, [("site".into(), "all".into())]);
}

#[test]
fn times_in_every_form() {
    let words = FormWords {
        kpi: Some("a"),
        time_zone: Some("Europe/Berlin"),
        ..FormWords::default()
    };
    for (text, expected) in [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00+05:00", "2026-03-01T05:00:00Z"),
        ("1772359200250.9", "2026-03-01T10:00:00.250Z"),
        ("2026-03-01 11:00:00", "2026-03-01T10:00:00Z"),
        ("2026-03-01T11:00", "2026-03-01T10:00:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
    ] {
        let report = read(&["observed_at", "value"], &[text, "1"], &words).unwrap();
        assert_eq!(report.observed_at, Some(at(expected)), "{text}");
    }
    for (text, reason) in [
        ("yesterday", RejectionReason::Malformed),
        ("2026-03-01T10:00+01:00", RejectionReason::Malformed),
        ("07/03/2014 03:41", RejectionReason::Malformed),
        ("nan", RejectionReason::NotFinite),
    ] {
        assert_eq!(
            read(&["at", "value"], &[text, "1"], &words).unwrap_err().0,
            reason,
            "{text}"
        );
    }
}

#[test]
fn cells_that_cannot_be_taken_say_why() {
    let words = FormWords {
        kpi: Some("a"),
        ..FormWords::default()
    };
    let long = "x".repeat(129);
    for (field, cell, reason, part) in [
        ("value", "NaN", RejectionReason::NotFinite, "`value` is NaN"),
        ("value", "1e999", RejectionReason::NotFinite, "`value` is inf"),
        ("weight", "heavy", RejectionReason::Malformed, "`weight` is `heavy`"),
        ("numerator", "1,5", RejectionReason::Malformed, "decimal point"),
        (
            "not_applicable",
            "yes",
            RejectionReason::Malformed,
            "`not_applicable` is `yes`",
        ),
        ("id", long.as_str(), RejectionReason::TooLarge, "129 bytes"),
        ("note", "x", RejectionReason::Malformed, "`observed_at` is missing"),
    ] {
        let header = ["observed_at", "retracts", field];
        let (found, detail) = read(&header, &["", "", cell], &words).unwrap_err();
        assert!(found == reason && detail.contains(part), "{field}: {detail}");
    }
}

#[test]
fn words_of_a_scale_corrections_and_retractions_come_from_files_too() {
    let words = FormWords {
        kpi: Some("a"),
        ..FormWords::default()
    };
    let header = ["observed_at", "value", "corrects", "retracts", "not_applicable", "note"];
    let word = read(&header, &["0", "good", "", "", "", "fine, thanks"], &words).unwrap();
    assert_eq!(
        (word.value, word.note.as_deref()),
        (Some(ReportValue::Word("good".into())), Some("fine, thanks"))
    );
    assert_eq!(
        read(&header, &["", "1", "x1", "", "", ""], &words)
            .unwrap()
            .corrects
            .as_deref(),
        Some("x1")
    );
    assert_eq!(
        read(&header, &["", "", "", "x1", "", ""], &words)
            .unwrap()
            .retracts
            .as_deref(),
        Some("x1")
    );
    assert!(
        read(&header, &["0", "", "", "", "true", ""], &words)
            .unwrap()
            .not_applicable
    );
}

#[test]
fn a_header_that_cannot_work_is_refused_before_the_first_record() {
    let map = pairs(&[("value", "score")]);
    for (header, map, kpi, part) in [
        (
            &["at", "points"][..],
            &map[..],
            Some("a"),
            "no column `score`: the columns are at, points",
        ),
        (
            &["timestamp", "value"],
            &[],
            Some("a"),
            "add --map observed_at=COLUMN; the columns are timestamp, value",
        ),
        (&["at", "points"], &[], Some("a"), "no column gives `value`"),
        (&["at", "value"], &[], None, "add --kpi ID"),
        (
            &["at", "observed_at", "value"],
            &[],
            Some("a"),
            "two columns give `observed_at`",
        ),
    ] {
        let form = FileForm::new(&FormWords {
            map,
            kpi,
            ..FormWords::default()
        })
        .unwrap();
        let error = Columns::find(&record(header), &form).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_mapped_column_stands_for_its_field_alone() {
    let map = pairs(&[("value", "score"), ("note", "by")]);
    let words = FormWords {
        map: &map,
        kpi: Some("a"),
        ..FormWords::default()
    };
    let report = read(&["at", "value", "score", "by"], &["0", "1", "2", "Ada"], &words).unwrap();
    assert_eq!(report.value, Some(ReportValue::Number(2.0)));
    assert_eq!((report.note.as_deref(), report.by), (Some("Ada"), None));
}

#[test]
fn words_that_are_no_form_are_wrong_usage() {
    let wrong = |map: &[(&str, &str)], set: &[(&str, &str)], kpi, time_zone| {
        let (map, set) = (pairs(map), pairs(set));
        let words = FormWords {
            map: &map,
            set: &set,
            kpi,
            time_zone,
            source: None,
        };
        FileForm::new(&words).unwrap_err().to_string()
    };
    assert!(wrong(&[("score", "value")], &[], None, None).contains("`score` is not a field"));
    assert!(wrong(&[("labels", "x")], &[], None, None).contains("label.NAME"));
    assert!(wrong(&[("at", "a"), ("observed_at", "b")], &[], None, None).contains("given twice"));
    assert!(wrong(&[], &[("kpi", "b")], Some("a"), None).contains("`kpi` is given twice"));
    assert!(wrong(&[], &[("denominator", "one")], None, None).contains("`denominator` is `one`"));
    assert!(wrong(&[], &[], None, Some("Europe/Bonn")).contains("`Europe/Bonn` is not a time zone"));
}
