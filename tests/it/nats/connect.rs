//! Every way to authenticate, and servers that are not there.

use std::path::Path;
use std::time::Duration;

use kpid::app::nats::{NatsOptions, NatsTls, SecretSource, connect};
use nkeys::KeyPair;

use super::house::{connected, link, options};
use crate::support::credentials::{Certificate, Operator, certificate};
use crate::support::nats::{NatsServer, free_port};

/// Connects, and proves it by a round trip.
async fn works(options: &NatsOptions) {
    let link = link(options).await;
    link.client.flush().await.expect("the server answers");
    assert_eq!(link.state.borrow().connections, 1);
}

/// Tries, and returns what the server or the client says against it.
async fn refused(options: &NatsOptions) -> String {
    let link = connect(options, "test").await.expect("options that could work");
    let mut state = link.state.clone();
    let waited = state.wait_for(|state| state.last_error.is_some() || state.connected);
    let state = tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .expect("an answer")
        .unwrap()
        .clone();
    assert!(!state.connected, "connected although it should not be: {options:?}");
    state.last_error.expect("an error").to_string()
}

fn text(secret: &str) -> SecretSource {
    SecretSource::Text(secret.to_owned())
}

fn file(dir: &Path, name: &str, content: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

#[tokio::test]
async fn user_and_password() {
    let server = NatsServer::with_config(|_| "authorization { user: kpid, password: \"s3cret\" }".to_owned());
    let base = options(&server.url());
    let right = NatsOptions {
        user: Some("kpid".to_owned()),
        password: Some(text("s3cret")),
        ..base.clone()
    };
    works(&right).await;
    let from_file = SecretSource::File(file(server.dir(), "password", "s3cret\n"));
    works(&NatsOptions {
        password: Some(from_file),
        ..right.clone()
    })
    .await;
    works(&options(&server.url().replace("nats://", "nats://kpid:s3cret@"))).await;
    let wrong = refused(&NatsOptions {
        password: Some(text("wrong")),
        ..right
    })
    .await;
    assert!(wrong.contains("authorization violation"), "{wrong}");
    assert!(refused(&base).await.contains("authorization violation"));
}

#[tokio::test]
async fn token() {
    let server = NatsServer::with_config(|_| "authorization { token: \"t0ken\" }".to_owned());
    works(&NatsOptions {
        token: Some(text("t0ken")),
        ..options(&server.url())
    })
    .await;
    let wrong = refused(&NatsOptions {
        token: Some(text("other")),
        ..options(&server.url())
    })
    .await;
    assert!(wrong.contains("authorization violation"), "{wrong}");
}

#[tokio::test]
async fn nkey() {
    let (user, stranger) = (KeyPair::new_user(), KeyPair::new_user());
    let config = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.public_key());
    let server = NatsServer::with_config(|_| config);
    let seed = user.seed().unwrap();
    works(&NatsOptions {
        nkey: Some(text(&seed)),
        ..options(&server.url())
    })
    .await;
    let from_file = SecretSource::File(file(server.dir(), "nkey", &format!("{seed}\n")));
    works(&NatsOptions {
        nkey: Some(from_file),
        ..options(&server.url())
    })
    .await;
    let wrong = NatsOptions {
        nkey: Some(text(&stranger.seed().unwrap())),
        ..options(&server.url())
    };
    let wrong = refused(&wrong).await;
    assert!(wrong.contains("authorization violation"), "{wrong}");
}

#[tokio::test]
async fn credentials_file() {
    let (operator, stranger) = (Operator::new(), Operator::new());
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let config = format!("listen: \"127.0.0.1:{port}\"\n{}", operator.server_config);
    let server = NatsServer::from_config(dir, port, &config);
    let with = |name: &str, content: &str| NatsOptions {
        credentials_file: Some(file(server.dir(), name, content)),
        ..options(&server.url())
    };
    works(&with("kpid.creds", &operator.credentials)).await;
    let wrong = refused(&with("stranger.creds", &stranger.credentials)).await;
    assert!(wrong.contains("authorization violation"), "{wrong}");
}

/// A server with a certificate of its own authority, and that authority.
fn encrypted(more: &str) -> (NatsServer, Certificate) {
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let authority = certificate(dir.path(), "authority", None);
    let own = certificate(dir.path(), "server", Some(&authority));
    let config = format!(
        "listen: \"127.0.0.1:{port}\"\ntls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, {more} }}\n",
        own.cert, own.key, authority.cert
    );
    (NatsServer::from_config(dir, port, &config), authority)
}

fn with_tls(server: &NatsServer, tls: NatsTls) -> NatsOptions {
    NatsOptions {
        tls,
        ..options(&server.url())
    }
}

#[tokio::test]
async fn tls_with_an_authority_of_ones_own() {
    let (server, authority) = encrypted("");
    let trusting = NatsTls {
        ca_file: Some(authority.cert),
        required: true,
        ..NatsTls::default()
    };
    works(&with_tls(&server, trusting)).await;
    let stranger = certificate(server.dir(), "stranger", None);
    let mistrusting = NatsTls {
        ca_file: Some(stranger.cert),
        ..NatsTls::default()
    };
    let wrong = refused(&with_tls(&server, mistrusting)).await;
    assert!(wrong.to_lowercase().contains("certificate"), "{wrong}");
}

#[tokio::test]
async fn tls_before_anything_else() {
    let (server, authority) = encrypted("handshake_first: true");
    let first = NatsTls {
        ca_file: Some(authority.cert),
        required: true,
        first: true,
        ..NatsTls::default()
    };
    works(&with_tls(&server, first)).await;
}

#[tokio::test]
async fn tls_with_a_certificate_of_the_client() {
    let (server, authority) = encrypted("verify: true");
    let client = certificate(server.dir(), "client", Some(&authority));
    let anonymous = NatsTls {
        ca_file: Some(authority.cert.clone()),
        required: true,
        ..NatsTls::default()
    };
    let known = NatsTls {
        cert_file: Some(client.cert),
        key_file: Some(client.key),
        ..anonymous.clone()
    };
    works(&with_tls(&server, known)).await;
    assert!(!refused(&with_tls(&server, anonymous)).await.is_empty());
}

#[tokio::test]
async fn required_tls_is_never_given_up() {
    let server = NatsServer::start();
    let strict = NatsTls {
        required: true,
        ..NatsTls::default()
    };
    let wrong = refused(&with_tls(&server, strict)).await;
    assert!(
        wrong.contains("corrupt message"),
        "the server speaks in the clear: {wrong}"
    );
}

#[tokio::test]
async fn any_server_of_several_will_do() {
    let server = NatsServer::start();
    let dead = format!("nats://127.0.0.1:{}", free_port());
    let several = NatsOptions {
        urls: vec![dead.clone(), dead, server.url()],
        ..options(&server.url())
    };
    works(&several).await;
}

#[tokio::test]
async fn a_link_says_how_it_is() {
    let mut server = NatsServer::start();
    let link = link(&options(&server.url())).await;
    let mut state = link.state.clone();
    let before = *link.trouble.borrow();
    server.stop();
    state.wait_for(|state| !state.connected).await.unwrap();
    assert!(*link.trouble.borrow() > before, "what was on the way may be lost");
    server.start_again();
    connected(&link).await;
    assert_eq!(link.state.borrow().connections, 2);
}
