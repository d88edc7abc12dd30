//! What one batch brought, in the sender's order: the many plain measurements in columns, the others one by one.
//!
//! Decoded measurements and refusals enter, [`admit`](super::admit) takes them out. A plain measurement is a number of a
//! KPI at an instant, perhaps with a source and a key; it costs no allocation but that of its key, and what kpid knows of
//! its KPI and source is looked up once for all that share both. Nothing here judges anything.

mod names;

use std::sync::Arc;

use names::Names;

use super::instant::Instant;
use super::measurement::{RejectionReason, Report, ReportValue};

/// A report, or why there is none: the one word, and the thing, the value found and the remedy.
pub type ReportResult = Result<Report, (RejectionReason, String)>;

/// A measurement that says a number and little else. Its instant, where it has one, is one that kpid takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlainReport<'a> {
    /// The KPI, as sent.
    pub kpi: &'a str,
    /// Who says so; the transport's name when absent.
    pub source: Option<&'a str>,
    /// The source's key.
    pub id: Option<&'a str>,
    /// When it was true, from [`Instant::EARLIEST`] to before [`Instant::LATEST`].
    pub observed_at: Option<Instant>,
    /// A finite number.
    pub value: f64,
}

/// A KPI and a source that plain measurements of a batch share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportName {
    /// The KPI, as sent.
    pub kpi: Box<str>,
    /// Who says so; the transport's name when absent.
    pub source: Option<Arc<str>>,
}

/// Columns of plain measurements; all have the same length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlainRows {
    /// Places in the batch, ascending.
    pub index: Vec<u32>,
    /// Places of KPI and source among the names.
    pub name: Vec<u32>,
    /// Epoch ms; [`UNDATED`] where the sender gave none.
    pub observed_at: Vec<i64>,
    /// Finite numbers.
    pub value: Vec<f64>,
    /// Keys, by row, ascending; a row with a key is dated.
    pub ids: Vec<(u32, Box<str>)>,
}

/// Stands in the column of instants for "when it came"; no measurement is of that instant.
pub const UNDATED: i64 = i64::MIN;

/// Measurements of one batch, and why some are none.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    names: Names,
    rows: PlainRows,
    others: Vec<(u32, ReportResult)>,
}

/// A batch taken apart: names, plain measurements, and the others with their places in the batch.
pub type ReportParts = (Vec<ReportName>, PlainRows, Vec<(u32, ReportResult)>);

impl Reports {
    /// Measurements and refusals.
    pub fn len(&self) -> usize {
        self.rows.index.len() + self.others.len()
    }

    /// True when nothing was brought.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Room for further plain measurements.
    pub fn reserve(&mut self, count: usize) {
        self.rows.index.reserve(count);
        self.rows.name.reserve(count);
        self.rows.observed_at.reserve(count);
        self.rows.value.reserve(count);
    }

    /// Adds a plain measurement.
    pub fn push_plain(&mut self, plain: &PlainReport<'_>) {
        let index = self.len() as u32;
        if plain.id.is_some() && plain.observed_at.is_none() {
            // The same sent again has another instant: telling them apart is not for the many.
            self.others.push((index, Ok(plain.report())));
            return;
        }
        if let Some(id) = plain.id {
            self.rows.ids.push((self.rows.index.len() as u32, id.into()));
        }
        self.rows.index.push(index);
        self.rows.name.push(self.names.place_of(plain.kpi, plain.source));
        let observed_at = plain.observed_at.map_or(UNDATED, |at| at.0);
        self.rows.observed_at.push(observed_at);
        self.rows.value.push(plain.value);
    }

    /// Adds a refusal.
    pub fn refuse(&mut self, refusal: (RejectionReason, String)) {
        self.others.push((self.len() as u32, Err(refusal)));
    }

    /// Adds an empty report, for the decoder to fill where it stays, or to replace by a refusal.
    pub fn push_empty(&mut self) -> &mut ReportResult {
        let index = self.len() as u32;
        &mut self.others.push_mut((index, Ok(Report::default()))).1
    }

    /// Names, plain measurements, and the others with their places in the batch.
    pub fn into_parts(self) -> ReportParts {
        (self.names.into_list(), self.rows, self.others)
    }
}

impl PlainReport<'_> {
    fn report(&self) -> Report {
        Report {
            kpi: Some(self.kpi.into()),
            source: self.source.map(Into::into),
            id: self.id.map(Into::into),
            observed_at: self.observed_at,
            value: Some(ReportValue::Number(self.value)),
            ..Report::default()
        }
    }
}

