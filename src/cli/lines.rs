//! Lines of readings and alerts on their way into files, by a thread of its own.
//!
//! What came of a replay enters, in its order; its lines leave in the same order. While lines are written the replay goes on;
//! it waits when the writing is far behind.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::Serialize;

use super::error::CliError;
use crate::domain::instant::Instant;
use crate::domain::projection::Effects;
use crate::wire::alert::AlertLine;
use crate::wire::reading::ReadingLine;

/// Bytes that are written at one time.
const WRITE_LEN: usize = 1 << 18;

/// Effects that wait to be written.
const WAITING_MAX: usize = 2;

/// Writes lines on its thread; or nothing, when nobody asked for any.
pub(super) struct LineWriter(Option<Writing>);

struct Writing {
    effects: SyncSender<Effects>,
    /// What was written comes back to be freed where it was made: both threads would otherwise contend for the counts of
    /// names that all readings share.
    written: Receiver<Effects>,
    thread: JoinHandle<Result<(), CliError>>,
}

impl LineWriter {
    /// Creates the files.
    pub(super) fn create(readings: Option<&Path>, alerts: Option<&Path>) -> Result<Self, CliError> {
        if readings.is_none() && alerts.is_none() {
            return Ok(Self(None));
        }
        let mut lines = AllLines {
            readings: readings.map(Lines::create).transpose()?,
            alerts: alerts.map(Lines::create).transpose()?,
        };
        let (effects, coming) = sync_channel::<Effects>(WAITING_MAX);
        // As many as are ever on their way, so that nobody waits to give one back.
        let (done, written) = sync_channel(WAITING_MAX + 2);
        let thread = std::thread::Builder::new()
            .name("kpid-lines".to_owned())
            .spawn(move || {
                for effects in coming {
                    lines.write(&effects)?;
                    let _ = done.try_send(effects);
                }
                lines.close()
            });
        let thread = thread.map_err(|error| CliError::failed(format!("a thread cannot be started: {error}")))?;
        Ok(Self(Some(Writing {
            effects,
            written,
            thread,
        })))
    }

    /// Lets the lines of a part of the replay be written.
    pub(super) fn write(&self, effects: Effects) {
        let Some(writing) = &self.0 else { return };
        if effects.readings.is_empty() && effects.transitions.is_empty() {
            return;
        }
        writing.written.try_iter().for_each(drop);
        // A writer that has failed says so at the end.
        let _ = writing.effects.send(effects);
    }

    /// Waits until everything is written; says what could not be.
    pub(super) fn finish(self) -> Result<(), CliError> {
        let Some(writing) = self.0 else { return Ok(()) };
        drop(writing.effects);
        match writing.thread.join() {
            Ok(written) => written,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

struct AllLines {
    readings: Option<Lines>,
    alerts: Option<Lines>,
}

impl AllLines {
    fn write(&mut self, effects: &Effects) -> Result<(), CliError> {
        if let Some(lines) = &mut self.readings {
            // Readings of one instant come together.
            let (mut at, mut text) = (Instant(i64::MIN), String::new());
            for change in &effects.readings {
                if change.at != at {
                    (at, text) = (change.at, change.at.to_string());
                }
                lines.write(&ReadingLine::new(change, &text))?;
            }
        }
        if let Some(lines) = &mut self.alerts {
            for transition in &effects.transitions {
                lines.write(&AlertLine::new(transition))?;
            }
        }
        Ok(())
    }

    fn close(self) -> Result<(), CliError> {
        self.readings.map_or(Ok(()), Lines::close)?;
        self.alerts.map_or(Ok(()), Lines::close)
    }
}

/// A file of JSON lines.
struct Lines {
    /// `None` for stdout.
    path: Option<PathBuf>,
    file: Box<dyn Write + Send>,
    waiting: Vec<u8>,
}

impl Lines {
    fn create(path: &Path) -> Result<Self, CliError> {
        let is_stdout = path == Path::new("-");
        let file: Box<dyn Write + Send> = if is_stdout {
            Box::new(std::io::stdout())
        } else {
            let failed = |error| CliError::failed(format!("{} cannot be created: {error}", path.display()));
            Box::new(File::create(path).map_err(failed)?)
        };
        Ok(Self {
            path: (!is_stdout).then(|| path.to_owned()),
            file,
            waiting: Vec::with_capacity(WRITE_LEN + WRITE_LEN / 8),
        })
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), CliError> {
        serde_json::to_writer(&mut self.waiting, line).map_err(|error| self.unwritable(error.into()))?;
        self.waiting.push(b'\n');
        if self.waiting.len() >= WRITE_LEN {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), CliError> {
        let written = self.file.write_all(&self.waiting).and_then(|()| self.file.flush());
        self.waiting.clear();
        written.map_err(|error| self.unwritable(error))
    }

    fn close(mut self) -> Result<(), CliError> {
        self.flush()
    }

    fn unwritable(&self, error: std::io::Error) -> CliError {
        match &self.path {
            None => CliError::from(error),
            Some(path) => CliError::failed(format!(
                "{} cannot be written: {error}: free space, or choose another place",
                path.display()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::reading::{Reading, ReadingChange};

    fn readings(of: std::ops::Range<i64>) -> Effects {
        let change = |step: i64| ReadingChange {
            at: Instant(step / 3 * 1_000),
            path: Arc::from(format!("w/{step}")),
            reading: Reading::nothing(),
        };
        Effects {
            readings: of.map(change).collect(),
            transitions: Vec::new(),
        }
    }

    #[test]
    fn lines_of_many_parts_stand_in_the_order_of_the_replay() {
        let folder = tempfile::tempdir().unwrap();
        let (readings_file, alerts_file) = (folder.path().join("r"), folder.path().join("a"));
        let writer = LineWriter::create(Some(&readings_file), Some(&alerts_file)).unwrap();
        for part in 0..40 {
            writer.write(readings(part * 500..part * 500 + 500));
            writer.write(Effects::default());
        }
        writer.finish().unwrap();
        let text = std::fs::read_to_string(&readings_file).unwrap();
        let expected = |step: i64| {
            format!(
                r#"{{"at":"{}","path":"w/{step}","value":null,"score":null,"status":null,"absence":"no_data","coverage":0.0}}"#,
                Instant(step / 3 * 1_000)
            )
        };
        assert_eq!(text.lines().count(), 20_000);
        for (step, line) in (0..).zip(text.lines()) {
            assert_eq!(line, expected(step));
        }
        assert_eq!(std::fs::read(&alerts_file).unwrap(), b"");
    }

    #[test]
    fn a_full_disk_is_told_at_the_end_and_does_not_hold_the_replay_up() {
        let full = Path::new("/dev/full");
        let writer = LineWriter::create(Some(full), None).unwrap();
        for part in 0..40 {
            writer.write(readings(part * 500..part * 500 + 500));
        }
        let CliError::Failed(word) = writer.finish().unwrap_err() else {
            panic!("a full disk is no mistake of the caller");
        };
        assert!(word.starts_with("/dev/full cannot be written: "), "{word}");
        assert!(word.ends_with(": free space, or choose another place"), "{word}");
    }

    #[test]
    fn where_nothing_was_asked_for_nothing_is_written() {
        let writer = LineWriter::create(None, None).unwrap();
        writer.write(readings(0..3));
        writer.finish().unwrap();
        let nowhere = LineWriter::create(Some(Path::new("/nowhere/r")), None);
        assert!(
            matches!(nowhere.err(), Some(CliError::Failed(word)) if word.starts_with("/nowhere/r cannot be created: "))
        );
    }
}
