//! Measurements in files: which column of a CSV record is which field, and what every measurement of a file has.
//!
//! A user's words (`value=score`, a KPI, a time zone) and a header enter, reports leave. Columns whose names are fields of a
//! measurement need no words; other columns are ignored. Reading the file is not done here.

use csv::StringRecord;
use jiff::tz::TimeZone;

use crate::domain::measurement::Report;
use crate::wire::measurement::{Field, Refusal, malformed};

mod target;

use target::Target;

/// How the measurements of a file are made.
#[derive(Debug, Clone, Default)]
pub struct FileForm {
    /// Which column gives which field, beside those that have its name.
    columns: Vec<(Target, String)>,
    /// What stands in where a measurement says nothing.
    constants: Vec<(Target, String)>,
    /// For times without an offset.
    time_zone: Option<TimeZone>,
}

/// A form in the words of a user.
#[derive(Debug, Clone, Copy, Default)]
pub struct FormWords<'a> {
    /// Field and column, such as `value` and `score`, or `label.site` and `location`.
    pub map: &'a [(String, String)],
    /// Field and the text that it has wherever a measurement says nothing of it.
    pub set: &'a [(String, String)],
    /// KPI of measurements that name none.
    pub kpi: Option<&'a str>,
    /// Source of measurements that name none.
    pub source: Option<&'a str>,
    /// IANA time zone of times without an offset.
    pub time_zone: Option<&'a str>,
}

/// Why words are not a form: wrong usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Not a field of a measurement.
    #[error("`{found}` is not a field of a measurement: use one of {}", target::NAMES)]
    UnknownField {
        /// What was found.
        found: String,
    },
    /// Two columns or two constants for one field.
    #[error("`{field}` is given twice: leave one out")]
    Twice {
        /// The field.
        field: String,
    },
    /// A constant that its field cannot have.
    #[error("{detail}")]
    Constant {
        /// The thing, the value found and the remedy.
        detail: String,
    },
    /// Not a time zone.
    #[error("`{found}` is not a time zone: use a name of the IANA database, such as Europe/Berlin or UTC")]
    TimeZone {
        /// What was found.
        found: String,
    },
}

impl FileForm {
    /// Understands a user's words.
    pub fn new(words: &FormWords<'_>) -> Result<Self, FormError> {
        let time_zone = match words.time_zone {
            None => None,
            Some(name) => Some(TimeZone::get(name).map_err(|_| FormError::TimeZone { found: name.to_owned() })?),
        };
        let kpi = words.kpi.map(|kpi| ("kpi".to_owned(), kpi.to_owned()));
        let source = words.source.map(|source| ("source".to_owned(), source.to_owned()));
        let constants: Vec<(String, String)> = words.set.iter().cloned().chain(kpi).chain(source).collect();
        let form = Self {
            columns: targets(words.map)?,
            constants: targets(&constants)?,
            time_zone,
        };
        for (target, text) in &form.constants {
            let fits = target.set(&mut Report::default(), text, form.time_zone.as_ref());
            fits.map_err(|(_, detail)| FormError::Constant { detail })?;
        }
        Ok(form)
    }

    /// Puts in what every measurement of the file has, and checks that it says when it was true: a file has no arrival
    /// that could stand in. Corrections and retractions have the instant of what they are about.
    pub fn complete(&self, report: &mut Report) -> Result<(), Refusal> {
        for (target, text) in &self.constants {
            if !target.is_in(report) {
                target.set(report, text, self.time_zone.as_ref())?;
            }
        }
        let about_another = report.corrects.is_some() || report.retracts.is_some();
        if report.observed_at.is_none() && !about_another {
            let detail = "`observed_at` is missing: measurements in files need it";
            return Err(malformed(detail.to_owned()));
        }
        Ok(())
    }
}

