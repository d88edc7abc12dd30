//! The HTTP server: takes connections and gives each to the routes, until told to close.
//!
//! The time for the head of a request is bounded, so that a connection that sends nothing is given up; bodies and answers
//! are bounded by the routes. Closing lets requests in work finish, for a while.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::tasks::closed;

/// How long the server waits for its callers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the head of a request, from the connection or the request before.
    pub head: Duration,
    /// For requests in work when it closes.
    pub closing: Duration,
}

/// Pause after a connection could not be taken, for example because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `closing` turns true and what was in work is answered.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    patience: Patience,
    mut closing: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(patience.head)
        .keep_alive_timeout(patience.head);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = closed(&mut closing) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let connection = builder.serve_connection(wired(stream), TowerToHyperService::new(routes.clone()));
                    let connection = graceful.watch(connection.into_owned());
                    connections.spawn(async move {
                        if let Err(error) = connection.await {
                            debug!(error = %error, "connection broke off");
                        }
                    });
                }
                Err(error) => {
                    warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(patience.closing, graceful.shutdown())
        .await
        .is_err()
    {
        // Dropping the set ends them: they got no answer, so nothing was promised to them.
        warn!(connections = connections.len(), "connections cut off: not done in time");
    }
    Ok(())
}

fn wired(stream: TcpStream) -> TokioIo<TcpStream> {
    // Small answers shall not wait for more; a socket that cannot do it is slower, no more.
    let _ = stream.set_nodelay(true);
    TokioIo::new(stream)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const WHILE: Duration = Duration::from_secs(10);

    /// A server whose one route takes its time, its address, and what ends it.
    async fn server(patience: Patience) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        };
        let (close, closing) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, Router::new().route("/", get(slow)), patience, closing));
        (address, close, serving)
    }

    async fn say(address: SocketAddr, words: &[u8]) -> TcpStream {
        let mut caller = TcpStream::connect(address).await.unwrap();
        caller.write_all(words).await.unwrap();
        caller
    }

    async fn heard(mut caller: TcpStream) -> String {
        let mut answer = Vec::new();
        tokio::time::timeout(WHILE, caller.read_to_end(&mut answer))
            .await
            .expect("the server ends the connection")
            .unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_given_up() {
        let (head, closing) = (Duration::from_millis(200), WHILE);
        let (address, _close, _serving) = server(Patience { head, closing }).await;
        let caller = say(address, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
        let answer = heard(caller).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }

    #[tokio::test]
    async fn closing_answers_what_is_in_work_and_takes_nothing_new() {
        let (address, close, serving) = server(Patience {
            head: WHILE,
            closing: WHILE,
        })
        .await;
        let caller = say(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        close.send(true).unwrap();
        let answer = heard(caller).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"),
            "{answer}"
        );
        serving.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn closing_does_not_wait_for_half_a_request() {
        let closing = Duration::from_millis(200);
        let (address, close, serving) = server(Patience {
            head: WHILE * 60,
            closing,
        })
        .await;
        let _caller = say(address, b"GET / HTTP/1.1\r\nHost: ").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        close.send(true).unwrap();
        tokio::time::timeout(WHILE, serving)
            .await
            .expect("it ends")
            .unwrap()
            .unwrap();
    }
}
