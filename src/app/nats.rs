//! Connections to NATS: every way to authenticate, several servers, for ever.
//!
//! Options enter, a [`Link`] leaves: a client that keeps reconnecting by itself and a picture of how it is. The house holds
//! two, one for what comes in and one for what goes out, so that a flood of measurements never delays an alert. A connection
//! is never given up: what is not there yet may come. Only options that can never work are an error, and they are
//! found before anything is tried. Secrets and passwords in URLs never reach a log.

mod link;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};

use self::link::Watcher;
pub use self::link::{Link, LinkState};

/// The longest pause between two attempts to reach a server.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(4);
/// What a subscription holds unless told; a message takes some 200 bytes besides its payload.
const SUBSCRIPTION_CAPACITY: usize = 65_536;
/// A server that does not answer a ping twice in a row is taken for gone.
const PING_EVERY: Duration = Duration::from_secs(10);

/// How to reach and convince a server.
#[derive(Clone)]
pub struct NatsOptions {
    /// Servers; any of them will do. `nats://`, `tls://`; a user and password, or a token, may stand in the first.
    pub urls: Vec<String>,
    /// Name of this kpid, seen in the server's lists.
    pub name: String,
    /// File with a JWT and its key, as made by `nsc`.
    pub credentials_file: Option<PathBuf>,
    /// Seed of an nkey.
    pub nkey: Option<SecretSource>,
    /// User name; goes with `password`.
    pub user: Option<String>,
    /// Password; goes with `user`.
    pub password: Option<SecretSource>,
    /// Token.
    pub token: Option<SecretSource>,
    /// Encryption.
    pub tls: NatsTls,
    /// First token of the subjects on which answers come; `_INBOX` when absent. One for each user keeps users from
    /// reading each other's answers.
    pub inbox_prefix: Option<String>,
    /// Messages a subscription holds before the client drops some; see the front door for the least it needs.
    pub subscription_capacity: usize,
}

/// Encryption of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatsTls {
    /// Certificates of the authorities to trust besides those of the system, PEM.
    pub ca_file: Option<PathBuf>,
    /// Certificate of this client, PEM; goes with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// Key of this client, PEM; goes with `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Refuse to speak in the clear.
    pub required: bool,
    /// Encrypt before the server says anything; the server must be set to `handshake_first`.
    pub first: bool,
}

/// A secret, or the file that holds it; white space around it is no part of it.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The secret itself.
    Text(String),
    /// The file it is in.
    File(PathBuf),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(\"***\")"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            name: "kpid".to_owned(),
            credentials_file: None,
            nkey: None,
            user: None,
            password: None,
            token: None,
            tls: NatsTls::default(),
            inbox_prefix: None,
            subscription_capacity: SUBSCRIPTION_CAPACITY,
        }
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<String> = self.urls.iter().map(|url| without_secret(url)).collect();
        f.debug_struct("NatsOptions")
            .field("urls", &urls)
            .field("name", &self.name)
            .field("credentials_file", &self.credentials_file)
            .field("nkey", &self.nkey)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("token", &self.token)
            .field("tls", &self.tls)
            .field("inbox_prefix", &self.inbox_prefix)
            .field("subscription_capacity", &self.subscription_capacity)
            .finish()
    }
}

/// A URL without the user, password or token in it.
fn without_secret(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}")
}

