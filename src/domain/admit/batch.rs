//! Admission of a whole batch: what is known of a KPI and a source is looked up once, and each plain measurement of them
//! is compared with three numbers.
//!
//! Reports enter; columns of measurements, submissions and rejections leave, with their places in the batch. A plain
//! measurement that does not pass is judged again as the report that it stands for, so that every word against it is said
//! in one place.

use std::sync::Arc;

use super::Admission;
use crate::domain::catalog::Aggregate;
use crate::domain::instant::Instant;
use crate::domain::measurement::{Rejection, SeriesKey, Submission};
use crate::domain::reports::{PlainRows, ReportName, ReportResult, Reports, UNDATED};

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Admitted {
    /// What the names of the rows mean; `None` where no row has that name any more.
    pub keys: Vec<Option<SeriesKey>>,
    /// Numbers that were taken, all of them with an instant.
    pub rows: PlainRows,
    /// When kpid took them in.
    pub received_at: Instant,
    /// What else was taken, by place in the batch, ascending.
    pub others: Vec<(u32, Submission)>,
    /// What was not taken.
    pub rejected: Vec<Rejection>,
}

/// What a plain measurement of some KPI and source must be.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Least and greatest value.
    accept: (f64, f64),
    /// Latest instant.
    latest: i64,
}

/// No number is within them.
const NOTHING: Bounds = Bounds {
    accept: (f64::INFINITY, f64::NEG_INFINITY),
    latest: i64::MIN,
};

impl Bounds {
    fn take(&self, observed_at: i64, value: f64) -> bool {
        observed_at <= self.latest && value >= self.accept.0 && value <= self.accept.1
    }
}

impl Admitted {
    /// Measurements, corrections and retractions that were taken.
    pub fn taken(&self) -> usize {
        self.rows.index.len() + self.others.len()
    }
}

