//! Exports in the hands of others: `DuckDB` and pyarrow count and add up the same as the journal does.
//!
//! They run in the Python that `KPID_TEST_PYTHON` names, else in `.venv` of this folder; `tests/run` installs them there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use kpid::domain::fact::Entry;
use kpid::domain::id::Sequence;
use kpid::journal::open_reader;
use serde_json::{Value, json};

use super::{batch, desk, text};

/// Reads both forms with both readers and prints what it finds as JSON.
const ANALYSIS: &str = r#"
import json, sys
import duckdb, pyarrow.compute as pc, pyarrow.parquet as pq
ndjson, parquet = sys.argv[1:3]
QUERY = """select fact, kpi, count(*), sum(value), epoch_ms(min(observed_at)::timestamp), epoch_ms(max(recorded_at)::timestamp),
  max(sequence) from {} where fact <> 'block' group by fact, kpi order by fact, kpi"""
duckdb.sql("set timezone = 'UTC'")
found = {
    "duckdb parquet": duckdb.sql(QUERY.format(f"read_parquet('{parquet}')")).fetchall(),
    "duckdb ndjson": duckdb.sql(QUERY.format(f"read_json('{ndjson}', format = 'newline_delimited')")).fetchall(),
}
table = pq.read_table(parquet)
rows = []
facts = table.filter(pc.not_equal(table["fact"], "block")).group_by(["fact", "kpi"])
ms = lambda at: None if at is None else int(at.timestamp() * 1000 + 0.5)
grouped = facts.aggregate([("sequence", "count"), ("value", "sum"), ("observed_at", "min"), ("recorded_at", "max"), ("sequence", "max")])
for row in grouped.to_pylist():
    rows.append([row["fact"], row["kpi"], row["sequence_count"], row["value_sum"], ms(row["observed_at_min"]),
        ms(row["recorded_at_max"]), row["sequence_max"]])
found["pyarrow parquet"] = sorted(rows, key=lambda row: (row[0], row[1] or ""))
found["labels"] = duckdb.sql(f"select labels->>'shift' as s, count(*) from read_parquet('{parquet}') where labels is not null group by s order by s").fetchall()
print(json.dumps(found))
"#;

/// The Python that has the readers; `None`, and said loudly, where there is none.
fn python() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("KPID_TEST_PYTHON") {
        return Some(PathBuf::from(named));
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let has_readers = |python: &Path| {
        let asked = Command::new(python)
            .args(["-c", "import duckdb, pyarrow, pytz"])
            .output();
        asked.is_ok_and(|answer| answer.status.success())
    };
    if has_readers(&own) {
        return Some(own);
    }
    let words = "no Python with duckdb and pyarrow (KPID_TEST_PYTHON, else .venv): exports were not read by others";
    // Past the harness, which shows nothing of a test that passes.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("\n!! {words}\n\n").as_bytes());
    None
}

/// Totals by fact and KPI: count, sum of values, first observation, last recording, last sequence.
type Totals = BTreeMap<(String, Option<String>), (u64, f64, Option<i64>, i64, u64)>;

fn totals(journal: &Path) -> Totals {
    let mut totals = Totals::new();
    let (mut reader, mut names) = (open_reader(journal, Sequence(1)).unwrap(), Vec::new());
    while let Some(block) = reader.next_block().unwrap() {
        names.extend(block.new_series.iter().map(|key| key.kpi.to_string()));
        for (sequence, entry) in block.entries() {
            let (fact, kpi, value, observed_at) = match entry {
                Entry::Measurement(row) => {
                    let kpi = names[row.series.0 as usize].clone();
                    ("measurement_recorded", Some(kpi), row.value, Some(row.observed_at.0))
                }
                Entry::Other(kpid::domain::fact::Fact::MeasurementCorrected(of)) => {
                    let kpi = names[of.target.series.0 as usize].clone();
                    (
                        "measurement_corrected",
                        Some(kpi),
                        of.row().value,
                        Some(of.observed_at.0),
                    )
                }
                Entry::Other(_) => ("catalog_activated", None, 0.0, None),
            };
            let at = block.recorded_at.0;
            let found = totals
                .entry((fact.to_owned(), kpi))
                .or_insert((0, 0.0, observed_at, at, 0));
            found.0 += 1;
            found.1 += value;
            found.2 = found.2.min(observed_at);
            found.3 = found.3.max(at);
            found.4 = sequence.0;
        }
    }
    totals
}

/// Whether an analyst's rows are the journal's totals; sums to within the rounding of another order.
fn check(who: &str, rows: &Value, totals: &Totals) {
    let rows = rows.as_array().unwrap_or_else(|| panic!("{who}: {rows}"));
    assert_eq!(rows.len(), totals.len(), "{who}: {rows:?}");
    for (row, ((fact, kpi), (count, sum, first, last, sequence))) in rows.iter().zip(totals) {
        let expected = [json!(fact), json!(kpi), json!(count)];
        assert_eq!([&row[0], &row[1], &row[2]], expected.each_ref(), "{who}");
        assert_eq!(
            [&row[4], &row[5], &row[6]],
            [json!(first), json!(last), json!(sequence)].each_ref(),
            "{who}"
        );
        let found = row[3].as_f64().unwrap_or(0.0);
        assert!((found - sum).abs() <= sum.abs() * 1e-12, "{who}: {found} is not {sum}");
    }
}

#[test]
fn duckdb_and_pyarrow_find_the_same_totals_as_the_journal_has() {
    let Some(python) = python() else { return };
    let mut daemon = desk();
    daemon.start_ready();
    for number in 0..10 {
        assert_eq!(daemon.post(&batch(number, 500)).0, 200);
    }
    let correction =
        r#"{"kpi":"desk.csat","corrects":"m7","source":"s3","value":44.5,"observed_at":"2026-03-01T10:00:00.250Z"}"#;
    assert_eq!(daemon.post(correction).1["accepted"], 1);
    daemon.stop_well();
    let (lines, columns) = (daemon.path("all.ndjson"), daemon.path("all.parquet"));
    daemon.answer(&["journal", "export", "--output", &text(&lines)]);
    daemon.answer(&["journal", "export", "--format", "parquet", "--output", &text(&columns)]);
    let analysis = Command::new(python)
        .args(["-c", ANALYSIS, &text(&lines), &text(&columns)])
        .output()
        .expect("Python runs");
    let words = String::from_utf8_lossy(&analysis.stderr);
    assert!(analysis.status.success(), "{words}");
    let found: Value = serde_json::from_slice(&analysis.stdout).expect("JSON");
    let totals = totals(&daemon.journal());
    assert_eq!(totals.values().map(|total| total.0).sum::<u64>(), 5_002);
    for who in ["duckdb parquet", "duckdb ndjson", "pyarrow parquet"] {
        check(who, &found[who], &totals);
    }
    assert_eq!(found["labels"], json!([["0", 1667], ["1", 1667], ["2", 1666]]));
}
