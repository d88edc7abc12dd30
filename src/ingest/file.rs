//! Measurements in files: NDJSON and CSV, read record by record in constant memory.
//!
//! A path and a [`FileForm`] enter; numbered reports, or with the reason against one, leave in the file's order. A
//! record that cannot be read refuses only itself; a file that cannot be read ends the reading. Nothing is sent or judged
//! against the catalog here.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use csv::{ErrorKind, StringRecord};

use crate::domain::measurement::{RejectionReason, Report};
use crate::wire::cloudevents;
use crate::wire::csv::{ColumnError, Columns};
pub use crate::wire::csv::{FileForm, FormError, FormWords};
use crate::wire::measurement::{Refusal, malformed};

/// Longest line of NDJSON, in bytes: what one measurement may have by default. A file without line ends cannot fill the memory.
pub const LINE_LEN_MAX: u64 = 64 * 1024;

/// One measurement of a file: its number, and what it says or why it cannot be read. The number is the line in NDJSON, and
/// in CSV the record with the header as the first, which is the line as long as no line is blank and no cell holds line ends.
pub type NumberedReport = (u64, Result<Report, Refusal>);

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error("{path} cannot be {operation}: {source}: check the path and its permissions")]
    Io {
        /// Which file.
        path: PathBuf,
        /// `opened` or `read`.
        operation: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A JSON array cannot be read piece by piece.
    #[error("{path} is one JSON array: write one measurement a line, for example with `jq -c '.[]'`")]
    Array {
        /// Which file.
        path: PathBuf,
    },
    /// The header does not fit the form: wrong usage.
    #[error("{path}: {source}")]
    Columns {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        source: ColumnError,
    },
}

/// The measurements of one file.
pub struct FileReports {
    path: PathBuf,
    form: FileForm,
    records: Records,
}

enum Records {
    Lines(Lines),
    Rows(Rows),
}

impl FileReports {
    /// Opens a file. `.csv` and `.tsv` are tables, `.ndjson` and `.jsonl` are lines; other files are lines when they begin with `{`.
    pub fn open(path: &Path, form: FileForm) -> Result<Self, FileError> {
        let io = |operation| {
            let path = path.to_owned();
            move |source| FileError::Io {
                path,
                operation,
                source,
            }
        };
        let mut file = File::open(path).map_err(io("opened"))?;
        let beginning = beginning(&mut file).map_err(io("read"))?;
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let records = match (ending, beginning) {
            ("csv" | "tsv", _) => Records::Rows(Rows::open(file, ending, path, &form)?),
            (_, Some(b'[')) => return Err(FileError::Array { path: path.to_owned() }),
            ("ndjson" | "jsonl", _) | (_, Some(b'{') | None) => Records::Lines(Lines::new(file)),
            _ => Records::Rows(Rows::open(file, ending, path, &form)?),
        };
        Ok(Self {
            path: path.to_owned(),
            form,
            records,
        })
    }

    /// Bytes read so far, for showing progress.
    pub fn bytes_read(&self) -> u64 {
        match &self.records {
            Records::Lines(lines) => lines.bytes,
            Records::Rows(rows) => rows.reader.position().byte(),
        }
    }
}

impl Iterator for FileReports {
    type Item = Result<NumberedReport, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = match &mut self.records {
            Records::Lines(lines) => lines.read(&self.form),
            Records::Rows(rows) => rows.read(&self.form),
        };
        read.map_err(|source| FileError::Io {
            path: self.path.clone(),
            operation: "read",
            source,
        })
        .transpose()
    }
}

/// The first byte that is neither white space nor a byte order mark, within the first 4 KiB; the file stands at its
/// beginning again.
fn beginning(file: &mut File) -> std::io::Result<Option<u8>> {
    let mut start = Vec::with_capacity(4096);
    file.by_ref().take(4096).read_to_end(&mut start)?;
    file.rewind()?;
    let content = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&start);
    Ok(content.iter().copied().find(|byte| !byte.is_ascii_whitespace()))
}

/// NDJSON.
struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
}