impl Admission<'_> {
    /// Judges a batch.
    pub fn admit_all(&self, reports: Reports) -> Admitted {
        let (names, mut rows, others) = reports.into_parts();
        let (keys, bounds): (Vec<_>, Vec<_>) = names.iter().map(|name| self.known(name)).unzip();
        let others = self.sift(&names, &bounds, &mut rows, others);
        for at in rows.observed_at.iter_mut().filter(|at| **at == UNDATED) {
            *at = self.received_at.0;
        }
        let mut admitted = Admitted {
            keys,
            rows,
            received_at: self.received_at,
            ..Admitted::default()
        };
        for (index, report) in others {
            let place = index as usize;
            let judged = report
                .map_err(|(reason, detail)| Rejection {
                    index: place,
                    reason,
                    detail,
                })
                .and_then(|report| self.admit(place, report));
            match judged {
                Ok(submission) => admitted.others.push((index, submission)),
                Err(rejection) => admitted.rejected.push(rejection),
            }
        }
        admitted
    }

    /// Moves the rows that do not pass to the others, in order.
    fn sift(
        &self,
        names: &[ReportName],
        bounds: &[Bounds],
        rows: &mut PlainRows,
        mut others: Vec<(u32, ReportResult)>,
    ) -> Vec<(u32, ReportResult)> {
        let passes = |name: u32, observed_at: i64, value: f64| {
            let bounds = bounds.get(name as usize);
            bounds.is_some_and(|bounds| bounds.take(observed_at, value))
        };
        let cells = rows.name.iter().zip(&rows.observed_at).zip(&rows.value);
        let verdicts = cells.map(|((name, observed_at), value)| passes(*name, *observed_at, *value));
        if verdicts.clone().all(|passes| passes) {
            return others;
        }
        let passed: Vec<bool> = verdicts.collect();
        let failed = (0..).zip(&rows.index).zip(&passed).filter(|(_, passed)| !**passed);
        let failed = failed.filter_map(|((row, index), _)| Some((*index, Ok(rows.report(row, names)?))));
        others.extend(failed);
        others.sort_by_key(|(index, _)| *index);
        rows.retain(&passed);
        others
    }

    /// The series of a name, and what its plain measurements must be.
    fn known(&self, name: &ReportName) -> (Option<SeriesKey>, Bounds) {
        let Some((scorecard, definition)) = self.catalog.kpi_named(&name.kpi) else {
            return (None, NOTHING);
        };
        let takes_numbers = definition.scale.is_none()
            && !matches!(
                definition.aggregate,
                Aggregate::Ratio { .. } | Aggregate::Distinct { .. }
            );
        let is_named = name
            .source
            .as_deref()
            .is_none_or(|source| super::check_source(source).is_ok());
        // Where it came is an instant too, of those that say none.
        let is_now = (Instant::EARLIEST..Instant::LATEST).contains(&self.received_at);
        if !takes_numbers || !is_named || !is_now || scorecard.each.is_some() {
            return (None, NOTHING);
        }
        let key = SeriesKey {
            kpi: definition.id.clone(),
            source: match &name.source {
                Some(source) if **source != **self.default_source => Arc::clone(source),
                _ => Arc::clone(self.default_source),
            },
            each: None,
        };
        let latest = self.limits.future_ms_max.map(|max| self.received_at.plus_ms(max));
        let bounds = Bounds {
            accept: definition.accept.unwrap_or((f64::NEG_INFINITY, f64::INFINITY)),
            latest: latest.map_or(i64::MAX, |latest| latest.0),
        };
        (Some(key), bounds)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::catalog::KpiDefinition;
    use crate::domain::measurement::{AdmitLimits, RejectionReason};
    use crate::domain::reports::PlainReport;
    use crate::domain::samples::{catalog, plain_kpi};

    const NOW: Instant = Instant(1_000_000_000);

    /// One entry of a batch: a plain measurement, or something else.
    #[derive(Debug, Clone)]
    enum Sent {
        Plain(String, Option<String>, Option<String>, Option<i64>, f64),
        Broken,
        Empty,
    }

    fn sent() -> impl Strategy<Value = Sent> {
        let kpi = prop_oneof![4 => Just("k".to_owned()), 1 => Just("unknown".to_owned()), 1 => Just(String::new())];
        let source = proptest::option::of(prop_oneof![
            Just("http".to_owned()),
            Just("desk".to_owned()),
            Just("\u{7f}".to_owned()),
            Just("s".repeat(128)),
        ]);
        let at = proptest::option::of(prop_oneof![
            0..Instant::LATEST.0,
            NOW.0 + 299_998..NOW.0 + 300_003,
            NOW.0 - 5..NOW.0 + 5
        ]);
        let value = prop_oneof![-20.0..20.0, Just(-10.0), Just(10.0), Just(-0.0)];
        let id = proptest::option::weighted(0.2, "[a-c]");
        prop_oneof![
            8 => (kpi, source, id, at, value).prop_map(|(kpi, source, id, at, value)| Sent::Plain(kpi, source, id, at, value)),
            1 => Just(Sent::Broken),
            1 => Just(Sent::Empty),
        ]
    }

    fn definitions() -> impl Strategy<Value = (KpiDefinition, Option<&'static str>)> {
        let accept = proptest::option::of(Just((-10.0, 10.0)));
        let aggregate = prop_oneof![
            4 => Just(Aggregate::Mean),
            1 => Just(Aggregate::Ratio { scale_by: 1.0 }),
            1 => Just(Aggregate::Distinct { key: "who".into() }),
        ];
        let scale = proptest::option::weighted(0.1, Just(vec![(Arc::from("good"), 1.0)]));
        let each = proptest::option::weighted(0.1, Just("site"));
        (accept, aggregate, scale, each).prop_map(|(accept, aggregate, scale, each)| {
            let kpi = KpiDefinition {
                accept,
                aggregate,
                scale,
                ..plain_kpi()
            };
            (kpi, each)
        })
    }

    fn batch(sent: &[Sent]) -> Reports {
        let mut reports = Reports::default();
        for entry in sent {
            match entry {
                Sent::Plain(kpi, source, id, at, value) => reports.push_plain(&PlainReport {
                    kpi,
                    source: source.as_deref(),
                    id: id.as_deref(),
                    observed_at: at.map(Instant),
                    value: *value,
                }),
                Sent::Broken => reports.refuse((RejectionReason::Malformed, "no".to_owned())),
                Sent::Empty => {
                    reports.push_empty();
                }
            }
        }
        reports
    }

    /// Rows as the submissions that they stand for, among the others.
    fn told(admitted: Admitted) -> (Vec<(u32, Submission)>, Vec<Rejection>) {
        let Admitted { keys, rows, .. } = &admitted;
        let mut all: Vec<(u32, Submission)> = (0..rows.index.len())
            .map(|row| {
                let series = keys[rows.name[row] as usize].clone().unwrap();
                let id = rows.ids.iter().find(|(with, _)| *with as usize == row);
                let submission = Submission::Measure(crate::domain::measurement::Measurement {
                    series,
                    observed_at: Instant(rows.observed_at[row]),
                    is_dated: true,
                    received_at: admitted.received_at,
                    value: crate::domain::measurement::MeasuredValue::Number(rows.value[row]),
                    extra: crate::domain::measurement::Extra {
                        id: id.map(|(_, id)| id.clone()),
                        ..Default::default()
                    },
                });
                (rows.index[row], submission)
            })
            .collect();
        all.extend(admitted.others);
        all.sort_by_key(|(index, _)| *index);
        for (_, submission) in &mut all {
            if let Submission::Measure(measurement) = submission {
                // Whether a row was dated matters only beside a key, and then it was.
                measurement.is_dated |= measurement.extra.id.is_none();
            }
        }
        (all, admitted.rejected)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_batch_is_judged_as_its_reports_one_by_one(
            (kpi, each) in definitions(),
            sent in proptest::collection::vec(sent(), 0..40),
        ) {
            let catalog = catalog(kpi, each);
            let limits = AdmitLimits::default();
            let admission = Admission {
                catalog: &catalog,
                limits: &limits,
                received_at: NOW,
                default_source: &"http".into(),
            };
            let one_by_one: Vec<ReportResult> = batch(&sent).into_iter().collect();
            let at_once = told(admission.admit_all(batch(&sent)));
            prop_assert_eq!(at_once, told(admission.admit_all(one_by_one.into())));
        }
    }
}