fn targets(words: &[(String, String)]) -> Result<Vec<(Target, String)>, FormError> {
    let mut found: Vec<(Target, String)> = Vec::with_capacity(words.len());
    for (name, text) in words {
        let Some(target) = Target::of(name) else {
            return Err(FormError::UnknownField { found: name.clone() });
        };
        if found.iter().any(|(known, _)| *known == target) {
            return Err(FormError::Twice { field: name.clone() });
        }
        found.push((target, text.clone()));
    }
    Ok(found)
}

/// Which place of a record is which field.
#[derive(Debug, Clone)]
pub struct Columns(Vec<(usize, Target)>);

/// Why a header does not fit a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// The form names a column that is not there.
    #[error("there is no column `{name}`: the columns are {}", .found.join(", "))]
    NoColumn {
        /// Its name.
        name: String,
        /// The names that are there.
        found: Vec<String>,
    },
    /// Two columns for one field.
    #[error("two columns give `{field}`: name one of them with --map {field}=COLUMN")]
    Twice {
        /// The field.
        field: String,
    },
    /// A field without which nothing can be taken.
    #[error("no column gives `{field}`: {remedy}; the columns are {}", .found.join(", "))]
    Missing {
        /// The field.
        field: &'static str,
        /// What to do.
        remedy: &'static str,
        /// The names that are there.
        found: Vec<String>,
    },
}

impl Columns {
    /// Finds the columns of a form in a header.
    pub fn find(header: &StringRecord, form: &FileForm) -> Result<Self, ColumnError> {
        let found = || header.iter().map(|name| name.trim().to_owned()).collect::<Vec<_>>();
        let mut columns = Self(Vec::with_capacity(header.len()));
        for (target, name) in &form.columns {
            let Some(index) = header.iter().position(|column| column.trim() == name) else {
                let name = name.clone();
                return Err(ColumnError::NoColumn { name, found: found() });
            };
            columns.0.push((index, target.clone()));
        }
        let mapped = columns.0.len();
        for (index, name) in header.iter().enumerate() {
            let Some(target) = Target::of(name.trim()) else {
                continue;
            };
            let taken = |(at, known): &(usize, Target)| *at == index || *known == target;
            if columns.0.iter().take(mapped).any(taken) {
                continue;
            }
            if columns.gives(&target) {
                let field = target.to_string();
                return Err(ColumnError::Twice { field });
            }
            columns.0.push((index, target));
        }
        match columns.missing(form) {
            Some((field, remedy)) => Err(ColumnError::Missing {
                field,
                remedy,
                found: found(),
            }),
            None => Ok(columns),
        }
    }

    /// The report that a record makes. Empty cells say nothing.
    pub fn report(&self, record: &StringRecord, form: &FileForm) -> Result<Report, Refusal> {
        let mut report = Report::default();
        for (index, target) in &self.0 {
            let cell = record.get(*index).unwrap_or_default().trim();
            if !cell.is_empty() {
                target.set(&mut report, cell, form.time_zone.as_ref())?;
            }
        }
        form.complete(&mut report)?;
        Ok(report)
    }

    fn gives(&self, target: &Target) -> bool {
        self.0.iter().any(|(_, known)| known == target)
    }

    /// What no record could have, said once instead of for each.
    fn missing(&self, form: &FileForm) -> Option<(&'static str, &'static str)> {
        let given = |fields: &[Field]| {
            let of_these = |target: &Target| fields.iter().any(|field| *target == Target::Field(*field));
            let mut constants = form.constants.iter().map(|(target, _)| target);
            self.0.iter().any(|(_, target)| of_these(target)) || constants.any(of_these)
        };
        if !given(&[Field::ObservedAt, Field::Corrects, Field::Retracts]) {
            return Some(("observed_at", "add --map observed_at=COLUMN"));
        }
        if !given(&[Field::Value, Field::Numerator, Field::NotApplicable, Field::Retracts]) {
            return Some(("value", "add --map value=COLUMN, or numerator and denominator"));
        }
        if !given(&[Field::Kpi, Field::Retracts]) {
            return Some(("kpi", "add --kpi ID, or --map kpi=COLUMN"));
        }
        None
    }
}

#[cfg(test)]
mod tests;
