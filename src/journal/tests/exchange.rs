//! Exports and imports: what goes out as lines or columns comes back as the same journal, and nothing broken becomes one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;

use super::promises::SMALL;
use super::samples::{append_all, arbitrary_block, drain, empty, key, one_of_everything, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::journal::{
    DiskFiles, ExchangeError, ExportRange, FileJournal, Place, RecordForm, export, import, open_reader, stat, verify,
};
use crate::ports::{Journal, Tail};

const FORMS: [RecordForm; 2] = [RecordForm::Ndjson, RecordForm::Parquet];

/// Bytes that somebody else looks at afterwards.
#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An arbitrary block made to continue a journal: everything else of it stays arbitrary.
fn continued(mut block: Block, tail: Tail) -> Block {
    block.first = tail.next;
    block.recorded_at = tail.recorded_at.plus_ms(block.measurements.len() as i64);
    block.series_base = tail.series;
    if tail.series == 0 && block.new_series.is_empty() {
        block.new_series.push(key("it.csat", Some("berlin")));
    }
    let series = block.series_base + block.new_series.len() as u32;
    let tell = |at: i64| at.rem_euclid(Instant::LATEST.0);
    let columns = &mut block.measurements;
    columns.series.iter_mut().for_each(|number| *number %= series);
    columns.observed_at.iter_mut().for_each(|at| *at = tell(*at));
    columns.received_at = columns.received_at.map(tell);
    let finite = |number: f64| if number.is_finite() { number } else { 1e300 };
    columns.value.iter_mut().for_each(|number| *number = finite(*number));
    columns.second = columns.second.map(finite);
    block
}

fn journal_of(dir: &Path, blocks: impl IntoIterator<Item = Block>) -> Vec<Block> {
    let mut journal = FileJournal::open(dir, SMALL, Arc::new(DiskFiles)).unwrap();
    let mut written = Vec::new();
    for block in blocks {
        let block = continued(block, journal.tail());
        journal.append(&block).unwrap();
        written.push(block);
    }
    written
}

fn exported(dir: &Path, form: RecordForm, range: ExportRange) -> Vec<u8> {
    let bytes = Bytes::default();
    let mut sink = form.sink(Box::new(bytes.clone())).unwrap();
    export(dir, range, &mut *sink, &mut |_, _| {}).unwrap();
    sink.finish().unwrap();
    std::mem::take(&mut *bytes.0.lock().unwrap())
}

fn imported(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, ExchangeError> {
    let (file, to) = (dir.join(format!("{name}.export")), dir.join(name));
    std::fs::write(&file, bytes).unwrap();
    import(&to, &[file], SMALL.segment_bytes, &mut |_, _| {}).map(|_| to)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_journal_comes_back_from_lines_and_from_columns(blocks in vec(arbitrary_block(), 1..6)) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("journal");
        let mut blocks = blocks;
        blocks.insert(0, one_of_everything());
        let written = journal_of(&dir, blocks);
        for form in FORMS {
            let bytes = exported(&dir, form, ExportRange::default());
            let copy = imported(folder.path(), &format!("{form:?}"), &bytes).unwrap();
            let read = drain(open_reader(&copy, Sequence(1)).unwrap().as_mut());
            prop_assert_eq!(&read, &written, "{:?}", form);
            prop_assert_eq!(exported(&copy, form, ExportRange::default()), bytes, "the same bytes again");
            let head = |dir: &Path| verify(dir, &mut |_, _| {}).unwrap().head_hash;
            prop_assert_eq!(head(&copy), head(&dir), "the very same chain");
        }
    }
}

#[test]
fn sources_that_moved_without_a_fact_come_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("journal");
    let (start, moved) = (super::super::segment::START, |n| empty(super::super::segment::START, n));
    let written = journal_of(&dir, [plain(start, 3), moved(7), moved(8), plain(start, 2), moved(9)]);
    let bytes = exported(&dir, RecordForm::Ndjson, ExportRange::default());
    let copy = imported(folder.path(), "copy", &bytes).unwrap();
    assert_eq!(drain(open_reader(&copy, Sequence(1)).unwrap().as_mut()), written);
}

