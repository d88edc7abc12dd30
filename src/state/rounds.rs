//! Rounds: a thread that has written what waits in memory, again and again.
//!
//! Works enter, and are done at each round until the last handle is gone; then the thread has ended, and holds nothing open.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What is done at each round. Errors are told by who is asked next.
pub(super) type Work = Box<dyn Fn() + Send>;

/// A thread that makes rounds until this is dropped.
pub(super) struct Rounds {
    /// Gone when the rounds shall end.
    go_on: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Rounds {
    /// Begins to do all works, one after the other, so often.
    pub(super) fn begin(every: Duration, works: Vec<Work>) -> io::Result<Self> {
        let (go_on, ended) = channel();
        let make = move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                for work in &works {
                    work();
                }
            }
        };
        let thread = std::thread::Builder::new().name("kpid-state".to_owned()).spawn(make)?;
        Ok(Self {
            go_on: Some(go_on),
            thread: Some(thread),
        })
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.go_on = None;
        if let Some(thread) = self.thread.take() {
            // A round that broke ends with the house.
            let _ = thread.join();
        }
    }
}
