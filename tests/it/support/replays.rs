//! Replays in this process, by the code that the command line runs.

use std::io::Write;

use kpid::app::replay::{ReplayInput, ReplayRequest, Told, replay};
use kpid::domain::catalog::CatalogFile;
use kpid::domain::projection::{ClockKind, Effects};
use kpid::wire::csv::FileForm;

use crate::reference::{AlertLine, File, Lines, ReadingLine};

/// Catalog files as the program takes them.
pub fn catalog_files(files: &[File]) -> Vec<CatalogFile> {
    let file = |(name, text): &File| CatalogFile {
        name: name.clone(),
        text: text.clone(),
    };
    files.iter().map(file).collect()
}

/// What the program makes of a stream of NDJSON by the event clock.
pub fn kpid_replay(files: &[File], ndjson: &str, every_ms: i64) -> Lines {
    let mut input = tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap();
    input.write_all(ndjson.as_bytes()).unwrap();
    let request = ReplayRequest {
        input: ReplayInput::Files(vec![input.path().to_owned()], FileForm::default()),
        catalog: Some(catalog_files(files)),
        clock: ClockKind::Event { every_ms },
        at: None,
        known_at: None,
        until: None,
        history_ms: None,
        with_readings: true,
    };
    let mut lines = Lines::default();
    let outcome = replay(&request, &mut |told| {
        if let Told::Effects(effects) = told {
            add(&mut lines, &effects);
        }
    });
    if let Err(error) = outcome {
        panic!("the program does not replay this: {error}\n{files:?}");
    }
    lines
}

/// Effects in the lines of the reference.
pub fn add(lines: &mut Lines, effects: &Effects) {
    for change in &effects.readings {
        let reading = &change.reading;
        lines.0.push(ReadingLine {
            at_ms: change.at.0,
            path: change.path.to_string(),
            value: reading.value,
            score: reading.score,
            status: reading.status.as_deref().map(str::to_owned),
            absence: reading.absence.map(|absence| absence.word().to_owned()),
            coverage: reading.coverage,
        });
    }
    for transition in &effects.transitions {
        lines.1.push(AlertLine {
            rule: transition.rule.to_string(),
            path: transition.path.to_string(),
            transition: transition.kind.word().to_owned(),
            at_ms: transition.at.0,
            since_ms: transition.since.0,
        });
    }
}
