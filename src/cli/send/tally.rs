//! What a run has to say: progress while it sends, totals at the end, all of it on stderr.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::delivery::Answer;
use super::parcel::Parcel;

/// Rejections that are told in full; the others are counted.
const TOLD_MAX: usize = 10;

/// The user's terminal.
pub(super) struct Terminal {
    bar: ProgressBar,
    /// Bytes of the files that are done.
    before: Cell<u64>,
    warned: Cell<bool>,
}

impl Terminal {
    /// A bar over so many bytes; hidden where stderr is no terminal.
    pub(super) fn new(len: u64) -> Self {
        let bar = ProgressBar::new(len);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3} %, {eta} left") {
            bar.set_style(style.progress_chars("#- "));
        }
        Self {
            bar,
            before: Cell::new(0),
            warned: Cell::new(false),
        }
    }

    pub(super) fn reached(&self, path: &Path, bytes: u64) {
        if self.bar.message().is_empty() {
            self.bar.set_message(path.display().to_string());
        }
        self.bar.set_position(self.before.get() + bytes);
    }

    pub(super) fn file_done(&self, len: u64) {
        self.before.set(self.before.get() + len);
        self.bar.set_message("");
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Words above the bar.
    pub(super) fn say(&self, words: &str) {
        self.bar.suspend(|| say(words));
    }

    /// Words that are true for the whole run.
    pub(super) fn say_once(&self, words: &str) {
        if !self.warned.replace(true) {
            self.say(words);
        }
    }
}

/// When nobody listens on stderr, nothing is lost.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}

/// Totals of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sent: u64,
    accepted: u64,
    duplicates: u64,
    rejected: Reasons,
    unreadable: Reasons,
    told: Vec<String>,
}

/// How many for each reason.
#[derive(Debug, Default)]
struct Reasons(BTreeMap<String, u64>);

impl Reasons {
    fn add(&mut self, reason: &str) {
        *self.0.entry(reason.to_owned()).or_default() += 1;
    }

    fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// `12 rejected (11 implausible, 1 malformed)`
    fn words(&self, what: &str) -> String {
        let counts: Vec<String> = self
            .0
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        match counts.as_slice() {
            [] => format!("0 {what}"),
            counts => format!("{} {what} ({})", self.total(), counts.join(", ")),
        }
    }
}

impl Tally {
    /// A record that could not be read and was not sent.
    pub(super) fn unreadable(&mut self, path: &Path, number: u64, (reason, detail): (&str, &str)) {
        self.unreadable.add(reason);
        self.tell(path, Some(number), (reason, detail));
    }

    /// What the answer to a batch says.
    pub(super) fn answered(&mut self, path: &Path, parcel: &Parcel, answer: &Answer) {
        self.sent += parcel.numbers.len() as u64;
        let Answer::Receipt(receipt) = answer else { return };
        self.accepted += receipt.accepted;
        self.duplicates += receipt.duplicates;
        for rejection in &receipt.rejected {
            let number = parcel.numbers.get(rejection.index).copied();
            self.rejected.add(&rejection.reason);
            self.tell(path, number, (&rejection.reason, &rejection.detail));
        }
    }

    fn tell(&mut self, path: &Path, number: Option<u64>, (reason, detail): (&str, &str)) {
        if self.told.len() < TOLD_MAX {
            let place = number.map_or_else(String::new, |number| format!(":{number}"));
            self.told.push(format!("{}{place}: {reason}: {detail}", path.display()));
        }
    }

    /// True when all was taken, as far as is known.
    pub(super) fn is_clean(&self) -> bool {
        self.rejected.total() + self.unreadable.total() == 0
    }

    /// Says it all.
    pub(super) fn say(&self, judged: bool) {
        for line in self.words(judged) {
            say(&line);
        }
    }

    /// The first rejections, and the totals.
    fn words(&self, judged: bool) -> Vec<String> {
        let mut lines = self.told.clone();
        let untold = self.rejected.total() + self.unreadable.total() - self.told.len() as u64;
        if untold > 0 {
            lines.push(format!("and {untold} more of these"));
        }
        let sent = self.sent;
        let unreadable = self.unreadable.words("unreadable and not sent");
        lines.push(if judged {
            let (accepted, duplicates, rejected) = (self.accepted, self.duplicates, self.rejected.words("rejected"));
            format!("{sent} sent: {accepted} accepted, {duplicates} duplicates, {rejected}; {unreadable}")
        } else {
            format!(
                "{sent} stored in the stream; {unreadable}; what the daemon rejects it publishes on kpi.v1.rejected, the \
                 sender does not learn it"
            )
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::measurement::{ReceiptBody, RejectionBody};

    #[test]
    fn totals_are_by_reason_and_the_first_rejections_name_their_place() {
        let mut tally = Tally::default();
        let parcel = Parcel {
            numbers: (2..22).collect(),
            ..Parcel::default()
        };
        let rejection = |index| RejectionBody {
            index,
            reason: "implausible".to_owned(),
            detail: "900 is above 100".to_owned(),
        };
        let receipt = ReceiptBody {
            accepted: 5,
            duplicates: 4,
            rejected: (9..20).map(rejection).collect(),
            sequence: 5,
        };
        tally.unreadable(Path::new("a.csv"), 1, ("malformed", "no"));
        tally.answered(Path::new("a.csv"), &parcel, &Answer::Receipt(receipt));
        let words = tally.words(true);
        assert_eq!(words.first().unwrap(), "a.csv:1: malformed: no");
        assert_eq!(words.get(1).unwrap(), "a.csv:11: implausible: 900 is above 100");
        assert_eq!(words.get(10).unwrap(), "and 2 more of these");
        let total =
            "20 sent: 5 accepted, 4 duplicates, 11 rejected (11 implausible); 1 unreadable and not sent (1 malformed)";
        assert_eq!(words.get(11).unwrap(), total);
        assert!(!tally.is_clean());
    }

    #[test]
    fn a_stream_does_not_say_what_was_rejected() {
        let mut tally = Tally::default();
        let parcel = Parcel {
            numbers: vec![1, 2],
            ..Parcel::default()
        };
        tally.answered(Path::new("a.csv"), &parcel, &Answer::Stored);
        let words = tally.words(false);
        assert!(
            words
                .first()
                .unwrap()
                .starts_with("2 stored in the stream; 0 unreadable and not sent; what the daemon rejects")
        );
        assert!(tally.is_clean());
    }
}
