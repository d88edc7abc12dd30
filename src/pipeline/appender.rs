//! Append and acknowledge: one thread owns the journal, and with it the order of things and the time.
//!
//! Jobs enter; durable blocks and ticks leave, in one channel. The commit size adapts to load: one job alone commits at
//! once, a flood in blocks of up to `block_len_max` measurements. Receipts go out after the disk has said yes. When it
//! says no, no receipt goes out, and the thread ends with the error: the house ends with it. So that it need not come to
//! that, room on the disk is looked for before a block is drafted; without it batches are refused and time goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tracing::warn;

use super::intake::{BatchJob, Job, Reply, SourcePositions};
use super::ledger::Ledger;
use super::live::{House, Message};
use crate::domain::fact::{Block, Fact};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::{Clock, IntakeError, Journal, JournalError, Receipt, Room, StateError};
use crate::telemetry::metric;

/// Why the appender ended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The memory of ids failed. It can be rebuilt at the next start.
    #[error("ids cannot be remembered: {0}: start again, the state is rebuilt from the journal")]
    Ids(#[from] StateError),
    /// The projection has ended; nothing more can be shown or published.
    #[error("the projection has ended")]
    ProjectionEnded,
}

/// When something is due by itself: written by the projection, waited for by the appender.
#[derive(Debug)]
pub struct NextDue {
    at: AtomicI64,
    changed: Notify,
}

impl Default for NextDue {
    fn default() -> Self {
        Self {
            at: AtomicI64::new(i64::MAX),
            changed: Notify::new(),
        }
    }
}

impl NextDue {
    /// Nothing is due before `at`; `None` for nothing at all.
    pub fn set(&self, at: Option<Instant>) {
        let at = at.map_or(i64::MAX, |at| at.0);
        if self.at.swap(at, Ordering::AcqRel) != at {
            self.changed.notify_one();
        }
    }

    fn get(&self) -> Instant {
        Instant(self.at.load(Ordering::Acquire))
    }
}

/// Everything the appender needs.
pub struct Appender {
    /// The truth.
    pub journal: Box<dyn Journal>,
    /// Ids and series so far.
    pub ledger: Ledger,
    /// What the wall says.
    pub clock: Arc<dyn Clock>,
    /// From the doors.
    pub jobs: mpsc::Receiver<Job>,
    /// To the projection.
    pub messages: mpsc::Sender<Message>,
    /// When the projection wants a tick.
    pub next_due: Arc<NextDue>,
    /// Positions, for sources that resume.
    pub positions: SourcePositions,
    /// For readers.
    pub house: Arc<House>,
    /// Whether the disk has room for a block.
    pub room: Arc<dyn Room>,
    /// Measurements a block.
    pub block_len_max: usize,
    /// No block and no tick is stamped before this instant: everything up to it was decided already.
    pub floor: Instant,
    /// It was said that the wall clock is behind the journal's.
    pub is_behind: bool,
}

/// A wall clock that is set back by more than this is worth a word: it is no correction of a daily kind.
const BEHIND_MS_MIN: i64 = 10_000;
/// Longest wait for a job, so that a wall clock that jumps forward is noticed.
const WAIT_MAX: Duration = Duration::from_millis(500);

enum Woken {
    Job(Job),
    Due,
    Closed,
}

