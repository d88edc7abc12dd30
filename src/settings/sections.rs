//! The sections of the settings, one struct each; `config/kpid.toml` explains every key to people.
//!
//! A reader enters, checked sections leave. Ranges are here, beside the type; defaults are only in the file.

use std::net::SocketAddr;
use std::time::Duration;

use super::read::Reader;
use super::secret::Secret;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// `[http]`: the HTTP door and windows.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSettings {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Host names that requests may carry besides the address itself and `localhost`.
    pub hosts: Vec<String>,
    /// When set, every request but those for `/livez` and `/readyz` must carry it.
    pub token: Secret,
    /// Bytes of a request body.
    pub body_len_max: u64,
    /// Requests that write and are in work at one time.
    pub in_flight_max: usize,
    /// Longest work on one request, except streams.
    pub request_timeout: Duration,
    /// Streams of events open at one time.
    pub streams_max: usize,
    /// Where people find the dashboard; empty for the address listened on.
    pub base_url: String,
}

impl HttpSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            listen: reader.parsed(
                "http.listen",
                "an address and a port such as `127.0.0.1:8484` or `[::1]:0`",
                SocketAddr::from(([127, 0, 0, 1], 0)),
                |text| text.replacen("localhost:", "127.0.0.1:", 1).parse().ok(),
            ),
            hosts: reader.list("http.hosts"),
            token: reader.secret("http.token"),
            body_len_max: reader.size("http.body_len_max", KIB..=GIB),
            in_flight_max: reader.number("http.in_flight_max", 1..=100_000),
            request_timeout: reader.duration("http.request_timeout", SECOND..=HOUR),
            streams_max: reader.number("http.streams_max", 0..=1_000_000),
            base_url: reader.parsed(
                "http.base_url",
                "an address that begins with `http://` or `https://`, or nothing",
                String::new(),
                web_address,
            ),
        }
    }
}

fn web_address(text: &str) -> Option<String> {
    let fits = text.is_empty() || text.starts_with("http://") || text.starts_with("https://");
    fits.then(|| text.to_owned())
}

/// `[ingest]`: limits on what comes in, whatever the door.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestSettings {
    /// How far `observed_at` may be ahead of `received_at`.
    pub max_future: Duration,
    /// Labels of one measurement.
    pub label_count_max: usize,
    /// Bytes of a label's name.
    pub label_name_len_max: usize,
    /// Bytes of a label's value.
    pub label_value_len_max: usize,
    /// Bytes of a note.
    pub note_len_max: usize,
    /// Measurements in one request, message or array.
    pub batch_len_max: usize,
    /// Bytes of one measurement.
    pub measurement_len_max: u64,
    /// Batches that wait for the journal; the next one makes its sender wait.
    pub queue_len_max: usize,
    /// Different series (KPI x instance) in the journal.
    pub series_max: usize,
}

impl IngestSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            max_future: reader.duration("ingest.max_future", Duration::ZERO..=DAY),
            label_count_max: reader.number("ingest.label_count_max", 0..=256),
            label_name_len_max: reader.number("ingest.label_name_len_max", 1..=4_096),
            label_value_len_max: reader.number("ingest.label_value_len_max", 1..=65_536),
            note_len_max: reader.number("ingest.note_len_max", 0..=1_048_576),
            batch_len_max: reader.number("ingest.batch_len_max", 1..=10_000_000),
            measurement_len_max: reader.size("ingest.measurement_len_max", 256..=16 * MIB),
            queue_len_max: reader.number("ingest.queue_len_max", 1..=1_000_000),
            series_max: reader.number("ingest.series_max", 1..=100_000_000),
        }
    }
}

/// `[journal]`: the archive.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalSettings {
    /// Bytes of a segment file, preallocated.
    pub segment_bytes: u64,
    /// Measurements in one block.
    pub block_len_max: usize,
    /// How long an id is remembered, by `recorded_at`.
    pub dedup_window: Duration,
    /// Bytes kept free on the disks of the journal and of the state: what could leave less is not taken any more.
    pub min_free_bytes: u64,
    /// What is older is dropped by itself, as far as nothing needs it; zero keeps everything.
    pub keep: Duration,
    /// Bytes of segments beyond which the oldest are dropped by themselves; zero is no limit.
    pub keep_bytes: u64,
    /// Every block is proved at the start, not only those of the last two segments.
    pub check_all: bool,
}

impl JournalSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            segment_bytes: reader.size("journal.segment_bytes", 64 * KIB..=4 * GIB),
            block_len_max: reader.number("journal.block_len_max", 1..=1_048_576),
            dedup_window: reader.duration("journal.dedup_window", Duration::ZERO..=3_660 * DAY),
            min_free_bytes: reader.size("journal.min_free_bytes", 0..=TIB),
            keep: reader.duration("journal.keep", Duration::ZERO..=36_600 * DAY),
            keep_bytes: reader.size("journal.keep_bytes", 0..=1024 * TIB),
            check_all: reader.switch("journal.check_all"),
        }
    }
}

/// `[projection]`: windows and checkpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionSettings {
    /// How long slices are kept for late measurements.
    pub history: Duration,
    /// Time between two checkpoints.
    pub checkpoint_every: Duration,
    /// Shortest time between two boards shown.
    pub post_every: Duration,
}

impl ProjectionSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            history: reader.duration("projection.history", DAY..=36_600 * DAY),
            checkpoint_every: reader.duration("projection.checkpoint_every", SECOND..=DAY),
            post_every: reader.duration("projection.post_every", Duration::from_millis(1)..=MINUTE),
        }
    }
}

/// `[past]`: questions about what was known at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastSettings {
    /// Questions answered at one time, each with a thread and a projection of its own.
    pub at_once: usize,
    /// Questions that wait for their turn; the next one is told to come back.
    pub waiting_max: usize,
    /// Facts between two past states at least.
    pub milestone_facts: u64,
    /// Past states kept; none makes every question begin at the journal's beginning.
    pub milestones_max: usize,
    /// Bytes of all of them.
    pub milestones_max_bytes: u64,
}

impl PastSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            at_once: reader.number("past.at_once", 1..=64),
            waiting_max: reader.number("past.waiting_max", 0..=10_000),
            milestone_facts: reader.number("past.milestone_facts", 1..=1_000_000_000) as u64,
            milestones_max: reader.number("past.milestones_max", 0..=10_000),
            milestones_max_bytes: reader.size("past.milestones_max_bytes", 0..=TIB),
        }
    }
}

/// `[log]`: words on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// The least serious level that is written.
    pub level: LogLevel,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of words.
    Text,
    /// One JSON object a line.
    Json,
}

/// How serious a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Loss, or a human is needed.
    Error,
    /// Unexpected, but nothing lost.
    Warn,
    /// Lifecycle.
    Info,
    /// For the one who looks for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl LogSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let levels = [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ];
        let levels = levels.map(|level| (level.word(), level));
        Self {
            format: reader.choice(
                "log.format",
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
                LogFormat::Text,
            ),
            level: reader.choice("log.level", &levels, LogLevel::Info),
        }
    }
}

/// `[shutdown]`: how the house closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownSettings {
    /// After a signal everything is drained within this time, or given up with a warning.
    pub deadline: Duration,
}

impl ShutdownSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            deadline: reader.duration("shutdown.deadline", SECOND..=HOUR),
        }
    }
}
