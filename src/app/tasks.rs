//! Tasks of the house: how they are told to end, how they end, and threads that are watched like tasks.

use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use super::house::HouseError;

/// How a task ended: its name, and its reason where it did not end well.
pub(super) type Ending = (&'static str, Result<(), HouseError>);

/// All that runs in the house.
pub(super) type Tasks = JoinSet<Ending>;

/// What the parts of the house wait for, in walking order.
#[derive(Clone)]
pub(super) struct Closing {
    /// Nothing more is taken in.
    pub doors: watch::Receiver<bool>,
    /// Nothing more is shown: streams end.
    pub windows: watch::Receiver<bool>,
    /// Nothing more will come to be delivered: the projection has ended, or never began.
    pub posts: watch::Receiver<bool>,
}

/// The other side of [`Closing`]. Each signal is given at the latest when it is dropped, so that nobody waits for a part
/// that never began.
pub(super) struct Signals {
    pub doors: Signal,
    pub windows: Signal,
    pub posts: Signal,
}

/// Given once, at the latest when it is dropped.
pub(super) struct Signal(watch::Sender<bool>);

impl Signal {
    fn new() -> (Self, watch::Receiver<bool>) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), receiver)
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        // Nobody may be left to hear it.
        let _ = self.0.send(true);
    }
}

/// Signals, and those who wait for them.
pub(super) fn signals() -> (Signals, Closing) {
    let (doors, doors_closing) = Signal::new();
    let (windows, windows_closing) = Signal::new();
    let (posts, posts_closing) = Signal::new();
    let closing = Closing {
        doors: doors_closing,
        windows: windows_closing,
        posts: posts_closing,
    };
    (Signals { doors, windows, posts }, closing)
}

/// Waits until a signal is given, or can be given no more.
pub(super) async fn closed(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|is_given| *is_given).await;
}

/// The ending of a task that was joined; a panic is one too.
pub(super) fn ending(joined: Result<Ending, JoinError>) -> Ending {
    joined.unwrap_or_else(|error| ("task", Err(HouseError::ended("task", &error))))
}

/// Runs work that blocks beside the tasks.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, HouseError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| HouseError::ended("start", &error))
}

/// A thread of its own, watched like a task. A panic in it ends the house as well.
pub(super) fn spawn_thread(
    tasks: &mut Tasks,
    name: &'static str,
    work: impl FnOnce(&tokio::runtime::Handle) -> Result<(), HouseError> + Send + 'static,
) {
    let runtime = tokio::runtime::Handle::current();
    let (report, ended) = oneshot::channel();
    let spawned = std::thread::Builder::new().name(format!("kpid-{name}")).spawn(move || {
        let _ = report.send(work(&runtime));
    });
    tasks.spawn(async move {
        let result = match spawned {
            Err(error) => Err(HouseError::ended(name, &format!("its thread cannot start: {error}"))),
            Ok(_) => ended
                .await
                .unwrap_or_else(|_| Err(HouseError::ended(name, "it panicked"))),
        };
        (name, result)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_is_given_when_its_owner_is_gone() {
        let (signals, mut closing) = signals();
        assert!(!*closing.posts.borrow());
        drop(signals);
        closed(&mut closing.posts).await;
        assert!(*closing.doors.borrow() && *closing.windows.borrow() && *closing.posts.borrow());
    }

    #[tokio::test]
    async fn a_panic_in_a_thread_is_its_ending() {
        let mut tasks = Tasks::new();
        spawn_thread(&mut tasks, "journal", |_| panic!("on purpose"));
        let (name, result) = ending(tasks.join_next().await.unwrap());
        assert_eq!(name, "journal");
        assert_eq!(result.unwrap_err().to_string(), "journal ended: it panicked");
    }
}