fn small(dir: &Path) -> Vec<Block> {
    let mut journal = FileJournal::open(dir, SMALL, Arc::new(DiskFiles)).unwrap();
    append_all(&mut journal, &[3, 2, 4])
}

#[test]
fn a_range_is_told_by_sequence_and_by_instant_both_ends_included() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("journal");
    let blocks = small(&dir);
    let told = |from: Option<Place>, to: Option<Place>| {
        let text = String::from_utf8(exported(&dir, RecordForm::Ndjson, ExportRange { from, to })).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter_map(|line| line["sequence"].as_u64()).collect::<Vec<_>>()
    };
    let (at, sequence) = (
        |n: usize| Some(Place::Instant(blocks[n].recorded_at)),
        |n| Some(Place::Sequence(Sequence(n))),
    );
    assert_eq!(told(None, None), (1..=9).collect::<Vec<_>>());
    assert_eq!(told(sequence(2), sequence(4)), [2, 3, 4], "parts of two blocks");
    assert_eq!(told(at(1), at(1)), [4, 5]);
    assert_eq!(told(at(1), sequence(6)), [4, 5, 6]);
    assert_eq!(told(sequence(9), at(0)), [0; 0]);
}

/// What an import of these lines says, and whether it left anything.
fn refusal(lines: &str) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let error = imported(folder.path(), "copy", lines.as_bytes()).unwrap_err();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    (
        error.to_string().replace(&folder.path().display().to_string(), ""),
        left > 1,
    )
}

#[test]
fn a_broken_file_is_named_with_its_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("journal");
    small(&dir);
    let text = String::from_utf8(exported(&dir, RecordForm::Ndjson, ExportRange::default())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |n: usize, line: &str| {
        let mut lines = lines.clone();
        lines[n] = line;
        lines.join("\n") + "\n"
    };
    // The first line says which series the first block names: the facts stand at the lines from 2 on.
    let changed = |from: &str, to: &str| with(5, &lines[5].replace(from, to));
    for (broken, words) in [
        (with(5, "{"), "/copy.export:6: EOF while parsing"),
        (
            with(5, lines[6]),
            "/copy.export:6: its block begins at 6, the next is 5",
        ),
        (
            lines[2..].join("\n") + "\n",
            "/copy.export:1: its sequence is 2, the next is 1",
        ),
        (
            changed("\"value\":", "\"valve\":"),
            "/copy.export:6: unknown field `valve`",
        ),
        (
            changed("it.mttr", "it.csat"),
            "/copy.export:6: series 1 is not that of `it.csat`",
        ),
        (
            changed("\"value\":", "\"numerator\":"),
            "/copy.export:6: it needs one of `value`",
        ),
        (text.trim_end().to_owned(), "/copy.export:10: the line is cut off"),
        (
            lines[..3].join("\n") + "\n",
            "/copy.export:0: the block that begins at 1 has 1 facts more",
        ),
        (
            lines[4..].join("\n") + "\n",
            "/copy.export:1: its block begins at 4, the next is 1",
        ),
        (String::new(), "the files hold no fact"),
    ] {
        let (said, is_left) = refusal(&broken);
        assert!(said.starts_with(words), "{said}\nwanted: {words}");
        assert!(!is_left, "{words}");
    }
}

#[test]
fn a_broken_parquet_file_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("journal");
    small(&dir);
    let bytes = exported(&dir, RecordForm::Parquet, ExportRange::default());
    for (name, broken) in [("cut", &bytes[..bytes.len() / 2]), ("head", &bytes[..6])] {
        let error = imported(folder.path(), name, broken).unwrap_err();
        assert!(matches!(error, ExchangeError::Broken { line: 1, .. }), "{error}");
        assert!(!folder.path().join(name).exists());
    }
}

#[test]
fn a_journal_that_is_there_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("journal");
    small(&dir);
    let bytes = exported(&dir, RecordForm::Ndjson, ExportRange::default());
    let error = imported(folder.path(), "journal", &bytes).unwrap_err();
    assert!(matches!(error, ExchangeError::NotEmpty(_)), "{error}");
    assert_eq!(stat(&dir, &mut |_, _| {}).unwrap().facts, 9);
}
