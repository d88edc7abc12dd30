//! The sentences on measurements in the contract, as tables of shapes.

use super::*;
use crate::domain::instant::Instant;

pub(super) const LIMITS: DecodeLimits = DecodeLimits {
    batch_len_max: 1_000,
    measurement_len_max: 4_096,
};

pub(super) const EXAMPLE: &str = r#"{"id":"9f3c","kpi":"it.csat","observed_at":"2026-03-01T10:00:00Z","value":82.5,
 "labels":{"site":"berlin"},"source":"servicedesk","note":"after the outage"}"#;

pub(super) fn read(payload: &str) -> Decoded {
    decode(payload.as_bytes(), &Envelope::default(), &LIMITS)
}

fn read_as(payload: &str, content_type: &str) -> Decoded {
    let envelope = Envelope {
        content_type: Some(content_type),
        ..Envelope::default()
    };
    decode(payload.as_bytes(), &envelope, &LIMITS)
}

/// The only entry, taken.
fn one(payload: &str) -> Report {
    let decoded = read(payload);
    assert_eq!(decoded.reports.len(), 1, "{payload}");
    decoded.reports.into_iter().next().unwrap().unwrap()
}

/// The only entry, refused.
fn refused(payload: &str) -> (RejectionReason, String) {
    let decoded = read(payload);
    assert_eq!(decoded.reports.len(), 1, "{payload}");
    decoded.reports.into_iter().next().unwrap().unwrap_err()
}

fn plain(kpi: &str, value: f64) -> Report {
    Report {
        kpi: Some(kpi.into()),
        value: Some(ReportValue::Number(value)),
        ..Report::default()
    }
}

fn example() -> Report {
    Report {
        id: Some("9f3c".into()),
        observed_at: Some(Instant(1_772_359_200_000)),
        labels: vec![("site".into(), "berlin".into())],
        source: Some("servicedesk".into()),
        note: Some("after the outage".into()),
        ..plain("it.csat", 82.5)
    }
}

#[test]
fn an_object_over_two_lines_is_one_measurement() {
    assert_eq!(one(EXAMPLE), example());
    assert_eq!(read(EXAMPLE).spans.first(), Some(&(0..EXAMPLE.len())));
}

#[test]
fn every_shape_of_many_gives_the_same_entries_with_their_bytes() {
    let objects = [
        r#"{"kpi":"a","value":1}"#,
        r#"{"kpi":"b","value":2}"#,
        r#"{"kpi":"c","value":3}"#,
    ];
    for payload in [
        objects.join("\n"),
        objects.join("\n") + "\n",
        objects.join("\r\n") + "\r\n",
        format!("\n\n{}\n \n", objects.join("\n\n")),
        format!("\u{feff}{}\n", objects.join("\n")),
        format!("[{}]", objects.join(",")),
        format!(" [\n  {}\n]\n", objects.join(",\n  ")),
    ] {
        let decoded = read(&payload);
        let reports: Vec<Report> = decoded.reports.into_iter().map(Result::unwrap).collect();
        assert_eq!(
            reports,
            [plain("a", 1.0), plain("b", 2.0), plain("c", 3.0)],
            "{payload}"
        );
        let bytes: Vec<&str> = decoded.spans.into_iter().map(|span| &payload[span]).collect();
        assert_eq!(bytes, objects, "{payload}");
    }
}

