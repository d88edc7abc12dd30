//! Asks a running daemon over HTTP.
//!
//! An address and a question enter, JSON or lines of a stream leave; what goes wrong names the address and the remedy.
//! The token comes from the environment, never from a flag: other users of the machine can read command lines.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::error::CliError;
use crate::settings::Secret;

/// Longest wait for an answer; a scorecard of the past may have to be computed first.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The variables that hold the daemon's token or name its file, the same as for the daemon itself.
const TOKEN_VARIABLE: &str = "KPID_HTTP__TOKEN";
const TOKEN_FILE_VARIABLE: &str = "KPID_HTTP__TOKEN_FILE";

/// A daemon at an address.
pub struct Daemon {
    server: String,
    token: Option<Secret>,
}

impl Daemon {
    /// The daemon at `http://HOST:PORT`; the token is taken from the environment.
    pub fn at(server: &str) -> Result<Self, CliError> {
        Ok(Self {
            server: server.trim_end_matches('/').to_owned(),
            token: token(|name| std::env::var(name).ok())?,
        })
    }

    /// The JSON at a path.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, CliError> {
        let response = self.call(path, query, Some(ANSWER_TIMEOUT))?;
        self.json(response)
    }

    /// Asks for something to be done, and waits for the JSON that tells what came of it, however long it takes.
    pub fn post(&self, path: &str) -> Result<Value, CliError> {
        let mut request = self.agent(None).post(format!("{}{path}", self.server));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let response = request.send_empty().map_err(|error| self.unreachable(&error))?;
        let response = self.accepted(response)?;
        self.json(response)
    }

    /// The same with a body of JSON.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        let mut request = self.agent(None).post(format!("{}{path}", self.server));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let request = request.header("content-type", "application/json");
        let response = request
            .send(body.to_string())
            .map_err(|error| self.unreachable(&error))?;
        let response = self.accepted(response)?;
        self.json(response)
    }

    fn json(&self, mut response: Response<Body>) -> Result<Value, CliError> {
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_string();
        let body = body.map_err(|error| self.broken(&error.to_string()))?;
        serde_json::from_str(&body).map_err(|error| self.broken(&format!("the answer is not JSON: {error}")))
    }

    /// Calls `take` with every event of a stream of server-sent events, as (event, data), until the stream ends.
    pub fn follow(&self, path: &str, mut take: impl FnMut(&str, &str) -> Result<(), CliError>) -> Result<(), CliError> {
        let response = self.call(path, &[], None)?;
        let mut events = Events::default();
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let line = line.map_err(|error| self.broken(&error.to_string()))?;
            if let Some((event, data)) = events.take(&line) {
                take(&event, &data)?;
            }
        }
        Err(self.broken("the stream ended"))
    }

    fn call(&self, path: &str, query: &[(&str, &str)], timeout: Option<Duration>) -> Result<Response<Body>, CliError> {
        let mut request = self.agent(timeout).get(format!("{}{path}", self.server));
        for (name, value) in query {
            request = request.query(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        self.accepted(response)
    }

    fn accepted(&self, response: Response<Body>) -> Result<Response<Body>, CliError> {
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(self.refused(response))
        }
    }

    fn agent(&self, timeout: Option<Duration>) -> Agent {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(timeout)
            .http_status_as_error(false);
        // A proxy cannot reach this machine's own loopback.
        let local = ["://127.", "://localhost", "://[::1]"]
            .iter()
            .any(|host| self.server.contains(host));
        let config = if local { config.proxy(None) } else { config };
        Agent::new_with_config(config.build())
    }

    fn unreachable(&self, error: &ureq::Error) -> CliError {
        CliError::failed(format!(
            "no answer from {}: {error}: start the daemon with `kpid serve`, or name its address with --server",
            self.server
        ))
    }

    fn broken(&self, reason: &str) -> CliError {
        CliError::failed(format!("the answer of {} broke off: {reason}: ask again", self.server))
    }

    /// The words of a problem document, or the bare status.
    fn refused(&self, mut response: Response<Body>) -> CliError {
        let status = response.status();
        let body = response.body_mut().read_to_string().unwrap_or_default();
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        let words = ["detail", "title"].iter().find_map(|key| problem.get(key)?.as_str());
        let remedy = if status.as_u16() == 401 || status.as_u16() == 403 {
            format!(": put its token into the variable {TOKEN_VARIABLE}")
        } else {
            String::new()
        };
        let words = words.unwrap_or_default();
        if status.as_u16() == 422 {
            // What the daemon was asked to take over is wrong, each problem on its line.
            return CliError::Wrong(words.lines().map(str::to_owned).collect());
        }
        CliError::failed(format!("{} answered {status} {words}{remedy}", self.server).replace(" :", ":"))
    }
}