/// Options that can never work.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// No server is named.
    #[error("nats.url names no server: give at least one, such as nats://127.0.0.1:4222")]
    NoServer,
    /// Not a URL.
    #[error("nats.url `{url}` is not the address of a server: {reason}")]
    Url {
        /// Without secrets.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More than one way to authenticate.
    #[error("nats: {0} are set together: keep one way to authenticate")]
    Ambiguous(String),
    /// Half of a pair.
    #[error("nats.{given} is set without nats.{missing}: set both or none")]
    Incomplete {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A file that cannot be read.
    #[error("nats.{key} {path}: {reason}: check the path and who may read it")]
    File {
        /// Which setting.
        key: &'static str,
        /// Which file.
        path: String,
        /// What the system said, or what is wrong with it.
        reason: String,
    },
    /// A seed that is none.
    #[error("nats.nkey is not the seed of a user: it starts with `SU`, as made by `nk -gen user`")]
    Nkey,
    /// The client refused to start.
    #[error("nats: {0}")]
    Client(String),
}

/// Starts a connection. The first attempt is waited for, because only that one tells the whole reason when it fails;
/// then it goes on by itself, connected or not. `role` tells the two clients apart in the server's lists.
pub async fn connect(options: &NatsOptions, role: &str) -> Result<Link, NatsError> {
    let servers = servers(&options.urls)?;
    let (watcher, state, trouble) = Watcher::new(role);
    let watcher = Arc::new(watcher);
    let seen_by = Arc::clone(&watcher);
    let connect = ConnectOptions::new()
        .name(format!("{}-{role}", options.name))
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_pause)
        .ping_interval(PING_EVERY)
        .subscription_capacity(options.subscription_capacity.max(1))
        .event_callback(move |event| {
            seen_by.note(&event);
            std::future::ready(())
        });
    let connect = match &options.inbox_prefix {
        Some(prefix) => connect.custom_inbox_prefix(prefix),
        None => connect,
    };
    let connect = with_tls(connect, &options.tls)?;
    let connect = with_identity(connect, options, &servers).await?;
    let client = match connect.clone().connect(servers.clone()).await {
        Ok(client) => client,
        Err(error) => {
            watcher.note_error(&error.to_string());
            let again = connect.retry_on_initial_connect().connect(servers).await;
            again.map_err(|error| NatsError::Client(error.to_string()))?
        }
    };
    Ok(Link { client, state, trouble })
}

fn servers(urls: &[String]) -> Result<Vec<ServerAddr>, NatsError> {
    if urls.is_empty() {
        return Err(NatsError::NoServer);
    }
    let wrong = |url: &String, reason: String| NatsError::Url {
        url: without_secret(url),
        reason,
    };
    let parse = |url: &String| {
        let server = ServerAddr::from_str(url).map_err(|error| wrong(url, error.to_string()))?;
        let secrets = [server.username(), server.password()];
        if secrets.iter().flatten().any(|secret| secret.contains('%')) {
            let reason = "a user or password with special characters goes into nats.user and nats.password";
            return Err(wrong(url, reason.to_owned()));
        }
        Ok(server)
    };
    urls.iter().map(parse).collect()
}

/// 100 ms, doubled at each attempt, up to [`RECONNECT_PAUSE_MAX`]; none before the first.
fn reconnect_pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(2)).unwrap_or(u32::MAX).min(16);
    match attempt {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_millis(100 << doublings).min(RECONNECT_PAUSE_MAX),
    }
}

/// Files are opened here, because the client finds a missing one only while it connects, and then tries for ever.
fn with_tls(connect: ConnectOptions, tls: &NatsTls) -> Result<ConnectOptions, NatsError> {
    let mut connect = connect.require_tls(tls.required);
    if let Some(ca_file) = &tls.ca_file {
        must_open("tls.ca_file", ca_file)?;
        connect = connect.add_root_certificates(ca_file.clone());
    }
    match (&tls.cert_file, &tls.key_file) {
        (Some(cert_file), Some(key_file)) => {
            must_open("tls.cert_file", cert_file)?;
            must_open("tls.key_file", key_file)?;
            connect = connect.add_client_certificate(cert_file.clone(), key_file.clone());
        }
        (Some(_), None) => return Err(incomplete("tls.cert_file", "tls.key_file")),
        (None, Some(_)) => return Err(incomplete("tls.key_file", "tls.cert_file")),
        (None, None) => {}
    }
    Ok(if tls.first { connect.tls_first() } else { connect })
}

async fn with_identity(
    connect: ConnectOptions,
    options: &NatsOptions,
    servers: &[ServerAddr],
) -> Result<ConnectOptions, NatsError> {
    let in_url = servers.iter().find_map(ServerAddr::username);
    let ways: Vec<&str> = [
        ("nats.credentials_file", options.credentials_file.is_some()),
        ("nats.nkey", options.nkey.is_some()),
        ("nats.user", options.user.is_some()),
        ("nats.token", options.token.is_some()),
        ("a user in nats.url", in_url.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, set)| set.then_some(key))
    .collect();
    if ways.len() > 1 {
        return Err(NatsError::Ambiguous(ways.join(" and ")));
    }
    if let Some(path) = &options.credentials_file {
        return connect
            .credentials_file(path)
            .await
            .map_err(|error| file_error("credentials_file", path, &error));
    }
    if let Some(seed) = &options.nkey {
        let seed = secret("nkey_file", seed)?;
        // A seed of a user is `SU` and 56 base32 characters; a wrong one would be refused for ever at each attempt.
        let fits = seed.len() == 58 && seed.starts_with("SU");
        return if fits {
            Ok(connect.nkey(seed))
        } else {
            Err(NatsError::Nkey)
        };
    }
    if let Some(token) = &options.token {
        return Ok(connect.token(secret("token_file", token)?));
    }
    if let Some(user) = in_url {
        let password = servers.iter().find_map(ServerAddr::password);
        return Ok(match password {
            Some(password) => connect.user_and_password(user.to_owned(), password.to_owned()),
            None => connect.token(user.to_owned()),
        });
    }
    match (&options.user, &options.password) {
        (Some(user), Some(password)) => Ok(connect.user_and_password(user.clone(), secret("password_file", password)?)),
        (Some(_), None) => Err(incomplete("user", "password")),
        (None, Some(_)) => Err(incomplete("password", "user")),
        (None, None) => Ok(connect),
    }
}