impl Appender {
    /// Runs until the doors are closed, or something fails. Blocks its thread.
    pub fn run(mut self, runtime: &tokio::runtime::Handle) -> Result<(), AppendError> {
        loop {
            let woken = runtime.block_on(self.wait());
            self.watch_clock();
            match woken {
                Woken::Job(Job::Batch(job)) => self.take(job)?,
                Woken::Job(Job::Fact(fact, reply)) => self.take_fact(fact, reply)?,
                Woken::Due => self.tick()?,
                Woken::Closed => return Ok(()),
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let wait_ms = self.next_due.get().0.saturating_sub(self.clock.now().0).max(0);
        let wait = Duration::from_millis(wait_ms as u64).min(WAIT_MAX);
        tokio::select! {
            biased;
            job = self.jobs.recv() => job.map_or(Woken::Closed, Woken::Job),
            () = tokio::time::sleep(wait) => Woken::Due,
            () = self.next_due.changed.notified() => Woken::Due,
        }
    }

    /// Tells the projection that time has passed, if something was due.
    fn tick(&mut self) -> Result<(), AppendError> {
        let now = self.clock.now();
        if self.next_due.get() > now {
            return Ok(());
        }
        // What is stamped later is later than what this tick lets happen.
        self.floor = self.floor.max(now.plus_ms(1));
        self.next_due.set(None);
        self.send(Message::Tick(now))
    }

    fn send(&self, message: Message) -> Result<(), AppendError> {
        self.messages
            .blocking_send(message)
            .map_err(|_| AppendError::ProjectionEnded)
    }

    fn new_block(&self) -> Block {
        let tail = self.journal.tail();
        Block {
            first: tail.next,
            recorded_at: self.clock.now().max(tail.recorded_at).max(self.floor),
            series_base: tail.series,
            ..Block::default()
        }
    }

    /// The journal's clock never goes back: it stands until the wall's has caught up, and that is said.
    fn watch_clock(&mut self) {
        let least = self.journal.tail().recorded_at.max(self.floor);
        let behind_ms = least.since(self.clock.now());
        metrics::gauge!(metric::CLOCK_BEHIND).set(behind_ms.max(0) as f64 / 1_000.0);
        let is_behind = behind_ms >= BEHIND_MS_MIN;
        if std::mem::replace(&mut self.is_behind, is_behind) != is_behind && is_behind {
            warn!(
                behind_ms,
                "wall clock was set back: the journal's clock stands until it has caught up, nothing becomes due by time"
            );
        }
    }

    /// Commits a batch together with all that wait behind it.
    fn take(&mut self, first: BatchJob) -> Result<(), AppendError> {
        if !self.room.is_there() {
            refuse(first.reply);
            return Ok(());
        }
        let mut block = self.new_block();
        let mut receipts = Vec::new();
        let mut next = Some(first);
        let mut fact = None;
        while let Some(job) = next {
            receipts.extend(self.draft(&mut block, job)?);
            let is_full = block.measurements.len() + block.others.len() >= self.block_len_max;
            let waiting = if is_full { None } else { self.jobs.try_recv().ok() };
            next = match waiting {
                Some(Job::Batch(job)) => Some(job),
                Some(Job::Fact(alone, reply)) => {
                    fact = Some((alone, reply));
                    None
                }
                None => None,
            };
        }
        self.commit(block, receipts)?;
        match fact {
            Some((fact, reply)) => self.take_fact(fact, reply),
            None => Ok(()),
        }
    }

    /// Commits a fact in a block of its own.
    fn take_fact(&mut self, fact: Fact, reply: oneshot::Sender<Sequence>) -> Result<(), AppendError> {
        let trimmed = match &fact {
            Fact::HistoryTrimmed { up_to, .. } => Some(*up_to),
            _ => None,
        };
        let mut block = self.new_block();
        block.others.push((0, fact));
        let sequence = block.first;
        self.commit(block, Vec::new())?;
        if let Some(up_to) = trimmed {
            self.ledger.trimmed(up_to);
        }
        // Whoever asked and has gone away finds the fact in the journal.
        let _ = reply.send(sequence);
        Ok(())
    }

    /// Puts what a batch brought into the block; `None` when it was refused, because one before it was.
    fn draft(&mut self, block: &mut Block, job: BatchJob) -> Result<Option<(Reply, Receipt)>, AppendError> {
        if let Some(position) = job.position {
            if job.follows > self.reached(block, &position.source) {
                refuse(job.reply);
                return Ok(None);
            }
            if self
                .positions
                .get(&position.source)
                .is_some_and(|known| position.sequence <= known)
            {
                let receipt = Receipt {
                    duplicates: job.admitted.taken() as u64,
                    rejected: job.admitted.rejected,
                    ..Receipt::default()
                };
                return Ok(Some((job.reply, receipt)));
            }
            block.positions.retain(|known| known.source != position.source);
            block.positions.push(position);
        }
        let tally = self.ledger.draft_all(block, *job.admitted)?;
        let receipt = Receipt {
            accepted: tally.recorded,
            duplicates: tally.duplicates,
            rejected: tally.rejected,
            ..Receipt::default()
        };
        Ok(Some((job.reply, receipt)))
    }

    /// How far a source is, with what this block brings of it.
    fn reached(&self, block: &Block, source: &str) -> u64 {
        let drafted = block.positions.iter().find(|position| &*position.source == source);
        let drafted = drafted.map(|position| position.sequence);
        drafted.or_else(|| self.positions.get(source)).unwrap_or(0)
    }

    /// Makes the block durable and tells who waits for it: the senders, then the projection, then the memory of ids, which
    /// nobody waits for but the next block.
    fn commit(&mut self, block: Block, receipts: Vec<(Reply, Receipt)>) -> Result<(), AppendError> {
        let block = Arc::new(block);
        let is_there = !block.is_empty() || !block.positions.is_empty();
        if is_there {
            self.append(&block)?;
        }
        let sequence = block.last();
        for (reply, receipt) in receipts {
            // A sender that has gone away finds out from the journal when it sends again.
            let _ = reply.send(Ok(Receipt { sequence, ..receipt }));
        }
        if !block.is_empty() {
            self.send(Message::Block(Arc::clone(&block)))?;
        }
        if is_there {
            self.ledger.committed(&block)?;
        }
        Ok(())
    }

    /// The positions move before anybody can save a state that has the block.
    fn append(&mut self, block: &Block) -> Result<(), AppendError> {
        let started = std::time::Instant::now();
        self.journal.append(block)?;
        metrics::histogram!(metric::COMMIT_SECONDS).record(started.elapsed().as_secs_f64());
        metrics::histogram!(metric::BLOCK_FACTS).record(block.len() as f64);
        metrics::counter!(metric::BLOCKS).increment(1);
        block
            .positions
            .iter()
            .for_each(|position| self.positions.advance(position));
        self.house.journal_end.store(block.last().0, Ordering::Release);
        metrics::gauge!(metric::JOURNAL_SEQUENCE).set(block.last().0 as f64);
        self.house.recorded_at.store(block.recorded_at.0, Ordering::Release);
        Ok(())
    }
}

/// Nothing of it was taken. A sender that has gone away sends again in any case.
fn refuse(reply: Reply) {
    let _ = reply.send(Err(IntakeError::NoRoom));
}
