//! `[nats]`: servers, credentials, and what is taken and given there.
//!
//! Every way to authenticate that the NATS client offers has its keys; exactly one may be used, so that nobody has to
//! guess which one counted. User names and passwords inside an address are taken out of it, because addresses are shown.

use std::path::PathBuf;
use std::time::Duration;

use super::read::Reader;
use super::secret::Secret;

/// Everything about NATS.
#[derive(Debug, Clone, PartialEq)]
pub struct NatsSettings {
    /// Servers to try, without credentials in them; empty means without NATS.
    pub url: Vec<String>,
    /// Name of this client, as the server lists it.
    pub name: String,
    /// Who we are.
    pub auth: NatsAuth,
    /// First token of the subjects on which answers come.
    pub inbox_prefix: String,
    /// How the connection is protected.
    pub tls: NatsTls,
    /// Take measurements from the stream, besides core requests.
    pub jetstream: bool,
    /// Messages asked for at one time.
    pub pull_batch: usize,
    /// Bytes asked for at one time.
    pub pull_bytes: u64,
    /// Full batches of the stream, or as much in smaller ones, on their way into the journal at one time.
    pub batches_in_flight_max: usize,
    /// Core requests on their way into the journal at one time.
    pub requests_in_flight_max: usize,
    /// After this long without an acknowledgement the server delivers a message again.
    pub ack_wait: Duration,
    /// Queue group of the core subscription: each request goes to one member.
    pub core_queue_group: String,
    /// Write readings to `KPI_SCORES`.
    pub scores: bool,
    /// What streams keep that kpid creates.
    pub streams: NatsStreams,
}

/// What streams keep that kpid creates where they are missing; existing ones are never altered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsStreams {
    /// Copies in a cluster, 1 to 5.
    pub replicas: usize,
    /// Bytes of `KPI_MEASUREMENTS`.
    pub measurements_max_bytes: u64,
    /// Age of a message there; zero is no limit.
    pub measurements_max_age: Duration,
    /// Bytes of `KPI_ALERTS`.
    pub alerts_max_bytes: u64,
    /// Bytes of `KPI_REJECTED`.
    pub rejected_max_bytes: u64,
    /// Age of a message there; zero is no limit.
    pub rejected_max_age: Duration,
    /// Bytes of `KPI_SCORES`.
    pub scores_max_bytes: u64,
}

/// Who we are for the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsAuth {
    /// Nobody in particular.
    Anonymous,
    /// A `.creds` file (JWT and seed).
    CredentialsFile(PathBuf),
    /// An nkey seed (`SU...`).
    NKey(Secret),
    /// A user name and a password.
    UserPassword {
        /// Name.
        user: String,
        /// Password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsTls {
    /// Refuse a server without TLS.
    pub required: bool,
    /// Begin with TLS instead of waiting for the server's greeting.
    pub first: bool,
    /// Certificates of authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Client certificate and its key; both or neither.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl NatsSettings {
    /// Whether NATS is used at all.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// True when readings go to the bucket `KPI_SCORES`.
    pub fn keeps_scores(&self) -> bool {
        self.is_on() && self.scores
    }

    pub(super) fn read(reader: &mut Reader) -> Self {
        let (url, inline) = servers(reader);
        Self {
            url,
            name: reader.text("nats.name"),
            auth: auth(reader, inline),
            inbox_prefix: reader.parsed(
                "nats.inbox_prefix",
                "subject tokens without blanks, wildcards or a dot at an end, such as `_INBOX_kpid`",
                String::new(),
                |text| is_subject(text).then(|| text.to_owned()),
            ),
            tls: NatsTls::read(reader),
            jetstream: reader.switch("nats.jetstream"),
            pull_batch: reader.number("nats.pull_batch", 1..=100_000),
            // The server disconnects a client that asks for more than its pending limit of 64 MiB; 16 leaves room.
            pull_bytes: reader.size("nats.pull_bytes", 65_536..=16 << 20),
            batches_in_flight_max: reader.number("nats.batches_in_flight_max", 1..=1_000),
            requests_in_flight_max: reader.number("nats.requests_in_flight_max", 1..=100_000),
            ack_wait: reader.duration("nats.ack_wait", Duration::from_secs(1)..=Duration::from_hours(1)),
            core_queue_group: reader.text("nats.core_queue_group"),
            scores: reader.switch("nats.scores"),
            streams: NatsStreams::read(reader),
        }
    }
}