impl PlainRows {
    /// A row as the report that it stands for.
    pub fn report(&self, row: usize, names: &[ReportName]) -> Option<Report> {
        let name = names.get(*self.name.get(row)? as usize)?;
        let observed_at = *self.observed_at.get(row)?;
        let id = self.ids.binary_search_by_key(&(row as u32), |(row, _)| *row).ok();
        let plain = PlainReport {
            kpi: &name.kpi,
            source: name.source.as_deref(),
            id: id.and_then(|place| self.ids.get(place)).map(|(_, id)| &**id),
            observed_at: (observed_at != UNDATED).then_some(Instant(observed_at)),
            value: *self.value.get(row)?,
        };
        Some(plain.report())
    }
}

impl PlainRows {
    /// Keeps the rows that are marked.
    pub fn retain(&mut self, kept: &[bool]) {
        retain_cells(&mut self.index, kept);
        retain_cells(&mut self.name, kept);
        retain_cells(&mut self.observed_at, kept);
        retain_cells(&mut self.value, kept);
        if self.ids.is_empty() {
            return;
        }
        let is_kept = |row: u32| kept.get(row as usize) == Some(&true);
        self.ids.retain(|(row, _)| is_kept(*row));
        let (mut row, mut before) = (0, 0);
        for (at, _) in &mut self.ids {
            before += (row..*at).filter(|row| is_kept(*row)).count() as u32;
            row = *at;
            *at = before;
        }
    }
}

fn retain_cells<C>(cells: &mut Vec<C>, kept: &[bool]) {
    let mut kept = kept.iter();
    cells.retain(|_| kept.next() == Some(&true));
}

impl From<Vec<ReportResult>> for Reports {
    fn from(reports: Vec<ReportResult>) -> Self {
        Self {
            others: (0..).zip(reports).collect(),
            ..Self::default()
        }
    }
}

/// One by one, in the sender's order.
impl IntoIterator for Reports {
    type Item = ReportResult;
    type IntoIter = std::vec::IntoIter<ReportResult>;

    fn into_iter(self) -> Self::IntoIter {
        let (names, rows, mut others) = self.into_parts();
        let plain = rows.index.iter().enumerate();
        let plain = plain.filter_map(|(row, index)| Some((*index, Ok(rows.report(row, &names)?))));
        others.extend(plain);
        others.sort_by_key(|(index, _)| *index);
        let reports: Vec<ReportResult> = others.into_iter().map(|(_, report)| report).collect();
        reports.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain<'a>(kpi: &'a str, source: Option<&'a str>) -> PlainReport<'a> {
        PlainReport {
            kpi,
            source,
            id: None,
            observed_at: None,
            value: 1.0,
        }
    }

    #[test]
    fn a_name_stands_once_whatever_its_source_and_among_thousands() {
        let mut reports = Reports::default();
        let kpis: Vec<String> = (0..3_000).map(|n| format!("it.kpi-{n}")).collect();
        for round in 0..2 {
            for kpi in &kpis {
                reports.push_plain(&plain(kpi, None));
                reports.push_plain(&plain(kpi, Some("a")));
            }
            let (names, rows) = (reports.names.len(), reports.rows.name.len());
            assert_eq!(rows, 6_000 * (round + 1));
            assert!(names < 6_300, "{names} names for 6,000 different ones");
        }
        let sent = kpis.iter().flat_map(|kpi| [plain(kpi, None), plain(kpi, Some("a"))]);
        let sent: Vec<ReportResult> = sent.map(|plain| Ok(plain.report())).collect();
        let came: Vec<ReportResult> = reports.into_iter().take(6_000).collect();
        assert_eq!(came, sent);
    }

    #[test]
    fn the_order_is_that_of_the_sender() {
        let mut reports = Reports::default();
        reports.push_plain(&plain("a", None));
        reports.refuse((RejectionReason::Malformed, "no".to_owned()));
        if let Ok(report) = reports.push_empty() {
            report.kpi = Some("b".into());
        }
        let undated = PlainReport {
            id: Some("1"),
            ..plain("c", None)
        };
        reports.push_plain(&undated);
        reports.push_plain(&plain("a", None));
        let dated = PlainReport {
            observed_at: Some(Instant(7)),
            ..undated
        };
        reports.push_plain(&dated);
        assert_eq!((reports.len(), reports.is_empty()), (6, false));
        let kpis: Vec<Option<String>> = reports
            .clone()
            .into_iter()
            .map(|report| report.ok().and_then(|report| report.kpi).map(String::from))
            .collect();
        let kpis: Vec<Option<&str>> = kpis.iter().map(Option::as_deref).collect();
        assert_eq!(kpis, [Some("a"), None, Some("b"), Some("c"), Some("a"), Some("c")]);
        assert_eq!(reports.into_iter().last(), Some(Ok(dated.report())));
    }
}
