//! `kpid send`: measurements from files into a running daemon, over HTTP or NATS.
//!
//! Files and an address enter; progress and a summary go to stderr. Sending again changes nothing: a measurement without
//! an id gets one made of the file and its place in it, which the daemon recognises. What the daemon acknowledged is
//! noted, so that an interrupted run goes on where it stopped; losing that note costs time only. The source of
//! measurements that name none is `file`, whichever way they travel.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::args::{FormArgs, duration};
use crate::app::files::{FileError, FileReports};
use crate::wire::csv::{FileForm, FormError, FormWords};

mod delivery;
mod http;
mod nats;
mod parcel;
mod resume;
mod tally;

use delivery::{Delivery, Destination};
use parcel::{Parcel, Parcels};
use resume::{Progress, ResumeFolder};
use tally::{Tally, Terminal};

/// Source of measurements that name none.
const SOURCE: &str = "file";

/// `kpid send`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    kpid send measurements.ndjson\n  \
    kpid send --kpi it.latency --map observed_at=timestamp --time-zone UTC latency.csv\n  \
    kpid send --to nats://127.0.0.1:4222 --kpi training.passed --map numerator=passed --set denominator=1 exams.csv\n\n\
    Exit code 0: all taken, now or earlier. 1: something was rejected or not delivered. 2: wrong usage.")]
pub struct SendArgs {
    /// NDJSON, or CSV by the ending .csv
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Where to: the daemon's address, or a NATS server of it; a token is taken from the variable `KPID_HTTP__TOKEN`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8484")]
    pub to: String,
    /// Credentials file for NATS
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Measurements a request or message; fewer where they are long, it ends at 512 KiB
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch: u32,
    /// Keep trying this long while the daemon cannot be reached
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub give_up_after: Duration,
    /// Begin at the first measurement, also where an earlier run got further
    #[arg(long)]
    pub restart: bool,
    /// How the files are read.
    #[command(flatten)]
    pub form: FormArgs,
}

/// Why nothing, or not everything, was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Not an address.
    #[error("`{found}` is no address: use http://HOST:PORT of the daemon or nats://HOST:PORT of its NATS server")]
    Address {
        /// What was found.
        found: String,
    },
    /// The flags about files contradict each other or the measurement.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The destination did not take a batch.
    #[error("{to} did not take the measurements: {reason}")]
    NotTaken {
        /// Where to.
        to: String,
        /// What it said, and the remedy.
        reason: String,
    },
    /// The destination could not be reached for too long.
    #[error("gave up after {patience:?} without {to}: {reason}: the same command goes on where it stopped")]
    GaveUp {
        /// Where to.
        to: String,
        /// How long it was tried.
        patience: Duration,
        /// The last reason.
        reason: String,
    },
}

impl SendError {
    /// 2 for wrong usage, 1 for failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Address { .. } | Self::Form(_) | Self::File(FileError::Columns { .. } | FileError::Array { .. }) => 2,
            Self::File(FileError::Io { .. }) | Self::NotTaken { .. } | Self::GaveUp { .. } => 1,
        }
    }
}

/// Sends the files in order and says what became of them. The code is 1 when something was rejected.
pub fn run(args: &SendArgs) -> Result<ExitCode, SendError> {
    run_with(args, ResumeFolder::of_user())
}

fn run_with(args: &SendArgs, resume: ResumeFolder) -> Result<ExitCode, SendError> {
    let words = args.form.words(Some(SOURCE));
    let form = FileForm::new(&words)?;
    let files = open_all(&args.files, &form)?;
    let to = delivery::without_secrets(&args.to);
    let mut sending = Sending {
        destination: Destination::at(&args.to, args.credentials.as_deref())?,
        resume,
        terminal: Terminal::new(files.iter().map(|file| file.len).sum()),
        tally: Tally::default(),
        to,
        args,
    };
    let sent = files.into_iter().try_for_each(|file| sending.file(file, &words));
    sending.terminal.finish();
    sending.tally.say(sending.destination.judges());
    sent?;
    Ok(if sending.tally.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A file about to be sent.
struct OpenFile {
    path: PathBuf,
    len: u64,
    reports: FileReports,
}

/// All of them first, so that a wrong column of the last is known before the first is sent.
fn open_all(paths: &[PathBuf], form: &FileForm) -> Result<Vec<OpenFile>, SendError> {
    let open = |path: &PathBuf| {
        let reports = FileReports::open(path, form.clone())?;
        let len = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        let path = path.clone();
        Ok(OpenFile { path, len, reports })
    };
    paths.iter().map(open).collect()
}

struct Sending<'a> {
    destination: Destination,
    resume: ResumeFolder,
    terminal: Terminal,
    tally: Tally,
    /// The destination as it may be shown.
    to: String,
    args: &'a SendArgs,
}

impl Sending<'_> {
    fn file(&mut self, file: OpenFile, words: &FormWords<'_>) -> Result<(), SendError> {
        let fingerprint = resume::fingerprint(&file.path, words).map_err(|source| FileError::Io {
            path: file.path.clone(),
            operation: "read",
            source,
        })?;
        let mut progress = self.resume.progress(&fingerprint, &self.args.to);
        if self.args.restart {
            progress.forget();
        }
        let reached = progress.reached();
        if reached > 0 {
            let (path, to) = (file.path.display(), &self.to);
            self.terminal.say(&format!(
                "{path}: going on after record {reached}, which {to} has from an earlier run (--restart sends all)"
            ));
        }
        let mut parcels = Parcels::new(&fingerprint, self.args.batch as usize);
        let mut reports = file.reports;
        while let Some(entry) = reports.next() {
            let (number, report) = entry?;
            if number <= reached {
                continue;
            }
            let full = match report {
                Ok(report) => parcels.add(number, report),
                Err((reason, detail)) => {
                    self.tally.unreadable(&file.path, number, (reason.word(), &detail));
                    None
                }
            };
            if let Some(parcel) = full {
                self.deliver(&file.path, &parcel, &mut progress)?;
            }
            self.terminal.reached(&file.path, reports.bytes_read());
        }
        if let Some(parcel) = parcels.rest() {
            self.deliver(&file.path, &parcel, &mut progress)?;
        }
        self.terminal.file_done(file.len);
        progress.forget();
        Ok(())
    }

    fn deliver(&mut self, path: &Path, parcel: &Parcel, progress: &mut Progress) -> Result<(), SendError> {
        let delivery = Delivery {
            parcel,
            // Within two minutes a stream passes over a message that it knows; whoever starts over wants it judged again.
            known: !self.args.restart,
            patience: self.args.give_up_after,
        };
        let answer = delivery.to(&mut self.destination, &self.to, &self.terminal)?;
        self.tally.answered(path, parcel, &answer);
        if let Some(last) = parcel.numbers.last()
            && let Err(error) = progress.note(*last)
        {
            self.terminal.say_once(&format!(
                "how far it got cannot be noted ({error}): an interrupted run would start over, which changes nothing"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