#[test]
fn fields_of_a_measurement_arrive() {
    let report = one(
        r#"{"kpi":"a","numerator":3,"denominator":4.5,"weight":2,"by":"Ada","corrects":"x1","source":null,
            "labels":{"b":"2","a":"\u00fc"},"unknown":{"deep":[1,{"x":null}]},"at":1772359200999.9}"#,
    );
    assert_eq!(
        (report.numerator, report.denominator, report.weight),
        (Some(3.0), Some(4.5), Some(2.0))
    );
    assert_eq!(
        (report.by.as_deref(), report.corrects.as_deref()),
        (Some("Ada"), Some("x1"))
    );
    assert_eq!(report.labels, [("b".into(), "2".into()), ("a".into(), "ü".into())]);
    assert_eq!(report.observed_at, Some(Instant(1_772_359_200_999)));
    assert!(one(r#"{"kpi":"a","not_applicable":true}"#).not_applicable);
    assert_eq!(one(r#"{"retracts":"x1"}"#).retracts.as_deref(), Some("x1"));
    assert_eq!(
        one(r#"{"kpi":"a","value":"good"}"#).value,
        Some(ReportValue::Word("good".into()))
    );
    assert_eq!(one(r#"{"kpi":"a","value":1,"at":-0.5}"#).observed_at, Some(Instant(-1)));
    assert_eq!(
        one(r#"{"kpi":"a","value":1,"at":"2026-03-01T11:00:00+01:00"}"#).observed_at,
        example().observed_at
    );
}

#[test]
fn a_wrong_field_is_named_with_what_was_found() {
    for (payload, parts) in [
        (r#"{"kpi":7}"#, ["`kpi` is 7", "JSON string"]),
        (r#"{"value":true}"#, ["`value` is true", "number, or a word"]),
        (r#"{"value":[1]}"#, ["`value` is an array", "number"]),
        (
            r#"{"numerator":"3"}"#,
            ["`numerator` is the string \"3\"", "JSON number"],
        ),
        (r#"{"weight":{}}"#, ["`weight` is an object", "JSON number"]),
        (r#"{"not_applicable":1}"#, ["`not_applicable` is 1", "`true`"]),
        (
            r#"{"observed_at":"2026-03-01T10:00:00"}"#,
            ["`observed_at`: `2026-03-01T10:00:00`", "with an offset"],
        ),
        (r#"{"at":true}"#, ["`observed_at` is true", "epoch milliseconds"]),
        (r#"{"id":17}"#, ["`id` is 17", "JSON string"]),
        (r#"{"id":""}"#, ["`id` is empty", "leave it out"]),
        (r#"{"labels":["a"]}"#, ["`labels` is [\"a\"]", "object of strings"]),
        (r#"{"labels":{"floor":3}}"#, ["the label `floor` is 3", "JSON string"]),
        (
            r#"{"labels":{"a":"1","b":"2","a":"3"}}"#,
            ["the label `a` is there twice", "leave one out"],
        ),
        (r#"{"kpi":"a","kpi":"a"}"#, ["`kpi` is there twice", "leave one out"]),
        (
            r#"{"at":1,"observed_at":1}"#,
            ["`observed_at` is there twice", "leave one out"],
        ),
        (r#"{"kpi":"a","value":NaN}"#, ["column", "send JSON"]),
        (r#"{"kpi":"a""#, ["EOF", "send JSON"]),
        (r#"{"kpi":"a"} x"#, ["trailing characters", "send JSON"]),
        (r#""text""#, ["string \"text\"", "one JSON object"]),
        ("", ["the payload is empty", "JSON object"]),
        (" \n ", ["the payload is empty", "JSON object"]),
        ("4711", ["bare number 4711 names no KPI", "`kpi` and `value`"]),
    ] {
        let (reason, detail) = refused(payload);
        assert_eq!(reason, RejectionReason::Malformed, "{payload}: {detail}");
        for part in parts {
            assert!(detail.contains(part), "{payload}: {detail}");
        }
    }
}

#[test]
fn a_number_beyond_the_range_of_a_double_is_not_finite() {
    for payload in [
        r#"{"kpi":"a","value":1e999}"#,
        r#"{"kpi":"a","numerator":-1e999,"denominator":1}"#,
    ] {
        assert_eq!(refused(payload).0, RejectionReason::NotFinite);
    }
}

#[test]
fn names_longer_than_128_bytes_are_too_large() {
    for field in ["id", "source", "corrects", "retracts"] {
        let with = |len: usize| format!(r#"{{"kpi":"a","value":1,"{field}":"{}"}}"#, "x".repeat(len));
        assert!(read(&with(128)).reports[0].is_ok());
        assert_eq!(refused(&with(129)).0, RejectionReason::TooLarge);
    }
}

#[test]
fn deep_nesting_in_unknown_fields_harms_nobody() {
    let deep = format!(
        r#"{{"kpi":"a","value":1,"x":{}{}}}"#,
        "[".repeat(1_500),
        "]".repeat(1_500)
    );
    assert_eq!(read(&deep).reports.len(), 1);
    let deep = format!(r#"{{"kpi":"a","value":{}{}}}"#, "[".repeat(1_500), "]".repeat(1_500));
    assert_eq!(refused(&deep).0, RejectionReason::Malformed);
}

#[test]
fn a_bad_line_refuses_only_itself() {
    let payload = "{\"kpi\":\"a\",\"value\":1}\n{\"kpi\":\n5\n{\"kpi\":\"b\",\"value\":2}\n";
    let decoded = read(payload);
    let taken: Vec<bool> = decoded.reports.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, false, true]);
    assert_eq!(&payload[decoded.spans[1].clone()], "{\"kpi\":");
}

#[test]
fn a_broken_first_line_does_not_take_the_others_down() {
    let decoded = read("{\"kpi\":\"a\",\"val\n{\"kpi\":\"b\",\"value\":2}\n{\"kpi\":\"c\",\"value\":3}");
    let taken: Vec<bool> = decoded.reports.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [false, true, true]);
}

#[test]
fn a_broken_object_over_several_lines_is_one_refusal() {
    assert_eq!(
        refused("{\n  \"kpi\": \"a\",\n  \"value\": oops\n}\n").0,
        RejectionReason::Malformed
    );
}

#[test]
fn a_bad_element_refuses_only_itself_and_a_broken_array_is_one_refusal() {
    let payload = r#"[{"kpi":"a","value":1},{"kpi":7},[],5,{"kpi":"b","value":2}]"#;
    let decoded = read(payload);
    let taken: Vec<bool> = decoded.reports.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, false, false, true]);
    assert_eq!(&payload[decoded.spans[1].clone()], r#"{"kpi":7}"#);
    for broken in [
        r#"[{"kpi":"a","value":1},{"kpi""#,
        r#"[{"kpi":"a"}] x"#,
        r#"[{"kpi":"a" 1}]"#,
    ] {
        assert_eq!(refused(broken).0, RejectionReason::Malformed);
    }
    assert!(read("[]").reports.is_empty());
}

#[test]
fn bytes_that_are_not_utf8_refuse_their_line_only() {
    let payload = b"{\"kpi\":\"a\",\"value\":1}\n{\"kpi\":\"\xff\",\"value\":1}\n{\"kpi\":\"b\",\"value\":2}\n";
    let decoded = decode(payload, &Envelope::default(), &LIMITS);
    let taken: Vec<bool> = decoded.reports.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, false, true]);
    let alone = decode(b"{\"kpi\":\"\xff\"}", &Envelope::default(), &LIMITS);
    assert_eq!(alone.reports.len(), 1);
    assert_eq!(alone.reports[0].as_ref().unwrap_err().0, RejectionReason::Malformed);
}

#[test]
fn what_is_beyond_a_limit_is_too_large() {
    let long = format!(r#"{{"kpi":"a","value":1,"note":"{}"}}"#, "x".repeat(4_096));
    assert_eq!(refused(&long).0, RejectionReason::TooLarge);
    let limits = DecodeLimits {
        batch_len_max: 2,
        ..LIMITS
    };
    let object = r#"{"kpi":"a","value":1}"#;
    for payload in [[object; 4].join("\n"), format!("[{}]", [object; 4].join(","))] {
        let decoded = decode(payload.as_bytes(), &Envelope::default(), &limits);
        assert_eq!(decoded.reports.len(), 3);
        assert_eq!(decoded.reports[2].as_ref().unwrap_err().0, RejectionReason::TooLarge);
        assert!(payload[decoded.spans[2].clone()].contains(object));
    }
}

#[test]
fn the_subject_names_the_kpi_where_the_measurement_does_not() {
    let envelope = Envelope {
        subject_kpi: Some("it.csat"),
        ..Envelope::default()
    };
    for (payload, expected) in [
        ("82.5", plain("it.csat", 82.5)),
        (" -3 \n", plain("it.csat", -3.0)),
        (r#"{"value":1}"#, plain("it.csat", 1.0)),
        (r#"{"kpi":"other","value":1}"#, plain("other", 1.0)),
    ] {
        let decoded = decode(payload.as_bytes(), &envelope, &LIMITS);
        assert_eq!(decoded.reports, [Ok(expected)], "{payload}");
    }
    let overflow = decode(b"1e999", &envelope, &LIMITS);
    assert_eq!(overflow.reports[0].as_ref().unwrap_err().0, RejectionReason::NotFinite);
}

pub(super) const EVENT: &str = r#"{"specversion":"1.0","type":"kpid.measurement.v1","id":"e1","source":"/desk",
    "time":"2026-03-01T10:00:00Z","data":{"kpi":"it.csat","value":82.5}}"#;

fn from_event() -> Report {
    Report {
        id: Some("e1".into()),
        source: Some("/desk".into()),
        observed_at: example().observed_at,
        ..plain("it.csat", 82.5)
    }
}

#[test]
fn a_structured_event_is_known_by_its_content_type_or_by_itself() {
    assert_eq!(one(EVENT), from_event());
    let decoded = read_as(EVENT, "application/cloudevents+json; charset=utf-8");
    assert_eq!(decoded.reports, [Ok(from_event())]);
    let decoded = read_as(&format!("[{EVENT},{EVENT}]"), "application/cloudevents-batch+json");
    assert_eq!(decoded.reports, [Ok(from_event()), Ok(from_event())]);
    let decoded = read(&format!("[{EVENT},{}]", r#"{"kpi":"a","value":1}"#));
    assert_eq!(decoded.reports, [Ok(from_event()), Ok(plain("a", 1.0))]);
}

#[test]
fn attributes_name_the_measurement_and_data_says_when() {
    let event = EVENT.replace(
        r#""kpi":"it.csat""#,
        r#""kpi":"it.csat","id":"mine","source":"me","observed_at":1772359200001"#,
    );
    let expected = Report {
        observed_at: Some(Instant(1_772_359_200_001)),
        ..from_event()
    };
    assert_eq!(one(&event), expected);
}

#[test]
fn what_is_not_an_event_of_ours_is_malformed() {
    for (from, to, part) in [
        ("kpid.measurement.v1", "com.example.thing", "`com.example.thing`"),
        (r#""1.0""#, r#""0.3""#, "`0.3`"),
        (r#""1.0""#, "1", "`specversion` is 1"),
        (r#""id":"e1","#, "", "no `id`"),
        (r#""id":"e1""#, r#""id":1"#, "`id` is 1"),
        (r#""source":"/desk","#, "", "no `source`"),
        (r#""time":"2026-03-01T10:00:00Z""#, r#""time":"noon""#, "`time`: `noon`"),
        (r#""data":"#, r#""payload":"#, "no `data`"),
        (r#""data":"#, r#""data_base64":"#, "`data_base64`"),
        (r#"{"kpi":"it.csat","value":82.5}"#, "5", "invalid type"),
    ] {
        let (reason, detail) = refused(&EVENT.replace(from, to));
        assert_eq!(reason, RejectionReason::Malformed);
        assert!(detail.contains(part), "{to}: {detail}");
    }
    let decoded = read_as(r#"{"kpi":"a","value":1}"#, "application/cloudevents+json");
    assert!(decoded.reports[0].as_ref().unwrap_err().1.contains("no `specversion`"));
}

#[test]
fn a_binary_event_has_its_attributes_in_headers() {
    let envelope = Envelope {
        content_type: Some("application/json"),
        ce_specversion: Some("1.0"),
        ce_type: Some("kpid.measurement.v1"),
        ce_id: Some("e%201"),
        ce_source: Some("/desk"),
        ce_time: Some("2026-03-01T10:00:00Z"),
        subject_kpi: None,
    };
    let expected = Report {
        id: Some("e 1".into()),
        ..from_event()
    };
    let payload = br#"{"kpi":"it.csat","value":82.5}"#;
    assert_eq!(decode(payload, &envelope, &LIMITS).reports, [Ok(expected)]);
    for (broken, part) in [
        (
            Envelope {
                ce_type: Some("other"),
                ..envelope
            },
            "`other`",
        ),
        (
            Envelope {
                ce_type: None,
                ..envelope
            },
            "no `type`",
        ),
        (
            Envelope {
                ce_specversion: None,
                ..envelope
            },
            "no `specversion`",
        ),
        (
            Envelope {
                ce_id: None,
                ..envelope
            },
            "no `id`",
        ),
        (
            Envelope {
                ce_id: Some("%zz"),
                ..envelope
            },
            "`ce-id`",
        ),
        (
            Envelope {
                ce_id: Some("%+1"),
                ..envelope
            },
            "`ce-id`",
        ),
        (
            Envelope {
                ce_time: Some("noon"),
                ..envelope
            },
            "`ce-time`",
        ),
    ] {
        let decoded = decode(payload, &broken, &LIMITS);
        assert!(decoded.reports[0].as_ref().unwrap_err().1.contains(part), "{part}");
    }
}
