//! The real program on a free port, and connections to it that cost the client as little as can be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::load;

pub struct House {
    child: Child,
    pub address: SocketAddr,
}

impl House {
    /// Starts kpid on a folder of its own; it has said that it listens when this returns.
    pub fn start(dir: &Path, nats: &str) -> Self {
        Self::start_with(dir, nats, &load::CATALOG_TEXT)
    }

    /// The same with another catalog.
    pub fn start_with(dir: &Path, nats: &str, catalog: &str) -> Self {
        let scorecards = dir.join("scorecards");
        std::fs::create_dir_all(&scorecards).unwrap();
        std::fs::write(scorecards.join("load.toml"), catalog).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kpid"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KPID_")) {
            command.env_remove(name);
        }
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log-level",
            "warn",
            "--nats",
            nats,
        ]);
        command
            .arg("--catalog")
            .arg(&scorecards)
            .arg("--data-dir")
            .arg(dir.join("data"));
        let mut child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().trim_start_matches("listening on http://").parse();
        Self {
            child,
            address: address.unwrap(),
        }
    }

    /// Waits until so many measurements were applied. The fact before them is the catalog.
    pub fn wait_applied(&self, measurements: u64) {
        let mut connection = Connection::open(self.address);
        while connection.get("/api/v1/journal", "applied").as_u64().unwrap_or(0) < measurements + 1 {
            // Asking costs the house something, too.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn wait_ready(&self) {
        let mut connection = Connection::open(self.address);
        while connection.get("/api/v1/journal", "ready") != true {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl House {
    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "SIGTERM ends with 0");
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // What it has is thrown away with its folder.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// HTTP/1.1 that stays open.
pub struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            address,
            stream: BufReader::new(stream),
        }
    }

    /// One field of an answer.
    fn get(&mut self, path: &str, field: &str) -> serde_json::Value {
        self.ask(path);
        self.answer().1.get(field).cloned().unwrap_or_default()
    }

    /// Asks, and waits until the whole answer is there; its length.
    pub fn fetch(&mut self, path: &str) -> usize {
        self.ask(path);
        let (status, body) = self.whole();
        assert!(status.contains(" 200 "), "{status}");
        body.len()
    }

    fn ask(&mut self, path: &str) {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(head.as_bytes()).unwrap();
    }

    /// Sends measurements and gives back how many were accepted.
    pub fn post(&mut self, body: &[u8]) -> u64 {
        let (host, len) = (self.address, body.len());
        let head = format!(
            "POST /api/v1/measurements HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-ndjson\r\ncontent-length: {len}\r\n\r\n"
        );
        self.stream.get_mut().write_all(head.as_bytes()).unwrap();
        self.stream.get_mut().write_all(body).unwrap();
        let (status, answer) = self.answer();
        assert!(status.contains(" 200 "), "{status}: {answer}");
        answer.get("accepted").and_then(serde_json::Value::as_u64).unwrap()
    }

    fn answer(&mut self) -> (String, serde_json::Value) {
        let (status, body) = self.whole();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn whole(&mut self) -> (String, Vec<u8>) {
        let mut status = String::new();
        self.stream.read_line(&mut status).unwrap();
        let mut len = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                len = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).unwrap();
        (status, body)
    }
}
