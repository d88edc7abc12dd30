//! The real program as a daemon: its own folder, its own settings and nobody else's, an address it chose itself. It can be
//! asked over HTTP, told to stop, killed, and started again on what it left behind.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long it may take to listen, to be ready, to leave.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder for a daemon, and the daemon while it runs; both end with the test.
pub struct Daemon {
    folder: TempDir,
    settings: BTreeMap<String, String>,
    child: Option<Child>,
    url: String,
}

impl Daemon {
    /// A folder with this catalog, without NATS; nothing runs yet.
    pub fn new(catalog: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cards = folder.path().join("cards");
        std::fs::create_dir(&cards).expect("a folder for the catalog");
        for (name, text) in catalog {
            std::fs::write(cards.join(name), text).expect("the catalog");
        }
        let daemon = Self {
            folder,
            settings: BTreeMap::new(),
            child: None,
            url: String::new(),
        };
        let (data, cards) = (daemon.path("data"), daemon.path("cards"));
        daemon
            .with("KPID_DATA_DIR", &data.display().to_string())
            .with("KPID_CATALOG", &cards.display().to_string())
            .with("KPID_HTTP__LISTEN", "127.0.0.1:0")
            .with("KPID_JOURNAL__MIN_FREE_BYTES", "1MiB")
            .with("KPID_JOURNAL__SEGMENT_BYTES", "4MiB")
            .with("KPID_PROJECTION__POST_EVERY", "20ms")
            .with("KPID_NATS__URL", "")
    }

    /// With a setting, as a variable of the environment.
    pub fn with(mut self, variable: &str, text: &str) -> Self {
        self.settings.insert(variable.to_owned(), text.to_owned());
        self
    }

    /// A place in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its journal.
    pub fn journal(&self) -> PathBuf {
        self.path("data/journal")
    }

