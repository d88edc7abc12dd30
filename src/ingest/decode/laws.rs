//! What holds for any payload.

use proptest::prelude::*;

use super::tests::{EVENT, EXAMPLE, LIMITS, read};
use super::*;
use crate::domain::instant::Instant;
use crate::wire::measurement::to_json;

fn report() -> impl Strategy<Value = Report> {
    let text = || proptest::option::of("\\PC{1,20}").prop_map(|text| text.map(Box::from));
    let number = || proptest::option::of(proptest::num::f64::NORMAL | proptest::num::f64::ZERO);
    let labels = proptest::collection::btree_map("\\PC{0,8}", "\\PC{0,8}", 0..4);
    let keys = (text(), text(), text(), text());
    let words = (text(), text(), text(), proptest::option::of(0..Instant::LATEST.0));
    (keys, words, (number(), number(), number(), number()), labels).prop_map(|(keys, words, numbers, labels)| Report {
        id: keys.0,
        source: keys.1,
        corrects: keys.2,
        retracts: keys.3,
        kpi: words.0,
        note: words.1,
        by: words.2,
        observed_at: words.3.map(Instant),
        value: numbers.0.map(ReportValue::Number),
        numerator: numbers.1,
        denominator: numbers.2,
        weight: numbers.3,
        not_applicable: numbers.0.is_none(),
        labels: labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    })
}

proptest! {
    #[test]
    fn a_report_written_and_read_is_the_same(report in report()) {
        let mut line = Vec::new();
        to_json(&report, &mut line);
        let decoded = decode(&line, &Envelope::default(), &LIMITS);
        prop_assert_eq!(decoded.reports, [Ok(report)]);
    }

    #[test]
    fn any_bytes_give_entries_within_their_payload(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_spans(&payload)?;
    }

    #[test]
    fn damaged_payloads_give_entries_within_their_payload(
        base in proptest::sample::select(vec![EXAMPLE, EVENT, "[1,{\"kpi\":\"a\"},{\"labels\":{\"a\":\"b\"}}]", "{\"at\":1}\n{\"id\":\"x\"}\n"]),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut payload = base.as_bytes().to_vec();
        for (index, byte) in damage {
            let at = index.index(payload.len());
            payload[at] = byte;
        }
        check_spans(&payload)?;
    }

    #[test]
    fn lines_split_anywhere_give_the_same(
        kinds in proptest::collection::vec(0..4_usize, 1..12),
        cut in any::<proptest::sample::Index>(),
    ) {
        let lines = ["{\"kpi\":\"a\",\"value\":1}\n", "{\"kpi\":7}\r\n", "\n", "oops\n"];
        let lines: Vec<&str> = kinds.into_iter().map(|kind| lines[kind]).collect();
        let (left, right) = lines.split_at(cut.index(lines.len()));
        let entries = |lines: &[&str]| read(&lines.concat()).reports.into_iter().filter(not_empty).map(detail_free);
        let parts: Vec<_> = entries(left).chain(entries(right)).collect();
        prop_assert_eq!(parts, entries(&lines).collect::<Vec<_>>());
    }
}

/// Pieces of which lines are made: usual ones, unusual ones, and what breaks them.
const PIECES: [&str; 14] = [
    "{\"kpi\":\"a\",\"value\":1}",
    "{\"kpi\":\"b\",\"observed_at\":\"2026-03-01T10:00:00Z\",\"value\":2.5,\"source\":\"s\"}",
    "{\"id\":\"x\",\"kpi\":\"a\",\"at\":5,\"value\":-3}",
    "{\"kpi\":\"a\",\"value\":1,\"note\":\"n\"}",
    "{\"kpi\":7}",
    "oops",
    "{\"kpi\":\"a\",",
    "\"value\":1}",
    " ",
    "\r",
    "\n",
    "\n",
    "\n",
    "\n\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn each_entry_of_many_lines_is_what_its_bytes_are_alone(pieces in proptest::collection::vec(0..PIECES.len(), 1..24)) {
        // A whole object on the first line makes sure that these are lines and not one object.
        let lines: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let payload = format!("{{\"kpi\":\"first\",\"value\":0}}\n{lines}\n{{}}");
        let decoded = read(&payload);
        let entries = payload.split('\n').filter(|line| !line.trim_matches([' ', '\t', '\r']).is_empty());
        prop_assert_eq!(decoded.reports.len(), entries.clone().count());
        for ((line, span), report) in entries.zip(&decoded.spans).zip(decoded.reports) {
            prop_assert_eq!(&payload[span.clone()], line.trim_matches([' ', '\t', '\r']));
            let mut alone = Report::default();
            let general = crate::wire::cloudevents::read(&payload[span.clone()], false, &mut alone).map(|()| alone);
            prop_assert_eq!(report, general);
        }
    }
}

/// A payload without any measurement is refused as such; a part of a split one may be that.
fn not_empty(entry: &Result<Report, (RejectionReason, String)>) -> bool {
    !matches!(entry, Err((_, detail)) if detail.contains("is empty"))
}

fn detail_free(entry: Result<Report, (RejectionReason, String)>) -> Result<Report, RejectionReason> {
    entry.map_err(|(reason, _)| reason)
}

fn check_spans(payload: &[u8]) -> Result<(), TestCaseError> {
    for subject_kpi in [None, Some("a")] {
        for content_type in [None, Some("application/cloudevents+json")] {
            let envelope = Envelope {
                content_type,
                subject_kpi,
                ..Envelope::default()
            };
            let decoded = decode(payload, &envelope, &LIMITS);
            prop_assert_eq!(decoded.reports.len(), decoded.spans.len());
            let mut end = 0;
            for span in decoded.spans {
                prop_assert!(end <= span.start && span.start <= span.end && span.end <= payload.len());
                end = span.end;
            }
        }
    }
    Ok(())
}
