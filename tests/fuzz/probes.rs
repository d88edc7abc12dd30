//! What is done with arbitrary bytes: by the fuzzer, and over the corpora by an ordinary test of the package.
//!
//! Nothing may panic, hang or take memory without bound. Where something was read it must keep what its type promises.

use std::ops::Range;

use kpid::domain::catalog::CatalogFile;
use kpid::ingest::decode::{DecodeLimits, Envelope, decode};
use kpid::ingest::file::{FileForm, FileReports};
use kpid::journal::{decode_block, verify};

/// A block, its checksums made right, so that what is behind them is reached.
pub fn block(bytes: &[u8]) {
    let _ = decode_block(bytes);
    let mut sealed = bytes.to_vec();
    if !seal(&mut sealed) {
        return;
    }
    if let Ok(block) = decode_block(&sealed) {
        // What was read keeps what every block keeps.
        let facts = block.entries().count() as u64;
        assert_eq!(facts, block.len());
        assert_eq!(block.measurements.len(), block.measurements.shape.len());
    }
}

/// Gives a header the lengths and checksums of its body; false where there is not room for one.
fn seal(block: &mut Vec<u8>) -> bool {
    if block.len() < 96 {
        return false;
    }
    block.truncate(block.len() / 8 * 8);
    // A format version that there is stays what it is.
    let version = if matches!(block[4], 1..=3) { block[4] } else { 1 };
    block[..8].copy_from_slice(&[0xFF, b'K', b'P', b'J', version, 0, 0, 0]);
    let body = block.len() as u32 - 88;
    block[40..44].copy_from_slice(&body.to_le_bytes());
    let crc = crc32c(&block[88..]);
    block[44..48].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c(&block[..84]);
    block[84..88].copy_from_slice(&crc.to_le_bytes());
    true
}

/// CRC32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |register: u32, _| (register >> 1) ^ if register & 1 == 1 { 0x82f6_3b78 } else { 0 };
    !bytes
        .iter()
        .fold(!0, |register, byte| (0..8).fold(register ^ u32::from(*byte), step))
}

/// A folder with one segment of these bytes: it is proved, or its first misfit is named.
pub fn segment(bytes: &[u8]) {
    let folder = Folder::new("segment");
    std::fs::write(folder.0.join("00000000000000000001.seg"), bytes).expect("a segment");
    let _ = verify(&folder.0, &mut |_, _| {});
}

/// A payload in every envelope: the first byte says which.
pub fn ingest(bytes: &[u8]) {
    let Some((kind, payload)) = bytes.split_first() else {
        return;
    };
    let subject = Some("it.csat");
    let envelope = match kind % 6 {
        0 => Envelope::default(),
        1 => Envelope {
            subject_kpi: subject,
            ..Envelope::default()
        },
        2 => Envelope {
            content_type: Some("application/cloudevents+json"),
            ..Envelope::default()
        },
        3 => Envelope {
            content_type: Some("application/cloudevents-batch+json"),
            ..Envelope::default()
        },
        4 => Envelope {
            content_type: Some("application/x-ndjson"),
            ..Envelope::default()
        },
        _ => Envelope {
            ce_type: Some("kpid.measurement.v1"),
            ce_id: Some("a"),
            ce_source: Some("b"),
            ce_time: Some("2026-03-01T10:00:00Z"),
            ce_specversion: Some("1.0"),
            subject_kpi: subject,
            ..Envelope::default()
        },
    };
    let limits = DecodeLimits {
        batch_len_max: 50,
        measurement_len_max: 2_000,
    };
    let decoded = decode(payload, &envelope, &limits);
    assert_eq!(decoded.reports.len(), decoded.spans.len());
    // One more entry says that the rest is too much.
    assert!(decoded.reports.len() <= limits.batch_len_max + 1);
    let within = |span: &Range<usize>| span.start <= span.end && span.end <= payload.len();
    assert!(decoded.spans.iter().all(within));
    for report in decoded.reports.into_iter().flatten() {
        for number in [report.numerator, report.denominator, report.weight]
            .into_iter()
            .flatten()
        {
            assert!(number.is_finite());
        }
    }
}

/// A table, and the same bytes as lines.
pub fn csv(bytes: &[u8]) {
    let folder = Folder::new("csv");
    for name in ["table.csv", "table.tsv", "lines.ndjson"] {
        let path = folder.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        let Ok(reports) = FileReports::open(&path, FileForm::default()) else {
            continue;
        };
        // Each gives at least a byte of its own, so that they come to an end.
        assert!(reports.take(bytes.len() + 2).count() <= bytes.len() + 1);
    }
}

/// A catalog of one file: it is a catalog, or every problem has its place in the file.
pub fn catalog(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = CatalogFile {
        name: "a.toml".to_owned(),
        text: text.to_owned(),
    };
    match kpid::wire::catalog::parse(std::slice::from_ref(&file)) {
        Ok(catalog) => {
            let again = kpid::wire::catalog::parse(&[file]).expect("it was one before");
            assert_eq!(catalog.fingerprint, again.fingerprint);
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
}

/// A folder of this process for one probe, in memory where there is a place for that.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let shared = std::path::Path::new("/dev/shm");
        let above = if shared.is_dir() {
            shared.to_owned()
        } else {
            std::env::temp_dir()
        };
        let path = above.join(format!("kpid-probe-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
