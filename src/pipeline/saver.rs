//! Saving beside the projection: checkpoints are written by a thread of their own.
//!
//! The projection gives its parts away and goes on; with a hundred thousand instances writing them takes many seconds, in
//! which nothing would be applied. One save is under way at a time. One that failed is told at the next call, whose
//! caller then forgets all saves and begins anew. Dropping the saver waits for the last one.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tracing::warn;

use crate::domain::parts::Parts;
use crate::ports::{CheckpointHead, Checkpoints, StateError};

type Store = Box<dyn Checkpoints>;
/// The store goes with the job and comes back with what became of it.
type Job = (Store, CheckpointHead, Parts);
type Done = (Store, Result<(), StateError>);

/// Saved states, written by another thread.
pub struct Saver {
    /// Here between two saves.
    store: Option<Store>,
    /// Why the save before failed.
    failed: Option<StateError>,
    /// Gone when the saver is dropped.
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// Takes over a store.
    pub fn new(store: Store) -> Self {
        let (jobs, waiting) = channel::<Job>();
        let (say, done) = channel();
        let thread = std::thread::spawn(move || {
            for (mut store, head, parts) in waiting {
                let result = store.save(&head, parts);
                if let Err(error) = &result {
                    warn!(%error, "checkpoint could not be written");
                }
                // Nobody asks how the last one went.
                let _ = say.send((store, result));
            }
        });
        Self {
            store: Some(store),
            failed: None,
            jobs: Some(jobs),
            done,
            thread: Some(thread),
        }
    }

    /// A save is under way: another one would wait for it.
    pub fn is_busy(&mut self) -> bool {
        if let Ok(done) = self.done.try_recv() {
            self.take_back(done);
        }
        self.store.is_none()
    }

    /// Begins to save, once the save before is over; an error is that of the save before.
    pub fn save(&mut self, head: &CheckpointHead, parts: Parts) -> Result<(), StateError> {
        self.wait();
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let store = self.store.take().ok_or_else(gone)?;
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send((store, head.clone(), parts)).map_err(|_| gone())
    }

    /// Forgets everything, once the save under way is over.
    pub fn clear(&mut self) -> Result<(), StateError> {
        self.wait();
        self.failed = None;
        self.store.as_mut().ok_or_else(gone)?.clear()
    }

    fn wait(&mut self) {
        if self.store.is_none()
            && let Ok(done) = self.done.recv()
        {
            self.take_back(done);
        }
    }

    fn take_back(&mut self, (store, result): Done) {
        (self.store, self.failed) = (Some(store), result.err());
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It said what went wrong.
            let _ = thread.join();
        }
    }
}

fn gone() -> StateError {
    StateError::Store {
        operation: "saving a checkpoint",
        reason: "its thread is gone".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::id::Sequence;
    use crate::domain::instant::Instant;
    use crate::ports::SavedState;

    /// Writes down what it is asked; every second save fails.
    struct Diary(Arc<Mutex<Vec<String>>>);

    impl Checkpoints for Diary {
        fn save(&mut self, head: &CheckpointHead, parts: Parts) -> Result<(), StateError> {
            let sequence = head.sequence.0;
            self.0
                .lock()
                .unwrap()
                .push(format!("save {sequence}, {} parts", parts.len()));
            if sequence.is_multiple_of(2) {
                Err(gone())
            } else {
                Ok(())
            }
        }

        fn load(&self) -> Result<Option<SavedState>, StateError> {
            Ok(None)
        }

        fn clear(&mut self) -> Result<(), StateError> {
            self.0.lock().unwrap().push("clear".to_owned());
            Ok(())
        }
    }

    fn head(sequence: u64) -> CheckpointHead {
        CheckpointHead {
            sequence: Sequence(sequence),
            at: Instant(0),
            fingerprint: String::new(),
        }
    }

    fn parts(count: u64) -> Parts {
        (0..count).map(|key| (key, Vec::new())).collect()
    }

    #[test]
    fn saves_come_one_after_the_other_and_a_failure_is_told_by_the_next() {
        let diary = Arc::new(Mutex::new(Vec::new()));
        let mut saver = Saver::new(Box::new(Diary(Arc::clone(&diary))));
        assert!(!saver.is_busy());
        assert!(saver.save(&head(1), parts(1)).is_ok());
        assert!(saver.save(&head(2), parts(0)).is_ok(), "it only begins");
        assert!(saver.save(&head(3), parts(0)).is_err(), "the one before failed");
        assert!(saver.clear().is_ok());
        assert!(saver.save(&head(5), parts(2)).is_ok());
        drop(saver);
        let told = diary.lock().unwrap().clone();
        assert_eq!(
            told,
            ["save 1, 1 parts", "save 2, 0 parts", "clear", "save 5, 2 parts"],
            "the last one was waited for"
        );
    }
}