impl Lines {
    fn new(file: File) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, file),
            line: Vec::new(),
            number: 0,
            bytes: 0,
        }
    }

    /// The next line that is not blank.
    fn read(&mut self, form: &FileForm) -> std::io::Result<Option<NumberedReport>> {
        loop {
            let whole = self.read_line()?;
            if self.line.is_empty() {
                return Ok(None);
            }
            let mark: &[u8] = if self.number == 1 { b"\xEF\xBB\xBF" } else { b"" };
            let content = self.line.strip_prefix(mark).unwrap_or(&self.line).trim_ascii();
            if whole && content.is_empty() {
                continue;
            }
            let report = if whole {
                report_of(content, form)
            } else {
                Err(too_long())
            };
            return Ok(Some((self.number, report)));
        }
    }

    /// Reads a line with its end, empty at the end of the file; of a line that is too long the rest is passed over, and it
    /// gives false.
    fn read_line(&mut self) -> std::io::Result<bool> {
        self.line.clear();
        let limit = LINE_LEN_MAX + 1;
        self.bytes += self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line)? as u64;
        self.number += 1;
        if (self.line.len() as u64) < limit || self.line.ends_with(b"\n") {
            return Ok(true);
        }
        self.bytes += self.reader.skip_until(b'\n')? as u64;
        Ok(false)
    }
}

fn report_of(line: &[u8], form: &FileForm) -> Result<Report, Refusal> {
    let Ok(text) = std::str::from_utf8(line) else {
        return Err(not_utf8());
    };
    let mut report = Report::default();
    cloudevents::read(text, false, &mut report)?;
    form.complete(&mut report)?;
    Ok(report)
}

fn too_long() -> Refusal {
    let detail = format!("the line has more than {LINE_LEN_MAX} bytes: write one measurement a line");
    (RejectionReason::TooLarge, detail)
}

fn not_utf8() -> Refusal {
    malformed("it is not UTF-8: save the file in UTF-8".to_owned())
}

/// CSV, or with tabs TSV.
struct Rows {
    reader: csv::Reader<File>,
    columns: Columns,
    record: StringRecord,
    number: u64,
}

impl Rows {
    fn open(file: File, ending: &str, path: &Path, form: &FileForm) -> Result<Self, FileError> {
        let delimiter = if ending == "tsv" { b'\t' } else { b',' };
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(file);
        let header = reader.headers().map_err(|error| FileError::Io {
            path: path.to_owned(),
            operation: "read",
            source: error.into(),
        })?;
        let columns = Columns::find(header, form).map_err(|source| FileError::Columns {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            reader,
            columns,
            record: StringRecord::new(),
            number: 1,
        })
    }