impl NatsStreams {
    fn read(reader: &mut Reader) -> Self {
        // From one mebibyte, so that a stream holds something, to what no disk of today exceeds.
        let bytes = || 1 << 20..=1 << 50;
        let age = || Duration::ZERO..=Duration::from_hours(24 * 3_660);
        Self {
            replicas: reader.number("nats.stream_replicas", 1..=5),
            measurements_max_bytes: reader.size("nats.measurements_max_bytes", bytes()),
            measurements_max_age: reader.duration("nats.measurements_max_age", age()),
            alerts_max_bytes: reader.size("nats.alerts_max_bytes", bytes()),
            rejected_max_bytes: reader.size("nats.rejected_max_bytes", bytes()),
            rejected_max_age: reader.duration("nats.rejected_max_age", age()),
            scores_max_bytes: reader.size("nats.scores_max_bytes", bytes()),
        }
    }
}

impl NatsTls {
    fn read(reader: &mut Reader) -> Self {
        let cert = reader.file("nats.tls_cert_file");
        let key = reader.file("nats.tls_key_file");
        if cert.is_some() != key.is_some() {
            reader.contradiction(
                "only one of `nats.tls_cert_file` and `nats.tls_key_file` is set",
                "a client certificate needs its key: set both or neither",
            );
        }
        Self {
            required: reader.switch("nats.tls_required"),
            first: reader.switch("nats.tls_first"),
            ca_file: reader.file("nats.tls_ca_file"),
            client: cert.zip(key),
        }
    }
}

/// Whether a text can begin the subjects of answers.
fn is_subject(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '*' | '>');
    text.split('.')
        .all(|token| !token.is_empty() && token.chars().all(plain))
}

/// The servers without their credentials, and the credentials.
fn servers(reader: &mut Reader) -> (Vec<String>, Option<NatsAuth>) {
    let mut urls = Vec::new();
    let mut inline: Vec<NatsAuth> = Vec::new();
    for url in reader.list("nats.url") {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", &url));
        let (credentials, host) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(user, host)| (Some(user), host));
        if !matches!(scheme, "nats" | "tls" | "ws" | "wss") || host.is_empty() {
            let hidden = credentials.map_or("", |_| "***@");
            let expected = "servers such as `nats://127.0.0.1:4222` or `tls://nats.example.com`, or nothing";
            reader.wrong("nats.url", format!("{scheme}://{hidden}{host}"), expected);
        }
        urls.push(format!("{scheme}://{host}"));
        inline.extend(credentials.map(inline_auth));
    }
    inline.dedup();
    if inline.len() > 1 {
        reader.contradiction(
            "the servers of `nats.url` carry different credentials",
            "take them out and set `nats.user` with `nats.password_file`, or `nats.token_file`",
        );
    }
    (urls, inline.pop())
}

/// `user:password` or `token`, as NATS addresses carry them.
fn inline_auth(text: &str) -> NatsAuth {
    match text.split_once(':') {
        Some((user, password)) => NatsAuth::UserPassword {
            user: user.to_owned(),
            password: Secret::new(password),
        },
        None => NatsAuth::Token(Secret::new(text)),
    }
}

fn auth(reader: &mut Reader, inline: Option<NatsAuth>) -> NatsAuth {
    let user = reader.text("nats.user");
    let password = reader.secret("nats.password");
    if user.is_empty() && !password.is_empty() {
        reader.contradiction("`nats.password` is set without `nats.user`", "set both or neither");
    }
    let some = |secret: Secret| Some(secret).filter(|secret| !secret.is_empty());
    let ways = [
        inline,
        reader.file("nats.credentials_file").map(NatsAuth::CredentialsFile),
        some(reader.secret("nats.nkey")).map(NatsAuth::NKey),
        some(reader.secret("nats.token")).map(NatsAuth::Token),
        Some(user)
            .filter(|user| !user.is_empty())
            .map(|user| NatsAuth::UserPassword { user, password }),
    ];
    let mut ways = ways.into_iter().flatten();
    let auth = ways.next().unwrap_or(NatsAuth::Anonymous);
    if ways.next().is_some() {
        reader.contradiction(
            "more than one way to authenticate to NATS is set",
            "keep one of `nats.credentials_file`, `nats.nkey_file`, `nats.token_file`, `nats.user` with \
             `nats.password_file`, and credentials in `nats.url`",
        );
    }
    auth
}