    /// Its derived state.
    pub fn state(&self) -> PathBuf {
        self.path("data/state")
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// What it said on stderr, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A command of the program in the daemon's folder with its settings.
    pub fn command(&self, args: &[&str]) -> Command {
        self.in_its_folder(Command::new(env!("CARGO_BIN_EXE_kpid")), args)
    }

    fn in_its_folder(&self, mut command: Command, args: &[&str]) -> Command {
        command
            .args(args)
            .env_clear()
            .envs(&self.settings)
            .current_dir(self.folder.path());
        command.env("HOME", self.path("home")).stdin(Stdio::null());
        command
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program runs")
    }

    /// Runs a command that must succeed; gives back its stdout.
    pub fn answer(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "kpid {args:?}: {:?}\n{words}",
            output.status.code()
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a command that must succeed and prints JSON.
    pub fn json_of(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.answer(args)).expect("JSON")
    }

    /// Starts it and waits until it says where it listens.
    pub fn start(&mut self) {
        let command = self.command(&["serve"]);
        self.start_as(command);
    }

    /// Starts it under another program, which is given the command line of the daemon.
    pub fn start_under(&mut self, program: &str, args: &[&str]) {
        let mut line = args.to_vec();
        line.extend([env!("CARGO_BIN_EXE_kpid"), "serve"]);
        let command = self.in_its_folder(Command::new(program), &line);
        self.start_as(command);
    }

    fn start_as(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .expect("its log");
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let stdout = child.stdout.take().expect("its stdout");
        self.child = Some(child);
        let (say, heard) = mpsc::channel();
        // The thread goes on reading, so that the daemon never writes into a closed pipe.
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| {
                let _ = say.send(line);
            });
        });
        let first = heard.recv_timeout(PATIENCE).unwrap_or_default();
        let url = first.strip_prefix("listening on ");
        self.url = url
            .unwrap_or_else(|| panic!("the first line is `{first}`\n{}", self.log()))
            .to_owned();
    }

    /// Waits until it is ready: all of the journal applied, everything running.
    pub fn wait_ready(&self) {
        self.wait("it is ready", || self.get("/readyz").0 == 200);
    }

    /// Starts it and waits until it is ready.
    pub fn start_ready(&mut self) {
        self.start();
        self.wait_ready();
    }

    /// Waits until something holds, while it runs.
    pub fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let since = Instant::now();
        while !holds() {
            assert!(
                since.elapsed() < PATIENCE,
                "in {PATIENCE:?} not once: {what}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the daemon to stop, without waiting.
    pub fn ask_to_stop(&self) {
        signal("TERM", self.pid());
    }

    /// Waits until it has left by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let since = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("its end") {
                return status;
            }
            if since.elapsed() >= PATIENCE {
                let _ = child.kill();
                panic!("it does not leave\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM, and how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.ended()
    }

    /// Stops it, which must end with 0.
    pub fn stop_well(&mut self) {
        let status = self.stop();
        assert_eq!(status.code(), Some(0), "SIGTERM ends with 0\n{}", self.log());
    }

    /// Asks over HTTP; status 0 when it cannot be reached.
    pub fn get(&self, path: &str) -> (u16, String) {
        let agent = agent();
        match agent.get(format!("{}{path}", self.url)).call() {
            Ok(mut answer) => (
                answer.status().as_u16(),
                answer.body_mut().read_to_string().unwrap_or_default(),
            ),
            Err(_) => (0, String::new()),
        }
    }

    /// Asks for JSON, which must be there.
    pub fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path);
        assert_eq!(status, 200, "{path}: {text}\n{}", self.log());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Posts measurements.
    pub fn post(&self, body: &str) -> (u16, Value) {
        post(&agent(), &self.url, body).expect("an answer")
    }

    /// The root node of a scorecard, or of one of its instances (`it?instance=berlin`), when the board shows all that is durable.
    pub fn node(&self, scorecard: &str) -> Value {
        self.wait("all that is durable is applied and posted", || {
            let journal = self.json("/api/v1/journal");
            let board = self.json("/api/v1/scorecards");
            journal["end"] == journal["applied"] && board["sequence"] == journal["end"]
        });
        self.json(&format!("/api/v1/scorecards/{scorecard}"))["node"].take()
    }

    /// What a replay of its journal says.
    pub fn replay(&self, more: &[&str]) -> Replayed {
        let alerts = self.path("alerts.ndjson");
        let (journal, file) = (self.journal().display().to_string(), alerts.display().to_string());
        let mut args = vec!["replay", "--journal", &journal, "--format", "json", "--alerts", &file];
        args.extend(more);
        let scorecards = serde_json::from_str(&self.answer(&args)).expect("scorecards as JSON");
        Replayed {
            scorecards,
            alerts: lines(&alerts),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What `kpid replay` printed.
#[derive(Debug, PartialEq)]
pub struct Replayed {
    /// Every scorecard and instance.
    pub scorecards: Vec<Value>,
    /// Every transition, in order.
    pub alerts: Vec<Value>,
}

impl Replayed {
    /// The root node of a scorecard, or of one of its instances.
    pub fn node(&self, scorecard: &str, instance: Option<&str>) -> &Value {
        let found = self
            .scorecards
            .iter()
            .find(|one| one["scorecard"] == scorecard && one["instance"] == Value::from(instance));
        found.map_or(&Value::Null, |one| &one["node"])
    }

    /// The ids of the transitions, in order.
    pub fn alert_ids(&self) -> Vec<String> {
        self.alerts
            .iter()
            .filter_map(|alert| alert["id"].as_str().map(str::to_owned))
            .collect()
    }
}

/// A file of JSON lines.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the lines");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect()
}

/// A client that takes any status for an answer.
pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)));
    config.build().into()
}

/// Posts measurements; an error when nobody answered.
pub fn post(agent: &ureq::Agent, url: &str, body: &str) -> Result<(u16, Value), ureq::Error> {
    let request = agent
        .post(format!("{url}/api/v1/measurements"))
        .header("content-type", "application/json");
    let mut answer = request.send(body)?;
    let text = answer.body_mut().read_to_string()?;
    Ok((
        answer.status().as_u16(),
        serde_json::from_str(&text).unwrap_or(Value::Null),
    ))
}

/// Sends a signal to a process of this test.
pub fn signal(name: &str, pid: u32) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{name} {pid}");
}