/// The token, looked up the way the daemon finds it: as it is, or in a file.
fn token(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Secret>, CliError> {
    let set = |name: &str| variable(name).filter(|text| !text.is_empty());
    if let Some(token) = set(TOKEN_VARIABLE) {
        return Ok(Some(Secret::new(token)));
    }
    let Some(path) = set(TOKEN_FILE_VARIABLE) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        CliError::wrong(format!(
            "{TOKEN_FILE_VARIABLE} names `{path}`, which cannot be read: {error}"
        ))
    })?;
    Ok(Some(Secret::new(text.trim_end_matches(['\n', '\r']))))
}

/// Puts lines of a stream of server-sent events together.
#[derive(Debug, Default)]
struct Events {
    event: String,
    data: String,
}

impl Events {
    /// Takes a line; an empty one ends an event, which leaves when it has data.
    fn take(&mut self, line: &str) -> Option<(String, String)> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" if !line.is_empty() => value.clone_into(&mut self.event),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "" if line.is_empty() => {
                let whole = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
                return Some(whole).filter(|(_, data)| !data.is_empty());
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_is_not_there_is_named_with_the_remedy() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let daemon = Daemon::at(&format!("http://{closed}/")).unwrap();
        let error = daemon.get("/api/v1/alerts", &[]).unwrap_err();
        let words = error.to_string();
        assert!(
            words.contains(&closed.to_string()) && words.contains("kpid serve"),
            "{words}"
        );
        assert_eq!(error.exit_code(), 1);
    }

    /// Answers one request on the loopback with these bytes, and gives back what was asked.
    fn one_answer(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        use std::io::{Read, Write};
        let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", door.local_addr().unwrap());
        let asked = std::thread::spawn(move || {
            let (mut caller, _) = door.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                caller.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            caller.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap().to_lowercase()
        });
        (server, asked)
    }

    #[test]
    fn a_question_carries_its_parameters_and_the_token() {
        let (server, asked) = one_answer("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\": 1}");
        let token = Some(Secret::new("t0ken"));
        let answer = Daemon { server, token }
            .get("/api/v1/scorecards/it", &[("instance", "a b&c")])
            .unwrap();
        assert_eq!(answer, serde_json::json!({"a": 1}));
        let asked = asked.join().unwrap();
        assert!(
            asked.starts_with("get /api/v1/scorecards/it?instance=a%20b%26c http/1.1"),
            "{asked}"
        );
        assert!(asked.contains("authorization: bearer t0ken"), "{asked}");
    }

    #[test]
    fn a_refusal_is_told_in_the_daemons_own_words() {
        let body = "{\"title\":\"Not found\",\"detail\":\"no scorecard `ti`: did you mean `it`?\"}";
        let answer = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (server, asked) = one_answer(answer.leak());
        let error = Daemon::at(&server)
            .unwrap()
            .get("/api/v1/scorecards/ti", &[])
            .unwrap_err();
        asked.join().unwrap();
        assert!(error.to_string().contains("did you mean `it`?"), "{error}");
        let (server, asked) = one_answer("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
        let error = Daemon::at(&server).unwrap().get("/api/v1/alerts", &[]).unwrap_err();
        asked.join().unwrap();
        assert!(error.to_string().contains("KPID_HTTP__TOKEN"), "{error}");
    }

    #[test]
    fn a_stream_is_followed_until_it_ends() {
        let (server, asked) = one_answer("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nevent: alert\ndata: {}\n\n");
        let mut seen = Vec::new();
        let ended = Daemon::at(&server).unwrap().follow("/api/v1/stream", |event, data| {
            seen.push(format!("{event} {data}"));
            Ok(())
        });
        asked.join().unwrap();
        assert_eq!(seen, ["alert {}"]);
        assert_eq!(
            ended.unwrap_err().exit_code(),
            1,
            "a stream that ends is not what was asked for"
        );
    }

    #[test]
    fn the_token_is_found_as_it_is_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token").display().to_string();
        let named = |name: &str| (name == TOKEN_FILE_VARIABLE).then(|| path.clone());
        assert_eq!(token(named).unwrap_err().exit_code(), 2);
        std::fs::write(&path, "t0ken\n").unwrap();
        assert_eq!(token(named).unwrap(), Some(Secret::new("t0ken")));
        assert_eq!(
            token(|_| Some("direct".to_owned())).unwrap(),
            Some(Secret::new("direct"))
        );
        assert_eq!(token(|_| None).unwrap(), None);
    }

    #[test]
    fn events_are_put_together_line_by_line() {
        let mut events = Events::default();
        let lines = [
            "id: 7",
            "event: alert",
            "data: {\"a\":",
            "data: 1}",
            "",
            ": keep-alive",
            "",
            "data:x",
            "",
        ];
        let found: Vec<(String, String)> = lines.iter().filter_map(|line| events.take(line)).collect();
        let alert = ("alert".to_owned(), "{\"a\":\n1}".to_owned());
        assert_eq!(found, [alert, (String::new(), "x".to_owned())]);
    }
}