    fn read(&mut self, form: &FileForm) -> std::io::Result<Option<NumberedReport>> {
        let read = self.reader.read_record(&mut self.record);
        // Counted here, because the reader's own lines differ with blank lines and with the way in which lines end.
        self.number += 1;
        let error = match read {
            Ok(false) => return Ok(None),
            Ok(true) => return Ok(Some((self.number, self.columns.report(&self.record, form)))),
            Err(error) => error,
        };
        let refusal = match error.into_kind() {
            ErrorKind::Io(source) => return Err(source),
            ErrorKind::Utf8 { .. } => not_utf8(),
            ErrorKind::UnequalLengths { expected_len, len, .. } => malformed(format!(
                "the record has {len} cells and the header {expected_len}: put cells with commas in quotes"
            )),
            other => malformed(format!("the record cannot be read: {other:?}")),
        };
        Ok(Some((self.number, Err(refusal))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instant::Instant;
    use crate::domain::measurement::ReportValue;

    /// Number, and KPI and value or the reason.
    type Seen = (u64, Result<(String, ReportValue), RejectionReason>);

    fn words(kpi: Option<&'static str>) -> FormWords<'static> {
        FormWords {
            kpi,
            time_zone: Some("UTC"),
            ..FormWords::default()
        }
    }

    fn open(name: &str, content: &[u8], words: &FormWords<'_>) -> Result<FileReports, FileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        FileReports::open(&path, FileForm::new(words).unwrap())
    }

    fn read(name: &str, content: impl AsRef<[u8]>, words: &FormWords<'_>) -> Vec<Seen> {
        let reports = open(name, content.as_ref(), words).unwrap();
        let seen = |(number, report): NumberedReport| {
            let seen = report.map(|report| (String::from(report.kpi.unwrap()), report.value.unwrap()));
            (number, seen.map_err(|(reason, _)| reason))
        };
        reports.map(|entry| seen(entry.unwrap())).collect()
    }

    fn taken(number: u64, kpi: &str, value: f64) -> Seen {
        (number, Ok((kpi.to_owned(), ReportValue::Number(value))))
    }

    #[test]
    fn ndjson_lines_stand_for_themselves() {
        let content = "\u{feff}{\"kpi\":\"a\",\"value\":1,\"at\":0}\r\n\n{\"kpi\":\"a\",\"value\":2}\noops\n\
            {\"specversion\":\"1.0\",\"type\":\"kpid.measurement.v1\",\"id\":\"e\",\"source\":\"s\",\
            \"data\":{\"kpi\":\"b\",\"value\":3,\"at\":0}}";
        let expected = [
            taken(1, "a", 1.0),
            (3, Err(RejectionReason::Malformed)),
            (4, Err(RejectionReason::Malformed)),
            taken(5, "b", 3.0),
        ];
        for name in ["x.ndjson", "x.jsonl", "x.json", "x"] {
            assert_eq!(read(name, content, &words(None)), expected, "{name}");
        }
        assert!(read("x.ndjson", "", &words(None)).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let max = LINE_LEN_MAX as usize;
        let line = |len: usize| {
            let start = r#"{"kpi":"a","value":1,"at":0,"x":""#;
            format!("{start}{}\"}}", "y".repeat(len - start.len() - 2))
        };
        let content = [line(max), line(max + 1), line(3 * max), line(100)].join("\n");
        let expected = [
            taken(1, "a", 1.0),
            (2, Err(RejectionReason::TooLarge)),
            (3, Err(RejectionReason::TooLarge)),
            taken(4, "a", 1.0),
        ];
        assert_eq!(read("x.ndjson", content, &words(None)), expected);
    }

    #[test]
    fn csv_records_stand_for_themselves() {
        let content = b"\xEF\xBB\xBFobserved_at,value,note\n2014-03-07 03:41:00,45.868,\n2014-03-07 03:46:00,47.606\n\
            2014-03-07 03:51:00,42.58,\"two\nlines\"\n\n2014-03-07 03:56:00,46.03,\xff\n2014-03-07 04:01:00,nan,\n\
            2014-03-07 04:06:00,44.5,end";
        let expected = [
            taken(2, "it.latency", 45.868),
            (3, Err(RejectionReason::Malformed)),
            taken(4, "it.latency", 42.58),
            (5, Err(RejectionReason::Malformed)),
            (6, Err(RejectionReason::NotFinite)),
            taken(7, "it.latency", 44.5),
        ];
        for name in ["latency.csv", "latency.txt"] {
            assert_eq!(read(name, content, &words(Some("it.latency"))), expected, "{name}");
        }
    }

    #[test]
    fn records_are_counted_alike_whatever_ends_them() {
        for content in ["at,value\n0,1\n0,2\n\n0,3", "at,value\r\n0,1\r\n0,2\r\n\r\n0,3\r\n"] {
            let numbers = read("x.csv", content, &words(Some("a"))).into_iter().map(|seen| seen.0);
            assert_eq!(numbers.collect::<Vec<_>>(), [2, 3, 4], "{content:?}");
        }
    }

    #[test]
    fn tabs_separate_the_cells_of_tsv() {
        let reports = read("x.tsv", "at\tvalue\n0\t1\n", &words(Some("a")));
        assert_eq!(reports, [taken(2, "a", 1.0)]);
    }

    #[test]
    fn progress_ends_at_the_end_of_the_file() {
        for (name, content) in [
            ("x.csv", "at,value\n0,1\n0,2\n"),
            ("x.ndjson", "{\"kpi\":\"a\",\"value\":1,\"at\":0}\n\n"),
        ] {
            let mut reports = open(name, content.as_bytes(), &words(Some("a"))).unwrap();
            let first = reports.next().unwrap().unwrap().1.unwrap();
            assert_eq!(first.observed_at, Some(Instant(0)));
            reports.by_ref().for_each(drop);
            assert_eq!(reports.bytes_read(), content.len() as u64);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_says_what_to_do() {
        let failed = |name: &str, content: &str| match open(name, content.as_bytes(), &words(None)) {
            Ok(_) => panic!("{name} was opened"),
            Err(error) => error.to_string(),
        };
        assert!(failed("x.json", " [{}]").contains("jq -c"));
        assert!(failed("x.csv", "at,value\n").contains("add --kpi ID"));
        let missing = FileReports::open(Path::new("/nowhere/x.csv"), FileForm::default());
        assert!(matches!(
            missing,
            Err(FileError::Io {
                operation: "opened",
                ..
            })
        ));
    }
}
