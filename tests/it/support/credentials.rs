//! Keys, tokens and certificates made for one test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// An operator with one account and one user, as `nsc` would make them.
pub struct Operator {
    /// Configuration of a server that trusts it.
    pub server_config: String,
    /// A credentials file of the user.
    pub credentials: String,
}

impl Operator {
    pub fn new() -> Self {
        let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
        let unlimited = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1});
        let operator_jwt = jwt(&operator, &operator, &json!({"type": "operator", "version": 2}));
        let account_claims = json!({"type": "account", "version": 2, "limits": unlimited});
        let account_jwt = jwt(&operator, &account, &account_claims);
        let user_claims = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
        let user_jwt = jwt(&account, &user, &user_claims);
        let account_key = account.public_key();
        Self {
            server_config: format!(
                "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload: {{ {account_key}: {account_jwt} }}\n"
            ),
            credentials: format!(
                "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
                 -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
                user.seed().expect("a seed")
            ),
        }
    }
}

/// A token that one key signs for another.
fn jwt(issuer: &KeyPair, subject: &KeyPair, claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let body = json!({"jti": "test", "iat": 1_772_359_200, "iss": issuer.public_key(), "name": "test",
        "sub": subject.public_key(), "nats": claims});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&body));
    let signature = issuer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A certificate and its key, PEM.
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A certificate for 127.0.0.1: signed by an authority, or itself one.
pub fn certificate(dir: &Path, name: &str, authority: Option<&Certificate>) -> Certificate {
    let made = Certificate {
        cert: dir.join(format!("{name}.pem")),
        key: dir.join(format!("{name}.key")),
    };
    let mut openssl = Command::new("openssl");
    openssl
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .arg("-keyout")
        .arg(&made.key)
        .arg("-out")
        .arg(&made.cert)
        .stderr(Stdio::null());
    if let Some(authority) = authority {
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl
            .arg("-CA")
            .arg(&authority.cert)
            .arg("-CAkey")
            .arg(&authority.key);
    }
    let status = openssl
        .status()
        .expect("openssl: install it, this test makes certificates with it");
    assert!(status.success(), "openssl makes {name}");
    made
}