fn incomplete(given: &'static str, missing: &'static str) -> NatsError {
    NatsError::Incomplete { given, missing }
}

fn file_error(key: &'static str, path: &Path, reason: &impl ToString) -> NatsError {
    NatsError::File {
        key,
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

fn must_open(key: &'static str, path: &Path) -> Result<(), NatsError> {
    std::fs::File::open(path)
        .map(drop)
        .map_err(|error| file_error(key, path, &error))
}

fn secret(key: &'static str, source: &SecretSource) -> Result<String, NatsError> {
    let text = match source {
        SecretSource::Text(text) => text.clone(),
        SecretSource::File(path) => std::fs::read_to_string(path).map_err(|error| file_error(key, path, &error))?,
    };
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_printed() {
        let options = NatsOptions {
            urls: vec!["nats://me:hunter2@host:4222".to_owned(), "host:1".to_owned()],
            nkey: Some(SecretSource::Text("SUhunter2".to_owned())),
            password: Some(SecretSource::Text("hunter2".to_owned())),
            token: Some(SecretSource::Text("hunter2".to_owned())),
            ..NatsOptions::default()
        };
        let text = format!("{options:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("nats://host:4222"), "{text}");
    }

    #[test]
    fn pauses_grow_and_end_at_four_seconds() {
        let pauses: Vec<u64> = (0..10).map(|n| reconnect_pause(n).as_millis() as u64).collect();
        assert_eq!(pauses, [0, 0, 100, 200, 400, 800, 1600, 3200, 4000, 4000]);
        assert_eq!(reconnect_pause(usize::MAX), RECONNECT_PAUSE_MAX);
    }

    #[tokio::test]
    async fn what_can_never_work_is_said_at_once() {
        let text = |text: &str| Some(SecretSource::Text(text.to_owned()));
        let missing = || PathBuf::from("/does/not/exist");
        let case = |change: &dyn Fn(&mut NatsOptions)| {
            let mut options = NatsOptions {
                urls: vec!["nats://127.0.0.1:1".to_owned()],
                ..NatsOptions::default()
            };
            change(&mut options);
            options
        };
        for (options, part) in [
            (case(&|it| it.urls.clear()), "names no server"),
            (
                case(&|it| it.urls = vec!["http://h".to_owned()]),
                "`http://h` is not the address",
            ),
            (
                case(&|it| it.urls = vec!["nats://a:p%40@h".to_owned()]),
                "`nats://h` is not the address of a server: a user",
            ),
            (
                case(&|it| it.user = Some("me".to_owned())),
                "nats.user is set without nats.password",
            ),
            (
                case(&|it| it.password = text("x")),
                "nats.password is set without nats.user",
            ),
            (
                case(&|it| (it.token, it.nkey) = (text("x"), text("y"))),
                "nats.nkey and nats.token",
            ),
            (
                case(&|it| (it.urls, it.token) = (vec!["nats://a:b@h".to_owned()], text("y"))),
                "nats.token and a user in nats.url",
            ),
            (case(&|it| it.nkey = text("UAB")), "nats.nkey is not the seed"),
            (
                case(&|it| it.token = Some(SecretSource::File(missing()))),
                "nats.token_file /does/not/exist",
            ),
            (
                case(&|it| it.credentials_file = Some(missing())),
                "nats.credentials_file /does",
            ),
            (case(&|it| it.tls.ca_file = Some(missing())), "tls.ca_file /does"),
            (
                case(&|it| it.tls.key_file = Some(missing())),
                "nats.tls.key_file is set without nats.tls.cert_file",
            ),
        ] {
            let error = connect(&options, "test").await.unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
